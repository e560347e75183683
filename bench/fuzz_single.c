/* fuzz_single.c: a fuzz target for which every input is a program of one length, to measure what an execution costs.
 *
 * BENCH_OPS in the environment is the number of its operations, each of them one call of malloc's family on a heap of 8 KiB
 * of the freelist; 0: nothing is done with the input but to count it.
 */
#include "engine.h"
#include "entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct engine engine;
static size_t op_count;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char error[1024];
    const char *ops = getenv("BENCH_OPS");
    (void)argc;
    (void)argv;
    op_count = ops ? strtoul(ops, NULL, 10) : 0;
    if (op_count > PROGRAM_OPS_MAX) op_count = PROGRAM_OPS_MAX;
    if (engine_open(&engine, "freelist", NULL, NULL, error, sizeof error)) {
        fprintf(stderr, "fuzz_single: %s\n", error);
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static unsigned char b[SWARM_HEAD_BYTES + PROGRAM_OPS_MAX * SWARM_OP_BYTES];
    const size_t wanted = SWARM_HEAD_BYTES + op_count * SWARM_OP_BYTES;
    if (!op_count) {
        engine.counters->programs++;
        return 0;
    }
    if (length > wanted) length = wanted;
    if (length) memcpy(b, bytes, length);
    memset(b + length, 0, wanted - length);
    b[0] = SWARM_HEAP;
    b[2] |= 0x20;                                                                        /* no repeats */
    b[6] &= 7;                                                                           /* a small heap */
    b[9] = 0;                                                                            /* no course */
    for (size_t at = SWARM_HEAD_BYTES; at < wanted; at += SWARM_OP_BYTES) b[at] &= 0x3f; /* no runs */
    engine_run(&engine, b, wanted);
    return 0;
}

void target_fit(unsigned char *bytes, size_t length)
{
    (void)bytes;
    (void)length;
}
