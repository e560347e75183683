/* machine.h: the simulated machine that the kernel families run on.
 *
 * Physical memory is one memfd: frame `pfn` is its bytes [pfn * page_bytes, (pfn + 1) * page_bytes). Virtual memory is one
 * reservation of this process, laid out as a 32-bit kernel lays out its quarter of the address space (SEMANTICS B9-B11):
 *
 *     direct                high memory           vmalloc_start        vmalloc_end      pkmap
 *     | lowmem frames, once | gap: faults ........ | window: faults ... | 2 pages ...... | kmap slots | guard
 *       and for ever          machine.gap_bytes      until mapped                          until mapped
 *
 * Everything is really mapped (MAP_SHARED, MAP_FIXED), so a wrong address faults and an alias shows the same bytes. A
 * second mapping of the whole memfd, the oracle view, belongs to the harness alone (O7).
 *
 * Allocators use the first part of this header, the harness the second. The machine knows no allocation: it has
 * hardware (frames, page tables, interrupts), a trace of what happened, faults by name, and calls back into the harness
 * for what the surroundings of an allocator would do (reclaim, out-of-memory). It is deterministic and takes no lock.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "alloc.h"

#define PFN_NONE UINT32_MAX
#define MACHINE_ORDERS 11u /* orders 0 .. 10 (E3); a small machine has fewer: machine.max_order */

enum machine_zone_id { ZONE_DMA, ZONE_NORMAL, ZONE_HIGHMEM, ZONES };

/* Frames [start, end); empty if they are equal. Zones lie one behind the other in the order of their numbers (B2). */
struct machine_zone {
    uint32_t start, end;
};

/* Where the processor is (B46). All false and zero: a task that may sleep. */
struct machine_context {
    bool nmi, hardirq, softirq, bh_off, irqs_off;
    uint8_t spin_depth; /* spinlocks held: preemption is off */
    unsigned scope;     /* enum machine_scope, or-ed: task flags */
    bool out_of_memory; /* the task has been chosen as a victim: B31's last reserve */
};

/* Task flags that change what a gfp mask means while they are set (B45). */
enum machine_scope {
    SCOPE_NOIO = 1 << 0,      /* memalloc_noio_save: IO and FS are cleared */
    SCOPE_NOFS = 1 << 1,      /* memalloc_nofs_save: FS is cleared */
    SCOPE_NORECLAIM = 1 << 2, /* memalloc_noreclaim_save, PF_MEMALLOC: no reclaim, no watermark */
    SCOPE_PIN = 1 << 3,       /* memalloc_pin_save: MOVABLE is cleared */
};

/* What happened during a call, in order (O3). `a` and `b` as said; 0 where nothing is. */
enum machine_event_kind {
    /* told by the allocator through machine_event */
    EVENT_MIGHT_SLEEP,
    EVENT_SLEPT,       /* the task gave up the processor */
    EVENT_WAKE_KSWAPD, /* sets machine.kswapd_awake too */
    EVENT_RESERVE,     /* a: enum machine_reserve; a request was granted below the plain minimum mark */
    EVENT_WARN,        /* a failure message in the log (B41); no report */
    EVENT_SPLIT,       /* a: pfn, b: order of the block that was halved */
    EVENT_MERGE,       /* a: pfn, b: order of the block that came of two halves */
    EVENT_DEFERRED,    /* work was put off to run_deferred */
    /* told by the allocator through machine_take and machine_give */
    EVENT_TAKE, /* a: first pfn, b: number of frames; they leave the free memory of their zone; gfp: the mask that asked */
    EVENT_GIVE, /* a: first pfn, b: number of frames; they are free again */
    /* recorded by the machine itself */
    EVENT_DIRECT_RECLAIM, /* a: frames that were released */
    EVENT_IO,             /* reclaim wrote something out */
    EVENT_FS,             /* reclaim entered a filesystem */
    EVENT_OOM,            /* a: frames that the victim released */
    EVENT_PT_ALLOC,       /* a: pfn of the new page table, b: its index */
    EVENT_MAP,            /* a: page of the window, b: number of pages */
    EVENT_UNMAP,          /* a: page of the window, b: number of pages */
    EVENT_FLUSH,          /* of the whole TLB */
    EVENT_INJECTED,       /* a: enum machine_fault */
    EVENT_KINDS
};

/* Which rights let a request below the minimum mark (B31, B33). */
enum machine_reserve { RESERVE_HIGH = 1, RESERVE_ATOMIC, RESERVE_OOM, RESERVE_ALL, RESERVE_NOFAIL };

