/* SPDX-License-Identifier: MIT */
/*
 * Events of tasks, as they happen: from the backend's channel to the caller's
 * function. The caller waits in events_follow() while on_event runs on the
 * client's loop.
 */
#include "manager/events.h"

#include <string.h>

#include "client/load.h"
#include "manager/following.h"
#include "manager/member.h"
#include "store/results.h"
#include "util/pending.h"

struct listening {
	struct following f;
	const struct events_follow *what;
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

/* Trouble does not end the listening: the store reconnects, and listens again.
 */
static void
on_event(struct slice text, const struct err *err, void *arg)
{
	struct listening *l = arg;
	const struct events_follow *what = l->what;
	json_t *event;

	if (l->f.ended)
		return;
	if (err != NULL) {
		if (what->on_trouble != NULL)
			what->on_trouble(err, what->arg);
		return;
	}
	/* Anybody may publish on the channel. */
	event = load_json(text, NULL);
	if (json_is_object(event) && matches(event, what) &&
	    what->on_event(event, what->arg) != 0)
		following_end(&l->f, NULL);
	json_decref(event);
}

static int
listening_begin(struct following *f, struct err *err)
{
	return results_listen(f->client->results, on_event,
			      container_of(f, struct listening, f), err);
}

static void
listening_leave(struct following *f)
{
	results_listen(f->client->results, NULL, NULL, NULL);
}

int
events_follow(struct flowrra_client *c, const struct events_follow *what,
	      struct err *err)
{
	struct listening l = {.f = {.client = c,
				    .stopped = what->stopped,
				    .arg = what->arg,
				    .begin = listening_begin,
				    .leave = listening_leave},
			      .what = what};

	return following_run(&l.f, err);
}
