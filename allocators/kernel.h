/* kernel.h: the kernel group of the vtable, and the words of a gfp mask.
 *
 * Arguments, results and errors are those of the Linux functions of the same names, as SEMANTICS B states them; what
 * follows says only what that leaves open. Every call finds the context it is made in (task, spinlock, interrupt, scopes)
 * in machine.context. A contract error is told by machine_report and changes nothing (O11, C43); a request that would wait
 * for ever calls machine_block and returns NULL. A NULL operation is not offered.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include "alloc.h"
#include "machine.h"

/* ---- gfp masks: what a request may do to be served (B42, E7) ------------------------------------------------------ */

enum gfp_bits {
    GFP_BIT_DMA = 0x01, /* zones: the highest that may serve it (B3) */
    GFP_BIT_HIGHMEM = 0x02,
    GFP_BIT_DMA32 = 0x04,
    GFP_BIT_MOVABLE = 0x08,
    GFP_BIT_RECLAIMABLE = 0x10,
    GFP_BIT_HIGH = 0x20, /* priority, no zone (B44) */
    GFP_BIT_IO = 0x40,
    GFP_BIT_FS = 0x80,
    GFP_BIT_ZERO = 0x100,
    GFP_BIT_DIRECT = 0x400, /* direct reclaim: the request may sleep (B43) */
    GFP_BIT_KSWAPD = 0x800,
    GFP_BIT_NOWARN = 0x2000,
    GFP_BIT_RETRY_MAYFAIL = 0x4000,
    GFP_BIT_NOFAIL = 0x8000,
    GFP_BIT_NORETRY = 0x10000,
    GFP_BIT_MEMALLOC = 0x20000,
    GFP_BIT_COMP = 0x40000,
    GFP_BIT_NOMEMALLOC = 0x80000,
    GFP_BIT_HARDWALL = 0x100000,
    GFP_BIT_ACCOUNT = 0x400000,
    GFP_BITS = 0x5fedff, /* all of the above */

    GFP_RECLAIM = GFP_BIT_DIRECT | GFP_BIT_KSWAPD,
    GFP_KERNEL = GFP_RECLAIM | GFP_BIT_IO | GFP_BIT_FS,
    GFP_ATOMIC = GFP_BIT_HIGH | GFP_BIT_KSWAPD,
    GFP_NOWAIT = GFP_BIT_KSWAPD | GFP_BIT_NOWARN,
    GFP_NOIO = GFP_RECLAIM,
    GFP_NOFS = GFP_RECLAIM | GFP_BIT_IO,
    GFP_USER = GFP_KERNEL | GFP_BIT_HARDWALL,
    GFP_HIGHUSER = GFP_USER | GFP_BIT_HIGHMEM,
    GFP_HIGHUSER_MOVABLE = GFP_HIGHUSER | GFP_BIT_MOVABLE,
    GFP_DMA = GFP_BIT_DMA,
    GFP_DMA32 = GFP_BIT_DMA32,
};

/* ---- Numbers ------------------------------------------------------------------------------------------------------- */

#define COSTLY_ORDER 3u                  /* requests above it may fail (B38) */
#define KMALLOC_CACHE_MAX 8192u          /* larger ones are pages (B53) */
#define KMALLOC_MAX ((size_t)4096 << 10) /* E5 */
#define ZERO_SIZE_PTR ((void *)16)       /* B51 */
#define SLAB_OBJECT_MAX KMALLOC_MAX      /* B65 */

/* ---- Records that calls fill --------------------------------------------------------------------------------------- */

struct page;       /* one for each frame; the allocator's own */
struct kmem_cache; /* … */
struct mempool;

/* A zone as the allocator sees it. */
struct zone_info {
    uint32_t free;                   /* frames (C20) */
    uint32_t cached;                 /* of the zone's frames, in per-CPU lists: neither free nor anybody's (B29) */
    uint32_t reserved;               /* frames that were never anybody's to give */
    uint32_t blocks[MACHINE_ORDERS]; /* free blocks of each order, maximal ones (B17) */
    uint32_t mark_min, mark_low, mark_high; /* frames (B34) */
    uint32_t lowmem_reserve[ZONES];         /* frames, by the zone that was selected (B35) */
};

enum cache_flags {
    CACHE_HWCACHE_ALIGN = 1 << 0,
    CACHE_RED_ZONE = 1 << 1,
    CACHE_POISON = 1 << 2,
    CACHE_DMA = 1 << 3,
    CACHE_RECLAIM_ACCOUNT = 1 << 4,
    CACHE_PANIC = 1 << 5,
    CACHE_NO_MERGE = 1 << 6,
    CACHE_FAILSLAB = 1 << 7, /* FAULT_FILTERED strikes such caches alone (B113) */
    CACHE_FLAGS = (1 << 8) - 1,
    CACHE_UNKNOWN = 1 << 8 /* a bit that no cache may have (B65) */
};

