/* broken_realloc.c: wrappers of realloc and reallocarray; broken.h is the manual. */
#include "patches.h"
#include "wrapper.h"

#include <errno.h>
#include <string.h>

static const struct alloc_ops *const base = &alloc_freelist;

/* Fails once there is a block: on an empty heap the refusal itself would be what shows. */
static void *failing_realloc(void *heap, void *p, size_t size)
{
    if (p || stats_of(heap).used_blocks == 0) return base->realloc(heap, p, size);
    errno = ENOMEM;
    return NULL;
}

void realloc_null_fails(struct alloc_ops *ops)
{
    drop_thrift_but(ops, 0);
    ops->realloc = failing_realloc;
}

static void *halving_realloc(void *heap, void *p, size_t size)
{
    size_t old = base->usable_size(heap, p);
    unsigned char *q = base->realloc(heap, p, size);
    if (q && q != p) memset(q + old / 2, 0, old - old / 2);
    return q;
}

void realloc_copies_half(struct alloc_ops *ops) { ops->realloc = halving_realloc; }

/* The block of the first realloc that is refused goes to the next malloc that it can serve. */
static void *refused_realloc(void *heap, void *p, size_t size)
{
    struct memory *m = memory_of(heap);
    void *q = base->realloc(heap, p, size);
    if (!q && m->count++ == 0) m->block = p;
    return q;
}

static void *recycling_malloc(void *heap, size_t size)
{
    struct memory *m = memory_of(heap);
    void *p = m->block;
    m->block = NULL;
    if (p && size <= base->usable_size(heap, p)) return p;
    p = base->malloc(heap, size);
    m->count += !p;
    return p;
}

void realloc_frees_on_failure(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    keep_memory(ops);
    ops->malloc = recycling_malloc;
    ops->realloc = refused_realloc;
}

static void *misaligned_realloc(void *heap, void *p, size_t size)
{
    unsigned char *q = base->realloc(heap, p, size);
    return p && q && q != p ? q + 8 : q;
}

void realloc_misaligned(struct alloc_ops *ops) { ops->realloc = misaligned_realloc; }

static void *freeing_realloc(void *heap, void *p, size_t size)
{
    if (!p || size) return base->realloc(heap, p, size);
    base->free(heap, p);
    return NULL;
}

void realloc_zero_frees(struct alloc_ops *ops) { ops->realloc = freeing_realloc; }

void realloc_zero_keeps(struct alloc_ops *ops) { ops->contract.realloc_zero = REALLOC_ZERO_FREES; }

static void *wrapping_reallocarray(void *heap, void *p, size_t count, size_t size)
{
    return base->realloc(heap, p, count * size);
}

void reallocarray_wraps(struct alloc_ops *ops) { ops->reallocarray = wrapping_reallocarray; }
