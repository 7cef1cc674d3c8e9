/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: the producers' side.
 *
 * Tasks of priority 0 with no delay, for a queue with no limit, are pushed by
 * one LPUSH per run of the same queue, their records set by one MSET before it;
 * all others go through the submit script. Nothing is ever sent twice: a
 * submission whose reply was lost may have been carried out, and only the
 * caller can know whether a second task would do harm.
 *
 * A batch passes two steps. The records come first, so that a worker finds them
 * however quick it is; for an ID that a person chose, the answer decides
 * whether the task is pushed at all. Then come the tasks.
 *
 * A user may lack the right to store records, and a cluster refuses an MSET of
 * several slots. A task whose record is refused must not be pushed. So the first
 * batch of a connection, if it is a small one, is stored and pushed by one
 * script, all of it or nothing; a program that submits one task and ends waits
 * for one answer. If that is refused, or the batch is not of that kind, the
 * first records are awaited. After that, they travel in front of the tasks
 * without a wait.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/ops.h"
#include "store/redis/submit.h"

/* A command has been answered that the second step waits for, which the last one
 * begins. Its own count keeps the batch until all is sent. */
static void
reservation_ended(struct rbatch *batch)
{
	if (--batch->reserving == 0) {
		batch->pushed = true;
		rpush_all(batch);
	}
	rbatch_ended(batch);
}

/* An ID that was made for this task (uuid.c), for which no record can exist. */
static bool
is_nobody_elses(const struct broker_submit *task)
{
	return task->record.p != NULL && !task->exclusive &&
	       task->unique.len == 0 && task->flow.len == 0;
}

/* NIL is SET NX's answer when there is a record already. That of a task with a
 * unique key, or of a step, may be there from the same submission, sent before. */
static void
on_reserved(struct redis_request *request, const struct redis_reply *reply)
{
	struct rrun run = *container_of(request, struct rrun, request);
	struct broker_submit *task = &run.batch->tasks[run.first];

	free(container_of(request, struct rrun, request));
	if (redis_fault(reply) != REDIS_FAULT_NONE)
		rbatch_fail(task, run.batch->broker, reply);
	else if (redis_reply_type(reply) == REDIS_NIL && task->exclusive)
		err_set(&task->err, ERR_REFUSED,
			"a task with the ID %.*s exists already",
			(int)task->id.len, task->id.p);
	else
		run.batch->broker->set_works = true;
	if (run.batch->had_record != NULL)
		run.batch->had_record[run.first] =
		    redis_reply_type(reply) == REDIS_NIL;
	reservation_ended(run.batch);
}

/* Counts a command of the first step that was sent, or frees it: there is no
 * connection, most likely. */
static int
count_run(struct rrun *run, int sent)
{
	if (run == NULL || sent != 0) {
		free(run);
		return -1;
	}
	run->batch->under_way++;
	if (run->awaited)
		run->batch->reserving++;
	return 0;
}

/* The record is stored only if there is none, and the task is pushed only when
 * that is known. */
static void
reserve(struct rbatch *batch, size_t i)
{
	struct broker_submit *task = &batch->tasks[i];
	struct rrun *run = rbatch_run(batch, i, 1, on_reserved);
	struct buf key = BUF_INIT;
	struct slice argv[] = {
	    SLICE("SET"), {NULL, 0}, task->record, SLICE("NX")};

	argv[1] = arg_key(&key, ARG_RECORD, task->id);
	if (run == NULL || key.failed) {
		err_nomem(&task->err);
		free(run);
	} else {
		run->awaited = true;
		if (count_run(run, redis_request_command(
				       &run->request, REDIS_ARGS(argv))) != 0)
			err_set(&task->err, ERR_UNAVAILABLE,
				"%s is unreachable", batch->broker->url_name);
	}
	buf_done(&key);
}

/* The same when nothing depends on the answer. It may come late: what a worker
 * has stored meanwhile stays. */
