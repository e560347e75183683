/* fuzz_fixed.c: a libFuzzer target that is given programs of one length, to measure what an execution costs.
 *
 * BENCH_OPS is the number of operations of each program; BENCH_PROGRAMS one of
 *   single   as many calls, none of them a run, a repeat or of a course, on a heap of 8 KiB
 *   mixed    as the generator makes them: runs, repeats, courses and heaps of all kinds
 *   empty    the same bytes as `single`, and nothing is done with them
 * At the end one line: executions, operations (calls made and judged), seconds of processor time.
 */
#include "engine.h"
#include "entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max, unsigned seed);

static struct engine engine;
static struct generator generator;
static enum { SINGLE, MIXED, EMPTY } programs;
static size_t op_count = 40;
static uint64_t executions;
static uint8_t ran
    __attribute__((section("__libfuzzer_extra_counters"), used)); /* else the empty one has no coverage */
static double begun;

static double processor_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void tell(void)
{
    printf("executions %llu operations %llu seconds %.3f\n", (unsigned long long)executions,
           (unsigned long long)engine.counters->operations, processor_seconds() - begun);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char error[1024];
    const char *ops = getenv("BENCH_OPS"), *kind = getenv("BENCH_PROGRAMS");
    (void)argc;
    (void)argv;
    if (ops) op_count = strtoul(ops, NULL, 10);
    if (!op_count || op_count > PROGRAM_OPS_MAX) op_count = 40;
    programs = kind && strcmp(kind, "mixed") == 0 ? MIXED : kind && strcmp(kind, "empty") == 0 ? EMPTY : SINGLE;
    if (engine_open(&engine, "freelist", NULL, NULL, error, sizeof error)) {
        fprintf(stderr, "fuzz_fixed: %s\n", error);
        exit(2);
    }
    generator_init(&generator, &engine.target, 1);
    begun = processor_seconds();
    atexit(tell);
    return 0;
}

/* Only calls, each by itself, of malloc and its family, on an ordinary heap. */
static void make_single(unsigned char *b, size_t size)
{
    b[0] = SWARM_HEAP;
    b[2] |= 0x20; /* no repeats */
    b[6] &= 7;
    b[9] = 0;
    for (size_t at = SWARM_HEAD_BYTES; at < size; at += SWARM_OP_BYTES) b[at] &= 0x3f;
}

void target_fit(unsigned char *bytes, size_t length)
{
    (void)bytes;
    (void)length;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max, unsigned seed)
{
    unsigned char more[GENERATOR_BYTES_MAX];
    const size_t wanted = SWARM_HEAD_BYTES + op_count * SWARM_OP_BYTES;
    if (max < wanted) return size;
    size = 0;
    for (uint64_t i = 0; size < wanted; i++) {
        size_t length = generator_bytes(&generator, seed + (i << 32), more), from = size ? SWARM_HEAD_BYTES : 0;
        if (length - from > wanted - size) length = wanted - size + from;
        memcpy(bytes + size, more + from, length - from);
        size += length - from;
    }
    if (programs != MIXED) make_single(bytes, size);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    executions++;
    ran = 1;
    if (programs != EMPTY) engine_run(&engine, bytes, length);
    return 0;
}
