/* SPDX-License-Identifier: MIT */
/*
 * Workers: how they are, and commands to one.
 *
 * The broker knows a worker's name, whether it lives and what it has in flight;
 * the rest is its own description, which may be of another version: members
 * that are missing are null, and those that we do not know are passed on.
 */
#include "manager/workers.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manager/member.h"
#include "manager/query.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/sat.h"

#define US_PER_S 1e6
/* Between two looks at a worker that reloads. New executors are up after some
 * tenths of a second; a look costs the broker one cheap question. */
#define RELOAD_LOOK_MS 100L

/* A worker of an older version has no "state". Whether it lives is the broker's
 * word, not the worker's last. */
static const char *
state_of(const json_t *worker, const json_t *said)
{
	const char *state = member_text(said, "state");

	if (!json_is_true(json_object_get(worker, "alive")))
		return "dead";
	if (state != NULL)
		return state;
	return json_is_true(json_object_get(said, "stopping")) ? "stopping"
							       : "running";
}

/* By our clock; a worker whose clock is ahead has just begun. */
static json_t *
uptime_of(const json_t *said)
{
	const int64_t started_us = member_time_us(said, "started_at");
	const int64_t up_us = clock_wall_us() - started_us;

	if (started_us == 0)
		return json_null();
	return json_real(up_us > 0 ? (double)up_us / US_PER_S : 0);
}

/* Adds the memory of all its processes to what it says of them. */
static void
add_total(json_t *memory)
{
	json_int_t total =
	    json_integer_value(json_object_get(memory, "flowrrad"));
	json_t *executor;
	size_t i;

	json_array_foreach (json_object_get(memory, "executors"), i, executor)
		total = sat_add(total, json_integer_value(
					   json_object_get(executor, "bytes")));
	if (json_is_object(memory))
		json_object_set_new(memory, "total", json_integer(total));
}

/* What it says of itself, with what the broker knows before it. */
static json_t *
describe(const json_t *worker)
{
	/* Those of its members that we tell better, and must not overwrite. */
	static const char *const ours[] = {"id",     "worker",	  "state",
					   "frozen", "in_flight", "stopping"};
	static const char *const fields[] = {"host",	   "pid",    "version",
					     "started_at", "uptime", "queues",
					     "slots",	   "memory"};
	const json_t *said = json_object_get(worker, "description");
	json_t *all = json_object(), *rest = NULL;
	size_t i;

	json_object_set(all, "worker", json_object_get(worker, "worker"));
	json_object_set_new(all, "state", json_string(state_of(worker, said)));
	json_object_set(all, "in_flight", json_object_get(worker, "in_flight"));
	json_object_set(all, "frozen", json_object_get(worker, "frozen"));
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		json_object_set_new(all, fields[i], json_null());
	if (json_is_object(said) && (rest = json_deep_copy(said)) != NULL) {
		for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
			json_object_del(rest, ours[i]);
		json_object_update(all, rest);
		json_decref(rest);
		json_object_set_new(all, "uptime", uptime_of(said));
		add_total(json_object_get(all, "memory"));
	}
	return all;
}

json_t *
workers_describe(const json_t *known)
{
	json_t *list = json_array(), *worker;
	size_t i;

	json_array_foreach (known, i, worker)
		json_array_append_new(list, describe(worker));
	return list;
}

json_t *
workers_list(struct flowrra_client *c, struct err *err)
{
	json_t *known = query_workers(c, err), *list;

	if (known == NULL)
		return NULL;
	list = workers_describe(known);
	json_decref(known);
	return list;
}

bool
workers_have_several_hosts(const json_t *workers)
{
	const char *first = NULL, *host;
	const json_t *worker;
	size_t i;

	json_array_foreach (workers, i, worker) {
		if ((host = member_text(worker, "host")) == NULL)
			continue;
		if (first != NULL && strcmp(first, host) != 0)
			return true;
		first = host;
	}
	return false;
}

const json_t *
worker_refused(const json_t *worker)
{
	const json_t *refused = json_object_get(worker, "refused");

	/* A dead one runs nothing at all, which is worse. */
	return json_array_size(refused) > 0 &&
		       strcmp(member_text(worker, "state"), "dead") != 0
		   ? refused
		   : NULL;
}

/* --- orders ------------------------------------------------------------ */

const char *
worker_order_name(enum worker_order order)
{
	static const char *const names[] = {[WORKER_QUIET] = "quiet",
					    [WORKER_RESUME] = "resume",
					    [WORKER_STOP] = "stop",
					    [WORKER_RELOAD] = "reload"};

	return names[order];
}

/* What a living worker says of itself; NULL with *err. A command is published,
 * and nobody answers: so a wrong name would go unnoticed. Between this look and
 * the command the worker may still end, which is what most commands want. */
static json_t *
living_worker(struct flowrra_client *c, const char *name, struct err *err)
{
	json_t *list = workers_list(c, err), *worker, *found = NULL;
	size_t i;

	if (list == NULL)
		return NULL;
	json_array_foreach (list, i, worker)
		if (strcmp(member_text(worker, "worker"), name) == 0)
			found = json_incref(worker);
	json_decref(list);
	if (found == NULL) {
		err_set(err, ERR_NOT_FOUND,
			"unknown worker \"%.128s\"; `flowrractl workers` lists "
			"them",
			name);
	} else if (strcmp(member_text(found, "state"), "dead") == 0) {
		err_set(err, ERR_NOT_FOUND, "worker \"%.128s\" is dead", name);
		json_decref(found);
		found = NULL;
	}
	return found;
}

