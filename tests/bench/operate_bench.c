/* SPDX-License-Identifier: MIT */
/*
 * Measures the operators' calls of a broker, and of a backend, with a million
 * tasks that wait (or as many as is said), a tenth of that delayed, another
 * tenth finished, some dead and some in flight: how long each takes, and the
 * longest that Redis was busy with one command of it. A search takes several
 * calls.
 *
 * Ends with 1 if a call took 50 ms, or a command 10 ms.
 *
 * Usage: operate_bench [redis|sqlite] [TASKS]
 */
#include <err.h>
#include <event2/event.h>
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "longest.h"
#include "operate_fill.h"
#include "redis_server.h"
#include "store/admin.h"
#include "store/results.h"
#include "util/clock.h"

#define ROUNDS 20
#define ROUNDS_MAX 4096
#define CALL_MAX_MS 50.0
#define COMMAND_MAX_MS 10.0
static struct {
	long tasks;
	struct redis_server *server; /* NULL: it is SQLite's */
	char dir[64];
	char url[128];
	struct event_base *base;
	struct broker *broker;
	struct results *results;
	/* The call that is being timed. */
	bool answered;
	struct err err;
	size_t n; /* items that were shown */
	char next[256];
	char keys[BROKER_PAGE_MAX][64];
	bool failed;
} bench;

/* --- calls ------------------------------------------------------------- */

static void
done(const struct err *err)
{
	bench.answered = true;
	if (err != NULL)
		bench.err = *err;
}

static void
on_value(struct slice value, const struct err *err, void *arg)
{
	done(err);
}

static void
on_queues(const struct queue_stats *queues, size_t n, const struct err *err,
	  void *arg)
{
	done(err);
}

static void
on_workers(const struct worker_info *workers, size_t n, const struct err *err,
	   void *arg)
{
	done(err);
}

static void
on_report(const struct broker_report *report, const struct err *err, void *arg)
{
	done(err);
}

static void
on_counts(const struct results_counts *counts, const struct err *err, void *arg)
{
	done(err);
}

static void
on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	size_t i;

	done(err);
	if (page == NULL)
		return;
	bench.n = page->n;
	snprintf(bench.next, sizeof(bench.next), "%.*s", (int)page->next.len,
		 page->next.len > 0 ? page->next.p : "");
	for (i = 0; i < page->n; i++)
		snprintf(bench.keys[i], sizeof(bench.keys[i]), "%.*s",
			 (int)page->items[i].key.len,
			 page->items[i].key.len > 0 ? page->items[i].key.p
						    : "");
}

static void
on_exhumed(struct broker_requeue *batch, size_t n, void *arg)
{
	done(batch[0].err.code != ERR_NONE ? &batch[0].err : NULL);
}

static void
queues(const char *name)
{
	broker_queues(bench.broker, slice_of(name), on_queues, NULL);
}

static void
workers(const char *none)
{
	broker_workers(bench.broker, on_workers, NULL);
}

static void
examine(const char *none)
{
	broker_examine(bench.broker, on_report, NULL);
}

static void
pause_queue(const char *yes)
{
	broker_pause(bench.broker, SLICE("cpu"), yes[0] == '1', on_value, NULL);
}

static void
view(enum broker_location place, const char *cursor)
{
	const struct broker_view asked = {.queue = SLICE("io"),
					  .place = place,
					  .cursor = slice_of(cursor),
					  .n = BROKER_PAGE_MAX};

	broker_view(bench.broker, &asked, on_page, NULL);
}

static void
view_waiting(const char *cursor)
{
	view(BROKER_WAITING, cursor);
}

static void
view_delayed(const char *cursor)
{
	view(BROKER_DELAYED, cursor);
}

static void
view_in_flight(const char *cursor)
{
	view(BROKER_IN_FLIGHT, cursor);
}

static void
view_dead(const char *cursor)
{
	view(BROKER_DEAD, cursor);
}

static void
withdraw(const char *id)
{
	char cursor[sizeof(bench.next)];

	snprintf(cursor, sizeof(cursor), "%s", bench.next);
	broker_remove(bench.broker, SLICE("io"), slice_of(id), slice_of(cursor),
		      on_page, NULL);
}

