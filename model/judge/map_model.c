/* map_model.c: see map_model.h. */
#include "map_model.h"

#include "payload.h"

#include <errno.h>
#include <string.h>

#define PROBES_MAX 4096u /* pages asked of the kernel to explain one refusal; what needs more counts as explained */

void map_fresh(struct map_model *m, unsigned char *base, uint64_t page_bytes, uint64_t page_count, uint32_t seed)
{
    if (m->fresh[0][0] == 0) /* the first time: no byte of a fresh file is zero */
        for (unsigned file = 0; file < LENDER_FILES; file++)
            for (unsigned i = 0; i < LENDER_FILE_BYTES; i++) m->fresh[file][i] = lender_file_byte(file, i);
    if (m->first < m->last) memset(m->pages + m->first, 0, (size_t)(m->last - m->first) * sizeof *m->pages);
    m->first = UINT64_MAX;
    m->last = 0;
    m->base = base;
    m->page_bytes = page_bytes;
    m->page_count = page_count;
    m->mapped_pages = 0;
    m->seed = seed;
    m->generation = 0;
    memset(m->slots, 0, sizeof m->slots);
    memset(m->files, 0, sizeof m->files);
}

void map_unpack(const struct map_model *m, uint64_t a, uint64_t b, struct map_request *out)
{
    unsigned bits = (unsigned)b;
    uint64_t k = bits >> MAP_PAGE_SHIFT & MAP_PAGE_MASK;
    uint64_t offset = (bits >> MAP_OFFSET_SHIFT & MAP_OFFSET_MASK) * m->page_bytes + (bits & MAP_OFFSET_BAD ? 1 : 0);
    *out = (struct map_request){.length = (size_t)a, .offset = (size_t)offset, .flags = bits & MAP_FLAGS_MASK};
    out->file = bits >> MAP_FILE_SHIFT & MAP_FILE_MASK;
    const struct map_range *target = &m->slots[(b >> MAP_SLOT_SHIFT) % PROGRAM_SLOTS];
    switch (bits >> MAP_ADDRESS_SHIFT & MAP_ADDRESS_MASK) {
    case MAP_ADDRESS_IN_REF:
        if (target->count > 0) out->address = (uintptr_t)(m->base + (target->page + k % target->count) * m->page_bytes);
        break;
    case MAP_ADDRESS_WINDOW: out->address = (uintptr_t)(m->base + k % (m->page_count + 1) * m->page_bytes); break;
    default: break;
    }
    if (bits & MAP_ADDRESS_BAD) out->address += MAP_UNALIGNED_BYTES;
}

/* ---- Judging ----------------------------------------------------------------------------------------------------- */

static uint64_t pages_for(const struct map_model *m, size_t length)
{
    return length / m->page_bytes + (length % m->page_bytes != 0);
}

bool map_pages_of(const struct map_model *m, uintptr_t address, size_t length, struct map_range *out)
{
    uintptr_t offset = address - (uintptr_t)m->base;
    *out = (struct map_range){.page = offset / m->page_bytes, .count = pages_for(m, length)};
    if (offset % m->page_bytes != 0 || length == 0) return false;
    return out->page < m->page_count && out->count <= m->page_count - out->page;
}

static bool mapped(const struct map_model *m, uint64_t page) { return m->pages[page].content != MAP_NONE; }

static bool held_by_allocator(const struct map_model *m, uint64_t page)
{
    return !mapped(m, page) && lender_readable(m->base + page * m->page_bytes);
}

bool map_holds_own(const struct map_model *m, const struct map_range *range, uint64_t own_pages)
{
    if (own_pages == 0) return false;
    for (uint64_t i = 0; i < range->count; i++)
        if (held_by_allocator(m, range->page + i)) return true;
    return false;
}

static bool any_mapped(const struct map_model *m, const struct map_range *range)
{
    for (uint64_t i = 0; i < range->count; i++)
        if (mapped(m, range->page + i)) return true;
    return false;
}

/* Whether a gap of `count` pages certainly exists. */
static bool gap_exists(const struct map_model *m, uint64_t count, uint64_t own_pages)
{
    uint64_t run = 0, probes = 0;
    for (uint64_t page = 0; page < m->page_count; page++) {
        bool taken = mapped(m, page);
        if (!taken && own_pages > 0) {
            if (++probes > PROBES_MAX) return false;
            taken = held_by_allocator(m, page);
        }
        run = taken ? 0 : run + 1;
        if (run >= count) return true;
    }
    return false;
}

