/* backing.h: the harness's side of the memory that it lends (alloc.h has the allocator's side).
 *
 * A lender owns address space for one heap at a time: a region, a break, or a window of pages, each with inaccessible
 * pages at both ends. The end of a region or break of odd size lies against the guard to the byte, so its base has no
 * particular alignment; that of a region with an odd seed lies before it, so that its end has none either. The bytes beside
 * a region are watched. A lender counts what is asked of it, refuses the n-th request when told to, and is made fresh between
 * programs at a cost that follows what was touched.
 */
#ifndef BACKING_H
#define BACKING_H

#include "alloc.h"
#include "machine.h"

enum lender_dirt { DIRT_ZERO, DIRT_A5, DIRT_FF, DIRT_RANDOM };

struct lender_geometry {
    enum backing_kind kind;
    uint64_t size;         /* bytes; rounded up to whole pages for BACKING_PAGES */
    enum lender_dirt dirt; /* what untouched bytes hold; a window of pages is always fresh zero pages */
    uint32_t seed;         /* of DIRT_RANDOM */
    bool low;              /* below 4 GiB */
    bool fence_pages;      /* BACKING_BREAK: pages above the break are really inaccessible */
    bool elsewhere;        /* at another address than a lender without this bit (for twin runs) */
    /* BACKING_MACHINE, for which size, low and fence_pages are not looked at */
    enum machine_config machine;
    bool scatter; /* as machine_geometry.scatter */
};

#define LENDER_FAULTS 4u /* requests that can be told to fail */
#define LENDER_FILES 2u
#define LENDER_FILE_BYTES 10000u /* no multiple of a page */

struct lender {
    struct backing face; /* what the allocator gets; the rest is the harness's */
    struct lender_geometry geometry;
    /* Requests that may be refused: a move of the break, map and unmap, whatever a machine's faults can strike, what a
     * library that is watched asks of the system. */
    uint64_t requests;               /* made of this lender since lender_fresh */
    uint64_t refused;                /* of those, refused because it was told to */
    uint64_t refused_last;           /* the number of the last of these */
    uint64_t fail_at[LENDER_FAULTS]; /* refuse when `requests` reaches one of these numbers; 0: none */
    unsigned char *brk;              /* BACKING_BREAK: the break */
    unsigned char *high;             /* ... and its highest value since lender_fresh */
    uint32_t reports;                /* contract errors that the allocator reported since lender_fresh */
    enum alloc_report report;        /* the last of them */
    const void *report_where;
    uint64_t kept_bytes;        /* of the address space in `spaces`, guards excluded */
    uint64_t mapped_bytes;      /* BACKING_PAGES: bytes that hold pages now */
    int file_fds[LENDER_FILES]; /* memfds behind the files; -1 until first used */
    void *spaces;               /* address space kept for reuse; private to backing.c */
    struct machine machine;     /* BACKING_MACHINE */
    /* BACKING_MACHINE: who reclaims and kills for it; NULL: nobody, nothing is released. Set by the lender's owner, kept
     * by lender_fresh. Its `report` is not called: reports are counted above. */
    const struct machine_host *surroundings;
};

/* Prepares an empty lender; takes no memory yet. */
void lender_init(struct lender *l);

/* Gives `l` a fresh backing of this geometry: everything lent before is forgotten, bytes are as the dirt says, files
 * hold lender_file_byte, a machine is as after power-on, counts are 0. 0, or errno if and only if the host has no such
 * address space (ENOMEM). */
int lender_fresh(struct lender *l, const struct lender_geometry *geometry);

/* The first byte beside a region that somebody has written since lender_fresh; NULL: none that is looked at, which are those
 * of its first and last page, up to 64 on either side. */
const void *lender_strayed(const struct lender *l);

/* Gives all address space back. */
void lender_close(struct lender *l);

/* Whatever is asked for from now on, nothing is refused on demand. */
static inline void lender_spare(struct lender *l)
{
    for (unsigned i = 0; i < LENDER_FAULTS; i++) l->fail_at[i] = 0;
}

/* Somebody else's sbrk (A40): as face.sbrk, but neither counted nor refused on demand. */
void *lender_foreign_sbrk(struct lender *l, ptrdiff_t delta_bytes);

/* Bytes taken and not given back: the break above base, the pages mapped, the frames taken, or what a library that is watched
 * (host_maps.h) has; 0 for a region and any other host heap. */
uint64_t lender_footprint(const struct lender *l);

/* The byte that file `file` holds at `offset` when fresh; never 0, so that a missing page shows. */
unsigned char lender_file_byte(unsigned file, uint64_t offset);

/* Whether reading one byte at p works, asked of the kernel, without a signal (SEMANTICS O8). */
bool lender_readable(const void *p);

#endif
