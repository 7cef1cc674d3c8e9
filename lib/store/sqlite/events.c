/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: events.
 *
 * A listener has a row with its wake socket and the event that it read last. A
 * process that tells something writes rows only while there is a listener, and
 * wakes those that are asleep: that found nothing more to read, in the
 * transaction in which they looked. Rows that all have read are removed, and
 * the oldest ones when there are too many: numbers follow one another, so a
 * listener sees that some are missing.
 *
 * A new listener wakes every process that has a wake socket, and each of them
 * looks whether it is heard now, as it does with all records that it stores.
 *
 * Events are for people who watch: they may be missed, and that is told, but
 * they must never slow down the tasks. So they are not flushed, not tried
 * again, and bounded at each place where they wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/results.h"
#include "util/clock.h"
#include "util/sat.h"

/* What is kept for listeners that do not read: a bound for the file, and for
 * how far a listener that was stopped may lag. It is told that some are
 * missing. */
#define EVENTS_MAX 10000
#define EVENTS_BYTES (INT64_C(64) << 20)
#define EVENTS_LIFE_MS (INT64_C(60) * 1000)
/* What waits in memory to be written, while the disk is slow. */
#define WAITING_MAX (16u << 20)
/* Read in one transaction: it holds the writers' lock. */
#define READ_BYTES (1u << 20)
/* How often a process that tells looks whether its listeners are alive: so long
 * may events be written for one that was killed. */
#define SWEEP_MS 5000

/* --- runs of bytes with their lengths ---------------------------------- */

/* All of it or nothing; list->failed if memory ran out. */
static void
events_append(struct buf *list, struct slice item)
{
	if (buf_reserve(list, sizeof(item.len) + item.len) != 0)
		return;
	buf_add(list, &item.len, sizeof(item.len));
	buf_add(list, item.p, item.len);
}

/* The one at *at, which moves behind it; false if there is none. */
static bool
events_next(const struct buf *list, size_t *at, struct slice *ret)
{
	if (*at >= list->len)
		return false;
	memcpy(&ret->len, list->data + *at, sizeof(ret->len));
	ret->p = list->data + *at + sizeof(ret->len);
	*at += sizeof(ret->len) + ret->len;
	return true;
}

/* --- telling: in the I/O thread ---------------------------------------- */

int
sevents_heard_run(struct tx *tx, bool *ret_heard, struct err *err)
{
	const int more = tx_any(tx, err, SQL_LISTENERS_ANY);

	*ret_heard = more == 1;
	return more < 0 ? -1 : 0;
}

/* Listeners whose process is gone, and what nobody has read for long. */
static int
events_sweep(struct tx *tx, struct err *err)
{
	char name[64] = "";
	struct slice sock;
	int more;

	while ((more = tx_first(tx, err, SQL_LISTENERS_SOCKETS,
				slice_of(name))) == 1) {
		sock = tx_bytes(tx, SQL_LISTENERS_SOCKETS, 0);
		snprintf(name, sizeof(name), "%.*s", (int)sock.len, sock.p);
		tx_end(tx, SQL_LISTENERS_SOCKETS);
		if (!tx_reaches(tx, name) &&
		    tx_run(tx, err, SQL_LISTENERS_LEAVE, slice_of(name)) < 0)
			return -1;
	}
	if (more < 0 ||
	    tx_run(tx, err, SQL_EVENTS_EXPIRE, tx_now(tx) - EVENTS_LIFE_MS) < 0)
		return -1;
	return tx_run(tx, err, SQL_EVENTS_READ) < 0 ? -1 : 0;
}

/* The total of bytes goes on in each row, so that the size of all that is kept
 * is known by two rows. */
static int
events_write(struct spublishing *p, struct tx *tx, struct err *err)
{
	struct slice event = {NULL, 0};
	int64_t total;
	size_t at = 0;

	if (tx_first(tx, err, SQL_EVENTS_TOTAL) < 0)
		return -1;
	total = tx_int(tx, SQL_EVENTS_TOTAL, 0);
	tx_end(tx, SQL_EVENTS_TOTAL);
	/* An empty one says that some are missing. */
	if (p->sent_missed &&
	    tx_run(tx, err, SQL_EVENT_ADD, tx_now(tx), total, event) < 0)
		return -1;
	while (events_next(&p->sent, &at, &event)) {
		total = sat_add(total, (int64_t)event.len);
		if (tx_run(tx, err, SQL_EVENT_ADD, tx_now(tx), total, event) <
		    0)
			return -1;
	}
	return tx_run(tx, err, SQL_EVENTS_TRIM, (int64_t)EVENTS_MAX,
		      sat_sub(total, EVENTS_BYTES)) < 0
		   ? -1
		   : 0;
}

/* Looks for listeners in the transaction that writes: one that enlists later
 * begins behind these events. */
