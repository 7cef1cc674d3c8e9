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
 * whether the task is pushed at all. Then come the tasks. `under_way` counts
 * the commands of the step.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"

/* What submit.lua answers for each task, if it is not the id of another. */
enum answer { QUEUE_FULL, QUEUED, QUEUED_BEFORE };

/* A batch, and the commands it still waits for. It holds one count itself while
 * it sends, so that an answer cannot end it before all is sent. */
struct batch {
	struct redis_request request; /* that it begins with */
	struct rbroker *broker;
	struct broker_submit *tasks;
	size_t n;
	broker_submitted_fn *on_done;
	void *arg;
	size_t under_way;
	bool reserved; /* records are stored; now the tasks */
};

/* One command for tasks first … first + n - 1 of a batch. */
struct run {
	struct redis_request request;
	struct batch *batch;
	size_t first, n;
};

/* The broker is being closed: nobody is told, and the last of the batch's
 * commands frees it. */
static void
drop_batch(struct batch *batch)
{
	if (--batch->under_way == 0)
		free(batch);
}

static void
drop_run(struct redis_request *request)
{
	struct run *run = container_of(request, struct run, request);

	drop_batch(run->batch);
	free(run);
}

/* NULL when memory runs out. */
static struct run *
run_new(struct batch *batch, size_t first, size_t n, redis_request_fn *on_reply)
{
	struct run *run = malloc(sizeof(*run));

	if (run != NULL)
		*run =
		    (struct run){.request = {.queue = batch->broker->requests,
					     .on_reply = on_reply,
					     .drop = drop_run},
				 .batch = batch,
				 .first = first,
				 .n = n};
	return run;
}

/* --- answers ----------------------------------------------------------- */

/* An error from the first step is kept: it says why the task was not pushed. */
static void
rsubmit_fail(struct broker_submit *task, const struct rbroker *b,
	     const struct redis_reply *reply)
{
	if (task->err.code != ERR_NONE)
		return;
	redis_fault_err(b->redis, "submitting", reply, &task->err);
	/* ERR_FULL is for the limit of a queue. */
	if (task->err.code == ERR_FULL)
		task->err.code = ERR_UNAVAILABLE;
	if (redis_fault(reply) == REDIS_FAULT_LOST)
		err_set(&task->err, ERR_UNAVAILABLE,
			"the connection to %s broke before it answered; the "
			"task may have been queued anyway",
			b->url_name);
}

static void rsubmit_push(struct batch *batch);

/* One command of the step has been answered, or the step has sent all. The last
 * one begins the next step, or tells the caller. */
static void
command_ended(struct batch *batch)
{
	if (--batch->under_way > 0)
		return;
	if (!batch->reserved) {
		batch->reserved = true;
		rsubmit_push(batch);
	} else {
		batch->on_done(batch->tasks, batch->n, batch->arg);
		free(batch);
	}
}

/* A task that was refused leaves no record behind. */
static void
forget_record(struct rbroker *b, const struct broker_submit *task)
{
	struct buf key = BUF_INIT;
	struct slice argv[2] = {SLICE("UNLINK")};

	if (!b->opt.with_results || task->record.p == NULL)
		return;
	argv[1] = arg_key(&key, ARG_RECORD, task->id);
	if (!key.failed)
		redis_command(b->redis, NULL, NULL, 2, argv);
	buf_done(&key);
}

/* The task that has the same unique key, maybe this one, sent before. */
static void
set_owner(struct broker_submit *task, struct slice id)
{
	task->duplicate = true;
	snprintf(task->owner, sizeof(task->owner), "%.*s", (int)id.len, id.p);
}

/* What the submit script says of one task; a plain push says nothing. */
static void
take_answer(struct rbroker *b, struct broker_submit *task,
	    const struct redis_reply *reply)
{
	const bool taken = redis_reply_type(reply) == REDIS_STRING;
	const int64_t answer = taken ? QUEUED : redis_reply_integer(reply);

	if (answer == QUEUE_FULL)
		err_set(&task->err, ERR_FULL,
			"queue %s is full ([executor] max_queue_size); "
			"try again later",
			task->queue);
	if (taken)
		set_owner(task, redis_reply_string(reply));
	else if (answer == QUEUED_BEFORE)
		set_owner(task, task->id);
	if (answer == QUEUE_FULL || taken)
		forget_record(b, task);
}

/* The run is copied and freed first: command_ended() may end the batch, and its
 * callback may close the broker. */
