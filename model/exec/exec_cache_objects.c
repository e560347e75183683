/* exec_cache_objects.c: the calls that get and free objects of caches, and their constructors (B67, B69, B70, B75, B77). */
#include "exec_objects.h"

#define BULK_MAX 64u /* objects in one call */

#define CALL(x, operation, ...) ((x)->kernel->ops->operation((x)->heap, __VA_ARGS__))

/* ---- Constructors ------------------------------------------------------------------------------------------------------- */

/* A constructor is told the object and nothing else, so there is one for each number that a cache may have. It runs only
 * inside a call to the allocator, on the thread that makes the call. */
static _Thread_local struct exec *constructing;

/* What a constructed object holds. The same for all objects of a cache: nothing else is known of it. */
static uint64_t constructed_key(unsigned cache) { return payload_key(0x5eed0000u + cache, 0); }

void caches_construct(struct exec *x) { constructing = x; }

static void construct(unsigned cache, void *object)
{
    if (!constructing) return;
    struct cache_model *m = constructing->kernel->caches;
    payload_fill(object, m->caches[cache].size, constructed_key(cache));
    m->groups[cache].constructed++;
}

#define CONSTRUCTORS(each)                                                                                     \
    each(0) each(1) each(2) each(3) each(4) each(5) each(6) each(7) each(8) each(9) each(10) each(11) each(12) \
        each(13) each(14) each(15)
#define DEFINE(n) \
    static void construct_##n(void *object) { construct(n, object); }
CONSTRUCTORS(DEFINE)
#undef DEFINE

#define NAME(n) construct_##n,
static void (*const constructors[])(void *) = {CONSTRUCTORS(NAME)};
#undef NAME
_Static_assert(sizeof constructors / sizeof constructors[0] == PROGRAM_CACHES, "one constructor for each cache");

void (*caches_constructor(unsigned number))(void *) { return constructors[number]; }

/* ---- Objects --------------------------------------------------------------------------------------------------------------- */

struct object_request caches_request(const struct exec *x, unsigned number)
{
    const struct known_cache *cache = &x->kernel->caches->caches[number];
    unsigned order = 0;
    while (x->kernel->machine->page_bytes << order < cache->size + cache->align) order++;
    return (struct object_request){.group = number,
                                   .bytes = cache->size,
                                   .usable = cache->size,
                                   .align = cache->align,
                                   .order = order,
                                   .constructed = cache->constructor,
                                   .align_rule = RULE_B66,
                                   .zero_rule = RULE_B70,
                                   .class_rule = RULE_B67,
                                   .refusal_rule = RULE_B28};
}

/* An object of a cache with constructor holds what it was made with, or had when it was freed: the same (B69). */
static bool judge_constructed(struct exec *x, unsigned number, void *p)
{
    const struct known_cache *cache = &x->kernel->caches->caches[number];
    if (!cache->constructor) return true;
    exec_checked(x, RULE_B69);
    size_t at = payload_verify(p, cache->size, constructed_key(number));
    if (at == cache->size) return true;
    return exec_fail(x, RULE_B69, (unsigned char *)p + at, "the constructed state", "byte %zu is another", at);
}

static bool enter_object(struct exec *x, struct kernel_call *c, const struct object_request *r, void *p)
{
    struct known_cache *cache = &x->kernel->caches->caches[r->group];
    struct kernel_block block = {
        .origin = ORIGIN_OBJECT, .life = LIFE_LIVE, .owner = (uint8_t)r->group, .gfp = c->effective};
    if (machine_direct_pfn(x->kernel->machine, p) != PFN_NONE && !judge_constructed(x, r->group, p)) return false;
    cache->live++;
    return objects_granted(x, c, r, p, block);
}

static bool step_alloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a)
{
    struct cache_model *m = x->kernel->caches;
    unsigned number = (unsigned)(a % PROGRAM_CACHES);
    bool zalloc = op->kind == OP_CACHE_ZALLOC, zeroed = zalloc || op->gfp & GFP_BIT_ZERO;
    struct known_cache *cache = &m->caches[number];
    if (!cache->handle || cache->zombie || x->kernel->blocks[slot].life == LIFE_LIVE ||
        x->kernel->blocks[slot].life == LIFE_DEFERRED)
        return true;
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_ALLOC, .gfp = op->gfp, .request = cache->size};
    if (!kernel_begin(x, &c)) return false;
    if (!objects_asked(x, &c, zeroed && cache->constructor)) return true;
    struct object_request r = caches_request(x, number);
    r.zeroed = zeroed;
    objects_expect(x, &c, &r);
    constructing = x;
    void *p = zalloc ? CALL(x, cache_zalloc, cache->handle, op->gfp) : CALL(x, cache_alloc, cache->handle, op->gfp);
    constructing = NULL;
    kernel_outcome(x, &c, p ? RESULT_PTR : RESULT_NULL, p);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return true;
    return p ? enter_object(x, &c, &r, p) : objects_refused(x, &c, &r);
}

