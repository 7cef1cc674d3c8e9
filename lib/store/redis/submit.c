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
 * several slots. So the first records of a connection are awaited, too; a task
 * whose record is refused is not pushed. After that, they travel in front of the
 * tasks without a wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"

/* What submit.lua answers for each task, if it is not the id of another. */
enum answer { QUEUE_FULL, QUEUED, QUEUED_BEFORE };

/* A batch, and the commands it still waits for: `under_way` of both steps,
 * `reserving` those of the first that the second waits for. It holds one count
 * itself while it sends, so that an answer cannot end it before all is sent. */
struct batch {
	struct redis_request request; /* that it begins with */
	struct rbroker *broker;
	struct broker_submit *tasks;
	size_t n;
	broker_submitted_fn *on_done;
	void *arg;
	size_t under_way, reserving;
	bool pushed; /* the second step has begun */
};

/* One command for tasks first … first + n - 1 of a batch. */
struct run {
	struct redis_request request;
	struct batch *batch;
	size_t first, n;
	bool awaited; /* by the second step */
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

/* A command has been answered, or a step has sent all. The last one tells the
 * caller. */
static void
command_ended(struct batch *batch)
{
	if (--batch->under_way > 0)
		return;
	batch->on_done(batch->tasks, batch->n, batch->arg);
	free(batch);
}

/* The same of one that the second step waits for, which the last one begins. Its
 * own count keeps the batch until all is sent. */
static void
reservation_ended(struct batch *batch)
{
	if (--batch->reserving == 0) {
		batch->pushed = true;
		rsubmit_push(batch);
	}
	command_ended(batch);
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

static void push_by_script(struct batch *batch, size_t first, size_t n);

/* The script lacked the list of a level, and has done nothing: it is called
 * again with what it has told. */
static void
rsubmit_again(const struct run *run, const struct redis_reply *reply)
{
	struct broker_submit *tasks = &run->batch->tasks[run->first];
	struct rbroker *b = run->batch->broker;
	struct rlevels *levels = rbroker_levels(b, tasks->queue);
	size_t i;

	if (levels != NULL && rlevels_learn(levels, redis_reply_at(reply, 0))) {
		push_by_script(run->batch, run->first, run->n);
		return;
	}
	for (i = 0; i < run->n; i++)
		err_set(&tasks[i].err, ERR_UNAVAILABLE,
			"cannot count the tasks of queue %s: its set of levels "
			"on %s has members that are not priorities",
			tasks->queue, b->url_name);
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
	if (rlevels_told(reply))
		rsubmit_again(&run, reply);
	for (i = 0; i < run.n && !rlevels_told(reply); i++) {
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

/* Sends a command for a run of tasks, or the script if there are keys; or fails
 * them. */
static void
send_run(struct batch *batch, size_t first, size_t n, struct redis_args argv,
	 struct redis_args keys)
{
	struct run *run = run_new(batch, first, n, on_pushed);
	int sent = -1;

	if (run != NULL && keys.n == 0)
		sent = redis_request_command(&run->request, argv);
	else if (run != NULL)
		sent = redis_request_eval(
		    &run->request, &batch->broker->scripts[SCRIPT_SUBMIT], keys,
		    argv);
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
	send_run(batch, first, n, (struct redis_args){argv, n + 2},
		 (struct redis_args){NULL, 0});
out:
	buf_done(&key);
	free(argv);
}

/* What submit.lua is called with, for a run of tasks of one queue. */
struct script_call {
	struct rqueue queue;   /* its names */
	struct rlevels levels; /* whose lists are in `keys` */
	struct slice *keys;
	size_t n_keys;
	struct slice *args;
	size_t n_args;
	char (*numbers)[6][ARG_NUMBER_SIZE]; /* of each task */
	char limit[ARG_NUMBER_SIZE], n_lists[ARG_NUMBER_SIZE];
	struct buf unique; /* names of keys */
};

#define SUBMIT_KEYS 5
#define SUBMIT_ARGS 4
#define SUBMIT_TASK_ARGS 8

static void
call_done(struct script_call *c)
{
	rqueue_done(&c->queue);
	rlevels_done(&c->levels);
	buf_done(&c->unique);
	free(c->keys);
	free(c->args);
	free(c->numbers);
}

/* Which of the KEYS a task goes to: the queue itself, or a list that is added
 * here unless the task before goes there, too. 0 when memory runs out. */
static size_t
call_list(struct script_call *c, int32_t priority)
{
	char text[ARG_NUMBER_SIZE];
	struct slice level = arg_number(text, priority);

	if (priority == 0)
		return 1;
	if ((c->levels.n == 0 ||
	     !slice_eq(slice_of(c->levels.names[c->levels.n - 1]), level)) &&
	    rlevels_add(&c->levels, level) != 0)
		return 0;
	return SUBMIT_KEYS + c->levels.n;
}

/* The names of the unique keys, each with a NUL behind; they follow the lists in
 * KEYS. */
static size_t
call_add_unique(struct script_call *c, struct slice unique)
{
	if (unique.len == 0)
		return 0;
	buf_addf(&c->unique, "{%s}:unique:", c->queue.keys[KEY_WAITING]);
	buf_add(&c->unique, unique.p, unique.len);
	buf_addc(&c->unique, '\0');
	return ++c->n_keys;
}

static int
call_add_tasks(struct script_call *c, const struct broker_submit *task,
	       size_t n, size_t *lists)
{
	struct slice *arg = c->args + SUBMIT_ARGS;
	char(*number)[ARG_NUMBER_SIZE];
	size_t i;

	for (i = 0; i < n; i++)
		if ((lists[i] = call_list(c, task[i].priority)) == 0)
			return -1;
	c->n_keys = SUBMIT_KEYS + c->levels.n;
	for (i = 0; i < n; i++, task++, arg += SUBMIT_TASK_ARGS) {
		number = c->numbers[i];
		arg[0] = arg_number(number[0], (int64_t)lists[i]);
		arg[1] = arg_number(number[1], task->priority);
		arg[2] = arg_number(number[2], task->delay_ms);
		arg[3] = arg_number(number[3], task->at_ms);
		arg[4] = task->bytes;
		arg[5] = task->id;
		arg[6] = arg_number(number[4],
				    (int64_t)call_add_unique(c, task->unique));
		arg[7] = arg_number(number[5], task->unique_s);
	}
	return 0;
}

static int
call_join_keys(struct script_call *c)
{
	const struct slice keys[SUBMIT_KEYS] = {
	    slice_of(c->queue.keys[KEY_WAITING]),
	    slice_of(c->queue.keys[KEY_LEVELS]),
	    slice_of(c->queue.keys[KEY_DELAYED]),
	    slice_of(c->queue.keys[KEY_WITHDRAWN]),
	    slice_of(c->queue.keys[KEY_LANES])};
	size_t i = SUBMIT_KEYS + c->levels.n;
	const char *name = c->unique.data;

	c->keys = rlevels_join(&c->levels, &c->queue, keys, SUBMIT_KEYS,
			       c->n_keys - i);
	if (c->keys == NULL || c->unique.failed)
		return -1;
	for (; i < c->n_keys; i++, name += strlen(name) + 1)
		c->keys[i] = slice_of(name);
	return 0;
}

/* What counts for the limit are all lists: those that are known come first. */
static int
call_copy_levels(struct script_call *c, struct rbroker *b, const char *queue)
{
	const struct rlevels *known = rbroker_levels(b, queue);
	size_t i;

	for (i = 0; b->opt.max_queue_size > 0 && known != NULL && i < known->n;
	     i++)
		if (rlevels_add(&c->levels, slice_of(known->names[i])) != 0)
			return -1;
	return 0;
}

static int
call_init(struct script_call *c, struct rbroker *b,
	  const struct broker_submit *tasks, size_t n)
{
	size_t *lists = calloc(n, sizeof(*lists));
	int rc = -1;

	*c = (struct script_call){.n_args = SUBMIT_ARGS + SUBMIT_TASK_ARGS * n,
				  .unique = BUF_INIT};
	c->args = calloc(c->n_args, sizeof(*c->args));
	c->numbers = calloc(n, sizeof(*c->numbers));
	if (lists == NULL || c->args == NULL || c->numbers == NULL ||
	    rqueue_init(&c->queue, b, tasks->queue, 0) != 0 ||
	    call_copy_levels(c, b, tasks->queue) != 0 ||
	    call_add_tasks(c, tasks, n, lists) != 0 || call_join_keys(c) != 0)
		goto out;
	c->args[0] = arg_number(c->limit, b->opt.max_queue_size);
	c->args[1] = slice_of(RBROKER_CONTROL);
	c->args[2] = slice_of(c->queue.wake);
	c->args[3] = arg_number(c->n_lists, (int64_t)c->levels.n);
	rc = 0;
out:
	free(lists);
	return rc;
}

static void
push_by_script(struct batch *batch, size_t first, size_t n)
{
	struct script_call c;
	size_t i;

	if (call_init(&c, batch->broker, &batch->tasks[first], n) == 0)
		send_run(batch, first, n, (struct redis_args){c.args, c.n_args},
			 (struct redis_args){c.keys, c.n_keys});
	else
		for (i = 0; i < n; i++)
			err_nomem(&batch->tasks[first + i].err);
	call_done(&c);
}

/* Pushes all tasks that are not refused yet, in runs of one queue and way. */
static void
rsubmit_push(struct batch *batch)
{
	struct rbroker *b = batch->broker;
	struct broker_submit *t = batch->tasks;
	size_t i, end;

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
}

/* --- records ----------------------------------------------------------- */

/* A random ID (uuid.c), for which no record can exist. */
static bool
is_nobody_elses(const struct broker_submit *task)
{
	return task->record.p != NULL && !task->exclusive &&
	       task->unique.len == 0;
}

/* NIL is SET NX's answer when there is a record already. That of a task with a
 * unique key may be there from the same submission, sent before. */
static void
on_reserved(struct redis_request *request, const struct redis_reply *reply)
{
	struct run run = *container_of(request, struct run, request);
	struct broker_submit *task = &run.batch->tasks[run.first];

	free(container_of(request, struct run, request));
	if (redis_fault(reply) != REDIS_FAULT_NONE)
		rsubmit_fail(task, run.batch->broker, reply);
	else if (redis_reply_type(reply) == REDIS_NIL && task->exclusive)
		err_set(&task->err, ERR_REFUSED,
			"a task with the ID %.*s exists already",
			(int)task->id.len, task->id.p);
	else
		run.batch->broker->set_works = true;
	reservation_ended(run.batch);
}

/* Counts a command of the first step that was sent, or frees it: there is no
 * connection, most likely. */
static int
count_run(struct run *run, int sent)
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

/* MSET was refused, and the records are stored one by one: if the tasks are not
 * on their way yet, they wait for it. */
static void
store_singly(struct batch *batch)
{
	size_t i;

	batch->broker->records = RECORDS_SINGLY;
	for (i = 0; i < batch->n; i++)
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
	struct run run = *container_of(request, struct run, request);
	struct batch *batch = run.batch;
	const enum redis_fault fault = redis_fault(reply);
	size_t i;

	free(container_of(request, struct run, request));
	if (fault == REDIS_FAULT_NONE)
		batch->broker->records = RECORDS_TOGETHER;
	else if (fault == REDIS_FAULT_REFUSED || fault == REDIS_FAULT_OTHER)
		store_singly(batch);
	else if (!batch->pushed)
		for (i = 0; i < batch->n; i++)
			if (is_nobody_elses(&batch->tasks[i]))
				rsubmit_fail(&batch->tasks[i], batch->broker,
					     reply);
	if (run.awaited)
		reservation_ended(batch);
	else
		command_ended(batch);
}

/* By one command, whose answer comes before those of the pushes. */
static void
send_records(struct batch *batch, struct redis_args argv)
{
	struct run *run = run_new(batch, 0, batch->n, on_stored);
	size_t i;

	if (run != NULL)
		run->awaited = batch->broker->records == RECORDS_UNKNOWN;
	if (count_run(run, run != NULL
			       ? redis_request_command(&run->request, argv)
			       : -1) == 0)
		return;
	for (i = 0; i < batch->n; i++)
		if (is_nobody_elses(&batch->tasks[i]))
			err_set(&batch->tasks[i].err, ERR_UNAVAILABLE,
				"%s is unreachable", batch->broker->url_name);
}

/* Stores the records of IDs that nobody else can have. */
static void
store_together(struct batch *batch)
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
		send_records(batch, (struct redis_args){argv, argc});
out:
	buf_done(&keys);
	free(argv);
}

static void
store_records(struct batch *batch)
{
	const struct rbroker *b = batch->broker;
	const struct broker_submit *task;
	size_t i;

	if (b->records != RECORDS_SINGLY)
		store_together(batch);
	for (i = 0; i < batch->n; i++) {
		task = &batch->tasks[i];
		if (task->record.p == NULL && !task->exclusive)
			continue;
		if (task->exclusive ||
		    (task->unique.len > 0 && !b->set_works) ||
		    (is_nobody_elses(task) && b->records == RECORDS_SINGLY))
			reserve(batch, i);
		else if (task->unique.len > 0)
			store_if_none(batch, task);
	}
}

/* The first step. */
static void
rsubmit_start(struct redis_request *request, const struct redis_reply *none)
{
	struct batch *batch = container_of(request, struct batch, request);

	batch->reserving = 1;
	if (batch->broker->opt.with_results)
		store_records(batch);
	reservation_ended(batch);
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
