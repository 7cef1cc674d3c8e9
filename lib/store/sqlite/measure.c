/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: measures (store/measures.h).
 *
 * A batch is one job, so that a count is in its minute, its hour and the total,
 * or in none of them. Nothing waits for it to be on disk.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/results.h"
#include "util/name.h"

/* The rows that are removed once a minute, at most: more than a minute adds, so
 * that there is an end; few enough that a clock which is set to another year
 * for a moment does not take all history along. */
#define EXPIRE_ROWS (MEASURE_FIELDS_MAX + 1000)

/* --- adding ------------------------------------------------------------ */

/* Behind the measures lies a copy of their names. */
struct measuring {
	struct database_job job;
	int64_t at_s;
	results_measured_fn *on_done;
	void *arg;
	size_t n;
	struct measure measures[];
};

/* One number of one of the three. `*room` is how many more it may have. */
static int
measure_add(struct tx *tx, const int64_t where[2], const struct measure *m,
	    int64_t *room, struct err *err)
{
	struct slice task = m->task;
	int changed = tx_run(tx, err, SQL_MEASURE_GROW, where[0], where[1],
			     m->queue, task, (int64_t)m->what, m->n);

	if (changed != 0)
		return changed < 0 ? -1 : 0;
	if (--*room < 0)
		task = SLICE(MEASURE_OTHER);
	return tx_run(tx, err, SQL_MEASURE_ADD, where[0], where[1], m->queue,
		      task, (int64_t)m->what, m->n) < 0
		   ? -1
		   : 0;
}

/* How many more different numbers there is room for. They lie together, and are
 * few: counting them takes some 10 µs. */
static int
measure_room(struct tx *tx, const int64_t where[2], int64_t *ret,
	     struct err *err)
{
	int more = tx_first(tx, err, SQL_MEASURE_COUNT, where[0], where[1]);

	if (more != 1)
		return -1;
	*ret = MEASURE_FIELDS_MAX - tx_int(tx, SQL_MEASURE_COUNT, 0);
	tx_end(tx, SQL_MEASURE_COUNT);
	return 0;
}

/* Each number goes into three rows, of the minute, the hour and the total: a
 * reader of an hour need not add sixty minutes. */
static int
measure_run(struct database_job *job, struct tx *tx, struct err *err)
{
	static const struct {
		enum measure_step step;
		int64_t life_s; /* 0: for ever */
	} steps[] = {{MEASURE_MINUTE, MEASURE_MINUTES_S},
		     {MEASURE_HOUR, MEASURE_HOURS_S},
		     {MEASURE_TOTAL, 0}};
	struct measuring *m = container_of(job, struct measuring, job);
	int64_t where[2], room = 0;
	bool fresh;
	size_t s, i;

	for (s = 0; s < 3; s++) {
		where[0] = (int64_t)steps[s].step;
		where[1] = measure_begin(steps[s].step, m->at_s);
		if (measure_room(tx, where, &room, err) != 0)
			return -1;
		fresh = room == MEASURE_FIELDS_MAX;
		for (i = 0; i < m->n; i++)
			if (measure_add(tx, where, &m->measures[i], &room,
					err) != 0)
				return -1;
		/* Once a minute: by the first that counts in it. */
		if (fresh && steps[s].life_s != 0 &&
		    tx_run(tx, err, SQL_MEASURES_EXPIRE, where[0],
			   where[1] - steps[s].life_s,
			   (int64_t)EXPIRE_ROWS) < 0)
			return -1;
	}
	return 0;
}

static void
measure_drop(struct database_job *job)
{
	free(container_of(job, struct measuring, job));
}

static void
measure_done(struct database_job *job, const struct err *err)
{
	struct measuring *m = container_of(job, struct measuring, job);

	m->on_done(err, m->arg);
	free(m);
}

/* Copies the name to *text, and moves that behind it. */
static struct slice
measure_keep_name(struct slice name, char **text)
{
	struct slice copy = {*text, name.len};

	memcpy(*text, name.p, name.len);
	*text += name.len;
	return copy;
}

/* One block for the job, its measures and their names: the caller's need not
 * outlive the call. */
