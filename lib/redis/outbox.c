/* SPDX-License-Identifier: MIT */
/*
 * Commands that are sent until the server has executed them.
 *
 * A command that was refused goes to the end of the queue: one that the server
 * never accepts must not block the others. So they keep their order only as
 * long as none is refused.
 */
#include "redis/outbox.h"

#include <event2/event.h>

/*
 * The pause before the next try with a server that is full, loading or busy:
 * short compared with the seconds that such a state lasts, and four tries a
 * second are negligible load.
 */
#define PAUSE_MS 250

static void
on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *o = arg;

	o->paused = false;
	outbox_push(o);
}

int
outbox_init(struct outbox *o, struct event_base *base,
	    const struct outbox_ops *ops, void *arg, struct err *err)
{
	*o = (struct outbox){.ops = ops, .arg = arg};
	TAILQ_INIT(&o->waiting);
	TAILQ_INIT(&o->sent);
	o->pause = evtimer_new(base, on_pause_over, o);
	return o->pause ? 0 : err_nomem(err);
}

void
outbox_done(struct outbox *o)
{
	if (o->pause != NULL)
		event_free(o->pause);
	o->pause = NULL;
}

static void
pause_for_a_while(struct outbox *o)
{
	const struct timeval tv = {.tv_usec = PAUSE_MS * 1000};

	if (!o->paused)
		o->paused = evtimer_add(o->pause, &tv) == 0;
}

/* Takes the command off `sent` first: each branch either ends it or puts it on
 * `waiting`, so it is always on exactly one list. */
static void
outbox_on_reply(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct pending *p = arg;
	struct outbox *o = p->owner;
	struct err why;

	TAILQ_REMOVE(&o->sent, p, link);
	switch (redis_fault(reply)) {
	case REDIS_FAULT_NONE:
		o->count--;
		o->ops->done(p, reply, o->arg);
		return;
	case REDIS_FAULT_LOST:
	case REDIS_FAULT_READONLY:
		/* The owner pushes when the connection is back. */
		TAILQ_INSERT_TAIL(&o->waiting, p, link);
		return;
	case REDIS_FAULT_SCRIPT:
		TAILQ_INSERT_TAIL(&o->waiting, p, link);
		outbox_push(o);
		return;
	case REDIS_FAULT_FULL:
	case REDIS_FAULT_LATER:
	case REDIS_FAULT_REFUSED:
	case REDIS_FAULT_OTHER:
		break;
	}
	TAILQ_INSERT_TAIL(&o->waiting, p, link);
	/* All commands in flight are refused together. One warning is enough,
	 * and the pause that the first starts marks the rest. */
	if (!o->paused) {
		redis_fault_err(r, "a write", reply, &why);
		pause_for_a_while(o);
		o->ops->on_trouble(&why, o->arg);
	}
}

void
outbox_add(struct outbox *o, struct pending *p)
{
	p->owner = o;
	o->count++;
	TAILQ_INSERT_TAIL(&o->waiting, p, link);
	outbox_push(o);
}

void
outbox_push(struct outbox *o)
{
	struct pending *p;

	if (o->redis == NULL || redis_state(o->redis) != REDIS_UP || o->paused)
		return;
	while ((p = TAILQ_FIRST(&o->waiting)) != NULL) {
		if (o->ops->send(p, o->redis, outbox_on_reply, p) != 0) {
			/* Out of memory, most likely: try again later. */
			pause_for_a_while(o);
			return;
		}
		TAILQ_REMOVE(&o->waiting, p, link);
		TAILQ_INSERT_TAIL(&o->sent, p, link);
	}
}

void
outbox_end(struct outbox *o, bool (*ends)(const struct pending *p))
{
	struct pending *p, *next;

	for (p = TAILQ_FIRST(&o->waiting); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (!ends(p))
			continue;
		TAILQ_REMOVE(&o->waiting, p, link);
		o->count--;
		o->ops->done(p, NULL, o->arg);
	}
}
