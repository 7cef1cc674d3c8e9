/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: tasks that were set aside, and who can run them.
 *
 * A task that a worker cannot run goes to `set_aside`, under its name, if a
 * living worker of the queue has that name; it keeps its priority and seq, so
 * that it is claimed in the order in which it would have been. `served` says
 * which names each worker has: it is emptied of a worker that leaves, or is
 * seen dead, and does not count of one whose heartbeat has run out. Each
 * heartbeat puts back what nobody can run any more.
 */
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "store/sqlite/broker.h"
#include "store/sqlite/deputy.h"

/* Tasks of a lane that go back in one transaction: some milliseconds. */
#define PUT_BACK_MAX 500
/* Names that are kept for those who ask what is wrong, and for how long: twice
 * the longest delay of such a task. */
#define UNKNOWN_MAX INT64_C(100)
#define UNKNOWN_MS (INT64_C(600) * 1000)

/* --- claiming ------------------------------------------------------------ */

/* As the queue orders them: by priority, the smaller number first, then by
 * seq. */
static bool
sclaim_before(const struct sclaim *a, const struct sclaim *b)
{
	return a->priority != b->priority ? a->priority < b->priority
					  : a->seq < b->seq;
}

/* Both are in order already. */
void
sclaims_merge(struct sclaims *into, struct sclaims *from)
{
	struct sclaim *at = TAILQ_FIRST(into), *c;

	while ((c = TAILQ_FIRST(from)) != NULL) {
		TAILQ_REMOVE(from, c, link);
		while (at != NULL && sclaim_before(at, c))
			at = TAILQ_NEXT(at, link);
		if (at != NULL)
			TAILQ_INSERT_BEFORE(at, c, link);
		else
			TAILQ_INSERT_TAIL(into, c, link);
	}
}

/* The first `n` of a lane, as far as the bytes of one claim go. */
static int
slane_read_one(struct sbroker *b, struct tx *tx, int64_t queue,
	       struct slice name, int64_t n, struct sclaims *found,
	       struct err *err)
{
	const enum statement_index sql = SQL_LANE_FIRST;
	struct claiming *claiming = &b->claiming;
	struct sclaim *c;
	int more = tx_first(tx, err, sql, queue, name, n);

	while (more == 1 && claiming->budget > 0) {
		if ((c = sclaim_from_row(b, tx, sql, err)) == NULL)
			return -1;
		c->queue = queue;
		c->aside = true;
		TAILQ_INSERT_TAIL(found, c, link);
		claiming->budget -= c->pub.bytes.len < claiming->budget
					? c->pub.bytes.len
					: claiming->budget;
		more = tx_next(tx, err, sql);
	}
	if (more == 1)
		tx_end(tx, sql);
	return more < 0 ? -1 : 0;
}

/* Each lane is sorted, and so is what was found before: merging keeps it so. */
int
slanes_read_run(struct sbroker *b, struct tx *tx, int64_t queue, int64_t n,
		struct sclaims *found, struct err *err)
{
	struct sclaims lane = TAILQ_HEAD_INITIALIZER(lane);
	int more = tx_first(tx, err, SQL_LANES_OF, queue, b->worker_id);

	for (; more == 1; more = tx_next(tx, err, SQL_LANES_OF)) {
		if (slane_read_one(b, tx, queue, tx_bytes(tx, SQL_LANES_OF, 0),
				   n, &lane, err) != 0) {
			sclaims_free(&lane);
			tx_end(tx, SQL_LANES_OF);
			return -1;
		}
		sclaims_merge(found, &lane);
	}
	return more;
}

/* --- setting aside ------------------------------------------------------- */

/* 1: a worker of the queue that lives has the name; 0: none has it; or -1. */
static int
slane_is_served(struct tx *tx, int64_t queue, struct slice name,
		struct err *err)
{
	return tx_any(tx, err, SQL_SERVED_BY, queue, name, tx_now(tx));
}

/* Written once a second at most for each name, and then old ones are removed:
 * names are anybody's to make up, and the table must not grow with them. */
static int
slane_note_unknown(struct tx *tx, int64_t queue, struct slice name,
		   struct err *err)
{
	int changed = tx_run(tx, err, SQL_UNKNOWN_ADD, queue, name, tx_now(tx));

	if (changed <= 0)
		return changed;
	return tx_run(tx, err, SQL_UNKNOWN_TRIM, queue, tx_now(tx) - UNKNOWN_MS,
		      UNKNOWN_MAX) < 0
		   ? -1
		   : 0;
}

/* Workers that can run its tasks, and have room, have emptied the lane before
 * its first task comes: so that task wakes them, and the next ones need not. */
int
slanes_set_aside_run(struct tx *tx, const struct sclaim *c, struct slice name,
		     bool *ret_served, struct err *err)
{
	const int served = slane_is_served(tx, c->queue, name, err);
	int changed, before;

	*ret_served = served == 1;
	if (served <= 0)
		return served < 0 ? -1
				  : slane_note_unknown(tx, c->queue, name, err);
	changed =
	    tx_run(tx, err, SQL_INFLIGHT_DROP, c->broker->worker_id, c->number);
	if (changed <= 0)
		return changed;
	if ((before = tx_any(tx, err, SQL_LANE_ANY, c->queue, name)) < 0 ||
	    tx_run(tx, err, SQL_SET_ASIDE_ADD, c->queue, name, c->priority,
		   c->seq, c->number) < 0 ||
	    tx_run(tx, err, SQL_QUEUE_GROW, c->queue, (int64_t)1) < 0)
		return -1;
	if (before == 1)
		return 1;
	return swake_queue_run(tx, c->queue, err);
}

