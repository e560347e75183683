/* model.c: the live set, who owns which byte, and what each byte must hold; model.h is the manual. */
#include "exec_internal.h"
#include "machine.h"

#include <errno.h>
#include <string.h>

#define GRANULE_MAX 16u
#define MOST_BYTES ((uint64_t)256 << 10)

bool model_open(struct exec *x)
{
    struct model *m = &x->model;
    size_t granule = x->options.contract.align_min;
    /* Where C23's rule holds, blocks of 8 bytes stand 8 bytes apart. */
    if (!(x->options.contract.promises & PROMISE_ALIGN_SMALL) && granule > 8) granule = 8;
    m->blocks = exec_memory(PROGRAM_SLOTS * sizeof *m->blocks);
    m->order = exec_memory(PROGRAM_SLOTS * sizeof *m->order);
    return m->blocks && m->order &&
           shadow_open(&m->shadow, granule > GRANULE_MAX ? GRANULE_MAX
                                   : granule             ? granule
                                                         : 1);
}

void model_close(struct exec *x)
{
    struct model *m = &x->model;
    exec_release(m->blocks, PROGRAM_SLOTS * sizeof *m->blocks);
    exec_release(m->order, PROGRAM_SLOTS * sizeof *m->order);
    if (m->shadow.table) shadow_close(&m->shadow);
}

static size_t owned_bytes(const struct block *b)
{
    uint64_t usable = block_usable(b);
    return usable ? (size_t)usable : 1; /* a zero-size block owns its address */
}

