/* picture_machine.c: the machine as strips of characters, a zone or the vmalloc window each.
 *
 *     NORMAL: frames 0 to 63, 32 free; marks min 0, low 0, high 0
 *       order    0    1    2    3    4
 *       free    32    0    0    0    0   32 frames are free, but no block of order 1 or larger
 *          0  a.b.c.d.e.f.g.h.
 *
 * What a letter stands for is said below. For a finding, the strips show what is around the fault alone.
 */
#include "picture_machine.h"

#include "report_internal.h"

#include <string.h>

#define COLUMNS 64u
#define ROWS_MAX 16u
#define AREAS_MAX 12u
static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789"; /* of slots */
#define LETTERS (sizeof letters - 1)

const char *const picture_frame_words[FRAME_OWNERS] = {
    [FRAME_FREE] = "free",
    [FRAME_FLIGHT] = "taken in the last call",
    [FRAME_PLAIN] = "malloc family",
    [FRAME_SLAB] = "slab",
    [FRAME_TABLE] = "page table",
    [FRAME_ARRAY] = "array of pages",
    [FRAME_RESERVE] = "a pool's reserve",
    [FRAME_DEFERRED] = "free put off",
};
const char *const picture_page_words[PICTURE_INNER + 1] = {[PICTURE_FREE] = "free",
                                                           [PICTURE_GUARD] = "guard",
                                                           [PICTURE_LAZY] = "lazy",
                                                           [PICTURE_INNER] = "mapped, but no slot's"};

static const char frame_letters[FRAME_OWNERS] = {
    [FRAME_FREE] = '.',  [FRAME_FLIGHT] = 'F',  [FRAME_PLAIN] = 'M',    [FRAME_SLAB] = 'S',    [FRAME_TABLE] = 'T',
    [FRAME_ARRAY] = 'A', [FRAME_RESERVE] = 'R', [FRAME_DEFERRED] = 'D', [FRAME_RESERVED] = ' '};
static const char page_letters[PICTURE_INNER + 1] = {
    [PICTURE_FREE] = '.', [PICTURE_GUARD] = '|', [PICTURE_LAZY] = '~', [PICTURE_INNER] = 'A'};

/* ---- Strips -------------------------------------------------------------------------------------------------------- */

uint16_t strip_owner(const struct strip *s, uint32_t from, uint32_t to)
{
    if (to > s->end) to = s->end;
    for (uint32_t i = from + 1; i < to; i++)
        if (s->owner[i] != s->owner[from]) return STRIP_MIXED;
    return s->owner[from];
}

uint32_t strip_row(const struct strip *s, uint32_t at, uint16_t *whole)
{
    const uint32_t row = s->columns * s->cell;
    uint32_t end = at + row;
    *whole = strip_owner(s, at, end);
    while (*whole != STRIP_MIXED && end < s->end && strip_owner(s, end, end + row) == *whole && s->owner[end] == *whole)
        end += row;
    return end < s->end ? end : s->end;
}

struct strip strip_of(const uint16_t *owner, uint32_t first, uint32_t end, uint32_t columns, uint32_t rows_max)
{
    struct strip s = {.owner = owner, .first = first, .end = end, .columns = columns, .cell = 1};
    for (;; s.cell *= 2) {
        uint32_t rows = 0;
        uint16_t whole;
        for (uint32_t at = first; at < end && rows <= rows_max; rows++) at = strip_row(&s, at, &whole);
        if (rows <= rows_max) return s;
    }
}

/* ---- Words --------------------------------------------------------------------------------------------------------- */

int picture_largest(const struct machine_picture *m, const struct picture_zone *z)
{
    int order = m->max_order;
    while (order >= 0 && !z->blocks[order]) order--;
    return order;
}

void picture_title(FILE *out, const struct machine_picture *m)
{
    fprintf(out, "%s: %u frames of %u bytes%s", machine_config_names[m->config % MACHINE_CONFIGS], (unsigned)m->frames,
            (unsigned)m->page_bytes, m->scatter ? ", areas scattered" : "");
}

