/* explore_image.c: a heap, kept and put back, and what of it counts.
 *
 * What changes of a large state is found out. Pages that the kernel has not made were never written to; the others are held
 * against the fresh state, line by line. What differs belongs to every copy from then on. So as long as nothing new is
 * found, all bytes beyond the copies are as in the fresh heap: the copies are whole.
 */
#include "explore_internal.h"

#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SMALL_STATE ((size_t)4096) /* is copied whole */
#define LENT_MAX ((size_t)1 << 16)
#define FRESH_BYTES (LENT_MAX + 64 + SMALL_STATE) /* memory lent, break and flags; a small state */
#define LINE 16u
#define PAGE 4096u      /* of what is looked at; the kernel's may be larger */
#define LOOK_PAGES 256u /* so many times are the pages looked at between two questions to the kernel */

/* ---- Runs ------------------------------------------------------------------------------------------------------------ */

static void add_run(struct image *m, void *at, size_t bytes)
{
    struct image_run *last = m->run_count ? &m->runs[m->run_count - 1] : NULL;
    const bool longer = last && last->at + last->bytes == at && m->run_count > m->masked_runs + 1;
    if (m->bytes + bytes > IMAGE_BYTES_MAX || (!longer && m->run_count == IMAGE_RUNS_MAX)) {
        m->too_large = true;
        return;
    }
    if (longer) last->bytes += (uint32_t)bytes;
    else m->runs[m->run_count++] = (struct image_run){at, (uint32_t)bytes};
    m->bytes += bytes;
}

static bool is_machine(const struct image *m) { return m->x->lender.face.kind == BACKING_MACHINE; }
static size_t state_lines(const struct image *m) { return (m->x->ops->state_size + LINE - 1) / LINE; }
static size_t state_pages(const struct image *m) { return (m->x->ops->state_size + PAGE - 1) / PAGE; }

/* Bytes of line i; the last may be a short one. */
static size_t line_bytes(const struct image *m, size_t i)
{
    size_t left = m->x->ops->state_size - i * LINE;
    return left < LINE ? left : LINE;
}

static bool is_changing(const struct image *m, size_t line) { return m->changing[line / 64] >> line % 64 & 1; }

static void make_runs(struct image *m)
{
    struct exec *x = m->x;
    m->run_count = m->masked_runs = 0;
    m->bytes = 0;
    if (x->lender.face.kind == BACKING_BREAK) {
        add_run(m, &x->lender.brk, sizeof x->lender.brk);
        add_run(m, &x->lender.high, sizeof x->lender.high);
    }
    if (is_machine(m)) add_run(m, machine_taken_count(&x->lender.machine), sizeof(uint32_t));
    else add_run(m, x->lender.face.base, x->lender.face.size);
    m->masked_runs = m->run_count;
    if (!m->fresh_state) add_run(m, x->heap, x->ops->state_size);
    for (size_t i = 0; m->fresh_state && i < state_lines(m); i++)
        if (is_changing(m, i)) add_run(m, (unsigned char *)x->heap + i * LINE, line_bytes(m, i));
}

void image_save(const struct image *m, unsigned char *copy)
{
    for (uint32_t i = 0; i < m->run_count; copy += m->runs[i++].bytes) memcpy(copy, m->runs[i].at, m->runs[i].bytes);
}

void image_restore(const struct image *m, const unsigned char *copy)
{
    for (uint32_t i = 0; i < m->run_count; copy += m->runs[i++].bytes) memcpy(m->runs[i].at, copy, m->runs[i].bytes);
}

bool image_same(const struct image *m, const unsigned char *copy)
{
    for (uint32_t i = 0; i < m->run_count; copy += m->runs[i++].bytes)
        if (memcmp(copy, m->runs[i].at, m->runs[i].bytes) != 0) return false;
    return true;
}

/* ---- A large state ------------------------------------------------------------------------------------------------------ */

/* The stretches between the lines that are known to change, of pages that may have been written to. */
static void find_quiet(struct image *m)
{
    struct image_run *last = NULL;
    m->quiet_count = 0;
    for (size_t i = 0; i < state_lines(m); i++) {
        unsigned char *at = (unsigned char *)m->x->heap + i * LINE;
        if (!m->pages[i * LINE / PAGE] || is_changing(m, i)) continue;
        if (!last || last->at + last->bytes != at) {
            if (m->quiet_count == IMAGE_RUNS_MAX) m->too_large = true;
            else last = &m->quiet[m->quiet_count++];
            *last = (struct image_run){.at = at};
        }
        last->bytes += (uint32_t)line_bytes(m, i);
    }
}

