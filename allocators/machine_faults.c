/* machine_faults.c: faults by name (B113-B117); machine.h is the manual.
 *
 * The filters come first and decide whether an attempt counts at all; nth then strikes by itself, while interval,
 * percent and times work together and only after space_bytes have been granted, as the kernel's knobs do. The dice are
 * seeded when a fault is armed, so the same calls fail in every run.
 */
#include "kernel.h"
#include "machine_internal.h"

#include <string.h>

const char *const machine_fault_names[FAULTS] = {
    [FAULT_SLAB] = "failslab",
    [FAULT_PAGES] = "fail_page_alloc",
    [FAULT_VA] = "fail_va",
    [FAULT_TABLE] = "fail_page_table",
    [FAULT_DESCRIPTOR] = "fail_descriptor",
    [FAULT_MAP] = "fail_map",
    [FAULT_FILTERED] = "failslab_filtered",
};

void machine_disarm_all(struct machine *m) { m->inside->armed = 0; }

void machine_inject(struct machine *m, enum machine_fault fault, const struct machine_injection *injection)
{
    struct machine_inside *in = m->inside;
    in->armed &= ~(1u << fault);
    if (!injection->nth && !injection->interval) return;
    in->armed |= 1u << fault;
    in->faults[fault] = (struct fault){.how = *injection,
                                       .space_left = injection->space_bytes,
                                       .times_left = injection->times,
                                       .dice = (uint64_t)in->geometry.seed << 8 | fault};
}

uint32_t machine_attempts(const struct machine *m, enum machine_fault fault)
{
    return m->inside->armed & 1u << fault ? m->inside->faults[fault].attempts : 0;
}

/* Only what stands for an allocation of the kernel's is told apart by who asks. The others are the harness's own (B117):
 * whoever asks for an area may sleep, so a filter would leave nothing. */
static bool applies(const struct machine *m, enum machine_fault fault, const struct machine_injection *how,
                    uint32_t gfp, size_t bytes)
{
    if (gfp & GFP_BIT_NOFAIL) return false;
    const bool slab = fault == FAULT_SLAB || fault == FAULT_FILTERED;
    if (!slab && fault != FAULT_PAGES) return true;
    if ((gfp & GFP_BIT_DIRECT) && !how->waiting_too) return false;
    if (slab) return true;
    if ((gfp & GFP_BIT_HIGHMEM) && !how->highmem_too) return false;
    return bytes >= m->page_bytes << how->min_order;
}

/* One throw out of 100, by splitmix64. */
static unsigned throw_dice(uint64_t *dice)
{
    uint64_t z = *dice += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((z ^ z >> 31) % 100);
}

static bool interval_strikes(struct fault *f, size_t bytes)
{
    if (!f->how.interval || !f->times_left) return false;
    if (f->space_left >= bytes && f->space_left) {
        f->space_left -= (uint32_t)bytes;
        return false;
    }
    f->space_left = 0;
    if (++f->since_granted % f->how.interval) return false;
    if (f->how.percent && throw_dice(&f->dice) >= f->how.percent) return false;
    if (f->times_left > 0) f->times_left--;
    return true;
}

/* The filtered failslab is asked beside the plain one: both are one attempt. */
static bool host_strikes(const struct machine_inside *in, enum machine_fault fault, uint32_t gfp)
{
    if (!in->host.refuses || (gfp & GFP_BIT_NOFAIL) || fault == FAULT_FILTERED) return false;
    return in->host.refuses(in->host.host);
}

bool machine_fails(struct machine *m, enum machine_fault fault, uint32_t gfp, size_t bytes)
{
    struct machine_inside *in = m->inside;
    struct fault *f = &in->faults[fault];
    bool strikes = host_strikes(in, fault, gfp);
    if (in->armed & 1u << fault && applies(m, fault, &f->how, gfp, bytes)) {
        if (interval_strikes(f, bytes)) strikes = true;
        if (++f->attempts == f->how.nth) strikes = true;
    }
    if (strikes) machine_event(m, EVENT_INJECTED, fault, 0, gfp);
    return strikes;
}
