/* SPDX-License-Identifier: MIT */
/* What people have said of a schedule, as JSON that can be said again. */
#ifndef MANAGER_SCHEDULE_SAID_H
#define MANAGER_SCHEDULE_SAID_H

#include <jansson.h>

#include "util/buf.h"

struct schedule;

/* What a field is. */
enum said_kind {
	SAID_TEXT,
	SAID_INT,
	SAID_SECONDS,
	SAID_NUMBER,
	SAID_DEADLINE,
	SAID_ARRAY,
	SAID_OBJECT,
	SAID_SWITCH
};

/* Of a field by its name; SAID_TEXT for an unknown one. */
int schedule_said_kind(const char *name);

/* An object that makes this schedule again: "id", "task", "type", "rule", and
 * what is not as it is by default; "enabled" if it is false, "owner" if there
 * is one. NULL when memory runs out. */
json_t *schedule_said(const struct schedule *s);

/* {"field": [old, new]} of all that was said differently, "enabled" and "owner"
 * too; rules and zones as they are compared. NULL when memory runs out. */
json_t *schedule_differences(const struct schedule *old,
			     const struct schedule *new);
/* Appends them: "queue: null -> "cpu", rule: …". */
void schedule_differences_text(const json_t *differences, struct buf *out);

#endif
