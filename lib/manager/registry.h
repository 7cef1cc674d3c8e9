/* SPDX-License-Identifier: MIT */
/* The tasks that workers have registered. */
#ifndef MANAGER_REGISTRY_H
#define MANAGER_REGISTRY_H

#include <jansson.h>

struct err;
struct flowrra_client;

/*
 * All of them, in the order of their names, with one question to the broker: an
 * array of what their modules say, with "name" in it:
 *	{"name", "queue", "cpu_bound", "max_retries", "retry_delay",
 *	 "description", "params", …}
 * One that is not a JSON object is {"name", "fault": text}. NULL with *err.
 */
json_t *registry_list(struct flowrra_client *c, struct err *err);
/* One. ERR_NOT_FOUND, with similar names; ERR_DATA: it is not a JSON object. */
json_t *registry_show(struct flowrra_client *c, const char *name,
		      struct err *err);

#endif
