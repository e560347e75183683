/* exec_vmalloc.c: the calls of vmalloc's family (B86-B108) and the work that they put off (B49). */
#include "exec_areas.h"

#define CALL(x, operation, ...) ((x)->kernel->ops->operation((x)->heap, __VA_ARGS__))

#define RECORDS_MAX 16u /* frames that a descriptor, an array and page tables come to, at most, where all goes well */
#define KEPT_MAX 64u    /* frames that a refusal may leave behind, as empty slabs of descriptors (B95) */

/* Pages of the array of `pages` pointers, where it is too large for kmalloc and an area of its own (B104). */
static uint32_t array_pages(const struct exec *x, uint64_t pages)
{
    uint64_t bytes = pages * sizeof(struct page *);
    return bytes > x->kernel->machine->page_bytes ? (uint32_t)area_pages_of(x, bytes) : 0;
}

/* ---- What a request must come to --------------------------------------------------------------------------------------- */

/* Frames that order-0 requests under this mask can have one by one, at the minimum mark. */
static uint64_t frames_to_have(const struct exec *x, unsigned effective)
{
    const struct kernel_model *k = x->kernel;
    enum machine_zone_id selected = mask_zone(k->machine, effective | GFP_BIT_HIGHMEM);
    uint64_t sum = 0;
    for (unsigned zone = 0; zone <= selected; zone++) {
        uint32_t free = frame_map_free(&k->frames, zone), kept = k->zones.min[zone] + k->zones.reserve[zone][selected];
        sum += free > kept ? free - kept : 0;
    }
    return sum;
}

/* kmalloc for descriptors and arrays can be served, whatever vmalloc takes first (B127's bound on what is meta). */
static bool lowmem_is_ample(const struct exec *x)
{
    const struct kernel_model *k = x->kernel;
    uint32_t kept = k->zones.low[ZONE_NORMAL] + k->zones.reserve[ZONE_NORMAL][ZONE_HIGHMEM];
    return frame_map_free(&k->frames, ZONE_NORMAL) > kept + RECORDS_MAX;
}

void area_expect(struct exec *x, const struct kernel_call *c, struct area_request *r)
{
    const struct machine *m = x->kernel->machine;
    const struct area_model *a = x->kernel->areas;
    uint64_t inner = array_pages(x, r->pages), slack = r->align > m->page_bytes ? r->align >> m->page_shift : 0;
    r->possible = r->bytes && r->bytes <= SIZE_MAX - m->page_bytes && r->pages <= m->frames;
    r->tables = machine_tables(m);
    x->kernel->areas->table_count = 0;
    uint64_t need = r->pages + 1 + slack + (inner ? inner + 1 : 0);
    uint64_t meta = inner + r->pages / m->table_entries + 8;
    r->must_succeed = r->possible && (c->effective & GFP_BIT_DIRECT) &&
                      frames_to_have(x, c->effective) >= r->pages + meta && lowmem_is_ample(x) &&
                      area_model_longest(a, true) >= need;
    r->lazy_needed = r->must_succeed && area_model_longest(a, false) < r->pages + 1;
    /* A lowmem reserve that protects from requests for highmem binds the area's own pages only. */
}

/* ---- Granted ------------------------------------------------------------------------------------------------------------ */

bool area_judge_span(struct exec *x, const unsigned char *p, uint64_t pages)
{
    const struct machine *m = x->kernel->machine;
    const struct area_model *a = x->kernel->areas;
    exec_checked(x, RULE_B86);
    uint64_t room = (uint64_t)(m->vmalloc_end - m->vmalloc_start);
    uint64_t at = (uint64_t)((uintptr_t)p - (uintptr_t)m->vmalloc_start);
    if (!machine_in_window(m, p) || pages * m->page_bytes > room - at || at % m->page_bytes)
        return exec_fail(x, RULE_B86, p, "whole pages inside the window", "%llu pages at byte %llu of %llu",
                         (unsigned long long)pages, (unsigned long long)at, (unsigned long long)room);
    uint32_t first = area_page_of(x, p), end = first + (uint32_t)pages;
    exec_checked(x, RULE_B90);
    exec_checked(x, RULE_C15);
    if (area_model_mapped(a, end) || machine_translate(m, m->vmalloc_start + (uint64_t)end * m->page_bytes) != PFN_NONE)
        return exec_fail(x, RULE_B90, p, "an unmapped page behind the area", "it is mapped");
    if (first && area_model_mapped(a, first - 1))
        return exec_fail(x, RULE_B90, p, "an area that leaves the guard of the one before it alone", "it is there");
    if (x->kernel->probes++ % 16 || !lender_readable(p + pages * m->page_bytes)) return true;
    return exec_fail(x, RULE_C15, p, "a guard that faults", "it can be read");
}

