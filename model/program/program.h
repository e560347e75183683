/* program.h: what is asked of an allocator, as data.
 *
 * A program is a heap geometry and a bounded list of operations on numbered slots. It says nothing about results: it
 * can be run on any allocator, and every program is legal (an operation on a slot that cannot take it is skipped).
 * Three ways in, one way out of each:
 *   bytes  -> program   program_decode: total, every byte string is a program (decode.c; docs/PROGRAMS.md)
 *   text   -> program   program_parse: line and column of the first error (text.c)
 *   program -> bytes, text   program_encode, program_print: exact, decode(encode(p)) = p = parse(print(p)).
 *
 * No function here allocates memory; all of them are bounded by the sizes below.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRAM_OPS_MAX 1024u    /* operations in one program */
#define PROGRAM_SLOTS 8192u      /* slots are numbered 0 .. PROGRAM_SLOTS-1 */
#define PROGRAM_STEPS_MAX 65536u /* single calls that one run of a program makes at most, runs and repeats unrolled */
#define PROGRAM_HEAP_MAX (UINT64_C(1) << 36)
#define PROGRAM_BYTES_MAX (32u + 32u * PROGRAM_OPS_MAX) /* the longest byte form that program_encode writes */

/* ---- Sizes ------------------------------------------------------------------------------------------------------ */

/* A size is said in relation to what it is meant to probe, so that a program keeps its meaning on another allocator,
 * another heap and a 32-bit machine. Value of (kind, v), modulo the width of size_t: */
enum size_kind {
    SIZE_LITERAL, /* v                                                     text: 24           */
    SIZE_TOP,     /* SIZE_MAX - v                                          text: MAX-3        */
    SIZE_HALF,    /* PTRDIFF_MAX + v, v signed                             text: HALF+1       */
    SIZE_HEAP,    /* size of the memory lent + v, v signed                 text: heap-16      */
    SIZE_USABLE,  /* usable size last seen in slot `ref` (0 if none) + v   text: usable(p3)+1 */
    SIZE_SEEN,    /* the largest request granted so far in this run + v    text: seen-8       */
    SIZE_KINDS
};

/* ---- Operations -------------------------------------------------------------------------------------------------- */

enum op_kind {
    /* the malloc family; `slot` receives or names the block. On a slot that is live already, an allocation is skipped;
     * on a slot that is not, free, free_sized, usable_size and write are skipped and realloc is realloc(NULL, a). */
    OP_MALLOC, /* a bytes */
    OP_FREE,
    OP_REALLOC,        /* to a bytes */
    OP_CALLOC,         /* a elements of b bytes */
    OP_ALIGNED_ALLOC,  /* a bytes aligned to b */
    OP_POSIX_MEMALIGN, /* a bytes aligned to b */
    OP_MEMALIGN,       /* a bytes aligned to b */
    OP_REALLOCARRAY,   /* to a elements of b bytes */
    OP_USABLE_SIZE,
    OP_FREE_SIZED,         /* with the size requested */
    OP_FREE_ALIGNED_SIZED, /* with the size and alignment requested; only for blocks of aligned_alloc */
    OP_WRITE,              /* the owner writes new contents over the whole block */
    OP_FREE_NULL,          /* free(NULL) */
    OP_CHECK,              /* verify every live block, and check() and walk() where offered */
    OP_REPEAT,             /* the a operations before this one, b more times; repeats among them are left out */
    /* the surroundings */
    OP_FAIL, /* of the requests from now on that the allocator makes of its backing, the a-th fails (a = 1: the next), and
                the b-th, if b is not 0; each once */
    OP_FOREIGN_SBRK, /* somebody else takes a bytes from the same break (A40) */
    /* frames */
    OP_FRAME_PUSH,
    OP_FRAME_POP,
    /* the break as an interface */
    OP_SBRK, /* by a bytes, taken as signed */
    OP_BRK,  /* to base + a */
    /* mappings: slot numbers name mappings here */
    OP_MMAP,       /* a bytes; b packs flags, file, offset and address choice: see docs/PROGRAMS.md */
    OP_MUNMAP,     /* a bytes from byte offset b of the mapping in `slot` */
    OP_MAP_STORE,  /* store at byte offset a of the mapping; b selects the value */
    OP_FILE_STORE, /* the harness stores into file b at offset a, as another process would */
    /* illegal mode: contract errors; run only for allocators that promise to report them (C43) */
    OP_DOUBLE_FREE,      /* free of the block that `slot` held last */
    OP_INTERIOR_FREE,    /* free of an address a bytes inside the live block of `slot` */
    OP_FOREIGN_FREE,     /* free of an address that the allocator never returned */
    OP_WRONG_SIZE_FREE,  /* free_sized with the size requested + a, a not 0 */
    OP_WRITE_AFTER_FREE, /* store into the block that `slot` held last */

