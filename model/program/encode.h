/* encode.h: what the byte form and the text form of a program share beneath program.h.
 *
 * One table tells what each operation uses and how it is written. Normalising, printing and parsing are all driven by
 * it, so a field that the text does not show is a field that program_normalise clears, and round trips are exact.
 */
#ifndef ENCODE_H
#define ENCODE_H

#include "program.h"

/* ---- Operations -------------------------------------------------------------------------------------------------- */

enum operand_form {
    OPERAND_NONE,       /* not used: 0 */
    OPERAND_SIZE,       /* a size of any kind; a literal is unsigned:         24      */
    OPERAND_SIGNED,     /* a size of any kind; a literal is signed:           -16     */
    OPERAND_NUMBER,     /* a literal:                                         24      */
    OPERAND_BITS,       /* a literal, printed in base 16:                     0x22    */
    OPERAND_NONZERO,    /* a literal, signed, never 0 (normalised to 1):      -1      */
    OPERAND_WORD,       /* a literal, written as one of `words`:              spinlock */
    OPERAND_CACHE,      /* the number of a cache:                             c2      */
    OPERAND_CACHES,     /* ..., or PROGRAM_CACHES:                            any     */
    OPERAND_POOL,       /* the number of a pool:                              m0      */
    OPERAND_CACHE_ARGS, /* PROGRAM_CACHE_ARGS:                             size 192 align 64 flags POISON constructor */
    OPERAND_POOL_ARGS,  /* PROGRAM_POOL_ARGS:                              kmalloc size 100 min 4 */
};

struct operand_shape {
    enum operand_form form;
    bool optional;            /* not written if it is a literal 0; then it has a lead */
    const char *lead;         /* the word written before it, or NULL */
    const char *const *words; /* OPERAND_WORD */
    uint64_t limit; /* values are below it; 0: any value, which words and names of caches and pools never are */
};

enum slot_use {
    SLOT_NONE,     /* the operation is one call, without a slot */
    SLOT_RESULT,   /* p0 = malloc 24 */
    SLOT_ARGUMENT, /* free p0 */
};

struct op_shape {
    const char *name;
    enum slot_use slot; /* with a slot, the operation can be a run: count, stride, and step if it uses a */
    bool b_first;       /* in the text, b stands before a */
    bool gfp;           /* the bits of step are a gfp mask, written last */
    bool source;        /* ref is a slot whatever the sizes are, written before the operands: p4 = vmap p3 */
    struct operand_shape a, b;
};

extern const struct op_shape op_shapes[OP_KINDS];

/* ---- Words of the text form -------------------------------------------------------------------------------------- */

enum heap_key {
    KEY_SIZE,
    KEY_DIRTY,
    KEY_PLACE,
    KEY_FENCE,
    KEY_COURSE,
    KEY_SEED,
    KEY_FAIL,
    KEY_MACHINE,
    KEY_SCATTER,
    HEAP_KEYS
};

struct heap_key_shape {
    const char *name;
    const char *const *words; /* of the values min .. max; NULL: written as a number */
    uint64_t min, max;
    bool pair; /* may be two numbers, "3,7"; heap_get and heap_set have the second in the upper half */
};

extern const struct heap_key_shape heap_key_shapes[HEAP_KEYS];

uint64_t heap_get(const struct heap_geometry *heap, enum heap_key key);
void heap_set(struct heap_geometry *heap, enum heap_key key, uint64_t value);

extern const char *const size_words[SIZE_KINDS]; /* "" for SIZE_LITERAL */

/* ---- The literal byte form --------------------------------------------------------------------------------------- */

#define LITERAL_HEAD_BYTES 32u
#define LITERAL_OP_BYTES 32u

/* Total: any bytes are a program. The first four stand for the magic and are not looked at; what is missing of the head
 * reads as zero; an incomplete record at the end, and all behind the PROGRAM_OPS_MAX-th, is dropped. */
void program_decode_literal(struct program *p, const void *bytes, size_t length);

#endif
