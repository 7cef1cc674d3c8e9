/* SPDX-License-Identifier: MIT */
/* A database of an earlier version is brought up to date, with what is in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "store/sqlite/schema.h"
#include "store/stage.h"
#include "suite.h"

static struct stage w;

static void
open_version_1(void)
{
	char *sql = NULL;
	size_t size = 0;
	FILE *f;

	stage_open(&w, KIND_SQLITE);
	ck_assert_ptr_nonnull(f = fopen("tests/sqlite/version-1.sql", "r"));
	ck_assert_int_gt(getdelim(&sql, &size, '\0', f), 0);
	fclose(f);
	stage_sql(&w, sql);
	free(sql);
	ck_assert_int_eq(stage_sql(&w, "PRAGMA user_version"), 1);
}

static bool
has_task(const struct party *p, const char *bytes)
{
	size_t i;

	for (i = 0; i < p->n_claims; i++)
		if (party_has(p, i, bytes))
			return true;
	return false;
}

START_TEST(the_tasks_of_an_earlier_version_are_run)
{
	struct party *worker;

	open_version_1();
	worker = party_open(&w, "host:a");
	ck_assert_int_eq(stage_sql(&w, "PRAGMA user_version"),
			 schema_version());
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 4);
	ck_assert(party_has(worker, 0, "{\"id\":\"taken\"}"));
	ck_assert(worker->claims[0]->recovered);
	ck_assert(party_has(worker, 1, "{\"id\":\"prior\"}"));
	ck_assert(has_task(worker, "{\"id\":\"first\"}"));
	ck_assert(has_task(worker, "{\"id\":\"moved\"}"));
	ck_assert_int_eq(party_submit(worker, "new", "{}", 0, 0), ERR_NONE);
	UNTIL(&w, worker->n_claims == 5);
	party_close(worker);
	stage_close(&w);
}
END_TEST

START_TEST(what_an_earlier_version_left_is_counted)
{
	open_version_1();
	party_close(party_open(&w, NULL));
	ck_assert_int_eq(
	    stage_sql(&w, "SELECT delayed FROM queues WHERE name = 'io'"), 1);
	ck_assert_int_eq(
	    stage_sql(&w, "SELECT dead FROM queues WHERE name = 'io'"), 1);
	ck_assert_int_eq(stage_sql(&w, "SELECT succeeded FROM totals"), 2);
	ck_assert_int_eq(stage_sql(&w, "SELECT failed FROM totals"), 1);
	stage_sql(&w, "DELETE FROM delayed; DELETE FROM dead");
	ck_assert_int_eq(
	    stage_sql(&w, "SELECT sum(delayed) + sum(dead) FROM queues"), 0);
	stage_close(&w);
}
END_TEST

static void
on_page(const struct slice *records, size_t n, struct slice next,
	const struct err *err, void *arg)
{
	char *all = arg;
	size_t i;

	ck_assert_msg(err == NULL, "%s", err ? err->msg : "");
	ck_assert_uint_eq(next.len, 0);
	for (i = 0; i < n; i++)
		sprintf(all + strlen(all), "%.*s;", (int)records[i].len,
			records[i].p);
	strcat(all, ".");
}

START_TEST(what_had_ended_in_an_earlier_version_is_listed)
{
	struct backend *r;
	char all[1024] = "";

	open_version_1();
	r = backend_open(&w);
	results_list(r->results, true, SLICE(""), 10, on_page, all);
	UNTIL(&w, all[0] != '\0');
	ck_assert_str_eq(all, "{\"task_id\":\"dead\",\"status\":\"failed\"};.");
	backend_put(&w, r, "first", "{\"status\":\"success\"}", true, 0);
	all[0] = '\0';
	results_list(r->results, false, SLICE(""), 10, on_page, all);
	UNTIL(&w, all[0] != '\0');
	ck_assert_str_eq(all, "{\"status\":\"success\"};no JSON;"
			      "{\"task_id\":\"done\",\"status\":\"success\"};"
			      ".");
	backend_close(r);
	stage_close(&w);
}
END_TEST

static void
on_state(bool up, bool final, const struct err *why, void *arg)
{
	struct err *told = arg;

	ck_assert(!final);
	if (up)
		told->code = ERR_NONE;
	else
		*told = *why;
}

/* Another process is at it: its lock stands for the time that it takes. */
START_TEST(who_waits_for_an_upgrade_is_told_so)
{
	const struct results_options options = {.on_state = on_state,
						.timeout_ms = 50};
	struct results_options opt = options;
	struct results *r;
	struct err told = ERR_INIT;
	sqlite3 *other;
	int i;

	open_version_1();
	stage_sql(&w, "PRAGMA journal_mode = WAL"); /* as it was left */
	ck_assert_int_eq(sqlite3_open(stage_path(&w), &other), SQLITE_OK);
	ck_assert_int_eq(
	    sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
	    SQLITE_OK);
	opt.base = w.base;
	opt.url = w.url;
	opt.arg = &told;
	ck_assert_ptr_nonnull(r = results_open(&opt, NULL));
	/* Before it waits, and when it has waited too long. */
	for (i = 0; i < 3; i++) {
		told.code = ERR_NONE;
		UNTIL(&w, told.code != ERR_NONE);
		ck_assert_int_eq(told.code, ERR_UNAVAILABLE);
		ck_assert_ptr_nonnull(strstr(told.msg, "upgrading"));
	}
	ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(other);
	UNTIL(&w, results_is_up(r) && told.code == ERR_NONE);
	results_close(r);
	stage_close(&w);
}
END_TEST

SUITE("sqlite-migrate")
{
	TEST(who_waits_for_an_upgrade_is_told_so);
	TEST(the_tasks_of_an_earlier_version_are_run);
	TEST(what_an_earlier_version_left_is_counted);
	TEST(what_had_ended_in_an_earlier_version_is_listed);
}
