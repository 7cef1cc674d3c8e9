/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: tasks that may be lost (store/lost.h). At the end of each
 * round, housekeeping first looks once more at suspects whose time has come, and
 * then at some pages of the keys of the server, of which it remembers where it
 * stopped: a million keys take an hour or so.
 *
 * Of a page, pending.lua shows the records that are not final and have no life.
 * Those of one queue go to lost.lua together, which reads all places of the queue;
 * at first without their names, which it tells. A queue with more in it than can be
 * read in one step is left: its records are looked at again in the next round.
 *
 * Records are in the same database whatever the queue_key, and even if their queues
 * are on another server. Who stores such ones leaves a word (RBROKER_KEYS), and
 * nothing is done where somebody else may have queues: they would be looked for in
 * ours.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"
#include "util/name.h"

/* Pages of keys, or batches of suspects, in a round; keys in a page. */
#define LOST_PAGES 4
#define LOST_PAGE "500"
/* Records in one call, and bytes of the records that they end with, about. */
#define LOST_BATCH 50
#define LOST_ENDED_BYTES (256u << 10)
/* What one call reads of a queue: it takes the server some 10 ms. */
#define LOST_TASKS "3000"
#define LOST_BYTES "524288"
/* Of workers, each of which has a list in as many parts as it has shards. */
#define LOST_WORKERS 200
/* How often in a row the names of a queue's lists may have changed. */
#define LOST_TRIES 3
#define LOST_FAILED_MAX "100000"

/* A record that is not final. */
struct rlost_case {
	char *queue;
	struct buf ended; /* the record that it ends with */
	size_t id_at;	  /* its id, in `ids` */
	char digest[LOST_DIGEST_SIZE];
	bool asked, settled; /* of the call under way; it is done with */
};

static void rlost_next(struct rbroker *b);

static void
rlost_drop_cases(struct rlost *l)
{
	size_t i;

	for (i = 0; i < l->n_cases; i++) {
		free(l->cases[i].queue);
		buf_done(&l->cases[i].ended);
	}
	l->n_cases = 0;
}

static void
rlost_drop_lists(struct rlost *l)
{
	buf_reset(&l->lists);
	l->n_lists = l->tries = 0;
}

/* The round ends here; where the keys go on, and suspects, stay. */
static void
rlost_end(struct rbroker *b)
{
	struct rlost *l = &b->lost;

	rlost_drop_cases(l);
	rlost_drop_lists(l);
	buf_reset(&l->ids);
	l->at = l->taken = 0;
	rbroker_tidy_done(b);
}

static const char *
rlost_id(const struct rlost *l, const struct rlost_case *c)
{
	return l->ids.data + c->id_at;
}

/* --- are they anywhere? -------------------------------------------------- */

/* The next call is about the first case that is not settled, and those of the
 * same queue. */
static size_t
rlost_choose(struct rlost *l)
{
	const struct rlost_case *first = NULL;
	struct rlost_case *c;
	size_t n = 0, bytes = 0;

	for (c = l->cases; c < l->cases + l->n_cases; c++) {
		c->asked =
		    !c->settled && n < LOST_BATCH &&
		    (n == 0 || bytes < LOST_ENDED_BYTES) &&
		    (first == NULL || strcmp(c->queue, first->queue) == 0);
		if (!c->asked)
			continue;
		if (first == NULL)
			first = c;
		n++;
		bytes += l->taken > 0 ? c->ended.len : 0;
	}
	l->asked = first;
	return n;
}

/* An array of names, each with what stands before and behind it in its key. */
static void
rlost_add_lists(struct rlost *l, const char *queue, const char *kind,
		const struct redis_reply *names, unsigned int shards)
{
	struct slice name;
	unsigned int shard;
	size_t i;

	for (i = 0; i < redis_reply_count(names); i++)
		for (shard = 0; shard < shards; shard++) {
			name = redis_reply_string(redis_reply_at(names, i));
			buf_addf(&l->lists, "{%s}:%s:%.*s", queue, kind,
				 (int)name.len, name.p != NULL ? name.p : "");
			if (shard > 0)
				buf_addf(&l->lists, "#%u", shard);
			buf_addc(&l->lists, '\0');
			l->n_lists++;
		}
}

