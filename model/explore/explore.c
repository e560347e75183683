/* explore.c: the search; explore.h is the manual.
 *
 *     level 0   level 1   level 2                 a copy of the heap at each state of the word that it stands at,
 *     (root) ── malloc ── free ─┬─ malloc 48      and what undoes the last call in the model
 *                               ├─ malloc 32
 *                               └─ …              each letter is tried from the last level, and taken back
 *
 * The heap under test stands at one state, and goes from state to state in the order in which they were found: back to
 * where the two words part, then forward by the other word's calls. As neighbours were found one after the other, they
 * share nearly all of their words; a copy is kept for each call of one word, and none of any other state.
 */
#include "explore_internal.h"

#include "exec_course.h"

#include <stdio.h>
#include <string.h>

#define SIZES_TRIED 4096u /* on a fresh heap, to tell them apart */
#define MARK_BYTES 64u
#define CAREFUL_CALLS (1u << 14) /* that show nothing new, before a large state is looked at less often */
#define SIZES_KEPT (EXPLORE_SIZES_MAX / 2)

/* What a call did to the model: enough to take it back. */
struct undo {
    struct block old; /* of the slot, before it */
    uint32_t state;   /* where it leads, if that is a level; */
    uint64_t largest; /* the largest request granted up to there */
    uint16_t slot;
    uint32_t slot_end;
};

struct search {
    struct explore *e;
    struct exec *x;
    struct image image;
    struct kernel_model *kernel; /* the model of the machine, put aside */
    struct program program;      /* the heap's geometry, for exec */
    bool sized;                  /* requests and alignments count */
    bool anew;                   /* something has been found to change that no copy has: back to the beginning */
    uint64_t outcome;            /* of the call that was tried last on the fresh heap */
    uint32_t careful_calls;      /* that are left */
    uint32_t depth;
    struct undo levels[EXPLORE_DEPTH_MAX + 2];         /* levels[i] led to level i */
    uint32_t word[EXPLORE_DEPTH_MAX + 1];              /* states that go_to still has to pass through, the last first */
    unsigned char *copies;                             /* of the heap at each level */
    uint64_t granted[(EXPLORE_LETTERS_MAX + 63) / 64]; /* of the mallocs: by the fresh heap */
};

/* ---- One call ---------------------------------------------------------------------------------------------------------- */

static const struct op *letter_of(const struct explore *e, unsigned letter)
{
    return letter < EXPLORE_LETTERS_MAX ? &e->letters[letter] : &e->probe;
}

static bool takes(enum op_kind kind)
{
    return kind == OP_FREE || kind == OP_FREE_SIZED || kind == OP_FREE_ALIGNED_SIZED;
}
static bool on_machine(const struct search *s) { return s->x->lender.face.kind == BACKING_MACHINE; }

static bool same_block(const struct block *a, const struct block *b)
{
    return a->base == b->base && a->dead == b->dead && a->usable == b->usable && a->request == b->request &&
           a->api == b->api && a->align_log2 == b->align_log2;
}

/* What owners write depends on where the block is and on nothing else, so that what they leave behind does too. */
static void write_contents(struct search *s, unsigned slot)
{
    struct model *m = &s->x->model;
    m->generation = (uint32_t)(m->blocks[slot].base - (uintptr_t)s->x->lender.face.base);
    model_write(s->x, slot);
}

/* Blocks of pages are too large to be written and read all the time: their owners mark both ends. */
static bool is_marked(const struct search *s, const struct block *b)
{
    return on_machine(s) && block_live(b) && b->unwatched && b->request >= 2 * MARK_BYTES;
}

static uint64_t mark_of(const struct search *s, const struct block *b)
{
    return payload_key(0, b->base - (uintptr_t)s->x->lender.face.base);
}

static void mark(const struct search *s, const struct block *b)
{
    if (!is_marked(s, b)) return;
    payload_fill((void *)b->base, MARK_BYTES, mark_of(s, b));
    payload_fill((unsigned char *)b->base + b->request - MARK_BYTES, MARK_BYTES, mark_of(s, b));
}

