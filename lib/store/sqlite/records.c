/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: records, and opening and closing. A record is pending
 * from the submission on, and final when the task has ended; a final one is
 * only replaced when an operator has the task run again.
 *
 * What has expired is not seen any more, and removed on the way: some old ones
 * with each transaction that stores new ones.
 */
#include "store/sqlite/results.h"

#include <stdlib.h>
#include <string.h>

#include "store/sqlite/broker.h"
#include "util/sat.h"

/* As many as the I/O thread puts into one transaction. */
#define PUT_MAX 1000
/* Their bytes: a commit of so many takes some milliseconds. */
#define PUT_BYTES (2u << 20)

/* --- storing ----------------------------------------------------------- */

/* One row: it was made with its table. */
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

/* A final record wakes the processes that wait for it (watch.c); its place
 * among those that ended is the new total. */
static int
put_final(struct tx *tx, struct results_put *put, struct stotals *totals,
	  struct err *err)
{
	const int64_t expires =
	    put->ttl_s > 0 ? tx_now(tx) + put->ttl_s * 1000 : 0;
	int changed;

	changed = tx_run(tx, err, SQL_RECORD_END, put->id, put->record, expires,
			 (int64_t)put->failed,
			 sat_add(totals->ended[put->failed], 1), tx_now(tx));
	if (changed < 0)
		return -1;
	if (changed == 0) {
		put->answer = RESULTS_ENDED;
		return 0;
	}
	totals->ended[put->failed] = sat_add(totals->ended[put->failed], 1);
	return totals->awaited == 1 ? swake_record_run(tx, put->id, err) : 0;
}

/* The claim that the record follows from is looked for first: a worker that
 * has lost it has nothing to say of the task any more. */
static int
put_one(struct tx *tx, struct results_put *put, struct stotals *totals,
	struct err *err)
{
	int found =
	    put->claim != NULL ? sclaim_find_run(tx, put->claim, err) : 1;
	int changed;

	put->answer = RESULTS_STORED;
	if (found < 0)
		return -1;
	if (found == 0) {
		put->answer = RESULTS_FENCED;
		return 0;
	}
	if (put->final)
		return put_final(tx, put, totals, err);
	/* That a task runs, say: a final record is not overwritten by it. */
	changed = tx_run(tx, err, SQL_RECORD_NOTE, put->id, put->record);
	return changed > 0 && totals->awaited == 1
		   ? swatch_changed_run(tx, put->id, err)
		   : (changed < 0 ? -1 : 0);
}

/* Looks first, as wake.c does. */
static int
records_expire(struct tx *tx, int64_t n, int64_t bytes, struct err *err)
{
	int expired = tx_any(tx, err, SQL_RECORDS_EXPIRED, tx_now(tx));

	if (expired == 1)
		expired =
		    tx_run(tx, err, SQL_RECORDS_EXPIRE, tx_now(tx), n, bytes);
	return expired < 0 ? -1 : 0;
}

/* Twice as many expired ones may go as new ones come, so that there is an end
 * to them; and 16 more, so that lone ones help, too. */
static int
put_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct sresults *r = container_of(job, struct sresults, put_job);
	struct stotals totals;
	struct pending *p;
	int64_t n = 16, bytes = SRECORDS_EXPIRE_BYTES;

	if (stotals_get(tx, &totals, err) != 0 ||
	    sevents_heard_run(tx, &r->put_heard, err) != 0 ||
	    (totals.awaited = tx_any(tx, err, SQL_RECORD_WAITERS_ANY)) < 0)
		return -1;
	TAILQ_FOREACH (p, &r->sent, link) {
		n += 2;
		bytes +=
		    2 * (int64_t)container_of(p, struct results_put, pending)
			    ->record.len;
		if (put_one(tx, container_of(p, struct results_put, pending),
			    &totals, err) != 0)
			return -1;
	}
	if (tx_run(tx, err, SQL_TOTALS_SET, totals.ended[false],
		   totals.ended[true]) < 0)
		return -1;
	return records_expire(tx, n, bytes, err);
}

/* Posts what waits as one job, unless one is under way: what comes meanwhile is
 * collected for the next. A lossy record alone needs no flush. */
static void
records_push(struct sresults *r)
{
	struct results_put *put;
	struct pending *p;

	if (r->putting || TAILQ_EMPTY(&r->waiting))
		return;
	r->put_job.rows = 0;
	r->put_job.sync = DATABASE_LATER;
	r->put_job.bytes = 0;
	while (r->put_job.rows < PUT_MAX && r->put_job.bytes < PUT_BYTES &&
	       (p = TAILQ_FIRST(&r->waiting)) != NULL) {
		TAILQ_REMOVE(&r->waiting, p, link);
		TAILQ_INSERT_TAIL(&r->sent, p, link);
		put = container_of(p, struct results_put, pending);
		r->put_job.rows++;
		r->put_job.bytes += put->record.len;
		if (!put->lossy)
			r->put_job.sync = DATABASE_NOW;
	}
	r->putting = true;
	database_post(&r->user, &r->put_job);
}

