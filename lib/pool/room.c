/* SPDX-License-Identifier: MIT */
/*
 * Which job goes to which executor.
 *
 * An executor gets as many jobs as it has slots, and some more while its jobs
 * are short: as many as it will get through in PREFETCH_US, so that it never
 * waits for the next. Should a long one come among them, those behind it are
 * called back after POOL_STUCK_MS and run elsewhere, or go back to the queue.
 */
#include "pool/room.h"

#include <string.h>

#include "core/task.h"
#include "pool/generation.h"
#include "pool/watch.h"
#include "util/clock.h"

/*
 * The work that may wait in an executor. It must cover the time from a DONE to
 * the next RUN: two wake-ups and what else the loop has to do, below 1 ms on a
 * machine that is not busy. More would only make jobs wait behind others that
 * could run elsewhere; 4 ms are less than what an executor takes for long
 * (IPC_STARTED_AFTER_MS, POOL_STUCK_MS).
 */
#define PREFETCH_US 4000
/* For jobs that take next to no time. It bounds what must come back, and be
 * given out again, when the executor dies. */
#define PREFETCH_MAX 512
/* room_learn(): an eighth of each new time, as TCP does with round trips: a
 * single long job is seen at once, since it counts for far more than the
 * window, and a single short one changes little. */
#define LEARN_SHARE 8

/* a - b, but never below 0: after a reload to fewer slots, or when the window
 * has shrunk, an executor has more jobs than it would get now. */
static unsigned int
room_less(unsigned int a, unsigned int b)
{
	return a > b ? a - b : 0;
}

/* --- room -------------------------------------------------------------- */

/* Which executors run which kind of job. */
static const struct {
	enum executor_role role;
	enum executor_side side;
	bool async;
	enum pool_kind alone;
} room_kinds[] = {
    [POOL_THREAD] = {EXECUTOR_IO, EXECUTOR_MODULES, false, POOL_ALONE},
    [POOL_ASYNC] = {EXECUTOR_IO, EXECUTOR_MODULES, true, POOL_ALONE},
    [POOL_CPU] = {EXECUTOR_CPU, EXECUTOR_MODULES, false, POOL_CPU},
    [POOL_COMMAND] = {EXECUTOR_IO, EXECUTOR_COMMANDS, true, POOL_ALONE_COMMAND},
    [POOL_CPU_COMMAND] = {EXECUTOR_CPU, EXECUTOR_COMMANDS, false,
			  POOL_CPU_COMMAND},
    [POOL_ALONE] = {EXECUTOR_ALONE, EXECUTOR_MODULES, false, POOL_ALONE},
    [POOL_ALONE_COMMAND] = {EXECUTOR_ALONE, EXECUTOR_COMMANDS, false,
			    POOL_ALONE_COMMAND},
};

enum pool_kind
pool_kind_alone(enum pool_kind kind)
{
	return room_kinds[kind].alone;
}

bool
pool_kind_is_alone(enum pool_kind kind)
{
	return room_kinds[kind].role == EXECUTOR_ALONE;
}

bool
pool_kind_is_async(enum pool_kind kind)
{
	return room_kinds[kind].async;
}

static bool
room_is_for(const struct executor *e, enum pool_kind kind)
{
	return e->role == room_kinds[kind].role &&
	       e->side == room_kinds[kind].side;
}

/* The one that is always there for this kind, or NULL. */
static struct executor *
room_io(const struct pool *p, enum pool_kind kind)
{
	return p->current->sides[room_kinds[kind].side].io;
}

static unsigned int
slots_of(const struct executor *e)
{
	return executor_is_serial(e) ? 1 : (unsigned int)e->limits->io_workers;
}

/* How many blocking jobs the executor may have: one a slot, and as many as all
 * slots together get through in PREFETCH_US. The 1 µs keeps the quotient
 * finite. */
static unsigned int
room_window(const struct executor *e)
{
	unsigned int slots = slots_of(e);
	double more = slots * PREFETCH_US / (e->ran_us + 1);

	return slots +
	       (more < PREFETCH_MAX ? (unsigned int)more : PREFETCH_MAX);
}

