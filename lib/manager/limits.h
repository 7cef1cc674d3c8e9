/* SPDX-License-Identifier: MIT */
/* Limits of queues: shown, set and taken away. */
#ifndef MANAGER_LIMITS_H
#define MANAGER_LIMITS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct flowrra_client;

/* The limits of a queue, as of query_limits(); with NULL, of all that are known, in
 * the order of their names. NULL with *err. */
json_t *limits_list(struct flowrra_client *c, const char *queue,
		    struct err *err);

/* What a limit is of, as people name it; at most one of `task`, `group` and
 * `each_group`, and with none it is the queue itself. */
struct limits_target {
	const char *queue, *task, *group;
	bool each_group;
	/* Where a task's group stands that has no field for it, or "-"; NULL: as
	 * it was. */
	const char *by;
	int64_t concurrency; /* 0: none is given */
	const char *rate;    /* "100/1m"; NULL: none is given */
	int64_t burst;	     /* 0: not given, which is 1 */
	bool declared; /* restore what was declared last; excludes the others */
};
/* {"queue", "scope", "key", "concurrency", "rate", "burst"}, and without the last three
 * if it is the declared one. NULL with *err: ERR_USAGE for what does not fit together,
 * ERR_NOT_FOUND: no worker has declared it. */
json_t *limits_set(struct flowrra_client *c, const struct limits_target *target,
		   struct err *err);
/* The same without what it limits; ERR_NOT_FOUND: there is no such limit. */
json_t *limits_unset(struct flowrra_client *c,
		     const struct limits_target *target, struct err *err);

#endif
