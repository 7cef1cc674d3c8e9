/* SPDX-License-Identifier: MIT */
/*
 * The steps of a workflow as a tree. They are a graph: a step that comes after several
 * others stands below the one that is told first, and is referred to below the rest.
 * A chain does not go deeper, so that a long one can be read.
 */
#include <stdlib.h>
#include <string.h>

#include "manager/flows.h"
#include "manager/flows_private.h"
#include "manager/member.h"
#include "manager/query.h"
#include "util/clock.h"
#include "util/err.h"

/* Records that are asked for at a time. */
#define TIMES_PAGE 500
#define US_PER_S 1e6

/* --- who comes after whom ---------------------------------------------------- */

struct flow_edge {
	size_t before, after; /* numbers of steps */
};

/* A step that waits to be told. */
struct flow_next {
	size_t step, depth;
	bool chained; /* it goes on with the chain of the row above */
};

struct flow_tree {
	const json_t *steps;
	size_t n;
	struct flow_edge *edges; /* by `before`, then by `after`; each once */
	size_t n_edges;
	size_t *n_before; /* how many each comes after */
	bool *is_told;
	struct flow_next *open; /* a stack */
	size_t n_open;
	json_t *rows;
	size_t max;
	bool is_cut;
};

static int
by_before(const void *a, const void *b)
{
	const struct flow_edge *x = a, *y = b;

	if (x->before != y->before)
		return x->before < y->before ? -1 : 1;
	return x->after < y->after ? -1 : x->after > y->after;
}

/* One may come after the success and after the failure of the same other. */
static void
flow_edges_sort(struct flow_tree *t)
{
	size_t i, n = 0;

	if (t->n_edges > 0)
		qsort(t->edges, t->n_edges, sizeof(*t->edges), by_before);
	for (i = 0; i < t->n_edges; i++)
		if (n == 0 || by_before(&t->edges[n - 1], &t->edges[i]) != 0)
			t->edges[n++] = t->edges[i];
	t->n_edges = n;
}

static void
flow_edges_take(struct flow_tree *t, const json_t *numbers)
{
	const json_t *one, *after, *before;
	size_t i, k;

	json_array_foreach (t->steps, i, one)
		json_array_foreach (json_object_get(one, "after"), k, after) {
			before =
			    flow_number_of(numbers, json_string_value(after));
			if (before != NULL)
				t->edges[t->n_edges++] = (struct flow_edge){
				    (size_t)json_integer_value(before), i};
		}
	flow_edges_sort(t);
	for (i = 0; i < t->n_edges; i++)
		t->n_before[t->edges[i].after]++;
}

/* --- telling ----------------------------------------------------------------- */

