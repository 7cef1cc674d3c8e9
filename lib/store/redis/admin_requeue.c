/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: putting tasks of the dead list back, or deleting them.
 *
 * A batch goes out in stretches, all under way at the same time, so that it
 * costs one round trip. Each stretch is one script: a task of it leaves the
 * dead list and waits again in one step, or neither. After a broken connection
 * only those that were not answered are asked again.
 */
#include <stdlib.h>

#include "store/redis/admin.h"
#include "store/redis/levels.h"

/* Dead tasks in one call: their new bytes travel with it, and the arguments lie
 * on the stack. The server copies these bytes several times. */
#define REQUEUE_A_CALL 100
#define REQUEUE_BYTES (512u << 10)

struct requeue {
	struct rquery query;
	struct rqueue queue;
	struct broker_requeue *batch;
	size_t n;
	bool *answered;
	broker_requeued_fn *on_done;
	void *arg;
};

static void
requeue_free(struct rquery *i)
{
	struct requeue *e = container_of(i, struct requeue, query);

	rqueue_done(&e->queue);
	free(e->answered);
	free(e);
}

static void
requeue_take(struct rquery *i, size_t first, const struct redis_reply *reply)
{
	struct requeue *e = container_of(i, struct requeue, query);
	size_t k;

	for (k = 0; k < redis_reply_count(reply) && first + k < e->n; k++) {
		e->batch[first + k].found =
		    redis_reply_integer(redis_reply_at(reply, k)) != 0;
		e->answered[first + k] = true;
	}
}

static void
requeue_ask_stretch(struct requeue *e, size_t first, size_t n)
{
	const struct slice keys[] = {slice_of(e->queue.keys[KEY_DEAD]),
				     slice_of(e->queue.keys[KEY_DEAD_TASKS]),
				     slice_of(e->queue.keys[KEY_DEAD_INFO]),
				     slice_of(e->queue.keys[KEY_WAITING]),
				     slice_of(e->queue.keys[KEY_LEVELS])};
	struct slice args[2 + 4 * REQUEUE_A_CALL] = {slice_of(RBROKER_CONTROL),
						     slice_of(e->queue.wake)};
	char levels[REQUEUE_A_CALL][2][ARG_NUMBER_SIZE];
	const struct broker_requeue *one = &e->batch[first];
	struct slice *arg = args + 2;
	size_t k;

	/* A list may be named more than once: a call has few. The fourth of the
	 * keys is that of priority 0. */
	rlevels_done(&e->queue.levels);
	for (k = 0; k < n; k++, one++) {
		arg[1] = one->retry_bytes;
		*arg = one->key;
		arg[2] = arg_number(levels[k][0], one->priority);
		if (one->priority != 0 &&
		    rlevels_add(&e->queue.levels, arg[2]) != 0) {
			err_nomem(&e->query.err);
			return;
		}
		arg[3] = arg_number(
		    levels[k][1],
		    one->priority != 0 ? 5 + (int64_t)e->queue.levels.n : 4);
		arg += 4;
	}
	rquery_eval_levels(&e->query, requeue_take, first, SCRIPT_REQUEUE,
			   &e->queue, REDIS_ARGS(keys),
			   (struct redis_args){args, 2 + 4 * n});
}

/* How many there are in the stretch that begins there: always the same. */
static size_t
requeue_stretch(const struct requeue *e, size_t first)
{
	size_t n = 0, bytes = 0;

	do
		bytes += e->batch[first + n++].retry_bytes.len;
	while (first + n < e->n && n < REQUEUE_A_CALL &&
	       bytes + e->batch[first + n].retry_bytes.len <= REQUEUE_BYTES);
	return n;
}

static void
requeue_ask(struct rquery *i)
{
	struct requeue *e = container_of(i, struct requeue, query);
	size_t first, n;

	for (first = 0; first < e->n; first += n) {
		n = requeue_stretch(e, first);
		/* Asked again, a stretch that was answered would find its tasks
		 * gone, and say so. */
		if (!e->answered[first])
			requeue_ask_stretch(e, first, n);
	}
}

static void
requeue_answer(struct rquery *i)
{
	const struct requeue *e = container_of(i, struct requeue, query);
	size_t k;

	/* A part may have succeeded: each task has an answer of its own. */
	for (k = 0; k < e->n; k++)
		if (!e->answered[k])
			e->batch[k].err = i->err;
	e->on_done(e->batch, e->n, e->arg);
	requeue_free(i);
}

void
radmin_requeue(struct broker *b, struct slice queue,
	       struct broker_requeue *batch, size_t n,
	       broker_requeued_fn *on_done, void *arg)
{
	struct requeue *e = calloc(1, sizeof(*e));
	bool *flags = calloc(n + 1, sizeof(*flags));
	size_t k;

	if (e == NULL || flags == NULL) {
		for (k = 0; k < n; k++)
			err_nomem(&batch[k].err);
		free(flags);
		free(e);
		on_done(batch, n, arg);
		return;
	}
	*e = (struct requeue){.query = {.broker = (struct rbroker *)b,
					.what = "requeuing tasks",
					.ask = requeue_ask,
					.answered = requeue_answer,
					.free = requeue_free},
			      .batch = batch,
			      .n = n,
			      .answered = flags,
			      .on_done = on_done,
			      .arg = arg};
	rqueue_of_name(&e->queue, e->query.broker, queue, &e->query.err);
	rquery_begin(&e->query);
}
