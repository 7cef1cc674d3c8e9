/* SPDX-License-Identifier: MIT */
/* workflow show: how it stands, and its steps in the order in which they run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/flows.h"
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
		"show at most N steps; 1000 by default"),
};

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
	json_decref(flow);
	if (json_array_size(steps) > 0) {
		putchar('\n');
		status = print_rows(
		    ctl, columns, sizeof(columns) / sizeof(columns[0]), steps);
	}
	json_decref(steps);
	if (more)
		complain(ctl, "there are more steps; see --steps");
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
