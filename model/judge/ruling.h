/* ruling.h: what a part of the model says of one observed call. The caller words what was seen. */
#ifndef RULING_H
#define RULING_H

#include "verdict.h"

struct ruling {
    enum rule rule;       /* the broken rule; RULE_NONE if the observation is allowed */
    const char *expected; /* what the rule demands here, without full stop */
};

#define RULING_ALLOWED ((struct ruling){.rule = RULE_NONE, .expected = ""})

static inline struct ruling ruling_broken(enum rule rule, const char *expected)
{
    return (struct ruling){.rule = rule, .expected = expected};
}

#endif
