/* SPDX-License-Identifier: MIT */
/*
 * A connection under test, with its loop, and what it has told us so far.
 */
#ifndef TESTS_REDIS_SESSION_H
#define TESTS_REDIS_SESSION_H

#include <event2/event.h>
#include <stddef.h>

#include "redis/redis.h"
#include "util/err.h"

struct session {
	struct event_base *base;
	struct redis *r;
	int ups;
	int downs;
	int refusals;
	int warnings;	/* that it is up, but not all of it */
	struct err why; /* of the last DOWN or REFUSED */
	int replies;
	int lost;	  /* replies that were NULL */
	char reply[4096]; /* the last one, as text */
	int messages;
	char message[512]; /* the last one: "channel payload" */
	int readies;
};

/* Opens a connection; `options` (NULL: defaults) may lack url and callbacks. */
void session_init(struct session *s, const char *url,
		  const struct redis_options *options);
/* The same on a loop that exists. */
void session_init_on(struct session *s, struct event_base *base,
		     const char *url, const struct redis_options *options);
void session_done(struct session *s);

/* Runs the loop until *counter reaches `value`; fails the test after 10 s. */
void session_wait(struct session *s, const int *counter, int value);

/* Sends a command, its words separated by spaces; the reply goes into
 * s->reply. Returns what redis_command() does. */
int session_send(struct session *s, const char *words);
/* Sends, waits, and returns the reply as text: "OK", "(1)", "-ERR …", "[a b]",
 * "nil", "lost". */
const char *session_ask(struct session *s, const char *words);

/* The callbacks, for those who send something themselves; arg is the session.
 */
void session_on_reply(struct redis *r, const struct redis_reply *reply,
		      void *arg);
void session_on_ready(struct redis *r, void *arg);

#endif
