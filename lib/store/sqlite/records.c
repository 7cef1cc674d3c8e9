/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: records. What has expired is not seen any more, and
 * removed on the way: some old ones with each transaction that stores new ones.
 */
#include "store/sqlite/results.h"

#include <stdlib.h>
#include <string.h>

#define PUT_MAX 1000

/* --- storing ----------------------------------------------------------- */

int
stotals_get(struct tx *tx, struct stotals *totals, struct err *err)
{
	if (tx_first(tx, err, SQL_TOTALS_GET) < 0)
		return -1;
	totals->ended[false] = tx_int(tx, SQL_TOTALS_GET, 0);
	totals->ended[true] = tx_int(tx, SQL_TOTALS_GET, 1);
	tx_end(tx, SQL_TOTALS_GET);
	return 0;
}

static int
put_one(struct tx *tx, const struct results_put *put, struct stotals *totals,
	struct err *err)
{
	int64_t expires = 0;

	if (!put->final)
		return tx_run(tx, err, SQL_RECORD_NOTE, put->id, put->record) <
			       0
			   ? -1
			   : 0;
	if (put->ttl_s > 0)
		expires = tx_now(tx) + put->ttl_s * 1000;
	if (tx_run(tx, err, SQL_RECORD_END, put->id, put->record, expires,
		   (int64_t)put->failed, ++totals->ended[put->failed]) < 0)
		return -1;
	return tx_wake_all(tx, err, SQL_WAITERS_TAKE,
			   tx_first(tx, err, SQL_WAITERS_TAKE, put->id));
}

static int
put_run(struct store_job *job, struct tx *tx, struct err *err)
{
	struct sresults *r = container_of(job, struct sresults, put_job);
	struct stotals totals;
	struct pending *p;
	int64_t n = 16;

	if (stotals_get(tx, &totals, err) != 0 ||
	    sevents_heard_run(tx, &r->put_heard, err) != 0)
		return -1;
	TAILQ_FOREACH (p, &r->sent, link) {
		n += 2;
		if (put_one(tx, container_of(p, struct results_put, pending),
			    &totals, err) != 0)
			return -1;
	}
	if (tx_run(tx, err, SQL_TOTALS_SET, totals.ended[false],
		   totals.ended[true]) < 0 ||
	    tx_run(tx, err, SQL_RECORDS_EXPIRE, tx_now(tx), n) < 0)
		return -1;
	return 0;
}

static void
push(struct sresults *r)
{
	struct results_put *put;
	struct pending *p;

	if (r->putting || TAILQ_EMPTY(&r->waiting))
		return;
	r->put_job.rows = 0;
	r->put_job.sync = STORE_LATER;
	r->put_job.bytes = 0;
	while (r->put_job.rows < PUT_MAX &&
	       (p = TAILQ_FIRST(&r->waiting)) != NULL) {
		TAILQ_REMOVE(&r->waiting, p, link);
		TAILQ_INSERT_TAIL(&r->sent, p, link);
		put = container_of(p, struct results_put, pending);
		r->put_job.rows++;
		r->put_job.bytes += put->record.len;
		if (!put->lossy)
			r->put_job.sync = STORE_NOW;
	}
	r->putting = true;
	store_post(&r->user, &r->put_job);
}

static void
put_done(struct store_job *job, const struct err *err)
{
	struct sresults *r = container_of(job, struct sresults, put_job);
	struct pending_list sent = TAILQ_HEAD_INITIALIZER(sent);
	struct results_put *put;
	struct pending *p;

	(void)err; /* it is tried until it succeeds */
	r->putting = false;
	r->heard = r->put_heard;
	TAILQ_CONCAT(&sent, &r->sent, link);
	push(r);
	while ((p = TAILQ_FIRST(&sent)) != NULL) {
		TAILQ_REMOVE(&sent, p, link);
		put = container_of(p, struct results_put, pending);
		r->count -= !put->lossy;
		put->on_done(put);
	}
}

/* A lossy record takes the way of all others: so it keeps its order. */
static void
put_record(struct results *results, struct results_put *put)
{
	struct sresults *r = (struct sresults *)results;

	TAILQ_INSERT_TAIL(&r->waiting, &put->pending, link);
	r->count += !put->lossy;
	push(r);
}

static size_t
unconfirmed(const struct results *results)
{
	return ((const struct sresults *)results)->count;
}

/* --- pending records --------------------------------------------------- */

struct creation {
	struct store_job job;
	const struct slice *ids, *records;
	struct err *errs;
	size_t n;
	results_created_fn *on_done;
	void *arg;
};

