/* kmalloc.c: memory by size over caches and pages; kmalloc.h is the manual. */
#include "kmalloc.h"

#include "slab_internal.h"

static const uint16_t class_bytes[KMALLOC_CLASSES] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192};

#define NAMES(prefix)                                                                                             \
    {                                                                                                             \
        prefix "8", prefix "16", prefix "32", prefix "64", prefix "96", prefix "128", prefix "192", prefix "256", \
            prefix "512", prefix "1k", prefix "2k", prefix "4k", prefix "8k"                                      \
    }
static const char *const class_names[KMALLOC_TYPES][KMALLOC_CLASSES] = {
    [KMALLOC_NORMAL] = NAMES("kmalloc-"),
    [KMALLOC_RECLAIM] = NAMES("kmalloc-rcl-"),
    [KMALLOC_DMA] = NAMES("dma-kmalloc-"),
};

/* ---- Classes ----------------------------------------------------------------------------------------------------- */

/* Number of the class for 1 <= n <= KMALLOC_CACHE_MAX: powers of two, and two between them that a large minimum leaves
 * out, as they would not be multiples of it (B52). */
static unsigned class_for(const struct kmalloc_heap *h, size_t n)
{
    if (n <= h->min) n = h->min;
    if (n > 64 && n <= 96 && h->min < 64) return 4;
    if (n > 128 && n <= 192 && h->min < 128) return 6;
    unsigned log = n <= 8 ? 3 : 32u - (unsigned)__builtin_clz((unsigned)n - 1);
    return log <= 6 ? log - 3 : log == 7 ? 5 : log - 1;
}

static struct kmem_cache *cache_for(struct kmalloc_heap *h, size_t n, unsigned gfp)
{
    enum kmalloc_type type = gfp & GFP_BIT_DMA           ? KMALLOC_DMA
                             : gfp & GFP_BIT_RECLAIMABLE ? KMALLOC_RECLAIM
                                                         : KMALLOC_NORMAL;
    return &h->caches[type][class_for(h, n)];
}

static void make_class(struct kmalloc_heap *h, enum kmalloc_type type, unsigned i)
{
    static const unsigned flags[KMALLOC_TYPES] = {
        [KMALLOC_RECLAIM] = CACHE_RECLAIM_ACCOUNT,
        [KMALLOC_DMA] = CACHE_DMA,
    };
    size_t bytes = class_bytes[i], own_align = bytes & -bytes;
    struct cache_args args = {.name = class_names[type][i], .size = bytes, .align = own_align, .flags = flags[type]};
    if (class_for(h, bytes) != i) return; /* not a class of this profile */
    slab_cache_enlist(&h->slabs, &h->caches[type][i], &args);
    h->caches[type][i].permanent = true;
}

int kmalloc_init(struct kmalloc_heap *h, struct machine *m, bool three_lists, unsigned min)
{
    int error = slab_init(&h->slabs, m, three_lists);
    if (error) return error;
    h->min = min;
    for (unsigned type = 0; type < KMALLOC_TYPES; type++)
        for (unsigned i = 0; i < KMALLOC_CLASSES; i++) make_class(h, type, i);
    return 0;
}

void kmalloc_reset(struct kmalloc_heap *h) { slab_reset(&h->slabs); }
const char *kmalloc_check(struct kmalloc_heap *h) { return slab_check(&h->slabs); }

size_t kmalloc_size_roundup(void *heap, size_t size)
{
    struct kmalloc_heap *h = heap;
    if (!size || size > KMALLOC_MAX) return size;
    if (size <= KMALLOC_CACHE_MAX) return class_bytes[class_for(h, size)];
    size_t bytes = h->slabs.buddy.machine->page_bytes;
    while (bytes < size) bytes *= 2;
    return bytes;
}

/* ---- What a pointer is ------------------------------------------------------------------------------------------- */

struct place {
    struct slab_place at; /* an object, */
    struct page *large;   /* or the head of a large block */
};

/* As slab_find, for everything that kfree takes. */
static enum alloc_report find(struct kmalloc_heap *h, const void *p, struct place *out)
{
    struct buddy *b = &h->slabs.buddy;
    struct page *page = buddy_virt_to_page(b, p), *head = page;
    if (page && page->state == PAGE_INSIDE) head = buddy_head(b, page);
    out->large = NULL;
    if (!head || head->state != PAGE_USED || head->kind != PAGE_KMALLOC) return slab_find(&h->slabs, NULL, p, &out->at);
    out->large = head;
    return p == machine_direct(b->machine, buddy_pfn(b, head)) ? REPORT_KINDS : REPORT_BAD_FREE;
}

/* As find, with what is wrong reported. */
static bool must_find(struct kmalloc_heap *h, const void *p, struct place *out)
{
    enum alloc_report wrong = find(h, p, out);
    if (wrong != REPORT_KINDS) machine_report(h->slabs.buddy.machine, wrong, p);
    return wrong == REPORT_KINDS;
}

