/* SPDX-License-Identifier: MIT */
/* A task's life: its states, retries, order, delays and limits. */
#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"

START_TEST(a_task_is_pending_then_running_then_a_success)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	const char *id = submit(w, "sleep 0.3 --force --queue io");

	ck_field(w, id, "status", "pending");
	ck_field(w, id, "started_at", "null");
	ck_assert_int_eq(
	    redis_integer(world_redis(w), "TTL flowrra:task:%s", id), -1);
	worker_start(w, NULL);
	wait_status(w, id, "running");
	ck_assert_str_ne(field(w, id, "started_at"), "null");
	ck_field(w, id, "finished_at", "null");
	wait_status(w, id, "success");
	ck_assert_str_ne(field(w, id, "finished_at"), "null");
	world_stop(w);
}
END_TEST

START_TEST(a_record_lives_as_long_as_configured)
{
	const struct world_options o = {.config = "[backend]\nttl = 90m\n"};
	struct world *w = world_start(&o);
	const char *good = submit(w, "add 1 2"),
		   *bad = submit(w, "fail --max-retries 0");
	long long ttl;

	wait_status(w, good, "success");
	ttl = redis_integer(world_redis(w), "TTL flowrra:task:%s", good);
	ck_assert(ttl > 5300 && ttl <= 5400);
	wait_status(w, bad, "failed");
	ttl = redis_integer(world_redis(w), "TTL flowrra:task:%s", bad);
	ck_assert(ttl > 5300 && ttl <= 5400);
	world_stop(w);
}
END_TEST

/* Its list is deleted, as by an old copy of the server; another task, which is
 * delayed, is still there. */
START_TEST(a_task_that_is_gone_fails_as_lost)
{
	const struct world_options o = {
	    .no_worker = true, .config = "[worker]\nlost_after = 1s\n"};
	struct world *w = world_start(&o);
	const char *gone = submit(w, "add 1 2 --queue io --force"),
		   *later = submit(w, "add 1 2 --queue io --force --delay 1h");

	redis_server_run(world_redis(w), "DEL flowrra:queue:io");
	worker_start(w, NULL);
	wait_status(w, gone, "failed");
	ck_field(w, gone, "reason", "lost");
	ck_field(w, later, "status", "pending");
	ck_assert_int_ge(
	    redis_integer(world_redis(w), "TTL flowrra:task:%s", gone), 60);
	ck_assert_int_eq(
	    redis_integer(world_redis(w), "TTL flowrra:task:%s", later), -1);
	ck_assert_int_eq(delayed(w, "io"), 1);
	world_stop(w);
}
END_TEST

/* --- retries ------------------------------------------------------------- */

START_TEST(a_retry_waits_in_the_delayed_set_and_holds_no_slot)
{
	const struct world_options o = {.config =
					    "[executor]\nio_workers = 1\n"};
	struct world *w = world_start(&o);
	double score, now = redis_now_ms(w);
	const char *id = submit(w, "fail --retry-delay 100");

	wait_status(w, id, "retrying");
	ck_field(w, id, "error", "as it was told to");
	ck_field(w, id, "retries", "1");
	WAIT_UNTIL(delayed(w, "io") == 1);
	the_delayed(w, "io", &score);
	ck_assert(score >= now + 100000 && score < now + 100000 + PATIENCE_MS);
	ck_assert_str_eq(submit(w, "add 1 2 --wait --wait-timeout 20"), "3");
	WAIT_UNTIL(in_flight(w, "io") == 0);
	world_stop(w);
}
END_TEST

START_TEST(a_task_that_fails_at_first_succeeds_in_the_end)
{
	struct world *w = world_start(NULL);
	const char *id = submit(w, "flaky 3 --retry-delay 50ms");

	wait_status(w, id, "success");
	ck_field(w, id, "result", "3");
	ck_field(w, id, "retries", "2");
	ck_field(w, id, "attempts", "3");
	ck_field(w, id, "error", "null");
	ck_assert_int_eq(dead(w, "io"), 0);
	world_stop(w);
}
END_TEST

