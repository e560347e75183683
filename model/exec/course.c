/* course.c: the rules that need the whole life of a heap, each as a way to run a program more than once. */
#include "exec_course.h"
#include "exec_kernel.h"

#include <stdio.h>
#include <string.h>

enum memory { FORGET, NOTE, HOLD_GRANTS, HOLD_OFFSETS };

#define NOTHING_GRANTED UINT64_MAX

/* x->round tells the memory's mode through the course: the first round is noted, the later ones are held against it. */
static enum memory memory_of(const struct exec *x)
{
    enum heap_course course = x->program->heap.course;
    if (course != COURSE_DRAIN && course != COURSE_TWIN && course != COURSE_RECOVER) return FORGET;
    if (x->round == 0) return NOTE;
    if (course == COURSE_RECOVER)
        return x->unharmed && x->options.contract.backing != BACKING_HOST ? HOLD_GRANTS : FORGET;
    return course == COURSE_DRAIN ? HOLD_GRANTS : HOLD_OFFSETS;
}

/* Does the alignment asked for, if one was, see the two places of a twin run alike? */
static bool comparable(const struct exec *x)
{
    const struct op *op = x->op_index < x->program->op_count ? &x->program->ops[x->op_index] : NULL;
    bool aligned = op && (op->kind == OP_ALIGNED_ALLOC || op->kind == OP_POSIX_MEMALIGN || op->kind == OP_MEMALIGN);
    return !aligned || !x->call_size2 || x->twin_distance % x->call_size2 == 0;
}

bool course_compares(const struct exec *x) { return memory_of(x) != FORGET; }

bool course_remembers(struct exec *x)
{
    enum memory memory = memory_of(x);
    if (x->calls >= PROGRAM_STEPS_MAX) return true;
    bool granted = x->outcome.result == RESULT_PTR;
    uint64_t now = granted ? exec_offset(x, x->outcome.block) : NOTHING_GRANTED, then = x->history[x->calls];
    if (memory == NOTE) {
        x->history[x->calls] = now;
        return true;
    }
    if (memory == HOLD_GRANTS) {
        exec_checked(x, RULE_C24);
        if (then == NOTHING_GRANTED || granted || x->outcome.result != RESULT_NULL) return true;
        if (x->lender.refused && !x->unharmed) return true;
        return exec_fail(x, RULE_C24, NULL, "a block, as in the first round: everything has been freed since", "NULL");
    }
    enum rule rule = x->round == 1 ? RULE_C37 : RULE_C41;
    /* Two places that differ modulo an alignment do not offer the same room for it: from there on they go their ways. */
    if (!comparable(x)) x->incomparable = true;
    if (x->incomparable) return true;
    exec_checked(x, rule);
    if (now == then) return true;
    const char *where = rule == RULE_C37 ? "the same result at another address and with other old bytes"
                                         : "the same result with other contents";
    if (now == NOTHING_GRANTED || then == NOTHING_GRANTED)
        return exec_fail(x, rule, x->outcome.block, where,
                         granted ? "a block where there was NULL" : "NULL where there was a block");
    return exec_fail(x, rule, x->outcome.block, where, "offset %llu instead of %llu", (unsigned long long)now,
                     (unsigned long long)then);
}

/* ---- Ends of rounds ---------------------------------------------------------------------------------------------------- */

enum order { ASCENDING, DESCENDING, ODD_FIRST, ORDERS };

/* One call that the course makes by itself; whoever watches for hangs is to see that it is another one. */
static void beat(struct exec *x) { x->options.position->calls = x->options.position->calls + 1; }

static bool call(struct exec *x, const struct op *op, unsigned slot)
{
    beat(x);
    return exec_step_heap(x, op, slot, op->a, 0);
}

static bool free_slot(struct exec *x, unsigned slot)
{
    static const struct op op = {.kind = OP_FREE, .count = 1};
    return !block_live(&x->model.blocks[slot]) || call(x, &op, slot);
}

