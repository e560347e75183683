/* test_report.c: the reports, from hand-made findings to the byte; and that parsers take what is meant for them. */
#define _GNU_SOURCE
#include "page.h"
#include "report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct target target;
static struct finding finding;
static struct summary summary;

static void add_op(struct op op)
{
    if (op.count == 0) op.count = 1;
    finding.program.ops[finding.program.op_count++] = op;
}

static void add_event(struct event e) { finding.trace.events[finding.trace.event_count++] = e; }

/* A block of 40 bytes lost a byte when its neighbour in p0 was freed and taken again. */
static int set_up(void **state)
{
    (void)state;
    memset(&target, 0, sizeof target);
    memset(&finding, 0, sizeof finding);
    memset(&summary, 0, sizeof summary);
    strcpy(target.name, "broken/early_reuse");
    finding.target = summary.target = &target;
    target.kind = TARGET_BUILTIN;
    program_clear(&finding.program);
    add_op((struct op){.kind = OP_MALLOC, .slot = 0, .a = 24});
    add_op((struct op){.kind = OP_MALLOC, .slot = 1, .a = 40});
    add_op((struct op){.kind = OP_FREE, .slot = 0});
    add_op((struct op){.kind = OP_MALLOC, .slot = 2, .count = 6, .stride = 1, .a = 16});
    add_op((struct op){.kind = OP_WRITE, .slot = 1});

    add_event(
        (struct event){.op = 0, .kind = OP_MALLOC, .result = RESULT_PTR, .size = 24, .offset = 0x10, .usable = 32});
    add_event((struct event){
        .op = 1, .slot = 1, .kind = OP_MALLOC, .result = RESULT_PTR, .size = 40, .offset = 0x40, .usable = 40});
    add_event((struct event){.op = 2, .kind = OP_FREE, .result = RESULT_VOID, .offset = 0x10});
    for (uint32_t i = 0; i < 5; i++)
        add_event((struct event){.op = 3,
                                 .step = i,
                                 .slot = (uint16_t)(2 + i),
                                 .kind = OP_MALLOC,
                                 .result = RESULT_PTR,
                                 .size = 16,
                                 .offset = 0x80 + 0x20 * i,
                                 .usable = 16});
    add_event((struct event){.op = 3,
                             .step = 5,
                             .slot = 7,
                             .kind = OP_MALLOC,
                             .result = RESULT_NULL,
                             .size = 16,
                             .offset = OFFSET_NONE,
                             .error = 12});
    finding.trace.heap_size = 8192;
    finding.trace.fault_offset = 0x48;
    finding.trace.blocks[0] = (struct live_block){.offset = 0x40, .size = 40, .usable = 40, .slot = 1};
    finding.trace.blocks[1] = (struct live_block){.offset = 0x80, .size = 9, .usable = 16, .slot = 2};
    finding.trace.block_count = 2;

    finding.verdict = (struct verdict){.kind = VERDICT_FAIL,
                                       .rule = RULE_C10,
                                       .op = 4,
                                       .slot = 1,
                                       .expected = "byte 8 of p1 is 0x5a",
                                       .seen = "it is 0x00"};
    finding.original_ops = 120;
    finding.minimised = true;
    finding.repeats = finding.repeated = 10;
    strcpy(finding.path, "assay-out/C10.ops");

    summary.verdict = VERDICT_FAIL;
    summary.findings = 1;
    summary.seconds = -1;
    summary.command = "check";
    summary.counters.programs = 1234567;
    summary.counters.operations = 98765432;
    summary.counters.checked[RULE_C10] = 70;
    summary.counters.checked[RULE_A2] = 8;
    summary.counters.skipped[OP_MEMALIGN] = 12;
    summary.counters.skipped[OP_FREE_SIZED] = 3000;
    return 0;
}

/* The whole report of the finding, `times` over, and of the summary; from malloc. */
static char *write_report(enum report_format format, unsigned times, bool quiet)
{
    char *text = NULL;
    size_t size;
    struct report report = {.format = format, .out = open_memstream(&text, &size), .quiet = quiet};
    assert_non_null(report.out);
    report_begin(&report);
    while (times-- > 0) report_finding(&report, &finding);
    assert_int_equal(report_end(&report, &summary), 0);
    fclose(report.out);
    return text;
}

