/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: pages of tasks.
 *
 * A cursor says where the next page begins: in the waiting tasks by level and
 * offset, and behind them in the lanes by name and offset, in the sorted sets
 * by offset, in what is in flight by shard, offset and worker.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/admin.h"
#include "store/redis/lanes.h"
#include "store/redis/limit.h"
#include "store/redis/names.h"
#include "util/sat.h"

/* Workers that one call looks at: if they have nothing in flight, the script
 * has read 40 × 17 empty lists, still a short stop of the server. */
#define WORKERS_A_CALL 40

struct view {
	struct rquery query;
	struct rqueue queue;
	enum broker_location place;
	int64_t n;
	broker_page_fn *on_page;
	void *arg;

	/* Where to begin. */
	struct buf cursor;
	bool first;
	int64_t level; /* or shard, IN_FLIGHT */
	int64_t offset;
	int64_t until_ms; /* see struct broker_view */
	char *key;
	char *from;	     /* worker, IN_FLIGHT */
	struct rnames names; /* of all workers, IN_FLIGHT */
	bool more_workers;
	char **workers; /* those from `from` on, in their order */
	size_t n_workers;

	bool has_lanes; /* WAITING: they follow the levels */
	char *lane, *next_lane;

	bool replied;
};

static void
view_forget_workers(struct view *v)
{
	while (v->n_workers > 0)
		free(v->workers[--v->n_workers]);
	free(v->workers);
	v->workers = NULL;
}

static void
view_free(struct rquery *i)
{
	struct view *v = container_of(i, struct view, query);

	view_forget_workers(v);
	rnames_done(&v->names);
	buf_done(&v->cursor);
	free(v->from);
	free(v->lane);
	free(v->next_lane);
	free(v->key);
	rqueue_done(&v->queue);
	free(v);
}

/* --- the answer -------------------------------------------------------- */

static void
rview_tell(struct view *v, const struct broker_item *items, size_t n,
	   const struct buf *next)
{
	const struct broker_page page = {
	    .items = items, .n = n, .next = {next->data, next->len}};

	if (next->failed || v->cursor.failed) {
		err_nomem(&v->query.err);
		return;
	}
	/* Who reads on would read for ever. */
	if (next->len > 0 && next->len == v->cursor.len &&
	    memcmp(next->data, v->cursor.data, next->len) == 0) {
		err_set(&v->query.err, ERR_INTERNAL,
			"%s: %s answers with the same place again",
			v->query.what, v->query.broker->url_name);
		return;
	}
	v->replied = true;
	v->on_page(&page, NULL, v->arg);
}

/* Behind the first `skip` of a reply, each item has `width` members. */
static struct broker_item *
make_items(struct view *v, const struct redis_reply *reply, size_t skip,
	   size_t width, size_t *ret_n)
{
	const size_t count = redis_reply_count(reply);
	struct broker_item *items;

	*ret_n = count > skip ? (count - skip) / width : 0;
	items = calloc(*ret_n + 1, sizeof(*items));
	if (items == NULL)
		err_nomem(&v->query.err);
	return items;
}

static struct slice
string_at(const struct redis_reply *reply, size_t i)
{
	return redis_reply_string(redis_reply_at(reply, i));
}

static int64_t
integer_at(const struct redis_reply *reply, size_t i)
{
	return redis_reply_integer(redis_reply_at(reply, i));
}

static int32_t
priority_at(const struct redis_reply *reply, size_t i)
{
	return (int32_t)sat_clamp(integer_at(reply, i), INT32_MIN, INT32_MAX);
}

static void
take_waiting(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct view *v = container_of(i, struct view, query);
	struct slice level = string_at(reply, 0);
	struct buf next = BUF_INIT;
	struct broker_item *items;
	size_t n, k;

	if (rquery_take_levels(i, &v->queue.levels, reply))
		return;
	if ((items = make_items(v, reply, 2, 2, &n)) == NULL)
		return;
	for (k = 0; k < n; k++) {
		items[k].priority = priority_at(reply, 2 + 2 * k);
		items[k].bytes = string_at(reply, 3 + 2 * k);
	}
	if (level.len > 0)
		buf_addf(&next, "%.*s:%" PRId64, (int)level.len, level.p,
			 integer_at(reply, 1));
	else if (v->has_lanes)
		buf_adds(&next, "l:0:");
	rview_tell(v, items, n, &next);
	buf_done(&next);
	free(items);
}

static void
take_has_lanes(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	container_of(i, struct view, query)->has_lanes =
	    redis_reply_integer(reply) != 0;
}

