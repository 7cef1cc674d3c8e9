/* SPDX-License-Identifier: MIT */
/* The scheduler's loop: what is done in a turn, and what is waited for. */
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
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"

#define US_PER_S INT64_C(1000000)
#define BEAT_US (10 * US_PER_S)
#define PRUNE_US (60 * US_PER_S)
#define PRUNE_MAX 10000
#define ZONES_US (3600 * US_PER_S)
/* Fires stay in the outbox for so long after they were sent: no clock is set
 * back further. */
#define KEEP_US (2 * 86400 * US_PER_S)
#define BACKOFF_MIN_US INT64_C(100000)
#define BACKOFF_MAX_US (3 * US_PER_S)
/* When what is due is in another scheduler's hands. */
#define PAUSE_MIN_US INT64_C(5000)
#define PAUSE_MAX_US INT64_C(160000)

static void on_turn(evutil_socket_t fd, short what, void *arg);

void
beat_turn(struct beat *b)
{
	event_active(b->turn, EV_TIMEOUT, 0);
}

/* --- a turn ------------------------------------------------------------ */

static bool
may_claim(const struct beat *b)
{
	return b->broker_up && b->opt.conf->scheduler.enabled;
}

/* Others may have claimed fires at the same time, and died. */
static void
look_soon(struct beat *b, int64_t mono)
{
	if (b->at.look == NEVER)
		b->at.look = mono + OLD_US + OLD_US / 10;
}

static int
do_look(struct beat *b, struct err *err)
{
	struct schedules_fires *fires;
	const bool all = b->look_all;

	if (schedules_unsent(b->db, NEVER, UNSENT_MAX, &fires, err) != 0)
		return -1;
	b->look_all = false;
	b->at.look = NEVER;
	send_fires(b, fires, all, NEVER);
	return 0;
}

static int
do_claim(struct beat *b, int64_t mono, struct err *err)
{
	struct schedules_fires *fires = NULL;

	look_soon(b, mono);
	b->next_known = false;
	b->asking = false;
	if (decide_due(b, &fires, err) != 0) {
		b->look_all = true; /* the commit may have been carried out */
		return -1;
	}
	if (fires != NULL)
		send_fires(b, fires, true, b->first_due_us);
	b->asking = lookup_ask(b->lookup);
	if (b->asking)
		b->claim_more = true;
	else if (!b->claimed) {
		/* Nothing; if it is still due, somebody else has it locked. */
		b->pause_us = b->pause_us == 0 ? PAUSE_MIN_US : 2 * b->pause_us;
		if (b->pause_us > PAUSE_MAX_US)
			b->pause_us = PAUSE_MAX_US;
		b->at.pause = mono + b->pause_us;
	}
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
	if (mono >= b->at.check) {
		b->next_known = false;
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

/* Asked right before sleeping: see schedules_changed(). */
static int
find_next(struct beat *b, struct err *err)
{
	bool changed;

	for (;;) {
		if (!b->next_known &&
		    schedules_next_due(b->db, &b->next_due_us, err) != 0)
			return -1;
		b->next_known = true;
		if (schedules_changed(b->db, &changed, err) != 0)
			return -1;
		if (!changed)
			return 0;
		b->next_known = false;
		look_soon(b, clock_mono_us());
	}
}

static int
work_turn(struct beat *b, int64_t mono, struct err *err)
{
	const bool more = b->claim_more && may_claim(b);

	if (!more || b->n_sent >= SENT_MAX) {
		if (send_mark(b, err) != 0 || do_chores(b, mono, err) != 0)
			return -1;
	}
	if (may_claim(b)) {
		if (b->rezone && decide_rezone(b, err) != 0)
			return -1;
		if (mono >= b->at.look && do_look(b, err) != 0)
			return -1;
		if (b->sending)
			return 0;
		if (mono >= b->at.pause &&
		    (b->claim_more ||
		     (b->next_known && b->next_due_us <= clock_wall_us()))) {
			if (do_claim(b, mono, err) != 0)
				return -1;
			if (b->sending || b->asking)
				return 0;
		}
	}
	return find_next(b, err);
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

/* --- the database's state ---------------------------------------------- */

void
beat_end(struct beat *b, const struct err *why)
{
	b->stopped = true;
	b->opt.on_stopped(why, b->opt.arg);
}

static void
trouble(struct beat *b, const struct err *why, int64_t mono)
{
	if (!b->reached && !schedules_transient(why)) {
		beat_end(b, why);
		return;
	}
	if (!b->missed)
		log_warning("schedules: %s; retrying", why->msg);
	b->missed = true;
	b->next_known = false;
	b->backoff_us = b->backoff_us == 0 ? BACKOFF_MIN_US : 2 * b->backoff_us;
	if (b->backoff_us > BACKOFF_MAX_US)
		b->backoff_us = BACKOFF_MAX_US;
	b->at.retry = mono + b->backoff_us;
}

static void
well(struct beat *b)
{
	if (b->missed || !b->reached)
		log_notice("schedules in %s are reachable",
			   schedules_name(b->db));
	b->reached = true;
	b->missed = false;
	b->backoff_us = 0;
	b->at.retry = 0;
	if (b->announced || !b->broker_up)
		return;
	b->announced = true;
	b->opt.on_ready(b->opt.arg);
}

static void
finish_turn(struct beat *b)
{
	struct err err = ERR_INIT;

	if (send_mark(b, &err) != 0)
		log_warning("cannot mark sent fires: %s; they will be sent "
			    "again, which is harmless",
			    err.msg);
	if (b->reached && !b->missed)
		schedules_farewell(b->db, b->opt.id, &err);
	beat_end(b, NULL);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct beat *b = arg;
	const int64_t mono = clock_mono_us();
	struct err err = ERR_INIT;

	if (b->stopped || b->sending || (b->asking && !b->stopping))
		return;
	if (b->stopping) {
		finish_turn(b);
		return;
	}
	if (mono >= b->at.retry) {
		if (work_turn(b, mono, &err) != 0)
			trouble(b, &err, mono);
		else
			well(b);
	}
	if (!b->stopped && !b->sending && !b->asking)
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

	if (read(fd, &n, sizeof(n)) < 0) {
		log_info("the clock was set");
		b->next_known = false;
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
