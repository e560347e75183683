/* exec_heap.c: the calls of the malloc family. Each step makes one call, notes what came of it, and asks the model. */
#include "exec_frames.h"
#include "exec_kernel.h"

#include <errno.h>
#include <string.h>

#define TOUCHED_MAX ((uint64_t)8 << 20) /* bytes that one call may make the allocator write or copy */
#define HUGE_BYTES ((uint64_t)256 << 20)
#define HUGE_MAX 8u
#define LIVE_HOST_MAX ((uint64_t)8 << 20) /* bytes that the harness writes on a host heap, of all that is alive */

/* ---- Around a call ------------------------------------------------------------------------------------------------ */

struct before { /* what the surroundings were when a call began */
    uint64_t refused;
    unsigned char *brk;
};

static inline struct before begin(struct exec *x)
{
    *x->error = 0;
    return (struct before){.refused = x->lender.refused, .brk = x->lender.brk};
}

static inline void outcome(struct exec *x, const struct op *op, unsigned slot, enum result_class result, const void *p,
                           uint64_t usable, int error)
{
    x->outcome.result = result;
    x->outcome.block = p;
    x->outcome.usable = usable;
    x->outcome.error = error;
    if (x->options.trace) exec_record(x, op, slot, result, p, usable, error);
}

/* Not asked of a host heap: it would cost the host more than it tells. */
static __attribute__((noinline)) bool too_much_for_host(struct exec *x, const struct request *r)
{
    /* Gigabytes cost some allocators milliseconds of bookkeeping each: a few of them show all that hundreds would. */
    if ((r->bytes > HUGE_BYTES || r->align > HUGE_BYTES) && x->model.huge++ >= HUGE_MAX) return true;
    return x->model.written + model_written(r->bytes) > LIVE_HOST_MAX;
}

/* Not asked of any. What the allocator has to write, `touched` bytes, as it must for calloc and for realloc, takes its time. */
static inline bool too_much(struct exec *x, const struct request *r, uint64_t touched)
{
    if (r->impossible) return false;
    if (touched > TOUCHED_MAX) return true;
    return x->lender.face.kind == BACKING_HOST && too_much_for_host(x, r);
}

/* A call that allocates returned NULL: the model's turn. Apart from `allocated`, so that both stay short. */
static __attribute__((noinline)) bool refused(struct exec *x, const struct request *r)
{
    outcome(x, r->op, r->slot, RESULT_NULL, NULL, 0, r->error);
    if (x->frames) return frames_refused(x, (size_t)r->bytes);
    bool may = r->bytes == 0 && !r->impossible && (x->options.contract.zero_size != ZERO_SIZE_UNIQUE || r->injected);
    return may || model_refused(x, r);
}

/* A call that allocates returned p: the model's turn. `moved` is false where the break's movement is no matter (realloc
 * may grow in place although there is room elsewhere). */
static inline bool allocated(struct exec *x, struct request *r, const struct before *before, void *p, int error,
                             bool moved)
{
    r->error = error;
    r->injected = x->lender.refused != before->refused;
    bool judged = moved && p && !r->impossible; /* what an impossible request needs cannot be said */
    if (x->lender.brk != before->brk && !model_moved_break(x, before->brk, judged ? r : NULL)) return false;
    if (!p) {
        r->injected = r->injected || (x->kernel && kernel_struck(x));
        return refused(x, r);
    }
    outcome(x, r->op, r->slot, RESULT_PTR, p, r->bytes, 0);
    if (r->bytes == 0 && x->options.contract.zero_size == ZERO_SIZE_NULL)
        return exec_fail(x, r->zero_rule, p, "NULL for 0 bytes, as the contract declares", "a block");
    if (!model_granted(x, r, p)) return false;
    if (x->frames && !frames_granted(x, r->slot, p, (size_t)r->bytes)) return false;
    if (x->options.trace) exec_record(x, NULL, r->slot, RESULT_PTR, p, block_usable(&x->model.blocks[r->slot]), 0);
    return true;
}

/* The owner writes the block; a large one is read back at once, since a page that is another page shows only so. */
static bool take_over(struct exec *x, unsigned slot)
{
    bool large = x->model.blocks[slot].usable >= 4096;
    model_write(x, slot);
    if (!large) return true;
    exec_worked(x, model_written(x->model.blocks[slot].request));
    return model_verify(x, slot, RULE_C1);
}

static void impossible(struct request *r, enum rule rule)
{
    r->impossible = true;
    r->impossible_rule = rule;
}

