/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: limits of queues, set and shown. What is in flight is given
 * its scopes in the transaction that sets a limit, and what is held gets its turn
 * again, so that nothing is counted by the rules of before.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/limit_scope.h"
#include "store/limit_texts.h"
#include "store/sqlite/admin.h"

struct limit_query {
	struct database_job job;
	broker_value_fn *on_value;
	broker_limits_fn *on_limits;
	void *arg;
	char queue[TASK_QUEUE_MAX + 1];
	struct limit_texts texts; /* a change */
	bool found, full;
	/* The answer: limits, and the texts that their keys are in. */
	struct broker_limit *limits;
	size_t n;
	struct buf kept, path;
};

static void
slimits_drop(struct database_job *job)
{
	struct limit_query *l = container_of(job, struct limit_query, job);

	limit_texts_done(&l->texts);
	buf_done(&l->kept);
	buf_done(&l->path);
	free(l->limits);
	free(l);
}

static struct limit_query *
slimits_new(const struct database_job *job, struct slice queue, void *arg)
{
	struct limit_query *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->job = *job;
	l->job.drop = slimits_drop;
	l->arg = arg;
	memcpy(l->queue, queue.p, queue.len);
	return l;
}

/* --- changing --------------------------------------------------------------- */

static int
slimits_set_by(const struct limit_query *l, struct tx *tx, int64_t queue,
	       struct err *err)
{
	const struct slice by = {l->texts.by.data, l->texts.by.len};

	if (by.len == 0)
		return 0;
	return slice_eq(by, SLICE("-"))
		   ? tx_run(tx, err, SQL_LIMIT_DROP, queue, SLICE("by"))
		   : tx_run(tx, err, SQL_LIMIT_SET, queue, SLICE("by"), by);
}

int
slimits_check_full(struct tx *tx, int64_t queue, struct slice scope,
		   bool *ret_full, struct err *err)
{
	int more, n = 0;
	bool other = true;

	for (more = tx_first(tx, err, SQL_LIMITS_OF, queue); more == 1;
	     more = tx_next(tx, err, SQL_LIMITS_OF)) {
		n += !slice_eq(tx_bytes(tx, SQL_LIMITS_OF, 0), SLICE("by"));
		other =
		    other && !slice_eq(tx_bytes(tx, SQL_LIMITS_OF, 0), scope);
	}
	*ret_full = other && n >= LIMIT_RULES_MAX;
	return more;
}

/* With only a path left, there is nothing that it says. */
static int
slimits_drop_rest(struct tx *tx, int64_t queue, struct err *err)
{
	int more, rules = 0;

	for (more = tx_first(tx, err, SQL_LIMITS_OF, queue); more == 1;
	     more = tx_next(tx, err, SQL_LIMITS_OF))
		rules += !slice_eq(tx_bytes(tx, SQL_LIMITS_OF, 0), SLICE("by"));
	if (more == 0 && rules == 0)
		more = tx_run(tx, err, SQL_LIMIT_DROP, queue, SLICE("by"));
	return more < 0 ? -1 : 0;
}

int
slimits_read_by(struct tx *tx, int64_t queue, struct buf *by, struct err *err)
{
	const int more = tx_first(tx, err, SQL_LIMIT_GET, queue, SLICE("by"));
	struct slice text;

	if (more <= 0)
		return more;
	text = tx_bytes(tx, SQL_LIMIT_GET, 0);
	buf_add(by, text.p, text.len);
	tx_end(tx, SQL_LIMIT_GET);
	return by->failed ? err_nomem(err) : 0;
}

/* What is in flight, one by one, by its place: the rows change behind. */
static int
slimits_scope_all(struct tx *tx, int64_t queue, struct err *err)
{
	struct buf by = BUF_INIT, task = BUF_INIT, group = BUF_INIT;
	int64_t worker = 0, number = 0;
	int more = slimits_read_by(tx, queue, &by, err);

	while (more == 0 && (more = tx_first(tx, err, SQL_RUNNING_NEXT, queue,
					     worker, number)) == 1) {
		worker = tx_int(tx, SQL_RUNNING_NEXT, 0);
		number = tx_int(tx, SQL_RUNNING_NEXT, 1);
		buf_reset(&task);
		buf_reset(&group);
		limit_scopes(tx_bytes(tx, SQL_RUNNING_NEXT, 2),
			     (struct slice){by.data, by.len}, &task, &group);
		tx_end(tx, SQL_RUNNING_NEXT);
		if (task.failed || group.failed)
			more = err_nomem(err);
		else if (tx_run(tx, err, SQL_RUNNING_SET, worker, number,
				number, (struct slice){task.data, task.len},
				(struct slice){group.data, group.len}) < 0)
			more = -1;
		else
			more = 0;
		if (more != 0)
			break;
	}
	buf_done(&by);
	buf_done(&task);
	buf_done(&group);
	return more < 0 ? -1 : 0;
}

