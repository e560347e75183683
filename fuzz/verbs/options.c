/* options.c: the command line, parsed by two tables, one of verbs and one of options; options.h is the manual.
 *
 * Each row says what its option takes, within which bounds, for which verbs, and where in struct options the value
 * goes. Parser and help read the same rows, so neither can know an option that the other does not.
 */
#include "options.h"

#include "explore.h"
#include "machine.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- Verbs ------------------------------------------------------------------------------------------------------- */

enum {
    LIST = 1 << 0,
    CHECK = 1 << 1,
    REPLAY = 1 << 2,
    DIFF = 1 << 3,
    MINIMIZE = 1 << 4,
    SHOW = 1 << 5,
    RECORD = 1 << 6,
    EXPLORE = 1 << 7,
    BENCH = 1 << 8,
    FUZZ = 1 << 9,
    MISUSE = 1 << 10,
    RUNS = CHECK | FUZZ | REPLAY | DIFF | MINIMIZE | EXPLORE | BENCH, /* verbs that run an allocator */
    SEEKS = CHECK | FUZZ | DIFF | EXPLORE,                            /* verbs that make programs of their own */
    EVERY = (1 << 11) - 1,
    PLANNED = BENCH, /* parsed, but not part of this version */
};

static const struct verb {
    unsigned bit;
    const char *name, *operands, *summary;
    unsigned operands_min, operands_max;
} verbs[] = {
    {LIST, "list", "", "what is built in: name, kind, operations offered, promises", 0, 0},
    {CHECK, "check", "ALLOC", "make programs until the budget ends: PASS, or the smallest failing program", 1, 1},
    {FUZZ, "fuzz", "ALLOC", "a campaign of a fuzzing engine, guided by the coverage of the allocator", 1, 1},
    {REPLAY, "replay", "ALLOC FILE|DIR...", "run programs from files, or from all files below folders", 2, UINT16_MAX},
    {DIFF, "diff", "ALLOC ALLOC... [FILE|DIR...]",
     "the same programs on several: what each breaks, and how they differ", 2, UINT16_MAX},
    {MINIMIZE, "minimize", "ALLOC FILE", "the smallest program that still breaks the same rule", 2, 2},
    {SHOW, "show", "FILE", "a program as text, C or a page, with what came of it and the memory drawn", 1, 1},
    {RECORD, "record", "-- COMMAND...", "a real program's allocations, as a program", 1, UINT16_MAX},
    {MISUSE, "misuse", "ALLOC", "what it makes of its caller's errors: what it detects, misses and suffers", 1, 1},
    {EXPLORE, "explore", "ALLOC", "every program on a tiny heap: a proof, or the shortest that fails", 1, 1},
    {BENCH, "bench", "ALLOC... [FILE...]", "time, footprint and fragmentation, side by side", 1, UINT16_MAX},
};
enum { VERBS = sizeof verbs / sizeof verbs[0] };

static const struct verb *find_verb(const char *name)
{
    for (int i = 0; name && i < VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
    return NULL;
}

/* ---- Options ----------------------------------------------------------------------------------------------------- */

enum value { FLAG, SECONDS, COUNT, WIDE, BYTES, TEXT, CHOICE };

static const char *const formats[] = {"text", "json", "junit", "sarif", NULL};    /* enum report_format */
static const char *const shapes[] = {"text", "c", "html", NULL};                  /* enum show_as */
static const char *const modes[] = {"both", "legal", "illegal", NULL};            /* enum target_mode */
static const char *const engines[] = {"builtin", "libfuzzer", "afl", NULL};       /* enum fuzz_engine */
static const char *const faults[] = {"none", "one", "pairs", NULL};               /* enum faults_how */
static const char *const machines[] = {"all", "s64", "s4", "sodd", "smap", NULL}; /* target.machine */
_Static_assert(FORMAT_JSON == 1 && FORMAT_SARIF == 3 && SHOW_HTML == 2, "choices are in the order of their enum");
_Static_assert(sizeof(enum report_format) == sizeof(unsigned) && sizeof(enum show_as) == sizeof(unsigned), "CHOICE");
_Static_assert(MODE_ILLEGAL == 2 && sizeof(enum target_mode) == sizeof(unsigned), "CHOICE");
_Static_assert(ENGINE_AFL == 2 && sizeof(enum fuzz_engine) == sizeof(unsigned), "CHOICE");
_Static_assert(FAULTS_PAIRS == 2 && sizeof(enum faults_how) == sizeof(unsigned), "CHOICE");
_Static_assert(MACHINE_S64 == 0 && MACHINE_SMAP == 3, "likewise; tiny is for explore");

#define KIB 1024.0
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)
#define TO(member) offsetof(struct options, member)

