/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: this worker's presence, and the orders it gets.
 *
 * A worker enters once, when the file is first open: in one transaction it gets
 * its number by its name, takes its lock (takeover.c), and finds what it had in
 * flight when it ended before. It keeps all of that until it leaves; a file
 * that is opened again needs no second entry.
 */
#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite/broker.h"
#include "store/sqlite/deputy.h"
#include "store/sqlite/record.h"

/* --- entering ---------------------------------------------------------- */

/* -1: not a queue that this worker takes tasks from. */
static int
queue_index(const struct sbroker *b, struct slice name)
{
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		if (slice_eq(name, slice_of(b->queues[i].name)))
			return (int)i;
	return -1;
}

/* What this worker had in flight is handed out again. What it may not have any
 * more, since its configuration changed, is for others, or for nobody. */
static int
take_up(struct sbroker *b, struct tx *tx, struct sclaim *c, int index,
	struct err *err)
{
	int result;

	if (index >= 0) {
		c->pub.queue = (unsigned int)index;
		c->pub.recovered = true;
		TAILQ_INSERT_TAIL(&b->entering.found, c, link);
		return 0;
	}
	result = sclaim_put_back_run(tx, err, b->entering.worker_id, c,
				     c->priority, true);
	free(c);
	return result < 0 ? -1 : 0;
}

/* Finds what was in flight with this worker: it had ended without settling it.
 * The lock is held, so no other process runs any of it. */
static int
recover(struct sbroker *b, struct tx *tx, struct err *err)
{
	struct sclaim *c;
	int64_t last = -1;
	int more, index;

	/* One at a time, since looking and changing do not go together. */
	while ((more = tx_first(tx, err, SQL_INFLIGHT_OF, b->entering.worker_id,
				last, (int64_t)1)) == 1) {
		c = sclaim_from_row(b, tx, SQL_INFLIGHT_OF, err);
		if (c == NULL)
			return -1;
		c->queue = tx_int(tx, SQL_INFLIGHT_OF, 3);
		last = c->number;
		index = queue_index(b, tx_bytes(tx, SQL_INFLIGHT_OF, 6));
		tx_end(tx, SQL_INFLIGHT_OF);
		if (take_up(b, tx, c, index, err) != 0)
			return -1;
	}
	return more;
}

/* Makes the queues of this worker that are not there yet, so that operators see
 * them from now on. */
static int
name_queues(const struct sbroker *b, struct tx *tx, struct err *err)
{
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		if (tx_run(tx, err, SQL_QUEUE_ADD,
			   slice_of(b->queues[i].name)) < 0)
			return -1;
	return 0;
}

/* Another process has the name: names it, by the description that it gave. */
static int
enter_refuse(struct sbroker *b, struct tx *tx, struct err *err)
{
	struct entering *e = &b->entering;
	const char *host = NULL;
	struct slice text;
	json_t *other;

	if (tx_first(tx, err, SQL_WORKER_DESCRIPTION, e->worker_id) < 0)
		return -1;
	text = tx_bytes(tx, SQL_WORKER_DESCRIPTION, 0);
	other = json_loadb(text.p, text.len, JSON_ALLOW_NUL, NULL);
	host = json_string_value(json_object_get(other, "host"));
	err_set(&e->refused, ERR_REFUSED,
		"a worker with ID %s already uses this database: process %lld "
		"on host %.64s; set another [worker] id, or FLOWRRA_WORKER_ID",
		b->opt.worker,
		(long long)json_integer_value(json_object_get(other, "pid")),
		host != NULL ? host : "?");
	json_decref(other);
	tx_end(tx, SQL_WORKER_DESCRIPTION);
	return 0;
}

/*
 * May run again after a rollback, hence what is undone first. A worker that is
 * refused has changed nothing: the row of its name is the other one's.
 */
static int
enter_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct entering *e = container_of(job, struct entering, job);
	struct sbroker *b = container_of(e, struct sbroker, entering);
	const struct slice sock = tx_wake_socket(tx, err);

	sclaims_free(&e->found);
	e->refused.code = ERR_NONE;
	if (e->lock_fd >= 0)
		close(e->lock_fd);
	e->lock_fd = -1;
	if (sock.p == NULL ||
	    tx_first(tx, err, SQL_WORKER_ENTER, slice_of(b->opt.worker)) < 0)
		return -1;
	e->worker_id = tx_int(tx, SQL_WORKER_ENTER, 0);
	tx_end(tx, SQL_WORKER_ENTER);
	e->lock_fd = stakeover_lock(tx, e->worker_id, err);
	if (e->lock_fd == -2)
		return enter_refuse(b, tx, err);
	/* Not before the lock: orders go to the process that works. */
	if (e->lock_fd < 0 ||
	    tx_run(tx, err, SQL_WORKER_SOCKET, e->worker_id, sock,
		   slice_of(b->opt.token)) < 0 ||
	    tx_run(tx, err, SQL_SERVED_LEAVE, e->worker_id) < 0 ||
	    tx_first(tx, err, SQL_ORDERS_LAST) < 0)
		return -1;
	/* Older orders were for those who worked then. */
	e->last_order = tx_int(tx, SQL_ORDERS_LAST, 0);
	tx_end(tx, SQL_ORDERS_LAST);
	sdeputy_open_run(b, tx);
	if (name_queues(b, tx, err) != 0 || stakeover_sweep_run(tx, err) != 0)
		return -1;
	return recover(b, tx, err);
}

