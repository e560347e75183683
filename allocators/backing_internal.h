/* backing_internal.h: shared by backing.c (regions, breaks, address space) and backing_pages.c (windows of pages). */
#ifndef BACKING_INTERNAL_H
#define BACKING_INTERNAL_H

#include "backing.h"

/* Counts one request and says whether to refuse it. */
bool lender_refuses(struct lender *l);

/* Called by lender_fresh when face.base and face.size name an inaccessible window: sets the operations of a window. */
int lender_pages_fresh(struct lender *l);
/* Makes the whole window inaccessible again. */
void lender_pages_forget(struct lender *l);
/* Closes the files. */
void lender_pages_close(struct lender *l);

#endif
