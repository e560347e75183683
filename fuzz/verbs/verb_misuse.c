/* verb_misuse.c: assay misuse ALLOC: what it makes of its caller's errors. */
#include "misuse.h"
#include "report_misuse.h"
#include "verbs.h"

int verb_misuse(const struct options *o)
{
    static struct target t;
    char error[4400];
    if (o->format != FORMAT_TEXT && o->format != FORMAT_JSON) return complain("misuse: the report is text or json");
    if (target_resolve(&t, o->operands[0], o->prefix, o->profile, error, sizeof error)) return complain("%s", error);
    struct report_misuse r = {.out = stdout, .json = o->format == FORMAT_JSON, .target = &t};
    watch_interrupts();
    for (unsigned row = 0; misuse_row(row); row++) {
        struct misuse_outcome outcome[MISUSE_SIZES];
        const unsigned sizes = misuse_row(row)->sized ? MISUSE_SIZES : 1;
        for (unsigned size = 0; size < sizes; size++)
            if (interrupted || misuse_try(&t, row, size, &outcome[size], error, sizeof error))
                return complain("%s", interrupted ? "interrupted" : error);
        report_misuse_row(&r, misuse_row(row), outcome);
    }
    if (report_misuse_end(&r)) return complain("cannot write to standard output");
    return r.broken ? STATUS_BROKEN : STATUS_HELD;
}
