/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what is in a queue.
 *
 * One script a queue tells all of it, as it is at one moment. It needs the queue's
 * levels among its keys; where it finds others, all queues are asked once more. Of
 * many queues that would be dear, so a command each asks for the levels first, in
 * the same round trip that asks workers what they say.
 *
 * It looks into the first levels only. Where there are more, what waits in them is
 * counted a stretch a call, and added up: it changes meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "core/task.h"
#include "store/redis/admin_stats.h"
#include "store/redis/levels.h"
#include "store/redis/limit.h"
#include "util/clock.h"
#include "util/sat.h"

/* Of all queues: with a server that names new levels for ever, the sum is what was
 * counted so far. */
#define PAGES_MAX 10000
/* What queue.lua tells before the names of tasks. */
#define QUEUE_HEAD 9

static int
on_task_member(void *arg, const struct scan_value *key,
	       const struct scan_value *value, struct err *err)
{
	if (value->type == SCAN_STRING && !value->escaped &&
	    slice_eq(key->text, SLICE("submitted_at")))
		*(struct slice *)arg = value->text;
	return 0;
}

/* When a task says it was submitted; 0 if it does not. */
static int64_t
submitted_us(struct slice task)
{
	struct slice at = {NULL, 0};
	char text[64];
	int64_t us;

	if (scan_object(task, TASK_DEPTH_MAX, on_task_member, &at, NULL) != 0 ||
	    at.len == 0 || at.len >= sizeof(text))
		return 0;
	memcpy(text, at.p, at.len);
	text[at.len] = '\0';
	return clock_parse(text, &us, NULL) == 0 ? us : 0;
}

/* -1: none is delayed. A score that was made by hand may be anything: it must
 * not overflow in microseconds. */
static int64_t
due_us(int64_t due_ms)
{
	return due_ms > 0 && due_ms < BROKER_TIME_MAX_MS ? due_ms * 1000 : 0;
}

/* Names of tasks; `n` of them, from reply `at` on. */
static void
take_queue_unknown(struct rquery *i, struct queue_stats *row,
		   const struct redis_reply *reply, size_t at, size_t n)
{
	struct buf names = BUF_INIT;
	struct slice name;
	size_t k;

	for (k = at; k < at + n; k++) {
		name = redis_reply_string(redis_reply_at(reply, k));
		/* Anybody may have put anything there. */
		if (!task_name_valid(name, TASK_NAME_MAX))
			continue;
		buf_add(&names, name.p, name.len);
		buf_addc(&names, '\0');
	}
	/* Asked again, there is one already. */
	free((char *)row->unknown.p);
	row->unknown = (struct slice){NULL, names.len};
	if (names.failed)
		err_nomem(&i->err);
	else if (names.len > 0)
		row->unknown.p = buf_take(&names);
	else
		buf_done(&names);
}

/* How many there are, of what the server counts. */
static int64_t
queue_count_at(const struct redis_reply *reply, size_t i)
{
	return sat_clamp(redis_reply_integer(redis_reply_at(reply, i)), 0,
			 INT64_MAX);
}

static void rqueue_ask_lengths(struct stats *s, size_t index,
			       const struct rlevels *levels, struct slice last);

/* Members that are not priorities have no lists. */
static void
take_lengths(struct rquery *i, size_t index, const struct redis_reply *reply)
{
	struct stats *s = container_of(i, struct stats, query);
	struct rlevels levels = {.names = NULL};
	size_t k;

	s->queues[index].waiting =
	    sat_add(s->queues[index].waiting, queue_count_at(reply, 0));
	for (k = 1; k < redis_reply_count(reply); k++)
		rlevels_add(&levels,
			    redis_reply_string(redis_reply_at(reply, k)));
	if (levels.n > 0)
		rqueue_ask_lengths(s, index, &levels,
				   slice_of(levels.names[levels.n - 1]));
	rlevels_done(&levels);
}

static void
rqueue_ask_lengths(struct stats *s, size_t index, const struct rlevels *levels,
		   struct slice last)
{
	struct rqueue q;

