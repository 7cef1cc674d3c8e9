/* SPDX-License-Identifier: MIT */
/* Opening the embedded store: what is refused, with which words. */
#include <event2/event.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schedules/health.h"
#include "schedules/schedules.h"
#include "sqlite/shim.h"
#include "store/sqlite/schema.h"
#include "store/stage.h"
#include "suite.h"

static struct stage w;

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void
run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* Opens a producer that is refused for ever; its reason has `text` in it. */
static void
expect_refusal(enum err_code code, const char *text)
{
	struct party *p = party_open(&w, NULL);

	ck_assert(p->refused);
	ck_assert_int_eq(p->why.code, code);
	ck_assert_msg(strstr(p->why.msg, text) != NULL, "%s", p->why.msg);
	ck_assert_int_ne(party_submit(p, "1", "[1]", 0, 0), ERR_NONE);
	party_close(p);
}

START_TEST(directory_and_file_are_made_for_their_owner_only)
{
	char *slash;
	struct stat st;

	umask(0);
	stage_open(&w, KIND_SQLITE);
	snprintf(w.url, sizeof(w.url), "sqlite://%s/new/flowrra.db", w.dir);
	party_close(party_open(&w, "host:a"));
	ck_assert_int_eq(stat(stage_path(&w), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	slash = strrchr(w.url, '/');
	*slash = '\0';
	ck_assert_int_eq(stat(stage_path(&w), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	stage_close(&w);
}
END_TEST

START_TEST(the_first_submission_makes_the_file_and_no_question_does)
{
	struct stat st;
	struct party *p;

	stage_open(&w, KIND_SQLITE);
	p = party_open(&w, NULL);
	ck_assert_int_eq(stat(stage_path(&w), &st), -1);
	ck_assert_int_eq(party_submit(p, "1", "[1]", 0, 0), ERR_NONE);
	ck_assert_int_eq(stat(stage_path(&w), &st), 0);
	party_close(p);
	stage_close(&w);
}
END_TEST

START_TEST(opening_a_file_that_is_there_writes_nothing)
{
	struct party *p;

	shim_install();
	stage_open(&w, KIND_SQLITE);
	party_close(party_open(&w, "host:a"));
	/* The first write of any kind would fail; it is up all the same. */
	shim_fail(SHIM_FULL, 1, -1);
	p = party_open(&w, NULL);
	ck_assert_int_eq(party_submit(p, "1", "[1]", 0, 0), ERR_UNAVAILABLE);
	shim_fail(SHIM_NONE, 0, 0);
	ck_assert_int_eq(party_submit(p, "1", "[1]", 0, 0), ERR_NONE);
	party_close(p);
	stage_close(&w);
}
END_TEST

START_TEST(a_missing_directory_is_named)
{
	struct party *p;

	stage_open(&w, KIND_SQLITE);
	snprintf(w.url, sizeof(w.url), "sqlite://%s/no/where/flowrra.db",
		 w.dir);
	p = party_open(&w, NULL);
	ck_assert_int_eq(party_submit(p, "1", "[1]", 0, 0), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(p->err.msg, "/no/where"));
	party_close(p);
	stage_close(&w);
}
END_TEST

/* A new user's home has no .local yet. */
START_TEST(the_users_own_place_is_made_with_all_above_it)
{
	char home[sizeof(w.dir) + 8];
	struct stat st;
	struct party *p;

	stage_open(&w, KIND_SQLITE);
	snprintf(home, sizeof(home), "%s/home", w.dir);
	ck_assert_int_eq(mkdir(home, 0755), 0);
	setenv("HOME", home, 1);
	unsetenv("XDG_STATE_HOME");
	snprintf(w.url, sizeof(w.url),
		 "sqlite://%s/.local/state/flowrra/flowrra.db", home);
	p = party_open(&w, NULL);
	ck_assert_int_eq(party_submit(p, "1", "[1]", 0, 0), ERR_NONE);
	ck_assert_int_eq(stat(stage_path(&w), &st), 0);
	party_close(p);
	stage_close(&w);
}
END_TEST

START_TEST(a_relative_path_is_refused)
{
	struct err err;

	stage_open(&w, KIND_SQLITE);
	w.options.url = "sqlite://flowrra.db";
	ck_assert_ptr_null(broker_open(&w.options, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "absolute"));
	stage_close(&w);
}
END_TEST

START_TEST(a_file_that_is_no_database_is_refused_and_left_alone)
{
	char back[64] = "";
	FILE *f;

	stage_open(&w, KIND_SQLITE);
	write_file(stage_path(&w), "Dear diary, today I wrote a task queue.\n");
	expect_refusal(ERR_DATA, "not an SQLite database");
	f = fopen(stage_path(&w), "r");
	ck_assert_ptr_nonnull(fgets(back, sizeof(back), f));
	fclose(f);
	ck_assert_str_eq(back, "Dear diary, today I wrote a task queue.\n");
	stage_close(&w);
}
END_TEST

START_TEST(the_database_of_another_program_is_refused)
{
	stage_open(&w, KIND_SQLITE);
	run_sql(stage_path(&w), "CREATE TABLE bookmarks (url TEXT)");
	expect_refusal(ERR_CONFIG, "another program");
	stage_close(&w);
}
END_TEST

START_TEST(a_newer_schema_is_refused_with_both_numbers)
{
	char text[64];

	stage_open(&w, KIND_SQLITE);
	party_close(party_open(&w, "host:a"));
	run_sql(stage_path(&w), "PRAGMA user_version = 4711");
	snprintf(text, sizeof(text),
		 "version 4711, but this program supports version %d",
		 schema_version());
	expect_refusal(ERR_CONFIG, text);
	stage_close(&w);
}
END_TEST

START_TEST(a_file_of_another_user_is_refused)
{
	struct party *p;
	pid_t pid;
	int status;

	if (geteuid() != 0)
		return; /* only root can make one */
	stage_open(&w, KIND_SQLITE);
	party_close(party_open(&w, "host:a"));
	ck_assert_int_eq(chmod(stage_path(&w), 0666), 0);
	ck_assert_int_eq(chmod(w.dir, 0777), 0);
	if ((pid = fork()) == 0) {
		if (setuid(65534) != 0)
			_exit(2);
		event_reinit(w.base);
		p = party_open(&w, NULL);
		_exit(p->refused && p->why.code == ERR_REFUSED &&
			      strstr(p->why.msg, "65534") != NULL
			  ? 0
			  : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	stage_close(&w);
}
END_TEST

static void
on_opening(bool up, bool final, const struct err *why, void *arg)
{
	(void) final;
	if (why != NULL)
		*(struct err *)arg = *why;
}

START_TEST(a_read_only_file_is_said_to_be_one)
{
	struct broker_options options;
	struct err err = ERR_INIT;
	struct broker *b;

	shim_install();
	stage_open(&w, KIND_SQLITE);
	party_close(party_open(&w, "host:a"));
	shim_fail(SHIM_READONLY, 1, -1);
	options = w.options;
	options.worker = "host:a";
	options.on_state = on_opening;
	options.arg = &err;
	ck_assert_ptr_nonnull(b = broker_open(&options, &err));
	UNTIL(&w, err.code != ERR_NONE);
	ck_assert_int_eq(err.code, ERR_UNAVAILABLE);
	ck_assert_msg(strstr(err.msg, "read-only") != NULL, "%s", err.msg);
	broker_close(b);
	stage_close(&w);
}
END_TEST

/* Schedules keep their tables in the same file. */
static struct schedules *
open_schedules(struct err *err)
{
	const struct schedules_options options = {.url = w.url};
	struct schedules *s = schedules_open(&options, err);

	ck_assert_msg(s != NULL, "%s", err->msg);
	return s;
}

START_TEST(a_file_that_schedules_opened_first_is_ours_and_gets_the_queues)
{
	struct err err = ERR_INIT;
	struct schedules *s;
	struct party *worker;

	stage_open(&w, KIND_SQLITE);
	s = open_schedules(&err);
	ck_assert_msg(schedules_connect(s, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(stage_sql(&w, "PRAGMA application_id"), 1181501298);
	ck_assert_int_eq(stage_sql(&w, "PRAGMA user_version"), 0);

	worker = party_open(&w, "host:a");
	ck_assert_int_eq(stage_sql(&w, "PRAGMA user_version"),
			 schema_version());
	ck_assert_int_eq(party_submit(worker, "1", "[1]", 0, 0), ERR_NONE);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert_msg(schedules_farewell(s, "nobody", &err) == 0, "%s",
		      err.msg);
	party_close(worker);
	schedules_close(s);
	stage_close(&w);
}
END_TEST

START_TEST(schedules_open_a_file_of_the_queues_and_leave_its_version_alone)
{
	struct err err = ERR_INIT;
	struct schedules *s;

	stage_open(&w, KIND_SQLITE);
	party_close(party_open(&w, "host:a"));
	s = open_schedules(&err);
	ck_assert_msg(schedules_connect(s, &err) == 0, "%s", err.msg);
	schedules_close(s);
	ck_assert_int_eq(stage_sql(&w, "PRAGMA user_version"),
			 schema_version());
	party_close(party_open(&w, NULL));
	stage_close(&w);
}
END_TEST

START_TEST(schedules_refuse_the_database_of_another_program)
{
	struct err err = ERR_INIT;
	struct schedules *s;

	stage_open(&w, KIND_SQLITE);
	run_sql(stage_path(&w), "CREATE TABLE bookmarks (url TEXT)");
	s = open_schedules(&err);
	ck_assert_int_ne(schedules_connect(s, &err), 0);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "another program"));
	schedules_close(s);
	ck_assert_int_eq(stage_sql(&w, "PRAGMA application_id"), 0);
	stage_close(&w);
}
END_TEST

/* A child's exit status: 0 if the file was opened. */
static int
connect_schedules(void)
{
	struct err err = ERR_INIT;
	struct schedules *s = open_schedules(&err);
	int result = schedules_connect(s, &err);

	if (result != 0)
		fprintf(stderr, "%s\n", err.msg);
	schedules_close(s);
	return result == 0 ? 0 : 1;
}

/* Not one of them takes a file that another one is making for a stranger's. */
START_TEST(processes_that_make_the_file_at_the_same_time_all_open_it)
{
	enum { ROUNDS = 5, CHILDREN = 4 };
	struct party *p;
	int round, i, status;

	stage_open(&w, KIND_SQLITE);
	for (round = 0; round < ROUNDS; round++) {
		snprintf(w.url, sizeof(w.url), "sqlite://%s/%d.db", w.dir,
			 round);
		for (i = 0; i < CHILDREN; i++)
			if (fork() == 0)
				_exit(connect_schedules());
		/* A producer would leave a file alone that is not there yet. */
		p = party_open(&w, "w");
		ck_assert_msg(!p->refused, "%s", p->why.msg);
		party_close(p);
		for (i = 0; i < CHILDREN; i++) {
			ck_assert_int_gt(wait(&status), 0);
			ck_assert_int_eq(status, 0);
		}
		ck_assert_int_eq(stage_sql(&w, "PRAGMA user_version"),
				 schema_version());
	}
	stage_close(&w);
}
END_TEST

SUITE("sqlite-open")
{
	TEST(directory_and_file_are_made_for_their_owner_only);
	TEST(the_first_submission_makes_the_file_and_no_question_does);
	TEST(opening_a_file_that_is_there_writes_nothing);
	TEST(a_missing_directory_is_named);
	TEST(the_users_own_place_is_made_with_all_above_it);
	TEST(a_relative_path_is_refused);
	TEST(a_file_that_is_no_database_is_refused_and_left_alone);
	TEST(the_database_of_another_program_is_refused);
	TEST(a_newer_schema_is_refused_with_both_numbers);
	TEST(a_file_of_another_user_is_refused);
	TEST(a_read_only_file_is_said_to_be_one);
	TEST(a_file_that_schedules_opened_first_is_ours_and_gets_the_queues);
	TEST(schedules_open_a_file_of_the_queues_and_leave_its_version_alone);
	TEST(schedules_refuse_the_database_of_another_program);
	TEST(processes_that_make_the_file_at_the_same_time_all_open_it);
}
