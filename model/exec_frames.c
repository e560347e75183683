/* exec_frames.c: the calls of the frame group, push and pop (A30-A33). Blocks of frames come from malloc: exec_heap.c.
 *
 * A pop ends the life of every block of the newest frame: each is verified while it may still be read. The blocks next
 * to them, now the newest, are verified after it, because a pop that takes too much damages those first (A31).
 */
#include "exec_frames.h"

#define NEIGHBOURS_MAX 16u /* older blocks verified after a pop; the others are verified by the sweeps of exec_heap.c */

void exec_frames_fresh(struct exec *x)
{
    struct frames_model *m = exec_frames_model(x);
    m->depth = m->block_count = 0;
    m->popped = false;
}

static bool step_push(struct exec *x, const struct op *op, unsigned slot)
{
    uint32_t reports = x->lender.reports;
    x->ops->frame_push(x->heap);
    bool reported = x->lender.reports != reports;
    exec_record(x, op, slot, reported ? RESULT_REPORT : RESULT_VOID, NULL, 0, 0);
    if (reported && !frames_may_refuse(x, 0))
        return exec_fail(x, RULE_A32, NULL, "a frame that fits is opened", "a report from frame_push");
    exec_frames_model(x)->depth++;
    return true;
}

static bool step_pop(struct exec *x, const struct op *op, unsigned slot)
{
    struct frames_model *m = exec_frames_model(x);
    if (m->depth == 0) return true; /* the frame of init stays */
    uint32_t kept = m->block_count;
    while (kept > 0 && m->blocks[kept - 1].depth == m->depth) {
        exec_checked(x, RULE_C10);
        if (!exec_block_intact(x, m->blocks[--kept].slot, RULE_C10)) return false;
    }
    m->popped = m->popped || kept < m->block_count;
    while (m->block_count > kept) exec_block_dies(x, m->blocks[--m->block_count].slot);
    m->depth--;

    uint32_t reports = x->lender.reports;
    x->ops->frame_pop(x->heap);
    bool reported = x->lender.reports != reports;
    exec_record(x, op, slot, reported ? RESULT_REPORT : RESULT_VOID, NULL, 0, 0);
    if (reported)
        return exec_fail(x, RULE_C43, NULL, "a legal call is not reported", "a report from frame_pop");

    exec_checked(x, RULE_A31);
    for (uint32_t i = 0; i < kept && i < NEIGHBOURS_MAX; i++)
        if (!exec_block_intact(x, m->blocks[kept - 1 - i].slot, RULE_A31)) return false;
    return true;
}

bool exec_step_frames(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    if (x->ops->frame_push == NULL || x->ops->frame_pop == NULL) return exec_skip(x, (enum op_kind)op->kind);
    return op->kind == OP_FRAME_PUSH ? step_push(x, op, slot) : step_pop(x, op, slot);
}