static void expect_report(enum report_format format, bool quiet, const char *expected)
{
    char *text = write_report(format, finding.program.op_count > 0, quiet);
    assert_string_equal(text, expected);
    free(text);
}

/* Python's own parser takes the text: `code` reads it from standard input. */
static void expect_python(const char *code, const char *text)
{
    char path[] = "/tmp/assay-report-XXXXXX", command[2048];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    snprintf(command, sizeof command, "python3 -c '%s' < %s", code, path);
    int status = system(command);
    unlink(path);
    assert_int_equal(status, 0);
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */

static const char failure_text[] =
    "FAIL broken/early_reuse: C10 (correctness) a live block keeps what its owner wrote [C11 6.2.4p2]\n"
    "  at operation 5 of 5: `write p1`\n"
    "    expected: byte 8 of p1 is 0x5a\n"
    "    seen:     it is 0x00\n"
    "\n"
    "  program\n"
    "        heap size=8192\n"
    "     1  p0 = malloc 24      -> +0x10 (32 usable)\n"
    "     2  p1 = malloc 40      -> +0x40 (40 usable)\n"
    "     3  free p0             -> done, was +0x10\n"
    "     4  p2..p7 = malloc 16  -> +0x80 (16 usable) … NULL ENOMEM: 5 blocks, 1 NULL\n"
    ">    5  write p1\n"
    "\n"
    "  heap\n"
    "    +0x40                                                           +0x80\n"
    "    p1                                                              p2\n"
    "    ########################################........................#########.......\n"
    "            ^ +0x48\n"
    "    (a column is 1 byte: # payload, . free or slack, X in two blocks; 8192 bytes in all)\n"
    "\n"
    "  showed itself 10 of 10 times\n"
    "  shrunk from 120 operations\n"
    "assay replay broken/early_reuse assay-out/C10.ops\n";

static const char summary_text[] =
    "FAIL broken/early_reuse: 1 finding; 1,234,567 programs, 98,765,432 operations, 2 rules checked\n"
    "  skipped: memalign (12), free_sized (3,000): not offered by broken/early_reuse\n"
    "assay replay broken/early_reuse assay-out/C10.ops\n";

static void text_tells_all_of_a_failure(void **state)
{
    (void)state;
    char expected[sizeof failure_text + sizeof summary_text];
    snprintf(expected, sizeof expected, "%s%s", failure_text, summary_text);
    expect_report(FORMAT_TEXT, false, expected);
}

static void text_quiet_keeps_the_first_and_the_last_line(void **state)
{
    (void)state;
    expect_report(FORMAT_TEXT, true,
                  "FAIL broken/early_reuse: C10 (correctness) a live block keeps what its owner wrote [C11 6.2.4p2]\n"
                  "assay replay broken/early_reuse assay-out/C10.ops\n"
                  "FAIL broken/early_reuse: 1 finding; 1,234,567 programs, 98,765,432 operations, 2 rules checked\n"
                  "assay replay broken/early_reuse assay-out/C10.ops\n");
}

static void text_passes_in_one_line(void **state)
{
    (void)state;
    finding.program.op_count = 0;
    memset(summary.counters.skipped, 0, sizeof summary.counters.skipped);
    summary.verdict = VERDICT_PASS;
    summary.findings = 0;
    summary.seconds = 10.04;
    summary.interrupted = true;
    summary.counters.programs = 1;
    expect_report(FORMAT_TEXT, false,
                  "PASS broken/early_reuse: 1 program, 98,765,432 operations, 2 rules checked, 10.0 s\n"
                  "  interrupted: the budget was not used up\n");
    expect_report(FORMAT_TEXT, true, "");
}

static void text_names_the_contract_bit_of_a_resource_rule(void **state)
{
    (void)state;
    finding.verdict.rule = RULE_C31;
    target.contract.promises = PROMISE_EXPLAINED;
    char *text = write_report(FORMAT_TEXT, 1, false);
    assert_non_null(strstr(text, ": C31 (resources) "));
    assert_non_null(strstr(text, "\n  contract: promises explained (only what fits no gap is refused)\n"));
    free(text);
    finding.verdict.rule = RULE_C24;
    text = write_report(FORMAT_TEXT, 1, false);
    assert_non_null(strstr(text, "\n  contract: does not promise merges "));
    free(text);
}

static void text_tells_of_crash_course_and_history(void **state)
{
    (void)state;
    finding.verdict = (struct verdict){.kind = VERDICT_FAIL, .rule = RULE_CRASH, .op = 3, .step = 1, .round = 1};
    finding.program.heap.course = COURSE_DRAIN;
    finding.signal_number = SIGSEGV;
    finding.repeated = 7;
    finding.needs_history = true;
    finding.trace.heap_size = 0;
    char *text = write_report(FORMAT_TEXT, 1, false);
    assert_non_null(strstr(text, "`p2..p7 = malloc 16`, call 2 of its run, round 2 of the drain course\n"));
    assert_non_null(strstr(text, "  the process was ended by SIGSEGV\n"));
    assert_non_null(strstr(text, "  showed itself 7 of 10 times: "));
    assert_non_null(strstr(text, "  needs its history: "));
    assert_null(strstr(text, "\n  heap\n"));
    free(text);
}

/* ---- The replay command ------------------------------------------------------------------------------------------ */

static void expect_command(const char *expected)
{
    char command[20000];
    assert_int_equal(report_replay_command(&finding, command, sizeof command), strlen(expected));
    assert_string_equal(command, expected);
}

static void replay_command_is_quoted(void **state)
{
    (void)state;
    char small[10];
    strcpy(target.name, "./it's.so");
    strcpy(target.prefix, "je_");
    finding.path[0] = '\0';
    expect_command("assay replay './it'\\''s.so' assay-out/C10.ops --prefix je_");
    report_replay_command(&finding, small, sizeof small);
    assert_string_equal(small, "assay rep");
    strcpy(target.name, "./a\nb.so");
    expect_command("assay replay $'./a\\012b.so' assay-out/C10.ops --prefix je_");
}

static void replay_command_names_the_profile(void **state)
{
    (void)state;
    target.kind = TARGET_LIBRARY;
    target.contract.promises = PROMISE_ERRNO | PROMISE_FREE_ERRNO;
    target.contract.realloc_zero = REALLOC_ZERO_FREES;
    expect_command("assay replay broken/early_reuse assay-out/C10.ops --profile +errno,+free-errno,realloc-zero=frees");
    static const struct alloc_ops ops = {.contract = {.promises = PROMISE_ERRNO | PROMISE_MERGES}};
    target.kind = TARGET_BUILTIN;
    target.ops = &ops;
    target.illegal = true;
    target.contract = (struct alloc_contract){.promises = PROMISE_ERRNO};
    expect_command("assay replay broken/early_reuse assay-out/C10.ops --profile illegal,-merges");
}

/* ---- The picture ------------------------------------------------------------------------------------------------- */

static void expect_picture(unsigned columns, const char *expected)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    report_heap_picture(out, &finding.trace, &finding.verdict, columns);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void picture_marks_bytes_of_two_blocks(void **state)
{
    (void)state;
    finding.trace.heap_size = 0x70;
    finding.trace.fault_offset = 0x58;
    finding.trace.blocks[1] = (struct live_block){.offset = 0x58, .size = 20, .usable = 24, .slot = 2};
    expect_picture(100, "    +0x40                   +0x58\n"
                        "    p1                      p2\n"
                        "    ########################XXXXXXXXXXXXXXXX####....|\n"
                        "                            ^ +0x58\n"
                        "    (a column is 1 byte: # payload, . free or slack, X in two blocks; 112 bytes in all)\n");
}

static void picture_fits_its_columns(void **state)
{
    (void)state;
    expect_picture(60, "    +0x40                           +0x80\n"
                       "    p1                              p2\n"
                       "    ####################............#####...\n"
                       "        ^ +0x48\n"
                       "    (a column is 2 bytes: # payload, . free or slack, X in two blocks; 8192 bytes in all)\n");
}

static void picture_survives_wild_blocks(void **state)
{
    (void)state;
    finding.trace.fault_offset = (uint64_t)-16;
    finding.trace.blocks[0] = (struct live_block){.offset = 0x1ff0, .size = UINT64_MAX - 3, .usable = 0, .slot = 1};
    finding.trace.blocks[1] = (struct live_block){.offset = (uint64_t)-16, .size = 8, .usable = 8, .slot = 2};
    char *text = write_report(FORMAT_TEXT, 1, false);
    assert_non_null(strstr(text, "-0x10"));
    free(text);
    finding.trace.block_count = 0;
    expect_picture(80, "");
}

/* ---- Formats for machines ---------------------------------------------------------------------------------------- */

static void json_lines_to_the_byte(void **state)
{
    (void)state;
    expect_report(
        FORMAT_JSON, false,
        "{\"type\":\"finding\",\"allocator\":\"broken/early_reuse\",\"rule\":\"C10\",\"class\":\"correctness\","
        "\"sentence\":\"a live block keeps what its owner wrote\",\"source\":\"C11 6.2.4p2\",\"operation\":\"write\","
        "\"operations\":5,\"op_index\":4,\"step\":0,\"round\":0,\"expected\":\"byte 8 of p1 is 0x5a\","
        "\"seen\":\"it is 0x00\",\"program\":\"assay 1\\nheap size=8192\\np0 = malloc 24\\np1 = malloc 40\\nfree p0\\n"
        "p2..p7 = malloc 16\\nwrite p1\\n\",\"file\":\"assay-out/C10.ops\",\"seed\":0,\"index\":0,\"signal\":0,"
        "\"exit_status\":0,\"repeats\":10,\"repeated\":10,\"needs_history\":false,\"minimised\":true,"
        "\"original_operations\":120,\"replay\":\"assay replay broken/early_reuse assay-out/C10.ops\"}\n"
        "{\"type\":\"summary\",\"command\":\"check\",\"allocator\":\"broken/early_reuse\",\"verdict\":\"FAIL\","
        "\"findings\":1,\"programs\":1234567,\"operations\":98765432,\"seed\":0,\"interrupted\":false,"
        "\"rules\":{\"A2\":8,\"C10\":70},\"skipped\":[{\"operation\":\"memalign\",\"calls\":12,"
        "\"reason\":\"not offered by broken/early_reuse\"},{\"operation\":\"free_sized\",\"calls\":3000,"
        "\"reason\":\"not offered by broken/early_reuse\"}]}\n");
}

/* Whatever bytes stand in names and texts, each document stays one that its parser takes. */
static void documents_hold_any_bytes(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) target.name[c - 1] = (char)c;
    target.name[255] = '\0';
    strcpy(finding.path, "a dir/\xc3\xa4\xff\xed\xa0\x80 ]]> \xf4\x90\x80\x80 \xef\xbf\xbf \xe2\x82.ops");
    strcpy(finding.verdict.seen, "</failure> \"&amp;\" \\u0000 \x1b[31m \xc0\x80");
    summary.message = "no \"memory\" <&>\n\x01";
    summary.verdict = VERDICT_ERROR;

    char *text = write_report(FORMAT_JSON, 2, false);
    expect_python("import sys,json\nl=[json.loads(x) for x in sys.stdin.buffer.read().split(b\"\\n\")[:-1]]\n"
                  "assert [x[\"type\"] for x in l]==[\"finding\",\"finding\",\"summary\"]\n"
                  "assert \"\\ufffd\" in l[0][\"allocator\"]",
                  text);
    free(text);
    text = write_report(FORMAT_JUNIT, 20, false);
    expect_python("import sys,xml.etree.ElementTree as e\nr=e.fromstring(sys.stdin.buffer.read())\n"
                  "assert r.tag==\"testsuites\" and len(r[0].findall(\"testcase\"))==int(r[0].get(\"tests\"))==5\n"
                  "assert len(r.findall(\".//failure\"))==1 and len(r.findall(\".//skipped\"))==2\n"
                  "f=r.find(\".//failure\")\nassert f.get(\"type\")==\"C10\"\n"
                  "assert f.text.count(\"assay replay\")==16 and \"\\n20 findings in all\" in f.text",
                  text);
    free(text);
    text = write_report(FORMAT_SARIF, 3, false);
    expect_python("import sys,json\nr=json.load(sys.stdin)[\"runs\"][0]\nx=r[\"results\"]\nassert len(x)==3\n"
                  "assert r[\"tool\"][\"driver\"][\"rules\"][x[2][\"ruleIndex\"]][\"id\"]==x[2][\"ruleId\"]==\"C10\"\n"
                  "p=x[0][\"locations\"][0][\"physicalLocation\"]\nassert p[\"region\"][\"startLine\"]==7\n"
                  "assert p[\"artifactLocation\"][\"uri\"].startswith(\"a%20dir/%C3%A4%FF\")",
                  text);
    free(text);
}

