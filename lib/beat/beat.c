/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: opening and closing, and whom it talks to.
 *
 * The first stage of a scheduled task: turn.c wakes when something is due,
 * decide.c claims it and makes fires of it, outbox.c puts these into their
 * queues, where the workers find them.
 */
#include "beat/beat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat/lookup.h"
#include "beat/outage.h"
#include "beat/outbox.h"
#include "beat/replace.h"
#include "beat/state.h"
#include "store/broker.h"
#include "store/results.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"

/* People see the worst lag of one such stretch and the current one: a monitor
 * that asks every few minutes misses none, and it shows when trouble is over. */
#define MAX_LAG_LIFE_US INT64_C(300000000)
#define US_PER_S 1e6

/* The schedules that asked are due still; the turn claims them again. */
static void
on_answers(void *arg)
{
	beat_turn(arg);
}

/* --- broker and backend ------------------------------------------------ */

/* A change of state begins a turn: what could not be done may be possible now,
 * and timers that wait for a broker that is gone are disarmed. */
static void
on_broker_state(bool up, bool final, const struct err *why, void *arg)
{
	struct beat *b = arg;
	bool news;

	if (final) {
		beat_end(b, why);
		return;
	}
	news = beat_reached(&b->broker_reach, up);
	if (news)
		b->at.beat = 0; /* people are to see it */
	if (up && why != NULL) {
		log_warning("broker: %s", why->msg);
	} else if (up && news) {
		log_notice("broker %s is reachable", broker_name(b->broker));
		/* What was being sent when it was lost, the young ones, too. */
		b->at.look = 0;
		b->look_all = true;
	} else if (!up && news) {
		log_warning("broker: %s; retrying", why->msg);
	}
	beat_turn(b);
}

static void
on_results_state(bool up, bool final, const struct err *why, void *arg)
{
	struct beat *b = arg;
	const enum beat_reach before = b->results_reach;
	bool news;

	if (final) {
		beat_end(b, why);
		return;
	}
	news = beat_reached(&b->results_reach, up) && !b->one_store;
	if (!up && news)
		log_warning("backend: %s; retrying", why->msg);
	/* That it is there at the start goes without saying. */
	else if (up && news && before != REACH_UNTRIED && why == NULL)
		log_notice("backend %s is reachable", results_name(b->results));
	/* Fires may have failed for want of their records. */
	if (up && before != REACH_UP && before != REACH_UNTRIED)
		b->at.look = 0;
	beat_turn(b);
}

/* --- the outbox -------------------------------------------------------- */

/* Fires that were found in the outbox do not count for the lag: they have been
 * late since another scheduler died, which is not this one's doing. */
static void
count_fires(struct beat *b, const struct outbox_sent *sent)
{
	const int64_t now_us = watch_now_us(b);

	b->fires += (int64_t)sent->n_done;
	if (sent->first_due_us == NEVER || sent->n_done == 0)
		return;
	b->lag_us = now_us - sent->first_due_us;
	/* The worst of this stretch of time, or of the one before. */
	if (now_us - b->max_since_us > MAX_LAG_LIFE_US ||
	    now_us < b->max_since_us) {
		b->max_since_us = now_us;
		b->max_before_us = b->max_lag_us;
		b->max_lag_us = 0;
	}
	if (b->lag_us > b->max_lag_us)
		b->max_lag_us = b->lag_us;
}

static void
on_sent(const struct outbox_sent *sent, void *arg)
{
	struct beat *b = arg;

	count_fires(b, sent);
	if (sent->n_left > 0) {
		/* Ours: nobody else is about to send them. */
		b->look_all = true;
		beat_look_in(b, OUTBOX_OLD_US / 2);
	}
	beat_turn(b);
}

static int64_t
outbox_clock(const void *arg)
{
	return watch_now_us(arg);
}

static int
make_outbox(struct beat *b, struct err *err)
{
	const struct outbox_options options = {.db = b->db,
					       .broker = b->broker,
					       .results = b->results,
					       .one_store = b->one_store,
					       .outage = b->outage,
					       .on_sent = on_sent,
					       .now_us = outbox_clock,
					       .arg = b};

	if (b->outage == NULL || (b->outbox = outbox_new(&options)) == NULL)
		return err_nomem(err);
	outbox_set_times(b->outbox, b->opt.conf->worker.foreign_times);
	return 0;
}