static int
slane_put_back(struct tx *tx, int64_t queue, struct slice name, struct err *err)
{
	const int64_t n = PUT_BACK_MAX;

	if (tx_run(tx, err, SQL_LANE_COPY_BACK, queue, name, n) < 0 ||
	    tx_run(tx, err, SQL_LANE_CUT, queue, name, n) < 0)
		return -1;
	return swake_queue_run(tx, queue, err);
}

/* A lane that somebody serves stays. */
static int
slane_look(struct tx *tx, int64_t queue, struct slice name, struct err *err)
{
	const int served = slane_is_served(tx, queue, name, err);

	return served == 0 ? slane_put_back(tx, queue, name, err) : served;
}

/* Lane by lane, each found by its place behind the last one: tasks that go back
 * are not in the way of the search. The rest of a long lane follows with the
 * next heartbeats. */
int
slanes_reconcile_run(struct tx *tx, struct err *err)
{
	struct buf name = BUF_INIT;
	struct slice found;
	int64_t queue = 0;
	int more;

	while ((more = tx_first(tx, err, SQL_LANE_NEXT, queue,
				(struct slice){name.data, name.len})) == 1) {
		queue = tx_int(tx, SQL_LANE_NEXT, 0);
		found = tx_bytes(tx, SQL_LANE_NEXT, 1);
		buf_reset(&name);
		buf_add(&name, found.p, found.len);
		tx_end(tx, SQL_LANE_NEXT);
		more =
		    name.failed
			? err_nomem(err)
			: slane_look(tx, queue,
				     (struct slice){name.data, name.len}, err);
		if (more < 0)
			break;
	}
	buf_done(&name);
	return more;
}

/* --- who can run what ---------------------------------------------------- */

int
slanes_serve_run(const struct sbroker *b, struct tx *tx, int64_t worker_id,
		 struct slice names, bool only, struct err *err)
{
	const char *end = names.p + names.len, *name;
	unsigned int i;

	if (only && tx_run(tx, err, SQL_SERVED_LEAVE, worker_id) < 0)
		return -1;
	for (i = 0; i < b->n_queues; i++)
		for (name = names.p; name < end; name += strlen(name) + 1)
			if (tx_run(tx, err, SQL_SERVED_ADD,
				   slice_of(b->queues[i].name), worker_id,
				   slice_of(name)) < 0)
				return -1;
	return 0;
}

/* *ret_names stays as it was if there are none; else it is the caller's to
 * free, each name with a NUL. */
int
slanes_unknown_run(struct tx *tx, int64_t queue, struct slice *ret_names,
		   struct err *err)
{
	const enum statement_index sql = SQL_UNKNOWN_NAMES;
	int more =
	    tx_first(tx, err, sql, queue, tx_now(tx) - UNKNOWN_MS, tx_now(tx));
	struct buf names = BUF_INIT;
	struct slice name;

	for (; more == 1; more = tx_next(tx, err, sql)) {
		name = tx_bytes(tx, sql, 0);
		buf_add(&names, name.p, name.len);
		buf_addc(&names, '\0');
	}
	if (more == 0 && names.failed)
		more = err_nomem(err);
	if (more == 0 && names.len > 0) {
		ret_names->len = names.len;
		ret_names->p = buf_take(&names);
	} else {
		buf_done(&names);
	}
	return more;
}

/* The question is the queue's name, a NUL, and the task's. Without an answer no
 * living worker has said what it serves: then nothing is known. */
static int
slanes_served_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct squestion *q = container_of(job, struct squestion, job);
	const struct slice text = squestion_text(q);
	const size_t len = strnlen(text.p, text.len);
	const struct slice queue = {text.p, len};
	const struct slice name = {text.p + len + 1, text.len - len - 1};
	int known, any;
	int64_t id;

	buf_reset(&q->value);
	q->found = false;
	known = tx_first(tx, err, SQL_QUEUE_FIND, queue);
	if (known <= 0)
		return known;
	id = tx_int(tx, SQL_QUEUE_FIND, 0);
	tx_end(tx, SQL_QUEUE_FIND);
	if ((known = slane_is_served(tx, id, name, err)) < 0 ||
	    (any = slane_is_served(tx, id, SLICE(""), err)) < 0)
		return -1;
	if (known == 1 || any == 1)
		buf_adds(&q->value, known == 1 ? "known" : "unknown");
	q->found = known == 1 || any == 1;
	return q->value.failed ? err_nomem(err) : 0;
}

void
sbroker_served(struct broker *b, const struct broker_served *question,
	       broker_value_fn *on_value, void *arg)
{
	static const struct database_job job = {.run = slanes_served_run,
						.reads = true};
	struct buf text = BUF_INIT;
	struct err err;

	buf_add(&text, question->queue.p, question->queue.len);
	buf_addc(&text, '\0');
	buf_add(&text, question->name.p, question->name.len);
	if (text.failed) {
		err_nomem(&err);
		on_value((struct slice){NULL, 0}, &err, arg);
	} else {
		squestion_depute(b, SDEPUTY_SERVED, &job,
				 (struct slice){text.data, text.len}, on_value,
				 arg);
	}
	buf_done(&text);
}