static int
publish_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct spublishing *p = container_of(job, struct spublishing, job);
	const int64_t now = clock_mono_ms();

	if (now - p->swept_ms >= SWEEP_MS) {
		p->swept_ms = now;
		if (events_sweep(tx, err) != 0)
			return -1;
	}
	if (sevents_heard_run(tx, &p->found, err) != 0)
		return -1;
	if (!p->found)
		return 0;
	if (events_write(p, tx, err) != 0)
		return -1;
	return swake_listeners_run(tx, err);
}

static int
hear_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct shearing *hearing = container_of(job, struct shearing, job);

	/* So that the next listener can wake us. */
	if (tx_wake_socket(tx, err).p == NULL)
		return -1;
	return sevents_heard_run(tx, &hearing->found, err);
}

/* --- telling: on the loop ---------------------------------------------- */

/* The two buffers change places, so that neither is allocated again. */
static void
publish(struct sresults *r)
{
	struct spublishing *p = &r->publishing;
	struct buf empty = p->sent;

	if (p->under_way || (p->waiting.len == 0 && !p->missed))
		return;
	p->sent = p->waiting;
	p->waiting = empty;
	buf_reset(&p->waiting);
	p->sent_missed = p->missed;
	p->missed = false;
	p->job.bytes = p->sent.len;
	p->under_way = true;
	database_post(&r->user, &p->job);
}

static void
publish_done(struct database_job *job, const struct err *err)
{
	struct sresults *r = container_of(job, struct sresults, publishing.job);
	struct spublishing *p = &r->publishing;

	p->under_way = false;
	if (err != NULL) {
		p->missed = true; /* said with the next ones */
		return;
	}
	r->heard = p->found;
	publish(r);
}

void
sresults_event(struct results *results, struct slice event)
{
	struct sresults *r = (struct sresults *)results;
	struct spublishing *p = &r->publishing;

	if (!r->heard)
		return;
	if (p->waiting.len + event.len > WAITING_MAX)
		p->missed = true;
	else
		events_append(&p->waiting, event);
	if (p->waiting.failed) {
		buf_reset(&p->waiting);
		p->missed = true;
	}
	publish(r);
}

/* It does not only read (`reads` is not set): it must come after a transaction
 * that is being committed, as all who were woken (database.h). */
static void
hear(struct sresults *r)
{
	struct shearing *h = &r->hearing;

	h->again = h->under_way;
	if (h->under_way)
		return;
	h->under_way = true;
	database_post(&r->user, &h->job);
}

static void
hear_done(struct database_job *job, const struct err *err)
{
	struct sresults *r = container_of(job, struct sresults, hearing.job);

	r->hearing.under_way = false;
	if (err == NULL)
		r->heard = r->hearing.found;
	if (r->hearing.again)
		hear(r);
}

/* The first call asks; until the answer has come, nobody listens. */
bool
sresults_heard(const struct results *results)
{
	struct sresults *r = (struct sresults *)results;

	if (!r->tells) {
		r->tells = true;
		hear(r);
	}
	return r->heard;
}

/* --- listening: in the I/O thread -------------------------------------- */

/* A new listener begins behind the newest event, read or removed. */
static int
listener_enlist(struct slistening *l, struct tx *tx, struct err *err)
{
	const struct slice sock = tx_wake_socket(tx, err);

	if (sock.p == NULL || tx_first(tx, err, SQL_EVENTS_SEQUENCE) < 0)
		return -1;
	l->newest = tx_int(tx, SQL_EVENTS_SEQUENCE, 0);
	tx_end(tx, SQL_EVENTS_SEQUENCE);
	if (tx_first(tx, err, SQL_LISTENER_ADD, sock, l->newest) < 0)
		return -1;
	l->number = tx_int(tx, SQL_LISTENER_ADD, 0);
	tx_end(tx, SQL_LISTENER_ADD);
	l->drained = true;
	/* All that may have something to tell look, when this is committed. */
	tx_sweep_sockets(tx);
	tx_wake(tx, sock);
	return 0;
}

static int
events_read(struct slistening *l, struct tx *tx, struct err *err)
{
	const enum statement_index sql = SQL_EVENTS_SINCE;
	struct slice event;
	int64_t number;
	int more = tx_first(tx, err, sql, l->seen);

	for (; more == 1; more = tx_next(tx, err, sql)) {
		number = tx_int(tx, sql, 0);
		/* An empty one stands for some that are missing. */
		if (number != sat_add(l->newest, 1))
			events_append(&l->events, (struct slice){NULL, 0});
		l->newest = number;
		event = tx_bytes(tx, sql, 1);
		events_append(&l->events, event);
		if (l->events.len >= READ_BYTES) {
			tx_end(tx, sql);
			break;
		}
	}
	l->drained = more == 0;
	if (l->events.failed)
		return err_nomem(err);
	return more < 0 ? -1 : 0;
}

/* Enlists, or reads what has come. Asleep is who has read all: the next event
 * wakes it. */
