/* SPDX-License-Identifier: MIT */
/*
 * Spans of attempts, for tasks that are part of a sampled trace.
 *
 * Without an exporter a task's trace goes on to what it calls as it came. With one,
 * an attempt is a span, and they are its children. A task that is in no trace, or in
 * one that is not sampled, costs a comparison.
 */
#include <stdlib.h>
#include <string.h>

#include "dispatch/ending.h"
#include "dispatch/state.h"
#include "trace/exporter.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/timer.h"

/* The span of one attempt. */
struct job_trace {
	struct trace_context context;
	struct trace_context origin; /* what the task has named */
	bool is_child;		     /* of that, */
	bool is_linked;		     /* or follows from it */
	char text[TRACEPARENT_SIZE]; /* of the context, for its children */
};

/* --- where they go ----------------------------------------------------- */

/* A worker without its spans works all the same; the log says why. */
void
trace_open(struct dispatch *d)
{
	const struct exporter_options options = {
	    .base = d->opt.base,
	    .where = d->conf->trace.export,
	    .resource = {.service = "flowrrad",
			 .instance = d->opt.worker,
			 .version = FLOWRRA_VERSION}};
	struct err err;

	if (options.where[0] == '\0')
		return;
	if ((d->exporter = exporter_new(&options, &err)) == NULL)
		log_warning("traces are not exported: %s", err.msg);
}

/* A collector of this machine answers in milliseconds; one that is away must not hold
 * up a stop. */
#define TRACE_STOP_MS 1000
#define TRACE_LOOK_MS 10

static void
on_trace_look(void *arg)
{
	stop_check(arg);
}

/* It is asked again with each look. */
bool
trace_holds_stop(struct dispatch *d)
{
	if (d->exporter == NULL || !exporter_is_busy(d->exporter))
		return false;
	if (d->trace_until_ms == 0)
		d->trace_until_ms = clock_mono_ms() + TRACE_STOP_MS;
	if (clock_mono_ms() >= d->trace_until_ms)
		return false;
	exporter_flush(d->exporter);
	if (d->trace_look == NULL)
		d->trace_look = timer_new(d->opt.base, on_trace_look, d);
	return d->trace_look != NULL &&
	       timer_set_ms(d->trace_look, TRACE_LOOK_MS) == 0;
}

/* What is left goes to the file. */
void
trace_close(struct dispatch *d)
{
	timer_free(d->trace_look);
	d->trace_look = NULL;
	exporter_free(d->exporter);
	d->exporter = NULL;
}

/* --- one attempt ------------------------------------------------------- */

/* For lines of the log. */
static void
trace_name(struct job *job, const struct trace_context *context)
{
	memcpy(job->trace_id, context->trace_id, TRACE_ID_LEN);
	job->trace_id[TRACE_ID_LEN] = '\0';
}

/* Also where nothing is exported: the line leads to the producer's trace. */
void
trace_claim(struct job *job)
{
	struct trace_context context;

	if (job->task->traceparent.len > 0 &&
	    trace_context_read(job->task->traceparent, &context))
		trace_name(job, &context);
}

/* A hundred of a hundred are all. */
static bool
trace_begins(const struct dispatch *d)
{
	return d->conf->trace.sample > 0 &&
	       random() % 100 < (long)d->conf->trace.sample;
}

/* The span of this attempt; NULL: it has none. */
static struct job_trace *
trace_new(const struct dispatch *d, const struct task *task)
{
	const bool is_part = task->traceparent.len > 0;
	struct trace_context origin = {.sampled = false};
	const bool has_origin = trace_context_read(
	    is_part ? task->traceparent : task->trace_link, &origin);
	struct job_trace *t;

	/* Who has begun the trace has decided; one that is not sampled says
	 * nothing of those that are linked to it. */
	if ((!origin.sampled && (is_part || !trace_begins(d))) ||
	    (t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	t->origin = origin;
	t->is_child = is_part && task->current_retry == 0;
	t->is_linked = has_origin && !t->is_child;
	return t;
}

/* The first attempt continues what the producer does. A later one is of its own:
 * the producer may have ended hours ago, and its trace with it. So is what has a
 * link from the beginning, such as each fire of a schedule. */
static void
trace_begin(struct job *job)
{
	struct job_trace *t = trace_new(job->dispatch, job->task);

	if (t == NULL)
		return;
	if (t->is_child)
		t->context = t->origin;
	else
		trace_make_trace_id(t->context.trace_id);
	trace_make_span_id(t->context.span_id);
	t->context.sampled = true;
	trace_context_write(&t->context, t->text);
	trace_name(job, &t->context);
	job->trace = t;
}

/* A job that comes back unharmed is assigned once more, and is the same attempt. */
void
trace_assign(struct job *job)
{
	job->run.traceparent = job->task->traceparent;
	job->run.tracestate = job->task->tracestate;
	if (job->dispatch->exporter == NULL)
		return;
	if (job->trace == NULL)
		trace_begin(job);
	if (job->trace == NULL)
		return;
	job->run.traceparent = slice_of(job->trace->text);
	if (!job->trace->is_child)
		job->run.tracestate = (struct slice){NULL, 0};
}

/* An attempt that never began, such as a cancelled one, has a span only if it was
 * with an executor. */
void
trace_end(struct job *job, const struct ending *ending, bool again)
{
	const struct job_trace *t = job->trace;
	const bool failed = ending->outcome != OUTCOME_SUCCESS;
	const char *reason = endings[ending->outcome].reason;

	if (t == NULL)
		return;
	exporter_add(job->dispatch->exporter,
		     &(struct span){
			 .context = t->context,
			 .parent_id = t->is_child ? t->origin.span_id : NULL,
			 .link = t->is_linked ? &t->origin : NULL,
			 .tracestate = job->run.tracestate,
			 .started_us = ending->started_us != 0
					   ? ending->started_us
					   : job->claimed_us,
			 .ended_us = ending->finished_us,
			 .queue = job->dispatch->queues[job->claim->queue].name,
			 .task_id = job->task->id,
			 .task = job->task->name,
			 .attempt = job->task->current_retry + 1,
			 .outcome = !failed ? "succeeded"
				    : again ? "retried"
					    : "failed",
			 .error = !failed	   ? NULL
				  : reason != NULL ? reason
						   : "failed"});
	free(job->trace);
	job->trace = NULL;
}
