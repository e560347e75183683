/* files.h: what a FILE|DIR operand stands for. */
#ifndef FILES_H
#define FILES_H

#include <stdbool.h>
#include <stddef.h>

/* Calls visit for a file; for a folder, for every .ops and .bin file below it, in the order of names. Ends early once *stop
 * is true. 0, or -1 with one line in `error` if and only if a folder could not be read; the others have been visited. */
int files_below(const char *path, void (*visit)(void *context, const char *file), void *context,
                const volatile bool *stop, char *error, size_t size);

#endif
