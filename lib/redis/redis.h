/* SPDX-License-Identifier: MIT */
/*
 * One connection to a Redis server, on a libevent loop.
 *
 * libevent tells when bytes can travel (TCP, Unix socket) and carries them
 * under TLS, hiredis parses the replies. The connection makes itself: it
 * connects (to the master, if its URL names several servers, or Sentinels; to all
 * masters of a Cluster, of which each gets the commands for the keys it has),
 * authenticates, selects the database, says its name, and when it
 * breaks it comes back after a pause (50 ms, doubled up to 2 s, with jitter)
 * for ever, unless the server refuses the password: that is final.
 *
 * Commands are answered in order. A command that cannot be answered because
 * the connection broke gets a NULL reply: it may or may not have been carried
 * out. Nothing is sent twice here; the sender decides, usually when
 * on_state says that it is up again. All commands of one turn of the loop leave
 * in one write.
 *
 * Not thread-safe: the loop's thread owns it. Callbacks never run from within
 * the call that caused them, and none runs after redis_free().
 */
#ifndef REDIS_REDIS_H
#define REDIS_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"

struct event_base;
struct redis;
struct redis_url;
struct redis_reply; /* good until the callback that gets it returns */

enum redis_reply_type {
	REDIS_NIL,
	REDIS_INTEGER,
	REDIS_STRING, /* also a status such as OK */
	REDIS_ARRAY,
	REDIS_ERROR
};

/* All of them take the NULL of a broken connection for REDIS_NIL. */
enum redis_reply_type redis_reply_type(const struct redis_reply *r);
/* Bytes of a string or an error; an empty slice for other types. */
struct slice redis_reply_string(const struct redis_reply *r);
/* 0 for other types. A string of digits is read as a number. */
int64_t redis_reply_integer(const struct redis_reply *r);
/* Members of an array; 0 for other types. */
size_t redis_reply_count(const struct redis_reply *r);
const struct redis_reply *redis_reply_at(const struct redis_reply *r, size_t i);

/* What an error reply means for the one who sent the command. */
enum redis_fault {
	REDIS_FAULT_NONE,     /* not an error */
	REDIS_FAULT_LOST,     /* NULL: the connection broke; outcome unknown */
	REDIS_FAULT_SCRIPT,   /* NOSCRIPT to a script: not carried out; it is
				 being loaded again, send it once more. Told
				 only once until it has run: a server that
				 still has none, or says so of a command that
				 needs none, is REDIS_FAULT_OTHER */
	REDIS_FAULT_FULL,     /* OOM: not carried out; the server is full */
	REDIS_FAULT_LATER,    /* LOADING, MISCONF, BUSY, TRYAGAIN, CLUSTERDOWN,
				 NOREPLICAS, MASTERDOWN, UNBLOCKED, MOVED, ASK:
				 not carried out */
	REDIS_FAULT_READONLY, /* READONLY: not carried out; the connection has
				 been closed and will look for a writable one */
	REDIS_FAULT_REFUSED,  /* NOAUTH, NOPERM, WRONGPASS, or a script's words:
			       * the user may not */
	REDIS_FAULT_OTHER     /* anything else: a defect, here or there */
};
enum redis_fault redis_fault(const struct redis_reply *reply_or_null);
/* Fills *err with the code and text that suit the fault; returns -1. `what`
 * was tried ("SET"); the connection names the server. */
int redis_fault_err(const struct redis *r, const char *what,
		    const struct redis_reply *reply_or_null, struct err *err);

enum redis_state {
	REDIS_DOWN,   /* broken, and on its way back */
	REDIS_UP,     /* ready for commands */
	REDIS_REFUSED /* for ever: the server does not take our user, password
			 or database */
};

struct redis_options {
	const struct redis_url *url; /* copied */
	const char *client_name;     /* for CLIENT SETNAME; may be NULL */
	int64_t timeout_ms; /* no byte for so long while an answer is due:
			       broken. Also bounds connecting. */
	bool want_id;	    /* ask for redis_client_id() */
	bool to_sentinel;   /* it is to be a Sentinel, and no other server */
	bool replica_too;   /* it may be a replica */
	/*
	 * Of a Cluster: it is to one node, the master that has this key, wherever
	 * that goes; or to any, for subscriptions, which are everywhere the same.
	 * Neither: to all of them.
	 */
	const char *key;
	bool any_node;
	size_t max_reply; /* a reply of more bytes breaks the connection
			       before it takes memory; 0: 512 MiB */
	/*
	 * The state changed. For REDIS_DOWN and REDIS_REFUSED, `why` says why;
	 * all commands that were under way have been answered with NULL before.
	 * It is called for each failed attempt to connect, too.
	 *
	 * With all nodes of a Cluster, REDIS_UP comes with a `why` when one of
	 * them is out of reach, and once more without when one is back. What is
	 * sent for such a node waits for up to timeout_ms.
	 */
	void (*on_state)(struct redis *r, enum redis_state state,
			 const struct err *why, void *arg);
	/* A message for a channel that is subscribed to. Of one with a list of
	 * texts (of keys that the server tracks), each of them; NULL for one
	 * with nothing. May be NULL. */
	void (*on_message)(struct redis *r, struct slice channel,
			   struct slice payload, void *arg);
	void *arg;
};

/* Starts to connect; on_state tells how it goes. NULL with *err if the options
 * are wrong (certificate files included) or memory runs out. */
