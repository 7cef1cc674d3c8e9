/* SPDX-License-Identifier: MIT */
/* The watch: whether executors, and their event loops, still answer. */
#include "pool/watch.h"

#include "core/task.h"
#include "pool/generation.h"
#include "util/err.h"
#include "util/log.h"

/* Before it is said: a machine that is busy or swaps answers within that. */
#define NAMED_TURNS 3

unsigned int
watch_silent_s(const struct executor *e)
{
	const unsigned int turns =
	    e->deaf > e->loop_behind ? e->deaf : e->loop_behind;

	return turns * (WATCH_MS / 1000);
}

struct pool_job *
watch_blocker(const struct pool *p, const struct executor *e)
{
	struct pool_job *job;

	if (e->blocker == 0 || e->loop_behind == 0)
		return NULL;
	job = p->events->find(e->blocker, p->opt.arg);
	return job != NULL && job->executor == e ? job : NULL;
}

/* --- what follows ------------------------------------------------------ */

static void
watch_log(const struct pool *p, const struct executor *e, const char *after)
{
	const struct pool_job *job = watch_blocker(p, e);
	const int pid = (int)executor_pid(e);

	if (e->deaf > 0)
		log_warning("%s executor %d does not answer, since %u s%s",
			    executor_kind(e), pid, watch_silent_s(e), after);
	else if (job != NULL)
		log_warning("the event loop of %s executor %d does not answer, "
			    "since %u s: task %s (%s) keeps it%s",
			    executor_kind(e), pid, watch_silent_s(e),
			    job->task->id, job->task->name, after);
	else
		log_warning("the event loop of %s executor %d does not answer, "
			    "since %u s: a callback keeps it%s",
			    executor_kind(e), pid, watch_silent_s(e), after);
}

static unsigned int
watch_grace_s(const struct executor *e)
{
	return (unsigned int)((e->limits->stuck_grace + 999999) / 1000000);
}

/* Names it once, and kills it when its time is over. */
static void
watch_judge(struct pool *p, struct executor *e)
{
	const unsigned int silent = watch_silent_s(e), grace = watch_grace_s(e);

	if (!e->named && silent > 0 &&
	    (silent >= NAMED_TURNS * (WATCH_MS / 1000) || silent >= grace)) {
		e->named = true;
		watch_log(p, e, "");
		p->events->on_silent(p->opt.arg);
		p->events->on_change(p->opt.arg);
		executor_check(e);
	}
	if (e->named && silent >= grace && !e->stuck) {
		e->stuck = true;
		watch_log(p, e, "; killing it");
		executor_kill(e);
	}
}

void
watch_heard(struct pool *p, struct executor *e, const struct ipc_message *m)
{
	const struct ipc_pong *pong = m->fixed;

	/* Killed already: what it says now must not change whom that blames. */
	if (e->stuck)
		return;
	e->pinged = false;
	e->deaf = 0;
	e->loop_behind = pong->missed;
	e->blocker = m->task;
	if (pong->missed > 0) {
		watch_judge(p, e);
	} else if (e->named) {
		e->named = false;
		log_notice("%s executor %d answers again", executor_kind(e),
			   (int)executor_pid(e));
		p->events->on_silent(p->opt.arg);
		p->events->on_change(p->opt.arg);
	}
}

/* --- turns ------------------------------------------------------------- */

/* One that has nothing to do harms nobody, and is left in peace, unless it was
 * told to end. One that is starting has a deadline of its own. */
static bool
watch_needs(const struct executor *e)
{
	return e->state == EXECUTOR_STOPPING ||
	       (executor_is_up(e) && !TAILQ_EMPTY(&e->jobs));
}

static void
watch_ask(struct pool *p, struct executor *e)
{
	if (e->pinged) {
		e->deaf++;
		watch_judge(p, e);
		return;
	}
	e->pinged = true;
	executor_process_send(e->process, IPC_PING, 0, NULL, NULL, 0);
}

static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct pool *p = arg;
	struct executor *e;
	bool again = false;

	TAILQ_FOREACH (e, &p->executors, link)
		if (watch_needs(e)) {
			watch_ask(p, e);
			again = true;
		}
	if (again)
		watch_start(p);
}

void
watch_start(struct pool *p)
{
	const struct timeval tv = {.tv_sec = WATCH_MS / 1000,
				   .tv_usec = WATCH_MS % 1000 * 1000};

	if (!evtimer_pending(p->watch, NULL))
		evtimer_add(p->watch, &tv);
}

int
watch_open(struct pool *p, struct err *err)
{
	p->watch = evtimer_new(p->opt.base, on_watch, p);
	return p->watch != NULL ? 0 : err_nomem(err);
}

void
watch_close(struct pool *p)
{
	if (p->watch != NULL)
		event_free(p->watch);
}
