/* bench_overlap.c: the cost of knowing who owns which byte, from sixteen live blocks to a million.
 *
 * Each pair takes a random live block out of the shadow and puts it back. Granules are 16 bytes; blocks are up to 64 or up
 * to 512 bytes, so a million of them span 64 or 512 MB of addresses, none of which is touched, and their bitmap is half or
 * four megabytes. Which block is next, and how long it is, is computed and not looked up: tables of a million places would
 * take the cache that the bitmap is measured in.
 * The yardstick beside it sets and clears one bit at the same places of a flat bitmap: what the memory itself costs.
 */
#include "bench.h"

#include "model.h"
#include "shadow.h"

#include <string.h>
#include <sys/mman.h>

#define PITCH_MAX 512u
#define PAIRS (1u << 20)
#define LIVE_MAX 1000000u

/* The i-th of the blocks to be taken, and the bytes of a block: both as good as random. */
static inline uint32_t slot_of(unsigned i, unsigned live)
{
    return (uint32_t)((uint64_t)(uint32_t)(i * UINT32_C(0x9E3779B1) ^ i >> 7) * live >> 32);
}
static inline size_t size_of(uint32_t slot, unsigned pitch) { return 1 + (slot * UINT32_C(0x85EBCA6B) >> 16) % pitch; }

static double shadow_pairs(struct shadow *s, uintptr_t base, unsigned live, unsigned pitch)
{
    unsigned overlaps = 0;
    double start = bench_seconds();
    for (unsigned i = 0; i < PAIRS; i++) {
        uint32_t slot = slot_of(i, live);
        uintptr_t at = base + (uintptr_t)slot * pitch;
        shadow_remove(s, at, size_of(slot, pitch));
        overlaps += !shadow_insert(s, at, size_of(slot, pitch));
    }
    if (overlaps) abort();
    return (bench_seconds() - start) / PAIRS * 1e9;
}

static double bit_pairs(volatile uint64_t *bits, unsigned live, unsigned pitch)
{
    double start = bench_seconds();
    for (unsigned i = 0; i < PAIRS; i++) {
        size_t bit = (size_t)slot_of(i, live) * (pitch / 16);
        bits[bit / 64] &= ~(UINT64_C(1) << bit % 64);
        bits[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    return (bench_seconds() - start) / PAIRS * 1e9;
}

static void measure(uintptr_t base, uint64_t *bits, unsigned live, unsigned pitch)
{
    struct shadow s;
    double pairs[BENCH_REPEATS], touches[BENCH_REPEATS];
    char what[80];
    if (!shadow_open(&s, 16)) abort();
    for (unsigned i = 0; i < live; i++)
        if (!shadow_insert(&s, base + (uintptr_t)i * pitch, size_of(i, pitch))) abort();
    for (unsigned i = 0; i < BENCH_REPEATS; i++) pairs[i] = shadow_pairs(&s, base, live, pitch);
    for (unsigned i = 0; i < BENCH_REPEATS; i++) touches[i] = bit_pairs(bits, live, pitch);
    shadow_close(&s);
    snprintf(what, sizeof what, "overlap, among %7u blocks of up to %3u bytes: a pair", live, pitch);
    bench_row(what, bench_median(pairs, BENCH_REPEATS), "ns", BENCH_AT_MOST, 15);
    bench_row("  the same places of a plain bitmap", bench_median(touches, BENCH_REPEATS), "ns", BENCH_AT_MOST, 0);
}

/* Resident bytes of this process, counted exactly. */
static double resident(void)
{
    char line[128];
    unsigned long kilobytes = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    if (!f) abort();
    while (fgets(line, sizeof line, f) && sscanf(line, "Rss: %lu", &kilobytes) != 1) continue;
    fclose(f);
    return (double)kilobytes * 1024;
}

/* What a shadow takes when every granule of `bytes` of address space is owned by somebody. */
static void memory(uintptr_t base, size_t bytes)
{
    struct shadow s;
    resident(); /* once before, so that what it pages in itself is not counted */
    double before = resident();
    if (!shadow_open(&s, 16)) abort();
    for (size_t at = 0; at < bytes; at += PITCH_MAX)
        if (!shadow_insert(&s, base + at, PITCH_MAX)) abort();
    double share = (resident() - before) / (double)bytes;
    shadow_close(&s);
    bench_row("memory: a live block's record", sizeof(struct block), "bytes", BENCH_AT_MOST, 24);
    bench_row("memory: the shadow's part of the region, in 128ths", share * 128, "/128", BENCH_AT_MOST, 1);
}

int main(void)
{
    static const unsigned lives[] = {16, 256, 4096, 65536, LIVE_MAX};
    size_t span = (size_t)LIVE_MAX * PITCH_MAX;
    /* Addresses that belong to nobody, and are not used as memory. */
    void *space = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint64_t *bits = calloc(span / 16 / 64 + 1, sizeof *bits);
    if (space == MAP_FAILED || !bits) return 2;
    memory((uintptr_t)space, span);
    for (unsigned i = 0; i < sizeof lives / sizeof *lives; i++) {
        measure((uintptr_t)space, bits, lives[i], 64);
        measure((uintptr_t)space, bits, lives[i], PITCH_MAX);
    }
    return 0;
}
