#!/usr/bin/env bash
# presets: libfuzzer afl
# fuzz_verb.sh: `assay fuzz` with the engine of the preset, and with the one built in: what it finds is told as `check` tells
# it, kept where it should be, and not lost by an interrupt; no process outlives it. Needs ASSAY (the program, in the build
# folder of a preset libfuzzer or afl), ASSAY_SOURCE (the source folder) and ASSAY_CC (a C compiler).

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
engine=$(basename "$(dirname "$assay")")
case $engine in
afl) needs afl-fuzz ;;
libfuzzer) ;;
*) skip "no engine's preset: $engine" ;;
esac
needs pgrep
ulimit -c 0

# ends STATUS ARGUMENT…: the exit status of `assay fuzz`; what it said is in the files report and said.
ends() {
    local expected=$1 status=0
    shift
    "$assay" fuzz "$@" --engine "$engine" >report 2>said </dev/null || status=$?
    [[ $status == "$expected" ]] || failed "assay fuzz $*" "  exit status $status, expected $expected" "$(head -c 2000 report said)"
}

# until_true SECONDS COMMAND…: waits for the command to succeed; false if it never did.
until_true() {
    local tries=$(($1 * 20))
    shift
    while ! "$@"; do
        ((tries-- > 0)) || return 1
        sleep 0.05
    done
}

is_gone() { [[ ! -e /proc/$1 ]] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# The processes that work in a folder of ours: none of them may be left.
working() { pgrep -f "$work/"; }
none_works() { [[ -z $(working) ]]; }
some_work() { [[ $(working | wc -l) -ge $1 ]]; }

# ---- Nothing to be found, and coverage kept -----------------------------------------------------------------------------

ends 0 freelist --seconds 3 --jobs 2 --keep --out kept
grep -Eq '^PASS freelist: [0-9,]+ programs, [0-9,]+ operations, [0-9]+ rules checked, coverage [0-9,]+' report ||
    failed 'the summary is not as it should be' "$(<report)"
compgen -G 'kept/freelist/*.bin' >/dev/null || failed '--keep keeps no coverage' "$(<said)"
"$assay" replay freelist kept/freelist >replayed 2>&1 || failed 'what was kept does not pass' "$(head -n 20 replayed)"
none_works || failed "processes are left over: $(working)"

# ---- A finding -----------------------------------------------------------------------------------------------------------

ends 1 broken/aborts_when_full --seconds 120 --jobs 1 --keep --out kept
finding=$(compgen -G 'kept/regressions/aborts_when_full-ABORT-*.ops' | head -n 1)
[[ -s ${finding:-} ]] || failed '--keep files no regression' "$(ls -R kept/regressions)"
command=$(tail -n 1 report)
[[ $command == "assay replay broken/aborts_when_full $finding" ]] || failed "the last line does not replay it: $command"
"$assay" replay broken/aborts_when_full "$finding" >replayed 2>&1
[[ $? == 1 ]] || failed 'the finding does not replay' "$(<replayed)"
ends 1 broken/aborts_when_full --seconds 120 --jobs 1 --out found --format json --no-minimize
python3 - report <<'END' || failed 'the JSON report is not as it should be' "$(<report)"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert [line["type"] for line in lines] == ["finding", "summary"], lines
assert lines[0]["rule"] == "ABORT" and lines[1]["command"] == "fuzz" and lines[1]["findings"] == 1
assert lines[1]["programs"] > 0 and lines[1]["coverage"] > 0
END
compgen -G 'found/aborts_when_full-ABORT-*.ops' >/dev/null || failed 'the finding is not under --out'

# ---- Interrupts ------------------------------------------------------------------------------------------------------------

for signal in INT TERM KILL; do
    "$assay" fuzz freelist --engine "$engine" --seconds 300 --jobs 2 --out "run$signal" >report 2>said &
    pid=$!
    started+=("$pid")
    until_true 120 some_work 2 || failed 'no engine was started' "$(<said)"
    sleep 0.5
    kill -"$signal" "$pid"
    until_true 60 is_gone "$pid" || failed "SIG$signal does not end a campaign"
    wait "$pid" 2>/dev/null
    status=$?
    until_true 60 none_works || failed "SIG$signal: processes are left over" "$(pgrep -af "$work/")"
    [[ $signal == KILL ]] && continue
    [[ $status == 0 ]] || failed "SIG$signal: exit status $status, expected 0: nothing was broken" "$(<said)"
    grep -q 'interrupted' report || failed "SIG$signal: the summary does not say so" "$(<report)"
done

# Killed while findings come in. The next run takes up what the first has left, and no input has gone unjudged.
"$assay" fuzz broken/free_leaks --engine "$engine" --seconds 300 --jobs 1 --all --out lost >report 2>said &
pid=$!
started+=("$pid")
inputs() { find lost \( -path '*/crashes*/id:*' -o -path '*/found/crash-*' -o -path '*/judged/*' \) -type f 2>/dev/null; }
some_inputs() { [[ -n $(inputs) ]]; }
until_true 30 some_inputs || failed 'a leak is not found' "$(<said)"
kill -9 "$pid"
wait "$pid" 2>/dev/null
until_true 60 none_works
rm -f lost/*.ops
taken=$(find lost -path '*/judged/*' -type f | head -n 1)
if [[ $taken ]]; then # as if the interrupt had come earlier
    mkdir -p lost/afl-free_leaks/main/crashes
    case $engine in
    afl) mv "$taken" "lost/afl-free_leaks/main/crashes/id:000099,sig:06" ;;
    libfuzzer) mv "$taken" lost/libfuzzer-free_leaks/found/crash-0 ;;
    esac
fi
ends 1 broken/free_leaks --seconds 0.01 --jobs 1 --all --no-minimize --out lost --quiet
compgen -G 'lost/free_leaks-*.ops' >/dev/null || failed 'an interrupted campaign has lost its finding' "$(<said)"
[[ -z $(find lost \( -path '*/crashes*/id:*' -o -path '*/found/crash-*' \) -type f) ]] ||
    failed 'inputs that show what is known lie about unjudged' "$(inputs)"

# ---- A library ---------------------------------------------------------------------------------------------------------------

"${cc[@]}" -O1 -w -fno-builtin -DREGION_BYTES=268435456u -DBUG_OVERLAPS -shared -fPIC -o libmine.so "$root/tests/broken_malloc.c" || exit 2
ends 1 ./libmine.so --seconds 120 --jobs 1 --out found --no-minimize
grep -q 'not built with coverage' said || failed 'nobody says that the library is without coverage' "$(<said)"

# Inputs left over from another run, which break two rules: told one by one, or together.
"${cc[@]}" -O1 -w -fno-builtin -DREGION_BYTES=268435456u -DBUG_FREE_NULL -DBUG_ALIGNS_TO_16 -shared -fPIC -o libtwo.so \
    "$root/tests/broken_malloc.c" || exit 2
case $engine in
afl) folder=main/crashes name='id:00000' ;;
libfuzzer) folder=found name='crash-' ;;
esac
for all in '' --all; do
    mkdir -p "two$all/$engine-libtwo-so/$folder"
    printf 'assay 1\nheap size=8192\nfree_null\n' >"two$all/$engine-libtwo-so/$folder/${name}0"
    printf 'assay 1\nheap size=8192\np0 = posix_memalign 256 100\n' >"two$all/$engine-libtwo-so/$folder/${name}1"
    ends 1 ./libtwo.so --seconds 0.01 --jobs 1 --out "two$all" --no-minimize ${all:+"$all"}
    printf '%s %s\n' "$(grep -cE '^FAIL [^ ]*: A[0-9]+ ' report)" "$(grep -c '1 more input ended a run' said)"