static int
create_run(struct store_job *job, struct tx *tx, struct err *err)
{
	struct creation *c = container_of(job, struct creation, job);
	int added;
	size_t i;

	for (i = 0; i < c->n; i++) {
		c->errs[i].code = ERR_NONE;
		if (tx_run(tx, err, SQL_RECORD_EXPIRED, c->ids[i], tx_now(tx)) <
		    0)
			return -1;
		added = tx_run(tx, err, SQL_RECORD_ADD, c->ids[i],
			       c->records[i], INT64_C(0));
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
create_drop(struct store_job *job)
{
	free(container_of(job, struct creation, job));
}

static void
create_done(struct store_job *job, const struct err *err)
{
	struct creation c = *container_of(job, struct creation, job);
	size_t i;

	for (i = 0; i < c.n && err != NULL; i++)
		c.errs[i] = *err;
	create_drop(job);
	c.on_done(c.errs, c.n, c.arg);
}

static void
create(struct results *results, const struct slice *ids,
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
	*c = (struct creation){.job = {.run = create_run,
				       .done = create_done,
				       .drop = create_drop,
				       .sync = STORE_NOW,
				       .rows = (unsigned int)n},
			       .ids = ids,
			       .records = records,
			       .errs = errs,
			       .n = n,
			       .on_done = on_done,
			       .arg = arg};
	store_post(&r->user, &c->job);
}

struct oblivion {
	struct store_job job;
	size_t n;
	struct buf text; /* the ids, one after the other */
	size_t lens[];
};

static int
forget_run(struct store_job *job, struct tx *tx, struct err *err)
{
	struct oblivion *o = container_of(job, struct oblivion, job);
	const char *p = o->text.data;
	size_t i;

	for (i = 0; i < o->n; p += o->lens[i++])
		if (tx_run(tx, err, SQL_RECORD_FORGET,
			   (struct slice){p, o->lens[i]}) < 0)
			return -1;
	return 0;
}

static void
forget_drop(struct store_job *job)
{
	struct oblivion *o = container_of(job, struct oblivion, job);

	buf_done(&o->text);
	free(o);
}

static void
forget_done(struct store_job *job, const struct err *err)
{
	forget_drop(job);
}

static void
forget(struct results *results, const struct slice *ids, size_t n)
{
	struct sresults *r = (struct sresults *)results;
	struct oblivion *o = calloc(1, sizeof(*o) + n * sizeof(o->lens[0]));
	size_t i;

	if (o == NULL)
		return;
	o->n = n;
	for (i = 0; i < n; i++) {
		buf_add(&o->text, ids[i].p, ids[i].len);
		o->lens[i] = ids[i].len;
	}
	o->job = (struct store_job){.run = forget_run,
				    .done = forget_done,
				    .drop = forget_drop,
				    .rows = (unsigned int)n};
	if (o->text.failed)
		forget_drop(&o->job);
	else
		store_post(&r->user, &o->job);
}

/* --- opening and closing ----------------------------------------------- */

static void
on_state(struct store_user *user, bool up, bool final, const struct err *why)
{
	struct sresults *r = container_of(user, struct sresults, user);

	r->opt.on_state(up, final, why, r->opt.arg);
}

static void
on_wake(struct store_user *user)
{
	struct sresults *r = container_of(user, struct sresults, user);

	sresults_look(r);
	sevents_wake(r);
}

static const char *
name(const struct results *results)
{
	return store_name(&((const struct sresults *)results)->user);
}

static bool
is_up(const struct results *results)
{
	return store_is_up(&((const struct sresults *)results)->user);
}

static void
close_results(struct results *results)
{
	struct sresults *r = (struct sresults *)results;

	sevents_leave(r);
	store_leave(&r->user);
	watches_done(&r->watches);
	sevents_done(r);
	if (r->listening.telling)
		r->dead = true;
	else
		free(r);
}

static struct results *
open_results(const struct results_options *options, struct err *err)
{
	const struct store_options store = {.base = options->base,
					    .url = options->url,
					    .timeout_ms = options->timeout_ms};
	struct sresults *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_nomem(err);
		return NULL;
	}
	r->pub.ops = &results_sqlite;
	r->opt = *options;
	r->user.on_state = on_state;
	r->user.on_wake = on_wake;
	r->put_job =
	    (struct store_job){.run = put_run, .done = put_done, .must = true};
	sevents_init(r);
	TAILQ_INIT(&r->waiting);
	TAILQ_INIT(&r->sent);
	sresults_watches_init(r);
	if (store_join(&r->user, &store, err) != 0) {
		err_prefix(err, "[backend] url");
		free(r);
		return NULL;
	}
	return &r->pub;
}

const struct results_ops results_sqlite = {
    .open = open_results,
    .close = close_results,
    .name = name,
    .is_up = is_up,
    .put = put_record,
    .unconfirmed = unconfirmed,
    .get = sresults_get,
    .create = create,
    .forget = forget,
    .watch = sresults_watch,
    .unwatch = watches_unwatch,
    .event = sresults_event,
    .heard = sresults_heard,
    .listen = sresults_listen,
    .list = sresults_list,
    .counts = sresults_counts,
    .reopen = sresults_reopen,
};
