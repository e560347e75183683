/* exec_pages.c: the calls of the page allocator (B12-B41) and what the model says of them; kmap is in exec_kmap.c. */
#include "exec_kernel.h"

#include "outcome.h"

#include <string.h>

#define BULK_MAX 256u
#define REFERENCES_MAX 100u
#define ORDER_NONE 63u /* no block has it */

static struct page *page_of(struct exec *x, const struct kernel_block *b)
{
    return b->origin == ORIGIN_PAGES ? b->handle : x->kernel->ops->pfn_to_page(x->heap, b->pfn);
}

static bool vacant(const struct exec *x, unsigned slot)
{
    uint8_t life = x->kernel->blocks[slot].life;
    return life == LIFE_NONE || life == LIFE_DEAD;
}

/* The smallest order whose blocks have that many bytes; ORDER_NONE if there is none (B26). */
static unsigned order_of(const struct machine *m, uint64_t bytes)
{
    unsigned order = 0;
    while (order <= m->max_order && (uint64_t)m->page_bytes << order < bytes) order++;
    return order <= m->max_order ? order : ORDER_NONE;
}

/* ---- A request ------------------------------------------------------------------------------------------------------ */

/* What its mask is wrong in, beyond the context. Two errors at once, or an error in what is refused anyway, are not asked
 * for: which of them is found first is nobody's promise. */
static bool worth_asking(struct exec *x, struct kernel_call *c)
{
    enum rule bad = mask_bad(c->effective);
    exec_checked(x, RULE_B4);
    exec_checked(x, RULE_B5);
    bool impossible = c->order > x->kernel->machine->max_order, misplaced = c->must != REPORT_KINDS;
    if ((misplaced && (bad != RULE_NONE || impossible)) || (impossible && bad != RULE_NONE)) {
        kernel_abandon(x, c);
        return false;
    }
    if (bad != RULE_NONE) {
        c->must = REPORT_BAD_GFP;
        c->must_rule = bad;
    }
    return !kernel_declines(x, c);
}

/* What a request must and must not have done on its way, whatever came of it (B32, B50). */
static bool judge_way(struct exec *x, const struct kernel_call *c)
{
    bool waits = mask_reclaims(c->effective, x->kernel->scope);
    exec_checked(x, RULE_B50);
    if (waits && !c->count[EVENT_MIGHT_SLEEP])
        return exec_fail(x, RULE_B50, NULL, "word that the request may sleep", "none under 0x%x", c->effective);
    if (c->plenty && (c->count[EVENT_SLEPT] || c->count[EVENT_DIRECT_RECLAIM] || c->count[EVENT_OOM]))
        return exec_fail(x, RULE_B50, NULL, "no waiting: a zone is above its low mark",
                         "slept %u times, reclaimed %u times", c->count[EVENT_SLEPT], c->count[EVENT_DIRECT_RECLAIM]);
    exec_checked(x, RULE_B32);
    if (c->plenty && c->count[EVENT_WAKE_KSWAPD])
        return exec_fail(x, RULE_B32, NULL, "kswapd left asleep: a zone is above its low mark", "it was woken");
    if (!c->plenty && !c->injected && (c->effective & GFP_BIT_KSWAPD) && !c->count[EVENT_WAKE_KSWAPD])
        return exec_fail(x, RULE_B32, NULL, "kswapd woken: no zone is above its low mark", "it was not");
    return true;
}

