/* report_junit.c: JUnit XML: one suite for the allocator, one test case for each rule that was put to the test and for
 * each operation that was skipped.
 *
 * A rule's test case can only be written when the run is over, so failures wait in memory, in bounded number.
 */
#include "differences.h"
#include "report_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FAILURES_MAX 16u /* kept for one rule; more are counted */

/* What waits for the end. struct report has no room for it, and a process writes one report at a time. A test case holds
 * one <failure>, whose text has all findings: of several elements Jenkins and GitLab would show one. */
static struct {
    char *text[FAILURES_MAX], *seen[FAILURES_MAX]; /* text reports, and what was seen, */
    const struct target *of[FAILURES_MAX];         /* and whose they are */
    unsigned count;
} failures[RULE_COUNT];

void report_junit_begin(void)
{
    for (unsigned rule = 0; rule < RULE_COUNT; rule++) {
        for (unsigned i = 0; i < FAILURES_MAX; i++) {
            free(failures[rule].text[i]);
            free(failures[rule].seen[i]);
        }
    }
    memset(failures, 0, sizeof failures);
}

/* The text report of a finding, from malloc; NULL if there is no memory. */
static char *finding_text(const struct finding *f)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL) return NULL;
    report_text_finding(stream, f, false);
    if (fclose(stream) == 0) return text;
    free(text);
    return NULL;
}

void report_junit_finding(const struct finding *f)
{
    const enum rule rule = f->verdict.rule;
    const unsigned n = failures[rule].count++;
    if (n >= FAILURES_MAX) return;
    failures[rule].text[n] = finding_text(f);
    failures[rule].seen[n] = strdup(f->verdict.seen);
    failures[rule].of[n] = f->target;
}

/* Of one allocator, or (NULL) of any. */
static bool is_of(unsigned rule, unsigned i, const struct target *of)
{
    return i < failures[rule].count && (of == NULL || failures[rule].of[i] == of);
}

/* How many failures of this rule wait. */
static unsigned waiting(unsigned rule, const struct target *of)
{
    unsigned count = 0;
    for (unsigned i = 0; i < FAILURES_MAX; i++) count += is_of(rule, i, of);
    return count;
}

static void print_failure(FILE *out, enum rule rule, const struct rule_info *info, const struct target *of)
{
    const char *separator = "";
    unsigned first = 0;
    while (!is_of(rule, first, of)) first++;
    fprintf(out, "      <failure type=\"%s\" message=\"", info->id);
    xml_text(out, info->sentence);
    fputs("; seen: ", out);
    xml_text(out, failures[rule].seen[first] != NULL ? failures[rule].seen[first] : "");
    fputs("\">", out);
    for (unsigned i = first; i < FAILURES_MAX; i++) {
        if (!is_of(rule, i, of) || failures[rule].text[i] == NULL) continue;
        fputs(separator, out);
        xml_text(out, failures[rule].text[i]);
        separator = "\n";
    }
    if (failures[rule].count > FAILURES_MAX)
        fprintf(out, "\n%u findings in all, of which these are the first\n", failures[rule].count);
    fputs("</failure>\n", out);
}

static void print_rule(FILE *out, enum rule rule, const char *suite, const struct target *of)
{
    const struct verdict verdict = {.rule = rule};
    const struct rule_info *info = report_rule(&verdict);

    fputs("    <testcase classname=\"assay.", out);
    xml_text(out, suite);
    fprintf(out, "\" name=\"%s ", info->id);
    xml_text(out, info->sentence);
    if (waiting(rule, of) == 0) {
        fputs("\"/>\n", out);
        return;
    }
    fputs("\">\n", out);
    print_failure(out, rule, info, of);
    fputs("    </testcase>\n", out);
}

static void print_skipped(FILE *out, const struct summary *s, unsigned kind)
{
    fputs("    <testcase classname=\"assay.", out);
    xml_text(out, s->target->name);
    fprintf(out, "\" name=\"operation %s\">\n      <skipped message=\"not offered by ", op_name((enum op_kind)kind));
    xml_text(out, s->target->name);
    fprintf(out, ", %" PRIu64 " calls\"/>\n    </testcase>\n", s->counters.skipped[kind]);
}

static bool was_tested(const struct summary *s, unsigned rule, const struct target *of)
{
    return waiting(rule, of) > 0 || s->counters.checked[rule] > 0;
}

static void begin_suite(FILE *out, const char *name, unsigned tests, unsigned failed, unsigned errors, unsigned skipped)
{
    fputs("  <testsuite name=\"assay ", out);
    xml_text(out, name);
    fprintf(out, "\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\">\n", tests + skipped + errors, failed,
            errors, skipped);
}

static void print_error(FILE *out, const char *suite, const char *message)
{
    fputs("    <testcase classname=\"assay.", out);
    xml_text(out, suite);
    fputs("\" name=\"run\">\n      <error type=\"ERROR\" message=\"", out);
    xml_text(out, message != NULL ? message : "nothing was judged");
    fputs("\"/>\n    </testcase>\n", out);
}

/* One allocator: with the failures of `of` alone, or with all. What it disagrees on with others is no test of its own. */
static void print_suite(FILE *out, const struct summary *s, const struct target *of)
{
    unsigned tests = 0, failed = 0, skipped = 0, errors = s->verdict == VERDICT_ERROR;

    for (unsigned rule = 0; rule < RULE_COUNT; rule++) {
        if (rule == RULE_DIFFER) continue;
        tests += was_tested(s, rule, of);
        failed += waiting(rule, of) > 0;
    }
    for (unsigned kind = 0; kind < OP_KINDS; kind++) skipped += s->counters.skipped[kind] > 0;
    begin_suite(out, s->target->name, tests, failed, errors, skipped);
    for (unsigned rule = 0; rule < RULE_COUNT; rule++)
        if (rule != RULE_DIFFER && was_tested(s, rule, of)) print_rule(out, (enum rule)rule, s->target->name, of);
    for (unsigned kind = 0; kind < OP_KINDS; kind++)
        if (s->counters.skipped[kind] > 0) print_skipped(out, s, kind);
    if (errors > 0) print_error(out, s->target->name, s->message);
    fputs("  </testsuite>\n", out);
}

static void begin_document(FILE *out) { fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out); }

static void end_document(FILE *out)
{
    fputs("</testsuites>\n", out);
    report_junit_begin(); /* Gives the memory back. */
}

void report_junit_end(FILE *out, const struct summary *s)
{
    begin_document(out);
    print_suite(out, s, NULL);
    end_document(out);
}

void report_junit_end_diff(FILE *out, const struct diff_summary *s)
{
    const struct diff *d = s->diff;
    unsigned errors = s->verdict == VERDICT_ERROR;

    begin_document(out);
    for (unsigned i = 0; i < d->count; i++) {
        const struct summary one = {.target = &d->targets[i], .counters = d->counters[i]};
        print_suite(out, &one, &d->targets[i]);
    }
    begin_suite(out, "diff", 1, s->disagreements > 0, errors, 0);
    print_rule(out, RULE_DIFFER, "diff", NULL);
    if (errors > 0) print_error(out, "diff", s->message);
    fputs("    <system-out>", out);
    for (enum difference_kind kind = 0; kind < DIFFERENCE_KINDS; kind++) {
        char *text = difference_found(d, kind) ? difference_text(d, kind) : NULL;
        if (text == NULL) continue;
        xml_text(out, text);
        putc('\n', out);
        free(text);
    }
    fputs("</system-out>\n  </testsuite>\n", out);
    end_document(out);
}
