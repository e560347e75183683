/* bench_overlap.c: the cost of knowing who owns which byte, from sixteen live blocks to a million.
 *
 * Each pair takes a random live block out of the shadow and puts it back, with its size drawn anew. Granules are
 * 16 bytes; blocks are up to 64 or up to 512 bytes, so a million of them span 64 or 512 MB of addresses, none of which is
 * touched, and their bitmap is half or four megabytes.
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

static uint32_t slots[PAIRS];
static uint16_t sizes[PAIRS], held[LIVE_MAX];

static double shadow_pairs(struct shadow *s, uintptr_t base, unsigned pitch)
{
    unsigned overlaps = 0;
    double start = bench_seconds();
    for (unsigned i = 0; i < PAIRS; i++) {
        uint32_t slot = slots[i];
        uintptr_t at = base + (uintptr_t)slot * pitch;
        shadow_remove(s, at, held[slot]);
        overlaps += !shadow_insert(s, at, held[slot] = sizes[i]);
    }
    if (overlaps) abort();
    return (bench_seconds() - start) / PAIRS * 1e9;
}

static double bit_pairs(volatile uint64_t *bits, unsigned pitch)
{
    double start = bench_seconds();
    for (unsigned i = 0; i < PAIRS; i++) {
        size_t bit = (size_t)slots[i] * (pitch / 16);
        held[slots[i]] = sizes[i];
        bits[bit / 64] &= ~(UINT64_C(1) << bit % 64);
        bits[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    return (bench_seconds() - start) / PAIRS * 1e9;
}

static void measure(uintptr_t base, uint64_t *bits, unsigned live, unsigned pitch)
{
    struct shadow s;
    uint64_t state = live;
    double pairs[BENCH_REPEATS], touches[BENCH_REPEATS];
    char what[80];
    if (!shadow_open(&s, 16)) abort();
    for (unsigned i = 0; i < live; i++) {
        held[i] = (uint16_t)(1 + bench_random(&state) % pitch);
        if (!shadow_insert(&s, base + (uintptr_t)i * pitch, held[i])) abort();
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        slots[i] = (uint32_t)(bench_random(&state) % live);
        sizes[i] = (uint16_t)(1 + bench_random(&state) % pitch);
    }
    for (unsigned i = 0; i < BENCH_REPEATS; i++) {
        pairs[i] = shadow_pairs(&s, base, pitch);
    }
    for (unsigned i = 0; i < BENCH_REPEATS; i++) touches[i] = bit_pairs(bits, pitch);
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
