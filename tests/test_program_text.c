/* test_program_text.c: the text form of programs: each notation, told by hand, and the examples of docs/PROGRAMS.md. */
#include "program_random.h"

#include "kernel.h"

static struct program program;
static char text[PROGRAM_OPS_MAX * 256];

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

/* One operation; `canonical` is how it is printed, NULL if just so. */
struct line_case {
    const char *source, *canonical;
    struct op op;
};

#define A(k, v) .a_kind = SIZE_##k, .a = (uint64_t)(v)
#define B(k, v) .b_kind = SIZE_##k, .b = (uint64_t)(v)

static const struct line_case line_cases[] = {
    {"p0 = malloc 24", NULL, {.kind = OP_MALLOC, .count = 1, A(LITERAL, 24)}},
    {"p0=malloc\t0x18", "p0 = malloc 24", {.kind = OP_MALLOC, .count = 1, A(LITERAL, 24)}},
    {"p8191 = malloc 18446744073709551615", NULL, {.kind = OP_MALLOC, .slot = 8191, .count = 1, A(LITERAL, -1)}},
    {"p0 = malloc MAX", NULL, {.kind = OP_MALLOC, .count = 1, A(TOP, 0)}},
    {"p0 = malloc MAX-3", NULL, {.kind = OP_MALLOC, .count = 1, A(TOP, 3)}},
    {"p0 = malloc HALF+1", NULL, {.kind = OP_MALLOC, .count = 1, A(HALF, 1)}},
    {"p0 = malloc HALF-9223372036854775808", NULL, {.kind = OP_MALLOC, .count = 1, A(HALF, INT64_MIN)}},
    {"p0 = malloc HALF-0x5", "p0 = malloc HALF-5", {.kind = OP_MALLOC, .count = 1, A(HALF, -5)}},
    {"p0 = malloc heap-16", NULL, {.kind = OP_MALLOC, .count = 1, A(HEAP, -16)}},
    {"p0 = malloc heap+0", "p0 = malloc heap", {.kind = OP_MALLOC, .count = 1, A(HEAP, 0)}},
    {"p0 = malloc seen", NULL, {.kind = OP_MALLOC, .count = 1, A(SEEN, 0)}},
    {"p0..p15 = malloc 64 step 16", NULL, {.kind = OP_MALLOC, .count = 16, .stride = 1, .step = 16, A(LITERAL, 64)}},
    {"p0..p30/2 = calloc 3 MAX-5", NULL, {.kind = OP_CALLOC, .count = 16, .stride = 2, A(LITERAL, 3), B(TOP, 5)}},
    {"p0..p1 = calloc 3 step -1 8",
     NULL,
     {.kind = OP_CALLOC, .count = 2, .stride = 1, .step = -1, A(LITERAL, 3), B(LITERAL, 8)}},
    {"p4 = aligned_alloc 64 100",
     NULL,
     {.kind = OP_ALIGNED_ALLOC, .slot = 4, .count = 1, A(LITERAL, 100), B(LITERAL, 64)}},
    {"p5 = posix_memalign 16 seen-8",
     NULL,
     {.kind = OP_POSIX_MEMALIGN, .slot = 5, .count = 1, A(SEEN, -8), B(LITERAL, 16)}},
    {"p5..p6 = memalign usable(p2) usable(p2)-1 step 3",
     NULL,
     {.kind = OP_MEMALIGN, .slot = 5, .ref = 2, .count = 2, .stride = 1, .step = 3, A(USABLE, -1), B(USABLE, 0)}},
    {"realloc p3 usable(p3)+1", NULL, {.kind = OP_REALLOC, .slot = 3, .ref = 3, .count = 1, A(USABLE, 1)}},
    {"reallocarray p3 10 20", NULL, {.kind = OP_REALLOCARRAY, .slot = 3, .count = 1, A(LITERAL, 10), B(LITERAL, 20)}},
    {"free p0", NULL, {.kind = OP_FREE, .count = 1}},
    {"free p7..p7/3", "free p7", {.kind = OP_FREE, .slot = 7, .count = 1}},
    {"free p30..p0/2", NULL, {.kind = OP_FREE, .slot = 30, .count = 16, .stride = -2}},
    {"free p3..p0", NULL, {.kind = OP_FREE, .slot = 3, .count = 4, .stride = -1}},
    {"free p0..p8191/8191", NULL, {.kind = OP_FREE, .count = 2, .stride = 8191}},
    {"free p0..p8191", NULL, {.kind = OP_FREE, .count = 8192, .stride = 1}},
    {"free p0*16+3", "free p0..p45/3", {.kind = OP_FREE, .count = 16, .stride = 3}},
    {"free p8191*2+1", NULL, {.kind = OP_FREE, .slot = 8191, .count = 2, .stride = 1}},
    {"free p5*3-4", NULL, {.kind = OP_FREE, .slot = 5, .count = 3, .stride = -4}},
    {"free p5*8192+0", NULL, {.kind = OP_FREE, .slot = 5, .count = 8192}},
    {"free p5*2-32768", NULL, {.kind = OP_FREE, .slot = 5, .count = 2, .stride = INT16_MIN}},
    {"usable_size p1", NULL, {.kind = OP_USABLE_SIZE, .slot = 1, .count = 1}},
    {"free_sized p1", NULL, {.kind = OP_FREE_SIZED, .slot = 1, .count = 1}},
    {"free_aligned_sized p1", NULL, {.kind = OP_FREE_ALIGNED_SIZED, .slot = 1, .count = 1}},
    {"write p1", NULL, {.kind = OP_WRITE, .slot = 1, .count = 1}},
    {"free_null", NULL, {.kind = OP_FREE_NULL, .count = 1}},
    {"check", NULL, {.kind = OP_CHECK, .count = 1}},
    {"repeat 3 x 10", NULL, {.kind = OP_REPEAT, .count = 1, A(LITERAL, 3), B(LITERAL, 10)}},
    {"fail 2", NULL, {.kind = OP_FAIL, .count = 1, A(LITERAL, 2)}},
    {"fail 2 and 5", NULL, {.kind = OP_FAIL, .count = 1, A(LITERAL, 2), B(LITERAL, 5)}},
    {"foreign_sbrk 4096", NULL, {.kind = OP_FOREIGN_SBRK, .count = 1, A(LITERAL, 4096)}},
    {"frame_push", NULL, {.kind = OP_FRAME_PUSH, .count = 1}},
    {"frame_pop", NULL, {.kind = OP_FRAME_POP, .count = 1}},
    {"sbrk -16", NULL, {.kind = OP_SBRK, .count = 1, A(LITERAL, -16)}},
    {"sbrk +0x10", "sbrk 16", {.kind = OP_SBRK, .count = 1, A(LITERAL, 16)}},
    {"sbrk -9223372036854775808", NULL, {.kind = OP_SBRK, .count = 1, A(LITERAL, INT64_MIN)}},
    {"sbrk heap+1", NULL, {.kind = OP_SBRK, .count = 1, A(HEAP, 1)}},
    {"brk 4096", NULL, {.kind = OP_BRK, .count = 1, A(LITERAL, 4096)}},
    {"p1 = mmap 4096 flags 0x22", NULL, {.kind = OP_MMAP, .slot = 1, .count = 1, A(LITERAL, 4096), B(LITERAL, 0x22)}},
    {"p1 = mmap 1 flags 0", "p1 = mmap 1 flags 0x0", {.kind = OP_MMAP, .slot = 1, .count = 1, A(LITERAL, 1)}},
    {"munmap p1 4096 at 8192", NULL, {.kind = OP_MUNMAP, .slot = 1, .count = 1, A(LITERAL, 4096), B(LITERAL, 8192)}},
    {"map_store p1 at 100 value 7",
     NULL,
     {.kind = OP_MAP_STORE, .slot = 1, .count = 1, A(LITERAL, 100), B(LITERAL, 7)}},
    {"map_store p1..p2 at 0 step 8 value 7",
     NULL,
     {.kind = OP_MAP_STORE, .slot = 1, .count = 2, .stride = 1, .step = 8, B(LITERAL, 7)}},
    {"file_store 1 at 100", NULL, {.kind = OP_FILE_STORE, .count = 1, A(LITERAL, 100), B(LITERAL, 1)}},
    {"double_free p2", NULL, {.kind = OP_DOUBLE_FREE, .slot = 2, .count = 1}},
    {"interior_free p2 8", NULL, {.kind = OP_INTERIOR_FREE, .slot = 2, .count = 1, A(LITERAL, 8)}},
    {"foreign_free", NULL, {.kind = OP_FOREIGN_FREE, .count = 1}},
    {"wrong_size_free p2 -1", NULL, {.kind = OP_WRONG_SIZE_FREE, .slot = 2, .count = 1, A(LITERAL, -1)}},
    {"write_after_free p2", NULL, {.kind = OP_WRITE_AFTER_FREE, .slot = 2, .count = 1}},
};

