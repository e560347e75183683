/* frames_model.c: see frames_model.h. */
#include "exec_frames.h"

/* Offset below which the next block has to lie. */
static uint64_t frames_low(struct exec *x)
{
    const struct frames_model *m = exec_frames_model(x);
    return m->block_count > 0 ? m->blocks[m->block_count - 1].low : x->lender.face.size;
}

static bool has_region(const struct exec *x) { return x->lender.face.kind == BACKING_REGION; }

bool frames_may_refuse(struct exec *x, size_t request)
{
    if (!has_region(x)) return true;
    const struct frames_model *m = exec_frames_model(x);
    const struct alloc_contract *c = &x->options.contract;
    uint32_t newest_depth = m->block_count > 0 ? m->blocks[m->block_count - 1].depth : 0;
    uint64_t records = 1 + (m->depth - newest_depth) + 1; /* the newest block has one below it */
    uint64_t room = frames_low(x), align = c->align_min > 0 ? c->align_min : 1;
    if (request > room) return true;
    uint64_t need = ((uint64_t)request + align - 1) / align * align + records * c->header_bytes + c->overhead_bytes;
    return need > room;
}

bool frames_must_refuse(struct exec *x, size_t request) { return has_region(x) && request > frames_low(x); }

bool frames_granted(struct exec *x, unsigned slot, const void *p, size_t request)
{
    struct frames_model *m = exec_frames_model(x);
    uint64_t low = frames_low(x), offset = exec_offset(x, p);
    if (request > 0) {
        exec_checked(x, RULE_A33);
        size_t align = x->options.contract.align_min;
        if (align > 1 && (uintptr_t)p % align != 0)
            return exec_fail(x, RULE_A33, p, "a stack block is aligned for any object", "address modulo %zu is %zu",
                             align, (size_t)((uintptr_t)p % align));
        if (has_region(x) && (offset > low || request > low - offset))
            return exec_fail(x, RULE_A33, p, "a newer block lies below all older ones",
                             "block at offset %llu of %zu bytes, an older one at offset %llu",
                             (unsigned long long)offset, request, (unsigned long long)low);
    }
    struct frames_block *block = &m->blocks[m->block_count++];
    *block = (struct frames_block){.low = offset < low ? offset : low, .depth = m->depth, .slot = (uint16_t)slot};
    return true;
}

/* The pages around the region still fault: asked when the stack says that it is full, where a guard matters, but not
 * every time, because it costs as much as a short program. */
static bool guards_fault(struct exec *x)
{
    const struct backing *b = &x->lender.face;
    if (!has_region(x) || exec_frames_model(x)->refusals++ % 64 != 0) return true;
    const unsigned char *first_page = b->base - (uintptr_t)b->base % b->page_bytes;
    const unsigned char *behind = b->base + b->size + (-((uintptr_t)b->base + b->size) & (b->page_bytes - 1));
    exec_checked(x, RULE_C15);
    if (lender_readable(first_page - 1))
        return exec_fail(x, RULE_C15, b->base, "the page below the stack faults",
                         "the page below the stack is readable");
    if (lender_readable(behind))
        return exec_fail(x, RULE_C15, b->base + b->size, "the page above the stack faults",
                         "the page above the stack is readable");
    return true;
}

bool frames_refused(struct exec *x, size_t request)
{
    bool reported = x->lender.reports != x->reports_seen && x->lender.report == REPORT_STACK_OVERFLOW;
    const struct frames_model *m = exec_frames_model(x);
    exec_checked(x, RULE_A32);
    if (!reported)
        return exec_fail(x, RULE_A32, NULL, "a stack that is exceeded reports it", "NULL for %zu bytes, no report",
                         request);
    x->reports_seen = x->lender.reports;
    if (m->popped) exec_checked(x, RULE_A30);
    if (frames_may_refuse(x, request)) return guards_fault(x);
    unsigned long long room = frames_low(x);
    if (!m->popped)
        return exec_fail(x, RULE_A32, NULL, "a block that fits is granted",
                         "%zu bytes refused, %llu bytes below the newest block", request, room);
    return exec_fail(x, RULE_A30, NULL, "popped frames have given their space back",
                     "%zu bytes refused, %llu bytes below the newest live block", request, room);
}
