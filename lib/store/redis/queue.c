/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: names of a queue's keys, and which queues the server knows.
 *
 * All keys of a queue but its own name stand in braces around that, so that a
 * cluster keeps them in one slot: scripts may use keys of one slot only. The
 * list itself has no braces because other producers push to that name; its slot
 * is the same, since the braces hold just that.
 */
#include <event2/event.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/order.h"
#include "store/redis/broker.h"
#include "store/redis/lanes.h"
#include "store/redis/levels.h"
#include "store/redis/limit.h"
#include "util/clock.h"

/* The waiting list has the queue's own name. */
static const char *const key_suffixes[KEY_COUNT] = {
    [KEY_WAITING] = NULL,
    [KEY_LEVELS] = "levels",
    [KEY_DELAYED] = "delayed",
    [KEY_DEAD] = "dead",
    [KEY_DEAD_TASKS] = "dead:tasks",
    [KEY_DEAD_INFO] = "dead:info",
    [KEY_PAUSED] = "paused",
    [KEY_WITHDRAWN] = "withdrawn",
    [KEY_LANES] = "lanes",
    [KEY_SERVED] = "served",
    [KEY_UNKNOWN] = "unknown",
    [KEY_IDLE] = "idle",
    [KEY_LIMITS] = "limits",
    [KEY_DECLARED] = "declared",
    [KEY_RUNNING] = "running",
    [KEY_COUNTING] = "counting",
    [KEY_HELD] = ("lane:" RLIMIT_LANE),
    [KEY_HELD_INDEX] = "held",
    [KEY_READY] = "ready",
    [KEY_TATS] = "tats",
    [KEY_RESTING] = "resting",
    [KEY_IDLERS] = "idlers",
    [KEY_WATCHER] = "watcher",
    [KEY_LEAVING] = "leaving",
    [KEY_UNIQUES] = "uniques",
};

/* --- opening ----------------------------------------------------------- */

/*
 * The wake order is made here, too: it goes into nearly each script as it is.
 */
static int
make_keys(struct rqueue *q, const char *prefix, const char *name)
{
	const struct order wake = {.kind = ORDER_WAKE,
				   .subject = slice_of(name)};
	struct buf order = BUF_INIT;
	unsigned int i;

	if (asprintf(&q->keys[KEY_WAITING], "%s:%s", prefix, name) < 0)
		return -1;
	for (i = KEY_WAITING + 1; i < KEY_COUNT; i++)
		if (asprintf(&q->keys[i], "{%s:%s}:%s", prefix, name,
			     key_suffixes[i]) < 0)
			return -1;
	order_write(&wake, &order);
	if (order.failed) {
		buf_done(&order);
		return -1;
	}
	q->wake = buf_take(&order);
	return 0;
}

void
rqueue_add_key(struct buf *out, const struct rbroker *b, struct slice name,
	       enum rqueue_key key)
{
	buf_addf(out, "{%s:%.*s}:%s", b->queue_key, (int)name.len, name.p,
		 key_suffixes[key]);
}

/* Enough for a producer and an operator, who need only names; a worker adds the
 * rest (worker.c). */
int
rqueue_init(struct rqueue *q, struct rbroker *b, const char *name,
	    unsigned int index)
{
	*q = (struct rqueue){.broker = b, .index = index};
	if ((q->name = strdup(name)) == NULL ||
	    make_keys(q, b->queue_key, name) != 0) {
		rqueue_done(q);
		return -1;
	}
	return 0;
}

/* Shard 0, which BLMOVE fills, has no number. */
char *
rqueue_shard_key(const struct rqueue *q, const char *worker, unsigned int shard)
{
	char *key = NULL;
	int n;

	if (shard == 0)
		n = asprintf(&key, "{%s}:inflight:%s", q->keys[KEY_WAITING],
			     worker);
	else
		n = asprintf(&key, "{%s}:inflight:%s#%u", q->keys[KEY_WAITING],
			     worker, shard);
	return n < 0 ? NULL : key;
}

char *
rqueue_epoch_key(const struct rqueue *q, const char *worker)
{
	char *key = NULL;

	return asprintf(&key, "{%s}:fence:%s", q->keys[KEY_WAITING], worker) < 0
		   ? NULL
		   : key;
}

char *
rqueue_mark_key(const struct rqueue *q, const char *worker)
{
	char *key = NULL;

	return asprintf(&key, "{%s}:taken:%s", q->keys[KEY_WAITING], worker) < 0
		   ? NULL
		   : key;
}

struct slice
rqueue_add_workers(struct buf *out, const struct rqueue *q)
{
	const size_t start = out->len;

	/* In a Cluster it is beside the queue (rbroker_name_keys()). */
	if (q->broker->url.cluster)
		buf_addf(out, "{%s}:workers", q->keys[KEY_WAITING]);
	else
		buf_adds(out, RBROKER_WORKERS);
	return out->failed
		   ? (struct slice){NULL, 0}
		   : (struct slice){out->data + start, out->len - start};
}

