/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: submitting, where a task's way begins. A batch is one job:
 * its records and tasks are flushed to disk with it before it is answered, or
 * none of them exists.
 *
 * A task that is refused (a full queue, an ID that exists) has an error of its
 * own in task->err; only a failing statement fails the job, and so the batch.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/blobs.h"
#include "store/sqlite/broker.h"
#include "store/sqlite/deputy.h"
#include "store/sqlite/flows.h"
#include "store/sqlite/record.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/unique.h"
#include "store/sqlite/waits.h"
#include "util/clock.h"
#include "util/sat.h"

struct submission {
	struct database_job job;
	struct sbroker *broker;
	struct broker_submit *tasks;
	size_t n;
	struct ssubmit_bounds bounds;
	/* A worker was asked, and may have queued it: see deputy.h. */
	bool unsure;
	broker_submitted_fn *on_done;
	void *arg;
};

/* The queue of a run of tasks: its row, which is written when the run ends, so
 * that a batch of a thousand tasks for one queue writes it once. */
struct target {
	const char *name;
	int64_t id, size, next;
	bool changed;
};

/* --- in the I/O thread ------------------------------------------------- */

/* Writes the row back, and wakes the workers that wait for the queue. */
static int
target_close(struct tx *tx, struct target *t, struct err *err)
{
	if (!t->changed)
		return 0;
	t->changed = false;
	if (tx_run(tx, err, SQL_QUEUE_SET, t->id, t->size, t->next) < 0)
		return -1;
	return swake_queue_run(tx, t->id, err);
}

/* Makes `t` the queue `name`, which is created if it does not exist. */
static int
target_open(struct tx *tx, struct target *t, const char *name, struct err *err)
{
	const struct slice key = slice_of(name);

	if (t->name != NULL && strcmp(t->name, name) == 0)
		return 0;
	if (target_close(tx, t, err) != 0)
		return -1;
	if (tx_first(tx, err, SQL_QUEUE_FIND, key) != 1 &&
	    (tx_run(tx, err, SQL_QUEUE_ADD, key) < 0 ||
	     tx_first(tx, err, SQL_QUEUE_FIND, key) < 0))
		return -1;
	*t = (struct target){.name = name,
			     .id = tx_int(tx, SQL_QUEUE_FIND, 0),
			     .size = tx_int(tx, SQL_QUEUE_FIND, 1),
			     .next = tx_int(tx, SQL_QUEUE_FIND, 2)};
	tx_end(tx, SQL_QUEUE_FIND);
	return 0;
}

/* That of a task with a key, if it is another one's; 0, or -1. */
static int
submit_check_unique(struct tx *tx, struct target *t, struct broker_submit *task,
		    struct err *err)
{
	struct sunique_owner owner;
	int r;

	if (task->unique.len == 0)
		return 0;
	r = sunique_owner_run(tx, t->id, task, &owner, err);
	task->duplicate = r == 1;
	if (r != 1 || !task->debounces || owner.until != UNIQUE_START)
		return r < 0 ? -1 : 0;
	/* One that waits already is not this one: this is queued. */
	r = sunique_put_off_run(tx, t->id, task, owner.number, err);
	task->duplicate = r == 1;
	t->changed = t->changed || r == 1;
	return r < 0 ? -1 : 0;
}

/*
 * The pending record of the task: 1, 0 if another one stays, or -1. A plain task
 * may meet the record of an earlier run under its ID and then replaces it,
 * unless that is final. An exclusive or unique one must not: the record may be
 * that of a task which waits.
 */
static int
submit_store_record(const struct sbroker *b, struct tx *tx,
		    struct broker_submit *task, int64_t number, struct err *err)
{
	const struct srecord_birth birth = {
	    .id = task->id,
	    .record = task->derived ? SLICE("") : task->record,
	    .task = number,
	    .replaces = !task->exclusive && task->unique.len == 0};
	int added;

