/* SPDX-License-Identifier: MIT */
/*
 * What the workers have registered: the defaults of a task, kept for some
 * seconds so that a stream of submissions asks once for each name.
 */
#ifndef CLIENT_REGISTRY_H
#define CLIENT_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/task.h"

struct err;
struct flowrra_client;
struct registry;

/* What a submission has to know; workers know the rest themselves. */
struct registry_entry {
	char queue[TASK_QUEUE_MAX + 1];
	bool cpu_bound;
	int64_t max_retries;	/* or TASK_UNSET: as configured */
	int64_t retry_delay_us; /* or TASK_UNSET */
};

struct registry *registry_new(struct err *err);
void registry_free(struct registry *registry);

/* Finds an entry, asking the broker if need be. ERR_DATA, with close names,
 * if there is none. Any thread may call it. */
int registry_find(struct flowrra_client *c, const char *name,
		  struct registry_entry *ret, struct err *err);

/* Reads an entry's JSON. ERR_DATA, but never for an unknown member. */
int registry_parse(struct slice json, struct registry_entry *ret,
		   struct err *err);

/* Sets *err, with `code`, to say that nobody has registered `name`; asks the
 * broker for close ones. Returns -1. */
int registry_unknown(struct flowrra_client *c, const char *name, int code,
		     struct err *err);

#endif