static bool free_all(struct exec *x, enum order order)
{
    unsigned end = x->model.slot_end;
    if (x->options.contract.promises & PROMISE_FRAMES) return exec_frames_finish(x);
    if (!x->ops->free) return true;
    for (unsigned i = 0; i < end; i++) {
        unsigned slot = order == ASCENDING    ? i
                        : order == DESCENDING ? end - 1 - i
                        : 2 * i + 1 < end     ? 2 * i + 1
                                              : 2 * (i - end / 2);
        if (slot < end && !free_slot(x, slot)) return false;
    }
    return true;
}

/* Nothing was written beside the memory lent (C8). */
static bool stayed_inside(struct exec *x)
{
    const void *at = lender_strayed(&x->lender);
    exec_checked(x, RULE_C8);
    return !at || exec_fail(x, RULE_C8, at, "the bytes beside the memory lent as they were", "one of them has changed");
}

/* The end of every round: contents, inside, and everything freed. */
static bool wind_up(struct exec *x, enum order order)
{
    /* The inside is looked at in one program of eight: a walk costs as much as a short program. */
    bool look = x->program->heap.seed % 8 == 0 || x->options.thorough;
    x->op_index = x->program->op_count;
    x->options.position->op = x->op_index;
    x->options.position->kind = OP_CHECK;
    /* Each free verifies its block first; where there is no free, they are verified here. */
    if ((look || !x->ops->free) && !model_verify_all(x, RULE_C10)) return false;
    if (x->kernel && look && !kernel_verify_all(x, RULE_C10)) return false;
    if (look && !model_inspect(x)) return false;
    if (!exec_break_finish(x) || !exec_maps_finish(x)) return false;
    x->options.position->kind = OP_FREE;
    if (!free_all(x, order) || !kernel_finish(x) || !stayed_inside(x)) return false;
    return !look || model_inspect(x);
}

static bool plain(struct exec *x)
{
    bool held = exec_fresh(x, false) && exec_round(x) && wind_up(x, x->program->heap.seed % ORDERS);
    x->requests = x->lender.requests;
    return held;
}

/* ---- The courses --------------------------------------------------------------------------------------------------------- */

/* A malloc and its free that the course makes by itself; was it granted? */
static bool can_have(struct exec *x, size_t bytes)
{
    static const struct op op = {.kind = OP_MALLOC, .count = 1};
    struct kernel_call c;
    if (x->kernel) kernel_plain_begin(x, &c, &op);
    void *p = x->ops->malloc(x->heap, bytes);
    if (p) x->ops->free(x->heap, p);
    return (!x->kernel || kernel_plain_end(x, &c)) && p;
}

/* After everything is freed, the largest block that was ever granted is granted again (C24). */
static bool largest_again(struct exec *x)
{
    size_t bytes = (size_t)x->model.largest;
    if (!(x->options.contract.promises & PROMISE_MERGES) || !bytes || x->model.strangers || x->lender.refused)
        return true;
    if (x->options.contract.backing == BACKING_HOST) return true;
    lender_spare(&x->lender);
    exec_checked(x, RULE_C24);
    if (!can_have(x, bytes))
        return exec_fail(x, RULE_C24, NULL,
                         "the largest block that was granted before: everything has been freed since",
                         "NULL for %zu bytes", bytes);
    return true;
}

static bool has(const struct program *p, enum op_kind kind)
{
    for (unsigned i = 0; i < p->op_count; i++)
        if (p->ops[i].kind == kind) return true;
    return false;
}

/* A break that the program itself has moved stays where it is when everything is freed. */
static bool moves_break(const struct program *p) { return has(p, OP_SBRK) || has(p, OP_BRK); }

static bool drain(struct exec *x)
{
    if (!plain(x) || !largest_again(x)) return false;
    if (moves_break(x->program) || !(x->options.contract.promises & PROMISE_DRAINS) || x->model.strangers ||
        x->lender.refused)
        return true;
    model_fresh(x, false);
    x->round = 1;
    return exec_round(x) && wind_up(x, ASCENDING);
}

