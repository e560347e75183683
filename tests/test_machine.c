/* test_machine.c: the simulated machine's address space, page tables, frames and events (machine.h; B1, B2, B6, B7, B9-B11,
 * E15, E16, O7). Its faults are in test_machine_faults.c, its place behind a lender in test_machine_lender.c. */
#include "backing.h"
#include "machine_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

enum { PAGE = 4096 };

static struct machine m;

static int set_up(void **state)
{
    (void)state;
    machine_init(&m);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    machine_close(&m);
    return 0;
}

static void power_on(struct machine_geometry geometry) { assert_int_equal(machine_fresh(&m, &geometry, NULL), 0); }

static unsigned char *window(uint32_t page) { return m.vmalloc_start + (size_t)page * PAGE; }

/* Page tables for the first `count` leaf spans of the window, in frames from 1 on. */
static void add_tables(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) assert_int_equal(machine_add_table(&m, window(i * m.table_entries), 1 + i), 0);
}

static uint64_t host_calls(void) { return m.inside->host_calls; }

/* ---- Layout and zones ------------------------------------------------------------------------------------------------ */

static void the_zones_of_each_configuration(void **state) /* B2, E15, E16 */
{
    (void)state;
    static const struct {
        uint32_t dma, normal, frames, window_pages; /* ends of zones */
        unsigned max_order;
    } expected[MACHINE_CONFIGS] = {
        [MACHINE_S64] = {1024, 8192, 16384, 32768, 10},
        [MACHINE_S4] = {0, 64, 64, 96, 4},
        [MACHINE_SODD] = {1000, 5003, 16384, 2048, 10},
        [MACHINE_SMAP] = {1024, 4096, 32768, 65536, 10},
        [MACHINE_TINY] = {0, 16, 16, 24, 4},
    };
    for (unsigned config = 0; config < MACHINE_CONFIGS; config++) {
        power_on((struct machine_geometry){.config = config});
        assert_int_equal(m.frames, expected[config].frames);
        assert_int_equal(m.zones[ZONE_DMA].start, 0);
        assert_int_equal(m.zones[ZONE_DMA].end, expected[config].dma);
        assert_int_equal(m.zones[ZONE_NORMAL].start, expected[config].dma);
        assert_int_equal(m.zones[ZONE_NORMAL].end, expected[config].normal);
        assert_int_equal(m.zones[ZONE_HIGHMEM].start, expected[config].normal);
        assert_int_equal(m.zones[ZONE_HIGHMEM].end, m.frames);
        assert_int_equal(m.lowmem_frames, expected[config].normal);
        assert_int_equal(m.max_order, expected[config].max_order);
        assert_int_equal(m.vmalloc_end - m.vmalloc_start, (ptrdiff_t)expected[config].window_pages * PAGE);
        assert_true(m.no_watermarks == (config == MACHINE_S4 || config == MACHINE_TINY));
        for (uint32_t pfn = 0; pfn < m.frames; pfn++) {
            enum machine_zone_id zone = machine_zone_of(&m, pfn);
            assert_true(pfn >= m.zones[zone].start && pfn < m.zones[zone].end);
        }
    }
}

static void address_space_is_laid_out_as_a_32_bit_kernels(void **state) /* B9, B10, E10 */
{
    (void)state;
    for (unsigned i = 0; i < MACHINE_CONFIGS * 2; i++) {
        power_on((struct machine_geometry){.config = i / 2, .elsewhere = i % 2});
        unsigned char *high_memory = m.direct + (size_t)m.lowmem_frames * PAGE;
        assert_int_equal((uintptr_t)m.direct % (4u << 20), 0); /* B13 */
        assert_int_equal(m.gap_bytes, 8u << 20);
        assert_ptr_equal(m.vmalloc_start, high_memory + m.gap_bytes);
        assert_ptr_equal(m.pkmap, m.vmalloc_end + 2 * PAGE);

        assert_true(lender_readable(m.direct) && lender_readable(high_memory - 1));
        assert_false(lender_readable(m.direct - 1));
        for (unsigned k = 0; k <= 8; k++) assert_false(lender_readable(high_memory + m.gap_bytes / 8 * k));
        assert_false(lender_readable(m.vmalloc_start - 1));
        for (uint32_t page = 0; window(page) < m.vmalloc_end; page += 31) assert_false(lender_readable(window(page)));
        for (unsigned slot = 0; slot <= m.pkmap_slots; slot++) assert_false(lender_readable(m.pkmap + slot * PAGE));
        assert_false(lender_readable(m.vmalloc_end) || lender_readable(m.pkmap - 1));
    }
}

