/* annotate.c: a program with the result of each operation beside it, as the trace of its run tells it.
 *
 * An operation makes many calls when it is a run or a repeat, and is made again in each round of a course: shown are
 * the calls of the round in which the run ended, up to four of them one by one, more of them counted by result.
 */
#include "names.h"
#include "report_internal.h"

#include <string.h>

#define TEXT_COLUMNS_MAX 44u /* the results stand to the right of this column at the latest */

/* Where a block lies: "+0x40"; on a machine "frame 16" for pages, "window page 2" for areas, "pkmap" for kmaps. */
static void print_place(char *at, size_t size, const struct trace *t, const struct event *e)
{
    const struct machine_picture *m = &t->machine;
    uint64_t window = m->window_offset, pages = m->window_pages;
    bool pages_only = e->kind >= OP_ALLOC_PAGES && e->kind <= OP_PUT_PAGE;
    if (e->offset == OFFSET_NONE) snprintf(at, size, "block");
    else if (!m->frames || e->kind < OP_KERNEL_FIRST) report_offset(e->offset, at, size);
    else if (pages_only) snprintf(at, size, "frame %llu", (unsigned long long)(e->offset / m->page_bytes));
    else if (e->offset < window) report_offset(e->offset, at, size);
    else if (e->offset - window < pages * m->page_bytes)
        snprintf(at, size, "window page %llu", (unsigned long long)((e->offset - window) / m->page_bytes));
    else snprintf(at, size, "pkmap");
}

static bool makes_zero_size(const struct event *e)
{
    return (e->kind >= OP_KMALLOC && e->kind <= OP_KREALLOC_ARRAY) ||
           (e->kind >= OP_KVMALLOC && e->kind <= OP_KVREALLOC);
}

/* What came of one call: "+0x40 (32 usable)", "NULL ENOMEM", "reported BAD_FREE". */
static void print_result(FILE *out, const struct trace *trace, const struct event *e)
{
    char at[48];
    print_place(at, sizeof at, trace, e);

    switch ((enum result_class)e->result) {
    case RESULT_NONE: fputs("did not return", out); break;
    case RESULT_PTR:
        if (e->offset == OFFSET_NONE && e->kind != OP_KVREALLOC && makes_zero_size(e)) fputs("ZERO_SIZE_PTR", out);
        else fputs(at, out);
        if (e->usable > 0) fprintf(out, " (%llu usable)", (unsigned long long)e->usable);
        break;
    case RESULT_NULL:
        fputs("NULL", out);
        if (e->error != 0) {
            const char *name = error_name(e->error);
            if (name != NULL) fprintf(out, " %s", name);
            else fprintf(out, " error %d", (int)e->error);
        }
        break;
    case RESULT_VOID:
        fputs(makes_zero_size(e) ? "ZERO_SIZE_PTR" : "done", out);
        if (e->offset != OFFSET_NONE) fprintf(out, ", was %s", at);
        break;
    case RESULT_VALUE:
        if (e->kind == OP_USABLE_SIZE) fprintf(out, "%llu usable", (unsigned long long)e->usable);
        else fputs(at, out);
        break;
    case RESULT_REPORT: fprintf(out, "reported %s", report_kind_name(e->report)); break;
    case RESULT_SKIPPED: fputs("skipped", out); break;
    }
    if (e->struck) fputs(" (was refused memory)", out);
}

static bool concerns(const struct event *e, uint32_t op, uint32_t round) { return e->op == op && e->round == round; }

/* "5 blocks, 3 NULL": how often each class of result came up among the calls of an operation. */
static void print_counts(FILE *out, const struct trace *trace, uint32_t op, uint32_t round)
{
    static const char *const words[] = {
        [RESULT_NONE] = "not returned", [RESULT_PTR] = "blocks",   [RESULT_NULL] = "NULL",
        [RESULT_VOID] = "done",         [RESULT_VALUE] = "values", [RESULT_REPORT] = "reported",
        [RESULT_SKIPPED] = "skipped"};
    unsigned counts[RESULT_SKIPPED + 1] = {0};
    const char *separator = "";

    for (uint32_t i = 0; i < trace->event_count; i++) {
        const struct event *e = &trace->events[i];
        if (concerns(e, op, round) && e->result <= RESULT_SKIPPED) counts[e->result]++;
    }
    for (unsigned class = 0; class <= RESULT_SKIPPED; class ++) {
        if (counts[class] == 0) continue;
        fprintf(out, "%s%u %s", separator, counts[class], words[class]);
        separator = ", ";
    }
}

