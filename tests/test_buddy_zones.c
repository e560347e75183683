/* test_buddy_zones.c: which zone serves a request, down to which mark, and what is done for it if none does (B28-B50). */
#include "buddy_fixture.h"

#include "gfp.h"

static uint32_t free_in(enum machine_zone_id zone) { return b->zones[zone].free; }

/* Takes single frames until a zone serves no more; its free frames then. */
static uint32_t floor_of(enum machine_zone_id zone, unsigned gfp)
{
    for (;;) {
        struct page *page = buddy_alloc(b, gfp, 0);
        if (!page) return free_in(zone);
        if (zone_of(page) == zone) continue;
        buddy_free(b, page, 0);
        return free_in(zone);
    }
}

/* Takes everything, whatever the marks say, and gives `kept` frames of NORMAL back. */
static void exhaust(uint32_t kept)
{
    while (buddy_alloc(b, GFP_BIT_MEMALLOC | GFP_BIT_HIGHMEM | GFP_BIT_NOWARN, 0)) continue;
    for (uint32_t i = 0; i < kept; i++) buddy_free(b, buddy_page(b, machine.zones[ZONE_NORMAL].start + i), 0);
    machine_events_clear(&machine);
}

/* ---- Marks (B31-B35, E15) --------------------------------------------------------------------------------------------- */

static void marks_and_reserves_are_those_of_s64(void **state)
{
    static const struct {
        uint32_t min, low, high, reserve[ZONES];
    } expected[ZONES] = {[ZONE_DMA] = {22, 27, 32, {0, 28, 60}},
                         [ZONE_NORMAL] = {158, 197, 236, {0, 0, 256}},
                         [ZONE_HIGHMEM] = {32, 77, 122, {0, 0, 0}}};
    (void)state;
    power_on(MACHINE_S64);
    for (unsigned zone = 0; zone < ZONES; zone++) {
        struct zone_info info;
        buddy_op_zone_info(b, zone, &info);
        assert_int_equal(info.mark_min, expected[zone].min);
        assert_int_equal(info.mark_low, expected[zone].low);
        assert_int_equal(info.mark_high, expected[zone].high);
        assert_memory_equal(info.lowmem_reserve, expected[zone].reserve, sizeof info.lowmem_reserve);
    }
    power_on(MACHINE_S4);
    assert_int_equal(b->zones[ZONE_NORMAL].mark_high, 0);
}