/* NULL although the mask allows to wait (B38-B40). */
static bool judge_patience(struct exec *x, const struct kernel_call *c)
{
    unsigned gfp = c->effective, rounds = c->count[EVENT_DIRECT_RECLAIM];
    bool nofail = mask_never_fails(gfp), small = c->order <= COSTLY_ORDER;
    /* Without FS, and where nofail overrides a modest wish, killing is left to the allocator. */
    bool kills = mask_kills(x->kernel->machine, gfp, x->kernel->scope, c->order) && (gfp & GFP_BIT_FS) &&
                 !(gfp & (GFP_BIT_NORETRY | GFP_BIT_RETRY_MAYFAIL));
    if (nofail) {
        exec_checked(x, RULE_B40);
        if (!c->blocked) return exec_fail(x, RULE_B40, NULL, "a block, or waiting: the mask has nofail", "NULL");
    }
    if (!mask_reclaims(gfp, x->kernel->scope)) return true;
    if ((gfp & GFP_BIT_NORETRY) && !nofail) {
        exec_checked(x, RULE_B39);
        if (rounds || !small) return true;
        return exec_fail(x, RULE_B39, NULL, "one round of reclaim before a refusal", "none");
    }
    if ((gfp & GFP_BIT_RETRY_MAYFAIL) && !nofail) {
        exec_checked(x, RULE_B39);
        if (rounds && !c->reclaimed) return true;
        return exec_fail(x, RULE_B39, NULL, "no refusal while reclaim makes progress",
                         "%u rounds, the last of %u frames", rounds, c->reclaimed);
    }
    exec_checked(x, RULE_B38);
    bool left = small && (kernel_reclaimable(x, gfp, false) || (kills && kernel_reclaimable(x, gfp, true)));
    if (rounds && !left) return true;
    return exec_fail(x, nofail ? RULE_B40 : RULE_B38, NULL,
                     small ? "a block, or everything reclaimed and killed that may be"
                           : "a round of reclaim before a refusal",
                     "NULL for order %u under 0x%x after %u rounds", c->order, gfp, rounds);
}

/* A request came to nothing: must it have been served, and is everything as it was (B28, C32)? */
static bool judge_refusal(struct exec *x, struct kernel_call *c)
{
    kernel_outcome(x, c, RESULT_NULL, NULL);
    if ((c->injected & 1u << FAULT_PAGES) && (c->count[EVENT_TAKE] || c->count[EVENT_GIVE]))
        return exec_fail(x, RULE_B116, NULL, "an injected failure before anything has changed",
                         "%u frames taken, %u given back", c->count[EVENT_TAKE], c->count[EVENT_GIVE]);
    if (!kernel_settle(x, c, FRAME_FREE) || !kernel_zones(x)) return false;
    exec_checked(x, RULE_C32);
    exec_checked(x, RULE_B41);
    if ((c->effective & GFP_BIT_NOWARN) && c->count[EVENT_WARN])
        return exec_fail(x, RULE_B41, NULL, "no message under nowarn", "%u", c->count[EVENT_WARN]);
    if (c->order > x->kernel->machine->max_order) return true;
    if (c->injected & 1u << FAULT_PAGES) {
        exec_checked(x, RULE_B116);
        exec_checked(x, RULE_B114);
        if (!(c->effective & GFP_BIT_NOFAIL)) return true;
        return exec_fail(x, RULE_B114, NULL, "no injected failure of a request that must not fail", "one was injected");
    }
    exec_checked(x, RULE_B28);
    if (c->must_succeed || kernel_must_succeed(x, c->effective, c->order))
        return exec_fail(x, RULE_B28, NULL, "a block: a zone that may serve it has one above its mark",
                         "NULL for order %u under 0x%x", c->order, c->effective);
    return judge_patience(x, c);
}

/* A request was served with frames [pfn, pfn + count) of a block of its order. */
static bool judge_grant(struct exec *x, struct kernel_call *c, uint32_t pfn, uint32_t count)
{
    const struct machine *m = x->kernel->machine;
    exec_checked(x, RULE_B12);
    if (c->order > m->max_order)
        return exec_fail(x, RULE_B12, NULL, "a refusal: no block is that large", "a block of order %u", c->order);
    exec_checked(x, RULE_B114);
    if (c->injected & 1u << FAULT_PAGES)
        return exec_fail(x, RULE_B114, NULL, "a refusal: the failure was injected", "a block");
    exec_checked(x, RULE_B13);
    if (pfn & ((1u << c->order) - 1))
        return exec_fail(x, RULE_B13, NULL, "a first frame that is a multiple of the length", "frame %u, order %u", pfn,
                         c->order);
    if (!kernel_claim(x, c, pfn, count)) return false;
    exec_checked(x, RULE_B3);
    if (machine_zone_of(m, pfn) > mask_zone(m, c->effective))
        return exec_fail(x, c->op->kind == OP_ALLOC_PAGES ? RULE_B3 : RULE_B20, NULL,
                         "a block of the zone that the mask selects, or of a lower one", "%s under 0x%x",
                         machine_zone_names[machine_zone_of(m, pfn)], c->effective);
    exec_checked(x, RULE_B25);
    if (c->taken)
        return exec_fail(x, c->op->kind == OP_ALLOC_PAGES_EXACT ? RULE_B25 : RULE_C25, NULL,
                         "no frame taken beyond what was asked for", "%u more", c->taken);
    return kernel_settle(x, c, FRAME_FREE);
}

