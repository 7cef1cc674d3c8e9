/* SPDX-License-Identifier: MIT */
/*
 * Tasks that wait for another task: its record is watched for them.
 *
 * A handler that waits keeps its slot, and what it waits for may need one of the
 * same kind. So of each kind one slot at least never waits: the wait that would
 * take the last is refused, and tells the handler so. What runs in that slot may
 * have been submitted by those that wait, and lets them go on.
 *
 * A command shares no thread with others, so it gives its slot up while it waits, and
 * gets its answer when there is one for it again: never do more commands run than
 * there are slots. Only one that has waited long enough, or does not want to know any
 * more, goes on at once.
 */
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "codec/result_json.h"
#include "dispatch/state.h"
#include "ipc/ipc.h"

/* Longer than any task; short enough for a struct timeval anywhere. */
#define AWAIT_MAX_US TASK_DURATION_MAX_US

struct await {
	TAILQ_ENTRY(await) link; /* among those that watch, or that are due */
	struct dispatch *dispatch;
	struct submit_request asker;
	enum pool_kind kind;
	bool now;  /* the record as it is is the answer */
	bool seen; /* the backend has said something, if not what is wanted */
	bool late; /* its time is over */
	bool is_due;
	struct results_watch *watch;
	struct event *deadline; /* NULL: none */
	/* The answer, of one that is due. */
	enum err_code code;
	struct buf text;
};

static struct await_list *
await_list(struct await *a)
{
	return a->is_due ? &a->dispatch->awaits_due : &a->dispatch->awaits;
}

/* What would bring an answer. */
static void
await_stop(struct await *a)
{
	if (a->watch != NULL)
		results_unwatch(a->watch);
	if (a->deadline != NULL)
		event_free(a->deadline);
	a->watch = NULL;
	a->deadline = NULL;
}

static void
await_free(struct await *a)
{
	TAILQ_REMOVE(await_list(a), a, link);
	await_stop(a);
	buf_done(&a->text);
	free(a);
}

static bool
await_has_slot(const struct await *a, bool force)
{
	struct job *job = job_find(a->dispatch, a->asker.job);

	/* It has ended; then nobody hears the answer either. */
	if (a->now || job == NULL || job->run.executor == NULL)
		return true;
	return pool_resume(&job->run, force);
}

static void
await_send(struct await *a, enum err_code code, struct slice text)
{
	pool_answer(a->dispatch->pool,
		    &(struct pool_answer){.executor = a->asker.executor,
					  .job = a->asker.job,
					  .request = a->asker.number,
					  .code = code,
					  .text = text});
	await_free(a);
}

/* Now, or when the asker has a slot again. */
static void
await_answer(struct await *a, enum err_code code, struct slice text)
{
	if (await_has_slot(a, code == ERR_TIMEOUT)) {
		await_send(a, code, text);
		return;
	}
	await_stop(a);
	buf_add(&a->text, text.p, text.len);
	a->code = code;
	TAILQ_REMOVE(&a->dispatch->awaits, a, link);
	a->is_due = true;
	TAILQ_INSERT_TAIL(&a->dispatch->awaits_due, a, link);
}

static void
await_fail(struct await *a, const struct err *err)
{
	await_answer(a, err->code, slice_of(err->msg));
}

void
await_resume(struct dispatch *d)
{
	struct await *a, *next;
	struct err err;

	for (a = TAILQ_FIRST(&d->awaits_due); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		if (!await_has_slot(a, false))
			continue;
		if (!a->text.failed) {
			await_send(a, a->code,
				   (struct slice){a->text.data, a->text.len});
			continue;
		}
		err_nomem(&err);
		await_send(a, err.code, slice_of(err.msg));
	}
}

static void
await_fail_late(struct await *a)
{
	struct err why;

	err_set(&why, ERR_TIMEOUT, "the task has not finished in time");
	await_fail(a, &why);
}

/* The watch lasts through outages, and so does the wait. */
static void
on_await_trouble(struct await *a, const struct err *err)
{
	if (err->code == ERR_REFUSED || a->now)
		await_fail(a, err);
	else if (a->late)
		await_fail_late(a);
	else
		a->seen = true;
}

