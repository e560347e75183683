/* buddy: binary buddies over the frames of a machine. K. C. Knowlton, A fast storage allocator, CACM 8(10), 1965.
 *
 *     order 3   |                 0                 |
 *     order 2   |        0        |        4        |        the buddy of (p, k) is p xor 2^k,
 *     order 1   |   0    |   2    |   4    |   6    |        their parent is at p and not 2^k
 *
 *   take   the smallest free block that is large enough, of several the lowest; while it is too large, its upper half is
 *          set free again.
 *   give   while the buddy is free as a whole and in the same zone, the two become one.
 *
 * O(orders) for both, and no frame of a block is looked at but its head. As every merge is done at once, the free blocks
 * are a function of which frames are free (B17), the largest aligned ones that these allow; as the lowest is taken, so is
 * every decision, and a machine that has been drained decides as a fresh one (C24). Linux keeps lists instead, last in,
 * first out; the price of order is a look at a bit map of two levels.
 *
 * Siblings: buddy_zones.c decides whether a request may be served, buddy_pages.c has the interface and its contract errors,
 * highmem.c the temporary mappings, buddy_heap.c the allocator `buddy`.
 */
#include "buddy.h"
#include "buddy_internal.h"

#include <errno.h>
#include <string.h>

#define TOUCHED_SHIFT 10
_Static_assert(BUDDY_FRAMES_MAX >> TOUCHED_SHIFT <= 32, "one bit of buddy.touched for each 1024 frames");
_Static_assert(MACHINE_ORDERS - 1 <= TOUCHED_SHIFT, "no block touches two of them");

/* ---- The map of free blocks ---------------------------------------------------------------------------------------- */

/* Where an order's words begin: half of the words are order 0's, half of the rest order 1's, … */
static uint32_t map_base(unsigned order) { return FREE_MAP_WORDS - (FREE_MAP_WORDS >> order); }

static void map_set(struct free_map *map, uint32_t pfn, unsigned order, bool free)
{
    uint32_t word = map_base(order) + (pfn >> order) / 64;
    uint64_t bit = UINT64_C(1) << (pfn >> order) % 64, above = UINT64_C(1) << word % 64;
    map->words[word] = free ? map->words[word] | bit : map->words[word] & ~bit;
    uint64_t *summary = &map->summary[word / 64];
    *summary = map->words[word] ? *summary | above : *summary & ~above;
}

/* The first free block of the order from pfn on; there is one. */
static uint32_t map_first(const struct free_map *map, uint32_t pfn, unsigned order)
{
    uint32_t place = (pfn + (UINT32_C(1) << order) - 1) >> order, word = map_base(order) + place / 64;
    uint64_t bits = map->words[word] & UINT64_MAX << place % 64;
    if (!bits) {
        uint32_t above = ++word / 64;
        uint64_t words = map->summary[above] & UINT64_MAX << word % 64;
        while (!words) words = map->summary[++above];
        word = above * 64 + (uint32_t)__builtin_ctzll(words);
        bits = map->words[word];
    }
    return ((word - map_base(order)) * 64 + (uint32_t)__builtin_ctzll(bits)) << order;
}

void block_list(struct buddy *b, struct buddy_zone *z, uint32_t pfn, unsigned order)
{
    b->pages[pfn] = (struct page){.state = PAGE_FREE, .order = (uint8_t)order};
    map_set(&b->free, pfn, order, true);
    z->blocks[order]++;
}

void block_unlist(struct buddy *b, struct buddy_zone *z, uint32_t pfn)
{
    unsigned order = b->pages[pfn].order;
    b->pages[pfn] = (struct page){0};
    map_set(&b->free, pfn, order, false);
    z->blocks[order]--;
}

static bool is_free_block(const struct buddy *b, const struct buddy_zone *z, uint32_t pfn, unsigned order)
{
    return pfn >= z->start && pfn < z->end && b->pages[pfn].state == PAGE_FREE && b->pages[pfn].order == order;
}

/* ---- Blocks -------------------------------------------------------------------------------------------------------- */

unsigned block_best(const struct buddy_zone *z, unsigned order)
{
    while (order < MACHINE_ORDERS && !z->blocks[order]) order++;
    return order;
}

