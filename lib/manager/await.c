/* SPDX-License-Identifier: MIT */
/*
 * Waiting for many tasks.
 *
 * A slot is open from await_add() until it is settled: by its final record, by
 * the answer that there is no record, or by the end of the time. Records that
 * have come wait in their slots for their turn; beyond RECORDS_MAX bytes they are
 * dropped, and read again when it comes.
 */
#include "manager/await.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/record.h"
#include "core/task.h"
#include "store/results.h"
#include "util/pending.h"

/* A result may have 32 MiB; most have some hundred bytes. */
#define RECORDS_MAX ((size_t)32 * 1024 * 1024)

struct slot {
	struct await *await;
	struct results_watch *watch;
	char id[TASK_ID_MAX + 1];
	size_t number;
	bool seen;	     /* it was looked at */
	bool settled, ended; /* ended: there is a final record */
	struct flowrra_record *record;
	size_t bytes; /* of the record, as long as it is kept */
	struct err err;
};

struct await {
	struct op op;
	struct readiness_waiter waiter;
	struct flowrra_client *client;
	struct slot *ring;
	size_t first, n;
	size_t n_watched; /* the first so many have, or need, no watch */
	size_t open, ended, failed, bytes;
	double timeout_s;
	struct event deadline;
	bool limited, expired, running;
	struct event input, moment;
	struct await_until until;
	enum await_why why;
};

static struct slot *
slot_at(const struct await *a, size_t i)
{
	return &a->ring[(a->first + i) % AWAIT_RING];
}

/* --- on the loop ------------------------------------------------------- */

static void
await_end(struct await *a, enum await_why why)
{
	a->why = why;
	a->running = false;
	readiness_cancel(&a->waiter);
	if (a->until.fd >= 0)
		event_del(&a->input);
	if (a->until.moment_ms > 0)
		event_del(&a->moment);
	loop_done(a->client->loop, &a->op);
}

static void
await_check(struct await *a)
{
	if (a->running && a->n_watched == a->n &&
	    (ssize_t)a->open <= a->until.low)
		await_end(a, AWAIT_ENOUGH);
}

static void
slot_settle(struct slot *slot)
{
	struct await *a = slot->await;

	if (slot->watch != NULL)
		results_unwatch(slot->watch);
	slot->watch = NULL;
	slot->settled = true;
	a->open--;
	a->ended++;
	a->failed +=
	    slot->record == NULL || slot->record->state != FLOWRRA_SUCCESS;
}

static void
slot_expire(struct slot *slot)
{
	err_set(&slot->err, ERR_TIMEOUT, "task %s has not finished within %g s",
		slot->id, slot->await->timeout_s);
	slot_settle(slot);
}

/* The end of a task. */
static void
slot_keep(struct slot *slot, struct flowrra_record *record, size_t bytes)
{
	struct await *a = slot->await;

	slot->ended = true;
	slot->record = record;
	slot_settle(slot);
	slot->bytes = bytes;
	a->bytes += bytes;
	if (a->bytes <= RECORDS_MAX)
		return;
	flowrra_record_free(record);
	slot->record = NULL;
	a->bytes -= bytes;
	slot->bytes = 0;
}

static void
on_slot_record(struct slice json, const struct err *err, void *arg)
{
	struct slot *slot = arg;
	struct await *a = slot->await;
	struct flowrra_record *record;

	if (slot->settled)
		return;
	slot->seen = true;
	if (err != NULL) {
		/* Else a sign of trouble, and the watch goes on. */
		if (err->code == ERR_REFUSED || a->expired) {
			slot->err = *err;
			slot_settle(slot);
		}
	} else if (json.len == 0) {
		err_set(&slot->err, ERR_NOT_FOUND, "no record of task %s",
			slot->id);
		slot_settle(slot);
	} else if ((record = record_new(json, &slot->err)) == NULL) {
		slot_settle(slot);
	} else if (record_final(record)) {
		slot_keep(slot, record, json.len);
	} else {
		flowrra_record_free(record);
		if (a->expired)
			slot_expire(slot);
	}
	await_check(a);
}

static void
on_await_ready(struct readiness_waiter *waiter, const struct err *why)
{
	struct await *a = container_of(waiter, struct await, waiter);
	struct slot *slot;

	if (why != NULL) {
		a->op.err = *why;
		await_end(a, AWAIT_ENOUGH);
		return;
	}
	for (; a->n_watched < a->n; a->n_watched++) {
		slot = slot_at(a, a->n_watched);
		if (slot->settled)
			continue;
		slot->watch =
		    results_watch(a->client->results, slice_of(slot->id),
				  on_slot_record, slot, &slot->err);
		if (slot->watch == NULL)
			slot_settle(slot);
	}
	await_check(a);
}

/* What has not finished is told as such, one by one. However short the time, each
 * has been looked at. */
static void
on_await_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct await *a = arg;
	size_t i;

	a->expired = true;
	for (i = 0; i < a->n; i++)
		if (slot_at(a, i)->seen && !slot_at(a, i)->settled)
			slot_expire(slot_at(a, i));
	if (a->running)
		await_end(a, AWAIT_MOMENT);
}

static void
on_await_input(evutil_socket_t fd, short what, void *arg)
{
	await_end(arg, AWAIT_INPUT);
}

static void
on_await_moment(evutil_socket_t fd, short what, void *arg)
{
	await_end(arg, AWAIT_MOMENT);
}