struct machine_event {
    uint8_t kind;  /* enum machine_event_kind */
    uint16_t each; /* TAKE and GIVE: frames that changed sides at once; b is a multiple of it */
    uint32_t a, b;
    uint32_t gfp; /* enum gfp_bits of kernel.h, for EVENT_TAKE and EVENT_RESERVE */
};

/* Faults that can be injected, by name (B113-B117). */
enum machine_fault {
    FAULT_SLAB,       /* failslab: a kmalloc of at most 8 KiB, or an object of a cache */
    FAULT_PAGES,      /* fail_page_alloc */
    FAULT_VA,         /* no room in the vmalloc window */
    FAULT_TABLE,      /* no page for a page table */
    FAULT_DESCRIPTOR, /* no memory for an area's descriptor or its array of pages */
    FAULT_MAP,        /* the host refuses the mapping itself (max_map_count): machine_map fails */
    FAULT_FILTERED,   /* failslab with its cache filter on: an object of a cache that has CACHE_FAILSLAB */
    FAULTS
};

struct machine {
    /* ---- Facts, read-only between two machine_fresh ---- */
    uint32_t frames;
    unsigned page_shift;
    size_t page_bytes;
    unsigned max_order; /* largest block: 2^max_order frames */
    struct machine_zone zones[ZONES];
    uint32_t lowmem_frames; /* frames below this are in the direct map: all but those of ZONE_HIGHMEM */
    bool no_watermarks;     /* all marks and reserves are 0 (S4); else they follow B34 and B35 */
    bool scatter;           /* page-remapping allocators choose frames that are not neighbours (B88) */
    unsigned char *direct;  /* address of frame 0; aligned to 4 MiB */
    size_t gap_bytes;       /* behind the direct map, inaccessible (B10) */
    unsigned char *vmalloc_start, *vmalloc_end; /* page-aligned window (B86) */
    unsigned char *pkmap;                       /* pkmap_slots pages */
    unsigned pkmap_slots;
    unsigned table_entries; /* pages that one page table maps: 512 (E2) */

    /* ---- State ---- */
    struct machine_context context; /* set by the harness before a call */
    bool kswapd_awake;              /* set by EVENT_WAKE_KSWAPD, cleared by the harness */
    bool blocked;                   /* set by machine_block, cleared by the harness, or by who got on after all */

    unsigned char *oracle;         /* the harness's: see machine_oracle */
    struct machine_inside *inside; /* private to machine.c and its siblings */
};

/* ---- For allocators: the hardware -------------------------------------------------------------------------------- */

/* Address of a lowmem frame in the direct map; NULL for a frame of ZONE_HIGHMEM (B6, B7). */
static inline void *machine_direct(const struct machine *m, uint32_t pfn)
{
    return pfn < m->lowmem_frames ? m->direct + ((size_t)pfn << m->page_shift) : NULL;
}

/* The frame behind an address of the direct map; PFN_NONE for any other address. */
static inline uint32_t machine_direct_pfn(const struct machine *m, const void *va)
{
    size_t offset = (size_t)((uintptr_t)va - (uintptr_t)m->direct);
    return offset < (size_t)m->lowmem_frames << m->page_shift ? (uint32_t)(offset >> m->page_shift) : PFN_NONE;
}

/* is_vmalloc_addr (B11). */
static inline bool machine_in_window(const struct machine *m, const void *va)
{
    return (uintptr_t)va >= (uintptr_t)m->vmalloc_start && (uintptr_t)va < (uintptr_t)m->vmalloc_end;
}

/* The zone of a frame. */
static inline enum machine_zone_id machine_zone_of(const struct machine *m, uint32_t pfn)
{
    return pfn < m->zones[ZONE_DMA].end ? ZONE_DMA : pfn < m->zones[ZONE_NORMAL].end ? ZONE_NORMAL : ZONE_HIGHMEM;
}

/* B46: in_interrupt(), and whether the task may sleep. */
static inline bool machine_in_interrupt(const struct machine *m)
{
    const struct machine_context *c = &m->context;
    return c->nmi || c->hardirq || c->softirq || c->bh_off;
}

static inline bool machine_can_sleep(const struct machine *m)
{
    return !machine_in_interrupt(m) && !m->context.irqs_off && !m->context.spin_depth;
}