static void
exhume(const char *again)
{
	static struct broker_requeue batch[BROKER_PAGE_MAX];
	size_t i;

	for (i = 0; i < bench.n; i++)
		batch[i] =
		    (struct broker_requeue){.key = slice_of(bench.keys[i]),
					    .retry_bytes = slice_of(again),
					    .priority = (int32_t)(i % 2)};
	broker_requeue(bench.broker, SLICE("io"), batch, bench.n, on_exhumed,
		       NULL);
}

static void
purge(const char *none)
{
	broker_purge(bench.broker, SLICE("io"), BROKER_PAGE_MAX, on_page, NULL);
}

static void
on_records(const struct slice *records, size_t n, struct slice next,
	   const struct err *err, void *arg)
{
	done(err);
	bench.n = n;
	snprintf(bench.next, sizeof(bench.next), "%.*s", (int)next.len,
		 next.len > 0 ? next.p : "");
}

static void
list(const char *cursor)
{
	results_list(bench.results, false, slice_of(cursor), RESULTS_PAGE_MAX,
		     on_records, NULL);
}

static void
list_on(const char *none)
{
	char cursor[sizeof(bench.next)];

	snprintf(cursor, sizeof(cursor), "%s", bench.next);
	list(cursor);
}

static void
counts(const char *none)
{
	results_counts(bench.results, on_counts, NULL);
}

/* --- measuring --------------------------------------------------------- */

