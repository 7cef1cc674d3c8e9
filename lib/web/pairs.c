/* SPDX-License-Identifier: MIT */
/*
 * Names and values in their order: parameters of a query, headers of a request or
 * an answer. There are some dozens at the most, and so they are an array that is
 * searched from one end to the other.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "web/call.h"

/* Without memory the list is as it was. */
int
web_pairs_add(struct web_pairs *pairs, const char *name, const char *value,
	      struct err *err)
{
	struct web_pair *items =
	    reallocarray(pairs->items, pairs->n + 1, sizeof(*pairs->items));
	struct web_pair *pair;

	if (items == NULL)
		return err_nomem(err);
	pairs->items = items;
	pair = &items[pairs->n];
	pair->name = strdup(name);
	pair->value = strdup(value);
	if (pair->name == NULL || pair->value == NULL) {
		free(pair->name);
		free(pair->value);
		return err_nomem(err);
	}
	pairs->n++;
	return 0;
}

/* From the end: of a header that a route sets twice the last one counts. */
const char *
web_pairs_get(const struct web_pairs *pairs, const char *name)
{
	size_t i;

	for (i = pairs->n; i > 0; i--)
		if (strcasecmp(pairs->items[i - 1].name, name) == 0)
			return pairs->items[i - 1].value;
	return NULL;
}

/* Empty afterwards, and may be filled again. */
void
web_pairs_done(struct web_pairs *pairs)
{
	size_t i;

	for (i = 0; i < pairs->n; i++) {
		free(pairs->items[i].name);
		free(pairs->items[i].value);
	}
	free(pairs->items);
	*pairs = (struct web_pairs){.n = 0};
}
