/* SPDX-License-Identifier: MIT */
/* The families of tasks: how attempts ended, how long they ran and waited. From a
 * worker and from the stores they are written here, and so are the same. */
#ifndef METRICS_TASKS_H
#define METRICS_TASKS_H

#include <stddef.h>
#include <stdint.h>

struct metrics_text;

enum metrics_outcome {
	METRICS_SUCCEEDED,
	METRICS_FAILED, /* for good */
	METRICS_RETRIED,
	METRICS_N_OUTCOMES
};

/* All that was counted of one task in one queue. */
struct metrics_task {
	const char *queue, *task;
	int64_t outcomes[METRICS_N_OUTCOMES];
	const int64_t *wait, *run; /* BUCKETS counts */
	int64_t wait_us, run_us;   /* their sums */
};
/* Those of one task stand together; no task and queue comes twice. */
void metrics_write_outcomes(struct metrics_text *m,
			    const struct metrics_task *tasks, size_t n);
void metrics_write_times(struct metrics_text *m,
			 const struct metrics_task *tasks, size_t n);

#endif