/* Whether it may be asked again, with these. */
static bool
rlost_learn_lists(struct rbroker *b, const struct redis_reply *told)
{
	struct rlost *l = &b->lost;
	const struct redis_reply *workers = redis_reply_at(told, 2);
	const unsigned int tries = l->tries + 1;
	struct buf queue = BUF_INIT;

	rlost_drop_lists(l);
	l->tries = tries;
	if (tries > LOST_TRIES || redis_reply_count(workers) > LOST_WORKERS)
		return false;
	buf_addf(&queue, "%s:%s", b->queue_key, l->asked->queue);
	buf_addc(&queue, '\0');
	if (!queue.failed) {
		rlost_add_lists(l, queue.data, "p", redis_reply_at(told, 0), 1);
		rlost_add_lists(l, queue.data, "lane", redis_reply_at(told, 1),
				1);
		rlost_add_lists(l, queue.data, "inflight", workers, SHARDS);
	}
	buf_done(&queue);
	return !queue.failed && !l->lists.failed;
}

/* Those of the call that are nowhere: suspects, or they have ended. */
static void
rlost_take_answers(struct rbroker *b, const struct redis_reply *reply)
{
	struct rlost *l = &b->lost;
	struct broker_trimmed trimmed = {.queue = slice_of(l->asked->queue)};
	struct rlost_case *c;
	size_t i = 0;

	for (c = l->cases; c < l->cases + l->n_cases; c++) {
		if (!c->asked)
			continue;
		if (redis_reply_integer(redis_reply_at(reply, i++)) != 1)
			continue;
		if (l->taken > 0)
			trimmed.lost++;
		else
			lost_add(&l->suspects, slice_of(rlost_id(l, c)),
				 c->digest);
	}
	if (trimmed.lost > 0 && b->opt.on_trimmed != NULL)
		b->opt.on_trimmed(&trimmed, b->opt.arg);
}

static void
rlost_on_checked(struct redis_request *request, const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);
	struct rlost *l = &b->lost;
	const enum redis_fault fault = redis_fault(reply);
	struct rlost_case *c;

	/* Keys of the wrong type are one queue's trouble. */
	if (fault != REDIS_FAULT_NONE && fault != REDIS_FAULT_OTHER) {
		rlost_end(b);
		return;
	}
	if (redis_reply_type(redis_reply_at(reply, 0)) == REDIS_ARRAY &&
	    rlost_learn_lists(b, reply)) {
		rlost_next(b);
		return;
	}
	if (redis_reply_type(redis_reply_at(reply, 0)) == REDIS_INTEGER)
		rlost_take_answers(b, reply);
	rlost_drop_lists(l);
	for (c = l->cases; c < l->cases + l->n_cases; c++)
		c->settled = c->settled || c->asked;
	rlost_next(b);
}

/* The keys behind those of the queue, and the arguments of each record. `names` has
 * keys of records and channels in turn. */
static void
rlost_fill(const struct rlost *l, struct slice *keys, struct slice *args,
	   const struct buf *names)
{
	const struct rlost_case *c;
	const char *p = l->lists.data;
	size_t i;

	for (i = 0; i < l->n_lists; i++, p += strlen(p) + 1)
		*keys++ = slice_of(p);
	p = names->data;
	for (c = l->cases; c < l->cases + l->n_cases; c++) {
		if (!c->asked)
			continue;
		*keys++ = slice_of(p);
		p += strlen(p) + 1;
		*args++ = slice_of(rlost_id(l, c));
		*args++ = slice_of(c->digest);
		*args++ = l->taken > 0
			      ? (struct slice){c->ended.data, c->ended.len}
			      : SLICE("");
		*args++ = slice_of(p);
		p += strlen(p) + 1;
	}
}

