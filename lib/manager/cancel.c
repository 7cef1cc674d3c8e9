/* SPDX-License-Identifier: MIT */
/* Cancelling tasks, wherever they are. */
#include "manager/cancel.h"

#include <string.h>

#include "codec/result_json.h"
#include "core/task.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "manager/tasks.h"
#include "util/clock.h"
#include "util/err.h"

#define CANCELLED "cancelled before it started"

void
cancel_record(const struct task *task, const char *queue, struct buf *out)
{
	const struct result record = {.task_id = slice_of(task->id),
				      .status = RESULT_FAILED,
				      .task_name = slice_of(task->name),
				      .error = SLICE(CANCELLED),
				      .submitted_us = task->submitted_us,
				      .finished_us = clock_wall_us(),
				      .retries = task->current_retry,
				      .args = task->args,
				      .kwargs = task->kwargs,
				      .queue = slice_of(queue),
				      .attempts = task->current_retry,
				      .reason = SLICE("cancelled")};

	result_encode(&record, out);
}

/* The record of a task that was withdrawn: as it was, but failed. */
static int
store(struct flowrra_client *c, const char *id, json_t *record, struct err *err)
{
	struct query_put put = {.id = id};
	char *text;
	int result;

	json_object_set_new(record, "status", json_string("failed"));
	json_object_set_new(record, "error", json_string(CANCELLED));
	json_object_set_new(record, "reason", json_string("cancelled"));
	json_object_set_new(record, "finished_at",
			    member_of_time(clock_wall_us()));
	if ((text = json_dumps(record, JSON_COMPACT)) == NULL)
		return err_nomem(err);
	put.record = slice_of(text);
	result = query_put_failed(c, &put, 1, err);
	free(text);
	if (result != 0)
		err_prefix(err, "task %s was removed from its queue, but", id);
	return result;
}

/* Takes it out of its queue, or of any if the record does not say which. */
static int
withdraw(struct flowrra_client *c, const char *id, const json_t *record,
	 bool *ret_found, struct err *err)
{
	const char *queue = member_text(record, "queue");
	json_t *queues, *one;
	int result = 0;
	size_t i;

	*ret_found = false;
	if (queue != NULL)
		return query_remove(c, queue, id, ret_found, err);
	if ((queues = queues_list(c, NULL, err)) == NULL)
		return -1;
	json_array_foreach (queues, i, one)
		if (result == 0 && !*ret_found)
			result = query_remove(c, member_text(one, "queue"), id,
					      ret_found, err);
	json_decref(queues);
	return result;
}

static bool
is_final(const json_t *record)
{
	const char *status = member_text(record, "status");

	return status != NULL && (strcmp(status, "success") == 0 ||
				  strcmp(status, "failed") == 0);
}

/* It has not ended, and is nowhere: who withdrew it died before it could store
 * that. The record is read last, since a task ends there first. */
static int
find_lost(struct flowrra_client *c, const char *id, const char *queue,
	  bool *ret_lost, struct err *err)
{
	bool held;
	json_t *now;

	if (tasks_in_flight(c, queue, id, &held, err) != 0 ||
	    (now = query_record(c, id, err)) == NULL)
		return -1;
	*ret_lost = !held && json_is_object(now) && !is_final(now);
	json_decref(now);
	return 0;
}

/*
 * A task that was in no queue, or so its record says. Who runs it takes the
 * order; but it may have gone back to its queue before the order came.
 */
static int
order(struct flowrra_client *c, const char *id, const json_t *record,
      bool *ret_found, struct err *err)
{
	const char *queue = member_text(record, "queue");
	json_t *message = json_pack("{s:s,s:s}", "order", "cancel", "id", id);
	bool held;

	*ret_found = false;
	if (query_control(c, message, err) != 0 ||
	    tasks_in_flight(c, queue, id, &held, err) != 0)
		return -1;
	if (held)
		return 0;
	if (withdraw(c, id, record, ret_found, err) != 0)
		return -1;
	return *ret_found ? 0 : find_lost(c, id, queue, ret_found, err);
}

static int
cancel(struct flowrra_client *c, const char *id, json_t *record,
       const char **ret_outcome, struct err *err)
{
	const char *status = member_text(record, "status");
	bool found = false;

	if (status == NULL)
		status = "";
	if (is_final(record))
		return err_set(err, ERR_REFUSED,
			       "cannot cancel task %s: it has finished (%s)",
			       id, status);
	if (strcmp(status, "running") != 0 &&
	    withdraw(c, id, record, &found, err) != 0)
		return -1;
	if (!found && order(c, id, record, &found, err) != 0)
		return -1;
	*ret_outcome = found ? "cancelled" : "ordered";
	return found ? store(c, id, record, err) : 0;
}

json_t *
cancel_task(struct flowrra_client *c, const char *id, struct err *err)
{
	const char *outcome = NULL;
	json_t *record;
	int result;

	if (!task_id_valid(slice_of(id))) {
		err_set(err, ERR_DATA, "\"%.64s\" is not a valid task ID", id);
		return NULL;
	}
	if ((record = query_record(c, id, err)) == NULL)
		return NULL;
	if (json_is_null(record))
		result =
		    err_set(err, ERR_NOT_FOUND, "no record of task %s", id);
	else
		result = cancel(c, id, record, &outcome, err);
	json_decref(record);
	return result == 0
		   ? json_pack("{s:s,s:s}", "id", id, "outcome", outcome)
		   : NULL;
}
