/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: events.
 *
 * A listener has a row with its wake socket and the event that it read last. A
 * process that tells something writes events (told.c) only while there is a
 * listener, and wakes it. The listener looks behind that transaction, and writes
 * seldom how far it has read: each process drops what it has cached of the database
 * when another one has written.
 *
 * A new listener wakes every process that has a wake socket, and each of them
 * looks whether it is heard now, as it does with all records that it stores.
 *
 * Events are for people who watch: they may be missed, and that is told, but
 * they must never slow down the tasks. So they are not flushed, not tried
 * again, and bounded at each place where they wait.
 */
#include "store/sqlite/results.h"
#include "util/clock.h"
#include "util/timer.h"

/* So long is kept what a listener does not read. */
#define EVENTS_LIFE_MS (INT64_C(60) * 1000)
/* Between two rows of brief ones, each of which wakes all listeners: people see no
 * difference. Beyond so many bytes they go at once. */
#define EVENTS_GAP_MS 20
#define BRIEF_BYTES (256u << 10)
/* How often a process that tells looks whether its listeners are alive: so long
 * may events be written for one that was killed. */
#define SWEEP_MS 5000

/* --- telling: in the I/O thread ---------------------------------------- */

int
sevents_heard_run(struct tx *tx, unsigned int *ret_heard, struct err *err)
{
	if (tx_first(tx, err, SQL_LISTENERS_ANY) < 0)
		return -1;
	*ret_heard = (unsigned int)tx_int(tx, SQL_LISTENERS_ANY, 0);
	tx_end(tx, SQL_LISTENERS_ANY);
	return 0;
}

/* Listeners whose process is gone. All of a name is kept, however long it is: a
 * part of it would find the same row again, for ever. */
static int
events_sweep_listeners(struct tx *tx, struct buf *name, struct err *err)
{
	struct slice sock, last = SLICE("");
	int more;

	while ((more = tx_first(tx, err, SQL_LISTENERS_SOCKETS, last)) == 1) {
		sock = tx_bytes(tx, SQL_LISTENERS_SOCKETS, 0);
		buf_reset(name);
		buf_add(name, sock.p, sock.len);
		tx_end(tx, SQL_LISTENERS_SOCKETS);
		if (name->failed)
			return err_nomem(err);
		last = (struct slice){name->data, name->len};
		if (!tx_reaches(tx, last) &&
		    tx_run(tx, err, SQL_LISTENERS_LEAVE, last) < 0)
			return -1;
	}
	return more;
}

/* They, and what nobody has read for long. */
static int
events_sweep(struct tx *tx, struct err *err)
{
	struct buf name = BUF_INIT;
	const int result = events_sweep_listeners(tx, &name, err);

	buf_done(&name);
	if (result < 0 ||
	    tx_run(tx, err, SQL_EVENTS_EXPIRE, tx_now(tx) - EVENTS_LIFE_MS) < 0)
		return -1;
	return sevents_free_run(tx, err);
}

