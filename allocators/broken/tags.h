/* tags.h: a heap with boundary tags in which what public allocators got wrong is planted; origins.c says who did.
 *
 *     first                                                     end
 *      |header|payload......|header|links|....|header|payload...|
 *
 * First fit over a region, on a list of free blocks with the newest first. A header holds the sizes of its own block and of
 * the one before it. Neighbours that are free are merged
 * at once. Sound until it is given a bug: `has` is the only difference between one canary and the next.
 */
#ifndef TAGS_H
#define TAGS_H

#include "broken.h"

#include <errno.h>
#include <string.h>

/* BUG(name, rule, summary): the rule is the one that it is found by. */
#if SIZE_MAX == UINT32_MAX
#define TAGS_BUGS_32(BUG) \
    BUG(limit_for_64_bits, "A7", "the largest request is checked against a bound of 64-bit machines")
#else
#define TAGS_BUGS_32(BUG)
#endif
#define TAGS_BUGS(BUG)                                                                                            \
    /* init */                                                                                                    \
    BUG(region_base_taken_as_aligned, "A2", "the region's first byte is taken for an aligned one")                \
    BUG(region_aligned_not_shortened, "C8", "aligning the base moves the end along, out of the region")           \
    BUG(region_end_rounded_up, "C8", "a region of odd size is rounded up to whole granules")                      \
    BUG(region_size_in_32_bits, "C31", "the size of the region is kept in 32 bits")                               \
    /* sizes */                                                                                                   \
    BUG(request_in_16_bits, "A20", "blocks are counted in units, in 16 bits")                                     \
    BUG(request_in_31_bits, "A20", "a size is compared as an int")                                                \
    BUG(calloc_adds_header_unchecked, "CRASH", "the product is checked, the header added to it is not")           \
    BUG(realloc_size_unchecked, "A7", "the check of malloc is missing in realloc")                                \
    BUG(memalign_size_unchecked, "A29", "the check of malloc is missing in memalign")                             \
    BUG(sizes_not_rounded, "A2", "a block is split at a size that is no multiple of the alignment")               \
    BUG(fit_forgets_header, "A20", "a gap counts as large enough if it holds the payload")                        \
    /* splitting and merging */                                                                                   \
    BUG(remainder_too_small, "CRASH", "a remainder is split off that holds a header and no links")                \
    BUG(remainder_lost, "C31", "what is left of a block is put on no list")                                       \
    BUG(remainder_tag_stale, "C27", "the block behind a split one is not told who is before it now")              \
    BUG(merges_not_before, "C27", "a freed block is not merged with the free one before it")                      \
    BUG(merges_not_behind, "C27", "a freed block is not merged with the free one behind it")                      \
    BUG(merges_not_first, "C27", "the first block of the region is never merged with")                            \
    BUG(merges_not_last, "C31", "the last block of the region is never merged with")                              \
    BUG(merged_stays_listed, "C10", "a block that was merged into the one before it is still on the list")        \
    BUG(merged_tag_stale, "CRASH", "the block behind a merged one is not told how long it is")                    \
    BUG(merges_with_used, "A23", "only the size of the block before is looked at, not whether it is free")        \
    BUG(unlinks_forward_only, "CRASH", "the list is mended in one direction")                                     \
    BUG(linked_twice, "C10", "a free block that grows is linked a second time, which makes a circle of the list") \
    BUG(refusal_loses_block, "C31", "a block that turns out too small is not put back on the list")               \
    BUG(search_starts_behind, "C31", "the search starts at a mark that a free below it does not lower")           \
    BUG(search_gives_up, "C31", "the search ends after eight blocks")                                             \
    /* calloc */                                                                                                  \
    BUG(calloc_trusts_top, "A9", "what lies at the end of the heap counts as never used")                         \
    BUG(calloc_clears_header_too, "C31", "the size cleared counts the header")                                    \
    BUG(calloc_clears_first_only, "A9", "one element is cleared")                                                 \
    /* realloc */                                                                                                 \
    BUG(shrink_below_links, "A20", "a block is shrunk to less than its links need when it is freed")              \
    BUG(shrink_off_by_header, "A20", "the tail split off begins a header too early")                              \
    BUG(shrink_scribbles, "A15", "shrinking overwrites the first bytes of the block")                             \
    BUG(shrink_loses_tail, "C31", "the tail of a shrunk block is put on no list")                                 \
    BUG(grow_by_nothing, "CRASH", "growing within the block splits a tail of no bytes off the next")              \
    BUG(grow_takes_live, "A23", "growing looks at the size of the next block, not whether it is free")            \
    BUG(grow_takes_next_whole, "A23", "all of the next block is taken")                                           \
    BUG(grow_counts_header_twice, "A20", "the next block counts as a header longer than it is")                   \
    BUG(grow_down_copies_forward, "A15", "growing into the block before copies with overlap, backwards")          \
    BUG(grow_down_forgets_failure, "A16", "the block before is taken though both are too small")                  \
    BUG(move_overreads, "CRASH", "as many bytes are copied as the new block has")                                 \
    BUG(move_overcopies, "CRASH", "the old block's header is counted in what is copied")                          \
    BUG(move_keeps_old, "C31", "the old block is not freed")                                                      \
    BUG(move_copies_request_only, "A15", "the last bytes that do not fill a word are not copied")                 \
    BUG(move_frees_first, "A15", "the old block is freed before it is copied")                                    \
    BUG(realloc_fits_by_request, "A23", "a block is kept if it has half of what is asked for")                    \
    /* aligned */                                                                                                 \
    BUG(aligned_cut_to_unaligned_size, "A20", "the tail is cut off as if the block began unaligned")              \
    BUG(aligned_gap_too_small, "A23", "what is before the aligned address is freed, however small")               \
    BUG(aligned_gap_lost, "C31", "what is before the aligned address is put on no list")                          \
    BUG(aligned_gap_of_nothing, "CRASH", "a block that is aligned already gives back a gap of no bytes")          \
    BUG(aligned_tail_tag_stale, "C10", "the block behind the aligned one is not told of the gap")                 \
    BUG(aligned_by_mask_of_size, "A25", "the address is rounded down, not up")                                    \
    BUG(aligned_adjusts_null, "C14", "a refusal is aligned like an address")                                      \
    BUG(aligned_above_page_halved, "A25", "alignments above 512 are cut to 512")

