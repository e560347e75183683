#!/usr/bin/env bash
# presets: release
# assay misuse: what it says of allocators that are known to detect, miss and suffer the caller's errors. Needs ASSAY (the
# program) and ASSAY_CC (a C compiler).
set -u
unset ASAN_OPTIONS UBSAN_OPTIONS

assay=$(realpath "${ASSAY:?the assay program}") cc=${ASSAY_CC:?a C compiler}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
failures=0

fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$*"
}

# matrix STATUS NAME ARGUMENT...: the matrix as JSON in NAME.json.
matrix() {
    local status=$1 name=$2 got=0
    shift 2
    "$assay" misuse "$@" --format json >"$name.json" 2>"$name.err" || got=$?
    [[ $got == "$status" ]] || fail "misuse $*: exit status $got, not $status: $(<"$name.err")"
}

# cell NAME ERROR SIZE EXPECTED: result and word of one cell.
cell() {
    local got
    got=$(sed -n "s/.*\"error\":\"$2\",\"size\":$3,\"result\":\"\([a-z]*\)\",\"how\":\"\([^\"]*\)\".*/\1 \2/p" "$1.json")
    [[ $got == "$4" ]] || fail "$1, $2, $3 bytes: '$got', not '$4'"
}

matrix 0 freelist freelist
cell freelist 'none at all' 48 'control nothing seen'
cell freelist 'double free' 48 'detected DOUBLE_FREE'
cell freelist 'free of a block + 1' 2000 'detected BAD_FREE'
cell freelist 'store behind a block, 1 byte' 300000 'detected check(), later'
grep -q '"broken_promises":0}' freelist.json || fail 'freelist breaks no promise'

# A promise that is broken is the only thing that counts as broken.
matrix 1 unnoticed broken/bad_free_unnoticed
cell unnoticed 'double free' 48 'missed nothing seen'

# The kernel's families.
matrix 0 slab slab
for error in 'an object freed twice' 'a store behind one with red zones' 'a block freed twice'; do
    grep -q "\"error\":\"$error\",\"result\":\"detected\"" slab.json || fail "slab, $error"
done
grep -q '"error":"a store behind an object","result":"missed"' slab.json || fail 'slab, a store behind an object'

# Libraries: one that detects nothing, and ends in many ways.
# shellcheck disable=SC2086 # ASSAY_CC may hold options, such as -m32
build() { $cc -std=c17 -D_GNU_SOURCE -O1 -fno-builtin -fPIC -shared -Wl,-Bsymbolic -o "$1" "$root/tests/foreign/$2" "${@:3}" || exit 2; }
build libbump.so bump.c
build libtls.so bump.c -DSTATIC_TLS
for end in 'abort()' 'for (; b->freed == 2;) {}' '_Exit(3)' 'write(2, "!", 1)' 'raise(SIGSEGV)'; do
    build "libends.so" ends.c "-DEND=$end"
    matrix 0 ends ./libends.so
    case $end in
    abort*) expected='detected abort' ;;
    for*) expected='suffered hang' ;;
    _Exit*) expected='suffered exit' ;;
    write*) expected='detected message' ;;
    *) expected='suffered crash' ;;
    esac
    cell ends 'none at all' 48 'control nothing seen'
    cell ends 'double free' 48 "$expected"
done
matrix 0 bump ./libbump.so
cell bump 'double free' 48 'missed overlap'
matrix 0 tls ./libtls.so # preloaded
cell tls 'double free' 48 'missed overlap'

# Text, and what is wrong with the command.
"$assay" misuse libc >libc.txt || fail 'misuse libc'
grep -q '^  double free ' libc.txt || fail 'no row for a double free'
matrix 2 unknown nosuchallocator
"$assay" misuse libc --format sarif >/dev/null 2>&1 && fail 'sarif is no format of this report'

[[ $failures -eq 0 ]] || exit 1
echo "misuse: every cell as it should be"
