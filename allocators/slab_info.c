/* slab_info.c: what a heap shows of its caches (B83). */
#include "slab_internal.h"

#include <stdarg.h>
#include <stdio.h>

size_t slab_cache_size(void *heap, struct kmem_cache *c)
{
    (void)heap;
    return c->object_bytes;
}

void slab_cache_info(void *heap, struct kmem_cache *c, struct slab_info *out)
{
    struct slab_heap *h = heap;
    *out = (struct slab_info){
        .name = c->name,
        .active_objects = c->used,
        .objects = c->objects,
        .object_bytes = c->stride,
        .objects_per_slab = slab_capacity(c, c->order, h->buddy.machine->page_bytes),
        .pages_per_slab = 1u << c->order,
        .active_slabs = c->slabs[SLAB_FULL] + c->slabs[SLAB_PARTIAL],
        .slabs = c->slabs[SLAB_FULL] + c->slabs[SLAB_PARTIAL] + c->slabs[SLAB_EMPTY],
        .full = c->slabs[SLAB_FULL],
        .partial = c->slabs[SLAB_PARTIAL],
        .empty = c->slabs[SLAB_EMPTY],
        .empty_max = c->empty_max,
        .align = c->align,
    };
}

bool slab_slabinfo(void *heap, unsigned i, struct slab_info *out)
{
    struct slab_heap *h = heap;
    struct kmem_cache *c = h->first_cache;
    while (c && i--) c = c->next;
    if (c) slab_cache_info(heap, c, out);
    return c;
}

struct text {
    char *out;
    size_t size, length; /* length: of the whole text, however little of it fits */
};

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *format, ...)
{
    va_list arguments;
    bool fits = t->length < t->size;
    va_start(arguments, format);
    int length = vsnprintf(fits ? t->out + t->length : NULL, fits ? t->size - t->length : 0, format, arguments);
    va_end(arguments);
    t->length += length > 0 ? (size_t)length : 0;
}

size_t slab_print(void *heap, char *out, size_t size)
{
    struct slab_heap *h = heap;
    struct text t = {out, size, 0};
    struct slab_info s;
    add(&t, "slabinfo - version: 2.1\n"
            "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
            " : tunables <limit> <batchcount> <sharedfactor>"
            " : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
    for (struct kmem_cache *c = h->first_cache; c; c = c->next) {
        slab_cache_info(heap, c, &s);
        add(&t, "%-17s %6u %6u %6u %4u %4u : tunables %4u %4u %4u : slabdata %6u %6u %6u\n", s.name, s.active_objects,
            s.objects, s.object_bytes, s.objects_per_slab, s.pages_per_slab, 0u, 0u, 0u, s.active_slabs, s.slabs, 0u);
    }
    return t.length;
}
