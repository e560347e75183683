/* shadow.h: which bytes of the address space are owned, one bit for each granule.
 *
 * Insert-and-check and remove cost the same for sixteen blocks and for a million: one look-up of the chunk, then the
 * words that the range covers. Chunks, of 2^16 granules each, are found by hashing; their bitmaps are made at first use.
 * Ranges of SHADOW_GIANT bytes and more are kept in a short list, so that a granted terabyte costs no bitmap.
 */
#ifndef SHADOW_H
#define SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHADOW_GIANT ((size_t)1 << 26)
#define SHADOW_GIANTS_MAX 64u

struct shadow_chunk {
    uintptr_t id; /* address / CHUNK_BYTES, + 1 so that 0 means empty */
    uint64_t *bits;
};

struct shadow {
    unsigned granule_log2;
    struct shadow_chunk *table; /* open addressing */
    uint32_t *used;             /* the table's places in use, in the order of their bitmaps */
    unsigned char *arena;       /* bitmaps, handed out in order */
    size_t chunks;
    struct {
        uintptr_t from, to;
    } giants[SHADOW_GIANTS_MAX];
    unsigned giant_count;
};

/* An empty shadow with granules of `granule_bytes` (a power of two, 1 .. 64): the smallest distance between the starts of
 * two blocks. False with errno if and only if there is no memory. */
bool shadow_open(struct shadow *s, size_t granule_bytes);
void shadow_close(struct shadow *s);

/* Takes [at, at+bytes) if no byte of its granules is owned; false, with nothing changed, if one is. bytes > 0. A giant is
 * held against the other giants only: whoever knows the small ranges has to compare it with them. */
bool shadow_insert(struct shadow *s, uintptr_t at, size_t bytes);
/* Gives back a range that was inserted. */
void shadow_remove(struct shadow *s, uintptr_t at, size_t bytes);

/* Whether [from, to) holds a run of at least `bytes` bytes that nobody owns, counted in whole granules; giants are not
 * looked at. A word of granules at a time: some ten instructions for each 64 granules of the range. */
bool shadow_has_gap(const struct shadow *s, uintptr_t from, uintptr_t to, size_t bytes);
/* Does somebody own the granule of this byte, giants included? */
bool shadow_owned(const struct shadow *s, uintptr_t at);
/* The first owned granule's address in [from, to); `to` if there is none. And the first that is not. */
uintptr_t shadow_next_owned(const struct shadow *s, uintptr_t from, uintptr_t to);
uintptr_t shadow_next_free(const struct shadow *s, uintptr_t from, uintptr_t to);

/* Bytes that the bitmaps take. */
size_t shadow_bytes(const struct shadow *s);

/* Forgets everything; costs in proportion to the chunks that were used. */
void shadow_clear(struct shadow *s);

#endif
