/* SPDX-License-Identifier: MIT */
/*
 * Measures the scheduler, with each database:
 *
 *	wake-up   what a look, a claim of one schedule and its mark cost, with a
 *	          thousand stored schedules and with a million
 *	burst     10,000 schedules due at one moment: when is the last one in
 *	          its queue?
 *	idle      how late single fires are in their queue
 *
 * Usage: beat_bench [sqlite|postgresql]...
 */
#include <err.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "redis_server.h"
#include "schedules/claim.h"
#include "schedules/health.h"
#include "schedules/schedules.h"
#include "schedules/sql.h"
#include "sql_server.h"
#include "util/clock.h"
#include "util/err.h"

#define S INT64_C(1000000)
#define FEW 1000
#define MANY 1000000
#define BURST 10000
#define BURSTS 5
#define TICKS 200
#define WAKES 300
#define TARGET_BURST_MS 500
#define TARGET_P99_MS 10

static struct {
	bool sqlite;
	char dir[64];
	struct sql_server *server;
	struct redis_server *redis;
	char *url;
	struct schedules *db;
	pid_t beat;
} bench;

static void
must(int result, const struct err *err)
{
	if (result != 0)
		errx(1, "%s", err->msg);
}

/* --- the database ------------------------------------------------------- */

static void
run_sql(const char *sql)
{
	char *message = NULL;
	sqlite3 *db;

	if (!bench.sqlite) {
		sql_server_run(bench.server, "bench", sql);
		return;
	}
	if (sqlite3_open(bench.url + strlen("sqlite://"), &db) != SQLITE_OK ||
	    sqlite3_busy_timeout(db, 60000) != SQLITE_OK ||
	    sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		errx(1, "%s", message);
	sqlite3_close(db);
}

static void
open_database(void)
{
	struct schedules_options options = {.timeout_ms = 60000};
	struct err why = ERR_INIT;

	strcpy(bench.dir, "/tmp/beat-bench-XXXXXX");
	if (mkdtemp(bench.dir) == NULL)
		err(1, "%s", bench.dir);
	if (!bench.sqlite) {
		bench.server = sql_server_start(SQL_SERVER_POSTGRESQL);
		bench.url = sql_server_database(bench.server, "bench");
	} else if (asprintf(&bench.url, "sqlite://%s/s.db", bench.dir) < 0) {
		err(1, "asprintf");
	}
	options.url = bench.url;
	if ((bench.db = schedules_open(&options, &why)) == NULL)
		errx(1, "%s", why.msg);
	bench.redis = redis_server_start(NULL);
}

static void
close_database(void)
{
	char command[128];

	schedules_close(bench.db);
	sql_server_stop(bench.server);
	redis_server_stop(bench.redis);
	bench.server = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", bench.dir);
	if (system(command) != 0)
		warnx("%s is left", bench.dir);
	free(bench.url);
}

/* The schedule that others are copies of, due at `due_us`. */
static void
create(const char *id, const char *rule, int64_t due_us)
{
	const struct schedule s = {.id = id,
				   .task = "add",
				   .type = SCHEDULE_INTERVAL,
				   .rule = rule,
				   .queue = "io",
				   .args = id[0] == 'm' ? "[1]" : "[2]",
				   .enabled = true,
				   .settings = TASK_SETTINGS_UNSET,
				   .grace_us = SCHEDULE_UNSET,
				   .start_us = due_us,
				   .next_run_us = due_us,
				   .due_us = due_us};
	char made[SCHEDULE_ID_MAX + 1];
	struct err err = ERR_INIT;
	bool existing;

	must(schedules_create(bench.db, &s, clock_wall_us(), made, &existing,
			      &err),
	     &err);
}

/* `n` copies of schedule `id`, each `apart_us` later than the one before. */
static void
copy(const char *id, int n, int64_t apart_us)
{
	char sql[2048], numbers[256];

	snprintf(numbers, sizeof(numbers),
		 bench.sqlite
		     ? "(WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT"
		       " n + 1 FROM c WHERE n < %d) SELECT n FROM c) c"
		     : "generate_series(1::bigint, %d) c (n)",
		 n);
	snprintf(
	    sql, sizeof(sql),
	    "INSERT INTO flowrra_schedules (identity, " SQL_COLUMNS ")"
	    " SELECT 'i' || s.id || c.n, s.id || c.n, task, type, rule, tz,"
	    " args, kwargs, queue, description, enabled, max_retries,"
	    " retry_delay_us, retry_backoff_millionths, retry_delay_max_us,"
	    " retry_jitter_millionths, timeout_us, expires_us, priority,"
	    " misfire, max_catchup, grace_us,"
	    " overlap, jitter_us, day_match, start_us + c.n * %" PRId64 ","
	    " end_us, max_runs, created_us, updated_us, last_run_us,"
	    " next_run_us + c.n * %" PRId64 ", due_us + c.n * %" PRId64 ","
	    " runs, tz_data, fault, rule_us, owner, traceparent,"
	    " task_group, workflow FROM %s, flowrra_schedules s"
	    " WHERE s.id = '%s'",
	    apart_us, apart_us, apart_us, numbers, id);
	run_sql(sql);
	run_sql(bench.sqlite ? "ANALYZE" : "VACUUM ANALYZE flowrra_schedules");
	if (!bench.sqlite)
		run_sql("CHECKPOINT");
}

static void
remove_all(void)
{
	run_sql("DELETE FROM flowrra_schedules");
	run_sql("DELETE FROM flowrra_fires");
	if (!bench.sqlite)
		run_sql("VACUUM");
	redis_server_run(bench.redis, "FLUSHALL");
}

/* --- wake-ups ----------------------------------------------------------- */

static void
fire(const struct schedule *s, struct schedule_verdict *v, void *arg)
{
	const struct schedule_fire f = {
	    .fire_us = s->next_run_us, .queue = "io", .body = "{}"};

	if (schedule_fire_add(v, &f) != 0)
		errx(1, "out of memory");
	v->next.next_run_us = v->next.due_us = s->next_run_us + S;
	v->runs++;
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The median in ms, all schedules but one being due later. */
static double
wake_ms(void)
{
	struct schedules_claim claim = {.limit = 1000, .decide = fire};
	struct schedules_claimed got;
	struct schedule_mark mark;
	struct err err = ERR_INIT;
	static double ms[WAKES];
	int64_t begin, due;
	int i;

	for (i = 0; i < WAKES; i++) {
		begin = clock_mono_us();
		must(schedules_next_due(bench.db, &due, &err), &err);
		claim.now_us = due;
		must(schedules_claim(bench.db, &claim, &got, &err), &err);
		if (got.n != 1)
			errx(1, "%zu schedules were claimed", got.n);
		mark = (struct schedule_mark){
		    .schedule = got.fires->items[0].schedule,
		    .fire_us = got.fires->items[0].fire_us};
		must(schedules_mark(bench.db, &mark, 1, due, &err), &err);
		schedules_fires_free(got.fires);
		ms[i] = (double)(clock_mono_us() - begin) / 1000;
	}
	qsort(ms, WAKES, sizeof(*ms), compare);
	return ms[WAKES / 2];
}

static void
measure_wake(void)
{
	static const int sizes[] = {FEW, MANY};
	double ms[2];
	int i;

	for (i = 0; i < 2; i++) {
		create("m", "1s", 1000 * S);
		create("k", "1s", 1000000 * S);
		copy("k", sizes[i], S);
		ms[i] = wake_ms();
		remove_all();
	}
	printf("  wake-up   %.2f ms with %d schedules, %.2f ms with %d\n",
	       ms[0], FEW, ms[1], MANY);
}

/* --- the daemon --------------------------------------------------------- */

static void
start_beat(void)
{
	const char *build = getenv("BUILD_DIR");
	char path[512];

	snprintf(path, sizeof(path), "%s/bin/flowrra-beat",
		 build != NULL ? build : "build/release");
	if ((bench.beat = fork()) < 0)
		err(1, "fork");
	if (bench.beat == 0) {
		setenv("FLOWRRA_BROKER_URL", redis_server_unix_url(bench.redis),
		       1);
		setenv("FLOWRRA_SCHEDULER_DATABASE_URL", bench.url, 1);
		setenv("FLOWRRA_WORKER_LOG_LEVEL", "warning", 0);
		execl(path, path, (char *)NULL);
		err(1, "%s", path);
	}
}

static void
stop_beat(void)
{
	kill(bench.beat, SIGTERM);
	waitpid(bench.beat, NULL, 0);
}

/* Whether the daemon that was started last has said that it lives. */
static bool
beat_lives(void)
{
	struct schedules_stats *stats;
	struct err why = ERR_INIT;
	bool found = false;
	size_t i;

	must(schedules_stats(bench.db, NULL, clock_wall_us(), &stats, &why),
	     &why);
	for (i = 0; i < stats->n_schedulers; i++)
		found = found || stats->schedulers[i].pid == bench.beat;
	schedules_stats_free(stats);
	return found;
}

static void
await_beat(void)
{
	const int64_t end_us = clock_wall_us() + 30 * S;

	while (!beat_lives()) {
		if (clock_wall_us() > end_us)
			errx(1, "the scheduler does not say that it lives");
		usleep(10000);
	}
}

static long long
enqueued(void)
{
	struct redisReply *r =
	    redis_server_command(bench.redis, "LLEN flowrra:queue:io");
	const long long n = r->integer;

	freeReplyObject(r);
	return n;
}

/* All but the first, in no time: nobody is told yet. */
static void
make_due(int64_t due_us)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
		 "UPDATE flowrra_schedules SET start_us = %" PRId64
		 ", next_run_us = %" PRId64 ", due_us = %" PRId64
		 " WHERE id <> 'm'",
		 due_us, due_us, due_us);
	run_sql(sql);
}

