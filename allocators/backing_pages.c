/* backing_pages.c: a window of pages as a backing (BACKING_PAGES).
 *
 * The window is reserved address space. map() puts real pages over parts of it with mmap(MAP_FIXED), which replaces
 * what is there in one step; unmap() puts inaccessible ones back. One byte a page remembers what holds pages, so that
 * replacing a page counts it once; the span that was ever touched bounds what has to be undone. The files are memfds:
 * a store through a shared mapping cannot be seen by us, so a file counts as dirty from its first shared mapping on.
 *
 * The bookkeeping is one mapping made with the window and taken down with it; its size is that of the window divided by
 * the size of a page, but only what is touched costs memory.
 */
#include "backing_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

struct pages {
    size_t bytes;       /* of this record and its map */
    size_t first, last; /* pages [first, last) have been touched */
    bool files_dirty[LENDER_FILES];
    unsigned char holds[]; /* 1 for a page that holds a real one */
};

static struct pages *pages_of(struct lender *l) { return (struct pages *)(void *)l->brk; }

static struct lender *lender_of(struct backing *b) { return (struct lender *)(void *)b; } /* face comes first */

/* ---- Files ------------------------------------------------------------------------------------------------------- */

unsigned char lender_file_byte(unsigned file, uint64_t offset)
{
    uint64_t x = (offset + 1) * UINT64_C(0x9e3779b97f4a7c15) + file * UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return (unsigned char)(1 + (x >> 32) % 255);
}

/* Truncating first drops the pages, and with them what was stored behind the end of the last one. */
static int fill_file(int fd, unsigned file)
{
    unsigned char bytes[LENDER_FILE_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = lender_file_byte(file, i);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return ENOMEM;
    return 0;
}

static int file_fd(struct lender *l, unsigned file)
{
    if (l->file_fds[file] >= 0) return l->file_fds[file];
    int fd = memfd_create("assay-file", MFD_CLOEXEC);
    if (fd < 0) return -1;
    if (fill_file(fd, file) != 0) {
        close(fd);
        return -1;
    }
    l->file_fds[file] = fd;
    return fd;
}

bool lender_file_store(struct lender *l, unsigned file, uint64_t offset, const void *bytes, size_t length)
{
    int fd = file_fd(l, file);
    if (fd < 0) return false;
    pages_of(l)->files_dirty[file] = true;
    return pwrite(fd, bytes, length, (off_t)offset) == (ssize_t)length;
}

bool lender_file_load(struct lender *l, unsigned file, uint64_t offset, void *bytes, size_t length)
{
    int fd = file_fd(l, file);
    return fd >= 0 && pread(fd, bytes, length, (off_t)offset) == (ssize_t)length;
}

/* ---- map and unmap ----------------------------------------------------------------------------------------------- */

static bool in_window(const struct backing *b, const void *at, size_t length)
{
    uintptr_t offset = (uintptr_t)at - (uintptr_t)b->base;
    if (length == 0 || (offset | length) % b->page_bytes != 0) return false;
    return offset < b->size && length <= b->size - offset;
}

/* Pages [at, at+length) hold real pages from now on, or none. */
static void note(struct lender *l, const unsigned char *at, size_t length, bool holds)
{
    struct pages *p = pages_of(l);
    size_t page = (size_t)(at - l->face.base) / l->face.page_bytes, end = page + length / l->face.page_bytes;
    if (page < p->first) p->first = page;
    if (end > p->last) p->last = end;
    for (; page < end; page++) {
        if (p->holds[page] == holds) continue;
        p->holds[page] = holds;
        l->mapped_bytes += holds ? l->face.page_bytes : -(uint64_t)l->face.page_bytes;
    }
}

static int make_inaccessible(void *at, size_t length)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    return mmap(at, length, PROT_NONE, flags, -1, 0) == MAP_FAILED ? errno : 0;
}

static int pages_map(struct backing *b, void *at, size_t length, enum backing_source source, unsigned file,
                     size_t offset)
{
    struct lender *l = lender_of(b);
    if (!in_window(b, at, length)) return EINVAL;
    if (source != SOURCE_ANONYMOUS && (file >= b->files || offset % b->page_bytes != 0)) return EINVAL;
    if (lender_refuses(l)) return ENOMEM;

    int fd = -1, flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    if (source != SOURCE_ANONYMOUS) {
        flags = MAP_FIXED | (source == SOURCE_FILE_SHARED ? MAP_SHARED : MAP_PRIVATE);
        fd = file_fd(l, file);
        if (fd < 0) return ENOMEM;
        if (source == SOURCE_FILE_SHARED) pages_of(l)->files_dirty[file] = true;
    } else {
        offset = 0;
    }
    if (mmap(at, length, PROT_READ | PROT_WRITE, flags, fd, (off_t)offset) == MAP_FAILED) return errno;
    note(l, at, length, true);
    return 0;
}

static int pages_unmap(struct backing *b, void *at, size_t length)
{
    struct lender *l = lender_of(b);
    if (!in_window(b, at, length)) return EINVAL;
    if (lender_refuses(l)) return ENOMEM;
    int error = make_inaccessible(at, length);
    if (error == 0) note(l, at, length, false);
    return error;
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

int lender_pages_fresh(struct lender *l)
{
    size_t bytes = sizeof(struct pages) + l->face.size / l->face.page_bytes;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    struct pages *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (p == MAP_FAILED) return ENOMEM;
    *p = (struct pages){.bytes = bytes, .first = SIZE_MAX};
    l->brk = (unsigned char *)p;
    l->mapped_bytes = 0;
    l->face.map = pages_map;
    l->face.unmap = pages_unmap;
    l->face.files = LENDER_FILES;
    l->face.file_bytes = LENDER_FILE_BYTES;
    return 0;
}

void lender_pages_forget(struct lender *l)
{
    struct pages *p = pages_of(l);
    if (l->face.kind != BACKING_PAGES || p == NULL) return;
    if (p->first < p->last) {
        unsigned char *at = l->face.base + p->first * l->face.page_bytes;
        make_inaccessible(at, (p->last - p->first) * l->face.page_bytes);
    }
    for (unsigned file = 0; file < LENDER_FILES; file++) {
        if (!p->files_dirty[file] || fill_file(l->file_fds[file], file) == 0) continue;
        close(l->file_fds[file]); /* made again at its next use */
        l->file_fds[file] = -1;
    }
    munmap(p, p->bytes);
    l->brk = NULL;
    l->mapped_bytes = 0;
}

void lender_pages_close(struct lender *l)
{
    lender_pages_forget(l);
    for (unsigned file = 0; file < LENDER_FILES; file++) {
        if (l->file_fds[file] >= 0) close(l->file_fds[file]);
        l->file_fds[file] = -1;
    }
}

/* Whether a pipe takes the byte at p; true if there is no pipe to be had. */
static bool pipe_takes(const void *p)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return true;
    const bool taken = write(ends[1], p, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return taken;
}

/* Reading oneself as if one were another process fails with EFAULT where a plain read would raise a signal. Some
 * containers forbid that call, and emulators do not know it: there the byte is written to a pipe, which fails likewise. */
bool lender_readable(const void *p)
{
    unsigned char byte;
    struct iovec here = {.iov_base = &byte, .iov_len = 1}, there = {.iov_base = (void *)(uintptr_t)p, .iov_len = 1};
    int saved = errno;
    bool readable = process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1;
    if (!readable && errno != EFAULT) readable = pipe_takes(p);
    errno = saved;
    return readable;
}
