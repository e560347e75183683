/* buddy_pages.c: the page interface and its contract errors (B20-B27). Requests proper are in buddy_zones.c.
 *
 * What a wrong call is told (B22, B120), whichever comes first:
 *   DOUBLE_FREE     the frame is free, also if it was never anybody's
 *   WRONG_FREE      the block belongs to an allocator built on pages
 *   BAD_FREE_ORDER  another order, a tail, the frames of an exact allocation one by one or with another size
 *   BAD_FREE        no page's address at all
 *   BUG             a reference to what is no block, or a block split that cannot be
 */
#include "buddy_internal.h"
#include "gfp.h"

/* Reports what is wrong with the page of a free, if anything is. */
static bool is_bad(struct buddy *b, struct page *page, enum page_kind kind, const void *where)
{
    const struct page *head = page ? buddy_head(b, page) : NULL;
    enum alloc_report report = REPORT_KINDS;
    if (!head) report = REPORT_BAD_FREE;
    else if (head->state == PAGE_FREE) report = REPORT_DOUBLE_FREE;
    else if (head->kind > PAGE_EXACT) report = REPORT_WRONG_FREE;
    else if (page != head || head->kind != kind) report = REPORT_BAD_FREE_ORDER;
    if (report != REPORT_KINDS) machine_report(b->machine, report, where);
    return report != REPORT_KINDS;
}

/* One reference less to a plain block; all of it but the head goes at once if others refer to that and only to that
 * (B23). */
static void drop_block(struct buddy *b, struct page *page)
{
    if (page->refs == 1) {
        block_give(b, buddy_pfn(b, page), page->order);
        return;
    }
    page->refs--;
    if (!page->compound) buddy_trim(b, page, 0);
}

static void free_block(struct buddy *b, struct page *page, unsigned order, const void *where)
{
    if (!machine_enter_any(b->machine) || is_bad(b, page, PAGE_PLAIN, where)) return;
    if (page->order == order) drop_block(b, page);
    else machine_report(b->machine, REPORT_BAD_FREE_ORDER, where);
}

/* The page of an address that a call returned; NULL for what cannot be one. */
static struct page *page_at(struct buddy *b, const void *address)
{
    bool aligned = ((uintptr_t)address & (b->machine->page_bytes - 1)) == 0;
    return aligned ? buddy_virt_to_page(b, address) : NULL;
}

void buddy_free(struct buddy *b, struct page *page, unsigned order) { free_block(b, page, order, page); }

void buddy_trim(struct buddy *b, struct page *page, unsigned order)
{
    uint32_t pfn = buddy_pfn(b, page);
    while (page->order > order) {
        page->order--;
        block_give(b, pfn + (UINT32_C(1) << page->order), page->order);
    }
}

/* ---- References (B23, B27) ------------------------------------------------------------------------------------------ */

static bool is_referable(const struct page *page) { return page->state == PAGE_USED && page->refs < UINT16_MAX; }

void buddy_get(struct buddy *b, struct page *page)
{
    if (!machine_enter_any(b->machine)) return;
    struct page *head = buddy_compound_head(b, page);
    if (is_referable(head)) head->refs++;
    else machine_report(b->machine, REPORT_BUG, page);
}

/* The last reference to a block that is neither compound nor a single frame cannot be put: nobody would know its order. */
void buddy_put(struct buddy *b, struct page *page)
{
    if (!machine_enter_any(b->machine)) return;
    struct page *head = buddy_compound_head(b, page);
    if (head->state == PAGE_USED && head->refs > 1) {
        head->refs--;
        return;
    }
    if (is_bad(b, head, PAGE_PLAIN, page)) return;
    if (head->order && !head->compound) machine_report(b->machine, REPORT_BAD_FREE_ORDER, page);
    else drop_block(b, head);
}

/* ---- Single frames out of a block (B24, B25) -------------------------------------------------------------------------- */

void buddy_split(struct buddy *b, struct page *page, unsigned order)
{
    if (!machine_enter_any(b->machine)) return;
    if (page->state != PAGE_USED || page->kind != PAGE_PLAIN || page->compound || page->order != order) {
        machine_report(b->machine, REPORT_BUG, page);
        return;
    }
    block_crumble(b, buddy_pfn(b, page), UINT32_C(1) << order);
}

void *buddy_alloc_exact(struct buddy *b, size_t bytes, unsigned gfp)
{
    struct machine *m = b->machine;
    const unsigned stripped = GFP_BIT_COMP | GFP_BIT_HIGHMEM;
    if (!bytes) {
        machine_report(m, REPORT_CONTRACT_WARN, NULL);
        return NULL;
    }
    if ((gfp & stripped) && !(gfp & GFP_BIT_NOWARN)) machine_event(m, EVENT_WARN, 0, 0, gfp);
    struct page *page = buddy_alloc(b, gfp & ~stripped, buddy_order(b, bytes));
    if (!page) return NULL;
    uint32_t pfn = buddy_pfn(b, page), have = UINT32_C(1) << page->order;
    uint16_t keep = (uint16_t)(((bytes - 1) >> m->page_shift) + 1);
    page->kind = PAGE_EXACT;
    block_crumble(b, pfn, keep);
    page->exact = keep;
    block_give_run(b, pfn + keep, have - keep);
    return machine_direct(m, pfn);
}

