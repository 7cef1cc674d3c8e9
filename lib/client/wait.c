/* SPDX-License-Identifier: MIT */
/*
 * Waiting until tasks have finished: the last step of a task's way.
 *
 * A wait is one operation with a watch for each task. Its watches report
 * records; wait_check() decides after each whether it is over. It ends in one
 * place, wait_end(), after which nothing calls back into it, since it lies on
 * the stack of the thread that waits.
 *
 * A flowrra_call() begins to await its record before the task is submitted, in
 * the name of a wait that starts only afterwards (on_call_submitted()).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/record.h"
#include "core/task.h"
#include "store/results.h"
#include "util/pending.h"

/* Longer than any task; short enough for a struct timeval anywhere. */
#define TIMEOUT_MAX_S (TASK_DURATION_MAX_US / 1e6)

/* One task that is waited for. */
struct watched {
	struct wait *wait;
	struct results_watch *watch;
	struct flowrra_record *record; /* once it is final */
	bool seen;		       /* there is, or was, an answer */
	bool missing;		       /* which was: no record */
};

struct wait {
	struct op op;
	struct readiness_waiter waiter;
	struct flowrra_client *client;
	const char *const *ids;
	struct watched *tasks;
	size_t n;
	enum flowrra_wait_mode mode;
	struct event deadline;
	bool has_deadline;
	bool awaited;	/* its task is the one of a flowrra_call() … */
	bool submitted; /* … and has been submitted */
	double timeout_s;
	bool expired; /* the deadline has passed */
	size_t n_seen, n_final, n_missing;
};

/* Nothing is called back any more after this. */
static void
wait_end(struct wait *w)
{
	size_t i;

	readiness_cancel(&w->waiter);
	if (w->has_deadline)
		evtimer_del(&w->deadline);
	for (i = 0; i < w->n; i++)
		if (w->tasks[i].watch != NULL)
			results_unwatch(w->tasks[i].watch);
	loop_done(w->client->loop, &w->op);
}

static bool
wait_satisfied(const struct wait *w)
{
	return w->mode == FLOWRRA_WAIT_ANY ? w->n_final > 0
					   : w->n_final == w->n;
}

/* Whether there is nothing left to wait for. */
static bool
wait_hopeless(const struct wait *w)
{
	return w->mode == FLOWRRA_WAIT_ANY ? w->n_missing == w->n
					   : w->n_missing > 0;
}

/* For the message; wait_hopeless() has found that there is one. */
static const char *
first_missing(const struct wait *w)
{
	size_t i = 0;

	while (!w->tasks[i].missing)
		i++;
	return w->ids[i];
}

/* The time is over: was it the tasks, or is it the server? */
static void
wait_expire(struct wait *w)
{
	const struct readiness *readiness = &w->client->results_ready;

	if (readiness->up || readiness->why.code == ERR_NONE) {
		err_set(&w->op.err, ERR_TIMEOUT,
			"waited %g s: %zu of %zu tasks finished", w->timeout_s,
			w->n_final, w->n);
	} else {
		w->op.err = readiness->why;
		if (!readiness->closed)
			w->op.err.code = ERR_UNAVAILABLE;
	}
}

/* Ends the wait if there is nothing more to wait for. */
static void
wait_check(struct wait *w)
{
	const struct readiness *readiness = &w->client->results_ready;

	/* The operation has not begun: its thread is in client_submit(), and
	 * on_call_submitted() looks again. */
	if (w->awaited && !w->submitted)
		return;
	if (w->op.err.code == ERR_NONE && !wait_satisfied(w)) {
		if (wait_hopeless(w))
			err_set(&w->op.err, ERR_NOT_FOUND,
				"no record of task %s", first_missing(w));
		/* One look at each task is taken, however short the time,
		 * unless it is known that nobody answers. */
		else if (w->expired &&
			 (w->n_seen == w->n ||
			  (!readiness->up && readiness->why.code != ERR_NONE)))
			wait_expire(w);
		else
			return;
	}
	wait_end(w);
}

