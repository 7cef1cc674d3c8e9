/* SPDX-License-Identifier: MIT */
/*
 * Running a call on an operation thread: parameters, an earlier answer of the
 * same key, the route's function, masking, writing.
 *
 * The order matters. A repetition is found before the parameters are looked at,
 * since it has to be answered as the first one was; masking comes before
 * writing, and an answer is kept for repetitions as its user has seen it.
 */
#include <errno.h>
#include <stdlib.h>

#include "module/dump.h"
#include "web/audit.h"
#include "web/call.h"
#include "web/mask.h"
#include "web/replay.h"

/* The embedded database is made by the first worker: until then it is a store that
 * is away, not a task or a queue that is not there. ENOENT tells the two apart
 * (sqlite/place.h). */
static int
call_explain(struct err *err)
{
	if (err->code == ERR_NOT_FOUND && err->sys == ENOENT)
		err->code = ERR_UNAVAILABLE;
	return -1;
}

/* A client that was told 504 may have asked again by the time a thread is free: a
 * change would be made twice, or long after. A client that has hung up was told
 * nothing, so its change is made; an answer for it would reach nobody. */
static bool
call_is_over(const struct web_call *call)
{
	return atomic_load(&call->late) ||
	       (atomic_load(&call->stopped) && call->route->method == HTTP_GET);
}

/* 0, or -1 with *err. */
static int
call_ask_route(struct web_call *call, struct web_worker *worker,
	       struct err *err)
{
	call->worker = worker;
	if (web_params_check(call, err) != 0)
		return -1;
	*err = (struct err)ERR_INIT;
	return call->route->run(call, err) == 0 ? 0 : call_explain(err);
}

/* Writes call->value, which takes no more part in it. */
static void
call_write(struct web_call *call, struct err *err)
{
	char *text;

	if (call->value == NULL)
		return;
	text = json_dumps(call->value, dump_flags(call->value));
	json_decref(call->value);
	call->value = NULL;
	buf_reset(&call->bytes);
	call->type = JSON_TYPE;
	if (text == NULL) {
		err_set(err, ERR_INTERNAL, "the answer cannot be written");
		call->status = 500;
		problem_of_call(call, err);
		return;
	}
	buf_adds(&call->bytes, text);
	free(text);
}

/* By the role: a metrics user and a viewer see masked texts alike. What a submitter
 * sees is its own. */
bool
web_is_masked(const struct web_call *call)
{
	return call->who.role != WEB_OPERATOR &&
	       call->who.role != WEB_SUBMITTER &&
	       mask_hides(call->shared->mask);
}

/* -1: there is no memory, and what is not masked is not shown. */
static int
call_mask(struct web_call *call, struct err *err)
{
	json_t *copy;

	if (!web_is_masked(call))
		return 0;
	if (call->value == NULL) {
		mask_bytes(call->shared->mask, call->type, &call->bytes);
		return call->bytes.failed ? err_nomem(err) : 0;
	}
	/* Parts of it may be shared with what a route keeps. */
	copy = json_deep_copy(call->value);
	json_decref(call->value);
	call->value = copy;
	if (copy == NULL)
		return err_nomem(err);
	mask_json(call->shared->mask, copy);
	return 0;
}

/* GET, PUT and DELETE may be repeated by themselves. */
static bool
call_replays(const struct web_call *call)
{
	return call->shared->replay != NULL &&
	       call->route->method == HTTP_POST &&
	       web_header(call, "Idempotency-Key") != NULL;
}

/* Attempts that failed are in the audit trail, too, with their reason. */
static void
call_finish(struct web_call *call, int result, struct err *err)
{
	if (result == 0)
		result = call_mask(call, err);
	if (result != 0) {
		problem_of_call(call, err);
	} else {
		if (call->status == 0)
			call->status = 200;
		call_write(call, err);
	}
	if (call->shared->audit != NULL)
		audit_call(call->shared->audit, call,
			   call->status < 400 ? NULL : err->msg);
}

void
web_call_run(struct web_call *call, struct web_worker *worker)
{
	const bool replays = call_replays(call);
	struct replay_answer *answer = NULL;
	struct err err = ERR_INIT;

	if (call_is_over(call)) {
		err_set(&err, ERR_TIMEOUT,
			"the client waits no longer for the answer; it was not "
			"begun");
		call_finish(call, -1, &err);
		return;
	}
	if (replays &&
	    replay_begin(call->shared->replay, call, &answer, &err) != 0) {
		/* It is answered: as before, or since it is under way. */
		if (err.code != ERR_NONE)
			problem_of_call(call, &err);
		return;
	}
	call_finish(call, call_ask_route(call, worker, &err), &err);
	if (replays)
		replay_end(call->shared->replay, answer, call);
}

/* For the sampler, whose answers are masked for some of their readers and not
 * for others. */
json_t *
web_call_value(struct web_call *call, struct web_worker *worker,
	       struct err *err)
{
	json_t *value;

	*err = (struct err)ERR_INIT;
	if (call_ask_route(call, worker, err) != 0)
		return NULL;
	value = call->value;
	call->value = NULL;
	if (value == NULL)
		err_set(err, ERR_INTERNAL, "%s has no value",
			call->route->path);
	return value;
}
