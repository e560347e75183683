/* engine.c: one allocator in the process of a fuzzing engine; engine.h is the manual. */
#include "engine.h"

#include "kernel.h"
#include "names.h"
#include "report.h"
#include "store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_WORD "assay 1"

/* The course that counts a free's instructions costs as much as twenty programs: engines would rather do without. */
#define COUNTED_COURSE 0xffu
#define COUNTED_ONE_IN 64u

/* ---- What the model shows to the engine ---------------------------------------------------------------------------- */

/* libFuzzer clears this section before each program, and takes any byte of it that is new for new coverage. */
static struct {
    struct exec_features run;
    uint8_t rules[RULE_COUNT]; /* put to the test */
} shown __attribute__((section("__libfuzzer_extra_counters"), used));

static void show_rules(struct engine *e)
{
    for (unsigned rule = 0; rule < RULE_COUNT; rule++)
        shown.rules[rule] |= e->counters.checked[rule] != e->checked[rule];
    memcpy(e->checked, e->counters.checked, sizeof e->checked);
}

/* ---- What a sanitizer is told -------------------------------------------------------------------------------------- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WHOLE_PROGRAM_INSTRUMENTED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define WHOLE_PROGRAM_INSTRUMENTED 1
#endif

extern void __asan_poison_memory_region(const volatile void *from, size_t bytes) __attribute__((weak));
extern void __asan_unpoison_memory_region(const volatile void *from, size_t bytes) __attribute__((weak));

static void close_block(const void *block, size_t bytes) { __asan_poison_memory_region(block, bytes); }
static void open_block(const void *block, size_t bytes) { __asan_unpoison_memory_region(block, bytes); }

/* The model's own reads and writes of a block are not looked at, being uninstrumented; so blocks stay closed all their
 * lives. */
static const struct exec_guard *guard(void)
{
#ifndef WHOLE_PROGRAM_INSTRUMENTED
    static const struct exec_guard asan = {close_block, open_block};
    if (__asan_poison_memory_region && __asan_unpoison_memory_region) return &asan;
#endif
    return NULL;
}

/* ---- Opening --------------------------------------------------------------------------------------------------------- */

static struct exec *executor(struct engine *e, struct trace *trace)
{
    const struct exec_options o = {.ops = e->target.ops,
                                   .contract = e->target.contract,
                                   .trace = trace,
                                   .counters = &e->counters,
                                   .position = &e->position,
                                   .features = &shown.run,
                                   .guard = guard()};
    return exec_open(&o);
}

