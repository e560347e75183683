/* none.c: a library that uses malloc and has none; the C library that it depends on does not count. */
#include <stdlib.h>

void *duplicate(void);
void *duplicate(void) { return malloc(1); }
