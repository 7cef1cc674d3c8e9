/* SPDX-License-Identifier: MIT */
/*
 * Moving tasks that wait, or are delayed, to another queue.
 *
 * Each goes by itself. One that is on its way when this ends is found by the next call
 * of client_deliver() for its queue, and nobody runs it before.
 */
#ifndef MANAGER_MOVE_H
#define MANAGER_MOVE_H

#include <stdint.h>

#include <jansson.h>

struct err;
struct flowrra_client;

struct move {
	const char *to;
	/* What became of a task: "moved"; "gone" (it runs, or has ended, by now); or
	 * "refused", and why. May be NULL. */
	void (*on_outcome)(const char *id, const char *outcome,
			   const struct err *why, void *arg);
	void *arg;
	int64_t moved, gone, refused; /* the answer */
};
/*
 * Moves tasks that select_tasks() has found, those that run first before the others,
 * so that they keep their order. Those that are in that queue already are left out.
 * 0, or -1 with *err: the rest is where it was, or on its way.
 */
int move_tasks(struct flowrra_client *c, struct move *m, const json_t *tasks,
	       struct err *err);
/* The one of an ID, wherever it is: a new object {"task_id", "outcome", "queue"};
 * NULL with *err. */
json_t *move_task(struct flowrra_client *c, const char *id, const char *to,
		  struct err *err);
/* Brings in what has left a queue, or any (NULL), and is on its way: how many, or -1
 * with *err. */
int64_t move_deliver(struct flowrra_client *c, const char *queue,
		     struct err *err);

#endif
