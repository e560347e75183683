/* observe.h: what an allocator chose in a run, call by call, so that it can be held against another one's run of the same
 * program (difference.h).
 *
 * An observer listens to an executor and notes the calls of each program's first round that were made and judged; what a
 * course does beyond is not the program's. Runs are compared by the number of the step: it is the same in every run,
 * whatever came of the steps before. The log is plain data without pointers, fit for shared memory; the observer belongs
 * to the process that runs the program.
 */
#ifndef OBSERVE_H
#define OBSERVE_H

#include "exec.h"
#include "program.h"
#include "verdict.h"

enum block_move { MOVE_NONE, MOVE_STAYED, MOVE_AWAY }; /* none: there was no block before, or there is none now */

/* One call. */
struct observation {
    uint32_t call;  /* number of the step in the round */
    uint16_t op;    /* index in the program, */
    uint16_t step;  /* and the call of its run */
    uint8_t kind;   /* enum op_kind */
    uint8_t result; /* enum result_class */
    uint8_t detail; /* RESULT_PTR: log2 of the alignment of the address; RESULT_NULL: errno; RESULT_REPORT: which one */
    uint8_t move;   /* enum block_move, of a resize */
    uint64_t size;  /* bytes asked for, saturated; of an operation that asks for none, its first argument */
    uint64_t size2; /* alignment asked for; of a resize, the bytes that the block had; else 0 */
    uint64_t usable; /* bytes, 0 where unknown */
    uint64_t offset; /* of the block, as in struct event */
};

/* One program's run. */
struct observed {
    uint32_t first, count; /* its calls in the log */
    bool cut;              /* the log had no room for all of them */
    uint8_t verdict;       /* enum verdict_kind; of a program that has not come to its end VERDICT_ERROR */
    uint64_t heap_bytes;   /* lent; 0 on a host heap */
    uint64_t live;         /* bytes asked for and alive, at most; on a host heap, those written: huge blocks are not */
    uint64_t
        live_refused; /* ... when a request that fits the heap was first refused, without injection; else OFFSET_NONE */
    uint64_t taken; /* at most, of the break, the window or the machine; of a region up to its highest block; 0: host */
    uint64_t
        resident; /* host heap: anonymous memory of the process at the end of the round beyond what it had before its
                        * first program, without the harness's shadow */
};

#define OBSERVED_PROGRAMS 64u
#define OBSERVATIONS_MAX (UINT32_C(1) << 19)

struct observation_log {
    uint32_t programs, used; /* entries of the two arrays */
    struct observed program[OBSERVED_PROGRAMS];
    struct observation calls[OBSERVATIONS_MAX];
};

struct observer {
    struct observation_log *log;
    bool weighs;    /* asks the system for `resident`, which is not the same from run to run */
    uint64_t empty; /* what it was before the first program */
    struct {
        uintptr_t base[PROGRAM_SLOTS]; /* of the block that the slot had after its last call; 0: none */
        uint64_t bytes[PROGRAM_SLOTS];
        uint32_t end; /* no slot from here on was used in this run */
    } malloc_family, kernel_group;
};

/* The next program of the log begins: what exec_run notes from here on is its. There is room for it. Whoever reads the log
 * empties it, by setting `programs` and `used` to 0. */
void observe_begin(struct observer *o);
/* It has come to its end. */
void observe_end(struct observer *o, enum verdict_kind verdict);

/* Called by exec: after each call that was made and judged, and at the end of a round. */
void observe_call(struct observer *o, const struct exec *x, const struct op *op, unsigned slot);
void observe_round(struct observer *o, const struct exec *x);

/* Bytes that a call of this kind asks for; false if it asks for none, or for a number that its arguments do not say. */
bool observe_request(enum op_kind kind, uint64_t a, uint64_t b, uint64_t page_bytes, uint64_t *bytes);

#endif
