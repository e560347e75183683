/* text.c: writes programs as text, one line per operation (docs/PROGRAMS.md has the grammar; text_parse.c reads it).
 *
 * Printing is canonical: one program has one text. A run is written as a range of slots wherever that says exactly the
 * same; runs that wrap around, or stay on one slot, are written as first slot, count and stride.
 */
#include "text_internal.h"

#include "machine.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* ---- Words ------------------------------------------------------------------------------------------------------- */

const char *const size_words[SIZE_KINDS] = {
    [SIZE_LITERAL] = "",  [SIZE_TOP] = "MAX",       [SIZE_HALF] = "HALF",
    [SIZE_HEAP] = "heap", [SIZE_USABLE] = "usable", [SIZE_SEEN] = "seen",
};

static const char *const dirty_words[DIRTY_KINDS] = {"zero", "a5", "ff", "random"};
static const char *const place_words[PLACE_KINDS] = {"high", "low"};
static const char *const fence_words[FENCE_KINDS] = {"ends", "pages"};
static const char *const course_words[COURSE_KINDS] = {
    "plain", "drain", "steady", "refill", "monotone", "twin", "permute", "free_cost", "recover",
};
static const char *const machine_words[MACHINE_CONFIGS] = {"s64", "s4", "sodd", "smap", "tiny"};
static const char *const scatter_words[] = {"no", "yes"};

const struct heap_key_shape heap_key_shapes[HEAP_KEYS] = {
    [KEY_SIZE] = {.name = "size", .min = 1, .max = PROGRAM_HEAP_MAX},
    [KEY_DIRTY] = {.name = "dirty", .words = dirty_words, .max = DIRTY_KINDS - 1},
    [KEY_PLACE] = {.name = "place", .words = place_words, .max = PLACE_KINDS - 1},
    [KEY_FENCE] = {.name = "fence", .words = fence_words, .max = FENCE_KINDS - 1},
    [KEY_COURSE] = {.name = "course", .words = course_words, .max = COURSE_KINDS - 1},
    [KEY_SEED] = {.name = "seed", .max = UINT32_MAX},
    [KEY_FAIL] = {.name = "fail", .max = UINT32_MAX, .pair = true},
    [KEY_MACHINE] = {.name = "machine", .words = machine_words, .max = MACHINE_CONFIGS - 1},
    [KEY_SCATTER] = {.name = "scatter", .words = scatter_words, .max = 1},
};

uint64_t heap_get(const struct heap_geometry *heap, enum heap_key key)
{
    switch (key) {
    case KEY_SIZE: return heap->size;
    case KEY_DIRTY: return heap->dirty;
    case KEY_PLACE: return heap->place;
    case KEY_FENCE: return heap->fence;
    case KEY_COURSE: return heap->course;
    case KEY_SEED: return heap->seed;
    case KEY_FAIL: return heap->fail | (uint64_t)heap->fail_also << 32;
    case KEY_MACHINE: return heap->machine;
    case KEY_SCATTER: return heap->scatter;
    case HEAP_KEYS: break;
    }
    assert(!"a heap key");
    return 0;
}

void heap_set(struct heap_geometry *heap, enum heap_key key, uint64_t value)
{
    switch (key) {
    case KEY_SIZE: heap->size = value; return;
    case KEY_DIRTY: heap->dirty = (uint8_t)value; return;
    case KEY_PLACE: heap->place = (uint8_t)value; return;
    case KEY_FENCE: heap->fence = (uint8_t)value; return;
    case KEY_COURSE: heap->course = (uint8_t)value; return;
    case KEY_SEED: heap->seed = (uint32_t)value; return;
    case KEY_FAIL:
        heap->fail = (uint32_t)value;
        heap->fail_also = (uint32_t)(value >> 32);
        return;
    case KEY_MACHINE: heap->machine = (uint8_t)value; return;
    case KEY_SCATTER: heap->scatter = (uint8_t)value; return;
    case HEAP_KEYS: break;
    }
    assert(!"a heap key");
}

/* ---- Printing ---------------------------------------------------------------------------------------------------- */

static struct sink sink_open(char *out, size_t size)
{
    if (size > 0) out[0] = '\0';
    return (struct sink){.out = out, .size = size};
}

