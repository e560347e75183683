/* differences.h: what allocators legally differ in, kind by kind, in words for a person who must choose. */
#ifndef DIFFERENCES_H
#define DIFFERENCES_H

#include "diff.h"

#include <stdio.h>

enum difference_kind {
    DIFFERENCE_OFFERED,
    DIFFERENCE_USABLE,
    DIFFERENCE_MEMORY, /* the out-of-memory point */
    DIFFERENCE_RESIZE,
    DIFFERENCE_ZERO_SIZE,
    DIFFERENCE_ALIGNMENT,
    DIFFERENCE_HUGE,
    DIFFERENCE_ERRNO,
    DIFFERENCE_FOOTPRINT,
    DIFFERENCE_KINDS
};

/* "offered", "usable", …: the word of the JSON records. */
const char *difference_word(enum difference_kind kind);

/* Whether anything was seen of it; and if so, whether two differ. */
bool difference_seen(const struct diff *d, enum difference_kind kind);
bool difference_found(const struct diff *d, enum difference_kind kind);

/* Sentences on how they differ, and what it means to who chooses; no newline. Only if difference_found. */
void difference_tell(FILE *out, const struct diff *d, enum difference_kind kind);

/* The same as a string from malloc; NULL if there is no memory. */
char *difference_text(const struct diff *d, enum difference_kind kind);

/* Does allocator i lack this operation, which another one has, and which can be asked of some allocator? */
bool difference_lacks(const struct diff *d, unsigned i, enum op_kind kind);

/* Hundredths of a percent by which `whole` exceeds `part`; 0 for nothing. And `part` as a share of `whole`. */
uint64_t excess_of(uint64_t whole, uint64_t part);
uint64_t share_of(uint64_t part, uint64_t whole);

/* Bytes as people write them, exactly where a unit fits, else to a tenth; in the caller's buffer. */
const char *bytes_word(uint64_t bytes, char buffer[32]);

/* Whether its memory is the host's, so that resident memory was measured in place of what was taken. */
bool is_hosted(const struct diff *d, unsigned i);

#endif
