/* sloppy.c: a heap that can be sloppy in five ways, for defects that no wrapper can bring about.
 *
 *     first                                                              end
 *      |header|payload......|header|free...............|header|payload...|
 *
 * First fit over the program break along all blocks, used and free; there is no list. When nothing fits, free
 * neighbours are merged and the search is made once more, then the break grows. Everything takes time linear in the
 * number of blocks. If somebody else moves the break, the heap grows no more. Each patch plants one defect, and drops
 * from the interface what would show it under another rule.
 */
#include "patches.h"

#include <errno.h>

#define ALIGN _Alignof(max_align_t)

enum defect {
    MERGES_LATE = 1 << 0,    /* only when nothing fits */
    MERGES_FORWARD = 1 << 1, /* with the block behind, else only when nothing fits */
    NEVER_MERGES = 1 << 2,
    NEVER_SPLITS = 1 << 3,
    IGNORES_BREAK = 1 << 4, /* takes the end of the heap for the break */
};

struct block {
    _Alignas(max_align_t) size_t size; /* bytes, header included */
    size_t used;
};

struct heap {
    struct backing *backing;
    struct block *first; /* NULL before the first growth */
    unsigned char *end;
    unsigned defects;
};

#define HEADER sizeof(struct block)
#define BLOCK_MIN (HEADER + ALIGN)

static struct block *behind(const struct block *b) { return (struct block *)((uintptr_t)b + b->size); }
static bool inside(const struct heap *h, const struct block *b) { return b && (const unsigned char *)b != h->end; }

static void absorb(const struct heap *h, struct block *b)
{
    while (inside(h, behind(b)) && !behind(b)->used) b->size += behind(b)->size;
}

static void merge_all(const struct heap *h)
{
    for (struct block *b = h->first; inside(h, b); b = behind(b))
        if (!b->used) absorb(h, b);
}

static struct block *fit(const struct heap *h, size_t size)
{
    struct block *b = h->first;
    while (inside(h, b) && (b->used || b->size < size)) b = behind(b);
    return inside(h, b) ? b : NULL;
}

/* A free block of so many bytes at the end of the heap, or NULL with nothing changed. */
static struct block *grow(struct heap *h, size_t size)
{
    struct backing *m = h->backing;
    unsigned char *now = m->sbrk(m, 0);
    if (h->first && now != h->end && !(h->defects & IGNORES_BREAK)) return NULL;
    const size_t pad = h->first ? 0 : (size_t) - (uintptr_t)now & (ALIGN - 1);
    struct block *last = h->first;
    while (inside(h, last) && inside(h, behind(last))) last = behind(last);
    const bool extends = inside(h, last) && !last->used && !(h->defects & NEVER_MERGES);
    const size_t lacks = extends ? size - last->size : size + pad;
    if (lacks > PTRDIFF_MAX || m->sbrk(m, (ptrdiff_t)lacks) == SBRK_FAILED) return NULL;
    if (!h->first) {
        h->end = now + pad;
        h->first = (struct block *)h->end;
    }
    struct block *b = extends ? last : (struct block *)h->end;
    *b = (struct block){.size = size};
    h->end = (unsigned char *)b + size;
    return b;
}

static void *sloppy_malloc(void *heap, size_t request)
{
    struct heap *h = heap;
    const size_t size = request < ALIGN ? BLOCK_MIN : HEADER + ((request + ALIGN - 1) & ~(ALIGN - 1));
    struct block *b = NULL;
    if (request <= PTRDIFF_MAX - BLOCK_MIN - ALIGN) {
        b = fit(h, size);
        if (!b && !(h->defects & NEVER_MERGES)) {
            merge_all(h);
            b = fit(h, size);
        }
        if (!b) b = grow(h, size);
    }
    if (!b) {
        errno = ENOMEM;
        return NULL;
    }
    if (b->size - size >= BLOCK_MIN && !(h->defects & NEVER_SPLITS)) {
        struct block *rest = (struct block *)((uintptr_t)b + size);
        *rest = (struct block){.size = b->size - size};
        b->size = size;
    }
    b->used = 1;
    return b + 1;
}

