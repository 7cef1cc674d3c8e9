/* SPDX-License-Identifier: MIT */
/*
 * A large file of schema version 9 is upgraded by processes that are killed, at any
 * write: it is the old one or the new one, and all that was in it is there.
 *
 * FLOWRRA_UPGRADE_ROWS says how many tasks and records (3,000 if unset).
 */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sqlite/shim.h"
#include "store/sqlite/schema.h"
#include "store/stage.h"
#include "suite.h"

#define KILLS 6

static struct stage w;
static int rows;

static void
run_file(const char *path)
{
	char *sql = NULL;
	size_t size = 0;
	FILE *f;

	ck_assert_ptr_nonnull(f = fopen(path, "r"));
	ck_assert_int_gt(getdelim(&sql, &size, '\0', f), 0);
	fclose(f);
	stage_sql(&w, sql);
	free(sql);
}

/* Of n tasks half wait, with their records; the others have ended, one of three
 * failed, and some expire. The order in which they ended is not that of their rows. */
static void
fill(int n)
{
	char sql[2048];

	stage_sql(&w, "PRAGMA journal_mode = WAL");
	snprintf(
	    sql, sizeof(sql),
	    "CREATE TEMP TABLE n AS WITH c (i) AS (SELECT 1 UNION ALL "
	    "SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c;"
	    "INSERT INTO queues (name, size, next) SELECT 'io', count(*), %d "
	    "FROM n WHERE i %% 2;"
	    "INSERT INTO tasks SELECT 1 << 40 | i, CAST(printf("
	    "'{\"id\":\"t%%d\",\"name\":\"n\"}', i) AS BLOB) FROM n WHERE i %% "
	    "2;"
	    "INSERT INTO waiting SELECT 1, 0, i, 1 << 40 | i, 0 FROM n "
	    "WHERE i %% 2;"
	    "INSERT INTO results (id, record, final, task, failed, ended, "
	    "expires) "
	    "SELECT 't' || i, "
	    "CAST(printf('{\"task_id\":\"t%%d\",\"pad\":\"%%.*c\"}',"
	    " i, 300, 'x') AS BLOB), i %% 2 = 0, iif(i %% 2, 1 << 40 | i, "
	    "NULL), "
	    "i %% 2 = 0 AND i %% 3 = 0, iif(i %% 2, NULL, %d - i / 2), "
	    "iif(i %% 5, 4102444800000, NULL) FROM n;"
	    "UPDATE results SET expires = NULL WHERE NOT final;"
	    "UPDATE totals SET succeeded = %d, failed = %d",
	    n, n + 1, n, n, n);
	stage_sql(&w, sql);
}

/* Opens the file, which upgrades it. In a process that is killed by itself at
 * operation `nth`, or lives. Returns the operations of one that lives, or -1. */
static int
upgrade(enum shim_fault fault, int nth)
{
	struct party *p;
	int out[2], n = -1, status;
	pid_t pid;

	ck_assert_int_eq(pipe(out), 0);
	if ((pid = fork()) == 0) {
		event_reinit(w.base);
		shim_install();
		shim_fail(fault, nth, 1);
		/* It is "down" while it is upgraded. */
		p = party_begin(&w, &(struct party_options){.worker = NULL});
		while (p->ups == 0)
			event_base_loop(w.base, EVLOOP_ONCE);
		n = shim_operations();
		_exit(write(out[1], &n, sizeof(n)) == sizeof(n) ? 0 : 1);
	}
	close(out[1]);
	if (read(out[0], &n, sizeof(n)) != sizeof(n))
		n = -1;
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL
				      : WEXITSTATUS(status) == 0);
	return n;
}

static int
count(const char *sql)
{
	return stage_sql(&w, sql);
}

