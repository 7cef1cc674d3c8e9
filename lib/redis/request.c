/* SPDX-License-Identifier: MIT */
/* Requests that are under way, or wait for the loop. A request is on no list
 * while its on_reply runs, so that on_reply may send it again, or free it. */
#include "redis/request.h"

#include <event2/event.h>
#include <stdlib.h>

TAILQ_HEAD(redis_request_list, redis_request);

struct redis_requests {
	struct redis *redis;
	struct redis_request_list sent;	   /* replies are on their way */
	struct redis_request_list waiting; /* for the loop */
	struct event *later;
	bool answering; /* the latter are being answered … */
	bool freed;	/* … and one of them has freed the queue */
};

static void
requests_on_reply(struct redis *redis, const struct redis_reply *reply,
		  void *arg)
{
	struct redis_request *request = arg;

	TAILQ_REMOVE(&request->queue->sent, request, link);
	/* The last statement: it may free the queue. */
	request->on_reply(request, reply);
}

/* A request that was not sent stays with the caller, and on no list. */
static int
requests_note(struct redis_request *request, int sent)
{
	if (sent == 0)
		TAILQ_INSERT_TAIL(&request->queue->sent, request, link);
	return sent;
}

int
redis_request_command(struct redis_request *request, struct redis_args argv)
{
	return requests_note(request, redis_command(request->queue->redis,
						    requests_on_reply, request,
						    argv.n, argv.v));
}

int
redis_request_near(struct redis_request *request, struct slice key,
		   struct redis_args argv)
{
	return requests_note(request,
			     redis_command_near(request->queue->redis, key,
						requests_on_reply, request,
						argv.n, argv.v));
}

int
redis_request_node(struct redis_request *request, size_t n,
		   struct redis_args argv)
{
	return requests_note(request,
			     redis_command_node(request->queue->redis, n,
						requests_on_reply, request,
						argv.n, argv.v));
}

int
redis_request_eval(struct redis_request *request,
		   const struct redis_script *script, struct redis_args keys,
		   struct redis_args args)
{
	return requests_note(request,
			     redis_eval(request->queue->redis, script,
					requests_on_reply, request, keys.n,
					keys.v, args.n, args.v));
}

void
redis_request_later(struct redis_request *request)
{
	TAILQ_INSERT_TAIL(&request->queue->waiting, request, link);
	event_active(request->queue->later, EV_TIMEOUT, 0);
}

static void
requests_on_later(evutil_socket_t fd, short what, void *arg)
{
	struct redis_requests *q = arg;
	struct redis_request *request;

	/* A callback may add requests, and may free the queue. In that case
	 * only its memory is left, so that this loop can still read `freed`. */
	q->answering = true;
	while (!q->freed && (request = TAILQ_FIRST(&q->waiting)) != NULL) {
		TAILQ_REMOVE(&q->waiting, request, link);
		request->on_reply(request, NULL);
	}
	q->answering = false;
	if (q->freed)
		free(q);
}

void
redis_requests_push(struct redis_requests *q)
{
	if (TAILQ_EMPTY(&q->waiting))
		return;
	event_del(q->later);
	requests_on_later(-1, EV_TIMEOUT, q);
}

struct redis_requests *
redis_requests_new(struct event_base *base, struct redis *redis,
		   struct err *err)
{
	struct redis_requests *q = calloc(1, sizeof(*q));

	if (q == NULL ||
	    (q->later = evtimer_new(base, requests_on_later, q)) == NULL) {
		free(q);
		err_nomem(err);
		return NULL;
	}
	q->redis = redis;
	TAILQ_INIT(&q->sent);
	TAILQ_INIT(&q->waiting);
	return q;
}

/* Those that were sent are dropped like those that wait. Their replies cannot
 * come any more, since the connection was freed before. */
void
redis_requests_free(struct redis_requests *q)
{
	struct redis_request *request;

	if (q == NULL)
		return;
	TAILQ_CONCAT(&q->waiting, &q->sent, link);
	while ((request = TAILQ_FIRST(&q->waiting)) != NULL) {
		TAILQ_REMOVE(&q->waiting, request, link);
		if (request->drop != NULL)
			request->drop(request);
		else
			free(request);
	}
	event_free(q->later);
	q->freed = true;
	if (!q->answering)
		free(q);
}
