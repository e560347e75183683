/* refusal.c: when an allocator may say no, and when it may ask its backing for more (A6, A8, C31, C38, A42).
 *
 * The room there is follows from the live set and the contract's few numbers alone: between two live blocks lies a gap,
 * which holds the second one's header; a block of n bytes needs header + rounded n. Nothing is asked of the allocator.
 */
#include "exec_course.h"
#include "exec_internal.h"

#include <errno.h>

/* A heap over the operating system. Any that has given out little in its life grants a little more, so that one that
 * always refuses does not pass (O5). One that promises to explain itself is not limited by an arena of its own either. */
#define HOST_LIFE ((uint64_t)1 << 20)
#define HOST_LITTLE ((uint64_t)4 << 10)
#define HOST_REQUEST ((uint64_t)1 << 20)
#define HOST_LIVE ((uint64_t)64 << 20)
#define RECORD_BYTES 64u           /* of a heap that goes on behind what somebody else took */
#define SCAN_MAX ((size_t)1 << 24) /* in larger heaps gaps are looked for from block to block */

/* What a block needs if its alignment costs nothing. */
static uint64_t need_of(const struct exec *x, const struct request *r)
{
    const struct alloc_contract *c = &x->options.contract;
    uint64_t n = r->bytes < c->block_min_bytes ? c->block_min_bytes : r->bytes;
    n = ((n + c->align_min - 1) & ~((uint64_t)c->align_min - 1)) + c->header_bytes;
    if (!x->ops->usable_size) n += c->waste_max_bytes; /* the block before the gap may reach into it so far */
    return n;
}

/* The most that the alignment may cost in a gap that begins at `at`: nothing if the first payload there is aligned. Where a
 * gap begins is known only if the block before it says how far it reaches, and at the ends of the heap not even then. */
static uint64_t aligning(const struct exec *x, const struct request *r, uintptr_t at)
{
    const struct alloc_contract *c = &x->options.contract;
    if (r->align <= c->align_min) return 0;
    bool known = x->ops->usable_size && !x->model.strangers && at != (uintptr_t)x->lender.face.base;
    return known && (at + c->header_bytes) % r->align == 0 ? 0 : r->align + c->header_bytes + c->block_min_bytes;
}

/* The first range of somebody else's that begins in [from, *to): its length, and its start in *to; 0 if there is none.
 * The shadow knows only whole granules of them. */
static size_t stranger_in(const struct model *m, uintptr_t from, uintptr_t *to)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < m->strangers; i++) {
        uintptr_t base = (uintptr_t)m->stranger[i].base;
        if (base < from || base >= *to) continue;
        *to = base;
        bytes = m->stranger[i].bytes;
    }
    return bytes;
}

/* What one block of that alignment could take of the gap [at, end). */
static uint64_t room_of_gap(const struct exec *x, const struct request *r, uintptr_t at, uintptr_t end, bool is_end)
{
    const struct alloc_contract *c = &x->options.contract;
    uint64_t have = end - at, lost = is_end ? 0 : c->header_bytes;
    /* The ends of the heap, and wherever somebody else took a piece, may have to be aligned first. */
    if (at == (uintptr_t)x->lender.face.base || x->model.strangers) lost += c->overhead_bytes;
    if (x->model.strangers) lost += RECORD_BYTES;
    lost += aligning(x, r, at);
    return have > lost ? have - lost : 0;
}

/* As room() below, in a heap too large for its bits to be looked through. */
static uint64_t room_between(struct exec *x, const struct request *r, uintptr_t to)
{
    const struct model *m = &x->model;
    uint32_t count = m->strangers ? 0 : model_sort(x); /* among strangers nothing is said of so large a heap */
    uintptr_t at = (uintptr_t)x->lender.face.base;
    uint64_t most = 0;
    for (uint32_t i = 0; i <= count && !m->strangers; i++) {
        const struct block *b = i < count ? &m->blocks[m->order[i]] : NULL;
        uintptr_t end = b ? b->base : to;
        uint64_t have = end > at ? room_of_gap(x, r, at, end, !b) : 0;
        if (have > most) most = have;
        /* How far a huge block reaches beyond its request is not on record. */
        if (b) at = b->base + block_usable(b) + (b->usable == USABLE_HUGE ? x->options.contract.waste_max_bytes : 0);
    }
    return most;
}