static void
store_if_none(struct rbatch *batch, const struct broker_submit *task)
{
	struct buf key = BUF_INIT;
	struct slice argv[] = {
	    SLICE("SET"), {NULL, 0}, task->record, SLICE("NX")};

	argv[1] = arg_key(&key, ARG_RECORD, task->id);
	if (!key.failed)
		redis_command(batch->broker->redis, NULL, NULL, 4, argv);
	buf_done(&key);
}

/* MSET was refused, and the records are stored one by one: if the tasks are not
 * on their way yet, they wait for it. */
static void
store_singly(struct rbatch *batch, size_t first, size_t n)
{
	size_t i;

	batch->broker->records = RECORDS_SINGLY;
	for (i = first; i < first + n; i++)
		if (!is_nobody_elses(&batch->tasks[i]))
			continue;
		else if (batch->pushed)
			store_if_none(batch, &batch->tasks[i]);
		else
			reserve(batch, i);
}

static void
on_stored(struct redis_request *request, const struct redis_reply *reply)
{
	struct rrun run = *container_of(request, struct rrun, request);
	struct rbatch *batch = run.batch;
	const enum redis_fault fault = redis_fault(reply);
	size_t i;

	free(container_of(request, struct rrun, request));
	if (fault == REDIS_FAULT_NONE)
		batch->broker->records = RECORDS_TOGETHER;
	else if (fault == REDIS_FAULT_REFUSED || fault == REDIS_FAULT_OTHER)
		store_singly(batch, run.first, run.n);
	else if (!batch->pushed)
		for (i = run.first; i < run.first + run.n; i++)
			if (is_nobody_elses(&batch->tasks[i]))
				rbatch_fail(&batch->tasks[i], batch->broker,
					    reply);
	if (run.awaited)
		reservation_ended(batch);
	else
		rbatch_ended(batch);
}

/* By one command, whose answer comes before those of the pushes. */
static void
send_records(struct rbatch *batch, size_t first, size_t n,
	     struct redis_args argv)
{
	struct rrun *run = rbatch_run(batch, first, n, on_stored);
	size_t i;

	if (run != NULL)
		run->awaited = batch->broker->records <= RECORDS_UNKNOWN;
	if (count_run(run, run != NULL
			       ? redis_request_command(&run->request, argv)
			       : -1) == 0)
		return;
	for (i = first; i < first + n; i++)
		if (is_nobody_elses(&batch->tasks[i]))
			err_set(&batch->tasks[i].err, ERR_UNAVAILABLE,
				"%s is unreachable", batch->broker->url_name);
}

/* Of one MSET: the server does nothing else meanwhile. */
#define RECORDS_BYTES_MAX (2u << 20)
#define RECORDS_MAX 1000

/* Stores the records of IDs that nobody else can have. */
static void
store_together(struct rbatch *batch)
{
	struct slice *argv = calloc(1 + 2 * batch->n, sizeof(*argv));
	struct buf keys = BUF_INIT;
	size_t i, argc = 1, at = 0, first = 0, bytes = 0;

	for (i = 0; i < batch->n; i++)
		arg_key(&keys, ARG_RECORD, batch->tasks[i].id);
	if (argv == NULL || keys.failed) {
		for (i = 0; i < batch->n; i++)
			err_nomem(&batch->tasks[i].err);
		goto out;
	}
	argv[0] = SLICE("MSET");
	for (i = 0; i < batch->n; i++) {
		size_t len = strlen(ARG_RECORD) + batch->tasks[i].id.len;

		if (is_nobody_elses(&batch->tasks[i])) {
			argv[argc++] = (struct slice){keys.data + at, len};
			argv[argc++] = batch->tasks[i].record;
			bytes += batch->tasks[i].record.len;
		}
		at += len;
		if (bytes < RECORDS_BYTES_MAX && argc < 2 * RECORDS_MAX)
			continue;
		send_records(batch, first, i + 1 - first,
			     (struct redis_args){argv, argc});
		argc = 1;
		first = i + 1;
		bytes = 0;
	}
	if (argc > 1)
		send_records(batch, first, batch->n - first,
			     (struct redis_args){argv, argc});
out:
	buf_done(&keys);
	free(argv);
}

