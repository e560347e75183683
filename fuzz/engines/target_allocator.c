/* target_allocator.c: the entry points of a fuzz target for one allocator.
 *
 * ASSAY_TARGET, at build, names the allocator; "any" takes it from the environment (ASSAY_ALLOCATOR: a built-in's name, a
 * canary's, or the path of a library; with ASSAY_PREFIX and ASSAY_PROFILE as --prefix and --profile). ASSAY_GROUPS, at
 * build, leaves of the kernel group only these of enum swarm_group.
 *
 * With ASSAY_LINKED the allocator is somebody's own, linked into the target, which calls its assay_allocator; ASSAY_TARGET
 * is then the module that holds the same, and ASSAY_CONTRACT the words of its profile.
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

#ifdef ASSAY_LINKED
assay_allocator_fn assay_allocator;

static int open_engine(char *error, size_t size)
{
    return engine_open_linked(&engine, assay_allocator(), ASSAY_TARGET, ASSAY_CONTRACT, error, size);
}
#else
static const char *allocator(void)
{
    const char *name = getenv("ASSAY_ALLOCATOR");
    if (strcmp(ASSAY_TARGET, "any") != 0) return ASSAY_TARGET;
    return name && *name ? name : "freelist";
}

static int open_engine(char *error, size_t size)
{
    return engine_open(&engine, allocator(), getenv("ASSAY_PREFIX"), getenv("ASSAY_PROFILE"), error, size);
}
#endif

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char error[1024];
    (void)argc;
    (void)argv;
    if (open_engine(error, sizeof error)) {
        fprintf(stderr, "assay: %s\n", error);
        exit(2);
    }
#ifdef ASSAY_GROUPS
    engine_narrow(&engine, ASSAY_GROUPS);
#endif
    return 0;
}

void target_fit(unsigned char *bytes, size_t length) { generator_fit(&engine.generator, bytes, length); }

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    engine_run(&engine, bytes, length);
    return 0;
}
