/* area_model.h: what becomes of the pages of the vmalloc window (B90, B96-B99).
 *
 * Known from events alone, so the allocator's own areas (arrays of pages, B104) and those of the malloc family count like
 * any other. A page that was unmapped is lazy until the next flush of the TLB, and so is the guard behind it; one that is
 * mapped again before that is stale: the processor may still go to the old frame (B98).
 */
#ifndef AREA_MODEL_H
#define AREA_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define AREA_WINDOW_MAX 65536u /* pages of the largest window */

#define AREA_TABLES 8u

enum area_page { AREA_FREE, AREA_BUSY, AREA_STALE, AREA_LAZY, AREA_STATES };

struct area_model {
    uint32_t pages;                /* of the window */
    uint32_t count[AREA_STATES];   /* pages by enum area_page; guards of what is mapped are free here */
    uint32_t runs;                 /* of mapped pages: as many areas, as no two of them touch */
    uint32_t known;                /* mapped pages of areas that the program holds */
    uint8_t page[AREA_WINDOW_MAX]; /* enum area_page */
    uint32_t table_pages;          /* that one page table maps */
    uint32_t tables[AREA_TABLES];  /* the newest page tables since they were last counted, by their index */
    uint32_t table_count;          /* … and how many there were */
    uint32_t touched, touched_end; /* the range of pages that are not free, or were not */
};

void area_model_fresh(struct area_model *m, uint32_t pages, uint32_t table_pages);

/* Events; what lies outside the window is left out. */
void area_model_map(struct area_model *m, uint32_t first, uint32_t pages);
void area_model_unmap(struct area_model *m, uint32_t first, uint32_t pages);
void area_model_flush(struct area_model *m);
void area_model_table(struct area_model *m, uint32_t index);

/* Whether each of the newest page tables maps a page (B104). */
bool area_model_tables_used(const struct area_model *m);

/* Whether the page is mapped; false outside the window. */
static inline bool area_model_mapped(const struct area_model *m, uint32_t page)
{
    return page < m->pages && (m->page[page] == AREA_BUSY || m->page[page] == AREA_STALE);
}

static inline uint32_t area_model_busy(const struct area_model *m)
{
    return m->count[AREA_BUSY] + m->count[AREA_STALE];
}

/* The first stale page of [first, first + pages); the end if there is none. */
uint32_t area_model_stale(const struct area_model *m, uint32_t first, uint32_t pages);

/* The longest run of pages that are neither mapped nor a guard, without those that are lazy, or with them. */
uint32_t area_model_longest(const struct area_model *m, bool with_lazy);

#endif
