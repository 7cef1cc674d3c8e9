/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: calls under way. Each is on one of the broker's lists until
 * it is answered, so that none is left over when the broker is closed.
 */
#include <event2/event.h>
#include <stdlib.h>

#include "store/redis/broker.h"

static void
on_reply(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rcall *call = arg;

	TAILQ_REMOVE(&call->broker->asked, call, link);
	call->on_reply(call, reply);
}

static int
note(struct rcall *call, int sent)
{
	if (sent == 0)
		TAILQ_INSERT_TAIL(&call->broker->asked, call, link);
	return sent;
}

int
rcall_command(struct rcall *call, size_t argc, const struct slice *argv)
{
	return note(call, redis_command(call->broker->redis, on_reply, call,
					argc, argv));
}

int
rcall_eval(struct rcall *call, enum rscript script, struct rargs keys,
	   struct rargs args)
{
	return note(call, rbroker_eval(call->broker, script, on_reply, call,
				       keys.n, keys.v, args.n, args.v));
}

void
rcall_later(struct rcall *call)
{
	TAILQ_INSERT_TAIL(&call->broker->waiting, call, link);
	event_active(call->broker->later, EV_TIMEOUT, 0);
}

void
rbroker_on_later(int fd, short what, void *arg)
{
	struct rbroker *b = arg;
	struct rcall *call;

	b->answering = true;
	while (!b->dead && (call = TAILQ_FIRST(&b->waiting)) != NULL) {
		TAILQ_REMOVE(&b->waiting, call, link);
		call->on_reply(call, NULL);
	}
	b->answering = false;
	if (b->dead)
		free(b);
}

void
rbroker_drop_calls(struct rbroker *b)
{
	struct rcall *call;

	TAILQ_CONCAT(&b->waiting, &b->asked, link);
	while ((call = TAILQ_FIRST(&b->waiting)) != NULL) {
		TAILQ_REMOVE(&b->waiting, call, link);
		call->drop(call);
	}
}