	if (!b->opt.with_results || task->record.p == NULL)
		return 0;
	added = srecord_begin_run(tx, &birth, err);
	if (added == 0 && task->exclusive)
		err_set(&task->err, ERR_REFUSED,
			"a task with the ID %.*s exists already",
			(int)task->id.len, task->id.p);
	return added;
}

/* Skipped at once, it is taken off the size of the queue: so the row is written before,
 * and read again for the next task. */
static int
submit_hold(struct tx *tx, struct target *t, const struct broker_submit *task,
	    const struct sflow *flow, int64_t number, struct err *err)
{
	const struct swaits_row row = {.number = number,
				       .at_ms = task->at_ms,
				       .delay_ms = task->delay_ms,
				       .flow = flow->number,
				       .place = flow->next};

	if (target_close(tx, t, err) != 0)
		return -1;
	t->name = NULL;
	if (task->n_after == 0 &&
	    ssteps_await_seal_run(tx, task->flow, &row, err) != 0)
		return -1;
	if (swaits_begin_run(tx, task, &row, err) != 0)
		return -1;
	return flow->state == FLOW_CANCELLING
		   ? sflow_skip_some_run(tx, flow->number, err)
		   : 0;
}

/* Where the task begins: among those that wait, or are for later. The target counts
 * it already. */
static int
submit_place(struct tx *tx, struct target *t, const struct broker_submit *task,
	     const struct sflow *flow, int64_t number, struct err *err)
{
	if (ssteps_waits(task, flow))
		return submit_hold(tx, t, task, flow, number, err);
	if (task->delay_ms > 0 || task->at_ms > tx_now(tx))
		return sdelay_add_run(
		    tx,
		    &(struct sdelayed){.queue = t->id,
				       .number = number,
				       .priority = task->priority,
				       .at_ms = task->at_ms,
				       .delay_ms = task->delay_ms},
		    err);
	return tx_run(tx, err, SQL_WAITING_ADD, t->id, (int64_t)task->priority,
		      t->next - 1, number, INT64_C(0));
}

/* One that waits for others needs their records, and those are here or nowhere. */
static int
submit_check_after(const struct sbroker *b, struct tx *tx,
		   struct broker_submit *task, struct err *err)
{
	if (task->n_after == 0)
		return 0;
	if (b->opt.with_results)
		return swaits_check_run(tx, task, err);
	err_set(&task->err, ERR_CONFIG,
		"a task waits for others only where records are in the same "
		"database ([backend] url)");
	return 0;
}

/* A step that is there already is a duplicate. */
static int
submit_check_flow(const struct sbroker *b, struct tx *tx,
		  struct broker_submit *task, struct sflow *flow,
		  struct err *err)
{
	if (b->opt.with_results)
		return ssteps_check_run(tx, task, flow, err);
	err_set(&task->err, ERR_CONFIG, SFLOW_APART);
	return 0;
}

/* -1: task->err says that it has no room; with `next`, for both of them. */
static int
submit_check_room(const struct submission *s, const struct target *t,
		  struct broker_submit *task, const struct broker_submit *next)
{
	const int64_t max = s->bounds.max_queue_size;

	if (max <= 0 || t->size + (next != NULL) < max)
		return 0;
	return err_set(&task->err, ERR_FULL,
		       "queue %s is full ([executor] max_queue_size); try "
		       "again later",
		       task->queue);
}

/* One that the next one follows is refused if that would be: there is never the one
 * without the other. */
static int
submit_check_free(struct tx *tx, struct broker_submit *task,
		  const struct broker_submit *next, struct err *err)
{
	struct srecord r;
	const int found = srecord_find_run(tx, next->id, &r, err);

	if (found == 1)
		err_set(&task->err, ERR_REFUSED,
			"a task with the ID %.*s exists already",
			(int)next->id.len, next->id.p);
	return found < 0 ? -1 : 0;
}

/* Nothing of it is there yet, and it has no error: whether it can be stored, which
 * task->err says. Steps are not subject to the limits of queues. */
