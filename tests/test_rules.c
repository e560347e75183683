/* test_rules.c: the table of rules that verdicts and docs/RULES.md are made from. */
#include "verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_rule_is_found_by_its_id(void **state)
{
    (void)state;
    for (int i = RULE_NONE + 1; i < RULE_COUNT; i++) assert_int_equal(rule_find(rule_info((enum rule)i)->id), i);
}

static void ids_are_unique(void **state)
{
    (void)state;
    for (int i = RULE_NONE + 1; i < RULE_COUNT; i++)
        for (int j = i + 1; j < RULE_COUNT; j++)
            assert_string_not_equal(rule_info((enum rule)i)->id, rule_info((enum rule)j)->id);
}

/* SAME and TEST rows are no verdicts: what they say is found under another ID, or by a test. */
static void unknown_ids_are_not_found(void **state)
{
    (void)state;
    static const char *const unknown[] = {"", "A", "A99", "a15", "A15 ", "RULE_A15", "A1", "A3"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) assert_int_equal(rule_find(unknown[i]), RULE_NONE);
}

static void every_rule_says_what_and_whence(void **state)
{
    (void)state;
    for (int i = RULE_NONE + 1; i < RULE_COUNT; i++) {
        const struct rule_info *info = rule_info((enum rule)i);
        assert_true(strlen(info->id) > 0);
        assert_true(strlen(info->source) > 0);
        assert_true(strlen(info->sentence) > 0);
        assert_int_not_equal(info->sentence[strlen(info->sentence) - 1], '.');
        assert_null(strchr(info->sentence, '\n'));
    }
}

static void every_class_has_a_name_and_a_rule(void **state)
{
    (void)state;
    unsigned rules[CLASS_RETURNS + 1] = {0};
    for (int i = RULE_NONE + 1; i < RULE_COUNT; i++) rules[rule_info((enum rule)i)->class]++;
    for (int c = CLASS_CORRECT; c <= CLASS_RETURNS; c++) assert_true(rules[c] > 0);
    assert_string_equal(rule_class_name(CLASS_CORRECT), "correctness");
    assert_string_equal(rule_class_name(CLASS_RESOURCE), "resources");
    assert_string_equal(rule_class_name(CLASS_RETURNS), "returns");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_is_found_by_its_id),     cmocka_unit_test(ids_are_unique),
        cmocka_unit_test(unknown_ids_are_not_found),         cmocka_unit_test(every_rule_says_what_and_whence),
        cmocka_unit_test(every_class_has_a_name_and_a_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
