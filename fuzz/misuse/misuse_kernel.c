/* misuse_kernel.c: the errors of the kernel families; misuse.h is the manual. What follows an error is the freeing of
 * everything and a few dozen blocks of the family, which must be different ones. */
#include "misuse_world.h"

#include <string.h>

#define MANY 48u

static const struct kernel_ops *k(const struct world *w) { return w->ops->kernel; }

static void call(struct world *w) { world_stage(w, STAGE_CALL); }

/* What is had after the error: each must be another's. */
static void all_different(struct world *w, void *(*take)(struct world *), void (*give)(struct world *, void *))
{
    void *all[MANY];
    unsigned n = 0;
    world_stage(w, STAGE_AFTER);
    for (void *p; n < MANY && (p = take(w)); all[n++] = p)
        for (unsigned i = 0; i < n; i++)
            if (all[i] == p) world_saw(w, SIGHT_OVERLAP);
    while (n && w->cell->sight < SIGHT_OVERLAP) give(w, all[--n]);
}

/* ---- Pages --------------------------------------------------------------------------------------------------------- */

static void *a_page(struct world *w) { return k(w)->alloc_pages(w->heap, GFP_KERNEL, 1); }
static void no_page(struct world *w, void *p) { k(w)->free_page_block(w->heap, p, 1); }

static struct page *frame_of(struct world *w, struct page *page, uint32_t n)
{
    return k(w)->pfn_to_page(w->heap, k(w)->page_to_pfn(w->heap, page) + n);
}

static void page_error(struct world *w, bool freed, uint32_t frame, unsigned order)
{
    struct page *page = k(w)->alloc_pages(w->heap, GFP_KERNEL, 1);
    if (freed) k(w)->free_page_block(w->heap, page, 1);
    call(w);
    k(w)->free_page_block(w->heap, frame_of(w, page, frame), order);
    all_different(w, a_page, no_page);
}

static void page_twice(struct world *w) { page_error(w, true, 0, 1); }
static void page_tail(struct world *w) { page_error(w, false, 1, 0); }
static void page_small(struct world *w) { page_error(w, false, 0, 0); }
static void page_large(struct world *w) { page_error(w, false, 0, 2); }

static void page_never(struct world *w)
{
    uint32_t pfn = 40; /* on a machine that has just begun, nobody's */
    call(w);
    k(w)->free_page_block(w->heap, k(w)->pfn_to_page(w->heap, pfn), 0);
    all_different(w, a_page, no_page);
}

/* ---- Caches -------------------------------------------------------------------------------------------------------- */

static struct kmem_cache *cache;

static void *an_object(struct world *w) { return k(w)->cache_alloc(w->heap, cache, GFP_KERNEL); }
static void no_object(struct world *w, void *p) { k(w)->cache_free(w->heap, cache, p); }

static struct kmem_cache *a_cache(struct world *w, const char *name, unsigned flags)
{
    const struct cache_args args = {.name = name, .size = 64, .flags = flags | CACHE_NO_MERGE};
    return k(w)->cache_create(w->heap, &args);
}

static unsigned char *begin_cache(struct world *w, unsigned flags)
{
    cache = a_cache(w, "misused", flags);
    return an_object(w);
}

static void end_cache(struct world *w)
{
    world_stage(w, STAGE_AFTER);
    if (k(w)->cache_validate && k(w)->cache_validate(w->heap, cache)) world_saw(w, SIGHT_CHECK);
    all_different(w, an_object, no_object);
}

static void object_twice(struct world *w)
{
    void *p = begin_cache(w, 0);
    no_object(w, p);
    call(w);
    no_object(w, p);
    end_cache(w);
}

static void object_inside(struct world *w)
{
    unsigned char *p = begin_cache(w, 0);
    call(w);
    no_object(w, p + 8);
    end_cache(w);
}

