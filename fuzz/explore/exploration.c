/* exploration.c: exploration.h is the manual. */
#include "exploration.h"

#include "campaign.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define LOOK_SECONDS 0.05
#define PROGRESS_SECONDS 0.1
#define REPEATS 5u /* as investigate.c's */

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- The record ------------------------------------------------------------------------------------------------------- */

int exploration_open(struct exploration *x, const struct explore_orders *orders, char *error, size_t size)
{
    const uint64_t states = explore_states_in(x->memory_bytes);
    x->explore_bytes = explore_bytes(states);
    void *p = mmap(NULL, x->explore_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        snprintf(error, size, "no address space for %llu states: %s; see --memory", (unsigned long long)states,
                 strerror(errno));
        return -1;
    }
    x->explore = p;
    x->explore->orders = *orders;
    x->explore->orders.states_max = states;
    return 0;
}

void exploration_close(struct exploration *x)
{
    if (x->explore) munmap(x->explore, x->explore_bytes);
    x->explore = NULL;
}

/* ---- The run ------------------------------------------------------------------------------------------------------------ */

static void supervise(struct exploration *x, struct child *c, struct exploration_result *r)
{
    double began = wall(), told = began;
    while (!child_wait(c, LOOK_SECONDS, &r->failure)) {
        const double at = wall();
        r->interrupted = r->interrupted || (x->interrupted && *x->interrupted);
        if (r->interrupted || at - began >= x->seconds) x->explore->stop = true;
        if (x->progress && at - told >= PROGRESS_SECONDS) {
            told = at;
            x->progress(x->explore, at - began);
        }
    }
    r->seconds = wall() - began;
}

void exploration_run(struct exploration *x, struct exploration_result *r)
{
    struct child c;
    *r = (struct exploration_result){0};
    if (child_open(&c, x->target, &x->limits, r->error, sizeof r->error)) return;
    x->explore->stop = false;
    if (child_begin_exploration(&c, x->explore)) {
        snprintf(r->error, sizeof r->error, "%.200s", c.journal->error[0] ? c.journal->error : "cannot start a child process");
    } else {
        supervise(x, &c, r);
        const struct verdict *v = &r->failure.verdict;
        r->counters = c.journal->counters;
        if (v->kind == VERDICT_ERROR) snprintf(r->error, sizeof r->error, "%s", v->seen);
        if (v->kind == VERDICT_FAIL) x->explore->end = EXPLORE_BROKEN; /* also where the process was taken down */
    }
    child_close(&c);
}

/* ---- The finding ------------------------------------------------------------------------------------------------------------ */

/* What a heap keeps back after everything was freed (C24) shows beside what it granted before: a request first, and again
 * when all is over. */
static void bracket(struct program *p)
{
    const struct op request = p->ops[p->op_count - 1];
    const struct op take = {.kind = OP_MALLOC, .count = 1, .a = request.a, .slot = EXPLORE_LIVE_MAX};
    const struct op give = {.kind = OP_FREE, .count = 1, .slot = EXPLORE_LIVE_MAX};
    memmove(p->ops + 2, p->ops, p->op_count * sizeof *p->ops);
    p->ops[0] = take;
    p->ops[1] = give;
    p->op_count += 2;
    p->heap.course = COURSE_DRAIN;
    program_normalise(p);
}

void exploration_investigate(const struct exploration *x, const struct exploration_result *r, struct finding *f)
{
    const struct verdict *v = &r->failure.verdict;
    memset(f, 0, sizeof *f);
    explore_program(x->explore, &f->program);
    if (v->rule == RULE_C24) bracket(&f->program);
    f->minimised = true; /* none is shorter */
    if (campaign_confirm(x->target, &x->limits, f)) return;
    /* It is told as it was found. */
    explore_program(x->explore, &f->program);
    f->verdict = *v;
    f->signal_number = r->failure.signal_number;
    f->exit_status = r->failure.exit_status;
    f->repeats = REPEATS;
}
