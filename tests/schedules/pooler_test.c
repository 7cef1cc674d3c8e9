/* SPDX-License-Identifier: MIT */
/*
 * A connection pooler before PostgreSQL that gives each transaction another
 * session (PgBouncer), and what libpq would say by itself. That all else is as
 * without a pooler, the other suites show: they have it as a fourth database.
 */
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schedules/claim.h"
#include "schedules/schedules.h"
#include "suite.h"
#include "util/clock.h"
#include "world.h"

static PGconn *
connect_to(const char *url)
{
	PGconn *pg = PQconnectdb(url);

	ck_assert_msg(PQstatus(pg) == CONNECTION_OK, "%s", PQerrorMessage(pg));
	return pg;
}

/* The first value of the answer; free() it. */
static char *
ask_one(PGconn *pg, const char *sql)
{
	PGresult *result = PQexec(pg, sql);
	char *value;

	ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s: %s", sql,
		      PQerrorMessage(pg));
	value = strdup(PQgetvalue(result, 0, 0));
	PQclear(result);
	return value;
}

static void
assert_one(PGconn *pg, const char *sql, const char *expected)
{
	char *value = ask_one(pg, sql);

	ck_assert_msg(strcmp(value, expected) == 0, "%s: %s", sql, value);
	free(value);
}

/* Holds two sessions at the same time, so that both are looked at. */
static void
assert_untouched(const char *url)
{
	PGconn *clients[2] = {connect_to(url), connect_to(url)};
	char *pids[2];
	int i;

	for (i = 0; i < 2; i++) {
		PQclear(PQexec(clients[i], "BEGIN"));
		pids[i] = ask_one(clients[i], "SELECT pg_backend_pid()");
	}
	ck_assert_str_ne(pids[0], pids[1]);
	for (i = 0; i < 2; i++) {
		assert_one(clients[i], "SHOW statement_timeout", "0");
		assert_one(clients[i], "SHOW lock_timeout", "0");
		assert_one(clients[i], "SHOW jit", "on");
		assert_one(clients[i], "SHOW client_min_messages", "notice");
		assert_one(clients[i],
			   "SHOW idle_in_transaction_session_timeout", "0");
		assert_one(clients[i],
			   "SELECT count(*) FROM pg_prepared_statements", "0");
		assert_one(clients[i],
			   "SELECT count(*) FROM pg_listening_channels()", "0");
		free(pids[i]);
	}
	for (i = 0; i < 2; i++)
		PQfinish(clients[i]);
}

/* Within a claim, which holds one session: another handle needs the next. */
static void
create_meanwhile(const struct schedule *schedule,
		 struct schedule_verdict *verdict, void *arg)
{
	struct world *w = arg, other = *w;
	char *timeout;

	world_decide(schedule, verdict, NULL);
	other.schedules = world_another(w, 0);
	world_create(&other, 2, 2000);
	schedules_close(other.schedules);
	/* The claim itself is bounded by the server. */
	timeout = world_ask(w, "SELECT count(*) FROM pg_stat_activity"
			       " WHERE datname = current_database()"
			       " AND state = 'idle in transaction'");
	ck_assert_str_eq(timeout, "1\n");
	free(timeout);
}

START_TEST(sessions_change_under_a_client_and_nothing_stays_in_them)
{
	struct schedules_claim claim = {
	    .now_us = 1000, .limit = 9, .decide = create_meanwhile};
	struct schedules_claimed claimed;
	struct schedules_list *list;
	struct world w;
	bool changed;
	int i;

	world_open(&w, WORLD_POOLED);
	claim.arg = &w;
	world_create(&w, 1, 1000);
	OK(&w, schedules_changed(w.schedules, &changed, &w.err));
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	ck_assert_uint_eq(claimed.fires->n, 1);
	schedules_fires_free(claimed.fires);
	for (i = 0; i < 10; i++) {
		OK(&w, schedules_list(w.schedules, NULL, &list, &w.err));
		ck_assert_uint_eq(list->n, 2);
		schedules_list_free(list);
		claim.decide = world_decide;
		claim.now_us = 2000;
		OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
		schedules_fires_free(claimed.fires);
	}
	assert_untouched(w.url);
	world_close(&w);
}
END_TEST

/* A table that somebody has locked: the server ends the statement in the
 * transaction, though its session has no such setting. */
START_TEST(a_transaction_through_a_pooler_has_its_deadline_in_the_server)
{
	char *waiting;
	PGconn *locker;
	struct world w;
	int64_t end;

	world_open(&w, WORLD_POOLED);
	world_create(&w, 1, 1000);
	schedules_close(w.schedules);
	w.schedules = world_another(&w, 1000);
	locker = connect_to(w.url);
	PQclear(PQexec(locker, "BEGIN"));
	PQclear(PQexec(locker, "LOCK TABLE flowrra_schedules"
			       " IN ACCESS EXCLUSIVE MODE"));
	ck_assert_int_eq(schedules_disable(w.schedules, "s1", 9, &w.err), -1);
	ck_assert_msg(schedules_transient(&w.err), "%s", w.err.msg);
	for (end = clock_mono_ms() + 10000;;) {
		waiting = world_ask(&w, "SELECT count(*) FROM pg_locks"
					" WHERE NOT granted");
		if (strcmp(waiting, "0\n") == 0)
			break;
		free(waiting);
		ck_assert_int_lt(clock_mono_ms(), end);
		usleep(10000);
	}
	free(waiting);
	PQfinish(locker);
	OK(&w, schedules_disable(w.schedules, "s1", 9, &w.err));
	world_close(&w);
}
END_TEST

