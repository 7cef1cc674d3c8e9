/* SPDX-License-Identifier: MIT */
/* What results.h promises, of every implementation. `_i` is the kind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/stage.h"
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
	r = backend_open(&w);
	ck_assert_ptr_null(backend_get(&w, r, "1"));
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
on_created(struct err *errs, size_t n, void *arg)
{
	(void)errs;
	(void)n;
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

#define CASES(kind)                                                            \
	X(a_record_is_stored_and_read, kind)                                   \
	X(a_final_record_is_gone_when_its_time_is_over, kind)                  \
	X(a_record_that_comes_late_does_not_replace_the_final_one, kind)       \
	X(a_watch_tells_the_record_and_then_the_final_one, kind)               \
	X(a_watch_waits_for_a_record_that_is_not_there_yet, kind)              \
	X(many_watches_are_all_told, kind)                                     \
	X(pending_records_are_made_once_and_can_be_taken_away, kind)

#define X(name, kind) TEST_LOOP(name, kind, (kind) + 1);
static void
fill_redis(TCase *suite_case_)
{
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
}
