/* SPDX-License-Identifier: MIT */
/*
 * A task that is a command, which writes the lines of tests/modules/ledger.c.
 * Its process is of no interest to the ledger, but its executor is, which faults
 * are about.
 */
#include "soak/command.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The parent of a process, or 0. */
static int
parent_of(int pid)
{
	char path[64], line[1024], state;
	const char *end;
	int parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if ((f = fopen(path, "re")) == NULL)
		return 0;
	/* The name, in brackets, can hold anything. */
	if (fgets(line, sizeof(line), f) == NULL ||
	    (end = strrchr(line, ')')) == NULL ||
	    sscanf(end + 2, "%c %d", &state, &parent) != 2)
		parent = 0;
	fclose(f);
	return parent;
}

static int
note(const char *path, char what, int executor)
{
	const char *id = getenv("FLOWRRA_TASK_ID");
	const char *attempt = getenv("FLOWRRA_TASK_ATTEMPT");
	struct timespec t;
	char line[320];
	int fd, n, status = -1;

	if (id == NULL || attempt == NULL)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &t);
	n = snprintf(line, sizeof(line), "%c %s %s %d %lld\n", what, id,
		     attempt, executor,
		     (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, line, (size_t)n) == n && fdatasync(fd) == 0)
		status = 0;
	if (fd >= 0)
		close(fd);
	return status;
}

int
command_run(const char *ledger, const char *ms)
{
	const long wait = strtol(ms, NULL, 10);
	const struct timespec t = {.tv_sec = wait / 1000,
				   .tv_nsec = wait % 1000 * 1000000};
	/* The spawner has started us, and an executor the spawner. */
	const int executor = parent_of(getppid());

	if (executor == 0 || note(ledger, 'S', executor) != 0)
		return EXIT_FAILURE;
	nanosleep(&t, NULL);
	return note(ledger, 'E', executor) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
