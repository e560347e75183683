/* harvest.c: harvest.h is the manual. */
#include "harvest.h"

#include "campaign.h"
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INPUT_BYTES_MAX ((size_t)1 << 20)
#define SETTLED_SECONDS 0.05 /* an input that old has been written completely */
#define SETTLE_LIMIT 60.0    /* seconds for the engine to say which inputs are worth keeping */

int harvest_open(struct harvest *h)
{
    generator_init(&h->generator, h->target, 0);
    h->finding = calloc(1, sizeof *h->finding);
    if (!h->finding) snprintf(h->error, sizeof h->error, "no memory");
    return h->finding ? child_open(&h->child, h->target, &h->limits, h->error, sizeof h->error) : -1;
}

void harvest_close(struct harvest *h)
{
    child_close(&h->child);
    free(h->finding);
}

/* ---- Findings -------------------------------------------------------------------------------------------------------- */

static bool settled(const char *path)
{
    struct stat st;
    struct timespec t;
    if (stat(path, &st)) return false;
    clock_gettime(CLOCK_REALTIME, &t);
    const double age = (double)(t.tv_sec - st.st_mtim.tv_sec) + (double)(t.tv_nsec - st.st_mtim.tv_nsec) / 1e9;
    return age < 0 || age > SETTLED_SECONDS;
}

/* Investigates, stores and reports h->finding; false if that has to be done again. */
static bool report(struct harvest *h)
{
    struct finding *f = h->finding;
    const struct known before = h->known;
    known_add(&h->known, f);
    const bool shown = h->minimised ? campaign_minimise(h->target, &h->limits, h->interrupted, f)
                                    : campaign_confirm(h->target, &h->limits, f);
    if (!shown) {
        h->vanished++;
        return true;
    }
    if (known_has(&before, f)) return true;
    known_add(&h->known, f);
    const bool stored = store_finding(h->findings, f, h->error, sizeof h->error) == 0;
    h->found++;
    report_finding(h->report, f);
    return stored;
}

/* Runs one program; true if there is no more to be learnt from it. */
static bool judge(struct harvest *h, const struct program *p)
{
    struct child_result result;
    struct finding *f = h->finding;
    child_replay(&h->child, p, &result);
    if (result.verdict.kind == VERDICT_ERROR) snprintf(h->error, sizeof h->error, "%s", result.verdict.seen);
    if (result.verdict.kind == VERDICT_PASS) h->vanished++;
    if (result.verdict.kind != VERDICT_FAIL) return result.verdict.kind == VERDICT_PASS;
    memset(f, 0, sizeof *f);
    f->program = *p;
    f->verdict = result.verdict;
    f->seed = h->outside->seed;
    if (known_has(&h->known, f)) return true;
    if ((h->found && !h->all) || !known_has_room(&h->known)) return false;
    return report(h);
}

/* Its own name, behind that of the folder two above: AFL++ numbers the inputs of each instance. */
static void put_away(const struct harvest *h, const char *path)
{
    char to[OUTSIDE_PATH_MAX + 600];
    const char *name = strrchr(path, '/') + 1, *below = path + strlen(h->outside->work) + 1;
    snprintf(to, sizeof to, "%s/judged/%.*s-%.250s", h->outside->work, (int)strcspn(below, "/"), below, name);
    rename(path, to);
}

static bool take_input(void *context, const char *path)
{
    static struct program p;
    struct harvest *h = context;
    char *bytes;
    size_t length;
    if (h->hasty && !settled(path)) return true;
    if (store_read(path, INPUT_BYTES_MAX, &bytes, &length, h->error, sizeof h->error)) return true;
    generator_decode(&h->generator, bytes, length, &p);
    free(bytes);
    h->judged++;
    if (judge(h, &p)) put_away(h, path);
    return !*h->interrupted || !h->hasty;
}

void harvest_inputs(struct harvest *h)
{
    for (const char *const *pattern = h->outside->engine->ended; *pattern; pattern++)
        outside_files(h->outside, *pattern, take_input, h);
}

static bool count_input(void *context, const char *path)
{
    (void)path;
    ++*(unsigned *)context;
    return true;
}

unsigned harvest_waiting(const struct harvest *h)
{
    unsigned count = 0;
    for (const char *const *pattern = h->outside->engine->ended; *pattern; pattern++)
        outside_files(h->outside, *pattern, count_input, &count);
    return count;
}

