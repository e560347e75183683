/* cache_model.c: cache_model.h is the manual. */
#include "cache_model.h"

#include <string.h>

#define CACHE_LINE 64u
#define SLAB_OBJECTS_MAX 32767u /* B67 */

static const uint16_t class_bytes[KMALLOC_CLASSES] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192};

void cache_model_fresh(struct cache_model *m)
{
    for (uint32_t i = 0; i < m->touched_count; i++) m->slabs[m->touched[i]] = (struct slab){0};
    m->touched_count = 0;
    memset(m->caches, 0, sizeof m->caches);
    memset(m->groups, 0, sizeof m->groups);
    for (unsigned g = 0; g < GROUPS; g++) m->groups[g].joined = (uint8_t)g;
    if (m->shadow_ready) shadow_clear(&m->shadow);
    m->current = GROUP_NONE;
    m->arrived = 0;
    m->others = m->zombies = false;
}

/* ---- Groups ---------------------------------------------------------------------------------------------------------- */

unsigned cache_model_group(const struct cache_model *m, unsigned g)
{
    while (g < GROUPS && m->groups[g].joined != g) g = m->groups[g].joined;
    return g;
}

void cache_model_join(struct cache_model *m, unsigned a, unsigned b)
{
    a = cache_model_group(m, a);
    b = cache_model_group(m, b);
    if (a == b) return;
    struct cache_group *to = &m->groups[a], *from = &m->groups[b];
    from->joined = (uint8_t)a;
    to->slabs += from->slabs;
    to->objects += from->objects;
    to->used += from->used;
    to->empty += from->empty;
    to->full += from->full;
    if (!to->stride) to->stride = from->stride;
}

void cache_model_depart(struct cache_model *m, unsigned number)
{
    unsigned root = cache_model_group(m, number), heir = GROUP_NONE;
    for (unsigned g = 0; g < GROUPS && heir == GROUP_NONE; g++)
        if (g != number && cache_model_group(m, g) == root) heir = g;
    if (heir != GROUP_NONE) {
        struct cache_group all = m->groups[root];
        for (unsigned g = 0; g < GROUPS; g++)
            if (m->groups[g].joined == number || cache_model_group(m, g) == root) m->groups[g].joined = (uint8_t)heir;
        m->groups[heir] = all;
        m->groups[heir].joined = (uint8_t)heir;
        for (uint32_t i = 0; i < m->touched_count; i++)
            if (m->slabs[m->touched[i]].group == number) m->slabs[m->touched[i]].group = (uint8_t)heir;
    }
    m->groups[number] = (struct cache_group){.joined = (uint8_t)number};
}

static struct known_cache as_cache(const struct cache_model *m, unsigned g, unsigned kmalloc_min)
{
    if (g < GROUP_KMALLOC) return m->caches[g];
    unsigned class = (g - GROUP_KMALLOC) / KMALLOC_TYPES;
    static const unsigned flags[KMALLOC_TYPES] = {0, CACHE_DMA, CACHE_RECLAIM_ACCOUNT};
    uint32_t size = kmalloc_class_bytes(class);
    return (struct known_cache){.size = size,
                                .align = (uint32_t)kmalloc_alignment(size, kmalloc_min),
                                .flags = flags[(g - GROUP_KMALLOC) % KMALLOC_TYPES]};
}

bool cache_model_mergeable(const struct cache_model *m, unsigned a, unsigned b, unsigned kmalloc_min)
{
    const unsigned never = CACHE_RED_ZONE | CACHE_POISON | CACHE_FAILSLAB | CACHE_NO_MERGE,
                   same = CACHE_RECLAIM_ACCOUNT | CACHE_DMA;
    const struct known_cache one = as_cache(m, a, kmalloc_min), two = as_cache(m, b, kmalloc_min);
    const struct known_cache *small = one.size <= two.size ? &one : &two, *large = small == &one ? &two : &one;
    if (one.constructor || two.constructor || (one.flags | two.flags) & never) return false;
    if ((one.flags ^ two.flags) & same) return false;
    uint32_t align = cache_alignment(small->size, small->align, small->flags);
    uint32_t size = (small->size + align - 1) / align * align;
    uint32_t target = cache_alignment(large->size, large->align, large->flags);
    uint32_t whole = (large->size + target - 1) / target * target;
    return whole >= size && whole % align == 0 && whole - size < sizeof(void *);
}

/* ---- Slabs ------------------------------------------------------------------------------------------------------------- */

static void count_state(struct cache_group *g, const struct slab *s, int sign)
{
    if (!s->used) g->empty += (uint32_t)sign;
    else if (s->capacity && s->used == s->capacity) g->full += (uint32_t)sign;
}

static uint16_t capacity_of(uint32_t frames, uint32_t stride, size_t page_bytes)
{
    uint64_t objects = stride ? frames * (uint64_t)page_bytes / stride : 0;
    return (uint16_t)(objects > SLAB_OBJECTS_MAX ? SLAB_OBJECTS_MAX : objects);
}

void cache_model_stride(struct cache_model *m, unsigned g, uint32_t stride, size_t page_bytes)
{
    unsigned root = cache_model_group(m, g);
    struct cache_group *group = &m->groups[root];
    if (group->stride || !stride) return;
    group->stride = stride;
    group->objects = group->empty = group->full = 0;
    for (uint32_t i = 0; i < m->touched_count; i++) {
        struct slab *s = &m->slabs[m->touched[i]];
        if (!s->frames || cache_model_group(m, s->group) != root) continue;
        s->capacity = capacity_of(s->frames, stride, page_bytes);
        group->objects += s->capacity;
        count_state(group, s, 1);
    }
}

