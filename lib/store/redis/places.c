/* SPDX-License-Identifier: MIT */
/* The Redis broker: which tasks are in no place of their queue. */
#include "store/redis/places.h"

#include <stdlib.h>
#include <string.h>

/* What one call reads of a queue: it takes the server some 10 ms. */
#define PLACES_TASKS "3000"
#define PLACES_BYTES "524288"
/* Of workers, each of which has a list in as many parts as it has shards. */
#define PLACES_WORKERS 200
/* How often in a row the names of a queue's lists may have changed. */
#define PLACES_TRIES 3
/* Keys before those of the lists, and arguments before the IDs. */
#define PLACES_KEYS 7
#define PLACES_ARGS 2

void
rplaces_forget(struct rplaces *p)
{
	buf_reset(&p->lists);
	p->n_lists = p->tries = 0;
}

void
rplaces_done(struct rplaces *p)
{
	buf_done(&p->lists);
}

/* --- the question ------------------------------------------------------------ */

int
rplaces_call_init(struct rplaces_call *call, const struct rplaces *p,
		  const struct rqueue *q, const struct slice *ids, size_t n)
{
	const size_t n_keys = PLACES_KEYS + p->n_lists;
	const char *list = p->lists.data;
	struct slice *at;
	size_t i;

	*call = (struct rplaces_call){.workers = BUF_INIT};
	const struct slice head[PLACES_KEYS] = {
	    slice_of(q->keys[KEY_WAITING]),
	    slice_of(q->keys[KEY_LEVELS]),
	    slice_of(q->keys[KEY_DELAYED]),
	    slice_of(q->keys[KEY_DEAD]),
	    slice_of(q->keys[KEY_LANES]),
	    rqueue_add_workers(&call->workers, q),
	    slice_of(q->keys[KEY_LEAVING])};

	at = call->all = calloc(n_keys + PLACES_ARGS + n, sizeof(*at));
	if (at == NULL || call->workers.failed)
		return -1;
	at = mempcpy(at, head, sizeof(head));
	for (i = 0; i < p->n_lists; i++, list += strlen(list) + 1)
		*at++ = slice_of(list);
	*at++ = SLICE(PLACES_TASKS);
	*at++ = SLICE(PLACES_BYTES);
	memcpy(at, ids, n * sizeof(*ids));
	call->keys = (struct redis_args){call->all, n_keys};
	call->args = (struct redis_args){call->all + n_keys, PLACES_ARGS + n};
	return 0;
}

void
rplaces_call_done(struct rplaces_call *call)
{
	buf_done(&call->workers);
	free(call->all);
}

/* --- the answer -------------------------------------------------------------- */

/* An array of names, each with what stands before and behind it in its key. */
static void
places_add(struct rplaces *p, const struct rqueue *q, const char *kind,
	   const struct redis_reply *names, unsigned int shards)
{
	struct slice name;
	unsigned int shard;
	size_t i;

	for (i = 0; i < redis_reply_count(names); i++)
		for (shard = 0; shard < shards; shard++) {
			name = redis_reply_string(redis_reply_at(names, i));
			buf_addf(&p->lists, "{%s}:%s:%.*s",
				 q->keys[KEY_WAITING], kind, (int)name.len,
				 name.p != NULL ? name.p : "");
			if (shard > 0)
				buf_addf(&p->lists, "#%u", shard);
			buf_addc(&p->lists, '\0');
			p->n_lists++;
		}
}

bool
rplaces_learn(struct rplaces *p, const struct rqueue *q,
	      const struct redis_reply *reply)
{
	const struct redis_reply *workers = redis_reply_at(reply, 2);
	const unsigned int tries = p->tries + 1;

	if (redis_reply_type(redis_reply_at(reply, 0)) != REDIS_ARRAY)
		return false;
	rplaces_forget(p);
	p->tries = tries;
	if (tries > PLACES_TRIES || redis_reply_count(workers) > PLACES_WORKERS)
		return false;
	places_add(p, q, "p", redis_reply_at(reply, 0), 1);
	places_add(p, q, "lane", redis_reply_at(reply, 1), 1);
	places_add(p, q, "inflight", workers, SHARDS);
	return !p->lists.failed;
}

bool
rplaces_is_missing(const struct redis_reply *reply, size_t i)
{
	return redis_reply_type(redis_reply_at(reply, 0)) == REDIS_INTEGER &&
	       redis_reply_integer(redis_reply_at(reply, i)) == 1;
}
