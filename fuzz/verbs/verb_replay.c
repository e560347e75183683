/* verb_replay.c: assay replay ALLOC FILE|DIR…: corpus files and findings, run again. */
#include "files.h"
#include "store.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct replay {
    const struct options *o;
    struct child child;
    struct report report;
    struct summary summary;
    struct finding *finding;
    int status;
};

static void replay_file(void *context, const char *path)
{
    struct replay *r = context;
    struct finding *f = r->finding;
    char error[4400];
    memset(f, 0, sizeof *f);
    if (store_program(path, &f->program, error, sizeof error)) {
        r->status = complain("%s", error);
        return;
    }
    struct child_result result;
    f->target = r->summary.target;
    f->original_ops = f->program.op_count;
    f->minimised = true;
    f->repeats = f->repeated = 1;
    snprintf(f->path, sizeof f->path, "%s", path);
    child_replay(&r->child, &f->program, &result);
    if (result.verdict.kind == VERDICT_PASS && r->summary.target->faults) child_faults(&r->child, &f->program, &result);
    if (result.verdict.kind == VERDICT_ERROR) r->status = complain("%s: %s", path, result.verdict.seen);
    if (result.verdict.kind != VERDICT_FAIL) return;
    f->verdict = result.verdict;
    f->signal_number = result.signal_number;
    f->exit_status = result.exit_status;
    f->trace = r->child.journal->trace;
    r->summary.findings++;
    report_finding(&r->report, f);
}

int verb_replay(const struct options *o)
{
    static struct target t;
    static struct replay r;
    char error[4400];
    if (target_resolve(&t, o->operands[0], o->prefix, o->profile, error, sizeof error)) return complain("%s", error);
    if (o->guard && target_guard(&t, error, sizeof error)) return complain("%s", error);
    if (target_watch(&t, o->faults, o->guard_maps, o->limit_maps, error, sizeof error)) return complain("%s", error);
    const struct child_limits limits = limits_of(o);
    r = (struct replay){.o = o,
                        .report = {.format = o->format, .out = stdout, .quiet = o->quiet},
                        .summary = {.target = &t, .seed = o->seed, .seconds = -1, .command = "replay"},
                        .finding = malloc(sizeof *r.finding)};
    if (!r.finding) return complain("no memory");
    if (child_open(&r.child, &t, &limits, error, sizeof error)) return complain("%s", error);
    watch_interrupts();
    report_begin(&r.report);
    for (unsigned i = 1; i < o->operand_count; i++)
        if (files_below(o->operands[i], replay_file, &r, &interrupted, error, sizeof error))
            r.status = complain("%s", error);
    r.summary.counters = r.child.journal->counters;
    r.summary.interrupted = interrupted;
    r.summary.verdict = r.summary.findings ? VERDICT_FAIL : VERDICT_PASS;
    /* What could not be read was not judged; a rule that was broken is told all the same. */
    if (r.status) r.summary.message = "some files could not be run";
    if (r.status && !r.summary.findings) r.summary.verdict = VERDICT_ERROR;
    if (report_end(&r.report, &r.summary)) r.status = complain("cannot write the report");
    child_close(&r.child);
    free(r.finding);
    return r.summary.findings ? STATUS_BROKEN : r.status;
}
