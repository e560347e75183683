/* broken_free.c: wrappers of free and the sized frees; broken.h is the manual. */
#include "patches.h"
#include "wrapper.h"

#include <errno.h>

static const struct alloc_ops *const base = &alloc_freelist;

static void reporting_free(void *heap, void *p)
{
    struct memory *m = memory_of(heap);
    if (!p) m->backing->report(m->backing, REPORT_BAD_FREE, p);
    base->free(heap, p);
}

void free_null_reported(struct alloc_ops *ops)
{
    keep_memory(ops);
    ops->free = reporting_free;
}

static void lenient_free(void *heap, void *p)
{
    const struct alloc_block b = block_at(heap, p);
    if (b.payload == p) base->free(heap, p);
}

void bad_free_unnoticed(struct alloc_ops *ops)
{
    ops->contract.promises &= ~(unsigned)PROMISE_CONST_FREE;
    ops->free = lenient_free;
}

/* An address inside a block is reported, and the block is freed all the same. */
static void obliging_free(void *heap, void *p)
{
    struct alloc_block b = p ? block_at(heap, p) : (struct alloc_block){0};
    base->free(heap, p);
    if (b.state == BLOCK_USED && b.payload && b.payload != p) base->free(heap, (void *)(uintptr_t)b.payload);
}

void bad_free_frees(struct alloc_ops *ops)
{
    ops->contract.promises &= ~(unsigned)PROMISE_CONST_FREE;
    ops->free = obliging_free;
}

/* An address inside a live block is reported as one that was freed already. */
static void mistaking_free(void *heap, void *p)
{
    struct memory *m = memory_of(heap);
    const struct alloc_block b = p ? block_at(heap, p) : (struct alloc_block){0};
    if (b.state == BLOCK_USED && b.payload && b.payload != p) m->backing->report(m->backing, REPORT_DOUBLE_FREE, p);
    else base->free(heap, p);
}

void interior_free_mistaken(struct alloc_ops *ops)
{
    keep_memory(ops);
    ops->contract.promises &= ~(unsigned)PROMISE_CONST_FREE;
    ops->free = mistaking_free;
}

static void free_with_errno(void *heap, void *p)
{
    base->free(heap, p);
    errno = 0;
}

void free_sets_errno(struct alloc_ops *ops) { ops->free = free_with_errno; }

/* The promise is all that there is of it. */
void write_unnoticed(struct alloc_ops *ops) { ops->contract.promises |= PROMISE_DETECTS_WRITES; }

/* Takes the usable size for the only right one. */
static void strict_free_sized(void *heap, void *p, size_t size)
{
    struct memory *m = memory_of(heap);
    if (p && size != base->usable_size(heap, p)) m->backing->report(m->backing, REPORT_BAD_FREE, p);
    base->free(heap, p);
}

void free_sized_too_strict(struct alloc_ops *ops)
{
    keep_memory(ops);
    ops->free_sized = strict_free_sized;
    ops->contract.promises &= ~(unsigned)PROMISE_DETECTS_SIZE;
}

static void trusting_free_sized(void *heap, void *p, size_t size)
{
    (void)size;
    base->free(heap, p);
}

void free_sized_trusts(struct alloc_ops *ops) { ops->free_sized = trusting_free_sized; }

/* Holds on to what C11 asked of aligned_alloc: a size that is a multiple of the alignment. */
static void strict_free_aligned_sized(void *heap, void *p, size_t align, size_t size)
{
    struct memory *m = memory_of(heap);
    if (p && size % align) m->backing->report(m->backing, REPORT_BAD_FREE, p);
    base->free(heap, p);
}

void free_aligned_sized_too_strict(struct alloc_ops *ops)
{
    keep_memory(ops);
    ops->free_aligned_sized = strict_free_aligned_sized;
}

/* Writes into the last block that is left. */
static bool find_used(void *context, const struct alloc_block *b)
{
    const void **payload = context;
    if (b->state == BLOCK_USED) *payload = b->payload;
    return true;
}

static void scribbling_free(void *heap, void *p)
{
    const void *left = NULL;
    base->free(heap, p);
    if (!p || stats_of(heap).used_blocks != 1) return;
    base->walk(heap, find_used, &left);
    ++*(unsigned char *)(uintptr_t)left;
}

void free_scribbles(struct alloc_ops *ops)
{
    ops->contract.promises &= ~(unsigned)(PROMISE_CONST_FREE | PROMISE_DETECTS_BAD_FREE | PROMISE_DETECTS_SIZE);
    ops->free = scribbling_free;
}

/* Lowers the break by a smallest block when the block at the end of the heap is in use. */
static void trimming_free(void *heap, void *p)
{
    struct memory *m = memory_of(heap);
    const unsigned char *end = m->backing->sbrk(m->backing, 0);
    const int error = errno;
    base->free(heap, p);
    if (p && block_at(heap, end - 1).state == BLOCK_USED) m->backing->sbrk(m->backing, -16);
    errno = error;
}

void free_trims_too_much(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    keep_memory(ops);
    ops->contract.promises &= ~(unsigned)(PROMISE_CONST_FREE | PROMISE_DETECTS_BAD_FREE);
    ops->free = trimming_free;
}
