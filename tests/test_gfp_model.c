/* test_gfp_model.c: what masks and contexts allow, name by name. */
#include "gfp_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct machine three_zones = {.zones = {{0, 1024}, {1024, 8192}, {8192, 16384}}};
static const struct machine one_zone = {.zones = {{0, 0}, {0, 64}, {64, 64}}};

static void names_are_made_of_their_bits(void **state)
{
    (void)state;
    assert_int_equal(GFP_KERNEL, GFP_BIT_DIRECT | GFP_BIT_KSWAPD | GFP_BIT_IO | GFP_BIT_FS);
    assert_int_equal(GFP_ATOMIC, GFP_BIT_HIGH | GFP_BIT_KSWAPD);
    assert_int_equal(GFP_NOWAIT, GFP_BIT_KSWAPD | GFP_BIT_NOWARN);
    assert_int_equal(GFP_NOIO, GFP_BIT_DIRECT | GFP_BIT_KSWAPD);
    assert_int_equal(GFP_NOFS, GFP_BIT_DIRECT | GFP_BIT_KSWAPD | GFP_BIT_IO);
    assert_int_equal(GFP_HIGHUSER, GFP_KERNEL | GFP_BIT_HARDWALL | GFP_BIT_HIGHMEM);
    assert_false(mask_reclaims(GFP_DMA, 0));
    assert_int_equal(GFP_BIT_HIGH & GFP_BIT_HIGHMEM, 0);
    assert_int_equal(mask_zone(&three_zones, GFP_ATOMIC), ZONE_NORMAL);
}

static void a_mask_selects_the_highest_zone(void **state)
{
    (void)state;
    assert_int_equal(mask_zone(&three_zones, GFP_KERNEL), ZONE_NORMAL);
    assert_int_equal(mask_zone(&three_zones, GFP_KERNEL | GFP_BIT_DMA), ZONE_DMA);
    assert_int_equal(mask_zone(&three_zones, GFP_KERNEL | GFP_BIT_DMA32), ZONE_NORMAL);
    assert_int_equal(mask_zone(&three_zones, GFP_KERNEL | GFP_BIT_MOVABLE), ZONE_NORMAL);
    assert_int_equal(mask_zone(&three_zones, GFP_HIGHUSER_MOVABLE), ZONE_HIGHMEM);
    assert_int_equal(mask_zone(&three_zones, GFP_KERNEL | GFP_BIT_ACCOUNT | GFP_BIT_HARDWALL), ZONE_NORMAL);
    assert_int_equal(mask_zone(&one_zone, GFP_KERNEL | GFP_BIT_DMA), ZONE_NORMAL);
    assert_int_equal(mask_zone(&one_zone, GFP_HIGHUSER), ZONE_NORMAL);
}

static void two_of_a_kind_are_an_error(void **state)
{
    (void)state;
    assert_int_equal(mask_bad(GFP_HIGHUSER_MOVABLE), RULE_NONE);
    assert_int_equal(mask_bad(GFP_BIT_DMA | GFP_BIT_DMA32), RULE_B4);
    assert_int_equal(mask_bad(GFP_HIGHUSER_MOVABLE | GFP_BIT_DMA), RULE_B4);
    assert_int_equal(mask_bad(GFP_KERNEL | GFP_BIT_MOVABLE | GFP_BIT_RECLAIMABLE), RULE_B5);
}

static void scopes_take_away(void **state)
{
    (void)state;
    assert_int_equal(mask_effective(GFP_KERNEL, SCOPE_NOIO), GFP_NOIO);
    assert_int_equal(mask_effective(GFP_KERNEL, SCOPE_NOFS), GFP_NOFS);
    assert_int_equal(mask_effective(GFP_KERNEL, SCOPE_NOFS | SCOPE_NOIO), GFP_NOIO);
    assert_int_equal(mask_effective(GFP_HIGHUSER_MOVABLE, SCOPE_PIN), GFP_HIGHUSER);
    assert_int_equal(mask_effective(GFP_KERNEL, SCOPE_NORECLAIM), GFP_KERNEL);
    assert_true(mask_reclaims(GFP_KERNEL, SCOPE_NOIO));
    assert_false(mask_reclaims(GFP_KERNEL, SCOPE_NORECLAIM));
}

