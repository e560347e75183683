/* decode_kernel.h: what the files of the kernel family's decoder share (docs/PROGRAMS.md has the layout of its bytes).
 *
 * The decoder keeps a ledger of what each slot holds, of caches and pools, of context and scopes, as if every request
 * were granted, and without SWARM_ILLEGAL asks only for what is legal by it. That stays legal where requests fail, and
 * where a repeat makes calls again, by two means: a slot number belongs to one kind of block for the whole program, so a
 * call that is skipped leaves nothing of a wrong kind behind; and a repeat does not reach back over a call whose second
 * time would be another matter (`barrier`).
 */
#ifndef DECODE_KERNEL_H
#define DECODE_KERNEL_H

#include "decode_live.h"
#include "kernel.h"

/* What a slot can hold: one number for each free function and, for objects and elements, for each cache and pool. */
enum holding {
    HOLDS_BLOCK,   /* of alloc_pages */
    HOLDS_ADDRESS, /* of get_free_pages */
    HOLDS_EXACT,
    HOLDS_BULK,
    HOLDS_KMALLOC,
    HOLDS_AREA,
    HOLDS_ALIAS,  /* of vmap */
    HOLDS_EITHER, /* of kvmalloc */
    HOLDS_OBJECT,
    HOLDS_ELEMENT = HOLDS_OBJECT + PROGRAM_CACHES,
    HOLDINGS = HOLDS_ELEMENT + PROGRAM_CACHES
};

enum held_flags {
    HELD_COMPOUND = 1 << 0,
    HELD_SPLIT = 1 << 1,
    HELD_FREED = 1 << 2, /* but references to its head are left */
};

struct held {
    uint8_t holds; /* enum holding, for ever */
    uint8_t order;
    uint8_t flags;
    uint8_t pins;    /* mappings of its frames: it is not freed while there are any */
    uint8_t refs;    /* beyond the first */
    uint8_t kmaps;   /* those of the pins that are kmaps, all of the same frame */
    uint8_t frame;   /* which */
    bool high;       /* the request asked for highmem */
    bool user;       /* HOLDS_AREA: of vmalloc_user */
    uint16_t source; /* HOLDS_ALIAS: whose frames */
    uint16_t pages;  /* HOLDS_AREA: its length when it was made */
    uint16_t next;   /* free slots of its kind */
};

struct cache_ledger {
    bool exists, constructor;
    uint8_t flags;
    uint8_t pools; /* that take from it */
    uint16_t live;
    uint32_t size;
};

struct pool_ledger {
    bool exists;
    uint8_t cache; /* PROGRAM_CACHES: none */
    uint16_t live;
};

enum kernel_switch {
    SWITCH_CONTEXTS = 1 << 8,
    SWITCH_FAULTS = 1 << 9,
    SWITCH_RECLAIM = 1 << 10,
    SWITCH_SCOPES = 1 << 11
};

#define SCOPES_MAX 4u
#define LOCALS_MAX 8u

struct kernel_swarm {
    struct program *p;
    const unsigned char *head;
    uint8_t table[64]; /* operation kinds, as often as they weigh */
    unsigned on;       /* enum swarm_group, and enum kernel_switch */
    bool illegal;
    uint8_t context; /* enum program_context */
    uint8_t scopes, locals;
    uint16_t local[LOCALS_MAX]; /* slots of kmap_local, the newest last */
    uint32_t barrier;           /* repeats leave out the operations before this one */
    uint64_t memory;            /* bytes of the machine */
    uint32_t calls_left;        /* that runs and repeats may come to: a fourth of them at once */
    struct op spill;            /* takes what the program has no room for */
    struct cache_ledger caches[PROGRAM_CACHES];
    struct pool_ledger pools[PROGRAM_CACHES];
    uint16_t spare[HOLDINGS]; /* newest free slot of each kind */
    uint16_t last_freed;      /* by an ordinary free; NO_SLOT */
    struct live_set live;
    struct held held[PROGRAM_SLOTS];
};

/* ---- decode_kernel.c: operations and the ledger ------------------------------------------------------------------------ */

struct op *kernel_append(struct kernel_swarm *s, enum op_kind kind, unsigned slot);

/* A slot for a new block, recycled from its kind or fresh; NO_SLOT if there is none. */
uint16_t kernel_slot(struct kernel_swarm *s, enum holding holds);
/* `count` new blocks of about `bytes` each, in one operation: a run in fresh slots, or a single one. NULL: no slot. */
struct op *kernel_allocate(struct kernel_swarm *s, enum op_kind kind, enum holding holds, unsigned count,
                           uint32_t bytes);
