/* SPDX-License-Identifier: MIT */
/*
 * Orders to workers, over Redis (_i = 0) and SQLite (_i = 1): what reaches the
 * control channel is what a program of any kind may have put there.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"
#include "store/broker.h"

#define KINDS 2

static const char debug[] = "log_level = debug\n";

/* --- a producer of the test's own --------------------------------------- */

struct producer {
	struct broker *broker;
	bool up, answered;
	struct err err;
};

static void
on_state(bool up, bool final, const struct err *why, void *arg)
{
	struct producer *p = arg;

	(void) final;
	p->up = up;
}

static void
on_value(struct slice value, const struct err *err, void *arg)
{
	struct producer *p = arg;

	p->answered = true;
	if (err != NULL)
		p->err = *err;
}

static void
on_submitted(struct broker_submit *batch, size_t n, void *arg)
{
	on_value((struct slice){NULL, 0},
		 batch->err.code != ERR_NONE ? &batch->err : NULL, arg);
}

/* Sends an order, or submits a task as it is (then `order` is NULL). */
static void
produce(struct world *w, const char *order, struct broker_submit *task)
{
	struct producer p = {.err = ERR_INIT};
	struct event_base *base = event_base_new();
	const struct broker_options options = {.base = base,
					       .url = world_url(w),
					       .queue_key = "flowrra:queue",
					       .timeout_ms = 5000,
					       .max_connections = 5,
					       .on_state = on_state,
					       .arg = &p};
	struct err err;

	ck_assert_ptr_nonnull(base);
	p.broker = broker_open(&options, &err);
	ck_assert_msg(p.broker != NULL, "%s", err.msg);
	while (!p.up)
		event_base_loop(base, EVLOOP_ONCE);
	if (order != NULL)
		broker_control(p.broker, slice_of(order), on_value, &p);
	else
		broker_submit(p.broker, task, 1, on_submitted, &p);
	while (!p.answered)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_msg(p.err.code == ERR_NONE, "%s", p.err.msg);
	broker_close(p.broker);
	event_base_free(base);
}

static void
order(struct world *w, const char *text)
{
	produce(w, text, NULL);
}

/* As a foreign producer does, without a time of submission. */
static void
submit_raw(struct world *w, const char *id, const char *bytes)
{
	struct broker_submit task = {
	    .queue = "io", .id = slice_of(id), .bytes = slice_of(bytes)};

	produce(w, NULL, &task);
}

static struct world *
begin(int kind, const char *config)
{
	const struct world_options o = {.embedded = kind == 1,
					.config = config};

	return world_start(&o);
}

/* "" as long as there is no record: a raw task has none before it is looked at. */
static const char *
status_of(struct world *w, const char *id)
{
	const char *record = ctl(w, "result %s --json", id)->out;

	return record[0] == '\0' ? "" : json_field(w, record, "status");
}

static void
ck_has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no %s in: %s", part, text);
}

/* --- to a worker --------------------------------------------------------- */

START_TEST(a_quiet_worker_claims_nothing_until_it_is_to_resume)
{
	struct world *w = begin(_i, NULL);
	struct worker *k = worker_of(w);
	const char *running = submit(w, "sleep 0.7"), *waiting_one;

	WAIT_UNTIL(strcmp(status_of(w, running), "running") == 0);
	order(w, "{\"order\":\"quiet\",\"worker\":\"test:1\"}");
	WAIT_UNTIL(worker_logged(k, "quiet: claiming no more tasks"));
	waiting_one = submit(w, "add 1 2");
	ck_run(ctl(w, "wait %s --timeout 20", running), 0, "0.7\n");
	ck_assert_str_eq(status_of(w, waiting_one), "pending");
	order(w, "{\"order\":\"resume\",\"worker\":\"test:1\"}");
	ck_run(ctl(w, "wait %s --timeout 20", waiting_one), 0, "3\n");
	world_stop(w);
}
END_TEST

/* As if a claim were on its way, or another worker had died: what is in flight
 * and not known here is found when the connection is back. */
START_TEST(a_quiet_worker_puts_back_what_comes_to_it_all_the_same)
{
	struct world *w = begin(0, NULL);

	order(w, "{\"order\":\"quiet\",\"worker\":\"test:1\"}");
	WAIT_UNTIL(
	    worker_logged(worker_of(w), "quiet: claiming no more tasks"));
	redis_server_run(world_redis(w),
			 "LPUSH {flowrra:queue:io}:inflight:test:1#1 %s",
			 "{\"id\":\"x\",\"name\":\"add\",\"args\":[1,2]}");
	redis_server_run(world_redis(w), "CLIENT KILL TYPE normal");
	WAIT_UNTIL(waiting(w, "io") == 1 && in_flight(w, "io") == 0);
	order(w, "{\"order\":\"resume\",\"worker\":\"test:1\"}");
	wait_status(w, "x", "success");
	world_stop(w);
}
END_TEST

