/* diff_investigate.c: from a program on which two allocators disagree to a finding; diff.h is the manual. */
#include "diff.h"

#include "minimise.h"

#include <string.h>

#define TRIES_OWN_HEAP 1500u   /* pairs of runs, where heaps are made afresh, */
#define TRIES_OWN_PROCESS 200u /* and where one needs a process */
#define REPEATS 5u

/* A comparison of the two alone. */
struct pair {
    struct diff diff;
    struct target targets[2];
    struct diff_bench bench;
    bool own_process;
    enum op_kind kind; /* of the operation in which they disagree */
    struct disagreement found;
};

static enum op_kind kind_of(const struct program *p, const struct verdict *v)
{
    return v->op < p->op_count ? (enum op_kind)p->ops[v->op].kind : OP_KINDS;
}

static bool disagree_on(struct pair *j, const struct program *p)
{
    struct disagreement found;
    for (unsigned i = 0; i < 2; i++) {
        struct child *c = &j->bench.children[i];
        struct child_result result;
        if (j->own_process) child_kill(c);
        child_run(c, p, false, &result);
        if (result.verdict.kind != VERDICT_PASS) return false;
    }
    struct observed_run runs[2];
    for (unsigned i = 0; i < 2; i++) {
        const struct observation_log *log = journal_log(j->bench.children[i].journal);
        runs[i] = (struct observed_run){.program = &log->program[0], .calls = log->calls};
    }
    if (!difference_add(&j->diff.difference, runs, &found, 1)) return false;
    j->found = found;
    return true;
}

static bool fails_alike(void *context, const struct program *p, struct verdict *verdict)
{
    struct pair *j = context;
    if (!disagree_on(j, p) || kind_of(p, &j->found.verdict) != j->kind) return false;
    *verdict = j->found.verdict;
    return true;
}

static void repeat(struct pair *j, struct finding *f)
{
    while (f->repeats < REPEATS) {
        child_kill(&j->bench.children[0]);
        child_kill(&j->bench.children[1]);
        f->repeats++;
        if (!fails_alike(j, &f->program, &f->verdict)) continue;
        f->repeated++;
        f->trace = j->bench.children[0].journal->trace;
    }
}

bool diff_investigate(const struct diff *d, const struct disagreement *found, bool minimised, struct finding *f)
{
    static struct pair pair; /* traces are large */
    struct pair *j = &pair;
    char error[VERDICT_TEXT_MAX];
    memset(j, 0, sizeof *j);
    j->targets[0] = d->targets[found->one];
    j->targets[1] = d->targets[found->other];
    j->diff = (struct diff){.targets = j->targets, .count = 2, .limits = d->limits, .seed = d->seed};
    for (unsigned i = 0; i < 2; i++) j->own_process |= j->targets[i].contract.backing == BACKING_HOST;
    j->kind = kind_of(&f->program, &found->verdict);
    diff_begin(&j->diff);
    f->target = &d->targets[found->one];
    f->other = &d->targets[found->other];
    f->verdict = found->verdict;
    f->original_ops = f->program.op_count;
    if (diff_bench_open(&j->bench, &j->diff, error, sizeof error)) return false;
    struct minimiser m = {.fails = fails_alike,
                          .context = j,
                          .trace = &j->bench.children[0].journal->trace,
                          .stop = (const bool *)d->interrupted,
                          .tries_max = j->own_process ? TRIES_OWN_PROCESS : TRIES_OWN_HEAP};
    if (disagree_on(j, &f->program)) {
        f->verdict = j->found.verdict;
        if (minimised) minimise(&m, &f->program, &f->verdict);
        f->minimised = minimised && !*d->interrupted;
        fails_alike(j, &f->program, &f->verdict); /* once more here: in other processes it may not show */
        f->trace = j->bench.children[0].journal->trace;
        repeat(j, f);
    } else {
        f->repeats = REPEATS; /* told as it is: found once, and not again */
    }
    diff_bench_close(&j->bench);
    return true;
}
