/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: pausing queues, taking tasks out of them, and putting tasks
 * of the dead list back.
 *
 * A queue may hold millions of tasks, and a script holds up all of the server:
 * so each call does a bounded stretch and says where to go on. The caller goes
 * round, and can show how far it is.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/admin.h"

/* A search goes on for about so long in one call, by the reckoning of
 * remove.lua: what other clients wait meanwhile. */
#define SEARCH_US 2000
/* So many of the dead are put into one call: their new bytes travel with it, and
 * the arguments lie on the stack. */
#define EXHUME_A_CALL 100

struct change {
	struct rquery query;
	struct rqueue queue;
	bool paused;
	broker_value_fn *on_value;
	broker_page_fn *on_page;
	void *arg;
	bool replied;
	unsigned int n; /* PURGE */
	char *id;	/* WITHDRAW */
	char *place;	/* where to begin, see remove.lua */
	int64_t offset;
};

static void
change_free(struct rquery *i)
{
	struct change *c = container_of(i, struct change, query);

	rqueue_done(&c->queue);
	free(c->id);
	free(c->place);
	free(c);
}

/* NULL when memory runs out. */
static struct change *
change_new(struct broker *b, struct slice queue, const struct rquery *query,
	   void *arg)
{
	struct change *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->query = *query;
	c->query.broker = (struct rbroker *)b;
	c->query.free = change_free;
	c->arg = arg;
	rqueue_of_name(&c->queue, c->query.broker, queue, &c->query.err);
	return c;
}

/* --- pausing ----------------------------------------------------------- */

/* That there was an answer is all. */
static void
take_nothing(struct rquery *i, size_t none, const struct redis_reply *reply)
{
}

static void
rchange_ask_pause(struct rquery *i)
{
	const struct change *c = container_of(i, struct change, query);
	const struct slice keys[] = {slice_of(c->queue.keys[KEY_PAUSED])};
	const struct slice args[] = {c->paused ? SLICE("1") : SLICE("0"),
				     slice_of(RBROKER_CONTROL),
				     slice_of(c->queue.wake)};

	rquery_eval(i, take_nothing, 0, SCRIPT_PAUSE, REDIS_ARGS(keys),
		    REDIS_ARGS(args));
}

static void
on_paused(struct rquery *i)
{
	const struct change *c = container_of(i, struct change, query);

	c->on_value((struct slice){NULL, 0},
		    i->err.code != ERR_NONE ? &i->err : NULL, c->arg);
	change_free(i);
}

void
radmin_pause(struct broker *b, struct slice queue, bool paused,
	     broker_value_fn *on_value, void *arg)
{
	const struct rquery query = {
	    .what = "pausing", .ask = rchange_ask_pause, .answered = on_paused};
	struct change *c = change_new(b, queue, &query, arg);
	struct err err;

	if (c == NULL) {
		err_nomem(&err);
		on_value((struct slice){NULL, 0}, &err, arg);
		return;
	}
	c->paused = paused;
	c->on_value = on_value;
	rquery_begin(&c->query);
}

/* --- taking out -------------------------------------------------------- */

/* Shows the tasks in a reply behind its first `skip`. */
static void
rchange_tell(struct change *c, const struct redis_reply *reply, size_t skip,
	     const struct buf *next)
{
	const size_t count = redis_reply_count(reply);
	struct broker_page page = {.n = count > skip ? count - skip : 0,
				   .next = {next->data, next->len}};
	struct broker_item *items = calloc(page.n + 1, sizeof(*items));
	size_t k;

	if (items == NULL || next->failed) {
		err_nomem(&c->query.err);
		free(items);
		return;
	}
	for (k = 0; k < page.n; k++)
		items[k].bytes =
		    redis_reply_string(redis_reply_at(reply, skip + k));
	page.items = items;
	c->replied = true;
	c->on_page(&page, NULL, c->arg);
	free(items);
}

static void
on_page_asked(struct rquery *i)
{
	const struct change *c = container_of(i, struct change, query);

	if (!c->replied)
		c->on_page(NULL, &i->err, c->arg);
	change_free(i);
}

