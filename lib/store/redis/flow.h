/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: workflows (store/flow.h). What a workflow is made of, its home,
 * lies in one slot; the queues of its steps lie in others, so a step gets there in
 * several steps: a script of the home notes in `out` that it is to go (flow_advance.lua
 * and others), then it is submitted to its queue with a key that makes it unique, and
 * then it is struck off. Whoever dies on the way leaves what the next one finds: the
 * claim of the step that has ended, or, for housekeeping, `out`.
 *
 * On a server that has all slots, a worker's call that ends steps has the list of their
 * queue among its keys, and a seal, from its second call on, that of the first step that
 * it has released: what is released for that queue, and needs no more than to be pushed,
 * goes there in the same step, and is never in `out`.
 *
 *	flow_list.c	what operators and housekeeping ask
 *	flow_missing.c	released steps that are in no queue
 *	flow_change.c	beginning, sealing, cancelling, repairing
 *	flow_settle.c	a step that has ended, before its claim is settled
 *	flow_add.c	steps that are submitted
 *	flow_turn.c	a script that is called until it has done all
 *	flow_deliver.c	steps on the way from `out` to their queues
 *	flow_home.c	names of keys, and entries of `out`
 *
 * Calls go down this list. The keys are described in lua/parts/flow.lua.
 */
#ifndef STORE_REDIS_FLOW_H
#define STORE_REDIS_FLOW_H

#include "store/cursor.h"
#include "store/flow.h"
#include "store/redis/admin.h"
#include "store/redis/broker.h"

/* --- flow_home.c ----------------------------------------------------------- */

#define RFLOW_KEYS 10

/* The names of the keys of a workflow; and that of one more, which a script is given
 * with them. */
struct rflow_home {
	char *names;
	struct slice keys[RFLOW_KEYS + 1];
	size_t n_keys;
};
/* 0, or -1 when memory runs out; rflow_home_done() is due in either case. */
int rflow_home_init(struct rflow_home *h, const struct rbroker *b,
		    struct slice flow);
void rflow_home_done(struct rflow_home *h);
struct redis_args rflow_home_keys(const struct rflow_home *h);

/* The lists of workflows: of when they are to be looked at, and of all. */
struct rflow_lists {
	char *names;
	struct slice due, all;
};
int rflow_lists_init(struct rflow_lists *l, const struct rbroker *b);
void rflow_lists_done(struct rflow_lists *l);

/* What `out` says of a step. The slices are those of the text. */
struct rflow_out {
	struct slice why; /* empty: it is to run */
	struct slice queue;
	int32_t priority;
	int64_t delay_ms, at_ms;
	enum flow_role role;
	int64_t turn; /* how often it was reopened */
	struct slice task;
};
/* -1: it is damaged. */
int rflow_out_read(struct slice text, struct rflow_out *ret);
/* The line of an entry without its role and turn, as flow_add.lua is given it. */
void rflow_entry_write(struct buf *out, const struct broker_submit *task);
/* The text for the record of a step that is skipped. */
void rflow_explain(struct buf *out, struct slice why);

char rflow_role_letter(enum flow_role role);
bool rflow_role_read(char letter, enum flow_role *ret);
extern const char rflow_how_letters[];	   /* by broker_after_how */
extern const char rflow_outcome_letters[]; /* by flow_outcome */

/* The key that makes a step unique in its queue; appends it without what is about
 * the queue. */
void rflow_unique(struct buf *out, struct slice flow, struct slice step,
		  int64_t turn);
/* How long that key lasts: longer than a dead worker's claim waits for another
 * worker. */
#define RFLOW_UNIQUE_S (7 * 24 * 3600)

/* --- flow_deliver.c -------------------------------------------------------- */

/* Steps of one workflow on their way to their queues. */
struct rflow_delivery;
struct rflow_delivery *rflow_delivery_new(struct rbroker *b, struct slice flow);
void rflow_delivery_free(struct rflow_delivery *d);
/* Adds one, as the answer of a script has it, of which a copy is made. What is damaged
 * is left where it is, and is not counted. 0, or -1 when memory runs out. */
int rflow_delivery_add(struct rflow_delivery *d, struct slice step,
		       struct slice out);
