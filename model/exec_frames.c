/* exec_frames.c: the calls of the frame group, push and pop (A30-A33). Blocks of frames come from malloc: exec_heap.c.
 *
 * A pop ends the life of every block of the newest frame: each is verified while it may still be read. The blocks next
 * to them, now the newest, are verified after it, because a pop that takes too much damages those first (A31).
 */
#include "exec_frames.h"

#include "outcome.h"

#define NEIGHBOURS_MAX 16u /* older blocks verified after a pop; the others are verified by the sweeps of exec_heap.c */

void exec_frames_fresh(struct exec *x)
{
    struct frames_model *m = exec_frames_model(x);
    m->depth = m->block_count = 0;
    m->popped = false;
}

static bool step_push(struct exec *x, const struct op *op, unsigned slot)
{
    x->ops->frame_push(x->heap);
    bool reported = x->lender.reports != x->reports_seen;
    exec_outcome(x, op, slot, reported ? RESULT_REPORT : RESULT_VOID, NULL, 0);
    /* A frame may cost a record, and then there may be no room for it. */
    if (reported && x->lender.report == REPORT_STACK_OVERFLOW && frames_may_refuse(x, 0))
        x->reports_seen = x->lender.reports;
    exec_frames_model(x)->depth++;
    return true;
}

/* The blocks of the newest frame die; it is not popped yet. */
static bool end_blocks(struct exec *x)
{
    struct frames_model *m = exec_frames_model(x);
    while (m->block_count > 0 && m->blocks[m->block_count - 1].depth == m->depth) {
        unsigned slot = m->blocks[m->block_count - 1].slot;
        if (!model_verify(x, slot, RULE_C10)) return false;
        model_release(x, slot);
        m->block_count--;
        m->popped = true;
    }
    m->depth--;
    return true;
}

static bool step_pop(struct exec *x, const struct op *op, unsigned slot)
{
    const struct frames_model *m = exec_frames_model(x);
    if (m->depth == 0) return true; /* the frame of init stays */
    if (!end_blocks(x)) return false;
    x->ops->frame_pop(x->heap);
    exec_outcome(x, op, slot, RESULT_VOID, NULL, 0);
    exec_checked(x, RULE_A31);
    for (uint32_t i = 0; i < m->block_count && i < NEIGHBOURS_MAX; i++)
        if (!model_verify(x, m->blocks[m->block_count - 1 - i].slot, RULE_A31)) return false;
    return true;
}

bool exec_step_frames(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    if (x->ops->frame_push == NULL || x->ops->frame_pop == NULL) return exec_skip(x, (enum op_kind)op->kind);
    return op->kind == OP_FRAME_PUSH ? step_push(x, op, slot) : step_pop(x, op, slot);
}

bool exec_frames_finish(struct exec *x)
{
    static const struct op op = {.kind = OP_FRAME_POP, .count = 1};
    if (x->ops->frame_pop == NULL) return true;
    while (exec_frames_model(x)->depth > 0)
        if (!step_pop(x, &op, PROGRAM_SLOTS)) return false;
    return true;
}
