/* target_empty.c: a fuzz target that does nothing: what an engine costs by itself, for bench/. */
#include "entry.h"

/* libFuzzer takes a target for a dead one if it reaches nothing at all. */
static uint8_t ran __attribute__((section("__libfuzzer_extra_counters"), used));

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
    ran = 1;
    return 0;
}

void target_fit(unsigned char *bytes, size_t length)
{
    (void)bytes;
    (void)length;
}
