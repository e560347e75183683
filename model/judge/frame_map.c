/* frame_map.c: frame_map.h is the manual. */
#include "frame_map.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define WORD_BITS 64u
#define WORDS_MAX (FRAME_MAP_FRAMES / WORD_BITS)
/* All orders, each with a word beyond what it needs, so that pairs of words can be read without a look at the end. */
#define BITS_WORDS (2 * WORDS_MAX + 2 * MACHINE_ORDERS)

static void *take(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

int frame_map_open(struct frame_map *f)
{
    *f = (struct frame_map){.owner = take(FRAME_MAP_FRAMES * sizeof *f->owner)};
    uint64_t *bits = take(BITS_WORDS * sizeof *bits);
    if (!f->owner || !bits) {
        if (f->owner) munmap(f->owner, FRAME_MAP_FRAMES * sizeof *f->owner);
        if (bits) munmap(bits, BITS_WORDS * sizeof *bits);
        *f = (struct frame_map){0};
        return ENOMEM;
    }
    for (unsigned k = 0; k < MACHINE_ORDERS; k++) {
        f->free_bits[k] = bits;
        bits += (WORDS_MAX >> k ? WORDS_MAX >> k : 1) + 1;
    }
    return 0;
}

void frame_map_close(struct frame_map *f)
{
    if (f->owner) munmap(f->owner, FRAME_MAP_FRAMES * sizeof *f->owner);
    if (f->free_bits[0]) munmap(f->free_bits[0], BITS_WORDS * sizeof *f->free_bits[0]);
    *f = (struct frame_map){0};
}

/* ---- Bits ---------------------------------------------------------------------------------------------------------- */

/* Word w's bits of [first, last]. */
static inline uint64_t mask_of(uint32_t w, uint32_t first, uint32_t last)
{
    uint64_t mask = ~UINT64_C(0);
    if (w == first / WORD_BITS) mask &= ~UINT64_C(0) << first % WORD_BITS;
    if (w == last / WORD_BITS) mask &= ~UINT64_C(0) >> (WORD_BITS - 1 - last % WORD_BITS);
    return mask;
}

/* Bit i of the result, 0 .. 31: are bits 2i and 2i + 1 of the word both set? */
static inline uint64_t pairs(uint64_t word)
{
    word &= word >> 1;
    word &= UINT64_C(0x5555555555555555);
    word = (word | word >> 1) & UINT64_C(0x3333333333333333);
    word = (word | word >> 2) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    word = (word | word >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    word = (word | word >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (word | word >> 16) & UINT64_C(0x00000000ffffffff);
}

/* The blocks of order k in word w that contain the border between two zones. Only one of the orders needs to be told: what
 * contains such a block in its turn has a half that is not free as a whole. */
static uint64_t across_zones(const struct machine *m, unsigned k, uint32_t w)
{
    uint64_t mask = 0;
    for (unsigned z = ZONE_NORMAL; z < ZONES; z++) {
        uint32_t border = m->zones[z].start, block = border >> k;
        if (border % (1u << k) && block / WORD_BITS == w) mask |= UINT64_C(1) << block % WORD_BITS;
    }
    return mask;
}

/* Inline, because most processors that this is built for have an instruction for it, and the compiler may not use it. */
static inline uint32_t ones(uint64_t word)
{
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(word * UINT64_C(0x0101010101010101) >> 56);
}

/* Replaces the bits under `mask`; true if any has changed. */
static bool put(struct frame_map *f, enum machine_zone_id zone, unsigned k, uint32_t w, uint64_t mask, uint64_t bits)
{
    uint64_t *word = &f->free_bits[k][w], old = *word & mask;
    bits &= mask;
    if (old == bits) return false;
    *word = (*word & ~mask) | bits;
    if (mask & (mask - 1)) f->set[zone][k] += ones(bits) - ones(old);
    else f->set[zone][k] += bits ? 1 : UINT32_MAX;
    return true;
}

/* The blocks of order k that have a frame in [first, last] of the order below. */
static bool lift(struct frame_map *f, enum machine_zone_id zone, unsigned k, uint32_t first, uint32_t last)
{
    const uint64_t *below = f->free_bits[k - 1];
    bool changed = false;
    for (uint32_t w = first / WORD_BITS; w <= last / WORD_BITS; w++) {
        uint64_t bits = pairs(below[2 * (size_t)w]) | pairs(below[2 * (size_t)w + 1]) << 32;
        if (put(f, zone, k, w, mask_of(w, first, last), bits & ~across_zones(f->machine, k, w))) changed = true;
    }
    return changed;
}

static bool crosses_zones(const struct machine *m, unsigned k, uint32_t block)
{
    for (unsigned z = ZONE_NORMAL; z < ZONES; z++)
        if (m->zones[z].start >> k == block && m->zones[z].start % (1u << k)) return true;
    return false;
}

/* One frame becomes free or not: of each order, the one block that it is in. */
static void put_frame(struct frame_map *f, uint32_t pfn, bool is_free)
{
    uint32_t *set = f->set[machine_zone_of(f->machine, pfn)], block = pfn;
    for (unsigned k = 0;; k++, block >>= 1) {
        uint64_t *word = &f->free_bits[k][block / WORD_BITS], bit = UINT64_C(1) << block % WORD_BITS;
        if (is_free == !!(*word & bit)) return;
        *word ^= bit;
        set[k] += is_free ? 1 : UINT32_MAX;
        if (k == f->machine->max_order) return;
        const uint64_t halves = UINT64_C(3) << (block % WORD_BITS & ~1u);
        if (is_free && ((*word & halves) != halves || crosses_zones(f->machine, k + 1, block >> 1))) return;
    }
}

/* Frames [first, last], in one zone, become free or not. */
static void put_frames(struct frame_map *f, uint32_t first, uint32_t last, bool are_free)
{
    if (first == last) {
        put_frame(f, first, are_free);
        return;
    }
    enum machine_zone_id zone = machine_zone_of(f->machine, first);
    bool changed = false;
    for (uint32_t w = first / WORD_BITS; w <= last / WORD_BITS; w++)
        if (put(f, zone, 0, w, mask_of(w, first, last), are_free ? ~UINT64_C(0) : 0)) changed = true;
    for (unsigned k = 1; changed && k <= f->machine->max_order; k++) changed = lift(f, zone, k, first >> k, last >> k);
}

/* ---- Owners -------------------------------------------------------------------------------------------------------- */

/* Most blocks are one frame. */
static void set_one(struct frame_map *f, uint32_t pfn, uint16_t owner)
{
    const uint16_t before = f->owner[pfn];
    f->touched[pfn / (WORD_BITS * WORD_BITS)] |= UINT64_C(1) << pfn / WORD_BITS % WORD_BITS;
    f->owner[pfn] = owner;
    if (before < FRAME_OWNERS) f->owned[before]--;
    if (owner < FRAME_OWNERS) f->owned[owner]++;
    if ((before == FRAME_FREE) != (owner == FRAME_FREE)) put_frame(f, pfn, owner == FRAME_FREE);
}

void frame_map_set(struct frame_map *f, uint32_t pfn, uint32_t count, uint16_t owner)
{
    if (count == 1) {
        set_one(f, pfn, owner);
        return;
    }
    if (!count) return;
    uint32_t last = pfn + count - 1;
    bool was_free = f->owner[pfn] == FRAME_FREE, are_free = owner == FRAME_FREE;
    for (uint32_t w = pfn / WORD_BITS; w <= last / WORD_BITS; w++)
        f->touched[w / WORD_BITS] |= UINT64_C(1) << w % WORD_BITS;
    for (uint32_t i = pfn; i <= last; i++) {
        if (f->owner[i] < FRAME_OWNERS) f->owned[f->owner[i]]--;
        f->owner[i] = owner;
    }
    if (owner < FRAME_OWNERS) f->owned[owner] += count;
    if (was_free != are_free) put_frames(f, pfn, last, are_free);
}

uint32_t frame_map_other(const struct frame_map *f, uint32_t pfn, uint32_t count, uint16_t owner)
{
    uint32_t i = pfn;
    while (i < pfn + count && f->owner[i] == owner) i++;
    return i;
}

/* ---- Life ---------------------------------------------------------------------------------------------------------- */

static bool in_a_zone(const struct machine *m, uint32_t pfn)
{
    for (unsigned z = 0; z < ZONES; z++)
        if (pfn >= m->zones[z].start && pfn < m->zones[z].end) return true;
    return false;
}

static void build(struct frame_map *f)
{
    const struct machine *m = f->machine;
    memset(f->free_bits[0], 0, BITS_WORDS * sizeof *f->free_bits[0]);
    memset(f->set, 0, sizeof f->set);
    memset(f->owned, 0, sizeof f->owned);
    for (uint32_t pfn = 0; pfn < m->frames; pfn++) {
        f->owner[pfn] = in_a_zone(m, pfn) ? FRAME_FREE : FRAME_RESERVED;
        f->owned[f->owner[pfn]]++;
    }
    for (unsigned z = 0; z < ZONES; z++)
        if (m->zones[z].start < m->zones[z].end) put_frames(f, m->zones[z].start, m->zones[z].end - 1, true);
}

static bool same_geometry(const struct machine *m, uint32_t frames, const struct machine_zone *zones)
{
    return m->frames == frames && memcmp(m->zones, zones, sizeof m->zones) == 0;
}

void frame_map_fresh(struct frame_map *f, const struct machine *machine)
{
    bool same = f->machine && same_geometry(machine, f->frames, f->zones);
    f->machine = machine;
    f->frames = machine->frames;
    memcpy(f->zones, machine->zones, sizeof f->zones);
    if (!same) build(f);
    for (uint32_t i = 0; i < sizeof f->touched / sizeof f->touched[0]; i++)
        for (; same && f->touched[i]; f->touched[i] &= f->touched[i] - 1) {
            uint32_t first = (i * WORD_BITS + (uint32_t)__builtin_ctzll(f->touched[i])) * WORD_BITS;
            for (uint32_t pfn = first; pfn < first + WORD_BITS && pfn < machine->frames; pfn++)
                if (f->owner[pfn] != FRAME_FREE && f->owner[pfn] != FRAME_RESERVED)
                    frame_map_set(f, pfn, 1, FRAME_FREE);
        }
    memset(f->touched, 0, sizeof f->touched);
}

uint32_t frame_map_blocks(const struct frame_map *f, enum machine_zone_id zone, unsigned order)
{
    const uint32_t *set = f->set[zone];
    return order < f->machine->max_order ? set[order] - 2 * set[order + 1] : set[order];
}

unsigned frame_map_order(const struct frame_map *f, uint32_t pfn)
{
    unsigned k = 0;
    while (k < f->machine->max_order &&
           f->free_bits[k + 1][(pfn >> (k + 1)) / WORD_BITS] >> (pfn >> (k + 1)) % WORD_BITS & 1)
        k++;
    return k;
}

bool frame_map_has(const struct frame_map *f, enum machine_zone_id zone, unsigned order)
{
    return order <= f->machine->max_order && f->set[zone][order] > 0;
}
