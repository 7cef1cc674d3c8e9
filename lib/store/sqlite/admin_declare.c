/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: limits as the configurations of workers have them.
 *
 * `declared` has of each scope what was declared last: the rule, with its worker; where
 * a task's group stands, or ''; and another worker that had declared something else
 * before, and has not said the same since, or ''. That the rule in force was declared,
 * and not set by a command, is said by the worker in it.
 */
#include <stdlib.h>
#include <string.h>

#include "store/limit_texts.h"
#include "store/sqlite/admin.h"

struct declare_query {
	struct database_job job;
	broker_declared_fn *on_declared;
	void *arg;
	char queue[TASK_QUEUE_MAX + 1];
	char *worker; /* NULL: what was declared comes into force */
	bool anew;
	struct limit_texts texts;
	/* The answer: the rest of it is `known`. */
	enum broker_declared_how how;
	bool full;
	/* What was declared before; without a rule, nothing was. */
	struct buf known, known_by, other;
};

static struct slice
slice_of_buf(const struct buf *b)
{
	return (struct slice){b->data, b->len};
}

static void
sdeclare_drop(struct database_job *job)
{
	struct declare_query *q = container_of(job, struct declare_query, job);

	limit_texts_done(&q->texts);
	buf_done(&q->known);
	buf_done(&q->known_by);
	buf_done(&q->other);
	free(q->worker);
	free(q);
}

/* --- in the transaction ------------------------------------------------------- */

static int
sdeclare_read(struct declare_query *q, struct tx *tx, int64_t queue,
	      struct err *err)
{
	struct buf *const parts[] = {&q->known, &q->known_by, &q->other};
	const int more = tx_first(tx, err, SQL_DECLARED_GET, queue,
				  slice_of_buf(&q->texts.scope));
	struct slice text;
	int i;

	for (i = 0; i < 3; i++)
		buf_reset(parts[i]);
	if (more <= 0)
		return more;
	for (i = 0; i < 3; i++) {
		text = tx_bytes(tx, SQL_DECLARED_GET, i);
		buf_add(parts[i], text.p, text.len);
	}
	tx_end(tx, SQL_DECLARED_GET);
	return q->known.failed || q->known_by.failed || q->other.failed
		   ? err_nomem(err)
		   : 0;
}

/* What became of the rule of before: it holds, or a command has had its word. */
static int
sdeclare_stands(struct declare_query *q, struct tx *tx, int64_t queue,
		struct err *err)
{
	const int more = tx_first(tx, err, SQL_LIMIT_GET, queue,
				  slice_of_buf(&q->texts.scope));

	q->how = BROKER_DECLARED_GONE;
	if (more <= 0)
		return more;
	q->how = limit_rule_worker(tx_bytes(tx, SQL_LIMIT_GET, 0)).len > 0
		     ? BROKER_DECLARED_SAME
		     : BROKER_DECLARED_KEPT;
	tx_end(tx, SQL_LIMIT_GET);
	return 0;
}

static int
sdeclare_note(const struct declare_query *q, struct tx *tx, int64_t queue,
	      struct slice other, struct err *err)
{
	return tx_run(
	    tx, err, SQL_DECLARED_SET, queue, slice_of_buf(&q->texts.scope),
	    slice_of_buf(&q->texts.rule), slice_of_buf(&q->texts.by), other);
}

/* The path counts where there is none, or that of before. */
static int
sdeclare_put(const struct declare_query *q, struct tx *tx, int64_t queue,
	     struct slice rule, struct slice by, struct err *err)
{
	struct buf now = BUF_INIT;
	int result = slimits_read_by(tx, queue, &now, err);

	if (result == 0 && by.len > 0 &&
	    (now.len == 0 ||
	     slice_eq(slice_of_buf(&now), slice_of_buf(&q->known_by))))
		result = tx_run(tx, err, SQL_LIMIT_SET, queue, SLICE("by"), by);
	buf_done(&now);
	if (result < 0 || tx_run(tx, err, SQL_LIMIT_SET, queue,
				 slice_of_buf(&q->texts.scope), rule) < 0)
		return -1;
	return slimits_changed_run(tx, queue, slice_of_buf(&q->texts.scope),
				   err);
}

static bool
sdeclare_is_same(const struct declare_query *q)
{
	return slice_eq(limit_rule_unsigned(slice_of_buf(&q->known)),
			limit_rule_unsigned(slice_of_buf(&q->texts.rule))) &&
	       slice_eq(slice_of_buf(&q->known_by), slice_of_buf(&q->texts.by));
}

