/* exec_vfree.c: areas freed, at once or later, contract errors with them, and what the window must add up to
 * (B49, B96-B99, B101).
 */
#include "exec_areas.h"

#define CALL(x, operation, ...) ((x)->kernel->ops->operation((x)->heap, __VA_ARGS__))

/* ---- Freeing ------------------------------------------------------------------------------------------------------------------ */

/* The area's pages are lazy now. With a flush in the same call, this one may or may not have been part of it: the
 * allocator says which. */
static void leave(struct exec *x, const struct kernel_call *c, unsigned slot, const struct kernel_block *old)
{
    struct area_model *a = x->kernel->areas;
    struct window_info info = {.lazy = 1};
    if (old->origin == ORIGIN_VMALLOC && a->inside[slot]) {
        a->inner -= a->inside[slot];
        a->inner_areas--;
        a->inside[slot] = 0;
        a->inexact = true;
    }
    if (c->count[EVENT_FLUSH]) area_model_flush(a);
    area_model_leave(a, area_page_of(x, old->va), (uint32_t)(old->usable >> x->kernel->machine->page_shift));
    if (c->count[EVENT_FLUSH] && x->kernel->ops->window_info) x->kernel->ops->window_info(x->heap, &info);
    if (!info.lazy) area_model_flush(a);
}

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

static bool leave_slot(struct exec *x, const struct kernel_call *c, unsigned slot, const struct kernel_block *old)
{
    struct kernel_block *source = &x->kernel->blocks[old->source];
    leave(x, c, slot, old);
    if (old->origin == ORIGIN_VMAP && source->pins) source->pins--; /* its frames are shown here no more */
    return judge_unmapped(x, old);
}

bool area_left(struct exec *x, const struct kernel_call *c, const struct kernel_block *old)
{
    return leave_slot(x, c, c->slot, old);
}

static void free_by(struct exec *x, enum op_kind kind, void *p)
{
    const struct kernel_ops *ops = x->kernel->ops;
    switch (kind) {
    case OP_VFREE_ATOMIC: ops->vfree_atomic(x->heap, p); break;
    case OP_VUNMAP: ops->vunmap(x->heap, p); break;
    case OP_KVFREE: ops->kvfree(x->heap, p); break;
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
    free_by(x, (enum op_kind)op->kind, old.va);
    kernel_outcome(x, &c, RESULT_VOID, old.va);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return kernel_verify(x, slot, c.must_rule);
    exec_checked(x, RULE_B96);
    if (c.deferred) {
        exec_checked(x, RULE_B49);
        if (c.count[EVENT_GIVE] || c.count[EVENT_UNMAP] || !c.count[EVENT_DEFERRED])
            return exec_fail(x, RULE_B49, old.va, "the whole free put off", "%u frames given back, %u pages unmapped",
                             c.count[EVENT_GIVE], c.count[EVENT_UNMAP]);
        return kernel_forget(x, slot, LIFE_DEFERRED) && kernel_settle(x, &c, FRAME_FREE);
    }
    return area_left(x, &c, &old) && kernel_forget(x, slot, LIFE_DEAD) && kernel_settle(x, &c, FRAME_FREE);
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
    free_by(x, (enum op_kind)op->kind, NULL);
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    exec_checked(x, RULE_B96);
    return kernel_end(x, &c) && kernel_settle(x, &c, FRAME_FREE);
}

bool area_step_free(struct exec *x, const struct op *op, unsigned slot)
{
    const struct kernel_block *b = &x->kernel->blocks[slot];
    if (b->life == LIFE_NONE || b->origin == ORIGIN_NONE) return free_nothing(x, op, slot);
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
    for (unsigned slot = 0; slot < k->slot_end; slot++) {
        const struct kernel_block old = k->blocks[slot];
        if (old.life != LIFE_DEFERRED) continue;
        if (!leave_slot(x, &c, slot, &old) || !kernel_forget(x, slot, LIFE_DEAD)) return false;
    }
    exec_checked(x, RULE_B49);
    if (k->frames.owned[FRAME_DEFERRED])
        return exec_fail(x, RULE_B49, NULL, "all frames of deferred frees given back", "%u are not",
                         k->frames.owned[FRAME_DEFERRED]);
    return kernel_settle(x, &c, FRAME_FREE);
}

bool area_purge(struct exec *x, const struct op *op)
{
    struct area_model *a = x->kernel->areas;
    struct window_info info;
    struct kernel_call c = {.op = op, .act = ACT_VFREE};
    if (x->kernel->context != CONTEXT_TASK) return true;
    if (!as_worker(x, &c, x->kernel->ops->vm_unmap_aliases)) return false;
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    area_model_flush(a);
    a->inexact = false;
    if (!kernel_settle(x, &c, FRAME_FREE)) return false;
    if (!x->kernel->ops->window_info) return true;
    x->kernel->ops->window_info(x->heap, &info);
    exec_checked(x, RULE_B98);
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
        unsigned page = a->page[area_page_of(x, p)];
        if (page == AREA_BUSY || page == AREA_GUARD || a->inner) return true;
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
    if (a->others) return true;
    if (i.busy != a->count[AREA_BUSY] + a->inner || i.guard != a->count[AREA_GUARD] + a->inner_areas)
        return exec_fail(x, RULE_B99, NULL, "as many pages busy, and guards, as areas are live",
                         "%u busy and %u guards; live are %u pages in %u areas", i.busy, i.guard,
                         a->count[AREA_BUSY] + a->inner, a->areas + a->inner_areas);
    if (a->inexact || a->inner_areas) return true;
    if (i.lazy != a->count[AREA_LAZY])
        return exec_fail(x, RULE_B99, NULL, "as many pages lazy as were freed since the last flush", "%u, freed are %u",
                         i.lazy, a->count[AREA_LAZY]);
    if (i.lazy) return true;
    uint32_t run = 0, largest = 0;
    for (uint32_t page = 0; page < a->pages && page < a->touched_end; page++) {
        run = a->page[page] == AREA_FREE ? run + 1 : 0;
        if (run > largest) largest = run;
    }
    uint32_t behind = a->touched_end < a->pages ? a->pages - a->touched_end + run : 0;
    if (behind > largest) largest = behind;
    if (i.largest_free == largest) return true;
    return exec_fail(x, RULE_B99, NULL, "free ranges as large as they can be", "the largest has %u pages, not %u",
                     i.largest_free, largest);
}

void areas_shared(struct exec *x)
{
    if (x->kernel->areas) x->kernel->areas->others = true;
}

bool areas_fresh(struct exec *x)
{
    struct kernel_model *k = x->kernel;
    const struct machine *m = k->machine;
    if (!k->areas && !(k->areas = exec_memory(sizeof *k->areas))) return false;
    area_model_fresh(k->areas, (uint32_t)((size_t)(m->vmalloc_end - m->vmalloc_start) >> m->page_shift));
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