/* The most bytes, headers included, that one block of that alignment could take in [base, to) with the live ones where they
 * are; stops looking when `enough` are found. */
static uint64_t room(struct exec *x, const struct request *r, uintptr_t to, uint64_t enough)
{
    const struct shadow *s = &x->model.shadow;
    uintptr_t base = (uintptr_t)x->lender.face.base;
    uint64_t most = 0;
    if (to - base > SCAN_MAX) return room_between(x, r, to);
    for (uintptr_t at = shadow_next_free(s, base, to); at < to && most < enough;) {
        uintptr_t end = shadow_next_owned(s, at, to), stranger = end;
        const size_t taken = stranger_in(&x->model, at, &stranger);
        if (taken) end = stranger;
        uint64_t have = room_of_gap(x, r, at, end, end == to);
        if (have > most) most = have;
        at = shadow_next_free(s, end + taken, to);
    }
    return most;
}

/* A quick look that rules most refusals out: a gap of that size between two blocks, which holds the second one's header
 * too, or the whole end of the heap free. */
static bool may_have_room(const struct exec *x, uintptr_t to, uint64_t need)
{
    const struct shadow *s = &x->model.shadow;
    uintptr_t base = (uintptr_t)x->lender.face.base;
    if (need > to - base) return false;
    if (to - base > SCAN_MAX) return true;
    if (shadow_has_gap(s, base, to, (size_t)need + x->options.contract.header_bytes)) return true;
    return shadow_next_owned(s, to - (uintptr_t)need, to) == to;
}

/* The first byte from the end of b on that somebody owns, or `to`. Giants are in no bitmap. */
static uintptr_t gap_end(const struct exec *x, const struct block *b, uintptr_t to)
{
    const struct model *m = &x->model;
    if (to - (uintptr_t)x->lender.face.base <= SCAN_MAX)
        return shadow_next_owned(&m->shadow, b->base + block_usable(b), to);
    for (unsigned slot = 0; slot < m->slot_end; slot++) {
        const struct block *o = &m->blocks[slot];
        if (block_live(o) && o->base > b->base && o->base < to) to = o->base;
    }
    return to;
}

/* Growing in place counts too: the block of a refused realloc and the gap behind it. */
static uint64_t room_in_place(const struct exec *x, const struct block *b, uintptr_t to)
{
    uintptr_t end = gap_end(x, b, to);
    uint64_t header = x->options.contract.header_bytes;
    bool cut_off = stranger_in(&x->model, b->base, &end);
    uint64_t have = end - b->base;
    return end == to && !cut_off ? have + header : have; /* the next block's header and our own cancel out */
}

