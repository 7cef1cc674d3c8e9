/* SPDX-License-Identifier: MIT */
/* Commands and settings as a manual shows them. */
#include "e2e/manual_steps.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BEGIN ".Bd -literal -offset indent\n"
#define END ".Ed\n"

/* The next block of what is shown as it is, behind `*at`, which moves on. */
char *
manual_block(struct world *w, char **at)
{
	char *begin = strstr(*at, BEGIN), *end;

	ck_assert_ptr_nonnull(begin);
	begin += strlen(BEGIN);
	end = strstr(begin, END);
	ck_assert_ptr_nonnull(end);
	*at = end;
	return world_text(w, "%.*s", (int)(end - begin), begin);
}

static char *
replace(struct world *w, char *text, const char *what, const char *by)
{
	char *at;

	while ((at = strstr(text, what)) != NULL)
		text = world_text(w, "%.*s%s%s", (int)(at - text), text, by,
				  at + strlen(what));
	return text;
}

/* Free ports in the place of those of the manual. The marks between are no digits,
 * so that no port is taken for another one. */
char *
manual_ports(struct world *w, char *text, const char *const *ports,
	     const int *real, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		char mark[] = {'<', (char)('A' + i), '>', '\0'};

		text = replace(w, text, ports[i], mark);
	}
	for (i = 0; i < n; i++) {
		char mark[] = {'<', (char)('A' + i), '>', '\0'};

		text = replace(w, text, mark, world_text(w, "%d", real[i]));
	}
	return text;
}

/* As a shell reads it: without prompts, and without what mdoc needs. */
char *
manual_commands(struct world *w, char *text)
{
	text = replace(w, world_text(w, "\n%s", text), "\n$ ", "\n");
	return replace(w, replace(w, text, "\n> ", "\n"), "\\e", "\\");
}

/* They end with the shell, and that with the test. */
pid_t
manual_start(struct world *w, const char *commands)
{
	pid_t pid;

	commands = world_text(w,
			      "trap 'kill -9 $(jobs -p); exit' TERM\n"
			      "cd '%s' || exit\n%s\n>ready\nwait\n",
			      world_dir(w), commands);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (freopen("/dev/null", "w", stdout) == NULL)
			_exit(1);
		execlp("bash", "bash", "-c", commands, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}