struct cache_args {
    const char *name;                  /* copied */
    size_t size;                       /* of an object, bytes, 1 .. SLAB_OBJECT_MAX */
    size_t align;                      /* 0 or a power of two */
    unsigned flags;                    /* enum cache_flags */
    void (*constructor)(void *object); /* or NULL; run once for each object when its slab is made (B69) */
};

/* One row of slabinfo (B83), and what the model holds it against. */
struct slab_info {
    const char *name;
    uint32_t active_objects, objects;
    uint32_t object_bytes; /* the stride: metadata and padding included */
    uint32_t objects_per_slab, pages_per_slab;
    uint32_t active_slabs, slabs;  /* active: with an object in use */
    uint32_t full, partial, empty; /* slabs by state (B71); they add up to `slabs` */
    uint32_t empty_max;            /* the most empty slabs that a free leaves (B72); UINT32_MAX: undeclared */
    size_t align;                  /* effective (B66) */
};

/* Pages of the vmalloc window (B99). */
struct window_info {
    uint32_t busy, guard, lazy, free;
    uint32_t largest_free; /* run of free pages */
    uint32_t lazy_max;     /* lazy pages beyond which a free purges (B98) */
    uint32_t areas;
};

enum vmap_flags {
    VMAP_PUT_PAGES = 1 << 0, /* vfree releases the array's pages (B100) */
};

/* What a pool's elements are. */
enum pool_kind { POOL_KMALLOC, POOL_CACHE, POOL_PAGES };

struct pool_args {
    enum pool_kind kind;
    uint32_t min;             /* elements, at least 1 */
    size_t size;              /* POOL_KMALLOC: bytes; POOL_PAGES: order */
    struct kmem_cache *cache; /* POOL_CACHE; without constructor (B112) */
};

/* ---- The kernel group ---------------------------------------------------------------------------------------------- */

struct kernel_ops {
    /* ---- facts: profile bits of the implementation (SEMANTICS F) ---- */
    bool three_lists;     /* slabs are kept as full, partial and empty (S2), and found in the order partial, empty, new
                                (B73); else as SLUB does, which lists partial ones and keeps a few empty (B71) */
    bool merges_caches;   /* B81 */
    unsigned kmalloc_min; /* smallest class, bytes: 8, or 64 or 128 where DMA needs it (B52) */
    bool kfree_takes_cached; /* kfree of an object of a cache is legal (F5) */
    bool checks_misuse;      /* every contract error of the kernel group is reported (illegal mode, C43) */
    uint32_t table_bound;    /* B104: page tables, beyond those that the mapped spans need, ever taken; 0 */

    /* pages (B12-B41). A `struct page *` stands for one frame; NULL is failure. */
    struct page *(*alloc_pages)(void *heap, unsigned gfp, unsigned order);
    void (*free_page_block)(void *heap, struct page *page, unsigned order); /* __free_pages */
    void *(*get_free_pages)(void *heap, unsigned gfp, unsigned order);      /* address in the direct map (B20) */
    void *(*get_zeroed_page)(void *heap, unsigned gfp);
    void (*free_pages)(void *heap, void *address, unsigned order);
    void *(*alloc_pages_exact)(void *heap, size_t bytes, unsigned gfp);
    void (*free_pages_exact)(void *heap, void *address, size_t bytes);
    void (*split_page)(void *heap, struct page *page, unsigned order);
    size_t (*alloc_pages_bulk)(void *heap, unsigned gfp, size_t count, struct page **array);
    void (*get_page)(void *heap,
                     struct page *page); /* one reference more, through any frame of a compound block (B23) */
    void (*put_page)(void *heap,
                     struct page *page); /* ... and less; the last one frees a compound block or a single frame */
    uint32_t (*page_to_pfn)(void *heap, const struct page *page);
    struct page *(*pfn_to_page)(void *heap, uint32_t pfn);
    void *(*page_address)(void *heap, const struct page *page);
    struct page *(*virt_to_page)(void *heap, const void *address);
    struct page *(*compound_head)(void *heap, struct page *page);
    void (*zone_info)(void *heap, enum machine_zone_id zone, struct zone_info *out);
    void (*step_kswapd)(void *heap); /* reclaims up to the high marks; clears machine.kswapd_awake (B123) */
    void *(*kmap)(void *heap, struct page *page);
    void (*kunmap)(void *heap, struct page *page);
    void *(*kmap_local)(void *heap, struct page *page);
    void (*kunmap_local)(void *heap, void *address);