void kernel_died(struct kernel_swarm *s, uint16_t slot);
/* Nothing else holds what the slot holds. */
static inline bool kernel_is_plain(const struct held *h) { return !h->flags && !h->pins && !h->refs; }
/* Frees the slot as it must be, in the context that allows it; or does what must come before. */
void kernel_free(struct kernel_swarm *s, uint16_t slot, unsigned variant);
/* ... and up to `count` of its kind in a row; `variant` picks direction and distance. */
void kernel_free_run(struct kernel_swarm *s, uint16_t slot, unsigned count, unsigned variant);
void kernel_put(struct kernel_swarm *s, uint16_t slot);
void kernel_kunmap(struct kernel_swarm *s, uint16_t slot);
void kernel_kunmap_local(struct kernel_swarm *s); /* the newest, if any */
/* A live slot for which `fits` holds, near the one that `choice` names; NO_SLOT. */
uint16_t kernel_find(const struct kernel_swarm *s, unsigned choice, bool (*fits)(const struct held *));

/* Repeats do not reach back over the operations so far. */
void kernel_barrier(struct kernel_swarm *s);
/* Makes the context one of `allowed` (bits 1 << enum program_context): a task's if it is not. */
void kernel_need(struct kernel_swarm *s, unsigned allowed);
void kernel_context(struct kernel_swarm *s, enum program_context context);
#define IN(context) (1u << CONTEXT_##context)
#define IN_TASK IN(TASK)
#define IN_ANY (IN(TASK) | IN(SPINLOCK) | IN(IRQS_OFF) | IN(BH_OFF) | IN(SOFTIRQ) | IN(HARDIRQ)) /* all but NMI */
#define IN_VFREE (IN(TASK) | IN(BH_OFF) | IN(SOFTIRQ) | IN(HARDIRQ))
#define IN_BULK (IN(TASK) | IN(SPINLOCK) | IN(BH_OFF) | IN(SOFTIRQ))

/* ---- decode_blocks.c, decode_pressure.c ---------------------------------------------------------------------------------- */

#define KERNEL_PAGE 4096u

struct op *kernel_block(struct kernel_swarm *s, enum op_kind kind, unsigned count, unsigned order, uint32_t gfp);
void kernel_page_op(struct kernel_swarm *s, enum op_kind kind, unsigned count, const unsigned char *b);
void kernel_kmalloc_op(struct kernel_swarm *s, enum op_kind kind, unsigned count, const unsigned char *b);
void kernel_vmalloc_op(struct kernel_swarm *s, enum op_kind kind, unsigned count, const unsigned char *b);

/* The operations before the first record. */
void kernel_press(struct kernel_swarm *s);

/* ---- decode_gfp.c: masks, orders and sizes ------------------------------------------------------------------------------ */

/* For whom a mask is: what each takes without complaint. */
enum gfp_use {
    GFP_FOR_PAGES,
    GFP_FOR_EXACT,
    GFP_FOR_KMALLOC,
    GFP_FOR_CACHE,
    GFP_FOR_POOL,
    GFP_FOR_AREA,
    GFP_FOR_EITHER
};

/* A mask from the head's palette; it may sleep only if the context may, and never fails only if `small`. */
uint32_t kernel_gfp(const struct kernel_swarm *s, enum gfp_use use, unsigned x, bool small);
unsigned kernel_order(const struct kernel_swarm *s, unsigned x);
struct size kernel_size(const struct kernel_swarm *s, unsigned x, unsigned y);   /* of kmalloc */
struct size kernel_area(const struct kernel_swarm *s, unsigned x, unsigned y);   /* of vmalloc */
struct size kernel_either(const struct kernel_swarm *s, unsigned x, unsigned y); /* of kvmalloc */
/* About how many bytes a request takes; 0 if it cannot be granted. */
uint32_t kernel_guess(const struct kernel_swarm *s, struct size n);
static inline bool kernel_small(struct size n) { return n.kind == SIZE_LITERAL && n.v <= 32768; }

/* ---- decode_caches.c ------------------------------------------------------------------------------------------------------- */

void kernel_cache_op(struct kernel_swarm *s, enum op_kind kind, unsigned count, const unsigned char *b);
void kernel_create_cache(struct kernel_swarm *s, unsigned cache, uint64_t args);
void kernel_pool_op(struct kernel_swarm *s, enum op_kind kind, unsigned count, const unsigned char *b);

/* ---- decode_misuse.c --------------------------------------------------------------------------------------------------------- */

/* One contract error; the ledger stays as it is but for what the error destroys. */
void kernel_misuse(struct kernel_swarm *s, const unsigned char *b);

#endif
