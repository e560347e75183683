/* tags.c: blocks, their list, malloc, free and calloc; tags.h is the manual. */
#include "tags.h"

size_t tags_block_for(const struct tags *h, size_t request)
{
    const size_t mask = has(h, sizes_not_rounded) && request % 64 == 40 ? 7 : TAGS_ALIGN - 1;
    size_t most = PTRDIFF_MAX - TAG_BYTES - TAGS_ALIGN;
#if SIZE_MAX == UINT32_MAX
    if (has(h, limit_for_64_bits)) most = SIZE_MAX;
#endif
    if (request > most) return 0;
    size_t size = TAG_BYTES + ((request + mask) & ~mask);
    if (has(h, request_in_16_bits)) size = (uint16_t)(size / TAGS_ALIGN) * TAGS_ALIGN;
    if (has(h, request_in_31_bits) && (int32_t)size < 0) size = 0;
    return size < TAGS_BLOCK_MIN ? TAGS_BLOCK_MIN : size;
}

/* ---- The list ---------------------------------------------------------------------------------------------------- */

static struct tag_links *links_of(struct tag *b) { return (struct tag_links *)(void *)(b + 1); }

static void link_first(struct tags *h, struct tag *b)
{
    *links_of(b) = (struct tag_links){.next = h->free};
    if (h->free) links_of(h->free)->previous = b;
    h->free = b;
}

void tags_unlink(struct tags *h, struct tag *b)
{
    const struct tag_links *l = links_of(b);
    if (l->next && !has(h, unlinks_forward_only)) links_of(l->next)->previous = l->previous;
    if (l->previous) links_of(l->previous)->next = l->next;
    else h->free = l->next;
}

