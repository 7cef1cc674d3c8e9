/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: pausing queues, and taking tasks out of them. Tasks of the
 * dead list are put back by admin_dead.c.
 *
 * A queue may hold millions of tasks, and a script holds up all of the server:
 * so each call does a bounded stretch and says where to go on. The caller goes
 * round, and can show how far it is.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/admin.h"
#include "store/redis/lanes.h"

/* A search goes on for about so long in one call, by the reckoning of
 * remove.lua: what other clients wait meanwhile. */
#define SEARCH_US 1000
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
	char *from; /* or a lane to begin with */
	char *lane,
	    *next_lane; /* WITHDRAW, PURGE: of those, in which to look */
	bool has_lanes; /* they follow the rest */
	bool hastens;	/* the delayed alone: they become due */
	char *header;	/* SEND_OFF: what stands before it on its way */
};

static void
change_free(struct rquery *i)
{
	struct change *c = container_of(i, struct change, query);

	rqueue_done(&c->queue);
	free(c->id);
	free(c->place);
	free(c->from);
	free(c->lane);
	free(c->next_lane);
	free(c->header);
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
rchange_take_lanes(struct rquery *i, size_t none,
		   const struct redis_reply *reply)
{
	struct change *c = container_of(i, struct change, query);

	free(c->lane);
	free(c->next_lane);
	c->lane = c->next_lane = NULL;
	rlanes_pick(reply, c->from, &c->lane, &c->next_lane, &i->err);
}

static void
rchange_ask_lanes(struct rquery *i)
{
	rquery_ask_lanes(i, rchange_take_lanes,
			 &container_of(i, struct change, query)->queue);
}

/* Calls a script whose keys are the lane and the list of lanes. */
static void
rchange_eval_lane(struct change *c, rquery_take_fn *take, enum rscript script,
		  struct redis_args args)
{
	char *lane = rqueue_lane_key(&c->queue, slice_of(c->lane));
	const struct slice keys[] = {slice_of(lane != NULL ? lane : ""),
				     slice_of(c->queue.keys[KEY_LANES]),
				     slice_of(c->queue.keys[KEY_UNIQUES]),
				     slice_of(c->queue.keys[KEY_LEAVING])};
	/* What is purged leaves for no place. */
	const struct redis_args used = {keys,
					script == SCRIPT_REMOVE_LANE ? 4 : 3};

	if (lane != NULL)
		rquery_eval(&c->query, take, 0, script, used, args);
	else
		err_nomem(&c->query.err);
	free(lane);
}

/* There may be other lanes, and the rest of the queue. */
static void
take_purged_lane(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct buf next = BUF_INIT;

	buf_adds(&next, "more");
	rchange_tell(container_of(i, struct change, query), reply, 0, &next);
	buf_done(&next);
}

static void
rchange_ask_purge_lane(struct rquery *i)
{
	struct change *c = container_of(i, struct change, query);
	char n[ARG_NUMBER_SIZE], bytes[ARG_NUMBER_SIZE];
	const struct slice args[] = {slice_of(c->lane), arg_number(n, c->n),
				     arg_number(bytes, VIEW_BYTES)};

	rchange_eval_lane(c, take_purged_lane, SCRIPT_PURGE_LANE,
			  REDIS_ARGS(args));
}

static void
take_purged(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct change *c = container_of(i, struct change, query);
	struct buf next = BUF_INIT;

	if (rquery_take_levels(i, &c->queue.levels, reply))
		return;
	if (redis_reply_integer(redis_reply_at(reply, 0)) != 0)
		/* What is left is found at the same place: no offset. */
		buf_adds(&next, "more");
	rchange_tell(c, reply, 1, &next);
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
				     slice_of(c->queue.keys[KEY_WITHDRAWN]),
				     slice_of(c->queue.keys[KEY_UNIQUES])};
	const struct slice args[] = {arg_number(n, c->n),
				     arg_number(bytes, VIEW_BYTES),
				     slice_of(RBROKER_WITHDRAWN)};

	rquery_eval_levels(i, take_purged, 0, SCRIPT_PURGE, &c->queue,
			   REDIS_ARGS(keys), REDIS_ARGS(args));
}

