/* machine_map.c: address space and page tables of the simulated machine; machine.h is the manual.
 *
 * A page of the window is mapped by mmap(MAP_SHARED | MAP_FIXED) of the frame's bytes of the memfd, and is taken away by
 * laying inaccessible memory over it, which replaces any number of mappings in one call. The page tables are ours: one
 * number for each page. The host's own cost is one call for each run of consecutive frames, and nothing is asked of it
 * that is not a change.
 */
#include "machine_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_SHIFT 12u
#define PAGE_BYTES ((size_t)1 << PAGE_SHIFT)
#define GAP_BYTES ((size_t)8 << 20)            /* B10 */
#define DIRECT_ALIGN ((uintptr_t)4 << 20)      /* B13: so that blocks of any order are aligned to their size */
#define BEFORE_PKMAP_BYTES (2 * PAGE_BYTES)    /* E10 */
#define MEMORY_BYTES (FRAMES_MAX * PAGE_BYTES) /* of the memfd */

/* Where direct maps are looked for: at the same places in every run, whatever ran before, as an allocator sees addresses
 * modulo an alignment and reports must not differ. The two places of a configuration never meet. */
#if UINTPTR_MAX > UINT32_MAX
#define PLACE_FIRST(config, place) \
    (((place) ? UINT64_C(0x380000000000) : UINT64_C(0x300000000000)) + ((uint64_t)(config) << 36))
#define PLACE_STEP ((uintptr_t)1 << 30)
#else
#define PLACE_FIRST(config, place) (((place) ? 0x78000000u : 0x30000000u) + ((uint32_t)(config) << 28))
#define PLACE_STEP ((uintptr_t)4 << 20)
#endif
#define PLACE_TRIES 16u

/* ---- Address space -------------------------------------------------------------------------------------------------- */

int machine_memory_open(struct machine_inside *in)
{
    in->fd = memfd_create("assay-frames", MFD_CLOEXEC);
    if (in->fd < 0 || ftruncate(in->fd, (off_t)MEMORY_BYTES)) return ENOMEM;
    void *p = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, in->fd, 0);
    if (p == MAP_FAILED) return ENOMEM;
    in->oracle = p;
    return 0;
}

static void reservation_drop(struct reservation *r)
{
    if (r->start) munmap(r->start, r->bytes);
    *r = (struct reservation){0};
}

static void reservations_drop(struct machine_inside *in)
{
    for (unsigned i = 0; i < MACHINE_CONFIGS * PLACES; i++) reservation_drop(&in->reservations[i / PLACES][i % PLACES]);
}

void machine_memory_close(struct machine_inside *in)
{
    reservations_drop(in);
    if (in->oracle) munmap(in->oracle, MEMORY_BYTES);
    if (in->fd >= 0) close(in->fd);
}

/* Inaccessible address space whose second page is aligned as a direct map is; NULL if the host has none. */
static unsigned char *reserve(const struct machine_geometry *g, size_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    for (unsigned i = 0; i < PLACE_TRIES; i++) {
        void *at = (void *)(PLACE_FIRST(g->config, g->elsewhere) + i * PLACE_STEP - PAGE_BYTES);
        void *p = mmap(at, bytes, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
        if (p == at) return p;
        if (p != MAP_FAILED) munmap(p, bytes); /* an old kernel ignores the flag */
        else if (errno != EEXIST) break;       /* the host has no such addresses */
    }
    unsigned char *p = mmap(NULL, bytes + DIRECT_ALIGN, PROT_NONE, flags, -1, 0);
    if (p == MAP_FAILED) return NULL;
    size_t lead = (size_t)(-((uintptr_t)p + PAGE_BYTES) & (DIRECT_ALIGN - 1));
    if (lead) munmap(p, lead);
    munmap(p + lead + bytes, DIRECT_ALIGN - lead);
    return p + lead;
}

/* Reserves what a configuration needs and maps its direct map. False if the host has no room. */
static bool reservation_make(struct machine_inside *in, struct reservation *r, size_t bytes, size_t direct_bytes)
{
    unsigned char *p = reserve(&in->geometry, bytes);
    if (!p) return false;
    *r = (struct reservation){.start = p, .bytes = bytes};
    p = mmap(p + PAGE_BYTES, direct_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, in->fd, 0);
    if (p != MAP_FAILED) return true;
    reservation_drop(r);
    return false;
}

int machine_place(struct machine *m)
{
    struct machine_inside *in = m->inside;
    struct reservation *r = &in->reservations[in->geometry.config][in->geometry.elsewhere];
    size_t direct_bytes = m->lowmem_frames * PAGE_BYTES, window_bytes = in->window_pages * PAGE_BYTES;
    size_t behind = GAP_BYTES + window_bytes + BEFORE_PKMAP_BYTES + m->pkmap_slots * PAGE_BYTES + PAGE_BYTES;
    size_t bytes = PAGE_BYTES + direct_bytes + behind;
    if (!r->start && !reservation_make(in, r, bytes, direct_bytes)) {
        /* A small address space: what the others hold is given up, and made again when it is needed. */
        reservations_drop(in);
        if (!reservation_make(in, r, bytes, direct_bytes)) return ENOMEM;
    }
    m->page_shift = PAGE_SHIFT;
    m->page_bytes = PAGE_BYTES;
    m->gap_bytes = GAP_BYTES;
    m->direct = r->start + PAGE_BYTES;
    m->vmalloc_start = m->direct + direct_bytes + GAP_BYTES;
    m->vmalloc_end = m->vmalloc_start + window_bytes;
    m->pkmap = m->vmalloc_end + BEFORE_PKMAP_BYTES;
    return 0;
}

/* ---- The host ---------------------------------------------------------------------------------------------------------- */

static bool show(struct machine_inside *in, void *at, uint32_t pfn, uint32_t count)
{
    in->host_calls++;
    return mmap(at, count * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, in->fd,
                (off_t)pfn << PAGE_SHIFT) != MAP_FAILED;
}

/* A host that is out of mappings refuses to lay another one, even over many: they are given up first. */
static void hide(struct machine_inside *in, void *at, uint32_t count)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    in->host_calls++;
    if (mmap(at, count * PAGE_BYTES, PROT_NONE, flags, -1, 0) != MAP_FAILED) return;
    if (munmap(at, count * PAGE_BYTES) || mmap(at, count * PAGE_BYTES, PROT_NONE, flags, -1, 0) == MAP_FAILED)
        abort(); /* memory that cannot be taken away: there is no honest way on */
}

