/* SPDX-License-Identifier: MIT */
/*
 * Requests: commands and scripts whose replies somebody needs.
 *
 * redis_command() calls back as long as the connection lives; but a user of the
 * connection that is being closed has to free the memory that its requests lie
 * in. So each request is on its user's queue from the moment it is sent until
 * it is answered. The queue also holds requests that need no server, or cannot
 * reach it, until the loop turns: callbacks never run from within the call that
 * made them.
 *
 * Not thread-safe: the loop's thread owns it.
 */
#ifndef REDIS_REQUEST_H
#define REDIS_REQUEST_H

#include <sys/queue.h>

#include "redis/redis.h"

struct redis_request;
struct redis_requests;

typedef void redis_request_fn(struct redis_request *request,
			      const struct redis_reply *reply);

/* A request lies inside the thing that it is about, which fills the first
 * three. Either on_reply() or drop() is called, once, and then frees it. */
struct redis_request {
	struct redis_requests *queue;
	/* The reply; NULL if the connection broke, or with
	 * redis_request_later(). May send the same request again, and may free
	 * the queue. */
	redis_request_fn *on_reply;
	/* The queue is being freed. NULL: free(request), which then begins
	 * what malloc() has given. */
	void (*drop)(struct redis_request *request);
	TAILQ_ENTRY(redis_request) link;
};

/* A queue for users of `redis`, which it borrows. NULL with *err. */
struct redis_requests *redis_requests_new(struct event_base *base,
					  struct redis *redis, struct err *err);
/* Drops what is in it. Free the connection before: it may still answer. */
void redis_requests_free(struct redis_requests *q);

/* Send a command, or a script. -1, and nothing is called, if there is no
 * connection, or no memory. */
int redis_request_command(struct redis_request *request,
			  struct redis_args argv);
/* The same as redis_command_near(). */
int redis_request_near(struct redis_request *request, struct slice key,
		       struct redis_args argv);
/* The same as redis_command_node(). */
int redis_request_node(struct redis_request *request, size_t n,
		       struct redis_args argv);
int redis_request_eval(struct redis_request *request,
		       const struct redis_script *script,
		       struct redis_args keys, struct redis_args args);
/* Has on_reply() called with NULL from the loop, soon. */
void redis_request_later(struct redis_request *request);
/* Does so now for those that wait for it. Not for callbacks (redis_look()). */
void redis_requests_push(struct redis_requests *q);

#endif
