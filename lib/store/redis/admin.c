/* SPDX-License-Identifier: MIT */
/*
 * The operators' part of the Redis broker: queries.
 *
 * A phase counts what is under way, itself included while it asks, so that it
 * cannot end before all is asked. A script that the server has forgotten is
 * loaded with its next call (lib/redis), so the phase is asked again, from its
 * beginning: its functions replace what they have taken before.
 */
#include "store/redis/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "store/redis/levels.h"
#include "store/redis/limit.h"

/* How often a phase is asked again: once is usual, after a SCRIPT FLUSH, or when
 * a queue has got a new level meanwhile. A server that always has another reason
 * is not waited for. */
#define AGAIN_MAX 8

/* One question of a query. */
struct rquery_request {
	struct redis_request request;
	struct rquery *query;
	rquery_take_fn *take;
	size_t index;
	bool judged;  /* an error is an answer … */
	bool of_node; /* … and so is that there will be none */
};

/* --- phases ------------------------------------------------------------ */

static void rquery_run(struct rquery *i);

static void
question_ended(struct rquery *i)
{
	if (--i->under_way > 0)
		return;
	if (i->again && i->err.code == ERR_NONE && i->n_again++ == AGAIN_MAX)
		err_set(&i->err, ERR_UNAVAILABLE,
			"%s: %s answers each time that something has changed; "
			"try again later",
			i->what, i->broker->url_name);
	if (i->again && i->err.code == ERR_NONE)
		rquery_run(i);
	else
		i->answered(i);
}

static void ask_version(struct rquery *i);

static void
rquery_run(struct rquery *i)
{
	i->again = false;
	i->under_way++;
	if (i->err.code == ERR_NONE && i->broker->version_known)
		i->ask(i);
	else if (i->err.code == ERR_NONE)
		ask_version(i);
	question_ended(i);
}

static void
rquery_on_start(struct redis_request *request, const struct redis_reply *none)
{
	rquery_run(container_of(request, struct rquery, start));
}

static void
rquery_drop_start(struct redis_request *request)
{
	struct rquery *i = container_of(request, struct rquery, start);

	i->free(i);
}

void
rquery_begin(struct rquery *i)
{
	i->start = (struct redis_request){.queue = i->broker->requests,
					  .on_reply = rquery_on_start,
					  .drop = rquery_drop_start};
	redis_request_later(&i->start);
}

void
rquery_next(struct rquery *i, void (*ask)(struct rquery *i),
	    void (*answered)(struct rquery *i))
{
	i->ask = ask;
	i->answered = answered;
	i->n_again = 0;
	rquery_run(i);
}

/* --- questions --------------------------------------------------------- */

static void
rquery_on_reply(struct redis_request *request, const struct redis_reply *reply)
{
	struct rquery_request *a =
	    container_of(request, struct rquery_request, request);
	struct rquery *i = a->query;
	enum redis_fault fault = redis_fault(reply);

	if (fault == REDIS_FAULT_SCRIPT)
		i->again = true;
	else if (fault == REDIS_FAULT_NONE ||
		 (a->judged && (a->of_node || fault != REDIS_FAULT_LOST)))
		a->take(i, a->index, reply);
	else if (i->err.code == ERR_NONE)
		redis_fault_err(i->broker->redis, i->what, reply, &i->err);
	free(a);
	question_ended(i);
}

static void
rquery_drop_request(struct redis_request *request)
{
	struct rquery_request *a =
	    container_of(request, struct rquery_request, request);

	/* The broker goes, and with it all requests of the query: the last one
	 * frees it. */
	if (--a->query->under_way == 0)
		a->query->free(a->query);
	free(a);
}

static struct rquery_request *
ask_new(struct rquery *i, rquery_take_fn *take, size_t index)
{
	struct rquery_request *a = malloc(sizeof(*a));

	if (a != NULL)
		*a = (struct rquery_request){
		    .request = {.queue = i->broker->requests,
				.on_reply = rquery_on_reply,
				.drop = rquery_drop_request},
		    .query = i,
		    .take = take,
		    .index = index};
	return a;
}

static void
note_sent(struct rquery *i, struct rquery_request *a, int sent)
{
	if (sent == 0) {
		i->under_way++;
		return;
	}
	free(a);
	if (i->err.code == ERR_NONE)
		err_set(&i->err, ERR_UNAVAILABLE, "%s: %s is unreachable",
			i->what, i->broker->url_name);
}

/* If nobody may ask (ACL), it is taken for as new as it should be. */
static void
take_version(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	rbroker_take_version(i->broker, redis_reply_string(reply));
	i->again = true;
}

