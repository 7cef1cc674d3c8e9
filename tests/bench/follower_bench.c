/* SPDX-License-Identifier: MIT */
/*
 * Measures what one follower of events costs those who do the work: a worker drains
 * tasks while nobody listens, and while `flowrractl events` does. In pairs, another
 * of the two first in each, each drain from a fresh store. What counts is CPU time
 * of the worker and the server, not the drain: the follower itself takes a core.
 * BENCH_ROUNDS and BENCH_TASKS are as for `run`.
 *
 * Ends with 1 if the minimum with a follower is more than 103 % of that without.
 *
 * Usage: follower_bench [redis|sqlite]
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "options.h"
#include "page.h"
#include "program.h"
#include "system.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/proc.h"

#define STALL_MS 60000
#define ROUNDS_MAX 100
#define COST_MAX 1.03

enum look { NOBODY, FOLLOWER, LOOKS };

/* X(key, what it is) */
#define FIGURES(X)                                                             \
	X(worker, "worker")                                                    \
	X(server, "server")                                                    \
	X(both, "both")
enum figure {
#define X(key, text) FIGURE_##key,
	FIGURES(X)
#undef X
	    FIGURE_COUNT
};
static const char *const figure_names[] = {
#define X(key, text) text,
    FIGURES(X)
#undef X
};

static double figures[LOOKS][FIGURE_COUNT][ROUNDS_MAX];

/* --- the follower ------------------------------------------------------ */

struct follower {
	pid_t pid;	/* 0: none */
	FILE *messages; /* nothing more comes after the first, but trouble */
};

/* It says that it follows when it misses nothing more. */
static void
follower_await(struct follower *f)
{
	char line[1024];

	while (fgets(line, sizeof(line), f->messages) != NULL)
		if (strstr(line, "following") != NULL)
			return;
	errx(1, "the follower has ended");
}

static void
follower_begin(struct follower *ret)
{
	char *path = program_path("bin/flowrractl");
	const char *const argv[] = {path, "--config", files.conf, "events",
				    NULL};
	int fds[] = {-1, -1, -1}, messages[2];
	const struct proc_options options = {.path = path,
					     .argv = argv,
					     .fds = fds,
					     .n_fds = 3,
					     .die_with_parent = true};
	struct err why;

	fds[1] =
	    open(files.out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fds[1] < 0 || pipe2(messages, O_CLOEXEC) != 0)
		err(71, "%s", files.out);
	fds[2] = messages[1];
	if (proc_spawn(&options, &ret->pid, &why) != 0)
		errx(71, "%s", why.msg);
	if ((ret->messages = fdopen(messages[0], "re")) == NULL)
		err(71, NULL);
	close(fds[1]);
	close(fds[2]);
	free(path);
	follower_await(ret);
}