/* Pages, numbers and addresses correspond (B1, B6, B7), and every frame of a compound block leads to its head (B27). */
static bool judge_page(struct exec *x, struct page *head, uint32_t pfn, uint32_t i, bool compound)
{
    const struct kernel_ops *ops = x->kernel->ops;
    struct page *page = ops->pfn_to_page(x->heap, pfn + i);
    void *direct = machine_direct(x->kernel->machine, pfn + i);
    exec_checked(x, RULE_B1);
    if (!page || ops->page_to_pfn(x->heap, page) != pfn + i || (i == 0 && page != head))
        return exec_fail(x, RULE_B1, NULL, "one page for each frame", "page_to_pfn(pfn_to_page(%u)) is another",
                         pfn + i);
    exec_checked(x, direct ? RULE_B6 : RULE_B7);
    if (ops->page_address && ops->page_address(x->heap, page) != direct)
        return exec_fail(x, direct ? RULE_B6 : RULE_B7, direct, direct ? "its address in the direct map" : "no address",
                         "page_address of frame %u is another", pfn + i);
    if (direct && ops->virt_to_page && ops->virt_to_page(x->heap, (unsigned char *)direct + pfn % 4096) != page)
        return exec_fail(x, RULE_B1, direct, "virt_to_page that leads back", "another page for frame %u", pfn + i);
    exec_checked(x, RULE_B27);
    if (!ops->compound_head || ops->compound_head(x->heap, page) == (compound ? head : page)) return true;
    return exec_fail(x, RULE_B27, NULL, compound ? "the head of the compound block" : "the page itself",
                     "compound_head of frame %u is another", pfn + i);
}

static bool judge_pages(struct exec *x, struct page *head, uint32_t pfn, uint32_t count, bool compound)
{
    if (!judge_page(x, head, pfn, 0, compound)) return false;
    if (count == 1) return true;
    uint32_t middle = x->kernel->probes++ % count;
    return judge_page(x, head, pfn, middle, compound) && judge_page(x, head, pfn, count - 1, compound);
}

static bool enter(struct exec *x, struct kernel_call *c, enum kernel_origin origin, void *handle, uint32_t pfn,
                  uint64_t bytes)
{
    const struct machine *m = x->kernel->machine;
    uint32_t count = (uint32_t)((bytes + m->page_bytes - 1) >> m->page_shift);
    unsigned char *va = machine_direct(m, pfn);
    bool compound = origin != ORIGIN_EXACT && c->order > 0 && (c->effective & GFP_BIT_COMP);
    struct page *head = origin == ORIGIN_PAGES ? handle : x->kernel->ops->pfn_to_page(x->heap, pfn);
    const struct kernel_block block = {.origin = (uint8_t)origin,
                                       .order = (uint8_t)c->order,
                                       .compound = compound,
                                       .gfp = c->effective,
                                       .handle = handle,
                                       .va = va,
                                       .pfn = pfn,
                                       .frames = count,
                                       .list = LIST_NONE,
                                       .request = bytes,
                                       .usable = (uint64_t)count << m->page_shift};
    kernel_outcome(x, c, RESULT_PTR, m->direct + ((size_t)pfn << m->page_shift));
    return judge_pages(x, head, pfn, count, compound) && kernel_enter(x, c, &block, c->effective & GFP_BIT_ZERO);
}

/* A call that was reported gives nothing. */
static bool gave_nothing(struct exec *x, const struct kernel_call *c, bool granted)
{
    return !granted || exec_fail(x, c->must_rule, NULL, "nothing granted to a call that is an error", "a block");
}

