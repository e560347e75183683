/* verb_show.c: assay show FILE: a program as text, as a C program, or as a page. */
#include "page.h"
#include "reproducer.h"
#include "store.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>

static int show(FILE *out, const struct options *o, const struct program *p)
{
    switch (o->as) {
    case SHOW_C: return reproducer_write(out, p, NULL, NULL, NULL);
    case SHOW_HTML: return page_write(out, p, NULL, NULL, NULL);
    default: break;
    }
    size_t length = program_print(p, NULL, 0);
    char *text = malloc(length + 1);
    if (!text) return -1;
    program_print(p, text, length + 1);
    int failed = fputs(text, out) < 0;
    free(text);
    return failed ? -1 : 0;
}

int verb_show(const struct options *o)
{
    static struct program p;
    char error[4400], *text = NULL;
    size_t length;
    if (store_program(o->operands[0], &p, error, sizeof error)) return complain("%s", error);
    FILE *out = open_memstream(&text, &length);
    int failed = out ? show(out, o, &p) : -1;
    if (out && fclose(out)) failed = -1;
    int status = STATUS_HELD;
    if (failed) status = complain("no memory");
    else if (store_text(o->output ? o->output : "-", text, length, error, sizeof error)) status = complain("%s", error);
    free(text);
    return status;
}
