/* slab.h: caches of equal objects over pages (kmem_cache), to be embedded in the state of whatever is built on them.
 *
 * A slab is one block of 2^order frames cut into objects of one cache. Which of them are free says a bitmap in the slab's
 * descriptor, which lies in the heap's state: no free object holds a link, so constructed objects stay as they were (B69),
 * and a double free is told from a good one whatever the caller has written since (B75). An object is found in the
 * bitmap, lowest address first, in constant time.
 *
 * Slabs are kept in one of two ways, a fact of the heap (B71). Three lists, the classical one: full, partial, empty, used
 * in the order partial, empty, new (B73). As SLUB does: one list of all slabs with a free object, the newest first; full
 * slabs are on none. Either way a cache keeps at most cache->empty_max empty slabs (B72).
 *
 * A heap built on slabs has a `struct slab_heap` as the FIRST member of its state, as this one has a struct buddy, so
 * every function here can be a row of its kernel_ops: `heap` is a struct slab_heap or begins with one. Arguments, results
 * and reports are those of kernel.h and SEMANTICS B65-B85; here is only what they leave open.
 */
#ifndef SLAB_H
#define SLAB_H

#include "buddy.h"

#define SLAB_ORDER_MAX 3u     /* larger slabs are made only for objects that need them (B68) */
#define SLAB_OBJECTS_MIN 8u   /* objects that a slab is to have, if that order allows it */
#define SLAB_OBJECTS_MAX 512u /* a page of the smallest objects */
#define SLABS_MAX 8192u       /* as many frames as the direct map of the largest machine has */
#define CACHES_MAX 1024u      /* and those destroyed while objects were live, which stay for ever (B74) */
#define CACHE_NAME_MAX 48u    /* longer names are cut */

#define RED_INACTIVE 0xbbu /* around a free object, and around one in use (B78) */
#define RED_ACTIVE 0xccu
#define POISON_FREE 0x6bu /* a free object, but for its last byte (B79) */
#define POISON_END 0xa5u
#define POISON_PADDING 0x5au

enum slab_state { SLAB_FULL, SLAB_PARTIAL, SLAB_EMPTY, SLAB_STATES };

struct slab {
    struct kmem_cache *cache;             /* NULL: the descriptor is unused */
    struct slab *next, *previous;         /* on its list; next alone for unused descriptors */
    unsigned char *base;                  /* of the first object's place, left red zone included */
    uint16_t objects, used;               /* objects in all and in use */
    uint8_t order;                        /* 2^order frames: the cache's order or its fallback (B68) */
    uint64_t free[SLAB_OBJECTS_MAX / 64]; /* bit i: object i is free */
};

enum cache_life { CACHE_UNUSED, CACHE_LIVE, CACHE_ZOMBIE }; /* zombie: destroyed with live objects (B74) */

/* A cache, and how its slabs are laid out: slab->base + i * stride + pad is object i; behind it, up to `inuse` bytes from its
 * start, the right red zone; then padding (slab_layout.c). */
struct kmem_cache {
    char name[CACHE_NAME_MAX];
    uint32_t object_bytes; /* as requested; of merged caches the largest */
    uint32_t inuse;        /* object and right red zone */
    uint32_t pad;          /* left red zone */
    uint32_t stride;       /* from object to object */
    uint32_t align;        /* effective (B66); of merged caches the largest */
    unsigned flags;        /* enum cache_flags */
    unsigned gfp;          /* bits that every request for pages gets: DMA, RECLAIMABLE */
    uint8_t order, order_min, life;
    bool permanent; /* of kmalloc: the first in the list, neither merged nor destroyed */
    void (*constructor)(void *object);
    uint32_t references; /* caches merged into this one, itself included (B81) */
    uint32_t empty_max;  /* empty slabs kept (B72) */
    uint32_t used;       /* objects in use */
    uint32_t objects;    /* in all slabs */
    uint32_t slabs[SLAB_STATES];
    struct slab *list[SLAB_STATES];     /* not three_lists: list[SLAB_PARTIAL] has the empty ones too, SLAB_FULL none */
    struct kmem_cache *next, *previous; /* in the order of creation */
};

struct slab_heap {
    struct buddy buddy;
    bool three_lists;
    struct kmem_cache *first_cache, *last_cache; /* those alive */
    struct kmem_cache *unused_caches;
    struct slab *unused_slabs;
    uint32_t caches_touched, slabs_touched; /* descriptors from here on are zero */
    uint8_t once[BUDDY_FRAMES_MAX / 8];     /* bit per frame: it has held objects since reset */
    struct kmem_cache caches[CACHES_MAX];
    struct slab slabs[SLABS_MAX];
};

/* An empty heap over a fresh machine; *h is zeroed. As buddy_init, and EINVAL also if the machine has more lowmem frames
 * than SLABS_MAX, or no blocks of SLAB_ORDER_MAX. reset: as buddy_reset; permanent caches stay, without slabs. */
int slab_init(struct slab_heap *h, struct machine *m, bool three_lists);
void slab_reset(struct slab_heap *h);
/* NULL, or the name of the broken invariant, pages included (C23, C26). O(slabs). */
const char *slab_check(struct slab_heap *h);

/* ---- The functions behind kernel_ops -------------------------------------------------------------------------------- */

struct kmem_cache *slab_cache_create(void *heap, const struct cache_args *args);
void *slab_cache_alloc(void *heap, struct kmem_cache *cache, unsigned gfp);
void *slab_cache_zalloc(void *heap, struct kmem_cache *cache, unsigned gfp);
void slab_cache_free(void *heap, struct kmem_cache *cache, void *object);
size_t slab_cache_alloc_bulk(void *heap, struct kmem_cache *cache, unsigned gfp, size_t count, void **objects);
/* With a bad pointer among them, it is reported and none is freed; a pointer that is there twice is freed once. */
void slab_cache_free_bulk(void *heap, struct kmem_cache *cache, size_t count, void **objects);
int slab_cache_shrink(void *heap, struct kmem_cache *cache); /* 0: the cache has no slab at all; else 1 */
void slab_cache_destroy(void *heap, struct kmem_cache *cache);
size_t slab_cache_size(void *heap, struct kmem_cache *cache);
void slab_cache_info(void *heap, struct kmem_cache *cache, struct slab_info *out);
int slab_cache_validate(void *heap, struct kmem_cache *cache);
bool slab_slabinfo(void *heap, unsigned i, struct slab_info *out);

/* Rows of a kernel_ops table. */
#define SLAB_ROWS                                                                                                \
    .cache_create = slab_cache_create, .cache_alloc = slab_cache_alloc, .cache_zalloc = slab_cache_zalloc,       \
    .cache_free = slab_cache_free, .cache_alloc_bulk = slab_cache_alloc_bulk, .cache_shrink = slab_cache_shrink, \
    .cache_destroy = slab_cache_destroy, .cache_size = slab_cache_size, .cache_info = slab_cache_info,           \
    .cache_validate = slab_cache_validate, .slabinfo = slab_slabinfo

/* For an allocator that ends here. */
#define SLAB_KERNEL_OPS BUDDY_KERNEL_OPS, SLAB_ROWS, .cache_free_bulk = slab_cache_free_bulk

/* The whole of slabinfo as /proc/slabinfo prints it, version 2.1 (B83), newline-terminated lines and a final '\0'; as
 * snprintf, returns the length it would need. Cost: O(slabs) at most, changes nothing. */
size_t slab_print(void *heap, char *out, size_t size);

#endif
