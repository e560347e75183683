/* reproducer.c: writes a program as a self-contained C program (reproducer.h is the manual): a comment that says what
 * is reproduced, the rules it knows, the program as a table, and an interpreter for it (reproducer_body.h).
 */
#include "reproducer.h"

#include "reproducer_body.h"

#include <errno.h>
#include <string.h>

/* The operations that a plain malloc has, by the names they bear in the C program. */
static const char *const kind_names[OP_KINDS] = {
    [OP_MALLOC] = "MALLOC",
    [OP_FREE] = "FREE",
    [OP_REALLOC] = "REALLOC",
    [OP_CALLOC] = "CALLOC",
    [OP_ALIGNED_ALLOC] = "ALIGNED_ALLOC",
    [OP_POSIX_MEMALIGN] = "POSIX_MEMALIGN",
    [OP_MEMALIGN] = "MEMALIGN",
    [OP_REALLOCARRAY] = "REALLOCARRAY",
    [OP_USABLE_SIZE] = "USABLE_SIZE",
    [OP_FREE_SIZED] = "FREE_SIZED",
    [OP_FREE_ALIGNED_SIZED] = "FREE_ALIGNED_SIZED",
    [OP_WRITE] = "WRITE",
    [OP_FREE_NULL] = "FREE_NULL",
    [OP_CHECK] = "CHECK",
    [OP_REPEAT] = "REPEAT",
};

static const char *const size_names[SIZE_KINDS] = {"LITERAL", "TOP", "HALF", "HEAP", "USABLE", "SEEN"};

/* The rules that the C program checks. */
static const enum rule rules[] = {
    RULE_A2,  RULE_A4,  RULE_A6,  RULE_A7,  RULE_A9,    RULE_A10,   RULE_A12,  RULE_A14,
    RULE_A15, RULE_A16, RULE_A17, RULE_A19, RULE_A20,   RULE_A25,   RULE_A26,  RULE_A28,
    RULE_A29, RULE_C7,  RULE_C10, RULE_C24, RULE_CRASH, RULE_ABORT, RULE_HANG,
};

/* Writes s inside a comment: it can neither end the comment nor begin another one, and keeps its lines together. */
static void put_comment(FILE *out, const char *s)
{
    for (char before = '\0'; *s != '\0'; before = *s++) {
        if ((before == '*' && *s == '/') || (before == '/' && *s == '*')) putc(' ', out);
        putc((unsigned char)*s < 0x20 || *s == 0x7f || (*s == '\\' && s[1] == '\0') ? '?' : *s, out);
    }
}

/* Writes s as a string literal. */
static void put_literal(FILE *out, const char *s)
{
    putc('"', out);
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\') putc('\\', out);
        putc(*s, out);
    }
    putc('"', out);
}

static void put_lines(FILE *out, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) fprintf(out, "%s\n", lines[i]);
}

static bool is_checked(enum rule rule)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i] == rule) return true;
    return false;
}

static void put_verdict(FILE *out, const struct verdict *v, const struct target *target)
{
    const struct rule_info *info = rule_info(v->rule);
    fprintf(out, "/* Reproduces %s", info->id);
    if (target != NULL) {
        fputs(", found in ", out);
        put_comment(out, target->name);
    }
    fprintf(out, ":\n * %s [%s]\n *   expected: ", info->sentence, info->source);
    put_comment(out, v->expected);
    fputs("\n *   seen:     ", out);
    put_comment(out, v->seen);
    fputs("\n", out);
    if (!is_checked(v->rule))
        fputs(" * This C program makes the calls, but cannot check that rule from outside.\n", out);
}

/* What a plain malloc has no call for is told, so that nobody takes the C program for more than it is. */
static void put_left_out(FILE *out, const struct program *p)
{
    bool left_out[OP_KINDS] = {false};
    const char *separator = " * Left out, because malloc has no such call: ";
    bool any = false;

    for (uint32_t i = 0; i < p->op_count; i++) left_out[p->ops[i].kind] |= kind_names[p->ops[i].kind] == NULL;
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        if (!left_out[kind]) continue;
        fprintf(out, "%s%s", separator, op_name((enum op_kind)kind));
        separator = ", ";
        any = true;
    }
    if (any) fputs(".\n", out);
    if (p->heap.fail != 0) fputs(" * Left out: the request for memory that fails on demand.\n", out);
    if (p->heap.course != COURSE_PLAIN && p->heap.course != COURSE_DRAIN)
        fputs(" * The heap's course is left out: the program is run once.\n", out);
}

