/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: tasks that were put back since no living worker had their
 * name, and that this worker can run.
 *
 * They lie among the delayed ones, and only their bytes tell which they are. So
 * those due within the longest delay of such a task are looked through, page by
 * page: a job that only reads, and holds up nobody, finds them, and a small one
 * makes due what was found. The name stays unknown until the last page: should
 * this worker die before, the next one that serves it begins from the start,
 * and what is due already is not looked at again.
 */
#include "store/sqlite/broker.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "codec/fields.h"
#include "core/task.h"

/* Of the tasks of one page, about; one may be larger. */
#define RECALL_BYTES (1u << 20)

/* --- names --------------------------------------------------------------- */

int
srecall_any_run(const struct sbroker *b, struct tx *tx, struct err *err)
{
	return tx_any(tx, err, SQL_RECALL_ANY, b->worker_id, tx_now(tx));
}

/* As it is before each name in memory: a name from a damaged file may be anything.
 */
struct srecall_head {
	int64_t met;
	size_t len;
};

static int
srecall_read_names(const struct sbroker *b, struct recalling *r, struct tx *tx,
		   struct err *err)
{
	const enum statement_index sql = SQL_RECALL_NAMES;
	int more = tx_first(tx, err, sql, r->queue, b->worker_id, tx_now(tx));
	struct srecall_head head;
	struct slice name;

	buf_reset(&r->names);
	for (; more == 1; more = tx_next(tx, err, sql)) {
		name = tx_bytes(tx, sql, 0);
		head = (struct srecall_head){tx_int(tx, sql, 1), name.len};
		buf_add(&r->names, &head, sizeof(head));
		buf_add(&r->names, name.p, name.len);
	}
	return more == 0 && r->names.failed ? err_nomem(err) : more;
}

/* The next of the names, from `*at` on; false behind the last. */
static bool
srecall_next_name(const struct recalling *r, size_t *at, struct slice *ret_name,
		  int64_t *ret_met)
{
	struct srecall_head head;

	if (*at >= r->names.len)
		return false;
	memcpy(&head, r->names.data + *at, sizeof(head));
	*ret_met = head.met;
	*ret_name =
	    (struct slice){r->names.data + *at + sizeof(head), head.len};
	*at += sizeof(head) + head.len;
	return true;
}

/* The next queue with such names, and what of it is to be looked through: what is
 * due now needs no recall. */
static int
srecall_choose(const struct sbroker *b, struct recalling *r, int64_t behind,
	       struct tx *tx, struct err *err)
{
	const enum statement_index sql = SQL_RECALL_QUEUE;
	const int found =
	    tx_first(tx, err, sql, behind, b->worker_id, tx_now(tx));

	r->queue = 0;
	if (found <= 0)
		return found;
	r->queue = tx_int(tx, sql, 0);
	tx_end(tx, sql);
	r->from = (struct srecall_place){tx_now(tx), INT64_MAX};
	r->until = tx_now(tx) + BROKER_ASIDE_MAX_MS;
	return srecall_read_names(b, r, tx, err);
}

/* --- looking ------------------------------------------------------------- */

/* What is read of a task: "unknown" counts how often no worker had the name. */
struct srecall_task {
	struct slice name;
	int64_t unknown;
};

static const struct field srecall_fields[] = {
    {.name = {"name", 4},
     .type = FIELD_TEXT,
     .offset = offsetof(struct srecall_task, name)},
    {.name = {"unknown", 7},
     .type = FIELD_WHOLE,
     .offset = offsetof(struct srecall_task, unknown),
     .max = 1e9},
};

static bool
srecall_is_meant(struct recalling *r, struct slice bytes)
{
	const struct fields_in in = {.table = srecall_fields,
				     .n = sizeof(srecall_fields) /
					  sizeof(srecall_fields[0]),
				     .max_depth = TASK_DEPTH_MAX,
				     .scratch = &r->scratch};
	struct srecall_task task = {.unknown = 0};
	struct slice name;
	size_t at = 0;
	int64_t met;

	/* Most have never been put back: that is seen at once. */
	if (memmem(bytes.p, bytes.len, "\"unknown\"", 9) == NULL ||
	    fields_read(&in, bytes, &task, NULL) != 0 || task.unknown <= 0)
		return false;
	while (srecall_next_name(r, &at, &name, &met))
		if (slice_eq(name, task.name))
			return true;
	return false;
}

static int
srecall_read_page(const struct sbroker *b, struct recalling *r, struct tx *tx,
		  struct err *err)
{
	const enum statement_index sql = SQL_RECALL_PAGE;
	size_t bytes = 0, n = 0;
	struct slice task;
	int more;

