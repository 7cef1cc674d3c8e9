/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: steps of workflows on the way to their queues.
 *
 * Each is submitted with a key that makes it unique, in a run with those of the same
 * queue; when all are there they are struck off `out`. A run that came twice, also
 * from another process, changes nothing. That they are struck off is not awaited: what
 * is lost of it, housekeeping does again.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/restate.h"
#include "codec/result_json.h"
#include "codec/task_json.h"
#include "core/result.h"
#include "store/redis/flow.h"
#include "store/redis/submit.h"

/* Of one call: see push.c. */
#define RUN_TASKS_MAX 200
#define RUN_BYTES_MAX (256u << 10)

/* Memory that a step's slices point to. */
struct rflow_text {
	char *out;	   /* what the script has told, with the ID in front */
	struct buf bytes;  /* the task with why it is skipped */
	struct buf unique; /* its key */
	char queue[TASK_QUEUE_MAX + 1];
};

struct rflow_delivery {
	TAILQ_ENTRY(rflow_delivery) link;
	struct rbroker *broker;
	struct rflow_home home;
	char *flow;
	struct broker_submit *tasks;
	struct rflow_text **texts;
	size_t n, cap;
	size_t under_way;
	bool started;
	struct err err;
	void (*on_done)(void *arg, const struct err *err);
	void (*drop)(void *arg);
	void *arg;
};

/* Tasks first … first + n - 1. */
struct rflow_run {
	struct redis_request request;
	struct rflow_delivery *delivery;
	size_t first, n;
};

/* --- what is delivered ------------------------------------------------------ */

struct rflow_delivery *
rflow_delivery_new(struct rbroker *b, struct slice flow)
{
	struct rflow_delivery *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->broker = b;
	d->flow = strndup(flow.p, flow.len);
	if (rflow_home_init(&d->home, b, flow) != 0 || d->flow == NULL) {
		rflow_delivery_free(d);
		return NULL;
	}
	return d;
}

static void
text_free(struct rflow_text *text)
{
	if (text == NULL)
		return;
	free(text->out);
	buf_done(&text->bytes);
	buf_done(&text->unique);
	free(text);
}

void
rflow_delivery_free(struct rflow_delivery *d)
{
	size_t i;

	if (d == NULL)
		return;
	if (d->started)
		TAILQ_REMOVE(&d->broker->flow.deliveries, d, link);
	for (i = 0; i < d->n; i++)
		text_free(d->texts[i]);
	rflow_home_done(&d->home);
	free(d->texts);
	free(d->tasks);
	free(d->flow);
	free(d);
}

static int
delivery_grow(struct rflow_delivery *d)
{
	const size_t cap = d->cap > 0 ? 2 * d->cap : 4;
	struct broker_submit *tasks;
	struct rflow_text **texts;

	if (d->n < d->cap)
		return 0;
	if ((tasks = realloc(d->tasks, cap * sizeof(*tasks))) == NULL)
		return -1;
	d->tasks = tasks;
	if ((texts = realloc(d->texts, cap * sizeof(struct rflow_text *))) ==
	    NULL)
		return -1;
	d->texts = texts;
	d->cap = cap;
	return 0;
}

/* The task says why it is skipped. One that is no object is told by the worker that
 * meets it, as it is. */
static struct slice
text_task(struct rflow_text *text, struct slice task, struct slice why)
{
	struct buf explained = BUF_INIT;
	struct err err;

	if (why.len == 0)
		return task;
	rflow_explain(&explained, why);
	if (explained.failed ||
	    restate_text(task, "skipped",
			 (struct slice){explained.data, explained.len},
			 &text->bytes, &err) != 0)
		text->bytes.failed = explained.failed;
	else
		task = (struct slice){text->bytes.data, text->bytes.len};
	buf_done(&explained);
	return task;
}

/* A callback has no record before it is called: it has one from now on, if records are
 * here. Called once more, it has that of the first time, which is final. It leaves before
 * the task, and no answer is awaited. */
