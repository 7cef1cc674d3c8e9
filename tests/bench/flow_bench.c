/* SPDX-License-Identifier: MIT */
/*
 * Measures workflows of tasks that do nothing, each time from a fresh store:
 *
 *	chains	BENCH_TASKS / 50 chains of 50 steps at the same time, of one workflow:
 *		steps a second, and the CPU time of a step (of the worker and the
 *		server; and of the server alone)
 *	own	the same, each chain a workflow of its own
 *	plain	as many tasks that belong to no workflow, for comparison
 *	join	a step that comes after 1,000 others: from the end of the last of them
 *		to its start
 *	call	a callback that comes after 10,000 steps: from the seal to its start
 *	release	a step that comes after one other, with nothing else to do: the same
 *
 * BENCH_ROUNDS (medians are printed) and BENCH_TASKS are as for `run`.
 *
 * Usage: flow_bench [redis|sqlite]
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
#define CHAIN 50
#define BATCH 500
#define JOIN_AFTER 1000
#define CALL_AFTER 10000
#define RELEASES 200

/* X(key, what it is, its unit) */
#define FIGURES(X)                                                             \
	X(chains, "chains", "steps/s")                                         \
	X(chain_cpu, "chains, CPU time", "us/step")                            \
	X(chain_server, "chains, CPU time of the server", "us/step")           \
	X(own, "chains, each a workflow", "steps/s")                           \
	X(own_cpu, "chains, each a workflow, CPU time", "us/step")             \
	X(own_server, "chains, each a workflow, of the server", "us/step")     \
	X(plain, "tasks of no workflow", "tasks/s")                            \
	X(plain_cpu, "tasks of no workflow, CPU time", "us/task")              \
	X(join, "join of 1000 steps, until the next starts", "ms")             \
	X(call, "10000 steps, from the seal to the callback", "ms")            \
	X(release, "release of a step, median", "ms")                          \
	X(release_99, "release of a step, 99 of 100", "ms")
enum figure {
#define X(key, text, unit) FIGURE_##key,
	FIGURES(X)
#undef X
	    FIGURE_COUNT
};
static const struct {
	const char *text, *unit;
} names[] = {
#define X(key, text, unit) {text, unit},
    FIGURES(X)
#undef X
};

static double figures[FIGURE_COUNT][ROUNDS_MAX];

/* A worker with a fresh store, and a client of that. */
struct scene {
	const struct system_type *type;
	struct system system;
	struct worker worker;
	struct flowrra_client *client;
	struct flowrra_batch *batch;
};

/* --- a scene --------------------------------------------------------------- */

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
	s->type = type;
	type->start(&s->system, files.dir);
	files_write_conf(s->system.url);
	options.config_file = files.conf;
	check(flowrra_open(&options, &s->client, &error), &error);
	check(flowrra_batch_new(s->client, &s->batch, &error), &error);
	worker_start(&s->worker, files.dir);
	worker_wait(&s->worker);
}

static void
scene_close(struct scene *s)
{
	flowrra_batch_free(s->batch);
	flowrra_close(s->client);
	worker_stop(&s->worker);
	s->type->stop(&s->system);
}

/* What workers and servers have used, in seconds. */
static double
used(const struct scene *s)
{
	return usage_cpu_of(s->worker.pid).cpu_s +
	       usage_cpu_of(s->system.server).cpu_s;
}

static void
expect(long n)
{
	memset((void *)files.page, 0, sizeof(*files.page));
	atomic_store(&files.page->expected, (uint64_t)n);
}

static void
await_ended(long n)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	const int64_t end_ms = clock_mono_ms() + STALL_MS;

	while (atomic_load(&files.page->ended) < (uint64_t)n) {
		if (clock_mono_ms() > end_ms)
			errx(1, "%ld of %ld tasks have ended; see %s",
			     (long)atomic_load(&files.page->ended), n,
			     files.dir);
		nanosleep(&nap, NULL);
	}
}

/* --- submitting -------------------------------------------------------------- */

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
add(struct scene *s, const struct flowrra_request *request)
{
	struct flowrra_error error;

	if (flowrra_batch_count(s->batch) == BATCH)
		send_batch(s);
	check(flowrra_batch_add(s->batch, request, &error), &error);
}

static void
begin_flow(struct scene *s, char id[FLOWRRA_FLOW_ID_SIZE])
{
	struct flowrra_flow_options options = FLOWRRA_FLOW_OPTIONS_INIT;
	struct flowrra_error error;

	options.whole = true;
	check(flowrra_flow_begin(s->client, &options, id, &error), &error);
}

static void
seal_flow(struct scene *s, const char *id)
{
	struct flowrra_error error;

	check(flowrra_flow_seal(s->client, id, &error), &error);
}