int engine_open(struct engine *e, const char *allocator, const char *prefix, const char *profile, char *error,
                size_t size)
{
    memset(e, 0, sizeof *e);
    if (target_resolve(&e->target, allocator, prefix, profile, error, size)) return -1;
    if (target_open(&e->target, error, size)) return -1;
    generator_init(&e->generator, &e->target, 0);
    const bool host = e->target.contract.backing == BACKING_HOST;
    if (host) e->trace = calloc(1, sizeof *e->trace);
    if ((!host || e->trace) && (e->exec = executor(e, e->trace))) return 0;
    snprintf(error, size, "%s: no memory for the executor", allocator);
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

/* ---- Fitting ---------------------------------------------------------------------------------------------------------- */

static bool begins(const void *bytes, size_t length, const char *word)
{
    return length >= strlen(word) && memcmp(bytes, word, strlen(word)) == 0;
}

static bool is_swarm(const unsigned char *b, size_t length)
{
    return !begins(b, length, PROGRAM_MAGIC) && !begins(b, length, TEXT_WORD);
}

/* What the bytes are among the families that weigh for this allocator: themselves if they are one of them. */
static uint8_t family_for(const struct generator *g, uint8_t family, unsigned choice)
{
    for (unsigned i = 0; i < g->family_count; i++)
        if (g->families[i] == family) return family;
    return g->families[choice % g->family_count];
}

/* Which of the two swarm forms and whether with contract errors: one value, as the generator has it. */
static uint8_t family_of(const unsigned char *b, size_t length)
{
    const uint8_t family = swarm_is_kernel(b, length) ? SWARM_FAMILIES : b[0] % SWARM_FAMILIES;
    return (uint8_t)(family | (b[0] & SWARM_ILLEGAL));
}

void engine_fit(const struct engine *e, unsigned char *b, size_t length)
{
    const struct generator *g = &e->generator;
    if (!length || !is_swarm(b, length)) return;
    const uint8_t is = family_of(b, length), to = family_for(g, is, b[0]);
    if ((to & ~SWARM_ILLEGAL) == SWARM_FAMILIES) {
        if (length < SWARM_HEAD_BYTES) return; /* a head cut short: no operation, whatever it is */
        memcpy(b, SWARM_KERNEL, 4);
        b[0] = (unsigned char)(SWARM_KERNEL[0] | (to & SWARM_ILLEGAL));
        b[4] &= g->groups;
        if (!(b[4] & SWARM_GROUPS)) b[4] = g->groups;
        return;
    }
    if (is != to) b[0] = to;
    if (length > 13 && b[9] == COUNTED_COURSE && b[13] % COUNTED_ONE_IN) b[9] = 0;
}

void engine_decode(struct engine *e, const void *bytes, size_t length)
{
    static unsigned char copy[PROGRAM_BYTES_MAX];
    struct parse_error wrong;
    if (begins(bytes, length, TEXT_WORD)) {
        if (!program_parse(&e->program, bytes, length, &wrong)) program_clear(&e->program);
        return;
    }
    if (!is_swarm(bytes, length)) {
        program_decode(&e->program, bytes, length);
        return;
    }
    if (length > sizeof copy) length = sizeof copy;
    if (length) memcpy(copy, bytes, length);
    engine_fit(e, copy, length);
    program_decode(&e->program, copy, length);
    /* The malloc family's bytes say nothing of machines; this one does not matter to them otherwise. */
    if (e->generator.on_machine && length > 11 && !swarm_is_kernel(copy, length))
        e->program.heap.machine = swarm_machines[copy[11] & 15];
}

/* ---- Running ---------------------------------------------------------------------------------------------------------- */

static struct engine *running; /* one process runs one program at a time */

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
enum { SIGNALS = sizeof faults / sizeof *faults };
static struct sigaction before[SIGNALS]; /* the engine's own */

/* Ours comes first: it tells of the program, and what the engine does of a fault follows when this returns. */
static void on_fault(int number)
{
    for (unsigned i = 0; i < SIGNALS; i++) sigaction(faults[i], &before[i], NULL);
    const char *name = signal_name(number);
    char seen[64];
    snprintf(seen, sizeof seen, "signal %d (%s)", number, name ? name : "no name");
    engine_fault(number, seen);
    raise(number);
}

/* At the first program: only then has the engine set up what is to follow. */
static void watch_faults(void)
{
    static bool watching;
    const struct sigaction act = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    if (watching) return;
    watching = true;
    for (unsigned i = 0; i < SIGNALS; i++) sigaction(faults[i], &act, &before[i]);
}

void engine_judge(struct engine *e, struct verdict *verdict)
{
    watch_faults();
    running = e;
    exec_run(e->exec, &e->program, verdict);
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
    if (!folder || !*folder) folder = "assay-out";
    found.target = &e->target;
    found.program = e->program;
    found.original_ops = found.program.op_count;
    if (store_open(folder, error, sizeof error) || store_finding(folder, &found, error, sizeof error))
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

void engine_fault(int signal_number, const char *seen)
{
    struct engine *e = running;
    if (!e) return; /* not in a call of ours, or told already */
    running = NULL;
    const struct exec_position *at = &e->position;
    const enum rule rule = signal_number == SIGABRT ? RULE_ABORT : RULE_CRASH;
    const char *call = at->kind < OP_KINDS ? op_name((enum op_kind)at->kind) : "init";
    struct verdict *v = &found.verdict;
    *v = (struct verdict){
        .kind = VERDICT_FAIL, .rule = rule, .op = at->op, .step = at->step, .round = at->round, .slot = PROGRAM_SLOTS};
    snprintf(v->expected, sizeof v->expected, "%s", rule_info(rule)->sentence);
    snprintf(v->seen, sizeof v->seen, "%s in %s", seen, call);
    found.signal_number = signal_number;
    tell(e);
}
