/* page_machine.h: the machine in the page of page.h. */
#ifndef PAGE_MACHINE_H
#define PAGE_MACHINE_H

#include "machine_picture.h"

#include <stdio.h>

/* The lines of the page's style that it needs, beside the classes b0 to b5 of slots. */
void page_machine_style(FILE *out);
/* A heading, and what is below it. */
void page_machine(FILE *out, const struct machine_picture *m);

#endif
