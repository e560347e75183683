/* test_buddy.c: the page allocator's blocks: their form, their lives, and the contract errors about them (B12-B27). */
#include "buddy_fixture.h"

#include "builtin.h"

static uint32_t dice_state;

static uint32_t dice(uint32_t sides)
{
    dice_state = dice_state * UINT32_C(1664525) + UINT32_C(1013904223);
    return (dice_state >> 8) % sides;
}

/* ---- The canonical form (B17) --------------------------------------------------------------------------------------- */

static bool owned[BUDDY_FRAMES_MAX];

/* Counts the maximal free blocks of a zone from nothing but who owns which frame. */
static void blocks_by_force(enum machine_zone_id zone, uint32_t blocks[MACHINE_ORDERS])
{
    const struct machine_zone *z = &machine.zones[zone];
    static bool covered[BUDDY_FRAMES_MAX];
    memcpy(covered, owned, sizeof covered);
    memset(blocks, 0, MACHINE_ORDERS * sizeof *blocks);
    for (unsigned order = machine.max_order + 1; order-- > 0;) {
        const uint32_t size = UINT32_C(1) << order;
        for (uint32_t pfn = (z->start + size - 1) / size * size; pfn + size <= z->end; pfn += size) {
            uint32_t i = 0;
            while (i < size && !covered[pfn + i]) i++;
            if (i < size) continue;
            memset(&covered[pfn], true, size);
            blocks[order]++;
        }
    }
}

static void assert_canonical(void)
{
    assert_null(buddy_check(b));
    for (unsigned zone = 0; zone < ZONES; zone++) {
        uint32_t blocks[MACHINE_ORDERS];
        struct zone_info info;
        buddy_op_zone_info(b, zone, &info);
        blocks_by_force(zone, blocks);
        assert_memory_equal(blocks, info.blocks, sizeof blocks);
    }
}

static void own(const struct page *page, bool is) { memset(&owned[buddy_pfn(b, page)], is, (size_t)1 << page->order); }

/* Many blocks, few of them large, so that zones are full and torn most of the time. */
static void churn(enum machine_config config, unsigned steps)
{
    enum { HELD = 512 };
    static struct page *held[HELD];
    power_on(config);
    memset(owned, 0, sizeof owned);
    memset(held, 0, sizeof held);
    for (unsigned step = 0; step < steps; step++) {
        struct page **at = &held[dice(HELD)];
        if (*at) {
            own(*at, false);
            buddy_free(b, *at, (*at)->order);
            *at = NULL;
        } else {
            static const unsigned zone_bits[] = {0, GFP_BIT_DMA, GFP_BIT_HIGHMEM, GFP_BIT_HIGHMEM | GFP_BIT_MOVABLE};
            unsigned order = dice(4) ? dice(5) : dice(machine.max_order + 1);
            *at = buddy_alloc(b, GFP_NOWAIT | zone_bits[dice(4)], order);
            if (*at) own(*at, true);
        }
        if (step % 64 == 0) assert_canonical();
    }
    for (unsigned i = 0; i < HELD; i++)
        if (held[i]) buddy_free(b, held[i], held[i]->order);
    memset(owned, 0, sizeof owned);
    assert_canonical();
    assert_int_equal(reported(), NONE);
}

static void free_blocks_follow_from_free_frames(void **state)
{
    (void)state;
    for (dice_state = 1; dice_state < 4; dice_state++) {
        const uint32_t seed = dice_state;
        churn(MACHINE_S64, 4000);
        churn(MACHINE_S4, 2000);
        churn(MACHINE_SODD, 4000);
        dice_state = seed;
    }
}

/* B18: zones that begin and end anywhere; the frames at the borders never become one block. */
static void odd_borders_keep_blocks_apart(void **state)
{
    (void)state;
    power_on(MACHINE_SODD);
    memset(owned, 0, sizeof owned);
    assert_canonical();
    assert_int_equal(b->zones[ZONE_DMA].blocks[3], 1); /* 992-999: 1000 = 512 + 256 + 128 + 64 + 32 + 8 */
    assert_int_equal(b->zones[ZONE_DMA].blocks[9], 1);
    assert_int_equal(b->zones[ZONE_NORMAL].blocks[0], 1); /* 5002 */
    for (unsigned order = 0; order <= machine.max_order; order++) {
        struct page *page = buddy_alloc(b, GFP_KERNEL, order);
        uint32_t pfn = buddy_pfn(b, page);
        assert_int_equal(pfn % (1u << order), 0);
        assert_true(pfn >= 1000 && pfn + (1u << order) <= 5003);
    }
}

