#!/usr/bin/env bash
# presets: release debug asan m32
#
# diff.sh: the same programs on several allocators: what each breaks is told, what they choose is summed up, what they must
# not differ in is a finding, and equal runs give equal bytes. Needs ASSAY (the program).

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# ends STATUS ARGUMENT…: assay diff ends so; its report is in out.txt.
ends() {
    local expected=$1 status=0
    shift
    rm -rf found
    "$assay" diff "$@" --out found >out.txt 2>said.err </dev/null || status=$?
    [[ $status == "$expected" ]] || failed "assay diff $*" "  exit status $status, expected $expected" "$(tail -n 3 out.txt said.err)"
}

# told TEXT: the report has a line with it.
told() { grep -qF -- "$1" out.txt || failed "not in the report: $1" "$(tail -n 5 out.txt)"; }

# last TEXT: the last line of the report begins so.
last() { [[ $(tail -n 1 out.txt) == "$1"* ]] || failed "the last line is not $1" "$(tail -n 1 out.txt)"; }

# refused TEXT ARGUMENT…: exit status 2, nothing on standard output, one line with TEXT on standard error.
refused() {
    local text=$1
    shift
    ends 2 "$@"
    [[ ! -s out.txt && $(wc -l <said.err) == 1 && $(<said.err) == "assay: "*"$text"* ]] ||
        failed "assay diff $*: not one line with \"$text\"" "$(head -n 3 out.txt said.err)"
}

printf 'assay 1\nheap size=4096\np0..p9 = malloc 81\nrealloc p3 700\np10 = malloc 0\nfree p0..p10\n' >holds.ops
printf 'assay 1\nheap size=512 course=drain\np0..p3 = malloc 81\n' >leaks.ops
printf 'assay 1\np0 = malloc 40\ninterior_free p0 8\n' >inside.ops
printf 'assay 1\n  frob p1\n' >wrong.ops
mkdir -p corpus/below
cp holds.ops corpus/a.ops
cp holds.ops corpus/below/b.ops
printf 'frob' >corpus/README

# ---- Legal differences ------------------------------------------------------------------------------------------------

ends 0 freelist break region --programs 400
told 'usable beyond the request, up to 64 bytes'
told 'Not offered: '
last 'PASS freelist, break, region: 400 programs compared, '
[[ ! -e found ]] || failed 'a comparison without findings leaves a folder'
if ! grep -q __asan_init "$assay"; then # whose malloc is not the C library's
    ends 0 freelist libc --programs 100
    told 'Out of memory: freelist refuses '
fi
ends 0 buddy slab kmalloc vmalloc --programs 60
told 'kmalloc, kzalloc, kcalloc'
ends 0 buddy freelist --programs 60
ends 0 freelist freelist buddy buddy --programs 100
told 'freelist (2) is freelist'
ends 0 freelist break --programs 60 --quiet
[[ ! -s out.txt ]] || failed 'a PASS is told although --quiet was asked for'
ends 0 freelist break --seconds 0.3
grep -q ' s$' out.txt || failed 'a run by time does not say how long it took'

# ---- What each breaks ---------------------------------------------------------------------------------------------------

ends 1 freelist broken/free_leaks broken/calloc_dirty --programs 500
told 'FAIL broken/free_leaks: C24 '
told 'FAIL broken/calloc_dirty: A9 '
grep -q '^  rules broken  *none  *C24  *A9$' out.txt || failed 'the table does not say what each breaks'
last 'assay replay broken/'
compgen -G 'found/free_leaks-C24-*.ops' >/dev/null || failed 'the finding is not under --out'
replay=$(sed -n 's/^assay replay /replay /p' out.txt | head -n 1)
# shellcheck disable=SC2086 # the command's words
"$assay" $replay --quiet >replayed.txt && failed "assay $replay: it does not fail"
# A crash and an exit are findings, and the comparison goes on.
ends 1 freelist broken/aborts_when_full broken/exits_when_full --programs 200
told 'FAIL broken/aborts_when_full: ABORT '
told 'FAIL broken/exits_when_full: EXIT '

# ---- What may not differ ------------------------------------------------------------------------------------------------

