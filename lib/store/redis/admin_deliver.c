/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: tasks on their way from one queue to another.
 *
 * The keys of two queues may lie in different slots, so no script can move a task
 * between them. It leaves its queue for a list beside it (remove.lua), with the name
 * of the other queue; from there it is submitted to that queue with a unique key of
 * its own, and only then taken out of the list. Any process that finds an entry can
 * submit it again: the key prevents a second task.
 *
 * The key must outlive the entry, and any process that has read the entry and been
 * suspended since. So it has a long life, and an hour more once the entry is gone.
 *
 * An entry that cannot be delivered stays in the list: it is malformed, or the other
 * queue does not accept it. Those behind it are delivered all the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/restate.h"
#include "codec/task_json.h"
#include "store/redis/admin.h"
#include "store/redis/submit.h"
#include "util/uuid.h"

/* What is read at once: a task has up to [worker] max_task_size. */
#define DELIVER_MAX 32
#define LEAVING_KEY_S (90 * 24 * 3600)
#define LEAVING_GONE_S "3600"
#define LEAVING_KEY_SIZE (UUID_TEXT_SIZE + 8)

/* An entry of the list: "QUEUE ID TOKEN DUE LEVEL\nTASK". */
struct leaving {
	char *entry;
	size_t len;
	char to[TASK_QUEUE_MAX + 1], id[TASK_ID_MAX + 1];
	char key[LEAVING_KEY_SIZE];
	int64_t due_ms, priority;
	struct slice task;
	struct buf bytes; /* the same, with the name of its new queue */
	bool arrived;
};

struct delivery {
	struct rquery query;
	struct rqueue queue;
	size_t at;     /* of the list, so many at its beginning stay */
	size_t n_read; /* behind them; of these, `n` are understood */
	struct leaving entries[DELIVER_MAX];
	size_t n;
	struct err why;		   /* the last one that stays, does */
	broker_value_fn *on_value; /* NULL: all there is, and nobody is told */
	void *arg;
};

char *
rleaving_header(struct slice to, struct slice id)
{
	char token[UUID_TEXT_SIZE], *text = NULL;

	uuid_make_random(token);
	return asprintf(&text, "%.*s %.*s %s ", (int)to.len, to.p, (int)id.len,
			id.p, token) < 0
		   ? NULL
		   : text;
}

/* --- entries ------------------------------------------------------------ */

static void
leaving_done(struct leaving *l)
{
	free(l->entry);
	buf_done(&l->bytes);
	*l = (struct leaving){.entry = NULL};
}

/* The next word, without what stands behind it; false if it has no end, or is
 * longer. */
static bool
leaving_word(struct slice *rest, char end, char *text, size_t size)
{
	const char *p = memchr(rest->p, end, rest->len);
	const size_t len = p != NULL ? (size_t)(p - rest->p) : 0;

	if (len == 0 || len >= size)
		return false;
	memcpy(text, rest->p, len);
	text[len] = '\0';
	*rest = (struct slice){p + 1, rest->len - len - 1};
	return true;
}

/* The priority of one that is delayed only the task itself tells. What cannot be
 * decoded keeps its bytes, and is told by the worker that meets it. */
static void
leaving_restate(struct leaving *l)
{
	struct task *task = NULL;
	struct err why;

	if (restate_text(l->task, "queue", slice_of(l->to), &l->bytes, &why) !=
	    0) {
		buf_reset(&l->bytes);
		buf_add(&l->bytes, l->task.p, l->task.len);
	}
	if (l->due_ms > 0 && task_decode(l->task, &task, &why) == 0)
		l->priority = task->priority;
	task_free(task);
}

static int
leaving_read(struct leaving *l, struct slice entry, const char *list,
	     struct err *err)
{
	char token[UUID_TEXT_SIZE], due[ARG_NUMBER_SIZE],
	    level[ARG_NUMBER_SIZE];
	struct slice rest;

