/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: how the queues and the workers are.
 *
 * It first asks for the names of both, and then, queue by queue, what is
 * in it and how much of that each worker has in flight. Where many queues and
 * many workers are, it asks in between who may have anything in which queue.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "store/redis/admin_stats.h"
#include "store/redis/levels.h"
#include "util/clock.h"
#include "util/sat.h"

/* A worker that is dead and has left nothing stays on the list so long: a day, so
 * that operators see who is missing; and a month if it served no queue that is
 * known. One that has left something stays until that is taken over, for nobody
 * else finds it: all workers may have been off for longer, and a clock that is
 * wrong by a month is not worth a task. */
#define LISTED_MS (INT64_C(24) * 3600 * 1000)
#define LISTED_MAX_MS (30 * LISTED_MS)
/* Up to this product of queues and workers, each pair is asked about: that
 * takes the server some 5 ms. Beyond, it pays to ask first which of them need
 * be. */
#define PAIRS_MAX 250
/* Of those that have been dead for long, as many are looked at each time. */
#define PRUNE_STEP "200"
/* A server that goes on for ever is left. */
#define QUEUES_MAX 2000000

void
rstats_free(struct rquery *i)
{
	struct stats *s = container_of(i, struct stats, query);
	size_t k;

	for (k = 0; k < s->n_queues; k++) {
		free((char *)s->queues[k].unknown.p);
		if (s->levels != NULL)
			rlevels_done(&s->levels[k]);
	}
	for (k = 0; k < s->n_workers; k++)
		free((char *)s->workers[k].info.description.p);
	rnames_done(&s->names);
	free(s->levels);
	free(s->strangers);
	free(s->queues);
	free(s->workers);
	free(s);
}

/* --- names ------------------------------------------------------------- */

static int
compare_queues(const void *a, const void *b)
{
	return strcmp(((const struct queue_stats *)a)->name,
		      ((const struct queue_stats *)b)->name);
}

/* Behind those that are there. */
static void
add_queue_names(struct stats *s, const struct redis_reply *names)
{
	const size_t n = redis_reply_count(names);
	struct queue_stats *grown =
	    reallocarray(s->queues, s->n_queues + n + 1, sizeof(*grown));
	struct slice name;
	size_t k;

	if (grown == NULL) {
		err_nomem(&s->query.err);
		return;
	}
	s->queues = grown;
	if (s->n_queues + n > QUEUES_MAX) {
		err_set(&s->query.err, ERR_UNAVAILABLE,
			"%s has the names of more than %d queues; ask for one "
			"of them",
			s->query.broker->queues_key, QUEUES_MAX);
		return;
	}
	memset(grown + s->n_queues, 0, (n + 1) * sizeof(*grown));
	for (k = 0; k < n; k++) {
		name = redis_reply_string(redis_reply_at(names, k));
		/* Anybody may have put anything there. */
		if (task_name_valid(name, TASK_QUEUE_MAX))
			memcpy(grown[s->n_queues++].name, name.p, name.len);
	}
}

static void
take_queue_names(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct stats *s = container_of(i, struct stats, query);
	const struct slice cursor =
	    redis_reply_string(redis_reply_at(reply, 0));

	add_queue_names(s, redis_reply_at(reply, 1));
	s->more_queues = cursor.len > 0 && cursor.len < sizeof(s->cursor) &&
			 !slice_eq(cursor, SLICE("0"));
	if (s->more_queues)
		snprintf(s->cursor, sizeof(s->cursor), "%.*s", (int)cursor.len,
			 cursor.p);
}

static void
ask_queue_names(struct rquery *i)
{
	struct stats *s = container_of(i, struct stats, query);
	const struct slice argv[] = {
	    SLICE("SSCAN"), slice_of(i->broker->queues_key),
	    slice_of(s->cursor), SLICE("COUNT"), SLICE(RNAMES_PAGE)};

	rquery_command(i, take_queue_names, 0, REDIS_ARGS(argv));
}

/* All are there. The server may have told one twice. */
static void
sort_queue_names(struct stats *s)
{
	size_t k, n = 0;

	qsort(s->queues, s->n_queues, sizeof(*s->queues), compare_queues);
	for (k = 0; k < s->n_queues; k++)
		if (n == 0 || compare_queues(&s->queues[n - 1], &s->queues[k]))
			s->queues[n++] = s->queues[k];
	s->n_queues = n;
}

static void
take_worker_names(struct rquery *i, size_t none,
		  const struct redis_reply *reply)
{
	struct stats *s = container_of(i, struct stats, query);

	s->more_workers = rnames_take(&s->names, reply);
}

/* All are there. */
static void
sort_worker_names(struct stats *s)
{
	char **names;
	size_t n, k;

	if ((names = rnames_sorted(&s->names, &n)) == NULL ||
	    (s->workers = calloc(n + 1, sizeof(*s->workers))) == NULL) {
		free(names);
		err_nomem(&s->query.err);
		return;
	}
	for (k = 0; k < n; k++)
		snprintf(s->workers[s->n_workers++].info.name,
			 sizeof(s->workers->info.name), "%s", names[k]);
	free(names);
}

