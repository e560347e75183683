/* machine.c: power, frames and events of the simulated machine; machine.h is the manual.
 *
 * A frame's contents are made when it is first taken after machine_fresh: each frame remembers the number of the fresh
 * machine that it was last taken on. So a fresh machine costs what is mapped on the old one, and not its size.
 */
#include "machine_internal.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* E15, E16. The windows of S64 and SMAP hold twice the frames of the machine. */
const struct machine_config_facts machine_configs[MACHINE_CONFIGS] = {
    [MACHINE_S64] = {.zones = {{0, 1024}, {1024, 8192}, {8192, 16384}},
                     .max_order = 10,
                     .window_pages = 32768,
                     .pkmap_slots = 64},
    [MACHINE_S4] = {.zones = {{0, 0}, {0, 64}, {64, 64}},
                    .max_order = 4,
                    .no_watermarks = true,
                    .window_pages = 96,
                    .pkmap_slots = 8},
    [MACHINE_SODD] = {.zones = {{0, 1000}, {1000, 5003}, {5003, 16384}},
                      .max_order = 10,
                      .window_pages = 2048,
                      .pkmap_slots = 64},
    [MACHINE_SMAP] = {.zones = {{0, 1024}, {1024, 4096}, {4096, 32768}},
                      .max_order = 10,
                      .window_pages = 65536,
                      .pkmap_slots = 64},
    [MACHINE_TINY] = {.zones = {{0, 0}, {0, 16}, {16, 16}},
                      .max_order = 4,
                      .no_watermarks = true,
                      .window_pages = 24,
                      .pkmap_slots = 8},
};

const char *const machine_config_names[MACHINE_CONFIGS] = {[MACHINE_S64] = "s64",
                                                           [MACHINE_S4] = "s4",
                                                           [MACHINE_SODD] = "sodd",
                                                           [MACHINE_SMAP] = "smap",
                                                           [MACHINE_TINY] = "tiny"};

const char *const machine_zone_names[ZONES] = {
    [ZONE_DMA] = "dma", [ZONE_NORMAL] = "normal", [ZONE_HIGHMEM] = "highmem"};

const char *const machine_event_names[EVENT_KINDS] = {
    [EVENT_MIGHT_SLEEP] = "might_sleep",
    [EVENT_SLEPT] = "slept",
    [EVENT_WAKE_KSWAPD] = "wake_kswapd",
    [EVENT_RESERVE] = "reserve",
    [EVENT_WARN] = "warn",
    [EVENT_SPLIT] = "split",
    [EVENT_MERGE] = "merge",
    [EVENT_DEFERRED] = "deferred",
    [EVENT_TAKE] = "take",
    [EVENT_GIVE] = "give",
    [EVENT_DIRECT_RECLAIM] = "direct_reclaim",
    [EVENT_IO] = "io",
    [EVENT_FS] = "fs",
    [EVENT_OOM] = "oom",
    [EVENT_PT_ALLOC] = "pt_alloc",
    [EVENT_MAP] = "map",
    [EVENT_UNMAP] = "unmap",
    [EVENT_FLUSH] = "flush",
    [EVENT_INJECTED] = "injected",
};

/* ---- Power --------------------------------------------------------------------------------------------------------- */

