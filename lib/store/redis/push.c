/* SPDX-License-Identifier: MIT */
/*
 * The second step of a batch: its tasks are pushed, and what is answered is
 * noted. What LPUSH cannot do goes through the submit script, which may have to
 * be called again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/restate.h"
#include "store/redis/levels.h"
#include "store/redis/submit.h"

/* What submit.lua answers for each task, if it is not the id of another. */
enum answer { QUEUE_FULL, QUEUED, QUEUED_BEFORE, TOO_MANY_LEVELS };

/* --- answers ----------------------------------------------------------- */

/* A task that was refused leaves no record behind. */
static void
rpush_forget_record(struct rbroker *b, const struct broker_submit *task)
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

static void
rpush_on_restated(struct redis_request *request,
		  const struct redis_reply *reply)
{
	struct rrun run = *container_of(request, struct rrun, request);

	free(container_of(request, struct rrun, request));
	rbatch_ended(run.batch);
}

/* The task that has the key of this one has become it: so does its record, unless it
 * has started since. A record that could not be replaced is no reason to fail. */
static void
rpush_restate_record(struct rbatch *batch, size_t i)
{
	const struct broker_submit *task = &batch->tasks[i];
	const struct slice owner = slice_of(task->owner);
	struct rbroker *b = batch->broker;
	struct buf record = BUF_INIT, key = BUF_INIT, channel = BUF_INIT;
	struct slice keys[1], args[3];
	struct rrun *run = NULL;
	struct err err;

	if (!b->opt.with_results || task->record.p == NULL ||
	    restate_text(task->record, "task_id", owner, &record, &err) != 0)
		return;
	buf_adds(&channel, RRESULTS_CHANGED);
	buf_add(&channel, owner.p, owner.len);
	keys[0] = arg_key(&key, ARG_RECORD, owner);
	args[0] = (struct slice){record.data, record.len};
	args[1] = (struct slice){channel.data, channel.len};
	args[2] = SLICE("pending");
	if (!record.failed && !key.failed && !channel.failed)
		run = rbatch_run(batch, i, 1, rpush_on_restated);
	if (run != NULL &&
	    redis_request_eval(&run->request, &b->scripts[SCRIPT_NOTE],
			       (struct redis_args){keys, 1},
			       (struct redis_args){args, 3}) == 0)
		batch->under_way++;
	else
		free(run);
	buf_done(&record);
	buf_done(&key);
	buf_done(&channel);
}

/* The task that has the same unique key, maybe this one, sent before. */
static void
set_owner(struct broker_submit *task, struct slice id)
{
	task->duplicate = true;
	snprintf(task->owner, sizeof(task->owner), "%.*s", (int)id.len, id.p);
}

/* The ID of another task; with this before it, that has become the one that was
 * submitted. */
#define BECAME '\1'

static void
take_owner(struct rbatch *batch, size_t i, struct slice id)
{
	struct broker_submit *task = &batch->tasks[i];
	const bool became = id.len > 0 && id.p[0] == BECAME;

	if (became)
		id = (struct slice){id.p + 1, id.len - 1};
	set_owner(task, id);
	if (became)
		rpush_restate_record(batch, i);
	rpush_forget_record(batch->broker, task);
}

/* What the submit script says of one task; a plain push says nothing. */
static void
take_answer(struct rbatch *batch, size_t i, const struct redis_reply *reply)
{
	struct broker_submit *task = &batch->tasks[i];
	const bool taken = redis_reply_type(reply) == REDIS_STRING;
	const int64_t answer = taken ? QUEUED : redis_reply_integer(reply);

	if (answer == QUEUE_FULL)
		err_set(&task->err, ERR_FULL,
			"queue %s is full ([executor] max_queue_size); "
			"try again later",
			task->queue);
	else if (answer == TOO_MANY_LEVELS)
		err_set(&task->err, ERR_FULL,
			"queue %s has tasks of %d priorities, the most that a "
			"queue of limited length may have ([executor] "
			"max_queue_size); use fewer priorities, or try again "
			"later",
			task->queue, RLEVELS_MAX);
	if (taken)
		take_owner(batch, i, redis_reply_string(reply));
	else if (answer == QUEUED_BEFORE)
		set_owner(task, task->id);
	if (task->err.code != ERR_NONE)
		rpush_forget_record(batch->broker, task);
}

static void rpush_by_script(struct rbatch *batch, size_t first, size_t n);

/* The script lacked the list of a level, and has done nothing: it is called
 * again with what it has told. */
static void
rpush_again(const struct rrun *run, const struct redis_reply *reply)
{
	struct broker_submit *tasks = &run->batch->tasks[run->first];
	struct rbroker *b = run->batch->broker;
	struct rlevels *levels = rbroker_levels(b, tasks->queue);
	size_t i;

	if (levels != NULL)
		rlevels_learn(levels, redis_reply_at(reply, 0));
	if (levels != NULL && rlevels_know(levels, redis_reply_at(reply, 0))) {
		rpush_by_script(run->batch, run->first, run->n);
		return;
	}
	for (i = 0; i < run->n; i++)
		err_set(&tasks[i].err, ERR_UNAVAILABLE,
			"cannot count the tasks of queue %s: its set of levels "
			"on %s has members that are not priorities",
			tasks->queue, b->url_name);
}

