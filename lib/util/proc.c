/* SPDX-License-Identifier: MIT */
/*
 * Starting other programs, and how this one was started.
 *
 * A child reports through a pipe why it could not become the program. The pipe
 * is closed by execve(), so the parent knows when it returns that the program
 * runs, or gets an error that names the step.
 */
#include "util/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/err.h"
#include "util/limits.h"

/* What a child writes to its parent when it cannot become the program. Smaller
 * than PIPE_BUF, so the write is all or nothing (pipe(7)). */
struct failure {
	int sys;
	char step[28];
};

/*
 * What is below, up to spawn_child(), runs between fork() and execve(), perhaps
 * in a child of a threaded process: only async-signal-safe calls are allowed
 * (signal-safety(7)), since another thread may have held the lock of malloc().
 */

/* Signals that are ignored, and the mask, survive execve(), and no program
 * expects that. Failures are ignored: KILL and STOP cannot be set. */
void
proc_reset_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL); /* fails for KILL and STOP: fine */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Sources are lifted above all targets first, so that no dup2() overwrites
 * one that is still to be copied. */
static int
proc_place_fds(const struct proc_options *o, int *status_fd)
{
	int base = (int)o->n_fds, high[PROC_FDS_MAX], i;

	if ((*status_fd = fcntl(*status_fd, F_DUPFD_CLOEXEC, base)) == -1)
		return -1;
	for (i = 0; i < base; i++) {
		high[i] = o->fds[i];
		if (high[i] == -1)
			high[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (high[i] == -1 ||
		    (high[i] = fcntl(high[i], F_DUPFD_CLOEXEC, base)) == -1)
			return -1;
	}
	for (i = 0; i < base; i++)
		if (dup2(high[i], i) == -1)
			return -1;
	return 0;
}

/*
 * Marks instead of closing: the status pipe must survive until execve(). That
 * all descriptors of this project are O_CLOEXEC is not enough, because
 * libraries and the parent's parent may leave some open.
 */
static void
close_others(int first)
{
	long fd, end;

	if (close_range((unsigned)first, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	/* Kernels before 5.11, and sandboxes that do not know the call. */
	end = sysconf(_SC_OPEN_MAX);
	for (fd = first; fd < end; fd++)
		fcntl((int)fd, F_SETFD, FD_CLOEXEC);
}

/* Returns only on failure: the name of the step, with errno set. The signals
 * are reset last, so that nothing interrupts the preparations. */
static const char *
proc_become(const struct proc_options *o, pid_t parent, int *status_fd)
{
	if (proc_place_fds(o, status_fd) != 0)
		return "place its descriptors";
	close_others((int)o->n_fds);
	if (o->new_group && setpgid(0, 0) != 0)
		return "make a process group";
	if (o->new_session && setsid() == -1)
		return "make a session";
	if (o->die_with_parent) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
			return "tie its life to its parent";
		/* The parent may have died before the call. */
		if (getppid() != parent)
			raise(SIGKILL);
	}
	/* Not before the descriptors: they may be above the old limit. */
	limits_restore_files();
	proc_reset_signals();
	execve(
	    o->path, (char *const *)o->argv,
	    (char *const *)(o->envp ? o->envp : (const char *const *)environ));
	return "execute it";
}

/* 127 is what a shell returns for a command that it cannot run. _exit(), since
 * exit() would flush the parent's buffers a second time. */
static _Noreturn void
proc_run_child(const struct proc_options *o, pid_t parent, int status_fd)
{
	struct failure f = {.sys = 0};
	const char *step = proc_become(o, parent, &status_fd);
	ssize_t n;

	f.sys = errno;
	strncpy(f.step, step, sizeof(f.step) - 1);
	n = write(status_fd, &f, sizeof(f));
	_exit(n == (ssize_t)sizeof(f) ? 127 : 126);
}

/* No signal handler of this process may run in the child, so all signals are
 * blocked around fork(). */
static pid_t
spawn_child(const struct proc_options *o, int status_fd)
{
	pid_t pid, self = getpid();
	sigset_t all, old;
	int saved;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	if ((pid = fork()) == 0)
		proc_run_child(o, self, status_fd);
	saved = errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return pid;
}

int
proc_spawn(const struct proc_options *o, pid_t *ret_pid, struct err *err)
{
	struct failure f;
	int status[2];
	pid_t pid;
	ssize_t n;

	if (o->n_fds > PROC_FDS_MAX)
		return err_set(err, ERR_INTERNAL,
			       "cannot start %s: more than %d descriptors",
			       o->path, PROC_FDS_MAX);
	if (pipe2(status, O_CLOEXEC) != 0)
		return err_sys(err, ERR_SYSTEM, "cannot start %s", o->path);
	if ((pid = spawn_child(o, status[1])) == -1) {
		err_sys(err, ERR_SYSTEM, "cannot start %s: fork", o->path);
		close(status[0]);
		close(status[1]);
		return -1;
	}
	close(status[1]);
	/* End of file: execve() has closed the other end. */
	do
		n = read(status[0], &f, sizeof(f));
	while (n == -1 && errno == EINTR);
	close(status[0]);
	/* Reaped here: nobody else learns the PID of a child that never became
	 * the program. */
	if (n == (ssize_t)sizeof(f)) {
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			;
		errno = f.sys;
		return err_sys(err, ERR_SYSTEM, "cannot start %s: could not %s",
			       o->path, f.step);
	}
	*ret_pid = pid;
	return 0;
}

/* A program that is started with descriptor 2 closed would open its database
 * there, and then log into it. */
void
proc_hold_standard_fds(void)
{
	int fd;

	/* The lowest one that is free is given out: those below are open. */
	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
			open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* Programs find each other relative to their own file, so that an installation
 * can be moved, and a build directory works like one. */
char *
proc_beside(const char *relative, struct err *err)
{
	char dir[PATH_MAX], *slash, *path;
	ssize_t n;

	if ((n = readlink("/proc/self/exe", dir, sizeof(dir) - 1)) == -1) {
		err_sys(err, ERR_SYSTEM,
			"cannot find out where this program is installed: "
			"/proc/self/exe (is /proc mounted?)");
		return NULL;
	}
	dir[n] = '\0';
	/* The kernel's path has no links in it: ".." can be cut as text. */
	if ((slash = strrchr(dir, '/')) != NULL)
		*slash = '\0';
	while (strncmp(relative, "../", 3) == 0) {
		relative += 3;
		if ((slash = strrchr(dir, '/')) != NULL)
			*slash = '\0';
	}
	if (asprintf(&path, "%s/%s", dir, relative) == -1) {
		err_nomem(err);
		return NULL;
	}
	return path;
}

/* Either of the two keeps a core file from being written (core(5)); the limit is
 * what an operator sees in /proc/PID/limits. No failure is possible with these
 * arguments: anybody may lower a limit. */
void
proc_forbid_dumps(void)
{
	const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

	proc_forbid_tracing();
	setrlimit(RLIMIT_CORE, &none);
}

/* An execve() ends it: /proc/PID is then its user's again (prctl(2)). */
void
proc_forbid_tracing(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}

/*
 * 0 if the process is gone, which the caller cannot tell from a race anyway.
 * statm has a fixed format, unlike status, and reading it costs little
 * (proc(5)).
 */
int64_t
proc_resident(pid_t pid)
{
	char path[40], text[128], *size_end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* In pages; the first number is the whole size. */
	strtol(text, &size_end, 10);
	return strtol(size_end, NULL, 10) * sysconf(_SC_PAGESIZE);
}
