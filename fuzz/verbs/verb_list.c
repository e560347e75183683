/* verb_list.c: assay list: what is built in. */
#include "broken/broken.h"
#include "canaries.h"
#include "kernel.h"
#include "report_internal.h"
#include "verbs.h"

#include <stdio.h>
#include <string.h>

static const struct {
    unsigned bit;
    const char *word;
} promises[] = {
    {PROMISE_ALIGN_SMALL, "align-small"},
    {PROMISE_ERRNO, "errno"},
    {PROMISE_FREE_ERRNO, "free-errno"},
    {PROMISE_ALIGN_CHECKED, "align-checked"},
    {PROMISE_MERGES, "merges"},
    {PROMISE_EXPLAINED, "explained"},
    {PROMISE_REUSES, "reuses"},
    {PROMISE_STEADY, "steady"},
    {PROMISE_DRAINS, "drains"},
    {PROMISE_CONST_FREE, "const-free"},
    {PROMISE_DETERMINISTIC, "deterministic"},
    {PROMISE_DETECTS_BAD_FREE, "detects-bad-free"},
    {PROMISE_DETECTS_SIZE, "detects-size"},
    {PROMISE_DETECTS_WRITES, "detects-writes"},
    {PROMISE_SPLITS, "splits"},
    {PROMISE_TRUSTS_ZERO, "trusts-zero"},
    {PROMISE_FORGETS, "forgets"},
    {PROMISE_FRAMES, "frames"},
    {PROMISE_PHYSICAL, "physical"},
};

static void print_words(const char *label, const char *const *words, unsigned count)
{
    unsigned column = (unsigned)printf("    %-9s", label);
    for (unsigned i = 0; i < count; i++) {
        if (column + strlen(words[i]) > 108) column = (unsigned)printf("\n    %-9s", "") - 1;
        column += (unsigned)printf(" %s", words[i]);
    }
    putchar('\n');
}

static void describe(const struct alloc_ops *a)
{
    static const char *const kinds[] = {"a region", "a break", "pages", "the host", "a simulated machine"};
    const char *words[40];
    unsigned n = 0;
    printf("%s: %s\n", a->name, a->summary);
    printf("    memory    %s, blocks aligned to %zu\n", kinds[a->contract.backing], a->contract.align_min);
#define OFFER(operation) \
    if (a->operation) words[n++] = #operation
    OFFER(malloc);
    OFFER(free);
    OFFER(calloc);
    OFFER(realloc);
    OFFER(reallocarray);
    OFFER(aligned_alloc);
    OFFER(posix_memalign);
    OFFER(memalign);
    OFFER(usable_size);
    OFFER(free_sized);
    OFFER(free_aligned_sized);
    OFFER(frame_push);
    OFFER(frame_pop);
    OFFER(sbrk);
    OFFER(brk);
    OFFER(mmap);
    OFFER(munmap);
    OFFER(reset);
    OFFER(check);
    OFFER(walk);
    OFFER(stats);
#undef OFFER
    print_words("offers", words, n);
    n = 0;
    if (a->kernel) {
        if (a->kernel->alloc_pages) words[n++] = "pages";
        if (a->kernel->cache_create) words[n++] = "caches";
        if (a->kernel->kmalloc) words[n++] = "kmalloc";
        if (a->kernel->vmalloc) words[n++] = "vmalloc";
        if (a->kernel->mempool_create) words[n++] = "pools";
        print_words("kernel", words, n);
        n = 0;
    }
    for (unsigned i = 0; i < sizeof promises / sizeof *promises; i++)
        if (a->contract.promises & promises[i].bit) words[n++] = promises[i].word;
    if (n) print_words("promises", words, n);
}

static const char *origin_of(const struct canary *canary)
{
    const struct canary_origin *o = canary_origins;
    while (o->name && strcmp(o->name, canary->name) != 0) o++;
    return o->origin;
}

/* One line of JSON; `origin` is missing where the canary was made for its rule alone. */
static void describe_canary(const struct alloc_ops *a, const struct canary *canary)
{
    fputs("{\"name\":", stdout);
    json_string(stdout, a->name);
    printf(",\"rule\":\"%s\",\"family\":", canary->rule);
    json_string(stdout, canary->base->name);
    fputs(",\"summary\":", stdout);
    json_string(stdout, canary->summary);
    if (origin_of(canary)) fputs(",\"origin\":", stdout);
    if (origin_of(canary)) json_string(stdout, origin_of(canary));
    puts("}");
}

int verb_list(const struct options *o)
{
    const bool json = o->format == FORMAT_JSON;
    if (o->format != FORMAT_TEXT && !(json && o->canaries))
        return complain("list: --format json is for --canaries, and there are no others");

    for (const struct alloc_ops *const *a = target_builtins(); *a; a++) {
        const struct canary *canary = canary_of((*a)->name);
        if (o->canaries != (canary != NULL)) continue;
        if (canary && json) describe_canary(*a, canary);
        else if (canary) printf("%s %s\n", (*a)->name, canary->rule);
        else if (o->names) puts((*a)->name);
        else describe(*a);
    }
    return fflush(stdout) ? complain("cannot write the list") : STATUS_HELD;
}
