/* recording.c: recording.h is the manual. */
#include "recording.h"

#include <stdlib.h>
#include <string.h>

#define PATTERN_MAX 16u              /* operations that a repeat is looked for in */
#define BLOCK_OVERHEAD 64u           /* bytes that a heap is given for each block beside its size */
#define HEAP_MAX (UINT64_C(1) << 28) /* bytes lent to a window at most */
#define OPS_KEPT_FREE 2u             /* one call may need an operation at either end */

/* A block of the recorded process. */
struct block {
    uint64_t address; /* 0: the place is free */
    uint64_t size, align;
    uint64_t number; /* in the order in which they were made */
    uint32_t window; /* first call of the window that it has a slot in */
    uint16_t slot;
};

/* What one window is made of: blocks from before, and what was done in it. */
struct window {
    uint32_t first; /* its name */
    struct program body;
    struct op *before; /* PROGRAM_OPS_MAX: what makes the blocks that are alive already */
    uint64_t *numbers; /* of their blocks */
    uint32_t before_count, steps;
    bool taken[PROGRAM_SLOTS];
    uint32_t slots;             /* of them have been used at all */
    uint64_t bytes, bytes_most; /* alive at a time, of the window's own blocks */
    uint64_t bytes_before;
};

/* ---- Blocks -------------------------------------------------------------------------------------------------------- */

static uint32_t place_of(const struct conversion *c, uint64_t address)
{
    return (uint32_t)(address / 16 * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (c->capacity - 1);
}

static struct block *find(const struct conversion *c, uint64_t address)
{
    for (uint32_t i = c->capacity ? place_of(c, address) : 0; c->capacity && c->blocks[i].address;
         i = (i + 1) & (c->capacity - 1))
        if (c->blocks[i].address == address) return &c->blocks[i];
    return NULL;
}

static struct block *insert(struct conversion *c, struct block block)
{
    uint32_t i = place_of(c, block.address);
    while (c->blocks[i].address) i = (i + 1) & (c->capacity - 1);
    c->blocks[i] = block;
    c->alive++;
    return &c->blocks[i];
}

/* What lies behind in the same run of places moves up, so that no search ends too soon (D. E. Knuth, 6.4, algorithm R). */
static void forget(struct conversion *c, struct block *b)
{
    const uint32_t mask = c->capacity - 1;
    uint32_t hole = (uint32_t)(b - c->blocks);
    for (uint32_t i = (hole + 1) & mask; c->blocks[i].address; i = (i + 1) & mask) {
        uint32_t home = place_of(c, c->blocks[i].address);
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        c->blocks[hole] = c->blocks[i];
        hole = i;
    }
    c->blocks[hole].address = 0;
    c->alive--;
}

static int make_room(struct conversion *c)
{
    if (c->alive < c->capacity / 2) return 0;
    struct block *old = c->blocks;
    uint32_t count = c->capacity;
    struct block *blocks = calloc(count ? count * 2 : 1024, sizeof *blocks);
    if (!blocks) return -1;
    c->blocks = blocks;
    c->capacity = count ? count * 2 : 1024;
    c->alive = 0;
    for (uint32_t i = 0; i < count; i++)
        if (old[i].address) insert(c, old[i]);
    free(old);
    return 0;
}

/* ---- Operations ------------------------------------------------------------------------------------------------------ */

static bool is_equal(const struct op *a, const struct op *b) { return memcmp(a, b, sizeof *a) == 0; }

/* The call continues the run that the last operation is: the same request, on the next slot. */
static bool extends(const struct op *last, const struct op *op)
{
    int stride = last->count > 1 ? last->stride : op->slot - last->slot;
    return last->kind == op->kind && last->a == op->a && last->b == op->b && last->count < PROGRAM_SLOTS &&
           last->slot + stride * last->count == op->slot;
}

static bool same_ops(const struct op *a, const struct op *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!is_equal(&a[i], &b[i]) || a[i].kind == OP_REPEAT) return false;
    return true;
}

/* The last operations are those before them once more, or what a repeat before them repeats. */
static void fold(struct program *p)
{
    for (uint32_t n = 1; n <= PATTERN_MAX && 2 * n <= p->op_count; n++) {
        struct op *last = p->ops + p->op_count - n, *repeat = last - 1;
        if (repeat->kind == OP_REPEAT && repeat->a == n && 2 * n + 1 <= p->op_count && same_ops(repeat - n, last, n)) {
            repeat->b++;
            p->op_count -= n;
            return;
        }
        if (!same_ops(last - n, last, n)) continue;
        *last = (struct op){.kind = OP_REPEAT, .count = 1, .a = n, .b = 1};
        p->op_count -= n - 1;
        return;
    }
}

static void append(struct program *p, const struct op *op)
{
    struct op *last = p->op_count ? &p->ops[p->op_count - 1] : NULL;
    if (last && extends(last, op)) {
        last->stride = (int16_t)(last->count > 1 ? last->stride : op->slot - last->slot);
        last->count++;
    } else {
        p->ops[p->op_count++] = *op;
    }
    fold(p);
}

/* ---- A window -------------------------------------------------------------------------------------------------------- */

static uint16_t take_slot(struct window *w, bool fresh)
{
    uint32_t slot = w->slots;
    for (uint32_t i = 0; !fresh && i < w->slots; i++)
        if (!w->taken[i]) {
            slot = i;
            break;
        }
    if (slot == w->slots) w->slots++;
    w->taken[slot] = true;
    return (uint16_t)slot;
}

static struct op making(const struct block *b)
{
    struct op op = {
        .kind = b->align ? OP_ALIGNED_ALLOC : OP_MALLOC, .count = 1, .slot = b->slot, .a = b->size, .b = b->align};
    return op;
}

