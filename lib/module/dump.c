/* SPDX-License-Identifier: MIT */
/* How values are written as JSON: as short as possible without losing anything.
 * The text is what a handler's result looks like to a person. */
#include "module/dump.h"

#include <stdbool.h>
#include <stdlib.h>

/* jansson applies the precision to reals alone, so a value without them needs
 * no trial. The cast drops a const that the macro does not accept. */
static bool
has_reals(const json_t *value)
{
	const json_t *member;
	const char *key;
	size_t i;

	if (json_is_object(value))
		json_object_foreach ((json_t *)value, key, member)
			if (has_reals(member))
				return true;
	json_array_foreach (value, i, member)
		if (has_reals(member))
			return true;
	return json_is_real(value);
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
size_t
dump_flags(const json_t *value)
{
	const size_t plain = JSON_COMPACT | JSON_ENCODE_ANY;
	size_t digits = 15;

	if (!has_reals(value))
		return plain;
	while (digits < 17 &&
	       !dumps_exactly(value, plain | JSON_REAL_PRECISION(digits)))
		digits++;
	return plain | JSON_REAL_PRECISION(digits);
}
