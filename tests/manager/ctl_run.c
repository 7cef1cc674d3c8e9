/* SPDX-License-Identifier: MIT */
#include "manager/ctl_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "suite.h"

char ctl_output[65536];

int
ctl_run(const char *line)
{
	const char *build = getenv("BUILD_DIR");
	char *command;
	size_t n;
	FILE *pipe;

	ck_assert_int_gt(
	    asprintf(&command, "F=%s/bin/flowrractl; exec </dev/null; %s",
		     build != NULL ? build : "build/release", line),
	    0);
	ck_assert_ptr_nonnull(pipe = popen(command, "re"));
	n = fread(ctl_output, 1, sizeof(ctl_output) - 1, pipe);
	ctl_output[n] = '\0';
	free(command);
	return WEXITSTATUS(pclose(pipe));
}
