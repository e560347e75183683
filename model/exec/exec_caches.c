/* exec_caches.c: the calls that make, shrink and destroy caches (B65, B72, B74, B81), and what is left at the end. */
#include "exec_objects.h"

#include <stdio.h>

#define CALL(x, operation, ...) ((x)->kernel->ops->operation((x)->heap, __VA_ARGS__))

/* ---- Create, shrink, destroy --------------------------------------------------------------------------------------------- */

static bool power_of_two(uint64_t n) { return (n & (n - 1)) == 0; }

static bool step_create(struct exec *x, const struct op *op, uint64_t a, uint64_t b)
{
    struct cache_model *m = x->kernel->caches;
    unsigned number = (unsigned)(a % PROGRAM_CACHES);
    struct known_cache *cache = &m->caches[number];
    char name[16];
    if (cache->handle) return true;
    snprintf(name, sizeof name, "c%u", number);
    struct cache_args args = {.name = name,
                              .size = PROGRAM_CACHE_SIZE(b),
                              .align = PROGRAM_CACHE_ALIGN(b),
                              .flags = PROGRAM_CACHE_FLAGS(b),
                              .constructor = PROGRAM_CACHE_CONSTRUCTOR(b) ? caches_constructor(number) : NULL};
    struct kernel_call c = {.op = op, .act = ACT_CACHE, .request = args.size};
    if (!kernel_begin(x, &c)) return false;
    bool bad = args.size == 0 || !power_of_two(args.align),
         refused = args.size > SLAB_OBJECT_MAX || args.flags & ~(unsigned)CACHE_FLAGS;
    if (c.must == REPORT_KINDS && (bad || refused)) {
        c.must = args.flags & CACHE_PANIC ? REPORT_PANIC : bad ? REPORT_CONTRACT_WARN : REPORT_KINDS;
        c.must_rule = RULE_B65;
    }
    if (kernel_declines(x, &c)) return true;
    cache->size = (uint32_t)args.size; /* constructors may run at once */
    m->current = (uint8_t)number;
    m->groups[number] = (struct cache_group){.joined = (uint8_t)number};
    caches_construct(x);
    struct kmem_cache *handle = CALL(x, cache_create, &args);
    caches_construct(NULL);
    kernel_outcome(x, &c, handle ? RESULT_VOID : RESULT_NULL, NULL);
    if (!kernel_end(x, &c) || !caches_settle(x, &c)) return false;
    exec_checked(x, RULE_B65);
    if (c.reported || bad || refused || !handle) {
        *cache = (struct known_cache){0};
        if (handle) return exec_fail(x, RULE_B65, NULL, "NULL: such a cache cannot be", "a cache was made");
        return true;
    }
    *cache = (struct known_cache){.handle = handle,
                                  .constructor = args.constructor != NULL,
                                  .flags = args.flags,
                                  .size = (uint32_t)args.size,
                                  .align = cache_alignment((uint32_t)args.size, (uint32_t)args.align, args.flags)};
    for (unsigned other = 0; other < PROGRAM_CACHES; other++) {
        if (other == number || m->caches[other].handle != handle) continue;
        exec_checked(x, RULE_B81);
        if (!x->kernel->ops->merges_caches || !cache_model_mergeable(m, number, other, x->kernel->ops->kmalloc_min))
            return exec_fail(x, RULE_B81, NULL, "a cache of its own: these two may not be merged",
                             "c%u is the same as c%u", number, other);
        cache_model_join(m, other, number);
        cache->pooled = m->caches[other].pooled;
        cache->inexact = m->caches[other].inexact;
        break;
    }
    exec_checked(x, RULE_B70);
    if (x->kernel->ops->cache_size && CALL(x, cache_size, handle) < args.size)
        return exec_fail(x, RULE_B70, NULL, "kmem_cache_size is the size asked for", "%zu, not %zu",
                         CALL(x, cache_size, handle), args.size);
    return true;
}

static bool step_shrink(struct exec *x, const struct op *op, uint64_t a)
{
    struct cache_model *m = x->kernel->caches;
    unsigned number = (unsigned)(a % PROGRAM_CACHES);
    struct known_cache *cache = &m->caches[number];
    if (!cache->handle || cache->zombie) return true;
    struct kernel_call c = {.op = op, .act = ACT_CACHE};
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    int left = CALL(x, cache_shrink, cache->handle);
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    if (!kernel_end(x, &c) || !kernel_settle(x, &c, FRAME_FREE)) return false;
    if (c.reported) return true;
    const struct cache_group *g = &m->groups[cache_model_group(m, number)];
    exec_checked(x, RULE_B72);
    if (g->empty && g->stride && !cache->inexact) /* a pool has objects there that nobody was given */
        return exec_fail(x, RULE_B72, NULL, "no empty slab after a shrink", "%u are left", g->empty);
    if (!m->others && (left == 0) != (g->slabs == 0))
        return exec_fail(x, RULE_B72, NULL, "0 if and only if the cache holds no slab", "%d with %u slabs", left,
                         g->slabs);
    return true;
}

/* Whether another name stands for the same cache. */
static bool has_alias(const struct cache_model *m, unsigned number)
{
    for (unsigned other = 0; other < PROGRAM_CACHES; other++)
        if (other != number && m->caches[other].handle == m->caches[number].handle) return true;
    return false;
}

