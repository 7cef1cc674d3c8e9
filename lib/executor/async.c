/* SPDX-License-Identifier: MIT */
/*
 * The event loop for asynchronous handlers, in a thread of its own.
 *
 * A task is in the inbox, then running, then ended; the reader adds to the
 * inbox and takes back from it under the lock, and all later steps are the
 * loop's alone. Handlers run in this one thread, so one that blocks holds up
 * all others: only `entered` is visible from outside, so that flowrrad hears of
 * it.
 */
#include "executor/async.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/crash.h"
#include "executor/outbox.h"
#include "executor/thread.h"
#include "module/loader.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/timer.h"

/*
 * Ended tasks are kept for a while, so that a module that ends one twice is
 * told so instead of corrupting memory. Large ones are not; together they take
 * 1 MiB at most. A second end mostly comes in the same callback or the next,
 * long before that many tasks have ended.
 */
#define ENDED_KEEP 256
#define ENDED_SIZE_MAX 4096
/* As in workers.c. */
#define SCRATCH_KEEP (64u << 10)

struct async_signal {
	uint32_t number;
	int sig;
};

struct async {
	struct event_base *base;
	struct thread thread;
	void (*on_stopped)(void *arg);
	void *arg;

	/* What other threads hand over; then `wake` is fired. */
	pthread_mutex_t lock;
	struct task_list inbox;
	struct buf cancels; /* of uint32_t */
	struct buf signals; /* of struct async_signal */
	unsigned int pings; /* that the loop has not taken */
	bool stopping;
	bool stopped;
	struct timer *wake;
	/* Whose start or cancel function runs; set by the loop. While one holds
	 * it up, another thread can still report that task. */
	struct flowrra_task *entered;

	/* The loop's own. */
	struct outbox *outbox;
	struct task_list running;
	TAILQ_HEAD(, flowrra_task) unreported; /* the first started first */
	bool ending; /* `stopping`, as the loop knows it */
	/* Fired when a task ends, so that all that end in one turn are written
	 * together. */
	struct timer *flush;
	struct timer *report; /* due when the first unreported task is */
	struct buf scratch;
	struct flowrra_task *ended[ENDED_KEEP];
	unsigned int next_ended;
};

/* A mistake of the module's, which would corrupt memory later, where it could
 * not be told from other crashes. The abort blames the task that runs. */
static _Noreturn void
misuse(const char *what)
{
	fprintf(stderr, "flowrra-executor: %s\n", what);
	abort();
}

static void
check_use(const struct flowrra_task *t)
{
	/* The first, as the rest of an ended task means nothing. */
	if (t->ended)
		misuse("a module ended an asynchronous task twice");
	if (t->loop == NULL)
		misuse("a module called flowrra_finish() in a blocking "
		       "handler; return the result instead");
	if (!pthread_equal(pthread_self(), t->loop->thread.id))
		misuse("a module ended an asynchronous task in its own thread; "
		       "end it in a callback of the event loop");
}

/* The module's code runs, for this task, from here to the next call (NULL: on
 * the loop's own account). A crash in between is that task's. */
static void
async_enter(struct async *l, struct flowrra_task *t)
{
	pthread_mutex_lock(&l->lock);
	l->entered = t;
	pthread_mutex_unlock(&l->lock);
	crash_set_task(t ? t->number : 0);
}

/* Frees all of an ended task but the struct, which stays among the last
 * ENDED_KEEP, so that check_use() still reads it. */
static void
async_forget(struct async *l, struct flowrra_task *t)
{
	struct flowrra_task **place;

	t->ended = true;
	TAILQ_REMOVE(&l->running, t, entry);
	if (t->listed)
		TAILQ_REMOVE(&l->unreported, t, unreported);
	timer_free(t->timer);
	if (t->size > ENDED_SIZE_MAX) {
		task_free(t);
		return;
	}
	json_decref(t->args);
	json_decref(t->kwargs);
	free(t->error);
	free(t->exact);
	t->args = t->kwargs = NULL;
	t->error = t->exact = NULL;
	t->timer = NULL;
	place = &l->ended[l->next_ended++ % ENDED_KEEP];
	task_free(*place);
	*place = t;
}

