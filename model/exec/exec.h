/* exec.h: runs a program on an allocator and lets the model judge every call. The only code that calls an allocator.
 *
 * exec takes its own memory from mmap and never from malloc, prints nothing, and keeps going after a PASS: one exec runs
 * millions of programs. After a FAIL the heap under test is abandoned and the next run starts on a fresh one; where the
 * heap cannot be made afresh (BACKING_HOST), the caller ends the process.
 */
#ifndef EXEC_H
#define EXEC_H

#include "alloc.h"
#include "faults.h"
#include "machine_picture.h"
#include "program.h"
#include "verdict.h"

/* ---- What one run leaves to be read ------------------------------------------------------------------------------- */

enum result_class { RESULT_NONE, RESULT_PTR, RESULT_NULL, RESULT_VOID, RESULT_VALUE, RESULT_REPORT, RESULT_SKIPPED };

#define OFFSET_NONE UINT64_MAX

/* One call and what came of it. Offsets count from the base of the memory lent; on a host heap, where addresses mean
 * nothing, they are OFFSET_NONE. */
struct event {
    uint32_t op;    /* index in the program */
    uint32_t step;  /* call within the operation's run */
    uint16_t round; /* of the course */
    uint16_t slot;
    uint8_t kind;   /* enum op_kind */
    uint8_t result; /* enum result_class */
    uint8_t report; /* enum alloc_report if result is RESULT_REPORT */
    uint8_t reserved;
    uint32_t struck; /* a request of the call failed on demand: its number among those of the operation; 0: none did */
    int32_t error;   /* errno after the call, or posix_memalign's result */
    uint64_t size;   /* first argument, evaluated */
    uint64_t size2;  /* second argument, evaluated: element size, alignment */
    uint64_t offset; /* of the block returned or freed; the value, for RESULT_VALUE */
    uint64_t usable; /* usable size, 0 where unknown */
};

/* A block of the malloc family that was alive then, for the picture of the heap. */
struct live_block {
    uint64_t offset, size, usable;
    uint16_t slot;
};

#define TRACE_EVENTS_MAX 4096u
#define TRACE_BLOCKS_MAX 256u

/* Filled only when asked for. Events: the last TRACE_EVENTS_MAX of the run, oldest first. Blocks: in address order, the
 * TRACE_BLOCKS_MAX nearest to the block that the verdict speaks of. Blocks and machine are as they were when a rule broke,
 * else at the end of the last round's operations, before everything was freed. */
struct trace {
    uint32_t event_count, block_count;
    uint64_t events_dropped;
    uint64_t heap_size;    /* bytes lent, 0 on a host heap */
    uint64_t fault_offset; /* the byte where it shows, OFFSET_NONE if there is none */
    struct event events[TRACE_EVENTS_MAX];
    struct live_block blocks[TRACE_BLOCKS_MAX];
    struct machine_picture machine;
};

/* ---- Counters: summed over runs, never reset by exec --------------------------------------------------------------- */

struct exec_counters {
    uint64_t programs;
    uint64_t operations;          /* calls made and judged */
    uint64_t checked[RULE_COUNT]; /* how often each rule was put to the test */
    uint64_t skipped[OP_KINDS];   /* calls not made because the operation is not offered */
    struct faults_counters faults;
};

/* What a run has shown, for engines that keep a program if it shows something new: a byte is 1 if it happened. Set by exec,
 * cleared by whom it belongs to. */
struct exec_features {
    uint8_t calls[OP_KINDS][3]; /* made, by what came of them: a result, a refusal, a report */
    uint8_t sizes[64][2];       /* of requests, by magnitude (number of bits), granted and refused */
    uint8_t live[16];           /* blocks alive at the end of a round, by magnitude */
    uint8_t live_bytes[48];     /* what they hold then, likewise */
};

/* Told whose the bytes of the malloc family's blocks are, so that a tool (AddressSanitizer, memcheck) can see an allocator
 * touch what is not its own. `close`: the block is its owner's from now on; `open`: it is the allocator's again, or is
 * given to a call that may read and move it. All of a block's usable bytes, in pairs of the same range. */
struct exec_guard {
    void (*close)(const void *block, size_t bytes);
    void (*open)(const void *block, size_t bytes);
};

/* Where the run stands, readable by another process while it goes on. */
struct exec_position {
    volatile uint32_t op, step, round, kind;
    volatile uint32_t calls;     /* begun so far, modulo 2^32: a heartbeat */
    volatile uint64_t own_bytes; /* of memory lent to this heap, to earlier ones and kept, and of the shadow of it */
};

struct observer;

struct exec_options {
    const struct alloc_ops *ops;
    struct alloc_contract contract; /* ops->contract, as the profile has changed it */
    uint64_t request_max;           /* larger requests are made but never filled; 0: 1 GiB */
    bool thorough;                  /* verify every live block after every call: slow, names the guilty call */
    struct trace *trace;            /* where to record, or NULL */
    struct exec_counters *counters; /* where to count (caller's, zeroed once) */
    struct exec_position *position; /* where to tell the position */
    struct observer *observer;      /* who notes the calls of first rounds, or NULL (observe.h) */
    struct exec_features *features; /* where to tell what was shown, or NULL */
    const struct exec_guard *guard; /* whom to tell whose each block is, or NULL */
};

struct exec;

/* A new executor, or NULL with errno if and only if the memory for it cannot be had. Options are copied; what they
 * point to outlives the executor. */
struct exec *exec_open(const struct exec_options *options);
void exec_close(struct exec *x);

/* Runs p by its course and gives the first broken rule, or PASS. A round makes PROGRAM_STEPS_MAX calls at most, and fewer
 * where they are so large, or look at so much, that it would take minutes. VERDICT_ERROR if and only if the harness itself fails
 * (no memory for a heap of that size: p is skipped then, and `seen` says so). */
void exec_run(struct exec *x, const struct program *p, struct verdict *verdict);

/* Requests that the heap made of its backing while the last program ran, up to the point from which nothing is made to
 * fail: the numbers that heap_geometry.fail can sensibly have. For a course of several heaps, those of the last. */
uint64_t exec_requests(const struct exec *x);

/* For a signal handler or an abort in the middle of exec_run: fills the trace's picture of the heap and turns the fault
 * address into an offset. Touches only memory that exec owns. */
void exec_after_fault(struct exec *x, const void *fault_address);

#endif