int
slimits_changed_run(struct tx *tx, int64_t queue, struct slice scope,
		    struct err *err)
{
	if (slimits_scope_all(tx, queue, err) < 0 ||
	    tx_run(tx, err, SQL_TAT_DROP, queue, scope) < 0 ||
	    tx_run(tx, err, SQL_RESTING_ALL_DROP, queue) < 0 ||
	    tx_run(tx, err, SQL_READY_ALL, queue) < 0)
		return -1;
	return swake_queue_run(tx, queue, err);
}

static int
slimits_change_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct limit_query *l = container_of(job, struct limit_query, job);
	const struct slice name = slice_of(l->queue);
	const struct slice scope = {l->texts.scope.data, l->texts.scope.len},
			   rule = {l->texts.rule.data, l->texts.rule.len};
	int64_t queue;
	int changed;

	l->found = true;
	if (tx_run(tx, err, SQL_QUEUE_ADD, name) < 0 ||
	    sadmin_queue_run(tx, name, &queue, err) < 0)
		return -1;
	if (rule.len > 0 &&
	    slimits_check_full(tx, queue, scope, &l->full, err) < 0)
		return -1;
	if (l->full)
		return 0;
	changed = rule.len > 0
		      ? tx_run(tx, err, SQL_LIMIT_SET, queue, scope, rule)
		      : tx_run(tx, err, SQL_LIMIT_DROP, queue, scope);
	if (changed < 0)
		return -1;
	l->found = rule.len > 0 || changed > 0;
	if (slimits_set_by(l, tx, queue, err) < 0 ||
	    slimits_drop_rest(tx, queue, err) < 0)
		return -1;
	return slimits_changed_run(tx, queue, scope, err);
}

static void
slimits_change_done(struct database_job *job, const struct err *err)
{
	struct limit_query *l = container_of(job, struct limit_query, job);
	struct slice value = {NULL, 0};
	struct err full;

	if (err == NULL && l->full) {
		limits_set_full(&full, l->queue);
		err = &full;
	} else if (err == NULL && l->found) {
		value = SLICE("1");
	}
	l->on_value(value, err, l->arg);
	slimits_drop(job);
}

void
sadmin_limits_change(struct broker *b, const struct broker_limit_change *change,
		     broker_value_fn *on_value, void *arg)
{
	static const struct database_job job = {.run = slimits_change_run,
						.done = slimits_change_done,
						.sync = DATABASE_NOW};
	struct limit_query *l = slimits_new(&job, change->queue, arg);
	struct err err;

	if (l == NULL) {
		err_nomem(&err);
		on_value((struct slice){NULL, 0}, &err, arg);
		return;
	}
	l->on_value = on_value;
	if (limit_texts_write(&l->texts, change, &err) != 0) {
		on_value((struct slice){NULL, 0}, &err, arg);
		slimits_drop(&l->job);
		return;
	}
	database_post(&((struct sbroker *)b)->user, &l->job);
}

/* --- showing ---------------------------------------------------------------- */

static void
slimits_keep(struct limit_query *l, struct slice text)
{
	buf_add(&l->kept, text.p, text.len);
	buf_addc(&l->kept, '\0');
}

static struct slice
slimits_next(const char **kept)
{
	const struct slice text = slice_of(*kept);

	*kept += text.len + 1;
	return text;
}

/* The texts of a rule are its scope, and by whom it was declared, and disputed: they
 * are kept one behind the other; their places follow at the end. */
static int
slimits_read_rules(struct limit_query *l, struct tx *tx, int64_t queue,
		   struct err *err)
{
	struct slice scope, rule, worker, other;
	struct broker_limit limit;
	int more;

	for (more = tx_first(tx, err, SQL_LIMITS_OF, queue); more == 1;
	     more = tx_next(tx, err, SQL_LIMITS_OF)) {
		scope = tx_bytes(tx, SQL_LIMITS_OF, 0);
		rule = tx_bytes(tx, SQL_LIMITS_OF, 1);
		if (slice_eq(scope, SLICE("by"))) {
			buf_add(&l->path, rule.p, rule.len);
			continue;
		}
		limit = (struct broker_limit){.running = 0};
		if (l->n == LIMIT_RULES_MAX ||
		    !limit_scope_read(scope, &limit.rule) ||
		    !limit_rule_read(rule, &limit.rule))
			continue;
		limit.rule.key.p = NULL; /* it moves */
		l->limits[l->n++] = limit;
		slimits_keep(l, scope);
		worker = limit_rule_worker(rule);
		/* The word of a command ends a dispute. */
		other = worker.len > 0 ? tx_bytes(tx, SQL_LIMITS_OF, 2)
				       : (struct slice){NULL, 0};
		slimits_keep(l, worker);
		slimits_keep(l, other);
	}
	return more == 0 && (l->kept.failed || l->path.failed) ? err_nomem(err)
							       : more;
}

