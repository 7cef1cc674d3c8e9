/* SPDX-License-Identifier: MIT */
/*
 * What the dead died of, counted.
 *
 * Errors often end in a number or a name that differs each time; so only the
 * first line counts, and no more of it than a screen shows. The newest of each
 * queue are looked at, a page of each in turn, as many as a step may.
 */
#include <stdlib.h>
#include <string.h>

#include "client/load.h"
#include "core/task.h"
#include "manager/dead.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/utf8.h"

#define US_PER_MS 1000
/* Of an error, in bytes. */
#define GROUP_ERROR_MAX 200
/* Entries of all queues together in the first look, and of each: some
 * milliseconds of the server. */
#define FIRST_LOOK 2000
#define FIRST_LEAST 5
#define FIRST_MOST 250
/* Queues that are asked together then. */
#define AT_ONCE 20

/* A count under way. */
struct grouping {
	struct flowrra_client *client;
	const struct dead_filter *filter;
	const char *queue;
	json_t *groups; /* by a key of all that they have in common */
	size_t looked_at;
	bool whole; /* nothing was left out */
};

/* --- counting ---------------------------------------------------------- */

/* The first line, cut between characters. */
static json_t *
group_error(const char *error)
{
	if (error == NULL)
		return json_null();
	return json_stringn(
	    error, utf8_cut(error, strcspn(error, "\r\n"), GROUP_ERROR_MAX));
}

/* One more of a group; the newest come first in a queue, but not over all. */
static int
group_count(json_t *group, const char *queue, int64_t died_us)
{
	const json_int_t n =
	    json_integer_value(json_object_get(group, "count"));
	const char *of = member_text(group, "queue");
	int status = json_object_set_new(group, "count", json_integer(n + 1));

	if (of != NULL && strcmp(of, queue) != 0)
		status |= json_object_set_new(group, "queue", json_null());
	if (died_us > member_time_us(group, "last_at"))
		status |= json_object_set_new(group, "last_at",
					      member_of_time(died_us));
	if (died_us < member_time_us(group, "first_at"))
		status |= json_object_set_new(group, "first_at",
					      member_of_time(died_us));
	return status;
}

/* Takes the three members that a group has in common; each may be null. Their
 * JSON is the key. Beyond DEAD_GROUPS_MAX a new group is left out, but known
 * ones go on counting. */
static int
group_add(struct grouping *g, json_t *members, int64_t died_us, struct err *err)
{
	char *key = json_dumps(members, JSON_COMPACT | JSON_SORT_KEYS);
	json_t *group = key != NULL ? json_object_get(g->groups, key) : NULL;
	int status = key != NULL ? 0 : -1;

	if (group != NULL) {
		status = group_count(group, g->queue, died_us);
	} else if (status == 0 &&
		   json_object_size(g->groups) == DEAD_GROUPS_MAX) {
		g->whole = false;
	} else if (status == 0) {
		status |=
		    json_object_set_new(members, "count", json_integer(1));
		status |= json_object_set_new(members, "first_at",
					      member_of_time(died_us));
		status |= json_object_set_new(members, "last_at",
					      member_of_time(died_us));
		status |= json_object_set_new(members, "queue",
					      json_string(g->queue));
		status |= json_object_set(g->groups, key, members);
	}
	free(key);
	json_decref(members);
	return status == 0 ? 0 : err_nomem(err);
}

/* On the loop: a note is small, but there may be 10,000 of them in a step. */
static int
group_on_item(const struct broker_item *item, void *arg, struct err *err)
{
	struct grouping *g = arg;
	json_t *info, *members;

	g->looked_at++;
	/* The newest come first, so all that follow are too old as well. */
	if (g->filter->tasks.after_us != 0 &&
	    item->time_ms * US_PER_MS <= g->filter->tasks.after_us)
		return 1;
	if (!dead_matches(item, g->filter))
		return 0;
	info = task_info_of_dead(item, g->queue);
	members = json_pack("{s:O?,s:O?,s:o}", "task",
			    json_object_get(info, "task_name"), "reason",
			    json_object_get(info, "reason"), "error",
			    group_error(member_text(info, "error")));
	json_decref(info);
	if (members == NULL)
		return err_nomem(err);
	return group_add(g, members, item->time_ms * US_PER_MS, err);
}

/* Answers of several queues come one after the other. */
static int
group_on_cursor(const struct broker_item *item, void *arg, struct err *err)
{
	const struct query_cursor *cursor = arg;
	struct grouping *g = cursor->arg;

	g->queue = cursor->queue;
	return group_on_item(item, g, err);
}

/* --- walking ----------------------------------------------------------- */

/* Pages of some queues, which leave together. Those that are at their end leave
 * the others' row; *ret_n are left of it. */