/* ---- The window ---------------------------------------------------------------------------------------------------------- */

/* Whether `count` pages from va on, a page's address, lie in the window; and the number of the first. */
static bool pages_of(const struct machine *m, const void *va, uint32_t count, uint32_t *page)
{
    if (!machine_in_window(m, va)) return false;
    size_t offset = (size_t)((uintptr_t)va - (uintptr_t)m->vmalloc_start);
    *page = (uint32_t)(offset >> PAGE_SHIFT);
    return offset % PAGE_BYTES == 0 && count <= m->inside->window_pages - *page;
}

/* The part of pages [page, page + count) that one leaf table maps: how many of them, from the first on. */
static uint32_t in_one_table(uint32_t page, uint32_t count)
{
    uint32_t left = TABLE_ENTRIES - page % TABLE_ENTRIES;
    return count < left ? count : left;
}

static bool can_map(const struct machine *m, uint32_t page, const uint32_t *pfns, uint32_t count)
{
    const struct machine_inside *in = m->inside;
    uint32_t mapped = 0, wrong = 0;
    for (uint32_t i = 0; i < count; i++) {
        mapped |= in->entries[page + i];
        wrong |= pfns[i] >= m->frames;
    }
    for (uint32_t i = 0; i < count; i += in_one_table(page + i, count - i))
        wrong |= !in->tables[(page + i) / TABLE_ENTRIES].pfn;
    return !mapped && !wrong;
}

static void set_entries(struct machine_inside *in, uint32_t page, const uint32_t *pfns, uint32_t count)
{
    for (uint32_t i = 0, part; i < count; i += part) {
        struct leaf_table *t = &in->tables[(page + i) / TABLE_ENTRIES];
        uint32_t first = (page + i) % TABLE_ENTRIES, last = first + (part = in_one_table(page + i, count - i));
        if (t->first == t->last) t->first = t->last = (uint16_t)first;
        if (first < t->first) t->first = (uint16_t)first;
        if (last > t->last) t->last = (uint16_t)last;
        t->used = (uint16_t)(t->used + part);
    }
    for (uint32_t i = 0; i < count; i++) in->entries[page + i] = pfns[i] + 1;
    in->mapped += count;
}

/* Returns how many of them were set. */
static uint32_t clear_entries(struct machine_inside *in, uint32_t page, uint32_t count)
{
    uint32_t mapped = in->mapped;
    for (uint32_t i = 0, part; i < count; i += part) {
        uint32_t *entries = &in->entries[page + i], set = 0;
        part = in_one_table(page + i, count - i);
        for (uint32_t k = 0; k < part; k++) set += entries[k] != 0;
        if (!set) continue;
        memset(entries, 0, part * sizeof *entries);
        in->tables[(page + i) / TABLE_ENTRIES].used -= (uint16_t)set;
        in->mapped -= set;
    }
    return mapped - in->mapped;
}