/* Puts `count` frames behind `count` pages from va on, in this order, one mapping for each run of consecutive frames.
 * The pages must lie in the window and be unmapped, and their page tables must be there. Duplicates are allowed. 0; or
 * ENOMEM if and only if FAULT_MAP is injected or the host has no room for another mapping (then nothing is mapped); or
 * EINVAL if and only if a condition above is not met. Writes stay possible until machine_unmap. */
int machine_map(struct machine *m, void *va, const uint32_t *pfns, uint32_t count);

/* Makes `count` pages from va on inaccessible at once; pages that are not mapped are no error. EINVAL outside the window. */
int machine_unmap(struct machine *m, void *va, uint32_t count);

/* The frame that the page tables show behind an address of the window or of pkmap, PFN_NONE if there is none. */
uint32_t machine_translate(const struct machine *m, const void *va);

/* Whether the leaf page table for va (in the window) is there; and adds it: `pfn` is a frame that the allocator has taken
 * for it and gives up for ever (page tables are not freed, B104). EEXIST if it is there, EINVAL outside the window. */
bool machine_has_table(const struct machine *m, const void *va);
int machine_add_table(struct machine *m, const void *va, uint32_t pfn);

/* All that was unmapped is forgotten by the processor too. Costly, so allocators put it off (B98). */
void machine_flush(struct machine *m);

/* A kmap slot: the frame is mapped at pkmap + slot * page_bytes; PFN_NONE unmaps it. Any frame, lowmem too. NULL if
 * and only if there is no such slot or frame, or the host has no room for another mapping. */
void *machine_kmap_slot(struct machine *m, unsigned slot, uint32_t pfn);

/* ---- For allocators: what they tell and ask ---------------------------------------------------------------------- */

/* Frames [pfn, pfn + count) leave or rejoin free memory. Whoever keeps free frames calls these whenever a frame changes
 * sides, before it writes to it and after it last did; gfp is the mask of the request after scopes (B45). Frames taken
 * for the first time since machine_fresh are filled with the machine's dirt now; only their first and last 256 bytes once 128
 * have been filled. Of 64 or more that are taken at once about sixteen are, at the ends and at equal distances between. */
void machine_take(struct machine *m, uint32_t pfn, uint32_t count, uint32_t gfp);
void machine_give(struct machine *m, uint32_t pfn, uint32_t count);

void machine_event(struct machine *m, enum machine_event_kind kind, uint32_t a, uint32_t b, uint32_t gfp);

/* Whether this attempt is to fail, by a fault that is armed or because the host refuses it. Asked once at each place that the kernel asks, before anything has changed; gfp and
 * bytes decide whether the fault applies (B113, B114): bytes is page_bytes << order for FAULT_PAGES. */
bool machine_fails(struct machine *m, enum machine_fault fault, uint32_t gfp, size_t bytes);

/* Reclaims about `pages` frames under this mask (already without what a scope clears): what is droppable in the system is
 * freed through the allocator's own free functions, which are entered again from here. Returns the frames released; 0
 * means no progress. `direct`: on behalf of a request (records EVENT_DIRECT_RECLAIM), else on behalf of kswapd. */
uint32_t machine_reclaim(struct machine *m, uint32_t gfp, uint32_t pages, bool direct);

/* Kills a task and frees what it had; records EVENT_OOM. Returns the frames released; 0 if there is nobody left. */
uint32_t machine_out_of_memory(struct machine *m, uint32_t gfp);

/* The caller would wait here for ever, as nobody else runs: the allocator undoes what it has begun, calls this and
 * returns NULL (B40, B110). */
void machine_block(struct machine *m);

/* A contract error of the caller (alloc.h). The call changes nothing else and returns NULL where it returns anything. */
void machine_report(struct machine *m, enum alloc_report kind, const void *where);

/* ---- For the harness ---------------------------------------------------------------------------------------------- */

/* E15, E16. S64: 64 MiB with three zones. S4: 64 frames, one zone, blocks up to order 4, no watermarks, a window of 96
 * pages. SODD: as S64, zone borders at pfn 1000 and 5003 and a window of 2048 pages. SMAP: DMA 1024, NORMAL 3072, HIGHMEM
 * 28672 frames, for large areas. TINY: 16 frames, one zone, blocks up to order 4, no watermarks, for searches that come to
 * an end. */
enum machine_config { MACHINE_S64, MACHINE_S4, MACHINE_SODD, MACHINE_SMAP, MACHINE_TINY, MACHINE_CONFIGS };

