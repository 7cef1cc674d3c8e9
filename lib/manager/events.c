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

/* How soon it ends when nothing comes. */
#define ASKED_MS 200

/* `ended`: on_event, or `stopped`, has said so. What the store still delivers
 * then is dropped. */
struct following {
	struct query q;
	const struct events_follow *what;
	struct timer *timer; /* of `stopped` */
	bool ended;
};

/* NULL is any text, also where the event has none. */
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

static void
following_end(struct following *f)
{
	timer_free(f->timer);
	f->timer = NULL;
	query_end(&f->q, NULL);
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
	if (json_is_object(event) && matches(event, f->what))
		f->ended = f->what->on_event(event, f->what->arg) != 0;
	json_decref(event);
	if (f->ended)
		following_end(f);
}

static void
on_following_asked(void *arg)
{
	struct following *f = arg;

	f->ended = f->what->stopped(f->what->arg);
	if (f->ended)
		following_end(f);
	else
		timer_set_ms(f->timer, ASKED_MS);
}

/* Runs until on_event or `stopped` ends it. Without memory for the timer,
 * `stopped` is not asked, and only on_event can. */
static void
begin_listening(struct query *q)
{
	struct following *f = container_of(q, struct following, q);
	struct err err = ERR_INIT;

	if (results_listen(q->client->results, on_event, f, &err) != 0) {
		query_end(q, &err);
		return;
	}
	if (f->what->stopped == NULL)
		return;
	f->timer = timer_new(loop_base(q->client->loop), on_following_asked, f);
	if (f->timer != NULL)
		timer_set_ms(f->timer, ASKED_MS);
}

/* A query of its own, since results_listen() must be called on the loop. What it
 * has to say to the store leaves with this call: the next one may come in hours,
 * and workers publish to a listener that does not say that it left. */
static void
end_listening(struct query *q)
{
	q->op.flush = true;
	results_listen(q->client->results, NULL, NULL, NULL);
	query_end(q, NULL);
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
	/* Not from within its callback. */
	struct query end = {.client = c,
			    .of_results = true,
			    .once = true,
			    .send = end_listening};

	if (client_check(c, err) != 0 || query_run(&f.q, err) != 0)
		return -1;
	query_run(&end, NULL);
	return 0;
}
