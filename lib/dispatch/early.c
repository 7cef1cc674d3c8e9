/* SPDX-License-Identifier: MIT */
/* Orders to cancel that came before their task. */
#include "dispatch/early.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "core/task.h"
#include "util/clock.h"

struct order {
	TAILQ_ENTRY(order) link;
	int64_t came_ms; /* monotonic */
	int64_t came_us; /* wall clock */
	const char *id;	 /* points behind the struct */
};

struct early {
	TAILQ_HEAD(, order) list; /* the oldest first */
	void *by_id;		  /* a tree of them */
	unsigned int n;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct order *)a)->id,
		      ((const struct order *)b)->id);
}

static struct order *
find(const struct early *e, const char *id)
{
	const struct order key = {.id = id};
	struct order **node = tfind(&key, &e->by_id, compare);

	return node != NULL ? *node : NULL;
}

static void
drop(struct early *e, struct order *o)
{
	tdelete(o, &e->by_id, compare);
	TAILQ_REMOVE(&e->list, o, link);
	e->n--;
	free(o);
}

static void
drop_old(struct early *e)
{
	const int64_t before_ms = clock_mono_ms() - EARLY_MS;
	struct order *o;

	while ((o = TAILQ_FIRST(&e->list)) != NULL && o->came_ms < before_ms)
		drop(e, o);
}

struct early *
early_new(void)
{
	struct early *e = calloc(1, sizeof(*e));

	if (e != NULL)
		TAILQ_INIT(&e->list);
	return e;
}

void
early_free(struct early *e)
{
	if (e == NULL)
		return;
	while (!TAILQ_EMPTY(&e->list))
		drop(e, TAILQ_FIRST(&e->list));
	free(e);
}

void
early_keep(struct early *e, struct slice id)
{
	struct order *o = malloc(sizeof(*o) + id.len + 1), *before;
	char *copy = (char *)(o + 1);

	if (o == NULL)
		return;
	memcpy(copy, id.p, id.len);
	copy[id.len] = '\0';
	*o = (struct order){
	    .came_ms = clock_mono_ms(), .came_us = clock_wall_us(), .id = copy};
	drop_old(e);
	if ((before = find(e, copy)) != NULL)
		drop(e, before);
	else if (e->n == EARLY_MAX)
		drop(e, TAILQ_FIRST(&e->list));
	if (tsearch(o, &e->by_id, compare) == NULL) {
		free(o);
		return;
	}
	TAILQ_INSERT_TAIL(&e->list, o, link);
	e->n++;
}

bool
early_take(struct early *e, const struct task *task)
{
	struct order *o;
	bool meant;

	/* This is asked of every task; mostly there are none. */
	if (e->n == 0)
		return false;
	drop_old(e);
	if ((o = find(e, task->id)) == NULL)
		return false;
	meant = task->submitted_us <= o->came_us;
	drop(e, o);
	return meant;
}