    /* The kernel group (allocators/kernel.h). Its slots are numbers of their own, apart from those of the malloc family
     * and of mappings: a slot holds a block of pages, an object, an area or a pool's element, and remembers which. An
     * operation that takes a slot is skipped on one that does not hold what it can take, unless the rules name the report
     * that such a call must give: then it is made, and must give it (C43). Caches and pools have numbers of their own,
     * 0 .. PROGRAM_CACHES-1; a call on one that does not exist is skipped. */
    OP_ALLOC_PAGES, /* 2^a frames */
    OP_GET_FREE_PAGES,
    OP_GET_ZEROED_PAGE,
    OP_ALLOC_PAGES_EXACT, /* a bytes */
    OP_ALLOC_PAGES_BULK,  /* a frames, each on its own, all in this slot */
    OP_FREE_PAGES,        /* with the call that belongs to the slot's (block, address, exact, bulk); a is added to the
                             order: if it is not 0, the order is a wrong one (B22) */
    OP_SPLIT_PAGE,        /* the slot holds 2^order single frames from now on */
    OP_GET_PAGE,          /* one reference more to the block's head */
    OP_PUT_PAGE,          /* and one less */
    OP_KMAP,              /* frame a (modulo its frames) of the slot's pages */
    OP_KUNMAP,            /* the same again */
    OP_KMAP_LOCAL,
    OP_KUNMAP_LOCAL, /* the newest of them, whatever slot it was */
    OP_DROPPABLE,    /* the slot's block belongs to a shrinker from now on: a: 0 clean, 1 needs IO, 2 needs FS,
                             3 to the victim of an out-of-memory kill (B122) */
    OP_CACHE_CREATE, /* cache a; b packs size, alignment, flags and constructor: PROGRAM_CACHE_ARGS */
    OP_CACHE_ALLOC,  /* of cache a */
    OP_CACHE_ZALLOC,
    OP_CACHE_ALLOC_BULK, /* b objects of cache a into slots slot .. slot+b-1 */
    OP_CACHE_FREE,       /* to cache a, which is the slot's own modulo a wrong one (B75) */
    OP_CACHE_FREE_BULK, /* the objects in slots slot .. slot+b-1 that are of cache a; with a = PROGRAM_CACHES: any (B77) */
    OP_CACHE_SHRINK,    /* a */
    OP_CACHE_DESTROY, /* a */
    OP_KMALLOC,       /* a bytes */
    OP_KZALLOC,
    OP_KCALLOC,       /* a elements of b bytes */
    OP_KMALLOC_ARRAY, /* a elements of b bytes */
    OP_KREALLOC,      /* to a bytes; an empty slot gives NULL, as for realloc */
    OP_KREALLOC_ARRAY,
    OP_KFREE,
    OP_KFREE_SENSITIVE,
    OP_VMALLOC, /* a bytes */
    OP_VZALLOC,
    OP_VMALLOC_USER,
    OP_VMALLOC_GFP, /* a bytes aligned to b (0: to a page) */
    OP_VREALLOC,    /* to a bytes, b as there */
    OP_VFREE,
    OP_VFREE_ATOMIC,
    OP_VMAP,   /* the frames of slot `ref`, b: 0 in order, 1 in reverse, 2 the first again and again, 3 every second; a
                  pages (0: all). 4: all of them, in order, and they go over to the area (VMAP_PUT_PAGES) */
    OP_VUNMAP, /* what OP_VMAP made */
    OP_REMAP,  /* b pages from page a of the area */
    OP_KVMALLOC,
    OP_KVCALLOC, /* a elements of b bytes */
    OP_KVREALLOC,
    OP_KVFREE,       /* a: 1 for kvfree_sensitive */
    OP_POOL_CREATE,  /* pool a; b packs kind, minimum and size: PROGRAM_POOL_ARGS */
    OP_POOL_ALLOC,   /* of pool a */
    OP_POOL_FREE,    /* to the slot's pool */
    OP_POOL_RESIZE,  /* pool a to b elements */
    OP_POOL_DESTROY, /* pool a */
    /* what surrounds a kernel allocator */
    OP_CONTEXT,      /* a: enum program_context, from now on */
    OP_SCOPE,        /* enters scope a: 0 noio, 1 nofs, 2 noreclaim, 3 pin; they nest */
    OP_SCOPE_END,    /* leaves the newest one */
    OP_INJECT,       /* fault a (enum machine_fault): its b-th attempt from now fails */
    OP_RUN_DEFERRED, /* the work that was put off */
    OP_PURGE,        /* vm_unmap_aliases */
    OP_KSWAPD,       /* one step, if it is awake */
    OP_MISUSE,       /* a: enum program_misuse, of the slot: a contract error that the operations above cannot say */
    OP_SCRIBBLE,     /* the owner writes outside: a: 0 behind the object, 1 before it, 2 into it after it was freed */
    OP_KINDS
};

