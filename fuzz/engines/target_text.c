/* target_text.c: a fuzz target for the parser: any bytes are a program or give an error in their midst; a program's text is
 * read as the same program, and printed as the same text. */
#include "encode.h"
#include "entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct program program, again;
static char text[PROGRAM_OPS_MAX * 512], second[sizeof text];

static void demand(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "assay: text: %s\n", what);
    abort();
}

static void check_error(const struct parse_error *e, const uint8_t *bytes, size_t length)
{
    size_t lines = 1;
    for (size_t i = 0; i < length; i++) lines += bytes[i] == '\n';
    demand(e->line >= 1 && e->line <= lines + 1 && e->column >= 1 && e->column <= length + 1,
           "an error outside the text");
    demand(e->message[0] && memchr(e->message, '\0', sizeof e->message), "an error without a message");
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
    if (!program_parse(&program, (const char *)bytes, length, &e)) {
        check_error(&e, bytes, length);
        return 0;
    }
    const size_t printed = program_print(&program, text, sizeof text);
    demand(printed < sizeof text, "a text longer than any can be");
    demand(program_parse(&again, text, printed, &e), "what was printed is not read");
    demand(program_equal(&program, &again), "what was printed is another program");
    demand(program_print(&again, second, sizeof second) == printed && memcmp(text, second, printed) == 0,
           "the same program printed differently");
    program_normalise(&again);
    demand(program_equal(&program, &again), "a program that was read is not a normal one");
    return 0;
}
