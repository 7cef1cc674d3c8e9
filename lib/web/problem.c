/* SPDX-License-Identifier: MIT */
/* Errors as answers: application/problem+json. What a store or the system says
 * from 500 on may name paths and servers, so it goes to the log only. */
#include <string.h>

#include "util/log.h"
#include "web/call.h"
#include "web/mask.h"

static const struct {
	unsigned int status;
	const char *code;
} problem_codes[] = {{400, "bad_request"},
		     {401, "unauthorized"},
		     {403, "forbidden"},
		     {404, "not_found"},
		     {405, "method_not_allowed"},
		     {409, "refused"},
		     {412, "precondition_failed"},
		     {413, "too_large"},
		     {415, "unsupported_media_type"},
		     {421, "misdirected"},
		     {422, "data"},
		     {428, "precondition_failed"},
		     {429, "too_many"},
		     {503, "busy"},
		     {504, "timeout"}};

/* What is not in here is our own fault. */
unsigned int
problem_status(enum err_code code)
{
	switch (code) {
	case ERR_USAGE:
		return 400;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_REFUSED:
	case ERR_FAILED:
		return 409;
	case ERR_DATA:
		return 422;
	case ERR_FULL:
		return 429;
	case ERR_UNAVAILABLE:
		return 503;
	case ERR_TIMEOUT:
		return 504;
	default:
		return 500;
	}
}

/* Two statuses mean two things each, which a client treats differently. */
const char *
problem_code(unsigned int status, enum err_code code)
{
	size_t i;

	if (status == 429 && code == ERR_FULL)
		return "queue_full";
	if (status == 503 && code == ERR_UNAVAILABLE)
		return "unreachable";
	for (i = 0; i < sizeof(problem_codes) / sizeof(problem_codes[0]); i++)
		if (problem_codes[i].status == status)
			return problem_codes[i].code;
	return status < 500 ? "bad_request" : "internal";
}

static json_t *
problem_text(const char *text)
{
	json_t *value = text != NULL ? json_string(text) : NULL;

	/* Not UTF-8: a message may quote what a client sent. */
	return value != NULL ? value : json_null();
}

static json_t *
problem_json(const struct problem *p)
{
	const char *code =
	    p->code != NULL ? p->code : problem_code(p->status, ERR_NONE);
	json_t *json;

	if (p->seed)
		return json_pack("{s:o}", "error", problem_text(p->detail));
	json =
	    json_pack("{s:i,s:s,s:o,s:o,s:o,s:o}", "status", (int)p->status,
		      "code", code, "detail", problem_text(p->detail), "field",
		      problem_text(p->field), "hint", problem_text(p->hint),
		      "request_id", problem_text(p->request_id));
	if (p->column == 0)
		return json;
	json_object_set_new(json, "column",
			    json_integer((json_int_t)p->column));
	json_object_set_new(json, "token", problem_text(p->token));
	return json;
}

/* Without memory an empty object: the status says what there is to say. */
void
problem_write(const struct problem *problem, struct buf *out)
{
	json_t *value = problem_json(problem);
	char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;

	buf_adds(out, text != NULL ? text : "{}");
	free(text);
	json_decref(value);
}

/* What a client is told of a failure that is not its own. */
static const char *
problem_said(unsigned int status, enum err_code code)
{
	if (code == ERR_UNAVAILABLE)
		return "the broker, the backend or the database is out of "
		       "reach";
	if (status == 504)
		return "there was no answer in time";
	return "the server could not do it; its log says why";
}

const char *
problem_shown(const struct err *err)
{
	const unsigned int status = problem_status(err->code);

	return status >= 500 ? problem_said(status, err->code) : err->msg;
}

/* What the route has put into the answer by then is thrown away, but for its
 * headers. */
void
problem_of_call(struct web_call *call, const struct err *err)
{
	const unsigned int status =
	    call->status >= 400 ? call->status : problem_status(err->code);
	const bool seed = (call->route->flags & WEB_SEED) != 0;
	struct buf shown = BUF_INIT;
	struct problem problem = {
	    .status = status,
	    .code = problem_code(status, err->code),
	    .detail =
		status >= 500 ? problem_said(status, err->code) : err->msg,
	    .field = call->field,
	    .hint = call->hint,
	    .token = call->token,
	    .column = call->column,
	    .request_id = call->id,
	    .seed = seed};

	if (status >= 500)
		log_warning("request %s, %s: %s", call->id, call->route->path,
			    err->msg);
	/* It may quote what it is about: the error of a task. */
	if (status < 500 && web_is_masked(call)) {
		mask_text(call->shared->mask, err->msg, &shown);
		problem.detail = shown.data;
	}
	call->status = status;
	json_decref(call->value);
	call->value = NULL;
	call->type = seed ? JSON_TYPE : PROBLEM_TYPE;
	buf_reset(&call->bytes);
	problem_write(&problem, &call->bytes);
	buf_done(&shown);
	if (status == 503)
		web_field(call, "Retry-After", "2");
}