/* With scores between. The longest dead come first. */
static void
take_old_workers(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct stats *s = container_of(i, struct stats, query);
	const size_t n = redis_reply_count(reply) / 2;
	struct worker_row *row;
	struct slice name;
	size_t k;

	s->more_workers = false;
	if ((s->workers = calloc(n + 1, sizeof(*s->workers))) == NULL) {
		err_nomem(&i->err);
		return;
	}
	for (k = 0; k < n; k++) {
		name = redis_reply_string(redis_reply_at(reply, 2 * k));
		if (!task_id_valid(name))
			continue;
		row = &s->workers[s->n_workers++];
		memcpy(row->info.name, name.p, name.len);
		row->seen_ms =
		    redis_reply_integer(redis_reply_at(reply, 2 * k + 1));
	}
}

static void
ask_worker_names(struct stats *s)
{
	struct slice argv[RNAMES_ARGS];

	rnames_command(&s->names, slice_of(s->query.broker->workers_key), argv);
	rquery_command(&s->query, take_worker_names, 0, REDIS_ARGS(argv));
}

/* The others have their turn when these are gone. */
static void
ask_old_workers(struct stats *s)
{
	char before[ARG_NUMBER_SIZE];
	const struct slice argv[] = {
	    SLICE("ZRANGEBYSCORE"),
	    slice_of(s->query.broker->workers_key),
	    SLICE("-inf"),
	    arg_number(before, clock_wall_us() / 1000 - LISTED_MS),
	    SLICE("WITHSCORES"),
	    SLICE("LIMIT"),
	    SLICE("0"),
	    SLICE(PRUNE_STEP)};

	rquery_command(&s->query, take_old_workers, 0, REDIS_ARGS(argv));
}

static void
ask_names(struct rquery *i)
{
	struct stats *s = container_of(i, struct stats, query);

	if (s->more_workers && s->what == PRUNE)
		ask_old_workers(s);
	else if (s->more_workers)
		ask_worker_names(s);
	if (s->more_queues)
		ask_queue_names(i);
}

/* --- the state -------------------------------------------------------- */

static void
forget_counts(struct stats *s)
{
	size_t k;

	for (k = 0; k < s->n_queues; k++)
		s->queues[k].in_flight = s->queues[k].oldest_us = 0;
	for (k = 0; k < s->n_workers; k++)
		s->workers[k].info.in_flight = 0;
}

static void
ask_state(struct rquery *i)
{
	struct stats *s = container_of(i, struct stats, query);
	struct rqueue q;
	size_t k;

	if (s->levels == NULL)
		s->levels = calloc(s->n_queues + 1, sizeof(*s->levels));
	if (s->levels == NULL) {
		err_nomem(&i->err);
		return;
	}
	/* Asked again, the counts are added up again. */
	forget_counts(s);
	for (k = 0; k < s->n_queues; k++) {
		if (rqueue_init(&q, i->broker, s->queues[k].name, 0) != 0) {
			err_nomem(&i->err);
			return;
		}
		q.levels = s->levels[k]; /* stays the row's */
		if (s->what == QUEUES)
			rstats_ask_queue(s, k, &q);
		rstats_ask_holding(s, k, &q);
		q.levels = (struct rlevels){.names = NULL};
		rqueue_done(&q);
	}
	if (s->what != QUEUES && s->strangers == NULL)
		rstats_ask_words(i);
}

/* --- answers ----------------------------------------------------------- */

static void
rstats_tell_queues(struct stats *s)
{
	size_t k;

	for (k = 0; k < s->n_queues; k++)
		s->queues[k].waiting = sat_add(
		    sat_add(s->queues[k].waiting, s->queues[k].set_aside),
		    s->queues[k].held);
	if (s->query.err.code == ERR_NONE)
		s->on_queues(s->queues, s->n_queues, NULL, s->arg);
	else
		s->on_queues(NULL, 0, &s->query.err, s->arg);
}

static void
rstats_tell_workers(struct stats *s)
{
	struct worker_info *told = calloc(s->n_workers + 1, sizeof(*told));
	size_t k;

	if (told == NULL && s->query.err.code == ERR_NONE)
		err_nomem(&s->query.err);
	for (k = 0; told != NULL && k < s->n_workers; k++)
		told[k] = s->workers[k].info;
	if (s->query.err.code == ERR_NONE)
		s->on_workers(told, s->n_workers, NULL, s->arg);
	else
		s->on_workers(NULL, 0, &s->query.err, s->arg);
	free(told);
}

/* What says of it in our queues whether it has come back. */
static void
forget_epochs(struct rbroker *b, const char *worker)
{
	struct slice argv[] = {SLICE("DEL"), {NULL, 0}};
	unsigned int i;
	char *key;

	for (i = 0; i < b->n_queues; i++) {
		if ((key = rqueue_epoch_key(&b->queues[i], worker)) == NULL)
			continue;
		argv[1] = slice_of(key);
		redis_command(b->redis, NULL, NULL, 2, argv);
		free(key);
	}
}

