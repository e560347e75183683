/* alloc.h: how an allocator presents itself to assay. This header is the manual.
 *
 * An allocator is one constant `struct alloc_ops`: facts about it, its contract, and its operations. Nothing in it is
 * global: every operation takes the heap (the allocator's own state, `state_size` bytes that the caller provides,
 * zeroed, aligned for any type), so two heaps of one kind live side by side. Memory to hand out comes from a `struct
 * backing` that the harness owns. An adapter needs this header and nothing else: no library is linked.
 *
 *     static const struct alloc_ops mine = {
 *         .abi = ALLOC_ABI, .name = "mine", .summary = "first fit over a fixed region",
 *         .contract = { .backing = BACKING_REGION, .align_min = 16, .align_max = 4096 },
 *         .state_size = sizeof(struct my_heap),
 *         .init = my_init, .malloc = my_malloc, .free = my_free,
 *     };
 *     const struct alloc_ops *assay_allocator(void) { return &mine; }   // what a shared library exports
 *
 * An operation that is NULL is not offered: programs skip it and the report counts the skips.
 * Rule names such as A25 are those of docs/RULES.md.
 */
#ifndef ALLOC_H
#define ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALLOC_ABI 1u /* changes when the meaning or the layout of anything in this header does */

/* ---- Memory that the harness lends ------------------------------------------------------------------------------ */

enum backing_kind {
    BACKING_REGION,  /* `size` bytes at `base`, all accessible; one inaccessible page before them and one behind */
    BACKING_BREAK,   /* a program break that starts at `base` and may grow to base + size; private to this heap */
    BACKING_PAGES,   /* an inaccessible window of whole pages into which map() puts real ones */
    BACKING_HOST,    /* nothing is lent: the allocator asks the operating system itself, as malloc in a library does */
    BACKING_MACHINE, /* frames and address space of a simulated machine (machine.h); base and size are its direct map */
};

/* What an implementation found wrong with a call (SEMANTICS O11). It says so through backing.report, changes nothing,
 * and returns NULL where it returns anything. The kernel families use more of the list than the hosted ones. */
enum alloc_report {
    REPORT_BAD_FREE,    /* not the start of a live block */
    REPORT_DOUBLE_FREE, /* the start of a block that is free already */
    REPORT_BAD_FREE_ORDER,
    REPORT_WRONG_FREE,
    REPORT_BAD_GFP,
    REPORT_SLEEP_IN_ATOMIC,
    REPORT_BUG,
    REPORT_REDZONE,
    REPORT_POISON,
    REPORT_OBJECTS_REMAIN,
    REPORT_STACK_OVERFLOW, /* the stack cannot hold the block that was asked for */
    REPORT_CORRUPT_META,   /* the allocator's own records have been overwritten */
    REPORT_LEAK,
    REPORT_PANIC,
    REPORT_CONTRACT_WARN,
    REPORT_KINDS
};

/* What map() puts into a window of pages. */
enum backing_source {
    SOURCE_ANONYMOUS,    /* fresh zero pages */
    SOURCE_FILE_SHARED,  /* the bytes of a file, stores reach the file */
    SOURCE_FILE_PRIVATE, /* the bytes of a file, stores stay here */
};

struct machine;

struct backing {
    enum backing_kind kind;
    unsigned char *base; /* lowest byte lent; of any alignment for regions and breaks, page-aligned for windows */
    size_t size;         /* bytes from base to the limit; of any size for regions and breaks */
    size_t page_bytes;   /* power of two; the granule of map() and of a break's accessibility */

    /* BACKING_BREAK. Returns the previous break, for growth (there the first new byte) and for shrinking alike;
     * SBRK_FAILED with errno ENOMEM, and nothing changed, if and only if the new break would lie below base or above
     * base + size, or the harness makes this request fail. sbrk(b, 0) is the current break and never fails (A36, A37).
     * Bytes never lent before read as zero unless the contract says that the allocator does not count on it (A39). */
    void *(*sbrk)(struct backing *b, ptrdiff_t delta_bytes);
    /* Sets the break to `end`. 0, or -1 with errno ENOMEM and nothing changed, as for sbrk. */
    int (*brk)(struct backing *b, void *end);

    /* BACKING_PAGES. Replaces the pages [at, at+length) by what `source` says; at, length and offset are multiples of
     * page_bytes, length > 0. 0, or an errno value if and only if the harness makes this request fail or a page lies
     * outside the window (EINVAL); then nothing changed. `file` and `offset` count for file sources only. */
    int (*map)(struct backing *b, void *at, size_t length, enum backing_source source, unsigned file, size_t offset);
    /* Makes [at, at+length) inaccessible again and gives its pages back. 0, or an errno value as for map. */
    int (*unmap)(struct backing *b, void *at, size_t length);
    unsigned files;    /* how many files there are to map, numbered from 0 */
    size_t file_bytes; /* the length of each, no multiple of a page; a last partial page reads as zero behind it */

