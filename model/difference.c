/* difference.c: difference.h is the manual.
 *
 * The runs are merged by the number of the step, like sorted lists. Each pair is judged as long as it is in step; what all
 * made, asked the same, goes into the sums.
 */
#include "difference.h"

#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ALIGN_SEEN_MAX 12u       /* log2: alignments above a page are luck */
#define ALIGN_COMPARED_MAX 4096u /* bytes: where memory lies changes what there is room for beyond it */
#define EXAMPLE_MAX ((uint64_t)32 << 10)

void difference_begin(struct difference *d, const struct party *parties, unsigned count)
{
    memset(d, 0, sizeof *d);
    d->count = count;
    for (unsigned i = 0; i < count; i++) {
        d->party[i] = parties[i];
        memset(d->choices[i].align_least, ALIGN_SEEN_MAX, ALIGN_CLASSES);
    }
}

/* ---- The walk over the runs ----------------------------------------------------------------------------------------- */

struct walk {
    struct difference *d;
    const struct observed_run *runs;
    const struct observation *now[PARTIES_MAX]; /* the call of this step; NULL: not made */
    uint32_t next[PARTIES_MAX];
    uint32_t in_step[PARTIES_MAX]; /* bit j > i of word i: i and j have answered alike so far, */
    uint32_t twins[PARTIES_MAX];   /* and are the same allocator, which has to */
    struct disagreement *found;
    unsigned found_count, room;
};

static bool is_offered(const struct party *p, unsigned kind) { return p->offered[kind / 32] >> kind % 32 & 1; }

static void walk_begin(struct walk *w, struct difference *d, const struct observed_run *runs)
{
    memset(w, 0, sizeof *w);
    w->d = d;
    w->runs = runs;
    for (unsigned i = 0; i < d->count; i++)
        for (unsigned j = i + 1; j < d->count; j++) {
            const struct party *one = &d->party[i], *other = &d->party[j];
            bool same = one->same == other->same && one->contract->promises & PROMISE_DETERMINISTIC;
            w->in_step[i] |= UINT32_C(1) << j;
            if (same) w->twins[i] |= UINT32_C(1) << j;
        }
}

/* The next step in which somebody made a call; false if there is none. A run that was cut off ends it for all. */
static bool walk_on(struct walk *w)
{
    uint32_t least = UINT32_MAX;
    for (unsigned i = 0; i < w->d->count; i++) {
        const struct observed *p = w->runs[i].program;
        if (w->next[i] == p->count && p->cut) return false;
        if (w->next[i] < p->count && w->runs[i].calls[w->next[i]].call < least)
            least = w->runs[i].calls[w->next[i]].call;
    }
    for (unsigned i = 0; i < w->d->count; i++) {
        const struct observation *o = &w->runs[i].calls[w->next[i]];
        bool made = w->next[i] < w->runs[i].program->count && o->call == least;
        w->now[i] = made ? o : NULL;
        w->next[i] += made;
    }
    return least != UINT32_MAX;
}

/* ---- What may not differ --------------------------------------------------------------------------------------------- */

static const char *result_word(const struct observation *o)
{
    static const char *const words[] = {
        [RESULT_NONE] = "nothing",  [RESULT_PTR] = "a block", [RESULT_NULL] = "NULL",      [RESULT_VOID] = "nothing",
        [RESULT_VALUE] = "a value", [RESULT_REPORT] = "",     [RESULT_SKIPPED] = "no call"};
    if (!o) return "no call";
    return o->result == RESULT_REPORT ? report_kind_name(o->detail) : words[o->result];
}

static bool disagree(const struct walk *w, unsigned i, unsigned j, const char *expected, const char *seen,
                     struct disagreement *found)
{
    const struct observation *o = w->now[i] ? w->now[i] : w->now[j];
    *found = (struct disagreement){
        .one = i,
        .other = j,
        .verdict = {.kind = VERDICT_FAIL, .rule = RULE_DIFFER, .op = o->op, .step = o->step, .slot = PROGRAM_SLOTS}};
    snprintf(found->verdict.expected, sizeof found->verdict.expected, "%s", expected);
    snprintf(found->verdict.seen, sizeof found->verdict.seen, "%s", seen);
    return false;
}

