/* exec_kmap.c: temporary mappings of pages (B7, B8, C18). */
#include "exec_kernel.h"

#include "outcome.h"

#define LOCALS_MAX 8u /* held at once: every kernel has as many */
#define TOKEN_BYTES 64u

static struct kernel_kmap *find(struct kernel_model *k, uint32_t pfn)
{
    struct kernel_kmap *vacant = NULL;
    for (unsigned i = 0; i < KERNEL_KMAPS_MAX && (i < k->kmap_count || !vacant); i++) {
        struct kernel_kmap *m = &k->kmaps[i];
        if (m->count && m->pfn == pfn) return m;
        if (!m->count && !vacant) vacant = m;
    }
    return vacant;
}

/* The address shows the frame, in both directions. */
static bool judge_view(struct exec *x, const struct kernel_block *b, uint32_t i, unsigned char *va)
{
    const struct machine *m = x->kernel->machine;
    uint32_t pfn = kernel_frame(x, b, i);
    if (!kernel_shows(x, b, (uint64_t)i << m->page_shift, TOKEN_BYTES, va)) return false;
    volatile unsigned char *here = va + m->page_bytes - 1, *there = machine_oracle(m, pfn) + m->page_bytes - 1;
    unsigned char old = *here, seen;
    *here = (unsigned char)~old;
    seen = *there;
    *here = old;
    exec_checked(x, RULE_C18);
    return seen == (unsigned char)~old ||
           exec_fail(x, RULE_C18, va, "the frame written through its mapping", "frame %u is unchanged", pfn);
}

/* Where a mapping of this frame may be (B8). */
static bool judge_address(struct exec *x, uint32_t pfn, const unsigned char *va)
{
    const struct kernel_model *k = x->kernel;
    const struct machine *m = k->machine;
    exec_checked(x, RULE_B8);
    if (pfn < m->lowmem_frames) {
        if (va == machine_direct(m, pfn)) return true;
        return exec_fail(x, RULE_B8, va, "a lowmem page's address in the direct map", "another one for frame %u", pfn);
    }
    bool inside =
        va >= m->pkmap && va < m->pkmap + m->pkmap_slots * m->page_bytes && (uintptr_t)va % m->page_bytes == 0;
    return inside || exec_fail(x, RULE_B8, va, "the address of a kmap slot", "another one for frame %u", pfn);
}

/* What the page tables say, after what the bytes said. */
static bool judge_table(struct exec *x, uint32_t pfn, const unsigned char *va)
{
    const struct machine *m = x->kernel->machine;
    exec_checked(x, RULE_B8);
    if (pfn < m->lowmem_frames || machine_translate(m, va) == pfn) return true;
    return exec_fail(x, RULE_B8, va, "a slot that shows the page", "frame %u is not there", pfn);
}

/* ---- kmap and kunmap ------------------------------------------------------------------------------------------------ */

static uint32_t highmem_mapped(const struct kernel_model *k)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < k->kmap_count; i++)
        if (k->kmaps[i].count && k->kmaps[i].pfn >= k->machine->lowmem_frames) count++;
    return count;
}

static bool map(struct exec *x, const struct op *op, unsigned slot, uint32_t i)
{
    struct kernel_model *k = x->kernel;
    struct kernel_block *b = &k->blocks[slot];
    uint32_t pfn = kernel_frame(x, b, i);
    struct kernel_kmap *entry = find(k, pfn);
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_KMAP, .may_block = true};
    if (!entry || b->pins == UINT16_MAX) return true;
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    struct page *page = k->ops->pfn_to_page(x->heap, pfn);
    unsigned char *va = k->ops->kmap(x->heap, page);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return !va || exec_fail(x, c.must_rule, va, "no mapping", "one");
    exec_checked(x, RULE_B8);
    if (!va) {
        kernel_outcome(x, &c, RESULT_NULL, NULL);
        if (c.blocked && !entry->count && highmem_mapped(k) >= k->machine->pkmap_slots / 2) return true;
        return exec_fail(x, RULE_B8, NULL, "a mapping: there are slots", "NULL");
    }
    kernel_outcome(x, &c, RESULT_PTR, va);
    if (entry->count && entry->va != va)
        return exec_fail(x, RULE_B8, va, "the address that the page has already", "another one");
    for (unsigned j = 0; j < k->kmap_count; j++)
        if (k->kmaps[j].count && k->kmaps[j].va == va && k->kmaps[j].pfn != pfn)
            return exec_fail(x, RULE_B8, va, "an address of its own", "that of frame %u", k->kmaps[j].pfn);
    if (!judge_address(x, pfn, va)) return false;
    exec_checked(x, RULE_B7);
    if (k->ops->page_address(x->heap, page) != va)
        return exec_fail(x, RULE_B7, va, "page_address of a mapped page", "another address");
    uint32_t count = entry->count + 1;
    *entry = (struct kernel_kmap){.pfn = pfn, .slot = slot, .page = i, .va = va, .count = count};
    if (entry - k->kmaps >= (ptrdiff_t)k->kmap_count) k->kmap_count = (uint32_t)(entry - k->kmaps) + 1;
    b->pins++;
    return judge_view(x, b, i, va) && judge_table(x, pfn, va);
}

