/* program.c: the table of operations, and the bounds that make any content of a struct program a valid one.
 *
 * Fields are bounded by a remainder rather than clamped: a wrong high byte then leaves the low ones in force, so that a
 * mutated program stays near the one that it came from.
 */
#include "encode.h"
#include "kernel.h"

#include <assert.h>
#include <string.h>

#define SIZE                 \
    {                        \
        .form = OPERAND_SIZE \
    }
#define NUMBER                 \
    {                          \
        .form = OPERAND_NUMBER \
    }

#define BELOW(limit_)                             \
    {                                             \
        .form = OPERAND_NUMBER, .limit = (limit_) \
    }
#define LED(lead_, limit_)                                         \
    {                                                              \
        .form = OPERAND_NUMBER, .lead = (lead_), .limit = (limit_) \
    }
#define OPTIONAL(lead_, limit_)                                                      \
    {                                                                                \
        .form = OPERAND_NUMBER, .optional = true, .lead = (lead_), .limit = (limit_) \
    }
#define WORD(words_)                                                                        \
    {                                                                                       \
        .form = OPERAND_WORD, .words = (words_), .limit = sizeof(words_) / sizeof *(words_) \
    }
#define CACHE                                          \
    {                                                  \
        .form = OPERAND_CACHE, .limit = PROGRAM_CACHES \
    }
#define POOL                                          \
    {                                                 \
        .form = OPERAND_POOL, .limit = PROGRAM_CACHES \
    }
#define PAGES (UINT64_C(1) << 16) /* more than any machine has */
#define FRAME OPTIONAL("frame", PAGES)
#define COUNT LED("count", PROGRAM_BULK_MAX + 1)

static const char *const context_words[CONTEXT_KINDS] = {"task",    "spinlock", "irqs_off", "bh_off",
                                                         "softirq", "hardirq",  "nmi"};
static const char *const scope_words[] = {"noio", "nofs", "noreclaim", "pin"};
static const char *const fault_words[FAULTS] = {
    "failslab", "fail_page_alloc", "fail_va", "fail_page_table", "fail_descriptor", "fail_map", "failslab_filtered"};
static const char *const droppable_words[] = {"clean", "io", "fs", "victim"};
static const char *const vmap_words[] = {"forward", "reverse", "same", "second", "put"};
static const char *const misuse_words[MISUSE_KINDS] = {"double_free", "interior", "never"};
static const char *const scribble_words[] = {"behind", "before", "freed"};