#define OP_KERNEL_FIRST OP_ALLOC_PAGES

#define PROGRAM_CACHES 16u    /* caches, and pools */
#define PROGRAM_ORDERS 32u    /* orders, and what is added to one, are below it */
#define PROGRAM_BULK_MAX 512u /* frames or objects in one bulk call */

/* b of OP_CACHE_CREATE: size in bits 0-31 (bytes), alignment in bits 32-47 (bytes, 0: none), enum cache_flags in 48-55,
 * constructor in bit 63. b of OP_POOL_CREATE: kind in bits 0-1 (enum pool_kind; 3 is as 0), minimum in bits 8-23, size
 * in bits 32-63 (bytes, order, or number of the cache). */
#define PROGRAM_CACHE_ARGS(size, align, flags, constructor)                                              \
    ((uint64_t)(uint32_t)(size) | (uint64_t)(uint16_t)(align) << 32 | ((uint64_t)(flags)&0x1ffu) << 48 | \
     (uint64_t)((constructor) != 0) << 63)
#define PROGRAM_POOL_ARGS(kind, min, size) \
    ((uint64_t)((kind)&3u) | (uint64_t)(uint16_t)(min) << 8 | (uint64_t)(uint32_t)(size) << 32)

#define PROGRAM_CACHE_SIZE(b) ((uint32_t)(b))
#define PROGRAM_CACHE_ALIGN(b) ((uint16_t)((b) >> 32))
#define PROGRAM_CACHE_FLAGS(b) ((unsigned)((b) >> 48) & 0x1ffu)
#define PROGRAM_CACHE_CONSTRUCTOR(b) ((b) >> 63 != 0)
#define PROGRAM_POOL_KIND(b) ((unsigned)(b)&3u)
#define PROGRAM_POOL_MIN(b) ((uint16_t)((b) >> 8))
#define PROGRAM_POOL_SIZE(b) ((uint32_t)((b) >> 32))

