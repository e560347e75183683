/* names.c: names.h is the manual. */
#include "names.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#define NAME(constant) [constant] = #constant

static const char *at(const char *const *names, size_t count, int number)
{
    return number >= 0 && (size_t)number < count ? names[number] : NULL;
}

const char *error_name(int error)
{
    static const char *const names[] = {
        NAME(EPERM),   NAME(ENOENT), NAME(EINTR),     NAME(EIO),     NAME(EBADF),  NAME(EAGAIN),
        NAME(ENOMEM),  NAME(EACCES), NAME(EFAULT),    NAME(EBUSY),   NAME(EEXIST), NAME(ENODEV),
        NAME(EINVAL),  NAME(ENFILE), NAME(EMFILE),    NAME(ENOSPC),  NAME(EDOM),   NAME(ERANGE),
        NAME(EDEADLK), NAME(ENOSYS), NAME(EOVERFLOW), NAME(ENOTSUP),
    };
    return at(names, sizeof names / sizeof *names, error);
}

const char *signal_name(int signal)
{
    static const char *const names[] = {
        NAME(SIGHUP),  NAME(SIGINT),  NAME(SIGQUIT), NAME(SIGILL),    NAME(SIGTRAP), NAME(SIGABRT), NAME(SIGBUS),
        NAME(SIGFPE),  NAME(SIGKILL), NAME(SIGUSR1), NAME(SIGSEGV),   NAME(SIGUSR2), NAME(SIGPIPE), NAME(SIGALRM),
        NAME(SIGTERM), NAME(SIGCHLD), NAME(SIGCONT), NAME(SIGSTOP),   NAME(SIGTSTP), NAME(SIGTTIN), NAME(SIGTTOU),
        NAME(SIGXCPU), NAME(SIGXFSZ), NAME(SIGPROF), NAME(SIGVTALRM), NAME(SIGSYS),
    };
    return at(names, sizeof names / sizeof *names, signal);
}
