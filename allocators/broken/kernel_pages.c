/* kernel_pages.c: canaries for the rules about blocks of pages and their addresses; broken.h is the manual. Those about
 * zones, marks and masks are in kernel_zones.c. */
#include "broken.h"
#include "buddy_internal.h"
#include "builtin.h"
#include "gfp.h"
#include "kernel_wrapper.h"

static uint32_t frames_of(unsigned order) { return UINT32_C(1) << order; }

/* ---- Which block is given (B12, B13, B28) ----------------------------------------------------------------------- */

static struct page *clamping_alloc(void *heap, unsigned gfp, unsigned order)
{
    const unsigned most = ((struct buddy *)heap)->machine->max_order;
    return buddy_alloc(heap, gfp, order < most ? order : most);
}

static void order_clamped(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = clamping_alloc; }

/* A block twice as large is to be had for the asking: half the zone is free, with no block in it that need not be split. */
static bool is_roomy(const struct buddy *b, unsigned gfp, unsigned order)
{
    const struct buddy_zone *z = &b->zones[gfp_zone(b->machine, gfp)];
    bool larger = false, fits = false; /* (B15) */
    for (unsigned k = order + 1; k <= b->machine->max_order; k++) larger = larger || z->blocks[k];
    for (unsigned zone = 0; zone < ZONES; zone++) fits = fits || b->zones[zone].blocks[order % MACHINE_ORDERS];
    return larger && !fits && z->free > (z->end - z->start) / 2;
}

/* Consecutive frames, but from an odd one on. */
static struct page *misaligned_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct buddy *b = heap;
    if (!order || order >= b->machine->max_order || (gfp & GFP_BIT_COMP) || !is_roomy(b, gfp, order))
        return buddy_alloc(b, gfp, order);
    struct page *page = buddy_alloc(b, gfp, order + 1);
    if (!page) return NULL;
    buddy_split(b, page, order + 1);
    buddy_free(b, page, 0);
    for (uint32_t i = frames_of(order) + 1; i < 2 * frames_of(order); i++) buddy_free(b, page + i, 0);
    return page + 1;
}

static void misaligned_free(void *heap, struct page *page, unsigned order)
{
    const bool aligned = buddy_pfn(heap, page) % frames_of(order) == 0;
    if (aligned) buddy_free(heap, page, order);
    for (uint32_t i = 0; !aligned && i < frames_of(order); i++) buddy_free(heap, page + i, 0);
}

static void block_misaligned(struct alloc_ops *ops)
{
    struct kernel_ops *rows = kernel_rows(ops);
    rows->alloc_pages = misaligned_alloc;
    rows->free_page_block = misaligned_free;
}

/* Some requests are refused though they could be served. */
static struct page *moody_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct buddy *b = heap;
    const bool mood = order == 2 && b->zones[ZONE_NORMAL].free % 4 == 3;
    struct page *page = buddy_alloc(b, gfp, order);
    if (!page || !mood || b->zones[ZONE_NORMAL].free < b->zones[ZONE_NORMAL].mark_high) return page;
    buddy_free(b, page, order);
    return NULL;
}

static void refuses_without_need(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = moody_alloc; }

/* ---- Zeroing and addresses (B1, B6, B7, B19, B20) -------------------------------------------------------------------- */

static struct page *half_zeroing_alloc(void *heap, unsigned gfp, unsigned order)
{
    if (!(gfp & GFP_BIT_HIGHMEM)) return buddy_alloc(heap, gfp, order);
    struct page *page = buddy_alloc(heap, gfp & ~(unsigned)GFP_BIT_ZERO, order);
    if (page && (gfp & GFP_BIT_ZERO) && buddy_page_address(heap, page))
        buddy_zero(heap, buddy_pfn(heap, page), frames_of(order));
    return page;
}

static void highmem_not_zeroed(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = half_zeroing_alloc; }

