#!/usr/bin/env bash
# timeout: 300
# presets: release
#
# What is small enough is proved; each canary that fits in so small a heap is found, under the rule that it breaks, by a
# program that shows it again; and an exploration is as good in pieces as at once.
set -euo pipefail

: "${ASSAY:?the program under test}"

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail() {
    echo "$*"
    exit 1
}

# ---- Proofs ----------------------------------------------------------------------------------------------------------

# proves STATES ARGUMENTS…: closed, with so many states.
proves() {
    local states=$1 said
    shift
    said=$("$ASSAY" explore "$@" --seconds 120 --out "$out/proof") || fail "explore $*: $said"
    [[ $said == PASS*"$states states"*"closed: "* ]] || fail "explore $*: not proved with $states states: $said"
    head -n1 <<<"$said"
}

proves 32,272 freelist --ops malloc,free
proves 458,331 buddy
proves 471 slab --sizes 8192

# ---- Going on ---------------------------------------------------------------------------------------------------------

whole=$("$ASSAY" explore freelist --heap 192 --seconds 60 --format json --out "$out/whole")
"$ASSAY" explore freelist --heap 192 --depth 4 --out "$out/part" >/dev/null 2>"$out/told"
grep -q "^assay: to go on: assay explore freelist --resume $out/part/freelist.explore$" "$out/told" ||
    fail "how to go on is not told: $(cat "$out/told")"
pieces=$("$ASSAY" explore freelist --resume "$out/part/freelist.explore" --seconds 60 --format json --out "$out/part")
counts='s/.*"states":\([0-9]*\),"calls":\([0-9]*\),"depth":\([0-9]*\),"closed":true.*/\1 \2 \3/p'
[[ -n $(sed -n "$counts" <<<"$whole") && $(sed -n "$counts" <<<"$whole") == $(sed -n "$counts" <<<"$pieces") ]] ||
    fail "in pieces: $pieces, at once: $whole"
status=0
"$ASSAY" explore buddy --resume "$out/part/freelist.explore" 2>/dev/null || status=$?
[[ $status -eq 2 ]] || fail "another allocator's exploration was gone on with"

# An interrupt ends it in order, with what there is on disk.
"$ASSAY" explore freelist --ops all --seconds 60 --out "$out/cut" >"$out/cut.txt" 2>/dev/null &
explorer=$!
sleep 1
kill -INT "$explorer"
wait "$explorer" || fail "interrupted: exit status $?"
[[ -s $out/cut/freelist.explore ]] || fail "interrupted: nothing was kept"
grep -q 'interrupted' "$out/cut.txt" || fail "interrupted: not told: $(cat "$out/cut.txt")"

# ---- Canaries ---------------------------------------------------------------------------------------------------------

# Why a canary does not fit, by its name; nothing if it does.
reason() {
    case $1 in
    */break_taken_for_granted) echo "somebody else has to move the break" ;;
    */decides_on_* | */interior_free_mistaken) echo "two heaps have to be compared" ;;
    */free_searches) echo "time is not judged" ;;
    */free_leaks_steadily) echo "what is lost shows from round to round alone" ;;
    */merges_forward) echo "the ends of two orders of frees have to be compared" ;;
    esac
}

# What it takes to be small enough for those that need many calls.
how() {
    case $1 in
    */hangs_on_free_list) echo --ops malloc,free --heap 320 --sizes 16 ;;
    */check_cries_wolf) echo --ops malloc,free --sizes 16 ;;
    */free_leaks | */free_scribbles) echo --ops malloc,free ;;
    *) echo --ops all ;;
    esac
}

# One canary: a line that begins with what became of it.
judge() {
    local name=$1 rule=$2 status=0 why said file found
    local folder="$out/${name//\//-}"
    why=$(reason "$name")
    if [[ -n $why ]]; then
        echo "left $name: $why"
        return
    fi
    read -ra options <<<"$(how "$name")"
    said=$(timeout 100 "$ASSAY" explore "$name" "${options[@]}" --seconds 20 --depth 14 --memory 256M --out "$folder" \
        2>"$folder.txt") || status=$?
    if [[ $status -eq 2 ]]; then # what is put back is said to be impossible, for a reason
        echo "left $name: $(sed -n 's/^assay: [^:]*: //p' "$folder.txt")"
        return
    fi
    found=$(sed -n 's/^FAIL [^:]*: \([A-Z0-9]*\) .*/\1/p' <<<"$said")
    if [[ $found != "$rule" ]]; then
        echo "missed $name: $rule expected, found: ${found:-nothing}"
        return
    fi
    if [[ $rule != RUNAWAY ]]; then # which goes on from program to program
        file=$(ls "$folder"/*.ops)
        status=0
        said=$("$ASSAY" replay "$name" "$file") || status=$?
        if [[ $status -ne 1 || $said != "FAIL $name: $rule "* ]]; then
            echo "missed $name: its program does not show it again: $said"
            return
        fi
    fi
    echo "found $name"
}
export -f judge reason how
export ASSAY out

# On a machine, calls of the malloc family alone are tried: of kernel allocators, none but those of this list is broken there.
"$ASSAY" list --canaries >"$out/all"
family=$(grep -nw 'broken/takes_host_memory' "$out/all" | cut -d: -f1)
# shellcheck disable=SC2016  # the inner shell expands them
head -n "$family" "$out/all" | xargs -P"$(nproc)" -L1 bash -c 'judge "$@"' judge >"$out/judged"
{
    tail -n +"$((family + 1))" "$out/all" | while read -r name _; do
        echo "left $name: it breaks a call of the kernel's, which is no letter"
    done
} >>"$out/judged"

grep '^missed' "$out/judged" && fail "canaries were missed"
found=$(grep -c '^found' "$out/judged")
left=$(grep -c '^left' "$out/judged")
echo "$found canaries were found, $left do not fit:"
sed -n 's/^left [^:]*: //p' "$out/judged" | sort | uniq -c | sort -rn
[[ $found -ge 55 && $((found + left)) -eq $(wc -l <"$out/all") ]]
