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
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "beat/lookup.h"
#include "beat/outbox.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"

#define US_PER_S INT64_C(1000000)
/* People see from it who lives; three of them are missed before a scheduler is
 * shown as dead. */
#define BEAT_US (10 * US_PER_S)
/* Marked fires go in pieces that take some ms each: a burst of fires is removed
 * as it came, and not in one long transaction. */
#define PRUNE_US (60 * US_PER_S)
#define PRUNE_MAX 10000
/* A package with new zones is noticed within the hour; they change some times a
 * year, with weeks of notice. */
#define ZONES_US (3600 * US_PER_S)
/* Fires stay in the outbox for so long after they were sent, so that a clock
 * that is set back makes no fire a second time: no clock is set back further. */
#define KEEP_US (2 * 86400 * US_PER_S)
/* A restart of a database takes some seconds: it is found again soon after, and
 * one that is away for long is not bothered. */
#define BACKOFF_MIN_US INT64_C(100000)
#define BACKOFF_MAX_US (3 * US_PER_S)
/* What is due is in another scheduler's hands: a claim takes from some ms to a
 * hundred. */
#define PAUSE_MIN_US INT64_C(5000)
#define PAUSE_MAX_US INT64_C(160000)
/* Fires that are looked for at a time: the most that is kept in memory. */
#define UNSENT_MAX 10000
/* Marking can wait while there is more to send: that is what is late. But what
 * is not marked is sent twice after a crash, so not for longer than this. */
#define SENT_MAX 16

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

/* --- a turn ------------------------------------------------------------ */

static bool
may_claim(const struct beat *b)
{
	return b->broker_reach == REACH_UP && b->opt.conf->scheduler.enabled;
}

/* Whether answers will begin the next turn. */
static bool
under_way(const struct beat *b)
{
	return outbox_sending(b->outbox) || lookup_asking(b->lookup);
}

/* Others may have claimed fires at the same time, and died: once these are old
 * enough, and a little later, for the clocks are not the same. */
static void
look_soon(struct beat *b, int64_t mono)
{
	if (b->at.look == NEVER)
		b->at.look = mono + OUTBOX_OLD_US + OUTBOX_OLD_US / 10;
}

/* Those that are left are looked for again when they may be old enough. */
static void
send_fires(struct beat *b, struct schedules_fires *fires, enum outbox_age age,
	   int64_t first_due_us)
{
	if (outbox_send(b->outbox, fires, age, first_due_us) > 0)
		beat_look_in(b, OUTBOX_OLD_US / 2);
}

static int
do_look(struct beat *b, struct err *err)
{
	const enum outbox_age age = b->look_all ? OUTBOX_ALL : OUTBOX_OLD;
	struct schedules_fires *fires;

	if (schedules_unsent(b->db, NEVER, UNSENT_MAX, &fires, err) != 0)
		return -1;
	b->look_all = false;
	b->at.look = NEVER;
	send_fires(b, fires, age, NEVER);
	return 0;
}

/* Nothing was claimed; what is still due, another scheduler has locked. */
static void
pause_claims(struct beat *b, int64_t mono)
{
	b->pause_us = b->pause_us == 0 ? PAUSE_MIN_US : 2 * b->pause_us;
	if (b->pause_us > PAUSE_MAX_US)
		b->pause_us = PAUSE_MAX_US;
	b->at.pause = mono + b->pause_us;
}

static int
do_claim(struct beat *b, int64_t mono, struct err *err)
{
	struct decided got;
	bool asked;

	look_soon(b, mono);
	b->due_state = DUE_UNKNOWN;
	if (decide_due(b, &got, err) != 0) {
		b->look_all = true; /* the commit may have been carried out */
		return -1;
	}
	if (got.n > 0)
		b->pause_us = 0;
	if (got.fires != NULL)
		send_fires(b, got.fires, OUTBOX_ALL, b->first_due_us);
	asked = lookup_ask(b->lookup);
	if (asked || got.n >= CLAIM_MAX)
		b->due_state = DUE_MORE;
	if (!asked && got.n == 0)
		pause_claims(b, mono);
	return 0;
}

static int
say_alive(struct beat *b, struct err *err)
{
	struct utsname host;
	const struct schedules_scheduler me = {
	    .id = b->opt.id,
	    .host = host.nodename,
	    .pid = getpid(),
	    .started_us = b->started_us,
	    .seen_us = clock_wall_us(),
	    .lag_us = b->lag_us,
	    .max_lag_us = b->max_lag_us > b->max_before_us ? b->max_lag_us
							   : b->max_before_us,
	    .fires = b->fires};

	uname(&host);
	return schedules_beat(b->db, &me, err);
}

/* What is to be done now and then. */
static int
do_chores(struct beat *b, int64_t mono, struct err *err)
{
	size_t n;

	if (mono >= b->at.beat) {
		if (say_alive(b, err) != 0)
			return -1;
		b->at.beat = mono + BEAT_US;
	}
	if (mono >= b->at.zones) {
		if (decide_zones(b, err) != 0)
			return -1;
		b->at.zones = mono + ZONES_US;
	}
	/* Whatever should have woken it and did not is found here. */
	if (mono >= b->at.check) {
		beat_forget_due(b);
		b->at.check = mono + b->opt.conf->scheduler.check_interval;
		look_soon(b, mono);
	}
	if (mono < b->at.prune)
		return 0;
	b->at.prune = mono + PRUNE_US;
	if (schedules_prune(b->db, clock_wall_us() - KEEP_US, PRUNE_MAX, &n,
			    err) != 0)
		return -1;
	if (n == PRUNE_MAX)
		b->at.prune = mono + US_PER_S;
	return 0;
}