static bool step_destroy(struct exec *x, const struct op *op, uint64_t a)
{
    struct cache_model *m = x->kernel->caches;
    unsigned number = (unsigned)(a % PROGRAM_CACHES);
    struct known_cache *cache = &m->caches[number];
    if (!cache->handle || cache->zombie) return true;
    bool alias = has_alias(m, number);
    if (cache->pooled || (alias && cache->live))
        return true; /* objects of a name that goes could not be told from the others' */
    struct kernel_call c = {.op = op, .act = ACT_CACHE};
    if (!kernel_begin(x, &c)) return false;
    if (c.must == REPORT_KINDS && cache->live) {
        c.must = REPORT_OBJECTS_REMAIN;
        c.must_count = cache->live;
        c.must_rule = RULE_B74;
    }
    if (kernel_declines(x, &c)) return true;
    bool remain = c.must == REPORT_OBJECTS_REMAIN;
    CALL(x, cache_destroy, cache->handle);
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    if (!kernel_end(x, &c) || !kernel_settle(x, &c, FRAME_FREE)) return false;
    exec_checked(x, RULE_B74);
    if (c.reported && !remain) return true;
    if (remain) {
        cache->zombie = m->zombies = true;
        return true;
    }
    const struct cache_group *g = &m->groups[cache_model_group(m, number)];
    if (!alias && cache_model_group(m, number) < GROUP_KMALLOC && g->slabs)
        return exec_fail(x, RULE_B74, NULL, "all frames of a destroyed cache are free", "%u slabs are left", g->slabs);
    cache_model_depart(m, number);
    cache->handle = NULL;
    return true;
}

/* ---- All of them ---------------------------------------------------------------------------------------------------------- */

static bool is_offered(const struct kernel_ops *ops, enum op_kind kind)
{
    switch (kind) {
    case OP_CACHE_CREATE: return ops->cache_create;
    case OP_CACHE_ALLOC: return ops->cache_alloc;
    case OP_CACHE_ZALLOC: return ops->cache_zalloc;
    case OP_CACHE_ALLOC_BULK: return ops->cache_alloc_bulk;
    case OP_CACHE_FREE: return ops->cache_free;
    case OP_CACHE_FREE_BULK: return ops->cache_free_bulk;
    case OP_CACHE_SHRINK: return ops->cache_shrink;
    case OP_CACHE_DESTROY: return ops->cache_destroy;
    default: return false;
    }
}

bool exec_step_caches(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    if (op->kind == OP_MISUSE) return object_misuse(x, op, slot, a);
    if (op->kind == OP_SCRIBBLE) return object_scribble(x, op, slot, a);
    if (!is_offered(x->kernel->ops, (enum op_kind)op->kind)) return exec_skip(x, (enum op_kind)op->kind);
    switch ((enum op_kind)op->kind) {
    case OP_CACHE_CREATE: return step_create(x, op, a, b);
    case OP_CACHE_SHRINK: return step_shrink(x, op, a);
    case OP_CACHE_DESTROY: return step_destroy(x, op, a);
    default: return caches_step_object(x, op, slot, a, b);
    }
}

bool caches_fresh(struct exec *x)
{
    struct kernel_model *k = x->kernel;
    if (!k->caches && !(k->caches = exec_memory(sizeof *k->caches))) return false;
    cache_model_fresh(k->caches);
    return true;
}

/* Everything was released: every cache goes, and must leave nothing (B74). What remains are the empty slabs that kmalloc's
 * classes may keep, no more of them than declared and nothing in use (C24, C25). */
bool caches_finish(struct exec *x)
{
    struct cache_model *m = x->kernel->caches;
    static const struct op destroy = {.kind = OP_CACHE_DESTROY, .count = 1};
    const struct kernel_ops *ops = x->kernel->ops;
    struct slab_info info;
    uint64_t kept = 0;
    for (unsigned number = 0; m && number < PROGRAM_CACHES; number++)
        if (m->caches[number].handle && !m->caches[number].zombie && !m->caches[number].live &&
            !step_destroy(x, &destroy, number))
            return false;
    if (!m || m->zombies || x->model.live) return true;
    for (unsigned i = 0; ops->slabinfo && ops->slabinfo(x->heap, i, &info); i++) {
        exec_checked(x, RULE_C24);
        if (info.active_objects || info.empty > info.empty_max)
            return exec_fail(x, RULE_C24, NULL, "nothing in use when everything was freed, and few empty slabs",
                             "%s: %u objects in use, %u empty slabs of at most %u", info.name, info.active_objects,
                             info.empty, info.empty_max);
        kept += (uint64_t)info.slabs * info.pages_per_slab;
    }
    uint32_t owned = x->kernel->frames.owned[FRAME_SLAB] + x->kernel->frames.owned[FRAME_PLAIN];
    exec_checked(x, RULE_C25);
    if (owned <= kept) return true;
    return exec_fail(x, RULE_C25, NULL, "no frames but those of the slabs that slabinfo shows",
                     "%u frames are not free, the slabs have %llu", owned, (unsigned long long)kept);
}

void caches_close(struct exec *x)
{
    if (!x->kernel || !x->kernel->caches) return;
    if (x->kernel->caches->shadow_ready) shadow_close(&x->kernel->caches->shadow);
    exec_release(x->kernel->caches, sizeof *x->kernel->caches);
    x->kernel->caches = NULL;
}
