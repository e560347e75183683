/* report_diff.c: what a comparison came to, for people: a table with a column for each allocator, a row for each number
 * that was seen, and below it what the differences mean.
 */
#include "differences.h"
#include "report_internal.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_COLUMNS 46u
#define TEXT_COLUMNS 110u

struct table {
    FILE *out;
    const struct diff *diff;
    const struct diff_summary *summary;
    unsigned width[PARTIES_MAX];
};

/* A cell of allocator i into `text`; false if there is nothing to say. */
typedef bool cell(const struct table *t, unsigned i, unsigned part, char *text, size_t size);

static void print_row(const struct table *t, const char *label, cell *of, unsigned part)
{
    char text[64];
    unsigned told = 0;
    for (unsigned i = 0; i < t->diff->count; i++) told += of(t, i, part, text, sizeof text);
    if (!told) return;
    fprintf(t->out, "  %-*s", LABEL_COLUMNS, label);
    for (unsigned i = 0; i < t->diff->count; i++)
        fprintf(t->out, "%*s", t->width[i], of(t, i, part, text, sizeof text) ? text : "-");
    putc('\n', t->out);
}

static const struct choices *choices(const struct table *t, unsigned i) { return &t->diff->difference.choices[i]; }

static bool percent(char *text, size_t size, uint64_t hundredths)
{
    snprintf(text, size, "%.1f %%", (double)hundredths / 100);
    return true;
}

static bool broken_cell(const struct table *t, unsigned i, unsigned part, char *text, size_t size)
{
    size_t used = 0;
    unsigned told = 0;
    (void)part;
    for (unsigned rule = RULE_NONE + 1; rule < RULE_COUNT; rule++) {
        if (!t->summary->broken[i][rule]) continue;
        if (told++ < 3)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s", told > 1 ? "," : "", rule_info((enum rule)rule)->id);
    }
    if (told > 3) snprintf(text + used, size - used, ",…");
    if (!told) snprintf(text, size, "none");
    return true;
}

static bool usable_cell(const struct table *t, unsigned i, unsigned class, char *text, size_t size)
{
    uint64_t asked = t->diff->difference.asked[class], usable = choices(t, i)->usable[class];
    return asked && usable && percent(text, size, excess_of(usable, asked));
}

static bool refused_cell(const struct table *t, unsigned i, unsigned part, char *text, size_t size)
{
    (void)part;
    return t->diff->difference.requests &&
           snprintf(text, size, "%.2f %%",
                    (double)share_of(choices(t, i)->refused, t->diff->difference.requests) / 100) > 0;
}

static bool full_cell(const struct table *t, unsigned i, unsigned part, char *text, size_t size)
{
    const struct choices *c = choices(t, i);
    (void)part;
    return c->full && percent(text, size, c->full_permille * 10 / c->full);
}

static bool resize_cell(const struct table *t, unsigned i, unsigned shrinks, char *text, size_t size)
{
    const struct difference *d = &t->diff->difference;
    uint64_t whole = shrinks ? d->shrunk : d->grown;
    uint64_t part = shrinks ? choices(t, i)->shrunk_in_place : choices(t, i)->grown_in_place;
    return whole && percent(text, size, share_of(part, whole));
}

static bool zero_cell(const struct table *t, unsigned i, unsigned class, char *text, size_t size)
{
    uint64_t asked = t->diff->difference.zero[class], blocks = choices(t, i)->zero_blocks[class];
    if (asked) snprintf(text, size, "%s", blocks ? "a block" : "NULL"); /* now and then a full heap refuses them too */
    return asked;
}

static bool align_cell(const struct table *t, unsigned i, unsigned class, char *text, size_t size)
{
    if (!t->diff->difference.aligned[class]) return false;
    snprintf(text, size, "%u", 1u << choices(t, i)->align_least[class]);
    return true;
}

static bool huge_cell(const struct table *t, unsigned i, unsigned part, char *text, size_t size)
{
    (void)part;
    return t->diff->difference.huge &&
           percent(text, size, share_of(choices(t, i)->huge_granted, t->diff->difference.huge));
}

static bool errno_cell(const struct table *t, unsigned i, unsigned part, char *text, size_t size)
{
    const struct choices *c = choices(t, i);
    (void)part;
    return c->refusals && percent(text, size, share_of(c->refusals_enomem, c->refusals));
}

static bool footprint_cell(const struct table *t, unsigned i, unsigned hosted, char *text, size_t size)
{
    const struct choices *c = choices(t, i);
    char bytes[32];
    if (is_hosted(t->diff, i) != (hosted != 0) || !c->live || !c->taken) return false;
    if (hosted) snprintf(text, size, "%s", bytes_word(c->taken, bytes));
    else snprintf(text, size, "%.2f", (double)share_of(c->taken, c->live) / 10000);
    return true;
}