static void places_do_not_meet_and_differ_in_nothing_else(void **state)
{
    (void)state;
    unsigned char *low[MACHINE_CONFIGS * 2], *high[MACHINE_CONFIGS * 2];
    for (unsigned i = 0; i < MACHINE_CONFIGS * 2; i++) {
        power_on((struct machine_geometry){.config = i / 2, .elsewhere = i % 2});
        low[i] = m.direct;
        high[i] = m.pkmap + m.pkmap_slots * PAGE;
        for (unsigned k = 0; k < i; k++) assert_true(low[k] > high[i] || low[i] > high[k]);
        if (i % 2) assert_true(high[i] - low[i] == high[i - 1] - low[i - 1]);
    }
    for (unsigned i = 0; i < MACHINE_CONFIGS * 2; i++) { /* and are the same when they come again */
        power_on((struct machine_geometry){.config = i / 2, .elsewhere = i % 2});
        assert_ptr_equal(m.direct, low[i]);
    }
}

static void frame_and_address_are_a_bijection_in_lowmem(void **state) /* B1, B6, B7, B11, C19 */
{
    (void)state;
    for (unsigned config = 0; config < MACHINE_CONFIGS; config++) {
        power_on((struct machine_geometry){.config = config});
        for (uint32_t pfn = 0; pfn < m.frames; pfn++) {
            unsigned char *va = machine_direct(&m, pfn);
            assert_true(!va == (machine_zone_of(&m, pfn) == ZONE_HIGHMEM));
            if (!va) continue;
            assert_ptr_equal(va, m.direct + (size_t)pfn * PAGE);
            assert_int_equal(machine_direct_pfn(&m, va), pfn);
            assert_int_equal(machine_direct_pfn(&m, va + PAGE - 1), pfn);
            assert_false(machine_in_window(&m, va));
        }
        unsigned char *const others[] = {NULL,          m.direct - 1,    m.direct + (size_t)m.lowmem_frames * PAGE,
                                         m.vmalloc_end, m.vmalloc_start, m.pkmap};
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            assert_int_equal(machine_direct_pfn(&m, others[i]), PFN_NONE);
            assert_true(machine_in_window(&m, others[i]) == (others[i] == m.vmalloc_start));
        }
    }
}

/* ---- Views of a frame -------------------------------------------------------------------------------------------------- */

static void all_views_of_a_frame_show_the_same_bytes(void **state) /* O7, C18 */
{
    (void)state;
    for (unsigned config = 0; config < MACHINE_CONFIGS; config++) {
        power_on((struct machine_geometry){.config = config});
        add_tables(1);
        const uint32_t pfns[] = {m.lowmem_frames - 1, 5, m.frames - 1};
        assert_int_equal(machine_map(&m, window(7), pfns, 3), 0);
        for (unsigned i = 0; i < 3; i++) {
            volatile unsigned char *views[] = {machine_oracle(&m, pfns[i]), window(7 + i),
                                               machine_kmap_slot(&m, i, pfns[i]), machine_direct(&m, pfns[i])};
            for (unsigned from = 0; from < 4; from++)
                for (unsigned to = 0; to < 4 && views[from]; to++) {
                    unsigned at = 17 + 1009 * from;
                    views[from][at] = (unsigned char)(from * 4 + to + 1);
                    if (views[to]) assert_int_equal(views[to][at], from * 4 + to + 1);
                }
        }
    }
}

/* ---- The window ---------------------------------------------------------------------------------------------------------- */

