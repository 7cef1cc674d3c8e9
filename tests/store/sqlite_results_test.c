/* SPDX-License-Identifier: MIT */
/* What only the SQLite backend has to do right. */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/stage.h"
#include "suite.h"

static struct stage w;

struct listener {
	unsigned int heard, missed;
	int last;
};

static void
on_event(struct slice event, const struct err *err, void *arg)
{
	struct listener *l = arg;

	if (err != NULL) {
		l->missed++;
		return;
	}
	l->heard++;
	l->last = atoi(event.p);
}

static void
begin(struct backend *r, struct listener *l)
{
	*l = (struct listener){.last = -1};
	ck_assert_int_eq(
	    results_listen(r->results,
			   &(struct results_ear){.detail = RESULTS_WHOLE,
						 .on_event = on_event,
						 .arg = l},
			   NULL),
	    0);
}

static void
publish(struct backend *r, int first, int n)
{
	char text[16];
	int i;

	for (i = first; i < first + n; i++) {
		snprintf(text, sizeof(text), "%d", i);
		results_event(r->results, RESULTS_WHOLE, slice_of(text));
	}
}

/* A stage on the same file with a loop, and so an I/O thread, of its own. */
static struct stage
beside(void)
{
	struct stage other = w;

	other.base = other.options.base = event_base_new();
	return other;
}

/* The size of the file that the events are in. */
static int64_t
relayed(void)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof(path), "%s-wake/events", stage_path(&w));
	return stat(path, &st) == 0 ? st.st_size : -1;
}

START_TEST(events_that_all_have_read_are_removed)
{
	struct backend *teller, *ear;
	struct listener l;

	stage_open(&w, KIND_SQLITE);
	teller = backend_open(&w);
	ear = backend_open(&w);
	results_heard(teller->results);
	begin(ear, &l);
	UNTIL(&w, results_heard(teller->results));
	publish(teller, 0, 500);
	UNTIL(&w, l.heard == 500);
	/* How far it has read is not written each time. */
	UNTIL(&w, stage_sql(&w, "SELECT count(*) FROM events") == 0);
	ck_assert_int_gt(relayed(), 0);
	publish(teller, 500, 1);
	UNTIL(&w, l.heard == 501);
	ck_assert_int_lt(relayed(), 500 * 12); /* from its beginning on */
	backend_close(ear);
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM listeners"), 0);
	ck_assert_int_eq(relayed(), 0);
	backend_close(teller);
	stage_close(&w);
}
END_TEST

/* How many events were ever written. */
static int
written(void)
{
	return stage_sql(&w, "SELECT seq FROM sqlite_sequence "
			     "WHERE name = 'events'");
}

START_TEST(a_listener_that_is_too_slow_is_told_so_and_goes_on)
{
	enum { N = 30000, STEP = 500 };
	struct stage other;
	struct backend *teller, *ear;
	struct listener l;
	int i;

	stage_open(&w, KIND_SQLITE);
	other = beside();
	teller = backend_open(&w);
	ear = backend_open(&other);
	results_heard(teller->results);
	begin(ear, &l);
	UNTIL(&w, results_heard(teller->results));
	UNTIL(&other, stage_sql(&w, "SELECT count(*) FROM listeners"));
	/* Nobody turns its loop meanwhile. */
	for (i = 0; i < N; i += STEP) {
		publish(teller, i, STEP);
		stage_linger(&w, 1);
	}
	UNTIL(&w, written() == N);
	ck_assert_int_le(stage_sql(&w, "SELECT count(*) FROM events"), 10500);
	UNTIL(&other, l.last == N - 1);
	ck_assert_uint_eq(l.missed, 1);
	ck_assert_uint_lt(l.heard, N);
	publish(teller, N, 1);
	UNTIL(&w, written() == N + 1);
	UNTIL(&other, l.last == N);
	ck_assert_uint_eq(l.missed, 1);
	backend_close(ear);
	backend_close(teller);
	event_base_free(other.base);
	stage_close(&w);
}
END_TEST

/* By whom, or by a full disk, makes no difference: it is told, and what follows is
 * heard. */
START_TEST(events_whose_bytes_are_gone_are_told_as_missing)
{
	struct stage other;
	struct backend *teller, *ear;
	struct listener l;
	char path[300];
	int n = 1;

	stage_open(&w, KIND_SQLITE);
	other = beside();
	teller = backend_open(&w);
	ear = backend_open(&other);
	results_heard(teller->results);
	begin(ear, &l);
	UNTIL(&w, results_heard(teller->results));
	publish(teller, 0, 1);
	UNTIL(&other, l.last == 0);
	snprintf(path, sizeof(path), "%s-wake/events", stage_path(&w));
	/* It may just be looking, and hear one in time. */
	for (; l.missed == 0; n++) {
		publish(teller, n, 1);
		UNTIL(&w, written() == n + 1);
		ck_assert_int_eq(truncate(path, 0), 0);
		UNTIL(&other, (int)(l.heard + l.missed) == n + 1);
	}
	publish(teller, n, 1);
	UNTIL(&w, written() == n + 1);
	UNTIL(&other, l.last == n);
	ck_assert_uint_eq(l.missed, 1);
	ck_assert_uint_eq(l.heard, (unsigned int)n);
	backend_close(ear);
	backend_close(teller);
	event_base_free(other.base);
	stage_close(&w);
}
END_TEST

/* By somebody who tidies up. Who has it open goes on with the new one, as those do
 * who come later. */
