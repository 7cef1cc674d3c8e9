/* SPDX-License-Identifier: MIT */
/*
 * Whether a server is in reach, and waiting for it.
 *
 * The store reports each attempt to connect; we keep the last outcome and a
 * list of the operations that wait. An operation waits for timeout_ms only
 * once: a store that is down then costs a caller that long, not for ever, and a
 * short outage costs nothing but time.
 */
#include "client/readiness.h"

#include <errno.h>

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
	/* It has been woken, or never had to wait. */
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

/*
 * Why nobody gets through. A refusal that is final keeps its code (a wrong
 * password is ERR_REFUSED); what may yet change is ERR_UNAVAILABLE, whatever
 * the last attempt died of, so that a caller knows that trying again may help.
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

/* Whether waiting is in vain: a server that is only restarted, or that drops
 * what it cannot take, has been there before. */
static bool
readiness_is_refused(const struct readiness *readiness)
{
	return readiness->refusable && !readiness->up && !readiness->was_up &&
	       (readiness->why.sys == ECONNREFUSED ||
		readiness->why.sys == ENOENT);
}

/* How long an operation that begins now may wait. */
static struct timeval
readiness_patience(const struct readiness *readiness)
{
	const bool away = readiness->fast && !readiness->up &&
			  readiness->why.code != ERR_NONE;
	const int64_t ms = away && readiness->timeout_ms > READINESS_AWAY_MS
			       ? READINESS_AWAY_MS
			       : readiness->timeout_ms;

	return (struct timeval){ms / 1000, ms % 1000 * 1000};
}

/* It is known now that it is away: those who wait need not do so any longer. */
static void
readiness_hurry(struct readiness *readiness)
{
	const struct timeval patience = readiness_patience(readiness);
	struct readiness_waiter *waiter;

	TAILQ_FOREACH (waiter, &readiness->waiting, next)
		if (!waiter->hurried)
			evtimer_add(&waiter->timer, &patience);
	TAILQ_FOREACH (waiter, &readiness->waiting, next)
		waiter->hurried = true;
}

void
readiness_set(struct readiness *readiness, bool up, bool final,
	      const struct err *why)
{
	struct readiness_waiter *waiter;
	struct err err;

	readiness->up = up;
	readiness->was_up |= up;
	readiness->closed = final;
	/* With `up`, it may be a warning: a later failure replaces it. */
	if (why != NULL)
		readiness->why = *why;
	/* A store that is down does not wake the caller: the store goes on
	 * trying. */
	if (!up && !final && !readiness_is_refused(readiness)) {
		if (readiness->fast)
			readiness_hurry(readiness);
		return;
	}
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
	const struct timeval timeout = readiness_patience(readiness);
	struct err err;

	/* At once, without a turn of the loop: the common case, and on the way
	 * of every submission. */
	if (readiness->up) {
		waiter->on_ready(waiter, NULL);
		return;
	}
	if (readiness->closed || readiness_is_refused(readiness)) {
		err = readiness_reason(readiness);
		waiter->on_ready(waiter, &err);
		return;
	}
	waiter->readiness = readiness;
	waiter->hurried = readiness->fast && readiness->why.code != ERR_NONE;
	evtimer_assign(&waiter->timer, readiness->base, on_readiness_timeout,
		       waiter);
	evtimer_add(&waiter->timer, &timeout);
	TAILQ_INSERT_TAIL(&readiness->waiting, waiter, next);
}