/* --- what is said ---------------------------------------------------------- */

/* Standard error goes into a file from now on; the test's process ends soon. */
static int
catch_log(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
	return fd;
}

static const char *
caught(int fd)
{
	static char text[4096];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return text;
}

START_TEST(who_waits_behind_a_pooler_is_told_that_changes_are_looked_for)
{
	enum schedules_woken woken;
	const char *said;
	struct world w;
	int fd;

	world_open(&w, WORLD_POOLED);
	fd = catch_log();
	OK(&w, schedules_wait(w.schedules, -1, -1, &woken, &w.err));
	ck_assert_int_eq(woken, SCHEDULES_CHANGED);
	OK(&w, schedules_wait(w.schedules, -1, 1, &woken, &w.err));
	ck_assert_int_eq(woken, SCHEDULES_TIMEOUT);
	ck_assert_int_eq(schedules_fd(w.schedules), -1);
	ck_assert_int_gt(schedules_poll_ms(w.schedules), 0);
	OK(&w, schedules_wait(w.schedules, -1, 15000, &woken, &w.err));
	ck_assert_int_eq(woken, SCHEDULES_CHANGED);
	said = strstr(caught(fd), "a connection pooler is in between");
	ck_assert_msg(said != NULL, "%s", caught(fd));
	ck_assert_ptr_null(strstr(said + 1, "a connection pooler"));
	world_close(&w);
}
END_TEST

/* The server warns at each connection that its collations are others. */
START_TEST(what_libpq_is_told_by_the_server_is_a_line_of_the_log)
{
	const char *line;
	struct world w;
	int64_t due;
	int fd;

	world_open(&w, WORLD_POSTGRESQL);
	world_run(&w, "UPDATE pg_database SET datcollversion = '1'"
		      " WHERE datname = current_database()");
	fd = catch_log();
	OK(&w, schedules_next_due(w.schedules, &due, &w.err));
	line = caught(fd);
	ck_assert_msg(strstr(line, "collation version") != NULL, "%s", line);
	ck_assert_msg(strstr(line, "postgresql://") != NULL, "%s", line);
	ck_assert_ptr_null(strstr(line, "WARNING:"));
	ck_assert_ptr_null(strstr(line, "secret"));
	ck_assert_ptr_eq(strchr(line, '\n') + 1, line + strlen(line));
	world_close(&w);
}
END_TEST

/* --- whom it lets in ------------------------------------------------------- */

static const struct {
	const char *from, *to;
	enum err_code code;
} bad_urls[] = {
    {"flowrra:secret@", "flowrra:sesame@", ERR_REFUSED},
    {"flowrra:secret@", "stranger:sesame@", ERR_REFUSED},
    {"@/t", "@/nowhere_t", ERR_CONFIG},
    {"?", "?options=-cjit%3Doff&", ERR_CONFIG},
};

static void
assert_refused(const char *url, enum err_code code)
{
	const struct schedules_options options = {.url = url};
	struct err err = ERR_INIT;
	struct schedules *s = schedules_open(&options, &err);
	int64_t due;

	ck_assert_msg(s != NULL, "%s", err.msg);
	ck_assert_int_ne(schedules_next_due(s, &due, &err), 0);
	ck_assert_msg(err.code == code, "%s", err.msg);
	ck_assert_ptr_null(strstr(err.msg, "sesame"));
	schedules_close(s);
}

START_TEST(what_a_pooler_refuses_is_an_error_for_a_person)
{
	char url[512];
	const char *at;
	struct world w;

	world_open(&w, WORLD_POOLED);
	at = strstr(w.url, bad_urls[_i].from);
	ck_assert_ptr_nonnull(at);
	snprintf(url, sizeof(url), "%.*s%s%s", (int)(at - w.url), w.url,
		 bad_urls[_i].to, at + strlen(bad_urls[_i].from));
	assert_refused(url, bad_urls[_i].code);
	world_close(&w);
}
END_TEST

START_TEST(a_pooler_of_statements_is_of_no_use_and_told_so)
{
	char *url;
	struct world w;

	world_open(&w, WORLD_POOLED);
	url = sql_server_pool(w.server, "statements");
	assert_refused(url, ERR_CONFIG);
	free(url);
	world_close(&w);
}
END_TEST

SUITE("schedules-pooler")
{
	SUITE_TIMEOUT(60);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST(sessions_change_under_a_client_and_nothing_stays_in_them);
	TEST(a_transaction_through_a_pooler_has_its_deadline_in_the_server);
	TEST(who_waits_behind_a_pooler_is_told_that_changes_are_looked_for);
	TEST(what_libpq_is_told_by_the_server_is_a_line_of_the_log);
	TEST_LOOP(what_a_pooler_refuses_is_an_error_for_a_person, 0,
		  sizeof(bad_urls) / sizeof(bad_urls[0]));
	TEST(a_pooler_of_statements_is_of_no_use_and_told_so);
}
