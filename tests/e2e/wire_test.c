/* SPDX-License-Identifier: MIT */
/* What foreign programs put into Redis, and find there. */
#include <hiredis/hiredis.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"

#define ID "8fb37713-716f-438c-884e-c73492692d08"

START_TEST(a_plain_push_of_another_programs_task_is_run)
{
	static const char task[] =
	    "{\"id\": \"" ID "\", \"name\": \"add\", \"args\": [1, 2], "
	    "\"kwargs\": {}, \"max_retries\": 3, \"retry_delay\": 1.0, "
	    "\"current_retry\": 0, \"priority\": 0, \"cpu_bound\": false}";
	/* As much of a record as can be foretold, in its order. */
	static const char head[] = "{\"task_id\":\"" ID "\","
				   "\"status\":\"success\","
				   "\"task_name\":\"add\",\"result\":3,"
				   "\"error\":null,\"submitted_at\":\"";
	static const char tail[] = ",\"retries\":0,\"args\":[1, 2],"
				   "\"kwargs\":{},\"queue\":\"io\","
				   "\"worker\":\"test:1\",\"attempts\":1}";
	struct world *w = world_start(NULL);
	const char *json;

	push(w, task);
	wait_status(w, ID, "success");
	json = record(w, ID);
	ck_assert_ptr_eq(strstr(json, head), json);
	ck_assert_str_eq(json + strlen(json) - strlen(tail), tail);
	WAIT_UNTIL(in_flight(w, "io") == 0);
	ck_assert_int_eq(waiting(w, "io"), 0);
	world_stop(w);
}
END_TEST

static struct run *
foreign(struct world *w, const char *arguments)
{
	return run(w, "/usr/bin/python3 %s %s/redis.sock %s",
		   world_source(w, "tests/e2e/foreign.py"),
		   redis_server_dir(world_redis(w)), arguments);
}

START_TEST(a_python_program_submits_waits_and_reads_what_it_expects)
{
	struct world *w = world_start(NULL);

	ck_run(foreign(w, "add '[1, 2]'"), 0, "success 0 3\n");
	ck_run(foreign(w, "echo '[\"h\\u00e9\", null, 1e3]'"), 0,
	       "success 0 {\"args\": [\"h\\u00e9\", null, 1000.0], "
	       "\"kwargs\": {}}\n");
	ck_run(foreign(w, "fail '[\"why\"]' max_retries=0"), 0,
	       "failed 0 \"why\"\n");
	ck_run(foreign(w, "flaky '[2]' retry_delay=0.05"), 0, "success 1 2\n");
	world_stop(w);
}
END_TEST

START_TEST(a_python_program_that_subscribes_late_hears_of_the_end)
{
	struct world *w = world_start(NULL);

	ck_run(run(w, "/usr/bin/python3 %s %s/redis.sock 300",
		   world_source(w, "tests/e2e/foreign_wait.py"),
		   redis_server_dir(world_redis(w))),
	       0, "0\n");
	world_stop(w);
}
END_TEST

/* Its producer has named it to nobody, and no worker has been there. */
START_TEST(a_queue_that_only_a_foreign_producer_uses_is_listed)
{
	static const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);

	push(w, "{\"id\":\"" ID "\",\"name\":\"add\",\"args\":[1,2]}");
	ck_run(ctl(w, "queues | cut -f1,2"), 0, "cpu\t0\nio\t1\n");
	ck_run(ctl(w, "tasks pending | cut -f1"), 0, ID "\n");
	ck_assert_ptr_nonnull(
	    strstr(ctl(w, "complete -- queues i")->out, "io"));
	ck_assert_ptr_nonnull(
	    strstr(ctl(w, "doctor --json")->out,
		   "queue io has 1 task and no worker serves it"));
	world_stop(w);
}
END_TEST

static long long
ttl_of(struct world *w, const char *id)
{
	return reply_integer(
	    redis_server_command(world_redis(w), "TTL flowrra:task:%s", id));
}

/* Its lists compare times, which Python does not do with those of both forms.
 */
START_TEST(records_can_have_the_times_of_the_python_package)
{
	static const struct world_options o = {
	    .config = "foreign_times = naive\n[backend]\nttl = never\n"};
	const char *mine, *theirs = ID;
	struct world *w = world_start(&o);

	push(w, "{\"id\":\"" ID "\",\"name\":\"add\",\"args\":[1,2]}");
	wait_status(w, theirs, "success");
	mine = submit(w, "add 1 2 --queue nowhere --force");
	ck_assert_uint_eq(strlen(field(w, mine, "submitted_at")),
			  strlen("2026-11-23T11:53:08.846827"));
	ck_run(ctl(w, "cancel %s", mine), 0, "");
	ck_assert_uint_eq(strlen(field(w, mine, "finished_at")), 26);
	ck_assert_uint_eq(strlen(field(w, theirs, "submitted_at")), 26);
	ck_assert_uint_eq(strlen(field(w, theirs, "started_at")), 26);
	ck_assert_uint_eq(strlen(field(w, theirs, "finished_at")), 26);
	/* A backend without a ttl is what that package has by default. */
	ck_assert_int_eq(ttl_of(w, theirs), -1);
	ck_assert_int_eq(ttl_of(w, mine), -1);
	world_stop(w);
}
END_TEST

