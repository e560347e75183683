/* model.h: what a correct allocator must have done, judged from what was seen.
 *
 * The model is a relation (SEMANTICS O1): it does not foretell a result, it says whether the observed one is allowed and
 * goes on from there. It knows the contract, the calls and their results, never the allocator's records. Every live
 * block is one 24-byte record; who owns which byte is in the shadow; contents are generated (payload.h).
 */
#ifndef MODEL_H
#define MODEL_H

#include "payload.h"
#include "program.h"
#include "shadow.h"
#include "verdict.h"

#include "alloc.h"

struct exec;
struct op;

/* A slot's block. */
struct block {
    uintptr_t base;          /* 0: none */
    uint64_t request : 48;   /* bytes asked for, saturated */
    uint64_t align_log2 : 6; /* asked for; 0 for the malloc family */
    uint64_t api : 5;        /* enum op_kind that made it */
    uint64_t dead : 1;       /* base is that of a block freed since: for illegal mode and usable(p) */
    uint64_t unwatched : 1;  /* its contents are not known */
    uint32_t generation;     /* of its contents */
    uint32_t usable;         /* bytes, saturated: see USABLE_UNKNOWN */
};
_Static_assert(sizeof(void *) != 8 || sizeof(struct block) == 24, "the model's cost of a live block");

#define USABLE_HUGE UINT32_MAX /* usable size is larger than fits: the request stands for it */
#define REQUEST_MAX ((UINT64_C(1) << 48) - 1)

#define STRANGERS_MAX 8u

struct model {
    struct block *blocks;               /* PROGRAM_SLOTS of them */
    uint64_t alive[PROGRAM_SLOTS / 64]; /* bit s % 64 of word s / 64: the block of slot s is live */
    struct shadow shadow;
    uint32_t slot_end;   /* no slot from here on was used in this run */
    uint32_t live;       /* blocks alive */
    uint64_t live_bytes; /* their requests, summed, */
    uint64_t written;    /* and as much of them as is written */
    uint32_t generation;
    uint32_t turn;        /* calls of this run: every second one is followed by the sweep */
    uint32_t sweep;       /* slot that the rotating sweep looks at next, */
    uint32_t sweep_place; /* and where in the block it looked last, as a fraction of 2^32 */
    uint32_t refusals;    /* in this run */
    uint64_t largest;     /* request granted in this run */
    uint64_t grants;      /* not yet in the counters */
    uint64_t life_bytes; /* requests granted since the heap was made, summed; not beside live_bytes, or gcc adds to both
                           * as a vector, which has to wait for what model_release has just stored */
    uint32_t huge;       /* requests beyond HUGE_BYTES made of the host in this run */
    uint32_t growths;    /* of the break, in this run */
    uint32_t strangers;  /* ranges that somebody else took from the break (A40) */
    struct {
        unsigned char *base;
        size_t bytes;
        uint64_t key;
        uintptr_t owned; /* the whole granules of it, in the shadow; 0: none */
        size_t owned_bytes;
    } stranger[STRANGERS_MAX];
    uint16_t *order; /* scratch for model_inspect: slots in address order */
};

/* What one allocating call asked for and what was seen of it. */
struct request {
    const struct op *op;
    unsigned slot;
    uint64_t bytes;            /* of the block, when they can be said in a size_t */
    uint64_t align;            /* asked for; 1: nothing beyond malloc's */
    bool impossible;           /* no allocator can grant it: bytes, product or sum do not fit */
    enum rule impossible_rule; /* the rule that says so */
    enum rule align_rule;      /* under which a wrong alignment is found, */
    enum rule zero_rule;       /* and a zero-size block that is somebody's */
    bool injected;             /* the backing refused something during the call because it was told to */
    int error;                 /* errno, or the error that was returned */
};

/* The alignment that this contract promises for a block of so many bytes (A2, C4). */
size_t model_align(const struct alloc_contract *c, uint64_t bytes);

/* A call returned p, not NULL: judges alignment, containment, usable size and overlap, and enters the block in its slot,
 * its contents yet unknown. */
bool model_granted(struct exec *x, const struct request *r, void *p);

/* Counts the rules by which every grant since the last time was judged: one addition a grant instead of one a rule. A grant
 * that breaks a rule counts for that rule alone (exec_fail). */
void model_tally(struct exec *x);

/* A call was refused: judges whether it may be (C31 and its like) and how it says so (A6). */
bool model_refused(struct exec *x, const struct request *r);

/* A block is gone: out of the shadow and no longer live. And back again, as it was, when the call that should have taken
 * it was refused. */
void model_release(struct exec *x, unsigned slot);
void model_restore(struct exec *x, unsigned slot, const struct block *old);

/* Closes every live block to the allocator, or opens it (struct exec_guard): for calls that may look at all of them. */
void model_guard(struct exec *x, bool close);

/* Ready for a new run with nothing live; after a FAIL `thoroughly`, whatever state it is in. */
void model_fresh(struct exec *x, bool thoroughly);
bool model_open(struct exec *x);
void model_close(struct exec *x);

/* Somebody else's bytes in the break: owned from now on, and verified like a block's. */
void model_stranger(struct exec *x, void *p, size_t bytes);

/* Contents: the owner writes all of a block anew; verifies it (false: the verdict names `rule`). */
void model_write(struct exec *x, unsigned slot);
bool model_verify(struct exec *x, unsigned slot, enum rule rule);
/* A stretch of the next block of the rotating sweep, and every live block. */
bool model_sweep(struct exec *x, enum rule rule);
bool model_verify_all(struct exec *x, enum rule rule);
/* The same, but of large live sets a part, which goes around from call to call. */
bool model_verify_most(struct exec *x, enum rule rule);

/* check() and walk() against what is live (C9, C21, C26, C27). */
bool model_inspect(struct exec *x);

/* The break was at `before` when the call began: may it be where it is now (C38, A42)? */
bool model_moved_break(struct exec *x, const unsigned char *before, const struct request *r);

/* A block's usable size as last seen, for the gauge of SIZE_USABLE. */
static inline uint64_t block_usable(const struct block *b) { return b->usable == USABLE_HUGE ? b->request : b->usable; }

/* How much of a block of so many bytes is written. */
static inline uint64_t model_written(uint64_t bytes) { return bytes <= PAYLOAD_WHOLE_MAX ? bytes : 2 * PAYLOAD_EDGE; }

static inline bool model_alive(const struct model *m, unsigned slot) { return m->alive[slot / 64] >> slot % 64 & 1; }
static inline bool block_live(const struct block *b) { return b->base && !b->dead; }

#endif