static void runs_of_consecutive_frames_cost_one_call_each(void **state) /* E12 */
{
    (void)state;
    power_on((struct machine_geometry){.config = MACHINE_S64});
    add_tables(2);
    static const struct {
        uint32_t pfns[8], count, runs;
    } cases[] = {
        {{9000}, 1, 1},
        {{9000, 9001, 9002, 9003, 9004, 9005, 9006, 9007}, 8, 1},
        {{9000, 9002, 9004, 9006, 9008, 9010, 9012, 9014}, 8, 8},
        {{9007, 9006, 9005, 9004}, 4, 4},            /* backwards is no run */
        {{8190, 8191, 8192, 8193, 20, 21, 7}, 7, 3}, /* across the border of highmem is one */
        {{77, 77, 77, 78}, 4, 3},                    /* duplicates */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t count = cases[i].count, at = m.table_entries - 3; /* across the border of two tables */
        uint64_t before = host_calls();
        machine_events_clear(&m);
        assert_int_equal(machine_map(&m, window(at), cases[i].pfns, count), 0);
        assert_int_equal(host_calls() - before, cases[i].runs);
        assert_int_equal(machine_event_count(&m, EVENT_MAP), 1);
        assert_int_equal(machine_mapped(&m), count);
        for (uint32_t k = 0; k < count; k++) {
            assert_int_equal(machine_translate(&m, window(at + k) + k), cases[i].pfns[k]);
            window(at + k)[k] = (unsigned char)(100 + k);
            assert_int_equal(machine_oracle(&m, cases[i].pfns[k])[k], 100 + k);
        }
        assert_false(lender_readable(window(at) - 1) || lender_readable(window(at + count))); /* guards: B90 */
        before = host_calls();
        assert_int_equal(machine_unmap(&m, window(at), count), 0);
        assert_int_equal(host_calls() - before, 1);
        assert_int_equal(machine_mapped(&m), 0);
        for (uint32_t k = 0; k < count; k++) {
            assert_false(lender_readable(window(at + k)));
            assert_int_equal(machine_translate(&m, window(at + k)), PFN_NONE);
        }
    }
}

static void a_part_is_unmapped_and_the_rest_stays(void **state)
{
    (void)state;
    power_on((struct machine_geometry){.config = MACHINE_S4});
    add_tables(1);
    const uint32_t pfns[] = {10, 11, 12, 13};
    assert_int_equal(machine_map(&m, window(2), pfns, 4), 0);
    assert_int_equal(machine_unmap(&m, window(3), 2), 0);
    for (uint32_t page = 1; page < 7; page++) {
        bool there = page == 2 || page == 5;
        assert_true(lender_readable(window(page)) == there);
        assert_int_equal(machine_translate(&m, window(page)), there ? page + 8 : PFN_NONE);
    }
    uint64_t before = host_calls();
    assert_int_equal(machine_unmap(&m, window(20), 5), 0); /* pages that are not mapped are no error */
    assert_true(host_calls() == before);
    assert_int_equal(machine_unmap(&m, window(0), 96), 0);
    assert_int_equal(machine_mapped(&m), 0);
}

static void what_cannot_be_mapped_changes_nothing(void **state)
{
    (void)state;
    power_on((struct machine_geometry){.config = MACHINE_SODD});
    add_tables(1);
    const uint32_t good[] = {4, 5, 6}, bad[] = {4, m.frames, 6};
    assert_int_equal(machine_map(&m, window(1), good, 1), 0);
    machine_events_clear(&m);
    uint64_t before = host_calls();
    assert_int_equal(machine_map(&m, window(0), good, 2), EINVAL);                   /* one is mapped */
    assert_int_equal(machine_map(&m, window(8), bad, 3), EINVAL);                    /* no such frame */
    assert_int_equal(machine_map(&m, window(m.table_entries - 1), good, 2), EINVAL); /* no table */
    assert_int_equal(machine_map(&m, window(8) + 1, good, 1), EINVAL);
    assert_int_equal(machine_map(&m, m.vmalloc_start - PAGE, good, 2), EINVAL);
    assert_int_equal(machine_map(&m, m.vmalloc_end - PAGE, good, 2), EINVAL);
    assert_int_equal(machine_map(&m, m.direct, good, 1), EINVAL);
    assert_int_equal(machine_unmap(&m, window(1) + 8, 1), EINVAL);
    assert_int_equal(machine_unmap(&m, m.vmalloc_end - PAGE, 2), EINVAL);
    assert_int_equal(machine_unmap(&m, m.vmalloc_end, 1), EINVAL);
    assert_int_equal(machine_unmap(&m, m.direct, 1), EINVAL);
    assert_int_equal(machine_unmap(&m, window(1), UINT32_MAX), EINVAL);
    uint32_t events;
    machine_events(&m, &events);
    assert_int_equal(events, 0);
    assert_true(host_calls() == before);
    assert_int_equal(machine_mapped(&m), 1);
}

