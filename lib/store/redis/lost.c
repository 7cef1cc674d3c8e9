/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: tasks that may be lost (store/lost.h). At the end of each
 * round, housekeeping first looks once more at suspects whose time has come, and
 * then at some pages of the keys of the server, of which it remembers where it
 * stopped: a million keys take an hour or so.
 *
 * Of a page, pending.lua shows the records that are not final and have no life, and
 * lost_ask.c has the server look for their tasks.
 *
 * Records are in the same database whatever the queue_key, and even if their queues
 * are on another server. Who stores such ones leaves a word (RBROKER_KEYS), and
 * nothing is done where somebody else may have queues: they would be looked for in
 * ours.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/lost.h"
#include "store/redis/tidy.h"
#include "util/name.h"

/* Pages of keys, or batches of suspects, in a round; keys in a page. */
#define LOST_PAGES 4
#define LOST_PAGE "500"
/* Suspects to judge at once. */
#define LOST_TAKE 50

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

/* The round ends here; where the keys go on, and suspects, stay. */
void
rlost_end(struct rbroker *b)
{
	struct rlost *l = &b->lost;

	rlost_drop_cases(l);
	rlost_drop_lists(l);
	buf_reset(&l->ids);
	l->at = l->taken = 0;
	rbroker_tidy_done(b);
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
	if (l->taken > 0) {
		suspect =
		    lost_find(&l->suspects, slice_of(l->ids.data + id_at));
		if (suspect == NULL || strcmp(suspect->digest, c->digest) != 0)
			return;
	}
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
	if (redis_fault(reply) != REDIS_FAULT_NONE || seen == 0) {
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

/* Suspects whose time has come, which stay until they are judged. */
static void
rlost_take_due(struct rbroker *b)
{
	struct rlost *l = &b->lost;

	l->taken = lost_add_due(&l->suspects, b->tidy.limits.lost_ms, LOST_TAKE,
				&l->ids);
	if (l->taken > 0)
		l->pages--;
}

/* The next step: a call for what was found, a look at the rest of a page, the
 * next page, or the end. */
void
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
	/* Two tell whether there are others. */
	const struct slice argv[] = {SLICE("SRANDMEMBER"),
				     slice_of(RBROKER_KEYS), SLICE("2")};

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