static int
submit_check(const struct submission *s, struct tx *tx, struct target *t,
	     struct broker_submit *task, const struct broker_submit *next,
	     struct sflow *flow, struct err *err)
{
	if (submit_check_unique(tx, t, task, err) != 0)
		return -1;
	if (task->duplicate)
		return 0;
	if (task->flow.len > 0)
		return submit_check_flow(s->broker, tx, task, flow, err);
	if (submit_check_room(s, t, task, next) != 0)
		return 0;
	if (next != NULL && submit_check_free(tx, task, next, err) != 0)
		return -1;
	return submit_check_after(s->broker, tx, task, err);
}

/* Its record, and its task. */
static int
submit_store(const struct submission *s, struct tx *tx, struct target *t,
	     struct broker_submit *task, const struct sflow *flow,
	     struct err *err)
{
	const int64_t number = schema_number(t->id, t->next);

	if (submit_store_record(s->broker, tx, task, number, err) < 0)
		return -1;
	if (task->err.code != ERR_NONE)
		return 0;
	if (sunique_note_run(tx, t->id, task, number, err) != 0 ||
	    sblobs_add_run(tx, task, err) != 0 ||
	    tx_run(tx, err, SQL_TASK_ADD, number, task->bytes) < 0 ||
	    (flow->number != 0 && ssteps_add_run(tx, task, flow, err) != 0))
		return -1;
	t->size = sat_add(t->size, 1);
	t->next = sat_add(t->next, 1);
	t->changed = true;
	return submit_place(tx, t, task, flow, number, err) < 0 ? -1 : 0;
}

/*
 * In this order: a duplicate is answered as one also when the queue is full,
 * and a task that is refused leaves nothing behind. A refusal sets task->err;
 * it is not a failure of the job.
 */
static int
submit_add_task(const struct submission *s, struct tx *tx, struct target *t,
		struct broker_submit *task, const struct broker_submit *next,
		struct err *err)
{
	struct sflow flow = {.number = 0};

	if (submit_check(s, tx, t, task, next, &flow, err) != 0)
		return -1;
	if (task->duplicate || task->err.code != ERR_NONE)
		return 0;
	/* It is nowhere until its workflow has ended. */
	if (task->role != FLOW_STEP && flow.number != 0)
		return ssteps_add_run(tx, task, &flow, err);
	return submit_store(s, tx, t, task, &flow, err);
}

/* Whether it goes the way of the one before it, which was not queued. */
static bool
submit_follows(struct broker_submit *task, const struct broker_submit *before)
{
	if (!task->follows ||
	    (before->err.code == ERR_NONE && !before->duplicate))
		return false;
	task->err = before->err;
	task->duplicate = before->duplicate;
	return true;
}

/* By the clock at this moment, with the writers' lock: who has waited for the
 * answer has turned to the file, and waits for this transaction. */
static bool
submit_is_late(struct submission *s)
{
	if (s->bounds.by_ms == 0 || clock_mono_ms() < s->bounds.by_ms)
		return false;
	err_set(&s->tasks[0].err, ERR_TIMEOUT, "it came too late");
	return true;
}

/* Whether the worker that was asked has queued it: 1, 0, or -1 with *err. */
static int
submit_was_done(const struct submission *s, struct tx *tx, struct err *err)
{
	struct srecord r;

	return s->unsure ? srecord_find_run(tx, s->tasks[0].id, &r, err) : 0;
}

static int
submit_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct submission *s = container_of(job, struct submission, job);
	struct target target = {.name = NULL};
	const struct broker_submit *next;
	const int done = submit_was_done(s, tx, err);
	size_t i;

	if (done != 0)
		return done < 0 ? -1 : 0;
	if (submit_is_late(s))
		return 0;
	/* It may have run before, and been rolled back. */
	for (i = 0; i < s->n; i++) {
		s->tasks[i].err.code = ERR_NONE;
		s->tasks[i].duplicate = false;
		if (i > 0 && submit_follows(&s->tasks[i], &s->tasks[i - 1]))
			continue;
		next = i + 1 < s->n && s->tasks[i + 1].follows
			   ? &s->tasks[i + 1]
			   : NULL;
		if (target_open(tx, &target, s->tasks[i].queue, err) != 0 ||
		    submit_add_task(s, tx, &target, &s->tasks[i], next, err) !=
			0)
			return -1;
	}
	return target_close(tx, &target, err);
}

