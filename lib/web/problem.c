/* SPDX-License-Identifier: MIT */
/*
 * Errors as answers: which status and code a failure has, and what a client may
 * read of it. The form is lib/http's.
 *
 * Up to 499 the mistake is the client's, and the message is for it. What a store or
 * the system says from 500 on may name paths, servers and other people's tasks, so
 * that goes to the log only; both have the id of the request.
 */
#include <string.h>

#include "util/log.h"
#include "web/call.h"
#include "web/mask.h"

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

/* Two statuses mean two things each, which a client treats differently: a full
 * queue is not a user in a hurry, a store that is away not a server that is. */
const char *
problem_code(unsigned int status, enum err_code code)
{
	if (status == 429 && code == ERR_FULL)
		return "queue_full";
	if (status == 503 && code == ERR_UNAVAILABLE)
		return "unreachable";
	return http_problem_code(status);
}

/* Without memory an empty object: the status says what there is to say. */
static void
problem_write_seed(const struct http_problem *problem, struct buf *out)
{
	json_t *value = json_pack("{s:s?}", "error", problem->detail);
	char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;

	buf_adds(out, text != NULL ? text : "{}");
	free(text);
	json_decref(value);
}

const char *
problem_write(const struct http_problem *problem, bool seed, struct buf *out)
{
	if (seed)
		problem_write_seed(problem, out);
	else
		http_problem_write(problem, out);
	return seed ? JSON_TYPE : HTTP_PROBLEM_TYPE;
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

/* What the route has put into the answer before it failed is thrown away, but for
 * its headers. */
void
problem_of_call(struct web_call *call, const struct err *err)
{
	const unsigned int status =
	    call->status >= 400 ? call->status : problem_status(err->code);
	const bool seed = (call->route->flags & WEB_SEED) != 0;
	struct buf shown = BUF_INIT;
	struct http_problem problem = {
	    .status = status,
	    .code = problem_code(status, err->code),
	    .detail =
		status >= 500 ? problem_said(status, err->code) : err->msg,
	    .field = call->field,
	    .hint = call->hint,
	    .token = call->token,
	    .column = call->column,
	    .request_id = call->id};

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
	buf_reset(&call->bytes);
	call->type = problem_write(&problem, seed, &call->bytes);
	buf_done(&shown);
	if (status == 503)
		web_field(call, "Retry-After", "2");
}
