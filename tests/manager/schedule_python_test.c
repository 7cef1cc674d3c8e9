/* SPDX-License-Identifier: MIT */
/* The Python package's table, as it makes it in each database. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/planner.h"
#include "manager/schedule_import.h"
#include "manager/schedule_said.h"
#include "suite.h"

/* The columns that differ: id, short text, JSON, a switch, a time, a number. */
static const char *const types[N_WORLDS][6] = {
    {"TEXT", "TEXT", "TEXT", "INTEGER", "TEXT", "REAL"},
    {"TEXT", "TEXT", "JSONB", "BOOLEAN", "TIMESTAMP", "REAL"},
    {"VARCHAR(255)", "VARCHAR(255)", "JSON", "BOOLEAN", "DATETIME", "FLOAT"},
};

static struct schedule_import import;
static struct schedule_file file;
static char refused[1024], noted[1024];

static void
on_refuse(void *arg, int line, const char *text)
{
	snprintf(refused + strlen(refused), sizeof(refused) - strlen(refused),
		 "%d: %s\n", line, text);
}

static void
on_note(void *arg, int line, const char *text)
{
	snprintf(noted + strlen(noted), sizeof(noted) - strlen(noted),
		 "%d: %s\n", line, text);
}

static void
make_table(int kind)
{
	const char *const *t = types[kind];

	world_open(&planner.w, kind);
	/* The package's own database: none of our tables is there. */
	world_run(&planner.w,
		  "CREATE TABLE scheduled_tasks (id %s PRIMARY KEY,"
		  " task_name %s NOT NULL, schedule_type %s NOT NULL,"
		  " schedule TEXT NOT NULL, args %s NOT NULL, kwargs %s NOT"
		  " NULL, enabled %s NOT NULL, last_run_at %s, next_run_at %s,"
		  " created_at %s NOT NULL, updated_at %s NOT NULL,"
		  " description TEXT, max_retries INTEGER NOT NULL DEFAULT 3,"
		  " retry_delay %s NOT NULL DEFAULT 1.0, priority INTEGER NOT"
		  " NULL DEFAULT 0)",
		  t[0], t[1], t[1], t[2], t[2], t[3], t[4], t[4], t[4], t[4],
		  t[5]);
	/* The administrator's it is, and so it is not ours to read. */
	if (kind == WORLD_POSTGRESQL)
		world_run(&planner.w,
			  "GRANT SELECT ON scheduled_tasks TO PUBLIC");
}

/* `enabled` is true or false, next_run NULL or a time in quotes. */
static void
add_row(const char *id, const char *type, const char *rule, const char *args,
	const char *enabled, const char *next_run, int priority)
{
	const bool number = planner.w.kind == WORLD_SQLITE;

	world_run(&planner.w,
		  "INSERT INTO scheduled_tasks VALUES ('%s', 'add', '%s', '%s',"
		  " '%s', '{\"x\": 1}', %s, NULL, %s, '2026-11-23 10:00:30',"
		  " '2026-11-23 10:00:30', NULL, 2, 1.5, %d)",
		  id, type, rule, args,
		  !number	    ? enabled
		  : *enabled == 't' ? "1"
				    : "0",
		  next_run, priority);
}

static int
read_table(void)
{
	schedule_file_done(&file);
	refused[0] = noted[0] = '\0';
	planner.w.err = (struct err)ERR_INIT;
	import = (struct schedule_import){.tz = "Europe/Berlin",
					  .now_us = PLANNER_NOON_US,
					  .refuse = on_refuse,
					  .note = on_note};
	return schedule_read_python(&import, planner.w.url, &file,
				    &planner.w.err);
}

