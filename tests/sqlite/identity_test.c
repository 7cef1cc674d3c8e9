/* SPDX-License-Identifier: MIT */
/* Whose database a file is, also while another process is making it. */
#include "sqlite/identity.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sqlite/load.h"
#include "suite.h"
#include "util/err.h"

static char path[128];
static sqlite3 *ours, *other;

static void
open_both(void)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	ck_assert_int_eq(sqlite_load(NULL), 0);
	snprintf(path, sizeof(path), "%s/flowrra-id-XXXXXX",
		 tmp != NULL ? tmp : "/tmp");
	ck_assert_int_ge(fd = mkstemp(path), 0);
	close(fd);
	ck_assert_int_eq(sqlite3_open(path, &ours), SQLITE_OK);
	ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
}

static void
close_both(void)
{
	sqlite3_close(ours);
	sqlite3_close(other);
	unlink(path);
}

static void
other_runs(const char *sql)
{
	ck_assert_int_eq(sqlite3_exec(other, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int
application_id(void)
{
	int id = -1;

	ck_assert_int_eq(identity_number(other, "PRAGMA application_id", &id),
			 0);
	return id;
}

START_TEST(an_empty_file_is_claimed_once_and_is_ours_then)
{
	struct err err = ERR_INIT;

	open_both();
	ck_assert_int_eq(identity_check(ours, "f", &err), 0);
	ck_assert_int_eq(identity_claim(ours, "f", &err), 0);
	ck_assert_int_eq(application_id(), IDENTITY_APPLICATION);
	ck_assert_int_eq(identity_check(other, "f", &err), 1);
	ck_assert_int_eq(identity_claim(other, "f", &err), 0);
	close_both();
}
END_TEST

START_TEST(a_file_with_tables_and_no_mark_is_refused_and_left_alone)
{
	struct err err = ERR_INIT;

	open_both();
	other_runs("CREATE TABLE bookmarks (url TEXT)");
	ck_assert_int_eq(identity_claim(ours, "f", &err), -1);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_int_eq(application_id(), 0);
	close_both();
}
END_TEST

/* Right before the second question of identity_check(). */
static int
on_statement(unsigned int event, void *arg, void *stmt, void *sql)
{
	int *n = arg;

	if (++*n == 2) {
		sqlite3_exec(other, "BEGIN", NULL, NULL, NULL);
		sqlite3_exec(other, "PRAGMA application_id = 1181501298", NULL,
			     NULL, NULL);
		sqlite3_exec(other, "CREATE TABLE queues (id)", NULL, NULL,
			     NULL);
		sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
	}
	return 0;
}

START_TEST(a_file_that_another_process_makes_meanwhile_is_not_a_strangers)
{
	struct err err = ERR_INIT;
	int n = 0;

	open_both();
	sqlite3_trace_v2(ours, SQLITE_TRACE_STMT, on_statement, &n);
	ck_assert_msg(identity_check(ours, "f", &err) >= 0, "%s", err.msg);
	ck_assert_int_eq(application_id(), IDENTITY_APPLICATION);
	close_both();
}
END_TEST

START_TEST(a_claim_that_meets_a_lock_fails_and_leaves_no_transaction)
{
	struct err err = ERR_INIT;

	open_both();
	other_runs("BEGIN IMMEDIATE");
	ck_assert_int_eq(identity_claim(ours, "f", &err), -1);
	ck_assert_int_eq(err.code, ERR_UNAVAILABLE);
	ck_assert_int_ne(sqlite3_get_autocommit(ours), 0);
	other_runs("COMMIT");
	ck_assert_int_eq(identity_claim(ours, "f", &err), 0);
	close_both();
}
END_TEST

SUITE("sqlite-identity")
{
	TEST(an_empty_file_is_claimed_once_and_is_ours_then);
	TEST(a_file_with_tables_and_no_mark_is_refused_and_left_alone);
	TEST(a_file_that_another_process_makes_meanwhile_is_not_a_strangers);
	TEST(a_claim_that_meets_a_lock_fails_and_leaves_no_transaction);
}
