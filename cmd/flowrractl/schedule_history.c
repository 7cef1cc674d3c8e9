/* SPDX-License-Identifier: MIT */
/* The verb schedule history: what a schedule has fired and what became of it, and
 * what it has not fired and why. */
#include "manager/schedules.h"

#include "gateway.h"
#include "schedule.h"
#include "schedules/schedules.h"
#include "table.h"
#include "util/err.h"
#include "verb.h"

struct history_options {
	int limit;
	int64_t before_us;
	bool status, no_status;
};

/* A screen full. */
static void
history_init(void *options)
{
	((struct history_options *)options)->limit = 20;
}

/* For programs the order is part of the interface: add new columns at the end.
 */
static const struct column columns[] = {
    {"FIRE", "fire_at", cell_when, COLUMN_WHOLE},
    {"N", "n", NULL, COLUMN_RIGHT | COLUMN_DROP(4)},
    {"OUTCOME", "outcome", NULL, COLUMN_STATE | COLUMN_WHOLE},
    {"TASK", "task_id", NULL, COLUMN_WHOLE | COLUMN_DROP(1)},
    {"STATUS", "status", NULL, COLUMN_STATE | COLUMN_WHOLE},
    {"REASON", "reason", NULL, COLUMN_DROP(2)},
    {"STARTED", "started_at", cell_time, COLUMN_WHOLE | COLUMN_DROP(3)},
    {"DURATION", "duration", cell_duration, COLUMN_RIGHT | COLUMN_DROP(3)},
    {"ERROR", "error", NULL, 0},
    {"WORKFLOW", "workflow", NULL, COLUMN_WHOLE | COLUMN_DROP(1)},
};

/* `db` NULL: by the gateway. */
static json_t *
read_page(const struct ctl *ctl, struct schedules *db, bool no_status,
	  const struct schedule_fires_query *query, struct err *err)
{
	if (db == NULL)
		return gateway_schedule_fires(ctl->gateway, query, err);
	return schedule_fires(db, no_status ? NULL : ctl->client, query, err);
}

/* Page by page, as many as are asked for; NULL with *err. */
static json_t *
read_history(const struct ctl *ctl, struct schedules *db, const char *id,
	     const struct history_options *o, struct err *err)
{
	struct schedule_fires_query query = {.id = id,
					     .before_us = o->before_us};
	json_t *all = json_array(), *page, *next = NULL;
	size_t left;

	do {
		left = (size_t)o->limit - json_array_size(all);
		query.cursor = json_string_value(next);
		query.limit = left < 500 ? left : 500;
		page = read_page(ctl, db, o->no_status, &query, err);
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

/* Without the tasks the database is enough. */
static int
open_history(struct ctl *ctl, const struct history_options *o,
	     struct schedules **ret)
{
	struct err err = ERR_INIT;
	int status = o->no_status ? 0 : ctl_open_all(ctl);

	if (status == 0)
		status = reach_schedules(ctl, true, ret);
	if (status == 0 && o->no_status &&
	    ctl_need_store(ctl, "--no-status", &err) != 0)
		status = complain_of_err(ctl, &err);
	return status;
}

static int
run_history(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct history_options *o = options;
	struct err err = ERR_INIT;
	struct schedules *db = NULL;
	int status = open_history(ctl, o, &db);
	json_t *list = NULL;

	if (status == 0 &&
	    (list = read_history(ctl, db, argv[0], o, &err)) == NULL)
		status = complain_of_err(ctl, &err);
	schedules_close(db);
	if (list == NULL)
		return status;
	return print_list(ctl, columns, sizeof(columns) / sizeof(columns[0]),
			  list);
}

#define OPTION(...) VERB_OPTION(struct history_options, 0, __VA_ARGS__)

static const struct option_spec history_options[] = {
    OPTION("limit", "N", INT, limit, 1, 1000000,
	   "print the latest N; 20 by default"),
    OPTION("before", "TIME", PAST, before_us, 0, 0,
	   "only fires before this time, or duration ago"),
    OPTION("status", NULL, FLAG, status, 0, 0,
	   "ask the backend what became of their tasks (the default)"),
    OPTION("no-status", NULL, FLAG, no_status, 0, 0,
	   "ask the schedules' database only: the backend may be away"),
};

const struct verb verb_schedule_history = {
    .name = "schedule history",
    .looks = true,
    .alias = "schedule fires",
    .summary = "List what a schedule has fired, missed and skipped",
    .usage = "ID [OPTION...]",
    .options = history_options,
    .n_options = sizeof(history_options) / sizeof(history_options[0]),
    .options_size = sizeof(struct history_options),
    .init = history_init,
    .min_args = 1,
    .max_args = 1,
    .words = WORD_SCHEDULE,
    .gateway = true,
    .run = run_history,
};
