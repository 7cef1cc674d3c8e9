/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the client library share: the client itself, errors, and
 * queries to the servers. For lib/client and lib/manager, which has more.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <pthread.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "flowrra/client.h"

#include "client/loop.h"
#include "client/readiness.h"
#include "util/buf.h"
#include "util/err.h"

struct broker;
struct broker_after;
struct conf;
struct foreign;
struct registry;
struct results;

struct flowrra_client {
	pid_t pid; /* who opened it */
	struct conf *conf;
	bool conf_lent; /* by client_open_with(): not the client's to free */
	struct loop *loop;
	struct registry *registry;
	struct foreign *foreign; /* of flowrra_client_fd(); NULL */
	bool one_store;		 /* queues and results live in the same one */
	/* What follows belongs to the loop. */
	struct broker *broker;
	struct results *results; /* see client_results() */
	struct readiness broker_ready;
	struct readiness results_ready;
	TAILQ_HEAD(client_puts, client_put) puts; /* put.c's */
	/* See client_set_deadline(); 0: none. */
	int64_t deadline_ms;
	/* A question had no answer in time, and nothing was heard since: the
	 * other connection to the same server is as dead, though it is not
	 * known there yet. */
	bool silent;
	/* Anybody's: see results_reply_to(); as it was at the last call. */
	const char *_Atomic reply_to;
};

/*
 * flowrra_open() with a configuration that was loaded already, by a program that
 * may not read its file any more. The caller frees it, after the client; its
 * URLs must have passed conf_check_store(). 0, or -1 with *err.
 */
int client_open_with(struct conf *conf, struct flowrra_client **ret,
		     struct err *err);

/* On the loop: the results, opened at their first use, since a program that
 * only submits to one server needs no second connection. NULL with *err. */
struct results *client_results(struct flowrra_client *c, struct err *err);

/* NAME_ADHOC may be added to the batch: of flowrractl run. */
void client_batch_allow_adhoc(struct flowrra_batch *b);
/* What is added from now on waits for these, which must outlast the batch, and
 * `follows` (both as in broker.h). */
void client_batch_wait_for(struct flowrra_batch *b,
			   const struct broker_after *after, size_t n,
			   bool follows);

/* And has this to share, with the same limits (both as in broker.h). */
void client_batch_share(struct flowrra_batch *b, struct slice name,
			struct slice blob);

/* One task to submit. */
struct submission {
	const struct flowrra_request *request;
	const char *reply_to;		  /* for the task, or NULL */
	bool adhoc;			  /* as of struct encoder */
	const struct broker_after *after; /* as in broker.h */
	size_t n_after;
	struct slice blob_name, blob; /* the same */
	/* Called on the loop, with its id, before it is sent; or NULL. */
	void (*before)(const char *id, void *arg);
	void *arg;
};
/* flowrra_submit() is this with nothing but the request. */
int client_submit(struct flowrra_client *c, const struct submission *s,
		  char id[FLOWRRA_ID_SIZE], struct err *err);

/*
 * From now on, an operation of this client that gets no answer fails after about
 * `ms` (ERR_UNAVAILABLE), however many questions it asks, and at once
 * (READINESS_AWAY_MS) while it is known that the server is away. Without this,
 * each question waits for socket_timeout. To be called once, before the first
 * operation. What must not be lost, the final record of a task that was taken
 * out of its queue, is stored by the client later. 0, or -1 with *err.
 */
int client_set_deadline(struct flowrra_client *c, int64_t ms, struct err *err);

/*
 * From now on, a server that refuses the first connection, since nothing listens
 * there, is not waited for: what needs it fails at once. One that was reached
 * before, and is away, still is. To be called before the first operation.
 */
void client_expect_servers(struct flowrra_client *c);

/* Fills the caller's error, unless it is NULL, and returns -1. */
int client_fail(struct flowrra_error *error, const struct err *err);
/* -1 with *err unless the client may be used here. */
int client_check(const struct flowrra_client *c, struct err *err);

/*
 * A query, which has one answer. If the connection breaks on the way it is sent
 * once more, unless the configuration (retry_on_timeout) says otherwise.
 */
struct query {
	struct op op; /* op.err: how it went */
	struct readiness_waiter waiter;
	struct flowrra_client *client;
	bool of_results; /* to the backend, not the broker */
	bool once;	 /* never send it twice */
	int64_t begun_ms;
	/* Sends it, on the loop. Its callback ends in query_answer() or in
	 * query_end(). */
	void (*send)(struct query *q);
	struct slice key;
	struct slice queue; /* of query_send_served() */
	struct buf value;   /* the answer */
	bool present;	    /* there is one */
};
void query_send_registered(struct query *q); /* key: a task's name */
void query_send_names(struct query *q);	     /* value: a JSON array */
void query_send_served(struct query *q);     /* key: a task's name */
void query_send_control(struct query *q);    /* key: the command */
void query_send_record(struct query *q);     /* key: a task's id */
/* Sends and waits. 0, or -1 with *err; `value` is the caller's to free. */
int query_run(struct query *q, struct err *err);
/* The same of two that leave together. How `also` went is in its op.err. */
int query_run_two(struct query *q, struct query *also, struct err *err);
/* The same in two steps, to have several under way. */
void query_begin(struct query *q);
int query_finish(struct query *q, struct err *err);

/* A callback for a caller's own `send`; `arg` is the query. Takes the value. */
void query_answer(struct slice value, const struct err *err, void *arg);
/* Ends a query whose callback is another: `err` is NULL once the callback has
 * kept what it needs of the answer, else says why there is none. */
void query_end(struct query *q, const struct err *err);

#endif
