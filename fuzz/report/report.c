/* report.c: what all formats of a report share (report.h is the manual): dispatch, the replay command, the words of
 * enumerations, and escaping. Each format has a file of its own.
 */
#include "report_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const format_words[] = {
    [FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", [FORMAT_JUNIT] = "junit", [FORMAT_SARIF] = "sarif"};

bool report_format_parse(const char *word, enum report_format *format)
{
    for (unsigned i = 0; i < sizeof format_words / sizeof *format_words; i++) {
        if (strcmp(word, format_words[i]) != 0) continue;
        *format = (enum report_format)i;
        return true;
    }
    return false;
}

void report_begin(struct report *r)
{
    r->count = 0;
    switch (r->format) {
    case FORMAT_TEXT: report_text_begin(); break;
    case FORMAT_JSON: break;
    case FORMAT_JUNIT: report_junit_begin(); break;
    case FORMAT_SARIF: report_sarif_begin(r->out); break;
    }
}

void report_finding(struct report *r, const struct finding *f)
{
    bool first = r->count++ == 0;
    switch (r->format) {
    case FORMAT_TEXT: report_text_finding(r->out, f, r->quiet); break;
    case FORMAT_JSON: report_json_finding(r->out, f); break;
    case FORMAT_JUNIT: report_junit_finding(f); break;
    case FORMAT_SARIF: report_sarif_finding(r->out, f, first); break;
    }
    fflush(r->out); /* An interrupt loses nothing that was reported; an error is seen again in report_end. */
}

static int flush(FILE *out)
{
    errno = 0;
    if (fflush(out) == 0 && !ferror(out)) return 0;
    if (errno == 0) errno = EIO; /* An earlier write failed and its reason is gone. */
    return -1;
}

int report_end(struct report *r, const struct summary *s)
{
    switch (r->format) {
    case FORMAT_TEXT: report_text_end(r->out, s, r->quiet); break;
    case FORMAT_JSON: report_json_end(r->out, s); break;
    case FORMAT_JUNIT: report_junit_end(r->out, s); break;
    case FORMAT_SARIF: report_sarif_end(r->out, s); break;
    }
    return flush(r->out);
}

int report_end_diff(struct report *r, const struct diff_summary *s)
{
    switch (r->format) {
    case FORMAT_TEXT: report_text_end_diff(r->out, s, r->quiet); break;
    case FORMAT_JSON: report_json_end_diff(r->out, s); break;
    case FORMAT_JUNIT: report_junit_end_diff(r->out, s); break;
    case FORMAT_SARIF: report_sarif_end_diff(r->out, s); break;
    }
    return flush(r->out);
}

/* ---- Promises ---------------------------------------------------------------------------------------------------- */

static const struct promise promises[] = {
    {PROMISE_ALIGN_SMALL, "align-small", "small blocks are aligned like large ones"},
    {PROMISE_ERRNO, "errno", "a refusal sets errno to ENOMEM"},
    {PROMISE_FREE_ERRNO, "free-errno", "free leaves errno alone"},
    {PROMISE_ALIGN_CHECKED, "align-checked", "an alignment that is no power of two is refused"},
    {PROMISE_MERGES, "merges", "free neighbours are one block before a request is refused"},
    {PROMISE_EXPLAINED, "explained", "only what fits no gap is refused"},
    {PROMISE_REUSES, "reuses", "more memory is asked for only when no free block fits"},
    {PROMISE_STEADY, "steady", "a repeated cycle needs no more memory than its second round"},
    {PROMISE_DRAINS, "drains", "when everything is freed, the heap decides as a fresh one would"},
    {PROMISE_CONST_FREE, "const-free", "free takes constant time"},
    {PROMISE_DETERMINISTIC, "deterministic", "the same calls give the same offsets"},
    {PROMISE_DETECTS_BAD_FREE, "detects-bad-free", "a bad free is reported and changes nothing"},
    {PROMISE_DETECTS_SIZE, "detects-size", "a wrong size given to free_sized is reported"},
    {PROMISE_SPLITS, "splits", "a remainder that can hold a block stays free"},
    {PROMISE_TRUSTS_ZERO, "trusts-zero", "fresh memory is given to it zeroed"},
    {PROMISE_FORGETS, "forgets", "the inside of a free block decides nothing"},
    {PROMISE_FRAMES, "frames", "blocks live until their frame is popped"},
    {PROMISE_DETECTS_WRITES, "detects-writes", "a write to freed memory is reported"},
};

static unsigned promise_bit(enum rule rule)
{
    switch ((int)rule) {
    case RULE_A2: return PROMISE_ALIGN_SMALL;
    case RULE_A6:
    case RULE_A16:
    case RULE_A19: return PROMISE_ERRNO;
    case RULE_A12: return PROMISE_FREE_ERRNO;
    case RULE_A25: return PROMISE_ALIGN_CHECKED;
    case RULE_C24:
    case RULE_C27:
    case RULE_C40: return PROMISE_MERGES;
    case RULE_C31: return PROMISE_EXPLAINED;
    case RULE_C38: return PROMISE_REUSES;
    case RULE_C39: return PROMISE_STEADY;
    case RULE_A24: return PROMISE_CONST_FREE;
    case RULE_C37:
    case RULE_C41: return PROMISE_DETERMINISTIC;
    case RULE_A11:
    case RULE_C43: return PROMISE_DETECTS_BAD_FREE;
    case RULE_A21:
    case RULE_A22: return PROMISE_DETECTS_SIZE;
    case RULE_A23: return PROMISE_SPLITS;
    case RULE_A30:
    case RULE_A31:
    case RULE_A32:
    case RULE_A33: return PROMISE_FRAMES;
    case RULE_A13: return PROMISE_DETECTS_WRITES;
    default: return 0;
    }
}

const struct promise *report_promise(enum rule rule)
{
    unsigned bit = promise_bit(rule);
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++)
        if (promises[i].bit == bit) return &promises[i];
    return NULL;
}