/* A producer need not know how old the server is. */
static void
ask_version(struct rquery *i)
{
	const struct slice argv[] = {SLICE("INFO"), SLICE("server")};

	struct rquery_request *a = ask_new(i, take_version, 0);

	if (a != NULL)
		a->judged = true;
	note_sent(i, a,
		  a != NULL
		      ? redis_request_command(&a->request, REDIS_ARGS(argv))
		      : -1);
}

void
rquery_command(struct rquery *i, rquery_take_fn *take, size_t index,
	       struct redis_args argv)
{
	struct rquery_request *a = ask_new(i, take, index);

	note_sent(i, a,
		  a != NULL ? redis_request_command(&a->request, argv) : -1);
}

void
rquery_command_node(struct rquery *i, size_t n, rquery_take_fn *take,
		    size_t index, struct redis_args argv)
{
	struct rquery_request *a = ask_new(i, take, index);

	if (a == NULL) {
		err_nomem(&i->err);
		return;
	}
	a->judged = a->of_node = true;
	if (redis_request_node(&a->request, n, argv) == 0)
		note_sent(i, a, 0);
	else
		free(a);
}

void
rquery_eval(struct rquery *i, rquery_take_fn *take, size_t index,
	    enum rscript script, struct redis_args keys, struct redis_args args)
{
	struct rquery_request *a = ask_new(i, take, index);

	note_sent(i, a,
		  a != NULL ? redis_request_eval(&a->request,
						 &i->broker->scripts[script],
						 keys, args)
			    : -1);
}

void
rquery_eval_judged(struct rquery *i, rquery_take_fn *take, size_t index,
		   enum rscript script, struct redis_args keys,
		   struct redis_args args)
{
	struct rquery_request *a = ask_new(i, take, index);

	if (a != NULL)
		a->judged = true;
	note_sent(i, a,
		  a != NULL ? redis_request_eval(&a->request,
						 &i->broker->scripts[script],
						 keys, args)
			    : -1);
}

void
rquery_eval_levels(struct rquery *i, rquery_take_fn *take, size_t index,
		   enum rscript script, const struct rqueue *q,
		   struct redis_args keys, struct redis_args args)
{
	struct slice *all = rlevels_join(&q->levels, q, keys.v, keys.n, 0);

	if (all != NULL)
		rquery_eval(i, take, index, script,
			    (struct redis_args){all, keys.n + q->levels.n},
			    args);
	else
		err_nomem(&i->err);
	free(all);
}

bool
rquery_take_levels(struct rquery *i, struct rlevels *levels,
		   const struct redis_reply *reply)
{
	if (!rlevels_told(reply))
		return false;
	if (rlevels_learn(levels, redis_reply_at(reply, 0)))
		i->again = true;
	else if (i->err.code == ERR_NONE)
		err_set(&i->err, ERR_DATA,
			"%s on %s: a queue's set of levels has members that "
			"are not priorities; remove them with ZREM",
			i->what, i->broker->url_name);
	return true;
}

/* --- names ------------------------------------------------------------- */

int
rqueue_of_name(struct rqueue *q, struct rbroker *b, struct slice name,
	       struct err *err)
{
	char text[TASK_QUEUE_MAX + 1];

	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	return rqueue_init(q, b, text, 0) == 0 ? 0 : err_nomem(err);
}

/* One block, as rlevels_join(). */
struct slice *
rqueue_worker_keys(const struct rqueue *q, char *const *workers, size_t n,
		   bool epochs)
{
	const char *const name = q->keys[KEY_WAITING];
	const size_t n_keys = n * (SHARDS + epochs);
	size_t size = n_keys * (sizeof(struct slice) + strlen(name) +
				sizeof("{}:inflight:#99"));
	struct slice *keys, *key;
	unsigned int shard;
	char *text;
	size_t w;

	for (w = 0; w < n; w++)
		size += (SHARDS + epochs) * strlen(workers[w]);
	if ((keys = malloc(size + 1)) == NULL)
		return NULL;
	key = keys;
	text = (char *)(keys + n_keys);
	for (w = 0; w < n; w++) {
		for (shard = 0; shard < SHARDS + (unsigned int)epochs;
		     shard++) {
			key->p = text;
			if (epochs && shard == 0)
				text += sprintf(text, "{%s}:fence:%s", name,
						workers[w]);
			else if (shard == (unsigned int)epochs)
				text += sprintf(text, "{%s}:inflight:%s", name,
						workers[w]);
			else
				text +=
				    sprintf(text, "{%s}:inflight:%s#%u", name,
					    workers[w], shard - epochs);
			key->len = (size_t)(text++ - key->p);
			key++;
		}
	}
	return keys;
}