/* B15: the smallest block that is large enough, the lowest of them, its low part. */
static void the_smallest_block_is_split(void **state)
{
    (void)state;
    power_on(MACHINE_S4);
    struct page *small = buddy_alloc(b, GFP_KERNEL, 1);
    assert_int_equal(buddy_pfn(b, small), 0);
    assert_int_equal(events(EVENT_SPLIT), 3);
    struct page *next = buddy_alloc(b, GFP_KERNEL, 2);
    assert_int_equal(buddy_pfn(b, next), 4);
    assert_int_equal(events(EVENT_SPLIT), 3);
    assert_int_equal(buddy_pfn(b, buddy_alloc(b, GFP_KERNEL, 0)), 2);
    assert_int_equal(events(EVENT_SPLIT), 4);
    assert_int_equal(events(EVENT_MERGE), 0);
    buddy_free(b, next, 2);
    assert_int_equal(events(EVENT_MERGE), 0); /* its buddy is not free */
    buddy_free(b, small, 1);
    assert_int_equal(events(EVENT_MERGE), 0); /* nor is 2 */
    assert_null(buddy_check(b));
}

/* ---- Records and addresses (B1, B6, B27) ---------------------------------------------------------------------------- */

static void pages_frames_and_addresses_are_each_others_index(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    for (uint32_t pfn = 0; pfn < machine.frames; pfn += 97) {
        struct page *page = buddy_page(b, pfn);
        unsigned char *at = buddy_page_address(b, page);
        assert_int_equal(buddy_pfn(b, page), pfn);
        assert_ptr_equal(at, machine_direct(&machine, pfn));
        if (at) assert_ptr_equal(buddy_virt_to_page(b, at + 4095), page);
    }
    assert_null(buddy_page(b, machine.frames));
    assert_null(buddy_virt_to_page(b, machine.direct - 1));
    assert_null(buddy_virt_to_page(b, machine.direct + machine.lowmem_frames * machine.page_bytes));
}

static void tails_know_their_head(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    struct page *compound = buddy_alloc(b, GFP_KERNEL | GFP_BIT_COMP, 5), *plain = buddy_alloc(b, GFP_KERNEL, 5);
    for (unsigned i = 0; i < 32; i++) {
        assert_ptr_equal(buddy_compound_head(b, compound + i), compound);
        assert_ptr_equal(buddy_compound_head(b, plain + i), plain + i);
        assert_ptr_equal(buddy_head(b, plain + i), plain);
    }
}

static void orders_hold_bytes(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    assert_int_equal(buddy_order(b, 1), 0);
    assert_int_equal(buddy_order(b, 4096), 0);
    assert_int_equal(buddy_order(b, 4097), 1);
    assert_int_equal(buddy_order(b, (4u << 20) - 4096), 10);
    assert_int_equal(buddy_order(b, 4u << 20), 10);
    assert_int_equal(buddy_order(b, (4u << 20) + 1), MACHINE_ORDERS);
    assert_int_equal(buddy_order(b, SIZE_MAX), MACHINE_ORDERS);
}

/* ---- References, splitting, exact and bulk (B23-B26) ------------------------------------------------------------------ */

static void a_referred_head_stays_alone(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    uint32_t before = b->zones[ZONE_NORMAL].free;
    struct page *page = buddy_alloc(b, GFP_KERNEL, 3);
    buddy_get(b, page);
    buddy_free(b, page, 3);
    assert_int_equal(b->zones[ZONE_NORMAL].free, before - 1);
    assert_int_equal(page->order, 0);
    buddy_free(b, page, 0);
    assert_int_equal(b->zones[ZONE_NORMAL].free, before);

    page = buddy_alloc(b, GFP_KERNEL | GFP_BIT_COMP, 3);
    buddy_get(b, page + 5);
    buddy_free(b, page, 3);
    assert_int_equal(b->zones[ZONE_NORMAL].free, before - 8);
    buddy_put(b, page + 2);
    assert_int_equal(b->zones[ZONE_NORMAL].free, before);
    assert_int_equal(reported(), NONE);
    assert_null(buddy_check(b));
}

static void a_split_page_is_freed_one_by_one(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    uint32_t before = b->zones[ZONE_NORMAL].free;
    struct page *page = buddy_alloc(b, GFP_KERNEL, 4);
    buddy_split(b, page, 4);
    assert_int_equal(b->zones[ZONE_NORMAL].free, before - 16);
    for (unsigned i = 0; i < 16; i++) buddy_free(b, page + (i * 7) % 16, 0);
    assert_int_equal(b->zones[ZONE_NORMAL].free, before);
    assert_int_equal(reported(), NONE);
    assert_int_equal(b->zones[ZONE_NORMAL].blocks[10], 7);

    page = buddy_alloc(b, GFP_KERNEL | GFP_BIT_COMP, 4);
    buddy_split(b, page, 4);
    assert_int_equal(reported(), REPORT_BUG);
}

