/* SPDX-License-Identifier: MIT */
/* The doctor: tasks that are stuck in queues. A queue is judged by what waits
 * in it and by the workers that say they serve it. */
#include <stdlib.h>
#include <string.h>

#include "manager/doctor_private.h"
#include "manager/member.h"
#include "manager/move_between.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "manager/workers.h"
#include "store/admin.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/sat.h"

#define US_PER_S INT64_C(1000000)
/* A delayed task is promoted within a moment; a busy store may need some
 * seconds. */
#define OVERDUE_US (10 * US_PER_S)
/* A limit that holds a task for longer is worth a look. */
#define HELD_US (600 * US_PER_S)
/* One question for each queue: of many, those are looked at that hold something. */
#define QUEUES_LOOKED_AT 1000
/* What died within the last hour is news; older ones an operator has seen, and
 * keeps on purpose. */
#define RECENT_US (3600 * US_PER_S)
/* Of the dead, in all queues together, and at least in each: a short stop of the
 * server, however many queues there are. */
#define RECENT_MOST 4000
#define RECENT_LEAST 20

/* Workers that live and serve a queue, and those of them that take tasks. */
static void
count_servants(const struct doctor *d, const char *queue, size_t *ret_alive,
	       size_t *ret_running)
{
	const char *state;
	json_t *worker;
	size_t i;

	*ret_alive = *ret_running = 0;
	json_array_foreach (d->workers, i, worker) {
		state = member_text(worker, "state");
		if (strcmp(state, "dead") == 0 || !worker_serves(worker, queue))
			continue;
		++*ret_alive;
		*ret_running += strcmp(state, "running") == 0;
	}
}

/* A count of the queue; all of them are there. */
static long long
number(const json_t *queue, const char *name)
{
	return json_integer_value(json_object_get(queue, name));
}

/* Nothing waits: then a queue without a worker is not a fault. */
static void
examine_servants(struct doctor *d, const json_t *queue, const char *name)
{
	const long long waiting =
	    sat_add(number(queue, "waiting"), number(queue, "delayed"));
	size_t alive, running;

	count_servants(d, name, &alive, &running);
	if (waiting == 0 || running > 0)
		return;
	if (alive == 0 && move_is_leaving(name))
		doctor_find(d, DOCTOR_WARNING, "queues",
			    "Run flowrractl move --resume with --to-url or "
			    "--to-config, as before.",
			    "%lld task%s of queue %s did not get to another "
			    "store: a move was interrupted",
			    waiting, doctor_s(waiting),
			    name + strlen(MOVE_LEAVING));
	else if (alive == 0)
		doctor_find(d, DOCTOR_ERROR, "queues",
			    "Start a worker with this queue in [worker] "
			    "queues, or purge the queue.",
			    "queue %s has %lld task%s and no worker serves it",
			    name, waiting, doctor_s(waiting));
	else
		doctor_find(d, DOCTOR_WARNING, "queues",
			    "Run flowrractl worker resume to make one take "
			    "tasks again.",
			    "queue %s has %lld task%s and none of its workers "
			    "takes any",
			    name, waiting, doctor_s(waiting));
}

static void
examine_delayed(struct doctor *d, const json_t *queue, const char *name)
{
	const int64_t due_us = member_time_us(queue, "next_due_at");
	const int64_t late_us = clock_wall_us() - due_us;
	size_t alive, running;

	count_servants(d, name, &alive, &running);
	/* Workers promote; without one, that is the finding. */
	if (due_us == 0 || late_us <= OVERDUE_US || running == 0)
		return;
	doctor_find(d, DOCTOR_ERROR, "queues",
		    "Check the workers' logs and the clocks.",
		    "queue %s has a delayed task that was due %lld s ago", name,
		    (long long)(late_us / US_PER_S));
}

/* What died in a queue since then. */
struct recent {
	int64_t since_ms;
	long long n;
};

