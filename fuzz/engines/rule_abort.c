/* rule_abort.c: the end of a process that found a rule broken, in a function that bears the rule's name: rule_A7_is_broken.
 *
 * Fuzzing services tell one bug from another by the functions on top of the stack (ClusterFuzz by three of them). Without a
 * frame of its own for each rule, all that one target finds would be one bug there.
 */
#include "engine.h"

#include <stdlib.h>

/* The number that each mentions keeps a compiler from folding what is otherwise one function. */
#define RULE(id, class, source, sentence)                                       \
    static _Noreturn __attribute__((noinline)) void rule_##id##_is_broken(void) \
    {                                                                           \
        __asm__ volatile("" ::"i"(RULE_##id));                                  \
        abort();                                                                \
    }
#define SAME(id, judged_as, sentence)
#define TEST(id, where, sentence)
#include "rules.def"
#undef RULE

#define RULE(id, class, source, sentence) [RULE_##id] = rule_##id##_is_broken,
static void (*const aborts[RULE_COUNT])(void) = {
#include "rules.def"
};
#undef RULE
#undef SAME
#undef TEST

_Noreturn void engine_rule_abort(enum rule rule)
{
    if (aborts[rule]) aborts[rule]();
    abort();
}