/* Each of the three attempts, with all that is told of it. */
static void
check_history(struct world *w, const char *info)
{
	const char *history = info;
	int i;

	for (i = 1; i <= 3; i++) {
		history =
		    strstr(history,
			   world_text(w, "{\"attempt\":%d,\"started_at\":", i));
		ck_assert_msg(history != NULL, "attempt %d: %s", i, info);
	}
	ck_assert_ptr_nonnull(
	    strstr(history, "\"worker\":\"test:1\",\"reason\":\"failed\","
			    "\"error\":\"it is broken\"}]"));
}

START_TEST(retries_that_are_used_up_leave_a_dead_task)
{
	struct world *w = world_start(NULL);
	const char *id =
	    submit(w, "fail 'it is broken' --max-retries 2 --retry-delay 0");
	const char *info;

	wait_status(w, id, "failed");
	ck_field(w, id, "retries", "2");
	ck_field(w, id, "attempts", "3");
	ck_field(w, id, "error", "it is broken");
	WAIT_UNTIL(dead(w, "io") == 1);
	ck_assert_str_eq(json_field(w, dead_task(w, "io", id), "args"),
			 "[\"it is broken\"]");
	info = dead_info(w, "io", id);
	ck_assert_str_eq(json_field(w, info, "reason"), "failed");
	ck_assert_str_eq(json_field(w, info, "error"), "it is broken");
	ck_assert_str_eq(json_field(w, info, "attempts"), "3");
	check_history(w, info);
	ck_assert_int_eq(delayed(w, "io"), 0);
	world_stop(w);
}
END_TEST

START_TEST(a_hopeless_failure_is_not_tried_again)
{
	struct world *w = world_start(NULL);
	const char *id = submit(w, "add 1 --max-retries 5");

	wait_status(w, id, "failed");
	ck_field(w, id, "attempts", "1");
	world_stop(w);
}
END_TEST

/* Where the retry comes from is no matter: so each is pushed with a later one,
 * and the delay can be read rather than waited for. */
static const struct {
	const char *more;
	int current_retry;
	double low, high; /* seconds */
} backoffs[] = {
    {"", 0, 100, 100},
    {"", 5, 100, 100},
    {",\"retry_backoff\":2", 0, 100, 100},
    {",\"retry_backoff\":2", 1, 200, 200},
    {",\"retry_backoff\":2", 4, 1600, 1600},
    {",\"retry_backoff\":3,\"retry_delay_max\":5000", 3, 2700, 2700},
    {",\"retry_backoff\":3,\"retry_delay_max\":5000", 4, 5000, 5000},
    {",\"retry_backoff\":2,\"retry_jitter\":0.5", 1, 100, 200},
};

START_TEST(backoff_grows_to_its_limit_and_jitter_takes_its_part)
{
	struct world *w = world_start(NULL);
	const double now = redis_now_ms(w);
	double score;

	push(w, world_text(w,
			   "{\"id\":\"b\",\"name\":\"fail\",\"args\":[],"
			   "\"kwargs\":{},\"max_retries\":9,\"retry_delay\":"
			   "100,\"current_retry\":%d,\"priority\":0,"
			   "\"cpu_bound\":false%s}",
			   backoffs[_i].current_retry, backoffs[_i].more));
	WAIT_UNTIL(delayed(w, "io") == 1);
	the_delayed(w, "io", &score);
	ck_assert_double_ge(score, now + backoffs[_i].low * 1000);
	ck_assert_double_le(score,
			    redis_now_ms(w) + backoffs[_i].high * 1000 + 1);
	world_stop(w);
}
END_TEST

/* --- order and delay ----------------------------------------------------- */

