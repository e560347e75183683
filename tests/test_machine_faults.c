/* test_machine_faults.c: every fault of the simulated machine, by name, and every way it can strike (B40, B113-B117). */
#include "backing.h"
#include "kernel.h"
#include "machine_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PAGE = 4096 };

static struct machine m;

static int set_up(void **state)
{
    (void)state;
    machine_init(&m);
    return machine_fresh(&m, &(struct machine_geometry){.config = MACHINE_S64}, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    machine_close(&m);
    return 0;
}

static void inject(enum machine_fault fault, struct machine_injection how) { machine_inject(&m, fault, &how); }

/* One attempt that applies whatever the filters say: atomic, lowmem, of order 3. */
static bool attempt(enum machine_fault fault) { return machine_fails(&m, fault, GFP_ATOMIC, 8 * PAGE); }

/* The attempts 1 .. 32 that fail, as bits. */
static uint32_t pattern(enum machine_fault fault)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < 32; i++) bits |= (uint32_t)attempt(fault) << i;
    return bits;
}

/* ---- How a fault strikes (B115) ------------------------------------------------------------------------------------------ */

static void nothing_fails_that_is_not_armed(void **state)
{
    (void)state;
    for (unsigned armed = 0; armed < FAULTS; armed++) {
        for (unsigned fault = 0; fault < FAULTS; fault++) inject(fault, (struct machine_injection){0});
        inject(armed, (struct machine_injection){.interval = 1, .times = -1});
        for (unsigned fault = 0; fault < FAULTS; fault++) assert_int_equal(attempt(fault), fault == armed);
    }
}

static void the_nth_attempt_fails_once(void **state)
{
    (void)state;
    for (unsigned fault = 0; fault < FAULTS; fault++)
        for (uint32_t n = 1; n <= 32; n++) {
            inject(fault, (struct machine_injection){.nth = n});
            machine_events_clear(&m);
            assert_int_equal(pattern(fault), UINT32_C(1) << (n - 1));
            assert_int_equal(pattern(fault), 0);
            assert_int_equal(machine_attempts(&m, fault), 64);
            uint32_t count;
            const struct machine_event *events = machine_events(&m, &count);
            assert_int_equal(count, 1); /* B116 */
            assert_true(events[0].kind == EVENT_INJECTED && events[0].a == fault);
        }
}

static void the_count_starts_anew_when_armed(void **state)
{
    (void)state;
    inject(FAULT_VA, (struct machine_injection){.nth = 2});
    assert_false(attempt(FAULT_VA));
    inject(FAULT_VA, (struct machine_injection){.nth = 2});
    assert_int_equal(machine_attempts(&m, FAULT_VA), 0);
    assert_false(attempt(FAULT_VA));
    assert_true(attempt(FAULT_VA));
    inject(FAULT_VA, (struct machine_injection){0});
    assert_int_equal(machine_attempts(&m, FAULT_VA), 0);
    assert_int_equal(pattern(FAULT_VA), 0);
}

static void intervals_and_times(void **state)
{
    (void)state;
    static const struct {
        uint32_t interval;
        int32_t times;
        uint32_t pattern;
    } cases[] = {
        {1, -1, UINT32_MAX}, {1, 3, 7}, {2, -1, 0xAAAAAAAA}, {5, 2, 1u << 4 | 1u << 9},
        {40, -1, 0},         {3, 0, 0}, {32, 1, 1u << 31},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        inject(FAULT_SLAB, (struct machine_injection){.interval = cases[i].interval, .times = cases[i].times});
        assert_int_equal(pattern(FAULT_SLAB), cases[i].pattern);
    }
    inject(FAULT_SLAB, (struct machine_injection){.interval = 8, .times = 1, .nth = 3}); /* both at once */
    assert_int_equal(pattern(FAULT_SLAB), 1u << 2 | 1u << 7);
}

