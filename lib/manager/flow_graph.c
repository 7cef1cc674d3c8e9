/* SPDX-License-Identifier: MIT */
/*
 * What the steps of a file say of one another: the names they wait for and whose
 * results they read, and an order in which each stands behind those.
 */
#include "manager/flow_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/flow_args.h"
#include "codec/scan.h"
#include "core/task.h"
#include "manager/flow_order.h"
#include "store/steps.h"
#include "util/closest.h"
#include "util/err.h"

/* Of a circle, as many steps are named. */
#define CIRCLE_SHOWN 8

struct graph {
	struct flow_reading *r;
	size_t *sorted; /* the steps by their names */
};

/* --- names ----------------------------------------------------------------- */

static int
compare_names(const void *a, const void *b, void *arg)
{
	const struct flow_file_step *steps = arg;
	const size_t i = *(const size_t *)a, j = *(const size_t *)b;
	const int order = strcmp(steps[i].name, steps[j].name);

	/* Of two with the same name, the second is the mistake. */
	return order != 0 ? order : (i > j) - (i < j);
}

static void
graph_sort(struct graph *g)
{
	struct flow_file *file = g->r->file;
	struct err e;
	size_t i;

	for (i = 0; i < file->n; i++)
		g->sorted[i] = i;
	qsort_r(g->sorted, file->n, sizeof(*g->sorted), compare_names,
		file->steps);
	for (i = 1; i < file->n; i++) {
		const struct flow_file_step *first =
		    &file->steps[g->sorted[i - 1]];
		const struct flow_file_step *s = &file->steps[g->sorted[i]];

		if (strcmp(first->name, s->name) != 0)
			continue;
		err_set(&e, ERR_DATA, "the name is that of line %d, too",
			first->line);
		flow_file_tell(g->r, s, flow_file_line(g->r, s, "id"), e.msg);
	}
}

