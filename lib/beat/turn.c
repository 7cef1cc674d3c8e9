/* SPDX-License-Identifier: MIT */
/*
 * The scheduler's loop: what is done in a turn, and what is waited for.
 *
 * A turn runs to its end, or until it has sent fires or asked questions: their
 * answers begin the next one. So never two things are under way that depend on
 * each other, and a turn always begins with the whole state in hand. When
 * nothing is left to do, it asks when the next schedule is due, arms the timers
 * and sleeps.
 */
#include "beat/state.h"

#include <event2/event.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "beat/lookup.h"
#include "beat/outbox.h"
#include "beat/replace.h"
#include "schedules/health.h"
#include "store/results.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"

#define US_PER_S INT64_C(1000000)
/* A restart of a database takes some seconds: it is found again soon after, and
 * one that is away for long is not bothered. */
#define BACKOFF_MIN_US INT64_C(100000)
#define BACKOFF_MAX_US (3 * US_PER_S)
/* The year 2200: no timer is armed for later. */
#define FAR_S INT64_C(7258118400)

static void on_turn(evutil_socket_t fd, short what, void *arg);

void
beat_turn(struct beat *b)
{
	event_active(b->turn, EV_TIMEOUT, 0);
}

/* --- the state --------------------------------------------------------- */

static const char *const phase_names[] = {
#define X(NAME, name) [BEAT_##NAME] = #name,
    BEAT_PHASES(X)
#undef X
};

static const char *const reach_names[] = {
#define X(NAME, name) [REACH_##NAME] = #name,
    BEAT_REACHES(X)
#undef X
};

void
beat_enter(struct beat *b, enum beat_phase phase)
{
	log_debug("scheduler: %s, was %s; database %s, broker %s, backend %s",
		  phase_names[phase], phase_names[b->phase],
		  reach_names[b->db_reach], reach_names[b->broker_reach],
		  reach_names[b->results_reach]);
	b->phase = phase;
}

bool
beat_reached(enum beat_reach *reach, bool up)
{
	const enum beat_reach before = *reach;

	if (up)
		*reach = REACH_UP;
	else if (before == REACH_UP)
		*reach = REACH_LOST;
	else if (before == REACH_UNTRIED)
		*reach = REACH_UNREACHED;
	return *reach != before;
}

/* That there is more at once stays true. */
void
beat_forget_due(struct beat *b)
{
	if (b->due_state == DUE_KNOWN)
		b->due_state = DUE_UNKNOWN;
}

void
beat_look_in(struct beat *b, int64_t in_us)
{
	b->at.look = clock_mono_us() + in_us;
}

/* --- waiting ----------------------------------------------------------- */

static void
on_change(evutil_socket_t fd, short what, void *arg)
{
	on_turn(fd, what, arg);
}

/* Where the database tells of changes (schedules_fd()); else they are polled. */
static void
watch_changes(struct beat *b)
{
	const int fd = schedules_fd(b->db);

	/* Anew each time: another connection may have got the same number. */
	event_del(b->change);
	if (fd < 0)
		return;
	event_assign(b->change, b->opt.base, fd, EV_READ, on_change, b);
	event_add(b->change, NULL);
}

/* Fires of the real clock, which may be set: the kernel tells, but only of a
 * timer that is armed. So it always is. */
static void
arm_due(struct beat *b, bool on)
{
	struct itimerspec at = {.it_value = {FAR_S, 0}};

	if (on && b->next_due_us != NEVER) {
		at.it_value.tv_sec = b->next_due_us / US_PER_S;
		at.it_value.tv_nsec = b->next_due_us % US_PER_S * 1000;
		/* All zero would disarm it. */
		if (b->next_due_us <= 0)
			at.it_value.tv_nsec = 1;
	}
	timerfd_settime(b->due_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			&at, NULL);
}

/* When the monotonic clock has to wake it. After a failure nothing else is
 * waited for, so that a database that is away is not asked more often. */
static int64_t
earliest(const struct beat *b, int64_t mono)
{
	const int64_t at[] = {
	    b->at.beat, b->at.prune, b->at.zones, b->at.poll, b->at.check,
	    b->at.lacks, work_may_send(b) ? b->at.look : NEVER,
	    /* The next piece; the loop comes to its other events first. */
	    work_may_claim(b) && b->renew.active ? mono : NEVER,
	    work_may_claim(b) && b->at.pause > mono ? b->at.pause : NEVER};
	int64_t first = NEVER;
	size_t i;

	if (b->at.retry > mono)
		return b->at.retry;
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		if (at[i] < first)
			first = at[i];
	return first;
}

/* Arms all that may begin the next turn. `due` is left alone while the broker is
 * away or a claim pauses: what is due would wake it at once, for nothing. */
static void
arm(struct beat *b, int64_t mono)
{
	const bool failed = b->at.retry > mono;
	struct timeval tv;
	int64_t wait_us;

	b->at.poll = NEVER;
	if (!failed && schedules_poll_ms(b->db) >= 0)
		b->at.poll = mono + schedules_poll_ms(b->db) * INT64_C(1000);
	wait_us = earliest(b, mono) - mono;
	if (wait_us < 0)
		wait_us = 0;
	tv = (struct timeval){.tv_sec = wait_us / US_PER_S,
			      .tv_usec = wait_us % US_PER_S};
	evtimer_add(b->tick, &tv);
	if (!failed)
		watch_changes(b);
	else
		event_del(b->change);
	arm_due(b, !failed && work_may_claim(b) && b->at.pause <= mono);
}

