/* SPDX-License-Identifier: MIT */
/* The verbs about registered tasks: tasks registered and tasks info. They show
 * what workers have written into the broker's registry at their start, which is
 * what submissions take their defaults from. */
#include <jansson.h>

#include "manager/registry.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

/* Headings are short, since there are ten; tasks info has the names as in JSON.
 */
static const struct column columns[] = {
    {"NAME", "name", NULL, COLUMN_WHOLE},
    {"QUEUE", "queue", NULL, COLUMN_WHOLE},
    {"CPU", "cpu_bound", NULL, COLUMN_WHOLE | COLUMN_DROP(1)},
    {"RETRIES", "max_retries", NULL, COLUMN_RIGHT | COLUMN_DROP(1)},
    {"RETRY-DELAY", "retry_delay", NULL, COLUMN_RIGHT | COLUMN_DROP(2)},
    {"BACKOFF", "retry_backoff", NULL, COLUMN_RIGHT | COLUMN_DROP(3)},
    {"LIMIT", "retry_delay_max", NULL, COLUMN_RIGHT | COLUMN_DROP(4)},
    {"JITTER", "retry_jitter", NULL, COLUMN_RIGHT | COLUMN_DROP(5)},
    {"TIMEOUT", "timeout", NULL, COLUMN_RIGHT | COLUMN_DROP(1)},
    {"DESCRIPTION", "description", NULL, 0},
};
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* --- registered -------------------------------------------------------- */

/* A broken registration is complained of, and does not hide the others: another
 * program may have written it. */
static json_t *
leave_out_bad(struct ctl *ctl, json_t *list)
{
	json_t *good = json_array(), *entry;
	const char *fault;
	size_t i;

	json_array_foreach (list, i, entry) {
		fault = json_string_value(json_object_get(entry, "fault"));
		if (fault == NULL)
			json_array_append(good, entry);
		else
			complain(
			    ctl,
			    "cannot parse the registration of task "
			    "\"%s\": %s",
			    json_string_value(json_object_get(entry, "name")),
			    fault);
	}
	json_decref(list);
	return good;
}

static int
run_registered(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT;
	json_t *list;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if ((list = registry_list(ctl->client, &err)) == NULL)
		return complain_of_err(ctl, &err);
	return print_list(ctl, columns, N_COLUMNS, leave_out_bad(ctl, list));
}

const struct verb verb_tasks_registered = {
    .name = "tasks registered",
    .looks = true,
    .summary = "List the tasks that workers have registered",
    .usage = "",
    .run = run_registered,
};

/* --- info -------------------------------------------------------------- */

#define MEMBER(name)                                                           \
	{                                                                      \
		(name), (name), NULL, false                                    \
	}
static const struct column members[] = {
    MEMBER("name"),
    MEMBER("queue"),
    MEMBER("cpu_bound"),
    MEMBER("max_retries"),
    MEMBER("retry_delay"),
    MEMBER("retry_backoff"),
    MEMBER("retry_delay_max"),
    MEMBER("retry_jitter"),
    MEMBER("timeout"),
    MEMBER("description"),
};

static int
run_info(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT;
	json_t *entry;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if ((entry = registry_show(ctl->client, argv[0], &err)) == NULL)
		return complain_of_err(ctl, &err);
	if (ctl->globals.json) {
		print_json_line(entry);
		return 0;
	}
	print_columns(members, sizeof(members) / sizeof(members[0]), entry);
	json_decref(entry);
	return 0;
}

const struct verb verb_tasks_info = {
    .name = "tasks info",
    .looks = true,
    .summary = "Print the registration of a task",
    .usage = "NAME",
    .min_args = 1,
    .max_args = 1,
    .words = WORD_TASK_NAME,
    .run = run_info,
};