/* ---- Allocations ---------------------------------------------------------------------------------------------------- */

static EXEC_HOT bool step_alloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t unused)
{
    (void)unused;
    const struct kernel_ops *ops = x->kernel->ops;
    const struct machine *m = x->kernel->machine;
    unsigned order = op->kind == OP_GET_ZEROED_PAGE ? 0 : a < ORDER_NONE ? (unsigned)a : ORDER_NONE;
    struct kernel_call c = {
        .op = op, .slot = slot, .act = ACT_ALLOC, .gfp = op->gfp, .order = order, .request = order, .single = true};
    bool pages = op->kind == OP_ALLOC_PAGES;
    if (pages ? !ops->alloc_pages : op->kind == OP_GET_FREE_PAGES ? !ops->get_free_pages : !ops->get_zeroed_page)
        return exec_skip(x, (enum op_kind)op->kind);
    if (!vacant(x, slot)) return true;
    if (!pages) c.gfp &= ~(unsigned)GFP_BIT_HIGHMEM; /* not asked for: the result is an address (B20) */
    if (op->kind == OP_GET_ZEROED_PAGE) c.gfp |= GFP_BIT_ZERO;
    if (!kernel_begin(x, &c)) return false;
    if (!worth_asking(x, &c)) return true;
    void *p = pages                           ? (void *)ops->alloc_pages(x->heap, op->gfp, order)
              : op->kind == OP_GET_FREE_PAGES ? ops->get_free_pages(x->heap, op->gfp, order)
                                              : ops->get_zeroed_page(x->heap, op->gfp);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return gave_nothing(x, &c, p);
    if (!p && !judge_refusal(x, &c)) return false;
    if (order <= m->max_order && !judge_way(x, &c)) return false;
    if (!p) return true;
    uint32_t pfn = pages ? ops->page_to_pfn(x->heap, p) : machine_direct_pfn(m, p);
    exec_checked(x, pages ? RULE_B12 : RULE_B20);
    if (!pages && (pfn == PFN_NONE || (uintptr_t)p % m->page_bytes))
        return exec_fail(x, RULE_B20, p, "the address of a page in the direct map", "another address");
    return judge_grant(x, &c, pfn, 1u << (order < 31 ? order : 31)) &&
           enter(x, &c, pages ? ORIGIN_PAGES : ORIGIN_ADDRESS, p, pfn, (uint64_t)m->page_bytes << order);
}

static bool step_exact(struct exec *x, const struct op *op, unsigned slot, uint64_t bytes, uint64_t unused)
{
    (void)unused;
    const struct kernel_ops *ops = x->kernel->ops;
    const struct machine *m = x->kernel->machine;
    if (!ops->alloc_pages_exact || !ops->free_pages_exact) return exec_skip(x, OP_ALLOC_PAGES_EXACT);
    if (!vacant(x, slot) || !bytes) return true;
    unsigned gfp = op->gfp & ~(unsigned)(GFP_BIT_HIGHMEM | GFP_BIT_COMP);
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_ALLOC, .gfp = gfp, .request = bytes};
    c.order = order_of(m, bytes);
    if (!kernel_begin(x, &c)) return false;
    if (!worth_asking(x, &c)) return true;
    void *p = ops->alloc_pages_exact(x->heap, (size_t)bytes, op->gfp);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return gave_nothing(x, &c, p);
    /* That bits were stripped is said aloud whatever the mask says about failures. */
    if (op->gfp != gfp) c.count[EVENT_WARN] = 0;
    if (!p && !judge_refusal(x, &c)) return false;
    if (c.order <= m->max_order && !judge_way(x, &c)) return false;
    if (!p) return true;
    uint32_t pfn = machine_direct_pfn(m, p);
    exec_checked(x, RULE_B25);
    if (pfn == PFN_NONE || (uintptr_t)p % m->page_bytes)
        return exec_fail(x, RULE_B25, p, "the address of a page in the direct map", "another address");
    return judge_grant(x, &c, pfn, (uint32_t)((bytes + m->page_bytes - 1) >> m->page_shift)) &&
           enter(x, &c, ORIGIN_EXACT, p, pfn, bytes);
}