static void
on_wait_record(struct slice json, const struct err *err, void *arg)
{
	struct watched *task = arg;
	struct wait *w = task->wait;
	struct flowrra_record *record;

	/* A reply and an answer may both bring the final record. */
	if (task->record != NULL)
		return;
	if (err != NULL) {
		/* The watch goes on, and so do we, but not for ever on the
		 * doorstep. */
		if (err->code == ERR_REFUSED)
			w->op.err = *err;
		wait_check(w);
		return;
	}
	if (!task->seen) {
		w->n_seen++;
		/* The record of a call may be looked for before it is there. */
		task->missing = json.len == 0 && !w->awaited;
		w->n_missing += task->missing;
	}
	task->seen = true;
	if (json.len > 0 && (record = record_new(json, &w->op.err)) != NULL) {
		w->n_missing -= task->missing;
		task->missing = false;
		if (record_final(record)) {
			task->record = record;
			w->n_final++;
		} else {
			flowrra_record_free(record);
		}
	}
	wait_check(w);
}

static void
on_wait_ready(struct readiness_waiter *waiter, const struct err *why)
{
	struct wait *w = container_of(waiter, struct wait, waiter);
	size_t i;

	/* The first error ends it: the caller gets one answer for all. */
	if (why != NULL)
		w->op.err = *why;
	for (i = 0; i < w->n && w->op.err.code == ERR_NONE; i++)
		w->tasks[i].watch =
		    results_watch(w->client->results, slice_of(w->ids[i]),
				  on_wait_record, &w->tasks[i], &w->op.err);
	if (w->op.err.code != ERR_NONE)
		wait_end(w);
}

static void
on_wait_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct wait *w = arg;

	w->expired = true;
	wait_check(w);
}

static void
wait_set_deadline(struct wait *w)
{
	struct timeval timeout;

	/* Without limit. */
	if (w->timeout_s < 0)
		return;
	timeout.tv_sec = (time_t)w->timeout_s;
	timeout.tv_usec =
	    (suseconds_t)((w->timeout_s - (double)timeout.tv_sec) * 1e6);
	evtimer_assign(&w->deadline, loop_base(w->client->loop),
		       on_wait_deadline, w);
	evtimer_add(&w->deadline, &timeout);
	w->has_deadline = true;
}

static void
on_wait_start(struct op *op)
{
	struct wait *w = container_of(op, struct wait, op);

	if (client_results(w->client, &w->op.err) == NULL) {
		wait_end(w);
		return;
	}
	/* Its time includes the wait for the server. */
	wait_set_deadline(w);
	readiness_await(&w->client->results_ready, &w->waiter);
}

static int
wait_validate(const struct wait *w, struct err *err)
{
	size_t i;

	if (client_check(w->client, err) != 0)
		return -1;
	if (w->n == 0)
		return err_set(err, ERR_USAGE, "no task to wait for");
	for (i = 0; i < w->n; i++)
		if (!task_id_valid(slice_of(w->ids[i])))
			return err_set(err, ERR_DATA,
				       "\"%.64s\" is not a valid task ID",
				       w->ids[i]);
	return 0;
}

static int
wait_for(struct wait *w, struct flowrra_record **records, struct err *err)
{
	size_t i;

	/* Before anything can fail: the caller frees all of them. */
	for (i = 0; i < w->n; i++)
		records[i] = NULL;
	if (wait_validate(w, err) != 0)
		return -1;
	if ((w->tasks = calloc(w->n, sizeof(*w->tasks))) == NULL)
		return err_nomem(err);
	for (i = 0; i < w->n; i++)
		w->tasks[i].wait = w;
	w->op.start = on_wait_start;
	w->waiter.on_ready = on_wait_ready;
	loop_call(w->client->loop, &w->op);
	for (i = 0; i < w->n; i++)
		records[i] = w->tasks[i].record;
	free(w->tasks);
	*err = w->op.err;
	return err->code == ERR_NONE ? 0 : -1;
}

int
flowrra_wait_many(struct flowrra_client *c, const char *const *ids, size_t n,
		  int mode, double timeout_s, struct flowrra_record **records,
		  struct flowrra_error *error)
{
	struct wait w = {.client = c,
			 .ids = ids,
			 .n = n,
			 .mode = mode == FLOWRRA_WAIT_ANY ? FLOWRRA_WAIT_ANY
							  : FLOWRRA_WAIT_ALL,
			 .timeout_s =
			     timeout_s < TIMEOUT_MAX_S ? timeout_s : -1};
	struct err err = ERR_INIT;

