/* SPDX-License-Identifier: MIT */
/*
 * The families of metrics: what of queues, workers, tasks and schedules becomes a
 * series, and by which labels.
 *
 * No series has both a worker and a task: there would be one for each pair, and a
 * monitor pays for each. A family with a set of states writes all of them, also at
 * 0: a series that comes and goes breaks rates and alerts.
 */
#include "manager/metrics_families.h"

#include <stdlib.h>
#include <string.h>

#include "manager/member.h"
#include "manager/series.h"
#include "metrics/tasks.h"
#include "metrics/text.h"
#include "schedules/health.h"
#include "schedules/schedules.h"
#include "store/flow.h"
#include "util/clock.h"
#include "util/sat.h"

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

	metrics_begin(m, METRIC_QUEUE_TASKS);
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
	metrics_begin(m, METRIC_QUEUE_OLDEST);
	json_array_foreach (queues, i, queue)
		metrics_sample(
		    m, METRICS_LABELS({"queue", member_text(queue, "queue")}),
		    age_s(queue, "oldest_at"));
	metrics_begin(m, METRIC_QUEUE_PAUSED);
	json_array_foreach (queues, i, queue)
		metrics_sample(
		    m, METRICS_LABELS({"queue", member_text(queue, "queue")}),
		    json_is_true(json_object_get(queue, "paused")));
	metrics_begin(m, METRIC_QUEUE_HELD);
	json_array_foreach (queues, i, queue)
		metrics_sample(
		    m, METRICS_LABELS({"queue", member_text(queue, "queue")}),
		    number_of(queue, "held"));
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
	metrics_begin(m, METRIC_WORKERS);
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

/* Of the three kinds that all workers have; one that does not say has none. */
static void
write_slots(struct metrics_text *m, const json_t *workers)
{
	static const char *const kinds[] = {"io", "async", "cpu"};
	double slots[3] = {0}, busy[3] = {0};
	json_t *worker, *kind;
	size_t i, k;

	json_array_foreach (workers, i, worker)
		for (k = 0; k < 3 && is_alive(worker); k++) {
			kind = json_object_get(json_object_get(worker, "slots"),
					       kinds[k]);
			slots[k] += number_of(kind, "slots");
			busy[k] += number_of(kind, "tasks");
		}
	metrics_begin(m, METRIC_WORKER_SLOTS);
	for (k = 0; k < 3; k++)
		metrics_write_slots(m, kinds[k], slots[k], busy[k]);
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
	metrics_begin(m, METRIC_WORKER_RSS);
	json_array_foreach (workers, i, worker)
		if (is_alive(worker))
			metrics_sample(
			    m,
			    METRICS_LABELS(
				{"worker", member_text(worker, "worker")}),
			    number_of(json_object_get(worker, "memory"),
				      "total"));
	metrics_begin(m, METRIC_LONGEST_RUNNING);
	metrics_sample(m, METRICS_NO_LABELS, longest_running_s(workers));
}

/* --- tasks ------------------------------------------------------------- */

