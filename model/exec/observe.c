/* observe.c: observe.h is the manual. */
#include "observe.h"

#include "exec_internal.h"
#include "exec_kernel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Anonymous memory of this process, without malloc, which may be the allocator under test. */
static uint64_t anonymous_bytes(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    char *at = text;
    uint64_t pages[3];
    for (unsigned i = 0; i < 3; i++) pages[i] = strtoull(at, &at, 10);
    return (pages[1] - pages[2]) * (uint64_t)sysconf(_SC_PAGESIZE);
}

void observe_begin(struct observer *o)
{
    struct observation_log *log = o->log;
    memset(o->malloc_family.base, 0, o->malloc_family.end * sizeof *o->malloc_family.base);
    memset(o->kernel_group.base, 0, o->kernel_group.end * sizeof *o->kernel_group.base);
    o->malloc_family.end = o->kernel_group.end = 0;
    if (o->weighs && !o->empty) o->empty = anonymous_bytes();
    log->program[log->programs++] =
        (struct observed){.first = log->used, .verdict = VERDICT_ERROR, .live_refused = OFFSET_NONE};
}

static struct observed *running(struct observer *o) { return &o->log->program[o->log->programs - 1]; }

void observe_end(struct observer *o, enum verdict_kind verdict) { running(o)->verdict = (uint8_t)verdict; }

/* ---- A call's request ------------------------------------------------------------------------------------------------- */

static uint64_t product(uint64_t a, uint64_t b)
{
    uint64_t bytes;
    return __builtin_mul_overflow(a, b, &bytes) ? UINT64_MAX : bytes;
}

bool observe_request(enum op_kind kind, uint64_t a, uint64_t b, uint64_t page_bytes, uint64_t *bytes)
{
    *bytes = a;
    switch (kind) {
    case OP_MALLOC:
    case OP_REALLOC:
    case OP_ALIGNED_ALLOC:
    case OP_POSIX_MEMALIGN:
    case OP_MEMALIGN:
    case OP_ALLOC_PAGES_EXACT:
    case OP_KMALLOC:
    case OP_KZALLOC:
    case OP_KREALLOC:
    case OP_VMALLOC:
    case OP_VZALLOC:
    case OP_VMALLOC_USER:
    case OP_VMALLOC_GFP:
    case OP_VREALLOC:
    case OP_KVMALLOC:
    case OP_KVREALLOC: return true;
    case OP_CALLOC:
    case OP_REALLOCARRAY:
    case OP_KCALLOC:
    case OP_KMALLOC_ARRAY:
    case OP_KREALLOC_ARRAY:
    case OP_KVCALLOC: *bytes = product(a, b); return true;
    case OP_ALLOC_PAGES:
    case OP_GET_FREE_PAGES: *bytes = page_bytes << (a < PROGRAM_ORDERS ? a : PROGRAM_ORDERS); return true;
    case OP_GET_ZEROED_PAGE: *bytes = page_bytes; return true;
    default: return false;
    }
}

static bool resizes(enum op_kind kind)
{
    return kind == OP_REALLOC || kind == OP_REALLOCARRAY || kind == OP_KREALLOC || kind == OP_KREALLOC_ARRAY ||
           kind == OP_VREALLOC || kind == OP_KVREALLOC;
}

static bool aligns(enum op_kind kind)
{
    return kind == OP_ALIGNED_ALLOC || kind == OP_POSIX_MEMALIGN || kind == OP_MEMALIGN || kind == OP_VMALLOC_GFP;
}

/* ---- A call ------------------------------------------------------------------------------------------------------------ */

static uint8_t detail_of(const struct exec *x)
{
    uintptr_t at = (uintptr_t)x->outcome.block;
    switch (x->outcome.result) {
    case RESULT_PTR: return at ? (uint8_t)__builtin_ctzll(at) : 0;
    case RESULT_NULL: return (uint8_t)x->outcome.error;
    case RESULT_REPORT: return (uint8_t)x->lender.report;
    default: return 0;
    }
}