    struct machine *machine; /* BACKING_MACHINE; else NULL */

    /* Every kind: the allocator reports a contract error of its caller. `where` is the pointer concerned, or NULL. */
    void (*report)(struct backing *b, enum alloc_report kind, const void *where);
};

#define SBRK_FAILED ((void *)-1)

/* ---- The contract: what the model may demand of the allocator ---------------------------------------------------- */

/* What malloc(0) gives (A4). */
enum zero_size {
    ZERO_SIZE_EITHER, /* NULL or a unique pointer, as the C standard leaves it; the observed one is followed */
    ZERO_SIZE_UNIQUE,
    ZERO_SIZE_NULL,
};

/* What realloc(p, 0) does (A18); the standards disagree, so it is asked only where declared. */
enum realloc_zero {
    REALLOC_ZERO_UNDECLARED,
    REALLOC_ZERO_FREES,  /* frees p and returns NULL */
    REALLOC_ZERO_UNIQUE, /* a new zero-size block */
    REALLOC_ZERO_FAILS,  /* returns NULL, p is still live */
};

/* Promises beyond the C standard. Each is a rule that the model enforces only where the bit is set. */
enum alloc_promise {
    PROMISE_ALIGN_SMALL = 1 << 0,   /* A2 in C11's words: align_min also for sizes below it (else C23's rule) */
    PROMISE_ERRNO = 1 << 1,         /* A6, A16, A19: a refusal sets errno to ENOMEM (POSIX) */
    PROMISE_FREE_ERRNO = 1 << 2,    /* A12: free leaves errno alone (POSIX.1-2024) */
    PROMISE_ALIGN_CHECKED = 1 << 3, /* A25: aligned_alloc refuses an alignment that is no power of two (C17) */
    PROMISE_MERGES = 1 << 4,        /* A24, C24, C27, C40: free neighbours are one block before a request is refused */
    PROMISE_EXPLAINED = 1 << 5,     /* C31: refuses only what fits no gap; the bytes below are exact. On the host:
                                         no arena of its own limits it */
    PROMISE_REUSES = 1 << 6,        /* C38: asks its backing for more only when no free block fits */
    PROMISE_STEADY = 1 << 7,        /* C39: a repeated cycle needs no more memory than its second round */
    PROMISE_CONST_FREE = 1 << 8,    /* A24: free takes constant time, however many blocks are free */
    PROMISE_DETERMINISTIC = 1 << 9, /* C37, C41: same calls, same offsets, whatever the addresses and the contents */
    PROMISE_DETECTS_BAD_FREE = 1 << 10, /* A11, C43: a bad free is reported and changes nothing (illegal mode) */
    PROMISE_DETECTS_SIZE = 1 << 11,     /* A21, A22: a wrong size given to free_sized is reported and changes nothing */
    PROMISE_SPLITS = 1 << 12,           /* A23: a remainder that can hold a header and block_min bytes stays free */
    PROMISE_TRUSTS_ZERO = 1 << 13,      /* not a duty but a need: fresh memory must read as zero for this allocator */
    PROMISE_FRAMES = 1 << 14,           /* A30-A34: blocks live until their frame is popped, newer below older */
    PROMISE_DETECTS_WRITES = 1 << 15,   /* A13: a write to freed memory is reported at the latest by check() */
    PROMISE_DRAINS = 1 << 16,           /* C24: when everything is freed, the heap decides as a fresh one would */
    PROMISE_PHYSICAL = 1 << 17,         /* C2: a block's bytes lie in consecutive frames (on a machine) */
    PROMISE_FORGETS = 1 << 18,          /* not a duty but a fact, for `assay explore`: of a free block as walk() shows
                                         it, no byte behind the first header_bytes + block_min_bytes is ever looked at */
};

struct alloc_contract {
    enum backing_kind backing; /* what init expects */
    size_t align_min;          /* bytes, power of two: every block is aligned to it (below that size: see A2) */
    size_t align_max;          /* bytes, power of two: aligned requests up to here are served while memory lasts */
    enum zero_size zero_size;
    enum realloc_zero realloc_zero;
    unsigned promises;        /* enum alloc_promise, or-ed */
    size_t header_bytes;      /* C31: of records before each payload */
    size_t block_min_bytes;   /* C31, A23: the smallest payload that is ever set aside */
    size_t overhead_bytes;    /* C31: of records at the two ends of the memory lent, and of aligning them */
    size_t waste_max_bytes;   /* C28: usable size exceeds the request by no more than this; 0: nothing is promised */
    size_t size_min_bytes;    /* init may refuse a backing smaller than this */
    size_t size_max_bytes;    /* no larger backing is lent, as where init has to touch all of it; 0: any size */
    size_t request_max_bytes; /* C31: larger requests are refused by design, as by a pool; 0: no such bound */
};

