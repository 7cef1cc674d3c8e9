/* SPDX-License-Identifier: MIT */
/* The verb where: which stores a command uses and why, and what runs here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manager/where.h"
#include "sqlite/place.h"
#include "table.h"
#include "util/conf.h"
#include "util/err.h"
#include "verb.h"

static void
where_cell(const json_t *object, const char *path)
{
	const struct column column = {"", path, NULL, false};

	print_cell(&column, object);
}

static void
where_line(const char *title, const json_t *object, const char *path)
{
	printf("%-15s", title);
	where_cell(object, path);
	putchar('\n');
}

static void
print_stores(const json_t *stores)
{
	const json_t *one;
	size_t i;

	json_array_foreach (stores, i, one) {
		printf("%-15s",
		       json_string_value(json_object_get(one, "store")));
		where_cell(one, "name");
		printf(" (%s: ",
		       json_string_value(json_object_get(one, "key")));
		where_cell(one, "source");
		printf(")\n");
	}
}

static void
print_user(const json_t *where)
{
	const json_t *user = json_object_get(where, "user");

	printf("%-15s", "user");
	where_cell(user, "name");
	if (!json_equal(user, json_object_get(where, "runs_as"))) {
		printf(", goes on as ");
		where_cell(where, "runs_as.name");
		printf(", the owner of the database");
	}
	putchar('\n');
}

/* The rows are those of a table; --json has all that is known. */
static int
print_running(struct ctl *ctl, const json_t *running)
{
	static const struct column columns[] = {
	    {"RUNNING", "program", NULL, COLUMN_WHOLE},
	    {"PID", "pid", NULL, COLUMN_RIGHT},
	    {"UNIT", "unit", NULL, COLUMN_DROP(3)},
	    {"SINCE", "since", cell_time, COLUMN_DROP(2)},
	    {"TASKS", "tasks", NULL, 0},
	    {"SCHEDULES", "schedules", NULL, COLUMN_DROP(1)}};

	if (json_array_size(running) == 0) {
		printf("running        no daemon of this machine tells of "
		       "itself\n");
		return 0;
	}
	putchar('\n');
	return print_rows(ctl, columns, sizeof(columns) / sizeof(columns[0]),
			  running);
}

static int
print_where(struct ctl *ctl, const json_t *where)
{
	where_line("mode", where, "mode");
	print_user(where);
	where_line("configuration", where, "configuration");
	if (json_is_string(json_object_get(where, "gateway"))) {
		printf("%-15s", "through");
		where_cell(where, "gateway");
		printf(" (client.gateway), to the store of the services\n");
	} else {
		print_stores(json_object_get(where, "stores"));
	}
	return print_running(ctl, json_object_get(where, "running"));
}

static void
where_complain(struct ctl *ctl, const json_t *where, const struct err *refused)
{
	const json_t *one;
	size_t i;

	if (json_is_string(json_object_get(where, "gateway")))
		return;
	/* The error that a command would report includes the remedy. */
	if (refused->code != ERR_NONE) {
		complain(ctl, "%s", refused->msg);
		return;
	}
	json_array_foreach (json_object_get(where, "warnings"), i, one)
		complain(ctl, "warning: %s", json_string_value(one));
}

/* A user who may not open the store may be able to use the gateway. */
static bool
take_gateway(const struct ctl *ctl, json_t *where, const struct err *refused)
{
	struct err err = ERR_INIT;
	char *socket = ctl_gateway(ctl, refused, &err);
	const bool found = socket != NULL && socket[0] != '\0';

	json_object_set_new(where, "gateway",
			    found ? json_string(socket) : json_null());
	/* They compare stores, and the gateway uses that of the services. */
	if (found)
		json_array_clear(json_object_get(where, "warnings"));
	free(socket);
	return found;
}

static int
run_where(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT, refused;
	const uid_t asked_by = geteuid();
	const struct conf *conf = ctl_conf(ctl, true, &err);
	json_t *where = conf != NULL
			    ? where_describe(conf, asked_by, &refused, &err)
			    : NULL;
	int status = 0;

	if (where == NULL)
		return complain_of_err(ctl, &err);
	if (refused.code == ERR_NONE)
		place_check_url(conf->broker.url, &refused);
	if (take_gateway(ctl, where, &refused))
		refused.code = ERR_NONE;
	if (ctl->globals.json)
		print_json_line(json_incref(where));
	else
		status = print_where(ctl, where);
	fflush(stdout);
	where_complain(ctl, where, &refused);
	json_decref(where);
	return status != 0 ? status : err_exit_status(refused.code);
}

const struct verb verb_where = {
    .name = "where",
    .looks = true,
    .summary = "Print which stores commands use, why, and what runs here",
    .usage = "",
    .run = run_where,
};