done >told
[[ $(<told) == $'1 1\n2 0' ]] || failed 'findings of one run and what waits for the next' "$(<told)" "$(ls -R two*)"

# ---- What is missing -----------------------------------------------------------------------------------------------------------

# refused TEXT: one line with TEXT on standard error.
refused() { [[ ! -s report && $(wc -l <said) == 1 && $(<said) == "assay: "*"$1"* ]] || failed "expected one line with \"$1\"" "$(head -c 2000 report said)"; }
ASSAY_SOURCE=/nonexistent ends 2 freelist
refused 'source tree'
mkdir bin
for tool in cmake ninja; do ln -s "$(command -v $tool)" bin/; done
PATH=$PWD/bin ends 2 freelist
refused 'is not installed'
ends 2 freelst
refused 'did you mean freelist'
ends 2 freelist --out said
refused 'said'

# ---- A compiler of the user's ----------------------------------------------------------------------------------------------------

# A tree that is not built yet, and a cmake that only notes what it is asked for.
mkdir -p tree/fuzz/engines asked
touch tree/CMakePresets.json tree/fuzz/engines/engine.h
cat >asked/cmake <<'END'
#!/bin/sh
echo "$@" "CFLAGS=$CFLAGS" >>"${0%/*}/words"
exit 1
END
chmod +x asked/cmake
ASSAY_SOURCE=$work/tree PATH=$work/asked:$PATH CC=clang-99 CFLAGS=-DMINE ends 2 freelist
refused 'could not be built'
grep -q -- "^--preset $engine -DCMAKE_C_COMPILER=clang-99 CFLAGS=-DMINE$" asked/words || failed 'CC is not passed on' "$(<asked/words)"

# ---- The engine built in ---------------------------------------------------------------------------------------------------------

engine=builtin
ASSAY_SOURCE=/nonexistent ends 1 broken/free_leaks --seconds 120 --keep
compgen -G 'corpus/regressions/free_leaks-C24-*.ops' >/dev/null || failed 'the builtin engine files no regression'
ASSAY_SOURCE=/nonexistent ends 0 freelist --seconds 0.2 --out none
[[ ! -e none ]] || failed 'a run without findings leaves a folder'

finish 'all as expected'