/* One that was declared already; `q->how` says how that one stands. */
static int
sdeclare_again(struct declare_query *q, struct tx *tx, int64_t queue,
	       struct err *err)
{
	const struct slice worker = slice_of(q->worker),
			   other = slice_of_buf(&q->other);
	struct slice before = limit_rule_worker(slice_of_buf(&q->known));

	if (sdeclare_is_same(q))
		return slice_eq(other, worker) &&
			       tx_run(tx, err, SQL_DECLARED_AGREED, queue,
				      slice_of_buf(&q->texts.scope)) < 0
			   ? -1
			   : 0;
	if (!q->anew)
		return 0;
	if (slice_eq(before, worker))
		before = slice_eq(other, worker) ? SLICE("") : other;
	if (sdeclare_note(q, tx, queue, before, err) < 0)
		return -1;
	if (q->how != BROKER_DECLARED_SAME)
		return 0;
	q->how = BROKER_DECLARED_CHANGED;
	return sdeclare_put(q, tx, queue, slice_of_buf(&q->texts.rule),
			    slice_of_buf(&q->texts.by), err);
}

static int
sdeclare_first(struct declare_query *q, struct tx *tx, int64_t queue,
	       struct err *err)
{
	if (sdeclare_note(q, tx, queue, SLICE(""), err) < 0)
		return -1;
	if (q->how == BROKER_DECLARED_KEPT)
		return 0;
	q->how = BROKER_DECLARED_SET;
	return sdeclare_put(q, tx, queue, slice_of_buf(&q->texts.rule),
			    slice_of_buf(&q->texts.by), err);
}

static int
sdeclare_restore(struct declare_query *q, struct tx *tx, int64_t queue,
		 struct err *err)
{
	q->how = q->known.len > 0 ? BROKER_DECLARED_SET : BROKER_DECLARED_NONE;
	return q->known.len > 0
		   ? sdeclare_put(q, tx, queue, slice_of_buf(&q->known),
				  slice_of_buf(&q->known_by), err)
		   : 0;
}

static int
sdeclare_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct declare_query *q = container_of(job, struct declare_query, job);
	const struct slice name = slice_of(q->queue);
	int64_t queue;

	q->full = false;
	if (tx_run(tx, err, SQL_QUEUE_ADD, name) < 0 ||
	    sadmin_queue_run(tx, name, &queue, err) < 0 ||
	    sdeclare_read(q, tx, queue, err) < 0 ||
	    sdeclare_stands(q, tx, queue, err) < 0 ||
	    slimits_check_full(tx, queue, slice_of_buf(&q->texts.scope),
			       &q->full, err) < 0)
		return -1;
	if (q->full)
		return 0;
	if (q->worker == NULL)
		return sdeclare_restore(q, tx, queue, err);
	return q->known.len > 0 ? sdeclare_again(q, tx, queue, err)
				: sdeclare_first(q, tx, queue, err);
}

/* --- around it ------------------------------------------------------------------ */

static void
sdeclare_done(struct database_job *job, const struct err *err)
{
	struct declare_query *q = container_of(job, struct declare_query, job);
	struct err full;

	if (err == NULL && q->full) {
		limits_set_full(&full, q->queue);
		err = &full;
	}
	q->on_declared(q->how, limit_rule_worker(slice_of_buf(&q->known)), err,
		       q->arg);
	sdeclare_drop(job);
}

void
sadmin_limits_declare(struct broker *b,
		      const struct broker_declaration *declaration,
		      broker_declared_fn *on_declared, void *arg)
{
	const struct slice name = declaration->queue;
	struct declare_query *q = calloc(1, sizeof(*q));
	struct err err = ERR_INIT;

	if (q == NULL) {
		err_nomem(&err);
		on_declared(BROKER_DECLARED_NONE, (struct slice){NULL, 0}, &err,
			    arg);
		return;
	}
	q->job = (struct database_job){.run = sdeclare_run,
				       .done = sdeclare_done,
				       .drop = sdeclare_drop,
				       .sync = DATABASE_NOW};
	q->on_declared = on_declared;
	q->arg = arg;
	q->anew = declaration->anew;
	memcpy(q->queue, name.p, name.len);
	if (!declaration->restores &&
	    (q->worker = strdup(declaration->worker)) == NULL)
		err_nomem(&err);
	if (err.code != ERR_NONE ||
	    limit_texts_declare(&q->texts, declaration, &err) != 0) {
		on_declared(BROKER_DECLARED_NONE, (struct slice){NULL, 0}, &err,
			    arg);
		sdeclare_drop(&q->job);
		return;
	}
	database_post(&((struct sbroker *)b)->user, &q->job);
}
