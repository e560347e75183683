/* report_junit.c: JUnit XML: one suite for the allocator, one test case for each rule that was put to the test and for
 * each operation that was skipped.
 *
 * A rule's test case can only be written when the run is over, so failures wait in memory, in bounded number.
 */
#include "report_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FAILURES_MAX 16u /* kept for one rule; more are counted */

/* What waits for the end. struct report has no room for it, and a process writes one report at a time. A test case holds
 * one <failure>, whose text has all findings: of several elements Jenkins and GitLab would show one. */
static struct {
    char *seen;               /* of the first */
    char *text[FAILURES_MAX]; /* text reports */
    unsigned count;
} failures[RULE_COUNT];

void report_junit_begin(void)
{
    for (unsigned rule = 0; rule < RULE_COUNT; rule++) {
        for (unsigned i = 0; i < FAILURES_MAX; i++) free(failures[rule].text[i]);
        free(failures[rule].seen);
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
    if (n < FAILURES_MAX) failures[rule].text[n] = finding_text(f);
    if (n == 0) failures[rule].seen = strdup(f->verdict.seen);
}

static void print_failure(FILE *out, enum rule rule, const struct rule_info *info)
{
    fprintf(out, "      <failure type=\"%s\" message=\"", info->id);
    xml_text(out, info->sentence);
    fputs("; seen: ", out);
    xml_text(out, failures[rule].seen != NULL ? failures[rule].seen : "");
    fputs("\">", out);
    for (unsigned i = 0; i < FAILURES_MAX && failures[rule].text[i] != NULL; i++) {
        if (i > 0) putc('\n', out);
        xml_text(out, failures[rule].text[i]);
    }
    if (failures[rule].count > FAILURES_MAX)
        fprintf(out, "\n%u findings in all, of which these are the first\n", failures[rule].count);
    fputs("</failure>\n", out);
}

static void print_rule(FILE *out, enum rule rule, const char *allocator)
{
    const struct verdict verdict = {.rule = rule};
    const struct rule_info *info = report_rule(&verdict);

    fputs("    <testcase classname=\"assay.", out);
    xml_text(out, allocator);
    fprintf(out, "\" name=\"%s ", info->id);
    xml_text(out, info->sentence);
    if (failures[rule].count == 0) {
        fputs("\"/>\n", out);
        return;
    }
    fputs("\">\n", out);
    print_failure(out, rule, info);
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

static bool was_tested(const struct summary *s, unsigned rule)
{
    return failures[rule].count > 0 || s->counters.checked[rule] > 0;
}

void report_junit_end(FILE *out, const struct summary *s)
{
    unsigned tests = 0, failed = 0, skipped = 0, errors = s->verdict == VERDICT_ERROR;

    for (unsigned rule = 0; rule < RULE_COUNT; rule++) {
        tests += was_tested(s, rule);
        failed += failures[rule].count > 0;
    }
    for (unsigned kind = 0; kind < OP_KINDS; kind++) skipped += s->counters.skipped[kind] > 0;

    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"assay ", out);
    xml_text(out, s->target->name);
    fprintf(out, "\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\">\n", tests + skipped + errors, failed,
            errors, skipped);
    for (unsigned rule = 0; rule < RULE_COUNT; rule++)
        if (was_tested(s, rule)) print_rule(out, (enum rule)rule, s->target->name);
    for (unsigned kind = 0; kind < OP_KINDS; kind++)
        if (s->counters.skipped[kind] > 0) print_skipped(out, s, kind);
    if (errors > 0) {
        fputs("    <testcase classname=\"assay.", out);
        xml_text(out, s->target->name);
        fputs("\" name=\"run\">\n      <error type=\"ERROR\" message=\"", out);
        xml_text(out, s->message != NULL ? s->message : "nothing was judged");
        fputs("\"/>\n    </testcase>\n", out);
    }
    fputs("  </testsuite>\n</testsuites>\n", out);
    report_junit_begin(); /* Gives the memory back. */
}