int machine_map(struct machine *m, void *va, const uint32_t *pfns, uint32_t count)
{
    struct machine_inside *in = m->inside;
    unsigned char *at = va;
    uint32_t page;
    if (!pages_of(m, va, count, &page) || !can_map(m, page, pfns, count)) return EINVAL;
    if (machine_fails(m, FAULT_MAP, 0, count * PAGE_BYTES)) return ENOMEM;
    for (uint32_t first = 0, run; first < count; first += run) {
        for (run = 1; first + run < count && pfns[first + run] == pfns[first] + run;) run++;
        if (show(in, at + first * PAGE_BYTES, pfns[first], run)) continue;
        hide(in, at, first + run); /* what a refused call leaves behind is not relied on */
        return ENOMEM;
    }
    set_entries(in, page, pfns, count);
    machine_event(m, EVENT_MAP, page, count, 0);
    return 0;
}

int machine_unmap(struct machine *m, void *va, uint32_t count)
{
    struct machine_inside *in = m->inside;
    uint32_t page;
    if (!pages_of(m, va, count, &page)) return EINVAL;
    if (clear_entries(in, page, count)) hide(in, va, count);
    machine_event(m, EVENT_UNMAP, page, count, 0);
    return 0;
}

uint32_t machine_translate(const struct machine *m, const void *va)
{
    const struct machine_inside *in = m->inside;
    size_t slot = ((uintptr_t)va - (uintptr_t)m->pkmap) >> PAGE_SHIFT;
    uint32_t entry = 0;
    if (machine_in_window(m, va)) entry = in->entries[((uintptr_t)va - (uintptr_t)m->vmalloc_start) >> PAGE_SHIFT];
    else if (slot < m->pkmap_slots) entry = in->kmaps[slot];
    return entry ? entry - 1 : PFN_NONE;
}

uint32_t machine_mapped(const struct machine *m) { return m->inside->mapped; }

void machine_flush(struct machine *m) { machine_event(m, EVENT_FLUSH, 0, 0, 0); }

/* ---- Page tables --------------------------------------------------------------------------------------------------------- */

static struct leaf_table *table_of(const struct machine *m, const void *va, uint32_t *index)
{
    if (!machine_in_window(m, va)) return NULL;
    *index = (uint32_t)(((uintptr_t)va - (uintptr_t)m->vmalloc_start) >> PAGE_SHIFT) / TABLE_ENTRIES;
    return &m->inside->tables[*index];
}

bool machine_has_table(const struct machine *m, const void *va)
{
    uint32_t index;
    const struct leaf_table *t = table_of(m, va, &index);
    return t && t->pfn;
}

int machine_add_table(struct machine *m, const void *va, uint32_t pfn)
{
    struct machine_inside *in = m->inside;
    uint32_t index;
    struct leaf_table *t = table_of(m, va, &index);
    if (!t || pfn >= m->frames) return EINVAL;
    if (t->pfn) return EEXIST;
    *t = (struct leaf_table){.pfn = pfn + 1};
    in->table_order[in->table_count++] = (uint16_t)index;
    machine_event(m, EVENT_PT_ALLOC, pfn, index, 0);
    return 0;
}

uint32_t machine_tables(const struct machine *m) { return m->inside->table_count; }

uint32_t machine_table_pfn(const struct machine *m, uint32_t index)
{
    if (index >= (m->inside->window_pages + TABLE_ENTRIES - 1) / TABLE_ENTRIES) return PFN_NONE;
    uint32_t pfn = m->inside->tables[index].pfn;
    return pfn ? pfn - 1 : PFN_NONE;
}

/* ---- kmap ---------------------------------------------------------------------------------------------------------------- */

void *machine_kmap_slot(struct machine *m, unsigned slot, uint32_t pfn)
{
    struct machine_inside *in = m->inside;
    if (slot >= m->pkmap_slots || (pfn != PFN_NONE && pfn >= m->frames)) return NULL;
    unsigned char *at = m->pkmap + slot * PAGE_BYTES;
    uint32_t entry = pfn == PFN_NONE ? 0 : pfn + 1, old = in->kmaps[slot];
    if (entry == old) return at;
    bool shown = entry && show(in, at, pfn, 1);
    if (!shown) hide(in, at, 1);
    in->kmaps[slot] = shown ? entry : 0;
    in->kmap_count += (uint32_t)shown - (old != 0);
    return shown || !entry ? at : NULL;
}

/* ---- Power --------------------------------------------------------------------------------------------------------------- */

void machine_unmap_all(struct machine *m)
{
    struct machine_inside *in = m->inside;
    for (uint32_t i = 0; i < in->table_count; i++) {
        uint32_t index = in->table_order[i], page = index * TABLE_ENTRIES;
        struct leaf_table *t = &in->tables[index];
        if (t->used) {
            uint32_t first = page + t->first, pages = (uint32_t)(t->last - t->first);
            hide(in, m->vmalloc_start + first * PAGE_BYTES, pages);
            memset(&in->entries[first], 0, pages * sizeof *in->entries);
        }
        *t = (struct leaf_table){0};
    }
    in->table_count = in->mapped = 0;
    for (unsigned slot = 0; in->kmap_count; slot++) machine_kmap_slot(m, slot, PFN_NONE);
}