/* ---- The replay command ------------------------------------------------------------------------------------------ */

struct line {
    char *out;
    size_t size, length; /* length counts what did not fit, too */
};

static void put(struct line *l, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++, l->length++)
        if (l->length + 1 < l->size) l->out[l->length] = bytes[i];
}

static void put_string(struct line *l, const char *s) { put(l, s, strlen(s)); }

static size_t put_end(struct line *l)
{
    if (l->size > 0) l->out[l->length < l->size ? l->length : l->size - 1] = '\0';
    return l->length;
}

/* Plain words stay plain. Others are put in single quotes; with control characters in them the word is written as
 * $'…' with escapes, because the command has to stay on one line. */
static void put_quoted(struct line *l, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./,:=+@%-";
    bool control = false;
    for (const char *c = word; *c != '\0'; c++) control |= (unsigned char)*c < 0x20 || *c == 0x7f;
    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        put_string(l, word);
        return;
    }
    put_string(l, control ? "$'" : "'");
    for (const char *c = word; *c != '\0'; c++) {
        char escape[8];
        if (control && ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '\'' || *c == '\\')) {
            snprintf(escape, sizeof escape, "\\%03o", (unsigned)(unsigned char)*c);
            put_string(l, escape);
        } else if (*c == '\'') put_string(l, "'\\''");
        else put(l, c, 1);
    }
    put_string(l, "'");
}

static void put_profile_word(struct line *l, unsigned *words, const char *first, const char *second)
{
    put_string(l, (*words)++ == 0 ? " --profile " : ",");
    put_string(l, first);
    put_string(l, second);
}

/* The profile that makes the target's contract what it was. A vtable's own contract is not known in this process: there
 * the promise is named that the rule stands on. */
static void put_profile(struct line *l, const struct target *t, enum rule rule)
{
    static const char *const zero_size[] = {"either", "unique", "null"};
    static const char *const realloc_zero[] = {"undeclared", "frees", "unique", "fails"};
    const struct promise *needed = report_promise(rule);
    struct alloc_contract own = {.zero_size = ZERO_SIZE_EITHER}; /* a library's: the weakest */
    unsigned words = 0;

    if (t->ops != NULL) {
        own = t->ops->contract;
    } else if (t->kind != TARGET_LIBRARY) {
        own = t->contract;
        if (needed != NULL) own.promises &= ~needed->bit;
    }
    if (t->illegal) put_profile_word(l, &words, "illegal", "");
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
        unsigned bit = promises[i].bit;
        if (bit == PROMISE_FRAMES || (t->contract.promises & bit) == (own.promises & bit)) continue;
        put_profile_word(l, &words, t->contract.promises & bit ? "+" : "-", promises[i].word);
    }
    if (t->contract.zero_size != own.zero_size)
        put_profile_word(l, &words, "zero-size=", zero_size[t->contract.zero_size]);
    if (t->contract.realloc_zero != own.realloc_zero)
        put_profile_word(l, &words, "realloc-zero=", realloc_zero[t->contract.realloc_zero]);
}

size_t report_who(const struct finding *f, char *out, size_t size)
{
    if (f->other == NULL) return (size_t)snprintf(out, size, "%s", f->target->name);
    return (size_t)snprintf(out, size, "%s and %s", f->target->name, f->other->name);
}

size_t report_file(const struct finding *f, char *out, size_t size)
{
    if (f->path[0] != '\0') return (size_t)snprintf(out, size, "%s", f->path);
    return (size_t)snprintf(out, size, "assay-out/%s.ops", report_rule(&f->verdict)->id);
}

