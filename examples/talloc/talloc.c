/* talloc.c: an adapter for somebody else's library: talloc, the hierarchical allocator of Samba.
 *
 * A heap is a context, and its blocks are the context's children. talloc takes its memory from malloc, so the backing is
 * the host, and blocks have no offsets. calloc is left out: talloc's counts elements in an unsigned int.
 */
#include <alloc.h>
#include <errno.h>
#include <talloc.h>

struct heap {
    TALLOC_CTX *context;
};

static int init(void *heap, struct backing *b)
{
    struct heap *h = heap;
    if (b->kind != BACKING_HOST) return EINVAL;
    h->context = talloc_new(NULL);
    return h->context ? 0 : ENOMEM;
}

static void fini(void *heap) { talloc_free(((struct heap *)heap)->context); }
static void *take(void *heap, size_t size) { return talloc_size(((struct heap *)heap)->context, size); }

/* talloc's own gives NULL for no block and no bytes, where realloc is malloc (A14). */
static void *resize(void *heap, void *p, size_t size)
{
    return p ? talloc_realloc_size(((struct heap *)heap)->context, p, size) : take(heap, size);
}

static void give(void *heap, void *p) { (void)heap, talloc_free(p); }
static size_t usable(void *heap, const void *p) { return (void)heap, talloc_get_size(p); }

static const struct alloc_ops talloc = {
    .abi = ALLOC_ABI,
    .name = "talloc",
    .summary = "Samba's talloc: blocks of malloc in a tree, the heap a context",
    .contract = {.backing = BACKING_HOST,
                 .align_min = _Alignof(max_align_t),
                 .align_max = _Alignof(max_align_t),
                 .zero_size = ZERO_SIZE_UNIQUE,
                 .realloc_zero = REALLOC_ZERO_FREES,
                 .promises = PROMISE_ALIGN_SMALL,
                 .request_max_bytes = 0x10000000 - 1}, /* larger ones are refused by design */
    .state_size = sizeof(struct heap),
    .init = init,
    .fini = fini,
    .malloc = take,
    .free = give,
    .realloc = resize,
    .usable_size = usable,
};

assay_allocator_fn assay_allocator;
const struct alloc_ops *assay_allocator(void) { return &talloc; }
