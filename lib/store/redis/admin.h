/* SPDX-License-Identifier: MIT */
/*
 * The operators' part of the Redis broker, as its own files see it.
 *
 *	admin.c		queries: what all of them are made of
 *	admin_stats.h	leads to the state of the queues and of the workers
 *	admin_find.c	which queues have tasks at a place
 *	admin_view.c	pages of tasks
 *	admin_change.c	pause, purge, remove
 *	admin_dead.c	the dead list: requeue, add_dead
 *	admin_limit.c	limits
 *	admin_declare.c	those that workers declare
 *	admin_deliver.c	what is on its way from one queue to another
 *	admin_examine.c	what may be wrong with the server
 *	admin_report.c	what was found, for the operator
 *
 * A query goes through one or more phases. Each asks any number of things at
 * once, and the next begins when all of them are answered. It begins in the
 * loop, and ends by telling its answer, or with the broker.
 */
#ifndef STORE_REDIS_ADMIN_H
#define STORE_REDIS_ADMIN_H

#include "store/admin.h"
#include "store/cursor.h"
#include "store/redis/broker.h"

struct rquery {
	struct rbroker *broker;
	const char *what; /* is tried, for messages */
	/* Asks, unless err is set already; called again if the server had
	 * forgotten a script. What it has taken by then is replaced. */
	void (*ask)(struct rquery *i);
	/* All is answered, or err says why not: goes on with rquery_next(), or
	 * tells and frees. */
	void (*answered)(struct rquery *i);
	void (*free)(struct rquery *i);
	struct err err;

	/* The rest is admin.c's. */
	struct redis_request start;
	unsigned int under_way;
	unsigned int n_again; /* how often the phase was asked again */
	bool again;
};

/* Takes one answer, which is not an error; `index` says to what. */
typedef void rquery_take_fn(struct rquery *i, size_t index,
			    const struct redis_reply *reply);

/* Begins with what the first four members say. */
void rquery_begin(struct rquery *i);
/* The next phase. */
void rquery_next(struct rquery *i, void (*ask)(struct rquery *i),
		 void (*answered)(struct rquery *i));
/* In a phase: ask the server. What fails is noted in i->err. */
void rquery_command(struct rquery *i, rquery_take_fn *take, size_t index,
		    struct redis_args argv);
/* The same of the n-th master of a Cluster. An error is an answer, too, and so is
 * NULL: it went out of reach. Nothing is asked of one that is so already. */
void rquery_command_node(struct rquery *i, size_t n, rquery_take_fn *take,
			 size_t index, struct redis_args argv);
void rquery_eval(struct rquery *i, rquery_take_fn *take, size_t index,
		 enum rscript script, struct redis_args keys,
		 struct redis_args args);

/* As rquery_eval(); an error reply of the server is an answer, too. */
void rquery_eval_judged(struct rquery *i, rquery_take_fn *take, size_t index,
			enum rscript script, struct redis_args keys,
			struct redis_args args);

/*
 * Whether the reply is not an answer, but the levels of a queue, of which the
 * script lacked a list. They are noted then, and the whole phase is asked
 * again: the script has done nothing.
 */
bool rquery_take_levels(struct rquery *i, struct rlevels *levels,
			const struct redis_reply *reply);
/* As rquery_eval(), of a script whose last keys are the lists of a queue. */
void rquery_eval_levels(struct rquery *i, rquery_take_fn *take, size_t index,
			enum rscript script, const struct rqueue *q,
			struct redis_args keys, struct redis_args args);

/* Makes the key names of a queue that an operator has named. */
int rqueue_of_name(struct rqueue *q, struct rbroker *b, struct slice name,
		   struct err *err);

/* The shards of the in-flight lists of `n` workers, before those of each its
 * epoch if that is asked for; free() them. NULL when memory runs out. */
struct slice *rqueue_worker_keys(const struct rqueue *q, char *const *workers,
				 size_t n, bool epochs);