size_t report_replay_command(const struct finding *f, char *out, size_t size)
{
    struct line l = {.out = out, .size = size};
    char file[sizeof f->path];
    report_file(f, file, sizeof file);
    const char *prefix = f->target->prefix[0] != '\0' || f->other == NULL ? f->target->prefix : f->other->prefix;
    put_string(&l, f->other != NULL ? "assay diff " : "assay replay ");
    put_quoted(&l, f->target->name);
    if (f->other != NULL) put_string(&l, " ");
    if (f->other != NULL) put_quoted(&l, f->other->name);
    put_string(&l, " ");
    put_quoted(&l, file);
    if (prefix[0] != '\0') {
        put_string(&l, " --prefix ");
        put_quoted(&l, prefix);
    }
    if (f->target->guard_maps) put_string(&l, " --guard-maps");
    if (f->target->maps_max) {
        char limit[48];
        snprintf(limit, sizeof limit, " --limit-maps %llu", (unsigned long long)f->target->maps_max);
        put_string(&l, limit);
    }
    put_profile(&l, f->target, f->verdict.rule);
    return put_end(&l);
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */

const struct rule_info *report_rule(const struct verdict *verdict)
{
    static const struct rule_info none = {
        .id = "ERROR", .class = CLASS_RETURNS, .source = "assay", .sentence = "the harness itself does its work"};
    return verdict->rule == RULE_NONE ? &none : rule_info(verdict->rule);
}

const char *report_verdict_word(enum verdict_kind kind)
{
    static const char *const words[] = {[VERDICT_PASS] = "PASS", [VERDICT_FAIL] = "FAIL", [VERDICT_ERROR] = "ERROR"};
    return words[kind];
}

const char *report_course_word(unsigned course)
{
    static const char *const words[COURSE_KINDS] = {
        [COURSE_PLAIN] = "plain",     [COURSE_DRAIN] = "drain",         [COURSE_STEADY] = "steady",
        [COURSE_REFILL] = "refill",   [COURSE_MONOTONE] = "monotone",   [COURSE_TWIN] = "twin",
        [COURSE_PERMUTE] = "permute", [COURSE_FREE_COST] = "free_cost", [COURSE_RECOVER] = "recover"};
    return course < COURSE_KINDS ? words[course] : "unknown";
}

void report_offset(uint64_t offset, char *out, size_t size)
{
    bool below = offset > INT64_MAX; /* An address below the base wraps to a huge offset. */
    snprintf(out, size, "%s%#llx", below ? "-" : "+", (unsigned long long)(below ? 0 - offset : offset));
    if (offset == 0) snprintf(out, size, "+0x0");
}

char *report_program_text(const struct program *p)
{
    size_t length = program_print(p, NULL, 0);
    char *text = malloc(length + 1);
    if (text != NULL) program_print(p, text, length + 1);
    return text;
}

/* ---- Escaping ---------------------------------------------------------------------------------------------------- */

/* Takes one character from *s, which does not stand at the end: its code point, or U+FFFD for one byte that begins no
 * well-formed sequence (overlong forms, surrogates and values above U+10FFFF are not well-formed). */
static uint32_t utf8_next(const char **s)
{
    const unsigned char *b = (const unsigned char *)*s;
    unsigned tail = b[0] < 0x80 ? 0 : b[0] >> 5 == 6 ? 1 : b[0] >> 4 == 14 ? 2 : b[0] >> 3 == 30 ? 3 : 4;
    static const uint32_t lowest[] = {0, 0x80, 0x800, 0x10000};
    uint32_t c = tail == 0 ? b[0] : b[0] & (0x3fu >> tail);

    (*s)++;
    if (tail == 4) return 0xfffd;
    for (unsigned i = 1; i <= tail; i++) {
        if ((b[i] & 0xc0) != 0x80) return 0xfffd;
        c = c << 6 | (b[i] & 0x3f);
    }
    if (c < lowest[tail] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0xfffd;
    *s += tail;
    return c;
}

void json_string(FILE *out, const char *s)
{
    putc('"', out);
    while (*s != '\0') {
        const char *from = s;
        uint32_t c = utf8_next(&s);
        if (c == '"' || c == '\\') fprintf(out, "\\%c", (int)c);
        else if (c == '\n') fputs("\\n", out);
        else if (c < 0x20 || c == 0x7f || (c == 0xfffd && s - from == 1)) fprintf(out, "\\u%04x", (unsigned)c);
        else fwrite(from, 1, (size_t)(s - from), out);
    }
    putc('"', out);
}

void xml_text(FILE *out, const char *s)
{
    while (*s != '\0') {
        const char *from = s;
        uint32_t c = utf8_next(&s);
        if (c == '&') fputs("&amp;", out);
        else if (c == '<') fputs("&lt;", out);
        else if (c == '>') fputs("&gt;", out);
        else if (c == '"') fputs("&quot;", out);
        else if (c == '\'') fputs("&#39;", out);
        else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) continue;
        else if (c == 0xfffd || c == 0xfffe || c == 0xffff) fputs("\xef\xbf\xbd", out);
        else fwrite(from, 1, (size_t)(s - from), out);
    }
}