bool area_judge_stale(struct exec *x, const unsigned char *p, uint32_t pages)
{
    const struct area_model *a = x->kernel->areas;
    uint32_t first = area_page_of(x, p), stale = area_model_stale(a, first, pages);
    exec_checked(x, RULE_B98);
    if (stale == first + pages) return true;
    return exec_fail(x, RULE_B98, p, "addresses that were flushed since they were freed",
                     "page %u of the window was not", stale);
}

static bool judge_align(struct exec *x, const struct area_request *r, const unsigned char *p)
{
    exec_checked(x, RULE_B91);
    if ((uintptr_t)p % r->align == 0) return true;
    return exec_fail(x, RULE_B91, p, "the alignment asked for", "aligned to %llu, asked for was %llu",
                     (unsigned long long)((uintptr_t)p & (~(uintptr_t)p + 1)), (unsigned long long)r->align);
}

/* A frame that is not new: the area's own a second time, or somebody else's (C3, B88). Where the allocator names another
 * that is, it is not what the page tables show (C18). */
static bool judge_owner(struct exec *x, const struct kernel_call *c, unsigned char *va, uint32_t pfn, uint32_t page)
{
    const struct kernel_model *k = x->kernel;
    exec_checked(x, RULE_B88);
    exec_checked(x, RULE_C3);
    if (k->frames.owner[pfn] == FRAME_FLIGHT) return true;
    if (k->frames.owner[pfn] != FRAME_SLOT + c->slot)
        return exec_fail(x, RULE_B88, va, "frames of the area's own", "frame %u behind page %u is another's", pfn,
                         page);
    uint32_t told = k->ops->vmalloc_to_pfn ? CALL(x, vmalloc_to_pfn, va) : pfn;
    if (told != pfn && told < k->frames.frames && k->frames.owner[told] == FRAME_FLIGHT)
        return exec_fail(x, RULE_C18, va, "the frame that the area says to show", "page %u shows frame %u, not %u",
                         page, pfn, told);
    return exec_fail(x, RULE_C3, va, "a frame for each page", "frame %u behind page %u is there already", pfn, page);
}

/* The frames behind the pages, by the machine's own tables: each its own, and what the allocator says (B87, B88). */
static bool claim_frames(struct exec *x, struct kernel_call *c, const struct area_request *r, unsigned char *p,
                         struct kernel_block *block)
{
    struct kernel_model *k = x->kernel;
    const struct machine *m = k->machine;
    uint32_t run = 0;
    block->frames = (uint32_t)r->pages;
    block->list = kernel_list(x, block->frames);
    for (uint32_t i = 0; i < block->frames; i++) {
        unsigned char *va = p + ((size_t)i << m->page_shift);
        uint32_t pfn = machine_translate(m, va);
        exec_checked(x, RULE_B87);
        if (pfn == PFN_NONE) return exec_fail(x, RULE_B87, va, "every page of the area mapped", "page %u is not", i);
        if (!judge_owner(x, c, va, pfn, i)) return false;
        if ((i < 32 || i + 1 == block->frames) && k->ops->vmalloc_to_pfn && CALL(x, vmalloc_to_pfn, va) != pfn)
            return exec_fail(x, RULE_B87, va, "vmalloc_to_pfn tells the frame that is mapped", "frame %u, mapped is %u",
                             CALL(x, vmalloc_to_pfn, va), pfn);
        if (i < 4 && k->ops->vmalloc_to_page && k->ops->page_to_pfn &&
            (!CALL(x, vmalloc_to_page, va) || CALL(x, page_to_pfn, CALL(x, vmalloc_to_page, va)) != pfn))
            return exec_fail(x, RULE_B87, va, "vmalloc_to_page tells the frame that is mapped", "another one than %u",
                             pfn);
        if (!kernel_claim(x, c, pfn, 1)) return false;
        if (i == 0) block->pfn = pfn;
        run += pfn == block->pfn + i;
        if (block->list != LIST_NONE) k->pfns[block->list + i] = pfn;
    }
    if (block->list == LIST_NONE && run != block->frames) return kernel_claim(x, c, PFN_NONE, 1);
    if (!m->scatter || block->frames < 4 || frame_map_free(&k->frames, ZONE_NORMAL) < m->frames / 4) return true;
    if (run == block->frames)
        return exec_fail(x, RULE_B88, p, "frames that are no neighbours, in scatter mode", "%u frames from %u on",
                         block->frames, block->pfn);
    return true;
}

