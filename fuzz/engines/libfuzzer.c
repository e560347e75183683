/* libfuzzer.c: what libFuzzer asks of a target beside its entry points: mutators, and what sanitizers say. */
#include "engine.h"
#include "entry.h"
#include "mutate.h"

#include <signal.h>

/* ---- Mutators: with ASSAY_PLAIN_BYTES, at build, libFuzzer's alone ----------------------------------------------------- */

#define BYTES_ONE_IN 8u /* so often libFuzzer's own mutators, which know no operations, have their turn */

#ifndef ASSAY_PLAIN_BYTES
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t max); /* libFuzzer's */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
                                 size_t max, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max, unsigned seed)
{
    size = seed % BYTES_ONE_IN ? mutate(bytes, size, max, seed) : LLVMFuzzerMutate(bytes, size, max);
    target_fit(bytes, size);
    return size;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
                                 size_t max, unsigned seed)
{
    size_t size = cross_over(a, a_size, b, b_size, out, max, seed);
    target_fit(out, size);
    return size;
}
#endif

/* ---- Sanitizers ---------------------------------------------------------------------------------------------------------- */

/* Leaks are for the rules to judge; what exceeds 64 MiB is refused, as in main.c. */
__attribute__((visibility("default"), used)) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:max_allocation_size_mb=64:detect_leaks=0";
}

/* They call these when they have something to say, before they end the process. */
__attribute__((visibility("default"), used)) void __asan_on_error(void);
void __asan_on_error(void) { engine_fault(RULE_ABORT, SIGABRT, "a report of AddressSanitizer"); }

__attribute__((visibility("default"), used)) void __ubsan_on_report(void);
void __ubsan_on_report(void) { engine_fault(RULE_ABORT, SIGABRT, "a report of UndefinedBehaviorSanitizer"); }
