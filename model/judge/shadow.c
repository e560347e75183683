/* shadow.c: shadow.h is the manual. */
#include "shadow.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* A chunk is as many granules whatever their size, so that all shifts but one are by constants. */
#define CHUNK_LOG2 16u
#define CHUNK_GRANULES ((uintptr_t)1 << CHUNK_LOG2)
#define CHUNK_BITMAP (CHUNK_GRANULES / 8)                        /* bytes */
#define TABLE_SIZE ((size_t)1 << (sizeof(void *) > 4 ? 18 : 14)) /* twice 128 GiB in granules of 16 bytes; 8 GiB */
#define CHUNKS_MAX (TABLE_SIZE / 2)
#define WORD_BITS 64u

/* All bitmaps, and one word more: a span always has a second one. */
#define ARENA_BYTES (CHUNKS_MAX * CHUNK_BITMAP + sizeof(uint64_t))

static void *take(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

size_t shadow_bytes(const struct shadow *s) { return s->chunks * CHUNK_BITMAP; }

bool shadow_open(struct shadow *s, size_t granule_bytes)
{
    *s = (struct shadow){.granule_log2 = (unsigned)__builtin_ctzll(granule_bytes)};
    s->table = take(TABLE_SIZE * sizeof *s->table);
    s->used = take(CHUNKS_MAX * sizeof *s->used);
    s->arena = take(ARENA_BYTES);
    if (s->table && s->used && s->arena) return true;
    shadow_close(s);
    errno = ENOMEM;
    return false;
}

void shadow_close(struct shadow *s)
{
    if (s->table) munmap(s->table, TABLE_SIZE * sizeof *s->table);
    if (s->used) munmap(s->used, CHUNKS_MAX * sizeof *s->used);
    if (s->arena) munmap(s->arena, ARENA_BYTES);
    *s = (struct shadow){0};
}

void shadow_clear(struct shadow *s)
{
    memset(s->arena, 0, s->chunks * CHUNK_BITMAP);
    for (size_t i = 0; i < s->chunks; i++) s->table[s->used[i]] = (struct shadow_chunk){0};
    s->chunks = 0;
    s->giant_count = 0;
}

/* The entry of a chunk in the table, used or where it would be. Neighbouring chunks have neighbouring entries, which share
 * lines of the cache; what lies further apart than the table is long is moved apart by its upper bits. */
static inline size_t home_of(uintptr_t id)
{
    return (size_t)(id + (id / TABLE_SIZE) * UINT64_C(0x9E3779B1)) & (TABLE_SIZE - 1);
}

static struct shadow_chunk *entry_of(const struct shadow *s, uintptr_t id)
{
    size_t i = home_of(id);
    while (s->table[i].id && s->table[i].id != id) i = (i + 1) & (TABLE_SIZE - 1);
    return &s->table[i];
}

static __attribute__((noinline)) uint64_t *look_up(struct shadow *s, uintptr_t id)
{
    struct shadow_chunk *e = entry_of(s, id);
    if (!e->id) {
        if (s->chunks == CHUNKS_MAX) return NULL;
        s->used[s->chunks] = (uint32_t)(e - s->table);
        *e = (struct shadow_chunk){.id = id, .bits = (uint64_t *)(void *)(s->arena + s->chunks++ * CHUNK_BITMAP)};
    }
    return e->bits;
}

/* The bitmap of the chunk of a granule; NULL if and only if the table is full. */
static inline uint64_t *bits_of(struct shadow *s, uintptr_t granule)
{
    uintptr_t id = (granule >> CHUNK_LOG2) + 1;
    const struct shadow_chunk *e = &s->table[home_of(id)];
    return e->id == id ? e->bits : look_up(s, id);
}

/* The same of a chunk that was used before; NULL if it was not. */
static const uint64_t *known_bits(const struct shadow *s, uintptr_t granule)
{
    return entry_of(s, (granule >> CHUNK_LOG2) + 1)->bits;
}

/* Walks the words of the granules [first, last] of one chunk. */
enum deed { TEST, SET, CLEAR };

static inline bool word(uint64_t *bits, uint64_t mask, enum deed deed)
{
    if (deed == TEST) return !(*bits & mask);
    if (deed == SET) *bits |= mask;
    else *bits &= ~mask;
    return true;
}

static bool words(uint64_t *bits, size_t first, size_t last, enum deed deed)
{
    uint64_t mask = ~UINT64_C(0) << first % WORD_BITS;
    for (uint64_t *end = bits + last / WORD_BITS, *w = bits + first / WORD_BITS;; w++, mask = ~UINT64_C(0)) {
        if (w == end) return word(w, mask & ~UINT64_C(0) >> (WORD_BITS - 1 - last % WORD_BITS), deed);
        if (!word(w, mask, deed)) return false;
    }
}

/* The same over all chunks of the granules [first, last]. */
static bool chunks(struct shadow *s, uintptr_t first, uintptr_t last, enum deed deed)
{
    for (;;) {
        uintptr_t chunk_last = first | (CHUNK_GRANULES - 1), stop = last < chunk_last ? last : chunk_last;
        uint64_t *bits = bits_of(s, first);
        /* With the table full, further chunks are not watched: missed overlaps rather than false ones. */
        if (bits && !words(bits, first % CHUNK_GRANULES, stop % CHUNK_GRANULES, deed)) return false;
        if (stop == last) return true;
        first = stop + 1;
    }
}

/* The address of the first granule in [from, to) whose bit is `owned`, at least `from`; `to` if there is none. */
static uintptr_t seek(const struct shadow *s, uintptr_t from, uintptr_t to, bool owned)
{
    if (from >= to) return to;
    const uint64_t flip = owned ? 0 : ~UINT64_C(0);
    const uintptr_t last = (to - 1) >> s->granule_log2;
    for (uintptr_t at = from >> s->granule_log2;; at = (at | (CHUNK_GRANULES - 1)) + 1) {
        const uintptr_t chunk_last = at | (CHUNK_GRANULES - 1), stop = last < chunk_last ? last : chunk_last;
        const uint64_t *bits = known_bits(s, at);
        uintptr_t found = at; /* nothing was ever owned in a chunk without bits */
        if (bits) {
            size_t bit = at % CHUNK_GRANULES, w = bit / WORD_BITS, end = stop % CHUNK_GRANULES + 1;
            uint64_t word = (bits[w] ^ flip) >> bit % WORD_BITS << bit % WORD_BITS;
            while (!word && ++w * WORD_BITS < end) word = bits[w] ^ flip;
            found =
                word ? chunk_last - (CHUNK_GRANULES - 1) + w * WORD_BITS + (unsigned)__builtin_ctzll(word) : stop + 1;
        }
        if ((bits || !owned) && found <= stop) {
            uintptr_t address = found << s->granule_log2;
            return address < from ? from : address;
        }
        if (stop == last) return to;
    }
}

static bool meets_giant(const struct shadow *s, uintptr_t at, uintptr_t end)
{
    for (unsigned i = 0; i < s->giant_count; i++)
        if (at <= s->giants[i].to && end >= s->giants[i].from) return true;
    return false;
}

/* A range of at most 64 granules lies in two neighbouring words, wherever it begins; both are always looked at, because a
 * branch on whether it needs the second would be mispredicted for half of all blocks. `low` and `high` are its bits. */
struct span {
    uint64_t *words, low, high;
};

/* False if the range is longer, or lies in two chunks: then it is walked. */
static inline bool span_of(struct shadow *s, uintptr_t at, uintptr_t end, struct span *span)
{
    const uintptr_t first = at >> s->granule_log2, more = (end >> s->granule_log2) - first;
    const size_t bit = first % CHUNK_GRANULES, shift = bit % WORD_BITS;
    if (more >= WORD_BITS || bit + more >= CHUNK_GRANULES) return false;
    uint64_t *bits = bits_of(s, first);
    if (!bits) return false;
    const uint64_t granules = ~UINT64_C(0) >> (WORD_BITS - 1 - more);
    *span = (struct span){
        .words = bits + bit / WORD_BITS, .low = granules << shift, .high = granules >> (WORD_BITS - 1 - shift) >> 1};
    return true;
}

/* What is rare is apart, so that the rest is short enough to be inlined. */
static __attribute__((noinline)) bool insert_slowly(struct shadow *s, uintptr_t at, uintptr_t end)
{
    if (s->giant_count && meets_giant(s, at, end)) return false;
    if (end - at < SHADOW_GIANT - 1) {
        uintptr_t first = at >> s->granule_log2, last = end >> s->granule_log2;
        return chunks(s, first, last, TEST) && chunks(s, first, last, SET);
    }
    if (s->giant_count == SHADOW_GIANTS_MAX) return true; /* not watched: missed overlaps rather than false ones */
    s->giants[s->giant_count].from = at;
    s->giants[s->giant_count++].to = end;
    return true;
}

static __attribute__((noinline)) void remove_slowly(struct shadow *s, uintptr_t at, uintptr_t end)
{
    if (end - at < SHADOW_GIANT - 1) {
        chunks(s, at >> s->granule_log2, end >> s->granule_log2, CLEAR);
        return;
    }
    for (unsigned i = 0; i < s->giant_count; i++)
        if (s->giants[i].from == at) {
            s->giants[i] = s->giants[--s->giant_count];
            return;
        }
}

bool shadow_insert(struct shadow *s, uintptr_t at, size_t bytes)
{
    const uintptr_t end = at + bytes - 1;
    struct span span;
    if (s->giant_count || !span_of(s, at, end, &span)) return insert_slowly(s, at, end);
    if ((span.words[0] & span.low) | (span.words[1] & span.high)) return false;
    span.words[0] |= span.low;
    span.words[1] |= span.high;
    return true;
}

void shadow_remove(struct shadow *s, uintptr_t at, size_t bytes)
{
    const uintptr_t end = at + bytes - 1;
    struct span span;
    if (!span_of(s, at, end, &span)) {
        remove_slowly(s, at, end);
        return;
    }
    span.words[0] &= ~span.low;
    span.words[1] &= ~span.high;
}

uintptr_t shadow_next_owned(const struct shadow *s, uintptr_t from, uintptr_t to) { return seek(s, from, to, true); }
uintptr_t shadow_next_free(const struct shadow *s, uintptr_t from, uintptr_t to) { return seek(s, from, to, false); }

/* Does x hold a run of at least n set bits, 1 <= n <= 64? Shifts of doubling length and-ed together leave a bit for each. */
static bool has_run(uint64_t x, unsigned n)
{
    unsigned have = 1;
    for (; have * 2 <= n && x; have *= 2) x &= x >> have;
    return n > have ? (x & x >> (n - have)) != 0 : x != 0;
}

bool shadow_has_gap(const struct shadow *s, uintptr_t from, uintptr_t to, size_t bytes)
{
    size_t need = bytes >> s->granule_log2, run = 0;
    unsigned shift = s->granule_log2;
    if (!need || from >= to) return from < to;
    /* In granules from here on; a partial one at the end counts as whole, so that no gap is missed. */
    for (uintptr_t at = from >> shift, end = ((to - 1) >> shift) + 1; at < end;) {
        const uint64_t *bits = known_bits(s, at);
        size_t bit = at % CHUNK_GRANULES;
        uint64_t unowned = bits ? ~bits[bit / WORD_BITS] : ~UINT64_C(0);
        size_t count = WORD_BITS - bit % WORD_BITS;
        if (count > end - at) count = end - at;
        unowned >>= bit % WORD_BITS;
        if (count < WORD_BITS) unowned &= (UINT64_C(1) << count) - 1;
        if (unowned == ~UINT64_C(0) >> (WORD_BITS - count)) {
            run += count;
            if (run >= need) return true;
        } else {
            if (run + (size_t)__builtin_ctzll(~unowned) >= need) return true;
            if (need <= WORD_BITS && has_run(unowned, (unsigned)need)) return true;
            run = (size_t)__builtin_clzll(~(unowned << (WORD_BITS - count)));
        }
        at += count;
    }
    return false;
}

bool shadow_owned(const struct shadow *s, uintptr_t at)
{
    return (s->giant_count && meets_giant(s, at, at)) || shadow_next_owned(s, at, at + 1) == at;
}