static void
rchange_on_lanes_to_purge(struct rquery *i)
{
	const struct change *c = container_of(i, struct change, query);

	if (i->err.code != ERR_NONE)
		on_page_asked(i);
	else if (c->lane != NULL)
		rquery_next(i, rchange_ask_purge_lane, on_page_asked);
	else
		rquery_next(i, rchange_ask_purge, on_page_asked);
}

void
radmin_purge(struct broker *b, struct slice queue, unsigned int n,
	     broker_page_fn *on_page, void *arg)
{
	const struct rquery query = {.what = "purging",
				     .ask = rchange_ask_lanes,
				     .answered = rchange_on_lanes_to_purge};
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
	struct change *c = container_of(i, struct change, query);
	struct buf next = BUF_INIT;

	if (rquery_take_levels(i, &c->queue.levels, reply))
		return;
	if (place.len > 0)
		buf_addf(&next, "%.*s:%" PRId64, (int)place.len, place.p,
			 redis_reply_integer(redis_reply_at(reply, 1)));
	else if (c->has_lanes && !c->hastens && redis_reply_count(reply) == 2)
		buf_adds(&next, "l:0:");
	rchange_tell(c, reply, 2, &next);
	buf_done(&next);
}

static void
rchange_take_removed_of_lane(struct rquery *i, size_t none,
			     const struct redis_reply *reply)
{
	const int64_t offset = redis_reply_integer(redis_reply_at(reply, 0));
	struct change *c = container_of(i, struct change, query);
	struct buf next = BUF_INIT;

	if (offset >= 0)
		buf_addf(&next, "l:%" PRId64 ":%s", offset, c->lane);
	else if (c->next_lane != NULL && redis_reply_count(reply) == 1)
		buf_addf(&next, "l:0:%s", c->next_lane);
	rchange_tell(c, reply, 1, &next);
	buf_done(&next);
}

static void
rchange_ask_remove_of_lane(struct rquery *i)
{
	struct change *c = container_of(i, struct change, query);
	const bool there = c->from != NULL && strcmp(c->lane, c->from) == 0;
	char offset[ARG_NUMBER_SIZE], effort[ARG_NUMBER_SIZE];
	const struct slice args[] = {
	    slice_of(c->id), slice_of(c->lane),
	    arg_number(offset, there ? c->offset : 0),
	    arg_number(effort, SEARCH_US),
	    slice_of(c->header != NULL ? c->header : "")};

	rchange_eval_lane(c, rchange_take_removed_of_lane, SCRIPT_REMOVE_LANE,
			  REDIS_ARGS(args));
}

static void
rchange_on_lanes_to_search(struct rquery *i)
{
	struct change *c = container_of(i, struct change, query);
	const struct buf none = BUF_INIT;

	if (i->err.code == ERR_NONE && c->lane != NULL) {
		rquery_next(i, rchange_ask_remove_of_lane, on_page_asked);
		return;
	}
	if (i->err.code == ERR_NONE)
		rchange_tell(c, NULL, 0, &none);
	on_page_asked(i);
}

static void
rchange_take_has_lanes(struct rquery *i, size_t none,
		       const struct redis_reply *reply)
{
	container_of(i, struct change, query)->has_lanes =
	    redis_reply_integer(reply) != 0;
}

