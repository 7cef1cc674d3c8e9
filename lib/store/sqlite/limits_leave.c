/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: what leaves the flight in a queue with limits frees a place of
 * its scopes, and those that hold tasks have their turn.
 */
#include <stdlib.h>

#include "store/sqlite/broker.h"

int
slimits_name(struct buf *name, struct slice scope, struct err *err)
{
	buf_addc(name, '~');
	buf_add(name, scope.p, scope.len);
	return name->failed ? err_nomem(err) : 0;
}

static struct slice
slice_of_buf(const struct buf *b)
{
	return (struct slice){b->data, b->len};
}

/* A place of the scope is free: if it holds any, they have their turn. */
static int
slimits_free_scope(struct tx *tx, int64_t queue, struct slice scope,
		   struct err *err)
{
	struct buf name = BUF_INIT;
	int any;

	if (scope.len == 0)
		return 0;
	any = slimits_name(&name, scope, err);
	if (any == 0)
		any = tx_any(tx, err, SQL_LANE_ANY, queue, slice_of_buf(&name));
	/* Of the name, behind its first byte. */
	if (any == 1 && tx_run(tx, err, SQL_READY_ADD, queue,
			       (struct slice){name.data + 1, name.len - 1}) < 0)
		any = -1;
	buf_done(&name);
	return any < 0 ? -1 : 0;
}

int
slimits_leave_run(struct tx *tx, int64_t worker_id, int64_t number,
		  int64_t queue, struct err *err)
{
	struct buf task = BUF_INIT, group = BUF_INIT;
	struct slice text;
	int result = tx_first(tx, err, SQL_RUNNING_SCOPES, worker_id, number);

	if (result <= 0)
		return result;
	text = tx_bytes(tx, SQL_RUNNING_SCOPES, 0);
	buf_add(&task, text.p, text.len);
	text = tx_bytes(tx, SQL_RUNNING_SCOPES, 1);
	buf_add(&group, text.p, text.len);
	tx_end(tx, SQL_RUNNING_SCOPES);
	result = task.failed || group.failed
		     ? err_nomem(err)
		     : slimits_free_scope(tx, queue, slice_of_buf(&task), err);
	if (result == 0)
		result =
		    slimits_free_scope(tx, queue, slice_of_buf(&group), err);
	buf_done(&task);
	buf_done(&group);
	return result;
}

/* How many of them, from the first one on, are of the same queue. */
static size_t
slimits_count_run(struct sclaim *const *claims, size_t n)
{
	size_t i;

	for (i = 1; i < n && claims[i]->queue == claims[0]->queue; i++)
		;
	return i;
}

/* Each frees a place, for one of the workers that wait. Where nothing is held, no
 * scope has a turn to give. */
static int
slimits_leave_queue_run(struct tx *tx, struct sclaim *const *claims, size_t n,
			struct err *err)
{
	const int64_t queue = claims[0]->queue;
	const int limited = tx_first(tx, err, SQL_QUEUE_LIMITED, queue);
	int64_t held;
	size_t i;

	if (limited <= 0)
		return limited;
	held = tx_int(tx, SQL_QUEUE_LIMITED, 0);
	tx_end(tx, SQL_QUEUE_LIMITED);
	for (i = 0; held > 0 && i < n; i++)
		if (slimits_leave_run(tx, claims[i]->broker->worker_id,
				      claims[i]->number, queue, err) < 0)
			return -1;
	return swake_some_run(tx, queue, n, err);
}

int
slimits_leave_all_run(struct tx *tx, struct sclaim *const *claims, size_t n,
		      struct err *err)
{
	size_t count;

	for (; n > 0; claims += count, n -= count) {
		count = slimits_count_run(claims, n);
		if (slimits_leave_queue_run(tx, claims, count, err) < 0)
			return -1;
	}
	return 0;
}
