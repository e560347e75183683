#!/usr/bin/env bash
# presets: m32 s390x
# machines.sh: what is the same on every machine is the same bytes here as in the release build of 64-bit x86: the programs
# that bytes stand for, in words and as C; the smallest program of a finding and its words, unless sizes of pointers enter;
# and, between machines of one word size, whole reports. Needs ASSAY and ASSAY_SOURCE.

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
there=$root/build/release/assay
[[ -x $there ]] || skip 'the release build, which is compared with, is not there'
same=0

# equal WHAT: the files `one` and `two`, which hold something, are the same.
equal() {
    if [[ -s one ]] && cmp -s one two; then ((same += 1)); else failed "$1 differs" "$(diff one two | cut -c1-300 | head -n 6)"; fi
}

# check PROGRAM ALLOC: its report as JSON, without the one rule that needs an x86 (A24 counts instructions).
check() {
    rm -rf found
    "$1" check "$2" --programs 40 --seed 7 --jobs 1 --format json --out found | sed -E 's/"A24":[0-9]+,?//'
}

# shown FILE FORM: the program; what comes of it, which is shown of kernel operations, depends on the size of a pointer.
shown() {
    "$there" show "$1" --as "$2" | sed 's/ *# ->.*//' >one
    "$assay" show "$1" --as "$2" | sed 's/ *# ->.*//' >two
    equal "${1##*/corpus/} as $2"
}
for file in "$root"/corpus/{freelist,region,slab,vmalloc}/[01]*.bin; do shown "$file" text; done
for file in "$root"/corpus/freelist/[01]*.bin; do shown "$file" c; done

for name in broken/{free_scribbles,realloc_copies_half,writes_past_the_end,calloc_dirty}; do
    check "$there" "$name" | grep '^{"type":"finding"' >one
    check "$assay" "$name" | grep '^{"type":"finding"' >two
    equal "the finding of $name"
done

if [[ $assay == */s390x/* ]]; then
    for name in freelist region buddy slab kmalloc vmalloc; do
        check "$there" "$name" >one
        check "$assay" "$name" >two
        equal "the report of $name"
    done
fi

((same)) || failed 'nothing was compared'
finish "$same are the same"
