/* text_internal.h: what the files of the text form share: where text goes, where it comes from, and the operands that
 * only the kernel group has (docs/PROGRAMS.md has the grammar).
 */
#ifndef TEXT_INTERNAL_H
#define TEXT_INTERNAL_H

#include "encode.h"

#include <stdarg.h>

/* ---- Printing ---------------------------------------------------------------------------------------------------- */

/* Text that is written as far as there is room, and counted beyond that. */
struct sink {
    char *out;
    size_t size, length;
};

__attribute__((format(printf, 2, 3))) void text_emit(struct sink *s, const char *format, ...);

/* ---- Reading: tokens (text_scan.c) --------------------------------------------------------------------------------- */

struct cursor {
    const char *at, *end; /* what is left of this line, without comment and line end */
    const char *line_start;
    size_t line;
    bool headed; /* "assay 1" has been seen */
    bool heaped; /* so has a heap line */
    struct parse_error *error;
};

struct word {
    const char *at;
    size_t length;
};

/* Both say what was expected at `at`, and return false. */
__attribute__((format(printf, 3, 4))) bool scan_fail(struct cursor *c, const char *at, const char *expected, ...);
bool scan_fail_one_of(struct cursor *c, const char *at, const char *const *words, unsigned count);

bool scan_is_digit(char byte);
char scan_peek(const struct cursor *c); /* the byte at the cursor; a newline, which no line contains, at its end */
void scan_blanks(struct cursor *c);     /* goes over them */
bool scan_take(struct cursor *c, char byte);
bool scan_expect(struct cursor *c, char byte);
/* Blanks between two tokens; none are needed before the end, where the next token will be missed by its own name. */
bool scan_gap(struct cursor *c);

struct word scan_peek_word(const struct cursor *c);
bool scan_word_is(struct word word, const char *text);
bool scan_take_word(struct cursor *c, const char *text);
/* The place of the word at the cursor among `count` of them. */
bool scan_choice(struct cursor *c, const char *const *words, unsigned count, uint64_t *value);

bool scan_number(struct cursor *c, uint64_t min, uint64_t max, uint64_t *value);
/* A number with '-', '+' or no sign, within [-max-1, max], as two's complement of 64 bits. */
bool scan_signed(struct cursor *c, int64_t max, uint64_t *value);

/* ---- Operands of the kernel group (text_kernel.c) ------------------------------------------------------------------ */

void text_emit_gfp(struct sink *s, uint32_t gfp);
bool text_parse_gfp(struct cursor *c, uint32_t *gfp);

/* The forms OPERAND_CACHE to OPERAND_POOL_ARGS. */
void text_emit_kernel(struct sink *s, enum operand_form form, uint64_t value);
bool text_parse_kernel(struct cursor *c, enum operand_form form, uint64_t *value);

#endif
