/* child.c: the parent's side of child.h: starting, watching and burying the process under test. worker.c is the other. */
#include "child.h"
#include "names.h"
#include "preload.h"
#include "sanitizer.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WALL_FACTOR 20.0    /* a call that sleeps is given so much longer than one that computes */
#define LOOK_SECONDS 0.005  /* how often the running program is looked at */
#define ALONE_SECONDS 0.001 /* ... if it runs alone: so that it passes a limit nearly where it did before */
#define MEMORY_MAX (UINT64_C(1) << 30)
#define BESIDE_LENT_MAX (UINT64_C(16) << 20) /* of an allocator that is lent its memory */

static double now(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) ? 0 : (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The journal's file made so long, and mapped. */
static void *map_journal(const struct child *c, size_t bytes)
{
    if (c->journal_fd < 0 || ftruncate(c->journal_fd, (off_t)bytes)) return MAP_FAILED;
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, c->journal_fd, 0);
}

static int no_journal(char *error, size_t size)
{
    snprintf(error, size, "no shared memory for the journal of the process under test: %s", strerror(errno));
    return -1;
}

int child_open(struct child *c, const struct target *target, const struct child_limits *limits, char *error,
               size_t size)
{
    *c = (struct child){.limits = *limits, .target = *target, .socket = -1, .journal_bytes = sizeof *c->journal};
    c->journal_fd = memfd_create("assay-journal", MFD_CLOEXEC);
    void *p = map_journal(c, c->journal_bytes);
    if (p == MAP_FAILED) {
        no_journal(error, size);
        if (c->journal_fd >= 0) close(c->journal_fd);
        return -1;
    }
    c->journal = p;
    c->journal->target = *target;
    c->journal->request_max = limits->request_max;
    return 0;
}

int child_observe(struct child *c, bool weighing, char *error, size_t size)
{
    const size_t bytes = sizeof(struct journal) + sizeof(struct observation_log);
    void *p = map_journal(c, bytes);
    if (p == MAP_FAILED) return no_journal(error, size);
    munmap(c->journal, c->journal_bytes);
    c->journal = p;
    c->journal_bytes = bytes;
    c->journal->observing = true;
    c->journal->weighing = weighing;
    return 0;
}

static void bury(struct child *c, int *status)
{
    while (waitpid(c->pid, status, 0) < 0 && errno == EINTR) continue;
    c->pid = 0;
    close(c->socket);
    c->socket = -1;
}

void child_kill(struct child *c)
{
    int status;
    if (!c->pid) return;
    kill(c->pid, SIGKILL);
    bury(c, &status);
}

void child_close(struct child *c)
{
    if (!c->journal) return;
    child_kill(c);
    munmap(c->journal, c->journal_bytes);
    close(c->journal_fd);
    *c = (struct child){.socket = -1};
}

/* In the child, right after fork. Never returns. */
static _Noreturn void become_worker(struct child *c, int socket, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0); /* it died before we asked to die with it */
    /* An interrupt at the terminal is the parent's to answer: it ends the run in order. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    const bool preload = c->target.preload;
    if (!preload && !(c->anew && c->target.kind == TARGET_LIBRARY)) _exit(worker_main(c->journal, socket));
    char journal_word[16], socket_word[16];
    snprintf(journal_word, sizeof journal_word, "%d", c->journal_fd);
    snprintf(socket_word, sizeof socket_word, "%d", socket);
    fcntl(c->journal_fd, F_SETFD, 0);
    fcntl(socket, F_SETFD, 0);
    char *argv[] = {"assay", WORKER_WORD, journal_word, socket_word, NULL};
    preload_exec(preload ? c->target.path : NULL, argv);
    snprintf(c->journal->error, sizeof c->journal->error, "cannot %s %.200s: %s",
             preload ? "preload" : "start anew with", c->target.path, strerror(errno));
    _exit(0);
}

static int start(struct child *c)
{
    int pair[2];
    struct journal *j = c->journal;
    if (c->pid) return 0;
    j->error[0] = '\0';
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        snprintf(j->error, sizeof j->error, "cannot talk to a child process: %s", strerror(errno));
        return -1;
    }
    fflush(NULL); /* nothing of ours may be printed twice */
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        snprintf(j->error, sizeof j->error, "cannot start a child process: %s", strerror(errno));
        close(pair[0]);
        close(pair[1]);
        return -1;
    }
    if (pid == 0) {
        close(pair[0]);
        become_worker(c, pair[1], parent);
    }
    close(pair[1]);
    c->pid = pid;
    c->socket = pair[0];
    return 0;
}

