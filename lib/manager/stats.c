/* SPDX-License-Identifier: MIT */
/* Figures of the whole: sums over what queues, workers and the backend say.
 * They are read one after the other, so a task that moves meanwhile may be
 * counted twice, or not at all. */
#include "manager/stats.h"

#include <string.h>

#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "manager/tasks.h"
#include "manager/workers.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/sat.h"

/* Of a count that each of the objects has. */
static json_t *
sum(const json_t *objects, const char *name)
{
	json_int_t total = 0;
	json_t *one;
	size_t i;

	json_array_foreach (objects, i, one)
		total = sat_add(total,
				json_integer_value(json_object_get(one, name)));
	return json_integer(total);
}

static json_int_t
count_paused(const json_t *queues)
{
	json_int_t n = 0;
	json_t *queue;
	size_t i;

	json_array_foreach (queues, i, queue)
		n += json_is_true(json_object_get(queue, "paused"));
	return n;
}

/* What a worker says of its slots may be of another version, or anything: what
 * is not a number counts as 0. */
static void
count_workers(const json_t *workers, json_int_t *ret_alive,
	      json_int_t *ret_slots)
{
	json_t *worker, *kind;
	const char *name;
	size_t i;

	*ret_alive = *ret_slots = 0;
	json_array_foreach (workers, i, worker) {
		if (strcmp(member_text(worker, "state"), "dead") == 0)
			continue;
		++*ret_alive;
		json_object_foreach (json_object_get(worker, "slots"), name,
				     kind)
			*ret_slots = sat_add(
			    *ret_slots,
			    json_integer_value(json_object_get(kind, "slots")));
	}
}

static json_t *
stats_of(const json_t *queues, const json_t *workers,
	 const struct results_counts *counts, size_t registered,
	 json_t *unserved)
{
	json_int_t alive, slots;

	count_workers(workers, &alive, &slots);
	return json_pack(
	    "{s:o,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "waiting",
	    sum(queues, "waiting"), "delayed", sum(queues, "delayed"),
	    "in_flight", sum(queues, "in_flight"), "dead", sum(queues, "dead"),
	    "succeeded", (json_int_t)counts->succeeded, "failed",
	    (json_int_t)counts->failed, "queues",
	    (json_int_t)json_array_size(queues), "paused", count_paused(queues),
	    "workers", alive, "slots", slots, "registered",
	    (json_int_t)registered, "unserved", unserved);
}

/* Asks for the rest of the figures. Queues and workers are the caller's, which
 * shows them as well. */
static json_t *
figures(struct flowrra_client *c, const json_t *queues, const json_t *workers,
	struct err *err)
{
	json_t *served = workers_tasks(workers);
	const bool known = served != NULL;
	struct results_counts counts;
	size_t registered, unserved;
	int result = query_counts(c, &counts, err);

	if (result == 0)
		result =
		    query_registered(c, served, &registered, &unserved, err);
	json_decref(served);
	if (result != 0)
		return NULL;
	return stats_of(queues, workers, &counts, registered,
			known ? json_integer((json_int_t)unserved)
			      : json_null());
}

/* Questions whose cost does not grow with the number of tasks. */
json_t *
stats_get(struct flowrra_client *c, struct err *err)
{
	json_t *workers = NULL, *queues = queues_and_workers(c, &workers, err);
	json_t *stats = NULL;

	if (queues != NULL)
		stats = figures(c, queues, workers, err);
	json_decref(workers);
	json_decref(queues);
	return stats;
}

/* For a live view: all of one moment, so that the parts of a screen fit
 * together. The time is that of the beginning. */
json_t *
stats_snapshot(struct flowrra_client *c, size_t n_running, struct err *err)
{
	struct tasks_query query = {.limit = n_running,
				    .depth = TASKS_DEPTH_STANDARD};
	json_t *at = member_of_time(clock_wall_us()), *queues, *workers = NULL;
	json_t *stats = NULL, *running = NULL;

	if ((queues = queues_and_workers(c, &workers, err)) != NULL &&
	    (stats = figures(c, queues, workers, err)) != NULL &&
	    (running = n_running > 0 ? tasks_list(c, TASKS_RUNNING, &query, err)
				     : json_array()) != NULL)
		return json_pack("{s:o,s:o,s:o,s:o,s:o}", "at", at, "stats",
				 stats, "queues", queues, "workers", workers,
				 "running", running);
	json_decref(stats);
	json_decref(workers);
	json_decref(queues);
	json_decref(at);
	return NULL;
}
