#!/usr/bin/env bash
# The C programs that `assay show FILE --as c` writes: they build without a warning, hold on this system's malloc, and
# name the right rule for each of the bugs of broken_malloc.c.
#
# usage: reproducer.sh SHOW…    a command that takes a program's file and writes the C program to its output, such as
#                               `reproducer.sh build/assay show --as c`; by default that, with the program ASSAY
set -euo pipefail

if [ $# -eq 0 ] && [ -n "${ASSAY:-}" ]; then
    set -- "$ASSAY" show --as c
fi
if [ $# -eq 0 ]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
show=("$@")
here=$(cd "$(dirname "$0")" && pwd)
read -ra cc <<<"${ASSAY_CC:-${CC:-cc}}" # may hold options, such as -m32
pointer_bytes=$("${cc[@]}" -dM -E - </dev/null | sed -n 's/^#define __SIZEOF_POINTER__ //p')
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

cat >"$dir/program.ops" <<'OPS'
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

failures=0
# expect STATUS RULE ARGUMENT…: the reproducer run with the arguments exits so, and its first word is the rule.
expect() {
    local status=0 output
    output=$("$dir/repro" "${@:3}" 2>&1) || status=$?
    if [ "$status" = "$1" ] && [ "${output%%:*}" = "$2" ]; then return; fi
    printf 'expected exit %s and %s, saw exit %s and: %s\n' "$1" "${2:-nothing}" "$status" "$output"
    failures=$((failures + 1))
}

"${show[@]}" "$dir/program.ops" >"$dir/repro.c"
"${cc[@]}" -O2 -Wall -Wextra -Werror -o "$dir/repro" "$dir/repro.c"
expect 0 ''
expect 2 "$dir/repro" "$dir/no-such-library.so"

# library NAME OPTION…: builds broken_malloc.c with these options.
library() { "${cc[@]}" -O1 -w -fno-builtin -shared -fPIC "${@:2}" -o "$dir/$1.so" "$here/broken_malloc.c"; }

library good
expect 0 '' "$dir/good.so"
library prefixed -DPREFIX=x_
expect 0 '' "$dir/prefixed.so" x_
expect 2 "$dir/repro" "$dir/prefixed.so" y_

while read -r bug rule; do
    # A size cut to 32 bits is no bug where it has no more.
    if [[ $bug == TRUNCATES && $pointer_bytes == 4 ]]; then continue; fi
    library broken "-DBUG_$bug"
    expect 1 "$rule" "$dir/broken.so"
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

if [ "$failures" -gt 0 ]; then
    echo "reproducer.sh: $failures failed"
    exit 1
fi
echo 'reproducer.sh: all held'
