/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what workers say, and have in flight.
 *
 * Each worker has 17 lists in each queue that it serves, and which those are
 * only their names tell. Of 200 queues and 50 workers that would be 170,000
 * lengths, 0.4 s of the server. But a living worker lists its queues; it can
 * have left something in others only under the same name, and then its epoch is
 * there for a week. So one EXISTS a queue, of the epochs of those that do not
 * list it, spares nearly all of that. The dead are always asked about.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "core/task.h"
#include "store/redis/admin_stats.h"
#include "util/sat.h"

/* Workers that one call asks about: 18 keys each, still a short stop of the
 * server. */
#define WORKERS_A_CALL 50

/* --- what they say ----------------------------------------------------- */

static int
on_word_member(void *arg, const struct scan_value *key,
	       const struct scan_value *value, struct err *err)
{
	if (value->type == SCAN_ARRAY && !key->escaped &&
	    slice_eq(key->text, SLICE("queues")))
		*(struct slice *)arg = value->text;
	return 0;
}

static void
take_word(struct rquery *i, size_t index, const struct redis_reply *reply)
{
	struct stats *s = container_of(i, struct stats, query);
	const struct slice word = redis_reply_string(reply);
	struct worker_row *row = &s->workers[index];
	struct scan_value value;
	char *copy;

	row->info.alive = redis_reply_type(reply) == REDIS_STRING;
	if (!row->info.alive ||
	    scan_check(word, TASK_DEPTH_MAX, &value, NULL) != 0)
		return;
	/* Asked again, there is one already. */
	free((char *)row->info.description.p);
	row->info.description = row->listed = (struct slice){NULL, 0};
	if ((copy = strndup(word.p, word.len)) == NULL) {
		err_nomem(&i->err);
		return;
	}
	row->info.description = (struct slice){copy, word.len};
	/* A text that is not an object lists nothing. */
	if (scan_object(row->info.description, TASK_DEPTH_MAX, on_word_member,
			&row->listed, NULL) != 0)
		row->listed = (struct slice){NULL, 0};
}

void
rstats_ask_words(struct rquery *i)
{
	struct stats *s = container_of(i, struct stats, query);
	struct slice argv[] = {SLICE("GET"), {NULL, 0}};
	struct buf key = BUF_INIT;
	size_t w;

	for (w = 0; w < s->n_workers; w++) {
		buf_reset(&key);
		buf_addf(&key, "%s%s", i->broker->worker_prefix,
			 s->workers[w].info.name);
		argv[1] = (struct slice){key.data, key.len};
		if (key.failed)
			err_nomem(&i->err);
		else
			rquery_command(i, take_word, w, REDIS_ARGS(argv));
	}
	buf_done(&key);
}

/* --- who may have any -------------------------------------------------- */

/* Names of queues are ASCII without quotes; one that is escaped all the same is
 * not found, and its worker is a stranger. */
static bool
rstats_lists(const struct worker_row *row, const char *queue)
{
	char quoted[TASK_QUEUE_MAX + 3];
	const int n = snprintf(quoted, sizeof(quoted), "\"%s\"", queue);

	return row->listed.p != NULL && memmem(row->listed.p, row->listed.len,
					       quoted, (size_t)n) != NULL;
}

/* A living worker that says which queues it has, and this one is not of
 * them. */
static bool
rstats_is_elsewhere(const struct worker_row *row, const char *queue)
{
	return row->info.alive && row->listed.p != NULL &&
	       !rstats_lists(row, queue);
}

static void
take_strangers(struct rquery *i, size_t index, const struct redis_reply *reply)
{
	container_of(i, struct stats, query)->strangers[index] =
	    redis_reply_integer(reply) > 0;
}

/* Of one queue; the keys lie one behind the other. */
static void
rstats_ask_epochs(struct stats *s, size_t index, struct slice *argv,
		  struct buf *text)
{
	const char *queue = s->queues[index].name;
	size_t n = 1, w, k;

	buf_reset(text);
	for (w = 0; w < s->n_workers; w++) {
		if (!rstats_is_elsewhere(&s->workers[w], queue))
			continue;
		argv[n].len = text->len;
		buf_addf(text, "{%s:%s}:fence:%s", s->query.broker->queue_key,
			 queue, s->workers[w].info.name);
		argv[n].len = text->len - argv[n].len;
		n++;
	}
	if (text->failed) {
		err_nomem(&s->query.err);
		return;
	}
	/* Not before the text has grown to its end: it may have moved. */
	argv[0] = SLICE("EXISTS");
	for (k = 1, w = 0; k < n; w += argv[k++].len)
		argv[k].p = text->data + w;
	if (n > 1)
		rquery_command(&s->query, take_strangers, index,
			       (struct redis_args){argv, n});
}

void
rstats_ask_strangers(struct rquery *i)
{
	struct stats *s = container_of(i, struct stats, query);
	struct slice *argv = calloc(s->n_workers + 1, sizeof(*argv));
	struct buf text = BUF_INIT;
	size_t k;

	if (s->strangers == NULL)
		s->strangers = calloc(s->n_queues + 1, sizeof(*s->strangers));
	if (argv == NULL || s->strangers == NULL)
		err_nomem(&i->err);
	else
		for (k = 0; k < s->n_queues; k++)
			rstats_ask_epochs(s, k, argv, &text);
	buf_done(&text);
	free(argv);
}

/* --- what they have ---------------------------------------------------- */

/* `index` tells the queue and the first worker of a call. */
static void
take_holding(struct rquery *i, size_t index, const struct redis_reply *reply)
{
	struct stats *s = container_of(i, struct stats, query);
	struct queue_stats *queue = &s->queues[index / (s->n_workers + 1)];
	const size_t first = index % (s->n_workers + 1);
	struct worker_row *worker;
	int64_t n;
	size_t k;

	for (k = 0; k < redis_reply_count(reply); k++) {
		if (first + k >= s->n_workers)
			break;
		n = redis_reply_integer(redis_reply_at(reply, k));
		worker = &s->workers[first + k];
		if (n < 0)
			continue;
		worker->served = true;
		worker->info.in_flight = sat_add(worker->info.in_flight, n);
		queue->in_flight = sat_add(queue->in_flight, n);
	}
}

static bool
rstats_may_hold(const struct stats *s, size_t index, size_t worker)
{
	return s->strangers == NULL || s->strangers[index] ||
	       !rstats_is_elsewhere(&s->workers[worker], s->queues[index].name);
}

/* Workers that follow one another travel in one call. */
void
rstats_ask_holding(struct stats *s, size_t index, const struct rqueue *q)
{
	char shards[ARG_NUMBER_SIZE];
	const struct slice args[] = {arg_number(shards, SHARDS)};
	char *names[WORKERS_A_CALL];
	struct slice *keys;
	size_t first, n;

	for (first = 0; first<s->n_workers; first += n> 0 ? n : 1) {
		for (n = 0; n < WORKERS_A_CALL && first + n < s->n_workers &&
			    rstats_may_hold(s, index, first + n);
		     n++)
			names[n] = s->workers[first + n].info.name;
		if (n == 0)
			continue;
		if ((keys = rqueue_worker_keys(q, names, n, true)) == NULL) {
			err_nomem(&s->query.err);
			return;
		}
		rquery_eval(&s->query, take_holding,
			    index * (s->n_workers + 1) + first, SCRIPT_HOLDING,
			    (struct redis_args){keys, n * (1 + SHARDS)},
			    REDIS_ARGS(args));
		free(keys);
	}
}
