/* generator.c: generator.h is the manual. */
#include "generator.h"

#include <string.h>

#define COUNTED_EVERY 4096u
#define COUNTED_FIRST 40u

/* splitmix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014): any start is a good one, so programs are independent. */
static uint64_t next_word(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void add_family(struct generator *g, uint8_t byte) { g->families[g->family_count++] = byte; }

void generator_init(struct generator *g, const struct target *target, uint64_t seed)
{
    const struct alloc_contract *c = &target->contract;
    bool frames = c->promises & PROMISE_FRAMES, brk = target->offered[OP_SBRK / 32] >> OP_SBRK % 32 & 1,
         maps = target->offered[OP_MMAP / 32] >> OP_MMAP % 32 & 1;
    bool detects = c->promises & (PROMISE_DETECTS_BAD_FREE | PROMISE_DETECTS_SIZE | PROMISE_DETECTS_WRITES);
    *g = (struct generator){.seed = seed, .host = c->backing == BACKING_HOST};
    /* Interfaces of their own come first: every allocator has the heap's. */
    if (frames) add_family(g, SWARM_FRAMES);
    if (brk) add_family(g, SWARM_BREAK);
    if (maps) add_family(g, SWARM_MAPPINGS);
    if (!frames) add_family(g, SWARM_HEAP);
    if (!detects) return;
    add_family(g, SWARM_HEAP | SWARM_ILLEGAL);
    /* Errors are one program in eight, and with the profile every second one. */
    while (g->family_count < (target->illegal ? 2u : sizeof g->families)) add_family(g, SWARM_HEAP);
}

size_t generator_bytes(const struct generator *g, uint64_t index, unsigned char *bytes)
{
    static const uint16_t spread[4] = {24, 64, 128, GENERATOR_OPS_MAX - GENERATOR_OPS_MIN};
    uint64_t state = (g->seed ^ index * UINT64_C(0xd1342543de82ef95)) + index;
    uint64_t word = next_word(&state);
    size_t ops = GENERATOR_OPS_MIN + (word >> 8) % (spread[word >> 40 & 3] + 1u);
    size_t length = SWARM_HEAD_BYTES + SWARM_OP_BYTES * ops;
    uint8_t family = g->families[(word >> 48) % g->family_count];
    for (size_t at = 0; at < length; at += sizeof word) {
        word = next_word(&state);
        memcpy(bytes + at, &word, sizeof word);
    }
    bytes[0] = family;
    /* The course that counts a free's instructions needs a heap of some size and nothing of the program. Each instruction
     * costs a trap, so a course as much as twenty programs: it comes at fixed places only, the first of them early. */
    if (bytes[9] == 0xff) bytes[9] = 0;
    if (!g->host && index % COUNTED_EVERY == COUNTED_FIRST) {
        bytes[6] &= 0xf0;
        bytes[9] = 0xff;
        bytes[10] = 0;
    }
    /* On a host heap the size says only how much a program asks for: a mebibyte lets it have thousands of blocks. */
    if (g->host && (bytes[5] & 3)) {
        bytes[6] |= 0x0f;
        bytes[7] = (unsigned char)(0xf0 + bytes[7] % 14);
    }
    return length;
}

void generator_program(const struct generator *g, uint64_t index, struct program *p)
{
    unsigned char bytes[GENERATOR_BYTES_MAX];
    program_decode(p, bytes, generator_bytes(g, index, bytes));
}
