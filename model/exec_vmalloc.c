/* exec_vmalloc.c: not written yet; nothing is offered. */
#include "exec_kernel.h"

bool exec_step_vmalloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    (void)slot, (void)a, (void)b;
    return exec_skip(x, (enum op_kind)op->kind);
}

bool area_release(struct exec *x, unsigned slot)
{
    (void)x, (void)slot;
    return true;
}

bool areas_fresh(struct exec *x)
{
    (void)x;
    return true;
}

bool areas_finish(struct exec *x)
{
    (void)x;
    return true;
}

bool areas_inspect(struct exec *x)
{
    (void)x;
    return true;
}

void areas_close(struct exec *x) { (void)x; }
