/* exec_kernel.h: what the files of the kernel group share (exec_kernel.c, exec_pages.c, exec_caches.c, exec_kmalloc.c,
 * exec_vmalloc.c, exec_pools.c).
 *
 * Every call goes the same way:
 *
 *     kernel_begin   verify the blocks concerned, enter the context, say what report the call must give (X rules)
 *     the call       in the family's file, the only place that calls the allocator
 *     kernel_end     judge reports and events, follow TAKE and GIVE in the frame map: taken frames are in flight
 *     the family     judges the result, claims the frames in flight that belong to it (kernel_claim), enters the block
 *     kernel_settle  what is still in flight is the allocator's own (slabs, page tables, arrays)
 *
 * The model learns of frames from events, never from the allocator's records, and proves what it learned through the
 * oracle view: a frame is where the model thinks if and only if bytes written through the block's address show up there
 * (O7). zone_info and its like are held against the model at OP_CHECK, after refusals and at the end (C20, C32).
 */
#ifndef EXEC_KERNEL_H
#define EXEC_KERNEL_H

#include "exec_internal.h"
#include "frame_map.h"
#include "kernel.h"
#include "ruling.h"

/* What a slot of the kernel group holds: where it came from, which decides how it is freed. */
enum kernel_origin {
    ORIGIN_NONE,
    ORIGIN_PAGES,   /* alloc_pages: handle is the struct page * */
    ORIGIN_ADDRESS, /* get_free_pages, get_zeroed_page: handle is the address */
    ORIGIN_EXACT,
    ORIGIN_BULK,   /* many single frames, pfns in the list; also what split_page leaves */
    ORIGIN_OBJECT, /* of cache `owner` */
    ORIGIN_KMALLOC,
    ORIGIN_ZERO_SIZE, /* ZERO_SIZE_PTR */
    ORIGIN_VMALLOC,
    ORIGIN_VMAP,
    ORIGIN_ELEMENT, /* of pool `owner` */
    ORIGINS
};

enum kernel_life { LIFE_NONE, LIFE_LIVE, LIFE_DEFERRED, LIFE_DEAD }; /* dead: remembered for misuse */

struct kernel_block {
    uint8_t origin, life;
    uint8_t order;                         /* of ORIGIN_PAGES, ORIGIN_ADDRESS */
    uint8_t owner;                         /* number of the cache or pool */
    uint8_t droppable;                     /* 0: no; else 1 + OP_DROPPABLE's a */
    bool compound, usermap, always_zeroed; /* B27, B91, B60 */
    uint16_t references;                   /* beyond the first (B23) */
    uint16_t source;                       /* ORIGIN_VMAP: slot whose frames it shows */
    uint32_t gfp;                          /* effective, of the request */
    void *handle;                          /* what the call returned */
    unsigned char *va;                     /* first byte, NULL if it has no address of its own (highmem) */
    uint32_t pfn;                          /* its first frame; further ones follow, unless `list` says otherwise */
    uint32_t frames;                       /* owned or shown; 0 where frames are shared with others (objects) */
    uint32_t list;       /* scattered: index in kernel_model.pfns of `frames` entries; else LIST_NONE */
    uint32_t generation; /* of the contents */
    uint64_t request, usable;
};

#define LIST_NONE UINT32_MAX

struct cache_model; /* cache_model.h: caches by number, kmalloc's classes, what lies in which slab */
struct area_model;  /* area_model.h: the vmalloc window */
struct pool_model;  /* pool_model.h */

#define KERNEL_SCOPES_MAX 16u

struct kernel_model {
    struct machine *machine;
    const struct kernel_ops *ops;
    struct frame_map frames;
    struct kernel_block blocks[PROGRAM_SLOTS];
    uint32_t slot_end; /* no slot from here on was used in this run */
    uint32_t *pfns;    /* lists of scattered frames, from the front; compacted when full */
    uint32_t pfns_used;
    struct cache_model *caches;
    struct area_model *areas;
    struct pool_model *pools;
    enum program_context context;
    uint8_t scopes[KERNEL_SCOPES_MAX];
    unsigned scope_depth;
    unsigned scope; /* enum machine_scope, or-ed, in force */
    uint32_t sweep; /* slot that the rotating sweep looks at next */
};

/* Rows of the context table (B48). */
enum kernel_act {
    ACT_ALLOC,        /* may sleep if and only if the gfp mask may */
    ACT_FREE,         /* never sleeps */
    ACT_BULK,         /* as ACT_ALLOC, and neither with irqs off nor in hardirq */
    ACT_CACHE,        /* create, destroy, shrink: sleeps */
    ACT_MAP,          /* vmalloc, vmap, vunmap, vrealloc: sleeps, BUG in interrupt */
    ACT_VFREE,        /* sleeps in task context, deferred in interrupt */
    ACT_VFREE_ATOMIC, /* always deferred */
    ACT_KMAP,         /* sleeps */
    ACT_KMAP_LOCAL,
    ACT_QUERY, /* reads only: legal everywhere, changes nothing (C36) */
};

