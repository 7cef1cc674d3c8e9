/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: tasks for later.
 *
 * They wait in a sorted set, by the server's wall clock, from which the promote
 * script takes what is due. The script also tells the time, and so a worker
 * knows how far that clock is ahead of one of its own that nobody can set. If
 * the next answer does not agree, somebody has set the server's clock, or a
 * replica has taken over whose clock is another: then the worker has the due
 * times moved that came from a delay (clock.lua), so that no delay is shorter
 * or longer for it.
 *
 * Nothing is promoted by a clock that was set: the script is told what the time
 * must be about, and refuses. All workers of a queue count from the same zero,
 * since the script subtracts what was moved so far (`shift`), so the first one
 * to see the step moves the delays, and the others see none. Should their own
 * clocks not agree, since one of their machines was halted, say, whoever finds
 * that another one has moved the delays believes it.
 *
 * A step that comes while no worker looks is not noticed; nor is one of less
 * than a tenth of a second.
 */
#include <event2/event.h>

#include "broker/redis.h"
#include "util/clock.h"

/* While something waits, the clock is looked at so often. */
#define LOOK_MS 3000
/* A smaller step is none. */
#define STEP_MIN_MS 100
/* Two clocks of one machine, or two, differ by less than a 2000th of what
 * passes. */
#define DRIFT 2000

/* --- the clock --------------------------------------------------------- */

static int64_t
own_ms(void)
{
	return clock_boot_us() / 1000;
}

/* By how much the distance may have changed since it was seen. */
static int64_t
tolerance_ms(const struct rclock *c, int64_t now_ms)
{
	return STEP_MIN_MS + (now_ms - c->seen_ms) / DRIFT;
}

/* What the time can be when the server gets a question that is sent now. */
static void
expect(struct rclock *c, int64_t *ret_earliest, int64_t *ret_latest)
{
	c->asked_ms = own_ms();
	*ret_earliest = 0;
	*ret_latest = INT64_C(1) << 53;
	if (!c->known)
		return;
	*ret_earliest =
	    c->asked_ms + c->first_ms - tolerance_ms(c, c->asked_ms);
	*ret_latest = c->asked_ms + c->last_ms + tolerance_ms(c, c->asked_ms) +
		      c->answer_ms;
}

/*
 * An answer came, with the time. Was the clock set since it was last seen? By
 * step_ms at most, then: a delay may become a little longer, but not shorter.
 */
static void
compare(struct rclock *c, int64_t server_ms, int64_t shift_ms)
{
	const int64_t now = own_ms() + 1;
	const int64_t first = server_ms - shift_ms - now;
	const int64_t last = server_ms + 1 - shift_ms - c->asked_ms;
	const int64_t tolerance = tolerance_ms(c, now);
	const bool comparable = c->known && c->shift_ms == shift_ms;

	c->step_ms = 0;
	if (comparable &&
	    (first > c->last_ms + tolerance || last < c->first_ms - tolerance))
		c->step_ms = last - c->first_ms;
	c->answer_ms = now - c->asked_ms;
	/* An answer that took long tells less than an earlier, quick one. */
	if (comparable && c->step_ms == 0 &&
	    c->last_ms - c->first_ms + (now - c->seen_ms) / DRIFT <
		last - first)
		return;
	c->known = true;
	c->first_ms = first;
	c->last_ms = last;
	c->seen_ms = now;
	c->shift_ms = shift_ms;
}

/* --- moving delays ----------------------------------------------------- */

/* What was asked for is answered: looks again, if need be. */
static void
ended(struct rqueue *q, bool again)
{
	again = again || q->promote_again;
	q->promoting = q->promote_again = false;
	if (again)
		rqueue_promote(q);
}

static bool
has_failed(struct rqueue *q, const struct redis_reply *reply)
{
	const enum redis_fault fault = redis_fault(reply);

	if (fault == REDIS_FAULT_NONE)
		return false;
	if (rqueue_reply_lost(reply)) {
		/* Another look follows when the connection is back. */
		q->promoting = q->promote_again = false;
		return true;
	}
	if (fault != REDIS_FAULT_SCRIPT)
		rqueue_refused(q, "looking for due tasks", reply);
	ended(q, fault == REDIS_FAULT_SCRIPT);
	return true;
}

/* Moved, by us or by another worker: now what is due is due. */
static void
on_followed(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;
	struct rclock *c = &q->clock;

	(void)r;
	if (has_failed(q, reply))
		return;
	if (redis_reply_integer(reply) == 1) {
		c->first_ms -= c->step_ms;
		c->last_ms -= c->step_ms;
		c->shift_ms += c->step_ms;
	}
	ended(q, true);
}

static void
follow_clock(struct rqueue *q)
{
	char step[NUMBER_TEXT], shift[NUMBER_TEXT];
	const struct slice keys[] = {slice_of(q->keys[KEY_DELAYED]),
				     slice_of(q->keys[KEY_CLOCK])};
	const struct slice args[] = {number_arg(step, q->clock.step_ms),
				     number_arg(shift, q->clock.shift_ms)};

	if (rbroker_eval(q->broker, SCRIPT_CLOCK, on_followed, q, 2, keys, 2,
			 args) != 0)
		q->promoting = q->promote_again = false;
}

/* --- due tasks --------------------------------------------------------- */

static void
wait_until_due(struct rqueue *q, int64_t left_ms)
{
	const int64_t ms = left_ms < LOOK_MS ? left_ms : LOOK_MS;
	const struct timeval tv = {.tv_sec = ms / 1000,
				   .tv_usec = ms % 1000 * 1000};

	evtimer_add(q->due, &tv);
}

static void
on_promoted(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;
	struct rclock *c = &q->clock;
	int64_t moved, left;
	bool doubt;

	(void)r;
	if (has_failed(q, reply))
		return;
	moved = redis_reply_integer(redis_reply_at(reply, 0));
	left = redis_reply_integer(redis_reply_at(reply, 1));
	doubt = redis_reply_integer(redis_reply_at(reply, 4)) == 1;
	compare(c, redis_reply_integer(redis_reply_at(reply, 2)),
		redis_reply_integer(redis_reply_at(reply, 3)));
	if (c->step_ms != 0 || doubt) {
		follow_clock(q);
	} else {
		if (left > 0)
			wait_until_due(q, left);
		/* Refused all the same: the question was long on its way. */
		ended(q, moved < 0 || left == 0);
	}
	if (moved > 0) {
		q->more = true;
		rqueue_pump(q);
	}
}

void
rqueue_promote(struct rqueue *q)
{
	char earliest[NUMBER_TEXT], latest[NUMBER_TEXT];
	const struct slice keys[] = {
	    slice_of(q->keys[KEY_DELAYED]), slice_of(q->keys[KEY_WAITING]),
	    slice_of(q->keys[KEY_LEVELS]), slice_of(q->keys[KEY_CLOCK])};
	int64_t from, to;

	if (!q->recovered)
		return;
	q->promote_again = q->promoting;
	if (q->promoting)
		return;
	evtimer_del(q->due);
	expect(&q->clock, &from, &to);
	const struct slice args[] = {
	    slice_of(RBROKER_CONTROL), slice_of(q->wake),
	    number_arg(earliest, from), number_arg(latest, to)};

	q->promoting = rbroker_eval(q->broker, SCRIPT_PROMOTE, on_promoted, q,
				    4, keys, 4, args) == 0;
}

void
rqueue_on_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	rqueue_promote(arg);
}