static void
on_await_start(struct op *op)
{
	struct await *a = container_of(op, struct await, op);
	struct event_base *base = loop_base(a->client->loop);
	const struct timeval moment = {
	    .tv_usec = (suseconds_t)a->until.moment_ms * 1000};

	a->running = true;
	if (client_results(a->client, &a->op.err) == NULL) {
		a->until.fd = -1;
		a->until.moment_ms = 0;
		await_end(a, AWAIT_ENOUGH);
		return;
	}
	if (a->until.fd >= 0) {
		event_assign(&a->input, base, a->until.fd, EV_READ,
			     on_await_input, a);
		event_add(&a->input, NULL);
	}
	if (a->until.moment_ms > 0) {
		evtimer_assign(&a->moment, base, on_await_moment, a);
		evtimer_add(&a->moment, &moment);
	}
	readiness_await(&a->client->results_ready, &a->waiter);
}

static void
on_await_begin(struct op *op)
{
	struct await *a = container_of(op, struct await, op);
	struct timeval timeout = {.tv_sec = (time_t)a->timeout_s};

	timeout.tv_usec =
	    (suseconds_t)((a->timeout_s - (double)timeout.tv_sec) * 1e6);
	evtimer_assign(&a->deadline, loop_base(a->client->loop),
		       on_await_deadline, a);
	evtimer_add(&a->deadline, &timeout);
	loop_done(a->client->loop, op);
}

static void
on_await_free(struct op *op)
{
	struct await *a = container_of(op, struct await, op);
	size_t i;

	if (a->limited)
		evtimer_del(&a->deadline);
	for (i = 0; i < a->n; i++)
		if (slot_at(a, i)->watch != NULL)
			results_unwatch(slot_at(a, i)->watch);
	loop_done(a->client->loop, op);
}

static void
await_call(struct await *a, void (*start)(struct op *op))
{
	memset(&a->op, 0, sizeof(a->op));
	a->op.start = start;
	loop_call(a->client->loop, &a->op);
}

/* --- for the caller ---------------------------------------------------- */

struct await *
await_new(struct flowrra_client *c, double timeout_s, struct err *err)
{
	struct await *a;

	if (client_check(c, err) != 0)
		return NULL;
	a = calloc(1, sizeof(*a));
	if (a == NULL ||
	    (a->ring = calloc(AWAIT_RING, sizeof(*a->ring))) == NULL) {
		free(a);
		err_nomem(err);
		return NULL;
	}
	a->client = c;
	a->waiter.on_ready = on_await_ready;
	a->timeout_s = timeout_s;
	a->limited = timeout_s >= 0 && timeout_s < TASK_DURATION_MAX_US / 1e6;
	if (a->limited)
		await_call(a, on_await_begin);
	return a;
}

void
await_free(struct await *a)
{
	size_t i;

	if (a == NULL)
		return;
	await_call(a, on_await_free);
	for (i = 0; i < a->n; i++)
		flowrra_record_free(slot_at(a, i)->record);
	free(a->ring);
	free(a);
}

bool
await_is_full(const struct await *a)
{
	return a->n == AWAIT_RING;
}

size_t
await_count(const struct await *a)
{
	return a->n;
}

size_t
await_open(const struct await *a)
{
	return a->open;
}

size_t
await_ended(const struct await *a)
{
	return a->ended;
}

bool
await_expired(const struct await *a)
{
	return a->expired;
}

size_t
await_failed(const struct await *a)
{
	return a->failed;
}

static struct slot *
slot_new(struct await *a, size_t number)
{
	struct slot *slot = slot_at(a, a->n++);

	*slot = (struct slot){.await = a, .number = number};
	a->open++;
	return slot;
}

void
await_add(struct await *a, const char *id, size_t number)
{
	struct slot *slot = slot_new(a, number);

	if (task_id_valid(slice_of(id))) {
		memcpy(slot->id, id, strlen(id) + 1);
		return;
	}
	err_set(&slot->err, ERR_DATA, "\"%.64s\" is not a valid task ID", id);
	slot_settle(slot);
}

void
await_add_failed(struct await *a, size_t number, const struct err *why)
{
	struct slot *slot = slot_new(a, number);

	slot->err = *why;
	slot_settle(slot);
}

int
await_run(struct await *a, const struct await_until *until, enum await_why *ret,
	  struct err *err)
{
	a->until = *until;
	a->why = AWAIT_ENOUGH;
	await_call(a, on_await_start);
	*ret = a->why;
	*err = a->op.err;
	return a->op.err.code == ERR_NONE ? 0 : -1;
}

/* A record that was dropped is read again; it may have expired meanwhile. */
static void
slot_give(struct await *a, struct slot *slot, struct awaited *ret)
{
	*ret = (struct awaited){slot->number, slot->record, slot->err};
	a->bytes -= slot->bytes;
	slot->record = NULL;
	slot->bytes = 0;
	if (slot->ended && ret->record == NULL)
		record_fetch(a->client, slot->id, &ret->record, &ret->err);
}

bool
await_take(struct await *a, struct awaited *ret)
{
	struct slot *slot = slot_at(a, 0);

	if (a->n == 0 || !slot->settled)
		return false;
	slot_give(a, slot, ret);
	a->first = (a->first + 1) % AWAIT_RING;
	a->n--;
	if (a->n_watched > 0)
		a->n_watched--;
	return true;
}