static void
store_records(struct rbatch *batch)
{
	const struct rbroker *b = batch->broker;
	const struct broker_submit *task;
	size_t i;

	if (b->records != RECORDS_SINGLY)
		store_together(batch);
	for (i = 0; i < batch->n; i++) {
		task = &batch->tasks[i];
		if ((task->record.p == NULL && !task->exclusive) ||
		    task->role != FLOW_STEP || task->err.code != ERR_NONE)
			continue;
		if (task->exclusive || task->flow.len > 0 ||
		    (task->unique.len > 0 && !b->set_works) ||
		    (is_nobody_elses(task) && b->records == RECORDS_SINGLY))
			reserve(batch, i);
		else if (task->unique.len > 0)
			store_if_none(batch, task);
	}
}

/* The first step. */
static void
rsubmit_in_steps(struct rbatch *batch)
{
	batch->reserving = 1;
	if (batch->broker->opt.with_results)
		store_records(batch);
	reservation_ended(batch);
}

/* --- the first batch of a connection --------------------------------------- */

/* Tasks of one call, and bytes of them and their records: what a program submits
 * at once if it submits little. Lua takes far more, but it copies each of them
 * (1 MiB: about 2 ms), and the server does nothing else meanwhile. */
#define ENTER_MAX 100
#define ENTER_BYTES_MAX (256u << 10)

/* What is refused otherwise is tried in steps, which say which of them it is. */
static void
on_entered(struct redis_request *request, const struct redis_reply *reply)
{
	struct rrun run = *container_of(request, struct rrun, request);
	struct rbatch *batch = run.batch;
	struct rbroker *b = batch->broker;
	const enum redis_fault fault = redis_fault(reply);
	size_t i;

	free(container_of(request, struct rrun, request));
	if (fault == REDIS_FAULT_REFUSED || fault == REDIS_FAULT_OTHER ||
	    fault == REDIS_FAULT_SCRIPT) {
		if (b->records == RECORDS_UNTRIED)
			b->records = RECORDS_UNKNOWN;
		rsubmit_in_steps(batch);
		return;
	}
	if (fault == REDIS_FAULT_NONE && b->records <= RECORDS_UNKNOWN)
		b->records = RECORDS_TOGETHER;
	for (i = 0; fault != REDIS_FAULT_NONE && i < batch->n; i++)
		rbatch_fail(&batch->tasks[i], b, reply);
	rbatch_ended(batch);
}

/* Whether the script does all that the steps would do. */
static bool
can_enter(const struct rbatch *batch)
{
	const struct rbroker *b = batch->broker;
	const struct broker_submit *task = batch->tasks;
	size_t i, bytes = 0;

	if (b->records != RECORDS_UNTRIED || !b->opt.with_results ||
	    batch->n > ENTER_MAX)
		return false;
	for (i = 0; i < batch->n; i++, task++) {
		bytes += task->bytes.len + task->record.len;
		if (bytes > ENTER_BYTES_MAX || !is_nobody_elses(task) ||
		    !rpush_is_plain(b, task) ||
		    strcmp(task->queue, batch->tasks->queue) != 0)
			return false;
	}
	return batch->n > 0;
}

/* Sends the script; its answer has the count of the batch that the steps would
 * have. */
