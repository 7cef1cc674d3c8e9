/* SPDX-License-Identifier: MIT */
/*
 * Topics: asked, compared with what they said before, row by row where they have
 * rows, and told.
 *
 * What was said last is kept as a value, and compared as one: so it does not
 * matter in which order a store gives members. A change that could not be told for
 * want of memory makes all of it new the next time, since a delta is only good on
 * top of what readers have.
 */
#include "web/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "manager/tasks.h"
#include "util/log.h"
#include "web/call.h"
#include "web/diff.h"
#include "web/hub.h"
#include "web/samples.h"

/*
 * A topic and the route that it is, in the order of the questions; `key` names the
 * rows, NULL: it has none. The limits are what a page shows at a time, with room to
 * scroll: a snapshot has to fit into a reader's backlog (server.c).
 */
static const struct topic_route {
	const char *topic, *path, *query, *key;
} topic_routes[] = {
    {"overview", "/api/v1/overview", "", NULL},
    {"queues", "/api/v1/queues", "", "queue"},
    {"workers", "/api/v1/workers", "", "worker"},
    {"running", "/api/v1/tasks", "state=running&limit=100", "task_id"},
    {"schedules", "/api/v1/schedules", "limit=200&order=next", "id"},
    {"dead", "/api/v1/dead", "limit=50", "key"},
    {"workflows", "/api/v1/workflows", "limit=50", "workflow"},
    {"limits", "/api/v1/limits", "", "id"}};
#define N_ROUTES (sizeof(topic_routes) / sizeof(topic_routes[0]))

/* What a topic said the last time; NULL: its readers are owed all of it. */
struct known {
	char *topic;
	uint64_t id;
	json_t *value;
	const struct web_mask *mask; /* by which viewers were told */
	LIST_ENTRY(known) next;
};

struct topics {
	const struct web_shared *shared, *daemon;
	struct samples *samples;
	struct web_worker worker;
	json_t *queues; /* of this turn's overview; NULL: it was not asked */
	LIST_HEAD(, known) known;
};

const char *
topic_task(const char *name)
{
	return strncmp(name, "task:", 5) == 0 ? name + 5 : NULL;
}

/* The worker is that of the sampler's thread: it keeps its connection to the
 * schedules' database from turn to turn. */
struct topics *
topics_new(const struct web_shared *shared, const struct web_shared *daemon,
	   struct samples *samples, struct err *err)
{
	struct topics *topics = calloc(1, sizeof(*topics));

	if (topics == NULL) {
		err_nomem(err);
		return NULL;
	}
	topics->shared = shared;
	topics->daemon = daemon;
	topics->samples = samples;
	topics->worker.shared = shared;
	return topics;
}

static void
known_free(struct known *k)
{
	json_decref(k->value);
	free(k->topic);
	free(k);
}

void
topics_free(struct topics *topics)
{
	struct known *k, *next;

	if (topics == NULL)
		return;
	for (k = LIST_FIRST(&topics->known); k != NULL; k = next) {
		next = LIST_NEXT(k, next);
		known_free(k);
	}
	web_worker_done(&topics->worker);
	free(topics);
}

/* --- comparing ------------------------------------------------------------ */

/* What is known of a topic; made at the first question. NULL without memory. */
static struct known *
topics_known(struct topics *topics, const struct topic_wanted *wanted)
{
	struct known *k;

	LIST_FOREACH (k, &topics->known, next)
		if (strcmp(k->topic, wanted->name) == 0)
			return k;
	if ((k = calloc(1, sizeof(*k))) == NULL)
		return NULL;
	if ((k->topic = strdup(wanted->name)) == NULL) {
		free(k);
		return NULL;
	}
	k->id = wanted->id;
	LIST_INSERT_HEAD(&topics->known, k, next);
	return k;
}

/* -1: there is no memory, and nothing was told. */
static int
topics_put(struct topics *topics, const char *topic, json_t *value,
	   json_t *delta)
{
	const struct web_mask *mask = topics->daemon->mask;
	struct sample *sample = sample_new(SAMPLE_STATE, topic);

	if (sample == NULL)
		return -1;
	if (sample_write(mask, diff_snapshot(value), sample->full) != 0 ||
	    (delta != NULL &&
	     sample_write(mask, json_incref(delta), sample->delta) != 0)) {
		sample_free(sample);
		return -1;
	}
	samples_put(topics->samples, sample);
	return 0;
}

/* Takes the value: tells the hub what is new of it. */
static void
topics_tell(struct topics *topics, const struct topic_wanted *wanted,
	    const char *key, json_t *value)
{
	struct known *k = topics_known(topics, wanted);
	json_t *delta = NULL;

	/* Viewers do not see any longer what is hidden since a reload. */
	if (k != NULL && k->mask != topics->shared->mask) {
		json_decref(k->value);
		k->value = NULL;
		k->mask = topics->shared->mask;
	}
	if (value == NULL || k == NULL ||
	    (k->value != NULL &&
	     (delta = key != NULL ? diff_rows(k->value, value, key)
				  : diff_whole(k->value, value)) == NULL)) {
		json_decref(value);
		return;
	}
	/* A change that got lost would be missed for ever: all is told then. */
	if (topics_put(topics, wanted->name, value, delta) != 0) {
		json_decref(value);
		value = NULL;
	}
	json_decref(delta);
	json_decref(k->value);
	k->value = value;
}