/* ---- What an allocator shows of its inside (optional) ------------------------------------------------------------ */

enum block_state { BLOCK_FREE, BLOCK_USED, BLOCK_META };

struct alloc_block {
    const void *base;       /* first byte, header included */
    size_t size;            /* bytes, header included */
    const void *payload;    /* what malloc returned, for BLOCK_USED; else NULL */
    enum block_state state; /* BLOCK_META: records of the allocator's that belong to no block */
};

/* Called once for each block; returns false to end the walk early. */
typedef bool alloc_visit(void *context, const struct alloc_block *block);

struct alloc_stats {
    size_t footprint_bytes; /* taken from the backing and not given back */
    size_t free_bytes;      /* payload bytes that the free blocks could hold */
    size_t free_blocks;
    size_t used_blocks;
};

/* ---- Mapping flags of the mapping group (A43-A48) ----------------------------------------------------------------- */

enum map_flags {
    MAPPING_SHARED = 1 << 0, /* exactly one of SHARED and PRIVATE is required */
    MAPPING_PRIVATE = 1 << 1,
    MAPPING_ANONYMOUS = 1 << 2, /* else of file number `file` */
    MAPPING_FIXED = 1 << 3,     /* at exactly `address`, replacing what is there */
    MAPPING_NOREPLACE = 1 << 4, /* with FIXED: EEXIST if anything is there */
};

#define MAPPING_FAILED ((void *)-1)

struct kernel_ops;

/* ---- The vtable --------------------------------------------------------------------------------------------------- */

struct alloc_ops {
    unsigned abi;        /* ALLOC_ABI */
    const char *name;    /* lower case, unique among the built-in ones */
    const char *summary; /* one line: algorithm, and what it is like */
    struct alloc_contract contract;
    size_t state_size; /* bytes that the caller provides as `heap`, zeroed before init */

    /* Mandatory. init: 0, or an errno value if and only if the backing cannot hold a heap (ENOMEM) or is of another
     * kind than contract.backing (EINVAL). The backing outlives the heap. fini: gives back what the allocator took
     * from the host; the backing itself is taken back whole, so most have nothing to do. */
    int (*init)(void *heap, struct backing *backing);
    void (*fini)(void *heap);

    /* malloc is mandatory; free too, unless PROMISE_FRAMES is given. Arguments, results and errors of this group are
     * those of the C standard and POSIX (A1-A29); what is implementation-defined there is settled by `contract`. */
    void *(*malloc)(void *heap, size_t size);
    void (*free)(void *heap, void *p);
    void *(*calloc)(void *heap, size_t count, size_t size);
    void *(*realloc)(void *heap, void *p, size_t size);
    void *(*reallocarray)(void *heap, void *p, size_t count, size_t size);
    void *(*aligned_alloc)(void *heap, size_t align, size_t size);
    int (*posix_memalign)(void *heap, void **out, size_t align, size_t size); /* returns the error, leaves *out alone */
    void *(*memalign)(void *heap, size_t align, size_t size);
    size_t (*usable_size)(void *heap, const void *p);
    void (*free_sized)(void *heap, void *p, size_t size);
    void (*free_aligned_sized)(void *heap, void *p, size_t align, size_t size);

    /* Frames, as alloca has them (A30-A34): malloc takes from the newest frame; pop releases all its blocks. Pushing
     * and popping are balanced; the frame that init opens is never popped. */
    void (*frame_push)(void *heap);
    void (*frame_pop)(void *heap);

    /* The break as an interface of its own (A35-A39); errors as in struct backing. */
    void *(*sbrk)(void *heap, ptrdiff_t delta_bytes);
    int (*brk)(void *heap, void *end);

    /* Mappings (A43-A49). mmap: MAPPING_FAILED with errno EINVAL, EEXIST or ENOMEM; munmap: 0, or -1 with errno. */
    void *(*mmap)(void *heap, void *address, size_t length, unsigned flags, unsigned file, size_t offset);
    int (*munmap)(void *heap, void *address, size_t length);

    /* Inspection. reset: back to the state after init, cheaply; 0 or errno. On BACKING_MACHINE the machine has been made
     * fresh before it, as before init: same frames and addresses, perhaps with other dirt and scatter. check: NULL, or the name of the broken
     * invariant. walk: every block in address order, metadata that belongs to no block included (C9, C21, C26).
     * None of them changes anything (C36). */
    int (*reset)(void *heap);
    const char *(*check)(void *heap);
    void (*walk)(void *heap, alloc_visit *visit, void *context);
    void (*stats)(void *heap, struct alloc_stats *out);

    /* Kernel families, on BACKING_MACHINE: pages, caches, kmalloc, vmalloc, pools (kernel.h). */
    const struct kernel_ops *kernel;
};

/* What a shared library exports under this name to bring its vtable along. The record lives as long as the library. */
typedef const struct alloc_ops *assay_allocator_fn(void);

#endif
