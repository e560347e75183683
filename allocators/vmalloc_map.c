/* vmalloc_map.c: frames and page tables of areas; vmalloc.h is the manual.
 *
 * Frames are taken one by one, so whatever is free will do (B88). A buddy allocator that halves a large block gives them in
 * ascending order, which lets the host map a run of them in one call; a machine that scatters gets them in an order in
 * which no page's frame is next to that of the page before it, so that nothing physical can hold an area together.
 */
#include "vmalloc_internal.h"

/* ---- Scattering ------------------------------------------------------------------------------------------------------ */

/* Shell's method with Knuth's gaps, which needs no memory. */
static void sort(uint32_t *pfns, uint32_t count)
{
    uint32_t gap = 1;
    while (gap < count / 3) gap = 3 * gap + 1;
    for (; gap; gap /= 3)
        for (uint32_t i = gap; i < count; i++) {
            uint32_t pfn = pfns[i], j = i;
            for (; j >= gap && pfns[j - gap] > pfn; j -= gap) pfns[j] = pfns[j - gap];
            pfns[j] = pfn;
        }
}

/* The ranks 1, 3, 5 … and then 0, 2, 4 …: neighbours differ by two or more if there are four. `all` and `out` are apart. */
static void interleave(const uint32_t *all, uint32_t count, uint32_t *out)
{
    for (uint32_t rank = 1; rank < count; rank += 2) *out++ = all[rank];
    for (uint32_t rank = 0; rank < count; rank += 2) *out++ = all[rank];
}

/* Two or three frames can be kept apart with the help of another one, if that is had for the asking; else they descend. */
static void scatter_few(struct vmalloc_heap *v, uint32_t count)
{
    struct buddy *b = vmalloc_buddy(v);
    struct page *spare = buddy_alloc(b, GFP_BIT_HIGHMEM | GFP_BIT_NOWARN, 0);
    uint32_t all[4];
    for (uint32_t i = 0; i < count; i++) all[i] = v->pfns[i];
    if (spare) all[count++] = buddy_pfn(b, spare);
    sort(all, count);
    if (!spare) {
        for (uint32_t i = 0; i < count; i++) v->pfns[i] = all[count - 1 - i];
        return;
    }
    const uint32_t unused = count == 3 ? 1 : 2;
    v->pfns[0] = count == 3 ? all[2] : all[1];
    v->pfns[1] = count == 3 ? all[0] : all[3];
    if (count == 4) v->pfns[2] = all[0];
    buddy_free(b, buddy_page(b, all[unused]), 0);
}

/* The area's frames pass through the upper half of v->pfns, as there are never more of them than half a window. */
static void scatter(struct vmalloc_heap *v, uint32_t count)
{
    if (count < 2) return;
    if (count < 4) {
        scatter_few(v, count);
        return;
    }
    sort(v->pfns, count);
    uint32_t *copy = v->pfns + WINDOW_PAGES / 2;
    for (uint32_t i = 0; i < count; i++) copy[i] = v->pfns[i];
    interleave(copy, count, v->pfns);
}
_Static_assert(BUDDY_FRAMES_MAX <= WINDOW_PAGES / 2, "scatter has room for a copy");

/* ---- Frames ---------------------------------------------------------------------------------------------------------- */

bool frames_take(struct vmalloc_heap *v, struct area *a, unsigned gfp)
{
    struct buddy *b = vmalloc_buddy(v);
    for (uint32_t i = 0; i < a->pages; i++) {
        const struct page *page = buddy_alloc(b, gfp | GFP_BIT_HIGHMEM, 0);
        if (page) {
            v->pfns[i] = buddy_pfn(b, page);
            continue;
        }
        while (i--) buddy_free(b, buddy_page(b, v->pfns[i]), 0);
        return false;
    }
    if (vmalloc_machine(v)->scatter) scatter(v, a->pages);
    for (uint32_t i = 0; i < a->pages; i++) {
        a->frames[i] = buddy_page(b, v->pfns[i]);
        a->frames[i]->kind = PAGE_VMALLOC;
        a->frames[i]->owner = a;
    }
    return true;
}

void frames_give(struct vmalloc_heap *v, struct area *a)
{
    struct buddy *b = vmalloc_buddy(v);
    for (uint32_t i = 0; i < a->pages; i++) {
        a->frames[i]->kind = PAGE_PLAIN;
        a->frames[i]->owner = NULL;
        buddy_free(b, a->frames[i], 0);
    }
}

/* ---- Page tables ----------------------------------------------------------------------------------------------------- */

/* Tables come from lowmem and are given up for ever, also if the request is refused later (B104). */
static bool add_tables(struct vmalloc_heap *v, const struct area *a, unsigned gfp)
{
    struct machine *m = vmalloc_machine(v);
    struct buddy *b = vmalloc_buddy(v);
    const uint32_t end = a->first + a->pages;
    for (uint32_t page = a->first; page < end; page = (page / m->table_entries + 1) * m->table_entries) {
        const unsigned char *at = m->vmalloc_start + ((size_t)page << m->page_shift);
        if (machine_has_table(m, at)) continue;
        if (machine_fails(m, FAULT_TABLE, gfp, m->page_bytes)) return false;
        struct page *table = buddy_alloc(b, gfp, 0);
        if (!table) return false;
        table->kind = PAGE_TABLE;
        machine_add_table(m, at, buddy_pfn(b, table));
    }
    return true;
}

/* A request that may not fail is not refused for one refusal of the host's. */
bool area_map(struct vmalloc_heap *v, const struct area *a, unsigned gfp)
{
    struct machine *m = vmalloc_machine(v);
    if (!add_tables(v, a, gfp)) return false;
    if (!machine_map(m, area_address(v, a), v->pfns, a->pages)) return true;
    return (gfp & GFP_BIT_NOFAIL) && !machine_map(m, area_address(v, a), v->pfns, a->pages);
}
