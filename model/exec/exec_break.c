/* exec_break.c: the calls of the break as an interface (A35-A39, A42).
 *
 * Before a call the uppermost bytes are verified while they may still be read. After it sbrk(0) is asked again, the
 * model judges, bytes that came are verified as fresh or kept (A39), and the break's last page is probed (A35).
 */
#include "break_model.h"
#include "exec_groups.h"
#include "outcome.h"

#include <errno.h>

#define LOOK_BACK_BYTES UINT64_C(65536)

/* The model of the heap in use; NULL if there is no memory for it. */
static struct break_model *model_of(struct exec *x)
{
    if (x->breaks == NULL) {
        x->breaks = exec_memory(sizeof *x->breaks);
        if (x->breaks != NULL) exec_break_fresh(x);
    }
    return x->breaks;
}

void exec_break_fresh(struct exec *x)
{
    if (x->breaks == NULL || x->lender.face.kind != BACKING_BREAK) return;
    const struct backing *b = &x->lender.face;
    bool zero = x->lender.geometry.dirt == DIRT_ZERO;
    break_fresh(x->breaks, b->base, b->size, b->page_bytes, zero, x->program->heap.seed);
}

/* Bytes [from, to) that are accessible now hold what they should. */
static bool verify(struct exec *x, uint64_t from, uint64_t to)
{
    const struct break_model *m = x->breaks;
    exec_checked(x, RULE_A39);
    uint64_t wrong = break_verify(m, from, to);
    if (wrong >= to) return true;
    return exec_fail(x, RULE_A39, m->base + wrong, "fresh bytes read as zero, kept ones as they were",
                     "byte 0x%02x at offset %llu", m->base[wrong], (unsigned long long)wrong);
}

/* Somebody else may have moved the break since the last look. */
static bool follow(struct exec *x)
{
    struct break_model *m = x->breaks;
    uint64_t now = (uint64_t)(x->lender.brk - x->lender.face.base);
    if (x->lender.requests == m->requests) return true;
    m->requests = x->lender.requests;
    if (break_others_move(m, now)) return true;
    return exec_fail(x, RULE_A42, x->lender.brk, "the break is not lowered below bytes in use",
                     "the break at offset %llu, below bytes that the program took", (unsigned long long)now);
}

/* Really accessible up to the page end, and not beyond: where pages above the break are fenced off. */
static bool probe(struct exec *x, uint64_t end)
{
    const struct break_model *m = x->breaks;
    exec_checked(x, RULE_A35);
    if (end > 0 && !lender_readable(m->base + end - 1))
        return exec_fail(x, RULE_A35, m->base + end - 1, "the break's page is accessible up to its end",
                         "the byte at offset %llu faults", (unsigned long long)(end - 1));
    if (lender_readable(m->base + end))
        return exec_fail(x, RULE_A35, m->base + end, "the page after the break's faults",
                         "the byte at offset %llu is readable", (unsigned long long)end);
    return true;
}

/* The program moved the break, as judged: what came is verified and written to. */
static bool settle(struct exec *x, const struct break_seen *seen)
{
    struct break_model *m = x->breaks;
    uint64_t old = m->current, end = break_page_end(m, seen->now);
    if (x->lender.geometry.fence_pages && !probe(x, end)) return false;
    if (seen->now > old && !verify(x, old, end)) return false;
    break_own_move(m, seen->now);
    return true;
}

