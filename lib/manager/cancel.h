/* SPDX-License-Identifier: MIT */
/* Cancelling tasks, wherever they are. */
#ifndef MANAGER_CANCEL_H
#define MANAGER_CANCEL_H

#include <jansson.h>

#include "util/buf.h"
#include "util/clock.h"

struct err;
struct flowrra_client;
struct task;

/* client_cancel() (client/cancel.h), and what came of it: {"id", "outcome"},
 * which is "cancelled" or "ordered". */
json_t *cancel_task(struct flowrra_client *c, const char *id, struct err *err);

/* Appends the final record of a task that was taken out of `queue` before it
 * ran. */
void cancel_record(const struct task *task, const char *queue,
		   enum clock_form times, struct buf *out);

#endif
