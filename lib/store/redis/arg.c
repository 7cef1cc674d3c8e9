/* SPDX-License-Identifier: MIT */
/* Arguments of commands. */
#include "store/redis/arg.h"

#include <inttypes.h>
#include <stdio.h>

const char ARG_RECORD[] = "flowrra:task:";

struct slice
arg_number(char text[ARG_NUMBER_SIZE], int64_t value)
{
	int n = snprintf(text, ARG_NUMBER_SIZE, "%" PRId64, value);

	return (struct slice){text, (size_t)n};
}

struct slice
arg_key(struct buf *key, const char *prefix, struct slice id)
{
	size_t start = key->len;

	buf_adds(key, prefix);
	buf_add(key, id.p, id.len);
	if (key->failed)
		return (struct slice){NULL, 0};
	return (struct slice){key->data + start, key->len - start};
}
