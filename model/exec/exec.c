/* exec.c: the life of an executor, and one round of a program; exec.h is the manual. Courses are in course.c. */
#include "exec_course.h"
#include "exec_frames.h"
#include "exec_groups.h"
#include "exec_internal.h"
#include "exec_kernel.h"
#include "observe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define REQUEST_MAX_DEFAULT (UINT64_C(1) << 30)

/* ---- Memory of our own --------------------------------------------------------------------------------------------- */

void *exec_memory(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void exec_release(void *p, size_t bytes)
{
    if (p) munmap(p, bytes);
}

static size_t state_bytes(const struct exec *x) { return x->ops->state_size ? x->ops->state_size : 1; }

/* Frees a heap's state. What rests on a machine that has been fresh since is reset before it is taken down. */
static void heap_close(struct exec *x, struct exec_heap *h, enum machine_config config, bool elsewhere)
{
    const struct lender_geometry rested = {.kind = BACKING_MACHINE, .machine = config, .elsewhere = elsewhere};
    if (h->ready && h != x->home)
        h->ready = !lender_fresh(&x->lender, &rested) && h->base == x->lender.face.base && !x->ops->reset(h->state);
    if (h->ready) x->ops->fini(h->state);
    exec_release(h->state, state_bytes(x));
}

struct exec *exec_open(const struct exec_options *options)
{
    static struct exec_position nowhere;
    struct exec *x = exec_memory(sizeof *x);
    if (!x) return NULL;
    x->options = *options;
    x->ops = options->ops;
    x->error = &errno;
    if (!x->options.request_max) x->options.request_max = REQUEST_MAX_DEFAULT;
    if (!x->options.position) x->options.position = &nowhere;
    lender_init(&x->lender);
    x->home = &x->heaps[0][0];
    x->heap = x->home->state = exec_memory(state_bytes(x));
    x->history = exec_memory(PROGRAM_STEPS_MAX * sizeof *x->history);
    bool frames = x->options.contract.promises & PROMISE_FRAMES;
    if (frames) x->frames = exec_memory(sizeof *x->frames);
    bool machine = x->options.contract.backing == BACKING_MACHINE;
    if (x->heap && x->history && (x->frames || !frames) && model_open(x) && (!machine || kernel_open(x))) return x;
    exec_close(x);
    errno = ENOMEM;
    return NULL;
}

void exec_close(struct exec *x)
{
    heap_close(x, x->home, MACHINE_S64, false);
    for (unsigned i = 0; i < MACHINE_CONFIGS * 2; i++)
        if (&x->heaps[i / 2][i % 2] != x->home) heap_close(x, &x->heaps[i / 2][i % 2], i / 2, i % 2);
    lender_close(&x->lender);
    model_close(x);
    exec_release(x->history, PROGRAM_STEPS_MAX * sizeof *x->history);
    exec_release(x->frames, sizeof *x->frames);
    exec_break_close(x);
    exec_maps_close(x);
    kernel_close(x);
    exec_release(x, sizeof *x);
}

/* ---- Verdict and trace ---------------------------------------------------------------------------------------------- */

uint64_t exec_offset(const struct exec *x, const void *p)
{
    const struct backing *f = &x->lender.face;
    if (!p || f->kind == BACKING_HOST) return OFFSET_NONE;
    return (uint64_t)((uintptr_t)p - (uintptr_t)f->base);
}

bool exec_fail(struct exec *x, enum rule rule, const void *at, const char *expected, const char *seen, ...)
{
    struct verdict *v = &x->verdict;
    va_list arguments;
    if (!x->options.counters->checked[rule]) exec_checked(x, rule); /* where model_tally has not come to it */
    *v = (struct verdict){.kind = VERDICT_FAIL,
                          .rule = rule,
                          .op = x->op_index,
                          .step = x->step,
                          .round = x->round,
                          .slot = PROGRAM_SLOTS};
    snprintf(v->expected, sizeof v->expected, "%s", expected);
    va_start(arguments, seen);
    vsnprintf(v->seen, sizeof v->seen, seen, arguments);
    va_end(arguments);
    for (unsigned slot = 0; at && slot < x->model.slot_end; slot++) {
        const struct block *b = &x->model.blocks[slot];
        if (b->base && (uintptr_t)at >= b->base && (uintptr_t)at <= b->base + block_usable(b)) v->slot = (uint16_t)slot;
    }
    if (x->options.trace) x->options.trace->fault_offset = exec_offset(x, at);
    return false;
}

/* The call's last request that was refused on demand, among those of its operation. */
static uint32_t struck(const struct exec *x)
{
    return x->lender.refused != x->call_refused ? (uint32_t)(x->lender.refused_last - x->op_requests) : 0;
}

void exec_record(struct exec *x, const struct op *op, unsigned slot, enum result_class result, const void *block,
                 uint64_t usable, int error)
{
    struct trace *t = x->options.trace;
    if (!t) return;
    if (!op) { /* the call that was recorded last turned out to have this usable size */
        if (t->event_count) t->events[t->event_count - 1].usable = usable;
        return;
    }
    if (t->event_count == TRACE_EVENTS_MAX) {
        memmove(t->events, t->events + TRACE_EVENTS_MAX / 2, TRACE_EVENTS_MAX / 2 * sizeof *t->events);
        t->event_count = TRACE_EVENTS_MAX / 2;
        t->events_dropped += TRACE_EVENTS_MAX / 2;
    }
    t->events[t->event_count++] = (struct event){.op = x->op_index,
                                                 .step = x->step,
                                                 .round = (uint16_t)x->round,
                                                 .slot = (uint16_t)slot,
                                                 .kind = op->kind,
                                                 .result = (uint8_t)result,
                                                 .report = (uint8_t)x->lender.report,
                                                 .struck = struck(x),
                                                 .error = error,
                                                 .size = x->call_size,
                                                 .size2 = x->call_size2,
                                                 .offset = exec_offset(x, block),
                                                 .usable = usable};
}

/* What is not true of the round that begins. */
static void forget_picture(struct trace *t)
{
    t->block_count = t->machine.frames = 0;
    t->heap_size = 0;
    t->fault_offset = OFFSET_NONE;
}

static void take_machine(struct exec *x)
{
    struct trace *t = x->options.trace;
    const struct verdict *v = &x->verdict;
    bool fault = t->fault_offset != OFFSET_NONE, kernel = v->kind == VERDICT_FAIL && v->op < x->program->op_count &&
                                                          x->program->ops[v->op].kind >= OP_KERNEL_FIRST;
    machine_picture_take(x, &t->machine, fault ? (char *)x->lender.face.base + t->fault_offset : NULL,
                         kernel ? v->slot : PROGRAM_SLOTS);
}

/* The live blocks nearest to the fault, in address order, and the machine. */
static void take_picture(struct exec *x)
{
    struct trace *t = x->options.trace;
    if (!t) return;
    take_machine(x);
    uint32_t count = model_sort(x), first = 0;
    uintptr_t fault = t->fault_offset == OFFSET_NONE ? 0 : (uintptr_t)x->lender.face.base + (uintptr_t)t->fault_offset;
    while (first < count && x->model.blocks[x->model.order[first]].base < fault) first++;
    first = first > TRACE_BLOCKS_MAX / 2 ? first - TRACE_BLOCKS_MAX / 2 : 0;
    t->heap_size = x->lender.face.kind == BACKING_HOST ? 0 : x->lender.face.size;
    t->block_count = 0;
    for (uint32_t i = first; i < count && t->block_count < TRACE_BLOCKS_MAX; i++) {
        const struct block *b = &x->model.blocks[x->model.order[i]];
        t->blocks[t->block_count++] = (struct live_block){.offset = exec_offset(x, (void *)b->base),
                                                          .size = b->request,
                                                          .usable = block_usable(b),
                                                          .slot = x->model.order[i]};
    }
}

void exec_after_fault(struct exec *x, const void *fault_address)
{
    const struct backing *f = &x->lender.face;
    const struct machine *m = f->machine;
    uintptr_t at = (uintptr_t)fault_address, base = (uintptr_t)f->base, page = f->page_bytes;
    model_tally(x);
    if (!x->options.trace || !f->page_bytes) return;
    uintptr_t end = m ? (uintptr_t)m->pkmap + m->pkmap_slots * page : base + f->size; /* the gap and the window too */
    bool near = f->kind != BACKING_HOST && at >= base - page && at < end + page;
    x->options.trace->fault_offset = near ? exec_offset(x, fault_address) : OFFSET_NONE;
    take_picture(x);
}

/* ---- Heaps ---------------------------------------------------------------------------------------------------------- */

static bool no_memory(struct exec *x)
{
    x->verdict.kind = VERDICT_ERROR;
    snprintf(x->verdict.seen, sizeof x->verdict.seen, "no address space for a heap of %llu bytes",
             (unsigned long long)x->program->heap.size);
    return false;
}

/* Readies the memory to be lent and the state of a heap on it; *reset says whether the heap that rests there can go back
 * to its beginning, else its state is zero. */
static bool go_home(struct exec *x, const struct lender_geometry *lend, bool *reset)
{
    bool rests = lend->kind == BACKING_MACHINE && x->ops->reset;
    struct exec_heap *h = rests ? &x->heaps[lend->machine][lend->elsewhere] : &x->heaps[0][0];
    if (!h->state && !(h->state = exec_memory(state_bytes(x)))) return no_memory(x);
    if (h->ready && !rests) x->ops->fini(h->state);
    *reset = h->ready && rests;
    h->ready = false;
    x->home = h;
    x->heap = h->state;
    if (lender_fresh(&x->lender, lend)) return no_memory(x);
    *reset = *reset && h->base == x->lender.face.base;
    h->base = x->lender.face.base;
    if (!*reset) memset(h->state, 0, x->ops->state_size);
    return true;
}

/* What a heap of this size may cost this process beside the program's own memory. A machine's frames are shared memory,
 * but its tables, the model's and the heap's state are not. */
#define MACHINE_BYTES (UINT64_C(128) << 20)

static uint64_t lent_bytes(const struct exec *x, uint64_t size)
{
    return x->options.contract.backing == BACKING_MACHINE ? MACHINE_BYTES : size;
}

/* What the program makes fail on a fresh heap. */
static void arm(struct exec *x)
{
    x->lender.fail_at[0] = x->unharmed ? 0 : x->program->heap.fail;
    x->lender.fail_at[1] = x->unharmed ? 0 : x->program->heap.fail_also;
}

bool exec_fresh(struct exec *x, bool elsewhere)
{
    const struct alloc_contract *c = &x->options.contract;
    const struct heap_geometry *g = &x->program->heap;
    bool host = c->backing == BACKING_HOST, zero = (c->promises & PROMISE_TRUSTS_ZERO) || x->ops->sbrk;
    model_fresh(x, false);
    x->reports_seen = 0;
    x->verdict.kind = VERDICT_PASS;
    if (host && x->home->ready) return true;
    uint64_t size = c->size_max_bytes && g->size > c->size_max_bytes ? c->size_max_bytes : g->size;
    struct lender_geometry lend = {.kind = c->backing,
                                   .size = size,
                                   .dirt = zero ? DIRT_ZERO : (enum lender_dirt)g->dirty,
                                   .seed = g->seed,
                                   .low = g->place == PLACE_LOW,
                                   .fence_pages = g->fence == FENCE_PAGES,
                                   .elsewhere = elsewhere,
                                   .machine = (enum machine_config)g->machine,
                                   .scatter = g->scatter};
    if (elsewhere && !zero) lend.dirt = (lend.dirt + 1) % DIRTY_KINDS;
    bool reset;
    if (!go_home(x, &lend, &reset)) return false;
    x->options.position->own_bytes = x->lender.kept_bytes + lent_bytes(x, size) + shadow_bytes(&x->model.shadow);
    arm(x);
    x->options.position->kind = OP_KINDS; /* none of them: init */
    int error = reset ? x->ops->reset(x->heap) : x->ops->init(x->heap, &x->lender.face);
    bool enough = c->backing == BACKING_MACHINE || g->size >= c->size_min_bytes;
    if (error && !x->lender.refused && enough)
        return exec_fail(x, RULE_C31, NULL, "a heap: the memory lent is as large as the contract asks",
                         "%s returned %d for %llu bytes", reset ? "reset" : "init", error, (unsigned long long)g->size);
    if (error) return false;
    x->home->ready = true;
    x->footprint = lender_footprint(&x->lender);
    if (x->frames) exec_frames_fresh(x);
    exec_break_fresh(x);
    exec_maps_fresh(x);
    return !x->kernel || kernel_fresh(x);
}

static bool maps_pages(const struct program *p)
{
    for (unsigned i = 0; i < p->op_count; i++)
        if (p->ops[i].kind >= OP_MMAP && p->ops[i].kind <= OP_FILE_STORE) return true;
    return false;
}

bool exec_again(struct exec *x)
{
    enum backing_kind kind = x->lender.face.kind;
    bool lent = kind == BACKING_REGION || kind == BACKING_BREAK || kind == BACKING_PAGES;
    bool needs_zeros = (x->options.contract.promises & PROMISE_TRUSTS_ZERO) || x->ops->sbrk;
    if (!lent || !x->ops->reset || needs_zeros || x->model.strangers || maps_pages(x->program))
        return exec_fresh(x, false); /* on a machine, that is by reset() too */
    model_fresh(x, false);
    x->verdict.kind = VERDICT_PASS;
    lender_spare(&x->lender);
    x->options.position->kind = OP_KINDS;
    int error = x->ops->reset(x->heap);
    exec_checked(x, RULE_C24);
    if (error || lender_footprint(&x->lender) != x->footprint)
        return exec_fail(x, RULE_C24, NULL, "the footprint of a new heap after reset()",
                         "%d, and %llu bytes instead of %llu", error, (unsigned long long)lender_footprint(&x->lender),
                         (unsigned long long)x->footprint);
    x->lender.requests = x->lender.refused = x->lender.reports = x->reports_seen = 0;
    arm(x);
    if (x->frames) exec_frames_fresh(x);
    exec_maps_fresh(x);
    return true;
}

/* ---- One round -------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) uint64_t evaluate(const struct exec *x, const struct op *op, unsigned kind, uint64_t v)
{
    bool kernel = x->kernel && op->kind >= OP_KERNEL_FIRST;
    switch ((enum size_kind)kind) {
    case SIZE_TOP: return (size_t)(SIZE_MAX - (size_t)v);
    case SIZE_HALF: return (size_t)((size_t)PTRDIFF_MAX + (size_t)v);
    case SIZE_HEAP: return (size_t)(x->program->heap.size + v);
    case SIZE_USABLE:
        return (size_t)((kernel ? x->kernel->blocks[op->ref].usable : block_usable(&x->model.blocks[op->ref])) + v);
    case SIZE_SEEN: return (size_t)((kernel ? x->kernel->largest : x->model.largest) + v);
    default: return (size_t)v;
    }
}

/* Somebody else takes from the break (A40). */
static bool step_stranger(struct exec *x, uint64_t bytes)
{
    if (x->lender.face.kind != BACKING_BREAK || x->model.strangers == STRANGERS_MAX || !bytes || bytes > 65536)
        return true;
    if (x->ops->sbrk)
        return true; /* the break is the interface under test: moving it behind its back is no use of it */
    void *p = lender_foreign_sbrk(&x->lender, (ptrdiff_t)bytes);
    if (p != SBRK_FAILED) model_stranger(x, p, (size_t)bytes);
    return true;
}

static void looked_at_all(struct exec *x)
{
    exec_worked(x, x->model.written + x->model.live * (uint64_t)EXEC_WORK_BLOCK);
    if (x->kernel) exec_worked(x, x->kernel->live_bytes + x->kernel->live * (uint64_t)EXEC_WORK_BLOCK);
}

/* All operations but those of the malloc family and the kernel group. Apart, so that what they need does not burden every malloc. */
static __attribute__((noinline)) bool step_other(struct exec *x, const struct op *op, unsigned slot, uint64_t a,
                                                 uint64_t b)
{
    bool held;
    switch ((enum op_kind)op->kind) {
    case OP_CHECK:
        looked_at_all(x);
        return model_verify_all(x, RULE_C10) && model_inspect(x) &&
               (!x->kernel || (kernel_verify_all(x, RULE_C10) && kernel_inspect(x)));
    case OP_REPEAT: return true;
    case OP_FAIL:
        if (x->unharmed) return true;
        x->lender.fail_at[2] = x->lender.requests + a;
        x->lender.fail_at[3] = b ? x->lender.requests + b : 0;
        return true;
    case OP_FOREIGN_SBRK: return step_stranger(x, a);
    case OP_FRAME_PUSH:
    case OP_FRAME_POP: return exec_step_frames(x, op, slot, a, b);
    case OP_SBRK:
    case OP_BRK: return exec_step_break(x, op, slot, a, b);
    case OP_MMAP:
    case OP_MUNMAP:
    case OP_MAP_STORE:
    case OP_FILE_STORE: return exec_step_maps(x, op, slot, a, b);
    case OP_DOUBLE_FREE:
    case OP_INTERIOR_FREE:
    case OP_FOREIGN_FREE:
    case OP_WRONG_SIZE_FREE:
    case OP_WRITE_AFTER_FREE:
        looked_at_all(x);
        kernel_as_task(x, true);
        model_guard(x, false); /* whoever looks for a header before a wrong pointer reads somebody's bytes */
        held = exec_step_illegal(x, op, slot, a, b);
        model_guard(x, true);
        kernel_as_task(x, false);
        return held;
    default: return true;
    }
}

/* An allocator reports a misuse where there was none. */
static bool false_report(struct exec *x, const struct op *op)
{
    exec_checked(x, RULE_C43);
    return exec_fail(x, RULE_C43, NULL, "no report: the call was a legal one", "%s reported by %s",
                     report_kind_name(x->lender.report), op_name(op->kind));
}

static __attribute__((noinline)) bool look_around(struct exec *x, bool refused)
{
    enum rule rule = refused ? RULE_C32 : RULE_C10;
    if (x->options.thorough) return kernel_verify_most(x, rule);
    for (unsigned turns = refused ? 4 : 1; turns; turns--)
        if (!kernel_sweep(x, rule)) return false;
    return true;
}

static inline bool after_kernel_call(struct exec *x)
{
    bool refused = x->outcome.result == RESULT_NULL;        /* which must have changed nothing (C32) */
    const unsigned pause = x->kernel->live < 1024 ? 2 : 16; /* among thousands a look costs half a call */
    return (!refused && !x->options.thorough && x->calls % pause != 1) || look_around(x, refused);
}

static unsigned magnitude(uint64_t n) { return n ? 64 - (unsigned)__builtin_clzll(n) : 0; }

static inline void show(struct exec *x, const struct op *op)
{
    struct exec_features *f = x->options.features;
    const bool refused = x->outcome.result == RESULT_NULL;
    f->calls[op->kind][x->outcome.result == RESULT_REPORT ? 2 : refused] = 1;
    f->sizes[magnitude(x->call_size) % 64][refused] = 1;
}

static void show_live(struct exec *x)
{
    struct exec_features *f = x->options.features;
    f->live[magnitude(x->model.live + (x->kernel ? x->kernel->live : 0)) % 16] = 1;
    f->live_bytes[magnitude(x->model.live_bytes + (x->kernel ? x->kernel->live_bytes : 0)) % 48] = 1;
}

/* What must hold after any legal call. */
static inline bool after_call(struct exec *x, const struct op *op)
{
    enum rule rule = x->outcome.result == RESULT_NULL ? RULE_A8 : RULE_C10;
    if (x->kernel && rule == RULE_A8 && op->kind >= OP_KERNEL_FIRST) rule = RULE_C32;
    if (x->kernel && !after_kernel_call(x)) return false;
    if (x->options.thorough) return model_verify_most(x, rule);
    return x->model.turn++ % 2 || model_sweep(x, rule);
}

/* The state of its slot with which an operation makes no call: an allocation where a block lives, a free or a write where
 * none does. As many steps are of this kind as are calls, since repeats come upon what they have made themselves; so it is
 * asked before all else. */
enum { IDLE_IF_DEAD, IDLE_IF_LIVE, IDLE_NEVER };

static unsigned idle_state(unsigned kind)
{
    switch ((enum op_kind)kind) {
    case OP_MALLOC:
    case OP_CALLOC:
    case OP_ALIGNED_ALLOC:
    case OP_POSIX_MEMALIGN:
    case OP_MEMALIGN: return IDLE_IF_LIVE;
    case OP_FREE:
    case OP_FREE_SIZED:
    case OP_FREE_ALIGNED_SIZED:
    case OP_WRITE: return IDLE_IF_DEAD;
    default: return IDLE_NEVER;
    }
}

/* A call was made and judged: the observer is told of those of the first round, the course of what it compares. */
static __attribute__((noinline)) bool note_call(struct exec *x, const struct op *op, unsigned slot)
{
    if (x->options.observer && !x->round) observe_call(x->options.observer, x, op, slot);
    return !x->rounds_compared || course_remembers(x);
}

bool exec_make_call(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    struct exec_position *at = x->options.position;
    at->calls = at->calls + 1;
    x->call_size = a;
    x->call_size2 = b;
    x->call_refused = x->lender.refused;
    x->outcome.result = RESULT_SKIPPED;
    bool held = op->kind <= OP_FREE_NULL      ? exec_step_heap(x, op, slot, a, b)
                : op->kind >= OP_KERNEL_FIRST ? exec_step_kernel(x, op, slot, a, b)
                                              : step_other(x, op, slot, a, b);
    if (!held) return false;
    if (x->lender.reports != x->reports_seen) return false_report(x, op);
    if (x->outcome.result == RESULT_SKIPPED) return true;
    if (x->options.features) show(x, op);
    if (!after_call(x, op)) return false;
    x->options.counters->operations++;
    return !x->noted || note_call(x, op, slot);
}

static bool run_op(struct exec *x, uint32_t index)
{
    const struct op *op = &x->program->ops[index];
    struct exec_position *at = x->options.position;
    const bool kernel = op->kind >= OP_KERNEL_FIRST;
    const bool literal = op->a_kind == SIZE_LITERAL && op->b_kind == SIZE_LITERAL; /* nearly always */
    /* Not a size, and wider than one where pointers are narrow. */
    const bool packed = op->kind == OP_CACHE_CREATE || op->kind == OP_POOL_CREATE;
    const unsigned idle = idle_state(op->kind);
    unsigned slot = op->slot;
    uint64_t a = op->a, b = op->b;
    const uint32_t begun = x->calls, count = op->count < x->steps_left ? op->count : x->steps_left;
    x->op_index = at->op = index;
    x->op_requests = x->lender.requests;
    at->kind = op->kind;
    for (uint32_t i = 0; i < count && x->work_left; i++) {
        if (model_alive(&x->model, slot) != idle) {
            x->step = at->step = i;
            x->calls = begun + i;
            if (kernel && x->kernel && count > 1)
                kernel_fetch(x, (slot + (unsigned)op->stride) % PROGRAM_SLOTS,
                             (slot + 2 * (unsigned)op->stride) % PROGRAM_SLOTS);
            uint64_t va = literal ? (size_t)a : evaluate(x, op, op->a_kind, a);
            uint64_t vb = packed ? b : literal ? (size_t)b : evaluate(x, op, op->b_kind, b);
            if (!exec_make_call(x, op, slot, va, vb)) {
                if (kernel && x->verdict.slot == PROGRAM_SLOTS) x->verdict.slot = (uint16_t)slot;
                return false;
            }
        }
        slot = (slot + (unsigned)op->stride) % PROGRAM_SLOTS;
        if (!kernel) a += (uint64_t)(int64_t)op->step; /* there the same bits are the gfp mask */
    }
    x->calls = begun + count;
    x->steps_left -= count;
    return true;
}

bool exec_round(struct exec *x)
{
    const struct program *p = x->program;
    if (x->options.trace) forget_picture(x->options.trace);
    x->calls = 0;
    x->rounds_compared = course_compares(x);
    x->noted = x->rounds_compared || (x->options.observer && !x->round);
    x->steps_left = PROGRAM_STEPS_MAX;
    x->work_left = EXEC_WORK_MAX;
    x->options.position->round = x->round;
    for (uint32_t i = 0; i < p->op_count; i++) {
        const struct op *op = &p->ops[i];
        if (op->kind != OP_REPEAT) {
            if (!run_op(x, i)) return false;
            continue;
        }
        uint32_t body = op->a < i ? (uint32_t)op->a : i;
        for (uint64_t times = op->b; times && x->steps_left && body; times--, x->steps_left -= x->steps_left > 0)
            for (uint32_t j = i - body; j < i; j++)
                if (p->ops[j].kind != OP_REPEAT && !run_op(x, j)) return false;
    }
    x->op_index = p->op_count;
    x->step = 0;
    take_picture(x);
    if (x->options.features) show_live(x);
    if (x->options.observer && !x->round) observe_round(x->options.observer, x);
    return true;
}

uint64_t exec_requests(const struct exec *x) { return x->requests; }

void exec_run(struct exec *x, const struct program *p, struct verdict *verdict)
{
    x->program = p;
    x->round = 0;
    x->unharmed = false;
    x->requests = 0;
    if (p->heap.course != COURSE_RECOVER) x->baseline = 0;
    x->verdict = (struct verdict){.kind = VERDICT_PASS, .slot = PROGRAM_SLOTS};
    if (x->options.trace) {
        x->options.trace->event_count = 0;
        x->options.trace->events_dropped = 0;
        forget_picture(x->options.trace);
    }
    x->options.counters->programs++;
    bool held = course_run(x);
    model_tally(x);
    if (!held && x->verdict.kind == VERDICT_FAIL) {
        take_picture(x);
        model_fresh(x, true);
        x->home->ready = false; /* nothing of it can be trusted, its fini included */
    }
    *verdict = x->verdict;
}