void picture_shortage(FILE *out, const struct machine_picture *m, const struct picture_zone *z)
{
    int largest = picture_largest(m, z);
    if (largest < 0 || largest >= m->max_order || z->free >> (largest + 1) == 0) return;
    fprintf(out, "%u frames are free, but no block of order %d%s", (unsigned)z->free, largest + 1,
            largest + 1 < m->max_order ? " or larger" : "");
}

void picture_frames(FILE *out, const struct picture_area *a)
{
    if (a->pages > PICTURE_AREA_PAGES_MAX) {
        fprintf(out, " %u of them", (unsigned)a->pages);
        return;
    }
    for (uint32_t i = 0, next; i < a->pages; i = next) {
        uint32_t again = i + 1;
        next = i + 1;
        while (next < a->pages && a->pfns[next] == a->pfns[next - 1] + 1) next++;
        while (again < a->pages && a->pfns[again] == a->pfns[i]) again++;
        if (a->pfns[i] == PFN_NONE) fputs(" none", out), next = again;
        else if (again > i + 1)
            fprintf(out, " %u (%u times)", (unsigned)a->pfns[i], (unsigned)(again - i)), next = again;
        else if (next > i + 1) fprintf(out, " %u-%u", (unsigned)a->pfns[i], (unsigned)a->pfns[next - 1]);
        else fprintf(out, " %u", (unsigned)a->pfns[i]);
    }
}

/* ---- Characters ---------------------------------------------------------------------------------------------------- */

struct drawing {
    FILE *out;
    const struct machine_picture *m;
    const char *margin;
    bool around; /* the fault alone */
    bool seen[128];
    uint16_t slots
        [PROGRAM_SLOTS]; /* in the order in which they got their letters: when there are no more, the first one again */
    uint16_t number[PROGRAM_SLOTS]; /* of a slot, from 1; 0: none yet */
    unsigned slot_count;
};

static char letter_of_slot(struct drawing *d, uint16_t slot)
{
    slot %= PROGRAM_SLOTS;
    if (!d->number[slot]) {
        d->slots[d->slot_count++] = slot;
        d->number[slot] = (uint16_t)d->slot_count;
    }
    return letters[(d->number[slot] - 1) % LETTERS];
}

static char letter_of(struct drawing *d, const char *named, uint16_t owner)
{
    char c = owner == STRIP_MIXED  ? 'X'
             : owner >= FRAME_SLOT ? letter_of_slot(d, (uint16_t)(owner - FRAME_SLOT))
                                   : named[owner];
    d->seen[(unsigned char)c] = true;
    return c;
}

/* Three rows around the mark, or all of it. */
static struct strip cut(const struct drawing *d, const uint16_t *owner, uint32_t first, uint32_t end, uint32_t mark)
{
    if (!d->around || mark == PFN_NONE) return strip_of(owner, first, end, COLUMNS, d->around ? 4 : ROWS_MAX);
    uint32_t row = (mark - first) / COLUMNS, from = row > 0 ? first + (row - 1) * COLUMNS : first;
    uint32_t to = from + 3 * COLUMNS < end ? from + 3 * COLUMNS : end;
    return (struct strip){.owner = owner, .first = from, .end = to, .columns = COLUMNS, .cell = 1};
}

static void print_strip(struct drawing *d, const struct strip *s, const char *named, const char *what, uint32_t mark)
{
    uint16_t whole;
    if (s->cell > 1) fprintf(d->out, "%s    (a column is %u %ss)\n", d->margin, (unsigned)s->cell, what);
    for (uint32_t at = s->first, end; at < s->end; at = end) {
        end = strip_row(s, at, &whole);
        fprintf(d->out, "%s  %6u  ", d->margin, (unsigned)at);
        for (uint32_t i = 0; i < s->columns && at + i * s->cell < end; i++)
            putc(letter_of(d, named, strip_owner(s, at + i * s->cell, at + (i + 1) * s->cell)), d->out);
        if (end - at > s->columns * s->cell) fprintf(d->out, "  and so on to %s %u", what, (unsigned)end - 1);
        putc('\n', d->out);
        if (mark >= at && mark < end)
            fprintf(d->out, "%s          %*s %s %u\n", d->margin, (int)((mark - at) / s->cell % s->columns) + 1, "^",
                    what, (unsigned)mark);
    }
}

