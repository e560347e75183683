#!/usr/bin/env bash
# presets: release debug
# determinism.sh: same binary, same seed, same options: the same bytes, in every format, whatever the addresses and the
# load of the machine. Needs ASSAY (the program).

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# check NAME ALLOC ARGUMENT…: the report into NAME; findings go to the same folder each time, empty before.
check() {
    rm -rf found
    "$assay" check "$2" --seed 7 --out found "${@:3}" >"$1" 2>"$1.err"
    local status=$?
    if [[ $status -gt 1 || -s $1.err ]]; then
        failed "assay check ${*:2}: exit status $status: $(<"$1.err")"
    fi
    [[ ! -d found ]] || (cd found && cat ./*) >"$1.found"
}

# same WHAT: the two reports, and the two sets of findings, are the same bytes.
same() {
    if ! cmp -s one two || { [[ -e one.found || -e two.found ]] && ! cmp -s one.found two.found; }; then
        failed "$1 differs:" "$(diff one two | head -n 6)"
    fi
    rm -f one two one.* two.*
}

# Without random addresses, if that can be had here.
still=()
if setarch -R true 2>/dev/null; then still=(setarch -R); fi

canaries=(broken/free_leaks broken/realloc_copies_half broken/writes_past_the_end)
for format in text json junit sarif; do
    for name in freelist "${canaries[@]}"; do
        programs=2000
        [[ $name == freelist ]] && programs=600
        check one "$name" --programs "$programs" --jobs 1 --format "$format"
        check two "$name" --programs "$programs" --jobs 1 --format "$format"
        same "$name as $format"
    done
done

for name in freelist region buddy slab kmalloc vmalloc "${canaries[@]}"; do
    programs=600
    case $name in buddy | slab | kmalloc | vmalloc) programs=150 ;; esac # they do more in each
    check one "$name" --programs "$programs" --jobs 2
    yes >/dev/null &
    load=$!
    started+=("$load")
    check two "$name" --programs "$programs" --jobs 2
    kill "$load"
    wait "$load" 2>/dev/null
    same "$name with two workers, the second time under load"

    check one "$name" --programs "$programs" --jobs 1
    program=$assay
    if ((${#still[@]})); then
        printf '#!/bin/sh\nexec setarch -R "%s" "$@"\n' "$program" >still.sh
        chmod +x still.sh
        assay=./still.sh
    fi
    check two "$name" --programs "$programs" --jobs 1
    assay=$program
    same "$name at other addresses"
done

# How the work is divided changes counts at most, not what is found.
for name in "${canaries[@]}"; do
    for jobs in 1 2 3; do
        check "report$jobs" "$name" --programs 2000 --jobs "$jobs" --format json
        grep '^{"type":"finding"' "report$jobs" >"finding$jobs"
    done
    for jobs in 2 3; do
        cp finding1 one
        cp "finding$jobs" two
        same "the finding of $name with $jobs workers"
    done
    [[ -s finding1 ]] || failed "$name: nothing found"
done

# Another seed is another run.
check one broken/free_leaks --programs 500
"$assay" check broken/free_leaks --programs 500 --seed 8 --out other >two 2>/dev/null
if cmp -s one two; then failed 'the seed changes nothing'; fi

finish 'all the same'
