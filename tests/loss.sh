#!/usr/bin/env bash
# presets: release m32
# loss.sh: nothing is lost and nothing is left over: interrupts end a run in order, no process outlives it, a finding is
# on disk before it is told, and an allocator that dies, hangs or eats all memory is a finding. Needs ASSAY (the program).

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
needs ps

# children PID: its child processes, one a line.
children() { ps -o pid= --ppid "$1"; }

# until_true SECONDS COMMAND…: waits for the command to succeed; false if it never did.
until_true() {
    local tries=$(($1 * 20))
    shift
    while ! "$@"; do
        ((tries-- > 0)) || return 1
        sleep 0.05
    done
}

has_children() { [[ $(children "$1" | wc -l) -ge 2 ]]; }
is_gone() { [[ ! -e /proc/$1 ]] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# all_gone PID…: each of them is gone, or will be soon.
all_gone() {
    local pid
    for pid in "$@"; do until_true 60 is_gone "$pid" || failed "process $pid is still there"; done
}

# start: a run of two workers in the background; sets `pid` and `workers`.
start() {
    "$assay" check freelist --seconds 300 --jobs 2 --out found >report 2>errors &
    pid=$!
    started+=("$pid")
    until_true 120 has_children "$pid" || failed 'no workers were started'
    mapfile -t workers < <(children "$pid" | tr -d ' ')
    sleep 0.3
}

# ---- Interrupts -----------------------------------------------------------------------------------------------------

# A script's background process starts out ignoring SIGINT; this one asks for it.
for signal in INT TERM; do
    start
    kill -"$signal" "$pid"
    until_true 60 is_gone "$pid" || failed "SIG$signal does not end a run"
    wait "$pid"
    status=$?
    [[ $status == 0 ]] || failed "SIG$signal: exit status $status, expected 0: nothing was broken" "$(<errors)"
    grep -q '^PASS freelist: .*programs' report || failed "SIG$signal: no summary" "$(<report)"
    grep -qi interrupted report || failed "SIG$signal: the summary does not say so" "$(<report)"
    all_gone "${workers[@]}"
    [[ ! -e found ]] || failed 'an interrupted run without findings leaves a folder'
done

start
kill -9 "$pid"
wait "$pid" 2>/dev/null
all_gone "${workers[@]}"
rm -rf found

# A worker killed by somebody else: the run ends, and says what happened.
start
kill -9 "${workers[0]}"
until_true 60 is_gone "$pid" || failed 'a run does not end when its worker is killed'
wait "$pid"
status=$?
[[ $status == 1 || $status == 2 ]] || failed "a killed worker: exit status $status, and not all was judged"
all_gone "${workers[@]}"
rm -rf found

# ---- Findings are on disk before they are told ------------------------------------------------------------------------

# The report goes into a pipe that nobody reads yet: what is told may wait there, the file may not.
mkfifo pipe
exec 7<>pipe
"$assay" check broken/free_leaks --programs 500 --seed 1 --jobs 1 --out found >&7 2>errors &
pid=$!
started+=("$pid")
while read -r -u 7 -t 60 line; do
    [[ $line == *'assay replay broken/free_leaks '*.ops* ]] || continue
    file=${line##* }
    "$assay" replay broken/free_leaks "$file" >replayed 2>&1
    [[ $? == 1 ]] || failed "told, and not on disk: $line" "$(<replayed)"
    break
done
[[ -s ${file:-} ]] || failed 'no finding was told'
wait "$pid"
exec 7>&-
if compgen -G 'found/*.tmp' >/dev/null; then failed 'a temporary file is left in the folder of findings'; fi
rm -rf found

# ---- Allocators that do not return ------------------------------------------------------------------------------------

while read -r name rule options; do
    # shellcheck disable=SC2086 # several words
    "$assay" check "broken/$name" --programs 20000 --jobs 1 --out found $options >report 2>errors
    status=$?
    [[ $status == 1 ]] || failed "$name: exit status $status, expected 1" "$(<errors)"
    grep -q "^FAIL broken/$name: $rule " report || failed "$name is not found under $rule" "$(head -n 3 report)"
    compgen -G "found/*-$rule-*.ops" >/dev/null || failed "$name: the finding is not on disk"
    rm -rf found
done <<'END'
writes_past_the_end CRASH
aborts_when_full ABORT
exits_when_full EXIT
hangs_on_free_list HANG --timeout 0.3 --no-minimize
takes_host_memory RUNAWAY --memory 256M
END
leftover=$(children $$ | while read -r p; do ps -o args= -p "$p"; done | grep -F "$assay")
[[ -z $leftover ]] || failed "processes are left over: $leftover"

finish 'nothing lost, nothing left over'
