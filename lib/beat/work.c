/* SPDX-License-Identifier: MIT */
/*
 * What there is to do in a turn (turn.c), in this order: mark what was sent, so
 * that nobody sends it again; the chores; fires that are left in the outbox; and
 * what is due. Then it asks when the next schedule is due.
 */
#include "beat/state.h"

#include <sys/utsname.h>
#include <unistd.h>

#include "beat/late.h"
#include "beat/lookup.h"
#include "beat/outage.h"
#include "beat/outbox.h"
#include "beat/replace.h"
#include "schedules/claim.h"
#include "schedules/health.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"

#define US_PER_S INT64_C(1000000)
/* How old the figures are that people see of a scheduler, at most. A trade with
 * the one write that each costs. */
#define BEAT_US (10 * US_PER_S)
/* Marked fires are removed in pieces, so that no transaction is long; after a
 * full one the next follows a second later, and a burst is gone in time. */
#define PRUNE_US (60 * US_PER_S)
#define PRUNE_MAX 10000
/* A package with new zones is noticed within the hour; they change some times a
 * year, with weeks of notice. */
#define ZONES_US (3600 * US_PER_S)
/* Fires stay in the outbox for so long after they were sent at least, so that a
 * clock that is set back makes no fire a second time; by one that is set back
 * further none is made (renew.c). For people they stay longer, as [scheduler] says. */
#define KEEP_US (2 * 86400 * US_PER_S)
/* A living scheduler is never seen so far ahead: its clock is the database's. */
#define FUTURE_US (3600 * US_PER_S)
/* Schedules whose fires are counted at a time: each is two or three questions.
 * All of 10,000 have had their turn within a morning. */
#define THIN_MAX 50
/* How long what another scheduler has locked is left alone, doubled each time
 * that it still is: from a commit on a fast disk to one of many rows. */
#define PAUSE_MIN_US INT64_C(5000)
#define PAUSE_MAX_US INT64_C(160000)
/* Fires that are looked for at a time: the most that is kept in memory. */
#define UNSENT_MAX 10000
/* Marking can wait while there is more to send: that is what is late. But what
 * is not marked is sent twice after a crash, so not for longer than this. */
#define SENT_MAX 16

/* A backend of its own is tried by the first fire; its state comes later. */
bool
work_may_send(const struct beat *b)
{
	return b->broker_reach == REACH_UP && b->opt.conf->scheduler.enabled &&
	       b->clock.off_us == 0 &&
	       (b->one_store || b->results_reach == REACH_UP ||
		b->results_reach == REACH_UNTRIED);
}

bool
work_may_claim(const struct beat *b)
{
	return work_may_send(b) && !outage_of_store(b->outage);
}

bool
work_under_way(const struct beat *b)
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

/* Those of which it is not known whether they are queued are judged again: at
 * once when that is answered, or later if nobody could be asked. */
static void
judge_again(struct beat *b, enum outbox_age age)
{
	b->look_all = age == OUTBOX_ALL;
	if (lookup_ask(b->lookup))
		b->at.look = 0;
	else
		beat_look_in(b, OUTBOX_OLD_US / 2);
}

/* Before the question the flags are as they were: a failure must not forget
 * that the young ones were to be sent. */
static int
do_look(struct beat *b, struct err *err)
{
	const enum outbox_age age = b->look_all ? OUTBOX_ALL : OUTBOX_OLD;
	struct schedules_fires *fires;
	bool unknown;

	if (schedules_unsent(b->db, NEVER, UNSENT_MAX, &fires, err) != 0)
		return -1;
	if (late_drop(b, fires, age == OUTBOX_OLD, &unknown, err) != 0) {
		schedules_fires_free(fires);
		return -1;
	}
	if (fires->n == 0 && !unknown)
		outage_forget(b->outage);
	b->look_all = false;
	b->at.look = NEVER;
	send_fires(b, fires, age, NEVER);
	if (unknown)
		judge_again(b, age);
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

/*
 * Claims what is due. Fires that others lose at the same time are looked for
 * later: a claim is the sign that there were some. Questions that came up are
 * asked now, outside the transaction, and the claim is repeated with their
 * answers.
 */
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
	replace_go_on(b->replace);
	asked = lookup_ask(b->lookup);
	if (asked || got.n >= CLAIM_MAX)
		b->due_state = DUE_MORE;
	if (!asked && got.n == 0)
		pause_claims(b, mono);
	return 0;
}

/* Why nothing is claimed; the first that somebody has to do something about. */
static const char *
state_of(const struct beat *b)
{
	if (!b->opt.conf->scheduler.enabled)
		return SCHEDULES_STATE_DISABLED;
	if (b->clock.off_us != 0)
		return SCHEDULES_STATE_CLOCK;
	return b->broker_reach != REACH_UP ? SCHEDULES_STATE_BROKER : "";
}

/* Overwrites its own row; see struct schedules_scheduler. */
static int
say_alive(struct beat *b, struct err *err)
{
	struct utsname host;
	const struct schedules_scheduler me = {
	    .id = b->opt.id,
	    .host = host.nodename,
	    .pid = getpid(),
	    .started_us = b->started_us,
	    .seen_us = watch_true_us(b),
	    .lag_us = b->lag_us,
	    .max_lag_us = b->max_lag_us > b->max_before_us ? b->max_lag_us
							   : b->max_before_us,
	    .fires = b->fires,
	    .clock_off_us = b->clock.off_us,
	    .state = state_of(b),
	    .lacks = lacks_text(b)};

	uname(&host);
	return schedules_beat(b->db, &me, err);
}

