/* SPDX-License-Identifier: MIT */
/*
 * The ids of tasks that were cancelled before they came.
 *
 * A client looks for a task in its queue and does not find it, since the task
 * has just been claimed, or is on its way back there. So the client tells the
 * workers to cancel it. That command may overtake the claim. The id of a task
 * that is not here is kept for a moment, and meets the claims that follow.
 */
#ifndef DISPATCH_CANCELLED_IDS_H
#define DISPATCH_CANCELLED_IDS_H

#include <stdbool.h>

#include "util/buf.h"

struct cancelled_ids;
struct task;

/* Longer than a claim is under way; not so long that it would meet another
 * task that was given the same id. */
#define CANCELLED_IDS_MS 10000
/* The most that are kept; the oldest go first. */
#define CANCELLED_IDS_MAX 1000

/* NULL when memory runs out. */
struct cancelled_ids *cancelled_ids_new(void);
void cancelled_ids_free(struct cancelled_ids *ids);

/* No task with this id is here: keeps the id. */
void cancelled_ids_add(struct cancelled_ids *ids, struct slice id);
/* Whether the task was cancelled; its id is kept no longer. An id that came
 * before the task was submitted was that of another task. */
bool cancelled_ids_take(struct cancelled_ids *ids, const struct task *task);

#endif