/* Frames come from highmem while there are plenty (B89). */
static bool judge_zones(struct exec *x, const struct kernel_block *block, enum rule rule)
{
    const struct kernel_model *k = x->kernel;
    const struct machine_zone *high = &k->machine->zones[ZONE_HIGHMEM];
    exec_checked(x, rule);
    if (frame_map_free(&k->frames, ZONE_HIGHMEM) < (high->end - high->start) / 4 + 4 * k->zones.high[ZONE_HIGHMEM] + 64)
        return true;
    for (uint32_t i = 0; i < block->frames; i++)
        if (kernel_frame(x, block, i) < k->machine->lowmem_frames)
            return exec_fail(x, rule, block->va, "highmem before lowmem, whatever zone the mask names",
                             "frame %u with %u of highmem free", kernel_frame(x, block, i),
                             frame_map_free(&k->frames, ZONE_HIGHMEM));
    return true;
}

/* What it cost: as many pages mapped as there are, page tables for the span and no more (B104, B105). */
static bool judge_cost(struct exec *x, const struct kernel_call *c, const struct area_request *r)
{
    const struct machine *m = x->kernel->machine;
    uint64_t inner = array_pages(x, r->pages), spare = inner ? 2 : 0;
    uint32_t tables = machine_tables(m), each = m->table_entries;
    exec_checked(x, RULE_B105);
    if (c->count[EVENT_MAP] < r->pages || c->count[EVENT_MAP] > r->pages + inner)
        return exec_fail(x, RULE_B105, NULL, "one page mapped for each page of the area", "%u for %llu",
                         c->count[EVENT_MAP], (unsigned long long)r->pages);
    exec_checked(x, RULE_B104);
    if (tables < r->tables || tables - r->tables > (r->pages + each - 1) / each + 1 + spare)
        return exec_fail(x, RULE_B104, NULL, "no more page tables than the span needs, and none given back",
                         "%u before, %u after, for %llu pages", r->tables, tables, (unsigned long long)r->pages);
    if (area_model_tables_used(x->kernel->areas)) return true;
    return exec_fail(x, RULE_B104, NULL, "page tables for pages that are mapped", "one of the new ones maps none");
}

/* A copy: the old contents, and zeros behind them where that was asked for (B103, B108). */
static bool judge_copy(struct exec *x, const struct area_request *r, struct kernel_block now)
{
    uint64_t kept = r->old->request < r->bytes ? r->old->request : r->bytes;
    size_t at;
    now.generation = r->old->generation;
    now.request = r->old->request;
    if (!kernel_verify_prefix(x, &now, kept, r->copy_rule)) return false;
    if (!now.always_zeroed || payload_zero(now.va + kept, (size_t)(r->bytes - kept), &at)) return true;
    return exec_fail(x, r->copy_rule, now.va + kept + at, "zeros behind the old contents", "byte %llu is not zero",
                     (unsigned long long)(kept + at));
}

