/* SPDX-License-Identifier: MIT */
/*
 * Tasks that handlers submit: requests to flowrrad and its answers. Only
 * flowrrad has a connection to the store, so a handler's submission goes
 * through it. The id is made here: a handler on the loop has it at once, and
 * does not wait for an answer.
 */
#include "executor/submit.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "executor/outbox.h"
#include "executor/submit_json.h"
#include "executor/task.h"
#include "util/err.h"
#include "util/log.h"
#include "util/uuid.h"

_Static_assert(UUID_TEXT_SIZE <= 37 && UUID_TEXT_SIZE <= FLOWRRA_ID_SIZE,
	       "there is room for the id in modules of all versions");

/* One that waits for an answer; it lies on the stack of a handler, or, of those that
 * wait for several, in a list of the thread's. */
struct waiter {
	LIST_ENTRY(waiter) entry;
	uint32_t request;
	bool answered;
	int32_t code;
	struct buf text;
	const int *wake; /* an eventfd to tell of the answer; NULL: none */
};

struct submits {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	/* Numbers wrap around after 2^32, when no request is that old. */
	uint32_t last_request;
	LIST_HEAD(, waiter) waiters;
	bool closed; /* no answer comes any more */
	struct outbox *outbox;
	void (*on_wait)(void *arg);
	void *arg;
};

struct submits *
submits_new(struct outbox *o, void (*on_wait)(void *arg), void *arg)
{
	struct submits *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->answered, NULL);
	LIST_INIT(&s->waiters);
	s->outbox = o;
	s->on_wait = on_wait;
	s->arg = arg;
	return s;
}

void
submits_free(struct submits *s)
{
	if (s == NULL)
		return;
	pthread_cond_destroy(&s->answered);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Lock held; its answer is there. */
static void
waiter_wake(struct waiter *w)
{
	w->answered = true;
	if (w->wake != NULL)
		eventfd_write(*w->wake, 1);
}

void
submits_close(struct submits *s)
{
	struct waiter *w;

	pthread_mutex_lock(&s->lock);
	s->closed = true;
	LIST_FOREACH (w, &s->waiters, entry) {
		w->code = w->answered ? w->code : ERR_UNAVAILABLE;
		waiter_wake(w);
	}
	pthread_cond_broadcast(&s->answered);
	pthread_mutex_unlock(&s->lock);
}

/* An asynchronous handler does not wait: only the log can tell. */
static void
log_failure(struct submits *s, struct slice text)
{
	struct ipc_log fixed = {LOG_LEVEL_error};
	struct outbox_frame frame = {.type = IPC_LOG, .fixed = &fixed};
	struct buf line = BUF_INIT;

	buf_adds(&line, "a task that a handler submitted was not queued: ");
	buf_add(&line, text.p, text.len);
	frame.rest = (struct slice){line.data, line.len};
	outbox_put(s->outbox, &frame, true);
	buf_done(&line);
}

void
submits_answer(struct submits *s, const struct ipc_message *m)
{
	const struct ipc_submitted *answer = m->fixed;
	struct waiter *w;

	/* The waiter is another thread's, and there as long as it is listed. */
	pthread_mutex_lock(&s->lock);
	LIST_FOREACH (w, &s->waiters, entry)
		if (w->request == answer->request)
			break;
	if (w != NULL) {
		w->code = answer->code;
		buf_add(&w->text, m->rest.p, m->rest.len);
		waiter_wake(w);
		pthread_cond_broadcast(&s->answered);
	}
	pthread_mutex_unlock(&s->lock);
	if (w == NULL && answer->code != ERR_NONE)
		log_failure(s, m->rest);
}

/* A number for a request. With a waiter, that is listed before the request is
 * sent: the answer may come at once. */
static uint32_t
enlist(struct submits *s, struct waiter *w)
{
	uint32_t number;

	pthread_mutex_lock(&s->lock);
	number = ++s->last_request;
	if (w != NULL) {
		w->request = number;
		w->answered = s->closed;
		w->code = s->closed ? ERR_UNAVAILABLE : ERR_NONE;
		LIST_INSERT_HEAD(&s->waiters, w, entry);
	}
	pthread_mutex_unlock(&s->lock);
	return number;
}

/* Sends the request; with a waiter, waits for its answer. */
static void
request(struct submits *s, uint32_t task, struct slice json, struct waiter *w)
{
	struct ipc_submit fixed = {.request = enlist(s, w)};
	struct outbox_frame frame = {
	    .type = IPC_SUBMIT, .task = task, .fixed = &fixed, .rest = json};

	outbox_put(s->outbox, &frame, true);
	if (w == NULL)
		return;
	/* Without the lock: a reader takes it for the answer. */
	s->on_wait(s->arg);
	pthread_mutex_lock(&s->lock);
	while (!w->answered)
		pthread_cond_wait(&s->answered, &s->lock);
	LIST_REMOVE(w, entry);
	pthread_mutex_unlock(&s->lock);
}

/* How often one who waits for a task looks whether its own is to end. */
#define LOOK_NS 100000000L

/* Waits for the answer, or until the task is told to end: false. */
static bool
await_answer(struct submits *s, const struct flowrra_task *task,
	     struct waiter *w)
{
	struct timespec until;
	bool answered;

	/* Without the lock: a reader takes it for the answer. */
	s->on_wait(s->arg);
	pthread_mutex_lock(&s->lock);
	while (!w->answered && !flowrra_task_cancelled(task)) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOOK_NS;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&s->answered, &s->lock, &until);
	}
	answered = w->answered;
	LIST_REMOVE(w, entry);
	pthread_mutex_unlock(&s->lock);
	return answered;
}

