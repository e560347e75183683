/* exec_vfree.c: areas freed, at once or later, contract errors with them, and what the window must add up to
 * (B49, B96-B99, B101).
 */
#include "exec_areas.h"

#include <string.h>

#define CALL(x, operation, ...) ((x)->kernel->ops->operation((x)->heap, __VA_ARGS__))

/* ---- Freeing ------------------------------------------------------------------------------------------------------------------ */

static bool judge_unmapped(struct exec *x, const struct kernel_block *old)
{
    const struct machine *m = x->kernel->machine;
    uint32_t pages = (uint32_t)(old->usable >> m->page_shift);
    exec_checked(x, RULE_B97);
    for (uint32_t i = 0; i<pages; i += pages> 8 && i + 1 < pages ? pages - 1 : 1)
        if (machine_translate(m, old->va + ((size_t)i << m->page_shift)) != PFN_NONE)
            return exec_fail(x, RULE_B97, old->va, "a freed area faults", "page %u is still mapped", i);
    if (x->kernel->probes++ % 16 || !lender_readable(old->va)) return true;
    return exec_fail(x, RULE_B97, old->va, "a freed area faults", "it can be read");
}

/* No more is lazy than a free may leave (B98). */
static bool judge_lazy(struct exec *x)
{
    const struct area_model *a = x->kernel->areas;
    struct window_info info;
    if (!x->kernel->ops->window_info) return true;
    x->kernel->ops->window_info(x->heap, &info);
    exec_checked(x, RULE_B98);
    if (a->count[AREA_LAZY] <= info.lazy_max) return true;
    return exec_fail(x, RULE_B98, NULL, "a purge when more is lazy than may be", "%u pages are lazy, at most %u may be",
                     a->count[AREA_LAZY], info.lazy_max);
}

/* Nothing of what the owner wrote still stands in the frames (B107). */
static bool judge_wiped(struct exec *x, const struct kernel_block *b)
{
    const struct machine *m = x->kernel->machine;
    unsigned char old[64];
    exec_checked(x, RULE_B107);
    for (uint32_t i = 0; i < b->frames && i < 16; i++) {
        uint64_t at = (uint64_t)i << m->page_shift, key = exec_key(x, b->generation);
        const unsigned char *now = machine_oracle(m, kernel_frame(x, b, i));
        payload_fill(old, sizeof old, key + at / sizeof key * PAYLOAD_STEP);
        for (size_t j = 0; j + 8 <= sizeof old && at + j + 8 <= b->request; j += 8)
            if (memcmp(old + j, now + j, 8) == 0)
                return exec_fail(x, RULE_B107, b->va + at + j, "nothing of the contents left by kvfree_sensitive",
                                 "bytes %llu and on still stand there", (unsigned long long)(at + j));
    }
    return true;
}

bool area_left(struct exec *x, const struct kernel_block *old)
{
    struct kernel_block *source = &x->kernel->blocks[old->source];
    x->kernel->areas->known -= (uint32_t)(old->usable >> x->kernel->machine->page_shift);
    if (old->origin == ORIGIN_VMAP && source->pins) source->pins--; /* its frames are shown here no more */
    return judge_unmapped(x, old) && judge_lazy(x);
}

bool area_judge_frames(struct exec *x, const struct kernel_block *b)
{
    const struct machine *m = x->kernel->machine;
    exec_checked(x, RULE_C17);
    for (uint32_t i = 0; i < b->frames; i += i < 8 ? 1 : b->frames / 8) {
        uint32_t pfn = machine_translate(m, b->va + ((size_t)i << m->page_shift));
        if (pfn != kernel_frame(x, b, i))
            return exec_fail(x, RULE_C17, b->va, "the frame that was behind the page when the area was made",
                             "page %u shows frame %u, showed %u", i, pfn, kernel_frame(x, b, i));
    }
    return true;
}

