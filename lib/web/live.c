/* SPDX-License-Identifier: MIT */
/*
 * Routes on the loop, and the two of them that probes ask.
 *
 * They never block: what they tell of the stores is what the sampler has found,
 * which looks every six seconds at least.
 */
#include <string.h>

#include "util/clock.h"
#include "web/frame.h"
#include "web/hub.h"
#include "web/state.h"

/* The same checks as on a thread (run.c), but for what only POSTs have; the
 * function replies by itself, or fails and is replied for. */
void
live_run(struct visit *v)
{
	struct err err = ERR_INIT;

	if (dispatch_make_call(v, &err) != 0) {
		respond_refuse(v, 503, "there is no memory", NULL);
		return;
	}
	v->call->visit = v;
	if (web_params_check(v->call, &err) == 0 &&
	    v->route->run(v->call, &err) == 0)
		return;
	problem_of_call(v->call, &err);
	respond_call(v, v->call);
}

/* The loop turns, or this would not be answered. */
int
frame_healthz(struct web_call *call, struct err *err)
{
	respond_json(call->visit, 200, json_pack("{s:b}", "healthy", 1), NULL);
	return 0;
}

/* For load balancers: what is wrong is for those who are known. */
int
frame_readyz(struct web_call *call, struct err *err)
{
	struct visit *v = call->visit;
	const int64_t answered = hub_answered_us(v->web->hub);
	const int64_t ago_us = clock_mono_us() - answered;
	const bool ready = hub_is_ready(v->web->hub);
	json_t *value = NULL;

	if (v->who.role > WEB_OPEN)
		value =
		    json_pack("{s:b,s:o}", "ready", (int)ready, "answered",
			      answered != 0 ? json_real((double)ago_us / 1e6)
					    : json_null());
	respond_json(v, ready ? 200 : 503, value, NULL);
	return 0;
}
