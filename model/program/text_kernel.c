/* text_kernel.c: gfp masks, caches and pools in the text form, written and read; text_internal.h is the manual. */
#include "text_internal.h"

#include "kernel.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* ---- Sets of bits by name: KERNEL|ZERO ----------------------------------------------------------------------------- */

struct bits_name {
    const char *name;
    uint32_t bits;
};

/* Larger sets first, so that what is written is the largest that fits. A set that has an equal before it is only read. */
static const struct bits_name gfp_names[] = {
    {"HIGHUSER_MOVABLE", GFP_HIGHUSER_MOVABLE},
    {"HIGHUSER", GFP_HIGHUSER},
    {"USER", GFP_USER},
    {"KERNEL", GFP_KERNEL},
    {"NOFS", GFP_NOFS},
    {"NOIO", GFP_NOIO},
    {"RECLAIM", GFP_RECLAIM},
    {"ATOMIC", GFP_ATOMIC},
    {"NOWAIT", GFP_NOWAIT},
    {"DMA", GFP_BIT_DMA},
    {"HIGHMEM", GFP_BIT_HIGHMEM},
    {"DMA32", GFP_BIT_DMA32},
    {"MOVABLE", GFP_BIT_MOVABLE},
    {"RECLAIMABLE", GFP_BIT_RECLAIMABLE},
    {"HIGH", GFP_BIT_HIGH},
    {"IO", GFP_BIT_IO},
    {"FS", GFP_BIT_FS},
    {"ZERO", GFP_BIT_ZERO},
    {"DIRECT", GFP_BIT_DIRECT},
    {"KSWAPD", GFP_BIT_KSWAPD},
    {"NOWARN", GFP_BIT_NOWARN},
    {"RETRY_MAYFAIL", GFP_BIT_RETRY_MAYFAIL},
    {"NOFAIL", GFP_BIT_NOFAIL},
    {"NORETRY", GFP_BIT_NORETRY},
    {"MEMALLOC", GFP_BIT_MEMALLOC},
    {"COMP", GFP_BIT_COMP},
    {"NOMEMALLOC", GFP_BIT_NOMEMALLOC},
    {"HARDWALL", GFP_BIT_HARDWALL},
    {"ACCOUNT", GFP_BIT_ACCOUNT},
    {NULL, 0},
};

static const struct bits_name cache_names[] = {
    {"HWCACHE_ALIGN", CACHE_HWCACHE_ALIGN},
    {"RED_ZONE", CACHE_RED_ZONE},
    {"POISON", CACHE_POISON},
    {"DMA", CACHE_DMA},
    {"RECLAIM_ACCOUNT", CACHE_RECLAIM_ACCOUNT},
    {"PANIC", CACHE_PANIC},
    {"NO_MERGE", CACHE_NO_MERGE},
    {"FAILSLAB", CACHE_FAILSLAB},
    {"UNKNOWN", CACHE_UNKNOWN},
    {NULL, 0},
};

static void emit_bits(struct sink *s, const struct bits_name *names, uint32_t bits)
{
    const char *joint = "";
    if (bits == 0) text_emit(s, "0");
    for (; bits != 0 && names->name != NULL; names++) {
        if ((bits & names->bits) != names->bits) continue;
        text_emit(s, "%s%s", joint, names->name);
        bits &= ~names->bits;
        joint = "|";
    }
    assert(bits == 0);
}

static bool parse_bits(struct cursor *c, const struct bits_name *names, const char *kind, uint32_t *bits)
{
    *bits = 0;
    if (scan_take_word(c, "0")) return true;
    do {
        const struct word word = scan_peek_word(c);
        const struct bits_name *name = names;
        while (name->name != NULL && !scan_take_word(c, name->name)) name++;
        if (name->name == NULL && word.length == 0)
            return scan_fail(c, word.at, "expected a %s: 0, or names such as %s joined by '|'", kind, names[3].name);
        if (name->name == NULL)
            return scan_fail(c, word.at, "expected the name of a %s, not '%.*s'", kind,
                             word.length < 32 ? (int)word.length : 32, word.at);
        *bits |= name->bits;
    } while (scan_take(c, '|'));
    return true;
}

void text_emit_gfp(struct sink *s, uint32_t gfp) { emit_bits(s, gfp_names, gfp & GFP_BITS); }
bool text_parse_gfp(struct cursor *c, uint32_t *gfp) { return parse_bits(c, gfp_names, "gfp mask", gfp); }

/* ---- Caches and pools ------------------------------------------------------------------------------------------------ */

