/* SPDX-License-Identifier: MIT */
/*
 * A quick look for a task of which no record says where it is: another program has
 * queued it, or nobody.
 *
 * No store can find one by its ID among a million that wait. So some of the newest
 * of each queue are looked at, all queues at once, place by place as tasks move;
 * then, while there is time, deeper. The dead are found by their ID.
 */
#include <stdlib.h>

#include "manager/member.h"
#include "manager/page.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "manager/show_private.h"
#include "util/clock.h"
#include "util/err.h"

/* Entries of all queues together in the first look at a place, and at least of
 * each: some milliseconds of the server. */
#define FIRST_LOOK 2000
#define FIRST_LEAST 10
#define FIRST_MOST 250

/* In the order in which tasks move. */
static const enum broker_location quick_places[] = {
    BROKER_DELAYED, BROKER_WAITING, BROKER_IN_FLIGHT, BROKER_DEAD};
#define N_QUICK (sizeof(quick_places) / sizeof(quick_places[0]))

/* The queues of a place; their names are in `found`. */
struct quick_place {
	json_t *found;
	struct query_cursor *cursors;
	size_t n;
};

static int
quick_on_item(const struct broker_item *item, void *arg, struct err *err)
{
	const struct query_cursor *cursor = arg;

	return task_search_item(cursor->arg, item, cursor->place, cursor->queue,
				err);
}

/* A named queue is looked into, whatever its counts say. */
static json_t *
quick_find(struct task_search *s, enum broker_location place, const char *queue,
	   struct err *err)
{
	json_t *found;

	if (queue == NULL)
		return queues_find(s->client, NULL, place, err);
	if ((found = json_pack("[{s:s}]", "queue", queue)) == NULL)
		err_nomem(err);
	return found;
}

static int
quick_begin(struct quick_place *p, struct task_search *s,
	    enum broker_location place, const char *queue, struct err *err)
{
	json_t *one;
	size_t i, n;

	if ((p->found = quick_find(s, place, queue, err)) == NULL)
		return -1;
	n = json_array_size(p->found);
	p->cursors = calloc(n + 1, sizeof(*p->cursors));
	if (p->cursors == NULL)
		return err_nomem(err);
	n = n > 0 ? FIRST_LOOK / n : 0;
	if (n < FIRST_LEAST)
		n = FIRST_LEAST;
	json_array_foreach (p->found, i, one)
		p->cursors[p->n++] = (struct query_cursor){
		    .queue = member_text(one, "queue"),
		    .place = place,
		    .n = n < FIRST_MOST ? (unsigned int)n : FIRST_MOST,
		    .key = place == BROKER_DEAD ? s->id : NULL,
		    .arg = s};
	return 0;
}

static void
quick_done(struct quick_place *p)
{
	while (p->n > 0)
		query_cursor_done(&p->cursors[--p->n]);
	free(p->cursors);
	json_decref(p->found);
}

/* The next page of each queue of a place; those that are at their end leave. */
static int
quick_look(struct quick_place *p, struct task_search *s, struct err *err)
{
	size_t i, n = 0;

	if (query_next_all(s->client, p->cursors, p->n, quick_on_item, err) !=
	    0)
		return -1;
	for (i = 0; i < p->n; i++)
		if (p->cursors[i].more)
			p->cursors[n++] = p->cursors[i];
		else
			query_cursor_done(&p->cursors[i]);
	p->n = n;
	return 0;
}

/* Deeper, while there is time, in turns: so that a long queue does not hide the
 * others. Ends with true in `stopped` if there is more. */
static int
quick_deepen(struct quick_place places[N_QUICK], struct task_search *s,
	     int64_t end_us, struct err *err)
{
	size_t i, left;

	do {
		for (i = 0, left = 0; i < N_QUICK && s->info == NULL; i++) {
			if (places[i].n > 0 && clock_mono_us() < end_us &&
			    quick_look(&places[i], s, err) != 0)
				return -1;
			left += places[i].n;
		}
	} while (left > 0 && s->info == NULL && clock_mono_us() < end_us);
	s->stopped = left > 0;
	return 0;
}

int
task_search_quick(struct task_search *s, const char *queue, bool dead,
		  struct err *err)
{
	const int64_t end_us = clock_mono_us() + PAGE_QUICK_US;
	struct quick_place places[N_QUICK] = {{.n = 0}};
	int result = 0;
	size_t i;

	for (i = dead ? N_QUICK - 1 : 0;
	     i < N_QUICK && result == 0 && s->info == NULL; i++) {
		result =
		    quick_begin(&places[i], s, quick_places[i], queue, err);
		if (result == 0 && places[i].n > 0)
			result = quick_look(&places[i], s, err);
	}
	if (result == 0 && s->info == NULL)
		result = quick_deepen(places, s, end_us, err);
	for (i = 0; i < N_QUICK; i++)
		quick_done(&places[i]);
	return result;
}
