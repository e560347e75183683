/* broken_aligned.c: wrappers of aligned_alloc, posix_memalign and memalign; broken.h is the manual. */
#include "patches.h"
#include "wrapper.h"

#include <errno.h>

static const struct alloc_ops *const base = &alloc_freelist;

static void *equal_aligned_alloc(void *heap, size_t align, size_t size)
{
    return size == align ? base->malloc(heap, size) : base->aligned_alloc(heap, align, size);
}

void aligned_alloc_size_equal(struct alloc_ops *ops) { ops->aligned_alloc = equal_aligned_alloc; }

static void *lenient_aligned_alloc(void *heap, size_t align, size_t size)
{
    return align & (align - 1) ? base->malloc(heap, size) : base->aligned_alloc(heap, align, size);
}

void aligned_alloc_takes_any(struct alloc_ops *ops) { ops->aligned_alloc = lenient_aligned_alloc; }

static void *wrapping_aligned_alloc(void *heap, size_t align, size_t size)
{
    return base->aligned_alloc(heap, align, size + align < size ? size + align : size);
}

void aligned_alloc_wraps(struct alloc_ops *ops) { ops->aligned_alloc = wrapping_aligned_alloc; }

static int confused_posix_memalign(void *heap, void **out, size_t align, size_t size)
{
    int error = base->posix_memalign(heap, out, align, size);
    if (error) errno = error;
    return error ? -1 : 0;
}

void posix_memalign_wrong_code(struct alloc_ops *ops) { ops->posix_memalign = confused_posix_memalign; }

static int spoiling_posix_memalign(void *heap, void **out, size_t align, size_t size)
{
    int error = base->posix_memalign(heap, out, align, size);
    if (error == ENOMEM) *out = (void *)-1;
    return error;
}

void posix_memalign_sets_output(struct alloc_ops *ops) { ops->posix_memalign = spoiling_posix_memalign; }

static void *remembering_malloc(void *heap, size_t size) { return memory_of(heap)->block = base->malloc(heap, size); }

static void forgetting_free(void *heap, void *p)
{
    struct memory *m = memory_of(heap);
    if (p == m->block) m->block = NULL;
    base->free(heap, p);
}

static int aliasing_posix_memalign(void *heap, void **out, size_t align, size_t size)
{
    struct memory *m = memory_of(heap);
    const bool legal = align >= sizeof(void *) && !(align & (align - 1));
    if (size || !m->block || !legal || (uintptr_t)m->block & (align - 1))
        return base->posix_memalign(heap, out, align, size);
    *out = m->block;
    return 0;
}

void posix_memalign_zero_aliases(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    hide_usable_size(ops);
    keep_memory(ops);
    ops->malloc = remembering_malloc;
    ops->free = forgetting_free;
    ops->posix_memalign = aliasing_posix_memalign;
}

static void *halving_memalign(void *heap, size_t align, size_t size)
{
    return base->memalign(heap, align > 1 ? align / 2 : align, size);
}

void memalign_half(struct alloc_ops *ops) { ops->memalign = halving_memalign; }
