/* differences.c: differences.h is the manual. Everything is counted in whole numbers, so that equal runs give equal
 * bytes. */
#include "differences.h"

#include <stdlib.h>
#include <string.h>

const char *difference_word(enum difference_kind kind)
{
    static const char *const words[DIFFERENCE_KINDS] = {
        [DIFFERENCE_OFFERED] = "offered",      [DIFFERENCE_USABLE] = "usable",
        [DIFFERENCE_MEMORY] = "out_of_memory", [DIFFERENCE_RESIZE] = "resize",
        [DIFFERENCE_ZERO_SIZE] = "zero_size",  [DIFFERENCE_ALIGNMENT] = "alignment",
        [DIFFERENCE_HUGE] = "huge_requests",   [DIFFERENCE_ERRNO] = "errno",
        [DIFFERENCE_FOOTPRINT] = "footprint"};
    return words[kind];
}

/* ---- Numbers --------------------------------------------------------------------------------------------------------- */

uint64_t share_of(uint64_t part, uint64_t whole)
{
    return whole ? (uint64_t)((double)part / (double)whole * 10000 + 0.5) : 0;
}

uint64_t excess_of(uint64_t whole, uint64_t part) { return whole > part ? share_of(whole - part, part) : 0; }

const char *bytes_word(uint64_t bytes, char buffer[32])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    uint64_t scale = 1;
    while (unit < 6 && bytes / scale >= 1024) {
        scale *= 1024;
        unit++;
    }
    if (unit == 1 && bytes % 1024) scale = 1, unit = 0; /* requests near a power of two are told to the byte */
    if (bytes == 1) snprintf(buffer, 32, "1 byte");
    else if (bytes % scale == 0) snprintf(buffer, 32, "%llu %s", (unsigned long long)(bytes / scale), units[unit]);
    else snprintf(buffer, 32, "%.1f %s", (double)bytes / (double)scale, units[unit]);
    return buffer;
}

bool is_hosted(const struct diff *d, unsigned i) { return d->targets[i].contract.backing == BACKING_HOST; }

static bool offers(const struct diff *d, unsigned i, enum op_kind kind)
{
    return d->targets[i].offered[kind / 32] >> kind % 32 & 1;
}

/* What surrounds an allocator, and contract errors, are no interface of it. */
static bool is_interface(enum op_kind kind)
{
    if (kind >= OP_KERNEL_FIRST) return kind < OP_CONTEXT;
    return kind != OP_FAIL && kind != OP_FOREIGN_SBRK && kind < OP_DOUBLE_FREE;
}

bool difference_lacks(const struct diff *d, unsigned i, enum op_kind kind)
{
    bool somebody = false;
    for (unsigned j = 0; j < d->count; j++) somebody |= offers(d, j, kind);
    return is_interface(kind) && somebody && !offers(d, i, kind);
}

/* ---- Is there a difference? -------------------------------------------------------------------------------------------- */

/* A number of each allocator's, and whether it is known. */
typedef bool measure(const struct diff *d, unsigned i, unsigned part, uint64_t *value);

static bool usable_of(const struct diff *d, unsigned i, unsigned class, uint64_t *v)
{
    *v = d->difference.choices[i].usable[class];
    return d->difference.asked[class] && offers(d, i, OP_USABLE_SIZE);
}

static bool refused_of(const struct diff *d, unsigned i, unsigned part, uint64_t *v)
{
    const struct choices *c = &d->difference.choices[i];
    *v = part ? c->full ? c->full_permille * 10 / c->full : 0 : c->refused;
    return d->difference.requests && (!part || c->full);
}

static bool resize_of(const struct diff *d, unsigned i, unsigned part, uint64_t *v)
{
    const struct choices *c = &d->difference.choices[i];
    *v = part ? c->shrunk_in_place : c->grown_in_place;
    return part ? d->difference.shrunk : d->difference.grown;
}

static bool zero_of(const struct diff *d, unsigned i, unsigned class, uint64_t *v)
{
    *v = d->difference.choices[i].zero_blocks[class] > 0; /* now and then a full heap refuses them too */
    return d->difference.zero[class];
}

static bool align_of(const struct diff *d, unsigned i, unsigned class, uint64_t *v)
{
    *v = d->difference.choices[i].align_least[class];
    return d->difference.aligned[class];
}

static bool huge_of(const struct diff *d, unsigned i, unsigned part, uint64_t *v)
{
    (void)part;
    *v = d->difference.choices[i].huge_granted;
    return d->difference.huge;
}

