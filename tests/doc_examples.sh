#!/usr/bin/env bash
# doc_examples.sh: what the documentation shows is true. Complete C blocks of the pages compile, CMake blocks configure, the
# commands by hand build the examples, and every assay command of the README exists with its options. Needs ASSAY,
# ASSAY_SOURCE and ASSAY_CC.
#
# A C block is complete if its first line is the comment "complete"; any other must be part of an example.
set -euo pipefail

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# ---- The examples -----------------------------------------------------------------------------------------------------

# By hand, as their first comments say; tests of their own are made of them by CMake.
for name in arena pool; do
    if ! "${cc[@]}" -Wall -Wextra -Werror -shared -fPIC -I"$root/allocators" "$root/examples/$name/$name.c" \
        -o "lib$name.so"; then
        failed "$name.c does not compile"
    elif ! "$assay" check "./lib$name.so" --seconds 2 --quiet; then
        failed "lib$name.so breaks a rule"
    fi
done

sed -n '/^static int init/,$p' "$root/examples/arena/arena.c" >adapter

# ---- C and CMake blocks ------------------------------------------------------------------------------------------------

# page-N.c and page-N.cmake: the blocks of a page; page-N.part, a C block that is not complete.
for page in "$root"/README.md "$root"/docs/*.md "$root"/*/README.md; do
    stem=${page#"$root"/}
    stem=${stem%.md}
    awk -v stem="${stem//\//-}" '
        /^```/ { fresh = $0 == "```c"; file = $0 == "```cmake" ? stem "-" ++n ".cmake" : ""; next }
        fresh { fresh = 0; file = stem "-" ++n ($0 == "/* complete */" ? ".c" : ".part") }
        file { print > file }' "$page"
done

blocks=0
mkdir include
ln -s "$root/allocators" include/assay
for block in *-*.c; do
    blocks=$((blocks + 1))
    "${cc[@]}" -std=c17 -fsyntax-only -Wall -Werror -Iinclude -Iinclude/assay "$block" || failed "$block"
done
((blocks >= 3)) || failed "only $blocks complete C blocks were found"

parts=0
for block in *-*.part; do
    parts=$((parts + 1))
    sed -n '/^static int init/,$p' "$block" | diff - adapter || failed "$block is part of no example"
done
((parts == 1)) || failed "$parts C blocks that are not complete"

listed=0
for block in *-*.cmake; do
    listed=$((listed + 1))
    mkdir -p project
    if grep -q '^project(' "$block"; then cp "$block" project/CMakeLists.txt; else
        { printf 'cmake_minimum_required(VERSION 3.25)\nproject(block LANGUAGES C)\nenable_testing()\n' && cat "$block"; } >project/CMakeLists.txt
    fi
    echo 'int nothing;' | tee project/mine.c >project/adapter.c
    if ! { cmake --install "${assay%/*}" --prefix "$work/prefix" && CC="${cc[*]}" cmake -S project -B "project-$listed" -DCMAKE_PREFIX_PATH="$work/prefix" &&
        cmake --build "project-$listed" --target help | grep assay_mine; } >log 2>&1; then
        failed "$block does not configure"
        tail -n 5 log
    fi
done
((listed >= 2)) || failed "only $listed CMake blocks were found"

# ---- Commands ---------------------------------------------------------------------------------------------------------

# Prints the commands of the shell blocks and those between backquotes, a line each, without comments.
commands() {
    awk '/^```/ { inside = $0 == "```sh" || $0 == "```console"; next }
         inside { sub(/^\$ /, ""); sub(/ +#.*/, ""); if (/^assay [a-z-]/) print; next }
         { while (match($0, /`assay [^`]*`/)) { print substr($0, RSTART + 1, RLENGTH - 2)
                                                $0 = substr($0, RSTART + RLENGTH) } }' "$root/README.md"
}

count=0
while read -ra words; do
    verb=${words[1]}
    count=$((count + 1))
    help=$("$assay" --help)
    if [[ $verb != -* ]]; then
        grep -q "^  assay $verb " <<<"$help" || failed "README.md: no verb $verb: ${words[*]}"
        help=$("$assay" "$verb" --help)
    fi
    for word in "${words[@]:1}"; do
        if [[ $word == -- ]]; then break; fi # the rest is a command's
        option=${word%%=*}
        if [[ $option != -* || $option == --help ]]; then continue; fi
        grep -qE -- "^  (-., )?$option( |$)|^  $option, " <<<"$help" || failed "README.md: no $option: ${words[*]}"
    done
done < <(commands)
((count >= 10)) || failed "only $count commands were found"

finish "the examples, $blocks C blocks, $listed of CMake and $count commands are as they should be"
