/* report_misuse.c: report_misuse.h is the manual. */
#include "report_misuse.h"

#include "report_internal.h"

#include <string.h>

#define NAME_COLUMNS 45
#define CELL_COLUMNS 26

static const char *const words[MISUSE_RESULTS] = {"skipped", "detected", "missed", "suffered"};

/* The one result of a row with one trial; of many, the worst. */
static enum misuse_result result_of(const struct misuse_outcome *o)
{
    enum misuse_result worst = MISUSE_SKIPPED;
    for (unsigned i = MISUSE_DETECTED; i < MISUSE_RESULTS; i++)
        if (o->count[i]) worst = (enum misuse_result)i;
    return worst;
}

static uint32_t trials(const struct misuse_outcome *o)
{
    return o->count[MISUSE_DETECTED] + o->count[MISUSE_MISSED] + o->count[MISUSE_SUFFERED];
}

static bool breaks(const struct misuse_outcome *o) { return o->promised && o->count[MISUSE_DETECTED] < trials(o); }

/* "D abort"; of many trials, "12 D 110 M 6 S". */
static void print_cell(FILE *out, const struct misuse_row *row, const struct misuse_outcome *o)
{
    char text[96];
    if (!trials(o)) snprintf(text, sizeof text, "-");
    else if (row->control) snprintf(text, sizeof text, "%s", o->how);
    else if (trials(o) == 1)
        snprintf(text, sizeof text, "%c %s%s", "-DMS"[result_of(o)], o -> how, breaks(o) ? " !" : "");
    else
        snprintf(text, sizeof text, "%u D %u M %u S%s", o->count[MISUSE_DETECTED], o->count[MISUSE_MISSED],
                 o->count[MISUSE_SUFFERED], breaks(o) ? " !" : "");
    fprintf(out, " %-*s", CELL_COLUMNS, text);
}

static void begin_family(struct report_misuse *r, const struct misuse_row *row)
{
    if (!r->family)
        fprintf(r->out, "%s: D detected, M missed, S suffered%s\n", r->target->name,
                ", ! not detected though the contract promises it");
    fprintf(r->out, "\n%-*s", NAME_COLUMNS, row->family);
    for (unsigned i = 0; row->sized && i < MISUSE_SIZES; i++) {
        char size[32];
        snprintf(size, sizeof size, "%u bytes", misuse_sizes[i]);
        fprintf(r->out, " %-*s", CELL_COLUMNS, size);
    }
    putc('\n', r->out);
    r->family = row->family;
}

static void text_row(struct report_misuse *r, const struct misuse_row *row, const struct misuse_outcome *outcomes,
                     unsigned sizes)
{
    uint32_t tried = 0;
    for (unsigned i = 0; i < sizes; i++) tried += trials(&outcomes[i]);
    if (!tried) return;
    if (!r->family || strcmp(r->family, row->family) != 0) begin_family(r, row);
    fprintf(r->out, "  %-*s", NAME_COLUMNS - 2, row->error);
    for (unsigned i = 0; i < sizes; i++) print_cell(r->out, row, &outcomes[i]);
    fprintf(r->out, " %s\n", row->law);
}

static void json_row(struct report_misuse *r, const struct misuse_row *row, const struct misuse_outcome *o,
                     unsigned size)
{
    FILE *out = r->out;
    fputs("{\"type\":\"misuse\",\"allocator\":", out);
    json_string(out, r->target->name);
    fputs(",\"family\":", out);
    json_string(out, row->family);
    fputs(",\"error\":", out);
    json_string(out, row->error);
    if (row->sized) fprintf(out, ",\"size\":%u", misuse_sizes[size]);
    fprintf(out, ",\"result\":\"%s\",\"how\":", row->control ? "control" : words[result_of(o)]);
    json_string(out, o->how);
    fprintf(out, ",\"trials\":%u,\"detected\":%u,\"missed\":%u,\"suffered\":%u,\"promised\":%s,\"law\":", trials(o),
            o->count[MISUSE_DETECTED], o->count[MISUSE_MISSED], o->count[MISUSE_SUFFERED],
            o->promised ? "true" : "false");
    json_string(out, row->law);
    fputs("}\n", out);
}

void report_misuse_row(struct report_misuse *r, const struct misuse_row *row, const struct misuse_outcome *outcomes)
{
    const unsigned sizes = row->sized ? MISUSE_SIZES : 1;
    for (unsigned i = 0; i < sizes; i++) {
        if (!row->control) r->results[result_of(&outcomes[i])]++;
        r->broken += breaks(&outcomes[i]);
        if (r->json) json_row(r, row, &outcomes[i], i);
    }
    if (!r->json) text_row(r, row, outcomes, sizes);
}

int report_misuse_end(struct report_misuse *r)
{
    if (r->json) {
        fputs("{\"type\":\"summary\",\"command\":\"misuse\",\"allocator\":", r->out);
        json_string(r->out, r->target->name);
        fprintf(r->out, ",\"detected\":%u,\"missed\":%u,\"suffered\":%u,\"skipped\":%u,\"broken_promises\":%u}\n",
                r->results[MISUSE_DETECTED], r->results[MISUSE_MISSED], r->results[MISUSE_SUFFERED],
                r->results[MISUSE_SKIPPED], r->broken);
    } else {
        fprintf(r->out, "\n%s: %u detected, %u missed, %u suffered, %u not tried; %u promises broken\n",
                r->target->name, r->results[MISUSE_DETECTED], r->results[MISUSE_MISSED], r->results[MISUSE_SUFFERED],
                r->results[MISUSE_SKIPPED], r->broken);
    }
    return fflush(r->out) || ferror(r->out) ? -1 : 0;
}
