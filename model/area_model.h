/* area_model.h: which pages of the vmalloc window are whose (B90, B96-B99).
 *
 * A page of the window is free, an area's, a guard, or lazy: freed and unmapped, but not to be used again before the next
 * flush of the TLB. Only pages of areas that the program holds are known one by one; those that an allocator makes for
 * itself (arrays of pages, B104) are counted.
 */
#ifndef AREA_MODEL_H
#define AREA_MODEL_H

#include "kernel.h"
#include "program.h"

#define AREA_WINDOW_MAX 65536u /* pages of the largest window */

enum area_page { AREA_FREE, AREA_BUSY, AREA_GUARD, AREA_LAZY };

struct area_model {
    uint32_t pages;                 /* of the window */
    uint32_t count[4];              /* pages by enum area_page, of areas that are known */
    uint32_t inner, inner_areas;    /* pages and number of the allocator's own areas that are in use */
    uint32_t areas;                 /* known ones in use */
    bool others;                    /* the malloc family has areas too */
    bool inexact;                   /* how many pages are lazy is not known */
    uint16_t inside[PROGRAM_SLOTS]; /* pages of the allocator's own that belong to the slot's area */
    uint8_t page[AREA_WINDOW_MAX];  /* enum area_page */
    uint32_t touched, touched_end;  /* the range of pages that was not free */
    uint32_t tables;                /* page tables when last looked at: they never become fewer */
    struct area_lazy {
        uint32_t first, pages;
    } lazy[AREA_WINDOW_MAX / 2];
    uint32_t lazies;
};

void area_model_fresh(struct area_model *m, uint32_t pages);

/* The first page of [first, first + pages) that is not free; the end if all are. */
uint32_t area_model_taken(const struct area_model *m, uint32_t first, uint32_t pages);
/* An area of `pages` pages and its guard, all free so far. */
void area_model_take(struct area_model *m, uint32_t first, uint32_t pages);
/* It is freed: its pages and its guard are lazy. */
void area_model_leave(struct area_model *m, uint32_t first, uint32_t pages);
/* All that is lazy is free. */
void area_model_flush(struct area_model *m);

/* Is there a run of so many pages that are free or lazy, as far as is known? */
bool area_model_has_gap(const struct area_model *m, uint32_t pages);

#endif
