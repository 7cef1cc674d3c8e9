/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: tasks that may be lost (store/lost.h). A record has the number
 * of its task, and where a number is, indexes tell: so a page of records that have
 * not ended is looked at in one job, whatever the queues hold, in the order of their
 * rows; then pages of tasks, since the records of most are made of their bytes.
 * Behind the last one they begin again. In another job those end that are lost, if
 * they still are.
 *
 * A transaction sees the whole file at one moment, so no task can move meanwhile.
 * In the database, a task and its record are stored together, and a row of another
 * broker's task has no number: it is left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/task_json.h"
#include "core/task.h"
#include "store/sqlite/broker.h"
#include "store/sqlite/record.h"
#include "store/sqlite/results.h"
#include "util/sat.h"
#include "util/sha.h"

/* Pages of records, or batches of suspects, in a round. */
#define LOST_PAGES 4
/* Suspects to look for at once, and bytes of records to remember. */
#define LOST_BATCH 50
#define LOST_BYTES (1u << 20)

/* A record that is not final, and whose task is nowhere. */
struct slost_case {
	STAILQ_ENTRY(slost_case) link;
	struct buf queue, ended; /* as on_pending has them */
	char digest[LOST_DIGEST_SIZE];
	bool lost; /* it has ended so */
	size_t id_len, len;
	char id[]; /* the record behind its NUL */
};

static struct slice
slost_record(const struct slost_case *c)
{
	return (struct slice){c->id + c->id_len + 1, c->len};
}

static void
slost_case_free(struct slost_case *c)
{
	buf_done(&c->queue);
	buf_done(&c->ended);
	free(c);
}

static void
slost_drop_cases(struct slosing *l)
{
	struct slost_case *c;

	while ((c = STAILQ_FIRST(&l->cases)) != NULL) {
		STAILQ_REMOVE_HEAD(&l->cases, link);
		slost_case_free(c);
	}
	l->bytes = 0;
}

/* --- in the I/O thread ---------------------------------------------------- */

/* Whether the task of the record is anywhere: 1, 0, or -1 with *err. */
static int
slost_is_there_run(struct tx *tx, struct slice id, int64_t number,
		   struct err *err)
{
	const int placed = tx_any(tx, err, SQL_TASK_PLACED, number);

	return placed != 0 ? placed
			   : tx_any(tx, err, SQL_TASK_DEAD, number, id);
}

/* The record of a task that is to end and is nowhere: 1, with its text and the
 * task's number; 0; or -1. */
static int
slost_read_run(struct tx *tx, struct slice id, struct buf *text,
	       int64_t *ret_task, struct err *err)
{
	struct srecord r;
	int found = srecord_find_run(tx, id, &r, err), there;

	if (found <= 0)
		return found;
	*ret_task = r.task;
	if (r.final != SRECORD_OPEN || r.task <= 0)
		return 0;
	if ((there = slost_is_there_run(tx, id, r.task, err)) != 0)
		return there < 0 ? -1 : 0;
	return srecord_text_run(tx, &r, text, err);
}

/* Takes a copy of the record, if it is still to end and its task is nowhere. */
static int
slost_note_run(struct slosing *l, struct tx *tx, struct slice id,
	       struct err *err)
{
	struct buf record = BUF_INIT;
	struct slost_case *c = NULL;
	int64_t task;
	int lost = slost_read_run(tx, id, &record, &task, err);

	if (lost == 1)
		c = calloc(1, sizeof(*c) + id.len + 1 + record.len);
	if (c != NULL) {
		unsigned char digest[SHA1_SIZE];

		c->id_len = id.len;
		c->len = record.len;
		memcpy(c->id, id.p, id.len);
		memcpy(c->id + id.len + 1, record.data, record.len);
		sha1((struct slice){record.data, record.len}, digest);
		sha_hex(digest, SHA1_SIZE, c->digest);
		STAILQ_INSERT_TAIL(&l->cases, c, link);
		l->bytes += record.len;
	}
	buf_done(&record);
	return lost < 0 ? -1 : 0;
}

/* The suspects whose time has come. */
static int
slost_due_run(struct slosing *l, struct tx *tx, struct err *err)
{
	const char *id = l->due.data;

	for (; id < l->due.data + l->due.len; id += strlen(id) + 1)
		if (slost_note_run(l, tx, slice_of(id), err) != 0)
			return -1;
	return 0;
}

/* The row that a page shows: its ID, if its task may be lost, or empty. A task of
 * which a record is made has its ID in its bytes; in the queues are most. */
