/* SPDX-License-Identifier: MIT */
/*
 * The ids of tasks that were cancelled before they came: a list in the order of
 * time, for those that are too old, and a tree over it, for the question that
 * each claim asks. Both hold the same ids, each once.
 */
#include "dispatch/cancelled_ids.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "core/task.h"
#include "util/clock.h"

struct cancelled_id {
	TAILQ_ENTRY(cancelled_id) link;
	int64_t came_ms; /* monotonic */
	int64_t came_us; /* wall clock */
	const char *id;	 /* points behind the struct */
};

struct cancelled_ids {
	TAILQ_HEAD(, cancelled_id) list; /* the oldest first */
	void *by_id;			 /* a tree of them */
	unsigned int n;
};

static int
compare_cancelled_ids(const void *a, const void *b)
{
	return strcmp(((const struct cancelled_id *)a)->id,
		      ((const struct cancelled_id *)b)->id);
}

/* NULL if it is not kept. */
static struct cancelled_id *
find_cancelled_id(const struct cancelled_ids *ids, const char *id)
{
	const struct cancelled_id key = {.id = id};
	struct cancelled_id **node =
	    tfind(&key, &ids->by_id, compare_cancelled_ids);

	return node != NULL ? *node : NULL;
}

static void
drop_cancelled_id(struct cancelled_ids *ids, struct cancelled_id *o)
{
	tdelete(o, &ids->by_id, compare_cancelled_ids);
	TAILQ_REMOVE(&ids->list, o, link);
	ids->n--;
	free(o);
}

static void
drop_old_cancelled_ids(struct cancelled_ids *ids)
{
	const int64_t before_ms = clock_mono_ms() - CANCELLED_IDS_MS;
	struct cancelled_id *o;

	while ((o = TAILQ_FIRST(&ids->list)) != NULL && o->came_ms < before_ms)
		drop_cancelled_id(ids, o);
}

struct cancelled_ids *
cancelled_ids_new(void)
{
	struct cancelled_ids *ids = calloc(1, sizeof(*ids));

	if (ids != NULL)
		TAILQ_INIT(&ids->list);
	return ids;
}

void
cancelled_ids_free(struct cancelled_ids *ids)
{
	if (ids == NULL)
		return;
	while (!TAILQ_EMPTY(&ids->list))
		drop_cancelled_id(ids, TAILQ_FIRST(&ids->list));
	free(ids);
}

void
cancelled_ids_add(struct cancelled_ids *ids, struct slice id)
{
	struct cancelled_id *o = malloc(sizeof(*o) + id.len + 1), *before;
	char *copy = (char *)(o + 1);

	if (o == NULL)
		return;
	memcpy(copy, id.p, id.len);
	copy[id.len] = '\0';
	/* Two clocks: one that does not step says how long it is kept, the
	 * other is compared with the time of a submission. */
	*o = (struct cancelled_id){
	    .came_ms = clock_mono_ms(), .came_us = clock_wall_us(), .id = copy};
	drop_old_cancelled_ids(ids);
	/* The command was repeated: the time of the last one counts. */
	if ((before = find_cancelled_id(ids, copy)) != NULL)
		drop_cancelled_id(ids, before);
	else if (ids->n == CANCELLED_IDS_MAX)
		drop_cancelled_id(ids, TAILQ_FIRST(&ids->list));
	/* Without memory the command is lost, which its sender can repeat. */
	if (tsearch(o, &ids->by_id, compare_cancelled_ids) == NULL) {
		free(o);
		return;
	}
	TAILQ_INSERT_TAIL(&ids->list, o, link);
	ids->n++;
}

bool
cancelled_ids_take(struct cancelled_ids *ids, const struct task *task)
{
	struct cancelled_id *o;
	bool meant;

	/* This is asked of every task; mostly there are none. */
	if (ids->n == 0)
		return false;
	drop_old_cancelled_ids(ids);
	if ((o = find_cancelled_id(ids, task->id)) == NULL)
		return false;
	meant = task->submitted_us <= o->came_us;
	drop_cancelled_id(ids, o);
	return meant;
}
