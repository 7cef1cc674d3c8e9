/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: changing the dead list. Tasks of it are put back into their
 * queue, or deleted; and those of another list are added.
 *
 * A batch goes out in stretches, all under way at the same time, so that it
 * costs one round trip. Each stretch is one script: a task of it leaves the
 * dead list and waits again in one step, or neither. After a broken connection
 * only those that were not answered are asked again.
 */
#include <stdlib.h>

#include "store/redis/admin.h"
#include "store/redis/levels.h"

/* Dead tasks in one call: their bytes travel with it, and the arguments lie on
 * the stack. The server copies these bytes several times. */
#define DEAD_A_CALL 100
#define DEAD_BYTES (512u << 10)

struct dead_batch;

/* What the two kinds of batches differ in. */
struct dead_kind {
	size_t (*bytes)(const struct dead_batch *d, size_t i);
	void (*ask)(struct dead_batch *d, size_t first, size_t n);
	void (*take)(struct dead_batch *d, size_t i, bool yes);
	void (*fail)(struct dead_batch *d, size_t i, const struct err *err);
	void (*tell)(const struct dead_batch *d);
};

struct dead_batch {
	struct rquery query;
	const struct dead_kind *kind;
	struct rqueue queue;
	size_t n;
	bool *answered;
	void *arg;
	/* Of one kind, or the other. */
	struct broker_requeue *requeue;
	broker_requeued_fn *on_requeued;
	struct broker_dead *dead;
	broker_dead_fn *on_dead;
};

/* --- both ---------------------------------------------------------------- */

static void
dead_free(struct rquery *i)
{
	struct dead_batch *d = container_of(i, struct dead_batch, query);

	rqueue_done(&d->queue);
	free(d->answered);
	free(d);
}

static void
dead_take(struct rquery *i, size_t first, const struct redis_reply *reply)
{
	struct dead_batch *d = container_of(i, struct dead_batch, query);
	size_t k;

	for (k = 0; k < redis_reply_count(reply) && first + k < d->n; k++) {
		d->kind->take(d, first + k,
			      redis_reply_integer(redis_reply_at(reply, k)) !=
				  0);
		d->answered[first + k] = true;
	}
}

/* How many there are in the stretch that begins there: always the same. */
static size_t
dead_stretch(const struct dead_batch *d, size_t first)
{
	size_t n = 0, bytes = 0;

	do
		bytes += d->kind->bytes(d, first + n++);
	while (first + n < d->n && n < DEAD_A_CALL &&
	       bytes + d->kind->bytes(d, first + n) <= DEAD_BYTES);
	return n;
}

static void
dead_ask(struct rquery *i)
{
	struct dead_batch *d = container_of(i, struct dead_batch, query);
	size_t first, n;

	for (first = 0; first < d->n; first += n) {
		n = dead_stretch(d, first);
		/* Asked again, a stretch that was answered would find its tasks
		 * gone, or there, and say so. */
		if (!d->answered[first])
			d->kind->ask(d, first, n);
	}
}

static void
dead_answer(struct rquery *i)
{
	struct dead_batch *d = container_of(i, struct dead_batch, query);
	size_t k;

	/* A part may have succeeded: each task has an answer of its own. */
	for (k = 0; k < d->n; k++)
		if (!d->answered[k])
			d->kind->fail(d, k, &i->err);
	d->kind->tell(d);
	dead_free(i);
}

/* Takes a copy. */
static void
dead_begin(struct broker *b, struct slice queue, const struct dead_batch *what)
{
	struct dead_batch *d = malloc(sizeof(*d));
	bool *flags = calloc(what->n + 1, sizeof(*flags));
	struct err err;
	size_t k;

	if (d == NULL || flags == NULL) {
		err_nomem(&err);
		for (k = 0; k < what->n; k++)
			what->kind->fail((struct dead_batch *)what, k, &err);
		free(flags);
		free(d);
		what->kind->tell(what);
		return;
	}
	*d = *what;
	d->query.broker = (struct rbroker *)b;
	d->query.ask = dead_ask;
	d->query.answered = dead_answer;
	d->query.free = dead_free;
	d->answered = flags;
	rqueue_of_name(&d->queue, d->query.broker, queue, &d->query.err);
	rquery_begin(&d->query);
}

/* --- putting back -------------------------------------------------------- */

static size_t
requeue_bytes(const struct dead_batch *d, size_t i)
{
	return d->requeue[i].retry_bytes.len;
}

