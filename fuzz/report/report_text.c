/* report_text.c: findings and summaries for people. A finding begins with what broke and ends with the command that
 * replays it; a failed summary ends with the last such command again, so that the last line of a failure always is one.
 */
#include "explore.h"
#include "names.h"
#include "report_internal.h"

#include <inttypes.h>
#include <string.h>

#define PICTURE_COLUMNS 100u

/* The command of the last finding. struct report has no room for it, and a process writes one report at a time. */
static char last_replay[20000];

void report_text_begin(void) { last_replay[0] = '\0'; }
const char *report_text_last_replay(void) { return last_replay; }

/* What the contract says of the rule: what an allocator does by design, by a bit of its contract, is no bug of its. */
static void print_contract(FILE *out, const struct alloc_contract *c, const struct rule_info *info, enum rule rule)
{
    static const char *const zero_size[] = {"NULL or a unique pointer", "a unique pointer", "NULL"};
    static const char *const realloc_zero[] = {"is not declared", "frees and gives NULL", "gives a zero-size block",
                                               "fails"};
    if (rule == RULE_A4) {
        fprintf(out, "  contract: malloc(0) gives %s\n", zero_size[c->zero_size]);
        return;
    }
    if (rule == RULE_A18) {
        fprintf(out, "  contract: realloc(p, 0) %s\n", realloc_zero[c->realloc_zero]);
        return;
    }
    if (rule == RULE_C28) {
        fprintf(out, "  contract: at most %zu bytes more than the request\n", c->waste_max_bytes);
        return;
    }
    const struct promise *promise = report_promise(rule);
    bool resource = info->class == CLASS_RESOURCE;
    if (promise == NULL && resource) {
        fputs("  contract: holds for every allocator; no bit excuses from it\n", out);
    } else if (promise != NULL && c->promises & promise->bit) {
        fprintf(out, "  contract: promises %s (%s)\n", promise->word, promise->meaning);
    } else if (promise != NULL && resource) {
        fprintf(out, "  contract: does not promise %s (%s)\n", promise->word, promise->meaning);
    }
}

/* ---- A finding -------------------------------------------------------------------------------------------------- */

static void print_place(FILE *out, const struct finding *f)
{
    const struct verdict *v = &f->verdict;
    const struct program *p = &f->program;
    char text[512] = "";

    if (v->op >= p->op_count) {
        fprintf(out, "  at the end of %u operation%s", (unsigned)p->op_count, p->op_count == 1 ? "" : "s");
    } else {
        program_print_op(&p->ops[v->op], text, sizeof text);
        fprintf(out, "  at operation %u of %u: `%s`", (unsigned)v->op + 1, (unsigned)p->op_count, text);
        if (p->ops[v->op].count > 1 || p->ops[v->op].kind == OP_REPEAT)
            fprintf(out, ", call %u of its run", (unsigned)v->step + 1);
    }
    if (p->heap.course != COURSE_PLAIN)
        fprintf(out, ", round %u of the %s course", (unsigned)v->round + 1, report_course_word(p->heap.course));
    fprintf(out, "\n    expected: %s\n    seen:     %s\n", v->expected, v->seen);
}

static void print_notes(FILE *out, const struct finding *f)
{
    if (f->signal_number != 0) {
        const char *name = signal_name(f->signal_number);
        if (name != NULL) fprintf(out, "  the process was ended by %s\n", name);
        else fprintf(out, "  the process was ended by signal %d\n", f->signal_number);
    }
    if (f->verdict.rule == RULE_EXIT) fprintf(out, "  the process exited with status %d\n", f->exit_status);
    if (f->repeats > 0)
        fprintf(out, "  showed itself %u of %u times%s\n", (unsigned)f->repeated, (unsigned)f->repeats,
                f->repeated == f->repeats ? "" : ": it depends on more than the program");
    if (f->needs_history) fputs("  needs its history: the program contains the programs that ran before it\n", out);
    if (!f->minimised) fputs("  not minimised\n", out);
    else if (f->original_ops > f->program.op_count)
        fprintf(out, "  shrunk from %u operations\n", (unsigned)f->original_ops);
    if (f->cut_short) fputs("  minimising was cut short: it took too long\n", out);
}

void report_text_finding(FILE *out, const struct finding *f, bool quiet)
{
    const struct rule_info *info = report_rule(&f->verdict);
    char who[REPORT_WHO_MAX];

    report_who(f, who, sizeof who);
    report_replay_command(f, last_replay, sizeof last_replay);
    fprintf(out, "%s %s: %s (%s) %s [%s]\n", report_verdict_word(f->verdict.kind), who, info->id,
            rule_class_name(info->class), info->sentence, info->source);
    if (!quiet) {
        print_place(out, f);
        print_contract(out, &f->target->contract, info, f->verdict.rule);
        if (f->other == NULL) fputs("\n  program\n", out);
        else fprintf(out, "\n  program, as run on %s\n", f->target->name);
        report_annotated(out, &f->program, &f->trace, &f->verdict);
        if (f->trace.heap_size > 0 && f->trace.block_count > 0) {
            fputs("\n  heap\n", out);
            report_heap_picture(out, &f->trace, &f->verdict, PICTURE_COLUMNS);
        }
        if (f->trace.machine.frames > 0) {
            fputs("\n  machine\n", out);
            report_machine_picture(out, &f->trace.machine, "    ", true);
        }
        putc('\n', out);
        print_notes(out, f);
    }
    fprintf(out, "%s\n", last_replay);
}