static void nobody_is_killed_for_a_whim(void **state)
{
    (void)state;
    assert_true(mask_kills(&three_zones, GFP_KERNEL, 0, 3));
    assert_false(mask_kills(&three_zones, GFP_KERNEL, 0, 4));
    assert_false(mask_kills(&three_zones, GFP_KERNEL | GFP_BIT_NORETRY, 0, 0));
    assert_false(mask_kills(&three_zones, GFP_KERNEL | GFP_BIT_RETRY_MAYFAIL, 0, 0));
    assert_false(mask_kills(&three_zones, GFP_KERNEL | GFP_BIT_DMA, 0, 0));
    assert_true(mask_kills(&one_zone, GFP_KERNEL | GFP_BIT_DMA, 0, 0));
    assert_false(mask_kills(&three_zones, GFP_ATOMIC, 0, 0));
}

/* A letter for each context of program.h, as in the table of B48: '.' legal, 'x' an error, 'd' put off. */
static void assert_row(enum kernel_act act, unsigned gfp, unsigned scope, const char *expected)
{
    char row[CONTEXT_KINDS + 1] = "";
    for (unsigned i = 0; i < CONTEXT_KINDS; i++) {
        const struct machine_context c = context_of((enum program_context)i, scope);
        struct context_ruling r = context_rules(act, gfp, &c);
        row[i] = r.must != REPORT_KINDS ? 'x' : r.deferred ? 'd' : '.';
    }
    assert_string_equal(row, expected);
}

static void the_table_of_contexts(void **state)
{
    (void)state;
    /* task, spinlock, irqs off, bh off, softirq, hardirq, nmi */
    assert_row(ACT_ALLOC, GFP_KERNEL, 0, ".xxxxxx");
    assert_row(ACT_ALLOC, GFP_ATOMIC, 0, "......x");
    assert_row(ACT_ALLOC, GFP_KERNEL, SCOPE_NORECLAIM, "......x");
    assert_row(ACT_FREE, 0, 0, "......x");
    assert_row(ACT_BULK, GFP_ATOMIC, 0, "..x..xx");
    assert_row(ACT_BULK, GFP_KERNEL, 0, ".xxxxxx");
    assert_row(ACT_CACHE, GFP_KERNEL, 0, ".xxxxxx");
    assert_row(ACT_MAP, GFP_KERNEL, 0, ".xxxxxx");
    assert_row(ACT_VFREE, 0, 0, ".xxdddx");
    assert_row(ACT_VFREE_ATOMIC, 0, 0, "ddddddx");
    assert_row(ACT_KMAP, 0, 0, ".xxxxxx");
    assert_row(ACT_KMAP_LOCAL, 0, 0, "......x");
    assert_row(ACT_QUERY, 0, 0, ".......");
}

static bool permitted(enum kernel_act act, unsigned gfp, enum machine_event_kind kind)
{
    return events_permitted(&three_zones, act, gfp, 0) >> kind & 1;
}

static void events_follow_the_mask(void **state)
{
    (void)state;
    assert_true(permitted(ACT_ALLOC, GFP_KERNEL, EVENT_FS));
    assert_true(permitted(ACT_ALLOC, GFP_NOFS, EVENT_IO));
    assert_false(permitted(ACT_ALLOC, GFP_NOFS, EVENT_FS));
    assert_false(permitted(ACT_ALLOC, GFP_NOIO, EVENT_IO));
    assert_true(permitted(ACT_ALLOC, GFP_NOIO, EVENT_DIRECT_RECLAIM));
    assert_false(permitted(ACT_ALLOC, GFP_NOWAIT, EVENT_DIRECT_RECLAIM));
    assert_false(permitted(ACT_ALLOC, GFP_NOWAIT, EVENT_MIGHT_SLEEP));
    assert_true(permitted(ACT_ALLOC, GFP_NOWAIT, EVENT_WAKE_KSWAPD));
    assert_false(permitted(ACT_ALLOC, GFP_DMA, EVENT_WAKE_KSWAPD));
    assert_false(permitted(ACT_ALLOC, GFP_KERNEL, EVENT_MAP));
    assert_true(permitted(ACT_MAP, GFP_KERNEL, EVENT_MAP));
    assert_false(permitted(ACT_FREE, 0, EVENT_SLEPT));
    assert_false(permitted(ACT_QUERY, 0, EVENT_TAKE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_made_of_their_bits), cmocka_unit_test(a_mask_selects_the_highest_zone),
        cmocka_unit_test(two_of_a_kind_are_an_error),   cmocka_unit_test(scopes_take_away),
        cmocka_unit_test(nobody_is_killed_for_a_whim),  cmocka_unit_test(the_table_of_contexts),
        cmocka_unit_test(events_follow_the_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