static void exact_keeps_no_surplus(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    uint32_t before = b->zones[ZONE_NORMAL].free;
    for (size_t bytes = 1; bytes < 300000; bytes = bytes * 5 / 3 + 7) {
        unsigned char *p = buddy_alloc_exact(b, bytes, GFP_KERNEL);
        assert_int_equal(b->zones[ZONE_NORMAL].free, before - (bytes + 4095) / 4096);
        assert_null(buddy_check(b));
        memset(p, 0x5A, bytes);
        buddy_free_exact(b, p, bytes + 4096);
        assert_int_equal(reported(), REPORT_BAD_FREE_ORDER);
        buddy_free_exact(b, p, bytes);
        assert_int_equal(b->zones[ZONE_NORMAL].free, before);
    }
    assert_null(buddy_alloc_exact(b, (4u << 20) + 1, GFP_KERNEL | GFP_BIT_NOWARN));
    assert_int_equal(events(EVENT_WARN), 0);
    assert_non_null(buddy_alloc_exact(b, 5000, GFP_KERNEL | GFP_BIT_COMP | GFP_BIT_HIGHMEM));
    assert_int_equal(events(EVENT_WARN), 1);
    assert_int_equal(reported(), NONE);
    assert_null(buddy_alloc_exact(b, 0, GFP_KERNEL));
    assert_int_equal(reported(), REPORT_CONTRACT_WARN);
}

static void bulk_fills_empty_slots(void **state)
{
    (void)state;
    power_on(MACHINE_S4);
    struct page *array[80] = {0}, *mine = buddy_alloc(b, GFP_KERNEL, 0);
    array[3] = array[5] = mine;
    assert_int_equal(buddy_alloc_bulk(b, GFP_KERNEL, 8, array), 8);
    assert_ptr_equal(array[3], mine);
    assert_int_equal(b->zones[ZONE_NORMAL].free, 64 - 7);
    assert_int_equal(buddy_alloc_bulk(b, GFP_KERNEL, 80, array), 8 + 57);
    assert_null(array[65]);
    assert_int_equal(b->zones[ZONE_NORMAL].free, 0);
    assert_int_equal(events(EVENT_WARN), 0);
    assert_int_equal(buddy_alloc_bulk(b, GFP_NOWAIT, 0, array), 0);
}

/* ---- Contract errors (B22, C43) --------------------------------------------------------------------------------------- */

static void misuse_is_reported_and_changes_nothing(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    static struct buddy before;
    struct page *page = buddy_alloc(b, GFP_KERNEL, 3), *freed = buddy_alloc(b, GFP_KERNEL, 2);
    struct page *slab = buddy_alloc(b, GFP_KERNEL, 1);
    unsigned char *at = buddy_page_address(b, page), *exact = buddy_alloc_exact(b, 9000, GFP_KERNEL);
    slab->kind = PAGE_SLAB;
    buddy_free(b, freed, 2);
    before = *b;

#define REPORTS(call, expected)                         \
    do {                                                \
        call;                                           \
        assert_int_equal(reported(), expected);         \
        assert_memory_equal(b, &before, sizeof before); \
    } while (0)
    REPORTS(buddy_free(b, page, 2), REPORT_BAD_FREE_ORDER);
    REPORTS(buddy_free(b, page, 11), REPORT_BAD_FREE_ORDER);
    REPORTS(buddy_free(b, page + 1, 0), REPORT_BAD_FREE_ORDER);
    REPORTS(buddy_free(b, freed, 2), REPORT_DOUBLE_FREE);
    REPORTS(buddy_free(b, freed + 3, 0), REPORT_DOUBLE_FREE);
    REPORTS(buddy_free(b, buddy_page(b, 16000), 0), REPORT_DOUBLE_FREE);
    REPORTS(buddy_free(b, slab, 1), REPORT_WRONG_FREE);
    REPORTS(buddy_put(b, slab), REPORT_WRONG_FREE);
    REPORTS(buddy_put(b, page), REPORT_BAD_FREE_ORDER);
    REPORTS(buddy_put(b, freed), REPORT_DOUBLE_FREE);
    REPORTS(buddy_get(b, freed), REPORT_BUG);
    REPORTS(buddy_get(b, page + 1), REPORT_BUG);
    REPORTS(buddy_op_free_pages(b, at + 1, 3), REPORT_BAD_FREE);
    REPORTS(buddy_op_free_pages(b, machine.vmalloc_start, 0), REPORT_BAD_FREE);
    REPORTS(buddy_op_free_pages(b, exact, 0), REPORT_BAD_FREE_ORDER);
    REPORTS(buddy_free_exact(b, exact + 4096, 9000), REPORT_BAD_FREE_ORDER);
    REPORTS(buddy_free_exact(b, exact, 0), REPORT_BAD_FREE_ORDER);
    REPORTS(buddy_free_exact(b, at, 8 * 4096), REPORT_BAD_FREE_ORDER);
    REPORTS(buddy_free_exact(b, NULL, 4096), REPORT_BAD_FREE);
    REPORTS(buddy_split(b, freed, 2), REPORT_BUG);
    REPORTS(buddy_op_free_pages(b, NULL, 3), NONE);
#undef REPORTS
    buddy_op_free_pages(b, at, 3);
    assert_int_equal(reported(), NONE);
}

