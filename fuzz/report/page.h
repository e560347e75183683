/* page.h: a program as one static HTML page, with the heap drawn over time. */
#ifndef PAGE_H
#define PAGE_H

#include "exec.h"
#include "program.h"
#include "verdict.h"

#include <stdio.h>

/* Writes the page: it needs nothing beside itself and no script. `trace` and `verdict` are of a run of p on
 * `allocator`; all three may be NULL, then the chart shows what the program asks for. Host heaps, which have no offsets,
 * are drawn by slot. 0, or -1 with errno if and only if something could not be written. */
int page_write(FILE *out, const struct program *p, const struct trace *trace, const struct verdict *verdict,
               const char *allocator);

#endif
