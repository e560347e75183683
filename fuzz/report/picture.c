/* picture.c: the heap around a fault, as a strip of characters in address order.
 *
 *     +0x10   +0x30           +0x70
 *     p0      p1              p2
 *     ####....############....####....|
 *                         ^ +0x60
 *
 * The strip shows the block at the fault and as many of its neighbours as fit at a scale of 16 bytes a column or finer;
 * a column stands for a power of two of bytes. Where two blocks share a byte the column says so. Of a run in which no rule
 * broke, all blocks are shown.
 */
#include "report_internal.h"

#include <string.h>

#define COLUMNS_MAX 200u
#define NEIGHBOURS_MAX 4u      /* blocks shown to each side of the one at the fault */
#define COLUMN_BYTES_GOOD 16u  /* neighbours are left out while the scale is coarser than this */
#define OUTSIDE_BYTES_MAX 256u /* a fault this far behind the memory lent is still drawn */

struct window {
    uint64_t from, to; /* bytes shown: [from, to) */
    uint64_t column_bytes;
    unsigned columns;
};

static uint64_t extent(const struct live_block *b) { return b->usable > b->size ? b->usable : b->size; }

/* Blocks that say they reach beyond the address space, as a broken allocator's may, are drawn to its end. */
static uint64_t end_of(const struct live_block *b)
{
    uint64_t end = b->offset + extent(b);
    return end < b->offset ? UINT64_MAX : end;
}

/* The block to look at: that which holds the fault, else the one the verdict names, else the next behind the fault. */
static uint32_t focus(const struct trace *t, const struct verdict *v)
{
    if (t->fault_offset != OFFSET_NONE)
        for (uint32_t i = 0; i < t->block_count; i++)
            if (t->blocks[i].offset <= t->fault_offset && t->fault_offset < end_of(&t->blocks[i])) return i;
    if (v != NULL)
        for (uint32_t i = 0; i < t->block_count; i++)
            if (t->blocks[i].slot == v->slot) return i;
    if (t->fault_offset != OFFSET_NONE)
        for (uint32_t i = 0; i < t->block_count; i++)
            if (t->blocks[i].offset > t->fault_offset) return i;
    return t->block_count - 1;
}

static struct window window_around(const struct trace *t, uint32_t middle, uint32_t neighbours, unsigned columns)
{
    uint32_t first = middle > neighbours ? middle - neighbours : 0;
    uint32_t last = middle + neighbours < t->block_count ? middle + neighbours : t->block_count - 1;
    uint64_t limit = t->heap_size + OUTSIDE_BYTES_MAX;
    struct window w = {.from = t->blocks[first].offset, .column_bytes = 1};

    for (uint32_t i = first; i <= last; i++)
        if (end_of(&t->blocks[i]) > w.to) w.to = end_of(&t->blocks[i]);
    if (t->fault_offset < limit) {
        if (t->fault_offset < w.from) w.from = t->fault_offset;
        if (t->fault_offset >= w.to) w.to = t->fault_offset + 1;
    }
    if (w.to > limit) w.to = limit;
    if (w.to <= w.from) w.to = w.from + 1;
    while ((w.to - w.from - 1) / w.column_bytes + 2 > columns) {
        w.column_bytes *= 2;
        w.from -= w.from % w.column_bytes;
    }
    w.columns = (unsigned)((w.to - w.from - 1) / w.column_bytes + 1);
    return w;
}

static unsigned column_of(const struct window *w, uint64_t offset)
{
    return (unsigned)((offset - w->from) / w->column_bytes);
}

/* Payload where at least one byte of the column is asked for; shared where two blocks hold one byte of it. */
static char cell(const struct trace *t, uint64_t from, uint64_t to)
{
    char c = '.';
    uint64_t high = 0; /* the end of all blocks before, inside this column */
    for (uint32_t i = 0; i < t->block_count; i++) {
        const struct live_block *b = &t->blocks[i];
        if (b->offset >= to || end_of(b) <= from) continue;
        if (b->offset < high && from < high) return 'X';
        if (b->offset < to && b->offset + b->size > from && c == '.') c = '#';
        if (end_of(b) > high) high = end_of(b);
    }
    return c;
}

/* Writes `label` at `column` unless it would touch what stands there. */
static void place(char *row, unsigned columns, unsigned column, const char *label)
{
    size_t length = strlen(label);
    if (column + length > columns) return;
    for (size_t i = column == 0 ? 0 : column - 1; i < column + length; i++)
        if (row[i] != ' ') return;
    memcpy(row + column, label, length);
}

static void print_row(FILE *out, char *row, unsigned columns)
{
    while (columns > 0 && row[columns - 1] == ' ') columns--;
    if (columns > 0) fprintf(out, "    %.*s\n", (int)columns, row);
}

void report_heap_picture(FILE *out, const struct trace *trace, const struct verdict *verdict, unsigned columns)
{
    char offsets[COLUMNS_MAX + 1], names[COLUMNS_MAX + 1], strip[COLUMNS_MAX + 1], label[32];
    struct window w;

    if (trace->heap_size == 0 || trace->block_count == 0) return;
    if (columns < 24) columns = 24;
    columns -= 4; /* the margin */
    if (columns > COLUMNS_MAX) columns = COLUMNS_MAX;

    bool held = verdict != NULL && verdict->kind == VERDICT_PASS;
    uint32_t middle = focus(trace, verdict), neighbours = held ? trace->block_count : NEIGHBOURS_MAX;
    do w = window_around(trace, middle, neighbours, columns);
    while (!held && w.column_bytes > COLUMN_BYTES_GOOD && neighbours-- > 0);

    memset(offsets, ' ', sizeof offsets);
    memset(names, ' ', sizeof names);
    memset(strip, ' ', sizeof strip);
    for (unsigned c = 0; c < w.columns; c++) {
        uint64_t from = w.from + c * w.column_bytes;
        strip[c] = from >= trace->heap_size ? ' ' : cell(trace, from, from + w.column_bytes);
    }
    for (uint32_t i = 0; i < trace->block_count; i++) {
        const struct live_block *b = &trace->blocks[i];
        if (b->offset < w.from || b->offset >= w.to) continue;
        report_offset(b->offset, label, sizeof label);
        place(offsets, columns, column_of(&w, b->offset), label);
        snprintf(label, sizeof label, "p%u", (unsigned)b->slot);
        place(names, columns, column_of(&w, b->offset), label);
    }
    if (w.to >= trace->heap_size) {
        unsigned end = (unsigned)((trace->heap_size - w.from + w.column_bytes - 1) / w.column_bytes);
        if (trace->heap_size >= w.from && end < columns) strip[end] = '|'; /* the end of the memory lent */
    }
    print_row(out, offsets, columns);
    print_row(out, names, columns);
    print_row(out, strip, columns);
    if (trace->fault_offset != OFFSET_NONE) {
        report_offset(trace->fault_offset, label, sizeof label);
        if (trace->fault_offset >= w.from && trace->fault_offset < w.to)
            fprintf(out, "    %*s %s\n", (int)column_of(&w, trace->fault_offset) + 1, "^", label);
        else fprintf(out, "    the fault at %s lies outside of this picture\n", label);
    }
    fprintf(out, "    (a column is %llu byte%s: # payload, . free or slack, X in two blocks; %llu bytes in all)\n",
            (unsigned long long)w.column_bytes, w.column_bytes == 1 ? "" : "s", (unsigned long long)trace->heap_size);
}