/* ---- Life -------------------------------------------------------------------------------------------------------------- */

static void a_reset_leaves_nothing(void **state)
{
    (void)state;
    static struct buddy fresh;
    const enum machine_config order[] = {MACHINE_S64, MACHINE_S64, MACHINE_SODD, MACHINE_S4, MACHINE_SMAP, MACHINE_S64};
    for (size_t i = 0; i + 1 < sizeof order / sizeof order[0]; i++) {
        const struct machine_geometry geometry = {.config = order[i + 1]};
        power_on(order[i + 1]);
        fresh = *b;
        power_on(order[i]);
        for (unsigned j = 0; j < 300; j++) {
            struct page *page = buddy_alloc(b, j % 3 ? GFP_NOWAIT : GFP_NOWAIT | GFP_BIT_HIGHMEM, dice(6));
            if (page && j % 2) buddy_kmap(b, page);
            else if (page && j % 5) buddy_free(b, page, page->order);
        }
        assert_int_equal(machine_fresh(&machine, &geometry, NULL), 0);
        buddy_reset(b);
        assert_memory_equal(b, &fresh, sizeof fresh);
    }
}

static void the_heap_serves_in_whole_blocks(void **state)
{
    (void)state;
    const struct alloc_ops *ops = &alloc_buddy;
    power_on(MACHINE_S64);
    const uint32_t before = b->zones[ZONE_NORMAL].free;
    unsigned char *p = ops->malloc(b, 5000), *aligned = ops->aligned_alloc(b, 1 << 20, 5000);
    assert_int_equal(ops->usable_size(b, p), 8192);
    assert_int_equal(ops->usable_size(b, aligned), 8192);
    assert_int_equal((uintptr_t)aligned % (1 << 20), 0);
    assert_int_equal(b->zones[ZONE_NORMAL].free, before - 4);
    memset(p, 7, 8192);
    assert_ptr_equal(ops->realloc(b, p, 8000), p);
    assert_ptr_equal(ops->realloc(b, p, 1), p);
    assert_int_equal(ops->usable_size(b, p), 4096);
    unsigned char *q = ops->realloc(b, p, 4097);
    assert_int_equal(q[4095], 7);
    unsigned char *z = ops->calloc(b, 3, 3000);
    for (unsigned i = 0; i < 9000; i++) assert_int_equal(z[i], 0);
    ops->free(b, q + 4096);
    assert_int_equal(reported(), REPORT_BAD_FREE);
    ops->free_sized(b, q, 100000);
    assert_int_equal(reported(), REPORT_BAD_FREE);
    ops->free_sized(b, q, 4097);
    ops->free(b, q);
    assert_int_equal(reported(), REPORT_DOUBLE_FREE);
    buddy_op_free_pages(b, z, 2);
    assert_int_equal(reported(), REPORT_WRONG_FREE);
    ops->free(b, z);
    ops->free(b, aligned);
    assert_int_equal(b->zones[ZONE_NORMAL].free, before);
    assert_int_equal(reported(), NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_blocks_follow_from_free_frames),
        cmocka_unit_test(odd_borders_keep_blocks_apart),
        cmocka_unit_test(the_smallest_block_is_split),
        cmocka_unit_test(pages_frames_and_addresses_are_each_others_index),
        cmocka_unit_test(tails_know_their_head),
        cmocka_unit_test(orders_hold_bytes),
        cmocka_unit_test(a_referred_head_stays_alone),
        cmocka_unit_test(a_split_page_is_freed_one_by_one),
        cmocka_unit_test(exact_keeps_no_surplus),
        cmocka_unit_test(bulk_fills_empty_slots),
        cmocka_unit_test(misuse_is_reported_and_changes_nothing),
        cmocka_unit_test(a_reset_leaves_nothing),
        cmocka_unit_test(the_heap_serves_in_whole_blocks),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
