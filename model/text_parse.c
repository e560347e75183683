/* text_parse.c: reads programs as text (docs/PROGRAMS.md has the grammar; text.c writes it).
 *
 * A recursive descent over one line at a time: each function takes one construct at the cursor, or says at which column
 * it expected what. The text is any bytes of any length; one pass, no copy. What is read is normalised already.
 */
#include "encode.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

__attribute__((format(printf, 3, 4))) static bool fail(struct cursor *c, const char *at, const char *expected, ...)
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
static bool fail_one_of(struct cursor *c, const char *at, const char *const *words, unsigned count)
{
    char list[sizeof c->error->message] = "";
    size_t length = 0;
    for (unsigned i = 0; i < count && length < sizeof list; i++) {
        const char *joint = i == 0 ? "" : i + 1 == count ? " or " : ", ";
        length += (size_t)snprintf(list + length, sizeof list - length, "%s%s", joint, words[i]);
    }
    return fail(c, at, "expected %.100s", list);
}

/* ---- Tokens: ASCII only, whatever the locale --------------------------------------------------------------------- */

static bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

static bool is_wordly(char byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

/* The byte at the cursor; a newline, which no line contains, at its end. */
static char peek(const struct cursor *c) { return c->at < c->end ? *c->at : '\n'; }

static void skip_blanks(struct cursor *c)
{
    while (peek(c) == ' ' || peek(c) == '\t') c->at++;
}

static bool take(struct cursor *c, char byte)
{
    if (peek(c) != byte) return false;
    c->at++;
    return true;
}

static bool expect(struct cursor *c, char byte) { return take(c, byte) || fail(c, c->at, "expected '%c'", byte); }

/* Blanks between two tokens; none are needed before the end, where the next token will be missed by its own name. */
static bool expect_gap(struct cursor *c)
{
    const char *start = c->at;
    skip_blanks(c);
    return c->at > start || c->at == c->end || fail(c, c->at, "expected a space");
}

static struct word peek_word(const struct cursor *c)
{
    struct word word = {.at = c->at};
    while (word.at + word.length < c->end && is_wordly(word.at[word.length])) word.length++;
    return word;
}

static bool word_is(struct word word, const char *text)
{
    return word.length == strlen(text) && memcmp(word.at, text, word.length) == 0;
}

static bool take_word(struct cursor *c, const char *text)
{
    struct word word = peek_word(c);
    if (!word_is(word, text)) return false;
    c->at += word.length;
    return true;
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

static int digit_value(char byte)
{
    if (is_digit(byte)) return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return 16;
}

static bool parse_number(struct cursor *c, uint64_t min, uint64_t max, uint64_t *value)
{
    const char *start = c->at;
    if (!is_digit(peek(c))) return fail(c, start, "expected a number from %" PRIu64 " to %" PRIu64, min, max);
    unsigned base = 10;
    if (c->end - c->at > 2 && c->at[0] == '0' && (c->at[1] == 'x' || c->at[1] == 'X') && digit_value(c->at[2]) < 16) {
        base = 16;
        c->at += 2;
    }
    bool overflow = false;
    uint64_t sum = 0;
    for (unsigned digit; (digit = (unsigned)digit_value(peek(c))) < base; c->at++) {
        overflow |= sum > (UINT64_MAX - digit) / base;
        sum = sum * base + digit;
    }
    if (is_wordly(peek(c))) return fail(c, c->at, "expected the number to end here");
    if (overflow || sum < min || sum > max)
        return fail(c, start, "expected a number from %" PRIu64 " to %" PRIu64, min, max);
    *value = sum;
    return true;
}

/* A number with '-', '+' or no sign, within [-max-1, max], as two's complement of 64 bits. */
static bool parse_signed(struct cursor *c, int64_t max, uint64_t *value)
{
    if (!take(c, '-')) {
        take(c, '+');
        return parse_number(c, 0, (uint64_t)max, value);
    }
    if (!parse_number(c, 0, (uint64_t)max + 1, value)) return false;
    *value = 0 - *value;
    return true;
}

/* ---- Slots ------------------------------------------------------------------------------------------------------- */

static bool at_slot(const struct cursor *c) { return c->end - c->at > 1 && c->at[0] == 'p' && is_digit(c->at[1]); }

static bool parse_slot(struct cursor *c, uint16_t *slot)
{
    uint64_t number;
    if (!at_slot(c)) return fail(c, c->at, "expected a slot, p0 to p%u", PROGRAM_SLOTS - 1);
    c->at++;
    if (!parse_number(c, 0, PROGRAM_SLOTS - 1, &number)) return false;
    *slot = (uint16_t)number;
    return true;
}

/* What follows "p0.." */
static bool parse_range(struct cursor *c, struct op *op)
{
    const char *start = c->at;
    uint16_t last;
    uint64_t stride = 1;
    if (!parse_slot(c, &last)) return false;
    if (take(c, '/') && !parse_number(c, 1, PROGRAM_SLOTS - 1, &stride)) return false;
    unsigned distance = last > op->slot ? last - op->slot : op->slot - last;
    if (distance % stride != 0)
        return fail(c, start, "expected a last slot whole strides of %u away", (unsigned)stride);
    op->count = (uint16_t)(distance / stride + 1);
    op->stride = (int16_t)(last > op->slot ? (int)stride : last < op->slot ? -(int)stride : 0);
    return true;
}

/* p3, p0..p15, p15..p0, p0..p30/2, p0*16+3 */
static bool parse_run(struct cursor *c, struct op *op)
{
    uint64_t number;
    if (!parse_slot(c, &op->slot)) return false;
    if (peek(c) == '.') {
        c->at++;
        return expect(c, '.') && parse_range(c, op);
    }
    if (!take(c, '*')) return true;
    if (!parse_number(c, 2, PROGRAM_SLOTS, &number)) return false;
    op->count = (uint16_t)number;
    if (peek(c) != '+' && peek(c) != '-') return fail(c, c->at, "expected '+' or '-' and a stride");
    if (!parse_signed(c, INT16_MAX, &number)) return false;
    op->stride = (int16_t)number;
    return true;
}

/* ---- Operands ---------------------------------------------------------------------------------------------------- */

static bool parse_literal(struct cursor *c, enum operand_form form, uint64_t *value)
{
    const char *start = c->at;
    if (form != OPERAND_SIGNED && form != OPERAND_NONZERO) return parse_number(c, 0, UINT64_MAX, value);
    if (!parse_signed(c, INT64_MAX, value)) return false;
    if (form == OPERAND_NONZERO && *value == 0) return fail(c, start, "expected a number other than 0");
    return true;
}

/* The "(p3)" of usable(p3). An operation has one such slot, which both operands share. */
static bool parse_ref(struct cursor *c, struct op *op, bool taken)
{
    uint16_t ref;
    if (!expect(c, '(')) return false;
    const char *start = c->at;
    if (!parse_slot(c, &ref)) return false;
    if (taken && ref != op->ref) return fail(c, start, "expected p%u again: both operands ask the same slot", op->ref);
    op->ref = ref;
    return expect(c, ')');
}

/* MAX-3, HALF+1, heap-16, usable(p3)+1, seen-8 */
static bool parse_relative(struct cursor *c, struct op *op, uint8_t *kind, uint64_t *value)
{
    bool ref_taken = op->a_kind == SIZE_USABLE || op->b_kind == SIZE_USABLE;
    int found = SIZE_TOP;
    while (found < SIZE_KINDS && !take_word(c, size_words[found])) found++;
    if (found == SIZE_KINDS) return fail(c, c->at, "expected a size: a number, MAX, HALF, heap, usable(p0) or seen");
    *kind = (uint8_t)found;
    *value = 0;
    if (found == SIZE_USABLE && !parse_ref(c, op, ref_taken)) return false;
    if (found == SIZE_TOP && peek(c) == '+') return fail(c, c->at, "expected '-': MAX is the largest size");
    if (found == SIZE_TOP) return !take(c, '-') || parse_number(c, 0, UINT64_MAX, value);
    if (peek(c) == '+' || peek(c) == '-') return parse_signed(c, INT64_MAX, value);
    return true;
}

static bool parse_operand(struct cursor *c, const struct operand_shape *shape, struct op *op, uint8_t *kind,
                          uint64_t *value)
{
    if (shape->form == OPERAND_NONE) return true;
    if (!expect_gap(c)) return false;
    if (shape->lead != NULL) {
        if (!take_word(c, shape->lead)) return fail(c, c->at, "expected '%s'", shape->lead);
        if (!expect_gap(c)) return false;
    }
    bool literal_only = shape->form != OPERAND_SIZE && shape->form != OPERAND_SIGNED;
    bool literal = is_digit(peek(c)) || (shape->form == OPERAND_SIGNED && (peek(c) == '-' || peek(c) == '+'));
    return literal || literal_only ? parse_literal(c, shape->form, value) : parse_relative(c, op, kind, value);
}

static bool parse_a(struct cursor *c, const struct op_shape *shape, struct op *op)
{
    uint64_t step;
    if (!parse_operand(c, &shape->a, op, &op->a_kind, &op->a)) return false;
    if (shape->a.form == OPERAND_NONE) return true;
    const char *behind = c->at;
    skip_blanks(c);
    const char *start = c->at;
    if (!take_word(c, "step")) {
        c->at = behind;
        return true;
    }
    if (op->count == 1) return fail(c, start, "expected no step, since this is not a run of slots");
    if (!expect_gap(c) || !parse_signed(c, INT32_MAX, &step)) return false;
    op->step = (int32_t)step;
    return true;
}

static bool parse_b(struct cursor *c, const struct op_shape *shape, struct op *op)
{
    return parse_operand(c, &shape->b, op, &op->b_kind, &op->b);
}

/* ---- Operations -------------------------------------------------------------------------------------------------- */

#define WORD_MAX 24u /* of an unknown word, this much is looked at and shown */

/* Levenshtein's distance: insertions, deletions and replacements; one row of the table at a time. */
static unsigned edit_distance(struct word word, const char *name)
{
    unsigned row[WORD_MAX + 1];
    for (unsigned i = 0; i <= word.length; i++) row[i] = i;
    for (; *name != '\0'; name++) {
        unsigned diagonal = row[0]++;
        for (unsigned i = 0; i < word.length; i++) {
            unsigned replaced = diagonal + (word.at[i] != *name);
            unsigned shorter = row[i] < row[i + 1] ? row[i] : row[i + 1];
            diagonal = row[i + 1];
            row[i + 1] = replaced <= shorter ? replaced : shorter + 1;
        }
    }
    return row[word.length];
}

static bool fail_unknown(struct cursor *c, struct word word)
{
    if (word.length == 0) return fail(c, word.at, "expected an operation");
    if (word.length > WORD_MAX) word.length = WORD_MAX;
    int nearest = 0;
    for (int kind = 1; kind < OP_KINDS; kind++)
        if (edit_distance(word, op_shapes[kind].name) < edit_distance(word, op_shapes[nearest].name)) nearest = kind;
    return fail(c, word.at, "expected an operation, not '%.*s'; the nearest is '%s'", (int)word.length, word.at,
                op_shapes[nearest].name);
}

static bool parse_kind(struct cursor *c, struct op *op, bool has_result)
{
    struct word word = peek_word(c);
    int kind = 0;
    while (kind < OP_KINDS && !take_word(c, op_shapes[kind].name)) kind++;
    if (kind == OP_KINDS) return fail_unknown(c, word);
    const struct op_shape *shape = &op_shapes[kind];
    if (has_result && shape->slot == SLOT_ARGUMENT)
        return fail(c, word.at, "expected an operation with a result; this one is '%s p%u'", shape->name, op->slot);
    if (has_result && shape->slot == SLOT_NONE)
        return fail(c, word.at, "expected an operation with a result; '%s' stands alone", shape->name);
    if (!has_result && shape->slot == SLOT_RESULT)
        return fail(c, word.at, "expected a slot for the result: 'p0 = %s'", shape->name);
    op->kind = (uint8_t)kind;
    return true;
}

static bool parse_op(struct cursor *c, struct program *p)
{
    if (p->op_count == PROGRAM_OPS_MAX) return fail(c, c->at, "expected at most %u operations", PROGRAM_OPS_MAX);
    struct op *op = &p->ops[p->op_count];
    *op = (struct op){.count = 1};
    bool has_result = at_slot(c);
    if (has_result) {
        if (!parse_run(c, op)) return false;
        skip_blanks(c);
        if (!expect(c, '=')) return false;
        skip_blanks(c);
    }
    if (!parse_kind(c, op, has_result)) return false;
    const struct op_shape *shape = &op_shapes[op->kind];
    if (shape->slot == SLOT_ARGUMENT && !(expect_gap(c) && parse_run(c, op))) return false;
    if (shape->b_first && !parse_b(c, shape, op)) return false;
    if (!parse_a(c, shape, op)) return false;
    if (!shape->b_first && !parse_b(c, shape, op)) return false;
    p->op_count++;
    return true;
}

/* ---- The heap line, the head, the whole -------------------------------------------------------------------------- */

static bool parse_heap_value(struct cursor *c, const struct heap_key_shape *shape, uint64_t *value)
{
    if (shape->words == NULL) return parse_number(c, shape->min, shape->max, value);
    for (*value = 0; *value <= shape->max; ++*value)
        if (take_word(c, shape->words[*value])) return true;
    return fail_one_of(c, c->at, shape->words, (unsigned)shape->max + 1);
}

static bool parse_heap(struct cursor *c, struct heap_geometry *heap)
{
    const char *names[HEAP_KEYS];
    bool given[HEAP_KEYS] = {false};
    for (int key = 0; key < HEAP_KEYS; key++) names[key] = heap_key_shapes[key].name;
    for (;;) {
        if (!expect_gap(c)) return false;
        if (c->at == c->end) return true;
        const char *start = c->at;
        uint64_t value;
        int key = 0;
        while (key < HEAP_KEYS && !take_word(c, names[key])) key++;
        if (key == HEAP_KEYS) return fail_one_of(c, start, names, HEAP_KEYS);
        if (given[key]) return fail(c, start, "expected '%s' only once", names[key]);
        if (!expect(c, '=') || !parse_heap_value(c, &heap_key_shapes[key], &value)) return false;
        heap_set(heap, (enum heap_key)key, value);
        given[key] = true;
    }
}

static bool parse_head(struct cursor *c)
{
    const char *start = c->at;
    uint64_t version;
    if (!take_word(c, "assay")) return fail(c, start, "expected 'assay 1' before anything else");
    if (!expect_gap(c)) return false;
    start = c->at;
    if (!is_digit(peek(c)) || !parse_number(c, 0, UINT64_MAX, &version) || version != 1)
        return fail(c, start, "expected version 1 of the text form");
    c->headed = true;
    return true;
}

static bool parse_line(struct cursor *c, struct program *p)
{
    bool good;
    skip_blanks(c);
    if (c->at == c->end) return true;
    if (!c->headed) {
        good = parse_head(c);
    } else if (word_is(peek_word(c), "heap")) {
        if (c->heaped) return fail(c, c->at, "expected only one heap line");
        if (p->op_count > 0) return fail(c, c->at, "expected the heap line before the first operation");
        c->at += strlen("heap");
        c->heaped = true;
        good = parse_heap(c, &p->heap);
    } else {
        good = parse_op(c, p);
    }
    if (!good) return false;
    skip_blanks(c);
    return c->at == c->end || fail(c, c->at, "expected the end of the line");
}

/* The first such byte from `at` on, or `end`. */
static const char *find(const char *at, const char *end, char byte)
{
    const char *found = at < end ? memchr(at, byte, (size_t)(end - at)) : NULL;
    return found != NULL ? found : end;
}

bool program_parse(struct program *p, const char *text, size_t length, struct parse_error *error)
{
    if (length == 0) text = "";
    const char *text_end = text + length;
    struct cursor c = {.line_start = text, .line = 1, .error = error};
    program_clear(p);
    for (;;) {
        const char *newline = find(c.line_start, text_end, '\n');
        c.at = c.line_start;
        c.end = find(c.at, newline, '#');
        if (c.end > c.at && c.end[-1] == '\r') c.end--;
        if (!parse_line(&c, p)) return false;
        if (newline == text_end) break;
        c.line_start = newline + 1;
        c.line++;
    }
    return c.headed || fail(&c, text_end, "expected 'assay 1' before anything else");
}