struct page *block_take(struct buddy *b, enum machine_zone_id zone, unsigned order, unsigned gfp)
{
    struct buddy_zone *z = &b->zones[zone];
    unsigned have = block_best(z, order);
    uint32_t pfn = map_first(&b->free, z->start, have);
    block_unlist(b, z, pfn);
    while (have > order) {
        machine_event(b->machine, EVENT_SPLIT, pfn, have, 0);
        have--;
        block_list(b, z, pfn + (UINT32_C(1) << have), have);
    }
    z->free -= UINT32_C(1) << order;
    b->touched |= UINT32_C(1) << (pfn >> TOUCHED_SHIFT);
    b->pages[pfn] = (struct page){.owner = NULL, .refs = 1, .state = PAGE_USED, .order = (uint8_t)order};
    machine_take(b->machine, pfn, UINT32_C(1) << order, gfp);
    return &b->pages[pfn];
}

void block_give(struct buddy *b, uint32_t pfn, unsigned order)
{
    struct buddy_zone *z = &b->zones[machine_zone_of(b->machine, pfn)];
    machine_give(b->machine, pfn, UINT32_C(1) << order);
    z->free += UINT32_C(1) << order;
    b->pages[pfn] = (struct page){0};
    for (; order < b->machine->max_order; order++) {
        uint32_t other = pfn ^ (UINT32_C(1) << order);
        if (!is_free_block(b, z, other, order)) break;
        block_unlist(b, z, other);
        pfn &= other;
        machine_event(b->machine, EVENT_MERGE, pfn, order + 1, 0);
    }
    block_list(b, z, pfn, order);
}

/* The largest order of a block that may begin at pfn and has at most `count` frames. */
static unsigned order_at(const struct buddy *b, uint32_t pfn, uint32_t count)
{
    unsigned order = 0;
    while (order < b->machine->max_order && !(pfn & (UINT32_C(1) << order)) && UINT32_C(2) << order <= count) order++;
    return order;
}

void block_give_run(struct buddy *b, uint32_t pfn, uint32_t count)
{
    while (count) {
        unsigned order = order_at(b, pfn, count);
        block_give(b, pfn, order);
        pfn += UINT32_C(1) << order;
        count -= UINT32_C(1) << order;
    }
}

void block_crumble(struct buddy *b, uint32_t pfn, uint32_t count)
{
    struct page *head = &b->pages[pfn];
    head->order = 0;
    for (uint32_t i = 1; i < count; i++) head[i] = (struct page){.refs = 1, .state = PAGE_USED, .kind = head->kind};
}

/* Every block is aligned to its size, so the blocks that could contain a frame begin where its low bits are cleared one by
 * one; of those places, the nearest that is a head is the right one, as there are no heads inside a block. */
struct page *buddy_head(struct buddy *b, struct page *page)
{
    uint32_t pfn = buddy_pfn(b, page);
    for (unsigned order = 0; order < MACHINE_ORDERS && b->pages[pfn].state == PAGE_INSIDE; order++)
        pfn &= ~(UINT32_C(1) << order);
    return &b->pages[pfn];
}

struct page *buddy_compound_head(struct buddy *b, struct page *page)
{
    struct page *head = buddy_head(b, page);
    return head->compound ? head : page;
}

unsigned buddy_order(const struct buddy *b, size_t bytes)
{
    size_t last = (bytes - 1) >> b->machine->page_shift;
    unsigned order = 0;
    while (order < MACHINE_ORDERS && last >> order) order++;
    return order;
}

/* ---- Life ---------------------------------------------------------------------------------------------------------- */

/* All of a zone is free: at its borders in small blocks, between them in the largest (B18). */
static void zone_fill(struct buddy *b, enum machine_zone_id zone)
{
    struct buddy_zone *z = &b->zones[zone];
    const struct machine_zone *range = &b->machine->zones[zone];
    *z = (struct buddy_zone){.start = range->start, .end = range->end, .free = range->end - range->start};
    for (uint32_t pfn = z->start; pfn < z->end;) {
        unsigned order = order_at(b, pfn, z->end - pfn);
        block_list(b, z, pfn, order);
        pfn += UINT32_C(1) << order;
    }
}

