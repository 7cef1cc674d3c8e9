/* SPDX-License-Identifier: MIT */
/* The verb tasks show: one task, its record, and the place at the broker where
 * it lies (manager/tasks.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "manager/tasks.h"
#include "show_tree.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

struct show_options {
	int depth;
	bool tree;
};

static void
show_init(void *options)
{
	((struct show_options *)options)->depth = TASKS_DEPTH_STANDARD;
}

/* Text of a task, line by line, so that it stays readable and cannot steer the
 * terminal. */
static void
print_lines(const char *label, const json_t *text)
{
	char *copy, *line, *rest;

	if (!json_is_string(text) || *json_string_value(text) == '\0' ||
	    (copy = strdup(json_string_value(text))) == NULL)
		return;
	rest = copy;
	while ((line = strsep(&rest, "\n")) != NULL) {
		/* The last line has an end. */
		if (rest == NULL && *line == '\0')
			break;
		mask_controls(line);
		printf("%s%s\n", label, line);
	}
	free(copy);
}

/* Whether something of that name and value stands there already. */
static bool
is_shown(const json_t *shown, const char *name, const json_t *value)
{
	return json_equal(json_object_get(shown, name), value) != 0;
}

/* The members of `part` that are not in `shown` yet, under a heading; they are
 * added to it. A task's id and name have other names there. */
static void
print_rest(const char *heading, const json_t *part, json_t *shown)
{
	json_t *rest = json_object(), *value;
	const char *name;

	json_object_foreach ((json_t *)part, name, value) {
		if (is_shown(shown, name, value) ||
		    (strcmp(name, "id") == 0 &&
		     is_shown(shown, "task_id", value)) ||
		    (strcmp(name, "name") == 0 &&
		     is_shown(shown, "task_name", value)))
			continue;
		json_object_set(rest, name, value);
	}
	if (json_object_size(rest) > 0) {
		printf("\n%s\n", heading);
		print_members(rest);
	}
	json_object_update_missing(shown, rest);
	json_decref(rest);
}

/* What the last attempt has printed stands below the rest, since it has many
 * lines. */
static void
print_record(const json_t *record, json_t *shown)
{
	json_t *copy = json_copy((json_t *)record);

	json_object_del(copy, "output");
	print_rest("record", copy, shown);
	json_decref(copy);
	if (json_object_get(record, "output") != NULL) {
		printf("\noutput\n");
		print_lines("  ", json_object_get(record, "output"));
	}
}

/* What lies at the broker says most of the record once more: only the rest is
 * shown. A dead one also has what was noted of it, in other members and in the
 * attempts below, and its bytes, which tell something new only if they are not a
 * task. All of it is in the JSON. */
static void
print_entry(const json_t *entry, json_t *shown)
{
	json_t *copy = json_copy((json_t *)entry);
	json_t *task = json_copy(json_object_get(entry, "task"));

	json_object_set(shown, "key", json_object_get(shown, "task_id"));
	json_object_del(copy, "info");
	json_object_del(copy, "task");
	if (json_is_object(task)) {
		json_object_del(copy, "bytes");
		json_object_del(task, "history");
	}
	print_rest("entry", copy, shown);
	print_rest("options", task, shown);
	json_decref(task);
	json_decref(copy);
}

/* Attempts that have failed, each with what it said. */
static void
print_attempts(const json_t *attempts)
{
	static const struct column head[] = {
	    {"attempt", "attempt", NULL, false},
	    {"started_at", "started_at", cell_time, false},
	    {"finished_at", "finished_at", cell_time, false},
	    {"worker", "worker", NULL, false},
	    {"reason", "reason", NULL, false},
	};
	json_t *one;
	size_t i;

	json_array_foreach (attempts, i, one) {
		printf("\n");
		print_columns(head, sizeof(head) / sizeof(head[0]), one);
		print_lines("error: ", json_object_get(one, "error"));
		print_lines("  ", json_object_get(one, "output"));
	}
}

/* Where the task is, in short; below it the record, each member on a line, what
 * the entry adds to it, and then the attempts that failed. */
static void
print_task(const json_t *task)
{
	static const struct column head[] = {
	    {"task_id", "task_id", NULL, false},
	    {"where", "where", NULL, false},
	    {"queue", "queue", NULL, false},
	};

	json_t *shown = json_object();
	size_t i;

	print_columns(head, sizeof(head) / sizeof(head[0]), task);
	for (i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		json_object_set(shown, head[i].path,
				json_object_get(task, head[i].path));
	print_record(json_object_get(task, "record"), shown);
	print_entry(json_object_get(task, "entry"), shown);
	json_decref(shown);
	print_attempts(json_object_get(task, "attempts"));
}

/* A task without a record is shown as long as it lies in a queue, and one that
 * is nowhere as long as it has a record. */
static int
run_show(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct show_options *o = options;
	struct err err = ERR_INIT;
	json_t *task;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (o->tree)
		return ctl_need_store(ctl, "--tree", &err) != 0
			   ? complain_of_err(ctl, &err)
			   : show_tree(ctl, argv[0], (size_t)o->depth);
	task = ctl->gateway != NULL
		   ? gateway_show(ctl->gateway, argv[0], &err)
		   : tasks_show(ctl->client, argv[0], (size_t)o->depth, &err);
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
    {.name = "tree",
     .help = "list the tasks that it came from, and that came from it",
     .value = {VALUE_FLAG, offsetof(struct show_options, tree), 0, 0}},
    {.name = "depth",
     .arg = "N",
     .help = "search the N newest of each queue; 10000 by default",
     .value = {VALUE_INT, offsetof(struct show_options, depth), 1, 100000000}},
};

const struct verb verb_tasks_show = {
    .name = "tasks show",
    .looks = true,
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
    .gateway = true,
    .run = run_show,
};