/* Which pages have been written to, or may have been. */
static void ask_kernel(struct image *m)
{
    uint64_t entries[64];
    const size_t pages = state_pages(m), page = (size_t)sysconf(_SC_PAGESIZE);
    const uintptr_t first = (uintptr_t)m->x->heap / page;
    if (m->pagemap < 0 || page != PAGE) {
        memset(m->pages, 1, pages);
        find_quiet(m);
        return;
    }
    for (size_t i = 0; i < pages; i += 64) {
        size_t count = pages - i < 64 ? pages - i : 64;
        bool told = pread(m->pagemap, entries, count * sizeof *entries, (off_t)((first + i) * sizeof *entries)) ==
                    (ssize_t)(count * sizeof *entries);
        for (size_t j = 0; j < count; j++) m->pages[i + j] |= !told || entries[j] >> 62; /* there, or swapped out */
    }
    find_quiet(m);
}

/* Pages that hold nothing but zeros are given back to the kernel, so that it can say when they are written to. */
static void forget_zeros(struct image *m)
{
    unsigned char *state = m->x->heap;
    const size_t bytes = state_pages(m) * PAGE;
    madvise(state, bytes, MADV_NOHUGEPAGE);
    if (madvise(state, bytes, MADV_DONTNEED)) return;
    for (size_t i = 0; i < state_lines(m); i++) {
        static const unsigned char zeros[LINE];
        if (memcmp(m->fresh_state + i * LINE, zeros, line_bytes(m, i)) != 0)
            memcpy(state + i * LINE, m->fresh_state + i * LINE, line_bytes(m, i));
    }
}

static bool open_large(struct image *m)
{
    struct exec *x = m->x;
    m->fresh_state = exec_memory(x->ops->state_size);
    m->changing = exec_memory((state_lines(m) + 63) / 64 * sizeof *m->changing);
    m->pages = exec_memory(state_pages(m));
    if (!m->fresh_state || !m->changing || !m->pages) return false;
    memcpy(m->fresh_state, x->heap, x->ops->state_size);
    forget_zeros(m);
    m->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    ask_kernel(m);
    return true;
}

bool image_learn(struct image *m, bool sure)
{
    bool learnt = false;
    if (!m->fresh_state) return false;
    if (m->looked++ % LOOK_PAGES == 0 || sure) ask_kernel(m);
    const unsigned char *state = m->x->heap;
    for (uint32_t run = 0; run < m->quiet_count; run++) {
        const struct image_run *q = &m->quiet[run];
        const size_t at = (size_t)(q->at - state);
        if (memcmp(q->at, m->fresh_state + at, q->bytes) == 0) continue;
        learnt = true;
        for (size_t i = at / LINE; i * LINE < at + q->bytes; i++)
            if (memcmp(state + i * LINE, m->fresh_state + i * LINE, line_bytes(m, i)) != 0)
                m->changing[i / 64] |= UINT64_C(1) << i % 64;
    }
    if (!learnt) return false;
    find_quiet(m);
    make_runs(m);
    return true;
}

/* The runs before the lines of a state are always the same ones. */
static void first_runs(const struct image *m, unsigned char *to, const unsigned char *from)
{
    for (uint32_t i = 0, at = 0; i < m->masked_runs; at += m->runs[i++].bytes)
        memcpy(to ? to + at : m->runs[i].at, from ? from + at : m->runs[i].at, m->runs[i].bytes);
}

void image_restore_fresh(const struct image *m)
{
    unsigned char *state = m->x->heap;
    first_runs(m, NULL, m->fresh);
    for (size_t i = 0; m->fresh_state && i < state_lines(m); i++)
        if (is_changing(m, i)) memcpy(state + i * LINE, m->fresh_state + i * LINE, line_bytes(m, i));
    if (!m->fresh_state) memcpy(state, m->fresh + FRESH_BYTES - SMALL_STATE, m->x->ops->state_size);
}

/* ---- Life --------------------------------------------------------------------------------------------------------------- */

static bool cannot(struct exec *x, const char *why)
{
    x->verdict = (struct verdict){.kind = VERDICT_ERROR};
    snprintf(x->verdict.seen, sizeof x->verdict.seen, "%s", why);
    return false;
}

