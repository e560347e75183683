/* report_internal.h: what the files of the report share. One file writes one format; text is what the others embed. */
#ifndef REPORT_INTERNAL_H
#define REPORT_INTERNAL_H

#include "report.h"

/* The formats. `end` closes the document; what could not be written is told by the stream. */
void report_text_begin(void);
void report_text_finding(FILE *out, const struct finding *f, bool quiet);
void report_text_end(FILE *out, const struct summary *s, bool quiet);
void report_text_end_diff(FILE *out, const struct diff_summary *s, bool quiet);
void report_json_finding(FILE *out, const struct finding *f);
void report_json_end(FILE *out, const struct summary *s);
void report_json_end_diff(FILE *out, const struct diff_summary *s);
void report_junit_begin(void);
void report_junit_finding(const struct finding *f);
void report_junit_end(FILE *out, const struct summary *s);
void report_junit_end_diff(FILE *out, const struct diff_summary *s);
void report_sarif_begin(FILE *out);
void report_sarif_finding(FILE *out, const struct finding *f, bool first);
void report_sarif_end(FILE *out, const struct summary *s);
void report_sarif_end_diff(FILE *out, const struct diff_summary *s);

/* `s` as a JSON string with its quotes, and as XML or HTML text that may stand in an attribute too. Any bytes give a
 * valid document: what is no UTF-8, or not allowed there, becomes U+FFFD; XML loses control characters. */
void json_string(FILE *out, const char *s);
void xml_text(FILE *out, const char *s);

/* "a", or for a disagreement "a and b". */
size_t report_who(const struct finding *f, char *out, size_t size);
#define REPORT_WHO_MAX (2 * sizeof((struct target){0}.name) + 8)

/* The command that replays the last finding told as text; empty if there was none. */
const char *report_text_last_replay(void);
/* 1234567 as "1,234,567", in the caller's buffer. */
const char *report_grouped(uint64_t n, char buffer[32]);

/* The facts of a verdict's rule, also when it names none (an error of our own). */
const struct rule_info *report_rule(const struct verdict *verdict);
const char *report_verdict_word(enum verdict_kind kind);             /* "PASS", "FAIL", "ERROR" */
const char *report_course_word(unsigned course);                     /* "plain", "drain", … */
void report_offset(uint64_t offset, char *out, size_t size);         /* "+0x40", "-0x8" below the memory lent */
size_t report_file(const struct finding *f, char *out, size_t size); /* the program's path, or where it belongs */

/* A promise of the contract: its bit, its word in profiles (--profile +merges), and what it means. */
struct promise {
    unsigned bit;
    const char *word, *meaning;
};
/* The promise that a rule stands on, or NULL if it holds without one. */
const struct promise *report_promise(enum rule rule);

/* The text form of a program, from malloc; NULL if there is no memory. */
char *report_program_text(const struct program *p);

#endif
