/* SPDX-License-Identifier: MIT */
/* What the processes of a command ask of the worker, in the name of their task. */
#include "executor/task_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "executor/outbox.h"
#include "executor/submit.h"
#include "executor/task.h"
#include "util/err.h"
#include "util/uuid.h"

static json_t *
answer_error(int code, struct slice text)
{
	return json_pack("{s:i,s:s%}", "code",
			 err_exit_status((enum err_code)code), "error",
			 text.p != NULL ? text.p : "", text.len);
}

static json_t *
answer_of_err(const struct err *err)
{
	return answer_error((int)err->code, slice_of(err->msg));
}

/* --- submitting ---------------------------------------------------------- */

/* What the task's own process may not say is said here: which id the new task
 * has, unless one was asked for. Whose child it is, flowrrad says. */
static char *
request_task(json_t *j, char id[FLOWRRA_ID_SIZE])
{
	const char *given = json_string_value(json_object_get(j, "id"));

	json_object_set_new(j, "exclusive", json_boolean(given != NULL));
	if (given == NULL)
		uuid_make(id);
	else
		snprintf(id, FLOWRRA_ID_SIZE, "%s", given);
	json_object_set_new(j, "id", json_string(given != NULL ? given : id));
	return json_dumps(j, JSON_COMPACT);
}

static json_t *
on_submit(const struct task_caller *caller, json_t *j)
{
	char id[FLOWRRA_ID_SIZE];
	char *task = request_task(j, id);
	struct buf text = BUF_INIT;
	json_t *answer;
	int32_t code;

	if (task == NULL)
		return NULL;
	code = submits_ask(caller->env->submits, caller->number, slice_of(task),
			   &text);
	free(task);
	if (code != ERR_NONE)
		answer =
		    answer_error(code, (struct slice){text.data, text.len});
	else
		/* Another task, where a key says so. */
		answer =
		    json_pack("{s:s}", "id", text.len > 0 ? text.data : id);
	buf_done(&text);
	return answer;
}

/* --- workflows ----------------------------------------------------------- */

/* The worker does it; it goes the way of a task (dispatch/flow_ask.c). */
static json_t *
on_workflow(const struct task_caller *caller, json_t *j)
{
	struct buf text = BUF_INIT;
	json_t *answer;
	int32_t code;
	char *asked;

	json_object_del(j, "op");
	/* It would be taken for a task. */
	json_object_del(j, "name");
	if ((asked = json_dumps(j, JSON_COMPACT)) == NULL)
		return NULL;
	code = submits_ask(caller->env->submits, caller->number,
			   slice_of(asked), &text);
	free(asked);
	if (code != ERR_NONE)
		answer =
		    answer_error(code, (struct slice){text.data, text.len});
	else if (text.len > 0)
		answer = json_pack("{s:s%}", "state", text.data, text.len);
	else
		answer = json_object();
	buf_done(&text);
	return answer;
}

/* --- waiting ------------------------------------------------------------- */

/* The record goes as text, so that it comes out as it is stored. */
static json_t *
answer_of_wait(const char *id, const struct submits_answer *a)
{
	json_t *answer;

	if (a->code != ERR_NONE) {
		answer = answer_error(
		    a->code, a->text.len > 0
				 ? (struct slice){a->text.data, a->text.len}
				 : SLICE("the worker is stopping"));
		json_object_set_new(answer, "id", json_string(id));
		return answer;
	}
	answer = json_pack("{s:s,s:s%}", "id", id, "record", a->text.data,
			   a->text.len);
	return answer != NULL
		   ? answer
		   : answer_error(ERR_DATA,
				  SLICE("the record of the task is not UTF-8"));
}

static json_t *
ask_to_wait(const struct task_caller *caller, const char *const *ids, size_t n,
	    int64_t timeout_us, bool now)
{
	const struct submits_wait wait = {.task = caller->number,
					  .ids = ids,
					  .n = n,
					  .timeout_us = timeout_us,
					  .now = now,
					  .fd = caller->fd};
	struct submits_answer answer;
	json_t *reply;
	int r;

	if (!caller->wait_begins(caller->arg))
		return answer_error(ERR_FULL,
				    SLICE("too many processes of commands "
					  "wait for tasks already"));
	r = submits_wait(caller->env->submits, &wait, &answer);
	caller->wait_ends(caller->arg);
	if (r != 0)
		return NULL;
	reply = answer_of_wait(ids[answer.which], &answer);
	buf_done(&answer.text);
	return reply;
}