static int
enter_with(struct rbatch *batch, struct slice *keys, struct slice *args,
	   const struct buf *names)
{
	struct rbroker *b = batch->broker;
	struct rrun *run = rbatch_run(batch, 0, batch->n, on_entered);
	size_t at = strlen(b->queue_key) + 1 + strlen(batch->tasks->queue), i;

	keys[0] = (struct slice){names->data, at};
	for (i = 0; i < batch->n; i++) {
		const struct broker_submit *task = &batch->tasks[i];
		size_t len = strlen(ARG_RECORD) + task->id.len;

		keys[1 + i] = (struct slice){names->data + at, len};
		args[i] = task->record;
		args[batch->n + i] = task->bytes;
		at += len;
	}
	if (run != NULL &&
	    redis_request_eval(&run->request, &b->scripts[SCRIPT_ENTER],
			       (struct redis_args){keys, 1 + batch->n},
			       (struct redis_args){args, 2 * batch->n}) == 0)
		return 0;
	free(run);
	return -1;
}

/* -1: nothing was sent. */
static int
enter(struct rbatch *batch)
{
	struct slice *slices = calloc(1 + 3 * batch->n, sizeof(*slices));
	struct buf names = BUF_INIT;
	int sent = -1;
	size_t i;

	buf_addf(&names, "%s:%s", batch->broker->queue_key,
		 batch->tasks->queue);
	for (i = 0; i < batch->n; i++)
		arg_key(&names, ARG_RECORD, batch->tasks[i].id);
	if (slices != NULL && !names.failed) {
		rbroker_name_queue(batch->broker, batch->tasks->queue);
		sent = enter_with(batch, slices, slices + 1 + batch->n, &names);
	}
	buf_done(&names);
	free(slices);
	return sent;
}

/* --- submitting ------------------------------------------------------------ */

/* No task but a step waits for others here: none of such a batch is sent. */
static bool
rsubmit_refuse(struct rbatch *batch)
{
	struct broker_submit *task;
	bool refuse = false;

	for (task = batch->tasks; task < batch->tasks + batch->n; task++)
		refuse |= task->n_after > 0 && task->flow.len == 0;
	for (task = batch->tasks; refuse && task < batch->tasks + batch->n;
	     task++)
		err_set(&task->err, ERR_CONFIG,
			"only steps of a workflow wait for others at %s",
			batch->broker->url_name);
	if (refuse || rflow_add_check(batch))
		return refuse;
	for (task = batch->tasks; task < batch->tasks + batch->n; task++)
		err_nomem(&task->err);
	return true;
}

static void
rsubmit_start(struct redis_request *request, const struct redis_reply *none)
{
	struct rbatch *batch = container_of(request, struct rbatch, request);

	if (rsubmit_refuse(batch)) {
		rbatch_ended(batch);
		return;
	}
	if (!can_enter(batch) || enter(batch) != 0)
		rsubmit_in_steps(batch);
}

static void
rsubmit_drop_start(struct redis_request *request)
{
	rbatch_drop(container_of(request, struct rbatch, request));
}

void
rbroker_submit(struct broker *broker, struct broker_submit *tasks, size_t n,
	       broker_submitted_fn *on_done, void *arg)
{
	struct rbroker *b = (struct rbroker *)broker;
	struct rbatch *batch;
	size_t i;

	if (b->producer != NULL) {
		rbroker_submit(b->producer, tasks, n, on_done, arg);
		return;
	}
	batch = malloc(sizeof(*batch));
	for (i = 0; i < n; i++)
		tasks[i].err.code = ERR_NONE;
	if (batch == NULL) {
		for (i = 0; i < n; i++)
			err_nomem(&tasks[i].err);
		on_done(tasks, n, arg);
		return;
	}
	*batch = (struct rbatch){.request = {.queue = b->requests,
					     .on_reply = rsubmit_start,
					     .drop = rsubmit_drop_start},
				 .broker = b,
				 .tasks = tasks,
				 .n = n,
				 .on_done = on_done,
				 .arg = arg,
				 .under_way = 1};
	/* From the loop, since it may be answered at once. */
	redis_request_later(&batch->request);
}

bool
rbroker_look(struct broker *broker)
{
	return redis_look(((struct rbroker *)broker)->redis);
}

void
rbroker_push(struct broker *broker)
{
	struct rbroker *b = (struct rbroker *)broker;

	redis_requests_push(b->requests);
	redis_push(b->redis);
}
