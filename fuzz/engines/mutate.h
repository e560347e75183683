/* mutate.h: changes the bytes of programs by the operation, for any engine.
 *
 * An engine that flips bytes at random shifts every operation behind an inserted byte. Here the units are those of the
 * byte forms (docs/PROGRAMS.md): a head, then records, of 16 and 4 bytes in the swarm forms, of 32 and 32 in the literal
 * one. Whatever goes in, a program comes out, of the same form but for MUTATE_RENEW; text becomes the literal form. All
 * choices follow from the seed.
 */
#ifndef MUTATE_H
#define MUTATE_H

#include <stddef.h>
#include <stdint.h>

enum mutation {
    MUTATE_INSERT,    /* new records */
    MUTATE_DELETE,    /* some records in a row */
    MUTATE_SWAP,      /* two records */
    MUTATE_SPLICE,    /* records from elsewhere in the program, written over others */
    MUTATE_DUPLICATE, /* some records, once more right behind themselves */
    MUTATE_RETARGET,  /* a record's slot, or its choice of a live block */
    MUTATE_SIZE,      /* a size, to a border or to another record's */
    MUTATE_ALIGN,     /* an alignment */
    MUTATE_KIND,      /* which operation a record is */
    MUTATE_RUN,       /* one call, or a run of them */
    MUTATE_GEOMETRY,  /* the head: heap, course, what operations there are */
    MUTATE_RENEW,     /* all of it: a random program in a swarm form; what becomes of bytes without a whole head */
    MUTATIONS
};

/* Changes the program in bytes[0 .. size), where `max` bytes have room, and returns its new size, 1 to max; 0 if max is.
 * mutate_by makes one change of that kind, or another where there is nothing to change so; mutate makes a few. */
size_t mutate_by(enum mutation kind, unsigned char *bytes, size_t size, size_t max, uint64_t seed);
size_t mutate(unsigned char *bytes, size_t size, size_t max, uint64_t seed);

/* Writes a program that begins like `a` and goes on like `b` (records of both in turn, at times) to `out`, with the head of
 * either, and returns its size, at most max. If one of them is of the literal form, so is the result. `out` overlaps
 * neither. */
size_t cross_over(const unsigned char *a, size_t a_size, const unsigned char *b, size_t b_size, unsigned char *out,
                  size_t max, uint64_t seed);

#endif
