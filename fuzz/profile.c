/* profile.c: profiles, as changes of the contract that the model enforces; profile.h is the manual.
 *
 * A profile adds what a standard or a manual promises beyond the weakest legal contract. Words join with commas and act
 * from left to right, so that "strict,-errno" is strict but for errno.
 */
#include "profile.h"

#include <stdio.h>
#include <string.h>

enum change { CHANGE_PROMISES, CHANGE_ZERO_SIZE, CHANGE_REALLOC_ZERO, CHANGE_ILLEGAL };

struct word {
    const char *name; /* one with a leading '+' has a twin with '-' */
    enum change change;
    int value;           /* of CHANGE_ZERO_SIZE and CHANGE_REALLOC_ZERO */
    unsigned set, clear; /* of CHANGE_PROMISES */
};

#define STRICT (PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_ALIGN_CHECKED)

/* WORD(name, what it does, changes). PROMISE_FRAMES is no word: what a block's life is cannot be chosen. */
#define WORDS                                                                                                          \
    WORD("portable", "what every allocator's contract says already, nothing more (the default)", .set = 0)             \
    WORD("c11", "C11: blocks below the minimum alignment's size have it too", .set = PROMISE_ALIGN_SMALL)              \
    WORD("c23", "C23: small blocks need only the alignment of what fits them", .clear = PROMISE_ALIGN_SMALL)           \
    WORD("c17-aligned", "C17: aligned_alloc refuses an alignment that is no power of two",                             \
         .set = PROMISE_ALIGN_CHECKED)                                                                                 \
    WORD("posix", "POSIX: a refusal sets errno to ENOMEM", .set = PROMISE_ERRNO)                                       \
    WORD("posix-2024", "posix, and free leaves errno alone", .set = PROMISE_ERRNO | PROMISE_FREE_ERRNO)                \
    WORD("strict", "c11, c17-aligned and posix-2024 together", .set = STRICT)                                          \
    WORD("zero-size=either", "malloc(0) gives NULL or a pointer of its own", .change = CHANGE_ZERO_SIZE,               \
         .value = ZERO_SIZE_EITHER)                                                                                    \
    WORD("zero-size=unique", "malloc(0) gives a pointer of its own", .change = CHANGE_ZERO_SIZE,                       \
         .value = ZERO_SIZE_UNIQUE)                                                                                    \
    WORD("zero-size=null", "malloc(0) gives NULL", .change = CHANGE_ZERO_SIZE, .value = ZERO_SIZE_NULL)                \
    WORD("realloc-zero=undeclared", "realloc(p, 0) is never called", .change = CHANGE_REALLOC_ZERO,                    \
         .value = REALLOC_ZERO_UNDECLARED)                                                                             \
    WORD("realloc-zero=frees", "realloc(p, 0) frees p and gives NULL", .change = CHANGE_REALLOC_ZERO,                  \
         .value = REALLOC_ZERO_FREES)                                                                                  \
    WORD("realloc-zero=unique", "realloc(p, 0) gives a zero-size block", .change = CHANGE_REALLOC_ZERO,                \
         .value = REALLOC_ZERO_UNIQUE)                                                                                 \
    WORD("realloc-zero=fails", "realloc(p, 0) gives NULL and p stays live", .change = CHANGE_REALLOC_ZERO,             \
         .value = REALLOC_ZERO_FAILS)                                                                                  \
    WORD("illegal", "contract errors are generated too, where the allocator promises to report them",                  \
         .change = CHANGE_ILLEGAL)                                                                                     \
    WORD("+align-small", "as c11; -align-small takes it back, as for every word with a +", .set = PROMISE_ALIGN_SMALL) \
    WORD("+errno", "a refusal sets errno to ENOMEM", .set = PROMISE_ERRNO)                                             \
    WORD("+free-errno", "free leaves errno alone", .set = PROMISE_FREE_ERRNO)                                          \
    WORD("+align-checked", "as c17-aligned", .set = PROMISE_ALIGN_CHECKED)                                             \
    WORD("+merges", "free neighbours are one block before a request is refused", .set = PROMISE_MERGES)                \
    WORD("+explained", "only what fits no gap is refused", .set = PROMISE_EXPLAINED)                                   \
    WORD("+splits", "a remainder that can hold a block stays free", .set = PROMISE_SPLITS)                             \
    WORD("+reuses", "more memory is asked for only when no free block fits", .set = PROMISE_REUSES)                    \
    WORD("+steady", "a repeated cycle needs no more memory than its second round", .set = PROMISE_STEADY)              \
    WORD("+drains", "when everything is freed, the heap decides as a fresh one would", .set = PROMISE_DRAINS)          \
    WORD("+const-free", "free takes constant time", .set = PROMISE_CONST_FREE)                                         \
    WORD("+deterministic", "the same calls give the same offsets", .set = PROMISE_DETERMINISTIC)                       \
    WORD("+detects-bad-free", "a bad free is reported and changes nothing", .set = PROMISE_DETECTS_BAD_FREE)           \
    WORD("+detects-size", "a wrong size given to free_sized is reported", .set = PROMISE_DETECTS_SIZE)                 \
    WORD("+detects-writes", "a write to freed memory is reported", .set = PROMISE_DETECTS_WRITES)                      \
    WORD("+trusts-zero", "fresh memory is given to it zeroed", .set = PROMISE_TRUSTS_ZERO)                             \
    WORD("+forgets", "the inside of a free block decides nothing (explore)", .set = PROMISE_FORGETS)

