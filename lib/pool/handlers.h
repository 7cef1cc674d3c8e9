/* SPDX-License-Identifier: MIT */
/*
 * The task types that this worker can run, as its executors described them.
 */
#ifndef POOL_HANDLERS_H
#define POOL_HANDLERS_H

#include <stdbool.h>

#include "core/task.h"
#include "util/buf.h"

struct err;

struct handler {
	struct slice name;
	struct slice description; /* JSON, for the registry */
	struct slice queue;
	bool cpu_bound;
	bool async;
	bool command;	     /* it runs where no other module does */
	int64_t max_retries; /* or TASK_UNSET, as the following */
	struct retry_policy retry;
	int64_t timeout_us;
};

/* Sorted by name. */
struct handlers {
	struct handler *list;
	size_t n;
	/* What is wrong with modules and commands that were not loaded. */
	char **refused;
	size_t n_refused;
	size_t room, room_refused; /* see handlers_reserve() */
};

/* Reads the JSON of a READY message. Empty it with handlers_done(). */
int handlers_read(struct slice json, struct handlers *ret, struct err *err);
void handlers_done(struct handlers *h);
/* Makes room for `n` more, and for `n_refused` that are refused. -1 with *err
 * when memory runs out. */
int handlers_reserve(struct handlers *h, size_t n, size_t n_refused,
		     struct err *err);
/* One more that is refused, for this reason (copied). 0, or -1 with *err. */
int handlers_refuse(struct handlers *h, const char *why, struct err *err);
/* Moves all of `from` to `to`, for which handlers_reserve() has made room; a
 * name that is there already is refused. They become commands' if `command`. */
void handlers_add(struct handlers *to, struct handlers *from, bool command);
/* NULL if there is none. */
const struct handler *handlers_find(const struct handlers *h, const char *name);

#endif