void buddy_free_exact(struct buddy *b, void *address, size_t bytes)
{
    struct page *page = page_at(b, address);
    if (!machine_enter_any(b->machine) || is_bad(b, page, PAGE_EXACT, address)) return;
    if (!bytes || page->exact != ((bytes - 1) >> b->machine->page_shift) + 1) {
        machine_report(b->machine, REPORT_BAD_FREE_ORDER, address);
        return;
    }
    for (struct page *end = page + page->exact; page < end; page++) {
        page->kind = PAGE_PLAIN;
        page->exact = 0;
        drop_block(b, page);
    }
}

/* ---- Many frames (B26) ------------------------------------------------------------------------------------------------ */

/* As in Linux, only the first frame is worth waiting for. */
size_t buddy_alloc_bulk(struct buddy *b, unsigned gfp, size_t count, struct page **array)
{
    size_t i = 0;
    for (bool first = true; i < count; i++) {
        if (array[i]) continue;
        array[i] = first ? buddy_alloc(b, gfp, 0) : buddy_alloc_fast(b, gfp);
        if (!array[i]) break;
        first = false;
    }
    return i;
}

/* ---- Rows of a kernel_ops table --------------------------------------------------------------------------------------- */

struct page *buddy_op_alloc_pages(void *heap, unsigned gfp, unsigned order) { return buddy_alloc(heap, gfp, order); }
void buddy_op_free_page_block(void *heap, struct page *page, unsigned order) { buddy_free(heap, page, order); }

void *buddy_op_get_free_pages(void *heap, unsigned gfp, unsigned order)
{
    struct page *page = buddy_alloc(heap, gfp & ~(unsigned)GFP_BIT_HIGHMEM, order);
    return page ? buddy_page_address(heap, page) : NULL;
}

void *buddy_op_get_zeroed_page(void *heap, unsigned gfp)
{
    return buddy_op_get_free_pages(heap, gfp | GFP_BIT_ZERO, 0);
}

void buddy_op_free_pages(void *heap, void *address, unsigned order)
{
    if (address) free_block(heap, page_at(heap, address), order, address);
}

void *buddy_op_alloc_pages_exact(void *heap, size_t bytes, unsigned gfp) { return buddy_alloc_exact(heap, bytes, gfp); }
void buddy_op_free_pages_exact(void *heap, void *address, size_t bytes) { buddy_free_exact(heap, address, bytes); }
void buddy_op_split_page(void *heap, struct page *page, unsigned order) { buddy_split(heap, page, order); }

size_t buddy_op_alloc_pages_bulk(void *heap, unsigned gfp, size_t count, struct page **array)
{
    return buddy_alloc_bulk(heap, gfp, count, array);
}

void buddy_op_get_page(void *heap, struct page *page) { buddy_get(heap, page); }
void buddy_op_put_page(void *heap, struct page *page) { buddy_put(heap, page); }
uint32_t buddy_op_page_to_pfn(void *heap, const struct page *page) { return buddy_pfn(heap, page); }
struct page *buddy_op_pfn_to_page(void *heap, uint32_t pfn) { return buddy_page(heap, pfn); }
void *buddy_op_page_address(void *heap, const struct page *page) { return buddy_page_address(heap, page); }
struct page *buddy_op_virt_to_page(void *heap, const void *address) { return buddy_virt_to_page(heap, address); }
struct page *buddy_op_compound_head(void *heap, struct page *page) { return buddy_compound_head(heap, page); }

void buddy_op_zone_info(void *heap, enum machine_zone_id zone, struct zone_info *out)
{
    const struct buddy_zone *z = &((const struct buddy *)heap)->zones[zone];
    *out = (struct zone_info){
        .free = z->free, .mark_min = z->mark_min, .mark_low = z->mark_low, .mark_high = z->mark_high};
    for (unsigned order = 0; order < MACHINE_ORDERS; order++) out->blocks[order] = z->blocks[order];
    for (unsigned selected = 0; selected < ZONES; selected++) out->lowmem_reserve[selected] = z->reserve[selected];
}

void buddy_op_step_kswapd(void *heap) { buddy_step_kswapd(heap); }
void *buddy_op_kmap(void *heap, struct page *page) { return buddy_kmap(heap, page); }
void buddy_op_kunmap(void *heap, struct page *page) { buddy_kunmap(heap, page); }
void *buddy_op_kmap_local(void *heap, struct page *page) { return buddy_kmap_local(heap, page); }
void buddy_op_kunmap_local(void *heap, void *address) { buddy_kunmap_local(heap, address); }