/* Ends a task; what ends in the same turn of the loop is written together. */
static void
async_end_task(struct flowrra_task *t, const struct task_end *end)
{
	struct async *l = t->loop;

	/* STARTED must not come after DONE. The handler goes on for a moment:
	 * a crash there is still its own. */
	if (l->entered == t) {
		async_enter(l, NULL);
		crash_set_task(t->number);
	}
	task_send_end(t, end, false);
	/* Other tasks may end in callbacks of this very turn. */
	timer_fire(l->flush);
	async_forget(l, t);
	if (l->scratch.cap > SCRATCH_KEEP)
		buf_done(&l->scratch);
	if (l->ending && TAILQ_EMPTY(&l->running))
		timer_fire(l->wake);
}

void
async_end_failed(struct flowrra_task *t)
{
	struct task_end end;

	check_use(t);
	end = task_end_failed(t, -1, &t->loop->scratch);
	async_end_task(t, &end);
}

void
flowrra_finish(struct flowrra_task *t, json_t *result)
{
	struct task_end end;

	check_use(t);
	end = task_end_result(t, result, &t->loop->scratch);
	async_end_task(t, &end);
	task_drop_result(result, &end);
}

/* Tells the handler, once, that its task is to end. */
static void
async_tell_cancel(struct flowrra_task *t)
{
	flowrra_cancel_fn *cancel = t->type->type.cancel;
	struct async *l = t->loop;

	if (t->told)
		return;
	t->told = true;
	task_cancel(t);
	if (cancel == NULL)
		return;
	async_enter(l, t);
	cancel(t);
	/* The task may be gone now. */
	async_enter(l, NULL);
}

/* The clock of the loop is coarse, so that the timer may come early by some ms: a
 * handler that looks would see that there is time left, and take it for a
 * cancellation. */
static void
async_on_timeout(void *arg)
{
	struct flowrra_task *t = arg;
	const int64_t left = t->deadline_us - clock_mono_us();

	if (left <= 0 || timer_set_us(t->timer, left) != 0)
		async_tell_cancel(t);
}

/* Only handlers that can be told need a timer; the others ask by themselves
 * (flowrra_task_cancelled()), or do not. */
static void
async_set_timer(struct async *l, struct flowrra_task *t)
{
	if (t->timeout_us <= 0 || t->type->type.cancel == NULL)
		return;
	/* Without memory for it, flowrra_task_cancelled() still tells. */
	if ((t->timer = timer_new(l->base, async_on_timeout, t)) != NULL)
		timer_set_us(t->timer, t->timeout_us);
}

/* Not by way of the list of the unreported, which is in the order of their
 * first start. The lock is for async_report(). */
void
async_begin_again(struct flowrra_task *t)
{
	struct async *l = t->loop;

	pthread_mutex_lock(&l->lock);
	task_begin(t);
	pthread_mutex_unlock(&l->lock);
	if (t->listed)
		TAILQ_REMOVE(&l->unreported, t, unreported);
	t->listed = false;
	/* The timeout that is over was that of its waiting. */
	t->told = false;
	atomic_store_explicit(&t->cancelled, false, memory_order_relaxed);
	task_report(t);
	if (t->timer != NULL)
		timer_set_us(t->timer, t->timeout_us);
}

static void
start_task(struct async *l, struct flowrra_task *t)
{
	struct task_end end;
	struct err err;

	t->loop = l;
	/* One timer for all: they are due in the order of their start. */
	if (TAILQ_EMPTY(&l->unreported))
		timer_set_ms(l->report, IPC_STARTED_AFTER_MS);
	TAILQ_INSERT_TAIL(&l->running, t, entry);
	TAILQ_INSERT_TAIL(&l->unreported, t, unreported);
	t->listed = true;
	task_begin(t);
	if (task_parse(t, &err) != 0) {
		end = (struct task_end){.outcome = IPC_FAILED_FINAL,
					.text = slice_of(err.msg)};
		async_end_task(t, &end);
		return;
	}
	async_set_timer(l, t);
	async_enter(l, t);
	t->type->type.start(t, l->base, t->args, t->kwargs);
	/* The task may be gone now. */
	async_enter(l, NULL);
}

