/* SPDX-License-Identifier: MIT */
/* Whether a server is in reach, and waiting for it. */
#include "client/readiness.h"

void
readiness_init(struct readiness *readiness, struct event_base *base,
	       int64_t timeout_ms)
{
	*readiness = (struct readiness){.base = base, .timeout_ms = timeout_ms};
	TAILQ_INIT(&readiness->waiting);
}

void
readiness_cancel(struct readiness_waiter *waiter)
{
	if (waiter->readiness == NULL)
		return;
	evtimer_del(&waiter->timer);
	TAILQ_REMOVE(&waiter->readiness->waiting, waiter, next);
	waiter->readiness = NULL;
}

static void
readiness_wake(struct readiness_waiter *waiter, const struct err *why)
{
	readiness_cancel(waiter);
	waiter->on_ready(waiter, why);
}

/* Why nobody gets through: what is final, or that the server is out of reach.
 */
static struct err
readiness_reason(const struct readiness *readiness)
{
	struct err err = readiness->why;

	if (err.code == ERR_NONE)
		err_set(&err, ERR_UNAVAILABLE,
			"no connection after %lld ms; is the server running?",
			(long long)readiness->timeout_ms);
	else if (!readiness->closed)
		err.code = ERR_UNAVAILABLE;
	return err;
}

void
readiness_set(struct readiness *readiness, bool up, bool final,
	      const struct err *why)
{
	struct readiness_waiter *waiter;
	struct err err;

	readiness->up = up;
	readiness->closed = final;
	if (why != NULL)
		readiness->why = *why;
	if (!up && !final)
		return;
	err = readiness_reason(readiness);
	/* A callback may put others into the queue: they find the state as it
	 * is now and do not wait. */
	while ((waiter = TAILQ_FIRST(&readiness->waiting)) != NULL)
		readiness_wake(waiter, readiness->up ? NULL : &err);
}

static void
on_readiness_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct readiness_waiter *waiter = arg;
	struct err err = readiness_reason(waiter->readiness);

	readiness_wake(waiter, &err);
}

void
readiness_await(struct readiness *readiness, struct readiness_waiter *waiter)
{
	struct timeval timeout = {readiness->timeout_ms / 1000,
				  readiness->timeout_ms % 1000 * 1000};
	struct err err;

	if (readiness->up) {
		waiter->on_ready(waiter, NULL);
		return;
	}
	if (readiness->closed) {
		err = readiness_reason(readiness);
		waiter->on_ready(waiter, &err);
		return;
	}
	waiter->readiness = readiness;
	evtimer_assign(&waiter->timer, readiness->base, on_readiness_timeout,
		       waiter);
	evtimer_add(&waiter->timer, &timeout);
	TAILQ_INSERT_TAIL(&readiness->waiting, waiter, next);
}
