/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: tasks that may be lost (store/lost.h). At the end of each
 * round, housekeeping first looks once more at suspects whose time has come, and
 * then at some pages of the keys of the server, of which it remembers where it
 * stopped: a million keys take an hour or so. In a Cluster it goes through one
 * master after the other.
 *
 * Of a page, the records are looked at that are not final and have no life
 * (pending.lua); for their tasks all places of their queues are read, in one step
 * each (lost.lua). A suspect that is nowhere then ends, if its record is to the byte
 * what it was (end_lost.lua).
 *
 * Records are in the same database whatever the queue_key, and even if their queues
 * are on another server. Who stores such ones leaves a word (RBROKER_KEYS), and
 * nothing is done where somebody else may have queues: they would be looked for in
 * ours.
 */
#include "store/redis/lost.h"

#include <stdlib.h>
#include <string.h>

#include "store/redis/places.h"
#include "store/redis/tidy.h"

/* Pages of keys, or batches of suspects, in a round; keys in a page. */
#define LOST_PAGES 4
#define LOST_PAGE "500"
/* Suspects to judge at once. */
#define LOST_TAKE 50

/* The round ends here; where the keys go on, and suspects, stay. */
void
rlost_end(struct rbroker *b)
{
	struct rlost *l = &b->lost;

	rlost_drop_cases(l);
	rplaces_forget(&l->places);
	buf_reset(&l->ids);
	l->at = l->taken = 0;
	rbroker_tidy_done(b);
}

/* --- which ones ----------------------------------------------------------- */

/* The keys of the next master follow. Once around is enough for a round. */
static void
rlost_pass_node(struct rbroker *b)
{
	struct rlost *l = &b->lost;
	struct redis_nodes nodes;

	redis_get_nodes(b->redis, &nodes);
	free(l->cursor);
	l->cursor = NULL;
	if (++l->node >= nodes.n) {
		l->node = 0;
		l->pages = 0;
	}
}

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
	const bool last = cursor.p == NULL || slice_eq(cursor, SLICE("0"));
	struct slice key;
	size_t i;

	free(l->cursor);
	l->cursor = last ? NULL : strndup(cursor.p, cursor.len);
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
	if (last)
		rlost_pass_node(b);
	rlost_next(b);
}

/* A master that is out of reach is left out. */
static int
rlost_scan(struct rbroker *b)
{
	struct rlost *l = &b->lost;

	b->tidy.request.on_reply = rlost_on_keys;
	while (l->pages > 0) {
		const struct slice argv[] = {
		    SLICE("SCAN"),
		    slice_of(l->cursor != NULL ? l->cursor : "0"),
		    SLICE("MATCH"),
		    SLICE("flowrra:task:*"),
		    SLICE("COUNT"),
		    SLICE(LOST_PAGE)};

		l->pages--;
		if (redis_request_node(&b->tidy.request, l->node,
				       REDIS_ARGS(argv)) == 0)
			return 0;
		rlost_pass_node(b);
	}
	return -1;
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

/* All of a page is done, or of what was taken. 0, or -1: the round ends. */
static int
rlost_turn_page(struct rbroker *b)
{
	struct rlost *l = &b->lost;

	rlost_drop_cases(l);
	for (; l->taken > 0; l->taken--)
		lost_drop_first(&l->suspects);
	buf_reset(&l->ids);
	l->at = 0;
	if (l->pages == 0)
		return -1;
	rlost_take_due(b);
	if (l->taken > 0)
		return l->ids.failed ? -1 : rlost_look(b);
	return lost_is_full(&l->suspects) ? -1 : rlost_scan(b);
}

void
rlost_next(struct rbroker *b)
{
	struct rlost *l = &b->lost;
	size_t n;
	int sent;

	if (l->at < l->ids.len)
		sent = rlost_look(b);
	else if (rlost_has_gone(l))
		sent = rlost_end_records(b);
	else if ((n = rlost_choose(l)) > 0)
		sent = rlost_check(b, n);
	else
		sent = rlost_turn_page(b);
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
	if (b->tidy.limits.lost_ms == 0 || !b->opt.has_records ||
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
	free(l->calls);
	free(l->cursor);
	buf_done(&l->ids);
	rplaces_done(&l->places);
	lost_done(&l->suspects);
}
