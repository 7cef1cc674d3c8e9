/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the client library share: the client itself, errors, and
 * questions to the servers. For lib/client and lib/manager, which asks more.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <pthread.h>
#include <sys/types.h>

#include "flowrra/client.h"

#include "client/gate.h"
#include "client/loop.h"
#include "util/buf.h"
#include "util/err.h"

struct broker;
struct conf;
struct registry;
struct results;

struct flowrra_client {
	pid_t pid; /* who opened it */
	struct conf *conf;
	struct loop *loop;
	struct registry *registry;
	bool one_store; /* queues and results live in the same one */
	/* What follows belongs to the loop. */
	struct broker *broker;
	struct results *results; /* see client_results() */
	struct gate broker_gate;
	struct gate results_gate;
	/* Anybody's: see results_reply_to(); as it was at the last call. */
	const char *_Atomic reply_to;
};

/* On the loop: the results, opened at their first use, since a program that
 * only submits to one server needs no second connection. NULL with *err. */
struct results *client_results(struct flowrra_client *c, struct err *err);

/* One task to submit. */
struct submission {
	const struct flowrra_request *request;
	const char *reply_to; /* for the task, or NULL */
	/* Called on the loop, with its id, before it is sent; or NULL. */
	void (*before)(const char *id, void *arg);
	void *arg;
};
/* flowrra_submit() is this with nothing but the request. */
int client_submit(struct flowrra_client *c, const struct submission *s,
		  char id[FLOWRRA_ID_SIZE], struct err *err);

/* Fills the caller's error and returns -1. */
int client_fail(struct flowrra_error *error, const struct err *err);
/* -1 with *err unless the client may be used here. */
int client_check(const struct flowrra_client *c, struct err *err);

/*
 * A question that has one answer; if it gets lost on the way it is asked once
 * more (retry_on_timeout).
 */
struct question {
	struct op op; /* op.err: how it went */
	struct gate_pass pass;
	struct flowrra_client *client;
	bool of_results; /* the backend is asked, not the broker */
	bool once;	 /* never ask twice */
	/* Sends it, on the loop. Its callback ends in question_answer() or in
	 * question_end(). */
	void (*ask)(struct question *q);
	struct slice key;
	struct buf value; /* the answer */
	bool present;	  /* there is one */
};
void question_ask_registered(struct question *q); /* key: a task's name */
void question_ask_names(struct question *q);
void question_ask_control(struct question *q); /* key: the order */
void question_ask_record(struct question *q);  /* key: a task's id */
/* Asks and waits. 0, or -1 with *err; `value` is the caller's to free. */
int question_put(struct question *q, struct err *err);
/* The same in two steps, to have several under way. */
void question_begin(struct question *q);
int question_finish(struct question *q, struct err *err);

/* Callback of an `ask` of one's own, whose `arg` is the question: takes the
 * value. */
void question_answer(struct slice value, const struct err *err, void *arg);
/* What other callbacks end with: what was to be kept of the answer has been
 * kept (err == NULL), or why there is none. */
void question_end(struct question *q, const struct err *err);

#endif