static void
requeue_ask(struct dead_batch *d, size_t first, size_t n)
{
	const struct slice keys[] = {slice_of(d->queue.keys[KEY_DEAD]),
				     slice_of(d->queue.keys[KEY_DEAD_TASKS]),
				     slice_of(d->queue.keys[KEY_DEAD_INFO]),
				     slice_of(d->queue.keys[KEY_WAITING]),
				     slice_of(d->queue.keys[KEY_LEVELS])};
	struct slice args[2 + 4 * DEAD_A_CALL] = {slice_of(RBROKER_CONTROL),
						  slice_of(d->queue.wake)};
	char levels[DEAD_A_CALL][2][ARG_NUMBER_SIZE];
	const struct broker_requeue *one = &d->requeue[first];
	struct slice *arg = args + 2;
	size_t k;

	/* A list may be named more than once: a call has few. The fourth of the
	 * keys is that of priority 0. */
	rlevels_done(&d->queue.levels);
	for (k = 0; k < n; k++, one++) {
		arg[1] = one->retry_bytes;
		*arg = one->key;
		arg[2] = arg_number(levels[k][0], one->priority);
		if (one->priority != 0 &&
		    rlevels_add(&d->queue.levels, arg[2]) != 0) {
			err_nomem(&d->query.err);
			return;
		}
		arg[3] = arg_number(
		    levels[k][1],
		    one->priority != 0 ? 5 + (int64_t)d->queue.levels.n : 4);
		arg += 4;
	}
	rquery_eval_levels(&d->query, dead_take, first, SCRIPT_REQUEUE,
			   &d->queue, REDIS_ARGS(keys),
			   (struct redis_args){args, 2 + 4 * n});
}

static void
requeue_take(struct dead_batch *d, size_t i, bool yes)
{
	d->requeue[i].found = yes;
}

static void
requeue_fail(struct dead_batch *d, size_t i, const struct err *err)
{
	d->requeue[i].err = *err;
}

static void
requeue_tell(const struct dead_batch *d)
{
	d->on_requeued(d->requeue, d->n, d->arg);
}

void
radmin_requeue(struct broker *b, struct slice queue,
	       struct broker_requeue *batch, size_t n,
	       broker_requeued_fn *on_done, void *arg)
{
	static const struct dead_kind kind = {requeue_bytes, requeue_ask,
					      requeue_take, requeue_fail,
					      requeue_tell};
	const struct dead_batch d = {.query = {.what = "requeuing tasks"},
				     .kind = &kind,
				     .n = n,
				     .arg = arg,
				     .requeue = batch,
				     .on_requeued = on_done};

	dead_begin(b, queue, &d);
}

/* --- adding --------------------------------------------------------------- */

static size_t
add_dead_bytes(const struct dead_batch *d, size_t i)
{
	return d->dead[i].bytes.len + d->dead[i].info.len;
}

static void
add_dead_ask(struct dead_batch *d, size_t first, size_t n)
{
	const struct slice keys[] = {slice_of(d->queue.keys[KEY_DEAD]),
				     slice_of(d->queue.keys[KEY_DEAD_TASKS]),
				     slice_of(d->queue.keys[KEY_DEAD_INFO])};
	struct slice args[4 * DEAD_A_CALL];
	char times[DEAD_A_CALL][ARG_NUMBER_SIZE];
	const struct broker_dead *one = &d->dead[first];
	struct slice *arg = args;
	size_t k;

	rbroker_name_queue(d->query.broker, d->queue.name);
	for (k = 0; k < n; k++, one++, arg += 4) {
		arg[0] = one->key;
		arg[1] = one->bytes;
		arg[2] = one->info;
		arg[3] = arg_number(times[k], one->time_ms);
	}
	rquery_eval(&d->query, dead_take, first, SCRIPT_ADD_DEAD,
		    REDIS_ARGS(keys), (struct redis_args){args, 4 * n});
}

static void
add_dead_take(struct dead_batch *d, size_t i, bool yes)
{
	d->dead[i].added = yes;
}

static void
add_dead_fail(struct dead_batch *d, size_t i, const struct err *err)
{
	d->dead[i].err = *err;
}

static void
add_dead_tell(const struct dead_batch *d)
{
	d->on_dead(d->dead, d->n, d->arg);
}

void
radmin_add_dead(struct broker *b, struct slice queue, struct broker_dead *batch,
		size_t n, broker_dead_fn *on_done, void *arg)
{
	static const struct dead_kind kind = {add_dead_bytes, add_dead_ask,
					      add_dead_take, add_dead_fail,
					      add_dead_tell};
	const struct dead_batch d = {.query = {.what = "adding dead tasks"},
				     .kind = &kind,
				     .n = n,
				     .arg = arg,
				     .dead = batch,
				     .on_dead = on_done};

	dead_begin(b, queue, &d);
}
