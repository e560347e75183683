/* exec_kmalloc.c: the calls of kmalloc's family (B51-B64). */
#include "exec_objects.h"

#include <string.h>

#define CALL(x, operation, ...) ((x)->kernel->ops->operation((x)->heap, __VA_ARGS__))

static bool has_dma(const struct exec *x)
{
    const struct machine_zone *dma = &x->kernel->machine->zones[ZONE_DMA];
    return dma->start != dma->end;
}

struct object_request kmalloc_request(const struct exec *x, uint64_t size, unsigned effective)
{
    const struct machine *m = x->kernel->machine;
    unsigned min = x->kernel->ops->kmalloc_min, order = 0;
    struct object_request r = {.group = GROUP_NONE,
                               .bytes = size,
                               .usable = kmalloc_roundup((size_t)size, min, m->page_bytes),
                               .align = kmalloc_alignment((size_t)size, min),
                               .zeroed = effective & GFP_BIT_ZERO,
                               .align_rule = RULE_B55,
                               .zero_rule = RULE_B58,
                               .class_rule = RULE_B52,
                               .refusal_rule = RULE_B64};
    while (m->page_bytes << order < r.usable) order++;
    r.order = order;
    if (size <= KMALLOC_CACHE_MAX)
        r.group =
            GROUP_KMALLOC + kmalloc_class((size_t)size, min) * KMALLOC_TYPES + kmalloc_type_of(effective, has_dma(x));
    return r;
}

/* ---- What is asked beside the call ---------------------------------------------------------------------------------------- */

/* What is rounded is rounded no further, and one byte more is rounded to no less (C6): as far as the largest block. */
static bool judge_rounding(struct exec *x, size_t bytes, size_t rounded)
{
    const struct kernel_ops *ops = x->kernel->ops;
    exec_checked(x, RULE_C6);
    size_t again = ops->kmalloc_size_roundup(x->heap, rounded), next = ops->kmalloc_size_roundup(x->heap, bytes + 1);
    if (again == rounded && next >= rounded) return true;
    return exec_fail(x, RULE_C6, NULL, "a rounding that is monotone, and complete at once",
                     "%zu is rounded to %zu, that to %zu, and %zu to %zu", bytes, rounded, again, bytes + 1, next);
}

/* ksize and kmalloc_size_roundup say what the class says (B56, B57); they change nothing. */
static bool judge_sizes(struct exec *x, const struct object_request *r, const void *p)
{
    const struct kernel_ops *ops = x->kernel->ops;
    if (ops->ksize) {
        size_t seen = ops->ksize(x->heap, p);
        enum rule rule = r->group == GROUP_NONE ? RULE_B53 : RULE_B56;
        exec_checked(x, rule);
        exec_checked(x, RULE_B52);
        if (seen != r->usable)
            return exec_fail(x,
                             seen < r->bytes          ? rule
                             : r->group == GROUP_NONE ? rule
                                                      : RULE_B52,
                             p, "ksize is the size of the class, or of the pages", "%zu for %llu bytes, must be %llu",
                             seen, (unsigned long long)r->bytes, (unsigned long long)r->usable);
    }
    if (ops->kmalloc_size_roundup) {
        size_t seen = ops->kmalloc_size_roundup(x->heap, (size_t)r->bytes);
        if (!judge_rounding(x, (size_t)r->bytes, seen)) return false;
        exec_checked(x, RULE_B57);
        if (seen != r->usable)
            return exec_fail(x, RULE_B57, NULL, "what ksize says of a block of that size",
                             "kmalloc_size_roundup(%llu) is %zu, must be %llu", (unsigned long long)r->bytes, seen,
                             (unsigned long long)r->usable);
    }
    return true;
}

static bool judge_sentinels(struct exec *x)
{
    const struct kernel_ops *ops = x->kernel->ops;
    if (!ops->ksize) return true;
    exec_checked(x, RULE_B56);
    if (ops->ksize(x->heap, NULL) || ops->ksize(x->heap, ZERO_SIZE_PTR))
        return exec_fail(x, RULE_B56, NULL, "ksize of NULL and of ZERO_SIZE_PTR is 0", "it is not");
    return true;
}

/* ---- Granted or not ---------------------------------------------------------------------------------------------------------- */

