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
 * together, and only where somebody listens by then it is published. Mostly
 * next to nobody waits that way, so the server is asked which channels there
 * are (PUBSUB CHANNELS). If there are many, each is asked about (PUBSUB
 * NUMSUB), for a while; so it is in a Cluster, whose nodes know their own
 * listeners only. Nothing depends on it: it may get lost with the connection.
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
/* So few are asked about one by one; and with more channels in a list, that is
 * not asked for again after this many periods, some seconds: it may be long. */
#define ECHO_FEW 16
#define ECHO_EACH_PERIODS 100

/* The answer is the channels, each with the number of its subscribers. */
static void
recho_on_listeners(struct redis *redis, const struct redis_reply *reply,
		   void *arg)
{
	struct rresults *r = arg;
	struct slice publish[] = {SLICE("PUBLISH"), {NULL, 0}, SLICE("done")};
	size_t i, n = 0;

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
	size_t n = 2;

	for (; channel < end && n < 2 + ECHO_ASK_MAX; n++) {
		argv[n] = slice_of(channel);
		channel += argv[n].len + 1;
	}
	redis_command_all(r->redis, recho_on_listeners, r, n, argv);
	return channel;
}

static void
recho_ask_each(struct rresults *r, const struct ended *due)
{
	const char *channel = due->ids.data;
	const char *end = channel + due->ids.len;

	while (channel < end)
		channel = recho_ask(r, channel, end);
}

/* --- which channels there are
 * ---------------------------------------------- */

struct recho_question {
	struct redis_request request;
	struct rresults *results;
	struct ended due;
};

static void
recho_free(struct redis_request *request)
{
	struct recho_question *q =
	    container_of(request, struct recho_question, request);

	buf_done(&q->due.ids);
	free(q);
}

static bool
recho_is_due(const struct ended *due, struct slice channel)
{
	const char *at = due->ids.data, *end = at + due->ids.len;
	size_t len;

	for (; at < end; at += len + 1) {
		len = strlen(at);
		if (slice_eq((struct slice){at, len}, channel))
			return true;
	}
	return false;
}

/* A user may lack the right to ask that; it is the same as many channels. */
static void
recho_on_channels(struct redis_request *request,
		  const struct redis_reply *reply)
{
	const struct recho_question *q =
	    container_of(request, struct recho_question, request);
	struct slice publish[] = {SLICE("PUBLISH"), {NULL, 0}, SLICE("done")};
	struct rresults *r = q->results;
	const size_t n = redis_reply_count(reply);
	size_t i;

	if (redis_fault(reply) != REDIS_FAULT_NONE || n > ECHO_FEW) {
		r->echo.periods_each = ECHO_EACH_PERIODS;
		recho_ask_each(r, &q->due);
	} else {
		for (i = 0; i < n; i++) {
			publish[1] =
			    redis_reply_string(redis_reply_at(reply, i));
			if (recho_is_due(&q->due, publish[1]))
				redis_command(r->redis, NULL, NULL, 3, publish);
		}
	}
	recho_free(request);
}

/* Takes what is due; 0, or -1 and it is still there. */
static int
recho_ask_channels(struct rresults *r, struct ended *due)
{
	struct recho_question *q = malloc(sizeof(*q));
	struct buf pattern = BUF_INIT;
	struct slice argv[] = {SLICE("PUBSUB"), SLICE("CHANNELS"), {NULL, 0}};
	int sent = -1;

	argv[2] = arg_key(&pattern, RRESULTS_COMPLETE, SLICE("*"));
	if (q != NULL && !pattern.failed) {
		*q = (struct recho_question){
		    .request = {.queue = r->requests,
				.on_reply = recho_on_channels,
				.drop = recho_free},
		    .results = r,
		    .due = *due};
		sent = redis_request_command(&q->request, REDIS_ARGS(argv));
	}
	if (sent == 0)
		*due = (struct ended){.ids = BUF_INIT};
	else
		free(q);
	buf_done(&pattern);
	return sent;
}

/* --- periods
 * --------------------------------------------------------------- */

/* What came in the period before is due, and what came in this one is next. */
static void
recho_period_ends(struct rresults *r)
{
	struct ended *due = &r->echo.said[r->echo.period ^ 1];

	r->echo.period ^= 1;
	if (r->echo.periods_each > 0)
		r->echo.periods_each--;
	/* A part that memory has cut off is not a channel. */
	if (due->n > 0 && !due->ids.failed &&
	    (due->n <= ECHO_FEW || r->cluster || r->echo.periods_each > 0 ||
	     recho_ask_channels(r, due) != 0))
		recho_ask_each(r, due);
	buf_reset(&due->ids);
	due->n = 0;
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