static void machine_formats_hold_no_findings_too(void **state)
{
    (void)state;
    summary.verdict = VERDICT_PASS;
    summary.findings = 0;
    char *text = write_report(FORMAT_JUNIT, 0, false);
    expect_python("import sys,xml.etree.ElementTree as e\nr=e.fromstring(sys.stdin.buffer.read())\n"
                  "assert len(r[0])==4 and r[0].get(\"failures\")==\"0\"",
                  text);
    free(text);
    text = write_report(FORMAT_SARIF, 0, false);
    expect_python("import sys,json\nassert json.load(sys.stdin)[\"runs\"][0][\"results\"]==[]", text);
    free(text);
}

static void format_words(void **state)
{
    (void)state;
    enum report_format format = FORMAT_TEXT;
    assert_true(report_format_parse("sarif", &format));
    assert_int_equal(format, FORMAT_SARIF);
    assert_false(report_format_parse("xml", &format));
    assert_false(report_format_parse("", &format));
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    struct report report = {.format = FORMAT_TEXT, .out = fopen("/dev/full", "w")};
    if (report.out == NULL) skip();
    report_begin(&report);
    report_finding(&report, &finding);
    assert_int_equal(report_end(&report, &summary), -1);
    fclose(report.out);
}

/* ---- The page ---------------------------------------------------------------------------------------------------- */

