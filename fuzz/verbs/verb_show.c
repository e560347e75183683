/* verb_show.c: assay show FILE: a program as text, as a C program, or as a page; with --on after a run. What a program of
 * kernel operations came to cannot be guessed, so it is run without being asked to. */
#include "offered.h"
#include "page.h"
#include "report_internal.h"
#include "reproducer.h"
#include "store.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICTURE_COLUMNS 100u

/* A program, and what came of it if it was run. */
struct shown {
    struct program program;
    struct target target;
    struct child child;
    struct child_result result;
    bool run;
};

/* ---- The run ------------------------------------------------------------------------------------------------------- */

static bool needs_kernel(const struct program *p)
{
    for (uint32_t i = 0; i < p->op_count; i++)
        if (p->ops[i].kind >= OP_KERNEL_FIRST) return true;
    return false;
}

/* The first of the built-in allocators, which come smallest first, that offers every kernel operation of the program. */
static const char *smallest(const struct program *p)
{
    for (const struct alloc_ops *const *o = target_builtins(); *o && strncmp((*o)->name, "broken/", 7) != 0; o++) {
        unsigned offered[4] = {0};
        bool all = (*o)->contract.backing == BACKING_MACHINE;
        offered_legal(offered, *o);
        for (uint32_t i = 0; all && i < p->op_count; i++) {
            unsigned kind = p->ops[i].kind;
            all = kind < OP_KERNEL_FIRST || offered[kind / 32] >> kind % 32 & 1;
        }
        if (all) return (*o)->name;
    }
    return NULL;
}

static int run(struct shown *s, const struct options *o, const char *on)
{
    static char error[1024];
    const struct child_limits limits = limits_of(o);
    if (target_resolve(&s->target, on, o->prefix, o->profile, error, sizeof error)) return complain("%s", error);
    if (child_open(&s->child, &s->target, &limits, error, sizeof error)) return complain("%s", error);
    child_replay(&s->child, &s->program, &s->result);
    s->run = true;
    if (s->result.verdict.kind == VERDICT_ERROR) return complain("%s: %s", on, s->result.verdict.seen);
    return s->result.verdict.kind == VERDICT_FAIL ? STATUS_BROKEN : STATUS_HELD;
}

/* ---- What is shown ------------------------------------------------------------------------------------------------- */

static int show_program(FILE *out, const struct program *p)
{
    char *text = report_program_text(p);
    if (!text) return -1;
    int failed = fputs(text, out) < 0;
    free(text);
    return failed ? -1 : 0;
}

static int show_heap(FILE *out, const struct trace *t, const struct verdict *v)
{
    char *text = NULL, *line;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return -1;
    report_heap_picture(stream, t, v, PICTURE_COLUMNS);
    int failed = fclose(stream);
    fputs("#\n", out);
    for (char *rest = text; !failed && rest && *rest && (line = strsep(&rest, "\n"));) fprintf(out, "# %s\n", line);
    free(text);
    return failed ? -1 : 0;
}

static void show_skipped(FILE *out, const struct shown *s)
{
    bool any = false;
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        if (!s->child.journal->counters.skipped[kind]) continue;
        if (!any) fprintf(out, "#   not offered by %s: ", s->target.name);
        fprintf(out, "%s%s", any ? ", " : "", op_name((enum op_kind)kind));
        any = true;
    }
    if (any) putc('\n', out);
}

/* A program still, and everything else a comment. */
static int show_run(FILE *out, const struct shown *s)
{
    const struct verdict *v = &s->result.verdict;
    const struct trace *t = &s->child.journal->trace;
    report_commented(out, &s->program, t, v);
    fprintf(out, "\n# %s %s", report_verdict_word(v->kind), s->target.name);
    if (v->kind == VERDICT_FAIL) {
        const struct rule_info *info = report_rule(v);
        fprintf(out, ": %s %s\n#   expected: %s\n#   seen:     %s", info->id, info->sentence, v->expected, v->seen);
    }
    fputs("\n", out);
    show_skipped(out, s);
    if (t->machine.frames) {
        fputs("#\n", out);
        report_machine_picture(out, &t->machine, "# ", false);
    }
    return t->heap_size && t->block_count ? show_heap(out, t, v) : 0;
}

static int show(FILE *out, const struct options *o, const struct shown *s)
{
    const struct trace *trace = s->run ? &s->child.journal->trace : NULL;
    const struct verdict *verdict = s->run ? &s->result.verdict : NULL;
    switch (o->as) {
    case SHOW_C: return reproducer_write(out, &s->program, NULL, NULL, NULL);
    case SHOW_HTML: return page_write(out, &s->program, trace, verdict, s->run ? s->target.name : NULL);
    default: return s->run ? show_run(out, s) : show_program(out, &s->program);
    }
}

int verb_show(const struct options *o)
{
    static struct shown s;
    char error[4400], *text = NULL;
    size_t length;
    int status = STATUS_HELD;
    if (store_program(o->operands[0], &s.program, error, sizeof error)) return complain("%s", error);
    const bool kernel = needs_kernel(&s.program);
    const char *on = o->on ? o->on : kernel ? smallest(&s.program) : NULL;
    if (o->as == SHOW_C && kernel)
        return complain("%s: no C program can be written of kernel operations: no library has them to call",
                        o->operands[0]);
    if (o->as == SHOW_C && o->on) return complain("--on: a C program is written without a run");
    if (!on && (o->prefix || o->profile)) return complain("--%s needs --on", o->prefix ? "prefix" : "profile");
    if (on) status = run(&s, o, on);
    if (status != STATUS_NOT_JUDGED) {
        FILE *out = open_memstream(&text, &length);
        int failed = out ? show(out, o, &s) : -1;
        if (out && fclose(out)) failed = -1;
        if (failed) status = complain("no memory");
        else if (store_text(o->output ? o->output : "-", text, length, error, sizeof error))
            status = complain("%s", error);
    }
    free(text);
    if (s.child.journal) child_close(&s.child);
    return status;
}