static const struct line_case kernel_cases[] = {
    {"p0 = alloc_pages 3 gfp KERNEL|ZERO",
     NULL,
     {.kind = OP_ALLOC_PAGES, .count = 1, .a = 3, .gfp = GFP_KERNEL | GFP_BIT_ZERO}},
    {"p0..p3 = alloc_pages 0 gfp ATOMIC", NULL, {.kind = OP_ALLOC_PAGES, .count = 4, .stride = 1, .gfp = GFP_ATOMIC}},
    {"p0 = get_free_pages 10 gfp DMA|IO|DIRECT|KSWAPD|FS",
     "p0 = get_free_pages 10 gfp KERNEL|DMA",
     {.kind = OP_GET_FREE_PAGES, .count = 1, .a = 10, .gfp = GFP_KERNEL | GFP_DMA}},
    {"p0 = get_zeroed_page gfp 0", NULL, {.kind = OP_GET_ZEROED_PAGE, .count = 1}},
    {"p0 = alloc_pages_exact 5000 gfp USER",
     NULL,
     {.kind = OP_ALLOC_PAGES_EXACT, .count = 1, .a = 5000, .gfp = GFP_USER}},
    {"p0 = alloc_pages_bulk 512 gfp HIGHUSER_MOVABLE",
     NULL,
     {.kind = OP_ALLOC_PAGES_BULK, .count = 1, .a = 512, .gfp = GFP_HIGHUSER_MOVABLE}},
    {"free_pages p0..p6/2", NULL, {.kind = OP_FREE_PAGES, .count = 4, .stride = 2}},
    {"free_pages p0 order_off 2", NULL, {.kind = OP_FREE_PAGES, .count = 1, .a = 2}},
    {"free_pages p0 order_off 0", "free_pages p0", {.kind = OP_FREE_PAGES, .count = 1}},
    {"split_page p1", NULL, {.kind = OP_SPLIT_PAGE, .slot = 1, .count = 1}},
    {"get_page p1", NULL, {.kind = OP_GET_PAGE, .slot = 1, .count = 1}},
    {"put_page p1", NULL, {.kind = OP_PUT_PAGE, .slot = 1, .count = 1}},
    {"kmap p1", NULL, {.kind = OP_KMAP, .slot = 1, .count = 1}},
    {"kunmap p1 frame 3", NULL, {.kind = OP_KUNMAP, .slot = 1, .count = 1, .a = 3}},
    {"kmap_local p1 frame 65535", NULL, {.kind = OP_KMAP_LOCAL, .slot = 1, .count = 1, .a = 65535}},
    {"kunmap_local", NULL, {.kind = OP_KUNMAP_LOCAL, .count = 1}},
    {"droppable p1 victim", NULL, {.kind = OP_DROPPABLE, .slot = 1, .count = 1, .a = 3}},
    {"cache_create c2 size 192",
     NULL,
     {.kind = OP_CACHE_CREATE, .count = 1, .a = 2, .b = PROGRAM_CACHE_ARGS(192, 0, 0, false)}},
    {"cache_create c2 size 192 align 64 flags POISON|HWCACHE_ALIGN constructor",
     "cache_create c2 size 192 align 64 flags HWCACHE_ALIGN|POISON constructor",
     {.kind = OP_CACHE_CREATE,
      .count = 1,
      .a = 2,
      .b = PROGRAM_CACHE_ARGS(192, 64, CACHE_HWCACHE_ALIGN | CACHE_POISON, true)}},
    {"p1 = cache_alloc c2 gfp ATOMIC",
     NULL,
     {.kind = OP_CACHE_ALLOC, .slot = 1, .count = 1, .a = 2, .gfp = GFP_ATOMIC}},
    {"p1 = cache_zalloc c15 gfp NOWAIT|ACCOUNT",
     NULL,
     {.kind = OP_CACHE_ZALLOC, .slot = 1, .count = 1, .a = 15, .gfp = GFP_NOWAIT | GFP_BIT_ACCOUNT}},
    {"p1 = cache_alloc_bulk c0 count 8 gfp RECLAIM",
     "p1 = cache_alloc_bulk c0 count 8 gfp NOIO",
     {.kind = OP_CACHE_ALLOC_BULK, .slot = 1, .count = 1, .b = 8, .gfp = GFP_NOIO}},
    {"cache_free p1 c2", NULL, {.kind = OP_CACHE_FREE, .slot = 1, .count = 1, .a = 2}},
    {"cache_free_bulk p1 c2 count 8", NULL, {.kind = OP_CACHE_FREE_BULK, .slot = 1, .count = 1, .a = 2, .b = 8}},
    {"cache_free_bulk p1 any count 0", NULL, {.kind = OP_CACHE_FREE_BULK, .slot = 1, .count = 1, .a = PROGRAM_CACHES}},
    {"cache_shrink c2", NULL, {.kind = OP_CACHE_SHRINK, .count = 1, .a = 2}},
    {"cache_destroy c2", NULL, {.kind = OP_CACHE_DESTROY, .count = 1, .a = 2}},
    {"p0 = kmalloc 8193 gfp NOFS|NOFAIL",
     NULL,
     {.kind = OP_KMALLOC, .count = 1, A(LITERAL, 8193), .gfp = GFP_NOFS | GFP_BIT_NOFAIL}},
    {"p0 = kzalloc MAX gfp KERNEL", NULL, {.kind = OP_KZALLOC, .count = 1, A(TOP, 0), .gfp = GFP_KERNEL}},
    {"p0 = kcalloc 3 16 gfp KERNEL",
     NULL,
     {.kind = OP_KCALLOC, .count = 1, A(LITERAL, 3), B(LITERAL, 16), .gfp = GFP_KERNEL}},
    {"p0 = kmalloc_array 3 MAX-1 gfp KERNEL",
     NULL,
     {.kind = OP_KMALLOC_ARRAY, .count = 1, A(LITERAL, 3), B(TOP, 1), .gfp = GFP_KERNEL}},
    {"krealloc p0 usable(p0)+1 gfp KERNEL", NULL, {.kind = OP_KREALLOC, .count = 1, A(USABLE, 1), .gfp = GFP_KERNEL}},
    {"krealloc_array p0 3 16 gfp KERNEL",
     NULL,
     {.kind = OP_KREALLOC_ARRAY, .count = 1, A(LITERAL, 3), B(LITERAL, 16), .gfp = GFP_KERNEL}},
    {"kfree p0", NULL, {.kind = OP_KFREE, .count = 1}},
    {"kfree_sensitive p0", NULL, {.kind = OP_KFREE_SENSITIVE, .count = 1}},
    {"p0 = vmalloc 8192", NULL, {.kind = OP_VMALLOC, .count = 1, A(LITERAL, 8192)}},
    {"p0 = vzalloc 1", NULL, {.kind = OP_VZALLOC, .count = 1, A(LITERAL, 1)}},
    {"p0 = vmalloc_user 1", NULL, {.kind = OP_VMALLOC_USER, .count = 1, A(LITERAL, 1)}},
    {"p0 = vmalloc_gfp 1 gfp NOIO", NULL, {.kind = OP_VMALLOC_GFP, .count = 1, A(LITERAL, 1), .gfp = GFP_NOIO}},
    {"p0 = vmalloc_gfp 1 align 16384 gfp NOIO",
     NULL,
     {.kind = OP_VMALLOC_GFP, .count = 1, A(LITERAL, 1), B(LITERAL, 16384), .gfp = GFP_NOIO}},
    {"vrealloc p0 8193 align 8192 gfp KERNEL",
     NULL,
     {.kind = OP_VREALLOC, .count = 1, A(LITERAL, 8193), B(LITERAL, 8192), .gfp = GFP_KERNEL}},
    {"vrealloc p0 8193 gfp KERNEL", NULL, {.kind = OP_VREALLOC, .count = 1, A(LITERAL, 8193), .gfp = GFP_KERNEL}},
    {"vfree p0", NULL, {.kind = OP_VFREE, .count = 1}},
    {"vfree_atomic p0", NULL, {.kind = OP_VFREE_ATOMIC, .count = 1}},
    {"p4 = vmap p3 forward", NULL, {.kind = OP_VMAP, .slot = 4, .ref = 3, .count = 1}},
    {"p4 = vmap p3 pages 8 reverse", NULL, {.kind = OP_VMAP, .slot = 4, .ref = 3, .count = 1, .a = 8, .b = 1}},
    {"vunmap p4", NULL, {.kind = OP_VUNMAP, .slot = 4, .count = 1}},
    {"remap p4 at 0 pages 3", NULL, {.kind = OP_REMAP, .slot = 4, .count = 1, .b = 3}},
    {"p0 = kvmalloc 8193 gfp KERNEL", NULL, {.kind = OP_KVMALLOC, .count = 1, A(LITERAL, 8193), .gfp = GFP_KERNEL}},
    {"p0 = kvcalloc 3 16 gfp KERNEL",
     NULL,
     {.kind = OP_KVCALLOC, .count = 1, A(LITERAL, 3), B(LITERAL, 16), .gfp = GFP_KERNEL}},
    {"kvrealloc p0 100 gfp KERNEL", NULL, {.kind = OP_KVREALLOC, .count = 1, A(LITERAL, 100), .gfp = GFP_KERNEL}},
    {"kvfree p0", NULL, {.kind = OP_KVFREE, .count = 1}},
    {"pool_create m0 kmalloc size 100 min 4",
     NULL,
     {.kind = OP_POOL_CREATE, .count = 1, .b = PROGRAM_POOL_ARGS(POOL_KMALLOC, 4, 100)}},
    {"pool_create m15 cache c3 min 1",
     NULL,
     {.kind = OP_POOL_CREATE, .count = 1, .a = 15, .b = PROGRAM_POOL_ARGS(POOL_CACHE, 1, 3)}},
    {"pool_create m1 pages order 2 min 65535",
     NULL,
     {.kind = OP_POOL_CREATE, .count = 1, .a = 1, .b = PROGRAM_POOL_ARGS(POOL_PAGES, 65535, 2)}},
    {"p0 = pool_alloc m1 gfp KERNEL", NULL, {.kind = OP_POOL_ALLOC, .count = 1, .a = 1, .gfp = GFP_KERNEL}},
    {"pool_free p0", NULL, {.kind = OP_POOL_FREE, .count = 1}},
    {"pool_resize m1 min 8", NULL, {.kind = OP_POOL_RESIZE, .count = 1, .a = 1, .b = 8}},
    {"pool_destroy m1", NULL, {.kind = OP_POOL_DESTROY, .count = 1, .a = 1}},
    {"context spinlock", NULL, {.kind = OP_CONTEXT, .count = 1, .a = CONTEXT_SPINLOCK}},
    {"context nmi", NULL, {.kind = OP_CONTEXT, .count = 1, .a = CONTEXT_NMI}},
    {"scope noreclaim", NULL, {.kind = OP_SCOPE, .count = 1, .a = 2}},
    {"scope_end", NULL, {.kind = OP_SCOPE_END, .count = 1}},
    {"inject failslab 3", NULL, {.kind = OP_INJECT, .count = 1, .a = FAULT_SLAB, .b = 3}},
    {"inject fail_map 65535", NULL, {.kind = OP_INJECT, .count = 1, .a = FAULT_MAP, .b = 65535}},
    {"inject failslab_filtered 1", NULL, {.kind = OP_INJECT, .count = 1, .a = FAULT_FILTERED, .b = 1}},
    {"run_deferred", NULL, {.kind = OP_RUN_DEFERRED, .count = 1}},
    {"purge", NULL, {.kind = OP_PURGE, .count = 1}},
    {"kswapd", NULL, {.kind = OP_KSWAPD, .count = 1}},
    {"misuse p3 double_free", NULL, {.kind = OP_MISUSE, .slot = 3, .count = 1}},
    {"scribble p3 before", NULL, {.kind = OP_SCRIBBLE, .slot = 3, .count = 1, .a = 1}},
};

