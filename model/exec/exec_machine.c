/* exec_machine.c: a program on a simulated machine: its steps, the malloc family among them, and its beginning and end;
 * exec_kernel.h is the manual. */
#include "exec_areas.h"

#include "outcome.h"

#include <string.h>

#define FLIGHTS_MAX (2 * MACHINE_EVENTS_MAX)
#define LIST_BYTES (131072u * sizeof(uint32_t))

/* ---- Memory of our own --------------------------------------------------------------------------------------------- */

bool kernel_open(struct exec *x)
{
    struct kernel_model *k = x->kernel = exec_memory(sizeof *k);
    if (!k) return false;
    k->pfns = exec_memory(LIST_BYTES);
    k->pfns_spare = exec_memory(LIST_BYTES);
    k->flights = exec_memory(FLIGHTS_MAX * sizeof *k->flights);
    k->host = (struct machine_host){.host = x, .reclaim = kernel_reclaim, .out_of_memory = kernel_out_of_memory};
    x->lender.surroundings = &k->host;
    for (unsigned i = 0; i < MACHINE_CONFIGS; i++)
        if (frame_map_open(&k->parked[i])) return false;
    k->config = MACHINE_CONFIGS; /* none yet */
    return k->pfns && k->pfns_spare && k->flights;
}

void kernel_close(struct exec *x)
{
    struct kernel_model *k = x->kernel;
    if (!k) return;
    caches_close(x);
    areas_close(x);
    pools_close(x);
    if (k->config < MACHINE_CONFIGS) k->parked[k->config] = k->frames;
    for (unsigned i = 0; i < MACHINE_CONFIGS; i++) frame_map_close(&k->parked[i]);
    exec_release(k->pfns, LIST_BYTES);
    exec_release(k->pfns_spare, LIST_BYTES);
    exec_release(k->flights, FLIGHTS_MAX * sizeof *k->flights);
    exec_release(k, sizeof *k);
}

/* ---- The surroundings ---------------------------------------------------------------------------------------------- */

static void set_context(struct kernel_model *k)
{
    k->scope = 0;
    for (unsigned i = 0; i < k->scope_depth; i++) k->scope |= 1u << k->scopes[i];
    k->machine->context = context_of(k->context, k->scope);
}

static bool step_surroundings(struct exec *x, const struct op *op, uint64_t a, uint64_t b)
{
    struct kernel_model *k = x->kernel;
    struct machine_injection injection = {
        .nth = b < UINT32_MAX ? (uint32_t)b : 0, .waiting_too = true, .highmem_too = true};
    switch ((enum op_kind)op->kind) {
    case OP_CONTEXT: k->context = (enum program_context)(a % CONTEXT_KINDS); break;
    case OP_SCOPE:
        if (k->scope_depth == KERNEL_SCOPES_MAX) return true;
        k->scopes[k->scope_depth++] = (uint8_t)(a % 4);
        break;
    case OP_SCOPE_END:
        if (k->scope_depth) k->scope_depth--;
        break;
    case OP_INJECT: machine_inject(k->machine, (enum machine_fault)(a % FAULTS), &injection); return true;
    default: return kernel_kswapd(x, op);
    }
    set_context(k);
    return true;
}

/* ---- Steps --------------------------------------------------------------------------------------------------------- */

/* The family that a block of this origin is freed by. */
static exec_step *family_of(enum kernel_origin origin)
{
    switch (origin) {
    case ORIGIN_OBJECT: return exec_step_caches;
    case ORIGIN_KMALLOC:
    case ORIGIN_ZERO_SIZE: return exec_step_kmalloc;
    case ORIGIN_VMALLOC:
    case ORIGIN_VMAP: return exec_step_vmalloc;
    case ORIGIN_ELEMENT: return exec_step_pools;
    default: return exec_step_pages;
    }
}

