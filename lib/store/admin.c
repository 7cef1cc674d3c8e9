/* SPDX-License-Identifier: MIT */
/*
 * The operators' part of the broker contract: checks what is asked, and calls
 * the store.
 *
 * Operators type names, and programs pass on what others have typed. What is
 * wrong is refused here, once for all stores. The refusal comes from the loop,
 * as all answers do: a caller that were answered from within its call would
 * have to be ready for that. Only the store knows its loop and when it is
 * closed, so the store defers it.
 */
#include "store/admin.h"

#include <stdlib.h>

#include "util/name.h"

/* --- refusing ---------------------------------------------------------- */

/* The answer to a query that is wrong, until it can be given. `tell` says which
 * of the callbacks it is for. It lives on the heap, and ends in refusal_end()
 * in any case. */
struct refusal {
	void (*tell)(const struct refusal *r);
	struct err err;
	union {
		broker_value_fn *on_value;
		broker_queues_fn *on_queues;
		broker_limits_fn *on_limits;
		broker_declared_fn *on_declared;
		broker_page_fn *on_page;
		broker_requeued_fn *on_requeued;
		broker_dead_fn *on_dead;
	};
	void *arg;
	struct broker_requeue *batch;
	struct broker_dead *dead;
	size_t n;
};

static void
refusal_tell_value(const struct refusal *r)
{
	r->on_value((struct slice){NULL, 0}, &r->err, r->arg);
}

static void
refusal_tell_queues(const struct refusal *r)
{
	r->on_queues(NULL, 0, &r->err, r->arg);
}

static void
refusal_tell_limits(const struct refusal *r)
{
	r->on_limits(NULL, 0, (struct slice){NULL, 0}, &r->err, r->arg);
}

static void
refusal_tell_declared(const struct refusal *r)
{
	r->on_declared(BROKER_DECLARED_NONE, (struct slice){NULL, 0}, &r->err,
		       r->arg);
}

static void
refusal_tell_page(const struct refusal *r)
{
	r->on_page(NULL, &r->err, r->arg);
}

/* What cannot be there is not there, which is not an error. */
static void
refusal_tell_nothing(const struct refusal *r)
{
	const struct broker_page nothing = {.n = 0};

	r->on_page(&nothing, NULL, r->arg);
}

static void
refusal_tell_requeued(const struct refusal *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		r->batch[i].err = r->err;
	r->on_requeued(r->batch, r->n, r->arg);
}

static void
refusal_tell_dead(const struct refusal *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		r->dead[i].err = r->err;
	r->on_dead(r->dead, r->n, r->arg);
}

/* After broker_close() nobody may be called back. */
static void
refusal_end(void *arg, bool closed)
{
	struct refusal *r = arg;

	if (!closed)
		r->tell(r);
	free(r);
}

/* Takes a copy of the refusal. */
static void
refuse(struct broker *b, const struct refusal *refusal)
{
	struct refusal *r = malloc(sizeof(*r));

	if (r != NULL) {
		*r = *refusal;
		if (b->ops->admin->defer(b, refusal_end, r) == 0)
			return;
	}
	/* There is no memory to wait with: see broker.h. */
	free(r);
	refusal->tell(refusal);
}

static void
refuse_page(struct broker *b, const struct err *err, broker_page_fn *on_page,
	    void *arg)
{
	const struct refusal r = {.tell = refusal_tell_page,
				  .err = *err,
				  .on_page = on_page,
				  .arg = arg};

	refuse(b, &r);
}

/* --- checking ---------------------------------------------------------- */

/* A limit is about how many are shown, so one that is out of range is not worth
 * an error. */
static unsigned int
page_limit(unsigned int n)
{
	return n < 1 ? 1 : n < BROKER_PAGE_MAX ? n : BROKER_PAGE_MAX;
}

/* An empty name means all queues. */
void
broker_queues(struct broker *b, struct slice queue, broker_queues_fn *on_queues,
	      void *arg)
{
	struct refusal r = {
	    .tell = refusal_tell_queues, .on_queues = on_queues, .arg = arg};

	if (queue.len > 0 && name_check_queue(queue, ERR_DATA, &r.err) != 0)
		refuse(b, &r);
	else
		b->ops->admin->queues(b, queue, on_queues, arg);
}