static void emit_cache_args(struct sink *s, uint64_t b)
{
    text_emit(s, "size %" PRIu32, PROGRAM_CACHE_SIZE(b));
    if (PROGRAM_CACHE_ALIGN(b)) text_emit(s, " align %u", PROGRAM_CACHE_ALIGN(b));
    if (PROGRAM_CACHE_FLAGS(b)) {
        text_emit(s, " flags ");
        emit_bits(s, cache_names, PROGRAM_CACHE_FLAGS(b));
    }
    if (PROGRAM_CACHE_CONSTRUCTOR(b)) text_emit(s, " constructor");
}

static void emit_pool_args(struct sink *s, uint64_t b)
{
    static const char *const forms[] = {"kmalloc size ", "cache c", "pages order "};
    text_emit(s, "%s%" PRIu32 " min %u", forms[PROGRAM_POOL_KIND(b)], PROGRAM_POOL_SIZE(b), PROGRAM_POOL_MIN(b));
}

void text_emit_kernel(struct sink *s, enum operand_form form, uint64_t value)
{
    switch (form) {
    case OPERAND_CACHES:
        if (value == PROGRAM_CACHES) {
            text_emit(s, "any");
            return;
        }
        /* fall through */
    case OPERAND_CACHE: text_emit(s, "c%" PRIu64, value); return;
    case OPERAND_POOL: text_emit(s, "m%" PRIu64, value); return;
    case OPERAND_CACHE_ARGS: emit_cache_args(s, value); return;
    case OPERAND_POOL_ARGS: emit_pool_args(s, value); return;
    default: assert(!"an operand of the kernel group");
    }
}

/* c3, m0 */
static bool parse_named(struct cursor *c, char letter, const char *what, uint64_t *number)
{
    if (c->end - c->at < 2 || *c->at != letter || !scan_is_digit(c->at[1]))
        return scan_fail(c, c->at, "expected a %s, %c0 to %c%u", what, letter, letter, PROGRAM_CACHES - 1);
    c->at++;
    return scan_number(c, 0, PROGRAM_CACHES - 1, number);
}

static bool parse_led(struct cursor *c, const char *lead, uint64_t max, uint64_t *value)
{
    if (!scan_take_word(c, lead)) return scan_fail(c, c->at, "expected '%s'", lead);
    return scan_gap(c) && scan_number(c, 0, max, value);
}

/* Whether ` word` follows; if not, the cursor stays where it is. */
static bool take_next(struct cursor *c, const char *word)
{
    const char *before = c->at;
    scan_blanks(c);
    if (c->at > before && scan_take_word(c, word)) return true;
    c->at = before;
    return false;
}

static bool parse_cache_args(struct cursor *c, uint64_t *b)
{
    uint64_t size = 0, align = 0;
    uint32_t flags = 0;
    if (!parse_led(c, "size", UINT32_MAX, &size)) return false;
    if (take_next(c, "align") && !(scan_gap(c) && scan_number(c, 0, UINT16_MAX, &align))) return false;
    if (take_next(c, "flags") && !(scan_gap(c) && parse_bits(c, cache_names, "cache flag", &flags))) return false;
    *b = PROGRAM_CACHE_ARGS(size, align, flags, take_next(c, "constructor"));
    return true;
}

static bool parse_pool_args(struct cursor *c, uint64_t *b)
{
    static const char *const kinds[] = {"kmalloc", "cache", "pages"};
    uint64_t kind = 0, size = 0, min = 0;
    if (!scan_choice(c, kinds, 3, &kind) || !scan_gap(c)) return false;
    if (kind == POOL_KMALLOC && !parse_led(c, "size", UINT32_MAX, &size)) return false;
    if (kind == POOL_CACHE && !parse_named(c, 'c', "cache", &size)) return false;
    if (kind == POOL_PAGES && !parse_led(c, "order", PROGRAM_ORDERS - 1, &size)) return false;
    if (!scan_gap(c) || !parse_led(c, "min", UINT16_MAX, &min)) return false;
    *b = PROGRAM_POOL_ARGS(kind, min, size);
    return true;
}

bool text_parse_kernel(struct cursor *c, enum operand_form form, uint64_t *value)
{
    switch (form) {
    case OPERAND_CACHES:
        *value = PROGRAM_CACHES;
        if (scan_take_word(c, "any")) return true;
        /* fall through */
    case OPERAND_CACHE: return parse_named(c, 'c', "cache", value);
    case OPERAND_POOL: return parse_named(c, 'm', "pool", value);
    case OPERAND_CACHE_ARGS: return parse_cache_args(c, value);
    case OPERAND_POOL_ARGS: return parse_pool_args(c, value);
    default: assert(!"an operand of the kernel group");
    }
    return false;
}
