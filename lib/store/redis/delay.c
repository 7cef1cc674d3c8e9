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

#include "store/redis/broker.h"
#include "util/clock.h"

/* While something waits, the clock is looked at so often. */
#define LOOK_MS 3000
/* A smaller step is none. */
#define STEP_MIN_MS 100
/* Two clocks of one machine, or two, differ by less than a 2000th of what
 * passes. */
#define DRIFT 2000
#define NEVER_MS (INT64_C(1) << 53) /* Lua's numbers end there */

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
	const int64_t passed = now_ms - c->seen_ms;

	return STEP_MIN_MS + (passed > 0 ? passed / DRIFT : 0);
}

/* What the time can be when the server gets a question that is sent now, by
 * what we know, or have just seen of a clock that was set. */
static void
rclock_expect(struct rclock *c, int64_t *ret_earliest, int64_t *ret_latest)
{
	const bool set = c->step_ms != 0;
	int64_t tolerance;

	c->asked_ms = own_ms();
	*ret_earliest = 0;
	*ret_latest = NEVER_MS;
	if (!c->known)
		return;
	tolerance = tolerance_ms(c, c->asked_ms);
	*ret_earliest =
	    c->asked_ms + (set ? c->set_first_ms : c->first_ms) - tolerance;
	*ret_latest = c->asked_ms + (set ? c->set_last_ms : c->last_ms) +
		      tolerance + c->answer_ms;
}

/* Whether a distance between these two is what we know, or so much more. */
static bool
agrees(const struct rclock *c, int64_t first_ms, int64_t last_ms,
       int64_t more_ms)
{
	const int64_t tolerance = tolerance_ms(c, own_ms());

	return first_ms <= c->last_ms + more_ms + tolerance &&
	       last_ms >= c->first_ms + more_ms - tolerance;
}

static void
learn(struct rclock *c, int64_t first_ms, int64_t last_ms, int64_t now_ms)
{
	/* What took long tells less than what we know from before. */
	if (c->known && agrees(c, first_ms, last_ms, 0) &&
	    c->last_ms - c->first_ms + (now_ms - c->seen_ms) / DRIFT <
		last_ms - first_ms)
		return;
	c->known = true;
	c->first_ms = first_ms;
	c->last_ms = last_ms;
	c->seen_ms = now_ms;
}

/*
 * An answer came, with the time. Was the clock set since we know of it? By
 * step_ms at most, then: a delay may become a little longer, but not shorter.
 * Until the delays are moved, what we know is how it was before.
 */
static void
rclock_compare(struct rclock *c, int64_t server_ms, int64_t shift_ms)
{
	const int64_t now = own_ms() + 1;
	const int64_t first = server_ms - shift_ms - now;
	const int64_t last = server_ms + 1 - shift_ms - c->asked_ms;
	const int64_t others_ms = shift_ms - c->shift_ms;

	c->answer_ms = now - c->asked_ms;
	c->passed_ms = c->known ? now - c->looked_ms + STEP_MIN_MS : NEVER_MS;
	c->shift_ms = shift_ms;
	c->step_ms = 0;
	/* Another worker may have seen a step where we see none, since its own
	 * clock had stood still: then the delays are longer by that. */
	if (!c->known || agrees(c, first, last, 0) ||
	    (others_ms > 0 && agrees(c, first, last, -others_ms))) {
		learn(c, first, last, now);
		c->looked_ms = now;
		return;
	}
	c->step_ms = last - c->first_ms;
	c->set_first_ms = first;
	c->set_last_ms = last;
}

/* The delays are moved: to all workers the clock is where it was. */
static void
forget_step(struct rclock *c)
{
	c->first_ms = c->set_first_ms - c->step_ms;
	c->last_ms = c->set_last_ms - c->step_ms;
	c->shift_ms += c->step_ms;
	c->seen_ms = c->looked_ms = own_ms();
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
	q->clock.step_ms = 0; /* it will be seen again */
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

/* Moved, by us or by another worker, or the clock was set once more. */
static void
on_followed(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;

	if (has_failed(q, reply))
		return;
	if (redis_reply_integer(reply) == 1 && q->clock.step_ms != 0)
		forget_step(&q->clock);
	q->clock.step_ms = 0; /* or it will be seen again */
	ended(q, true);
}

static void
rqueue_follow_clock(struct rqueue *q)
{
	char step[ARG_NUMBER_SIZE], shift[ARG_NUMBER_SIZE];
	char earliest[ARG_NUMBER_SIZE], latest[ARG_NUMBER_SIZE],
	    passed[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(q->keys[KEY_DELAYED]),
				     slice_of(q->keys[KEY_CLOCK])};
	int64_t from, to;

	rclock_expect(&q->clock, &from, &to);
	const struct slice args[] = {
	    arg_number(step, q->clock.step_ms),
	    arg_number(shift, q->clock.shift_ms), arg_number(earliest, from),
	    arg_number(latest, to), arg_number(passed, q->clock.passed_ms)};

	if (rbroker_eval(q->broker, SCRIPT_CLOCK, on_followed, q, 2, keys, 5,
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

	if (has_failed(q, reply))
		return;
	moved = redis_reply_integer(redis_reply_at(reply, 0));
	left = redis_reply_integer(redis_reply_at(reply, 1));
	doubt = redis_reply_integer(redis_reply_at(reply, 4)) == 1;
	rclock_compare(c, redis_reply_integer(redis_reply_at(reply, 2)),
		       redis_reply_integer(redis_reply_at(reply, 3)));
	if (c->step_ms != 0 || doubt) {
		rqueue_follow_clock(q);
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
	char earliest[ARG_NUMBER_SIZE], latest[ARG_NUMBER_SIZE];
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
	rclock_expect(&q->clock, &from, &to);
	const struct slice args[] = {
	    slice_of(RBROKER_CONTROL), slice_of(q->wake),
	    arg_number(earliest, from), arg_number(latest, to)};

	q->promoting = rbroker_eval(q->broker, SCRIPT_PROMOTE, on_promoted, q,
				    4, keys, 4, args) == 0;
}

void
rqueue_on_due(evutil_socket_t fd, short what, void *arg)
{
	rqueue_promote(arg);
}
