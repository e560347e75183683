/* options.h: the command line of every verb, as data.
 *
 *     struct options o;
 *     char error[512];
 *     if (options_parse(&o, argc, argv, error, sizeof error) != 0) {
 *         fprintf(stderr, "assay: %s\n", error);
 *         return 2;
 *     }
 *     if (o.help) return options_usage(stdout, o.verb), 0;
 *
 * Options and operands come in any order, `--` ends the options, `--opt=value` is `--opt value`. For `record` the first
 * operand ends them too: what follows belongs to the command.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "report.h"
#include "target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum fuzz_engine { ENGINE_BUILTIN, ENGINE_LIBFUZZER, ENGINE_AFL };
enum show_as { SHOW_TEXT, SHOW_C, SHOW_HTML };

struct options {
    const char *verb; /* one of the verbs, exactly as the table spells it; NULL with --help or --version alone */
    char **operands;  /* NULL-terminated, inside argv, whose order is changed for it */
    unsigned operand_count;

    double seconds;    /* budget; counts if programs is 0 */
    uint64_t programs; /* budget; 0: as many as the seconds allow */
    uint64_t seed;
    unsigned jobs; /* worker processes; by default the processors that this process may use */
    unsigned threads;
    const char *on;      /* ALLOC to run it on; NULL: none given */
    const char *prefix;  /* likewise */
    const char *profile; /* likewise */
    uint64_t max_size;   /* largest request that is filled, bytes */
    uint64_t memory;     /* what one worker may use before it counts as a runaway, bytes; 0: child.h's default */
    double timeout;      /* CPU seconds for one call */
    const char *out;     /* directory for findings */
    bool out_named;      /* --out was given */
    const char *output;  /* file to write; NULL: none given */
    enum report_format format;
    enum show_as as;
    enum fuzz_engine engine;
    bool keep; /* fuzz: what was found is filed in a corpus */
    enum target_mode mode;
    unsigned machine;   /* as target.machine */
    bool guard;         /* as target.guard */
    uint64_t heap;      /* explore: bytes lent; 0: not given */
    unsigned depth;     /* explore: calls of the longest program; 0: no bound */
    const char *sizes;  /* explore: of requests; NULL: none given */
    const char *ops;    /* explore: calls; NULL: none given */
    const char *resume; /* explore: file to go on from; NULL: none given */
    enum faults_how faults;
    bool guard_maps;
    uint64_t limit_maps; /* bytes; 0: no limit */
    bool quiet;
    bool names;    /* list: names only */
    bool canaries; /* list: the broken ones */
    bool all;      /* go on after a finding */
    bool no_minimize;
    bool help;    /* asked for: nothing else has been checked then */
    bool version; /* as help */
};

/* Sets the defaults and reads argv[1 …]. 0; or -1 with one line in `error`, without newline and program name. */
int options_parse(struct options *o, int argc, char **argv, char *error, size_t size);

/* The help of one verb; of the whole program if verb is NULL. */
void options_usage(FILE *out, const char *verb);

#endif
