/* mutate.c: mutate.h is the manual. */
#include "mutate.h"

#include "encode.h"

#include <endian.h>
#include <string.h>

#define RENEW_OPS_MIN 8u
#define RENEW_ONE_IN 2u   /* mutants are new programs: most faults are found by chance, and in those */
#define ILLEGAL_ONE_IN 8u /* new kernel programs make contract errors */
#define STRETCH_MAX 16u   /* records that one change takes together */
#define TEXT_WORD "assay 1"

/* In the swarm form this course costs as much as twenty programs: few new programs have it, and few mutants keep it. */
#define COUNTED_COURSE 0xffu
#define COUNTED_NEW_ONE_IN 512u
#define COUNTED_ONE_IN 512u

struct edit {
    unsigned char *bytes;
    size_t size, max;    /* of the whole */
    size_t head, record; /* bytes of a unit */
    size_t count;        /* whole records */
    uint64_t random;
};

/* splitmix64, as in generator.c. */
static uint64_t word(struct edit *e)
{
    uint64_t z = e->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 .. bound-1; bound is not 0. */
static size_t below(struct edit *e, size_t bound) { return (size_t)(word(e) % bound); }

static unsigned char *record(const struct edit *e, size_t index) { return e->bytes + e->head + index * e->record; }
static unsigned char *some_record(struct edit *e) { return record(e, below(e, e->count)); }
static bool is_literal(const struct edit *e) { return e->record == LITERAL_OP_BYTES; }

static bool begins(const unsigned char *bytes, size_t size, const char *with)
{
    return size >= strlen(with) && memcmp(bytes, with, strlen(with)) == 0;
}

static void measure(struct edit *e)
{
    const bool literal = begins(e->bytes, e->size, PROGRAM_MAGIC);
    e->head = literal ? LITERAL_HEAD_BYTES : SWARM_HEAD_BYTES;
    e->record = literal ? LITERAL_OP_BYTES : SWARM_OP_BYTES;
    e->count = e->size > e->head ? (e->size - e->head) / e->record : 0;
    if (e->count > PROGRAM_OPS_MAX) e->count = PROGRAM_OPS_MAX;
    if (e->size >= e->head) e->size = e->head + e->count * e->record; /* a cut tail says nothing */
}

static void fill(struct edit *e, unsigned char *to, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 8) {
        const uint64_t w = htole64(word(e));
        memcpy(to + at, &w, bytes - at < 8 ? bytes - at : 8);
    }
}

/* Room for `count` records before number `at`; fewer, or none, where there is no room for them. */
static size_t open_gap(struct edit *e, size_t at, size_t count)
{
    size_t room = (e->max - e->size) / e->record;
    if (room > PROGRAM_OPS_MAX - e->count) room = PROGRAM_OPS_MAX - e->count;
    if (count > room) count = room;
    memmove(record(e, at + count), record(e, at), (e->count - at) * e->record);
    e->count += count;
    e->size += count * e->record;
    return count;
}

/* ---- Literal fields --------------------------------------------------------------------------------------------------- */

enum { AT_KIND, AT_A_KIND, AT_SLOT = 2, AT_REF = 4, AT_COUNT = 6, AT_STRIDE = 8, AT_B_KIND = 10, AT_A = 16, AT_B = 24 };

static uint64_t get(const unsigned char *from, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)from[i] << 8 * i;
    return value;
}

