/* report_sarif.c: SARIF 2.1.0. The document streams: the rules, which are known before, come first, then the results as
 * they are found, then what the invocation was like. A result points into the program on disk.
 */
#include "differences.h"
#include "report_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void report_sarif_begin(FILE *out)
{
    fputs("{\n"
          "  \"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n"
          "  \"version\": \"2.1.0\",\n"
          "  \"runs\": [{\n"
          "    \"tool\": {\"driver\": {\"name\": \"assay\", \"rules\": [\n",
          out);
    for (unsigned rule = RULE_NONE + 1; rule < RULE_COUNT; rule++) {
        const struct rule_info *info = rule_info((enum rule)rule);
        fprintf(out, "      {\"id\": \"%s\", \"shortDescription\": {\"text\": ", info->id);
        json_string(out, info->sentence);
        fprintf(out, "}, \"properties\": {\"class\": \"%s\", \"source\": ", rule_class_name(info->class));
        json_string(out, info->source);
        fprintf(out, "}}%s\n", rule + 1 < RULE_COUNT ? "," : "");
    }
    fputs("    ]}},\n    \"results\": [", out);
}

/* The line of the failing operation in the text form, from 1; of the last line for the end of the program. Operations
 * are the last lines of the text, one each, whatever stands before them. */
static size_t line_of_failure(const struct finding *f, const char *text)
{
    size_t lines = 0, ops = f->program.op_count;
    for (; *text != '\0'; text++) lines += *text == '\n';
    size_t line = f->verdict.op < ops && lines >= ops ? lines - ops + f->verdict.op + 1 : lines;
    return line > 0 ? line : 1;
}

/* A path as a URI: an absolute one becomes a file URI, all but the unreserved characters are percent-encoded. */
static void print_uri(FILE *out, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    fputs(path[0] == '/' ? "\"file://" : "\"", out);
    for (; *path != '\0'; path++)
        if (strchr(plain, *path) != NULL) putc(*path, out);
        else fprintf(out, "%%%02X", (unsigned)(unsigned char)*path);
    putc('"', out);
}

static void print_message(FILE *out, const struct finding *f, const struct rule_info *info)
{
    char *text = NULL, op[512] = "the end of the program", replay[20000], who[REPORT_WHO_MAX];
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    if (f->verdict.op < f->program.op_count) program_print_op(&f->program.ops[f->verdict.op], op, sizeof op);
    report_who(f, who, sizeof who);
    report_replay_command(f, replay, sizeof replay);
    if (stream != NULL) {
        fprintf(stream, "%s: %s. At `%s`: expected %s; seen %s.\nReplay: %s", who, info->sentence, op,
                f->verdict.expected, f->verdict.seen, replay);
        fclose(stream);
    }
    json_string(out, text != NULL ? text : info->sentence);
    free(text);
}

/* FNV-1a of the program's text: the same program for the same rule is the same result in another run. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

void report_sarif_finding(FILE *out, const struct finding *f, bool first)
{
    const struct rule_info *info = report_rule(&f->verdict);
    char *program = report_program_text(&f->program);
    const char *text = program != NULL ? program : "";
    char file[sizeof f->path];

    report_file(f, file, sizeof file);
    fprintf(out, "%s\n      {\"ruleId\": \"%s\", ", first ? "" : ",", info->id);
    if (f->verdict.rule != RULE_NONE) fprintf(out, "\"ruleIndex\": %d, ", (int)f->verdict.rule - 1);
    fputs("\"level\": \"error\",\n       \"message\": {\"text\": ", out);
    print_message(out, f, info);
    fputs("},\n       \"locations\": [{\"physicalLocation\": {\"artifactLocation\": {\"uri\": ", out);
    print_uri(out, file);
    fprintf(out, "}, \"region\": {\"startLine\": %zu}}}],\n", line_of_failure(f, text));
    fprintf(out, "       \"partialFingerprints\": {\"program/v1\": \"%s-%016" PRIx64 "\"}}", info->id, hash_of(text));
    free(program);
}

static void print_invocation(FILE *out, enum verdict_kind verdict, const char *message)
{
    fprintf(out, "\n    ],\n    \"invocations\": [{\"executionSuccessful\": %s",
            verdict == VERDICT_ERROR ? "false" : "true");
    if (message != NULL) {
        fputs(", \"toolExecutionNotifications\": [{\"level\": \"error\", \"message\": {\"text\": ", out);
        json_string(out, message);
        fputs("}}]", out);
    }
    fputs("}],\n    \"properties\": {", out);
}

static void print_not_offered(FILE *out, const struct exec_counters *c)
{
    const char *separator = "";
    fputs("\"notOffered\": [", out);
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        if (c->skipped[kind] == 0) continue;
        fprintf(out, "%s\"%s\"", separator, op_name((enum op_kind)kind));
        separator = ", ";
    }
    putc(']', out);
}

void report_sarif_end(FILE *out, const struct summary *s)
{
    print_invocation(out, s->verdict, s->message);
    fputs("\"allocator\": ", out);
    json_string(out, s->target->name);
    fprintf(out, ", \"verdict\": \"%s\", \"programs\": %" PRIu64 ", \"operations\": %" PRIu64 ", \"interrupted\": %s",
            report_verdict_word(s->verdict), s->counters.programs, s->counters.operations,
            s->interrupted ? "true" : "false");
    if (s->seconds >= 0) fprintf(out, ", \"seconds\": %.3f", s->seconds);
    fputs(", ", out);
    print_not_offered(out, &s->counters);
    fputs("}\n  }]\n}\n", out);
}

void report_sarif_end_diff(FILE *out, const struct diff_summary *s)
{
    const struct diff *d = s->diff;
    const char *separator = "";

    print_invocation(out, s->verdict, s->message);
    fputs("\"allocators\": [", out);
    for (unsigned i = 0; i < d->count; i++) {
        fputs(i > 0 ? ", {\"name\": " : "{\"name\": ", out);
        json_string(out, d->targets[i].name);
        fprintf(out, ", \"programs\": %" PRIu64 ", \"operations\": %" PRIu64 ", ", d->counters[i].programs,
                d->counters[i].operations);
        print_not_offered(out, &d->counters[i]);
        putc('}', out);
    }
    fprintf(out,
            "], \"verdict\": \"%s\", \"programsCompared\": %" PRIu64 ", \"callsCompared\": %" PRIu64
            ", \"interrupted\": %s",
            report_verdict_word(s->verdict), d->difference.programs, d->difference.calls,
            s->interrupted ? "true" : "false");
    if (s->seconds >= 0) fprintf(out, ", \"seconds\": %.3f", s->seconds);
    fputs(",\n      \"differences\": {", out);
    for (enum difference_kind kind = 0; kind < DIFFERENCE_KINDS; kind++) {
        char *text = difference_found(d, kind) ? difference_text(d, kind) : NULL;
        if (text == NULL) continue;
        fprintf(out, "%s\n        \"%s\": ", separator, difference_word(kind));
        json_string(out, text);
        separator = ",";
        free(text);
    }
    fputs("\n      }}\n  }]\n}\n", out);
}
