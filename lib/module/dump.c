/* SPDX-License-Identifier: MIT */
/* How values are written as JSON: as short as possible without losing anything.
 * The text is what a handler's result looks like to a person. */
#include "module/dump.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* What a value was found to be. */
struct look {
	size_t left; /* values that it may still have */
	bool reals, deep;
};

/* jansson applies the precision to reals alone, so a value without them needs
 * no trial. Each value costs a byte at least, so one with more of them than bytes
 * are allowed is not looked at to its end: one that is in itself many times over
 * would have none. The cast drops a const that the macro does not accept. */
static bool
look_at(struct look *l, const json_t *value, unsigned int depth)
{
	const bool holds = json_is_object(value) || json_is_array(value);
	const json_t *member;
	const char *key;
	size_t i;

	l->reals = l->reals || json_is_real(value);
	l->deep = holds && depth == DUMP_DEPTH_MAX;
	if (l->deep || l->left-- == 0)
		return false;
	if (json_is_object(value))
		json_object_foreach ((json_t *)value, key, member)
			if (!look_at(l, member, depth + 1))
				return false;
	json_array_foreach (value, i, member)
		if (!look_at(l, member, depth + 1))
			return false;
	return true;
}

/* Whether the text with these flags says the same value. */
static bool
dumps_exactly(const json_t *value, size_t flags)
{
	char *text = json_dumps(value, flags);
	json_t *again;
	bool same;

	if (text == NULL)
		return false;
	again = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	same = again != NULL && json_equal(again, value);
	json_decref(again);
	free(text);
	return same;
}

/*
 * 15 digits are what people expect of a number such as 0.1, and enough for
 * most; 17 always are. So the fewest are taken that lose nothing.
 */
enum dump_fault
dump_look(const json_t *value, size_t max, size_t *ret_flags)
{
	const size_t plain = JSON_COMPACT | JSON_ENCODE_ANY;
	struct look l = {.left = max};
	size_t digits = 15;

	if (!look_at(&l, value, 0))
		return l.deep ? DUMP_DEEP : DUMP_LARGE;
	*ret_flags = plain;
	if (!l.reals)
		return DUMP_FINE;
	while (digits < 17 &&
	       !dumps_exactly(value, plain | JSON_REAL_PRECISION(digits)))
		digits++;
	*ret_flags = plain | JSON_REAL_PRECISION(digits);
	return DUMP_FINE;
}

size_t
dump_flags(const json_t *value)
{
	size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;

	dump_look(value, SIZE_MAX, &flags);
	return flags;
}

/* Values that are to be let go of. */
struct dropping {
	json_t **values;
	size_t n, cap;
};

/* Without memory it is not let go of, nor is what it holds. */
static void
drop_later(struct dropping *d, json_t *value)
{
	const size_t cap = d->cap > 0 ? 2 * d->cap : 64;
	json_t **more;

	if (d->n == d->cap) {
		if ((more = reallocarray(d->values, cap, sizeof(json_t *))) ==
		    NULL)
			return;
		d->values = more;
		d->cap = cap;
	}
	d->values[d->n++] = value;
}

/* What it holds comes onto the list before it is emptied. */
static void
drop_members(struct dropping *d, json_t *value)
{
	json_t *member;
	const char *key;
	size_t i;

	if (json_is_object(value))
		json_object_foreach (value, key, member)
			drop_later(d, json_incref(member));
	json_array_foreach (value, i, member)
		drop_later(d, json_incref(member));
	json_object_clear(value);
	json_array_clear(value);
}

void
dump_free(json_t *value)
{
	struct dropping d = {.values = NULL};

	if (value != NULL)
		drop_later(&d, value);
	while (d.n > 0) {
		value = d.values[--d.n];
		/* Another's, if it has more references. */
		if (value->refcount == 1)
			drop_members(&d, value);
		json_decref(value);
	}
	free(d.values);
}