static void percent_is_drawn_from_the_seed(void **state) /* C37 */
{
    (void)state;
    uint32_t seen[3];
    for (uint32_t seed = 0; seed < 3; seed++)
        for (unsigned round = 0; round < 2; round++) {
            machine_fresh(&m, &(struct machine_geometry){.config = MACHINE_S64, .seed = seed}, NULL);
            inject(FAULT_PAGES, (struct machine_injection){.interval = 1, .times = -1, .percent = 50});
            uint32_t now = pattern(FAULT_PAGES);
            if (round) assert_int_equal(now, seen[seed]);
            seen[seed] = now;
        }
    assert_true(seen[0] != seen[1] && seen[1] != seen[2]);
    const uint8_t percents[] = {1, 30, 99, 100, 0};
    for (size_t i = 0; i < sizeof percents; i++) {
        unsigned failed = 0, expected = percents[i] ? percents[i] * 100 : 10000;
        inject(FAULT_PAGES, (struct machine_injection){.interval = 1, .times = -1, .percent = percents[i]});
        for (unsigned k = 0; k < 10000; k++) failed += attempt(FAULT_PAGES);
        assert_in_range(failed, expected < 200 ? 0 : expected - 200, expected + 200);
        if (expected == 10000) assert_int_equal(failed, 10000);
    }
    inject(FAULT_PAGES, (struct machine_injection){.interval = 1, .times = 5, .percent = 50});
    unsigned failed = 0;
    for (unsigned k = 0; k < 1000; k++) failed += attempt(FAULT_PAGES);
    assert_int_equal(failed, 5); /* a miss of the dice takes none of the times */
}

static void space_is_granted_before_the_first_failure(void **state)
{
    (void)state;
    inject(FAULT_SLAB, (struct machine_injection){.interval = 1, .times = -1, .space_bytes = 1000});
    for (unsigned i = 0; i < 10; i++) assert_false(machine_fails(&m, FAULT_SLAB, 0, 100));
    for (unsigned i = 0; i < 10; i++) assert_true(machine_fails(&m, FAULT_SLAB, 0, 1));
    inject(FAULT_SLAB, (struct machine_injection){.interval = 2, .times = -1, .space_bytes = 1000});
    assert_false(machine_fails(&m, FAULT_SLAB, 0, 999));
    assert_false(machine_fails(&m, FAULT_SLAB, 0, 2)); /* exceeds what is left: the first of the interval */
    assert_true(machine_fails(&m, FAULT_SLAB, 0, 1));  /* the rest is not granted any more */
    inject(FAULT_SLAB, (struct machine_injection){.nth = 1, .space_bytes = 1000});
    assert_true(machine_fails(&m, FAULT_SLAB, 0, 1));
}

/* ---- Whom it strikes -------------------------------------------------------------------------------------------------------- */

static void nofail_is_exempt(void **state) /* B40, B113, B114 */
{
    (void)state;
    for (unsigned fault = 0; fault < FAULTS; fault++) {
        inject(fault, (struct machine_injection){
                          .interval = 1, .times = -1, .nth = 1, .waiting_too = true, .highmem_too = true});
        assert_false(machine_fails(&m, fault, GFP_KERNEL | GFP_BIT_NOFAIL, 8 * PAGE));
        assert_false(machine_fails(&m, fault, GFP_ATOMIC | GFP_BIT_NOFAIL, 8 * PAGE));
        assert_int_equal(machine_attempts(&m, fault), 0);
        assert_true(machine_fails(&m, fault, GFP_KERNEL, 8 * PAGE));
    }
}

static void requests_that_may_sleep_are_left_alone_as_in_the_kernel(void **state) /* B113, B114, B117 */
{
    (void)state;
    for (unsigned fault = 0; fault < FAULTS; fault++) {
        bool kernels = fault == FAULT_SLAB || fault == FAULT_FILTERED || fault == FAULT_PAGES;
        inject(fault, (struct machine_injection){.nth = 1});
        assert_int_equal(machine_fails(&m, fault, GFP_KERNEL, 8 * PAGE), !kernels);
        inject(fault, (struct machine_injection){.nth = 1, .waiting_too = true});
        assert_true(machine_fails(&m, fault, GFP_KERNEL, 8 * PAGE));
        inject(fault, (struct machine_injection){.nth = 1});
        assert_true(machine_fails(&m, fault, GFP_NOWAIT, 8 * PAGE));
    }
}