static void
rlost_name_records(const struct rlost *l, struct buf *names)
{
	const struct rlost_case *c;

	for (c = l->cases; c < l->cases + l->n_cases; c++) {
		if (!c->asked)
			continue;
		buf_addf(names, "%s%s", ARG_RECORD, rlost_id(l, c));
		buf_addc(names, '\0');
		buf_addf(names, "%s%s", RRESULTS_COMPLETE, rlost_id(l, c));
		buf_addc(names, '\0');
	}
}

#define LOST_KEYS 8
#define LOST_ARGS 5

static int
rlost_send(struct rbroker *b, const struct rqueue *q, size_t n)
{
	struct rlost *l = &b->lost;
	char count[ARG_NUMBER_SIZE], life[ARG_NUMBER_SIZE];
	const struct slice head[LOST_KEYS] = {
	    slice_of(q->keys[KEY_WAITING]), slice_of(q->keys[KEY_LEVELS]),
	    slice_of(q->keys[KEY_DELAYED]), slice_of(q->keys[KEY_DEAD]),
	    slice_of(q->keys[KEY_LANES]),   slice_of(RBROKER_WORKERS),
	    SLICE("flowrra:failed"),	    slice_of(RRESULTS_STATS)};
	const struct slice first[LOST_ARGS] = {
	    SLICE(LOST_TASKS), SLICE(LOST_BYTES), arg_number(count, (int64_t)n),
	    arg_number(life, b->tidy.limits.record_ttl_s),
	    SLICE(LOST_FAILED_MAX)};
	const size_t n_keys = LOST_KEYS + l->n_lists + n,
		     n_args = LOST_ARGS + 4 * n;
	struct slice *all = calloc(n_keys + n_args, sizeof(*all));
	struct buf names = BUF_INIT;
	int sent = -1;

	rlost_name_records(l, &names);
	if (all != NULL && !names.failed) {
		memcpy(all, head, sizeof(head));
		memcpy(all + n_keys, first, sizeof(first));
		rlost_fill(l, all + LOST_KEYS, all + n_keys + LOST_ARGS,
			   &names);
		b->tidy.request.on_reply = rlost_on_checked;
		sent = redis_request_eval(
		    &b->tidy.request, &b->scripts[SCRIPT_LOST],
		    (struct redis_args){all, n_keys},
		    (struct redis_args){all + n_keys, n_args});
	}
	buf_done(&names);
	free(all);
	return sent;
}

static int
rlost_check(struct rbroker *b, size_t n)
{
	struct rqueue q;
	int sent;

	if (rqueue_init(&q, b, b->lost.asked->queue, 0) != 0)
		return -1;
	sent = rlost_send(b, &q, n);
	rqueue_done(&q);
	return sent;
}

/* --- records ------------------------------------------------------------- */

/* A record of the page: whose queue it says, and how it would end. What is another
 * record by now than that of the suspect is of a task that goes on. */
static void
rlost_add_case(struct rbroker *b, size_t id_at, struct slice digest,
	       struct slice record)
{
	struct rlost *l = &b->lost;
	struct rlost_case *c = &l->cases[l->n_cases];
	const struct lost_suspect *suspect;
	struct buf queue = BUF_INIT;

	*c = (struct rlost_case){.id_at = id_at, .ended = BUF_INIT};
	if (digest.len != LOST_DIGEST_SIZE - 1)
		return;
	memcpy(c->digest, digest.p, digest.len);
	suspect = lost_find(&l->suspects, slice_of(l->ids.data + id_at));
	if (l->taken > 0 &&
	    (suspect == NULL || strcmp(suspect->digest, c->digest) != 0))
		return;
	if (b->opt.on_pending(record, &queue, &c->ended, b->opt.arg) &&
	    name_valid((struct slice){queue.data, queue.len}, NAME_QUEUE_MAX) &&
	    !c->ended.failed) {
		buf_addc(&queue, '\0');
		c->queue = buf_take(&queue);
	}
	buf_done(&queue);
	if (l->taken == 0)
		buf_done(&c->ended);
	if (c->queue != NULL)
		l->n_cases++;
	else
		buf_done(&c->ended);
}

