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
#include "store/sqlite/record.h"
#include "util/sat.h"

/* As many as the I/O thread puts into one transaction. */
#define PUT_MAX 1000
/* Their bytes: a commit of so many takes some milliseconds. */
#define PUT_BYTES (2u << 20)

/* --- storing ----------------------------------------------------------- */

/* A final record wakes the processes that wait for it (watch.c). What was put for
 * a claim is on record when that is settled. */
static int
put_final(struct tx *tx, struct results_put *put, struct stotals *totals,
	  struct err *err)
{
	const struct srecord_end end = {
	    .id = put->id,
	    .record = put->record,
	    .final = SRECORD_FINAL,
	    .expires = put->ttl_s > 0 ? tx_now(tx) + put->ttl_s * 1000 : 0,
	    .failed = put->failed,
	    .task = put->claim != NULL ? sclaim_of(put->claim)->number : 0};
	const int stored = srecord_end_run(tx, &end, totals, err);

	if (stored < 0)
		return -1;
	if (put->claim != NULL)
		sclaim_of(put->claim)->recorded = true;
	if (stored == 0) {
		put->answer = RESULTS_ENDED;
		return 0;
	}
	return totals->awaited ? swake_record_run(tx, put->id, err) : 0;
}

/* The claim that the record follows from is looked for first: a worker that
 * has lost it has nothing to say of the task any more. */
static int
put_one(struct tx *tx, struct results_put *put, struct stotals *totals,
	struct err *err)
{
	int found = put->claim == NULL || sclaim_of(put->claim)->found
			? 1
			: sclaim_find_run(tx, put->claim, err);
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
	changed = srecord_note_run(tx, put->id, put->record, err);
	return changed > 0 && totals->followed
		   ? swatch_changed_run(tx, put->id, err)
		   : (changed < 0 ? -1 : 0);
}

/* The first and the last of some IDs, in their order. */
struct span {
	struct slice first, last;
};

static void
span_add(struct span *span, struct slice id)
{
	if (span->first.p == NULL || slice_cmp(id, span->first) < 0)
		span->first = id;
	if (span->last.p == NULL || slice_cmp(id, span->last) > 0)
		span->last = id;
}

/* What is to be known of the ends among a batch. */
static int
put_look_ends(struct tx *tx, const struct span *ends, struct stotals *totals,
	      struct err *err)
{
	static const enum statement_index looks[] = {
	    SQL_RECORD_WAITERS_AMONG, SQL_WAITS_AMONG, SQL_STEPS_AMONG};
	bool *const found[] = {&totals->awaited, &totals->waited,
			       &totals->stepped};
	size_t i;
	int any = 0;

	for (i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		if (ends->first.p != NULL)
			any =
			    tx_any(tx, err, looks[i], ends->first, ends->last);
		if (any < 0)
			return -1;
		*found[i] = any == 1;
	}
	return 0;
}

/*
 * Finds the claims of a batch together; and whether anybody, or another task, waits for
 * the end of one of these tasks, or follows one, and whether one is a step of a
 * workflow: four looks for a batch. Who waits does so for tasks of one time, most
 * likely, and IDs are in the order of time; so most batches have nobody among them,
 * however many wait for others.
 */
static int
put_look(const struct sresults *r, struct tx *tx, struct stotals *totals,
	 struct err *err)
{
	struct span ends = {{NULL, 0}, {NULL, 0}}, notes = ends;
	struct sclaim *claims[PUT_MAX];
	const struct results_put *put;
	const struct pending *p;
	int followed = 0;
	size_t n = 0;

	TAILQ_FOREACH (p, &r->sent, link) {
		put = container_of(p, const struct results_put, pending);
		span_add(put->final ? &ends : &notes, put->id);
		if (put->claim != NULL)
			claims[n++] = sclaim_of(put->claim);
	}
	if (sclaims_find_run(tx, claims, n, err) != 0 ||
	    put_look_ends(tx, &ends, totals, err) != 0)
		return -1;
	if (notes.first.p != NULL)
		followed = swatch_follow_run(tx, notes.first, notes.last, err);
	totals->followed = followed == 1;
	return followed < 0 ? -1 : 0;
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

	buf_reset(&r->behind.found);
	if (stotals_get_run(tx, &totals, err) != 0 ||
	    sevents_heard_run(tx, &r->put_heard, err) != 0 ||
	    put_look(r, tx, &totals, err) != 0)
		return -1;
	totals.behind = &r->behind.found;
	TAILQ_FOREACH (p, &r->sent, link) {
		n += 2;
		bytes +=
		    2 * (int64_t)container_of(p, struct results_put, pending)
			    ->record.len;
		if (put_one(tx, container_of(p, struct results_put, pending),
			    &totals, err) != 0)
			return -1;
	}
	if (srecords_expire_run(tx, &totals, n, bytes, err) < 0)
		return -1;
	return stotals_set_run(tx, &totals, err);
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
	sbehind_add(r);
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
	sbehind_done_with(r);
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
	sbehind_init(r);
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
    .create = sresults_create,
    .forget = sresults_forget,
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
    .hurry = sevents_hurry,
    .measure = sresults_measure,
    .measures = sresults_measures,
};
