#!/usr/bin/env bash
# timeout: 1100
# presets: release
#
# Every canary is found, and under the rule that it breaks: a bench that finds no planted fault says nothing with a PASS.
# Programs are left as they are found: test_minimise.c has what becomes of them, and most of the time would go there.
set -euo pipefail

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# One canary: a line for it if it was not found as it should be. It is found in far less time than it has. What only a
# comparison shows is found beside another of its kind, and beside the allocator that it was made of; what only a refused
# request shows, when requests are refused. A heap out of order shows itself in several ways; which comes first, is chance,
# so that other seeds are asked before it counts as missed.
judge() {
    local name=$1 rule=$2 seed all=
    for seed in 1 2 3 4 5; do
        look "$name" "$rule" "$seed" && return
    done
    echo "$name: $rule expected, found:${all:- nothing}"
}

# With one seed: true if the rule was found. Adds what else was to `all`.
look() {
    local name=$1 rule=$2 seed=$3 status=0 found
    local report="$work/${name//\//-}.json" verb=(check "$name" --programs 200000)
    if [[ $name == broken/fault_* ]]; then verb+=(--faults pairs); fi
    if [[ $rule == DIFFER ]]; then verb=(diff "$name" "$name" freelist --programs 1000); fi
    timeout 300 "$assay" "${verb[@]}" --seed "$seed" --jobs 1 --format json --quiet --no-minimize \
        --out "$work/${name//\//-}" >"$report" 2>&1 || status=$?
    found=$(sed -n 's/^{"type":"finding",.*"rule":"\([A-Z0-9]*\)".*/\1/p' "$report" | sort -u | tr '\n' ' ')
    if [[ $status -eq 1 && " $found" == *" $rule "* ]]; then
        echo "$name" >>"$work/caught"
        return
    fi
    all+=" ${found:-nothing, exit status $status}"
    return 1
}
export -f judge look
export assay work

"$assay" list --canaries >"$work/all"
all=$(wc -l <"$work/all")
[[ $all -gt 0 ]] || failed 'no canary is built in'

touch "$work/caught"
# shellcheck disable=SC2016  # the inner shell expands them
xargs -P"$(nproc)" -L1 bash -c 'judge "$@"' judge <"$work/all"

caught=$(wc -l <"$work/caught")
[[ $caught -eq $all ]] || failed "only $caught of $all canaries were caught"
finish "all $all canaries were caught"