/* Where a call is made (B46, B48). */
enum program_context {
    CONTEXT_TASK,
    CONTEXT_SPINLOCK,
    CONTEXT_IRQS_OFF,
    CONTEXT_BH_OFF,
    CONTEXT_SOFTIRQ,
    CONTEXT_HARDIRQ,
    CONTEXT_NMI,
    CONTEXT_KINDS
};

/* Contract errors (B22, B75, B101, B120). The wrong family's free is no misuse of its own: OP_KFREE on an area is one. */
enum program_misuse {
    MISUSE_DOUBLE_FREE, /* the free that the slot's block was freed with, again */
    MISUSE_INTERIOR,    /* its own free, of an address inside it (of a tail frame, for pages) */
    MISUSE_NEVER,       /* its own free, of memory that nobody was ever given */
    MISUSE_KINDS
};

/* One line of a program: `count` calls, call i on slot + i*stride (modulo PROGRAM_SLOTS) with the size a + i*step. */
struct op {
    uint8_t kind;   /* enum op_kind */
    uint8_t a_kind; /* enum size_kind */
    uint16_t slot;
    uint16_t ref;   /* the slot that SIZE_USABLE asks, for a and b alike */
    uint16_t count; /* 1 .. PROGRAM_SLOTS */
    int16_t stride;
    uint8_t b_kind;   /* enum size_kind */
    uint8_t reserved; /* 0 */
    union {
        int32_t step;
        uint32_t gfp; /* kernel group: enum gfp_bits; its runs repeat the same size */
    };
    uint64_t a;
    uint64_t b;
};
_Static_assert(sizeof(struct op) == 32, "struct op is the unit of the literal byte form");

/* By how much a grows from call to call of a run. */
static inline int32_t op_step(const struct op *op) { return op->kind < OP_KERNEL_FIRST ? op->step : 0; }

/* ---- Geometry ---------------------------------------------------------------------------------------------------- */

enum heap_dirty { DIRTY_ZERO, DIRTY_A5, DIRTY_FF, DIRTY_RANDOM, DIRTY_KINDS };
enum heap_place { PLACE_HIGH, PLACE_LOW, PLACE_KINDS }; /* above or below 4 GiB (32-bit: no difference) */
enum heap_fence {
    FENCE_ENDS,  /* inaccessible pages before and behind the memory lent */
    FENCE_PAGES, /* the pages above a break are inaccessible too, at every moment (A35); slower */
    FENCE_KINDS
};

/* Rules about the whole life of a heap need more than one run of a program; which, is part of the program. */
enum heap_course {
    COURSE_PLAIN,     /* run, verify, free everything */
    COURSE_DRAIN,     /* ... then run again on the same heap: what was granted is granted again (C24) */
    COURSE_STEADY,    /* ... several times: the footprint stays that of the second round (C39) */
    COURSE_REFILL,    /* fill to exhaustion, free one, ask for the same again (C25) */
    COURSE_MONOTONE,  /* on a fresh heap, whatever is smaller than what was granted is granted (C30) */
    COURSE_TWIN,      /* again elsewhere, with other dirt and other contents: same offsets (C37, C41) */
    COURSE_PERMUTE,   /* free in another order: the same end state (C40) */
    COURSE_FREE_COST, /* instructions of a free among few and among many free blocks (A24) */
    COURSE_RECOVER, /* on a heap to which nothing fails, then on one with what the program makes fail, and once more on
                         that one, with nothing failing: nothing was lost (C24, C25, C31) */
    COURSE_KINDS
};

