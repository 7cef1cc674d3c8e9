/* SPDX-License-Identifier: MIT */
/* Events of tasks, as they happen. */
#ifndef MANAGER_EVENTS_H
#define MANAGER_EVENTS_H

#include <stdbool.h>

#include <jansson.h>

#include "util/buf.h"

struct err;
struct flowrra_client;

/*
 * An event is
 *	{"type": "task.update", "task": a record}
 * of a task whose record a worker has changed: it runs (if it does so for more
 * than a moment), has told how far it is, has succeeded or failed, or is to be
 * retried. Later versions may have other types. The record is brief (codec/
 * result_json.h): without what the task was given and has returned.
 */
struct events_follow {
	/* Only events of these; NULL: of any. */
	const char *id, *task, *queue, *flow;
	/* With whole records, which cost the workers up to half of their speed. */
	bool whole;
	/* Called for each, on the client's loop; not 0: that was the last. */
	int (*on_event)(const json_t *event, void *arg);
	/* The same of the event as it came, an object in one line, in the place of
	 * on_event: much cheaper. NULL: on_event is called. */
	int (*on_line)(struct slice line, void *arg);
	/* A worker's answer to an order that says so (ORDER_SIGNAL); as on_event.
	 * NULL: those are left out. */
	int (*on_answer)(const json_t *event, void *arg);
	/* No more is there for now. NULL: nobody cares. */
	void (*on_pause)(void *arg);
	/*
	 * From now on no event is missed; there were none before. NULL: events
	 * come at once, but what workers tell in the first second may be missed.
	 */
	void (*on_ready)(void *arg);
	/* Asked several times a second, on the client's loop, whether to end
	 * although no event comes, also while the backend is out of reach; NULL:
	 * it does not. */
	bool (*stopped)(void *arg);
	/* Some may have been missed, and why. */
	void (*on_trouble)(const struct err *why, void *arg);
	void *arg;
};

/*
 * Listens until on_event or `stopped` says so, then returns 0; lasts through
 * outages of the backend. -1 with *err: the backend is out of reach at the
 * beginning, for as long as any operation waits, or cannot tell events.
 */
int events_follow(struct flowrra_client *c, const struct events_follow *follow,
		  struct err *err);

#endif
