/* picture_machine.h: what the two pictures of a machine, of characters (picture_machine.c) and as SVG (page_machine.c),
 * have in common: strips of frames or pages, cut into rows.
 *
 * A row has `columns` cells, each of which stands for `cell` frames or pages. Rows that hold one owner alone, one behind the
 * other, are folded into one.
 */
#ifndef PICTURE_MACHINE_H
#define PICTURE_MACHINE_H

#include "machine_picture.h"

#include <stdio.h>

struct strip {
    const uint16_t *owner; /* of frame or page i */
    uint32_t first, end;
    uint32_t columns, cell;
};

#define STRIP_MIXED UINT16_MAX /* a cell, or a row, of more than one owner */

/* The strip of [first, end) with the smallest cell, a power of two, that makes at most `rows_max` rows. */
struct strip strip_of(const uint16_t *owner, uint32_t first, uint32_t end, uint32_t columns, uint32_t rows_max);

/* The end of the row that begins at `at`; *whole is the owner of all of it, or STRIP_MIXED. */
uint32_t strip_row(const struct strip *s, uint32_t at, uint16_t *whole);

/* The owner of [from, to), or STRIP_MIXED. */
uint16_t strip_owner(const struct strip *s, uint32_t from, uint32_t to);

/* Order of the zone's largest free block; -1 if it has none. */
int picture_largest(const struct machine_picture *m, const struct picture_zone *z);

/* "s4: 64 frames of 4096 bytes" */
void picture_title(FILE *out, const struct machine_picture *m);
/* "32 frames are free, but no block of order 1 or larger", or nothing where the free frames make blocks of every order. */
void picture_shortage(FILE *out, const struct machine_picture *m, const struct picture_zone *z);
/* " 3-5 9": the frames behind its pages in their order, or how many they are. */
void picture_frames(FILE *out, const struct picture_area *a);

/* What the owners that are no slots are called, by enum frame_owner and by enum picture_page; NULL: never in a strip. */
extern const char *const picture_frame_words[FRAME_OWNERS];
extern const char *const picture_page_words[PICTURE_INNER + 1];

#endif