START_TEST(a_worker_can_be_ordered_to_stop)
{
	struct world *w = begin(_i, NULL);
	struct worker *k = worker_of(w);
	const char *running = submit(w, "sleep 0.5");

	WAIT_UNTIL(strcmp(status_of(w, running), "running") == 0);
	order(w, "{\"order\":\"stop\",\"worker\":\"test:1\"}");
	worker_notified(k, "STOPPING=1");
	ck_assert_int_eq(worker_end(k), 0);
	ck_assert_str_eq(status_of(w, running), "success");
	world_stop(w);
}
END_TEST

START_TEST(a_worker_can_be_ordered_to_reload)
{
	struct world *w = begin(_i, NULL);
	struct worker *k = worker_of(w);

	world_configure(w, "demo plain", NULL);
	order(w, "{\"order\":\"reload\",\"worker\":\"test:1\"}");
	worker_notified(k, "RELOADING=1");
	worker_notified(k, "READY=1");
	WAIT_UNTIL(worker_logged(k, "reloaded"));
	world_stop(w);
}
END_TEST

/* What a deployment script relies on: its exit status is the outcome. */
START_TEST(a_reload_by_flowrractl_ends_as_that_of_the_worker_does)
{
	struct world *w = begin(_i, NULL);

	world_configure(w, "demo missing", NULL);
	ck_complains(ctl(w, "worker reload test:1"), 78, "missing.so");
	ck_has(ctl(w, "doctor --json")->out, "worker test:1 could not reload");
	/* The old executors go on. */
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	world_configure(w, "demo plain", NULL);
	ck_run(ctl(w, "worker reload test:1 --json"), 0,
	       "{\"worker\":\"test:1\",\"order\":\"reload\","
	       "\"reloaded\":true}\n");
	/* It was no promise: what is new can be called. */
	ck_has(ctl(w, "workers --json")->out, "plain.so");
	/* A worker that stands still says nothing. */
	worker_signal(worker_of(w), SIGSTOP);
	ck_complains(ctl(w, "worker reload test:1 --timeout 0.3"), 3, "0.3 s");
	worker_signal(worker_of(w), SIGCONT);
	world_stop(w);
}
END_TEST

START_TEST(a_worker_that_lacks_a_module_is_unhealthy)
{
	struct world *w = begin(_i, NULL);

	worker_stop(worker_of(w));
	world_configure(w, "demo missing", NULL);
	worker_start(w, NULL);
	WAIT_UNTIL(ctl(w, "health")->status == 69);
	ck_has(ctl(w, "health")->out, "could not load all modules (test:1)");
	ck_has(ctl(w, "doctor --json")->out, "missing.so");
	ck_has(ctl(w, "doctor --json")->out, "worker test:1 could not load");
	ck_assert_str_eq(ctl_ok(w, "workers | cut -f10"), "1");
	world_configure(w, "demo", NULL);
	ck_run(ctl(w, "worker reload test:1"), 0, "");
	ck_assert_str_eq(ctl_ok(w, "workers | cut -f10"), "-");
	world_stop(w);
}
END_TEST

START_TEST(what_is_no_order_and_orders_to_others_are_ignored)
{
	static const char *const strange[] = {
	    "nonsense",
	    "[]",
	    "{\"order\":\"dance\"}",
	    "{\"order\":\"stop\"}",
	    "{\"order\":\"stop\",\"worker\":5}",
	    "{\"order\":\"stop\",\"worker\":\"test:2\"}",
	    "{\"order\":\"quiet\",\"worker\":\"test:2\"}",
	    "{\"order\":\"cancel\",\"id\":\"with space\"}"};
	struct world *w = begin(_i, debug);
	size_t i;

	for (i = 0; i < sizeof(strange) / sizeof(strange[0]); i++)
		order(w, strange[i]);
	/* They come in their order: now all of them have been looked at. */
	order(w, "{\"order\":\"cancel\",\"id\":\"nobody\"}");
	WAIT_UNTIL(worker_logged(worker_of(w), "request to cancel nobody"));
	WAIT_UNTIL(
	    worker_logged(worker_of(w), "unknown worker command \"dance\""));
	WAIT_UNTIL(worker_logged(worker_of(w), "lacks worker"));
	ck_assert(!worker_logged(worker_of(w), "stopping"));
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	world_stop(w);
}
END_TEST

/* --- cancelling ---------------------------------------------------------- */

/* The one who cancels does not find the task in its queue, since it was claimed;
 * and the order is faster than the claim. */
