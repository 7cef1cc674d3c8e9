/* SPDX-License-Identifier: MIT */
/*
 * Tasks that no module here handles: they are set aside for other workers, and
 * fail when there have been none for long.
 */
#include <inttypes.h>

#include "dispatch/ending.h"
#include "dispatch/state.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/sat.h"

/*
 * A task that no living worker of ours knows may be for a program of another
 * language, which takes tasks from the same queue: it is put back after a delay
 * that doubles. The first lets a rolling deploy pass unnoticed; the longest keeps
 * thousands of such tasks from costing anything. The store makes them due when a
 * worker comes that knows the name.
 */
#define UNKNOWN_DELAY_MS INT64_C(2000)
#define UNKNOWN_DELAY_MAX_MS BROKER_ASIDE_MAX_MS

static int64_t
unknown_delay_ms(int64_t times)
{
	int64_t ms = UNKNOWN_DELAY_MS;

	for (; times > 0 && ms < UNKNOWN_DELAY_MAX_MS; times--)
		ms *= 2;
	return ms < UNKNOWN_DELAY_MAX_MS ? ms : UNKNOWN_DELAY_MAX_MS;
}

/* How long it was put back for, in all. That no clock can falsify, and time in
 * which no worker lived does not count. */
static int64_t
unknown_waited_ms(const struct task *task)
{
	int64_t ms = 0, i;

	for (i = 0; i < task->unknown; i++) {
		if (unknown_delay_ms(i) == UNKNOWN_DELAY_MAX_MS)
			return ms + (task->unknown - i) * UNKNOWN_DELAY_MAX_MS;
		ms += unknown_delay_ms(i);
	}
	return ms;
}

/* For those who know it; where there are none, it comes again. */
static void
unknown_set_aside(struct job *job)
{
	struct task_counters counters = retry_counters(job->task);

	log_job(job, LOG_LEVEL_info,
		"task %s: no module of this worker handles \"%s\"; left to "
		"other workers",
		job->task->id, job->task->name);
	job_unlink(job);
	if (counters.unknown_since == 0)
		counters.unknown_since = clock_wall_us() / 1000000;
	counters.unknown++;
	retry_prepare(job, &counters, unknown_delay_ms(job->task->unknown));
	if (job->settle.disposition == BROKER_RETRY)
		job->settle.disposition = BROKER_SET_ASIDE;
	job->settle.lane = slice_of(job->task->name);
	settle_job(job);
}

static void
unknown_give_up(struct job *job)
{
	struct buf text = BUF_INIT;

	buf_addf(&text,
		 "no living worker of queue %s has task \"%s\" in its modules; "
		 "it was put back %" PRId64 " times in %" PRId64
		 " s ([worker] unknown_after)",
		 job->dispatch->queues[job->claim->queue].name, job->task->name,
		 job->task->unknown, unknown_waited_ms(job->task) / 1000);
	if (text.failed)
		unknown_set_aside(job);
	else
		outcome_apply(job,
			      &(struct ending){.outcome = OUTCOME_UNKNOWN,
					       .text = {text.data, text.len}});
	buf_done(&text);
}

/* Not known counts as served: it comes again. */
static void
unknown_on_served(struct slice value, const struct err *err, void *arg)
{
	struct job *job = arg;

	if (job->lost)
		settle_drop(job);
	else if (job->cancelled)
		outcome_cancelled(job);
	else if (err != NULL || slice_eq(value, SLICE("known")))
		unknown_set_aside(job);
	else
		unknown_give_up(job);
}

void
unknown_take(struct job *job)
{
	struct dispatch *d = job->dispatch;
	const struct broker_served question = {
	    .queue = slice_of(d->queues[job->claim->queue].name),
	    .name = slice_of(job->task->name)};

	if (sat_mul(unknown_waited_ms(job->task), 1000) <
	    d->conf->worker.unknown_after)
		unknown_set_aside(job);
	else
		broker_served(d->broker, &question, unknown_on_served, job);
}
