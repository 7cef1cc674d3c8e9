/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: what it is asked, and what an operator has it do.
 * Questions are marked as such (`reads`): they see the last commit, and wait
 * for no lock.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/cursor.h"
#include "store/sqlite/record.h"
#include "store/sqlite/results.h"
#include "util/sat.h"

/* One page holds no more than this, and one record, so that it fits into memory
 * and takes no more than some milliseconds to read. A shorter page has a cursor
 * all the same. */
#define PAGE_BYTES (4u << 20)

/* --- one record -------------------------------------------------------- */

/* One question, with its answer: `found` false and no error is "none". */
struct question {
	struct database_job job;
	results_record_fn *on_record;
	void *arg;
	struct buf answer;
	bool found;
	size_t id_len, record_len;
	char text[]; /* the id, and the record that is to be stored */
};

static struct slice
question_id(const struct question *q)
{
	return (struct slice){q->text, q->id_len};
}

/* The record of one task. An expired one is not found, though its row may still
 * be there. */
static int
question_get_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct question *q = container_of(job, struct question, job);
	bool final;
	int found;

	buf_reset(&q->answer);
	found = srecord_read_run(tx, question_id(q), &q->answer, &final, err);
	q->found = found == 1;
	return found < 0 ? -1 : 0;
}

/* An operator has the task run again: the only way from a final record back to
 * a pending one. */
static int
question_reopen_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct question *q = container_of(job, struct question, job);
	const struct slice record = {q->text + q->id_len, q->record_len};

	if (srecord_reopen_run(tx, question_id(q), record, err) < 0)
		return -1;
	return swatch_changed_run(tx, question_id(q), err);
}

static void
question_drop(struct database_job *job)
{
	struct question *q = container_of(job, struct question, job);

	buf_done(&q->answer);
	free(q);
}

/* An empty record counts as none, as NULL does. */
static void
question_done(struct database_job *job, const struct err *err)
{
	struct question *q = container_of(job, struct question, job);
	struct slice record = {NULL, 0};

	if (err == NULL && q->found)
		record = (struct slice){q->answer.data, q->answer.len};
	q->on_record(record, err, q->arg);
	question_drop(job);
}

/* Posts a copy of `question` with the texts behind it; the caller's need not
 * outlive the call. */
static void
question_ask(struct results *results, struct question question, struct slice id,
	     struct slice record)
{
	struct sresults *r = (struct sresults *)results;
	struct question *q = malloc(sizeof(*q) + id.len + record.len);
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		question.on_record((struct slice){NULL, 0}, &err, question.arg);
		return;
	}
	*q = question;
	q->job.done = question_done;
	q->job.drop = question_drop;
	q->id_len = id.len;
	q->record_len = record.len;
	if (id.len > 0)
		memcpy(q->text, id.p, id.len);
	if (record.len > 0)
		memcpy(q->text + id.len, record.p, record.len);
	database_post(&r->user, &q->job);
}

void
sresults_get(struct results *results, struct slice id,
	     results_record_fn *on_record, void *arg)
{
	question_ask(
	    results,
	    (struct question){.job = {.run = question_get_run, .reads = true},
			      .on_record = on_record,
			      .arg = arg},
	    id, (struct slice){NULL, 0});
}

void
sresults_reopen(struct results *results, struct slice id, struct slice record,
		results_record_fn *on_done, void *arg)
{
	question_ask(results,
		     (struct question){.job = {.run = question_reopen_run,
					       .sync = DATABASE_NOW},
				       .on_record = on_done,
				       .arg = arg},
		     id, record);
}

/* --- counts ------------------------------------------------------------ */

/* A question without an argument. */
struct counting {
	struct database_job job;
	results_counts_fn *on_counts;
	void *arg;
	struct results_counts counts; /* the answer */
};

/* The counts since the file was made: kept in `totals`, not counted. */
static int
counts_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct counting *c = container_of(job, struct counting, job);
	struct stotals totals;

	if (stotals_get_run(tx, &totals, err) != 0)
		return -1;
	c->counts = (struct results_counts){
	    .succeeded = sat_clamp(totals.ended[false], 0, INT64_MAX),
	    .failed = sat_clamp(totals.ended[true], 0, INT64_MAX)};
	return 0;
}

static void
counts_drop(struct database_job *job)
{
	free(container_of(job, struct counting, job));
}

static void
counts_done(struct database_job *job, const struct err *err)
{
	struct counting *c = container_of(job, struct counting, job);

	c->on_counts(err == NULL ? &c->counts : NULL, err, c->arg);
	counts_drop(job);
}