/* A task that has ended meanwhile is not found, and needs nothing. */
static void
cancel_running(struct async *l, uint32_t number)
{
	struct flowrra_task *t;

	TAILQ_FOREACH (t, &l->running, entry)
		if (t->number == number) {
			async_tell_cancel(t);
			return;
		}
}

/* Told like a cancellation, but each time. */
static void
signal_running(struct async *l, const struct async_signal *s)
{
	struct flowrra_task *t;

	TAILQ_FOREACH (t, &l->running, entry)
		if (t->number == s->number)
			break;
	if (t == NULL || t->on_signal == NULL)
		return;
	async_enter(l, t);
	t->on_signal(t, s->sig);
	async_enter(l, NULL);
}

static void
signal_all(struct async *l, const struct buf *signals)
{
	struct async_signal s;
	size_t i;

	for (i = 0; i < signals->len; i += sizeof(s)) {
		memcpy(&s, signals->data + i, sizeof(s));
		signal_running(l, &s);
	}
}

/* Takes over, in one lock hold, all that other threads have left. */
static void
async_on_wake(void *arg)
{
	struct async *l = arg;
	struct task_list tasks = TAILQ_HEAD_INITIALIZER(tasks);
	struct buf cancels = BUF_INIT, signals;
	struct flowrra_task *t;
	uint32_t number;
	size_t i;

	pthread_mutex_lock(&l->lock);
	TAILQ_CONCAT(&tasks, &l->inbox, entry);
	cancels = l->cancels;
	l->cancels = (struct buf)BUF_INIT;
	signals = l->signals;
	l->signals = (struct buf)BUF_INIT;
	l->ending = l->stopping;
	l->pings = 0;
	pthread_mutex_unlock(&l->lock);
	/* Those to be cancelled, or signalled, came before these tasks. */
	signal_all(l, &signals);
	buf_done(&signals);
	for (i = 0; i < cancels.len; i += sizeof(number)) {
		memcpy(&number, cancels.data + i, sizeof(number));
		cancel_running(l, number);
	}
	buf_done(&cancels);
	while ((t = TAILQ_FIRST(&tasks)) != NULL) {
		TAILQ_REMOVE(&tasks, t, entry);
		start_task(l, t);
	}
	if (l->ending && TAILQ_EMPTY(&l->running))
		event_base_loopbreak(l->base);
}

static void
async_on_flush(void *arg)
{
	struct async *l = arg;

	outbox_flush(l->outbox);
}

static void
async_on_report(void *arg)
{
	struct async *l = arg;
	int64_t now = clock_mono_us(), age;
	struct flowrra_task *t;

	while ((t = TAILQ_FIRST(&l->unreported)) != NULL) {
		age = now - atomic_load_explicit(&t->started_mono_us,
						 memory_order_relaxed);
		if (age < IPC_STARTED_AFTER_MS * 1000) {
			timer_set_us(l->report,
				     IPC_STARTED_AFTER_MS * 1000 - age);
			return;
		}
		TAILQ_REMOVE(&l->unreported, t, unreported);
		t->listed = false;
		if (!t->reported)
			task_report(t);
	}
}

static void
async_main(void *arg)
{
	struct async *l = arg;

	crash_set_loop();
	event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
	/* Ends of the last turn: nobody else knows of them. */
	outbox_flush(l->outbox);
	pthread_mutex_lock(&l->lock);
	l->stopped = true;
	pthread_mutex_unlock(&l->lock);
	l->on_stopped(l->arg);
}

static int
async_make_events(struct async *l)
{
	if ((l->base = event_base_new()) == NULL)
		return -1;
	l->wake = timer_new(l->base, async_on_wake, l);
	l->flush = timer_new(l->base, async_on_flush, l);
	l->report = timer_new(l->base, async_on_report, l);
	return l->wake && l->flush && l->report ? 0 : -1;
}

