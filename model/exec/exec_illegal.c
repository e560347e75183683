/* exec_illegal.c: contract errors, made on purpose, for allocators that promise to report them (A11, A13, A21, C43).
 *
 * Each is made so that it is certainly an error: a pointer that no live block has, a size that no rounding explains. The
 * allocator has to report it exactly once, with a kind that fits, and nothing may have changed.
 */
#include "exec_internal.h"

#include <errno.h>

static void noted(struct exec *x, const struct op *op, unsigned slot, const void *p)
{
    x->outcome.result = x->lender.reports != x->reports_seen ? RESULT_REPORT : RESULT_VOID;
    x->outcome.block = p;
    exec_record(x, op, slot, x->outcome.result, p, 0, 0);
}

/* The call is over: it was reported, as one of two kinds, and `inside` is as before. */
static bool reported(struct exec *x, const void *p, enum rule rule, uint64_t inside, enum alloc_report kind,
                     enum alloc_report or_kind)
{
    uint32_t reports = x->lender.reports - x->reports_seen;
    x->reports_seen = x->lender.reports;
    exec_checked(x, rule);
    if (reports != 1 || (x->lender.report != kind && x->lender.report != or_kind))
        return exec_fail(x, rule, NULL, "exactly one report of the error, as the contract promises",
                         reports ? "%u reports, the last of kind %d" : "no report", reports, (int)x->lender.report);
    exec_checked(x, RULE_C43);
    if (exec_inside(x) != inside)
        return exec_fail(x, RULE_C43, p, "a reported error that changes nothing", "the heap's blocks have changed");
    return model_verify_all(x, RULE_C43);
}

/* Nobody lives there: freeing it would be an error. */
static bool nobody_at(const struct exec *x, uintptr_t base) { return !shadow_owned(&x->model.shadow, base); }

static bool bad_free(struct exec *x, const struct op *op, unsigned slot, void *p, enum alloc_report or_kind)
{
    uint64_t inside = exec_inside(x);
    x->ops->free(x->heap, p);
    noted(x, op, slot, p);
    return reported(x, p, RULE_A11, inside, REPORT_BAD_FREE, or_kind);
}

/* An address that is none of the heap's: the harness's own memory, or just below or behind what was lent. */
static void *stray(const struct exec *x)
{
    const struct backing *f = &x->lender.face;
    const struct alloc_contract *c = &x->options.contract;
    bool lent = f->kind == BACKING_REGION || f->kind == BACKING_BREAK || f->kind == BACKING_PAGES;
    unsigned where = lent ? (x->program->heap.seed + x->op_index) % 3 : 0;
    uintptr_t mask = ~((uintptr_t)c->align_min - 1), base = (uintptr_t)f->base;
    if (where == 1) return (void *)((base - c->align_min) & mask);
    if (where == 2) return (void *)((base + f->size + c->header_bytes + c->align_min - 1) & mask);
    return (unsigned char *)x->history + 64;
}

/* A size that no rounding explains: beyond what the block could hold, one that no block has, or, if there is one, so small
 * that the block for it would have been another. */
static uint64_t size_of_another(const struct exec *x, const struct block *b, uint64_t a)
{
    const struct alloc_contract *c = &x->options.contract;
    uint64_t usable = block_usable(b), margin = c->header_bytes + c->block_min_bytes + c->align_min;
    uint64_t wasted = c->waste_max_bytes + margin + a % 1024;
    if (a / 8 % 4 == 3) return SIZE_MAX - a % 1024;
    if (a / 8 % 4 == 2 && c->waste_max_bytes && usable > wasted) return usable - wasted;
    return usable + margin + a % 1024;
}

static bool wrong_size(struct exec *x, const struct op *op, unsigned slot, uint64_t a)
{
    const struct block *b = &x->model.blocks[slot];
    uint64_t inside = exec_inside(x), size = size_of_another(x, b, a);
    x->ops->free_sized(x->heap, (void *)b->base, (size_t)size);
    noted(x, op, slot, (void *)b->base);
    return reported(x, (void *)b->base, RULE_A21, inside, REPORT_BAD_FREE, REPORT_BAD_FREE);
}

/* One byte of a freed block is changed; check() must name it, or the next call report it. */
static bool write_after_free(struct exec *x, const struct op *op, unsigned slot)
{
    const struct block *b = &x->model.blocks[slot];
    volatile unsigned char *at = (volatile unsigned char *)b->base;
    unsigned char old = *at;
    *at = (unsigned char)~old;
    noted(x, op, slot, (void *)b->base);
    const char *found = x->ops->check(x->heap);
    *at = old;
    uint32_t reports = x->lender.reports - x->reports_seen;
    x->reports_seen = x->lender.reports;
    exec_checked(x, RULE_A13);
    if (found || reports) return true;
    return exec_fail(x, RULE_A13, (void *)b->base,
                     "the write to freed memory found by check(), as the contract promises", "nothing found");
}

bool exec_step_illegal(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    const struct block *block = &x->model.blocks[slot];
    unsigned promises = x->options.contract.promises;
    bool live = block_live(block), freed = block->base && block->dead && nobody_at(x, block->base);
    bool bad_frees = (promises & PROMISE_DETECTS_BAD_FREE) && x->ops->free;
    (void)b;
    switch ((enum op_kind)op->kind) {
    case OP_DOUBLE_FREE: return !bad_frees || !freed || bad_free(x, op, slot, (void *)block->base, REPORT_DOUBLE_FREE);
    case OP_INTERIOR_FREE:
        if (!bad_frees || !live || block->request < 2 || block->unwatched) return true;
        return bad_free(x, op, slot, (unsigned char *)block->base + 1 + a % (block->request - 1),
                        REPORT_DOUBLE_FREE); /* which of the two is a matter of DIFFER */
    case OP_FOREIGN_FREE: return !bad_frees || bad_free(x, op, slot, stray(x), REPORT_BAD_FREE);
    case OP_WRONG_SIZE_FREE:
        if (!(promises & PROMISE_DETECTS_SIZE) || !x->ops->free_sized || !live) return true;
        return wrong_size(x, op, slot, a);
    case OP_WRITE_AFTER_FREE:
        if (!(promises & PROMISE_DETECTS_WRITES) || !x->ops->check || !freed || !block->request) return true;
        return write_after_free(x, op, slot);
    default: return true;
    }
}
