/* engine.h: what a fuzzing engine drives: bytes in, nothing out, or a report and an abort.
 *
 * libFuzzer, AFL++ and their like run millions of programs in one process and call an abort a finding. An engine here is
 * one allocator in that process: it decodes the bytes, runs the program, and lets the model judge. If a rule is broken,
 * the program is on disk before it is reported (as everywhere: ASSAY_OUT in the environment names the folder, else
 * assay-out; if it is empty, nothing is stored), the report on standard error ends with the command that replays it, and
 * abort() follows. If the allocator crashes, or ends the process by exit or _exit, the program is stored and named likewise
 * before that takes its course.
 *
 * What a program showed of the model's state (calls by result, sizes, live set, rules put to the test) stands in libFuzzer's
 * extra counters when engine_judge returns. Where AddressSanitizer's runtime is linked and the model is built without it,
 * live blocks are closed to the code that is instrumented (struct exec_guard).
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "exec.h"
#include "generator.h"
#include "observe.h"
#include "target.h"

struct engine {
    struct target target;
    struct generator generator; /* what programs the allocator can take */
    struct exec *exec;
    struct exec_counters *counters; /* in the file that ASSAY_COUNTERS names, if it has room */
    struct exec_position position;
    struct observer *observer;    /* or NULL */
    uint64_t checked[RULE_COUNT]; /* of the counters, before the program that runs */
    struct program program;       /* the one that runs, or ran last */
    struct trace *trace;          /* on a host heap, where no second run can tell more */
};

/* Opens the allocator of this name, a built-in's or a library's path, as `assay check` would; prefix and profile may be
 * NULL. 0, or -1 with one line in `error`. A struct engine is large, and wants to be static. */
int engine_open(struct engine *e, const char *allocator, const char *prefix, const char *profile, char *error,
                size_t size);

/* As engine_open, with an allocator that is part of this program; `name` as for target_adopt. */
int engine_open_linked(struct engine *e, const struct alloc_ops *ops, const char *name, const char *profile,
                       char *error, size_t size);

/* Leaves of the kernel group only what `groups` (enum swarm_group) names; without any of it, all programs are of the
 * malloc family. */
void engine_narrow(struct engine *e, uint8_t groups);

/* Has every program from now on noted by `o` (observe.h), which outlives the engine: the engine itself calls observe_begin
 * and observe_end. 0, or -1 with `error`. */
int engine_observe(struct engine *e, struct observer *o, char *error, size_t size);

/* Fills e->program from any bytes, as generator_decode. */
void engine_decode(struct engine *e, const void *bytes, size_t length);

/* Runs e->program and gives the verdict. A host heap that broke a rule is of no further use. */
void engine_judge(struct engine *e, struct verdict *verdict);

/* Decodes, runs and judges. Returns if and only if no rule was broken. */
void engine_run(struct engine *e, const void *bytes, size_t length);

/* On e->program these two disagree, as the verdict says: stored, reported, and abort(). */
_Noreturn void engine_disagree(struct engine *e, const struct engine *other, const struct verdict *verdict);

/* Stores e->program, reports the verdict on standard error, and aborts. */
_Noreturn void engine_fail(struct engine *e, const struct verdict *verdict);

/* Aborts in a function named after the rule: services go by the names on top of the stack. */
_Noreturn void engine_rule_abort(enum rule rule);

/* For who learns first of what a call does to the process (a signal handler, a sanitizer's callback): stores the program
 * that runs, if any, and says on standard error that it broke `rule` (CRASH, ABORT, EXIT), and `seen` in which call. What
 * becomes of the process is the caller's affair. */
void engine_fault(enum rule rule, int signal_number, const char *seen);

#endif