void text_emit(struct sink *s, const char *format, ...)
{
    bool room = s->length < s->size;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(room ? s->out + s->length : NULL, room ? s->size - s->length : 0, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    s->length += (size_t)length;
}

static void emit_run(struct sink *s, const struct op *op)
{
    int last = op->slot + (op->count - 1) * op->stride;
    text_emit(s, "p%u", op->slot);
    if (op->count == 1) return;
    if (op->stride == 0 || last < 0 || last >= (int)PROGRAM_SLOTS) {
        text_emit(s, "*%u%+d", op->count, op->stride);
        return;
    }
    text_emit(s, "..p%d", last);
    int distance = op->stride < 0 ? -op->stride : op->stride;
    if (distance > 1) text_emit(s, "/%d", distance);
}

static void emit_literal(struct sink *s, const struct operand_shape *shape, uint64_t value)
{
    switch (shape->form) {
    case OPERAND_SIGNED:
    case OPERAND_NONZERO: text_emit(s, "%" PRId64, (int64_t)value); return;
    case OPERAND_BITS: text_emit(s, "0x%" PRIx64, value); return;
    case OPERAND_NONE:
    case OPERAND_SIZE:
    case OPERAND_NUMBER: text_emit(s, "%" PRIu64, value); return;
    case OPERAND_WORD: text_emit(s, "%s", shape->words[value]); return;
    case OPERAND_CACHE:
    case OPERAND_CACHES:
    case OPERAND_POOL:
    case OPERAND_CACHE_ARGS:
    case OPERAND_POOL_ARGS: text_emit_kernel(s, shape->form, value); return;
    }
}

static void emit_operand(struct sink *s, const struct operand_shape *shape, uint8_t kind, uint16_t ref, uint64_t value)
{
    if (shape->form == OPERAND_NONE || (shape->optional && value == 0)) return;
    if (shape->lead != NULL) text_emit(s, " %s", shape->lead);
    text_emit(s, " %s", size_words[kind]);
    if (kind == SIZE_LITERAL) {
        emit_literal(s, shape, value);
        return;
    }
    if (kind == SIZE_USABLE) text_emit(s, "(p%u)", ref);
    if (value == 0) return;
    if (kind == SIZE_TOP) text_emit(s, "-%" PRIu64, value);
    else text_emit(s, "%+" PRId64, (int64_t)value);
}

static void emit_a(struct sink *s, const struct op_shape *shape, const struct op *op)
{
    emit_operand(s, &shape->a, op->a_kind, op->ref, op->a);
    if (op_step(op) != 0) text_emit(s, " step %" PRId32, op->step);
}

static void emit_b(struct sink *s, const struct op_shape *shape, const struct op *op)
{
    emit_operand(s, &shape->b, op->b_kind, op->ref, op->b);
}

static void emit_op(struct sink *s, const struct op *op)
{
    assert(op->kind < OP_KINDS);
    const struct op_shape *shape = &op_shapes[op->kind];
    if (shape->slot == SLOT_RESULT) {
        emit_run(s, op);
        text_emit(s, " = ");
    }
    text_emit(s, "%s", shape->name);
    if (shape->slot == SLOT_ARGUMENT) {
        text_emit(s, " ");
        emit_run(s, op);
    }
    if (shape->source) text_emit(s, " p%u", op->ref);
    if (shape->b_first) emit_b(s, shape, op);
    emit_a(s, shape, op);
    if (!shape->b_first) emit_b(s, shape, op);
    if (shape->gfp) {
        text_emit(s, " gfp ");
        text_emit_gfp(s, op->gfp);
    }
}

/* The size is always shown; the rest only where it differs from a clear program, whose other fields are zero. */
static void emit_heap(struct sink *s, const struct heap_geometry *heap)
{
    text_emit(s, "heap");
    for (int key = 0; key < HEAP_KEYS; key++) {
        const struct heap_key_shape *shape = &heap_key_shapes[key];
        uint64_t value = heap_get(heap, (enum heap_key)key);
        const uint64_t second = shape->pair ? value >> 32 : 0;
        if (shape->pair) value &= UINT32_MAX;
        assert(value <= shape->max);
        if (value == 0) continue;
        if (shape->words != NULL) text_emit(s, " %s=%s", shape->name, shape->words[value]);
        else text_emit(s, " %s=%" PRIu64, shape->name, value);
        if (second) text_emit(s, ",%" PRIu64, second);
    }
}

size_t program_print_op(const struct op *op, char *out, size_t size)
{
    struct sink s = sink_open(out, size);
    emit_op(&s, op);
    return s.length;
}

size_t program_print_heap(const struct heap_geometry *heap, char *out, size_t size)
{
    struct sink s = sink_open(out, size);
    emit_heap(&s, heap);
    return s.length;
}

size_t program_print_gfp(uint32_t gfp, char *out, size_t size)
{
    struct sink s = sink_open(out, size);
    text_emit_gfp(&s, gfp);
    return s.length;
}

size_t program_print(const struct program *p, char *out, size_t size)
{
    assert(p->op_count <= PROGRAM_OPS_MAX);
    struct sink s = sink_open(out, size);
    text_emit(&s, "assay 1\n");
    emit_heap(&s, &p->heap);
    text_emit(&s, "\n");
    for (uint32_t i = 0; i < p->op_count; i++) {
        emit_op(&s, &p->ops[i]);
        text_emit(&s, "\n");
    }
    return s.length;
}
