/* heap.c: canaries for the correctness rules of the malloc family; broken.h is the manual. The wrappers of malloc,
 * calloc and usable_size are here, the others in the files that patches.h names. */
#include "broken.h"
#include "patches.h"
#include "wrapper.h"

#include <errno.h>
#include <string.h>

static const struct alloc_ops *const base = &alloc_freelist;

/* ---- malloc ------------------------------------------------------------------------------------------------------ */

static void *misaligned_malloc(void *heap, size_t size)
{
    unsigned char *p = base->malloc(heap, size);
    return p && size % 16 == 8 ? p + 8 : p;
}

static void misaligned_free(void *heap, void *p) { base->free(heap, (void *)((uintptr_t)p & ~(uintptr_t)15)); }

static void malloc_misaligned(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    hide_usable_size(ops);
    hide_inside(ops);
    ops->malloc = misaligned_malloc;
    ops->free = misaligned_free;
}

/* The header is added before the size is compared with anything. */
static void *wrapping_malloc(void *heap, size_t size)
{
    return base->malloc(heap, size > SIZE_MAX - 16 ? size + 16 : size);
}

static void malloc_wraps(struct alloc_ops *ops) { ops->malloc = wrapping_malloc; }

static void *truncating_malloc(void *heap, size_t size)
{
    const size_t half = SIZE_MAX >> sizeof size * 4;
    return base->malloc(heap, size > PTRDIFF_MAX ? size : size & half);
}

static void malloc_truncates(struct alloc_ops *ops)
{
    ops->realloc = NULL; /* what it refuses, malloc must refuse as well */
    ops->reallocarray = NULL;
    ops->malloc = truncating_malloc;
}

/* ---- malloc(0) --------------------------------------------------------------------------------------------------- */

/* Remembers the newest block while it lives. */
static void *remembering_malloc(void *heap, size_t size) { return memory_of(heap)->block = base->malloc(heap, size); }

static void forgetting_free(void *heap, void *p)
{
    struct memory *m = memory_of(heap);
    if (p == m->block) m->block = NULL;
    base->free(heap, p);
}

/* All zero-size blocks are one. */
static void *sharing_malloc(void *heap, size_t size)
{
    struct memory *m = memory_of(heap);
    if (size) return base->malloc(heap, size);
    if (!m->block) m->block = base->malloc(heap, 0);
    return m->block;
}

static void zero_size_shared(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    hide_usable_size(ops);
    keep_memory(ops);
    ops->malloc = sharing_malloc;
    ops->free = forgetting_free;
}

static void *aliasing_malloc(void *heap, size_t size)
{
    struct memory *m = memory_of(heap);
    return size == 0 && m->block ? m->block : remembering_malloc(heap, size);
}

static void zero_size_aliases(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    hide_usable_size(ops);
    keep_memory(ops);
    ops->malloc = aliasing_malloc;
    ops->free = forgetting_free;
}

static void *sentinel_malloc(void *heap, size_t size) { return size ? base->malloc(heap, size) : (void *)16; }