/* --- on the loop ------------------------------------------------------- */

static void
submit_done(struct database_job *job, const struct err *err)
{
	/* Freed first: the callback may do anything, also close the broker. */
	struct submission s = *container_of(job, struct submission, job);
	size_t i;

	for (i = 0; i < s.n && err != NULL; i++)
		s.tasks[i].err = *err;
	free(container_of(job, struct submission, job));
	s.on_done(s.tasks, s.n, s.arg);
}

static void
submit_drop(struct database_job *job)
{
	free(container_of(job, struct submission, job));
}

/* NULL: the caller has been told that there is no memory. */
static struct submission *
submission_new(struct sbroker *b, struct broker_submit *tasks, size_t n,
	       broker_submitted_fn *on_done, void *arg)
{
	struct submission *s = calloc(1, sizeof(*s));
	size_t i;

	for (i = 0; i < n; i++)
		tasks[i].err.code = ERR_NONE;
	if (s == NULL) {
		for (i = 0; i < n; i++)
			err_nomem(&tasks[i].err);
		on_done(tasks, n, arg);
		return NULL;
	}
	*s = (struct submission){.job = {.run = submit_run,
					 .done = submit_done,
					 .drop = submit_drop,
					 .sync = DATABASE_NOW,
					 .rows = (unsigned int)n},
				 .broker = b,
				 .tasks = tasks,
				 .n = n,
				 .bounds = {b->opt.max_queue_size, 0},
				 .on_done = on_done,
				 .arg = arg};
	for (i = 0; i < n; i++)
		s->job.bytes += tasks[i].bytes.len +
				(tasks[i].derived ? 0 : tasks[i].record.len);
	return s;
}

void
ssubmit_post(struct sbroker *b, const struct ssubmit_bounds *bounds,
	     struct broker_submit *tasks, size_t n,
	     broker_submitted_fn *on_done, void *arg)
{
	struct submission *s = submission_new(b, tasks, n, on_done, arg);

	if (s == NULL)
		return;
	s->bounds = *bounds;
	database_post(&b->user, &s->job);
}

/* A worker is asked for one task by itself, whose ID nobody else has chosen: its
 * record says whether it was queued. */
static bool
submit_may_ask(const struct sbroker *b, const struct broker_submit *tasks,
	       size_t n)
{
	return n == 1 && b->opt.with_results && tasks->record.p != NULL &&
	       !tasks->exclusive && tasks->unique.len == 0 &&
	       tasks->n_after == 0 && tasks->flow.len == 0 &&
	       tasks->blob_name.len == 0;
}

/* ERR_NONE was set when it began. */
static void
submit_take(struct database_job *job, bool found, struct slice text)
{
	(void)job, (void)found, (void)text;
}

static void
submit_ask(struct sbroker *b, struct submission *s)
{
	const struct broker_submit *task = s->tasks;

	sdeputy_ask(b,
		    &(struct sdeputy_ask){
			.what = SDEPUTY_SUBMIT,
			.job = &s->job,
			.texts = {slice_of(task->queue), task->id, task->bytes,
				  task->derived ? SLICE("") : task->record},
			.submit = task,
			.max_queue_size = s->bounds.max_queue_size,
			.sent = &s->unsure,
			.take = submit_take});
}

void
sbroker_submit(struct broker *broker, struct broker_submit *tasks, size_t n,
	       broker_submitted_fn *on_done, void *arg)
{
	struct sbroker *b = (struct sbroker *)broker;
	struct submission *s = submission_new(b, tasks, n, on_done, arg);

	if (s == NULL)
		return;
	if (b->asks && submit_may_ask(b, tasks, n))
		submit_ask(b, s);
	else
		database_post(&b->user, &s->job);
}
