/* SPDX-License-Identifier: MIT */
/*
 * Routes that submit tasks: one, with or without its result, and many, one a
 * line.
 *
 * A task is what request_read() takes, as on the command line. With an
 * Idempotency-Key the id is made of the key, so that a repetition, after a lost
 * answer or a restart, finds its task instead of making a second one.
 *
 * A batch is not one transaction: each line is queued or refused by itself, and
 * has an answer of its own, so that a client can send the refused ones again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "codec/scan.h"
#include "codec/task_json.h"
#include "flowrra/client.h"
#include "manager/member.h"
#include "manager/request.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/uuid.h"
#include "web/call.h"
#include "web/lists.h"
#include "web/own.h"

/* One message to the broker; see flowrra_batch. */
#define BATCH_LINES 256
/* Lines of a request: each has an answer, which may be longer than itself, and all
 * answers are in memory until the last line is done. */
#define LINES_MAX 100000
#define NDJSON_TYPE "application/x-ndjson; charset=utf-8"

/* For what the body does not say. */
static void
submit_take_trace(const struct web_call *call, struct flowrra_request *base)
{
	const struct web_trace trace = web_trace(call);

	base->traceparent = trace.parent;
	base->tracestate = trace.state;
}

/* --- a submitter's tasks ------------------------------------------------ */

/* The ID and the key of a submitter's request, with the prefix. */
struct submit_own {
	char id[FLOWRRA_ID_SIZE];
	struct buf unique;
};

static int
own_refuse(struct web_call *call, const struct flowrra_request *request,
	   struct err *err)
{
	web_status(call, 403);
	if (request->force)
		return err_set(err, ERR_REFUSED,
			       "force: a submitter submits registered tasks");
	/* A workflow is nobody's, and its steps read the results of any task. */
	if (request->flow != NULL)
		return err_set(err, ERR_REFUSED,
			       "flow: a submitter adds no steps to workflows");
	return own_refuse_task(call, request->name, err);
}

/* Unique keys get the prefix as well: a user who guesses the key of another must neither
 * block that user's task nor learn its ID. */
static int
own_take(struct web_call *call, struct submit_own *own,
	 struct flowrra_request *request, struct err *err)
{
	const char *prefix = web_own_prefix(call), *id = request->id;
	char uuid[UUID_TEXT_SIZE];

	if (prefix[0] == '\0')
		return 0;
	if (request->force || request->flow != NULL ||
	    !own_permits(web_conf(call), request->name))
		return own_refuse(call, request, err);
	if (id == NULL) {
		uuid_make(uuid);
		id = uuid;
	}
	/* The ID of an Idempotency-Key has its prefix already. */
	if (id != web_task_id(call)) {
		if ((id = web_own_id(call, id, err)) == NULL)
			return -1;
		snprintf(own->id, sizeof(own->id), "%s", id);
		request->id = own->id;
	}
	if (own_take_task(call, request->id, err) != 0)
		return -1;
	if (request->unique == NULL)
		return 0;
	buf_reset(&own->unique);
	buf_addf(&own->unique, "%s%s", prefix, request->unique);
	request->unique = own->unique.data;
	return own->unique.failed ? err_nomem(err) : 0;
}

/* --- one task ---------------------------------------------------------- */

/* The queue that it went into: its own, or that of the registration. */
static json_t *
submitted_json(struct web_call *call, const char *id,
	       const struct flowrra_request *request)
{
	struct flowrra_record *record = NULL;
	const char *queue = request->queue;
	json_t *answer;

	if (queue == NULL &&
	    flowrra_result(web_client(call), id, &record, NULL) == 0)
		queue = record->queue;
	answer = json_pack("{s:s,s:s?}", "task_id", id, "queue", queue);
	flowrra_record_free(record);
	return answer;
}

/* The record once it is final; else 201, as without waiting: the task is
 * queued, and its id is what the client needs. */
static int
submit_await(struct web_call *call, const char *id,
	     const struct flowrra_request *request, struct err *err)
{
	const double wait_s = web_seconds(call, "wait", 0);
	struct flowrra_record *record;
	json_t *json;

	if (wait_s <= 0 ||
	    flowrra_wait(web_client(call), id,
			 wait_s < WEB_WAIT_S ? wait_s : WEB_WAIT_S, &record,
			 NULL) != 0) {
		web_status(call, 201);
		return web_answer(call, submitted_json(call, id, request), err);
	}
	json = json_loads(record->json, JSON_ALLOW_NUL, NULL);
	flowrra_record_free(record);
	return web_answer(call, json, err);
}

/* An id that the key has given, and that is taken, was submitted before. */
static int
submit_one(struct web_call *call, const struct flowrra_request *request,
	   struct err *err)
{
	char id[FLOWRRA_ID_SIZE] = "";
	struct flowrra_error error;