bool exec_step_kernel(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    unsigned kind = op->kind;
    exec_step *step = exec_step_pools;
    if (!x->kernel || !x->kernel->ops) return exec_skip(x, (enum op_kind)kind);
    if (kind <= OP_DROPPABLE) return exec_step_pages(x, op, slot, a, b);
    if (kind == OP_MISUSE || kind == OP_SCRIBBLE) step = family_of(x->kernel->blocks[slot].origin);
    else if (kind == OP_RUN_DEFERRED || kind == OP_PURGE) step = exec_step_vmalloc;
    else if (kind >= OP_CONTEXT) return step_surroundings(x, op, a, b);
    else if (kind <= OP_CACHE_DESTROY) step = exec_step_caches;
    else if (kind <= OP_KFREE_SENSITIVE) step = exec_step_kmalloc;
    else if (kind <= OP_KVFREE) step = exec_step_vmalloc;
    return step(x, op, slot, a, b);
}

bool kernel_release(struct exec *x, unsigned slot)
{
    switch ((enum kernel_origin)x->kernel->blocks[slot].origin) {
    case ORIGIN_OBJECT: return object_release(x, slot);
    case ORIGIN_KMALLOC:
    case ORIGIN_ZERO_SIZE: return kmalloc_release(x, slot);
    case ORIGIN_VMALLOC:
    case ORIGIN_VMAP: return area_release(x, slot);
    case ORIGIN_ELEMENT: return element_release(x, slot);
    default: return pages_release(x, slot);
    }
}

/* ---- The malloc family --------------------------------------------------------------------------------------------- */

void kernel_as_task(struct exec *x, bool task)
{
    if (!x->kernel) return;
    if (task) x->kernel->machine->context = (struct machine_context){0};
    else set_context(x->kernel);
}

void kernel_plain_begin(struct exec *x, struct kernel_call *c, const struct op *op)
{
    struct kernel_model *k = x->kernel;
    *c = (struct kernel_call){.op = op, .slot = PROGRAM_SLOTS, .act = ACT_MAP, .gfp = GFP_KERNEL, .may_block = true};
    kernel_as_task(x, true);
    unsigned scope = k->scope;
    k->scope = 0;
    caches_shared(x);
    kernel_begin(x, c);
    k->scope = scope;
}

bool kernel_struck(const struct exec *x) { return machine_event_count(x->kernel->machine, EVENT_INJECTED) > 0; }

bool kernel_plain_end(struct exec *x, struct kernel_call *c)
{
    bool held = kernel_end(x, c) && kernel_settle(x, c, FRAME_PLAIN);
    kernel_as_task(x, false);
    return held;
}

/* The page of a granted block lies in memory that the allocator has taken; its frame. */
static bool judge_page(struct exec *x, const unsigned char *p, uint32_t *pfn)
{
    const struct kernel_model *k = x->kernel;
    *pfn = machine_in_window(k->machine, p) ? machine_translate(k->machine, p) : machine_direct_pfn(k->machine, p);
    exec_checked(x, RULE_C16);
    if (*pfn == PFN_NONE) return exec_fail(x, RULE_C8, p, "a block in mapped memory", "no frame behind it");
    if (k->frames.owner[*pfn] != FRAME_FREE && k->frames.owner[*pfn] < FRAME_SLOT) return true;
    return exec_fail(x, RULE_C16, p, "a block in frames that were taken for it", "frame %u is %s", *pfn,
                     k->frames.owner[*pfn] == FRAME_FREE ? "free" : "a block's of the kernel group");
}

static bool judge_plain(struct exec *x, const unsigned char *p, uint64_t bytes)
{
    size_t page = x->kernel->machine->page_bytes;
    uint32_t first, pfn;
    if (!judge_page(x, p, &first)) return false;
    uint64_t pages = (((uintptr_t)p & (page - 1)) + (bytes ? bytes : 1) + page - 1) / page;
    const unsigned char *start = p - ((uintptr_t)p & (page - 1));
    for (uint64_t i = 1; i < pages; i += i < 8 || i + 8 >= pages ? 1 : pages / 8) {
        if (!judge_page(x, start + i * page, &pfn)) return false;
        if (!(x->options.contract.promises & PROMISE_PHYSICAL)) continue;
        exec_checked(x, RULE_C2);
        if (pfn != first + i)
            return exec_fail(x, RULE_C2, p, "a block in consecutive frames", "page %llu in frame %u, the first in %u",
                             (unsigned long long)i, pfn, first);
    }
    return true;
}

