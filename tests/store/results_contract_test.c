/* SPDX-License-Identifier: MIT */
/* What results.h promises, of every implementation. `_i` is the kind. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/stage.h"
#include "suite.h"

#define PENDING "{\"task_id\":\"1\",\"status\":\"pending\",\"task_name\":\"t\"}"
#define RUNNING "{\"task_id\":\"1\",\"status\":\"running\",\"task_name\":\"t\"}"
#define SUCCESS                                                                \
	"{\"task_id\":\"1\",\"status\":\"success\",\"task_name\":\"t\","       \
	"\"result\":5}"

static struct stage w;

/* One watch, and what it was told. */
struct watcher {
	struct results_watch *watch;
	unsigned int told;
	char last[256];
};

static void
on_watched(struct slice record, const struct err *err, void *arg)
{
	struct watcher *watcher = arg;

	if (err != NULL)
		return;
	watcher->told++;
	memset(watcher->last, 0, sizeof(watcher->last));
	if (record.len > 0)
		memcpy(watcher->last, record.p, record.len);
}

static void
watch(struct backend *r, const char *id, struct watcher *watcher)
{
	struct err err;

	watcher->watch =
	    results_watch(r->results, slice_of(id), on_watched, watcher, &err);
	ck_assert_ptr_nonnull(watcher->watch);
}

/* What only reads makes no database: something is stored before. */
static struct backend *
backend_begin(void)
{
	struct backend *r = backend_open(&w);

	backend_put(&w, r, "before", RUNNING, false, 0);
	return r;
}