static int
slost_id_run(const struct slosing *l, struct tx *tx, char ret[TASK_ID_MAX + 1],
	     struct err *err)
{
	struct slice id;
	struct task *task;
	int placed;

	ret[0] = '\0';
	if (!l->tasks) {
		id = tx_bytes(tx, SQL_RECORDS_PAGE, 2);
		snprintf(ret, TASK_ID_MAX + 1, "%.*s", (int)id.len, id.p);
		return 0;
	}
	placed = tx_any(tx, err, SQL_TASK_PLACED, l->next);
	if (placed == 0 &&
	    task_decode(tx_bytes(tx, SQL_TASKS_PAGE, 2), &task, NULL) == 0) {
		snprintf(ret, TASK_ID_MAX + 1, "%s", task->id);
		task_free(task);
	}
	return placed < 0 ? -1 : 0;
}

/* The IDs of the next page, each with a NUL behind; ends early when enough bytes
 * were read. */
static int
slost_ids_run(struct slosing *l, struct tx *tx, struct buf *ids,
	      struct err *err)
{
	const enum statement_index sql =
	    l->tasks ? SQL_TASKS_PAGE : SQL_RECORDS_PAGE;
	const int64_t limit = BROKER_TIDY_STEP;
	int64_t bytes = 0, n = 0;
	char id[TASK_ID_MAX + 1];
	int more;

	more = l->tasks
		   ? tx_first(tx, err, sql, l->after, limit)
		   : tx_first(tx, err, sql, l->after, SRECORD_OPEN_LAST, limit);
	for (; more == 1 && bytes < BROKER_TIDY_BYTES;
	     more = tx_next(tx, err, sql)) {
		l->next = tx_int(tx, sql, 0);
		bytes += tx_int(tx, sql, 1);
		n++;
		if (slost_id_run(l, tx, id, err) != 0)
			return -1;
		if (id[0] != '\0')
			buf_add(ids, id, strlen(id) + 1);
	}
	if (more == 1)
		tx_end(tx, sql);
	l->last = more == 0 && n < limit;
	return more < 0 ? -1 : 0;
}

/* The next page of records, or tasks: ends early when enough were found. */
static int
slost_page_run(struct slosing *l, struct tx *tx, struct err *err)
{
	struct buf ids = BUF_INIT;
	const char *p;
	int r = slost_ids_run(l, tx, &ids, err);

	for (p = ids.data; !ids.failed && p < ids.data + ids.len && r == 0 &&
			   l->bytes < LOST_BYTES;
	     p += strlen(p) + 1)
		r = slost_note_run(l, tx, slice_of(p), err);
	buf_done(&ids);
	return r;
}

static int
slost_look_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct slosing *l = container_of(job, struct slosing, look);

	slost_drop_cases(l);
	l->next = l->after;
	l->last = false;
	return l->due.len > 0 ? slost_due_run(l, tx, err)
			      : slost_page_run(l, tx, err);
}

/* Whether the record is the same to the byte, and its task is nowhere: 1, with the
 * task's number; 0; or -1 with *err. */
static int
slost_is_lost_run(struct tx *tx, const struct slost_case *c, int64_t *ret_task,
		  struct err *err)
{
	const struct slice id = {c->id, c->id_len};
	struct buf now = BUF_INIT;
	int lost = slost_read_run(tx, id, &now, ret_task, err);

	if (lost == 1)
		lost = slice_eq((struct slice){now.data, now.len},
				slost_record(c));
	buf_done(&now);
	return lost;
}

/* What is left of the task itself goes, too. */
static int
slost_end_one_run(struct slosing *l, struct tx *tx, struct slost_case *c,
		  struct stotals *totals, struct err *err)
{
	const struct srecord_end end = {
	    .id = {c->id, c->id_len},
	    .record = {c->ended.data, c->ended.len},
	    .final = SRECORD_LOST,
	    .expires = l->ttl_s > 0 ? tx_now(tx) + l->ttl_s * 1000 : 0,
	    .failed = true};
	int64_t task;
	const int lost = slost_is_lost_run(tx, c, &task, err);

	c->lost = lost == 1;
	if (lost <= 0)
		return lost;
	if (srecord_end_run(tx, &end, totals, err) < 0 ||
	    tx_run(tx, err, SQL_TASK_DROP, task) < 0)
		return -1;
	return swake_record_run(tx, end.id, err);
}

