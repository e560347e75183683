/* minimise.c: minimise.h is the manual. Every candidate is a whole valid program, so order matters only for speed:
 * what removes most comes first. */
#include "minimise.h"

#include "kernel.h"

#include <string.h>
#include <sys/mman.h>

struct shrink {
    struct minimiser *m;
    struct program *best;
    struct program *candidate;
    struct verdict *verdict;
};

static bool spent(const struct shrink *s) { return s->m->tries >= s->m->tries_max || (s->m->stop && *s->m->stop); }

/* Copies what there is of the best program, and not the whole array. */
static void copy(struct program *to, const struct program *from)
{
    to->heap = from->heap;
    to->op_count = from->op_count;
    memcpy(to->ops, from->ops, from->op_count * sizeof *from->ops);
}

/* Runs the candidate; keeps it if it fails. */
static bool try(struct shrink *s)
{
    struct verdict v;
    program_normalise(s->candidate);
    if (spent(s) || program_equal(s->candidate, s->best)) return false;
    s->m->tries++;
    if (!s->m->fails(s->m->context, s->candidate, &v)) return false;
    copy(s->best, s->candidate);
    *s->verdict = v;
    return true;
}

/* ---- Fewer operations -------------------------------------------------------------------------------------------------- */

static void cut(struct shrink *s, uint32_t from, uint32_t count)
{
    struct program *c = s->candidate;
    copy(c, s->best);
    memmove(c->ops + from, c->ops + from + count, (c->op_count - from - count) * sizeof *c->ops);
    c->op_count -= count;
}

static bool fewer_ops(struct shrink *s)
{
    bool any = false;
    if (s->verdict->op + 1 < s->best->op_count) {
        cut(s, s->verdict->op + 1, s->best->op_count - s->verdict->op - 1);
        any |= try(s);
    }
    for (uint32_t size = s->best->op_count; size; size /= 2)
        for (uint32_t end = s->best->op_count; end && !spent(s);) {
            uint32_t count = end < size ? end : size;
            cut(s, end - count, count);
            any |= try(s);
            end -= count;
            if (end > s->best->op_count) end = s->best->op_count;
        }
    return any;
}

/* ---- Simpler operations ------------------------------------------------------------------------------------------------ */

static struct op *edit(struct shrink *s, uint32_t i)
{
    copy(s->candidate, s->best);
    return &s->candidate->ops[i];
}

/* Lowers one number towards `floor` by bisection; `set` writes it into the candidate. */
static bool lower(struct shrink *s, uint32_t i, uint64_t now, uint64_t floor, void (*set)(struct op *, uint64_t))
{
    bool any = false;
    while (now > floor && !spent(s)) {
        set(edit(s, i), floor);
        if (try(s)) return true;
        uint64_t middle = floor + (now - floor) / 2;
        if (middle == floor) break;
        set(edit(s, i), middle);
        if (try(s)) {
            now = middle;
            any = true;
        } else {
            floor = middle;
        }
    }
    return any;
}

static void set_a(struct op *op, uint64_t v) { op->a = v; }
static void set_b(struct op *op, uint64_t v) { op->b = v; }
static void set_count(struct op *op, uint64_t v) { op->count = (uint16_t)v; }

/* The plainest operation that does the same kind of thing. */
static enum op_kind plainer(enum op_kind kind)
{
    switch (kind) {
    case OP_CALLOC:
    case OP_ALIGNED_ALLOC:
    case OP_POSIX_MEMALIGN:
    case OP_MEMALIGN:
    case OP_REALLOC: return OP_MALLOC;
    case OP_REALLOCARRAY: return OP_REALLOC;
    case OP_FREE_SIZED:
    case OP_FREE_ALIGNED_SIZED: return OP_FREE;
    case OP_GET_ZEROED_PAGE: return OP_GET_FREE_PAGES;
    case OP_GET_FREE_PAGES: return OP_ALLOC_PAGES;
    case OP_CACHE_ZALLOC: return OP_CACHE_ALLOC;
    case OP_KZALLOC:
    case OP_KCALLOC:
    case OP_KMALLOC_ARRAY:
    case OP_KREALLOC: return OP_KMALLOC;
    case OP_KREALLOC_ARRAY: return OP_KREALLOC;
    case OP_KFREE_SENSITIVE: return OP_KFREE;
    case OP_VZALLOC:
    case OP_VMALLOC_USER:
    case OP_VMALLOC_GFP:
    case OP_VREALLOC: return OP_VMALLOC;
    case OP_VFREE_ATOMIC: return OP_VFREE;
    case OP_KVCALLOC:
    case OP_KVREALLOC: return OP_KVMALLOC;
    default: return kind;
    }
}

/* What a size came to in the last run, if the trace knows. */
static bool evaluated(const struct shrink *s, uint32_t i, uint64_t *a)
{
    const struct trace *t = s->m->trace;
    for (uint32_t e = t ? t->event_count : 0; e-- > 0;)
        if (t->events[e].op == i) {
            *a = t->events[e].size;
            return true;
        }
    return false;
}

static bool packs(enum op_kind kind) { return kind == OP_CACHE_CREATE || kind == OP_POOL_CREATE; }

