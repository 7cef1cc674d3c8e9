/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: task events, on a channel for each kind.
 *
 * They are for people who look on (flowrractl events, a dashboard): they may be
 * lost, and nothing waits for them. A worker sends none while nobody listens.
 *
 * A publication costs a worker and the server about as much as a record does, so
 * brief events go together, what a worker has to tell in EVENTS_GAP_MS in one.
 */
#include <event2/event.h>
#include <stdlib.h>

#include "store/redis/results.h"
#include "util/clock.h"
#include "util/timer.h"

/* A subscriber that says nothing is noticed within this time; a worker without
 * one is spared the events, at the price of one PUBSUB a second. */
#define SUBSCRIBER_CHECK_S 1
/* How long one that says that it listens counts without being seen: a look that
 * began before it did may still be under way. */
#define EXPECT_MS 5000
/* Between two publications of brief events: people see no difference. */
#define EVENTS_GAP_MS 20
/* Beyond it they go at once. */
#define BRIEF_BYTES (64u << 10)

static struct slice
revents_channel(enum results_detail detail)
{
	return slice_of(detail == RESULTS_BRIEF ? RRESULTS_BRIEF
						: RRESULTS_EVENTS);
}

/* --- who listens ------------------------------------------------------- */

/* Each node of a Cluster knows its own listeners. */
static void
on_listeners(struct redis *redis, const struct redis_reply *reply, void *arg)
{
	struct rresults *r = arg;
	unsigned int i;

	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		r->check.failed = true;
	} else {
		/* Each channel, and behind it how many listen. */
		for (i = 0; i < RESULTS_DETAILS; i++)
			if (redis_reply_integer(
				redis_reply_at(reply, 2 * i + 1)) > 0)
				r->check.heard_of |= 1u << i;
	}
	if (--r->check.due > 0)
		return;
	/* What is known stays until all have answered. */
	r->heard_of = r->check.failed ? r->heard_of | r->check.heard_of
				      : r->check.heard_of;
}

static void
revents_on_check(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval tv = {.tv_sec = SUBSCRIBER_CHECK_S};
	struct rresults *r = arg;
	const struct slice argv[] = {SLICE("PUBSUB"), SLICE("NUMSUB"),
				     revents_channel(RESULTS_BRIEF),
				     revents_channel(RESULTS_WHOLE)};

	evtimer_add(r->subscriber_check, &tv);
	if (r->check.due > 0)
		return;
	r->check.heard_of = 0;
	r->check.failed = false;
	r->check.due = redis_command_all(r->redis, on_listeners, r, 4, argv);
}

unsigned int
rresults_heard(const struct results *results)
{
	struct rresults *r = (struct rresults *)results;
	unsigned int heard = r->heard_of, i;

	if (r->subscriber_check == NULL &&
	    (r->subscriber_check =
		 evtimer_new(r->opt.base, revents_on_check, r)) != NULL)
		event_active(r->subscriber_check, EV_TIMEOUT, 0);
	for (i = 0; i < RESULTS_DETAILS; i++)
		if (r->expected_ms[i] != 0) {
			if (clock_mono_ms() < r->expected_ms[i])
				heard |= 1u << i;
			else
				r->expected_ms[i] = 0;
		}
	return heard;
}

void
rresults_expect(struct results *results, enum results_detail detail)
{
	struct rresults *r = (struct rresults *)results;

	r->expected_ms[detail] = clock_mono_ms() + EXPECT_MS;
}

/* --- telling ----------------------------------------------------------- */

static void
revents_flush(struct rresults *r)
{
	struct slice argv[] = {
	    SLICE("PUBLISH"), revents_channel(RESULTS_BRIEF), {NULL, 0}};

	if (r->brief.lines.len == 0)
		return;
	/* The last newline separates nothing. */
	argv[2] = (struct slice){r->brief.lines.data, r->brief.lines.len - 1};
	if (!r->brief.lines.failed)
		redis_command(r->redis, NULL, NULL, 3, argv);
	buf_reset(&r->brief.lines);
	r->brief.sent_ms = clock_mono_ms();
}

