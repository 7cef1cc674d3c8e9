/* SPDX-License-Identifier: MIT */
/* The task that a fire becomes, and its pending record. The same bytes as of a
 * task that a client submits: workers see no difference. */
#include "beat/task.h"

#include <stdio.h>
#include <string.h>

#include "codec/result_json.h"
#include "codec/task_json.h"
#include "schedules/claim.h"
#include "schedules/schedules.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/name.h"

void
fire_encode(const struct schedule *s, const struct registered *defaults,
	    const struct conf *conf, const char *task_id, int64_t now_us,
	    struct buf *out)
{
	struct task task = {
	    .id = task_id,
	    .name = s->task,
	    .queue = s->queue[0] != '\0' ? s->queue : defaults->queue,
	    .group = s->group[0] != '\0' ? s->group : NULL,
	    .args = slice_of(s->args),
	    .kwargs = slice_of(s->kwargs),
	    .priority = s->priority,
	    .cpu_bound = defaults->cpu_bound,
	    .max_retries = s->settings.max_retries,
	    .retry = s->settings.retry,
	    .timeout_us = s->settings.timeout_us,
	    .expires_us = s->expires_us > 0 ? now_us + s->expires_us : 0,
	    .submitted_us = now_us,
	    .trace_link = slice_of(s->traceparent)};

	task_resolve(&task, &defaults->settings, &conf->executor);
	task_encode(&task, out);
}

int
fire_record(const struct schedule_fire *fire, enum clock_form times,
	    struct buf *out, struct err *err)
{
	struct task *task;
	struct result record;

	if (task_decode(slice_of(fire->body), &task, err) != 0)
		return err_prefix(err, "the task of fire %s", fire->task_id);
	if (name_check_submitted(task->name, err) != 0) {
		task_free(task);
		return err_prefix(err, "fire %s", fire->task_id);
	}
	/* The outbox says where it goes and under which id. */
	record = result_pending(task);
	record.task_id = slice_of(fire->task_id);
	record.queue = slice_of(fire->queue);
	record.times = times;
	result_encode(&record, out);
	task_free(task);
	return out->failed ? err_nomem(err) : 0;
}
