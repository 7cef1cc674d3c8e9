/* SPDX-License-Identifier: MIT */
/*
 * Routes of the tasks: lists by their state, and one task.
 *
 * A task may be in a queue, with a worker, among the dead, or a record alone; the
 * manager looks in all of these places, and the routes here make one shape of it.
 * An operator's word is never taken for done: what a worker has to do first is
 * answered as "ordered".
 */
#include "manager/tasks.h"

#include <stdlib.h>
#include <string.h>

#include "client/record.h"
#include "flowrra/client.h"
#include "manager/cancel.h"
#include "manager/member.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/lists.h"

/* As the pages call them. The first one is the default: what waits is what people
 * look for when they come without a question. */
static const struct {
	const char *name;
	enum tasks_state state;
} task_states[] = {
    {"pending", TASKS_WAITING},	  {"delayed", TASKS_DELAYED},
    {"running", TASKS_RUNNING},	  {"retrying", TASKS_RETRYING},
    {"success", TASKS_COMPLETED}, {"failed", TASKS_FAILED},
};
#define N_STATES (sizeof(task_states) / sizeof(task_states[0]))

/* --- lists ------------------------------------------------------------- */

/* An unknown state is an error that names all states, not an empty list. */
static int
tasks_read_state(struct web_call *call, enum tasks_state *ret, struct err *err)
{
	const char *name = web_text(call, "state");
	size_t i;

	for (i = 0; i < N_STATES; i++)
		if (name == NULL || strcmp(name, task_states[i].name) == 0) {
			*ret = task_states[i].state;
			return 0;
		}
	err_set(err, ERR_USAGE, "state: unknown state \"%.64s\"", name);
	return web_fault(call, "state",
			 "pending, delayed, running, retrying, success or "
			 "failed",
			 err);
}

/* The place where a page ends would reveal the arguments of others' tasks. */
static int
tasks_check_own(struct web_call *call, const struct task_filter *filter,
		struct err *err)
{
	if (web_own_prefix(call)[0] == '\0' ||
	    (filter->n_args == 0 && filter->error == NULL))
		return 0;
	web_status(call, 403);
	return err_set(err, ERR_REFUSED,
		       "a submitter cannot search arguments and errors");
}

/* Removes the tasks of others from a submitter's list. They count as looked at, and the
 * next step may find more. Returns the list, which may be NULL. */
static json_t *
tasks_own(struct web_call *call, json_t *list)
{
	const char *prefix = web_own_prefix(call), *id;
	json_t *items = json_object_get(list, "items");
	size_t i;

	if (prefix[0] == '\0')
		return list;
	for (i = json_array_size(items); i-- > 0;) {
		id = member_text(json_array_get(items, i), "task_id");
		if (id == NULL || strncmp(id, prefix, strlen(prefix)) != 0)
			json_array_remove(items, i);
	}
	return list;
}

/* One step. The page goes on by itself, or asks its user, where it is not
 * complete. */
static int
tasks_get_list(struct web_call *call, struct err *err)
{
	struct page_query query = lists_read_page(call);
	struct lists_filter filter = {.tasks = {.queue = NULL}};
	enum tasks_state state = TASKS_WAITING;

	if (tasks_read_state(call, &state, err) != 0 ||
	    lists_read_filter(call, &filter, err) != 0 ||
	    tasks_check_own(call, &filter.tasks, err) != 0)
		return -1;
	return lists_answer(
	    call, &query,
	    tasks_own(call, tasks_page(web_client(call), state, &filter.tasks,
				       &query, err)),
	    err);
}

/* --- one task ---------------------------------------------------------- */

/* The attempt that the record tells of, unless the history ends with it. */
static json_t *
last_attempt(const json_t *record, const json_t *history)
{
	const json_t *last =
	    json_array_get(history, json_array_size(history) - 1);
	const json_int_t number =
	    json_integer_value(json_object_get(record, "attempts"));

	if (member_text(record, "started_at") == NULL ||
	    (last != NULL &&
	     json_integer_value(json_object_get(last, "attempt")) >= number))
		return NULL;
	return json_pack("{s:I,s:O?,s:O?,s:O?,s:O?,s:O?}", "attempt",
			 number > 0 ? number : 1, "started_at",
			 json_object_get(record, "started_at"), "finished_at",
			 json_object_get(record, "finished_at"), "worker",
			 json_object_get(record, "worker"), "reason",
			 json_object_get(record, "reason"), "error",
			 json_object_get(record, "error"));
}

/* All attempts in one form: those of the history, and the one that the record tells
 * of. Copies, so that each can get the members that it lacks. */
static json_t *
attempts_of(const json_t *task)
{
	const json_t *record = json_object_get(task, "record");
	const json_t *history = json_object_get(task, "attempts");
	json_t *attempts = json_array(), *one;
	size_t i;

	json_array_foreach (history, i, one)
		if (json_is_object(one))
			json_array_append_new(attempts, json_copy(one));
	if ((one = last_attempt(record, history)) != NULL)
		json_array_append_new(attempts, one);
	json_array_foreach (attempts, i, one)
		if (json_object_get(one, "output") == NULL)
			json_object_set_new(one, "output", json_null());
	return attempts;
}