    /* caches (B65-B85) */
    struct kmem_cache *(*cache_create)(void *heap, const struct cache_args *args);
    void *(*cache_alloc)(void *heap, struct kmem_cache *cache, unsigned gfp);
    void *(*cache_zalloc)(void *heap, struct kmem_cache *cache, unsigned gfp);
    void (*cache_free)(void *heap, struct kmem_cache *cache, void *object);
    size_t (*cache_alloc_bulk)(void *heap, struct kmem_cache *cache, unsigned gfp, size_t count, void **objects);
    void (*cache_free_bulk)(void *heap, struct kmem_cache *cache, size_t count, void **objects); /* cache may be NULL */
    int (*cache_shrink)(void *heap, struct kmem_cache *cache);
    void (*cache_destroy)(void *heap,
                          struct kmem_cache *cache); /* OBJECTS_REMAIN: one report for each, `where` it is */
    size_t (*cache_size)(void *heap, struct kmem_cache *cache);
    void (*cache_info)(void *heap, struct kmem_cache *cache, struct slab_info *out);
    int (*cache_validate)(void *heap,
                          struct kmem_cache *cache); /* red zones and poison; returns the number of errors */
    /* The next row after number `i` of slabinfo, from 0; false at the end. Caches of kmalloc included. */
    bool (*slabinfo)(void *heap, unsigned i, struct slab_info *out);

    /* kmalloc (B51-B64) */
    void *(*kmalloc)(void *heap, size_t size, unsigned gfp);
    void *(*kzalloc)(void *heap, size_t size, unsigned gfp);
    void *(*kcalloc)(void *heap, size_t count, size_t size, unsigned gfp);
    void *(*kmalloc_array)(void *heap, size_t count, size_t size, unsigned gfp);
    void *(*krealloc)(void *heap, const void *p, size_t size, unsigned gfp);
    void *(*krealloc_array)(void *heap, void *p, size_t count, size_t size, unsigned gfp);
    void (*kfree)(void *heap, const void *p);
    void (*kfree_sensitive)(void *heap, const void *p);
    size_t (*ksize)(void *heap, const void *p);
    size_t (*kmalloc_size_roundup)(void *heap, size_t size);

    /* vmalloc (B86-B108) */
    void *(*vmalloc)(void *heap, size_t size);
    void *(*vzalloc)(void *heap, size_t size);
    void *(*vmalloc_user)(void *heap, size_t size);
    void *(*vmalloc_gfp)(void *heap, size_t size, size_t align, unsigned gfp); /* __vmalloc_node with an alignment */
    void *(*vrealloc)(void *heap, const void *p, size_t size, size_t align, unsigned gfp); /* vrealloc_node_align */
    void (*vfree)(void *heap, const void *p);
    void (*vfree_atomic)(void *heap, const void *p);
    void *(*vmap)(void *heap, struct page **pages, unsigned count, unsigned flags); /* the array is the caller's; with
                                      VMAP_PUT_PAGES the pages, not the array, go over to the area */
    void (*vunmap)(void *heap, const void *p);
    struct page *(*vmalloc_to_page)(void *heap, const void *p);
    uint32_t (*vmalloc_to_pfn)(void *heap, const void *p); /* PFN_NONE if not mapped */
    /* Fills pfns with the frames that a user mapping of `count` pages from page `offset` of the area would show; 0 or
     * -EINVAL (B102). */
    int (*remap_vmalloc_range)(void *heap, const void *p, unsigned long offset, unsigned long count, uint32_t *pfns);
    void (*vm_unmap_aliases)(void *heap); /* purges now (B98) */
    void (*window_info)(void *heap, struct window_info *out);
    void *(*kvmalloc)(void *heap, size_t size, unsigned gfp);
    void *(*kvcalloc)(void *heap, size_t count, size_t size, unsigned gfp);
    void (*kvfree)(void *heap, const void *p);
    void (*kvfree_sensitive)(void *heap, const void *p, size_t size);
    void *(*kvrealloc)(void *heap, const void *p, size_t size, unsigned gfp);

    /* mempool (B109-B112) */
    struct mempool *(*mempool_create)(void *heap, const struct pool_args *args);
    void *(*mempool_alloc)(void *heap, struct mempool *pool, unsigned gfp); /* POOL_PAGES: a struct page * */
    void (*mempool_free)(void *heap, struct mempool *pool, void *element);
    int (*mempool_resize)(void *heap, struct mempool *pool, uint32_t min);
    void (*mempool_destroy)(void *heap, struct mempool *pool);
    uint32_t (*mempool_reserve)(void *heap, struct mempool *pool); /* elements set aside now (curr) */

    /* Deferred work, every family's (B49). */
    void (*run_deferred)(void *heap);
};

#endif