static void every_right_has_its_floor(void **state)
{
    static const struct {
        unsigned gfp;
        uint32_t floor;
        unsigned level; /* of EVENT_RESERVE, 0: none */
    } expected[] = {
        {GFP_NOWAIT, 158, 0},
        {GFP_BIT_DIRECT | GFP_BIT_NORETRY | GFP_BIT_NOWARN, 158, 0},
        {GFP_ATOMIC, 60, RESERVE_ATOMIC},
        {GFP_ATOMIC | GFP_BIT_NOMEMALLOC, 79, RESERVE_HIGH},
        {GFP_KERNEL | GFP_BIT_HIGH | GFP_BIT_NORETRY, 79, RESERVE_HIGH},
        {GFP_BIT_MEMALLOC, 0, RESERVE_ALL},
        {GFP_NOWAIT | GFP_BIT_MEMALLOC | GFP_BIT_NOMEMALLOC, 158, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        power_on(MACHINE_S64);
        /* Without DMA to fall back on, NORMAL is used down to the floor. */
        while (buddy_alloc(b, GFP_BIT_MEMALLOC | GFP_DMA | GFP_BIT_NOWARN, 0)) continue;
        machine_events_clear(&machine);
        assert_int_equal(floor_of(ZONE_NORMAL, expected[i].gfp), expected[i].floor);
        const unsigned below = expected[i].level ? 158 - expected[i].floor : 0;
        assert_int_equal(events(EVENT_RESERVE), below);
        uint32_t count;
        const struct machine_event *e = machine_events(&machine, &count);
        for (uint32_t j = 0; j < count; j++)
            if (e[j].kind == EVENT_RESERVE) assert_int_equal(e[j].a, expected[i].level);
    }
}

static void the_first_pass_stops_at_the_low_mark(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    while (zone_of(buddy_alloc(b, GFP_KERNEL, 0)) == ZONE_NORMAL) continue;
    assert_int_equal(free_in(ZONE_NORMAL), 197);
    assert_int_equal(events(EVENT_WAKE_KSWAPD), 0);
    while (zone_of(buddy_alloc(b, GFP_KERNEL, 0)) == ZONE_DMA) continue;
    assert_int_equal(free_in(ZONE_DMA), 27 + 28);
    assert_int_equal(events(EVENT_WAKE_KSWAPD), 1);
    assert_true(machine.kswapd_awake);
    assert_int_equal(free_in(ZONE_NORMAL), 196);
    assert_int_equal(events(EVENT_SLEPT), 0);
}

static void larger_orders_are_held_to_the_same_mark(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    while (buddy_alloc(b, GFP_BIT_MEMALLOC | GFP_DMA | GFP_BIT_NOWARN, 0)) continue;
    while (buddy_alloc(b, GFP_NOWAIT, 5)) continue;
    /* 7168 is 224 blocks; the last one granted leaves more than 158 - 1 behind what it takes. */
    assert_int_equal(free_in(ZONE_NORMAL), 160);
    assert_null(buddy_alloc(b, GFP_NOWAIT, 2));
    assert_non_null(buddy_alloc(b, GFP_NOWAIT, 0));
}

static void low_zones_keep_a_reserve_from_high_requests(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    const unsigned high = GFP_NOWAIT | GFP_BIT_HIGHMEM;
    assert_int_equal(floor_of(ZONE_HIGHMEM, high), 77);
    while (buddy_alloc(b, high, 0)) continue;
    assert_int_equal(free_in(ZONE_HIGHMEM), 32);
    assert_int_equal(free_in(ZONE_NORMAL), 158 + 256);
    assert_int_equal(free_in(ZONE_DMA), 22 + 60);
    while (buddy_alloc(b, GFP_NOWAIT, 0)) continue;
    assert_int_equal(free_in(ZONE_NORMAL), 158);
    assert_int_equal(free_in(ZONE_DMA), 22 + 28);
    while (buddy_alloc(b, GFP_DMA | GFP_BIT_NOWARN, 0)) continue;
    assert_int_equal(free_in(ZONE_DMA), 22);
}

static void zone_bits_select_the_highest_zone(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    assert_int_equal(zone_of(buddy_alloc(b, GFP_KERNEL, 0)), ZONE_NORMAL);
    assert_int_equal(zone_of(buddy_alloc(b, GFP_DMA, 0)), ZONE_DMA);
    assert_int_equal(zone_of(buddy_alloc(b, GFP_DMA32, 0)), ZONE_NORMAL);
    assert_int_equal(zone_of(buddy_alloc(b, GFP_HIGHUSER, 0)), ZONE_HIGHMEM);
    assert_int_equal(zone_of(buddy_alloc(b, GFP_HIGHUSER_MOVABLE, 0)), ZONE_HIGHMEM);
    assert_int_equal(zone_of(buddy_alloc(b, GFP_KERNEL | GFP_BIT_MOVABLE, 0)), ZONE_NORMAL);
    power_on(MACHINE_S4);
    assert_int_equal(zone_of(buddy_alloc(b, GFP_DMA, 0)), ZONE_NORMAL);
    assert_int_equal(zone_of(buddy_alloc(b, GFP_HIGHUSER, 0)), ZONE_NORMAL);
}

/* ---- What is done for a request (B37-B41, B121) ----------------------------------------------------------------------- */

static void every_mask_tries_as_hard_as_it_may(void **state)
{
    enum { ONE = 1, MANY = 3 }; /* rounds of reclaim: of three that release something, the first is not enough */
    static const struct {
        unsigned gfp, order, reclaims, kills, warns;
        bool blocks;
    } expected[] = {
        {GFP_NOWAIT, 0, 0, 0, 0, false},
        {GFP_ATOMIC, 0, 0, 0, 1, false},
        {GFP_DMA, 0, 0, 0, 1, false},
        {GFP_KERNEL, 0, MANY, 1, 1, false},
        {GFP_KERNEL, 3, MANY, 1, 1, false},
        {GFP_KERNEL | GFP_BIT_NOWARN, 0, MANY, 1, 0, false},
        {GFP_NOIO, 0, MANY, 1, 1, false},
        {GFP_KERNEL | GFP_DMA, 0, MANY, 0, 1, false},
        {GFP_KERNEL, 4, ONE, 0, 1, false},
        {GFP_KERNEL | GFP_BIT_NORETRY, 0, ONE, 0, 1, false},
        {GFP_KERNEL | GFP_BIT_RETRY_MAYFAIL, 0, MANY, 0, 1, false},
        {GFP_KERNEL | GFP_BIT_RETRY_MAYFAIL, 4, MANY, 0, 1, false},
        {GFP_KERNEL | GFP_BIT_NOFAIL, 0, MANY, 1, 0, true},
        {GFP_KERNEL | GFP_BIT_NOFAIL, 4, MANY, 0, 0, true},
        {GFP_KERNEL | GFP_BIT_NOFAIL | GFP_BIT_NORETRY, 0, MANY, 0, 0, true},
        {GFP_NOWAIT | GFP_BIT_NOFAIL, 0, 0, 0, 0, false},
        {GFP_ATOMIC | GFP_BIT_NOFAIL, 0, 0, 0, 1, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        power_on(MACHINE_S64);
        exhaust(0);
        around.a_round = 1; /* of highmem, which none of the requests can use */
        for (; around.droppables < MANY - 1; around.droppables++)
            around.droppable[around.droppables] = buddy_page(b, machine.frames - 1 - 2 * around.droppables);
        assert_null(buddy_alloc(b, expected[i].gfp, expected[i].order));
        assert_int_equal(around.reclaims, expected[i].reclaims);
        assert_int_equal(events(EVENT_SLEPT), expected[i].reclaims);
        assert_int_equal(events(EVENT_DIRECT_RECLAIM), expected[i].reclaims);
        assert_int_equal(around.kills, expected[i].kills);
        assert_int_equal(events(EVENT_WARN), expected[i].warns);
        assert_int_equal(machine.blocked, expected[i].blocks);
        assert_int_equal(events(EVENT_WAKE_KSWAPD), (expected[i].gfp & GFP_BIT_KSWAPD) != 0);
        assert_int_equal(events(EVENT_MIGHT_SLEEP), (expected[i].gfp & GFP_BIT_DIRECT) != 0);
        assert_int_equal(reported(), NONE);
    }
}

static void reclaim_and_kills_serve_a_request(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    exhaust(158);
    around.a_round = 1;
    around.droppable[around.droppables++] = buddy_page(b, 5000);
    assert_non_null(buddy_alloc(b, GFP_KERNEL, 0));
    assert_int_equal(around.reclaims, 1);
    assert_int_equal(around.kills, 0);
    assert_int_equal(events(EVENT_IO), 1);
    around.victims[around.victim_count++] = buddy_page(b, 5000 - 2);
    assert_non_null(buddy_alloc(b, GFP_KERNEL, 0));
    assert_int_equal(around.kills, 1);
    assert_int_equal(events(EVENT_WARN), 0);
    assert_int_equal(events(EVENT_RESERVE), 0);
}

/* B40: half of the minimum mark, and after a kill all of it. */
static void nofail_digs_deeper_at_each_step(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    exhaust(81);
    const unsigned gfp = GFP_KERNEL | GFP_BIT_NOFAIL;
    assert_non_null(buddy_alloc(b, gfp, 0));
    assert_non_null(buddy_alloc(b, gfp, 0));
    assert_int_equal(free_in(ZONE_NORMAL), 79);
    assert_int_equal(around.kills, 0);
    assert_non_null(buddy_alloc(b, gfp, 0));
    assert_int_equal(around.kills, 1);
    assert_int_equal(events(EVENT_RESERVE), 3);
    assert_null(buddy_alloc(b, gfp, 4));
    assert_true(machine.blocked);
}

static void the_order_has_a_limit(void **state)
{
    (void)state;
    power_on(MACHINE_S4);
    assert_null(buddy_alloc(b, GFP_KERNEL, 5));
    assert_int_equal(events(EVENT_WARN), 1);
    assert_null(buddy_alloc(b, GFP_NOWAIT, 1000));
    assert_int_equal(events(EVENT_WARN), 1);
    assert_int_equal(around.reclaims, 0);
    assert_non_null(buddy_alloc(b, GFP_KERNEL, 4));
}

static void kswapd_reclaims_to_the_high_marks(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    exhaust(230);
    machine.kswapd_awake = true;
    around.a_round = 1;
    for (; around.droppables < 200; around.droppables++)
        around.droppable[around.droppables] = buddy_page(b, 8000 - around.droppables);
    buddy_step_kswapd(b);
    assert_false(machine.kswapd_awake);
    assert_int_equal(around.droppables, 0); /* no more of NORMAL would help the others */
    assert_int_equal(events(EVENT_SLEPT) + events(EVENT_DIRECT_RECLAIM), 0);

    power_on(MACHINE_S64);
    buddy_step_kswapd(b);
    assert_int_equal(around.reclaims, 0);
}

/* ---- Context and scopes (B43-B48) --------------------------------------------------------------------------------------- */

static void sleeping_in_atomic_is_reported(void **state)
{
    static const struct machine_context contexts[] = {
        {.spin_depth = 1}, {.irqs_off = true}, {.bh_off = true}, {.softirq = true}, {.hardirq = true}};
    (void)state;
    for (size_t i = 0; i < sizeof contexts / sizeof contexts[0]; i++) {
        power_on(MACHINE_S64);
        machine.context = contexts[i];
        assert_null(buddy_alloc(b, GFP_NOIO, 0));
        assert_int_equal(reported(), REPORT_SLEEP_IN_ATOMIC);
        assert_null(buddy_op_alloc_pages_exact(b, 5000, GFP_KERNEL));
        assert_int_equal(reported(), REPORT_SLEEP_IN_ATOMIC);
        assert_int_equal(events(EVENT_MIGHT_SLEEP) + events(EVENT_WARN) + events(EVENT_TAKE), 0);
        struct page *page = buddy_alloc(b, GFP_ATOMIC, 0);
        assert_non_null(page);
        buddy_free(b, page, 0);
        machine.context.scope = SCOPE_NORECLAIM;
        assert_non_null(buddy_alloc(b, GFP_KERNEL, 0));
        assert_int_equal(reported(), NONE);
        assert_int_equal(events(EVENT_MIGHT_SLEEP), 0);
    }
}

static void nothing_is_legal_in_an_nmi(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    struct page *page = buddy_alloc(b, GFP_KERNEL, 0);
    machine.context.nmi = true;
    assert_null(buddy_alloc(b, GFP_ATOMIC, 0));
    assert_int_equal(reported(), REPORT_BUG);
    buddy_free(b, page, 0);
    assert_int_equal(reported(), REPORT_BUG);
    assert_int_equal(page->state, PAGE_USED);
}

static void scopes_change_the_mask(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    exhaust(100);
    machine.context.scope = SCOPE_NOFS;
    buddy_alloc(b, GFP_KERNEL, 0);
    assert_int_equal(around.gfp, GFP_NOFS);
    machine.context.scope = SCOPE_NOIO | SCOPE_NOFS;
    buddy_alloc(b, GFP_KERNEL, 0);
    assert_int_equal(around.gfp, GFP_NOIO);
    around.reclaims = 0;
    machine_events_clear(&machine);
    machine.context.scope = SCOPE_NORECLAIM;
    assert_non_null(buddy_alloc(b, GFP_KERNEL, 0));
    assert_int_equal(events(EVENT_RESERVE), 1);
    assert_int_equal(around.reclaims, 0);
    machine.context.hardirq = true;
    assert_null(buddy_alloc(b, GFP_NOWAIT, 0));
    assert_int_equal(gfp_effective(&machine, GFP_HIGHUSER_MOVABLE), GFP_HIGHUSER_MOVABLE);
    machine.context.scope = SCOPE_PIN;
    assert_int_equal(gfp_effective(&machine, GFP_HIGHUSER_MOVABLE), GFP_HIGHUSER);
    assert_int_equal(reported(), NONE);
}

static void bad_masks_are_reported(void **state)
{
    static const unsigned bad[] = {GFP_DMA | GFP_DMA32, GFP_DMA | GFP_BIT_HIGHMEM, GFP_HIGHUSER_MOVABLE | GFP_DMA32,
                                   GFP_NOWAIT | GFP_BIT_MOVABLE | GFP_BIT_RECLAIMABLE};
    (void)state;
    power_on(MACHINE_S64);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(buddy_alloc(b, bad[i], 0));
        assert_int_equal(reported(), REPORT_BAD_GFP);
    }
    assert_non_null(buddy_op_get_free_pages(b, GFP_DMA | GFP_BIT_HIGHMEM, 0));
    assert_int_equal(reported(), NONE);
}

/* B114, B116. */
static void a_fault_leaves_no_trace(void **state)
{
    static struct buddy before;
    const struct machine_injection second = {.nth = 2, .waiting_too = true, .highmem_too = true};
    (void)state;
    power_on(MACHINE_S64);
    machine_inject(&machine, FAULT_PAGES, &second);
    assert_non_null(buddy_alloc(b, GFP_KERNEL, 1));
    before = *b;
    assert_null(buddy_alloc(b, GFP_KERNEL | GFP_BIT_NOWARN, 1));
    assert_int_equal(events(EVENT_INJECTED), 1);
    assert_int_equal(events(EVENT_WARN) + events(EVENT_SLEPT), 0);
    assert_memory_equal(b, &before, sizeof before);
    machine_inject(&machine, FAULT_PAGES, &second);
    for (int i = 0; i < 3; i++) assert_non_null(buddy_alloc(b, GFP_KERNEL | GFP_BIT_NOFAIL, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_and_reserves_are_those_of_s64),
        cmocka_unit_test(every_right_has_its_floor),
        cmocka_unit_test(the_first_pass_stops_at_the_low_mark),
        cmocka_unit_test(larger_orders_are_held_to_the_same_mark),
        cmocka_unit_test(low_zones_keep_a_reserve_from_high_requests),
        cmocka_unit_test(zone_bits_select_the_highest_zone),
        cmocka_unit_test(every_mask_tries_as_hard_as_it_may),
        cmocka_unit_test(reclaim_and_kills_serve_a_request),
        cmocka_unit_test(nofail_digs_deeper_at_each_step),
        cmocka_unit_test(the_order_has_a_limit),
        cmocka_unit_test(kswapd_reclaims_to_the_high_marks),
        cmocka_unit_test(sleeping_in_atomic_is_reported),
        cmocka_unit_test(nothing_is_legal_in_an_nmi),
        cmocka_unit_test(scopes_change_the_mask),
        cmocka_unit_test(bad_masks_are_reported),
        cmocka_unit_test(a_fault_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
