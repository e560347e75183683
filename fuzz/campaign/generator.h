/* generator.h: the engine that needs nothing but a C compiler: random bytes through the swarm decoder.
 *
 * Program number i of a run depends on the target, the seed and on i alone, never on the programs before it, the time or
 * the machine.
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
    uint8_t families[16]; /* values of byte 0, as often as they weigh; SWARM_FAMILIES stands for the kernel group */
    unsigned family_count;
    uint8_t groups;   /* enum swarm_group: what of the kernel group is offered */
    bool host;        /* the heap has no size of its own */
    bool on_machine;  /* the heap is on one */
    unsigned machine; /* target.machine */
};

void generator_init(struct generator *g, const struct target *target, uint64_t seed);

/* Writes the bytes of program `index`; returns their number, at most GENERATOR_BYTES_MAX. */
size_t generator_bytes(const struct generator *g, uint64_t index, unsigned char *bytes);

/* ... decoded; the heap family, whose bytes say nothing of machines, runs on one of them too if the target does. */
void generator_program(const struct generator *g, uint64_t index, struct program *p);

/* ---- Bytes of other engines ------------------------------------------------------------------------------------------ */

/* Writes over those bytes of a program in swarm form that would waste it on this target: a family or a group that it does
 * not offer, a machine that it is not to run on, and most courses that count instructions. Bytes that fit stay as they
 * are, so what fits once fits for ever. The literal form and text are left alone. */
void generator_fit(const struct generator *g, unsigned char *bytes, size_t length);

/* Any bytes: swarm, literal, or the text form if they begin with "assay 1" (text that is no program is an empty one). Swarm
 * bytes are fitted first. */
void generator_decode(const struct generator *g, const void *bytes, size_t length, struct program *p);

#endif