/* Where each of the ids begins that a call was about. */
static void
rlost_on_shown(struct redis_request *request, const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);
	struct rlost *l = &b->lost;
	const size_t n = redis_reply_count(reply);
	const size_t seen =
	    (size_t)redis_reply_integer(redis_reply_at(reply, 0));
	size_t i = 1, k, which;

	rlost_drop_cases(l);
	if (redis_fault(reply) != REDIS_FAULT_NONE || seen == 0 ||
	    n > 1500 + 1) {
		rlost_end(b);
		return;
	}
	free(l->cases);
	l->cases = calloc(n / 3 + 1, sizeof(*l->cases));
	for (k = 1; k <= seen && l->at < l->ids.len; k++) {
		which = (size_t)redis_reply_integer(redis_reply_at(reply, i));
		if (l->cases != NULL && i < n && which == k) {
			rlost_add_case(
			    b, l->at,
			    redis_reply_string(redis_reply_at(reply, i + 1)),
			    redis_reply_string(redis_reply_at(reply, i + 2)));
			i += 3;
		}
		l->at += strlen(l->ids.data + l->at) + 1;
	}
	rlost_next(b);
}

/* The records of the ids that were not looked at yet. */
static int
rlost_look(struct rbroker *b)
{
	struct rlost *l = &b->lost;
	char bytes[ARG_NUMBER_SIZE];
	const struct slice arg = arg_number(bytes, BROKER_TIDY_BYTES);
	struct buf names = BUF_INIT;
	struct slice *keys;
	size_t at, n = 0, i;
	const char *p;
	int sent = -1;

	for (at = l->at; at < l->ids.len; at += strlen(l->ids.data + at) + 1) {
		buf_addf(&names, "%s%s", ARG_RECORD, l->ids.data + at);
		buf_addc(&names, '\0');
		n++;
	}
	keys = calloc(n + 1, sizeof(*keys));
	if (keys != NULL && !names.failed) {
		for (i = 0, p = names.data; i < n; i++, p += strlen(p) + 1)
			keys[i] = slice_of(p);
		b->tidy.request.on_reply = rlost_on_shown;
		sent = redis_request_eval(
		    &b->tidy.request, &b->scripts[SCRIPT_PENDING],
		    (struct redis_args){keys, n}, (struct redis_args){&arg, 1});
	}
	buf_done(&names);
	free(keys);
	return sent;
}

/* --- which ones ----------------------------------------------------------- */

/* Of those keys that a task's record may have. */
static void
rlost_on_keys(struct redis_request *request, const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);
	struct rlost *l = &b->lost;
	const struct redis_reply *keys = redis_reply_at(reply, 1);
	const struct slice cursor =
	    redis_reply_string(redis_reply_at(reply, 0));
	const size_t skip = strlen(ARG_RECORD);
	struct slice key;
	size_t i;

	free(l->cursor);
	l->cursor = cursor.p != NULL ? strndup(cursor.p, cursor.len) : NULL;
	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		rlost_end(b);
		return;
	}
	for (i = 0; i < redis_reply_count(keys); i++) {
		key = redis_reply_string(redis_reply_at(keys, i));
		if (key.len <= skip || memcmp(key.p, ARG_RECORD, skip) != 0 ||
		    memchr(key.p, '\0', key.len) != NULL)
			continue;
		buf_add(&l->ids, key.p + skip, key.len - skip);
		buf_addc(&l->ids, '\0');
	}
	if (l->ids.failed)
		buf_reset(&l->ids);
	/* Once around is enough for a round. */
	if (l->cursor == NULL || strcmp(l->cursor, "0") == 0)
		l->pages = 0;
	rlost_next(b);
}

