#!/usr/bin/env bash
# The C programs that `assay show FILE --as c` writes: they build without a warning, hold on this system's malloc, and
# name the right rule for each of the bugs of broken_malloc.c.
set -euo pipefail

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
pointer_bytes=$("${cc[@]}" -dM -E - </dev/null | sed -n 's/^#define __SIZEOF_POINTER__ //p')

cat >"$work/program.ops" <<'OPS'
assay 1
heap size=65536 course=drain
p0..p7 = malloc 24 step 9
p10 = malloc 0
p11 = calloc 10 16
free p3
realloc p2 usable(p2)+40
realloc p12 seen-1
free_null
write p4
p13 = posix_memalign 256 100
p16..p19 = posix_memalign 64 40
p14 = posix_memalign 24 100
p15 = calloc HALF+2 2
p20 = malloc 4294967312
p21 = malloc MAX-3
usable_size p0
check
repeat 3 x 2
p30 = malloc 40000
free p0..p30
OPS

# expect STATUS RULE ARGUMENT…: the reproducer run with the arguments exits so, and its first word is the rule.
expect() {
    local status=0 output
    output=$("$work/repro" "${@:3}" 2>&1) || status=$?
    if [ "$status" = "$1" ] && [ "${output%%:*}" = "$2" ]; then return; fi
    failed "exit status $status and: $output" "expected $1 and ${2:-nothing}"
}

"$assay" show --as c "$work/program.ops" >"$work/repro.c"
"${cc[@]}" -O2 -Wall -Wextra -Werror -o "$work/repro" "$work/repro.c"
expect 0 ''
expect 2 "$work/repro" "$work/no-such-library.so"

# library NAME OPTION…: builds broken_malloc.c with these options.
library() { "${cc[@]}" -O1 -w -fno-builtin -shared -fPIC "${@:2}" -o "$work/$1.so" "$root/tests/broken_malloc.c"; }

library good
expect 0 '' "$work/good.so"
library prefixed -DPREFIX=x_
expect 0 '' "$work/prefixed.so" x_
expect 2 "$work/repro" "$work/prefixed.so" y_

while read -r bug rule; do
    # A size cut to 32 bits is no bug where it has no more.
    if [[ $bug == TRUNCATES && $pointer_bytes == 4 ]]; then continue; fi
    library broken "-DBUG_$bug"
    expect 1 "$rule" "$work/broken.so"
done <<'BUGS'
MISALIGNS A2
OVERLAPS C7
CALLOC_DIRTY A9
CALLOC_WRAPS A9
REALLOC_FORGETS A15
TRUNCATES A20
WRAPS A7
USABLE_TOO_LARGE C7
ALIGNS_TO_16 A26
WRITES_OUTPUT A26
FREE_NULL A10
LEAKS C24
BUGS

finish 'all held'
