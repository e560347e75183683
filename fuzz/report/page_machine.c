/* page_machine.c: the machine as SVG, for the page: a strip for each zone and for the vmalloc window, in rows as
 * picture_machine.h cuts them, each run of one owner a rectangle.
 */
#include "page_machine.h"

#include "picture_machine.h"

#include <string.h>

#define LEFT 70.0
#define WIDTH 1000.0
#define ROW 18.0
#define COLUMNS 128u
#define ROWS_MAX 24u
#define LETTER 7.0 /* width of one, about */

void page_machine_style(FILE *out)
{
    fputs(".free { fill: #e8e8e4 } .slab { fill: #8c8c84 } .table { fill: #3d3d3a } .plain { fill: #c6a15b }\n"
          ".kept { fill: #d37295 } .late { fill: #c9a3b8 } .mixed { fill: #b9c4cf } .guard { fill: #c22 }\n"
          ".lazy { fill: #d9cfa3 } .inner { fill: #8c8c84 }\n"
          ".strip text { fill: #222; pointer-events: none } .strip text.on { fill: #111; font-size: 10px }\n"
          "rect.fault { fill: none; stroke: #c22; stroke-width: 2.5; opacity: 1 }\n"
          "table { border-collapse: collapse; font-size: 13px } td, th { padding: 0 .8rem 0 0; text-align: right }\n"
          "td:first-child, th:first-child { text-align: left }\n"
          ".key { display: inline-block; width: 1em; height: 1em; vertical-align: -.15em; margin: 0 .3em 0 1em }\n"
          ".key rect { opacity: 1 } h3 { margin: 1.2rem 0 .2rem } p { margin: .3rem 0 }\n",
          out);
}

/* ---- Owners -------------------------------------------------------------------------------------------------------- */

static const char *const frame_classes[FRAME_OWNERS] = {
    [FRAME_FREE] = "free",    [FRAME_FLIGHT] = "mixed",  [FRAME_PLAIN] = "plain",
    [FRAME_SLAB] = "slab",    [FRAME_TABLE] = "table",   [FRAME_ARRAY] = "inner",
    [FRAME_RESERVE] = "kept", [FRAME_DEFERRED] = "late", [FRAME_RESERVED] = "free"};
static const char *const page_classes[PICTURE_INNER + 1] = {
    [PICTURE_FREE] = "free", [PICTURE_GUARD] = "guard", [PICTURE_LAZY] = "lazy", [PICTURE_INNER] = "inner"};

struct view {
    FILE *out;
    const char *const *classes, *const *words;
    const char *what; /* "frame", "page" */
    uint32_t mark;    /* where a rule broke, or PFN_NONE */
    bool *seen;       /* by owner that is no slot; the last one: mixed */
};

#define SEEN_MIXED FRAME_OWNERS

static void print_owner(const struct view *v, uint16_t owner)
{
    if (owner == STRIP_MIXED) fputs("several owners", v->out);
    else if (owner >= FRAME_SLOT) fprintf(v->out, "p%u", (unsigned)(owner - FRAME_SLOT));
    else fputs(v->words[owner] ? v->words[owner] : "nobody's", v->out);
}

/* ---- Strips -------------------------------------------------------------------------------------------------------- */

/* The cells [from, to) of one row, which have one owner. */
static void draw_run(const struct view *v, const struct strip *s, double x, double y, double width, uint32_t from,
                     uint32_t to, uint16_t owner)
{
    fputs("<rect class=\"", v->out);
    if (owner == STRIP_MIXED) fputs("mixed", v->out);
    else if (owner >= FRAME_SLOT) fprintf(v->out, "b%u", (owner - FRAME_SLOT) % 6u);
    else fputs(v->classes[owner], v->out);
    if (owner < FRAME_SLOT) v->seen[owner] = true;
    if (owner == STRIP_MIXED) v->seen[SEEN_MIXED] = true;
    fprintf(v->out, "\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%s%s %u", x, y, width, ROW - 2,
            v->what, to - from > 1 ? "s" : "", (unsigned)from);
    if (to - from > 1) fprintf(v->out, " to %u", (unsigned)(to < s->end ? to : s->end) - 1);
    fputs(": ", v->out);
    print_owner(v, owner);
    fputs("</title></rect>", v->out);
    if (owner >= FRAME_SLOT && owner != STRIP_MIXED) {
        char label[16];
        snprintf(label, sizeof label, "p%u", (unsigned)(owner - FRAME_SLOT));
        if (width > LETTER * (double)strlen(label))
            fprintf(v->out, "<text class=\"on\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>", x + width / 2,
                    y + ROW - 6, label);
    }
    putc('\n', v->out);
}

