/* SPDX-License-Identifier: MIT */
/* Names by ZSCAN, which may tell one twice when the table of the server changes its
 * size between two steps. */
#include "store/redis/names.h"

#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "redis/redis.h"
#include "store/redis/broker.h"

void
rnames_done(struct rnames *names)
{
	buf_done(&names->text);
	*names = (struct rnames)RNAMES_INIT;
}

void
rnames_command(const struct rnames *names, struct slice key,
	       struct slice argv[RNAMES_ARGS])
{
	argv[0] = SLICE("ZSCAN");
	argv[1] = key;
	argv[2] = slice_of(names->cursor);
	argv[3] = SLICE("COUNT");
	argv[4] = SLICE(RNAMES_PAGE);
}

/* Anybody may have put anything there. */
void
rnames_add(struct rnames *names, struct slice name)
{
	if (!task_id_valid(name))
		return;
	buf_add(&names->text, name.p, name.len);
	buf_addc(&names->text, '\0');
	names->n++;
}

bool
rnames_take(struct rnames *names, const struct redis_reply *reply)
{
	const struct redis_reply *page = redis_reply_at(reply, 1);
	const struct slice cursor =
	    redis_reply_string(redis_reply_at(reply, 0));
	size_t i;

	/* With scores between. */
	for (i = 0; i < redis_reply_count(page); i += 2)
		rnames_add(names, redis_reply_string(redis_reply_at(page, i)));
	if (cursor.len == 0 || cursor.len >= sizeof(names->cursor) ||
	    slice_eq(cursor, SLICE("0")) || names->text.failed)
		return false;
	memcpy(names->cursor, cursor.p, cursor.len);
	names->cursor[cursor.len] = '\0';
	return true;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **
rnames_sorted(struct rnames *names, size_t *ret_n)
{
	char **sorted =
	    names->text.failed ? NULL : calloc(names->n + 1, sizeof(*sorted));
	char *p = names->text.data;
	size_t i, n = 0;

	if (sorted == NULL)
		return NULL;
	for (i = 0; i < names->n; i++, p += strlen(p) + 1)
		sorted[i] = p;
	qsort(sorted, names->n, sizeof(*sorted), compare_names);
	for (i = 0; i < names->n; i++)
		if (n == 0 || strcmp(sorted[n - 1], sorted[i]) != 0)
			sorted[n++] = sorted[i];
	*ret_n = n;
	return sorted;
}
