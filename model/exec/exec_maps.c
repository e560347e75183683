/* exec_maps.c: the calls of the mapping group, and stores into mappings and files (A43-A48).
 *
 * After each call the model judges the result; then the pages concerned and their neighbours are read: the first and
 * the last of them are probed without a signal before anything touches them, and up to SAMPLE_PAGES at each end are
 * verified byte by byte. When the program ends, every page that is still mapped is.
 */
#include "exec_groups.h"
#include "map_model.h"
#include "outcome.h"

#include "backing_internal.h"

#include <errno.h>
#include <string.h>

#define SAMPLE_PAGES 4u
#define ALIASES_MAX 4u     /* other mappings of a file's page that are read after a store */
#define SEARCH_PAGES 1024u /* ... looked for among so many */
#define FINISH_PAGES 4096u /* verified when the program ends */

/* ---- The model's memory ------------------------------------------------------------------------------------------ */

static struct map_model *model_of(struct exec *x)
{
    if (x->maps == NULL) {
        x->maps = exec_memory(sizeof *x->maps);
        if (x->maps != NULL) exec_maps_fresh(x);
    }
    return x->maps != NULL && x->maps->page_count > 0 ? x->maps : NULL;
}

void exec_maps_fresh(struct exec *x)
{
    struct map_model *m = x->maps;
    const struct backing *b = &x->lender.face;
    if (m == NULL || b->kind != BACKING_PAGES) return;
    uint64_t count = b->size / b->page_bytes;
    if (m->capacity < count) {
        exec_release(m->pages, (size_t)m->capacity * sizeof *m->pages);
        m->pages = exec_memory((size_t)count * sizeof *m->pages);
        m->capacity = m->pages != NULL ? count : 0;
        m->first = m->last = 0; /* the new memory is zeroed */
    }
    map_fresh(m, b->base, b->page_bytes, m->pages != NULL ? count : 0, x->program->heap.seed);
}

static uint64_t own_pages(const struct exec *x)
{
    uint64_t held = x->lender.mapped_bytes / x->maps->page_bytes;
    return held > x->maps->mapped_pages ? held - x->maps->mapped_pages : 0;
}

/* ---- Reading pages ----------------------------------------------------------------------------------------------- */

static unsigned char *address_of(const struct map_model *m, uint64_t page) { return m->base + page * m->page_bytes; }

/* The page holds what it should; `rule` is the broken one if it does not, RULE_NONE: that of its contents. */
static bool verify_page(struct exec *x, uint64_t page, enum rule rule)
{
    struct map_model *m = x->maps;
    size_t at;
    if (rule == RULE_NONE) rule = map_content_rule(m, page);
    exec_checked(x, rule);
    if (map_verify(m, page, &at)) return true;
    const unsigned char *p = address_of(m, page) + at;
    return exec_fail(x, rule, p, "a page of a mapping holds what was stored, the file, or zeros",
                     "byte 0x%02x at offset %zu of the window's page %llu", *p, at, (unsigned long long)page);
}

/* The page faults, or does not, as the model has it. */
static bool probe_page(struct exec *x, uint64_t page, enum rule rule)
{
    struct map_model *m = x->maps;
    enum map_content content = (enum map_content)m->pages[page].content;
    bool expected = content != MAP_NONE && content != MAP_BEYOND;
    const unsigned char *last = address_of(m, page) + m->page_bytes - 1;
    exec_checked(x, rule);
    if (lender_readable(last) == expected) return true;
    return exec_fail(x, rule, last, expected ? "a mapped page is accessible to its last byte" : "the page faults",
                     "the window's page %llu %s", (unsigned long long)page, expected ? "faults" : "is readable");
}

/* The page beside a call's range is as before. */
static bool check_neighbour(struct exec *x, uint64_t page, enum rule rule)
{
    struct map_model *m = x->maps;
    if (page >= m->page_count || m->pages[page].content == MAP_NONE) return true;
    return probe_page(x, page, rule) && verify_page(x, page, rule);
}

/* Both ends of the range, and what lies beside it. */
static bool check_range(struct exec *x, const struct map_range *r, enum rule probe_rule, enum rule neighbour_rule)
{
    uint64_t end = r->page + r->count;
    if (!probe_page(x, r->page, probe_rule)) return false;
    if (r->count > 1 && !probe_page(x, end - 1, probe_rule)) return false;
    for (uint64_t i = 0; i < r->count && i < SAMPLE_PAGES; i++) {
        if (!verify_page(x, r->page + i, RULE_NONE)) return false;
        if (r->count > SAMPLE_PAGES && !verify_page(x, end - 1 - i, RULE_NONE)) return false;
    }
    return check_neighbour(x, r->page - 1, neighbour_rule) && check_neighbour(x, end, neighbour_rule);
}

/* Whether a live block of the heap lies in the range. */
static bool holds_blocks(const struct exec *x, const struct map_range *range)
{
    uintptr_t from = (uintptr_t)address_of(x->maps, range->page);
    uintptr_t to = from + (uintptr_t)(range->count * x->maps->page_bytes);
    return x->model.live > 0 && shadow_next_owned(&x->model.shadow, from, to) < to;
}

