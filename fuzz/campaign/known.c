/* known.c: known.h is the manual. */
#include "known.h"

static int kind_of(const struct finding *f)
{
    return f->verdict.op < f->program.op_count ? f->program.ops[f->verdict.op].kind : OP_KINDS;
}

bool known_has(const struct known *k, const struct finding *f)
{
    for (unsigned i = 0; i < k->count; i++)
        if (k->seen[i].rule == f->verdict.rule && k->seen[i].kind == kind_of(f)) return true;
    return false;
}

bool known_has_room(const struct known *k) { return k->count + 2 <= KNOWN_MAX; }

void known_add(struct known *k, const struct finding *f)
{
    k->seen[k->count].rule = f->verdict.rule;
    k->seen[k->count++].kind = kind_of(f);
}
