/* SPDX-License-Identifier: MIT */
/*
 * Clients of the embedded store: who does its work. A caller that waits for one
 * task does it itself; those who go on meanwhile, or wait for something else too,
 * have a thread do it.
 */
#include <dirent.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flowrra/client.h"
#include "suite.h"
#include "util/clock.h"

#define THREADS 4
#define EACH 50

static char path[128], url[160];
static struct flowrra_client *client;

static struct flowrra_client *
open_with(const char *timeout)
{
	const char *settings[] = {"worker.log_level=error", timeout, NULL};
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_error error;
	struct flowrra_client *c;

	options.broker_url = url;
	options.settings = settings;
	ck_assert_msg(flowrra_open(&options, &c, &error) == 0, "%s",
		      error.message);
	return c;
}

static void
begin(void)
{
	const char *tmp = getenv("TMPDIR");
	char dir[96];

	snprintf(dir, sizeof(dir), "%s/flowrra-client-XXXXXX",
		 tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/flowrra.db", dir);
	snprintf(url, sizeof(url), "sqlite://%s", path);
	client = open_with(NULL);
}

static void
end(void)
{
	char command[160];

	flowrra_close(client);
	*strrchr(path, '/') = '\0';
	snprintf(command, sizeof(command), "rm -r '%s'", path);
	ck_assert_int_eq(system(command), 0);
}

static unsigned int
threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2; /* "." and ".." */
}

static struct flowrra_request
request_of(const char *id)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;

	request.name = "add";
	request.queue = "io";
	request.force = true;
	request.id = id;
	return request;
}

static int
submit(struct flowrra_client *c, struct flowrra_error *error)
{
	const struct flowrra_request request = request_of(NULL);

	return flowrra_submit(c, &request, NULL, error);
}

static int
n_records(void)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int n;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT count(*) FROM tasks",
					    -1, &stmt, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return n;
}

START_TEST(a_submission_needs_no_thread)
{
	const unsigned int before = threads();
	struct flowrra_error error;
	int i;

	begin();
	for (i = 0; i < 3; i++)
		ck_assert_msg(submit(client, &error) == 0, "%s", error.message);
	ck_assert_uint_eq(threads(), before);
	ck_assert_int_eq(n_records(), 3);
	end();
}
END_TEST

START_TEST(a_batch_that_nobody_waits_for_has_one)
{
	const struct flowrra_request request = request_of("batched");
	const unsigned int before = threads();
	struct flowrra_batch *batch;
	struct flowrra_error error;

	begin();
	ck_assert_int_eq(submit(client, &error), 0);
	ck_assert_int_eq(flowrra_batch_new(client, &batch, &error), 0);
	ck_assert_int_eq(flowrra_batch_add(batch, &request, &error), 0);
	ck_assert_int_eq(flowrra_batch_send(batch, &error), 0);
	ck_assert_uint_eq(threads(), before + 1);
	ck_assert_int_eq(flowrra_batch_wait(batch, &error), 0);
	ck_assert_int_eq(flowrra_batch_answer(batch, 0, &error), 0);
	flowrra_batch_free(batch);
	/* It stays, and is used. */
	ck_assert_int_eq(submit(client, &error), 0);
	ck_assert_uint_eq(threads(), before + 1);
	ck_assert_int_eq(n_records(), 3);
	end();
	ck_assert_uint_eq(threads(), before);
}
END_TEST

/* Nobody ends the task: the wait must not take longer than it may. */
START_TEST(a_wait_with_a_time_of_its_own_has_one)
{
	const struct flowrra_request request = request_of("awaited");
	const unsigned int before = threads();
	struct flowrra_error error;
	struct flowrra_record *record;

	begin();
	ck_assert_int_eq(flowrra_submit(client, &request, NULL, &error), 0);
	ck_assert_uint_eq(threads(), before);
	ck_assert_int_eq(flowrra_wait(client, "awaited", 0.05, &record, &error),
			 -1);
	ck_assert_uint_eq(threads(), before + 1);
	end();
}
END_TEST

