/* SPDX-License-Identifier: MIT */
/* One task: a delayed one is due now; one that has ended runs once more, or its
 * traces go. */
#include <string.h>

#include "client/put.h"
#include "core/task.h"
#include "manager/dead.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "manager/tasks.h"
#include "store/results.h"
#include "util/err.h"

/* What became of one on the dead list: 1; 0 if it is not there; -1 with
 * *err. */
static int
change_dead(struct flowrra_client *c, const char *id, bool retry,
	    struct err *err)
{
	const struct dead_change change = {.filter = {.ids = &id, .n_ids = 1},
					   .retry = retry};
	json_t *answer = dead_change(c, &change, err);
	const json_t *one = json_array_get(json_object_get(answer, "tasks"), 0);
	const char *outcome = member_text(one, "outcome");
	const char *why = member_text(one, "message");
	int result = outcome != NULL && strcmp(outcome, "gone") != 0;

	if (answer == NULL)
		return -1;
	if (outcome != NULL && strcmp(outcome, "refused") == 0)
		result = err_set(err, ERR_REFUSED, "task %.200s: %s", id,
				 why != NULL ? why : "refused");
	json_decref(answer);
	return result;
}

/* The same shape for all that is done to one task. */
static json_t *
outcome_of(const char *id, const char *outcome)
{
	return json_pack("{s:s,s:s}", "task_id", id, "outcome", outcome);
}

/* That there is such a task is another mistake than a wrong ID. */
static void
explain_not_dead(struct flowrra_client *c, const char *id, struct err *err)
{
	json_t *record =
	    task_id_valid(slice_of(id)) ? query_record(c, id, err) : NULL;
	const char *status = member_text(record, "status");

	if (status != NULL)
		err_set(err, ERR_REFUSED,
			"task %.200s is not on the dead list; its status is "
			"%.32s",
			id, status);
	else
		err_set(err, ERR_NOT_FOUND, "no dead task with ID %.200s", id);
	json_decref(record);
}

/* By its ID, or by its key where it could not be read. With a filter of one ID
 * it is the change of many that flowrractl and the pages make. */
json_t *
tasks_retry(struct flowrra_client *c, const char *id, struct err *err)
{
	const int found = change_dead(c, id, true, err);

	if (found == 0)
		explain_not_dead(c, id, err);
	return found > 0 ? outcome_of(id, "retried") : NULL;
}

/* --- running now -------------------------------------------------------- */

/* In the queue that its record names, which is where most are, else in all. */
static int
hasten_somewhere(struct flowrra_client *c, const char *id, const char *first,
		 struct err *err)
{
	json_t *queues, *queue;
	int found = 0;
	size_t i;

	if (first != NULL && (found = query_hasten(c, first, id, err)) != 0)
		return found;
	if ((queues = queues_list(c, NULL, err)) == NULL)
		return -1;
	json_array_foreach (queues, i, queue)
		if (found == 0 &&
		    json_integer_value(json_object_get(queue, "delayed")) > 0)
			found = query_hasten(c, member_text(queue, "queue"), id,
					     err);
	json_decref(queues);
	return found;
}

/* The record is asked first: a queue is searched for what is known only. */
json_t *
tasks_run(struct flowrra_client *c, const char *id, struct err *err)
{
	json_t *record;
	int found = -1;

	if (!task_id_valid(slice_of(id))) {
		err_set(err, ERR_DATA, "\"%.64s\" is not a valid task ID", id);
		return NULL;
	}
	if ((record = query_record(c, id, err)) == NULL)
		return NULL;
	if (json_is_null(record))
		err_set(err, ERR_NOT_FOUND, "no record of task %.200s", id);
	else
		found =
		    hasten_somewhere(c, id, member_text(record, "queue"), err);
	json_decref(record);
	if (found == 0)
		err_set(err, ERR_REFUSED, "task %.200s is not delayed", id);
	return found > 0 ? outcome_of(id, "due") : NULL;
}

/* --- deleting ---------------------------------------------------------- */

/* results_forget() has no answer; put_flush() waits until it was carried
 * out. */
static void
send_forget(struct query *q)
{
	results_forget(q->client->results, &q->key, 1);
	query_end(q, NULL);
}

/* 0 once the store has carried it out: a reader who asks next finds no
 * record. */
static int
delete_record(struct flowrra_client *c, const char *id, struct err *err)
{
	struct query q = {.client = c,
			  .of_results = true,
			  .send = send_forget,
			  .key = slice_of(id)};

	if (query_run(&q, err) != 0)
		return -1;
	put_flush(c);
	return 0;
}

/* 1: there is a final one, 0: there is none; -1 with *err. */
static int
check_record(struct flowrra_client *c, const char *id, struct err *err)
{
	json_t *record = query_record(c, id, err);
	const char *status = member_text(record, "status");
	int result = 0;

	if (record == NULL)
		return -1;
	if (!json_is_null(record))
		result = status != NULL && (strcmp(status, "success") == 0 ||
					    strcmp(status, "failed") == 0)
			     ? 1
			     : err_set(err, ERR_REFUSED,
				       "task %.200s has not ended; cancel it "
				       "first",
				       id);
	json_decref(record);
	return result;
}

/* The record first: one that says that the task waits is of a retry that was
 * made meanwhile, and the dead list has it no more. */
json_t *
tasks_delete(struct flowrra_client *c, const char *id, struct err *err)
{
	int recorded = 0, dead;

	if (task_id_valid(slice_of(id)) &&
	    (recorded = check_record(c, id, err)) < 0)
		return NULL;
	if ((dead = change_dead(c, id, false, err)) < 0)
		return NULL;
	if (recorded == 0 && dead == 0) {
		err_set(err, ERR_NOT_FOUND,
			"no record of task %.200s, and no dead task with that "
			"ID",
			id);
		return NULL;
	}
	if (recorded > 0 && delete_record(c, id, err) != 0)
		return NULL;
	return outcome_of(id, "deleted");
}