void
broker_workers(struct broker *b, broker_workers_fn *on_workers, void *arg)
{
	b->ops->admin->workers(b, on_workers, arg);
}

void
broker_find(struct broker *b, enum broker_location place,
	    broker_found_fn *on_found, void *arg)
{
	b->ops->admin->find(b, place, on_found, arg);
}

void
broker_view(struct broker *b, const struct broker_view *view,
	    broker_page_fn *on_page, void *arg)
{
	struct broker_view checked = *view;
	struct err err;

	checked.n = page_limit(view->n);
	if (view->place != BROKER_DELAYED && view->place != BROKER_DEAD)
		checked.until_ms = checked.skip = 0;
	if (view->place != BROKER_DEAD)
		checked.key = (struct slice){NULL, 0};
	if (name_check_queue(view->queue, ERR_DATA, &err) != 0)
		refuse_page(b, &err, on_page, arg);
	else
		b->ops->admin->view(b, &checked, on_page, arg);
}

void
broker_examine(struct broker *b, broker_report_fn *on_report, void *arg)
{
	b->ops->admin->examine(b, on_report, arg);
}

void
broker_try(struct broker *b, broker_value_fn *on_value, void *arg)
{
	/* Nothing is registered under that name; but for an answer the broker
	 * must be there. */
	if (b->ops->admin->try == NULL)
		broker_registered(b, SLICE("-"), on_value, arg);
	else
		b->ops->admin->try(b, on_value, arg);
}

void
broker_pause(struct broker *b, struct slice queue, bool paused,
	     broker_value_fn *on_value, void *arg)
{
	struct refusal r = {
	    .tell = refusal_tell_value, .on_value = on_value, .arg = arg};

	if (name_check_queue(queue, ERR_DATA, &r.err) != 0)
		refuse(b, &r);
	else
		b->ops->admin->pause(b, queue, paused, on_value, arg);
}

void
broker_limits_get(struct broker *b, struct slice queue,
		  broker_limits_fn *on_limits, void *arg)
{
	struct refusal r = {
	    .tell = refusal_tell_limits, .on_limits = on_limits, .arg = arg};

	if (name_check_queue(queue, ERR_DATA, &r.err) != 0)
		refuse(b, &r);
	else
		b->ops->admin->limits_get(b, queue, on_limits, arg);
}

static int
check_limit(const struct broker_limit_change *change, struct err *err)
{
	const struct limit_rule *rule = &change->rule;

	if (name_check_queue(change->queue, ERR_DATA, err) != 0 ||
	    (rule->kind == LIMIT_TASK &&
	     name_check_task(rule->key, ERR_DATA, err) != 0) ||
	    (rule->kind == LIMIT_GROUP &&
	     limit_check_group(rule->key, ERR_DATA, err) != 0) ||
	    (change->by.len > 0 && !slice_eq(change->by, SLICE("-")) &&
	     limit_check_path(change->by, ERR_DATA, err) != 0))
		return -1;
	return change->unset ? 0 : limit_check_rule(rule, err);
}

void
broker_limits_change(struct broker *b, const struct broker_limit_change *change,
		     broker_value_fn *on_value, void *arg)
{
	struct refusal r = {
	    .tell = refusal_tell_value, .on_value = on_value, .arg = arg};

	if (check_limit(change, &r.err) != 0)
		refuse(b, &r);
	else
		b->ops->admin->limits_change(b, change, on_value, arg);
}

void
broker_limits_declare(struct broker *b,
		      const struct broker_declaration *declaration,
		      broker_declared_fn *on_declared, void *arg)
{
	const struct broker_limit_change change = {.queue = declaration->queue,
						   .rule = declaration->rule,
						   .by = declaration->by,
						   .unset =
						       declaration->restores};
	struct refusal r = {.tell = refusal_tell_declared,
			    .on_declared = on_declared,
			    .arg = arg};

	if (check_limit(&change, &r.err) != 0)
		refuse(b, &r);
	else
		b->ops->admin->limits_declare(b, declaration, on_declared, arg);
}

