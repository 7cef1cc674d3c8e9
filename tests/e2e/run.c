/* SPDX-License-Identifier: MIT */
/* Commands that run in a world. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/world_private.h"

#define COMMAND_MS 100000

pid_t
run_fork(struct world *w, const char *out, const char *err)
{
	pid_t parent = getpid(), pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	if (getppid() != parent || chdir(w->dir) != 0)
		_exit(127);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
	dup2(open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600),
	     STDOUT_FILENO);
	dup2(open(err, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600),
	     STDERR_FILENO);
	closefrom(3);
	return 0;
}

void
run_exec(const char *command)
{
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* Returns the exit status, or 128 + the signal's number. */
int
run_wait(pid_t pid, int64_t timeout_ms)
{
	struct pollfd fd = {.fd = (int)syscall(SYS_pidfd_open, pid, 0),
			    .events = POLLIN};
	int status;

	ck_assert_int_ge(fd.fd, 0);
	ck_assert_msg(poll(&fd, 1, (int)timeout_ms) == 1,
		      "process %d does not end", (int)pid);
	close(fd.fd);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static struct run *
start(struct world *w, const char *command)
{
	struct run *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	world_keep(w, (char *)r);
	r->files[0] = world_text(w, "run-%u.out", w->n_runs);
	r->files[1] = world_text(w, "run-%u.err", w->n_runs++);
	if ((r->pid = run_fork(w, r->files[0], r->files[1])) == 0)
		run_exec(command);
	return r;
}

struct run *
run_start(struct world *w, const char *fmt, ...)
{
	char *command;
	va_list ap;

	va_start(ap, fmt);
	command = world_vtext(w, fmt, ap);
	va_end(ap);
	return start(w, command);
}

struct run *
run_end(struct world *w, struct run *r)
{
	r->status = run_wait(r->pid, COMMAND_MS);
	r->out = world_read(w, r->files[0]);
	r->err = world_read(w, r->files[1]);
	return r;
}

struct run *
run(struct world *w, const char *fmt, ...)
{
	char *command;
	va_list ap;

	va_start(ap, fmt);
	command = world_vtext(w, fmt, ap);
	va_end(ap);
	return run_end(w, start(w, command));
}

__attribute__((format(printf, 3, 0))) static struct run *
vctl(struct world *w, const char *before, const char *fmt, va_list ap)
{
	const char *rest = world_vtext(w, fmt, ap);

	return run_end(w, start(w, world_text(w,
					      "exec flowrractl --config "
					      "flowrra.conf %s%s",
					      before, rest)));
}

struct run *
ctl(struct world *w, const char *fmt, ...)
{
	struct run *r;
	va_list ap;

	va_start(ap, fmt);
	r = vctl(w, "", fmt, ap);
	va_end(ap);
	return r;
}

static char *
succeeded(struct run *r)
{
	size_t len = strlen(r->out);

	ck_assert_msg(r->status == 0, "exit status %d: %.999s%.999s", r->status,
		      r->err, r->out);
	if (len > 0 && r->out[len - 1] == '\n')
		r->out[len - 1] = '\0';
	return r->out;
}

char *
ctl_ok(struct world *w, const char *fmt, ...)
{
	struct run *r;
	va_list ap;

	va_start(ap, fmt);
	r = vctl(w, "", fmt, ap);
	va_end(ap);
	return succeeded(r);
}

char *
submit(struct world *w, const char *fmt, ...)
{
	struct run *r;
	va_list ap;

	va_start(ap, fmt);
	r = vctl(w, "submit ", fmt, ap);
	va_end(ap);
	return succeeded(r);
}
