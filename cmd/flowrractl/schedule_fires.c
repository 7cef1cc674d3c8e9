/* SPDX-License-Identifier: MIT */
/* The verb schedule fires: what a schedule has fired, and what it has not and
 * why. */
#include "manager/schedules.h"
#include "schedule.h"
#include "schedules/schedules.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

struct fires_options {
	int limit;
	bool status;
};

/* A screen full. */
static void
fires_init(void *options)
{
	((struct fires_options *)options)->limit = 20;
}

/* For programs the order is part of the interface: add new columns at the end.
 */
static const struct column columns[] = {
    {"FIRE", "fire_at", cell_when, COLUMN_WHOLE},
    {"N", "n", NULL, COLUMN_RIGHT | COLUMN_DROP(1)},
    {"OUTCOME", "outcome", NULL, COLUMN_STATE | COLUMN_WHOLE},
    {"TASK", "task_id", NULL, COLUMN_WHOLE},
    {"STATUS", "status", NULL, COLUMN_STATE | COLUMN_WHOLE | COLUMN_DROP(2)},
    {"REASON", "reason", NULL, 0},
};

/* Page by page, as many as are asked for; NULL with *err. */
static json_t *
read_fires(struct ctl *ctl, struct schedules *db, const char *id,
	   const struct fires_options *o, struct err *err)
{
	struct flowrra_client *client = o->status ? ctl->client : NULL;
	json_t *all = json_array(), *page, *next = NULL;
	size_t left;

	do {
		left = (size_t)o->limit - json_array_size(all);
		page = schedule_fires(db, client, id, json_string_value(next),
				      left < 500 ? left : 500, err);
		json_decref(next);
		if (page == NULL) {
			json_decref(all);
			return NULL;
		}
		json_array_extend(all, json_object_get(page, "items"));
		next = json_incref(json_object_get(page, "next"));
		json_decref(page);
	} while (json_is_string(next) &&
		 json_array_size(all) < (size_t)o->limit);
	json_decref(next);
	return all;
}

/* The client is opened for --status only: without it the database is enough. */
static int
run_fires(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct fires_options *o = options;
	struct err err = ERR_INIT;
	struct schedules *db;
	int status = 0;
	json_t *list;

	if ((o->status && (status = ctl_open_all(ctl)) != 0) ||
	    (db = open_schedules(ctl, true, &status)) == NULL)
		return status;
	list = read_fires(ctl, db, argv[0], o, &err);
	schedules_close(db);
	if (list == NULL)
		return complain_of_err(ctl, &err);
	return print_list(ctl, columns, sizeof(columns) / sizeof(columns[0]),
			  list);
}

#define OPTION(...) VERB_OPTION(struct fires_options, 0, __VA_ARGS__)

static const struct option_spec fires_options[] = {
    OPTION("limit", "N", INT, limit, 1, 1000000,
	   "print the latest N; 20 by default"),
    OPTION("status", NULL, FLAG, status, 0, 0,
	   "ask the backend how their tasks are"),
};

const struct verb verb_schedule_fires = {
    .name = "schedule fires",
    .looks = true,
    .summary = "List what a schedule has fired, missed and skipped",
    .usage = "ID [OPTION...]",
    .options = fires_options,
    .n_options = sizeof(fires_options) / sizeof(fires_options[0]),
    .options_size = sizeof(struct fires_options),
    .init = fires_init,
    .min_args = 1,
    .max_args = 1,
    .words = WORD_SCHEDULE,
    .run = run_fires,
};