static void
on_pushed(struct redis_request *request, const struct redis_reply *reply)
{
	struct run run = *container_of(request, struct run, request);
	struct rbroker *b = run.batch->broker;
	struct broker_submit *task;
	size_t i;

	free(container_of(request, struct run, request));
	for (i = 0; i < run.n; i++) {
		task = &run.batch->tasks[run.first + i];
		if (redis_fault(reply) != REDIS_FAULT_NONE) {
			rsubmit_fail(task, b, reply);
			/* What is sent again with its key may be queued. */
			if (redis_fault(reply) != REDIS_FAULT_LOST &&
			    task->unique.len == 0)
				forget_record(b, task);
		} else if (redis_reply_type(reply) == REDIS_ARRAY) {
			take_answer(b, task, redis_reply_at(reply, i));
		}
	}
	command_ended(run.batch);
}

/* Sends a command for a run of tasks, or fails them. */
static void
send_run(struct batch *batch, size_t first, size_t n, size_t argc,
	 const struct slice *argv, const struct slice *keys)
{
	struct run *run = run_new(batch, first, n, on_pushed);
	int sent = -1;

	if (run != NULL && keys == NULL)
		sent = redis_request_command(&run->request,
					     (struct redis_args){argv, argc});
	else if (run != NULL)
		sent = redis_request_eval(
		    &run->request, &batch->broker->scripts[SCRIPT_SUBMIT],
		    (struct redis_args){keys, 4},
		    (struct redis_args){argv, argc});
	if (sent == 0) {
		batch->under_way++;
		return;
	}
	/* No connection, most likely; producers are told at once, and decide. */
	free(run);
	for (; n > 0; n--)
		err_set(&batch->tasks[first++].err, ERR_UNAVAILABLE,
			"%s is unreachable", batch->broker->url_name);
}

/* --- pushing ----------------------------------------------------------- */

/* Whether LPUSH does all that the script would do: priority 0 is the list
 * itself, and its waiting workers are woken by BLMOVE. */
static bool
rsubmit_is_plain(const struct rbroker *b, const struct broker_submit *task)
{
	return task->priority == 0 && task->delay_ms <= 0 && task->at_ms <= 0 &&
	       task->unique.len == 0 && b->opt.max_queue_size == 0;
}

/* The bytes of the tasks are not copied: redis_command() writes them out. */
static void
push_plain(struct batch *batch, size_t first, size_t n)
{
	struct slice *argv = calloc(n + 2, sizeof(*argv));
	struct buf key = BUF_INIT;
	size_t i;

	buf_addf(&key, "%s:%s", batch->broker->queue_key,
		 batch->tasks[first].queue);
	if (argv == NULL || key.failed) {
		for (i = 0; i < n; i++)
			err_nomem(&batch->tasks[first + i].err);
		goto out;
	}
	argv[0] = SLICE("LPUSH");
	argv[1] = (struct slice){key.data, key.len};
	for (i = 0; i < n; i++)
		argv[2 + i] = batch->tasks[first + i].bytes;
	send_run(batch, first, n, n + 2, argv, NULL);
out:
	buf_done(&key);
	free(argv);
}

/* Three arguments for all tasks and seven for each; submit.lua names them. */
static void
push_by_script(struct batch *batch, size_t first, size_t n)
{
	struct rbroker *b = batch->broker;
	struct slice *args = calloc(3 + 7 * n, sizeof(*args)), *arg;
	char(*numbers)[4][ARG_NUMBER_SIZE] = calloc(n, sizeof(*numbers));
	char limit[ARG_NUMBER_SIZE];
	const struct broker_submit *task = &batch->tasks[first];
	struct rqueue q = {.name = NULL};
	size_t i;

	if (args == NULL || numbers == NULL ||
	    rqueue_init(&q, b, task->queue, 0) != 0) {
		for (i = 0; i < n; i++)
			err_nomem(&batch->tasks[first + i].err);
		goto out;
	}
	const struct slice keys[] = {
	    slice_of(q.keys[KEY_WAITING]), slice_of(q.keys[KEY_LEVELS]),
	    slice_of(q.keys[KEY_DELAYED]), slice_of(q.keys[KEY_WITHDRAWN])};
	args[0] = arg_number(limit, b->opt.max_queue_size);
	args[1] = slice_of(RBROKER_CONTROL);
	args[2] = slice_of(q.wake);
	for (i = 0; i < n; i++, task++) {
		arg = &args[3 + 7 * i];
		arg[0] = arg_number(numbers[i][0], task->priority);
		arg[1] = arg_number(numbers[i][1], task->delay_ms);
		arg[2] = arg_number(numbers[i][2], task->at_ms);
		arg[3] = task->bytes;
		arg[4] = task->id;
		arg[5] = task->unique;
		arg[6] = arg_number(numbers[i][3], task->unique_s);
	}
	send_run(batch, first, n, 3 + 7 * n, args, keys);
out:
	rqueue_done(&q);
	free(numbers);
	free(args);
}

