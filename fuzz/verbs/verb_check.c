/* verb_check.c: assay check ALLOC: the main job. */
#include "known.h"
#include "store.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void progress(void *context, const struct exec_counters *c, double seconds, double left)
{
    unsigned rules = 0;
    (void)context;
    for (unsigned i = RULE_NONE + 1; i < RULE_COUNT; i++) rules += c->checked[i] > 0;
    fprintf(stderr, "\r%llu programs, %.2f million operations/s, %u rules exercised", (unsigned long long)c->programs,
            seconds > 0 ? (double)c->operations / seconds / 1e6 : 0, rules);
    if (left >= 0) fprintf(stderr, ", %.0f s left", left);
    fputs("\033[K", stderr);
}

/* The failing program as it was met. Investigating takes a hundred times as long, and with --all the same bug is met again
 * and again. */
static void raw_finding(const struct campaign *c, const struct campaign_result *r, struct finding *f)
{
    struct generator g;
    generator_init(&g, c->target, c->seed);
    generator_program(&g, r->index, &f->program);
    f->program.heap = r->heap;
    f->verdict = r->failure.verdict;
}

static void add(struct exec_counters *sum, const struct exec_counters *more)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) to[i] += from[i];
}

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run(const struct options *o, const struct target *t, struct report *r, struct finding *f)
{
    static struct summary s;
    struct known known = {0};
    struct campaign c = {.target = t,
                         .limits = limits_of(o),
                         .seed = o->seed,
                         .programs = o->programs,
                         .seconds = o->seconds,
                         .jobs = o->jobs < CAMPAIGN_JOBS_MAX ? o->jobs : CAMPAIGN_JOBS_MAX,
                         .interrupted = &interrupted,
                         .progress = isatty(STDERR_FILENO) && !o->quiet ? progress : NULL};
    char error[512];
    double seconds = 0, began = wall();
    s = (struct summary){.target = t, .seed = o->seed, .command = o->verb, .seconds = -1};
    for (bool more = true; more;) {
        struct campaign_result result;
        campaign_run(&c, &result);
        if (c.progress) fputs("\r\033[K", stderr);
        add(&s.counters, &result.counters);
        seconds += result.seconds;
        s.interrupted = result.interrupted || interrupted;
        if (result.end == CAMPAIGN_ERROR) {
            complain("%s", result.error);
            snprintf(error, sizeof error, "%s", result.error);
            s.message = error;
            break;
        }
        if (result.end == CAMPAIGN_PASS) break;
        raw_finding(&c, &result, f);
        bool is_new = known_has_room(&known) && !known_has(&known, f);
        if (is_new) {
            struct known before = known;
            known_add(&known, f);
            campaign_investigate(&c, &result, !o->no_minimize, f);
            is_new = !known_has(&before, f);
        }
        if (is_new) {
            s.findings++;
            known_add(&known, f);
            if (store_finding(o->out, f, error, sizeof error))
                complain("%s; the program is in the report instead", error);
            report_finding(r, f);
            fflush(r->out);
        }
        uint64_t used = result.index + 1 - c.first;
        /* The budget is for everything: investigating a hang takes many seconds. */
        c.seconds = o->seconds - (wall() - began);
        more = o->all && !interrupted && (o->programs ? c.programs > used : c.seconds > 0);
        c.first = result.index + 1;
        if (o->programs) c.programs -= used;
    }
    s.verdict = s.findings ? VERDICT_FAIL : s.message ? VERDICT_ERROR : VERDICT_PASS;
    /* A count of programs is a measure that does not depend on the machine; then nothing else in the report does. */
    if (!o->programs && !s.findings) s.seconds = seconds;
    if (report_end(r, &s)) return complain("cannot write the report; its findings are in %s", o->out);
    return s.findings ? STATUS_BROKEN : s.message ? STATUS_NOT_JUDGED : STATUS_HELD;
}

int verb_check(const struct options *o)
{
    static struct target t;
    char error[1024];
    if (target_resolve(&t, o->operands[0], o->prefix, o->profile, error, sizeof error)) return complain("%s", error);
    if (o->guard && target_guard(&t, error, sizeof error)) return complain("%s", error);
    if (target_narrow(&t, o->mode, o->machine, error, sizeof error)) return complain("%s", error);
    if (target_watch(&t, o->faults, o->guard_maps, o->limit_maps, error, sizeof error)) return complain("%s", error);
    if (store_open(o->out, error, sizeof error)) return complain("%s", error);
    struct finding *f = malloc(sizeof *f);
    if (!f) return complain("no memory");
    struct report r = {.format = o->format, .out = stdout, .quiet = o->quiet};
    watch_interrupts();
    report_begin(&r);
    int status = run(o, &t, &r, f);
    store_close(o->out);
    free(f);
    return status;
}
