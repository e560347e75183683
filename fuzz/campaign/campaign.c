/* campaign.c: campaign.h is the manual; the way from a failing program to a finding is in investigate.c. */
#include "campaign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUND_SECONDS 0.02 /* one look at every worker */
#define PROGRESS_SECONDS 0.1

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct crew {
    const struct campaign *c;
    struct child *children;
    struct child_result *results;
    bool *ended;
    unsigned count;
};

static void add_counters(struct exec_counters *sum, const struct exec_counters *more)
{
    sum->programs += more->programs;
    sum->operations += more->operations;
    sum->faults.requests += more->faults.requests;
    sum->faults.ones += more->faults.ones;
    sum->faults.pairs += more->faults.pairs;
    sum->faults.ones_left_out += more->faults.ones_left_out;
    sum->faults.pairs_left_out += more->faults.pairs_left_out;
    for (unsigned i = 0; i < RULE_COUNT; i++) sum->checked[i] += more->checked[i];
    for (unsigned i = 0; i < OP_KINDS; i++) sum->skipped[i] += more->skipped[i];
}

static struct campaign_orders *orders(struct crew *w, unsigned i) { return &w->children[i].journal->campaign; }

static bool begin(struct crew *w, char *error, size_t size)
{
    const struct campaign *c = w->c;
    struct generator generator;
    generator_init(&generator, c->made_for ? c->made_for : c->target, c->seed);
    for (; w->count < c->jobs; w->count++) {
        struct child *child = &w->children[w->count];
        if (child_open(child, c->target, &c->limits, error, size)) return false;
        child->journal->campaign = (struct campaign_orders){.generator = generator,
                                                            .first = c->first,
                                                            .programs = c->programs ? c->programs : UINT64_MAX,
                                                            .worker = w->count,
                                                            .workers = c->jobs,
                                                            .last_window = UINT64_MAX};
        if (child_begin_campaign(child)) {
            snprintf(error, size, "%.200s",
                     child->journal->error[0] ? child->journal->error : "cannot start a child process");
            w->count++;
            return false;
        }
    }
    return true;
}

/* Everybody stops after this window, if he has not been told an earlier one. */
static void stop_after(struct crew *w, uint64_t window)
{
    for (unsigned i = 0; i < w->count; i++)
        if (orders(w, i)->last_window > window) orders(w, i)->last_window = window;
}

/* How far the slowest is, told to all so that nobody runs too far ahead. */
static void keep_together(struct crew *w)
{
    uint64_t slowest = UINT64_MAX;
    for (unsigned i = 0; i < w->count; i++)
        if (!w->ended[i] && orders(w, i)->done < slowest) slowest = orders(w, i)->done;
    for (unsigned i = 0; i < w->count; i++) orders(w, i)->slowest = slowest;
}

static bool failed(const struct crew *w, unsigned i)
{
    return w->ended[i] && w->results[i].verdict.kind == VERDICT_FAIL;
}

/* The worker whose failing program has the lowest index; -1: none failed. */
static int first_failure(struct crew *w)
{
    int best = -1;
    for (unsigned i = 0; i < w->count; i++)
        if (failed(w, i) && (best < 0 || orders(w, i)->index < orders(w, (unsigned)best)->index)) best = (int)i;
    return best;
}

/* Counters as they were when the window ended in which the failing program fell; without one, all there are. */
static void sum_up(struct crew *w, int winner, struct exec_counters *sum)
{
    memset(sum, 0, sizeof *sum);
    uint64_t window = winner < 0 ? UINT64_MAX : orders(w, (unsigned)winner)->done;
    for (unsigned i = 0; i < w->count; i++) {
        const struct campaign_orders *o = orders(w, i);
        bool beyond = winner >= 0 && (int)i != winner && o->done > window && o->done - window <= WINDOWS_KEPT;
        add_counters(sum, beyond ? &o->kept[window % WINDOWS_KEPT] : &w->children[i].journal->counters);
    }
}

static bool all_ended(const struct crew *w)
{
    for (unsigned i = 0; i < w->count; i++)
        if (!w->ended[i]) return false;
    return true;
}

static void tell(struct crew *w, double began, double left)
{
    struct exec_counters sum;
    sum_up(w, -1, &sum);
    w->c->progress(w->c->context, &sum, wall() - began, left);
}

static void supervise(struct crew *w, struct campaign_result *r)
{
    const struct campaign *c = w->c;
    double began = wall(), told = began;
    bool stopping = false;
    while (!all_ended(w)) {
        for (unsigned i = 0; i < w->count; i++) {
            if (w->ended[i] || !child_wait(&w->children[i], ROUND_SECONDS / w->count, &w->results[i])) continue;
            w->ended[i] = true;
            if (w->results[i].verdict.kind != VERDICT_PASS) stop_after(w, orders(w, i)->done);
        }
        keep_together(w);
        double at = wall(), left = c->programs ? -1 : c->seconds - (at - began);
        bool enough = (!c->programs && left <= 0) || (c->interrupted && *c->interrupted);
        if (enough && !stopping) {
            stopping = true;
            r->interrupted = c->interrupted && *c->interrupted;
            stop_after(w, 0); /* which all have passed or will end with */
        }
        if (c->progress && at - told >= PROGRESS_SECONDS) {
            told = at;
            tell(w, began, left);
        }
    }
    r->seconds = wall() - began;
}

void campaign_run(const struct campaign *c, struct campaign_result *r)
{
    struct crew w = {.c = c,
                     .children = calloc(c->jobs, sizeof *w.children),
                     .results = calloc(c->jobs, sizeof *w.results),
                     .ended = calloc(c->jobs, sizeof *w.ended)};
    *r = (struct campaign_result){.end = CAMPAIGN_ERROR};
    if (!w.children || !w.results || !w.ended) {
        snprintf(r->error, sizeof r->error, "no memory");
    } else if (begin(&w, r->error, sizeof r->error)) {
        supervise(&w, r);
        int winner = first_failure(&w);
        r->end = winner < 0 ? CAMPAIGN_PASS : CAMPAIGN_FAIL;
        sum_up(&w, winner, &r->counters);
        if (winner >= 0) {
            r->failure = w.results[winner];
            r->index = orders(&w, (unsigned)winner)->index;
            r->heap = w.children[winner].journal->program.heap;
        }
        for (unsigned i = 0; i < w.count && winner < 0; i++)
            if (w.results[i].verdict.kind == VERDICT_ERROR) {
                r->end = CAMPAIGN_ERROR;
                snprintf(r->error, sizeof r->error, "%s", w.results[i].verdict.seen);
            }
    }
    for (unsigned i = 0; i < w.count; i++) child_close(&w.children[i]);
    free(w.children);
    free(w.results);
    free(w.ended);
}
