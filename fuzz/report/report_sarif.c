/* report_sarif.c: SARIF 2.1.0. The document streams: the rules, which are known before, come first, then the results as
 * they are found, then what the invocation was like. A result points into the program on disk.
 */
#include "differences.h"
#include "report_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a service shows beside a finding to those who do not know its rule. */
static void print_help(FILE *out, enum rule rule)
{
    static const char *const classes[] = {[CLASS_CORRECT] = "No correct allocator may break it.",
                                          [CLASS_RESOURCE] =
                                              "Where it is broken, memory is lost, wasted or refused without need.",
                                          [CLASS_RETURNS] = "Every call must come back."};
    const struct rule_info *info = rule_info(rule);
    const struct promise *promise = report_promise(rule);
    char text[1024];
    int length =
        snprintf(text, sizeof text, "%s: %s (%s). %s", info->id, info->sentence, info->source, classes[info->class]);
    if (promise != NULL)
        snprintf(text + length, sizeof text - (size_t)length,
                 " It holds for an allocator that promises %s: %s; --profile -%s takes the promise back.",
                 promise->word, promise->meaning, promise->word);
    json_string(out, text);
}

static void print_rule(FILE *out, enum rule rule)
{
    const struct rule_info *info = rule_info(rule);
    fprintf(out, "      {\"id\": \"%s\",\n       \"shortDescription\": {\"text\": ", info->id);
    json_string(out, info->sentence);
    fputs("},\n       \"fullDescription\": {\"text\": ", out);
    print_help(out, rule);
    fputs("},\n       \"help\": {\"text\": ", out);
    print_help(out, rule);
    fprintf(out,
            "},\n       \"defaultConfiguration\": {\"level\": \"error\"},\n"
            "       \"properties\": {\"class\": \"%s\", \"tags\": [\"%s\"], \"precision\": \"very-high\", "
            "\"problem.severity\": \"error\", \"source\": ",
            rule_class_name(info->class), rule_class_name(info->class));
    json_string(out, info->source);
    fputs("}}", out);
}

void report_sarif_begin(FILE *out)
{
    fputs("{\n"
          "  \"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n"
          "  \"version\": \"2.1.0\",\n"
          "  \"runs\": [{\n"
          "    \"tool\": {\"driver\": {\"name\": \"assay\", \"semanticVersion\": \"" ASSAY_VERSION "\", \"rules\": [\n",
          out);
    for (unsigned rule = RULE_NONE + 1; rule < RULE_COUNT; rule++) {
        print_rule(out, (enum rule)rule);
        fputs(rule + 1 < RULE_COUNT ? ",\n" : "\n", out);
    }
    fputs("    ]}},\n    \"results\": [", out);
}

/* The failing operation's line in the text form: all of it. Operations are the last lines of the text, one each, whatever
 * stands before them; at the end of the program it is the last. */
static void print_region(FILE *out, const struct finding *f, const char *text)
{
    size_t lines = 0, ops = f->program.op_count, line = 1;
    for (const char *c = text; *c != '\0'; c++) lines += *c == '\n';
    size_t wanted = f->verdict.op < ops && lines >= ops ? lines - ops + f->verdict.op + 1 : lines;
    for (; line < wanted; line++) text = strchr(text, '\n') + 1;
    fprintf(out, "{\"startLine\": %zu, \"startColumn\": 1, \"endLine\": %zu, \"endColumn\": %zu}", line, line,
            strcspn(text, "\n") + 1);
}

/* A path as a URI, with all but the unreserved characters percent-encoded: relative at and below the working directory,
 * which is where a service looks for its files, else a file URI. */
static void print_uri(FILE *out, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    char here[4096];
    const size_t length = getcwd(here, sizeof here) != NULL ? strlen(here) : 0;
    if (length > 1 && strncmp(path, here, length) == 0 && path[length] == '/') path += length + 1;
    while (strncmp(path, "./", 2) == 0) path += 2;
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
    fputs("}, \"region\": ", out);
    print_region(out, f, text);
    /* The second is what GitHub goes by: a hash, and a count of results that have the same. */
    fprintf(out,
            "}}],\n       \"partialFingerprints\": {\"program/v1\": \"%s-%016" PRIx64
            "\", \"primaryLocationLineHash\": \"%016" PRIx64 ":1\"}}",
            info->id, hash_of(text), hash_of(text));
    free(program);
}

/* What tells this run from one of other allocators in the same build; then how it ended. */
static void print_invocation(FILE *out, const char *category, enum verdict_kind verdict, const char *message)
{
    static const int exit_codes[] = {[VERDICT_PASS] = 0, [VERDICT_FAIL] = 1, [VERDICT_ERROR] = 2};
    fputs("\n    ],\n    \"automationDetails\": {\"id\": ", out);
    json_string(out, category);
    fprintf(out, "},\n    \"invocations\": [{\"executionSuccessful\": %s, \"exitCode\": %d",
            verdict == VERDICT_ERROR ? "false" : "true", exit_codes[verdict]);
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
    char category[sizeof s->target->name + 64];
    snprintf(category, sizeof category, "assay %s/%s/", s->command != NULL ? s->command : "check", s->target->name);
    print_invocation(out, category, s->verdict, s->message);
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
    char category[PARTIES_MAX * (sizeof d->labels[0] + 1) + 64];
    size_t used = 0;

    for (unsigned i = 0; i < d->count; i++)
        used += (size_t)snprintf(category + used, sizeof category - used, "%s%s", i > 0 ? "," : "assay diff/",
                                 d->labels[i]);
    snprintf(category + used, sizeof category - used, "/");
    print_invocation(out, category, s->verdict, s->message);
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