struct redis *redis_new(struct event_base *base,
			const struct redis_options *options, struct err *err);
/* Closes without calling anybody back. */
void redis_free(struct redis *r);

enum redis_state redis_state(const struct redis *r);
/*
 * Whether what is sent now reaches the server within REDIS_STALE_MS, or never: a
 * process that stood still in between, and a kernel that gets no answer, give
 * the connection up. With TLS it is not so.
 */
#define REDIS_STALE_MS 5000
bool redis_drops_stale(const struct redis *r);
/*
 * Without a turn of the loop, for a caller on its thread that is not in one of
 * its callbacks. redis_look() takes what has come, so that a connection which
 * has broken is found; whether it is up, and can do this (with TLS it cannot).
 * redis_push() sends what waits to be sent.
 */
bool redis_look(struct redis *r);
void redis_push(struct redis *r);
/* The server's number of this connection; 0: not asked for, or refused. */
int64_t redis_client_id(const struct redis *r);
/* The server's name for logs, without secrets. */
const char *redis_name(const struct redis *r);
/* Bytes that wait to be sent. */
size_t redis_backlog(const struct redis *r);

/* A run of arguments. */
struct redis_args {
	const struct slice *v;
	size_t n;
};
#define REDIS_ARGS(array)                                                      \
	((struct redis_args){(array), sizeof(array) / sizeof(*(array))})

typedef void redis_reply_fn(struct redis *r, const struct redis_reply *reply,
			    void *arg);

/*
 * Sends a command; `on_reply` (NULL: nobody cares) is called once. Returns -1
 * without any call when the connection is not up or memory runs out.
 */
int redis_command(struct redis *r, redis_reply_fn *on_reply, void *arg,
		  size_t argc, const struct slice *argv);

/* The same; of a Cluster, what is not on its way to its node within REDIS_BRISK_MS is
 * not carried out, so that it gets there soon after (REDIS_STALE_MS), or never. */
#define REDIS_BRISK_MS 500
int redis_command_brisk(struct redis *r, redis_reply_fn *on_reply, void *arg,
			size_t argc, const struct slice *argv);

/* The same for a blocking command, which the server answers within
 * `block_ms`: its deadline is timeout_ms later. */
int redis_command_blocking(struct redis *r, int64_t block_ms,
			   redis_reply_fn *on_reply, void *arg, size_t argc,
			   const struct slice *argv);

/*
 * Of a Cluster: a command without a key goes to any node. The first of these sends
 * it to that which has `key`, behind commands for that; the second to all of them,
 * and returns how often on_reply will be called (0: not sent). A command, or a
 * script, has only keys of one node. What no node takes within timeout_ms is not
 * carried out, and is answered with the error CLUSTERDOWN.
 */
int redis_command_near(struct redis *r, struct slice key,
		       redis_reply_fn *on_reply, void *arg, size_t argc,
		       const struct slice *argv);
size_t redis_command_all(struct redis *r, redis_reply_fn *on_reply, void *arg,
			 size_t argc, const struct slice *argv);
/* The n-th master, without a key; of another server, 0 is it. */
int redis_command_node(struct redis *r, size_t n, redis_reply_fn *on_reply,
		       void *arg, size_t argc, const struct slice *argv);

/* How a Cluster is, as its nodes say; all 0 of another server. */
struct redis_nodes {
	size_t n;	  /* masters */
	size_t away;	  /* of those, out of reach */
	size_t uncovered; /* slots that no master has */
};
void redis_get_nodes(const struct redis *r, struct redis_nodes *ret);
/* One of them, from 0 on: numbers stay as they are until the map changes. */
struct redis_node {
	const char *host;
	uint16_t port;
	bool up;
	const char *why; /* it was out of reach last; "": never */
};
bool redis_get_node(const struct redis *r, size_t n, struct redis_node *ret);

/*
 * A Lua script, which must outlive the connection. EVALSHA is sent; each
 * connection loads a script before its first use, in the same write. The text
 * may be replaced by another.
 */
struct redis_script {
	const char *name;
	const char *text;
	const char *sha; /* its SHA-1 in hexadecimal; NULL: to be computed */
};
int redis_eval(struct redis *r, const struct redis_script *script,
	       redis_reply_fn *on_reply, void *arg, size_t n_keys,
	       const struct slice *keys, size_t n_args,
	       const struct slice *args);

/*
 * Subscriptions. Once redis_subscribe() was called, a connection carries no
 * other commands (redis_command() fails). Subscriptions last through
 * reconnects; `on_ready` (or NULL) is called after each (re)subscription when
 * the server has confirmed it, so that what was missed can be looked up.
 *
 * redis_subscribe() may come before the connection is up. To subscribe again
 * to a channel replaces on_ready and arg, and has it called again. -1 means
 * that memory ran out, that the connection was refused, or that a command is
 * still waiting for its reply. Behind redis_unsubscribe() (-1: there is no
 * such subscription) no message of the channel arrives any more. With _later()
 * the server hears of it with the next subscription only, which is cheaper for
 * channels that see one message and then none.
 */
typedef void redis_ready_fn(struct redis *r, void *arg);
int redis_subscribe(struct redis *r, struct slice channel,
		    redis_ready_fn *on_ready, void *arg);
int redis_unsubscribe(struct redis *r, struct slice channel);
int redis_unsubscribe_later(struct redis *r, struct slice channel);

#endif
