/* SPDX-License-Identifier: MIT */
/*
 * What a task waits for, as people write it: "17", or "17:failure" (broker.h has the
 * words). An ID may have colons itself: only such a word behind the last one counts.
 */
#ifndef MANAGER_COMMAND_AFTER_H
#define MANAGER_COMMAND_AFTER_H

#include <jansson.h>
#include <stddef.h>

#include "store/broker.h"

struct err;

/* Zeroed at first. */
struct command_after {
	struct broker_after *list;
	size_t n;
	char **texts; /* that the list points into */
};

/* Adds one. -1 with *err (ERR_DATA): it is not an ID, is in the list already, or the
 * list is full. */
int command_after_add(struct command_after *a, const char *text,
		      struct err *err);
/* The same for all between the commas of a text. */
int command_after_add_list(struct command_after *a, const char *text,
			   struct err *err);
void command_after_done(struct command_after *a);

/* An array of such texts from what a store says of a task that waits (broker_item's
 * info), an empty one if that is the seal of its workflow; NULL: it waits for nothing, or
 * no memory. */
json_t *command_after_json(struct slice info);

#endif
