/* patches.h: the canaries' patches, by the file that defines them. */
#ifndef PATCHES_H
#define PATCHES_H

#include "alloc.h"

typedef void canary_patch(struct alloc_ops *ops);

/* sloppy.c: a heap of its own, correct before it is patched. */
extern const struct alloc_ops alloc_sloppy;
canary_patch sloppy_merges_late, sloppy_merges_forward, sloppy_never_merges, sloppy_never_splits, sloppy_ignores_break;

/* broken_free.c */
canary_patch free_null_reported, bad_free_unnoticed, bad_free_frees, interior_free_mistaken, free_sets_errno,
    write_unnoticed, free_sized_too_strict, free_sized_trusts, free_aligned_sized_too_strict, free_scribbles,
    free_trims_too_much;

/* broken_realloc.c */
canary_patch realloc_null_fails, realloc_copies_half, realloc_frees_on_failure, realloc_misaligned, realloc_zero_frees,
    realloc_zero_keeps, reallocarray_wraps;

/* broken_aligned.c */
canary_patch aligned_alloc_size_equal, aligned_alloc_takes_any, aligned_alloc_wraps, posix_memalign_wrong_code,
    posix_memalign_sets_output, posix_memalign_zero_aliases, memalign_half;

/* broken_inside.c: what the heap shows of itself, and what it decides on. */
canary_patch walk_calls_block_meta, walk_omits_block, walk_omits_free, check_cries_wolf, usable_size_allocates,
    decides_on_address, decides_on_old_bytes, decides_on_contents, decides_on_process;

/* broken_returns.c */
canary_patch calloc_clears_null, writes_past_the_end, aborts_when_full, exits_when_full, hangs_on_free_list,
    takes_host_memory;

#endif
