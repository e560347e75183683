/* test_decode_kernel.c: the kernel family of the swarm form: any bytes are a program, every operation occurs, and without
 * contract errors asked for there are none.
 *
 * That is held against a small interpreter which knows the rules of context (B48), of masks (B4, B5, B40) and of who frees
 * what (B120), makes the calls of a program with repeats unrolled, and lets requests fail at random: an allocator may.
 */
#include "encode.h"
#include "kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STRINGS 20000u
#define STRING_MAX 1700u

static struct program program, again;
static unsigned char bytes[STRING_MAX], encoded[PROGRAM_BYTES_MAX];
static char text[PROGRAM_OPS_MAX * 256];

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static size_t random_string(uint64_t *state, bool illegal)
{
    size_t length = SWARM_HEAD_BYTES + random_next(state) % (STRING_MAX - SWARM_HEAD_BYTES);
    for (size_t i = 0; i < length; i++) bytes[i] = (unsigned char)(random_next(state) >> 32);
    memcpy(bytes, SWARM_KERNEL, 4);
    if (illegal) bytes[0] |= SWARM_ILLEGAL;
    return length;
}

/* ---- Any bytes --------------------------------------------------------------------------------------------------------- */

static void any_bytes_are_a_canonical_program(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (unsigned i = 0; i < STRINGS; i++) {
        size_t length = random_string(&random, i & 1);
        if (i % 8 == 0) length = 4 + i / 8 % 20; /* a head that is cut, too */
        unsigned char *exact = malloc(length);   /* so that a sanitizer sees a byte too much */
        memcpy(exact, bytes, length);
        memset(&program, 0xa5, sizeof program);
        program_decode(&program, exact, length);
        free(exact);
        assert_true(program.op_count <= PROGRAM_OPS_MAX);
        again = program;
        program_normalise(&again);
        assert_true(program_equal(&program, &again));
        for (uint32_t k = 0; k < program.op_count; k++) {
            const struct op *op = &program.ops[k];
            int last = op->slot + (op->count - 1) * op->stride;
            assert_true(last >= 0 && last < (int)PROGRAM_SLOTS);
        }
        program_decode(&again, bytes, length);
        assert_true(program_equal(&program, &again));
        if (i % 50) continue;
        struct parse_error error;
        program_decode(&again, encoded, program_encode(&program, encoded));
        assert_true(program_equal(&program, &again));
        size_t printed = program_print(&program, text, sizeof text);
        assert_true(program_parse(&again, text, printed, &error));
        assert_true(program_equal(&program, &again));
    }
}

static void zeros_are_the_simplest_program(void **state)
{
    (void)state;
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, SWARM_KERNEL, 4);
    program_decode(&program, bytes, 4);
    program_clear(&again);
    assert_true(program_equal(&program, &again));
    program_decode(&program, bytes, SWARM_HEAD_BYTES + 40 * SWARM_OP_BYTES);
    assert_int_equal(program.op_count, 40);
    for (uint32_t i = 0; i < program.op_count; i++) {
        const struct op *op = &program.ops[i];
        assert_int_equal(op->kind, OP_ALLOC_PAGES);
        assert_int_equal(op->slot, i);
        assert_int_equal(op->gfp, GFP_KERNEL);
        assert_true(op->a == 0 && op->count == 1);
    }
}

static void a_shorter_string_is_a_prefix(void **state)
{
    (void)state;
    uint64_t random = 4;
    for (unsigned i = 0; i < 2000; i++) {
        size_t length = random_string(&random, i & 1);
        program_decode(&program, bytes, length);
        program_decode(&again, bytes, SWARM_HEAD_BYTES + random_next(&random) % (length - SWARM_HEAD_BYTES + 1));
        assert_true(again.op_count <= program.op_count);
        assert_memory_equal(program.ops, again.ops, again.op_count * sizeof *again.ops);
    }
}

static void every_kernel_operation_occurs(void **state)
{
    (void)state;
    uint64_t random = 2, machines = 0, scattered = 0;
    unsigned met[OP_KINDS] = {0};
    for (unsigned i = 0; i < 3000; i++) {
        size_t length = random_string(&random, i & 1);
        bytes[4] |= SWARM_GROUPS;
        program_decode(&program, bytes, length);
        for (uint32_t k = 0; k < program.op_count; k++) met[program.ops[k].kind]++;
        machines |= UINT64_C(1) << program.heap.machine;
        scattered += program.heap.scatter;
    }
    for (int kind = OP_KERNEL_FIRST; kind < OP_KINDS; kind++)
        if (met[kind] < 20) fail_msg("%s occurs %u times", op_name((enum op_kind)kind), met[kind]);
    assert_int_equal(machines, (1u << MACHINE_TINY) - 1); /* which is for explore */
    assert_true(scattered > 0);
    assert_true(met[OP_REPEAT] > 0 && met[OP_CHECK] > 0);
}