static double
burst_ms(void)
{
	int64_t due;

	create("m", "1h", 4000000000 * S);
	copy("m", BURST, 0);
	start_beat();
	await_beat();
	due = clock_wall_us() + 2 * S;
	make_due(due);
	create("k", "1h", due); /* tells the scheduler */
	while (enqueued() < BURST + 1) {
		if (clock_wall_us() > due + 30 * S)
			errx(1, "only %lld are there", enqueued());
		usleep(2000); /* looking takes time from what is measured */
	}
	return (double)(clock_wall_us() - due) / 1000;
}

static void
measure_burst(void)
{
	double ms[BURSTS];
	int i;

	for (i = 0; i < BURSTS; i++) {
		ms[i] = burst_ms();
		stop_beat();
		remove_all();
	}
	qsort(ms, BURSTS, sizeof(*ms), compare);
	printf("  burst     the last of %d after %.0f ms (median; worst %.0f; "
	       "target %d)\n",
	       BURST, ms[BURSTS / 2], ms[BURSTS - 1], TARGET_BURST_MS);
}

/* "…:20261123T090000.250000Z" */
static int64_t
fire_of(const char *id)
{
	const char *at = strrchr(id, ':');
	struct tm tm = {0};
	int us = 0;

	if (at == NULL ||
	    sscanf(at, ":%4d%2d%2dT%2d%2d%2d.%6d", &tm.tm_year, &tm.tm_mon,
		   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &us) < 6)
		errx(1, "%s is not a fire's id", id);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return timegm(&tm) * S + us;
}

