#!/usr/bin/env bash
# timeout: 600
# presets: release asan gcc-asan m32 s390x
#
# corpus.sh: the hand-written programs and the regressions hold on every built-in allocator where running them is slow: with
# sanitizers, for 32-bit, and, of the release build, under Valgrind; on a big-endian machine, the whole corpus. (ci/test
# replays the whole corpus in the release build.)
# Needs ASSAY and ASSAY_SOURCE.
set -u

assay=$(realpath -s "${ASSAY:?the assay program}")
corpus=$(realpath "${ASSAY_SOURCE:?the source folder}")/corpus
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# What a 32-bit process has no room for is no failure: two programs have heaps of 4 GiB.
all_that_fits() { grep '^assay: ' "$1" | grep -qv ': no address space for a heap of '; (($? == 1)) && grep -q '^ERROR' "$1"; }

# replay ALLOC FOLDER…: in a process, or under Valgrind, whose words are in a file of their own.
replay() {
    local name=$1 status=0
    shift
    "${before[@]}" "$assay" replay "$name" --timeout 60 "$@" >"$work/$name.txt" 2>&1 || status=$?
    if ((status == 2)) && all_that_fits "$work/$name.txt"; then status=0; fi
    if ((status)) || [[ -s $work/valgrind.log ]]; then
        failures=$((failures + 1))
        echo "FAILED: $name"
        head -n 40 "$work/$name.txt"
        if [[ -s $work/valgrind.log ]]; then head -n 40 "$work/valgrind.log"; fi
        rm -f "$work/valgrind.log"
    fi
    if ((!status)); then replayed=$((replayed + 1)); fi
}

names=$("$assay" list --names)
replayed=0
case $assay in
*/release/*)
    if ! command -v valgrind >/dev/null; then
        echo 'valgrind is not installed'
        exit 77
    fi
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

if ((failures || !replayed)); then
    echo "corpus.sh: $failures allocators failed, $replayed held"
    exit 1
fi
echo "corpus.sh: $replayed allocators hold"