/* Made once: the names are part of each claim and settlement. */
int
rqueue_name_shards(struct rqueue *q)
{
	struct shard *shard;
	unsigned int i;

	for (i = 0; i < SHARDS; i++) {
		shard = &q->shards[i];
		shard->queue = q;
		TAILQ_INIT(&shard->claims);
		shard->key = rqueue_shard_key(q, q->broker->opt.worker, i);
		if (shard->key == NULL)
			return -1;
	}
	q->epoch_key = rqueue_epoch_key(q, q->broker->opt.worker);
	q->mark_key = rqueue_mark_key(q, q->broker->opt.worker);
	return q->epoch_key != NULL && q->mark_key != NULL ? 0 : -1;
}

/*
 * Claims that are left
 * lie in the in-flight list of the server: the worker that comes back, or
 * another one, finds them there.
 */
void
rqueue_done(struct rqueue *q)
{
	struct rclaim *c;
	unsigned int i;

	if (q->due != NULL)
		event_free(q->due);
	if (q->retry != NULL)
		event_free(q->retry);
	if (q->rested != NULL)
		event_free(q->rested);
	for (i = 0; i < SHARDS && q->shards[i].key != NULL; i++) {
		while ((c = TAILQ_FIRST(&q->shards[i].claims)) != NULL) {
			TAILQ_REMOVE(&q->shards[i].claims, c, link);
			free(c);
		}
		free(q->shards[i].key);
	}
	for (i = 0; i < KEY_COUNT; i++)
		free(q->keys[i]);
	rlevels_done(&q->levels);
	rlanes_done(&q->lanes);
	free(q->acks);
	free(q->epoch_key);
	free(q->mark_key);
	free(q->wake);
	free(q->name);
}

/* --- names that the server was told of ---------------------------------- */

/* Names that are remembered: less than 100 KiB. A producer with more queues
 * than that sends some names again. */
#define NAMED_MAX 1000

/* A name is said again after this time: one of a queue that nobody uses goes
 * (tidy.c), after a much longer one. */
#define NAMED_MS (INT64_C(3600) * 1000)

/* A queue that this connection has used. */
struct rnamed {
	struct rlevels levels;
	int64_t named_ms; /* monotonic */
	char name[];
};

/* A name is looked for by itself, hence the offset. */
static int
rqueue_compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
rnamed_free(void *name)
{
	struct rnamed *named = container_of(name, struct rnamed, name);

	rlevels_done(&named->levels);
	free(named);
}

static struct rnamed *
rnamed_find(struct rbroker *b, const char *name)
{
	char **node = tfind(name, &b->named, rqueue_compare_names);

	return node != NULL ? container_of(*node, struct rnamed, name) : NULL;
}

/* Records of queues of another key would be taken for ours (lost.c). */
static void
rqueue_name_key(struct rbroker *b)
{
	const struct slice argv[] = {SLICE("SADD"), slice_of(RBROKER_KEYS),
				     slice_of(b->queue_key)};

	if (strcmp(b->queue_key, RBROKER_DEFAULT) != 0)
		redis_command(b->redis, NULL, NULL, 3, argv);
}

/*
 * The set of names is for people who list queues. Nothing depends on it, so the
 * command's answer is not looked at, and a name that was lost is sent again by
 * the next connection.
 */
void
rbroker_name_queue(struct rbroker *b, const char *name)
{
	const struct slice argv[] = {SLICE("SADD"), slice_of(b->queues_key),
				     slice_of(name)};
	const size_t size = strlen(name) + 1;
	const int64_t now_ms = clock_mono_ms();
	struct rnamed *named = rnamed_find(b, name);

	/* The hub does it. */
	if (b->part == RBROKER_QUEUE)
		return;
	if (named != NULL) {
		if (now_ms - named->named_ms >= NAMED_MS &&
		    redis_command(b->redis, NULL, NULL, 3, argv) == 0)
			named->named_ms = now_ms;
		return;
	}
	if (b->n_named == NAMED_MAX)
		rbroker_forget_named(b);
	rqueue_name_key(b);
	if (redis_command(b->redis, NULL, NULL, 3, argv) != 0 ||
	    (named = malloc(sizeof(*named) + size)) == NULL)
		return;
	named->levels = (struct rlevels){.names = NULL};
	named->named_ms = now_ms;
	memcpy(named->name, name, size);
	if (tsearch(named->name, &b->named, rqueue_compare_names) == NULL)
		free(named);
	else
		b->n_named++;
}

struct rlevels *
rbroker_levels(struct rbroker *b, const char *name)
{
	struct rnamed *named = rnamed_find(b, name);

	return named != NULL ? &named->levels : NULL;
}

void
rbroker_forget_named(struct rbroker *b)
{
	tdestroy(b->named, rnamed_free);
	b->named = NULL;
	b->n_named = 0;
}