/* ---- mmap and munmap --------------------------------------------------------------------------------------------- */

static bool step_mmap(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    struct map_model *m = x->maps;
    struct map_request q;
    (void)b; /* all 64 bits of it count, also where size_t has 32 */
    struct map_range range;
    if (m->slots[slot].count > 0) return true;
    map_unpack(m, a, op->b, &q);
    bool fixed = q.flags & MAPPING_FIXED;
    bool inside = fixed && map_pages_of(m, q.address, q.length, &range);
    bool over_own = inside && map_holds_own(m, &range, own_pages(x));
    if (over_own && !(q.flags & MAPPING_NOREPLACE)) return true;

    uint64_t refused = x->lender.refused;
    errno = 0;
    void *result = x->ops->mmap(x->heap, (void *)q.address, q.length, q.flags, q.file, q.offset);
    struct map_seen seen = {.failed = result == MAPPING_FAILED, .address = (uintptr_t)result, .error = errno};
    seen.refused = x->lender.refused != refused;
    seen.over_own = over_own;
    if (!fixed && !seen.failed) inside = map_pages_of(m, seen.address, q.length, &range);
    seen.over_blocks = inside && holds_blocks(x, &range);
    if (seen.failed) seen.own_pages = own_pages(x);
    exec_outcome(x, op, slot, seen.failed ? RESULT_NULL : RESULT_PTR, seen.failed ? NULL : result, seen.error);

    exec_checked(x, q.flags & MAPPING_FIXED ? RULE_A45 : RULE_A43);
    struct ruling ruling = map_judge_mmap(m, &q, &seen);
    if (ruling.rule != RULE_NONE && seen.failed)
        return exec_fail(x, ruling.rule, NULL, ruling.expected, "MAP_FAILED with errno %d for %zu bytes", seen.error,
                         q.length);
    if (ruling.rule != RULE_NONE)
        return exec_fail(x, ruling.rule, result, ruling.expected, "offset %lld for %zu bytes",
                         (long long)((uintptr_t)result - (uintptr_t)m->base), q.length);
    if (seen.failed) { /* nothing may have changed; what was to be replaced shows it first */
        if (!inside) return true;
        return check_neighbour(x, range.page, RULE_A45) && check_neighbour(x, range.page + range.count - 1, RULE_A45);
    }
    map_pages_of(m, seen.address, q.length, &range);
    map_put(m, &range, &q);
    m->slots[slot] = range;
    return check_range(x, &range, q.flags & MAPPING_ANONYMOUS ? RULE_A44 : RULE_A47, fixed ? RULE_A45 : RULE_C7);
}

static bool step_munmap(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    struct map_model *m = x->maps;
    struct map_range *mapping = &m->slots[slot], range;
    if (mapping->count == 0) return true;
    uint64_t bytes = mapping->count * m->page_bytes, offset = b % bytes;
    struct map_request q = {.address = (uintptr_t)(address_of(m, mapping->page) + offset)};
    q.length = (size_t)(a < bytes - offset ? a : bytes - offset);
    bool legal = map_pages_of(m, q.address, q.length, &range);
    if (legal && map_holds_own(m, &range, own_pages(x))) return true;
    if (legal && !verify_page(x, range.page, RULE_NONE)) return false;

    uint64_t refused = x->lender.refused;
    errno = 0;
    int result = x->ops->munmap(x->heap, (void *)q.address, q.length);
    struct map_seen seen = {.failed = result == -1, .error = errno, .refused = x->lender.refused != refused};
    exec_outcome(x, op, slot, RESULT_VALUE, (void *)q.address, seen.failed ? seen.error : 0);

    exec_checked(x, RULE_A46);
    struct ruling ruling = map_judge_munmap(m, &q, &seen);
    if (result != 0 && result != -1) ruling = ruling_broken(RULE_A46, "munmap returns 0 or -1");
    if (ruling.rule != RULE_NONE)
        return exec_fail(x, ruling.rule, (void *)q.address, ruling.expected,
                         "%d with errno %d for %zu bytes at offset %llu", result, seen.failed ? seen.error : 0,
                         q.length, (unsigned long long)(q.address - (uintptr_t)m->base));
    if (!legal) return true;
    if (seen.failed)
        return check_neighbour(x, range.page, RULE_A46) && check_neighbour(x, range.page + range.count - 1, RULE_A46);
    map_remove(m, &range);
    if (range.page == mapping->page && range.count == mapping->count) mapping->count = 0;
    return check_range(x, &range, RULE_A46, RULE_A46);
}

/* ---- Stores ------------------------------------------------------------------------------------------------------ */

