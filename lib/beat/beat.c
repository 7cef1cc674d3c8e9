/* SPDX-License-Identifier: MIT */
/* The scheduler: opening and closing, and whom it talks to. */
#include "beat/beat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat/lookup.h"
#include "beat/state.h"
#include "store/broker.h"
#include "store/results.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"

static void
on_answers(void *arg)
{
	struct beat *b = arg;

	b->asking = false;
	beat_turn(b);
}

/* --- broker and backend ------------------------------------------------ */

static void
on_broker_state(bool up, bool final, const struct err *why, void *arg)
{
	struct beat *b = arg;

	if (final) {
		beat_end(b, why);
		return;
	}
	if (up && why != NULL) {
		log_warning("broker: %s", why->msg);
	} else if (up && !b->broker_up) {
		log_notice("broker %s is reachable", broker_name(b->broker));
		b->at.look = 0;
		b->look_all = true;
	} else if (!up && !b->broker_missed) {
		log_warning("broker: %s; retrying", why->msg);
	}
	b->broker_missed = !up;
	b->broker_up = up;
	beat_turn(b);
}

static void
on_results_state(bool up, bool final, const struct err *why, void *arg)
{
	struct beat *b = arg;

	if (final) {
		beat_end(b, why);
		return;
	}
	if (!up && !b->results_missed && !b->one_store)
		log_warning("backend: %s; retrying", why->msg);
	else if (up && b->results_missed && why == NULL && !b->one_store)
		log_notice("backend %s is reachable", results_name(b->results));
	if (up && b->results_missed)
		b->at.look = 0;
	b->results_missed = !up;
	beat_turn(b);
}

/* --- opening and closing ----------------------------------------------- */

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
	    .arg = b};
	struct stores stores;
	struct lookup_options lookup = {.on_answers = on_answers, .arg = b};

	if ((b->db = schedules_open(&schedules, err)) == NULL ||
	    stores_open(&options, &stores, err) != 0)
		return -1;
	b->broker = stores.broker;
	b->results = stores.results;
	b->one_store = stores.one;
	lookup.broker = b->broker;
	lookup.results = b->results;
	b->lookup = lookup_new(&lookup);
	return b->lookup != NULL ? 0 : err_nomem(err);
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
	b->started_us = clock_wall_us();
	b->at.look = 0;
	b->look_all = true;
	/* At first, too, what is due is claimed at once. */
	b->claim_more = true;
	if (turn_init(b, err) != 0 || open_stores(b, err) != 0 ||
	    decide_zones(b, err) != 0) {
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
	send_drop(b);
	schedules_close(b->db);
	turn_done(b);
	tz_set_free(b->zones);
	buf_done(&b->text);
	free(b);
}

void
beat_stop(struct beat *b)
{
	b->stopping = true;
	beat_turn(b);
}

void
beat_reload(struct beat *b, const struct conf *conf)
{
	b->opt.conf = conf;
	b->at.check = 0;
	b->at.zones = 0;
	b->next_known = false;
	beat_turn(b);
}

void
beat_status(const struct beat *b, char *text, size_t size)
{
	char next[CLOCK_TEXT_SIZE] = "none";

	if (b->next_known && b->next_due_us != NEVER)
		clock_format(b->next_due_us, next);
	snprintf(text, size,
		 "%s%" PRId64 " fires, next due %s; database %s, broker %s",
		 b->stopping ? "stopping; " : "", b->fires, next,
		 b->missed || !b->reached ? "unreachable" : "reachable",
		 b->broker_up ? "reachable" : "unreachable");
}