/* Both reasons, at 0 too, of each queue in which any were. */
static void
write_deleted(struct metrics_text *m, const struct series_total *totals,
	      size_t n)
{
	size_t i;

	metrics_begin(m, METRIC_DEAD_DELETED);
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

/* Counters of the stores, not of this process: a restart does not reset them. */
static void
total_as_task(const struct series_total *t, struct metrics_task *ret)
{
	*ret = (struct metrics_task){
	    .queue = t->queue,
	    .task = t->task,
	    .outcomes = {[METRICS_SUCCEEDED] = t->numbers[MEASURE_SUCCEEDED],
			 [METRICS_FAILED] = t->numbers[MEASURE_FAILED],
			 [METRICS_RETRIED] = t->numbers[MEASURE_RETRIED]},
	    .wait = t->wait,
	    .run = t->run,
	    .wait_us = t->numbers[MEASURE_WAIT_US],
	    .run_us = t->numbers[MEASURE_RUN_US]};
}

/* Without memory they are left out, until the next look. */
void
metrics_write_totals(struct metrics_text *m, const struct series_total *totals,
		     size_t n)
{
	struct metrics_task *tasks = calloc(n + 1, sizeof(*tasks));
	size_t i;

	if (tasks == NULL)
		return;
	for (i = 0; i < n; i++)
		total_as_task(&totals[i], &tasks[i]);
	metrics_write_outcomes(m, tasks, n);
	write_deleted(m, totals, n);
	metrics_write_times(m, tasks, n);
	free(tasks);
}

/* --- workflows --------------------------------------------------------- */

/* All states, at 0 too. */
static void
write_flow_states(struct metrics_text *m, const json_t *flows)
{
	static const char *const states[] = {
#define X(name, word, has_ended) word,
	    FLOW_STATES(X)
#undef X
	};
	const size_t n_states = sizeof(states) / sizeof(states[0]);
	const char *state;
	json_t *flow;
	size_t i, k, n;

	metrics_begin(m, METRIC_WORKFLOWS);
	for (k = 0; k < n_states; k++) {
		n = 0;
		json_array_foreach (flows, i, flow)
			n += (state = member_text(flow, "state")) != NULL &&
			     strcmp(state, states[k]) == 0;
		metrics_sample(m, METRICS_LABELS({"state", states[k]}),
			       (double)n);
	}
}

static void
write_flow_steps(struct metrics_text *m, const json_t *flows)
{
	static const char *const states[] = {"waiting", "released", "succeeded",
					     "failed", "skipped"};
	double n;
	json_t *flow;
	size_t i, k;

	metrics_begin(m, METRIC_WORKFLOW_STEPS);
	for (k = 0; k < sizeof(states) / sizeof(states[0]); k++) {
		n = 0;
		json_array_foreach (flows, i, flow)
			n += number_of(flow, states[k]);
		metrics_sample(m, METRICS_LABELS({"state", states[k]}), n);
	}
}

void
metrics_write_flows(struct metrics_text *m, const json_t *flows)
{
	double oldest_s = 0, longest_s = 0, s;
	int64_t ended_us;
	json_t *flow;
	size_t i;

	write_flow_states(m, flows);
	write_flow_steps(m, flows);
	json_array_foreach (flows, i, flow) {
		ended_us = member_time_us(flow, "ended_at");
		s = ended_us == 0
			? age_s(flow, "begun_at")
			: (double)sat_sub(ended_us,
					  member_time_us(flow, "begun_at")) /
			      US_PER_S;
		if (ended_us == 0 && s > oldest_s)
			oldest_s = s;
		else if (ended_us != 0 && s > longest_s)
			longest_s = s;
	}
	metrics_begin(m, METRIC_WORKFLOW_OLDEST);
	metrics_sample(m, METRICS_NO_LABELS, oldest_s);
	metrics_begin(m, METRIC_WORKFLOW_LONGEST);
	metrics_sample(m, METRICS_NO_LABELS, longest_s);
}

/* --- schedules --------------------------------------------------------- */

/* All reasons, at 0 too. */
void
metrics_write_schedules(struct metrics_text *m, const struct schedules_stats *s)
{
	double lag_us = 0;
	size_t i;

	metrics_begin(m, METRIC_SCHEDULES);
	metrics_sample(m, METRICS_LABELS({"state", "enabled"}),
		       (double)s->enabled);
	metrics_sample(m, METRICS_LABELS({"state", "set_aside"}),
		       (double)s->set_aside);
	metrics_sample(m, METRICS_LABELS({"state", "disabled"}),
		       (double)(s->schedules - s->enabled));
	metrics_begin(m, METRIC_FIRES_MISSED);
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
	metrics_begin(m, METRIC_BEAT_LAG);
	metrics_sample(m, METRICS_NO_LABELS, lag_us / US_PER_S);
}