static void free_by(struct exec *x, enum op_kind kind, void *p, bool sensitive, size_t size)
{
    const struct kernel_ops *ops = x->kernel->ops;
    switch (kind) {
    case OP_VFREE_ATOMIC: ops->vfree_atomic(x->heap, p); break;
    case OP_VUNMAP: ops->vunmap(x->heap, p); break;
    case OP_KVFREE:
        if (sensitive) ops->kvfree_sensitive(x->heap, p, size);
        else ops->kvfree(x->heap, p);
        break;
    default: ops->vfree(x->heap, p); break;
    }
}

static bool free_area(struct exec *x, const struct op *op, unsigned slot)
{
    const struct kernel_block old = x->kernel->blocks[slot];
    const bool atomic = op->kind == OP_VFREE_ATOMIC, unmap = op->kind == OP_VUNMAP;
    const bool area = old.origin == ORIGIN_VMALLOC || old.origin == ORIGIN_VMAP;
    const bool legal = unmap ? old.origin == ORIGIN_VMAP : area;
    struct kernel_call c = {.op = op,
                            .slot = slot,
                            .act = atomic  ? ACT_VFREE_ATOMIC
                                   : unmap ? ACT_MAP
                                           : ACT_VFREE,
                            .gfp = unmap ? GFP_KERNEL : 0};
    if (!kernel_verify(x, slot, RULE_C10)) return false;
    if (!kernel_begin(x, &c)) return false;
    if (c.must == REPORT_KINDS && !legal) {
        c.must = REPORT_WRONG_FREE;
        c.must_or = unmap || area ? REPORT_WRONG_FREE : REPORT_CONTRACT_WARN;
        c.must_rule = old.origin == ORIGIN_VMALLOC ? RULE_B101 : RULE_B120;
    }
    if (kernel_declines(x, &c)) return true;
    const bool sensitive = op->kind == OP_KVFREE && op->a && x->kernel->ops->kvfree_sensitive;
    free_by(x, (enum op_kind)op->kind, old.va, sensitive, (size_t)old.request);
    kernel_outcome(x, &c, RESULT_VOID, old.va);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return kernel_verify(x, slot, c.must_rule);
    if (old.put && !c.deferred) exec_checked(x, RULE_B100);
    if (old.put && !c.deferred && c.count[EVENT_GIVE] < old.frames)
        return exec_fail(x, RULE_B100, old.va, "the pages put that went over to the area", "%u frames of %u",
                         c.count[EVENT_GIVE], old.frames);
    if (sensitive && old.origin == ORIGIN_VMALLOC && !judge_wiped(x, &old)) return false;
    exec_checked(x, RULE_B96);
    if (c.deferred) {
        exec_checked(x, RULE_B49);
        if (c.count[EVENT_GIVE] || c.count[EVENT_UNMAP] || !c.count[EVENT_DEFERRED])
            return exec_fail(x, RULE_B49, old.va, "the whole free put off", "%u frames given back, %u pages unmapped",
                             c.count[EVENT_GIVE], c.count[EVENT_UNMAP]);
        return kernel_forget(x, slot, LIFE_DEFERRED) && kernel_settle(x, &c, FRAME_FREE);
    }
    return area_left(x, &old) && kernel_forget(x, slot, LIFE_DEAD) && kernel_settle(x, &c, FRAME_FREE);
}

bool area_release(struct exec *x, unsigned slot)
{
    static const struct op release[] = {{.kind = OP_VFREE, .count = 1}, {.kind = OP_VUNMAP, .count = 1}};
    return free_area(x, &release[x->kernel->blocks[slot].origin == ORIGIN_VMAP], slot);
}

static bool free_nothing(struct exec *x, const struct op *op, unsigned slot)
{
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_QUERY};
    /* Of NULL: nothing to do, whatever the context is but for an NMI. */
    if (x->kernel->context != CONTEXT_TASK) return true;
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    free_by(x, (enum op_kind)op->kind, NULL, false, 0);
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    exec_checked(x, RULE_B96);
    return kernel_end(x, &c) && kernel_settle(x, &c, FRAME_FREE);
}

