/* engine.c: one allocator in the process of a fuzzing engine; engine.h is the manual. */
#include "engine.h"

#include "kernel.h"
#include "names.h"
#include "report.h"
#include "sanitizer.h"
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

/* ---- What the model shows to the engine ---------------------------------------------------------------------------- */

/* libFuzzer, and for AFL++ afl_main.c, clears this section before each program, and takes any byte of it that is new for new
 * coverage. */
static struct {
    /* AFL++ 4.04c looks up one number too many for the last choice (select) of a function; those of the last function end
     * where this section begins. 0 stands for no edge. */
    uint32_t nothing;
    struct exec_features run;
    uint8_t rules[RULE_COUNT]; /* put to the test */
} shown __attribute__((section("__libfuzzer_extra_counters"), used));

/* Every block that is granted and freed puts these to the test, so they tell nothing beside the calls; and each byte that is
 * not zero costs libFuzzer as much as an edge. */
static const uint16_t everyday[] = {RULE_A2, RULE_A7,  RULE_A12, RULE_A20, RULE_A23, RULE_C7,
                                    RULE_C8, RULE_C10, RULE_C14, RULE_C28, RULE_C38};

static void show_rules(struct engine *e)
{
    for (unsigned rule = RULE_NONE + 1; rule < RULE_COUNT; rule++)
        shown.rules[rule] |= (uint32_t)(e->counters->checked[rule] - e->checked[rule]) != 0;
    for (unsigned i = 0; i < sizeof everyday / sizeof *everyday; i++) shown.rules[everyday[i]] = 0;
    shown.rules[RULE_NONE] = 1; /* a program ran: never nothing, or libFuzzer takes the target for a dead one */
    memcpy(e->checked, e->counters->checked, sizeof e->checked);
}

/* ---- What AddressSanitizer is told --------------------------------------------------------------------------------- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MODEL_INSTRUMENTED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define MODEL_INSTRUMENTED 1
#endif

/* The model's own reads and writes are not looked at, being uninstrumented; so blocks stay closed all their lives. */
static const struct exec_guard *guard(void)
{
#ifndef MODEL_INSTRUMENTED
    static const struct exec_guard asan = {.close = sanitizer_forbid, .open = sanitizer_allow};
    if (sanitizer_asan()) return &asan;
#endif
    return NULL;
}

/* ---- Opening --------------------------------------------------------------------------------------------------------- */

static struct exec *executor(struct engine *e, struct trace *trace)
{
    const struct exec_options o = {.ops = e->target.ops,
                                   .contract = e->target.contract,
                                   .trace = trace,
                                   .counters = e->counters,
                                   .position = &e->position,
                                   .observer = e->observer,
                                   .features = &shown.run,
                                   .guard = guard()};
    return exec_open(&o);
}

/* Counts are kept where ASSAY_COUNTERS in the environment says, for another process to read while this one runs: a file with
 * room for struct exec_counters. Else, or if it has none, in this process. */
static struct exec_counters *shared_counters(void)
{
    static struct exec_counters own;
    const char *path = getenv("ASSAY_COUNTERS");
    struct stat st;
    void *p = MAP_FAILED;
    const int fd = path && *path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof own)
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

int engine_observe(struct engine *e, struct observer *o, char *error, size_t size)
{
    exec_close(e->exec);
    e->observer = o;
    if ((e->exec = executor(e, e->trace))) return 0;
    snprintf(error, size, "%s: no memory for the executor", e->target.name);
    return -1;
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
static void on_fault(int number)
{
    const char *name = signal_name(number);
    char seen[64];
    for (unsigned i = 0; i < SIGNALS; i++) sigaction(faults[i], &before[i], NULL);
    snprintf(seen, sizeof seen, "signal %d (%s)", number, name ? name : "no name");
    engine_fault(number == SIGABRT ? RULE_ABORT : RULE_CRASH, number, seen);
    raise(number);
}

/* An allocator that ends the process: a finding, where the engine would see an end in order. */
static void on_exit_called(void)
{
    if (!running) return;
    engine_fault(RULE_EXIT, 0, "exit");
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
    const struct sigaction act = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    if (watching) return;
    watching = true;
    atexit(on_exit_called);
    for (unsigned i = 0; i < SIGNALS; i++) sigaction(faults[i], &act, &before[i]);
}

void engine_judge(struct engine *e, struct verdict *verdict)
{
    watch_faults();
    running = e;
    if (e->observer) observe_begin(e->observer);
    exec_run(e->exec, &e->program, verdict);
    if (e->observer) observe_end(e->observer, verdict->kind);
    running = NULL;
    show_rules(e);
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
    e->observer = NULL;
    struct exec *x = executor(e, &found.trace);
    if (!x) return;
    exec_run(x, &e->program, &verdict);
    found.repeats = 1;
    found.repeated = verdict.kind == VERDICT_FAIL && verdict.rule == found.verdict.rule;
    if (found.repeated) found.verdict = verdict;
}

/* Past our own handlers: this has been told. */
static _Noreturn void give_up(enum rule rule)
{
    running = NULL;
    for (unsigned i = 0; i < SIGNALS; i++) sigaction(faults[i], &before[i], NULL);
    engine_rule_abort(rule);
}

_Noreturn void engine_fail(struct engine *e, const struct verdict *verdict)
{
    found.verdict = *verdict;
    if (e->trace) found.trace = *e->trace;
    else again(e);
    tell(e);
    give_up(verdict->rule);
}

_Noreturn void engine_disagree(struct engine *e, const struct engine *other, const struct verdict *verdict)
{
    again(e); /* for its results beside the program */
    found.verdict = *verdict;
    found.other = &other->target;
    found.repeats = 0;
    tell(e);
    give_up(verdict->rule);
}

void engine_fault(enum rule rule, int signal_number, const char *seen)
{
    struct engine *e = running;
    if (!e) return; /* not in a call of ours, or told already */
    running = NULL;
    const struct exec_position *at = &e->position;
    struct verdict *v = &found.verdict;
    *v = (struct verdict){
        .kind = VERDICT_FAIL, .rule = rule, .op = at->op, .step = at->step, .round = at->round, .slot = PROGRAM_SLOTS};
    snprintf(v->expected, sizeof v->expected, "%s", rule_info(rule)->sentence);
    snprintf(v->seen, sizeof v->seen, "%s in %s", seen, at->kind < OP_KINDS ? op_name((enum op_kind)at->kind) : "init");
    found.signal_number = signal_number;
    tell(e);
}