static void print_results(FILE *out, const struct trace *trace, uint32_t op, uint32_t round)
{
    uint32_t calls = 0, printed = 0;
    for (uint32_t i = 0; i < trace->event_count; i++) calls += concerns(&trace->events[i], op, round);

    for (uint32_t i = 0, call = 0; i < trace->event_count; i++) {
        if (!concerns(&trace->events[i], op, round)) continue;
        call++;
        if (calls > 4 && call > 1 && call < calls) continue;
        fputs(printed == 0 ? "-> " : calls > 4 ? " … " : ", ", out);
        print_result(out, trace, &trace->events[i]);
        printed++;
    }
    if (calls <= 4) return;
    fputs(": ", out);
    print_counts(out, trace, op, round);
}

/* The round whose results are shown: where the rule broke, or the last one that was run. */
static uint32_t shown_round(const struct trace *trace, const struct verdict *verdict)
{
    if (verdict != NULL && verdict->kind == VERDICT_FAIL) return verdict->round;
    return trace->event_count > 0 ? trace->events[trace->event_count - 1].round : 0;
}

static size_t columns_of(const struct program *p)
{
    size_t columns = 0;
    for (uint32_t i = 0; i < p->op_count; i++) {
        size_t length = program_print_op(&p->ops[i], NULL, 0);
        if (length > columns) columns = length;
    }
    return columns < TEXT_COLUMNS_MAX ? columns : TEXT_COLUMNS_MAX;
}

static bool has_results(const struct trace *trace, uint32_t op, uint32_t round)
{
    for (uint32_t e = 0; trace != NULL && e < trace->event_count; e++)
        if (concerns(&trace->events[e], op, round)) return true;
    return false;
}

void report_annotated(FILE *out, const struct program *p, const struct trace *trace, const struct verdict *verdict)
{
    bool failed = verdict != NULL && verdict->kind == VERDICT_FAIL;
    uint32_t round = trace != NULL ? shown_round(trace, verdict) : 0;
    char text[512];
    size_t columns = columns_of(p);

    program_print_heap(&p->heap, text, sizeof text);
    fprintf(out, "        %s\n", text);
    for (uint32_t i = 0; i < p->op_count; i++) {
        bool results = has_results(trace, i, round);
        program_print_op(&p->ops[i], text, sizeof text);
        fprintf(out, "%c %4u  %-*s", failed && verdict->op == i ? '>' : ' ', (unsigned)i + 1,
                results ? (int)columns + 2 : 0, text); /* no spaces at the end of a line */
        if (results) print_results(out, trace, i, round);
        putc('\n', out);
    }
    if (failed && verdict->op >= p->op_count) fputs(">       at the end of the program\n", out);
    if (trace != NULL && trace->events_dropped > 0)
        fprintf(out, "        (the results of the first %llu calls were not kept)\n",
                (unsigned long long)trace->events_dropped);
}

void report_commented(FILE *out, const struct program *p, const struct trace *trace, const struct verdict *verdict)
{
    uint32_t round = shown_round(trace, verdict);
    int columns = (int)columns_of(p);
    char text[512];

    program_print_heap(&p->heap, text, sizeof text);
    fprintf(out, "assay 1\n%s\n", text);
    for (uint32_t i = 0; i < p->op_count; i++) {
        bool failed = verdict->kind == VERDICT_FAIL && verdict->op == i, results = has_results(trace, i, round);
        program_print_op(&p->ops[i], text, sizeof text);
        fprintf(out, "%-*s", results || failed ? columns : 0, text);
        if (results || failed) fputs("  # ", out);
        if (results) print_results(out, trace, i, round);
        if (failed) fprintf(out, "%s%s broken here", results ? "; " : "", report_rule(verdict)->id);
        putc('\n', out);
    }
    if (verdict->kind == VERDICT_FAIL && verdict->op >= p->op_count)
        fprintf(out, "# %s broken here, at the end of the program\n", report_rule(verdict)->id);
    if (trace->events_dropped > 0)
        fprintf(out, "# (the results of the first %llu calls were not kept)\n",
                (unsigned long long)trace->events_dropped);
}