/* Asked right before sleeping: see schedules_changed(). A change that comes
 * between the two questions is asked about once more. */
static int
find_next(struct beat *b, struct err *err)
{
	bool changed;

	for (;;) {
		if (b->due_state != DUE_KNOWN &&
		    schedules_next_due(b->db, &b->next_due_us, err) != 0)
			return -1;
		b->due_state = DUE_KNOWN;
		if (schedules_changed(b->db, &changed, err) != 0)
			return -1;
		if (!changed)
			return 0;
		beat_forget_due(b);
		look_soon(b, clock_mono_us());
	}
}

static bool
is_due(const struct beat *b, int64_t mono)
{
	if (mono < b->at.pause)
		return false;
	return b->due_state == DUE_MORE ||
	       (b->due_state == DUE_KNOWN && b->next_due_us <= clock_wall_us());
}

/* Old fires before new ones: they are the later ones. */
static int
do_fires(struct beat *b, int64_t mono, struct err *err)
{
	if (b->rezone && decide_rezone(b, err) != 0)
		return -1;
	if (mono >= b->at.look && do_look(b, err) != 0)
		return -1;
	if (!under_way(b) && is_due(b, mono))
		return do_claim(b, mono, err);
	return 0;
}

/* While there is more to claim, marks and chores wait. */
static int
work_turn(struct beat *b, int64_t mono, struct err *err)
{
	const bool more = b->due_state == DUE_MORE && may_claim(b);

	if (!more || outbox_unmarked(b->outbox) >= SENT_MAX) {
		if (outbox_mark(b->outbox, err) != 0 ||
		    do_chores(b, mono, err) != 0)
			return -1;
	}
	if (may_claim(b) && do_fires(b, mono, err) != 0)
		return -1;
	return under_way(b) ? 0 : find_next(b, err);
}

/* --- waiting ----------------------------------------------------------- */

static void
on_change(evutil_socket_t fd, short what, void *arg)
{
	on_turn(fd, what, arg);
}

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

/* Fires of the real clock, which may be set: the kernel tells. */
static void
arm_due(struct beat *b, bool on)
{
	struct itimerspec at = {.it_value = {0, 0}};

	if (on && b->next_due_us != NEVER) {
		at.it_value.tv_sec = b->next_due_us / US_PER_S;
		at.it_value.tv_nsec = b->next_due_us % US_PER_S * 1000;
		if (b->next_due_us <= 0)
			at.it_value.tv_nsec = 1;
	}
	timerfd_settime(b->due_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			&at, NULL);
}

static int64_t
earliest(const struct beat *b, int64_t mono)
{
	const int64_t at[] = {b->at.beat,
			      b->at.prune,
			      b->at.zones,
			      b->at.poll,
			      b->at.check,
			      may_claim(b) ? b->at.look : NEVER,
			      may_claim(b) && b->at.pause > mono ? b->at.pause
								 : NEVER};
	int64_t first = NEVER;
	size_t i;

	if (b->at.retry > mono)
		return b->at.retry;
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		if (at[i] < first)
			first = at[i];
	return first;
}

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
	arm_due(b, !failed && may_claim(b) && b->at.pause <= mono);
}

/* --- what a turn ends with ----------------------------------------------- */

void
beat_end(struct beat *b, const struct err *why)
{
	beat_enter(b, BEAT_STOPPED);
	b->opt.on_stopped(why, b->opt.arg);
}

static void
turn_failed(struct beat *b, const struct err *why, int64_t mono)
{
	const bool never =
	    b->db_reach == REACH_UNTRIED || b->db_reach == REACH_UNREACHED;

	if (never && !schedules_transient(why)) {
		beat_end(b, why);
		return;
	}
	if (beat_reached(&b->db_reach, false))
		log_warning("schedules: %s; retrying", why->msg);
	beat_forget_due(b);
	b->backoff_us = b->backoff_us == 0 ? BACKOFF_MIN_US : 2 * b->backoff_us;
	if (b->backoff_us > BACKOFF_MAX_US)
		b->backoff_us = BACKOFF_MAX_US;
	b->at.retry = mono + b->backoff_us;
}

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
	if (b->db_reach == REACH_UP)
		schedules_farewell(b->db, b->opt.id, &err);
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
	if (b->phase != BEAT_STOPPED && !under_way(b))
		arm(b, mono);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	on_turn(fd, what, arg);
}

static void
on_due(evutil_socket_t fd, short what, void *arg)
{
	struct beat *b = arg;
	uint64_t n;

	/* ECANCELED: see TFD_TIMER_CANCEL_ON_SET in timerfd_settime(2). */
	if (read(fd, &n, sizeof(n)) < 0) {
		log_info("the clock was set");
		beat_forget_due(b);
	}
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
