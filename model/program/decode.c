/* decode.c: bytes to program; docs/PROGRAMS.md has the layout of the swarm form byte by byte.
 *
 * The decoder decides what random bytes can find. It follows the swarm idea (A. Groce et al., Swarm Testing, ISSTA 2012):
 * the head switches operations off, picks one palette of sizes and one policy of frees for the whole program, so that
 * programs differ from each other in kind and not only in detail. Operations are four bytes each and name blocks by
 * their place in the live set, which the decoder follows as if every request were granted; so a byte changed in one
 * operation leaves the others standing.
 */
#include "decode_live.h"
#include "encode.h"

#include <string.h>

struct swarm {
    struct program *p;
    const unsigned char *head;
    uint8_t table[64]; /* operation kinds, as often as they weigh */
    struct live_set live;
    uint16_t spare; /* how many slots wait in `spares` to be used again */
    uint16_t spares[PROGRAM_SLOTS];
};

static void died(struct swarm *s, uint16_t slot)
{
    live_died(&s->live, slot);
    s->spares[s->spare++] = slot;
}

static uint16_t new_slot(struct swarm *s) { return s->spare ? s->spares[--s->spare] : live_fresh(&s->live, 1); }

static uint16_t victim(const struct swarm *s, unsigned choice)
{
    return live_victim(&s->live, (enum free_policy)(s->head[3] & 3), choice);
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------------ */

struct size size_extreme(unsigned x, unsigned y)
{
    switch (x % 8) {
    case 0:
    case 1: return (struct size){.kind = SIZE_TOP, .v = y % 300};
    case 2: return (struct size){.kind = SIZE_HALF, .v = (uint64_t)((int64_t)(y % 64) - 32)};
    case 3: return size_literal((UINT64_C(1) << 32) + y % 64 - 32);
    case 4: return size_literal((UINT64_C(1) << 31) + y % 64 - 32);
    case 5: return size_literal((UINT64_C(1) << (16 + y % (y & 64 ? 46 : 14))) + y / 46 - 2);
    case 6: return (struct size){.kind = SIZE_HEAP, .v = (uint64_t)((int64_t)(y % 128) - 96)};
    default: return (struct size){.kind = SIZE_TOP, .v = (uint64_t)(y % 16) << 12};
    }
}

/* Of a heap above 4 GiB: what 32 bits cannot hold, or what is left of it there. */
static struct size size_giant(uint64_t heap_bytes, unsigned x, unsigned y)
{
    if (x % 4 == 3) return size_literal((UINT64_C(1) << 32) + y * 8);
    return size_literal((heap_bytes >> x % 4) - y * 64);
}

#define SMALL_HEAP 32768u

enum palette {
    SIZES_SMALL,  /* 1 .. 128 */
    SIZES_CLASS,  /* about one size, which the head picks */
    SIZES_POWERS, /* next to powers of two */
    SIZES_PAGE,   /* over the residues of a page, of an eighth of one on a small heap */
    SIZES_SHARE,  /* shares of the heap */
    SIZES_BORDER, /* next to what was seen: usable sizes, the largest granted */
    SIZES_WIDE,   /* every magnitude up to 64 KiB alike, up to 1 KiB on a small heap */
    SIZES_ANY,    /* one of the above for each operation */
    PALETTES
};

static struct size size_of(const struct swarm *s, unsigned x, unsigned y)
{
    unsigned palette = s->head[4] % PALETTES, v = x | y << 8;
    /* A small heap is to hold dozens of blocks: there the sizes of these palettes are an eighth, and fewer are large. */
    bool small = s->p->heap.size < SMALL_HEAP;
    unsigned page = small ? 512 : 4096;
    if (palette == SIZES_ANY) palette = y % SIZES_ANY;
    if (x >= 0xfd && x != 0xfe) return size_extreme(y, y * 37 + s->head[5]);
    if (x == 0xfe) return size_literal(y & 3);
    if (s->p->heap.size >> 32 && x >= 0xa0) return size_giant(s->p->heap.size, x, y);
    switch ((enum palette)palette) {
    case SIZES_CLASS: return size_literal((uint64_t)(s->head[5] & 63) * 8 + (y & 1 ? x % 8 : 0) + 1);
    case SIZES_POWERS: return size_literal((UINT64_C(1) << (3 + x % (small ? 8 : 11))) + y % 8 - 4);
    case SIZES_PAGE: return size_literal(v % page + ((y & 0x10) ? page * (s->head[5] & 3) : 1));
    case SIZES_SHARE:
        if (x < 16) return (struct size){.kind = SIZE_HEAP, .v = (uint64_t) - (int64_t)(v >> 4)};
        return size_literal((s->p->heap.size >> (1 + x % 7)) + y % 64);
    case SIZES_BORDER:
        if (!s->live.count || x < 24) return (struct size){.kind = SIZE_SEEN, .v = (uint64_t)((int64_t)(y % 64) - 32)};
        return (struct size){.kind = SIZE_USABLE, .ref = live_some(&s->live, x), .v = (uint64_t)((int64_t)(y % 5) - 2)};
    case SIZES_WIDE: return size_literal((v & ((1u << (1 + x % (small ? 10 : 16))) - 1)) + 1);
    default: return size_literal((x & 127) + 1);
    }
}

/* ---- Operations --------------------------------------------------------------------------------------------------------- */

static struct op *append(struct swarm *s, enum op_kind kind, unsigned slot)
{
    struct op *op = &s->p->ops[s->p->op_count++];
    *op = (struct op){.kind = (uint8_t)kind, .slot = (uint16_t)slot, .count = 1};
    return op;
}

static uint64_t alignment(const struct swarm *s, unsigned x, unsigned y)
{
    static const uint64_t bad[] = {0, 3, 24, 48, 1000, UINT64_C(1) << 31 | 1};
    if (x >= 0xf8) return bad[y % 6];
    if (x >= 0xf0) return UINT64_C(1) << (12 + y % 15); /* up to 64 MiB */
    if (x == 0xef) return UINT64_C(1) << (y & 63);
    return UINT64_C(1) << (x % (s->head[5] & 1 ? 13 : 8));
}

#define BLOCK_OVERHEAD 24u /* what a block takes beside its size, about */
#define GUESSED_SIZE 48u   /* of sizes that depend on what is seen */

/* About what a block of this size takes: what cannot be granted takes nothing. */
static uint32_t guess(const struct swarm *s, struct size n)
{
    if (n.kind == SIZE_USABLE || n.kind == SIZE_SEEN) return GUESSED_SIZE + BLOCK_OVERHEAD;
    return n.kind == SIZE_LITERAL && n.v < s->p->heap.size && n.v < UINT32_MAX / 2 ? (uint32_t)n.v + BLOCK_OVERHEAD : 0;
}

#define REFUSALS 4u /* of a run: by the hundred they tell no more */

/* The run as far as it may be granted, with blocks of `each` bytes, and a few refusals. */
static unsigned cut_run(const struct swarm *s, unsigned count, uint32_t each)
{
    if (count <= REFUSALS) return count;
    uint64_t room = each && s->p->heap.size > s->live.bytes ? (s->p->heap.size - s->live.bytes) / each : 0;
    return count > room + REFUSALS ? (unsigned)room + REFUSALS : count;
}

/* A run of `count` new slots in a row, or one recycled slot. */
static struct op *allocate(struct swarm *s, enum op_kind kind, unsigned count, struct size n, unsigned y)
{
    uint32_t each = guess(s, n);
    count = cut_run(s, count, each);
    bool run = count > 1 && s->live.fresh + count < SLOTS_USED;
    uint16_t slot = run ? live_fresh(&s->live, count) : new_slot(s);
    if (slot == NO_SLOT) return NULL;
    struct op *op = append(s, kind, slot);
    size_set_a(op, n);
    if (run) {
        op->count = (uint16_t)count;
        op->stride = 1;
        op->step = y & 0x80 && n.kind == SIZE_LITERAL && n.v < 65536 ? (int32_t)(y & 15) : 0;
    }
    for (unsigned i = 0; i < op->count; i++) live_born(&s->live, (uint16_t)(slot + i), each);
    return op;
}

static void free_run(struct swarm *s, uint16_t slot, unsigned count, unsigned y)
{
    struct op *op = append(s, OP_FREE, slot);
    int stride = (y & 1 ? -1 : 1) * (y & 2 ? 2 : 1);
    op->stride = (int16_t)stride;
    for (op->count = 0; op->count < count; op->count++) {
        int at = slot + op->count * stride;
        if (at < 0 || at >= s->live.fresh) break;
        if (live_is(&s->live, (unsigned)at)) died(s, (uint16_t)at);
    }
    if (op->count <= 1) {
        op->count = 1;
        op->stride = 0;
    }
}

/* Lengths of runs: most programs have short ones, some fill the heap. */
static unsigned run_length(const struct swarm *s, unsigned x)
{
    static const uint16_t longest[] = {8, 16, 64, 512};
    return 2 + x % longest[s->head[12] & 3];
}

static void take(struct swarm *s, enum op_kind kind, unsigned slot) { append(s, kind, slot); }

void size_set_products(struct op *op, unsigned x, unsigned y)
{
    /* Two factors whose product wraps, or is near it; 32-bit machines see the lower halves. */
    static const uint64_t factors[][2] = {{UINT64_C(1) << 32, UINT64_C(1) << 32},
                                          {UINT64_C(1) << 63, 2},
                                          {(UINT64_C(1) << 32) + 1, UINT64_C(1) << 32},
                                          {UINT64_C(1) << 61, 16},
                                          {UINT64_C(0x80000001), 2},
                                          {UINT64_C(1) << 16, UINT64_C(1) << 48}};
    unsigned i = x % 7;
    op->a_kind = op->b_kind = SIZE_LITERAL;
    op->ref = 0;
    if (i < 6) {
        op->a = factors[i][0] + (y & 1 ? y >> 1 : 0);
        op->b = factors[i][1];
        return;
    }
    op->a_kind = SIZE_TOP;
    op->a = y;
    op->b = 1 + y % 3;
}

static bool allocates(enum op_kind kind)
{
    return kind == OP_MALLOC || kind == OP_CALLOC || kind == OP_ALIGNED_ALLOC || kind == OP_POSIX_MEMALIGN ||
           kind == OP_MEMALIGN;
}

static void heap_op(struct swarm *s, enum op_kind kind, const unsigned char *b)
{
    unsigned count = b[0] >= 0xc0 ? run_length(s, b[1]) : 1;
    struct op *op;
    /* With the heap full, three of four allocations are frees instead. */
    if (s->live.bytes > s->p->heap.size + s->p->heap.size / 8 && s->live.count && (b[3] & 3) && allocates(kind))
        kind = OP_FREE;
    switch (kind) {
    case OP_CALLOC:
        if (!(op = allocate(s, kind, 1, size_of(s, b[2], b[3]), b[3]))) return;
        op->b = 1;
        if (b[1] >= 0xe0) {
            size_set_products(op, b[1], b[2]);
        } else if (op->a_kind == SIZE_LITERAL && b[1] & 7) {
            op->b = 1 + (b[1] & 7);
            op->a = op->a / op->b + 1;
        }
        return;
    case OP_ALIGNED_ALLOC:
    case OP_POSIX_MEMALIGN:
    case OP_MEMALIGN:
        if (!(op = allocate(s, kind, b[0] >= 0xf0 ? count : 1, size_of(s, b[2], b[3]), b[3]))) return;
        op->b = alignment(s, b[1], b[2]);
        if ((b[3] & 0x60) == 0x60) size_set_a(op, size_literal(op->b));
        return;
    case OP_REALLOC:
    case OP_REALLOCARRAY:
        if (!s->live.count || b[1] == 0xff) { /* of NULL */
            if (!(op = allocate(s, kind, 1, size_of(s, b[2], b[3]), 0))) return;
        } else {
            op = append(s, kind, live_some(&s->live, b[1]));
            size_set_a(op, (b[0] ^ b[1]) % 16 == 15 ? size_extreme(b[2], b[3]) : size_of(s, b[2], b[3]));
            if (count > 1 && op->a_kind == SIZE_LITERAL &&
                op->a < 65536) { /* a ladder: the same block again and again */
                op->count = (uint16_t)count;
                op->step = (int32_t)(b[3] & 63) - 32;
                if (op->step < 0) op->a += (uint64_t)-op->step * count;
            }
        }
        if (kind == OP_REALLOCARRAY) op->b = 1;
        if (kind == OP_REALLOCARRAY && b[2] >= 0xf0) {
            op->count = 1;
            op->step = 0;
            size_set_products(op, b[2], b[3]);
        }
        return;
    case OP_FREE:
    case OP_FREE_SIZED:
    case OP_FREE_ALIGNED_SIZED:
        if (!s->live.count) break;
        if (count > 1) {
            free_run(s, victim(s, b[1]), run_length(s, b[2]), b[3]);
            return;
        }
        take(s, kind, victim(s, b[1]));
        died(s, s->p->ops[s->p->op_count - 1].slot);
        return;
    case OP_WRITE:
    case OP_USABLE_SIZE:
        if (!s->live.count) break;
        take(s, kind, live_some(&s->live, b[1]));
        return;
    case OP_FREE_NULL:
    case OP_CHECK: take(s, kind, 0); return;
    case OP_REPEAT:
        if (!s->p->op_count) break;
        op = append(s, kind, 0);
        op->a = 1 + b[1] % 8;
        op->b = 1 + (b[2] & (b[3] & 0x80 ? 63 : 7));
        return;
    case OP_FAIL:
        op = append(s, kind, 0);
        op->a = 1 + b[1] % 4;
        return;
    case OP_FOREIGN_SBRK:
        op = append(s, kind, 0);
        op->a = 1 + (b[1] & 3 ? b[2] % 64 : b[2]);
        return;
    default: break;
    }
    allocate(s, OP_MALLOC, count, size_of(s, b[2], b[3]), b[3]);
}

static void illegal_op(struct swarm *s, const unsigned char *b)
{
    static const enum op_kind kinds[] = {OP_DOUBLE_FREE, OP_INTERIOR_FREE, OP_FOREIGN_FREE, OP_WRONG_SIZE_FREE,
                                         OP_WRITE_AFTER_FREE};
    enum op_kind kind = kinds[b[3] % 5];
    bool dead = kind == OP_DOUBLE_FREE || kind == OP_WRITE_AFTER_FREE;
    unsigned slot = dead && s->spare ? s->spares[s->spare - 1 - b[1] % s->spare]
                    : s->live.count  ? live_some(&s->live, b[1])
                                     : 0;
    struct op *op = append(s, kind, kind == OP_FOREIGN_FREE ? 0 : slot);
    if (kind == OP_INTERIOR_FREE || kind == OP_WRONG_SIZE_FREE) op->a = 1 + (b[2] & 3 ? b[2] / 4 * 8 : b[2]);
}

/* ---- Other families -------------------------------------------------------------------------------------------------- */

static void frames_op(struct swarm *s, const unsigned char *b)
{
    unsigned deed = b[0] % 16;
    if (deed < 9) {
        heap_op(s, OP_MALLOC, b);
    } else if (deed < 15) {
        unsigned count = b[0] >= 0xe0 ? 1 + b[1] % 16 : 1; /* without a slot there are no runs */
        for (; count && s->p->op_count < PROGRAM_OPS_MAX; count--)
            append(s, deed < 12 ? OP_FRAME_PUSH : OP_FRAME_POP, 0);
    } else {
        heap_op(s, b[0] & 0x10 ? OP_WRITE : b[0] & 0x20 ? OP_CALLOC : OP_CHECK, b);
    }
}

static void break_op(struct swarm *s, const unsigned char *b)
{
    unsigned v = b[1] | (unsigned)b[2] << 8;
    struct op *op = append(s, b[0] % 4 == 3 ? OP_BRK : OP_SBRK, 0);
    if (op->kind == OP_BRK) {
        op->a = b[3] & 1 ? v % (unsigned)(s->p->heap.size < 65536 ? s->p->heap.size + 1 : 65536) : v;
        if (b[0] >= 0xf0) size_set_a(op, size_extreme(b[2], v));
    } else {
        op->a = (uint64_t)((int64_t)(v % (b[3] & 1 ? 256 : 8192)) * (b[3] & 2 ? -1 : 1));
        if (b[0] % 8 == 0) op->a = 0;
        if (b[0] >= 0xf0) size_set_a(op, size_extreme(b[2], v));
    }
}

/* The packed operand of mmap, whose bits map_model.h explains: mostly what is right, and every wrong thing at times. */
static uint64_t mapping(const unsigned char *b)
{
    static const uint8_t flags[8] = {0x06, 0x06, 0x02, 0x01, 0x05, 0x02, 0x06, 0x01};
    uint64_t packed = flags[b[0] >> 3 & 7];
    unsigned wild = b[3] >> 4, y = b[3] & 15;
    if (wild == 15) packed = y;                                       /* any flags, or none of SHARED and PRIVATE */
    if (wild >= 10 && wild < 15) packed |= 0x08 | (y & 8 ? 0x10 : 0); /* fixed, over what is there or not */
    if (!(packed & 0x04)) packed |= (uint64_t)(b[1] >> 4 & (wild == 14 ? 3 : 1)) << 5 | (uint64_t)(y & 3) << 7;
    if (wild == 9 && y == 0) packed |= 1u << 12;
    if (wild >= 8)
        packed |= (uint64_t)(1 + (y & 1)) << 13 | (uint64_t)(b[2] >> 3 & 31) << 16 | (uint64_t)(b[1] & 15) << 32;
    if (wild == 12 && y == 0) packed |= 1u << 15;
    return packed;
}

static void mappings_op(struct swarm *s, const unsigned char *b)
{
    static const enum op_kind kinds[] = {OP_MMAP,   OP_MMAP,      OP_MMAP,      OP_MUNMAP,
                                         OP_MUNMAP, OP_MAP_STORE, OP_MAP_STORE, OP_FILE_STORE};
    enum op_kind kind = kinds[b[0] % 8];
    unsigned slot = b[1] & 15;
    struct op *op = append(s, kind, kind == OP_FILE_STORE ? 0 : slot);
    if (kind == OP_MMAP) {
        op->a = (uint64_t)(b[2] & 7) * 4096 + (b[2] & 0x18 ? 0 : b[3] * 16u) + (b[2] & 0x20 ? 1 : 0);
        op->b = mapping(b);
    } else if (kind == OP_MUNMAP) {
        op->a = (uint64_t)(1 + (b[2] & 7)) * 4096 - (b[2] & 0x40 ? 100 : 0);
        op->b = (uint64_t)(b[3] & 7) * 4096 + (b[3] >= 0xf8 ? 1 : 0);
    } else {
        op->a = b[2] | (uint64_t)(b[3] & 0x3f) << 8;
        op->b = kind == OP_FILE_STORE ? b[1] & 1 : b[3];
    }
}

/* ---- The head ------------------------------------------------------------------------------------------------------------ */

/* Operation kinds and how much each weighs in the four moods; the first two are never switched off. */
static const struct {
    uint8_t kind, weight[4];
} weights[] = {
    {OP_MALLOC, {22, 34, 14, 10}},
    {OP_FREE, {18, 10, 14, 8}},
    {OP_REALLOC, {6, 3, 18, 10}},
    {OP_CALLOC, {4, 4, 3, 6}},
    {OP_ALIGNED_ALLOC, {3, 3, 3, 8}},
    {OP_POSIX_MEMALIGN, {2, 2, 2, 6}},
    {OP_MEMALIGN, {1, 1, 1, 2}},
    {OP_REALLOCARRAY, {1, 1, 2, 2}},
    {OP_USABLE_SIZE, {1, 1, 1, 2}},
    {OP_FREE_SIZED, {1, 1, 1, 2}},
    {OP_FREE_ALIGNED_SIZED, {1, 1, 1, 2}},
    {OP_WRITE, {1, 1, 1, 2}},
    {OP_FREE_NULL, {1, 0, 1, 1}},
    {OP_REPEAT, {1, 1, 1, 1}},
    {OP_FAIL, {0, 1, 0, 1}},
    {OP_FOREIGN_SBRK, {1, 0, 1, 1}},
};

static void fill_table(struct swarm *s)
{
    unsigned mood = s->head[1] & 3, off = (unsigned)(s->head[1] >> 2 | s->head[2] << 6), filled = 0;
    for (unsigned i = 0; i < sizeof weights / sizeof *weights; i++) {
        if (i >= 2 && off >> (i - 2) & 1) continue;
        for (unsigned n = weights[i].weight[mood]; n && filled < sizeof s->table; n--)
            s->table[filled++] = weights[i].kind;
    }
    for (unsigned i = 0; filled < sizeof s->table; i++) s->table[filled++] = s->table[i % 8 ? i : 0];
}

static uint64_t heap_size(unsigned x, unsigned y)
{
    switch (x & 15) {
    case 8: return 256 + y;
    case 9: return 512 + y * 2;
    case 10: return 1 + (x >> 4) * 256u + y; /* tiny and odd */
    case 11: return 4096 - 8 + y % 17;
    case 12: return 65536 - y;
    case 13: return 16384 + y * 7;
    case 14: return 2048 + y;
    case 15:
        if (y < 6 || y >= 0xfe) return (UINT64_C(1) << 32) + ((uint64_t)(x >> 4) << 28) + y;
        return y >= 0xf0 ? (UINT64_C(1) << 20) + y : 32768 + y * 3;
    default: return HEAP_SIZE_DEFAULT;
    }
}

static uint8_t course_of(unsigned x)
{
    static const uint8_t courses[32] = {
        [16] = COURSE_DRAIN,   [17] = COURSE_DRAIN,   [18] = COURSE_DRAIN,   [19] = COURSE_STEADY, [20] = COURSE_STEADY,
        [21] = COURSE_REFILL,  [22] = COURSE_REFILL,  [23] = COURSE_TWIN,    [24] = COURSE_TWIN,   [25] = COURSE_TWIN,
        [26] = COURSE_PERMUTE, [27] = COURSE_PERMUTE, [28] = COURSE_MONOTONE};
    if (x == 0xff) return COURSE_FREE_COST; /* it makes a trap of every instruction of two frees */
    return courses[x & 31];
}

static void read_head(struct swarm *s)
{
    const unsigned char *h = s->head;
    struct heap_geometry *g = &s->p->heap;
    g->size = heap_size(h[6], h[7]);
    g->dirty = h[8] & 3;
    g->place = h[8] >> 2 & 1;
    g->fence = h[8] >= 0xf0 ? FENCE_PAGES : FENCE_ENDS;
    g->course = course_of(h[9]);
    g->fail = h[10] >= 0xf0 ? h[10] - 0xefu : 0;
    g->seed = (uint32_t)h[13] | (uint32_t)h[14] << 8 | (uint32_t)h[15] << 16;
    if ((h[0] & 3) == SWARM_MAPPINGS) g->size = 4096u * (8 + (h[6] & 15) * 4);
}

void program_decode(struct program *p, const void *bytes, size_t length)
{
    const unsigned char *b = bytes;
    if (length >= 4 && memcmp(b, PROGRAM_MAGIC, 4) == 0) {
        program_decode_literal(p, bytes, length);
        return;
    }
    if (swarm_is_kernel(b, length)) {
        program_decode_kernel(p, b, length);
        return;
    }
    unsigned char head[SWARM_HEAD_BYTES] = {0};
    if (length) memcpy(head, b, length < sizeof head ? length : sizeof head);
    struct swarm s;
    s.p = p;
    s.head = head;
    s.spare = 0;
    live_init(&s.live);
    program_clear(p);
    read_head(&s);
    fill_table(&s);
    bool illegal = head[0] & SWARM_ILLEGAL;
    for (size_t at = SWARM_HEAD_BYTES; at + SWARM_OP_BYTES <= length && p->op_count < PROGRAM_OPS_MAX;
         at += SWARM_OP_BYTES) {
        const unsigned char *op = b + at;
        if (illegal && op[0] % 8 == 7) illegal_op(&s, op);
        else if ((head[0] & 3) == SWARM_HEAP) heap_op(&s, (enum op_kind)s.table[op[0] & 63], op);
        else if ((head[0] & 3) == SWARM_FRAMES) frames_op(&s, op);
        else if ((head[0] & 3) == SWARM_BREAK) break_op(&s, op);
        else mappings_op(&s, op);
    }
}
