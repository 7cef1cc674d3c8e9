/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: the lists of a queue's priorities other than 0, as keys.
 *
 * A script may use only keys that its caller has named: a cluster sends the
 * script to where they are, and refuses it as a whole while one of them is on
 * its way elsewhere, instead of in the middle. But which priorities there are,
 * only the server knows. So callers name the lists of the levels that they were
 * last told of, and a script that needs another one answers with the levels.
 */
#include "store/redis/levels.h"

#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"

/* More are forgotten with the next that is told: a producer may make a priority
 * of anything, say the time, and the names travel with each claim. */
#define LEVELS_KEPT 64

/* What stands between the braces and the level in the name of a list. */
static const char MIDDLE[] = "}:p:";

void
rlevels_done(struct rlevels *l)
{
	free(l->names);
	*l = (struct rlevels){.names = NULL};
}

static bool
rlevels_has(const struct rlevels *l, struct slice level)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (slice_eq(slice_of(l->names[i]), level))
			return true;
	return false;
}

/* As the scripts find it at the end of a key. */
static bool
is_level(struct slice level)
{
	const size_t sign = level.len > 0 && level.p[0] == '-';
	size_t i;

	if (level.len <= sign || level.len >= RLEVEL_SIZE)
		return false;
	for (i = sign; i < level.len; i++)
		if (level.p[i] < '0' || level.p[i] > '9')
			return false;
	return true;
}

int
rlevels_add(struct rlevels *l, struct slice level)
{
	char(*wider)[RLEVEL_SIZE];

	if (!is_level(level))
		return -1;
	wider = reallocarray(l->names, l->n + 1, sizeof(*wider));
	if (wider == NULL)
		return -1;
	l->names = wider;
	memcpy(wider[l->n], level.p, level.len);
	wider[l->n++][level.len] = '\0';
	return 0;
}

bool
rlevels_told(const struct redis_reply *reply)
{
	return redis_reply_type(redis_reply_at(reply, 0)) == REDIS_ARRAY;
}

bool
rlevels_learn(struct rlevels *l, const struct redis_reply *told)
{
	const size_t n = redis_reply_count(told);
	struct slice level;
	bool news = false;
	size_t i;

	for (i = 0; i < n && !news; i++)
		news = !rlevels_has(
		    l, redis_reply_string(redis_reply_at(told, i)));
	if (!news)
		return false;
	if (l->n + n > LEVELS_KEPT)
		rlevels_done(l);
	for (i = 0, news = false; i < n; i++) {
		level = redis_reply_string(redis_reply_at(told, i));
		if (!rlevels_has(l, level) && rlevels_add(l, level) == 0)
			news = true;
	}
	return news;
}

bool
rlevels_know(const struct rlevels *l, const struct redis_reply *told)
{
	const size_t n = redis_reply_count(told);
	size_t i;

	for (i = 0; i < n; i++)
		if (!rlevels_has(l,
				 redis_reply_string(redis_reply_at(told, i))))
			return false;
	return true;
}

/* One block: the slices, and behind them what those of the lists point to. */
struct slice *
rlevels_join(const struct rlevels *l, const struct rqueue *q,
	     const struct slice *keys, size_t n, size_t more)
{
	const struct slice name = slice_of(q->keys[KEY_WAITING]);
	const size_t size = 1 + name.len + strlen(MIDDLE) + RLEVEL_SIZE;
	struct slice *all =
	    malloc((n + l->n + more) * sizeof(*all) + l->n * size);
	char *text;
	size_t i;

	if (all == NULL)
		return NULL;
	memcpy(all, keys, n * sizeof(*all));
	text = (char *)(all + n + l->n + more);
	for (i = 0; i < l->n; i++, text += size) {
		*text = '{';
		memcpy(text + 1, name.p, name.len);
		stpcpy(stpcpy(text + 1 + name.len, MIDDLE), l->names[i]);
		all[n + i] = slice_of(text);
	}
	return all;
}

char *
rqueue_level_key(const struct rqueue *q, int32_t priority)
{
	char text[ARG_NUMBER_SIZE];
	struct buf key = BUF_INIT;

	if (priority == 0)
		return strdup(q->keys[KEY_WAITING]);
	arg_number(text, priority);
	buf_addf(&key, "{%s%s%s", q->keys[KEY_WAITING], MIDDLE, text);
	if (key.failed) {
		buf_done(&key);
		return NULL;
	}
	return buf_take(&key);
}
