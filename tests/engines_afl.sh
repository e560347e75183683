#!/usr/bin/env bash
# presets: afl
# engines_afl.sh: AFL++'s own tools work on the targets, which are what they should be: persistent, fed through shared
# memory, forked late, instrumented where the allocator is; and two instances share what they find. Needs ASSAY (the program)
# in the build folder of the preset.

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"
targets=$(dirname "$assay")/engines
needs afl-fuzz
export AFL_ALLOW_TMP=1 AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1
export ASSAY_OUT=
unset ASAN_OPTIONS UBSAN_OPTIONS # of which AFL++'s tools have demands of their own
ulimit -c 0

freelist=$targets/assay_fuzz_freelist
any=$targets/assay_fuzz_any
mkdir in
for i in $(seq 24); do # the same on every run
    printf '%s' "$i" | sha256sum | cut -c -64 | sed "s/.*/&&&&&&&&/" | cut -c "-$((i * 20))" >"in/$i"
done

# ---- Files, and nothing -----------------------------------------------------------------------------------------------

: >empty
"$freelist" empty in/* || failed 'a target given files does not run them'
"$freelist" <empty || failed 'a target given nothing does not run it'
"$freelist" absent 2>said
[[ $? == 2 ]] || failed 'a file that is not there is no error'
ASSAY_ALLOCATOR=freelst "$any" empty 2>said
[[ $? == 2 ]] || failed 'an allocator that is not there is no error' "$(<said)"

# ---- afl-showmap, afl-cmin, afl-tmin ----------------------------------------------------------------------------------

edges() { wc -l <"$1"; }
afl-showmap -q -o map_empty -- "$freelist" <empty >said 2>&1
afl-showmap -q -o map_one -- "$freelist" <in/9 >said 2>&1
[[ $(edges map_one) -gt $(edges map_empty) ]] || failed 'afl-showmap sees no allocator' "$(<said)"
afl-showmap -q -C -i in -o map_all -- "$freelist" >said 2>&1
[[ $(edges map_all) -gt $(edges map_one) ]] || failed 'afl-showmap -C sees no more in many programs than in one' "$(<said)"
afl-cmin -i in -o fewer -- "$freelist" >said 2>&1 || failed 'afl-cmin fails' "$(tail -n 5 said)"
[[ -n $(ls fewer) && $(find fewer -type f | wc -l) -lt 24 ]] || failed 'afl-cmin has left out nothing'
afl-showmap -q -C -i fewer -o map_fewer -- "$freelist" >said 2>&1
[[ $(edges map_fewer) == "$(edges map_all)" ]] || failed 'afl-cmin has lost coverage'

cat >breaks.ops <<'END'
assay 1
heap size=512 course=drain
p0 = malloc 17
free p0
p1 = malloc 33
p2..p5 = malloc 81
END
export ASSAY_ALLOCATOR=broken/free_leaks
"$any" breaks.ops 2>said && failed 'a canary is not caught'
grep -q '^assay replay broken/free_leaks ' said || failed 'the report does not end with the command' "$(<said)"
afl-tmin -i breaks.ops -o small -- "$any" >said 2>&1 || failed 'afl-tmin fails' "$(tail -n 5 said)"
[[ -s small && $(wc -c <small) -lt $(wc -c <breaks.ops) ]] || failed 'afl-tmin has made nothing smaller'
"$any" small 2>said && failed 'what afl-tmin leaves breaks no rule'
unset ASSAY_ALLOCATOR

# ---- afl-fuzz, two instances --------------------------------------------------------------------------------------------

# They share a folder and nothing else, as on two machines.
exec_fuzz() { exec "$assay" fuzz freelist --engine afl --jobs 1 --seconds 200 --out shared --quiet; }
# until_there PATTERN: waits for a file, for as long as both instances run.
until_there() { while ! compgen -G "$1" >/dev/null && kill -0 "${started[@]}" 2>/dev/null; do sleep 0.2; done; }
exec_fuzz >report 2>&1 &
started+=($!)
until_there 'shared/afl-freelist/main/queue/id:*'
(export ASSAY_INSTANCE=other_host && exec_fuzz) >report_other 2>&1 &
started+=($!)
until_there 'shared/afl-freelist/other_host_0/queue/id:*,sync:main,*'
until_there 'shared/afl-freelist/main/fuzzer_stats'
kill -INT "${started[@]}"
wait "${started[0]}"
status=$?
[[ $status == 0 ]] || failed "the first instance ends with $status" "$(<report)"
wait "${started[1]}"
status=$?
[[ $status == 0 ]] || failed "the second instance ends with $status" "$(<report_other)"
stats=shared/afl-freelist/main/fuzzer_stats
grep -q 'target_mode *: .*shmem_testcase.*' $stats || failed 'inputs do not go through shared memory' "$(<$stats)"
grep -q 'target_mode *: .*persistent' $stats || failed 'the target is not persistent' "$(<$stats)"
grep -q 'target_mode *: .*deferred' $stats || failed 'the fork server is not deferred' "$(<$stats)"
compgen -G 'shared/afl-freelist/other_host_0/queue/id:*,sync:main,*' >/dev/null ||
    failed 'the second instance has taken nothing from the first' "$(find shared -path '*/queue/*' | tail -n 5)"

finish 'all as expected'
