/* SPDX-License-Identifier: MIT */
/*
 * The threads that run blocking handlers, and the queue before them.
 *
 * All is under one lock, which is never held while a handler runs, while
 * somebody reads, or while bytes are written. What is done per task is kept to
 * one lock hold (take_next()) and, when tasks are short, no wake-up at all: to
 * wake a thread takes about SHORT_US, often longer than the task.
 */
#include "executor/workers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "executor/crash.h"
#include "executor/thread.h"
#include "module/loader.h"
#include "util/clock.h"
#include "util/err.h"

/* Scratch memory that grew beyond this is given back: most results are smaller,
 * and one that is not should not cost its size in every thread for ever. */
#define SCRATCH_KEEP (64u << 10)
/* What takes less is done before another thread has woken up for it. */
#define SHORT_US 50
/* The average once a tick finds one that does not, until a few short ones have
 * ended. */
#define LONG_US 100

struct worker {
	struct workers *pool;
	struct thread thread;
	struct flowrra_task *running; /* under the pool's lock */
	struct buf scratch;
};

/* Who reads from flowrrad. */
enum lead {
	LEAD_NOBODY, /* the next idle thread takes it, or the next tick finds one */
	LEAD_WORKER,
	LEAD_LOOP /* the event loop's thread */
};

struct workers {
	struct workers_options opt;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct task_list queue;
	enum lead lead; /* exactly one reads, or nobody for a tick at most */
	double ran_us;	/* moving average of how long handlers run */
	unsigned int n_queued;
	unsigned int n_idle;   /* waiting in `work` */
	unsigned int n_waking; /* of them, how many were signalled */
	unsigned int n_alive;
	bool stopping;
	unsigned int n;
	struct worker list[];
};

/* --- the threads --------------------------------------------------------- */

/* Never more than there are: a signal that nobody waits for would be counted in
 * n_waking for ever. */
static void
wake_one(struct workers *w)
{
	if (w->n_idle > w->n_waking) {
		w->n_waking++;
		pthread_cond_signal(&w->work);
	}
}

/* Wakes a thread if it is worth it: for what is queued, or to read while the
 * caller runs a handler. */
static void
share(struct workers *w)
{
	if (w->n_queued * w->ran_us > SHORT_US ||
	    (w->lead == LEAD_NOBODY && w->ran_us > SHORT_US))
		wake_one(w);
}

/* The first of the queue, which is the worker's from now on; NULL if it is
 * empty. One that leaves tasks behind wakes another, which wakes the next: as
 * many threads as are needed, without one that hands out. */
static struct flowrra_task *
take_locked(struct worker *self)
{
	struct workers *w = self->pool;
	struct flowrra_task *t = TAILQ_FIRST(&w->queue);

	if (t != NULL) {
		TAILQ_REMOVE(&w->queue, t, entry);
		w->n_queued--;
		share(w);
	}
	self->running = t;
	return t;
}

/* Ends the worker's task, which ran so long, and takes the next if there is
 * one: one lock hold for both. */
static struct flowrra_task *
take_next(struct worker *self, int64_t ran_us)
{
	struct workers *w = self->pool;
	struct flowrra_task *t;

	pthread_mutex_lock(&w->lock);
	/* An eighth: a few tasks of another kind change it, one does not. */
	w->ran_us += ((double)ran_us - w->ran_us) / 8;
	t = take_locked(self);
	pthread_mutex_unlock(&w->lock);
	return t;
}

/* Reads once, without the lock; the caller has found the queue empty. */
static void
lead_locked(struct workers *w)
{
	bool more;

	w->lead = LEAD_WORKER;
	pthread_mutex_unlock(&w->lock);
	more = w->opt.read(w->opt.arg);
	pthread_mutex_lock(&w->lock);
	/* The loop's thread finds out, too, why there is nothing more. */
	w->lead = more ? LEAD_NOBODY : LEAD_LOOP;
}

static void
idle_locked(struct workers *w)
{
	/* It gives the lead back to us. */
	if (w->lead == LEAD_LOOP)
		w->opt.tick(w->opt.arg);
	w->n_idle++;
	pthread_cond_wait(&w->work, &w->lock);
	w->n_idle--;
	/* It may have woken without a signal: then one too few is counted as
	 * waking, which costs a signal and no task. */
	if (w->n_waking > 0)
		w->n_waking--;
}

