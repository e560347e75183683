/* test_mutate.c: whatever is mutated stays a program of its form and within its bound, by its seed alone. */
#include "mutate.h"

#include "encode.h"
#include "program_random.h"

#define ROUNDS 3000u
#define ROOM 2048u

static struct program program, again;
static unsigned char encoded[PROGRAM_BYTES_MAX];

enum form { FORM_HEAP, FORM_KERNEL, FORM_LITERAL, FORM_TEXT, FORMS };

/* A program of this form, of at most `max` bytes, in `bytes`; its length. */
static size_t some_program(uint64_t *state, enum form form, unsigned char *bytes, size_t max)
{
    size_t length = random_next(state) % (max + 1);
    if (form == FORM_HEAP || form == FORM_KERNEL) {
        random_fill(state, bytes, length);
        if (length && bytes[0] == SWARM_KERNEL[0]) bytes[0] = 0;
        if (form == FORM_KERNEL && length >= 4) memcpy(bytes, SWARM_KERNEL, 4);
        return length;
    }
    do {
        random_program(state, &program);
        program_normalise(&program);
        length = program_encode(&program, encoded);
        if (form == FORM_TEXT) length = program_print(&program, NULL, 0);
    } while (length >= max);
    if (form == FORM_TEXT) program_print(&program, (char *)bytes, max);
    else memcpy(bytes, encoded, length);
    return length;
}

static enum form form_of(const unsigned char *bytes, size_t length)
{
    if (length >= 4 && memcmp(bytes, PROGRAM_MAGIC, 4) == 0) return FORM_LITERAL;
    return swarm_is_kernel(bytes, length) ? FORM_KERNEL : FORM_HEAP;
}

/* Mutants decode, and so does what is written of them. */
static void assert_program(const unsigned char *bytes, size_t length)
{
    program_decode(&program, bytes, length);
    program_decode(&again, encoded, program_encode(&program, encoded));
    assert_true(program_equal(&program, &again));
}

/* Buffers of their exact size, so that a sanitizer sees a byte beyond them. */
static void mutate_once(uint64_t *state, enum form form, enum mutation kind, size_t max)
{
    unsigned char *bytes = malloc(max), *twin = malloc(max);
    assert_non_null(bytes);
    assert_non_null(twin);
    const size_t length = some_program(state, form, bytes, max);
    memcpy(twin, bytes, length);
    const uint64_t seed = random_next(state);
    const enum form was = form_of(bytes, length);
    size_t made = kind < MUTATIONS ? mutate_by(kind, bytes, length, max, seed) : mutate(bytes, length, max, seed);
    size_t twice = kind < MUTATIONS ? mutate_by(kind, twin, length, max, seed) : mutate(twin, length, max, seed);
    assert_true(made >= 1 && made <= max);
    assert_int_equal(made, twice);
    assert_memory_equal(bytes, twin, made);
    assert_program(bytes, made);
    if (form != FORM_TEXT && kind < MUTATE_RENEW && length >= LITERAL_HEAD_BYTES)
        assert_int_equal(form_of(bytes, made), was);
    free(bytes);
    free(twin);
}

static void every_kind_keeps_bound_form_and_seed(void **unused)
{
    (void)unused;
    uint64_t state = 1;
    for (unsigned form = 0; form < FORMS; form++)
        for (unsigned kind = 0; kind <= MUTATIONS; kind++)
            for (unsigned i = 0; i < ROUNDS / MUTATIONS; i++)
                mutate_once(&state, (enum form)form, (enum mutation)kind,
                            form == FORM_TEXT ? ROOM * 4
                                              : 1 + random_next(&state) % ROOM + (form >= FORM_LITERAL) * ROOM);
}

/* A line of text says in few bytes what takes 32 in the literal form. */
static void text_that_outgrows_its_room_stays_within(void **unused)
{
    static const char text[] = "assay 1\nheap size=256\np0 = malloc 1\nfree p0\np0 = malloc 1\nfree p0\n";
    (void)unused;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        unsigned char *bytes = malloc(sizeof text - 1);
        assert_non_null(bytes);
        memcpy(bytes, text, sizeof text - 1);
        assert_in_range(mutate(bytes, sizeof text - 1, sizeof text - 1, seed), 1, sizeof text - 1);
        free(bytes);
    }
}

static void no_room_is_no_program(void **unused)
{
    unsigned char byte = 7;
    (void)unused;
    assert_int_equal(mutate(&byte, 1, 0, 1), 0);
    assert_int_equal(mutate_by(MUTATE_INSERT, &byte, 0, 0, 1), 0);
    assert_int_equal(byte, 7);
    for (uint64_t seed = 0; seed < 100; seed++) assert_int_equal(mutate(&byte, 1, 1, seed), 1);
}