static long
follower_lines(void)
{
	FILE *f = files_open(files.out, "re");
	long n = 0;
	int c;

	while ((c = getc_unlocked(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

/* It has an end of each task: nothing that was not told may pass for cheap. */
static void
follower_end(struct follower *f)
{
	const struct timespec nap = {.tv_nsec = 50000000};
	const int64_t end_ms = clock_mono_ms() + STALL_MS;
	long n;

	while ((n = follower_lines()) < opt.tasks) {
		if (clock_mono_ms() > end_ms)
			errx(1, "the follower has %ld of %ld events", n,
			     opt.tasks);
		nanosleep(&nap, NULL);
	}
	kill(f->pid, SIGTERM);
	waitpid(f->pid, NULL, 0);
	fclose(f->messages);
}

/* --- a drain ----------------------------------------------------------- */

static void
await_ended(uint64_t n)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	const int64_t end_ms = clock_mono_ms() + STALL_MS;

	while (atomic_load(&files.page->ended) < n) {
		if (clock_mono_ms() > end_ms)
			errx(1, "the tasks have not ended; see %s", files.dir);
		nanosleep(&nap, NULL);
	}
}

/* In seconds; what /proc has of it is in ticks, which are coarse. */
static double
cpu_of(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (pid == 0)
		return 0;
	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &used) != 0)
		err(71, "the CPU time of process %d", (int)pid);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* The last tasks are still being settled when they have ended. */
static void
await_idle(pid_t pid)
{
	const struct timespec nap = {.tv_nsec = 100000000};
	const int64_t end_ms = clock_mono_ms() + STALL_MS;
	double before, now = cpu_of(pid);

	do {
		before = now;
		nanosleep(&nap, NULL);
		now = cpu_of(pid);
	} while (now - before > 0.002 && clock_mono_ms() < end_ms);
}

/* All that the worker does from its start on; what that is without tasks is alike
 * with both. */
static void
follower_drain(const struct system *system, double *ret[FIGURE_COUNT])
{
	const double server_s = cpu_of(system->server);
	const double scale = 1e6 / (double)opt.tasks;
	struct worker worker;

	memset((void *)files.page, 0, sizeof(*files.page));
	atomic_store(&files.page->expected, (uint64_t)opt.tasks);
	worker_start(&worker, files.dir);
	worker_wait(&worker);
	await_ended((uint64_t)opt.tasks);
	await_idle(worker.pid);
	*ret[FIGURE_worker] = cpu_of(worker.pid) * scale;
	*ret[FIGURE_server] = (cpu_of(system->server) - server_s) * scale;
	*ret[FIGURE_both] = *ret[FIGURE_worker] + *ret[FIGURE_server];
	worker_stop(&worker);
}

static void
follower_round(const struct system_type *type, enum look look, long round)
{
	const char *const argv[] = {"bin/flowrractl", "--config", files.conf,
				    "submit",	      "--stdin",  NULL};
	double *ret[FIGURE_COUNT];
	struct system system = {.state = NULL};
	struct worker worker;
	struct follower follower = {.pid = 0};
	int f;

	for (f = 0; f < FIGURE_COUNT; f++)
		ret[f] = &figures[look][f][round];
	type->start(&system, files.dir);
	files_write_conf(system.url);
	/* Its worker has been there, so that the name is known. */
	worker_start(&worker, files.dir);
	worker_wait(&worker);
	worker_stop(&worker);
	program_run(argv, files.tasks, files.ids);
	if (look == FOLLOWER)
		follower_begin(&follower);
	follower_drain(&system, ret);
	if (look == FOLLOWER)
		follower_end(&follower);
	type->stop(&system);
}

/* --- the report -------------------------------------------------------- */

static int
compare_figures(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
follower_report(long rounds)
{
	double cost = 0, *without, *with;
	long i;
	int f;

	for (i = 0; i < rounds; i++)
		printf("pair %2ld: worker %6.2f %6.2f, server %6.2f %6.2f\n",
		       i + 1, figures[NOBODY][FIGURE_worker][i],
		       figures[FOLLOWER][FIGURE_worker][i],
		       figures[NOBODY][FIGURE_server][i],
		       figures[FOLLOWER][FIGURE_server][i]);
	for (f = 0; f < FIGURE_COUNT; f++) {
		without = figures[NOBODY][f];
		with = figures[FOLLOWER][f];
		qsort(without, (size_t)rounds, sizeof(double), compare_figures);
		qsort(with, (size_t)rounds, sizeof(double), compare_figures);
		if (without[0] <= 0) /* there is no server */
			continue;
		cost = with[0] / without[0];
		printf("%s: minimum %.2f, with a follower %.2f (%+.1f %%); "
		       "median %.2f, %.2f (%+.1f %%)\n",
		       figure_names[f], without[0], with[0], (cost - 1) * 100,
		       without[rounds / 2], with[rounds / 2],
		       (with[rounds / 2] / without[rounds / 2] - 1) * 100);
	}
	return cost;
}

int
main(int argc, char **argv)
{
	const struct system_type *type =
	    system_find(argc > 1 ? argv[1] : "sqlite");
	double cost;
	long round;
	int look;

	if (type == NULL)
		errx(64, "usage: follower_bench [redis|sqlite]");
	options_read();
	if (opt.rounds > ROUNDS_MAX)
		errx(64, "up to %d rounds", ROUNDS_MAX);
	files_make();
	for (round = 0; round < opt.rounds; round++)
		for (look = 0; look < LOOKS; look++)
			follower_round(
			    type, (enum look)((look + round) % LOOKS), round);
	printf("%s, %ld tasks, us of CPU a task without and with a follower:\n",
	       type->name, opt.tasks);
	cost = follower_report(opt.rounds);
	files_remove();
	return cost > COST_MAX;
}
