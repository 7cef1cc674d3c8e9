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
	char *
	    *refused; /* what is wrong with the modules that were not loaded */
	size_t n_refused;
};

/* Reads the JSON of a READY message. Empty it with handlers_done(). */
int handlers_read(struct slice json, struct handlers *ret, struct err *err);
void handlers_done(struct handlers *h);
/* Moves all of `from` to `to`; a name that is there already is refused. They
 * become commands' if `command`. Without memory, what does not fit is lost. */
void handlers_add(struct handlers *to, struct handlers *from, bool command);
/* NULL if there is none. */
const struct handler *handlers_find(const struct handlers *h, const char *name);

#endif
