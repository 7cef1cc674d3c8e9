/* SPDX-License-Identifier: MIT */
/*
 * The families of metrics: what of queues, workers, tasks and schedules becomes a
 * series, and by which labels.
 *
 * No series has both a worker and a task: there would be one for each pair, and a
 * monitor pays for each. A family with a set of states writes all of them, also at
 * 0: a series that comes and goes breaks rates and alerts.
 */
#include "web/metrics_families.h"

#include <string.h>

#include "manager/member.h"
#include "manager/series.h"
#include "schedules/health.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/sat.h"
#include "web/metrics_text.h"

#define US_PER_S 1e6

/* What is missing, or not a number, counts as 0: a heartbeat of an older version
 * lacks members. */
static double
number_of(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

/* Seconds since a time; 0 if there is none, or its clock is ahead. */
static double
age_s(const json_t *object, const char *name)
{
	const int64_t us = member_time_us(object, name);
	const double s = (double)sat_sub(clock_wall_us(), us) / US_PER_S;

	return us == 0 || s < 0 ? 0 : s;
}

/* --- queues ------------------------------------------------------------ */

/* In one family, so that a sum over states is all that a queue holds. */
static void
write_queue_tasks(struct metrics_text *m, const json_t *queues)
{
	static const char *const states[] = {"waiting", "delayed", "in_flight",
					     "dead"};
	json_t *queue;
	size_t i, k;

	metrics_family(m, METRICS_GAUGE, "flowrra_queue_tasks", NULL,
		       "Tasks in a queue, by state.");
	json_array_foreach (queues, i, queue)
		for (k = 0; k < 4; k++)
			metrics_sample(
			    m,
			    METRICS_LABELS(
				{"queue", member_text(queue, "queue")},
				{"state", states[k]}),
			    number_of(queue, states[k]));
}

/* Family by family, since a format wants the samples of one together. */
void
metrics_write_queues(struct metrics_text *m, const json_t *queues)
{
	json_t *queue;
	size_t i;

	write_queue_tasks(m, queues);
	metrics_family(m, METRICS_GAUGE, "flowrra_queue_oldest_seconds",
		       "seconds",
		       "Age of the task that has waited longest; 0 if none "
		       "waits.");
	json_array_foreach (queues, i, queue)
		metrics_sample(
		    m, METRICS_LABELS({"queue", member_text(queue, "queue")}),
		    age_s(queue, "oldest_at"));
	metrics_family(m, METRICS_GAUGE, "flowrra_queue_paused", NULL,
		       "Whether a queue is paused.");
	json_array_foreach (queues, i, queue)
		metrics_sample(
		    m, METRICS_LABELS({"queue", member_text(queue, "queue")}),
		    json_is_true(json_object_get(queue, "paused")));
}

/* --- workers ----------------------------------------------------------- */

/* All four states, at 0 too: a series that comes and goes breaks alerts. */
static void
write_worker_states(struct metrics_text *m, const json_t *workers)
{
	static const char *const states[] = {"running", "quiet", "stopping",
					     "dead"};
	double n[4] = {0};
	const char *state;
	json_t *worker;
	size_t i, k;

	json_array_foreach (workers, i, worker)
		for (k = 0, state = member_text(worker, "state"); k < 4; k++)
			n[k] += state != NULL && strcmp(state, states[k]) == 0;
	metrics_family(m, METRICS_GAUGE, "flowrra_workers", NULL,
		       "Workers, by state.");
	for (k = 0; k < 4; k++)
		metrics_sample(m, METRICS_LABELS({"state", states[k]}), n[k]);
}

/* A dead worker's last figures would be counted until somebody else has its
 * tasks. */
static bool
is_alive(const json_t *worker)
{
	const char *state = member_text(worker, "state");

	return state != NULL && strcmp(state, "dead") != 0;
}

/* A worker that is told to shrink may be busy with more than it has for a moment:
 * what is free is never negative. */
static void
write_slots(struct metrics_text *m, const json_t *workers)
{
	double slots = 0, busy = 0;
	json_t *worker, *kind;
	const char *name;
	size_t i;

	json_array_foreach (workers, i, worker)
		if (is_alive(worker))
			json_object_foreach (json_object_get(worker, "slots"),
					     name, kind) {
				slots += number_of(kind, "slots");
				busy += number_of(kind, "tasks");
			}
	metrics_family(m, METRICS_GAUGE, "flowrra_worker_slots", NULL,
		       "Slots of all workers that live, by state.");
	metrics_sample(m, METRICS_LABELS({"state", "busy"}), busy);
	metrics_sample(m, METRICS_LABELS({"state", "free"}),
		       slots > busy ? slots - busy : 0);
}

/* A worker names only some of what it runs, but in the order in which it began: the
 * oldest is always among them. */
static double
longest_running_s(const json_t *workers)
{
	double longest = 0, age;
	json_t *worker, *task;
	size_t i, k;

	json_array_foreach (workers, i, worker) {
		if (!is_alive(worker))
			continue;
		json_array_foreach (json_object_get(worker, "running"), k,
				    task) {
			age = age_s(task, "started_at");
			longest = age > longest ? age : longest;
		}
	}
	return longest;
}

/* The worker is a label of its memory alone: one series each, for as long as it
 * lives. */
void
metrics_write_workers(struct metrics_text *m, const json_t *workers)
{
	json_t *worker;
	size_t i;

	write_worker_states(m, workers);
	write_slots(m, workers);
	metrics_family(m, METRICS_GAUGE, "flowrra_worker_rss_bytes", "bytes",
		       "Memory of a worker and its executors.");
	json_array_foreach (workers, i, worker)
		if (is_alive(worker))
			metrics_sample(
			    m,
			    METRICS_LABELS(
				{"worker", member_text(worker, "worker")}),
			    number_of(json_object_get(worker, "memory"),
				      "total"));
	metrics_family(m, METRICS_GAUGE, "flowrra_longest_running_seconds",
		       "seconds",
		       "For how long the task that began first has been "
		       "running; 0 if none runs.");
	metrics_sample(m, METRICS_NO_LABELS, longest_running_s(workers));
}

/* --- tasks ------------------------------------------------------------- */

/* Counters of the stores, not of this process: a restart does not reset them. */
static void
write_outcomes(struct metrics_text *m, const struct series_total *totals,
	       size_t n)
{
	static const struct {
		enum measure_what what;
		const char *outcome;
	} outcomes[] = {{MEASURE_SUCCEEDED, "succeeded"},
			{MEASURE_FAILED, "failed"},
			{MEASURE_RETRIED, "retried"}};
	size_t i, k;

	metrics_family(m, METRICS_COUNTER, "flowrra_tasks", NULL,
		       "Attempts that ended, by outcome.");
	for (i = 0; i < n; i++)
		for (k = 0; k < 3; k++)
			metrics_sample(
			    m,
			    METRICS_LABELS({"queue", totals[i].queue},
					   {"task", totals[i].task},
					   {"outcome", outcomes[k].outcome}),
			    (double)totals[i].numbers[outcomes[k].what]);
}

/* Both reasons, at 0 too, of each queue in which any were. */
static void
write_deleted(struct metrics_text *m, const struct series_total *totals,
	      size_t n)
{
	size_t i;

	metrics_family(m, METRICS_COUNTER, "flowrra_dead_deleted", NULL,
		       "Tasks that housekeeping deleted from dead lists, by "
		       "the limit that they were beyond.");
	for (i = 0; i < n; i++) {
		const int64_t *numbers = totals[i].numbers;

		if (numbers[MEASURE_DEAD_BEYOND] +
			numbers[MEASURE_DEAD_EXPIRED] ==
		    0)
			continue;
		metrics_sample(m,
			       METRICS_LABELS({"queue", totals[i].queue},
					      {"limit", "dead_max"}),
			       (double)numbers[MEASURE_DEAD_BEYOND]);
		metrics_sample(m,
			       METRICS_LABELS({"queue", totals[i].queue},
					      {"limit", "dead_ttl"}),
			       (double)numbers[MEASURE_DEAD_EXPIRED]);
	}
}

/* Of one task, over its queues: they stand together. */
static void
write_times(struct metrics_text *m, const struct series_total *totals, size_t n,
	    bool wait)
{
	int64_t counts[BUCKETS];
	double sum_s;
	size_t i, k, b;

	for (i = 0; i < n; i = k) {
		memset(counts, 0, sizeof(counts));
		sum_s = 0;
		for (k = i;
		     k < n && strcmp(totals[k].task, totals[i].task) == 0;
		     k++) {
			for (b = 0; b < BUCKETS; b++)
				counts[b] +=
				    wait ? totals[k].wait[b] : totals[k].run[b];
			sum_s +=
			    (double)totals[k].numbers[wait ? MEASURE_WAIT_US
							   : MEASURE_RUN_US] /
			    US_PER_S;
		}
		metrics_histogram(m, METRICS_LABELS({"task", totals[i].task}),
				  counts, sum_s);
	}
}

/* The two histograms have the same samples, from different counts. */
void
metrics_write_totals(struct metrics_text *m, const struct series_total *totals,
		     size_t n)
{
	write_outcomes(m, totals, n);
	write_deleted(m, totals, n);
	metrics_family(m, METRICS_HISTOGRAM, "flowrra_task_duration_seconds",
		       "seconds", "How long attempts ran.");
	write_times(m, totals, n, false);
	metrics_family(m, METRICS_HISTOGRAM, "flowrra_task_wait_seconds",
		       "seconds",
		       "How long tasks waited for their start since they were "
		       "due.");
	write_times(m, totals, n, true);
}

/* --- schedules --------------------------------------------------------- */

/* All reasons, at 0 too. */
void
metrics_write_schedules(struct metrics_text *m, const struct schedules_stats *s)
{
	double lag_us = 0;
	size_t i;

	metrics_family(m, METRICS_GAUGE, "flowrra_schedules", NULL,
		       "Schedules, by state.");
	metrics_sample(m, METRICS_LABELS({"state", "enabled"}),
		       (double)s->enabled);
	metrics_sample(m, METRICS_LABELS({"state", "set_aside"}),
		       (double)s->set_aside);
	metrics_sample(m, METRICS_LABELS({"state", "disabled"}),
		       (double)(s->schedules - s->enabled));
	metrics_family(m, METRICS_COUNTER, "flowrra_schedule_fires_missed",
		       NULL, "Fires that were missed or skipped, by reason.");
	for (i = 0; i < SCHEDULE_N_REASONS; i++)
		metrics_sample(
		    m,
		    METRICS_LABELS({"reason", schedule_reason_name(
						  (enum schedule_reason)i)}),
		    (double)s->skipped[i]);
	if (s->n_schedulers == 0)
		return;
	for (i = 0; i < s->n_schedulers; i++)
		if ((double)s->schedulers[i].lag_us > lag_us)
			lag_us = (double)s->schedulers[i].lag_us;
	metrics_family(m, METRICS_GAUGE, "flowrra_beat_lag_seconds", "seconds",
		       "How late the latest fire of a scheduler was.");
	metrics_sample(m, METRICS_NO_LABELS, lag_us / US_PER_S);
}
