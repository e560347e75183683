/* program.c: the table of operations, and the bounds that make any content of a struct program a valid one.
 *
 * Fields are bounded by a remainder rather than clamped: a wrong high byte then leaves the low ones in force, so that a
 * mutated program stays near the one that it came from.
 */
#include "encode.h"

#include <assert.h>
#include <string.h>

#define SIZE                 \
    {                        \
        .form = OPERAND_SIZE \
    }
#define NUMBER                 \
    {                          \
        .form = OPERAND_NUMBER \
    }

const struct op_shape op_shapes[OP_KINDS] = {
    [OP_MALLOC] = {.name = "malloc", .slot = SLOT_RESULT, .a = SIZE},
    [OP_FREE] = {.name = "free", .slot = SLOT_ARGUMENT},
    [OP_REALLOC] = {.name = "realloc", .slot = SLOT_ARGUMENT, .a = SIZE},
    [OP_CALLOC] = {.name = "calloc", .slot = SLOT_RESULT, .a = SIZE, .b = SIZE},
    [OP_ALIGNED_ALLOC] = {.name = "aligned_alloc", .slot = SLOT_RESULT, .b_first = true, .a = SIZE, .b = SIZE},
    [OP_POSIX_MEMALIGN] = {.name = "posix_memalign", .slot = SLOT_RESULT, .b_first = true, .a = SIZE, .b = SIZE},
    [OP_MEMALIGN] = {.name = "memalign", .slot = SLOT_RESULT, .b_first = true, .a = SIZE, .b = SIZE},
    [OP_REALLOCARRAY] = {.name = "reallocarray", .slot = SLOT_ARGUMENT, .a = SIZE, .b = SIZE},
    [OP_USABLE_SIZE] = {.name = "usable_size", .slot = SLOT_ARGUMENT},
    [OP_FREE_SIZED] = {.name = "free_sized", .slot = SLOT_ARGUMENT},
    [OP_FREE_ALIGNED_SIZED] = {.name = "free_aligned_sized", .slot = SLOT_ARGUMENT},
    [OP_WRITE] = {.name = "write", .slot = SLOT_ARGUMENT},
    [OP_FREE_NULL] = {.name = "free_null"},
    [OP_CHECK] = {.name = "check"},
    [OP_REPEAT] = {.name = "repeat", .a = NUMBER, .b = {.form = OPERAND_NUMBER, .lead = "x"}},
    [OP_FAIL] = {.name = "fail", .a = NUMBER},
    [OP_FOREIGN_SBRK] = {.name = "foreign_sbrk", .a = SIZE},
    [OP_FRAME_PUSH] = {.name = "frame_push"},
    [OP_FRAME_POP] = {.name = "frame_pop"},
    [OP_SBRK] = {.name = "sbrk", .a = {.form = OPERAND_SIGNED}},
    [OP_BRK] = {.name = "brk", .a = SIZE},
    [OP_MMAP] = {.name = "mmap", .slot = SLOT_RESULT, .a = SIZE, .b = {.form = OPERAND_BITS, .lead = "flags"}},
    [OP_MUNMAP] = {.name = "munmap", .slot = SLOT_ARGUMENT, .a = SIZE, .b = {.form = OPERAND_NUMBER, .lead = "at"}},
    [OP_MAP_STORE] = {.name = "map_store",
                      .slot = SLOT_ARGUMENT,
                      .a = {.form = OPERAND_NUMBER, .lead = "at"},
                      .b = {.form = OPERAND_NUMBER, .lead = "value"}},
    [OP_FILE_STORE] = {.name = "file_store", .b_first = true, .a = {.form = OPERAND_NUMBER, .lead = "at"}, .b = NUMBER},
    [OP_DOUBLE_FREE] = {.name = "double_free", .slot = SLOT_ARGUMENT},
    [OP_INTERIOR_FREE] = {.name = "interior_free", .slot = SLOT_ARGUMENT, .a = SIZE},
    [OP_FOREIGN_FREE] = {.name = "foreign_free"},
    [OP_WRONG_SIZE_FREE] = {.name = "wrong_size_free", .slot = SLOT_ARGUMENT, .a = {.form = OPERAND_NONZERO}},
    [OP_WRITE_AFTER_FREE] = {.name = "write_after_free", .slot = SLOT_ARGUMENT},
};

const char *op_name(enum op_kind kind) { return kind < OP_KINDS ? op_shapes[kind].name : "unknown"; }

void program_clear(struct program *p)
{
    p->heap = (struct heap_geometry){.size = HEAP_SIZE_DEFAULT};
    p->op_count = 0;
}

static void normalise_heap(struct heap_geometry *heap)
{
    if (heap->size == 0) heap->size = HEAP_SIZE_DEFAULT;
    heap->size = (heap->size - 1) % PROGRAM_HEAP_MAX + 1;
    heap->dirty %= DIRTY_KINDS;
    heap->place %= PLACE_KINDS;
    heap->fence %= FENCE_KINDS;
    heap->course %= COURSE_KINDS;
}

static void normalise_operand(enum operand_form form, uint8_t *kind, uint64_t *value)
{
    *kind %= SIZE_KINDS;
    if (form != OPERAND_SIZE && form != OPERAND_SIGNED) *kind = SIZE_LITERAL;
    if (form == OPERAND_NONE) *value = 0;
    if (form == OPERAND_NONZERO && *value == 0) *value = 1;
}

static void normalise_op(struct op *op)
{
    op->kind %= OP_KINDS;
    op->reserved = 0;
    const struct op_shape *shape = &op_shapes[op->kind];
    normalise_operand(shape->a.form, &op->a_kind, &op->a);
    normalise_operand(shape->b.form, &op->b_kind, &op->b);

    op->ref %= PROGRAM_SLOTS;
    if (op->a_kind != SIZE_USABLE && op->b_kind != SIZE_USABLE) op->ref = 0;

    op->slot %= PROGRAM_SLOTS;
    if (op->count == 0) op->count = 1;
    op->count = (uint16_t)((op->count - 1u) % PROGRAM_SLOTS + 1);
    if (shape->slot == SLOT_NONE) {
        op->slot = 0;
        op->count = 1;
    }
    if (op->count == 1) op->stride = 0;
    if (op->count == 1 || shape->a.form == OPERAND_NONE) op->step = 0;
}

void program_normalise(struct program *p)
{
    normalise_heap(&p->heap);
    if (p->op_count > PROGRAM_OPS_MAX) p->op_count = PROGRAM_OPS_MAX;
    for (uint32_t i = 0; i < p->op_count; i++) normalise_op(&p->ops[i]);
}

/* struct op has no padding, so its bytes may be compared; struct heap_geometry may have some. */
_Static_assert(offsetof(struct op, b) + sizeof(uint64_t) == sizeof(struct op), "struct op ends with b");

bool program_equal(const struct program *a, const struct program *b)
{
    assert(a->op_count <= PROGRAM_OPS_MAX);
    return a->heap.size == b->heap.size && a->heap.seed == b->heap.seed && a->heap.fail == b->heap.fail &&
           a->heap.dirty == b->heap.dirty && a->heap.place == b->heap.place && a->heap.fence == b->heap.fence &&
           a->heap.course == b->heap.course && a->op_count == b->op_count &&
           memcmp(a->ops, b->ops, a->op_count * sizeof a->ops[0]) == 0;
}