static void
delivery_record(struct rflow_delivery *d, const struct broker_submit *callback,
		bool again)
{
	struct buf key = BUF_INIT, record = BUF_INIT;
	struct slice argv[] = {SLICE("SET"), {NULL, 0}, {NULL, 0}, SLICE("NX")};
	struct result pending;
	struct task *task;

	if (!d->broker->opt.with_results ||
	    task_decode(callback->bytes, &task, NULL) != 0)
		return;
	pending = result_pending(task);
	pending.queue = slice_of(callback->queue);
	result_encode(&pending, &record);
	argv[1] = arg_key(&key, ARG_RECORD, callback->id);
	argv[2] = (struct slice){record.data, record.len};
	if (!key.failed && !record.failed)
		redis_command(d->broker->redis, NULL, NULL, again ? 3 : 4,
			      argv);
	buf_done(&record);
	buf_done(&key);
	task_free(task);
}

static int
delivery_put(struct rflow_delivery *d, struct rflow_text *text,
	     struct slice step, const struct rflow_out *out)
{
	struct broker_submit *task;

	if (delivery_grow(d) != 0)
		return -1;
	task = &d->tasks[d->n];
	memcpy(text->queue, out->queue.p, out->queue.len);
	rflow_unique(&text->unique, slice_of(d->flow), step, out->turn);
	*task = (struct broker_submit){
	    .queue = text->queue,
	    .id = step,
	    .bytes = text_task(text, out->task, out->why),
	    .priority = out->priority,
	    .delay_ms = out->delay_ms,
	    .at_ms = out->at_ms,
	    .unique = {text->unique.data, text->unique.len},
	    .unique_s = RFLOW_UNIQUE_S};
	if (text->unique.failed || text->bytes.failed)
		return -1;
	if (out->role != FLOW_STEP)
		delivery_record(d, task, out->turn > 0);
	d->texts[d->n++] = text;
	return 0;
}

int
rflow_delivery_add(struct rflow_delivery *d, struct slice step,
		   struct slice out)
{
	struct rflow_text *text = calloc(1, sizeof(*text));
	struct rflow_out read;
	int rc = -1;

	if (text == NULL)
		return -1;
	if ((text->out = malloc(step.len + out.len + 1)) != NULL) {
		memcpy(text->out, step.p, step.len);
		memcpy(text->out + step.len, out.p, out.len);
		rc = rflow_out_read(
		    (struct slice){text->out + step.len, out.len}, &read);
		if (rc != 0) {
			text_free(text);
			return 0;
		}
		rc = delivery_put(d, text, (struct slice){text->out, step.len},
				  &read);
	}
	if (rc != 0)
		text_free(text);
	return rc;
}

int
rflow_delivery_add_task(struct rflow_delivery *d,
			const struct broker_submit *task, struct slice why)
{
	struct rflow_text *text = calloc(1, sizeof(*text));
	struct rflow_out out = {.queue = slice_of(task->queue),
				.priority = task->priority,
				.delay_ms =
				    task->delay_ms > 0 ? task->delay_ms : 0,
				.at_ms = task->at_ms > 0 ? task->at_ms : 0,
				.task = task->bytes};
	int rc = -1;

	/* Its reply may be gone before the task is sent. */
	if (text != NULL && (text->out = strndup(why.p != NULL ? why.p : "",
						 why.len)) != NULL) {
		out.why = (struct slice){text->out, why.len};
		rc = delivery_put(d, text, task->id, &out);
	}
	if (rc != 0)
		text_free(text);
	return rc;
}

/* --- the end ----------------------------------------------------------------- */

static void
delivery_strike_off(struct rflow_delivery *d)
{
	struct slice *argv = calloc(d->n + 2, sizeof(*argv));
	size_t i;

	if (argv != NULL && d->n > 0) {
		argv[0] = SLICE("HDEL");
		argv[1] = d->home.keys[7];
		for (i = 0; i < d->n; i++)
			argv[2 + i] = d->tasks[i].id;
		redis_command(d->broker->redis, NULL, NULL, d->n + 2, argv);
	}
	free(argv);
}

