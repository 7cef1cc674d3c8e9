/* SPDX-License-Identifier: MIT */
/* Routes of the workflows: how they stand, and what may be done to one. */
#include <stdlib.h>
#include <string.h>

#include "manager/flow_file.h"
#include "manager/flows.h"
#include "manager/flows_submit.h"
#include "util/err.h"
#include "util/uuid.h"
#include "web/call.h"
#include "web/lists.h"

#define LIST_STANDARD 50
#define LIST_MAX 1000
#define STEPS_STANDARD 1000
#define STEPS_MAX 10000

/* What is wrong with a question about one workflow is its ID. */
static int
workflows_failed(struct web_call *call, struct err *err)
{
	return web_fault(call, err->code == ERR_DATA ? "workflow" : NULL, NULL,
			 err);
}

/* --- looking ----------------------------------------------------------- */

static int
workflows_get_all(struct web_call *call, struct err *err)
{
	bool more = false;
	json_t *list = flows_list(web_client(call),
				  (size_t)web_int(call, "limit", LIST_STANDARD),
				  &more, err);

	if (list == NULL)
		return -1;
	return web_answer(
	    call, json_pack("{s:o,s:b}", "items", list, "more", (int)more),
	    err);
}

static int
workflows_get_one(struct web_call *call, struct err *err)
{
	const char *id = web_text(call, "workflow");
	json_t *flow = flows_get(web_client(call), id, err), *steps;
	bool more = false;

	if (flow == NULL)
		return workflows_failed(call, err);
	steps = flows_graph(web_client(call), id,
			    (size_t)web_int(call, "steps", STEPS_STANDARD),
			    &more, err);
	if (steps == NULL) {
		json_decref(flow);
		return workflows_failed(call, err);
	}
	json_object_set_new(flow, "tasks", steps);
	json_object_set_new(flow, "more", json_boolean(more));
	return web_answer(call, flow, err);
}

/* --- changing ---------------------------------------------------------- */

typedef json_t *change_fn(struct flowrra_client *c, const char *id,
			  struct err *err);

static int
workflows_change(struct web_call *call, const char *action, change_fn *change,
		 struct err *err)
{
	const char *id = web_text(call, "workflow");
	json_t *answer;

	web_audit(call, action, id, 1);
	answer = change(web_client(call), id, err);
	return answer != NULL ? web_answer(call, answer, err)
			      : workflows_failed(call, err);
}

static int
workflows_seal(struct web_call *call, struct err *err)
{
	return workflows_change(call, "workflow.seal", flows_seal, err);
}

static int
workflows_cancel(struct web_call *call, struct err *err)
{
	return workflows_change(call, "workflow.cancel", flows_cancel, err);
}

static int
workflows_retry(struct web_call *call, struct err *err)
{
	return workflows_change(call, "workflow.retry", flows_retry, err);
}

/* --- submitting -------------------------------------------------------- */

/* What is wrong with the steps, as far as a problem has room for it. */
struct mistakes {
	const struct flow_file *file;
	struct buf text;
};

static void
mistakes_add(struct mistakes *m, int line, const char *text)
{
	if (m->text.len > 0)
		buf_adds(&m->text, "; ");
	if (line > 0)
		buf_addf(&m->text, "line %d: ", line);
	buf_adds(&m->text, text);
}

static void
on_mistake(void *arg, int line, const char *text)
{
	mistakes_add(arg, line, text);
}

static void
on_refused(void *arg, size_t step, const char *why)
{
	struct mistakes *m = arg;
	struct err e;

	err_set(&e, ERR_DATA, "step \"%s\": %s", m->file->steps[step].name,
		why);
	mistakes_add(m, m->file->steps[step].line, e.msg);
}

static int
mistakes_tell(const struct mistakes *m, struct err *err)
{
	return m->text.len > 0 && !m->text.failed
		   ? err_set(err, err->code, "%s", m->text.data)
		   : -1;
}

static int
workflows_submit_text(struct web_call *call, const char *text, const char *id,
		      struct err *err)
{
	struct flowrra_request base = FLOWRRA_REQUEST_INIT;
	const struct web_trace trace = web_trace(call);
	const struct flows_begin begin = {.id = id};
	struct flow_file file = {.n = 0};
	struct mistakes mistakes = {.file = &file, .text = BUF_INIT};
	const struct flows_submission s = {
	    .begin = &begin, .refused = on_refused, .arg = &mistakes};
	int r;

