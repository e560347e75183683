/* backing_internal.h: shared by backing.c (regions, breaks, address space) and backing_pages.c (windows of pages). */
#ifndef BACKING_INTERNAL_H
#define BACKING_INTERNAL_H

#include "backing.h"

/* Counts one request and says whether to refuse it. */
bool lender_refuses(struct lender *l);

/* Called by lender_fresh when face.base and face.size name an inaccessible window: makes it a backing of pages, nothing
 * mapped, the files fresh. 0, or errno if and only if the host refuses what that takes. From here until
 * lender_pages_forget, l->brk belongs to backing_pages.c. */
int lender_pages_fresh(struct lender *l);
/* Makes the whole window inaccessible and the files fresh again, at a cost that follows what was touched. */
void lender_pages_forget(struct lender *l);
/* Forgets the window, if there is one, and closes the files. */
void lender_pages_close(struct lender *l);

/* Stores into a file, or reads it, past all mappings, as another process would. The range lies inside the file. False
 * if and only if the host refuses. */
bool lender_file_store(struct lender *l, unsigned file, uint64_t offset, const void *bytes, size_t length);
bool lender_file_load(struct lender *l, unsigned file, uint64_t offset, void *bytes, size_t length);

#endif