/* Waits for a task; NULL at the end. */
static struct flowrra_task *
wait_next(struct worker *self)
{
	struct workers *w = self->pool;
	struct flowrra_task *t;

	pthread_mutex_lock(&w->lock);
	while ((t = take_locked(self)) == NULL && !w->stopping) {
		if (w->lead == LEAD_NOBODY)
			lead_locked(w);
		else
			idle_locked(w);
	}
	pthread_mutex_unlock(&w->lock);
	return t;
}

/* Runs the handler; returns how it ended and *ret_result, to be released after
 * the end is sent. */
static struct task_end
run_handler(struct worker *self, struct flowrra_task *t, json_t **ret_result)
{
	struct err err;
	int r;

	if (task_parse(t, &err) != 0) {
		buf_reset(&self->scratch);
		buf_adds(&self->scratch, err.msg);
		return (struct task_end){
		    .outcome = IPC_FAILED_FINAL,
		    .text = {self->scratch.data, self->scratch.len}};
	}
	crash_set_task(t->number);
	r = t->type->type.run(t, t->args, t->kwargs, ret_result);
	crash_set_task(0);
	if (r != 0)
		return task_end_failed(t, r, &self->scratch);
	return task_end_result(t, *ret_result, &self->scratch);
}

/* Runs a task to its end and returns the next one, if there is one already. */
static struct flowrra_task *
run_task(struct worker *self, struct flowrra_task *t)
{
	struct flowrra_task *next;
	json_t *result = NULL;
	struct task_end end;

	task_begin(t);
	end = run_handler(self, t, &result);
	/* Before DONE, so that STARTED cannot come after it; and to know
	 * whether somebody else is going to write soon. */
	next = take_next(self, task_ran_us(t));
	task_send_end(t, &end, next == NULL);
	crash_set_task(t->number); /* releasing may call what it made */
	task_drop_result(result, &end);
	crash_set_task(0);
	task_free(t);
	if (self->scratch.cap > SCRATCH_KEEP)
		buf_done(&self->scratch);
	return next;
}

static void
worker_main(void *arg)
{
	struct worker *self = arg;
	struct workers *w = self->pool;
	struct flowrra_task *t = NULL;
	bool last;

	while (t != NULL || (t = wait_next(self)) != NULL)
		t = run_task(self, t);
	buf_done(&self->scratch);
	/* The last one tells, when the others have left the lock for good. */
	pthread_mutex_lock(&w->lock);
	last = --w->n_alive == 0;
	pthread_mutex_unlock(&w->lock);
	w->opt.tick(w->opt.arg); /* somebody has to read */
	if (last)
		w->opt.on_stopped(w->opt.arg);
}

static int
start_one(struct workers *w, struct err *err)
{
	struct worker *self = &w->list[w->n];

	self->pool = w;
	self->thread.main = worker_main;
	self->thread.arg = self;
	/* No more than [executor] io_workers may be, 1024. */
	snprintf(self->thread.name, sizeof(self->thread.name), "handler-%u",
		 w->n % 10000 + 1);
	if (thread_start(&self->thread, err) != 0)
		return -1;
	w->n_alive++;
	w->n++;
	return 0;
}

/* The lock holds the first threads back until all are there. */
int
workers_fill(struct workers *w, struct err *err)
{
	int r = 0;

	pthread_mutex_lock(&w->lock);
	while (r == 0 && w->n < w->opt.n && !w->stopping)
		r = start_one(w, err);
	pthread_mutex_unlock(&w->lock);
	return r;
}