const struct op_shape op_shapes[OP_KINDS] = {
    [OP_MALLOC] = {.name = "malloc", .slot = SLOT_RESULT, .a = SIZE},
    [OP_FREE] = {.name = "free", .slot = SLOT_ARGUMENT},
    [OP_REALLOC] = {.name = "realloc", .slot = SLOT_ARGUMENT, .a = SIZE},
    [OP_CALLOC] = {.name = "calloc", .slot = SLOT_RESULT, .a = SIZE, .b = SIZE},
    [OP_ALIGNED_ALLOC] = {.name = "aligned_alloc", .slot = SLOT_RESULT, .b_first = true, .a = SIZE, .b = SIZE},
    [OP_POSIX_MEMALIGN] = {.name = "posix_memalign", .slot = SLOT_RESULT, .b_first = true, .a = SIZE, .b = SIZE},
    [OP_MEMALIGN] = {.name = "memalign", .slot = SLOT_RESULT, .b_first = true, .a = SIZE, .b = SIZE},
    [OP_REALLOCARRAY] = {.name = "reallocarray", .slot = SLOT_ARGUMENT, .a = SIZE, .b = SIZE},
    [OP_USABLE_SIZE] = {.name = "usable_size", .slot = SLOT_ARGUMENT},
    [OP_FREE_SIZED] = {.name = "free_sized", .slot = SLOT_ARGUMENT},
    [OP_FREE_ALIGNED_SIZED] = {.name = "free_aligned_sized", .slot = SLOT_ARGUMENT},
    [OP_WRITE] = {.name = "write", .slot = SLOT_ARGUMENT},
    [OP_FREE_NULL] = {.name = "free_null"},
    [OP_CHECK] = {.name = "check"},
    [OP_REPEAT] = {.name = "repeat", .a = NUMBER, .b = {.form = OPERAND_NUMBER, .lead = "x"}},
    [OP_FAIL] = {.name = "fail", .a = NUMBER, .b = OPTIONAL("and", 0)},
    [OP_FOREIGN_SBRK] = {.name = "foreign_sbrk", .a = SIZE},
    [OP_FRAME_PUSH] = {.name = "frame_push"},
    [OP_FRAME_POP] = {.name = "frame_pop"},
    [OP_SBRK] = {.name = "sbrk", .a = {.form = OPERAND_SIGNED}},
    [OP_BRK] = {.name = "brk", .a = SIZE},
    [OP_MMAP] = {.name = "mmap", .slot = SLOT_RESULT, .a = SIZE, .b = {.form = OPERAND_BITS, .lead = "flags"}},
    [OP_MUNMAP] = {.name = "munmap", .slot = SLOT_ARGUMENT, .a = SIZE, .b = {.form = OPERAND_NUMBER, .lead = "at"}},
    [OP_MAP_STORE] = {.name = "map_store",
                      .slot = SLOT_ARGUMENT,
                      .a = {.form = OPERAND_NUMBER, .lead = "at"},
                      .b = {.form = OPERAND_NUMBER, .lead = "value"}},
    [OP_FILE_STORE] = {.name = "file_store", .b_first = true, .a = {.form = OPERAND_NUMBER, .lead = "at"}, .b = NUMBER},
    [OP_DOUBLE_FREE] = {.name = "double_free", .slot = SLOT_ARGUMENT},
    [OP_INTERIOR_FREE] = {.name = "interior_free", .slot = SLOT_ARGUMENT, .a = SIZE},
    [OP_FOREIGN_FREE] = {.name = "foreign_free"},
    [OP_WRONG_SIZE_FREE] = {.name = "wrong_size_free", .slot = SLOT_ARGUMENT, .a = {.form = OPERAND_NONZERO}},
    [OP_WRITE_AFTER_FREE] = {.name = "write_after_free", .slot = SLOT_ARGUMENT},

    [OP_ALLOC_PAGES] = {.name = "alloc_pages", .slot = SLOT_RESULT, .a = BELOW(PROGRAM_ORDERS), .gfp = true},
    [OP_GET_FREE_PAGES] = {.name = "get_free_pages", .slot = SLOT_RESULT, .a = BELOW(PROGRAM_ORDERS), .gfp = true},
    [OP_GET_ZEROED_PAGE] = {.name = "get_zeroed_page", .slot = SLOT_RESULT, .gfp = true},
    [OP_ALLOC_PAGES_EXACT] = {.name = "alloc_pages_exact", .slot = SLOT_RESULT, .a = SIZE, .gfp = true},
    [OP_ALLOC_PAGES_BULK] = {.name = "alloc_pages_bulk",
                             .slot = SLOT_RESULT,
                             .a = BELOW(PROGRAM_BULK_MAX + 1),
                             .gfp = true},
    [OP_FREE_PAGES] = {.name = "free_pages", .slot = SLOT_ARGUMENT, .a = OPTIONAL("order_off", PROGRAM_ORDERS)},
    [OP_SPLIT_PAGE] = {.name = "split_page", .slot = SLOT_ARGUMENT},
    [OP_GET_PAGE] = {.name = "get_page", .slot = SLOT_ARGUMENT},
    [OP_PUT_PAGE] = {.name = "put_page", .slot = SLOT_ARGUMENT},
    [OP_KMAP] = {.name = "kmap", .slot = SLOT_ARGUMENT, .a = FRAME},
    [OP_KUNMAP] = {.name = "kunmap", .slot = SLOT_ARGUMENT, .a = FRAME},
    [OP_KMAP_LOCAL] = {.name = "kmap_local", .slot = SLOT_ARGUMENT, .a = FRAME},
    [OP_KUNMAP_LOCAL] = {.name = "kunmap_local"},
    [OP_DROPPABLE] = {.name = "droppable", .slot = SLOT_ARGUMENT, .a = WORD(droppable_words)},
    [OP_CACHE_CREATE] = {.name = "cache_create", .a = CACHE, .b = {.form = OPERAND_CACHE_ARGS}},
    [OP_CACHE_ALLOC] = {.name = "cache_alloc", .slot = SLOT_RESULT, .a = CACHE, .gfp = true},
    [OP_CACHE_ZALLOC] = {.name = "cache_zalloc", .slot = SLOT_RESULT, .a = CACHE, .gfp = true},
    [OP_CACHE_ALLOC_BULK] = {.name = "cache_alloc_bulk", .slot = SLOT_RESULT, .a = CACHE, .b = COUNT, .gfp = true},
    [OP_CACHE_FREE] = {.name = "cache_free", .slot = SLOT_ARGUMENT, .a = CACHE},
    [OP_CACHE_FREE_BULK] = {.name = "cache_free_bulk",
                            .slot = SLOT_ARGUMENT,
                            .a = {.form = OPERAND_CACHES, .limit = PROGRAM_CACHES + 1},
                            .b = COUNT},
    [OP_CACHE_SHRINK] = {.name = "cache_shrink", .a = CACHE},
    [OP_CACHE_DESTROY] = {.name = "cache_destroy", .a = CACHE},
    [OP_KMALLOC] = {.name = "kmalloc", .slot = SLOT_RESULT, .a = SIZE, .gfp = true},
    [OP_KZALLOC] = {.name = "kzalloc", .slot = SLOT_RESULT, .a = SIZE, .gfp = true},
    [OP_KCALLOC] = {.name = "kcalloc", .slot = SLOT_RESULT, .a = SIZE, .b = SIZE, .gfp = true},
    [OP_KMALLOC_ARRAY] = {.name = "kmalloc_array", .slot = SLOT_RESULT, .a = SIZE, .b = SIZE, .gfp = true},
    [OP_KREALLOC] = {.name = "krealloc", .slot = SLOT_ARGUMENT, .a = SIZE, .gfp = true},
    [OP_KREALLOC_ARRAY] = {.name = "krealloc_array", .slot = SLOT_ARGUMENT, .a = SIZE, .b = SIZE, .gfp = true},
    [OP_KFREE] = {.name = "kfree", .slot = SLOT_ARGUMENT},
    [OP_KFREE_SENSITIVE] = {.name = "kfree_sensitive", .slot = SLOT_ARGUMENT},
    [OP_VMALLOC] = {.name = "vmalloc", .slot = SLOT_RESULT, .a = SIZE},
    [OP_VZALLOC] = {.name = "vzalloc", .slot = SLOT_RESULT, .a = SIZE},
    [OP_VMALLOC_USER] = {.name = "vmalloc_user", .slot = SLOT_RESULT, .a = SIZE},
    [OP_VMALLOC_GFP] = {.name = "vmalloc_gfp", .slot = SLOT_RESULT, .a = SIZE, .b = OPTIONAL("align", 0), .gfp = true},
    [OP_VREALLOC] = {.name = "vrealloc", .slot = SLOT_ARGUMENT, .a = SIZE, .b = OPTIONAL("align", 0), .gfp = true},
    [OP_VFREE] = {.name = "vfree", .slot = SLOT_ARGUMENT},
    [OP_VFREE_ATOMIC] = {.name = "vfree_atomic", .slot = SLOT_ARGUMENT},
    [OP_VMAP] =
        {.name = "vmap", .slot = SLOT_RESULT, .source = true, .a = OPTIONAL("pages", PAGES), .b = WORD(vmap_words)},
    [OP_VUNMAP] = {.name = "vunmap", .slot = SLOT_ARGUMENT},
    [OP_REMAP] = {.name = "remap", .slot = SLOT_ARGUMENT, .a = LED("at", PAGES), .b = LED("pages", PAGES)},
    [OP_KVMALLOC] = {.name = "kvmalloc", .slot = SLOT_RESULT, .a = SIZE, .gfp = true},
    [OP_KVCALLOC] = {.name = "kvcalloc", .slot = SLOT_RESULT, .a = SIZE, .b = SIZE, .gfp = true},
    [OP_KVREALLOC] = {.name = "kvrealloc", .slot = SLOT_ARGUMENT, .a = SIZE, .gfp = true},
    [OP_KVFREE] = {.name = "kvfree", .slot = SLOT_ARGUMENT, .a = OPTIONAL("sensitive", 2)},
    [OP_POOL_CREATE] = {.name = "pool_create", .a = POOL, .b = {.form = OPERAND_POOL_ARGS}},
    [OP_POOL_ALLOC] = {.name = "pool_alloc", .slot = SLOT_RESULT, .a = POOL, .gfp = true},
    [OP_POOL_FREE] = {.name = "pool_free", .slot = SLOT_ARGUMENT},
    [OP_POOL_RESIZE] = {.name = "pool_resize", .a = POOL, .b = LED("min", UINT16_MAX + 1)},
    [OP_POOL_DESTROY] = {.name = "pool_destroy", .a = POOL},
    [OP_CONTEXT] = {.name = "context", .a = WORD(context_words)},
    [OP_SCOPE] = {.name = "scope", .a = WORD(scope_words)},
    [OP_SCOPE_END] = {.name = "scope_end"},
    [OP_INJECT] = {.name = "inject", .a = WORD(fault_words), .b = BELOW(UINT16_MAX + 1)},
    [OP_RUN_DEFERRED] = {.name = "run_deferred"},
    [OP_PURGE] = {.name = "purge"},
    [OP_KSWAPD] = {.name = "kswapd"},
    [OP_MISUSE] = {.name = "misuse", .slot = SLOT_ARGUMENT, .a = WORD(misuse_words)},
    [OP_SCRIBBLE] = {.name = "scribble", .slot = SLOT_ARGUMENT, .a = WORD(scribble_words)},
};