/* Adds the step FLOW.I, which comes after FLOW.AFTER, if that is not negative. */
static void
add_step(struct scene *s, const char *flow, const char *name, long i,
	 long after)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	char id[FLOWRRA_ID_SIZE], list[FLOWRRA_ID_SIZE + 8];

	snprintf(id, sizeof(id), "%s.%ld", flow, i);
	snprintf(list, sizeof(list), "[\"%s.%ld\"]", flow, after);
	request.id = id;
	request.name = name;
	request.queue = "io";
	request.flow = flow;
	request.force = true;
	if (after >= 0)
		request.after = list;
	add(s, &request);
}

/* --- chains -------------------------------------------------------------------- */

static double
seconds_of_page(void)
{
	return (double)(atomic_load(&files.page->last_ns) -
			atomic_load(&files.page->first_ns)) /
	       1e9;
}

/* Steps of `n` workflows, between which the chains are shared out. */
static void
add_chains(struct scene *s, char (*flows)[FLOWRRA_FLOW_ID_SIZE], long n)
{
	const long chains = opt.tasks / CHAIN, each = chains / n;
	long flow, i, k;

	for (flow = 0; flow < n; flow++) {
		begin_flow(s, flows[flow]);
		for (k = 0; k < CHAIN; k++)
			for (i = 0; i < each; i++)
				add_step(s, flows[flow], "noop", k * each + i,
					 (k - 1) * each + i);
	}
	send_batch(s);
}

static void
measure_chains_of(const struct system_type *type, long n_flows,
		  double *ret_rate, double *ret_cpu, double *ret_server)
{
	const long n = opt.tasks / CHAIN * CHAIN;
	char(*flows)[FLOWRRA_FLOW_ID_SIZE] = calloc(n_flows, sizeof(*flows));
	double before, server;
	struct scene s;
	long i;

	if (flows == NULL)
		err(71, NULL);
	scene_open(&s, type);
	expect(n);
	add_chains(&s, flows, n_flows);
	before = used(&s);
	server = usage_cpu_of(s.system.server).cpu_s;
	for (i = 0; i < n_flows; i++)
		seal_flow(&s, flows[i]);
	await_ended(n);
	*ret_cpu = (used(&s) - before) * 1e6 / (double)n;
	*ret_server =
	    (usage_cpu_of(s.system.server).cpu_s - server) * 1e6 / (double)n;
	*ret_rate = (double)n / seconds_of_page();
	scene_close(&s);
	free(flows);
}

static void
measure_chains(const struct system_type *type, long round)
{
	measure_chains_of(type, 1, &figures[FIGURE_chains][round],
			  &figures[FIGURE_chain_cpu][round],
			  &figures[FIGURE_chain_server][round]);
	measure_chains_of(type, opt.tasks / CHAIN, &figures[FIGURE_own][round],
			  &figures[FIGURE_own_cpu][round],
			  &figures[FIGURE_own_server][round]);
}

static void
measure_plain(const struct system_type *type, long round)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_error error;
	struct scene s;
	double before;
	long i;

	scene_open(&s, type);
	expect(opt.tasks);
	request.name = "noop";
	request.queue = "io";
	request.force = true;
	check(flowrra_queue_pause(s.client, "io", true, &error), &error);
	for (i = 0; i < opt.tasks; i++)
		add(&s, &request);
	send_batch(&s);
	before = used(&s);
	check(flowrra_queue_pause(s.client, "io", false, &error), &error);
	await_ended(opt.tasks);
	figures[FIGURE_plain_cpu][round] =
	    (used(&s) - before) * 1e6 / (double)opt.tasks;
	figures[FIGURE_plain][round] = (double)opt.tasks / seconds_of_page();
	scene_close(&s);
}

/* --- joins ---------------------------------------------------------------------- */

/* When it began, by the worker's clock, in microseconds. */
static int64_t
await_start(struct scene *s, const char *flow, const char *step,
	    int64_t *ret_end)
{
	struct flowrra_record *record;
	struct flowrra_error error;
	char id[FLOWRRA_ID_SIZE];
	int64_t start;

	snprintf(id, sizeof(id), "%s.%s", flow, step);
	check(flowrra_wait(s->client, id, STALL_MS / 1000.0, &record, &error),
	      &error);
	start = record->started_us;
	if (ret_end != NULL)
		*ret_end = record->finished_us;
	flowrra_record_free(record);
	return start;
}

static void
add_join(struct scene *s, const char *flow)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	char *after = NULL, id[FLOWRRA_ID_SIZE];
	size_t size;
	FILE *text = open_memstream(&after, &size);
	long i;

	if (text == NULL)
		err(71, NULL);
	for (i = 0; i < JOIN_AFTER; i++)
		fprintf(text, "%c\"%s.%ld\"", i == 0 ? '[' : ',', flow, i);
	fputc(']', text);
	fclose(text);
	snprintf(id, sizeof(id), "%s.join", flow);
	request.id = id;
	request.name = "noop";
	request.queue = "io";
	request.flow = flow;
	request.after = after;
	request.force = true;
	add(s, &request);
	free(after);
}