static void touch(struct cache_model *m, uint32_t pfn)
{
    /* A frame may come and go many times in a run; entered again it would overflow the list. */
    struct slab *s = &m->slabs[pfn];
    if (s->phase == 0) m->touched[m->touched_count++] = pfn;
    s->phase = PHASE_NONE;
}

/* The group has one slab more, or one fewer. */
static void count_slab(struct cache_group *g, const struct slab *s, int sign)
{
    count_state(g, s, sign);
    g->slabs += (uint32_t)sign;
    g->objects += (uint32_t)sign * s->capacity;
    g->used += (uint32_t)sign * s->used;
}

void cache_model_take(struct cache_model *m, unsigned g, uint32_t pfn, uint32_t frames, size_t page_bytes)
{
    struct cache_group *group = &m->groups[cache_model_group(m, g)];
    for (uint32_t i = 0; i < frames; i++) {
        touch(m, pfn + i);
        m->slabs[pfn + i].back = (uint16_t)i;
    }
    struct slab *s = &m->slabs[pfn];
    s->frames = (uint16_t)frames;
    s->group = (uint8_t)g;
    s->used = 0;
    s->capacity = capacity_of(frames, group->stride, page_bytes);
    count_slab(group, s, 1);
}

void cache_model_adopt(struct cache_model *m, struct slab *slab, unsigned g, size_t page_bytes)
{
    struct cache_group *group = &m->groups[cache_model_group(m, g)];
    count_slab(&m->groups[cache_model_group(m, slab->group)], slab, -1);
    slab->group = (uint8_t)g;
    slab->capacity = capacity_of(slab->frames, group->stride, page_bytes);
    count_slab(group, slab, 1);
}

bool cache_model_give(struct cache_model *m, uint32_t pfn, uint32_t frames)
{
    bool unused = true;
    for (uint32_t i = pfn; i < pfn + frames; i++) {
        struct slab *s = &m->slabs[i];
        if (s->frames) {
            unused = unused && !s->used;
            count_slab(&m->groups[cache_model_group(m, s->group)], s, -1);
        }
        *s = (struct slab){.phase = s->phase ? PHASE_NONE : 0};
    }
    return unused;
}

struct slab *cache_model_slab(struct cache_model *m, uint32_t pfn, uint32_t *head)
{
    if (pfn >= FRAME_MAP_FRAMES) return NULL;
    *head = pfn - m->slabs[pfn].back;
    struct slab *s = &m->slabs[*head];
    return s->frames > pfn - *head ? s : NULL;
}

void cache_model_use(struct cache_model *m, struct slab *slab, int delta)
{
    struct cache_group *group = &m->groups[cache_model_group(m, slab->group)];
    count_state(group, slab, -1);
    slab->used = (uint16_t)(slab->used + delta);
    group->used += (uint32_t)delta;
    count_state(group, slab, 1);
}

uint32_t cache_model_spare(const struct cache_model *m, unsigned g)
{
    unsigned root = cache_model_group(m, g);
    if (root >= GROUPS) return 0;
    const struct cache_group *group = &m->groups[root];
    return group->stride && group->objects > group->used ? group->objects - group->used : 0;
}

/* ---- Arithmetic ---------------------------------------------------------------------------------------------------------- */

uint32_t kmalloc_class_bytes(unsigned class) { return class_bytes[class]; }

unsigned kmalloc_class(size_t size, unsigned kmalloc_min)
{
    unsigned class = 0;
    if (size < kmalloc_min) size = kmalloc_min;
    while (class_bytes[class] < size || (class_bytes[class] == 96 && kmalloc_min >= 64) ||
           (class_bytes[class] == 192 && kmalloc_min >= 128))
        class ++;
    return class;
}

enum kmalloc_type kmalloc_type_of(unsigned gfp, bool has_dma)
{
    if (gfp & GFP_BIT_DMA) return has_dma ? KMALLOC_DMA : KMALLOC_NORMAL;
    return gfp & GFP_BIT_RECLAIMABLE ? KMALLOC_RECLAIM : KMALLOC_NORMAL;
}

size_t kmalloc_roundup(size_t size, unsigned kmalloc_min, size_t page_bytes)
{
    if (size == 0 || size > KMALLOC_MAX) return size;
    if (size <= KMALLOC_CACHE_MAX) return class_bytes[kmalloc_class(size, kmalloc_min)];
    size_t bytes = page_bytes;
    while (bytes < size) bytes *= 2;
    return bytes;
}

size_t kmalloc_alignment(size_t size, unsigned kmalloc_min)
{
    size_t divisor = size & (~size + 1);
    return divisor > kmalloc_min ? divisor : kmalloc_min;
}

uint32_t cache_alignment(uint32_t size, uint32_t align, unsigned flags)
{
    uint32_t line = CACHE_LINE;
    if (flags & CACHE_HWCACHE_ALIGN) {
        while (size <= line / 2) line /= 2;
        if (line > align) align = line;
    }
    if (align < 8) align = 8;
    return (align + (uint32_t)sizeof(void *) - 1) / (uint32_t)sizeof(void *) * (uint32_t)sizeof(void *);
}
