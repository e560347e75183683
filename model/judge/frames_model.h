/* frames_model.h: what is known of the frames of an allocator with PROMISE_FRAMES (A30-A33, C15).
 *
 * The blocks alive form a stack. The newest of them bounds the room that is left, because newer blocks lie below older
 * ones; what a block costs follows from the contract: header_bytes, its size rounded up to align_min, and at most
 * header_bytes for each frame opened since the newest block. With overhead_bytes for the ends of the region that gives
 * the size that must be granted; the room itself gives the size that must be refused.
 *
 * exec_heap.c makes the calls of malloc and asks here; exec_frames.c makes those of push and pop.
 */
#ifndef FRAMES_MODEL_H
#define FRAMES_MODEL_H

#include "program.h"
#include "ruling.h"

struct exec;

struct frames_block {
    uint64_t low;   /* offset of the lowest byte of this and all older blocks */
    uint32_t depth; /* frames open when it was taken */
    uint16_t slot;
};

struct frames_model {
    uint32_t depth;                            /* frames open; 1 is the program's own */
    uint32_t block_count;                      /* alive */
    uint32_t refusals;                         /* of blocks */
    bool popped;                               /* a frame with blocks has been popped on this heap */
    struct frames_block blocks[PROGRAM_SLOTS]; /* oldest first */
};

/* May, and must, a request of this size be refused now? */
bool frames_may_refuse(struct exec *x, size_t request);
bool frames_must_refuse(struct exec *x, size_t request);

/* malloc returned p for `slot`, inside the memory lent: judges the result and remembers the block. */
bool frames_granted(struct exec *x, unsigned slot, const void *p, size_t request);

/* malloc returned NULL: judges that, and accepts the report of a stack overflow that goes with it. */
bool frames_refused(struct exec *x, size_t request);

#endif
