/* SPDX-License-Identifier: MIT */
/* workflow show: how it stands, and its steps in the order in which they run; on a
 * terminal, as a tree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "branches.h"
#include "format.h"
#include "manager/flows.h"
#include "manager/member.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

#define STEPS_STANDARD 1000
#define STEPS_MAX 1000000

static const struct column head[] = {
    {"workflow", "workflow", NULL, 0},
    {"label", "label", NULL, 0},
    {"state", "state", NULL, COLUMN_STATE},
    {"on_failure", "on_failure", NULL, 0},
    {"begun_at", "begun_at", cell_time, 0},
    {"ended_at", "ended_at", cell_time, 0},
    {"steps", "steps", NULL, 0},
    {"waiting", "waiting", NULL, 0},
    {"released", "released", NULL, 0},
    {"succeeded", "succeeded", NULL, 0},
    {"failed", "failed", NULL, 0},
    {"skipped", "skipped", NULL, 0},
};

static const struct column columns[] = {
    {"STEP", "step", NULL, COLUMN_WHOLE},
    {"TASK", "task_name", NULL, 0},
    {"STATE", "state", NULL, COLUMN_STATE | COLUMN_WHOLE},
    {"AFTER", "after_steps", cell_list, 0},
    {"TASK-ID", "task_id", NULL, COLUMN_WHOLE | COLUMN_DROP(1)},
};

static const struct column drawn[] = {
    {"STEP", "branch", NULL, COLUMN_WHOLE},
    {"TASK", "task_name", NULL, 0},
    {"STATE", "state", NULL, COLUMN_STATE | COLUMN_WHOLE},
    {"STARTED", "started_at", cell_time, COLUMN_WHOLE | COLUMN_DROP(1)},
    {"TOOK", "took", cell_duration, COLUMN_RIGHT | COLUMN_DROP(2)},
    {"AFTER", "after_steps", cell_list, COLUMN_DROP(3)},
    {"TASK-ID", "task_id", NULL, COLUMN_WHOLE | COLUMN_DROP(4)},
};

struct show_options {
	int steps;
};

static void
show_init(void *options)
{
	((struct show_options *)options)->steps = STEPS_STANDARD;
}

static const struct option_spec show_options[] = {
    VERB_OPTION(struct show_options, 0, "steps", "N", INT, steps, 0, STEPS_MAX,
		"show at most N steps, or lines of a tree; 1000 by default"),
};

/* A table that is sorted, or written by a format, has each step once. */
static bool
draws_tree(const struct ctl *ctl)
{
	return isatty(STDOUT_FILENO) && ctl->globals.sort == NULL &&
	       !format_is_chosen();
}

static void
name_references(json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		if (json_is_true(json_object_get(row, "again")))
			json_object_set_new(
			    row, "step",
			    json_sprintf("%s (see above)",
					 member_text(row, "step")));
}

/* `more`: there are others than these, of which `beyond` are steps. */
static int
draw_tree(struct ctl *ctl, const json_t *steps, size_t max, bool more,
	  size_t beyond)
{
	struct err err = ERR_INIT;
	size_t left_out = 0;
	bool cut = false;
	json_t *rows = flows_tree(steps, max, &cut, &left_out);
	int status;

	if (rows == NULL || flows_tree_times(ctl->client, rows, &err) != 0) {
		if (rows == NULL)
			err_nomem(&err);
		json_decref(rows);
		return complain_of_err(ctl, &err);
	}
	left_out += beyond;
	name_references(rows);
	branches_draw(rows, "step");
	status = print_rows(ctl, drawn, sizeof(drawn) / sizeof(drawn[0]), rows);
	json_decref(rows);
	if (left_out > 0)
		complain(ctl, "%zu steps are not drawn; see --steps", left_out);
	else if (cut || more)
		complain(ctl, "the tree goes on; see --steps");
	return status;
}

/* How many of the workflow's steps are not even in `steps`. Callbacks, which are, do not
 * count as steps. */
static size_t
steps_beyond(const json_t *flow, const json_t *steps)
{
	json_int_t n = json_integer_value(json_object_get(flow, "steps"));
	const json_t *one;
	size_t i;

	json_array_foreach (steps, i, one)
		n -= strcmp(member_text(one, "role"), "step") == 0;
	return n > 0 ? (size_t)n : 0;
}

static int
print_steps(struct ctl *ctl, const json_t *flow, const json_t *steps, bool more,
	    size_t max)
{
	const size_t n = sizeof(columns) / sizeof(columns[0]);
	int status = 0;

	if (json_array_size(steps) > 0)
		putchar('\n');
	if (draws_tree(ctl))
		return draw_tree(ctl, steps, max, more,
				 more ? steps_beyond(flow, steps) : 0);
	if (json_array_size(steps) > 0)
		status = print_rows(ctl, columns, n, steps);
	if (more)
		complain(ctl, "there are more steps; see --steps");
	return status;
}

static int
run_show(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct show_options *o = options;
	json_t *flow, *steps = NULL;
	struct err err = ERR_INIT;
	bool more = false;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	flow = flows_get(ctl->client, argv[0], &err);
	if (flow != NULL)
		steps = flows_graph(ctl->client, argv[0], (size_t)o->steps,
				    &more, &err);
	if (steps == NULL) {
		json_decref(flow);
		return complain_of_err(ctl, &err);
	}
	if (ctl->globals.json) {
		json_object_set_new(flow, "tasks", steps);
		print_json_line(flow);
		return 0;
	}
	print_columns(head, sizeof(head) / sizeof(head[0]), flow);
	status = print_steps(ctl, flow, steps, more, (size_t)o->steps);
	json_decref(flow);
	json_decref(steps);
	return status;
}

const struct verb verb_workflow_show = {
    .name = "workflow show",
    .looks = true,
    .summary = "Show a workflow and its steps",
    .usage = "ID [--steps N]",
    .options = show_options,
    .n_options = sizeof(show_options) / sizeof(show_options[0]),
    .options_size = sizeof(struct show_options),
    .init = show_init,
    .min_args = 1,
    .max_args = 1,
    .words = WORD_ANY,
    .run = run_show,
};
