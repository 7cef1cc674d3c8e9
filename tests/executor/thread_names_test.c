/* SPDX-License-Identifier: MIT */
/* What ps, top and debuggers call the threads of an executor. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "executor/driver.h"
#include "suite.h"

/* Whether a thread of the process has this name. */
static bool
has_thread(pid_t pid, const char *name)
{
	char path[512], comm[32];
	const struct dirent *e;
	bool found = false;
	FILE *f;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	ck_assert_ptr_nonnull(d = opendir(path));
	while ((e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", pid,
			 e->d_name);
		if ((f = fopen(path, "re")) == NULL)
			continue;
		if (fgets(comm, sizeof(comm), f) != NULL) {
			comm[strcspn(comm, "\n")] = '\0';
			found |= strcmp(comm, name) == 0;
		}
		fclose(f);
	}
	closedir(d);
	return found;
}

START_TEST(a_thread_says_what_it_is_for)
{
	static const char *const names[] = {"handler-1", "handler-3",
					    "handler-loop"};
	struct driver d;
	size_t i;

	driver_start(&d, 3, "demo noop");
	/* Each thread names itself before it takes a task. */
	driver_run(&d, 1, "noop", NULL);
	driver_end(&d);
	for (i = 0; i < 3; i++)
		while (!has_thread(d.pid, names[i]))
			usleep(1000);
	driver_stop(&d);
}
END_TEST

SUITE("executor_thread_names")
{
	TEST(a_thread_says_what_it_is_for);
}