/* The task of a fire has an id that says so: "report:20261123T090000Z". */
static json_t *
schedule_of(const char *id)
{
	static const char form[] = "dddddddd.dddddd";
	const char *colon = strrchr(id, ':'), *p;
	char text[CLOCK_TEXT_SIZE];
	json_t *fire_at;
	int64_t us;
	size_t i;

	if (colon == NULL || colon == id || strlen(colon + 1) < 16)
		return json_null();
	for (i = 0, p = colon + 1; form[i] != '\0'; i++, p++)
		if (form[i] == 'd' ? *p < '0' || *p > '9' : *p != 'T')
			return json_null();
	snprintf(text, sizeof(text), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s%s",
		 colon + 1, colon + 5, colon + 7, colon + 10, colon + 12,
		 colon + 14, colon + 16);
	if (clock_parse(text, &us, NULL) != 0)
		return json_null();
	fire_at = member_of_time(us);
	return json_pack("{s:s%,s:o}", "id", id, (size_t)(colon - id),
			 "fire_at", fire_at);
}

/* Bytes that could not be read as a task stand at the top, where the page looks. */
static int
lift_bytes(json_t *task)
{
	static const char *const names[] = {"bytes", "bytes_base64"};
	const json_t *entry = json_object_get(task, "entry");
	json_t *value;
	int status = 0;
	size_t i;

	for (i = 0; i < 2; i++)
		if ((value = json_object_get(entry, names[i])) != NULL)
			status |= json_object_set(task, names[i], value);
	return status;
}

/* A task is looked for where its record says that it is, or among some of the
 * newest of each queue; where it is not found there, "where" or the error says so
 * rather than to scan on. */
static int
tasks_get_one(struct web_call *call, struct err *err)
{
	const char *id = web_own_id(call, web_text(call, "id"), err);
	json_t *task = id != NULL ? tasks_show(web_client(call), id,
					       TASKS_DEPTH_QUICK, err)
				  : NULL;
	int status;

	if (task == NULL)
		return web_fault(call, NULL,
				 err->code == ERR_NOT_FOUND
				     ? "flowrractl tasks show --depth N ID "
				       "looks at more"
				     : NULL,
				 err);
	status = json_object_set_new(task, "attempts", attempts_of(task));
	status |= json_object_set_new(task, "schedule", schedule_of(id));
	status |= lift_bytes(task);
	if (status == 0)
		return web_answer(call, task, err);
	json_decref(task);
	return err_nomem(err);
}

/* As the task has written it: numbers keep their digits. */
static int
tasks_get_result(struct web_call *call, struct err *err)
{
	const char *id = web_own_id(call, web_text(call, "id"), err);
	struct buf text = BUF_INIT;
	struct flowrra_record *record;
	int result = 0;

	if (id == NULL || record_fetch(web_client(call), id, &record, err) != 0)
		return -1;
	if (record->state == FLOWRRA_SUCCESS) {
		buf_adds(&text,
			 record->result != NULL ? record->result : "null");
		result = text.failed ? err_nomem(err)
				     : web_answer_bytes(call,
							"application/json; "
							"charset=utf-8",
							&text);
	} else if (record->state == FLOWRRA_FAILED) {
		result =
		    err_set(err, ERR_REFUSED, "task %s has failed: %.400s", id,
			    record->error != NULL ? record->error : "");
	} else {
		result =
		    err_set(err, ERR_REFUSED, "task %s has not finished", id);
	}
	flowrra_record_free(record);
	buf_done(&text);
	return result;
}

static int
tasks_answer_record(struct web_call *call, const struct flowrra_record *record,
		    struct err *err)
{
	struct buf text = BUF_INIT;

	buf_adds(&text, record->json);
	return text.failed
		   ? err_nomem(err)
		   : web_answer_bytes(call, "application/json; charset=utf-8",
				      &text);
}

static int
tasks_get_record(struct web_call *call, struct err *err)
{
	const char *id = web_own_id(call, web_text(call, "id"), err);
	struct flowrra_record *record;
	int result;

	if (id == NULL || record_fetch(web_client(call), id, &record, err) != 0)
		return -1;
	result = tasks_answer_record(call, record, err);
	flowrra_record_free(record);
	return result;
}

/* A task that has not ended by then is no failure: its record says so. */
static int
tasks_get_end(struct web_call *call, struct err *err)
{
	const char *id = web_own_id(call, web_text(call, "id"), err);
	const double wait_s = web_seconds(call, "timeout", WEB_WAIT_S);
	struct flowrra_record *record;
	struct flowrra_error error;
	int result;

	if (id == NULL)
		return -1;
	if (flowrra_wait(web_client(call), id,
			 wait_s < WEB_WAIT_S ? wait_s : WEB_WAIT_S, &record,
			 &error) != 0)
		return error.code == FLOWRRA_TIMEOUT
			   ? tasks_get_record(call, err)
			   : web_client_error(&error, err);
	result = tasks_answer_record(call, record, err);
	flowrra_record_free(record);
	return result;
}