static bool answers_differ(const struct walk *w, unsigned i, unsigned j, const char *expected,
                           struct disagreement *found)
{
    char seen[VERDICT_TEXT_MAX];
    snprintf(seen, sizeof seen, "%.48s: %s; %.48s: %s", w->d->party[i].name, result_word(w->now[i]),
             w->d->party[j].name, result_word(w->now[j]));
    return disagree(w, i, j, expected, seen, found);
}

/* Of the malloc family, and asked of both as far as contracts and the harness's own limits go. */
static bool asked_of_both(const struct party *a, const struct party *b, unsigned kind)
{
    const struct alloc_contract *one = a->contract, *other = b->contract;
    const unsigned asked = PROMISE_ALIGN_CHECKED | PROMISE_FRAMES;
    return kind <= OP_FREE_NULL && is_offered(a, kind) && is_offered(b, kind) && one->backing != BACKING_MACHINE &&
           other->backing != BACKING_MACHINE && (one->backing == BACKING_HOST) == (other->backing == BACKING_HOST) &&
           one->realloc_zero == other->realloc_zero && (one->promises & asked) == (other->promises & asked);
}

/* A contract error with one right answer, which both promise to give. */
static bool one_report(const struct party *a, const struct party *b, unsigned kind)
{
    unsigned both = a->contract->promises & b->contract->promises;
    return (kind == OP_INTERIOR_FREE || kind == OP_FOREIGN_FREE) && both & PROMISE_DETECTS_BAD_FREE;
}

static bool is_kmalloc(unsigned kind) { return kind >= OP_KMALLOC && kind <= OP_KMALLOC_ARRAY; }

static bool answered_alike(const struct observation *a, const struct observation *b)
{
    return a->size == b->size && a->size2 == b->size2 && a->result == b->result &&
           (a->result != RESULT_REPORT || a->detail == b->detail);
}

/* Two of the same allocator. What they see of an address is no part of what they decide. */
static bool judge_twins(struct walk *w, unsigned i, unsigned j, struct disagreement *found)
{
    const struct observation *a = w->now[i], *b = w->now[j];
    char seen[VERDICT_TEXT_MAX];
    if (a && b && answered_alike(a, b) && a->usable == b->usable && a->offset == b->offset) return true;
    if (!a || !b || !answered_alike(a, b))
        return answers_differ(w, i, j, "the same answer of an allocator that promises to be deterministic", found);
    if (a->usable != b->usable)
        snprintf(seen, sizeof seen, "%llu bytes usable in one process, %llu in the other",
                 (unsigned long long)a->usable, (unsigned long long)b->usable);
    else
        snprintf(seen, sizeof seen, "offset %lld in one process, %lld in the other", (long long)a->offset,
                 (long long)b->offset);
    return disagree(w, i, j, "the same block of an allocator that promises to be deterministic", seen, found);
}

/* Two that are in step: false if they disagree on what may not differ. May take them out of step. */
static bool judge_pair(struct walk *w, unsigned i, unsigned j, struct disagreement *found)
{
    const struct party *one = &w->d->party[i], *other = &w->d->party[j];
    const struct observation *a = w->now[i], *b = w->now[j];
    uint32_t bit = UINT32_C(1) << j;
    unsigned kind = a ? a->kind : b->kind;
    w->d->checked++;
    if ((a ? a : b)->size2 > ALIGN_COMPARED_MAX) w->twins[i] &= ~bit;
    if (w->twins[i] & bit) return judge_twins(w, i, j, found);
    if (a && b && answered_alike(a, b)) return true;
    w->in_step[i] &= ~bit;
    if (!a || !b) {
        if (!asked_of_both(one, other, kind)) return true;
        return answers_differ(w, i, j, "the call made to both or to neither: they have answered alike so far", found);
    }
    if (a->size != b->size || a->size2 != b->size2) return true;
    if (one_report(one, other, kind))
        return answers_differ(w, i, j, "the same report: no rounding or merging makes it another error", found);
    if (is_kmalloc(kind) && a->size == 0)
        return answers_differ(w, i, j, "the same class of result for a kmalloc of nothing", found);
    return true;
}