static int
group_next(struct grouping *g, struct query_cursor *cursors, size_t *n,
	   struct err *err)
{
	size_t i, left = 0;

	if (query_next_all(g->client, cursors, *n, group_on_cursor, err) != 0)
		return -1;
	for (i = 0; i < *n; i++)
		if (cursors[i].more)
			cursors[left++] = cursors[i];
		else
			query_cursor_done(&cursors[i]);
	*n = left;
	return 0;
}

/* In turns, so that a queue with a million does not hide the others: of each a
 * few, and then some queues at a time, a little deeper, while there is time. */
static int
group_queues(struct grouping *g, struct query_cursor *cursors, size_t *n,
	     struct err *err)
{
	const int64_t end_us = clock_mono_us() + PAGE_QUICK_US;
	size_t at = 0, some, left;

	if (group_next(g, cursors, n, err) != 0)
		return -1;
	while (*n > 0) {
		if (g->looked_at >= PAGE_DEPTH || clock_mono_us() >= end_us) {
			g->whole = false;
			return 0;
		}
		at = at < *n ? at : 0;
		some = left = *n - at < AT_ONCE ? *n - at : AT_ONCE;
		if (group_next(g, &cursors[at], &left, err) != 0)
			return -1;
		memmove(&cursors[at + left], &cursors[at + some],
			(*n - at - some) * sizeof(*cursors));
		*n -= some - left;
		at += left;
	}
	return 0;
}

/* A queue whose newest is too old has none that counts; 0 says nothing. */
static size_t
group_begin(struct grouping *g, const json_t *queues,
	    struct query_cursor *cursors)
{
	const int64_t after_us = g->filter->tasks.after_us;
	const size_t each = FIRST_LOOK / (json_array_size(queues) + 1);
	int64_t newest_ms;
	json_t *queue;
	size_t i, n = 0;

	json_array_foreach (queues, i, queue) {
		newest_ms =
		    json_integer_value(json_object_get(queue, "newest_ms"));
		if (newest_ms != 0 && after_us != 0 &&
		    newest_ms <= after_us / US_PER_MS)
			continue;
		cursors[n++] = (struct query_cursor){
		    .queue = member_text(queue, "queue"),
		    .place = BROKER_DEAD,
		    .n = each < FIRST_LEAST  ? FIRST_LEAST
			 : each < FIRST_MOST ? (unsigned int)each
					     : FIRST_MOST,
		    .arg = g};
	}
	return n;
}

static int
group_walk(struct grouping *g, struct err *err)
{
	json_t *queues =
	    queues_find(g->client, g->filter->tasks.queue, BROKER_DEAD, err);
	struct query_cursor *cursors;
	size_t n = 0;
	int result;

	if (queues == NULL)
		return -1;
	cursors = calloc(json_array_size(queues) + 1, sizeof(*cursors));
	if (cursors != NULL)
		n = group_begin(g, queues, cursors);
	result = cursors != NULL ? group_queues(g, cursors, &n, err)
				 : err_nomem(err);
	while (n > 0)
		query_cursor_done(&cursors[--n]);
	free(cursors);
	json_decref(queues);
	return result;
}

/* --- the answer -------------------------------------------------------- */

static json_int_t
count_of(const void *group)
{
	return json_integer_value(
	    json_object_get(*(json_t *const *)group, "count"));
}

/* What kills most is what is to be mended first. */
static int
most_first(const void *a, const void *b)
{
	const json_int_t x = count_of(a), y = count_of(b);

	return (x < y) - (x > y);
}

/* Without memory the list is empty rather than unsorted. */
static json_t *
group_items(const json_t *groups)
{
	const size_t n = json_object_size(groups);
	json_t **sorted = calloc(n + 1, sizeof(json_t *));
	json_t *items = json_array(), *group;
	const char *key;
	size_t i = 0;

	if (sorted != NULL)
		json_object_foreach ((json_t *)groups, key, group)
			sorted[i++] = group;
	if (i > 0)
		qsort(sorted, n, sizeof(json_t *), most_first);
	for (i = 0; sorted != NULL && i < n; i++)
		json_array_append(items, sorted[i]);
	free(sorted);
	return items;
}

json_t *
dead_groups(struct flowrra_client *c, const struct dead_filter *filter,
	    struct err *err)
{
	struct grouping g = {.client = c, .filter = filter, .whole = true};
	json_t *answer = NULL;

	if (task_filter_check(&filter->tasks, err) != 0)
		return NULL;
	g.groups = json_object();
	if (group_walk(&g, err) == 0) {
		answer = json_pack("{s:o,s:b,s:I}", "items",
				   group_items(g.groups), "complete", g.whole,
				   "looked_at", (json_int_t)g.looked_at);
		if (answer == NULL)
			err_nomem(err);
	}
	json_decref(g.groups);
	return answer;
}
