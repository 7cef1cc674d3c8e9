/* SPDX-License-Identifier: MIT */
/*
 * What the parts of lib/redis share: the connection's insides, and the few
 * functions with which they call each other.
 *
 *	redis.c		the public functions
 *	conn.c		the way up, the way down, deadlines
 *	transport.c	bytes become replies; commands leave at a turn's end
 *	plain.c		how the bytes travel: over a socket …
 *	secure.c	… or under TLS
 *	find.h		leads to where the server is, if that is not known
 *	cluster.h	leads to that of a Redis Cluster
 *	login.c		who we are, and what the server is
 *	script.c	which scripts the server knows
 *	pubsub.c	subscriptions
 *
 * Code that calls a callback of the user holds the connection meanwhile
 * (redis_conn_hold/_release) and checks `freed` afterwards.
 */
#ifndef REDIS_CONN_H
#define REDIS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis/cluster.h"
#include "redis/find.h"
#include "redis/format.h"
#include "redis/redis.h"
#include "redis/ring.h"
#include "redis/url.h"

struct bufferevent;
struct event;
struct event_base;
struct redis_channel;
struct redis_dial;
struct redis_loaded;
struct redis_reader;
struct ssl_ctx_st;

enum redis_phase {
	REDIS_PHASE_WAITING,	/* for the next attempt */
	REDIS_PHASE_FINDING,	/* which of several it is; see find.h */
	REDIS_PHASE_DIALING,	/* resolving and connecting */
	REDIS_PHASE_SECURING,	/* the TLS handshake */
	REDIS_PHASE_LOGGING_IN, /* see login.c */
	REDIS_PHASE_UP,
	REDIS_PHASE_REFUSED
};

/*
 * Subscriptions that have ended but whose UNSUBSCRIBE has not been sent. Each
 * costs the server a few bytes, and unwanted messages on this number of
 * channels do no harm.
 */
#define REDIS_LEFT_MAX 32

enum redis_flush { REDIS_FLUSH_NONE, REDIS_FLUSH_SOON, REDIS_FLUSH_NOW };

struct redis;

/* How the bytes of a connection travel. */
struct redis_wire {
	void (*send)(struct redis *r); /* what is in r->out; NULL: by itself */
	void (*look)(struct redis *r); /* takes what has come; may be NULL */
	void (*close)(struct redis *r);
};

struct redis_plain {
	int fd;
	char *in; /* what was read last */
	struct event *readable, *writable;
	int64_t stuck_ms; /* when the socket took no more, monotonic */
};

struct redis {
	struct event_base *base;
	struct redis_url url;
	char *name;
	char *client_name;	      /* or NULL */
	char db[16];		      /* the URL's, as text */
	struct redis_options options; /* without the pointers into the user's
					 memory */

	struct redis_router *router; /* it is to all nodes of a Cluster, and
					has nothing but that; else NULL */
	struct redis_member member;
	enum redis_phase phase;
	struct event *retry;	/* the next attempt */
	unsigned int failures;	/* attempts in a row, for the pause */
	struct event *deadline; /* of what is under way */
	bool deadline_set;
	int64_t since_ms;  /* when we began to wait for the next byte */
	int64_t up_ms;	   /* when we came up */
	int64_t client_id; /* see redis_client_id() */

	/* While there is a connection: */
	struct redis_dial *dial;
	struct ssl_ctx_st *tls; /* kept: its files may become unreadable */
	const struct redis_wire *wire; /* NULL: there is none */
	struct redis_plain plain;
	struct bufferevent *bev; /* TLS */
	struct redis_out out;
	enum redis_flush flush; /* see transport.c */
	int64_t flush_ms;	/* when that was asked for, monotonic */
	struct event *flusher;
	struct redis_reader *reader;
	struct redis_ring due;

	struct redis_loaded *loaded; /* script.c */
	size_t n_loaded;
	size_t n_reloaded; /* of these, how many wait to be found known again */

	void *channels; /* pubsub.c: a tree of tsearch(3) */
	struct redis_channel *left[REDIS_LEFT_MAX];
	size_t n_left;
	bool subscriber;

	unsigned int holds;
	bool freed;
};

/* --- conn.c -------------------------------------------------------------- */

void redis_conn_hold(struct redis *r);
/* Frees a connection whose redis_free() came during the hold. */
void redis_conn_release(struct redis *r);
/* redis.c: frees everything. */
void redis_conn_destroy(struct redis *r);

