/* kernel_mempool.c: canaries of pools, made from `vmalloc`; broken.h is the manual. */
#include "broken.h"
#include "kernel_wrapper.h"

#include "builtin.h"
#include "mempool.h"

static bool of_bytes(const struct mempool *pool) { return pool && pool->args.kind == POOL_KMALLOC && pool->args.size; }

/* Frees the newest element of the reserve. */
static void lose(void *heap, struct mempool *pool) { kfree(heap, pool->reserve[--pool->reserved]); }

/* ---- B109 ----------------------------------------------------------------------------------------------------------- */

static struct mempool *create_short(void *heap, const struct pool_args *args)
{
    struct mempool *pool = mempool_create(heap, args);
    if (of_bytes(pool)) lose(heap, pool);
    return pool;
}

static void patch_short(struct alloc_ops *ops) { kernel_rows(ops)->mempool_create = create_short; }

/* ---- B110 ----------------------------------------------------------------------------------------------------------- */

static void *alloc_stingy(void *heap, struct mempool *pool, unsigned gfp)
{
    uint32_t reserved = pool->reserved;
    void *element = mempool_alloc(heap, pool, gfp);
    if (pool->reserved >= reserved) return element;
    mempool_free(heap, pool, element);
    return NULL;
}

static void patch_stingy(struct alloc_ops *ops) { kernel_rows(ops)->mempool_alloc = alloc_stingy; }

/* ---- B111 ----------------------------------------------------------------------------------------------------------- */

static void free_through(void *heap, struct mempool *pool, void *element)
{
    uint32_t reserved = pool->reserved;
    mempool_free(heap, pool, element);
    if (of_bytes(pool) && pool->reserved > reserved) lose(heap, pool);
}

static void patch_through(struct alloc_ops *ops) { kernel_rows(ops)->mempool_free = free_through; }

/* ---- B112 ----------------------------------------------------------------------------------------------------------- */

static void destroy_short(void *heap, struct mempool *pool)
{
    if (pool && pool->args.kind == POOL_PAGES && pool->reserved) pool->reserved--;
    mempool_destroy(heap, pool);
}

static void patch_destroy(struct alloc_ops *ops) { kernel_rows(ops)->mempool_destroy = destroy_short; }

static int resize_short(void *heap, struct mempool *pool, uint32_t min)
{
    int error = mempool_resize(heap, pool, min);
    if (!error && of_bytes(pool) && pool->reserved > 1) lose(heap, pool);
    return error;
}

static void patch_resize(struct alloc_ops *ops) { kernel_rows(ops)->mempool_resize = resize_short; }

/* ---- B113 ----------------------------------------------------------------------------------------------------------- */

static void *alloc_struck(void *heap, struct mempool *pool, unsigned gfp)
{
    return mempool_alloc(heap, pool, gfp & ~(unsigned)GFP_BIT_NOFAIL);
}

static void patch_struck(struct alloc_ops *ops) { kernel_rows(ops)->mempool_alloc = alloc_struck; }

/* --------------------------------------------------------------------------------------------------------------------- */

const struct canary broken_mempool[] = {
    {"pool_short", "B109", "a pool begins with an element less than its minimum", &alloc_vmalloc, patch_short},
    {"pool_stingy", "B110", "a pool refuses though it has a reserve", &alloc_vmalloc, patch_stingy},
    {"pool_through", "B111", "what is freed leaves the pool before the reserve is full", &alloc_vmalloc, patch_through},
    {"pool_leaks", "B112", "a destroyed pool keeps a block of its reserve", &alloc_vmalloc, patch_destroy},
    {"pool_shrinks", "B112", "a resized pool loses an element", &alloc_vmalloc, patch_resize},
    {"pool_struck_nofail", "B113", "a pool that must not fail asks as if it might", &alloc_vmalloc, patch_struck},
    {0},
};
