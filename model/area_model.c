/* area_model.c: area_model.h is the manual. */
#include "area_model.h"

#include <string.h>

void area_model_fresh(struct area_model *m, uint32_t pages)
{
    if (m->touched < m->touched_end) memset(m->page + m->touched, AREA_FREE, m->touched_end - m->touched);
    m->touched = AREA_WINDOW_MAX;
    m->touched_end = 0;
    m->pages = pages < AREA_WINDOW_MAX ? pages : AREA_WINDOW_MAX;
    memset(m->count, 0, sizeof m->count);
    m->count[AREA_FREE] = m->pages;
    memset(m->inside, 0, sizeof m->inside);
    m->inner = m->inner_areas = m->areas = m->lazies = m->tables = 0;
    m->inexact = m->others = false;
}

static void set(struct area_model *m, uint32_t first, uint32_t pages, enum area_page state)
{
    if (first >= m->pages) return;
    if (pages > m->pages - first) pages = m->pages - first;
    for (uint32_t i = first; i < first + pages; i++) {
        m->count[m->page[i]]--;
        m->page[i] = (uint8_t)state;
    }
    m->count[state] += pages;
    if (first < m->touched) m->touched = first;
    if (first + pages > m->touched_end) m->touched_end = first + pages;
}

uint32_t area_model_taken(const struct area_model *m, uint32_t first, uint32_t pages)
{
    uint32_t i = first;
    while (i < first + pages && i < m->pages && m->page[i] == AREA_FREE) i++;
    return i;
}

void area_model_take(struct area_model *m, uint32_t first, uint32_t pages)
{
    set(m, first, pages, AREA_BUSY);
    set(m, first + pages, 1, AREA_GUARD);
    m->areas++;
}

void area_model_leave(struct area_model *m, uint32_t first, uint32_t pages)
{
    set(m, first, pages + 1, AREA_LAZY);
    m->lazy[m->lazies].first = first;
    m->lazy[m->lazies++].pages = pages + 1;
    m->areas--;
}

void area_model_flush(struct area_model *m)
{
    for (uint32_t i = 0; i < m->lazies; i++) set(m, m->lazy[i].first, m->lazy[i].pages, AREA_FREE);
    m->lazies = 0;
}

bool area_model_has_gap(const struct area_model *m, uint32_t pages)
{
    uint32_t run = 0, end = m->touched_end;
    if (m->pages - (end < m->pages ? end : m->pages) >= pages) return true; /* behind all that was ever used */
    for (uint32_t i = 0; i < m->pages; i++) {
        run = m->page[i] == AREA_FREE || m->page[i] == AREA_LAZY ? run + 1 : 0;
        if (run >= pages) return true;
    }
    return false;
}
