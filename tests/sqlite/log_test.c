/* SPDX-License-Identifier: MIT */
/*
 * What a process leaves in the log when it ends: who opens the file next reads
 * the log from its beginning, so the last one leaves no long log; but a
 * short-lived producer does not move a short one either.
 */
#include <event2/event.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sqlite/checkpoint.h"
#include "store/stage.h"
#include "suite.h"

/* As in lib/sqlite/checkpoint.c. */
#define LOG_PAGES 2000
#define LOG_PAGES_MAX (8 * LOG_PAGES)
#define LOG_PAGES_LEFT CHECKPOINT_LEFT_PAGES

static struct stage w;

static uint32_t
big_endian(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* How many pages the next one would read: those that have the salt of the log's
 * header. What is behind them is of before the last checkpoint. */
static unsigned int
log_frames(void)
{
	unsigned char head[32], frame[24];
	unsigned int n = 0;
	char path[300];
	long size;
	FILE *f;

	snprintf(path, sizeof(path), "%s-wal", stage_path(&w));
	if ((f = fopen(path, "re")) == NULL)
		return 0;
	if (fread(head, sizeof(head), 1, f) == 1) {
		size = (long)big_endian(head + 8);
		while (fread(frame, sizeof(frame), 1, f) == 1 &&
		       memcmp(frame + 8, head + 16, 8) == 0 &&
		       fseek(f, size, SEEK_CUR) == 0)
			n++;
	}
	fclose(f);
	return n;
}

/* Ten tasks at a time, each batch in one transaction. */
static void
submit(struct party *producer, unsigned int n)
{
	struct broker_submit tasks[10];
	char bytes[10][32], ids[10][16];
	static unsigned int number;
	unsigned int i, k;

	for (i = 0; i < n; i += 10) {
		for (k = 0; k < 10; k++) {
			snprintf(ids[k], sizeof(ids[k]), "%u", ++number);
			snprintf(bytes[k], sizeof(bytes[k]), "{\"id\":\"%u\"}",
				 number);
			tasks[k] =
			    (struct broker_submit){.queue = "io",
						   .id = slice_of(ids[k]),
						   .bytes = slice_of(bytes[k])};
		}
		party_submit_batch(producer, tasks, 10);
	}
}

/* Until the log has that many pages. */
static void
grow(struct party *producer, unsigned int pages)
{
	unsigned int i;

	for (i = 0; log_frames() < pages; i++) {
		ck_assert_uint_lt(i, LOG_PAGES);
		submit(producer, 10);
	}
}

START_TEST(a_producer_that_ends_behind_5000_tasks_leaves_a_short_log)
{
	struct party *producer;

	stage_open(&w, KIND_SQLITE);
	producer = party_open(&w, NULL);
	submit(producer, 5000);
	/* It may just have been moved. */
	grow(producer, LOG_PAGES_LEFT);
	party_close(producer);
	ck_assert_uint_lt(log_frames(), LOG_PAGES_LEFT);
	producer = party_open(&w, NULL);
	party_submit(producer, "more", "{}", 0, 0);
	ck_assert_uint_lt(log_frames(), LOG_PAGES_LEFT);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* The log is moved by the last submission, and yet as long as before. */
START_TEST(a_log_that_was_moved_just_before_the_end_is_not_left_either)
{
	struct party *producer;

	stage_open(&w, KIND_SQLITE);
	producer = party_open(&w, NULL);
	grow(producer, LOG_PAGES);
	party_close(producer);
	ck_assert_uint_lt(log_frames(), LOG_PAGES_LEFT);
	stage_close(&w);
}
END_TEST

static void
take_stat(const char *suffix, struct stat *st)
{
	char path[300];

	snprintf(path, sizeof(path), "%s%s", stage_path(&w), suffix);
	ck_assert_msg(stat(path, st) == 0, "%s", path);
}

START_TEST(a_short_log_stays_and_who_only_looks_writes_nothing)
{
	static const char *const files[] = {"", "-wal"};
	struct stat before[2], after[2];
	struct party *p;
	unsigned int frames;
	int i;

	stage_open(&w, KIND_SQLITE);
	p = party_open(&w, NULL);
	submit(p, 10);
	party_close(p);
	frames = log_frames();
	ck_assert_uint_gt(frames, 0);
	for (i = 0; i < 2; i++)
		take_stat(files[i], &before[i]);
	p = party_open(&w, NULL);
	p->answered = false;
	broker_queues(p->broker, SLICE("io"), party_on_queues, p);
	UNTIL(&w, p->answered);
	ck_assert_int_eq(p->stats.waiting, 10);
	party_close(p);
	ck_assert_uint_eq(log_frames(), frames);
	for (i = 0; i < 2; i++) {
		take_stat(files[i], &after[i]);
		ck_assert_int_eq(after[i].st_size, before[i].st_size);
		ck_assert_int_eq(after[i].st_mtim.tv_sec,
				 before[i].st_mtim.tv_sec);
		ck_assert_int_eq(after[i].st_mtim.tv_nsec,
				 before[i].st_mtim.tv_nsec);
	}
	stage_close(&w);
}
END_TEST

static int
count_tasks(sqlite3 *db)
{
	sqlite3_stmt *stmt;
	int n = -1;

	if (sqlite3_prepare_v2(db, "SELECT count(*) FROM tasks", -1, &stmt,
			       NULL) == 0 &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		n = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

/* Has the file open, and reads it when it is told to. */
static void
be_another(int ready, int go)
{
	sqlite3 *db;
	int before, after;
	char byte;

	if (sqlite3_open(stage_path(&w), &db) != 0)
		_exit(1);
	before = count_tasks(db);
	if (write(ready, "", 1) != 1 || read(go, &byte, 1) != 1)
		_exit(1);
	after = count_tasks(db);
	_exit(before == 10 && after > 10 ? 0 : 2);
}

START_TEST(a_log_that_another_process_reads_is_left_to_it)
{
	int ready[2], go[2], status;
	struct party *producer;
	unsigned int frames;
	char byte;
	pid_t pid;

	stage_open(&w, KIND_SQLITE);
	producer = party_open(&w, NULL);
	submit(producer, 10);
	party_close(producer);
	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_ge(pid = fork(), 0);
	if (pid == 0)
		be_another(ready[1], go[0]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	producer = party_open(&w, NULL);
	grow(producer, LOG_PAGES_LEFT);
	frames = log_frames();
	party_close(producer);
	ck_assert_uint_eq(log_frames(), frames);
	ck_assert_int_eq(write(go[1], "", 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	stage_close(&w);
}
END_TEST

/* Reads until it is told to end, as a backup does, or what was stopped. */
static void
be_reader(int ready, int go)
{
	sqlite3 *db;
	char byte;

	if (sqlite3_open(stage_path(&w), &db) != 0 ||
	    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != 0 ||
	    count_tasks(db) != 0 || write(ready, "", 1) != 1)
		_exit(1);
	_exit(read(go, &byte, 1) == 0 ? 0 : 2);
}

static void
submit_large(struct party *p, unsigned int n)
{
	static char bytes[60000];
	char id[16];

	memset(bytes, ' ', sizeof(bytes) - 1);
	while (n-- > 0) {
		snprintf(id, sizeof(id), "large-%u", n);
		ck_assert_int_eq(party_submit(p, id, bytes, 0, 0), ERR_NONE);
	}
}

/* With patience for locks of 30 s, a submission that met a process which waits
 * for the reader would not be there in time. */
START_TEST(a_reader_that_does_not_end_holds_up_nobody_and_is_named)
{
	struct party *worker, *producer;
	int ready[2], go[2], status;
	char name[64], byte;
	pid_t pid;

	stage_open(&w, KIND_SQLITE);
	w.options.timeout_ms = 30000;
	worker = party_open(&w, "host:a");
	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_ge(pid = fork(), 0);
	if (pid == 0) {
		close(go[1]);
		be_reader(ready[1], go[0]);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	/* 16 pages each: more than twice the length at which it is waited for,
	 * and more than is reported. */
	submit_large(worker, LOG_PAGES_MAX / 7);
	ck_assert_uint_gt(log_frames(), 2 * LOG_PAGES_MAX);
	producer = party_open(&w, NULL);
	ck_assert_int_eq(party_submit(producer, "lone", "{}", 0, 0), ERR_NONE);
	producer->answered = false;
	broker_examine(producer->broker, party_on_report, producer);
	UNTIL(&w, producer->answered);
	snprintf(name, sizeof(name), "process %d (", (int)pid);
	ck_assert_msg(strstr(producer->value, name) != NULL, "%s: not in %s",
		      name, producer->value);
	close(go[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	party_close(producer);
	party_close(worker);
	stage_close(&w);
}
END_TEST

SUITE("sqlite-log")
{
	TEST(a_producer_that_ends_behind_5000_tasks_leaves_a_short_log);
	TEST(a_log_that_was_moved_just_before_the_end_is_not_left_either);
	TEST(a_short_log_stays_and_who_only_looks_writes_nothing);
	TEST(a_log_that_another_process_reads_is_left_to_it);
	TEST(a_reader_that_does_not_end_holds_up_nobody_and_is_named);
}