static void
rchange_ask_remove(struct rquery *i)
{
	const struct change *c = container_of(i, struct change, query);
	char offset[ARG_NUMBER_SIZE], effort[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(c->queue.keys[KEY_WAITING]),
				     slice_of(c->queue.keys[KEY_LEVELS]),
				     slice_of(c->queue.keys[KEY_DELAYED]),
				     slice_of(c->queue.keys[KEY_WITHDRAWN]),
				     slice_of(c->queue.keys[KEY_LEAVING]),
				     slice_of(c->queue.keys[KEY_UNIQUES])};
	const struct slice args[] = {
	    slice_of(c->id),
	    slice_of(c->place),
	    arg_number(offset, c->offset),
	    arg_number(effort, SEARCH_US),
	    slice_of(RBROKER_WITHDRAWN),
	    c->hastens ? slice_of(RBROKER_CONTROL) : SLICE(""),
	    slice_of(c->queue.wake),
	    slice_of(c->header != NULL ? c->header : "")};

	const struct slice lanes[] = {SLICE("EXISTS"),
				      slice_of(c->queue.keys[KEY_LANES])};

	/* First: its answer tells whether this is all. */
	rquery_command(i, rchange_take_has_lanes, 0, REDIS_ARGS(lanes));
	rquery_eval_levels(i, rchange_take_removed, 0, SCRIPT_REMOVE, &c->queue,
			   REDIS_ARGS(keys), REDIS_ARGS(args));
}

/* "d:OFFSET", "LEVEL:OFFSET", or in a lane. */
static int
rchange_read_cursor(struct change *c, struct slice cursor, struct err *err)
{
	struct slice rest = cursor;
	char text[ARG_NUMBER_SIZE];
	int64_t level = 0;

	if (rlanes_read_cursor(cursor, &c->offset, &c->from)) {
		c->query.ask = rchange_ask_lanes;
		c->query.answered = rchange_on_lanes_to_search;
		return 0;
	}
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

static const char *
rchange_purpose(const struct change *what)
{
	return what->header != NULL ? "moving a task"
	       : what->hastens	    ? "making a task due"
				    : "removing a task";
}

/* Takes what->header. */
static void
rchange_begin_remove(struct broker *b, struct slice queue, struct slice id,
		     struct slice cursor, const struct change *what)
{
	const struct rquery query = {.what = rchange_purpose(what),
				     .ask = rchange_ask_remove,
				     .answered = on_page_asked};
	struct change *c =
	    taking_new(b, queue, &query, what->on_page, what->arg);

	if (c == NULL) {
		free(what->header);
		return;
	}
	c->hastens = what->hastens;
	c->header = what->header;
	if (c->query.err.code == ERR_NONE &&
	    rchange_read_cursor(c, cursor, &c->query.err) == 0 &&
	    (c->id = strndup(id.p, id.len)) == NULL)
		err_nomem(&c->query.err);
	/* A place that is not among the delayed. */
	if (c->query.err.code == ERR_NONE && c->hastens &&
	    (c->place == NULL || strcmp(c->place, "d") != 0))
		cursor_bad(&c->query.err);
	rquery_begin(&c->query);
}

void
radmin_remove(struct broker *b, struct slice queue, struct slice id,
	      struct slice cursor, broker_page_fn *on_page, void *arg)
{
	const struct change what = {.on_page = on_page, .arg = arg};

	rchange_begin_remove(b, queue, id, cursor, &what);
}

void
radmin_hasten(struct broker *b, struct slice queue, struct slice id,
	      struct slice cursor, broker_page_fn *on_page, void *arg)
{
	const struct change what = {
	    .on_page = on_page, .arg = arg, .hastens = true};

	rchange_begin_remove(b, queue, id, cursor, &what);
}

void
radmin_send_off(struct broker *b, const struct broker_send_off *s,
		broker_page_fn *on_page, void *arg)
{
	const struct change what = {.on_page = on_page,
				    .arg = arg,
				    .header = rleaving_header(s->to, s->id)};
	struct err err;

	if (what.header != NULL) {
		rchange_begin_remove(b, s->queue, s->id, s->cursor, &what);
		return;
	}
	err_nomem(&err);
	on_page(NULL, &err, arg);
}
