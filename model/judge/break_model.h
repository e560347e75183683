/* break_model.h: what the contract says of a break, and what its bytes should hold (A35-A39, A42).
 *
 * Positions are offsets from the start of the break. A break is a stack of bytes, and so is what is known of them:
 * spans in address order, each as somebody left it; above the last span everything is as fresh. Growth cuts the spans
 * at the old break and puts a new one on top, up to the end of the page; shrinking cuts them at the end of the new page,
 * for the bytes between the break and that page end stay in place and keep their contents.
 *
 *      0                                   break      page end                              limit
 *      | pattern  | others  | pattern         :           |          fresh: zero              |
 *       spans[0]   spans[1]  spans[2]         top         end
 */
#ifndef BREAK_MODEL_H
#define BREAK_MODEL_H

#include "program.h"
#include "ruling.h"

enum break_content {
    CONTENT_ZERO,    /* untouched */
    CONTENT_PATTERN, /* payload_fill from the span's start, with its key */
    CONTENT_OTHERS,  /* the allocator's own, or a stranger's: not predicted */
};

struct break_span {
    uint64_t end; /* begins where the span before ends */
    uint64_t top; /* the break when it was made, or where it was cut; from here to end nobody owns it */
    uint64_t key;
    enum break_content content;
};

#define BREAK_SPANS_MAX (3u * PROGRAM_STEPS_MAX)

struct break_model {
    unsigned char *base;
    uint64_t size, page_bytes;
    uint64_t current;    /* the break */
    uint64_t requests;   /* made of the backing when it was last looked at: others have been there if it is more now */
    bool fresh_is_known; /* fresh bytes read as zero */
    uint32_t seed;
    uint64_t generation; /* of patterns */
    uint32_t count;
    struct break_span spans[BREAK_SPANS_MAX];
};

/* What came of one call. */
struct break_seen {
    bool failed;     /* SBRK_FAILED, or -1 */
    uint64_t result; /* sbrk: offset of the result */
    int error;       /* errno, if failed */
    bool refused;    /* the backing refused a request of this call because it was told to */
    uint64_t now;    /* offset of sbrk(0) afterwards */
    uint64_t lent;   /* offset of the backing's own break afterwards */
};

void break_fresh(struct break_model *m, unsigned char *base, uint64_t size, uint64_t page_bytes, bool fresh_is_known,
                 uint32_t seed);

/* Judge a call; the state is not changed. */
struct ruling break_judge_sbrk(const struct break_model *m, int64_t delta, const struct break_seen *seen);
struct ruling break_judge_brk(const struct break_model *m, uint64_t target, const struct break_seen *seen);

/* May the program itself lower the break to `target`? Not below bytes that the allocator or others took. */
bool break_may_lower(const struct break_model *m, uint64_t target);

/* The program moved the break, as judged: forgets what is gone, writes a pattern into what is new. */
void break_own_move(struct break_model *m, uint64_t target);

/* Somebody else moved it (the allocator for its heap, or a stranger) to `target` in the end, by whatever ways: all that
 * lies above the program's own bytes is theirs now. False if and only if the program's own bytes were cut. */
bool break_others_move(struct break_model *m, uint64_t target);

/* End of the page that `offset` lies in, or offset itself if a page ends there; an offset again. */
uint64_t break_page_end(const struct break_model *m, uint64_t offset);

/* Reads [from, to), accessible: offset of the first byte that is not as it should be, or `to`. Of each long span only
 * both ends are read. */
uint64_t break_verify(const struct break_model *m, uint64_t from, uint64_t to);

#endif