static bool bad_arguments(const struct map_model *m, const struct map_request *q)
{
    bool shared = q->flags & MAPPING_SHARED, private = q->flags & MAPPING_PRIVATE;
    if (q->length == 0 || shared == private || q->offset % m->page_bytes != 0) return true;
    if (!(q->flags & MAPPING_ANONYMOUS) && q->file >= LENDER_FILES) return true;
    return (q->flags & MAPPING_FIXED) && q->address % m->page_bytes != 0;
}

static struct ruling judge_fixed(const struct map_model *m, const struct map_request *q, const struct map_seen *seen)
{
    struct map_range range;
    if (!map_pages_of(m, q->address, q->length, &range)) {
        if (!seen->failed) return ruling_broken(RULE_C8, "a mapping outside the window is refused");
        if (seen->error == ENOMEM || seen->error == EINVAL || seen->error == EEXIST) return RULING_ALLOWED;
        return ruling_broken(RULE_A43, "a mapping outside the window is refused with ENOMEM");
    }
    bool own = seen->over_own;
    if ((q->flags & MAPPING_NOREPLACE) && (seen->over_blocks || any_mapped(m, &range))) {
        if (seen->failed && (seen->error == EEXIST || (own && seen->error == ENOMEM))) return RULING_ALLOWED;
        return ruling_broken(RULE_A45, "NOREPLACE over a mapping is refused with EEXIST");
    }
    if (!seen->failed) {
        if (seen->address == q->address) return RULING_ALLOWED;
        return ruling_broken(RULE_A45, "a fixed mapping is at the address asked for");
    }
    if (seen->error == ENOMEM && (seen->refused || own)) return RULING_ALLOWED;
    if (seen->error == EEXIST && (q->flags & MAPPING_NOREPLACE) && own) return RULING_ALLOWED;
    return ruling_broken(RULE_A45, "a fixed mapping inside the window is made");
}

struct ruling map_judge_mmap(const struct map_model *m, const struct map_request *q, const struct map_seen *seen)
{
    if (!seen->failed && seen->address == 0) return ruling_broken(RULE_A43, "a failure is MAP_FAILED, never NULL");
    if (bad_arguments(m, q)) {
        if (seen->failed && seen->error == EINVAL) return RULING_ALLOWED;
        return ruling_broken(RULE_A43, "a bad argument is refused with EINVAL");
    }
    if (!seen->failed && seen->address % m->page_bytes != 0)
        return ruling_broken(RULE_A43, "a mapping begins at a page");
    if (q->flags & MAPPING_FIXED) return judge_fixed(m, q, seen);

    uint64_t count = pages_for(m, q->length);
    if (seen->failed) {
        if (seen->error != ENOMEM) return ruling_broken(RULE_A43, "a refusal sets errno to ENOMEM");
        if (seen->refused || !gap_exists(m, count, seen->own_pages)) return RULING_ALLOWED;
        return ruling_broken(RULE_A43, "a mapping that fits a gap of the window is made");
    }
    struct map_range range;
    if (!map_pages_of(m, seen->address, q->length, &range))
        return ruling_broken(RULE_C8, "a mapping lies inside the window");
    if (seen->over_blocks || any_mapped(m, &range))
        return ruling_broken(RULE_C7, "a mapping without FIXED replaces nothing");
    return RULING_ALLOWED;
}

struct ruling map_judge_munmap(const struct map_model *m, const struct map_request *q, const struct map_seen *seen)
{
    if (q->length == 0 || q->address % m->page_bytes != 0) {
        if (seen->failed && seen->error == EINVAL) return RULING_ALLOWED;
        return ruling_broken(RULE_A46, "a bad argument is refused with EINVAL");
    }
    if (!seen->failed) return RULING_ALLOWED;
    if (seen->error != ENOMEM) return ruling_broken(RULE_A46, "a refusal sets errno to ENOMEM");
    struct map_range r;
    bool inside = map_pages_of(m, q->address, q->length, &r);
    bool splits = inside && r.page > 0 && mapped(m, r.page - 1) && r.page + r.count < m->page_count &&
                  mapped(m, r.page + r.count);
    if (seen->refused || splits) return RULING_ALLOWED;
    return ruling_broken(RULE_A46, "pages are unmapped unless that splits a mapping");
}

/* ---- Pages ------------------------------------------------------------------------------------------------------- */

size_t map_file_bytes(const struct map_model *m, uint32_t file_page)
{
    uint64_t start = file_page * m->page_bytes;
    if (start >= LENDER_FILE_BYTES) return 0;
    uint64_t left = LENDER_FILE_BYTES - start;
    return (size_t)(left < m->page_bytes ? left : m->page_bytes);
}