static bool intact(const struct search *s, const struct block *b, unsigned slot)
{
    if (!is_marked(s, b)) return true;
    exec_checked(s->x, RULE_C10);
    const unsigned char *at = (const unsigned char *)b->base, *last = at + b->request - MARK_BYTES;
    if (payload_verify(at, MARK_BYTES, mark_of(s, b)) == MARK_BYTES &&
        payload_verify(last, MARK_BYTES, mark_of(s, b)) == MARK_BYTES)
        return true;
    return exec_fail(s->x, RULE_C10, at, "the bytes that its owner wrote", "p%u, %llu bytes, has changed at an end",
                     slot, (unsigned long long)b->request);
}

/* A block that realloc has moved or resized begins as the old one did, marked or not. */
static bool kept(const struct search *s, const struct block *old, const struct block *b)
{
    if (!is_marked(s, old) || !block_live(b) || same_block(old, b) || b->request < MARK_BYTES) return true;
    exec_checked(s->x, RULE_A15);
    if (payload_verify((const void *)b->base, MARK_BYTES, mark_of(s, old)) == MARK_BYTES) return true;
    return exec_fail(s->x, RULE_A15, (const void *)b->base, "the old contents up to the smaller size",
                     "from %llu to %llu bytes, the beginning differs", (unsigned long long)old->request,
                     (unsigned long long)b->request);
}

/* An owner's last act, so that a free leaves behind nothing of his. */
static void scrub(struct block *b)
{
    memset((void *)b->base, 0xD7, (size_t)block_usable(b));
    b->unwatched = true;
}

/* Makes one call on the heap as it stands; what it says of itself is known to the other process before it is made. False
 * if and only if it breaks a rule. */
static bool make_call(struct search *s, uint32_t from, unsigned letter, unsigned slot, struct undo *u)
{
    struct explore *e = s->e;
    struct exec *x = s->x;
    const struct op *op = letter_of(e, letter);
    struct block *b = &x->model.blocks[slot];
    e->at = from;
    e->letter = (uint16_t)letter;
    e->slot = (uint16_t)slot;
    x->model.refusals = 0; /* each is looked into as the first of a program is */
    x->op_index = x->calls = x->options.position->op = s->depth;
    x->options.position->kind = op->kind;
    *u = (struct undo){.old = *b, .slot = (uint16_t)slot, .slot_end = x->model.slot_end};
    if (takes(op->kind) && !on_machine(s)) scrub(b);
    if (on_machine(s) && !intact(s, b, slot)) return false;
    if (!exec_make_call(x, op, slot, (size_t)op->a, (size_t)op->b)) return false;
    if (on_machine(s)) x->lender.machine.kswapd_awake = x->lender.machine.blocked = false; /* it found nothing to do */
    if (!kept(s, &u->old, b)) return false;
    if (on_machine(s)) mark(s, b);
    else if (block_live(b) && !same_block(b, &u->old)) write_contents(s, slot);
    return true;
}

/* The model as it was before the call. Frames are in no copy: what the owner of a block had written is written again. */
static void take_back(struct search *s, const struct undo *u)
{
    struct exec *x = s->x;
    struct block *b = &x->model.blocks[u->slot];
    if (!same_block(b, &u->old) || b->unwatched != u->old.unwatched) {
        if (block_live(b)) model_release(x, u->slot);
        if (block_live(&u->old)) model_restore(x, u->slot, &u->old);
        if (block_live(&u->old) && on_machine(s)) {
            x->model.generation = u->old.generation - 1;
            if (!u->old.unwatched) model_write(x, u->slot);
            mark(s, &u->old);
        }
    }
    *b = u->old;
    x->model.slot_end = u->slot_end;
}

/* ---- Where the heap stands ------------------------------------------------------------------------------------------------ */

static unsigned char *copy_at(const struct search *s, uint32_t level) { return s->copies + level * s->image.bytes; }

static bool room_for_copies(struct search *s)
{
    s->copies = exec_memory((EXPLORE_DEPTH_MAX + 2) * IMAGE_BYTES_MAX);
    return s->copies != NULL;
}

