/* SPDX-License-Identifier: MIT */
/*
 * Retries: whether a task gets another attempt, with which counters, and when.
 */
#include "dispatch/ending.h"
#include "dispatch/state.h"
#include "util/clock.h"

/* A number from 0 to 1; that much chance needs no seed from the kernel. The
 * generator is Knuth's (MMIX), whose upper 53 bits fill a double. */
static double
chance(void)
{
	static uint64_t state;

	if (state == 0)
		state =
		    (uint64_t)clock_mono_us() << 20 ^ (uint64_t)clock_wall_us();
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (double)(state >> 11) / (double)(1ull << 53);
}

void
retry_prepare(struct job *job, const struct task_counters *counters,
	      int64_t delay_ms)
{
	task_encode_again(job->task, counters, &job->retry_bytes);
	/* With no memory for that, it goes back as it came. */
	job->settle.disposition =
	    job->retry_bytes.failed ? BROKER_RELEASE : BROKER_RETRY;
	job->settle.retry_bytes =
	    (struct slice){job->retry_bytes.data, job->retry_bytes.len};
	job->settle.delay_ms = delay_ms;
}

struct task_counters
retry_counters(const struct task *t)
{
	return (struct task_counters){.current_retry = t->current_retry,
				      .crashes = t->crashes,
				      .suspected = t->suspected,
				      .unknown = t->unknown,
				      .unknown_since = t->unknown_since,
				      .due_ms = t->due_ms,
				      .history = t->history};
}

/* As much as the task has room for, beside what it is without its history. A
 * task that has none gets the little that every worker takes (TASK_AGAIN_MAX).
 */
static size_t
retry_history_max(const struct job *job)
{
	const struct task *t = job->task;
	const size_t bare =
	    t->raw.len - t->history.len + TASK_AGAIN_MAX - HISTORY_BYTES;
	const size_t max = (size_t)job->dispatch->conf->worker.max_task_size;

	if (bare + HISTORY_BYTES >= max)
		return HISTORY_BYTES;
	return max - bare < HISTORY_BYTES_MAX ? max - bare : HISTORY_BYTES_MAX;
}

bool
retry_if_left(struct job *job, const struct ending *ending)
{
	const struct task *t = job->task;
	const enum outcome outcome = ending->outcome;
	struct task_counters counters = retry_counters(t);
	struct buf history = BUF_INIT;
	int64_t delay_ms = 0;

	if (!endings[outcome].retry || job->cancelled ||
	    t->current_retry >= t->max_retries)
		return false;
	/* A crash counts as an attempt as well: a task with few retries does
	 * not get max_crashes of them. */
	counters.current_retry++;
	/* A worker knew it: what waits for its next attempt is not to be taken
	 * for a task that waits for such a worker. */
	counters.unknown = counters.unknown_since = 0;
	if (outcome == OUTCOME_CRASHED) {
		/* At once: it is the crash count that ends this. */
		if (++counters.crashes >=
		    job->dispatch->conf->executor.max_crashes)
			return false;
	} else {
		/* Rounded up: never sooner than the task asked for. */
		delay_ms = (retry_delay_us(&t->retry, counters.current_retry,
					   chance()) +
			    999) /
			   1000;
	}
	ending_add_history(job, ending, slice_of(job->dispatch->opt.worker),
			   retry_history_max(job), &history);
	counters.due_ms = ending->finished_us / 1000 + delay_ms;
	if (!history.failed)
		counters.history = (struct slice){history.data, history.len};
	retry_prepare(job, &counters, delay_ms);
	buf_done(&history);
	return true;
}
