/* exec_frames.h: what exec_frames.c and its neighbours need of each other. */
#ifndef EXEC_FRAMES_H
#define EXEC_FRAMES_H

#include "exec_internal.h"
#include "frames_model.h"

/* The state of the frames of the heap in use: sizeof(struct frames_model) bytes that live as long as x (exec.c). */
struct frames_model *exec_frames_model(struct exec *x);

/* Called when a heap has been made afresh. */
void exec_frames_fresh(struct exec *x);

#endif