/* Its index; n: there is none. */
static size_t
graph_find(const struct graph *g, struct slice name)
{
	const struct flow_file *file = g->r->file;
	size_t low = 0, high = file->n, middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = slice_cmp(
		    name, slice_of(file->steps[g->sorted[middle]].name));
		if (order == 0)
			return g->sorted[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return file->n;
}

static int
no_such_step(const struct graph *g, struct slice name, struct err *err)
{
	const struct flow_file *file = g->r->file;
	char typed[FLOW_STEP_NAME_MAX + 1], close[CLOSEST_TEXT_SIZE] = "";
	struct closest closest = CLOSEST_INIT(typed);
	size_t i;

	snprintf(typed, sizeof(typed), "%.*s", (int)name.len,
		 name.len > 0 ? name.p : "");
	for (i = 0; i < file->n; i++)
		closest_offer(&closest, file->steps[i].name);
	if (closest_write(&closest, close) > 0)
		return err_set(err, ERR_DATA,
			       "there is no step \"%s\"; did you mean %s?",
			       typed, close);
	return err_set(err, ERR_DATA, "there is no step \"%s\"", typed);
}

/* --- what a step needs ----------------------------------------------------- */

/* The step that is looked at. */
struct needing {
	const struct graph *g;
	struct flow_file_step *step;
	size_t cap;
};

static int
needs_add(struct needing *n, size_t step, enum broker_after_how how,
	  struct err *err)
{
	struct flow_file_step *s = n->step;
	struct flow_file_need *grown;

	if (s->n_needs == n->cap) {
		n->cap = n->cap > 0 ? 2 * n->cap : 4;
		grown = reallocarray(s->needs, n->cap, sizeof(*grown));
		if (grown == NULL)
			return err_nomem(err);
		s->needs = grown;
	}
	s->needs[s->n_needs++] = (struct flow_file_need){step, how};
	return 0;
}

static bool
needs_have(const struct flow_file_step *s, size_t step)
{
	size_t i;

	for (i = 0; i < s->n_needs; i++)
		if (s->needs[i].step == step)
			return true;
	return false;
}

static int
find_needed(const struct needing *n, struct slice name, size_t *ret,
	    struct err *err)
{
	const struct flow_file *file = n->g->r->file;

	if ((*ret = graph_find(n->g, name)) == file->n)
		return no_such_step(n->g, name, err);
	if (file->steps[*ret].request.on != NULL)
		return err_set(err, ERR_DATA,
			       "step \"%s\" runs once the workflow has ended: "
			       "no other can wait for it",
			       file->steps[*ret].name);
	return 0;
}

static int
on_after(void *arg, const struct scan_value *value, struct err *err)
{
	struct needing *n = arg;
	struct buf text = BUF_INIT;
	enum broker_after_how how;
	struct slice name;
	size_t step;
	int r;

	if (value->type != SCAN_STRING)
		return err_set(err, ERR_DATA, "\"after\" is an array of names");
	scan_unescape(value, &text);
	if (text.failed)
		return err_nomem(err);
	name = (struct slice){text.data, text.len};
	how = steps_cut_how(&name);
	r = find_needed(n, name, &step, err);
	if (r == 0 && needs_have(n->step, step))
		r = err_set(err, ERR_DATA, "\"after\" has \"%.*s\" twice",
			    (int)name.len, name.p);
	if (r == 0)
		r = needs_add(n, step, how, err);
	buf_done(&text);
	return r;
}

static int
check_on(const struct flow_file_step *s, struct err *err)
{
	size_t i;

	if (s->request.on == NULL)
		return 0;
	if (s->request.after != NULL)
		return err_set(err, ERR_DATA,
			       "\"on\" and \"after\" do not go together: a "
			       "step with \"on\" runs once all others have "
			       "ended");
	for (i = 0; i <= BROKER_AFTER_COMPLETE; i++)
		if (strcmp(s->request.on, broker_after_words[i]) == 0)
			return 0;
	return err_set(
	    err, ERR_DATA,
	    "\"on\": \"%.64s\" is not one of success, failure, complete",
	    s->request.on);
}

/* --- results that a step reads --------------------------------------------- */

/* The ID of the task; and the step waits for it, as if `after` had it. One with
 * "on" waits for all. */
static int
map_reference(void *arg, struct slice id, struct buf *out, struct err *err)
{
	struct needing *n = arg;
	size_t step;

	if (find_needed(n, id, &step, err) != 0)
		return -1;
	buf_addf(out, "%s.%s", n->g->r->id, n->g->r->file->steps[step].name);
	return n->step->request.on != NULL || needs_have(n->step, step)
		   ? 0
		   : needs_add(n, step, BROKER_AFTER_SUCCESS, err);
}

static int
map_member(struct needing *n, const char **member, struct buf *out,
	   struct err *err)
{
	struct scan_value value;

	/* What is not JSON is told when the task is encoded, as of any task. */
	if (*member == NULL ||
	    scan_check(slice_of(*member), TASK_DEPTH_MAX, &value, NULL) != 0)
		return 0;
	if (flow_args_map(value.text, map_reference, n, out, err) != 0)
		return -1;
	*member = out->data;
	return 0;
}

/* --- one step -------------------------------------------------------------- */

/* With the word each time: a name may end like one. */
static int
write_after(const struct graph *g, struct flow_file_step *s, struct err *err)
{
	size_t i;

	if (s->n_needs == 0)
		return 0;
	for (i = 0; i < s->n_needs; i++)
		buf_addf(&s->after, "%s\"%s.%s:%s\"", i > 0 ? "," : "[",
			 g->r->id, g->r->file->steps[s->needs[i].step].name,
			 broker_after_words[s->needs[i].how]);
	buf_addc(&s->after, ']');
	s->request.after = s->after.data;
	return s->after.failed ? err_nomem(err) : 0;
}

static int
write_id(const struct graph *g, struct flow_file_step *s, struct err *err)
{
	struct buf id = BUF_INIT;

	buf_addf(&id, "%s.%s", g->r->id, s->name);
	if (id.failed)
		return err_nomem(err);
	/* The name may lie in what is freed here. */
	buf_done(&s->id);
	s->id = id;
	s->request.id = id.data;
	s->name = id.data + strlen(g->r->id) + 1;
	return 0;
}

static void
check_step(struct graph *g, struct flow_file_step *s)
{
	struct needing n = {.g = g, .step = s};
	struct flowrra_request *request = &s->request;
	const char *member = "on";
	struct err err = ERR_INIT;
	int r = check_on(s, &err);

	if (r == 0 && request->after != NULL) {
		member = "after";
		r = scan_array(slice_of(request->after), TASK_DEPTH_MAX,
			       on_after, &n, &err);
	}
	if (r == 0) {
		member = "args";
		r = map_member(&n, &request->args, &s->args, &err);
	}
	if (r == 0) {
		member = "kwargs";
		r = map_member(&n, &request->kwargs, &s->kwargs, &err);
	}
	if (r == 0)
		r = write_after(g, s, &err);
	if (r != 0)
		flow_file_tell(g->r, s, flow_file_line(g->r, s, member),
			       err.msg);
}

/* --- the order ------------------------------------------------------------- */

static size_t
open_need(const struct flow_file_step *s, const size_t *open)
{
	size_t i = 0;

	while (open[s->needs[i].step] == 0)
		i++;
	return s->needs[i].step;
}

/* Each step that has no place needs another one: from need to need leads into a
 * circle, and then around it. */
static void
tell_circle(struct flow_reading *r, const size_t *open)
{
	const struct flow_file_step *steps = r->file->steps;
	struct buf text = BUF_INIT;
	size_t begin = 0, at, i;

	while (open[begin] == 0)
		begin++;
	for (i = 0; i < r->file->n; i++)
		begin = open_need(&steps[begin], open);
	at = begin;
	buf_adds(&text, "waits for itself");
	for (i = 0; i < CIRCLE_SHOWN; i++) {
		buf_addf(&text, "%s \"%.*s\"", i == 0 ? ":" : " after",
			 FLOW_STEP_NAME_MAX, steps[at].name);
		if (i > 0 && at == begin)
			break;
		at = open_need(&steps[at], open);
	}
	if (i == CIRCLE_SHOWN)
		buf_adds(&text, " after others");
	flow_file_tell(r, &steps[begin],
		       flow_file_line(r, &steps[begin], "after"),
		       text.failed ? "waits for itself" : text.data);
	buf_done(&text);
}

static int
collect_needs(const struct flow_file *file, struct flow_needs *needs)
{
	const struct flow_file_step *s;
	size_t i, k;

	for (i = 0; i < file->n; i++) {
		s = &file->steps[i];
		for (k = 0; k < s->n_needs; k++)
			if (flow_needs_add(needs, i, s->needs[k].step) != 0)
				return -1;
	}
	return 0;
}

static void
graph_order(struct flow_reading *r)
{
	struct flow_file *file = r->file;
	size_t *open = calloc(file->n + 1, sizeof(*open));
	struct flow_needs needs = {.n = 0};
	ssize_t placed = -1;

	file->order = calloc(file->n + 1, sizeof(*file->order));
	if (open != NULL && file->order != NULL &&
	    collect_needs(file, &needs) == 0)
		placed = flow_needs_order(&needs, file->n, file->order, open);
	if (placed < 0)
		flow_file_tell(r, file->steps, 0, "out of memory");
	else if ((size_t)placed < file->n)
		tell_circle(r, open);
	flow_needs_done(&needs);
	free(open);
}

void
flow_graph_check(struct flow_reading *r)
{
	struct graph g = {r, calloc(r->file->n + 1, sizeof(size_t))};
	struct err err = ERR_INIT;
	size_t i;

	if (g.sorted == NULL) {
		flow_file_tell(r, r->file->steps, 0, "out of memory");
		return;
	}
	graph_sort(&g);
	for (i = 0; i < r->file->n; i++)
		check_step(&g, &r->file->steps[i]);
	for (i = 0; i < r->file->n && !r->wrong; i++)
		if (write_id(&g, &r->file->steps[i], &err) != 0)
			flow_file_tell(r, &r->file->steps[i], 0, err.msg);
	if (!r->wrong)
		graph_order(r);
	free(g.sorted);
}