static struct tag *find(struct tags *h, size_t size)
{
    unsigned looks = 0;
    for (struct tag *b = h->free; b; b = links_of(b)->next) {
        if (has(h, search_gives_up) && ++looks > 8) break;
        if (has(h, search_starts_behind) && b < h->mark) continue;
        const size_t have = tag_size(b) + (has(h, fit_forgets_header) ? TAG_BYTES : 0);
        if (have >= size) return b;
        if (has(h, refusal_loses_block) && have + TAGS_ALIGN == size) {
            tags_unlink(h, b);
            return NULL;
        }
    }
    return NULL;
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

/* The neighbour that a freed block is merged with, if it is free; NULL: it is not. */
static struct tag *free_before(const struct tags *h, const struct tag *b)
{
    if (!b->before || has(h, merges_not_before)) return NULL;
    struct tag *before = tag_before(b);
    if (has(h, merges_not_first) && before == h->first) return NULL;
    if (has(h, merges_with_used) && tag_size(before) == TAGS_BLOCK_MIN + 2 * TAGS_ALIGN) return before;
    return tag_used(before) ? NULL : before;
}

static struct tag *free_behind(const struct tags *h, const struct tag *b)
{
    struct tag *behind = tag_behind(b);
    if (!tag_free_behind(h, b) || has(h, merges_not_behind)) return NULL;
    return has(h, merges_not_last) && tag_behind(behind) == h->end ? NULL : behind;
}

void tags_release(struct tags *h, struct tag *b)
{
    size_t size = tag_size(b);
    struct tag *behind = free_behind(h, b), *before = free_before(h, b);
    if (behind) {
        tags_unlink(h, behind);
        size += tag_size(behind);
    }
    if (before) {
        if (!tag_used(before) && !has(h, linked_twice)) tags_unlink(h, before);
        size += tag_size(before);
        if (has(h, merged_stays_listed)) link_first(h, b);
        b = before;
    }
    b->size = size;
    if (!(before && has(h, merged_tag_stale))) tag_set(h, b, size, 0);
    link_first(h, b);
}

void tags_use(struct tags *h, struct tag *b, size_t size)
{
    size_t least = TAGS_BLOCK_MIN;
    if (has(h, remainder_too_small)) least = TAG_BYTES;
    size_t left = tag_size(b) > size ? tag_size(b) - size : 0;
    if (left < least) {
        tag_set(h, b, tag_size(b), TAGS_USED);
    } else {
        struct tag *behind = tag_behind(b);
        const bool stale = has(h, remainder_tag_stale) && behind != h->end && tag_used(behind);
        const size_t tag = stale ? behind->before : 0;
        tag_set(h, b, size, TAGS_USED);
        struct tag *rest = tag_behind(b);
        tag_set(h, rest, left, has(h, remainder_lost) ? TAGS_USED : 0);
        if (!has(h, remainder_lost)) tags_release(h, rest);
        if (stale) behind->before = tag;
    }
    if (tag_behind(b) > h->top_used) h->top_used = tag_behind(b);
}

/* ---- malloc, free, calloc ------------------------------------------------------------------------------------------- */

static void *take(struct tags *h, size_t size)
{
    struct tag *b = size ? find(h, size) : NULL;
    if (!b) return tags_refuse();
    tags_unlink(h, b);
    tags_use(h, b, size);
    if (has(h, search_starts_behind) && b > h->mark && !links_of(b)->previous) h->mark = b;
    return b + 1;
}

void *tags_malloc(void *heap, size_t size) { return take(heap, tags_block_for(heap, size)); }

void tags_free(void *heap, void *p)
{
    struct tags *h = heap;
    if (!p) return;
    struct tag *b = tag_of(p);
    b->size &= ~TAGS_USED;
    tags_release(h, b);
}

static void *tags_calloc(void *heap, size_t count, size_t size)
{
    struct tags *h = heap;
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return tags_refuse();
    struct tag *const top = h->top_used;
    size_t block = tags_block_for(h, bytes);
    if (has(h, calloc_adds_header_unchecked)) block = (bytes + TAG_BYTES + TAGS_ALIGN - 1) & ~(TAGS_ALIGN - 1);
    if (block && block < TAGS_BLOCK_MIN) block = TAGS_BLOCK_MIN;
    void *p = take(h, block);
    if (!p) return NULL;
    if (has(h, calloc_trusts_top) && tag_of(p) >= top) return p;
    if (has(h, calloc_trusts_top) && tag_behind(tag_of(p)) >= top) bytes = 0;
    if (has(h, calloc_clears_first_only) && count > 1 && size > 1) bytes = size;
    if (has(h, calloc_clears_header_too)) bytes = tag_size(tag_of(p));
    return memset(p, 0, bytes);
}

/* ---- The rest of the interface -------------------------------------------------------------------------------------- */

static void *tags_aligned_alloc(void *heap, size_t align, size_t size)
{
    if (!align || align & (align - 1)) {
        errno = EINVAL;
        return NULL;
    }
    return tags_memalign(heap, align, size);
}

static size_t tags_usable_size(void *heap, const void *p)
{
    (void)heap;
    return p ? tag_size(tag_of(p)) - TAG_BYTES : 0;
}

static int start(void *heap, struct backing *backing, enum tags_bug bug)
{
    struct tags *h = heap;
    *h = (struct tags){.bug = bug};
    const uintptr_t mask = TAGS_ALIGN - 1, base = (uintptr_t)backing->base;
    size_t bytes = has(h, region_size_in_32_bits) ? (uint32_t)backing->size : backing->size;
    uintptr_t from = has(h, region_base_taken_as_aligned) ? (base + 7) & ~(uintptr_t)7 : (base + mask) & ~mask;
    if (backing->kind != BACKING_REGION) return EINVAL;
    if (bytes < TAGS_BLOCK_MIN + 2 * TAGS_ALIGN) return ENOMEM;
    if (!has(h, region_aligned_not_shortened)) bytes -= from - base;
    bytes = (has(h, region_end_rounded_up) ? bytes + mask : bytes) & ~(size_t)mask;
    h->first = (struct tag *)from;
    h->top_used = h->mark = h->first;
    h->end = tag_at(h->first, bytes);
    h->first->before = 0;
    h->first->size = bytes;
    link_first(h, h->first);
    return 0;
}

static int init_sound(void *heap, struct backing *backing) { return start(heap, backing, SOUND); }
static void tags_fini(void *heap) { (void)heap; }

static void tags_walk(void *heap, alloc_visit *visit, void *context)
{
    const struct tags *h = heap;
    for (struct tag *b = h->first; b < h->end; b = tag_behind(b)) {
        const struct alloc_block shown = {.base = b,
                                          .size = tag_size(b),
                                          .payload = tag_used(b) ? b + 1 : NULL,
                                          .state = tag_used(b) ? BLOCK_USED : BLOCK_FREE};
        if (!shown.size || !visit(context, &shown)) return;
    }
}

const struct alloc_ops alloc_tags = {
    .abi = ALLOC_ABI,
    .name = "tags",
    .summary = "first fit over a region, boundary tags",
    .contract = {.backing = BACKING_REGION,
                 .align_min = TAGS_ALIGN,
                 .align_max = 4096,
                 .zero_size = ZERO_SIZE_UNIQUE,
                 .promises = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_ALIGN_CHECKED |
                             PROMISE_MERGES | PROMISE_EXPLAINED | PROMISE_REUSES | PROMISE_SPLITS | PROMISE_DRAINS |
                             PROMISE_DETERMINISTIC,
                 .header_bytes = TAG_BYTES,
                 .block_min_bytes = TAGS_BLOCK_MIN - TAG_BYTES,
                 .overhead_bytes = 2 * (TAGS_ALIGN - 1),
                 .waste_max_bytes = 2 * TAGS_BLOCK_MIN,
                 .size_min_bytes = TAGS_BLOCK_MIN + 3 * TAGS_ALIGN},
    .state_size = sizeof(struct tags),
    .init = init_sound,
    .fini = tags_fini,
    .malloc = tags_malloc,
    .free = tags_free,
    .calloc = tags_calloc,
    .realloc = tags_realloc,
    .aligned_alloc = tags_aligned_alloc,
    .memalign = tags_memalign,
    .usable_size = tags_usable_size,
    .walk = tags_walk,
};

/* ---- The canaries --------------------------------------------------------------------------------------------------- */

#define BUG_PATCH(name, rule, summary)                                                     \
    static int init_##name(void *heap, struct backing *b) { return start(heap, b, name); } \
    static void patch_##name(struct alloc_ops *ops)                                        \
    {                                                                                      \
        ops->init = init_##name;                                                           \
        if (name == calloc_trusts_top) ops->contract.promises |= PROMISE_TRUSTS_ZERO;      \
    }
TAGS_BUGS(BUG_PATCH)
TAGS_BUGS_32(BUG_PATCH)

#define BUG_ROW(name, rule, summary) {#name, rule, summary, &alloc_tags, patch_##name},
const struct canary broken_tags[] = {TAGS_BUGS(BUG_ROW) TAGS_BUGS_32(BUG_ROW){0}};