static void
take_lanes(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct view *v = container_of(i, struct view, query);

	free(v->lane);
	free(v->next_lane);
	v->lane = v->next_lane = NULL;
	rlanes_pick(reply, v->from, &v->lane, &v->next_lane, &i->err);
}

/* Of a lane by name, the score is the priority; of what a limit holds, the first
 * bytes of the stamp (claim_limited.lua). */
static int32_t
rlane_priority(const struct view *v, struct slice member, int32_t score)
{
	const unsigned char *p = (const unsigned char *)member.p;

	if (strcmp(v->lane, RLIMIT_LANE) != 0 || member.len < 4)
		return score;
	return (int32_t)(((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
			  (uint32_t)p[2] << 8 | p[3]) -
			 (UINT32_C(1) << 31));
}

/* As take_sorted(). */
static void
take_lane(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct view *v = container_of(i, struct view, query);
	struct buf next = BUF_INIT;
	struct broker_item *items;
	size_t n, k;

	if ((items = make_items(v, reply, 1, 4, &n)) == NULL)
		return;
	for (k = 0; k < n; k++) {
		items[k].bytes = rlane_task(string_at(reply, 1 + 4 * k));
		items[k].held = strcmp(v->lane, RLIMIT_LANE) == 0;
		if (items[k].held)
			items[k].limit = string_at(reply, 4 + 4 * k);
		items[k].priority =
		    rlane_priority(v, string_at(reply, 1 + 4 * k),
				   priority_at(reply, 2 + 4 * k));
	}
	if (integer_at(reply, 0) >= 0)
		buf_addf(&next, "l:%" PRId64 ":%s", integer_at(reply, 0),
			 v->lane);
	else if (v->next_lane != NULL)
		buf_addf(&next, "l:0:%s", v->next_lane);
	rview_tell(v, items, n, &next);
	buf_done(&next);
	free(items);
}

static void
take_sorted(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct view *v = container_of(i, struct view, query);
	struct buf next = BUF_INIT;
	struct broker_item *items;
	size_t n, k;

	if ((items = make_items(v, reply, 1, 4, &n)) == NULL)
		return;
	for (k = 0; k < n; k++) {
		items[k].time_ms = sat_clamp(integer_at(reply, 2 + 4 * k), 0,
					     BROKER_TIME_MAX_MS);
		if (v->place == BROKER_DELAYED) {
			items[k].bytes = string_at(reply, 1 + 4 * k);
			continue;
		}
		items[k].key = string_at(reply, 1 + 4 * k);
		items[k].bytes = string_at(reply, 3 + 4 * k);
		items[k].info = string_at(reply, 4 + 4 * k);
	}
	if (integer_at(reply, 0) >= 0)
		buf_addf(&next, "%" PRId64, integer_at(reply, 0));
	rview_tell(v, items, n, &next);
	buf_done(&next);
	free(items);
}

static void
take_in_flight(struct rquery *i, size_t asked, const struct redis_reply *reply)
{
	struct view *v = container_of(i, struct view, query);
	const int64_t at = integer_at(reply, 0);
	struct buf next = BUF_INIT;
	struct broker_item *items;
	size_t n, k, worker;

	if ((items = make_items(v, reply, 3, 2, &n)) == NULL)
		return;
	for (k = 0; k < n; k++) {
		worker = (size_t)integer_at(reply, 3 + 2 * k);
		if (worker < asked)
			items[k].worker = slice_of(v->workers[worker]);
		items[k].bytes = string_at(reply, 4 + 2 * k);
	}
	if (at >= 0 && (size_t)at < asked)
		buf_addf(&next, "%" PRId64 ":%" PRId64 ":%s",
			 integer_at(reply, 1), integer_at(reply, 2),
			 v->workers[at]);
	else if (asked < v->n_workers)
		buf_addf(&next, "0:0:%s", v->workers[asked]);
	rview_tell(v, items, n, &next);
	buf_done(&next);
	free(items);
}

/* --- asking ------------------------------------------------------------ */

static void
ask_waiting(struct rquery *i)
{
	struct view *v = container_of(i, struct view, query);
	char level[ARG_NUMBER_SIZE], offset[ARG_NUMBER_SIZE],
	    n[ARG_NUMBER_SIZE], bytes[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(v->queue.keys[KEY_WAITING]),
				     slice_of(v->queue.keys[KEY_LEVELS])};
	const struct slice args[] = {
	    v->first ? SLICE("") : arg_number(level, v->level),
	    arg_number(offset, v->offset), arg_number(n, v->n),
	    arg_number(bytes, VIEW_BYTES), slice_of(RBROKER_WITHDRAWN)};

	const struct slice lanes[] = {SLICE("EXISTS"),
				      slice_of(v->queue.keys[KEY_LANES])};

	/* First: its answer tells whether the levels are all. */
	rquery_command(i, take_has_lanes, 0, REDIS_ARGS(lanes));
	rquery_eval_levels(i, take_waiting, 0, SCRIPT_VIEW_WAITING, &v->queue,
			   REDIS_ARGS(keys), REDIS_ARGS(args));
}

static void
rview_ask_lanes(struct rquery *i)
{
	rquery_ask_lanes(i, take_lanes,
			 &container_of(i, struct view, query)->queue);
}

static void
ask_lane(struct rquery *i)
{
	struct view *v = container_of(i, struct view, query);
	const bool there = v->from != NULL && strcmp(v->lane, v->from) == 0;
	char offset[ARG_NUMBER_SIZE], n[ARG_NUMBER_SIZE],
	    bytes[ARG_NUMBER_SIZE];
	char *lane = rqueue_lane_key(&v->queue, slice_of(v->lane));
	const struct slice keys[] = {slice_of(lane != NULL ? lane : "")},
			   held[] = {RLIMIT_KEYS(&v->queue),
				     slice_of(v->queue.keys[KEY_HELD])};
	const struct slice args[] = {
	    arg_number(offset, there ? v->offset : 0), arg_number(n, v->n),
	    arg_number(bytes, VIEW_BYTES), SLICE(""), SLICE("")};

	if (lane != NULL && strcmp(v->lane, RLIMIT_LANE) == 0)
		rquery_eval(i, take_lane, 0, SCRIPT_VIEW_HELD, REDIS_ARGS(held),
			    REDIS_ARGS(args));
	else if (lane != NULL)
		rquery_eval(i, take_lane, 0, SCRIPT_VIEW_SORTED,
			    REDIS_ARGS(keys), REDIS_ARGS(args));
	else
		err_nomem(&i->err);
	free(lane);
}

static void
ask_sorted(struct rquery *i)
{
	struct view *v = container_of(i, struct view, query);
	const bool dead = v->place == BROKER_DEAD;
	char offset[ARG_NUMBER_SIZE], n[ARG_NUMBER_SIZE],
	    bytes[ARG_NUMBER_SIZE], above[ARG_NUMBER_SIZE];
	const struct slice keys[] = {
	    slice_of(v->queue.keys[dead ? KEY_DEAD : KEY_DELAYED]),
	    slice_of(v->queue.keys[KEY_DEAD_TASKS]),
	    slice_of(v->queue.keys[KEY_DEAD_INFO])};
	const struct slice args[] = {
	    arg_number(offset, v->offset), arg_number(n, v->n),
	    arg_number(bytes, VIEW_BYTES),
	    v->first && v->until_ms != 0 ? arg_number(above, v->until_ms + 1)
					 : SLICE(""),
	    slice_of(v->key != NULL ? v->key : "")};

	rquery_eval(i, take_sorted, 0, SCRIPT_VIEW_SORTED,
		    (struct redis_args){keys, dead ? 3 : 1}, REDIS_ARGS(args));
}

static void
ask_in_flight(struct rquery *i)
{
	struct view *v = container_of(i, struct view, query);
	char shards[ARG_NUMBER_SIZE], shard[ARG_NUMBER_SIZE],
	    offset[ARG_NUMBER_SIZE], n[ARG_NUMBER_SIZE], bytes[ARG_NUMBER_SIZE];
	struct slice *keys;
	size_t n_workers;
	/* That worker may have left the list. */
	const bool there = v->n_workers > 0 && v->from != NULL &&
			   strcmp(v->workers[0], v->from) == 0;
	const struct slice args[] = {arg_number(shards, SHARDS),
				     arg_number(shard, there ? v->level : 0),
				     arg_number(offset, there ? v->offset : 0),
				     arg_number(n, v->n),
				     arg_number(bytes, VIEW_BYTES),
				     slice_of(RBROKER_WITHDRAWN)};

	n_workers =
	    v->n_workers < WORKERS_A_CALL ? v->n_workers : WORKERS_A_CALL;
	keys = rqueue_worker_keys(&v->queue, v->workers, n_workers, false);
	if (keys == NULL)
		err_nomem(&i->err);
	else
		rquery_eval(i, take_in_flight, n_workers, SCRIPT_VIEW_IN_FLIGHT,
			    (struct redis_args){keys, n_workers * SHARDS},
			    REDIS_ARGS(args));
	free(keys);
}

static void
take_workers(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct view *v = container_of(i, struct view, query);

	v->more_workers = rnames_take(&v->names, reply);
}

static void
rview_ask_workers(struct rquery *i)
{
	struct view *v = container_of(i, struct view, query);
	struct slice argv[RNAMES_ARGS];

	rnames_command(&v->names, slice_of(i->broker->workers_key), argv);
	rquery_command(i, take_workers, 0, REDIS_ARGS(argv));
}

/* All are there. By name, so that a worker that comes or goes between two pages
 * moves none of the others. */
static void
rview_choose_workers(struct view *v)
{
	char **names;
	size_t n, w;

	if ((names = rnames_sorted(&v->names, &n)) == NULL ||
	    (v->workers = calloc(n + 1, sizeof(*v->workers))) == NULL) {
		free(names);
		err_nomem(&v->query.err);
		return;
	}
	for (w = 0; w < n; w++) {
		if (v->from != NULL && strcmp(names[w], v->from) < 0)
			continue;
		v->workers[v->n_workers] = strdup(names[w]);
		if (v->workers[v->n_workers] == NULL)
			break;
		v->n_workers++;
	}
	if (w < n)
		err_nomem(&v->query.err);
	free(names);
}

static void
answered(struct rquery *i)
{
	struct view *v = container_of(i, struct view, query);
	const struct buf none = BUF_INIT;

	if (i->ask == rview_ask_workers && i->err.code == ERR_NONE) {
		if (v->more_workers) {
			rquery_next(i, rview_ask_workers, answered);
			return;
		}
		rview_choose_workers(v);
		/* The workers are known: now what they have. */
		if (v->n_workers > 0) {
			rquery_next(i, ask_in_flight, answered);
			return;
		}
		if (i->err.code == ERR_NONE)
			rview_tell(v, NULL, 0, &none);
	}
	if (i->ask == rview_ask_lanes && i->err.code == ERR_NONE) {
		if (v->lane != NULL) {
			rquery_next(i, ask_lane, answered);
			return;
		}
		rview_tell(v, NULL, 0, &none);
	}
	if (!v->replied)
		v->on_page(NULL, &i->err, v->arg);
	view_free(i);
}

/* --- beginning --------------------------------------------------------- */

static void
rview_read_cursor(struct view *v, struct slice s, struct err *err)
{
	bool ok = true;

	v->first = s.len == 0;
	if (v->first)
		return;
	if (v->place == BROKER_WAITING &&
	    rlanes_read_cursor(s, &v->offset, &v->from)) {
		v->query.ask = rview_ask_lanes;
		return;
	}
	if (v->place == BROKER_WAITING)
		ok = cursor_number(&s, INT32_MIN, INT32_MAX, &v->level) &&
		     s.len > 0;
	else if (v->place == BROKER_IN_FLIGHT)
		ok = cursor_number(&s, 0, SHARDS - 1, &v->level) && s.len > 0;
	ok = ok && cursor_number(&s, 0, CURSOR_OFFSET_MAX, &v->offset) &&
	     (s.len > 0) == (v->place == BROKER_IN_FLIGHT);
	if (ok && s.len > 0)
		ok = (v->from = rworker_name(s)) != NULL;
	if (!ok)
		cursor_bad(err);
}

void
radmin_view(struct broker *broker, const struct broker_view *view,
	    broker_page_fn *on_page, void *arg)
{
	static void (*const asks[])(struct rquery *) = {
	    [BROKER_WAITING] = ask_waiting,
	    [BROKER_DELAYED] = ask_sorted,
	    [BROKER_IN_FLIGHT] = rview_ask_workers,
	    [BROKER_DEAD] = ask_sorted,
	};
	struct view *v = calloc(1, sizeof(*v));
	struct err err;

	if (v == NULL) {
		err_nomem(&err);
		on_page(NULL, &err, arg);
		return;
	}
	v->query = (struct rquery){.broker = (struct rbroker *)broker,
				   .what = "looking at tasks",
				   .ask = asks[view->place],
				   .answered = answered,
				   .free = view_free};
	v->place = view->place;
	v->n = view->n;
	/* A score is a time with a fraction: what is above has the next ms. */
	v->until_ms = view->until_ms < INT64_MAX ? view->until_ms : 0;
	v->names = (struct rnames)RNAMES_INIT;
	v->offset = view->skip;
	buf_add(&v->cursor, view->cursor.p, view->cursor.len);
	v->on_page = on_page;
	v->arg = arg;
	/* An error here is the answer. A key with a NUL is found by none. */
	if (view->key.len > 0 &&
	    (v->key = strndup(view->key.p, view->key.len)) == NULL)
		err_nomem(&v->query.err);
	else if (rqueue_of_name(&v->queue, v->query.broker, view->queue,
				&v->query.err) == 0)
		rview_read_cursor(v, view->cursor, &v->query.err);
	rquery_begin(&v->query);
}