static void
on_await_record(struct slice record, const struct err *err, void *arg)
{
	struct await *a = arg;
	enum result_status status;
	struct err why;

	if (err != NULL) {
		on_await_trouble(a, err);
	} else if (record.len == 0) {
		err_set(&why, ERR_NOT_FOUND, "the task has no record");
		await_fail(a, &why);
	} else if (a->now || (result_decode_status(record, &status) == 0 &&
			      result_status_final(status))) {
		await_answer(a, ERR_NONE, record);
	} else if (a->late) {
		await_fail_late(a);
	} else {
		a->seen = true;
	}
}

/* However short the time is, the task is looked at once. */
static void
on_await_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct await *a = arg;

	a->late = true;
	if (a->seen)
		await_fail_late(a);
}

/* Slots of a kind that tasks keep while they wait; 0: they do not, or each has its
 * own. */
static unsigned int
await_slots(const struct dispatch *d, enum pool_kind kind)
{
	const struct conf_executor *conf = &d->conf->executor;
	long cores;

	if (kind == POOL_THREAD)
		return (unsigned int)conf->io_workers;
	if (kind != POOL_CPU && kind != POOL_CPU_COMMAND)
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
		n += a->kind == kind && !a->now;
	if (slots == 0 || n < slots)
		return 0;
	return err_set(err, ERR_FULL,
		       "all %u handlers of the worker would wait, and none "
		       "would be left for what they wait for; raise [executor] "
		       "%s, or let the other task go on",
		       slots,
		       kind == POOL_THREAD ? "io_workers" : "cpu_workers");
}

static int
await_start(struct await *a, struct slice id, int64_t timeout_us,
	    struct err *err)
{
	struct dispatch *d = a->dispatch;
	const struct timeval tv = {.tv_sec = timeout_us / 1000000,
				   .tv_usec = timeout_us % 1000000};
	const struct job *job = job_find(d, a->asker.job);

	if (!task_id_valid(id))
		return err_set(err, ERR_DATA, "not a valid task ID");
	if (!a->now && job != NULL && slice_eq(id, slice_of(job->task->id)))
		return err_set(err, ERR_REFUSED,
			       "the task would wait for itself");
	if (!a->now && await_check(d, a->kind, err) != 0)
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
	  const struct ipc_await *fixed)
{
	struct dispatch *d = job->dispatch;
	struct await *a = calloc(1, sizeof(*a));
	struct err err = ERR_INIT;
	int r;

	if (a == NULL) {
		err_nomem(&err);
		pool_submitted(d->pool, asker->executor, asker->job,
			       asker->number, &err);
		return;
	}
	a->dispatch = d;
	a->asker = *asker;
	a->kind = job->run.kind;
	a->now = fixed->now != 0;
	/* Counted after the check. */
	r = await_start(a, id, fixed->timeout_us, &err);
	TAILQ_INSERT_TAIL(&d->awaits, a, link);
	if (r != 0)
		await_fail(a, &err);
	else if (!a->now)
		pool_wait(&job->run);
}

void
await_forget(struct job *job, uint32_t request)
{
	struct await_list *lists[] = {&job->dispatch->awaits,
				      &job->dispatch->awaits_due};
	struct await *a = NULL;
	size_t i;

	for (i = 0; i < 2 && a == NULL; i++)
		TAILQ_FOREACH (a, lists[i], link)
			if (a->asker.job == job->run.number &&
			    a->asker.number == request)
				break;
	if (a == NULL)
		return;
	await_free(a);
	pool_resume(&job->run, true);
}

static void
await_drop_from(struct await_list *list, const struct job *job)
{
	struct await *a, *next;

	for (a = TAILQ_FIRST(list); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		if (job == NULL || a->asker.job == job->run.number)
			await_free(a);
	}
}

/* However it has ended: nobody hears the answer any more. */
void
await_drop(const struct job *job)
{
	await_drop_from(&job->dispatch->awaits, job);
	await_drop_from(&job->dispatch->awaits_due, job);
}

void
await_drop_all(struct dispatch *d)
{
	await_drop_from(&d->awaits, NULL);
	await_drop_from(&d->awaits_due, NULL);
}