START_TEST(lower_priorities_run_first_and_equal_ones_in_their_order)
{
	static const char *const priorities[] = {"0",  "5", "-3", "0",
						 "-3", "1", "5",  "-10"};
	static const int order[] = {7, 2, 4, 0, 3, 5, 1, 6};
	const struct world_options o = {.no_worker = true,
					.modules = "demo noop",
					.config =
					    "[executor]\nio_workers = 1\n"};
	struct world *w = world_start(&o);
	const char *started[8], *ids[8];
	size_t i;

	for (i = 0; i < 8; i++)
		ids[i] = submit(w, "stamp --force --queue io --priority %s",
				priorities[i]);
	worker_start(w, NULL);
	for (i = 0; i < 8; i++)
		wait_status(w, ids[i], "success");
	for (i = 0; i < 8; i++)
		started[i] = field(w, ids[order[i]], "result");
	for (i = 1; i < 8; i++)
		ck_assert_str_lt(started[i - 1], started[i]);
	world_stop(w);
}
END_TEST

START_TEST(a_task_of_higher_priority_overtakes_those_that_wait)
{
	const struct world_options o = {
	    .modules = "demo noop", .config = "[executor]\nio_workers = 1\n"};
	struct world *w = world_start(&o);
	const char *gate = submit(w, "sleep 60"), *late, *urgent;

	wait_status(w, gate, "running");
	late = submit(w, "stamp");
	urgent = submit(w, "stamp --priority -1");
	ctl_ok(w, "cancel %s", gate);
	wait_status(w, late, "success");
	wait_status(w, urgent, "success");
	ck_assert_str_lt(field(w, urgent, "result"), field(w, late, "result"));
	world_stop(w);
}
END_TEST

START_TEST(a_delayed_task_runs_when_it_is_due)
{
	const struct world_options o = {.modules = "demo noop"};
	struct world *w = world_start(&o);
	double before = redis_now_ms(w);
	const char *later = submit(w, "stamp --delay 700ms"),
		   *at = submit(w, "stamp --at \"$(date -u -d '+2 sec' "
				   "+%%Y-%%m-%%dT%%H:%%M:%%S)Z\""),
		   *far = submit(w, "stamp --delay 10d");
	double stamp;

	ck_field(w, far, "status", "pending");
	wait_status(w, later, "success");
	stamp = strtod(field(w, later, "result"), NULL) / 1000;
	ck_assert_double_ge(stamp, before + 700);
	ck_assert_double_lt(stamp, before + 700 + 5000);
	wait_status(w, at, "success");
	stamp = strtod(field(w, at, "result"), NULL) / 1000;
	ck_assert_double_ge(stamp, before + 1000);
	ck_assert_double_lt(stamp, before + 2000 + 5000);
	ck_assert_int_eq(delayed(w, "io"), 1);
	world_stop(w);
}
END_TEST

START_TEST(an_expired_task_is_not_begun)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	const char *id = submit(w, "add 1 2 --force --queue io --expires 10ms");
	struct worker *k;

	/* The time passes while nobody is there to run it. */
	run(w, "sleep 0.05");
	k = worker_start(w, WORLD_COMMAND " -o worker.log_level=info");
	wait_status(w, id, "failed");
	WAIT_UNTIL(worker_logged(k, "(add) expired: "));
	ck_assert(!worker_logged(k, "attempt"));
	ck_field(w, id, "reason", "expired");
	ck_field(w, id, "started_at", "null");
	WAIT_UNTIL(in_flight(w, "io") == 0);
	ck_assert_int_eq(dead(w, "io"), 0);
	world_stop(w);
}
END_TEST

SUITE("life")
{
	SUITE_TIMEOUT(90);
	TEST(a_task_is_pending_then_running_then_a_success);
	TEST(a_record_lives_as_long_as_configured);
	TEST(a_task_that_is_gone_fails_as_lost);
	TEST(a_retry_waits_in_the_delayed_set_and_holds_no_slot);
	TEST(a_task_that_fails_at_first_succeeds_in_the_end);
	TEST(retries_that_are_used_up_leave_a_dead_task);
	TEST(a_hopeless_failure_is_not_tried_again);
	TEST_LOOP(backoff_grows_to_its_limit_and_jitter_takes_its_part, 0,
		  (int)(sizeof(backoffs) / sizeof(backoffs[0])));
	TEST(lower_priorities_run_first_and_equal_ones_in_their_order);
	TEST(a_task_of_higher_priority_overtakes_those_that_wait);
	TEST(a_delayed_task_runs_when_it_is_due);
	TEST(an_expired_task_is_not_begun);
}
