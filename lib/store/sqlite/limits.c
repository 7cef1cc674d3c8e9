/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: claims of queues that have limits.
 *
 * `inflight` is the only truth: of a queue with limits its rows have the scopes
 * that the task counts in, and an index counts them. What may not run is set aside
 * under the first scope that has no room, as "~" and the scope, in its order; what
 * takes a row out of `inflight` lists its scopes in `ready`. Claims take one task of
 * each of these in turns, and then go on with what waits.
 *
 * Tasks that come one behind the other and count in the same scopes are a run: the
 * first is judged by what is on record, and says how many may follow; then all are
 * recorded together. What does not belong to the run is judged when that is on record,
 * so that it counts. If only the queue has a limit, no task counts in any scope.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/limit_scope.h"
#include "core/limit.h"
#include "store/sqlite/broker.h"
#include "store/sqlite/limit_room.h"
#include "store/sqlite/unique.h"

/* Tasks that one claim looks at, and rows of `waiting` that are read at once. */
#define LOOK_MAX 1000
#define READ_MAX 128

/* Tasks that may run, which are not on record yet. */
struct run {
	struct sclaims claims;
	struct buf task, group; /* the scopes of each */
	int64_t n;
	int64_t room; /* so many more may follow */
};

/* A claim from one queue. */
struct limiting {
	struct sbroker *b;
	struct sroom at;
	unsigned int index;
	int64_t want;
	int n;	    /* that were taken */
	int look;   /* that may still be looked at */
	bool plain; /* only the queue has a limit */
	struct buf by;
	struct run run;
	struct buf task, group; /* scopes of the task that is judged */
	int64_t until; /* when the one that holds it has room by its rate; 0:
			  that is not what it lacks */
};

static struct slice
slice_of_buf(const struct buf *b)
{
	return (struct slice){b->data, b->len};
}

/* --- a run ------------------------------------------------------------------ */

static bool
buf_same(const struct buf *a, const struct buf *b)
{
	return slice_eq(slice_of_buf(a), slice_of_buf(b));
}

static bool
run_takes(const struct limiting *l)
{
	return l->run.n > 0 && l->run.room > 0 &&
	       buf_same(&l->run.task, &l->task) &&
	       buf_same(&l->run.group, &l->group);
}

/* Of those whose numbers follow one another at once. */
static int
run_set_scopes(struct limiting *l)
{
	const struct slice task = slice_of_buf(&l->run.task),
			   group = slice_of_buf(&l->run.group);
	struct sclaim *c, *last, *next;

	if (task.len == 0 && group.len == 0)
		return 0;
	for (c = TAILQ_FIRST(&l->run.claims); c != NULL; c = next) {
		last = c;
		while ((next = TAILQ_NEXT(last, link)) != NULL &&
		       next->number == last->number + 1)
			last = next;
		if (tx_run(l->at.tx, l->at.err, SQL_RUNNING_SET,
			   l->b->worker_id, c->number, last->number, task,
			   group) < 0)
			return -1;
	}
	return 0;
}

static int
limiting_leave(struct limiting *l, const struct sclaim *c)
{
	return c->aside
		   ? tx_run(l->at.tx, l->at.err, SQL_SET_ASIDE_DROP, c->number)
		   : tx_run(l->at.tx, l->at.err, SQL_WAITING_DROP, c->queue,
			    c->priority, c->seq);
}

/* Of one alone each row is found sooner than a range of them. */
static int
run_take(struct limiting *l)
{
	const struct sclaim *c = TAILQ_FIRST(&l->run.claims);

	if (l->run.n > 1)
		return sclaims_take_run(l->b, l->at.tx, &l->run.claims,
					l->at.err);
	return limiting_leave(l, c) < 0 ||
		       tx_run(l->at.tx, l->at.err, SQL_INFLIGHT_ADD,
			      l->b->worker_id, c->number, c->queue, c->priority,
			      c->seq) < 0
		   ? -1
		   : 0;
}

/* They are the broker's then. */
static int
run_record(struct limiting *l)
{
	struct run *run = &l->run;
	struct sclaim *c;

	if (run->n == 0)
		return 0;
	if (run_take(l) != 0 || run_set_scopes(l) != 0 ||
	    sroom_spend(&l->at, slice_of_buf(&run->task), run->n) != 0 ||
	    sroom_spend(&l->at, slice_of_buf(&run->group), run->n) != 0)
		return -1;
	TAILQ_FOREACH (c, &run->claims, link)
		if (sunique_start_run(l->at.tx, c, l->at.err) != 0)
			return -1;
	TAILQ_CONCAT(&l->b->claiming.found, &run->claims, link);
	run->n = 0;
	return 0;
}