static void read_and_print(const struct line_case *cases, size_t count, bool met[OP_KINDS])
{
    for (const struct line_case *c = cases; c < cases + count; c++) {
        int length = snprintf(text, sizeof text, "assay 1\n%s", c->source);
        parse_good(&program, text, (size_t)length);
        assert_int_equal(program.op_count, 1);
        assert_memory_equal(&program.ops[0], &c->op, sizeof c->op);
        assert_normal(&program);
        size_t printed = program_print_op(&c->op, text, sizeof text);
        assert_int_equal(printed, strlen(text));
        assert_string_equal(text, c->canonical != NULL ? c->canonical : c->source);
        met[c->op.kind] = true;
    }
}

static void every_line_reads_and_prints(void **state)
{
    (void)state;
    bool met[OP_KINDS] = {false};
    read_and_print(line_cases, sizeof line_cases / sizeof *line_cases, met);
    read_and_print(kernel_cases, sizeof kernel_cases / sizeof *kernel_cases, met);
    for (int kind = 0; kind < OP_KINDS; kind++) assert_true(met[kind]);
}

static void gfp_masks_print_by_name(void **state)
{
    (void)state;
    const struct {
        uint32_t gfp;
        const char *name;
    } masks[] = {
        {0, "0"},
        {GFP_KERNEL, "KERNEL"},
        {GFP_KERNEL & ~(uint32_t)GFP_BIT_KSWAPD, "IO|FS|DIRECT"},
        {GFP_ATOMIC | GFP_BIT_DIRECT, "NOIO|HIGH"},
        {GFP_HIGHUSER & ~(uint32_t)GFP_BIT_HARDWALL, "KERNEL|HIGHMEM"},
        {GFP_NOWAIT | GFP_BIT_HIGH, "ATOMIC|NOWARN"},
        {~(uint32_t)GFP_BITS, "0"},
    };
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        assert_int_equal(program_print_gfp(masks[i].gfp, text, sizeof text), strlen(masks[i].name));
        assert_string_equal(text, masks[i].name);
    }
}