/* An array that a bulk call fills: `kept` is an element that was there before and has to stay, count if there is none. */
struct array {
    struct page *pages[BULK_MAX];
    struct page *old;
    uint32_t count, kept;
};

/* The array is filled from the front, as far as is said (B26). */
static bool judge_array(struct exec *x, const struct array *a, size_t filled)
{
    exec_checked(x, RULE_B26);
    if (filled > a->count)
        return exec_fail(x, RULE_B26, NULL, "at most as many pages as asked for", "%zu of %u", filled, a->count);
    if (a->kept < a->count && a->pages[a->kept] != a->old)
        return exec_fail(x, RULE_B26, NULL, "an element that was not empty left alone", "element %u changed", a->kept);
    for (uint32_t i = 0; i < a->count; i++)
        if (i != a->kept && !a->pages[i] != (i >= filled))
            return exec_fail(x, RULE_B26, NULL, "pages up to the number returned, and none behind", "element %u of %zu",
                             i, filled);
    return true;
}

/* The pages of the array become one block, with a list of its frames. */
static bool enter_array(struct exec *x, struct kernel_call *c, const struct array *a, size_t filled)
{
    struct kernel_model *k = x->kernel;
    const struct machine *m = k->machine;
    uint32_t frames = (uint32_t)filled - (a->kept < filled), list = kernel_list(x, frames), n = 0;
    for (uint32_t i = 0; i < filled; i++) {
        if (i == a->kept) continue;
        uint32_t pfn = k->ops->page_to_pfn(x->heap, a->pages[i]);
        if (!kernel_claim(x, c, pfn, 1) || !judge_page(x, a->pages[i], pfn, 0, false)) return false;
        exec_checked(x, RULE_B3);
        if (machine_zone_of(m, pfn) > mask_zone(m, c->effective))
            return exec_fail(x, RULE_B3, NULL, "pages of the zone that the mask selects, or of a lower one",
                             "frame %u under 0x%x", pfn, c->effective);
        k->pfns[list + n++] = pfn;
    }
    if (!kernel_settle(x, c, FRAME_FREE)) return false;
    const struct kernel_block block = {.origin = ORIGIN_BULK,
                                       .gfp = c->effective,
                                       .pfn = k->pfns[list],
                                       .frames = frames,
                                       .list = list,
                                       .request = (uint64_t)frames << m->page_shift,
                                       .usable = (uint64_t)frames << m->page_shift};
    kernel_outcome(x, c, RESULT_PTR, m->direct + ((size_t)block.pfn << m->page_shift));
    return kernel_enter(x, c, &block, c->effective & GFP_BIT_ZERO);
}

static bool step_bulk(struct exec *x, const struct op *op, unsigned slot, uint64_t n, uint64_t unused)
{
    (void)unused;
    struct kernel_model *k = x->kernel;
    struct array a = {.count = n < BULK_MAX ? (uint32_t)n : BULK_MAX};
    if (!k->ops->alloc_pages_bulk) return exec_skip(x, OP_ALLOC_PAGES_BULK);
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_ALLOC, .gfp = op->gfp, .request = a.count};
    if (!vacant(x, slot) || !a.count || kernel_list(x, a.count) == LIST_NONE) return true;
    k->pfns_used -= a.count; /* there is room */
    a.kept = k->probes++ % 4 || a.count < 3 ? a.count : a.count / 2;
    a.old = k->ops->pfn_to_page(x->heap, k->machine->lowmem_frames - 1);
    if (a.kept < a.count) a.pages[a.kept] = a.old;
    if (!kernel_begin(x, &c)) return false;
    if (!worth_asking(x, &c)) return true;
    size_t filled = k->ops->alloc_pages_bulk(x->heap, op->gfp, a.count, a.pages);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return gave_nothing(x, &c, filled);
    if (!judge_array(x, &a, filled)) return false;
    return filled ? enter_array(x, &c, &a, filled) : judge_refusal(x, &c);
}

