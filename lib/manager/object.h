/* SPDX-License-Identifier: MIT */
/*
 * JSON objects whose members a table names: requests and schedules. With the
 * readers of manager/value.h, so that ranges and messages are the same as those of
 * options.
 */
#ifndef MANAGER_OBJECT_H
#define MANAGER_OBJECT_H

#include <stdint.h>

#include "manager/value.h"
#include "util/buf.h"

struct err;

enum object_kind {
	OBJECT_VALUE, /* of the type in `value` */
	/* Copied as they stand, into a const char *; not looked into. */
	OBJECT_ARRAY,
	OBJECT_OBJECT,
};

struct object_member {
	const char *name;
	enum object_kind kind;
	struct value_spec value; /* of the other kinds, only its offset */
};

struct object_spec {
	const struct object_member *members;
	size_t n; /* 64 at most */
	/* Names that are passed over, NULL at the end: what answers have and
	 * nobody may set. */
	const char *const *skipped;
	const char *what; /* of an unknown name: "unknown WHAT \"x\"" */
};

/*
 * Reads a JSON object into the struct at `base`. null counts as absent, and what
 * is absent stays as it is. Durations are numbers of seconds or strings
 * ("1h30m"). ERR_DATA names the member: an unknown one, one that comes twice, one
 * of the wrong type or range; *ret_name (may be NULL) is its name, or NULL if it
 * is the whole that is wrong.
 *
 * Strings lie in `scratch`, which is emptied first.
 */
int object_read(struct slice json, const struct object_spec *spec, void *base,
		struct buf *scratch, const char **ret_name, struct err *err);

#endif
