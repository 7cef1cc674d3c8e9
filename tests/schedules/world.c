/* SPDX-License-Identifier: MIT */
/* What the tests of schedules share. */
#include "world.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schedules/claim.h"
#include "util/buf.h"

static struct sql_server *servers[N_WORLDS];

void
world_setup(void)
{
	servers[WORLD_POSTGRESQL] = sql_server_start(SQL_SERVER_POSTGRESQL);
	servers[WORLD_MARIADB] = sql_server_start(SQL_SERVER_MARIADB);
	/* Here, since each test is a process of its own, with which it dies. */
	free(sql_server_pool(servers[WORLD_POSTGRESQL], "any"));
}

void
world_teardown(void)
{
	sql_server_stop(servers[WORLD_POSTGRESQL]);
	sql_server_stop(servers[WORLD_MARIADB]);
}

void
world_open(struct world *w, int kind)
{
	const char *tmp = getenv("TMPDIR");

	const bool pooled = kind == WORLD_POOLED;
	char *direct;

	if (pooled)
		kind = WORLD_POSTGRESQL;
	*w = (struct world){.kind = kind, .server = servers[kind]};
	snprintf(w->database, sizeof(w->database), "t%d", (int)getpid());
	if (kind == WORLD_SQLITE) {
		snprintf(w->dir, sizeof(w->dir), "%s/flowrra-sched-XXXXXX",
			 tmp != NULL ? tmp : "/tmp");
		ck_assert_ptr_nonnull(mkdtemp(w->dir));
		ck_assert_int_gt(
		    asprintf(&w->url, "sqlite://%s/flowrra.db", w->dir), 0);
	} else {
		w->url = sql_server_database(w->server, w->database);
	}
	if (pooled) {
		direct = w->url;
		w->url = sql_server_pool(w->server, w->database);
		free(direct);
	}
	w->schedules = world_another(w, 0);
}

void
world_open_alone(struct world *w, int kind)
{
	struct sql_server *shared = servers[kind];

	servers[kind] =
	    sql_server_start(kind == WORLD_POSTGRESQL ? SQL_SERVER_POSTGRESQL
						      : SQL_SERVER_MARIADB);
	world_open(w, kind);
	servers[kind] = shared;
}

struct schedules *
world_another(const struct world *w, int64_t timeout_ms)
{
	const struct schedules_options options = {.url = w->url,
						  .timeout_ms = timeout_ms};
	struct err err = ERR_INIT;
	struct schedules *s = schedules_open(&options, &err);

	ck_assert_msg(s != NULL, "%s", err.msg);
	return s;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

void
world_close(struct world *w)
{
	schedules_close(w->schedules);
	if (w->kind == WORLD_SQLITE)
		nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w->url);
}

/* --- SQL from outside ---------------------------------------------------- */

static int
on_row(void *arg, int n, char **values, char **names)
{
	int i;

	for (i = 0; i < n; i++)
		buf_addf(arg, "%s%c", values[i] != NULL ? values[i] : "",
			 i + 1 < n ? '|' : '\n');
	return 0;
}

char *
world_ask(struct world *w, const char *sql)
{
	struct buf out = BUF_INIT;
	char *message = NULL;
	sqlite3 *db;

	if (w->kind != WORLD_SQLITE)
		return sql_server_ask(w->server, w->database, sql);
	ck_assert_int_eq(sqlite3_open(w->url + strlen("sqlite://"), &db), 0);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_msg(sqlite3_exec(db, sql, on_row, &out, &message) == 0,
		      "%s: %s", sql, message);
	sqlite3_close(db);
	buf_addc(&out, '\0');
	return buf_take(&out);
}

void
world_run(struct world *w, const char *fmt, ...)
{
	va_list ap;
	char *sql;

	va_start(ap, fmt);
	ck_assert_int_gt(vasprintf(&sql, fmt, ap), 0);
	va_end(ap);
	free(world_ask(w, sql));
	free(sql);
}

/* --- schedules ----------------------------------------------------------- */

