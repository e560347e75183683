/* generator.c: generator.h is the manual. */
#include "generator.h"

#include "kernel.h"

#include <endian.h>
#include <string.h>

#define COUNTED_EVERY 4096u
#define COUNTED_FIRST 40u
#define SPREAD_MAX (GENERATOR_OPS_MAX - GENERATOR_OPS_MIN)

/* splitmix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014): any start is a good one, so programs are independent. */
static uint64_t next_word(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void add_family(struct generator *g, unsigned times, unsigned byte)
{
    while (times-- > 0) g->families[g->family_count++] = (uint8_t)byte;
}

static bool is_offered(const struct target *t, enum op_kind kind) { return t->offered[kind / 32] >> kind % 32 & 1; }

static uint8_t kernel_groups(const struct target *t)
{
    const bool cached = t->kind == TARGET_BUILTIN && t->ops->kernel && t->ops->kernel->kfree_takes_cached;
    return (uint8_t)((is_offered(t, OP_ALLOC_PAGES) ? SWARM_PAGES : 0) |
                     (is_offered(t, OP_CACHE_ALLOC) ? SWARM_CACHES : 0) |
                     (is_offered(t, OP_KMALLOC) ? SWARM_KMALLOC : 0) | (is_offered(t, OP_VMALLOC) ? SWARM_VMALLOC : 0) |
                     (is_offered(t, OP_POOL_ALLOC) ? SWARM_POOLS : 0) | (cached ? SWARM_KFREE_CACHED : 0));
}

/* Seven programs in eight are of the kernel group. Errors are one in eight, and with the profile every second one. */
static void add_kernel(struct generator *g, const struct target *t, bool detects)
{
    const unsigned heap_errors = detects ? SWARM_HEAP | SWARM_ILLEGAL : SWARM_HEAP;
    unsigned errors = !is_offered(t, OP_MISUSE) || t->mode == MODE_LEGAL ? 0 : t->illegal ? 6 : 2;
    if (t->mode == MODE_ILLEGAL && (errors || detects)) {
        if (errors) add_family(g, 3, SWARM_FAMILIES | SWARM_ILLEGAL);
        if (detects) add_family(g, 1, SWARM_HEAP | SWARM_ILLEGAL);
        return;
    }
    add_family(g, 14 - errors, SWARM_FAMILIES);
    add_family(g, errors, SWARM_FAMILIES | SWARM_ILLEGAL);
    add_family(g, errors ? (errors + 2) / 4 : detects && t->mode != MODE_LEGAL, heap_errors);
    add_family(g, 16 - g->family_count, SWARM_HEAP);
}

void generator_init(struct generator *g, const struct target *target, uint64_t seed)
{
    const struct alloc_contract *c = &target->contract;
    const bool frames = c->promises & PROMISE_FRAMES;
    bool detects = c->promises & (PROMISE_DETECTS_BAD_FREE | PROMISE_DETECTS_SIZE | PROMISE_DETECTS_WRITES);
    *g = (struct generator){.seed = seed,
                            .host = c->backing == BACKING_HOST,
                            .on_machine = c->backing == BACKING_MACHINE,
                            .machine = target->machine,
                            .groups = kernel_groups(target)};
    if (g->groups & SWARM_GROUPS) {
        add_kernel(g, target, detects);
        return;
    }
    if (target->mode == MODE_ILLEGAL) {
        add_family(g, 1, detects ? SWARM_HEAP | SWARM_ILLEGAL : SWARM_HEAP);
        return;
    }
    /* Interfaces of their own come first: every allocator has the heap's. */
    if (frames) add_family(g, 1, SWARM_FRAMES);
    if (is_offered(target, OP_SBRK)) add_family(g, 1, SWARM_BREAK);
    if (is_offered(target, OP_MMAP)) add_family(g, 1, SWARM_MAPPINGS);
    if (!frames) add_family(g, 1, SWARM_HEAP);
    if (!detects || target->mode == MODE_LEGAL) return;
    add_family(g, 1, SWARM_HEAP | SWARM_ILLEGAL);
    /* Errors are one program in eight, and with the profile every second one. */
    while (g->family_count < (target->illegal ? 2u : 8u)) add_family(g, 1, SWARM_HEAP);
}

/* The nibble that stands for the machine asked for, or for any. */
static unsigned machine_nibble(const struct generator *g, unsigned nibble)
{
    while (g->machine && swarm_machines[nibble] + 1u != g->machine) nibble = (nibble + 1) % 16;
    return nibble;
}

/* How many there are in a program: any number, but a call of the kernel group may cost as much as a hundred of malloc, so
 * most of those programs are short. */
static size_t operations(uint64_t word, bool kernel)
{
    static const uint16_t spread[2][16] = {
        {24, 64, 128, SPREAD_MAX, 24, 64, 128, SPREAD_MAX, 24, 64, 128, SPREAD_MAX, 24, 64, 128, SPREAD_MAX},
        {16, 16, 16, 16, 32, 32, 32, 32, 64, 64, 64, 64, 128, 128, 128, SPREAD_MAX}};
    return GENERATOR_OPS_MIN + (word >> 8) % (spread[kernel][word >> 40 & 15] + 1u);
}

size_t generator_bytes(const struct generator *g, uint64_t index, unsigned char *bytes)
{
    uint64_t state = (g->seed ^ index * UINT64_C(0xd1342543de82ef95)) + index;
    uint64_t word = next_word(&state);
    uint8_t family = g->families[(word >> 48) % g->family_count];
    size_t length = SWARM_HEAD_BYTES + SWARM_OP_BYTES * operations(word, g->groups & SWARM_GROUPS);
    for (size_t at = 0; at < length; at += sizeof word) {
        word = htole64(next_word(&state)); /* the same bytes on every machine */
        memcpy(bytes + at, &word, sizeof word);
    }
    bytes[0] = family;
    if ((family & ~SWARM_ILLEGAL) == SWARM_FAMILIES) {
        memcpy(bytes, SWARM_KERNEL, 4);
        bytes[0] = (unsigned char)(SWARM_KERNEL[0] | (family & SWARM_ILLEGAL));
        bytes[4] = g->groups;
        bytes[6] = (unsigned char)((bytes[6] & 0xf0) | machine_nibble(g, bytes[6] & 15));
        return length;
    }
    if (g->on_machine) bytes[12] &= 0xfd; /* runs are short there, too */
    /* The course that counts a free's instructions needs a heap of some size and nothing of the program. Each instruction
     * costs a trap, so a course as much as twenty programs: it comes at fixed places only, the first of them early. */
    if (bytes[9] == 0xff) bytes[9] = 0;
    if (!g->host && index % COUNTED_EVERY == COUNTED_FIRST) {
        bytes[6] &= 0xf0;
        bytes[9] = 0xff;
        bytes[10] = 0;
    }
    if (g->host) bytes[10] = 0; /* what fails is not for every library's program to say */
    /* On a host heap the size says only how much a program asks for: a mebibyte lets it have thousands of blocks. */
    if (g->host && (bytes[5] & 3)) {
        bytes[6] |= 0x0f;
        bytes[7] = (unsigned char)(0xf0 + bytes[7] % 14);
    }
    return length;
}

void generator_program(const struct generator *g, uint64_t index, struct program *p)
{
    unsigned char bytes[GENERATOR_BYTES_MAX] = {0};
    size_t length = generator_bytes(g, index, bytes);
    program_decode(p, bytes, length);
    if (g->on_machine && (bytes[0] & ~SWARM_ILLEGAL) < SWARM_FAMILIES)
        p->heap.machine = swarm_machines[machine_nibble(g, bytes[11] & 15)];
}

/* ---- Bytes of other engines ------------------------------------------------------------------------------------------ */

#define TEXT_WORD "assay 1"
#define COUNTED_COURSE 0xffu
#define COUNTED_ONE_IN 64u /* engines would rather do without */

static bool begins(const void *bytes, size_t length, const char *word)
{
    return length >= strlen(word) && memcmp(bytes, word, strlen(word)) == 0;
}

static bool is_swarm(const unsigned char *b, size_t length)
{
    return !begins(b, length, PROGRAM_MAGIC) && !begins(b, length, TEXT_WORD);
}

/* Which of the two swarm forms and whether with contract errors: one value, as in g->families. */
static uint8_t family_of(const unsigned char *b, size_t length)
{
    const unsigned family = swarm_is_kernel(b, length) ? SWARM_FAMILIES : b[0] % SWARM_FAMILIES;
    return (uint8_t)(family | (b[0] & SWARM_ILLEGAL));
}

static uint8_t family_for(const struct generator *g, uint8_t family, unsigned choice)
{
    for (unsigned i = 0; i < g->family_count; i++)
        if (g->families[i] == family) return family;
    return g->families[choice % g->family_count];
}

void generator_fit(const struct generator *g, unsigned char *b, size_t length)
{
    if (!length || !is_swarm(b, length)) return;
    const uint8_t is = family_of(b, length), to = family_for(g, is, b[0]);
    if ((to & ~SWARM_ILLEGAL) == SWARM_FAMILIES) {
        if (length < SWARM_HEAD_BYTES) return; /* a head cut short: no operation, whatever it is */
        const bool was_kernel = swarm_is_kernel(b, length);
        memcpy(b, SWARM_KERNEL, 4);
        b[0] = (unsigned char)(SWARM_KERNEL[0] | (to & SWARM_ILLEGAL));
        b[4] = was_kernel ? b[4] & g->groups : g->groups;
        if (!(b[4] & SWARM_GROUPS)) b[4] = g->groups;
        b[6] = (unsigned char)((b[6] & 0xf0) | machine_nibble(g, b[6] & 15));
        return;
    }
    if (is != to) b[0] = to;
    if (length > 13 && b[9] == COUNTED_COURSE && b[13] % COUNTED_ONE_IN) b[9] = 0;
}

void generator_decode(const struct generator *g, const void *bytes, size_t length, struct program *p)
{
    static unsigned char copy[PROGRAM_BYTES_MAX];
    struct parse_error wrong;
    if (begins(bytes, length, TEXT_WORD)) {
        if (!program_parse(p, bytes, length, &wrong)) program_clear(p);
        return;
    }
    if (!is_swarm(bytes, length)) {
        program_decode(p, bytes, length);
        return;
    }
    if (length > sizeof copy) length = sizeof copy;
    if (length) memcpy(copy, bytes, length);
    generator_fit(g, copy, length);
    program_decode(p, copy, length);
    if (g->on_machine && !swarm_is_kernel(copy, length))
        p->heap.machine = swarm_machines[machine_nibble(g, length > 11 ? copy[11] & 15u : 0)];
}
