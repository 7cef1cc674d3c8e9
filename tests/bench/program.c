/* SPDX-License-Identifier: MIT */
/* Running the programs that are measured, and those that measure. */
#include "program.h"

#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/err.h"
#include "util/proc.h"

#define READY_MS 20000
/* It has nothing to do when it is told to stop. */
#define SLOW_STOP_MS 2000

static char *
join(const char *dir, const char *file)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, file) < 0)
		errx(71, "out of memory");
	return path;
}

char *
program_path(const char *file)
{
	const char *dir = getenv("BUILD_DIR");

	return join(dir != NULL ? dir : "build/release", file);
}

/* --- short ones ---------------------------------------------------------- */

static int
open_file(const char *path, int flags)
{
	int fd;

	if (path == NULL)
		return -1;
	if ((fd = open(path, flags | O_CLOEXEC, 0600)) < 0)
		err(71, "opening %s", path);
	return fd;
}

static void
reap(pid_t pid, const char *name)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		err(71, "waiting for %s", name);
	if (WIFSIGNALED(status))
		errx(1, "%s: %s", name, strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) != 0)
		errx(1, "%s: exit status %d", name, WEXITSTATUS(status));
}

/* Takes the path. */
static double
run_path(char *path, const char *const *argv, const char *in, const char *out)
{
	const int fds[] = {open_file(in, O_RDONLY),
			   open_file(out, O_WRONLY | O_CREAT | O_TRUNC),
			   STDERR_FILENO};
	const struct proc_options options = {.path = path,
					     .argv = argv,
					     .fds = fds,
					     .n_fds = 3,
					     .die_with_parent = true};
	int64_t begin_us = clock_mono_us();
	struct err err;
	pid_t pid;

	if (proc_spawn(&options, &pid, &err) != 0)
		errx(71, "%s", err.msg);
	reap(pid, argv[0]);
	begin_us = clock_mono_us() - begin_us;
	if (fds[0] >= 0)
		close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
	free(path);
	return (double)begin_us / 1e6;
}

double
program_run(const char *const *argv, const char *in, const char *out)
{
	return run_path(program_path(argv[0]), argv, in, out);
}

char *
program_find(const char *name)
{
	char *dirs = strdup(getenv("PATH")), *rest = dirs, *dir, *path = NULL;

	while (path == NULL && (dir = strsep(&rest, ":")) != NULL) {
		path = join(dir, name);
		if (access(path, X_OK) == 0)
			break;
		free(path);
		path = NULL;
	}
	free(dirs);
	return path;
}

double
program_run_system(const char *const *argv)
{
	char *path = program_find(argv[0]);

	if (path == NULL)
		errx(71, "there is no %s", argv[0]);
	return run_path(path, argv, NULL, NULL);
}

/* --- flowrrad ------------------------------------------------------------ */

/* The socket on which it says that it is ready, as to systemd. */
static int
open_notify(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(sun.sun_path))
		errx(71, "%s: too long for a socket", path);
	memcpy(sun.sun_path, path, strlen(path));
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		err(71, "making %s", path);
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

void
worker_start(struct worker *w, const char *dir)
{
	char *program = program_path("bin/flowrrad");
	char *notify = join(dir, "notify");
	char *conf = join(dir, "flowrra.conf"),
	     *log = join(dir, "flowrrad.log");
	const char *const argv[] = {program, "-c", conf, NULL};
	int log_fd = open_file(log, O_WRONLY | O_CREAT | O_APPEND);
	const int fds[] = {-1, log_fd, log_fd};
	const struct proc_options options = {.path = program,
					     .argv = argv,
					     .fds = fds,
					     .n_fds = 3,
					     .die_with_parent = true};
	struct err err;

	w->notify_fd = open_notify(notify);
	if (proc_spawn(&options, &w->pid, &err) != 0)
		errx(71, "%s", err.msg);
	unsetenv("NOTIFY_SOCKET");
	close(log_fd);
	free(program);
	free(notify);
	free(conf);
	free(log);
}

void
worker_wait(struct worker *w)
{
	const int64_t end_ms = clock_mono_ms() + READY_MS;
	struct pollfd pfd = {.fd = w->notify_fd, .events = POLLIN};
	char text[256] = "";
	ssize_t n;

	while (strstr(text, "READY=1") == NULL) {
		if (clock_mono_ms() > end_ms)
			errx(1, "flowrrad does not become ready");
		if (waitpid(w->pid, NULL, WNOHANG) == w->pid)
			errx(1, "flowrrad has ended");
		if (poll(&pfd, 1, 100) <= 0)
			continue;
		if ((n = recv(w->notify_fd, text, sizeof(text) - 1, 0)) < 0)
			err(71, "listening to flowrrad");
		text[n] = '\0';
	}
}

void
worker_stop(struct worker *w)
{
	const int64_t begin_ms = clock_mono_ms();

	kill(w->pid, SIGTERM);
	reap(w->pid, "flowrrad");
	if (clock_mono_ms() - begin_ms > SLOW_STOP_MS)
		warnx("flowrrad took %.1f s to stop",
		      (double)(clock_mono_ms() - begin_ms) / 1000);
	close(w->notify_fd);
	w->pid = 0;
}
