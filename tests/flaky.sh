#!/usr/bin/env bash
# presets: release
# What fails at times only, whatever the program, does not fool the minimiser: the program that is told fails by itself, about
# as often as the report says, and the report does not say "always". Needs ASSAY (the program) and ASSAY_CC (a C compiler).
set -u
unset ASAN_OPTIONS UBSAN_OPTIONS

assay=$(realpath "${ASSAY:?the assay program}") cc=${ASSAY_CC:?a C compiler}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
failures=0

if grep -q __asan_init "$assay"; then # its runtime takes every malloc for itself
    echo 'a sanitizer has its own malloc'
    exit 77
fi

fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$*"
}

member() { sed -n "s/^{\"type\":\"finding\".*\"$1\":\([0-9a-z]*\)[,}].*/\1/p" "$2"; }

# flaky KIND: a library of that kind, the finding in it, and how often its program fails indeed.
flaky() {
    local kind=$1 repeats repeated minimised replays=60 failed=0 file i
    # shellcheck disable=SC2086 # ASSAY_CC may hold options, such as -m32
    $cc -std=c17 -D_GNU_SOURCE -O1 -fno-builtin -fPIC -shared "-DFLAKY=$kind" -o "lib$kind.so" \
        "$root/tests/foreign/flaky.c" -pthread || exit 2
    for ((i = 0; i < 40; i++)); do # a whole campaign may run where nothing fails
        "$assay" check "./lib$kind.so" --programs 500 --jobs 1 --format json --out "out$kind" >"$kind.json" 2>"$kind.err" || break
    done
    [[ $i -lt 40 ]] || { fail "$kind: nothing found"; return; }
    repeats=$(member repeats "$kind.json") repeated=$(member repeated "$kind.json") minimised=$(member minimised "$kind.json")
    file=$(find "out$kind" -name '*.ops' | head -1)
    for ((i = 0; i < replays; i++)); do
        "$assay" replay "./lib$kind.so" "$file" --quiet >/dev/null 2>&1 || failed=$((failed + 1))
    done
    echo "$kind: showed itself $repeated of $repeats times, minimised: $minimised, replayed: $failed of $replays"
    # A replay is up to two runs: its share is between once and twice that of the report, give or take.
    [[ $minimised == true && $failed -eq 0 ]] && fail "$kind: the minimised program never fails"
    [[ $repeated -gt 0 ]] || return
    ((failed * repeats * 4 >= repeated * replays)) || fail "$kind: told $repeated of $repeats, replayed $failed of $replays"
    ((repeated == repeats && failed * 10 < replays * 6)) && fail "$kind: told as certain"
}

flaky RANDOM
flaky LONG
flaky PROCESS
flaky ADDRESS
flaky THREAD

[[ $failures -eq 0 ]] || exit 1
echo "flaky: every report is honest"
