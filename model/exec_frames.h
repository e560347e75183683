/* exec_frames.h: what exec_frames.c needs of its neighbours. */
#ifndef EXEC_FRAMES_H
#define EXEC_FRAMES_H

#include "exec_internal.h"
#include "frames_model.h"

/* The state of the frames of the heap in use: sizeof(struct frames_model) bytes that live as long as x (exec.c). */
struct frames_model *exec_frames_model(struct exec *x);

/* Called when a heap has been made afresh. */
void exec_frames_fresh(struct exec *x);

/* The live block of `slot` holds what its owner wrote; otherwise `rule` is broken (exec_heap.c). */
bool exec_block_intact(struct exec *x, unsigned slot, enum rule rule);

/* The block of `slot` is no longer live: the model forgets it, nothing is called (exec_heap.c). */
void exec_block_dies(struct exec *x, unsigned slot);

#endif