/* ---- Zones --------------------------------------------------------------------------------------------------------- */

static void print_orders(const struct drawing *d, const struct picture_zone *z)
{
    fprintf(d->out, "%s    order ", d->margin);
    for (unsigned order = 0; order <= d->m->max_order; order++) fprintf(d->out, "%6u", order);
    fprintf(d->out, "\n%s    blocks", d->margin);
    for (unsigned order = 0; order <= d->m->max_order; order++) fprintf(d->out, "%6u", (unsigned)z->blocks[order]);
    putc('\n', d->out);
}

static void print_zone(struct drawing *d, unsigned zone)
{
    const struct picture_zone *z = &d->m->zones[zone];
    uint32_t mark = d->m->fault_pfn >= z->start && d->m->fault_pfn < z->end ? d->m->fault_pfn : PFN_NONE;
    int largest = picture_largest(d->m, z);
    fprintf(d->out, "%s  %s: frames %u to %u, %u free, the largest block ", d->margin, machine_zone_names[zone],
            (unsigned)z->start, (unsigned)z->end - 1, (unsigned)z->free);
    if (largest < 0) fputs("none", d->out);
    else fprintf(d->out, "of order %d", largest);
    if (!d->m->no_watermarks)
        fprintf(d->out, "; marks: min %u, low %u, high %u", (unsigned)z->min, (unsigned)z->low, (unsigned)z->high);
    putc('\n', d->out);
    if (d->around && mark == PFN_NONE && d->m->fault_pfn != PFN_NONE) return;
    print_orders(d, z);
    if (largest >= 0 && largest < d->m->max_order && z->free >> (largest + 1)) {
        fprintf(d->out, "%s    ", d->margin);
        picture_shortage(d->out, d->m, z);
        putc('\n', d->out);
    }
    const struct strip s = cut(d, d->m->owner, z->start, z->end, mark);
    print_strip(d, &s, frame_letters, "frame", mark);
}

/* ---- What is mapped ------------------------------------------------------------------------------------------------ */

/* Small ones with the frames behind their pages; the strip shows the others well enough. */
static void print_areas(const struct drawing *d)
{
    uint32_t printed = 0, left_out = d->m->areas_left_out;
    for (uint32_t i = 0; i < d->m->area_count; i++) {
        const struct picture_area *a = &d->m->areas[i];
        bool hit = d->m->fault_page >= a->first && d->m->fault_page <= a->first + a->pages;
        if (d->around && !hit) continue;
        if (!d->around && (printed == AREAS_MAX || a->pages > PICTURE_AREA_PAGES_MAX)) {
            left_out++;
            continue;
        }
        printed++;
        fprintf(d->out, "%s    p%u: page%s %u", d->margin, (unsigned)a->slot, a->pages == 1 ? "" : "s",
                (unsigned)a->first);
        if (a->pages > 1) fprintf(d->out, "-%u", (unsigned)(a->first + a->pages - 1));
        fputs(a->alias ? " -> frames, another slot's:" : a->pages == 1 ? " -> frame" : " -> frames", d->out);
        picture_frames(d->out, a);
        putc('\n', d->out);
    }
    if (left_out && !d->around)
        fprintf(d->out, "%s    %s%u area%s%s\n", d->margin, printed ? "and " : "", (unsigned)left_out,
                left_out == 1 ? "" : "s", printed ? " more" : "");
}