static void object_elsewhere(struct world *w)
{
    void *p = begin_cache(w, 0);
    struct kmem_cache *other = a_cache(w, "another", 0);
    call(w);
    k(w)->cache_free(w->heap, other, p);
    end_cache(w);
}

static void object_remains(struct world *w)
{
    begin_cache(w, 0);
    call(w);
    k(w)->cache_destroy(w->heap, cache);
    world_stage(w, STAGE_AFTER);
}

static void object_store(struct world *w, unsigned flags, int offset, bool freed)
{
    unsigned char *p = begin_cache(w, flags);
    if (freed) no_object(w, p);
    world_stage(w, STAGE_STORE);
    ((volatile unsigned char *)p)[offset] ^= 0xff;
    world_stage(w, STAGE_AFTER);
    if (!freed) no_object(w, p);
    end_cache(w);
}

static void object_behind(struct world *w) { object_store(w, 0, 64, false); }
static void object_behind_red(struct world *w) { object_store(w, CACHE_RED_ZONE, 64, false); }
static void object_before_red(struct world *w) { object_store(w, CACHE_RED_ZONE, -1, false); }
static void object_dead(struct world *w) { object_store(w, 0, 0, true); }
static void object_dead_poison(struct world *w) { object_store(w, CACHE_POISON, 8, true); }

/* ---- kmalloc and vmalloc ------------------------------------------------------------------------------------------- */

static void *a_kmalloc(struct world *w) { return k(w)->kmalloc(w->heap, 96, GFP_KERNEL); }
static void no_kmalloc(struct world *w, void *p) { k(w)->kfree(w->heap, p); }

static void kfree_error(struct world *w, void *p)
{
    call(w);
    k(w)->kfree(w->heap, p);
    all_different(w, a_kmalloc, no_kmalloc);
}

static void kmalloc_twice(struct world *w)
{
    void *p = a_kmalloc(w);
    no_kmalloc(w, p);
    kfree_error(w, p);
}

static void kmalloc_inside(struct world *w) { kfree_error(w, (unsigned char *)a_kmalloc(w) + 8); }
static void kfree_of_page(struct world *w) { kfree_error(w, k(w)->get_free_pages(w->heap, GFP_KERNEL, 0)); }
static void kfree_of_area(struct world *w) { kfree_error(w, k(w)->vmalloc(w->heap, 8192)); }

static void kmalloc_behind(struct world *w)
{
    unsigned char *p = a_kmalloc(w);
    world_stage(w, STAGE_STORE);
    ((volatile unsigned char *)p)[96] ^= 0xff;
    kfree_error(w, p);
}

static void *an_area(struct world *w) { return k(w)->vmalloc(w->heap, 8192); }
static void no_area(struct world *w, void *p) { k(w)->vfree(w->heap, p); }

static void vfree_error(struct world *w, void *p)
{
    call(w);
    k(w)->vfree(w->heap, p);
    all_different(w, an_area, no_area);
}

static void area_twice(struct world *w)
{
    void *p = an_area(w);
    no_area(w, p);
    vfree_error(w, p);
}

static void area_inside(struct world *w) { vfree_error(w, (unsigned char *)an_area(w) + w->lender.face.page_bytes); }
static void area_odd(struct world *w) { vfree_error(w, (unsigned char *)an_area(w) + 8); }
static void vfree_of_kmalloc(struct world *w) { vfree_error(w, a_kmalloc(w)); }

static void vunmap_of_area(struct world *w)
{
    void *p = an_area(w);
    call(w);
    k(w)->vunmap(w->heap, p);
    all_different(w, an_area, no_area);
}

static void area_store(struct world *w, bool freed)
{
    unsigned char *p = an_area(w);
    if (freed) no_area(w, p);
    world_stage(w, STAGE_STORE);
    ((volatile unsigned char *)p)[freed ? 0 : 8192] ^= 0xff;
    all_different(w, an_area, no_area);
}

