#!/usr/bin/env bash
# timeout: 600
# presets: release
#
# Valgrind sees nothing wrong and nothing lost in the harness, nor in the reference allocators, nor in the simulated machine,
# whose unit tests it runs, nor in what tells it of heaps. The process under test is a fork of the program, which Valgrind
# follows; what it says of each process is in a file of its own. docs/ADAPTERS.md has the limits.
set -euo pipefail

: "${ASSAY:?the program under test}" "${ASSAY_SOURCE:?the source folder}"
if ! command -v valgrind >/dev/null; then
    echo 'valgrind is not installed'
    exit 77
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failures=0

# clean NAME COMMAND…: exit status 0, and memcheck has no word to say.
clean() {
    local name=$1 status=0
    shift
    valgrind -q --leak-check=full --error-exitcode=9 --log-file="$dir/$name.%p.log" "$@" >"$dir/report" 2>&1 || status=$?
    if [[ $status -eq 0 && -z $(cat "$dir/$name".*.log) ]]; then return; fi
    failures=$((failures + 1))
    echo "$name: exit status $status: $*"
    head -n 40 "$dir/report" "$dir/$name".*.log
}

for allocator in freelist stack region break buddy slab kmalloc vmalloc; do
    programs=50 corpus=("$ASSAY_SOURCE"/corpus/regressions/freelist-*)
    case $allocator in
    freelist) corpus+=("$ASSAY_SOURCE"/corpus/regressions/model-[!d]*) ;; # one needs gigabytes of shadow
    buddy | slab | kmalloc) programs=10 corpus=("$ASSAY_SOURCE"/corpus/regressions/kernel-[afr]*) ;; # mapping is slow
    vmalloc) programs=10 corpus=("$ASSAY_SOURCE"/corpus/regressions/kernel-*) ;;
    esac
    clean "$allocator-check" "$ASSAY" check "$allocator" --seed 1 --programs "$programs" --timeout 60 --jobs 1 --out "$dir"
    clean "$allocator-replay" "$ASSAY" replay "$allocator" "${corpus[@]}" --timeout 60
done

for test in "${ASSAY%/*}"/tests/test_machine* "${ASSAY%/*}"/tests/test_annotate; do
    if [[ ! -x $test ]] || valgrind -q --error-exitcode=9 "$test" >"$dir/report" 2>&1; then continue; fi
    failures=$((failures + 1))
    head -n 40 "$dir/report"
done
[[ $failures -eq 0 ]]
