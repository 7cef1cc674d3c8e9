/* SPDX-License-Identifier: MIT */
/* The embedded database does not grow for ever. */
#include <event2/event.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/stage.h"
#include "suite.h"

static struct stage w;

static int
count(const char *sql)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int n;

	ck_assert_int_eq(sqlite3_open(stage_path(&w), &db), 0);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), 0);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return n;
}

static off_t
size_of(const char *suffix)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", stage_path(&w), suffix);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

START_TEST(expired_records_are_removed_on_the_way)
{
	struct backend *r;
	char id[16];
	int i;

	stage_open(&w, KIND_SQLITE);
	r = backend_open(&w);
	for (i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "old%d", i);
		backend_put(&w, r, id, "{}", true, 1);
	}
	UNTIL(&w, backend_get(&w, r, "old99") == NULL);
	for (i = 0; i < 10; i++) {
		snprintf(id, sizeof(id), "new%d", i);
		backend_put(&w, r, id, "{}", true, 60);
	}
	ck_assert_int_eq(count("SELECT count(*) FROM results"), 10);
	backend_close(r);
	stage_close(&w);
}
END_TEST

/* Stores and forgets `mib` MiB of records. */
static void
come_and_go(struct backend *r, int mib)
{
	char *large = malloc((1u << 20) + 1);
	struct slice id;
	char name[16];
	int i;

	memset(large, 'x', 1u << 20);
	large[1u << 20] = '\0';
	for (i = 0; i < mib; i++) {
		snprintf(name, sizeof(name), "%d", i);
		backend_put(&w, r, name, large, true, 60);
	}
	for (i = 0; i < mib; i++) {
		snprintf(name, sizeof(name), "%d", i);
		id = slice_of(name);
		results_forget(r->results, &id, 1);
	}
	backend_put(&w, r, "last", "{}", true, 60);
	free(large);
}

START_TEST(the_log_stays_short_and_free_pages_are_given_back)
{
	struct backend *r;

	stage_open(&w, KIND_SQLITE);
	r = backend_open(&w);
	come_and_go(r, 60);
	/* 60 MiB went through it. */
	ck_assert_int_le(size_of("-wal"), 40 << 20);
	ck_assert_int_ge(size_of(""), 40 << 20);
	UNTIL(&w, count("PRAGMA freelist_count") < 13000);
	backend_close(r);
	stage_close(&w);
}
END_TEST

SUITE("sqlite-tidy")
{
	TEST(expired_records_are_removed_on_the_way);
	TEST(the_log_stays_short_and_free_pages_are_given_back);
}