static bool try_b(struct shrink *s, uint32_t i, uint64_t b)
{
    edit(s, i)->b = b;
    return try(s);
}

/* What b packs, of a cache or a pool: one part after the other goes, and what is left is halved. */
static bool simpler_arguments(struct shrink *s, uint32_t i)
{
    const uint64_t *b = &s->best->ops[i].b;
    bool any = false;
    if (s->best->ops[i].kind == OP_POOL_CREATE) {
        any |= try_b(s, i, PROGRAM_POOL_ARGS(PROGRAM_POOL_KIND(*b), 1, PROGRAM_POOL_SIZE(*b)));
        return any | try_b(s, i, PROGRAM_POOL_ARGS(POOL_KMALLOC, PROGRAM_POOL_MIN(*b), 64));
    }
    any |= try_b(s, i, *b & ~PROGRAM_CACHE_ARGS(0, 0, 0, true));
    any |= try_b(s, i, *b & ~PROGRAM_CACHE_ARGS(0, UINT16_MAX, 0, false));
    for (unsigned flag = 1; flag <= CACHE_UNKNOWN; flag *= 2)
        any |= try_b(s, i, *b & ~PROGRAM_CACHE_ARGS(0, 0, flag, false));
    while (PROGRAM_CACHE_SIZE(*b) > 8 && try_b(s, i, *b - PROGRAM_CACHE_SIZE(*b) / 2)) any = true;
    return any;
}

/* The plainest mask, or without the bits that it can do without. */
static bool simpler_gfp(struct shrink *s, uint32_t i)
{
    static const uint32_t plain[] = {GFP_KERNEL, GFP_ATOMIC};
    const uint32_t *gfp = &s->best->ops[i].gfp;
    bool any = false;
    for (unsigned k = 0; k < sizeof plain / sizeof *plain; k++) {
        if (*gfp == plain[k]) return any;
        edit(s, i)->gfp = plain[k];
        if (try(s)) return true;
    }
    for (uint32_t bit = 1; bit < GFP_BITS && !spent(s); bit *= 2) {
        if (!(*gfp & bit & ~(uint32_t)GFP_KERNEL)) continue;
        edit(s, i)->gfp &= ~bit;
        any |= try(s);
    }
    return any;
}

static bool simpler_sizes(struct shrink *s, uint32_t i)
{
    struct op *op = &s->best->ops[i];
    bool any = false;
    uint64_t a;
    if (op->a_kind != SIZE_LITERAL && op->count == 1 && evaluated(s, i, &a)) {
        struct op *e = edit(s, i);
        e->a_kind = SIZE_LITERAL;
        e->a = a;
        any |= try(s);
    }
    if (op_step(op)) {
        edit(s, i)->step = 0;
        any |= try(s);
    }
    if (op->a_kind == SIZE_LITERAL || op->a_kind == SIZE_TOP) any |= lower(s, i, op->a, 0, set_a);
    if (packs(op->kind)) {
        any |= simpler_arguments(s, i);
    } else if (op->b_kind == SIZE_LITERAL && op->b > 1) {
        /* An alignment stays a power of two; anything else shrinks like a size. */
        bool power = !(op->b & (op->b - 1));
        for (uint64_t b = 1; power && b < op->b && !spent(s); b *= 2) {
            edit(s, i)->b = b;
            if (!try(s)) continue;
            any = true;
            break;
        }
        if (!power) any |= lower(s, i, op->b, 0, set_b);
    }
    return any;
}

/* One call instead of a run: on the run's last slot, or on one that an earlier operation used. */
static bool single_call(struct shrink *s, uint32_t i)
{
    const struct op run = s->best->ops[i];
    uint16_t last = (uint16_t)((run.slot + (uint32_t)(run.count - 1) * (uint32_t)run.stride) % PROGRAM_SLOTS);
    for (uint32_t k = 0; k <= i && !spent(s); k++) {
        struct op *e = edit(s, i);
        e->slot = k < i ? s->best->ops[k].slot : last;
        e->count = 1;
        if (try(s)) return true;
    }
    return false;
}

static bool simpler_ops(struct shrink *s)
{
    bool any = false;
    for (uint32_t i = 0; i < s->best->op_count && !spent(s); i++) {
        const struct op *op = &s->best->ops[i];
        if (op->count > 1) any |= single_call(s, i);
        if (op->count > 1) any |= lower(s, i, op->count, 1, set_count);
        if (plainer(op->kind) != op->kind) {
            struct op *e = edit(s, i);
            e->kind = (uint8_t)plainer(op->kind);
            any |= try(s);
        }
        any |= simpler_sizes(s, i);
        if (op->kind >= OP_KERNEL_FIRST && op->gfp) any |= simpler_gfp(s, i);
    }
    return any;
}