/* A number that is no time: without end, as no number at all. */
static int64_t
wait_timeout(const json_t *j)
{
	const json_t *given = json_object_get(j, "timeout");
	const double s = json_is_number(given) ? json_number_value(given) : -1;

	return s >= 0 && s <= TASK_DURATION_MAX_S ? (int64_t)(s * 1e6) : -1;
}

static json_t *
on_wait(const struct task_caller *caller, json_t *j)
{
	const json_t *given = json_object_get(j, "ids"), *one;
	const char *ids[TASK_REQUEST_IDS_MAX];
	struct err err;
	size_t i;

	if (json_array_size(given) == 0 ||
	    json_array_size(given) > TASK_REQUEST_IDS_MAX) {
		err_set(&err, ERR_USAGE,
			"ids is not an array of 1 to %d IDs of tasks",
			TASK_REQUEST_IDS_MAX);
		return answer_of_err(&err);
	}
	json_array_foreach (given, i, one)
		if ((ids[i] = json_string_value(one)) == NULL)
			return answer_error(ERR_USAGE,
					    SLICE("ids: not a string"));
	return ask_to_wait(caller, ids, i, wait_timeout(j), false);
}

static json_t *
on_result(const struct task_caller *caller, json_t *j)
{
	const char *id = json_string_value(json_object_get(j, "id"));

	if (id == NULL)
		return answer_error(ERR_USAGE, SLICE("id is not a string"));
	return ask_to_wait(caller, &id, 1, -1, true);
}

/* --- progress ------------------------------------------------------------ */

/* Limited as a result is. */
static json_t *
on_progress(const struct task_caller *caller, json_t *j)
{
	const uint32_t max = caller->env->max_result;
	const json_t *value = json_object_get(j, "value");
	char *text = value != NULL
			 ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY)
			 : NULL;
	struct outbox_frame frame = {.type = IPC_PROGRESS,
				     .task = caller->number};
	struct err err;

	if (text == NULL)
		return answer_error(ERR_USAGE, SLICE("value is missing"));
	frame.rest = slice_of(text);
	if (frame.rest.len > max) {
		err_set(&err, ERR_DATA,
			"the progress has %zu bytes, more than %u ([executor] "
			"max_result_size)",
			frame.rest.len, max);
		free(text);
		return answer_of_err(&err);
	}
	outbox_wait(caller->env->outbox);
	outbox_put(caller->env->outbox, &frame, true);
	free(text);
	return json_object();
}

/* --- all ----------------------------------------------------------------- */

/* Without a name it is a task. */
static const struct {
	const char *name;
	json_t *(*run)(const struct task_caller *caller, json_t *j);
} ops[] = {
    {"wait", on_wait},
    {"result", on_result},
    {"workflow", on_workflow},
    {"progress", on_progress},
};
#define N_OPS (sizeof(ops) / sizeof(ops[0]))

static json_t *
request_run(const struct task_caller *caller, json_t *j)
{
	const json_t *name = json_object_get(j, "op");
	size_t i;

	if (name == NULL)
		return on_submit(caller, j);
	for (i = 0; i < N_OPS; i++)
		if (json_is_string(name) &&
		    strcmp(json_string_value(name), ops[i].name) == 0)
			return ops[i].run(caller, j);
	return answer_error(ERR_USAGE,
			    SLICE("the worker does not know this request"));
}

json_t *
task_request(const struct task_caller *caller, struct slice line)
{
	json_error_t why;
	json_t *j = json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, &why);
	json_t *answer;
	struct err err;

	if (json_is_object(j)) {
		answer = request_run(caller, j);
	} else {
		err_set(&err, ERR_DATA, "the request is not a JSON object: %s",
			j == NULL ? why.text : "it is of another type");
		answer = answer_of_err(&err);
	}
	json_decref(j);
	return answer;
}
