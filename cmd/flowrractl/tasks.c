/* SPDX-License-Identifier: MIT */
/* The verbs about registered tasks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "flowrra/client.h"
#include "util/err.h"
#include "verb.h"

/* Fields of an entry, in the order of the columns; the name comes first. */
static const char *const fields[] = {
    "name",	   "queue",	    "cpu_bound",       "max_retries",
    "retry_delay", "retry_backoff", "retry_delay_max", "retry_jitter",
    "timeout",	   "description",
};
static const char *const columns[] = {
    "NAME",    "QUEUE", "CPU",	  "RETRIES", "RETRY-DELAY",
    "BACKOFF", "LIMIT", "JITTER", "TIMEOUT", "DESCRIPTION",
};
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))
_Static_assert(sizeof(fields) / sizeof(fields[0]) == N_COLUMNS,
	       "a column for each field");

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
			 "what is registered for task \"%s\" is no JSON object",
			 name);
		*ret_status = err_exit_status(ERR_DATA);
		return NULL;
	}
	return entry;
}

/* A field as text, which the caller frees; NULL: the configuration's. */
static char *
field_text(const json_t *entry, const char *field)
{
	const json_t *value = json_object_get(entry, field);
	char number[32];

	if (json_is_string(value))
		return strdup(json_string_value(value));
	if (json_is_real(value)) {
		snprintf(number, sizeof(number), "%g", json_real_value(value));
		return strdup(number);
	}
	return value == NULL || json_is_null(value)
		   ? NULL
		   : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

static void
print_json(const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));

	if (text != NULL)
		puts(text);
	free(text);
}

/* --- registered -------------------------------------------------------- */

/* All entries, an array. NULL with the exit status. */
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
print_entries(const json_t *list)
{
	size_t n = json_array_size(list), i;
	char **cells = calloc(n * N_COLUMNS + 1, sizeof(*cells));
	int result;

	if (cells == NULL)
		return -1;
	for (i = 0; i < n * N_COLUMNS; i++)
		cells[i] = field_text(json_array_get(list, i / N_COLUMNS),
				      fields[i % N_COLUMNS]);
	result = print_table(columns, N_COLUMNS, (const char *const *)cells, n);
	for (i = 0; i < n * N_COLUMNS; i++)
		free(cells[i]);
	free(cells);
	return result;
}

static int
run_registered(struct ctl *ctl, int argc, char **argv, void *options)
{
	int status = 0;
	json_t *list;

	(void)argc;
	(void)argv;
	(void)options;
	if ((status = ctl_open(ctl)) != 0)
		return status;
	if ((list = get_entries(ctl, &status)) == NULL)
		return status;
	if (ctl->globals.json) {
		print_json(list);
	} else if (print_entries(list) != 0) {
		complain(ctl, "cannot print the table");
		status = err_exit_status(ERR_SYSTEM);
	}
	json_decref(list);
	return status;
}

const struct verb verb_tasks_registered = {
    .name = "tasks registered",
    .summary = "Lists the tasks that workers have registered",
    .usage = "",
    .run = run_registered,
};

/* --- info -------------------------------------------------------------- */

static int
run_info(struct ctl *ctl, int argc, char **argv, void *options)
{
	int status = 0;
	json_t *entry;
	char *text;
	size_t i;

	(void)argc;
	(void)options;
	if ((status = ctl_open(ctl)) != 0)
		return status;
	if ((entry = get_entry(ctl, argv[0], &status)) == NULL)
		return status;
	if (ctl->globals.json)
		print_json(entry);
	for (i = 0; !ctl->globals.json && i < N_COLUMNS; i++) {
		text = field_text(entry, fields[i]);
		printf("%-16s %s\n", fields[i],
		       text != NULL ? text : "(as configured)");
		free(text);
	}
	json_decref(entry);
	return 0;
}

const struct verb verb_tasks_info = {
    .name = "tasks info",
    .summary = "Prints what is registered for a task",
    .usage = "NAME",
    .min_args = 1,
    .max_args = 1,
    .run = run_info,
};
