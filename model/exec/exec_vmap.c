/* exec_vmap.c: other views of frames that somebody owns: vmap and remap_vmalloc_range (B100, B102). */
#include "exec_areas.h"

#include <errno.h>

#define CALL(x, operation, ...) ((x)->kernel->ops->operation((x)->heap, __VA_ARGS__))

#define VMAP_PAGES_MAX 256u
#define REMAP_PAGES_MAX 512u
#define LOOK_BYTES 64u
#define VMAP_PUT 4u /* what an OP_VMAP's b says besides orders */

/* Which frame of the source comes i-th. */
static uint32_t pick(uint64_t pattern, uint32_t i, uint32_t count, uint32_t frames)
{
    switch (pattern % 4) {
    case 1: return (count - 1 - i) % frames;
    case 2: return 0;
    case 3: return i * 2 % frames;
    default: return i % frames;
    }
}

static bool can_be_shown(const struct kernel_block *b)
{
    return b->life == LIFE_LIVE && b->frames && b->origin != ORIGIN_VMAP && b->origin != ORIGIN_KMALLOC &&
           b->origin != ORIGIN_ELEMENT;
}

/* Single frames, in nobody else's hands. */
static bool can_be_put(const struct kernel_block *b)
{
    bool single = b->origin == ORIGIN_BULK || (b->origin == ORIGIN_PAGES && b->frames == 1);
    return single && !b->pins && !b->references && !b->droppable;
}

/* Each page of the map shows its frame, with what the owner wrote there (C18). */
static bool judge_views(struct exec *x, const struct kernel_block *map, const struct kernel_block *source,
                        uint64_t pattern)
{
    const struct machine *m = x->kernel->machine;
    for (uint32_t i = 0; i < map->frames; i++) {
        const unsigned char *va = map->va + ((size_t)i << m->page_shift);
        uint32_t from = pick(pattern, i, map->frames, source->frames);
        exec_checked(x, RULE_B100);
        if (machine_translate(m, va) != kernel_frame(x, source, from))
            return exec_fail(x, RULE_B100, va, "the pages in the order of the array", "page %u shows frame %u, not %u",
                             i, machine_translate(m, va), kernel_frame(x, source, from));
        if (!kernel_shows(x, source, (uint64_t)from << m->page_shift, LOOK_BYTES, va)) return false;
    }
    return true;
}

/* The frames go over to the area, which holds them as vmalloc's hold theirs (B100). */
static bool hand_over(struct exec *x, const struct kernel_call *c, struct kernel_block *map, unsigned source)
{
    struct kernel_block *shown = &x->kernel->blocks[source];
    for (uint32_t i = 0; i < map->frames; i++)
        frame_map_set(&x->kernel->frames, kernel_frame(x, shown, i), 1, (uint16_t)(FRAME_SLOT + c->slot));
    map->origin = ORIGIN_VMALLOC;
    map->put = true;
    map->source = 0;
    return kernel_forget(x, source, LIFE_NONE);
}

static bool enter(struct exec *x, struct kernel_call *c, void *p, uint32_t count, uint64_t pattern, unsigned source)
{
    const struct machine *m = x->kernel->machine;
    struct kernel_block *shown = &x->kernel->blocks[source];
    struct kernel_block map = {.origin = ORIGIN_VMAP,
                               .source = (uint16_t)source,
                               .handle = p,
                               .va = p,
                               .frames = count,
                               .list = kernel_list(x, count),
                               .request = (uint64_t)count << m->page_shift,
                               .usable = (uint64_t)count << m->page_shift};
    if (!area_judge_span(x, p, count)) return false;
    x->kernel->areas->known += count;
    if (!caches_settle(x, c)) return false;
    for (uint32_t i = 0; i < count && map.list != LIST_NONE; i++)
        x->kernel->pfns[map.list + i] = kernel_frame(x, shown, pick(pattern, i, count, shown->frames));
    map.pfn = kernel_frame(x, shown, pick(pattern, 0, count, shown->frames));
    if (map.list == LIST_NONE) map.frames = 0;
    if (!judge_views(x, &map, shown, pattern) || !area_judge_stale(x, p, count)) return false;
    if (pattern != VMAP_PUT) shown->pins++;
    else if (!hand_over(x, c, &map, source)) return false;
    return kernel_enter(x, c, &map, false);
}

bool area_step_vmap(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    const unsigned source = op->ref % PROGRAM_SLOTS;
    const struct kernel_block *shown = &x->kernel->blocks[source];
    struct page *pages[VMAP_PAGES_MAX];
    if (!kernel_idle(&x->kernel->blocks[slot]) || source == slot || !can_be_shown(shown)) return true;
    if (b == VMAP_PUT && !can_be_put(shown)) return true;
    uint32_t count = a && b != VMAP_PUT ? (uint32_t)(a % (VMAP_PAGES_MAX + 1)) : shown->frames;
    if (!count || count > VMAP_PAGES_MAX) return true;
    for (uint32_t i = 0; i < count; i++)
        pages[i] = CALL(x, pfn_to_page, kernel_frame(x, shown, pick(b, i, count, shown->frames)));
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_MAP, .gfp = GFP_KERNEL, .request = count};
    caches_shared(x);
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    x->kernel->blocks[source].pins++; /* nor is it freed by what is reclaimed on the way */
    void *p = CALL(x, vmap, pages, count, b == VMAP_PUT ? VMAP_PUT_PAGES : 0);
    x->kernel->blocks[source].pins--;
    kernel_outcome(x, &c, p ? RESULT_PTR : RESULT_NULL, p);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return true;
    return p ? enter(x, &c, p, count, b, source) : caches_settle(x, &c);
}

bool area_step_remap(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    const struct kernel_block *area = &x->kernel->blocks[slot];
    const uint64_t count = b % (REMAP_PAGES_MAX + 1);
    uint32_t pfns[REMAP_PAGES_MAX];
    if (area->life != LIFE_LIVE || area->origin != ORIGIN_VMALLOC || !count) return true;
    const bool fits = area->usermap && a <= area->frames && count <= area->frames - a;
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_QUERY, .request = count};
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    int result = CALL(x, remap_vmalloc_range, area->va, (unsigned long)a, (unsigned long)count, pfns);
    kernel_outcome(x, &c, RESULT_VOID, area->va);
    if (!kernel_end(x, &c) || !kernel_settle(x, &c, FRAME_FREE)) return false;
    if (c.reported) return true;
    exec_checked(x, RULE_B102);
    if (result != (fits ? 0 : -EINVAL))
        return exec_fail(x, RULE_B102, area->va, fits ? "0: the pages lie in a user's area" : "-EINVAL",
                         "%d for pages %llu to %llu of %u", result, (unsigned long long)a,
                         (unsigned long long)(a + count), area->frames);
    for (uint32_t i = 0; fits && i < count; i++)
        if (pfns[i] != kernel_frame(x, area, (uint32_t)a + i))
            return exec_fail(x, RULE_B102, area->va, "the frames that the area shows", "frame %u, not %u", pfns[i],
                             kernel_frame(x, area, (uint32_t)a + i));
    return true;
}