/* How late the next task is when it can be taken. */
static double
tick_ms(void)
{
	struct redisReply *r =
	    redis_server_command(bench.redis, "BRPOP flowrra:queue:io 10");
	const int64_t now = clock_wall_us();
	double ms;
	char *id;

	if (r->type != REDIS_REPLY_ARRAY ||
	    (id = strstr(r->element[1]->str, "\"id\"")) == NULL)
		errx(1, "nothing fires");
	id = strtok(strchr(id + 4, '"') + 1, "\"");
	ms = (double)(now - fire_of(id)) / 1000;
	freeReplyObject(r);
	return ms;
}

static void
measure_idle(void)
{
	const int64_t begin = clock_wall_us() + S;
	static double ms[TICKS];
	char id[16];
	int i;

	start_beat();
	for (i = 0; i < 10; i++) {
		snprintf(id, sizeof(id), "x%d", i);
		create(id, i % 2 ? "1s" : "1001ms", begin + i * 97000);
		/* So that they are not taken for the same. */
		run_sql("UPDATE flowrra_schedules SET identity = id");
	}
	/* The first fire is not measured: it may find the daemon starting. */
	tick_ms();
	redis_server_run(bench.redis, "FLUSHALL");
	for (i = 0; i < TICKS; i++)
		ms[i] = tick_ms();
	stop_beat();
	remove_all();
	qsort(ms, TICKS, sizeof(*ms), compare);
	printf("  idle      enqueued - due: p50 %.1f ms, p99 %.1f ms (target "
	       "%d)\n",
	       ms[TICKS / 2], ms[TICKS * 99 / 100], TARGET_P99_MS);
}

/* --- all ---------------------------------------------------------------- */

static void
measure(const char *name)
{
	bench.sqlite = strcmp(name, "sqlite") == 0;
	printf("%s\n", name);
	open_database();
	measure_idle();
	fflush(stdout);
	measure_burst();
	fflush(stdout);
	measure_wake();
	fflush(stdout);
	close_database();
}

int
main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		measure(argv[i]);
	if (argc == 1) {
		measure("sqlite");
		measure("postgresql");
	}
	return 0;
}