#define STEADY_ROUNDS 4u
#define RECOVER_HEAP_MAX ((size_t)1 << 20)
#define RECOVER_SAMPLE 4u /* on a machine, where every frame has been accounted for by then, one in so many goes on */

static bool steady(struct exec *x)
{
    if (!plain(x)) return false;
    if (moves_break(x->program) || !(x->options.contract.promises & PROMISE_STEADY) || x->model.strangers ||
        x->lender.refused)
        return true;
    uint64_t settled = 0;
    for (x->round = 1; x->round < STEADY_ROUNDS; x->round++) {
        model_fresh(x, false);
        if (!exec_round(x) || !wind_up(x, x->program->heap.seed % ORDERS)) return false;
        uint64_t now = lender_footprint(&x->lender);
        exec_checked(x, RULE_C39);
        if (x->round > 1 && now > settled)
            return exec_fail(x, RULE_C39, NULL, "the footprint of the second round",
                             "%llu bytes in round %u, %llu in the second", (unsigned long long)now, x->round + 1,
                             (unsigned long long)settled);
        if (x->round == 1) settled = now;
    }
    return true;
}

#define REFILL_FRAMES_MAX 1024u

/* The size of the course's own requests: that of the program's last allocation, 1 .. a quarter of the heap. */
static size_t gauge(const struct exec *x)
{
    uint64_t quarter = x->program->heap.size / 4, bytes = x->model.largest;
    if (x->program->op_count) bytes = x->program->ops[x->program->op_count - 1].a;
    return (size_t)(quarter ? bytes % quarter + 1 : 1);
}

/* Fills the heap with blocks of one size, frees one, and asks for it again (C25). */
static bool refill(struct exec *x)
{
    unsigned promises = x->options.contract.promises;
    if (!exec_fresh(x, false) || !exec_round(x)) return false;
    struct op op = {.kind = OP_MALLOC, .count = 1, .a = gauge(x)};
    unsigned first = PROGRAM_SLOTS, last = 0, slot;
    bool can = (promises & (PROMISE_REUSES | PROMISE_MERGES)) && x->ops->free && !x->lender.refused;
    if (x->kernel && x->kernel->machine->frames > REFILL_FRAMES_MAX) can = false; /* more than there are slots */
    lender_spare(&x->lender);
    x->op_index = x->program->op_count;
    for (slot = 0; can && slot < PROGRAM_SLOTS; slot++) {
        if (block_live(&x->model.blocks[slot])) continue;
        x->call_size = op.a;
        if (!call(x, &op, slot)) return false;
        if (!block_live(&x->model.blocks[slot])) break;
        if (first == PROGRAM_SLOTS) first = slot;
        last = slot;
    }
    if (first != PROGRAM_SLOTS && slot < PROGRAM_SLOTS) {
        unsigned victim = first + x->program->heap.seed % (last - first + 1);
        if (block_live(&x->model.blocks[victim]) && x->model.blocks[victim].request == op.a) {
            if (!free_slot(x, victim) || !call(x, &op, victim)) return false;
            exec_checked(x, RULE_C25);
            if (!block_live(&x->model.blocks[victim]))
                return exec_fail(x, RULE_C25, NULL, "the block back that was freed just now", "NULL for %llu bytes",
                                 (unsigned long long)op.a);
        }
    }
    return wind_up(x, x->program->heap.seed % ORDERS);
}

