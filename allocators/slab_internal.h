/* slab_internal.h: what the files of the slab allocator share. Nothing here checks its arguments or the context. */
#ifndef SLAB_INTERNAL_H
#define SLAB_INTERNAL_H

#include "gfp.h"
#include "slab.h"

#include <errno.h>
#include <string.h>

/* ---- slab_layout.c -------------------------------------------------------------------------------------------------- */

/* Alignment, stride and orders for args on a machine of this kind; flags, constructor and sizes are taken over. */
void slab_layout(struct kmem_cache *c, const struct cache_args *args, struct buddy *b);
/* How many objects a slab of that order has. */
uint32_t slab_capacity(const struct kmem_cache *c, unsigned order, size_t page_bytes);

/* ---- slab.c: slabs and the objects in them --------------------------------------------------------------------------- */

struct slab_place {
    struct slab *slab;
    uint32_t index;
};

static inline unsigned char *slab_object(const struct slab *s, uint32_t i)
{
    return s->base + (size_t)i * s->cache->stride + s->cache->pad;
}

static inline bool slab_is_free(const struct slab *s, uint32_t i) { return s->free[i / 64] >> i % 64 & 1; }

static inline enum slab_state slab_state(const struct slab *s)
{
    return !s->used ? SLAB_EMPTY : s->used == s->objects ? SLAB_FULL : SLAB_PARTIAL;
}

/* Slabs of one cache in the order of their descriptors; NULL begins, NULL ends. O(slabs of the heap) for all. */
struct slab *slab_next(struct slab_heap *h, const struct kmem_cache *c, struct slab *s);

/* An object, its bytes as slab_debug.c or its last owner left them; NULL if there is none and no frames for another slab. */
void *slab_take(struct slab_heap *h, struct kmem_cache *c, unsigned gfp);
/* Ends its life; the slab may go with it. */
void slab_give(struct slab_heap *h, struct slab_place at);
void slab_drop_empty(struct slab_heap *h, struct kmem_cache *c);

/* These frames hold objects now. Should they be free one day, a free of such an object is a double one. */
void slab_note_once(struct slab_heap *h, const struct page *page, unsigned order);

/* Whether p is a live object of cache c (NULL: of any): then REPORT_KINDS, and *at is where; else what a free of it is. */
enum alloc_report slab_find(struct slab_heap *h, const struct kmem_cache *c, const void *p, struct slab_place *at);

/* The beginning of every allocation from a cache: context, mask, arguments, injection. False: the call ends with NULL. */
bool slab_enter(struct slab_heap *h, const struct kmem_cache *c, unsigned gfp);
/* As slab_enter, for calls about many objects (B48). */
bool slab_enter_bulk(struct slab_heap *h);
/* slab_take, with __GFP_ZERO. */
void *slab_take_as(struct slab_heap *h, struct kmem_cache *c, unsigned gfp);

/* ---- slab_cache.c ----------------------------------------------------------------------------------------------------- */

/* Makes a zeroed *c a living cache at the end of the list, never merged. */
void slab_cache_enlist(struct slab_heap *h, struct kmem_cache *c, const struct cache_args *args);
static inline bool slab_cache_usable(const struct kmem_cache *c) { return c && c->life == CACHE_LIVE; }

/* ---- slab_debug.c: red zones and poison ------------------------------------------------------------------------------- */

#define CACHE_DEBUG (CACHE_RED_ZONE | CACHE_POISON)

/* The slab's objects are marked free. */
void slab_debug_fresh(struct slab *s);
/* Called before object i changes sides: reports what somebody has written where nobody may, puts it right, and marks the
 * object as `live` or free. */
void slab_debug_turn(struct slab_heap *h, struct slab *s, uint32_t i, bool live);
/* Reports and puts right; the number of errors in object i: 0, 1 (red zone or poison) or 2. */
int slab_debug_check(struct slab_heap *h, struct slab *s, uint32_t i);

#endif