static struct request ask(const struct op *op, unsigned slot, uint64_t bytes)
{
    struct request r = {.op = op,
                        .slot = slot,
                        .bytes = bytes,
                        .align = 1,
                        .align_rule = RULE_A2,
                        .zero_rule = RULE_A4,
                        .impossible_rule = RULE_A7};
    if (bytes > PTRDIFF_MAX) impossible(&r, RULE_A7);
    return r;
}

/* ---- Allocations -------------------------------------------------------------------------------------------------- */

EXEC_HOT static bool step_malloc(struct exec *x, const struct op *op, unsigned slot, uint64_t bytes, uint64_t unused)
{
    (void)unused;
    struct request r = ask(op, slot, bytes);
    if (too_much(x, &r, 0)) return true;
    struct before before = begin(x);
    void *p = x->ops->malloc(x->heap, (size_t)bytes);
    if (!allocated(x, &r, &before, p, *x->error, true)) return false;
    return !p || take_over(x, slot);
}

static bool step_calloc(struct exec *x, const struct op *op, unsigned slot, uint64_t count, uint64_t size)
{
    size_t bytes;
    bool wraps = __builtin_mul_overflow((size_t)count, (size_t)size, &bytes);
    struct request r = ask(op, slot, bytes);
    r.impossible_rule = RULE_A9;
    if (wraps || r.impossible) impossible(&r, RULE_A9);
    if (wraps) r.bytes = SIZE_MAX;
    if (!x->ops->calloc) return exec_skip(x, OP_CALLOC);
    if (too_much(x, &r, bytes)) return true;
    struct before before = begin(x);
    void *p = x->ops->calloc(x->heap, (size_t)count, (size_t)size);
    if (!allocated(x, &r, &before, p, *x->error, true)) return false;
    if (!p) return true;
    size_t at;
    exec_checked(x, RULE_A9);
    if (bytes <= x->options.request_max && !payload_zero(p, bytes, &at))
        return exec_fail(x, RULE_A9, (unsigned char *)p + at, "zeroed memory", "byte %zu of %zu is 0x%02x", at, bytes,
                         ((unsigned char *)p)[at]);
    return take_over(x, slot);
}

static bool power_of_two(uint64_t n) { return n && !(n & (n - 1)); }

/* What aligned_alloc, posix_memalign and memalign have in common: whether bytes + align can be. */
static struct request ask_aligned(const struct op *op, unsigned slot, uint64_t bytes, uint64_t align, enum rule rule)
{
    struct request r = ask(op, slot, bytes);
    r.align_rule = rule;
    r.impossible_rule = RULE_A29;
    if (power_of_two(align)) r.align = align;
    if (r.impossible || bytes + align < bytes || (size_t)(bytes + align) < (size_t)bytes) impossible(&r, RULE_A29);
    return r;
}

static bool step_aligned(struct exec *x, const struct op *op, unsigned slot, uint64_t bytes, uint64_t align)
{
    bool c17 = op->kind == OP_ALIGNED_ALLOC;
    void *(*call)(void *, size_t, size_t) = c17 ? x->ops->aligned_alloc : x->ops->memalign;
    struct request r = ask_aligned(op, slot, bytes, align, c17 ? RULE_A25 : RULE_A28);
    if (!call) return exec_skip(x, op->kind);
    /* Before C17 an alignment that is no power of two was the caller's error; memalign leaves it open to this day. */
    bool checked = c17 && (x->options.contract.promises & PROMISE_ALIGN_CHECKED);
    if ((!power_of_two(align) && !checked) || too_much(x, &r, 0)) return true;
    struct before before = begin(x);
    void *p = call(x->heap, (size_t)align, (size_t)bytes);
    int error = *x->error;
    if (!power_of_two(align)) {
        outcome(x, op, slot, p ? RESULT_PTR : RESULT_NULL, p, 0, error);
        exec_checked(x, RULE_A25);
        if (p) return exec_fail(x, RULE_A25, p, "a refusal: the alignment is no power of two", "a block");
        return error == EINVAL || exec_fail(x, RULE_A25, NULL, "errno EINVAL", "errno %d", error);
    }
    if (!allocated(x, &r, &before, p, error, true)) return false;
    return !p || take_over(x, slot);
}

