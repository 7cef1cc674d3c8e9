/* SPDX-License-Identifier: MIT */
/* One round of one system under test. */
#include "round.h"

#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <flowrra/client.h>

#include "files.h"
#include "options.h"
#include "page.h"
#include "process.h"
#include "program.h"
#include "scraper.h"
#include "usage.h"
#include "util/clock.h"

/* How long a drain may take that makes no progress. */
#define STALL_MS 20000
/* Results of the drain that are waited for, and those that are looked at. */
#define LAST_IDS 1000
#define CHECK_EVERY 97
/* So many at a time. */
#define GROUP 500

struct round {
	const struct system_type *type;
	struct system system;
	bool has_floor;
	struct worker worker;
	struct table *table;
};

/* --- parts of a round ---------------------------------------------------- */

static void
expect(uint64_t tasks)
{
	memset((void *)files.page, 0, sizeof(*files.page));
	atomic_store(&files.page->expected, tasks);
}

/* Waits until `counter` has reached `n`. */
static void
wait_for(atomic_uint_fast64_t *counter, uint64_t n)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	int64_t moved_ms = clock_mono_ms();
	uint64_t last = 0, now;

	while ((now = atomic_load(counter)) < n) {
		if (now != last)
			moved_ms = clock_mono_ms();
		if (clock_mono_ms() - moved_ms > STALL_MS)
			errx(1, "only %ju of %ju tasks ran; see %s",
			     (uintmax_t)now, (uintmax_t)n, files.dir);
		last = now;
		nanosleep(&nap, NULL);
	}
}

static void
measure_idle(struct round *r)
{
	worker_start(&r->worker, files.dir);
	worker_wait(&r->worker);
	table_add(r->table, METRIC_pss_idle_mib,
		  usage_of(r->worker.pid).pss_mib);
}

/* Numbers that a program prints, in one line. */
static void
read_numbers(const char *const *argv, double *values, size_t n)
{
	FILE *f;
	size_t i;

	program_run(argv, NULL, files.out);
	f = files_open(files.out, "re");
	for (i = 0; i < n; i++)
		if (fscanf(f, "%lf", &values[i]) != 1)
			errx(1, "%s printed too little", argv[0]);
	fclose(f);
}

/* Right after ours, so that the ratio is of one and the same moment. */
static void
measure_bare_latency(struct round *r, const char *rate, const char *seconds,
		     const double *ours)
{
	const char *const argv[] = {"tests/bench/latency_bench",
				    "--bare",
				    r->system.url,
				    rate,
				    seconds,
				    NULL};
	double bare[7];

	read_numbers(argv, bare, 7);
	table_add(r->table, METRIC_bare_start_ms_p50, bare[0]);
	table_add(r->table, METRIC_bare_result_ms_p50, bare[3]);
	table_add(r->table, METRIC_start_ratio, ours[0] / bare[0]);
	table_add(r->table, METRIC_result_ratio, ours[3] / bare[3]);
}

static void
measure_latency(struct round *r)
{
	static const enum metric metrics[] = {
	    METRIC_start_ms_p50,  METRIC_start_ms_p95,	METRIC_start_ms_p99,
	    METRIC_result_ms_p50, METRIC_result_ms_p95, METRIC_result_ms_p99,
	    METRIC_late_ticks};
	char rate[24], seconds[24];
	const char *const argv[] = {"tests/bench/latency_bench", r->system.url,
				    rate, seconds, NULL};
	double values[7];
	size_t i;

	snprintf(rate, sizeof(rate), "%ld", opt.rate);
	snprintf(seconds, sizeof(seconds), "%ld", opt.seconds);
	read_numbers(argv, values, 7);
	for (i = 0; i < 7; i++)
		table_add(r->table, metrics[i], values[i]);
	if (r->has_floor)
		measure_bare_latency(r, rate, seconds, values);
}

/* What SQLite does of the same, on the same disk, right behind ours: its floor,
 * and what part of that ours, which was measured last, is. */
static void
measure_floor(struct round *r, const char *what, long rows, enum metric ours,
	      enum metric floor, enum metric ratio)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char n[24], *path = NULL, *file;
	double value;
	size_t i;

	if (!r->type->beside_sqlite)
		return;
	snprintf(n, sizeof(n), "%ld", rows);
	if (asprintf(&path, "%s/floor.db", files.dir) < 0)
		err(1, NULL);
	read_numbers((const char *const[]){"tests/bench/sqlite_floor_bench",
					   what, path, n, NULL},
		     &value, 1);
	table_add_floor(r->table, ours, floor, ratio, value);
	for (i = 0; i < 3; i++) {
		if (asprintf(&file, "%s%s", path, suffixes[i]) < 0)
			err(1, NULL);
		remove(file);
		free(file);
	}
	free(path);
}