/* --- asking --------------------------------------------------------------- */

/* As an operator, for masking comes last, and only for those who need it. */
static json_t *
topics_ask_route(struct topics *topics, const struct topic_route *t,
		 struct err *err)
{
	const struct web_ask ask = {
	    .method = HTTP_GET,
	    .path = t->path,
	    .query = t->query,
	    .body = SLICE(""),
	    .who = {.role = WEB_OPERATOR, .user = "hub"},
	    .peer = ""};
	char path[64];
	struct web_match match;
	struct web_call *call;
	json_t *value;

	/* A copy: routes_find() cuts up the path that it is given. */
	snprintf(path, sizeof(path), "%s", t->path);
	routes_find(topics->shared->tables, HTTP_GET, path, &match);
	if (match.route == NULL) {
		err_set(err, ERR_NOT_FOUND, "no route %s", t->path);
		return NULL;
	}
	call = web_call_new(topics->shared, match.route, &ask, err);
	if (call == NULL)
		return NULL;
	value = web_call_value(call, &topics->worker, err);
	web_call_free(call);
	return value;
}

/* The overview has the queues as their own route tells them, which is most of what
 * both cost the stores. */
static json_t *
topics_ask_value(struct topics *topics, const struct topic_route *t,
		 struct err *err)
{
	json_t *value;

	if (strcmp(t->topic, "queues") == 0 && topics->queues != NULL)
		return json_pack("{s:O}", "items", topics->queues);
	value = topics_ask_route(topics, t, err);
	if (strcmp(t->topic, "overview") == 0)
		topics->queues = json_incref(json_object_get(value, "queues"));
	return value;
}

/* If it is wanted, and due. Topics of tasks are not among the routes. */
static int
topics_ask_one(struct topics *topics, const struct topic_route *t,
	       const struct topic_wanted *wanted, struct err *err)
{
	json_t *value;

	for (; wanted->name != NULL; wanted++)
		if (strcmp(t->topic, wanted->name) == 0)
			break;
	if (wanted->name == NULL || !wanted->due)
		return 0;
	if ((value = topics_ask_value(topics, t, err)) == NULL)
		return -1;
	topics_tell(topics, wanted, t->key, value);
	return 0;
}

/* Without a record both are null: the page says that there is none. */
static json_t *
topics_task_json(json_t *record)
{
	json_t *progress = json_object_get(record, "progress");

	return json_pack(
	    "{s:o,s:o}", "record",
	    record != NULL ? json_incref(record) : json_null(), "progress",
	    progress != NULL ? json_incref(progress) : json_null());
}

/* The records of all tasks that are due, in one question. */
static int
topics_ask_tasks(struct topics *topics, const struct topic_wanted *wanted,
		 struct err *err)
{
	const struct topic_wanted *of[HUB_TASKS_MAX];
	const char *ids[HUB_TASKS_MAX];
	json_t *records[HUB_TASKS_MAX] = {NULL};
	size_t n = 0, i;
	int r;

	for (; wanted->name != NULL && n < HUB_TASKS_MAX; wanted++)
		if (wanted->due && (ids[n] = topic_task(wanted->name)) != NULL)
			of[n++] = wanted;
	if (n == 0)
		return 0;
	r = tasks_records(topics->shared->client, ids, n, records, err);
	for (i = 0; i < n; i++) {
		if (r == 0)
			topics_tell(topics, of[i], NULL,
				    topics_task_json(records[i]));
		json_decref(records[i]);
	}
	return r;
}

/* Forgets what nobody wants any more: it would be old when somebody does again. */
static void
topics_forget(struct topics *topics, const struct topic_wanted *wanted)
{
	const struct topic_wanted *w;
	struct known *k, *next;

	for (k = LIST_FIRST(&topics->known); k != NULL; k = next) {
		next = LIST_NEXT(k, next);
		for (w = wanted; w->name != NULL; w++)
			if (w->id == k->id && strcmp(w->name, k->topic) == 0)
				break;
		if (w->name == NULL) {
			LIST_REMOVE(k, next);
			known_free(k);
		}
	}
}

/* A route that fails for a reason of its own does not hold up the others. */
static int
topics_ask_routes(struct topics *topics, const struct topic_wanted *wanted,
		  struct err *err)
{
	size_t i;

	for (i = 0; i < N_ROUTES; i++)
		if (topics_ask_one(topics, &topic_routes[i], wanted, err) !=
		    0) {
			log_debug("topic %s: %s", topic_routes[i].topic,
				  err->msg);
			if (err->code == ERR_UNAVAILABLE)
				return -1;
		}
	return 0;
}

int
topics_ask(struct topics *topics, const struct topic_wanted *wanted,
	   struct err *err)
{
	int result;

	topics_forget(topics, wanted);
	result = topics_ask_routes(topics, wanted, err);
	json_decref(topics->queues);
	topics->queues = NULL;
	return result == 0 ? topics_ask_tasks(topics, wanted, err) : -1;
}
