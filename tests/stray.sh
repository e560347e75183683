#!/usr/bin/env bash
# presets: release
#
# stray.sh: one stray access of an allocator, reported three ways: by the model, as the rule that it breaks; by memcheck, as
# the line that made it, with --guard; and by AddressSanitizer, in a fuzz target of which the allocator alone is sanitized.
# The allocator is a user's, built with the installed package; a canary of the built-in ones is reported by the first two.
set -euo pipefail

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
needs valgrind clang
unset ASSAY_OUT

# The example's pool, but a block that is given back loses the byte in front of it, too.
mkdir stray
sed '/^static void pool_give/,/^}/ s/^    link->next = pool->free;/    if ((char *)p > (char *)pool->first) ((char *)p)[-1] = 0; \/\/ the stray\n&/
     s/^    } \* free;/&\n    void *first;/
     s/^    \*pool = .*/    *pool = (struct pool){.first = (unsigned char *)memory + bytes};/
     s/^    pool_start(heap, b->base, b->size);/&\n    ((struct pool *)heap)->first = b->base + 64;/' \
    "$root/examples/pool/pool.c" >stray/stray.c
line=$(grep -n 'the stray' stray/stray.c | cut -d: -f1)
[[ -n $line ]] || failed "the example has changed: no stray was planted"
cat >stray/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(stray LANGUAGES C)
enable_testing()
find_package(assay REQUIRED)
assay_add_allocator(stray SOURCES stray.c)
END
{
    cmake --install "${assay%/*}" --prefix "$work/prefix"
    cmake -S stray -B build -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Debug -DASSAY_ENGINE_SANITIZE=address
    cmake --build build --target assay_stray assay_fuzz_stray
} >log 2>&1 || failed "the build: $(tail -n 5 log)"

# judged ALLOC RULE: the model's report.
judged() {
    local status=0
    "$assay" check "$1" --programs 2000 --out found >report 2>&1 || status=$?
    [[ $status -eq 1 && $(head -n 1 report) == *" $2 "* ]] || failed "$1: no $2: $(head -n 1 report)"
}

# guarded ALLOC WHERE: memcheck's report, which names the line, and the model's, which is the same as ever.
guarded() {
    local status=0
    rm -f log.*
    valgrind -q --log-file=log.%p "$assay" check "$1" --guard --programs 500 --no-minimize --jobs 1 --timeout 60 --out found \
        >report 2>&1 || status=$?
    [[ $status -eq 1 ]] || failed "$1 under memcheck: exit status $status: $(head -n 1 report)"
    grep -A1 -E 'Invalid (read|write)' log.* | grep -q "$2" || failed "$1: memcheck has no word of $2"
    grep -q 'block of size' log.* || failed "$1: memcheck does not know the block"
}

judged build/stray.so C10
judged broken/free_scribbles C10
guarded build/stray.so "stray.c:$line"
guarded broken/free_scribbles broken_free.c

# A sound allocator is accused of nothing.
rm -f log.*
valgrind -q --log-file=log.%p "$assay" check freelist --guard --programs 20 --jobs 1 --timeout 60 --out found >report 2>&1 ||
    failed "freelist under memcheck: $(head -n 1 report)"
[[ -z $(cat log.*) ]] || failed "freelist: $(cat log.* | head -n 5)"

# AddressSanitizer stops at the access, before the model has seen anything.
status=0
ASSAY_OUT=$PWD/found ./build/engines/libfuzzer/engines/assay_fuzz_stray -seed=1 -runs=100000 >report 2>&1 || status=$?
[[ $status -ne 0 ]] || failed "AddressSanitizer reports nothing"
grep -q 'AddressSanitizer: use-after-poison' report || failed "not AddressSanitizer's: $(grep -a -m1 -E 'FAIL|ERROR' report)"
grep -q "stray.c:$line" report || failed "AddressSanitizer does not name the line"

# The other side: a program that uses the allocator, as docs/ADAPTERS.md shows it, strays itself.
awk '/^```/ { inside = $0 == "```c"; n += inside; next } inside && n == 2' "$root/docs/ADAPTERS.md" >owner.c
owner=(cc -g -Iprefix/include -Iprefix/include/assay owner.c "$root/examples/pool/pool.c" -Lprefix/lib -lassay_allocators
    -pthread -ldl)
line=$(grep -n 'reported here' owner.c | cut -d: -f1)
"${owner[@]}" -o owner
./owner || failed "the program does not run"
valgrind -q ./owner >report 2>&1 || failed "the program does not run under memcheck"
grep -A1 'Invalid write' report | grep -q "owner.c:$line" || failed "memcheck does not see the owner's stray"
grep -q '0 bytes after a block of size 24' report || failed "memcheck does not know the owner's block"
"${owner[@]}" -fsanitize=address -o owner
if ./owner >report 2>&1; then failed "AddressSanitizer does not see the owner's stray"; fi
grep -q "owner.c:$line" report || failed "AddressSanitizer does not name the owner's line"

finish "the model, memcheck and AddressSanitizer report it"