	base.traceparent = trace.parent;
	base.tracestate = trace.state;
	r = flow_file_read(&file, text, id, &base, on_mistake, &mistakes, err);
	if (r == 0)
		r = flows_submit_file(web_client(call), &file, &s, err);
	if (r != 0)
		r = mistakes_tell(&mistakes, err);
	web_audit(call, "workflow.submit", id, (int64_t)file.n);
	flow_file_done(&file);
	buf_done(&mistakes.text);
	return r;
}

/* The ID may be given, so that a client that got no answer can ask again: then it is
 * refused as being in use. */
static int
workflows_submit(struct web_call *call, struct err *err)
{
	const struct slice body = web_body(call);
	const char *id = web_text(call, "id");
	char made[UUID_TEXT_SIZE];
	char *text = strndup(body.p != NULL ? body.p : "", body.len);
	int r;

	if (text == NULL)
		return err_nomem(err);
	if (id == NULL) {
		uuid_make(made);
		id = made;
	}
	r = flow_id_valid(slice_of(id))
		? workflows_submit_text(call, text, id, err)
		: err_set(err, ERR_DATA,
			  "\"%.64s\" is not a valid ID of a workflow", id);
	free(text);
	if (r != 0)
		return -1;
	web_status(call, 201);
	return web_answer(call, json_pack("{s:s}", "workflow", id), err);
}

/* --- the table --------------------------------------------------------- */

static const struct web_param list_params[] = {
    {.name = "limit",
     .type = WEB_INT,
     .in = WEB_QUERY,
     .min = 1,
     .max = LIST_MAX,
     .help = "at most this many; 50 by default"},
    {.name = NULL}};
static const struct web_param one_params[] = {
    LIST_PATH("workflow", "the ID of a workflow"),
    {.name = "steps",
     .type = WEB_INT,
     .in = WEB_QUERY,
     .min = 0,
     .max = STEPS_MAX,
     .help = "at most this many steps; 1000 by default"},
    {.name = NULL}};
static const struct web_param change_params[] = {
    LIST_PATH("workflow", "the ID of a workflow"), {.name = NULL}};
static const struct web_param submit_params[] = {
    LIST_QUERY("id", WEB_TEXT, "its ID; one is made up by default"),
    {.name = NULL}};

const struct web_route web_workflows_routes[] = {
    {HTTP_GET, "/api/v1/workflows", WEB_VIEWER, 0, list_params,
     workflows_get_all, "Lists the workflows that were begun last.",
     "{\"items\": [workflow], \"more\"}: each with its label, its state, and "
     "how many of its steps wait, are released, and have ended how"},
    {HTTP_GET, "/api/v1/workflows/{workflow}", WEB_VIEWER, 0, one_params,
     workflows_get_one, "Describes a workflow and its steps.",
     "the workflow with \"tasks\": [step], each behind those that it comes "
     "after, and \"more\""},
    {HTTP_POST, "/api/v1/workflows", WEB_OPERATOR,
     WEB_RAW_BODY | WEB_BIG_BODY | WEB_LINES | WEB_SUBMITS, submit_params,
     workflows_submit,
     "Submits a workflow as a whole: {\"label\", \"on_failure\", \"life\", "
     "\"steps\": [task]}, the steps alone, or a step on each line.",
     "201 {\"workflow\": id}"},
    {HTTP_POST, "/api/v1/workflows/{workflow}/seal", WEB_OPERATOR, 0,
     change_params, workflows_seal,
     "Seals a workflow: it gets no more steps from outside.",
     "{\"workflow\", \"state\"}"},
    {HTTP_POST, "/api/v1/workflows/{workflow}/cancel", WEB_OPERATOR, 0,
     change_params, workflows_cancel,
     "Cancels a workflow: no step that waits runs any more.",
     "{\"workflow\", \"state\"}"},
    {HTTP_POST, "/api/v1/workflows/{workflow}/retry", WEB_OPERATOR, 0,
     change_params, workflows_retry,
     "Puts the failed steps of a workflow back into their queues.",
     "{\"workflow\", \"retried\", \"refused\", \"gone\"}"},
    WEB_ROUTES_END};