/* ---- Frees ---------------------------------------------------------------------------------------------------------- */

static void call_free(struct exec *x, const struct kernel_block *b, unsigned order)
{
    const struct kernel_ops *ops = x->kernel->ops;
    switch ((enum kernel_origin)b->origin) {
    case ORIGIN_PAGES: ops->free_page_block(x->heap, b->handle, order); break;
    case ORIGIN_ADDRESS: ops->free_pages(x->heap, b->handle, order); break;
    case ORIGIN_EXACT: ops->free_pages_exact(x->heap, b->handle, (size_t)b->request); break;
    default:
        for (uint32_t i = 0; i < b->frames; i++)
            ops->free_page_block(x->heap, ops->pfn_to_page(x->heap, kernel_frame(x, b, i)), 0);
    }
}

/* One reference less; the last one takes the block (B23). `put`: by put_page, which lets go of nothing but the head. */
static bool let_go(struct exec *x, struct kernel_call *c, bool put)
{
    struct kernel_block *b = &x->kernel->blocks[c->slot];
    if (!kernel_settle(x, c, FRAME_FREE)) return false;
    kernel_outcome(x, c, RESULT_VOID, x->kernel->machine->direct + ((size_t)b->pfn << x->kernel->machine->page_shift));
    if (!b->references) return kernel_forget(x, c->slot, LIFE_DEAD);
    b->references--;
    uint32_t tails = put || b->compound ? 0 : b->frames - 1;
    exec_checked(x, RULE_B23);
    if (c->count[EVENT_GIVE] != tails)
        return exec_fail(x, RULE_B23, NULL, "the head kept while there are references, of a compound block all of it",
                         "%u frames given back instead of %u", c->count[EVENT_GIVE], tails);
    if (!put && b->origin == ORIGIN_EXACT) b->origin = ORIGIN_ADDRESS; /* a frame like any other */
    if (!tails) return true;
    b->order = 0;
    b->frames = 1;
    b->usable = x->kernel->machine->page_bytes;
    if (b->request > b->usable) {
        x->kernel->live_bytes -= b->request - b->usable;
        b->request = b->usable;
    }
    kernel_write(x, c->slot); /* which bytes of a block are looked at follows from its size */
    return kernel_verify(x, c->slot, RULE_B23);
}

/* Frees the slot's block; with `more` not 0 as one of another order, which is an error (B22). */
static bool free_block(struct exec *x, const struct op *op, unsigned slot, uint64_t more)
{
    struct kernel_block *b = &x->kernel->blocks[slot];
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_FREE, .request = b->frames};
    bool has_order = b->origin == ORIGIN_PAGES || b->origin == ORIGIN_ADDRESS;
    unsigned order =
        has_order && more ? (b->order + 1u + (unsigned)(more - 1) % (MACHINE_ORDERS - 1)) % MACHINE_ORDERS : b->order;
    if (!kernel_verify(x, slot, RULE_C10) || !kernel_begin(x, &c)) return false;
    if (order != b->order) {
        if (c.must != REPORT_KINDS) {
            kernel_abandon(x, &c);
            return true;
        }
        c.must = REPORT_BAD_FREE_ORDER;
        c.must_rule = RULE_B22;
    }
    if (b->origin == ORIGIN_BULK) c.must_count = b->frames; /* as many calls */
    if (kernel_declines(x, &c)) return true;
    call_free(x, b, order);
    if (!kernel_end(x, &c)) return false;
    return c.reported || let_go(x, &c, false);
}

bool pages_release(struct exec *x, unsigned slot)
{
    static const struct op op = {.kind = OP_FREE_PAGES, .count = 1};
    const struct kernel_block *b = &x->kernel->blocks[slot];
    for (unsigned i = 0; b->life == LIFE_LIVE && i <= REFERENCES_MAX; i++)
        if (!free_block(x, &op, slot, 0)) return false;
    return true;
}

static bool is_pages(const struct kernel_block *b)
{
    return b->life == LIFE_LIVE && b->origin >= ORIGIN_PAGES && b->origin <= ORIGIN_BULK;
}