static int
slost_end_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct slosing *l = container_of(job, struct slosing, end);
	struct stotals totals;
	struct slost_case *c;

	if (stotals_get_run(tx, &totals, err) != 0)
		return -1;
	STAILQ_FOREACH (c, &l->cases, link)
		if (slost_end_one_run(l, tx, c, &totals, err) != 0)
			return -1;
	return stotals_set_run(tx, &totals, err);
}

/* --- on the loop ----------------------------------------------------------- */

/* Suspects whose time has come, or else the next page. */
static void
slost_next(struct sbroker *b)
{
	struct slosing *l = &b->losing;

	buf_reset(&l->due);
	l->taken = lost_add_due(&l->suspects, b->tidying.limits.lost_ms,
				LOST_BATCH, &l->due);
	l->under_way = l->pages > 0 && !l->due.failed &&
		       (l->taken > 0 || !lost_is_full(&l->suspects));
	if (!l->under_way)
		return;
	l->pages--;
	database_post(&b->user, &l->look);
}

static void
slost_end_done(struct database_job *job, const struct err *err)
{
	struct slosing *l = container_of(job, struct slosing, end);
	struct sbroker *b = container_of(l, struct sbroker, losing);
	struct broker_trimmed trimmed = {.lost = 1};
	struct slost_case *c;

	STAILQ_FOREACH (c, &l->cases, link) {
		trimmed.queue = (struct slice){c->queue.data, c->queue.len};
		if (err == NULL && c->lost && b->opt.on_trimmed != NULL)
			b->opt.on_trimmed(&trimmed, b->opt.arg);
	}
	slost_drop_cases(l);
	if (err == NULL)
		slost_next(b);
	else
		l->under_way = false;
}

/* Leaves those that end: whose record is what it was when they became suspects. */
static void
slost_judge(struct sbroker *b)
{
	struct slosing *l = &b->losing;
	struct slost_case *c, *next;
	const struct lost_suspect *s;

	for (c = STAILQ_FIRST(&l->cases); c != NULL; c = next) {
		next = STAILQ_NEXT(c, link);
		s = lost_find(&l->suspects, slice_of(c->id));
		if (s != NULL && strcmp(s->digest, c->digest) == 0 &&
		    b->opt.on_pending(slost_record(c), &c->queue, &c->ended,
				      b->opt.arg))
			continue;
		STAILQ_REMOVE(&l->cases, c, slost_case, link);
		slost_case_free(c);
	}
	for (; l->taken > 0; l->taken--)
		lost_drop_first(&l->suspects);
}

static void
slost_look_done(struct database_job *job, const struct err *err)
{
	struct slosing *l = container_of(job, struct slosing, look);
	struct sbroker *b = container_of(l, struct sbroker, losing);
	const struct slost_case *c;

	if (err != NULL) {
		slost_drop_cases(l);
		l->under_way = false;
		return;
	}
	if (l->taken > 0) {
		slost_judge(b);
		if (!STAILQ_EMPTY(&l->cases)) {
			database_post(&b->user, &l->end);
			return;
		}
	} else {
		STAILQ_FOREACH (c, &l->cases, link)
			lost_add(&l->suspects, slice_of(c->id), c->digest);
		l->after = l->last ? 0 : l->next;
		/* Once around is enough for a round. */
		if (l->last && l->tasks)
			l->pages = 0;
		if (l->last)
			l->tasks = !l->tasks;
	}
	slost_drop_cases(l);
	slost_next(b);
}

void
slost_begin(struct sbroker *b)
{
	struct slosing *l = &b->losing;

	if (l->under_way || b->tidying.limits.lost_ms == 0 ||
	    !b->opt.with_results || b->opt.on_pending == NULL)
		return;
	l->pages = LOST_PAGES;
	l->ttl_s = b->tidying.limits.record_ttl_s;
	slost_next(b);
}

void
slost_init(struct sbroker *b)
{
	struct slosing *l = &b->losing;

	lost_init(&l->suspects);
	STAILQ_INIT(&l->cases);
	l->look = (struct database_job){.run = slost_look_run,
					.done = slost_look_done,
					.absent = DATABASE_FAIL,
					.reads = true,
					.rows = BROKER_TIDY_STEP,
					.bytes = BROKER_TIDY_BYTES};
	l->end = (struct database_job){.run = slost_end_run,
				       .done = slost_end_done,
				       .absent = DATABASE_FAIL,
				       .rows = LOST_BATCH,
				       .bytes = LOST_BYTES};
}

void
slost_done_with(struct sbroker *b)
{
	slost_drop_cases(&b->losing);
	lost_done(&b->losing.suspects);
	buf_done(&b->losing.due);
}