/* ---- The summary ------------------------------------------------------------------------------------------------ */

const char *report_grouped(uint64_t n, char buffer[32])
{
    char *c = buffer + 31;
    *c = '\0';
    for (unsigned digits = 0; n > 0 || digits == 0; digits++, n /= 10) {
        if (digits > 0 && digits % 3 == 0) *--c = ',';
        *--c = (char)('0' + n % 10);
    }
    return c;
}

static void print_skipped(FILE *out, const struct summary *s)
{
    const char *separator = "  skipped: ";
    char number[32];
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        if (s->counters.skipped[kind] == 0) continue;
        fprintf(out, "%s%s (%s)", separator, op_name((enum op_kind)kind),
                report_grouped(s->counters.skipped[kind], number));
        separator = ", ";
    }
    if (separator[0] == ',') fprintf(out, ": not offered by %s\n", s->target->name);
}

static const char *plural(uint64_t n) { return n == 1 ? "" : "s"; }

static void print_explored(FILE *out, const struct explore *e)
{
    char states[32], transitions[32];
    fprintf(out, "%s state%s, %s call%s, %u deep", report_grouped(e->states, states), plural(e->states),
            report_grouped(e->transitions, transitions), plural(e->transitions), e->depth);
}

/* How far an exploration came, and what it was of. */
static void print_bound(FILE *out, const struct explore *e)
{
    const struct explore_orders *o = &e->orders;
    if (explore_proved(e))
        fputs("  closed: every program over these calls, of whatever length, holds the rules\n", out);
    else fprintf(out, "  exhausted: every program over these calls of up to %u of them holds the rules\n", e->depth);
    if (e->letter_count && o->heap.machine == MACHINE_TINY) fputs("  heap: the machine tiny, 16 frames\n", out);
    else fprintf(out, "  heap: %" PRIu64 " bytes\n", o->heap.size);
    if (e->end == EXPLORE_FULL) fputs("  --memory is used up\n", out);
    if (e->crowded) fprintf(out, "  not tried: more than %u blocks at once\n", EXPLORE_LIVE_MAX);
    const char *separator = "  calls: ";
    for (unsigned kind = 0; kind < OP_KERNEL_FIRST; kind++) {
        bool asked = false;
        for (uint32_t i = 0; i < e->letter_count; i++) asked = asked || e->letters[i].kind == kind;
        if (asked) fprintf(out, "%s%s", separator, op_name((enum op_kind)kind));
        if (asked) separator = ", ";
    }
    fprintf(out, "; %s odd sizes and alignments\n", o->odd ? "with" : "without");
    for (uint32_t i = 0; i < o->size_count; i++) fprintf(out, i ? " %" PRIu64 : "  sizes: %" PRIu64, o->sizes[i]);
    putc('\n', out);
}

/* "  faults: 120 requests; 120 runs with one failing, 60 with two; left out: 400 pairs" */
static void print_faults(FILE *out, const struct faults_counters *f)
{
    char a[32], b[32];
    if (!f->ones && !f->requests) return;
    fprintf(out, "  faults: %s request%s of memory; %s run%s with one failing", report_grouped(f->requests, a),
            f->requests == 1 ? "" : "s", report_grouped(f->ones, b), f->ones == 1 ? "" : "s");
    if (f->pairs) fprintf(out, ", %s with two", report_grouped(f->pairs, a));
    if (f->ones_left_out || f->pairs_left_out) fputs("; left out:", out);
    if (f->ones_left_out) fprintf(out, " %s requests", report_grouped(f->ones_left_out, a));
    if (f->pairs_left_out)
        fprintf(out, "%s %s pairs", f->ones_left_out ? "," : "", report_grouped(f->pairs_left_out, a));
    putc('\n', out);
}

void report_text_end(FILE *out, const struct summary *s, bool quiet)
{
    char programs[32], operations[32];
    unsigned rules = 0;
    for (unsigned rule = RULE_NONE + 1; rule < RULE_COUNT; rule++) rules += s->counters.checked[rule] > 0;

    if (quiet && s->verdict == VERDICT_PASS) return;
    fprintf(out, "%s %s: ", report_verdict_word(s->verdict), s->target->name);
    if (s->verdict == VERDICT_ERROR) fprintf(out, "%s; ", s->message != NULL ? s->message : "nothing was judged");
    if (s->findings > 0) fprintf(out, "%u finding%s; ", (unsigned)s->findings, s->findings == 1 ? "" : "s");
    if (s->explore) print_explored(out, s->explore);
    else
        fprintf(out, "%s program%s, %s operation%s", report_grouped(s->counters.programs, programs),
                plural(s->counters.programs), report_grouped(s->counters.operations, operations),
                plural(s->counters.operations));
    fprintf(out, ", %u rule%s checked", rules, plural(rules));
    if (s->coverage) fprintf(out, ", coverage %s", report_grouped(s->coverage, operations));
    if (s->seconds >= 0) fprintf(out, ", %.1f s", s->seconds);
    putc('\n', out);
    if (!quiet && s->explore && s->verdict == VERDICT_PASS) print_bound(out, s->explore);
    if (!quiet) print_faults(out, &s->counters.faults);
    if (!quiet) print_skipped(out, s);
    if (s->interrupted) fputs("  interrupted: the budget was not used up\n", out);
    if (s->verdict == VERDICT_FAIL && last_replay[0] != '\0') fprintf(out, "%s\n", last_replay);
}
