/* SPDX-License-Identifier: MIT */
/* What results.h promises of records and watches, of every implementation. `_i` is
 * the kind. */
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

START_TEST(a_record_is_stored_and_read)
{
	struct backend *r;

	stage_open(&w, _i);
	r = backend_begin(&w);
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
	backend_reopen(&w, storing, "1", PENDING);
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

#define CASES(kind)                                                            \
	X(a_record_is_stored_and_read, kind)                                   \
	X(a_final_record_is_gone_when_its_time_is_over, kind)                  \
	X(a_record_that_comes_late_does_not_replace_the_final_one, kind)       \
	X(a_watch_tells_the_record_and_then_the_final_one, kind)               \
	X(a_watch_waits_for_a_record_that_is_not_there_yet, kind)              \
	X(many_watches_are_all_told, kind)                                     \
	X(a_watch_is_told_wherever_its_task_is_in_a_batch, kind)               \
	X(pending_records_are_made_once_and_can_be_taken_away, kind)           \
	X(who_follows_a_task_is_told_of_each_record, kind)

#define X(name, kind) TEST_LOOP(name, kind, (kind) + 1);
static void
fill_redis(TCase *suite_case_)
{
	CASES(KIND_REDIS)
}

static void
fill_sentinel(TCase *suite_case_)
{
	tcase_add_checked_fixture(suite_case_, stage_use_sentinel, NULL);
	CASES(KIND_REDIS)
}

static void
fill_cluster(TCase *suite_case_)
{
	SUITE_TIMEOUT(60);
	tcase_add_checked_fixture(suite_case_, stage_use_cluster, NULL);
	CASES(KIND_REDIS)
}

static void
fill_sqlite(TCase *suite_case_)
{
	CASES(KIND_SQLITE)
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
