/* exec_internal.h: what the files of exec share. Each family of operations has one file that makes its calls
 * (exec_heap.c, exec_frames.c, exec_break.c, exec_maps.c) and asks the model about what it saw.
 */
#ifndef EXEC_INTERNAL_H
#define EXEC_INTERNAL_H

#include "backing.h"
#include "exec.h"
#include "model.h"

/* A heap's state, kept from program to program. A kernel heap's is large, so there is one for each configuration and
 * place of the machine where reset is offered: the next program there finds it reset instead of made anew. */
struct exec_heap {
    void *state;               /* ops->state_size bytes, ours; NULL: none yet */
    const unsigned char *base; /* of the memory lent when init ran */
    bool ready;                /* init has run and fini has not */
};

struct exec {
    struct exec_options options;
    const struct alloc_ops *ops;
    struct lender lender;
    struct exec_heap heaps[MACHINE_CONFIGS][2]; /* here and elsewhere; where nothing is reset, the first one only */
    struct exec_heap *home;                     /* that of the program that runs */
    void *heap;                                 /* its state */
    const struct program *program;
    struct verdict verdict;
    uint32_t op_index, step, round;
    struct model model; /* live blocks and what is known of them */
    struct {            /* what the last call came to, for trace and history */
        enum result_class result;
        const void *block;
        uint64_t usable;
        int error;
    } outcome;
    uint64_t op_requests;  /* made of the backing before the operation in progress */
    uint64_t call_refused; /* refused on demand before the call in progress */
    uint64_t baseline;    /* digest of the program whose first round by the course `recover` is in `history`; 0: none */
    size_t baseline_most; /* the largest block that was granted after it; 0: not looked for */
    uint64_t requests;    /* made of the backing in the last round that what the program makes fail could strike */
    uint32_t reports_seen;   /* of the lender's, already judged */
    uint64_t footprint;      /* bytes, of the heap when it was new */
    uint32_t steps_left;     /* of PROGRAM_STEPS_MAX */
    uint64_t work_left;      /* of EXEC_WORK_MAX */
    bool rounds_compared;    /* the course notes what each call came to, or holds it against the round that was noted */
    bool noted;              /* somebody is to be told of each call: the course or the observer */
    uint64_t *history;       /* a course's memory: one word for each call of a round */
    uint32_t calls;          /* of this round */
    uint32_t contents_salt;  /* changes all contents, for a round that must not depend on them (C41) */
    uintptr_t twin_distance; /* between the two places of a twin run (C37) */
    bool unharmed;           /* what the program makes fail is left alone, for a round that shows how it goes without */
    bool incomparable;       /* an alignment has seen the two places differently */
    int *error;              /* where this thread's errno lives */
    struct frames_model *frames;    /* of an allocator with PROMISE_FRAMES */
    struct break_model *breaks;     /* exec_break.c's state, allocated at first use */
    struct map_model *maps;         /* exec_maps.c's state, allocated at first use */
    struct kernel_model *kernel;    /* of an allocator on a machine: exec_kernel.h */
    uint64_t call_size, call_size2; /* evaluated arguments of the call in progress, for the trace */
};

/* One call of an operation: false if and only if a rule was broken (then x->verdict says which). An allocation of the
 * malloc family finds its slot empty, a free or a write finds a live block there; realloc finds either. */
typedef bool exec_step(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b);

/* A step that most calls take: what it calls of ours is inlined into it, but for what is declared noinline because it is
 * rarely needed. Calls between the model's own functions were close to a fifth of what the checks of a pair cost. */
#define EXEC_HOT __attribute__((flatten))

/* A step of whatever kind, judged whole: the call, what it reports, and what must hold after any call. */
exec_step exec_make_call;
exec_step exec_step_heap, exec_step_frames, exec_step_break, exec_step_maps, exec_step_illegal;

/* Called when a heap has been made afresh, and when a program ends, before the heap is abandoned. */
void exec_break_fresh(struct exec *x);
bool exec_break_finish(struct exec *x);
void exec_maps_fresh(struct exec *x);
bool exec_maps_finish(struct exec *x);

/* A rule is broken: records the verdict and returns false. `at` is the byte where it shows, or NULL. The two texts are
 * printf-formatted without malloc (%s %d %u %x %llu and their length modifiers); offsets only, never an address. */
bool exec_fail(struct exec *x, enum rule rule, const void *at, const char *expected, const char *seen, ...)
    __attribute__((format(printf, 5, 6), cold));

/* The key of the contents of this generation in this round. */
static inline uint64_t exec_key(const struct exec *x, uint64_t generation)
{
    return payload_key(x->program->heap.seed ^ x->contents_salt, generation);
}

/* Bytes that one round writes in large pieces and looks at in calls that look at all blocks, a block being as much as
 * EXEC_WORK_BLOCK more. Beyond it a round goes on to its end without further calls: thousands of large blocks, verified
 * thousands of times, would take minutes, and no engine could tell them from a hang. */
#define EXEC_WORK_MAX (UINT64_C(1) << 29)
#define EXEC_WORK_BLOCK 2048u
static inline void exec_worked(struct exec *x, uint64_t bytes)
{
    x->work_left = x->work_left > bytes ? x->work_left - bytes : 0;
}

/* One more check of this rule was made. */
static inline void exec_checked(struct exec *x, enum rule rule) { x->options.counters->checked[rule]++; }

/* The operation is not offered: counted, nothing happens. */
static inline bool exec_skip(struct exec *x, enum op_kind kind)
{
    x->options.counters->skipped[kind]++;
    return true;
}

/* Records the call in the trace, if there is one. `block` may be NULL. */
void exec_record(struct exec *x, const struct op *op, unsigned slot, enum result_class result, const void *block,
                 uint64_t usable, int error) __attribute__((cold));

/* Pops every frame that the program left open. */
bool exec_frames_finish(struct exec *x);

/* A digest of what walk() and the break show: equal if and only if nothing changed inside. 0 without walk. */
uint64_t exec_inside(struct exec *x);

/* Offset of p from the base of the memory lent; OFFSET_NONE on a host heap and for NULL. */
uint64_t exec_offset(const struct exec *x, const void *p);

/* Memory of our own, zeroed, from mmap; NULL with errno if there is none. Freed with exec_release. */
void *exec_memory(size_t bytes);
void exec_release(void *p, size_t bytes);

#endif