bool kernel_plain(struct exec *x, exec_step *step, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    struct kernel_call c;
    kernel_plain_begin(x, &c, op);
    bool held = step(x, op, slot, a, b);
    if (!held) return false;
    if (!kernel_plain_end(x, &c)) return false;
    if (x->outcome.result != RESULT_PTR || !x->outcome.block) return true;
    const struct block *block = &x->model.blocks[slot];
    return !block_live(block) || judge_plain(x, (void *)block->base, block_usable(block));
}

/* ---- Beginning and end --------------------------------------------------------------------------------------------- */

static void forget_run(struct kernel_model *k)
{
    memset(k->blocks, 0, k->slot_end * sizeof k->blocks[0]);
    memset(k->alive, 0, sizeof k->alive);
    memset(k->kmaps, 0, sizeof k->kmaps);
    k->slot_end = k->live = k->droppable = k->pfns_used = k->sweep = k->sweep_page = 0;
    k->scope_depth = k->scope = k->flight_count = k->kmap_count = k->local_count = k->probes = 0;
    k->context = CONTEXT_TASK;
    k->largest = k->live_bytes = 0;
    k->current = NULL;
    k->broken = false;
}

static uint32_t taken(const struct kernel_model *k)
{
    return k->frames.frames - k->frames.owned[FRAME_FREE] - k->frames.owned[FRAME_RESERVED];
}

bool kernel_fresh(struct exec *x)
{
    static const struct op nothing = {.kind = OP_CHECK, .count = 1};
    struct kernel_model *k = x->kernel;
    struct machine *m = k->machine = x->lender.face.machine;
    uint8_t config = (uint8_t)x->lender.geometry.machine;
    k->ops = x->ops->kernel;
    forget_run(k);
    if (config != k->config) {
        if (k->config < MACHINE_CONFIGS) k->parked[k->config] = k->frames;
        k->frames = k->parked[config];
        k->config = config;
        zone_model_make(&k->zones, m);
    }
    frame_map_fresh(&k->frames, m);
    struct kernel_call c; /* what init has taken */
    kernel_plain_begin(x, &c, &nothing);
    bool held = kernel_end(x, &c) && kernel_settle(x, &c, FRAME_SLAB);
    k->baseline = taken(k);
    return held && (!k->ops || (caches_fresh(x) && areas_fresh(x) && pools_fresh(x)));
}

static bool release_all(struct exec *x, enum kernel_origin only)
{
    struct kernel_model *k = x->kernel;
    bool down = x->program->heap.seed % 2;
    for (unsigned i = 0; i < k->slot_end; i++) {
        unsigned slot = down ? k->slot_end - 1 - i : i;
        const struct kernel_block *b = &k->blocks[slot];
        if (b->life != LIFE_LIVE || (only != ORIGIN_NONE && b->origin != only)) continue;
        x->options.position->calls = x->options.position->calls + 1;
        if (!kernel_release(x, slot)) return false;
    }
    return true;
}

/* Everything is as it was when the heap was made, page tables apart (C24). */
static bool judge_drained(struct exec *x)
{
    const struct kernel_model *k = x->kernel;
    const uint32_t *owned = k->frames.owned;
    bool caches = k->ops->cache_create || k->ops->kmalloc;
    uint32_t kept = owned[FRAME_SLAB] + owned[FRAME_PLAIN];
    uint32_t lost = taken(k) - owned[FRAME_TABLE] - kept;
    exec_checked(x, RULE_C24);
    if (lost)
        return exec_fail(x, RULE_C24, NULL, "every frame free when everything is freed", "%u frames are not", lost);
    if (caches || kept == k->baseline) return true;
    return exec_fail(x, RULE_C24, NULL, "as many frames taken as on the fresh heap, when everything is freed",
                     "%u instead of %u", kept, k->baseline);
}

