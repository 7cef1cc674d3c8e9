/* SPDX-License-Identifier: MIT */
/* The operators' part of the broker contract: calls the implementation. */
#include "store/admin.h"

void
broker_queues(struct broker *b, struct slice queue, broker_value_fn *on_value,
	      void *arg)
{
	b->ops->admin->queues(b, queue, on_value, arg);
}

void
broker_workers(struct broker *b, broker_value_fn *on_value, void *arg)
{
	b->ops->admin->workers(b, on_value, arg);
}

void
broker_view(struct broker *b, const struct broker_view *view,
	    broker_page_fn *on_page, void *arg)
{
	b->ops->admin->view(b, view, on_page, arg);
}

void
broker_examine(struct broker *b, broker_value_fn *on_value, void *arg)
{
	b->ops->admin->examine(b, on_value, arg);
}

void
broker_pause(struct broker *b, struct slice queue, bool paused,
	     broker_value_fn *on_value, void *arg)
{
	b->ops->admin->pause(b, queue, paused, on_value, arg);
}

void
broker_purge(struct broker *b, struct slice queue, unsigned int n,
	     broker_page_fn *on_page, void *arg)
{
	b->ops->admin->purge(b, queue, n, on_page, arg);
}

void
broker_remove(struct broker *b, struct slice queue, struct slice id,
	      struct slice cursor, broker_page_fn *on_page, void *arg)
{
	b->ops->admin->remove(b, queue, id, cursor, on_page, arg);
}

void
broker_requeue(struct broker *b, struct slice queue,
	       struct broker_requeue *batch, size_t n,
	       broker_requeued_fn *on_done, void *arg)
{
	b->ops->admin->requeue(b, queue, batch, n, on_done, arg);
}
