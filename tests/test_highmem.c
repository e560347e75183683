/* test_highmem.c: frames without an address: temporary mappings and zeroing (B7, B8, B19, B20). */
#include "buddy_fixture.h"

#include "backing.h"

#define HIGH (GFP_KERNEL | GFP_BIT_HIGHMEM)

static unsigned char *oracle(const struct page *page) { return machine_oracle(&machine, buddy_pfn(b, page)); }

static void highmem_has_no_address_until_mapped(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    struct page *page = buddy_alloc(b, HIGH, 0);
    assert_int_equal(zone_of(page), ZONE_HIGHMEM);
    assert_null(buddy_page_address(b, page));
    unsigned char *at = buddy_kmap(b, page);
    assert_ptr_equal(buddy_page_address(b, page), at);
    assert_ptr_equal(buddy_kmap(b, page), at);
    at[17] = 99;
    assert_int_equal(oracle(page)[17], 99);
    buddy_kunmap(b, page);
    assert_ptr_equal(buddy_page_address(b, page), at);
    buddy_kunmap(b, page);
    assert_null(buddy_page_address(b, page));
    assert_false(lender_readable(at));
    assert_int_equal(reported(), NONE);
    buddy_kunmap(b, page);
    assert_int_equal(reported(), REPORT_BUG);
}

static void lowmem_is_mapped_already(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    struct page *page = buddy_alloc(b, GFP_KERNEL, 0);
    void *at = machine_direct(&machine, buddy_pfn(b, page));
    assert_ptr_equal(buddy_kmap(b, page), at);
    assert_ptr_equal(buddy_kmap_local(b, page), at);
    buddy_kunmap_local(b, at);
    buddy_kunmap(b, page);
    assert_int_equal(reported(), NONE);
}

static void slots_run_out_and_come_back(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    const unsigned slots = machine.pkmap_slots * 3 / 4;
    struct page *pages = buddy_alloc(b, HIGH, 7);
    for (unsigned i = 0; i < slots; i++) assert_ptr_equal(buddy_kmap(b, pages + i), machine.pkmap + i * 4096);
    assert_null(buddy_check(b));
    assert_null(buddy_kmap(b, pages + slots));
    assert_true(machine.blocked);
    assert_non_null(buddy_kmap(b, pages)); /* mapped already: needs no slot */
    void *freed = buddy_page_address(b, pages + 5);
    buddy_kunmap(b, pages + 5);
    assert_ptr_equal(buddy_kmap(b, pages + slots), freed);
    assert_null(buddy_check(b));
}

static void kmap_sleeps_and_kmap_local_does_not(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    struct page *page = buddy_alloc(b, HIGH, 0);
    machine.context.spin_depth = 1;
    assert_null(buddy_kmap(b, page));
    assert_int_equal(reported(), REPORT_SLEEP_IN_ATOMIC);
    void *at = buddy_kmap_local(b, page);
    assert_non_null(at);
    buddy_kunmap_local(b, at);
    assert_int_equal(reported(), NONE);
    machine.context = (struct machine_context){.nmi = true};
    assert_null(buddy_kmap_local(b, page));
    assert_int_equal(reported(), REPORT_BUG);
}

static void local_mappings_are_a_stack(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    struct page *pages = buddy_alloc(b, HIGH, 4);
    unsigned char *outer = buddy_kmap_local(b, pages), *inner = buddy_kmap_local(b, pages + 1);
    inner[3] = 7;
    assert_int_equal(oracle(pages + 1)[3], 7);
    buddy_kunmap_local(b, outer);
    assert_int_equal(reported(), REPORT_CONTRACT_WARN);
    buddy_kunmap_local(b, inner + 100);
    buddy_kunmap_local(b, outer);
    assert_int_equal(reported(), NONE);
    assert_false(lender_readable(inner));
    buddy_kunmap_local(b, outer);
    assert_int_equal(reported(), REPORT_CONTRACT_WARN);
    unsigned depth = 0;
    while (buddy_kmap_local(b, pages + depth % 16)) depth++;
    assert_int_equal(depth, machine.pkmap_slots / 4 - 1);
    assert_int_equal(reported(), REPORT_BUG);
}

/* Even with all slots of others in use, and in an interrupt. */
static void zeroed_frames_are_zero_wherever_they_are(void **state)
{
    static const unsigned masks[] = {GFP_ATOMIC, GFP_ATOMIC | GFP_BIT_HIGHMEM, GFP_ATOMIC | GFP_DMA};
    (void)state;
    power_on(MACHINE_S64);
    struct page *pages = buddy_alloc(b, HIGH, 6);
    for (unsigned i = 0; i < machine.pkmap_slots * 3 / 4; i++) buddy_kmap(b, pages + i);
    while (buddy_kmap_local(b, pages)) continue;
    reported();
    machine.context.hardirq = true;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        struct page *dirty = buddy_alloc(b, masks[i], 2);
        for (unsigned j = 0; j < 4 * 4096; j++) assert_int_equal(oracle(dirty)[j], 0xA5);
        buddy_free(b, dirty, 2);
        struct page *clean = buddy_alloc(b, masks[i] | GFP_BIT_ZERO, 2);
        assert_ptr_equal(clean, dirty);
        for (unsigned j = 0; j < 4 * 4096; j++) assert_int_equal(oracle(clean)[j], 0);
    }
    assert_false(lender_readable(machine.pkmap + (machine.pkmap_slots - 1) * 4096));
    assert_int_equal(reported(), NONE);
}

static void addresses_are_never_asked_of_highmem(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    unsigned char *p = buddy_op_get_free_pages(b, HIGH, 3), *zeroed = buddy_op_get_zeroed_page(b, HIGH);
    assert_int_not_equal(machine_direct_pfn(&machine, p), PFN_NONE);
    for (unsigned i = 0; i < 4096; i++) assert_int_equal(zeroed[i], 0);
    buddy_op_free_pages(b, p, 3);
    buddy_op_free_pages(b, zeroed, 0);
    assert_int_equal(reported(), NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(highmem_has_no_address_until_mapped),
        cmocka_unit_test(lowmem_is_mapped_already),
        cmocka_unit_test(slots_run_out_and_come_back),
        cmocka_unit_test(kmap_sleeps_and_kmap_local_does_not),
        cmocka_unit_test(local_mappings_are_a_stack),
        cmocka_unit_test(zeroed_frames_are_zero_wherever_they_are),
        cmocka_unit_test(addresses_are_never_asked_of_highmem),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