static void put_head(FILE *out, const struct program *p, const struct verdict *verdict, const struct target *target)
{
    char heap[256];
    bool failed = verdict != NULL && verdict->kind == VERDICT_FAIL && verdict->rule != RULE_NONE;
    if (failed) put_verdict(out, verdict, target);
    else fputs("/* A sequence of calls to malloc and its family.\n", out);
    fputs(" *\n"
          " *   cc -o repro repro.c\n"
          " *   ./repro                       this system's malloc\n"
          " *   ./repro ./libfoo.so [prefix]  that of a library (`-` stands for this system's)\n"
          " *\n"
          " * Exit status: 0 every rule held, 1 a rule was broken, 2 usage.\n",
          out);
    put_left_out(out, p);
    program_print_heap(&p->heap, heap, sizeof heap);
    fprintf(out, " * Written for this heap: %s\n */\n", heap);
}

static void put_constants(FILE *out, const struct program *p, const struct target *target)
{
    unsigned promises = target != NULL ? target->contract.promises : 0;
    const char *separator = "enum { ";

    fputs("#define _GNU_SOURCE\n"
          "#include <dlfcn.h>\n#include <errno.h>\n#include <signal.h>\n#include <stdarg.h>\n#include <stddef.h>\n"
          "#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n\n",
          out);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule_info *info = rule_info(rules[i]);
        fprintf(out, "#define %s \"%s: %s\"\n", info->id, info->id, info->sentence);
    }
    fprintf(out, "\n#define HEAP_SIZE %lluull\n#define SLOTS %uu\n#define STEPS_MAX %uu\n",
            (unsigned long long)p->heap.size, PROGRAM_SLOTS, PROGRAM_STEPS_MAX);
    fprintf(out, "#define ROUNDS %du\n", p->heap.course == COURSE_DRAIN ? 2 : 1);
    fputs("#define WHOLE ((size_t)1 << 24) /* larger blocks are looked at in their first and last 4096 bytes */\n"
          "#define NOT_SIZED SIZE_MAX\n\n/* What is promised beyond the C standard. */\n",
          out);
    fprintf(out, "#define ALIGN_SMALL %d\n#define SETS_ERRNO %d\n#define KEEPS_ERRNO %d\n#define CHECKS_ALIGN %d\n\n",
            (promises & PROMISE_ALIGN_SMALL) != 0, (promises & PROMISE_ERRNO) != 0,
            (promises & PROMISE_FREE_ERRNO) != 0, (promises & PROMISE_ALIGN_CHECKED) != 0);
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        if (kind_names[kind] == NULL) continue;
        fprintf(out, "%s%s", separator, kind_names[kind]);
        separator = kind == OP_FREE_SIZED - 1 ? ",\n       " : ", ";
    }
    fputs(", END };\nenum { ", out);
    for (unsigned kind = 0; kind < SIZE_KINDS; kind++) fprintf(out, "%s%s", kind == 0 ? "" : ", ", size_names[kind]);
    fputs(" };\n\n", out);
}

/* The operation's text, so that the C program can say where it is, then its fields. A repeat counts the operations
 * before it, those left out too: they stay in the table and do nothing. */
static void put_op(FILE *out, const struct op *op)
{
    char text[512];
    const char *name = kind_names[op->kind];
    program_print_op(op, text, sizeof text);
    fputs("    {", out);
    put_literal(out, text);
    fprintf(out, ", %s, %u, %u, %d, %ld, %s, %lluull, %s, %lluull, %u},\n", name != NULL ? name : "END + 1",
            (unsigned)op->slot, name != NULL ? (unsigned)op->count : 0, (int)op->stride, (long)op_step(op),
            size_names[op->a_kind], (unsigned long long)op->a, size_names[op->b_kind], (unsigned long long)op->b,
            (unsigned)op->ref);
}

int reproducer_write(FILE *out, const struct program *p, const struct trace *trace, const struct verdict *verdict,
                     const struct target *target)
{
    (void)trace;
    put_head(out, p, verdict, target);
    put_constants(out, p, target);
    put_lines(out, body_before, sizeof body_before / sizeof *body_before);
    fputs("static const struct op program[] = {\n", out);
    for (uint32_t i = 0; i < p->op_count; i++) put_op(out, &p->ops[i]);
    fputs("    {\"the end of the program\", END, 0, 0, 0, 0, LITERAL, 0, LITERAL, 0, 0},\n};\n", out);
    put_lines(out, body_behind, sizeof body_behind / sizeof *body_behind);
    errno = 0;
    if (fflush(out) == 0 && !ferror(out)) return 0;
    if (errno == 0) errno = EIO;
    return -1;
}
