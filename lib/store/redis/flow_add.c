/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: tasks of a batch that are steps of a workflow. Their records are
 * stored by then. The home takes them in first (flow_add.lua), and those that have
 * nothing to wait for go on to their queues from there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/flow.h"
#include "store/redis/submit.h"

/* Of one call: see push.c. */
#define ADD_TASKS_MAX 200
#define ADD_BYTES_MAX (256u << 10)
/* Arguments before those of the steps, and of each. */
#define ADD_HEAD 2
#define ADD_EACH 5

/* What flow_add.lua answers for a step, if it is one number. */
enum {
	ADD_GOES,
	ADD_WAITS,
	ADD_WAS_THERE,
	ADD_ENDED,
	ADD_SEALED,
	ADD_TOO_MANY
};

struct rflow_add {
	struct rrun run;
	struct rflow_delivery *delivery;
};

/* --- what can be sent -------------------------------------------------------- */

bool
rflow_add_check(struct rbatch *batch)
{
	size_t i, n = 0;

	for (i = 0; i < batch->n; i++)
		if (batch->tasks[i].flow.len > 0) {
			n++;
			flow_check_task(&batch->tasks[i]);
		}
	if (n > 0)
		batch->had_record = calloc(batch->n, sizeof(bool));
	return n == 0 || batch->had_record != NULL;
}

size_t
rflow_add_end(const struct rbatch *batch, size_t first)
{
	const struct broker_submit *t = batch->tasks;
	size_t end = first, bytes = 0;

	do
		bytes += t[end].bytes.len + 100 * t[end].n_after, end++;
	while (end < batch->n && t[end].err.code == ERR_NONE &&
	       end - first < ADD_TASKS_MAX &&
	       bytes + t[end].bytes.len <= ADD_BYTES_MAX &&
	       slice_eq(t[end].flow, t[first].flow) &&
	       slice_eq(t[end].within, t[first].within));
	return end;
}

/* --- the answer ---------------------------------------------------------------- */

/* A record that was there before stays: it is of another task, or of this step when it
 * was added first. */
static void
add_forget_record(struct rbatch *batch, size_t i)
{
	struct buf key = BUF_INIT;
	struct slice argv[2] = {SLICE("UNLINK")};

	if (!batch->broker->opt.with_results || batch->had_record[i] ||
	    batch->tasks[i].record.p == NULL)
		return;
	argv[1] = arg_key(&key, ARG_RECORD, batch->tasks[i].id);
	if (!key.failed)
		redis_command(batch->broker->redis, NULL, NULL, 2, argv);
	buf_done(&key);
}

static void
add_refuse(struct broker_submit *task, int64_t answer)
{
	const int len = (int)task->flow.len;
	const char *flow = task->flow.p;

	if (answer == ADD_ENDED)
		err_set(&task->err, ERR_REFUSED,
			"workflow %.*s has ended: no more steps can be added",
			len, flow);
	else if (answer == ADD_SEALED)
		err_set(&task->err, ERR_REFUSED,
			"workflow %.*s is sealed: only its own steps can add "
			"more, while they run",
			len, flow);
	else if (answer == ADD_TOO_MANY)
		err_set(&task->err, ERR_REFUSED,
			"workflow %.*s has %d callbacks, the most that it may "
			"have",
			len, flow, FLOW_CALLBACKS_MAX);
}

static void
add_miss(struct broker_submit *task, struct slice step)
{
	err_set(&task->err, ERR_NOT_FOUND,
		"workflow %.*s has no step %.*s to wait for",
		(int)task->flow.len, task->flow.p, (int)step.len, step.p);
}

static void
add_note_duplicate(struct broker_submit *task)
{
	task->duplicate = true;
	snprintf(task->owner, sizeof(task->owner), "%.*s", (int)task->id.len,
		 task->id.p);
}

/* One that goes to its queue, in whatever words. */
static int
add_take_goer(struct rflow_add *a, struct broker_submit *task,
	      const struct redis_reply *answer)
{
	const struct slice first =
	    redis_reply_string(redis_reply_at(answer, 0));

	if (a->delivery == NULL)
		a->delivery =
		    rflow_delivery_new(a->run.batch->broker, task->flow);
	if (a->delivery == NULL)
		return -1;
	if (redis_reply_count(answer) < 2)
		return rflow_delivery_add_task(a->delivery, task, first);
	add_note_duplicate(task);
	return rflow_delivery_add(
	    a->delivery, first, redis_reply_string(redis_reply_at(answer, 1)));
}

/* Without memory to bring it to its queue it is left to housekeeping: it was added. */
static void
add_take(struct rflow_add *a, size_t i, const struct redis_reply *answer)
{
	struct broker_submit *task = &a->run.batch->tasks[i];
	const int64_t number = redis_reply_integer(answer);

	if (redis_reply_type(answer) == REDIS_STRING)
		add_miss(task, redis_reply_string(answer));
	else if (redis_reply_type(answer) == REDIS_ARRAY || number == ADD_GOES)
		add_take_goer(a, task, answer);
	else if (number == ADD_WAS_THERE)
		add_note_duplicate(task);
	else
		add_refuse(task, number);
	if (task->err.code != ERR_NONE)
		add_forget_record(a->run.batch, i);
}

