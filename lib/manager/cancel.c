/* SPDX-License-Identifier: MIT */
/* Cancelling tasks, wherever they are. */
#include "manager/cancel.h"

#include <string.h>

#include "codec/repair.h"
#include "codec/result_json.h"
#include "codec/scan.h"
#include "codec/write.h"
#include "core/task.h"
#include "manager/ask.h"
#include "manager/entry.h"
#include "manager/queues.h"
#include "manager/tasks.h"
#include "util/clock.h"
#include "util/err.h"

#define CANCELLED "cancelled before it started"
/* Others may write deeper ones than a task can be. */
#define RECORD_DEPTH_MAX 2000

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

/* Members of a record that the end of its task sets. */
static const struct slice ends[] = {SLICE("status"), SLICE("error"),
				    SLICE("reason"), SLICE("finished_at")};

static int
copy_member(void *arg, const struct scan_value *key,
	    const struct scan_value *value, struct err *err)
{
	struct buf *out = arg;
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (slice_eq(key->text, ends[i]))
			return 0;
	/* What is not escaped, or is, stays so: both lie in one text. */
	buf_addc(out, '"');
	buf_add(out, key->text.p, key->text.len);
	buf_adds(out, "\":");
	if (value->type == SCAN_STRING)
		buf_add(out, value->text.p - 1, value->text.len + 2);
	else
		buf_add(out, value->text.p, value->text.len);
	buf_addc(out, ',');
	return 0;
}

/* Not printed from what was parsed of it: numbers keep their digits, and members
 * that are others' stay. */
static int
write_cancelled(struct slice stored, struct buf *out, struct err *err)
{
	struct buf repaired = BUF_INIT;
	int result;

	buf_addc(out, '{');
	result = scan_object(stored, RECORD_DEPTH_MAX, copy_member, out, err);
	if (result != 0) {
		buf_reset(out);
		buf_addc(out, '{');
		repair_json(stored, &repaired);
		result =
		    scan_object((struct slice){repaired.data, repaired.len},
				RECORD_DEPTH_MAX, copy_member, out, err);
		buf_done(&repaired);
	}
	buf_adds(out, "\"status\":\"failed\",\"reason\":\"cancelled\","
		      "\"error\":\"" CANCELLED "\"");
	write_time(out, WRITE_NEXT("finished_at"), clock_wall_us());
	write_end(out);
	if (out->failed)
		return err_nomem(err);
	return result;
}

/* The record of a task that was withdrawn: as it was, but failed. */
static int
store(struct flowrra_client *c, const char *id, struct slice stored,
      struct err *err)
{
	struct ask_put put = {.id = id};
	struct buf text = BUF_INIT;
	int result = write_cancelled(stored, &text, err);

	put.record = (struct slice){text.data, text.len};
	if (result == 0)
		result = ask_put_failed(c, &put, 1, err);
	buf_done(&text);
	if (result != 0)
		err_prefix(err, "task %s was removed from its queue, but", id);
	return result;
}

/* Takes it out of its queue, or of any if the record does not say which. */
static int
withdraw(struct flowrra_client *c, const char *id, const json_t *record,
	 bool *ret_found, struct err *err)
{
	const char *queue = entry_text(record, "queue");
	json_t *queues, *one;
	int result = 0;
	size_t i;

	*ret_found = false;
	if (queue != NULL)
		return ask_withdraw(c, queue, id, ret_found, err);
	if ((queues = queues_list(c, NULL, err)) == NULL)
		return -1;
	json_array_foreach (queues, i, one)
		if (result == 0 && !*ret_found)
			result = ask_withdraw(c, entry_text(one, "queue"), id,
					      ret_found, err);
	json_decref(queues);
	return result;
}

static bool
is_final(const json_t *record)
{
	const char *status = entry_text(record, "status");

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
	    (now = ask_record(c, id, err)) == NULL)
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
	const char *queue = entry_text(record, "queue");
	json_t *message = json_pack("{s:s,s:s}", "order", "cancel", "id", id);
	bool held;

	*ret_found = false;
	if (ask_order(c, message, err) != 0 ||
	    tasks_in_flight(c, queue, id, &held, err) != 0)
		return -1;
	if (held)
		return 0;
	if (withdraw(c, id, record, ret_found, err) != 0)
		return -1;
	return *ret_found ? 0 : find_lost(c, id, queue, ret_found, err);
}

/* The record, parsed and as it is stored. */
struct stored {
	json_t *record;
	struct buf text;
};

static int
cancel(struct flowrra_client *c, const char *id, struct stored *stored,
       const char **ret_outcome, struct err *err)
{
	const json_t *record = stored->record;
	const char *status = entry_text(record, "status");
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
	return found
		   ? store(c, id,
			   (struct slice){stored->text.data, stored->text.len},
			   err)
		   : 0;
}

json_t *
cancel_task(struct flowrra_client *c, const char *id, struct err *err)
{
	const char *outcome = NULL;
	struct stored stored = {.text = BUF_INIT};
	int result = -1;

	if (!task_id_valid(slice_of(id))) {
		err_set(err, ERR_DATA, "\"%.64s\" is not a valid task ID", id);
		return NULL;
	}
	stored.record = ask_record_text(c, id, &stored.text, err);
	if (json_is_null(stored.record))
		result =
		    err_set(err, ERR_NOT_FOUND, "no record of task %s", id);
	else if (stored.record != NULL)
		result = cancel(c, id, &stored, &outcome, err);
	json_decref(stored.record);
	buf_done(&stored.text);
	return result == 0
		   ? json_pack("{s:s,s:s}", "id", id, "outcome", outcome)
		   : NULL;
}