static void back_to(struct search *s, uint32_t level)
{
    while (s->depth > level) take_back(s, &s->levels[s->depth--]);
    image_restore(&s->image, copy_at(s, level));
}

/* Back to the fresh heap when copies are worthless, as something has been found to change that is in none of them: the next
 * ones are longer. */
static void stand_at_root(struct search *s)
{
    model_fresh(s->x, true);
    s->depth = 0;
    s->anew = false;
    s->careful_calls = CAREFUL_CALLS;
    image_restore_fresh(&s->image);
    image_save(&s->image, copy_at(s, 0));
}

/* Goes to a state, which the levels then lead to. False if a call that was allowed before now breaks a rule. */
static bool go_to(struct search *s, uint32_t state)
{
    const struct explore_state *states = explore_states(s->e);
    uint32_t depth = 0, calls = 0;
    for (uint32_t i = state; i; i = states[i].parent) depth++;
    /* From its end, until a state that the levels have too. */
    for (; depth > s->depth || s->levels[depth].state != state; depth--, state = states[state].parent)
        s->word[calls++] = state;
    if (depth < s->depth) back_to(s, depth);
    while (calls) {
        const uint32_t next = s->word[--calls], from = s->levels[s->depth].state;
        struct undo u;
        if (!make_call(s, from, states[next].letter, states[next].slot, &u)) return false;
        const struct block *b = &s->x->model.blocks[u.slot];
        u.state = next;
        u.largest = s->levels[s->depth].largest;
        if (block_live(b) && b->request > u.largest) u.largest = b->request;
        s->levels[++s->depth] = u;
        image_save(&s->image, copy_at(s, s->depth));
    }
    return true;
}

/* ---- States ---------------------------------------------------------------------------------------------------------------- */

/* Which of the sized frees is for a block, and the alignment that it has to be told (A21, A22). */
static unsigned given_back_as(const struct block *b)
{
    if (b->api == OP_ALIGNED_ALLOC) return 2u + b->align_log2;
    return b->api == OP_POSIX_MEMALIGN || b->api == OP_MEMALIGN;
}

/* What is owed to callers: where and how much, whoever has which slot. */
static uint64_t hash_live(const struct search *s)
{
    const struct exec *x = s->x;
    uint64_t sum = 0;
    for (uint64_t alive = x->model.alive[0]; alive; alive &= alive - 1) {
        const struct block *b = &x->model.blocks[__builtin_ctzll(alive)];
        uint64_t h = (uint64_t)(b->base - (uintptr_t)x->lender.face.base) << 32 ^ block_usable(b);
        if (s->sized) h = hash_mix(h) ^ b->request << 8 ^ given_back_as(b);
        sum += hash_mix(h + 1);
    }
    return sum;
}

static uint64_t hash_state(const struct search *s) { return hash_mix(image_hash(&s->image) ^ hash_live(s)); }

/* Everything has been freed: what was granted before is granted again; or even all that a fresh heap grants, where the heap
 * promises to drain (C24). All orders of frees end in such states. */
static bool drained(struct search *s, unsigned letter)
{
    struct exec *x = s->x;
    const struct op *op = letter_of(s->e, letter);
    const bool granted = x->outcome.result == RESULT_PTR;
    const unsigned promises = x->options.contract.promises;
    if (op->kind != OP_MALLOC || !(promises & (PROMISE_DRAINS | PROMISE_MERGES))) return true;
    if (!s->depth) {
        s->granted[letter / 64] |= (uint64_t)granted << letter % 64;
        return true;
    }
    exec_checked(x, RULE_C24);
    const bool due = promises & PROMISE_DRAINS ? s->granted[letter / 64] >> letter % 64 & 1
                                               : op->a && op->a == s->levels[s->depth].largest;
    if (granted || !due) return true;
    return exec_fail(x, RULE_C24, NULL, "a block, as before: everything has been freed since", "NULL for %llu bytes",
                     (unsigned long long)op->a);
}