static struct page *first_only_zeroing_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct page *page = buddy_alloc(heap, gfp & ~(unsigned)GFP_BIT_ZERO, order);
    if (page && (gfp & GFP_BIT_ZERO)) buddy_zero(heap, buddy_pfn(heap, page), 1);
    return page;
}

static void tails_not_zeroed(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = first_only_zeroing_alloc; }

static void *mapping_get_free_pages(void *heap, unsigned gfp, unsigned order)
{
    struct buddy *b = heap;
    const bool can = !order && machine_can_sleep(b->machine);
    struct page *page = buddy_alloc(b, can ? gfp : gfp & ~(unsigned)GFP_BIT_HIGHMEM, order);
    if (!page) return NULL;
    return buddy_page_address(b, page) ? buddy_page_address(b, page) : buddy_kmap(b, page);
}

static void address_in_highmem(struct alloc_ops *ops) { kernel_rows(ops)->get_free_pages = mapping_get_free_pages; }

static struct page *head_of_address(void *heap, const void *address)
{
    struct page *page = buddy_virt_to_page(heap, address);
    return page ? buddy_head(heap, page) : NULL;
}

static void virt_to_page_gives_head(struct alloc_ops *ops) { kernel_rows(ops)->virt_to_page = head_of_address; }

static void *neighbours_address(void *heap, const struct page *page)
{
    struct buddy *b = heap;
    void *own = buddy_page_address(b, page), *other = machine_direct(b->machine, buddy_pfn(b, page) ^ 1);
    return own && other ? other : own;
}

static void page_address_off_by_one(struct alloc_ops *ops) { kernel_rows(ops)->page_address = neighbours_address; }

/* As if the direct map had no end. */
static void *endless_address(void *heap, const struct page *page)
{
    const struct buddy *b = heap;
    void *at = buddy_page_address(b, page);
    return at ? at : b->machine->direct + ((size_t)buddy_pfn(b, page) << b->machine->page_shift);
}

static void highmem_has_address(struct alloc_ops *ops) { kernel_rows(ops)->page_address = endless_address; }

/* ---- Temporary mappings (B8) -------------------------------------------------------------------------------------------- */

/* The first kunmap unmaps; the others find nothing to do. */
static void forgetful_kunmap(void *heap, struct page *page)
{
    struct buddy *b = heap;
    const unsigned slot = b->highmem.slot_of[buddy_pfn(b, page)];
    if (!slot && !buddy_page_address(b, page)) return;
    if (slot) b->highmem.count[slot - 1] = 1;
    buddy_kunmap(b, page);
}

static void kunmap_forgets_count(struct alloc_ops *ops) { kernel_rows(ops)->kunmap = forgetful_kunmap; }

/* Each call maps anew: the frame forgets the slot that it has. */
static void *restless_kmap(void *heap, struct page *page)
{
    struct buddy *b = heap;
    b->highmem.slot_of[buddy_pfn(b, page)] = 0;
    return buddy_kmap(b, page);
}

static void kmap_moves(struct alloc_ops *ops)
{
    ops->check = NULL;
    kernel_rows(ops)->kmap = restless_kmap;
}

/* ---- Freeing (B17, B22, B23, C16, C25) ------------------------------------------------------------------------------------- */

static void lazy_free(void *heap, struct page *page, unsigned order)
{
    struct buddy *b = heap;
    const uint32_t pfn = buddy_pfn(b, page);
    const bool plain = page->state == PAGE_USED && page->refs == 1 && page->order == order && page->kind == PAGE_PLAIN;
    if (!plain || b->machine->context.nmi) {
        buddy_free(b, page, order);
        return;
    }
    struct buddy_zone *z = &b->zones[machine_zone_of(b->machine, pfn)];
    machine_give(b->machine, pfn, frames_of(order));
    z->free += frames_of(order);
    block_list(b, z, pfn, order);
}

static void buddies_stay_apart(struct alloc_ops *ops)
{
    ops->check = NULL;
    kernel_rows(ops)->free_page_block = lazy_free;
}

