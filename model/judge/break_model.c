/* break_model.c: see break_model.h. */
#include "break_model.h"

#include "payload.h"

#include <errno.h>

#define SAMPLE_BYTES UINT64_C(65536) /* filled and verified at each end of what is longer than two of them */

void break_fresh(struct break_model *m, unsigned char *base, uint64_t size, uint64_t page_bytes, bool fresh_is_known,
                 uint32_t seed)
{
    m->base = base;
    m->size = size;
    m->page_bytes = page_bytes;
    m->current = m->requests = 0;
    m->fresh_is_known = fresh_is_known;
    m->seed = seed;
    m->generation = 0;
    m->count = 0;
}

uint64_t break_page_end(const struct break_model *m, uint64_t offset)
{
    uint64_t into = ((uintptr_t)m->base + offset) % m->page_bytes;
    uint64_t end = into == 0 ? offset : offset + (m->page_bytes - into);
    return end < m->size ? end : m->size;
}

/* ---- Judging ----------------------------------------------------------------------------------------------------- */

/* A refusal, of either call. */
static struct ruling judge_refusal(const struct break_model *m, bool inside, const struct break_seen *seen)
{
    if (seen->error != ENOMEM) return ruling_broken(RULE_A37, "a refusal sets errno to ENOMEM");
    if (seen->now != m->current) return ruling_broken(RULE_A37, "a refusal leaves the break where it was");
    if (inside && !seen->refused) return ruling_broken(RULE_A37, "a break inside its limits is granted");
    return RULING_ALLOWED;
}

static struct ruling judge_pages(const struct break_model *m, const struct break_seen *seen)
{
    if (break_page_end(m, seen->lent) == break_page_end(m, seen->now)) return RULING_ALLOWED;
    return ruling_broken(RULE_A35, "the bytes up to the end of the break's page are accessible, none beyond");
}

struct ruling break_judge_sbrk(const struct break_model *m, int64_t delta, const struct break_seen *seen)
{
    int64_t target;
    bool inside =
        !__builtin_add_overflow((int64_t)m->current, delta, &target) && target >= 0 && (uint64_t)target <= m->size;
    if (seen->failed) {
        if (delta == 0) return ruling_broken(RULE_A36, "sbrk(0) gives the current break");
        return judge_refusal(m, inside, seen);
    }
    if (!inside) return ruling_broken(RULE_A37, "a break outside its limits is refused");
    if (seen->result != m->current) return ruling_broken(RULE_A36, "sbrk returns the previous break");
    if (seen->now != (uint64_t)target) return ruling_broken(RULE_A36, "sbrk moves the break by what was asked");
    return judge_pages(m, seen);
}

struct ruling break_judge_brk(const struct break_model *m, uint64_t target, const struct break_seen *seen)
{
    if ((seen->now == target) == seen->failed && target != m->current)
        return ruling_broken(RULE_A38, "brk gives 0 if and only if the break is where it was asked to be");
    if (seen->failed) return judge_refusal(m, target <= m->size, seen);
    if (target > m->size) return ruling_broken(RULE_A37, "a break outside its limits is refused");
    if (seen->now != target) return ruling_broken(RULE_A38, "the break is where brk said it is");
    return judge_pages(m, seen);
}

/* ---- Contents ---------------------------------------------------------------------------------------------------- */

static uint64_t span_start(const struct break_model *m, uint32_t i) { return i == 0 ? 0 : m->spans[i - 1].end; }

/* Forgets what lies at or above `end`; nobody owns what lies at or above `top`. */
static void cut(struct break_model *m, uint64_t end, uint64_t top)
{
    while (m->count > 0 && span_start(m, m->count - 1) >= end) m->count--;
    if (m->count > 0 && m->spans[m->count - 1].end > end) m->spans[m->count - 1].end = end;
    for (uint32_t i = m->count; i > 0 && m->spans[i - 1].top > top; i--) m->spans[i - 1].top = top;
}

static void put(struct break_model *m, uint64_t end, uint64_t top, enum break_content content)
{
    uint64_t start = m->count == 0 ? 0 : m->spans[m->count - 1].end;
    if (end <= start || m->count == BREAK_SPANS_MAX) return;
    struct break_span span = {.end = end, .top = top < end ? top : end, .content = content};
    if (content == CONTENT_PATTERN) {
        span.key = payload_key(m->seed, ++m->generation);
        payload_fill(m->base + start, (size_t)(end - start), span.key);
    }
    m->spans[m->count++] = span;
}

/* Highest offset that is owned by others, or by the program. */
static uint64_t owned_end(const struct break_model *m, bool by_others)
{
    for (uint32_t i = m->count; i > 0; i--) {
        const struct break_span *span = &m->spans[i - 1];
        if ((span->content == CONTENT_OTHERS) == by_others && span->top > span_start(m, i - 1)) return span->top;
    }
    return 0;
}

bool break_may_lower(const struct break_model *m, uint64_t target) { return target >= owned_end(m, true); }

void break_own_move(struct break_model *m, uint64_t target)
{
    uint64_t old = m->current, end = break_page_end(m, target);
    m->current = target;
    if (target <= old) {
        cut(m, end, target);
        return;
    }
    cut(m, old, old);
    if (end - old > 2 * SAMPLE_BYTES) {
        put(m, old + SAMPLE_BYTES, target, CONTENT_PATTERN);
        put(m, end - SAMPLE_BYTES, target, CONTENT_ZERO);
    }
    put(m, end, target, CONTENT_PATTERN);
}

bool break_others_move(struct break_model *m, uint64_t target)
{
    uint64_t own = owned_end(m, false);
    if (target < own) return false;
    m->current = target;
    cut(m, own, own);
    put(m, break_page_end(m, target), target, CONTENT_OTHERS);
    return true;
}

/* Offset of the first wrong byte of [from, to), which lies inside span i (or above all, for i = count); or `to`. */
static uint64_t verify_part(const struct break_model *m, uint32_t i, uint64_t from, uint64_t to)
{
    const unsigned char *p = m->base + from;
    size_t length = (size_t)(to - from), at;
    if (i < m->count && m->spans[i].content == CONTENT_OTHERS) return to;
    if (i < m->count && m->spans[i].content == CONTENT_PATTERN) {
        uint64_t start = span_start(m, i); /* patterns are short enough to be read from their start */
        return start + payload_verify(m->base + start, (size_t)(to - start), m->spans[i].key);
    }
    if (!m->fresh_is_known) return to;
    if (length <= 2 * SAMPLE_BYTES) return payload_zero(p, length, &at) ? to : from + at;
    if (!payload_zero(p, SAMPLE_BYTES, &at)) return from + at;
    const unsigned char *tail = m->base + to - SAMPLE_BYTES;
    return payload_zero(tail, SAMPLE_BYTES, &at) ? to : to - SAMPLE_BYTES + at;
}

uint64_t break_verify(const struct break_model *m, uint64_t from, uint64_t to)
{
    uint32_t i = m->count;
    while (i > 0 && span_start(m, i - 1) >= from) i--; /* the topmost span that begins below `from`, if any */
    if (i > 0) i--;
    for (uint64_t start = 0; i <= m->count; i++) {
        start = i == 0 ? 0 : m->spans[i - 1].end;
        uint64_t end = i < m->count ? m->spans[i].end : to;
        if (start < from) start = from;
        if (end > to) end = to;
        if (start >= end) continue;
        uint64_t wrong = verify_part(m, i, start, end);
        if (wrong < end) return wrong;
    }
    return to;
}
