/* exec_slabinfo.c: what slabinfo says against what is known of caches and slabs (B66, B71, B72, B83, C29). */
#include "exec_objects.h"

#include <string.h>

static bool group_info(struct exec *x, unsigned group, struct slab_info *info)
{
    const struct kernel_ops *ops = x->kernel->ops;
    const struct known_cache *cache = group < GROUP_KMALLOC ? &x->kernel->caches->caches[group] : NULL;
    if (cache && cache->handle && ops->cache_info) {
        ops->cache_info(x->heap, cache->handle, info);
        return true;
    }
    return false;
}

/* The rows of kmalloc's classes have their names: kmalloc-96, dma-kmalloc-96, kmalloc-rcl-96, and kmalloc-1k and so on. */
static bool class_of_name(const char *name, unsigned *group)
{
    unsigned type = KMALLOC_NORMAL, bytes = 0;
    if (!strncmp(name, "dma-", 4)) type = KMALLOC_DMA, name += 4;
    if (strncmp(name, "kmalloc-", 8)) return false;
    name += 8;
    if (!strncmp(name, "rcl-", 4)) type = KMALLOC_RECLAIM, name += 4;
    while (*name >= '0' && *name <= '9' && bytes <= KMALLOC_CACHE_MAX) bytes = bytes * 10 + (unsigned)(*name++ - '0');
    if (*name == 'k') bytes *= 1024;
    for (unsigned class = 0; class < KMALLOC_CLASSES; class ++) {
        if (kmalloc_class_bytes(class) != bytes) continue;
        *group = GROUP_KMALLOC + class * KMALLOC_TYPES + type;
        return true;
    }
    return false;
}

static void learn(struct exec *x, unsigned group, const struct slab_info *info)
{
    struct cache_model *m = x->kernel->caches;
    m->groups[cache_model_group(m, group)].pages = info->pages_per_slab;
    cache_model_stride(m, group, info->object_bytes, x->kernel->machine->page_bytes);
}

void caches_learn(struct exec *x, unsigned group)
{
    struct cache_model *m = x->kernel->caches;
    const struct kernel_ops *ops = x->kernel->ops;
    struct slab_info info;
    if (group >= GROUPS || m->groups[cache_model_group(m, group)].pages) return;
    if (group_info(x, group, &info)) {
        learn(x, group, &info);
        return;
    }
    unsigned named;
    for (unsigned i = 0; ops->slabinfo && ops->slabinfo(x->heap, i, &info); i++)
        if (class_of_name(info.name, &named)) learn(x, named, &info);
}

/* Sums that hold for every row, whatever is in use (B83). */
static bool judge_row(struct exec *x, const struct slab_info *i)
{
    exec_checked(x, RULE_B83);
    if (i->active_objects > i->objects || i->active_slabs > i->slabs)
        return exec_fail(x, RULE_B83, NULL, "no more active objects and slabs than there are",
                         "%s: %u of %u objects, %u of %u slabs", i->name, i->active_objects, i->objects,
                         i->active_slabs, i->slabs);
    if (i->objects > i->slabs * i->objects_per_slab)
        return exec_fail(x, RULE_B83, NULL, "no more objects than slabs times objects in a slab",
                         "%s: %u objects in %u slabs of %u", i->name, i->objects, i->slabs, i->objects_per_slab);
    exec_checked(x, RULE_B71);
    if (i->full + i->partial + i->empty != i->slabs)
        return exec_fail(x, RULE_B71, NULL, "each slab is full, partial or empty", "%s: %u + %u + %u of %u slabs",
                         i->name, i->full, i->partial, i->empty, i->slabs);
    exec_checked(x, RULE_C29);
    uint64_t slab = (uint64_t)i->pages_per_slab * x->kernel->machine->page_bytes,
             objects = (uint64_t)i->objects_per_slab * i->object_bytes;
    if (i->objects_per_slab && (objects > slab || (slab - objects) * 2 > slab))
        return exec_fail(x, RULE_C29, NULL, "less than half of a slab is wasted at its end",
                         "%s: %u objects of %u bytes in %u pages", i->name, i->objects_per_slab, i->object_bytes,
                         i->pages_per_slab);
    return true;
}

