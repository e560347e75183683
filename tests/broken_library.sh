#!/usr/bin/env bash
# presets: release
# broken_library.sh: the whole way of a bug in a library: `assay check` finds it, `assay show --as c` makes a C program
# of the finding, and that program names the same rule on the library and holds on the C library. Needs ASSAY (the
# program) and ASSAY_CC (a C compiler); the libraries are tests/broken_malloc.c, each with one of its bugs.

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
pointer_bytes=$("${cc[@]}" -dM -E - </dev/null | sed -n 's/^#define __SIZEOF_POINTER__ //p')

# A sanitizer's runtime takes every malloc for itself, unless the library binds its own calls.
bind=()
if grep -q __asan_init "$assay"; then bind=('-Wl,-Bsymbolic'); fi

# library NAME OPTION…: builds broken_malloc.c with these options, and with room enough: it never reuses a part.
library() {
    "${cc[@]}" -O1 -w -fno-builtin -DREGION_BYTES=268435456u -shared -fPIC "${bind[@]}" "${@:2}" -o "$1" "$root/tests/broken_malloc.c" || exit 2
}

library libgood.so
"$assay" check ./libgood.so --programs 300 --jobs 1 --quiet >report 2>&1 || failed "the library without a bug" "$(<report)"

while read -r bug rules; do
    # A size cut to 32 bits is no bug where it has no more.
    if [[ $bug == TRUNCATES && $pointer_bytes == 4 ]]; then continue; fi
    rm -rf found
    library libbroken.so "-DBUG_$bug"
    "$assay" check ./libbroken.so --programs 3000 --jobs 1 --out found --quiet >report 2>&1
    status=$?
    finding=$(find found -name '*.ops' 2>/dev/null | head -n 1)
    rule=$(sed -n 's/^FAIL [^ ]*: \([A-Z0-9]*\).*/\1/p' report | head -n 1)
    if [[ $status != 1 || -z $finding || " $rules " != *" $rule "* ]]; then
        failed "$bug: exit status $status and rule '$rule', expected 1 and $rules" "$(head -n 4 report)"
        continue
    fi
    if ! "$assay" show "$finding" --as c -o repro.c || ! "${cc[@]}" -O2 -Wall -Wextra -Werror -o repro repro.c; then
        failed "$bug: no C program of $(<"$finding")"
        continue
    fi
    said=$(timeout 60 ./repro ./libbroken.so 2>&1)
    status=$?
    if [[ $status != 1 || ${said%%:*} != "$rule" ]]; then
        failed "$bug: the C program says '$said', exit status $status; expected $rule" "$(<"$finding")"
    fi
    said=$(timeout 60 ./repro 2>&1) || failed "$bug: the C program does not hold on the C library: $said" "$(<"$finding")"
done <<'BUGS' # each with the rules that may show it first
MISALIGNS A2
OVERLAPS C7
CALLOC_DIRTY A9
CALLOC_WRAPS A9
REALLOC_FORGETS A15
TRUNCATES A20 A7 A9
WRAPS A7
USABLE_TOO_LARGE C7
ALIGNS_TO_16 A26
WRITES_OUTPUT A26
FREE_NULL A10
BUGS

finish 'all as expected'