int
flowrra_task_await(struct flowrra_task *task, const char *id, double timeout,
		   json_t **record)
{
	struct submits *s = task->env->submits;
	struct waiter w = {.code = ERR_NONE, .text = BUF_INIT};
	/* NaN and what is beyond all tasks: no limit. */
	struct ipc_await fixed = {.timeout_us = timeout >= 0 && timeout < 1e9
						    ? (int64_t)(timeout * 1e6)
						    : -1,
				  .n = 1};
	struct outbox_frame frame = {.type = IPC_AWAIT,
				     .task = task->number,
				     .fixed = &fixed,
				     .rest = slice_of(id)};
	json_t *found = NULL;

	if (task->loop != NULL) {
		flowrra_task_log(task, 3,
				 "cannot wait for %s: the handler is "
				 "asynchronous",
				 id);
		return -1;
	}
	fixed.request = fixed.wait = enlist(s, &w);
	outbox_put(s->outbox, &frame, true);
	if (!await_answer(s, task, &w))
		flowrra_task_log(task, 5, "waits no longer for %s", id);
	else if (w.code != ERR_NONE)
		flowrra_task_log(task, 4, "cannot wait for %s: %.*s", id,
				 (int)w.text.len, w.text.data);
	else
		found = json_loadb(w.text.data, w.text.len, 0, NULL);
	buf_done(&w.text);
	if (found == NULL)
		return -1;
	*record = found;
	return 0;
}

int32_t
submits_ask(struct submits *s, uint32_t task, struct slice json,
	    struct buf *text)
{
	struct waiter w = {.code = ERR_NONE, .text = BUF_INIT};

	request(s, task, json, &w);
	*text = w.text;
	if (w.code != ERR_NONE && w.text.len == 0)
		buf_adds(text, "the worker is stopping");
	return w.code;
}

/* --- for processes outside ----------------------------------------------- */

/* Asks for all; the frames of the last one are written with those before. */
static void
wait_ask(struct submits *s, const struct submits_wait *wait, struct waiter *w,
	 const int *wake)
{
	struct ipc_await fixed = {.timeout_us = wait->timeout_us,
				  .n = (uint32_t)wait->n,
				  .now = wait->now};
	struct outbox_frame frame = {
	    .type = IPC_AWAIT, .task = wait->task, .fixed = &fixed};
	size_t i;

	for (i = 0; i < wait->n; i++) {
		w[i] = (struct waiter){
		    .code = ERR_NONE, .text = BUF_INIT, .wake = wake};
		fixed.request = enlist(s, &w[i]);
		fixed.wait = w[0].request;
		frame.rest = slice_of(wait->ids[i]);
		outbox_put(s->outbox, &frame, i + 1 == wait->n);
	}
}

/* The first that has its answer, or n. */
static size_t
wait_look(struct submits *s, const struct waiter *w, size_t n)
{
	size_t i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < n && !w[i].answered; i++)
		;
	pthread_mutex_unlock(&s->lock);
	return i;
}

/* Ends the wait. Without an answer flowrrad is told: it would watch the tasks as long
 * as the asker's runs. */
static void
wait_end(struct submits *s, const struct submits_wait *wait, struct waiter *w,
	 bool answered)
{
	const struct ipc_forget fixed = {.wait = w[0].request};
	const struct outbox_frame frame = {
	    .type = IPC_FORGET, .task = wait->task, .fixed = &fixed};
	size_t i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < wait->n; i++)
		LIST_REMOVE(&w[i], entry);
	pthread_mutex_unlock(&s->lock);
	for (i = 0; i < wait->n; i++)
		buf_done(&w[i].text);
	if (!answered)
		outbox_put(s->outbox, &frame, true);
}

