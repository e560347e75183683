#!/usr/bin/env bash
# presets: release
# timeout: 300
# faults.sh: requests for memory fail one by one and in pairs: what breaks a rule then is found, named by its numbers, and
# replays; what keeps the rules passes, libraries too, whose mappings are watched. Needs ASSAY and ASSAY_CC.

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
unset ASAN_OPTIONS UBSAN_OPTIONS

# expect STATUS TEXT ARGUMENT…: runs assay; its exit status and a piece of what it prints, literally. Leaves it in `said`.
expect() {
    local status=$1 text=$2 got
    shift 2
    said=$("$assay" "$@" 2>&1)
    got=$?
    if [[ $got == "$status" && $said == *"$text"* ]]; then return; fi
    failed "assay $*" "expected $status and \"$text\"" "got $got and \"$said\""
}

# again: the command that ended what was said last finds the same again.
again() {
    local command rule
    command=$(tail -n 1 <<<"$said")
    rule=$(sed -n '1s/^FAIL [^ ]* \([A-Z0-9]*\) .*/\1/p' <<<"$said")
    read -ra words <<<"${command#assay }"
    expect 1 " $rule " "${words[@]}"
}

# ---- Memory that assay lends ----------------------------------------------------------------------------------------

for name in freelist region buddy vmalloc; do
    expect 0 'runs with one failing' check "$name" --programs 20 --jobs 1 --faults pairs
done
first=$(sed '/^ *skipped/d' <<<"$said")
expect 0 '' check vmalloc --programs 20 --jobs 1 --faults pairs
if [[ $first != "$(sed '/^ *skipped/d' <<<"$said")" ]]; then failed 'the same runs say the same'; fi
expect 0 'PASS stack' check stack --programs 20 --jobs 1 --faults one # asks for nothing
if [[ $said == *'with one failing'* && $said != *' 0 runs with one failing'* ]]; then failed 'stack asks for memory?'; fi

# What only the second of two failures shows, and what only a heap shows that goes on after one.
for canary in 'fault_realloc_lets_go_twice A16' 'fault_map_twice_keeps_frame B95' 'fault_malloc_forgets_twice C25' \
    'fault_grows_by_halves C25' 'fault_never_asks_again C31'; do
    read -r name rule <<<"$canary"
    expect 1 ": $rule (" check "broken/$name" --programs 3000 --jobs 1 --faults pairs --seed 1
    if [[ $said != *fail* ]]; then failed "$name: the program does not say what failed" "$said"; fi
    again
done

# By hand: numbered from the beginning, or from an operation on.
printf 'assay 1\nheap size=4096 course=recover fail=2,3\np0 = malloc 64\np1 = malloc 600\np2 = malloc 700\n' >two.ops
expect 0 '' replay freelist two.ops
expect 0 'course=recover fail=2,3' show two.ops
printf 'assay 1\np0 = malloc 64\nfail 1 and 2\np1 = malloc 4000\np2 = malloc 700\n' >tied.ops
expect 0 'p1 = malloc 4000  # -> NULL ENOMEM (was refused memory)' show tied.ops --on freelist
expect 0 'fail 1 and 2' show tied.ops
expect 2 'another number' replay freelist <(printf 'assay 1\nheap fail=3,3\n')
expect 2 '--guard-maps' check freelist --guard-maps

# ---- Libraries --------------------------------------------------------------------------------------------------------

if grep -q __asan_init "$assay"; then finish 'what is lent holds; the calls of a library are not watched with sanitizers'; fi

# build NAME FLAG…: the library NAME from tests/foreign/refused.c.
build() {
    "${cc[@]}" -std=c17 -D_GNU_SOURCE -O1 -fno-builtin -fPIC -shared -o "$1" "$root/tests/foreign/refused.c" "${@:2}" ||
        exit 2
}

build libright.so
build libraw.so -DRAW
build libaborts.so -DABORTS
build librawaborts.so -DABORTS -DRAW
build libforgets.so -DFORGETS
build libdown.so -DSTAYS_DOWN
build libtrusts.so -DTRUSTS
build liboverreads.so -DOVERREADS

check() { expect "$1" "$2" check --programs 30 --jobs 1 --out found "${@:3}"; }

check 0 '' ./libright.so --guard-maps
if [[ $said == *'cannot be watched'* ]]; then skip 'seccomp is not to be had here'; fi
check 0 'with one failing' ./libright.so --faults one
check 0 'with two' ./libraw.so --faults pairs
check 0 'with one failing' libc --faults one
check 0 '' ./libright.so --limit-maps 1M
check 0 '' ./libaborts.so
check 1 ': ABORT (' ./libaborts.so --faults one
again
check 1 ': ABORT (' ./librawaborts.so --faults one
check 1 ': ABORT (' ./libaborts.so --limit-maps 64K
again
check 1 ': A16 (' ./libforgets.so --faults one
again
check 1 ': C31 (' ./libdown.so --faults one
again
check 1 ': A9 (' ./libtrusts.so --faults one
again
check 1 ': CRASH (' ./liboverreads.so --guard-maps
again

finish 'what goes wrong where memory is refused is found, and replays'