/* On a fresh heap, whatever is smaller than what was granted is granted (C30). */
static bool monotone(struct exec *x)
{
    size_t top = (size_t)(x->program->heap.size < PTRDIFF_MAX ? x->program->heap.size : PTRDIFF_MAX), granted = 0;
    if (!plain(x)) return false;
    if (x->options.contract.backing == BACKING_HOST || x->lender.geometry.size > ((uint64_t)1 << 20)) return true;
    /* The largest that a fresh heap grants, by halving, with every smaller probe held against it. */
    for (size_t low = 0, high = top, n = top; low < high || n == top; n = low + (high - low) / 2) {
        if (!exec_fresh(x, false)) return false;
        lender_spare(&x->lender);
        beat(x);
        bool got = x->ops->malloc(x->heap, n) != NULL;
        if (got && n > granted) granted = n;
        if (got) low = n + 1;
        else high = n;
        if (n == top && got) break;
        if (low >= high) break;
    }
    uint64_t dice = x->program->heap.seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    for (unsigned i = 0; i < 12 && granted > 1; i++) {
        dice = dice * UINT64_C(0xD1342543DE82EF95) + 1;
        size_t n = 1 + (size_t)((dice >> 33) % (i % 2 ? granted : granted < 300 ? granted : 300));
        if (i % 4 == 3) n = granted - (size_t)(dice >> 40) % (granted < 64 ? granted : 64);
        if (x->ops->frame_push) x->ops->frame_push(x->heap); /* what reset() has to take back too */
        if (!exec_again(x)) return false;
        lender_spare(&x->lender);
        exec_checked(x, RULE_C30);
        beat(x);
        if (n && !x->ops->malloc(x->heap, n))
            return exec_fail(x, RULE_C30, NULL, "a block: more was granted on a heap as fresh as this one",
                             "NULL for %zu bytes, a block for %zu", n, granted);
    }
    return exec_again(x) && exec_round(x) && wind_up(x, ASCENDING);
}

/* The same calls elsewhere and with other dirt (C37), then with other contents (C41). */
static bool twin(struct exec *x)
{
    const struct program *p = x->program;
    if (!plain(x)) return false;
    if (!(x->options.contract.promises & PROMISE_DETERMINISTIC) || x->options.contract.backing == BACKING_HOST)
        return true;
    uintptr_t here = (uintptr_t)x->lender.face.base;
    x->round = 1;
    if (!exec_fresh(x, true)) return false;
    x->twin_distance = (uintptr_t)x->lender.face.base - here;
    x->incomparable = false;
    if (!exec_round(x) || !exec_fresh(x, false)) return false;
    x->twin_distance = 0;
    x->incomparable = false;
    x->round = 2;
    x->contents_salt = 0x5bd1e995;
    bool held = exec_round(x);
    x->contents_salt = 0;
    x->program = p;
    return held;
}

/* The largest block that is granted now that nothing lives, where it can be found by halving; else 0. */
static size_t largest_now(struct exec *x)
{
    const struct alloc_contract *c = &x->options.contract;
    bool can = (c->promises & PROMISE_MERGES) && x->ops->free && c->backing != BACKING_HOST && !x->model.strangers;
    size_t low = 0, high = (size_t)x->lender.geometry.size;
    if (!can || x->kernel || high > RECOVER_HEAP_MAX) return 0;
    while (low < high) {
        size_t middle = high - (high - low) / 2;
        beat(x);
        if (can_have(x, middle)) low = middle;
        else high = middle - 1;
    }
    return low;
}

/* What a program does, but for what it makes fail and the course by which it is run. */
static uint64_t digest(const struct program *p)
{
    const struct heap_geometry *h = &p->heap;
    const uint64_t head[] = {h->size, h->seed, h->dirty, h->place, h->fence, h->machine, h->scatter, p->op_count};
    uint64_t d = UINT64_C(0x9E3779B97F4A7C15), word;
    for (unsigned i = 0; i < sizeof head / sizeof *head; i++)
        d = (d ^ head[i]) * UINT64_C(0xD6E8FEB86659FD93), d ^= d >> 32;
    for (uint32_t i = 0; i < p->op_count; i++)
        for (unsigned k = 0; k < sizeof(struct op) / sizeof word; k++) {
            memcpy(&word, (const char *)&p->ops[i] + k * sizeof word, sizeof word);
            d = (d ^ word) * UINT64_C(0xD6E8FEB86659FD93);
            d ^= d >> 32;
        }
    return d | 1;
}

