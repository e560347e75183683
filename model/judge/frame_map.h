/* frame_map.h: who owns which frame (O4), and what follows for the blocks that a buddy allocator must have (B17).
 *
 * Free frames are one bit each, F0; bit i of F(k+1) says that both halves of the aligned block i of order k+1 are free and
 * in one zone. So the number of free blocks of order k that no larger one contains is |F(k)| - 2 |F(k+1)|, a function of
 * which frames are free and of nothing else: no free list is kept here. Changing a range costs its words, and one bit of
 * each order above.
 */
#ifndef FRAME_MAP_H
#define FRAME_MAP_H

#include "machine.h"

/* Owners below FRAME_SLOT are not a program's; FRAME_SLOT + s is the block of slot s. */
enum frame_owner {
    FRAME_FREE,
    FRAME_FLIGHT,   /* taken during the call in progress, claimed by nobody yet */
    FRAME_PLAIN,    /* behind a block of the malloc family */
    FRAME_SLAB,     /* a slab's, or whatever else the allocator keeps for itself */
    FRAME_TABLE,    /* a page table */
    FRAME_ARRAY,    /* an area's array of pages: only pictures tell it from a slab */
    FRAME_RESERVE,  /* a pool's reserved element */
    FRAME_DEFERRED, /* of a block whose free was put off */
    FRAME_RESERVED, /* nobody's to give: before, between and behind zones */
    FRAME_OWNERS,
    FRAME_SLOT = 16,
};

#define FRAME_MAP_FRAMES 32768u

struct frame_map {
    const struct machine *machine;
    uint32_t frames; /* its geometry when the map was built */
    struct machine_zone zones[ZONES];
    uint16_t *owner;                              /* of each frame */
    uint64_t *free_bits[MACHINE_ORDERS];          /* F0 .. F10 */
    uint32_t set[ZONES][MACHINE_ORDERS];          /* |F(k)| by zone */
    uint32_t owned[FRAME_OWNERS];                 /* frames by owner; slots' are not counted here */
    uint64_t touched[FRAME_MAP_FRAMES / 64 / 64]; /* bit w: one of the frames 64 w .. 64 w + 63 has changed owner */
};

/* 0, or ENOMEM. */
int frame_map_open(struct frame_map *f);
void frame_map_close(struct frame_map *f);
/* Everything free again, on this machine; cost follows what was touched unless the geometry changed. */
void frame_map_fresh(struct frame_map *f, const struct machine *machine);

/* Frames [pfn, pfn + count) change owner. The caller has looked that they may: they are all free or all not free, in one
 * zone, and inside the machine. */
void frame_map_set(struct frame_map *f, uint32_t pfn, uint32_t count, uint16_t owner);
/* Whether no frame around this one has ever changed owner. */
static inline bool frame_map_untouched(const struct frame_map *f, uint32_t pfn)
{
    return !(f->touched[pfn / 4096] >> pfn / 64 % 64 & 1);
}
/* The first frame of [pfn, pfn + count) that has another owner; pfn + count if there is none. */
uint32_t frame_map_other(const struct frame_map *f, uint32_t pfn, uint32_t count, uint16_t owner);

static inline uint32_t frame_map_free(const struct frame_map *f, enum machine_zone_id zone) { return f->set[zone][0]; }

/* Free blocks of exactly this order, as B17 says that they must be. */
uint32_t frame_map_blocks(const struct frame_map *f, enum machine_zone_id zone, unsigned order);
/* The order of the free block that contains this free frame. */
unsigned frame_map_order(const struct frame_map *f, uint32_t pfn);
/* Whether there is one of at least this order. */
bool frame_map_has(const struct frame_map *f, enum machine_zone_id zone, unsigned order);

#endif
