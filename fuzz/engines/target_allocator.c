/* target_allocator.c: the entry points of a fuzz target for one allocator.
 *
 * ASSAY_TARGET, at build, names the allocator; "any" takes it from the environment (ASSAY_ALLOCATOR: a built-in's name, a
 * canary's, or the path of a library; with ASSAY_PREFIX and ASSAY_PROFILE as --prefix and --profile). ASSAY_GROUPS, at
 * build, leaves of the kernel group only these of enum swarm_group.
 */
#include "engine.h"
#include "entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ASSAY_TARGET
#define ASSAY_TARGET "any"
#endif

static struct engine engine;

static const char *allocator(void)
{
    const char *name = getenv("ASSAY_ALLOCATOR");
    if (strcmp(ASSAY_TARGET, "any") != 0) return ASSAY_TARGET;
    return name && *name ? name : "freelist";
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char error[1024];
    (void)argc;
    (void)argv;
    if (engine_open(&engine, allocator(), getenv("ASSAY_PREFIX"), getenv("ASSAY_PROFILE"), error, sizeof error)) {
        fprintf(stderr, "assay: %s\n", error);
        exit(2);
    }
#ifdef ASSAY_GROUPS
    engine_narrow(&engine, ASSAY_GROUPS);
#endif
    return 0;
}

void target_fit(unsigned char *bytes, size_t length) { engine_fit(&engine, bytes, length); }

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    engine_run(&engine, bytes, length);
    return 0;
}
