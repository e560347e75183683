/* verdict.h: the named rules, and what the model says of a program. */
#ifndef VERDICT_H
#define VERDICT_H

#include <stdbool.h>
#include <stdint.h>

enum rule {
    RULE_NONE,
#define RULE(id, class, source, sentence) RULE_##id,
#define SAME(id, judged_as, sentence)
#define TEST(id, where, sentence)
#include "rules.def"
#undef RULE
#undef SAME
#undef TEST
    RULE_COUNT
};

enum rule_class { CLASS_CORRECT, CLASS_RESOURCE, CLASS_RETURNS };

struct rule_info {
    const char *id; /* "A15" */
    enum rule_class class;
    const char *source;   /* "C11 7.22.3.5" */
    const char *sentence; /* what must hold, one sentence without full stop */
};

/* Facts of a rule; `rule` is one of the enumeration, RULE_NONE excluded. */
const struct rule_info *rule_info(enum rule rule);
/* The rule of this ID, RULE_NONE if and only if there is none. */
enum rule rule_find(const char *id);
const char *rule_class_name(enum rule_class class); /* "correctness", "resources", "returns" */

/* "BAD_FREE", …: the name of an enum alloc_report; "UNKNOWN" for any other number. */
const char *report_kind_name(unsigned kind);

enum verdict_kind {
    VERDICT_PASS,
    VERDICT_FAIL,
    VERDICT_ERROR, /* our own fault or the environment's; `seen` says what */
};

#define VERDICT_TEXT_MAX 160u

struct verdict {
    enum verdict_kind kind;
    enum rule rule;
    uint32_t op;                     /* index of the operation; program's op_count: at the end of the program */
    uint32_t step;                   /* which call of the operation's run, from 0 */
    uint32_t round;                  /* which round of the course, from 0 */
    uint16_t slot;                   /* the block concerned, PROGRAM_SLOTS if none */
    char expected[VERDICT_TEXT_MAX]; /* offsets only, never an address */
    char seen[VERDICT_TEXT_MAX];
};

/* Two verdicts are alike when they break the same rule in the same kind of operation: what minimising preserves. */

#endif