static void page_tables_are_added_once_and_stay(void **state) /* B104 */
{
    (void)state;
    power_on((struct machine_geometry){.config = MACHINE_S64});
    unsigned char *third = window(2 * m.table_entries), *last = m.vmalloc_end - 1;
    assert_false(machine_has_table(&m, third));
    assert_int_equal(machine_add_table(&m, third + 12345, 40), 0);
    assert_int_equal(machine_add_table(&m, last, 41), 0);
    assert_int_equal(machine_add_table(&m, third, 42), EEXIST);
    assert_int_equal(machine_add_table(&m, m.vmalloc_end, 42), EINVAL);
    assert_int_equal(machine_add_table(&m, m.vmalloc_start, m.frames), EINVAL);
    assert_true(machine_has_table(&m, third) && machine_has_table(&m, third + 512 * PAGE - 1));
    assert_false(machine_has_table(&m, third - 1) || machine_has_table(&m, third + 512 * PAGE));
    assert_false(machine_has_table(&m, m.direct));
    assert_int_equal(machine_tables(&m), 2);
    assert_int_equal(machine_table_pfn(&m, 2), 40);
    assert_int_equal(machine_table_pfn(&m, 63), 41);
    assert_int_equal(machine_table_pfn(&m, 0), PFN_NONE);
    assert_int_equal(machine_table_pfn(&m, 64), PFN_NONE);
    const uint32_t pfn = 9;
    assert_int_equal(machine_map(&m, third, &pfn, 1), 0);
    assert_int_equal(machine_unmap(&m, third, 1), 0);
    assert_int_equal(machine_tables(&m), 2);
    uint32_t count;
    const struct machine_event *events = machine_events(&m, &count);
    assert_true(count == 4 && events[1].kind == EVENT_PT_ALLOC && events[1].a == 41 && events[1].b == 63);
}

/* ---- kmap ---------------------------------------------------------------------------------------------------------------- */

static void a_kmap_slot_shows_one_frame_at_a_time(void **state) /* B8 */
{
    (void)state;
    power_on((struct machine_geometry){.config = MACHINE_SODD});
    uint32_t high = m.frames - 3;
    unsigned char *at = machine_kmap_slot(&m, 5, high);
    assert_ptr_equal(at, m.pkmap + 5 * PAGE);
    assert_int_equal(machine_translate(&m, at + 77), high);
    at[0] = 1;
    assert_ptr_equal(machine_kmap_slot(&m, 5, high - 1), at);
    at[0] = 2;
    assert_int_equal(machine_oracle(&m, high)[0], 1);
    assert_int_equal(machine_oracle(&m, high - 1)[0], 2);
    assert_false(lender_readable(at - 1) || lender_readable(at + PAGE));
    uint64_t before = host_calls();
    assert_ptr_equal(machine_kmap_slot(&m, 5, high - 1), at); /* what is there already costs nothing */
    assert_true(host_calls() == before);
    machine_kmap_slot(&m, 5, PFN_NONE);
    assert_false(lender_readable(at));
    assert_int_equal(machine_translate(&m, at), PFN_NONE);
    assert_null(machine_kmap_slot(&m, m.pkmap_slots, high));
    assert_null(machine_kmap_slot(&m, 0, m.frames));
}

/* ---- Frames and events ------------------------------------------------------------------------------------------------------ */

static void assert_frame(uint32_t pfn, unsigned char byte)
{
    for (size_t i = 0; i < PAGE; i++) assert_int_equal(machine_oracle(&m, pfn)[i], byte);
}