static void
submit_singly(struct round *r)
{
	char n[24];
	const char *const argv[] = {"tests/bench/submit_bench",
				    "--bare",
				    r->system.url,
				    opt.task,
				    n,
				    NULL};
	const char *const ours[] = {argv[0], argv[2], argv[3], argv[4], NULL};
	double per_s, bare;

	snprintf(n, sizeof(n), "%ld", opt.single);
	read_numbers(ours, &per_s, 1);
	table_add(r->table, METRIC_submit_single_per_s, per_s);
	measure_floor(r, "row", opt.single, METRIC_submit_single_per_s,
		      METRIC_floor_single_per_s, METRIC_of_floor_single);
	if (!r->has_floor)
		return;
	read_numbers(argv, &bare, 1);
	table_add(r->table, METRIC_submit_bare_per_s, bare);
	table_add(r->table, METRIC_submit_ratio, per_s / bare);
}

/* Since expect(), by the worker that runs. */
static void
await_tasks(long n)
{
	wait_for(&files.page->ended, (uint64_t)n);
}

static void
run_rest(struct round *r)
{
	const uint64_t n = (uint64_t)(opt.single + opt.ctl);

	expect(n);
	worker_start(&r->worker, files.dir);
	wait_for(&files.page->ended, n);
	worker_stop(&r->worker);
}

static void
submit_in_bulk(struct round *r)
{
	const char *const argv[] = {"bin/flowrractl", "--config", files.conf,
				    "submit",	      "--stdin",  NULL};

	table_add(r->table, METRIC_submit_bulk_per_s,
		  (double)opt.tasks /
		      program_run(argv, files.tasks, files.ids));
	measure_floor(r, "bulk", opt.tasks, METRIC_submit_bulk_per_s,
		      METRIC_floor_bulk_per_s, METRIC_of_floor_bulk);
}

/* --- the drain ----------------------------------------------------------- */

static struct flowrra_client *
open_client(const struct round *r)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_client *client;
	struct flowrra_error error;

	options.broker_url = r->system.url;
	if (flowrra_open(&options, &client, &error) != 0)
		errx(1, "%s", error.message);
	return client;
}

/* Waits for `n` tasks, all of which must succeed. */
static void
wait_for_success(struct flowrra_client *client, char (*ids)[FLOWRRA_ID_SIZE],
		 size_t n)
{
	struct flowrra_record *records[GROUP];
	const char *wanted[GROUP] = {NULL};
	struct flowrra_error error;
	size_t i;

	for (i = 0; i < n; i++)
		wanted[i] = ids[i];
	if (flowrra_wait_many(client, wanted, n, FLOWRRA_WAIT_ALL, 20, records,
			      &error) != 0)
		errx(1, "%s", error.message);
	for (i = 0; i < n; i++) {
		if (records[i]->state != FLOWRRA_SUCCESS)
			errx(1, "task %s is %s", ids[i],
			     flowrra_state_text(records[i]->state));
		flowrra_record_free(records[i]);
	}
}

/* Of those that were submitted in bulk, one of `every`, from the `first` on. */
static void
check_results(const struct round *r, long first, long every)
{
	static char ids[GROUP][FLOWRRA_ID_SIZE];
	struct flowrra_client *client = open_client(r);
	FILE *f = files_open(files.ids, "re");
	char id[FLOWRRA_ID_SIZE];
	size_t n = 0;
	long i;

	for (i = 0; fscanf(f, "%200s", id) == 1; i++) {
		if (i < first || (i - first) % every != 0)
			continue;
		memcpy(ids[n++], id, sizeof(id));
		if (n == GROUP) {
			wait_for_success(client, ids, n);
			n = 0;
		}
	}
	if (n > 0)
		wait_for_success(client, ids, n);
	if (i != opt.tasks)
		errx(1, "%ld ids for %ld tasks", i, opt.tasks);
	flowrra_close(client);
	fclose(f);
}

static double
per_10k(double before, double after)
{
	return (after - before) / (double)opt.tasks * 10000;
}

static void
note_drain(struct round *r, double stored_s)
{
	const double drain_s = (double)(atomic_load(&files.page->last_ns) -
					atomic_load(&files.page->first_ns)) /
			       1e9;

	table_add(r->table, METRIC_drain_per_s, (double)opt.tasks / drain_s);
	table_add(r->table, METRIC_drain_stored_per_s,
		  (double)opt.tasks / stored_s);
}

