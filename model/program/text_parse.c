/* text_parse.c: reads programs as text (docs/PROGRAMS.md has the grammar; text.c writes it).
 *
 * A recursive descent over one line at a time: each function takes one construct at the cursor, or says at which column
 * it expected what. The text is any bytes of any length; one pass, no copy. What is read is normalised already.
 */
#include "text_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- Slots ------------------------------------------------------------------------------------------------------- */

static bool at_slot(const struct cursor *c) { return c->end - c->at > 1 && c->at[0] == 'p' && scan_is_digit(c->at[1]); }

static bool parse_slot(struct cursor *c, uint16_t *slot)
{
    uint64_t number;
    if (!at_slot(c)) return scan_fail(c, c->at, "expected a slot, p0 to p%u", PROGRAM_SLOTS - 1);
    c->at++;
    if (!scan_number(c, 0, PROGRAM_SLOTS - 1, &number)) return false;
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
    if (scan_take(c, '/') && !scan_number(c, 1, PROGRAM_SLOTS - 1, &stride)) return false;
    unsigned distance = last > op->slot ? last - op->slot : op->slot - last;
    if (distance % stride != 0)
        return scan_fail(c, start, "expected a last slot whole strides of %u away", (unsigned)stride);
    op->count = (uint16_t)(distance / stride + 1);
    op->stride = (int16_t)(last > op->slot ? (int)stride : last < op->slot ? -(int)stride : 0);
    return true;
}

/* p3, p0..p15, p15..p0, p0..p30/2, p0*16+3 */
static bool parse_run(struct cursor *c, struct op *op)
{
    uint64_t number;
    if (!parse_slot(c, &op->slot)) return false;
    if (scan_peek(c) == '.') {
        c->at++;
        return scan_expect(c, '.') && parse_range(c, op);
    }
    if (!scan_take(c, '*')) return true;
    if (!scan_number(c, 2, PROGRAM_SLOTS, &number)) return false;
    op->count = (uint16_t)number;
    if (scan_peek(c) != '+' && scan_peek(c) != '-') return scan_fail(c, c->at, "expected '+' or '-' and a stride");
    if (!scan_signed(c, INT16_MAX, &number)) return false;
    op->stride = (int16_t)number;
    return true;
}

/* ---- Operands ---------------------------------------------------------------------------------------------------- */

static bool parse_literal(struct cursor *c, const struct operand_shape *shape, uint64_t *value)
{
    const char *start = c->at;
    switch (shape->form) {
    case OPERAND_SIGNED: return scan_signed(c, INT64_MAX, value);
    case OPERAND_NONZERO:
        if (!scan_signed(c, INT64_MAX, value)) return false;
        return *value != 0 || scan_fail(c, start, "expected a number other than 0");
    case OPERAND_WORD: return scan_choice(c, shape->words, (unsigned)shape->limit, value);
    case OPERAND_CACHE:
    case OPERAND_CACHES:
    case OPERAND_POOL:
    case OPERAND_CACHE_ARGS:
    case OPERAND_POOL_ARGS: return text_parse_kernel(c, shape->form, value);
    default: return scan_number(c, 0, shape->limit - 1, value); /* no limit: all 64 bits */
    }
}

/* The "(p3)" of usable(p3). An operation has one such slot, which both operands share. */
static bool parse_ref(struct cursor *c, struct op *op, bool taken)
{
    uint16_t ref = 0;
    if (!scan_expect(c, '(')) return false;
    const char *start = c->at;
    if (!parse_slot(c, &ref)) return false;
    if (taken && ref != op->ref)
        return scan_fail(c, start, "expected p%u again: both operands ask the same slot", op->ref);
    op->ref = ref;
    return scan_expect(c, ')');
}

/* MAX-3, HALF+1, heap-16, usable(p3)+1, seen-8 */
static bool parse_relative(struct cursor *c, struct op *op, uint8_t *kind, uint64_t *value)
{
    bool ref_taken = op->a_kind == SIZE_USABLE || op->b_kind == SIZE_USABLE;
    int found = SIZE_TOP;
    while (found < SIZE_KINDS && !scan_take_word(c, size_words[found])) found++;
    if (found == SIZE_KINDS)
        return scan_fail(c, c->at, "expected a size: a number, MAX, HALF, heap, usable(p0) or seen");
    *kind = (uint8_t)found;
    *value = 0;
    if (found == SIZE_USABLE && !parse_ref(c, op, ref_taken)) return false;
    if (found == SIZE_TOP && scan_peek(c) == '+') return scan_fail(c, c->at, "expected '-': MAX is the largest size");
    if (found == SIZE_TOP) return !scan_take(c, '-') || scan_number(c, 0, UINT64_MAX, value);
    if (scan_peek(c) == '+' || scan_peek(c) == '-') return scan_signed(c, INT64_MAX, value);
    return true;
}