	if ((l->entry = malloc(entry.len + 1)) == NULL)
		return err_nomem(err);
	memcpy(l->entry, entry.p, entry.len);
	l->len = entry.len;
	rest = (struct slice){l->entry, entry.len};
	if (!leaving_word(&rest, ' ', l->to, sizeof(l->to)) ||
	    !leaving_word(&rest, ' ', l->id, sizeof(l->id)) ||
	    !leaving_word(&rest, ' ', token, sizeof(token)) ||
	    !leaving_word(&rest, ' ', due, sizeof(due)) ||
	    !leaving_word(&rest, '\n', level, sizeof(level)) ||
	    !task_name_valid(slice_of(l->to), TASK_QUEUE_MAX))
		return err_set(err, ERR_DATA,
			       "the list %s has an entry that is not a task on "
			       "its way",
			       list);
	snprintf(l->key, sizeof(l->key), "move:%s", token);
	l->due_ms = strtoll(due, NULL, 10);
	l->priority = strtol(level, NULL, 10);
	l->task = rest;
	leaving_restate(l);
	return l->bytes.failed ? err_nomem(err) : 0;
}

/* --- the three steps ----------------------------------------------------- */

static void
delivery_free(struct rquery *i)
{
	struct delivery *d = container_of(i, struct delivery, query);
	size_t k;

	for (k = 0; k < DELIVER_MAX; k++)
		leaving_done(&d->entries[k]);
	rqueue_done(&d->queue);
	free(d);
}

static void delivery_ask_read(struct rquery *i);
static void delivery_on_read(struct rquery *i);

static size_t
delivery_count_arrived(const struct delivery *d)
{
	size_t k, n = 0;

	for (k = 0; k < d->n; k++)
		n += d->entries[k].arrived;
	return n;
}

static void
delivery_tell(struct delivery *d, size_t arrived)
{
	char text[ARG_NUMBER_SIZE];
	const struct slice n = arg_number(text, (int64_t)arrived);
	const struct err *err = &d->query.err;

	if (err->code == ERR_NONE && arrived == 0)
		err = &d->why;
	if (d->on_value != NULL && err->code == ERR_NONE)
		d->on_value(n, NULL, d->arg);
	else if (d->on_value != NULL)
		d->on_value((struct slice){NULL, 0}, err, d->arg);
	delivery_free(&d->query);
}

/* To the end of the list; who is told goes on themselves, once there is something to
 * tell. */
static void
delivery_go_on(struct rquery *i)
{
	struct delivery *d = container_of(i, struct delivery, query);
	const size_t arrived = delivery_count_arrived(d);

	d->at += d->n_read - arrived;
	if (i->err.code == ERR_NONE && d->n_read > 0 &&
	    (d->on_value == NULL || arrived == 0))
		rquery_next(i, delivery_ask_read, delivery_on_read);
	else
		delivery_tell(d, arrived);
}

static void
delivery_take_nothing(struct rquery *i, size_t none,
		      const struct redis_reply *reply)
{
}

/* They are where they should be: their entries go, and then their keys may. */
static void
delivery_ask_drop(struct rquery *i)
{
	struct delivery *d = container_of(i, struct delivery, query);
	const struct leaving *l;
	struct buf key = BUF_INIT;
	struct slice drop[] = {SLICE("LREM"),
			       slice_of(d->queue.keys[KEY_LEAVING]),
			       SLICE("1"),
			       {NULL, 0}};
	struct slice expire[] = {
	    SLICE("EXPIRE"), {NULL, 0}, SLICE(LEAVING_GONE_S)};

	for (l = d->entries; l < d->entries + d->n; l++) {
		if (!l->arrived)
			continue;
		drop[3] = (struct slice){l->entry, l->len};
		rquery_command(i, delivery_take_nothing, 0, REDIS_ARGS(drop));
	}
	for (l = d->entries; l < d->entries + d->n; l++) {
		buf_reset(&key);
		buf_addf(&key, "{%s:%s}:unique:%s", i->broker->queue_key, l->to,
			 l->key);
		expire[1] = (struct slice){key.data, key.len};
		if (l->arrived && !key.failed)
			rquery_command(i, delivery_take_nothing, 0,
				       REDIS_ARGS(expire));
	}
	buf_done(&key);
}

static void
delivery_on_put(struct rquery *i)
{
	if (i->err.code == ERR_NONE)
		rquery_next(i, delivery_ask_drop, delivery_go_on);
	else
		delivery_go_on(i);
}

/* Whether an error is of this task and its queue; else the others have it, too. */
static bool
delivery_is_of_one(enum redis_fault fault)
{
	return fault == REDIS_FAULT_REFUSED || fault == REDIS_FAULT_OTHER;
}