static int
slimits_count(struct tx *tx, enum statement_index sql, int64_t *ret, int more)
{
	if (more != 1)
		return -1;
	*ret = tx_int(tx, sql, 0);
	tx_end(tx, sql);
	return 0;
}

static int
slimits_look_held(struct tx *tx, int64_t queue, const struct buf *from,
		  const struct buf *to, struct broker_limit *limit,
		  struct err *err)
{
	if (tx_first(tx, err, SQL_LIMIT_HELD, queue,
		     (struct slice){from->data, from->len},
		     (struct slice){to->data, to->len}) != 1)
		return -1;
	limit->held = tx_int(tx, SQL_LIMIT_HELD, 0);
	limit->held_since_ms = tx_int(tx, SQL_LIMIT_HELD, 1);
	tx_end(tx, SQL_LIMIT_HELD);
	return 0;
}

/* Of the queue itself nothing is held; of each group, what all of them hold. */
static int
slimits_look(struct tx *tx, int64_t queue, struct slice scope,
	     struct broker_limit *limit, struct err *err)
{
	static const enum statement_index counts[] = {
	    [LIMIT_TASK] = SQL_RUNNING_TASK, [LIMIT_GROUP] = SQL_RUNNING_GROUP};
	const enum limit_kind kind = limit->rule.kind;
	struct buf from = BUF_INIT, to = BUF_INIT;
	int result = 0;

	limit_scope_read(scope, &limit->rule);
	if (kind == LIMIT_QUEUE)
		return slimits_count(tx, SQL_RUNNING_ALL, &limit->running,
				     tx_first(tx, err, SQL_RUNNING_ALL, queue));
	if (kind != LIMIT_EACH_GROUP)
		result = slimits_count(
		    tx, counts[kind], &limit->running,
		    tx_first(tx, err, counts[kind], queue, scope));
	buf_addf(&from, "~%.*s", (int)scope.len, scope.p);
	buf_addf(&to, kind == LIMIT_EACH_GROUP ? "~%.*s;" : "~%.*s\x01",
		 (int)scope.len, scope.p);
	if (result == 0 && (from.failed || to.failed))
		result = err_nomem(err);
	if (result == 0)
		result = slimits_look_held(tx, queue, &from, &to, limit, err);
	buf_done(&from);
	buf_done(&to);
	return result;
}

static int
slimits_get_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct limit_query *l = container_of(job, struct limit_query, job);
	const struct slice name = slice_of(l->queue);
	const char *kept;
	struct slice scope;
	int64_t queue;
	size_t i;
	int known;

	/* A job may run again from the start. */
	l->n = 0;
	buf_reset(&l->kept);
	buf_reset(&l->path);
	if (l->limits == NULL &&
	    (l->limits = calloc(LIMIT_RULES_MAX, sizeof(*l->limits))) == NULL)
		return err_nomem(err);
	if ((known = sadmin_queue_run(tx, name, &queue, err)) <= 0)
		return known;
	if (slimits_read_rules(l, tx, queue, err) < 0)
		return -1;
	kept = l->kept.data;
	for (i = 0; i < l->n; i++) {
		scope = slimits_next(&kept);
		l->limits[i].declared_by = slimits_next(&kept);
		l->limits[i].disputed_by = slimits_next(&kept);
		if (slimits_look(tx, queue, scope, &l->limits[i], err) != 0)
			return -1;
	}
	return 0;
}

static void
slimits_get_done(struct database_job *job, const struct err *err)
{
	struct limit_query *l = container_of(job, struct limit_query, job);
	const struct slice by = {l->path.data, l->path.len};

	if (err == NULL)
		limits_sort(l->limits, l->n);
	l->on_limits(err == NULL ? l->limits : NULL, l->n, by, err, l->arg);
	slimits_drop(job);
}

void
sadmin_limits_get(struct broker *b, struct slice queue,
		  broker_limits_fn *on_limits, void *arg)
{
	static const struct database_job job = {
	    .run = slimits_get_run, .done = slimits_get_done, .reads = true};
	struct limit_query *l = slimits_new(&job, queue, arg);
	struct err err;

	if (l == NULL) {
		err_nomem(&err);
		on_limits(NULL, 0, (struct slice){NULL, 0}, &err, arg);
		return;
	}
	l->on_limits = on_limits;
	database_post(&((struct sbroker *)b)->user, &l->job);
}