ends 1 broken/interior_free_mistaken freelist --programs 300
told 'FAIL broken/interior_free_mistaken and freelist: DIFFER '
told 'seen:     broken/interior_free_mistaken: DOUBLE_FREE; freelist: BAD_FREE'
last 'assay diff broken/interior_free_mistaken freelist found/interior_free_mistaken-DIFFER-'
cp found/*.ops disagree.ops
grep -q '^# broken/interior_free_mistaken and freelist break DIFFER: ' disagree.ops || failed 'the file does not say who disagrees'
ends 1 broken/interior_free_mistaken freelist disagree.ops
"$assay" check broken/interior_free_mistaken --programs 600 --quiet >alone.txt || failed 'it is found alone as well' "$(<alone.txt)"
ends 1 broken/decides_on_process broken/decides_on_process --programs 300
told 'expected: the same block of an allocator that promises to be deterministic'
"$assay" check broken/decides_on_process --programs 600 --quiet >alone.txt || failed 'it is found alone as well' "$(<alone.txt)"

# ---- Files -------------------------------------------------------------------------------------------------------------

ends 0 freelist break holds.ops
last 'PASS freelist, break: 1 programs compared'
ends 0 freelist corpus break
last 'PASS freelist, break: 2 programs compared'
ends 1 freelist broken/free_leaks leaks.ops holds.ops
told 'FAIL broken/free_leaks: C24 '
last 'assay replay broken/free_leaks leaks.ops'
ends 1 freelist broken/interior_free_mistaken inside.ops
told 'DIFFER'
ends 2 freelist break absent.ops
ends 2 freelist break wrong.ops holds.ops
grep -q 'wrong.ops:2:3: ' said.err || failed 'where the text is wrong is not said'
ends 1 freelist broken/free_leaks wrong.ops leaks.ops # a rule that was broken is told all the same
mkdir freelist # a name is an allocator's; ./freelist would be the folder
ends 0 freelist break holds.ops

# ---- Usage -------------------------------------------------------------------------------------------------------------

refused 'too few operands' freelist
refused 'two allocators' freelist holds.ops
refused 'did you mean freelist' freelst break
refused 'did you mean' freelist broken/free_leak
refused 'no such file' freelist ./absent.so
refused 'exclude each other' freelist break --programs 5 --seconds 5
refused 'runs on no simulated machine' freelist break --machine s4
refused 'promises to report' libc libc --mode illegal
"$assay" diff freelist break --programs 5 --out /proc/assay >out.txt 2>said.err
[[ $? == 2 && ! -s out.txt && $(wc -l <said.err) == 1 ]] || failed 'a folder that cannot be made is not refused' "$(<out.txt)"
if [[ -c /dev/full ]]; then
    "$assay" diff freelist break --programs 5 >/dev/full 2>said.err
    [[ $? == 2 && $(wc -l <said.err) == 1 ]] || failed 'a full disk is not seen' "$(<said.err)"
fi

# An interrupt ends it in order, with what was found: that is long before a worker has had a second of a processor.
"$assay" diff freelist broken/calloc_dirty --seconds 300 --out found >out.txt 2>said.err &
started+=($!)
while kill -0 $! && [[ $(ps -o times= --ppid $! | sort -n | tail -n 1) -lt 1 ]]; do sleep 0.1; done
kill -INT $!
wait $!
[[ $? == 1 ]] || failed 'an interrupted run loses its finding' "$(<said.err)"
told 'interrupted: the budget was not used up'
last 'assay replay broken/calloc_dirty found/'

# ---- Formats, and the same bytes ------------------------------------------------------------------------------------------

operands=(freelist broken/calloc_dirty broken/interior_free_mistaken)
for format in text json junit sarif; do
    ends 1 "${operands[@]}" --programs 300 --format "$format"
    mv out.txt one
    cat found/* >one.found
    ends 1 "${operands[@]}" --programs 300 --format "$format"
    cat found/* >two.found
    if ! cmp -s one out.txt || ! cmp -s one.found two.found; then failed "two runs differ as $format"; fi
    cp out.txt "report.$format"
done
for jobs in 1 2 5 9; do
    ends 0 freelist break region --programs 500 --jobs "$jobs" --format json
    sed 's/"rules":{[^}]*}//' out.txt >"jobs.$jobs" # how often some are checked depends on what ran before
    cmp -s jobs.1 "jobs.$jobs" || failed "with $jobs processes the report is another one"
done
if command -v python3 >/dev/null; then
    python3 - <<'PYTHON' || failed 'the reports for machines are not as documented'
import json
import xml.etree.ElementTree as xml

records = [json.loads(line) for line in open("report.json", encoding="utf-8")]
kinds = [r["type"] for r in records]
assert kinds[-1] == "summary" and kinds.count("summary") == 1, kinds
findings = [r for r in records if r["type"] == "finding"]
assert [r["rule"] for r in findings].count("A9") == 1, findings
differ = [r for r in findings if r["rule"] == "DIFFER"]
assert differ and {r["allocator"] for r in differ} | {r["other"] for r in differ} <= {
    "freelist", "broken/calloc_dirty", "broken/interior_free_mistaken"}, differ
summary = records[-1]
assert summary["verdict"] == "FAIL" and summary["findings"] == len(findings)
assert summary["disagreements"] == len(differ) and summary["rules"]["DIFFER"] > 0
assert [a["broken"] for a in summary["allocators"]][1].count("A9") == 1
for kind in {r["kind"] for r in records if r["type"] == "difference"}:
    of_kind = [r for r in records if r["type"] == "difference" and r["kind"] == kind]
    assert [r["allocator"] for r in of_kind] == [a["allocator"] for a in summary["allocators"]], kind
    assert all(("sentence" in r) == r["differs"] for r in of_kind), kind

suites = xml.parse("report.junit").getroot()
assert [s.get("name") for s in suites] == ["assay freelist", "assay broken/calloc_dirty",
                                          "assay broken/interior_free_mistaken", "assay diff"]
assert [int(s.get("failures")) for s in suites] == [0, 1, 0, 1]
for suite in suites:
    cases = suite.findall("testcase")
    assert len(cases) == int(suite.get("tests")) and cases, suite.get("name")
    assert sum(c.find("failure") is not None for c in cases) == int(suite.get("failures"))

sarif = json.load(open("report.sarif", encoding="utf-8"))["runs"][0]
assert {r["ruleId"] for r in sarif["results"]} == {"A9", "DIFFER"}
assert len(sarif["properties"]["allocators"]) == 3
PYTHON
fi

finish 'all as expected'