/* A call has led somewhere: nowhere new, or to a state that is entered. */
static bool arrive(struct search *s, uint32_t from, unsigned letter, unsigned slot, const struct undo *u)
{
    struct explore *e = s->e;
    const struct block *b = &s->x->model.blocks[slot];
    e->transitions = e->transitions + 1;
    if (same_block(b, &u->old) && image_same(&s->image, copy_at(s, s->depth))) return true;
    const struct explore_state state = {hash_state(s), from, (uint16_t)letter, (uint16_t)slot};
    if (states_full(e)) {
        if (!states_know(e, state.hash)) e->end = EXPLORE_FULL;
        return true;
    }
    if (!states_add(e, &state)) return true;
    if (s->x->model.live > e->live_max) e->live_max = s->x->model.live;
    return model_inspect(s->x);
}

/* What has just been freed can be had again (C25): a block that malloc or calloc made, not one that was made otherwise and
 * may come from where malloc does not look. */
static bool had_again(struct search *s, const struct undo *u)
{
    struct exec *x = s->x;
    const size_t bytes = (size_t)u->old.request;
    if (u->old.api != OP_MALLOC && u->old.api != OP_CALLOC) return true;
    exec_checked(x, RULE_C25);
    if (!bytes || x->ops->malloc(x->heap, bytes)) return true;
    return exec_fail(x, RULE_C25, NULL, "the block back that was freed just now", "NULL for %zu bytes", bytes);
}

/* While a large state is looked at after every call: has it shown something new? Then all is to be begun anew. */
static bool looked_closely(struct search *s)
{
    if (!s->careful_calls && !s->e->careful) return false;
    s->careful_calls -= s->careful_calls > 0;
    return s->anew = image_learn(&s->image, s->e->careful);
}

/* One letter on one slot, there and back. */
static bool try_letter(struct search *s, uint32_t from, unsigned letter, unsigned slot)
{
    struct exec *x = s->x;
    struct undo u;
    const bool empty = !x->model.live;
    if (!make_call(s, from, letter, slot, &u)) return false;
    if (empty && !drained(s, letter)) return false;
    if (!arrive(s, from, letter, slot, &u)) return false;
    if (looked_closely(s)) return true;
    if (letter_of(s->e, letter)->kind == OP_FREE && x->options.contract.promises & (PROMISE_REUSES | PROMISE_MERGES)) {
        if (!had_again(s, &u)) return false;
        if (looked_closely(s)) return true;
    }
    take_back(s, &u);
    image_restore(&s->image, copy_at(s, s->depth));
    return true;
}

/* The slots, bit by bit, on which this kind of letter is tried. */
static uint64_t slots_for(struct search *s, enum op_kind kind)
{
    const struct model *m = &s->x->model;
    const uint64_t alive = m->alive[0];
    uint64_t dead = 0;
    switch (letter_slot(kind)) {
    case LETTER_FRESH:
        if (~alive) return ~alive & (alive + 1); /* the lowest */
        s->e->crowded = true;
        return 0;
    case LETTER_LIVE: /* and realloc(NULL, n), which is one letter more for what malloc does */
        return alive | (s->e->orders.odd && kind == OP_REALLOC ? ~alive & (alive + 1) : 0);
    case LETTER_NONE: return 1;
    default:
        for (unsigned slot = 0; slot < m->slot_end; slot++) dead |= (uint64_t)m->blocks[slot].dead << slot;
        return dead;
    }
}

