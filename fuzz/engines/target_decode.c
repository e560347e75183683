/* target_decode.c: a fuzz target for the decoders: any bytes are a program, whose literal form and text are read as the same
 * program. */
#include "encode.h"
#include "entry.h"

#include <stdio.h>
#include <stdlib.h>

static struct program program, again;
static unsigned char literal[PROGRAM_BYTES_MAX];
static char text[PROGRAM_OPS_MAX * 512];

static void demand(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "assay: decode: %s\n", what);
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

void target_fit(unsigned char *bytes, size_t length)
{
    (void)bytes;
    (void)length;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct parse_error e;
    program_decode(&program, bytes, length);
    demand(program.op_count <= PROGRAM_OPS_MAX, "more operations than a program has");
    again = program;
    program_normalise(&again);
    demand(program_equal(&program, &again), "a decoded program is not a normal one");
    program_decode(&again, literal, program_encode(&program, literal));
    demand(program_equal(&program, &again), "the literal form is another program");
    const size_t printed = program_print(&program, text, sizeof text);
    demand(printed < sizeof text && program_parse(&again, text, printed, &e), "what was printed is not read");
    demand(program_equal(&program, &again), "what was printed is another program");
    return 0;
}