static void
delivery_take_put(struct rquery *i, size_t index,
		  const struct redis_reply *reply)
{
	struct delivery *d = container_of(i, struct delivery, query);
	struct leaving *l = &d->entries[index];
	const enum redis_fault fault = redis_fault(reply);

	l->arrived = fault == REDIS_FAULT_NONE &&
		     redis_reply_integer(redis_reply_at(reply, 0)) > 0;
	if (fault != REDIS_FAULT_NONE)
		redis_fault_err(i->broker->redis, i->what, reply,
				delivery_is_of_one(fault) ? &d->why : &i->err);
	else if (!l->arrived)
		err_set(&d->why, ERR_DATA,
			"the list %s has an entry whose key is another task's",
			d->queue.keys[KEY_LEAVING]);
}

/* One call for each, since each may go to a queue of its own. What has been queued
 * counts for no limit: it was let in before. */
static void
delivery_ask_put(struct rquery *i)
{
	struct delivery *d = container_of(i, struct delivery, query);
	struct broker_submit task;
	struct leaving *l;
	struct rcall call;

	for (l = d->entries; l < d->entries + d->n; l++) {
		task = (struct broker_submit){
		    .queue = l->to,
		    .id = slice_of(l->id),
		    .bytes = {l->bytes.data, l->bytes.len},
		    .priority = (int32_t)l->priority,
		    .at_ms = l->due_ms,
		    .unique = slice_of(l->key),
		    .unique_s = LEAVING_KEY_S};
		rbroker_name_queue(i->broker, l->to);
		if (rcall_init(&call, i->broker, &task, 1) == 0) {
			call.args[0] = SLICE("0");
			rquery_eval_judged(
			    i, delivery_take_put, (size_t)(l - d->entries),
			    SCRIPT_SUBMIT,
			    (struct redis_args){call.keys, call.n_keys},
			    (struct redis_args){call.args, call.n_args});
		} else {
			err_nomem(&i->err);
		}
		rcall_done(&call);
	}
}

static void
delivery_on_read(struct rquery *i)
{
	const struct delivery *d = container_of(i, struct delivery, query);

	if (i->err.code == ERR_NONE && d->n > 0)
		rquery_next(i, delivery_ask_put, delivery_on_put);
	else
		delivery_go_on(i);
}

static void
delivery_take_read(struct rquery *i, size_t none,
		   const struct redis_reply *reply)
{
	struct delivery *d = container_of(i, struct delivery, query);
	size_t k;

	for (k = 0; k < DELIVER_MAX; k++)
		leaving_done(&d->entries[k]);
	d->n = d->n_read = 0;
	for (k = 0; k < redis_reply_count(reply) && k < DELIVER_MAX; k++) {
		d->n_read++;
		if (leaving_read(&d->entries[d->n],
				 redis_reply_string(redis_reply_at(reply, k)),
				 d->queue.keys[KEY_LEAVING], &d->why) == 0)
			d->n++;
		else
			leaving_done(&d->entries[d->n]);
	}
}

static void
delivery_ask_read(struct rquery *i)
{
	const struct delivery *d = container_of(i, struct delivery, query);
	char first[ARG_NUMBER_SIZE], last[ARG_NUMBER_SIZE];
	const struct slice argv[] = {
	    SLICE("LRANGE"), slice_of(d->queue.keys[KEY_LEAVING]),
	    arg_number(first, (int64_t)d->at),
	    arg_number(last, (int64_t)d->at + DELIVER_MAX - 1)};

	rquery_command(i, delivery_take_read, 0, REDIS_ARGS(argv));
}

static int
delivery_begin(struct broker *b, struct slice queue, broker_value_fn *on_value,
	       void *arg)
{
	struct delivery *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return -1;
	d->query = (struct rquery){.broker = (struct rbroker *)b,
				   .what = "moving tasks",
				   .ask = delivery_ask_read,
				   .answered = delivery_on_read,
				   .free = delivery_free};
	d->on_value = on_value;
	d->arg = arg;
	rqueue_of_name(&d->queue, d->query.broker, queue, &d->query.err);
	rquery_begin(&d->query);
	return 0;
}

void
radmin_deliver(struct broker *b, struct slice queue, broker_value_fn *on_value,
	       void *arg)
{
	struct err err;

	if (delivery_begin(b, queue, on_value, arg) == 0)
		return;
	err_nomem(&err);
	on_value((struct slice){NULL, 0}, &err, arg);
}

/* Without memory, the next look at the queue does it. */
void
rbroker_deliver(struct rbroker *b, const char *queue)
{
	delivery_begin(&b->pub, slice_of(queue), NULL, NULL);
}
