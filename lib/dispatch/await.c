/* SPDX-License-Identifier: MIT */
/*
 * Tasks that wait for other tasks: the records of those are watched for them.
 *
 * A handler that waits keeps its slot, and what it waits for may need one of the
 * same kind. So of each kind one slot at least never waits: the wait that would
 * take the last is refused, and tells the handler so. What runs in that slot may
 * have been submitted by those that wait, and lets them go on.
 *
 * A command shares no thread with others, so it lends its slot while one of its
 * processes waits. The last of them gets its answer when there is a slot for the
 * command again: so never do more commands run than there are slots. The answers of
 * those before need none, or what the others wait for would never run. One that has
 * waited long enough, or does not want to know any more, goes on at once.
 */
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "codec/result_json.h"
#include "dispatch/state.h"
#include "ipc/ipc.h"

/* Longer than any task; short enough for a struct timeval anywhere. */
#define AWAIT_MAX_US TASK_DURATION_MAX_US

/* One of the tasks that a wait is for. */
struct awaited {
	LIST_ENTRY(awaited) link;
	struct await *await;
	uint32_t request;
	bool seen; /* the backend has said something, if not what is wanted */
	struct results_watch *watch;
};

struct await {
	LIST_ENTRY(await) of_job;
	TAILQ_ENTRY(await) due;
	struct job *job;
	struct submit_request asker; /* its number is that of the wait */
	bool now;		     /* a record as it is is the answer */
	bool counts;		     /* in job->n_waits */
	bool late;		     /* its time is over */
	bool is_due;
	uint32_t n_unseen;
	LIST_HEAD(, awaited) tasks;
	struct event *deadline; /* NULL: none */
	/* The answer, of one that is due. */
	uint32_t request;
	enum err_code code;
	struct buf text;
};

/* --- counting ------------------------------------------------------------ */

static void
await_count(struct await *a)
{
	struct job *job = a->job;

	a->counts = true;
	if (job->n_waits++ == 0)
		job->dispatch->n_waiting[job->run.kind]++;
}

static void
await_uncount(struct await *a)
{
	struct job *job = a->job;

	if (a->counts && --job->n_waits == 0)
		job->dispatch->n_waiting[job->run.kind]--;
	a->counts = false;
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

/* Whether the job may wait, too. */
static int
await_check(const struct job *job, struct err *err)
{
	const enum pool_kind kind = job->run.kind;
	const unsigned int slots = await_slots(job->dispatch, kind);

	if (slots == 0 || job->n_waits > 0 ||
	    job->dispatch->n_waiting[kind] + 1 < slots)
		return 0;
	return err_set(err, ERR_FULL,
		       "all %u handlers of this worker would wait, and none "
		       "would be left to run the tasks that they wait for; "
		       "raise [executor] %s, or let the other task submit what "
		       "is to follow",
		       slots,
		       kind == POOL_THREAD ? "io_workers" : "cpu_workers");
}

/* --- ends ---------------------------------------------------------------- */

static void
awaited_free(struct awaited *t)
{
	LIST_REMOVE(t, link);
	if (t->watch != NULL)
		results_unwatch(t->watch);
	free(t);
}

/* What would bring an answer. */
static void
await_stop(struct await *a)
{
	struct awaited *t, *next;

	for (t = LIST_FIRST(&a->tasks); t != NULL; t = next) {
		next = LIST_NEXT(t, link);
		awaited_free(t);
	}
	if (a->deadline != NULL)
		event_free(a->deadline);
	a->deadline = NULL;
	await_uncount(a);
}

static void
await_free(struct await *a)
{
	await_stop(a);
	LIST_REMOVE(a, of_job);
	if (a->is_due)
		TAILQ_REMOVE(&a->job->dispatch->awaits_due, a, due);
	buf_done(&a->text);
	free(a);
}

/* --- answers ------------------------------------------------------------- */

static bool
await_has_slot(const struct await *a, bool force)
{
	struct job *job = a->job;

	if (a->now || job->run.executor == NULL)
		return true;
	return job->n_waits > (a->counts ? 1U : 0U) ||
	       pool_resume(&job->run, force);
}

static void
await_send(struct await *a, uint32_t request, enum err_code code,
	   struct slice text)
{
	pool_answer(a->job->dispatch->pool,
		    &(struct pool_answer){.executor = a->asker.executor,
					  .job = a->asker.job,
					  .request = request,
					  .code = code,
					  .text = text});
	await_free(a);
}

/* Now, or when the asker has a slot again. */
static void
await_answer(struct await *a, uint32_t request, enum err_code code,
	     struct slice text)
{
	if (await_has_slot(a, code == ERR_TIMEOUT)) {
		await_send(a, request, code, text);
		return;
	}
	buf_add(&a->text, text.p, text.len);
	a->request = request;
	a->code = code;
	a->is_due = true;
	TAILQ_INSERT_TAIL(&a->job->dispatch->awaits_due, a, due);
	await_stop(a);
}

static void
await_fail(struct await *a, uint32_t request, const struct err *err)
{
	await_answer(a, request, err->code, slice_of(err->msg));
}

void
await_resume(struct dispatch *d)
{
	struct await *a, *next;
	struct err err;

	for (a = TAILQ_FIRST(&d->awaits_due); a != NULL; a = next) {
		next = TAILQ_NEXT(a, due);
		if (!await_has_slot(a, false))
			continue;
		if (!a->text.failed) {
			await_send(a, a->request, a->code,
				   (struct slice){a->text.data, a->text.len});
			continue;
		}
		err_nomem(&err);
		await_send(a, a->request, err.code, slice_of(err.msg));
	}
}

/* --- events -------------------------------------------------------------- */

/* However short the time is, each task is looked at once. */
static void
await_fail_if_late(struct await *a)
{
	struct err why;

	if (!a->late || a->n_unseen > 0)
		return;
	err_set(&why, ERR_TIMEOUT, "the task has not finished in time");
	await_fail(a, a->asker.number, &why);
}

static void
on_await_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct await *a = arg;

	a->late = true;
	await_fail_if_late(a);
}

