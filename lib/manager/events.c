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

/* `ended`: on_event or events_stop() has said so. What the store still delivers
 * then is dropped. */
struct following {
	struct query q;
	const struct events_follow *what;
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

/* Trouble does not end the listening: the store reconnects, and listens again. */
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
	if (json_is_object(event) && matches(event, f->what))
		f->ended = f->what->on_event(event, f->what->arg) != 0;
	json_decref(event);
	if (f->ended)
		query_end(&f->q, NULL);
}

static void
begin_listening(struct query *q)
{
	struct following *f = container_of(q, struct following, q);
	struct err err = ERR_INIT;

	if (results_listen(q->client->results, on_event, f, &err) != 0)
		query_end(q, &err);
}

/* --- the end ----------------------------------------------------------- */

/* Something to be done on the loop, without a server. */
struct errand {
	struct op op;
	struct flowrra_client *client;
	struct following *following;
	struct events_stop *stop;
};

/* Before anything is waited for, so that a stop finds it. */
static void
errand_begin(struct op *op)
{
	struct errand *e = container_of(op, struct errand, op);

	if (e->stop != NULL) {
		e->stop->following = e->following;
		e->following->ended = e->stop->stopped;
	}
	loop_done(e->client->loop, op);
}

/* results_listen() must be called on the loop, and not from its own callback. */
static void
errand_end(struct op *op)
{
	struct errand *e = container_of(op, struct errand, op);

	if (e->client->results != NULL)
		results_listen(e->client->results, NULL, NULL, NULL);
	if (e->stop != NULL)
		e->stop->following = NULL;
	loop_done(e->client->loop, op);
}

/* It may still wait for the backend. */
static void
errand_stop(struct op *op)
{
	struct errand *e = container_of(op, struct errand, op);
	struct following *f = e->stop->following;

	e->stop->stopped = true;
	if (f != NULL && !f->ended) {
		f->ended = true;
		readiness_cancel(&f->q.waiter);
		query_end(&f->q, NULL);
	}
	loop_done(e->client->loop, op);
}

static void
errand_run(struct errand *e, void (*start)(struct op *op))
{
	e->op = (struct op){.start = start};
	loop_call(e->client->loop, &e->op);
}

void
events_stop(struct flowrra_client *c, struct events_stop *stop)
{
	struct errand e = {.client = c, .stop = stop};

	if (client_check(c, NULL) == 0)
		errand_run(&e, errand_stop);
}

int
events_follow(struct flowrra_client *c, const struct events_follow *what,
	      struct err *err)
{
	struct following f = {.q = {.client = c,
				    .of_results = true,
				    .once = true,
				    .send = begin_listening},
			      .what = what};
	struct errand errand = {
	    .client = c, .following = &f, .stop = what->stop};
	int result = 0;

	if (client_check(c, err) != 0)
		return -1;
	errand_run(&errand, errand_begin);
	if (!f.ended)
		result = query_run(&f.q, err);
	errand_run(&errand, errand_end);
	return result;
}