static struct map_page page_as(const struct map_model *m, const struct map_request *q, uint64_t i)
{
    if (q->flags & MAPPING_ANONYMOUS) return (struct map_page){.content = MAP_ZERO};
    uint64_t file_page = q->offset / m->page_bytes + i;
    struct map_page page = {.content = MAP_BEYOND, .file = (uint8_t)q->file, .file_page = (uint32_t)file_page};
    if (file_page * m->page_bytes >= LENDER_FILE_BYTES) return page;
    page.content = q->flags & MAPPING_SHARED ? MAP_SHARED_FILE : MAP_COPY;
    page.key = m->files[page.file][page.file_page].version;
    return page;
}

void map_put(struct map_model *m, const struct map_range *range, const struct map_request *q)
{
    for (uint64_t i = 0; i < range->count; i++) {
        m->mapped_pages += !mapped(m, range->page + i);
        m->pages[range->page + i] = page_as(m, q, i);
    }
    if (range->page < m->first) m->first = range->page;
    if (range->page + range->count > m->last) m->last = range->page + range->count;
}

void map_remove(struct map_model *m, const struct map_range *range)
{
    for (uint64_t i = 0; i < range->count; i++) {
        m->mapped_pages -= mapped(m, range->page + i);
        m->pages[range->page + i] = (struct map_page){.content = MAP_NONE};
    }
}

/* ---- Contents ---------------------------------------------------------------------------------------------------- */

static bool matches_version(const struct map_model *m, const struct map_page *page, uint64_t version,
                            const unsigned char *p, size_t *at)
{
    size_t n = map_file_bytes(m, page->file_page);
    if (version > 0) {
        *at = payload_verify(p, n, m->files[page->file][page->file_page].key[version % 2]);
        return *at == n;
    }
    const unsigned char *fresh = m->fresh[page->file] + page->file_page * m->page_bytes;
    for (*at = 0; *at < n; ++*at)
        if (p[*at] != fresh[*at]) return false;
    return true;
}

bool map_verify_file(const struct map_model *m, unsigned file, uint32_t file_page, const unsigned char *bytes,
                     size_t *at)
{
    struct map_page page = {.file = (uint8_t)file, .file_page = file_page};
    return matches_version(m, &page, m->files[file][file_page].version, bytes, at);
}

bool map_verify(const struct map_model *m, uint64_t number, size_t *at)
{
    const struct map_page *page = &m->pages[number];
    const unsigned char *p = m->base + number * m->page_bytes;
    size_t bytes = (size_t)m->page_bytes;
    if (page->content == MAP_NONE || page->content == MAP_BEYOND) return true;
    if (page->content == MAP_ZERO) return payload_zero(p, bytes, at);
    if (page->content == MAP_OWN) {
        *at = payload_verify(p, bytes, page->key);
        return *at == bytes;
    }
    uint64_t version = m->files[page->file][page->file_page].version;
    bool unchanged = page->content == MAP_SHARED_FILE || version == page->key;
    if (!unchanged && version != page->key + 1) return true; /* which of the versions shows, nobody can say */
    bool good = matches_version(m, page, version, p, at);
    if (!good && !unchanged) good = matches_version(m, page, page->key, p, at);
    if (!good) return false;
    size_t inside = map_file_bytes(m, page->file_page);
    good = payload_zero(p + inside, bytes - inside, at);
    *at += inside;
    return good;
}

enum rule map_content_rule(const struct map_model *m, uint64_t number)
{
    const struct map_page *page = &m->pages[number];
    if (page->content == MAP_ZERO) return RULE_A44;
    if (page->content == MAP_OWN) return RULE_C10;
    bool stored = page->content == MAP_SHARED_FILE && m->files[page->file][page->file_page].version > 0;
    return stored ? RULE_A48 : RULE_A47;
}

uint64_t map_file_store(struct map_model *m, unsigned file, uint32_t file_page)
{
    struct map_file_page *f = &m->files[file][file_page];
    f->version++;
    return f->key[f->version % 2] = payload_key(m->seed, ++m->generation);
}

void map_store(struct map_model *m, uint64_t number)
{
    struct map_page *page = &m->pages[number];
    unsigned char *p = m->base + number * m->page_bytes;
    if (page->content == MAP_SHARED_FILE) {
        payload_fill(p, map_file_bytes(m, page->file_page), map_file_store(m, page->file, page->file_page));
        return;
    }
    page->content = MAP_OWN;
    page->key = payload_key(m->seed, ++m->generation);
    payload_fill(p, (size_t)m->page_bytes, page->key);
}