void
sresults_measure(struct results *results, int64_t at_s,
		 const struct measure *measures, size_t n,
		 results_measured_fn *on_done, void *arg)
{
	struct sresults *r = (struct sresults *)results;
	size_t bytes = sizeof(struct measuring) + n * sizeof(*measures), i;
	struct measuring *m;
	struct err err;
	char *text;

	for (i = 0; i < n; i++)
		bytes += measures[i].queue.len + measures[i].task.len;
	if ((m = calloc(1, bytes)) == NULL) {
		err_nomem(&err);
		on_done(&err, arg);
		return;
	}
	text = (char *)&m->measures[n];
	for (i = 0; i < n; i++) {
		m->measures[i] = measures[i];
		m->measures[i].queue =
		    measure_keep_name(measures[i].queue, &text);
		m->measures[i].task =
		    measure_keep_name(measures[i].task, &text);
	}
	m->job = (struct database_job){.run = measure_run,
				       .done = measure_done,
				       .drop = measure_drop,
				       .absent = DATABASE_FAIL,
				       .rows = 3 * (unsigned int)n};
	m->at_s = at_s;
	m->on_done = on_done;
	m->arg = arg;
	m->n = n;
	database_post(&r->user, &m->job);
}

/* --- reading ----------------------------------------------------------- */

/* The answer: measures, whose names lie in `text`, by their places there. */
struct measures_query {
	struct database_job job;
	int64_t step, at_s;
	results_measures_fn *on_measures;
	void *arg;
	struct buf text, rows; /* of struct measure */
};

/* One row. Names are text in a file that other programs can write to. */
static void
measures_take(struct measures_query *q, struct tx *tx)
{
	const unsigned int sql = SQL_MEASURES_OF;
	const struct slice queue = tx_bytes(tx, sql, 0);
	const struct slice task = tx_bytes(tx, sql, 1);
	const int64_t what = tx_int(tx, sql, 2);
	const struct measure row = {.queue = {NULL, queue.len},
				    .task = {NULL, task.len},
				    .what = (unsigned int)what,
				    .n = tx_int(tx, sql, 3)};

	if (!measure_what_valid(what) || row.n <= 0 ||
	    !name_valid(queue, NAME_QUEUE_MAX) ||
	    !name_valid(task, NAME_TASK_MAX))
		return;
	buf_add(&q->text, queue.p, queue.len);
	buf_add(&q->text, task.p, task.len);
	buf_add(&q->rows, (const char *)&row, sizeof(row));
}

static int
measures_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct measures_query *q =
	    container_of(job, struct measures_query, job);
	int more = tx_first(tx, err, SQL_MEASURES_OF, q->step, q->at_s);

	/* A job may run again from the start. */
	buf_reset(&q->text);
	buf_reset(&q->rows);
	for (; more == 1; more = tx_next(tx, err, SQL_MEASURES_OF))
		measures_take(q, tx);
	if (more == 0 && (q->text.failed || q->rows.failed))
		return err_nomem(err);
	return more;
}

static void
measures_drop(struct database_job *job)
{
	struct measures_query *q =
	    container_of(job, struct measures_query, job);

	buf_done(&q->text);
	buf_done(&q->rows);
	free(q);
}

/* The slices are made here: in the I/O thread the text moves while it grows. */
static void
measures_done(struct database_job *job, const struct err *err)
{
	static const struct measure none;
	struct measures_query *q =
	    container_of(job, struct measures_query, job);
	struct measure *rows = (struct measure *)(void *)q->rows.data;
	const size_t n = q->rows.len / sizeof(*rows);
	const char *text = q->text.data;
	size_t i;

	for (i = 0; i < n; i++) {
		rows[i].queue.p = text;
		text += rows[i].queue.len;
		rows[i].task.p = text;
		text += rows[i].task.len;
	}
	if (err != NULL)
		q->on_measures(NULL, 0, err, q->arg);
	else
		q->on_measures(n > 0 ? rows : &none, n, NULL, q->arg);
	measures_drop(job);
}

void
sresults_measures(struct results *results, enum measure_step step, int64_t at_s,
		  results_measures_fn *on_measures, void *arg)
{
	struct sresults *r = (struct sresults *)results;
	struct measures_query *q = calloc(1, sizeof(*q));
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		on_measures(NULL, 0, &err, arg);
		return;
	}
	q->job = (struct database_job){.run = measures_run,
				       .done = measures_done,
				       .drop = measures_drop,
				       .reads = true};
	q->step = (int64_t)step;
	q->at_s = at_s;
	q->on_measures = on_measures;
	q->arg = arg;
	database_post(&r->user, &q->job);
}