static void
awaited_see(struct awaited *t)
{
	if (!t->seen)
		t->await->n_unseen--;
	t->seen = true;
	await_fail_if_late(t->await);
}

/* The watch lasts through outages, and so does the wait. */
static void
on_awaited_record(struct slice record, const struct err *err, void *arg)
{
	struct awaited *t = arg;
	struct await *a = t->await;
	enum result_status status;
	struct err why;

	if (err != NULL) {
		if (err->code == ERR_REFUSED || a->now)
			await_fail(a, t->request, err);
		else
			awaited_see(t);
	} else if (record.len == 0) {
		err_set(&why, ERR_NOT_FOUND, "the task has no record");
		await_fail(a, t->request, &why);
	} else if (a->now || (result_decode_status(record, &status) == 0 &&
			      result_status_final(status))) {
		await_answer(a, t->request, ERR_NONE, record);
	} else {
		awaited_see(t);
	}
}

/* --- beginning ----------------------------------------------------------- */

static struct await *
await_find(const struct job *job, uint32_t wait)
{
	struct await *a;

	LIST_FOREACH (a, &job->awaits, of_job)
		if (a->asker.number == wait)
			return a;
	return NULL;
}

static struct await *
await_new(struct job *job, const struct submit_request *asker,
	  const struct ipc_await *fixed)
{
	struct await *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->job = job;
	a->asker = *asker;
	a->now = fixed->now != 0;
	a->n_unseen = fixed->n;
	LIST_INIT(&a->tasks);
	LIST_INSERT_HEAD(&job->awaits, a, of_job);
	return a;
}

static int
await_start(struct await *a, int64_t timeout_us, struct err *err)
{
	const struct timeval tv = {.tv_sec = timeout_us / 1000000,
				   .tv_usec = timeout_us % 1000000};

	if (!a->now) {
		if (await_check(a->job, err) != 0)
			return -1;
		await_count(a);
	}
	if (timeout_us < 0 || timeout_us > AWAIT_MAX_US)
		return 0;
	a->deadline =
	    evtimer_new(a->job->dispatch->opt.base, on_await_deadline, a);
	if (a->deadline == NULL || evtimer_add(a->deadline, &tv) != 0)
		return err_nomem(err);
	return 0;
}

static int
await_add(struct await *a, struct slice id, uint32_t request, struct err *err)
{
	struct job *job = a->job;
	struct awaited *t;

	if (!task_id_valid(id))
		return err_set(err, ERR_DATA, "not a valid task ID");
	if (!a->now && slice_eq(id, slice_of(job->task->id)))
		return err_set(err, ERR_REFUSED,
			       "the task would wait for itself");
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return err_nomem(err);
	t->await = a;
	t->request = request;
	LIST_INSERT_HEAD(&a->tasks, t, link);
	t->watch = results_watch(job->dispatch->results, id, on_awaited_record,
				 t, err);
	return t->watch != NULL ? 0 : -1;
}

void
await_for(struct job *job, const struct submit_request *asker, struct slice id,
	  const struct ipc_await *fixed)
{
	struct await *a = await_find(job, fixed->wait);
	struct err err = ERR_INIT;
	int r = 0;

	/* It has its answer. */
	if (a == NULL ? fixed->wait != fixed->request : a->is_due)
		return;
	if (a == NULL) {
		if ((a = await_new(job, asker, fixed)) == NULL) {
			err_nomem(&err);
			pool_submitted(job->dispatch->pool, asker->executor,
				       asker->job, asker->number, &err);
			return;
		}
		r = await_start(a, fixed->timeout_us, &err);
	}
	if (r != 0 || await_add(a, id, fixed->request, &err) != 0)
		await_fail(a, fixed->request, &err);
	else if (!a->now)
		pool_wait(&job->run);
}

/* --- other ends ---------------------------------------------------------- */

void
await_forget(struct job *job, uint32_t wait)
{
	struct await *a = await_find(job, wait);
	bool lent;

	if (a == NULL)
		return;
	lent = !a->now;
	await_free(a);
	if (lent && job->n_waits == 0)
		pool_resume(&job->run, true);
}

/* However it has ended: nobody hears the answer any more. */
void
await_drop(struct job *job)
{
	struct await *a, *next;

	for (a = LIST_FIRST(&job->awaits); a != NULL; a = next) {
		next = LIST_NEXT(a, of_job);
		await_free(a);
	}
}

void
await_drop_all(struct dispatch *d)
{
	uint32_t i;

	for (i = 0; i < d->cap_jobs; i++)
		if (d->jobs[i] != NULL)
			await_drop(d->jobs[i]);
}