static bool step_posix_memalign(struct exec *x, const struct op *op, unsigned slot, uint64_t bytes, uint64_t align)
{
    struct request r = ask_aligned(op, slot, bytes, align, RULE_A26);
    r.zero_rule = RULE_A27;
    if (!x->ops->posix_memalign) return exec_skip(x, op->kind);
    if (too_much(x, &r, 0)) return true;
    void *const mark = &r;
    void *p = mark;
    struct before before = begin(x);
    int error = x->ops->posix_memalign(x->heap, &p, (size_t)align, (size_t)bytes);
    exec_checked(x, RULE_A26);
    bool bad = !power_of_two(align) || align % sizeof(void *);
    if (bad || error) {
        outcome(x, op, slot, error ? RESULT_NULL : RESULT_PTR, error ? NULL : p, 0, error);
        if (bad && error != EINVAL && !(error == ENOMEM && (r.impossible || bytes == 0)))
            return exec_fail(x, RULE_A26, NULL, "EINVAL: the alignment is no power of two times sizeof(void *)",
                             error ? "error %d" : "success", error);
        if (!bad && error != ENOMEM)
            return exec_fail(x, RULE_A26, NULL, "0 or ENOMEM: the alignment is right", "error %d", error);
        if (p != mark && p != NULL)
            return exec_fail(x, RULE_A26, NULL, "an output left alone, or NULL, on error", "another value");
        if (bad) return true;
        p = NULL;
    } else if (!p && bytes) {
        outcome(x, op, slot, RESULT_NULL, NULL, 0, 0);
        return exec_fail(x, RULE_A26, NULL, "a block with 0, or ENOMEM", "0, and NULL for %llu bytes",
                         (unsigned long long)bytes);
    }
    if (!allocated(x, &r, &before, p, error, true)) return false;
    return !p || take_over(x, slot);
}

/* ---- realloc ------------------------------------------------------------------------------------------------------- */

/* realloc(NULL, n) was refused: malloc(n) must be as well (A14). */
static __attribute__((noinline)) bool probe_null_realloc(struct exec *x, const struct request *r)
{
    void *q = x->ops->malloc(x->heap, (size_t)r->bytes);
    exec_checked(x, RULE_A14);
    if (!q) return true;
    if (x->ops->free) x->ops->free(x->heap, q);
    return exec_fail(x, RULE_A14, NULL, "what malloc of the same size gives: a block", "NULL from realloc(NULL, %llu)",
                     (unsigned long long)r->bytes);
}

/* A realloc was refused: the old block is still its owner's, which a request of its size must not be given (A16). */
static __attribute__((noinline)) bool probe_refused_realloc(struct exec *x, const struct block *b, unsigned slot)
{
    if (x->ops->usable_size && x->ops->usable_size(x->heap, (void *)b->base) != block_usable(b) &&
        b->usable != USABLE_HUGE)
        return exec_fail(x, RULE_A16, (void *)b->base, "an unchanged usable size after a refused realloc",
                         "another one");
    if (x->model.refusals % 8 != 1 && !x->options.thorough) return true;
    void *q = b->request <= PAYLOAD_WHOLE_MAX ? x->ops->malloc(x->heap, (size_t)b->request) : NULL;
    if (q == (void *)b->base)
        return exec_fail(x, RULE_A16, q, "a block that is still live after a refused realloc",
                         "p%u was given out again by malloc(%llu)", slot, (unsigned long long)b->request);
    if (q) x->ops->free(x->heap, q);
    return true;
}

/* Legal only where the contract says what it means (A18). */
static __attribute__((noinline)) bool realloc_to_zero(struct exec *x, const struct op *op, unsigned slot)
{
    struct model *m = &x->model;
    struct block old = m->blocks[slot];
    enum realloc_zero policy = x->options.contract.realloc_zero;
    if (policy == REALLOC_ZERO_UNDECLARED) return true;
    struct request r = ask(op, slot, 0);
    r.align_rule = RULE_A17;
    r.zero_rule = RULE_A18;
    if (policy != REALLOC_ZERO_FAILS) model_release(x, slot);
    struct before before = begin(x);
    void *q = op->kind == OP_REALLOCARRAY ? x->ops->reallocarray(x->heap, (void *)old.base, 0, 1)
                                          : x->ops->realloc(x->heap, (void *)old.base, 0);
    exec_checked(x, RULE_A18);
    r.injected = x->lender.refused != before.refused || (x->kernel && kernel_struck(x));
    outcome(x, op, slot, q ? RESULT_PTR : RESULT_NULL, q, 0, *x->error);
    if (policy == REALLOC_ZERO_UNIQUE && q) return model_granted(x, &r, q);
    if (q) return exec_fail(x, RULE_A18, q, "NULL, as the contract declares", "a block");
    if (policy == REALLOC_ZERO_FREES) return true;
    if (policy == REALLOC_ZERO_UNIQUE && !r.injected)
        return exec_fail(x, RULE_A18, NULL, "a unique block, as the contract declares", "NULL");
    if (policy == REALLOC_ZERO_UNIQUE) model_restore(x, slot, &old);
    return model_verify(x, slot, RULE_A18);
}

