/* exec_frames.c: the calls of the frame group, push and pop (A30-A33). Blocks of frames come from malloc: exec_heap.c.
 *
 * A pop ends the life of every block of the newest frame: each is verified while it may still be read. The blocks next
 * to them, now the newest, are verified after it, because a pop that takes too much damages those first (A31).
 *
 * A program runs in a frame of its own, opened with the heap and popped when the program ends, so that the end of a
 * program gives back everything.
 */
#include "exec_frames.h"

#include "outcome.h"

#define NEIGHBOURS_MAX 16u /* older blocks verified after a pop; the others are verified by the sweeps of exec_heap.c */

void exec_frames_fresh(struct exec *x)
{
    struct frames_model *m = exec_frames_model(x);
    m->depth = m->block_count = m->refusals = 0;
    m->popped = false;
    if (x->ops->frame_push == NULL || x->ops->frame_pop == NULL) return;
    x->ops->frame_push(x->heap);
    m->depth = 1;
}

static bool push(struct exec *x, const struct op *op, unsigned slot)
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

/* The blocks of the newest frame, which is about to be popped, die. */
static bool end_blocks(struct exec *x)
{
    struct frames_model *m = exec_frames_model(x);
    while (m->block_count > 0 && m->blocks[m->block_count - 1].depth == m->depth) {
        unsigned slot = m->blocks[m->block_count - 1].slot;
        if (!model_verify(x, slot, RULE_C10)) return false;
        model_release(x, slot);
        m->block_count--;
    }
    return true;
}

static bool pop(struct exec *x, const struct op *op, unsigned slot)
{
    struct frames_model *m = exec_frames_model(x);
    uint32_t blocks = m->block_count;
    if (!end_blocks(x)) return false;
    m->popped = m->popped || m->block_count < blocks;
    m->depth--;
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
    bool offered = x->ops->frame_push != NULL && x->ops->frame_pop != NULL;
    if (!offered || exec_frames_model(x) == NULL) return exec_skip(x, (enum op_kind)op->kind);
    if (op->kind == OP_FRAME_PUSH) return push(x, op, slot);
    return exec_frames_model(x)->depth == 1 || pop(x, op, slot); /* the program's own frame stays till its end */
}

bool exec_frames_finish(struct exec *x)
{
    static const struct op op = {.kind = OP_FRAME_POP, .count = 1};
    if (x->ops->frame_push == NULL || x->ops->frame_pop == NULL) return true;
    struct frames_model *m = exec_frames_model(x);
    while (m->depth > 0)
        if (!pop(x, &op, PROGRAM_SLOTS)) return false;
    x->ops->frame_push(x->heap); /* for the next round on this heap */
    m->depth = 1;
    return true;
}
