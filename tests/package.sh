#!/usr/bin/env bash
# presets: release
#
# package.sh: what is installed suffices. The build is installed to a scratch prefix, which is then moved; a project in
# another folder, which says find_package(assay) and assay_add_allocator alone, gets its module, tests, bench and fuzz
# target, finds the bug that is planted in its allocator, replays it, and passes once it is mended.
set -euo pipefail

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
unset ASSAY_OUT

# expect STATUS LOG COMMAND…
expect() {
    local want=$1 log=$2 status=0
    shift 2
    "$@" >"$log" 2>&1 || status=$?
    if [[ $status -ne $want ]]; then
        failed "exit status $status, not $want: $*" "$(tail -n 15 "$log")"
    fi
}

# ---- The package -------------------------------------------------------------------------------------------------------

cmake --install "${assay%/*}" --prefix "$work/staged" >/dev/null
mkdir elsewhere
mv staged elsewhere/assay
prefix=$work/elsewhere/assay
if grep -rlE "$work|$root|${assay%/*}" "$prefix" --include='*.cmake' --include='*.pc' --include='*.h'; then
    failed "these files name a folder of the build"
fi
for file in bin/assay include/assay/alloc.h include/assay/kernel.h share/doc/assay/LICENSE share/doc/assay/docs/CONTRACT.md; do
    [[ -e $prefix/$file ]] || failed "$file is not installed"
done

# ---- A user's project --------------------------------------------------------------------------------------------------

mkdir user
cat >user/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES C)
enable_testing()
find_package(assay 0.1 REQUIRED)
assay_add_allocator(mine SOURCES mine.c adapter.c INCLUDE include CONTRACT +const-free -explained)
END
mkdir user/include
cat >user/include/mine.h <<'END'
#include <stddef.h>
struct mine { unsigned char *next, *end; void *free; };
void *mine_take(struct mine *m, size_t bytes);
void mine_give(struct mine *m, void *p);
END
cat >user/mine.c <<'END'
#include "mine.h"
#ifndef LARGEST
#define LARGEST 72 /* the bug: a block has 64 bytes */
#endif
void *mine_take(struct mine *m, size_t bytes)
{
    void **p = m->free;
    if (bytes > LARGEST) return NULL;
    if (p) m->free = *p;
    else if (m->end - m->next >= 64) m->next = (unsigned char *)(p = (void **)m->next) + 64;
    return p;
}
void mine_give(struct mine *m, void *p)
{
    if (p) *(void **)p = m->free, m->free = p;
}
END
cat >user/adapter.c <<'END'
#include <assay/alloc.h>
#include <errno.h>
#include "mine.h"

static int init(void *heap, struct backing *b)
{
    size_t skip = -(uintptr_t)b->base % 16;
    if (b->kind != BACKING_REGION || b->size < 79) return ENOMEM;
    *(struct mine *)heap = (struct mine){.next = b->base + skip, .end = b->base + b->size};
    return 0;
}
static void fini(void *heap) { (void)heap; }
static void *take(void *heap, size_t bytes) { return mine_take(heap, bytes); }
static void give(void *heap, void *p) { mine_give(heap, p); }

static const struct alloc_ops mine = {
    .abi = ALLOC_ABI, .name = "mine", .summary = "blocks of 64 bytes",
    .contract = {.backing = BACKING_REGION, .align_min = 16, .align_max = 16, .zero_size = ZERO_SIZE_UNIQUE,
                 .promises = PROMISE_REUSES, .size_min_bytes = 79, .request_max_bytes = 64},
    .state_size = sizeof(struct mine), .init = init, .fini = fini, .malloc = take, .free = give,
};
const struct alloc_ops *assay_allocator(void) { return &mine; }
END

cd user
expect 0 ../configure cmake -S . -B build -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Debug
expect 0 ../build cmake --build build
expect 8 ../ctest ctest --test-dir build --output-on-failure
replay=$(grep -aE '^ *assay replay ' ../ctest | tail -n 1)
[[ $replay == *mine.so*.ops* ]] || failed "the test shows no replay command: $replay"
PATH=$prefix/bin:$PATH expect 1 ../replay bash -c "$replay"
grep -qE '^FAIL .*(A4|C7|C10) ' ../replay || failed "the bug is another rule's: $(head -n 1 ../replay)"

