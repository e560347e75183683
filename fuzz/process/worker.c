/* worker.c: worker.h is the manual. */
#include "worker.h"

#include "explore.h"
#include "fault_runs.h"
#include "host_maps.h"
#include "loop_proof.h"
#include "sanitizer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FAULT_STACK ((size_t)64 << 10)
#define TICK_MICROSECONDS 4000 /* user time; the kernel may have coarser ticks */
#define TICK_INSTRUCTIONS 128u /* looked at for each tick of a call, in less time than that */

/* For the fault handler, which is given nothing else. One process is one worker. */
static struct {
    struct journal *journal;
    struct exec *plain, *thorough; /* for single programs: one serves all, its memory has been paged in */
    struct exec *running;
    struct exec *observed; /* for stretches */
    struct observer observer;
} self;

/* ---- Faults ---------------------------------------------------------------------------------------------------------- */

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    signal(number, SIG_DFL);
    self.journal->signal_number = number;
    if (self.running) exec_after_fault(self.running, number == SIGABRT ? NULL : info->si_addr);
    raise(number); /* delivered when this handler returns: the parent sees the true signal */
}

/* The process under test is not searched for leaks: what the allocator keeps is for the rules to judge. */
__attribute__((visibility("default"), used)) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return self.journal != NULL; }

static void watch_faults(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    void *p = mmap(NULL, FAULT_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return;
    stack_t stack = {.ss_sp = p, .ss_size = FAULT_STACK};
    sigaltstack(&stack, NULL);
    struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++) sigaction(faults[i], &act, NULL);
}

/* A call that has not returned since the last tick may never do so: it is looked into now, and again, further, whenever
 * it has taken twice as long. The timeout is for what cannot be proven. */
static void on_tick(int number, siginfo_t *info, void *context)
{
    static uint64_t watched;
    static uint32_t ticks;
    struct journal *j = self.journal;
    uint64_t beat = journal_beat(j);
    int error = errno;
    (void)number;
    (void)info;
    ticks = self.running && beat == watched ? ticks + 1 : 0;
    watched = beat;
    if (!ticks || ticks & (ticks - 1)) return;
    uint32_t most = ticks < LOOP_PROOF_INSTRUCTIONS_MAX / TICK_INSTRUCTIONS ? ticks * TICK_INSTRUCTIONS
                                                                            : LOOP_PROOF_INSTRUCTIONS_MAX;
    uint32_t period = loop_proof(context, most);
    errno = error;
    if (!period) return;
    j->loop_period = period;
    exec_after_fault(self.running, NULL);
    _exit(0);
}

/* A library may wait for signals and threads of its own, and has the timeout alone. */
static void watch_loops(void)
{
    const struct itimerval tick = {{.tv_usec = TICK_MICROSECONDS}, {.tv_usec = TICK_MICROSECONDS}};
    struct sigaction act = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    if (self.journal->target.contract.backing == BACKING_HOST || !loop_proof_open()) return;
    sigaction(SIGVTALRM, &act, NULL);
    setitimer(ITIMER_VIRTUAL, &tick, NULL);
}

/* What the allocator prints is no part of our output; ASSAY_CHILD_STDERR in the environment lets its complaints, and a
 * sanitizer's, through. */
static void silence(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return;
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    if (!getenv("ASSAY_CHILD_STDERR")) dup2(null, STDERR_FILENO);
}

/* ---- Work ------------------------------------------------------------------------------------------------------------ */

static struct exec *executor(bool thorough, bool record)
{
    struct journal *j = self.journal;
    struct exec_options o = {.ops = j->target.ops,
                             .contract = j->target.contract,
                             .request_max = j->request_max,
                             .thorough = thorough,
                             .trace = record ? &j->trace : NULL,
                             .counters = &j->counters,
                             .position = &j->position,
                             .observer = j->observing ? &self.observer : NULL};
    return exec_open(&o);
}

/* Has the library's calls of the system watched if they are to be; false if that cannot be. */
static bool watch_calls(const struct program *p)
{
    struct journal *j = self.journal;
    if (!watch_wanted(&j->target, p)) return true;
    const int error = sanitizer_memcheck() ? ENOSYS : host_maps_watch(j->target.maps_max);
    if (error)
        snprintf(j->error, sizeof j->error, "the library's calls for memory cannot be watched: %s", strerror(error));
    return !error;
}

static void cannot(const char *what)
{
    struct verdict *v = &self.journal->verdict;
    v->kind = VERDICT_ERROR;
    snprintf(v->seen, sizeof v->seen, "%.150s", what);
}

/* The journal's program; to the log too, if there is one. */
static void run_noted(struct exec *x)
{
    struct journal *j = self.journal;
    if (j->observing) observe_begin(&self.observer);
    exec_run(x, &j->program, &j->verdict);
    if (j->observing) observe_end(&self.observer, j->verdict.kind);
}

static void run_one(void)
{
    struct journal *j = self.journal;
    struct exec **x = j->thorough ? &self.thorough : &self.plain;
    if (!*x) *x = executor(j->thorough, true);
    if (!*x) {
        cannot("no memory for the executor");
        return;
    }
    if (!watch_calls(&j->program)) {
        cannot(j->error);
        return;
    }
    self.running = *x;
    j->first_bytes = memory_of(getpid()).anonymous;
    j->started++;
    run_noted(*x);
    self.running = NULL;
}