EXEC_HOT static bool step_realloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    struct model *m = &x->model;
    bool array = op->kind == OP_REALLOCARRAY;
    uint64_t count = array ? a : 1, size = array ? b : a;
    if (array ? !x->ops->reallocarray : !x->ops->realloc) return exec_skip(x, op->kind);
    size_t bytes;
    bool wraps = __builtin_mul_overflow((size_t)count, (size_t)size, &bytes), live = block_live(&m->blocks[slot]);
    struct request r = ask(op, slot, bytes);
    r.align_rule = RULE_A17;
    if (wraps || r.impossible) impossible(&r, array ? RULE_A19 : RULE_A7);
    if (array) r.impossible_rule = RULE_A19;
    if (wraps) r.bytes = SIZE_MAX;
    uint64_t copied = !live ? 0 : m->blocks[slot].request < bytes ? m->blocks[slot].request : bytes;
    if (too_much(x, &r, copied)) return true;
    if (live && !model_verify(x, slot, RULE_C10)) return false;
    if (live && bytes == 0 && !wraps) return realloc_to_zero(x, op, slot);

    struct block old = m->blocks[slot];
    if (live) model_release(x, slot);
    struct before before = begin(x);
    void *p = live ? (void *)old.base : NULL;
    void *q =
        array ? x->ops->reallocarray(x->heap, p, (size_t)count, (size_t)size) : x->ops->realloc(x->heap, p, bytes);
    int error = *x->error;
    if (!q && live) { /* still there, as if the call had not been made */
        model_restore(x, slot, &old);
        return allocated(x, &r, &before, NULL, error, false) && probe_refused_realloc(x, &m->blocks[slot], slot);
    }
    if (!allocated(x, &r, &before, q, error, !live)) return false;
    if (!q) return r.impossible || r.injected || probe_null_realloc(x, &r);
    if (live && !old.unwatched) {
        uint64_t kept = old.request < bytes ? old.request : bytes;
        size_t whole = old.request <= PAYLOAD_WHOLE_MAX ? (size_t)kept
                       : kept < PAYLOAD_EDGE            ? (size_t)kept
                                                        : PAYLOAD_EDGE;
        size_t at = payload_verify(q, whole, exec_key(x, old.generation));
        exec_checked(x, RULE_A15);
        if (at < whole)
            return exec_fail(x, RULE_A15, (unsigned char *)q + at, "the old contents up to the smaller size",
                             "from %llu to %zu bytes, byte %zu differs", (unsigned long long)old.request, bytes, at);
    }
    return take_over(x, slot);
}

/* ---- Frees and queries --------------------------------------------------------------------------------------------- */

/* The usable size of a live block is what it was (A20). */
static bool same_usable(struct exec *x, const struct block *b, unsigned slot)
{
    if (!x->ops->usable_size || b->usable == USABLE_HUGE) return true;
    uint64_t now = x->ops->usable_size(x->heap, (void *)b->base);
    exec_checked(x, RULE_A20);
    if (now == b->usable) return true;
    return exec_fail(x, RULE_A20, (void *)b->base, "the usable size that the block had", "p%u had %u and now has %llu",
                     slot, b->usable, (unsigned long long)now);
}

