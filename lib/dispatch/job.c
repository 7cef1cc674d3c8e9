/* SPDX-License-Identifier: MIT */
/*
 * Jobs: their states, numbers and lists. What follows from a state is for the
 * other files, none of which but turn.c this one calls.
 *
 * Every job has a number from claim_take() to job_free(); n_jobs counts them.
 * A HELD job is on the list of its kind and counted in n_held, a RUNNING one
 * on the pool's; the others are on none, but a NEW one may be on `unsure`.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/state.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/pending.h"

/*
 * A job's number: index below, serial above; 0 is not a job. An executor may
 * speak of a job that is over while another one has its place, so a number
 * comes again only after 4095 others. 20 bits are a million jobs: as many as
 * [executor] async_tasks allows.
 */
#define INDEX_BITS 20
#define INDEX_MASK ((1u << INDEX_BITS) - 1)

/* --- states ---------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned int next; /* a bit for each state that may follow */
} job_states[] = {
#define X(state, following)                                                    \
	[JOB_##state] = {.name = #state, .next = (following)},
    JOB_STATES(X)
#undef X
};

/* A step that is not in the table is a mistake of this program: it ends, and
 * the claims stay on record for its successor. */
void
job_enter(struct job *job, enum job_state next)
{
	assert(job_states[job->state].next & (1u << next));
	log_debug("job %s: %s -> %s", job->task ? job->task->id : "?",
		  job_states[job->state].name, job_states[next].name);
	job->state = next;
}

struct log_subject
job_subject(const struct job *job)
{
	const struct task *t = job->task;
	struct log_subject about = {
	    .queue = job->dispatch->queues[job->claim->queue].name};

	if (t != NULL) {
		about.task_id = t->id;
		about.task_name = t->name;
		about.attempt = t->current_retry + 1;
		if (job->trace_id[0] != '\0')
			about.trace_id = job->trace_id;
	}
	return about;
}

/* --- numbers ----------------------------------------------------------- */

/* -1: there is no memory, or there are as many as numbers can tell apart. */
static int
job_grow_numbers(struct dispatch *d)
{
	uint32_t cap = d->cap_jobs ? d->cap_jobs * 2 : 256;
	struct job **jobs;

	if (cap > INDEX_MASK + 1)
		return -1;
	if ((jobs = realloc(d->jobs, cap * sizeof(struct job *))) == NULL)
		return -1;
	memset(jobs + d->cap_jobs, 0,
	       (cap - d->cap_jobs) * sizeof(struct job *));
	d->jobs = jobs;
	d->cap_jobs = cap;
	return 0;
}

/*
 * A free place is near the last one that was given: the table is kept at most
 * half full, and jobs end about in the order in which they came. Should it not
 * grow, it may fill up to the last place.
 */
int
job_number(struct dispatch *d, struct job *job)
{
	uint32_t i;

	if (d->n_jobs >= d->cap_jobs / 2 && job_grow_numbers(d) != 0 &&
	    d->n_jobs == d->cap_jobs)
		return -1;
	for (i = d->free_hint; d->jobs[i % d->cap_jobs] != NULL; i++)
		;
	i %= d->cap_jobs;
	d->free_hint = i + 1;
	d->serial = (d->serial + 1) & (UINT32_MAX >> INDEX_BITS);
	/* Index 0 with serial 0 would be the number that is not a job. */
	if (d->serial == 0)
		d->serial = 1;
	d->jobs[i] = job;
	d->n_jobs++;
	job->run.number = d->serial << INDEX_BITS | i;
	return 0;
}

struct job *
job_find(struct dispatch *d, uint32_t number)
{
	uint32_t i = number & INDEX_MASK;

	if (i >= d->cap_jobs || d->jobs[i] == NULL ||
	    d->jobs[i]->run.number != number)
		return NULL;
	return d->jobs[i];
}

struct job *
job_of(struct pool_job *run)
{
	return container_of(run, struct job, run);
}

/* --- lists ------------------------------------------------------------- */

void
job_unlink(struct job *job)
{
	struct dispatch *d = job->dispatch;

	if (job->state == JOB_HELD) {
		TAILQ_REMOVE(&d->held[job->run.kind], job, link);
		d->n_held[job->run.kind]--;
	}
}

void
job_disarm(struct job *job)
{
	if (job->kill_timer != NULL)
		event_free(job->kill_timer);
	job->kill_timer = NULL;
}

/* Twice as much is collected before it is cut: each cut moves what is left. */
void
job_print(struct job *job, struct slice line)
{
	struct buf *out = &job->output;

	if (job->output_is_set)
		return;
	line = history_tail(line, HISTORY_TEXT_MAX);
	buf_add(out, line.p, line.len);
	buf_addc(out, '\n');
	if (out->len > 2 * HISTORY_TEXT_MAX)
		buf_drain(out, out->len - HISTORY_TEXT_MAX);
	/* It goes on with what comes: no task fails for want of that memory. */
	if (out->failed)
		buf_done(out);
}

void
job_set_output(struct job *job, struct slice text)
{
	const int64_t max = job->dispatch->conf->exec.output_store;

	text = history_tail(text, (size_t)max);
	if (text.len == 0)
		return;
	buf_reset(&job->output);
	buf_add(&job->output, text.p, text.len);
	job->output_is_set = !job->output.failed;
	if (job->output.failed)
		buf_done(&job->output);
}

void
job_hold(struct job *job, bool first)
{
	struct dispatch *d = job->dispatch;

	job_unlink(job);
	job_disarm(job);
	job_enter(job, JOB_HELD);
	job->held_ms = clock_mono_ms();
	/* Its last start was not one, or it would not be here again. */
	job->started_us = 0;
	buf_reset(&job->output);
	job->output_is_set = false;
	if (first)
		TAILQ_INSERT_HEAD(&d->held[job->run.kind], job, link);
	else
		TAILQ_INSERT_TAIL(&d->held[job->run.kind], job, link);
	d->n_held[job->run.kind]++;
	dispatch_turn(d);
}

void
job_free(struct job *job)
{
	struct dispatch *d = job->dispatch;

	d->jobs[job->run.number & INDEX_MASK] = NULL;
	d->n_jobs--;
	job_disarm(job);
	task_free(job->task);
	free(job->trace);
	keep_end(job->dispatch->keep, job->kept);
	buf_done(&job->running_record);
	buf_done(&job->progress);
	buf_done(&job->output);
	buf_done(&job->record);
	buf_done(&job->retry_bytes);
	buf_done(&job->info);
	buf_done(&job->refusal);
	buf_done(&job->args);
	buf_done(&job->kwargs);
	free(job);
	/* There is room for another claim, and a stop may wait for this. */
	dispatch_turn(d);
}
