#!/usr/bin/env bash
# cli.sh: what can go wrong on the command line: one line on standard error that says what, exit status 2, and nothing
# half-written; and what each verb's exit status means. Needs ASSAY (the program).

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# refused TEXT ARGUMENT…: assay ends with 2, says nothing on standard output and one line with TEXT on standard error,
# and leaves no file behind.
refused() {
    local text=$1 status=0 before after
    shift
    before=$(find . ! -name '*.err' ! -name '*.txt' | sort)
    "$assay" "$@" >out.txt 2>said.err </dev/null || status=$?
    after=$(find . ! -name '*.err' ! -name '*.txt' | sort)
    if [[ $status != 2 || -s out.txt || $(wc -l <said.err) != 1 || $(<said.err) != "assay: "*"$text"* ]]; then
        failed "assay $*" "  exit status $status, expected 2 and one line with \"$text\"" "$(head -c 2000 out.txt said.err)"
    fi
    [[ $before == "$after" ]] || failed "assay $*: left behind: $(diff <(echo "$before") <(echo "$after"))"
}

# ends STATUS ARGUMENT…: the exit status alone; what was printed is in out.txt.
ends() {
    local expected=$1 status=0
    shift
    "$assay" "$@" >out.txt 2>said.err </dev/null || status=$?
    [[ $status == "$expected" ]] || failed "assay $*" "  exit status $status, expected $expected" "$(cat said.err)"
}

printf 'assay 1\nheap size=512 course=drain\np0..p3 = malloc 81\n' >breaks.ops
printf 'assay 1\np0 = malloc 5\n  frob p1\n' >wrong.ops
printf 'this is no program\n' >other.ops
printf 'assay 1\np0 = malloc 5\nfree p0\n' >holds.ops
printf 'not a library\n' >text.so
: >file
mkdir folder

# ---- Usage --------------------------------------------------------------------------------------------------------

ends 0
grep -q '^  assay check ' out.txt || failed 'assay alone does not show its verbs'
ends 0 --help
grep -q '^  assay check ' out.txt || failed 'assay --help does not show the verbs'
ends 0 check --help
grep -q -- '--programs' out.txt || failed 'assay check --help does not show its options'
ends 0 --version
refused "no verb 'frob'" frob
refused 'check' frob # the message tells which verbs there are
refused 'no option --frob' check freelist --frob
refused 'too few operands' check
refused 'too few operands' replay freelist
refused "'x' is too much" check freelist x
refused "'abc' is not a number" check freelist --programs abc
refused "'-1' is not a number" check freelist --seed -1
refused "'0' is not a number" check freelist --jobs 0
refused "'1e99'" check freelist --seconds 1e99
refused "'12x'" check freelist --programs 12x
refused 'exclude each other' check freelist --programs 5 --seconds 5
refused '--programs' check freelist --programs
refused "'xml' is not one of text, json, junit or sarif" check freelist --format xml
refused "no word 'frob'" check freelist --profile posix,frob
refused "'pdf'" show holds.ops --as pdf

# ---- Allocators and files -------------------------------------------------------------------------------------------

refused 'did you mean freelist' check freelst
refused 'no such file' check ./absent.so
refused 'not a shared library' check ./text.so
refused 'cannot read absent.ops: No such file' show absent.ops
refused 'cannot read absent.ops: No such file' minimize freelist absent.ops
refused 'cannot read folder: Is a directory' show folder
refused 'wrong.ops:3:3: ' show wrong.ops
refused 'wrong.ops:3:3: ' minimize freelist wrong.ops -o out.ops
refused 'other.ops:1:1: ' show other.ops
refused 'there is nothing to minimise' minimize freelist holds.ops -o out.ops
if [[ $(id -u) != 0 ]]; then
    chmod 0 file
    refused 'cannot read file: Permission denied' show file
    chmod 644 file
fi
ends 2 replay freelist absent.ops
ends 2 replay freelist wrong.ops
grep -q 'wrong.ops:3:3: ' said.err || failed 'replay does not say where the text is wrong'

# ---- What cannot be written -------------------------------------------------------------------------------------------

refused 'file: Not a directory' check freelist --programs 1 --out file
refused 'folder/a/b' check freelist --programs 1 --out folder/a/b
refused '/proc/assay' check freelist --programs 1 --out /proc/assay
refused 'cannot write folder/a/b' show holds.ops -o folder/a/b
refused 'cannot write folder' show holds.ops -o folder
refused 'cannot write /proc/assay' minimize broken/free_leaks breaks.ops -o /proc/assay

# What is no regular file is written to, not replaced.
mkfifo pipe
cat pipe >piped.txt &
"$assay" show holds.ops -o pipe || failed 'show does not write to a pipe'
[[ -p pipe ]] || failed 'show -o has put a file in the place of a pipe'
[[ -p pipe ]] || kill $!
wait $!
grep -q malloc piped.txt || failed 'nothing came through the pipe'
ln -s target.ops link.ops
: >target.ops
"$assay" show holds.ops -o link.ops || failed 'show does not write through a link'
if [[ ! -L link.ops || ! -s target.ops ]]; then failed 'show -o has replaced a link and not written what it names'; fi

# A full disk: of the output, and of the findings.
if [[ -c /dev/full ]]; then
    for arguments in --help 'check --help' --version list 'show holds.ops' 'show holds.ops --as c' 'replay freelist holds.ops' \
        'minimize broken/free_leaks breaks.ops' 'check freelist --programs 5' 'check freelist --programs 5 --format json' \
        'check freelist --programs 5 --format junit' 'check freelist --programs 5 --format sarif' \
        'check broken/free_leaks --programs 500'; do
        # shellcheck disable=SC2086 # several words
        if "$assay" $arguments >/dev/full 2>said.err; then failed "assay $arguments: no error on a full disk"; fi
        [[ $(wc -l <said.err) == 1 ]] || failed "assay $arguments on a full disk does not say so in one line" "$(cat said.err)"
    done
    compgen -G 'assay-out/*.ops' >/dev/null || failed 'a finding that could not be reported is not on disk'
    rm -rf assay-out
fi
mkdir small
if [[ $(id -u) == 0 ]] && mount -t tmpfs -o size=16k none small 2>mount.err; then
    "$assay" check freelist --programs 5 --out small/out >out.txt 2>said.err
    [[ $? == 2 ]] || failed 'a full disk for findings is not seen'
    grep -q 'no room for findings' said.err || failed 'a full disk is not named' "$(cat said.err)"
    umount small
fi

# ---- Exit statuses: 0, 1 and 2 ---------------------------------------------------------------------------------------

ends 0 check freelist --programs 20
[[ ! -e assay-out ]] || failed 'a run without findings leaves a folder'
ends 1 check broken/free_leaks --programs 500 --out found
compgen -G 'found/*-C24-*.ops' >/dev/null || failed 'the finding is not under --out'
finding=$(find found -name '*.ops' | head -n 1)
ends 0 replay freelist "$finding"
ends 1 replay broken/free_leaks "$finding"
ends 1 replay broken/free_leaks found
ends 1 replay broken/free_leaks absent.ops breaks.ops
ends 1 minimize broken/free_leaks "$finding" -o small.ops
[[ -s small.ops ]] || failed 'minimize has written nothing'
ends 1 replay broken/free_leaks small.ops
for form in text c html; do ends 0 show small.ops --as "$form" -o "shown.$form"; done
ends 0 show shown.text
: >empty
ends 0 show empty # any bytes are a program, none are the simplest
head -c 500 "$assay" >bytes.bin
ends 0 show bytes.bin
ends 0 list
ends 0 list --canaries

finish 'all as expected'
