/* rules.c: the table behind verdict.h. */
#include "verdict.h"

#include "alloc.h"

#include <stddef.h>
#include <string.h>

#define CORRECT CLASS_CORRECT
#define RESOURCE CLASS_RESOURCE
#define RETURNS CLASS_RETURNS

static const struct rule_info table[RULE_COUNT] = {
#define RULE(id_, class_, source_, sentence_) \
    [RULE_##id_] = {.id = #id_, .class = class_, .source = source_, .sentence = sentence_},
#define SAME(id, judged_as, sentence)
#define TEST(id, where, sentence)
#include "rules.def"
#undef RULE
#undef SAME
#undef TEST
};

const struct rule_info *rule_info(enum rule rule) { return &table[rule]; }

enum rule rule_find(const char *id)
{
    for (int i = RULE_NONE + 1; i < RULE_COUNT; i++)
        if (strcmp(table[i].id, id) == 0) return (enum rule)i;
    return RULE_NONE;
}

const char *rule_class_name(enum rule_class class)
{
    static const char *const names[] = {"correctness", "resources", "returns"};
    return names[class];
}

const char *report_kind_name(unsigned kind)
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