bool area_granted(struct exec *x, struct kernel_call *c, const struct area_request *r, unsigned char *p,
                  struct kernel_block block)
{
    block.origin = ORIGIN_VMALLOC;
    block.gfp = c->effective;
    block.handle = block.va = p;
    block.request = r->bytes;
    block.usable = r->pages << x->kernel->machine->page_shift;
    block.usermap = r->user;
    if (!judge_align(x, r, p) || !area_judge_span(x, p, r->pages) || !claim_frames(x, c, r, p, &block)) return false;
    if (!judge_zones(x, &block, r->masked ? RULE_B93 : RULE_B89) || !judge_cost(x, c, r) ||
        !area_judge_stale(x, p, block.frames))
        return false;
    if (!caches_settle(x, c)) return false;
    x->kernel->areas->known += block.frames;
    size_t at;
    for (uint32_t i = 0; r->zeroed && i < block.frames; i++) {
        const unsigned char *frame = machine_oracle(x->kernel->machine, kernel_frame(x, &block, i));
        exec_checked(x, RULE_B92);
        if (!payload_zero(frame, x->kernel->machine->page_bytes, &at))
            return exec_fail(x, RULE_B92, p, "zeroed pages", "byte %zu of page %u is 0x%02x", at, i, frame[at]);
    }
    if (r->old && !judge_copy(x, r, block)) return false;
    return kernel_enter(x, c, &block, false);
}

/* ---- Refused -------------------------------------------------------------------------------------------------------------- */

/* What is in nobody's hands is in a slab or behind an array of the allocator's own (B95). */
static bool judge_nothing_kept(struct exec *x, uint32_t kept)
{
    const struct kernel_model *k = x->kernel;
    struct slab_info info;
    uint64_t owned = k->frames.owned[FRAME_SLAB] + k->frames.owned[FRAME_PLAIN];
    uint64_t explained = area_model_busy(k->areas) - k->areas->known;
    exec_checked(x, RULE_B95);
    for (unsigned i = 0; k->ops->slabinfo && k->ops->slabinfo(x->heap, i, &info); i++)
        explained += (uint64_t)info.slabs * info.pages_per_slab;
    bool known = k->ops->slabinfo && !x->model.live && !k->caches->zombies && !pools_have_pages(x);
    if (known ? owned <= explained : kept <= KEPT_MAX) return true;
    return exec_fail(x, RULE_B95, NULL, "a refused request gives back all that it took",
                     "%u frames were kept, and %llu are in no slab and no area", kept,
                     (unsigned long long)(owned > explained ? owned - explained : 0));
}

bool area_refused(struct exec *x, struct kernel_call *c, const struct area_request *r)
{
    struct area_model *a = x->kernel->areas;
    struct window_info info;
    uint32_t kept = c->taken;
    if (!caches_settle(x, c) || !judge_nothing_kept(x, kept)) return false;
    if (x->kernel->ops->window_info) {
        x->kernel->ops->window_info(x->heap, &info);
        if (info.busy != area_model_busy(a))
            return exec_fail(x, RULE_B95, NULL, "no page of the window kept after a refusal",
                             "%u pages busy, %u are mapped", info.busy, area_model_busy(a));
    }
    exec_checked(x, RULE_B127);
    if (!r->must_succeed || c->injected || c->blocked) return true;
    if (r->lazy_needed && !c->count[EVENT_FLUSH])
        return exec_fail(x, RULE_B98, NULL, "what is lazy purged before a refusal", "NULL for %llu pages, %u are lazy",
                         (unsigned long long)r->pages, a->count[AREA_LAZY]);
    return exec_fail(x, RULE_B127, NULL, "an area: there are frames above the marks and a gap in the window",
                     "NULL for %llu pages", (unsigned long long)r->pages);
}

bool area_result(struct exec *x, struct kernel_call *c, const struct area_request *r, void *p,
                 struct kernel_block block)
{
    if (c->reported) return true;
    if (r->masked) exec_checked(x, RULE_B93);
    if (r->masked && r->possible && !c->count[EVENT_WARN])
        return exec_fail(x, RULE_B93, NULL, "a message: bits of the mask were taken away", "none under 0x%x",
                         c->op->gfp);
    if (!p) return area_refused(x, c, r);
    if (!r->possible) return exec_fail(x, RULE_B86, p, "NULL: nothing, or more than there is", "an area");
    return area_granted(x, c, r, p, block);
}

/* ---- New areas -------------------------------------------------------------------------------------------------------------- */