static EXEC_HOT bool step_free(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t unused)
{
    (void)unused;
    const struct kernel_model *k = x->kernel;
    if (k->blocks[slot].life == LIFE_NONE && k->ops->free_pages && k->context != CONTEXT_NMI) {
        struct kernel_call c = {.op = op, .slot = slot, .act = ACT_FREE};
        if (!kernel_begin(x, &c)) return false;
        k->ops->free_pages(x->heap, NULL, (unsigned)(a % MACHINE_ORDERS));
        exec_checked(x, RULE_B21);
        if (x->lender.reports != c.reports_before) return exec_fail(x, RULE_B21, NULL, "nothing", "a report of misuse");
        return kernel_end(x, &c);
    }
    return !is_pages(&k->blocks[slot]) || !kernel_free_to_go(x, slot) || free_block(x, op, slot, a);
}

/* ---- References and splitting --------------------------------------------------------------------------------------- */

static bool step_reference(struct exec *x, const struct op *op, unsigned slot, uint64_t unused, uint64_t unused2)
{
    (void)unused, (void)unused2;
    struct kernel_model *k = x->kernel;
    struct kernel_block *b = &k->blocks[slot];
    bool get = op->kind == OP_GET_PAGE;
    if (!k->ops->get_page || !k->ops->put_page) return exec_skip(x, (enum op_kind)op->kind);
    if (!is_pages(b) || b->origin == ORIGIN_BULK || b->droppable || k->context == CONTEXT_NMI) return true;
    if (get ? b->references == REFERENCES_MAX : !kernel_free_to_go(x, slot)) return true;
    /* The last reference to a plain block of several frames is its owner's: put_page would lose the others. That of an exact
     * one goes with its bytes (B25). */
    if (!get && !b->references && ((b->frames > 1 && !b->compound) || b->origin == ORIGIN_EXACT)) return true;
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_FREE};
    if (!kernel_verify(x, slot, RULE_C10) || !kernel_begin(x, &c)) return false;
    struct page *page = page_of(x, b);
    if (b->compound) page = k->ops->pfn_to_page(x->heap, b->pfn + k->probes++ % b->frames);
    if (get) k->ops->get_page(x->heap, page);
    else k->ops->put_page(x->heap, page);
    if (!kernel_end(x, &c)) return false;
    if (!get) return let_go(x, &c, true);
    b->references++;
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    exec_checked(x, RULE_B23);
    return !c.count[EVENT_GIVE] ||
           exec_fail(x, RULE_B23, NULL, "a reference more, and nothing else", "frames given back");
}

static bool step_split(struct exec *x, const struct op *op, unsigned slot, uint64_t unused, uint64_t unused2)
{
    (void)unused, (void)unused2;
    struct kernel_model *k = x->kernel;
    struct kernel_block *b = &k->blocks[slot];
    if (!k->ops->split_page) return exec_skip(x, OP_SPLIT_PAGE);
    if (!is_pages(b) || (b->origin != ORIGIN_PAGES && b->origin != ORIGIN_ADDRESS)) return true;
    if (!b->order || b->compound || b->references || k->context == CONTEXT_NMI || kernel_busy(x, slot)) return true;
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_FREE};
    if (!kernel_begin(x, &c)) return false;
    k->ops->split_page(x->heap, page_of(x, b), b->order);
    if (!kernel_end(x, &c)) return false;
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    exec_checked(x, RULE_B24);
    if (c.count[EVENT_TAKE] || c.count[EVENT_GIVE])
        return exec_fail(x, RULE_B24, NULL, "nothing taken or freed by split_page", "%u frames taken, %u given back",
                         c.count[EVENT_TAKE], c.count[EVENT_GIVE]);
    b->origin = ORIGIN_BULK;
    b->order = 0;
    return kernel_verify(x, slot, RULE_B24);
}

static bool step_droppable(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t unused)
{
    (void)op, (void)unused;
    struct kernel_block *b = &x->kernel->blocks[slot];
    if (!kernel_free_to_go(x, slot) || b->droppable || b->references) return true;
    if (b->origin == ORIGIN_VMAP || b->origin == ORIGIN_ZERO_SIZE || b->origin == ORIGIN_ELEMENT) return true;
    b->droppable = (uint8_t)(1 + a % 4);
    x->kernel->droppable++;
    return true;
}