/* One that answers with a page. NULL when memory runs out: that is answered. */
static struct change *
taking_new(struct broker *b, struct slice queue, const struct rquery *query,
	   broker_page_fn *on_page, void *arg)
{
	struct change *c = change_new(b, queue, query, arg);
	struct err err;

	if (c != NULL) {
		c->on_page = on_page;
		return c;
	}
	err_nomem(&err);
	on_page(NULL, &err, arg);
	return NULL;
}

static void
take_purged(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct buf next = BUF_INIT;

	if (redis_reply_integer(redis_reply_at(reply, 0)) != 0)
		/* What is left is found at the same place: no offset. */
		buf_adds(&next, "more");
	rchange_tell(container_of(i, struct change, query), reply, 1, &next);
	buf_done(&next);
}

static void
rchange_ask_purge(struct rquery *i)
{
	const struct change *c = container_of(i, struct change, query);
	char n[ARG_NUMBER_SIZE], bytes[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(c->queue.keys[KEY_WAITING]),
				     slice_of(c->queue.keys[KEY_LEVELS]),
				     slice_of(c->queue.keys[KEY_DELAYED]),
				     slice_of(c->queue.keys[KEY_WITHDRAWN])};
	const struct slice args[] = {arg_number(n, c->n),
				     arg_number(bytes, VIEW_BYTES),
				     slice_of(RBROKER_WITHDRAWN)};

	rquery_eval(i, take_purged, 0, SCRIPT_PURGE, REDIS_ARGS(keys),
		    REDIS_ARGS(args));
}

void
radmin_purge(struct broker *b, struct slice queue, unsigned int n,
	     broker_page_fn *on_page, void *arg)
{
	const struct rquery query = {.what = "purging",
				     .ask = rchange_ask_purge,
				     .answered = on_page_asked};
	struct change *c = taking_new(b, queue, &query, on_page, arg);

	if (c == NULL)
		return;
	c->n = n;
	rquery_begin(&c->query);
}

static void
rchange_take_removed(struct rquery *i, size_t none,
		     const struct redis_reply *reply)
{
	const struct slice place = redis_reply_string(redis_reply_at(reply, 0));
	struct buf next = BUF_INIT;

	if (place.len > 0)
		buf_addf(&next, "%.*s:%" PRId64, (int)place.len, place.p,
			 redis_reply_integer(redis_reply_at(reply, 1)));
	rchange_tell(container_of(i, struct change, query), reply, 2, &next);
	buf_done(&next);
}

static void
rchange_ask_remove(struct rquery *i)
{
	const struct change *c = container_of(i, struct change, query);
	char offset[ARG_NUMBER_SIZE], effort[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(c->queue.keys[KEY_WAITING]),
				     slice_of(c->queue.keys[KEY_LEVELS]),
				     slice_of(c->queue.keys[KEY_DELAYED]),
				     slice_of(c->queue.keys[KEY_WITHDRAWN])};
	const struct slice args[] = {
	    slice_of(c->id), slice_of(c->place), arg_number(offset, c->offset),
	    arg_number(effort, SEARCH_US), slice_of(RBROKER_WITHDRAWN)};

	rquery_eval(i, rchange_take_removed, 0, SCRIPT_REMOVE, REDIS_ARGS(keys),
		    REDIS_ARGS(args));
}

/* "d:OFFSET" or "LEVEL:OFFSET". */
static int
rchange_read_cursor(struct change *c, struct slice cursor, struct err *err)
{
	struct slice rest = cursor;
	char text[ARG_NUMBER_SIZE];
	int64_t level = 0;

	/* What moves while a search goes on becomes a waiting task: in this
	 * order the search misses none. See remove.lua. */
	if (cursor.len == 0) {
		c->place = strdup("d");
	} else if (cursor.len > 2 && memcmp(cursor.p, "d:", 2) == 0) {
		rest = (struct slice){cursor.p + 2, cursor.len - 2};
		c->place = strdup("d");
	} else if (cursor_number(&rest, INT32_MIN, INT32_MAX, &level)) {
		arg_number(text, level);
		c->place = strdup(text);
	} else {
		return cursor_bad(err);
	}
	if (c->place == NULL)
		return err_nomem(err);
	if (cursor.len > 0 &&
	    (!cursor_number(&rest, 0, CURSOR_OFFSET_MAX, &c->offset) ||
	     rest.len > 0))
		return cursor_bad(err);
	return 0;
}

