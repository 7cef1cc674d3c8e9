/* SPDX-License-Identifier: MIT */
/* Series, health, doctor, scheduler, server and logs, over real stores. */
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "store/results.h"
#include "suite.h"
#include "util/clock.h"
#include "web/desk.h"

static const struct measure *batch;
static size_t batch_n;

static void
on_added(const struct err *err, void *arg)
{
	query_end(arg, err);
}

static void
send_batch(struct query *q)
{
	results_measure(q->client->results, clock_wall_us() / 1000000, batch,
			batch_n, on_added, q);
}

static void
add(struct desk *d, const struct measure *measures, size_t n)
{
	struct query q = {.client = d->client,
			  .send = send_batch,
			  .of_results = true,
			  .once = true};
	struct err err;

	batch = measures;
	batch_n = n;
	ck_assert_msg(query_run(&q, &err) == 0, "%s", err.msg);
}

static const char *
text_at(const struct desk *d, const char *name)
{
	const char *text = json_string_value(desk_at(d, name, NULL));

	return text != NULL ? text : "";
}

/* --- series --------------------------------------------------------------- */

START_TEST(a_series_has_what_was_counted)
{
	const struct measure measures[] = {
	    {SLICE("io"), SLICE("add"), MEASURE_SUCCEEDED, 7},
	    {SLICE("cpu"), SLICE("sub"), MEASURE_FAILED, 2},
	    {SLICE("io"), SLICE("add"), MEASURE_RUN + 7, 7}};
	struct desk *d = desk_open(_i);
	json_int_t sum = 0;
	json_t *point;
	size_t i;

	free(desk_submit(d, "add", "[1]", "io"));
	add(d, measures, 3);
	desk_get(d, "/api/v1/series?name=tasks&queue=io&step=60");
	json_array_foreach (desk_at(d, "points", NULL), i, point)
		sum += json_integer_value(json_object_get(point, "succeeded"));
	ck_assert_int_eq(sum, 7);
	ck_assert_uint_eq(json_array_size(desk_at(d, "points", NULL)), 61);
	desk_get(d, "/api/v1/series?name=duration&task=add");
	ck_assert_int_eq(json_integer_value(desk_at(d, "all", "count", NULL)),
			 7);
	ck_assert_uint_eq(json_array_size(desk_at(d, "buckets", NULL)), 1);
	desk_get(d, "/api/v1/series/names");
	ck_assert_str_eq(json_string_value(desk_at(d, "tasks", "1", NULL)),
			 "sub");
	desk_close(d);
}
END_TEST

START_TEST(what_is_no_series_is_refused_by_its_parameter)
{
	static const struct {
		const char *query, *field;
	} bad[] = {{"", "name"},
		   {"?name=speed", "name"},
		   {"?name=tasks&step=61", "step"},
		   {"?name=tasks&step=7200", "step"},
		   {"?name=tasks&queue=a%20b", "queue"},
		   {"?name=tasks&task=%00", "task"},
		   {"?name=tasks&from=2026-01-02T00:00:00Z"
		    "&to=2026-01-01T00:00:00Z",
		    "from"},
		   {"?name=tasks&step=60&from=2020-01-01T00:00:00Z", "from"}};
	struct desk *d = desk_open(DESK_SQLITE);
	char target[160];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(target, sizeof(target), "/api/v1/series%s",
			 bad[i].query);
		ck_assert_msg(desk_ask(d, "GET", target, NULL) == 400, "%s: %u",
			      target, d->status);
		if (strstr(target, "%00") == NULL)
			ck_assert_str_eq(text_at(d, "field"), bad[i].field);
	}
	desk_close(d);
}
END_TEST

/* --- health --------------------------------------------------------------- */

START_TEST(health_tells_of_each_component)
{
	struct desk *d = desk_open(_i);

	free(desk_submit(d, "add", "[1]", "io"));
	desk_get(d, "/api/v1/health");
	/* No worker runs. */
	ck_assert(json_is_false(desk_at(d, "healthy", NULL)));
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "components", "0", "component", NULL)),
	    "broker");
	ck_assert(json_is_true(desk_at(d, "components", "0", "healthy", NULL)));
	desk_get(d, "/api/v1/doctor");
	ck_assert_uint_gt(json_array_size(desk_at(d, "items", NULL)), 0);
	ck_assert_ptr_nonnull(desk_at(d, "items", "0", "remedy", NULL));
	desk_close(d);
}
END_TEST

START_TEST(the_servers_are_told_with_their_times)
{
	struct desk *d = desk_open(_i);

	free(desk_submit(d, "add", "[1]", "io"));
	desk_get(d, "/api/v1/server");
	ck_assert(json_is_true(desk_at(d, "broker", "up", NULL)));
	ck_assert_double_gt(json_real_value(desk_at(d, "broker", "rtt", NULL)),
			    0);
	ck_assert_double_lt(json_real_value(desk_at(d, "broker", "rtt", NULL)),
			    5);
	ck_assert_ptr_nonnull(
	    strstr(json_string_value(desk_at(d, "broker", "server", NULL)),
		   _i == DESK_REDIS ? "Redis" : "SQLite"));
	ck_assert(json_is_true(desk_at(d, "backend", "same", NULL)));
	desk_close(d);
}
END_TEST

