/* engine.c: one allocator in the process of a fuzzing engine; engine.h is the manual. */
#include "engine.h"

#include "kernel.h"
#include "names.h"
#include "report.h"
#include "store.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Opening --------------------------------------------------------------------------------------------------------- */

static struct exec *executor(struct engine *e, struct trace *trace)
{
    const struct exec_options o = {.ops = e->target.ops,
                                   .contract = e->target.contract,
                                   .trace = trace,
                                   .counters = e->counters,
                                   .position = &e->position};
    return exec_open(&o);
}

/* Counts are kept where ASSAY_COUNTERS in the environment says, for another process to read while this one runs: a file of
 * the size of struct exec_counters. Else, or if it is not, in this process. */
static struct exec_counters *shared_counters(void)
{
    static struct exec_counters own;
    const char *path = getenv("ASSAY_COUNTERS");
    struct stat st;
    void *p = MAP_FAILED;
    const int fd = path && *path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size == sizeof own)
        p = mmap(NULL, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0) close(fd);
    return p == MAP_FAILED ? &own : p;
}

/* e->target is open; the rest of e is zero. */
static int open_target(struct engine *e, char *error, size_t size)
{
    generator_init(&e->generator, &e->target, 0);
    e->counters = shared_counters();
    const bool host = e->target.contract.backing == BACKING_HOST;
    if (host) e->trace = calloc(1, sizeof *e->trace);
    if ((!host || e->trace) && (e->exec = executor(e, e->trace))) return 0;
    snprintf(error, size, "%s: no memory for the executor", e->target.name);
    return -1;
}

int engine_open(struct engine *e, const char *allocator, const char *prefix, const char *profile, char *error,
                size_t size)
{
    memset(e, 0, sizeof *e);
    if (target_resolve(&e->target, allocator, prefix, profile, error, size)) return -1;
    if (target_open(&e->target, error, size)) return -1;
    return open_target(e, error, size);
}

int engine_open_linked(struct engine *e, const struct alloc_ops *ops, const char *name, const char *profile,
                       char *error, size_t size)
{
    memset(e, 0, sizeof *e);
    if (target_adopt(&e->target, ops, name, profile, error, size)) return -1;
    return open_target(e, error, size);
}

void engine_narrow(struct engine *e, uint8_t groups)
{
    struct generator *g = &e->generator;
    g->groups &= (uint8_t)(groups | SWARM_KFREE_CACHED);
    if (!(g->groups & SWARM_GROUPS)) return;
    unsigned kept = 0;
    for (unsigned i = 0; i < g->family_count; i++)
        if ((g->families[i] & ~SWARM_ILLEGAL) == SWARM_FAMILIES) g->families[kept++] = g->families[i];
    if (kept) g->family_count = kept;
}

void engine_decode(struct engine *e, const void *bytes, size_t length)
{
    generator_decode(&e->generator, bytes, length, &e->program);
}

/* ---- Running ---------------------------------------------------------------------------------------------------------- */

static struct engine *running; /* one process runs one program at a time */

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
enum { SIGNALS = sizeof faults / sizeof *faults };
static struct sigaction before[SIGNALS]; /* the engine's own */

/* Ours comes first: it tells of the program, and what the engine does of a fault follows when this returns. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    for (unsigned i = 0; i < SIGNALS; i++) sigaction(faults[i], &before[i], NULL);
    if (running) engine_crashed(running, number, number == SIGABRT ? NULL : info->si_addr);
    raise(number);
}

/* An allocator that ends the process: a finding, where the engine would see an end in order. */
static void on_exit_called(void)
{
    if (!running) return;
    engine_exited(running);
    abort();
}

/* In the place of the C library's, which ends the process without asking anybody. Engines end themselves with _Exit. */
_Noreturn void _exit(int status)
{
    on_exit_called();
    for (;;) syscall(SYS_exit_group, status);
}

/* At the first program: only then has the engine set up what is to follow. */
static void watch_faults(void)
{
    static bool watching;
    const struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (watching) return;
    watching = true;
    atexit(on_exit_called);
    for (unsigned i = 0; i < SIGNALS; i++) sigaction(faults[i], &act, &before[i]);
}

void engine_judge(struct engine *e, struct verdict *verdict)
{
    watch_faults();
    running = e;
    exec_run(e->exec, &e->program, verdict);
    running = NULL;
}

void engine_run(struct engine *e, const void *bytes, size_t length)
{
    struct verdict verdict;
    engine_decode(e, bytes, length);
    engine_judge(e, &verdict);
    if (verdict.kind == VERDICT_FAIL) engine_fail(e, &verdict);
}

/* ---- Findings --------------------------------------------------------------------------------------------------------- */

static struct finding found; /* of the process, which ends with it */

static void tell(struct engine *e)
{
    const char *folder = getenv("ASSAY_OUT");
    char error[4400];
    struct report report = {.format = FORMAT_TEXT, .out = stderr};
    if (!folder) folder = "assay-out";
    found.target = &e->target;
    found.program = e->program;
    found.original_ops = found.program.op_count;
    if (*folder && (store_open(folder, error, sizeof error) || store_finding(folder, &found, error, sizeof error)))
        fprintf(stderr, "%s\n", error);
    report_begin(&report);
    report_finding(&report, &found);
    fflush(stderr);
}

/* Once more, on a fresh heap and with a trace. */
static void again(struct engine *e)
{
    struct verdict verdict;
    struct exec *x = executor(e, &found.trace);
    if (!x) return;
    exec_run(x, &e->program, &verdict);
    found.repeats = 1;
    found.repeated = verdict.kind == VERDICT_FAIL && verdict.rule == found.verdict.rule;
    if (found.repeated) found.verdict = verdict;
}

_Noreturn void engine_fail(struct engine *e, const struct verdict *verdict)
{
    found.verdict = *verdict;
    if (e->trace) found.trace = *e->trace;
    else again(e);
    tell(e);
    for (unsigned i = 0; i < SIGNALS; i++) sigaction(faults[i], &before[i], NULL);
    abort();
}

/* What the process does of itself falls into the operation that runs. */
static void tell_end(struct engine *e, enum rule rule, const char *what)
{
    const struct exec_position *at = &e->position;
    running = NULL;
    found.verdict = (struct verdict){
        .kind = VERDICT_FAIL, .rule = rule, .op = at->op, .step = at->step, .round = at->round, .slot = PROGRAM_SLOTS};
    snprintf(found.verdict.expected, sizeof found.verdict.expected, "%s", rule_info(rule)->sentence);
    snprintf(found.verdict.seen, sizeof found.verdict.seen, "%s in %s", what,
             at->kind < OP_KINDS ? op_name((enum op_kind)at->kind) : "init");
    tell(e);
}

void engine_crashed(struct engine *e, int signal_number, const void *address)
{
    char what[64];
    const char *name = signal_name(signal_number);
    (void)address;
    snprintf(what, sizeof what, "signal %d (%s)", signal_number, name ? name : "no name");
    found.signal_number = signal_number;
    tell_end(e, signal_number == SIGABRT ? RULE_ABORT : RULE_CRASH, what);
}

void engine_exited(struct engine *e) { tell_end(e, RULE_EXIT, "exit"); }