/* The same of one that was just added, and that lives until the end. */
int rflow_delivery_add_task(struct rflow_delivery *d,
			    const struct broker_submit *task, struct slice why);
/*
 * Sends them; on_done comes when all are in their queues and that is noted, or with why
 * not: from within if nothing can be sent. `drop` comes instead if the broker is closed.
 * Both may free it.
 */
void rflow_delivery_start(struct rflow_delivery *d,
			  void (*on_done)(void *arg, const struct err *err),
			  void (*drop)(void *arg), void *arg);
/* The broker is closed. */
void rflow_drop_deliveries(struct rbroker *b);

/* --- flow_turn.c ------------------------------------------------------------ */

#define RFLOW_ARGS 3
/* Steps that end in one call: about a ms of the server. */
#define RFLOW_ENDS_MAX 200
#define RFLOW_STATE_SIZE 12

/* A script of a workflow, with what it is given before the place where it stopped. It
 * is the user's, who frees it in on_done() with rflow_turn_free(). */
struct rflow_turn {
	struct rquery query;
	struct rflow_home home;
	char *flow;
	enum rscript script;
	char *args[RFLOW_ARGS];
	size_t n_args;
	char *list; /* that a seal has among its keys; NULL: none */
	/* Behind the arguments: steps that have ended, whose claims are settled then. */
	struct pending_list ends;
	size_t n_ends;
	struct buf cursor; /* of the next call */
	bool once;	   /* a page: it is called once; `cursor` is the next */
	/* It is tried again until it has done all. */
	bool insists;
	/* While it waits for that, or for the end of the loop's turn. */
	TAILQ_ENTRY(rflow_turn) link;
	struct rflow_delivery *delivery;
	/* The answer: the state then ("": there is no workflow), and what the first
	 * call said. */
	char state[RFLOW_STATE_SIZE];
	int64_t first;
	bool answered;
	struct buf names; /* of a page: IDs, each with a NUL behind */
	struct buf roles; /* of each, a letter */
	size_t n_names;
	size_t at;  /* reopening: where in `names` the next one begins */
	bool whole; /* the same: all that were skipped */
	struct err err;
	void (*on_done)(struct rflow_turn *t);
	union {
		broker_value_fn *on_value;
		broker_steps_fn *on_page;
		broker_names_fn *on_names;
		const struct rqueue *queue; /* of the claims */
	};
	void *arg;
};
TAILQ_HEAD(rflow_turns, rflow_turn);

/* Arguments are copied. NULL when memory runs out. */
struct rflow_turn *rflow_turn_new(struct rbroker *b, struct slice flow,
				  enum rscript script, const struct slice *args,
				  size_t n_args);
void rflow_turn_begin(struct rflow_turn *t);
/* The same of one that insists, and so does not end from within the call. */
void rflow_turn_now(struct rflow_turn *t);
void rflow_turn_free(struct rflow_turn *t);
/* In on_done(): begins once more, with other arguments; names are added. -1 when memory
 * runs out. */
int rflow_turn_again(struct rflow_turn *t, const struct slice *args,
		     size_t n_args);

int rflow_open(struct rbroker *b, struct err *err);
/* Behind redis_requests_free(). */
void rflow_close(struct rbroker *b);

/* --- flow_settle.c ----------------------------------------------------------- */

/* Ends a step, with others of its workflow that end in this turn of the loop, and then
 * settles its claim; `b` reaches all slots. */
void rflow_settle(struct rbroker *b, struct broker_settle *settle);
/* Sends what is collected, if there is anything; as a callback of b->flow.flush. */
void rflow_on_flush(int fd, short what, void *b);
bool rflow_settles(const struct broker_settle *settle);
/* The key that made the step unique is not needed much longer. */
void rflow_forget_key(const struct rqueue *q,
		      const struct broker_settle *settle);

/* --- flow_missing.c ----------------------------------------------------------- */

void rflow_missing(struct broker *b, const struct flow_missing *ask,
		   broker_names_fn *on_names, void *arg);

/* --- for housekeeping --------------------------------------------------------- */

extern const struct broker_flow_ops rbroker_flow_ops;

#endif