static void put(unsigned char *to, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++) to[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t power(struct edit *e, unsigned bits) { return UINT64_C(1) << below(e, bits); }

/* Small numbers most often: a neighbour, a power of two or next to one, another record's. */
static uint64_t border(struct edit *e, uint64_t value, unsigned at)
{
    switch (below(e, 4)) {
    case 0: return value + below(e, 5) - 2;
    case 1: return power(e, below(e, 4) ? 17 : 64) + below(e, 3) - 1;
    case 2: return get(some_record(e) + at, 8);
    default: return value ^ power(e, 13);
    }
}

/* A random operation of the family that begins with `first`, likely to do something. */
static void new_literal(struct edit *e, unsigned char *r, unsigned first)
{
    memset(r, 0, LITERAL_OP_BYTES);
    r[AT_KIND] = (unsigned char)(first + below(e, first ? OP_KINDS - OP_KERNEL_FIRST : OP_CHECK + 1));
    put(r + AT_SLOT, 2, below(e, 1 + e->count));
    put(r + AT_COUNT, 2, 1);
    put(r + AT_A, 8, below(e, 4) ? below(e, 512) : power(e, 17));
    put(r + AT_B, 8, power(e, 13));
}

/* ---- Changes: each false if there is nothing to change so ------------------------------------------------------------- */

static bool insert(struct edit *e)
{
    const unsigned first = e->count && record(e, 0)[AT_KIND] >= OP_KERNEL_FIRST ? OP_KERNEL_FIRST : OP_MALLOC;
    const size_t at = below(e, e->count + 1), count = open_gap(e, at, 1 + below(e, below(e, 4) ? 2 : STRETCH_MAX));
    for (size_t i = at; i < at + count; i++) {
        unsigned char *r = record(e, i);
        if (is_literal(e)) new_literal(e, r, first);
        else fill(e, r, e->record);
    }
    return count > 0;
}

/* A stretch of records: where it begins; its length in *count, at least 1. */
static size_t stretch(struct edit *e, size_t *count)
{
    *count = 1 + below(e, below(e, 2) ? 2 : STRETCH_MAX);
    if (*count > e->count) *count = e->count;
    return below(e, e->count - *count + 1);
}

static bool delete (struct edit *e)
{
    size_t count, at;
    if (e->count < 2) return false;
    at = stretch(e, &count);
    if (count == e->count) count--;
    memmove(record(e, at), record(e, at + count), (e->count - at - count) * e->record);
    e->count -= count;
    e->size -= count * e->record;
    return true;
}

static bool swap(struct edit *e)
{
    unsigned char held[LITERAL_OP_BYTES];
    if (e->count < 2) return false;
    const size_t i = below(e, e->count), j = (i + 1 + below(e, e->count - 1)) % e->count;
    memcpy(held, record(e, i), e->record);
    memcpy(record(e, i), record(e, j), e->record);
    memcpy(record(e, j), held, e->record);
    return true;
}

static bool splice(struct edit *e)
{
    size_t count, from;
    if (e->count < 2) return false;
    from = stretch(e, &count);
    memmove(record(e, below(e, e->count - count + 1)), record(e, from), count * e->record);
    return true;
}

static bool duplicate(struct edit *e)
{
    size_t count;
    if (!e->count) return false;
    const size_t from = stretch(e, &count), made = open_gap(e, from + count, count);
    memcpy(record(e, from + count), record(e, from), made * e->record);
    return made > 0;
}

static bool retarget(struct edit *e)
{
    if (!e->count) return false;
    unsigned char *r = some_record(e);
    if (!is_literal(e)) {
        const unsigned char other = some_record(e)[1];
        r[1] = (unsigned char)(below(e, 3) ? r[1] + 1 - 2 * below(e, 2) : below(e, 2) ? other : word(e));
        return true;
    }
    unsigned char *field = r + (below(e, 4) ? AT_SLOT : AT_REF);
    put(field, 2, below(e, 2) ? get(some_record(e) + AT_SLOT, 2) : get(field, 2) + 1 - 2 * below(e, 2));
    return true;
}

static bool resize(struct edit *e)
{
    if (!e->count) return false;
    unsigned char *r = some_record(e);
    if (is_literal(e)) {
        const bool second = below(e, 4) == 0;
        unsigned char *field = r + (second ? AT_B : AT_A), *kind = r + (second ? AT_B_KIND : AT_A_KIND);
        if (below(e, 4) == 0) { /* in relation to something else, and near it */
            *kind = (unsigned char)below(e, SIZE_KINDS);
            put(field, 8, below(e, 5) - 2);
        } else {
            put(field, 8, border(e, get(field, 8), second ? AT_B : AT_A));
        }
        return true;
    }
    switch (below(e, 5)) {
    case 0: r[2] = (unsigned char)(0xfd + below(e, 3)); break; /* tiny and extreme sizes */
    case 1: r[2] = (unsigned char)(r[2] + 1 - 2 * below(e, 2)); break;
    case 2: r[3] ^= (unsigned char)power(e, 8); break;
    case 3: memcpy(r + 2, some_record(e) + 2, r + 4 == record(e, e->count) ? 1 : 2); break;
    default: fill(e, r + 2, 2); break;
    }
    return true;
}

static bool align(struct edit *e)
{
    if (!e->count) return false;
    unsigned char *r = some_record(e);
    if (is_literal(e)) {
        r[AT_B_KIND] = SIZE_LITERAL;
        put(r + AT_B, 8, below(e, 8) ? power(e, below(e, 4) ? 13 : 64) : border(e, get(r + AT_B, 8), AT_B));
        return true;
    }
    r[1] = (unsigned char)(below(e, 4) ? below(e, 13) : 0xef + below(e, 17));
    if (!below(e, 4)) r[3] ^= 0x60; /* the size is the alignment, or no longer */
    return true;
}

static bool rename_op(struct edit *e)
{
    if (!e->count) return false;
    unsigned char *r = some_record(e), *other = some_record(e);
    if (below(e, 2) && other[0] != r[0]) r[0] = other[0];
    else if (!is_literal(e)) r[0] = (unsigned char)((r[0] & 0xc0) | below(e, 64));
    else if (r[AT_KIND] < OP_KERNEL_FIRST) r[AT_KIND] = (unsigned char)below(e, OP_CHECK + 1);
    else r[AT_KIND] = (unsigned char)(OP_KERNEL_FIRST + below(e, OP_KINDS - OP_KERNEL_FIRST));
    return true;
}

static bool run(struct edit *e)
{
    if (!e->count) return false;
    unsigned char *r = some_record(e);
    if (!is_literal(e)) {
        r[0] ^= (unsigned char)(r[0] >= 0xc0 ? power(e, 2) << 6 : 0xc0);
        r[1 + below(e, 2)] = (unsigned char)word(e);
        return true;
    }
    const bool single = get(r + AT_COUNT, 2) <= 1;
    put(r + AT_COUNT, 2, single || below(e, 2) ? 1 + below(e, below(e, 2) ? 8 : 128) : 1);
    if (single || !below(e, 4)) put(r + AT_STRIDE, 2, below(e, 5) - 1);
    return true;
}

static bool geometry(struct edit *e)
{
    static const uint64_t sizes[] = {256, 512, 1024, 4096, HEAP_SIZE_DEFAULT, 16384, 65536};
    unsigned char *h = e->bytes;
    if (!is_literal(e)) {
        const size_t first = swarm_is_kernel(h, e->size) ? 5 : 1, at = first + below(e, SWARM_HEAD_BYTES - first);
        h[at] = (unsigned char)(below(e, 2) ? h[at] ^ power(e, 8) : word(e));
        return true;
    }
    if (below(e, 2)) {
        put(h + 4, 8, sizes[below(e, sizeof sizes / sizeof *sizes)] - below(e, 2) * below(e, 64));
    } else {
        const size_t at = 12 + below(e, 14); /* seed, failure, dirt, place, fence, course, machine, scatter */
        h[at] = (unsigned char)below(e, 256);
        if (at >= 17 && at < 20) h[at] = 0; /* a far failure is none */
    }
    return true;
}

/* On a heap of some size, and so that generator_fit leaves it alone. */
static void set_counted(struct edit *e)
{
    const bool counted = !below(e, COUNTED_NEW_ONE_IN);
    if (e->bytes[9] == COUNTED_COURSE) e->bytes[9] = 0;
    if (!counted) return;
    e->bytes[6] &= 0xf0;
    e->bytes[9] = COUNTED_COURSE;
    e->bytes[10] = 0;
    e->bytes[13] &= 0xc0;
}

/* As the generator draws them. What of it does not suit the target is written over when it is fitted (generator_fit). */
static bool renew(struct edit *e)
{
    static const uint16_t longest[] = {16, 24, 32, 64, 64, 128, 128, 392};
    const bool kernel = swarm_is_kernel(e->bytes, e->size);
    const size_t room = e->max > SWARM_HEAD_BYTES ? (e->max - SWARM_HEAD_BYTES) / SWARM_OP_BYTES : 0;
    size_t count = RENEW_OPS_MIN + below(e, longest[below(e, sizeof longest / sizeof *longest)]);
    if (count > room) count = room;
    e->size = SWARM_HEAD_BYTES + count * SWARM_OP_BYTES;
    if (e->size > e->max) e->size = e->max;
    fill(e, e->bytes, e->size);
    if (kernel && e->size > 4) {
        memcpy(e->bytes, SWARM_KERNEL, 4);
        if (!below(e, ILLEGAL_ONE_IN)) e->bytes[0] |= SWARM_ILLEGAL;
        e->bytes[4] = 0xff; /* all groups */
    }
    if (!kernel && e->size >= SWARM_HEAD_BYTES) set_counted(e);
    measure(e);
    return true;
}

/* ---- All together ------------------------------------------------------------------------------------------------------- */

static bool (*const changes[MUTATIONS])(struct edit *) = {
    [MUTATE_INSERT] = insert, [MUTATE_DELETE] = delete,       [MUTATE_SWAP] = swap,
    [MUTATE_SPLICE] = splice, [MUTATE_DUPLICATE] = duplicate, [MUTATE_RETARGET] = retarget,
    [MUTATE_SIZE] = resize,   [MUTATE_ALIGN] = align,         [MUTATE_KIND] = rename_op,
    [MUTATE_RUN] = run,       [MUTATE_GEOMETRY] = geometry,   [MUTATE_RENEW] = renew,
};

/* Text as literal bytes; false if it is none, or too long so. */
static bool encode_text(const unsigned char *text, size_t size, unsigned char *out, size_t max, size_t *out_size)
{
    struct program p;
    struct parse_error wrong;
    unsigned char all[PROGRAM_BYTES_MAX];
    if (!begins(text, size, TEXT_WORD) || !program_parse(&p, (const char *)text, size, &wrong)) return false;
    const size_t length = program_encode(&p, all);
    if (length > max) return false;
    memcpy(out, all, length);
    *out_size = length;
    return true;
}

static struct edit begin(unsigned char *bytes, size_t size, size_t max, uint64_t seed)
{
    struct edit e = {.bytes = bytes, .size = size < max ? size : max, .max = max, .random = seed};
    encode_text(bytes, e.size, bytes, max, &e.size);
    measure(&e);
    return e;
}

static void change(struct edit *e, enum mutation kind)
{
    if (e->size < e->head) kind = MUTATE_RENEW;
    if (!changes[kind](e) && !insert(e)) delete (e);
}

static size_t end(struct edit *e)
{
    const bool heap = !is_literal(e) && !swarm_is_kernel(e->bytes, e->size);
    if (heap && e->size > 9 && e->bytes[9] == COUNTED_COURSE && below(e, COUNTED_ONE_IN)) e->bytes[9] = 0;
    return e->size;
}

size_t mutate_by(enum mutation kind, unsigned char *bytes, size_t size, size_t max, uint64_t seed)
{
    if (!max) return 0;
    struct edit e = begin(bytes, size, max, seed);
    change(&e, kind);
    return end(&e);
}

size_t mutate(unsigned char *bytes, size_t size, size_t max, uint64_t seed)
{
    static const unsigned char weights[MUTATIONS] = {
        [MUTATE_INSERT] = 6,    [MUTATE_DELETE] = 3,   [MUTATE_SWAP] = 2,    [MUTATE_SPLICE] = 2,
        [MUTATE_DUPLICATE] = 3, [MUTATE_RETARGET] = 4, [MUTATE_SIZE] = 5,    [MUTATE_ALIGN] = 2,
        [MUTATE_KIND] = 3,      [MUTATE_RUN] = 2,      [MUTATE_GEOMETRY] = 4};
    unsigned total = 0;
    if (!max) return 0;
    for (unsigned i = 0; i < MUTATIONS; i++) total += weights[i];
    struct edit e = begin(bytes, size, max, seed);
    if (!below(&e, RENEW_ONE_IN)) {
        renew(&e);
        return e.size;
    }
    for (unsigned left = 1 + (unsigned)__builtin_ctzll(word(&e) | 8); left; left--) {
        unsigned kind = 0;
        for (size_t pick = below(&e, total); pick >= weights[kind]; kind++) pick -= weights[kind];
        change(&e, (enum mutation)kind);
    }
    return end(&e);
}

/* ---- Cross-over ------------------------------------------------------------------------------------------------------- */

/* The literal form of any program, in `out`; 0 if there is no room for it. */
static size_t as_literal(const unsigned char *bytes, size_t size, unsigned char *out)
{
    struct program p;
    size_t encoded;
    if (encode_text(bytes, size, out, PROGRAM_BYTES_MAX, &encoded)) return encoded;
    program_decode(&p, bytes, size);
    return program_encode(&p, out);
}

static bool needs_literal(const unsigned char *bytes, size_t size)
{
    return begins(bytes, size, PROGRAM_MAGIC) || begins(bytes, size, TEXT_WORD);
}

size_t cross_over(const unsigned char *a, size_t a_size, const unsigned char *b, size_t b_size, unsigned char *out,
                  size_t max, uint64_t seed)
{
    static _Thread_local unsigned char literal[2][PROGRAM_BYTES_MAX];
    if (needs_literal(a, a_size) || needs_literal(b, b_size)) {
        a_size = as_literal(a, a_size, literal[0]);
        b_size = as_literal(b, b_size, literal[1]);
        a = literal[0];
        b = literal[1];
    }
    /* Read only: an edit is also the way to walk over records. */
    struct edit from[2] = {{.bytes = (unsigned char *)a, .size = a_size, .random = seed},
                           {.bytes = (unsigned char *)b, .size = b_size}};
    measure(&from[0]);
    measure(&from[1]);
    struct edit *r = &from[0];
    const unsigned char *head = below(r, 4) || b_size < r->head ? a : b;
    const size_t head_size = head == a && a_size < r->head ? a_size : r->head,
                 room = max < head_size ? 0 : max - head_size;
    if (max < r->head || head_size < r->head) {
        const size_t size = a_size < max ? a_size : max;
        if (size) memcpy(out, a, size);
        return size;
    }
    memcpy(out, head, r->head);
    size_t made = 0, most = room / r->record, at[2] = {0, 0};
    const size_t keep = below(r, from[0].count + 1);
    const bool in_turn = !below(r, 4);
    at[1] = in_turn || !from[1].count ? 0 : below(r, from[1].count + 1);
    if (most > PROGRAM_OPS_MAX) most = PROGRAM_OPS_MAX;
    while (made < most) {
        unsigned side = in_turn ? (unsigned)(word(r) & 1) : at[0] >= keep;
        if (at[side] >= from[side].count) side = !side;
        if (at[side] >= from[side].count || (!in_turn && !side && at[0] >= keep)) break;
        memcpy(out + r->head + made++ * r->record, record(&from[side], at[side]++), r->record);
    }
    return r->head + made * r->record;
}
