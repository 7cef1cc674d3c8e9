/* SPDX-License-Identifier: MIT */
/*
 * The producers' side of the Redis broker, as its own files see it.
 *
 *	submit.c	a batch begins: the records, which come first
 *	push.c		the tasks, which come then, and the answers
 *	flow_add.c	the same, of steps of workflows
 *	call.c		what the submit script is called with
 *	batch.c		a batch, and the commands that it waits for
 *	confirm.c	its end, when replicas have it
 *
 * Calls go down this list.
 */
#ifndef STORE_REDIS_SUBMIT_H
#define STORE_REDIS_SUBMIT_H

#include "store/redis/broker.h"

/* A batch, and the commands it still waits for: `under_way` of both steps,
 * `reserving` those of the first that the second waits for. It holds one count
 * itself while it sends, so that an answer cannot end it before all is sent. */
struct rbatch {
	struct redis_request request; /* that it begins with */
	struct rbroker *broker;
	struct broker_submit *tasks;
	size_t n;
	broker_submitted_fn *on_done;
	void *arg;
	size_t under_way, reserving;
	/* Of each task, if there are steps of workflows: there was a record of its ID
	 * before. Else NULL. */
	bool *had_record;
	bool pushed;	 /* the second step has begun */
	bool confirming; /* replicas are asked whether they have it */
};

/* One command for tasks first … first + n - 1 of a batch. */
struct rrun {
	struct redis_request request;
	struct rbatch *batch;
	size_t first, n;
	bool awaited; /* by the second step */
};

/* --- push.c ------------------------------------------------------------- */

/* Whether LPUSH does all that the submit script would do. */
bool rpush_is_plain(const struct rbroker *b, const struct broker_submit *task);
/* The second step: pushes all tasks that are not refused yet, in runs of one
 * queue and way. The caller holds a count of the batch. */
void rpush_all(struct rbatch *batch);

/* --- flow_add.c --------------------------------------------------------- */

/* Sets the errors of steps that are none; false when memory runs out. */
bool rflow_add_check(struct rbatch *batch);
/* Where the run of steps ends that begins there. */
size_t rflow_add_end(const struct rbatch *batch, size_t first);
/* Adds them to their workflow. The caller holds a count of the batch. */
void rflow_add(struct rbatch *batch, size_t first, size_t n);

/* --- call.c ------------------------------------------------------------- */

/* What submit.lua is called with, for a run of tasks of one queue. */
struct rcall {
	struct rqueue queue;   /* its names */
	struct rlevels levels; /* whose lists are in `keys` */
	struct slice *keys;
	size_t n_keys;
	struct slice *args;
	size_t n_args;
	char (*numbers)[6][ARG_NUMBER_SIZE]; /* of each task */
	char limit[ARG_NUMBER_SIZE], most[ARG_NUMBER_SIZE],
	    n_lists[ARG_NUMBER_SIZE];
	struct buf unique; /* names of keys */
};

/* For `n` tasks of one queue, which outlive the call; -1 when memory runs out.
 * rcall_done() is due in either case. */
int rcall_init(struct rcall *c, struct rbroker *b,
	       const struct broker_submit *tasks, size_t n);
void rcall_done(struct rcall *c);

/* --- batch.c ------------------------------------------------------------ */

/* A command that is not sent yet, and is not counted; free() it then. The batch
 * is dropped with it if the broker is closed. NULL when memory runs out. */
struct rrun *rbatch_run(struct rbatch *batch, size_t first, size_t n,
			redis_request_fn *on_reply);
/* Frees it alone. */
void rbatch_free(struct rbatch *batch);
/* A command has been answered, or a step has sent all. The last one tells the
 * caller, and frees the batch. */
void rbatch_ended(struct rbatch *batch);
/* The broker is being closed: nobody is told, and the last of the batch's
 * commands frees it. */
void rbatch_drop(struct rbatch *batch);
/* Says why a command for the task failed. An error from the first step is kept:
 * it says why the task was not pushed. */
void rbatch_fail(struct broker_submit *task, const struct rbroker *b,
		 const struct redis_reply *reply);

/* --- confirm.c ----------------------------------------------------------- */

/* All commands of the batch are answered: asks the replicas, if it needs any. If
 * not, all its tasks have their answers. */
bool rbatch_confirm(struct rbatch *batch);

#endif
