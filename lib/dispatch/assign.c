/* SPDX-License-Identifier: MIT */
/*
 * Which job goes to which runner, and how many more to claim.
 *
 * A runner gets as many jobs as it has slots, and some more while its jobs are
 * short: as many as it will get through in PREFETCH_US, so that it never waits
 * for the next. Should a long one come among them, those behind it are called
 * back after STUCK_MS and run elsewhere, or go back to the queue.
 */
#include <string.h>

#include "dispatch/state.h"
#include "util/clock.h"

#define PREFETCH_US 4000
#define PREFETCH_MAX 512
#define STUCK_MS 10
/* A job that finds no runner here may find one in another worker. */
#define HOLD_MS 20
/* A queue that brought nothing for so long is asked for one task only. */
#define HOT_MS 100
/* Jobs that have ended and wait for backend and broker: with more of them,
 * nothing is claimed until the servers have caught up. */
#define UNSETTLED_MAX 512

/* --- room -------------------------------------------------------------- */

/* How many blocking jobs the runner may have. */
static unsigned int
window(const struct runner *r)
{
	unsigned int slots =
	    r->cpu ? 1 : (unsigned int)r->generation->limits.io_workers;
	double more = slots * PREFETCH_US / (r->ran_us + 1);

	return slots +
	       (more < PREFETCH_MAX ? (unsigned int)more : PREFETCH_MAX);
}

static unsigned int
less(unsigned int a, unsigned int b)
{
	return a > b ? a - b : 0;
}

static unsigned int
runner_room(const struct runner *r, enum job_kind kind)
{
	if (!r->ready || r->retired || r->doomed)
		return 0;
	if (kind == KIND_ASYNC)
		return less((unsigned int)r->generation->limits.async_tasks,
			    r->count[KIND_ASYNC]);
	return less(window(r), r->count[kind]);
}

/* Executors for cpu-bound jobs are started when there are such jobs. */
static unsigned int
cpu_runners(const struct dispatch *d, bool *ret_starting)
{
	const struct runner *r;
	unsigned int n = 0;

	*ret_starting = false;
	TAILQ_FOREACH (r, &d->runners, link) {
		if (!r->cpu || r->generation != d->current || r->retired)
			continue;
		n++;
		if (!r->ready)
			*ret_starting = true;
	}
	return n;
}

/* Room for more jobs of a kind, those that are held taken off. */
static unsigned int
room(const struct dispatch *d, enum job_kind kind)
{
	const struct generation *g = d->current;
	const struct runner *r;
	unsigned int n = 0;
	bool starting;

	if (kind != KIND_CPU)
		return g->io == NULL
			   ? 0
			   : less(runner_room(g->io, kind), d->n_held[kind]);
	TAILQ_FOREACH (r, &d->runners, link)
		if (r->cpu)
			n += runner_room(r, KIND_CPU);
	if (!evtimer_pending(g->respawn, NULL))
		n += less(g->cpu_max, cpu_runners(d, &starting));
	return less(n, d->n_held[KIND_CPU]);
}

/* --- assigning --------------------------------------------------------- */

static struct runner *
choose(struct dispatch *d, enum job_kind kind)
{
	struct runner *r, *best = NULL;

	if (kind != KIND_CPU) {
		r = d->current->io;
		return r != NULL && runner_room(r, kind) > 0 ? r : NULL;
	}
	TAILQ_FOREACH (r, &d->runners, link) {
		if (!r->cpu || runner_room(r, KIND_CPU) == 0)
			continue;
		if (best == NULL || r->count[KIND_CPU] < best->count[KIND_CPU])
			best = r;
	}
	return best;
}

static void
send_job(struct runner *r, struct job *job)
{
	const struct task *task = job->task;
	const int64_t retries = job->task->max_retries;
	const struct ipc_run run = {.timeout_us = task->timeout_us,
				    .attempt =
					(uint32_t)(task->current_retry + 1),
				    .max_attempts = (uint32_t)(retries + 1),
				    .id_len = (uint32_t)strlen(task->id),
				    .name_len = (uint32_t)strlen(task->name),
				    .args_len = (uint32_t)task->args.len,
				    .kwargs_len = (uint32_t)task->kwargs.len};
	const struct slice rest[] = {{task->id, run.id_len},
				     {task->name, run.name_len},
				     task->args,
				     task->kwargs};

	job_unlink(job);
	job_enter(job, JOB_RUNNING);
	runner_add(r, job);
	executor_process_send(r->child, IPC_RUN, job->number, &run, rest, 4);
}

/* One more executor, if more jobs are held than are being prepared for. */
static void
start_cpu(struct dispatch *d)
{
	bool starting;

	if (TAILQ_EMPTY(&d->held[KIND_CPU]) || d->stopping)
		return;
	if (cpu_runners(d, &starting) < d->current->cpu_max && !starting)
		runner_spawn_cpu(d->current);
}

void
assign_jobs(struct dispatch *d)
{
	struct runner *r;
	enum job_kind kind;

	for (kind = 0; kind < KIND_COUNT && !d->stopping; kind++)
		while (!TAILQ_EMPTY(&d->held[kind]) &&
		       (r = choose(d, kind)) != NULL)
			send_job(r, TAILQ_FIRST(&d->held[kind]));
	start_cpu(d);
}

