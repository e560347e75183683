/* tags_resize.c: realloc and memalign; tags.h is the manual. */
#include "tags.h"

/* ---- realloc ------------------------------------------------------------------------------------------------------ */

static void *shrink(struct tags *h, struct tag *b, size_t size)
{
    const size_t left = tag_size(b) - size;
    if (has(h, shrink_below_links) && left >= TAGS_BLOCK_MIN && size == TAGS_BLOCK_MIN) size = TAG_BYTES;
    if (left < TAGS_BLOCK_MIN) return b + 1;
    if (has(h, shrink_scribbles)) memset(b + 1, 0, sizeof(size_t));
    if (has(h, shrink_off_by_header) && size >= 2 * TAGS_BLOCK_MIN) size -= TAG_BYTES;
    if (has(h, shrink_loses_tail)) {
        const size_t tail = tag_size(b) - size;
        tag_set(h, b, size, TAGS_USED);
        tag_set(h, tag_behind(b), tail, TAGS_USED);
        return b + 1;
    }
    tags_use(h, b, size);
    return b + 1;
}

/* In place, with what is free behind it; NULL, and nothing changed, if that is too little. */
static void *grow(struct tags *h, struct tag *b, size_t size)
{
    struct tag *next = tag_behind(b);
    if (next == h->end) return NULL;
    size_t have = tag_size(b) + tag_size(next);
    if (has(h, grow_takes_live) && tag_used(next) && have >= size && tag_size(next) > 8 * TAGS_ALIGN) {
        tag_set(h, b, have, TAGS_USED);
        return b + 1;
    }
    if (tag_used(next)) return NULL;
    if (has(h, grow_counts_header_twice)) have += TAG_BYTES;
    if (have < size) return NULL;
    tags_unlink(h, next);
    tag_set(h, b, tag_size(b) + tag_size(next), TAGS_USED);
    if (has(h, grow_takes_next_whole)) return b + 1;
    tags_use(h, b, size);
    return b + 1;
}

/* With what is free before it, and behind it; NULL, and nothing changed, if that is too little. */
static void *grow_down(struct tags *h, struct tag *b, size_t size, size_t keep)
{
    struct tag *before = b->before ? tag_before(b) : b, *next = tag_behind(b);
    if (before == b || tag_used(before)) return NULL;
    size_t have = tag_size(before) + tag_size(b) + (tag_free_behind(h, b) ? tag_size(next) : 0);
    if (have < size && !has(h, grow_down_forgets_failure)) return NULL;
    tags_unlink(h, before);
    if (tag_free_behind(h, b)) tags_unlink(h, next);
    if (has(h, grow_down_copies_forward)) {
        for (size_t i = keep; i-- > 0;) ((unsigned char *)(before + 1))[i] = ((unsigned char *)(b + 1))[i];
    } else {
        memmove(before + 1, b + 1, keep);
    }
    tag_set(h, before, have, TAGS_USED);
    if (have < size) return NULL;
    tags_use(h, before, size);
    return before + 1;
}

static void *move(struct tags *h, struct tag *b, size_t request, size_t keep)
{
    if (has(h, move_frees_first)) tags_free(h, b + 1);
    void *q = tags_malloc(h, request);
    if (!q) return NULL;
    if (has(h, move_overreads)) keep = request;
    if (has(h, move_overcopies)) keep += TAG_BYTES;
    if (has(h, move_copies_request_only)) keep = (keep - 1) & ~(sizeof(size_t) - 1);
    memmove(q, b + 1, keep);
    if (!has(h, move_keeps_old) && !has(h, move_frees_first)) tags_free(h, b + 1);
    return q;
}

void *tags_realloc(void *heap, void *p, size_t request)
{
    struct tags *h = heap;
    if (!p) return tags_malloc(h, request);
    struct tag *b = tag_of(p);
    const size_t had = tag_size(b);
    size_t size = tags_block_for(h, request);
    if (has(h, realloc_size_unchecked)) size = (request + TAG_BYTES + TAGS_ALIGN - 1) & ~(TAGS_ALIGN - 1);
    if (size && size < TAGS_BLOCK_MIN) size = TAGS_BLOCK_MIN;
    if (!size) return tags_refuse();
    if (has(h, realloc_fits_by_request) && had * 2 >= size && had > 256) return p;
    if (size <= had && !(has(h, grow_by_nothing) && size == had)) return shrink(h, b, size);
    void *q = NULL;
    if (size == had && tag_free_behind(h, b)) { /* grow_by_nothing */
        struct tag *next = tag_behind(b);
        tags_unlink(h, next);
        tag_set(h, b, had + TAG_BYTES, TAGS_USED);
        return p;
    }
    if (size == had) return p;
    q = grow(h, b, size);
    if (!q) q = grow_down(h, b, size, had - TAG_BYTES);
    if (!q) q = move(h, b, request, had - TAG_BYTES);
    return q;
}

/* ---- memalign ----------------------------------------------------------------------------------------------------- */

void *tags_memalign(void *heap, size_t align, size_t size)
{
    struct tags *h = heap;
    if (align <= TAGS_ALIGN) return tags_malloc(h, size);
    if (has(h, aligned_above_page_halved) && align > 512) align = 512;
    size_t block = tags_block_for(h, size);
    if ((!block || align > PTRDIFF_MAX / 2) && !has(h, memalign_size_unchecked)) return tags_refuse();
    if (block < TAGS_BLOCK_MIN) block = TAGS_BLOCK_MIN;
    void *p = tags_malloc(h, size + align + TAGS_BLOCK_MIN);
    if (!p && !has(h, aligned_adjusts_null)) return NULL;
    if (!p) return (void *)(uintptr_t)align;
    struct tag *b = tag_of(p);
    uintptr_t at = ((uintptr_t)p + align - 1) & ~(uintptr_t)(align - 1);
    const size_t least = has(h, aligned_gap_too_small) ? TAG_BYTES : TAGS_BLOCK_MIN;
    if (has(h, aligned_by_mask_of_size) && (uintptr_t)p % align < TAGS_BLOCK_MIN && (uintptr_t)p % align)
        at = (uintptr_t)p;
    const bool aligned = at == (uintptr_t)p && !has(h, aligned_gap_of_nothing);
    if (!aligned && at != (uintptr_t)p)
        while (at - (uintptr_t)p < least) at += align;
    const size_t gap = at - (uintptr_t)p, whole = tag_size(b);
    struct tag *a = tag_at(b, gap), *behind = tag_behind(b);
    if (gap || !aligned) {
        tag_set(h, b, gap, has(h, aligned_gap_lost) ? TAGS_USED : 0);
        tag_set(h, a, whole - gap, TAGS_USED);
        if (!has(h, aligned_gap_lost)) tags_release(h, b);
    }
    tags_use(h, a, has(h, aligned_cut_to_unaligned_size) && gap ? block - TAGS_ALIGN : block);
    if (has(h, aligned_tail_tag_stale) && gap && tag_behind(a) == behind && behind != h->end) behind->before = whole;
    return a + 1;
}