static bool errno_of(const struct diff *d, unsigned i, unsigned part, uint64_t *v)
{
    const struct choices *c = &d->difference.choices[i];
    (void)part;
    *v = share_of(c->refusals_enomem, c->refusals);
    return c->refusals;
}

/* Like against like: what a host gave is measured otherwise than what was lent. */
static bool footprint_of(const struct diff *d, unsigned i, unsigned hosted, uint64_t *v)
{
    const struct choices *c = &d->difference.choices[i];
    *v = hosted ? c->taken : share_of(c->taken, c->live);
    return is_hosted(d, i) == (hosted != 0) && c->taken && c->live;
}

static bool lacking_of(const struct diff *d, unsigned i, unsigned kind, uint64_t *v)
{
    *v = difference_lacks(d, i, (enum op_kind)kind);
    return true;
}

static const struct {
    measure *of;
    unsigned parts;
} measures[DIFFERENCE_KINDS] = {
    [DIFFERENCE_OFFERED] = {lacking_of, OP_KINDS},
    [DIFFERENCE_USABLE] = {usable_of, USABLE_CLASSES},
    [DIFFERENCE_MEMORY] = {refused_of, 2},
    [DIFFERENCE_RESIZE] = {resize_of, 2},
    [DIFFERENCE_ZERO_SIZE] = {zero_of, ZERO_CLASSES},
    [DIFFERENCE_ALIGNMENT] = {align_of, ALIGN_CLASSES},
    [DIFFERENCE_HUGE] = {huge_of, 1},
    [DIFFERENCE_ERRNO] = {errno_of, 1},
    [DIFFERENCE_FOOTPRINT] = {footprint_of, 2},
};

/* The allocators with the least and the most of it; how many have any is known. */
struct range {
    unsigned known, least, most;
    uint64_t low, high;
};

static struct range range_of(const struct diff *d, enum difference_kind kind, unsigned part)
{
    struct range r = {.low = UINT64_MAX};
    for (unsigned i = 0; i < d->count; i++) {
        uint64_t v;
        if (!measures[kind].of(d, i, part, &v)) continue;
        if (!r.known || v < r.low) r.low = v, r.least = i;
        if (!r.known || v > r.high) r.high = v, r.most = i;
        r.known++;
    }
    return r;
}

bool difference_seen(const struct diff *d, enum difference_kind kind)
{
    bool seen = false;
    for (unsigned part = 0; part < measures[kind].parts; part++) seen |= range_of(d, kind, part).known > 1;
    return seen;
}

bool difference_found(const struct diff *d, enum difference_kind kind)
{
    bool found = false;
    for (unsigned part = 0; part < measures[kind].parts; part++) {
        struct range r = range_of(d, kind, part);
        found |= r.known > 1 && r.low != r.high;
    }
    return found;
}

/* ---- In words ------------------------------------------------------------------------------------------------------------ */

static void separate(FILE *out, unsigned told, unsigned count)
{
    if (told) fputs(told + 1 == count ? " and " : ", ", out);
}

/* "a, b and c": those whose number is this one. */
static unsigned list_those(FILE *out, const struct diff *d, enum difference_kind kind, unsigned part, uint64_t value)
{
    unsigned count = 0, told = 0;
    uint64_t v;
    for (unsigned i = 0; i < d->count; i++) count += measures[kind].of(d, i, part, &v) && v == value;
    for (unsigned i = 0; i < d->count && out; i++) {
        if (!measures[kind].of(d, i, part, &v) || v != value) continue;
        separate(out, told++, count);
        fputs(d->labels[i], out);
    }
    return count;
}

/* Bit i: allocator i lacks it. */
static uint32_t lackers(const struct diff *d, unsigned kind)
{
    uint32_t set = 0;
    for (unsigned i = 0; i < d->count; i++)
        if (difference_lacks(d, i, (enum op_kind)kind)) set |= UINT32_C(1) << i;
    return set;
}

/* Operations that the same ones lack are told together. */
static void tell_offered(FILE *out, const struct diff *d)
{
    const char *separator = "Not offered: ";
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        uint32_t set = lackers(d, kind);
        bool told = !set;
        for (unsigned before = 0; before < kind; before++) told |= lackers(d, before) == set;
        if (told) continue;
        fputs(separator, out);
        for (unsigned other = kind; other < OP_KINDS; other++)
            if (lackers(d, other) == set) fprintf(out, "%s%s", other > kind ? ", " : "", op_name((enum op_kind)other));
        fputs(" by ", out);
        list_those(out, d, DIFFERENCE_OFFERED, kind, 1);
        separator = "; ";
    }
    fputs(". Skipped there.", out);
}

