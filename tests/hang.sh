#!/usr/bin/env bash
# hang.sh: a loop that can be proven endless is told at once, one that cannot at the timeout, and a call that only takes
# long is no hang; memory taken beside what is lent is told soon, unless a limit is given. Needs ASSAY and ASSAY_CC.

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# expect STATUS TEXT SPIN FILE OPTION...: replays FILE on the arena that does SPIN; status, and a piece of the report.
expect() {
    local status=$1 text=$2 spin=$3 file=$4 got said
    shift 4
    [[ -e $spin.so ]] || "${cc[@]}" -std=c17 -O1 -fPIC -shared -I"$root/allocators" -DSPIN="$spin" \
        -o "$spin.so" "$root/tests/foreign/spin.c" || exit 2
    said=$("$assay" replay "./$spin.so" "$file" "$@" 2>&1)
    got=$?
    if [[ $got != "$status" || $said != *"$text"* ]]; then
        failed "$spin $*: exit status $got, expected $status with: $text" "$said"
    fi
}

printf 'assay 1\nheap size=4096\np0 = malloc 24\n' >one.ops
printf 'assay 1\nheap size=8192\np0..p255 = malloc 24\n' >many.ops
printf 'assay 1\nheap size=8192\np0..p7 = malloc 24\n' >few.ops

expect 0 'PASS' slow_in_memory one.ops --timeout 30
expect 0 'PASS' slow_in_a_register one.ops --timeout 30
expect 1 'the time limit passed in malloc' slow_in_memory one.ops --timeout 0.1
expect 1 'the time limit passed in malloc' count_for_ever one.ops --timeout 0.3
case $(uname -m) in
x86_64 | i?86) expect 1 'a loop that repeats its state every' follow_a_ring one.ops --timeout 30 ;;
*) expect 1 'the time limit passed in malloc' follow_a_ring one.ops --timeout 0.3 ;;
esac

expect 1 'RUNAWAY' take_from_the_host many.ops
expect 0 'PASS' take_from_the_host many.ops --memory 1G
expect 0 'PASS' take_from_the_host few.ops
expect 1 'RUNAWAY' take_from_the_host many.ops --memory 100M

finish 'all held'