/* The first edge from this step on. */
static size_t
flow_edges_from(const struct flow_tree *t, size_t step)
{
	size_t low = 0, high = t->n_edges, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (t->edges[middle].before < step)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The last one that is put there is the next to be told. */
static void
flow_tree_push(struct flow_tree *t, struct flow_next told)
{
	const size_t first = flow_edges_from(t, told.step);
	size_t i = first;
	bool chained;

	while (i < t->n_edges && t->edges[i].before == told.step)
		i++;
	chained = i == first + 1 && t->n_before[t->edges[first].after] == 1;
	while (i > first)
		t->open[t->n_open++] =
		    (struct flow_next){.step = t->edges[--i].after,
				       .depth = told.depth + !chained,
				       .chained = chained};
}

static json_t *
flow_tree_again(const json_t *step)
{
	json_t *row = json_pack("{s:b}", "again", 1);

	json_object_set(row, "step", json_object_get(step, "step"));
	return row;
}

static int
flow_tree_tell(struct flow_tree *t, struct flow_next next)
{
	json_t *step = json_array_get(t->steps, next.step);
	json_t *row =
	    t->is_told[next.step] ? flow_tree_again(step) : json_incref(step);

	if (!t->is_told[next.step])
		flow_tree_push(t, next);
	t->is_told[next.step] = true;
	if (next.chained)
		json_object_set_new(row, "chained", json_true());
	if (json_object_set_new(row, "depth",
				json_integer((json_int_t)next.depth)) != 0) {
		json_decref(row);
		return -1;
	}
	return json_array_append_new(t->rows, row);
}

/* A step all of whose predecessors are not among them begins a tree. The stack never
 * has more than all edges and one root. */
static int
flow_tree_tell_all(struct flow_tree *t)
{
	size_t root;

	for (root = 0; root < t->n; root++) {
		if (t->n_before[root] > 0)
			continue;
		t->open[t->n_open++] = (struct flow_next){.step = root};
		while (t->n_open > 0) {
			t->is_cut = json_array_size(t->rows) == t->max;
			if (t->is_cut)
				return 0;
			if (flow_tree_tell(t, t->open[--t->n_open]) != 0)
				return -1;
		}
	}
	return 0;
}

static size_t
flow_edges_most(const json_t *steps)
{
	const json_t *one;
	size_t i, n = 0;

	json_array_foreach (steps, i, one)
		n += json_array_size(json_object_get(one, "after"));
	return n;
}

json_t *
flows_tree(const json_t *steps, size_t max, bool *ret_cut, size_t *ret_left_out)
{
	const size_t n = json_array_size(steps), most = flow_edges_most(steps);
	struct flow_tree t = {
	    .steps = steps,
	    .n = n,
	    .edges = calloc(most + 1, sizeof(*t.edges)),
	    .n_before = calloc(n + 1, sizeof(*t.n_before)),
	    .is_told = calloc(n + 1, sizeof(*t.is_told)),
	    .open = calloc(most + 1, sizeof(*t.open)),
	    .rows = json_array(),
	    .max = max,
	};
	json_t *numbers = flow_step_numbers(steps);
	int r = -1;
	size_t i;

	if (t.edges != NULL && t.n_before != NULL && t.is_told != NULL &&
	    t.open != NULL && numbers != NULL) {
		flow_edges_take(&t, numbers);
		r = flow_tree_tell_all(&t);
	}
	for (i = 0, *ret_left_out = n; r == 0 && i < n; i++)
		*ret_left_out -= t.is_told[i];
	*ret_cut = t.is_cut;
	if (r != 0) {
		json_decref(t.rows);
		t.rows = NULL;
	}
	json_decref(numbers);
	free(t.edges);
	free(t.n_before);
	free(t.is_told);
	free(t.open);
	return t.rows;
}

/* --- times ------------------------------------------------------------------- */

static void
flow_row_time(json_t *row, const json_t *record)
{
	const json_t *ended = json_object_get(record, "finished_at");
	int64_t from_us, to_us;

	if (!json_is_string(json_object_get(record, "started_at")))
		return;
	from_us = member_time_us(record, "started_at");
	to_us = json_is_string(ended) ? member_time_us(record, "finished_at")
				      : clock_wall_us();
	json_object_set(row, "started_at",
			json_object_get(record, "started_at"));
	json_object_set_new(row, "took",
			    json_real((double)(to_us - from_us) / US_PER_S));
}

/* A page of rows that have a task of their own. */
static int
flow_rows_times(struct flowrra_client *c, json_t **rows, size_t n,
		struct err *err)
{
	json_t *records[TIMES_PAGE] = {NULL};
	const char *ids[TIMES_PAGE] = {NULL};
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		ids[i] = member_text(rows[i], "task_id");
	r = query_records(c, ids, n, records, err);
	for (i = 0; i < n; i++) {
		if (r == 0)
			flow_row_time(rows[i], records[i]);
		json_decref(records[i]);
	}
	return r;
}

int
flows_tree_times(struct flowrra_client *c, json_t *rows, struct err *err)
{
	json_t *page[TIMES_PAGE], *row;
	size_t i, n = 0;

	json_array_foreach (rows, i, row) {
		if (member_text(row, "task_id") != NULL)
			page[n++] = row;
		if (n < TIMES_PAGE)
			continue;
		if (flow_rows_times(c, page, n, err) != 0)
			return -1;
		n = 0;
	}
	return n > 0 ? flow_rows_times(c, page, n, err) : 0;
}
