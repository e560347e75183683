/* slab_layout.c: where the objects of a slab lie (B66-B68).
 *
 *     | left red zone | object | right red zone | padding | next ...
 *     | pad           | object_bytes .. inuse   |         |
 *     | stride                                            |
 *
 * Red zones exist in caches that ask for them only (B78). A slab is of the smallest order that has SLAB_OBJECTS_MIN
 * objects and leaves little over: a sixteenth of it, else an eighth, a quarter, half, each tried up to SLAB_ORDER_MAX. An
 * object for which none of that works gets the smallest block that holds it, which it fills by more than half.
 */
#include "slab_internal.h"

#include <assert.h>

#define CACHE_LINE 64u
#define WORD 8u /* alignment of every object, on every host */

static size_t round_up(size_t n, size_t align) { return (n + align - 1) & ~(align - 1); }

static size_t effective_align(const struct cache_args *args)
{
    size_t align = args->align > WORD ? args->align : WORD;
    if (!(args->flags & CACHE_HWCACHE_ALIGN)) return align;
    /* Small objects share a line, but none lies on two. */
    size_t line = CACHE_LINE;
    while (args->size <= line / 2) line /= 2;
    return align > line ? align : line;
}

uint32_t slab_capacity(const struct kmem_cache *c, unsigned order, size_t page_bytes)
{
    return (uint32_t)((page_bytes << order) / c->stride);
}

static unsigned choose_order(const struct kmem_cache *c, const struct buddy *b)
{
    size_t page_bytes = b->machine->page_bytes;
    uint32_t most = slab_capacity(c, SLAB_ORDER_MAX, page_bytes);
    if (!most) return c->order_min;
    unsigned start = buddy_order(b, (size_t)c->stride * (most < SLAB_OBJECTS_MIN ? most : SLAB_OBJECTS_MIN));
    /* This ends: a slab with an object in it leaves less than half of itself unused (C29). */
    for (size_t part = 16;; part /= 2)
        for (unsigned order = start; order <= SLAB_ORDER_MAX; order++)
            if ((page_bytes << order) % c->stride <= (page_bytes << order) / part) return order;
}

void slab_layout(struct kmem_cache *c, const struct cache_args *args, struct buddy *b)
{
    size_t align = effective_align(args), inuse = round_up(args->size, WORD), pad = 0;
    if (args->flags & CACHE_RED_ZONE) {
        if (inuse == args->size) inuse += WORD;
        pad = round_up(WORD, align);
    }
    c->object_bytes = (uint32_t)args->size;
    c->inuse = (uint32_t)inuse;
    c->pad = (uint32_t)pad;
    c->stride = (uint32_t)round_up(pad + inuse, align);
    c->align = (uint32_t)align;
    c->flags = args->flags;
    c->constructor = args->constructor;
    c->order_min = (uint8_t)buddy_order(b, c->stride);
    c->order = (uint8_t)choose_order(c, b);
    assert(slab_capacity(c, c->order, b->machine->page_bytes) <= SLAB_OBJECTS_MAX);
    c->gfp = (c->flags & CACHE_DMA ? GFP_BIT_DMA : 0u) | (c->flags & CACHE_RECLAIM_ACCOUNT ? GFP_BIT_RECLAIMABLE : 0u);
}