static uint64_t live_bytes(const struct exec *x)
{
    if (x->lender.face.kind == BACKING_HOST) return x->model.written;
    return x->model.live_bytes + (x->kernel ? x->kernel->live_bytes : 0);
}

/* What the allocator has taken of what it was lent, with this block. */
static uint64_t taken(const struct exec *x, const struct observation *o)
{
    if (x->lender.face.kind != BACKING_REGION) return lender_footprint(&x->lender);
    return o->result == RESULT_PTR && o->offset != OFFSET_NONE ? o->offset + o->usable : 0;
}

static void follow_heap(const struct observed *p, const struct exec *x, const struct observation *o,
                        struct observed *out)
{
    uint64_t live = live_bytes(x), now = taken(x, o);
    const struct backing *f = &x->lender.face;
    out->heap_bytes = f->kind == BACKING_HOST ? 0 : f->size;
    if (live > p->live) out->live = live;
    if (now > p->taken) out->taken = now;
    bool fits = o->result == RESULT_NULL && o->size && o->size <= out->heap_bytes && !x->lender.refused;
    if (fits && p->live_refused == OFFSET_NONE) out->live_refused = live;
}

/* The block of the slot, before and after the call. */
static void follow_block(struct observer *w, const struct exec *x, struct observation *o, unsigned slot, uint64_t bytes)
{
    bool kernel = o->kind >= OP_KERNEL_FIRST;
    if (slot >= PROGRAM_SLOTS || (kernel && !x->kernel)) return;
    const struct block *b = &x->model.blocks[slot];
    const struct kernel_block *k = kernel ? &x->kernel->blocks[slot] : NULL;
    bool live = kernel ? k->life == LIFE_LIVE : block_live(b);
    uintptr_t now = !live ? 0 : kernel ? (uintptr_t)k->handle : b->base;
    uintptr_t *base = kernel ? w->kernel_group.base : w->malloc_family.base;
    uint64_t *had = kernel ? w->kernel_group.bytes : w->malloc_family.bytes;
    uint32_t *end = kernel ? &w->kernel_group.end : &w->malloc_family.end;
    if (slot >= *end) *end = slot + 1;
    if (o->result == RESULT_PTR) o->usable = kernel ? k->usable : block_usable(b);
    if (resizes(o->kind) && base[slot]) {
        o->size2 = had[slot];
        if (o->result == RESULT_PTR) o->move = now == base[slot] ? MOVE_STAYED : MOVE_AWAY;
    }
    base[slot] = now;
    if (now && o->result == RESULT_PTR) had[slot] = bytes;
}

void observe_call(struct observer *w, const struct exec *x, const struct op *op, unsigned slot)
{
    struct observation_log *log = w->log;
    struct observed *p = running(w);
    if (p->cut || log->used == OBSERVATIONS_MAX) {
        p->cut = true;
        return;
    }
    uint64_t bytes;
    bool asks = observe_request(op->kind, x->call_size, x->call_size2, x->lender.face.page_bytes, &bytes);
    struct observation *o = &log->calls[log->used];
    *o = (struct observation){.call = x->calls,
                              .op = (uint16_t)x->op_index,
                              .step = (uint16_t)x->step,
                              .kind = op->kind,
                              .result = (uint8_t)x->outcome.result,
                              .detail = detail_of(x),
                              .size = asks ? bytes : x->call_size,
                              .size2 = aligns(op->kind) ? x->call_size2 : 0,
                              .usable = x->outcome.usable,
                              .offset = exec_offset(x, x->outcome.block)};
    follow_block(w, x, o, slot, bytes);
    follow_heap(p, x, o, p);
    log->used++;
    p->count++;
}

void observe_round(struct observer *w, const struct exec *x)
{
    if (!w->weighs || x->lender.face.kind != BACKING_HOST) return;
    uint64_t all = anonymous_bytes(), ours = w->empty + shadow_bytes(&x->model.shadow);
    running(w)->resident = all > ours ? all - ours : 0;
}
