/* inspect.c: what the allocator shows of its inside against what is known to be live (C9, C21, C26, C27). */
#include "exec_course.h"
#include "exec_internal.h"

#include <string.h>

static uintptr_t key_at(const struct model *m, uint32_t i) { return m->blocks[m->order[i]].base; }

/* Heapsort: in place, without recursion, and without the C library's qsort, which may call malloc. */
static void sift(struct model *m, uint32_t root, uint32_t count)
{
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && key_at(m, child) < key_at(m, child + 1)) child++;
        if (key_at(m, root) >= key_at(m, child)) return;
        uint16_t swap = m->order[root];
        m->order[root] = m->order[child];
        m->order[child] = swap;
    }
}

uint32_t model_sort(struct exec *x)
{
    struct model *m = &x->model;
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < m->slot_end; slot++)
        if (block_live(&m->blocks[slot])) m->order[count++] = (uint16_t)slot;
    for (uint32_t i = count / 2; i-- > 0;) sift(m, i, count);
    for (uint32_t end = count; end-- > 1;) {
        uint16_t swap = m->order[0];
        m->order[0] = m->order[end];
        m->order[end] = swap;
        sift(m, 0, end);
    }
    return count;
}

struct walk {
    struct exec *x;
    uint32_t count; /* live blocks, sorted in model.order */
    uint32_t used;  /* of them shown so far */
    uintptr_t end;  /* of the block shown last */
    bool last_free, held, begun;
    struct alloc_stats sums; /* of what was shown */
};

/* The last live block that starts below `at`, or NULL. */
static const struct block *below(const struct walk *w, uintptr_t at, unsigned *slot)
{
    const struct model *m = &w->x->model;
    uint32_t low = 0, high = w->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (key_at(m, middle) < at) low = middle + 1;
        else high = middle;
    }
    if (!low) return NULL;
    *slot = m->order[low - 1];
    return &m->blocks[*slot];
}

/* No live block reaches into [from, to). */
static bool nobody_in(struct walk *w, uintptr_t from, uintptr_t to, enum rule rule, const char *what)
{
    unsigned slot = 0;
    const struct block *b = from < to ? below(w, to, &slot) : NULL;
    exec_checked(w->x, rule);
    if (!b || b->base + block_usable(b) <= from) return true;
    return exec_fail(w->x, rule, (void *)(b->base > from ? b->base : from), "a block apart from what walk() shows",
                     "the live p%u reaches into %s", slot, what);
}

static bool shown_used(struct walk *w, const struct alloc_block *s)
{
    unsigned slot = 0;
    uintptr_t payload = (uintptr_t)s->payload, end = (uintptr_t)s->base + s->size;
    const struct block *b = below(w, payload + 1, &slot);
    exec_checked(w->x, RULE_C26);
    if (!b || b->base != payload)
        return exec_fail(w->x, RULE_C26, s->payload, "used blocks that are live", "walk() shows one that is not");
    if (b->base + block_usable(b) > end)
        return exec_fail(w->x, RULE_C26, s->payload, "usable bytes inside the block", "p%u has more than walk() shows",
                         slot);
    w->used++;
    return nobody_in(w, (uintptr_t)s->base, payload, RULE_C9, "the header of another");
}

static bool visit(void *context, const struct alloc_block *s)
{
    struct walk *w = context;
    struct exec *x = w->x;
    const struct alloc_contract *c = &x->options.contract;
    uintptr_t base = (uintptr_t)s->base;
    w->held = false;
    if (w->begun && (base < w->end || s->size == 0))
        return exec_fail(x, RULE_C26, s->base, "blocks in address order, none empty",
                         "walk() goes backwards or stands still");
    uintptr_t lent = (uintptr_t)x->lender.face.base, size = x->lender.face.size;
    if (base < lent || base - lent > size || s->size > size - (base - lent))
        return exec_fail(x, RULE_C26, NULL, "blocks inside the memory lent", "walk() shows one outside of it");
    if (s->state != BLOCK_USED && s->payload)
        return exec_fail(x, RULE_C26, s->base, "a payload of used blocks alone", "walk() shows one of another");
    uintptr_t expected = w->begun ? w->end : (uintptr_t)x->lender.face.base;
    bool gapless = x->lender.face.kind != BACKING_PAGES && !x->model.strangers;
    if ((c->promises & PROMISE_EXPLAINED) && gapless) {
        exec_checked(x, RULE_C21);
        if (base - expected > (w->begun ? 0 : c->overhead_bytes))
            return exec_fail(x, RULE_C21, s->base, "blocks that follow each other without a gap",
                             "walk() leaves out %zu bytes", (size_t)(base - expected));
    }
    if (w->begun && w->last_free && base == w->end && (c->promises & PROMISE_MERGES)) {
        exec_checked(x, RULE_C27);
        if (s->state == BLOCK_FREE)
            return exec_fail(x, RULE_C27, s->base, "free neighbours merged into one block", "two free blocks in a row");
    }
    w->begun = true;
    w->end = base + s->size;
    w->sums.used_blocks += s->state == BLOCK_USED;
    w->sums.free_blocks += s->state == BLOCK_FREE;
    if (s->state == BLOCK_FREE && s->size > c->header_bytes) w->sums.free_bytes += s->size - c->header_bytes;
    w->last_free = s->state == BLOCK_FREE;
    if (s->state == BLOCK_USED) return w->held = shown_used(w, s);
    bool meta = s->state == BLOCK_META;
    return w->held =
               nobody_in(w, base, w->end, meta ? RULE_C9 : RULE_C26, meta ? "the allocator's records" : "a free block");
}