/* Bytes that the owner may use (B56): what checks its objects does not lend their padding. */
static size_t capacity(const struct kmalloc_heap *h, const struct place *place)
{
    if (place->large) return h->slabs.buddy.machine->page_bytes << place->large->order;
    const struct kmem_cache *c = place->at.slab->cache;
    return c->flags & CACHE_DEBUG ? c->object_bytes : c->stride;
}

static void give(struct kmalloc_heap *h, const struct place *place)
{
    if (!place->large) {
        slab_give(&h->slabs, place->at);
        return;
    }
    place->large->kind = PAGE_PLAIN;
    buddy_free(&h->slabs.buddy, place->large, place->large->order);
}

/* ---- Allocation -------------------------------------------------------------------------------------------------- */

/* Pages; the page allocator checks context and mask, refuses what is too large, and clears what is to be zero (B53). */
static void *large(struct kmalloc_heap *h, size_t size, unsigned gfp)
{
    struct buddy *b = &h->slabs.buddy;
    unsigned stray = gfp & (GFP_BIT_HIGHMEM | GFP_BIT_DMA32);
    unsigned order = size <= KMALLOC_MAX ? buddy_order(b, size) : MACHINE_ORDERS;
    if (stray && !gfp_bad(gfp)) {
        machine_event(b->machine, EVENT_WARN, 0, 0, gfp); /* B63 */
        gfp &= ~stray;
    }
    struct page *page = buddy_alloc(b, gfp | GFP_BIT_COMP, order);
    if (!page) return NULL;
    page->kind = PAGE_KMALLOC;
    slab_note_once(&h->slabs, page, order);
    return machine_direct(b->machine, buddy_pfn(b, page));
}

void *kmalloc(void *heap, size_t size, unsigned gfp)
{
    struct kmalloc_heap *h = heap;
    if (size > KMALLOC_CACHE_MAX) return large(h, size, gfp);
    if (!size) return gfp_enter(h->slabs.buddy.machine, gfp) ? ZERO_SIZE_PTR : NULL;
    struct kmem_cache *c = cache_for(h, size, gfp);
    return slab_enter(&h->slabs, c, gfp) ? slab_take_as(&h->slabs, c, gfp) : NULL;
}

void *kzalloc(void *heap, size_t size, unsigned gfp) { return kmalloc(heap, size, gfp | GFP_BIT_ZERO); }

/* count * size bytes; one that no size_t can say is larger than any request that is granted. */
static size_t product(size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes;
}

void *kmalloc_array(void *heap, size_t count, size_t size, unsigned gfp)
{
    return kmalloc(heap, product(count, size), gfp);
}

void *kcalloc(void *heap, size_t count, size_t size, unsigned gfp)
{
    return kmalloc(heap, product(count, size), gfp | GFP_BIT_ZERO);
}

void *krealloc(void *heap, const void *p, size_t size, unsigned gfp)
{
    struct kmalloc_heap *h = heap;
    struct place place;
    if (zero_or_null(p)) return kmalloc(heap, size, gfp);
    if (!gfp_enter(h->slabs.buddy.machine, gfp) || !must_find(h, p, &place)) return NULL;
    if (!size) {
        give(h, &place);
        return ZERO_SIZE_PTR;
    }
    size_t have = capacity(h, &place);
    unsigned char *old = (unsigned char *)(uintptr_t)p;
    if (size <= have) {
        if (gfp & GFP_BIT_ZERO) memset(old + size, 0, have - size); /* so that it may grow again (B60) */
        return old;
    }
    void *new = kmalloc(heap, size, gfp);
    if (!new) return NULL;
    memcpy(new, old, have);
    give(h, &place);
    return new;
}

void *krealloc_array(void *heap, void *p, size_t count, size_t size, unsigned gfp)
{
    return krealloc(heap, p, product(count, size), gfp);
}

/* ---- Frees ------------------------------------------------------------------------------------------------------- */

void kfree(void *heap, const void *p)
{
    struct kmalloc_heap *h = heap;
    struct place place;
    if (!machine_enter_any(h->slabs.buddy.machine) || zero_or_null(p)) return;
    if (must_find(h, p, &place)) give(h, &place);
}

void kfree_sensitive(void *heap, const void *p)
{
    struct kmalloc_heap *h = heap;
    struct place place;
    if (!machine_enter_any(h->slabs.buddy.machine) || zero_or_null(p)) return;
    if (!must_find(h, p, &place)) return;
    memset((void *)(uintptr_t)p, 0, capacity(h, &place));
    give(h, &place);
}

void kmalloc_free_bulk(void *heap, struct kmem_cache *cache, size_t count, void **objects)
{
    struct kmalloc_heap *h = heap;
    struct place place;
    if (cache) {
        slab_cache_free_bulk(heap, cache, count, objects);
        return;
    }
    if (!slab_enter_bulk(&h->slabs)) return;
    for (size_t i = 0; i < count; i++)
        if (!zero_or_null(objects[i]) && !must_find(h, objects[i], &place)) return;
    for (size_t i = 0; i < count; i++) kfree(heap, objects[i]);
}

size_t ksize(void *heap, const void *p)
{
    struct place place;
    return !zero_or_null(p) && must_find(heap, p, &place) ? capacity(heap, &place) : 0;
}
