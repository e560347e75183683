/* vmalloc_areas.c: address-ordered first fit over the vmalloc window; vmalloc_areas.h is the manual.
 *
 * A tree of maxima over the pages, in the shape of a binary heap, leads from the root to the lowest free range that is long
 * enough, as the kernel's red-black tree of free areas does by the longest range below each node. Neighbours are found by
 * boundary tags: the last page of a free range names its first. A tag is not taken back when its range is cut or merged,
 * because it proves itself: it is true if and only if a free range begins where it says and ends where it stands.
 */
#include "vmalloc_areas.h"

#include <string.h>

/* ---- Free ranges ---------------------------------------------------------------------------------------------------- */

static void set_leaf(struct window *w, uint32_t page, uint32_t pages)
{
    uint32_t i = w->leaves + page;
    w->longest[i] = pages;
    while (i > 1) {
        uint32_t larger = w->longest[i] > w->longest[i ^ 1] ? w->longest[i] : w->longest[i ^ 1];
        if (w->longest[i /= 2] == larger) break;
        w->longest[i] = larger;
    }
}

/* The first page, at or behind `from`, at which at least `pages` free ones begin; PAGE_NONE if there is none. */
static uint32_t next_free(const struct window *w, uint32_t from, uint32_t pages)
{
    if (from >= w->pages) return PAGE_NONE;
    uint32_t i = w->leaves + from;
    while (w->longest[i] < pages) {
        while (i & 1) i /= 2; /* all on the right of a right child is on the right of its parent */
        if (!i) return PAGE_NONE;
        i++;
    }
    while (i < w->leaves) {
        i *= 2;
        if (w->longest[i] < pages) i++;
    }
    return i - w->leaves;
}

static void free_insert(struct window *w, uint32_t first, uint32_t pages)
{
    w->page[first].state = RANGE_FREE;
    w->page[first].pages = pages;
    w->page[first + pages - 1].link = first;
    w->free_pages += pages;
    set_leaf(w, first, pages);
}

static void free_remove(struct window *w, uint32_t first)
{
    w->page[first].state = RANGE_INSIDE;
    w->free_pages -= w->page[first].pages;
    set_leaf(w, first, 0);
}

/* Adds a range that is no longer busy or lazy to the free ones. */
static void merge(struct window *w, uint32_t first)
{
    uint32_t pages = w->page[first].pages, behind = first + pages;
    w->page[first].state = RANGE_INSIDE;
    if (behind < w->pages && w->page[behind].state == RANGE_FREE) {
        free_remove(w, behind);
        pages += w->page[behind].pages;
    }
    uint32_t before = first ? w->page[first - 1].link : 0;
    if (first && before < first && w->page[before].state == RANGE_FREE && before + w->page[before].pages == first) {
        free_remove(w, before);
        pages += w->page[before].pages;
        first = before;
    }
    free_insert(w, first, pages);
}

/* ---- Areas ---------------------------------------------------------------------------------------------------------- */

void window_open(struct window *w, uint32_t pages)
{
    w->pages = pages;
    w->leaves = 2;
    while (w->leaves < pages) w->leaves *= 2;
    w->lazy = PAGE_NONE;
    free_insert(w, 0, pages);
}

void window_reset(struct window *w, uint32_t pages)
{
    for (uint32_t first = 0; first < w->pages; first += w->page[first].pages)
        if (w->page[first].state == RANGE_FREE) set_leaf(w, first, 0);
    memset(w->page, 0, (w->touched + (size_t)1) * sizeof *w->page);
    w->touched = w->free_pages = w->busy_pages = w->lazy_pages = w->areas = 0;
    window_open(w, pages);
}

uint32_t window_take(struct window *w, uint32_t pages, uint64_t align, uint64_t origin)
{
    uint32_t range = next_free(w, 0, pages);
    uint64_t lead = 0;
    for (; range != PAGE_NONE; range = next_free(w, range + 1, pages)) {
        lead = -(origin + range) & (align - 1);
        if (lead <= w->page[range].pages - pages) break;
    }
    if (range == PAGE_NONE) return PAGE_NONE;
    const uint32_t end = range + w->page[range].pages, first = range + (uint32_t)lead, behind = first + pages;
    free_remove(w, range);
    if (first > range) free_insert(w, range, first - range);
    if (behind < end) free_insert(w, behind, end - behind);
    w->page[first].state = RANGE_BUSY;
    w->page[first].pages = pages;
    for (uint32_t i = first; i < behind; i++) w->page[i].had_by = first + 1;
    if (w->touched < behind) w->touched = behind;
    w->busy_pages += pages;
    w->areas++;
    return first;
}

static void leave(struct window *w, uint32_t first)
{
    w->page[first].area = NULL;
    w->busy_pages -= w->page[first].pages;
    w->areas--;
}

void window_give(struct window *w, uint32_t first)
{
    leave(w, first);
    merge(w, first);
}

void window_retire(struct window *w, uint32_t first)
{
    leave(w, first);
    w->page[first].state = RANGE_LAZY;
    w->page[first].link = w->lazy;
    w->lazy_pages += w->page[first].pages;
    w->lazy = first;
}

bool window_purge(struct window *w)
{
    if (w->lazy == PAGE_NONE) return false;
    for (uint32_t first = w->lazy, next; first != PAGE_NONE; first = next) {
        next = w->page[first].link;
        merge(w, first);
    }
    w->lazy = PAGE_NONE;
    w->lazy_pages = 0;
    return true;
}

uint32_t window_area(const struct window *w, uint32_t page)
{
    uint32_t first = w->page[page].had_by - 1;
    if (first >= w->pages || w->page[first].state != RANGE_BUSY) return PAGE_NONE;
    return page - first < w->page[first].pages ? first : PAGE_NONE;
}

bool window_was_area(const struct window *w, uint32_t page)
{
    return w->page[page].had_by == page + 1 && w->page[page].state != RANGE_BUSY;
}

/* ---- Check ---------------------------------------------------------------------------------------------------------- */

const char *window_check(const struct window *w)
{
    uint32_t pages[RANGE_LAZY + 1] = {0}, first = 0, longest = 0, ranges = 0, lazy = 0;
    enum range_state before = RANGE_INSIDE;
    for (; first < w->pages; first += w->page[first].pages) {
        const struct window_page *p = &w->page[first];
        if (p->state == RANGE_INSIDE || !p->pages) return "the window is cut into ranges";
        if (p->state == RANGE_FREE && before == RANGE_FREE) return "free neighbours are one range";
        if (w->longest[w->leaves + first] != (p->state == RANGE_FREE ? p->pages : 0))
            return "the tree knows free ranges";
        if (p->state == RANGE_FREE && p->pages > longest) longest = p->pages;
        pages[before = p->state] += p->pages;
        ranges++;
    }
    if (first != w->pages) return "the ranges end where the window does";
    if (longest != w->longest[1]) return "the tree's root is the longest free range";
    if (pages[RANGE_FREE] != w->free_pages || pages[RANGE_BUSY] != w->busy_pages || pages[RANGE_LAZY] != w->lazy_pages)
        return "busy, lazy and free pages are counted";
    for (uint32_t i = w->lazy; i != PAGE_NONE && ranges; i = w->page[i].link, ranges--) lazy += w->page[i].pages;
    return lazy == w->lazy_pages ? NULL : "every lazy range is on the list";
}