/* Confirms in the order in which records were stored, so a task's final record
 * is confirmed after those before it. */
static void
put_done(struct database_job *job, const struct err *err)
{
	struct sresults *r = container_of(job, struct sresults, put_job);
	struct pending_list sent = TAILQ_HEAD_INITIALIZER(sent);
	struct results_put *put;
	struct pending *p;

	(void)err; /* it is tried until it succeeds */
	r->putting = false;
	r->heard = r->put_heard;
	/* Off the list before callbacks store more, which records_push() would
	 * send. */
	TAILQ_CONCAT(&sent, &r->sent, link);
	records_push(r);
	while ((p = TAILQ_FIRST(&sent)) != NULL) {
		TAILQ_REMOVE(&sent, p, link);
		put = container_of(p, struct results_put, pending);
		r->count -= !put->lossy;
		put->on_done(put);
	}
}

/* A lossy record takes the way of all others: so it keeps its order. */
static void
records_put(struct results *results, struct results_put *put)
{
	struct sresults *r = (struct sresults *)results;

	TAILQ_INSERT_TAIL(&r->waiting, &put->pending, link);
	r->count += !put->lossy;
	records_push(r);
}

static size_t
records_unconfirmed(const struct results *results)
{
	return ((const struct sresults *)results)->count;
}

/* --- pending records --------------------------------------------------- */

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
static void
records_create(struct results *results, const struct slice *ids,
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
		if (tx_run(tx, err, SQL_RECORD_FORGET,
			   (struct slice){p, o->lens[i]}) < 0)
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

static void
records_forget(struct results *results, const struct slice *ids, size_t n)
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

/* --- opening and closing ----------------------------------------------- */

static void
records_on_state(struct database_user *user, bool up, bool final,
		 const struct err *why)
{
	struct sresults *r = container_of(user, struct sresults, user);

	r->opt.on_state(up, final, why, r->opt.arg);
}

/* A wake-up does not say what for. */
static void
records_on_wake(struct database_user *user)
{
	struct sresults *r = container_of(user, struct sresults, user);

	sresults_look(r);
	sevents_wake(r);
}

static const char *
records_name(const struct results *results)
{
	return database_name(&((const struct sresults *)results)->user);
}

static bool
records_is_up(const struct results *results)
{
	return database_is_up(&((const struct sresults *)results)->user);
}

static void
records_close(struct results *results)
{
	struct sresults *r = (struct sresults *)results;

	/* The listener's last job is queued before the file is left; what is
	 * freed after it belongs to no job any more. */
	sevents_leave(r);
	database_leave(&r->user);
	sresults_watches_done(r);
	sevents_done(r);
	/* Closed by its own callback: listen_done() frees it. */
	if (r->listening.telling)
		r->dead = true;
	else
		free(r);
}

static struct results *
records_open(const struct results_options *options, struct err *err)
{
	const struct database_options database = {
	    .base = options->base,
	    .url = options->url,
	    .timeout_ms = options->timeout_ms,
	    .may_block = options->may_block,
	    .may_block_arg = options->arg,
	    .description = &statements_description};
	struct sresults *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_nomem(err);
		return NULL;
	}
	r->pub.ops = &results_sqlite;
	r->opt = *options;
	r->user.on_state = records_on_state;
	r->user.on_wake = records_on_wake;
	r->put_job = (struct database_job){
	    .run = put_run,
	    .done = put_done,
	    .frees = true, /* the record of a task that was cancelled */
	    .must = true};
	sevents_init(r);
	TAILQ_INIT(&r->waiting);
	TAILQ_INIT(&r->sent);
	if (sresults_watches_init(r) != 0) {
		err_nomem(err);
		free(r);
		return NULL;
	}
	if (database_join(&r->user, &database, err) != 0) {
		err_prefix(err, "[backend] url");
		sresults_watches_done(r);
		free(r);
		return NULL;
	}
	return &r->pub;
}

const struct results_ops results_sqlite = {
    .open = records_open,
    .close = records_close,
    .name = records_name,
    .is_up = records_is_up,
    .put = records_put,
    .unconfirmed = records_unconfirmed,
    .get = sresults_get,
    .create = records_create,
    .forget = records_forget,
    .watch = sresults_watch,
    .follow = sresults_follow,
    .unwatch = watches_unwatch,
    .event = sresults_event,
    .heard = sresults_heard,
    .expect = sresults_expect,
    .listen = sresults_listen,
    .list = sresults_list,
    .counts = sresults_counts,
    .reopen = sresults_reopen,
    .measure = sresults_measure,
    .measures = sresults_measures,
};
