/* exec_reclaim.c: what surrounds an allocator when memory is short (B121-B123): shrinkers with droppable blocks, a victim
 * with blocks of its own, and kswapd. Blocks are freed through the allocator's own functions, in calls of their own. */
#include "exec_kernel.h"

#include "outcome.h"

enum { DROP_CLEAN = 1, DROP_IO, DROP_FS, DROP_VICTIM }; /* kernel_block.droppable */

/* May a request under this mask drop the slot's block? */
static bool droppable(const struct exec *x, unsigned slot, unsigned gfp, bool kill)
{
    const struct kernel_model *k = x->kernel;
    const struct kernel_block *b = &k->blocks[slot];
    if (!b->droppable || !kernel_free_to_go(x, slot) || kill != (b->droppable == DROP_VICTIM)) return false;
    if (b->droppable == DROP_IO && !(gfp & GFP_BIT_IO)) return false;
    if (b->droppable == DROP_FS && (~gfp & (GFP_BIT_IO | GFP_BIT_FS))) return false;
    return kill || machine_zone_of(k->machine, kernel_frame(x, b, 0)) <= mask_zone(k->machine, gfp);
}

bool kernel_reclaimable(const struct exec *x, unsigned gfp, bool kill)
{
    const struct kernel_model *k = x->kernel;
    for (unsigned slot = 0; k->droppable && slot < k->slot_end; slot++)
        if (droppable(x, slot, gfp, kill)) return true;
    return false;
}

static uint32_t taken(const struct kernel_model *k)
{
    uint32_t free = 0;
    for (unsigned z = 0; z < ZONES; z++) free += frame_map_free(&k->frames, (enum machine_zone_id)z);
    return k->frames.frames - free;
}

/* Frees up to `pages` frames of what may be dropped; sets *io and *fs. */
static uint32_t drop(struct exec *x, unsigned gfp, uint32_t pages, bool kill, bool *io, bool *fs)
{
    struct kernel_model *k = x->kernel;
    uint32_t released = 0;
    for (unsigned slot = 0; k->droppable && slot < k->slot_end && released < pages && !k->broken; slot++) {
        if (!droppable(x, slot, gfp, kill)) continue;
        uint8_t how = k->blocks[slot].droppable;
        uint32_t before = taken(k);
        /* The calls are the harness's own, not the program's: what they came to is no outcome of its. */
        if (!kernel_release(x, slot)) k->broken = true;
        uint32_t after = taken(k);
        released += before > after ? before - after : 0;
        if (how == DROP_IO) *io = true;
        if (how == DROP_FS) *fs = true;
    }
    return released;
}

/* Reclaim where it is forbidden is not done: the event says that it was asked for, and is judged. */
uint32_t kernel_reclaim(void *host, uint32_t gfp, uint32_t pages, bool direct, bool *io, bool *fs)
{
    struct exec *x = host;
    struct kernel_model *k = x->kernel;
    if (!k->current || k->broken || !k->droppable) return 0;
    exec_checked(x, direct ? RULE_B43 : RULE_B123);
    if (!direct && k->current->act != ACT_KSWAPD) {
        k->broken = true;
        exec_fail(x, RULE_B123, NULL, "kswapd at work only when it is stepped", "its reclaim inside %s",
                  op_name(k->current->op->kind));
        return 0;
    }
    if (direct && (k->current->act == ACT_KSWAPD || !mask_reclaims(k->current->effective, k->scope) ||
                   !machine_can_sleep(k->machine)))
        return 0;
    if (!direct) gfp |= GFP_BIT_HIGHMEM; /* kswapd looks after every zone */
    return drop(x, gfp, pages ? pages : 1, false, io, fs);
}

uint32_t kernel_out_of_memory(void *host, uint32_t gfp)
{
    struct exec *x = host;
    struct kernel_model *k = x->kernel;
    bool unused = false;
    if (!k->current || k->broken || !k->droppable) return 0;
    exec_checked(x, RULE_B121);
    if (!mask_reclaims(k->current->effective, k->scope) || !machine_can_sleep(k->machine)) return 0;
    return drop(x, gfp, UINT32_MAX, true, &unused, &unused);
}

/* One step of kswapd: afterwards it sleeps, and every zone is above its high mark or has nothing left to drop. */
bool kernel_kswapd(struct exec *x, const struct op *op)
{
    struct kernel_model *k = x->kernel;
    if (!k->ops->step_kswapd) return exec_skip(x, OP_KSWAPD);
    if (!k->machine->kswapd_awake) return true;
    struct kernel_call c = {.op = op, .slot = PROGRAM_SLOTS, .act = ACT_KSWAPD, .gfp = GFP_KERNEL};
    struct machine_context context = k->machine->context;
    k->machine->context = (struct machine_context){0}; /* a thread of its own */
    bool held = kernel_begin(x, &c);
    if (held) {
        k->ops->step_kswapd(x->heap);
        held = kernel_end(x, &c);
    }
    k->machine->context = context;
    if (!held || !kernel_settle(x, &c, FRAME_FREE)) return false;
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    exec_checked(x, RULE_B123);
    if (k->machine->kswapd_awake) return exec_fail(x, RULE_B123, NULL, "kswapd asleep after its step", "it is awake");
    for (unsigned z = 0; z < ZONES; z++) {
        bool low = frame_map_free(&k->frames, (enum machine_zone_id)z) < k->zones.high[z];
        unsigned gfp = GFP_KERNEL | (z == ZONE_HIGHMEM ? GFP_BIT_HIGHMEM : z == ZONE_DMA ? GFP_BIT_DMA : 0);
        if (low && k->machine->zones[z].start < k->machine->zones[z].end && kernel_reclaimable(x, gfp, false))
            return exec_fail(x, RULE_B123, NULL, "every zone above its high mark, or nothing left to reclaim",
                             "%u frames free in %s, high mark %u", frame_map_free(&k->frames, (enum machine_zone_id)z),
                             machine_zone_names[z], k->zones.high[z]);
    }
    return true;
}