/* Records 0 to 7, told apart by their first byte. */
static size_t numbered(unsigned char *bytes, size_t head, size_t record)
{
    memset(bytes, 0, head + 8 * record);
    if (record == LITERAL_OP_BYTES) memcpy(bytes, PROGRAM_MAGIC, 4);
    for (size_t i = 0; i < 8; i++) memset(bytes + head + i * record, (int)i + 1, record);
    return head + 8 * record;
}

/* What each kind does, by what it leaves alone: seen often enough among seeds to be no accident. */
static void each_kind_does_what_it_says(void **unused)
{
    static const struct {
        size_t head, record;
    } forms[] = {{SWARM_HEAD_BYTES, SWARM_OP_BYTES}, {LITERAL_HEAD_BYTES, LITERAL_OP_BYTES}};
    unsigned char from[1024], to[1024];
    (void)unused;
    for (unsigned form = 0; form < 2; form++) {
        const size_t head = forms[form].head, record = forms[form].record;
        const size_t length = numbered(from, head, record);
        for (unsigned kind = 0; kind < MUTATE_RENEW; kind++) {
            unsigned changed = 0;
            for (uint64_t seed = 0; seed < 200; seed++) {
                memcpy(to, from, length);
                const size_t made = mutate_by((enum mutation)kind, to, length, sizeof to, seed);
                const bool grows = kind == MUTATE_INSERT || kind == MUTATE_DUPLICATE, shrinks = kind == MUTATE_DELETE;
                assert_true(grows ? made > length : shrinks ? made < length : made == length);
                assert_int_equal((made - head) % record, 0);
                if (kind != MUTATE_GEOMETRY) assert_memory_equal(to, from, head);
                else assert_memory_equal(to + head, from + head, length - head);
                changed += made != length || memcmp(to, from, length) != 0;
            }
            assert_true(changed > 100);
        }
    }
}

static void swapped_records_are_the_same_ones(void **unused)
{
    unsigned char from[256], to[256];
    const size_t length = numbered(from, SWARM_HEAD_BYTES, SWARM_OP_BYTES);
    (void)unused;
    for (uint64_t seed = 0; seed < 100; seed++) {
        unsigned sum = 0, moved = 0;
        memcpy(to, from, length);
        mutate_by(MUTATE_SWAP, to, length, sizeof to, seed);
        for (size_t i = SWARM_HEAD_BYTES; i < length; i++) {
            sum += to[i];
            moved += to[i] != from[i];
        }
        assert_int_equal(sum, 4 * 36);
        assert_int_equal(moved, 8);
    }
}

static void crossing_takes_records_of_both(void **unused)
{
    uint64_t state = 3;
    unsigned char a[ROOM], b[ROOM], out[ROOM], twin[ROOM];
    unsigned both = 0;
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++) {
        const enum form form_a = random_next(&state) % FORMS, form_b = random_next(&state) % FORMS;
        const size_t a_size = some_program(&state, form_a, a, sizeof a);
        const size_t b_size = some_program(&state, form_b, b, sizeof b), max = 1 + random_next(&state) % sizeof out;
        const uint64_t seed = random_next(&state);
        const size_t made = cross_over(a, a_size, b, b_size, out, max, seed);
        assert_true(made <= max);
        assert_int_equal(cross_over(a, a_size, b, b_size, twin, max, seed), made);
        assert_memory_equal(out, twin, made);
        assert_program(out, made);
    }
    const size_t length = numbered(a, SWARM_HEAD_BYTES, SWARM_OP_BYTES);
    memset(b, 0xb0, length);
    for (uint64_t seed = 0; seed < 100; seed++) {
        const size_t made = cross_over(a, length, b, length, out, sizeof out, seed);
        unsigned of_a = 0, of_b = 0;
        for (size_t at = SWARM_HEAD_BYTES; at < made; at += SWARM_OP_BYTES) {
            of_b += out[at] == 0xb0;
            of_a += out[at] < 9;
        }
        assert_int_equal(of_a + of_b, (made - SWARM_HEAD_BYTES) / SWARM_OP_BYTES);
        both += of_a && of_b;
    }
    assert_true(both > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_keeps_bound_form_and_seed),     cmocka_unit_test(no_room_is_no_program),
        cmocka_unit_test(text_that_outgrows_its_room_stays_within), cmocka_unit_test(each_kind_does_what_it_says),
        cmocka_unit_test(swapped_records_are_the_same_ones),        cmocka_unit_test(crossing_takes_records_of_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
