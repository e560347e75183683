/* known.h: what a run has told already, so that the same fault is told once: an allocator's rule, in a kind of operation. */
#ifndef KNOWN_H
#define KNOWN_H

#include "finding.h"

#define KNOWN_MAX 256u

struct signature {
    unsigned party; /* which allocator, where there are several */
    enum rule rule;
    int kind; /* of the failing operation; OP_KINDS at the end of a program */
};

struct known {
    unsigned count;
    struct signature list[KNOWN_MAX];
};

struct signature signature_of(unsigned party, const struct program *p, const struct verdict *v);
bool signature_equal(struct signature a, struct signature b);

/* Remembers it. False if and only if it was known already, or there is no more room. */
bool first_seen(struct known *k, struct signature s);

#endif
