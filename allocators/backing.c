/* backing.c: regions, breaks, and the address space behind every kind of backing but a machine; backing.h is the manual.
 *
 * One span of address space for each number of pages, made at its first use and kept: a guard page, the pages, a guard
 * page. Small spans therefore cost no system call between programs, and a region of odd size ends against its guard to
 * the byte. Beyond SMALL_PAGES one large span is kept and made anew when the size changes; it is emptied with madvise.
 */
#include "backing_internal.h"
#include "host_maps.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SMALL_PAGES 64u                   /* up to here a span is kept for each number of pages */
#define DIRT_BYTES_MAX ((size_t)16 << 20) /* larger heaps start as zeros whatever the dirt asked for */
/* Where to look for address space: at the same places in every run, whatever addresses the host has randomised. What an
 * alignment finds in a heap depends on its address, and reports must not. */
#define LOW_FIRST ((uintptr_t)0x20000000)   /* below 4 GiB, */
#define LOW_STEP ((uintptr_t)0x01010000)    /* in steps that are no power of two, */
#define LOW_END ((uintptr_t)0xf0000000)     /* up to here */
#define HIGH_FIRST UINT64_C(0x200000000000) /* above, */
#define HIGH_STEP (UINT64_C(1) << 30)       /* so that alignments up to this see all heaps alike, */
#define HIGH_END UINT64_C(0x300000000000)   /* up to here */

struct span {
    unsigned char *start; /* first accessible page; NULL: none yet */
    size_t bytes;         /* of whole pages between the guards */
    bool fenced;          /* some of them are inaccessible at the moment */
};

enum { SPACE_HIGH, SPACE_LOW, SPACE_KINDS };

struct space {
    struct span small[SMALL_PAGES + 1];
    struct span large, window;
};

struct spaces {
    struct space here[SPACE_KINDS], elsewhere[SPACE_KINDS];
};

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