static bool is_idle(const struct kernel_block *b) { return b->life != LIFE_LIVE && b->life != LIFE_DEFERRED; }

static bool enter_zero_size(struct exec *x, const struct kernel_call *c, void *p)
{
    exec_checked(x, RULE_B51);
    if (p != ZERO_SIZE_PTR)
        return exec_fail(x, RULE_B51, p, "ZERO_SIZE_PTR for a request of no bytes", p ? "another address" : "NULL");
    x->kernel->blocks[c->slot] = (struct kernel_block){
        .origin = ORIGIN_ZERO_SIZE, .life = LIFE_LIVE, .handle = p, .list = LIST_NONE, .gfp = c->effective};
    if (c->slot >= x->kernel->slot_end) x->kernel->slot_end = c->slot + 1;
    return judge_sentinels(x);
}

/* A request for more than can be. */
static bool judge_impossible(struct exec *x, struct kernel_call *c, enum rule rule, const void *p)
{
    exec_checked(x, rule);
    if (p) return exec_fail(x, rule, p, "NULL: no block is that large", "a block");
    return kernel_settle(x, c, FRAME_FREE);
}

bool kmalloc_granted(struct exec *x, struct kernel_call *c, struct object_request *r, enum rule impossible, void *p)
{
    if (c->reported) return true;
    if (impossible != RULE_NONE) return judge_impossible(x, c, impossible, p);
    if (r->bytes == 0) return kernel_settle(x, c, FRAME_FREE) && enter_zero_size(x, c, p);
    if (!p) return objects_refused(x, c, r);
    if (p == ZERO_SIZE_PTR) return exec_fail(x, RULE_B51, NULL, "memory: bytes were asked for", "ZERO_SIZE_PTR");
    struct kernel_block block = {
        .origin = ORIGIN_KMALLOC, .life = LIFE_LIVE, .gfp = c->effective, .always_zeroed = c->effective & GFP_BIT_ZERO};
    return objects_granted(x, c, r, p, block) && judge_sizes(x, r, p);
}

/* Bytes of a request of a elements of b bytes; false: the product does not fit. */
static bool product(uint64_t a, uint64_t b, uint64_t *bytes)
{
    size_t n;
    if (__builtin_mul_overflow((size_t)a, (size_t)b, &n)) return false;
    *bytes = n;
    return true;
}

/* ZERO_SIZE_PTR is no place in memory. */
static void note(struct exec *x, const struct kernel_call *c, void *p)
{
    bool zero = p == ZERO_SIZE_PTR;
    kernel_outcome(x, c, zero ? RESULT_VOID : p ? RESULT_PTR : RESULT_NULL, zero ? NULL : p);
}

static bool step_new(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    const bool array = op->kind == OP_KCALLOC || op->kind == OP_KMALLOC_ARRAY;
    uint64_t bytes = a;
    bool fits = !array || product(a, b, &bytes);
    enum rule impossible = !fits ? RULE_B58 : bytes > KMALLOC_MAX ? RULE_B53 : RULE_NONE;
    if (!is_idle(&x->kernel->blocks[slot])) return true;
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_ALLOC, .gfp = op->gfp, .request = bytes};
    if (op->kind == OP_KZALLOC || op->kind == OP_KCALLOC) c.gfp |= GFP_BIT_ZERO;
    if (!kernel_begin(x, &c)) return false;
    if (!objects_asked(x, &c, false)) return true;
    struct object_request r = {.group = GROUP_NONE};
    if (impossible == RULE_NONE && bytes) {
        r = kmalloc_request(x, bytes, c.effective & ~(unsigned)(GFP_BIT_HIGHMEM | GFP_BIT_DMA32));
        objects_expect(x, &c, &r);
    }
    void *p = NULL;
    switch ((enum op_kind)op->kind) {
    case OP_KMALLOC: p = CALL(x, kmalloc, (size_t)a, op->gfp); break;
    case OP_KZALLOC: p = CALL(x, kzalloc, (size_t)a, op->gfp); break;
    case OP_KCALLOC: p = CALL(x, kcalloc, (size_t)a, (size_t)b, op->gfp); break;
    default: p = CALL(x, kmalloc_array, (size_t)a, (size_t)b, op->gfp); break;
    }
    note(x, &c, p);
    return kernel_end(x, &c) && kmalloc_granted(x, &c, &r, impossible, p);
}

