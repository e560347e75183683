#!/usr/bin/env bash
# record.sh: assay record notes exactly the calls of the malloc family that a program makes, in its own process and in what
# that becomes by exec; what it writes are programs that hold on the built-in allocators; and what cannot be recorded is one
# line and exit status 2. Needs ASSAY (the program) and ASSAY_CC (the C compiler).

# shellcheck source=tests/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# refused TEXT ARGUMENT…: as in cli.sh: status 2, and one line with TEXT on standard error.
refused() {
    local text=$1 status=0
    shift
    "$assay" record "$@" >out.txt 2>said.err </dev/null || status=$?
    if [[ $status != 2 || -s out.txt || $(wc -l <said.err) != 1 || $(<said.err) != "assay: "*"$text"* ]]; then
        failed "assay record $*" "  exit status $status, expected 2 and one line with \"$text\"" "$(head -c 2000 out.txt said.err)"
    fi
}

# recorded NAME ARGUMENT…: into NAME.ops, of which each program holds on two allocators.
recorded() {
    local name=$1
    shift
    rm -f "$name"*.ops
    "$assay" record -o "$name.ops" --quiet -- "$@" >out.txt 2>said.err || failed "assay record $*: exit status $?" "$(<said.err)"
    [[ ! -s said.err ]] || failed "assay record --quiet $* says something" "$(<said.err)"
    for allocator in freelist libc; do
        "$assay" replay "$allocator" "$name"*.ops >report.txt 2>&1 || failed "$name on $allocator" "$(head -n 20 report.txt)"
    done
}

cat >calls.c <<'EOF'
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile kept;

static void each(void)
{
    void *p = malloc(24), *q = calloc(3, 8), *r = realloc(NULL, 40), *s = NULL;
    p = realloc(p, 100);
    r = reallocarray(r, 5, 16);
    free(q);
    q = aligned_alloc(64, 128);
    if (posix_memalign(&s, 32, 50)) abort();
    free(q);
    q = memalign(128, 7);
    kept = malloc(SIZE_MAX / 2 + 10); /* refused */
    free(NULL);
    free(q);
    free(p);
    free(r);
    free(s);
}

static void cycle(void)
{
    for (int i = 0; i < 500; i++) {
        void *p = malloc(10), *q = malloc(10);
        free(p);
        free(q);
    }
}

static void many(void)
{
    static void *blocks[5000];
    for (int i = 0; i < 5000; i++) blocks[i] = malloc((size_t)(i * 7919 % 301));
    for (int i = 0; i < 5000; i++) free(blocks[i * 3 % 5000]), blocks[i * 3 % 5000] = NULL;
}

static void *churn(void *seed)
{
    void *blocks[64] = {NULL};
    for (unsigned i = 0, x = (unsigned)(uintptr_t)seed; i < 5000; i++) {
        x = x * 1103515245u + 12345u;
        void **at = &blocks[x >> 16 & 63];
        if (x >> 24 & 1) *at = realloc(*at, 1 + (x >> 8 & 511));
        else free(*at), *at = NULL;
    }
    for (int i = 0; i < 64; i++) free(blocks[i]);
    return NULL;
}

static void threads(void)
{
    pthread_t id[4];
    for (uintptr_t i = 0; i < 4; i++) pthread_create(&id[i], NULL, churn, (void *)(i + 1));
    for (int i = 0; i < 4; i++) pthread_join(id[i], NULL);
}

int main(int argc, char **argv)
{
    (void)argc;
    if (strcmp(argv[1], "each") == 0) each();
    if (strcmp(argv[1], "cycle") == 0) cycle();
    if (strcmp(argv[1], "many") == 0) many();
    if (strcmp(argv[1], "threads") == 0) threads();
    if (strcmp(argv[1], "errno") == 0) {
        errno = 77;
        free(malloc(5));
        if (errno != 77) return 1;
    }
    if (strcmp(argv[1], "fork") == 0) {
        free(malloc(11));
        pid_t pid = fork();
        if (pid == 0) cycle();
        if (pid == 0) execl(argv[0], argv[0], "cycle", (char *)NULL);
        waitpid(pid, NULL, 0);
        free(malloc(12));
    }
    if (strcmp(argv[1], "exec") == 0) {
        kept = malloc(13);
        execl(argv[0], argv[0], "each", (char *)NULL);
    }
    if (strcmp(argv[1], "killed") == 0) {
        kept = malloc(14);
        kept = malloc(15);
        kill(getpid(), SIGKILL);
    }
    return 0;
}
EOF
sed -i 's/#include <malloc.h>/&\n#include <signal.h>/' calls.c
if ! "${cc[@]}" -D_GNU_SOURCE -O0 -fno-builtin -w calls.c -o calls -pthread 2>cc.err; then
    echo "the compiler makes no program: $(head -n 1 cc.err)"
    exit 77