static void sloppy_free(void *heap, void *p)
{
    const struct heap *h = heap;
    if (!p) return;
    struct block *b = (struct block *)p - 1;
    b->used = 0;
    if (h->defects & MERGES_FORWARD) absorb(h, b);
    else if (!(h->defects & (MERGES_LATE | NEVER_MERGES))) merge_all(h);
}

static size_t sloppy_usable_size(void *heap, const void *p)
{
    (void)heap;
    return p ? ((const struct block *)p - 1)->size - HEADER : 0;
}

static int init_with(void *heap, struct backing *backing, unsigned defects)
{
    if (backing->kind != BACKING_BREAK) return EINVAL;
    *(struct heap *)heap = (struct heap){.backing = backing, .defects = defects};
    return 0;
}

static int sloppy_init(void *heap, struct backing *backing) { return init_with(heap, backing, 0); }
static void sloppy_fini(void *heap) { (void)heap; }

static void sloppy_walk(void *heap, alloc_visit *visit, void *context)
{
    const struct heap *h = heap;
    for (struct block *b = h->first; inside(h, b); b = behind(b)) {
        const struct alloc_block shown = {
            .base = b, .size = b->size, .payload = b->used ? b + 1 : NULL, .state = b->used ? BLOCK_USED : BLOCK_FREE};
        if (!visit(context, &shown)) return;
    }
}

static bool count_block(void *context, const struct alloc_block *b)
{
    struct alloc_stats *s = context;
    s->footprint_bytes += b->size;
    s->used_blocks += b->state == BLOCK_USED;
    s->free_blocks += b->state == BLOCK_FREE;
    s->free_bytes += b->state == BLOCK_FREE ? b->size - HEADER : 0;
    return true;
}

static void sloppy_stats(void *heap, struct alloc_stats *out)
{
    *out = (struct alloc_stats){0};
    sloppy_walk(heap, count_block, out);
}

const struct alloc_ops alloc_sloppy = {
    .abi = ALLOC_ABI,
    .name = "sloppy",
    .summary = "first fit along all blocks over a growing break",
    .contract = {.backing = BACKING_BREAK,
                 .align_min = ALIGN,
                 .zero_size = ZERO_SIZE_UNIQUE,
                 .promises = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_DETERMINISTIC |
                             PROMISE_MERGES | PROMISE_SPLITS,
                 .header_bytes = HEADER,
                 .block_min_bytes = ALIGN,
                 .overhead_bytes = ALIGN - 1,
                 .waste_max_bytes = BLOCK_MIN - HEADER + BLOCK_MIN - ALIGN},
    .state_size = sizeof(struct heap),
    .init = sloppy_init,
    .fini = sloppy_fini,
    .malloc = sloppy_malloc,
    .free = sloppy_free,
    .usable_size = sloppy_usable_size,
    .walk = sloppy_walk,
    .stats = sloppy_stats,
};

/* ---- The defects ------------------------------------------------------------------------------------------------- */

static int init_merges_late(void *heap, struct backing *backing) { return init_with(heap, backing, MERGES_LATE); }

void sloppy_merges_late(struct alloc_ops *ops)
{
    ops->init = init_merges_late;
    ops->stats = NULL; /* the number of free blocks depends on the order of the frees */
}

static int init_merges_forward(void *heap, struct backing *backing) { return init_with(heap, backing, MERGES_FORWARD); }

void sloppy_merges_forward(struct alloc_ops *ops)
{
    ops->init = init_merges_forward;
    ops->walk = NULL; /* free neighbours are there to be seen */
}

static int init_never_merges(void *heap, struct backing *backing) { return init_with(heap, backing, NEVER_MERGES); }

void sloppy_never_merges(struct alloc_ops *ops)
{
    ops->init = init_never_merges;
    ops->walk = NULL;
    ops->stats = NULL;
}

static int init_never_splits(void *heap, struct backing *backing) { return init_with(heap, backing, NEVER_SPLITS); }

void sloppy_never_splits(struct alloc_ops *ops)
{
    ops->init = init_never_splits;
    ops->contract.promises &= ~(unsigned)PROMISE_MERGES;
}

static int init_ignores_break(void *heap, struct backing *backing) { return init_with(heap, backing, IGNORES_BREAK); }

void sloppy_ignores_break(struct alloc_ops *ops) { ops->init = init_ignores_break; }