static void pages_of_highmem_and_of_small_orders_are_left_alone(void **state) /* B114 */
{
    (void)state;
    unsigned high = GFP_ATOMIC | GFP_BIT_HIGHMEM;
    inject(FAULT_PAGES, (struct machine_injection){.nth = 1});
    assert_false(machine_fails(&m, FAULT_PAGES, high, PAGE));
    assert_int_equal(machine_attempts(&m, FAULT_PAGES), 0);
    inject(FAULT_PAGES, (struct machine_injection){.nth = 1, .highmem_too = true});
    assert_true(machine_fails(&m, FAULT_PAGES, high, PAGE));
    inject(FAULT_SLAB, (struct machine_injection){.nth = 1}); /* not its affair */
    assert_true(machine_fails(&m, FAULT_SLAB, high, PAGE));
    for (uint8_t min = 0; min <= 10; min++)
        for (unsigned order = 0; order <= 10; order++) {
            inject(FAULT_PAGES, (struct machine_injection){.nth = 1, .min_order = min});
            assert_int_equal(machine_fails(&m, FAULT_PAGES, GFP_ATOMIC, (size_t)PAGE << order), order >= min);
            inject(FAULT_SLAB, (struct machine_injection){.nth = 1, .min_order = min});
            assert_true(machine_fails(&m, FAULT_SLAB, GFP_ATOMIC, (size_t)PAGE << order));
        }
}

/* ---- The mapping itself (B117) ----------------------------------------------------------------------------------------------- */

static void a_refused_mapping_leaves_nothing_mapped(void **state)
{
    (void)state;
    const uint32_t pfns[] = {3, 9, 12000};
    assert_int_equal(machine_add_table(&m, m.vmalloc_start, 1), 0);
    inject(FAULT_MAP, (struct machine_injection){.nth = 2});
    assert_int_equal(machine_map(&m, m.vmalloc_start, pfns, 3), 0);
    machine_events_clear(&m);
    assert_int_equal(machine_map(&m, m.vmalloc_start + 8 * PAGE, pfns, 3), ENOMEM);
    for (unsigned i = 0; i < 3; i++) {
        unsigned char *va = m.vmalloc_start + (8 + i) * PAGE;
        assert_false(lender_readable(va));
        assert_int_equal(machine_translate(&m, va), PFN_NONE);
        assert_true(lender_readable(va - 8 * PAGE)); /* what was there stays */
    }
    assert_int_equal(machine_mapped(&m), 3);
    assert_int_equal(machine_event_count(&m, EVENT_MAP), 0);
    assert_int_equal(machine_event_count(&m, EVENT_INJECTED), 1);
    assert_int_equal(machine_map(&m, m.vmalloc_start, pfns, 3), EINVAL); /* no attempt: it could not be */
    assert_int_equal(machine_attempts(&m, FAULT_MAP), 2);
    assert_int_equal(machine_map(&m, m.vmalloc_start + 8 * PAGE, pfns, 3), 0);
}

static void names_are_all_there(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FAULTS; i++)
        for (unsigned k = 0; k < i; k++) assert_string_not_equal(machine_fault_names[i], machine_fault_names[k]);
    for (unsigned i = 0; i < EVENT_KINDS; i++)
        for (unsigned k = 0; k < i; k++) assert_string_not_equal(machine_event_names[i], machine_event_names[k]);
    for (unsigned i = 0; i < MACHINE_CONFIGS; i++) assert_non_null(machine_config_names[i]);
    for (unsigned i = 0; i < ZONES; i++) assert_non_null(machine_zone_names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_fails_that_is_not_armed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_nth_attempt_fails_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_count_starts_anew_when_armed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(intervals_and_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(percent_is_drawn_from_the_seed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(space_is_granted_before_the_first_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nofail_is_exempt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_that_may_sleep_are_left_alone_as_in_the_kernel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_of_highmem_and_of_small_orders_are_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_mapping_leaves_nothing_mapped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_all_there, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("machine faults", tests, NULL, NULL);
}
