/* backing_internal.h: what the files of the lender share (backing.c; backing_pages.c for windows of pages). */
#ifndef BACKING_INTERNAL_H
#define BACKING_INTERNAL_H

#include "backing.h"

/* Counts a request and says whether it is the one to refuse (backing.c). */
bool lender_refuses(struct lender *l);

/* Called by lender_fresh when l->face.base and l->face.size name an inaccessible window of whole pages: makes it a
 * backing of pages, nothing mapped, the files fresh. 0, or errno if and only if the host refuses what that takes.
 * From here until lender_pages_forget, l->brk belongs to backing_pages.c. */
int lender_pages_fresh(struct lender *l);

/* Makes the whole window inaccessible again and the files' bytes fresh, at a cost that follows what was touched. Called
 * before the lender is made fresh with another geometry, and before it is closed; harmless when nothing is lent. */
void lender_pages_forget(struct lender *l);

/* Stores into a file from outside all mappings, as another process would. The range lies inside the file. False if and
 * only if the host refuses. */
bool lender_file_store(struct lender *l, unsigned file, uint64_t offset, const void *bytes, size_t length);

/* Reads what the file holds, past all mappings. False if and only if the host refuses. */
bool lender_file_load(struct lender *l, unsigned file, uint64_t offset, void *bytes, size_t length);

#endif
