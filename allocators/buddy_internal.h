/* buddy_internal.h: blocks of frames, below requests and their rules. Shared by buddy.c and its siblings. */
#ifndef BUDDY_INTERNAL_H
#define BUDDY_INTERNAL_H

#include "buddy.h"

/* Marks and reserves of all zones (buddy_zones.c). */
void buddy_set_marks(struct buddy *b);

/* highmem.c */
void highmem_reset(struct buddy *b);
const char *highmem_check(const struct buddy *b);

/* A free block of zone z is entered in the map, and removed; neither the frames nor the merging is looked after. */
void block_list(struct buddy *b, struct buddy_zone *z, uint32_t pfn, unsigned order);
void block_unlist(struct buddy *b, struct buddy_zone *z, uint32_t pfn);

/* The smallest order >= `order` of which the zone has a free block; MACHINE_ORDERS if it has none. */
unsigned block_best(const struct buddy_zone *z, unsigned order);

/* Takes 2^order frames from the zone's best block, its low part (B15). The head, with one reference; the zone must have
 * such a block. gfp is what machine_take is told. */
struct page *block_take(struct buddy *b, enum machine_zone_id zone, unsigned order, unsigned gfp);

/* Gives the frames of a block, or a piece of one, back and merges them (B16): aligned to 2^order, not free, in one zone. */
void block_give(struct buddy *b, uint32_t pfn, unsigned order);

/* Gives any run of frames back. */
void block_give_run(struct buddy *b, uint32_t pfn, uint32_t count);

/* Makes each of `count` frames a used block of its own; the first one's record is the pattern of all. */
void block_crumble(struct buddy *b, uint32_t pfn, uint32_t count);

/* One more frame for a bulk request, if there is memory above the low mark; nothing is waited for or woken. */
struct page *buddy_alloc_fast(struct buddy *b, unsigned gfp);

#endif
