/* SPDX-License-Identifier: MIT */
/*
 * Limits that the configuration has as defaults: the worker declares those of its
 * queues when it starts, and when it has read its configuration again, and asks for no
 * task meanwhile, so that none starts beyond them. It declares them once more when the
 * store is back, which may have lost them; what others have declared since stays then.
 *
 * The store decides what holds (store/admin.h); here it is told, and the log says what
 * has become of it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/limit.h"
#include "dispatch/state.h"
#include "store/admin.h"
#include "util/conf_task.h"
#include "util/log.h"

/* One that waits for its answer; the configuration may go before that. */
struct declare_item {
	struct dispatch *dispatch;
	struct declare_item *next;
	bool each_group;
	const char *queue; /* behind `task` */
	char task[];
};

static const char *
declare_queue(const struct conf_task *t)
{
	return *t->queue != '\0' ? t->queue : t->cpu_bound ? "cpu" : "io";
}

static bool
declare_serves(const struct dispatch *d, const char *queue)
{
	unsigned int i;

	for (i = 0; i < d->n_queues; i++)
		if (strcmp(d->queues[i].name, queue) == 0)
			return true;
	return false;
}

/* --- answers ------------------------------------------------------------------ */

static void
declare_log(const struct declare_item *i, enum broker_declared_how how,
	    struct slice worker)
{
	const struct dispatch *d = i->dispatch;
	const char *option = i->each_group ? "--each-group" : "--task ";
	const char *name = i->each_group ? "" : i->task;

	switch (how) {
	case BROKER_DECLARED_SET:
		log_info("[task %s]: its limit is in force in queue %s",
			 i->task, i->queue);
		break;
	case BROKER_DECLARED_CHANGED:
		if (slice_eq(worker, slice_of(d->opt.worker)))
			log_notice("[task %s]: its limit in queue %s has "
				   "changed",
				   i->task, i->queue);
		else
			log_notice("[task %s]: its limit is in force in queue "
				   "%s, and replaces the one that worker %.*s "
				   "declared",
				   i->task, i->queue, (int)worker.len,
				   worker.p);
		break;
	case BROKER_DECLARED_KEPT:
	case BROKER_DECLARED_GONE:
		log_notice("[task %s]: its limit is not in force in queue %s, "
			   "because a command has %s; to restore it, use "
			   "flowrractl limit set %s %s%s --declared",
			   i->task, i->queue,
			   how == BROKER_DECLARED_KEPT ? "set another limit"
						       : "removed it",
			   i->queue, option, name);
		break;
	case BROKER_DECLARED_SAME:
	case BROKER_DECLARED_NONE:
		break;
	}
}

/* The answers may come in any order. */
static void
declare_free(struct declare_item *item)
{
	struct declare_item **at = &item->dispatch->declare.items;

	while (*at != item)
		at = &(*at)->next;
	*at = item->next;
	free(item);
}

static void
on_declared(enum broker_declared_how how, struct slice worker,
	    const struct err *err, void *arg)
{
	struct declare_item *i = arg;
	struct dispatch *d = i->dispatch;

	if (err == NULL)
		declare_log(i, how, worker);
	else
		log_warning("[task %s]: cannot declare its limit in queue %s: "
			    "%s",
			    i->task, i->queue, err->msg);
	/* It is told when the store is back. */
	if (err != NULL && err->code == ERR_UNAVAILABLE)
		d->declare.told = false;
	declare_free(i);
	if (d->declare.items != NULL)
		return;
	declare_turn(d);
	dispatch_turn(d);
}

/* --- declaring ---------------------------------------------------------------- */

static struct declare_item *
declare_item_new(struct dispatch *d, const struct conf_task *t)
{
	const char *queue = declare_queue(t);
	const size_t len = strlen(t->name) + 1;
	struct declare_item *i =
	    calloc(1, sizeof(*i) + len + strlen(queue) + 1);

	if (i == NULL)
		return NULL;
	i->dispatch = d;
	i->each_group = *t->group != '\0';
	memcpy(i->task, t->name, len);
	memcpy(i->task + len, queue, strlen(queue) + 1);
	i->queue = i->task + len;
	i->next = d->declare.items;
	d->declare.items = i;
	return i;
}

static void
declare_one(struct dispatch *d, const struct conf_task *t, bool anew)
{
	struct broker_declaration declaration = {
	    .rule = {.kind = *t->group != '\0' ? LIMIT_EACH_GROUP : LIMIT_TASK,
		     .key = slice_of(*t->group != '\0' ? "" : t->name),
		     .concurrency = t->concurrency},
	    .by = slice_of(t->group),
	    .worker = d->opt.worker,
	    .anew = anew};
	struct declare_item *i;

	if (*t->rate != '\0') {
		limit_rate_read(t->rate, &declaration.rule, NULL);
		declaration.rule.burst = t->burst;
	}
	/* Without memory, at the next occasion. */
	if ((i = declare_item_new(d, t)) == NULL) {
		d->declare.told = false;
		return;
	}
	declaration.queue = slice_of(i->queue);
	broker_limits_declare(d->broker, &declaration, on_declared, i);
}

/* Of several tasks with a limit of each group of their queue, the first has its way:
 * which of them, is not to depend on who starts. */
static bool
declare_is_second(const struct conf *conf, size_t n)
{
	const struct conf_task *t = conf->tasks[n], *before;
	size_t i;

	for (i = 0; *t->group != '\0' && i < n; i++) {
		before = conf->tasks[i];
		if (*before->group == '\0' || !conf_task_has_limit(before) ||
		    strcmp(declare_queue(before), declare_queue(t)) != 0)
			continue;
		if (before->concurrency != t->concurrency ||
		    strcmp(before->rate, t->rate) != 0 ||
		    before->burst != t->burst ||
		    strcmp(before->group, t->group) != 0)
			log_warning("[task %s]: its limit is not used, because "
				    "[task %s] limits each group of queue %s",
				    t->name, before->name, declare_queue(t));
		return true;
	}
	return false;
}

void
declare_turn(struct dispatch *d)
{
	const bool anew = !d->declare.told;
	size_t i;

	if (!d->declare.wanted || d->declare.items != NULL ||
	    !broker_is_up(d->broker))
		return;
	d->declare.wanted = false;
	d->declare.told = true;
	d->declare.awaited = anew;
	for (i = 0; i < d->conf->n_tasks; i++)
		if (conf_task_has_limit(d->conf->tasks[i]) &&
		    conf_task_check(d->conf->tasks[i], NULL) == 0 &&
		    declare_serves(d, declare_queue(d->conf->tasks[i])) &&
		    !declare_is_second(d->conf, i))
			declare_one(d, d->conf->tasks[i], anew);
}

void
declare_limits(struct dispatch *d, bool anew)
{
	d->declare.wanted = true;
	if (anew)
		d->declare.told = false;
	declare_turn(d);
}

bool
declare_is_awaited(const struct dispatch *d)
{
	return d->declare.items != NULL && d->declare.awaited;
}

void
declare_close(struct dispatch *d)
{
	struct declare_item *i;

	while ((i = d->declare.items) != NULL) {
		d->declare.items = i->next;
		free(i);
	}
}
