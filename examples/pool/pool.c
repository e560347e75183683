/* pool.c: a pool of equal blocks, and the adapter that brings it to assay.
 *
 * The region is cut into as many blocks of BLOCK_BYTES as fit; the free ones are a list through their first words. A
 * request takes one block whatever its size, and is refused if it is larger than a block, which the contract says, or
 * if none is free. malloc and free take constant time.
 *
 *     cc -shared -fPIC -I../../allocators pool.c -o libpool.so && assay check ./libpool.so
 */
#include "alloc.h"

#include <errno.h>

#define ALIGN _Alignof(max_align_t)
#define BLOCK_BYTES 64u
#define REGION_MIN (ALIGN - 1 + BLOCK_BYTES)

struct pool {
    struct link {
        struct link *next;
    } * free;
};

static void pool_give(struct pool *pool, void *p)
{
    struct link *link = p;
    if (!p) return;
    link->next = pool->free;
    pool->free = link;
}

static void pool_start(struct pool *pool, void *memory, size_t bytes)
{
    size_t skip = -(uintptr_t)memory % ALIGN; /* a region may begin anywhere */
    *pool = (struct pool){0};
    for (size_t i = (bytes - skip) / BLOCK_BYTES; i-- > 0;)
        pool_give(pool, (unsigned char *)memory + skip + i * BLOCK_BYTES);
}

static void *pool_take(struct pool *pool, size_t bytes)
{
    struct link *link = bytes > BLOCK_BYTES ? NULL : pool->free;
    if (link) pool->free = link->next;
    else errno = ENOMEM;
    return link;
}

/* ---- The adapter -------------------------------------------------------------------------------------------------- */

static int init(void *heap, struct backing *b)
{
    if (b->kind != BACKING_REGION) return EINVAL;
    if (b->size < REGION_MIN) return ENOMEM;
    pool_start(heap, b->base, b->size);
    return 0;
}

static void *take(void *heap, size_t size) { return pool_take(heap, size); }
static void fini(void *heap) { (void)heap; }
static void give(void *heap, void *p) { pool_give(heap, p); }

static size_t usable(void *heap, const void *p)
{
    (void)heap;
    return p ? BLOCK_BYTES : 0;
}

static const struct alloc_ops pool = {
    .abi = ALLOC_ABI,
    .name = "pool",
    .summary = "equal blocks over a region, the free ones in a list",
    .contract = {.backing = BACKING_REGION,
                 .align_min = ALIGN,
                 .align_max = ALIGN,
                 .zero_size = ZERO_SIZE_UNIQUE,
                 .promises = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_REUSES |
                             PROMISE_CONST_FREE | PROMISE_DETERMINISTIC | PROMISE_DRAINS,
                 .size_min_bytes = REGION_MIN,
                 .size_max_bytes = 1 << 20, /* init makes a list of all blocks */
                 .request_max_bytes = BLOCK_BYTES},
    .state_size = sizeof(struct pool),
    .init = init,
    .fini = fini,
    .malloc = take,
    .free = give,
    .usable_size = usable,
};

assay_allocator_fn assay_allocator;
const struct alloc_ops *assay_allocator(void) { return &pool; }
