/* SPDX-License-Identifier: MIT */
/*
 * The dead list: what goes there, and what those who find it there are told.
 */
#include <inttypes.h>

#include "codec/result_json.h"
#include "codec/scan.h"
#include "dispatch/ending.h"
#include "dispatch/state.h"
#include "util/clock.h"
#include "util/log.h"

void
bury_as(struct job *job, const char *reason, struct slice error,
	int64_t attempts, const struct buf *history)
{
	const struct dispatch *d = job->dispatch;
	struct buf *out = &job->info;
	char now[CLOCK_TEXT_SIZE];

	clock_format(clock_wall_us(), now);
	buf_addf(out, "{\"reason\":\"%s\",\"error\":", reason);
	scan_quote(out, error);
	if (job->task != NULL && *job->task->name != '\0') {
		buf_adds(out, ",\"task_name\":");
		scan_quote(out, slice_of(job->task->name));
	}
	buf_addf(out, ",\"queue\":\"%s\",\"worker\":",
		 d->queues[job->claim->queue].name);
	scan_quote(out, slice_of(d->opt.worker));
	buf_addf(out, ",\"attempts\":%" PRId64 ",\"time\":\"%s\"", attempts,
		 now);
	result_write_end(&job->end, out);
	if (history != NULL && history->len > 0 && !history->failed) {
		buf_adds(out, ",\"history\":");
		buf_add(out, history->data, history->len);
	}
	buf_addc(out, '}');
	job->settle.disposition = BROKER_BURY;
	job->settle.info = (struct slice){out->data, out->len};
	/* Half of a JSON object would be worse than this one. */
	if (out->failed)
		job->settle.info = SLICE(
		    "{\"reason\":\"failed\",\"error\":\"the worker lacked "
		    "the memory to write down why\"}");
	if (job->task != NULL)
		job->settle.id = slice_of(job->task->id);
	job->settle.salvaged = job->refused != NULL;
}

void
bury_log_refusal(const struct job *job, const char *reason, struct slice error)
{
	log_job(job, LOG_LEVEL_warning,
		"queue %s: task %s moved to the dead list (%s): %.*s",
		job->dispatch->queues[job->claim->queue].name,
		job->task != NULL ? job->task->id : "without an ID", reason,
		(int)error.len, error.p);
}

void
bury_refused(struct job *job, const char *reason, const char *error)
{
	bury_log_refusal(job, reason, slice_of(error));
	bury_as(job, reason, slice_of(error), 0, NULL);
	settle_job(job);
}

void
bury_ended(struct job *job, const struct ending *ending, struct slice worker)
{
	struct buf history = BUF_INIT;

	/* What could not run was not an attempt. */
	if (ending->outcome != OUTCOME_UNKNOWN)
		ending_add_history(job, ending, worker, HISTORY_BYTES_MAX,
				   &history);
	else
		buf_add(&history, job->task->history.p, job->task->history.len);
	bury_as(job, endings[ending->outcome].reason, ending->text,
		job->task->current_retry + (ending->outcome != OUTCOME_UNKNOWN),
		&history);
	buf_done(&history);
}