/* Brief ones are one row together: it is rows that cost. */
static int
events_write(struct spublishing *p, struct tx *tx, struct err *err)
{
	const struct buf *brief = &p->sent[RESULTS_BRIEF];
	struct slice event = {NULL, 0};
	struct sevents_end end;
	size_t at = 0;

	if (sevents_end_run(tx, &end, err) != 0)
		return -1;
	if (p->sent_missed &&
	    sevents_add_run(tx, &end, RESULTS_WHOLE, event, err) != 0)
		return -1;
	while (sevents_next(&p->sent[RESULTS_WHOLE], &at, &event))
		if (sevents_add_run(tx, &end, RESULTS_WHOLE, event, err) != 0)
			return -1;
	/* The last newline separates nothing. */
	event = (struct slice){brief->data, brief->len - 1};
	if (brief->len > 0 &&
	    sevents_add_run(tx, &end, RESULTS_BRIEF, event, err) != 0)
		return -1;
	return sevents_trim_run(tx, &end, err);
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
	if (p->found == 0)
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

static void publish(struct sresults *r);

static void
publish_on_due(void *arg)
{
	struct sresults *r = arg;

	r->publishing.sent_ms = 0;
	publish(r);
}

/* A client that only tells what it has changed itself ends soon: it does not ask
 * whether it is heard. The clock is not looked at for each event. */
static bool
publish_may_wait(struct sresults *r)
{
	struct spublishing *p = &r->publishing;
	int64_t wait_ms;

	if (!r->tells || p->hurry || p->missed || p->sent_ms == 0 ||
	    p->waiting[RESULTS_WHOLE].len > 0 ||
	    p->waiting[RESULTS_BRIEF].len >= BRIEF_BYTES)
		return false;
	if (p->due == NULL)
		p->due = timer_new(r->opt.base, publish_on_due, r);
	if (p->due == NULL || timer_pending(p->due))
		return p->due != NULL;
	wait_ms = p->sent_ms + EVENTS_GAP_MS - clock_mono_ms();
	return wait_ms > 0 && timer_set_ms(p->due, wait_ms) == 0;
}

/* The buffers change places, so that none is allocated again. */
static void
publish(struct sresults *r)
{
	struct spublishing *p = &r->publishing;
	struct buf empty;
	unsigned int i;

	if (p->under_way || (p->waiting[RESULTS_BRIEF].len == 0 &&
			     p->waiting[RESULTS_WHOLE].len == 0 && !p->missed))
		return;
	if (publish_may_wait(r))
		return;
	p->sent_ms = clock_mono_ms();
	p->job.bytes = 0;
	for (i = 0; i < RESULTS_DETAILS; i++) {
		empty = p->sent[i];
		p->sent[i] = p->waiting[i];
		p->waiting[i] = empty;
		buf_reset(&p->waiting[i]);
		p->job.bytes += p->sent[i].len;
	}
	p->sent_missed = p->missed;
	p->missed = false;
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
sresults_event(struct results *results, enum results_detail detail,
	       struct slice event)
{
	struct sresults *r = (struct sresults *)results;
	struct spublishing *p = &r->publishing;
	struct buf *waiting = &p->waiting[detail];

	if ((r->heard & 1u << detail) == 0)
		return;
	if (waiting->len + event.len > SEVENTS_MAX) {
		p->missed = true;
	} else if (detail == RESULTS_WHOLE) {
		sevents_append(waiting, event);
	} else {
		buf_add(waiting, event.p, event.len);
		buf_addc(waiting, '\n');
	}
	if (waiting->failed) {
		buf_reset(waiting);
		p->missed = true;
	}
	publish(r);
}

void
sevents_hurry(struct results *results)
{
	struct sresults *r = (struct sresults *)results;

	r->publishing.hurry = true;
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

/* A listener has its row before it says that it listens. */
void
sresults_expect(struct results *results, enum results_detail detail)
{
	((struct sresults *)results)->heard |= 1u << detail;
}

/* The first call asks; until the answer has come, nobody listens. */
unsigned int
sresults_heard(const struct results *results)
{
	struct sresults *r = (struct sresults *)results;

	if (!r->tells) {
		r->tells = true;
		hear(r);
	}
	return r->heard;
}

/* --- both -------------------------------------------------------------- */

void
sevents_wake(struct sresults *r)
{
	/* One that is heard learns with its next event when it is not. */
	if (r->tells && r->heard == 0)
		hear(r);
	sevents_look(r);
}

void
sevents_init(struct sresults *r)
{
	r->publishing.job =
	    (struct database_job){.run = publish_run, .done = publish_done};
	r->hearing.job =
	    (struct database_job){.run = hear_run, .done = hear_done};
	slisten_init(r);
}

void
sevents_done(struct sresults *r)
{
	unsigned int i;

	timer_free(r->publishing.due);
	timer_free(r->listening.save);
	for (i = 0; i < RESULTS_DETAILS; i++) {
		buf_done(&r->publishing.waiting[i]);
		buf_done(&r->publishing.sent[i]);
	}
	buf_done(&r->listening.events);
}
