/* SPDX-License-Identifier: MIT */
/*
 * Arguments of commands, and the names of all keys and channels that are not of
 * one queue (queue.c makes those). They stand together, since other programs
 * read and write the same keys: a change here is a change of the format.
 */
#include "store/redis/arg.h"

#include <stdint.h>
#include <string.h>

const char ARG_RECORD[] = "flowrra:task:";

const char RBROKER_CONTROL[] = "flowrra:control";
const char RBROKER_REGISTRY[] = "flowrra:registry";
const char RBROKER_REGISTERED[] = "flowrra:registered";
const char RBROKER_REGISTERED_BESIDE[] = "{flowrra:registry}:registered";
const char RBROKER_KEYS[] = "flowrra:keys";
const char RBROKER_WORKERS[] = "flowrra:workers";
const char RBROKER_WORKER[] = "flowrra:worker:";
const char RBROKER_KEEPER[] = "flowrra:keeper:";
const char RBROKER_WITHDRAWN[] = "{\"withdrawn\":true}";

const char RRESULTS_COMPLETE[] = "flowrra:complete:";
const char RRESULTS_CHANGED[] = "flowrra:changed:";
const char RRESULTS_EVENTS[] = "flowrra:events";
const char RRESULTS_BRIEF[] = "flowrra:events:brief";
const char RRESULTS_STATS[] = "flowrra:stats";
const char RRESULTS_MEASURE[] = "flowrra:measure:";

struct slice
arg_number(char text[ARG_NUMBER_SIZE], int64_t value)
{
	/* As unsigned, since -INT64_MIN does not fit. */
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char digits[ARG_NUMBER_SIZE], *end = digits + sizeof(digits) - 1;
	char *p = end;

	*end = '\0';
	do
		*--p = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (value < 0)
		*--p = '-';
	memcpy(text, p, (size_t)(end - p) + 1);
	return (struct slice){text, (size_t)(end - p)};
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

struct slice
arg_index_list(bool cluster, bool failed)
{
	if (cluster)
		return failed ? SLICE("{flowrra:index}:failed")
			      : SLICE("{flowrra:index}:completed");
	return failed ? SLICE("flowrra:failed") : SLICE("flowrra:completed");
}

struct slice
arg_index_totals(bool cluster)
{
	return cluster ? SLICE("{flowrra:index}:stats")
		       : slice_of(RRESULTS_STATS);
}

struct slice
arg_index_field(bool failed)
{
	return failed ? SLICE("failed") : SLICE("succeeded");
}
