/* SPDX-License-Identifier: MIT */
/* Schemas that are older or newer than the program, and migrations, for each
 * database. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schedules/claim.h"
#include "schedules/db.h"
#include "schedules/handle.h"
#include "schedules/health.h"
#include "schedules/schema.h"
#include "suite.h"
#include "world.h"

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

/* The migrations `next` of the test below have been made, each once, and the
 * schema has this version. */
static void
ck_next_is_there(struct world *w, int version)
{
	char *answer = world_ask(w, "SELECT n FROM flowrra_next");

	ck_assert_str_eq(answer, "42\n");
	free(answer);
	answer = world_ask(w, "SELECT count(*) FROM flowrra_version");
	ck_assert_int_eq(atoi(answer), version);
	free(answer);
}

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
		ck_next_is_there(&w, (int)own + 2);
		world_run(&w, "DROP TABLE flowrra_next");
		world_run(&w, "DELETE FROM flowrra_version WHERE version > %d",
			  (int)own);
	}
	free((void *)(uintptr_t)all);
	world_close(&w);
}
END_TEST

/* The columns are those of the first schema. */
static void
insert_old(struct world *w)
{
	world_run(w, "INSERT INTO flowrra_schedules (id, identity, task, type,"
		     " rule, tz, args, kwargs, queue, description, enabled,"
		     " max_retries, retry_delay_us, priority, misfire,"
		     " max_catchup, grace_us, overlap, jitter_us, day_match,"
		     " start_us, end_us, max_runs, created_us, updated_us,"
		     " last_run_us, next_run_us, due_us, runs, tz_data, fault)"
		     " VALUES ('old', 'i', 'add', 'interval', '60s', '',"
		     " '[]', '{}', '', '', 1, 7, -1, 0, 'once', 0, -1,"
		     " 'allow', 0, 'or', 0, 0, 0, 1, 1, 0, 9, 9, 0, '', '')");
}

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
	insert_old(&w);
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
	ck_assert_str_eq(s->traceparent, "");
	ck_assert_str_eq(s->group, "");
	ck_assert_str_eq(s->workflow, "");
	schedules_list_free(list);
	/* Where a migration is not a transaction, it may be repeated. */
	if (_i == WORLD_MARIADB) {
		world_run(&w, "DELETE FROM flowrra_version WHERE version >= 2");
		schedules_disconnect(w.schedules);
		OK(&w, schedules_connect(w.schedules, &w.err));
	}
	world_close(&w);
}
END_TEST

/* As an administrator would run it. */
static void
run_script(const struct world *w, const char *path)
{
	const char *place;
	char command[512];

	place = strstr(w->url, w->kind == WORLD_MARIADB ? "socket=" : "host=");
	ck_assert_ptr_nonnull(place);
	place = strchr(place, '=') + 1;
	snprintf(command, sizeof(command),
		 w->kind == WORLD_MARIADB
		     ? "mariadb --no-defaults --skip-ssl -S %s -u root %s <%s"
		     : "psql -X -q -v ON_ERROR_STOP=1 -h %s -U postgres %s "
		       "-f %s",
		 place, w->database, path);
	ck_assert_int_eq(system(command), 0);
}

static void
print_schema(const struct world *w, const char *path)
{
	FILE *file = fopen(path, "we");
	struct err err = ERR_INIT;

	ck_assert_ptr_nonnull(file);
	ck_assert_msg(schedules_print_schema(w->url, file, &err) == 0, "%s",
		      err.msg);
	fclose(file);
	ck_assert_int_eq(chmod(path, 0644), 0);
}

/* Who may create no table, and has the rights that flowrra-beat(8) names. */
static void
become_narrow(struct world *w)
{
	static const char rights[] = "SELECT, INSERT, UPDATE, DELETE";
	const char *rest = w->url;
	char *url;

	if (w->kind == WORLD_POSTGRESQL) {
		world_run(w, "CREATE ROLE %s_narrow LOGIN PASSWORD 'pw'",
			  w->database);
		world_run(
		    w,
		    "GRANT %s ON flowrra_version, flowrra_schedules,"
		    " flowrra_fires, flowrra_skips, flowrra_skipped_fires,"
		    " flowrra_pruned, flowrra_schedulers TO %s_narrow",
		    rights, w->database);
	} else {
		world_run(w,
			  "CREATE USER %s_narrow@localhost IDENTIFIED BY"
			  " 'pw'",
			  w->database);
		world_run(w, "GRANT %s ON %s.* TO %s_narrow@localhost", rights,
			  w->database, w->database);
	}
	rest = strchr(w->url, '@');
	ck_assert_int_gt(
	    asprintf(&url, "%s://%s_narrow:pw%s",
		     w->kind == WORLD_MARIADB ? "mysql" : "postgresql",
		     w->database, rest),
	    0);
	free(w->url);
	w->url = url;
	schedules_close(w->schedules);
	w->schedules = world_another(w, 0);
}

START_TEST(tables_that_were_made_by_hand_need_no_right_to_make_them)
{
	struct schedules_fires *fires;
	struct schedules_claimed claimed;
	struct schedules_stats *stats;
	char path[] = "/tmp/flowrra-schema-XXXXXX";
	struct schedule_mark mark = {.schedule = "s1", .fire_us = 1000};
	struct world w;
	bool changed;
	size_t n;

	world_open(&w, _i);
	ck_assert_int_ge(close(mkstemp(path)), 0);
	print_schema(&w, path);
	run_script(&w, path);
	unlink(path);
	become_narrow(&w);
	OK(&w, schedules_changed(w.schedules, &changed, &w.err));
	world_create(&w, 1, 1000);
	world_claim(&w, 1000, 9, NULL, &claimed);
	ck_assert_uint_eq(claimed.fires->n, 1);
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_unsent(w.schedules, 2000, 9, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 1);
	schedules_fires_free(fires);
	OK(&w, schedules_mark(w.schedules, &mark, 1, 1001, &w.err));
	OK(&w, schedules_stats(w.schedules, NULL, 9, &stats, &w.err));
	schedules_stats_free(stats);
	OK(&w, schedules_prune(w.schedules, 2000, 9, &n, &w.err));
	ck_assert_uint_eq(n, 1);
	OK(&w, schedules_delete(w.schedules, "s1", &w.err));
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

SUITE("schedules-schema")
{
	SUITE_TIMEOUT(90);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(a_newer_schema_is_refused_with_both_versions, 0, N_WORLDS);
	TEST_LOOP(each_older_schema_is_brought_up_to_date, 0, N_WORLDS);
	TEST_LOOP(
	    schedules_of_the_first_schema_leave_new_settings_to_the_module, 0,
	    N_WORLDS);
	TEST_LOOP(tables_that_were_made_by_hand_need_no_right_to_make_them,
		  WORLD_POSTGRESQL, N_WORLDS);
	TEST_LOOP(a_migration_that_fails_leaves_the_version_as_it_was, 0,
		  N_WORLDS);
}