static void
measure_drain(struct round *r)
{
	const long last = opt.tasks > LAST_IDS ? opt.tasks - LAST_IDS : 0;
	const uint64_t n = (uint64_t)opt.tasks;
	double ours, daemon, server, first_s;
	struct table *t = r->table;

	expect(n);
	worker_start(&r->worker, files.dir);
	wait_for(&files.page->started, 1);
	ours = usage_cpu_of(r->worker.pid).cpu_s;
	daemon = usage_alone_of(r->worker.pid);
	server = usage_cpu_of(r->system.server).cpu_s;
	wait_for(&files.page->ended, n / 2);
	table_add(t, METRIC_pss_drain_mib, usage_of(r->worker.pid).pss_mib);
	table_add(t, METRIC_pss_server_mib, usage_of(r->system.server).pss_mib);
	wait_for(&files.page->ended, n);
	check_results(r, last, 1);
	first_s = (double)atomic_load(&files.page->first_ns) / 1e9;
	note_drain(r, (double)clock_mono_us() / 1e6 - first_s);
	table_add(t, METRIC_cpu_worker_s_per_10k,
		  per_10k(ours, usage_cpu_of(r->worker.pid).cpu_s));
	table_add(t, METRIC_cpu_flowrrad_s_per_10k,
		  per_10k(daemon, usage_alone_of(r->worker.pid)));
	table_add(t, METRIC_cpu_redis_s_per_10k,
		  per_10k(server, usage_cpu_of(r->system.server).cpu_s));
	worker_stop(&r->worker);
	measure_floor(r, "statements", opt.tasks, METRIC_drain_per_s,
		      METRIC_floor_drain_per_s, METRIC_of_floor_drain);
	check_results(r, 0, CHECK_EVERY);
	if (atomic_load(&files.page->ended) != n ||
	    atomic_load(&files.page->started) != n)
		errx(1, "%ju tasks ran instead of %ju",
		     (uintmax_t)atomic_load(&files.page->ended), (uintmax_t)n);
}

/* --- watched ------------------------------------------------------------- */

/* Once more, with all on that can be observed, a monitor that reads each second,
 * and no task in a sampled trace. Rates are noisy on a machine that is shared: the
 * ratio is that of processor time. */
static void
measure_watched(struct round *r)
{
	const uint64_t n = (uint64_t)opt.tasks;
	const size_t last = r->table->rounds[METRIC_cpu_worker_s_per_10k] - 1;
	char *socket;
	double ours, cost, drain_s;
	pid_t scraper;

	if (asprintf(&socket, "%s/metrics", files.dir) < 0)
		err(1, NULL);
	files_write_watched_conf(r->system.url, socket);
	program_run((const char *const[]){"bin/flowrractl", "--config",
					  files.conf, "submit", "--stdin",
					  NULL},
		    files.tasks, files.ids);
	expect(n);
	worker_start(&r->worker, files.dir);
	scraper = scraper_start(socket);
	wait_for(&files.page->started, 1);
	ours = usage_cpu_of(r->worker.pid).cpu_s;
	wait_for(&files.page->ended, n);
	check_results(r, opt.tasks > LAST_IDS ? opt.tasks - LAST_IDS : 0, 1);
	cost = per_10k(ours, usage_cpu_of(r->worker.pid).cpu_s);
	scraper_stop(scraper);
	worker_stop(&r->worker);
	drain_s = (double)(atomic_load(&files.page->last_ns) -
			   atomic_load(&files.page->first_ns)) /
		  1e9;
	table_add(r->table, METRIC_watched_per_s, (double)n / drain_s);
	table_add(r->table, METRIC_watched_s_per_10k, cost);
	table_add(r->table, METRIC_watched_ratio,
		  r->table->values[METRIC_cpu_worker_s_per_10k][last] / cost);
	free(socket);
}

/* --- all of it ----------------------------------------------------------- */

void
round_run(struct contender *c)
{
	struct round r = {.type = c->type,
			  .table = &c->table,
			  .has_floor = c->type->has_floor};

	c->type->start(&r.system, files.dir);
	snprintf(c->version, sizeof(c->version), "%s", r.system.version);
	files_write_conf(r.system.url);
	measure_idle(&r);
	if (opt.seconds > 0)
		measure_latency(&r);
	if (opt.ctl > 0) {
		expect(0);
		process_measure(&r.system, r.table, await_tasks);
	}
	worker_stop(&r.worker);
	if (opt.single > 1)
		submit_singly(&r);
	if (opt.ctl > 0)
		process_measure_alone(r.table);
	run_rest(&r);
	submit_in_bulk(&r);
	measure_drain(&r);
	measure_watched(&r);
	c->type->stop(&r.system);
}
