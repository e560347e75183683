/* encode.c: the literal byte form, which can say every program (docs/PROGRAMS.md has the picture).
 *
 * A head of 32 bytes, then 32 bytes for each operation; all numbers are little-endian, whatever the host is. Records
 * keep their length and place, so an engine that changes one byte changes one field of one operation.
 */
#include "encode.h"

#include <assert.h>
#include <string.h>

_Static_assert(LITERAL_HEAD_BYTES + LITERAL_OP_BYTES * PROGRAM_OPS_MAX == PROGRAM_BYTES_MAX, "program.h's bound");

static uint64_t get(const unsigned char *from, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)from[i] << 8 * i;
    return value;
}

static void put(unsigned char *to, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++) to[i] = (unsigned char)(value >> 8 * i);
}

static void encode_head(const struct heap_geometry *heap, unsigned char *to)
{
    memset(to, 0, LITERAL_HEAD_BYTES);
    memcpy(to, PROGRAM_MAGIC, 4);
    put(to + 4, 8, heap->size);
    put(to + 12, 4, heap->seed);
    put(to + 16, 4, heap->fail);
    to[20] = heap->dirty;
    to[21] = heap->place;
    to[22] = heap->fence;
    to[23] = heap->course;
    to[24] = heap->machine;
    to[25] = heap->scatter;
    put(to + 28, 4, heap->fail_also);
}

static void decode_head(struct heap_geometry *heap, const unsigned char *from)
{
    *heap = (struct heap_geometry){
        .size = get(from + 4, 8),
        .seed = (uint32_t)get(from + 12, 4),
        .fail = (uint32_t)get(from + 16, 4),
        .dirty = from[20],
        .place = from[21],
        .fence = from[22],
        .course = from[23],
        .machine = from[24],
        .scatter = from[25],
        .fail_also = (uint32_t)get(from + 28, 4),
    };
}

static void encode_op(const struct op *op, unsigned char *to)
{
    to[0] = op->kind;
    to[1] = op->a_kind;
    put(to + 2, 2, op->slot);
    put(to + 4, 2, op->ref);
    put(to + 6, 2, op->count);
    put(to + 8, 2, (uint16_t)op->stride);
    to[10] = op->b_kind;
    to[11] = 0;
    put(to + 12, 4, op->gfp); /* or step: the same bits */
    put(to + 16, 8, op->a);
    put(to + 24, 8, op->b);
}

static void decode_op(struct op *op, const unsigned char *from)
{
    *op = (struct op){
        .kind = from[0],
        .a_kind = from[1],
        .slot = (uint16_t)get(from + 2, 2),
        .ref = (uint16_t)get(from + 4, 2),
        .count = (uint16_t)get(from + 6, 2),
        .stride = (int16_t)get(from + 8, 2),
        .b_kind = from[10],
        .gfp = (uint32_t)get(from + 12, 4),
        .a = get(from + 16, 8),
        .b = get(from + 24, 8),
    };
}

size_t program_encode(const struct program *p, unsigned char *bytes)
{
    assert(p->op_count <= PROGRAM_OPS_MAX);
    encode_head(&p->heap, bytes);
    unsigned char *to = bytes + LITERAL_HEAD_BYTES;
    for (uint32_t i = 0; i < p->op_count; i++, to += LITERAL_OP_BYTES) encode_op(&p->ops[i], to);
    return (size_t)(to - bytes);
}

void program_decode_literal(struct program *p, const void *bytes, size_t length)
{
    unsigned char head[LITERAL_HEAD_BYTES] = {0};
    size_t head_length = length < sizeof head ? length : sizeof head;
    if (head_length > 0) memcpy(head, bytes, head_length);
    decode_head(&p->heap, head);

    const unsigned char *from = bytes;
    size_t records = (length - head_length) / LITERAL_OP_BYTES;
    p->op_count = records < PROGRAM_OPS_MAX ? (uint32_t)records : PROGRAM_OPS_MAX;
    for (uint32_t i = 0; i < p->op_count; i++) decode_op(&p->ops[i], from + LITERAL_HEAD_BYTES + i * LITERAL_OP_BYTES);
    program_normalise(p);
}