START_TEST(an_order_to_cancel_that_comes_before_the_task_is_kept)
{
	struct world *w = begin(_i, debug);

	order(w, "{\"order\":\"cancel\",\"id\":\"early\"}");
	WAIT_UNTIL(worker_logged(worker_of(w), "request to cancel early"));
	submit_raw(w, "early",
		   "{\"id\":\"early\",\"name\":\"add\",\"args\":[1,2]}");
	WAIT_UNTIL(strcmp(status_of(w, "early"), "failed") == 0);
	ck_assert_str_eq(
	    json_field(w, ctl(w, "result early --json")->out, "reason"),
	    "cancelled");
	/* Its namesake, later, is another. */
	order(w, "{\"order\":\"cancel\",\"id\":\"later\"}");
	WAIT_UNTIL(worker_logged(worker_of(w), "request to cancel later"));
	ck_assert_str_eq(submit(w, "add 1 2 --id later --wait"), "3");
	world_stop(w);
}
END_TEST

/* The attempt has failed, and the backend is slow to take the record of it. */
START_TEST(a_task_that_waits_for_its_retry_s_record_can_be_cancelled)
{
	const struct world_options o = {.separate_backend = true,
					.config = debug};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);
	const char *id = submit(w, "sleep 60 --timeout 400ms --max-retries 5 "
				   "--retry-delay 60");

	wait_status(w, id, "running");
	redis_server_pause(world_backend(w));
	WAIT_UNTIL(worker_logged(k, "will be retried"));
	order(w, world_text(w, "{\"order\":\"cancel\",\"id\":\"%s\"}", id));
	WAIT_UNTIL(worker_logged(k, "request to cancel"));
	redis_server_continue(world_backend(w));
	wait_status(w, id, "failed");
	ck_field(w, id, "reason", "cancelled");
	WAIT_UNTIL(in_flight(w, "io") == 0);
	ck_assert_int_eq(delayed(w, "io") + waiting(w, "io"), 0);
	world_stop(w);
}
END_TEST

/* --- what a worker tells of itself --------------------------------------- */

static const char *
description(struct world *w)
{
	const char *text =
	    redis_text(w, world_redis(w), "GET flowrra:worker:test:1");

	return text != NULL ? text : "";
}

START_TEST(a_worker_describes_itself)
{
	struct world *w = begin(0, "[executor]\nio_workers = 3\n");
	const char *bad = submit(w, "fail x --max-retries 1 --retry-delay 0"),
		   *good = submit(w, "add 1 2"), *id, *text;

	wait_status(w, bad, "failed");
	wait_status(w, good, "success");
	id = submit(w, "sleep 60");
	WAIT_UNTIL(strstr(description(w), id) != NULL);
	text = description(w);
	ck_assert_str_eq(json_field(w, text, "id"), "test:1");
	ck_assert_str_eq(json_field(w, text, "pid"),
			 world_text(w, "%d", (int)worker_pid(worker_of(w))));
	ck_assert_str_eq(json_field(w, text, "state"), "running");
	ck_assert_str_eq(json_field(w, text, "queues"), "[\"io\",\"cpu\"]");
	ck_has(json_field(w, text, "modules"), "demo.so");
	ck_assert_str_eq(json_field(w, text, "slots.io"),
			 "{\"slots\":3,\"tasks\":1}");
	ck_has(text, "\"totals\":{\"succeeded\":1,\"failed\":1,"
		     "\"retried\":1,\"crashed\":0}");
	ck_assert_int_gt(atol(json_field(w, text, "memory.flowrrad")), 1000000);
	ck_has(text, world_text(w, "{\"pid\":%d,\"kind\":\"io\",\"bytes\":",
				(int)worker_executor(worker_of(w))));
	ck_has(text, world_text(w,
				"\"running\":[{\"id\":\"%s\",\"name\":"
				"\"sleep\",\"queue\":\"io\",\"attempt\":1,"
				"\"started_at\":",
				id));
	order(w, "{\"order\":\"quiet\",\"worker\":\"test:1\"}");
	/* Told at once, and not with the next heartbeat. */
	WAIT_UNTIL(strcmp(json_field(w, description(w), "state"), "quiet") ==
		   0);
	order(w, world_text(w, "{\"order\":\"cancel\",\"id\":\"%s\"}", id));
	wait_status(w, id, "failed");
	world_stop(w);
}
END_TEST

SUITE("orders")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_quiet_worker_claims_nothing_until_it_is_to_resume, 0,
		  KINDS);
	TEST(a_quiet_worker_puts_back_what_comes_to_it_all_the_same);
	TEST_LOOP(a_worker_can_be_ordered_to_stop, 0, KINDS);
	TEST_LOOP(a_worker_can_be_ordered_to_reload, 0, KINDS);
	TEST_LOOP(a_reload_by_flowrractl_ends_as_that_of_the_worker_does, 0,
		  KINDS);
	TEST_LOOP(a_worker_that_lacks_a_module_is_unhealthy, 0, KINDS);
	TEST_LOOP(what_is_no_order_and_orders_to_others_are_ignored, 0, KINDS);
	TEST_LOOP(an_order_to_cancel_that_comes_before_the_task_is_kept, 0,
		  KINDS);
	TEST(a_task_that_waits_for_its_retry_s_record_can_be_cancelled);
	TEST(a_worker_describes_itself);
}