START_TEST(unknown_fields_survive_a_retry)
{
	static const char task[] =
	    "{\"x-before\": [1, {\"deep\": \"\\u00e9\"}], \"id\": \"" ID
	    "\", \"name\": \"fail\", \"args\": [\"no\"], \"kwargs\": {}, "
	    "\"max_retries\": 2, \"retry_delay\": 1000.0, "
	    "\"current_retry\": 0, \"priority\": 0, \"cpu_bound\": false, "
	    "\"x-after\": 12345678901234567890.5}";
	struct world *w = world_start(NULL);
	const char *again;

	push(w, task);
	wait_status(w, ID, "retrying");
	WAIT_UNTIL(delayed(w, "io") == 1);
	again = the_delayed(w, "io", NULL);
	ck_assert_ptr_nonnull(strstr(again, "[1, {\"deep\": \"\\u00e9\"}]"));
	ck_assert_ptr_nonnull(strstr(again, "12345678901234567890.5"));
	ck_assert_str_eq(json_field(w, again, "current_retry"), "1");
	ck_assert_str_eq(json_field(w, again, "id"), ID);
	ck_assert_str_eq(json_field(w, again, "args"), "[\"no\"]");
	ck_field(w, ID, "retries", "1");
	world_stop(w);
}
END_TEST

/* Its next message; frees with freeReplyObject(). */
static redisReply *
message(redisContext *c)
{
	redisReply *reply;

	ck_assert_int_eq(redisGetReply(c, (void **)&reply), REDIS_OK);
	ck_assert_str_eq(reply->element[0]->str, "message");
	return reply;
}

START_TEST(whoever_listens_learns_of_the_end)
{
	struct world *w = world_start(NULL);
	const char *dir = redis_server_dir(world_redis(w));
	redisContext *c = redisConnectUnix(world_text(w, "%s/redis.sock", dir));
	redisReply *reply;

	ck_assert_int_eq(c->err, 0);
	freeReplyObject(redisCommand(c, "SUBSCRIBE flowrra:complete:" ID));
	submit(w, "add 1 2 --id " ID);
	reply = message(c);
	ck_assert_str_eq(reply->element[2]->str, "done");
	freeReplyObject(reply);
	redisFree(c);
	/* The record is final by then. */
	ck_field(w, ID, "status", "success");
	world_stop(w);
}
END_TEST

START_TEST(the_final_record_is_sent_where_its_task_says)
{
	static const char task[] =
	    "{\"id\": \"" ID "\", \"name\": \"flaky\", \"args\": [2], "
	    "\"retry_delay\": 0.05, \"reply_to\": \"me.1\"}";
	struct world *w = world_start(NULL);
	const char *dir = redis_server_dir(world_redis(w));
	redisContext *c = redisConnectUnix(world_text(w, "%s/redis.sock", dir));
	redisReply *reply;

	ck_assert_int_eq(c->err, 0);
	freeReplyObject(redisCommand(c, "SUBSCRIBE flowrra:reply:me.1"));
	push(w, task);
	reply = message(c);
	/* Not the first attempt's: that one failed. */
	ck_assert_str_eq(json_field(w, reply->element[2]->str, "status"),
			 "success");
	ck_assert_str_eq(json_field(w, reply->element[2]->str, "retries"), "1");
	freeReplyObject(reply);
	redisFree(c);
	world_stop(w);
}
END_TEST

START_TEST(workers_register_what_they_can_run)
{
	struct world *w = world_start(NULL);
	const char *entry;

	WAIT_UNTIL((entry = redis_text(w, world_redis(w),
				       "HGET flowrra:registry resize")) !=
		   NULL);
	ck_assert_str_eq(json_field(w, entry, "queue"), "cpu");
	ck_assert_str_eq(json_field(w, entry, "cpu_bound"), "true");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "tasks registered"), "timer\tio\tfalse"));
	WAIT_UNTIL((entry = redis_text(w, world_redis(w),
				       "GET flowrra:worker:test:1")) != NULL);
	ck_assert_str_eq(json_field(w, entry, "id"), "test:1");
	ck_assert_str_eq(json_field(w, entry, "queues"), "[\"io\",\"cpu\"]");
	ck_assert_int_gt(
	    redis_integer(world_redis(w), "TTL flowrra:worker:test:1"), 0);
	worker_stop(worker_of(w));
	ck_assert_ptr_null(
	    redis_text(w, world_redis(w), "GET flowrra:worker:test:1"));
	world_stop(w);
}
END_TEST

SUITE("wire")
{
	SUITE_TIMEOUT(90);
	TEST(a_plain_push_of_another_programs_task_is_run);
	TEST(a_python_program_submits_waits_and_reads_what_it_expects);
	TEST(a_python_program_that_subscribes_late_hears_of_the_end);
	TEST(a_queue_that_only_a_foreign_producer_uses_is_listed);
	TEST(records_can_have_the_times_of_the_python_package);
	TEST(unknown_fields_survive_a_retry);
	TEST(whoever_listens_learns_of_the_end);
	TEST(the_final_record_is_sent_where_its_task_says);
	TEST(workers_register_what_they_can_run);
}
