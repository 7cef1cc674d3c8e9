/* SPDX-License-Identifier: MIT */
/* The children of this process, as the kernel lists them by thread. */
#include "spawn/children.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>

int
children_adopt(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void
children_kill_of(const char *thread)
{
	char path[300];
	FILE *list;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%s/children", thread);
	if ((list = fopen(path, "re")) == NULL)
		return;
	/* NOLINTNEXTLINE(cert-err34-c): the kernel writes numbers */
	while (fscanf(list, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	fclose(list);
}

bool
children_kill(void)
{
	DIR *threads = opendir("/proc/self/task");
	const struct dirent *thread;
	pid_t pid;

	/* Without /proc, process groups have been killed all the same. */
	while (threads != NULL && (thread = readdir(threads)) != NULL)
		if (thread->d_name[0] != '.')
			children_kill_of(thread->d_name);
	if (threads != NULL)
		closedir(threads);
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		;
	return pid == 0 || errno != ECHILD;
}