static bool step_new(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    const size_t page = x->kernel->machine->page_bytes, bytes = (size_t)a;
    const bool masked = op->kind == OP_VMALLOC_GFP;
    if (!kernel_idle(&x->kernel->blocks[slot]) || (masked && (b & (b - 1)))) return true;
    struct kernel_call c = {
        .op = op, .slot = slot, .act = ACT_MAP, .gfp = masked ? op->gfp & AREA_GFP : GFP_KERNEL, .request = bytes};
    struct area_request r = {.bytes = bytes,
                             .pages = area_pages_of(x, bytes),
                             .align = masked && b > page ? b : page,
                             .user = op->kind == OP_VMALLOC_USER,
                             .masked = masked && op->gfp & ~(unsigned)AREA_GFP,
                             .zeroed = op->kind == OP_VZALLOC || op->kind == OP_VMALLOC_USER ||
                                       (masked && op->gfp & GFP_BIT_ZERO)};
    caches_shared(x);
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    area_expect(x, &c, &r);
    void *p = NULL;
    switch ((enum op_kind)op->kind) {
    case OP_VMALLOC: p = CALL(x, vmalloc, bytes); break;
    case OP_VZALLOC: p = CALL(x, vzalloc, bytes); break;
    case OP_VMALLOC_USER: p = CALL(x, vmalloc_user, bytes); break;
    default: p = CALL(x, vmalloc_gfp, bytes, (size_t)b, op->gfp); break;
    }
    kernel_outcome(x, &c, p ? RESULT_PTR : RESULT_NULL, p);
    return kernel_end(x, &c) && area_result(x, &c, &r, p, (struct kernel_block){.always_zeroed = r.zeroed});
}

/* ---- vrealloc --------------------------------------------------------------------------------------------------------------- */

/* The pages suffice: the same address (B103). */
bool area_resized(struct exec *x, struct kernel_call *c, const struct kernel_block *old, uint64_t bytes, void *p)
{
    struct kernel_block *b = &x->kernel->blocks[c->slot];
    uint64_t kept = bytes < old->request ? bytes : old->request;
    size_t at;
    if (p != old->handle)
        return exec_fail(x, RULE_B103, p, "the same address: the pages suffice", p ? "another address" : "NULL");
    if (!kernel_settle(x, c, FRAME_FREE) || !kernel_verify_prefix(x, old, kept, RULE_B103)) return false;
    b->always_zeroed = old->always_zeroed && c->gfp & GFP_BIT_ZERO;
    if (b->always_zeroed && !payload_zero(old->va + kept, (size_t)(bytes - kept), &at))
        return exec_fail(x, RULE_B103, old->va + kept + at, "zeros behind the old contents", "byte %llu is not zero",
                         (unsigned long long)(kept + at));
    b->request = bytes;
    kernel_write(x, c->slot);
    return true;
}

/* A larger area elsewhere; the old one was freed on the way. */
static bool judge_grown(struct exec *x, struct kernel_call *c, struct area_request *r, const struct kernel_block *old,
                        void *p)
{
    if (p == old->handle)
        return exec_fail(x, RULE_B103, p, "a larger area: the old one is too small", "the same address");
    r->old = old;
    r->copy_rule = RULE_B103;
    if (!area_left(x, old) || !kernel_forget(x, c->slot, LIFE_NONE)) return false;
    return area_granted(x, c, r, p,
                        (struct kernel_block){.always_zeroed = old->always_zeroed && c->gfp & GFP_BIT_ZERO});
}

/* Resizing does not make an area more aligned than it is. */
static bool judge_misaligned(struct exec *x, struct kernel_call *c, const struct kernel_block *old, uint64_t align,
                             const void *p)
{
    if (p)
        return exec_fail(x, RULE_B103, p, "NULL: the old area is not aligned to that", "%s for an alignment of %llu",
                         p == old->handle ? "the same address" : "another area", (unsigned long long)align);
    return kernel_settle(x, c, FRAME_FREE) && kernel_verify(x, c->slot, RULE_B103);
}

