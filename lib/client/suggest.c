/* SPDX-License-Identifier: MIT */
/* Close names, for the message about a task that nobody has registered. */
#include "client/suggest.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

static size_t
suggest_from(const char *name, const char *names, bool others,
	     char text[SUGGEST_MAX])
{
	struct closest close = CLOSEST_INIT(name);
	json_t *list = json_loads(names, 0, NULL);
	const char *candidate;
	size_t n, i;

	for (i = 0; i < json_array_size(list); i++) {
		candidate = json_string_value(json_array_get(list, i));
		if (candidate != NULL &&
		    !(others && strcmp(candidate, name) == 0))
			closest_offer(&close, candidate);
	}
	/* Before the list goes: the candidates are texts in it. */
	n = closest_write(&close, text);
	json_decref(list);
	return n;
}

size_t
suggest(const char *name, const char *names, char text[SUGGEST_MAX])
{
	return suggest_from(name, names, false, text);
}

size_t
suggest_others(const char *name, const char *names, char text[SUGGEST_MAX])
{
	return suggest_from(name, names, true, text);
}
