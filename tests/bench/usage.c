/* SPDX-License-Identifier: MIT */
/* What a process and its descendants use, as /proc says. */
#include "usage.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *
open_proc(pid_t pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return fopen(path, "re");
}

/* Of dead children too, if they are wanted. */
static double
cpu_s(pid_t pid, bool with_dead)
{
	unsigned long utime = 0, stime = 0, cutime = 0, cstime = 0;
	char line[1024];
	const char *rest;
	FILE *f = open_proc(pid, "stat");

	if (f == NULL)
		return 0;
	/* The name, in parentheses, may hold anything. */
	if (fgets(line, sizeof(line), f) != NULL &&
	    (rest = strrchr(line, ')')) != NULL)
		sscanf(rest,
		       ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
		       "%lu %lu %lu %lu",
		       &utime, &stime, &cutime, &cstime);
	fclose(f);
	if (with_dead)
		utime += cutime + cstime;
	return (double)(utime + stime) / (double)sysconf(_SC_CLK_TCK);
}

static double
pss_mib(pid_t pid)
{
	FILE *f = open_proc(pid, "smaps_rollup");
	unsigned long kib = 0;
	char line[256];

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Pss: %lu kB", &kib) == 1)
			break;
	fclose(f);
	return (double)kib / 1024;
}

static void
add(struct usage *u, pid_t pid, bool with_pss)
{
	char file[32];
	FILE *f;
	int child;

	u->cpu_s += cpu_s(pid, true);
	if (with_pss)
		u->pss_mib += pss_mib(pid);
	u->processes++;
	/* None of them starts children from any thread but the first. */
	snprintf(file, sizeof(file), "task/%d/children", (int)pid);
	if ((f = open_proc(pid, file)) == NULL)
		return;
	while (fscanf(f, "%d", &child) == 1)
		add(u, child, with_pss);
	fclose(f);
}

struct usage
usage_of(pid_t pid)
{
	struct usage u = {0};

	if (pid != 0)
		add(&u, pid, true);
	return u;
}

struct usage
usage_cpu_of(pid_t pid)
{
	struct usage u = {0};

	if (pid != 0)
		add(&u, pid, false);
	return u;
}

double
usage_alone_of(pid_t pid)
{
	return cpu_s(pid, false);
}