static void
enter_done(struct database_job *job, const struct err *err)
{
	struct sbroker *b = container_of(job, struct sbroker, entering.job);
	struct entering *e = &b->entering;

	(void)err; /* it is tried until it succeeds */
	if (e->refused.code != ERR_NONE) {
		b->opt.on_state(false, true, &e->refused, b->opt.arg);
		return;
	}
	b->worker_id = e->worker_id;
	b->lock_fd = e->lock_fd;
	e->lock_fd = -1;
	b->ordering.last = e->last_order;
	b->entered = true;
	sdeputy_serve(b);
	b->opt.on_state(true, false, NULL, b->opt.arg);
	sclaim_deliver(b, &e->found);
	sclaim_pump(b);
}

void
sworker_enter(struct sbroker *b)
{
	if (!b->entered)
		database_post(&b->user, &b->entering.job);
}

/* --- orders ------------------------------------------------------------ */

/* Copies the orders: they are handed out on the loop, outside the transaction.
 */
static int
order_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct ordering *o = container_of(job, struct ordering, job);
	struct slice message;
	int more;

	buf_reset(&o->messages);
	o->newest = o->last;
	more = tx_first(tx, err, SQL_ORDERS_SINCE, o->last);
	while (more == 1) {
		o->newest = tx_int(tx, SQL_ORDERS_SINCE, 0);
		message = tx_bytes(tx, SQL_ORDERS_SINCE, 1);
		buf_add(&o->messages, &message.len, sizeof(message.len));
		buf_add(&o->messages, message.p, message.len);
		more = tx_next(tx, err, SQL_ORDERS_SINCE);
	}
	if (more == 0 && o->messages.failed)
		return err_nomem(err);
	return more;
}

/* The next look may be under way while orders are handed out: it has a buffer
 * of its own. */
static void
order_done(struct database_job *job, const struct err *err)
{
	struct sbroker *b = container_of(job, struct sbroker, ordering.job);
	struct ordering *o = &b->ordering;
	struct buf messages = o->messages;
	size_t at = 0, len;

	o->messages = (struct buf)BUF_INIT;
	o->last = o->newest;
	o->under_way = false;
	if (o->again)
		sworker_wake(b);
	while (at < messages.len && b->opt.on_control != NULL) {
		memcpy(&len, messages.data + at, sizeof(len));
		at += sizeof(len);
		b->opt.on_control((struct slice){messages.data + at, len},
				  b->opt.arg);
		at += len;
	}
	buf_done(&messages);
}

void
sworker_wake(struct sbroker *b)
{
	b->ordering.again = b->ordering.under_way;
	if (b->ordering.under_way)
		return;
	b->ordering.under_way = true;
	database_post(&b->user, &b->ordering.job);
}

/* --- heartbeats -------------------------------------------------------- */

/*
 * How many queues this worker waits for, by the database. A worker that is not
 * among those any more was woken; should that have failed, because the socket
 * was removed, say, sclaim_check() makes it good.
 */
static int
count_waiters(struct sbroker *b, struct tx *tx, struct err *err)
{
	const struct slice sock = tx_wake_socket(tx, err);

	if (sock.p == NULL ||
	    tx_first(tx, err, SQL_QUEUE_WAITERS_COUNT, sock) < 0)
		return -1;
	b->beating.asleep =
	    (unsigned int)tx_int(tx, SQL_QUEUE_WAITERS_COUNT, 0);
	tx_end(tx, SQL_QUEUE_WAITERS_COUNT);
	return 0;
}

/* Whether the name is still this process', and whether it has told in time that
 * it lives. */
static int
beat_check(struct sbroker *b, struct tx *tx, struct err *err)
{
	const int found = tx_first(tx, err, SQL_WORKER_LIVES, b->worker_id,
				   slice_of(b->opt.token));
	int64_t expires;

	if (found < 0)
		return -1;
	b->beating.rival = found == 0;
	b->beating.late = false;
	if (found == 1) {
		expires = tx_int(tx, SQL_WORKER_LIVES, 0);
		b->beating.late = expires > 0 && expires < tx_now(tx);
		tx_end(tx, SQL_WORKER_LIVES);
	}
	return 0;
}

/* The heartbeat is also when expired records go, 500 at most, and when dead
 * workers are looked for: every worker does it, so none has to be chosen. */
