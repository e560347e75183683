/* offered.c: which operations an allocator can be asked for; offered.h is the manual. */
#include "offered.h"

#include "program.h"

_Static_assert(OP_KINDS <= 128, "target.offered has four words of bits");

static bool is_offered(const unsigned offered[4], enum op_kind kind) { return offered[kind / 32] >> kind % 32 & 1; }

static void offer(unsigned offered[4], enum op_kind kind, bool yes)
{
    if (yes) offered[kind / 32] |= 1u << kind % 32;
    else offered[kind / 32] &= ~(1u << kind % 32);
}

void offered_legal(unsigned offered[4], const struct alloc_ops *ops)
{
    const bool frames = ops->frame_push && ops->frame_pop;
    const enum backing_kind backing = ops->contract.backing;
    offer(offered, OP_MALLOC, ops->malloc);
    offer(offered, OP_FREE, ops->free);
    offer(offered, OP_REALLOC, ops->realloc);
    offer(offered, OP_CALLOC, ops->calloc);
    offer(offered, OP_ALIGNED_ALLOC, ops->aligned_alloc);
    offer(offered, OP_POSIX_MEMALIGN, ops->posix_memalign);
    offer(offered, OP_MEMALIGN, ops->memalign);
    offer(offered, OP_REALLOCARRAY, ops->reallocarray);
    offer(offered, OP_USABLE_SIZE, ops->usable_size);
    offer(offered, OP_FREE_SIZED, ops->free_sized);
    offer(offered, OP_FREE_ALIGNED_SIZED, ops->free_aligned_sized && ops->aligned_alloc);
    offer(offered, OP_WRITE, true);
    offer(offered, OP_FREE_NULL, ops->free);
    offer(offered, OP_CHECK, true);
    offer(offered, OP_REPEAT, true);
    offer(offered, OP_FAIL, backing == BACKING_BREAK || backing == BACKING_PAGES);
    offer(offered, OP_FOREIGN_SBRK, backing == BACKING_BREAK);
    offer(offered, OP_FRAME_PUSH, frames);
    offer(offered, OP_FRAME_POP, frames);
    offer(offered, OP_SBRK, ops->sbrk);
    offer(offered, OP_BRK, ops->brk);
    offer(offered, OP_MMAP, ops->mmap);
    offer(offered, OP_MUNMAP, ops->munmap);
    offer(offered, OP_MAP_STORE, ops->mmap);
    offer(offered, OP_FILE_STORE, ops->mmap);
}

void offered_illegal(unsigned offered[4], unsigned promises)
{
    const bool frees = is_offered(offered, OP_FREE) && promises & PROMISE_DETECTS_BAD_FREE;
    offer(offered, OP_DOUBLE_FREE, frees);
    offer(offered, OP_INTERIOR_FREE, frees);
    offer(offered, OP_FOREIGN_FREE, frees);
    offer(offered, OP_WRONG_SIZE_FREE, is_offered(offered, OP_FREE_SIZED) && promises & PROMISE_DETECTS_SIZE);
    offer(offered, OP_WRITE_AFTER_FREE, is_offered(offered, OP_FREE) && promises & PROMISE_DETECTS_WRITES);
}
