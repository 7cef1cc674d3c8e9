/* SPDX-License-Identifier: MIT */
/* The verb tasks show: one task, its record, and the place at the broker where
 * it lies (manager/tasks.h). */
#include <stdio.h>

#include "manager/tasks.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

struct show_options {
	int depth;
};

static void
show_init(void *options)
{
	((struct show_options *)options)->depth = TASKS_DEPTH_STANDARD;
}

/* A part that is null is left out, with its heading. */
static void
print_part(const json_t *task, const char *name)
{
	const json_t *part = json_object_get(task, name);

	if (!json_is_object(part))
		return;
	printf("\n%s\n", name);
	print_members(part);
}

/* The record and the entry stand below, each member on a line. */
static void
print_task(const json_t *task)
{
	static const struct column head[] = {
	    {"task_id", "task_id", NULL, false},
	    {"where", "where", NULL, false},
	    {"queue", "queue", NULL, false},
	};

	print_columns(head, sizeof(head) / sizeof(head[0]), task);
	print_part(task, "record");
	print_part(task, "entry");
}

static int
run_show(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct show_options *o = options;
	struct err err = ERR_INIT;
	json_t *task;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	task = tasks_show(ctl->client, argv[0], (size_t)o->depth, &err);
	if (task == NULL)
		return complain_of_err(ctl, &err);
	if (ctl->globals.json) {
		print_json_line(task);
		return 0;
	}
	print_task(task);
	json_decref(task);
	return 0;
}

static const struct option_spec show_options[] = {
    {.name = "depth",
     .arg = "N",
     .help = "search the N newest of each queue; 10000 by default",
     .value = {VALUE_INT, offsetof(struct show_options, depth), 1, 100000000}},
};

const struct verb verb_tasks_show = {
    .name = "tasks show",
    .summary = "Print everything known about a task",
    .usage = "ID",
    .options = show_options,
    .n_options = sizeof(show_options) / sizeof(show_options[0]),
    .options_size = sizeof(struct show_options),
    .init = show_init,
    .min_args = 1,
    .max_args = 1,
    /* Completion offers the dead: those are the ones that people look into. */
    .words = WORD_DEAD_ID,
    .run = run_show,
};
