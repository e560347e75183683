/* afl_main.c: the program around a fuzz target's entry points when AFL++ drives it.
 *
 * Deferred fork server: AFL++ forks this process only after the allocator has been opened, so no child does it again.
 * Persistent mode: a child runs thousands of inputs before the next is forked. Shared memory: an input is read where afl-fuzz
 * has put it. What AFL++'s own compiler would expand macros to is written out here, because only what is under test, and
 * the link, are that compiler's.
 *
 *     assay_fuzz_X FILE...     runs each file, as libFuzzer's targets do
 *     assay_fuzz_X             runs standard input; under AFL++'s tools, whatever they give it
 */
#include "entry.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define INPUT_BYTES_MAX ((size_t)1 << 20) /* AFL++'s own limit */
#define INPUTS_OF_A_CHILD 100000u         /* then a fresh one: heaps of the host grow older with every input */

/* ---- AFL++'s runtime ------------------------------------------------------------------------------------------------- */

/* The names are its own. afl-fuzz looks for the two words in the program's file. */
extern unsigned int *__afl_fuzz_len;
extern unsigned char *__afl_fuzz_ptr; /* NULL where the tool has no shared memory for inputs */
int __afl_persistent_loop(unsigned int inputs);
void __afl_manual_init(void);

__attribute__((visibility("default"), used)) int __afl_sharedmem_fuzzing = 1;
static volatile const char *const persistent_word = "##SIG_AFL_PERSISTENT##";
static volatile const char *const deferred_word = "##SIG_AFL_DEFER_FORKSRV##";

/* ---- What the model shows --------------------------------------------------------------------------------------------- */

/* The section that engine.c keeps for it, if it is linked; the linker makes these names. */
extern uint8_t shown_begin[] __asm__("__start___libfuzzer_extra_counters") __attribute__((weak, visibility("hidden")));
extern uint8_t shown_end[] __asm__("__stop___libfuzzer_extra_counters") __attribute__((weak, visibility("hidden")));

/* Each byte of it is an edge of AFL++'s map, as if it had been compiled in. */
#define SHOWN_MAX 4096u
static uint32_t edges[SHOWN_MAX];
extern uint8_t *__afl_area_ptr;
void __sanitizer_cov_trace_pc_guard_init(uint32_t *begin, uint32_t *end);

static size_t shown_bytes(void)
{
    const size_t bytes = (size_t)(shown_end - shown_begin);
    return bytes < SHOWN_MAX ? bytes : SHOWN_MAX;
}

/* After the constructors of what is instrumented, and before the map gets its size. */
__attribute__((constructor(3))) static void number_shown(void)
{
    if (shown_bytes()) __sanitizer_cov_trace_pc_guard_init(edges, edges + shown_bytes());
}

static void run(const unsigned char *bytes, size_t length)
{
    const size_t count = shown_bytes();
    memset(shown_begin, 0, count);
    LLVMFuzzerTestOneInput(bytes, length);
    for (size_t i = 0; i < count; i++)
        if (shown_begin[i]) __afl_area_ptr[edges[i]] = 1;
}

/* ---- Running --------------------------------------------------------------------------------------------------------- */

static unsigned char input[INPUT_BYTES_MAX];

static size_t read_all(int fd)
{
    size_t length = 0;
    ssize_t n;
    while (length < sizeof input && (n = read(fd, input + length, sizeof input - length)) > 0) length += (size_t)n;
    return length;
}

static int run_files(int count, char **paths)
{
    for (int i = 0; i < count; i++) {
        FILE *file = fopen(paths[i], "rb");
        if (!file) {
            perror(paths[i]);
            return 2;
        }
        const size_t length = read_all(fileno(file));
        fclose(file);
        run(input, length);
    }
    return 0;
}

int main(int argc, char **argv)
{
    LLVMFuzzerInitialize(&argc, &argv);
    if (argc > 1) return run_files(argc - 1, argv + 1);
    if (!*persistent_word || !*deferred_word) return 2;
    __afl_manual_init();
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* of the fork server; a child in an endless loop would outlive it */
    while (__afl_persistent_loop(INPUTS_OF_A_CHILD)) {
        if (__afl_fuzz_ptr) run(__afl_fuzz_ptr, *__afl_fuzz_len);
        else run(input, read_all(STDIN_FILENO));
    }
    return 0;
}