static void a_frame_is_dirty_when_first_taken_and_only_then(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        unsigned char dirt = (unsigned char)(0xA0 + round);
        power_on((struct machine_geometry){.config = MACHINE_SODD, .dirt = dirt});
        uint64_t before = m.inside->frames_soiled;
        const uint32_t pfns[] = {0, 999, 1000, 5002, 5003, m.frames - 1};
        for (unsigned i = 0; i < 6; i++) {
            machine_take(&m, pfns[i], 1, 0);
            assert_frame(pfns[i], dirt);
            memset(machine_oracle(&m, pfns[i]), 0x11, PAGE);
            machine_give(&m, pfns[i], 1);
            machine_take(&m, pfns[i], 1, 0); /* now it shows what its last owner left */
            assert_frame(pfns[i], 0x11);
        }
        assert_int_equal(m.inside->frames_soiled - before, 6);
        machine_take(&m, 8, 63, 0);
        assert_int_equal(m.inside->frames_soiled - before, 69);
        assert_int_equal(machine_taken(&m), 69);
    }
}

static void of_a_long_run_some_frames_are_dirty(void **state)
{
    (void)state;
    for (uint32_t count = 64; count <= 1024; count *= 2) {
        power_on((struct machine_geometry){.config = MACHINE_S64, .dirt = 0xA5});
        for (uint32_t i = 0; i < count; i++) machine_oracle(&m, i)[0] = 0x11;
        machine_take(&m, 0, count, 0);
        for (uint32_t i = 0; i < count; i++) {
            bool dirty = i < 4 || i + 4 >= count || i % (count / 8) == 0;
            assert_int_equal(machine_oracle(&m, i)[0], dirty ? 0xA5 : 0x11);
        }
        machine_give(&m, 0, count);
        for (uint32_t i = 0; i < count; i++) machine_take(&m, i, 1, 0); /* the others when they are taken alone */
        for (uint32_t i = 0; i < count; i++) assert_int_equal(machine_oracle(&m, i)[0], 0xA5);
        assert_int_equal(m.inside->soiled, count);
    }
}

static void random_dirt_follows_seed_and_frame(void **state) /* C37 */
{
    (void)state;
    static unsigned char first[2][PAGE];
    for (uint32_t seed = 0; seed < 3; seed++)
        for (unsigned round = 0; round < 4; round++) { /* at either place, in either order */
            power_on((struct machine_geometry){
                .config = MACHINE_S4, .random_dirt = true, .seed = seed, .elsewhere = round & 1});
            machine_take(&m, round & 2 ? 41 : 40, 1, 0);
            machine_take(&m, round & 2 ? 40 : 41, 1, 0);
            for (unsigned i = 0; i < 2; i++) {
                if (round) assert_memory_equal(first[i], machine_oracle(&m, 40 + i), PAGE);
                else assert_memory_not_equal(first[i], machine_oracle(&m, 40 + i), PAGE);
                memcpy(first[i], machine_oracle(&m, 40 + i), PAGE);
            }
            assert_memory_not_equal(first[0], first[1], PAGE);
        }
}

static void equal_neighbours_that_change_sides_are_one_event(void **state)
{
    (void)state;
    power_on((struct machine_geometry){.config = MACHINE_S4});
    machine_take(&m, 10, 1, 1);
    machine_take(&m, 11, 1, 1); /* behind */
    machine_take(&m, 9, 1, 1);  /* before */
    machine_take(&m, 7, 2, 1);  /* of another length */
    machine_take(&m, 5, 2, 1);
    machine_take(&m, 13, 1, 2); /* under another mask */
    machine_take(&m, 20, 1, 2); /* no neighbour */
    machine_event(&m, EVENT_SPLIT, 24, 2, 0);
    machine_take(&m, 21, 1, 2); /* something came between */
    machine_give(&m, 22, 1);    /* the other way */
    machine_give(&m, 22, 1);    /* twice is two */
    machine_give(&m, 23, 0);    /* none is none */
    static const struct machine_event expected[] = {
        {EVENT_TAKE, 1, 9, 3, 1},   {EVENT_TAKE, 2, 5, 4, 1},  {EVENT_TAKE, 1, 13, 1, 2}, {EVENT_TAKE, 1, 20, 1, 2},
        {EVENT_SPLIT, 0, 24, 2, 0}, {EVENT_TAKE, 1, 21, 1, 2}, {EVENT_GIVE, 1, 22, 1, 0}, {EVENT_GIVE, 1, 22, 1, 0},
    };
    uint32_t count;
    const struct machine_event *events = machine_events(&m, &count);
    assert_int_equal(count, 8);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(events[i].kind, expected[i].kind);
        assert_int_equal(events[i].each, expected[i].each);
        assert_int_equal(events[i].a, expected[i].a);
        assert_int_equal(events[i].b, expected[i].b);
        assert_int_equal(events[i].gfp, expected[i].gfp);
    }
    assert_int_equal(machine_event_count(&m, EVENT_TAKE), 5);
    assert_int_equal(machine_event_count(&m, EVENT_GIVE), 2);
    assert_int_equal(machine_event_count(&m, EVENT_MERGE), 0);
    machine_events_clear(&m);
    machine_events(&m, &count);
    assert_int_equal(count, 0);
    for (unsigned kind = 0; kind < EVENT_KINDS; kind++) assert_int_equal(machine_event_count(&m, kind), 0);
}