#define BUG_NAME(name, rule, summary) name,
enum tags_bug { SOUND, TAGS_BUGS(BUG_NAME) TAGS_BUGS_32(BUG_NAME) };
#undef BUG_NAME

#define TAGS_ALIGN _Alignof(max_align_t)
#define TAGS_USED ((size_t)1)

struct tag {
    _Alignas(max_align_t) size_t before; /* bytes of the block before this one; 0: it is the first */
    size_t size;                         /* bytes of this block, its header included, | TAGS_USED */
};

struct tag_links { /* in the payload of a free block */
    struct tag *next, *previous;
};

struct tags {
    struct tag *first, *end; /* the end: nothing is there */
    struct tag *free;
    struct tag *top_used; /* the end of whatever was in use once */
    struct tag *mark;     /* search_starts_behind */
    enum tags_bug bug;
};

#define TAG_BYTES sizeof(struct tag)
#define TAGS_BLOCK_MIN (TAG_BYTES + (sizeof(struct tag_links) + TAGS_ALIGN - 1) / TAGS_ALIGN * TAGS_ALIGN)

static inline bool has(const struct tags *h, enum tags_bug bug) { return h->bug == bug; }
static inline size_t tag_size(const struct tag *b) { return b->size & ~TAGS_USED; }
static inline bool tag_used(const struct tag *b) { return b->size & TAGS_USED; }
static inline struct tag *tag_at(const void *p, size_t offset) { return (struct tag *)((uintptr_t)p + offset); }
static inline struct tag *tag_behind(const struct tag *b) { return tag_at(b, tag_size(b)); }
static inline struct tag *tag_before(const struct tag *b) { return tag_at(b, -b->before); }
static inline struct tag *tag_of(const void *p) { return tag_at(p, -TAG_BYTES); }

/* Sizes b, and tells the block behind it. */
static inline void tag_set(struct tags *h, struct tag *b, size_t size, size_t used)
{
    b->size = size | used;
    if (tag_behind(b) != h->end) tag_behind(b)->before = size;
}

/* Is there a free block behind b? */
static inline bool tag_free_behind(const struct tags *h, const struct tag *b)
{
    return tag_behind(b) != h->end && !tag_used(tag_behind(b));
}

static inline void *tags_refuse(void)
{
    errno = ENOMEM;
    return NULL;
}

/* The bytes that a block for this request takes; 0 if and only if there is no such block. */
size_t tags_block_for(const struct tags *h, size_t request);

/* Takes b off the list. */
void tags_unlink(struct tags *h, struct tag *b);

/* Makes the unlisted block b a used one of `size` bytes, of which it has so many; a remainder that can be a block is
 * given back. */
void tags_use(struct tags *h, struct tag *b, size_t size);

/* Puts the unlisted block b on the list, merged with its free neighbours. */
void tags_release(struct tags *h, struct tag *b);

void *tags_malloc(void *heap, size_t size);
void tags_free(void *heap, void *p);

/* tags_resize.c */
void *tags_realloc(void *heap, void *p, size_t size);
void *tags_memalign(void *heap, size_t align, size_t size);

#endif
