/* kmalloc_builtin.c: the built-ins `slab` and `kmalloc`: malloc as kmalloc(GFP_KERNEL) is, and the kernel group.
 *
 * `slab` is caches alone, kept on three lists: requests that no class holds are refused. `kmalloc` keeps its slabs as SLUB
 * does and gives pages for what is larger. Both rules of alignment hold by B55 alone: n rounded up to a multiple of a power
 * of two is aligned to it.
 */
#include "builtin.h"
#include "kmalloc.h"

#include <errno.h>
#include <string.h>

struct plain_heap {
    struct kmalloc_heap kmalloc;
    size_t size_max;
};

/* ---- The malloc family ------------------------------------------------------------------------------------------- */

static bool power_of_two(size_t n) { return n && !(n & (n - 1)); }

/* malloc(0) is a block of its own, unlike kmalloc(0). */
static void *get(void *heap, size_t size, unsigned gfp)
{
    const struct plain_heap *h = heap;
    void *p = size <= h->size_max ? kmalloc(heap, size ? size : 1, gfp) : NULL;
    if (!p) errno = ENOMEM;
    return p;
}

static void *plain_malloc(void *heap, size_t size) { return get(heap, size, GFP_KERNEL); }
static void plain_free(void *heap, void *p) { kfree(heap, p); }

static void *plain_calloc(void *heap, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    return get(heap, bytes, GFP_KERNEL | GFP_BIT_ZERO);
}

static void *plain_realloc(void *heap, void *p, size_t size)
{
    const struct plain_heap *h = heap;
    if (!p) return plain_malloc(heap, size);
    void *q = size <= h->size_max ? krealloc(heap, p, size ? size : 1, GFP_KERNEL) : NULL;
    if (!q) errno = ENOMEM;
    return q;
}

static void *plain_reallocarray(void *heap, void *p, size_t count, size_t size)
{
    size_t bytes;
    return plain_realloc(heap, p, __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes);
}

static void *aligned(void *heap, size_t align, size_t size)
{
    size_t rounded = (size ? size : 1) + (align - 1);
    if (rounded < align) rounded = SIZE_MAX;
    return get(heap, rounded & ~(align - 1), GFP_KERNEL);
}

static void *plain_aligned_alloc(void *heap, size_t align, size_t size)
{
    if (power_of_two(align)) return aligned(heap, align, size);
    errno = EINVAL;
    return NULL;
}

static int plain_posix_memalign(void *heap, void **out, size_t align, size_t size)
{
    if (!power_of_two(align) || align % sizeof(void *)) return EINVAL;
    int saved = errno;
    void *p = aligned(heap, align, size);
    errno = saved; /* the result is the return value; errno is not the channel */
    if (!p) return ENOMEM;
    *out = p;
    return 0;
}

static size_t plain_usable_size(void *heap, const void *p) { return ksize(heap, p); }

/* ---- Life and inspection ----------------------------------------------------------------------------------------- */

static int init(void *heap, struct backing *backing, bool three_lists, size_t size_max)
{
    struct plain_heap *h = heap;
    if (backing->kind != BACKING_MACHINE) return EINVAL;
    h->size_max = size_max;
    return kmalloc_init(&h->kmalloc, backing->machine, three_lists, 8);
}

static int slab_open(void *heap, struct backing *backing) { return init(heap, backing, true, KMALLOC_CACHE_MAX); }
static int kmalloc_open(void *heap, struct backing *backing) { return init(heap, backing, false, KMALLOC_MAX); }
static void plain_fini(void *heap) { (void)heap; }

static int plain_reset(void *heap)
{
    kmalloc_reset(heap);
    return 0;
}

static const char *plain_check(void *heap) { return kmalloc_check(heap); }

static void plain_stats(void *heap, struct alloc_stats *out)
{
    struct slab_heap *h = heap;
    *out = (struct alloc_stats){0};
    for (const struct kmem_cache *c = h->first_cache; c; c = c->next) {
        out->used_blocks += c->used;
        out->free_blocks += c->objects - c->used;
        out->free_bytes += (size_t)(c->objects - c->used) * c->object_bytes;
    }
    for (unsigned zone = 0; zone < ZONES; zone++) {
        const struct buddy_zone *z = &h->buddy.zones[zone];
        out->footprint_bytes += (size_t)(z->end - z->start - z->free) * h->buddy.machine->page_bytes;
    }
}

/* ---- The vtables -------------------------------------------------------------------------------------------------- */

static const struct kernel_ops slab_kernel = {
    .three_lists = true,
    .merges_caches = true,
    .kmalloc_min = 8,
    .kfree_takes_cached = true,
    .checks_misuse = true,
    SLAB_KERNEL_OPS,
};

static const struct kernel_ops kmalloc_kernel = {
    .merges_caches = true,
    .kmalloc_min = 8,
    .kfree_takes_cached = true,
    .checks_misuse = true,
    KMALLOC_KERNEL_OPS,
};

/* No promise to drain or to be steady: empty slabs are kept, and what one class keeps another lacks. Nor of little waste:
 * what krealloc shrinks stays where it is. */
#define PLAIN_PROMISES                                                                                  \
    (PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_ALIGN_CHECKED | PROMISE_REUSES | PROMISE_CONST_FREE | \
     PROMISE_DETERMINISTIC | PROMISE_DETECTS_BAD_FREE | PROMISE_PHYSICAL)

/* C11's 16 bytes for requests of 16 and more; smaller ones are aligned to 8, which suits every type that fits (A2). */
#define PLAIN_CONTRACT(largest)                                                                             \
    {                                                                                                       \
        .backing = BACKING_MACHINE, .align_min = 16, .align_max = (largest), .zero_size = ZERO_SIZE_UNIQUE, \
        .realloc_zero = REALLOC_ZERO_UNIQUE, .promises = PLAIN_PROMISES, .request_max_bytes = (largest)     \
    }

#define PLAIN_OPS                                                                                                  \
    .state_size = sizeof(struct plain_heap), .fini = plain_fini, .malloc = plain_malloc, .free = plain_free,       \
    .calloc = plain_calloc, .realloc = plain_realloc, .reallocarray = plain_reallocarray,                          \
    .aligned_alloc = plain_aligned_alloc, .posix_memalign = plain_posix_memalign, .memalign = plain_aligned_alloc, \
    .usable_size = plain_usable_size, .reset = plain_reset, .check = plain_check, .stats = plain_stats

const struct alloc_ops alloc_slab = {
    .abi = ALLOC_ABI,
    .name = "slab",
    .summary = "caches of equal objects on three lists, full, partial and empty; up to 8 KiB",
    .contract = PLAIN_CONTRACT(KMALLOC_CACHE_MAX),
    .init = slab_open,
    .kernel = &slab_kernel,
    PLAIN_OPS,
};

const struct alloc_ops alloc_kmalloc = {
    .abi = ALLOC_ABI,
    .name = "kmalloc",
    .summary = "size classes of caches with SLUB's partial list, pages above 8 KiB",
    .contract = PLAIN_CONTRACT(KMALLOC_MAX),
    .init = kmalloc_open,
    .kernel = &kmalloc_kernel,
    PLAIN_OPS,
};
