/* main.c: assay, the allocator test bench. docs/ARCHITECTURE.md shows how the parts fit together. */
#include "misuse.h"
#include "probe.h"
#include "verbs.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Sanitizers ask for these where they are built in. What they find is an abort, and so a finding like any other. Whatever
 * exceeds 64 MiB is refused: AddressSanitizer writes the shadow of a block whole at its allocation and its release, which
 * for a huge one would look like a hang. They stand here because fuzz targets, which have options of their own, share all
 * but this file. */
__attribute__((visibility("default"), used)) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "abort_on_error=1:allocator_may_return_null=1:max_allocation_size_mb=64";
}

/* With gcc, UndefinedBehaviorSanitizer has options of its own. */
__attribute__((visibility("default"), used)) const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) { return "abort_on_error=1"; }

volatile bool interrupted;

static void on_interrupt(int number)
{
    if (interrupted) signal(number, SIG_DFL);
    interrupted = true;
}

void watch_interrupts(void)
{
    struct sigaction act = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int complain(const char *format, ...)
{
    va_list arguments;
    fputs("assay: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return STATUS_NOT_JUDGED;
}

struct child_limits limits_of(const struct options *o)
{
    return (struct child_limits){.timeout = o->timeout, .memory_bytes = o->memory, .request_max = o->max_size};
}

static const struct {
    const char *name;
    int (*run)(const struct options *o);
} verbs[] = {
    {"list", verb_list},     {"check", verb_check},       {"fuzz", verb_fuzz}, {"replay", verb_replay},
    {"diff", verb_diff},     {"minimize", verb_minimize}, {"show", verb_show}, {"record", verb_record},
    {"misuse", verb_misuse}, {"explore", verb_explore},
};

/* Ends what was asked for on standard output: the exit status. */
static int shown(void)
{
    if (fflush(stdout) || ferror(stdout)) return complain("cannot write to standard output");
    return STATUS_HELD;
}

int main(int argc, char **argv)
{
    struct options o;
    char error[1024];
    /* Ourselves again, as a process that holds the allocator under test. */
    if (argc > 1 && strcmp(argv[1], PROBE_WORD) == 0) return target_probe_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], WORKER_WORD) == 0) return child_worker_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], MISUSE_WORD) == 0) return misuse_child_main(argc, argv);
    if (argc <= 1) {
        options_usage(stdout, NULL);
        return shown();
    }
    if (options_parse(&o, argc, argv, error, sizeof error)) return complain("%s", error);
    if (o.version) puts("assay " ASSAY_VERSION);
    else if (o.help) options_usage(stdout, o.verb);
    if (o.version || o.help) return shown();
    for (unsigned i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, o.verb) == 0) return verbs[i].run(&o);
    return complain("%s: not part of this version; `assay --help` lists what is", o.verb);
}
