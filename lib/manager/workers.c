/* SPDX-License-Identifier: MIT */
/*
 * Workers: how they are, and commands to one.
 *
 * The broker knows a worker's name, whether it lives and what it has in flight;
 * the rest is its own description, which may be of another version: members
 * that are missing are null, and those that we do not know are passed on.
 */
#include "manager/workers.h"

#include <string.h>

#include "manager/member.h"
#include "manager/query.h"
#include "util/clock.h"
#include "util/err.h"

#define US_PER_S 1e6

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
		total += json_integer_value(json_object_get(executor, "bytes"));
	if (json_is_object(memory))
		json_object_set_new(memory, "total", json_integer(total));
}

/* What it says of itself, with what the broker knows before it. */
static json_t *
describe(const json_t *worker)
{
	/* Those of its members that we tell better, and must not overwrite. */
	static const char *const ours[] = {"id", "worker", "state", "in_flight",
					   "stopping"};
	static const char *const fields[] = {"host",	   "pid",    "version",
					     "started_at", "uptime", "queues",
					     "slots",	   "memory"};
	const json_t *said = json_object_get(worker, "description");
	json_t *all = json_object(), *rest = NULL;
	size_t i;

	json_object_set(all, "worker", json_object_get(worker, "worker"));
	json_object_set_new(all, "state", json_string(state_of(worker, said)));
	json_object_set(all, "in_flight", json_object_get(worker, "in_flight"));
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
workers_list(struct flowrra_client *c, struct err *err)
{
	json_t *known = query_workers(c, err), *list, *worker;
	size_t i;

	if (known == NULL)
		return NULL;
	list = json_array();
	json_array_foreach (known, i, worker)
		json_array_append_new(list, describe(worker));
	json_decref(known);
	return list;
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

/* A command is published, and nobody answers: so a wrong name would go
 * unnoticed. Between this look and the command the worker may still end, which
 * is what most commands want. */
static int
check_alive(struct flowrra_client *c, const char *name, struct err *err)
{
	json_t *list = workers_list(c, err), *worker;
	const char *state = NULL;
	size_t i;
	int result;

	if (list == NULL)
		return -1;
	json_array_foreach (list, i, worker)
		if (strcmp(member_text(worker, "worker"), name) == 0)
			state = member_text(worker, "state");
	if (state == NULL)
		result = err_set(err, ERR_NOT_FOUND,
				 "unknown worker \"%.128s\"; `flowrractl "
				 "workers` lists them",
				 name);
	else if (strcmp(state, "dead") == 0)
		result = err_set(err, ERR_NOT_FOUND,
				 "worker \"%.128s\" is dead", name);
	else
		result = 0;
	json_decref(list);
	return result;
}

json_t *
worker_order(struct flowrra_client *c, const char *worker,
	     enum worker_order order, struct err *err)
{
	const char *name = worker_order_name(order);

	if (check_alive(c, worker, err) != 0 ||
	    query_control(
		c, json_pack("{s:s,s:s}", "order", name, "worker", worker),
		err) != 0)
		return NULL;
	return json_pack("{s:s,s:s}", "worker", worker, "order", name);
}
