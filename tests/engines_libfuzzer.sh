#!/usr/bin/env bash
# engines_libfuzzer.sh: what a fuzzing service asks of a target: it starts, is instrumented, runs on an empty input and on all
# that is in corpus/, ends in order, and finds a bug from nothing, which its report's last line replays.
# presets: libfuzzer libfuzzer-asan

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
engines=$(dirname "$assay")/engines
if ! echo 'int LLVMFuzzerTestOneInput(const char *b, unsigned long n) { return b && n > 9; }' |
    clang -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null; then
    skip 'clang has no libFuzzer runtime here'
fi
if [[ ! -x $engines/assay_fuzz_freelist ]]; then
    skip 'no libFuzzer targets in this build: ASSAY_ENGINES is not libfuzzer'
fi

fail() { failed "$1" "$(tail -n 12 log)"; }

: >empty
mapfile -t corpus < <(find "$root/corpus" -name '*.ops' -o -name '*.bin')
targets=0
for target in "$engines"/assay_fuzz_*; do
    name=$(basename "$target")
    targets=$((targets + 1))
    "$target" empty >log 2>&1 || fail "$name: an empty input"
    "$target" "${corpus[@]}" >log 2>&1 || fail "$name: corpus/"
    "$target" -runs=100 -seed=1 -max_len=256 >log 2>&1 || fail "$name: 100 runs from nothing"
    grep -q 'Done 100 runs' log || fail "$name: no end in order"
    grep -qE ' (cov|ft): [1-9]' log || fail "$name: is not instrumented"
done
((targets >= 15)) || fail "$targets targets"

# finds CANARY WORDS: any, from an empty corpus, breaks a rule within seconds, and the report's last line replays it.
finds() {
    local canary=$1 words=$2 replay
    if ASSAY_ALLOCATOR=$canary "$engines/assay_fuzz_any" -seed=1 -max_total_time=120 -timeout=60 >log 2>&1; then
        fail "$canary: nothing found"
        return
    fi
    grep -q "$words" log || fail "$canary: not told as $words"
    ls crash-* >/dev/null 2>&1 || fail "$canary: libFuzzer kept no input"
    replay=$(grep -a '^assay replay ' log | tail -n 1)
    bash -c "${replay/#assay/\"\$0\"}" "$assay" >log 2>&1
    [[ $? == 1 ]] || fail "$canary: $replay"
    "$assay" replay "$canary" crash-* >log 2>&1
    [[ $? == 1 ]] || fail "$canary: the input itself"
    rm -rf crash-* assay-out
}

finds broken/free_scribbles 'FAIL broken/free_scribbles'
finds broken/calloc_dirty 'A9 '
finds broken/usable_too_small 'A20 '

if nm "$engines/assay_fuzz_any" 2>/dev/null | grep -q __asan_init; then
    ASSAY_ALLOCATOR=broken/free_scribbles "$engines/assay_fuzz_any" -seed=1 -runs=100000 >log 2>&1
    grep -q 'use-after-poison' log || fail "a store into a live block is not trapped"
    grep -q '#0 .* in scribbling_free' log || fail "a store into a live block is not trapped where it is made"
fi

# What is printed for the dictionary is what is kept.
"$engines/assay_seeds" --dictionary >words
cmp -s words "$root/fuzz/engines/assay.dict" || fail "fuzz/engines/assay.dict: make it anew with assay_seeds --dictionary"
"$engines/assay_seeds" vmalloc 40 seeds || fail "no seeds"
"$engines/assay_fuzz_vmalloc" seeds/* >log 2>&1 || fail "seeds of vmalloc"

finish "$targets targets"