/* The first round, with nothing failing, once for all runs of a program with one request after the other failing. */
static bool go_unharmed(struct exec *x)
{
    const uint64_t now = digest(x->program);
    if (x->baseline == now) return true;
    x->baseline = 0;
    x->unharmed = true;
    if (!plain(x)) return false;
    x->unharmed = false;
    x->baseline_most = largest_now(x);
    x->baseline = now;
    return true;
}

/* A heap to which something was refused is, when everything has been freed, as good as one that got all it asked for: it
 * grants as large a block (C25), and where it decides as a fresh heap would, whatever a fresh one grants (C24). */
static bool recover(struct exec *x)
{
    const bool host = x->options.contract.backing == BACKING_HOST; /* there is one heap only, and it lives on */
    if (host ? !plain(x) : !go_unharmed(x)) return false;
    const size_t most = host ? 0 : x->baseline_most;
    x->round = 1;
    if (!host && !plain(x)) return false;
    lender_spare(&x->lender);
    if (x->model.strangers || !x->lender.refused) return true;
    x->op_index = x->program->op_count;
    if (most) {
        exec_checked(x, RULE_C25);
        if (!can_have(x, most))
            return exec_fail(x, RULE_C25, NULL, "the largest block of a heap to which nothing was refused",
                             "NULL for %zu bytes, with everything freed", most);
    }
    if (!host && !(x->options.contract.promises & PROMISE_DRAINS)) return true;
    /* Where the break stood when somebody moved it, is another place in each round. */
    if (moves_break(x->program) || has(x->program, OP_FOREIGN_SBRK)) return true;
    if (x->kernel && x->program->heap.fail % RECOVER_SAMPLE) return true;
    model_fresh(x, false);
    x->round = 2;
    x->unharmed = true;
    return exec_round(x) && wind_up(x, ASCENDING);
}

struct end_state {
    uint64_t footprint, free_bytes, free_blocks;
};

static struct end_state end_state(struct exec *x)
{
    struct alloc_stats s = {0};
    if (x->ops->stats) x->ops->stats(x->heap, &s);
    return (struct end_state){lender_footprint(&x->lender), s.free_bytes, s.free_blocks};
}

/* The order of the frees does not matter in the end (C40). */
static bool permute(struct exec *x)
{
    if (!exec_fresh(x, false) || !exec_round(x) || !wind_up(x, ASCENDING)) return false;
    bool can =
        (x->options.contract.promises & PROMISE_MERGES) && x->ops->free && !x->lender.refused && !x->model.strangers;
    if (!can || x->options.contract.backing == BACKING_HOST) return true;
    struct end_state first = end_state(x);
    x->round = 1;
    if (!exec_again(x) || !exec_round(x) || !wind_up(x, x->program->heap.seed % 2 ? DESCENDING : ODD_FIRST))
        return false;
    struct end_state second = end_state(x);
    exec_checked(x, RULE_C40);
    if (first.footprint == second.footprint && first.free_bytes == second.free_bytes &&
        first.free_blocks == second.free_blocks)
        return true;
    return exec_fail(x, RULE_C40, NULL, "the same end state whatever the order of the frees",
                     "footprint %llu and %llu, free bytes %llu and %llu", (unsigned long long)first.footprint,
                     (unsigned long long)second.footprint, (unsigned long long)first.free_bytes,
                     (unsigned long long)second.free_bytes);
}

bool course_run(struct exec *x)
{
    switch ((enum heap_course)x->program->heap.course) {
    case COURSE_DRAIN: return drain(x);
    case COURSE_STEADY: return steady(x);
    case COURSE_REFILL: return refill(x);
    case COURSE_MONOTONE: return monotone(x);
    case COURSE_TWIN: return twin(x);
    case COURSE_PERMUTE: return permute(x);
    case COURSE_FREE_COST: return plain(x) && free_cost(x);
    case COURSE_RECOVER: return recover(x);
    default: return plain(x);
    }
}