int
submits_wait(struct submits *s, const struct submits_wait *wait,
	     struct submits_answer *ret)
{
	const int wake = eventfd(0, EFD_CLOEXEC);
	struct waiter *w = calloc(wait->n, sizeof(*w));
	struct pollfd p[] = {{.fd = wake, .events = POLLIN},
			     {.fd = wait->fd, .events = POLLRDHUP}};
	size_t which = 0;

	*ret = (struct submits_answer){.code = ERR_SYSTEM};
	if (wake < 0 || w == NULL) {
		buf_adds(&ret->text,
			 "no memory or descriptors to wait with are left");
	} else {
		outbox_wait(s->outbox);
		wait_ask(s, wait, w, &wake);
		s->on_wait(s->arg);
		while ((which = wait_look(s, w, wait->n)) == wait->n &&
		       p[1].revents == 0)
			poll(p, 2, -1);
		if (which < wait->n) {
			*ret = (struct submits_answer){which, w[which].code,
						       w[which].text};
			w[which].text = (struct buf)BUF_INIT;
		}
		wait_end(s, wait, w, which < wait->n);
	}
	free(w);
	if (wake >= 0)
		close(wake);
	return which < wait->n ? 0 : -1;
}

/* --- submitting ---------------------------------------------------------- */

/* Waits for the answer. A task with the same unique key is as good: its id is
 * the answer then. */
static int
submit_and_wait(struct flowrra_task *task, const char *name, struct slice json,
		char id[FLOWRRA_ID_SIZE])
{
	struct waiter w = {.code = ERR_NONE, .text = BUF_INIT};
	int r = -1;

	request(task->env->submits, task->number, json, &w);
	if (w.code != ERR_NONE)
		flowrra_task_log(task, 3, "cannot submit %s: %.*s", name,
				 (int)w.text.len, w.text.data);
	else {
		if (id != NULL && w.text.len > 0 &&
		    w.text.len < FLOWRRA_ID_SIZE)
			memcpy(id, w.text.data, w.text.len + 1);
		r = 0;
	}
	buf_done(&w.text);
	return r;
}

int
flowrra_task_submit(struct flowrra_task *task, const char *name,
		    const json_t *args, const json_t *kwargs,
		    const struct flowrra_submit_options *options,
		    char id[FLOWRRA_ID_SIZE])
{
	struct flowrra_submit_options o;
	const char *why = submit_options_read(options, &o);
	char new_id[FLOWRRA_ID_SIZE], *text = NULL;
	int r = 0;

	/* Whatever fails first is logged in the task's name; the module gets -1
	 * alone. */
	if (why == NULL)
		why = submit_why_bad(args, kwargs, &o);
	if (why == NULL && o.id != NULL)
		snprintf(new_id, sizeof(new_id), "%s", o.id);
	else
		uuid_make(new_id);
	if (why == NULL)
		text = submit_json(new_id, name, args, kwargs, &o, &why);
	if (why != NULL) {
		flowrra_task_log(task, 3, "cannot submit %s: %s",
				 name ? name : "the task has no name", why);
		return -1;
	}
	/* A module of an older version has room for a UUID, which this is. */
	if (id != NULL)
		memcpy(id, new_id, strlen(new_id) + 1);
	if (task->loop != NULL)
		request(task->env->submits, task->number, slice_of(text), NULL);
	else
		r = submit_and_wait(task, name, slice_of(text), id);
	free(text);
	return r;
}

/* --- modules of older versions ----------------------------------------- */

/* The options of the module interfaces 1.0 and 1.1. */
struct options_1_1 {
	const char *queue;
	int priority;
	double delay;
	int max_retries;
	double retry_delay;
	double timeout;
};

/* What modules of these versions call, with room for a UUID only; see
 * flowrra/module.h. */
int submit_1_1(struct flowrra_task *task, const char *name, const json_t *args,
	       const json_t *kwargs, const struct options_1_1 *options,
	       char *id) __asm__("flowrra_task_submit");

int
submit_1_1(struct flowrra_task *task, const char *name, const json_t *args,
	   const json_t *kwargs, const struct options_1_1 *options, char *id)
{
	struct flowrra_submit_options o = FLOWRRA_SUBMIT_OPTIONS_INIT;

	if (options != NULL) {
		o.queue = options->queue;
		o.priority = options->priority;
		o.delay = options->delay;
		o.max_retries = options->max_retries;
		o.retry_delay = options->retry_delay;
		o.timeout = options->timeout;
	}
	return flowrra_task_submit(task, name, args, kwargs, &o, id);
}
