/* exec_kvmalloc.c: kmalloc where it can be, vmalloc where it must (B106-B108, B128). */
#include "exec_areas.h"

#include <limits.h>

#define CALL(x, operation, ...) ((x)->kernel->ops->operation((x)->heap, __VA_ARGS__))

/* Both branches' expectations on the state before the call. */
struct either {
    struct object_request object;
    struct area_request area;
    uint64_t bytes;
    bool large; /* more than a page: it may be an area */
};

static struct either expect(struct exec *x, const struct kernel_call *c, uint64_t bytes)
{
    const size_t page = x->kernel->machine->page_bytes;
    struct either e = {.bytes = bytes, .large = bytes > page};
    e.area = (struct area_request){
        .bytes = bytes, .pages = area_pages_of(x, bytes), .align = page, .zeroed = c->effective & GFP_BIT_ZERO};
    area_expect(x, c, &e.area);
    e.area.must_succeed = e.area.must_succeed && bytes <= INT_MAX;
    e.object = (struct object_request){.group = GROUP_NONE};
    if (bytes && bytes <= KMALLOC_MAX) {
        e.object = kmalloc_request(x, bytes, c->effective);
        e.object.fallible = e.large;
        objects_expect(x, c, &e.object);
    }
    return e;
}

/* A large block was asked of kmalloc before, so it may have failed for anything but this. */
static bool judge_null(struct exec *x, struct kernel_call *c, const struct either *e)
{
    if (!e->large) return objects_refused(x, c, &e->object);
    struct area_request area = e->area;
    area.must_succeed = false;
    if (!area_refused(x, c, &area)) return false;
    exec_checked(x, RULE_B128);
    if (c->injected || c->blocked || !(e->area.must_succeed || e->object.must_succeed)) return true;
    return exec_fail(x, RULE_B128, NULL, "memory: there is a block of pages, or frames and a gap in the window",
                     "NULL for %llu bytes", (unsigned long long)e->bytes);
}

static bool judge_new(struct exec *x, struct kernel_call *c, struct either *e, bool fits, void *p)
{
    if (c->reported) return true;
    if (!fits || !e->bytes) return kmalloc_granted(x, c, &e->object, fits ? RULE_NONE : RULE_B107, p);
    if (!p) return judge_null(x, c, e);
    exec_checked(x, RULE_B106);
    if (!machine_in_window(x->kernel->machine, p))
        return kmalloc_granted(x, c, &e->object, e->bytes > KMALLOC_MAX ? RULE_B106 : RULE_NONE, p);
    if (!e->large)
        return exec_fail(x, RULE_B106, p, "kmalloc's memory for a page or less", "an area for %llu bytes",
                         (unsigned long long)e->bytes);
    return area_result(x, c, &e->area, p, (struct kernel_block){.always_zeroed = e->area.zeroed});
}

/* ZERO_SIZE_PTR is no place in memory. Slabs that came although no object was got are of any class: the areas' own (B104). */
static void note(struct exec *x, const struct kernel_call *c, void *p)
{
    if (!p || machine_in_window(x->kernel->machine, p)) caches_shared(x);
    bool zero = p == ZERO_SIZE_PTR;
    kernel_outcome(x, c, zero ? RESULT_VOID : p ? RESULT_PTR : RESULT_NULL, zero ? NULL : p);
}

/* kvmalloc may only be called where vmalloc may, and with masks that are at least GFP_KERNEL's (B107). One that is bad
 * (B4, B5) is an error to kmalloc, and to vmalloc bits too many, which it drops (B93): it is not asked for. */
static bool is_legal(const struct exec *x, unsigned gfp)
{
    return x->kernel->context == CONTEXT_TASK && (gfp & GFP_KERNEL) == GFP_KERNEL && !(gfp & GFP_BIT_NORETRY) &&
           mask_bad(mask_effective(gfp, x->kernel->scope)) == RULE_NONE;
}