/* What is known of the group against its row. */
static bool judge_group(struct exec *x, const struct cache_group *g, const struct slab_info *i)
{
    exec_checked(x, RULE_B83);
    if (g->slabs != i->slabs || (g->stride && g->objects != i->objects))
        return exec_fail(x, RULE_B83, NULL, "the slabs and objects that came and did not go",
                         "%s: %u slabs, %u objects; known are %u and %u", i->name, i->slabs, i->objects, g->slabs,
                         g->objects);
    exec_checked(x, RULE_B83);
    if (g->used != i->active_objects)
        return exec_fail(x, RULE_B83, NULL, "as many active objects as are live", "%s: %u, live are %u", i->name,
                         i->active_objects, g->used);
    if (!g->stride) return true;
    exec_checked(x, RULE_B71);
    if (g->empty != i->empty || g->full != i->full)
        return exec_fail(x, RULE_B71, NULL, "each slab in the state that its objects put it in",
                         "%s: %u full and %u empty of %u, must be %u and %u", i->name, i->full, i->empty, i->slabs,
                         g->full, g->empty);
    exec_checked(x, RULE_B72);
    if (i->empty > i->empty_max)
        return exec_fail(x, RULE_B72, NULL, "no more empty slabs are kept than declared", "%s: %u of at most %u",
                         i->name, i->empty, i->empty_max);
    return true;
}

/* Shared by several names, a row stands for all of them. */
static bool inspect_cache(struct exec *x, unsigned number)
{
    struct cache_model *m = x->kernel->caches;
    struct slab_info info;
    if (!m->caches[number].handle || m->caches[number].zombie || !group_info(x, number, &info)) return true;
    exec_checked(x, RULE_B66);
    if (info.object_bytes % m->caches[number].align || info.object_bytes % info.align ||
        info.object_bytes < m->caches[number].size)
        return exec_fail(x, RULE_B66, NULL, "a stride that holds the object and keeps its alignment",
                         "%s: stride %u for %u bytes aligned to %u", info.name, info.object_bytes,
                         m->caches[number].size, m->caches[number].align);
    learn(x, number, &info);
    if (!judge_row(x, &info)) return false;
    unsigned group = cache_model_group(m, number);
    /* Merged or not, one handle is one row; a cache that may share slabs with a class of kmalloc is not counted apart. */
    bool apart = group < GROUP_KMALLOC && !(x->kernel->ops->merges_caches && m->others);
    for (unsigned other = 0; other < PROGRAM_CACHES; other++)
        if (other != number && m->caches[other].handle == m->caches[number].handle) cache_model_join(m, other, number);
    group = cache_model_group(m, number);
    return !apart || m->zombies || m->caches[number].inexact || judge_group(x, &m->groups[group], &info);
}

bool caches_inspect(struct exec *x)
{
    struct cache_model *m = x->kernel->caches;
    const struct kernel_ops *ops = x->kernel->ops;
    if (!m) return true;
    for (unsigned number = 0; number < PROGRAM_CACHES; number++)
        if (!inspect_cache(x, number)) return false;
    struct slab_info info;
    unsigned group;
    for (unsigned i = 0; ops->slabinfo && ops->slabinfo(x->heap, i, &info); i++) {
        if (!judge_row(x, &info)) return false;
        if (!class_of_name(info.name, &group)) continue;
        learn(x, group, &info);
        if (m->others || m->zombies || cache_model_group(m, group) != group) continue;
        bool shared = false; /* with a cache: then the row counts that one's objects too */
        for (unsigned number = 0; number < PROGRAM_CACHES; number++)
            shared = shared || (m->caches[number].handle && cache_model_group(m, number) == group);
        if (!shared && !judge_group(x, &m->groups[group], &info)) return false;
    }
    return true;
}
