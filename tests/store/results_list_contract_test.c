/* SPDX-License-Identifier: MIT */
/* What results.h promises to those who run it, of every implementation: lists and
 * counts of what has ended, and what ends once more. `_i` is the kind. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/stage.h"
#include "suite.h"

#define PENDING "{\"task_id\":\"1\",\"status\":\"pending\",\"task_name\":\"t\"}"
#define RUNNING "{\"task_id\":\"1\",\"status\":\"running\",\"task_name\":\"t\"}"
#define SUCCESS                                                                \
	"{\"task_id\":\"1\",\"status\":\"success\",\"task_name\":\"t\","       \
	"\"result\":5}"

static struct stage w;

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
	r = backend_begin(&w);
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
	r = backend_begin(&w);
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

START_TEST(a_record_that_is_reopened_can_end_again)
{
	struct backend *r;

	stage_open(&w, _i);
	r = backend_open(&w);
	end(r, "1", "failed", 60);
	backend_reopen(&w, r, "1", PENDING);
	ck_assert_str_eq(backend_get(&w, r, "1"), PENDING);
	ck_assert_str_eq(list(r, true, 10), "");
	backend_put(&w, r, "1", RUNNING, false, 0);
	ck_assert_str_eq(backend_get(&w, r, "1"), RUNNING);
	backend_put(&w, r, "1", SUCCESS, true, 60);
	ck_assert_str_eq(backend_get(&w, r, "1"), SUCCESS);
	ck_assert_str_eq(list(r, false, 10), "1 ");
	ck_assert_str_eq(list(r, true, 10), "");
	backend_reopen(&w, r, "2", PENDING);
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
	backend_reopen(&w, r, "1", PENDING);
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
	backend_reopen(&w, r, "1", PENDING);
	end(r, "1", "failed", 60);
	ck_assert_str_eq(list(r, true, 10), "1 2 ");
	backend_close(r);
	stage_close(&w);
}
END_TEST

#define CASES(kind)                                                            \
	X(what_has_ended_is_listed_the_last_first, kind)                       \
	X(a_list_goes_on_where_it_was_while_more_tasks_end, kind)              \
	X(what_has_expired_is_not_listed, kind)                                \
	X(tasks_that_have_ended_are_counted, kind)                             \
	X(a_record_that_is_reopened_can_end_again, kind)                       \
	X(a_record_that_is_reopened_has_no_life, kind)                         \
	X(a_task_that_ended_twice_is_listed_once, kind)

#define X(name, kind) TEST_LOOP(name, kind, (kind) + 1);
static void
fill_list_redis(TCase *suite_case_)
{
	CASES(KIND_REDIS)
}

static void
fill_list_sentinel(TCase *suite_case_)
{
	tcase_add_checked_fixture(suite_case_, stage_use_sentinel, NULL);
	CASES(KIND_REDIS)
}

static void
fill_list_cluster(TCase *suite_case_)
{
	SUITE_TIMEOUT(60);
	tcase_add_checked_fixture(suite_case_, stage_use_cluster, NULL);
	CASES(KIND_REDIS)
}

static void
fill_list_sqlite(TCase *suite_case_)
{
	CASES(KIND_SQLITE)
}
#undef X

__attribute__((constructor)) static void
register_list_suites(void)
{
	suite_register("results-list-redis", fill_list_redis);
	suite_register("results-list-sqlite", fill_list_sqlite);
	suite_register("results-list-sentinel", fill_list_sentinel);
	suite_register("results-list-cluster", fill_list_cluster);
}