/* Of those that only wait for others there may be any number more. */
static unsigned int
room_async(const struct executor *e, enum pool_kind kind)
{
	return room_less((unsigned int)e->limits->async_tasks,
			 e->count[kind] - e->waits[kind]);
}

bool
room_for_one(const struct executor *e, enum pool_kind kind)
{
	return room_async(e, kind) > 0;
}

/* Asynchronous jobs are all started at once, so none of them waits in there,
 * and there is no window for them. */
static unsigned int
room_of(const struct executor *e, enum pool_kind kind)
{
	if (e->state != EXECUTOR_READY || e->named)
		return 0;
	/* It is for a single job, and none is sent behind it. */
	if (pool_kind_is_alone(kind))
		return TAILQ_EMPTY(&e->jobs) ? 1 : 0;
	if (pool_kind_is_async(kind))
		return room_async(e, kind);
	return room_less(room_window(e), e->count[kind]);
}

/* How many executors for this kind of job there may be. Suspects are few, mostly;
 * as many run at the same time, each by itself, as would have in threads. */
static unsigned int
room_most(const struct generation *g, enum pool_kind kind)
{
	return room_kinds[kind].role == EXECUTOR_CPU
		   ? g->cpu_max
		   : (unsigned int)g->limits.io_workers;
}

/*
 * The executors that count against that, and whether one of them is coming up.
 * A doomed one counts, as it still uses its core; a retired one does not, since
 * it ends by itself and its place is wanted now.
 */
static unsigned int
room_executors(const struct pool *p, enum pool_kind kind, bool *ret_starting)
{
	const struct executor *e;
	unsigned int n = 0;

	*ret_starting = false;
	TAILQ_FOREACH (e, &p->executors, link) {
		if (!room_is_for(e, kind) || e->generation != p->current)
			continue;
		n += e->state == EXECUTOR_STARTING ||
		     e->state == EXECUTOR_READY || e->state == EXECUTOR_DOOMED;
		if (e->state == EXECUTOR_STARTING)
			*ret_starting = true;
	}
	return n;
}

unsigned int
pool_room(const struct pool *p, enum pool_kind kind)
{
	const struct generation *g = p->current;
	const struct executor *e;
	unsigned int n = 0;
	bool starting;

	e = room_io(p, kind);
	if (room_kinds[kind].role == EXECUTOR_IO)
		return e == NULL ? 0 : room_of(e, kind);
	if (!generation_has(g, room_kinds[kind].side))
		return 0;
	TAILQ_FOREACH (e, &p->executors, link)
		if (room_is_for(e, kind))
			n += room_of(e, kind);
	/* Executors for such jobs are started when there are some. */
	if (!generation_is_waiting(g))
		n += room_less(room_most(g, kind),
			       room_executors(p, kind, &starting));
	return n;
}

bool
pool_is_starting(const struct pool *p, enum pool_kind kind)
{
	const struct executor *io = room_io(p, kind);
	bool starting;

	if (room_kinds[kind].role == EXECUTOR_IO)
		return generation_has(p->current, room_kinds[kind].side) &&
		       (io == NULL || !executor_is_up(io));
	room_executors(p, kind, &starting);
	return starting;
}

/* One after the other: by the time that one is up, the jobs that it was started
 * for may have been done by those that were there. */
void
pool_start(struct pool *p, enum pool_kind kind)
{
	struct generation *g = p->current;
	bool starting;

	if (p->phase == POOL_OPEN && !generation_is_waiting(g) &&
	    room_kinds[kind].role != EXECUTOR_IO &&
	    room_executors(p, kind, &starting) < room_most(g, kind) &&
	    !starting)
		generation_start_one(g, room_kinds[kind].role,
				     room_kinds[kind].side);
}

/* --- running ----------------------------------------------------------- */

/* The executor for the next job of this kind, or NULL. Of the cpu executors,
 * the one with the fewest jobs: one that is idle before one that would
 * prefetch. */