START_TEST(events_are_heard_when_their_file_was_removed)
{
	struct stage other;
	struct backend *teller, *ear;
	struct listener l;
	char path[300];

	stage_open(&w, KIND_SQLITE);
	teller = backend_open(&w);
	ear = backend_open(&w);
	results_heard(teller->results);
	begin(ear, &l);
	UNTIL(&w, results_heard(teller->results));
	publish(teller, 0, 1);
	UNTIL(&w, l.last == 0);
	backend_close(ear);
	snprintf(path, sizeof(path), "%s-wake/events", stage_path(&w));
	ck_assert_int_eq(unlink(path), 0);
	other = beside();
	ear = backend_open(&other);
	results_heard(teller->results);
	begin(ear, &l);
	UNTIL(&other, stage_sql(&w, "SELECT count(*) FROM listeners") == 1);
	UNTIL(&w, results_heard(teller->results));
	publish(teller, 1, 1);
	UNTIL(&w, relayed() > 0);
	UNTIL(&other, l.last == 1);
	ck_assert_uint_eq(l.missed, 0);
	ck_assert_uint_eq(l.heard, 1);
	backend_close(ear);
	backend_close(teller);
	event_base_free(other.base);
	stage_close(&w);
}
END_TEST

START_TEST(a_listener_that_was_killed_is_noticed)
{
	struct backend *teller, *ear;
	struct listener l;
	int ready[2], status;
	char scrap;
	pid_t pid;

	stage_open(&w, KIND_SQLITE);
	ck_assert_int_eq(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		event_reinit(w.base);
		ear = backend_open(&w);
		begin(ear, &l);
		stage_linger(&w, 100);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &scrap, 1), 1);
	teller = backend_open(&w);
	results_heard(teller->results);
	UNTIL(&w, results_heard(teller->results));
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM listeners"), 1);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	UNTIL(&w, (publish(teller, 0, 1), !results_heard(teller->results)));
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM listeners"), 0);
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM events"), 0);
	backend_close(teller);
	stage_close(&w);
}
END_TEST

START_TEST(a_listener_that_was_taken_for_dead_enters_again)
{
	struct backend *teller, *ear;
	struct listener l;

	stage_open(&w, KIND_SQLITE);
	teller = backend_open(&w);
	ear = backend_open(&w);
	results_heard(teller->results);
	begin(ear, &l);
	UNTIL(&w, results_heard(teller->results));
	stage_sql(&w, "UPDATE listeners SET number = number + 5");
	publish(teller, 0, 1);
	UNTIL(&w, l.missed == 1);
	publish(teller, 1, 1);
	UNTIL(&w, l.last == 1);
	backend_close(ear);
	backend_close(teller);
	stage_close(&w);
}
END_TEST

/* What is large goes a little at a time, all of it in the end. */
START_TEST(expired_records_go_by_their_bytes)
{
	struct backend *r;
	int left, before, rounds = 0;
	char id[16];

	stage_open(&w, KIND_SQLITE);
	r = backend_open(&w);
	backend_put(&w, r, "first", "{}", false, 0);
	/* Some in the order in which they expire, and some out of it. */
	stage_sql(&w, "UPDATE totals SET succeeded = 40; "
		      "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
		      "WHERE i < 40) INSERT INTO results (number, id, "
		      "record, final, expires, early) SELECT "
		      "(1 << 45) + i, 'x' || i, zeroblob(1048576), 1, "
		      "i, iif(i % 2, 1, NULL) FROM n");
	left = stage_sql(&w, "SELECT count(*) FROM results");
	do {
		before = left;
		snprintf(id, sizeof(id), "r%d", rounds++);
		backend_put(&w, r, id, "{}", true, 3600);
		left = stage_sql(&w, "SELECT count(*) FROM results "
				     "WHERE expires < 1000");
		ck_assert_int_ge(left, before - 4);
		ck_assert_int_lt(rounds, 42);
	} while (left > 0);
	backend_close(r);
	stage_close(&w);
}
END_TEST

static void
on_page(const struct slice *records, size_t n, struct slice next,
	const struct err *err, void *arg)
{
	ck_assert_ptr_nonnull(err);
	*(struct err *)arg = *err;
}

START_TEST(what_is_no_cursor_is_refused)
{
	static const char *const cursors[] = {
	    "x", "1x", " 1", "1:2", "--1", "99999999999999999999"};
	struct err err;
	struct backend *r;
	size_t i;

	stage_open(&w, KIND_SQLITE);
	party_close(party_open(&w, "host:a"));
	r = backend_open(&w);
	for (i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
		err.code = ERR_NONE;
		results_list(r->results, false, slice_of(cursors[i]), 10,
			     on_page, &err);
		UNTIL(&w, err.code != ERR_NONE);
		ck_assert_int_eq(err.code, ERR_DATA);
	}
	backend_close(r);
	stage_close(&w);
}
END_TEST

SUITE("results-sqlite-only")
{
	TEST(expired_records_go_by_their_bytes);
	TEST(events_that_all_have_read_are_removed);
	TEST(a_listener_that_is_too_slow_is_told_so_and_goes_on);
	TEST(events_whose_bytes_are_gone_are_told_as_missing);
	TEST(events_are_heard_when_their_file_was_removed);
	TEST(a_listener_that_was_killed_is_noticed);
	TEST(a_listener_that_was_taken_for_dead_enters_again);
	TEST(what_is_no_cursor_is_refused);
}
