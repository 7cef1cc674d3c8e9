/* SPDX-License-Identifier: MIT */
/*
 * Listening to the backend until somebody says that it is enough.
 *
 * Two operations, one after the other: the first lasts until the end, the
 * second takes the listening back. The store does not allow that from within
 * its callbacks, where the end may have been said.
 */
#include "manager/following.h"

#include "client/loop.h"
#include "util/pending.h"
#include "util/timer.h"

/* How often `stopped` is asked: a person who leaves does not notice the delay,
 * and five questions a second cost nothing. */
#define ASKED_MS 200

void
following_end(struct following *f, const struct err *err)
{
	f->ended = true;
	readiness_cancel(&f->waiter);
	timer_free(f->timer);
	f->timer = NULL;
	if (err != NULL)
		f->op.err = *err;
	loop_done(f->client->loop, &f->op);
}

static void
on_following_asked(void *arg)
{
	struct following *f = arg;

	if (f->stopped(f->arg))
		following_end(f, NULL);
	else
		timer_set_ms(f->timer, ASKED_MS);
}

static void
on_following_ready(struct readiness_waiter *waiter, const struct err *why)
{
	struct following *f = container_of(waiter, struct following, waiter);
	struct err err = ERR_INIT;

	if (why != NULL) {
		following_end(f, why);
		return;
	}
	f->begun = true;
	if (f->begin(f, &err) != 0)
		following_end(f, &err);
}

/* The timer comes before the wait: a backend that is absent must not hold
 * somebody who wants to leave. */
static void
on_following_start(struct op *op)
{
	struct following *f = container_of(op, struct following, op);
	struct err err = ERR_INIT;

	if (client_results(f->client, &err) == NULL) {
		following_end(f, &err);
		return;
	}
	if (f->stopped != NULL) {
		f->timer = timer_new(loop_base(f->client->loop),
				     on_following_asked, f);
		if (f->timer == NULL) {
			err_nomem(&err);
			following_end(f, &err);
			return;
		}
		timer_set_ms(f->timer, ASKED_MS);
	}
	readiness_await(&f->client->results_ready, &f->waiter);
}

/* What it has to say to the store leaves with this call: the next one may come in
 * hours, and workers publish to a listener that does not say that it left. */
static void
on_following_left(struct op *op)
{
	struct following *f = container_of(op, struct following, op);

	op->flush = true;
	f->leave(f);
	loop_done(f->client->loop, op);
}

int
following_run(struct following *f, struct err *err)
{
	struct err why;

	if (client_check(f->client, err) != 0)
		return -1;
	f->op = (struct op){.start = on_following_start};
	f->waiter.on_ready = on_following_ready;
	loop_call(f->client->loop, &f->op);
	why = f->op.err;
	if (f->begun) {
		f->op = (struct op){.start = on_following_left};
		loop_call(f->client->loop, &f->op);
	}
	if (why.code == ERR_NONE)
		return 0;
	*err = why;
	return -1;
}