/* All pairs at this step. One that disagrees is told once: it is out of step from then on. */
static void judge(struct walk *w)
{
    for (unsigned i = 0; i < w->d->count; i++)
        for (uint32_t pairs = w->in_step[i]; pairs; pairs &= pairs - 1) {
            unsigned j = (unsigned)__builtin_ctz(pairs);
            struct disagreement found;
            if ((!w->now[i] && !w->now[j]) || judge_pair(w, i, j, &found)) continue;
            w->in_step[i] &= ~(UINT32_C(1) << j);
            if (w->found_count < w->room) w->found[w->found_count++] = found;
        }
}

/* ---- What they chose --------------------------------------------------------------------------------------------------- */

static enum usable_class usable_class(const struct observation *o)
{
    uint64_t bytes = o->size;
    if (o->size2) return USABLE_ALIGNED;
    return bytes <= 64 ? USABLE_64 : bytes <= 1024 ? USABLE_1K : bytes <= EXAMPLE_MAX ? USABLE_32K : USABLE_ABOVE;
}

static bool aligned_kind(unsigned kind)
{
    return kind == OP_ALIGNED_ALLOC || kind == OP_POSIX_MEMALIGN || kind == OP_MEMALIGN;
}

/* All granted it, and it is new: a block that was made smaller in place tells of its past. */
static void add_usable(const struct walk *w, const struct observation *o)
{
    struct difference *d = w->d;
    enum usable_class class = usable_class(o);
    uint64_t least = UINT64_MAX, most = 0, so_far_least = UINT64_MAX, so_far = 0;
    d->asked[class] += o->size;
    for (unsigned i = 0; i < d->count; i++) {
        uint64_t usable = w->now[i]->usable, before = d->usable.usable[i];
        if (!is_offered(&d->party[i], OP_USABLE_SIZE)) continue;
        d->choices[i].usable[class] += usable;
        if (usable < least) least = usable;
        if (usable > most) most = usable;
        if (before < so_far_least) so_far_least = before;
        if (before > so_far) so_far = before;
    }
    if (o->size > EXAMPLE_MAX || o->size2 || most <= least ||
        (d->usable.bytes && most - least <= so_far - so_far_least))
        return;
    d->usable = (struct example){.kind = (enum op_kind)o->kind, .bytes = o->size};
    for (unsigned i = 0; i < d->count; i++)
        d->usable.usable[i] = is_offered(&d->party[i], OP_USABLE_SIZE) ? w->now[i]->usable : 0;
}

static void add_alignment(const struct walk *w, const struct observation *o)
{
    enum align_class class = o->size <= 8 ? ALIGN_TO_8 : o->size < 16 ? ALIGN_TO_15 : ALIGN_FROM_16;
    w->d->aligned[class]++;
    for (unsigned i = 0; i < w->d->count; i++) {
        uint8_t *least = &w->d->choices[i].align_least[class];
        if (w->now[i]->detail < *least) *least = w->now[i]->detail;
    }
}

static void add_resize(const struct walk *w, const struct observation *o)
{
    struct difference *d = w->d;
    if (o->size == o->size2) return;
    for (unsigned i = 0; i < d->count; i++)
        if (w->now[i]->move == MOVE_NONE) return;
    *(o->size > o->size2 ? &d->grown : &d->shrunk) += 1;
    for (unsigned i = 0; i < d->count; i++) {
        if (w->now[i]->move != MOVE_STAYED) continue;
        *(o->size > o->size2 ? &d->choices[i].grown_in_place : &d->choices[i].shrunk_in_place) += 1;
    }
}

static void add_refusal(const struct walk *w, const struct observation *o, unsigned granted)
{
    for (unsigned i = 0; i < w->d->count; i++) {
        struct choices *c = &w->d->choices[i];
        if (w->now[i]->result != RESULT_NULL) continue;
        bool tells = o->kind <= OP_FREE_NULL && o->kind != OP_POSIX_MEMALIGN; /* whose errno is none */
        c->refusals += tells;
        c->refusals_enomem += tells && w->now[i]->detail == ENOMEM;
        if (!granted || o->size >= HUGE_REQUEST) continue;
        c->refused++;
        if (!c->refused_least || o->size < c->refused_least) c->refused_least = o->size;
    }
}