void
broker_purge(struct broker *b, struct slice queue, unsigned int n,
	     broker_page_fn *on_page, void *arg)
{
	struct err err;

	if (name_check_queue(queue, ERR_DATA, &err) != 0)
		refuse_page(b, &err, on_page, arg);
	else
		b->ops->admin->purge(b, queue, page_limit(n), on_page, arg);
}

/* Whether one task of a queue is refused: nothing has an ID that no task may have. */
static bool
refuse_task(struct broker *b, struct slice queue, struct slice id,
	    broker_page_fn *on_page, void *arg)
{
	const struct refusal nothing = {
	    .tell = refusal_tell_nothing, .on_page = on_page, .arg = arg};
	struct err err;

	if (name_check_queue(queue, ERR_DATA, &err) != 0)
		refuse_page(b, &err, on_page, arg);
	else if (!task_id_valid(id))
		refuse(b, &nothing);
	else
		return false;
	return true;
}

void
broker_remove(struct broker *b, struct slice queue, struct slice id,
	      struct slice cursor, broker_page_fn *on_page, void *arg)
{
	if (!refuse_task(b, queue, id, on_page, arg))
		b->ops->admin->remove(b, queue, id, cursor, on_page, arg);
}

void
broker_hasten(struct broker *b, struct slice queue, struct slice id,
	      struct slice cursor, broker_page_fn *on_page, void *arg)
{
	if (!refuse_task(b, queue, id, on_page, arg))
		b->ops->admin->hasten(b, queue, id, cursor, on_page, arg);
}

void
broker_send_off(struct broker *b, const struct broker_send_off *s,
		broker_page_fn *on_page, void *arg)
{
	struct err err;

	if (name_check_queue(s->to, ERR_DATA, &err) != 0)
		refuse_page(b, &err, on_page, arg);
	else if (slice_eq(s->queue, s->to))
		refuse_page(b,
			    (err_set(&err, ERR_DATA,
				     "tasks of queue %.*s cannot be moved to "
				     "the same queue",
				     (int)s->to.len, s->to.p),
			     &err),
			    on_page, arg);
	else if (!refuse_task(b, s->queue, s->id, on_page, arg))
		b->ops->admin->send_off(b, s, on_page, arg);
}

void
broker_deliver(struct broker *b, struct slice queue, broker_value_fn *on_value,
	       void *arg)
{
	struct refusal r = {
	    .tell = refusal_tell_value, .on_value = on_value, .arg = arg};

	if (name_check_queue(queue, ERR_DATA, &r.err) != 0)
		refuse(b, &r);
	else if (b->ops->admin->deliver != NULL)
		b->ops->admin->deliver(b, queue, on_value, arg);
	else
		broker_registered(b, SLICE("-"), on_value, arg);
}

void
broker_requeue(struct broker *b, struct slice queue,
	       struct broker_requeue *batch, size_t n,
	       broker_requeued_fn *on_done, void *arg)
{
	struct refusal r = {.tell = refusal_tell_requeued,
			    .on_requeued = on_done,
			    .arg = arg,
			    .batch = batch,
			    .n = n};
	size_t i;

	/* A caller that sends a batch again finds no old answers in it. */
	for (i = 0; i < n; i++) {
		batch[i].found = false;
		batch[i].err = (struct err)ERR_INIT;
	}
	if (name_check_queue(queue, ERR_DATA, &r.err) != 0)
		refuse(b, &r);
	else
		b->ops->admin->requeue(b, queue, batch, n, on_done, arg);
}

void
broker_add_dead(struct broker *b, struct slice queue, struct broker_dead *batch,
		size_t n, broker_dead_fn *on_done, void *arg)
{
	struct refusal r = {.tell = refusal_tell_dead,
			    .on_dead = on_done,
			    .arg = arg,
			    .dead = batch,
			    .n = n};
	size_t i;

	for (i = 0; i < n; i++) {
		batch[i].added = false;
		batch[i].err = (struct err)ERR_INIT;
	}
	if (name_check_queue(queue, ERR_DATA, &r.err) != 0)
		refuse(b, &r);
	else
		b->ops->admin->add_dead(b, queue, batch, n, on_done, arg);
}