/* Two single frames that are no buddies count as a pair. The lists are right: frames that somebody has would be given to
 * another (C16) before anybody has seen the counts. */
static void greedy_zone_info(void *heap, enum machine_zone_id zone, struct zone_info *out)
{
    buddy_op_zone_info(heap, zone, out);
    const uint32_t pairs = out->blocks[0] / 2;
    out->blocks[0] -= 2 * pairs;
    out->blocks[1] += pairs;
}

static void merges_unequal(struct alloc_ops *ops) { kernel_rows(ops)->zone_info = greedy_zone_info; }

static void lenient_free(void *heap, struct page *page, unsigned order)
{
    if (buddy_head(heap, page)->state != PAGE_FREE) buddy_free(heap, page, order);
}

static void double_free_unnoticed(struct alloc_ops *ops) { kernel_rows(ops)->free_page_block = lenient_free; }

static void trusting_free(void *heap, struct page *page, unsigned order)
{
    buddy_free(heap, page, page->state == PAGE_USED ? page->order : order);
}

static void order_unchecked(struct alloc_ops *ops) { kernel_rows(ops)->free_page_block = trusting_free; }

static void keeping_free(void *heap, struct page *page, unsigned order)
{
    if (page->state == PAGE_USED && page->order == order && page->refs > 1) page->refs--;
    else buddy_free(heap, page, order);
}

static void referred_tails_kept(struct alloc_ops *ops) { kernel_rows(ops)->free_page_block = keeping_free; }

static void hasty_free(void *heap, struct page *page, unsigned order)
{
    if (page->state == PAGE_USED && page->order == order && page->refs > 1) page->compound = false;
    buddy_free(heap, page, order);
}

static void compound_torn(struct alloc_ops *ops) { kernel_rows(ops)->free_page_block = hasty_free; }

/* Of a large block, the last frame is never seen again. */
static void losing_free(void *heap, struct page *page, unsigned order)
{
    const bool whole = page->state == PAGE_USED && page->order == order && page->refs == 1 && !page->compound;
    if (order < 3 || !whole || page->kind != PAGE_PLAIN || ((struct buddy *)heap)->machine->context.nmi) {
        buddy_free(heap, page, order);
        return;
    }
    buddy_split(heap, page, order);
    for (uint32_t i = 0; i + 1 < frames_of(order); i++) buddy_free(heap, page + i, 0);
}

static void free_loses_frame(struct alloc_ops *ops) { kernel_rows(ops)->free_page_block = losing_free; }

/* ---- Several frames (B24-B27) -------------------------------------------------------------------------------------------- */

static void losing_split(void *heap, struct page *page, unsigned order)
{
    const bool right = page->state == PAGE_USED && page->order == order && !page->compound;
    buddy_split(heap, page, order);
    if (right && order) buddy_free(heap, page + frames_of(order) - 1, 0);
}

static void split_frees_last(struct alloc_ops *ops) { kernel_rows(ops)->split_page = losing_split; }

static void *hoarding_exact(void *heap, size_t bytes, unsigned gfp)
{
    return bytes ? buddy_op_get_free_pages(heap, gfp & ~(unsigned)GFP_BIT_COMP, buddy_order(heap, bytes))
                 : buddy_alloc_exact(heap, bytes, gfp);
}

static void hoarding_free_exact(void *heap, void *address, size_t bytes)
{
    buddy_op_free_pages(heap, address, buddy_order(heap, bytes));
}

static void exact_keeps_surplus(struct alloc_ops *ops)
{
    struct kernel_ops *rows = kernel_rows(ops);
    rows->alloc_pages_exact = hoarding_exact;
    rows->free_pages_exact = hoarding_free_exact;
}

static size_t boasting_bulk(void *heap, unsigned gfp, size_t count, struct page **array)
{
    const size_t filled = buddy_alloc_bulk(heap, gfp, count, array);
    return filled ? count : 0;
}

static void bulk_counts_empty(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages_bulk = boasting_bulk; }