/* The block has a slot in this window: if it is older, one that nothing had before. */
static void bring_in(struct window *w, struct block *b)
{
    if (b->window == w->first) return;
    b->window = w->first;
    b->slot = take_slot(w, true);
    uint32_t at = w->before_count++;
    for (; at && w->numbers[at - 1] > b->number; at--) {
        w->numbers[at] = w->numbers[at - 1];
        w->before[at] = w->before[at - 1];
    }
    w->numbers[at] = b->number;
    w->before[at] = making(b);
    w->bytes_before += b->size + b->align + BLOCK_OVERHEAD;
    w->steps++;
}

static void come(struct conversion *c, struct window *w, const struct recorded_call *call, uint16_t slot, uint64_t size,
                 uint64_t align)
{
    struct block *old = find(c, call->result); /* its free was not seen */
    if (old) {
        if (old->window == w->first) w->taken[old->slot] = false;
        forget(c, old);
    }
    insert(c, (struct block){call->result, size, align, c->made++, w->first, slot});
    w->taken[slot] = true;
    w->bytes += size + align + BLOCK_OVERHEAD;
    if (w->bytes > w->bytes_most) w->bytes_most = w->bytes;
}

static void go(struct conversion *c, struct window *w, struct block *b)
{
    uint64_t bytes = b->size + b->align + BLOCK_OVERHEAD;
    w->taken[b->slot] = false;
    w->bytes -= bytes < w->bytes ? bytes : w->bytes;
    forget(c, b);
}

static const uint8_t ops_of[RECORDED_KINDS] = {
    [RECORDED_MALLOC] = OP_MALLOC,
    [RECORDED_CALLOC] = OP_CALLOC,
    [RECORDED_REALLOC] = OP_REALLOC,
    [RECORDED_REALLOCARRAY] = OP_REALLOCARRAY,
    [RECORDED_FREE] = OP_FREE,
    [RECORDED_ALIGNED_ALLOC] = OP_ALIGNED_ALLOC,
    [RECORDED_POSIX_MEMALIGN] = OP_POSIX_MEMALIGN,
    [RECORDED_MEMALIGN] = OP_MEMALIGN,
};

static bool is_array(uint32_t kind) { return kind == RECORDED_CALLOC || kind == RECORDED_REALLOCARRAY; }
static bool is_aligned(uint32_t kind) { return kind >= RECORDED_ALIGNED_ALLOC; }

/* One call becomes at most one operation, and one more before the window. */
static void convert(struct conversion *c, struct window *w, const struct recorded_call *call)
{
    uint64_t size = is_array(call->kind) ? call->a * call->b : call->a, align = is_aligned(call->kind) ? call->b : 0;
    struct op op = {.kind = ops_of[call->kind], .count = 1, .a = call->a, .b = call->b};
    struct block *old = call->old ? find(c, call->old) : NULL;
    bool frees = call->kind == RECORDED_FREE || (old && !size && !call->result); /* realloc(p, 0) that is one */
    if (call->old && !old) {
        c->unseen++;
        if (!call->result) return;
        op = (struct op){.kind = OP_MALLOC, .count = 1, .a = size};
    } else if (!call->result && !frees) {
        c->refused++;
        return;
    }
    if (old) {
        bring_in(w, old);
        op.slot = old->slot;
        go(c, w, old);
    } else if (!frees) {
        op.slot = take_slot(w, false);
    }
    if (!frees) come(c, w, call, op.slot, size, align);
    w->steps++;
    append(&w->body, &op);
}

/* The blocks from before and then the rest, on a heap that holds them. */
static void join(const struct window *w, struct program *p)
{
    uint64_t bytes = 2 * (w->bytes_before + w->bytes_most);
    program_clear(p);
    while (p->heap.size < bytes && p->heap.size < HEAP_MAX) p->heap.size *= 2;
    for (uint32_t i = 0; i < w->before_count; i++) append(p, &w->before[i]);
    memcpy(p->ops + p->op_count, w->body.ops, w->body.op_count * sizeof *p->ops);
    p->op_count += w->body.op_count;
    program_normalise(p);
}

static int fill(struct conversion *c, struct window *w)
{
    const struct recording *r = c->recording;
    for (; c->next < r->count; c->next++) {
        const struct recorded_call *call = &r->calls[c->next];
        if (w->before_count + w->body.op_count + OPS_KEPT_FREE > PROGRAM_OPS_MAX || w->slots + 1 >= PROGRAM_SLOTS ||
            w->steps + OPS_KEPT_FREE > PROGRAM_STEPS_MAX)
            return 0;
        if (call->image != c->image) { /* another program: what the last one had is gone */
            if (c->capacity) memset(c->blocks, 0, c->capacity * sizeof *c->blocks);
            c->alive = 0;
            c->image = call->image;
            if (w->steps) return 0;
        }
        if (make_room(c)) return -1;
        if (call->kind < RECORDED_KINDS) convert(c, w, call);
    }
    return 0;
}

void conversion_begin(struct conversion *c, const struct recording *recording)
{
    *c = (struct conversion){.recording = recording, .image = 1};
}

int conversion_next(struct conversion *c, struct program *p)
{
    if (c->next >= c->recording->count) return 0;
    struct window *w = calloc(1, sizeof *w);
    if (!w) return -1;
    w->first = c->next + 1; /* 0 is no window's */
    w->before = calloc(PROGRAM_OPS_MAX, sizeof *w->before);
    w->numbers = calloc(PROGRAM_OPS_MAX, sizeof *w->numbers);
    int result = w->before && w->numbers ? fill(c, w) : -1;
    if (result == 0 && w->steps) {
        join(w, p);
        result = 1;
    }
    free(w->before);
    free(w->numbers);
    free(w);
    return result;
}

void conversion_end(struct conversion *c) { free(c->blocks); }