/* What another process does with a lock, another connection does. */
START_TEST(a_lock_is_waited_for_as_long_as_is_configured)
{
	struct flowrra_error error;
	struct flowrra_client *hasty;
	int64_t begun_ms;
	sqlite3 *db;

	begin();
	ck_assert_int_eq(submit(client, &error), 0);
	hasty = open_with("broker.socket_timeout=300ms");
	ck_assert_int_eq(submit(hasty, &error), 0);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
			 SQLITE_OK);
	begun_ms = clock_mono_ms();
	ck_assert_int_eq(submit(hasty, &error), -1);
	ck_assert_int_ge(clock_mono_ms() - begun_ms, 250);
	ck_assert_int_lt(clock_mono_ms() - begun_ms, 5000);
	ck_assert_int_eq(error.code, 69);
	ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	ck_assert_msg(submit(hasty, &error) == 0, "%s", error.message);
	flowrra_close(hasty);
	ck_assert_int_eq(n_records(), 3);
	end();
}
END_TEST

static void *
submit_many(void *arg)
{
	struct flowrra_error error;
	int i;

	(void)arg;
	for (i = 0; i < EACH; i++)
		ck_assert_msg(submit(client, &error) == 0, "%s", error.message);
	return NULL;
}

START_TEST(threads_take_turns_with_the_work)
{
	const unsigned int before = threads();
	pthread_t submitters[THREADS];
	int i;

	begin();
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(
		    pthread_create(&submitters[i], NULL, submit_many, NULL), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(submitters[i], NULL);
	ck_assert_uint_eq(threads(), before);
	ck_assert_int_eq(n_records(), THREADS * EACH);
	end();
}
END_TEST

/* The first task makes the file, as it does with the thread. */
START_TEST(a_client_that_only_asks_makes_no_file)
{
	struct flowrra_error error;
	struct stat st;
	char *json;

	begin();
	ck_assert_int_eq(flowrra_registered(client, "add", &json, &error), -1);
	ck_assert_int_eq(error.code, 2);
	ck_assert_int_ne(stat(path, &st), 0);
	ck_assert_int_eq(submit(client, &error), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	end();
}
END_TEST

static void
make_old_file(void)
{
	char *sql = NULL;
	size_t size = 0;
	sqlite3 *db;
	FILE *f;

	ck_assert_ptr_nonnull(f = fopen("tests/sqlite/version-1.sql", "r"));
	ck_assert_int_gt(getdelim(&sql, &size, '\0', f), 0);
	fclose(f);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	free(sql);
}

/* It may take minutes: who asks meanwhile must hear of it. */
START_TEST(an_upgrade_is_left_to_the_thread)
{
	const unsigned int before = threads();
	struct flowrra_error error;

	begin();
	make_old_file();
	ck_assert_msg(submit(client, &error) == 0, "%s", error.message);
	ck_assert_uint_eq(threads(), before + 1);
	end();
}
END_TEST

/* A worker may be starting just now, one line above in the same script. */
START_TEST(a_first_worker_is_waited_for_once_however_many_names_are_unknown)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_error error;
	int64_t begin_ms;
	char id[FLOWRRA_ID_SIZE], name[16];
	int i;

	begin();
	ck_assert_int_eq(submit(client, &error), 0);
	begin_ms = clock_mono_ms();
	request.name = name;
	for (i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "nope%d", i);
		ck_assert_int_eq(flowrra_submit(client, &request, id, &error),
				 -1);
		ck_assert_int_eq(error.code, FLOWRRA_DATA);
	}
	/* One wait is two seconds, thirty were a minute. */
	ck_assert_int_lt(clock_mono_ms() - begin_ms, 30000);
	end();
}
END_TEST

SUITE("client-embedded")
{
	TEST(an_upgrade_is_left_to_the_thread);
	TEST(a_submission_needs_no_thread);
	TEST(a_batch_that_nobody_waits_for_has_one);
	TEST(a_wait_with_a_time_of_its_own_has_one);
	TEST(a_lock_is_waited_for_as_long_as_is_configured);
	TEST(threads_take_turns_with_the_work);
	TEST(a_client_that_only_asks_makes_no_file);
	TEST(a_first_worker_is_waited_for_once_however_many_names_are_unknown);
}
