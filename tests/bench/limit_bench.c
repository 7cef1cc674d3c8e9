/* SPDX-License-Identifier: MIT */
/*
 * Measures what limits cost: the same tasks, which do nothing, are drained from a
 * fresh store
 *
 *	none	without a limit
 *	queue	with one of the queue that never binds
 *	task	with one of their name that never binds
 *	groups	of 10,000 groups in turns, of each of which one may run at once
 *
 * each once a round, in turns, and of each the tasks a second and the CPU time of a
 * task (of the worker and the server) are told beside those of none in the same run:
 * a rate of a machine says little. BENCH_ROUNDS (medians are printed) and BENCH_TASKS
 * are as for `run`.
 *
 * Usage: limit_bench [redis|sqlite]
 */
#include <err.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <flowrra/client.h>

#include "files.h"
#include "options.h"
#include "page.h"
#include "program.h"
#include "system.h"
#include "usage.h"
#include "util/clock.h"

#define STALL_MS 120000
#define ROUNDS_MAX 100
#define BATCH 500
#define GROUPS 10000
#define WORDS_MAX 8

/* A limit as words of flowrractl; none at all for the first. */
static const struct {
	const char *text;
	const char *const words[WORDS_MAX];
	bool groups;
} kinds[] = {
    {.text = "no limit"},
    {.text = "of the queue, never binds",
     .words = {"--concurrency", "1000000"}},
    {.text = "of the task, never binds",
     .words = {"--task", "noop", "--concurrency", "1000000"}},
    {.text = "10000 groups, one of each at once",
     .words = {"--each-group", "--concurrency", "1"},
     .groups = true},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static double rates[N_KINDS][ROUNDS_MAX], costs[N_KINDS][ROUNDS_MAX];

/* A worker with a fresh store, and a client of that. */
struct scene {
	struct system system;
	struct worker worker;
	struct flowrra_client *client;
	struct flowrra_batch *batch;
};

static void
check(int r, const struct flowrra_error *error)
{
	if (r != 0)
		errx(1, "%s", error->message);
}

static void
scene_open(struct scene *s, const struct system_type *type)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_error error;

	memset(s, 0, sizeof(*s));
	type->start(&s->system, files.dir);
	files_write_conf(s->system.url);
	options.config_file = files.conf;
	check(flowrra_open(&options, &s->client, &error), &error);
	check(flowrra_batch_new(s->client, &s->batch, &error), &error);
	worker_start(&s->worker, files.dir);
	worker_wait(&s->worker);
}

static void
scene_close(struct scene *s, const struct system_type *type)
{
	flowrra_batch_free(s->batch);
	flowrra_close(s->client);
	worker_stop(&s->worker);
	type->stop(&s->system);
}

static void
limit_set(size_t kind)
{
	const char *argv[6 + WORDS_MAX + 1] = {
	    "bin/flowrractl", "--config", files.conf, "limit", "set", "io"};
	size_t n = 6, i;

	for (i = 0; kinds[kind].words[i] != NULL; i++)
		argv[n++] = kinds[kind].words[i];
	if (i > 0)
		program_run(argv, NULL, NULL);
}

/* --- tasks ------------------------------------------------------------------- */

static void
send_batch(struct scene *s)
{
	struct flowrra_error error;
	size_t i;

	check(flowrra_batch_send(s->batch, &error), &error);
	check(flowrra_batch_wait(s->batch, &error), &error);
	for (i = 0; i < flowrra_batch_count(s->batch); i++)
		check(flowrra_batch_answer(s->batch, i, &error), &error);
	flowrra_batch_reset(s->batch);
}

static void
submit(struct scene *s, bool groups)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_error error;
	char group[24];
	long i;

	request.name = "noop";
	request.queue = "io";
	request.force = true;
	for (i = 0; i < opt.tasks; i++) {
		snprintf(group, sizeof(group), "g%ld", i % GROUPS);
		request.group = groups ? group : NULL;
		if (flowrra_batch_count(s->batch) == BATCH)
			send_batch(s);
		check(flowrra_batch_add(s->batch, &request, &error), &error);
	}
	send_batch(s);
}

static void
await_ended(void)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	const int64_t end_ms = clock_mono_ms() + STALL_MS;
	const uint64_t n = (uint64_t)opt.tasks;

	while (atomic_load(&files.page->ended) < n) {
		if (clock_mono_ms() > end_ms)
			errx(1, "%ld of %ld tasks have ended; see %s",
			     (long)atomic_load(&files.page->ended), opt.tasks,
			     files.dir);
		nanosleep(&nap, NULL);
	}
}

/* What worker and server have used, in seconds. */
static double
used(const struct scene *s)
{
	return usage_cpu_of(s->worker.pid).cpu_s +
	       usage_cpu_of(s->system.server).cpu_s;
}

static void
measure(const struct system_type *type, size_t kind, long round)
{
	struct flowrra_error error;
	struct scene s;
	double before, took_s;

	scene_open(&s, type);
	limit_set(kind);
	memset((void *)files.page, 0, sizeof(*files.page));
	atomic_store(&files.page->expected, (uint64_t)opt.tasks);
	check(flowrra_queue_pause(s.client, "io", true, &error), &error);
	submit(&s, kinds[kind].groups);
	before = used(&s);
	check(flowrra_queue_pause(s.client, "io", false, &error), &error);
	await_ended();
	took_s = (double)(atomic_load(&files.page->last_ns) -
			  atomic_load(&files.page->first_ns)) /
		 1e9;
	costs[kind][round] = (used(&s) - before) * 1e6 / (double)opt.tasks;
	rates[kind][round] = (double)opt.tasks / took_s;
	scene_close(&s, type);
}

/* --- the report ---------------------------------------------------------------- */

static int
compare_figures(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *all, long n)
{
	qsort(all, (size_t)n, sizeof(*all), compare_figures);
	return all[n / 2];
}

static void
report(const struct system_type *type, long rounds)
{
	double rate[N_KINDS], cost[N_KINDS];
	size_t k;

	for (k = 0; k < N_KINDS; k++) {
		rate[k] = median(rates[k], rounds);
		cost[k] = median(costs[k], rounds);
	}
	printf("%s, limits, %ld tasks, %ld rounds: medians, and beside no "
	       "limit\n",
	       type->name, opt.tasks, rounds);
	for (k = 0; k < N_KINDS; k++)
		printf("%-36s %10.0f tasks/s %5.2f %8.2f us CPU/task %5.2f\n",
		       kinds[k].text, rate[k], rate[k] / rate[0], cost[k],
		       cost[k] / cost[0]);
}

int
main(int argc, char **argv)
{
	const struct system_type *type =
	    system_find(argc > 1 ? argv[1] : "sqlite");
	long round;
	size_t k;

	if (type == NULL)
		errx(64, "usage: limit_bench [redis|sqlite]");
	options_read();
	if (opt.rounds > ROUNDS_MAX)
		errx(64, "up to %d rounds", ROUNDS_MAX);
	files_make();
	for (round = 0; round < opt.rounds; round++)
		for (k = 0; k < N_KINDS; k++)
			measure(type, k, round);
	report(type, opt.rounds);
	files_remove();
	return 0;
}