START_TEST(rows_become_schedules_that_run_when_the_package_runs_them)
{
	const struct schedule_form *f;

	make_table(_i);
	add_row("c", "cron", "0 9 13 * 5", "[1, [2]]", "true", "NULL", 7);
	add_row("i", "interval", "3600.0", "[]", "false",
		"'2026-11-23 13:30:00'", -1);
	add_row("o", "one_time", "2027-07-01T09:00:00", "[]", "true", "NULL",
		0);
	OK(&planner.w, read_table());
	ck_assert_str_eq(refused, "");
	ck_assert_uint_eq(file.n, 3);
	f = &file.entries[0].form;
	ck_assert_str_eq(f->rule, "0 9 13 * 5");
	ck_assert_str_eq(f->tz, "Europe/Berlin");
	ck_assert_str_eq(f->day_match, "and");
	ck_assert_str_eq(f->args, "[1,[2]]");
	ck_assert_str_eq(f->kwargs, "{\"x\":1}");
	ck_assert_int_eq(f->priority, -7);
	ck_assert_int_eq(f->max_retries, 2);
	ck_assert(f->retry_delay_s == 1.5);
	ck_assert(f->enabled);
	/* 13:30 in Berlin is 12:30; the first in step with it since 09:00:30
	 * is 09:30. */
	f = &file.entries[1].form;
	ck_assert_int_eq(f->start_us, PLANNER_NOON_US - 9000 * S);
	ck_assert_int_eq(f->priority, 1);
	ck_assert(!f->enabled);
	/* Summer time. */
	f = &file.entries[2].form;
	ck_assert_str_eq(f->type, "once");
	ck_assert_str_eq(f->rule, "2027-07-01T07:00:00+00:00");
	world_close(&planner.w);
}
END_TEST

START_TEST(rows_that_cannot_be_taken_are_named)
{
	make_table(_i);
	add_row("a", "cron", "0 9 * *", "[]", "true", "NULL", 0);
	add_row("b", "lunar", "1", "[]", "true", "NULL", 0);
	add_row("c", "one_time", "2026-01-01T00:00:00", "[]", "false", "NULL",
		0);
	add_row("d", "one_time", "soon", "[]", "true", "NULL", 0);
	add_row("e", "cron", "0 9 * * *", "{}", "true", "NULL", 0);
	add_row("f", "cron", "0 9 * * *", "[]", "true", "NULL", 0);
	OK(&planner.w, read_table());
	ck_assert_uint_eq(import.refused, 4);
	ck_assert_ptr_nonnull(strstr(refused, "1: "));
	ck_assert_ptr_nonnull(strstr(refused, "2: schedule b: unknown type"));
	ck_assert_ptr_nonnull(strstr(refused, "4: schedule d: \"soon\""));
	ck_assert_ptr_nonnull(strstr(refused, "5: schedule e: its arguments"));
	ck_assert_str_eq(noted, "3: a time that is done is left out\n");
	ck_assert_uint_eq(file.n, 1);
	ck_assert_str_eq(file.entries[0].form.id, "f");
	world_close(&planner.w);
}
END_TEST

/* A local time in the hour that comes twice is the first, one in the hour that
 * is left out is behind it. */
START_TEST(local_times_at_a_change_of_clocks_are_moments)
{
	make_table(_i);
	add_row("a", "one_time", "2027-10-31T02:30:00", "[]", "true", "NULL",
		0);
	add_row("b", "one_time", "2027-03-28T02:30:00", "[]", "true", "NULL",
		0);
	add_row("c", "one_time", "2027-10-31T03:30:00", "[]", "true", "NULL",
		0);
	OK(&planner.w, read_table());
	ck_assert_str_eq(file.entries[0].form.rule,
			 "2027-10-31T00:30:00+00:00");
	ck_assert_str_eq(file.entries[1].form.rule,
			 "2027-03-28T01:30:00+00:00");
	ck_assert_str_eq(file.entries[2].form.rule,
			 "2027-10-31T02:30:00+00:00");
	world_close(&planner.w);
}
END_TEST

START_TEST(the_database_of_the_package_is_left_as_it_is)
{
	char *answer;

	make_table(_i);
	OK(&planner.w, read_table());
	answer = world_ask(
	    &planner.w,
	    _i == WORLD_SQLITE
		? "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
	    : _i == WORLD_POSTGRESQL
		? "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
		: "SELECT count(*) FROM information_schema.tables WHERE"
		  " table_schema = database()");
	ck_assert_str_eq(answer, "1\n");
	free(answer);
	world_run(&planner.w, "DROP TABLE scheduled_tasks");
	ck_assert_int_eq(read_table(), -1);
	ck_assert_msg(strstr(planner.w.err.msg, "scheduled_tasks") != NULL,
		      "%s", planner.w.err.msg);
	world_close(&planner.w);
}
END_TEST

SUITE("manager-schedule-python")
{
	SUITE_TIMEOUT(60);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(rows_become_schedules_that_run_when_the_package_runs_them, 0,
		  N_WORLDS);
	TEST_LOOP(rows_that_cannot_be_taken_are_named, 0, N_WORLDS);
	TEST_LOOP(local_times_at_a_change_of_clocks_are_moments, 0, N_WORLDS);
	TEST_LOOP(the_database_of_the_package_is_left_as_it_is, 0, N_WORLDS);
}
