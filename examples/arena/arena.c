/* arena.c: a bump arena, and the adapter that brings it to assay.
 *
 * Blocks are cut off a region from below. free gives back the newest block and does nothing for any other, so memory
 * comes back only in the reverse order of its allocation. malloc and free take constant time; a block costs its size
 * rounded up to ALIGN, and no header.
 *
 *     cc -shared -fPIC -I../../allocators arena.c -o libarena.so && assay check ./libarena.so
 */
#include "alloc.h"

#include <errno.h>

#define ALIGN _Alignof(max_align_t)

struct arena {
    unsigned char *newest, *top, *end; /* newest: NULL once it is free */
};

static void arena_start(struct arena *a, void *memory, size_t bytes)
{
    size_t skip = -(uintptr_t)memory % ALIGN; /* a region may begin anywhere */
    if (skip > bytes) skip = bytes;
    *a = (struct arena){.top = (unsigned char *)memory + skip, .end = (unsigned char *)memory + bytes};
}

static void *arena_take(struct arena *a, size_t bytes)
{
    size_t left = (size_t)(a->end - a->top);
    if (bytes > left || -bytes % ALIGN > left - bytes) return NULL; /* nothing is added that could wrap */
    a->newest = a->top;
    a->top += bytes + -bytes % ALIGN;
    return a->newest;
}

static void arena_give(struct arena *a, void *p)
{
    if (!p || p != a->newest) return;
    a->top = a->newest;
    a->newest = NULL;
}

/* ---- The adapter -------------------------------------------------------------------------------------------------- */

static int init(void *heap, struct backing *b)
{
    if (b->kind != BACKING_REGION) return EINVAL;
    arena_start(heap, b->base, b->size);
    return 0;
}

static void *take(void *heap, size_t size)
{
    void *p = arena_take(heap, size ? size : 1);
    if (!p) errno = ENOMEM;
    return p;
}

static void fini(void *heap) { (void)heap; }
static void give(void *heap, void *p) { arena_give(heap, p); }

static const struct alloc_ops arena = {
    .abi = ALLOC_ABI,
    .name = "arena",
    .summary = "bump arena over a region; free takes back the newest block only",
    .contract = {.backing = BACKING_REGION,
                 .align_min = ALIGN,
                 .align_max = ALIGN,
                 .zero_size = ZERO_SIZE_UNIQUE,
                 .promises = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_CONST_FREE |
                             PROMISE_DETERMINISTIC},
    .state_size = sizeof(struct arena),
    .init = init,
    .fini = fini,
    .malloc = take,
    .free = give,
};

assay_allocator_fn assay_allocator;
const struct alloc_ops *assay_allocator(void) { return &arena; }
