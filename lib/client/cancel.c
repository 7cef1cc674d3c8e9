/* SPDX-License-Identifier: MIT */
/*
 * Cancelling tasks, wherever they are.
 *
 * No store can say in one step where a task is, and a task moves while we look.
 * So we look in the direction in which tasks move: first in its queue, then at
 * the workers, who are told to cancel it, and then in its queue again, where it
 * may have returned to (a retry, or a worker that stopped) before the command
 * came. A worker that claims it in between finds the command, which is kept for
 * some seconds (dispatch/cancelled_ids.h).
 *
 * A worker of another program (the Python package, say) takes a task out of its
 * queue and tells nobody but the record; it hears no commands. Such a task is
 * refused: to record it as cancelled would be wrong as soon as it ends.
 */
#include "client/cancel.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/deliver.h"
#include "client/load.h"
#include "client/put.h"
#include "codec/cancelled.h"
#include "codec/order.h"
#include "codec/task_json.h"
#include "core/result.h"
#include "core/task.h"
#include "store/admin.h"
#include "util/conf.h"
#include "util/pending.h"

/* Between a foreign worker's pop and its record lies a round trip to the
 * server: this is a hundred of them. */
#define FOREIGN_MS 200

/*
 * One task that is to be cancelled. Its record is edited rather than decoded: it
 * may be another program's, with members that we do not know or without some
 * that we would insist on, and it must still be cancelled.
 */
struct cancel {
	struct flowrra_client *client;
	const char *id;
	json_t *record;	 /* an object, as it was found */
	struct buf text; /* the same, as it is stored */
};

static const char *
cancel_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool
cancel_is_final(const json_t *record)
{
	const char *text = cancel_text(record, "status");
	enum result_status status;

	/* A state that we do not know is none that ends a task. */
	return text != NULL &&
	       result_status_parse(slice_of(text), &status) == 0 &&
	       result_status_final(status);
}

/* --- queries ----------------------------------------------------------- */

/* A search for the task in one queue, page by page. */
struct cancel_search {
	struct query q; /* key: the queue */
	struct slice id;
	struct buf cursor; /* of the page that is asked for */
	struct buf next;   /* of the one after it */
	bool (*is_it)(const struct cancel_search *s,
		      const struct broker_item *item);
	bool found;
};

static void
on_cancel_page(const struct broker_page *page, const struct err *err, void *arg)
{
	struct cancel_search *s = arg;
	size_t i;

	if (page == NULL) {
		query_end(&s->q, err);
		return;
	}
	for (i = 0; i < page->n && !s->found; i++)
		s->found = s->is_it(s, &page->items[i]);
	buf_reset(&s->next);
	buf_add(&s->next, page->next.p, page->next.len);
	if (s->next.failed)
		err_nomem(&s->q.op.err);
	query_end(&s->q, NULL);
}

/* 0 with *ret_found, or -1 with *err. A page may be empty and yet have another
 * one behind it. */
static int
cancel_search(struct cancel_search *s, bool *ret_found, struct err *err)
{
	struct buf cursor;
	int result;

	do {
		cursor = s->cursor;
		s->cursor = s->next;
		s->next = cursor;
		s->q.op.err.code = ERR_NONE;
		result = query_run(&s->q, err);
	} while (result == 0 && !s->found && s->next.len > 0);
	*ret_found = s->found;
	buf_done(&s->cursor);
	buf_done(&s->next);
	return result;
}

static struct slice
cancel_cursor(const struct cancel_search *s)
{
	return (struct slice){s->cursor.data, s->cursor.len};
}

static void
cancel_send_remove(struct query *q)
{
	struct cancel_search *s = container_of(q, struct cancel_search, q);

	broker_remove(q->client->broker, q->key, s->id, cancel_cursor(s),
		      on_cancel_page, s);
}

/* What is shown is the task that was removed. */
static bool
cancel_is_removed(const struct cancel_search *s, const struct broker_item *item)
{
	return true;
}

static int
cancel_remove_from(const struct cancel *x, const char *queue, bool *ret_found,
		   struct err *err)
{
	struct cancel_search s = {.q = {.client = x->client,
					.send = cancel_send_remove,
					.key = slice_of(queue)},
				  .id = slice_of(x->id),
				  .is_it = cancel_is_removed};

	return cancel_search(&s, ret_found, err);
}

static void
cancel_send_view(struct query *q)
{
	struct cancel_search *s = container_of(q, struct cancel_search, q);
	const struct broker_view view = {.queue = q->key,
					 .place = BROKER_IN_FLIGHT,
					 .cursor = cancel_cursor(s),
					 .n = BROKER_PAGE_MAX};

	broker_view(q->client->broker, &view, on_cancel_page, s);
}

static bool
cancel_is_held(const struct cancel_search *s, const struct broker_item *item)
{
	struct task *task;
	struct err why;
	bool is_it;

	/* Decoding is dear, and few have the id in them. */
	if (memmem(item->bytes.p, item->bytes.len, s->id.p, s->id.len) ==
		NULL ||
	    (task = load_task(item, &why)) == NULL)
		return false;
	is_it = slice_eq(slice_of(task->id), s->id);
	task_free(task);
	return is_it;
}

