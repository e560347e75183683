/* verb_explore.c: assay explore ALLOC: every program over a few calls, on a heap so small that there is an end to them. */
#include "exploration.h"
#include "store.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MEMORY_DEFAULT (UINT64_C(1) << 30)

static void progress(const struct explore *e, double seconds)
{
    const double states = (double)e->states, transitions = (double)e->transitions;
    fprintf(stderr, "\r%.2f million states, %.0f %% of them gone on from, %.2f million calls/s, depth %u\033[K",
            states / 1e6, states > 0 ? 100 * (double)e->expanded / states : 0,
            seconds > 0 ? transitions / seconds / 1e6 : 0, e->depth);
}

/* What is left to do is kept, and how to go on with it told. */
static int keep(const struct options *o, const struct exploration *x, struct summary *s)
{
    char path[4200], word[300], error[4400];
    const uint32_t end = x->explore->end;
    if (end == EXPLORE_CLOSED || end == EXPLORE_BROKEN || s->message) return 0;
    store_word(word, sizeof word, x->target->name);
    if (o->resume) snprintf(path, sizeof path, "%s", o->resume);
    else snprintf(path, sizeof path, "%s/%s.explore", o->out, word);
    if (exploration_save(x, path, error, sizeof error)) return complain("%s", error);
    if (!o->quiet) fprintf(stderr, "assay: to go on: assay explore %s --resume %s\n", x->target->name, path);
    return 0;
}

static int run(const struct options *o, struct exploration *x, struct finding *f)
{
    struct exploration_result result;
    struct report r = {.format = o->format, .out = stdout, .quiet = o->quiet};
    static struct summary s;
    char error[4400];
    s = (struct summary){.target = x->target, .command = o->verb, .explore = x->explore};
    watch_interrupts();
    report_begin(&r);
    exploration_run(x, &result);
    if (x->explore->end == EXPLORE_BROKEN && !exploration_investigate(x, &result, f) && !x->explore->careful) {
        x->explore->careful = true; /* it may have been our fault */
        x->explore->states = 0;
        exploration_run(x, &result);
        if (x->explore->end == EXPLORE_BROKEN) exploration_investigate(x, &result, f);
    }
    if (x->progress) fputs("\r\033[K", stderr);
    s.counters = result.counters;
    s.interrupted = result.interrupted;
    s.seconds = result.seconds;
    if (result.error[0]) {
        s.message = result.error;
        complain("%s: %s", x->target->name, result.error);
    } else if (x->explore->end == EXPLORE_BROKEN) {
        s.findings = 1;
        s.seconds = -1;
        if (store_finding(o->out, f, error, sizeof error)) complain("%s; the program is in the report instead", error);
        report_finding(&r, f);
    }
    s.verdict = s.findings ? VERDICT_FAIL : s.message ? VERDICT_ERROR : VERDICT_PASS;
    const int kept = keep(o, x, &s);
    if (report_end(&r, &s)) return complain("cannot write the report; its findings are in %s", o->out);
    return s.findings ? STATUS_BROKEN : s.message ? STATUS_NOT_JUDGED : kept;
}

int verb_explore(const struct options *o)
{
    static struct target t;
    struct explore_orders orders;
    char error[4400];
    if (target_resolve(&t, o->operands[0], o->prefix, o->profile, error, sizeof error)) return complain("%s", error);
    if (exploration_orders(&orders, &t, o->ops, o->sizes, o->heap, error, sizeof error)) return complain("%s", error);
    if (o->depth) orders.depth_max = o->depth;
    struct exploration x = {.target = &t,
                            .limits = limits_of(o),
                            .memory_bytes = o->memory ? o->memory : MEMORY_DEFAULT,
                            .seconds = o->seconds,
                            .interrupted = &interrupted,
                            .progress = isatty(STDERR_FILENO) && !o->quiet ? progress : NULL};
    x.limits.memory_bytes = 0; /* --memory is for states */
    if (store_open(o->out, error, sizeof error)) return complain("%s", error);
    struct finding *f = malloc(sizeof *f);
    if (!f) return complain("no memory");
    int status = STATUS_NOT_JUDGED;
    if (exploration_open(&x, &orders, error, sizeof error) ||
        (o->resume && exploration_load(&x, o->resume, error, sizeof error)))
        complain("%s", error);
    else status = run(o, &x, f);
    exploration_close(&x);
    store_close(o->out);
    free(f);
    return status;
}