/* The schedules go round, so that a turn never takes long. */
static int
thin_fires(struct beat *b, struct err *err)
{
	const struct conf_scheduler *conf = &b->opt.conf->scheduler;
	const int64_t before_us = watch_now_us(b) - KEEP_US;
	int i;

	for (i = 0; i < THIN_MAX && conf->history_fires > 0; i++) {
		if (schedules_thin(b->db, (size_t)conf->history_fires,
				   before_us, b->thinned, err) != 0)
			return -1;
		if (b->thinned[0] == '\0')
			return 0;
	}
	return 0;
}

/* What was forgotten by a clock that was ahead for long has not been made yet:
 * by now, that clock is known to have been wrong. */
static int
remember_fires(struct beat *b, struct err *err)
{
	const int64_t now_us = watch_now_us(b);
	int64_t pruned_us;

	if (schedules_pruned(b->db, &pruned_us, err) != 0)
		return -1;
	if (pruned_us <= now_us)
		return 0;
	if (schedules_set_pruned(b->db, now_us, err) != 0)
		return -1;
	renew_begin(b);
	return 0;
}

/* Nothing is forgotten by a clock that may be wrong: fires that are still to
 * come would be made twice. */
static int
prune_fires(struct beat *b, int64_t mono, struct err *err)
{
	const int64_t kept_us = b->opt.conf->scheduler.history;
	const int64_t now_us = watch_now_us(b);
	size_t n;

	b->at.prune = mono + PRUNE_US;
	if (!watch_is_steady(b))
		return 0;
	if (remember_fires(b, err) != 0 ||
	    schedules_prune_future(b->db, now_us + FUTURE_US, err) != 0 ||
	    schedules_prune(b->db,
			    now_us - (kept_us > KEEP_US ? kept_us : KEEP_US),
			    PRUNE_MAX, &n, err) != 0)
		return -1;
	/* A full piece: there is more. */
	if (n == PRUNE_MAX)
		b->at.prune = mono + US_PER_S;
	return thin_fires(b, err);
}

/* What is to be done now and then. A time is moved on only after the work was
 * done, so that a failure is made up for; pruning alone may be missed. */
static int
do_chores(struct beat *b, int64_t mono, struct err *err)
{
	if (mono >= b->at.beat) {
		/* The clock may have been slewed away. */
		b->clock.compared = false;
		if (watch_compare(b, err) != 0 || say_alive(b, err) != 0)
			return -1;
		b->at.beat = mono + BEAT_US;
	}
	if (mono >= b->at.zones) {
		if (renew_zones(b, err) != 0)
			return -1;
		b->at.zones = mono + ZONES_US;
	}
	lacks_look(b, mono);
	/* Whatever should have woken it and did not is found here. */
	if (mono >= b->at.check) {
		beat_forget_due(b);
		b->at.check = mono + b->opt.conf->scheduler.check_interval;
		look_soon(b, mono);
	}
	return mono < b->at.prune ? 0 : prune_fires(b, mono, err);
}

/* Asked right before sleeping: see schedules_changed(). A change that comes
 * between the two questions is asked about once more. */
static int
find_next(struct beat *b, struct err *err)
{
	bool changed;

	for (;;) {
		if (b->due_state != DUE_KNOWN &&
		    schedules_next_due_but(b->db, lacks_text(b),
					   &b->next_due_us, err) != 0)
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

/* The pause is over and something is due. */
static bool
is_due(const struct beat *b, int64_t mono)
{
	if (mono < b->at.pause)
		return false;
	return b->due_state == DUE_MORE ||
	       (b->due_state == DUE_KNOWN && b->next_due_us <= watch_now_us(b));
}

/* Old fires before new ones: they are the later ones. They are looked for when
 * what was sent is marked, or it would be read as well. */
static int
do_fires(struct beat *b, int64_t mono, struct err *err)
{
	if (b->rezone && renew_zoned(b, err) != 0)
		return -1;
	if (b->renew.active && renew_turn(b, err) != 0)
		return -1;
	if (mono >= b->at.look && outbox_unmarked(b->outbox) == 0 &&
	    do_look(b, err) != 0)
		return -1;
	if (!work_under_way(b) && work_may_claim(b) && is_due(b, mono))
		return do_claim(b, mono, err);
	return 0;
}

/* While there is more to claim, marks and chores wait. */
int
work_turn(struct beat *b, int64_t mono, struct err *err)
{
	const bool more = b->due_state == DUE_MORE && work_may_claim(b);

	watch_look(b);
	if (!more || outbox_unmarked(b->outbox) >= SENT_MAX) {
		if (outbox_mark(b->outbox, err) != 0 ||
		    do_chores(b, mono, err) != 0)
			return -1;
	}
	/* A claim over a connection that is new, or by a clock that was set,
	 * comes after a comparison only. */
	if (watch_compare(b, err) != 0 ||
	    (work_may_send(b) && do_fires(b, mono, err) != 0))
		return -1;
	return work_under_way(b) ? 0 : find_next(b, err);
}