fi

# same NAME: the operations in NAME.ops are those on standard input.
same() {
    diff <(cat) <(grep -vE '^(assay|heap|#)' "$1") >diff.txt || failed "$1 differs from what was called" "$(<diff.txt)"
}

# ---- What is noted --------------------------------------------------------------------------------------------------

recorded each ./calls each
same each.ops <<'EOF'
p0 = malloc 24
p1 = calloc 3 8
realloc p2 40
realloc p0 100
reallocarray p2 5 16
free p1
p1 = aligned_alloc 64 128
p3 = posix_memalign 32 50
free p1
p1 = memalign 128 7
free p1..p0
free p2..p3
EOF
recorded cycle ./calls cycle
same cycle.ops <<'EOF'
p0..p1 = malloc 10
free p0..p1
repeat 2 x 499
EOF
recorded fork ./calls fork
same fork.ops <<'EOF'
p0 = malloc 11
free p0
p0 = malloc 12
free p0
EOF
recorded exec ./calls exec
same exec-1.ops <<'EOF'
p0 = malloc 13
EOF
same exec-2.ops < <(grep -vE '^(assay|heap|#)' each.ops)
recorded killed ./calls killed
same killed.ops <<'EOF'
p0 = malloc 14
p1 = malloc 15
EOF
recorded many ./calls many
[[ $(find . -name 'many-*.ops' | wc -l) -gt 5 ]] || failed 'ten thousand calls do not become several programs'
recorded threads ./calls threads
[[ -e threads-2.ops ]] || failed 'twenty thousand calls of four threads do not become several programs'
recorded errno ./calls errno

# A window begins with the blocks that it is going to free or resize: each of its frees has a block to free.
for window in many-*.ops threads-*.ops; do
    "$assay" show "$window" --on freelist >shown.txt
    if grep '^free' shown.txt | grep -qv '# -> done'; then
        failed "$window frees what it has not" "$(grep '^free' shown.txt | grep -v '# -> done' | head -n 3)"
    fi
done

# The command has our standard streams, and what it prints is not touched; the same goes for its arguments.
printf 'b\na\n' | "$assay" record -o piped.ops --quiet -- sort >out.txt 2>said.err
[[ $(<out.txt) == $'a\nb' ]] || failed 'the command has not the standard streams of assay record' "$(cat out.txt said.err)"
"$assay" record -o - --quiet ./calls each >out.txt || failed 'a program to standard output'
grep -q '^p0 = malloc 24$' out.txt || failed '-o - writes no program'

# ---- What cannot be recorded ------------------------------------------------------------------------------------------

refused 'cannot run ./absent: No such file' -o x.ops -- ./absent
refused 'cannot run absent-command: No such file' -o x.ops -- absent-command
refused 'too few operands' -o x.ops --
refused '-o FILE is missing' -- ./calls each
refused 'cannot write folder/absent/x.ops: No such file' -o folder/absent/x.ops -- ./calls each
mkdir folder
refused 'cannot write folder' -o folder -- ./calls each
refused 'nothing was recorded' -o x.ops -- ./calls nothing
if "${cc[@]}" -static -D_GNU_SOURCE -w calls.c -o static -pthread 2>cc.err; then
    refused 'nothing was recorded: it is linked statically' -o x.ops -- ./static each
fi
[[ ! -e x.ops ]] || failed 'a refusal leaves a file'
if [[ $(id -u) != 0 ]]; then
    mkdir shut && chmod 500 shut
    refused 'cannot write shut/x.ops: Permission denied' -o shut/x.ops -- ./calls each
fi

finish 'all as expected'
