/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: which queues have tasks at a place.
 *
 * Lists go through all queues, of which there may be hundreds, most of them
 * empty there. What waits, is delayed or dead is asked about with a command or
 * two a queue, in one go: a script, as for the whole state, costs ten times as
 * much. What is in flight only the workers' lists tell (admin_holding.c).
 */
#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "core/task.h"
#include "store/redis/admin_stats.h"
#include "util/sat.h"

/* Scores beyond are not times: as in view_sorted.lua, which counts them as
 * 0. */
#define FIND_SCORE_MAX 9007199254740992.0

/* The rows are not told, so two of their members serve here: `waiting` is not 0
 * if there may be any, and `next_due_us` is the latest time, in ms. */
#define found_any waiting
#define found_newest_ms next_due_us

/* --- asking ------------------------------------------------------------ */

static void
take_found_count(struct rquery *i, size_t index,
		 const struct redis_reply *reply)
{
	container_of(i, struct stats, query)->queues[index].found_any |=
	    redis_reply_integer(reply);
}

/* The last of a sorted set and its score, or nothing. */
static void
take_found_newest(struct rquery *i, size_t index,
		  const struct redis_reply *reply)
{
	struct queue_stats *row =
	    &container_of(i, struct stats, query)->queues[index];
	const struct slice score = redis_reply_string(redis_reply_at(reply, 1));
	char text[64] = "";
	double ms;

	row->found_any = redis_reply_count(reply) > 0;
	if (score.len > 0 && score.len < sizeof(text))
		memcpy(text, score.p, score.len);
	ms = strtod(text, NULL);
	/* Made by hand it may be anything, NaN too. */
	row->found_newest_ms =
	    ms > 0 && ms <= FIND_SCORE_MAX
		? sat_clamp((int64_t)ms, 0, BROKER_TIME_MAX_MS)
		: 0;
}

static void
find_ask_queue(struct stats *s, size_t index, const struct rqueue *q)
{
	const bool dead = s->place == BROKER_DEAD;
	const struct slice length[] = {SLICE("LLEN"),
				       slice_of(q->keys[KEY_WAITING])};
	const struct slice exists[] = {SLICE("EXISTS"),
				       slice_of(q->keys[KEY_LEVELS]),
				       slice_of(q->keys[KEY_LANES])};
	const struct slice last[] = {
	    SLICE("ZREVRANGE"),
	    slice_of(q->keys[dead ? KEY_DEAD : KEY_DELAYED]), SLICE("0"),
	    SLICE("0"), SLICE("WITHSCORES")};

	if (s->place == BROKER_WAITING) {
		rquery_command(&s->query, take_found_count, index,
			       REDIS_ARGS(length));
		rquery_command(&s->query, take_found_count, index,
			       REDIS_ARGS(exists));
	} else {
		rquery_command(&s->query, take_found_newest, index,
			       REDIS_ARGS(last));
	}
}

void
rfind_ask(struct rquery *i)
{
	struct stats *s = container_of(i, struct stats, query);
	struct rqueue q;
	size_t k;

	rstats_ask_words(i);
	for (k = 0; k < s->n_queues && s->place != BROKER_IN_FLIGHT; k++) {
		if (rqueue_init(&q, i->broker, s->queues[k].name, 0) != 0) {
			err_nomem(&i->err);
			return;
		}
		s->queues[k].found_any = 0;
		find_ask_queue(s, k, &q);
		rqueue_done(&q);
	}
}

/* --- what workers serve ------------------------------------------------ */

static int
find_compare(const void *a, const void *b)
{
	return strcmp(((const struct queue_stats *)a)->name,
		      ((const struct queue_stats *)b)->name);
}

/* One that nobody has named, since its tasks come from another program. The
 * named ones are sorted; those that are added here, at the end, are few. */
static int
find_on_served(void *arg, const struct scan_value *value, struct err *err)
{
	struct stats *s = arg;
	struct queue_stats one = {.found_any = 1}, *more;
	size_t k;

	if (value->type != SCAN_STRING || value->escaped ||
	    !task_name_valid(value->text, TASK_QUEUE_MAX))
		return 0;
	memcpy(one.name, value->text.p, value->text.len);
	for (k = s->n_queues; k > 0 && s->queues[k - 1].found_newest_ms < 0;
	     k--)
		if (find_compare(&s->queues[k - 1], &one) == 0)
			return 0;
	if (bsearch(&one, s->queues, k, sizeof(one), find_compare) != NULL)
		return 0;
	more = reallocarray(s->queues, s->n_queues + 1, sizeof(*more));
	if (more == NULL)
		return err_nomem(err);
	one.found_newest_ms = -1; /* the sorted ones end before */
	s->queues = more;
	s->queues[s->n_queues++] = one;
	return 0;
}

/* Whether anything is in those was not asked: that takes one more round trip,
 * and the caller, who reads them next, sees it. */
static void
find_add_served(struct stats *s)
{
	size_t w, k;

	for (w = 0; w < s->n_workers; w++)
		if (s->workers[w].listed.p != NULL)
			scan_array(s->workers[w].listed, TASK_DEPTH_MAX,
				   find_on_served, s, NULL);
	for (k = 0; k < s->n_queues; k++)
		if (s->queues[k].found_newest_ms < 0)
			s->queues[k].found_newest_ms = 0;
	qsort(s->queues, s->n_queues, sizeof(*s->queues), find_compare);
}

/* --- answers ----------------------------------------------------------- */

void
rfind_tell(struct stats *s)
{
	struct queue_found *found = calloc(s->n_queues + 1, sizeof(*found));
	const struct queue_stats *row = s->queues;
	size_t n = 0;

	if (found == NULL && s->query.err.code == ERR_NONE)
		err_nomem(&s->query.err);
	if (found == NULL || s->query.err.code != ERR_NONE) {
		s->on_found(NULL, 0, &s->query.err, s->arg);
		free(found);
		return;
	}
	for (; row < s->queues + s->n_queues; row++) {
		if (s->place == BROKER_IN_FLIGHT ? row->in_flight == 0
						 : row->found_any == 0)
			continue;
		memcpy(found[n].name, row->name, sizeof(row->name));
		found[n++].newest_ms = row->found_newest_ms;
	}
	s->on_found(found, n, NULL, s->arg);
	free(found);
}

void
rfind_answered(struct rquery *i)
{
	struct stats *s = container_of(i, struct stats, query);

	if (i->err.code == ERR_NONE)
		find_add_served(s);
	if (i->err.code == ERR_NONE && s->place == BROKER_IN_FLIGHT &&
	    s->n_workers > 0)
		rquery_next(i, rstats_ask_strangers, rstats_on_strangers);
	else
		rstats_on_state(i);
}

void
radmin_find(struct broker *b, enum broker_location place,
	    broker_found_fn *on_found, void *arg)
{
	struct stats *s = rstats_new(b, FIND);
	struct err err;

	if (s == NULL) {
		err_nomem(&err);
		on_found(NULL, 0, &err, arg);
		return;
	}
	s->place = place;
	s->on_found = on_found;
	s->arg = arg;
	rquery_begin(&s->query);
}
