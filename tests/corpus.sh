#!/usr/bin/env bash
# presets: release asan gcc-asan m32 s390x
#
# corpus.sh: the hand-written programs and the regressions hold on every built-in allocator where running them is slow: with
# sanitizers, for 32-bit, and, of the release build, under Valgrind; on a big-endian machine, the whole corpus. (ci/test
# replays the whole corpus in the release build.)
# Needs ASSAY and ASSAY_SOURCE.

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
corpus=$root/corpus

# What a 32-bit process has no room for is no failure: two programs have heaps of 4 GiB.
all_that_fits() { grep '^assay: ' "$1" | grep -qv ': no address space for a heap of '; (($? == 1)) && grep -q '^ERROR' "$1"; }

# replay ALLOC FOLDER…: in a process, or under Valgrind, whose words are in a file of their own.
replay() {
    local name=$1 status=0
    shift
    "${before[@]}" "$assay" replay "$name" --timeout 60 "$@" >"$work/$name.txt" 2>&1 || status=$?
    if ((status == 2)) && all_that_fits "$work/$name.txt"; then status=0; fi
    if ((status)) || [[ -s $work/valgrind.log ]]; then
        failed "$name" "$(head -n 40 "$work/$name.txt")" "$(head -n 40 "$work/valgrind.log" 2>/dev/null)"
        rm -f "$work/valgrind.log"
    fi
    if ((!status)); then replayed=$((replayed + 1)); fi
}

names=$("$assay" list --names)
replayed=0
case $assay in
*/release/*)
    needs valgrind
    before=(valgrind -q --log-file="$work/valgrind.log" --error-exitcode=9)
    # What fills a heap of 4 GiB takes minutes here.
    readarray -t folders < <(grep -LE '^heap size=[0-9]{10}' "$corpus"/regressions/*.ops)
    folders+=(--memory 4G) # Valgrind's own memory counts
    names=${names/libc/}   # Valgrind has a malloc of its own in its place
    ;;
*asan/*)
    before=()
    folders=("$corpus/regressions" "$corpus/rules")
    names=${names/libc/} # and so have sanitizers
    ;;
*/s390x/*)
    before=()
    folders=("$corpus")
    names=${names/libc/} # each of its programs has a process of its own, which an emulator is slow to make
    ;;
*)
    before=()
    folders=("$corpus/regressions" "$corpus/rules")
    ;;
esac
for name in $names; do replay "$name" "${folders[@]}"; done

((replayed)) || failed 'no allocator holds'
finish "$replayed allocators hold"
