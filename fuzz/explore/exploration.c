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
#define SEEDS 32u  /* tried for a course that draws sizes */

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
        snprintf(r->error, sizeof r->error, "%.200s",
                 c.journal->error[0] ? c.journal->error : "cannot start a child process");
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

/* The last call asks for what was granted before (C24): so does the course, when all is over. */
static void again_when_drained(struct program *p)
{
    p->op_count--;
    p->heap.course = COURSE_DRAIN;
}

/* ... or for what a fresh heap grants: which is asked for first, too. */
static void bracket(struct program *p)
{
    const struct op request = p->ops[p->op_count - 1];
    memmove(p->ops + 2, p->ops, p->op_count * sizeof *p->ops);
    p->ops[0] = (struct op){.kind = OP_MALLOC, .count = 1, .a = request.a, .slot = EXPLORE_LIVE_MAX};
    p->ops[1] = (struct op){.kind = OP_FREE, .count = 1, .slot = EXPLORE_LIVE_MAX};
    p->op_count += 2;
    p->heap.course = COURSE_DRAIN;
}

/* Instead of the free, as many blocks of 16 bytes as there is room for: the course frees one, and asks for it again (C25). */
static void refill(struct program *p, bool alone)
{
    p->op_count = alone ? 0 : p->op_count - 1;
    p->ops[p->op_count++] = (struct op){.kind = OP_MALLOC, .count = 1, .a = 15, .slot = EXPLORE_LIVE_MAX};
    p->heap.course = COURSE_REFILL;
}

/* Rules about the life of a heap are judged by a course (program.h), of which this is the number `variant`. False if there
 * are no more. */
static bool make_variant(const struct exploration *x, const struct verdict *v, unsigned variant, struct program *p)
{
    explore_program(x->explore, p);
    if (v->rule == RULE_C24 && variant == 0) again_when_drained(p);
    else if (v->rule == RULE_C24 && variant == 1) bracket(p);
    else if (v->rule == RULE_C25 && variant < 2) refill(p, variant);
    else if (v->rule == RULE_C30 && variant < SEEDS) {
        p->heap.course = COURSE_MONOTONE; /* which looks at sizes that the seed chooses */
        p->heap.seed = variant;
    } else return variant == 0;
    program_normalise(p);
    return true;
}

bool exploration_investigate(const struct exploration *x, const struct exploration_result *r, struct finding *f)
{
    const struct verdict *v = &r->failure.verdict;
    memset(f, 0, sizeof *f);
    f->minimised = true; /* none is shorter */
    for (unsigned variant = 0; make_variant(x, v, variant, &f->program); variant++)
        if (campaign_confirm(x->target, &x->limits, f)) return true;
    explore_program(x->explore, &f->program);
    f->verdict = *v;
    f->signal_number = r->failure.signal_number;
    f->exit_status = r->failure.exit_status;
    f->repeats = REPEATS;
    return false;
}
