/* SPDX-License-Identifier: MIT */
/* Cancelling tasks, wherever they are. */
#ifndef MANAGER_CANCEL_H
#define MANAGER_CANCEL_H

#include <jansson.h>

#include "util/buf.h"

struct err;
struct flowrra_client;
struct task;

/*
 * Cancels a task that has not finished: {"id", "outcome"}. One that waits, or
 * is delayed, is taken out of its queue and stored as failed ("cancelled"). So
 * is one that is nowhere, since who took it out could not store that. For one
 * that runs, an order is sent to the workers ("ordered"): its record tells what
 * comes of it. ERR_NOT_FOUND: there is no record. ERR_REFUSED: it has
 * finished.
 */
json_t *cancel_task(struct flowrra_client *c, const char *id, struct err *err);

/* Appends the final record of a task that was taken out of `queue` before it
 * ran. */
void cancel_record(const struct task *task, const char *queue, struct buf *out);

#endif
