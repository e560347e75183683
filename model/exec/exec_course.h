/* exec_course.h: between exec.c (heaps and rounds) and course.c (how many of them, and what ties them together). */
#ifndef EXEC_COURSE_H
#define EXEC_COURSE_H

#include "exec.h"

/* Runs x->program by its course; false if a rule was broken, or no heap could be had (then the verdict is not FAIL). */
bool course_run(struct exec *x);

/* Whether this round is compared with another one; and after each call of such a round: notes the outcome, or holds it
 * against the round that was noted. */
bool course_compares(const struct exec *x);
bool course_remembers(struct exec *x);

/* A fresh heap of the program's geometry, at another address and with other dirt if `elsewhere`; false as course_run.
 * A host heap lives on. */
bool exec_fresh(struct exec *x, bool elsewhere);

/* The same geometry once more, and the same heap by its own reset() where it offers one: it has to give back what it took. */
bool exec_again(struct exec *x);

/* All operations of the program, once. */
bool exec_round(struct exec *x);

/* The course of A24: false if the cost of a free depends on how many blocks are free. */
bool free_cost(struct exec *x);

/* Slots of the live blocks in address order into x->model.order; returns their number. */
uint32_t model_sort(struct exec *x);

#endif
