/* SPDX-License-Identifier: MIT */
/* What only the Redis backend has to do right: what it keeps, and lists of it. */
#include <stdio.h>
#include <string.h>

#include "redis_server.h"
#include "store/redis_stage.h"
#include "store/stage.h"
#include "suite.h"

#define RECORD "{\"task_id\":\"%s\",\"status\":\"%s\"}"

static struct stage w;

struct page {
	bool answered;
	size_t n;
	char first[128]; /* record */
	char next[128];
};

static void
end(struct backend *r, const char *id, const char *status)
{
	char record[128];

	snprintf(record, sizeof(record), RECORD, id, status);
	backend_put(&w, r, id, record, true, 60);
}

static void
on_stored(struct results_put *put)
{
	++*(unsigned int *)put->arg;
}

/* A note for each task would cost a third of the speed. */
START_TEST(what_ends_in_one_turn_of_the_loop_is_noted_at_once)
{
	enum { N = 100 };
	struct results_put puts[N];
	char ids[N][8], records[N][1024];
	unsigned int stored = 0;
	struct backend *r;
	int i;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	for (i = 0; i < N; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%d", i);
		snprintf(records[i], sizeof(records[i]), RECORD, ids[i],
			 i % 2 == 0 ? "success" : "failed");
		puts[i] = (struct results_put){.id = slice_of(ids[i]),
					       .record = slice_of(records[i]),
					       .final = true,
					       .failed = i % 2 != 0,
					       .ttl_s = 60,
					       .on_done = on_stored,
					       .arg = &stored};
		results_put(r->results, &puts[i]);
	}
	UNTIL(&w, stored == N);
	UNTIL(&w, stage_number(&w, "LLEN flowrra:failed") == N / 2);
	ck_assert_int_eq(stage_number(&w, "LLEN flowrra:completed"), N / 2);
	ck_assert_int_eq(stage_calls(&w, "lpush"), 2);
	ck_assert_int_eq(stage_calls(&w, "hincrby"), 2);
	ck_assert(stage_has(&w, "LINDEX flowrra:failed 0", "99"));
	ck_assert(stage_has(&w, "LINDEX flowrra:failed -1", "1"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

/* --- what is looked for before it is stored ------------------------------ */

START_TEST(the_list_of_what_has_ended_does_not_grow_for_ever)
{
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	redis_server_run(
	    w.server, "EVAL %s 0",
	    "for i = 1, 101000 do redis.call('LPUSH', 'flowrra:failed', i) "
	    "end");
	end(r, "last", "failed");
	UNTIL(&w, stage_number(&w, "LLEN flowrra:failed") == RESULTS_LIST_MAX);
	ck_assert(stage_has(&w, "LINDEX flowrra:failed 0", "last"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

static void
on_page(const struct slice *records, size_t n, struct slice next,
	const struct err *err, void *arg)
{
	struct page *page = arg;

	ck_assert_msg(err == NULL, "%s", err ? err->msg : "");
	page->answered = true;
	page->n = n;
	snprintf(page->first, sizeof(page->first), "%.*s",
		 n > 0 ? (int)records[0].len : 0, n > 0 ? records[0].p : "");
	snprintf(page->next, sizeof(page->next), "%.*s", (int)next.len, next.p);
}

static void
list(struct backend *r, struct page *page)
{
	char cursor[sizeof(page->next)];

	strcpy(cursor, page->next);
	page->answered = false;
	results_list(r->results, true, slice_of(cursor), 1, on_page, page);
	UNTIL(&w, page->answered);
}

/* Many tasks have ended since the page before: no call looks for its end for
 * long. */
START_TEST(a_list_goes_on_however_much_it_has_grown)
{
	struct page page = {.n = 0};
	struct backend *r;
	int calls = 0;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	end(r, "1", "failed");
	end(r, "2", "failed");
	list(r, &page);
	ck_assert_ptr_nonnull(strstr(page.first, "\"2\""));
	redis_server_run(
	    w.server, "EVAL %s 0",
	    "for i = 1, 12345 do redis.call('LPUSH', 'flowrra:failed', i) end");
	do {
		list(r, &page);
		calls++;
	} while (page.n == 0 && page.next[0] != '\0');
	ck_assert_int_eq(calls, 3);
	ck_assert_ptr_nonnull(strstr(page.first, "\"1\""));
	/* What is not there any more has nothing behind it. */
	strcpy(page.next, "3:gone");
	do
		list(r, &page);
	while (page.n == 0 && page.next[0] != '\0');
	ck_assert_uint_eq(page.n, 0);
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(a_list_is_asked_for_again_when_the_server_has_forgotten_the_script)
{
	struct page page = {.n = 0};
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	end(r, "1", "failed");
	end(r, "2", "failed");
	list(r, &page);
	redis_server_run(w.server, "SCRIPT FLUSH");
	list(r, &page); /* with its cursor */
	ck_assert_ptr_nonnull(strstr(page.first, "\"1\""));
	backend_close(r);
	stage_close(&w);
}
END_TEST

static void
on_refused(const struct slice *records, size_t n, struct slice next,
	   const struct err *err, void *arg)
{
	ck_assert_ptr_nonnull(err);
	*(struct err *)arg = *err;
}

START_TEST(what_is_no_cursor_is_refused)
{
	static const char *const cursors[] = {
	    "x", "1", ":1", "-1:a", "1x:a", "99999999999999999999:a"};
	struct backend *r;
	struct err err;
	size_t i;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	for (i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
		err.code = ERR_NONE;
		results_list(r->results, false, slice_of(cursors[i]), 10,
			     on_refused, &err);
		ck_assert_int_eq(err.code, ERR_NONE); /* from the loop */
		UNTIL(&w, err.code != ERR_NONE);
		ck_assert_int_eq(err.code, ERR_DATA);
	}
	backend_close(r);
	stage_close(&w);
}
END_TEST

static void
close_when_told(struct slice record, const struct err *err, void *arg)
{
	struct backend **r = arg;

	ck_assert_ptr_nonnull(err);
	ck_assert_ptr_nonnull(*r);
	backend_close(*r);
	*r = NULL;
}

START_TEST(who_is_told_that_the_server_is_gone_may_close_the_backend)
{
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	redis_server_kill(w.server);
	UNTIL(&w, !results_is_up(r->results));
	results_get(r->results, SLICE("1"), close_when_told, &r);
	results_get(r->results, SLICE("2"), close_when_told, &r);
	UNTIL(&w, r == NULL);
	stage_linger(&w, 50);
	stage_close(&w);
}
END_TEST

START_TEST(a_full_server_lists_and_counts_what_ends)
{
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	end(r, "before", "success");
	redis_server_run(w.server, "CONFIG SET maxmemory 1");
	end(r, "1", "success");
	end(r, "2", "failed");
	UNTIL(&w, stage_has(&w, "LINDEX flowrra:completed 0", "1"));
	UNTIL(&w, stage_has(&w, "LINDEX flowrra:failed 0", "2"));
	UNTIL(&w, stage_has(&w, "HGET flowrra:stats failed", "1"));
	/* What was refused before it was known to be full was sent twice. */
	ck_assert(stage_has(&w, "HGET flowrra:stats succeeded", "2") ||
		  stage_has(&w, "HGET flowrra:stats succeeded", "3"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

/* Somebody may have taken LPUSH from our user: no result hangs on it. */
START_TEST(a_note_that_is_refused_keeps_no_record_back)
{
	struct backend *r;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	redis_server_run(w.server, "ACL SETUSER default -lpush");
	end(r, "1", "failed");
	ck_assert_ptr_nonnull(backend_get(&w, r, "1"));
	redis_server_run(w.server, "ACL SETUSER default +@all");
	end(r, "2", "failed");
	UNTIL(&w, stage_number(&w, "LLEN flowrra:failed") == 1);
	backend_close(r);
	stage_close(&w);
}
END_TEST

#define CLAIMED 20

/* A note of a worker's task waits for its next record, or a moment; and not at all
 * when the worker is about to end. */
START_TEST(each_of_the_tasks_that_end_one_after_another_is_noted)
{
	struct party *producer, *worker;
	struct backend *r;
	char id[8];
	int i;

	stage_open(&w, KIND_REDIS);
	r = backend_open(&w);
	producer = party_open(&w, NULL);
	for (i = 0; i < CLAIMED; i++) {
		snprintf(id, sizeof(id), "%d", i);
		party_submit(producer, id, "[1]", 0, 0);
	}
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, CLAIMED);
	UNTIL(&w, worker->n_claims == CLAIMED);
	for (i = 0; i < CLAIMED; i++) {
		snprintf(id, sizeof(id), "%d", i);
		backend_put_of(&w, r, id, "{\"status\":\"success\"}", true,
			       worker->claims[i]);
		if (i == CLAIMED - 2)
			results_hurry(r->results);
	}
	UNTIL(&w, stage_number(&w, "HGET flowrra:stats succeeded") == CLAIMED);
	ck_assert_int_eq(stage_number(&w, "LLEN flowrra:completed"), CLAIMED);
	backend_close(r);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

SUITE("results-redis-only")
{
	TEST(each_of_the_tasks_that_end_one_after_another_is_noted);
	TEST(what_ends_in_one_turn_of_the_loop_is_noted_at_once);
	TEST(the_list_of_what_has_ended_does_not_grow_for_ever);
	TEST(a_list_goes_on_however_much_it_has_grown);
	TEST(
	    a_list_is_asked_for_again_when_the_server_has_forgotten_the_script);
	TEST(what_is_no_cursor_is_refused);
	TEST(who_is_told_that_the_server_is_gone_may_close_the_backend);
	TEST(a_full_server_lists_and_counts_what_ends);
	TEST(a_note_that_is_refused_keeps_no_record_back);
}