static bool unmap(struct exec *x, const struct op *op, struct kernel_kmap *entry)
{
    struct kernel_model *k = x->kernel;
    struct kernel_call c = {
        .op = op, .slot = entry->slot, .act = ACT_KMAP_LOCAL}; /* which kunmap is like: it never waits */
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    k->ops->kunmap(x->heap, k->ops->pfn_to_page(x->heap, entry->pfn));
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return true;
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    entry->count--;
    k->blocks[entry->slot].pins--;
    exec_checked(x, RULE_B8);
    if (!entry->count) return true;
    if (k->ops->page_address(x->heap, k->ops->pfn_to_page(x->heap, entry->pfn)) != entry->va)
        return exec_fail(x, RULE_B8, entry->va, "a page mapped as often as it was kmapped", "frame %u is not any more",
                         entry->pfn);
    return judge_table(x, entry->pfn, entry->va) && judge_view(x, &k->blocks[entry->slot], entry->page, entry->va);
}

/* ---- Local ones ----------------------------------------------------------------------------------------------------- */

static bool map_local(struct exec *x, const struct op *op, unsigned slot, uint32_t i)
{
    struct kernel_model *k = x->kernel;
    struct kernel_block *b = &k->blocks[slot];
    uint32_t pfn = kernel_frame(x, b, i);
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_KMAP_LOCAL};
    if (k->local_count == LOCALS_MAX || b->pins == UINT16_MAX) return true;
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    unsigned char *va = k->ops->kmap_local(x->heap, k->ops->pfn_to_page(x->heap, pfn));
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return !va || exec_fail(x, c.must_rule, va, "no mapping", "one");
    exec_checked(x, RULE_B8);
    if (!va) return exec_fail(x, RULE_B8, NULL, "a local mapping, in any context", "NULL");
    kernel_outcome(x, &c, RESULT_PTR, va);
    k->locals[k->local_count++] = (struct kernel_kmap){.pfn = pfn, .slot = slot, .page = i, .va = va, .count = 1};
    b->pins++;
    return judge_address(x, pfn, va) && judge_view(x, b, i, va) && judge_table(x, pfn, va);
}

static bool unmap_local(struct exec *x, const struct op *op)
{
    struct kernel_model *k = x->kernel;
    if (!k->local_count) return true;
    struct kernel_kmap *entry = &k->locals[k->local_count - 1];
    struct kernel_call c = {.op = op, .slot = entry->slot, .act = ACT_KMAP_LOCAL};
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    k->ops->kunmap_local(x->heap, entry->va);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return true;
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    k->local_count--;
    k->blocks[entry->slot].pins--;
    return true;
}

bool exec_step_kmap(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t unused)
{
    (void)unused;
    struct kernel_model *k = x->kernel;
    const struct kernel_block *b = &k->blocks[slot];
    bool local = op->kind == OP_KMAP_LOCAL || op->kind == OP_KUNMAP_LOCAL;
    if (local ? !k->ops->kmap_local || !k->ops->kunmap_local : !k->ops->kmap || !k->ops->kunmap)
        return exec_skip(x, (enum op_kind)op->kind);
    if (op->kind == OP_KUNMAP_LOCAL) return unmap_local(x, op);
    bool pages = b->life == LIFE_LIVE && b->origin >= ORIGIN_PAGES && b->origin <= ORIGIN_BULK;
    if (!pages || kernel_busy(x, slot)) return true;
    uint32_t i = (uint32_t)(a % b->frames);
    if (op->kind == OP_KMAP_LOCAL) return map_local(x, op, slot, i);
    if (op->kind == OP_KMAP) return map(x, op, slot, i);
    struct kernel_kmap *entry = find(k, kernel_frame(x, b, i));
    return !entry || !entry->count || unmap(x, op, entry);
}

bool pages_unmap_all(struct exec *x)
{
    static const struct op unmap_op = {.kind = OP_KUNMAP, .count = 1}, local_op = {.kind = OP_KUNMAP_LOCAL, .count = 1};
    struct kernel_model *k = x->kernel;
    while (k->local_count)
        if (!unmap_local(x, &local_op)) return false;
    for (unsigned i = 0; i < k->kmap_count; i++)
        while (k->kmaps[i].count)
            if (!unmap(x, &unmap_op, &k->kmaps[i])) return false;
    return true;
}