bool image_open(struct image *m, struct exec *x)
{
    const enum backing_kind kind = x->lender.face.kind;
    const unsigned promises = x->options.contract.promises;
    *m = (struct image){.x = x, .pagemap = -1};
    if (kind == BACKING_HOST) return cannot(x, "its memory is the host's: a heap cannot be put back as it was");
    if (kind == BACKING_PAGES) return cannot(x, "its memory is mapped and unmapped: that cannot be put back as it was");
    if (promises & PROMISE_FRAMES) return cannot(x, "its blocks live in frames, which are not explored");
    if (x->ops->kernel && x->ops->kernel->vmalloc)
        return cannot(x, "its areas are mapped and unmapped: that cannot be put back as it was");
    if (x->ops->sbrk) return cannot(x, "its break is an interface of its own, which is not explored");
    if (kind != BACKING_MACHINE && x->lender.face.size > LENT_MAX)
        return cannot(x, "the heap is too large to be explored: 64 KiB at the most");
    if (x->ops->state_size > SMALL_STATE && !open_large(m)) return cannot(x, "no memory");
    m->masked = exec_memory(IMAGE_BYTES_MAX);
    m->fresh = exec_memory(FRESH_BYTES);
    if (!m->masked || !m->fresh) return cannot(x, "no memory");
    make_runs(m);
    first_runs(m, m->fresh, NULL);
    if (!m->fresh_state) memcpy(m->fresh + FRESH_BYTES - SMALL_STATE, x->heap, x->ops->state_size);
    return true;
}

void image_close(struct image *m)
{
    if (m->pagemap >= 0) close(m->pagemap);
    exec_release(m->masked, IMAGE_BYTES_MAX);
    exec_release(m->fresh, FRESH_BYTES);
    if (!m->fresh_state) return;
    exec_release(m->fresh_state, m->x->ops->state_size);
    exec_release(m->changing, (state_lines(m) + 63) / 64 * sizeof *m->changing);
    exec_release(m->pages, state_pages(m));
}

/* ---- The digest --------------------------------------------------------------------------------------------------------- */

/* Four lanes, so that a multiplication need not wait for the one before. Equal bytes give equal digests on one machine. */
static uint64_t digest(const unsigned char *p, size_t bytes, uint64_t seed)
{
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t lane[4] = {seed, seed ^ UINT64_C(0x243F6A8885A308D3), seed ^ UINT64_C(0x13198A2E03707344), ~seed}, word[4];
    for (; bytes >= sizeof word; bytes -= sizeof word, p += sizeof word) {
        memcpy(word, p, sizeof word);
        for (unsigned i = 0; i < 4; i++) {
            lane[i] = (lane[i] ^ word[i]) * factor;
            lane[i] = lane[i] << 29 | lane[i] >> 35;
        }
    }
    memset(word, 0, sizeof word);
    memcpy(word, p, bytes);
    for (unsigned i = 0; i < 4; i++) lane[i] = (lane[i] ^ word[i]) * factor;
    return hash_mix(lane[0]) ^ hash_mix(lane[1] + 1) ^ hash_mix(lane[2] + 2) ^ hash_mix(lane[3] + 3);
}

struct mask {
    const struct image *m;
    size_t kept; /* bytes of a free block that count */
};

static void hide(const struct image *m, uintptr_t at, size_t bytes)
{
    const struct backing *f = &m->x->lender.face;
    const uintptr_t base = (uintptr_t)f->base, offset = at - base;
    if (at >= base && offset < f->size)
        memset(m->masked + offset, 0, bytes < f->size - offset ? bytes : f->size - offset);
}

static bool hide_free(void *context, const struct alloc_block *b)
{
    const struct mask *mask = context;
    if (b->state == BLOCK_FREE && b->size > mask->kept)
        hide(mask->m, (uintptr_t)b->base + mask->kept, b->size - mask->kept);
    return true;
}

/* The memory lent without what decides nothing. */
static void mask(const struct image *m)
{
    struct exec *x = m->x;
    const struct alloc_contract *c = &x->options.contract;
    const struct backing *f = &x->lender.face;
    memcpy(m->masked, f->base, f->size);
    if (f->kind == BACKING_BREAK) hide(m, (uintptr_t)x->lender.brk, f->size);
    for (uint64_t alive = x->model.alive[0]; alive; alive &= alive - 1) {
        const struct block *b = &x->model.blocks[__builtin_ctzll(alive)];
        hide(m, b->base, (size_t)block_usable(b));
    }
    struct mask free_blocks = {m, c->header_bytes + c->block_min_bytes};
    if ((c->promises & PROMISE_FORGETS) && x->ops->walk) x->ops->walk(x->heap, hide_free, &free_blocks);
}

uint64_t image_hash(const struct image *m)
{
    const struct lender *l = &m->x->lender;
    uint64_t h = l->brk ? hash_mix((uint64_t)(l->brk - l->face.base)) : 1;
    if (!is_machine(m)) {
        mask(m);
        h = digest(m->masked, l->face.size, h);
    }
    if (m->run_count == m->masked_runs + 1) return digest(m->runs[m->masked_runs].at, m->runs[m->masked_runs].bytes, h);
    unsigned char *end = m->masked;
    for (uint32_t i = m->masked_runs; i < m->run_count; end += m->runs[i++].bytes)
        memcpy(end, m->runs[i].at, m->runs[i].bytes);
    return digest(m->masked, (size_t)(end - m->masked), h);
}