void
world_create(struct world *w, int n, int64_t due_us)
{
	char id[16], args[16], ret_id[SCHEDULE_ID_MAX + 1];
	const struct schedule schedule = {
	    .id = id,
	    .task = "add",
	    .type = SCHEDULE_INTERVAL,
	    .rule = "60s",
	    .args = args,
	    .enabled = true,
	    .settings = TASK_SETTINGS_UNSET,
	    .next_run_us = due_us,
	    .due_us = due_us,
	};
	bool existing;

	snprintf(id, sizeof(id), "s%d", n);
	snprintf(args, sizeof(args), "[%d]", n);
	OK(w, schedules_create(w->schedules, &schedule, 1000, ret_id, &existing,
			       &w->err));
	ck_assert(!existing);
	ck_assert_str_eq(ret_id, id);
}

struct schedules_list *
world_get(struct world *w, const char *id)
{
	struct schedules_list *list;

	OK(w, schedules_get(w->schedules, id, &list, &w->err));
	ck_assert_int_eq(list->n, 1);
	return list;
}

/* --- people's calls ------------------------------------------------------ */
const struct schedule world_full = {
    .id = "weekly",
    .task = "report.send",
    .type = SCHEDULE_CRON,
    .rule = "0 9 * * MON-FRI",
    .tz = "Europe/Berlin",
    .args = "[\"w\xc3\xb6"
	    "chentlich\", {\"a\": [1, 2]}]",
    .kwargs = "{\"to\": \"all\"}",
    .queue = "cpu",
    .description = "It's \"quoted\", with a \\ and a ?",
    .enabled = true,
    .settings = {.max_retries = 7,
		 .retry = {.delay_us = 1500000,
			   .backoff = 1.25,
			   .delay_max_us = 3600000000,
			   .jitter = 0.1},
		 .timeout_us = 0},
    .expires_us = 90000000,
    .priority = -3,
    .misfire = SCHEDULE_ALL,
    .max_catchup = 5,
    .grace_us = 60000000,
    .overlap = SCHEDULE_OVERLAP_SKIP,
    .jitter_us = 30000000,
    .day_match = SCHEDULE_DAYS_AND,
    .start_us = 1700000000000000,
    .end_us = 1900000000000000,
    .max_runs = 100,
    .next_run_us = 1800000000000000,
    .due_us = 1800000000000123,
    .tz_data = "2026a",
    .owner = "team",
    .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    .group = "tenant \"7\"",
    .workflow = "",
};

const char *
world_store(struct world *w, const struct schedule *schedule,
	    bool *ret_existing)
{
	static char id[SCHEDULE_ID_MAX + 1];

	OK(w, schedules_create(w->schedules, schedule, 42, id, ret_existing,
			       &w->err));
	return id;
}

void
world_decide(const struct schedule *schedule, struct schedule_verdict *verdict,
	     void *arg)
{
	const int64_t *period = arg;
	const struct schedule_fire fire = {
	    .fire_us = schedule->next_run_us,
	    .queue = "io",
	    .priority = schedule->priority,
	    .body = "{\"kwargs\": {\"a\\\\\\\"b\": \"'{},\xc3\xbc\"}}",
	};

	ck_assert_int_eq(schedule_fire_add(verdict, &fire), 0);
	verdict->last_run_us = schedule->next_run_us;
	verdict->runs++;
	verdict->next.next_run_us =
	    period != NULL ? schedule->next_run_us + *period : 0;
	verdict->next.due_us = verdict->next.next_run_us;
}

void
world_claim(struct world *w, int64_t now_us, size_t limit, int64_t *period,
	    struct schedules_claimed *ret)
{
	const struct schedules_claim claim = {.now_us = now_us,
					      .limit = limit,
					      .decide = world_decide,
					      .arg = period};

	OK(w, schedules_claim(w->schedules, &claim, ret, &w->err));
}

/* --- processes ----------------------------------------------------------- */

pid_t
world_fork(struct world *w, void (*fn)(struct world *w, int fd), int fd)
{
	pid_t pid;

	/* SQLite opens no file in a child whose parent has one open. */
	schedules_disconnect(w->schedules);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	/* The parent's connection is not ours to end. */
	w->schedules = world_another(w, 20000);
	fn(w, fd);
	schedules_close(w->schedules);
	_exit(0);
}

int
world_reap(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}
