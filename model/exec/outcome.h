/* outcome.h: how the files of exec say what a call came to, for the trace and for courses that compare rounds. */
#ifndef OUTCOME_H
#define OUTCOME_H

#include "exec_internal.h"

static inline void exec_outcome(struct exec *x, const struct op *op, unsigned slot, enum result_class result,
                                const void *block, int error)
{
    x->outcome.result = result;
    x->outcome.block = block;
    x->outcome.usable = 0;
    x->outcome.error = error;
    if (x->options.trace) exec_record(x, op, slot, result, block, 0, error);
}

#endif