/* What stats() says is the sum of what walk() has shown, and the footprint is what the memory lent says it is. */
static bool stats_agree(struct exec *x, const struct alloc_stats *sums)
{
    const struct alloc_contract *c = &x->options.contract;
    struct alloc_stats s = {1, 1, 1, 1}; /* nothing may be left as it was */
    x->ops->stats(x->heap, &s);
    exec_checked(x, RULE_C21);
    if (s.used_blocks != sums->used_blocks || s.free_blocks != sums->free_blocks || s.free_bytes != sums->free_bytes)
        return exec_fail(x, RULE_C21, NULL, "stats() to be the sum of what walk() shows",
                         "%zu used, %zu free of %zu bytes instead of %zu, %zu and %zu", s.used_blocks, s.free_blocks,
                         s.free_bytes, sums->used_blocks, sums->free_blocks, sums->free_bytes);
    if (x->lender.face.kind == BACKING_HOST || x->model.strangers) return true;
    uint64_t taken = x->lender.face.kind == BACKING_REGION ? x->lender.face.size : lender_footprint(&x->lender);
    if (s.footprint_bytes <= taken && taken - s.footprint_bytes <= c->overhead_bytes) return true;
    return exec_fail(x, RULE_C21, NULL, "the footprint that was taken from the memory lent",
                     "%zu bytes instead of %llu", s.footprint_bytes, (unsigned long long)taken);
}

static bool enough(void *context, const struct alloc_block *s)
{
    (void)s;
    ++*(unsigned *)context;
    return false;
}

/* Whoever has seen enough is shown no more. */
static bool walk_ends(struct exec *x)
{
    unsigned shown = 0;
    x->ops->walk(x->heap, enough, &shown);
    return shown <= 1 ||
           exec_fail(x, RULE_C26, NULL, "a walk that ends when it is told to", "%u blocks more", shown - 1);
}

bool model_inspect(struct exec *x)
{
    const struct alloc_contract *c = &x->options.contract;
    if (x->ops->check) {
        const char *broken = x->ops->check(x->heap);
        exec_checked(x, RULE_C26);
        if (broken) return exec_fail(x, RULE_C26, NULL, "check() to find nothing", "%s", broken);
    }
    if (x->ops->usable_size) {
        exec_checked(x, RULE_A20);
        if (x->ops->usable_size(x->heap, NULL))
            return exec_fail(x, RULE_A20, NULL, "a usable size of 0 for NULL", "another one");
    }
    if (!x->ops->walk) return true;
    struct walk w = {.x = x, .held = true};
    w.count = model_sort(x);
    x->ops->walk(x->heap, visit, &w);
    if (!w.held) return false;
    if (w.used != w.count)
        return exec_fail(x, RULE_C26, NULL, "every live block shown by walk()", "%u of %u", w.used, w.count);
    if (x->ops->stats && !stats_agree(x, &w.sums)) return false;
    if (!walk_ends(x)) return false;
    if (!(c->promises & PROMISE_EXPLAINED) || x->lender.face.kind != BACKING_BREAK || x->model.strangers || !w.begun)
        return true;
    exec_checked(x, RULE_C21);
    uintptr_t brk = (uintptr_t)x->lender.brk;
    if (w.end <= brk && brk - w.end <= c->overhead_bytes) return true;
    return exec_fail(x, RULE_C21, (void *)w.end, "blocks up to the break", "%lld bytes below it belong to none",
                     (long long)(intptr_t)(brk - w.end));
}

static bool digest(void *context, const struct alloc_block *s)
{
    uint64_t *sum = context;
    *sum = (*sum ^ (uint64_t)(uintptr_t)s->base ^ ((uint64_t)s->size << 3) ^ s->state) * UINT64_C(0x100000001B3);
    return true;
}

uint64_t exec_inside(struct exec *x)
{
    uint64_t sum = lender_footprint(&x->lender);
    if (x->ops->walk) x->ops->walk(x->heap, digest, &sum);
    return sum;
}