static void add_huge(const struct walk *w, const struct observation *o)
{
    w->d->huge++;
    for (unsigned i = 0; i < w->d->count; i++) {
        struct choices *c = &w->d->choices[i];
        if (w->now[i]->result != RESULT_PTR) continue;
        c->huge_granted++;
        if (o->size > c->huge_largest) c->huge_largest = o->size;
    }
}

static void add_zero(const struct walk *w, const struct observation *o)
{
    enum zero_class class = aligned_kind(o->kind) ? ZERO_ALIGNED : ZERO_MALLOC;
    if (o->kind >= OP_KERNEL_FIRST || (!aligned_kind(o->kind) && o->size2)) return; /* a resize of a block to nothing */
    w->d->zero[class]++;
    for (unsigned i = 0; i < w->d->count; i++) w->d->choices[i].zero_blocks[class] += w->now[i]->result == RESULT_PTR;
}

/* A call that all made, asked the same. */
static void add_call(const struct walk *w)
{
    struct difference *d = w->d;
    const struct observation *o = w->now[0];
    unsigned granted = 0, answered = 0;
    uint64_t bytes;
    d->calls++;
    if (!observe_request((enum op_kind)o->kind, 0, 0, 1, &bytes)) return;
    for (unsigned i = 0; i < d->count; i++) {
        granted += w->now[i]->result == RESULT_PTR;
        answered += w->now[i]->result == RESULT_PTR || w->now[i]->result == RESULT_NULL;
    }
    if (answered < d->count || o->size > PTRDIFF_MAX) return;
    if (!o->size) {
        add_zero(w, o);
        return;
    }
    const bool aligned = aligned_kind(o->kind) || o->kind == OP_VMALLOC_GFP;
    if (aligned && o->size2 & (o->size2 - 1)) return;     /* an alignment that is none is no want of memory */
    if (aligned && o->size2 > ALIGN_COMPARED_MAX) return; /* what these cost is the alignment's affair */
    if (o->size >= HUGE_REQUEST) add_huge(w, o);
    else d->requests++;
    if (granted < d->count) {
        add_refusal(w, o, granted);
        return;
    }
    if (o->size >= HUGE_REQUEST) return;
    if (aligned || (!o->size2 && o->move == MOVE_NONE)) add_usable(w, o);
    if (o->kind < OP_KERNEL_FIRST && !aligned_kind(o->kind)) add_alignment(w, o);
    add_resize(w, o);
}

static bool asked_alike(const struct walk *w)
{
    const struct observation *first = w->now[0];
    if (!first) return false;
    for (unsigned i = 1; i < w->d->count; i++) {
        const struct observation *o = w->now[i];
        if (!o || o->size != first->size || o->size2 != first->size2) return false;
    }
    return true;
}

static void add_program(struct difference *d, const struct observed_run *runs)
{
    d->programs++;
    for (unsigned i = 0; i < d->count; i++) {
        const struct observed *p = runs[i].program;
        struct choices *c = &d->choices[i];
        d->cut += i == 0 && p->cut;
        if (p->live_refused != OFFSET_NONE && p->heap_bytes) {
            c->full++;
            c->full_permille += p->live_refused * 1000 / p->heap_bytes;
        }
        if (p->heap_bytes) { /* of a host heap the most of all programs counts: it lives on */
            c->taken += p->taken;
            c->live += p->live;
            continue;
        }
        if (p->resident > c->taken) c->taken = p->resident;
        if (p->live > c->live) c->live = p->live;
    }
}

unsigned difference_add(struct difference *d, const struct observed_run *runs, struct disagreement *found,
                        unsigned room)
{
    struct walk w;
    for (unsigned i = 0; i < d->count; i++)
        if (runs[i].program->verdict != VERDICT_PASS) {
            d->left_out++;
            return 0;
        }
    add_program(d, runs);
    walk_begin(&w, d, runs);
    w.found = found;
    w.room = room;
    while (walk_on(&w)) {
        judge(&w);
        if (asked_alike(&w)) add_call(&w);
    }
    return w.found_count;
}