bool area_step_free(struct exec *x, const struct op *op, unsigned slot)
{
    const struct kernel_block *b = &x->kernel->blocks[slot];
    if (b->life == LIFE_NONE || b->origin == ORIGIN_NONE) return free_nothing(x, op, slot);
    if (op->kind == OP_KVFREE && b->origin == ORIGIN_ZERO_SIZE) return kmalloc_step_free(x, op, slot);
    if (b->life != LIFE_LIVE || !b->va || b->pins || b->origin == ORIGIN_ELEMENT) return true;
    if (op->kind == OP_KVFREE && (b->origin == ORIGIN_KMALLOC || b->origin == ORIGIN_OBJECT))
        return kmalloc_step_free(x, op, slot);
    if (op->kind == OP_KVFREE && b->origin != ORIGIN_VMALLOC && b->origin != ORIGIN_VMAP) return true;
    return free_area(x, op, slot);
}

/* ---- Put off, and made good ------------------------------------------------------------------------------------------------ */

/* The worker is a task of its own, whatever the program is in the middle of. */
static bool as_worker(struct exec *x, struct kernel_call *c, void (*work)(void *heap))
{
    struct machine *m = x->kernel->machine;
    const struct machine_context context = m->context;
    m->context = context_of(CONTEXT_TASK, 0);
    bool held = kernel_begin(x, c);
    if (held) {
        work(x->heap);
        held = kernel_end(x, c);
    }
    m->context = context;
    return held;
}

bool area_run_deferred(struct exec *x, const struct op *op)
{
    struct kernel_model *k = x->kernel;
    struct kernel_call c = {.op = op, .act = ACT_VFREE};
    if (!as_worker(x, &c, k->ops->run_deferred)) return false;
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    exec_checked(x, RULE_B49);
    if (k->frames.owned[FRAME_DEFERRED])
        return exec_fail(x, RULE_B49, NULL, "all frames of deferred frees given back", "%u are not",
                         k->frames.owned[FRAME_DEFERRED]);
    for (unsigned slot = 0; slot < k->slot_end; slot++) {
        const struct kernel_block old = k->blocks[slot];
        if (old.life != LIFE_DEFERRED) continue;
        if (!area_left(x, &old) || !kernel_forget(x, slot, LIFE_DEAD)) return false;
    }
    return kernel_settle(x, &c, FRAME_FREE);
}

bool area_purge(struct exec *x, const struct op *op)
{
    const struct area_model *a = x->kernel->areas;
    struct window_info info;
    struct kernel_call c = {.op = op, .act = ACT_VFREE};
    if (x->kernel->context != CONTEXT_TASK) return true;
    if (!as_worker(x, &c, x->kernel->ops->vm_unmap_aliases)) return false;
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    if (!kernel_settle(x, &c, FRAME_FREE)) return false;
    exec_checked(x, RULE_B98);
    if (a->count[AREA_LAZY])
        return exec_fail(x, RULE_B98, NULL, "a flush of all that was unmapped", "%u pages were not flushed",
                         a->count[AREA_LAZY]);
    if (!x->kernel->ops->window_info) return true;
    x->kernel->ops->window_info(x->heap, &info);
    if (info.lazy) return exec_fail(x, RULE_B98, NULL, "nothing lazy after a purge", "%u pages are", info.lazy);
    return areas_inspect(x);
}

/* ---- Contract errors --------------------------------------------------------------------------------------------------------- */

bool area_misuse(struct exec *x, const struct op *op, unsigned slot, uint64_t misuse)
{
    const struct machine *m = x->kernel->machine;
    const struct area_model *a = x->kernel->areas;
    const struct kernel_block *b = &x->kernel->blocks[slot];
    unsigned char *p = misuse == MISUSE_NEVER ? m->vmalloc_end - m->page_bytes : b->va;
    if (x->kernel->context != CONTEXT_TASK || (misuse != MISUSE_NEVER && b->origin != ORIGIN_VMALLOC)) return true;
    if (misuse == MISUSE_DOUBLE_FREE && b->life != LIFE_DEAD) return true;
    if (misuse == MISUSE_INTERIOR) {
        if (b->life != LIFE_LIVE) return true;
        p += b->frames > 1 ? m->page_bytes : 8;
    } else {
        uint32_t page = area_page_of(x, p);
        if (area_model_mapped(a, page) || (page && area_model_mapped(a, page - 1))) return true;
    }
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_VFREE};
    if (!kernel_begin(x, &c)) return false;
    c.must = misuse == MISUSE_DOUBLE_FREE ? REPORT_DOUBLE_FREE : REPORT_CONTRACT_WARN;
    c.must_or = REPORT_CONTRACT_WARN;
    c.must_rule = RULE_B96;
    if (kernel_declines(x, &c)) return true;
    CALL(x, vfree, p);
    kernel_outcome(x, &c, RESULT_VOID, p);
    return kernel_end(x, &c) && kernel_settle(x, &c, FRAME_FREE);
}

