/* explore_letters.c: the alphabet: which calls, of which sizes. */
#include "explore_internal.h"

#include <stddef.h>

enum letter_slot letter_slot(enum op_kind kind)
{
    switch (kind) {
    case OP_MALLOC:
    case OP_CALLOC:
    case OP_ALIGNED_ALLOC:
    case OP_POSIX_MEMALIGN:
    case OP_MEMALIGN: return LETTER_FRESH;
    case OP_DOUBLE_FREE:
    case OP_WRITE_AFTER_FREE: return LETTER_DEAD;
    case OP_FREE_NULL:
    case OP_FOREIGN_FREE: return LETTER_NONE;
    default: return LETTER_LIVE;
    }
}

static bool offered(const struct exec *x, enum op_kind kind)
{
    const struct alloc_ops *o = x->ops;
    const unsigned promises = x->options.contract.promises;
    const bool bad_free = promises & PROMISE_DETECTS_BAD_FREE;
    switch (kind) {
    case OP_MALLOC: return true;
    case OP_FREE:
    case OP_FREE_NULL: return o->free;
    case OP_REALLOC: return o->realloc;
    case OP_CALLOC: return o->calloc;
    case OP_ALIGNED_ALLOC: return o->aligned_alloc;
    case OP_POSIX_MEMALIGN: return o->posix_memalign;
    case OP_MEMALIGN: return o->memalign;
    case OP_REALLOCARRAY: return o->reallocarray;
    case OP_USABLE_SIZE: return o->usable_size;
    case OP_FREE_SIZED: return o->free_sized;
    case OP_FREE_ALIGNED_SIZED: return o->free_aligned_sized;
    case OP_DOUBLE_FREE:
    case OP_INTERIOR_FREE:
    case OP_FOREIGN_FREE: return o->free && bad_free;
    case OP_WRONG_SIZE_FREE: return o->free_sized && (promises & PROMISE_DETECTS_SIZE);
    case OP_WRITE_AFTER_FREE: return o->check && (promises & PROMISE_DETECTS_WRITES);
    default: return false;
    }
}

static void letter(struct explore *e, enum op_kind kind, uint64_t a, uint64_t b)
{
    if (e->letter_count == EXPLORE_LETTERS_MAX) return;
    e->letters[e->letter_count++] = (struct op){.kind = (uint8_t)kind, .count = 1, .a = a, .b = b};
}

/* Sizes that no allocator grants: just above a half and all of the address space, with and without room for a header; and
 * such as a narrower integer takes for a small one. */
static const uint64_t odd_sizes[] = {SIZE_MAX,
                                     SIZE_MAX - 7,
                                     SIZE_MAX - 15,
                                     (uint64_t)PTRDIFF_MAX + 1,
                                     PTRDIFF_MAX,
#if SIZE_MAX > UINT32_MAX
                                     (UINT64_C(1) << 32) + 16,
#endif
                                     (UINT64_C(1) << 16) + 16};
/* Alignments that are none, and such as none can have. */
static const uint64_t odd_aligns[] = {0, 3, 24, (uint64_t)1 << (sizeof(size_t) * 8 - 1)};
enum { ODD_SIZES = sizeof odd_sizes / sizeof *odd_sizes, ODD_ALIGNS = sizeof odd_aligns / sizeof *odd_aligns };
#define WRAPS (SIZE_MAX / 16 + 2) /* of 16 bytes each: 16 bytes, if nobody looks */

static void of_size(struct explore *e, enum op_kind kind, uint64_t one)
{
    const struct explore_orders *o = &e->orders;
    for (uint32_t i = 0; i < o->size_count; i++) letter(e, kind, o->sizes[i], one);
    for (unsigned i = 0; o->odd && i < ODD_SIZES; i++) letter(e, kind, odd_sizes[i], one);
}

static void of_product(struct explore *e, enum op_kind kind)
{
    for (uint32_t i = 0; i < e->orders.size_count; i++)
        letter(e, kind, kind == OP_CALLOC ? 1 : e->orders.sizes[i], kind == OP_CALLOC ? e->orders.sizes[i] : 1);
    if (e->orders.odd) letter(e, kind, WRAPS, 16);
}

/* Alignments beyond malloc's that leave room for two places in the heap. */
static void of_align(struct explore *e, const struct exec *x, enum op_kind kind)
{
    const struct explore_orders *o = &e->orders;
    const size_t least = x->options.contract.align_min ? x->options.contract.align_min : 1;
    for (uint64_t align = 2 * (uint64_t)least; align <= x->lender.face.size / 4; align *= 2)
        for (uint32_t i = 0; i < o->size_count; i++) letter(e, kind, o->sizes[i], align);
    if (!o->odd) return;
    for (uint32_t i = 0; i < o->size_count; i++) letter(e, kind, o->sizes[i], least);
    for (unsigned i = 0; i < ODD_ALIGNS; i++) letter(e, kind, 16, odd_aligns[i]);
    letter(e, kind, SIZE_MAX - 15, 64);
}

static void of_kind(struct explore *e, const struct exec *x, enum op_kind kind)
{
    switch (kind) {
    case OP_MALLOC:
    case OP_REALLOC: of_size(e, kind, 0); break;
    case OP_CALLOC:
    case OP_REALLOCARRAY: of_product(e, kind); break;
    case OP_ALIGNED_ALLOC:
    case OP_POSIX_MEMALIGN:
    case OP_MEMALIGN: of_align(e, x, kind); break;
    case OP_INTERIOR_FREE: /* one byte on, a half and a whole granule */
        for (uint64_t inside = 1; inside <= 16; inside += inside == 1 ? 7 : 8) letter(e, kind, inside - 1, 0);
        break;
    case OP_WRONG_SIZE_FREE: letter(e, kind, 1, 0); break;
    default: letter(e, kind, 0, 0); break;
    }
}

void letters_make(struct explore *e, const struct exec *x)
{
    e->letter_count = 0;
    for (unsigned kind = 0; kind < OP_KERNEL_FIRST; kind++)
        if (e->orders.ops >> kind & 1 && offered(x, (enum op_kind)kind)) of_kind(e, x, (enum op_kind)kind);
}