/* What is behind the direct map faults, and so does what would be there of a highmem frame (B7, B10). */
static bool judge_gap(struct exec *x)
{
    const struct machine *m = x->kernel->machine;
    if (x->program->heap.seed % 16 && !x->options.thorough) return true;
    const unsigned char *gap = m->direct + ((size_t)m->lowmem_frames << m->page_shift);
    exec_checked(x, RULE_C15);
    if (m->gap_bytes && !lender_readable(gap) && !lender_readable(m->vmalloc_start - 1)) return true;
    return !m->gap_bytes || exec_fail(x, RULE_C15, gap, "the gap behind the direct map inaccessible", "it can be read");
}

bool kernel_finish(struct exec *x)
{
    struct kernel_model *k = x->kernel;
    const struct machine_injection none = {0};
    if (!k || !k->ops) return true;
    lender_spare(&x->lender);
    for (unsigned fault = 0; fault < FAULTS; fault++) machine_inject(k->machine, (enum machine_fault)fault, &none);
    k->context = CONTEXT_TASK;
    k->scope_depth = 0;
    k->machine->kswapd_awake = false;
    set_context(k);
    bool held = pages_unmap_all(x) && release_all(x, ORIGIN_VMAP) && release_all(x, ORIGIN_ELEMENT) &&
                release_all(x, ORIGIN_NONE) && pools_finish(x) && areas_finish(x) && caches_finish(x) &&
                judge_drained(x) && kernel_inspect(x) && judge_gap(x);
    if (held) forget_run(k); /* another round may follow on this heap */
    return held;
}

/* ---- The allocator's own counts ------------------------------------------------------------------------------------ */

static bool judge_marks(struct exec *x, enum machine_zone_id zone, const struct zone_info *info)
{
    const struct zone_model *z = &x->kernel->zones;
    exec_checked(x, RULE_B34);
    if (info->mark_min != z->min[zone] || info->mark_low != z->low[zone] || info->mark_high != z->high[zone])
        return exec_fail(x, RULE_B34, NULL, "the marks that follow from the zone's size",
                         "%s: %u/%u/%u instead of %u/%u/%u", machine_zone_names[zone], info->mark_min, info->mark_low,
                         info->mark_high, z->min[zone], z->low[zone], z->high[zone]);
    for (unsigned j = zone + 1u; j < ZONES; j++) {
        exec_checked(x, RULE_B35);
        if (info->lowmem_reserve[j] != z->reserve[zone][j])
            return exec_fail(x, RULE_B35, NULL, "the reserve that follows from the zones above",
                             "%s keeps %u from %s instead of %u", machine_zone_names[zone], info->lowmem_reserve[j],
                             machine_zone_names[j], z->reserve[zone][j]);
    }
    return true;
}

static bool judge_zone(struct exec *x, enum machine_zone_id zone)
{
    const struct kernel_model *k = x->kernel;
    struct zone_info info = {0};
    k->ops->zone_info(x->heap, zone, &info);
    uint32_t free = frame_map_free(&k->frames, zone);
    exec_checked(x, RULE_C20);
    if (info.free + info.cached != free || info.reserved)
        return exec_fail(x, RULE_C20, NULL, "the free frames counted right",
                         "%s: %u free, %u cached, %u reserved; %u are free", machine_zone_names[zone], info.free,
                         info.cached, info.reserved, free);
    exec_checked(x, RULE_B17);
    for (unsigned order = 0; !info.cached && order <= k->machine->max_order; order++)
        if (info.blocks[order] != frame_map_blocks(&k->frames, zone, order))
            return exec_fail(x, RULE_B17, NULL, "the free blocks that follow from the free frames",
                             "%s: %u blocks of order %u instead of %u", machine_zone_names[zone], info.blocks[order],
                             order, frame_map_blocks(&k->frames, zone, order));
    return judge_marks(x, zone, &info);
}

bool kernel_zones(struct exec *x)
{
    const struct kernel_model *k = x->kernel;
    for (unsigned zone = 0; zone < ZONES && k->ops->zone_info; zone++)
        if (!judge_zone(x, (enum machine_zone_id)zone)) return false;
    return true;
}

bool kernel_inspect(struct exec *x)
{
    const struct kernel_model *k = x->kernel;
    if (!k || !k->ops) return true;
    return kernel_zones(x) && caches_inspect(x) && areas_inspect(x) && pools_inspect(x);
}
