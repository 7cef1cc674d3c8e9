/* SPDX-License-Identifier: MIT */
/*
 * Tasks that lie at the broker, as JSON.
 *
 * The shape is that of a record (codec/result_json.h): task_id, status,
 * task_name, result, error, submitted_at, started_at, finished_at, retries,
 * args, kwargs, queue; and, where they are known, priority, due_at, worker.
 */
#ifndef MANAGER_ENTRY_H
#define MANAGER_ENTRY_H

#include <jansson.h>

#include "store/admin.h"

struct err;
struct task;

/* Which tasks: NULL is any. */
struct entry_filter {
	const char *queue;
	const char *task;
};

/* The entry of a task that waits, is delayed or in flight. One that cannot be
 * read has a null id, and why in "error". NULL: no memory. */
json_t *entry_of(const struct broker_item *item, enum broker_location place,
		 const char *queue);

/*
 * One of the dead list: key, task_id and task_name (null if it cannot be read),
 * queue, died_at, and reason, error, worker and attempts as they were noted.
 */
json_t *entry_of_dead(const struct broker_item *item, const char *queue);
/* What was noted of it, and its bytes: members "info" (an object), "task" (an
 * object, or null if it cannot be read), and "bytes" (text) or "bytes_base64".
 */
int entry_add_bytes(json_t *entry, const struct broker_item *item);

/* "2026-11-23T11:53:08.846827+00:00"; null for 0. */
json_t *entry_time(int64_t wall_us);
/* A text that may be of anybody: what is no UTF-8 is replaced. */
json_t *entry_string(const char *text);
/* Microseconds of a member that is such a time; 0 if there is none. */
int64_t entry_time_of(const json_t *object, const char *name);
const char *entry_text(const json_t *object, const char *name);
/* The first `limit` of an array by such a member, the latest first, and those
 * without before them. Takes the array; NULL with *err. */
json_t *entry_newest(json_t *list, const char *time, size_t limit,
		     struct err *err);

#endif