/* With the task that was judged, of whose scopes so many may run. */
static int
run_begin(struct limiting *l, int64_t room)
{
	struct run *run = &l->run;

	buf_reset(&run->task);
	buf_reset(&run->group);
	buf_add(&run->task, l->task.data, l->task.len);
	buf_add(&run->group, l->group.data, l->group.len);
	run->room = room;
	return run->task.failed || run->group.failed ? err_nomem(l->at.err) : 0;
}

/* --- one task --------------------------------------------------------------- */

static int
limiting_read_by(struct limiting *l)
{
	const int more = tx_first(l->at.tx, l->at.err, SQL_LIMIT_GET,
				  l->at.queue, SLICE("by"));
	struct slice by;

	if (more <= 0)
		return more;
	by = tx_bytes(l->at.tx, SQL_LIMIT_GET, 0);
	buf_add(&l->by, by.p, by.len);
	tx_end(l->at.tx, SQL_LIMIT_GET);
	return l->by.failed ? err_nomem(l->at.err) : 0;
}

/* What it counts in. */
static int
limiting_read_scopes(struct limiting *l, const struct sclaim *c)
{
	buf_reset(&l->task);
	buf_reset(&l->group);
	/* What is too large only goes to the dead list. */
	if (!l->plain && c->pub.whole == 0)
		limit_scopes(c->pub.bytes, slice_of_buf(&l->by), &l->task,
			     &l->group);
	return l->task.failed || l->group.failed ? err_nomem(l->at.err) : 0;
}

/* Sets *ret_held to the first of its scopes that has no room; empty: it may run, as
 * one of the run. */
static int
limiting_judge(struct limiting *l, const struct sclaim *c,
	       struct slice *ret_held)
{
	const struct buf *scopes[] = {&l->task, &l->group};
	int64_t room, least = INT64_MAX;
	size_t i;

	*ret_held = (struct slice){NULL, 0};
	if (limiting_read_scopes(l, c) != 0)
		return -1;
	if (run_takes(l))
		return 0;
	if (run_record(l) != 0)
		return -1;
	for (i = 0; i < 2; i++) {
		if (scopes[i]->len == 0)
			continue;
		room = sroom_of(&l->at, slice_of_buf(scopes[i]), &l->until);
		if (room < 0)
			return -1;
		if (room == 0) {
			*ret_held = slice_of_buf(scopes[i]);
			return 0;
		}
		if (room < least)
			least = room;
	}
	return run_begin(l, least);
}

static void
limiting_take(struct limiting *l, struct sclaim *c)
{
	struct claiming *claiming = &l->b->claiming;

	claiming->budget -= c->pub.bytes.len < claiming->budget
				? c->pub.bytes.len
				: claiming->budget;
	TAILQ_INSERT_TAIL(&l->run.claims, c, link);
	l->run.n++;
	l->run.room--;
	l->n++;
}

/* `scope` is one of the task's. */
static int
limiting_hold(struct limiting *l, const struct sclaim *c, struct slice scope)
{
	struct buf name = BUF_INIT;
	int result = -1;

	if (slimits_name(&name, scope, l->at.err) == 0 &&
	    limiting_leave(l, c) >= 0 &&
	    tx_run(l->at.tx, l->at.err, SQL_HELD_ADD, c->queue,
		   slice_of_buf(&name), c->priority, c->seq, c->number,
		   (int64_t)c->pub.recovered, tx_now(l->at.tx)) >= 0)
		result = sroom_rest(&l->at, scope, l->until);
	buf_done(&name);
	return result;
}

/* Takes it or holds it; 0, or -1: then it is still the caller's. */
static int
limiting_place(struct limiting *l, struct sclaim *c)
{
	struct slice held;

	l->look--;
	if (limiting_judge(l, c, &held) != 0)
		return -1;
	if (held.len == 0) {
		limiting_take(l, c);
		return 0;
	}
	if (limiting_hold(l, c, held) != 0)
		return -1;
	free(c);
	return 0;
}

static bool
limiting_wants(const struct limiting *l)
{
	return l->n < l->want && l->look > 0 && l->b->claiming.budget > 0;
}

/* --- what was held ------------------------------------------------------------ */