static bool step_sbrk(struct exec *x, const struct op *op, unsigned slot, uint64_t a)
{
    struct break_model *m = x->breaks;
    ptrdiff_t delta = (ptrdiff_t)(size_t)a;
    uint64_t old = m->current;
    if (delta < 0 && -(uint64_t)(int64_t)delta <= old && !break_may_lower(m, old + (uint64_t)(int64_t)delta))
        return true;
    uint64_t refused = x->lender.refused;
    errno = 0;
    unsigned char *result = x->ops->sbrk(x->heap, delta);
    struct break_seen seen = {.failed = result == SBRK_FAILED, .error = errno, .refused = x->lender.refused != refused};
    seen.result = (uint64_t)((uintptr_t)result - (uintptr_t)m->base);
    seen.now = (uint64_t)((uintptr_t)x->ops->sbrk(x->heap, 0) - (uintptr_t)m->base);
    seen.lent = (uint64_t)(x->lender.brk - m->base);
    m->requests = x->lender.requests;
    exec_outcome(x, op, slot, seen.failed ? RESULT_NULL : RESULT_PTR, seen.failed ? NULL : result, seen.error);

    exec_checked(x, delta == 0 || !seen.failed ? RULE_A36 : RULE_A37);
    struct ruling ruling = break_judge_sbrk(m, delta, &seen);
    if (ruling.rule == RULE_NONE) return seen.failed || settle(x, &seen);
    if (seen.failed)
        return exec_fail(x, ruling.rule, NULL, ruling.expected,
                         "sbrk failed with errno %d; the break was at %llu, is at %llu", seen.error,
                         (unsigned long long)old, (unsigned long long)seen.now);
    return exec_fail(x, ruling.rule, NULL, ruling.expected,
                     "offset %lld returned; the break was at %llu, is at %llu, the backing's at %llu",
                     (long long)seen.result, (unsigned long long)old, (unsigned long long)seen.now,
                     (unsigned long long)seen.lent);
}

static bool step_brk(struct exec *x, const struct op *op, unsigned slot, uint64_t a)
{
    struct break_model *m = x->breaks;
    uint64_t old = m->current, target = (size_t)a;
    if (target < old && !break_may_lower(m, target)) return true;
    uint64_t refused = x->lender.refused;
    errno = 0;
    int result = x->ops->brk(x->heap, (void *)((uintptr_t)m->base + (size_t)a));
    struct break_seen seen = {.failed = result == -1, .error = errno, .refused = x->lender.refused != refused};
    seen.now = (uint64_t)((uintptr_t)x->ops->sbrk(x->heap, 0) - (uintptr_t)m->base);
    seen.lent = (uint64_t)(x->lender.brk - m->base);
    m->requests = x->lender.requests;
    exec_outcome(x, op, slot, RESULT_VALUE, m->base + seen.now, seen.failed ? seen.error : 0);

    exec_checked(x, RULE_A38);
    struct ruling ruling = break_judge_brk(m, target, &seen);
    if (result != 0 && result != -1) ruling = ruling_broken(RULE_A38, "brk returns 0 or -1");
    if (ruling.rule == RULE_NONE) return seen.failed || settle(x, &seen);
    return exec_fail(x, ruling.rule, NULL, ruling.expected, "%d with errno %d; the break was at %llu, is at %llu",
                     result, seen.error, (unsigned long long)old, (unsigned long long)seen.now);
}

bool exec_step_break(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    (void)b;
    bool offered = x->ops->sbrk != NULL && (op->kind == OP_SBRK || x->ops->brk != NULL);
    if (!offered || x->lender.face.kind != BACKING_BREAK) return exec_skip(x, (enum op_kind)op->kind);
    struct break_model *m = model_of(x);
    if (m == NULL) return true;
    if (!follow(x)) return false;
    uint64_t back = m->current > LOOK_BACK_BYTES ? m->current - LOOK_BACK_BYTES : 0;
    if (!verify(x, back, break_page_end(m, m->current))) return false;
    return op->kind == OP_SBRK ? step_sbrk(x, op, slot, a) : step_brk(x, op, slot, a);
}

bool exec_break_finish(struct exec *x)
{
    if (x->breaks == NULL || x->lender.face.kind != BACKING_BREAK) return true;
    return follow(x) && verify(x, 0, break_page_end(x->breaks, x->breaks->current));
}

void exec_break_close(struct exec *x)
{
    exec_release(x->breaks, sizeof *x->breaks);
    x->breaks = NULL;
}