static void *inside_memory(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void inside_release(void *p, size_t bytes)
{
    if (p) munmap(p, bytes);
}

static void inside_close(struct machine_inside *in)
{
    machine_memory_close(in);
    inside_release(in->frame_epochs, FRAMES_MAX * sizeof *in->frame_epochs);
    inside_release(in->entries, WINDOW_PAGES_MAX * sizeof *in->entries);
    inside_release(in->events, MACHINE_EVENTS_MAX * sizeof *in->events);
    inside_release(in, sizeof *in);
}

static struct machine_inside *inside_open(void)
{
    struct machine_inside *in = inside_memory(sizeof *in);
    if (!in) return NULL;
    in->fd = -1;
    in->frame_epochs = inside_memory(FRAMES_MAX * sizeof *in->frame_epochs);
    in->entries = inside_memory(WINDOW_PAGES_MAX * sizeof *in->entries);
    in->events = inside_memory(MACHINE_EVENTS_MAX * sizeof *in->events);
    if (in->frame_epochs && in->entries && in->events && !machine_memory_open(in)) return in;
    inside_close(in);
    return NULL;
}

void machine_init(struct machine *m) { *m = (struct machine){0}; }

void machine_close(struct machine *m)
{
    if (m->inside) inside_close(m->inside);
    machine_init(m);
}

static void set_facts(struct machine *m, const struct machine_config_facts *facts)
{
    memcpy(m->zones, facts->zones, sizeof m->zones);
    m->frames = m->zones[ZONE_HIGHMEM].end;
    m->lowmem_frames = m->zones[ZONE_HIGHMEM].start;
    m->max_order = facts->max_order;
    m->no_watermarks = facts->no_watermarks;
    m->pkmap_slots = facts->pkmap_slots;
    m->table_entries = TABLE_ENTRIES;
    m->inside->window_pages = facts->window_pages;
}

/* So that no frame seems to have been taken on the machine that begins now. */
static void next_epoch(struct machine_inside *in)
{
    if (++in->epoch) return;
    memset(in->frame_epochs, 0, FRAMES_MAX * sizeof *in->frame_epochs);
    in->epoch = 1;
}

int machine_fresh(struct machine *m, const struct machine_geometry *geometry, const struct machine_host *host)
{
    if (!m->inside && !(m->inside = inside_open())) return ENOMEM;
    struct machine_inside *in = m->inside;
    m->oracle = in->oracle;
    bool same = in->on && in->geometry.config == geometry->config && in->geometry.elsewhere == geometry->elsewhere;
    if (in->on) machine_unmap_all(m);
    in->on = false;
    in->geometry = *geometry;
    in->host = host ? *host : (struct machine_host){0};
    if (!same) {
        set_facts(m, &machine_configs[geometry->config]);
        if (machine_place(m)) return ENOMEM;
    }
    m->scatter = geometry->scatter;
    m->context = (struct machine_context){0};
    m->kswapd_awake = m->blocked = false;
    next_epoch(in);
    machine_disarm_all(m);
    machine_events_clear(m);
    in->taken = in->soiled = 0;
    in->on = true;
    return 0;
}

/* ---- Frames -------------------------------------------------------------------------------------------------------- */

typedef uint64_t lanes __attribute__((vector_size(2 * sizeof(uint64_t)))); /* gcc needs to be told */

#define SOILED_WHOLE 128u /* frames; of further ones only the ends */
#define SOILED_RUN 64u    /* so many taken at once are a run, of which some are filled */
#define SOILED_EDGE 256u
#define RUN_ENDS 4u /* at each end of a run, and between them some at equal distances: */
#define RUN_PARTS 8u

static void soil(struct machine_inside *in, uint32_t pfn, unsigned char *frame, size_t bytes)
{
    const struct machine_geometry *g = &in->geometry;
    if (!g->random_dirt) {
        memset(frame, g->dirt, bytes);
        return;
    }
    const uint64_t step = UINT64_C(0xD1342543DE82EF95);
    uint64_t start = (g->seed + UINT64_C(1)) * UINT64_C(0x9E3779B97F4A7C15) ^ (pfn + UINT64_C(1)) << 40;
    lanes word = {start, start + step};
    for (size_t i = 0; i < bytes; i += sizeof word, word += 2 * step) {
        lanes mixed = word ^ word >> 29 ^ word << 17;
        if (BYTE_ORDER != LITTLE_ENDIAN) mixed = (lanes){htole64(mixed[0]), htole64(mixed[1])}; /* as everywhere */
        memcpy(frame + i, &mixed, sizeof mixed);
    }
}

/* Equal neighbours that change sides one after the other, in either direction, under one mask, are one event. */
static void change_sides(struct machine *m, enum machine_event_kind kind, uint32_t pfn, uint32_t count, uint32_t gfp)
{
    struct machine_inside *in = m->inside;
    if (!count) return;
    if (in->event_count && in->event_count <= MACHINE_EVENTS_MAX) {
        struct machine_event *last = &in->events[in->event_count - 1];
        bool behind = last->a + last->b == pfn, before = pfn + count == last->a;
        if (last->kind == kind && last->gfp == gfp && last->each == count && (behind || before)) {
            if (before) last->a = pfn;
            last->b += count;
            return;
        }
    }
    machine_event(m, kind, pfn, count, gfp);
}

/* The next frame after number i of a run that is filled. */
static uint32_t next_filled(uint32_t i, uint32_t count)
{
    if (count < SOILED_RUN || i + 1 < RUN_ENDS || i + 1 + RUN_ENDS >= count) return i + 1;
    uint32_t part = count / RUN_PARTS, next = (i / part + 1) * part;
    return next + RUN_ENDS < count ? next : count - RUN_ENDS;
}

void machine_take(struct machine *m, uint32_t pfn, uint32_t count, uint32_t gfp)
{
    struct machine_inside *in = m->inside;
    for (uint32_t i = 0; i < count && pfn + i < m->frames; i = next_filled(i, count)) {
        if (in->frame_epochs[pfn + i] == in->epoch) continue;
        in->frame_epochs[pfn + i] = in->epoch;
        unsigned char *frame = machine_oracle(m, pfn + i);
        bool whole = count < SOILED_RUN && in->soiled < SOILED_WHOLE;
        in->frames_soiled++;
        in->soiled++;
        soil(in, pfn + i, frame, whole ? m->page_bytes : SOILED_EDGE);
        if (!whole) soil(in, pfn + i, frame + m->page_bytes - SOILED_EDGE, SOILED_EDGE);
    }
    in->taken += count;
    change_sides(m, EVENT_TAKE, pfn, count, gfp);
}

void machine_give(struct machine *m, uint32_t pfn, uint32_t count)
{
    m->inside->taken -= count;
    change_sides(m, EVENT_GIVE, pfn, count, 0);
}

uint32_t machine_taken(const struct machine *m) { return m->inside->taken; }
uint32_t *machine_taken_count(struct machine *m) { return &m->inside->taken; }

/* ---- Events -------------------------------------------------------------------------------------------------------- */

void machine_event(struct machine *m, enum machine_event_kind kind, uint32_t a, uint32_t b, uint32_t gfp)
{
    struct machine_inside *in = m->inside;
    if (kind == EVENT_WAKE_KSWAPD) m->kswapd_awake = true;
    in->events_of[kind]++;
    bool frames = kind == EVENT_TAKE || kind == EVENT_GIVE;
    if (in->event_count < MACHINE_EVENTS_MAX)
        in->events[in->event_count] =
            (struct machine_event){.kind = (uint8_t)kind, .each = frames ? (uint16_t)b : 0, .a = a, .b = b, .gfp = gfp};
    if (in->event_count <= MACHINE_EVENTS_MAX) in->event_count++; /* one more than there are: some were lost */
}

const struct machine_event *machine_events(const struct machine *m, uint32_t *count)
{
    *count = machine_events_lost(m) ? MACHINE_EVENTS_MAX : m->inside->event_count;
    return m->inside->events;
}

uint32_t machine_event_count(const struct machine *m, enum machine_event_kind kind)
{
    return m->inside->events_of[kind];
}

bool machine_events_lost(const struct machine *m) { return m->inside->event_count > MACHINE_EVENTS_MAX; }

void machine_events_clear(struct machine *m)
{
    struct machine_inside *in = m->inside;
    if (!in->event_count) return;
    in->event_count = 0;
    memset(in->events_of, 0, sizeof in->events_of);
}

/* ---- What the harness does for the machine ---------------------------------------------------------------------------- */

uint32_t machine_reclaim(struct machine *m, uint32_t gfp, uint32_t pages, bool direct)
{
    const struct machine_host *h = &m->inside->host;
    bool io = false, fs = false;
    uint32_t released = h->reclaim ? h->reclaim(h->host, gfp, pages, direct, &io, &fs) : 0;
    if (direct) machine_event(m, EVENT_DIRECT_RECLAIM, released, 0, gfp);
    if (io) machine_event(m, EVENT_IO, 0, 0, gfp);
    if (fs) machine_event(m, EVENT_FS, 0, 0, gfp);
    return released;
}

uint32_t machine_out_of_memory(struct machine *m, uint32_t gfp)
{
    const struct machine_host *h = &m->inside->host;
    uint32_t released = h->out_of_memory ? h->out_of_memory(h->host, gfp) : 0;
    machine_event(m, EVENT_OOM, released, 0, gfp);
    return released;
}

void machine_block(struct machine *m) { m->blocked = true; }

void machine_report(struct machine *m, enum alloc_report kind, const void *where)
{
    const struct machine_host *h = &m->inside->host;
    if (h->report) h->report(h->host, kind, where);
}