static int
cancel_find_held(const struct cancel *x, const char *queue, bool *ret_found,
		 struct err *err)
{
	struct cancel_search s = {.q = {.client = x->client,
					.send = cancel_send_view,
					.key = slice_of(queue)},
				  .id = slice_of(x->id),
				  .is_it = cancel_is_held};

	return cancel_search(&s, ret_found, err);
}

/* --- in any queue ------------------------------------------------------ */

/* The names of the queues, each with a NUL behind it, become the value. */
static void
on_cancel_queues(const struct queue_stats *queues, size_t n,
		 const struct err *err, void *arg)
{
	struct query *q = arg;
	size_t i;

	/* It may be the second attempt. */
	buf_reset(&q->value);
	for (i = 0; i < n; i++)
		buf_add(&q->value, queues[i].name, strlen(queues[i].name) + 1);
	if (q->value.failed)
		err_nomem(&q->op.err);
	query_end(q, err);
}

static void
cancel_send_queues(struct query *q)
{
	broker_queues(q->client->broker, q->key, on_cancel_queues, q);
}

typedef int cancel_step(const struct cancel *x, const char *queue,
			bool *ret_found, struct err *err);

/* Takes the step in each queue, until the task is found. */
static int
cancel_in_all_queues(const struct cancel *x, cancel_step *step, bool *ret_found,
		     struct err *err)
{
	struct query q = {.client = x->client, .send = cancel_send_queues};
	int result = 0;
	size_t at;

	*ret_found = false;
	if (query_run(&q, err) != 0)
		return -1;
	for (at = 0; at < q.value.len && result == 0 && !*ret_found;
	     at += strlen(q.value.data + at) + 1)
		result = step(x, q.value.data + at, ret_found, err);
	buf_done(&q.value);
	return result;
}

/* The same in the queue that the record names. A record of another program need not
 * name one. */
static int
cancel_in_queues(const struct cancel *x, cancel_step *step, bool *ret_found,
		 struct err *err)
{
	const char *queue = cancel_text(x->record, "queue");

	*ret_found = false;
	return queue != NULL ? step(x, queue, ret_found, err)
			     : cancel_in_all_queues(x, step, ret_found, err);
}

/* What is malformed, or what this user may not reach, is not there. */
static int
cancel_excuse(const struct err *why, struct err *err)
{
	if (why->code == ERR_DATA || why->code == ERR_REFUSED)
		return 0;
	*err = *why;
	return -1;
}

static int
cancel_remove_if_allowed(const struct cancel *x, const char *queue,
			 bool *ret_found, struct err *err)
{
	struct err why = ERR_INIT;

	return cancel_remove_from(x, queue, ret_found, &why) == 0
		   ? 0
		   : cancel_excuse(&why, err);
}

static int
cancel_deliver(const struct cancel *x, const char *queue, bool *ret_found,
	       struct err *err)
{
	struct err why = ERR_INIT;

	*ret_found = false;
	return client_deliver(x->client, queue, &why) >= 0
		   ? 0
		   : cancel_excuse(&why, err);
}

/*
 * One that is being moved to another queue: its record names that queue before it
 * leaves its own, and in between it is in neither. So all are searched, what has left
 * them is delivered, and they are searched again, in the order in which it moves.
 */
static int
cancel_remove_moving(const struct cancel *x, bool *ret_found, struct err *err)
{
	if (cancel_in_all_queues(x, cancel_remove_if_allowed, ret_found, err) !=
	    0)
		return -1;
	if (*ret_found)
		return 0;
	if (cancel_in_all_queues(x, cancel_deliver, ret_found, err) != 0)
		return -1;
	return cancel_in_all_queues(x, cancel_remove_if_allowed, ret_found,
				    err);
}

/* --- the task ---------------------------------------------------------- */

/* The record of a task that was removed: as it was, but failed. */
static int
cancel_store(const struct cancel *x, struct err *err)
{
	struct put_query put = {.q = {.client = x->client,
				      .send = put_send_failed,
				      .of_results = true,
				      .key = slice_of(x->id)}};
	struct buf text = BUF_INIT;
	int result;

	result =
	    cancelled_write((struct slice){x->text.data, x->text.len},
			    x->client->conf->worker.foreign_times, &text, err);
	put.record = (struct slice){text.data, text.len};
	if (result == 0)
		result = query_run(&put.q, err);
	buf_done(&text);
	if (result != 0)
		return err_prefix(
		    err, "task %s was removed from its queue, but", x->id);
	if (put.answer == RESULTS_ENDED)
		return err_set(err, ERR_REFUSED,
			       "cannot cancel task %s: it has finished "
			       "meanwhile",
			       x->id);
	/* A program that cancels often ends right after. */
	put_flush(x->client);
	return 0;
}

