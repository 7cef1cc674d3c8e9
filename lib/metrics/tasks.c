/* SPDX-License-Identifier: MIT */
/* The families of tasks. Histograms have no queue: each has some thirty series, and
 * how long a task runs is seldom a matter of its queue. */
#include "metrics/tasks.h"

#include <string.h>

#include "core/buckets.h"
#include "metrics/text.h"
#include "util/sat.h"

#define US_PER_S 1e6

/* All outcomes, at 0 too: a series that comes and goes breaks rates and alerts. */
void
metrics_write_outcomes(struct metrics_text *m, const struct metrics_task *tasks,
		       size_t n)
{
	static const char *const names[] = {[METRICS_SUCCEEDED] = "succeeded",
					    [METRICS_FAILED] = "failed",
					    [METRICS_RETRIED] = "retried"};
	size_t i, k;

	metrics_begin(m, METRIC_TASKS);
	for (i = 0; i < n; i++)
		for (k = 0; k < METRICS_N_OUTCOMES; k++)
			metrics_sample(m,
				       METRICS_LABELS({"queue", tasks[i].queue},
						      {"task", tasks[i].task},
						      {"outcome", names[k]}),
				       (double)tasks[i].outcomes[k]);
}

/* Of one task, over its queues: they stand together. */
static void
write_histograms(struct metrics_text *m, const struct metrics_task *tasks,
		 size_t n, bool wait)
{
	int64_t counts[BUCKETS];
	double sum_s;
	size_t i, k, b;

	for (i = 0; i < n; i = k) {
		memset(counts, 0, sizeof(counts));
		sum_s = 0;
		for (k = i; k < n && strcmp(tasks[k].task, tasks[i].task) == 0;
		     k++) {
			for (b = 0; b < BUCKETS; b++)
				sat_count(&counts[b], wait ? tasks[k].wait[b]
							   : tasks[k].run[b]);
			sum_s += (double)(wait ? tasks[k].wait_us
					       : tasks[k].run_us) /
				 US_PER_S;
		}
		metrics_histogram(m, METRICS_LABELS({"task", tasks[i].task}),
				  counts, sum_s);
	}
}

/* The two histograms have the same samples, from different counts. */
void
metrics_write_times(struct metrics_text *m, const struct metrics_task *tasks,
		    size_t n)
{
	metrics_begin(m, METRIC_TASK_DURATION);
	write_histograms(m, tasks, n, false);
	metrics_begin(m, METRIC_TASK_WAIT);
	write_histograms(m, tasks, n, true);
}
