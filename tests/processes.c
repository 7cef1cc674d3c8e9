/* SPDX-License-Identifier: MIT */
/* By proc(5), whose second field, the name, may have brackets and blanks in it. */
#include "processes.h"

#include <err.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

bool
threads_are(pid_t pid, const char *states)
{
	char pattern[64], line[512], *state;
	bool all = true;
	glob_t files;
	FILE *file;
	size_t i;

	snprintf(pattern, sizeof(pattern), "/proc/%d/task/*/stat", (int)pid);
	if (glob(pattern, 0, NULL, &files) != 0)
		errx(1, "cannot look at the threads of process %d", (int)pid);
	for (i = 0; i < files.gl_pathc && all; i++) {
		if ((file = fopen(files.gl_pathv[i], "r")) == NULL)
			continue; /* that thread has ended */
		state = fgets(line, sizeof(line), file) != NULL
			    ? strrchr(line, ')')
			    : NULL;
		all = state == NULL || strchr(states, state[2]) != NULL;
		fclose(file);
	}
	globfree(&files);
	return all;
}

bool
has_children(pid_t parent)
{
	char line[512], state, *name_end;
	bool found = false;
	glob_t files;
	FILE *file;
	size_t i;
	int of;

	if (glob("/proc/[0-9]*/stat", 0, NULL, &files) != 0)
		errx(1, "cannot look at the processes");
	for (i = 0; i < files.gl_pathc && !found; i++) {
		if ((file = fopen(files.gl_pathv[i], "r")) == NULL)
			continue; /* that process has ended */
		found = fgets(line, sizeof(line), file) != NULL &&
			(name_end = strrchr(line, ')')) != NULL &&
			sscanf(name_end + 1, " %c %d", &state, &of) == 2 &&
			of == (int)parent && state != 'Z' && state != 'X';
		fclose(file);
	}
	globfree(&files);
	return found;
}