/* ---- Seeds ----------------------------------------------------------------------------------------------------------- */

/* FNV-1a, 64 bits: names only. */
static unsigned long long digest(const unsigned char *bytes, size_t length)
{
    unsigned long long hash = 14695981039346656037u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

/* A program as bytes that are the same program for everybody: as they are if they can be, else in the literal form. */
static size_t plain_bytes(struct harvest *h, const char *path, unsigned char *out)
{
    static struct program meant, read;
    char *bytes;
    size_t length = 0;
    if (store_read(path, INPUT_BYTES_MAX, &bytes, &length, h->error, sizeof h->error)) return 0;
    generator_decode(&h->generator, bytes, length, &meant);
    if (length <= PROGRAM_BYTES_MAX) {
        memcpy(out, bytes, length);
        generator_fit(&h->generator, out, length);
        program_decode(&read, out, length);
    }
    if (length > PROGRAM_BYTES_MAX || !program_equal(&read, &meant)) length = program_encode(&meant, out);
    free(bytes);
    return length;
}

/* Under a name made of its contents; true if it was not there. */
static bool store_bytes(struct harvest *h, const char *folder, const char *form, const unsigned char *bytes,
                        size_t length)
{
    char path[OUTSIDE_PATH_MAX + 96], name[64];
    snprintf(name, sizeof name, form, digest(bytes, length));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (access(path, F_OK) == 0) return false;
    return store_text(path, (const char *)bytes, length, h->error, sizeof h->error) == 0;
}

#define SEED_FORM "seed-%016llx"
#define GAIN_FORM "%016llx.bin"

void harvest_seeds(struct harvest *h, const char *folder)
{
    static unsigned char bytes[PROGRAM_BYTES_MAX];
    static const unsigned char simplest[SWARM_HEAD_BYTES + SWARM_OP_BYTES];
    static struct program p;
    char seeds[OUTSIDE_PATH_MAX + 16], path[OUTSIDE_PATH_MAX + 300];
    struct dirent **entries;
    snprintf(seeds, sizeof seeds, "%s/seeds", h->outside->work);
    /* An engine may refuse to begin with nothing, and with what ends its first run. */
    store_bytes(h, seeds, SEED_FORM, simplest, sizeof simplest);
    generator_decode(&h->generator, simplest, sizeof simplest, &p);
    judge(h, &p);
    const int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(entries[i]->d_name, '.');
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (dot && strcmp(dot, ".ops") == 0 && !*h->interrupted) {
            if (store_program(path, &p, h->error, sizeof h->error) == 0) {
                judge(h, &p);
                store_bytes(h, seeds, SEED_FORM, bytes, program_encode(&p, bytes));
            }
        } else if (dot && strcmp(dot, ".bin") == 0 && !*h->interrupted) {
            const size_t length = plain_bytes(h, path, bytes);
            program_decode(&p, bytes, length);
            judge(h, &p);
            store_bytes(h, seeds, SEED_FORM, bytes, length);
        }
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    h->vanished = 0; /* seeds that break no rule are what they should be */
}

/* ---- Gains ----------------------------------------------------------------------------------------------------------- */

struct gains {
    struct harvest *harvest;
    const char *folder;
    unsigned count;
};

static bool keep(void *context, const char *path)
{
    static unsigned char bytes[PROGRAM_BYTES_MAX];
    struct gains *g = context;
    const size_t length = plain_bytes(g->harvest, path, bytes);
    if (length) g->count += store_bytes(g->harvest, g->folder, GAIN_FORM, bytes, length);
    return true;
}

unsigned harvest_gains(struct harvest *h, const char *folder)
{
    const struct outside_engine *e = h->outside->engine;
    struct gains g = {.harvest = h, .folder = folder};
    if (e->settle) {
        struct outside_words w = {0};
        char log[OUTSIDE_PATH_MAX + 16];
        snprintf(log, sizeof log, "%s/settle.log", h->outside->work);
        e->settle(h->outside, &w);
        if (outside_command(w.words, h->outside->work, log, SETTLE_LIMIT, NULL))
            snprintf(h->error, sizeof h->error, "new coverage could not be told from old: %s has the reason", log);
    }
    outside_files(h->outside, e->gains, keep, &g);
    return g.count;
}