# What was found becomes the project's own, and the test of it appears.
mkdir -p corpus/mine
cp build/assay-out/*.ops corpus/mine/
expect 0 ../build cmake --build build
expect 8 ../ctest ctest --test-dir build
grep -q 'assay.mine.replay .*Failed' ../ctest || failed "the corpus is not replayed, or passes"

# Each engine finds it too, from nothing.
if command -v clang >/dev/null; then
    expect 0 ../build cmake --build build --target assay_fuzz_mine
    target=build/engines/libfuzzer/engines/assay_fuzz_mine
    ASSAY_OUT=$PWD/fuzz-out expect 77 ../fuzz "$target" -seed=1 -runs=100000 -print_final_stats=0
    replay=$(grep -aE '^ *assay replay ' ../fuzz | tail -n 1)
    PATH=$prefix/bin:$PATH expect 1 ../replay bash -c "$replay"
fi

if command -v clang >/dev/null && command -v afl-clang-fast >/dev/null; then
    expect 0 ../build cmake --build build --target assay_afl_mine
    target=build/engines/afl/engines/assay_fuzz_mine
    ASSAY_OUT=$PWD/afl-out expect 134 ../fuzz "$target" corpus/mine/*.ops
    grep -qa '^ *assay replay ' ../fuzz || failed "the AFL++ target does not find the bug in the program that shows it"
fi

# Mended by a flag and an option of the project's, which the engines' builds take over; and a part of it is C++.
cat >>CMakeLists.txt <<'END'
option(MEND "Without the bug" OFF)
if(MEND)
    enable_language(CXX)
    target_sources(assay_mine PRIVATE part.cc)
    if(TARGET under_test_mine)
        target_sources(under_test_mine PRIVATE part.cc)
    endif()
    add_compile_definitions(LARGEST=MENDED)
endif()
END
echo 'extern "C" int part(int x) { return x > 1 ? x - 1 : x; }' >part.cc
expect 0 ../configure cmake -S . -B build -DCMAKE_C_FLAGS=-DMENDED=64 -DMEND=ON
expect 0 ../build cmake --build build
expect 0 ../ctest ctest --test-dir build --output-on-failure
for engine in libfuzzer:fuzz afl:afl; do
    target=assay_${engine#*:}_mine
    if ! cmake --build build --target help | grep -q "$target"; then continue; fi
    expect 0 ../build cmake --build build --target "$target"
    grep -q 'CMAKE_C_FLAGS:STRING=-DMENDED=64' "build/engines/${engine%:*}/CMakeCache.txt" || failed "flags do not reach the build for $engine"
    ASSAY_OUT=$PWD/mended expect 0 ../fuzz "build/engines/${engine%:*}/engines/assay_fuzz_mine" corpus/mine/*.ops
done
expect 0 ../bench cmake --build build --target assay_bench_mine
grep -q 'checks / raw' ../bench || failed "the bench shows no ratio"
cd ..

# ---- pkg-config --------------------------------------------------------------------------------------------------------

if command -v pkg-config >/dev/null; then
    export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
    read -ra flags < <(pkg-config --cflags assay)
    read -ra libraries < <(pkg-config --libs assay)
    expect 0 cc cc -shared -fPIC "${flags[@]}" -DLARGEST=64 -Iuser/include user/mine.c user/adapter.c -o mine.so
    expect 0 check "$(pkg-config --variable=program assay)" check ./mine.so --programs 200 --quiet
    cat >judge.c <<'END'
#include <assay/builtin.h>
#include <assay/model/exec.h>
int main(void)
{
    static struct exec_counters counters;
    static struct program program;
    struct exec_options options = {.ops = &alloc_freelist, .contract = alloc_freelist.contract, .counters = &counters};
    struct exec *x = exec_open(&options);
    struct verdict verdict;
    program_clear(&program);
    program.heap.size = 4096;
    program.ops[program.op_count++] = (struct op){.kind = OP_MALLOC, .count = 1, .a = 100};
    exec_run(x, &program, &verdict);
    return verdict.kind != VERDICT_PASS || counters.operations < 1;
}
END
    expect 0 cc cc "${flags[@]}" judge.c "${libraries[@]}" -o judge
    expect 0 ran ./judge
fi

finish "installed, moved, found, and the bug with it"
