/* SPDX-License-Identifier: MIT */
/*
 * The verb schedule edit: changes what is given, and leaves the rest.
 *
 * The options are those of the verbs that make schedules, but kept as texts
 * until the schedule has been read: they are put into the form of what it is.
 */
#include <stdint.h>
#include <string.h>

#include "core/task.h"
#include "gateway.h"
#include "manager/schedules.h"
#include "schedule.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

/* The fields, in the order of the table. */
enum edit_field {
#define SCHEDULE_WORD(field, ...) EDIT_##field,
#define SCHEDULE_FIELD(field, ...) EDIT_##field,
#define SCHEDULE_SETTING(field, ...) EDIT_##field,
#define SCHEDULE_JSON_FIELD(field, ...) EDIT_##field,
#define SCHEDULE_NOTE(field, ...) EDIT_##field,
#include "manager/schedule.def"
	EDIT_FIELDS
};

struct edit_options {
	const char *texts[EDIT_FIELDS]; /* NULL: not given */
	bool force;
};

#define OPTION(option, arg, field, help)                                       \
	VERB_OPTION(struct edit_options, 0, option, arg, TEXT,                 \
		    texts[EDIT_##field], 0, 0, help)

static const struct option_spec edit_options[] = {
#define SCHEDULE_WORD(field, member, stored, option, arg, help)                \
	OPTION(option, arg, field, help),
#define SCHEDULE_FIELD(field, type, member, stored, as, low, high, option,     \
		       arg, help)                                              \
	OPTION(option, arg, field, help),
#define SCHEDULE_SETTING(field, type, member, stored, low, high, option, arg,  \
			 help)                                                 \
	OPTION(option, arg, field, help),
#define SCHEDULE_JSON_FIELD(field, kind, member, stored, option, arg, help)    \
	OPTION(option, arg, field, help),
#define SCHEDULE_NOTE(field, member, stored, option, arg, help)                \
	OPTION(option, arg, field, help),
#include "manager/schedule.def"
    VERB_OPTION(struct edit_options, 0, "force", NULL, FLAG, force, 0, 0,
		"accept a task that no worker has registered"),
};

/* Where the texts go. */
#define VALUE(kind, member, low, high)                                         \
	{                                                                      \
		.type = VALUE_##kind,                                          \
		.offset = offsetof(struct schedule_form, member),              \
		.min = (low), .max = (high)                                    \
	}
static const struct value_spec values[EDIT_FIELDS] = {
#define SCHEDULE_WORD(field, member, ...) VALUE(TEXT, member, 0, 0),
#define SCHEDULE_FIELD(field, type, member, stored, as, low, high, ...)        \
	VALUE(type, member, low, high),
#define SCHEDULE_SETTING(field, type, member, stored, low, high, ...)          \
	VALUE(type, member, low, high),
#define SCHEDULE_JSON_FIELD(field, kind, member, ...) VALUE(TEXT, member, 0, 0),
#define SCHEDULE_NOTE(field, member, ...) VALUE(TEXT, member, 0, 0),
#include "manager/schedule.def"
};

static const size_t value_sizes[] = {
#define X(name, type) [VALUE_##name] = sizeof(type),
    VALUE_TYPES(X)
#undef X
};

/* An empty text is "as if it had not been given when the schedule was made". */
static int
apply_options(struct schedule_form *form, void *arg,
	      struct schedule_fault *fault, struct err *err)
{
	const struct edit_options *o = arg;
	struct schedule_form standard;
	struct err why = ERR_INIT;
	const struct value_spec *v;
	size_t i;

	schedule_form_init(&standard);
	form->force = o->force;
	for (i = 0; i < EDIT_FIELDS; i++) {
		v = &values[i];
		if (o->texts[i] == NULL)
			continue;
		if (o->texts[i][0] == '\0')
			memcpy((char *)form + v->offset,
			       (char *)&standard + v->offset,
			       value_sizes[v->type]);
		else if (value_set(v, o->texts[i], form, &why) != 0)
			return err_set(err, ERR_DATA, "--%s %s",
				       edit_options[i].name, why.msg);
	}
	return 0;
}

/* --force alone changes nothing, and does not count. */
static bool
is_anything_given(const struct edit_options *o)
{
	size_t i;

	for (i = 0; i < EDIT_FIELDS; i++)
		if (o->texts[i] != NULL)
			return true;
	return false;
}

/* Only tasks' names are asked about at the broker. */
static bool
asks_broker(const struct edit_options *o)
{
	return (o->texts[EDIT_task] != NULL ||
		o->texts[EDIT_workflow] != NULL) &&
	       !o->force;
}

/* schedule_edit() reads the schedule, has apply_options() change it, and tries
 * again if somebody else has changed it meanwhile. */
static int
edit_in(struct ctl *ctl, struct schedules *db, const char *id,
	struct edit_options *o, json_t **ret)
{
	struct schedule_edit edit = {
	    .id = id, .apply = apply_options, .arg = o, .client = ctl->client};
	struct schedule_fault fault;
	struct err err = ERR_INIT;
	int status = schedule_time(ctl, db, &edit.now_us);
	bool stale;

	if (status != 0)
		return status;
	*ret = schedule_edit(db, &edit, &stale, &fault, &err);
	return *ret != NULL ? 0
			    : complain_of_schedule(ctl, o->texts[EDIT_rule],
						   &fault, &err);
}

static int
edit_with(struct ctl *ctl, const char *id, struct edit_options *o)
{
	struct zone_words words = {.local = ""};
	struct err err = ERR_INIT;
	json_t *schedule = NULL;
	struct schedules *db;
	int status = 0;

	if (zone_complete(&words, &o->texts[EDIT_tz], &err) != 0)
		return complain_of_err(ctl, &err);
	if ((asks_broker(o) && (status = ctl_open_all(ctl)) != 0) ||
	    (status = reach_schedules(ctl, false, &db)) != 0)
		return status;
	if (db != NULL)
		status = edit_in(ctl, db, id, o, &schedule);
	else if ((schedule = gateway_schedule_edit(
		      ctl->gateway, id, apply_options, o, &err)) == NULL)
		status = complain_of_err(ctl, &err);
	schedules_close(db);
	if (schedule != NULL)
		print_if_json(ctl, schedule);
	return status;
}

static int
run_edit(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct edit_options *o = options;
	const char **file = &o->texts[EDIT_workflow];
	struct buf flow = BUF_INIT;
	int status = 0;

	if (!is_anything_given(o)) {
		complain(ctl, "nothing to change: give an option");
		return err_exit_status(ERR_USAGE);
	}
	if (*file != NULL && (*file)[0] != '\0') {
		status = schedule_flow_file(ctl, *file, &flow);
		*file = flow.data;
	}
	if (status == 0)
		status = edit_with(ctl, argv[0], o);
	buf_done(&flow);
	return status;
}

const struct verb verb_schedule_edit = {
    .name = "schedule edit",
    .alias = "schedule set",
    .summary = "Change a schedule: what is given, and nothing else",
    .usage = "ID OPTION...",
    .options = edit_options,
    .n_options = sizeof(edit_options) / sizeof(edit_options[0]),
    .options_size = sizeof(struct edit_options),
    .min_args = 1,
    .max_args = 1,
    .words = WORD_SCHEDULE,
    .gateway = true,
    .run = run_edit,
};