static void draw_row(const struct view *v, const struct strip *s, double y, uint32_t at, uint32_t end)
{
    const double cell = WIDTH / s->columns;
    const uint32_t row = s->columns * s->cell;
    const bool folded = end - at > row;
    const uint32_t stop = folded ? at + row : end;
    fprintf(v->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%u</text>\n", LEFT - 6, y + ROW - 6, (unsigned)at);
    for (uint32_t from = at, to; from < stop; from = to) {
        uint16_t owner = strip_owner(s, from, from + s->cell);
        to = from + s->cell;
        while (to < stop && strip_owner(s, to, to + s->cell) == owner) to += s->cell;
        double columns = (double)((to - from) / s->cell);
        draw_run(v, s, LEFT + cell * ((from - at) / s->cell), y, cell * columns, from, folded ? end : to, owner);
    }
    if (folded)
        fprintf(v->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">the same to %s %u</text>\n",
                LEFT + WIDTH / 2, y + ROW - 6, v->what, (unsigned)end - 1);
    if (v->mark >= at && v->mark < end)
        fprintf(v->out,
                "<rect class=\"fault\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>here the rule is "
                "broken: "
                "%s %u</title></rect>\n",
                LEFT + cell * ((v->mark - at) / s->cell % s->columns), y - 1, cell, ROW, v->what, (unsigned)v->mark);
}

static void draw_strip(const struct view *v, const uint16_t *owner, uint32_t first, uint32_t end)
{
    uint32_t columns = end - first < COLUMNS ? 64 : COLUMNS, rows = 0;
    uint16_t whole;
    const struct strip s = strip_of(owner, first, end, columns, ROWS_MAX);
    for (uint32_t at = first; at < end; at = strip_row(&s, at, &whole)) rows++;
    if (s.cell > 1) fprintf(v->out, "<p>A column is %u %ss.</p>\n", (unsigned)s.cell, v->what);
    fprintf(v->out,
            "<svg class=\"strip\" viewBox=\"0 -2 %.0f %.0f\" role=\"img\" aria-label=\"%ss and their owners\">\n",
            LEFT + WIDTH + 10, rows * ROW + 4, v->what);
    double y = 0;
    for (uint32_t at = first, next; at < end; at = next, y += ROW) {
        next = strip_row(&s, at, &whole);
        draw_row(v, &s, y, at, next);
    }
    fputs("</svg>\n", v->out);
}

/* ---- Zones --------------------------------------------------------------------------------------------------------- */

static void draw_marks(FILE *out, const struct picture_zone *z)
{
    const uint32_t marks[] = {z->min, z->low, z->high};
    static const char *const words[] = {"min", "low", "high"};
    double all = z->end - z->start;
    fprintf(out, "<svg class=\"strip\" viewBox=\"0 0 %.0f 14\" role=\"img\" aria-label=\"free frames and marks\">\n",
            LEFT + WIDTH + 10);
    fprintf(out, "<text x=\"%.1f\" y=\"11\" text-anchor=\"end\">free</text>", LEFT - 6);
    fprintf(out, "<rect class=\"free\" x=\"%.1f\" y=\"2\" width=\"%.1f\" height=\"10\"/>", LEFT, WIDTH);
    fprintf(out, "<rect class=\"b2\" x=\"%.1f\" y=\"2\" width=\"%.1f\" height=\"10\"><title>%u free</title></rect>",
            LEFT, WIDTH * z->free / all, (unsigned)z->free);
    for (unsigned i = 0; i < 3; i++)
        fprintf(out, "<line class=\"fault\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"14\"><title>%s %u</title></line>",
                LEFT + WIDTH * marks[i] / all, LEFT + WIDTH * marks[i] / all, words[i], (unsigned)marks[i]);
    fputs("\n</svg>\n", out);
}

static void draw_zone(FILE *out, const struct machine_picture *m, unsigned zone, bool *seen)
{
    const struct picture_zone *z = &m->zones[zone];
    const struct view v = {out, frame_classes, picture_frame_words, "frame", m->fault_pfn, seen};
    fprintf(out, "<h3>%s</h3>\n<p>Frames %u to %u, %u of them free", machine_zone_names[zone], (unsigned)z->start,
            (unsigned)z->end - 1, (unsigned)z->free);
    if (!m->no_watermarks)
        fprintf(out, "; marks: min %u, low %u, high %u", (unsigned)z->min, (unsigned)z->low, (unsigned)z->high);
    fputs(".<br><strong>", out);
    picture_shortage(out, m, z);
    fputs("</strong></p>\n<table><tr><th>order</th>", out);
    for (unsigned order = 0; order <= m->max_order; order++) fprintf(out, "<th>%u</th>", order);
    fputs("</tr>\n<tr><td>free blocks</td>", out);
    for (unsigned order = 0; order <= m->max_order; order++) fprintf(out, "<td>%u</td>", (unsigned)z->blocks[order]);
    fputs("</tr></table>\n", out);
    if (!m->no_watermarks) draw_marks(out, z);
    draw_strip(&v, m->owner, z->start, z->end);
}

/* ---- What is mapped ------------------------------------------------------------------------------------------------ */

static void list_areas(FILE *out, const struct machine_picture *m)
{
    if (m->area_count) fputs("<table><tr><th>area</th><th>pages</th><th>frames behind them, in order</th></tr>\n", out);
    for (uint32_t i = 0; i < m->area_count; i++) {
        const struct picture_area *a = &m->areas[i];
        fprintf(out, "<tr><td>p%u</td><td>%u to %u</td><td>", (unsigned)a->slot, (unsigned)a->first,
                (unsigned)(a->first + a->pages - 1));
        picture_frames(out, a);
        fputs(a->alias ? " (another slot's)</td></tr>\n" : "</td></tr>\n", out);
    }
    if (m->area_count) fputs("</table>\n", out);
    if (m->areas_left_out) fprintf(out, "<p>And %u more.</p>\n", (unsigned)m->areas_left_out);
}

static void draw_window(FILE *out, const struct machine_picture *m, bool *seen)
{
    const struct view v = {out, page_classes, picture_page_words, "page", m->fault_page, seen};
    const struct strip all = {.owner = m->window, .end = m->window_pages, .columns = 1, .cell = 1};
    unsigned tables = 0;
    if (!m->window_pages || (!m->mapped && m->fault_page == PFN_NONE && strip_owner(&all, 0, all.end) == PICTURE_FREE))
        return;
    for (uint32_t i = 0; i < sizeof m->tables / sizeof m->tables[0]; i++) tables += m->tables[i] != PFN_NONE;
    fprintf(out, "<h3>vmalloc window</h3>\n<p>%u pages, %u of them mapped by %u page table%s.</p>\n",
            (unsigned)m->window_pages, (unsigned)m->mapped, tables, tables == 1 ? "" : "s");
    draw_strip(&v, m->window, 0, m->window_pages);
    list_areas(out, m);
}

static void list_kmaps(FILE *out, const struct machine_picture *m)
{
    if (m->kmap_count) fputs("<h3>pkmap</h3>\n<table><tr><th>slot</th><th>frame</th><th>of</th></tr>\n", out);
    for (uint32_t i = 0; i < m->kmap_count; i++) {
        const struct picture_kmap *k = &m->kmaps[i];
        fprintf(out, "<tr><td>%u</td><td>%u</td><td>p%u", (unsigned)k->index, (unsigned)k->pfn, (unsigned)k->slot);
        if (k->count > 1) fprintf(out, ", %u times", (unsigned)k->count);
        fputs(k->local ? ", local</td></tr>\n" : "</td></tr>\n", out);
    }
    if (m->kmap_count) fputs("</table>\n", out);
}

static void print_key(FILE *out, const char *class, const char *word)
{
    fprintf(out, "<svg class=\"key\" viewBox=\"0 0 10 10\"><rect class=\"%s\" width=\"10\" height=\"10\"/></svg>%s\n",
            class, word);
}

static void print_legend(FILE *out, const bool *frames, const bool *pages)
{
    fputs("<p>", out);
    for (unsigned i = 0; i < FRAME_OWNERS; i++)
        if (frames[i] && picture_frame_words[i]) print_key(out, frame_classes[i], picture_frame_words[i]);
    for (unsigned i = PICTURE_GUARD; i <= PICTURE_INNER; i++)
        if (pages[i]) print_key(out, page_classes[i], picture_page_words[i]);
    if (frames[SEEN_MIXED] || pages[SEEN_MIXED]) print_key(out, "mixed", "several owners in a column");
    print_key(out, "b0", "and the other colours: slots");
    fputs("</p>\n", out);
}

void page_machine(FILE *out, const struct machine_picture *m)
{
    bool frames[FRAME_OWNERS + 1] = {false}, pages[FRAME_OWNERS + 1] = {false};
    fputs("<h2>The machine</h2>\n<p>", out);
    picture_title(out, m);
    fputs("; a row goes on where the one above it ends.</p>\n", out);
    for (unsigned zone = 0; zone < ZONES; zone++)
        if (m->zones[zone].start < m->zones[zone].end) draw_zone(out, m, zone, frames);
    draw_window(out, m, pages);
    list_kmaps(out, m);
    print_legend(out, frames, pages);
}
