/* report_json.c: JSON lines, one object a finding and one for the summary, which is last (docs/REPORTS.md). Keys come
 * in a fixed order, so that equal runs give equal bytes.
 */
#include "explore.h"
#include "report_internal.h"

#include <inttypes.h>
#include <stdlib.h>

static void text_member(FILE *out, const char *key, const char *value)
{
    fprintf(out, ",\"%s\":", key);
    json_string(out, value);
}

static void number_member(FILE *out, const char *key, uint64_t value) { fprintf(out, ",\"%s\":%" PRIu64, key, value); }

static void bool_member(FILE *out, const char *key, bool value)
{
    fprintf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

/* The machine where there is one: what is in the text's picture but for the strips. */
static void machine_member(FILE *out, const struct machine_picture *m)
{
    const char *separator = "";
    if (!m->frames) return;
    fprintf(out, ",\"machine\":{\"config\":\"%s\"", machine_config_names[m->config % MACHINE_CONFIGS]);
    number_member(out, "frames", m->frames);
    number_member(out, "page_bytes", m->page_bytes);
    if (m->fault_pfn != PFN_NONE) number_member(out, "fault_frame", m->fault_pfn);
    if (m->fault_page != PFN_NONE) number_member(out, "fault_page", m->fault_page);
    number_member(out, "mapped", m->mapped);
    fputs(",\"zones\":[", out);
    for (unsigned zone = 0; zone < ZONES; zone++) {
        const struct picture_zone *z = &m->zones[zone];
        if (z->start == z->end) continue;
        fprintf(out, "%s{\"name\":\"%s\"", separator, machine_zone_names[zone]);
        number_member(out, "start", z->start);
        number_member(out, "end", z->end);
        number_member(out, "free", z->free);
        number_member(out, "min", z->min);
        number_member(out, "low", z->low);
        number_member(out, "high", z->high);
        fputs(",\"blocks\":[", out);
        for (unsigned order = 0; order <= m->max_order; order++)
            fprintf(out, "%s%" PRIu32, order ? "," : "", z->blocks[order]);
        fputs("]}", out);
        separator = ",";
    }
    fputs("]}", out);
}

void report_json_finding(FILE *out, const struct finding *f)
{
    const struct rule_info *info = report_rule(&f->verdict);
    const struct program *p = &f->program;
    bool at_end = f->verdict.op >= p->op_count;
    char *program = report_program_text(p);
    char file[sizeof f->path], replay[20000];

    report_file(f, file, sizeof file);
    report_replay_command(f, replay, sizeof replay);
    fputs("{\"type\":\"finding\"", out);
    text_member(out, "allocator", f->target->name);
    if (f->other != NULL) text_member(out, "other", f->other->name);
    text_member(out, "rule", info->id);
    text_member(out, "class", rule_class_name(info->class));
    text_member(out, "sentence", info->sentence);
    text_member(out, "source", info->source);
    text_member(out, "operation", at_end ? "end" : op_name((enum op_kind)p->ops[f->verdict.op].kind));
    number_member(out, "operations", p->op_count);
    number_member(out, "op_index", f->verdict.op);
    number_member(out, "step", f->verdict.step);
    number_member(out, "round", f->verdict.round);
    text_member(out, "expected", f->verdict.expected);
    text_member(out, "seen", f->verdict.seen);
    text_member(out, "program", program != NULL ? program : "");
    text_member(out, "file", file);
    number_member(out, "seed", f->seed);
    number_member(out, "index", f->index);
    number_member(out, "signal", (uint64_t)f->signal_number);
    number_member(out, "exit_status", (uint64_t)f->exit_status);
    number_member(out, "repeats", f->repeats);
    number_member(out, "repeated", f->repeated);
    bool_member(out, "needs_history", f->needs_history);
    bool_member(out, "minimised", f->minimised);
    if (f->cut_short) bool_member(out, "cut_short", true);
    number_member(out, "original_operations", f->original_ops);
    machine_member(out, &f->trace.machine);
    text_member(out, "replay", replay);
    fputs("}\n", out);
    free(program);
}

void report_json_end(FILE *out, const struct summary *s)
{
    const char *separator = "";
    char reason[32 + sizeof s->target->name];

    fputs("{\"type\":\"summary\"", out);
    text_member(out, "command", s->command != NULL ? s->command : "");
    text_member(out, "allocator", s->target->name);
    text_member(out, "verdict", report_verdict_word(s->verdict));
    number_member(out, "findings", s->findings);
    number_member(out, "programs", s->counters.programs);
    number_member(out, "operations", s->counters.operations);
    if (s->explore) {
        number_member(out, "states", s->explore->states);
        number_member(out, "calls", s->explore->transitions);
        number_member(out, "depth", s->explore->depth);
        bool_member(out, "closed", explore_proved(s->explore));
    }
    const struct faults_counters *f = &s->counters.faults;
    if (f->requests || f->ones)
        fprintf(out,
                ",\"faults\":{\"requests\":%" PRIu64 ",\"ones\":%" PRIu64 ",\"pairs\":%" PRIu64
                ",\"ones_left_out\":%" PRIu64 ",\"pairs_left_out\":%" PRIu64 "}",
                f->requests, f->ones, f->pairs, f->ones_left_out, f->pairs_left_out);
    if (s->coverage) number_member(out, "coverage", s->coverage);
    if (s->seconds >= 0) fprintf(out, ",\"seconds\":%.3f", s->seconds);
    number_member(out, "seed", s->seed);
    bool_member(out, "interrupted", s->interrupted);
    if (s->message != NULL) text_member(out, "message", s->message);

    fputs(",\"rules\":{", out);
    for (unsigned rule = RULE_NONE + 1; rule < RULE_COUNT; rule++) {
        if (s->counters.checked[rule] == 0) continue;
        fprintf(out, "%s\"%s\":%" PRIu64, separator, rule_info((enum rule)rule)->id, s->counters.checked[rule]);
        separator = ",";
    }
    fputs("},\"skipped\":[", out);
    separator = "";
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        if (s->counters.skipped[kind] == 0) continue;
        fprintf(out, "%s{\"operation\":\"%s\",\"calls\":%" PRIu64 ",\"reason\":", separator,
                op_name((enum op_kind)kind), s->counters.skipped[kind]);
        snprintf(reason, sizeof reason, "not offered by %s", s->target->name);
        json_string(out, reason);
        putc('}', out);
        separator = ",";
    }
    fputs("]}\n", out);
}