#define WORD(name_, meaning_, ...) {.name = name_, __VA_ARGS__},
static const struct word words[] = {WORDS};
#undef WORD
#define WORD(name_, meaning_, ...) {name_, meaning_},
const char *const target_profiles[][2] = {WORDS{NULL, NULL}};
#undef WORD

static bool same(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && memcmp(name, text, length) == 0;
}

/* Applies one word; false if and only if there is none of that name. */
static bool apply(struct target *t, const char *text, size_t length)
{
    struct alloc_contract *c = &t->contract;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct word *w = &words[i];
        if (w->name[0] == '+' && length > 0 && text[0] == '-' && same(w->name + 1, text + 1, length - 1)) {
            c->promises &= ~w->set;
            return true;
        }
        if (!same(w->name, text, length)) continue;
        switch (w->change) {
        case CHANGE_PROMISES: c->promises = (c->promises & ~w->clear) | w->set; break;
        case CHANGE_ZERO_SIZE: c->zero_size = (enum zero_size)w->value; break;
        case CHANGE_REALLOC_ZERO: c->realloc_zero = (enum realloc_zero)w->value; break;
        case CHANGE_ILLEGAL: t->illegal = true; break;
        }
        return true;
    }
    return false;
}

static int unknown(const char *text, size_t length, char *error, size_t size)
{
    int used = snprintf(error, size, "--profile: no word '%.*s'; there are", (int)(length < 64 ? length : 64), text);
    for (size_t i = 0; i < sizeof words / sizeof words[0] && used >= 0 && (size_t)used < size; i++)
        used += snprintf(error + used, size - (size_t)used, "%s %s", i ? "," : "", words[i].name);
    return -1;
}

int profile_apply(struct target *t, const char *list, char *error, size_t size)
{
    for (const char *at = list ? list : ""; *at;) {
        const size_t length = strcspn(at, ",");
        if (!apply(t, at, length)) return unknown(at, length, error, size);
        at += length;
        if (*at == ',') at++;
    }
    const unsigned detects = PROMISE_DETECTS_BAD_FREE | PROMISE_DETECTS_SIZE | PROMISE_DETECTS_WRITES;
    if (t->illegal && !(t->contract.promises & detects)) {
        snprintf(error, size,
                 "--profile: 'illegal' needs an allocator that promises to report contract errors; %s does not",
                 t->name);
        return -1;
    }
    return 0;
}
