/* SPDX-License-Identifier: MIT */
/*
 * The pager. As of git(1) and systemctl(1): it is a line for the shell, and less(1)
 * is told to end by itself when all fits on the screen, unless $LESS says otherwise.
 */
#include "pager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/proc.h"

/* Debian's link to the one that the administrator has chosen, and what others have. */
static const char *const places[] = {"/usr/bin/pager", "/usr/bin/less",
				     "/usr/bin/more"};

/* 0: none. */
static pid_t pager_pid;

/* NULL: none. */
static const char *
pager_choose(void)
{
	const char *line = getenv("FLOWRRA_PAGER");
	size_t i;

	if (line == NULL)
		line = getenv("PAGER");
	if (line != NULL)
		return line[0] != '\0' && strcmp(line, "cat") != 0 ? line
								   : NULL;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static bool
pager_is_wanted(void)
{
	const char *term = getenv("TERM");

	return pager_pid == 0 && isatty(STDOUT_FILENO) && term != NULL &&
	       *term != '\0' && strcmp(term, "dumb") != 0;
}

void
pager_open(void)
{
	const char *argv[] = {"sh", "-c", pager_choose(), NULL};
	int ends[2], fds[] = {-1, STDOUT_FILENO, STDERR_FILENO};
	const struct proc_options o = {
	    .path = "/bin/sh", .argv = argv, .fds = fds, .n_fds = 3};

	if (!pager_is_wanted() || argv[2] == NULL ||
	    pipe2(ends, O_CLOEXEC) != 0)
		return;
	fds[0] = ends[0];
	setenv("LESS", "FRX", 0);
	fflush(stdout);
	if (proc_spawn(&o, &pager_pid, NULL) != 0) {
		pager_pid = 0;
	} else {
		dup2(ends[1], STDOUT_FILENO);
		/* Ctrl-C is the pager's: it must not lose its terminal to a
		 * shell before it ends. */
		signal(SIGINT, SIG_IGN);
		signal(SIGQUIT, SIG_IGN);
	}
	close(ends[0]);
	close(ends[1]);
}

void
pager_close(void)
{
	if (pager_pid == 0)
		return;
	close(STDOUT_FILENO);
	while (waitpid(pager_pid, NULL, 0) == -1 && errno == EINTR)
		;
	pager_pid = 0;
}

bool
pager_is_terminal(FILE *out)
{
	return (out == stdout && pager_pid != 0) || isatty(fileno(out));
}
