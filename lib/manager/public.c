/* SPDX-License-Identifier: MIT */
/*
 * What flowrra/client.h offers beyond tasks: queues, schedules and events. Each
 * is what flowrractl and the dashboard do, with texts of JSON in the place of
 * values, so that programs need no library for those.
 */
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "manager/events.h"
#include "manager/flows.h"
#include "manager/queues.h"
#include "manager/schedules.h"
#include "util/clock.h"
#include "util/conf.h"

_Static_assert(FLOWRRA_FLOW_ID_SIZE == TASK_FLOW_MAX + 1, "ids fit");
_Static_assert(FLOWRRA_SCHEDULE_ID_SIZE == SCHEDULE_ID_MAX + 1, "ids fit");

/* What a caller must at least know of the options: the first version. */
#define FOLLOW_MIN                                                             \
	(offsetof(struct flowrra_follow_options, stopped) +                    \
	 sizeof(((struct flowrra_follow_options *)0)->stopped))

/* Takes over the value; NULL says what failed. */
static int
public_give(json_t *value, char **ret, struct flowrra_error *error,
	    struct err *err)
{
	char *text = NULL;

	if (value != NULL &&
	    (text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY)) == NULL)
		err_nomem(err);
	json_decref(value);
	if (text == NULL)
		return client_fail(error, err);
	if (ret != NULL)
		*ret = text;
	else
		free(text);
	return 0;
}

/* --- workflows ----------------------------------------------------------- */

/* What a caller must at least know of the options: the first version. */
#define FLOW_MIN sizeof(struct flowrra_flow_options)

int
flowrra_flow_begin(struct flowrra_client *c,
		   const struct flowrra_flow_options *given,
		   char id[FLOWRRA_FLOW_ID_SIZE], struct flowrra_error *error)
{
	struct flowrra_flow_options o = FLOWRRA_FLOW_OPTIONS_INIT;
	struct err err = ERR_INIT;
	struct flows_begin begin;

	if (given != NULL && given->size < FLOW_MIN) {
		err_set(&err, ERR_USAGE,
			"begin with FLOWRRA_FLOW_OPTIONS_INIT");
		return client_fail(error, &err);
	}
	if (given != NULL)
		memcpy(&o, given,
		       given->size < sizeof(o) ? given->size : sizeof(o));
	begin = (struct flows_begin){.id = o.id,
				     .label = o.label,
				     .on_failure = o.on_failure,
				     .whole = o.whole,
				     .life_s = o.life_s};
	return flows_begin(c, &begin, id, &err) == 0 ? 0
						     : client_fail(error, &err);
}

int
flowrra_flow_seal(struct flowrra_client *c, const char *id,
		  struct flowrra_error *error)
{
	struct err err = ERR_INIT;

	return public_give(flows_seal(c, id, &err), NULL, error, &err);
}

int
flowrra_flow_cancel(struct flowrra_client *c, const char *id,
		    struct flowrra_error *error)
{
	struct err err = ERR_INIT;

	return public_give(flows_cancel(c, id, &err), NULL, error, &err);
}

int
flowrra_flow(struct flowrra_client *c, const char *id, char **json,
	     struct flowrra_error *error)
{
	struct err err = ERR_INIT;

	return public_give(flows_get(c, id, &err), json, error, &err);
}

int
flowrra_flow_wait(struct flowrra_client *c, const char *id, double timeout_s,
		  char **json, struct flowrra_error *error)
{
	struct err err = ERR_INIT;

	return public_give(flows_wait(c, id, timeout_s, &err), json, error,
			   &err);
}

/* --- queues -------------------------------------------------------------- */

int
flowrra_queues(struct flowrra_client *c, const char *name, char **json,
	       struct flowrra_error *error)
{
	struct err err = ERR_INIT;

	if (client_check(c, &err) != 0)
		return client_fail(error, &err);
	return public_give(queues_list(c, name, &err), json, error, &err);
}

int
flowrra_queue_pause(struct flowrra_client *c, const char *name, bool paused,
		    struct flowrra_error *error)
{
	struct err err = ERR_INIT;

	if (client_check(c, &err) != 0)
		return client_fail(error, &err);
	return public_give(queues_pause(c, name, paused, &err), NULL, error,
			   &err);
}

/* --- schedules ----------------------------------------------------------- */

/* Each call opens the database: they are seldom, and a handle is for one thread.
 */
static struct schedules *
public_open(struct flowrra_client *c, struct err *err)
{
	const struct schedules_options options = {
	    .url = c->conf->scheduler.database_url};

	if (client_check(c, err) != 0 ||
	    conf_check_client(c->conf, CONF_STORE_SCHEDULES, err) != 0)
		return NULL;
	return schedules_open(&options, err);
}

/* All pages, as one array. */
static json_t *
list_all(struct schedules *db, struct err *err)
{
	struct schedule_query query = {.enabled = -1, .limit = 500};
	json_t *all = json_array(), *page = NULL, *next = NULL;
	int r = all != NULL ? 0 : err_nomem(err);

	while (r == 0 && (page = schedule_list(db, &query, err)) != NULL) {
		r = json_array_extend(all, json_object_get(page, "items"));
		/* The cursor is the page's, which goes. */
		json_decref(next);
		next = json_incref(json_object_get(page, "next"));
		query.cursor = json_string_value(next);
		json_decref(page);
		if (query.cursor == NULL)
			break;
	}
	json_decref(next);
	if (r == 0 && page != NULL)
		return all;
	if (page != NULL)
		err_nomem(err);
	json_decref(all);
	return NULL;
}