static void events_that_do_not_fit_are_counted_and_said(void **state)
{
    (void)state;
    power_on((struct machine_geometry){.config = MACHINE_S4});
    uint32_t count;
    for (uint32_t i = 0; i < MACHINE_EVENTS_MAX; i++) machine_event(&m, EVENT_MERGE, i, 0, 0);
    assert_false(machine_events_lost(&m));
    for (uint32_t i = 0; i < 3; i++) machine_take(&m, i, 1, 0);
    assert_true(machine_events_lost(&m));
    const struct machine_event *events = machine_events(&m, &count);
    assert_int_equal(count, MACHINE_EVENTS_MAX);
    assert_int_equal(events[count - 1].a, MACHINE_EVENTS_MAX - 1);
    assert_int_equal(machine_event_count(&m, EVENT_TAKE), 3);
    machine_events_clear(&m);
    assert_false(machine_events_lost(&m));
}

/* ---- Power ---------------------------------------------------------------------------------------------------------------------- */

static void a_fresh_machine_has_nothing_of_the_old_one(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MACHINE_CONFIGS * 2; i++) {
        struct machine_geometry g = {.config = i / 2, .elsewhere = i % 2};
        power_on(g);
        add_tables(1);
        const uint32_t pfns[] = {9, 11, 3};
        assert_int_equal(machine_map(&m, window(1), pfns, 3), 0);
        assert_non_null(machine_kmap_slot(&m, 3, 9));
        machine_inject(&m, FAULT_VA, &(struct machine_injection){.nth = 1});
        machine_event(&m, EVENT_WAKE_KSWAPD, 0, 0, 0);
        machine_block(&m);
        assert_true(m.kswapd_awake && m.blocked);
        m.context.hardirq = true;
        unsigned char *was_mapped = window(2), *was_kmapped = m.pkmap + 3 * PAGE;
        if (i % 3) g.config = (g.config + 1) % MACHINE_CONFIGS; /* also when the next one is another */
        power_on(g);
        assert_false(lender_readable(was_mapped) || lender_readable(was_kmapped));
        assert_true(!machine_tables(&m) && !machine_mapped(&m) && !machine_taken(&m));
        assert_int_equal(machine_translate(&m, window(2)), PFN_NONE);
        assert_false(m.kswapd_awake || m.blocked || m.context.hardirq);
        assert_false(machine_fails(&m, FAULT_VA, 0, 0));
        uint32_t events;
        machine_events(&m, &events);
        assert_int_equal(events, 0);
    }
}

static void a_fresh_machine_costs_what_is_mapped_on_the_old_one(void **state)
{
    (void)state;
    const struct machine_geometry s64 = {.config = MACHINE_S64}, smap = {.config = MACHINE_SMAP};
    power_on(smap);
    power_on(s64);
    uint64_t calls = host_calls(), soiled = m.inside->frames_soiled;
    for (unsigned i = 0; i < 10; i++) { /* nothing, or what was unmapped in time; whatever the configuration */
        power_on(i % 2 ? s64 : smap);
        machine_take(&m, 0, 60, 0);
        machine_give(&m, 0, 60);
        add_tables(3);
    }
    assert_true(host_calls() == calls);
    assert_int_equal(m.inside->frames_soiled - soiled, 600); /* and each frame was filled once */
    for (uint32_t tables = 1; tables <= 3; tables++) {       /* one call for each table that shows something */
        power_on(s64);
        add_tables(3);
        for (uint32_t i = 0; i < 20 * tables; i++) {
            const uint32_t pfn = 2 * i;
            assert_int_equal(machine_map(&m, window(i % tables * m.table_entries + i), &pfn, 1), 0);
        }
        calls = host_calls();
        power_on(s64);
        assert_int_equal(host_calls() - calls, tables);
    }
}