static void
free_parts(struct async *l)
{
	unsigned int i;

	for (i = 0; i < ENDED_KEEP; i++)
		task_free(l->ended[i]);
	timer_free(l->wake);
	timer_free(l->flush);
	timer_free(l->report);
	if (l->base != NULL)
		event_base_free(l->base);
	buf_done(&l->cancels);
	buf_done(&l->signals);
	buf_done(&l->scratch);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

struct async *
async_new(const struct async_options *o, struct err *err)
{
	struct async *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		err_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&l->lock, NULL);
	TAILQ_INIT(&l->inbox);
	TAILQ_INIT(&l->running);
	TAILQ_INIT(&l->unreported);
	l->outbox = o->outbox;
	l->on_stopped = o->on_stopped;
	l->arg = o->arg;
	if (async_make_events(l) != 0) {
		err_nomem(err);
		goto fail;
	}
	l->thread.main = async_main;
	strcpy(l->thread.name, "handler-loop");
	l->thread.arg = l;
	if (thread_start(&l->thread, err) == 0)
		return l;
fail:
	free_parts(l);
	return NULL;
}

void
async_free(struct async *l)
{
	if (l == NULL)
		return;
	pthread_join(l->thread.id, NULL);
	free_parts(l);
}

void
async_add(struct async *l, struct task_list *tasks)
{
	pthread_mutex_lock(&l->lock);
	TAILQ_CONCAT(&l->inbox, tasks, entry);
	pthread_mutex_unlock(&l->lock);
	timer_fire(l->wake);
}

void
async_recall(struct async *l, struct task_list *ret)
{
	pthread_mutex_lock(&l->lock);
	TAILQ_CONCAT(ret, &l->inbox, entry);
	pthread_mutex_unlock(&l->lock);
}

void
async_cancel(struct async *l, uint32_t number, struct flowrra_task **ret)
{
	struct flowrra_task *t;

	pthread_mutex_lock(&l->lock);
	TAILQ_FOREACH (t, &l->inbox, entry)
		if (t->number == number)
			break;
	if (t != NULL)
		TAILQ_REMOVE(&l->inbox, t, entry);
	else
		/* Running, ended, or not ours: only the loop can tell.
		 * Without memory, the task is killed after its grace. */
		buf_add(&l->cancels, &number, sizeof(number));
	pthread_mutex_unlock(&l->lock);
	if (t == NULL)
		timer_fire(l->wake);
	*ret = t;
}

void
async_signal(struct async *l, uint32_t number, int sig)
{
	const struct async_signal s = {number, sig};

	pthread_mutex_lock(&l->lock);
	buf_add(&l->signals, (const char *)&s, sizeof(s));
	pthread_mutex_unlock(&l->lock);
	timer_fire(l->wake);
}

bool
async_report(struct async *l)
{
	int64_t due = clock_mono_us() - IPC_STARTED_AFTER_MS * 1000, started;
	struct flowrra_task *t;
	bool more = true;

	pthread_mutex_lock(&l->lock);
	/* The loop reports by itself, unless a handler holds it up: then that
	 * task is the one to be told. While tasks wait in the inbox, one that
	 * is about to be entered may do so. */
	if ((t = l->entered) == NULL || t->reported) {
		more = !TAILQ_EMPTY(&l->inbox);
	} else {
		started = atomic_load_explicit(&t->started_mono_us,
					       memory_order_relaxed);
		if (started <= due) {
			task_report(t);
			more = false;
		}
	}
	pthread_mutex_unlock(&l->lock);
	return more;
}

/* The loop takes it when it wakes up for whatever is in its inbox. */
unsigned int
async_ping(struct async *l, uint32_t *ret_task)
{
	unsigned int missed;

	pthread_mutex_lock(&l->lock);
	missed = l->stopped ? 0 : l->pings++;
	*ret_task = missed > 0 && l->entered != NULL ? l->entered->number : 0;
	pthread_mutex_unlock(&l->lock);
	timer_fire(l->wake);
	return missed;
}

void
async_stop(struct async *l)
{
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_mutex_unlock(&l->lock);
	timer_fire(l->wake);
}

bool
async_stopped(struct async *l)
{
	bool stopped;

	pthread_mutex_lock(&l->lock);
	stopped = l->stopped;
	pthread_mutex_unlock(&l->lock);
	return stopped;
}
