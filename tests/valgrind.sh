#!/usr/bin/env bash
# timeout: 600
# presets: release
#
# Valgrind sees nothing wrong in the harness, nor in the reference allocators, nor in the simulated machine, whose unit
# tests it runs. The process under test is a fork of the program, which Valgrind follows; what it says of each process is
# in a file of its own.
set -euo pipefail

: "${ASSAY:?the program under test}"
if ! command -v valgrind >/dev/null; then
    echo 'valgrind is not installed'
    exit 77
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failures=0

for allocator in freelist stack region break buddy slab kmalloc vmalloc; do
    status=0 programs=50
    case $allocator in buddy | slab | kmalloc | vmalloc) programs=10 ;; esac # mapping is slow under Valgrind
    valgrind -q --error-exitcode=9 --log-file="$dir/$allocator.%p.log" \
        "$ASSAY" check "$allocator" --seed 1 --programs "$programs" --timeout 60 --jobs 1 --out "$dir" >"$dir/report" 2>&1 || status=$?
    if [[ $status -eq 0 && -z $(cat "$dir/$allocator".*.log) ]]; then continue; fi
    failures=$((failures + 1))
    echo "$allocator: exit status $status"
    head -n 40 "$dir/report" "$dir/$allocator".*.log
done
for test in "${ASSAY%/*}"/tests/test_machine*; do
    if [[ ! -x $test ]] || valgrind -q --error-exitcode=9 "$test" >"$dir/report" 2>&1; then continue; fi
    failures=$((failures + 1))
    head -n 40 "$dir/report"
done
[[ $failures -eq 0 ]]