/* Slots numbered from 0 in the order in which they appear, runs and references included. */
static bool lower_slots(struct shrink *s)
{
    static const uint32_t rounds = PROGRAM_SLOTS;
    bool any = false;
    for (uint32_t i = 0; i < s->best->op_count && !spent(s); i++) {
        uint16_t from = s->best->ops[i].slot, to = 0;
        for (uint32_t k = 0; k < i; k++)
            if (s->best->ops[k].slot >= to && s->best->ops[k].slot < from)
                to = (uint16_t)(s->best->ops[k].slot + (s->best->ops[k].stride >= 0 ? s->best->ops[k].count : 1));
        if (to >= from || to >= rounds) continue;
        copy(s->candidate, s->best);
        for (uint32_t k = 0; k < s->candidate->op_count; k++) {
            if (s->candidate->ops[k].slot == from) s->candidate->ops[k].slot = to;
            if (s->candidate->ops[k].ref == from) s->candidate->ops[k].ref = to;
        }
        any |= try(s);
    }
    return any;
}

/* ---- Faults ---------------------------------------------------------------------------------------------------------------- */

#define ORDINALS_TRIED 4u

/* The operation during which a request failed first, and the number of that request among the operation's; where no call
 * tells of it, one did not return. */
static uint32_t struck_op(const struct shrink *s, uint32_t *ordinal)
{
    const struct trace *t = s->m->trace;
    for (uint32_t e = 0; t && e < t->event_count; e++)
        if (t->events[e].struck) {
            *ordinal = t->events[e].struck;
            return t->events[e].op;
        }
    *ordinal = 0;
    return s->verdict->op;
}

static bool try_tied(struct shrink *s, uint32_t at, uint64_t ordinal, uint64_t distance)
{
    struct program *c = s->candidate;
    copy(c, s->best);
    c->heap.fail = c->heap.fail_also = 0;
    memmove(c->ops + at + 1, c->ops + at, (c->op_count - at) * sizeof *c->ops);
    c->ops[at] = (struct op){.kind = OP_FAIL, .count = 1, .a = ordinal, .b = distance ? ordinal + distance : 0};
    c->op_count++;
    return try(s);
}

/* Numbered from the beginning, a request is another one as soon as an operation before it is gone. So what fails is tied to
 * the operation during which it does. */
static bool tie_faults(struct shrink *s)
{
    const struct heap_geometry *h = &s->best->heap;
    const bool two = h->fail_also != 0;
    const uint64_t distance = !two ? 0 : h->fail_also > h->fail ? h->fail_also - h->fail : h->fail - h->fail_also;
    uint32_t ordinal, at = struck_op(s, &ordinal);
    if (!h->fail || at >= s->best->op_count || s->best->op_count == PROGRAM_OPS_MAX) return false;
    if (ordinal && try_tied(s, at, ordinal, distance)) return true;
    if (ordinal > distance && distance && try_tied(s, at, ordinal - distance, distance)) return true;
    for (ordinal = 1; ordinal <= ORDINALS_TRIED; ordinal++)
        if (try_tied(s, at, ordinal, distance)) return true;
    return false;
}

/* ---- Plainer heap --------------------------------------------------------------------------------------------------------- */

static bool asks_kernel(const struct program *p)
{
    for (uint32_t i = 0; i < p->op_count; i++)
        if (p->ops[i].kind >= OP_KERNEL_FIRST) return true;
    return false;
}

static bool plainer_heap(struct shrink *s)
{
    bool any = false;
    struct heap_geometry *h = &s->candidate->heap;
#define TRY_FIELD(field, value) (copy(s->candidate, s->best), h->field = (value), try(s))
    any |= TRY_FIELD(course, COURSE_PLAIN);
    any |= TRY_FIELD(fail, 0); /* the second of two is then the only one */
    any |= TRY_FIELD(fail_also, 0);
    any |= TRY_FIELD(fence, FENCE_ENDS);
    any |= TRY_FIELD(place, PLACE_HIGH);
    any |= TRY_FIELD(dirty, DIRTY_ZERO);
    any |= TRY_FIELD(seed, 0);
    any |= TRY_FIELD(scatter, 0);
    /* What shows on 64 frames is seen at a glance; but only the kernel group looks at the machine. */
    if (asks_kernel(s->best) && s->best->heap.machine != MACHINE_S4) any |= TRY_FIELD(machine, MACHINE_S4);
    if (!asks_kernel(s->best) || s->best->heap.machine != MACHINE_S4) any |= TRY_FIELD(machine, MACHINE_S64);
    if (s->best->heap.size > HEAP_SIZE_DEFAULT) any |= TRY_FIELD(size, HEAP_SIZE_DEFAULT);
    for (uint64_t size = 64; size < s->best->heap.size && !spent(s); size *= 2)
        if (TRY_FIELD(size, size)) {
            any = true;
            break;
        }
#undef TRY_FIELD
    return any;
}

void minimise(struct minimiser *m, struct program *p, struct verdict *verdict)
{
    void *space = mmap(NULL, sizeof(struct program), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (space == MAP_FAILED) return; /* the program is as good as it was */
    struct shrink s = {.m = m, .best = p, .candidate = space, .verdict = verdict};
    tie_faults(&s);
    for (bool more = true; more && !spent(&s);) {
        more = fewer_ops(&s);
        more |= plainer_heap(&s);
        more |= simpler_ops(&s);
        more |= lower_slots(&s);
    }
    munmap(space, sizeof(struct program));
}