/* Sends one command; the answer comes in child_wait. */
static int command(struct child *c, char word)
{
    struct journal *j = c->journal;
    if (start(c)) return -1;
    j->signal_number = 0;
    j->loop_period = 0;
    j->apart = 0;
    j->verdict = (struct verdict){.kind = VERDICT_PASS, .slot = PROGRAM_SLOTS};
    j->state = JOURNAL_RUNNING;
    c->watched = 0;
    c->wall_then = now(CLOCK_MONOTONIC);
    c->cpu_then = -1;
    j->started = 0;
    if (send(c->socket, &word, 1, MSG_NOSIGNAL) == 1) return 0;
    child_kill(c);
    return -1;
}

/* ---- Watching ------------------------------------------------------------------------------------------------------ */

/* Who is running: the child, or a copy of it. */
static pid_t running(const struct child *c) { return c->journal->apart ? c->journal->apart : c->pid; }

static double cpu_of(pid_t pid)
{
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) ? 0 : now(clock);
}

struct process_memory memory_of(pid_t pid)
{
    char path[64], text[128];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return (struct process_memory){0};
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    /* Pages: the size, what of it is resident, and what of that belongs to files. */
    char *at = text;
    uint64_t pages[3];
    for (unsigned i = 0; i < 3; i++) pages[i] = strtoull(at, &at, 10);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (struct process_memory){.resident = pages[1] * page, .anonymous = (pages[1] - pages[2]) * page};
}

/* An emulator passes for what it runs, but not where it is not asked for itself: another process is seen as it is. What
 * memory such a process takes is the emulator's affair. */
static bool is_emulated(pid_t pid)
{
    char path[32], own[256] = "", other[256] = "";
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return readlink("/proc/self/exe", own, sizeof own - 1) > 0 && readlink(path, other, sizeof other - 1) > 0 &&
           strcmp(own, other) != 0;
}

/* Whether the child has taken too much. Memory of ours is explained, used or not; as it changes from program to program,
 * it explains only what was seen during the same one. */
static bool outgrown(const struct child *c)
{
    const struct journal *j = c->journal;
    uint64_t program = j->started;
    struct process_memory m = memory_of(running(c));
    uint64_t explained = j->first_bytes + j->position.own_bytes + BESIDE_LENT_MAX;
    if (c->limits.memory_bytes) return m.resident > c->limits.memory_bytes;
    /* States are found in memory that is shared with us, and are not the allocator's. */
    if ((j->explore ? m.anonymous : m.resident) > MEMORY_MAX) return true;
    if (c->target.contract.backing == BACKING_HOST || j->started != program) return false;
    if (sanitizer_memcheck()) return false; /* its own notes on every byte touched are in there */
    return m.anonymous > explained && !is_emulated(c->pid);
}

/* A verdict that the child could not give itself: the journal knows where it stood. */
static void posthumous(struct child *c, enum rule rule, struct child_result *r, const char *seen)
{
    const struct exec_position *at = &c->journal->position;
    struct verdict *v = &r->verdict;
    *v = (struct verdict){
        .kind = VERDICT_FAIL, .rule = rule, .op = at->op, .step = at->step, .round = at->round, .slot = PROGRAM_SLOTS};
    snprintf(v->expected, sizeof v->expected, "%s", rule_info(rule)->sentence);
    snprintf(v->seen, sizeof v->seen, "%s in %s", seen, at->kind < OP_KINDS ? op_name((enum op_kind)at->kind) : "init");
    c->journal->counters.checked[rule]++;
}

