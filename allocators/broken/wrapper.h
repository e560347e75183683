/* wrapper.h: what the canaries over alloc_freelist share.
 *
 * A wrapper puts itself in the place of one operation and leaves the others to the freelist, whose operations never
 * call each other through the vtable; so one operation is broken and no other. What a wrapper has to remember lies
 * behind the freelist's state.
 */
#ifndef WRAPPER_H
#define WRAPPER_H

#include "builtin.h"

#include <stdalign.h>

/* What a wrapper remembers; each uses some of it. Zero when the heap is made. */
struct memory {
    struct backing *backing;
    void *block;
    size_t bytes;
    unsigned count;
};

static inline size_t memory_offset(void)
{
    const size_t align = alignof(max_align_t);
    return (alloc_freelist.state_size + align - 1) / align * align;
}

static inline struct memory *memory_of(void *heap)
{
    return (struct memory *)(void *)((unsigned char *)heap + memory_offset());
}

static inline int init_memory(void *heap, struct backing *backing)
{
    *memory_of(heap) = (struct memory){.backing = backing};
    return alloc_freelist.init(heap, backing);
}

static inline void keep_memory(struct alloc_ops *ops)
{
    ops->state_size = memory_offset() + sizeof(struct memory);
    ops->init = init_memory;
    ops->reset = NULL;
}

/* Offers malloc, free and usable_size only, so that no other operation sees what the wrapper does to them. */
static inline void offer_only_malloc(struct alloc_ops *ops)
{
    ops->calloc = NULL;
    ops->realloc = NULL;
    ops->reallocarray = NULL;
    ops->aligned_alloc = NULL;
    ops->posix_memalign = NULL;
    ops->memalign = NULL;
    ops->free_sized = NULL;
    ops->free_aligned_sized = NULL;
}

/* For blocks that are not what they seem. Without a usable size, slack cannot be told from room for a block. */
static inline void hide_usable_size(struct alloc_ops *ops)
{
    ops->usable_size = NULL;
    ops->contract.promises &= ~(unsigned)PROMISE_EXPLAINED;
}

/* For heaps whose blocks are not what the freelist takes them for. */
static inline void hide_inside(struct alloc_ops *ops)
{
    ops->check = NULL;
    ops->walk = NULL;
    ops->stats = NULL;
    ops->contract.promises &= ~(unsigned)(PROMISE_DETECTS_BAD_FREE | PROMISE_DETECTS_SIZE);
}

/* The promises about how well memory is used: a wrapper that spends some drops them, but for the one it is to break. */
#define THRIFT \
    ((unsigned)(PROMISE_MERGES | PROMISE_EXPLAINED | PROMISE_REUSES | PROMISE_STEADY | PROMISE_SPLITS | PROMISE_DRAINS))

static inline void drop_thrift_but(struct alloc_ops *ops, unsigned kept)
{
    ops->contract.promises &= ~(THRIFT & ~kept);
    if (!(kept & PROMISE_SPLITS)) ops->contract.waste_max_bytes = 0;
}

struct search {
    const void *at;
    struct alloc_block found; /* base NULL: none yet */
};

static inline bool search_visit(void *context, const struct alloc_block *b)
{
    struct search *s = context;
    if ((uintptr_t)s->at - (uintptr_t)b->base >= b->size) return true;
    s->found = *b;
    return false;
}

/* The block in which this byte lies, header included; base NULL if and only if it lies in none. Takes linear time. */
static inline struct alloc_block block_at(void *heap, const void *at)
{
    struct search search = {.at = at};
    alloc_freelist.walk(heap, search_visit, &search);
    return search.found;
}

static inline struct alloc_stats stats_of(void *heap)
{
    struct alloc_stats stats;
    alloc_freelist.stats(heap, &stats);
    return stats;
}

#endif