struct workers *
workers_new(const struct workers_options *o, struct err *err)
{
	struct workers *w =
	    calloc(1, sizeof(*w) + o->n * sizeof(struct worker));

	if (w == NULL) {
		err_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	TAILQ_INIT(&w->queue);
	w->opt = *o;
	/* The loop's thread has read INIT, and reads on until a worker is
	 * idle. */
	w->lead = LEAD_LOOP;
	if (workers_fill(w, err) == 0 || w->n > 0)
		return w;
	workers_free(w);
	return NULL;
}

void
workers_free(struct workers *w)
{
	unsigned int i;

	if (w == NULL)
		return;
	for (i = 0; i < w->n; i++)
		pthread_join(w->list[i].thread.id, NULL);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* --- the reader's side --------------------------------------------------- */

void
workers_add(struct workers *w, struct task_list *tasks)
{
	struct flowrra_task *t;
	unsigned int n = 0;

	TAILQ_FOREACH (t, tasks, entry)
		n++;
	pthread_mutex_lock(&w->lock);
	TAILQ_CONCAT(&w->queue, tasks, entry);
	w->n_queued += n;
	/* A thread that reads takes the first itself. */
	if (w->lead == LEAD_LOOP)
		wake_one(w);
	pthread_mutex_unlock(&w->lock);
}

void
workers_recall(struct workers *w, struct task_list *ret)
{
	pthread_mutex_lock(&w->lock);
	TAILQ_CONCAT(ret, &w->queue, entry);
	w->n_queued = 0;
	pthread_mutex_unlock(&w->lock);
}

static bool
cancel_locked(struct workers *w, uint32_t number, struct flowrra_task **ret)
{
	struct flowrra_task *t;
	unsigned int i;

	TAILQ_FOREACH (t, &w->queue, entry)
		if (t->number == number) {
			TAILQ_REMOVE(&w->queue, t, entry);
			w->n_queued--;
			*ret = t;
			return true;
		}
	/* A thread puts its next task into `running` under this lock: one that
	 * is in neither place has ended. */
	for (i = 0; i < w->n; i++) {
		t = w->list[i].running;
		if (t != NULL && t->number == number) {
			task_cancel(t);
			return true;
		}
	}
	return false;
}

bool
workers_signal(struct workers *w, uint32_t number, int sig)
{
	struct flowrra_task *t;
	unsigned int i;
	bool found = false;

	pthread_mutex_lock(&w->lock);
	for (i = 0; i < w->n && !found; i++) {
		t = w->list[i].running;
		found = t != NULL && t->number == number;
		if (found)
			atomic_store(&t->signal_due, sig);
	}
	pthread_mutex_unlock(&w->lock);
	return found;
}

bool
workers_cancel(struct workers *w, uint32_t number, struct flowrra_task **ret)
{
	bool found;

	*ret = NULL;
	pthread_mutex_lock(&w->lock);
	found = cancel_locked(w, number, ret);
	pthread_mutex_unlock(&w->lock);
	return found;
}

/* Returns whether a task runs that was not reported. */
static bool
report_locked(struct workers *w)
{
	int64_t now = clock_mono_us(), started;
	int64_t due = now - IPC_STARTED_AFTER_MS * 1000;
	struct flowrra_task *t;
	unsigned int i;
	bool more = false;

	for (i = 0; i < w->n; i++) {
		t = w->list[i].running;
		if (t == NULL || t->reported)
			continue;
		started = atomic_load_explicit(&t->started_mono_us,
					       memory_order_acquire);
		/* Its end, which may be far away, would say so too late for
		 * those that wait behind it. */
		if (started != 0 && now - started > SHORT_US &&
		    w->ran_us < LONG_US)
			w->ran_us = LONG_US;
		if (started != 0 && started <= due)
			task_report(t);
		else
			more = true;
	}
	return more;
}

/* Finds a thread that reads, and threads that run what is queued. */
static void
staff_locked(struct workers *w)
{
	if (w->lead != LEAD_WORKER)
		w->lead =
		    w->n_idle > 0 && !w->stopping ? LEAD_NOBODY : LEAD_LOOP;
	if (w->lead == LEAD_NOBODY || w->n_queued > 0)
		wake_one(w);
}

struct workers_tick
workers_tick(struct workers *w)
{
	struct workers_tick tick;

	pthread_mutex_lock(&w->lock);
	tick.again = report_locked(w) || w->n_queued > 0;
	staff_locked(w);
	tick.read = w->lead == LEAD_LOOP;
	pthread_mutex_unlock(&w->lock);
	return tick;
}

void
workers_stop(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
}

bool
workers_stopped(struct workers *w)
{
	bool stopped;

	pthread_mutex_lock(&w->lock);
	stopped = w->n_alive == 0;
	pthread_mutex_unlock(&w->lock);
	return stopped;
}