struct machine_geometry {
    enum machine_config config;
    bool scatter;
    unsigned char dirt; /* what a frame holds that is taken for the first time; with random dirt, see seed */
    bool random_dirt;   /* frames hold bytes drawn from seed and pfn */
    uint32_t seed;
    bool elsewhere; /* another reservation than a machine without this bit has (for twin runs, C37) */
};

/* What the harness does for the machine. `host` comes back as the first argument. */
struct machine_host {
    void *host;
    uint32_t (*reclaim)(void *host, uint32_t gfp, uint32_t pages, bool direct, bool *io, bool *fs);
    uint32_t (*out_of_memory)(void *host, uint32_t gfp);
    void (*report)(void *host, enum alloc_report kind, const void *where);
    /* Counts one attempt that a fault can strike, of whatever kind, and says whether it is to fail: for those who number
     * requests through, beside the faults by name. NULL: none does. */
    bool (*refuses)(void *host);
};

/* How a fault strikes (B115): the attempts that apply are counted, from 1. */
struct machine_injection {
    uint32_t nth;      /* this attempt fails, once; 0: none */
    uint32_t interval; /* every interval-th attempt fails, `times` times (-1: for ever); 0: none */
    int32_t times;
    uint8_t percent;   /* of the attempts at interval fails; 0 stands for 100 */
    uint8_t min_order; /* FAULT_PAGES: smaller orders are left alone (1 in the kernel, B114) */
    bool
        waiting_too; /* FAULT_SLAB, FAULT_FILTERED, FAULT_PAGES: also requests that may sleep (not so in the kernel unless asked) */
    bool highmem_too;     /* FAULT_PAGES: also requests for highmem */
    uint32_t space_bytes; /* bytes that are granted before the first failure at an interval; nth does not look at it */
};

/* An empty machine; takes no memory yet. */
void machine_init(struct machine *m);

/* The machine as after power-on, of this geometry: nothing mapped in window and pkmap, no page tables, no faults, no
 * events, a task's context. The cost follows what was left mapped on the last one, not the size of the machine; only the
 * first machine of a config and place is dearer, as its address space is kept from then on (where there is little of it,
 * until another config needs it). 0, or errno if and only if the host lacks memory or address space. */
int machine_fresh(struct machine *m, const struct machine_geometry *geometry, const struct machine_host *host);
void machine_close(struct machine *m);

/* The frame in the oracle view (O7): always readable and writable. */
static inline unsigned char *machine_oracle(const struct machine *m, uint32_t pfn)
{
    return m->oracle + ((size_t)pfn << m->page_shift);
}

/* Frames taken and not given back, page tables among them. And where they are counted, for who puts a heap on the machine
 * back as it was. */
uint32_t machine_taken(const struct machine *m);
uint32_t *machine_taken_count(struct machine *m);

/* The events since machine_events_clear, oldest first, and how many there were of each kind. An order of events that does
 * not fit (MACHINE_EVENTS_MAX) is cut and machine_events_lost says so; TAKEs and GIVEs of equal neighbours under one mask are one
 * event. */
#define MACHINE_EVENTS_MAX 65536u
const struct machine_event *machine_events(const struct machine *m, uint32_t *count);
uint32_t machine_event_count(const struct machine *m, enum machine_event_kind kind);
bool machine_events_lost(const struct machine *m);
void machine_events_clear(struct machine *m);

/* Arms a fault; the count of its attempts starts anew. Disarmed by machine_fresh and by an injection that has neither nth
 * nor interval. No fault strikes a request with GFP_BIT_NOFAIL (B40). Attempts are counted while the fault is armed; what
 * the injection leaves alone is no attempt. */
void machine_inject(struct machine *m, enum machine_fault fault, const struct machine_injection *injection);
uint32_t machine_attempts(const struct machine *m, enum machine_fault fault);

/* Page tables: how many there are, and the frame of table `index` (of the window's, from 0) or PFN_NONE. Monotone (B104). */
uint32_t machine_tables(const struct machine *m);
uint32_t machine_table_pfn(const struct machine *m, uint32_t index);

/* Pages of the window that are mapped now. */
uint32_t machine_mapped(const struct machine *m);

/* "s64", "take", "failslab": the words of texts and reports. */
extern const char *const machine_config_names[MACHINE_CONFIGS];
extern const char *const machine_event_names[EVENT_KINDS];
extern const char *const machine_fault_names[FAULTS];
extern const char *const machine_zone_names[ZONES];

#endif
