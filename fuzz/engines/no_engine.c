/* no_engine.c: what code that was built with coverage calls, in programs that have no engine to tell.
 *
 * `assay` opens libraries that were compiled for libFuzzer or AFL++ like all others; these names are what they then miss.
 * Numbers of edges are never dealt out here, so all edges are number 0.
 */
#include <stdint.h>

#define EXPORTED __attribute__((visibility("default"), used, weak)) /* a sanitizer has its own */

static uint8_t nowhere[64];
EXPORTED uint8_t *__afl_area_ptr = nowhere;

EXPORTED void __sanitizer_cov_trace_pc_guard_init(uint32_t *begin, uint32_t *end);
EXPORTED void __sanitizer_cov_trace_pc_guard(uint32_t *guard);
EXPORTED void __sanitizer_cov_8bit_counters_init(uint8_t *begin, uint8_t *end);
EXPORTED void __sanitizer_cov_pcs_init(const uintptr_t *begin, const uintptr_t *end);
EXPORTED void __sanitizer_cov_trace_pc_indir(uintptr_t callee);

void __sanitizer_cov_trace_pc_guard_init(uint32_t *begin, uint32_t *end)
{
    (void)begin;
    (void)end;
}

void __sanitizer_cov_trace_pc_guard(uint32_t *guard) { (void)guard; }

void __sanitizer_cov_8bit_counters_init(uint8_t *begin, uint8_t *end)
{
    (void)begin;
    (void)end;
}

void __sanitizer_cov_pcs_init(const uintptr_t *begin, const uintptr_t *end)
{
    (void)begin;
    (void)end;
}

void __sanitizer_cov_trace_pc_indir(uintptr_t callee) { (void)callee; }