static void tell_usable(FILE *out, const struct diff *d)
{
    const struct example *e = &d->difference.usable;
    uint64_t asked = 0, usable[PARTIES_MAX] = {0}, v;
    unsigned least = d->count, most = d->count;
    for (unsigned class = 0; class < USABLE_ABOVE; class ++) asked += d->difference.asked[class];
    for (unsigned i = 0; i < d->count; i++) {
        for (unsigned class = 0; class < USABLE_ABOVE; class ++) { /* up to 32 KiB */
            if (usable_of(d, i, class, &v)) usable[i] += v;
        }
        if (!usable[i]) continue;
        if (least == d->count || usable[i] < usable[least]) least = i;
        if (most == d->count || usable[i] > usable[most]) most = i;
    }
    if (least == d->count || usable[least] == usable[most]) {
        fputs("Usable size: they differ in large and in aligned blocks only.", out);
    } else {
        fprintf(
            out,
            "Usable size: for requests up to 32 KiB %s makes the largest blocks, in all %.1f %% more than was asked "
            "for, and %s the smallest, %.1f %%. What is more is lost to a program that does not ask for its size.",
            d->labels[most], (double)excess_of(usable[most], asked) / 100, d->labels[least],
            (double)excess_of(usable[least], asked) / 100);
    }
    if (!e->bytes) return;
    fprintf(out, " Furthest apart at %s of %llu bytes:", op_name(e->kind), (unsigned long long)e->bytes);
    for (unsigned i = 0; i < d->count; i++)
        if (e->usable[i]) fprintf(out, "%s %s %llu", i ? "," : "", d->labels[i], (unsigned long long)e->usable[i]);
    putc('.', out);
}

static void tell_memory(FILE *out, const struct diff *d)
{
    char bytes[32];
    const char *separator = "Out of memory: ";
    for (unsigned i = 0; i < d->count; i++) {
        const struct choices *c = &d->difference.choices[i];
        if (!c->refused) continue;
        fprintf(out, "%s%s refuses %.2f %% of the requests though another grants them, the smallest of %s", separator,
                d->labels[i], (double)share_of(c->refused, d->difference.requests) / 100,
                bytes_word(c->refused_least, bytes));
        separator = "; ";
    }
    if (list_those(NULL, d, DIFFERENCE_MEMORY, 0, 0)) {
        fputs(separator, out);
        list_those(out, d, DIFFERENCE_MEMORY, 0, 0);
        fputs(list_those(NULL, d, DIFFERENCE_MEMORY, 0, 0) > 1 ? " refuse none of these" : " refuses none of these",
              out);
    }
    putc('.', out);
    struct range full = range_of(d, DIFFERENCE_MEMORY, 1);
    if (full.known < 2) return;
    fprintf(out, " A heap is %.1f %% full on average when %s first refuses what would fit in all of it",
            (double)full.low / 100, d->labels[full.least]);
    if (full.low != full.high)
        fprintf(out, ", and %.1f %% when %s does", (double)full.high / 100, d->labels[full.most]);
    fputs(".", out);
}

static void tell_share(FILE *out, const struct diff *d, const char *does, struct range r, uint64_t whole)
{
    if (r.known < 2) return;
    if (r.low == r.high) fprintf(out, "all %s %.1f %% in place; ", does, (double)share_of(r.low, whole) / 100);
    else
        fprintf(out, "%s %ss %.1f %% in place, %s %.1f %%; ", d->labels[r.most], does,
                (double)share_of(r.high, whole) / 100, d->labels[r.least], (double)share_of(r.low, whole) / 100);
}

static void tell_resize(FILE *out, const struct diff *d)
{
    fputs("Resizing: of blocks that realloc makes larger or smaller, ", out);
    tell_share(out, d, "grow", range_of(d, DIFFERENCE_RESIZE, 0), d->difference.grown);
    tell_share(out, d, "shrink", range_of(d, DIFFERENCE_RESIZE, 1), d->difference.shrunk);
    fputs("the others move, and are copied.", out);
}

static void tell_zero_size(FILE *out, const struct diff *d)
{
    static const char *const asked[] = {"Zero size: malloc(0) gives", "An aligned request of 0 bytes gives"};
    for (unsigned class = 0; class < ZERO_CLASSES; class ++) {
        struct range r = range_of(d, DIFFERENCE_ZERO_SIZE, class);
        if (r.known < 2 || r.low == r.high) continue;
        fprintf(out, "%s a block of its own with ", asked[class]);
        list_those(out, d, DIFFERENCE_ZERO_SIZE, class, 1);
        fputs(", NULL with ", out);
        list_those(out, d, DIFFERENCE_ZERO_SIZE, class, 0);
        fputs(". ", out);
    }
    fputs("A program that takes NULL for a failure there works with the first only.", out);
}

