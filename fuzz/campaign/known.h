/* known.h: what a run has told already. The same bug is met again and again: a finding is new if no other one of the run
 * broke the same rule in the same operation. */
#ifndef KNOWN_H
#define KNOWN_H

#include "finding.h"

#define KNOWN_MAX 128u /* a finding takes at most two: as it was met, and as it is when investigated */

struct known {
    unsigned count;
    struct {
        enum rule rule;
        int kind;
    } seen[KNOWN_MAX];
};

bool known_has(const struct known *k, const struct finding *f);

/* Whether another finding fits. */
bool known_has_room(const struct known *k);

void known_add(struct known *k, const struct finding *f);

#endif