/* The process has ended while it had work to do. */
static void autopsy(struct child *c, int status, struct child_result *r)
{
    char seen[128];
    struct journal *j = c->journal;
    if (j->loop_period) {
        snprintf(seen, sizeof seen, "a loop that repeats its state every %u instructions, for ever,", j->loop_period);
        posthumous(c, RULE_HANG, r, seen);
        r->proven = true;
        return;
    }
    if (j->error[0] || (j->started == 0 && WIFEXITED(status))) {
        r->verdict = (struct verdict){.kind = VERDICT_ERROR};
        snprintf(r->verdict.seen, sizeof r->verdict.seen, "%.150s",
                 j->error[0] ? j->error : "the process under test ended before its first call");
        return;
    }
    if (WIFEXITED(status)) {
        r->exit_status = WEXITSTATUS(status);
        snprintf(seen, sizeof seen, "exit with status %d", r->exit_status);
        posthumous(c, RULE_EXIT, r, seen);
        return;
    }
    int signal_number = WTERMSIG(status);
    if (signal_number == SIGSYS) { /* a trap that was blocked or ignored cannot be served */
        r->verdict = (struct verdict){.kind = VERDICT_ERROR};
        snprintf(r->verdict.seen, sizeof r->verdict.seen,
                 "the library blocks all signals around a call for memory, so those cannot be watched");
        return;
    }
    if (signal_number == SIGKILL || signal_number == SIGTERM) { /* no fault raises these: somebody sent them */
        r->verdict = (struct verdict){.kind = VERDICT_ERROR};
        snprintf(r->verdict.seen, sizeof r->verdict.seen,
                 "the process under test was killed from outside (signal %d); is memory short?", signal_number);
        return;
    }
    r->signal_number = signal_number;
    enum op_kind kind = (enum op_kind)j->position.kind;
    const char *name = signal_name(signal_number);
    snprintf(seen, sizeof seen, "signal %d (%s)", signal_number, name ? name : "no name");
    if (j->trace.fault_offset != OFFSET_NONE && j->trace.heap_size) {
        long long at = (long long)j->trace.fault_offset, end = (long long)j->trace.heap_size;
        const char *where = at < 0      ? "before the memory lent"
                            : at >= end ? "behind the memory lent"
                                        : "inside the memory lent";
        size_t used = strlen(seen);
        snprintf(seen + used, sizeof seen - used, " at offset %lld, %s,", at, where);
    }
    enum rule rule = signal_number == SIGABRT ? RULE_ABORT : RULE_CRASH;
    if (kind == OP_FREE_NULL) rule = RULE_A10; /* where the call itself has a rule that says it does nothing at all */
    posthumous(c, rule, r, seen);
}

/* Whether all that it lacks is a processor. */
static bool is_runnable(pid_t pid)
{
    char path[32], text[128];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *behind_name = strrchr(text, ')');
    return behind_name && behind_name[1] == ' ' && behind_name[2] == 'R';
}

/* True if the running program has gone on too long or taken too much; then the process is gone. */
static bool overdue(struct child *c, struct child_result *r)
{
    struct journal *j = c->journal;
    const pid_t who = running(c);
    double wall = now(CLOCK_MONOTONIC), cpu = cpu_of(who);
    uint64_t started = j->started, beat = journal_beat(j);
    if (beat != c->watched || who != c->watched_pid || c->cpu_then < 0) {
        c->watched_pid = who;
        c->watched = beat;
        c->cpu_then = cpu;
        c->wall_then = wall;
    }
    bool hung = cpu - c->cpu_then > c->limits.timeout ||
                (wall - c->wall_then > WALL_FACTOR * c->limits.timeout && !is_runnable(c->pid));
    bool runaway = started && outgrown(c);
    /* A child that has not begun yet is loading: that may take long on a busy machine, but not for ever. */
    if ((!hung && !runaway) || (started == 0 && wall - c->wall_then < 60)) return false;
    child_kill(c);
    if (started == 0) {
        r->verdict = (struct verdict){.kind = VERDICT_ERROR};
        snprintf(r->verdict.seen, sizeof r->verdict.seen, "the process under test did not begin within a minute");
        return true;
    }
    posthumous(c, runaway ? RULE_RUNAWAY : RULE_HANG, r, runaway ? "the memory limit passed" : "the time limit passed");
    return true;
}