static void fill(struct buddy *b)
{
    for (unsigned zone = 0; zone < ZONES; zone++) zone_fill(b, zone);
    buddy_set_marks(b);
}

int buddy_init(struct buddy *b, struct machine *m)
{
    if (m->frames > BUDDY_FRAMES_MAX || m->pkmap_slots > KMAP_SLOTS_MAX || m->max_order >= MACHINE_ORDERS)
        return EINVAL;
    b->machine = m;
    fill(b);
    return 0;
}

/* Where nothing was taken, the records are as they were filled in; unless the zones are others. */
void buddy_reset(struct buddy *b)
{
    for (unsigned zone = 0; zone < ZONES; zone++) {
        const struct machine_zone *now = &b->machine->zones[zone];
        if (b->zones[zone].start != now->start || b->zones[zone].end != now->end) b->touched = UINT32_MAX;
    }
    for (uint32_t left = b->touched; left; left &= left - 1) {
        size_t chunk = (size_t)__builtin_ctz(left) << TOUCHED_SHIFT;
        memset(&b->pages[chunk], 0, sizeof b->pages[0] << TOUCHED_SHIFT);
    }
    b->touched = 0;
    b->free = (struct free_map){0};
    highmem_reset(b);
    fill(b);
}

/* ---- Check --------------------------------------------------------------------------------------------------------- */

static const char *check_block(const struct buddy *b, const struct buddy_zone *z, uint32_t pfn)
{
    const struct page *p = &b->pages[pfn];
    if (p->state != PAGE_FREE && p->state != PAGE_USED) return "a block begins where the one before it ends";
    if (p->order > b->machine->max_order) return "no block is larger than the largest order";
    uint32_t size = UINT32_C(1) << p->order;
    if (pfn & (size - 1)) return "a block is aligned to its size";
    if (size > z->end - pfn) return "a block stays in its zone";
    if (p->state == PAGE_USED) return p->refs ? NULL : "a used block is referred to";
    if (p->order < b->machine->max_order && is_free_block(b, z, pfn ^ size, p->order)) return "free buddies are merged";
    uint64_t word = b->free.words[map_base(p->order) + (pfn >> p->order) / 64];
    return word >> (pfn >> p->order) % 64 & 1 ? NULL : "every free block is in the map";
}

static const char *check_zone(const struct buddy *b, const struct buddy_zone *z)
{
    uint32_t free = 0, blocks[MACHINE_ORDERS] = {0};
    for (uint32_t pfn = z->start; pfn < z->end; pfn += UINT32_C(1) << b->pages[pfn].order) {
        const char *broken = check_block(b, z, pfn);
        if (broken) return broken;
        if (b->pages[pfn].state == PAGE_USED) continue;
        free += UINT32_C(1) << b->pages[pfn].order;
        blocks[b->pages[pfn].order]++;
    }
    if (memcmp(blocks, z->blocks, sizeof blocks) != 0) return "the free blocks of each order are counted";
    return free == z->free ? NULL : "the free frames of a zone are counted";
}

static const char *check_map(const struct buddy *b)
{
    uint32_t blocks = 0, counted = 0;
    for (uint32_t above = 0; above < FREE_MAP_WORDS / 64; above++) {
        static const uint64_t none[64];
        const uint64_t *words = &b->free.words[above * 64], summary = b->free.summary[above];
        if (!summary && memcmp(words, none, sizeof none) == 0) continue; /* as most of the map */
        for (unsigned i = 0; i < 64; i++) {
            if ((summary >> i & 1) != (words[i] != 0)) return "the map's summary shows the words that are not 0";
            if (words[i]) blocks += (uint32_t)__builtin_popcountll(words[i]);
        }
    }
    for (unsigned zone = 0; zone < ZONES; zone++)
        for (unsigned order = 0; order < MACHINE_ORDERS; order++) counted += b->zones[zone].blocks[order];
    return blocks == counted ? NULL : "nothing is in the map but free blocks";
}

const char *buddy_check(const struct buddy *b)
{
    const char *broken = check_map(b);
    for (unsigned zone = 0; zone < ZONES && !broken; zone++) broken = check_zone(b, &b->zones[zone]);
    return broken ? broken : highmem_check(b);
}