static size_t excessive_bulk(void *heap, unsigned gfp, size_t count, struct page **array)
{
    const size_t filled = buddy_alloc_bulk(heap, gfp, count, array);
    return filled < count ? filled : count + 1;
}

static void bulk_counts_one_more(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages_bulk = excessive_bulk; }

static struct page *no_head(void *heap, struct page *page)
{
    (void)heap;
    return page;
}

static void tail_has_no_head(struct alloc_ops *ops) { kernel_rows(ops)->compound_head = no_head; }

/* ---- What is shown of the inside (C20) ------------------------------------------------------------------------------------ */

static void rounding_zone_info(void *heap, enum machine_zone_id zone, struct zone_info *out)
{
    buddy_op_zone_info(heap, zone, out);
    out->free &= ~UINT32_C(1);
}

static void free_count_rounded(struct alloc_ops *ops) { kernel_rows(ops)->zone_info = rounding_zone_info; }

/* -------------------------------------------------------------------------------------------------------------------------- */

const struct canary broken_pages[] = {
    {"virt_to_page_gives_head", "B1", "virt_to_page gives the block's first page", &alloc_buddy,
     virt_to_page_gives_head},
    {"page_address_off_by_one", "B6", "page_address is that of the neighbour", &alloc_buddy, page_address_off_by_one},
    {"highmem_has_address", "B7", "page_address of highmem is in the hole behind the direct map", &alloc_buddy,
     highmem_has_address},
    {"kunmap_forgets_count", "B8", "the first kunmap unmaps", &alloc_buddy, kunmap_forgets_count},
    {"kmap_moves", "B8", "every kmap of a frame has another address", &alloc_buddy, kmap_moves},
    {"order_clamped", "B12", "too large an order is served with the largest", &alloc_buddy, order_clamped},
    {"block_misaligned", "B13", "a block begins at an odd frame", &alloc_buddy, block_misaligned},
    {"merges_unequal", "B17", "free frames that are no buddies count as one block", &alloc_buddy, merges_unequal},
    {"buddies_stay_apart", "B17", "free buddies stay apart", &alloc_buddy, buddies_stay_apart},
    {"highmem_not_zeroed", "B19", "highmem is not cleared", &alloc_buddy, highmem_not_zeroed},
    {"tails_not_zeroed", "B19", "only the first frame is cleared", &alloc_buddy, tails_not_zeroed},
    {"address_in_highmem", "B20", "get_free_pages maps highmem", &alloc_buddy, address_in_highmem},
    {"double_free_unnoticed", "B22", "a second free is passed over", &alloc_buddy, double_free_unnoticed},
    {"order_unchecked", "B22", "a free with a wrong order is done with the right one", &alloc_buddy, order_unchecked},
    {"referred_tails_kept", "B23", "a plain block stays whole while its head is referred to", &alloc_buddy,
     referred_tails_kept},
    {"compound_torn", "B23", "the tails of a compound block go before its last reference", &alloc_buddy, compound_torn},
    {"split_frees_last", "B24", "split_page frees the last frame", &alloc_buddy, split_frees_last},
    {"exact_keeps_surplus", "B25", "an exact allocation keeps the whole block", &alloc_buddy, exact_keeps_surplus},
    {"bulk_counts_empty", "B26", "a partial bulk counts as a full one", &alloc_buddy, bulk_counts_empty},
    {"bulk_counts_one_more", "B26", "a full bulk counts one page more", &alloc_buddy, bulk_counts_one_more},
    {"tail_has_no_head", "B27", "compound_head of a tail is the tail", &alloc_buddy, tail_has_no_head},
    {"refuses_without_need", "B28", "some requests are refused with memory free", &alloc_buddy, refuses_without_need},
    {"free_loses_frame", "C25", "a free forgets the last frame of a large block", &alloc_buddy, free_loses_frame},
    {"free_count_rounded", "C20", "the free frames of a zone are rounded down", &alloc_buddy, free_count_rounded},
    {0},
};
