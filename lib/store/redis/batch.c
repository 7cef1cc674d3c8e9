/* SPDX-License-Identifier: MIT */
/*
 * A batch of tasks that are submitted: the commands that it waits for, and how
 * it ends.
 */
#include <stdlib.h>

#include "store/redis/submit.h"

void
rbatch_free(struct rbatch *batch)
{
	free(batch->had_record);
	free(batch);
}

void
rbatch_drop(struct rbatch *batch)
{
	if (--batch->under_way == 0)
		rbatch_free(batch);
}

static void
rbatch_drop_run(struct redis_request *request)
{
	struct rrun *run = container_of(request, struct rrun, request);

	rbatch_drop(run->batch);
	free(run);
}

struct rrun *
rbatch_run(struct rbatch *batch, size_t first, size_t n,
	   redis_request_fn *on_reply)
{
	struct rrun *run = malloc(sizeof(*run));

	if (run != NULL)
		*run =
		    (struct rrun){.request = {.queue = batch->broker->requests,
					      .on_reply = on_reply,
					      .drop = rbatch_drop_run},
				  .batch = batch,
				  .first = first,
				  .n = n};
	return run;
}

void
rbatch_fail(struct broker_submit *task, const struct rbroker *b,
	    const struct redis_reply *reply)
{
	if (task->err.code != ERR_NONE)
		return;
	redis_fault_err(b->redis, "submitting", reply, &task->err);
	/* ERR_FULL is for the limit of a queue. */
	if (task->err.code == ERR_FULL)
		task->err.code = ERR_UNAVAILABLE;
	if (redis_fault(reply) == REDIS_FAULT_LOST)
		err_set(&task->err, ERR_UNAVAILABLE,
			"the connection to %s broke before it answered; the "
			"task may have been queued anyway",
			b->url_name);
}

void
rbatch_ended(struct rbatch *batch)
{
	if (--batch->under_way > 0 || rbatch_confirm(batch))
		return;
	batch->on_done(batch->tasks, batch->n, batch->arg);
	rbatch_free(batch);
}