	r->to = r->from;
	r->n_found = 0;
	/* No worker takes one that is larger, so none has put one back. */
	more =
	    tx_first(tx, err, sql, r->queue, r->from.due, r->from.number,
		     r->until, (int64_t)SRECALL_MAX, (int64_t)b->opt.max_task);
	for (; more == 1 && bytes < RECALL_BYTES;
	     more = tx_next(tx, err, sql)) {
		r->to = (struct srecall_place){tx_int(tx, sql, 0),
					       tx_int(tx, sql, 1)};
		task = tx_bytes(tx, sql, 3);
		if (task.len > 0 && srecall_is_meant(r, task))
			r->found[r->n_found++] = r->to;
		bytes += task.len;
		n++;
	}
	if (more == 1)
		tx_end(tx, sql);
	r->last = more == 0 && n < SRECALL_MAX;
	return more < 0 ? -1 : 0;
}

/* May run again, after a rollback: what it begins with is kept for that. */
static int
srecall_look_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct recalling *r = container_of(job, struct recalling, look);
	const struct sbroker *b = container_of(r, struct sbroker, recalling);

	if (r->fresh && srecall_choose(b, r, r->behind, tx, err) != 0)
		return -1;
	return r->queue == 0 ? 0 : srecall_read_page(b, r, tx, err);
}

/* --- moving -------------------------------------------------------------- */

/* A name that is served no more, or was unknown once more, stays. */
static int
srecall_forget_run(const struct sbroker *b, const struct recalling *r,
		   struct tx *tx, struct err *err)
{
	struct slice name;
	size_t at = 0;
	int64_t met;

	while (srecall_next_name(r, &at, &name, &met))
		if (tx_run(tx, err, SQL_RECALL_DONE, r->queue, name, met,
			   b->worker_id, tx_now(tx)) < 0)
			return -1;
	return 0;
}

/* One that is not there any more was cancelled, or has become due. Each keeps its
 * priority, and those of one priority the order in which they were submitted. */
static int
srecall_move_run(struct database_job *job, struct tx *tx, struct err *err)
{
	const struct recalling *r = container_of(job, struct recalling, move);
	const struct sbroker *b = container_of(r, struct sbroker, recalling);
	size_t i;

	for (i = 0; i < r->n_found; i++)
		if (tx_run(tx, err, SQL_RECALL_MOVE, r->queue, r->found[i].due,
			   r->found[i].number, tx_now(tx)) < 0)
			return -1;
	if (r->n_found > 0 && swake_queue_run(tx, r->queue, err) != 0)
		return -1;
	return r->last ? srecall_forget_run(b, r, tx, err) : 0;
}

/* --- on the loop ----------------------------------------------------------- */

static void
srecall_go_on(struct sbroker *b)
{
	struct recalling *r = &b->recalling;

	r->fresh = r->last;
	r->behind = r->queue;
	r->from = r->to;
	database_post(&b->user, &r->look);
}

/* What fails is tried again with the next heartbeat. */
static void
srecall_look_done(struct database_job *job, const struct err *err)
{
	struct recalling *r = container_of(job, struct recalling, look);
	struct sbroker *b = container_of(r, struct sbroker, recalling);

	r->under_way = err == NULL && r->queue != 0;
	if (!r->under_way)
		return;
	if (r->n_found > 0 || r->last)
		database_post(&b->user, &r->move);
	else
		srecall_go_on(b);
}

static void
srecall_move_done(struct database_job *job, const struct err *err)
{
	struct recalling *r = container_of(job, struct recalling, move);

	if (err != NULL)
		r->under_way = false;
	else
		srecall_go_on(container_of(r, struct sbroker, recalling));
}

void
srecall_begin(struct sbroker *b)
{
	struct recalling *r = &b->recalling;

	if (!b->entered || r->under_way)
		return;
	r->under_way = true;
	r->fresh = true;
	r->behind = 0;
	database_post(&b->user, &r->look);
}

void
srecall_init(struct sbroker *b)
{
	b->recalling.look = (struct database_job){.run = srecall_look_run,
						  .done = srecall_look_done,
						  .reads = true,
						  .rows = SRECALL_MAX,
						  .bytes = RECALL_BYTES};
	b->recalling.move = (struct database_job){.run = srecall_move_run,
						  .done = srecall_move_done,
						  .absent = DATABASE_FAIL,
						  .rows = SRECALL_MAX};
}

void
srecall_done_with(struct sbroker *b)
{
	buf_done(&b->recalling.names);
	buf_done(&b->recalling.scratch);
}
