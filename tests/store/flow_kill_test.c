/* SPDX-License-Identifier: MIT */
/*
 * Workflows of Redis whose processes die: after any number of turns of the loop, so at
 * each point between two commands. A step gets to its queue once, whatever has died,
 * and none is left behind.
 */
#include <event2/event.h>
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store/flow_scene.h"
#include "suite.h"

/* More turns than any of these calls takes, but of large ones. */
#define TURNS 24

/* --- a worker ----------------------------------------------------------------- */

/* Claims of each of these that were not recovered: how often it was in its queue. */
static const char *const names[] = {"a", "b", "c", "on-complete"};
#define N_NAMES (sizeof(names) / sizeof(names[0]))
static int came[N_NAMES];
static size_t counted;

static void
count_claims(void)
{
	char id[64];
	size_t i;

	for (; counted < fs.worker->n_claims; counted++) {
		const struct broker_claim *c = fs.worker->claims[counted];

		for (i = 0; c != NULL && !c->recovered && i < N_NAMES; i++) {
			snprintf(id, sizeof(id), "{\"id\":\"%s\",", names[i]);
			came[i] += memmem(c->bytes.p, c->bytes.len, id,
					  strlen(id)) != NULL;
		}
	}
}

static void
turn(int n)
{
	for (; n > 0; n--)
		event_base_loop(fs.stage.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
die(void)
{
	count_claims();
	flow_kill_worker();
	flow_start_worker();
	counted = 0;
}

static void
on_settled(struct broker_settle *settle)
{
}

/* It stores the record, and dies while it settles. */
static void
end_and_die(const char *id, enum flow_outcome outcome, int turns)
{
	static struct broker_settle s;
	size_t i;

	flow_record(id, outcome == FLOW_STEP_SUCCEEDED ? "success" : "failed");
	count_claims();
	s = (struct broker_settle){.disposition = BROKER_ACK,
				   .id = slice_of(id),
				   .flow = SLICE("f"),
				   .outcome = outcome,
				   .on_done = on_settled};
	for (i = 0; i < fs.worker->n_claims; i++)
		if (flow_is_claim_of(i, id))
			s.claim = fs.worker->claims[i];
	broker_settle(fs.worker->broker, &s);
	turn(turns);
	die();
}

/* What is found in flight has a final record, or runs. */
static void
run_again(const char *id, const char *status)
{
	const char *record = backend_get(&fs.stage, fs.results, id);

	if (record == NULL || strstr(record, status) == NULL)
		UNTIL(&fs.stage, flow_is_claimed(id));
	stage_linger(&fs.stage, 30);
	if (flow_is_claimed(id))
		flow_run(id, status);
	count_claims();
}

START_TEST(a_worker_that_dies_while_it_settles_releases_each_step_once)
{
	size_t i;

	flow_open(KIND_REDIS);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add("b", "a:success");
	flow_add("c", "b:failure");
	flow_add_callback("on-complete", FLOW_ON_COMPLETE);
	flow_seal_one();
	end_and_die("a", FLOW_STEP_SUCCEEDED, _i);
	run_again("a", "success");
	UNTIL(&fs.stage, flow_is_claimed("b"));
	end_and_die("b", FLOW_STEP_FAILED, _i);
	run_again("b", "failed");
	UNTIL(&fs.stage, flow_is_claimed("c"));
	end_and_die("c", FLOW_STEP_SUCCEEDED, _i);
	run_again("c", "success");
	UNTIL(&fs.stage, flow_is_claimed("on-complete"));
	end_and_die("on-complete", FLOW_STEP_SUCCEEDED, _i);
	run_again("on-complete", "success");
	ck_assert_str_eq(flow_state(), "failed");
	ck_assert_str_eq(flow_counts(), "3 0 0 2 1 0");
	ck_assert_int_eq(flow_queued(), 0);
	/* One that the dead worker was given, and never saw, is recovered only. */
	for (i = 0; i < N_NAMES; i++)
		ck_assert_msg(came[i] <= 1, "%s came %d times", names[i],
			      came[i]);
	flow_close();
}
END_TEST

/* --- a client ------------------------------------------------------------------- */

static void
on_value(struct slice value, const struct err *err, void *arg)
{
}

static void
on_page(const struct flow_page *page, const struct err *err, void *arg)
{
	ck_assert_msg(err == NULL, "%s", err != NULL ? err->msg : "");
	snprintf(fs.next, sizeof(fs.next), "%.*s", (int)page->next.len,
		 page->next.p != NULL ? page->next.p : "");
	fs.client->answered = true;
}

/* As housekeeping does. */
static void
repair(void)
{
	fs.next[0] = '\0';
	do {
		fs.client->answered = false;
		broker_flow_repair(fs.client->broker, SLICE("f"),
				   slice_of(fs.next), on_page, fs.client);
		UNTIL(&fs.stage, fs.client->answered);
	} while (fs.next[0] != '\0');
}

static void
begin_whole(void)
{
	const struct flow_begin begin = {
	    .id = SLICE("f"), .whole = true, .life_s = 1000};
	char name[16];
	int i;

	ck_assert_int_eq(flow_begin_with(&begin), ERR_NONE);
	for (i = 0; i < FLOW_MANY; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		flow_add(name, NULL);
	}
}

static void
ck_all_came_once(void)
{
	UNTIL(&fs.stage, fs.worker->n_claims >= FLOW_MANY);
	stage_linger(&fs.stage, 50);
	ck_assert_uint_eq(fs.worker->n_claims, FLOW_MANY);
}

START_TEST(what_a_client_had_begun_to_release_is_released_once)
{
	struct party *mortal;

	flow_open(KIND_REDIS);
	begin_whole();
	mortal = party_open(&fs.stage, NULL);
	broker_flow_seal(mortal->broker, SLICE("f"), on_value, NULL);
	turn(_i);
	party_close(mortal);
	stage_linger(&fs.stage, 20);
	if (strcmp(flow_state(), "open") == 0)
		flow_seal_one();
	repair();
	ck_all_came_once();
	flow_close();
}
END_TEST

START_TEST(what_a_client_had_begun_to_cancel_is_skipped_once)
{
	struct party *mortal;

	flow_open(KIND_REDIS);
	begin_whole();
	mortal = party_open(&fs.stage, NULL);
	broker_flow_cancel(mortal->broker, SLICE("f"), on_value, NULL);
	turn(_i);
	party_close(mortal);
	stage_linger(&fs.stage, 20);
	if (strcmp(flow_state(), "open") == 0)
		flow_cancel_one();
	repair();
	ck_all_came_once();
	flow_is_claimed("x");
	ck_assert_str_eq(flow_counts(), "350 0 0 0 0 350");
	ck_assert_str_eq(flow_state(), "cancelled");
	flow_close();
}
END_TEST

static void
on_submitted(struct broker_submit *batch, size_t n, void *arg)
{
}

START_TEST(
    a_step_whose_client_dies_while_it_adds_it_is_there_once_or_not_at_all)
{
	static struct broker_submit task;
	struct party *mortal;

	flow_open(KIND_REDIS);
	flow_begin_one();
	mortal = party_open(&fs.stage, NULL);
	task = (struct broker_submit){
	    .queue = "io",
	    .id = SLICE("a"),
	    .flow = SLICE("f"),
	    .bytes = SLICE("{\"id\":\"a\",\"name\":\"n\",\"flow\":\"f\"}")};
	broker_submit(mortal->broker, &task, 1, on_submitted, NULL);
	turn(_i);
	party_close(mortal);
	stage_linger(&fs.stage, 20);
	repair();
	flow_state();
	UNTIL(&fs.stage, fs.worker->n_claims == (size_t)fs.info.steps);
	ck_assert_int_eq(fs.info.released, fs.info.steps);
	/* It is sure now. */
	flow_add("a", NULL);
	flow_run("a", "success");
	ck_assert_uint_eq(fs.worker->n_claims, 1);
	ck_assert_str_eq(flow_counts(), "1 0 0 1 0 0");
	flow_close();
}
END_TEST

/* --- what no worker of ours has done ----------------------------------------------- */

/* It was taken by a program that knows nothing of workflows. */
START_TEST(a_step_that_ended_unnoticed_is_found)
{
	size_t i;

	flow_open(KIND_REDIS);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add("b", "a:success");
	flow_record("a", "success");
	for (i = 0; i < fs.worker->n_claims; i++)
		party_settle(fs.worker, i, BROKER_ACK);
	repair();
	ck_assert(!flow_is_claimed("b"));
	ck_assert_str_eq(flow_counts(), "2 1 1 0 0 0");
	ck_assert_str_eq(flow_end_one("a", FLOW_STEP_SUCCEEDED), "1");
	flow_run("b", "success");
	flow_close();
}
END_TEST

/* --- housekeeping ------------------------------------------------------------------------ */

#define META "{flowrra:queue:flow:f}:meta"
#define DUE "{flowrra:queue:flows}:due"

/* Nothing has happened for so long, and it is to be looked at. Not in a Cluster, where
 * the server of the stage has some of the keys only. */
static void
pass_time(const char *moved_ms)
{
	redis_server_run(fs.stage.server, "HSET " META " moved %s", moved_ms);
	redis_server_run(fs.stage.server, "ZADD " DUE " 1 f");
}

static const char *
stale(void)
{
	fs.client->answered = false;
	broker_flow_stale(fs.client->broker, party_on_names, fs.client);
	UNTIL(&fs.stage, fs.client->answered);
	ck_assert_int_eq(fs.client->err.code, ERR_NONE);
	return fs.client->value;
}

static double
due_ms(void)
{
	redisReply *reply =
	    redis_server_command(fs.stage.server, "ZSCORE " DUE " f");
	const double score =
	    reply->type == REDIS_REPLY_NIL ? -1 : atof(reply->str);

	freeReplyObject(reply);
	return score;
}

START_TEST(a_workflow_in_which_nothing_happens_is_due_for_repair_once)
{
	flow_open(KIND_REDIS);
	flow_begin_one();
	flow_add("a", NULL);
	ck_assert_str_eq(stale(), "");
	/* Something has happened a moment ago. */
	redis_server_run(fs.stage.server, "ZADD " DUE " 1 f");
	ck_assert_str_eq(stale(), "");
	flow_seal_one();
	pass_time("1");
	ck_assert_str_eq(stale(), "f ");
	ck_assert_str_eq(stale(), "");
	flow_run("a", "success");
	flow_close();
}
END_TEST

START_TEST(a_workflow_that_is_never_sealed_is_cancelled_after_days)
{
	flow_open(KIND_REDIS);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add("b", "a:success");
	pass_time("1");
	ck_assert_str_eq(stale(), "");
	flow_wait_skipped("b", "workflow was cancelled");
	ck_assert_str_eq(flow_state(), "cancelling");
	flow_close();
}
END_TEST

START_TEST(a_workflow_that_has_ended_is_forgotten_after_its_life)
{
	flow_open(KIND_REDIS);
	flow_begin_one();
	flow_seal_one();
	flow_state();
	redis_server_run(fs.stage.server, "ZADD " DUE " 1 f");
	stale();
	UNTIL(&fs.stage, due_ms() >= (double)fs.info.ended_ms + 1000.0 * 1000);
	redis_server_run(fs.stage.server, "DEL " META);
	redis_server_run(fs.stage.server, "ZADD " DUE " 1 f");
	ck_assert_str_eq(stale(), "");
	UNTIL(&fs.stage, due_ms() < 0);
	flow_close();
}
END_TEST

/* --- a server that is full ------------------------------------------------------------ */

/* What has run can be settled, and what comes after it runs. */
START_TEST(steps_go_on_while_the_server_is_full)
{
	flow_open(KIND_REDIS);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add("b", "a:success");
	flow_add("c", "b:failure");
	flow_add_callback("on-complete", FLOW_ON_COMPLETE);
	UNTIL(&fs.stage, flow_is_claimed("a"));
	redis_server_run(fs.stage.server, "CONFIG SET maxmemory 1");
	flow_seal_one();
	flow_run("a", "success");
	flow_run("b", "success");
	flow_wait_skipped("c", "task b succeeded");
	flow_run("on-complete", "success");
	ck_assert_str_eq(flow_state(), "succeeded");
	flow_close();
}
END_TEST

static void
fill(TCase *suite_case_, int turns)
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_worker_that_dies_while_it_settles_releases_each_step_once,
		  0, turns);
	TEST_LOOP(what_a_client_had_begun_to_release_is_released_once, 0,
		  turns);
	TEST_LOOP(what_a_client_had_begun_to_cancel_is_skipped_once, 0, turns);
	TEST_LOOP(
	    a_step_whose_client_dies_while_it_adds_it_is_there_once_or_not_at_all,
	    0, turns);
	TEST(a_step_that_ended_unnoticed_is_found);
}

SUITE("flow-kill")
{
	fill(suite_case_, TURNS);
	TEST(a_workflow_in_which_nothing_happens_is_due_for_repair_once);
	TEST(a_workflow_that_is_never_sealed_is_cancelled_after_days);
	TEST(a_workflow_that_has_ended_is_forgotten_after_its_life);
	TEST(steps_go_on_while_the_server_is_full);
}

static void
fill_cluster(TCase *suite_case_)
{
	tcase_add_checked_fixture(suite_case_, stage_use_cluster, NULL);
	/* Each begins with a Cluster of its own, which takes seconds. */
	fill(suite_case_, TURNS / 4);
}

__attribute__((constructor)) static void
register_cluster(void)
{
	suite_register("flow-kill-cluster", fill_cluster);
}
