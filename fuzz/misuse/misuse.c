/* misuse.c: one error, one process; misuse.h is the manual. */
#include "misuse_world.h"
#include "names.h"
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define LENT_BYTES ((uint64_t)24 << 20)
#define CPU_MICROSECONDS 250000 /* fifty times what the slowest needs */
#define WALL_SECONDS 20

const uint32_t misuse_sizes[MISUSE_SIZES] = {48, 2000, 300000};

static const struct misuse_act *act_of(unsigned row)
{
    const struct misuse_act *a = misuse_heap_acts;
    for (; row && a->act; row--) a++;
    if (a->act) return a;
    for (a = misuse_kernel_acts; row && a->act; row--) a++;
    return a->act ? a : NULL;
}

const struct misuse_row *misuse_row(unsigned row)
{
    const struct misuse_act *a = act_of(row);
    return a ? &a->row : NULL;
}

/* ---- The process that errs ------------------------------------------------------------------------------------------- */

void world_stage(struct world *w, enum misuse_stage stage)
{
    if (w->lender.reports) world_saw(w, SIGHT_REPORT);
    w->cell->stage = stage;
}

void world_saw(struct world *w, enum misuse_sight sight)
{
    struct misuse_cell *c = w->cell;
    /* That the store hit a neighbour says little beside what comes later. */
    if (c->sight && c->sight != SIGHT_NEIGHBOUR) return;
    c->sight = sight;
    c->late = c->stage == STAGE_AFTER;
    c->report = w->lender.report;
}

static int open_world(struct world *w, struct misuse_cell *c)
{
    struct target *t = &c->target;
    *w = (struct world){.cell = c, .random = 1, .size = misuse_sizes[c->size]};
    if (target_open(t, c->error, sizeof c->error)) return -1;
    w->ops = t->ops;
    lender_init(&w->lender);
    const struct alloc_contract *k = &t->contract;
    const struct lender_geometry lend = {.kind = k->backing,
                                         .size = k->size_max_bytes && k->size_max_bytes < LENT_BYTES ? k->size_max_bytes
                                                                                                     : LENT_BYTES,
                                         .machine = MACHINE_S64};
    size_t bytes = w->ops->state_size ? w->ops->state_size : 1;
    w->heap = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (w->heap == MAP_FAILED || lender_fresh(&w->lender, &lend) || w->ops->init(w->heap, &w->lender.face)) {
        snprintf(c->error, sizeof c->error, "no heap could be made");
        return -1;
    }
    return 0;
}

static _Noreturn void err(struct misuse_cell *c)
{
    static struct world w;
    const struct misuse_act *a = act_of(c->row);
    const struct itimerval limit = {.it_value = {.tv_usec = CPU_MICROSECONDS}};
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (open_world(&w, c)) _exit(0);
    if (!a->offered(w.ops)) c->skipped = true;
    c->promised = (a->promise && c->target.contract.promises & a->promise) ||
                  (a->kernel && w.ops->kernel && w.ops->kernel->checks_misuse);
    world_stage(&w, STAGE_SETUP);
    signal(SIGPROF, SIG_DFL);
    setitimer(ITIMER_PROF, &limit, NULL);
    if (!c->skipped && a->row.sized && !world_settle(&w)) c->skipped = true;
    if (c->skipped) _exit(0);
    a->act(&w);
    if (!c->skipped && a->row.sized) world_go_on(&w);
    world_stage(&w, STAGE_END);
    _exit(0);
}

int misuse_child_main(int argc, char **argv)
{
    struct stat st;
    int fd = argc == 3 ? atoi(argv[2]) : -1;
    if (fstat(fd, &st)) return 2;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) return 2;
    err(p);
}

/* In the child, right after fork: what the allocator says goes to `message`. */
static _Noreturn void become(struct misuse_cell *c, int cell_fd, int message)
{
    char number[16];
    int null = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(message, STDERR_FILENO);
    if (!c->target.preload) err(c);
    snprintf(number, sizeof number, "%d", cell_fd);
    fcntl(cell_fd, F_SETFD, 0);
    char *argv[] = {"assay", MISUSE_WORD, number, NULL};
    preload_exec(c->target.path, argv);
    _exit(0);
}

/* ---- What came of it --------------------------------------------------------------------------------------------------- */

static const char *const report_words[REPORT_KINDS] = {[REPORT_BAD_FREE] = "BAD_FREE",
                                                       [REPORT_DOUBLE_FREE] = "DOUBLE_FREE",
                                                       [REPORT_BAD_FREE_ORDER] = "BAD_FREE_ORDER",
                                                       [REPORT_WRONG_FREE] = "WRONG_FREE",
                                                       [REPORT_BAD_GFP] = "BAD_GFP",
                                                       [REPORT_SLEEP_IN_ATOMIC] = "SLEEP_IN_ATOMIC",
                                                       [REPORT_BUG] = "BUG",
                                                       [REPORT_REDZONE] = "REDZONE",
                                                       [REPORT_POISON] = "POISON",
                                                       [REPORT_OBJECTS_REMAIN] = "OBJECTS_REMAIN",
                                                       [REPORT_STACK_OVERFLOW] = "STACK_OVERFLOW",
                                                       [REPORT_CORRUPT_META] = "CORRUPT_META",
                                                       [REPORT_LEAK] = "LEAK",
                                                       [REPORT_PANIC] = "PANIC",
                                                       [REPORT_CONTRACT_WARN] = "CONTRACT_WARN"};

struct ending {
    enum misuse_result result;
    const char *word;
};