static int
beat_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct sbroker *b = container_of(job, struct sbroker, beating.job);
	const struct slice description = {b->beating.description.data,
					  b->beating.description.len};
	int recall;

	if (beat_check(b, tx, err) != 0)
		return -1;
	if (b->beating.rival)
		return 0;
	if (tx_run(tx, err, SQL_WORKER_BEAT, b->worker_id, description,
		   tx_now(tx) + BROKER_HEARTBEAT_TTL_S * INT64_C(1000)) < 0 ||
	    srecords_tidy_run(tx, 500, SRECORDS_EXPIRE_BYTES, err) < 0 ||
	    count_waiters(b, tx, err) != 0 || stakeover_run(b, tx, err) != 0 ||
	    slanes_reconcile_run(tx, err) != 0 || swake_hung_run(tx, err) != 0)
		return -1;
	sdeputy_open_run(b, tx);
	recall = srecall_any_run(b, tx, err);
	b->beating.recall = recall == 1;
	return recall < 0 ? -1 : 0;
}

/* Another process has taken this worker for dead, and its name: there is no way
 * back. What it had claimed is the other one's. */
static void
beat_lose(struct sbroker *b)
{
	struct sclaim *c, *next;
	struct err why;

	for (c = TAILQ_FIRST(&b->claims); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->settling || c->lost)
			continue;
		c->lost = true;
		b->opt.on_lost(&c->pub, b->opt.arg);
	}
	err_set(&why, ERR_REFUSED,
		"another process took over the worker ID %s while this one did "
		"not respond; set another [worker] id for one of them",
		b->opt.worker);
	b->entered = false;
	b->opt.on_state(false, true, &why, b->opt.arg);
}

static void
beat_done(struct database_job *job, const struct err *err)
{
	struct sbroker *b = container_of(job, struct sbroker, beating.job);

	b->beating.under_way = false;
	if (err != NULL)
		return; /* the next one may be luckier */
	if (b->beating.rival) {
		beat_lose(b);
		return;
	}
	sdeputy_serve(b);
	if (b->beating.late)
		sdoubt_all(b);
	if (b->beating.recall)
		srecall_begin(b);
	sclaim_check(b, b->beating.asleep);
}

void
sbroker_heartbeat(struct broker *broker, struct slice description)
{
	struct sbroker *b = (struct sbroker *)broker;

	/* One that is still under way, on a slow disk, serves as this one. */
	if (!b->entered || b->beating.under_way)
		return;
	buf_reset(&b->beating.description);
	buf_add(&b->beating.description, description.p, description.len);
	if (b->beating.description.failed)
		return;
	b->beating.under_way = true;
	database_post(&b->user, &b->beating.job);
}

/* The last job of a worker that stops. */
struct leaving {
	struct database_job job;
	struct sbroker *broker;
};

/* The row stays, for its number and what may be in flight; the lock is let go
 * when the broker is closed. */
static int
leave_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct sbroker *b = container_of(job, struct leaving, job)->broker;
	const struct slice sock = tx_wake_socket(tx, err);

	int left;

	if (sock.p == NULL ||
	    (left = tx_run(tx, err, SQL_WORKER_LEAVE, b->worker_id,
			   slice_of(b->opt.token))) < 0)
		return -1;
	sdeputy_leave_run(b, tx);
	/* Of another process with this name, all stays. */
	if (left > 0 && tx_run(tx, err, SQL_SERVED_LEAVE, b->worker_id) < 0)
		return -1;
	return tx_run(tx, err, SQL_QUEUE_WAITERS_LEAVE, sock) < 0 ? -1 : 0;
}

static void
leave_drop(struct database_job *job)
{
	free(container_of(job, struct leaving, job));
}

static void
leave_done(struct database_job *job, const struct err *err)
{
	leave_drop(job);
}

void
sbroker_deregister(struct broker *broker)
{
	struct sbroker *b = (struct sbroker *)broker;
	struct leaving *leaving = calloc(1, sizeof(*leaving));

	if (!b->entered || leaving == NULL) {
		free(leaving);
		return;
	}
	leaving->broker = b;
	leaving->job.run = leave_run;
	leaving->job.done = leave_done;
	leaving->job.drop = leave_drop;
	database_post(&b->user, &leaving->job);
}

/* --- opening and closing ----------------------------------------------- */

void
sworker_init(struct sbroker *b)
{
	b->entering.job = (struct database_job){
	    .run = enter_run, .done = enter_done, .must = true};
	b->entering.lock_fd = -1;
	TAILQ_INIT(&b->entering.found);
	b->ordering.job = (struct database_job){
	    .run = order_run, .done = order_done, .must = true};
	b->beating.job =
	    (struct database_job){.run = beat_run, .done = beat_done};
	spass_init(b);
}

void
sworker_done(struct sbroker *b)
{
	sclaims_free(&b->claims);
	sclaims_free(&b->claiming.found);
	sclaims_free(&b->entering.found);
	sdeputy_serve_done(b);
	if (b->timer != NULL)
		event_free(b->timer);
	if (b->timer_fd >= 0)
		close(b->timer_fd);
	if (b->entering.lock_fd >= 0)
		close(b->entering.lock_fd);
	if (b->lock_fd >= 0)
		close(b->lock_fd);
	buf_done(&b->beating.description);
	buf_done(&b->ordering.messages);
	free(b->beating.suspects);
	if (b->doubting.under_way) {
		free(b->doubting.numbers);
		free(b->doubting.found);
	}
}
