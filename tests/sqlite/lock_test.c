/* SPDX-License-Identifier: MIT */
/* The embedded store while another process holds the lock of its file. */
#include <sqlite3.h>
#include <string.h>

#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

static struct stage w;

/* As another process would, by a connection of its own. */
static sqlite3 *
lock_file(void)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(stage_path(&w), &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
			 SQLITE_OK);
	return db;
}

static void
unlock_file(sqlite3 *db)
{
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
}

START_TEST(a_lock_held_too_long_is_an_error_for_submitters_and_not_for_workers)
{
	struct party *producer, *worker;
	sqlite3 *db;

	stage_open(&w, KIND_SQLITE);
	w.options.timeout_ms = 200;
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	party_submit(producer, "1", "[1]", 0, 0);
	db = lock_file();
	ck_assert_int_eq(party_submit(producer, "2", "[2]", 0, 0),
			 ERR_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(producer->err.msg, "lock"));
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->troubles == 1);
	ck_assert_uint_eq(worker->n_claims, 0);
	unlock_file(db);
	UNTIL(&w, worker->n_claims == 1);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

static void
on_nothing(struct broker_submit *batch, size_t n, void *arg)
{
}

/* A service manager kills what does not end; a person thinks that it hangs. */
START_TEST(a_lock_holds_up_the_end_of_a_program_for_a_moment_only)
{
	struct broker_submit task = {
	    .queue = "io", .id = SLICE("2"), .bytes = SLICE("[2]")};
	struct party *producer;
	int64_t began;
	sqlite3 *db;

	stage_open(&w, KIND_SQLITE);
	w.options.timeout_ms = 15000;
	producer = party_open(&w, NULL);
	party_submit(producer, "1", "[1]", 0, 0);
	db = lock_file();
	broker_submit(producer->broker, &task, 1, on_nothing, NULL);
	began = clock_mono_ms();
	party_close(producer);
	ck_assert_int_lt(clock_mono_ms() - began, 7000);
	unlock_file(db);
	stage_close(&w);
}
END_TEST

SUITE("sqlite-lock")
{
	TEST(
	    a_lock_held_too_long_is_an_error_for_submitters_and_not_for_workers);
	TEST(a_lock_holds_up_the_end_of_a_program_for_a_moment_only);
}
