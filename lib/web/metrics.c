/* SPDX-License-Identifier: MIT */
/*
 * GET /metrics: what Prometheus reads. Never a worker and a task in one series,
 * and no more names of tasks than the series have: so many workers or names make
 * it no larger than a store can bear.
 *
 * What is out of reach is left out, and flowrra_up says so: a monitor has to tell
 * a broker that is away from a flowrra-web that is.
 */
#include <string.h>

#include "client/client.h"
#include "flowrra/client.h"
#include "manager/member.h"
#include "manager/queues.h"
#include "manager/series.h"
#include "manager/server.h"
#include "manager/workers.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "web/call.h"
#include "web/figures.h"
#include "web/metrics_text.h"
#include "web/web.h"

#define US_PER_S 1e6
#define OPENMETRICS_TYPE                                                       \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

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
	const double s = (double)(clock_wall_us() - us) / US_PER_S;

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

static void
write_queues(struct metrics_text *m, const json_t *queues)
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

/* Workers name some of what they run, the first that began first. */
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
static void
write_workers(struct metrics_text *m, const json_t *workers)
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

static void
write_totals(struct metrics_text *m, const struct series_total *totals,
	     size_t n)
{
	write_outcomes(m, totals, n);
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
static void
write_schedules(struct metrics_text *m, const struct schedules_stats *s)
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

/* --- all of it --------------------------------------------------------- */

/* What one look brings; what is out of reach is missing. */
struct look {
	json_t *queues, *workers;
	struct series_total *totals;
	size_t n_totals;
	struct schedules_stats *schedules;
	double rtt_s; /* negative: the broker does not answer */
	bool backend;
};

/* One look at each store; what fails is left out, and the next look tries
 * again. */
static void
metrics_look(struct web_call *call, struct look *look)
{
	struct flowrra_client *client = web_client(call);
	struct series *series = figures_series(call->shared->figures);
	struct schedules *schedules;
	struct err err;

	*look = (struct look){.rtt_s = server_broker_rtt(client)};
	if (look->rtt_s >= 0) {
		look->queues = queues_and_workers(client, &look->workers, &err);
	}
	/* Where both are one store, one wait for it is enough. */
	if (look->rtt_s >= 0 || !client->one_store)
		look->backend = series_totals(series, client, &look->totals,
					      &look->n_totals, &err) == 0;
	if ((schedules = web_schedules(call, &err)) != NULL &&
	    schedules_stats(schedules, NULL, clock_wall_us(), &look->schedules,
			    &err) != 0)
		look->schedules = NULL;
}

static void
look_done(struct look *look)
{
	json_decref(look->queues);
	json_decref(look->workers);
	series_totals_free(look->totals, look->n_totals);
	if (look->schedules != NULL)
		schedules_stats_free(look->schedules);
}

/* First, so that it is there whatever else is not. */
static void
write_up(struct metrics_text *m, const struct look *look)
{
	metrics_family(m, METRICS_GAUGE, "flowrra_up", NULL,
		       "Whether a component answers.");
	metrics_sample(m, METRICS_LABELS({"component", "broker"}),
		       look->rtt_s >= 0);
	metrics_sample(m, METRICS_LABELS({"component", "backend"}),
		       look->backend);
	metrics_sample(m, METRICS_LABELS({"component", "scheduler_database"}),
		       look->schedules != NULL);
	if (look->rtt_s < 0)
		return;
	metrics_family(m, METRICS_GAUGE, "flowrra_broker_rtt_seconds",
		       "seconds", "How long the broker took to answer.");
	metrics_sample(m, METRICS_NO_LABELS, look->rtt_s);
}

/* In the order in which people read it. */
static void
metrics_make(struct web_call *call, struct metrics_text *m)
{
	struct look look;

	metrics_look(call, &look);
	write_up(m, &look);
	if (look.queues != NULL)
		write_queues(m, look.queues);
	if (look.workers != NULL)
		write_workers(m, look.workers);
	if (look.backend)
		write_totals(m, look.totals, look.n_totals);
	if (look.schedules != NULL)
		write_schedules(m, look.schedules);
	figures_write(call->shared->figures, m);
	metrics_end(m);
	look_done(&look);
}

/* Who takes neither gets the newer one, which names its counters as they are
 * named in the manual. */
static bool
wants_text(const struct web_call *call)
{
	const char *accept = web_header(call, "Accept");

	return accept != NULL && strstr(accept, "openmetrics") == NULL &&
	       strstr(accept, "text/plain") != NULL;
}

/* Three scrapers at once cost the stores one look. */
static int
get_metrics(struct web_call *call, struct err *err)
{
	struct figures_metrics *kept = figures_metrics(call->shared->figures);
	struct metrics_text m = {.openmetrics = &kept->openmetrics,
				 .text = &kept->text};
	const bool text = wants_text(call);
	const struct buf *made = text ? &kept->text : &kept->openmetrics;
	struct buf copy = BUF_INIT;

	pthread_mutex_lock(&kept->lock);
	if (kept->made_ms == 0 ||
	    clock_mono_ms() - kept->made_ms >= METRICS_LIFE_MS) {
		buf_reset(&kept->openmetrics);
		buf_reset(&kept->text);
		metrics_make(call, &m);
		kept->made_ms = clock_mono_ms();
	}
	buf_add(&copy, made->data, made->len);
	copy.failed |= made->failed;
	pthread_mutex_unlock(&kept->lock);
	if (copy.failed) {
		buf_done(&copy);
		return err_nomem(err);
	}
	return web_answer_bytes(call, text ? TEXT_TYPE : OPENMETRICS_TYPE,
				&copy);
}

const struct web_route web_metrics_routes[] = {
    {.method = HTTP_GET,
     .path = "/metrics",
     .role = WEB_METRICS,
     .run = get_metrics,
     .summary = "Metrics for Prometheus.",
     .answer = "OpenMetrics text, at most five seconds old; the older text "
	       "format if only text/plain is accepted."},
    WEB_ROUTES_END};