static void heap_line_reads_and_prints(void **state)
{
    (void)state;
    static const char line[] = "heap size=68719476736 dirty=a5 place=low fence=pages course=free_cost seed=7 fail=3 "
                               "machine=smap scatter=yes";
    int length = snprintf(text, sizeof text, "assay 1\n%s\n", line);
    parse_good(&program, text, (size_t)length);
    assert_true(program.heap.size == PROGRAM_HEAP_MAX);
    assert_int_equal(program.heap.dirty, DIRTY_A5);
    assert_int_equal(program.heap.place, PLACE_LOW);
    assert_int_equal(program.heap.fence, FENCE_PAGES);
    assert_int_equal(program.heap.course, COURSE_FREE_COST);
    assert_int_equal(program.heap.seed, 7);
    assert_int_equal(program.heap.fail, 3);
    assert_int_equal(program.heap.machine, MACHINE_SMAP);
    assert_int_equal(program.heap.scatter, 1);
    assert_int_equal(program_print_heap(&program.heap, text, sizeof text), sizeof line - 1);
    assert_string_equal(text, line);

    static const char shuffled[] = "assay 1\nheap fail=1 dirty=zero size=0x10";
    parse_good(&program, shuffled, sizeof shuffled - 1);
    program_print_heap(&program.heap, text, sizeof text);
    assert_string_equal(text, "heap size=16 fail=1");

    static const char two[] = "assay 1\nheap size=16 fail=9,4294967295 course=recover";
    parse_good(&program, two, sizeof two - 1);
    assert_int_equal(program.heap.fail, 9);
    assert_true(program.heap.fail_also == UINT32_MAX);
    program_print_heap(&program.heap, text, sizeof text);
    assert_string_equal(text, "heap size=16 course=recover fail=9,4294967295");
}

