/* kin.c: canaries for the rules about memory that is lost, wasted or refused without need, and for calls that do not
 * return; broken.h is the manual. */
#include "broken.h"
#include "patches.h"
#include "wrapper.h"

#include <errno.h>

static const struct alloc_ops *const base = &alloc_freelist;

/* ---- free -------------------------------------------------------------------------------------------------------- */

/* Every fourth free is forgotten. */
static void leaking_free(void *heap, void *p)
{
    if (memory_of(heap)->count++ % 4 != 3) base->free(heap, p);
}

static void leak(struct alloc_ops *ops, unsigned kept)
{
    keep_memory(ops);
    hide_inside(ops);
    drop_thrift_but(ops, kept);
    ops->free = leaking_free;
}

static void free_leaks(struct alloc_ops *ops) { leak(ops, PROMISE_DRAINS); }
static void free_leaks_steadily(struct alloc_ops *ops) { leak(ops, PROMISE_STEADY); }

/* A block is given back when the next one is freed. */
static void late_free(void *heap, void *p)
{
    struct memory *m = memory_of(heap);
    if (!p) return;
    base->free(heap, m->block);
    m->block = p;
}

static void free_quarantines(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    keep_memory(ops);
    hide_inside(ops);
    drop_thrift_but(ops, PROMISE_REUSES);
    ops->free = late_free;
}

/* Freed blocks wait in a list, linked through their first word, until the memory is exhausted. */
static void waiting_free(void *heap, void *p)
{
    struct memory *m = memory_of(heap);
    if (!p) return;
    *(void **)p = m->block;
    m->block = p;
}

static void *growing_malloc(void *heap, size_t size)
{
    struct memory *m = memory_of(heap);
    void *p = base->malloc(heap, size);
    if (p || !m->block) return p;
    while (m->block) {
        void *next = *(void **)m->block;
        base->free(heap, m->block);
        m->block = next;
    }
    return base->malloc(heap, size);
}

static void wait_for_exhaustion(struct alloc_ops *ops, unsigned kept)
{
    offer_only_malloc(ops);
    keep_memory(ops);
    hide_inside(ops);
    drop_thrift_but(ops, kept);
    ops->malloc = growing_malloc;
    ops->free = waiting_free;
}

static void grows_before_reusing(struct alloc_ops *ops)
{
    wait_for_exhaustion(ops, PROMISE_REUSES | PROMISE_EXPLAINED);
}

/* Looks through the list, so as not to take a block twice. */
static void searching_free(void *heap, void *p)
{
    void *waiting = memory_of(heap)->block;
    while (waiting && waiting != p) waiting = *(void **)waiting;
    if (!waiting) waiting_free(heap, p);
}

static void free_searches(struct alloc_ops *ops)
{
    wait_for_exhaustion(ops, 0);
    ops->free = searching_free;
}

/* ---- malloc ------------------------------------------------------------------------------------------------------ */

static void *rounding_malloc(void *heap, size_t size)
{
    size_t power = 16;
    while (power < size && power <= PTRDIFF_MAX / 2) power *= 2;
    return base->malloc(heap, power < size ? size : power);
}

static void malloc_rounds_up(struct alloc_ops *ops)
{
    const size_t waste_max = ops->contract.waste_max_bytes;
    drop_thrift_but(ops, 0);
    ops->contract.waste_max_bytes = waste_max;
    ops->malloc = rounding_malloc;
}

/* A quarter of all sizes is refused, among those that are no small part of the heap. */
static void *choosy_malloc(void *heap, size_t size)
{
    if (size <= memory_of(heap)->backing->size / 16 || size % 256 >= 64) return base->malloc(heap, size);
    errno = ENOMEM;
    return NULL;
}

static void malloc_is_choosy(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    keep_memory(ops);
    drop_thrift_but(ops, 0);
    ops->malloc = choosy_malloc;
}

/* The last part of the memory is never given away. */
static void *reserving_malloc(void *heap, size_t size)
{
    const struct backing *m = memory_of(heap)->backing;
    unsigned char *p = base->malloc(heap, size);
    if (!p || (size_t)(m->base + m->size - p) > m->size / 8) return p;
    base->free(heap, p);
    errno = ENOMEM;
    return NULL;
}

static void malloc_keeps_reserve(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    keep_memory(ops);
    drop_thrift_but(ops, PROMISE_EXPLAINED);
    ops->malloc = reserving_malloc;
}

/* ------------------------------------------------------------------------------------------------------------------ */

const struct canary broken_kin[] = {
    {"never_splits", "A23", "a block is taken whole, however large it is", &alloc_sloppy, sloppy_never_splits},
    {"free_searches", "A24", "free looks through the list of free blocks", &alloc_freelist, free_searches},
    {"walk_omits_free", "C21", "walk shows used blocks only", &alloc_freelist, walk_omits_free},
    {"never_merges", "C24", "free blocks stay apart for ever", &alloc_sloppy, sloppy_never_merges},
    {"free_leaks", "C24", "every fourth free is forgotten", &alloc_freelist, free_leaks},
    {"free_quarantines", "C25", "a freed block is kept back until the next free", &alloc_freelist, free_quarantines},
    {"merges_late", "C27", "free blocks are merged when nothing fits any more", &alloc_sloppy, sloppy_merges_late},
    {"malloc_rounds_up", "C28", "sizes are rounded up to powers of two", &alloc_freelist, malloc_rounds_up},
    {"malloc_is_choosy", "C30", "some sizes are refused, larger ones granted", &alloc_freelist, malloc_is_choosy},
    {"malloc_keeps_reserve", "C31", "the last eighth of the memory stays unused", &alloc_freelist,
     malloc_keeps_reserve},
    {"grows_before_reusing", "C38", "freed blocks wait until the memory is exhausted", &alloc_freelist,
     grows_before_reusing},
    {"free_leaks_steadily", "C39", "every fourth free is forgotten", &alloc_freelist, free_leaks_steadily},
    {"merges_forward", "C40", "a freed block is merged with the block behind it only", &alloc_sloppy,
     sloppy_merges_forward},
    {"calloc_clears_null", "CRASH", "calloc clears what malloc refused", &alloc_freelist, calloc_clears_null},
    {"writes_past_the_end", "CRASH", "a zero byte is written behind the heap", &alloc_freelist, writes_past_the_end},
    {"aborts_when_full", "ABORT", "a refusal aborts", &alloc_freelist, aborts_when_full},
    {"exits_when_full", "EXIT", "a refusal ends the process", &alloc_freelist, exits_when_full},
    {"hangs_on_free_list", "HANG", "five free blocks make a circle", &alloc_freelist, hangs_on_free_list},
    {"takes_host_memory", "RUNAWAY", "every malloc takes 4 MiB of the host", &alloc_freelist, takes_host_memory},
    {0},
};
