/* SPDX-License-Identifier: MIT */
/*
 * What SQLite itself can do on this disk, beside which the embedded store is
 * measured:
 *
 *	row		a row in a table, flushed to disk, one at a time
 *	bulk		the same in transactions of 512
 *	statements	what a worker has SQLite do for tasks that wait (claim, record,
 *			settle), 500 at a time, and nothing else: no processes, no loop
 *
 * Usage: sqlite_floor_bench row|bulk|statements FILE N
 * Makes the file, and prints how many a second it does.
 */
#include <err.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite/checkpoint.h"
#include "sqlite/file.h"
#include "store/sqlite/record.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/statements.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/uuid.h"

/* As long as those of a task without arguments, and its record. */
#define TASK                                                                   \
	"{\"id\":\"%.*s\",\"name\":\"noop\",\"args\":[],\"kwargs\":{},"        \
	"\"max_retries\":3,\"retry_delay\":1.0,\"current_retry\":0,"           \
	"\"priority\":0,\"cpu_bound\":false,\"queue\":\"io\","                 \
	"\"submitted_at\":\"2026-11-29T22:23:29.771736+00:00\"}"
#define RECORD                                                                 \
	"{\"task_id\":\"%.*s\",\"status\":\"success\",\"task_name\":\"noop\"," \
	"\"result\":null,\"error\":null,"                                      \
	"\"submitted_at\":\"2026-11-29T22:23:29.771736+00:00\","               \
	"\"started_at\":\"2026-11-29T22:23:29.771736+00:00\","                 \
	"\"finished_at\":\"2026-11-29T22:23:29.771736+00:00\",\"retries\":0,"  \
	"\"args\":[],\"kwargs\":{},\"queue\":\"io\",\"worker\":\"host\","      \
	"\"attempts\":1}"
#define IN_BULK 512
#define AT_A_TIME 500

static struct err why;

static void
must(bool done)
{
	if (!done)
		errx(1, "%s", why.msg);
}

/* A text with the ID in it. */
#define TEXT_OF(text, format, id)                                              \
	(snprintf(text, sizeof(text), format, UUID_TEXT_SIZE - 1, id),         \
	 slice_of(text))

/* --- SQLite alone -------------------------------------------------------- */

static sqlite3 *db;

static void
exec(const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		errx(1, "%s: %s", sql, sqlite3_errmsg(db));
}