/* Whose operation it is; the groups in the order of enum swarm_group. */
static unsigned group_of(enum op_kind kind)
{
    if (kind == OP_RUN_DEFERRED || kind == OP_PURGE) return SWARM_VMALLOC;
    if (kind < OP_KERNEL_FIRST || kind > OP_POOL_DESTROY || kind == OP_DROPPABLE) return 0;
    if (kind < OP_CACHE_CREATE) return SWARM_PAGES;
    if (kind < OP_KMALLOC) return SWARM_CACHES;
    if (kind < OP_VMALLOC) return SWARM_KMALLOC;
    return kind < OP_POOL_CREATE ? SWARM_VMALLOC : SWARM_POOLS;
}

static void only_what_is_offered_occurs(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (unsigned i = 0; i < 3000; i++) {
        size_t length = random_string(&random, false);
        unsigned offered = 1u << i % 5, allowed = offered;
        bytes[4] = (unsigned char)offered;
        bytes[8] &= 0xcf; /* without reclaim, whose blocks are pages */
        program_decode(&program, bytes, length);
        for (uint32_t k = 0; k < program.op_count; k++) {
            unsigned group = group_of((enum op_kind)program.ops[k].kind);
            if (group & ~allowed) fail_msg("%s, of %x", op_name((enum op_kind)program.ops[k].kind), offered);
        }
    }
}

/* ---- Legality ------------------------------------------------------------------------------------------------------------ */

enum { EMPTY, BLOCK, OBJECT, KMALLOC, AREA, ALIAS, EITHER, ELEMENT };

static struct world {
    uint8_t holds[PROGRAM_SLOTS], number[PROGRAM_SLOTS];
    int pins[PROGRAM_SLOTS], refs[PROGRAM_SLOTS], kmaps[PROGRAM_SLOTS];
    bool put_only[PROGRAM_SLOTS], split[PROGRAM_SLOTS], compound[PROGRAM_SLOTS];
    uint16_t source[PROGRAM_SLOTS];
    uint64_t kmapped[PROGRAM_SLOTS]; /* which frame, while there are kmaps */
    bool cache[PROGRAM_CACHES], constructed[PROGRAM_CACHES], pool[PROGRAM_CACHES];
    unsigned order[PROGRAM_SLOTS], pool_cache[PROGRAM_CACHES];
    unsigned context, scopes, locals;
    uint16_t local[64];
    uint64_t random;
    unsigned failing; /* of 256 requests */
} w;

