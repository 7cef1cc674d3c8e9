/* SPDX-License-Identifier: MIT */
/* What schedules.h promises when something goes wrong, for each database. */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schedules/db.h"
#include "schedules/handle.h"
#include "schedules/schema.h"
#include "suite.h"
#include "util/clock.h"
#include "world.h"

/* --- several processes --------------------------------------------------- */

#define SCHEDULES 300
#define FIRES 3
#define CLAIMERS 4

/* Claims until nothing is due, and writes a line for each fire. */
static void
claim_all(struct world *w, int fd)
{
	struct schedules_claimed claimed;
	int64_t period = 1000000, due;
	size_t i;

	do {
		world_claim(w, FIRES * period, 7, &period, &claimed);
		for (i = 0; i < claimed.fires->n; i++)
			ck_assert_int_gt(
			    dprintf(fd, "%s\n",
				    claimed.fires->items[i].task_id),
			    0);
		schedules_fires_free(claimed.fires);
		OK(w, schedules_next_due(w->schedules, &due, &w->err));
	} while (due <= FIRES * period);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The file has `n` lines, no two of them the same. */
static void
check_lines(FILE *file, size_t n)
{
	char **lines = calloc(n + 1, sizeof(*lines));
	size_t i, cap, count = 0;

	rewind(file);
	for (; count <= n; count++) {
		cap = 0;
		if (getline(&lines[count], &cap, file) < 0) {
			free(lines[count]);
			break;
		}
	}
	ck_assert_uint_eq(count, n);
	qsort(lines, count, sizeof(*lines), compare);
	for (i = 1; i < count; i++)
		ck_assert_str_ne(lines[i - 1], lines[i]);
	for (i = 0; i < count; i++)
		free(lines[i]);
	free(lines);
}

START_TEST(each_fire_is_claimed_by_one_process_only)
{
	FILE *file = tmpfile();
	pid_t pids[CLAIMERS];
	struct world w;
	int i;

	world_open(&w, _i);
	for (i = 0; i < SCHEDULES; i++)
		world_create(&w, i, 1000000 - i);
	for (i = 0; i < CLAIMERS; i++)
		pids[i] = world_fork(&w, claim_all, fileno(file));
	for (i = 0; i < CLAIMERS; i++)
		ck_assert_int_eq(world_reap(pids[i]), 0);
	/* The first at 1 s or before, then one a second. */
	check_lines(file, (SCHEDULES - 1) * FIRES + FIRES);
	fclose(file);
	world_close(&w);
}
END_TEST

static void
create_identical(struct world *w, int fd)
{
	const struct schedule schedule = {
	    .task = "add", .rule = "1", .settings = TASK_SETTINGS_UNSET};
	char id[SCHEDULE_ID_MAX + 1];
	bool existing;

	OK(w, schedules_create(w->schedules, &schedule, 1, id, &existing,
			       &w->err));
	ck_assert_int_gt(dprintf(fd, "%s\n", id), 0);
}

/* Also on an empty database: all of them find that there is no schema. */
START_TEST(several_processes_create_the_schema_and_one_identical_schedule)
{
	FILE *file = tmpfile();
	char line[2][80];
	pid_t pids[CLAIMERS];
	struct world w;
	int i;

	world_open(&w, _i);
	for (i = 0; i < CLAIMERS; i++)
		pids[i] = world_fork(&w, create_identical, fileno(file));
	for (i = 0; i < CLAIMERS; i++)
		ck_assert_int_eq(world_reap(pids[i]), 0);
	rewind(file);
	ck_assert_ptr_nonnull(fgets(line[0], sizeof(line[0]), file));
	for (i = 1; i < CLAIMERS; i++) {
		ck_assert_ptr_nonnull(fgets(line[1], sizeof(line[1]), file));
		ck_assert_str_eq(line[0], line[1]);
	}
	fclose(file);
	world_close(&w);
}
END_TEST

/* --- killed -------------------------------------------------------------- */

static void
decide_and_die(const struct schedule *schedule,
	       struct schedule_verdict *verdict, void *arg)
{
	int *left = arg;

	world_decide(schedule, verdict, NULL);
	if (--*left == 0)
		kill(getpid(), SIGKILL);
}

static void
claim_and_die(struct world *w, int n)
{
	const struct schedules_claim claim = {
	    .now_us = 1000, .limit = 10, .decide = decide_and_die, .arg = &n};
	struct schedules_claimed claimed;

	schedules_claim(w->schedules, &claim, &claimed, NULL);
}

START_TEST(a_process_killed_in_its_transaction_leaves_all_to_the_others)
{
	struct schedules_claimed claimed;
	struct schedules_fires *fires;
	struct world w;
	int i;

	world_open(&w, _i);
	for (i = 1; i <= 5; i++)
		world_create(&w, i, 1000);
	for (i = 1; i <= 5; i += 2)
		ck_assert_int_eq(
		    WTERMSIG(world_reap(world_fork(&w, claim_and_die, i))),
		    SIGKILL);
	OK(&w, schedules_unsent(w.schedules, INT64_MAX, 10, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 0);
	schedules_fires_free(fires);
	/* The server may take a moment to see that the process is gone. */
	for (i = 0; i < 5;) {
		world_claim(&w, 1000, 10, NULL, &claimed);
		i += (int)claimed.fires->n;
		schedules_fires_free(claimed.fires);
	}
	OK(&w, schedules_unsent(w.schedules, INT64_MAX, 10, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 5);
	schedules_fires_free(fires);
	world_close(&w);
}
END_TEST

static void
claim_and_be_killed(struct world *w, int fd)
{
	struct schedules_claimed claimed;

	world_claim(w, 1000, 10, NULL, &claimed);
	kill(getpid(), SIGKILL);
}

START_TEST(a_process_killed_before_it_sends_leaves_its_fires_in_the_outbox)
{
	struct schedules_fires *fires;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_reap(world_fork(&w, claim_and_be_killed, -1));
	OK(&w, schedules_unsent(w.schedules, 1001, 10, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 1);
	ck_assert_str_eq(fires->items[0].task_id, "s1:19700101T000000.001000Z");
	schedules_fires_free(fires);
	world_close(&w);
}
END_TEST

/* --- the database is away ------------------------------------------------ */

START_TEST(a_server_that_went_away_is_used_again_when_it_is_back)
{
	struct world w;
	int64_t due;

	/* Not SQLite: there is no server. */
	world_open_alone(&w, _i);
	world_create(&w, 1, 1000);
	sql_server_kill(w.server);
	ck_assert_int_eq(schedules_next_due(w.schedules, &due, &w.err), -1);
	ck_assert(schedules_transient(&w.err));
	ck_assert_ptr_null(strstr(w.err.msg, "secret"));
	ck_assert_int_eq(schedules_next_due(w.schedules, &due, &w.err), -1);
	ck_assert(schedules_transient(&w.err));
	sql_server_restart(w.server);
	OK(&w, schedules_next_due(w.schedules, &due, &w.err));
	ck_assert_int_eq(due, 1000);
	world_close(&w);
	sql_server_stop(w.server);
}
END_TEST

/* Whom the server does not know, whatever the password. */
START_TEST(who_is_not_let_in_is_refused_and_a_missing_database_is_named)
{
	static const struct {
		const char *from, *to, *why;
		enum err_code code;
	} urls[] = {
	    {"//flowrra:secret@", "//stranger:sesame@",
	     " (see user and password)", ERR_REFUSED},
	    {"@/", "@/nowhere_", " (create it)", ERR_CONFIG},
	};
	struct schedules_options options = {0};
	struct world w;
	struct schedules *s;
	struct err err = ERR_INIT;
	char url[512], *at;
	int64_t due;
	size_t i;

	world_open(&w, _i);
	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		/* MariaDB tells those apart from others by no right. */
		if (i == 1 && _i == WORLD_MARIADB)
			break;
		at = strstr(w.url, urls[i].from);
		ck_assert_ptr_nonnull(at);
		snprintf(url, sizeof(url), "%.*s%s%s", (int)(at - w.url), w.url,
			 urls[i].to, at + strlen(urls[i].from));
		options.url = url;
		s = schedules_open(&options, &err);
		ck_assert_ptr_nonnull(s);
		ck_assert_int_ne(schedules_next_due(s, &due, &err), 0);
		ck_assert_msg(err.code == urls[i].code, "%s", err.msg);
		ck_assert_msg(strstr(err.msg, urls[i].why) != NULL, "%s",
			      err.msg);
		ck_assert_ptr_null(strstr(err.msg, "sesame"));
		ck_assert_ptr_null(strstr(err.msg, "28000"));
		schedules_close(s);
	}
	world_close(&w);
}
END_TEST

START_TEST(a_server_that_does_not_answer_costs_no_more_than_the_timeout)
{
	int64_t due, start;
	struct schedules *s;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	s = world_another(&w, 1000);
	OK(&w, schedules_next_due(s, &due, &w.err));
	sql_server_pause(w.server);
	start = clock_mono_ms();
	ck_assert_int_eq(schedules_next_due(s, &due, &w.err), -1);
	ck_assert(schedules_transient(&w.err));
	ck_assert_int_ge(clock_mono_ms() - start, 900);
	ck_assert_int_lt(clock_mono_ms() - start, 10000);
	sql_server_continue(w.server);
	OK(&w, schedules_next_due(s, &due, &w.err));
	schedules_close(s);
	world_close(&w);
}
END_TEST

static void
hold_lock(const struct schedule *schedule, struct schedule_verdict *verdict,
	  void *arg)
{
	struct world *w = arg;
	struct schedules *s = world_another(w, 1000);
	struct schedules_claimed claimed;
	const struct schedules_claim claim = {
	    .now_us = 1000, .limit = 9, .decide = world_decide};
	int result;

	world_decide(schedule, verdict, NULL);
	/* SQLite has one lock for all; the others pass over what is locked. */
	result = schedules_claim(s, &claim, &claimed, &w->err);
	if (w->kind == WORLD_SQLITE) {
		ck_assert_int_eq(result, -1);
		ck_assert(schedules_transient(&w->err));
	} else {
		OK(w, result);
		ck_assert_uint_eq(claimed.n, 0);
		schedules_fires_free(claimed.fires);
	}
	schedules_close(s);
}

START_TEST(what_another_one_has_locked_is_passed_over)
{
	struct schedules_claimed claimed;
	struct schedules_claim claim = {
	    .now_us = 1000, .limit = 9, .decide = hold_lock, .arg = NULL};
	struct world w;

	world_open(&w, _i);
	claim.arg = &w;
	world_create(&w, 1, 1000);
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	ck_assert_uint_eq(claimed.fires->n, 1);
	schedules_fires_free(claimed.fires);
	world_close(&w);
}
END_TEST

/* To root, no file is read-only. */
static void
make_read_only(struct world *w, bool on)
{
	char *command;
	int n;

	if (w->kind == WORLD_MARIADB) {
		world_run(w, "SET GLOBAL read_only = %d", on);
		return;
	}
	if (w->kind == WORLD_POSTGRESQL)
		n = asprintf(&command,
			     "ALTER DATABASE %s SET"
			     " default_transaction_read_only = %s",
			     w->database, on ? "on" : "off");
	else
		n = asprintf(&command, "chown -R nobody: %s", w->dir);
	ck_assert_int_gt(n, 0);
	if (w->kind == WORLD_POSTGRESQL) {
		sql_server_run(w->server, NULL, command);
	} else {
		if (geteuid() == 0) {
			ck_assert_int_eq(system(command), 0);
			ck_assert_int_eq(setuid(getpwnam("nobody")->pw_uid), 0);
		}
		ck_assert_int_eq(
		    chmod(w->url + strlen("sqlite://"), on ? 0400 : 0600), 0);
	}
	free(command);
}

START_TEST(a_read_only_database_is_told_of_and_used_when_it_is_writable)
{
	struct schedules_claimed claimed;
	const struct schedules_claim claim = {
	    .now_us = 1000, .limit = 9, .decide = world_decide};
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	schedules_disconnect(w.schedules);
	make_read_only(&w, true);
	ck_assert_int_eq(schedules_claim(w.schedules, &claim, &claimed, &w.err),
			 -1);
	ck_assert(schedules_transient(&w.err));
	ck_assert_msg(strstr(w.err.msg, "read-only") != NULL, "%s", w.err.msg);
	make_read_only(&w, false);
	schedules_disconnect(w.schedules);
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	ck_assert_uint_eq(claimed.fires->n, 1);
	schedules_fires_free(claimed.fires);
	world_close(&w);
}
END_TEST

/* --- bad data ------------------------------------------------------------ */

START_TEST(a_schedule_with_bad_data_is_set_aside_and_the_others_fire)
{
	struct schedules_claimed claimed;
	struct schedules_list *list;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_create(&w, 2, 1000);
	world_create(&w, 3, 1000);
	world_run(&w, "UPDATE flowrra_schedules SET type = 'junk'"
		      " WHERE id = 's1'");
	world_run(&w, "UPDATE flowrra_schedules SET enabled = 7, runs = -5"
		      " WHERE id = 's2'");
	world_claim(&w, 1000, 9, NULL, &claimed);
	ck_assert_uint_eq(claimed.n, 3);
	ck_assert_uint_eq(claimed.set_aside, 2);
	ck_assert_uint_eq(claimed.fires->n, 1);
	ck_assert_str_eq(claimed.fires->items[0].schedule, "s3");
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_list(w.schedules, NULL, &list, &w.err));
	ck_assert_uint_eq(list->n, 3);
	ck_assert_str_eq(list->items[0].fault,
			 "bad data: its type in the database is not valid");
	ck_assert_str_eq(list->items[1].fault,
			 "bad data: its enabled in the database is not valid");
	ck_assert_str_eq(list->items[2].fault, "");
	schedules_list_free(list);
	world_claim(&w, 1000, 9, NULL, &claimed);
	ck_assert_uint_eq(claimed.n, 0);
	schedules_fires_free(claimed.fires);
	world_close(&w);
}
END_TEST

/* --- the schema ---------------------------------------------------------- */

START_TEST(a_newer_schema_is_refused_with_both_versions)
{
	char ours[40];
	struct world w;
	int64_t due;

	world_open(&w, _i);
	OK(&w, schedules_connect(w.schedules, &w.err));
	snprintf(ours, sizeof(ours), "supports version %d;",
		 schedules_schema_version(w.schedules));
	schedules_disconnect(w.schedules);
	world_run(&w, "INSERT INTO flowrra_version (version) VALUES (99)");
	ck_assert_int_eq(schedules_next_due(w.schedules, &due, &w.err), -1);
	ck_assert_int_eq(w.err.code, ERR_CONFIG);
	ck_assert(!schedules_transient(&w.err));
	ck_assert_msg(strstr(w.err.msg, "version 99,") != NULL, "%s",
		      w.err.msg);
	ck_assert_msg(strstr(w.err.msg, ours) != NULL, "%s", w.err.msg);
	world_close(&w);
}
END_TEST

#define VERSIONS_MAX 20

START_TEST(each_older_schema_is_brought_up_to_date)
{
	static migration next[] = {
	    {"CREATE TABLE flowrra_next (n integer PRIMARY KEY)"},
	    {"INSERT INTO flowrra_next (n) VALUES (41)",
	     "UPDATE flowrra_next SET n = n + 1"},
	};
	migration *all = calloc(VERSIONS_MAX, sizeof(*all));
	struct dialect sql;
	struct world w;
	size_t from, own;
	struct db *db;
	char *answer;

	world_open(&w, _i);
	db = w.schedules->db;
	sql = *db->sql;
	own = sql.n_migrations;
	memcpy((void *)(uintptr_t)all, sql.migrations, own * sizeof(*all));
	memcpy((void *)(uintptr_t)(all + own), next, sizeof(next));
	sql.migrations = all;
	for (from = own; from <= own + 2; from++) {
		/* The program of version `from`, then the newest. */
		if (from > own)
			OK(&w, schedules_connect(w.schedules, &w.err));
		else
			OK(&w, db_enter(db, &w.err));
		sql.n_migrations = from;
		OK(&w, schema_update(db, &sql, &w.err));
		sql.n_migrations = own + 2;
		OK(&w, schema_update(db, &sql, &w.err));
		OK(&w, schema_update(db, &sql, &w.err));
		answer = world_ask(&w, "SELECT n FROM flowrra_next");
		ck_assert_str_eq(answer, "42\n");
		free(answer);
		answer = world_ask(&w, "SELECT count(*) FROM flowrra_version");
		ck_assert_int_eq(atoi(answer), (int)own + 2);
		free(answer);
		world_run(&w, "DROP TABLE flowrra_next");
		world_run(&w, "DELETE FROM flowrra_version WHERE version > %d",
			  (int)own);
	}
	free((void *)(uintptr_t)all);
	world_close(&w);
}
END_TEST

START_TEST(schedules_of_the_first_schema_leave_new_settings_to_the_module)
{
	const struct dialect *newest;
	struct dialect first;
	struct schedules_list *list;
	const struct schedule *s;
	struct world w;

	world_open(&w, _i);
	newest = w.schedules->db->sql;
	first = *newest;
	first.n_migrations = 1;
	w.schedules->db->sql = &first;
	OK(&w, schedules_connect(w.schedules, &w.err));
	world_run(&w, "INSERT INTO flowrra_schedules (id, identity, task, type,"
		      " rule, tz, args, kwargs, queue, description, enabled,"
		      " max_retries, retry_delay_us, priority, misfire,"
		      " max_catchup, grace_us, overlap, jitter_us, day_match,"
		      " start_us, end_us, max_runs, created_us, updated_us,"
		      " last_run_us, next_run_us, due_us, runs, tz_data, fault)"
		      " VALUES ('old', 'i', 'add', 'interval', '60s', '',"
		      " '[]', '{}', '', '', 1, 7, -1, 0, 'once', 0, -1,"
		      " 'allow', 0, 'or', 0, 0, 0, 1, 1, 0, 9, 9, 0, '', '')");
	schedules_disconnect(w.schedules);
	w.schedules->db->sql = newest;
	OK(&w, schedules_get(w.schedules, "old", &list, &w.err));
	s = &list->items[0];
	ck_assert_str_eq(s->fault, "");
	ck_assert_int_eq(s->settings.max_retries, 7);
	ck_assert_int_eq(s->settings.retry.delay_us, TASK_UNSET);
	ck_assert(s->settings.retry.backoff == TASK_UNSET);
	ck_assert_int_eq(s->settings.retry.delay_max_us, TASK_UNSET);
	ck_assert(s->settings.retry.jitter == TASK_UNSET);
	ck_assert_int_eq(s->settings.timeout_us, TASK_UNSET);
	ck_assert_int_eq(s->expires_us, 0);
	schedules_list_free(list);
	/* Where a migration is no transaction, it may be repeated. */
	if (_i == WORLD_MARIADB) {
		world_run(&w, "DELETE FROM flowrra_version WHERE version >= 2");
		schedules_disconnect(w.schedules);
		OK(&w, schedules_connect(w.schedules, &w.err));
	}
	world_close(&w);
}
END_TEST

START_TEST(a_migration_that_fails_leaves_the_version_as_it_was)
{
	static migration all[] = {
	    {"CREATE TABLE flowrra_one (n integer PRIMARY KEY)"},
	    {"CREATE TABLE flowrra_two (n integer PRIMARY KEY)",
	     "INSERT INTO nowhere (n) VALUES (1)"},
	};
	struct dialect sql;
	struct world w;
	char *answer;

	world_open(&w, _i);
	sql = *w.schedules->db->sql;
	sql.migrations = all;
	sql.n_migrations = 1;
	w.schedules->db->sql = &sql;
	OK(&w, schedules_connect(w.schedules, &w.err));
	sql.n_migrations = 2;
	ck_assert_int_eq(schema_update(w.schedules->db, &sql, &w.err), -1);
	answer = world_ask(&w, "SELECT max(version) FROM flowrra_version");
	ck_assert_str_eq(answer, "1\n");
	free(answer);
	world_close(&w);
}
END_TEST

SUITE("schedules_faults")
{
	SUITE_TIMEOUT(90);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(each_fire_is_claimed_by_one_process_only, 0, N_WORLDS);
	TEST_LOOP(
	    several_processes_create_the_schema_and_one_identical_schedule, 0,
	    N_WORLDS);
	TEST_LOOP(a_process_killed_in_its_transaction_leaves_all_to_the_others,
		  0, N_WORLDS);
	TEST_LOOP(
	    a_process_killed_before_it_sends_leaves_its_fires_in_the_outbox, 0,
	    N_WORLDS);
	TEST_LOOP(what_another_one_has_locked_is_passed_over, 0, N_WORLDS);
	TEST_LOOP(who_is_not_let_in_is_refused_and_a_missing_database_is_named,
		  WORLD_POSTGRESQL, N_WORLDS);
	TEST_LOOP(a_server_that_does_not_answer_costs_no_more_than_the_timeout,
		  WORLD_POSTGRESQL, N_WORLDS);
	TEST_LOOP(a_read_only_database_is_told_of_and_used_when_it_is_writable,
		  0, N_WORLDS);
	TEST_LOOP(a_schedule_with_bad_data_is_set_aside_and_the_others_fire, 0,
		  N_WORLDS);
	TEST_LOOP(a_newer_schema_is_refused_with_both_versions, 0, N_WORLDS);
	TEST_LOOP(each_older_schema_is_brought_up_to_date, 0, N_WORLDS);
	TEST_LOOP(
	    schedules_of_the_first_schema_leave_new_settings_to_the_module, 0,
	    N_WORLDS);
	TEST_LOOP(a_migration_that_fails_leaves_the_version_as_it_was, 0,
		  N_WORLDS);
	TEST_LOOP(a_server_that_went_away_is_used_again_when_it_is_back,
		  WORLD_POSTGRESQL, N_WORLDS);
}
