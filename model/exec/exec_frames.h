/* exec_frames.h: what exec_frames.c and its neighbours need of each other. */
#ifndef EXEC_FRAMES_H
#define EXEC_FRAMES_H

#include "exec_internal.h"
#include "frames_model.h"

static inline struct frames_model *exec_frames_model(struct exec *x) { return x->frames; }

/* Called when a heap has been made afresh. */
void exec_frames_fresh(struct exec *x);

#endif