static void
insert_rows(const char *path, long n, long at_once)
{
	char id[UUID_TEXT_SIZE], text[640];
	sqlite3_stmt *stmt;
	struct slice bytes;
	long i;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		errx(1, "%s", path);
	exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	     "CREATE TABLE rows (number INTEGER PRIMARY KEY, bytes BLOB)");
	sqlite3_prepare_v2(db, "INSERT INTO rows (bytes) VALUES (?1)", -1,
			   &stmt, NULL);
	for (i = 0; i < n; i++) {
		if (i % at_once == 0)
			exec("BEGIN IMMEDIATE");
		uuid_make(id);
		bytes = TEXT_OF(text, TASK, id);
		sqlite3_bind_blob(stmt, 1, bytes.p, (int)bytes.len,
				  SQLITE_STATIC);
		if (sqlite3_step(stmt) != SQLITE_DONE)
			errx(1, "%s", sqlite3_errmsg(db));
		sqlite3_reset(stmt);
		if (i % at_once == at_once - 1 || i == n - 1)
			exec("COMMIT");
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

/* --- our statements alone ------------------------------------------------ */

static struct tx tx = {.worker = true,
		       .timeout_ms = 5000,
		       .description = &statements_description,
		       .socket = WAKE_SOCKET_INIT};
static struct {
	char id[UUID_TEXT_SIZE];
	int64_t number, seq;
} claims[AT_A_TIME];

static void
begin(enum database_sync sync)
{
	must(file_begin(&tx, true, sync, &why) == 0);
}

static void
commit(void)
{
	must(file_commit(&tx, &why) == 0);
	checkpoint_if_long(&tx, false);
}

static void
submit(long from, long n)
{
	char id[UUID_TEXT_SIZE], text[640];
	int64_t number;
	long i;

	begin(DATABASE_LATER);
	for (i = from; i < from + n; i++) {
		number = schema_number(1, i + 1);
		uuid_make(id);
		must(tx_run(&tx, &why, SQL_ID_ADD, slice_of(id), number) == 1 &&
		     tx_run(&tx, &why, SQL_TASK_ADD, number,
			    TEXT_OF(text, TASK, id)) == 1 &&
		     tx_run(&tx, &why, SQL_WAITING_ADD, INT64_C(1), INT64_C(0),
			    (int64_t)i + 1, number, INT64_C(0)) == 1);
	}
	must(tx_run(&tx, &why, SQL_QUEUE_GROW, INT64_C(1), (int64_t)n) == 1);
	commit();
}

static long
claim(void)
{
	struct slice bytes;
	long n = 0;
	int more;

	begin(DATABASE_SOON);
	more = tx_first(&tx, &why, SQL_WAITING_FIRST, INT64_C(1),
			(int64_t)AT_A_TIME);
	for (; more == 1; more = tx_next(&tx, &why, SQL_WAITING_FIRST), n++) {
		claims[n].seq = tx_int(&tx, SQL_WAITING_FIRST, 1);
		claims[n].number = tx_int(&tx, SQL_WAITING_FIRST, 2);
		bytes = tx_bytes(&tx, SQL_WAITING_FIRST, 5);
		memcpy(claims[n].id, bytes.p + strlen("{\"id\":\""),
		       UUID_TEXT_SIZE - 1);
	}
	must(more == 0);
	if (n > 0)
		must(tx_run(&tx, &why, SQL_INFLIGHT_ADD_ALL, INT64_C(1),
			    INT64_C(1), INT64_C(0), claims[0].seq,
			    claims[n - 1].seq) == n &&
		     tx_run(&tx, &why, SQL_WAITING_DROP_ALL, INT64_C(1),
			    INT64_C(0), claims[0].seq,
			    claims[n - 1].seq) == n &&
		     tx_run(&tx, &why, SQL_QUEUE_GROW, INT64_C(1),
			    (int64_t)-n) == 1);
	commit();
	return n;
}

static void
record(long n)
{
	const int64_t expires = clock_wall_us() / 1000 + 3600000;
	struct srecord_end end = {.final = SRECORD_FINAL, .expires = expires};
	struct stotals totals;
	char text[640];
	long i;

	begin(DATABASE_NOW);
	must(stotals_get_run(&tx, &totals, &why) == 0 &&
	     tx_any(&tx, &why, SQL_INFLIGHT_COUNT, INT64_C(1), claims[0].number,
		    claims[n - 1].number) == 1);
	for (i = 0; i < n; i++) {
		end.id = slice_of(claims[i].id);
		end.task = claims[i].number;
		end.record = TEXT_OF(text, RECORD, claims[i].id);
		must(srecord_end_run(&tx, &end, &totals, &why) == 1);
	}
	must(stotals_set_run(&tx, &totals, &why) == 0);
	commit();
}

static void
settle(long n)
{
	begin(DATABASE_SOON);
	must(tx_run(&tx, &why, SQL_INFLIGHT_DROP_ALL, INT64_C(1),
		    claims[0].number, claims[n - 1].number) == n &&
	     tx_run(&tx, &why, SQL_TASKS_DROP_ALL, claims[0].number,
		    claims[n - 1].number) == n);
	commit();
}

/* The file is new. */
static int
on_upgrade(const struct err *what, void *arg)
{
	(void)what, (void)arg;
	return -1;
}

/* Returns when the tasks began to be done. */
static int64_t
run_statements(const char *path, long n)
{
	int64_t begin_us;
	bool final;
	long i;

	tx.path = tx.name = path;
	tx.on_upgrade = on_upgrade;
	must(file_open(&tx, true, &final, &why) == 0);
	begin(DATABASE_LATER);
	must(tx_run(&tx, &why, SQL_QUEUE_ADD, SLICE("io")) == 1);
	commit();
	for (i = 0; i < n; i += AT_A_TIME)
		submit(i, n - i < AT_A_TIME ? n - i : AT_A_TIME);
	begin_us = clock_mono_us();
	while ((i = claim()) > 0) {
		record(i);
		settle(i);
	}
	file_close(&tx);
	return begin_us;
}

int
main(int argc, char **argv)
{
	int64_t begin_us = clock_mono_us();
	long n;

	if (argc != 4 || (n = strtol(argv[3], NULL, 10)) < 1)
		errx(64,
		     "usage: sqlite_floor_bench row|bulk|statements FILE N");
	if (strcmp(argv[1], "statements") == 0)
		begin_us = run_statements(argv[2], n);
	else
		insert_rows(argv[2], n,
			    strcmp(argv[1], "bulk") == 0 ? IN_BULK : 1);
	printf("%.1f\n",
	       (double)n / ((double)(clock_mono_us() - begin_us) / 1e6));
	return 0;
}