static bool has_constructor(const struct exec *x, const struct kernel_block *b)
{
    return b->origin == ORIGIN_OBJECT && x->kernel->caches->caches[b->owner].constructor;
}

/* Before an object of a cache with constructor is freed, its owner makes it what it was. */
static bool prepare_free(struct exec *x, unsigned slot)
{
    const struct kernel_block *b = &x->kernel->blocks[slot];
    if (!kernel_verify(x, slot, RULE_C10)) return false;
    if (has_constructor(x, b)) payload_fill(b->va, b->request, constructed_key(b->owner));
    return true;
}

/* A free that was reported has freed nothing: the object is what it was when it was to go, and its owner's again. */
static bool keep_object(struct exec *x, unsigned slot, enum rule rule)
{
    const struct kernel_block *b = &x->kernel->blocks[slot];
    if (!has_constructor(x, b)) return kernel_verify(x, slot, rule);
    size_t at = payload_verify(b->va, b->request, constructed_key(b->owner));
    if (at != b->request)
        return exec_fail(x, rule, (unsigned char *)b->va + at, "the bytes that it had when it was to be freed",
                         "of p%u, byte %zu is another", slot, at);
    kernel_write(x, slot);
    return true;
}

static bool forget_object(struct exec *x, unsigned slot)
{
    x->kernel->caches->caches[x->kernel->blocks[slot].owner].live--;
    return kernel_forget(x, slot, LIFE_DEAD);
}

static bool free_object(struct exec *x, const struct op *op, unsigned slot, unsigned number)
{
    struct cache_model *m = x->kernel->caches;
    struct kernel_block *b = &x->kernel->blocks[slot];
    struct known_cache *cache = &m->caches[number];
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_FREE};
    bool own = b->origin == ORIGIN_OBJECT && m->caches[b->owner].handle == cache->handle;
    if (own ? !prepare_free(x, slot) : !kernel_verify(x, slot, RULE_C10)) return false;
    if (!kernel_begin(x, &c)) return false;
    if (c.must == REPORT_KINDS && !own) {
        c.must = REPORT_WRONG_FREE;
        c.must_rule = b->origin == ORIGIN_OBJECT ? RULE_B75 : RULE_B120;
    }
    if (c.must == REPORT_KINDS) {
        objects_leave(x, slot);
    }
    CALL(x, cache_free, cache->handle, b->va);
    kernel_outcome(x, &c, RESULT_VOID, b->va);
    if (!kernel_end(x, &c) || !kernel_settle(x, &c, FRAME_FREE)) return false;
    if (c.must != REPORT_KINDS) {
        exec_checked(x, c.must_rule);
        return own ? keep_object(x, slot, c.must_rule) : kernel_verify(x, slot, c.must_rule);
    }
    return forget_object(x, slot);
}

bool object_release(struct exec *x, unsigned slot)
{
    unsigned owner = x->kernel->blocks[slot].owner;
    if (x->kernel->caches->caches[owner].zombie) { /* nobody may free it any more (B74) */
        objects_leave(x, slot);
        return forget_object(x, slot);
    }
    static const struct op release = {.kind = OP_CACHE_FREE, .count = 1};
    return free_object(x, &release, slot, owner);
}

static bool step_free(struct exec *x, const struct op *op, unsigned slot, uint64_t a)
{
    const struct kernel_block *b = &x->kernel->blocks[slot];
    unsigned number = (unsigned)(a % PROGRAM_CACHES);
    struct known_cache *cache = &x->kernel->caches->caches[number];
    if (b->life != LIFE_LIVE || !cache->handle || cache->zombie || !b->va || b->origin == ORIGIN_ZERO_SIZE) return true;
    if (b->origin == ORIGIN_ELEMENT) return true; /* what a pool hands out is like any other: it cannot be told */
    bool own = b->origin == ORIGIN_OBJECT && x->kernel->caches->caches[b->owner].handle == cache->handle;
    /* A cache that shares slabs with kmalloc cannot tell whose object it is. */
    if (!own && b->origin == ORIGIN_KMALLOC && x->kernel->ops->merges_caches) return true;
    return free_object(x, op, slot, number);
}

/* ---- Bulk ------------------------------------------------------------------------------------------------------------------ */

static bool slots_are_empty(const struct exec *x, unsigned slot, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned life = x->kernel->blocks[(slot + i) % PROGRAM_SLOTS].life;
        if (life == LIFE_LIVE || life == LIFE_DEFERRED) return false;
    }
    return true;
}