int
flowrra_schedules(struct flowrra_client *c, char **json,
		  struct flowrra_error *error)
{
	struct err err = ERR_INIT;
	struct schedules *db = public_open(c, &err);
	json_t *list;

	if (db == NULL)
		return client_fail(error, &err);
	list = list_all(db, &err);
	schedules_close(db);
	return public_give(list, json, error, &err);
}

static int
public_declare(struct flowrra_client *c, struct schedules *db, const char *json,
	       char id[FLOWRRA_SCHEDULE_ID_SIZE], struct err *err)
{
	struct buf scratch = BUF_INIT;
	struct schedule_declared declared;
	struct schedule_fault fault;
	struct schedule_form form;
	const char *field;
	int r;

	schedule_form_init(&form);
	r = schedule_form_read(slice_of(json), &form, &scratch, &field, err);
	if (r == 0)
		r = schedule_declare(db, c, &form, clock_wall_us(), &declared,
				     &fault, err);
	if (r == 0 && id != NULL)
		memcpy(id, declared.id, sizeof(declared.id));
	buf_done(&scratch);
	return r;
}

int
flowrra_schedule_create(struct flowrra_client *c, const char *json,
			char id[FLOWRRA_SCHEDULE_ID_SIZE],
			struct flowrra_error *error)
{
	struct err err = ERR_INIT;
	struct schedules *db = public_open(c, &err);
	int r;

	if (db == NULL)
		return client_fail(error, &err);
	r = public_declare(c, db, json, id, &err);
	schedules_close(db);
	return r == 0 ? 0 : client_fail(error, &err);
}

int
flowrra_schedule_enable(struct flowrra_client *c, const char *id, bool enabled,
			struct flowrra_error *error)
{
	struct err err = ERR_INIT;
	struct schedules *db = public_open(c, &err);
	const int64_t now_us = clock_wall_us();
	json_t *schedule;

	if (db == NULL)
		return client_fail(error, &err);
	schedule = enabled ? schedule_enable(db, id, now_us, &err)
			   : schedule_disable(db, id, now_us, &err);
	schedules_close(db);
	return public_give(schedule, NULL, error, &err);
}

int
flowrra_schedule_delete(struct flowrra_client *c, const char *id,
			struct flowrra_error *error)
{
	struct err err = ERR_INIT;
	struct schedules *db = public_open(c, &err);
	int r;

	if (db == NULL)
		return client_fail(error, &err);
	r = schedules_delete(db, id, &err);
	schedules_close(db);
	return r == 0 ? 0 : client_fail(error, &err);
}

/* --- events -------------------------------------------------------------- */

struct follower {
	const struct flowrra_follow_options *options;
	struct buf line; /* an event with its NUL */
};

static int
on_public_line(struct slice line, void *arg)
{
	struct follower *f = arg;

	buf_reset(&f->line);
	buf_add(&f->line, line.p, line.len);
	if (f->line.failed)
		return 0;
	return f->options->on_event(f->line.data, f->options->arg);
}

static void
on_public_trouble(const struct err *why, void *arg)
{
	struct follower *f = arg;
	struct flowrra_error error;

	client_fail(&error, why);
	if (f->options->on_trouble != NULL)
		f->options->on_trouble(&error, f->options->arg);
}

static void
on_public_ready(void *arg)
{
	const struct follower *f = arg;

	if (f->options->on_ready != NULL)
		f->options->on_ready(f->options->arg);
}

static bool
is_public_stopped(void *arg)
{
	const struct follower *f = arg;

	return f->options->stopped != NULL &&
	       f->options->stopped(f->options->arg);
}

int
flowrra_follow(struct flowrra_client *c,
	       const struct flowrra_follow_options *given,
	       struct flowrra_error *error)
{
	struct flowrra_follow_options options = FLOWRRA_FOLLOW_OPTIONS_INIT;
	struct follower f = {.options = &options, .line = BUF_INIT};
	struct events_follow follow = {.on_line = on_public_line,
				       .on_trouble = on_public_trouble,
				       .on_ready = on_public_ready,
				       .stopped = is_public_stopped,
				       .arg = &f};
	struct err err = ERR_INIT;

	if (client_check(c, &err) != 0)
		return client_fail(error, &err);
	if (given->size < FOLLOW_MIN || given->on_event == NULL) {
		err_set(&err, ERR_USAGE,
			"begin with FLOWRRA_FOLLOW_OPTIONS_INIT, and set "
			"on_event");
		return client_fail(error, &err);
	}
	memcpy(&options, given,
	       given->size < sizeof(options) ? given->size : sizeof(options));
	follow.id = options.id;
	follow.task = options.task;
	follow.queue = options.queue;
	follow.whole = options.whole;
	if (events_follow(c, &follow, &err) != 0)
		client_fail(error, &err);
	buf_done(&f.line);
	return err.code == ERR_NONE ? 0 : -1;
}
