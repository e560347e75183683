/* break.c: the program break as an interface, and the simplest heap that can stand on it.
 *
 * sbrk and brk are the backing's own. malloc moves the break: a block is put where the break is, and the break behind
 * it, so the heap is a stack of blocks that grows upwards, each with a record that names the block before it:
 *
 *     base                                                                            break
 *      | slack | record | payload | record | payload | (somebody else's) | record | payload |
 *      low addresses     <------------older----------<--------older---------          newest
 *
 * free marks its block. If that is the newest, the break is lowered below it, and below every block under it that had
 * been freed before. A freed block elsewhere waits: it is neither reused nor merged, which is what a heap without a
 * free list amounts to (compare freelist.c). When somebody else has moved the break meanwhile, the next block simply
 * begins there, and the blocks below cannot be given back as long as the break is not at their end (A40).
 *
 * Bounds: malloc O(1); free O(1) amortised, since a block is passed once; a block of n bytes costs n rounded up to
 * ALIGN plus sizeof(struct record), and up to ALIGN - 1 bytes of slack where the break was not aligned.
 */
#include "builtin.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <string.h>

struct record {
    alignas(max_align_t) size_t bytes; /* of the payload, a multiple of ALIGN; bit 0: freed */
    struct record *older;              /* the block before, NULL for the first */
};

/* No less than a record, so that there is room for one wherever there is room at all. There are machines on which no type
 * asks for as much. */
#define ALIGN sizeof(struct record)
static_assert(ALIGN % alignof(max_align_t) == 0, "payloads are aligned for all types");

#define FREED ((size_t)1)

struct heap {
    struct backing *backing;
    struct record *newest;
};

static unsigned char *break_now(struct heap *h) { return h->backing->sbrk(h->backing, 0); }

static size_t payload_bytes(const struct record *r) { return r->bytes & ~FREED; }

static unsigned char *record_end(struct record *r) { return (unsigned char *)(r + 1) + payload_bytes(r); }

static struct record *record_of(void *p) { return (struct record *)p - 1; }

static bool is_top(struct heap *h, struct record *r) { return r == h->newest && record_end(r) == break_now(h); }

static int break_init(void *heap, struct backing *backing)
{
    struct heap *h = heap;
    if (backing->kind != BACKING_BREAK) return EINVAL;
    h->backing = backing;
    h->newest = NULL;
    return 0;
}

static void break_fini(void *heap) { (void)heap; }

static void *break_sbrk(void *heap, ptrdiff_t delta_bytes)
{
    struct heap *h = heap;
    return h->backing->sbrk(h->backing, delta_bytes);
}

static int break_brk(void *heap, void *end)
{
    struct heap *h = heap;
    return h->backing->brk(h->backing, end);
}

/* `size` rounded up to ALIGN; false with errno if a block of that size and its record cannot be. */
static bool round_size(size_t size, size_t *bytes)
{
    if (size > PTRDIFF_MAX - sizeof(struct record) - 2 * ALIGN) {
        errno = ENOMEM;
        return false;
    }
    *bytes = (size + ALIGN - 1) & ~(ALIGN - 1);
    return true;
}

/* Lowers the break below every freed block at the top. If the break stays, they do, until the next time. */
static void give_back(struct heap *h)
{
    while (h->newest != NULL && (h->newest->bytes & FREED) && is_top(h, h->newest)) {
        struct record *older = h->newest->older; /* read before its page goes */
        if (h->backing->brk(h->backing, h->newest) != 0) return;
        h->newest = older;
    }
}

static void *break_malloc(void *heap, size_t size)
{
    struct heap *h = heap;
    size_t bytes;
    if (!round_size(size, &bytes)) return NULL;
    give_back(h); /* what the last free could not */
    size_t slack = -(uintptr_t)break_now(h) & (ALIGN - 1);
    unsigned char *start = h->backing->sbrk(h->backing, (ptrdiff_t)(slack + sizeof(struct record) + bytes));
    if (start == SBRK_FAILED) return NULL;
    struct record *r = (struct record *)(void *)(start + slack);
    *r = (struct record){.bytes = bytes, .older = h->newest};
    h->newest = r;
    return r + 1;
}

static void break_free(void *heap, void *p)
{
    struct heap *h = heap;
    if (p == NULL) return;
    int saved = errno;
    record_of(p)->bytes |= FREED;
    give_back(h);
    errno = saved;
}

static void *break_calloc(void *heap, size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = break_malloc(heap, count * size);
    return p == NULL ? NULL : memset(p, 0, count * size); /* a page that was kept has old bytes (A39) */
}

/* Moves the end of the newest block; false, and nothing changed, if the break does not follow. */
static bool resize_top(struct heap *h, struct record *r, size_t bytes)
{
    ptrdiff_t delta = (ptrdiff_t)bytes - (ptrdiff_t)r->bytes;
    if (h->backing->sbrk(h->backing, delta) == SBRK_FAILED) return false;
    r->bytes = bytes;
    return true;
}

static void *break_realloc(void *heap, void *p, size_t size)
{
    struct heap *h = heap;
    if (p == NULL) return break_malloc(h, size);
    struct record *r = record_of(p);
    size_t bytes;
    if (!round_size(size, &bytes)) return NULL;
    if (is_top(h, r) && resize_top(h, r, bytes)) return p;
    if (bytes <= r->bytes) return p;
    void *moved = break_malloc(h, size);
    if (moved == NULL) return NULL;
    memcpy(moved, p, r->bytes);
    break_free(h, p);
    return moved;
}

static size_t break_usable_size(void *heap, const void *p)
{
    (void)heap;
    return p == NULL ? 0 : payload_bytes((const struct record *)p - 1);
}

static const char *break_check(void *heap)
{
    struct heap *h = heap;
    unsigned char *limit = break_now(h);
    for (struct record *r = h->newest; r != NULL; r = r->older) {
        unsigned char *start = (unsigned char *)r;
        if (start < h->backing->base || start > limit) return "the blocks lie below one another, from the break down";
        size_t room = (size_t)(limit - start);
        if (room < sizeof *r || payload_bytes(r) > room - sizeof *r)
            return "a block ends where the next begins or below";
        if (payload_bytes(r) % ALIGN != 0) return "a block's size is a multiple of the alignment";
        limit = start;
    }
    return NULL;
}

const struct alloc_ops alloc_break = {
    .abi = ALLOC_ABI,
    .name = "break",
    .summary = "sbrk and brk themselves, and a bump allocator over them that gives back only its top",
    .contract =
        {
            .backing = BACKING_BREAK,
            .align_min = ALIGN,
            .align_max = ALIGN,
            .zero_size = ZERO_SIZE_UNIQUE,
            .realloc_zero = REALLOC_ZERO_UNIQUE,
            .promises = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_DETERMINISTIC |
                        PROMISE_STEADY | PROMISE_DRAINS,
            .header_bytes = sizeof(struct record),
            .overhead_bytes = ALIGN - 1,
        },
    .state_size = sizeof(struct heap),
    .init = break_init,
    .fini = break_fini,
    .malloc = break_malloc,
    .free = break_free,
    .calloc = break_calloc,
    .realloc = break_realloc,
    .usable_size = break_usable_size,
    .sbrk = break_sbrk,
    .brk = break_brk,
    .check = break_check,
};