static struct executor *
room_choose(const struct pool *p, enum pool_kind kind)
{
	struct executor *e, *best = NULL;

	if (room_kinds[kind].role == EXECUTOR_IO) {
		e = room_io(p, kind);
		return e != NULL && room_of(e, kind) > 0 ? e : NULL;
	}
	TAILQ_FOREACH (e, &p->executors, link) {
		if (!room_is_for(e, kind) || room_of(e, kind) == 0)
			continue;
		if (best == NULL || e->count[kind] < best->count[kind])
			best = e;
	}
	return best;
}

bool
pool_has_room(const struct pool *p, enum pool_kind kind)
{
	return room_choose(p, kind) != NULL;
}

/* Keyword arguments with one more before them; an executor sees no difference. */
static size_t
add_kwargs(struct slice parts[4], const struct pool_job *job)
{
	const struct slice kwargs = job->task->kwargs;
	/* The first one stands behind the brace, if there is any. */
	const bool joined = job->environment.len > 0 && kwargs.len > 2 &&
			    kwargs.p[0] == '{' && kwargs.p[1] == '"';
	size_t len = 0, i;

	parts[0] = kwargs;
	for (i = 1; i < 4; i++)
		parts[i] = SLICE("");
	if (joined) {
		parts[0] = SLICE("{\"env\":");
		parts[1] = job->environment;
		parts[2] = SLICE(",");
		parts[3] = (struct slice){kwargs.p + 1, kwargs.len - 1};
	}
	for (i = 0; i < 4; i++)
		len += parts[i].len;
	return len;
}

static void
send_job(struct executor *e, const struct pool_job *job)
{
	const struct task *task = job->task;
	struct ipc_run run = {.timeout_us = task->timeout_us,
			      .attempt = (uint32_t)(task->current_retry + 1),
			      .max_attempts = (uint32_t)(task->max_retries + 1),
			      .id_len = (uint32_t)strlen(task->id),
			      .name_len = (uint32_t)strlen(task->name),
			      .args_len = (uint32_t)task->args.len,
			      .traceparent_len = (uint32_t)job->traceparent.len,
			      .tracestate_len = (uint32_t)job->tracestate.len,
			      .flow_len = (uint32_t)task->flow.len};
	struct slice rest[3 + 4 + 3] = {
	    {task->id, run.id_len}, {task->name, run.name_len}, task->args};
	size_t n = job->environment.len > 0 ? 3 + 4 : 3 + 1;

	run.kwargs_len = (uint32_t)add_kwargs(&rest[3], job);
	rest[n++] = job->traceparent;
	rest[n++] = job->tracestate;
	rest[n++] = task->flow;
	executor_process_send(e->process, IPC_RUN, job->number, &run, rest, n);
}

bool
pool_run(struct pool *p, struct pool_job *job)
{
	struct executor *e = room_choose(p, job->kind);

	if (e == NULL)
		return false;
	executor_add(e, job);
	watch_start(p);
	send_job(e, job);
	return true;
}

/* --- long and short ---------------------------------------------------- */

/* The executor moves even if the time is not known (the job was never run). */
void
room_learn(struct executor *e, int64_t ran_us)
{
	if (ran_us >= 0)
		e->ran_us += ((double)ran_us - e->ran_us) / LEARN_SHARE;
	e->moved_ms = clock_mono_ms();
}

bool
pool_unstick(struct pool *p)
{
	const int64_t now = clock_mono_ms();
	struct executor *e;
	bool look_again = false;
	unsigned int n;

	TAILQ_FOREACH (e, &p->executors, link) {
		n = e->count[POOL_THREAD] + e->count[POOL_CPU] +
		    e->count[POOL_CPU_COMMAND];
		if (n <= slots_of(e))
			continue;
		look_again = true;
		if (executor_is_up(e) && !e->recalling &&
		    now - e->moved_ms >= POOL_STUCK_MS) {
			/* What runs now is not short. DONE will say how long it
			 * was; until then no more may be sent behind it. */
			e->ran_us += PREFETCH_US * (double)LEARN_SHARE;
			executor_recall(e);
		}
	}
	return look_again;
}
