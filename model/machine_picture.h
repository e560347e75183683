/* machine_picture.h: a machine as it was when a run ended, for those who draw it: who owned which frame, what was left in
 * each zone, what was mapped where.
 *
 * It is made from what the model knows and from the machine's own page tables, never from what an allocator says of itself.
 */
#ifndef MACHINE_PICTURE_H
#define MACHINE_PICTURE_H

#include "area_model.h"
#include "frame_map.h"

#define PICTURE_AREAS_MAX 64u
#define PICTURE_AREA_PAGES_MAX 16u /* of areas whose frames are told page by page */
#define PICTURE_KMAPS_MAX 64u

/* Owners of a page of the window; PICTURE_SLOT + s is the area of slot s, as FRAME_SLOT + s is in a frame. */
enum picture_page {
    PICTURE_FREE,
    PICTURE_GUARD,
    PICTURE_LAZY, /* freed, and not to be used before the next flush of the TLB */
    PICTURE_INNER, /* mapped for the allocator itself, for a block of the malloc family, or for what a call is about to give */
    PICTURE_SLOT = FRAME_SLOT,
};

struct machine_picture {
    uint32_t frames; /* 0: the run was on no machine, and nothing else is said */
    uint8_t config;  /* enum machine_config */
    uint8_t max_order;
    bool no_watermarks, scatter;
    uint32_t page_bytes, lowmem_frames;
    uint32_t fault_pfn;  /* the frame where a broken rule shows, PFN_NONE if it shows in none */
    uint32_t fault_page; /* and the page of the window, PFN_NONE likewise */
    struct picture_zone {
        uint32_t start, end; /* frames [start, end) */
        uint32_t free, min, low, high;
        uint32_t blocks[MACHINE_ORDERS]; /* free blocks of each order, as they follow from the free frames (B17) */
    } zones[ZONES];
    uint32_t window_pages, mapped, window_offset; /* offset: bytes from frame 0 of the direct map */
    uint32_t table_pages;                         /* pages that one page table maps */
    uint32_t area_count, areas_left_out, kmap_count;
    struct picture_area { /* in the order of addresses */
        uint32_t first, pages;
        uint16_t slot;
        bool alias;                            /* made by vmap: the frames are another slot's */
        uint32_t pfns[PICTURE_AREA_PAGES_MAX]; /* behind the first of them */
    } areas[PICTURE_AREAS_MAX];
    struct picture_kmap {
        uint32_t index, pfn, slot, count; /* of pkmap; how often it was mapped */
        bool local;
    } kmaps[PICTURE_KMAPS_MAX];
    uint16_t owner[FRAME_MAP_FRAMES]; /* of each frame: enum frame_owner, or FRAME_SLOT + slot */
    uint16_t window[AREA_WINDOW_MAX]; /* of each page: enum picture_page, or PICTURE_SLOT + slot */
    uint32_t
        tables[AREA_WINDOW_MAX / 512]; /* frame of the page table for pages [i, i + 1) * table_pages, or PFN_NONE */
};

struct exec;

/* Fills the picture as things stand; frames = 0 where there is no machine. Reads memory of ours and of the machine alone, so
 * that it may be called after a fault. `fault` is the address where a rule broke, `slot` a slot of the kernel group that the
 * verdict names; NULL and PROGRAM_SLOTS for none. */
void machine_picture_take(const struct exec *x, struct machine_picture *picture, const void *fault, unsigned slot);

#endif