/* --- lanes ------------------------------------------------------------- */

void
rquery_ask_lanes(struct rquery *i, rquery_take_fn *take, const struct rqueue *q)
{
	const struct slice argv[] = {SLICE("ZRANGE"),
				     slice_of(q->keys[KEY_LANES]), SLICE("0"),
				     SLICE("-1")};

	rquery_command(i, take, 0, REDIS_ARGS(argv));
}

/* Keeps `name` if it comes before what *at has; returns what is left over. */
static char *
rlanes_keep(char **at, char *name)
{
	char *left = name;

	if (*at == NULL || (name != NULL && strcmp(name, *at) < 0)) {
		left = *at;
		*at = name;
	}
	return left;
}

/* That of a task's name, or of what limits hold. */
static bool
rlane_valid(struct slice name)
{
	return task_name_valid(name, TASK_NAME_MAX) ||
	       slice_eq(name, SLICE(RLIMIT_LANE));
}

int
rlanes_pick(const struct redis_reply *names, const char *from, char **ret_lane,
	    char **ret_next, struct err *err)
{
	const size_t n = redis_reply_count(names);
	struct slice name;
	char *copy;
	size_t k;

	*ret_lane = *ret_next = NULL;
	for (k = 0; k < n; k++) {
		name = redis_reply_string(redis_reply_at(names, k));
		if (!rlane_valid(name))
			continue;
		if ((copy = strndup(name.p, name.len)) == NULL)
			return err_nomem(err);
		if (from != NULL && strcmp(copy, from) < 0)
			free(copy);
		else
			free(
			    rlanes_keep(ret_next, rlanes_keep(ret_lane, copy)));
	}
	return 0;
}

bool
rlanes_read_cursor(struct slice cursor, int64_t *ret_offset, char **ret_name)
{
	struct slice rest;

	if (cursor.len < 3 || memcmp(cursor.p, "l:", 2) != 0)
		return false;
	rest = (struct slice){cursor.p + 2, cursor.len - 2};
	if (rest.p[rest.len - 1] == ':') {
		rest.len--;
		*ret_name = NULL;
		return cursor_number(&rest, 0, CURSOR_OFFSET_MAX, ret_offset) &&
		       rest.len == 0;
	}
	if (!cursor_number(&rest, 0, CURSOR_OFFSET_MAX, ret_offset) ||
	    !rlane_valid(rest))
		return false;
	*ret_name = strndup(rest.p, rest.len);
	return *ret_name != NULL;
}

/* --- workers ------------------------------------------------------------ */

char *
rworker_name(struct slice name)
{
	return task_id_valid(name) ? strndup(name.p, name.len) : NULL;
}

/* --- deferred calls ---------------------------------------------------- */

struct rdeferred {
	struct redis_request request;
	broker_deferred_fn *fn;
	void *arg;
};

static void
rdeferred_on_turn(struct redis_request *request, const struct redis_reply *none)
{
	struct rdeferred *d = container_of(request, struct rdeferred, request);
	const struct rdeferred call = *d;

	free(d);
	call.fn(call.arg, false);
}

static void
rdeferred_drop(struct redis_request *request)
{
	struct rdeferred *d = container_of(request, struct rdeferred, request);

	d->fn(d->arg, true);
	free(d);
}

static int
radmin_defer(struct broker *b, broker_deferred_fn *fn, void *arg)
{
	struct rdeferred *d = malloc(sizeof(*d));

	if (d == NULL)
		return -1;
	*d = (struct rdeferred){
	    .request = {.queue = ((struct rbroker *)b)->requests,
			.on_reply = rdeferred_on_turn,
			.drop = rdeferred_drop},
	    .fn = fn,
	    .arg = arg};
	redis_request_later(&d->request);
	return 0;
}

const struct broker_admin_ops broker_redis_admin = {
    .defer = radmin_defer,
    .queues = radmin_queues,
    .workers = radmin_workers,
    .find = radmin_find,
    .view = radmin_view,
    .examine = radmin_examine,
    .pause = radmin_pause,
    .limits_get = radmin_limits_get,
    .limits_change = radmin_limits_change,
    .limits_declare = radmin_limits_declare,
    .purge = radmin_purge,
    .remove = radmin_remove,
    .hasten = radmin_hasten,
    .send_off = radmin_send_off,
    .deliver = radmin_deliver,
    .requeue = radmin_requeue,
    .add_dead = radmin_add_dead,
};