static void zero_size_sentinel(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    ops->malloc = sentinel_malloc;
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

static void *silent_malloc(void *heap, size_t size)
{
    void *p = base->malloc(heap, size);
    if (!p) errno = 0;
    return p;
}

static void refusal_without_errno(struct alloc_ops *ops) { ops->malloc = silent_malloc; }

/* The first refusal is noted in the newest block. */
static void *scribbling_malloc(void *heap, size_t size)
{
    struct memory *m = memory_of(heap);
    void *p = base->malloc(heap, size);
    if (p) m->block = p;
    else if (size && m->count++ == 0 && m->block) ++*(unsigned char *)m->block;
    return p;
}

static void refusal_scribbles(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    keep_memory(ops);
    ops->malloc = scribbling_malloc;
    ops->free = forgetting_free;
}

static void *failing_malloc(void *heap, size_t size)
{
    void *p = base->malloc(heap, size);
    return p ? p : (void *)-1;
}

static void refusal_is_minus_one(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    ops->malloc = failing_malloc;
}

static void *reporting_malloc(void *heap, size_t size)
{
    struct memory *m = memory_of(heap);
    void *p = base->malloc(heap, size);
    if (!p) m->backing->report(m->backing, REPORT_CONTRACT_WARN, NULL);
    return p;
}

static void refusal_reported(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    keep_memory(ops);
    ops->malloc = reporting_malloc;
}

/* ---- calloc ------------------------------------------------------------------------------------------------------ */

static void *wrapping_calloc(void *heap, size_t count, size_t size)
{
    void *p = base->malloc(heap, count * size);
    return p ? memset(p, 0, count * size) : NULL;
}

static void calloc_wraps(struct alloc_ops *ops) { ops->calloc = wrapping_calloc; }

static void *dirty_calloc(void *heap, size_t count, size_t size)
{
    size_t bytes;
    if (!__builtin_mul_overflow(count, size, &bytes)) return base->malloc(heap, bytes);
    errno = ENOMEM;
    return NULL;
}

static void calloc_dirty(struct alloc_ops *ops) { ops->calloc = dirty_calloc; }

/* ---- A cache of one block in front of the heap ------------------------------------------------------------------- */

static void caching_free(void *heap, void *p)
{
    struct memory *m = memory_of(heap);
    if (p == m->block) return;
    if (m->block) {
        base->free(heap, p);
        return;
    }
    m->block = p;
    m->bytes = base->usable_size(heap, p);
}

/* A block that fits exactly stays in the cache when it is handed out. */
static void *caching_malloc(void *heap, size_t size)
{
    struct memory *m = memory_of(heap);
    void *cached = m->block;
    if (!cached || size == 0 || size > m->bytes) return base->malloc(heap, size);
    if (size < m->bytes) m->block = NULL;
    return cached;
}

static void cache_hands_out_twice(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    keep_memory(ops);
    hide_inside(ops);
    drop_thrift_but(ops, 0);
    ops->malloc = caching_malloc;
    ops->free = caching_free;
}

/* ---- usable_size ------------------------------------------------------------------------------------------------- */

static size_t short_usable_size(void *heap, const void *p) { return p ? base->usable_size(heap, p) - 8 : 0; }

static void usable_too_small(struct alloc_ops *ops) { ops->usable_size = short_usable_size; }

static size_t shrinking_usable_size(void *heap, const void *p)
{
    return p == memory_of(heap)->block ? base->usable_size(heap, p) : short_usable_size(heap, p);
}

static void usable_shrinks(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    keep_memory(ops);
    ops->malloc = remembering_malloc;
    ops->free = forgetting_free;
    ops->usable_size = shrinking_usable_size;
}

static size_t long_usable_size(void *heap, const void *p) { return p ? base->usable_size(heap, p) + 16 : 0; }

static void usable_counts_header(struct alloc_ops *ops)
{
    ops->usable_size = long_usable_size;
    ops->contract.waste_max_bytes = 0;
}

/* ------------------------------------------------------------------------------------------------------------------ */

const struct canary broken_heap[] = {
    {"malloc_misaligned", "A2", "some sizes get an address 8 past the alignment", &alloc_freelist, malloc_misaligned},
    {"zero_size_shared", "A4", "all zero-size blocks are one", &alloc_freelist, zero_size_shared},
    {"zero_size_aliases", "A4", "malloc(0) gives the newest block again", &alloc_freelist, zero_size_aliases},
    {"refusal_without_errno", "A6", "malloc fails with errno 0", &alloc_freelist, refusal_without_errno},
    {"malloc_wraps", "A7", "the header is not counted in the check of the size", &alloc_freelist, malloc_wraps},
    {"refusal_scribbles", "A8", "a refusal changes a live block", &alloc_freelist, refusal_scribbles},
    {"calloc_wraps", "A9", "the product is not checked", &alloc_freelist, calloc_wraps},
    {"calloc_dirty", "A9", "the block is not cleared", &alloc_freelist, calloc_dirty},
    {"free_null_reported", "A10", "free(NULL) counts as misuse", &alloc_freelist, free_null_reported},
    {"bad_free_unnoticed", "A11", "a free of no block is passed over", &alloc_freelist, bad_free_unnoticed},
    {"free_sets_errno", "A12", "free clears errno", &alloc_freelist, free_sets_errno},
    {"write_unnoticed", "A13", "writes to freed memory are not looked for", &alloc_freelist, write_unnoticed},
    {"realloc_null_fails", "A14", "realloc(NULL, n) is refused", &alloc_freelist, realloc_null_fails},
    {"realloc_copies_half", "A15", "a block that moves loses its second half", &alloc_freelist, realloc_copies_half},
    {"realloc_frees_on_failure", "A16", "a refused realloc frees the block", &alloc_freelist, realloc_frees_on_failure},
    {"realloc_misaligned", "A17", "a block that moves is 8 past the alignment", &alloc_freelist, realloc_misaligned},
    {"realloc_zero_frees", "A18", "realloc(p, 0) frees, contrary to the contract", &alloc_freelist, realloc_zero_frees},
    {"realloc_zero_keeps", "A18", "realloc(p, 0) keeps, contrary to the contract", &alloc_freelist, realloc_zero_keeps},
    {"reallocarray_wraps", "A19", "the product is not checked", &alloc_freelist, reallocarray_wraps},
    {"malloc_truncates", "A20", "the upper half of a size is lost", &alloc_freelist, malloc_truncates},
    {"usable_too_small", "A20", "usable_size is 8 bytes short", &alloc_freelist, usable_too_small},
    {"usable_shrinks", "A20", "usable_size is right for the newest block only", &alloc_freelist, usable_shrinks},
    {"free_sized_too_strict", "A21", "free_sized reports a right size", &alloc_freelist, free_sized_too_strict},
    {"free_sized_trusts", "A21", "free_sized passes over a wrong size", &alloc_freelist, free_sized_trusts},
    {"free_aligned_sized_too_strict", "A22", "free_aligned_sized reports a right size", &alloc_freelist,
     free_aligned_sized_too_strict},
    {"aligned_alloc_size_equal", "A25", "a size equal to its alignment is not aligned", &alloc_freelist,
     aligned_alloc_size_equal},
    {"aligned_alloc_takes_any", "A25", "any alignment counts as a power of two", &alloc_freelist,
     aligned_alloc_takes_any},
    {"posix_memalign_wrong_code", "A26", "failure is -1", &alloc_freelist, posix_memalign_wrong_code},
    {"posix_memalign_sets_output", "A26", "failure changes the output", &alloc_freelist, posix_memalign_sets_output},
    {"posix_memalign_zero_aliases", "A27", "0 bytes get the newest block again", &alloc_freelist,
     posix_memalign_zero_aliases},
    {"memalign_half", "A28", "half the alignment asked for", &alloc_freelist, memalign_half},
    {"aligned_alloc_wraps", "A29", "size + alignment is not checked", &alloc_freelist, aligned_alloc_wraps},
    {"break_taken_for_granted", "A40", "the heap takes all growth of the break for its own", &alloc_sloppy,
     sloppy_ignores_break},
    {"free_trims_too_much", "A42", "free lowers the break below a live block", &alloc_freelist, free_trims_too_much},
    {"cache_hands_out_twice", "C7", "an exact fit is handed out again", &alloc_freelist, cache_hands_out_twice},
    {"usable_counts_header", "C8", "usable_size counts the header", &alloc_freelist, usable_counts_header},
    {"walk_calls_block_meta", "C9", "walk shows a live block as the heap's own record", &alloc_freelist,
     walk_calls_block_meta},
    {"free_scribbles", "C10", "free writes into the last block left", &alloc_freelist, free_scribbles},
    {"refusal_is_minus_one", "C14", "malloc fails with (void *)-1", &alloc_freelist, refusal_is_minus_one},
    {"zero_size_sentinel", "C14", "malloc(0) gives a small number", &alloc_freelist, zero_size_sentinel},
    {"walk_omits_block", "C26", "walk leaves out a live block", &alloc_freelist, walk_omits_block},
    {"check_cries_wolf", "C26", "check finds fault with a sound heap", &alloc_freelist, check_cries_wolf},
    {"usable_size_allocates", "C36", "usable_size takes a block", &alloc_freelist, usable_size_allocates},
    {"decides_on_address", "C37", "sizes depend on addresses", &alloc_freelist, decides_on_address},
    {"decides_on_old_bytes", "C37", "sizes depend on what memory held before", &alloc_freelist, decides_on_old_bytes},
    {"decides_on_contents", "C41", "free depends on what the owner wrote", &alloc_freelist, decides_on_contents},
    {"refusal_reported", "C43", "malloc reports its own refusal as misuse", &alloc_freelist, refusal_reported},
    {"bad_free_frees", "C43", "a bad free is reported and done", &alloc_freelist, bad_free_frees},
    {"interior_free_mistaken", "DIFFER", "a free inside a live block is taken for a second one", &alloc_freelist,
     interior_free_mistaken},
    {"decides_on_process", "DIFFER", "sizes depend on the process", &alloc_freelist, decides_on_process},
    {0},
};