static void
ck_is_whole(void)
{
	ck_assert_int_eq(count("SELECT count(*) FROM pragma_integrity_check "
			       "WHERE integrity_check <> 'ok'"),
			 0);
	ck_assert_int_eq(count("SELECT count(*) FROM results"), rows);
	ck_assert_int_eq(count("SELECT count(*) FROM tasks"), (rows + 1) / 2);
}

static void
ck_is_new(void)
{
	ck_assert_int_eq(count("PRAGMA user_version"), schema_version());
	ck_assert_int_eq(
	    count("SELECT count(*) FROM ids i CROSS JOIN results r "
		  "ON r.number = -i.place WHERE r.id = i.id"),
	    rows);
	ck_assert_int_eq(
	    count("SELECT count(*) FROM results "
		  "WHERE number < 1 << 45 AND NOT final "
		  "AND task = 1 << 40 | CAST(substr(id, 2) AS INT)"),
	    (rows + 1) / 2);
	/* In each kind the last to end has the highest number. */
	ck_assert_int_eq(
	    count(
		"SELECT count(*) FROM (SELECT CAST(substr(id, 2) AS INT) AS i, "
		"lag(CAST(substr(id, 2) AS INT)) OVER (PARTITION BY number >> "
		"45 "
		"ORDER BY number) AS before FROM results WHERE final) "
		"WHERE before <= i"),
	    0);
	ck_assert_int_eq(
	    count("SELECT count(*) FROM results WHERE final AND "
		  "(CAST(substr(id, 2) AS INT) % 3 = 0) <> (number >> 45 = 2)"),
	    0);
	ck_assert_int_eq(
	    count("SELECT count(*) FROM results WHERE final AND "
		  "(CAST(substr(id, 2) AS INT) % 5 = 0) <> (expires IS NULL)"),
	    0);
}

/* It can be used: what waits is claimed, what has ended is found and listed. */
static void
ck_works(void)
{
	struct party *worker = party_open(&w, "host:a");
	struct backend *r = backend_open(&w);

	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert(party_has(worker, 0, "{\"id\":\"t1\",\"name\":\"n\"}"));
	ck_assert_ptr_nonnull(backend_get(&w, r, "t1"));
	ck_assert_ptr_nonnull(backend_get(&w, r, "t2"));
	backend_put(&w, r, "t1", "{\"task_id\":\"t1\"}", true, 60);
	ck_assert_int_eq(r->answer, RESULTS_STORED);
	backend_put(&w, r, "t2", "{}", true, 60);
	ck_assert_int_eq(r->answer, RESULTS_ENDED);
	backend_close(r);
	party_close(worker);
}

START_TEST(an_upgrade_that_is_killed_at_any_write_leaves_a_whole_file)
{
	const char *given = getenv("FLOWRRA_UPGRADE_ROWS");
	int all, i;

	rows = given != NULL ? atoi(given) : 3000;
	stage_open(&w, KIND_SQLITE);
	run_file("tests/sqlite/version-9.sql");
	fill(rows);
	/* How many writes there are, is known by a file like it. */
	snprintf(w.url + strlen(w.url), sizeof(w.url) - strlen(w.url), "2");
	run_file("tests/sqlite/version-9.sql");
	fill(rows);
	ck_assert_int_gt(all = upgrade(SHIM_NONE, 0), KILLS);
	w.url[strlen(w.url) - 1] = '\0';
	for (i = 1; i <= KILLS; i++) {
		ck_assert_int_eq(upgrade(i % 2 ? SHIM_CUT : SHIM_POWER,
					 i < KILLS ? all * i / KILLS : all - 1),
				 -1);
		ck_is_whole();
	}
	ck_assert_int_gt(upgrade(SHIM_NONE, 0), 0);
	ck_is_whole();
	ck_is_new();
	ck_works();
	stage_close(&w);
}
END_TEST

SUITE("sqlite-upgrade")
{
	SUITE_TIMEOUT(600);
	TEST(an_upgrade_that_is_killed_at_any_write_leaves_a_whole_file);
}
