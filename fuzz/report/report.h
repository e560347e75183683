/* report.h: findings and summaries for people (text) and machines (JSON lines, JUnit XML, SARIF 2.1.0).
 *
 * A report is a stream of findings closed by one summary. Nothing in it depends on time, addresses or the machine,
 * except `seconds` of a summary, which is left out where it was not measured; so the same run gives the same bytes.
 */
#ifndef REPORT_H
#define REPORT_H

#include "finding.h"

#include <stdio.h>

enum report_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_JUNIT, FORMAT_SARIF };

struct report {
    enum report_format format;
    FILE *out;
    bool quiet;     /* text: only the first and the last line of a finding, no PASS line */
    unsigned count; /* of findings begun so far */
};

/* true if and only if `word` is a format. */
bool report_format_parse(const char *word, enum report_format *format);

void report_begin(struct report *r);
void report_finding(struct report *r, const struct finding *f);
/* Closes the report. 0, or -1 with errno if and only if something could not be written. */
int report_end(struct report *r, const struct summary *s);

struct diff;

/* What a comparison came to (`assay diff`). */
struct diff_summary {
    const struct diff *diff;
    enum verdict_kind verdict;
    uint32_t findings, disagreements; /* of all, and those of DIFFER among them */
    const bool (*broken)[RULE_COUNT]; /* broken[i][rule]: allocator i broke the rule */
    double seconds;                   /* as in struct summary */
    bool interrupted;
    const char *message; /* for VERDICT_ERROR, or what could not be judged */
};

/* Closes the report of a comparison, as report_end. */
int report_end_diff(struct report *r, const struct diff_summary *s);

/* The command that replays a finding: "assay replay ALLOC FILE …", of a disagreement "assay diff ALLOC ALLOC FILE …";
 * shell-quoted. */
size_t report_replay_command(const struct finding *f, char *out, size_t size);

/* The heap as a picture of one or more text lines around trace->fault_offset, at most `columns` wide. */
void report_heap_picture(FILE *out, const struct trace *trace, const struct verdict *verdict, unsigned columns);

/* The machine as it was at the end, each line behind `margin`: all of it, or what is around the fault. */
void report_machine_picture(FILE *out, const struct machine_picture *m, const char *margin, bool around);

/* The program with each operation's result beside it, the failing one marked. */
void report_annotated(FILE *out, const struct program *p, const struct trace *trace, const struct verdict *verdict);
/* Likewise as a program: the results are comments. */
void report_commented(FILE *out, const struct program *p, const struct trace *trace, const struct verdict *verdict);

#endif