/* Address space of `bytes` with no access, below 4 GiB if asked and possible. */
static unsigned char *reserve(size_t bytes, bool low)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    if (sizeof(void *) == 4) low = true; /* there is nothing else */
    uint64_t first = low ? LOW_FIRST : HIGH_FIRST, step = low ? LOW_STEP : HIGH_STEP, end = low ? LOW_END : HIGH_END;
    for (uint64_t at = first; bytes < end - first && at < end - bytes; at += step) {
        void *place = (void *)(uintptr_t)at, *p = mmap(place, bytes, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
        if (p == place) return p;
        if (p != MAP_FAILED) munmap(p, bytes); /* an old kernel ignores the flag */
        else if (errno != EEXIST) break;       /* the host has no such addresses */
    }
    void *p = mmap(NULL, bytes, PROT_NONE, flags, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

#define START_ALIGN ((size_t)1 << 16)

/* The same, with the page behind the first one on a multiple of START_ALIGN: what an allocator sees of an address modulo
 * an alignment up to that size is the same in every span (C37 compares heaps at two places). */
static unsigned char *reserve_aligned(size_t bytes, bool low)
{
    size_t page = page_bytes(), whole = bytes + START_ALIGN;
    unsigned char *p = whole > bytes ? reserve(whole, low) : NULL;
    if (!p) return NULL;
    size_t lead = (size_t)(-((uintptr_t)p + page) & (START_ALIGN - 1)), tail = START_ALIGN - lead;
    if (lead) munmap(p, lead);
    if (tail) munmap(p + lead + bytes, tail);
    return p + lead;
}

static void span_drop(struct span *s)
{
    if (s->start) munmap(s->start - page_bytes(), s->bytes + 2 * page_bytes());
    *s = (struct span){0};
}

static int span_make(struct span *s, size_t bytes, bool low, int access)
{
    size_t page = page_bytes();
    if (s->start && s->bytes == bytes) return 0;
    span_drop(s);
    if (bytes > SIZE_MAX - 2 * page) return ENOMEM;
    unsigned char *p = reserve_aligned(bytes + 2 * page, low);
    if (!p) return ENOMEM;
    *s = (struct span){.start = p + page, .bytes = bytes};
    if (access != PROT_NONE && mprotect(s->start, bytes, access)) {
        span_drop(s);
        return ENOMEM;
    }
    return 0;
}

static struct span *span_for(struct lender *l, size_t bytes)
{
    struct spaces *all = l->spaces;
    bool low = l->geometry.low;
    struct space *space = &(l->geometry.elsewhere ? all->elsewhere : all->here)[low ? SPACE_LOW : SPACE_HIGH];
    bool window = l->geometry.kind == BACKING_PAGES;
    size_t pages = bytes / page_bytes();
    struct span *s = window ? &space->window : pages <= SMALL_PAGES ? &space->small[pages] : &space->large;
    size_t before = s->bytes;
    bool made = span_make(s, bytes, low, window ? PROT_NONE : PROT_READ | PROT_WRITE) == 0;
    l->kept_bytes += s->bytes - before;
    return made ? s : NULL;
}

/* ---- Dirt --------------------------------------------------------------------------------------------------------- */

static void soil(const struct lender *l, unsigned char *p, size_t bytes)
{
    static const unsigned char plain[] = {[DIRT_ZERO] = 0, [DIRT_A5] = 0xA5, [DIRT_FF] = 0xFF};
    if (bytes > DIRT_BYTES_MAX && (uintptr_t)p % l->face.page_bytes == 0) { /* whole pages: no need to touch them */
        size_t whole = bytes / l->face.page_bytes * l->face.page_bytes;
        madvise(p, whole, MADV_DONTNEED);
        p += whole;
        bytes -= whole;
    }
    if (l->geometry.dirt != DIRT_RANDOM) {
        memset(p, plain[l->geometry.dirt], bytes);
        return;
    }
    /* No word waits for the one before it. */
    uint64_t state = (l->geometry.seed + UINT64_C(1)) * UINT64_C(0x9E3779B97F4A7C15), word = state ^ state >> 32;
    for (; bytes >= sizeof word; p += sizeof word, bytes -= sizeof word) {
        memcpy(p, &(uint64_t){htole64(word)}, sizeof word);
        state += UINT64_C(0xD1342543DE82EF95);
        word = state ^ state >> 32;
    }
    memcpy(p, &(uint64_t){htole64(word)}, bytes);
}

/* ---- The break ---------------------------------------------------------------------------------------------------- */

bool lender_refuses(struct lender *l)
{
    bool refuses = false;
    l->requests++;
    for (unsigned i = 0; i < LENDER_FAULTS; i++) refuses |= l->fail_at[i] == l->requests;
    if (refuses) {
        l->refused++;
        l->refused_last = l->requests;
    }
    return refuses;
}

static unsigned char *page_end(const struct lender *l, unsigned char *p)
{
    size_t mask = l->face.page_bytes - 1;
    return p + (-(uintptr_t)p & mask);
}

/* Moves the break to `to`, which is within the limits. Pages wholly above it are given back: they read as fresh when the
 * break grows again, while the rest of a page that is kept holds what it held (A39). */
static int break_move(struct lender *l, unsigned char *to)
{
    unsigned char *limit = l->face.base + l->face.size, *from = l->brk;
    unsigned char *old_end = page_end(l, from), *new_end = page_end(l, to);
    if (new_end < old_end) soil(l, new_end, (size_t)((old_end < limit ? old_end : limit) - new_end));
    if (l->geometry.fence_pages && new_end != old_end) {
        int access = new_end > old_end ? PROT_READ | PROT_WRITE : PROT_NONE;
        unsigned char *at = new_end > old_end ? old_end : new_end;
        if (mprotect(at, (size_t)(new_end > old_end ? new_end - old_end : old_end - new_end), access)) return -1;
    }
    l->brk = to;
    if (to > l->high) l->high = to;
    return 0;
}

static void *sbrk_by(struct lender *l, ptrdiff_t delta, bool refuse)
{
    unsigned char *old = l->brk, *limit = l->face.base + l->face.size;
    bool fits =
        delta >= 0 ? delta <= limit - old : old - l->face.base >= -(delta + 1) && old - l->face.base + delta >= 0;
    if (delta == 0) return old;
    if (refuse || !fits || break_move(l, old + delta)) {
        errno = ENOMEM;
        return SBRK_FAILED;
    }
    return old;
}

static void *face_sbrk(struct backing *b, ptrdiff_t delta)
{
    struct lender *l = (struct lender *)b;
    return sbrk_by(l, delta, delta != 0 && lender_refuses(l));
}

static int face_brk(struct backing *b, void *end)
{
    struct lender *l = (struct lender *)b;
    unsigned char *to = end;
    bool refuse = to != l->brk && lender_refuses(l);
    bool fits = (uintptr_t)to >= (uintptr_t)b->base && (uintptr_t)to - (uintptr_t)b->base <= b->size;
    if (!refuse && fits && !break_move(l, to)) return 0;
    errno = ENOMEM;
    return -1;
}

void *lender_foreign_sbrk(struct lender *l, ptrdiff_t delta) { return sbrk_by(l, delta, false); }

static void face_report(struct backing *b, enum alloc_report kind, const void *where)
{
    struct lender *l = (struct lender *)b;
    l->reports++;
    l->report = kind;
    l->report_where = where;
}

/* ---- The machine -------------------------------------------------------------------------------------------------- */

static uint32_t host_reclaim(void *host, uint32_t gfp, uint32_t pages, bool direct, bool *io, bool *fs)
{
    const struct machine_host *s = ((struct lender *)host)->surroundings;
    return s && s->reclaim ? s->reclaim(s->host, gfp, pages, direct, io, fs) : 0;
}

static uint32_t host_out_of_memory(void *host, uint32_t gfp)
{
    const struct machine_host *s = ((struct lender *)host)->surroundings;
    return s && s->out_of_memory ? s->out_of_memory(s->host, gfp) : 0;
}

static bool host_refuses(void *host) { return lender_refuses(host); }

/* What the limit refuses explains a refusal as well as what fails on demand. */
static bool maps_refused(void *context, bool full)
{
    struct lender *l = context;
    if (lender_refuses(l)) return true;
    l->refused += full;
    return full;
}

static void host_report(void *host, enum alloc_report kind, const void *where)
{
    struct lender *l = host;
    face_report(&l->face, kind, where);
}

static int lend_machine(struct lender *l)
{
    static const unsigned char plain[] = {[DIRT_A5] = 0xA5, [DIRT_FF] = 0xFF, [DIRT_RANDOM] = 0};
    const struct lender_geometry *g = &l->geometry;
    const struct machine_host host = {l, host_reclaim, host_out_of_memory, host_report, host_refuses};
    const struct machine_geometry geometry = {.config = g->machine,
                                              .scatter = g->scatter,
                                              .dirt = plain[g->dirt],
                                              .random_dirt = g->dirt == DIRT_RANDOM,
                                              .seed = g->seed,
                                              .elsewhere = g->elsewhere};
    int error = machine_fresh(&l->machine, &geometry, &host);
    if (error) return error;
    l->face.kind = BACKING_MACHINE;
    l->face.machine = &l->machine;
    l->face.base = l->machine.direct;
    l->face.size = l->machine.lowmem_frames * l->machine.page_bytes;
    l->face.page_bytes = l->machine.page_bytes;
    return 0;
}

/* ---- Life --------------------------------------------------------------------------------------------------------- */

void lender_init(struct lender *l)
{
    *l = (struct lender){.face = {.kind = BACKING_HOST, .page_bytes = page_bytes(), .report = face_report}};
    for (unsigned i = 0; i < LENDER_FILES; i++) l->file_fds[i] = -1;
    machine_init(&l->machine);
}

/* ---- What lies around a region ------------------------------------------------------------------------------------ */

#define MARGIN 64u /* bytes looked at on either side of it, where no guard page begins at once */
#define MARGIN_BYTE 0xC7

struct margins {
    unsigned char *below, *above;
    size_t below_bytes, above_bytes;
};

static struct margins margins_of(const struct lender *l)
{
    const struct backing *f = &l->face;
    if (f->kind != BACKING_REGION) return (struct margins){0};
    struct margins m = {.above = f->base + f->size};
    const size_t below = (uintptr_t)f->base % f->page_bytes;
    const size_t above = (size_t)(page_end(l, m.above) - m.above);
    m.above_bytes = above < MARGIN ? above : MARGIN;
    m.below_bytes = below < MARGIN ? below : MARGIN;
    m.below = f->base - m.below_bytes;
    return m;
}

const void *lender_strayed(const struct lender *l)
{
    const struct margins m = margins_of(l);
    for (size_t i = 0; i < m.below_bytes; i++)
        if (m.below[i] != MARGIN_BYTE) return m.below + i;
    for (size_t i = 0; i < m.above_bytes; i++)
        if (m.above[i] != MARGIN_BYTE) return m.above + i;
    return NULL;
}

/* Readies the bytes of a region or break in span s and places it against the upper guard, or close to it. */
static int lend_bytes(struct lender *l, struct span *s)
{
    struct backing *f = &l->face;
    if (s->fenced && mprotect(s->start, s->bytes, PROT_READ | PROT_WRITE)) return ENOMEM;
    s->fenced = false;
    f->base = s->start + s->bytes - f->size;
    /* A region may end anywhere too; then a stray far behind it goes unseen, so only every second one does. */
    if (f->kind == BACKING_REGION && l->geometry.seed % 2) f->base -= (s->bytes - f->size) / 2;
    bool large = s->bytes / f->page_bytes > SMALL_PAGES;
    if (s->bytes > DIRT_BYTES_MAX || (large && l->geometry.dirt == DIRT_ZERO))
        madvise(s->start, s->bytes, MADV_DONTNEED); /* reads as zeros again, without touching a page */
    else soil(l, f->base, f->size);
    if (f->kind == BACKING_REGION) {
        const struct margins m = margins_of(l);
        memset(m.below, MARGIN_BYTE, m.below_bytes);
        memset(m.above, MARGIN_BYTE, m.above_bytes);
        return 0;
    }
    l->brk = l->high = f->base;
    f->sbrk = face_sbrk;
    f->brk = face_brk;
    if (!l->geometry.fence_pages) return 0;
    unsigned char *open_end = page_end(l, f->base);
    size_t closed = (size_t)(s->start + s->bytes - open_end);
    s->fenced = true;
    return closed && mprotect(open_end, closed, PROT_NONE) ? ENOMEM : 0; /* qemu refuses to protect nothing */
}

int lender_fresh(struct lender *l, const struct lender_geometry *geometry)
{
    struct backing *f = &l->face;
    if (f->kind == BACKING_PAGES) lender_pages_forget(l);
    if (!l->spaces) {
        void *p = mmap(NULL, sizeof(struct spaces), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) return ENOMEM;
        l->spaces = p;
    }
    size_t page = page_bytes();
    l->geometry = *geometry;
    *f = (struct backing){.kind = BACKING_HOST, .page_bytes = page, .report = face_report};
    l->requests = l->refused = l->refused_last = l->mapped_bytes = 0;
    lender_spare(l);
    l->reports = 0;
    l->brk = l->high = NULL;
    if (geometry->kind == BACKING_HOST) {
        host_maps_judge(maps_refused, l);
        return 0;
    }
    if (geometry->kind == BACKING_MACHINE) return lend_machine(l);
    if (geometry->size == 0 || geometry->size > PTRDIFF_MAX - 4 * page) return ENOMEM;
    size_t whole = ((size_t)geometry->size + page - 1) / page * page;
    struct span *s = span_for(l, whole);
    if (!s) return ENOMEM;
    f->kind = geometry->kind;
    f->size = geometry->kind == BACKING_PAGES ? whole : (size_t)geometry->size;
    f->base = s->start;
    return geometry->kind == BACKING_PAGES ? lender_pages_fresh(l) : lend_bytes(l, s);
}

static void space_drop(struct space *s)
{
    for (unsigned i = 0; i <= SMALL_PAGES; i++) span_drop(&s->small[i]);
    span_drop(&s->large);
    span_drop(&s->window);
}

void lender_close(struct lender *l)
{
    struct spaces *all = l->spaces;
    lender_pages_close(l);
    if (l->face.kind == BACKING_HOST) host_maps_judge(NULL, NULL);
    for (unsigned i = 0; all && i < SPACE_KINDS; i++) {
        space_drop(&all->here[i]);
        space_drop(&all->elsewhere[i]);
    }
    if (all) munmap(all, sizeof *all);
    machine_close(&l->machine);
    lender_init(l);
}

uint64_t lender_footprint(const struct lender *l)
{
    if (l->face.kind == BACKING_BREAK) return (uint64_t)(l->brk - l->face.base);
    if (l->face.kind == BACKING_MACHINE) return (uint64_t)machine_taken(&l->machine) * l->face.page_bytes;
    if (l->face.kind == BACKING_HOST) return host_maps_bytes();
    return l->face.kind == BACKING_PAGES ? l->mapped_bytes : 0;
}
