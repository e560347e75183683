/* map_model.h: what the contract says of mappings, and what every page of the window should hold (A43-A48).
 *
 * How OP_MMAP is written down: `a` is the length in bytes, `b` packs the rest,
 *
 *     bits  0-4   enum map_flags; neither or both of SHARED and PRIVATE is a bad argument on purpose
 *     bits  5-6   file number; files that do not exist are a bad argument, unless ANONYMOUS
 *     bits  7-11  offset in the file, in pages
 *     bit  12     offset one byte further: a bad argument
 *     bits 13-14  enum map_address
 *     bit  15     address MAP_UNALIGNED_BYTES further: with FIXED a bad argument
 *     bits 16-31  the page that enum map_address speaks of
 *     bits 32-44  the slot that MAP_ADDRESS_IN_REF speaks of
 *
 * and a mapping is named by its slot. For OP_MUNMAP, `b` is taken modulo the length of the mapping and `a` is cut at
 * its end; for OP_MAP_STORE, `a` is taken modulo its length. Stores replace the page that they hit, or as much of it as
 * lies inside the file. Not made, because no program has the right to them: a fixed mapping over pages, or an munmap of
 * pages, that the allocator has mapped for itself.
 */
#ifndef MAP_MODEL_H
#define MAP_MODEL_H

#include "backing.h"
#include "program.h"
#include "ruling.h"

enum map_address {
    MAP_ADDRESS_NONE,   /* NULL */
    MAP_ADDRESS_IN_REF, /* page k (modulo its length) of the mapping in the slot that b names; NULL if there is none */
    MAP_ADDRESS_WINDOW, /* page k (modulo one more than there are) of the window */
};

#define MAP_FLAGS_MASK 0x1fu
#define MAP_FILE_SHIFT 5u
#define MAP_FILE_MASK 0x3u
#define MAP_OFFSET_SHIFT 7u
#define MAP_OFFSET_MASK 0x1fu
#define MAP_OFFSET_BAD (1u << 12)
#define MAP_ADDRESS_SHIFT 13u
#define MAP_ADDRESS_MASK 0x3u
#define MAP_ADDRESS_BAD (1u << 15)
#define MAP_PAGE_SHIFT 16u
#define MAP_PAGE_MASK 0xffffu
#define MAP_SLOT_SHIFT 32u
#define MAP_UNALIGNED_BYTES 8u

enum map_content {
    MAP_NONE, /* not mapped */
    MAP_ZERO, /* anonymous, untouched */
    MAP_OWN,  /* stored to: payload_fill with `key`; anonymous or private */
    MAP_SHARED_FILE,
    MAP_COPY,   /* private, untouched: the file as it was at version `key`, or as it is now (either is legal) */
    MAP_BEYOND, /* wholly behind the end of the file: touching it is an error */
};

struct map_page {
    uint64_t key;
    uint32_t file_page;
    uint8_t content; /* enum map_content */
    uint8_t file;
};

#define MAP_FILE_PAGES 3u /* of 4096 bytes; fewer of larger ones */

struct map_file_page {
    uint64_t version; /* stores so far; version 0 is lender_file_byte */
    uint64_t key[2];  /* of version v: key[v % 2] */
};

struct map_range {
    uint64_t page, count; /* count 0: not live */
};

struct map_model {
    unsigned char *base;
    uint64_t page_bytes, page_count; /* of the window */
    uint64_t capacity;               /* of `pages` */
    struct map_page *pages;
    uint64_t first, last;  /* pages [first, last) have ever been mapped */
    uint64_t mapped_pages; /* now */
    uint32_t seed;
    uint64_t generation;
    struct map_range slots[PROGRAM_SLOTS];
    struct map_file_page files[LENDER_FILES][MAP_FILE_PAGES];
    unsigned char fresh[LENDER_FILES][LENDER_FILE_BYTES]; /* lender_file_byte */
};

struct map_request {
    uintptr_t address;
    size_t length, offset;
    unsigned flags, file;
};

struct map_seen {
    bool failed;        /* MAPPING_FAILED, or -1 */
    uintptr_t address;  /* mmap: the result */
    int error;          /* errno, if failed */
    bool refused;       /* the backing refused a request of this call because it was told to */
    bool over_own;      /* FIXED: the range held pages of the allocator's own before the call */
    bool over_blocks;   /* the range, asked for or returned, is that of live blocks of the heap */
    uint64_t own_pages; /* how many the allocator has: they hold something, and the model does not know them */
};

/* Begins with an empty window. `pages` must have room for page_count; it is cleared as far as it was touched. */
void map_fresh(struct map_model *m, unsigned char *base, uint64_t page_bytes, uint64_t page_count, uint32_t seed);

void map_unpack(const struct map_model *m, uint64_t a, uint64_t b, struct map_request *out);

/* First page of [address, address+length) and how many; false if it is not aligned or not inside the window. */
bool map_pages_of(const struct map_model *m, uintptr_t address, size_t length, struct map_range *out);

/* Whether the allocator itself holds a page of this range; asked of the kernel, if there can be one at all. */
bool map_holds_own(const struct map_model *m, const struct map_range *range, uint64_t own_pages);

/* Judge a call; the state is not changed. */
struct ruling map_judge_mmap(const struct map_model *m, const struct map_request *request, const struct map_seen *seen);
struct ruling map_judge_munmap(const struct map_model *m, const struct map_request *request,
                               const struct map_seen *seen);

/* The call succeeded, as judged: [range] is mapped as asked, or no longer. */
void map_put(struct map_model *m, const struct map_range *range, const struct map_request *request);
void map_remove(struct map_model *m, const struct map_range *range);

/* Bytes of this page of the file that lie inside the file. */
size_t map_file_bytes(const struct map_model *m, uint32_t file_page);

/* Reads an accessible page: true, or false with *at, offset in the page of the first wrong byte. */
bool map_verify(const struct map_model *m, uint64_t page, size_t *at);
/* The same of `bytes` read from a file past all mappings. */
bool map_verify_file(const struct map_model *m, unsigned file, uint32_t file_page, const unsigned char *bytes,
                     size_t *at);
/* The rule that is broken when map_verify says false. */
enum rule map_content_rule(const struct map_model *m, uint64_t page);

/* Stores a new pattern through the mapping; `page` is accessible. */
void map_store(struct map_model *m, uint64_t page);
/* The file changes from outside: gives the key to fill its page with. */
uint64_t map_file_store(struct map_model *m, unsigned file, uint32_t file_page);

#endif