/* Is the refusal explained? */
static bool explained(struct exec *x, const struct request *r)
{
    const struct alloc_contract *c = &x->options.contract;
    const struct backing *f = &x->lender.face;
    struct model *m = &x->model;
    if (r->align > (c->align_max ? c->align_max : 1) && r->align > c->align_min) return true;
    if (c->request_max_bytes && r->bytes > c->request_max_bytes) return true;
    if (f->kind == BACKING_HOST) {
        bool open = c->promises & PROMISE_EXPLAINED;
        bool may = open ? r->bytes > HOST_REQUEST || m->live_bytes > HOST_LIVE
                        : r->bytes > HOST_LITTLE || m->life_bytes > HOST_LIFE;
        if (may) return true;
        exec_checked(x, RULE_C31);
        return exec_fail(x, RULE_C31, NULL, "a block: the heap is the whole machine's and little of it is in use",
                         "NULL for %llu bytes with %llu alive", (unsigned long long)r->bytes,
                         (unsigned long long)m->live_bytes);
    }
    if (!(c->promises & PROMISE_EXPLAINED)) {
        /* A bound that any allocator keeps, so that one that always refuses does not pass (O5). */
        bool ample = f->size >= 4096 && f->size >= 2 * c->size_min_bytes && r->bytes <= f->size / 16;
        if (m->live || m->strangers || !ample || r->align > 16 || x->calls || x->round) return true;
        exec_checked(x, RULE_C31);
        return exec_fail(x, RULE_C31, NULL, "a block: the heap is fresh and the request a sixteenth of it",
                         "NULL for %llu bytes of %zu", (unsigned long long)r->bytes, f->size);
    }
    /* Scanning costs in proportion to the heap: the first refusals of a run, then a sample. */
    if (m->refusals > 8 && m->refusals % 16 && !x->options.thorough) return true;
    uintptr_t limit = (uintptr_t)f->base + f->size;
    if (!x->ops->usable_size && !c->waste_max_bytes) return true; /* what blocks take is not known */
    uint64_t need = need_of(x, r), have = 0;
    const struct block *b = &m->blocks[r->slot];
    exec_checked(x, RULE_C31);
    if (block_live(b) && r->align <= 1) have = room_in_place(x, b, limit);
    if (have < need && may_have_room(x, limit, need)) have = room(x, r, limit, need);
    if (have < need) return true;
    return exec_fail(x, RULE_C31, NULL, "a block: there is room for it",
                     "NULL for %llu bytes, which need %llu of a gap that has %llu", (unsigned long long)r->bytes,
                     (unsigned long long)need, (unsigned long long)have);
}

__attribute__((noinline)) bool model_refused(struct exec *x, const struct request *r)
{
    struct model *m = &x->model;
    m->refusals++;
    if (x->options.contract.promises & PROMISE_ERRNO && r->op->kind != OP_POSIX_MEMALIGN) {
        exec_checked(x, RULE_A6);
        if (r->error != ENOMEM)
            return exec_fail(x, RULE_A6, NULL, "errno ENOMEM after a refusal", "errno %d", r->error);
    }
    if (!r->impossible && !r->injected && !explained(x, r)) return false;
    if (block_live(&m->blocks[r->slot]) && !model_verify(x, r->slot, RULE_A16))
        return false; /* a realloc's own block */
    /* A refusal leaves everybody as he was. Everybody is looked at after the first ones, then ever more rarely: a program
     * that fills the heap is refused hundreds of times. In between, the sweep after every call looks at one. */
    bool all = !(m->refusals & (m->refusals - 1));
    return !all || model_verify_all(x, RULE_A8);
}

/* A block that reaches above the break, if there is one. */
static bool nothing_above(struct exec *x)
{
    const struct model *m = &x->model;
    exec_checked(x, RULE_A42);
    for (unsigned slot = 0; slot < m->slot_end; slot++) {
        const struct block *b = &m->blocks[slot];
        if (block_live(b) && b->base + block_usable(b) > (uintptr_t)x->lender.brk)
            return exec_fail(x, RULE_A42, x->lender.brk, "a break above every live block",
                             "p%u ends %zu bytes above it", slot,
                             (size_t)(b->base + block_usable(b) - (uintptr_t)x->lender.brk));
    }
    return true;
}

__attribute__((noinline)) bool model_moved_break(struct exec *x, const unsigned char *before, const struct request *r)
{
    struct model *m = &x->model;
    const struct alloc_contract *c = &x->options.contract;
    if (x->lender.brk < before) return nothing_above(x);
    bool reuses = (c->promises & PROMISE_REUSES) && (c->promises & PROMISE_EXPLAINED);
    if (!x->ops->usable_size && !c->waste_max_bytes) return true;
    if (!reuses || !r) return true;
    if (++m->growths > 16 && m->growths % 64 && !x->options.thorough) return true;
    exec_checked(x, RULE_C38);
    uint64_t need = need_of(x, r), have = 0;
    if (may_have_room(x, (uintptr_t)before, need)) have = room(x, r, (uintptr_t)before, need);
    if (have < need) return true;
    return exec_fail(x, RULE_C38, NULL, "reuse of free memory before the heap grows",
                     "the heap grew for %llu bytes, which need %llu of a gap that has %llu",
                     (unsigned long long)r->bytes, (unsigned long long)need, (unsigned long long)have);
}
