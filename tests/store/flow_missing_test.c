/* SPDX-License-Identifier: MIT */
/* Workflows of Redis: which of their released steps are in no place of a queue. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_cluster.h"
#include "redis_server.h"
#include "store/flow_scene.h"
#include "suite.h"
#include "util/clock.h"

#define HOUR_MS INT64_C(3600000)

/* Of these, as "ID ". */
static const char *
missing_of(const char *queue, const char *const *names)
{
	struct slice ids[8];
	struct flow_missing ask = {.queue = slice_of(queue), .ids = ids};

	for (; names[ask.n] != NULL; ask.n++)
		ids[ask.n] = slice_of(names[ask.n]);
	fs.client->answered = false;
	broker_flow_missing(fs.client->broker, &ask, party_on_names, fs.client);
	UNTIL(&fs.stage, fs.client->answered);
	return fs.client->err.code == ERR_NONE ? fs.client->value
					       : fs.client->err.msg;
}
#define MISSING(queue, ...)                                                    \
	missing_of(queue, (const char *const[]){__VA_ARGS__, NULL})

/* That which has the key. */
static struct redis_server *
server_of(const char *key)
{
	return fs.stage.cluster != NULL
		   ? redis_cluster_server_of(fs.stage.cluster, key)
		   : fs.stage.server;
}
#define QUEUE_SERVER server_of("flowrra:queue:cpu")

static void
add(const char *id, const char *queue, int32_t priority, int64_t delay_ms)
{
	struct broker_submit task = {.id = slice_of(id),
				     .flow = SLICE("f"),
				     .queue = queue,
				     .priority = priority,
				     .delay_ms = delay_ms};

	ck_assert_int_eq(flow_add_with(&task, NULL), ERR_NONE);
}

/* The worker takes what is in "io", and nothing else. */
START_TEST(a_step_is_missing_when_no_place_has_it)
{
	flow_open(KIND_REDIS);
	ck_assert(broker_flow_hides_steps(fs.client->broker));
	flow_begin_one();
	add("waits", "cpu", 0, 0);
	add("high", "cpu", 5, 0);
	add("later", "cpu", 0, HOUR_MS);
	ck_assert_str_eq(MISSING("cpu", "waits", "never", "high", "later"),
			 "never ");
	redis_server_run(QUEUE_SERVER, "DEL flowrra:queue:cpu");
	ck_assert_str_eq(MISSING("cpu", "waits", "high", "later"), "waits ");
	redis_server_run(QUEUE_SERVER, "DEL {flowrra:queue:cpu}:p:5");
	redis_server_run(QUEUE_SERVER, "DEL {flowrra:queue:cpu}:delayed");
	ck_assert_str_eq(MISSING("cpu", "waits", "high", "later"),
			 "waits high later ");
	flow_close();
}
END_TEST

START_TEST(a_step_is_not_missing_while_a_worker_has_it_or_when_it_is_dead)
{
	size_t i = 0;

	flow_open(KIND_REDIS);
	flow_begin_one();
	flow_add("runs", NULL);
	UNTIL(&fs.stage, flow_is_claimed("runs"));
	flow_add("dead", NULL);
	UNTIL(&fs.stage, flow_is_claimed("dead"));
	while (!flow_is_claim_of(i, "dead"))
		i++;
	party_bury(fs.worker, i, "dead", "{}");
	/* Its worker is dead, too. */
	flow_kill_worker();
	ck_assert_str_eq(MISSING("io", "runs", "dead", "never"), "never ");
	flow_close();
}
END_TEST

START_TEST(of_a_queue_that_is_too_long_to_read_nothing_is_missing)
{
	flow_open(KIND_REDIS);
	flow_begin_one();
	redis_server_run(
	    QUEUE_SERVER,
	    "EVAL "
	    "for\ti=1,3001\tdo\tredis.call('LPUSH',KEYS[1],'{}')\tend "
	    "1 flowrra:queue:cpu");
	ck_assert_str_eq(MISSING("cpu", "never"), "");
	redis_server_run(QUEUE_SERVER, "LPOP flowrra:queue:cpu");
	ck_assert_str_eq(MISSING("cpu", "never"), "never ");
	ck_assert_ptr_nonnull(strstr(MISSING("a b", "never"), "queue"));
	flow_close();
}
END_TEST