/* The first that a scope holds: 1 with *ret, 0: none, or -1. */
static int
limiting_first_held(struct limiting *l, struct slice scope, struct sclaim **ret)
{
	struct buf name = BUF_INIT;
	int more;

	more = slimits_name(&name, scope, l->at.err);
	if (more == 0)
		more = tx_first(l->at.tx, l->at.err, SQL_LANE_FIRST,
				l->at.queue, slice_of_buf(&name), (int64_t)1);
	buf_done(&name);
	if (more != 1)
		return more;
	*ret = sclaim_from_row(l->b, l->at.tx, SQL_LANE_FIRST, l->at.err);
	if (*ret != NULL) {
		(*ret)->queue = l->at.queue;
		(*ret)->pub.queue = l->index;
		(*ret)->pub.recovered =
		    tx_int(l->at.tx, SQL_LANE_FIRST, 3) != 0;
		(*ret)->aside = true;
	}
	tx_end(l->at.tx, SQL_LANE_FIRST);
	return *ret != NULL ? 1 : -1;
}

/* One task of a scope that has its turn; without any, or without room, it has no
 * turn any more. */
static int
limiting_serve(struct limiting *l, struct slice scope, int64_t turn)
{
	int64_t until;
	const int64_t room = sroom_of(&l->at, scope, &until);
	struct sclaim *c = NULL;
	int more =
	    room < 0 || sroom_rest(&l->at, scope, until) != 0 ? -1 : room > 0;

	if (more == 1)
		more = limiting_first_held(l, scope, &c);
	if (more == 1 && limiting_place(l, c) != 0) {
		free(c);
		return -1;
	}
	if (more < 0 || run_record(l) != 0)
		return -1;
	return (more == 1 ? tx_run(l->at.tx, l->at.err, SQL_READY_TURN,
				   l->at.queue, scope, turn + 1)
			  : tx_run(l->at.tx, l->at.err, SQL_READY_DROP,
				   l->at.queue, scope)) < 0
		   ? -1
		   : 0;
}

/* One that waits for its rate until `until`. 1: it waits on; 0: it does not, or for
 * a shorter time, since the clock was set back; -1: an error. */
static int
limiting_look_at_rest(struct limiting *l, struct slice scope, int64_t until)
{
	int64_t till;

	if (sroom_of(&l->at, scope, &till) < 0)
		return -1;
	if (until > tx_now(l->at.tx) * 1000 && till > 0)
		return till >= until ? 1 : sroom_rest(&l->at, scope, till);
	return tx_run(l->at.tx, l->at.err, SQL_READY_ADD, l->at.queue, scope) <
			   0 ||
		       tx_run(l->at.tx, l->at.err, SQL_RESTING_DROP,
			      l->at.queue, scope) < 0
		   ? -1
		   : 0;
}

/* Those whose rate has room by now have their turn; *ret_until is when the next one
 * has, or 0. */
static int
limiting_wake_rested(struct limiting *l, int64_t *ret_until)
{
	struct buf scope = BUF_INIT;
	struct slice found;
	int64_t until;
	int more, waits = 0;

	*ret_until = 0;
	while (waits == 0 &&
	       (more = tx_first(l->at.tx, l->at.err, SQL_RESTING_FIRST,
				l->at.queue)) == 1) {
		until = tx_int(l->at.tx, SQL_RESTING_FIRST, 0);
		found = tx_bytes(l->at.tx, SQL_RESTING_FIRST, 1);
		buf_reset(&scope);
		buf_add(&scope, found.p, found.len);
		tx_end(l->at.tx, SQL_RESTING_FIRST);
		waits =
		    scope.failed
			? err_nomem(l->at.err)
			: limiting_look_at_rest(l, slice_of_buf(&scope), until);
		if (waits == 1)
			*ret_until = until;
	}
	buf_done(&scope);
	return waits < 0 || more < 0 ? -1 : 0;
}

static int
limiting_serve_ring(struct limiting *l)
{
	struct buf scope = BUF_INIT;
	struct slice found;
	int64_t turn;
	int more = 0;

	while (limiting_wants(l) &&
	       (more = tx_first(l->at.tx, l->at.err, SQL_READY_FIRST,
				l->at.queue)) == 1) {
		found = tx_bytes(l->at.tx, SQL_READY_FIRST, 0);
		buf_reset(&scope);
		buf_add(&scope, found.p, found.len);
		turn = tx_int(l->at.tx, SQL_READY_FIRST, 1);
		tx_end(l->at.tx, SQL_READY_FIRST);
		if (scope.failed)
			more = err_nomem(l->at.err);
		else
			more = limiting_serve(l, slice_of_buf(&scope), turn);
		if (more < 0)
			break;
	}
	buf_done(&scope);
	return more < 0 ? -1 : 0;
}

/* --- what waits ---------------------------------------------------------------- */

/* Rows are read before any is changed: a statement must not lose those that it
 * shows. */
