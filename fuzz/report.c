/* report.c: what all formats of a report share (report.h is the manual): dispatch, the replay command, the words of
 * enumerations, and escaping. Each format has a file of its own.
 */
#define _GNU_SOURCE
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

int report_end(struct report *r, const struct summary *s)
{
    switch (r->format) {
    case FORMAT_TEXT: report_text_end(r->out, s, r->quiet); break;
    case FORMAT_JSON: report_json_end(r->out, s); break;
    case FORMAT_JUNIT: report_junit_end(r->out, s); break;
    case FORMAT_SARIF: report_sarif_end(r->out, s); break;
    }
    errno = 0;
    if (fflush(r->out) == 0 && !ferror(r->out)) return 0;
    if (errno == 0) errno = EIO; /* An earlier write failed and its reason is gone. */
    return -1;
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
    put_string(&l, "assay replay ");
    put_quoted(&l, f->target->name);
    put_string(&l, " ");
    put_quoted(&l, file);
    if (f->target->prefix[0] != '\0') {
        put_string(&l, " --prefix ");
        put_quoted(&l, f->target->prefix);
    }
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
        [COURSE_PLAIN] = "plain",       [COURSE_DRAIN] = "drain", [COURSE_STEADY] = "steady",
        [COURSE_REFILL] = "refill",     [COURSE_MONOTONE] = "monotone", [COURSE_TWIN] = "twin",
        [COURSE_PERMUTE] = "permute",   [COURSE_FREE_COST] = "free_cost"};
    return course < COURSE_KINDS ? words[course] : "unknown";
}

const char *report_kind_word(unsigned kind)
{
    static const char *const words[REPORT_KINDS] = {
        [REPORT_BAD_FREE] = "BAD_FREE",
        [REPORT_DOUBLE_FREE] = "DOUBLE_FREE",
        [REPORT_BAD_FREE_ORDER] = "BAD_FREE_ORDER",
        [REPORT_WRONG_FREE] = "WRONG_FREE",
        [REPORT_BAD_GFP] = "BAD_GFP",
        [REPORT_SLEEP_IN_ATOMIC] = "SLEEP_IN_ATOMIC",
        [REPORT_BUG] = "BUG",
        [REPORT_REDZONE] = "REDZONE",
        [REPORT_POISON] = "POISON",
        [REPORT_OBJECTS_REMAIN] = "OBJECTS_REMAIN",
        [REPORT_STACK_OVERFLOW] = "STACK_OVERFLOW",
        [REPORT_CORRUPT_META] = "CORRUPT_META",
        [REPORT_LEAK] = "LEAK",
        [REPORT_PANIC] = "PANIC",
        [REPORT_CONTRACT_WARN] = "CONTRACT_WARN",
    };
    return kind < REPORT_KINDS ? words[kind] : "UNKNOWN";
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
