/* area_model.c: area_model.h is the manual. */
#include "area_model.h"

#include <string.h>

void area_model_fresh(struct area_model *m, uint32_t pages, uint32_t table_pages)
{
    if (m->touched < m->touched_end) memset(m->page + m->touched, AREA_FREE, m->touched_end - m->touched);
    m->touched = AREA_WINDOW_MAX;
    m->touched_end = 0;
    m->pages = pages < AREA_WINDOW_MAX ? pages : AREA_WINDOW_MAX;
    memset(m->count, 0, sizeof m->count);
    m->count[AREA_FREE] = m->pages;
    m->runs = m->known = m->table_count = 0;
    m->table_pages = table_pages;
}

static void set(struct area_model *m, uint32_t page, enum area_page state)
{
    m->count[m->page[page]]--;
    m->count[state]++;
    m->page[page] = (uint8_t)state;
}

/* The end of a range, cut to the window. */
static uint32_t end_of(const struct area_model *m, uint32_t first, uint32_t pages)
{
    if (first >= m->pages) return first;
    return pages < m->pages - first ? first + pages : m->pages;
}

/* The range [first, end) changes hands: the runs that touch it are counted anew. */
static uint32_t runs_in(const struct area_model *m, uint32_t first, uint32_t end)
{
    uint32_t runs = 0;
    bool before = first && area_model_mapped(m, first - 1);
    for (uint32_t i = first; i <= end; i++) {
        bool mapped = area_model_mapped(m, i);
        runs += mapped && !before;
        before = mapped;
    }
    return runs;
}

static void touch(struct area_model *m, uint32_t first, uint32_t end)
{
    if (first < m->touched) m->touched = first;
    if (end > m->touched_end) m->touched_end = end;
}

void area_model_map(struct area_model *m, uint32_t first, uint32_t pages)
{
    const uint32_t end = end_of(m, first, pages), runs = runs_in(m, first, end);
    if (first >= end) return;
    for (uint32_t i = first; i < end; i++) set(m, i, m->page[i] == AREA_LAZY ? AREA_STALE : AREA_BUSY);
    m->runs += runs_in(m, first, end) - runs;
    touch(m, first, end);
}

void area_model_unmap(struct area_model *m, uint32_t first, uint32_t pages)
{
    const uint32_t end = end_of(m, first, pages), runs = runs_in(m, first, end);
    if (first >= end) return;
    for (uint32_t i = first; i < end; i++)
        if (area_model_mapped(m, i)) set(m, i, AREA_LAZY);
    m->runs += runs_in(m, first, end) - runs;
    bool guard = end < m->pages && m->page[end - 1] == AREA_LAZY && m->page[end] == AREA_FREE;
    if (guard) set(m, end, AREA_LAZY);
    touch(m, first, end + guard);
}

void area_model_flush(struct area_model *m)
{
    for (uint32_t i = m->touched; i < m->touched_end && m->count[AREA_LAZY] + m->count[AREA_STALE]; i++)
        if (m->page[i] == AREA_LAZY) set(m, i, AREA_FREE);
        else if (m->page[i] == AREA_STALE) set(m, i, AREA_BUSY);
}

void area_model_table(struct area_model *m, uint32_t index) { m->tables[m->table_count++ % AREA_TABLES] = index; }

bool area_model_tables_used(const struct area_model *m)
{
    for (uint32_t i = 0; i < m->table_count && i < AREA_TABLES; i++) {
        uint64_t page = (uint64_t)m->tables[i] * m->table_pages, end = page + m->table_pages;
        while (page < end && page < m->pages && !area_model_mapped(m, (uint32_t)page)) page++;
        if (page == end || page >= m->pages) return false;
    }
    return true;
}

uint32_t area_model_stale(const struct area_model *m, uint32_t first, uint32_t pages)
{
    const uint32_t end = end_of(m, first, pages);
    uint32_t i = first;
    while (i < end && m->page[i] != AREA_STALE) i++;
    return i;
}

/* The page behind a mapped one is its guard; behind a lazy one lies a lazy guard. */
uint32_t area_model_longest(const struct area_model *m, bool with_lazy)
{
    uint32_t run = m->touched < m->pages ? m->touched : m->pages, longest = run;
    for (uint32_t i = run; i < m->touched_end; i++) {
        bool open = m->page[i] == AREA_FREE || (with_lazy && m->page[i] == AREA_LAZY);
        bool guard = i && area_model_mapped(m, i - 1);
        run = open && !guard ? run + 1 : 0;
        if (run > longest) longest = run;
    }
    if (m->touched_end >= m->pages || m->touched_end <= m->touched) return longest;
    run += m->pages - m->touched_end - (area_model_mapped(m, m->touched_end - 1) ? 1 : 0);
    return run > longest ? run : longest;
}