/* ---- Contract errors (B22) ------------------------------------------------------------------------------------------ */

/* A frame that nobody was ever given, in lowmem; PFN_NONE if the model knows of none. */
static uint32_t never_given(const struct kernel_model *k)
{
    for (uint32_t pfn = k->machine->lowmem_frames; pfn >= 64; pfn -= 64)
        if (frame_map_untouched(&k->frames, pfn - 1) && k->frames.owner[pfn - 1] == FRAME_FREE) return pfn - 1;
    return PFN_NONE;
}

static bool all_free(const struct exec *x, const struct kernel_block *b)
{
    for (uint32_t i = 0; i < b->frames; i++)
        if (x->kernel->frames.owner[kernel_frame(x, b, i)] != FRAME_FREE) return false;
    return b->frames > 0;
}

static bool step_misuse(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t unused)
{
    (void)unused;
    struct kernel_model *k = x->kernel;
    struct kernel_block wrong = k->blocks[slot];
    if (!k->ops->checks_misuse || !k->ops->free_page_block || k->context == CONTEXT_NMI) return true;
    if (a % MISUSE_KINDS == MISUSE_DOUBLE_FREE) {
        if (wrong.life != LIFE_DEAD || !all_free(x, &wrong)) return true;
        if (wrong.origin == ORIGIN_BULK) wrong.frames = 1; /* one error, one report */
    } else if (a % MISUSE_KINDS == MISUSE_INTERIOR) {
        if (!is_pages(&wrong) || wrong.origin != ORIGIN_PAGES || !wrong.order) return true;
        wrong.handle = k->ops->pfn_to_page(x->heap, wrong.pfn + 1 + k->probes++ % (wrong.frames - 1));
    } else {
        uint32_t pfn = never_given(k);
        if (pfn == PFN_NONE) return true;
        wrong = (struct kernel_block){.origin = ORIGIN_PAGES, .handle = k->ops->pfn_to_page(x->heap, pfn)};
    }
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_FREE};
    if (!kernel_begin(x, &c)) return false;
    c.must = REPORT_BAD_FREE_ORDER;
    c.must_or = REPORT_DOUBLE_FREE;
    c.must_rule = RULE_B22;
    call_free(x, &wrong, wrong.order);
    return kernel_end(x, &c) && kernel_zones(x);
}

bool exec_step_pages(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    static exec_step *const steps[OP_DROPPABLE - OP_ALLOC_PAGES + 1] = {
        [OP_ALLOC_PAGES - OP_ALLOC_PAGES] = step_alloc,      [OP_GET_FREE_PAGES - OP_ALLOC_PAGES] = step_alloc,
        [OP_GET_ZEROED_PAGE - OP_ALLOC_PAGES] = step_alloc,  [OP_ALLOC_PAGES_EXACT - OP_ALLOC_PAGES] = step_exact,
        [OP_ALLOC_PAGES_BULK - OP_ALLOC_PAGES] = step_bulk,  [OP_FREE_PAGES - OP_ALLOC_PAGES] = step_free,
        [OP_SPLIT_PAGE - OP_ALLOC_PAGES] = step_split,       [OP_GET_PAGE - OP_ALLOC_PAGES] = step_reference,
        [OP_PUT_PAGE - OP_ALLOC_PAGES] = step_reference,     [OP_KMAP - OP_ALLOC_PAGES] = exec_step_kmap,
        [OP_KUNMAP - OP_ALLOC_PAGES] = exec_step_kmap,       [OP_KMAP_LOCAL - OP_ALLOC_PAGES] = exec_step_kmap,
        [OP_KUNMAP_LOCAL - OP_ALLOC_PAGES] = exec_step_kmap, [OP_DROPPABLE - OP_ALLOC_PAGES] = step_droppable,
    };
    return op->kind > OP_DROPPABLE ? step_misuse(x, op, slot, a, b)
                                   : steps[op->kind - OP_ALLOC_PAGES](x, op, slot, a, b);
}
