#!/usr/bin/env bash
# presets: release
#
# Valgrind sees nothing wrong and nothing lost in the harness, nor in the reference allocators, nor in the simulated machine,
# whose unit tests it runs, nor in what tells it of heaps. The process under test is a fork of the program, which Valgrind
# follows; what it says of each process is in a file of its own. docs/ADAPTERS.md has the limits.
set -euo pipefail

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
needs valgrind


# clean NAME COMMAND…: exit status 0, and memcheck has no word to say.
clean() {
    local name=$1 status=0
    shift
    valgrind -q --leak-check=full --error-exitcode=9 --log-file="$work/$name.%p.log" "$@" >"$work/report" 2>&1 || status=$?
    if [[ $status -eq 0 && -z $(cat "$work/$name".*.log) ]]; then return; fi
    failed "$name: exit status $status: $*" "$(head -n 40 "$work/report" "$work/$name".*.log)"
}

for allocator in freelist stack region break buddy slab kmalloc vmalloc; do
    programs=50 corpus=("$root"/corpus/regressions/freelist-*)
    case $allocator in
    freelist) corpus+=("$root"/corpus/regressions/model-[!d]*) ;; # one needs gigabytes of shadow
    buddy | slab | kmalloc) programs=10 corpus=("$root"/corpus/regressions/kernel-[afr]*) ;; # mapping is slow
    vmalloc) programs=10 corpus=("$root"/corpus/regressions/kernel-*) ;;
    esac
    clean "$allocator-check" "$assay" check "$allocator" --seed 1 --programs "$programs" --timeout 60 --jobs 1 --out "$work"
    clean "$allocator-replay" "$assay" replay "$allocator" "${corpus[@]}" --timeout 60
done

for test in "${assay%/*}"/tests/test_machine* "${assay%/*}"/tests/test_annotate; do
    if [[ ! -x $test ]] || valgrind -q --error-exitcode=9 "$test" >"$work/report" 2>&1; then continue; fi
    failed "$test" "$(head -n 40 "$work/report")"
done

finish 'nothing wrong, nothing lost'
