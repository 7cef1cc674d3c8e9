/* SPDX-License-Identifier: MIT */
/*
 * Starting one program, inside the spawner: vfork(), then all that makes the
 * child the program's, in start_become(). Its steps are ordered: each needs
 * rights, or a state, that a later one takes away.
 */
#include "spawn/start.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What parent and child share: vfork()'s child writes to the parent's memory,
 * and the parent goes on after it has become the program, or ended. */
struct birth {
	const struct spawn_orders *orders;
	const int *fds;
	const char *path; /* to search; NULL: argv[0] is a path */
	pid_t parent;
	/* Written by the child: which step failed, and its errno (0: none). */
	volatile enum spawn_step step;
	volatile int sys;
};

/*
 * In the child: what it calls must not mind that the parent's memory is its
 * own.
 */

static int
start_place_fds(const int fds[3])
{
	int i;

	/* The spawner's own 0, 1, 2 are open, so that none of `fds` is one of
	 * them. */
	for (i = 0; i < 3; i++)
		if (dup2(fds[i], i) == -1)
			return -1;
	return 0;
}

static int
become_user(const struct spawn_user *user)
{
	int fd;

	/* A program that writes to /dev/stderr opens the pipe again, and it
	 * belongs to the spawner's user. Others than the program do not find it
	 * in /proc. */
	for (fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		fchmod(fd, S_IRUSR | S_IWUSR | S_IWGRP | S_IWOTH);
	/* Groups while we may still change them, the user last; real, effective
	 * and saved, so that there is no way back. */
	if (setgroups(user->n_groups, user->groups) != 0 ||
	    setresgid(user->gid, user->gid, user->gid) != 0)
		return -1;
	return setresuid(user->uid, user->uid, user->uid);
}

static int
tie_life(pid_t parent)
{
	/* After the user: that a process gets other rights unties it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return -1;
	/* The parent may have died before the call. */
	if (getppid() != parent)
		raise(SIGKILL);
	return 0;
}

static void
start_execute(const char *file, const struct spawn_orders *o)
{
	execve(file, (char *const *)o->argv, (char *const *)o->envp);
}

/* Tries each directory of `path`; what execvp() does besides, running a file
 * that is not a program in a shell, is not wanted. */
static void
execute_in(const char *path, const struct spawn_orders *o)
{
	int sys = ENOENT;
	char file[PATH_MAX];
	size_t len;

	for (;; path += len + 1) {
		len = strcspn(path, ":");
		if (len > 0 && snprintf(file, sizeof(file), "%.*s/%s", (int)len,
					path, o->argv[0]) < PATH_MAX) {
			start_execute(file, o);
			/* One that may not be run is worth more as a reason
			 * than that there is none in the next directory. */
			if (errno != ENOENT && errno != ENOTDIR)
				sys = errno;
			if (errno != ENOENT && errno != ENOTDIR &&
			    errno != EACCES)
				break;
		}
		if (path[len] == '\0')
			break;
	}
	errno = sys;
}

static enum spawn_step
start_become(const struct birth *b)
{
	const struct spawn_orders *o = b->orders;
	sigset_t none;

	/* To kill it, a group would do. But in the spawner's session it could
	 * open the terminal of the person who started the daemon, and type on
	 * it. */
	if (setsid() == -1)
		return SPAWN_STEP_SESSION;
	if (start_place_fds(b->fds) != 0)
		return SPAWN_STEP_FDS;
	if (o->user != NULL && become_user(o->user) != 0)
		return SPAWN_STEP_USER;
	/* The right to change the user is not the command's. */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (tie_life(b->parent) != 0)
		return SPAWN_STEP_LIFE;
	if (o->directory != NULL && chdir(o->directory) != 0)
		return SPAWN_STEP_DIRECTORY;
	if (o->mask >= 0)
		umask((mode_t)o->mask);
	/* The spawner blocks signals and handles none. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (b->path == NULL)
		start_execute(o->argv[0], o);
	else
		execute_in(b->path, o);
	return SPAWN_STEP_EXECUTE;
}

static _Noreturn void
start_run_child(struct birth *b)
{
	b->step = start_become(b);
	/* _exit(): the parent's buffers and handlers are not ours to run. The
	 * status is a shell's for "not found"; the parent does not use it. */
	b->sys = errno;
	_exit(127);
}

/* The program's own PATH, not the spawner's: what it finds must not depend on
 * how the daemon was started. Looked up before vfork(), in the parent. */
static const char *
search_path(const struct spawn_orders *o)
{
	const char *const *e;

	if (strchr(o->argv[0], '/') != NULL)
		return NULL;
	for (e = o->envp; *e != NULL; e++)
		if (strncmp(*e, "PATH=", 5) == 0)
			return *e + 5;
	return SPAWN_STANDARD_PATH;
}

pid_t
start_program(const struct spawn_orders *o, const int fds[3],
	      enum spawn_step *ret_step)
{
	struct birth b = {.orders = o,
			  .fds = fds,
			  .path = search_path(o),
			  .parent = getpid()};
	pid_t pid;

	/* Nothing to be copied, and an error comes back at once. What the child
	 * calls is written for that.
	 * NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,
	 *   clang-analyzer-unix.Vfork) */
	if ((pid = vfork()) == 0)
		start_run_child(&b);
	/* NOLINTEND(clang-analyzer-security.insecureAPI.vfork,
	 *   clang-analyzer-unix.Vfork) */
	if (pid == -1) {
		*ret_step = SPAWN_STEP_FORK;
		return -1;
	}
	/* A child that failed is reaped like any other: its SIGCHLD comes, and
	 * no number is known for it. */
	if (b.sys == 0)
		return pid;
	*ret_step = b.step;
	errno = b.sys;
	return -1;
}
