/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: listening to events, which events.c tells.
 */
#include <stdlib.h>

#include "store/sqlite/results.h"
#include "util/timer.h"

/* So often it is written how far a listener has read: what it has read is kept for
 * as long. */
#define SAVE_MS 1000

/* --- listening: in the I/O thread -------------------------------------- */

/* A new listener begins behind the newest event, read or removed. */
static int
listener_enlist(struct slistening *l, struct tx *tx, struct err *err)
{
	const struct slice sock = tx_wake_socket(tx, err);

	if (sock.p == NULL || sevents_newest_run(tx, &l->newest, err) != 0)
		return -1;
	if (tx_first(tx, err, SQL_LISTENER_ADD, sock, l->newest,
		     (int64_t)(l->detail == RESULTS_WHOLE)) < 0)
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
listener_save(struct slistening *l, struct tx *tx, struct err *err)
{
	const int changed =
	    tx_run(tx, err, SQL_LISTENER_SET, l->number, l->newest);

	if (changed < 0)
		return -1;
	if (changed == 0) { /* somebody took us for dead */
		l->missed = true;
		return listener_enlist(l, tx, err);
	}
	return sevents_free_run(tx, err);
}

/* Enlists, or reads what has come. */
static int
listen_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct slistening *l = container_of(job, struct slistening, job);
	int more;

	buf_reset(&l->events);
	l->newest = l->seen;
	l->missed = false;
	if (!l->registered)
		return listener_enlist(l, tx, err);
	more = sevents_read_run(tx, &l->newest, l->detail, &l->events, err);
	if (more < 0)
		return -1;
	l->drained = more == 0;
	return l->saves && l->newest != l->saved ? listener_save(l, tx, err)
						 : 0;
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
	return sevents_free_run(tx, err);
}

/* --- listening: on the loop -------------------------------------------- */

void
sevents_look(struct sresults *r)
{
	struct slistening *l = &r->listening;

	l->again = l->under_way;
	if (l->under_way || l->ear.on_event == NULL)
		return;
	l->under_way = true;
	l->saves = l->save == NULL || !timer_pending(l->save);
	l->detail = l->ear.detail;
	database_post(&r->user, &l->job);
}

static void
listener_on_save(void *arg)
{
	struct sresults *r = arg;

	if (r->listening.seen != r->listening.saved)
		sevents_look(r);
}

/* The first of many events is saved at once, the others after some time. */
static void
listener_saved(struct sresults *r)
{
	struct slistening *l = &r->listening;

	if (!l->saves || l->saved == l->newest)
		return;
	l->saved = l->newest;
	if (l->save == NULL)
		l->save = timer_new(r->opt.base, listener_on_save, r);
	if (l->save != NULL)
		timer_set_ms(l->save, SAVE_MS);
}

static void
listener_tell_missed(struct sresults *r)
{
	struct err err;

	if (r->listening.ear.on_event == NULL)
		return;
	err_set(&err, ERR_UNAVAILABLE,
		"%s: some events are missing: more happened than can be kept",
		database_name(&r->user));
	r->listening.ear.on_event((struct slice){NULL, 0}, &err,
				  r->listening.ear.arg);
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
	if (l->ear.on_event != NULL && !l->told_ready) {
		l->told_ready = true;
		if (l->ear.on_ready != NULL)
			l->ear.on_ready(l->ear.arg);
	}
	while (l->ear.on_event != NULL && sevents_next(events, &at, &event)) {
		if (event.len > 0)
			l->ear.on_event(event, NULL, l->ear.arg);
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
	listener_saved(r);
	l->under_way = l->left = false;
	l->registered = !left;
	if (!left)
		listener_hand_over(r, &events);
	buf_done(&events);
	if (r->dead)
		free(r);
	else if (l->again || more)
		sevents_look(r);
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

	if (l->ear.on_event == NULL)
		return;
	l->ear.on_event = NULL;
	if (l->save != NULL)
		timer_cancel(l->save);
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
sresults_listen(struct results *results, const struct results_ear *ear,
		struct err *err)
{
	struct sresults *r = (struct sresults *)results;

	sevents_leave(r);
	if (ear == NULL)
		return 0;
	r->listening.ear = *ear;
	r->listening.told_ready = false;
	sevents_look(r);
	return 0;
}

void
slisten_init(struct sresults *r)
{
	r->listening.job = (struct database_job){.run = listen_run,
						 .done = listen_done,
						 .absent = DATABASE_AWAIT,
						 .must = true};
}