/* --- claiming ---------------------------------------------------------- */

/* Jobs of a kind that are with runners. */
static unsigned int
running(const struct dispatch *d, enum job_kind kind)
{
	const struct runner *r;
	unsigned int n = 0;

	TAILQ_FOREACH (r, &d->runners, link)
		n += r->count[kind];
	return n;
}

/*
 * While all slots are taken and there is plenty to follow, small room is not
 * worth a question to the broker: larger claims cost less.
 */
static bool
worth_asking(const struct dispatch *d, enum job_kind kind, unsigned int n)
{
	const struct conf *conf = d->current->conf;
	const unsigned int slots[] = {
	    [KIND_THREAD] = (unsigned int)conf->executor.io_workers,
	    [KIND_ASYNC] = (unsigned int)conf->executor.async_tasks,
	    [KIND_CPU] = d->current->cpu_max};
	unsigned int busy = running(d, kind);

	return busy < slots[kind] || n >= busy / 3;
}

/* How many jobs have ended, but are not settled yet. */
static unsigned int
unsettled(const struct dispatch *d)
{
	unsigned int alive = 0;
	enum job_kind kind;

	for (kind = 0; kind < KIND_COUNT; kind++)
		alive += d->n_held[kind] + running(d, kind);
	return less(d->n_jobs, alive);
}

void
assign_wants(struct dispatch *d)
{
	unsigned int rooms[KIND_COUNT] = {0}, hot[KIND_COUNT] = {0}, i, n, most;
	int64_t now = clock_mono_ms();
	enum job_kind kind;
	bool is_hot;

	if (!d->broker_state.up && !d->stopping)
		return;
	most = less(UNSETTLED_MAX, unsettled(d));
	for (kind = 0; kind < KIND_COUNT && !d->stopping && !d->quiet; kind++) {
		n = room(d, kind);
		rooms[kind] = n < most ? n : most;
	}
	for (i = 0; i < d->n_queues; i++)
		hot[d->queues[i].kind] +=
		    now - d->queues[i].claimed_ms < HOT_MS;
	for (i = 0; i < d->n_queues; i++) {
		kind = d->queues[i].kind;
		is_hot = now - d->queues[i].claimed_ms < HOT_MS;
		n = rooms[kind];
		if (n > 0 && !worth_asking(d, kind, n))
			continue;
		if (n > 1 && hot[kind] > 0)
			n = is_hot ? (n + hot[kind] - 1) / hot[kind] : 1;
		broker_want(d->broker, i, n);
	}
}

/* --- long and short ---------------------------------------------------- */

void
assign_learn(struct runner *r, int64_t ran_us)
{
	if (ran_us >= 0)
		r->ran_us += ((double)ran_us - r->ran_us) / 8;
	r->moved_ms = clock_mono_ms();
}

static unsigned int
slots_of(const struct runner *r)
{
	return r->cpu ? 1 : (unsigned int)r->generation->limits.io_workers;
}

static bool
is_stuck(const struct runner *r, int64_t now)
{
	unsigned int n = r->count[KIND_THREAD] + r->count[KIND_CPU];

	return r->ready && !r->recalling && n > slots_of(r) &&
	       now - r->moved_ms >= STUCK_MS;
}

/* An executor that is starting will have room soon. */
static bool
is_starting(const struct dispatch *d, enum job_kind kind)
{
	bool starting;

	if (kind == KIND_CPU) {
		cpu_runners(d, &starting);
		return starting;
	}
	return d->current->io == NULL || !d->current->io->ready;
}

static bool
put_back_old(struct dispatch *d, int64_t now)
{
	struct job *job, *next;
	enum job_kind kind;
	bool left = false;

	for (kind = 0; kind < KIND_COUNT; kind++) {
		if (is_starting(d, kind)) {
			left = left || !TAILQ_EMPTY(&d->held[kind]);
			continue;
		}
		/* The last first: each goes to the front of its queue. */
		for (job = TAILQ_LAST(&d->held[kind], job_list); job;
		     job = next) {
			next = TAILQ_PREV(job, job_list, link);
			if (now - job->held_ms < HOLD_MS ||
			    choose(d, kind) != NULL)
				left = true;
			else
				outcome_put_back(job);
		}
	}
	return left;
}

void
assign_unstick(struct dispatch *d)
{
	const struct timeval tv = {.tv_usec = STUCK_MS * 1000};
	int64_t now = clock_mono_ms();
	struct runner *r;
	bool look_again;

	look_again = put_back_old(d, now);
	TAILQ_FOREACH (r, &d->runners, link) {
		if (is_stuck(r, now)) {
			/* Whoever runs now is not short. */
			r->ran_us += PREFETCH_US * 8.0;
			runner_recall(r);
		}
		if (r->count[KIND_THREAD] + r->count[KIND_CPU] > slots_of(r))
			look_again = true;
	}
	if (look_again && !evtimer_pending(d->stall, NULL))
		evtimer_add(d->stall, &tv);
}
