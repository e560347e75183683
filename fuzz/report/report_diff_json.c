/* report_diff_json.c: what a comparison came to, as JSON lines: one record for each kind of difference and allocator, and
 * the summary, which is last (docs/REPORTS.md). Keys come in a fixed order.
 */
#include "differences.h"
#include "report_internal.h"

#include <inttypes.h>
#include <stdlib.h>

static void number(FILE *out, const char *key, uint64_t value) { fprintf(out, ",\"%s\":%" PRIu64, key, value); }

static void numbers(FILE *out, const char *key, const uint64_t *values, unsigned count)
{
    fprintf(out, ",\"%s\":[", key);
    for (unsigned i = 0; i < count; i++) fprintf(out, "%s%" PRIu64, i ? "," : "", values[i]);
    putc(']', out);
}

static void operations_lacked(FILE *out, const struct diff *d, unsigned i)
{
    const char *separator = "";
    fputs(",\"not_offered\":[", out);
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        if (!difference_lacks(d, i, (enum op_kind)kind)) continue;
        fprintf(out, "%s\"%s\"", separator, op_name((enum op_kind)kind));
        separator = ",";
    }
    putc(']', out);
}

static void alignments(FILE *out, const struct difference *sums, const struct choices *c)
{
    uint64_t bytes[ALIGN_CLASSES];
    for (unsigned class = 0; class < ALIGN_CLASSES; class ++)
        bytes[class] = sums->aligned[class] ? UINT64_C(1) << c->align_least[class] : 0;
    numbers(out, "blocks", sums->aligned, ALIGN_CLASSES);
    numbers(out, "least", bytes, ALIGN_CLASSES);
}

static void numbers_of(FILE *out, const struct diff *d, enum difference_kind kind, unsigned i)
{
    const struct difference *sums = &d->difference;
    const struct choices *c = &sums->choices[i];
    switch (kind) {
    case DIFFERENCE_OFFERED: operations_lacked(out, d, i); break;
    case DIFFERENCE_USABLE:
        numbers(out, "asked", sums->asked, USABLE_CLASSES);
        numbers(out, "usable", c->usable, USABLE_CLASSES);
        if (sums->usable.bytes) fprintf(out, ",\"furthest\":{\"operation\":\"%s\"", op_name(sums->usable.kind));
        if (sums->usable.bytes) number(out, "asked", sums->usable.bytes);
        if (sums->usable.bytes) number(out, "usable", sums->usable.usable[i]);
        if (sums->usable.bytes) putc('}', out);
        break;
    case DIFFERENCE_MEMORY:
        number(out, "requests", sums->requests);
        number(out, "refused", c->refused);
        number(out, "refused_least", c->refused_least);
        number(out, "programs_refused", c->full);
        number(out, "full_permille", c->full ? c->full_permille / c->full : 0);
        break;
    case DIFFERENCE_RESIZE:
        number(out, "grown", sums->grown);
        number(out, "grown_in_place", c->grown_in_place);
        number(out, "shrunk", sums->shrunk);
        number(out, "shrunk_in_place", c->shrunk_in_place);
        break;
    case DIFFERENCE_ZERO_SIZE:
        numbers(out, "asked", sums->zero, ZERO_CLASSES);
        numbers(out, "blocks", c->zero_blocks, ZERO_CLASSES);
        break;
    case DIFFERENCE_ALIGNMENT: alignments(out, sums, c); break;
    case DIFFERENCE_HUGE:
        number(out, "requests", sums->huge);
        number(out, "granted", c->huge_granted);
        number(out, "largest", c->huge_largest);
        break;
    case DIFFERENCE_ERRNO:
        number(out, "refusals", c->refusals);
        number(out, "enomem", c->refusals_enomem);
        break;
    case DIFFERENCE_FOOTPRINT:
        number(out, "taken", c->taken);
        number(out, "live", c->live);
        fprintf(out, ",\"resident\":%s", is_hosted(d, i) ? "true" : "false");
        break;
    case DIFFERENCE_KINDS: break;
    }
}

static void print_kind(FILE *out, const struct diff *d, enum difference_kind kind)
{
    bool found = difference_found(d, kind);
    char *text = found ? difference_text(d, kind) : NULL;
    for (unsigned i = 0; i < d->count; i++) {
        fprintf(out, "{\"type\":\"difference\",\"kind\":\"%s\",\"differs\":%s,\"allocator\":", difference_word(kind),
                found ? "true" : "false");
        json_string(out, d->targets[i].name);
        fputs(",\"label\":", out);
        json_string(out, d->labels[i]);
        numbers_of(out, d, kind, i);
        if (text != NULL) fputs(",\"sentence\":", out);
        if (text != NULL) json_string(out, text);
        fputs("}\n", out);
    }
    free(text);
}

static void print_allocator(FILE *out, const struct diff_summary *s, unsigned i)
{
    const struct exec_counters *c = &s->diff->counters[i];
    const char *separator = "";
    fputs("{\"allocator\":", out);
    json_string(out, s->diff->targets[i].name);
    fputs(",\"label\":", out);
    json_string(out, s->diff->labels[i]);
    number(out, "programs", c->programs);
    number(out, "operations", c->operations);
    fputs(",\"broken\":[", out);
    for (unsigned rule = RULE_NONE + 1; rule < RULE_COUNT; rule++) {
        if (!s->broken[i][rule]) continue;
        fprintf(out, "%s\"%s\"", separator, rule_info((enum rule)rule)->id);
        separator = ",";
    }
    fputs("],\"skipped\":{", out);
    separator = "";
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        if (!c->skipped[kind]) continue;
        fprintf(out, "%s\"%s\":%" PRIu64, separator, op_name((enum op_kind)kind), c->skipped[kind]);
        separator = ",";
    }
    fputs("}}", out);
}

void report_json_end_diff(FILE *out, const struct diff_summary *s)
{
    const struct diff *d = s->diff;
    const char *separator = "";

    for (enum difference_kind kind = 0; kind < DIFFERENCE_KINDS; kind++)
        if (difference_seen(d, kind)) print_kind(out, d, kind);
    fputs("{\"type\":\"summary\",\"command\":\"diff\",\"allocators\":[", out);
    for (unsigned i = 0; i < d->count; i++) {
        if (i) putc(',', out);
        print_allocator(out, s, i);
    }
    fprintf(out, "],\"verdict\":\"%s\"", report_verdict_word(s->verdict));
    number(out, "findings", s->findings);
    number(out, "disagreements", s->disagreements);
    number(out, "programs_compared", d->difference.programs);
    number(out, "programs_left_out", d->difference.left_out);
    number(out, "programs_cut", d->difference.cut);
    number(out, "calls_compared", d->difference.calls);
    if (s->seconds >= 0) fprintf(out, ",\"seconds\":%.3f", s->seconds);
    number(out, "seed", d->seed);
    fprintf(out, ",\"interrupted\":%s", s->interrupted ? "true" : "false");
    if (s->message != NULL) fputs(",\"message\":", out);
    if (s->message != NULL) json_string(out, s->message);
    fputs(",\"rules\":{", out);
    for (unsigned rule = RULE_NONE + 1; rule < RULE_COUNT; rule++) {
        uint64_t checked = rule == RULE_DIFFER ? d->difference.checked : 0;
        for (unsigned i = 0; i < d->count; i++) checked += d->counters[i].checked[rule];
        if (!checked) continue;
        fprintf(out, "%s\"%s\":%" PRIu64, separator, rule_info((enum rule)rule)->id, checked);
        separator = ",";
    }
    fputs("}}\n", out);
}