/* The file itself holds what the model says. */
static bool check_file(struct exec *x, unsigned file, uint32_t file_page)
{
    struct map_model *m = x->maps;
    unsigned char bytes[LENDER_FILE_BYTES];
    size_t n = map_file_bytes(m, file_page), at;
    exec_checked(x, RULE_A48);
    if (!lender_file_load(&x->lender, file, file_page * m->page_bytes, bytes, n)) return true;
    if (map_verify_file(m, file, file_page, bytes, &at)) return true;
    return exec_fail(x, RULE_A48, NULL, "shared stores reach the file, private ones do not",
                     "byte 0x%02x at offset %llu of file %u", bytes[at],
                     (unsigned long long)(file_page * m->page_bytes + at), file);
}

/* Shared mappings of this page of the file show it as it is now. */
static bool check_aliases(struct exec *x, unsigned file, uint32_t file_page)
{
    struct map_model *m = x->maps;
    unsigned found = 0;
    for (uint64_t page = m->first; page < m->last && page - m->first < SEARCH_PAGES && found < ALIASES_MAX; page++) {
        const struct map_page *p = &m->pages[page];
        if (p->content != MAP_SHARED_FILE || p->file != file || p->file_page != file_page) continue;
        found++;
        if (!verify_page(x, page, RULE_A48)) return false;
    }
    return true;
}

static bool step_map_store(struct exec *x, const struct op *op, unsigned slot, uint64_t a)
{
    struct map_model *m = x->maps;
    const struct map_range *mapping = &m->slots[slot];
    if (mapping->count == 0) return true;
    uint64_t page = mapping->page + a % (mapping->count * m->page_bytes) / m->page_bytes;
    const struct map_page before = m->pages[page];
    if (before.content == MAP_NONE || before.content == MAP_BEYOND) return true;
    if (!verify_page(x, page, RULE_NONE)) return false;
    map_store(m, page);
    exec_outcome(x, op, slot, RESULT_VOID, address_of(m, page), 0);
    if (before.content != MAP_SHARED_FILE && before.content != MAP_COPY) return true;
    if (!check_file(x, before.file, before.file_page)) return false;
    return check_aliases(x, before.file, before.file_page);
}

static bool step_file_store(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    struct map_model *m = x->maps;
    unsigned char bytes[LENDER_FILE_BYTES];
    unsigned file = (unsigned)(b % LENDER_FILES);
    uint32_t file_page = (uint32_t)(a % LENDER_FILE_BYTES / m->page_bytes);
    size_t n = map_file_bytes(m, file_page);
    payload_fill(bytes, n, map_file_store(m, file, file_page));
    if (!lender_file_store(&x->lender, file, file_page * m->page_bytes, bytes, n)) return true;
    exec_outcome(x, op, slot, RESULT_VOID, NULL, 0);
    return check_aliases(x, file, file_page);
}

bool exec_step_maps(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    bool offered = x->ops->mmap != NULL && (op->kind != OP_MUNMAP || x->ops->munmap != NULL);
    if (!offered || x->lender.face.kind != BACKING_PAGES) return exec_skip(x, (enum op_kind)op->kind);
    if (model_of(x) == NULL) return true;
    switch (op->kind) {
    case OP_MMAP: return step_mmap(x, op, slot, a, b);
    case OP_MUNMAP: return step_munmap(x, op, slot, a, b);
    case OP_MAP_STORE: return step_map_store(x, op, slot, a);
    case OP_FILE_STORE: return step_file_store(x, op, slot, a, b);
    default: return true;
    }
}

/* Gives every page back, so that another round on this heap finds it empty. */
static bool unmap_all(struct exec *x)
{
    struct map_model *m = x->maps;
    lender_spare(&x->lender);
    for (uint64_t page = m->first, end; x->ops->munmap && page < m->last; page = end) {
        end = page + 1;
        if (m->pages[page].content == MAP_NONE) continue;
        while (end < m->last && m->pages[end].content != MAP_NONE) end++;
        exec_checked(x, RULE_A46);
        struct map_range range = {.page = page, .count = end - page};
        if (x->ops->munmap(x->heap, address_of(m, page), (size_t)(range.count * m->page_bytes)))
            return exec_fail(x, RULE_A46, address_of(m, page), "munmap of mapped pages succeeds", "-1 for %llu pages",
                             (unsigned long long)range.count);
        map_remove(m, &range);
        if (!check_range(x, &range, RULE_A46, RULE_A46)) return false;
    }
    memset(m->slots, 0, sizeof m->slots);
    return true;
}

bool exec_maps_finish(struct exec *x)
{
    struct map_model *m = x->maps;
    if (m == NULL || x->lender.face.kind != BACKING_PAGES) return true;
    for (uint64_t page = m->first; page < m->last && page - m->first < FINISH_PAGES; page++)
        if (m->pages[page].content != MAP_NONE && !verify_page(x, page, RULE_NONE)) return false;
    return unmap_all(x);
}

void exec_maps_close(struct exec *x)
{
    if (x->maps == NULL) return;
    exec_release(x->maps->pages, (size_t)x->maps->capacity * sizeof *x->maps->pages);
    exec_release(x->maps, sizeof *x->maps);
    x->maps = NULL;
}