const char *op_name(enum op_kind kind) { return kind < OP_KINDS ? op_shapes[kind].name : "unknown"; }

void program_clear(struct program *p)
{
    p->heap = (struct heap_geometry){.size = HEAP_SIZE_DEFAULT};
    p->op_count = 0;
}

static void normalise_heap(struct heap_geometry *heap)
{
    if (heap->size == 0) heap->size = HEAP_SIZE_DEFAULT;
    heap->size = (heap->size - 1) % PROGRAM_HEAP_MAX + 1;
    heap->dirty %= DIRTY_KINDS;
    heap->place %= PLACE_KINDS;
    heap->fence %= FENCE_KINDS;
    heap->course %= COURSE_KINDS;
    heap->machine %= MACHINE_CONFIGS;
    heap->scatter &= 1;
    if (heap->fail == 0) {
        heap->fail = heap->fail_also;
        heap->fail_also = 0;
    }
    if (heap->fail_also == heap->fail) heap->fail_also = 0;
}

/* What a pool's elements are says what its size means. */
static uint64_t normal_pool_args(uint64_t b)
{
    unsigned kind = PROGRAM_POOL_KIND(b) <= POOL_PAGES ? PROGRAM_POOL_KIND(b) : POOL_KMALLOC;
    uint32_t size = PROGRAM_POOL_SIZE(b);
    if (kind == POOL_CACHE) size %= PROGRAM_CACHES;
    if (kind == POOL_PAGES) size %= PROGRAM_ORDERS;
    return PROGRAM_POOL_ARGS(kind, PROGRAM_POOL_MIN(b), size);
}

