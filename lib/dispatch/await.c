/* SPDX-License-Identifier: MIT */
/*
 * Handlers that wait for another task: its record is watched for them.
 *
 * A handler that waits keeps its slot, and what it waits for may need one of the
 * same kind. So of each kind one slot at least never waits: the wait that would
 * take the last is refused, and tells the handler so. What runs in that slot may
 * have been submitted by those that wait, and lets them go on.
 */
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "codec/result_json.h"
#include "dispatch/state.h"

/* Longer than any task; short enough for a struct timeval anywhere. */
#define AWAIT_MAX_US TASK_DURATION_MAX_US

struct await {
	TAILQ_ENTRY(await) link;
	struct dispatch *dispatch;
	struct submit_request asker;
	enum pool_kind kind;
	struct results_watch *watch;
	struct event *deadline; /* NULL: none */
};

static void
await_free(struct await *a)
{
	TAILQ_REMOVE(&a->dispatch->awaits, a, link);
	if (a->watch != NULL)
		results_unwatch(a->watch);
	if (a->deadline != NULL)
		event_free(a->deadline);
	free(a);
}

static void
await_answer(struct await *a, enum err_code code, struct slice text)
{
	pool_answer(a->dispatch->pool,
		    &(struct pool_answer){.executor = a->asker.executor,
					  .job = a->asker.job,
					  .request = a->asker.number,
					  .code = code,
					  .text = text});
	await_free(a);
}

static void
await_fail(struct await *a, const struct err *err)
{
	await_answer(a, err->code, slice_of(err->msg));
}

static void
on_await_record(struct slice record, const struct err *err, void *arg)
{
	struct await *a = arg;
	enum result_status status;
	struct err why;

	/* The watch lasts through outages. */
	if (err != NULL && err->code != ERR_REFUSED)
		return;
	if (err != NULL) {
		await_fail(a, err);
		return;
	}
	if (record.len == 0) {
		err_set(&why, ERR_NOT_FOUND, "the task has no record");
		await_fail(a, &why);
	} else if (result_decode_status(record, &status) == 0 &&
		   result_status_final(status))
		await_answer(a, ERR_NONE, record);
}

static void
on_await_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct await *a = arg;
	struct err why;

	err_set(&why, ERR_TIMEOUT, "the task has not finished in time");
	await_fail(a, &why);
}

/* Slots of a kind that tasks wait for; 0: each has its own. */
static unsigned int
await_slots(const struct dispatch *d, enum pool_kind kind)
{
	const struct conf_executor *conf = &d->conf->executor;
	long cores;

	if (kind == POOL_THREAD)
		return (unsigned int)conf->io_workers;
	if (kind != POOL_CPU)
		return 0;
	if (conf->cpu_workers > 0)
		return (unsigned int)conf->cpu_workers;
	cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores > 0 ? (unsigned int)cores : 1;
}

static int
await_check(const struct dispatch *d, enum pool_kind kind, struct err *err)
{
	const unsigned int slots = await_slots(d, kind);
	const struct await *a;
	unsigned int n = 1; /* this one */

	TAILQ_FOREACH (a, &d->awaits, link)
		n += a->kind == kind;
	if (slots == 0 || n < slots)
		return 0;
	return err_set(err, ERR_FULL,
		       "all %u handlers of the worker would wait, and none "
		       "would be left for what they wait for; raise [executor] "
		       "%s, or let the other task go on",
		       slots, kind == POOL_CPU ? "cpu_workers" : "io_workers");
}

static int
await_start(struct await *a, struct slice id, int64_t timeout_us,
	    struct err *err)
{
	struct dispatch *d = a->dispatch;
	const struct timeval tv = {.tv_sec = timeout_us / 1000000,
				   .tv_usec = timeout_us % 1000000};

	if (!task_id_valid(id))
		return err_set(err, ERR_DATA, "not a valid task ID");
	if (await_check(d, a->kind, err) != 0)
		return -1;
	if (timeout_us >= 0 && timeout_us <= AWAIT_MAX_US) {
		a->deadline = evtimer_new(d->opt.base, on_await_deadline, a);
		if (a->deadline == NULL || evtimer_add(a->deadline, &tv) != 0)
			return err_nomem(err);
	}
	a->watch = results_watch(d->results, id, on_await_record, a, err);
	return a->watch != NULL ? 0 : -1;
}

void
await_for(struct job *job, const struct submit_request *asker, struct slice id,
	  int64_t timeout_us)
{
	struct dispatch *d = job->dispatch;
	struct await *a = calloc(1, sizeof(*a));
	struct err err = ERR_INIT;

	if (a == NULL) {
		err_nomem(&err);
		pool_submitted(d->pool, asker->executor, asker->job,
			       asker->number, &err);
		return;
	}
	a->dispatch = d;
	a->asker = *asker;
	a->kind = job->run.kind;
	/* Counted after the check. */
	if (await_start(a, id, timeout_us, &err) != 0) {
		TAILQ_INSERT_TAIL(&d->awaits, a, link);
		await_fail(a, &err);
		return;
	}
	TAILQ_INSERT_TAIL(&d->awaits, a, link);
}

/* The job has ended, however: nobody hears the answer any more. */
void
await_drop(const struct job *job)
{
	struct await *a, *next;

	for (a = TAILQ_FIRST(&job->dispatch->awaits); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		if (a->asker.job == job->run.number)
			await_free(a);
	}
}

void
await_drop_all(struct dispatch *d)
{
	struct await *a, *next;

	for (a = TAILQ_FIRST(&d->awaits); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		await_free(a);
	}
}