static void
revents_on_due(void *arg)
{
	revents_flush(arg);
}

/* A client that only tells what it has changed itself ends soon; without a timer
 * nothing can wait. */
static bool
revents_may_wait(struct rresults *r)
{
	if (r->subscriber_check == NULL || r->hurry ||
	    r->brief.lines.len >= BRIEF_BYTES)
		return false;
	if (r->brief.due == NULL)
		r->brief.due = timer_new(r->opt.base, revents_on_due, r);
	return r->brief.due != NULL;
}

static void
revents_add_brief(struct rresults *r, struct slice event)
{
	int64_t wait_ms;

	buf_add(&r->brief.lines, event.p, event.len);
	buf_addc(&r->brief.lines, '\n');
	if (!revents_may_wait(r)) {
		revents_flush(r);
	} else if (!timer_pending(r->brief.due)) {
		wait_ms = r->brief.sent_ms + EVENTS_GAP_MS - clock_mono_ms();
		timer_set_ms(r->brief.due, wait_ms > 0 ? wait_ms : 0);
	}
}

void
rresults_event(struct results *results, enum results_detail detail,
	       struct slice event)
{
	struct rresults *r = (struct rresults *)results;
	const struct slice argv[] = {SLICE("PUBLISH"), revents_channel(detail),
				     event};

	if (detail == RESULTS_BRIEF)
		revents_add_brief(r, event);
	else
		redis_command(r->redis, NULL, NULL, 3, argv);
}

void
rresults_events_hurry(struct rresults *r)
{
	revents_flush(r);
}

void
rresults_events_close(struct rresults *r)
{
	if (r->subscriber_check != NULL)
		event_free(r->subscriber_check);
	timer_free(r->brief.due);
	buf_done(&r->brief.lines);
}

/* --- listening --------------------------------------------------------- */

/* The server confirms the subscription: the first time, or once more, after it
 * was lost (a listener that is too slow is thrown out, too). */
static void
on_subscribed(struct redis *redis, void *arg)
{
	struct rresults *r = arg;
	const struct results_ear ear = r->ear;
	const bool again = r->listening;
	struct err err;

	r->listening = true;
	/* At last, in each case: it may close the backend. */
	if (!again && ear.on_ready != NULL)
		ear.on_ready(ear.arg);
	if (!again || ear.on_event == NULL)
		return;
	err_set(&err, ERR_UNAVAILABLE,
		"the connection to %s was lost for a while; events may have "
		"been missed",
		redis_name(redis));
	ear.on_event((struct slice){NULL, 0}, &err, ear.arg);
}

void
rresults_events_down(struct rresults *r, const struct err *why)
{
	if (r->ear.on_event == NULL || r->listening || r->told_deaf)
		return;
	r->told_deaf = true;
	/* At last: it may close the backend. */
	r->ear.on_event((struct slice){NULL, 0}, why, r->ear.arg);
}

bool
rresults_event_message(struct rresults *r, struct slice channel,
		       struct slice payload)
{
	if (!slice_eq(channel, revents_channel(RESULTS_WHOLE)) &&
	    !slice_eq(channel, revents_channel(RESULTS_BRIEF)))
		return false;
	/* NULL, or the other kind: a message that was under way when the
	 * listener left. */
	if (r->ear.on_event != NULL &&
	    slice_eq(channel, revents_channel(r->ear.detail)))
		r->ear.on_event(payload, NULL, r->ear.arg);
	return true;
}

int
rresults_listen(struct results *results, const struct results_ear *ear,
		struct err *err)
{
	struct rresults *r = (struct rresults *)results;

	if (r->ear.on_event != NULL)
		redis_unsubscribe(r->listener, revents_channel(r->ear.detail));
	r->ear = (struct results_ear){.on_event = NULL};
	if (ear == NULL)
		return 0;
	if (rresults_open_listener(r, err) != 0)
		return -1;
	r->listening = false;
	r->told_deaf = false;
	if (redis_subscribe(r->listener, revents_channel(ear->detail),
			    on_subscribed, r) != 0)
		return err_nomem(err);
	r->ear = *ear;
	return 0;
}