static struct ending of_sight(const struct misuse_cell *c)
{
    static const struct ending endings[SIGHTS] = {
        [SIGHT_NOTHING] = {MISUSE_MISSED, "nothing seen"}, [SIGHT_CHECK] = {MISUSE_DETECTED, "check()"},
        [SIGHT_REFUSAL] = {MISUSE_DETECTED, "refusal"},    [SIGHT_NEIGHBOUR] = {MISUSE_MISSED, "neighbour hit"},
        [SIGHT_OVERLAP] = {MISUSE_MISSED, "overlap"},      [SIGHT_OUTSIDE] = {MISUSE_MISSED, "block outside"},
        [SIGHT_LOST] = {MISUSE_MISSED, "memory lost"},     [SIGHT_CHANGED] = {MISUSE_SUFFERED, "live block changed"},
    };
    if (c->sight != SIGHT_REPORT) return endings[c->sight];
    return (struct ending){MISUSE_DETECTED, report_words[c->report % REPORT_KINDS]};
}

static struct ending of_signal(const struct misuse_cell *c, int number)
{
    switch (number) {
    case SIGABRT: return (struct ending){MISUSE_DETECTED, "abort"};
    case SIGTRAP:
    case SIGILL: return (struct ending){MISUSE_DETECTED, "trap"};
    case SIGPROF:
    case SIGKILL: return (struct ending){MISUSE_SUFFERED, "hang"};
    default: break;
    }
    if (c->stage == STAGE_STORE) return (struct ending){MISUSE_DETECTED, "fault at the store"};
    return (struct ending){MISUSE_SUFFERED, "crash"};
}

/* What the process came to: its end, what it saw, or what it said. */
static enum misuse_result judge(const struct misuse_cell *c, int status, bool said, char how[MISUSE_HOW_BYTES])
{
    struct ending e = of_sight(c);
    bool late = c->late && c->sight;
    bool told = c->sight == SIGHT_REPORT || c->sight == SIGHT_CHECK; /* before it fell over, if it did */
    if (c->skipped) return MISUSE_SKIPPED;
    if (WIFSIGNALED(status) && !told) {
        e = of_signal(c, WTERMSIG(status));
        late = c->stage == STAGE_AFTER;
    } else if (!told && c->stage != STAGE_END) {
        e = said ? (struct ending){MISUSE_DETECTED, "exit with a message"} : (struct ending){MISUSE_SUFFERED, "exit"};
        late = c->stage == STAGE_AFTER;
    }
    if (said && e.result != MISUSE_DETECTED) e = (struct ending){MISUSE_DETECTED, "message"};
    snprintf(how, MISUSE_HOW_BYTES, "%s%s", e.word, late && e.result != MISUSE_MISSED ? ", later" : "");
    return e.result;
}

/* How it ended. One that has not after so long has blocked the signal that should have ended it. */
static int wait_for(pid_t pid)
{
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    int status = 0;
    if (p.fd >= 0) {
        while (poll(&p, 1, WALL_SECONDS * 1000) < 0 && errno == EINTR) continue;
        if (!p.revents) kill(pid, SIGKILL);
        close(p.fd);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return status;
}

/* One child. -1 and `error` if it did not come so far as to try. */
static int try_once(struct misuse_cell *c, int cell_fd, enum misuse_result *result, char how[MISUSE_HOW_BYTES],
                    char *error, size_t size)
{
    int message = memfd_create("assay-message", MFD_CLOEXEC);
    struct stat st = {0};
    c->stage = c->sight = c->skipped = c->report = 0;
    c->late = false;
    fflush(NULL);
    pid_t pid = message < 0 ? -1 : fork();
    if (pid == 0) become(c, cell_fd, message);
    if (pid < 0) {
        snprintf(error, size, "cannot start a child process: %s", strerror(errno));
        if (message >= 0) close(message);
        return -1;
    }
    int status = wait_for(pid);
    fstat(message, &st);
    close(message);
    if (c->stage == STAGE_LOADING) {
        snprintf(error, size, "%s: %s", c->target.name, c->error[0] ? c->error : "the child process ended too early");
        return -1;
    }
    *result = judge(c, status, st.st_size > 0, how);
    return 0;
}

int misuse_try(const struct target *t, unsigned row, unsigned size, struct misuse_outcome *out, char *error,
               size_t error_bytes)
{
    const struct misuse_act *a = act_of(row);
    int fd = memfd_create("assay-misuse", MFD_CLOEXEC), status = 0;
    struct misuse_cell *c = MAP_FAILED;
    if (fd >= 0 && !ftruncate(fd, sizeof *c)) c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (c == MAP_FAILED) {
        snprintf(error, error_bytes, "no shared memory: %s", strerror(errno));
        if (fd >= 0) close(fd);
        return -1;
    }
    *out = (struct misuse_outcome){0};
    *c = (struct misuse_cell){.target = *t, .row = 0, .size = size};
    char how[MISUSE_HOW_BYTES] = "";
    enum misuse_result worst = MISUSE_SKIPPED, result;
    /* First without an error, for the room that there is then. */
    if (a->row.sized && row) status = try_once(c, fd, &result, how, error, error_bytes);
    c->row = row;
    for (unsigned trial = 0; !status && trial < a->row.trials; trial++) {
        c->trial = trial;
        status = try_once(c, fd, &result, how, error, error_bytes);
        if (status) break;
        out->count[result]++;
        out->promised = c->promised;
        if (result >= worst) snprintf(out->how, sizeof out->how, "%s", how);
        if (result >= worst) worst = result;
        if (result == MISUSE_SKIPPED) break;
    }
    munmap(c, sizeof *c);
    close(fd);
    return status;
}