static void print_tables(const struct drawing *d)
{
    for (uint32_t i = 0, printed = 0; i < sizeof d->m->tables / sizeof d->m->tables[0]; i++) {
        if (d->m->tables[i] == PFN_NONE) continue;
        if (printed++ == 4) {
            fprintf(d->out, "%s    and more page tables\n", d->margin);
            return;
        }
        fprintf(d->out, "%s    page table of pages %u-%u: frame %u\n", d->margin, (unsigned)(i * d->m->table_pages),
                (unsigned)((i + 1) * d->m->table_pages - 1), (unsigned)d->m->tables[i]);
    }
}

static void print_window(struct drawing *d)
{
    const struct machine_picture *m = d->m;
    const struct strip all = {.owner = m->window, .end = m->window_pages, .columns = 1, .cell = 1};
    bool untouched = strip_owner(&all, 0, m->window_pages) == PICTURE_FREE;
    if (!m->window_pages || (d->around && m->fault_page == PFN_NONE) || (untouched && !m->mapped && !d->around)) return;
    fprintf(d->out, "%s  vmalloc window: %u pages, %u mapped\n", d->margin, (unsigned)m->window_pages,
            (unsigned)m->mapped);
    const struct strip s = cut(d, m->window, 0, m->window_pages, m->fault_page);
    print_strip(d, &s, page_letters, "page", m->fault_page);
    print_areas(d);
    if (!d->around) print_tables(d);
}

static void print_kmaps(const struct drawing *d)
{
    for (uint32_t i = 0; i < d->m->kmap_count; i++) {
        const struct picture_kmap *k = &d->m->kmaps[i];
        fprintf(d->out, "%s%s %u -> frame %u of p%u", d->margin, i == 0 ? "  pkmap: slot" : "         slot",
                (unsigned)k->index, (unsigned)k->pfn, (unsigned)k->slot);
        if (k->count > 1) fprintf(d->out, ", %u times", (unsigned)k->count);
        fputs(k->local ? ", local\n" : "\n", d->out);
    }
}

static void print_legend(struct drawing *d)
{
    const char *separator = "";
    fprintf(d->out, "%s  (", d->margin);
    for (unsigned i = 0; i < d->slot_count && i < LETTERS; i++) {
        if (i > 0 && i % 8 == 0) fprintf(d->out, ",\n%s   ", d->margin), separator = "";
        fprintf(d->out, "%s%c", separator, letters[i]);
        for (size_t j = i; j < d->slot_count && j <= i + 2 * LETTERS; j += LETTERS)
            fprintf(d->out, j == i + 2 * LETTERS ? " …" : " p%u", (unsigned)d->slots[j]);
        separator = ", ";
    }
    if (d->slot_count > 4) fprintf(d->out, ",\n%s   ", d->margin), separator = "";
    for (unsigned i = 0; i < FRAME_OWNERS; i++) {
        if (!picture_frame_words[i] || !d->seen[(unsigned char)frame_letters[i]]) continue;
        if (i == FRAME_ARRAY) continue; /* the letter is the window's too */
        fprintf(d->out, "%s%c %s", separator, frame_letters[i], picture_frame_words[i]);
        separator = ", ";
    }
    for (unsigned i = PICTURE_GUARD; i <= PICTURE_INNER; i++)
        if (d->seen[(unsigned char)page_letters[i]]) {
            fprintf(d->out, "%s%c %s", separator, page_letters[i], picture_page_words[i]);
            separator = ", ";
        }
    if (d->seen['X']) fprintf(d->out, "%sX several of these", separator);
    fputs(")\n", d->out);
}

void report_machine_picture(FILE *out, const struct machine_picture *m, const char *margin, bool around)
{
    struct drawing d = {.out = out, .m = m, .margin = margin, .around = around};
    if (!m->frames) return;
    fprintf(out, "%s", margin);
    picture_title(out, m);
    putc('\n', out);
    for (unsigned zone = 0; zone < ZONES; zone++)
        if (m->zones[zone].start < m->zones[zone].end) print_zone(&d, zone);
    print_window(&d);
    print_kmaps(&d);
    print_legend(&d);
}