/* Pushes all tasks that are not refused yet, in runs of one queue and way. */
static void
rsubmit_push(struct batch *batch)
{
	struct rbroker *b = batch->broker;
	struct broker_submit *t = batch->tasks;
	size_t i, end;

	/* Its own count, so that the batch cannot end before all is sent. */
	batch->under_way++;
	for (i = 0; i < batch->n; i = end) {
		end = i + 1;
		if (t[i].err.code != ERR_NONE)
			continue;
		while (end < batch->n && t[end].err.code == ERR_NONE &&
		       rsubmit_is_plain(b, &t[end]) ==
			   rsubmit_is_plain(b, &t[i]) &&
		       strcmp(t[end].queue, t[i].queue) == 0)
			end++;
		rbroker_name_queue(b, t[i].queue);
		if (rsubmit_is_plain(b, &t[i]))
			push_plain(batch, i, end - i);
		else
			push_by_script(batch, i, end - i);
	}
	command_ended(batch);
}

/* --- records ----------------------------------------------------------- */

/* NIL is SET NX's answer when there is a record already. */
static void
on_reserved(struct redis_request *request, const struct redis_reply *reply)
{
	struct run run = *container_of(request, struct run, request);
	struct broker_submit *task = &run.batch->tasks[run.first];

	free(container_of(request, struct run, request));
	if (redis_fault(reply) != REDIS_FAULT_NONE)
		rsubmit_fail(task, run.batch->broker, reply);
	else if (redis_reply_type(reply) == REDIS_NIL)
		err_set(&task->err, ERR_REFUSED,
			"a task with the ID %.*s exists already",
			(int)task->id.len, task->id.p);
	command_ended(run.batch);
}

/* An id that a person chose: the record is stored only if there is none, and
 * the task is pushed only when that is known. */
static void
reserve(struct batch *batch, size_t i)
{
	struct broker_submit *task = &batch->tasks[i];
	struct run *run = run_new(batch, i, 1, on_reserved);
	struct buf key = BUF_INIT;
	struct slice argv[] = {
	    SLICE("SET"), {NULL, 0}, task->record, SLICE("NX")};

	argv[1] = arg_key(&key, ARG_RECORD, task->id);
	if (run == NULL || key.failed) {
		err_nomem(&task->err);
		free(run);
	} else if (redis_request_command(&run->request, REDIS_ARGS(argv)) ==
		   0) {
		batch->under_way++;
	} else {
		free(run);
		err_set(&task->err, ERR_UNAVAILABLE, "%s is unreachable",
			batch->broker->url_name);
	}
	buf_done(&key);
}

/* A random ID (uuid.c), for which no record can exist. */
static bool
is_nobody_elses(const struct broker_submit *task)
{
	return task->record.p != NULL && !task->exclusive &&
	       task->unique.len == 0;
}

/* A record that may be there already, from the same submission sent before. */
static void
store_if_none(struct batch *batch, const struct broker_submit *task)
{
	struct buf key = BUF_INIT;
	struct slice argv[] = {
	    SLICE("SET"), {NULL, 0}, task->record, SLICE("NX")};

	argv[1] = arg_key(&key, ARG_RECORD, task->id);
	if (!key.failed)
		redis_command(batch->broker->redis, NULL, NULL, 4, argv);
	buf_done(&key);
}

/*
 * Stores the records of ids that nobody else can have, without waiting for the
 * answer: it comes before that of the push, and if the server is full it
 * refuses both.
 */
static void
store_records(struct batch *batch)
{
	struct slice *argv = calloc(1 + 2 * batch->n, sizeof(*argv));
	struct buf keys = BUF_INIT;
	size_t i, argc = 1, at = 0;

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
		}
		at += len;
	}
	if (argc > 1)
		redis_command(batch->broker->redis, NULL, NULL, argc, argv);
out:
	buf_done(&keys);
	free(argv);
}

/* The first step. */
static void
rsubmit_start(struct redis_request *request, const struct redis_reply *none)
{
	struct batch *batch = container_of(request, struct batch, request);
	size_t i;

	if (batch->broker->opt.with_results) {
		store_records(batch);
		for (i = 0; i < batch->n; i++)
			if (batch->tasks[i].exclusive)
				reserve(batch, i);
			else if (batch->tasks[i].unique.len > 0)
				store_if_none(batch, &batch->tasks[i]);
	}
	command_ended(batch);
}

static void
rsubmit_drop_start(struct redis_request *request)
{
	drop_batch(container_of(request, struct batch, request));
}

void
rbroker_submit(struct broker *broker, struct broker_submit *tasks, size_t n,
	       broker_submitted_fn *on_done, void *arg)
{
	struct rbroker *b = (struct rbroker *)broker;
	struct batch *batch = malloc(sizeof(*batch));
	size_t i;

	for (i = 0; i < n; i++)
		tasks[i].err.code = ERR_NONE;
	if (batch == NULL) {
		for (i = 0; i < n; i++)
			err_nomem(&tasks[i].err);
		on_done(tasks, n, arg);
		return;
	}
	*batch = (struct batch){.request = {.queue = b->requests,
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
