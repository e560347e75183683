/* machine_internal.h: the inside of the machine, shared by machine.c (power, frames, events), machine_map.c (address
 * space, page tables) and machine_faults.c.
 *
 * One memfd and one oracle view serve every configuration, as a frame means nothing before it is taken; only the
 * reservation that the addresses come from is kept for each (configuration, place), so that programs may alternate
 * between configurations without mapping anything anew. What is not touched of these arrays costs no memory.
 */
#ifndef MACHINE_INTERNAL_H
#define MACHINE_INTERNAL_H

#include "machine.h"

#define FRAMES_MAX 32768u
#define WINDOW_PAGES_MAX 65536u
#define TABLE_ENTRIES 512u
#define TABLES_MAX (WINDOW_PAGES_MAX / TABLE_ENTRIES)
#define PKMAP_SLOTS_MAX 64u
#define PLACES 2u /* here and elsewhere */

struct machine_config_facts {
    struct machine_zone zones[ZONES];
    unsigned max_order;
    bool no_watermarks;
    uint32_t window_pages;
    unsigned pkmap_slots;
};

/* Address space of one configuration: an inaccessible page, the direct map, and all that machine.h draws behind it. */
struct reservation {
    unsigned char *start; /* NULL: none */
    size_t bytes;
};

/* The leaf page table of TABLE_ENTRIES pages of the window. */
struct leaf_table {
    uint32_t pfn;         /* plus 1; 0: not there */
    uint16_t first, last; /* entries [first, last) were set since power-on; empty if none was */
    uint16_t used;        /* entries set now */
};

struct fault {
    struct machine_injection how;
    uint32_t attempts;      /* that applied */
    uint32_t since_granted; /* of them, those after space_bytes were used up */
    uint32_t space_left;
    int32_t times_left;
    uint64_t dice;
};

struct machine_inside {
    struct machine_geometry geometry;
    struct machine_host host;
    bool on; /* machine_fresh has succeeded: `geometry` is that of the machine now */

    int fd;                /* of the frames */
    unsigned char *oracle; /* all FRAMES_MAX of them */
    struct reservation reservations[MACHINE_CONFIGS][PLACES];
    size_t window_pages;

    uint32_t epoch;         /* counts calls of machine_fresh */
    uint32_t *frame_epochs; /* of the last fresh machine that a frame was taken on */
    uint32_t taken;         /* frames taken and not given back */

    uint32_t *entries; /* of the page tables: pfn + 1 for each page of the window; 0: not mapped */
    struct leaf_table tables[TABLES_MAX];
    uint16_t table_order[TABLES_MAX]; /* their numbers, as they were added */
    uint32_t table_count, mapped;
    uint32_t kmaps[PKMAP_SLOTS_MAX]; /* pfn + 1; 0: free */
    uint32_t kmap_count;

    uint32_t armed; /* bit f: faults[f] is */
    struct fault faults[FAULTS];

    struct machine_event *events;
    uint32_t event_count;
    uint32_t events_of[EVENT_KINDS];

    /* For tests and benches: what was really done since machine_init. */
    uint64_t host_calls;    /* mappings made or taken down in the window and pkmap */
    uint64_t frames_soiled; /* filled with dirt, ever */
    uint32_t soiled;        /* since machine_fresh */
};

extern const struct machine_config_facts machine_configs[MACHINE_CONFIGS];

/* machine_map.c. Each returns 0 or ENOMEM. */
int machine_memory_open(struct machine_inside *in); /* memfd and oracle view */
void machine_memory_close(struct machine_inside *in);
int machine_place(struct machine *m);      /* fills in the addresses for in->geometry, reserving what is not yet */
void machine_unmap_all(struct machine *m); /* nothing in window and pkmap, no tables */

/* machine_faults.c. */
void machine_disarm_all(struct machine *m);

#endif