/* --- what a turn ends with ----------------------------------------------- */

void
beat_end(struct beat *b, const struct err *why)
{
	struct err err;

	/* Broker and backend may both say the same of one store. */
	if (b->phase == BEAT_STOPPED)
		return;
	/* Else it would be missed, and looked for, until it is known for dead.
	 */
	if (b->db_reach == REACH_UP)
		schedules_farewell(b->db, b->opt.id, &err);
	beat_enter(b, BEAT_STOPPED);
	b->opt.on_stopped(why, b->opt.arg);
}

/* With a database that was never reached, an error that trying again does not
 * mend is the operator's to hear; later, servers have odd moods, and schedules
 * must fire when they are over. */
static void
turn_failed(struct beat *b, const struct err *why, int64_t mono)
{
	const bool never =
	    b->db_reach == REACH_UNTRIED || b->db_reach == REACH_UNREACHED;

	if (never && !schedules_transient(why)) {
		beat_end(b, why);
		return;
	}
	/* A newer program may have changed the schema: the next connection is
	 * told. */
	if (!schedules_transient(why))
		schedules_disconnect(b->db);
	if (beat_reached(&b->db_reach, false))
		log_warning("schedules: %s; retrying", why->msg);
	beat_forget_due(b);
	b->backoff_us = b->backoff_us == 0 ? BACKOFF_MIN_US : 2 * b->backoff_us;
	if (b->backoff_us > BACKOFF_MAX_US)
		b->backoff_us = BACKOFF_MAX_US;
	b->at.retry = mono + b->backoff_us;
}

/* Ready is who has reached both: systemd starts what depends on it then. */
static void
turn_worked(struct beat *b)
{
	if (beat_reached(&b->db_reach, true))
		log_notice("schedules in %s are reachable",
			   schedules_name(b->db));
	b->backoff_us = 0;
	b->at.retry = 0;
	if (b->phase == BEAT_STARTING && b->broker_reach == REACH_UP) {
		beat_enter(b, BEAT_RUNNING);
		b->opt.on_ready(b->opt.arg);
	}
}

/* The last one. Its failures hold nothing up: marks are made by those who send
 * the fires again, and a scheduler that is silent is known for dead. */
static void
last_turn(struct beat *b)
{
	struct err err = ERR_INIT;

	if (outbox_mark(b->outbox, &err) != 0)
		log_warning("cannot mark sent fires: %s; they will be sent "
			    "again, which is harmless",
			    err.msg);
	beat_end(b, NULL);
}

/* Fires that are being sent are waited for, whatever happens: their answers use
 * the batch, and marking them spares the next one the work. Answers to
 * questions are not: nothing was written yet. */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct beat *b = arg;
	const int64_t mono = clock_mono_us();
	struct err err = ERR_INIT;

	if (b->phase == BEAT_STOPPED || outbox_sending(b->outbox))
		return;
	if (b->phase == BEAT_STOPPING) {
		/* Else nobody could tell soon what became of the task. */
		if (!replace_is_storing(b->replace) ||
		    !results_is_up(b->results))
			last_turn(b);
		return;
	}
	if (lookup_asking(b->lookup))
		return;
	if (mono >= b->at.retry) {
		if (work_turn(b, mono, &err) != 0)
			turn_failed(b, &err, mono);
		else
			turn_worked(b);
	}
	if (b->phase != BEAT_STOPPED && !work_under_way(b))
		arm(b, mono);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	on_turn(fd, what, arg);
}

/* The wall clock has come to next_due_us, or was set. */
static void
on_due(evutil_socket_t fd, short what, void *arg)
{
	struct beat *b = arg;
	uint64_t n;

	/* It fails if the clock was set (TFD_TIMER_CANCEL_ON_SET), which the
	 * turn finds out by itself. */
	if (read(fd, &n, sizeof(n)) < 0)
		log_debug("the clock was set");
	beat_turn(b);
}

/* --- its events ---------------------------------------------------------- */

int
turn_init(struct beat *b, struct err *err)
{
	struct event_base *base = b->opt.base;

	b->due_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (b->due_fd < 0)
		return err_sys(err, ERR_SYSTEM, "cannot make a timer");
	b->turn = evtimer_new(base, on_turn, b);
	b->tick = evtimer_new(base, on_tick, b);
	b->change = event_new(base, -1, EV_READ, on_change, b);
	b->due = event_new(base, b->due_fd, EV_READ | EV_PERSIST, on_due, b);
	if (b->turn == NULL || b->tick == NULL || b->change == NULL ||
	    b->due == NULL || event_add(b->due, NULL) != 0)
		return err_nomem(err);
	return 0;
}

void
turn_done(struct beat *b)
{
	struct event *events[] = {b->turn, b->tick, b->due, b->change};
	size_t i;

	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (b->due_fd >= 0)
		close(b->due_fd);
}