static void tell_alignment(FILE *out, const struct diff *d)
{
    static const char *const classes[] = {"of up to 8 bytes", "of 9 to 15 bytes", "of 16 bytes and more"};
    const char *separator = "Alignment: ";
    for (unsigned class = 0; class < ALIGN_CLASSES; class ++) {
        struct range r = range_of(d, DIFFERENCE_ALIGNMENT, class);
        if (r.known < 2 || r.low == r.high) continue;
        fprintf(out, "%sblocks %s are aligned to %u at least by ", separator, classes[class], 1u << r.low);
        list_those(out, d, DIFFERENCE_ALIGNMENT, class, r.low);
        fprintf(out, ", to %u by ", 1u << r.high);
        list_those(out, d, DIFFERENCE_ALIGNMENT, class, r.high);
        separator = "; ";
    }
    fputs(". More than was asked for cannot be relied on unless it is promised; 16 for small blocks is C11's rule, "
          "what fits the size C23's.",
          out);
}

static void tell_huge(FILE *out, const struct diff *d)
{
    char bytes[32];
    struct range r = range_of(d, DIFFERENCE_HUGE, 0);
    fprintf(out, "Huge requests: of %llu for 16 MiB or more ", (unsigned long long)d->difference.huge);
    for (unsigned i = 0; i < d->count; i++) {
        const struct choices *c = &d->difference.choices[i];
        separate(out, i, d->count);
        fprintf(out, "%s grants %llu", d->labels[i], (unsigned long long)c->huge_granted);
        if (c->huge_granted) fprintf(out, " (up to %s)", bytes_word(c->huge_largest, bytes));
    }
    fputs(r.low ? "." : ". Where memory is lent, it is soon used up; a host may grant more than it has.", out);
}

static void tell_errno(FILE *out, const struct diff *d)
{
    struct range r = range_of(d, DIFFERENCE_ERRNO, 0);
    fputs("errno: after a refusal it is ENOMEM, as POSIX has it, most often with ", out);
    list_those(out, d, DIFFERENCE_ERRNO, 0, r.high);
    fprintf(out, " (%.1f %%), least often with ", (double)r.high / 100);
    list_those(out, d, DIFFERENCE_ERRNO, 0, r.low);
    fprintf(out, " (%.1f %%).", (double)r.low / 100);
}

static void tell_footprint(FILE *out, const struct diff *d)
{
    struct range lent = range_of(d, DIFFERENCE_FOOTPRINT, 0), host = range_of(d, DIFFERENCE_FOOTPRINT, 1);
    bool both = lent.known > 1 && lent.low != lent.high && host.known > 1;
    char low[32], high[32], live[32];
    fputs("Footprint: ", out);
    if (lent.known > 1 && lent.low != lent.high)
        fprintf(out,
                "of memory lent %s takes %.2f bytes for each byte asked for and alive, averaged over programs at "
                "their most, %s %.2f",
                d->labels[lent.least], (double)lent.low / 10000, d->labels[lent.most], (double)lent.high / 10000);
    if (both) fputs("; ", out);
    if (host.known > 1)
        fprintf(out,
                "of the host's memory the process of %s keeps at most %s, that of %s %s, where no program had more "
                "than %s written and alive",
                d->labels[host.least], bytes_word(host.low, low), d->labels[host.most], bytes_word(host.high, high),
                bytes_word(d->difference.choices[host.least].live, live));
    putc('.', out);
}

void difference_tell(FILE *out, const struct diff *d, enum difference_kind kind)
{
    static void (*const tell[DIFFERENCE_KINDS])(FILE *, const struct diff *) = {
        [DIFFERENCE_OFFERED] = tell_offered,     [DIFFERENCE_USABLE] = tell_usable,
        [DIFFERENCE_MEMORY] = tell_memory,       [DIFFERENCE_RESIZE] = tell_resize,
        [DIFFERENCE_ZERO_SIZE] = tell_zero_size, [DIFFERENCE_ALIGNMENT] = tell_alignment,
        [DIFFERENCE_HUGE] = tell_huge,           [DIFFERENCE_ERRNO] = tell_errno,
        [DIFFERENCE_FOOTPRINT] = tell_footprint};
    tell[kind](out, d);
}

char *difference_text(const struct diff *d, enum difference_kind kind)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return NULL;
    difference_tell(stream, d, kind);
    if (fclose(stream) == 0) return text;
    free(text);
    return NULL;
}