static uint64_t normal_cache_args(uint64_t b)
{
    return PROGRAM_CACHE_ARGS(PROGRAM_CACHE_SIZE(b), PROGRAM_CACHE_ALIGN(b), PROGRAM_CACHE_FLAGS(b),
                              PROGRAM_CACHE_CONSTRUCTOR(b));
}

static void normalise_operand(const struct operand_shape *shape, uint8_t *kind, uint64_t *value)
{
    *kind %= SIZE_KINDS;
    if (shape->form != OPERAND_SIZE && shape->form != OPERAND_SIGNED) *kind = SIZE_LITERAL;
    if (shape->form == OPERAND_NONE) *value = 0;
    if (shape->form == OPERAND_NONZERO && *value == 0) *value = 1;
    if (shape->form == OPERAND_CACHE_ARGS) *value = normal_cache_args(*value);
    if (shape->form == OPERAND_POOL_ARGS) *value = normal_pool_args(*value);
    if (shape->limit) *value %= shape->limit;
}

static void normalise_op(struct op *op)
{
    op->kind %= OP_KINDS;
    op->reserved = 0;
    const struct op_shape *shape = &op_shapes[op->kind];
    normalise_operand(&shape->a, &op->a_kind, &op->a);
    normalise_operand(&shape->b, &op->b_kind, &op->b);

    op->ref %= PROGRAM_SLOTS;
    if (op->a_kind != SIZE_USABLE && op->b_kind != SIZE_USABLE && !shape->source) op->ref = 0;

    op->slot %= PROGRAM_SLOTS;
    if (op->count == 0) op->count = 1;
    op->count = (uint16_t)((op->count - 1u) % PROGRAM_SLOTS + 1);
    if (shape->slot == SLOT_NONE) {
        op->slot = 0;
        op->count = 1;
    }
    if (op->count == 1) op->stride = 0;
    if (op->kind >= OP_KERNEL_FIRST) op->gfp &= shape->gfp ? GFP_BITS : 0;
    else if (op->count == 1 || shape->a.form == OPERAND_NONE) op->step = 0;
}

void program_normalise(struct program *p)
{
    normalise_heap(&p->heap);
    if (p->op_count > PROGRAM_OPS_MAX) p->op_count = PROGRAM_OPS_MAX;
    for (uint32_t i = 0; i < p->op_count; i++) normalise_op(&p->ops[i]);
}

/* struct op has no padding, so its bytes may be compared; struct heap_geometry may have some. */
_Static_assert(offsetof(struct op, b) + sizeof(uint64_t) == sizeof(struct op), "struct op ends with b");

bool program_equal(const struct program *a, const struct program *b)
{
    assert(a->op_count <= PROGRAM_OPS_MAX);
    return a->heap.size == b->heap.size && a->heap.seed == b->heap.seed && a->heap.fail == b->heap.fail &&
           a->heap.fail_also == b->heap.fail_also && a->heap.dirty == b->heap.dirty && a->heap.place == b->heap.place &&
           a->heap.fence == b->heap.fence && a->heap.course == b->heap.course && a->heap.machine == b->heap.machine &&
           a->heap.scatter == b->heap.scatter && a->op_count == b->op_count &&
           memcmp(a->ops, b->ops, a->op_count * sizeof a->ops[0]) == 0;
}
