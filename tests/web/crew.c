/* SPDX-License-Identifier: MIT */
/* A worker of a test: it speaks on a loop of its own, between the desk's answers. */
#include "web/crew.h"

#include <event2/event.h>
#include <stdio.h>

#include "schedules/health.h"
#include "schedules/schedules.h"
#include "store/broker.h"
#include "store/results.h"
#include "util/clock.h"
#include "web/desk.h"

/* --- opening ------------------------------------------------------------- */

/* Without wishes there are no claims; a state that is down shows as an answer of the
 * desk that never comes. */
static void
crew_on_claim(struct broker_claim *claim, void *arg)
{
}

static void
crew_on_nothing(void *arg)
{
}

static void
crew_on_control(struct slice message, void *arg)
{
}

static void
crew_on_state(bool up, bool final, const struct err *why, void *arg)
{
}

void
crew_open(struct desk *d, struct crew *c)
{
	static const char *const queues[] = {"io", "cpu"};
	struct stores_options options = {.base = event_base_new(),
					 .conf = d->conf,
					 .on_broker_state = crew_on_state,
					 .on_results_state = crew_on_state,
					 .worker = "host:a",
					 .token = c->token,
					 .predecessor = "",
					 .queues = queues,
					 .n_queues = 2,
					 .on_claim = crew_on_claim,
					 .on_lost = crew_on_claim,
					 .on_kept = crew_on_claim,
					 .on_idle = crew_on_nothing,
					 .on_control = crew_on_control};
	struct err err = ERR_INIT;

	snprintf(c->token, sizeof(c->token), "%d", ++c->n);
	c->d = d;
	c->base = options.base;
	ck_assert_msg(stores_open(&options, &c->worker, &err) == 0, "%s",
		      err.msg);
}

void
crew_close(struct crew *c)
{
	broker_close(c->worker.broker);
	results_close(c->worker.results);
	event_base_free(c->base);
	c->beat_ms = 0;
}

/* --- saying -------------------------------------------------------------- */

/* What a worker says to the store, again and again until the desk's answer to
 * `target` is as it has to be. */
struct saying {
	void (*say)(struct broker *);
	const char *target;
	bool (*is_heard)(const struct desk *);
};

/* A heartbeat may be lost, and a server that has just been started may refuse the
 * first question. */
static void
crew_say(struct crew *c, const struct saying *s)
{
	const int64_t end_ms = clock_mono_ms() + 20000;

	do {
		ck_assert_msg(clock_mono_ms() < end_ms, "%s: %s", s->target,
			      c->d->bytes.data);
		s->say(c->worker.broker);
		event_base_loop(c->base, EVLOOP_NONBLOCK);
	} while (desk_ask(c->d, "GET", s->target, NULL) != 200 ||
		 !s->is_heard(c->d));
}

static void
say_tasks(struct broker *b)
{
	static const struct slice names[] = {SLICE("add"), SLICE("fail"),
					     SLICE("flaky"), SLICE("hold"),
					     SLICE("render")};
	static const struct slice texts[] = {
	    SLICE("{\"queue\":\"io\",\"cpu_bound\":false,\"max_retries\":3,"
		  "\"retry_delay\":2.5}"),
	    SLICE("{\"queue\":\"io\",\"cpu_bound\":false,\"max_retries\":0,"
		  "\"retry_delay\":1.0}"),
	    SLICE("{\"queue\":\"io\",\"cpu_bound\":false,\"max_retries\":1,"
		  "\"retry_delay\":0.1}"),
	    SLICE("{\"queue\":\"io\",\"cpu_bound\":false,\"max_retries\":0,"
		  "\"retry_delay\":1.0}"),
	    SLICE("{\"queue\":\"cpu\",\"cpu_bound\":true,\"max_retries\":0,"
		  "\"retry_delay\":1.0}")};

	broker_register(b, names, texts, 5);
}

static bool
has_tasks(const struct desk *d)
{
	return json_array_size(d->answer) == 5;
}

static void
say_alive(struct broker *b)
{
	broker_heartbeat(
	    b, slice_of("{\"host\":\"host\",\"queues\":[\"io\",\"cpu\"],"
			"\"slots\":{\"io\":{\"slots\":4,\"tasks\":0},"
			"\"cpu\":{\"slots\":2,\"tasks\":0}}}"));
}

static bool
runs(const struct desk *d)
{
	return json_is_true(desk_at(d, "app", "running", NULL)) &&
	       json_is_object(desk_at(d, "executors", "cpu", NULL));
}

static bool
is_stopped(const struct desk *d)
{
	return json_is_false(desk_at(d, "app", "running", NULL));
}

static const struct saying tasks_said = {say_tasks, "/api/tasks", has_tasks},
			   alive_said = {say_alive, "/api/stats", runs},
			   stop_said = {broker_deregister, "/api/stats",
					is_stopped};

/* --- the worker ------------------------------------------------------------ */

/* It is seen alive before it leaves: one that has not yet entered cannot leave. */
void
crew_visit(struct desk *d, struct crew *c)
{
	crew_open(d, c);
	crew_say(c, &alive_said);
	crew_say(c, &tasks_said);
	crew_say(c, &stop_said);
	crew_close(c);
}

void
crew_beat(struct crew *c)
{
	static const struct schedules_scheduler scheduler = {
	    .id = "host:beat", .host = "host", .pid = 1};
	struct schedules_scheduler now = scheduler;
	struct err err = ERR_INIT;

	c->beat_ms = clock_mono_ms();
	crew_say(c, &alive_said);
	now.started_us = now.seen_us = clock_wall_us();
	ck_assert_ptr_nonnull(c->d->worker.schedules);
	ck_assert_msg(schedules_beat(c->d->worker.schedules, &now, &err) == 0,
		      "%s", err.msg);
}

void
crew_keep(struct crew *c)
{
	if (c->beat_ms != 0 &&
	    clock_mono_ms() - c->beat_ms > BROKER_HEARTBEAT_S * 1000)
		crew_beat(c);
}