void
radmin_remove(struct broker *b, struct slice queue, struct slice id,
	      struct slice cursor, broker_page_fn *on_page, void *arg)
{
	const struct rquery query = {.what = "removing a task",
				     .ask = rchange_ask_remove,
				     .answered = on_page_asked};
	struct change *c = taking_new(b, queue, &query, on_page, arg);

	if (c == NULL)
		return;
	if (c->query.err.code == ERR_NONE &&
	    rchange_read_cursor(c, cursor, &c->query.err) == 0 &&
	    (c->id = strndup(id.p, id.len)) == NULL)
		err_nomem(&c->query.err);
	rquery_begin(&c->query);
}

/* --- the dead ---------------------------------------------------------- */

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
rchange_requeue_free(struct rquery *i)
{
	struct requeue *e = container_of(i, struct requeue, query);

	rqueue_done(&e->queue);
	free(e->answered);
	free(e);
}

static void
rchange_take_requeued(struct rquery *i, size_t first,
		      const struct redis_reply *reply)
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
ask_stretch(struct requeue *e, size_t first, size_t n)
{
	const struct slice keys[] = {slice_of(e->queue.keys[KEY_DEAD]),
				     slice_of(e->queue.keys[KEY_DEAD_TASKS]),
				     slice_of(e->queue.keys[KEY_DEAD_INFO]),
				     slice_of(e->queue.keys[KEY_WAITING]),
				     slice_of(e->queue.keys[KEY_LEVELS])};
	struct slice args[2 + 3 * EXHUME_A_CALL] = {slice_of(RBROKER_CONTROL),
						    slice_of(e->queue.wake)};
	char levels[EXHUME_A_CALL][ARG_NUMBER_SIZE];
	const struct broker_requeue *one = &e->batch[first];
	size_t k;

	for (k = 0; k < n; k++, one++) {
		args[2 + 3 * k] = one->key;
		args[3 + 3 * k] = one->retry_bytes;
		args[4 + 3 * k] = arg_number(levels[k], one->priority);
	}
	rquery_eval(&e->query, rchange_take_requeued, first, SCRIPT_REQUEUE,
		    REDIS_ARGS(keys), (struct redis_args){args, 2 + 3 * n});
}

static void
rchange_ask_requeue(struct rquery *i)
{
	struct requeue *e = container_of(i, struct requeue, query);
	size_t first, n;

	for (first = 0; first < e->n; first += n) {
		n = e->n - first;
		n = n < EXHUME_A_CALL ? n : EXHUME_A_CALL;
		/* Asked again, a stretch that was answered would find its tasks
		 * gone, and say so. */
		if (!e->answered[first])
			ask_stretch(e, first, n);
	}
}

static void
rchange_on_requeued(struct rquery *i)
{
	const struct requeue *e = container_of(i, struct requeue, query);
	size_t k;

	/* A part may have succeeded: each task has an answer of its own. */
	for (k = 0; k < e->n; k++)
		if (!e->answered[k])
			e->batch[k].err = i->err;
	e->on_done(e->batch, e->n, e->arg);
	rchange_requeue_free(i);
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
					.ask = rchange_ask_requeue,
					.answered = rchange_on_requeued,
					.free = rchange_requeue_free},
			      .batch = batch,
			      .n = n,
			      .answered = flags,
			      .on_done = on_done,
			      .arg = arg};
	rqueue_of_name(&e->queue, e->query.broker, queue, &e->query.err);
	rquery_begin(&e->query);
}