/* One call. The first part is filled before kernel_begin, the second by it, the third by kernel_end. */
struct kernel_call {
    const struct op *op;
    unsigned slot;
    enum kernel_act act;
    unsigned gfp;     /* as given; 0 for calls without */
    uint64_t request; /* bytes or frames, for the words of a verdict */

    unsigned effective;     /* gfp after the scopes (B45) */
    enum alloc_report must; /* the report that the call must give; REPORT_KINDS: none. A family may set it itself
                                    after kernel_begin, before the call (wrong family's free and the like) */
    enum rule must_rule;    /* under which its absence is found */
    bool illegal;           /* must != REPORT_KINDS after all of that: nothing may change */
    bool deferred;          /* B48's `d` */

    bool reported;                /* it did, rightly: the family returns true and enters nothing */
    bool blocked;                 /* machine_block was called */
    unsigned injected;            /* 1 << enum machine_fault, or-ed */
    uint32_t taken;               /* frames now in flight */
    bool must_succeed, must_fail; /* pages: B28 on the state before, for a request of `order` under `effective` */
};

/* False if and only if a rule was broken (x->verdict says which). */
bool kernel_begin(struct exec *x, struct kernel_call *c);
bool kernel_end(struct exec *x, struct kernel_call *c);

/* The block takes `count` frames from pfn on that must be in flight (C16, C25): owner becomes the slot. */
bool kernel_claim(struct exec *x, struct kernel_call *c, uint32_t pfn, uint32_t count);
/* All that is still in flight becomes the allocator's own, of this kind; FRAME_FREE: there must be nothing left, else
 * frames are lost (C25). */
bool kernel_settle(struct exec *x, struct kernel_call *c, enum frame_owner kind);

/* Enters a block whose fields from `origin` to `usable` are filled; judges containment and class (C8, B118), aliasing of
 * address and frames (C18, O7), and writes its contents. Frames were claimed before. `zeroed`: must read as zero (C12). */
bool kernel_enter(struct exec *x, struct kernel_call *c, const struct kernel_block *block, bool zeroed);
/* Before a free: contents verified. After it: the block is dead, its frames must be FREE, or have become the allocator's. */
bool kernel_verify(struct exec *x, unsigned slot, enum rule rule);
void kernel_forget(struct exec *x, unsigned slot, enum kernel_life life);
/* The i-th frame of a block, and its address through the oracle view. */
uint32_t kernel_frame(const struct exec *x, const struct kernel_block *b, uint32_t i);
/* Writes new contents over the whole request, or verifies it up to `bytes` (realloc's prefix). */
void kernel_write(struct exec *x, unsigned slot);
bool kernel_verify_prefix(struct exec *x, const struct kernel_block *b, uint64_t bytes, enum rule rule);

/* A list of `count` frames; LIST_NONE if and only if there is no room for it. */
uint32_t kernel_list(struct exec *x, uint32_t count);

/* B28 as the model sees it, for 2^order frames under this effective mask, on the state now. */
bool kernel_must_succeed(const struct exec *x, unsigned effective, unsigned order);
bool kernel_must_fail(const struct exec *x, unsigned effective, unsigned order);

/* The families' steps. */
exec_step exec_step_kernel, exec_step_pages, exec_step_caches, exec_step_kmalloc, exec_step_vmalloc, exec_step_pools;

/* Freeing a slot's block in the ordinary way, whatever it is (reclaim, the end of a program); false as an exec_step. */
bool kernel_release(struct exec *x, unsigned slot);
bool pages_release(struct exec *x, unsigned slot);
bool object_release(struct exec *x, unsigned slot);
bool kmalloc_release(struct exec *x, unsigned slot);
bool area_release(struct exec *x, unsigned slot);
bool element_release(struct exec *x, unsigned slot);

/* A heap has been made afresh; a program ends: everything is released, deferred work run, caches shrunk, areas purged, and
 * the state must be the initial one (C24, B30); and between programs the memory of the models is given back. */
bool kernel_fresh(struct exec *x);
bool kernel_finish(struct exec *x);
void kernel_close(struct exec *x);
/* OP_CHECK and what is asked after a refusal: the allocator's own counts against the model's (C20, C23, B30, B83, B99). */
bool kernel_inspect(struct exec *x);
bool caches_fresh(struct exec *x), caches_finish(struct exec *x), caches_inspect(struct exec *x);
bool areas_fresh(struct exec *x), areas_finish(struct exec *x), areas_inspect(struct exec *x);
bool pools_fresh(struct exec *x), pools_finish(struct exec *x), pools_inspect(struct exec *x);
void caches_close(struct exec *x), areas_close(struct exec *x), pools_close(struct exec *x);

#endif
