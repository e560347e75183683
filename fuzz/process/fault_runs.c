/* fault_runs.c: fault_runs.h is the manual. */
#include "fault_runs.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const struct faults_budget faults_of_one = {.ones_max = 512, .pairs_max = 64};
const struct faults_budget faults_of_many = {.ones_max = 64, .pairs_max = 32};

bool watch_wanted(const struct target *t, const struct program *p)
{
    bool fails = p->heap.fail != 0;
    if (t->contract.backing != BACKING_HOST || t->kind == TARGET_VTABLE) return false;
    for (uint32_t i = 0; i < p->op_count; i++) fails |= p->ops[i].kind == OP_FAIL;
    return t->faults || t->guard_maps || t->maps_max || fails;
}

struct runner {
    struct journal *journal;
    struct exec *exec;
};

static bool run_here(void *context, const struct program *p, uint64_t *requests)
{
    struct runner *r = context;
    r->journal->started++;
    exec_run(r->exec, p, &r->journal->verdict);
    *requests = exec_requests(r->exec);
    return r->journal->verdict.kind != VERDICT_FAIL;
}

/* This process ends as its copy has. */
static _Noreturn void end_alike(int status)
{
    if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    abort();
}

static bool run_apart(void *context, const struct program *p, uint64_t *requests)
{
    struct runner *r = context;
    struct journal *j = r->journal;
    int status;
    j->apart_done = false;
    const pid_t self = getpid(), copy = fork();
    if (copy == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self) _exit(0);
        run_here(context, p, requests);
        j->apart_requests = *requests;
        j->apart_done = true;
        _exit(0);
    }
    if (copy < 0) {
        j->verdict.kind = VERDICT_ERROR;
        return false;
    }
    j->apart = copy;
    while (waitpid(copy, &status, 0) < 0 && errno == EINTR) continue;
    j->apart = 0;
    if (!j->apart_done) end_alike(status);
    *requests = j->apart_requests;
    return j->verdict.kind != VERDICT_FAIL;
}

void fault_runs(struct journal *j, struct exec *x, const struct faults_budget *budget)
{
    static struct faults f; /* too large for the stack of every system */
    struct runner runner = {.journal = j, .exec = x};
    const bool host = j->target.contract.backing == BACKING_HOST;
    const uint64_t programs = j->counters.programs;
    f.how = j->target.faults;
    f.budget = *budget;
    f.run = host ? run_apart : run_here;
    f.context = &runner;
    f.counters = &j->counters.faults;
    faults_everywhere(&f, &j->program);
    j->counters.programs = programs; /* it is the same one all the time */
}
