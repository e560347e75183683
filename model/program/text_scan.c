/* text_scan.c: the tokens of the text form; text_internal.h is the manual. */
#include "text_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool scan_fail(struct cursor *c, const char *at, const char *expected, ...)
{
    c->error->line = c->line;
    c->error->column = (size_t)(at - c->line_start) + 1;
    va_list arguments;
    va_start(arguments, expected);
    vsnprintf(c->error->message, sizeof c->error->message, expected, arguments);
    va_end(arguments);
    return false;
}

/* "expected zero, a5, ff or random" */
bool scan_fail_one_of(struct cursor *c, const char *at, const char *const *words, unsigned count)
{
    char list[sizeof c->error->message] = "";
    size_t length = 0;
    for (unsigned i = 0; i < count && length < sizeof list; i++) {
        const char *joint = i == 0 ? "" : i + 1 == count ? " or " : ", ";
        length += (size_t)snprintf(list + length, sizeof list - length, "%s%s", joint, words[i]);
    }
    return scan_fail(c, at, "expected %.100s", list);
}

/* ---- Tokens: ASCII only, whatever the locale --------------------------------------------------------------------- */

bool scan_is_digit(char byte) { return byte >= '0' && byte <= '9'; }

static bool is_wordly(char byte)
{
    return scan_is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

char scan_peek(const struct cursor *c) { return c->at < c->end ? *c->at : '\n'; }

void scan_blanks(struct cursor *c)
{
    while (scan_peek(c) == ' ' || scan_peek(c) == '\t') c->at++;
}

bool scan_take(struct cursor *c, char byte)
{
    if (scan_peek(c) != byte) return false;
    c->at++;
    return true;
}

bool scan_expect(struct cursor *c, char byte)
{
    return scan_take(c, byte) || scan_fail(c, c->at, "expected '%c'", byte);
}

bool scan_gap(struct cursor *c)
{
    const char *start = c->at;
    scan_blanks(c);
    return c->at > start || c->at == c->end || scan_fail(c, c->at, "expected a space");
}

struct word scan_peek_word(const struct cursor *c)
{
    struct word word = {.at = c->at};
    while (word.at + word.length < c->end && is_wordly(word.at[word.length])) word.length++;
    return word;
}

bool scan_word_is(struct word word, const char *text)
{
    return word.length == strlen(text) && memcmp(word.at, text, word.length) == 0;
}

bool scan_take_word(struct cursor *c, const char *text)
{
    struct word word = scan_peek_word(c);
    if (!scan_word_is(word, text)) return false;
    c->at += word.length;
    return true;
}

bool scan_choice(struct cursor *c, const char *const *words, unsigned count, uint64_t *value)
{
    for (*value = 0; *value < count; ++*value)
        if (scan_take_word(c, words[*value])) return true;
    return scan_fail_one_of(c, c->at, words, count);
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

static int digit_value(char byte)
{
    if (scan_is_digit(byte)) return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return 16;
}

bool scan_number(struct cursor *c, uint64_t min, uint64_t max, uint64_t *value)
{
    const char *start = c->at;
    if (!scan_is_digit(scan_peek(c)))
        return scan_fail(c, start, "expected a number from %" PRIu64 " to %" PRIu64, min, max);
    unsigned base = 10;
    if (c->end - c->at > 2 && c->at[0] == '0' && (c->at[1] == 'x' || c->at[1] == 'X') && digit_value(c->at[2]) < 16) {
        base = 16;
        c->at += 2;
    }
    bool overflow = false;
    uint64_t sum = 0;
    for (unsigned digit; (digit = (unsigned)digit_value(scan_peek(c))) < base; c->at++) {
        overflow |= sum > (UINT64_MAX - digit) / base;
        sum = sum * base + digit;
    }
    if (is_wordly(scan_peek(c))) return scan_fail(c, c->at, "expected the number to end here");
    if (overflow || sum < min || sum > max)
        return scan_fail(c, start, "expected a number from %" PRIu64 " to %" PRIu64, min, max);
    *value = sum;
    return true;
}

bool scan_signed(struct cursor *c, int64_t max, uint64_t *value)
{
    if (!scan_take(c, '-')) {
        scan_take(c, '+');
        return scan_number(c, 0, (uint64_t)max, value);
    }
    if (!scan_number(c, 0, (uint64_t)max + 1, value)) return false;
    *value = 0 - *value;
    return true;
}
