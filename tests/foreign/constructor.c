/* constructor.c: a library that does not survive being loaded. CONSTRUCTOR is a statement. */
#include <stdlib.h>

void needed_by_others(void);
void needed_by_others(void) {}

__attribute__((constructor)) static void start(void) { CONSTRUCTOR; }
