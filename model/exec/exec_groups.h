/* exec_groups.h: the end of what the groups keep between programs. */
#ifndef EXEC_GROUPS_H
#define EXEC_GROUPS_H

struct exec;

/* Called by exec_close: give the models' memory back, if there is any. */
void exec_break_close(struct exec *x);
void exec_maps_close(struct exec *x);

#endif
