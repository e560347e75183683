/* known.c: known.h is the manual. */
#include "known.h"

struct signature signature_of(unsigned party, const struct program *p, const struct verdict *v)
{
    int kind = v->op < p->op_count ? p->ops[v->op].kind : OP_KINDS;
    return (struct signature){party, v->rule, kind};
}

bool signature_equal(struct signature a, struct signature b)
{
    return a.party == b.party && a.rule == b.rule && a.kind == b.kind;
}

bool first_seen(struct known *k, struct signature s)
{
    for (unsigned i = 0; i < k->count; i++)
        if (signature_equal(k->list[i], s)) return false;
    if (k->count == KNOWN_MAX) return false;
    k->list[k->count++] = s;
    return true;
}