/* ---- krealloc ------------------------------------------------------------------------------------------------------------------ */

/* In place: the same bytes, another request (B59). */
static bool judge_same(struct exec *x, struct kernel_call *c, const struct kernel_block *old, uint64_t bytes)
{
    struct kernel_block *b = &x->kernel->blocks[c->slot];
    if (!kernel_settle(x, c, FRAME_FREE)) return false;
    exec_checked(x, RULE_B59);
    if (bytes > old->usable)
        return exec_fail(x, RULE_B59, old->va, "a larger block: the old one is too small", "%llu bytes in one of %llu",
                         (unsigned long long)bytes, (unsigned long long)old->usable);
    uint64_t kept = bytes < old->request ? bytes : old->request;
    if (!kernel_verify_prefix(x, old, kept, RULE_B59)) return false;
    b->always_zeroed = old->always_zeroed && c->effective & GFP_BIT_ZERO;
    size_t at;
    if (b->always_zeroed && bytes > old->request) {
        exec_checked(x, RULE_B60);
        if (!payload_zero(old->va + old->request, bytes - old->request, &at))
            return exec_fail(x, RULE_B60, old->va + old->request + at, "zeroed bytes behind the old request",
                             "byte %llu is not zero", (unsigned long long)(old->request + at));
    }
    b->request = bytes;
    kernel_write(x, c->slot);
    return true;
}

static bool judge_moved(struct exec *x, struct kernel_call *c, struct object_request *r, const struct kernel_block *old,
                        void *p)
{
    uint64_t kept = r->bytes < old->request ? r->bytes : old->request;
    const struct kernel_block now = {.origin = ORIGIN_KMALLOC,
                                     .life = LIFE_LIVE,
                                     .handle = p,
                                     .va = p,
                                     .pfn = machine_direct_pfn(x->kernel->machine, p),
                                     .list = LIST_NONE,
                                     .generation = old->generation,
                                     .request = old->request,
                                     .gfp = c->effective};
    exec_checked(x, RULE_B59);
    if (now.pfn == PFN_NONE) return exec_fail(x, RULE_B54, p, "an address in the direct map", "it lies outside");
    if (!kernel_verify_prefix(x, &now, kept, RULE_B59)) return false;
    bool zeroed = old->always_zeroed && c->effective & GFP_BIT_ZERO;
    size_t at;
    if (zeroed && r->bytes > kept) {
        exec_checked(x, RULE_B60);
        if (!payload_zero((unsigned char *)p + kept, r->bytes - kept, &at))
            return exec_fail(x, RULE_B60, (unsigned char *)p + kept + at, "zeroed bytes behind the old request",
                             "byte %llu is not zero", (unsigned long long)(kept + at));
    }
    if (!kernel_forget(x, c->slot, LIFE_NONE)) return false;
    r->zeroed = false;
    struct kernel_block block = {
        .origin = ORIGIN_KMALLOC, .life = LIFE_LIVE, .gfp = c->effective, .always_zeroed = zeroed};
    return objects_granted(x, c, r, p, block) && judge_sizes(x, r, p);
}

bool kmalloc_resized(struct exec *x, struct kernel_call *c, struct object_request *r, const struct kernel_block *old,
                     void *p)
{
    return p == old->handle ? judge_same(x, c, old, r->bytes) : judge_moved(x, c, r, old, p);
}

