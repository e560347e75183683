/* program_random.h: random programs whose every field was filled with random bytes first, and what must hold of any. */
#ifndef PROGRAM_RANDOM_H
#define PROGRAM_RANDOM_H

#include "encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline void random_fill(uint64_t *state, void *to, size_t length)
{
    unsigned char *byte = to;
    for (size_t i = 0; i < length; i++) byte[i] = (unsigned char)(random_next(state) >> 32);
}

/* Mostly few operations; small and border values often enough for every notation to be met. */
static inline void random_program(uint64_t *state, struct program *p)
{
    random_fill(state, &p->heap, sizeof p->heap);
    p->op_count = (uint32_t)(random_next(state) % (random_next(state) % 500 == 0 ? PROGRAM_OPS_MAX + 9 : 12));
    for (uint32_t i = 0; i < p->op_count && i < PROGRAM_OPS_MAX; i++) {
        static const uint64_t borders[] = {0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX, UINT64_MAX - 7};
        struct op *op = &p->ops[i];
        uint64_t choice = random_next(state);
        random_fill(state, op, sizeof *op);
        if (choice & 1) op->a = borders[op->a % 6];
        if (choice & 2) op->b = borders[op->b % 6];
        if (choice & 4) op->count %= 20;
        if (choice & 8) op->stride %= 4;
        if (choice & 16) op->slot %= 64;
        if (choice & 32) op->count = op->stride = op->step = 0;
    }
    program_normalise(p);
}

static inline void parse_good(struct program *p, const char *source, size_t length)
{
    struct parse_error error = {0};
    if (!program_parse(p, source, length, &error))
        fail_msg("%zu:%zu: %s in:\n%.*s", error.line, error.column, error.message, (int)length, source);
}

static inline void assert_normal(const struct program *p)
{
    static struct program normal;
    normal = *p;
    program_normalise(&normal);
    assert_true(program_equal(&normal, p));
}

#endif