/* The newest come first, so that the first old one ends the walk. */
static int
count_recent(const struct broker_item *item, void *arg, struct err *err)
{
	const struct query_cursor *cursor = arg;
	struct recent *r = cursor->arg;

	if (item->time_ms < r->since_ms)
		return 1;
	r->n++;
	return 0;
}

/* Those of which the newest may be as late; 0: that is not known. */
static size_t
recent_queues(const json_t *found, int64_t since_ms, struct recent *recent,
	      struct query_cursor *cursors)
{
	const size_t each = RECENT_MOST / (json_array_size(found) + 1);
	json_int_t newest_ms;
	json_t *one;
	size_t i, n = 0;

	json_array_foreach (found, i, one) {
		newest_ms =
		    json_integer_value(json_object_get(one, "newest_ms"));
		if (newest_ms != 0 && newest_ms < since_ms)
			continue;
		recent[n] = (struct recent){.since_ms = since_ms};
		cursors[n] = (struct query_cursor){
		    .queue = member_text(one, "queue"),
		    .place = BROKER_DEAD,
		    .n = each < RECENT_LEAST	  ? RECENT_LEAST
			 : each < BROKER_PAGE_MAX ? (unsigned int)each
						  : BROKER_PAGE_MAX,
		    .arg = &recent[n]};
		n++;
	}
	return n;
}

/* One page of each is enough, and all leave together: more than that is "or more".
 * An error is left to the other examinations. */
static void
doctor_dead(struct doctor *d)
{
	const int64_t since_ms = (clock_wall_us() - RECENT_US) / 1000;
	json_t *found = queues_find(d->client, NULL, BROKER_DEAD, NULL);
	const size_t size = json_array_size(found) + 1;
	struct recent *recent = calloc(size, sizeof(*recent));
	struct query_cursor *cursors = calloc(size, sizeof(*cursors));
	size_t n = 0, i;

	if (recent != NULL && cursors != NULL)
		n = recent_queues(found, since_ms, recent, cursors);
	if (n > 0)
		query_next_all(d->client, cursors, n, count_recent, NULL);
	for (i = 0; i < n; i++) {
		if (recent[i].n > 0)
			doctor_find(d, DOCTOR_WARNING, "queues",
				    "List them with flowrractl tasks dead; "
				    "retry or delete them.",
				    "queue %s: %lld task%s%s died within the "
				    "last hour",
				    cursors[i].queue, recent[i].n,
				    doctor_s((long long)recent[i].n),
				    cursors[i].more ? " or more" : "");
		query_cursor_done(&cursors[i]);
	}
	free(cursors);
	free(recent);
	json_decref(found);
}

/* Workers delete the oldest, by their own limit, which should be ours. */
static void
examine_full(struct doctor *d, const json_t *queue, const char *name)
{
	const int64_t most = d->client->conf->worker.dead_max;

	if (most == 0 || number(queue, "dead") < most)
		return;
	doctor_find(d, DOCTOR_WARNING, "queues",
		    "Retry or delete them with flowrractl tasks, or raise "
		    "[worker] dead_max.",
		    "queue %s: the dead list is full, with %lld tasks; the "
		    "oldest are deleted",
		    name, number(queue, "dead"));
}

/* They wait and come again: nothing is lost while it is put right. */
static void
examine_unknown(struct doctor *d, const json_t *queue)
{
	struct buf text = BUF_INIT;

	if (queues_unknown(d->client, queue, &text))
		doctor_find(
		    d, DOCTOR_WARNING, "queues",
		    "Check [worker] modules of the queue's workers, and "
		    "their logs for modules that were not loaded; the "
		    "tasks wait meanwhile.",
		    "%s", text.data);
	buf_done(&text);
}