static bool step_realloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    const bool array = op->kind == OP_KREALLOC_ARRAY;
    struct kernel_block *block = &x->kernel->blocks[slot];
    const struct kernel_block old = *block;
    const bool live = old.life == LIFE_LIVE, empty = !live || old.origin == ORIGIN_ZERO_SIZE;
    uint64_t bytes = a;
    bool fits = !array || product(a, b, &bytes);
    enum rule impossible = !fits ? RULE_B58 : bytes > KMALLOC_MAX ? RULE_B53 : RULE_NONE;
    if (old.life == LIFE_DEFERRED || (live && old.origin != ORIGIN_KMALLOC && old.origin != ORIGIN_ZERO_SIZE))
        return true;
    if (!empty && !kernel_verify(x, slot, RULE_C10)) return false;
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_ALLOC, .gfp = op->gfp, .request = bytes};
    if (!kernel_begin(x, &c)) return false;
    if (!objects_asked(x, &c, false)) return true;
    struct object_request r = {.group = GROUP_NONE};
    if (impossible == RULE_NONE && bytes) {
        r = kmalloc_request(x, bytes, c.effective & ~(unsigned)(GFP_BIT_HIGHMEM | GFP_BIT_DMA32));
        objects_expect(x, &c, &r);
    }
    void *p = array ? CALL(x, krealloc_array, live ? old.handle : NULL, (size_t)a, (size_t)b, op->gfp)
                    : CALL(x, krealloc, live ? old.handle : NULL, (size_t)a, op->gfp);
    note(x, &c, p);
    /* Freed on the way, if it went as it should: its frames may be among those that were given back. */
    bool gone = !empty && impossible == RULE_NONE && c.must == REPORT_KINDS && (!bytes || (p && p != old.handle));
    if (gone) objects_leave(x, slot);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return true;
    if (empty) {
        if (live && p) *block = (struct kernel_block){.list = LIST_NONE};
        return kmalloc_granted(x, &c, &r, impossible, p);
    }
    if (impossible != RULE_NONE) return judge_impossible(x, &c, impossible, p) && kernel_verify(x, slot, RULE_B59);
    if (!bytes) {
        return kernel_forget(x, slot, LIFE_NONE) && kernel_settle(x, &c, FRAME_FREE) && enter_zero_size(x, &c, p);
    }
    if (p) return kmalloc_resized(x, &c, &r, &old, p);
    exec_checked(x, RULE_B59);
    if (bytes <= old.usable) /* it fits: nothing had to be asked for, and failslab is not (B59, C32) */
        return exec_fail(x, RULE_B59, old.va, "the old block: it is large enough", "NULL for %llu bytes of %llu",
                         (unsigned long long)bytes, (unsigned long long)old.usable);
    return objects_refused(x, &c, &r) && kernel_verify(x, slot, RULE_B59);
}

/* ---- kfree ----------------------------------------------------------------------------------------------------------------------- */

/* Does any word of what the owner wrote still stand there? A link of the allocator's may have taken the place of one. */
static bool judge_wiped(struct exec *x, const struct kernel_block *b, enum rule rule)
{
    const struct machine *m = x->kernel->machine;
    unsigned char old[64], now[64];
    uint64_t key = exec_key(x, b->generation);
    size_t length = b->request < sizeof old ? (size_t)b->request : sizeof old;
    const unsigned char *at = machine_oracle(m, b->pfn) + (uintptr_t)b->va % m->page_bytes;
    payload_fill(old, length, key);
    memcpy(now, at, length);
    exec_checked(x, rule);
    for (size_t i = 0; i + 8 <= length; i += 8)
        if (!memcmp(old + i, now + i, 8))
            return exec_fail(x, rule, b->va + i, "nothing of the contents is left after a sensitive free",
                             "bytes %zu to %zu still stand there", i, i + 8);
    return true;
}

static bool legal_to_kfree(const struct exec *x, const struct kernel_block *b)
{
    return b->origin == ORIGIN_KMALLOC || b->origin == ORIGIN_ZERO_SIZE ||
           (b->origin == ORIGIN_OBJECT && x->kernel->ops->kfree_takes_cached);
}

static void *address_of(const struct kernel_block *b) { return b->origin == ORIGIN_ZERO_SIZE ? b->handle : b->va; }