/* The run is copied and freed first: rbatch_ended() may end the batch, and its
 * callback may close the broker. */
static void
on_pushed(struct redis_request *request, const struct redis_reply *reply)
{
	struct rrun run = *container_of(request, struct rrun, request);
	struct rbroker *b = run.batch->broker;
	struct broker_submit *task;
	size_t i;

	free(container_of(request, struct rrun, request));
	if (rlevels_told(reply))
		rpush_again(&run, reply);
	for (i = 0; i < run.n && !rlevels_told(reply); i++) {
		task = &run.batch->tasks[run.first + i];
		if (redis_fault(reply) != REDIS_FAULT_NONE) {
			rbatch_fail(task, b, reply);
			/* What is sent again with its key may be queued. */
			if (redis_fault(reply) != REDIS_FAULT_LOST &&
			    task->unique.len == 0)
				rpush_forget_record(b, task);
		} else if (redis_reply_type(reply) == REDIS_ARRAY) {
			take_answer(run.batch, run.first + i,
				    redis_reply_at(reply, i));
		}
	}
	rbatch_ended(run.batch);
}

/* --- pushing ----------------------------------------------------------- */

/* Sends a command for a run of tasks, or the script if there are keys; or fails
 * them. */
static void
rpush_send(struct rbatch *batch, size_t first, size_t n, struct redis_args argv,
	   struct redis_args keys)
{
	struct rrun *run = rbatch_run(batch, first, n, on_pushed);
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

/* Priority 0 is the list itself, and its waiting workers are woken by BLMOVE. */
bool
rpush_is_plain(const struct rbroker *b, const struct broker_submit *task)
{
	return task->priority == 0 && task->delay_ms <= 0 && task->at_ms <= 0 &&
	       task->unique.len == 0 && task->flow.len == 0 &&
	       b->opt.max_queue_size == 0;
}

/* The bytes of the tasks are not copied: redis_command() writes them out. */
static void
rpush_plain(struct rbatch *batch, size_t first, size_t n)
{
	struct slice *argv = calloc(n + 2, sizeof(*argv));
	struct buf key = BUF_INIT;
	size_t i;

	buf_adds(&key, batch->broker->queue_key);
	buf_addc(&key, ':');
	buf_adds(&key, batch->tasks[first].queue);
	if (argv == NULL || key.failed) {
		for (i = 0; i < n; i++)
			err_nomem(&batch->tasks[first + i].err);
		goto out;
	}
	argv[0] = SLICE("LPUSH");
	argv[1] = (struct slice){key.data, key.len};
	for (i = 0; i < n; i++)
		argv[2 + i] = batch->tasks[first + i].bytes;
	rpush_send(batch, first, n, (struct redis_args){argv, n + 2},
		   (struct redis_args){NULL, 0});
out:
	buf_done(&key);
	free(argv);
}

static void
rpush_by_script(struct rbatch *batch, size_t first, size_t n)
{
	struct rcall c;
	size_t i;

	if (rcall_init(&c, batch->broker, &batch->tasks[first], n) == 0)
		rpush_send(batch, first, n,
			   (struct redis_args){c.args, c.n_args},
			   (struct redis_args){c.keys, c.n_keys});
	else
		for (i = 0; i < n; i++)
			err_nomem(&batch->tasks[first + i].err);
	rcall_done(&c);
}

/* What one command brings; the server does nothing else meanwhile. Lua copies
 * each task (1 MiB: about 2 ms) and calls several commands for it; LPUSH copies
 * it once. */
#define SCRIPT_TASKS_MAX 200
#define SCRIPT_BYTES_MAX (256u << 10)
#define PLAIN_TASKS_MAX 2000
#define PLAIN_BYTES_MAX (2u << 20)

/* Where the run ends that begins there: of tasks that go the same way. */
static size_t
rpush_find_end(const struct rbatch *batch, size_t first)
{
	const struct rbroker *b = batch->broker;
	const struct broker_submit *t = batch->tasks;
	const bool plain = rpush_is_plain(b, &t[first]);
	const size_t tasks = plain ? PLAIN_TASKS_MAX : SCRIPT_TASKS_MAX;
	const size_t most = plain ? PLAIN_BYTES_MAX : SCRIPT_BYTES_MAX;
	size_t end = first, bytes = 0;

	do
		bytes += t[end++].bytes.len;
	while (end < batch->n && t[end].err.code == ERR_NONE &&
	       t[end].flow.len == 0 && bytes + t[end].bytes.len <= most &&
	       end - first < tasks && rpush_is_plain(b, &t[end]) == plain &&
	       strcmp(t[end].queue, t[first].queue) == 0);
	return end;
}

void
rpush_all(struct rbatch *batch)
{
	struct rbroker *b = batch->broker;
	struct broker_submit *t = batch->tasks;
	size_t i, end;

	for (i = 0; i < batch->n; i = end) {
		end = i + 1;
		if (t[i].err.code != ERR_NONE)
			continue;
		if (t[i].flow.len > 0) {
			end = rflow_add_end(batch, i);
			rflow_add(batch, i, end - i);
			continue;
		}
		end = rpush_find_end(batch, i);
		rbroker_name_queue(b, t[i].queue);
		if (rpush_is_plain(b, &t[i]))
			rpush_plain(batch, i, end - i);
		else
			rpush_by_script(batch, i, end - i);
	}
}
