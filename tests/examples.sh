#!/usr/bin/env bash
# examples.sh: what the documentation shows is true. The examples build and pass, complete C blocks of the pages compile,
# and every assay command of the README exists with its options. Needs ASSAY, ASSAY_SOURCE and ASSAY_CC.
#
# A C block is complete if its first line is the comment "complete".
set -euo pipefail

: "${ASSAY:?the program}" "${ASSAY_SOURCE:?the source folder}"
read -ra cc <<<"${ASSAY_CC:?a C compiler}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
failures=0

complain() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# ---- The examples -----------------------------------------------------------------------------------------------------

# The adapters; the other files are programs, which CMake builds and runs.
for source in "$ASSAY_SOURCE"/examples/*.c; do
    if ! grep -q assay_allocator_fn "$source"; then continue; fi
    name=$(basename "$source" .c)
    if ! "${cc[@]}" -Wall -Wextra -Werror -shared -fPIC -I"$ASSAY_SOURCE/allocators" "$source" -o "lib$name.so"; then
        complain "$name.c does not compile"
    elif ! "$ASSAY" check "./lib$name.so" --seconds 2 --quiet; then
        complain "lib$name.so breaks a rule"
    fi
done

# The README shows the adapter of the arena as it is.
sed -n '/^static int init/,$p' "$ASSAY_SOURCE/examples/arena.c" >adapter
awk '/^```/ { inside = $0 == "```c"; next } inside' "$ASSAY_SOURCE/README.md" | sed -n '/^static int init/,$p' >shown
diff adapter shown || complain "the README's adapter is not that of examples/arena.c"

# ---- C blocks ---------------------------------------------------------------------------------------------------------

blocks=0
for page in "$ASSAY_SOURCE/README.md" "$ASSAY_SOURCE/docs/CONTRACT.md"; do
    awk -v stem="$(basename "$page" .md)" '
        /^```/ { fresh = $0 == "```c"; file = ""; next }
        fresh { fresh = 0; if ($0 == "/* complete */") file = stem "-" ++n ".c" }
        file { print > file }' "$page"
done
for block in *-*.c; do
    blocks=$((blocks + 1))
    "${cc[@]}" -std=c17 -fsyntax-only -Wall -Werror -I"$ASSAY_SOURCE/allocators" "$block" || complain "$block"
done
((blocks >= 2)) || complain "only $blocks complete C blocks were found"

# ---- Commands ---------------------------------------------------------------------------------------------------------

# Prints the commands of the shell blocks and those between backquotes, a line each, without comments.
commands() {
    awk '/^```/ { inside = $0 == "```sh" || $0 == "```console"; next }
         inside { sub(/^\$ /, ""); sub(/ +#.*/, ""); if (/^assay [a-z-]/) print; next }
         { while (match($0, /`assay [^`]*`/)) { print substr($0, RSTART + 1, RLENGTH - 2)
                                                $0 = substr($0, RSTART + RLENGTH) } }' "$ASSAY_SOURCE/README.md"
}

count=0
while read -ra words; do
    verb=${words[1]}
    count=$((count + 1))
    help=$("$ASSAY" --help)
    if [[ $verb != -* ]]; then
        grep -q "^  assay $verb " <<<"$help" || complain "README.md: no verb $verb: ${words[*]}"
        help=$("$ASSAY" "$verb" --help)
    fi
    for word in "${words[@]:1}"; do
        option=${word%%=*}
        if [[ $option != -* || $option == --help ]]; then continue; fi
        grep -qE -- "^  (-., )?$option( |$)|^  $option, " <<<"$help" || complain "README.md: no $option: ${words[*]}"
    done
done < <(commands)
((count >= 10)) || complain "only $count commands were found"

if ((failures)); then exit 1; fi
echo "the examples, $blocks C blocks and $count commands are as they should be"
