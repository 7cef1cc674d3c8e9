/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: a second word that a record is final.
 *
 * The Python package waits by reading the record and then subscribing to the
 * task's channel. What ends between the two is published to nobody, and it
 * waits for ever. So the word is said once more, a moment later, for tasks that
 * carry no address (reply.c): our own clients give one, or subscribe before
 * they read.
 *
 * It costs little: the channels of some hundredths of a second are asked about
 * together (PUBSUB NUMSUB), and only where somebody listens by then it is
 * published. Nothing depends on it: it may get lost with the connection.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/results.h"

/* The least time between both words, and the half of the longest. Between its
 * GET and its SUBSCRIBE a Python program needs 1 ms, or some on a busy machine.
 */
#define ECHO_MS 30
/* Channels of one period, as at 100,000 tasks a second; then the next begins
 * early. */
#define ECHO_MAX 3000
/* Channels in one question: the server looks them up in less than 0.1 ms. */
#define ECHO_ASK_MAX 250

/* The answer is the channels, each with the number of its subscribers. */
static void
recho_on_listeners(struct redis_request *request,
		   const struct redis_reply *reply)
{
	struct rresults_request *call =
	    container_of(request, struct rresults_request, request);
	struct rresults *r = call->results;
	struct slice publish[] = {SLICE("PUBLISH"), {NULL, 0}, SLICE("done")};
	size_t i, n = 0;

	free(call);
	if (redis_fault(reply) == REDIS_FAULT_NONE)
		n = redis_reply_count(reply);
	for (i = 0; i + 1 < n; i += 2) {
		if (redis_reply_integer(redis_reply_at(reply, i + 1)) <= 0)
			continue;
		publish[1] = redis_reply_string(redis_reply_at(reply, i));
		redis_command(r->redis, NULL, NULL, 3, publish);
	}
}

/* Asks about up to ECHO_ASK_MAX channels. Returns where the next begins. */
static const char *
recho_ask(struct rresults *r, const char *channel, const char *end)
{
	struct slice argv[2 + ECHO_ASK_MAX] = {SLICE("PUBSUB"),
					       SLICE("NUMSUB")};
	struct rresults_request *call =
	    rresults_request_new(r, recho_on_listeners, NULL);
	size_t n = 2;

	for (; channel < end && n < 2 + ECHO_ASK_MAX; n++) {
		argv[n] = slice_of(channel);
		channel += argv[n].len + 1;
	}
	if (call != NULL)
		rresults_command(&call->request, (struct redis_args){argv, n});
	return channel;
}

/* What came in the period before is due, and what came in this one is next. */
static void
recho_period_ends(struct rresults *r)
{
	struct ended *due = &r->echo.said[r->echo.period ^ 1];
	const char *channel = due->ids.data;
	const char *end = channel + due->ids.len;

	/* A part that memory has cut off is no channel. */
	while (due->n > 0 && !due->ids.failed && channel < end)
		channel = recho_ask(r, channel, end);
	buf_reset(&due->ids);
	due->n = 0;
	r->echo.period ^= 1;
}

static void
recho_on_timer(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval tv = {.tv_usec = ECHO_MS * 1000};
	struct rresults *r = arg;

	recho_period_ends(r);
	/* The period that has ended is due after the next. */
	if (r->echo.said[r->echo.period ^ 1].n > 0)
		evtimer_add(r->echo.timer, &tv);
}

void
rresults_echo(struct rresults *r, const struct results_put *put)
{
	const struct timeval tv = {.tv_usec = ECHO_MS * 1000};
	struct ended *said;

	if (put->reply_to.len > 0)
		return;
	/* A client that stores no final record needs no timer. */
	if (r->echo.timer == NULL &&
	    (r->echo.timer = evtimer_new(r->opt.base, recho_on_timer, r)) ==
		NULL)
		return;
	if (r->echo.said[r->echo.period].n == ECHO_MAX)
		recho_period_ends(r);
	said = &r->echo.said[r->echo.period];
	buf_adds(&said->ids, RRESULTS_COMPLETE);
	buf_add(&said->ids, put->id.p, put->id.len);
	buf_addc(&said->ids, '\0');
	said->n++;
	if (!evtimer_pending(r->echo.timer, NULL))
		evtimer_add(r->echo.timer, &tv);
}

void
rresults_echo_close(struct rresults *r)
{
	if (r->echo.timer != NULL)
		event_free(r->echo.timer);
	buf_done(&r->echo.said[0].ids);
	buf_done(&r->echo.said[1].ids);
}