static double
run(void (*call)(const char *), const char *arg)
{
	const int64_t start_us = clock_mono_us();

	bench.answered = false;
	call(arg);
	while (!bench.answered)
		event_base_loop(bench.base, EVLOOP_ONCE);
	if (bench.err.code != ERR_NONE)
		errx(1, "%s", bench.err.msg);
	return (double)(clock_mono_us() - start_us) / 1e3;
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
report(const char *name, double *ms, size_t n)
{
	const double longest = longest_command(bench.server).ms;
	double sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += ms[i];
	qsort(ms, n, sizeof(*ms), compare);
	printf("%-34s %6zu %9.2f %9.2f %9.2f %9.2f\n", name, n, sum, ms[n / 2],
	       ms[n - 1], longest);
	fflush(stdout);
	bench.failed = bench.failed || ms[n - 1] >= CALL_MAX_MS ||
		       longest >= COMMAND_MAX_MS;
}

static void
measure(const char *name, void (*call)(const char *), const char *arg)
{
	double ms[ROUNDS];
	size_t i;

	for (i = 0; i < ROUNDS; i++)
		ms[i] = run(call, arg);
	report(name, ms, ROUNDS);
}

/* Goes on as long as there is a next page. */
static void
measure_all(const char *name, void (*call)(const char *), const char *arg)
{
	double *ms = calloc(ROUNDS_MAX, sizeof(*ms));
	size_t n = 0;

	bench.next[0] = '\0';
	do
		ms[n++] = run(call, arg);
	while (bench.next[0] != '\0' && n < ROUNDS_MAX);
	report(name, ms, n);
	free(ms);
}

static void
measure_view(const char *name, void (*call)(const char *), const char *before,
	     long number, const char *behind)
{
	char cursor[64];

	snprintf(cursor, sizeof(cursor), "%s%ld%s", before, number, behind);
	measure(name, call, cursor);
}

/* Cursors tell how many tasks are passed over, or which was the last. */
static void
measure_looking(void)
{
	const long n = bench.tasks;
	const bool redis = bench.server != NULL;
	const char *level = redis ? "0:" : "2147483648:";

	measure("queues", queues, "");
	measure("one queue", queues, "io");
	measure("workers", workers, "");
	measure("examine", examine, "");
	measure("waiting, the newest", view_waiting, "");
	measure_view("waiting, in the middle", view_waiting, level, n / 2, "");
	measure_view("waiting, the oldest", view_waiting, level,
		     redis ? n * 98 / 100 - 500 : 500, "");
	measure("delayed, the last due", view_delayed, "");
	measure_view("delayed, in the middle", view_delayed, "",
		     redis ? n / 20 : 1900000000000 + n / 20,
		     redis ? "" : ":0");
	measure("in flight", view_in_flight, "");
	measure("dead", view_dead, "");
	measure("completed, the last", list, "");
	measure_all("completed, all", list_on, "");
	measure("counts", counts, "");
}

static void
measure_doing(void)
{
	char id[32];

	measure("pause", pause_queue, "1");
	measure("resume", pause_queue, "0");
	snprintf(id, sizeof(id), "t%ld", bench.tasks - 1);
	measure_all("withdraw the newest", withdraw, id);
	snprintf(id, sizeof(id), "t%ld", bench.tasks / 2);
	measure_all("withdraw from the middle", withdraw, id);
	measure_all("withdraw the oldest", withdraw, "t1");
	measure_all("withdraw a delayed one", withdraw, "t1000000");
	measure_all("withdraw one that is not there", withdraw, "none");
	run(view_dead, "");
	measure_all("retry 500 of the dead", exhume, "{\"id\":\"again\"}");
	run(view_dead, "");
	measure_all("delete 500 of the dead", exhume, "");
	measure("purge 500", purge, NULL);
	measure_all("purge all", purge, NULL);
}

static void
on_state(bool up, bool final, const struct err *why, void *arg)
{
	(void) final;
	done(up ? NULL : why);
}

static void
open_redis(void)
{
	static const char *const settings[] = {"--slowlog-log-slower-than",
					       "200", "--slowlog-max-len",
					       "10000", NULL};
	const struct redis_server_options server = {.args = settings};

	bench.server = redis_server_start(&server);
	snprintf(bench.url, sizeof(bench.url), "%s",
		 redis_server_unix_url(bench.server));
}

static void
open_sqlite(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(bench.dir, sizeof(bench.dir), "%s/flowrra-operate-XXXXXX",
		 tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(bench.dir) == NULL)
		err(71, "%s", bench.dir);
	snprintf(bench.url, sizeof(bench.url), "sqlite://%s/flowrra.db",
		 bench.dir);
}

static void
open_both(void)
{
	const struct broker_options broker = {.base = bench.base,
					      .url = bench.url,
					      .queue_key = "flowrra:queue",
					      .timeout_ms = 5000,
					      .max_connections = 10,
					      .creates = true,
					      .on_state = on_state};
	const struct results_options results = {.base = bench.base,
						.url = bench.url,
						.timeout_ms = 5000,
						.max_connections = 10,
						.on_state = on_state};
	struct err why;

	bench.broker = broker_open(&broker, &why);
	if (bench.broker == NULL)
		errx(1, "%s", why.msg);
	bench.results = results_open(&results, &why);
	if (bench.results == NULL)
		errx(1, "%s", why.msg);
	while (!broker_is_up(bench.broker) || !results_is_up(bench.results))
		event_base_loop(bench.base, EVLOOP_ONCE);
}

static void
close_both(void)
{
	char command[128];

	results_close(bench.results);
	broker_close(bench.broker);
	event_base_free(bench.base);
	if (bench.server != NULL) {
		redis_server_stop(bench.server);
		return;
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", bench.dir);
	if (system(command) != 0)
		warnx("%s is left over", bench.dir);
}

int
main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "redis";
	const bool redis = strcmp(kind, "redis") == 0;

	bench.tasks = argc > 2 ? strtol(argv[2], NULL, 10) : 1000000;
	if (bench.tasks < 1000 || (!redis && strcmp(kind, "sqlite") != 0))
		errx(64, "usage: operate_bench [redis|sqlite] [TASKS], at "
			 "least 1000");
	if (redis)
		open_redis();
	else
		open_sqlite();
	bench.base = event_base_new();
	open_both();
	if (redis)
		operate_fill_redis(bench.server, bench.tasks);
	else
		operate_fill_sqlite(bench.url, bench.tasks);
	longest_command(bench.server);
	printf("%-34s %6s %9s %9s %9s %9s\n",
	       "with as many waiting tasks:", "calls", "ms in all", "median",
	       "longest", "command");
	printf("%ld, in %s\n", bench.tasks, kind);
	measure_looking();
	measure_doing();
	close_both();
	return bench.failed;
}