static bool expand(struct search *s, uint32_t state)
{
    const struct explore *e = s->e;
    for (unsigned letter = 0; letter < e->letter_count; letter++)
        for (uint64_t slots = slots_for(s, e->letters[letter].kind); slots; slots &= slots - 1) {
            if (!try_letter(s, state, letter, (unsigned)__builtin_ctzll(slots))) return false;
            if (s->anew || e->end != EXPLORE_RUNNING) return true;
        }
    return true;
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------------------ */

/* Tries a letter on the fresh heap; `look` sees what came of it. False if it breaks a rule. */
static bool try_on_fresh(struct search *s, unsigned letter, void (*look)(struct search *s, unsigned letter))
{
    struct undo u;
    do {
        if (!make_call(s, 0, letter, 0, &u)) return false;
        look(s, letter);
        if (image_learn(&s->image, false)) {
            stand_at_root(s);
            s->anew = true;
        } else {
            take_back(s, &u);
            image_restore(&s->image, copy_at(s, 0));
            s->anew = false;
        }
    } while (s->anew);
    return true;
}

/* What malloc makes of the fresh heap; 0 if it is refused. */
static void note_outcome(struct search *s, unsigned letter)
{
    const struct block *b = &s->x->model.blocks[0];
    (void)letter;
    s->outcome = 0;
    if (!block_live(b)) return;
    s->outcome = image_hash(&s->image) ^ (b->base - (uintptr_t)s->x->lender.face.base);
    if (s->x->ops->usable_size) s->outcome = hash_mix(s->outcome) ^ block_usable(b);
    s->outcome = hash_mix(s->outcome) | 1;
}

/* The largest of each stretch of sizes that a fresh heap treats alike, the largest first, and 0. If there are too many,
 * multiples of a power of two stand for all. */
static bool find_sizes(struct search *s)
{
    struct explore_orders *o = &s->e->orders;
    const uint64_t top = s->x->lender.face.size;
    for (uint64_t grain = top < SIZES_TRIED ? 1 : top / SIZES_TRIED;; grain *= 2) {
        uint64_t before = 0, now;
        o->size_count = 0;
        for (uint64_t n = top - top % grain; n && o->size_count < SIZES_KEPT; n -= grain, before = now) {
            s->e->probe = (struct op){.kind = OP_MALLOC, .count = 1, .a = n};
            if (!try_on_fresh(s, EXPLORE_LETTERS_MAX, note_outcome)) return false;
            now = s->outcome;
            exec_checked(s->x, RULE_C30);
            if (!now && before)
                return exec_fail(s->x, RULE_C30, NULL, "a block: more was granted on a heap as fresh as this one",
                                 "NULL for %llu bytes, a block for %llu", (unsigned long long)n,
                                 (unsigned long long)(n + grain));
            if (now && now != before) o->sizes[o->size_count++] = n;
        }
        if (o->size_count < SIZES_KEPT) break;
    }
    o->sizes[o->size_count++] = 0;
    return true;
}

/* ---- The search --------------------------------------------------------------------------------------------------------------- */

static void found_nothing(struct explore *e)
{
    e->states = e->expanded = e->transitions = 0;
    e->depth = e->live_max = 0;
    states_index(e);
}

/* The root and nothing else. */
static void begin_anew(struct search *s)
{
    stand_at_root(s);
    found_nothing(s->e);
    const struct explore_state root = {.hash = hash_state(s)};
    states_add(s->e, &root);
}

static void note_granted(struct search *s, unsigned letter) { drained(s, letter); }

/* Which sizes the fresh heap grants, for those who did not see it. */
static bool ask_root(struct search *s)
{
    for (unsigned letter = 0; letter < s->e->letter_count; letter++)
        if (s->e->letters[letter].kind == OP_MALLOC && !try_on_fresh(s, letter, note_granted)) return false;
    return true;
}

/* Goes on with states that another process has found: the same calls lead to them here. Their hashes are other ones, as
 * there are addresses in what was hashed. */
static bool go_on(struct search *s)
{
    struct explore *e = s->e;
    struct explore_state *states = explore_states(e);
    if (!ask_root(s)) return false;
    for (uint32_t i = 0; i < e->states; i++) {
        if (!go_to(s, i)) return false;
        states[i].hash = hash_state(s);
        if (!image_learn(&s->image, false)) continue;
        stand_at_root(s);
        i = UINT32_MAX; /* from the beginning */
    }
    states_index(e);
    return true;
}

/* Whether a rule is really broken, or the heap was put back only in part. */
static bool was_our_fault(struct search *s)
{
    struct exec *x = s->x;
    if (x->verdict.kind != VERDICT_FAIL || !image_learn(&s->image, true)) return false;
    x->verdict = (struct verdict){.kind = VERDICT_PASS, .slot = PROGRAM_SLOTS};
    x->reports_seen = x->lender.reports;
    return s->anew = true;
}

static bool search(struct search *s)
{
    struct explore *e = s->e;
    while (e->expanded < e->states) {
        const uint32_t state = (uint32_t)e->expanded;
        if (e->stop) {
            e->end = EXPLORE_STOPPED;
            return true;
        }
        bool held = go_to(s, state);
        e->depth = s->depth;
        if (held && s->depth == e->orders.depth_max) {
            e->end = EXPLORE_DEPTH;
            return true;
        }
        held = held && expand(s, state);
        if (!held && !was_our_fault(s)) return false;
        if (s->image.too_large) return false;
        if (e->end != EXPLORE_RUNNING) return true;
        if (s->anew || image_learn(&s->image, false)) begin_anew(s);
        else e->expanded = state + 1;
    }
    e->end = EXPLORE_CLOSED;
    return true;
}

static bool run(struct search *s)
{
    struct explore *e = s->e;
    s->sized = e->orders.ops >> OP_FREE_SIZED & 1 || e->orders.ops >> OP_FREE_ALIGNED_SIZED & 1;
    if (!room_for_copies(s)) return false;
    image_save(&s->image, copy_at(s, 0));
    if (e->states) return go_on(s) && search(s);
    if (!e->orders.size_count && !find_sizes(s)) return false;
    letters_make(e, s->x);
    begin_anew(s);
    return search(s);
}

bool explore_run(struct explore *e, const struct exec_options *options, struct verdict *verdict)
{
    static struct search searches; /* too large for the stack of every system; a process runs one exploration */
    struct search *s = &searches;
    struct exec_options o = *options;
    *s = (struct search){.e = e, .careful_calls = CAREFUL_CALLS};
    s->program.heap = e->orders.heap;
    const bool machine = o.contract.backing == BACKING_MACHINE;
    o.thorough = !machine; /* there, the blocks are not in the copies, and one is looked at at a time */
    if (machine) o.request_max = 2 * MARK_BYTES;
    struct exec *x = s->x = exec_open(&o);
    *verdict = (struct verdict){.kind = VERDICT_ERROR, .slot = PROGRAM_SLOTS};
    if (!x) return snprintf(verdict->seen, sizeof verdict->seen, "no memory for the executor"), false;
    x->program = &s->program;
    x->verdict = (struct verdict){.kind = VERDICT_PASS, .slot = PROGRAM_SLOTS};
    e->end = EXPLORE_RUNNING;
    e->at = 0;
    bool can = exec_fresh(x, false) && image_open(&s->image, x);
    /* The model of a machine cannot be put back; what it judges of the malloc family is left to `assay check`. Nobody
     * reclaims or kills. */
    s->kernel = x->kernel;
    x->kernel = NULL;
    x->lender.surroundings = NULL;
    if (can && !run(s)) {
        if (x->verdict.kind == VERDICT_FAIL) e->end = EXPLORE_BROKEN;
        else x->verdict.kind = VERDICT_ERROR;
    }
    if (!can && x->verdict.kind == VERDICT_FAIL) e->end = EXPLORE_BROKEN;
    *verdict = x->verdict;
    x->kernel = s->kernel;
    return can || e->end == EXPLORE_BROKEN;
}

void explore_program(const struct explore *e, struct program *p)
{
    const struct explore_state *states = explore_states(e);
    uint32_t depth = 0;
    program_clear(p);
    p->heap = e->orders.heap;
    for (uint32_t i = e->at; i; i = states[i].parent) depth++;
    p->op_count = depth + 1;
    p->ops[depth] = *letter_of(e, e->letter);
    p->ops[depth].slot = e->slot;
    for (uint32_t i = e->at; i; i = states[i].parent) {
        p->ops[--depth] = *letter_of(e, states[i].letter);
        p->ops[depth].slot = states[i].slot;
    }
    program_normalise(p);
}