static bool step_realloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    const struct kernel_block old = x->kernel->blocks[slot];
    const bool live = old.life == LIFE_LIVE;
    const size_t page = x->kernel->machine->page_bytes, bytes = (size_t)a;
    const bool misaligned = live && bytes && b && (uintptr_t)old.va % b;
    const bool shrinks = live && bytes && bytes <= old.usable;
    if (b & (b - 1)) return true;
    if (old.life == LIFE_DEFERRED || old.pins || (live && (old.origin != ORIGIN_VMALLOC || old.put))) return true;
    /* What does not allocate may be legal elsewhere: it depends on how it is done. */
    if (x->kernel->context != CONTEXT_TASK && live && (shrinks || misaligned || !bytes)) return true;
    if (live && !kernel_verify(x, slot, RULE_C10)) return false;
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_MAP, .gfp = op->gfp & AREA_GFP, .request = bytes};
    struct area_request r = {.bytes = bytes,
                             .pages = area_pages_of(x, bytes),
                             .align = b > page ? b : page,
                             .zeroed = !live && op->gfp & GFP_BIT_ZERO};
    caches_shared(x);
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    area_expect(x, &c, &r);
    void *p = CALL(x, vrealloc, live ? old.handle : NULL, bytes, (size_t)b, op->gfp);
    kernel_outcome(x, &c, p ? RESULT_PTR : RESULT_NULL, p);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return !live || kernel_verify(x, slot, c.must_rule);
    if (!live) return area_result(x, &c, &r, p, (struct kernel_block){.always_zeroed = r.zeroed});
    exec_checked(x, RULE_B103);
    if (!bytes) {
        if (p) return exec_fail(x, RULE_B103, p, "NULL: vrealloc to nothing is vfree", "an address");
        return area_left(x, &old) && kernel_forget(x, slot, LIFE_DEAD) && kernel_settle(x, &c, FRAME_FREE);
    }
    if (misaligned) return judge_misaligned(x, &c, &old, b, p);
    if (shrinks) return area_resized(x, &c, &old, bytes, p);
    if (!p) return area_refused(x, &c, &r) && kernel_verify(x, slot, RULE_B103);
    return judge_grown(x, &c, &r, &old, p);
}

/* ---- All of them -------------------------------------------------------------------------------------------------------------- */

static bool is_offered(const struct kernel_ops *ops, enum op_kind kind)
{
    switch (kind) {
    case OP_VMALLOC: return ops->vmalloc;
    case OP_VZALLOC: return ops->vzalloc;
    case OP_VMALLOC_USER: return ops->vmalloc_user;
    case OP_VMALLOC_GFP: return ops->vmalloc_gfp;
    case OP_VREALLOC: return ops->vrealloc;
    case OP_VFREE: return ops->vfree;
    case OP_VFREE_ATOMIC: return ops->vfree_atomic;
    case OP_VMAP: return ops->vmap && ops->pfn_to_page;
    case OP_VUNMAP: return ops->vunmap;
    case OP_REMAP: return ops->remap_vmalloc_range;
    case OP_KVMALLOC: return ops->kvmalloc;
    case OP_KVCALLOC: return ops->kvcalloc;
    case OP_KVREALLOC: return ops->kvrealloc;
    case OP_KVFREE: return ops->kvfree;
    case OP_RUN_DEFERRED: return ops->run_deferred;
    case OP_PURGE: return ops->vm_unmap_aliases;
    case OP_MISUSE: return ops->vfree;
    default: return false;
    }
}

bool exec_step_vmalloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    if (!is_offered(x->kernel->ops, (enum op_kind)op->kind)) return exec_skip(x, (enum op_kind)op->kind);
    switch ((enum op_kind)op->kind) {
    case OP_VREALLOC: return step_realloc(x, op, slot, a, b);
    case OP_VFREE:
    case OP_VFREE_ATOMIC:
    case OP_VUNMAP:
    case OP_KVFREE: return area_step_free(x, op, slot);
    case OP_VMAP: return area_step_vmap(x, op, slot, a, b);
    case OP_REMAP: return area_step_remap(x, op, slot, a, b);
    case OP_KVMALLOC:
    case OP_KVCALLOC: return area_step_kvmalloc(x, op, slot, a, b);
    case OP_KVREALLOC: return area_step_kvrealloc(x, op, slot, a);
    case OP_RUN_DEFERRED: return area_run_deferred(x, op);
    case OP_PURGE: return area_purge(x, op);
    case OP_MISUSE: return area_misuse(x, op, slot, a);
    default: return step_new(x, op, slot, a, b);
    }
}