/* --- opening and closing ----------------------------------------------- */

/* On failure beat_free() closes what is open. */
static int
open_stores(struct beat *b, struct err *err)
{
	const struct conf *conf = b->opt.conf;
	const struct schedules_options schedules = {
	    .url = conf->scheduler.database_url};
	const struct stores_options options = {
	    .base = b->opt.base,
	    .conf = conf,
	    .on_broker_state = on_broker_state,
	    .on_results_state = on_results_state,
	    .arg = b,
	    .creates = true,
	    .open_broker = b->opt.open_broker,
	    .open_results = b->opt.open_results};
	struct stores stores;
	struct lookup_options lookup = {.on_answers = on_answers, .arg = b};
	struct replace_options replace = {
	    .conf = conf, .on_stored = on_answers, .arg = b};

	if ((b->db = schedules_open(&schedules, err)) == NULL ||
	    stores_open(&options, &stores, err) != 0)
		return -1;
	b->broker = stores.broker;
	b->results = stores.results;
	b->one_store = stores.one;
	lookup.broker = b->broker;
	lookup.results = b->results;
	b->lookup = lookup_new(&lookup);
	replace.broker = b->broker;
	replace.results = b->results;
	b->replace = replace_new(&replace);
	return b->lookup != NULL && b->replace != NULL ? 0 : err_nomem(err);
}

struct beat *
beat_new(const struct beat_options *options, struct err *err)
{
	struct beat *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		err_nomem(err);
		return NULL;
	}
	b->opt = *options;
	b->due_fd = -1;
	b->outage = outage_new();
	watch_init(b);
	b->started_us = watch_now_us(b);
	b->at.lacks = NEVER;
	/* A scheduler before may have been killed with its clock wrong. */
	renew_begin(b);
	b->at.look = 0;
	b->look_all = true;
	/* At first, too, what is due is claimed at once. */
	b->due_state = DUE_MORE;
	if (turn_init(b, err) != 0 || open_stores(b, err) != 0 ||
	    make_outbox(b, err) != 0 || renew_zones(b, err) != 0) {
		beat_free(b);
		return NULL;
	}
	beat_turn(b);
	return b;
}

void
beat_free(struct beat *b)
{
	if (b == NULL)
		return;
	lookup_free(b->lookup);
	results_close(b->results);
	broker_close(b->broker);
	/* After the stores, which use what it owns. */
	outbox_free(b->outbox);
	replace_free(b->replace);
	outage_free(b->outage);
	schedules_close(b->db);
	turn_done(b);
	tz_set_free(b->zones);
	buf_done(&b->text);
	flow_form_done(&b->flow);
	buf_done(&b->lacks);
	free(b);
}

void
beat_stop(struct beat *b)
{
	/* A second signal changes nothing; nor one after it has failed. */
	if (b->phase < BEAT_STOPPING)
		beat_enter(b, BEAT_STOPPING);
	beat_turn(b);
}

void
beat_reload(struct beat *b, const struct conf *conf)
{
	b->opt.conf = conf;
	replace_set_conf(b->replace, conf);
	/* check_interval and enabled may be others now. */
	b->at.check = 0;
	b->at.zones = 0;
	b->at.lacks = b->lacks.len > 0 ? 0 : NEVER;
	outbox_set_times(b->outbox, conf->worker.foreign_times);
	beat_forget_due(b);
	beat_turn(b);
}

void
beat_status(const struct beat *b, char *text, size_t size)
{
	char next[CLOCK_TEXT_SIZE] = "none", off[80] = "";

	if (b->due_state == DUE_KNOWN && b->next_due_us != NEVER)
		clock_format(b->next_due_us, next);
	if (b->clock.off_us != 0)
		snprintf(off, sizeof(off),
			 "clock %.1f s %s the database's, claims nothing; ",
			 (double)(b->clock.off_us < 0 ? -b->clock.off_us
						      : b->clock.off_us) /
			     US_PER_S,
			 b->clock.off_us < 0 ? "behind" : "ahead of");
	snprintf(text, size,
		 "%s%s%" PRId64 " fires, next due %s; database %s, broker %s",
		 off, b->phase >= BEAT_STOPPING ? "stopping; " : "", b->fires,
		 next, b->db_reach == REACH_UP ? "reachable" : "unreachable",
		 b->broker_reach == REACH_UP ? "reachable" : "unreachable");
}
