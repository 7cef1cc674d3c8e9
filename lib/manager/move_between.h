/* SPDX-License-Identifier: MIT */
/*
 * Moving tasks that wait, or are delayed, to another store.
 *
 * No step takes a task out of one store and puts it into another. So it first goes to a
 * queue of its own store that no worker serves, "leaving.QUEUE" (move.h); from there it
 * is imported into the other one (carry.h), and only then taken out, with its record.
 * Whatever dies in between, the task is in the first store, or in both, where nobody
 * runs that of the first; a call to resume goes on from there.
 */
#ifndef MANAGER_MOVE_BETWEEN_H
#define MANAGER_MOVE_BETWEEN_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct err;
struct flowrra_client;

/* How the queues are called in which tasks are on their way. */
#define MOVE_LEAVING "leaving."
bool move_is_leaving(const char *queue);

struct move_between {
	struct flowrra_client *from, *to;
	const char
	    *queue; /* where they go; NULL: to the one of the same name */
	/* As in struct move; one that is refused is in its queue again. */
	void (*on_outcome)(const char *id, const char *outcome,
			   const struct err *why, void *arg);
	void *arg;
	int64_t moved, gone, refused; /* the answer */
};

/* Whether the two are stores of their own, records and all, and the other one answers:
 * 0, or -1 with *err. */
int move_between_check(const struct move_between *m, struct err *err);
/* Moves tasks that select_tasks() has found. 0, or -1 with *err: the rest is where it
 * was, or on its way. */
int move_between(struct move_between *m, const json_t *tasks, struct err *err);
/* Moves what was on its way when another call ended; `queue`, or NULL: from all. */
int move_between_resume(struct move_between *m, const char *queue,
			struct err *err);

/* Whether a task, as an object, is the one of a record of the other store. */
bool move_is_same(const json_t *task, const json_t *record);

/* --- dead ones (move_dead.c) ----------------------------------------------- */

/*
 * Moves tasks of the dead list, an array of {"task_id", "queue"}, into that of
 * m->queue, with what is known of their end. If from and to are the same, they move
 * within the store, and m->queue must not be NULL. "gone": it is not dead any more.
 * 0, or -1 with *err: the rest is in its list, or in both.
 */
int move_dead(struct move_between *m, const json_t *tasks, struct err *err);
/* Moves the dead task with this ID, from any dead list; one that is in that of m->queue
 * is refused. moved and refused are 0 if no list has it. */
int move_dead_task(struct move_between *m, const char *id, struct err *err);

#endif