START_TEST(a_server_that_is_away_has_an_error_and_no_times)
{
	static const char *const quick[] = {"broker.socket_timeout=0.2",
					    "backend.socket_timeout=0.2", NULL};
	struct desk *d = desk_open_with(DESK_REDIS, quick);

	redis_server_kill(d->redis);
	desk_get(d, "/api/v1/server");
	ck_assert(json_is_false(desk_at(d, "broker", "up", NULL)));
	ck_assert(json_is_null(desk_at(d, "broker", "rtt", NULL)));
	ck_assert(json_is_string(desk_at(d, "broker", "error", NULL)));
	desk_get(d, "/api/v1/health");
	ck_assert(json_is_false(desk_at(d, "healthy", NULL)));
	redis_server_restart(d->redis);
	desk_close(d);
}
END_TEST

START_TEST(the_scheduler_has_figures)
{
	struct desk *d = desk_open(DESK_SQLITE);

	if (desk_ask(d, "GET", "/api/v1/scheduler", NULL) == 200)
		ck_assert_ptr_nonnull(desk_at(d, "schedulers", NULL));
	else
		/* There is no database yet. */
		ck_assert_uint_ge(d->status, 404);
	desk_close(d);
}
END_TEST

/* --- logs ----------------------------------------------------------------- */

static const char failed[] =
    "{\"task_id\":\"t1\",\"status\":\"failed\",\"task_name\":\"add\","
    "\"attempts\":2,\"finished_at\":\"2026-11-23T12:00:00Z\","
    "\"output\":\"one\\ntwo\\n\",\"error\":\"burnt\"}";

static void
on_put(struct results_put *put)
{
	query_end(put->arg, NULL);
}

static void
send_put(struct query *q)
{
	static struct results_put put;

	put = (struct results_put){.id = SLICE("t1"),
				   .record = SLICE(failed),
				   .final = true,
				   .failed = true,
				   .ttl_s = 60,
				   .on_done = on_put,
				   .arg = q};
	results_put(q->client->results, &put);
}

START_TEST(the_output_that_was_kept_are_the_logs)
{
	struct desk *d = desk_open(_i);
	struct query q = {.client = d->client,
			  .send = send_put,
			  .of_results = true,
			  .once = true};
	struct err err;

	free(desk_submit(d, "add", "[1]", "io"));
	ck_assert_int_eq(query_run(&q, &err), 0);
	desk_get(d, "/api/v1/tasks/t1/logs");
	ck_assert_str_eq(text_at(d, "source"), "output");
	ck_assert_uint_eq(json_array_size(desk_at(d, "lines", NULL)), 3);
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "lines", "1", "text", NULL)), "two");
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "lines", "2", "stream", NULL)),
	    "error");
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "lines", "0", "attempt", NULL)), 2);
	/* From there on there is nothing more. */
	ck_assert_str_eq(text_at(d, "next"), "o:3");
	desk_get(d, "/api/v1/tasks/t1/logs?after=o:3");
	ck_assert_uint_eq(json_array_size(desk_at(d, "lines", NULL)), 0);
	desk_get(d, "/api/v1/tasks/t1/logs?after=o:2");
	ck_assert_uint_eq(json_array_size(desk_at(d, "lines", NULL)), 1);
	desk_close(d);
}
END_TEST

START_TEST(cursors_that_were_made_up_are_refused)
{
	static const char *const bad[] = {"x",	  "o:",		"o:x", "o:1x",
					  "o:-1", "j:nonsense", "1"};
	struct desk *d = desk_open(DESK_SQLITE);
	char target[100];
	size_t i;

	free(desk_submit(d, "add", "[1]", "io"));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(target, sizeof(target),
			 "/api/v1/tasks/t1/logs?after=%s", bad[i]);
		ck_assert_msg(desk_ask(d, "GET", target, NULL) == 400, "%s: %u",
			      bad[i], d->status);
		ck_assert_str_eq(text_at(d, "field"), "after");
	}
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/tasks/nobody/logs", NULL),
			  404);
	desk_close(d);
}
END_TEST

SUITE("web-health")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_series_has_what_was_counted, 0, DESK_N_STORES);
	TEST(what_is_no_series_is_refused_by_its_parameter);
	TEST_LOOP(health_tells_of_each_component, 0, DESK_N_STORES);
	TEST_LOOP(the_servers_are_told_with_their_times, 0, DESK_N_STORES);
	TEST(a_server_that_is_away_has_an_error_and_no_times);
	TEST(the_scheduler_has_figures);
	TEST_LOOP(the_output_that_was_kept_are_the_logs, 0, DESK_N_STORES);
	TEST(cursors_that_were_made_up_are_refused);
}
