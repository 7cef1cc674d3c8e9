/* SPDX-License-Identifier: MIT */
/*
 * What the worker tells of itself: that it lives, what it can run, and when it
 * is ready.
 *
 * A worker whose heartbeats stay out is dead to the others, which then take
 * over its claims: so it tells the broker of itself before it wants any, and
 * at once when the broker is back.
 */
#include <stdlib.h>

#include "dispatch/state.h"

/* What it can run is told again now and then, should it have been lost: a full
 * server does not take it, and the broker may have been emptied. With a
 * heartbeat every BROKER_HEARTBEAT_S that is twice a minute. */
#define BEATS_A_REGISTRATION 10
/* Housekeeping may be a little more frequent than it has to be. */
#define BEATS_A_TIDYING (BROKER_TIDY_S / BROKER_HEARTBEAT_S)

/* --- what it can run --------------------------------------------------- */

/* Without memory it is left out, until it is told again. */
static void
register_handlers(struct dispatch *d, const struct handlers *h)
{
	struct slice *names = calloc(h->n + 1, sizeof(*names));
	struct slice *texts = calloc(h->n + 1, sizeof(*texts));
	size_t i;

	if (names != NULL && texts != NULL) {
		for (i = 0; i < h->n; i++) {
			names[i] = h->list[i].name;
			texts[i] = h->list[i].description;
		}
		broker_register(d->broker, names, texts, h->n);
	}
	free(names);
	free(texts);
}

void
heartbeat_register(struct dispatch *d)
{
	const struct handlers *handlers = pool_handlers(d->pool);

	if (handlers != NULL)
		register_handlers(d, handlers);
}

/* --- that it lives ----------------------------------------------------- */

void
heartbeat_send(struct dispatch *d)
{
	struct buf text = BUF_INIT;

	/* It would be lost; and heartbeat_arrive() follows. */
	if (!broker_is_up(d->broker))
		return;
	describe_worker(d, &text);
	if (!text.failed)
		broker_heartbeat(d->broker,
				 (struct slice){text.data, text.len});
	buf_done(&text);
}

static void
on_heartbeat(evutil_socket_t fd, short what, void *arg)
{
	struct dispatch *d = arg;

	claim_ask_again(d);
	claim_take_again(d);
	heartbeat_send(d);
	metrics_measure(d);
	idle_turn(d);
	if (++d->beats % BEATS_A_REGISTRATION == 0)
		heartbeat_register(d);
	if (d->beats % BEATS_A_TIDYING == 0)
		upkeep_turn(d);
}

int
heartbeat_open(struct dispatch *d, struct err *err)
{
	const struct timeval tv = {.tv_sec = BROKER_HEARTBEAT_S};

	d->heartbeat = event_new(d->opt.base, -1, EV_PERSIST, on_heartbeat, d);
	if (d->heartbeat == NULL)
		return err_nomem(err);
	event_add(d->heartbeat, &tv);
	return 0;
}

void
heartbeat_arrive(struct dispatch *d)
{
	heartbeat_register(d);
	heartbeat_send(d);
}

/* --- that it is ready -------------------------------------------------- */

/* The answer follows those to the registration: now others see it. */
static void
on_known(struct slice value, const struct err *err, void *arg)
{
	struct dispatch *d = arg;

	d->announcing = false;
	if (err != NULL)
		return; /* the broker went: its return is another turn */
	d->announced = true;
	d->opt.on_ready(d->opt.arg);
}

void
heartbeat_announce(struct dispatch *d)
{
	if (d->announced || d->announcing || dispatch_is_stopping(d) ||
	    pool_handlers(d->pool) == NULL || !broker_is_up(d->broker))
		return;
	d->announcing = true;
	heartbeat_arrive(d);
	/* No task has that name: it is the answer that counts. */
	broker_registered(d->broker, SLICE("-"), on_known, d);
}
