/* SPDX-License-Identifier: MIT */
/*
 * What has changed between two answers of a route.
 *
 * Rows are told apart by a key, not by their place: one that is new at the top
 * would otherwise change all below it. Values are shared with the answers and not
 * copied, so one thread uses all of them (jansson counts references without a
 * lock).
 */
#include "web/diff.h"

#include <stdbool.h>

#include "util/clock.h"

json_t *
diff_now(void)
{
	char at[CLOCK_TEXT_SIZE];

	clock_format(clock_wall_us(), at);
	return json_string(at);
}

/* Rows by their keys. One without a key cannot be told of, and is left out. */
static json_t *
diff_by_key(const json_t *value, const char *key)
{
	json_t *rows = json_object(), *row;
	const char *name;
	size_t i;

	json_array_foreach (json_object_get(value, "items"), i, row) {
		name = json_string_value(json_object_get(row, key));
		if (name != NULL)
			json_object_set(rows, name, row);
	}
	return rows;
}

/* Whether two rows are the same but for what changes by itself: pages can tell
 * those from the times that stand beside them. */
static bool
diff_same_row(json_t *a, json_t *b)
{
	static const char *const by_itself[] = {"uptime", "heartbeat_age",
						"age"};
	json_t *x, *y;
	bool same;
	size_t i;

	if (b == NULL || json_equal(a, b))
		return b != NULL;
	x = json_copy(a);
	y = json_copy(b);
	for (i = 0; i < sizeof(by_itself) / sizeof(by_itself[0]); i++) {
		json_object_del(x, by_itself[i]);
		json_object_del(y, by_itself[i]);
	}
	same = json_equal(x, y);
	json_decref(x);
	json_decref(y);
	return same;
}

/* {"at", "changed": [rows], "removed": [keys]}; NULL: nothing has. */
json_t *
diff_rows(const json_t *before, const json_t *now, const char *key)
{
	json_t *old = diff_by_key(before, key);
	json_t *new = diff_by_key(now, key);
	json_t *changed = json_array(), *removed = json_array(), *row;
	const char *name;

	json_object_foreach (new, name, row)
		if (!diff_same_row(row, json_object_get(old, name)))
			json_array_append(changed, row);
	json_object_foreach (old, name, row)
		if (json_object_get(new, name) == NULL)
			json_array_append_new(removed, json_string(name));
	json_decref(old);
	json_decref(new);
	if (json_array_size(changed) + json_array_size(removed) == 0) {
		json_decref(changed);
		json_decref(removed);
		return NULL;
	}
	return json_pack("{s:o,s:o,s:o}", "at", diff_now(), "changed", changed,
			 "removed", removed);
}

/* The whole answer, unless it is the same but for its time. */
json_t *
diff_whole(const json_t *before, json_t *now)
{
	json_t *a = json_copy((json_t *)before), *b = json_copy(now);
	bool same;

	json_object_del(a, "at");
	json_object_del(b, "at");
	same = json_equal(a, b);
	json_decref(a);
	json_decref(b);
	return same ? NULL : json_incref(now);
}

/* A page that gets a snapshot forgets what it had. "at" is the answer's own time,
 * where it has one. */
json_t *
diff_snapshot(json_t *value)
{
	json_t *all = json_copy(value);

	json_object_set_new(all, "snapshot", json_true());
	if (json_object_get(all, "at") == NULL)
		json_object_set_new(all, "at", diff_now());
	return all;
}