	if (s->n_pages++ >= PAGES_MAX)
		return;
	if (rqueue_init(&q, s->query.broker, s->queues[index].name, 0) != 0) {
		err_nomem(&s->query.err);
		return;
	}
	const struct slice keys[] = {slice_of(q.keys[KEY_LEVELS])};

	q.levels = *levels; /* stays the caller's */
	rquery_eval_levels(&s->query, take_lengths, index, SCRIPT_LENGTHS, &q,
			   REDIS_ARGS(keys), (struct redis_args){&last, 1});
	q.levels = (struct rlevels){.names = NULL};
	rqueue_done(&q);
}

static void
take_queue(struct rquery *i, size_t index, const struct redis_reply *reply)
{
	const struct rlevels none = {.names = NULL};
	struct stats *s = container_of(i, struct stats, query);
	struct queue_stats *row = &s->queues[index];
	const size_t count = redis_reply_count(reply);
	struct slice last;
	size_t names, k;
	int64_t us;

	if (rquery_take_levels(i, &s->levels[index], reply))
		return;
	row->waiting = queue_count_at(reply, 0);
	row->delayed = queue_count_at(reply, 1);
	row->dead = queue_count_at(reply, 2);
	row->paused = redis_reply_integer(redis_reply_at(reply, 3)) != 0;
	row->next_due_us =
	    due_us(redis_reply_integer(redis_reply_at(reply, 4)));
	row->set_aside = queue_count_at(reply, 5);
	row->held = queue_count_at(reply, 6);
	last = redis_reply_string(redis_reply_at(reply, 7));
	if (last.len > 0)
		rqueue_ask_lengths(s, index, &none, last);
	/* Not more than there are, whatever it says. */
	names = (size_t)sat_clamp(
	    queue_count_at(reply, 8), 0,
	    count > QUEUE_HEAD ? (int64_t)(count - QUEUE_HEAD) : 0);
	take_queue_unknown(i, row, reply, QUEUE_HEAD, names);
	for (k = QUEUE_HEAD + names; k < count; k++) {
		us = submitted_us(redis_reply_string(redis_reply_at(reply, k)));
		if (us > 0 && (row->oldest_us == 0 || us < row->oldest_us))
			row->oldest_us = us;
	}
}

void
rstats_ask_queue(struct stats *s, size_t index, const struct rqueue *q)
{
	const struct slice keys[] = {
	    slice_of(q->keys[KEY_WAITING]), slice_of(q->keys[KEY_LEVELS]),
	    slice_of(q->keys[KEY_DELAYED]), slice_of(q->keys[KEY_DEAD]),
	    slice_of(q->keys[KEY_PAUSED]),  slice_of(q->keys[KEY_WITHDRAWN]),
	    slice_of(q->keys[KEY_LANES]),   slice_of(q->keys[KEY_SERVED]),
	    slice_of(q->keys[KEY_UNKNOWN])};
	const struct slice args[] = {slice_of(RBROKER_WITHDRAWN),
				     SLICE(RLIMIT_LANE)};

	rquery_eval_levels(&s->query, take_queue, index, SCRIPT_QUEUE, q,
			   REDIS_ARGS(keys), REDIS_ARGS(args));
}

/* --- levels ------------------------------------------------------------ */

static void
take_levels(struct rquery *i, size_t index, const struct redis_reply *reply)
{
	rlevels_learn(&container_of(i, struct stats, query)->levels[index],
		      reply);
}

void
rstats_ask_levels(struct rquery *i)
{
	struct stats *s = container_of(i, struct stats, query);
	/* As many as queue.lua looks into. */
	struct slice argv[] = {
	    SLICE("ZRANGE"), {NULL, 0}, SLICE("0"), SLICE("255")};
	struct rqueue q;
	size_t k;

	if (s->levels == NULL)
		s->levels = calloc(s->n_queues + 1, sizeof(*s->levels));
	for (k = 0; k < s->n_queues; k++) {
		if (s->levels == NULL ||
		    rqueue_init(&q, i->broker, s->queues[k].name, 0) != 0) {
			err_nomem(&i->err);
			return;
		}
		argv[1] = slice_of(q.keys[KEY_LEVELS]);
		rquery_command(i, take_levels, k, REDIS_ARGS(argv));
		rqueue_done(&q);
	}
}