/* Makes the next attempt from the loop, `ms` from now. */
void redis_conn_schedule(struct redis *r, int64_t ms);
/* Lets go of everything that belongs to one attempt; calls nobody. */
void redis_conn_close(struct redis *r);
/*
 * Breaks the connection: what is due is answered with NULL, on_state hears why
 * (the message gets the server's name in front), and another attempt follows,
 * unless the code is ERR_REFUSED. The connection may be freed afterwards:
 * callers hold it or go.
 */
void redis_conn_fail(struct redis *r, const struct err *why);
/* Dials the host of r->url. */
void redis_conn_dial(struct redis *r);
/* The bytes can flow. */
void redis_conn_log_in(struct redis *r);
/* The login is through. */
void redis_conn_up(struct redis *r);
/* Sends, whatever the phase. 0 or -1 (no memory, or no connection). */
int redis_conn_send(struct redis *r, struct redis_due due,
		    const struct redis_args *parts, size_t n_parts);
/* The event handlers that redis_new() makes events for. */
void redis_conn_on_retry(int fd, short what, void *r);
void redis_conn_on_deadline(int fd, short what, void *r);

/* --- find.c --------------------------------------------------------------- */

/* For a URL that names several hosts; nothing, for another. 0, or -1 with *err. */
int redis_find_open(struct redis *r, struct err *err);
void redis_find_close(struct redis *r);
/* Whether it has to be looked for. */
bool redis_find_seeks(const struct redis *r);
/* For those: redis_conn_dial() or redis_conn_fail() follows, maybe from within. */
void redis_find_start(struct redis *r);
/* What was begun is of no use any more. */
void redis_find_stop(struct redis *r);
/* Whether others can tell that another server has taken over from this one, but do
 * not unasked; then they are asked. The connection leaves if it is so. */
bool redis_find_doubts(const struct redis *r);
void redis_find_doubt(struct redis *r);
/* The server is where it was looked for. */
void redis_find_found(struct redis *r);
/* It is not: the error gets its place in front, and is not final where others may
 * take its place. Whether to look elsewhere at once. */
bool redis_find_lost(struct redis *r, struct err *err);

/* --- transport.c, plain.c, secure.c --------------------------------------- */

/* Begins on a connected socket, which it takes over if r->wire is set
 * afterwards. redis_conn_log_in() follows. 0 or -1 with *err. */
int redis_transport_open(struct redis *r, int fd, struct err *err);
int redis_plain_open(struct redis *r, int fd, struct err *err);
int redis_secure_open(struct redis *r, int fd, struct err *err);
void redis_transport_close(struct redis *r);
/* Bytes came. The caller holds the connection, which may have broken
 * afterwards. */
void redis_transport_take(struct redis *r, const void *p, size_t len);
/* Something was added to r->out. */
void redis_transport_flush(struct redis *r);
/* Whether what was to be sent at that time is too old by now: the connection is
 * broken then (see redis_drops_stale()), and may be freed. */
bool redis_transport_drop_stale(struct redis *r, int64_t since_ms);
/* The event handler that redis_new() makes an event for. */
void redis_transport_on_flush(int fd, short what, void *r);

/* --- login.c ------------------------------------------------------------- */

/* Sends what makes us known; redis_conn_up() or redis_conn_fail() follows.
 * 0, or -1 when memory runs out. */
int redis_login(struct redis *r);

/* --- script.c ------------------------------------------------------------ */

/* The command with that number, of `script` (NULL: of none), got NOSCRIPT: all
 * scripts that were loaded before it have to be loaded again. Whether it makes
 * sense to send it once more. */
bool redis_script_forget(struct redis *r, const struct redis_script *script,
			 uint64_t command);
/* It got another answer. */
void redis_script_known(struct redis *r, const struct redis_script *script,
			uint64_t command);
/* A new connection: none is loaded. */
void redis_script_renew(struct redis *r);
void redis_script_done(struct redis *r);

/* --- pubsub.c ------------------------------------------------------------ */

/* Takes a reply on a connection that subscribes. */
void redis_pubsub_reply(struct redis *r, const struct redis_reply *reply);
/* Subscribes again, after a reconnect. 0 or -1. */
int redis_pubsub_restore(struct redis *r);
/* Asks whether the server is still there. 0 or -1. */
int redis_pubsub_ping(struct redis *r);
void redis_pubsub_done(struct redis *r);

/* --- reply.c ------------------------------------------------------------- */

/* The reply's text, fit for a message, cut to the size of `text`. */
void redis_reply_text(const struct redis_reply *reply, char *text, size_t size);
/* Whether an error's first word is `code`. */
bool redis_reply_is_error(const struct redis_reply *reply, const char *code);

#endif