struct heap_geometry {
    uint64_t size; /* bytes lent, 1 .. PROGRAM_HEAP_MAX; of no particular multiple */
    uint32_t seed; /* of contents and of random dirt */
    /* Numbers of the requests to the backing that fail, counted from the first one that the heap makes when it is made
     * afresh; 0: none. The second is 0 if the first is, and not the same. */
    uint32_t fail, fail_also;
    uint8_t dirty;  /* enum heap_dirty */
    uint8_t place;  /* enum heap_place */
    uint8_t fence;  /* enum heap_fence */
    uint8_t course; /* enum heap_course */
    /* of a machine */
    uint8_t machine; /* enum machine_config; `size`, `place` and `fence` are not looked at */
    uint8_t scatter; /* 1: frames of an area are not neighbours; else 0 */
};

struct program {
    struct heap_geometry heap;
    uint32_t op_count;
    struct op ops[PROGRAM_OPS_MAX];
};

#define HEAP_SIZE_DEFAULT 8192u

/* An empty program on the simplest heap. */
void program_clear(struct program *p);

/* Bounds every field, so that any content of *p becomes a valid program; valid programs stay as they are. */
void program_normalise(struct program *p);
bool program_equal(const struct program *a, const struct program *b);

/* ---- Bytes ------------------------------------------------------------------------------------------------------- */

/* Total: any `length` bytes are a program (docs/PROGRAMS.md has both layouts). Bytes that begin with PROGRAM_MAGIC are
 * the literal form, which can say every program; all others are the swarm form, made for engines. */
#define PROGRAM_MAGIC "asy1"
void program_decode(struct program *p, const void *bytes, size_t length);
/* Writes the literal form, at most PROGRAM_BYTES_MAX bytes; returns its length. */
size_t program_encode(const struct program *p, unsigned char *bytes);

/* The swarm form's head, for engines that fill bytes with random ones: which families of operations a target offers is
 * written over byte 0, so that no program is wasted. */
enum swarm_family { SWARM_HEAP, SWARM_FRAMES, SWARM_BREAK, SWARM_MAPPINGS, SWARM_FAMILIES };
#define SWARM_ILLEGAL 0x80u /* bit of byte 0: contract errors among the operations */
#define SWARM_HEAD_BYTES 16u
#define SWARM_OP_BYTES 4u

/* Swarm bytes for the kernel group begin with this; SWARM_ILLEGAL may be set in the first of them. The head's byte 4 says
 * what a target offers, and the lower half of byte 6 picks one of swarm_machines. */
#define SWARM_KERNEL "asyk"
enum swarm_group {
    SWARM_PAGES = 1 << 0,
    SWARM_CACHES = 1 << 1,
    SWARM_KMALLOC = 1 << 2,
    SWARM_VMALLOC = 1 << 3,
    SWARM_POOLS = 1 << 4,
    SWARM_GROUPS = (1 << 5) - 1,
    SWARM_KFREE_CACHED = 1 << 6, /* kfree of a cache's object is legal */
};
extern const uint8_t swarm_machines[16]; /* enum machine_config */
/* Whether bytes are of this form. */
bool swarm_is_kernel(const void *bytes, size_t length);

/* ---- Text -------------------------------------------------------------------------------------------------------- */

struct parse_error {
    size_t line, column; /* from 1 */
    char message[120];   /* what was expected; no full stop, no newline */
};

/* Reads the text form. True, or false with *error filled if and only if the text is no program; *p is then unspecified. */
bool program_parse(struct program *p, const char *text, size_t length, struct parse_error *error);
/* Writes one operation, or the heap line, without newline; as snprintf, returns the length it would need. */
size_t program_print_op(const struct op *op, char *out, size_t size);
size_t program_print_heap(const struct heap_geometry *heap, char *out, size_t size);
/* Writes a gfp mask by name, "KERNEL|ZERO": the largest named mask within it, then what is left; "0" if nothing is set. */
size_t program_print_gfp(uint32_t gfp, char *out, size_t size);
/* The whole text, newline-terminated lines and a final '\0'; as snprintf. */
size_t program_print(const struct program *p, char *out, size_t size);
/* "malloc", "free_sized", …: the word of the text form and the name of the operation in reports. */
const char *op_name(enum op_kind kind);

#endif