static bool step_alloc_bulk(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    struct cache_model *m = x->kernel->caches;
    unsigned number = (unsigned)(a % PROGRAM_CACHES), count = (unsigned)(b % (BULK_MAX + 1));
    struct known_cache *cache = &m->caches[number];
    bool zeroed = op->gfp & GFP_BIT_ZERO;
    void *objects[BULK_MAX] = {NULL};
    if (!cache->handle || cache->zombie || !slots_are_empty(x, slot, count)) return true;
    struct kernel_call c = {.op = op, .slot = slot, .slots = count, .act = ACT_BULK, .gfp = op->gfp, .request = count};
    if (!kernel_begin(x, &c)) return false;
    if (!objects_asked(x, &c, zeroed && cache->constructor)) return true;
    struct object_request r = caches_request(x, number);
    r.zeroed = zeroed;
    objects_expect(x, &c, &r);
    constructing = x;
    size_t got = CALL(x, cache_alloc_bulk, cache->handle, op->gfp, count, objects);
    constructing = NULL;
    kernel_outcome(x, &c, got ? RESULT_VOID : RESULT_NULL, NULL);
    if (!kernel_end(x, &c)) return false;
    exec_checked(x, RULE_B77);
    if (got != 0 && got != count) return exec_fail(x, RULE_B77, NULL, "all objects or none", "%zu of %u", got, count);
    if (c.reported) return true;
    if (!caches_settle(x, &c)) return false;
    if (!objects_judge_injection(x, &c, &r)) return false;
    if (!got || !count) {
        if (!count || c.injected || r.spare < count || m->zombies || cache->inexact) return true;
        return exec_fail(x, RULE_B77, NULL, "objects: the cache has enough free ones", "none with %u objects free",
                         r.spare);
    }
    /* Slabs may have come for the later ones: the first objects may use up what was there. */
    if (r.spare < count) m->arrived = 0;
    for (unsigned i = 0; i < count; i++) {
        c.slot = (slot + i) % PROGRAM_SLOTS;
        if (!objects[i]) return exec_fail(x, RULE_B77, NULL, "every place of the array filled", "object %u is NULL", i);
        if (!enter_object(x, &c, &r, objects[i])) return false;
    }
    return true;
}

static bool keep_objects(struct exec *x, const uint16_t *slots, unsigned count, enum rule rule)
{
    for (unsigned i = 0; i < count; i++)
        if (!keep_object(x, slots[i], rule)) return false;
    return true;
}

static bool step_free_bulk(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    struct cache_model *m = x->kernel->caches;
    bool any = a % (PROGRAM_CACHES + 1) == PROGRAM_CACHES;
    unsigned number = (unsigned)(a % (PROGRAM_CACHES + 1)), limit = (unsigned)(b % (BULK_MAX + 1)), count = 0;
    void *objects[BULK_MAX];
    uint16_t slots[BULK_MAX];
    if (!any && (!m->caches[number].handle || m->caches[number].zombie)) return true;
    for (unsigned i = 0; i < limit; i++) {
        unsigned at = (slot + i) % PROGRAM_SLOTS;
        const struct kernel_block *block = &x->kernel->blocks[at];
        bool object = block->origin == ORIGIN_OBJECT,
             wanted = object ? any || block->owner == number : any && block->origin == ORIGIN_KMALLOC;
        if (block->life != LIFE_LIVE || !wanted || (object && m->caches[block->owner].zombie)) continue;
        if (!prepare_free(x, at)) return false;
        objects[count] = block->va;
        slots[count++] = (uint16_t)at;
    }
    if (!count) return true;
    struct kernel_call c = {.op = op, .slot = slot, .slots = limit, .act = ACT_BULK};
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return keep_objects(x, slots, count, c.must_rule);
    for (unsigned i = 0; i < count && c.must == REPORT_KINDS; i++) objects_leave(x, slots[i]);
    CALL(x, cache_free_bulk, any ? NULL : m->caches[number].handle, count, objects);
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    if (!kernel_end(x, &c) || !kernel_settle(x, &c, FRAME_FREE)) return false;
    exec_checked(x, RULE_B77);
    if (c.must != REPORT_KINDS) return keep_objects(x, slots, count, c.must_rule);
    for (unsigned i = 0; i < count; i++) {
        bool object = x->kernel->blocks[slots[i]].origin == ORIGIN_OBJECT;
        if (!(object ? forget_object(x, slots[i]) : kernel_forget(x, slots[i], LIFE_DEAD))) return false;
    }
    return true;
}

/* ---- All of them ---------------------------------------------------------------------------------------------------------- */

bool caches_step_object(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    switch ((enum op_kind)op->kind) {
    case OP_CACHE_ALLOC_BULK: return step_alloc_bulk(x, op, slot, a, b);
    case OP_CACHE_FREE: return step_free(x, op, slot, a);
    case OP_CACHE_FREE_BULK: return step_free_bulk(x, op, slot, a, b);
    default: return step_alloc(x, op, slot, a);
    }
}
