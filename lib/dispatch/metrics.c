/* SPDX-License-Identifier: MIT */
/*
 * What a monitor sees of this worker: its counts (tally.c), and how it is.
 *
 * Nothing here is counted for it alone. All that is written is at hand, so that a
 * scrape in any state of the worker has the same families: series that come and go
 * break alerts.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dispatch/state.h"
#include "metrics/tasks.h"
#include "metrics/text.h"
#include "trace/exporter.h"
#include "util/clock.h"
#include "util/proc.h"

/* --- the broker -------------------------------------------------------- */

/* After an error, which says that the broker went away, nothing was measured. */
static void
on_answered(struct slice value, const struct err *err, void *arg)
{
	struct dispatch *d = arg;

	d->meter.rtt_us =
	    err == NULL ? clock_mono_us() - d->meter.asked_us : -1;
	d->meter.asked_us = 0;
}

/* No task has that name; the question is as cheap as any. One at a time: a broker
 * that is slow is not asked more. */
void
metrics_measure(struct dispatch *d)
{
	if (d->conf->metrics.listen[0] == '\0' || d->meter.asked_us != 0 ||
	    !broker_is_up(d->broker))
		return;
	d->meter.asked_us = clock_mono_us();
	broker_registered(d->broker, SLICE("-"), on_answered, d);
}

/* As the stores' connections know it, without asking. */
static void
write_stores(const struct dispatch *d, struct metrics_text *m)
{
	metrics_begin(m, METRIC_UP);
	metrics_sample(m, METRICS_LABELS({"component", "broker"}),
		       broker_is_up(d->broker));
	metrics_sample(m, METRICS_LABELS({"component", "backend"}),
		       results_is_up(d->results));
	metrics_begin(m, METRIC_BROKER_RTT);
	/* Not a number is left out. */
	if (d->meter.rtt_us >= 0)
		metrics_sample(m, METRICS_NO_LABELS,
			       (double)d->meter.rtt_us / 1e6);
}

/* --- tasks ------------------------------------------------------------- */

/* The names of the format are not those of what is stored. */
static void
total_as_task(const struct tally_total *t, struct metrics_task *ret)
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

/* Without memory they are left out, until the next scrape. */
static void
write_tasks(const struct dispatch *d, struct metrics_text *m)
{
	size_t n = 0, i;
	struct tally_total *totals = tally_totals(d->tally, &n);
	struct metrics_task *tasks = calloc(n + 1, sizeof(*tasks));

	if (totals != NULL && tasks != NULL) {
		for (i = 0; i < n; i++)
			total_as_task(&totals[i], &tasks[i]);
		metrics_write_outcomes(m, tasks, n);
		metrics_write_times(m, tasks, n);
	}
	free(tasks);
	free(totals);
}

/* --- the worker -------------------------------------------------------- */

/* Commands have slots of their own, and count as those of modules that wait for
 * events, as in the heartbeat. */
static void
write_kind(const struct dispatch *d, struct metrics_text *m, const char *name,
	   enum pool_kind kind, enum pool_kind commands)
{
	unsigned int slots = pool_slots(d->pool, kind);
	unsigned int busy = pool_running(d->pool, kind);

	if (commands != kind) {
		slots += pool_slots(d->pool, commands);
		busy += pool_running(d->pool, commands);
	}
	metrics_write_slots(m, name, slots, busy);
}

/* By kind of process, not by process: those for one task come and go. */
static void
write_memory(const struct dispatch *d, struct metrics_text *m)
{
	static const char *const kinds[] = {"io", "commands", "cpu", "alone"};
	const struct executor *e = NULL;
	struct pool_member member;
	double bytes[4] = {0}, stuck = 0;
	size_t k;

	while ((e = pool_next_executor(d->pool, e, &member)) != NULL) {
		for (k = 0; k < 4; k++)
			if (strcmp(member.kind, kinds[k]) == 0)
				bytes[k] += (double)proc_resident(member.pid);
		stuck += member.silent_s > 0;
	}
	metrics_begin(m, METRIC_WORKER_MEMORY);
	metrics_sample(m, METRICS_LABELS({"process", "flowrrad"}),
		       (double)proc_resident(getpid()));
	for (k = 0; k < 4; k++)
		metrics_sample(m, METRICS_LABELS({"process", kinds[k]}),
			       bytes[k]);
	metrics_begin(m, METRIC_WORKER_STUCK);
	metrics_sample(m, METRICS_NO_LABELS, stuck);
}

/* A family of one series. */
static void
write_number(struct metrics_text *m, enum metric_id id, double value)
{
	metrics_begin(m, id);
	metrics_sample(m, METRICS_NO_LABELS, value);
}

/* The file itself: what another worker has left is in it, too. */
static double
spool_bytes(const struct dispatch *d)
{
	struct stat st;

	return d->opt.spool != NULL && stat(d->opt.spool, &st) == 0
		   ? (double)st.st_size
		   : 0;
}

/* Also where nothing is exported: a series that comes and goes breaks alerts. */
static void
write_spans(const struct dispatch *d, struct metrics_text *m)
{
	struct exporter_counts counts = {.exported = 0};

	if (d->exporter != NULL)
		counts = exporter_counts(d->exporter);
	metrics_begin(m, METRIC_TRACE_SPANS);
	metrics_sample(m, METRICS_LABELS({"result", "exported"}),
		       (double)counts.exported);
	metrics_sample(m, METRICS_LABELS({"result", "dropped"}),
		       (double)counts.dropped);
}

/* In the order of the manual: stores, tasks, the worker. */
void
dispatch_write_metrics(const struct dispatch *d, struct metrics_text *m)
{
	const struct handlers *handlers = pool_handlers(d->pool);

	write_stores(d, m);
	write_tasks(d, m);
	metrics_begin(m, METRIC_WORKER_SLOTS);
	write_kind(d, m, "io", POOL_THREAD, POOL_THREAD);
	write_kind(d, m, "async", POOL_ASYNC, POOL_COMMAND);
	write_kind(d, m, "cpu", POOL_CPU, POOL_CPU_COMMAND);
	write_memory(d, m);
	write_number(m, METRIC_WORKER_UNSETTLED, d->n_jobs);
	write_number(m, METRIC_WORKER_REFUSED,
		     handlers != NULL ? (double)handlers->n_refused : 0);
	write_number(m, METRIC_WORKER_RELOADS, (double)d->reloads.n);
	write_number(m, METRIC_WORKER_RELOAD_FAILED,
		     d->reloads.why.code != ERR_NONE);
	write_number(m, METRIC_WORKER_CRASHES, (double)d->totals.crashed);
	write_number(m, METRIC_SPOOL, spool_bytes(d));
	write_spans(d, m);
}