/* One whose queues are not known may be of workers that are off. */
static void
strike_off(struct stats *s)
{
	const int64_t month_ago_ms = clock_wall_us() / 1000 - LISTED_MAX_MS;
	const struct worker_row *row = s->workers;
	struct slice argv[] = {
	    SLICE("ZREM"), slice_of(s->query.broker->workers_key), {NULL, 0}};

	for (; row < s->workers + s->n_workers; row++) {
		if (row->info.alive || row->info.in_flight > 0 ||
		    (!row->served && row->seen_ms > month_ago_ms))
			continue;
		argv[2] = slice_of(row->info.name);
		redis_command(s->query.broker->redis, NULL, NULL, 3, argv);
		forget_epochs(s->query.broker, row->info.name);
	}
}

void
rstats_on_state(struct rquery *i)
{
	struct stats *s = container_of(i, struct stats, query);

	if (s->what == QUEUES)
		rstats_tell_queues(s);
	else if (s->what == WORKERS)
		rstats_tell_workers(s);
	else if (s->what == FIND)
		rfind_tell(s);
	else if (i->err.code == ERR_NONE)
		strike_off(s);
	rstats_free(i);
}

void
rstats_on_strangers(struct rquery *i)
{
	if (i->err.code == ERR_NONE)
		rquery_next(i, ask_state, rstats_on_state);
	else
		rstats_on_state(i);
}

static void
rstats_ask_first(struct rquery *i)
{
	rstats_ask_words(i);
	if (container_of(i, struct stats, query)->what == QUEUES)
		rstats_ask_levels(i);
}

static void
rstats_on_words(struct rquery *i)
{
	if (i->err.code == ERR_NONE)
		rquery_next(i, rstats_ask_strangers, rstats_on_strangers);
	else
		rstats_on_state(i);
}

static void
on_names(struct rquery *i)
{
	struct stats *s = container_of(i, struct stats, query);

	if (i->err.code == ERR_NONE && (s->more_queues || s->more_workers)) {
		rquery_next(i, ask_names, on_names);
		return;
	}
	if (i->err.code == ERR_NONE)
		sort_queue_names(s);
	if (i->err.code == ERR_NONE && s->what != PRUNE)
		sort_worker_names(s);
	if (s->what == FIND && i->err.code == ERR_NONE)
		rquery_next(i, rfind_ask, rfind_answered);
	else if (i->err.code != ERR_NONE ||
		 (s->what != QUEUES && s->n_workers == 0))
		rstats_on_state(i);
	else if (s->what != PRUNE && s->n_queues * s->n_workers > PAIRS_MAX)
		rquery_next(i, rstats_ask_first, rstats_on_words);
	else
		rquery_next(i, ask_state, rstats_on_state);
}

/* --- beginning --------------------------------------------------------- */

struct stats *
rstats_new(struct broker *b, int what)
{
	struct stats *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->query = (struct rquery){.broker = (struct rbroker *)b,
				   .what = "looking at queues and workers",
				   .ask = ask_names,
				   .answered = on_names,
				   .free = rstats_free};
	s->what = what;
	s->names = (struct rnames)RNAMES_INIT;
	strcpy(s->cursor, "0");
	s->more_queues = s->more_workers = true;
	return s;
}

/* It is about one queue. */
static void
rstats_name(struct stats *s, struct slice queue)
{
	s->queues = calloc(1, sizeof(*s->queues));
	if (s->queues == NULL) {
		err_nomem(&s->query.err);
		return;
	}
	memcpy(s->queues->name, queue.p, queue.len);
	s->n_queues = 1;
	s->more_queues = false;
}

void
radmin_queues(struct broker *b, struct slice queue, broker_queues_fn *on_queues,
	      void *arg)
{
	struct stats *s = rstats_new(b, QUEUES);
	struct err err;

	if (s == NULL) {
		err_nomem(&err);
		on_queues(NULL, 0, &err, arg);
		return;
	}
	s->on_queues = on_queues;
	s->arg = arg;
	if (queue.len > 0)
		rstats_name(s, queue);
	rquery_begin(&s->query);
}

void
radmin_workers(struct broker *b, broker_workers_fn *on_workers, void *arg)
{
	struct stats *s = rstats_new(b, WORKERS);
	struct err err;

	if (s == NULL) {
		err_nomem(&err);
		on_workers(NULL, 0, &err, arg);
		return;
	}
	s->on_workers = on_workers;
	s->arg = arg;
	rquery_begin(&s->query);
}

void
rbroker_prune_workers(struct rbroker *b)
{
	struct stats *s = rstats_new(&b->pub, PRUNE);

	if (s == NULL)
		return;
	/* On its node there are no other names. */
	if (b->part == RBROKER_QUEUE)
		rstats_name(s, slice_of(b->queues[0].name));
	rquery_begin(&s->query);
}
