/* SPDX-License-Identifier: MIT */
/*
 * One-shot timers of an event loop.
 *
 * They save their users the conversion of times and the check whether a timer
 * exists, and they hide libevent's types from the headers above.
 */
#include "util/timer.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#define US_PER_S 1000000
/* A thousand years: far beyond any duration that the configuration allows,
 * and far from where libevent's sum of now and this would overflow. */
#define TIMER_MAX_US (INT64_C(1000) * 366 * 86400 * US_PER_S)

struct timer {
	struct event event; /* inside, so that a timer is one allocation */
	void (*on_due)(void *arg);
	void *arg;
};

static void
timer_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	/* Nothing of *t is used after this: it may be freed. */
	t->on_due(t->arg);
}

struct timer *
timer_new(struct event_base *base, void (*on_due)(void *arg), void *arg)
{
	struct timer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->on_due = on_due;
	t->arg = arg;
	/* Fails only for a descriptor and a signal in one event. */
	event_assign(&t->event, base, -1, 0, timer_on_event, t);
	return t;
}

void
timer_free(struct timer *t)
{
	if (t == NULL)
		return;
	event_del(&t->event);
	free(t);
}

/* A time that has passed is due at once, but from the loop: no callback runs
 * from within this call. */
int
timer_set_us(struct timer *t, int64_t us)
{
	struct timeval tv;

	if (us < 0)
		us = 0;
	if (us > TIMER_MAX_US)
		us = TIMER_MAX_US;
	tv.tv_sec = (time_t)(us / US_PER_S);
	tv.tv_usec = (suseconds_t)(us % US_PER_S);
	return event_add(&t->event, &tv);
}

/* Limited before the product, which would overflow. */
int
timer_set_ms(struct timer *t, int64_t ms)
{
	if (ms > TIMER_MAX_US / 1000)
		ms = TIMER_MAX_US / 1000;
	return timer_set_us(t, ms > 0 ? ms * 1000 : 0);
}

/* Runs in this turn of the loop. timer_set_us(t, 0) would run only in the next
 * one, after a call of epoll_wait(). */
void
timer_fire(struct timer *t)
{
	event_active(&t->event, EV_TIMEOUT, 0);
}

void
timer_cancel(struct timer *t)
{
	event_del(&t->event);
}

bool
timer_pending(const struct timer *t)
{
	return event_pending(&t->event, EV_TIMEOUT, NULL) != 0;
}
