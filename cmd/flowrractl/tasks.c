/* SPDX-License-Identifier: MIT */
/* The verbs about registered tasks: tasks registered and tasks info. They show
 * what workers have written into the broker's registry at their start, which is
 * what submissions take their defaults from. */
#include <jansson.h>

#include "flowrra/client.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

/* Headings are short, since there are ten; tasks info has the names as in JSON.
 */
static const struct column columns[] = {
    {"NAME", "name", NULL, false},
    {"QUEUE", "queue", NULL, false},
    {"CPU", "cpu_bound", NULL, false},
    {"RETRIES", "max_retries", NULL, true},
    {"RETRY-DELAY", "retry_delay", NULL, true},
    {"BACKOFF", "retry_backoff", NULL, true},
    {"LIMIT", "retry_delay_max", NULL, true},
    {"JITTER", "retry_jitter", NULL, true},
    {"TIMEOUT", "timeout", NULL, true},
    {"DESCRIPTION", "description", NULL, false},
};
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* The entry of a task, with its name in it; NULL with the exit status. */
static json_t *
get_entry(struct ctl *ctl, const char *name, int *ret_status)
{
	struct flowrra_error error;
	json_t *entry;
	char *text;

	if (flowrra_registered(ctl->client, name, &text, &error) != 0) {
		*ret_status = complain_of(ctl, &error);
		return NULL;
	}
	entry = json_loads(text, 0, NULL);
	flowrra_free(text);
	if (!json_is_object(entry) ||
	    json_object_set_new(entry, "name", json_string(name)) != 0) {
		json_decref(entry);
		complain(ctl,
			 "cannot parse the registration of task \"%s\": not a "
			 "JSON object",
			 name);
		*ret_status = err_exit_status(ERR_DATA);
		return NULL;
	}
	return entry;
}

/* --- registered -------------------------------------------------------- */

/* All entries, an array; NULL with the exit status. One question for each name,
 * but one connection: there are dozens of tasks, not thousands. */
static json_t *
get_entries(struct ctl *ctl, int *ret_status)
{
	json_t *list = json_array(), *names, *entry;
	struct flowrra_error error;
	char *text;
	size_t i;

	if (flowrra_registered_names(ctl->client, &text, &error) != 0) {
		*ret_status = complain_of(ctl, &error);
		json_decref(list);
		return NULL;
	}
	names = json_loads(text, 0, NULL);
	flowrra_free(text);
	for (i = 0; i < json_array_size(names); i++) {
		entry =
		    get_entry(ctl, json_string_value(json_array_get(names, i)),
			      ret_status);
		/* One that has just gone, or is broken, does not hide the
		 * others. */
		if (entry != NULL)
			json_array_append_new(list, entry);
	}
	json_decref(names);
	return list;
}

static int
run_registered(struct ctl *ctl, int argc, char **argv, void *options)
{
	int status = 0;
	json_t *list;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if ((list = get_entries(ctl, &status)) == NULL)
		return status;
	return print_list(ctl, columns, N_COLUMNS, list);
}

const struct verb verb_tasks_registered = {
    .name = "tasks registered",
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
	int status = 0;
	json_t *entry;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if ((entry = get_entry(ctl, argv[0], &status)) == NULL)
		return status;
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
    .summary = "Print the registration of a task",
    .usage = "NAME",
    .min_args = 1,
    .max_args = 1,
    .words = WORD_TASK_NAME,
    .run = run_info,
};