static void
examine_limit(struct doctor *d, const json_t *limit, const char *name)
{
	const int64_t since_us = member_time_us(limit, "held_since");
	const char *scope = member_text(limit, "scope"),
		   *key = member_text(limit, "key");
	const bool each = strcmp(scope, "each_group") == 0;

	if (since_us == 0 || clock_wall_us() - since_us < HELD_US)
		return;
	doctor_find(d, DOCTOR_WARNING, "queues",
		    "See flowrractl tasks running, or raise the limit with "
		    "flowrractl limit set.",
		    "queue %s: %lld task%s held by the limit of %s%s%s since "
		    "%s",
		    name, number(limit, "held"),
		    number(limit, "held") == 1 ? " is" : "s are",
		    each ? "each group" : scope, key != NULL ? " " : "",
		    key != NULL ? key : "", member_text(limit, "held_since"));
}

static bool
is_alive(const struct doctor *d, const char *id)
{
	const char *name;
	json_t *worker;
	size_t i;

	json_array_foreach (d->workers, i, worker)
		if ((name = member_text(worker, "worker")) != NULL &&
		    strcmp(name, id) == 0)
			return strcmp(member_text(worker, "state"), "dead") !=
			       0;
	return false;
}

/* One that is gone for good does not say what holds any more. */
static void
examine_declared(struct doctor *d, const json_t *limit, const char *name)
{
	const char *key = member_text(limit, "key"),
		   *other = member_text(limit, "disputed_by");

	if (other == NULL || !is_alive(d, other))
		return;
	doctor_find(
	    d, DOCTOR_WARNING, "queues",
	    "Give both workers the same [task NAME] section and reload them, "
	    "or set the limit with flowrractl limit set.",
	    "queue %s: workers %s and %s declare different limits of "
	    "%s%s; that of %s is in force",
	    name, member_text(limit, "declared_by"), other,
	    key != NULL ? "task " : "each group", key != NULL ? key : "",
	    member_text(limit, "declared_by"));
}

/* Workers of the Python package, and others like them, say nothing of themselves; and
 * of which queue they take tasks, nobody knows. */
static void
examine_foreign(struct doctor *d, const json_t *limits, const char *name)
{
	if (json_array_size(limits) == 0 || d->foreign == 0)
		return;
	doctor_find(d, DOCTOR_WARNING, "queues",
		    "Let only flowrrad serve the queue; see flowrra-limits(7).",
		    "queue %s has limits, which workers of the Python package "
		    "ignore: %lld client%s of the broker take%s tasks the way "
		    "they do (BRPOP), from this queue or another one",
		    name, (long long)d->foreign, doctor_s(d->foreign),
		    d->foreign == 1 ? "s" : "");
}

/* Holding is what limits are for; what is held for long may not be meant. */
static void
examine_limits(struct doctor *d, const json_t *queue, const char *name)
{
	json_t *limits = query_limits(d->client, name, NULL), *limit;
	size_t i;

	json_array_foreach (limits, i, limit) {
		if (number(queue, "held") > 0)
			examine_limit(d, limit, name);
		examine_declared(d, limit, name);
	}
	examine_foreign(d, limits, name);
	json_decref(limits);
}

void
doctor_queues(struct doctor *d)
{
	json_t *queue;
	const char *name;
	long long waiting;
	size_t i;

	json_array_foreach (d->queues, i, queue) {
		if ((name = member_text(queue, "queue")) == NULL)
			continue;
		waiting = number(queue, "waiting");
		/* Delayed tasks of a paused queue are late by intent. */
		if (json_is_true(json_object_get(queue, "paused")))
			doctor_find(d, DOCTOR_WARNING, "queues",
				    "Run flowrractl queue resume.",
				    "queue %s is paused, with %lld task%s "
				    "waiting",
				    name, waiting, doctor_s(waiting));
		else
			examine_delayed(d, queue, name);
		examine_servants(d, queue, name);
		examine_unknown(d, queue);
		examine_full(d, queue, name);
		if (i < QUEUES_LOOKED_AT || number(queue, "held") > 0)
			examine_limits(d, queue, name);
	}
	doctor_dead(d);
}