static void page_is_well_formed_and_complete(void **state)
{
    (void)state;
    for (int host = 0; host < 2; host++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        if (host) finding.trace.heap_size = 0;
        assert_int_equal(page_write(out, &finding.program, &finding.trace, &finding.verdict, "<a>&'\""), 0);
        fclose(out);
        expect_python("import sys,xml.etree.ElementTree as e\nt=sys.stdin.read()\n"
                      "assert \"<h1>assay: &lt;a&gt;&amp;\" in t and \"http\" not in t and \"<script\" not in t\n"
                      "r=e.fromstring(t[t.index(\"<svg\"):t.index(\"</svg>\")+6])\n"
                      "assert len(r.findall(\"rect\"))==7\n"
                      "assert t.count(\"<mark>\")==1",
                      text);
        free(text);
    }
}

static void page_without_a_run_shows_what_is_asked_for(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    add_op((struct op){.kind = OP_REPEAT, .a = 5, .b = 3});
    assert_int_equal(page_write(out, &finding.program, NULL, NULL, NULL), 0);
    fclose(out);
    expect_python("import sys,xml.etree.ElementTree as e\nt=sys.stdin.read()\n"
                  "r=e.fromstring(t[t.index(\"<svg\"):t.index(\"</svg>\")+6])\n"
                  "assert len(r.findall(\"rect\"))==11",
                  text); /* p0 four times, p1 to p7 once */
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(text_tells_all_of_a_failure, set_up),
        cmocka_unit_test_setup(text_quiet_keeps_the_first_and_the_last_line, set_up),
        cmocka_unit_test_setup(text_passes_in_one_line, set_up),
        cmocka_unit_test_setup(text_names_the_contract_bit_of_a_resource_rule, set_up),
        cmocka_unit_test_setup(text_tells_of_crash_course_and_history, set_up),
        cmocka_unit_test_setup(replay_command_is_quoted, set_up),
        cmocka_unit_test_setup(replay_command_names_the_profile, set_up),
        cmocka_unit_test_setup(picture_marks_bytes_of_two_blocks, set_up),
        cmocka_unit_test_setup(picture_fits_its_columns, set_up),
        cmocka_unit_test_setup(picture_survives_wild_blocks, set_up),
        cmocka_unit_test_setup(json_lines_to_the_byte, set_up),
        cmocka_unit_test_setup(documents_hold_any_bytes, set_up),
        cmocka_unit_test_setup(machine_formats_hold_no_findings_too, set_up),
        cmocka_unit_test_setup(format_words, set_up),
        cmocka_unit_test_setup(a_full_disk_is_told, set_up),
        cmocka_unit_test_setup(page_is_well_formed_and_complete, set_up),
        cmocka_unit_test_setup(page_without_a_run_shows_what_is_asked_for, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