#define LEGAL(condition)                                                                                    \
    do {                                                                                                    \
        if (!(condition)) {                                                                                 \
            program_print_op(op, text, sizeof text);                                                        \
            fail_msg("operation %u is not legal: %s (%s)", (unsigned)(op - program.ops), text, #condition); \
        }                                                                                                   \
    } while (0)

static void check_mask(const struct op *op)
{
    const uint32_t zones = op->gfp & (GFP_BIT_DMA | GFP_BIT_DMA32 | GFP_BIT_HIGHMEM);
    const bool area = op->kind == OP_VMALLOC_GFP || op->kind == OP_VREALLOC; /* zones are taken away (B93) */
    LEGAL(area || (zones & (zones - 1)) == 0);
    LEGAL(area || !(op->gfp & GFP_BIT_MOVABLE && op->gfp & GFP_BIT_RECLAIMABLE));
    LEGAL(!(op->gfp & GFP_BIT_DIRECT) || w.context == CONTEXT_TASK);
    LEGAL(!(op->gfp & GFP_BIT_NOFAIL) || op->gfp & GFP_BIT_DIRECT);
    if (op->kind >= OP_VMALLOC && !area) LEGAL(!(op->gfp & (GFP_BIT_HIGHMEM | GFP_BIT_DMA32)));
    if (op->kind == OP_POOL_ALLOC) LEGAL(!(op->gfp & GFP_BIT_ZERO));
    if (op->kind >= OP_KVMALLOC && op->kind <= OP_KVREALLOC) LEGAL((op->gfp & GFP_KERNEL) == GFP_KERNEL);
}

/* B48's table. */
static void check_context(const struct op *op)
{
    const bool task = w.context == CONTEXT_TASK, interrupt = w.context >= CONTEXT_BH_OFF;
    LEGAL(w.context != CONTEXT_NMI);
    switch ((enum op_kind)op->kind) {
    case OP_CACHE_ALLOC_BULK:
    case OP_CACHE_FREE_BULK: LEGAL(w.context != CONTEXT_IRQS_OFF && w.context != CONTEXT_HARDIRQ); return;
    case OP_VFREE:
    case OP_KVFREE: LEGAL(task || interrupt); return;
    case OP_CACHE_CREATE:
    case OP_CACHE_DESTROY:
    case OP_CACHE_SHRINK:
    case OP_VMALLOC:
    case OP_VZALLOC:
    case OP_VMALLOC_USER:
    case OP_VMALLOC_GFP:
    case OP_VREALLOC:
    case OP_KVMALLOC:
    case OP_KVCALLOC:
    case OP_KVREALLOC:
    case OP_VMAP:
    case OP_VUNMAP:
    case OP_REMAP:
    case OP_KMAP:
    case OP_KUNMAP:
    case OP_POOL_CREATE:
    case OP_POOL_RESIZE:
    case OP_POOL_DESTROY:
    case OP_RUN_DEFERRED:
    case OP_PURGE: LEGAL(task); return;
    default: return;
    }
}

static unsigned living(unsigned holds, uint64_t number)
{
    unsigned count = 0;
    for (unsigned i = 0; i < PROGRAM_SLOTS; i++) count += w.holds[i] == holds && w.number[i] == number;
    return count;
}

static bool fails(void) { return (random_next(&w.random) >> 20 & 255) < w.failing; }

static void take(unsigned slot, unsigned holds, uint64_t number)
{
    if (w.holds[slot] || fails()) return;
    w.holds[slot] = (uint8_t)holds;
    w.number[slot] = (uint8_t)number;
    w.pins[slot] = w.refs[slot] = 0;
    w.put_only[slot] = w.split[slot] = w.compound[slot] = false;
    w.kmaps[slot] = 0;
}

static void take_pages(const struct op *op, unsigned slot)
{
    if (w.holds[slot]) return;
    take(slot, BLOCK, op->kind);
    w.order[slot] = op->kind == OP_GET_ZEROED_PAGE ? 0 : (unsigned)op->a;
    w.compound[slot] = op->gfp & GFP_BIT_COMP && w.order[slot] && op->kind <= OP_GET_ZEROED_PAGE;
}

static void release(const struct op *op, unsigned slot, unsigned holds)
{
    if (!w.holds[slot]) return;
    LEGAL(w.holds[slot] == holds);
    LEGAL(w.pins[slot] == 0 && !w.put_only[slot]);
    if (w.refs[slot]) w.put_only[slot] = true;
    else w.holds[slot] = EMPTY;
}

static void cache_call(const struct op *op, unsigned slot)
{
    const unsigned c = (unsigned)op->a;
    switch ((enum op_kind)op->kind) {
    case OP_CACHE_CREATE:
        LEGAL(!w.cache[c] && PROGRAM_CACHE_SIZE(op->b) >= 1 && PROGRAM_CACHE_SIZE(op->b) <= SLAB_OBJECT_MAX);
        LEGAL((PROGRAM_CACHE_ALIGN(op->b) & (PROGRAM_CACHE_ALIGN(op->b) - 1)) == 0);
        LEGAL(!(PROGRAM_CACHE_FLAGS(op->b) & CACHE_PANIC));
        w.cache[c] = !fails();
        w.constructed[c] = PROGRAM_CACHE_CONSTRUCTOR(op->b);
        return;
    case OP_CACHE_DESTROY:
        LEGAL(!w.cache[c] || living(OBJECT, c) == 0);
        for (unsigned i = 0; i < PROGRAM_CACHES; i++) LEGAL(!w.pool[i] || w.pool_cache[i] != c || !w.cache[c]);
        w.cache[c] = false;
        return;
    case OP_CACHE_FREE:
        release(op, slot, OBJECT);
        LEGAL(w.number[slot] == c || w.holds[slot] == EMPTY);
        return;
    case OP_CACHE_FREE_BULK:
        for (unsigned i = slot; i < slot + op->b; i++)
            if (w.holds[i]) {
                LEGAL(op->a == PROGRAM_CACHES || w.number[i] == c);
                release(op, i, op->a == PROGRAM_CACHES && w.holds[i] == KMALLOC ? KMALLOC : OBJECT);
            }
        return;
    default: break;
    }
    if (!w.cache[c] || op->kind == OP_CACHE_SHRINK) return;
    LEGAL(!w.constructed[c] || (op->kind != OP_CACHE_ZALLOC && !(op->gfp & GFP_BIT_ZERO)));
    for (unsigned i = 0; i < (op->kind == OP_CACHE_ALLOC_BULK ? op->b : 1); i++) take(slot + i, OBJECT, c);
}

static void page_call(const struct op *op, unsigned slot)
{
    switch ((enum op_kind)op->kind) {
    case OP_FREE_PAGES:
        LEGAL(op->a == 0);
        release(op, slot, BLOCK);
        return;
    case OP_KUNMAP_LOCAL:
        if (w.locals) w.pins[w.local[--w.locals]]--;
        return;
    default: break;
    }
    if (!w.holds[slot]) return;
    LEGAL(w.holds[slot] == BLOCK && (op->kind == OP_PUT_PAGE || !w.put_only[slot]));
    switch ((enum op_kind)op->kind) {
    case OP_SPLIT_PAGE:
        /* One page is split into itself: the slot still holds it if the vmap that was to take it over has failed. */
        LEGAL(!w.split[slot] && !w.compound[slot] && !w.refs[slot]);
        w.split[slot] = true;
        return;
    case OP_GET_PAGE: w.refs[slot]++; return;
    case OP_PUT_PAGE:
        LEGAL(w.refs[slot] || w.compound[slot] || !w.order[slot]);
        if (w.refs[slot]) w.refs[slot]--;
        else w.put_only[slot] = true;
        if (w.put_only[slot] && !w.refs[slot]) w.holds[slot] = EMPTY;
        return;
    case OP_KMAP:
        LEGAL(!w.kmaps[slot] || w.kmapped[slot] == op->a);
        w.kmapped[slot] = op->a;
        w.kmaps[slot]++;
        w.pins[slot]++;
        return;
    case OP_KUNMAP:
        LEGAL(w.kmaps[slot] && w.kmapped[slot] == op->a);
        w.kmaps[slot]--;
        w.pins[slot]--;
        return;
    case OP_KMAP_LOCAL:
        LEGAL(w.locals < 64);
        w.local[w.locals++] = (uint16_t)slot;
        w.pins[slot]++;
        return;
    default: LEGAL(w.pins[slot] == 0 && !w.refs[slot]); w.put_only[slot] = true; /* droppable: nobody's business now */
    }
}

static void pool_call(const struct op *op, unsigned slot)
{
    const unsigned m = (unsigned)op->a;
    switch ((enum op_kind)op->kind) {
    case OP_POOL_CREATE:
        LEGAL(!w.pool[m] && PROGRAM_POOL_MIN(op->b) >= 1);
        w.pool_cache[m] = PROGRAM_POOL_KIND(op->b) == POOL_CACHE ? PROGRAM_POOL_SIZE(op->b) : PROGRAM_CACHES;
        if (w.pool_cache[m] < PROGRAM_CACHES) LEGAL(!w.constructed[w.pool_cache[m]]);
        w.pool[m] = !fails() && (w.pool_cache[m] == PROGRAM_CACHES || w.cache[w.pool_cache[m]]);
        return;
    case OP_POOL_DESTROY:
        LEGAL(!w.pool[m] || living(ELEMENT, m) == 0);
        w.pool[m] = false;
        return;
    case OP_POOL_RESIZE: LEGAL(op->b >= 1); return;
    case OP_POOL_FREE: release(op, slot, ELEMENT); return;
    default:
        if (w.pool[m]) take(slot, ELEMENT, m);
    }
}

static void call(const struct op *op, unsigned slot)
{
    const enum op_kind kind = (enum op_kind)op->kind;
    check_context(op);
    check_mask(op);
    if (kind <= OP_ALLOC_PAGES_BULK && kind >= OP_ALLOC_PAGES) take_pages(op, slot);
    else if (kind >= OP_FREE_PAGES && kind <= OP_DROPPABLE) page_call(op, slot);
    else if (kind >= OP_CACHE_CREATE && kind <= OP_CACHE_DESTROY) cache_call(op, slot);
    else if (kind >= OP_KMALLOC && kind <= OP_KREALLOC_ARRAY) take(slot, KMALLOC, 0);
    else if (kind == OP_KFREE && w.holds[slot] == OBJECT) {
        LEGAL(bytes[4] & SWARM_KFREE_CACHED);
        release(op, slot, OBJECT);
    } else if (kind == OP_KFREE || kind == OP_KFREE_SENSITIVE) release(op, slot, KMALLOC);
    else if (kind >= OP_VMALLOC && kind <= OP_VREALLOC) take(slot, AREA, 0);
    else if (kind == OP_VFREE || kind == OP_VFREE_ATOMIC) release(op, slot, AREA);
    else if (kind == OP_VMAP && op->b == 4 && w.holds[op->ref] == BLOCK && !w.holds[slot]) {
        LEGAL(w.pins[op->ref] == 0 && !w.refs[op->ref] && !w.put_only[op->ref]);
        take(slot, AREA, 0);
        if (w.holds[slot]) w.holds[op->ref] = EMPTY;
    } else if (kind == OP_VMAP && w.holds[op->ref] == BLOCK && !w.holds[slot]) {
        LEGAL(!w.put_only[op->ref]);
        take(slot, ALIAS, 0);
        w.source[slot] = op->ref;
        w.pins[op->ref] += w.holds[slot] == ALIAS;
    } else if (kind == OP_VUNMAP) {
        if (w.holds[slot] == ALIAS) w.pins[w.source[slot]]--;
        release(op, slot, ALIAS);
    } else if (kind == OP_KVREALLOC && op->a == 0 && op->a_kind == SIZE_LITERAL) {
        if (w.holds[slot] == AREA) w.holds[slot] = EMPTY; /* gone; an empty slot gets no more than ZERO_SIZE_PTR */
    } else if (kind >= OP_KVMALLOC && kind <= OP_KVREALLOC) take(slot, EITHER, 0);
    else if (kind == OP_KVFREE) release(op, slot, EITHER);
    else if (kind >= OP_POOL_CREATE && kind <= OP_POOL_DESTROY) pool_call(op, slot);
    else if (kind == OP_CONTEXT) w.context = (unsigned)op->a;
    else if (kind == OP_SCOPE) w.scopes++;
    else if (kind == OP_SCOPE_END) {
        LEGAL(w.scopes > 0);
        w.scopes--;
    } else LEGAL(kind != OP_MISUSE && kind != OP_SCRIBBLE);
}

static void run(uint32_t index)
{
    const struct op *op = &program.ops[index];
    for (unsigned i = 0, slot = op->slot; i < op->count; i++, slot = (slot + (unsigned)op->stride) % PROGRAM_SLOTS)
        call(op, slot);
}

static void legal_programs_are_legal(void **state)
{
    (void)state;
    uint64_t random = 7;
    unsigned long calls = 0;
    for (unsigned i = 0; i < 6000; i++) {
        size_t length = random_string(&random, false);
        if (i & 1) bytes[4] |= SWARM_GROUPS;
        program_decode(&program, bytes, length);
        memset(&w, 0, sizeof w);
        w.random = i + 1;
        w.failing = i % 3 == 0 ? 0 : i % 3 == 1 ? 20 : 128;
        for (uint32_t k = 0; k < program.op_count; k++, calls++) {
            const struct op *op = &program.ops[k];
            if (op->kind != OP_REPEAT) run(k);
            else
                for (uint64_t times = 0; times < op->b; times++)
                    for (uint32_t j = k - (uint32_t)op->a; j < k; j++)
                        if (program.ops[j].kind != OP_REPEAT) run(j);
        }
    }
    assert_true(calls > 100000);
}

static void illegal_programs_misuse(void **state)
{
    (void)state;
    uint64_t random = 9;
    unsigned misuses = 0, nmi = 0, pairs = 0, orders = 0;
    for (unsigned i = 0; i < 2000; i++) {
        program_decode(&program, bytes, random_string(&random, true));
        for (uint32_t k = 0; k < program.op_count; k++) {
            const struct op *op = &program.ops[k];
            misuses += op->kind == OP_MISUSE;
            nmi += op->kind == OP_CONTEXT && op->a == CONTEXT_NMI;
            pairs += op->gfp & GFP_BIT_DMA && op->gfp & GFP_BIT_HIGHMEM;
            orders += op->kind == OP_FREE_PAGES && op->a;
        }
    }
    assert_true(misuses > 100 && nmi > 100 && pairs > 100 && orders > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_are_a_canonical_program), cmocka_unit_test(zeros_are_the_simplest_program),
        cmocka_unit_test(a_shorter_string_is_a_prefix),      cmocka_unit_test(every_kernel_operation_occurs),
        cmocka_unit_test(only_what_is_offered_occurs),       cmocka_unit_test(legal_programs_are_legal),
        cmocka_unit_test(illegal_programs_misuse),
    };
    return cmocka_run_group_tests_name("decode_kernel", tests, NULL, NULL);
}
