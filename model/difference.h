/* difference.h: two or more allocators side by side: what each chose where the rules leave a choice, and whether two of
 * them disagree where they leave none (DIFFER; SEMANTICS C, "What two correct allocators may differ in").
 *
 * All run the same programs, each judged by the model on its own; observe.h noted their calls. A call counts for the sums
 * if all made it and were asked the same. Programs in which one of them broke a rule are left out.
 *
 * What the model cannot judge of one alone, and two show. As long as two have answered alike (in step),
 *   - the next call of the malloc family is made to both or to neither: the same identifiers are alive;
 *   - a contract error that leaves one answer only (an address inside a live block, or one never returned) is reported as
 *     the same error by both, if both promise to report it;
 *   - a kmalloc of nothing is of the same class;
 *   - two of the same allocator that promises to be deterministic answer alike in everything, each in a process of its own
 *     (C37), but for what an alignment beyond a page may see of where the memory lies.
 * From the first answer on that the rules leave open and that differs, their lives are different, and nothing more is
 * demanded of the pair until the program ends.
 */
#ifndef DIFFERENCE_H
#define DIFFERENCE_H

#include "observe.h"

#include "alloc.h"

#define PARTIES_MAX 16u

struct party {
    const char *name; /* as verdicts say it */
    const struct alloc_contract *contract;
    const unsigned *offered; /* bit k of word k/32: operation k is offered */
    unsigned same; /* the first party that is the same allocator with the same contract: its own number if none */
};

/* Classes of new blocks, by the bytes asked for; and those for which an alignment of up to a page was asked as well. */
enum usable_class { USABLE_64, USABLE_1K, USABLE_32K, USABLE_ABOVE, USABLE_ALIGNED, USABLE_CLASSES };
enum align_class { ALIGN_TO_8, ALIGN_TO_15, ALIGN_FROM_16, ALIGN_CLASSES };
enum zero_class { ZERO_MALLOC, ZERO_ALIGNED, ZERO_CLASSES }; /* malloc and its like; with an alignment */
#define HUGE_REQUEST ((uint64_t)16 << 20)                    /* from here on a request is huge */

/* What one allocator chose. The comment says of how many. */
struct choices {
    uint64_t
        usable[USABLE_CLASSES]; /* bytes, for difference.asked[class] asked for; 0 where usable_size is not offered */
    uint64_t refused, refused_least; /* requests that another granted, of difference.requests; the smallest, 0: none */
    uint64_t full, full_permille;    /* programs with a refusal; and the heap's share that was alive then, summed */
    uint64_t grown_in_place, shrunk_in_place; /* of difference.grown and .shrunk */
    uint64_t zero_blocks[ZERO_CLASSES];       /* not NULL, of difference.zero */
    uint8_t align_least[ALIGN_CLASSES];       /* log2 of bytes; of difference.aligned blocks */
    uint64_t huge_granted, huge_largest;      /* of difference.huge; bytes */
    uint64_t refusals, refusals_enomem;       /* NULL for a request, and how often errno was ENOMEM */
    uint64_t taken, live; /* most bytes taken and most alive of each program, summed; host: of all, as `resident` */
};

struct example { /* the new block up to 32 KiB on which they differ most; bytes 0: there is none; usable 0: not known */
    enum op_kind kind;
    uint64_t bytes, usable[PARTIES_MAX];
};

struct difference {
    unsigned count;
    struct party party[PARTIES_MAX];
    struct choices choices[PARTIES_MAX];
    uint64_t programs, left_out; /* compared; left out because one broke a rule in it or could not run it */
    uint64_t cut;                /* programs of which only the beginning was compared */
    uint64_t calls;              /* that all made, asked the same */
    uint64_t asked[USABLE_CLASSES], requests, grown, shrunk, zero[ZERO_CLASSES], aligned[ALIGN_CLASSES], huge;
    uint64_t checked; /* of DIFFER */
    struct example usable;
};

/* One program's run on one party. */
struct observed_run {
    const struct observed *program;
    const struct observation *calls; /* its own, the first at index 0 */
};

struct disagreement {
    unsigned one, other; /* of which parties */
    struct verdict verdict;
};

/* All sums 0; the parties are copied, what they point to outlives the comparison. count is 2 .. PARTIES_MAX. */
void difference_begin(struct difference *d, const struct party *parties, unsigned count);

/* Adds one program, runs[i] being that of party i. Gives the number of pairs that disagree on what may not differ, each told
 * once in *found, in the order in which they fell out, at most `room` of them. The program's calls count all the same. */
unsigned difference_add(struct difference *d, const struct observed_run *runs, struct disagreement *found,
                        unsigned room);

#endif
