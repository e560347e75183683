/* verb_minimize.c: assay minimize ALLOC FILE -o OUT: the smallest program that still breaks the same rule. */
#include "store.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>

int verb_minimize(const struct options *o)
{
    static struct target t;
    char error[4400];
    if (target_resolve(&t, o->operands[0], o->prefix, o->profile, error, sizeof error)) return complain("%s", error);
    if (o->guard && target_guard(&t, error, sizeof error)) return complain("%s", error);
    if (target_watch(&t, FAULTS_NONE, o->guard_maps, o->limit_maps, error, sizeof error)) return complain("%s", error);
    struct finding *f = calloc(1, sizeof *f);
    if (!f) return complain("no memory");
    if (store_program(o->operands[1], &f->program, error, sizeof error)) {
        free(f);
        return complain("%s", error);
    }
    const struct child_limits limits = limits_of(o);
    int status = STATUS_BROKEN;
    watch_interrupts();
    if (!campaign_minimise(&t, &limits, &interrupted, f)) {
        status = f->verdict.kind == VERDICT_ERROR
                     ? complain("%s", f->verdict.seen)
                     : complain("%s: %s keeps every rule: there is nothing to minimise", o->operands[1], t.name);
    } else {
        size_t length = program_print(&f->program, NULL, 0);
        char *text = malloc(length + 1);
        if (text) program_print(&f->program, text, length + 1);
        if (!text || store_text(o->output ? o->output : "-", text, length, error, sizeof error))
            status = complain("%s", text ? error : "no memory");
        else if (!o->quiet)
            fprintf(stderr, "%s: %u operations, from %u%s: %s\n", rule_info(f->verdict.rule)->id, f->program.op_count,
                    f->original_ops, f->cut_short ? ", cut short as it took too long" : "", f->verdict.seen);
        free(text);
    }
    free(f);
    return status;
}
