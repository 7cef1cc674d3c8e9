/* SPDX-License-Identifier: MIT */
/*
 * Waiting without standing still: a client whose descriptor is in another loop,
 * and tasks that are watched from there.
 *
 * A watch is an operation of the loop that nobody waits for. Its end is queued
 * as news, which the program is told when it dispatches, in a thread of its own
 * choice and with no lock of ours held.
 */
#include <stdlib.h>

#include "client/client.h"
#include "client/foreign.h"
#include "client/record.h"
#include "core/task.h"
#include "store/results.h"
#include "util/pending.h"

struct flowrra_watch {
	struct op op;
	struct readiness_waiter waiter;
	struct flowrra_client *client;
	struct foreign_news news;
	char id[FLOWRRA_ID_SIZE];
	flowrra_record_fn *on_record;
	void *arg;
	/* Of the loop. */
	struct results_watch *watch;
	bool ended;
	struct flowrra_record *record;
	struct err err;
};

/* --- the descriptor ------------------------------------------------------ */

/* Called by who leads, at the end of it. */
static void
client_update_foreign(void *arg)
{
	foreign_update(arg);
}

int
flowrra_client_fd(struct flowrra_client *c, struct flowrra_error *error)
{
	struct err err = ERR_INIT;
	struct foreign *f;

	if (client_check(c, &err) != 0)
		return client_fail(error, &err);
	if (c->foreign == NULL) {
		if ((f = foreign_new(loop_base(c->loop), &err)) == NULL)
			return client_fail(error, &err);
		c->foreign = f;
		loop_set_after(c->loop, client_update_foreign, f);
		loop_dispatch(c->loop);
	}
	return foreign_fd(c->foreign);
}

int
flowrra_client_dispatch(struct flowrra_client *c, struct flowrra_error *error)
{
	struct err err = ERR_INIT;

	if (client_check(c, &err) == 0 && c->foreign == NULL)
		err_set(&err, ERR_USAGE,
			"flowrra_client_fd() was not called for this client");
	if (err.code != ERR_NONE)
		return client_fail(error, &err);
	loop_dispatch(c->loop);
	foreign_tell(c->foreign);
	return 0;
}

/* --- watches ------------------------------------------------------------- */

/* On the loop. Nothing is called back any more after this. */
static void
watch_end(struct flowrra_watch *w)
{
	w->ended = true;
	readiness_cancel(&w->waiter);
	if (w->watch != NULL)
		results_unwatch(w->watch);
	w->watch = NULL;
	foreign_add(w->client->foreign, &w->news);
	loop_done(w->client->loop, &w->op);
}

static void
on_watch_record(struct slice json, const struct err *err, void *arg)
{
	struct flowrra_watch *w = arg;
	struct flowrra_record *record;

	if (w->ended)
		return;
	/* It lasts through outages, but not through being sent away. */
	if (err != NULL && err->code != ERR_REFUSED)
		return;
	if (err != NULL)
		w->err = *err;
	else if (json.len == 0)
		err_set(&w->err, ERR_NOT_FOUND, "no record of task %s", w->id);
	else if ((record = record_new(json, &w->err)) != NULL) {
		if (!record_final(record)) {
			flowrra_record_free(record);
			return;
		}
		w->record = record;
	}
	watch_end(w);
}

static void
on_watch_ready(struct readiness_waiter *waiter, const struct err *why)
{
	struct flowrra_watch *w =
	    container_of(waiter, struct flowrra_watch, waiter);

	if (why != NULL)
		w->err = *why;
	else
		w->watch = results_watch(w->client->results, slice_of(w->id),
					 on_watch_record, w, &w->err);
	if (w->err.code != ERR_NONE)
		watch_end(w);
}

static void
on_watch_start(struct op *op)
{
	struct flowrra_watch *w = container_of(op, struct flowrra_watch, op);

	if (client_results(w->client, &w->err) == NULL)
		watch_end(w);
	else
		readiness_await(&w->client->results_ready, &w->waiter);
}

/* In the thread that dispatches; the callback may free the watch. */
static void
watch_tell(struct foreign_news *news)
{
	struct flowrra_watch *w =
	    container_of(news, struct flowrra_watch, news);
	struct flowrra_record *record = w->record;
	struct flowrra_error error = {.code = FLOWRRA_OK};

	w->record = NULL;
	if (record == NULL)
		client_fail(&error, &w->err);
	w->on_record(record, record == NULL ? &error : NULL, w->arg);
}

int
flowrra_watch(struct flowrra_client *c, const char *id,
	      flowrra_record_fn *on_record, void *arg,
	      struct flowrra_watch **watch, struct flowrra_error *error)
{
	struct flowrra_watch *w;
	struct err err = ERR_INIT;

	if (client_check(c, &err) == 0 && c->foreign == NULL)
		err_set(&err, ERR_USAGE,
			"flowrra_client_fd() was not called for this client");
	else if (err.code == ERR_NONE && !task_id_valid(slice_of(id)))
		err_set(&err, ERR_DATA, "\"%.64s\" is not a valid task ID", id);
	if (err.code != ERR_NONE)
		return client_fail(error, &err);
	if ((w = calloc(1, sizeof(*w))) == NULL) {
		err_nomem(&err);
		return client_fail(error, &err);
	}
	w->client = c;
	w->on_record = on_record;
	w->arg = arg;
	snprintf(w->id, sizeof(w->id), "%s", id);
	w->op.start = on_watch_start;
	w->waiter.on_ready = on_watch_ready;
	w->news.tell = watch_tell;
	*watch = w;
	loop_begin(c->loop, &w->op);
	return 0;
}

/* A watch that goes on is ended where it goes on. */
struct watch_stop {
	struct op op;
	struct flowrra_watch *watch;
};

static void
on_watch_stop(struct op *op)
{
	struct watch_stop *stop = container_of(op, struct watch_stop, op);

	if (!stop->watch->ended)
		watch_end(stop->watch);
	loop_done(stop->watch->client->loop, op);
}

void
flowrra_unwatch(struct flowrra_watch *w)
{
	struct watch_stop stop = {.op = {.start = on_watch_stop}, .watch = w};
	struct err err;

	if (w == NULL)
		return;
	/* A child has no part in what its parent watches. */
	if (client_check(w->client, &err) == 0) {
		loop_call(w->client->loop, &stop.op);
		loop_finish(w->client->loop, &w->op);
		foreign_remove(w->client->foreign, &w->news);
		flowrra_record_free(w->record);
	}
	free(w);
}
