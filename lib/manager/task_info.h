/* SPDX-License-Identifier: MIT */
/*
 * What is told of a task that lies at the broker: its task info, as JSON.
 *
 * The shape is that of a record (codec/result_json.h): task_id, status,
 * task_name, result, error, submitted_at, started_at, finished_at, retries,
 * args, kwargs, queue; and, where they are known, priority, due_at, after, worker.
 */
#ifndef MANAGER_TASK_INFO_H
#define MANAGER_TASK_INFO_H

#include <jansson.h>

#include "store/admin.h"

struct err;
struct task;

/* The info of a task that waits, is delayed or in flight. One that cannot be
 * read has a null id, and why in "error". NULL: no memory. */
json_t *task_info_of(const struct broker_item *item, enum broker_location place,
		     const char *queue);

/* Sets "due_at" of a delayed one; of one that waits for others to null, and then
 * "after": what it waits for still (manager/command_after.h). */
int task_info_set_due(json_t *info, const struct broker_item *item);

/*
 * One of the dead list: key, task_id and task_name (null if it cannot be read),
 * queue, died_at, and reason, error, worker and attempts as they were noted.
 */
json_t *task_info_of_dead(const struct broker_item *item, const char *queue);
/* What was noted of it, and its bytes: members "info" (an object), "task" (an
 * object, or null if it cannot be read), and "bytes" (text) or "bytes_base64".
 */
int task_info_add_bytes(json_t *info, const struct broker_item *item);
/* The last two for any bytes; and what they say, appended: -1 with *err. */
int task_info_set_bytes(json_t *object, struct slice bytes);
int task_info_get_bytes(const json_t *object, struct buf *out, struct err *err);

/* The first `limit` of an array by such a member, the latest first, and those
 * without before them. Takes the array; NULL with *err. */
json_t *task_info_newest(json_t *list, const char *time, size_t limit,
			 struct err *err);

#endif