void model_release(struct exec *x, unsigned slot)
{
    struct model *m = &x->model;
    struct block *b = &m->blocks[slot];
    shadow_remove(&m->shadow, b->base, owned_bytes(b));
    if (x->options.guard) x->options.guard->open((void *)b->base, (size_t)block_usable(b));
    m->alive[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    m->live--;
    m->live_bytes -= b->request;
    m->written -= model_written(b->request);
    b->dead = true; /* last: a read of its neighbours in the word would have to wait for it */
}

static void enter(struct exec *x, unsigned slot, uint64_t request)
{
    struct model *m = &x->model;
    const struct block *b = &m->blocks[slot];
    if (x->options.guard) x->options.guard->close((void *)b->base, (size_t)block_usable(b));
    m->alive[slot / 64] |= UINT64_C(1) << slot % 64;
    m->live++;
    m->live_bytes += request;
    m->life_bytes += request;
    m->written += model_written(request);
}

void model_restore(struct exec *x, unsigned slot, const struct block *old)
{
    shadow_insert(&x->model.shadow, old->base, owned_bytes(old));
    x->model.blocks[slot] = *old;
    enter(x, slot, old->request);
}

void model_guard(struct exec *x, bool close)
{
    const struct exec_guard *g = x->options.guard;
    for (unsigned slot = 0; g && slot < x->model.slot_end; slot++) {
        const struct block *b = &x->model.blocks[slot];
        if (block_live(b)) (close ? g->close : g->open)((void *)b->base, (size_t)block_usable(b));
    }
}

void model_fresh(struct exec *x, bool thoroughly)
{
    struct model *m = &x->model;
    model_tally(x);
    if (thoroughly) model_guard(x, false);
    for (unsigned i = 0; i < m->strangers; i++)
        if (m->stranger[i].owned) shadow_remove(&m->shadow, m->stranger[i].owned, m->stranger[i].owned_bytes);
    for (unsigned slot = 0; m->live && !thoroughly; slot++)
        if (block_live(&m->blocks[slot])) model_release(x, slot);
    memset(m->alive, 0, sizeof m->alive);
    memset(m->blocks, 0, m->slot_end * sizeof *m->blocks);
    if (thoroughly) shadow_clear(&m->shadow);
    m->slot_end = m->live = m->generation = m->turn = m->sweep = m->sweep_place = m->refusals = m->growths =
        m->strangers = m->huge = 0;
    m->live_bytes = m->written = m->largest = 0;
}

size_t model_align(const struct alloc_contract *c, uint64_t bytes)
{
    size_t align = c->align_min ? c->align_min : 1;
    if (bytes >= align || (c->promises & PROMISE_ALIGN_SMALL)) return align;
    return bytes ? (size_t)1 << (63 - __builtin_clzll(bytes)) : 1;
}

/* ---- Contents ----------------------------------------------------------------------------------------------------- */

void model_write(struct exec *x, unsigned slot)
{
    struct model *m = &x->model;
    struct block *b = &m->blocks[slot];
    uint64_t limit = x->options.request_max;
    /* The request is looked at only where the usable size does not settle it: it shares a word with what was just
     * stored in pieces, and reading it now would have to wait for them. */
    bool whole = b->usable <= PAYLOAD_WHOLE_MAX;
    if ((!whole || b->usable > limit) && b->request > limit) return;
    uint32_t generation = ++m->generation;
    uint64_t key = exec_key(x, generation);
    b->generation = generation;
    b->unwatched = false;
    /* Up to the usable size, because the owner may (A20); only what was requested is verified. */
    if (whole) {
        payload_fill((void *)b->base, b->usable, key);
        return;
    }
    uint64_t usable = block_usable(b);
    payload_fill_block((void *)b->base, b->request, key);
    if (usable > b->request && usable <= limit) ((volatile unsigned char *)b->base)[usable - 1] = 0x5A;
}

bool model_verify(struct exec *x, unsigned slot, enum rule rule)
{
    const struct block *b = &x->model.blocks[slot];
    exec_checked(x, rule);
    if (b->unwatched) return true;
    uint64_t key = exec_key(x, b->generation);
    size_t at = payload_verify_block((void *)b->base, b->request, key);
    if (at >= b->request) return true;
    return exec_fail(x, rule, (unsigned char *)b->base + at, "the bytes that its owner wrote",
                     "p%u, %llu bytes, has changed from byte %zu on", slot, (unsigned long long)b->request, at);
}

/* The next live slot of the rotation; false if there is none near: then the next call goes on from there. */
static inline bool next_live(struct model *m, unsigned *slot)
{
    for (unsigned words = 0; words < 2; words++) {
        uint64_t alive = m->alive[m->sweep / 64] >> m->sweep % 64;
        *slot = m->sweep + (alive ? (unsigned)__builtin_ctzll(alive) : 0);
        m->sweep = alive ? *slot + 1 : (m->sweep | 63) + 1;
        if (m->sweep >= m->slot_end) m->sweep = 0;
        if (alive) return true;
    }
    return false;
}

bool model_sweep(struct exec *x, enum rule rule)
{
    struct model *m = &x->model;
    unsigned slot;
    if (!m->live || !next_live(m, &slot)) return true;
    const struct block *b = &m->blocks[slot];
    size_t bytes = (size_t)b->request;
    if (bytes < PAYLOAD_STRETCH || bytes > PAYLOAD_WHOLE_MAX || b->unwatched) return model_verify(x, slot, rule);
    /* One stretch of it, so that a large block costs no more than a small one; where, is another place each time. The
     * bytes behind the last whole word are left to the verifications of the whole block. */
    m->sweep_place += UINT32_C(0x9E3779B9);
    size_t places = (bytes - PAYLOAD_STRETCH) / 8 + 1, at = (size_t)((uint64_t)m->sweep_place * places >> 32) * 8;
    exec_checked(x, rule);
    return payload_same((const void *)b->base, at, exec_key(x, b->generation)) || model_verify(x, slot, rule);
}

static bool verify_strangers(struct exec *x)
{
    struct model *m = &x->model;
    for (unsigned i = 0; i < m->strangers; i++) {
        size_t bytes = m->stranger[i].bytes, at = payload_verify(m->stranger[i].base, bytes, m->stranger[i].key);
        exec_checked(x, RULE_A40);
        if (at < bytes)
            return exec_fail(x, RULE_A40, m->stranger[i].base + at,
                             "bytes that somebody else took from the break stay theirs",
                             "byte %zu of the %zu taken has changed", at, bytes);
    }
    return true;
}

__attribute__((noinline)) bool model_verify_all(struct exec *x, enum rule rule)
{
    struct model *m = &x->model;
    for (unsigned first = 0; first < m->slot_end; first += 64)
        for (uint64_t alive = m->alive[first / 64]; alive; alive &= alive - 1)
            if (!model_verify(x, first + (unsigned)__builtin_ctzll(alive), rule)) return false;
    return verify_strangers(x);
}

bool model_verify_most(struct exec *x, enum rule rule)
{
    struct model *m = &x->model;
    if (m->live_bytes <= MOST_BYTES) return model_verify_all(x, rule);
    uint64_t bytes = 0;
    for (unsigned n = 0; n < m->slot_end && bytes < MOST_BYTES; n++) {
        unsigned slot = m->sweep++;
        if (m->sweep >= m->slot_end) m->sweep = 0;
        if (!block_live(&m->blocks[slot])) continue;
        bytes += m->blocks[slot].request;
        if (!model_verify(x, slot, rule)) return false;
    }
    return true;
}

void model_stranger(struct exec *x, void *p, size_t bytes)
{
    struct model *m = &x->model;
    uint64_t key = exec_key(x, ++m->generation);
    /* Its first and last granule may be shared with a block; whole ones are its own. */
    uintptr_t granule = (uintptr_t)1 << m->shadow.granule_log2, from = ((uintptr_t)p + granule - 1) & ~(granule - 1);
    uintptr_t to = ((uintptr_t)p + bytes) & ~(granule - 1);
    payload_fill(p, bytes, key);
    m->stranger[m->strangers].base = p;
    m->stranger[m->strangers].bytes = bytes;
    m->stranger[m->strangers].owned = from < to && shadow_insert(&m->shadow, from, to - from) ? from : 0;
    m->stranger[m->strangers].owned_bytes = to - from;
    m->stranger[m->strangers++].key = key;
}

/* ---- Ownership ---------------------------------------------------------------------------------------------------- */

/* Does a giant overlap a live block? By the blocks, and not by the bitmaps of the millions of granules that it covers. */
static __attribute__((noinline)) bool giant_overlaps(const struct model *m, uintptr_t base, size_t bytes)
{
    for (unsigned slot = 0; slot < m->slot_end; slot++) {
        const struct block *o = &m->blocks[slot];
        if (block_live(o) && o->base < base + bytes && base < o->base + owned_bytes(o)) return true;
    }
    return false;
}

/* Somebody owns a byte of b already: says who. */
static __attribute__((cold, noinline)) bool overlap(struct exec *x, const struct request *r, const struct block *b)
{
    const struct model *m = &x->model;
    enum rule rule = r->bytes == 0 ? r->zero_rule : RULE_C7;
    size_t bytes = owned_bytes(b);
    for (unsigned slot = 0; slot < m->slot_end; slot++) {
        const struct block *o = &m->blocks[slot];
        if (slot == r->slot || !block_live(o) || o->base >= b->base + bytes || o->base + owned_bytes(o) <= b->base)
            continue;
        const void *at = (const void *)(o->base > b->base ? o->base : b->base);
        if (o->base >= b->base)
            return exec_fail(x, rule, at, "a block disjoint from every live one",
                             "p%u, %zu usable bytes, reaches %zu bytes into p%u", r->slot, bytes,
                             (size_t)(b->base + bytes - o->base), slot);
        return exec_fail(x, rule, at, "a block disjoint from every live one", "p%u begins at byte %zu of the live p%u",
                         r->slot, (size_t)(b->base - o->base), slot);
    }
    return exec_fail(x, RULE_A40, (const void *)b->base, "bytes that somebody else took from the break stay theirs",
                     "p%u, %zu usable bytes, includes some", r->slot, bytes);
}

/* The least that a block of so many bytes takes. */
static uint64_t rounded(const struct alloc_contract *c, uint64_t bytes)
{
    uint64_t least = bytes < c->block_min_bytes ? c->block_min_bytes : bytes;
    return (least + c->align_min - 1) & ~((uint64_t)c->align_min - 1);
}

/* The usable size of a block that was just granted (A20, A23, C28). */
static bool judge_usable(struct exec *x, const struct request *r, void *p, uint64_t *usable)
{
    const struct alloc_contract *c = &x->options.contract;
    *usable = r->bytes;
    if (!x->ops->usable_size) return true;
    uint64_t u = *usable = x->ops->usable_size(x->heap, p);
    if (u < r->bytes)
        return exec_fail(x, RULE_A20, p, "a usable size of at least the request", "%llu bytes requested, %llu usable",
                         (unsigned long long)r->bytes, (unsigned long long)u);
    if (!c->waste_max_bytes) return true;
    /* What is rounded up is at least the request, so an excess below either bound is none above it. */
    const uint64_t excess = u - r->bytes, remainder = c->header_bytes + c->block_min_bytes;
    if ((c->promises & PROMISE_SPLITS) && excess >= remainder && u >= rounded(c, r->bytes) + remainder)
        return exec_fail(x, RULE_A23, p, "a remainder that can hold a block split off",
                         "%llu bytes requested, %llu usable", (unsigned long long)r->bytes, (unsigned long long)u);
    if (excess <= c->waste_max_bytes || u <= rounded(c, r->bytes)) return true;
    return exec_fail(x, RULE_C28, p, "a usable size within the contract's waste of the request",
                     "%llu bytes requested, %llu usable, at most %zu more promised", (unsigned long long)r->bytes,
                     (unsigned long long)u, c->waste_max_bytes);
}

/* The block lies in the memory lent (C8). */
static bool contained(struct exec *x, const struct request *r, const void *p, uint64_t usable)
{
    const struct backing *f = &x->lender.face;
    if (f->kind == BACKING_HOST) return true;
    uintptr_t from = (uintptr_t)f->base, to = f->kind == BACKING_BREAK ? (uintptr_t)x->lender.brk : from + f->size;
    if (f->kind == BACKING_MACHINE) to = (uintptr_t)f->machine->vmalloc_end; /* what is mapped there: exec_machine.c */
    if ((uintptr_t)p >= from && (uintptr_t)p <= to && usable <= to - (uintptr_t)p) return true;
    if ((uintptr_t)p < from || (uintptr_t)p > to)
        return exec_fail(x, RULE_C8, NULL, "a block inside the memory lent", "p%u lies outside of it", r->slot);
    return exec_fail(x, RULE_C8, p, "a block inside the memory lent",
                     "p%u, %llu bytes requested, %llu usable, reaches %llu bytes beyond it", r->slot,
                     (unsigned long long)r->bytes, (unsigned long long)usable,
                     (unsigned long long)(usable - (to - (uintptr_t)p)));
}

bool model_granted(struct exec *x, const struct request *r, void *p)
{
    struct model *m = &x->model;
    uintptr_t at = (uintptr_t)p;
    if (at == UINTPTR_MAX || at < 4096)
        return exec_fail(x, RULE_C14, NULL, "a block or NULL", "the value %lld", (long long)(intptr_t)at);
    exec_checked(x, r->impossible_rule);
    if (r->impossible) return exec_fail(x, r->impossible_rule, p, "a refusal: no memory is that large", "a block");
    size_t align = model_align(&x->options.contract, r->bytes);
    if (r->align > align) align = (size_t)r->align;
    exec_checked(x, r->align_rule);
    if (at & (align - 1))
        return exec_fail(x, r->align_rule, p, "an aligned address",
                         "%llu bytes requested, address is %zu past a multiple of %zu", (unsigned long long)r->bytes,
                         (size_t)(at & (align - 1)), align);
    uint64_t usable;
    if (!judge_usable(x, r, p, &usable) || !contained(x, r, p, usable)) return false;
    struct block *b = &m->blocks[r->slot];
    uint64_t request = r->bytes < REQUEST_MAX ? r->bytes : REQUEST_MAX, owned = usable < USABLE_HUGE ? usable : request;
    exec_checked(x, r->bytes == 0 ? r->zero_rule : RULE_C7);
    if (r->slot >= m->slot_end) m->slot_end = r->slot + 1;
    bool taken = owned >= SHADOW_GIANT && giant_overlaps(m, at, (size_t)owned);
    taken = taken || !shadow_insert(&m->shadow, at, owned ? (size_t)owned : 1);
    *b = (struct block){.base = at,
                        .request = request,
                        .align_log2 = (uint64_t)__builtin_ctzll(r->align),
                        .api = r->op->kind & 31u,
                        .dead = taken,
                        .unwatched = true,
                        .usable = usable < USABLE_HUGE ? (uint32_t)usable : USABLE_HUGE};
    if (taken) return overlap(x, r, b);
    enter(x, r->slot, request);
    if (r->bytes > m->largest) m->largest = r->bytes;
    m->grants++;
    return true;
}

void model_tally(struct exec *x)
{
    const struct alloc_contract *c = &x->options.contract;
    uint64_t *checked = x->options.counters->checked, n = x->model.grants;
    x->model.grants = 0;
    checked[RULE_C14] += n;
    if (x->lender.face.kind != BACKING_HOST) checked[RULE_C8] += n;
    if (!x->ops->usable_size) return;
    checked[RULE_A20] += n;
    if (!c->waste_max_bytes) return;
    checked[RULE_C28] += n;
    if (c->promises & PROMISE_SPLITS) checked[RULE_A23] += n;
}