static int
rlost_scan(struct rbroker *b)
{
	struct rlost *l = &b->lost;
	const struct slice argv[] = {
	    SLICE("SCAN"),  slice_of(l->cursor != NULL ? l->cursor : "0"),
	    SLICE("MATCH"), SLICE("flowrra:task:*"),
	    SLICE("COUNT"), SLICE(LOST_PAGE)};

	l->pages--;
	b->tidy.request.on_reply = rlost_on_keys;
	return redis_request_command(&b->tidy.request, REDIS_ARGS(argv));
}

/* The oldest suspects whose time has come, which stay until they are judged. */
static void
rlost_take_due(struct rbroker *b)
{
	struct rlost *l = &b->lost;
	const struct lost_suspect *s =
	    lost_due(&l->suspects, b->tidy.limits.lost_ms);

	if (s == NULL)
		return;
	for (; s != NULL && l->taken < LOST_BATCH; s = STAILQ_NEXT(s, link)) {
		if (!lost_is_due(s, b->tidy.limits.lost_ms))
			break;
		buf_adds(&l->ids, s->id);
		buf_addc(&l->ids, '\0');
		l->taken++;
	}
	l->pages--;
}

/* The next step: a call for what was found, a look at the rest of a page, the
 * next page, or the end. */
static void
rlost_next(struct rbroker *b)
{
	struct rlost *l = &b->lost;
	size_t n = rlost_choose(l);
	int sent = -1;

	if (n == 0 && l->at >= l->ids.len) {
		for (; l->taken > 0; l->taken--)
			lost_drop_first(&l->suspects);
		buf_reset(&l->ids);
		l->at = 0;
		if (l->pages > 0)
			rlost_take_due(b);
	}
	if (n > 0)
		sent = rlost_check(b, n);
	else if (l->at < l->ids.len && !l->ids.failed)
		sent = rlost_look(b);
	else if (l->pages > 0 && !lost_is_full(&l->suspects))
		sent = rlost_scan(b);
	if (sent != 0)
		rlost_end(b);
}

/* --- whose records are there? --------------------------------------------- */

static void
rlost_on_default(struct redis_request *request, const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);

	if (redis_fault(reply) == REDIS_FAULT_NONE &&
	    redis_reply_integer(reply) == 0)
		rlost_next(b);
	else
		rlost_end(b);
}

/* All have left a word but those of the default name, whose queues are listed. */
static void
rlost_on_others(struct redis_request *request, const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);
	const struct slice argv[] = {SLICE("EXISTS"),
				     SLICE(RBROKER_DEFAULT "s")};
	const size_t n = redis_reply_count(reply);
	const bool ours =
	    n == 1 && slice_eq(redis_reply_string(redis_reply_at(reply, 0)),
			       slice_of(b->queue_key));

	if (redis_fault(reply) != REDIS_FAULT_NONE || (n > 0 && !ours)) {
		rlost_end(b);
	} else if (strcmp(b->queue_key, RBROKER_DEFAULT) == 0) {
		rlost_next(b);
	} else {
		b->tidy.request.on_reply = rlost_on_default;
		if (redis_request_command(&b->tidy.request, REDIS_ARGS(argv)) !=
		    0)
			rlost_end(b);
	}
}

void
rbroker_find_lost(struct rbroker *b)
{
	const struct slice argv[] = {SLICE("SMEMBERS"), slice_of(RBROKER_KEYS)};

	b->lost.pages = LOST_PAGES;
	if (b->tidy.limits.lost_ms == 0 || !b->opt.with_results ||
	    b->opt.on_pending == NULL) {
		rlost_end(b);
		return;
	}
	b->tidy.request.on_reply = rlost_on_others;
	if (redis_request_command(&b->tidy.request, REDIS_ARGS(argv)) != 0)
		rlost_end(b);
}

void
rbroker_lost_init(struct rbroker *b)
{
	lost_init(&b->lost.suspects);
}

void
rbroker_lost_done(struct rbroker *b)
{
	struct rlost *l = &b->lost;

	rlost_drop_cases(l);
	free(l->cases);
	free(l->cursor);
	buf_done(&l->ids);
	buf_done(&l->lists);
	lost_done(&l->suspects);
}