START_TEST(a_record_is_stored_and_read)
{
	struct backend *r;

	stage_open(&w, _i);
	r = backend_begin();
	ck_assert_ptr_null(backend_get(&w, r, "1"));
	ck_assert(r->none);
	backend_put(&w, r, "1", RUNNING, false, 0);
	ck_assert_str_eq(backend_get(&w, r, "1"), RUNNING);
	backend_put(&w, r, "1", SUCCESS, true, 60);
	ck_assert_str_eq(backend_get(&w, r, "1"), SUCCESS);
	ck_assert_uint_eq(results_unconfirmed(r->results), 0);
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(a_record_that_comes_late_does_not_replace_the_final_one)
{
	struct backend *r;

	stage_open(&w, _i);
	r = backend_open(&w);
	backend_put(&w, r, "1", SUCCESS, true, 60);
	backend_put(&w, r, "1", RUNNING, false, 0);
	ck_assert_str_eq(backend_get(&w, r, "1"), SUCCESS);
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(a_final_record_is_gone_when_its_time_is_over)
{
	struct backend *r;

	stage_open(&w, _i);
	r = backend_open(&w);
	backend_put(&w, r, "1", SUCCESS, true, 1);
	backend_put(&w, r, "2", SUCCESS, true, 0);
	ck_assert_ptr_nonnull(backend_get(&w, r, "1"));
	UNTIL(&w, backend_get(&w, r, "1") == NULL);
	ck_assert_ptr_nonnull(backend_get(&w, r, "2"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(a_watch_tells_the_record_and_then_the_final_one)
{
	struct backend *watching, *storing;
	struct watcher a = {.told = 0}, b = {.told = 0};

	stage_open(&w, _i);
	watching = backend_open(&w);
	storing = backend_open(&w);
	backend_put(&w, storing, "1", PENDING, false, 0);
	watch(watching, "1", &a);
	UNTIL(&w, a.told == 1);
	ck_assert_str_eq(a.last, PENDING);
	stage_linger(&w, 100);
	backend_put(&w, storing, "1", SUCCESS, true, 60);
	UNTIL(&w, strcmp(a.last, SUCCESS) == 0);
	watch(watching, "1", &b); /* after the fact */
	UNTIL(&w, b.told == 1);
	ck_assert_str_eq(b.last, SUCCESS);
	stage_linger(&w, 100);
	ck_assert_uint_eq(b.told, 1);
	results_unwatch(a.watch);
	results_unwatch(b.watch);
	backend_close(storing);
	backend_close(watching);
	stage_close(&w);
}
END_TEST

START_TEST(a_watch_waits_for_a_record_that_is_not_there_yet)
{
	struct backend *watching, *storing;
	struct watcher a = {.told = 0}, b = {.told = 0};

	stage_open(&w, _i);
	watching = backend_open(&w);
	storing = backend_open(&w);
	watch(watching, "1", &a);
	watch(watching, "1", &b);
	UNTIL(&w, a.told == 1 && b.told == 1);
	ck_assert_str_eq(a.last, "");
	results_unwatch(b.watch);
	backend_put(&w, storing, "1", PENDING, false, 0);
	backend_put(&w, storing, "1", SUCCESS, true, 60);
	UNTIL(&w, strcmp(a.last, SUCCESS) == 0);
	ck_assert_uint_eq(b.told, 1);
	results_unwatch(a.watch);
	backend_close(storing);
	backend_close(watching);
	stage_close(&w);
}
END_TEST

START_TEST(many_watches_are_all_told)
{
	enum { N = 300 };
	struct watcher *watchers = calloc(N, sizeof(*watchers));
	struct backend *watching, *storing;
	char id[16];
	int i;

	stage_open(&w, _i);
	watching = backend_open(&w);
	storing = backend_open(&w);
	for (i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		watch(watching, id, &watchers[i]);
	}
	for (i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		backend_put(&w, storing, id, SUCCESS, true, 60);
	}
	for (i = 0; i < N; i++) {
		UNTIL(&w, strcmp(watchers[i].last, SUCCESS) == 0);
		results_unwatch(watchers[i].watch);
	}
	free(watchers);
	backend_close(storing);
	backend_close(watching);
	stage_close(&w);
}
END_TEST

static void
on_one_stored(struct results_put *put)
{
	--*(unsigned int *)put->arg;
}

/* The first goes alone, the others together, as one batch. */
static void
put_together(struct backend *r, const char *const *ids, unsigned int n,
	     const char *record, bool final)
{
	struct results_put puts[8];
	unsigned int left = n, i;

	ck_assert_uint_le(n, 8);
	for (i = 0; i < n; i++) {
		puts[i] = (struct results_put){.id = slice_of(ids[i]),
					       .record = slice_of(record),
					       .final = final,
					       .ttl_s = final ? 60 : 0,
					       .on_done = on_one_stored,
					       .arg = &left};
		results_put(r->results, &puts[i]);
	}
	UNTIL(&w, left == 0);
}

/* One at a time: who is woken for one task looks at all that he waits for. */
static void
expect_told(struct backend *watching, struct backend *storing, const char *id,
	    bool follows)
{
	static const char *const ids[] = {"m", "n", "z", "a", "k", "ab", "zz"};
	struct watcher watcher = {.told = 0};
	struct err err;

	put_together(storing, ids, 7, PENDING, false);
	watcher.watch = (follows ? results_follow : results_watch)(
	    watching->results, slice_of(id), on_watched, &watcher, &err);
	ck_assert_ptr_nonnull(watcher.watch);
	UNTIL(&w, strcmp(watcher.last, PENDING) == 0);
	/* The store may need a moment to hear of us. */
	stage_linger(&w, 100);
	put_together(storing, ids, 7, follows ? RUNNING : SUCCESS, !follows);
	UNTIL(&w, strcmp(watcher.last, follows ? RUNNING : SUCCESS) == 0);
	results_unwatch(watcher.watch);
}

/* First, last, and between the others by the order of IDs. */
START_TEST(a_watch_is_told_wherever_its_task_is_in_a_batch)
{
	static const char *const watched[] = {"a", "zz", "k"};
	struct backend *watching, *storing;
	int i;

	for (i = 0; i < 6; i++) {
		stage_open(&w, _i);
		watching = backend_open(&w);
		storing = backend_open(&w);
		expect_told(watching, storing, watched[i % 3], i < 3);
		backend_close(storing);
		backend_close(watching);
		stage_close(&w);
	}
}
END_TEST

static void
on_created(struct err *errs, size_t n, void *arg)
{
	*(bool *)arg = true;
}

START_TEST(pending_records_are_made_once_and_can_be_taken_away)
{
	const struct slice ids[] = {SLICE("1"), SLICE("2")};
	const struct slice records[] = {SLICE(PENDING), SLICE(PENDING)};
	struct err errs[2];
	struct backend *r;
	bool created = false;

	stage_open(&w, _i);
	r = backend_open(&w);
	backend_put(&w, r, "2", RUNNING, false, 0);
	results_create(r->results, ids, records, errs, 2, on_created, &created);
	UNTIL(&w, created);
	ck_assert_int_eq(errs[0].code, ERR_NONE);
	ck_assert_int_eq(errs[1].code, ERR_REFUSED);
	ck_assert_str_eq(backend_get(&w, r, "1"), PENDING);
	ck_assert_str_eq(backend_get(&w, r, "2"), RUNNING);
	results_forget(r->results, ids, 1);
	UNTIL(&w, backend_get(&w, r, "1") == NULL);
	ck_assert_ptr_nonnull(backend_get(&w, r, "2"));
	backend_close(r);
	stage_close(&w);
}
END_TEST

/* --- for those who run it ---------------------------------------------- */

/* A task ends. */
static void
end(struct backend *r, const char *id, const char *status, int64_t ttl_s)
{
	char record[128];

	snprintf(record, sizeof(record),
		 "{\"task_id\":\"%s\",\"status\":\"%s\"}", id, status);
	backend_put(&w, r, id, record, true, ttl_s);
}

struct listing {
	bool answered;
	char ids[1024]; /* each with a space behind */
	char next[256];
};

static void
on_page(const struct slice *records, size_t n, struct slice next,
	const struct err *err, void *arg)
{
	static const char before[] = "{\"task_id\":\"";
	struct listing *l = arg;
	const char *id;
	size_t i;

	ck_assert_msg(err == NULL, "%s", err ? err->msg : "");
	for (i = 0; i < n; i++) {
		ck_assert_int_eq(memcmp(records[i].p, before, strlen(before)),
				 0);
		id = records[i].p + strlen(before);
		strncat(l->ids, id, strcspn(id, "\""));
		strcat(l->ids, " ");
	}
	snprintf(l->next, sizeof(l->next), "%.*s", (int)next.len,
		 next.len > 0 ? next.p : "");
	l->answered = true;
}

/* Adds the next page; returns whether that was the last. */
static bool
list_page(struct backend *r, bool failed, unsigned int n, struct listing *l)
{
	char cursor[256];

	strcpy(cursor, l->next);
	l->answered = false;
	results_list(r->results, failed, slice_of(cursor), n, on_page, l);
	UNTIL(&w, l->answered);
	return l->next[0] == '\0';
}

/* All that is listed, in pages of n. */
static const char *
list(struct backend *r, bool failed, unsigned int n)
{
	static struct listing l;

	l = (struct listing){.answered = false};
	while (!list_page(r, failed, n, &l))
		;
	return l.ids;
}

static void
on_counts(const struct results_counts *counts, const struct err *err, void *arg)
{
	struct backend *r = arg;

	r->answered = true;
	r->err.code = err != NULL ? err->code : ERR_NONE;
	if (counts != NULL)
		snprintf(r->record, sizeof(r->record),
			 "%" PRId64 " succeeded, %" PRId64 " failed",
			 counts->succeeded, counts->failed);
}

static const char *
counts(struct backend *r)
{
	r->answered = false;
	results_counts(r->results, on_counts, r);
	UNTIL(&w, r->answered);
	ck_assert_msg(r->err.code == ERR_NONE, "%s", r->err.msg);
	return r->record;
}

START_TEST(what_has_ended_is_listed_the_last_first)
{
	struct backend *r;

	stage_open(&w, _i);
	r = backend_begin();
	ck_assert_str_eq(list(r, false, 10), "");
	end(r, "1", "success", 60);
	end(r, "2", "failed", 60);
	end(r, "3", "success", 0);
	end(r, "4", "success", 60);
	end(r, "5", "failed", 60);
	backend_put(&w, r, "6", RUNNING, false, 0);
	ck_assert_str_eq(list(r, false, 10), "4 3 1 ");
	ck_assert_str_eq(list(r, true, 10), "5 2 ");
	ck_assert_str_eq(list(r, false, 1), "4 3 1 ");
	ck_assert_str_eq(list(r, false, 3), "4 3 1 ");
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(a_list_goes_on_where_it_was_while_more_tasks_end)
{
	struct listing l = {.answered = false};
	struct backend *r;

	stage_open(&w, _i);
	r = backend_open(&w);
	end(r, "1", "success", 60);
	end(r, "2", "success", 60);
	end(r, "3", "success", 60);
	ck_assert(!list_page(r, false, 2, &l));
	end(r, "4", "success", 60);
	end(r, "5", "success", 60);
	while (!list_page(r, false, 2, &l))
		;
	ck_assert_str_eq(l.ids, "3 2 1 ");
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(what_has_expired_is_not_listed)
{
	struct backend *r;

	stage_open(&w, _i);
	r = backend_open(&w);
	end(r, "1", "success", 60);
	end(r, "2", "success", 1);
	end(r, "3", "success", 60);
	UNTIL(&w, backend_get(&w, r, "2") == NULL);
	ck_assert_str_eq(list(r, false, 10), "3 1 ");
	ck_assert_str_eq(list(r, false, 1), "3 1 ");
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(tasks_that_have_ended_are_counted)
{
	struct backend *r;
	int i;

	stage_open(&w, _i);
	r = backend_begin();
	ck_assert_str_eq(counts(r), "0 succeeded, 0 failed");
	for (i = 0; i < 3; i++)
		end(r, i == 0 ? "1" : i == 1 ? "2" : "3", "success", 60);
	end(r, "4", "failed", 60);
	backend_put(&w, r, "5", RUNNING, false, 0);
	ck_assert_str_eq(counts(r), "3 succeeded, 1 failed");
	backend_close(r);
	stage_close(&w);
}
END_TEST

static void
reopen(struct backend *r, const char *id, const char *record)
{
	r->answered = false;
	results_reopen(r->results, slice_of(id), slice_of(record),
		       backend_on_record, r);
	UNTIL(&w, r->answered);
	ck_assert_msg(r->err.code == ERR_NONE, "%s", r->err.msg);
	ck_assert(!r->found);
}

/* A watch that waits for the end alone is not told of the steps before
 * it. */
START_TEST(who_follows_a_task_is_told_of_each_record)
{
	struct backend *following, *storing;
	struct watcher waits = {.told = 0}, follows = {.told = 0};
	struct err err;

	stage_open(&w, _i);
	following = backend_open(&w);
	storing = backend_open(&w);
	backend_put(&w, storing, "1", PENDING, false, 0);
	watch(following, "1", &waits);
	UNTIL(&w, waits.told == 1);
	follows.watch = results_follow(following->results, SLICE("1"),
				       on_watched, &follows, &err);
	ck_assert_ptr_nonnull(follows.watch);
	UNTIL(&w, strcmp(follows.last, PENDING) == 0);
	/* The store may need a moment to hear of us. */
	stage_linger(&w, 100);
	backend_put(&w, storing, "11", SUCCESS, false, 0);
	backend_put(&w, storing, "1", RUNNING, false, 0);
	UNTIL(&w, strcmp(follows.last, RUNNING) == 0);
	ck_assert_uint_eq(waits.told, 1);
	backend_put(&w, storing, "1", SUCCESS, true, 60);
	UNTIL(&w, strcmp(follows.last, SUCCESS) == 0);
	ck_assert_str_eq(waits.last, SUCCESS);
	reopen(storing, "1", PENDING);
	UNTIL(&w, strcmp(follows.last, PENDING) == 0);
	backend_put(&w, storing, "1", SUCCESS, true, 60);
	UNTIL(&w, strcmp(follows.last, SUCCESS) == 0);
	ck_assert_uint_eq(waits.told, 2);
	results_unwatch(waits.watch);
	results_unwatch(follows.watch);
	backend_close(storing);
	backend_close(following);
	stage_close(&w);
}
END_TEST

START_TEST(a_record_that_is_reopened_can_end_again)
{
	struct backend *r;

	stage_open(&w, _i);
	r = backend_open(&w);
	end(r, "1", "failed", 60);
	reopen(r, "1", PENDING);
	ck_assert_str_eq(backend_get(&w, r, "1"), PENDING);
	ck_assert_str_eq(list(r, true, 10), "");
	backend_put(&w, r, "1", RUNNING, false, 0);
	ck_assert_str_eq(backend_get(&w, r, "1"), RUNNING);
	backend_put(&w, r, "1", SUCCESS, true, 60);
	ck_assert_str_eq(backend_get(&w, r, "1"), SUCCESS);
	ck_assert_str_eq(list(r, false, 10), "1 ");
	ck_assert_str_eq(list(r, true, 10), "");
	reopen(r, "2", PENDING);
	ck_assert_str_eq(backend_get(&w, r, "2"), PENDING);
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(a_record_that_is_reopened_has_no_life)
{
	struct backend *r;

	stage_open(&w, _i);
	r = backend_open(&w);
	end(r, "1", "failed", 1);
	reopen(r, "1", PENDING);
	end(r, "2", "failed", 1);
	UNTIL(&w, backend_get(&w, r, "2") == NULL);
	ck_assert_str_eq(backend_get(&w, r, "1"), PENDING);
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(a_task_that_ended_twice_is_listed_once)
{
	struct backend *r;

	stage_open(&w, _i);
	r = backend_open(&w);
	end(r, "1", "failed", 60);
	end(r, "2", "failed", 60);
	reopen(r, "1", PENDING);
	end(r, "1", "failed", 60);
	ck_assert_str_eq(list(r, true, 10), "1 2 ");
	backend_close(r);
	stage_close(&w);
}
END_TEST

#define CASES(kind)                                                            \
	X(a_record_is_stored_and_read, kind)                                   \
	X(a_final_record_is_gone_when_its_time_is_over, kind)                  \
	X(a_record_that_comes_late_does_not_replace_the_final_one, kind)       \
	X(a_watch_tells_the_record_and_then_the_final_one, kind)               \
	X(a_watch_waits_for_a_record_that_is_not_there_yet, kind)              \
	X(many_watches_are_all_told, kind)                                     \
	X(a_watch_is_told_wherever_its_task_is_in_a_batch, kind)               \
	X(pending_records_are_made_once_and_can_be_taken_away, kind)

/* What those who run it need. */
#define OPERATOR_CASES(kind)                                                   \
	X(what_has_ended_is_listed_the_last_first, kind)                       \
	X(a_list_goes_on_where_it_was_while_more_tasks_end, kind)              \
	X(what_has_expired_is_not_listed, kind)                                \
	X(tasks_that_have_ended_are_counted, kind)                             \
	X(a_record_that_is_reopened_can_end_again, kind)                       \
	X(who_follows_a_task_is_told_of_each_record, kind)                     \
	X(a_record_that_is_reopened_has_no_life, kind)                         \
	X(a_task_that_ended_twice_is_listed_once, kind)

#define X(name, kind) TEST_LOOP(name, kind, (kind) + 1);
static void
fill_redis(TCase *suite_case_)
{
	CASES(KIND_REDIS)
	OPERATOR_CASES(KIND_REDIS)
}

static void
fill_sentinel(TCase *suite_case_)
{
	tcase_add_checked_fixture(suite_case_, stage_use_sentinel, NULL);
	CASES(KIND_REDIS)
	OPERATOR_CASES(KIND_REDIS)
}

static void
fill_cluster(TCase *suite_case_)
{
	SUITE_TIMEOUT(60);
	tcase_add_checked_fixture(suite_case_, stage_use_cluster, NULL);
	CASES(KIND_REDIS)
	OPERATOR_CASES(KIND_REDIS)
}

static void
fill_sqlite(TCase *suite_case_)
{
	CASES(KIND_SQLITE)
	OPERATOR_CASES(KIND_SQLITE)
}
#undef X

__attribute__((constructor)) static void
register_suites(void)
{
	suite_register("results-redis", fill_redis);
	suite_register("results-sqlite", fill_sqlite);
	suite_register("results-sentinel", fill_sentinel);
	suite_register("results-cluster", fill_cluster);
}