static bool parse_operand(struct cursor *c, const struct operand_shape *shape, struct op *op, uint8_t *kind,
                          uint64_t *value)
{
    if (shape->form == OPERAND_NONE) return true;
    const char *before = c->at;
    if (!scan_gap(c)) return false;
    if (shape->optional && !scan_word_is(scan_peek_word(c), shape->lead)) {
        c->at = before;
        return true;
    }
    if (shape->lead != NULL) {
        if (!scan_take_word(c, shape->lead)) return scan_fail(c, c->at, "expected '%s'", shape->lead);
        if (!scan_gap(c)) return false;
    }
    bool literal_only = shape->form != OPERAND_SIZE && shape->form != OPERAND_SIGNED;
    bool literal =
        scan_is_digit(scan_peek(c)) || (shape->form == OPERAND_SIGNED && (scan_peek(c) == '-' || scan_peek(c) == '+'));
    return literal || literal_only ? parse_literal(c, shape, value) : parse_relative(c, op, kind, value);
}

static bool parse_a(struct cursor *c, const struct op_shape *shape, struct op *op)
{
    uint64_t step;
    if (!parse_operand(c, &shape->a, op, &op->a_kind, &op->a)) return false;
    if (shape->a.form == OPERAND_NONE || op->kind >= OP_KERNEL_FIRST) return true;
    const char *behind = c->at;
    scan_blanks(c);
    const char *start = c->at;
    if (!scan_take_word(c, "step")) {
        c->at = behind;
        return true;
    }
    if (op->count == 1) return scan_fail(c, start, "expected no step, since this is not a run of slots");
    if (!scan_gap(c) || !scan_signed(c, INT32_MAX, &step)) return false;
    op->step = (int32_t)step;
    return true;
}

static bool parse_b(struct cursor *c, const struct op_shape *shape, struct op *op)
{
    return parse_operand(c, &shape->b, op, &op->b_kind, &op->b);
}

static bool parse_gfp(struct cursor *c, struct op *op)
{
    if (!scan_gap(c)) return false;
    if (!scan_take_word(c, "gfp")) return scan_fail(c, c->at, "expected 'gfp'");
    return scan_gap(c) && text_parse_gfp(c, &op->gfp);
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
    if (word.length == 0) return scan_fail(c, word.at, "expected an operation");
    if (word.length > WORD_MAX) word.length = WORD_MAX;
    int nearest = 0;
    for (int kind = 1; kind < OP_KINDS; kind++)
        if (edit_distance(word, op_shapes[kind].name) < edit_distance(word, op_shapes[nearest].name)) nearest = kind;
    return scan_fail(c, word.at, "expected an operation, not '%.*s'; the nearest is '%s'", (int)word.length, word.at,
                     op_shapes[nearest].name);
}

static bool parse_kind(struct cursor *c, struct op *op, bool has_result)
{
    struct word word = scan_peek_word(c);
    int kind = 0;
    while (kind < OP_KINDS && !scan_take_word(c, op_shapes[kind].name)) kind++;
    if (kind == OP_KINDS) return fail_unknown(c, word);
    const struct op_shape *shape = &op_shapes[kind];
    if (has_result && shape->slot == SLOT_ARGUMENT)
        return scan_fail(c, word.at, "expected an operation with a result; this one is '%s p%u'", shape->name,
                         op->slot);
    if (has_result && shape->slot == SLOT_NONE)
        return scan_fail(c, word.at, "expected an operation with a result; '%s' stands alone", shape->name);
    if (!has_result && shape->slot == SLOT_RESULT)
        return scan_fail(c, word.at, "expected a slot for the result: 'p0 = %s'", shape->name);
    op->kind = (uint8_t)kind;
    return true;
}