static void a_host_that_is_out_of_mappings_refuses_cleanly(void **state)
{
    (void)state;
    static uint32_t pfns[WINDOW_PAGES_MAX];
    long limit = 0;
    const char *preload = getenv("LD_PRELOAD"); /* how Valgrind enters a process; it gives up on so many mappings */
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
    if (!file || (preload && strstr(preload, "vgpreload"))) skip();
    assert_int_equal(fscanf(file, "%ld", &limit), 1);
    fclose(file);
    if (limit >= (long)WINDOW_PAGES_MAX) skip();
    power_on((struct machine_geometry){.config = MACHINE_SMAP});
    add_tables(TABLES_MAX);
    for (uint32_t i = 0; i < WINDOW_PAGES_MAX; i++) pfns[i] = i % 2 * 2;
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(machine_map(&m, window(0), pfns, WINDOW_PAGES_MAX), ENOMEM);
        assert_int_equal(machine_mapped(&m), 0);
        for (uint32_t page = 0; page < WINDOW_PAGES_MAX; page += 101) assert_false(lender_readable(window(page)));
    }
    assert_int_equal(machine_map(&m, window(0), pfns, 1000), 0);
}

/* Bytes of address space that this process has. */
static rlim_t address_space(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%llu", &pages), 1);
    fclose(file);
    return (rlim_t)pages * PAGE;
}

static void a_small_address_space_holds_one_machine_at_a_time(void **state)
{
    (void)state;
    const rlim_t room = (rlim_t)480 << 20; /* the largest takes some 420 MiB */
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    small = (struct rlimit){address_space() + room, before.rlim_max};
    if (setrlimit(RLIMIT_AS, &small)) skip();
    struct rlimit set; /* an emulator needs the room for itself, and sets no limit */
    if (getrlimit(RLIMIT_AS, &set) || set.rlim_cur != small.rlim_cur) skip();
    for (unsigned i = 0; i < MACHINE_CONFIGS * 4; i++) {
        const struct machine_geometry g = {.config = i / 2 % MACHINE_CONFIGS, .elsewhere = i % 2, .dirt = 0x5A};
        int error = machine_fresh(&m, &g, NULL);
        if (error) setrlimit(RLIMIT_AS, &before);
        assert_int_equal(error, 0);
        add_tables(1);
        machine_take(&m, 7, 1, 0);
        const uint32_t pfn = 7;
        assert_int_equal(machine_map(&m, window(0), &pfn, 1), 0);
        assert_true(window(0)[5] == 0x5A && m.direct[7 * PAGE + 5] == 0x5A);
    }
    machine_close(&m);
    small.rlim_cur = address_space() + PAGE;
    setrlimit(RLIMIT_AS, &small);
    int error = machine_fresh(&m, &(struct machine_geometry){.config = MACHINE_S4}, NULL);
    setrlimit(RLIMIT_AS, &before);
    assert_int_equal(error, ENOMEM);
    power_on((struct machine_geometry){.config = MACHINE_S4}); /* and it goes on */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_zones_of_each_configuration, set_up, tear_down),
        cmocka_unit_test_setup_teardown(address_space_is_laid_out_as_a_32_bit_kernels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(places_do_not_meet_and_differ_in_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frame_and_address_are_a_bijection_in_lowmem, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_views_of_a_frame_show_the_same_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(runs_of_consecutive_frames_cost_one_call_each, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_part_is_unmapped_and_the_rest_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_mapped_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(page_tables_are_added_once_and_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_kmap_slot_shows_one_frame_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_frame_is_dirty_when_first_taken_and_only_then, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_a_long_run_some_frames_are_dirty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_dirt_follows_seed_and_frame, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_neighbours_that_change_sides_are_one_event, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_that_do_not_fit_are_counted_and_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_fresh_machine_has_nothing_of_the_old_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_fresh_machine_costs_what_is_mapped_on_the_old_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_host_that_is_out_of_mappings_refuses_cleanly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_small_address_space_holds_one_machine_at_a_time, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