static void
add_fail(struct rflow_add *a, const struct redis_reply *reply)
{
	struct rbatch *batch = a->run.batch;
	struct broker_submit *task;
	size_t i;

	for (i = a->run.first; i < a->run.first + a->run.n; i++) {
		task = &batch->tasks[i];
		if (redis_fault(reply) != REDIS_FAULT_NONE)
			rbatch_fail(task, batch->broker, reply);
		else
			err_set(&task->err, ERR_NOT_FOUND, "no workflow %.*s",
				(int)task->flow.len, task->flow.p);
		if (redis_fault(reply) != REDIS_FAULT_LOST)
			add_forget_record(batch, i);
	}
}

/* --- the end -------------------------------------------------------------------- */

static void
add_end(struct rflow_add *a)
{
	struct rbatch *batch = a->run.batch;

	rflow_delivery_free(a->delivery);
	free(a);
	rbatch_ended(batch);
}

/* Those that are not in their queues yet are on record, and housekeeping brings them
 * there. */
static void
add_on_delivered(void *arg, const struct err *err)
{
	add_end(arg);
}

static void
add_drop(void *arg)
{
	struct rflow_add *a = arg;
	struct rbatch *batch = a->run.batch;

	rflow_delivery_free(a->delivery);
	free(a);
	rbatch_drop(batch);
}

static void
add_drop_request(struct redis_request *request)
{
	add_drop(container_of(request, struct rflow_add, run.request));
}

static int add_send(struct rflow_add *a);

static void
add_on_reply(struct redis_request *request, const struct redis_reply *reply)
{
	struct rflow_add *a =
	    container_of(request, struct rflow_add, run.request);
	size_t i;

	if (redis_fault(reply) == REDIS_FAULT_SCRIPT && add_send(a) == 0)
		return;
	if (redis_reply_count(reply) != a->run.n)
		add_fail(a, reply);
	else
		for (i = 0; i < a->run.n; i++)
			add_take(a, a->run.first + i, redis_reply_at(reply, i));
	if (a->delivery != NULL)
		rflow_delivery_start(a->delivery, add_on_delivered, add_drop,
				     a);
	else
		add_end(a);
}

/* --- the call -------------------------------------------------------------------- */

/* "BEFORE HOW …" */
static void
add_write_after(struct buf *out, const struct broker_submit *task)
{
	size_t i;

	for (i = 0; i < task->n_after; i++)
		buf_addf(out, "%s%.*s %c", i > 0 ? " " : "",
			 (int)task->after[i].id.len, task->after[i].id.p,
			 rflow_how_letters[task->after[i].how]);
}

/* The texts of all steps, each with a NUL behind: role, entry, what it is after. */
static void
add_write(struct buf *texts, const struct broker_submit *tasks, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		buf_addc(texts, rflow_role_letter(tasks[i].role));
		buf_addc(texts, '\0');
		rflow_entry_write(texts, &tasks[i]);
		buf_addc(texts, '\0');
		add_write_after(texts, &tasks[i]);
		buf_addc(texts, '\0');
	}
}

static void
add_fill(struct slice *args, const struct buf *texts,
	 const struct broker_submit *tasks, size_t n)
{
	const char *p = texts->data;
	size_t i, k;

	for (i = 0; i < n; i++, args += ADD_EACH) {
		args[0] = tasks[i].id;
		for (k = 1; k < ADD_EACH - 1; k++, p += strlen(p) + 1)
			args[k] = slice_of(p);
		args[ADD_EACH - 1] = tasks[i].bytes;
	}
}

static int
add_send(struct rflow_add *a)
{
	const struct broker_submit *tasks = &a->run.batch->tasks[a->run.first];
	struct rbroker *b = a->run.batch->broker;
	const size_t n_args = ADD_HEAD + ADD_EACH * a->run.n;
	struct slice *args = calloc(n_args, sizeof(*args));
	struct buf texts = BUF_INIT;
	struct rflow_home home;
	char most[ARG_NUMBER_SIZE];
	int sent = -1;

	add_write(&texts, tasks, a->run.n);
	if (rflow_home_init(&home, b, tasks->flow) == 0 && args != NULL &&
	    !texts.failed) {
		args[0] = tasks->within.p != NULL ? tasks->within : SLICE("");
		args[1] = arg_number(most, FLOW_CALLBACKS_MAX);
		add_fill(args + ADD_HEAD, &texts, tasks, a->run.n);
		sent = redis_request_eval(
		    &a->run.request, &b->scripts[SCRIPT_FLOW_ADD],
		    rflow_home_keys(&home), (struct redis_args){args, n_args});
	}
	rflow_home_done(&home);
	buf_done(&texts);
	free(args);
	return sent;
}

void
rflow_add(struct rbatch *batch, size_t first, size_t n)
{
	struct rflow_add *a = calloc(1, sizeof(*a));

	if (a != NULL) {
		a->run =
		    (struct rrun){.request = {.queue = batch->broker->requests,
					      .on_reply = add_on_reply,
					      .drop = add_drop_request},
				  .batch = batch,
				  .first = first,
				  .n = n};
		if (add_send(a) == 0) {
			batch->under_way++;
			return;
		}
	}
	free(a);
	for (; n > 0; n--)
		err_set(&batch->tasks[first++].err, ERR_UNAVAILABLE,
			"%s is unreachable", batch->broker->url_name);
}