static const struct option_row {
    const char *name;
    char letter; /* of the short form; 0: none */
    enum value value;
    const char *argument; /* what the help calls it */
    size_t to;
    unsigned verbs;
    double min, max; /* inclusive */
    const char *const *choices;
    const char *help;
} rows[] = {
    {"seconds", 0, SECONDS, "S", TO(seconds), SEEKS | BENCH, 0.01, 86400, NULL, "budget of time (10)"},
    {"programs", 0, WIDE, "N", TO(programs), CHECK | DIFF, 1, 1e12, NULL, "budget of programs, instead of --seconds"},
    {"seed", 0, WIDE, "N", TO(seed), (SEEKS & ~EXPLORE) | BENCH, 0, 0x1p64, NULL, "seed of everything random (1)"},
    {"jobs", 0, COUNT, "N", TO(jobs), SEEKS & ~EXPLORE, 1, 1024, NULL, "worker processes (one a processor)"},
    {"threads", 0, COUNT, "N", TO(threads), CHECK | BENCH, 1, 1, NULL, "threads in a program; only 1 is possible yet"},
    {"on", 0, TEXT, "ALLOC", TO(on), SHOW, 0, 0, NULL, "run it there first, and show what came of it"},
    {"prefix", 0, TEXT, "P", TO(prefix), RUNS | SHOW | MISUSE, 0, 0, NULL,
     "a library's malloc is called P followed by malloc"},
    {"profile", 0, TEXT, "NAME", TO(profile), (RUNS & ~BENCH) | SHOW | MISUSE, 0, 0, NULL,
     "what else the allocator promises: words joined by commas"},
    {"machine", 0, CHOICE, "NAME", TO(machine), CHECK | DIFF, 0, 0, machines,
     "simulated machine of the kernel families: s64, s4, sodd, smap (all)"},
    {"mode", 0, CHOICE, "MODE", TO(mode), CHECK | DIFF, 0, 0, modes,
     "legal or illegal: without or with contract errors (both)"},
    {"faults", 0, CHOICE, "HOW", TO(faults), CHECK | REPLAY, 0, 0, faults,
     "let each request for memory fail in every program: one, or also pairs (none)"},
    {"guard-maps", 0, FLAG, NULL, TO(guard_maps), CHECK | REPLAY | MINIMIZE, 0, 0, NULL,
     "of a library: a gap around each of its mappings, in which nothing is ever mapped"},
    {"limit-maps", 0, BYTES, "BYTES", TO(limit_maps), CHECK | REPLAY | MINIMIZE, 4096, 1024 * GIB, NULL,
     "of a library: mappings beyond this get ENOMEM; suffixes K, M, G"},
    {"max-size", 0, BYTES, "BYTES", TO(max_size), RUNS, 1, 64 * GIB, NULL,
     "largest request that is filled (1G); suffixes K, M, G"},
    {"memory", 0, BYTES, "BYTES", TO(memory), RUNS, MIB, 1024 * GIB, NULL,
     "what a worker may use (1G; 16M beside memory lent to it); explore: for states (1G)"},
    {"timeout", 0, SECONDS, "S", TO(timeout), RUNS, 0.01, 3600, NULL, "limit of processor time for one call (1)"},
    {"heap", 0, BYTES, "BYTES", TO(heap), EXPLORE, 16, 64 * KIB, NULL, "memory lent (256; on a machine, 16 frames)"},
    {"sizes", 0, TEXT, "LIST", TO(sizes), EXPLORE, 0, 0, NULL, "of requests (one of all that come to the same)"},
    {"ops", 0, TEXT, "LIST", TO(ops), EXPLORE, 0, 0, NULL, "calls, or all (malloc,free,realloc,calloc,aligned_alloc)"},
    {"depth", 0, COUNT, "N", TO(depth), EXPLORE, 1, EXPLORE_DEPTH_MAX, NULL, "calls in the longest program (no bound)"},
    {"resume", 0, TEXT, "FILE", TO(resume), EXPLORE, 0, 0, NULL, "go on with what was saved there"},
    {"guard", 0, FLAG, NULL, TO(guard), CHECK | REPLAY | MINIMIZE, 0, 0, NULL,
     "under valgrind: have it report what the allocator does to blocks that live"},
    {"out", 0, TEXT, "DIR", TO(out), CHECK | FUZZ | DIFF | EXPLORE, 0, 0, NULL, "where findings go (assay-out)"},
    {"output", 'o', TEXT, "FILE", TO(output), MINIMIZE | SHOW | RECORD | BENCH, 0, 0, NULL, "file to write"},
    {"engine", 0, CHOICE, "ENGINE", TO(engine), FUZZ, 0, 0, engines, "builtin, libfuzzer or afl (builtin)"},
    {"keep", 0, FLAG, NULL, TO(keep), FUZZ, 0, 0, NULL, "file findings and coverage under corpus/, or under --out"},
    {"format", 0, CHOICE, "FORMAT", TO(format), (RUNS & ~MINIMIZE) | MISUSE | LIST, 0, 0, formats,
     "report as text, json, junit or sarif"},
    {"as", 0, CHOICE, "FORM", TO(as), SHOW, 0, 0, shapes, "show as text, c or html"},
    {"all", 0, FLAG, NULL, TO(all), CHECK | FUZZ, 0, 0, NULL, "go on after a finding"},
    {"no-minimize", 0, FLAG, NULL, TO(no_minimize), SEEKS & ~EXPLORE, 0, 0, NULL, "leave failing programs as they are"},
    {"names", 0, FLAG, NULL, TO(names), LIST, 0, 0, NULL, "names only, one a line"},
    {"canaries", 0, FLAG, NULL, TO(canaries), LIST, 0, 0, NULL, "the broken allocators, each with the rule it breaks"},
    {"quiet", 0, FLAG, NULL, TO(quiet), RUNS | RECORD, 0, 0, NULL, "no progress, and only the essence of a finding"},
    {"help", 'h', FLAG, NULL, TO(help), EVERY, 0, 0, NULL, "this text"},
    {"version", 0, FLAG, NULL, TO(version), EVERY, 0, 0, NULL, "the version"},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static unsigned processors(void)
{
    cpu_set_t set;
    const int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : n > 1024 ? 1024 : (unsigned)n;
}

static void set_defaults(struct options *o)
{
    *o = (struct options){
        .seconds = 10,
        .seed = 1,
        .jobs = processors(),
        .threads = 1,
        .max_size = UINT64_C(1) << 30,
        .timeout = 1.0,
        .out = "assay-out",
        .format = FORMAT_TEXT,
        .as = SHOW_TEXT,
    };
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

struct parser {
    struct options *options;
    char *error;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static int fail(struct parser *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(p->error, p->size, format, arguments);
    va_end(arguments);
    return -1;
}

/* Decimal digits, or hexadecimal ones behind 0x; *end is the first character that belongs to neither. */
static bool read_whole(const char *text, uint64_t *out, char **end)
{
    const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    if (!isxdigit((unsigned char)text[hex ? 2 : 0]) || !isdigit((unsigned char)*text)) return false;
    errno = 0;
    const unsigned long long n = strtoull(text, end, hex ? 16 : 10);
    *out = n;
    return errno == 0;
}

static bool read_seconds(const char *text, double *out)
{
    char *end;
    if (!isdigit((unsigned char)*text) && *text != '.') return false;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

/* A whole number, for BYTES with a suffix. */
static bool read_number(const char *text, bool bytes, uint64_t *out)
{
    char *end;
    if (!read_whole(text, out, &end)) return false;
    if (!bytes || *end == '\0') return *end == '\0';
    const char *const suffixes = "KMG", *suffix = strchr(suffixes, toupper((unsigned char)*end));
    if (!suffix || end[1] != '\0') return false;
    const unsigned shift = 10 * (unsigned)(suffix - suffixes + 1);
    if (*out > UINT64_MAX >> shift) return false;
    *out <<= shift;
    return true;
}

/* A bound as people write it: whole binary units where they fit. */
static const char *bound(char *out, size_t size, const struct option_row *row, double value)
{
    const char *unit = "";
    if (row->value == BYTES && value >= GIB) value /= GIB, unit = "G";
    else if (row->value == BYTES && value >= MIB) value /= MIB, unit = "M";
    if (value >= 0x1p64) snprintf(out, size, "2^64-1");
    else snprintf(out, size, "%.15g%s", value, unit);
    return out;
}

static int bad_number(struct parser *p, const struct option_row *row, const char *text)
{
    char min[32], max[32];
    if (row->min == row->max) /* so far --threads alone */
        return fail(p, "--%s: '%s': only %s is possible yet", row->name, text, bound(min, sizeof min, row, row->min));
    const char *unit = row->value == SECONDS ? " of seconds" : row->value == BYTES ? " of bytes" : "";
    return fail(p, "--%s: '%s' is not a number%s (%s to %s)", row->name, text, unit,
                bound(min, sizeof min, row, row->min), bound(max, sizeof max, row, row->max));
}

static int bad_choice(struct parser *p, const struct option_row *row, const char *text)
{
    char list[128] = "";
    for (int i = 0; row->choices[i]; i++) {
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s",
                 i == 0                ? ""
                 : row->choices[i + 1] ? ", "
                                       : " or ",
                 row->choices[i]);
    }
    return fail(p, "--%s: '%s' is not one of %s", row->name, text, list);
}

static int set_value(struct parser *p, const struct option_row *row, const char *text)
{
    char *to = (char *)p->options + row->to;
    uint64_t n;
    double seconds;
    switch (row->value) {
    case FLAG: *(bool *)(void *)to = true; return 0;
    case SECONDS:
        if (!read_seconds(text, &seconds) || seconds < row->min || seconds > row->max) return bad_number(p, row, text);
        *(double *)(void *)to = seconds;
        return 0;
    case COUNT:
    case WIDE:
    case BYTES:
        if (!read_number(text, row->value == BYTES, &n) || (double)n < row->min || (double)n > row->max)
            return bad_number(p, row, text);
        if (row->value == COUNT) *(unsigned *)(void *)to = (unsigned)n;
        else *(uint64_t *)(void *)to = n;
        return 0;
    case TEXT:
        if (!*text) return fail(p, "--%s: the value is empty", row->name);
        *(const char **)(void *)to = text;
        return 0;
    case CHOICE:
        for (unsigned i = 0; row->choices[i]; i++)
            if (strcmp(row->choices[i], text) == 0) return memcpy(to, &i, sizeof i), 0;
        return bad_choice(p, row, text);
    }
    return -1;
}

/* ---- Parsing ----------------------------------------------------------------------------------------------------- */

/* "-o", "-oFILE", "--output", "--output=FILE": the row, and the value if it is in the same word. */
static const struct option_row *find_row(const char *word, const char **value)
{
    const bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    const size_t length = strcspn(name, "=");
    *value = NULL;
    for (int i = 0; i < ROWS; i++) {
        if (is_long && strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0) {
            if (name[length] == '=') *value = name + length + 1;
            return &rows[i];
        }
        if (!is_long && rows[i].letter == name[0] && (name[1] == '\0' || rows[i].value != FLAG)) {
            if (name[1] != '\0') *value = name + 1;
            return &rows[i];
        }
    }
    return NULL;
}

/* The option at argv[*at], and its value behind it if there is one to take. */
static int parse_option(struct parser *p, const struct verb *verb, int argc, char **argv, int *at, uint64_t *seen)
{
    const char *word = argv[*at], *value;
    const struct option_row *row = find_row(word, &value);
    const char *name = verb ? verb->name : "";
    if (!row) return fail(p, "no option %s; 'assay %s%s--help' lists them", word, name, *name ? " " : "");
    if (verb && !(row->verbs & verb->bit)) return fail(p, "--%s does not apply to '%s'", row->name, name);
    if (!verb && row->verbs != EVERY) return fail(p, "--%s comes after the verb", row->name);
    if (row->value == FLAG && value) return fail(p, "--%s takes no value", row->name);
    if (row->value != FLAG && !value) {
        if (*at + 1 >= argc) return fail(p, "--%s needs a value: --%s %s", row->name, row->name, row->argument);
        value = argv[++*at];
    }
    *seen |= UINT64_C(1) << (row - rows);
    return set_value(p, row, value);
}
_Static_assert(ROWS <= 64, "parse_option keeps the options seen in one word of bits");

static bool was_seen(uint64_t seen, const char *name)
{
    for (int i = 0; i < ROWS; i++)
        if (seen >> i & 1 && strcmp(rows[i].name, name) == 0) return true;
    return false;
}

static int no_verb(struct parser *p, const char *word)
{
    char list[128] = "";
    for (int i = 0; i < VERBS; i++) {
        const size_t used = strlen(list);
        if (verbs[i].bit & PLANNED) continue;
        snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ", verbs[i].name);
    }
    return word ? fail(p, "no verb '%s'; there are %s", word, list) : fail(p, "a verb is missing: %s", list);
}

int options_parse(struct options *o, int argc, char **argv, char *error, size_t size)
{
    struct parser parser = {.options = o, .error = error, .size = size}, *p = &parser;
    set_defaults(o);
    const struct verb *verb = NULL;
    uint64_t seen = 0;
    bool options_end = false;
    int at = 1;
    o->operands = argv + (argc > 0);
    for (; at < argc; at++) {
        char *word = argv[at];
        if (!options_end && strcmp(word, "--") == 0) options_end = true;
        else if (!options_end && word[0] == '-' && word[1] != '\0') {
            if (parse_option(p, verb, argc, argv, &at, &seen) != 0) return -1;
            if (o->help || o->version) break;
        } else if (!verb) {
            verb = find_verb(word);
            if (!verb) return no_verb(p, word);
        } else {
            o->operands[o->operand_count++] = word; /* the place of a word that has been read */
            if (verb->bit == RECORD) options_end = true;
        }
    }
    if (verb) o->operands[o->operand_count] = NULL; /* for exec; the verb's own place in argv leaves room */
    o->verb = verb ? verb->name : NULL;
    if (o->help || o->version) return 0;
    if (!verb) return no_verb(p, NULL);
    if (was_seen(seen, "seconds") && was_seen(seen, "programs"))
        return fail(p, "--seconds and --programs exclude each other");
    o->out_named = was_seen(seen, "out");
    if (o->operand_count < verb->operands_min)
        return fail(p, "too few operands: assay %s %s", verb->name, verb->operands);
    if (o->operand_count > verb->operands_max)
        return fail(p, "'%s' is too much: assay %s%s%s", o->operands[verb->operands_max], verb->name,
                    *verb->operands ? " " : "", verb->operands);
    return 0;
}

/* ---- Help -------------------------------------------------------------------------------------------------------- */

static void print_row(FILE *out, const struct option_row *row)
{
    char left[40], letter[8] = "";
    if (row->letter) snprintf(letter, sizeof letter, "-%c, ", row->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, row->name, row->argument ? " " : "",
             row->argument ? row->argument : "");
    fprintf(out, "  %-21s  %s\n", left, row->help);
}

void options_usage(FILE *out, const char *name)
{
    const struct verb *verb = find_verb(name);
    if (!verb) {
        fputs("assay tells whether a memory allocator keeps its promises.\n\n", out);
        for (int i = 0; i < VERBS; i++)
            if (!(verbs[i].bit & PLANNED))
                fprintf(out, "  assay %-8s %-17s  %s\n", verbs[i].name, verbs[i].operands, verbs[i].summary);
        fputs("\nALLOC is a built-in's name ('assay list') or the path of a shared library.\n"
              "'assay VERB --help' lists the options of a verb.\n",
              out);
    } else {
        fprintf(out, "assay %s [OPTIONS]%s%s\n%s\n\n", verb->name, *verb->operands ? " " : "", verb->operands,
                verb->summary);
        for (int i = 0; i < ROWS; i++)
            if (rows[i].verbs & verb->bit) print_row(out, &rows[i]);
    }
    fputs("\nExit status: 0 every rule held; 1 a rule was broken; 2 nothing was judged.\n", out);
}