static bool parse_op(struct cursor *c, struct program *p)
{
    if (p->op_count == PROGRAM_OPS_MAX) return scan_fail(c, c->at, "expected at most %u operations", PROGRAM_OPS_MAX);
    struct op *op = &p->ops[p->op_count];
    *op = (struct op){.count = 1};
    bool has_result = at_slot(c);
    if (has_result) {
        if (!parse_run(c, op)) return false;
        scan_blanks(c);
        if (!scan_expect(c, '=')) return false;
        scan_blanks(c);
    }
    if (!parse_kind(c, op, has_result)) return false;
    const struct op_shape *shape = &op_shapes[op->kind];
    if (shape->slot == SLOT_ARGUMENT && !(scan_gap(c) && parse_run(c, op))) return false;
    if (shape->source && !(scan_gap(c) && parse_slot(c, &op->ref))) return false;
    if (shape->b_first && !parse_b(c, shape, op)) return false;
    if (!parse_a(c, shape, op)) return false;
    if (!shape->b_first && !parse_b(c, shape, op)) return false;
    if (shape->gfp && !parse_gfp(c, op)) return false;
    p->op_count++;
    return true;
}

/* ---- The heap line, the head, the whole -------------------------------------------------------------------------- */

/* One number, or two different ones that are not 0, with a comma between them. */
static bool parse_pair(struct cursor *c, const struct heap_key_shape *shape, uint64_t *value)
{
    uint64_t second;
    if (!scan_number(c, shape->min, shape->max, value)) return false;
    if (*value == 0 || !scan_take(c, ',')) return true;
    const char *at = c->at;
    if (!scan_number(c, 1, shape->max, &second)) return false;
    if (second == *value) return scan_fail(c, at, "expected another number than the first");
    *value |= second << 32;
    return true;
}

static bool parse_heap_value(struct cursor *c, const struct heap_key_shape *shape, uint64_t *value)
{
    if (shape->pair) return parse_pair(c, shape, value);
    if (shape->words == NULL) return scan_number(c, shape->min, shape->max, value);
    return scan_choice(c, shape->words, (unsigned)shape->max + 1, value);
}

static bool parse_heap(struct cursor *c, struct heap_geometry *heap)
{
    const char *names[HEAP_KEYS];
    bool given[HEAP_KEYS] = {false};
    for (int key = 0; key < HEAP_KEYS; key++) names[key] = heap_key_shapes[key].name;
    for (;;) {
        if (!scan_gap(c)) return false;
        if (c->at == c->end) return true;
        const char *start = c->at;
        uint64_t value;
        int key = 0;
        while (key < HEAP_KEYS && !scan_take_word(c, names[key])) key++;
        if (key == HEAP_KEYS) return scan_fail_one_of(c, start, names, HEAP_KEYS);
        if (given[key]) return scan_fail(c, start, "expected '%s' only once", names[key]);
        if (!scan_expect(c, '=') || !parse_heap_value(c, &heap_key_shapes[key], &value)) return false;
        heap_set(heap, (enum heap_key)key, value);
        given[key] = true;
    }
}

static bool parse_head(struct cursor *c)
{
    const char *start = c->at;
    uint64_t version;
    if (!scan_take_word(c, "assay")) return scan_fail(c, start, "expected 'assay 1' before anything else");
    if (!scan_gap(c)) return false;
    start = c->at;
    if (!scan_is_digit(scan_peek(c)) || !scan_number(c, 0, UINT64_MAX, &version) || version != 1)
        return scan_fail(c, start, "expected version 1 of the text form");
    c->headed = true;
    return true;
}

static bool parse_line(struct cursor *c, struct program *p)
{
    bool good;
    scan_blanks(c);
    if (c->at == c->end) return true;
    if (!c->headed) {
        good = parse_head(c);
    } else if (scan_word_is(scan_peek_word(c), "heap")) {
        if (c->heaped) return scan_fail(c, c->at, "expected only one heap line");
        if (p->op_count > 0) return scan_fail(c, c->at, "expected the heap line before the first operation");
        c->at += strlen("heap");
        c->heaped = true;
        good = parse_heap(c, &p->heap);
    } else {
        good = parse_op(c, p);
    }
    if (!good) return false;
    scan_blanks(c);
    return c->at == c->end || scan_fail(c, c->at, "expected the end of the line");
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
    return c.headed || scan_fail(&c, text_end, "expected 'assay 1' before anything else");
}
