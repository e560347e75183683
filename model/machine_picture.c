/* machine_picture.c: machine_picture.h is the manual. */
#include "machine_picture.h"

#include "exec_areas.h"
#include "exec_kernel.h"

#include <string.h>

static void take_zones(const struct kernel_model *k, struct machine_picture *p)
{
    for (unsigned i = 0; i < ZONES; i++) {
        enum machine_zone_id zone = (enum machine_zone_id)i;
        struct picture_zone *z = &p->zones[i];
        *z = (struct picture_zone){.start = k->machine->zones[i].start,
                                   .end = k->machine->zones[i].end,
                                   .free = frame_map_free(&k->frames, zone),
                                   .min = k->zones.min[i],
                                   .low = k->zones.low[i],
                                   .high = k->zones.high[i]};
        for (unsigned order = 0; order <= p->max_order; order++)
            z->blocks[order] = frame_map_blocks(&k->frames, zone, order);
    }
}

/* ---- The window ---------------------------------------------------------------------------------------------------- */

static void take_area(const struct exec *x, struct machine_picture *p, unsigned slot)
{
    const struct kernel_model *k = x->kernel;
    const struct kernel_block *b = &k->blocks[slot];
    if (!machine_in_window(k->machine, b->va)) return;
    uint32_t first = area_page_of(x, b->va), pages = (uint32_t)area_pages_of(x, b->usable), end = first;
    while (end < p->window_pages && end - first < pages) p->window[end++] = (uint16_t)(PICTURE_SLOT + slot);
    if (p->area_count == PICTURE_AREAS_MAX) {
        p->areas_left_out++;
        return;
    }
    uint32_t at = p->area_count++;
    for (; at > 0 && p->areas[at - 1].first > first; at--) p->areas[at] = p->areas[at - 1];
    struct picture_area *a = &p->areas[at];
    *a = (struct picture_area){
        .first = first, .pages = end - first, .slot = (uint16_t)slot, .alias = b->origin == ORIGIN_VMAP};
    for (uint32_t i = first; i < end && i - first < PICTURE_AREA_PAGES_MAX; i++)
        a->pfns[i - first] = machine_translate(k->machine, k->machine->vmalloc_start + (size_t)i * p->page_bytes);
}

/* A page that is no slot's: if it is mapped, to frames of the allocator's own, they are no slab but an area's array. */
static void take_inner(const struct machine *m, struct machine_picture *p, uint32_t page)
{
    uint32_t pfn = machine_translate(m, m->vmalloc_start + (size_t)page * p->page_bytes);
    if (pfn == PFN_NONE) return;
    p->window[page] = PICTURE_INNER;
    if (pfn < p->frames && p->owner[pfn] == FRAME_SLAB) p->owner[pfn] = FRAME_ARRAY;
}

static void take_window(const struct exec *x, struct machine_picture *p)
{
    const struct kernel_model *k = x->kernel;
    const struct machine *m = k->machine;
    const struct area_model *areas = k->areas;
    p->window_pages = (uint32_t)((size_t)(m->vmalloc_end - m->vmalloc_start) >> m->page_shift);
    if (p->window_pages > AREA_WINDOW_MAX) p->window_pages = AREA_WINDOW_MAX;
    p->window_offset = (uint32_t)(m->vmalloc_start - m->direct);
    p->table_pages = m->table_entries;
    p->mapped = machine_mapped(m);
    memset(p->window, 0, p->window_pages * sizeof p->window[0]);
    for (uint32_t i = 0; areas && i < p->window_pages && i < areas->touched_end; i++)
        if (areas->page[i] == AREA_LAZY) p->window[i] = PICTURE_LAZY;
    for (unsigned slot = 0; slot < k->slot_end; slot++)
        if (k->blocks[slot].life == LIFE_LIVE || k->blocks[slot].life == LIFE_DEFERRED) take_area(x, p, slot);
    for (uint32_t i = 0; i < sizeof p->tables / sizeof p->tables[0]; i++) {
        const uint32_t first = i * p->table_pages, end = first + p->table_pages;
        p->tables[i] = first < p->window_pages ? machine_table_pfn(m, i) : PFN_NONE;
        for (uint32_t j = first; p->tables[i] != PFN_NONE && j < end && j < p->window_pages; j++)
            if (p->window[j] < PICTURE_SLOT) take_inner(m, p, j);
    }
    for (uint32_t i = 1; i < p->window_pages && p->mapped; i++)
        if (p->window[i] < PICTURE_INNER && p->window[i - 1] >= PICTURE_INNER) p->window[i] = PICTURE_GUARD;
}

