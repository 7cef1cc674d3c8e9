/* SPDX-License-Identifier: MIT */
/* Cancelling, as JSON: client_cancel() does the work. */
#include "manager/cancel.h"

#include "client/cancel.h"
#include "codec/cancelled.h"
#include "codec/result_json.h"
#include "core/task.h"
#include "util/clock.h"
#include "util/err.h"

/* Made from the task alone: a purge takes out many, and to read the record of
 * each would double its work. So it lacks what a retry had noted there. */
void
cancel_record(const struct task *task, const char *queue, enum clock_form times,
	      struct buf *out)
{
	const struct result record = {.task_id = slice_of(task->id),
				      .status = RESULT_FAILED,
				      .task_name = slice_of(task->name),
				      .error = SLICE(CANCEL_ERROR),
				      .submitted_us = task->submitted_us,
				      .finished_us = clock_wall_us(),
				      .retries = task->current_retry,
				      .args = task->args,
				      .kwargs = task->kwargs,
				      .queue = slice_of(queue),
				      .attempts = task->current_retry,
				      .reason = SLICE(CANCEL_REASON),
				      .flow = task->flow,
				      .times = times};

	result_encode(&record, out);
}

json_t *
cancel_task(struct flowrra_client *c, const char *id, struct err *err)
{
	/* The words are part of the JSON shape, and of scripts that read it. */
	static const char *const outcomes[] = {
	    [CANCEL_DONE] = "cancelled", [CANCEL_ORDERED] = "ordered"};
	enum cancel_outcome outcome;

	return client_cancel(c, id, &outcome, err) == 0
		   ? json_pack("{s:s,s:s}", "id", id, "outcome",
			       outcomes[outcome])
		   : NULL;
}