static void print_table(struct table *t)
{
    const struct diff *d = t->diff;
    fprintf(t->out, "  %-*s", LABEL_COLUMNS, "");
    for (unsigned i = 0; i < d->count; i++) {
        char text[64];
        size_t length = strlen(d->labels[i]);
        if (broken_cell(t, i, 0, text, sizeof text) && strlen(text) > length) length = strlen(text);
        t->width[i] = (unsigned)(length < 9 ? 9 : length) + 2;
        fprintf(t->out, "%*s", t->width[i], d->labels[i]);
    }
    putc('\n', t->out);
    print_row(t, "rules broken", broken_cell, 0);
    print_row(t, "usable beyond the request, up to 64 bytes", usable_cell, USABLE_64);
    print_row(t, "  ... to 1 KiB", usable_cell, USABLE_1K);
    print_row(t, "  ... to 32 KiB", usable_cell, USABLE_32K);
    print_row(t, "  ... larger", usable_cell, USABLE_ABOVE);
    print_row(t, "  ... with an alignment", usable_cell, USABLE_ALIGNED);
    print_row(t, "refused, though another grants it", refused_cell, 0);
    print_row(t, "how full the heap is at its first refusal", full_cell, 0);
    print_row(t, "resized in place, growing", resize_cell, 0);
    print_row(t, "resized in place, shrinking", resize_cell, 1);
    print_row(t, "malloc(0)", zero_cell, ZERO_MALLOC);
    print_row(t, "aligned request of 0 bytes", zero_cell, ZERO_ALIGNED);
    print_row(t, "least alignment, up to 8 bytes", align_cell, ALIGN_TO_8);
    print_row(t, "  ... 9 to 15 bytes", align_cell, ALIGN_TO_15);
    print_row(t, "  ... larger", align_cell, ALIGN_FROM_16);
    print_row(t, "granted of requests for 16 MiB and more", huge_cell, 0);
    print_row(t, "errno is ENOMEM after a refusal", errno_cell, 0);
    print_row(t, "bytes taken for each byte alive, memory lent", footprint_cell, 0);
    print_row(t, "resident memory, the host's", footprint_cell, 1);
}

/* Between words, where a line gets long. */
static void print_wrapped(FILE *out, const char *text)
{
    size_t column = 2;
    fputs("  ", out);
    for (const char *at = text; *at;) {
        size_t word = strcspn(at, " ");
        if (strncmp(at + word, " %", 2) == 0) word += 1 + strcspn(at + word + 1, " "); /* stays with its number */
        if (column > 2 && column + 1 + word > TEXT_COLUMNS) {
            fputs("\n  ", out);
            column = 2;
        } else if (at != text) {
            putc(' ', out);
            column++;
        }
        fwrite(at, 1, word, out);
        column += word;
        at += word + (at[word] == ' ');
    }
    putc('\n', out);
}

static void print_sentences(FILE *out, const struct diff *d)
{
    const char *separator = "  No difference in: ";
    for (enum difference_kind kind = 0; kind < DIFFERENCE_KINDS; kind++) {
        char *text = difference_found(d, kind) ? difference_text(d, kind) : NULL;
        if (text != NULL) print_wrapped(out, text);
        free(text);
    }
    for (enum difference_kind kind = 0; kind < DIFFERENCE_KINDS; kind++) {
        if (!difference_seen(d, kind) || difference_found(d, kind)) continue;
        fprintf(out, "%s%s", separator, difference_word(kind));
        separator = ", ";
    }
    if (separator[0] == ',') fputs(".\n", out);
}

static void print_names(FILE *out, const struct diff *d)
{
    for (unsigned i = 0; i < d->count; i++)
        if (strcmp(d->labels[i], d->targets[i].name) != 0)
            fprintf(out, "  %s is %s\n", d->labels[i], d->targets[i].name);
}

void report_text_end_diff(FILE *out, const struct diff_summary *s, bool quiet)
{
    const struct diff *d = s->diff;
    const struct difference *sums = &d->difference;
    char programs[32], calls[32], left[32];
    struct table table = {.out = out, .diff = d, .summary = s};

    if (!quiet) {
        if (s->findings) putc('\n', out);
        print_names(out, d);
        print_table(&table);
        putc('\n', out);
        print_sentences(out, d);
        if (sums->left_out)
            fprintf(out, "  Left out of the comparison: %s program%s in which one of the allocators broke a rule.\n",
                    report_grouped(sums->left_out, left), sums->left_out == 1 ? "" : "s");
        if (sums->cut)
            fprintf(out, "  Compared at their beginning only, for want of room: %s.\n",
                    report_grouped(sums->cut, left));
        putc('\n', out);
    }
    if (quiet && s->verdict == VERDICT_PASS) return;
    fprintf(out, "%s ", report_verdict_word(s->verdict));
    for (unsigned i = 0; i < d->count; i++) fprintf(out, "%s%s", i ? ", " : "", d->labels[i]);
    fputs(": ", out);
    if (s->message != NULL) fprintf(out, "%s; ", s->message);
    if (s->findings > 0) fprintf(out, "%u finding%s; ", (unsigned)s->findings, s->findings == 1 ? "" : "s");
    fprintf(out, "%s programs compared, %s calls asked of all", report_grouped(sums->programs, programs),
            report_grouped(sums->calls, calls));
    if (s->seconds >= 0) fprintf(out, ", %.1f s", s->seconds);
    putc('\n', out);
    if (s->interrupted) fputs("  interrupted: the budget was not used up\n", out);
    if (s->verdict == VERDICT_FAIL && *report_text_last_replay()) fprintf(out, "%s\n", report_text_last_replay());
}