static void
delivery_ended(struct rflow_delivery *d)
{
	const bool failed = d->err.code != ERR_NONE;

	if (--d->under_way > 0)
		return;
	if (!failed)
		delivery_strike_off(d);
	d->on_done(d->arg, failed ? &d->err : NULL);
}

/* --- runs ---------------------------------------------------------------------- */

static void delivery_send(struct rflow_delivery *d, size_t first, size_t n);

/* A count of priorities that could be too many is not asked for. */
static void
run_on_reply(struct redis_request *request, const struct redis_reply *reply)
{
	struct rflow_run run =
	    *container_of(request, struct rflow_run, request);
	struct rflow_delivery *d = run.delivery;
	const enum redis_fault fault = redis_fault(reply);

	free(container_of(request, struct rflow_run, request));
	if (fault == REDIS_FAULT_SCRIPT)
		delivery_send(d, run.first, run.n);
	else if (fault != REDIS_FAULT_NONE && d->err.code == ERR_NONE)
		redis_fault_err(d->broker->redis,
				"releasing steps of a workflow", reply,
				&d->err);
	delivery_ended(d);
}

/* A producer does not ask how new the server is, and so cannot use flags. */
static enum rscript
delivery_script(const struct rbroker *b)
{
	return b->version_known ? SCRIPT_FLOW_RELEASE : SCRIPT_SUBMIT;
}

static int
run_send(struct rflow_run *run)
{
	struct rflow_delivery *d = run->delivery;
	struct rbroker *b = d->broker;
	struct rcall call;
	int sent = -1;

	if (rcall_init(&call, b, &d->tasks[run->first], run->n) == 0) {
		call.args[0] = SLICE("0");
		sent = redis_request_eval(
		    &run->request, &b->scripts[delivery_script(b)],
		    (struct redis_args){call.keys, call.n_keys},
		    (struct redis_args){call.args, call.n_args});
	}
	rcall_done(&call);
	return sent;
}

static void
delivery_send(struct rflow_delivery *d, size_t first, size_t n)
{
	struct rflow_run *run = malloc(sizeof(*run));

	if (run != NULL) {
		*run =
		    (struct rflow_run){.request = {.queue = d->broker->requests,
						   .on_reply = run_on_reply},
				       .delivery = d,
				       .first = first,
				       .n = n};
		rbroker_name_queue(d->broker, d->tasks[first].queue);
		if (run_send(run) == 0) {
			d->under_way++;
			return;
		}
	}
	free(run);
	if (d->err.code == ERR_NONE)
		err_set(&d->err, ERR_UNAVAILABLE, "%s is unreachable",
			d->broker->url_name);
}

static size_t
delivery_find_end(const struct rflow_delivery *d, size_t first)
{
	const struct broker_submit *t = d->tasks;
	size_t end = first, bytes = 0;

	do
		bytes += t[end++].bytes.len;
	while (end < d->n && end - first < RUN_TASKS_MAX &&
	       bytes + t[end].bytes.len <= RUN_BYTES_MAX &&
	       strcmp(t[end].queue, t[first].queue) == 0);
	return end;
}

void
rflow_delivery_start(struct rflow_delivery *d,
		     void (*on_done)(void *arg, const struct err *err),
		     void (*drop)(void *arg), void *arg)
{
	size_t i, end;

	d->on_done = on_done;
	d->drop = drop;
	d->arg = arg;
	d->started = true;
	/* A count of its own, while it sends. */
	d->under_way = 1;
	TAILQ_INSERT_TAIL(&d->broker->flow.deliveries, d, link);
	for (i = 0; i < d->n; i = end) {
		end = delivery_find_end(d, i);
		delivery_send(d, i, end - i);
	}
	delivery_ended(d);
}

void
rflow_drop_deliveries(struct rbroker *b)
{
	struct rflow_delivery *d;

	while ((d = TAILQ_FIRST(&b->flow.deliveries)) != NULL)
		d->drop(d->arg);
}