/* Also when it is open, and only a failure is taken back. */
START_TEST(something_happens_in_a_workflow_when_a_failure_is_taken_back)
{
	int64_t moved_ms;

	flow_open(KIND_REDIS);
	flow_begin_one();
	flow_add("a", NULL);
	flow_run("a", "failed");
	redis_server_run(server_of("{flowrra:queue:flow:f}"),
			 "HINCRBY {flowrra:queue:flow:f}:meta moved -3600000");
	flow_state();
	moved_ms = fs.info.moved_ms;
	ck_assert_str_eq(flow_reopen_one("a"), "a ");
	flow_state();
	ck_assert_int_ge(fs.info.moved_ms, moved_ms + HOUR_MS);
	flow_close();
}
END_TEST

/* The page of a repair, as "ID ", with "on " before callbacks. */
static void
on_page(const struct flow_page *page, const struct err *err, void *arg)
{
	struct party *p = arg;
	size_t i;

	ck_assert_ptr_null(err);
	p->value[0] = '\0';
	for (i = 0; i < page->n; i++)
		snprintf(p->value + strlen(p->value),
			 sizeof(p->value) - strlen(p->value), "%s%.*s ",
			 page->steps[i].role == FLOW_ON_COMPLETE ? "on " : "",
			 (int)page->steps[i].id.len, page->steps[i].id.p);
	p->answered = true;
}

static const char *
repaired(void)
{
	fs.client->answered = false;
	broker_flow_repair(fs.client->broker, SLICE("f"), SLICE(""), on_page,
			   fs.client);
	UNTIL(&fs.stage, fs.client->answered);
	return fs.client->value;
}

/* Those that are due, when housekeeping looks at "f" an hour after something happened. */
static const char *
stale_after_an_hour(void)
{
	redis_server_run(server_of("{flowrra:queue:flow:f}"),
			 "HINCRBY {flowrra:queue:flow:f}:meta moved -3600000");
	redis_server_run(server_of("{flowrra:queue:flows}"),
			 "ZADD {flowrra:queue:flows}:due 1 f");
	fs.client->answered = false;
	broker_flow_stale(fs.client->broker, party_on_names, fs.client);
	UNTIL(&fs.stage, fs.client->answered);
	return fs.client->value;
}

/* In how many seconds it is looked at next: a minute, until housekeeping notes another
 * time. */
static int64_t
due_s(void)
{
	struct redisReply *reply =
	    redis_server_command(server_of("{flowrra:queue:flows}"),
				 "ZSCORE {flowrra:queue:flows}:due f");
	int64_t due_ms;

	ck_assert_ptr_nonnull(reply->str);
	due_ms = strtoll(reply->str, NULL, 10);
	freeReplyObject(reply);
	return (due_ms - clock_wall_us() / 1000) / 1000;
}

/* It lives for 1000 s. "no" is not called. */
START_TEST(callbacks_are_looked_at_until_they_have_ended)
{
	flow_open(KIND_REDIS);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add_callback("yes", FLOW_ON_COMPLETE);
	flow_add_callback("no", FLOW_ON_FAILURE);
	flow_seal_one();
	UNTIL(&fs.stage, flow_is_claimed("a"));
	ck_assert_str_eq(repaired(), "a ");
	flow_run("a", "success");
	UNTIL(&fs.stage, flow_is_claimed("yes"));
	ck_assert_str_eq(stale_after_an_hour(), "f ");
	ck_assert_str_eq(repaired(), "on yes ");
	UNTIL(&fs.stage, due_s() > 100);
	ck_assert_int_le(due_s(), 600);
	flow_end_one("yes", FLOW_STEP_FAILED);
	ck_assert_str_eq(repaired(), "");
	ck_assert_str_eq(stale_after_an_hour(), "");
	UNTIL(&fs.stage, due_s() > 800);
	flow_close();
}
END_TEST

#define CASES(kind)                                                            \
	TEST(a_step_is_missing_when_no_place_has_it);                          \
	TEST(a_step_is_not_missing_while_a_worker_has_it_or_when_it_is_dead);  \
	TEST(of_a_queue_that_is_too_long_to_read_nothing_is_missing);          \
	TEST(something_happens_in_a_workflow_when_a_failure_is_taken_back);    \
	TEST(callbacks_are_looked_at_until_they_have_ended);

SUITE("flow-missing")
{
	SUITE_TIMEOUT(60);
	CASES(KIND_REDIS)
}

static void
fill_cluster(TCase *suite_case_)
{
	SUITE_TIMEOUT(60);
	tcase_add_checked_fixture(suite_case_, stage_use_cluster, NULL);
	CASES(KIND_REDIS)
}

__attribute__((constructor)) static void
register_cluster(void)
{
	suite_register("flow-missing-cluster", fill_cluster);
}
