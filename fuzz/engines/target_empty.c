/* target_empty.c: a fuzz target that does nothing: what an engine costs by itself, for bench/. */
#include "entry.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    (void)bytes;
    (void)length;
    return 0;
}

void target_fit(unsigned char *bytes, size_t length)
{
    (void)bytes;
    (void)length;
}