static void blanks_comments_and_line_ends_do_not_matter(void **state)
{
    (void)state;
    static const char loose[] = "# a program\r\n\r\n \tassay\t1 # version\r\nheap\r\n\n"
                                "  check#now\r\n\t\r\nfree_null  \r";
    parse_good(&program, loose, sizeof loose - 1);
    program_print(&program, text, sizeof text);
    assert_string_equal(text, "assay 1\nheap size=8192\ncheck\nfree_null\n");
}

static void print_is_cut_as_snprintf(void **state)
{
    (void)state;
    static const char source[] =
        "assay 1\nheap dirty=a5 seed=7 machine=s4\np1..p5 = calloc HALF-2 step -3 usable(p7)\n"
        "cache_create c1 size 9 flags POISON\np0 = vmap p1 reverse\nkrealloc p0 1 gfp KERNEL|ZERO";
    parse_good(&program, source, sizeof source - 1);
    size_t length = program_print(&program, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_int_equal(program_print(&program, NULL, 0), length);
    for (size_t size = 1; size <= length + 1; size++) {
        char *cut = malloc(size);
        assert_int_equal(program_print(&program, cut, size), length);
        assert_int_equal(strlen(cut), size - 1);
        assert_memory_equal(cut, text, size - 1);
        free(cut);
    }
}

/* ---- Mutations --------------------------------------------------------------------------------------------------- */

/* Whatever has been done to a good text, it is either a normal program or an error within the text. */
static void mutated_text_is_program_or_error(void **state)
{
    (void)state;
    uint64_t random = 0xfeed;
    for (unsigned i = 0; i < 50000; i++) {
        random_program(&random, &program);
        if (program.op_count > 12) program.op_count = 12;
        size_t length = program_print(&program, text, sizeof text);
        for (unsigned n = (unsigned)(random_next(&random) % 4); n > 0; n--) {
            static const char alphabet[] = "\n\r\t #=.*/+-()xp0918asy_\0\xff";
            size_t at = random_next(&random) % length;
            if (random_next(&random) % 2) text[at] = alphabet[random_next(&random) % (sizeof alphabet - 1)];
            else length = at + 1;
        }
        char *exact = malloc(length);
        struct parse_error error = {0};
        memcpy(exact, text, length);
        if (program_parse(&program, exact, length, &error)) {
            assert_normal(&program);
        } else {
            assert_true(error.line >= 1 && error.column >= 1 && error.column <= length + 1);
            assert_true(strncmp(error.message, "expected ", 9) == 0);
            for (const char *m = error.message; *m != '\0'; m++) assert_in_range(*m, 32, 126);
        }
        free(exact);
    }
}

/* ---- Documentation ----------------------------------------------------------------------------------------------- */

/* docs/PROGRAMS.md beside this file's folder: every block that is fenced as "ops" is a program, and together they show
 * every operation. */
static void documented_examples_are_programs(void **state)
{
    (void)state;
    static char page[1 << 16];
    bool met[OP_KINDS] = {false};
    const char *slash = strrchr(__FILE__, '/');
    snprintf(text, sizeof text, "%.*s/../docs/PROGRAMS.md", slash != NULL ? (int)(slash - __FILE__) : 1,
             slash != NULL ? __FILE__ : ".");
    FILE *file = fopen(text, "r");
    if (file == NULL) skip();
    size_t length = fread(page, 1, sizeof page - 1, file);
    fclose(file);
    page[length] = '\0';
    for (char *block = page; (block = strstr(block, "```ops\n")) != NULL;) {
        block += strlen("```ops\n");
        char *end = strstr(block, "```");
        assert_non_null(end);
        parse_good(&program, block, (size_t)(end - block));
        for (uint32_t i = 0; i < program.op_count; i++) met[program.ops[i].kind] = true;
        block = end + 3;
    }
    for (int kind = 0; kind < OP_KINDS; kind++)
        if (!met[kind]) fail_msg("no example of %s", op_name((enum op_kind)kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_reads_and_prints),
        cmocka_unit_test(gfp_masks_print_by_name),
        cmocka_unit_test(heap_line_reads_and_prints),
        cmocka_unit_test(blanks_comments_and_line_ends_do_not_matter),
        cmocka_unit_test(print_is_cut_as_snprintf),
        cmocka_unit_test(mutated_text_is_program_or_error),
        cmocka_unit_test(documented_examples_are_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