static bool kfree_block(struct exec *x, const struct op *op, unsigned slot)
{
    const struct kernel_ops *ops = x->kernel->ops;
    const bool kv = op->kind == OP_KVFREE,
               sensitive = op->kind == OP_KFREE_SENSITIVE || (kv && op->a && ops->kvfree_sensitive);
    const struct kernel_block old = x->kernel->blocks[slot];
    const bool legal = legal_to_kfree(x, &old), zero = old.origin == ORIGIN_ZERO_SIZE;
    if (!zero && !kernel_verify(x, slot, RULE_C10)) return false;
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_FREE};
    if (!kernel_begin(x, &c)) return false;
    if (c.must == REPORT_KINDS && !legal) {
        c.must = REPORT_WRONG_FREE;
        c.must_rule = RULE_B120;
    }
    if (c.must == REPORT_KINDS && !zero) {
        objects_leave(x, slot);
    }
    if (sensitive && kv) ops->kvfree_sensitive(x->heap, address_of(&old), (size_t)old.request);
    else if (sensitive) ops->kfree_sensitive(x->heap, address_of(&old));
    else if (kv) ops->kvfree(x->heap, address_of(&old));
    else ops->kfree(x->heap, address_of(&old));
    kernel_outcome(x, &c, RESULT_VOID, old.va);
    if (!kernel_end(x, &c) || !kernel_settle(x, &c, FRAME_FREE)) return false;
    if (c.must != REPORT_KINDS) {
        exec_checked(x, c.must_rule);
        return zero || kernel_verify(x, slot, c.must_rule);
    }
    exec_checked(x, RULE_B61);
    if (old.origin == ORIGIN_OBJECT) x->kernel->caches->caches[old.owner].live--;
    if (zero) x->kernel->blocks[slot] = (struct kernel_block){.list = LIST_NONE};
    else if (!kernel_forget(x, slot, LIFE_DEAD)) return false;
    return !sensitive || zero || judge_wiped(x, &old, kv ? RULE_B107 : RULE_B61);
}

bool kmalloc_release(struct exec *x, unsigned slot)
{
    static const struct op release = {.kind = OP_KFREE, .count = 1};
    return kfree_block(x, &release, slot);
}

bool kmalloc_step_free(struct exec *x, const struct op *op, unsigned slot)
{
    const struct kernel_block *b = &x->kernel->blocks[slot];
    if (b->life == LIFE_NONE || b->origin == ORIGIN_NONE) { /* of NULL */
        struct kernel_call c = {.op = op, .slot = slot, .act = ACT_FREE};
        if (!kernel_begin(x, &c)) return false;
        if (kernel_declines(x, &c)) return true;
        if (op->kind == OP_KFREE_SENSITIVE) CALL(x, kfree_sensitive, NULL);
        else CALL(x, kfree, NULL);
        kernel_outcome(x, &c, RESULT_VOID, NULL);
        exec_checked(x, RULE_B61);
        return kernel_end(x, &c) && kernel_settle(x, &c, FRAME_FREE);
    }
    if (b->life != LIFE_LIVE || (!b->va && b->origin != ORIGIN_ZERO_SIZE)) return true;
    if (b->origin == ORIGIN_OBJECT && x->kernel->caches->caches[b->owner].zombie) return true;
    /* An object of a cache with constructor goes back in the state that it was made in (B69): not by this call here. */
    if (b->origin == ORIGIN_OBJECT && x->kernel->caches->caches[b->owner].constructor) return true;
    if (b->origin == ORIGIN_ELEMENT) return true; /* what a pool hands out is like any other: it cannot be told */
    return kfree_block(x, op, slot);
}

static bool is_offered(const struct kernel_ops *ops, enum op_kind kind)
{
    switch (kind) {
    case OP_KMALLOC: return ops->kmalloc;
    case OP_KZALLOC: return ops->kzalloc;
    case OP_KCALLOC: return ops->kcalloc;
    case OP_KMALLOC_ARRAY: return ops->kmalloc_array;
    case OP_KREALLOC: return ops->krealloc;
    case OP_KREALLOC_ARRAY: return ops->krealloc_array;
    case OP_KFREE: return ops->kfree;
    case OP_KFREE_SENSITIVE: return ops->kfree_sensitive;
    default: return false;
    }
}

bool exec_step_kmalloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    if (op->kind == OP_MISUSE) return object_misuse(x, op, slot, a);
    if (op->kind == OP_SCRIBBLE) return object_scribble(x, op, slot, a);
    if (!is_offered(x->kernel->ops, (enum op_kind)op->kind)) return exec_skip(x, (enum op_kind)op->kind);
    switch ((enum op_kind)op->kind) {
    case OP_KREALLOC:
    case OP_KREALLOC_ARRAY: return step_realloc(x, op, slot, a, b);
    case OP_KFREE:
    case OP_KFREE_SENSITIVE: return kmalloc_step_free(x, op, slot);
    default: return step_new(x, op, slot, a, b);
    }
}
