/* SPDX-License-Identifier: MIT */
/*
 * Orders to cancel that came before their task.
 *
 * Somebody looks for a task in its queue and does not find it, since it has
 * just been claimed, or is on its way back there; so they order the workers to
 * cancel it. The order may overtake the claim. So an order that finds no task
 * is kept for a moment, and meets the claims that come behind it.
 */
#ifndef DISPATCH_EARLY_H
#define DISPATCH_EARLY_H

#include <stdbool.h>

#include "util/buf.h"

struct early;
struct task;

/* Longer than a claim is under way; not so long that it would meet another
 * task that somebody gave the same id. */
#define EARLY_MS 10000
/* So many are kept at most; the oldest go first. */
#define EARLY_MAX 1000

/* NULL when memory runs out. */
struct early *early_new(void);
void early_free(struct early *e);

/* No task with this id is here: keeps the order. */
void early_keep(struct early *e, struct slice id);
/* Whether an order for this task is kept; it is kept no longer. One that is
 * older than the task's submission was for another task. */
bool early_take(struct early *e, const struct task *task);

#endif
