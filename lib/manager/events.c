/* SPDX-License-Identifier: MIT */
/* Events of tasks, as they happen: from the backend's channel to the caller's
 * function. The caller waits in events_follow() while on_event runs on the
 * client's loop. */
#include "manager/events.h"

#include <string.h>

#include "client/client.h"
#include "client/load.h"
#include "manager/member.h"
#include "store/results.h"
#include "util/pending.h"
#include "util/timer.h"

/* How often `stopped` is asked: a person who leaves does not notice the delay,
 * and five questions a second cost nothing. */
#define ASKED_MS 200

/*
 * One who follows. It is an operation of its own, not a query: a query cannot
 * be left while it waits for the backend, and `stopped` counts from the first
 * moment. `ended`: on_event or `stopped` has said so; what the store still
 * delivers then is dropped.
 */
struct following {
	struct op op;
	struct readiness_waiter waiter;
	struct flowrra_client *client;
	const struct events_follow *what;
	struct timer *timer; /* of `stopped` */
	bool listens;	     /* the store has been told to */
	bool ended;
};

static bool
is_text(const json_t *task, const char *name, const char *wanted)
{
	const char *text = member_text(task, name);

	return wanted == NULL || (text != NULL && strcmp(text, wanted) == 0);
}

static bool
matches(const json_t *event, const struct events_follow *what)
{
	const json_t *task = json_object_get(event, "task");

	return is_text(task, "task_id", what->id) &&
	       is_text(task, "task_name", what->task) &&
	       is_text(task, "queue", what->queue);
}

/* The thread that waits goes on. It ends the listening itself, since the store
 * does not allow that from within its callback. */
static void
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

/* Trouble does not end the listening: the store reconnects, and listens again.
 */
static void
on_event(struct slice text, const struct err *err, void *arg)
{
	struct following *f = arg;
	json_t *event;

	if (f->ended)
		return;
	if (err != NULL) {
		if (f->what->on_trouble != NULL)
			f->what->on_trouble(err, f->what->arg);
		return;
	}
	/* Anybody may publish on the channel. */
	event = load_json(text, NULL);
	if (json_is_object(event) && matches(event, f->what) &&
	    f->what->on_event(event, f->what->arg) != 0)
		following_end(f, NULL);
	json_decref(event);
}

static void
on_following_asked(void *arg)
{
	struct following *f = arg;

	if (f->what->stopped(f->what->arg))
		following_end(f, NULL);
	else
		timer_set_ms(f->timer, ASKED_MS);
}

static void
on_following_ready(struct readiness_waiter *waiter, const struct err *why)
{
	struct following *f = container_of(waiter, struct following, waiter);
	struct err err = ERR_INIT;

	if (why != NULL)
		following_end(f, why);
	else if (results_listen(f->client->results, on_event, f, &err) != 0)
		following_end(f, &err);
	else
		f->listens = true;
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
	if (f->what->stopped != NULL) {
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

/* Whether or not the backend is in reach: the store forgets the listener, and
 * does not subscribe for it when it reconnects. */
static void
on_following_left(struct op *op)
{
	struct following *f = container_of(op, struct following, op);

	results_listen(f->client->results, NULL, NULL, NULL);
	loop_done(f->client->loop, op);
}

int
events_follow(struct flowrra_client *c, const struct events_follow *what,
	      struct err *err)
{
	struct following f = {.op = {.start = on_following_start},
			      .waiter = {.on_ready = on_following_ready},
			      .client = c,
			      .what = what};

	if (client_check(c, err) != 0)
		return -1;
	loop_call(c->loop, &f.op);
	if (f.op.err.code != ERR_NONE) {
		*err = f.op.err;
		return -1;
	}
	if (f.listens) {
		f.op = (struct op){.start = on_following_left};
		loop_call(c->loop, &f.op);
	}
	return 0;
}