/* Programs one after the other, each noted; ends with the first that fails. */
static void run_stretch(void)
{
    struct journal *j = self.journal;
    struct campaign_orders *o = &j->campaign;
    if (!self.observed) self.observed = executor(false, false);
    if (!self.observed || !j->observing) {
        cannot("no memory for the executor");
        return;
    }
    self.running = self.observed;
    j->first_bytes = memory_of(getpid()).anonymous;
    for (uint64_t i = o->first; i < o->first + o->programs; i++) {
        o->index = i;
        j->started++;
        generator_program(&o->generator, i, &j->program);
        run_noted(self.observed);
        if (j->verdict.kind == VERDICT_FAIL) break;
        j->verdict.kind = VERDICT_PASS; /* as in a campaign */
    }
    self.running = NULL;
}

/* A program with every request failing. */
static void run_one_faults(void)
{
    struct journal *j = self.journal;
    if (!self.plain) self.plain = executor(false, true);
    if (!self.plain) {
        cannot("no memory for the executor");
        return;
    }
    if (!watch_calls(&j->program)) {
        cannot(j->error);
        return;
    }
    self.running = self.plain;
    j->first_bytes = memory_of(getpid()).anonymous;
    fault_runs(j, self.plain, &faults_of_one);
    self.running = NULL;
}

/* One window's part of this worker; false if a program failed, or there are no more. */
static bool run_window(struct exec *x, const struct generator *g, uint64_t window)
{
    struct journal *j = self.journal;
    struct campaign_orders *o = &j->campaign;
    /* Where the heap lives on, this process must leave it alone: each run has a copy of it. */
    const bool apart = j->target.faults && j->target.contract.backing == BACKING_HOST;
    uint64_t from = (window * o->workers + o->worker) * WINDOW_PROGRAMS;
    for (uint64_t i = from; i < from + WINDOW_PROGRAMS; i++) {
        if (i >= o->programs) return false;
        o->index = o->first + i;
        j->started++;
        generator_program(g, o->index, &j->program);
        if (!apart) exec_run(x, &j->program, &j->verdict);
        if (j->verdict.kind == VERDICT_PASS && j->target.faults) fault_runs(j, x, &faults_of_many);
        j->counters.programs += apart;
        if (j->verdict.kind == VERDICT_FAIL) return false;
        j->verdict.kind = VERDICT_PASS; /* a heap that this machine has no address space for is left out */
    }
    return true;
}

static void run_campaign(void)
{
    struct journal *j = self.journal;
    struct campaign_orders *o = &j->campaign;
    struct exec *x = executor(false, false);
    if (!x) {
        cannot("no memory for the executor");
        return;
    }
    if (j->target.contract.backing == BACKING_HOST) {
        program_clear(&j->program);
        if (!watch_calls(&j->program)) {
            cannot(j->error);
            return;
        }
    }
    self.running = x;
    j->first_bytes = memory_of(getpid()).anonymous;
    for (uint64_t window = 0; window <= o->last_window; window++) {
        if (!run_window(x, &o->generator, window)) break;
        o->kept[window % WINDOWS_KEPT] = j->counters;
        o->done = window + 1;
        const struct timespec pause = {.tv_nsec = 200000};
        while (o->done > o->slowest && o->done - o->slowest > WINDOWS_KEPT / 2 && o->done <= o->last_window) {
            j->started++; /* waiting is no hang */
            nanosleep(&pause, NULL);
        }
    }
    self.running = NULL;
    exec_close(x);
}

static void run_exploration(void)
{
    struct journal *j = self.journal;
    const struct exec_options o = {.ops = j->target.ops,
                                   .contract = j->target.contract,
                                   .request_max = j->request_max,
                                   .counters = &j->counters,
                                   .position = &j->position};
    j->first_bytes = memory_of(getpid()).anonymous;
    j->started++;
    explore_run(j->explore, &o, &j->verdict);
}

int worker_main(struct journal *j, int socket)
{
    struct rlimit no_core = {0, 0};
    char word;
    self.journal = j;
    self.observer.log = journal_log(j);
    self.observer.weighs = j->weighing;
    setrlimit(RLIMIT_CORE, &no_core);
    if (target_open(&j->target, j->error, sizeof j->error)) return 0;
    silence();
    watch_faults();
    watch_loops();
    while (recv(socket, &word, 1, 0) == 1) {
        if (word == WORKER_CAMPAIGN) run_campaign();
        else if (word == WORKER_STRETCH) run_stretch();
        else if (word == WORKER_EXPLORE) run_exploration();
        else if (word == WORKER_FAULTS) run_one_faults();
        else run_one();
        j->state = JOURNAL_DONE;
        if (send(socket, &word, 1, MSG_NOSIGNAL) != 1) break;
    }
    return 0;
}

int child_worker_main(int argc, char **argv)
{
    if (argc != 4) return 2;
    int journal_fd = atoi(argv[2]), socket = atoi(argv[3]);
    pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) return 0;
    struct stat st;
    if (fstat(journal_fd, &st)) return 2;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, journal_fd, 0);
    return p == MAP_FAILED ? 2 : worker_main(p, socket);
}
