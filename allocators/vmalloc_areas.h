/* vmalloc_areas.h: who has which pages of the vmalloc window.
 *
 * The window is cut into ranges, each free, busy (an area and the guard page behind it) or lazy (given up, but not yet
 * forgotten by the processor, so that nobody may have it again: B98). The records lie in the heap's state, one for each
 * page, so that nothing here can fail for want of memory and no address in the window is ever followed.
 */
#ifndef VMALLOC_AREAS_H
#define VMALLOC_AREAS_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_PAGES 65536u /* the largest window */
#define PAGE_NONE UINT32_MAX

enum range_state { RANGE_INSIDE, RANGE_FREE, RANGE_BUSY, RANGE_LAZY };

struct area;

struct window_page {
    uint8_t state;   /* enum range_state of the range that begins here; RANGE_INSIDE if none does */
    uint32_t pages;  /* of that range, guard included */
    uint32_t link;   /* at a lazy range's first page: the next lazy range. At a free one's last page: its first page */
    uint32_t had_by; /* first page, plus 1, of the area that had this page last; 0: none did since the last reset */
    struct area *area; /* at a busy range's first page */
};

struct window {
    uint32_t pages, leaves; /* leaves: the least power of two that is not below pages */
    uint32_t touched;       /* pages from here on were never in an area */
    uint32_t lazy;          /* first page of the range that was retired last, or PAGE_NONE */
    uint32_t free_pages, busy_pages, lazy_pages, areas; /* guards are counted among busy_pages */
    struct window_page page[WINDOW_PAGES + 1];
    uint32_t
        longest[2 * WINDOW_PAGES]; /* a heap-shaped tree: leaf i has the length of the free range that begins at page
                                           i, or 0, and each node above the larger of its two */
};

/* A window of `pages` free pages, 2 .. WINDOW_PAGES. *w is all zero. */
void window_open(struct window *w, uint32_t pages);

/* As window_open on a window that was in use. Takes time for the ranges and the pages up to w->touched. */
void window_reset(struct window *w, uint32_t pages);

/* The lowest `pages` free pages (guard included) whose first one is a multiple of `align`, a power of two, counted from
 * `origin` pages before the window; they are busy then. PAGE_NONE if and only if there are none. O(log n) for an align of
 * 1; else for each free range that is long enough and lies badly as well. */
uint32_t window_take(struct window *w, uint32_t pages, uint64_t align, uint64_t origin);

/* Both want the first page of a busy range. window_give makes it free at once: for an area that nobody has seen.
 * O(log n) and O(1). */
void window_give(struct window *w, uint32_t first);
void window_retire(struct window *w, uint32_t first);

/* All lazy ranges become free, neighbours as one (B98, C27). O(log n) each. Whether there were any. */
bool window_purge(struct window *w);

/* The first page of the area that has this page, guard included; PAGE_NONE if none has. */
uint32_t window_area(const struct window *w, uint32_t page);

/* Whether an area began at this page, is gone, and no other had the page since. */
bool window_was_area(const struct window *w, uint32_t page);

/* Length of the longest free range. */
static inline uint32_t window_longest_free(const struct window *w) { return w->longest[1]; }

/* NULL, or the invariant that does not hold. O(n). */
const char *window_check(const struct window *w);

#endif
