/* exec_break.h: what other files of exec ask of exec_break.c. */
#ifndef EXEC_BREAK_H
#define EXEC_BREAK_H

#include "exec_internal.h"

/* Called after every call that may have moved the break (the heap's, and a stranger's sbrk): judges A42 and lets the
 * model follow. `live_end` is the first byte above the highest live block, NULL if none is live. Does nothing unless
 * the memory lent is a break. */
bool exec_break_observe(struct exec *x, const void *live_end);

#endif