	if (flowrra_submit(web_client(call), request, id, &error) != 0) {
		if (error.code != FLOWRRA_REFUSED || request->id == NULL ||
		    request->id != web_task_id(call)) {
			web_client_error(&error, err);
			return web_fault(call, request_field(err->msg), NULL,
					 err);
		}
		snprintf(id, sizeof(id), "%s", request->id);
	}
	web_audit(call, "task.submit", id, 1);
	return submit_await(call, id, request, err);
}

/* Where the text as a whole is wrong, text that is not JSON (400) is told from JSON
 * that is not an object (422). */
static int
submit_refused(struct web_call *call, const char *field, struct err *err)
{
	struct scan_value value;

	if (field == NULL &&
	    scan_check(web_body(call), TASK_DEPTH_MAX, &value, NULL) != 0)
		web_status(call, 400);
	return web_fault(call, field, NULL, err);
}

/* An ID in the body goes before that of the key: somebody has chosen it. */
static int
submit_run(struct web_call *call, struct err *err)
{
	struct flowrra_request base = FLOWRRA_REQUEST_INIT, request;
	struct submit_own own = {.unique = BUF_INIT};
	struct buf scratch = BUF_INIT;
	const char *field;
	int result;

	submit_take_trace(call, &base);
	if (request_read(web_body(call), &base, &scratch, &request, &field,
			 err) == 0) {
		if (request.id == NULL)
			request.id = web_task_id(call);
		result = own_take(call, &own, &request, err);
		if (result == 0)
			result = submit_one(call, &request, err);
	} else {
		result = submit_refused(call, field, err);
	}
	buf_done(&own.unique);
	buf_done(&scratch);
	return result;
}

/* --- many tasks -------------------------------------------------------- */

/* Lines of one batch, and why some are in none. */
struct submit_lines {
	struct web_call *call;
	struct flowrra_batch *batch;
	struct {
		size_t number;
		bool is_task;
		char field[32]; /* that the error is about; "": it says */
		struct err err;
	} lines[BATCH_LINES];
	size_t n;
	size_t number; /* of the last line, from 1 */
	int64_t queued;
	struct buf answers, scratch;
	struct submit_own own;
};

/* Each line is an answer of its own: what cannot be written does not take the
 * others along. */
static void
answer_line(struct submit_lines *s, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);

	buf_adds(&s->answers, text != NULL ? text : "{}");
	buf_addc(&s->answers, '\n');
	free(text);
	json_decref(line);
}

/* A problem as of a request of its own; its id is that of the whole. */
static void
answer_problem(struct submit_lines *s, size_t i, const struct err *err)
{
	const unsigned int status = web_status_of(err);
	const char *field = s->lines[i].field[0] != '\0'
				? s->lines[i].field
				: request_field(err->msg);

	answer_line(
	    s, json_pack("{s:I,s:{s:i,s:s,s:o,s:o,s:n}}", "line",
			 (json_int_t)s->lines[i].number, "error", "status",
			 (int)status, "code", web_code_of(status, err),
			 "detail", member_of_text(err->msg), "field",
			 field != NULL ? member_of_text(field) : json_null(),
			 "hint"));
}

/* In the order of the lines. What was sent is answered, whatever follows. */
static void
settle_lines(struct submit_lines *s)
{
	struct flowrra_error error;
	struct err err = ERR_INIT;
	size_t i, task = 0;

	if (flowrra_batch_count(s->batch) > 0 &&
	    flowrra_batch_send(s->batch, NULL) == 0)
		flowrra_batch_wait(s->batch, NULL);
	for (i = 0; i < s->n; i++) {
		if (!s->lines[i].is_task) {
			answer_problem(s, i, &s->lines[i].err);
		} else if (flowrra_batch_answer(s->batch, task++, &error) ==
			   0) {
			s->queued++;
			answer_line(
			    s,
			    json_pack("{s:I,s:s}", "line",
				      (json_int_t)s->lines[i].number, "task_id",
				      flowrra_batch_id(s->batch, task - 1)));
		} else {
			web_client_error(&error, &err);
			answer_problem(s, i, &err);
		}
	}
	s->n = 0;
	flowrra_batch_reset(s->batch);
}