/* --- changes ----------------------------------------------------------- */

/* "ordered" is an answer, too: the worker ends it when it can, and the record tells
 * what came of it. */
static int
tasks_run_cancel(struct web_call *call, struct err *err)
{
	const char *id = web_own_id(call, web_text(call, "id"), err);
	json_t *answer;

	if (id == NULL)
		return -1;
	web_audit(call, "task.cancel", id, 1);
	answer = cancel_task(web_client(call), id, err);
	/* As all that is done to a task; "id" is what flowrractl prints. */
	if (answer != NULL)
		json_object_set(answer, "task_id",
				json_object_get(answer, "id"));
	return web_answer(call, answer, err);
}

/* Only what is on the dead list has its bytes still. Another task can be submitted
 * again from its record, which is another request (resubmit on the page). */
static int
tasks_run_retry(struct web_call *call, struct err *err)
{
	const char *id = web_text(call, "id");

	web_audit(call, "task.retry", id, 1);
	return web_answer(call, tasks_retry(web_client(call), id, err), err);
}

/* It is not moved in front, but made due now: it stands behind those that wait
 * already. */
static int
tasks_run_now(struct web_call *call, struct err *err)
{
	const char *id = web_text(call, "id");

	web_audit(call, "task.run", id, 1);
	return web_answer(call, tasks_run(web_client(call), id, err), err);
}

/* A task that has not ended must be cancelled first: its worker has to know. */
static int
tasks_run_delete(struct web_call *call, struct err *err)
{
	const char *id = web_text(call, "id");

	web_audit(call, "task.delete", id, 1);
	return web_answer(call, tasks_delete(web_client(call), id, err), err);
}

/* --- the table --------------------------------------------------------- */

static const struct web_param task_list_params[] = {
    LIST_QUERY("state", WEB_TEXT,
	       "pending (the default), delayed, running, retrying, success or "
	       "failed"),
    FILTER_PARAMS,
    LIST_PARAMS,
    {.name = NULL}};
static const struct web_param task_params[] = {
    LIST_PATH("id", "the ID of a task"), {.name = NULL}};
static const struct web_param task_wait_params[] = {
    LIST_PATH("id", "the ID of a task"),
    LIST_QUERY("timeout", WEB_SECONDS,
	       "wait at most this long; 60 s by default "
	       "and at most"),
    {.name = NULL}};

const struct web_route web_tasks_routes[] = {
    {HTTP_GET, "/api/v1/tasks", WEB_VIEWER, WEB_OWN, task_list_params,
     tasks_get_list,
     "Lists tasks of a state; looks at 10,000, or for 25 ms, at most.",
     "a list: {\"items\": [task], \"next\", \"complete\", \"looked_at\"}"},
    {HTTP_GET, "/api/v1/tasks/{id}", WEB_VIEWER, WEB_OWN, task_params,
     tasks_get_one, "Tells all that is known of a task.",
     "{\"task_id\", \"where\", \"queue\", \"record\", \"entry\", "
     "\"attempts\", \"schedule\"}"},
    {HTTP_GET, "/api/v1/tasks/{id}/record", WEB_VIEWER, WEB_OWN, task_params,
     tasks_get_record, "Gives the record of a task.",
     "{\"task_id\", \"status\", \"result\", \"error\", …}"},
    {HTTP_GET, "/api/v1/tasks/{id}/wait", WEB_VIEWER, WEB_OWN | WEB_WAITS,
     task_wait_params, tasks_get_end,
     "Waits for the end of a task, and gives its record.",
     "the record, also if the task has not ended yet"},
    {HTTP_GET, "/api/v1/tasks/{id}/result", WEB_VIEWER, WEB_OWN, task_params,
     tasks_get_result, "Gives the result of a task.",
     "the JSON that the task returned"},
    {HTTP_POST, "/api/v1/tasks/{id}/cancel", WEB_OPERATOR, WEB_OWN, task_params,
     tasks_run_cancel, "Cancels a task that has not finished.",
     "{\"task_id\", \"id\", \"outcome\": \"cancelled\" or \"ordered\"}"},
    {HTTP_POST, "/api/v1/tasks/{id}/retry", WEB_OPERATOR, 0, task_params,
     tasks_run_retry, "Puts a dead task back into its queue.",
     "{\"task_id\", \"outcome\": \"retried\"}"},
    {HTTP_POST, "/api/v1/tasks/{id}/run", WEB_OPERATOR, 0, task_params,
     tasks_run_now,
     "Makes a delayed task, or one that is to be retried, due now.",
     "{\"task_id\", \"outcome\": \"due\"}"},
    {HTTP_DELETE, "/api/v1/tasks/{id}", WEB_OPERATOR, 0, task_params,
     tasks_run_delete, "Deletes a dead task, or a final record.",
     "{\"task_id\", \"outcome\": \"deleted\"}"},
    WEB_ROUTES_END};