/* ---- Temporary mappings -------------------------------------------------------------------------------------------- */

static void take_kmap(const struct kernel_model *k, struct machine_picture *p, const struct kernel_kmap *kmap,
                      bool local)
{
    const struct machine *m = k->machine;
    size_t at = (size_t)((uintptr_t)kmap->va - (uintptr_t)m->pkmap) >> m->page_shift;
    if (!kmap->count || (uintptr_t)kmap->va < (uintptr_t)m->pkmap || at >= m->pkmap_slots) return; /* lowmem has none */
    if (p->kmap_count == PICTURE_KMAPS_MAX) return;
    p->kmaps[p->kmap_count++] = (struct picture_kmap){
        .index = (uint32_t)at, .pfn = kmap->pfn, .slot = kmap->slot, .count = kmap->count, .local = local};
}

/* ---- The fault ----------------------------------------------------------------------------------------------------- */

static void take_fault(const struct exec *x, struct machine_picture *p, const void *fault, unsigned slot)
{
    const struct machine *m = x->kernel->machine;
    p->fault_pfn = p->fault_page = PFN_NONE;
    if (fault && machine_in_window(m, fault)) p->fault_page = area_page_of(x, fault);
    if (fault) p->fault_pfn = machine_direct_pfn(m, fault);
    if (fault && p->fault_pfn == PFN_NONE) p->fault_pfn = machine_translate(m, fault);
    const struct kernel_block *b = slot < PROGRAM_SLOTS ? &x->kernel->blocks[slot] : NULL;
    if (p->fault_pfn != PFN_NONE || !b || b->life == LIFE_NONE) return;
    uint32_t own = 0; /* the first frame that is still the block's */
    while (own < p->frames && p->owner[own] != FRAME_SLOT + slot) own++;
    if (own < p->frames) p->fault_pfn = own;
    else p->fault_pfn = b->frames ? b->pfn : machine_direct_pfn(m, b->va);
}

void machine_picture_take(const struct exec *x, struct machine_picture *p, const void *fault, unsigned slot)
{
    const struct kernel_model *k = x->kernel;
    p->frames = 0;
    if (!k || !k->machine || !k->frames.machine) return;
    const struct machine *m = k->machine;
    p->frames = m->frames < FRAME_MAP_FRAMES ? m->frames : FRAME_MAP_FRAMES;
    p->config = k->config;
    p->max_order = (uint8_t)m->max_order;
    p->no_watermarks = m->no_watermarks;
    p->scatter = m->scatter;
    p->page_bytes = (uint32_t)m->page_bytes;
    p->lowmem_frames = m->lowmem_frames;
    p->area_count = p->areas_left_out = p->kmap_count = 0;
    memcpy(p->owner, k->frames.owner, p->frames * sizeof p->owner[0]);
    take_zones(k, p);
    take_window(x, p);
    for (uint32_t i = 0; i < k->kmap_count; i++) take_kmap(k, p, &k->kmaps[i], false);
    for (uint32_t i = 0; i < k->local_count; i++) take_kmap(k, p, &k->locals[i], true);
    take_fault(x, p, fault, slot);
    if (p->fault_pfn >= p->frames) p->fault_pfn = PFN_NONE;
}