static int
limiting_read(struct limiting *l, struct sclaims *found)
{
	struct sbroker *b = l->b;
	size_t bytes = 0;
	struct sclaim *c;
	int n = 0, more;

	more = tx_first(l->at.tx, l->at.err, SQL_WAITING_FIRST, l->at.queue,
			(int64_t)(l->look < READ_MAX ? l->look : READ_MAX));
	while (more == 1 && bytes < b->claiming.budget) {
		c = sclaim_from_row(b, l->at.tx, SQL_WAITING_FIRST, l->at.err);
		if (c == NULL) {
			tx_end(l->at.tx, SQL_WAITING_FIRST);
			return -1;
		}
		c->queue = l->at.queue;
		c->pub.recovered = tx_int(l->at.tx, SQL_WAITING_FIRST, 3) != 0;
		TAILQ_INSERT_TAIL(found, c, link);
		bytes += c->pub.bytes.len;
		n++;
		more = tx_next(l->at.tx, l->at.err, SQL_WAITING_FIRST);
	}
	if (more == 1)
		tx_end(l->at.tx, SQL_WAITING_FIRST);
	return more < 0 ? -1 : n;
}

static int
limiting_place_all(struct limiting *l, struct sclaims *found)
{
	struct sclaim *c;

	while (limiting_wants(l) && (c = TAILQ_FIRST(found)) != NULL) {
		TAILQ_REMOVE(found, c, link);
		c->pub.queue = l->index;
		if (limiting_place(l, c) != 0) {
			free(c);
			return -1;
		}
	}
	return run_record(l);
}

/* Those that were set aside for this worker have their place among the rest. */
static int
limiting_take_waiting(struct limiting *l)
{
	struct sclaims found = TAILQ_HEAD_INITIALIZER(found),
		       aside = TAILQ_HEAD_INITIALIZER(aside);
	int n = 1, result = 0;

	while (result == 0 && n > 0 && limiting_wants(l)) {
		result = slanes_read_run(l->b, l->at.tx, l->at.queue,
					 l->want - l->n, &aside, l->at.err);
		n = result == 0 ? limiting_read(l, &found) : -1;
		if (!TAILQ_EMPTY(&aside) && n == 0)
			n = 1;
		sclaims_merge(&found, &aside);
		if (n < 0 || limiting_place_all(l, &found) != 0)
			result = -1;
		sclaims_free(&found);
		sclaims_free(&aside);
	}
	return result;
}

/* --- claiming ------------------------------------------------------------------- */

/* When a rate that some wait for has room again, in ms; 0: none does. */
static int
limiting_next(struct limiting *l, int64_t queue_until, int64_t *ret_ms)
{
	int64_t until;

	if (limiting_wake_rested(l, &until) != 0)
		return -1;
	if (queue_until > 0 && (until == 0 || queue_until < until))
		until = queue_until;
	*ret_ms = (until + 999) / 1000;
	return 0;
}

int
slimits_claim_run(struct sbroker *b, struct tx *tx, unsigned int index,
		  int64_t queue, struct slimits_answer *ret, struct err *err)
{
	struct limiting l = {.b = b,
			     .at = {.tx = tx, .err = err, .queue = queue},
			     .index = index,
			     .want = b->queues[index].asked,
			     .look = LOOK_MAX,
			     .run.claims =
				 TAILQ_HEAD_INITIALIZER(l.run.claims)};
	int64_t until, queue_until, room;
	int result = -1, inner;

	if (tx_run(tx, err, SQL_TATS_PAST, queue, tx_now(tx) * 1000) < 0 ||
	    (room = sroom_of(&l.at, SLICE("q"), &queue_until)) < 0)
		return -1;
	if (room < l.want)
		l.want = room;
	if ((inner = tx_any(tx, err, SQL_LIMITS_TASKS, queue)) < 0)
		return -1;
	l.plain = inner == 0;
	if (limiting_read_by(&l) == 0 &&
	    limiting_wake_rested(&l, &until) == 0 &&
	    limiting_serve_ring(&l) == 0 && limiting_take_waiting(&l) == 0 &&
	    sroom_spend(&l.at, SLICE("q"), l.n) == 0 &&
	    sroom_of(&l.at, SLICE("q"), &queue_until) >= 0 &&
	    limiting_next(&l, queue_until, &ret->next_ms) == 0)
		result = 0;
	ret->more = l.look <= 0;
	buf_done(&l.by);
	buf_done(&l.task);
	buf_done(&l.group);
	buf_done(&l.run.task);
	buf_done(&l.run.group);
	sclaims_free(&l.run.claims);
	return result == 0 ? l.n : -1;
}
