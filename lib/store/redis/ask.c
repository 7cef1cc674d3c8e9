/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: requests for one task, and their answers.
 *
 * All other files of the backend ask the server through these functions, so a
 * request that cannot be sent fails in one way: its callback gets NULL, and
 * from the loop, so that no caller is called back before it has returned.
 */
#include <stdlib.h>

#include "store/redis/results.h"

/* With no connection the request is answered all the same, with NULL. */
void
rresults_command(struct redis_request *request, struct redis_args argv)
{
	if (redis_request_command(request, argv) != 0)
		redis_request_later(request);
}

void
rresults_eval(struct redis_request *request, const struct redis_script *script,
	      struct redis_args keys, struct redis_args args)
{
	if (redis_request_eval(request, script, keys, args) != 0)
		redis_request_later(request);
}

struct rresults_request *
rresults_request_new(struct rresults *r, redis_request_fn *on_reply, void *arg)
{
	struct rresults_request *request = malloc(sizeof(*request));

	if (request != NULL)
		*request = (struct rresults_request){
		    .request = {.queue = r->requests, .on_reply = on_reply},
		    .results = r,
		    .arg = arg};
	return request;
}

/* Without memory nothing can be put off: on_record is called from within. */
struct rresults_request *
rresults_request_record(struct results *results, redis_request_fn *on_reply,
			results_record_fn *on_record, void *arg)
{
	struct rresults_request *request =
	    rresults_request_new((struct rresults *)results, on_reply, arg);
	struct err err;

	if (request == NULL) {
		err_nomem(&err);
		on_record((struct slice){NULL, 0}, &err, arg);
		return NULL;
	}
	request->on_record = on_record;
	return request;
}

struct slice
rresults_record(const struct redis_reply *reply)
{
	if (redis_reply_type(reply) != REDIS_STRING)
		return (struct slice){NULL, 0};
	return redis_reply_string(reply);
}