/* ---- The window ---------------------------------------------------------------------------------------------------------------- */

bool areas_inspect(struct exec *x)
{
    const struct area_model *a = x->kernel->areas;
    struct window_info i;
    if (!a || !x->kernel->ops->window_info) return true;
    x->kernel->ops->window_info(x->heap, &i);
    exec_checked(x, RULE_B99);
    if (i.busy + i.guard + i.lazy + i.free != a->pages)
        return exec_fail(x, RULE_B99, NULL, "busy, guard, lazy and free pages add up to the window",
                         "%u + %u + %u + %u of %u", i.busy, i.guard, i.lazy, i.free, a->pages);
    if (i.busy != area_model_busy(a) || i.guard != a->runs || i.areas != a->runs)
        return exec_fail(x, RULE_B99, NULL, "as many pages busy as are mapped, and a guard for each area",
                         "%u busy, %u guards, %u areas; mapped are %u pages in %u runs", i.busy, i.guard, i.areas,
                         area_model_busy(a), a->runs);
    if (i.lazy != a->count[AREA_LAZY])
        return exec_fail(x, RULE_B99, NULL, "as many pages lazy as were freed since the last flush", "%u, freed are %u",
                         i.lazy, a->count[AREA_LAZY]);
    if (i.lazy || i.largest_free == area_model_longest(a, false)) return true;
    return exec_fail(x, RULE_B99, NULL, "free ranges as large as they can be", "the largest has %u pages, not %u",
                     i.largest_free, area_model_longest(a, false));
}

void areas_follow(struct exec *x, const struct machine_event *e)
{
    struct area_model *a = x->kernel->areas;
    if (!a) return; /* a heap that is being made: see areas_fresh */
    if (e->kind == EVENT_MAP) area_model_map(a, e->a, e->b);
    else if (e->kind == EVENT_UNMAP) area_model_unmap(a, e->a, e->b);
    else if (e->kind == EVENT_FLUSH) area_model_flush(a);
    else area_model_table(a, e->b);
}

bool areas_fresh(struct exec *x)
{
    struct kernel_model *k = x->kernel;
    const struct machine *m = k->machine;
    if (!k->areas && !(k->areas = exec_memory(sizeof *k->areas))) return false;
    const uint32_t pages = (uint32_t)((size_t)(m->vmalloc_end - m->vmalloc_start) >> m->page_shift);
    area_model_fresh(k->areas, pages, m->table_entries);
    for (uint32_t i = 0; i < pages && area_model_busy(k->areas) < machine_mapped(m); i++) /* by the heap, for itself */
        if (machine_translate(m, m->vmalloc_start + ((size_t)i << m->page_shift)) != PFN_NONE)
            area_model_map(k->areas, i, 1);
    return true;
}

bool areas_finish(struct exec *x)
{
    static const struct op work = {.kind = OP_RUN_DEFERRED, .count = 1}, purge = {.kind = OP_PURGE, .count = 1};
    const struct kernel_ops *ops = x->kernel->ops;
    if (!x->kernel->areas) return true;
    return (!ops->run_deferred || area_run_deferred(x, &work)) && (!ops->vm_unmap_aliases || area_purge(x, &purge));
}

void areas_close(struct exec *x)
{
    if (!x->kernel) return;
    exec_release(x->kernel->areas, sizeof *x->kernel->areas);
    x->kernel->areas = NULL;
}