/* To all workers: each takes the orders that have its name. */
static int
send_order(struct flowrra_client *c, const char *worker,
	   enum worker_order order, struct err *err)
{
	return query_control(c,
			     json_pack("{s:s,s:s}", "order",
				       worker_order_name(order), "worker",
				       worker),
			     err);
}

json_t *
worker_order(struct flowrra_client *c, const char *worker,
	     enum worker_order order, struct err *err)
{
	json_t *said = living_worker(c, worker, err);

	json_decref(said);
	if (said == NULL || send_order(c, worker, order, err) != 0)
		return NULL;
	return json_pack("{s:s,s:s}", "worker", worker, "order",
			 worker_order_name(order));
}

/* --- reloading --------------------------------------------------------- */

/* A worker before its reload, to compare with. */
struct reload {
	const char *worker;
	char *started_at; /* of that process */
	json_int_t count; /* of its reloads */
};

/* -1: it does not tell, since it is of an older version. */
static json_int_t
reload_count(const json_t *said)
{
	const json_t *count =
	    json_object_get(json_object_get(said, "reloads"), "count");

	return json_is_integer(count) ? json_integer_value(count) : -1;
}

/* One look. 1: it has reloaded, 0: it has not ended yet, -1 with *err: it
 * failed, or nobody will tell. */
static int
reload_look(struct flowrra_client *c, const struct reload *r, struct err *err)
{
	json_t *said = living_worker(c, r->worker, err);
	const char *started_at, *why;
	int result = 0;

	if (said == NULL) {
		if (err->code == ERR_NOT_FOUND)
			err_set(err, ERR_UNAVAILABLE,
				"worker \"%.128s\" ended while it reloaded; "
				"its log has the reason",
				r->worker);
		return -1;
	}
	started_at = member_text(said, "started_at");
	why = member_text(json_object_get(said, "reloads"), "error");
	if (started_at == NULL || strcmp(started_at, r->started_at) != 0)
		result = err_set(err, ERR_UNAVAILABLE,
				 "worker \"%.128s\" was restarted while it "
				 "reloaded; its log has the reason",
				 r->worker);
	else if (reload_count(said) > r->count)
		result = why == NULL
			     ? 1
			     : err_set(err, ERR_CONFIG,
				       "worker \"%.128s\" could not reload and "
				       "keeps its old configuration: %s",
				       r->worker, why);
	json_decref(said);
	return result;
}

/* A broker that is out of reach is awaited by each look (socket_timeout). */
static int
reload_await(struct flowrra_client *c, const struct reload *r, double timeout_s,
	     struct err *err)
{
	const struct timespec pause = {.tv_nsec = RELOAD_LOOK_MS * 1000000};
	const int64_t begin_us = clock_mono_us();
	int result;

	while ((result = reload_look(c, r, err)) == 0) {
		if ((double)(clock_mono_us() - begin_us) / US_PER_S >=
		    timeout_s)
			return err_set(err, ERR_TIMEOUT,
				       "worker \"%.128s\" has not ended its "
				       "reload after %g s; its log has the "
				       "reason",
				       r->worker, timeout_s);
		nanosleep(&pause, NULL);
	}
	return result > 0 ? 0 : -1;
}

/* The count is read before the order is sent: any reload that ends later was
 * asked for by us, or by somebody who asked at the same time. */
json_t *
worker_reload(struct flowrra_client *c, const char *worker, double timeout_s,
	      bool *ret_told, struct err *err)
{
	json_t *said = living_worker(c, worker, err);
	const char *started_at = member_text(said, "started_at");
	struct reload r = {.worker = worker, .count = reload_count(said)};
	bool told = r.count >= 0 && started_at != NULL;
	int status = -1;

	if (said == NULL)
		return NULL;
	if (told && (r.started_at = strdup(started_at)) == NULL)
		err_nomem(err);
	else if (send_order(c, worker, WORKER_RELOAD, err) == 0)
		status = told ? reload_await(c, &r, timeout_s, err) : 0;
	free(r.started_at);
	json_decref(said);
	if (status != 0)
		return NULL;
	*ret_told = told;
	return json_pack("{s:s,s:s,s:b}", "worker", worker, "order",
			 worker_order_name(WORKER_RELOAD), "reloaded", told);
}

/* What a worker says of itself may be of another version: anything but a list of
 * strings counts as no queue. */
bool
worker_serves(const json_t *worker, const char *queue)
{
	json_t *one;
	size_t i;

	json_array_foreach (json_object_get(worker, "queues"), i, one)
		if (json_is_string(one) &&
		    strcmp(json_string_value(one), queue) == 0)
			return true;
	return false;
}

bool
workers_serve(const json_t *workers, const char *queue)
{
	json_t *one;
	size_t i;

	json_array_foreach (workers, i, one)
		if (strcmp(member_text(one, "state"), "dead") != 0 &&
		    worker_serves(one, queue))
			return true;
	return false;
}

json_t *
workers_tasks(const json_t *workers)
{
	json_t *all = json_object(), *names, *name, *worker;
	size_t i, k;

	json_array_foreach (workers, i, worker) {
		if (strcmp(member_text(worker, "state"), "dead") == 0)
			continue;
		names = json_object_get(worker, "task_names");
		if (!json_is_array(names)) {
			json_decref(all);
			return NULL;
		}
		json_array_foreach (names, k, name)
			if (json_is_string(name))
				json_object_set_new(
				    all, json_string_value(name), json_true());
	}
	return all;
}
