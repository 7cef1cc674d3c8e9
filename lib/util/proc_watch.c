/* SPDX-License-Identifier: MIT */
/* Waiting for the end of a child in an event loop. A pidfd is what the kernel has
 * for that. Where there is none (valgrind does not know of it, and a container may
 * not allow it), a thread waits for the child. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/err.h"
#include "util/proc.h"

struct watched {
	pid_t pid;
	int fd; /* its end is what the other side sees */
};

/* Looks without reaping, which is the owner's. When that has reaped it, there is
 * nothing to wait for any more, which is an end as well. */
static void *
watch_thread(void *arg)
{
	struct watched *w = arg;
	siginfo_t info;

	while (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOWAIT) != 0 &&
	       errno == EINTR)
		;
	close(w->fd);
	free(w);
	return NULL;
}

/* All signals are the main thread's. 0, or an errno. */
static int
start_thread(struct watched *w)
{
	sigset_t all, before;
	pthread_t thread;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&thread, NULL, watch_thread, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result == 0)
		pthread_detach(thread);
	return result;
}

int
proc_watch_by_thread(pid_t pid, struct err *err)
{
	struct watched *w = malloc(sizeof(*w));
	int fds[2], result;

	if (w == NULL)
		return err_nomem(err);
	if (pipe2(fds, O_CLOEXEC) != 0) {
		free(w);
		return err_sys(err, ERR_SYSTEM, "cannot make a pipe");
	}
	*w = (struct watched){pid, fds[1]};
	if ((result = start_thread(w)) == 0)
		return fds[0];
	close(fds[0]);
	close(fds[1]);
	free(w);
	errno = result;
	return err_sys(err, ERR_SYSTEM, "cannot make a thread");
}

int
proc_watch(pid_t pid, struct err *err)
{
	const int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0)
		return fd;
	if (errno != ENOSYS && errno != EPERM)
		return err_sys(err, ERR_SYSTEM, "cannot watch process %d",
			       (int)pid);
	return proc_watch_by_thread(pid, err);
}