bool area_step_kvmalloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    const bool array = op->kind == OP_KVCALLOC;
    size_t bytes = (size_t)a;
    bool fits = !array || !__builtin_mul_overflow((size_t)a, (size_t)b, &bytes);
    if (!kernel_idle(&x->kernel->blocks[slot]) || !is_legal(x, op->gfp)) return true;
    struct kernel_call c = {.op = op,
                            .slot = slot,
                            .act = ACT_MAP,
                            .gfp = op->gfp | (array ? (unsigned)GFP_BIT_ZERO : 0),
                            .request = bytes};
    caches_shared(x);
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    struct either e = expect(x, &c, fits ? bytes : 0);
    void *p = array ? CALL(x, kvcalloc, (size_t)a, (size_t)b, op->gfp) : CALL(x, kvmalloc, bytes, op->gfp);
    note(x, &c, p);
    return kernel_end(x, &c) && judge_new(x, &c, &e, fits, p);
}

/* An old object or area became something else elsewhere. */
static bool judge_moved(struct exec *x, struct kernel_call *c, struct either *e, const struct kernel_block *old,
                        void *p)
{
    const bool was_area = old->origin == ORIGIN_VMALLOC, is_area = machine_in_window(x->kernel->machine, p);
    if (!was_area && !is_area) return kmalloc_resized(x, c, &e->object, old, p);
    if (!is_area) return exec_fail(x, RULE_B108, p, "an area stays one", "it became kmalloc's memory");
    if (was_area && !area_left(x, old)) return false;
    if (!kernel_forget(x, c->slot, LIFE_NONE)) return false;
    e->area.old = old;
    e->area.copy_rule = RULE_B108;
    e->area.zeroed = false;
    return area_result(x, c, &e->area, p,
                       (struct kernel_block){.always_zeroed = old->always_zeroed && c->effective & GFP_BIT_ZERO});
}

/* To nothing: an area is freed as by vfree, an object as by krealloc, and the results differ (B108). */
static bool judge_nothing(struct exec *x, struct kernel_call *c, struct either *e, const struct kernel_block *old,
                          void *p)
{
    const bool was_area = old->origin == ORIGIN_VMALLOC;
    if (p != (was_area ? NULL : ZERO_SIZE_PTR))
        return exec_fail(x, RULE_B108, p, was_area ? "NULL: an area is gone" : "ZERO_SIZE_PTR: an object is gone",
                         p == ZERO_SIZE_PTR ? "ZERO_SIZE_PTR"
                         : p                ? "an address"
                                            : "NULL");
    if (was_area) return area_left(x, old) && kernel_forget(x, c->slot, LIFE_DEAD) && kernel_settle(x, c, FRAME_FREE);
    return kernel_forget(x, c->slot, LIFE_NONE) && kmalloc_granted(x, c, &e->object, RULE_NONE, p);
}

static bool judge_resized(struct exec *x, struct kernel_call *c, struct either *e, const struct kernel_block *old,
                          void *p)
{
    const bool fits = e->bytes <= old->usable;
    exec_checked(x, RULE_B108);
    if (!e->bytes) return judge_nothing(x, c, e, old, p);
    if (fits && old->origin == ORIGIN_VMALLOC) return area_resized(x, c, old, e->bytes, p);
    if (!p && fits) return exec_fail(x, RULE_B108, p, "the old block: it is large enough", "NULL");
    if (!p) return judge_null(x, c, e) && kernel_verify(x, c->slot, RULE_B108);
    if (p == old->handle && !fits)
        return exec_fail(x, RULE_B108, p, "a larger block: the old one is too small", "the same address");
    return judge_moved(x, c, e, old, p);
}

bool area_step_kvrealloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a)
{
    const struct kernel_block old = x->kernel->blocks[slot];
    const bool live = old.life == LIFE_LIVE;
    const size_t bytes = (size_t)a;
    if (!is_legal(x, op->gfp) || old.life == LIFE_DEFERRED || old.pins || old.put) return true;
    if (live && old.origin != ORIGIN_KMALLOC && old.origin != ORIGIN_VMALLOC) return true;
    if (live && !kernel_verify(x, slot, RULE_C10)) return false;
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_MAP, .gfp = op->gfp, .request = bytes};
    caches_shared(x);
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    struct either e = expect(x, &c, bytes);
    void *p = CALL(x, kvrealloc, live ? old.handle : NULL, bytes, op->gfp);
    note(x, &c, p);
    if (live && old.origin == ORIGIN_KMALLOC && (!bytes || (p && p != old.handle))) objects_leave(x, slot);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return !live || kernel_verify(x, slot, c.must_rule);
    return live ? judge_resized(x, &c, &e, &old, p) : judge_new(x, &c, &e, true, p);
}