static int
listen_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct slistening *l = container_of(job, struct slistening, job);
	int changed;

	buf_reset(&l->events);
	l->newest = l->seen;
	l->missed = false;
	if (!l->registered)
		return listener_enlist(l, tx, err);
	if (events_read(l, tx, err) != 0)
		return -1;
	changed = tx_run(tx, err, SQL_LISTENER_SET, l->number, l->newest,
			 (int64_t)l->drained);
	if (changed < 0)
		return -1;
	if (changed == 0) { /* somebody took us for dead */
		l->missed = true;
		return listener_enlist(l, tx, err);
	}
	return tx_run(tx, err, SQL_EVENTS_READ) < 0 ? -1 : 0;
}

/* A listener that leaves. Its number is read when the job runs: a job that
 * enlists may be under way before it. */
struct parting {
	struct database_job job;
	struct slistening *listening;
};

static int
listener_part_run(struct database_job *job, struct tx *tx, struct err *err)
{
	const struct slistening *l =
	    container_of(job, struct parting, job)->listening;
	const struct slice sock = tx_wake_socket(tx, err);

	if (sock.p == NULL ||
	    tx_run(tx, err, SQL_LISTENER_DROP, l->number, sock) < 0)
		return -1;
	return tx_run(tx, err, SQL_EVENTS_READ) < 0 ? -1 : 0;
}

/* --- listening: on the loop -------------------------------------------- */

static void
listener_look(struct sresults *r)
{
	struct slistening *l = &r->listening;

	l->again = l->under_way;
	if (l->under_way || l->on_event == NULL)
		return;
	l->under_way = true;
	database_post(&r->user, &l->job);
}

static void
listener_tell_missed(struct sresults *r)
{
	struct err err;

	if (r->listening.on_event == NULL)
		return;
	err_set(&err, ERR_UNAVAILABLE,
		"%s: some events are missing: more happened than can be kept",
		database_name(&r->user));
	r->listening.on_event((struct slice){NULL, 0}, &err, r->listening.arg);
}

/* Hands over what was read; the listener may close the backend. */
static void
listener_hand_over(struct sresults *r, const struct buf *events)
{
	struct slistening *l = &r->listening;
	const bool missed = l->missed;
	struct slice event;
	size_t at = 0;

	l->telling = true;
	while (l->on_event != NULL && events_next(events, &at, &event)) {
		if (event.len > 0)
			l->on_event(event, NULL, l->arg);
		else
			listener_tell_missed(r);
	}
	if (missed)
		listener_tell_missed(r);
	l->telling = false;
}

/* It may have been left while its job was under way, and begun again since. */
static void
listen_done(struct database_job *job, const struct err *err)
{
	struct sresults *r = container_of(job, struct sresults, listening.job);
	struct slistening *l = &r->listening;
	struct buf events = l->events;
	const bool left = l->left, more = !l->drained;

	(void)err; /* it is tried until it succeeds */
	l->events = (struct buf)BUF_INIT;
	l->seen = l->newest;
	l->under_way = l->left = false;
	l->registered = !left;
	if (!left)
		listener_hand_over(r, &events);
	buf_done(&events);
	if (r->dead)
		free(r);
	else if (l->again || more)
		listener_look(r);
}

static void
listener_part_drop(struct database_job *job)
{
	free(container_of(job, struct parting, job));
}

static void
listener_part_done(struct database_job *job, const struct err *err)
{
	listener_part_drop(job);
}

void
sevents_leave(struct sresults *r)
{
	struct slistening *l = &r->listening;
	struct parting *p;

	if (l->on_event == NULL)
		return;
	l->on_event = NULL;
	l->left = l->under_way;
	if (!l->under_way)
		l->registered = false;
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return; /* it is swept when this process ends */
	p->listening = l;
	p->job = (struct database_job){.run = listener_part_run,
				       .done = listener_part_done,
				       .drop = listener_part_drop,
				       .absent = DATABASE_FAIL};
	database_post(&r->user, &p->job);
}

int
sresults_listen(struct results *results, results_event_fn *on_event, void *arg,
		struct err *err)
{
	struct sresults *r = (struct sresults *)results;

	sevents_leave(r);
	if (on_event == NULL)
		return 0;
	r->listening.on_event = on_event;
	r->listening.arg = arg;
	listener_look(r);
	return 0;
}

/* --- both -------------------------------------------------------------- */

void
sevents_wake(struct sresults *r)
{
	/* One that is heard learns with its next event when it is not. */
	if (r->tells && !r->heard)
		hear(r);
	listener_look(r);
}

void
sevents_init(struct sresults *r)
{
	r->publishing.job =
	    (struct database_job){.run = publish_run, .done = publish_done};
	r->hearing.job =
	    (struct database_job){.run = hear_run, .done = hear_done};
	r->listening.job = (struct database_job){.run = listen_run,
						 .done = listen_done,
						 .absent = DATABASE_AWAIT,
						 .must = true};
}

void
sevents_done(struct sresults *r)
{
	buf_done(&r->publishing.waiting);
	buf_done(&r->publishing.sent);
	buf_done(&r->listening.events);
}
