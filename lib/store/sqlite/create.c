/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: pending records of tasks that another broker has. They are
 * stored before their tasks are submitted, and taken away again of those that could
 * not be.
 */
#include <stdlib.h>

#include "store/sqlite/record.h"
#include "store/sqlite/results.h"

/* The arrays are the caller's, which keeps them until it is answered. */
struct creation {
	struct database_job job;
	const struct slice *ids, *records;
	struct err *errs;
	size_t n;
	results_created_fn *on_done;
	void *arg;
};

/* Pending records of tasks that another broker has: an ID that exists is
 * refused, each on its own, unless its record has expired. */
static int
records_create_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct creation *c = container_of(job, struct creation, job);
	int added;
	size_t i;

	for (i = 0; i < c->n; i++) {
		c->errs[i].code = ERR_NONE;
		added = srecord_begin_run(
		    tx,
		    &(struct srecord_birth){.id = c->ids[i],
					    .record = c->records[i]},
		    err);
		if (added < 0)
			return -1;
		if (added == 0)
			err_set(&c->errs[i], ERR_REFUSED,
				"a task with the ID %.*s exists already",
				(int)c->ids[i].len, c->ids[i].p);
	}
	return 0;
}

static void
records_create_drop(struct database_job *job)
{
	free(container_of(job, struct creation, job));
}

static void
records_create_done(struct database_job *job, const struct err *err)
{
	struct creation c = *container_of(job, struct creation, job);
	size_t i;

	for (i = 0; i < c.n && err != NULL; i++)
		c.errs[i] = *err;
	records_create_drop(job);
	c.on_done(c.errs, c.n, c.arg);
}

/* Flushed before it is answered: the task's submission follows, and must not be
 * on disk without its record. */
void
sresults_create(struct results *results, const struct slice *ids,
		const struct slice *records, struct err *errs, size_t n,
		results_created_fn *on_done, void *arg)
{
	struct sresults *r = (struct sresults *)results;
	struct creation *c = calloc(1, sizeof(*c));
	size_t i;

	if (c == NULL) {
		for (i = 0; i < n; i++)
			err_nomem(&errs[i]);
		on_done(errs, n, arg);
		return;
	}
	*c = (struct creation){.job = {.run = records_create_run,
				       .done = records_create_done,
				       .drop = records_create_drop,
				       .sync = DATABASE_NOW,
				       .rows = (unsigned int)n},
			       .ids = ids,
			       .records = records,
			       .errs = errs,
			       .n = n,
			       .on_done = on_done,
			       .arg = arg};
	database_post(&r->user, &c->job);
}

/* Records to be forgotten: their tasks could not be submitted after all. The
 * caller's ids need not outlive the call, so they are copied. */
struct oblivion {
	struct database_job job;
	size_t n;
	struct buf text; /* the ids, one after the other */
	size_t lens[];
};

static int
records_forget_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct oblivion *o = container_of(job, struct oblivion, job);
	const char *p = o->text.data;
	size_t i;

	for (i = 0; i < o->n; p += o->lens[i++])
		if (srecord_forget_run(tx, (struct slice){p, o->lens[i]}, err) <
		    0)
			return -1;
	return 0;
}

static void
records_forget_drop(struct database_job *job)
{
	struct oblivion *o = container_of(job, struct oblivion, job);

	buf_done(&o->text);
	free(o);
}

static void
records_forget_done(struct database_job *job, const struct err *err)
{
	records_forget_drop(job);
}

void
sresults_forget(struct results *results, const struct slice *ids, size_t n)
{
	struct sresults *r = (struct sresults *)results;
	struct oblivion *o = calloc(1, sizeof(*o) + n * sizeof(o->lens[0]));
	size_t i;

	/* The contract has no answer: the record stays, as pending. */
	if (o == NULL)
		return;
	o->n = n;
	for (i = 0; i < n; i++) {
		buf_add(&o->text, ids[i].p, ids[i].len);
		o->lens[i] = ids[i].len;
	}
	o->job = (struct database_job){.run = records_forget_run,
				       .done = records_forget_done,
				       .drop = records_forget_drop,
				       .absent = DATABASE_FAIL,
				       .frees = true,
				       .rows = (unsigned int)n};
	if (o->text.failed)
		records_forget_drop(&o->job);
	else
		database_post(&r->user, &o->job);
}