static void area_behind(struct world *w) { area_store(w, false); }
static void area_dead(struct world *w) { area_store(w, true); }

/* ---- The table ----------------------------------------------------------------------------------------------------- */

static bool pages(const struct alloc_ops *o) { return o->kernel && o->kernel->alloc_pages; }
static bool caches(const struct alloc_ops *o) { return o->kernel && o->kernel->cache_create; }
static bool kmallocs(const struct alloc_ops *o) { return o->kernel && o->kernel->kmalloc; }
static bool kmallocs_pages(const struct alloc_ops *o) { return kmallocs(o) && o->kernel->get_free_pages; }
static bool areas(const struct alloc_ops *o) { return o->kernel && o->kernel->vmalloc; }
static bool both(const struct alloc_ops *o) { return kmallocs(o) && areas(o); }

#define UNCHECKED "not checked; page flags may tell (B22)"
#define SLUB "told by slab_debug=F (B75)"
#define PLAIN "not seen without red zones and poison"
#define ROW(family, error, law, act, offered, told)                  \
    {                                                                \
        {family, error, law, 1, false, false}, act, offered, 0, told \
    }

const struct misuse_act misuse_kernel_acts[] = {
    ROW("pages", "a block freed twice", UNCHECKED, page_twice, pages, true),
    ROW("pages", "a tail freed", UNCHECKED, page_tail, pages, true),
    ROW("pages", "freed with a smaller order", UNCHECKED, page_small, pages, true),
    ROW("pages", "freed with a larger order", UNCHECKED, page_large, pages, true),
    ROW("pages", "a frame freed that was never allocated", UNCHECKED, page_never, pages, true),
    ROW("caches", "an object freed twice", SLUB, object_twice, caches, true),
    ROW("caches", "an address inside an object freed", SLUB, object_inside, caches, true),
    ROW("caches", "an object freed to another cache", "warned of, and freed to its own (B75)", object_elsewhere, caches,
        true),
    ROW("caches", "a cache destroyed with an object in use", "warned of, the cache stays (B74)", object_remains, caches,
        true),
    ROW("caches", "a store behind an object", PLAIN, object_behind, caches, false),
    ROW("caches", "a store behind one with red zones", "told by slab_debug=Z (B78)", object_behind_red, caches, true),
    ROW("caches", "a store before one with red zones", "told by slab_debug=Z (B78)", object_before_red, caches, true),
    ROW("caches", "a store into a freed object", PLAIN, object_dead, caches, false),
    ROW("caches", "a store into a freed, poisoned one", "told by slab_debug=P (B79)", object_dead_poison, caches, true),
    ROW("kmalloc", "kfree twice", SLUB, kmalloc_twice, kmallocs, true),
    ROW("kmalloc", "kfree inside a block", SLUB, kmalloc_inside, kmallocs, true),
    ROW("kmalloc", "kfree of pages", "warned of (B120)", kfree_of_page, kmallocs_pages, true),
    ROW("kmalloc", "kfree of a vmalloc area", "undefined (B101)", kfree_of_area, both, true),
    ROW("kmalloc", "a store behind a block", PLAIN, kmalloc_behind, kmallocs, false),
    ROW("vmalloc", "vfree twice", "warned of (B96)", area_twice, areas, true),
    ROW("vmalloc", "vfree of the second page", "warned of (B96)", area_inside, areas, true),
    ROW("vmalloc", "vfree of no page's start", "warned of (B96)", area_odd, areas, true),
    ROW("vmalloc", "vfree of a kmalloc block", "warned of (B96)", vfree_of_kmalloc, both, true),
    ROW("vmalloc", "vunmap of a vmalloc area", "leaks the frames (B101)", vunmap_of_area, areas, true),
    ROW("vmalloc", "a store behind an area", "faults: a guard page (B90)", area_behind, areas, true),
    ROW("vmalloc", "a store into a freed area", "faults (B97)", area_dead, areas, true),
    {.act = NULL},
};