static void
add_callback(struct scene *s, const char *flow)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	char id[FLOWRRA_ID_SIZE];

	snprintf(id, sizeof(id), "%s.call", flow);
	request.id = id;
	request.name = "noop";
	request.queue = "io";
	request.flow = flow;
	request.on = "complete";
	request.force = true;
	add(s, &request);
}

static void
measure_join(const struct system_type *type, long round)
{
	char flow[FLOWRRA_FLOW_ID_SIZE], step[24];
	int64_t last = 0, end, start;
	struct scene s;
	long i;

	scene_open(&s, type);
	expect(JOIN_AFTER + 1);
	begin_flow(&s, flow);
	for (i = 0; i < JOIN_AFTER; i++)
		add_step(&s, flow, "noop", i, -1);
	add_join(&s, flow);
	send_batch(&s);
	seal_flow(&s, flow);
	start = await_start(&s, flow, "join", NULL);
	for (i = 0; i < JOIN_AFTER; i++) {
		snprintf(step, sizeof(step), "%ld", i);
		await_start(&s, flow, step, &end);
		if (end > last)
			last = end;
	}
	figures[FIGURE_join][round] = (double)(start - last) / 1000;
	scene_close(&s);
}

static void
measure_call(const struct system_type *type, long round)
{
	char flow[FLOWRRA_FLOW_ID_SIZE];
	struct scene s;
	int64_t sealed;
	long i;

	scene_open(&s, type);
	expect(CALL_AFTER + 1);
	begin_flow(&s, flow);
	for (i = 0; i < CALL_AFTER; i++)
		add_step(&s, flow, "noop", i, -1);
	add_callback(&s, flow);
	send_batch(&s);
	sealed = clock_wall_us();
	seal_flow(&s, flow);
	/* It has no record before it runs. */
	await_ended(CALL_AFTER + 1);
	figures[FIGURE_call][round] =
	    (double)(await_start(&s, flow, "call", NULL) - sealed) / 1000;
	scene_close(&s);
}

/* --- releases -------------------------------------------------------------------- */

static int
compare_figures(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
release_ms(struct scene *s)
{
	char flow[FLOWRRA_FLOW_ID_SIZE];
	int64_t end, start;

	begin_flow(s, flow);
	add_step(s, flow, "noop", 0, -1);
	add_step(s, flow, "noop", 1, 0);
	send_batch(s);
	seal_flow(s, flow);
	start = await_start(s, flow, "1", NULL);
	await_start(s, flow, "0", &end);
	return (double)(start - end) / 1000;
}

static void
measure_releases(const struct system_type *type, long round)
{
	double took[RELEASES];
	struct scene s;
	size_t i;

	scene_open(&s, type);
	expect(RELEASES * 2);
	for (i = 0; i < RELEASES; i++)
		took[i] = release_ms(&s);
	scene_close(&s);
	qsort(took, RELEASES, sizeof(double), compare_figures);
	figures[FIGURE_release][round] = took[RELEASES / 2];
	figures[FIGURE_release_99][round] = took[RELEASES * 99 / 100];
}

/* --- the report -------------------------------------------------------------------- */

static void
report(const struct system_type *type, long rounds)
{
	double *all;
	int f;

	printf("%s, %ld tasks, %ld rounds: median, minimum, maximum\n",
	       type->name, opt.tasks, rounds);
	for (f = 0; f < FIGURE_COUNT; f++) {
		all = figures[f];
		qsort(all, (size_t)rounds, sizeof(double), compare_figures);
		printf("%-44s %10.2f %10.2f %10.2f %s\n", names[f].text,
		       all[rounds / 2], all[0], all[rounds - 1], names[f].unit);
	}
}

int
main(int argc, char **argv)
{
	const struct system_type *type =
	    system_find(argc > 1 ? argv[1] : "sqlite");
	long round;

	if (type == NULL)
		errx(64, "usage: flow_bench [redis|sqlite]");
	options_read();
	if (opt.rounds > ROUNDS_MAX || opt.tasks < CHAIN)
		errx(64, "up to %d rounds, and at least %d tasks", ROUNDS_MAX,
		     CHAIN);
	files_make();
	for (round = 0; round < opt.rounds; round++) {
		measure_chains(type, round);
		measure_plain(type, round);
		measure_join(type, round);
		measure_call(type, round);
		measure_releases(type, round);
	}
	report(type, opt.rounds);
	files_remove();
	return 0;
}