bool child_wait(struct child *c, double seconds, struct child_result *r)
{
    double end = now(CLOCK_MONOTONIC) + seconds;
    int status;
    *r = (struct child_result){0};
    do {
        struct pollfd p = {.fd = c->socket, .events = POLLIN};
        double left = end - now(CLOCK_MONOTONIC);
        int ms = (int)((left < LOOK_SECONDS ? left < 0 ? 0 : left : LOOK_SECONDS) * 1000 + 0.999);
        int ready = poll(&p, 1, ms);
        if (ready < 0 && errno == EINTR) return false; /* the caller looks at what has been asked of it */
        if (ready > 0) {
            char word;
            if (recv(c->socket, &word, 1, 0) == 1) {
                r->verdict = c->journal->verdict;
                return true;
            }
            bury(c, &status);
            autopsy(c, status, r);
            return true;
        }
        if (overdue(c, r)) return true;
    } while (now(CLOCK_MONOTONIC) < end);
    return false;
}

int child_begin_campaign(struct child *c) { return command(c, WORKER_CAMPAIGN); }

int child_begin_stretch(struct child *c, uint64_t first, unsigned count)
{
    c->journal->campaign.first = first;
    c->journal->campaign.programs = count;
    return command(c, WORKER_STRETCH);
}

int child_begin_exploration(struct child *c, struct explore *e)
{
    c->journal->explore = e;
    return command(c, WORKER_EXPLORE);
}

static void run(struct child *c, const struct program *p, bool thorough, char word, struct child_result *r)
{
    struct journal *j = c->journal;
    /* A process that died between two programs is no finding of the next one. */
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        j->program.heap = p->heap;
        j->program.op_count = p->op_count;
        memcpy(j->program.ops, p->ops, p->op_count * sizeof *p->ops);
        j->thorough = thorough;
        j->trace.event_count = j->trace.block_count = j->trace.machine.frames = 0;
        j->trace.heap_size = 0;
        j->trace.fault_offset = OFFSET_NONE;
        if (j->observing) journal_log(j)->programs = journal_log(j)->used = 0;
        if (command(c, word) == 0) {
            while (!child_wait(c, ALONE_SECONDS, r)) continue;
            return;
        }
    }
    *r = (struct child_result){.verdict = {.kind = VERDICT_ERROR}};
    snprintf(r->verdict.seen, sizeof r->verdict.seen, "%.150s",
             j->error[0] ? j->error : "the process under test does not answer");
}

void child_run(struct child *c, const struct program *p, bool thorough, struct child_result *r)
{
    run(c, p, thorough, WORKER_RUN, r);
}

void child_faults(struct child *c, struct program *p, struct child_result *r)
{
    if (c->target.contract.backing == BACKING_HOST) child_kill(c);
    run(c, p, false, WORKER_FAULTS, r);
    if (r->verdict.kind == VERDICT_FAIL) p->heap = c->journal->program.heap;
}

void child_replay(struct child *c, const struct program *p, struct child_result *r)
{
    bool own_process = c->target.contract.backing == BACKING_HOST;
    for (int thorough = 1; thorough >= 0; thorough--) {
        if (own_process) child_kill(c);
        child_run(c, p, thorough, r);
        if (r->verdict.kind != VERDICT_PASS) return;
    }
}
