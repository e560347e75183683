/* test_options.c: the command line, well-formed and not. */
#define _GNU_SOURCE
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORDS_MAX = 16 };

static struct options o;
static char error[512], line[256];
static char *words[WORDS_MAX + 1];

/* Parses a command line of words between spaces; '~' stands for an empty word. */
static int parse(const char *text)
{
    int count = 0;
    snprintf(line, sizeof line, "%s", text);
    for (char *word = strtok(line, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
        words[count++] = strcmp(word, "~") == 0 ? word + 1 : word;
    words[count] = NULL;
    error[0] = '\0';
    return options_parse(&o, count, words, error, sizeof error);
}

#define REFUSED(text, expected)               \
    do {                                      \
        assert_int_equal(parse(text), -1);    \
        assert_string_equal(error, expected); \
    } while (0)

static void defaults_need_no_thought(void **state)
{
    (void)state;
    assert_int_equal(parse("assay check freelist"), 0);
    assert_string_equal(o.verb, "check");
    assert_int_equal(o.operand_count, 1);
    assert_string_equal(o.operands[0], "freelist");
    assert_true(o.seconds == 10 && o.timeout == 1);
    assert_true(o.programs == 0 && o.seed == 1 && o.threads == 1 && o.jobs >= 1);
    assert_true(o.max_size == UINT64_C(1) << 30 && o.memory == 0);
    assert_null(o.prefix);
    assert_null(o.profile);
    assert_null(o.output);
    assert_string_equal(o.out, "assay-out");
    assert_int_equal(o.format, FORMAT_TEXT);
    assert_true(o.machine == 0 && o.mode == MODE_BOTH);
    assert_false(o.quiet || o.all || o.names || o.no_minimize || o.help || o.version);
}

static void fuzz_names_its_engine(void **state)
{
    (void)state;
    assert_int_equal(parse("assay fuzz freelist"), 0);
    assert_true(o.engine == ENGINE_BUILTIN && !o.keep && !o.out_named);
    assert_int_equal(parse("assay fuzz freelist --engine afl --jobs 2 --all --keep --out d --no-minimize"), 0);
    assert_true(o.engine == ENGINE_AFL && o.jobs == 2 && o.all && o.keep && o.out_named && o.no_minimize);
    REFUSED("assay fuzz freelist --engine honggfuzz", "--engine: 'honggfuzz' is not one of builtin, libfuzzer or afl");
    REFUSED("assay check freelist --engine afl", "--engine does not apply to 'check'");
}

static void options_and_operands_in_any_order(void **state)
{
    (void)state;
    assert_int_equal(parse("assay replay --seed=7 a b"), -1); /* replay has no seed */
    assert_int_equal(parse("assay replay --quiet a --timeout 0.5 b --format=json --memory 64M c"), 0);
    assert_int_equal(o.operand_count, 3);
    assert_string_equal(o.operands[0], "a");
    assert_string_equal(o.operands[1], "b");
    assert_string_equal(o.operands[2], "c");
    assert_null(o.operands[3]);
    assert_true(o.quiet && o.timeout == 0.5 && o.format == FORMAT_JSON && o.memory == UINT64_C(64) << 20);
}

static void numbers_up_to_their_bounds(void **state)
{
    (void)state;
    assert_int_equal(parse("assay check x --seed 18446744073709551615 --max-size 64G --jobs 1024 --programs 0x10"), 0);
    assert_true(o.seed == UINT64_MAX && o.max_size == UINT64_C(64) << 30 && o.jobs == 1024 && o.programs == 16);
    assert_int_equal(parse("assay check x --seconds .5 --max-size 3k"), 0);
    assert_true(o.seconds == 0.5 && o.max_size == 3072);
    assert_int_equal(parse("assay check x --machine sodd --mode=illegal"), 0);
    assert_true(o.machine == 3 && o.mode == MODE_ILLEGAL);
}

static void numbers_that_are_none(void **state)
{
    (void)state;
    REFUSED("assay check x --seconds 1x", "--seconds: '1x' is not a number of seconds (0.01 to 86400)");
    REFUSED("assay check x --seconds nan", "--seconds: 'nan' is not a number of seconds (0.01 to 86400)");
    REFUSED("assay check x --seconds -1", "--seconds: '-1' is not a number of seconds (0.01 to 86400)");
    REFUSED("assay check x --seconds 0", "--seconds: '0' is not a number of seconds (0.01 to 86400)");
    REFUSED("assay check x --seconds=", "--seconds: '' is not a number of seconds (0.01 to 86400)");
    REFUSED("assay check x --jobs 1025", "--jobs: '1025' is not a number (1 to 1024)");
    REFUSED("assay check x --jobs 4294967297", "--jobs: '4294967297' is not a number (1 to 1024)");
    REFUSED("assay check x --seed -1", "--seed: '-1' is not a number (0 to 2^64-1)");
    REFUSED("assay check x --seed 18446744073709551616",
            "--seed: '18446744073709551616' is not a number (0 to 2^64-1)");
    REFUSED("assay check x --seed 0x", "--seed: '0x' is not a number (0 to 2^64-1)");
    REFUSED("assay check x --max-size 65G", "--max-size: '65G' is not a number of bytes (1 to 64G)");
    REFUSED("assay check x --max-size 1KB", "--max-size: '1KB' is not a number of bytes (1 to 64G)");
    REFUSED("assay check x --max-size 99999999999999999G",
            "--max-size: '99999999999999999G' is not a number of bytes (1 to 64G)");
    REFUSED("assay check x --memory 1", "--memory: '1' is not a number of bytes (1M to 1024G)");
    REFUSED("assay check x --threads 2", "--threads: '2': only 1 is possible yet");
}

static void wrong_options(void **state)
{
    (void)state;
    REFUSED("assay check x --speed 1", "no option --speed; 'assay check --help' lists them");
    REFUSED("assay check x -x", "no option -x; 'assay check --help' lists them");
    REFUSED("assay --speed", "no option --speed; 'assay --help' lists them");
    REFUSED("assay check x --names", "--names does not apply to 'check'");
    REFUSED("assay list --seed 1", "--seed does not apply to 'list'");
    REFUSED("assay --seed 1 check x", "--seed comes after the verb");
    REFUSED("assay check x --seed", "--seed needs a value: --seed N");
    REFUSED("assay check x --quiet=1", "--quiet takes no value");
    REFUSED("assay check x --out ~", "--out: the value is empty");
    REFUSED("assay check x --format xml", "--format: 'xml' is not one of text, json, junit or sarif");
    REFUSED("assay show x --as pdf", "--as: 'pdf' is not one of text, c or html");
    REFUSED("assay check x --machine s65", "--machine: 's65' is not one of all, s64, s4, sodd or smap");
    REFUSED("assay check x --mode wild", "--mode: 'wild' is not one of both, legal or illegal");
    REFUSED("assay replay x f --machine s4", "--machine does not apply to 'replay'");
    REFUSED("assay check x --seconds 1 --programs 1", "--seconds and --programs exclude each other");
}

static void wrong_verbs_and_operands(void **state)
{
    (void)state;
    REFUSED("assay", "a verb is missing: list, check, fuzz, replay, diff, minimize, show, record, misuse, explore");
    REFUSED("assay chek x", "no verb 'chek'; there are list, check, fuzz, replay, diff, minimize, show, record, misuse, explore");
    REFUSED("assay check", "too few operands: assay check ALLOC");
    REFUSED("assay check x y", "'y' is too much: assay check ALLOC");
    REFUSED("assay list x", "'x' is too much: assay list");
    REFUSED("assay record -o f --", "too few operands: assay record -- COMMAND...");
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    assert_int_equal(parse("assay check -- --seed"), 0);
    assert_string_equal(o.operands[0], "--seed");
    assert_int_equal(parse("assay record -o trace -- ls -l --all"), 0);
    assert_string_equal(o.output, "trace");
    assert_int_equal(o.operand_count, 3);
    assert_string_equal(o.operands[1], "-l");
    assert_null(o.operands[3]);
    assert_int_equal(parse("assay record -otrace ls -l -- x"), 0);
    assert_string_equal(o.output, "trace");
    assert_int_equal(o.operand_count, 4);
    assert_string_equal(o.operands[2], "--");
    assert_int_equal(parse("assay show -"), 0); /* one dash is an operand: the standard input */
    assert_string_equal(o.operands[0], "-");
}

static void help_asks_for_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(parse("assay --help"), 0);
    assert_true(o.help);
    assert_null(o.verb);
    assert_int_equal(parse("assay check --help"), 0);
    assert_true(o.help);
    assert_string_equal(o.verb, "check");
    assert_int_equal(parse("assay --version"), 0);
    assert_true(o.version);
}

/* Each option that the help of a verb shows is one that the parser takes there, and no other. */
static void help_and_parser_agree(void **state)
{
    (void)state;
    static const char *const verbs[] = {"list", "check",  "replay", "diff",    "minimize",
                                        "show", "record", "misuse", "explore", "bench"};
    static const char *const options[] = {"seconds", "programs", "seed",    "jobs",        "threads", "prefix",
                                          "profile", "max-size", "memory",  "timeout",     "out",     "output",
                                          "format",  "as",       "all",     "no-minimize", "names",   "quiet",
                                          "help",    "version",  "machine", "mode",        "on"};
    for (size_t v = 0; v < sizeof verbs / sizeof verbs[0]; v++) {
        char *text = NULL, wanted[64], command[64];
        size_t length;
        FILE *out = open_memstream(&text, &length);
        options_usage(out, verbs[v]);
        fclose(out);
        for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
            snprintf(wanted, sizeof wanted, "  --%s ", options[i]);
            const char *row = strstr(text, wanted);
            snprintf(wanted, sizeof wanted, ", --%s ", options[i]);
            if (!row) row = strstr(text, wanted);
            snprintf(command, sizeof command, "assay %s --%s", verbs[v], options[i]);
            parse(command);
            assert_int_equal(row == NULL, strstr(error, "does not apply") != NULL);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_need_no_thought),
        cmocka_unit_test(fuzz_names_its_engine),
        cmocka_unit_test(options_and_operands_in_any_order),
        cmocka_unit_test(numbers_up_to_their_bounds),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(wrong_options),
        cmocka_unit_test(wrong_verbs_and_operands),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(help_asks_for_nothing_else),
        cmocka_unit_test(help_and_parser_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