/*
 * Asks for the names of a queue's lanes, which have any order. rlanes_pick()
 * then finds the first by name from `from` on (NULL: the first of all) and the
 * one behind it: copies, NULL where there is none; free() them.
 */
void rquery_ask_lanes(struct rquery *i, rquery_take_fn *take,
		      const struct rqueue *q);
int rlanes_pick(const struct redis_reply *names, const char *from,
		char **ret_lane, char **ret_next, struct err *err);
/* Where to go on in lanes: "l:OFFSET:NAME", with no name for the first. */
bool rlanes_read_cursor(struct slice cursor, int64_t *ret_offset,
			char **ret_name);

/* A copy of a worker's name, or NULL if no worker can have it (or there is no
 * memory). */
char *rworker_name(struct slice name);

/* The largest offset that a cursor may have: more than fits into any list, and
 * few enough digits for the numbers of Lua, which are doubles. */
#define CURSOR_OFFSET_MAX INT64_C(1000000000000)

/* About this many bytes of tasks are shown in one page: little
 * memory on both sides, and a short stop of the server, which copies them several
 * times. */
#define VIEW_BYTES (1 << 20)

void radmin_queues(struct broker *b, struct slice queue,
		   broker_queues_fn *on_queues, void *arg);
void radmin_workers(struct broker *b, broker_workers_fn *on_workers, void *arg);
void radmin_find(struct broker *b, enum broker_location place,
		 broker_found_fn *on_found, void *arg);
void radmin_view(struct broker *b, const struct broker_view *view,
		 broker_page_fn *on_page, void *arg);
void radmin_examine(struct broker *b, broker_report_fn *on_report, void *arg);
void radmin_pause(struct broker *b, struct slice queue, bool paused,
		  broker_value_fn *on_value, void *arg);
void radmin_limits_get(struct broker *b, struct slice queue,
		       broker_limits_fn *on_limits, void *arg);
void radmin_limits_change(struct broker *b,
			  const struct broker_limit_change *change,
			  broker_value_fn *on_value, void *arg);
void radmin_limits_declare(struct broker *b,
			   const struct broker_declaration *declaration,
			   broker_declared_fn *on_declared, void *arg);
void radmin_purge(struct broker *b, struct slice queue, unsigned int n,
		  broker_page_fn *on_page, void *arg);
void radmin_remove(struct broker *b, struct slice queue, struct slice id,
		   struct slice cursor, broker_page_fn *on_page, void *arg);
void radmin_hasten(struct broker *b, struct slice queue, struct slice id,
		   struct slice cursor, broker_page_fn *on_page, void *arg);
void radmin_requeue(struct broker *b, struct slice queue,
		    struct broker_requeue *batch, size_t n,
		    broker_requeued_fn *on_done, void *arg);
void radmin_add_dead(struct broker *b, struct slice queue,
		     struct broker_dead *batch, size_t n,
		     broker_dead_fn *on_done, void *arg);
void radmin_send_off(struct broker *b, const struct broker_send_off *s,
		     broker_page_fn *on_page, void *arg);
void radmin_deliver(struct broker *b, struct slice queue,
		    broker_value_fn *on_value, void *arg);

/* How the entry of a task begins that leaves for the queue `to`; the script adds the
 * rest. NULL when memory runs out; free() it. */
char *rleaving_header(struct slice to, struct slice id);

/* The broker is closed: frees those that wait for Sentinels. */
void rbroker_forget_examinations(struct rbroker *b);

/* Brings in, for housekeeping, what senders that are gone have left on its way. */
void rbroker_deliver(struct rbroker *b, const char *queue);

/* Takes workers off the list that have been dead for a day and have left nothing
 * in any queue; after a month those as well that have served none that is known.
 * Who has left something stays until that is taken over. */
void rbroker_prune_workers(struct rbroker *b);

#endif
