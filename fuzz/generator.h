/* generator.h: the engine that needs nothing but a C compiler: random bytes through the swarm decoder.
 *
 * Program number i of a run depends on the seed and on i alone, never on the programs before it, the time or the
 * machine. What it makes is bytes, so every program of a run is a corpus file too.
 */
#ifndef GENERATOR_H
#define GENERATOR_H

#include "program.h"
#include "target.h"

#include <stddef.h>
#include <stdint.h>

#define GENERATOR_OPS_MIN 8u
#define GENERATOR_OPS_MAX 400u
#define GENERATOR_BYTES_MAX (SWARM_HEAD_BYTES + SWARM_OP_BYTES * GENERATOR_OPS_MAX + 8u)

/* What a target offers, worked out once. */
struct generator {
    uint64_t seed;
    uint8_t families[8]; /* values of byte 0, as often as they weigh */
    unsigned family_count;
    bool host; /* the heap has no size of its own */
};

void generator_init(struct generator *g, const struct target *target, uint64_t seed);

/* Writes the bytes of program `index`; returns their number, at most GENERATOR_BYTES_MAX. */
size_t generator_bytes(const struct generator *g, uint64_t index, unsigned char *bytes);

/* ... decoded. */
void generator_program(const struct generator *g, uint64_t index, struct program *p);

#endif