	return wait_for(&w, records, &err) == 0 ? 0 : client_fail(error, &err);
}

int
flowrra_wait(struct flowrra_client *c, const char *id, double timeout_s,
	     struct flowrra_record **record, struct flowrra_error *error)
{
	struct flowrra_record *got;

	if (flowrra_wait_many(c, &id, 1, FLOWRRA_WAIT_ALL, timeout_s, &got,
			      error) != 0)
		return -1;
	*record = got;
	return 0;
}

/* --- calls ------------------------------------------------------------- */

/* The task is about to be submitted: begins to await its record, if the task
 * says where to. What goes wrong here, on_call_submitted() mends. */
static void
on_call_encoded(const char *id, void *arg)
{
	struct watched *task = arg;
	struct wait *w = task->wait;
	struct err err;

	if (client_results(w->client, &err) == NULL)
		return;
	w->client->reply_to = results_reply_to(w->client->results);
	if (w->awaited)
		task->watch = results_await(w->client->results, slice_of(id),
					    on_wait_record, task, &err);
}

/* The task is queued; its record may even have come. */
static void
on_call_submitted(struct op *op)
{
	struct wait *w = container_of(op, struct wait, op);

	w->submitted = true;
	if (w->tasks[0].watch == NULL) {
		w->awaited = false;
		on_wait_start(op);
	} else {
		wait_set_deadline(w);
		wait_check(w);
	}
}

static void
on_call_refused(struct op *op)
{
	wait_end(container_of(op, struct wait, op));
}

static int
call_run(struct wait *w, struct submission *s, char id[FLOWRRA_ID_SIZE],
	 struct err *err)
{
	int submitted = client_submit(w->client, s, id, err);

	/* A watch has begun, on the loop, and must be ended there, even if
	 * the task was refused. */
	if (submitted != 0)
		w->op.start = on_call_refused;
	if (submitted == 0 || w->tasks[0].watch != NULL)
		loop_call(w->client->loop, &w->op);
	if (submitted == 0)
		*err = w->op.err;
	return err->code == ERR_NONE ? 0 : -1;
}

/* Looks no further than the caller knows a request. */
static bool
has_key(const struct flowrra_request *request)
{
	return request->size > offsetof(struct flowrra_request, unique) &&
	       request->unique != NULL;
}

int
flowrra_call(struct flowrra_client *c, const struct flowrra_request *request,
	     double timeout_s, char id[FLOWRRA_ID_SIZE],
	     struct flowrra_record **record, struct flowrra_error *error)
{
	struct submission s = {.request = request, .before = on_call_encoded};
	char own[FLOWRRA_ID_SIZE] = ""; /* `id` may be the request's, or NULL */
	const char *const ids[] = {own};
	struct watched task = {.record = NULL};
	struct wait w = {.op = {.start = on_call_submitted},
			 .waiter = {.on_ready = on_wait_ready},
			 .client = c,
			 .ids = ids,
			 .tasks = &task,
			 .n = 1,
			 .mode = FLOWRRA_WAIT_ALL,
			 .timeout_s =
			     timeout_s < TIMEOUT_MAX_S ? timeout_s : -1};
	struct err err = ERR_INIT;
	int result;

	s.arg = &task;
	task.wait = &w;
	/* With a key, it may be another task that is waited for. */
	if (!has_key(request))
		s.reply_to = c->reply_to;
	/* The first call of a client has no address yet, and waits like
	 * flowrra_wait(). */
	w.awaited = s.reply_to != NULL;
	result = call_run(&w, &s, own, &err);
	if (id != NULL)
		snprintf(id, FLOWRRA_ID_SIZE, "%s", own);
	if (result == 0) {
		*record = task.record;
		return 0;
	}
	/* One can have come before it was known that nothing was queued. */
	flowrra_record_free(task.record);
	return client_fail(error, &err);
}