EXEC_HOT static bool step_free(struct exec *x, const struct op *op, unsigned slot, uint64_t unused, uint64_t unused2)
{
    (void)unused, (void)unused2;
    struct block *b = &x->model.blocks[slot];
    void *p = (void *)b->base;
    enum op_kind kind = op->kind;
    if (!x->ops->free || (kind == OP_FREE_SIZED && !x->ops->free_sized) ||
        (kind == OP_FREE_ALIGNED_SIZED && !x->ops->free_aligned_sized))
        return exec_skip(x, kind);
    /* Each of the sized frees is for blocks of its own kind only (A21, A22). */
    bool aligned = b->api == OP_ALIGNED_ALLOC, any = b->api != OP_POSIX_MEMALIGN && b->api != OP_MEMALIGN;
    if ((kind == OP_FREE_SIZED && (aligned || !any)) || (kind == OP_FREE_ALIGNED_SIZED && !aligned)) return true;
    if (!model_verify(x, slot, RULE_C10) || !same_usable(x, b, slot)) return false;
    model_release(x, slot);
    unsigned char *brk = x->lender.brk;
    *x->error = EXDEV; /* a value that no allocator sets */
    if (kind == OP_FREE) x->ops->free(x->heap, p);
    else if (kind == OP_FREE_SIZED) x->ops->free_sized(x->heap, p, (size_t)b->request);
    else x->ops->free_aligned_sized(x->heap, p, (size_t)1 << b->align_log2, (size_t)b->request);
    int error = *x->error;
    outcome(x, op, slot, RESULT_VOID, p, 0, 0);
    if (x->options.contract.promises & PROMISE_FREE_ERRNO) {
        exec_checked(x, RULE_A12);
        if (error != EXDEV) return exec_fail(x, RULE_A12, NULL, "errno as it was before free", "errno %d", error);
    }
    if (kind != OP_FREE && x->lender.reports != x->reports_seen)
        return exec_fail(x, kind == OP_FREE_SIZED ? RULE_A21 : RULE_A22, p,
                         "a free like any other: size and alignment are right", "a report of misuse");
    if (kind != OP_FREE) exec_checked(x, kind == OP_FREE_SIZED ? RULE_A21 : RULE_A22);
    return x->lender.brk == brk || model_moved_break(x, brk, NULL);
}

static bool step_free_null(struct exec *x, const struct op *op, unsigned unused, uint64_t unused2, uint64_t unused3)
{
    (void)unused, (void)unused2, (void)unused3;
    if (!x->ops->free) return exec_skip(x, OP_FREE_NULL);
    x->ops->free(x->heap, NULL);
    exec_checked(x, RULE_A10);
    if (x->ops->free_sized) x->ops->free_sized(x->heap, NULL, 1);
    if (x->ops->free_aligned_sized) x->ops->free_aligned_sized(x->heap, NULL, 16, 16);
    outcome(x, op, PROGRAM_SLOTS, RESULT_VOID, NULL, 0, 0);
    if (x->lender.reports != x->reports_seen) return exec_fail(x, RULE_A10, NULL, "nothing", "a report of misuse");
    return model_sweep(x, RULE_A10);
}

/* usable_size, and that asking changes nothing (C36). */
static bool step_usable_size(struct exec *x, const struct op *op, unsigned slot, uint64_t unused, uint64_t unused2)
{
    (void)unused, (void)unused2;
    struct block *b = &x->model.blocks[slot];
    if (!x->ops->usable_size) return exec_skip(x, OP_USABLE_SIZE);
    uint64_t before = exec_inside(x);
    exec_worked(x, x->model.live * (uint64_t)EXEC_WORK_BLOCK);
    exec_checked(x, RULE_A20);
    size_t none = x->ops->usable_size(x->heap, NULL);
    if (none) return exec_fail(x, RULE_A20, NULL, "0 for NULL", "%zu", none);
    if (block_live(b) && !same_usable(x, b, slot)) return false;
    outcome(x, op, slot, RESULT_VALUE, block_live(b) ? (void *)b->base : NULL, block_live(b) ? block_usable(b) : 0, 0);
    exec_checked(x, RULE_C36);
    if (exec_inside(x) != before)
        return exec_fail(x, RULE_C36, NULL, "a query that changes nothing", "usable_size changed the heap's blocks");
    return true;
}

static bool step_write(struct exec *x, const struct op *op, unsigned slot, uint64_t unused, uint64_t unused2)
{
    (void)unused, (void)unused2;
    if (!model_verify(x, slot, RULE_C10) || !take_over(x, slot)) return false;
    outcome(x, op, slot, RESULT_VOID, (void *)x->model.blocks[slot].base, 0, 0);
    return true;
}

bool exec_step_heap(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    static exec_step *const steps[OP_FREE_NULL + 1] = {
        [OP_MALLOC] = step_malloc,           [OP_FREE] = step_free,
        [OP_REALLOC] = step_realloc,         [OP_CALLOC] = step_calloc,
        [OP_ALIGNED_ALLOC] = step_aligned,   [OP_POSIX_MEMALIGN] = step_posix_memalign,
        [OP_MEMALIGN] = step_aligned,        [OP_REALLOCARRAY] = step_realloc,
        [OP_USABLE_SIZE] = step_usable_size, [OP_FREE_SIZED] = step_free,
        [OP_FREE_ALIGNED_SIZED] = step_free, [OP_WRITE] = step_write,
        [OP_FREE_NULL] = step_free_null};
    exec_step *step = steps[op->kind];
    return x->kernel ? kernel_plain(x, step, op, slot, a, b) : step(x, op, slot, a, b);
}