static int
cancel_order(const struct cancel *x, struct err *err)
{
	/* Not sent twice: a worker that gets the second one after the task has
	 * ended would keep it for a task of that id that comes later. */
	struct query q = {
	    .client = x->client, .once = true, .send = query_send_control};
	const struct order order = {.kind = ORDER_CANCEL,
				    .subject = slice_of(x->id)};
	struct buf message = BUF_INIT;
	int result;

	order_write(&order, &message);
	q.key = (struct slice){message.data, message.len};
	result = message.failed ? err_nomem(err) : query_run(&q, err);
	buf_done(&q.value);
	buf_done(&message);
	return result;
}

/* Whether a worker of another program has the task, by its record: ours name
 * themselves in it. */
static bool
cancel_is_foreign(const json_t *record)
{
	const char *status = cancel_text(record, "status");

	return status != NULL && strcmp(status, "pending") != 0 &&
	       cancel_text(record, "worker") == NULL;
}

/*
 * It has not ended, and is nowhere: who removed it died before it could store
 * that, or a worker of another program has it. That one says so in the record
 * right after it has taken the task, so what still waits is looked at twice.
 * The record is read last, since a task ends there first.
 */
static int
cancel_find_lost(const struct cancel *x, bool *ret_lost, struct err *err)
{
	const struct timespec pause = {.tv_nsec = FOREIGN_MS * 1000000L};
	bool held;
	json_t *now;
	int i, result = 0;

	*ret_lost = true;
	for (i = 0; i < 2 && *ret_lost && result == 0; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		if (cancel_in_queues(x, cancel_find_held, &held, err) != 0 ||
		    (now = load_record(x->client, x->id, NULL, err)) == NULL)
			return -1;
		*ret_lost =
		    !held && json_is_object(now) && !cancel_is_final(now);
		if (*ret_lost && cancel_is_foreign(now))
			result = err_set(
			    err, ERR_REFUSED,
			    "cannot cancel task %s: a worker of another "
			    "program runs it (its record names no worker, and "
			    "no worker of Flowrra has it), which takes no "
			    "commands; wait for its end, or stop that worker",
			    x->id);
		json_decref(now);
	}
	return result;
}

/*
 * A task that is in no queue, or whose record says that it runs. The worker
 * that has it is told; but the task may have gone back to its queue before.
 * *ret_found: it was there, or it is nowhere.
 */
static int
cancel_running(const struct cancel *x, bool *ret_found, struct err *err)
{
	bool held;

	*ret_found = false;
	if (cancel_order(x, err) != 0 ||
	    cancel_in_queues(x, cancel_find_held, &held, err) != 0)
		return -1;
	if (held)
		return 0;
	if (cancel_in_queues(x, cancel_remove_from, ret_found, err) != 0)
		return -1;
	/* One that a foreign worker has is not searched for in all queues. */
	if (!*ret_found && !cancel_is_foreign(x->record) &&
	    cancel_remove_moving(x, ret_found, err) != 0)
		return -1;
	return *ret_found ? 0 : cancel_find_lost(x, ret_found, err);
}

static int
cancel_found(const struct cancel *x, enum cancel_outcome *ret_outcome,
	     struct err *err)
{
	const char *status = cancel_text(x->record, "status");
	bool found = false;

	if (cancel_is_final(x->record))
		return err_set(err, ERR_REFUSED,
			       "cannot cancel task %s: it has finished (%s)",
			       x->id, status);
	/* A search in a long queue is dear, and a running task is not there. */
	if ((status == NULL || strcmp(status, "running") != 0) &&
	    cancel_in_queues(x, cancel_remove_from, &found, err) != 0)
		return -1;
	if (!found && cancel_running(x, &found, err) != 0)
		return -1;
	if (found && cancel_store(x, err) != 0)
		return -1;
	*ret_outcome = found ? CANCEL_DONE : CANCEL_ORDERED;
	return 0;
}

int
client_cancel(struct flowrra_client *c, const char *id,
	      enum cancel_outcome *ret_outcome, struct err *err)
{
	struct cancel x = {.client = c, .id = id, .text = BUF_INIT};
	int result;

	if (client_check(c, err) != 0)
		return -1;
	if (!task_id_valid(slice_of(id)))
		return err_set(err, ERR_DATA,
			       "\"%.64s\" is not a valid task ID", id);
	x.record = load_record(c, id, &x.text, err);
	if (x.record == NULL) {
		buf_done(&x.text);
		return -1;
	}
	result = json_is_null(x.record)
		     ? err_set(err, ERR_NOT_FOUND, "no record of task %s", id)
		     : cancel_found(&x, ret_outcome, err);
	json_decref(x.record);
	buf_done(&x.text);
	return result;
}

int
flowrra_cancel(struct flowrra_client *c, const char *id,
	       struct flowrra_error *error)
{
	enum cancel_outcome outcome;
	struct err err = ERR_INIT;

	return client_cancel(c, id, &outcome, &err) == 0
		   ? 0
		   : client_fail(error, &err);
}

int
client_take_out(struct flowrra_client *c, const char *queue, const char *id,
		bool *ret_found, struct err *err)
{
	const struct cancel x = {.client = c, .id = id};

	return client_check(c, err) == 0
		   ? cancel_remove_from(&x, queue, ret_found, err)
		   : -1;
}