void
sresults_counts(struct results *results, results_counts_fn *on_counts,
		void *arg)
{
	struct counting *c = malloc(sizeof(*c));
	struct err err;

	if (c == NULL) {
		err_nomem(&err);
		on_counts(NULL, &err, arg);
		return;
	}
	*c = (struct counting){.job = {.run = counts_run,
				       .done = counts_done,
				       .drop = counts_drop,
				       .reads = true},
			       .on_counts = on_counts,
			       .arg = arg};
	database_post(&((struct sresults *)results)->user, &c->job);
}

/* --- pages ------------------------------------------------------------- */

/* A page, with its question. The records lie in `text`, one after the other;
 * their lengths are kept, since the text moves while it grows. */
struct listing {
	struct database_job job;
	results_page_fn *on_page;
	void *arg;
	bool failed;
	unsigned int limit;
	int64_t before;	  /* only those that ended earlier */
	struct err wrong; /* the cursor */

	struct buf text;
	size_t n;
	int64_t last; /* place of the last row that was read; 0: none follows */
	size_t lens[RESULTS_PAGE_MAX];
};

/* Rows that have expired count as read, but are not shown: a page may be empty
 * and still have a next one. */
static int
list_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct listing *l = container_of(job, struct listing, job);
	const enum statement_index sql = SQL_RECORDS_ENDED;
	const int64_t limit = (int64_t)l->limit;
	struct slice record;
	int64_t expires, first, before;
	unsigned int seen = 0;
	int more;

	buf_reset(&l->text);
	l->n = 0;
	l->last = 0;
	if (l->wrong.code != ERR_NONE)
		return 0;
	first = srecord_first(l->failed);
	/* A cursor may be anything: it must not lead to those of another kind. */
	before = sat_clamp(l->before, 0,
			   srecord_last(false) - srecord_first(false) + 1);
	more = tx_first(tx, err, sql, first, first + before, limit);
	for (; more == 1; more = tx_next(tx, err, sql)) {
		l->last = tx_int(tx, sql, 0);
		expires = tx_int(tx, sql, 1);
		seen++;
		if (expires != 0 && expires <= tx_now(tx))
			continue;
		record = tx_bytes(tx, sql, 2);
		buf_add(&l->text, record.p, record.len);
		l->lens[l->n++] = record.len;
		if (l->text.len >= PAGE_BYTES) {
			tx_end(tx, sql);
			break;
		}
	}
	/* Fewer rows than asked for: they were the last. */
	if (more == 0 && seen < l->limit)
		l->last = 0;
	if (l->text.failed)
		return err_nomem(err);
	return more < 0 ? -1 : 0;
}

static void
list_drop(struct database_job *job)
{
	struct listing *l = container_of(job, struct listing, job);

	buf_done(&l->text);
	free(l);
}

/* Slices of the records are made here, since the text may move while it
 * grows. */
static void
list_done(struct database_job *job, const struct err *err)
{
	struct listing *l = container_of(job, struct listing, job);
	struct slice records[RESULTS_PAGE_MAX], next = {NULL, 0};
	const char *p = l->text.data;
	char cursor[CURSOR_SIZE];
	size_t i;

	if (err == NULL && l->wrong.code != ERR_NONE)
		err = &l->wrong;
	if (err != NULL) {
		l->on_page(NULL, 0, next, err, l->arg);
	} else {
		for (i = 0; i < l->n; p += l->lens[i++])
			records[i] = (struct slice){p, l->lens[i]};
		if (l->last != 0)
			next = cursor_write(cursor, &l->last, 1);
		l->on_page(records, l->n, next, NULL, l->arg);
	}
	list_drop(job);
}

/* A wrong cursor goes through the queue as well, so that on_page is never
 * called before this returns. */
void
sresults_list(struct results *results, bool failed, struct slice cursor,
	      unsigned int n, results_page_fn *on_page, void *arg)
{
	struct sresults *r = (struct sresults *)results;
	struct listing *l = calloc(1, sizeof(*l));
	struct err err;

	if (l == NULL) {
		err_nomem(&err);
		on_page(NULL, 0, (struct slice){NULL, 0}, &err, arg);
		return;
	}
	l->job = (struct database_job){.run = list_run,
				       .done = list_done,
				       .drop = list_drop,
				       .reads = true};
	l->on_page = on_page;
	l->arg = arg;
	l->failed = failed;
	l->limit = n < 1 ? 1 : n > RESULTS_PAGE_MAX ? RESULTS_PAGE_MAX : n;
	l->before = INT64_MAX;
	if (cursor.len > 0)
		cursor_read(cursor, &l->before, 1, &l->wrong);
	database_post(&r->user, &l->job);
}
