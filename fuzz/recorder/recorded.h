/* recorded.h: what the preloaded recorder writes and `assay record` reads: shared memory of a bounded size.
 *
 * `assay record` makes a memory file, says in the environment where it is, and runs the command with the recorder preloaded.
 * The command's process writes one entry for each call, also after it has replaced itself by another program (exec), which
 * begins a new image. Processes that it forks write nothing.
 */
#ifndef RECORDED_H
#define RECORDED_H

#include <stdint.h>

#define RECORDED_ENVIRONMENT "ASSAY_RECORD" /* path of the memory file */
#define RECORDED_MAGIC UINT64_C(0x3164726f63657261)
#define RECORDED_CALLS_MAX (UINT32_C(1) << 22)

enum recorded_kind {
    RECORDED_MALLOC,
    RECORDED_CALLOC,
    RECORDED_REALLOC,
    RECORDED_REALLOCARRAY,
    RECORDED_FREE,
    RECORDED_ALIGNED_ALLOC,
    RECORDED_POSIX_MEMALIGN,
    RECORDED_MEMALIGN, /* and valloc, whose alignment is a page */
    RECORDED_KINDS
};

/* Addresses are names of blocks only. */
struct recorded_call {
    uint64_t old;    /* the block given to free or realloc, 0 for NULL */
    uint64_t result; /* the block returned, 0 if the request was refused */
    uint64_t a, b;   /* size; of arrays count and size; of aligned requests size and alignment */
    uint32_t kind;   /* enum recorded_kind */
    uint32_t image;  /* number of the program that the process ran then, from 1 */
};

struct recording {
    uint64_t magic;
    int32_t pid;      /* of the process that is recorded */
    uint32_t images;  /* programs that it has run with the recorder in it */
    uint32_t count;   /* calls written */
    uint32_t dropped; /* calls after the last that there was room for; saturates */
    struct recorded_call calls[RECORDED_CALLS_MAX];
};

#endif