/* Blank lines are passed over, but counted: the number is that of an editor. */
static void
add_line(struct submit_lines *s, struct slice text)
{
	struct flowrra_request base = FLOWRRA_REQUEST_INIT, request;
	struct err *err = &s->lines[s->n].err;
	char *ret_field = s->lines[s->n].field;
	struct flowrra_error error;
	const char *field;

	s->number++;
	while (text.len > 0 && strchr(" \t\r", text.p[text.len - 1]) != NULL)
		text.len--;
	if (text.len == 0)
		return;
	submit_take_trace(s->call, &base);
	s->lines[s->n].number = s->number;
	s->lines[s->n].is_task = false;
	*ret_field = '\0';
	err->code = ERR_NONE;
	if (request_read(text, &base, &s->scratch, &request, &field, err) !=
	    0) {
		/* Its name may be of the client's making: only if it fits. */
		if (field != NULL && strlen(field) < sizeof(s->lines->field))
			memcpy(ret_field, field, strlen(field) + 1);
	} else if (own_take(s->call, &s->own, &request, err) != 0) {
		/* The others of the batch are answered by themselves. */
		web_status(s->call, 200);
	} else if (flowrra_batch_add(s->batch, &request, &error) == 0) {
		s->lines[s->n].is_task = true;
	} else {
		web_client_error(&error, err);
	}
	if (++s->n == BATCH_LINES)
		settle_lines(s);
}

/* The lines after the limit were not looked at, and the client is told so. */
static void
refuse_rest(struct submit_lines *s)
{
	settle_lines(s);
	answer_line(s, json_pack("{s:i,s:{s:i,s:s,s:s}}", "line", LINES_MAX + 1,
				 "error", "status", 413, "code", "too_large",
				 "detail",
				 "this line and those after it were not "
				 "submitted; send them in another batch"));
}

/* A client that is gone gets no answer: what was sent is queued, the rest is
 * not. */
static void
add_lines(struct submit_lines *s, struct slice body)
{
	const char *end;
	size_t len;

	while (body.len > 0 && !web_stopped(s->call)) {
		if (s->number == LINES_MAX) {
			refuse_rest(s);
			return;
		}
		end = memchr(body.p, '\n', body.len);
		len = end != NULL ? (size_t)(end - body.p) : body.len;
		add_line(s, (struct slice){body.p, len});
		len += end != NULL;
		body = (struct slice){body.p + len, body.len - len};
	}
	settle_lines(s);
}

/* On the heap: errors of 256 lines are too much for a stack. */
static int
submit_run_batch(struct web_call *call, struct err *err)
{
	struct submit_lines *s = calloc(1, sizeof(*s));
	struct flowrra_error error;
	int result;

	if (s == NULL)
		return err_nomem(err);
	s->call = call;
	if (flowrra_batch_new(web_client(call), &s->batch, &error) != 0) {
		free(s);
		return web_client_error(&error, err);
	}
	add_lines(s, web_body(call));
	web_audit(call, "task.submit", "batch", s->queued);
	result = s->answers.failed
		     ? err_nomem(err)
		     : web_answer_bytes(call, NDJSON_TYPE, &s->answers);
	flowrra_batch_free(s->batch);
	buf_done(&s->own.unique);
	buf_done(&s->answers);
	buf_done(&s->scratch);
	free(s);
	return result;
}

/* --- the table --------------------------------------------------------- */

/* Members of the body stand here to be described: request_read() checks them. */
static const struct web_param submit_params[] = {
    {.name = "name",
     .type = WEB_TEXT,
     .in = WEB_BODY,
     .required = true,
     .help = "the name of a registered task"},
    LIST_BODY("args", WEB_JSON, "an array; empty by default"),
    LIST_BODY("kwargs", WEB_JSON, "an object; empty by default"),
    LIST_BODY("queue", WEB_TEXT, "that of the registration by default"),
    LIST_BODY("id", WEB_TEXT, "the ID; one is made up by default"),
    LIST_BODY("delay", WEB_SECONDS, "how long it is not begun"),
    LIST_BODY("at", WEB_TIME, "until then it is not begun"),
    LIST_QUERY("wait", WEB_SECONDS,
	       "wait for the end of the task, at most this long, and answer "
	       "its record; 60 s at most"),
    {.name = NULL}};

const struct web_route web_submit_routes[] = {
    {HTTP_POST, "/api/v1/tasks", WEB_OPERATOR,
     WEB_RAW_BODY | WEB_BIG_BODY | WEB_WAITS | WEB_OWN | WEB_SUBMITS,
     submit_params, submit_run,
     "Submits a task: {\"name\", \"args\", \"kwargs\", \"queue\", …}.",
     "201 {\"task_id\", \"queue\"}; with wait, 200 and the record of a task "
     "that "
     "has ended"},
    {HTTP_POST, "/api/v1/tasks/batch", WEB_OPERATOR,
     WEB_RAW_BODY | WEB_BIG_BODY | WEB_LINES | WEB_OWN | WEB_SUBMITS, NULL,
     submit_run_batch, "Submits many tasks, a JSON object on each line.",
     "for each line a line: {\"line\", \"task_id\"}, or {\"line\", \"error\"}"},
    WEB_ROUTES_END};
