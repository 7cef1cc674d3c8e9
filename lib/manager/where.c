/* SPDX-License-Identifier: MIT */
/* Which stores a command uses and why, beside those of the daemons. */
#include "manager/where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "beat/beat.h"
#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_key.h"
#include "util/conf_services.h"
#include "util/conf_source.h"
#include "util/err.h"
#include "util/path.h"
#include "util/running.h"

/* In the order of enum conf_store. */
static const char *const where_stores[CONF_N_STORES] = {"tasks", "results",
							"schedules"};

static const struct conf_key *
where_key(enum conf_store which)
{
	return conf_services_key(which);
}

/* Whether the configuration leaves this store to the default, or to another one's URL. */
static bool
where_is_empty(const struct conf *conf, enum conf_store which)
{
	return conf_source_of(conf, where_key(which)).origin ==
		   CONF_FROM_DEFAULT ||
	       (which == CONF_STORE_BACKEND && conf->backend.url[0] == '\0');
}

static json_t *
where_source(const struct conf *conf, enum conf_store which)
{
	struct buf text = BUF_INIT;
	json_t *source;

	if (which == CONF_STORE_BACKEND && where_is_empty(conf, which))
		return json_string("where the tasks are");
	conf_source_tell(conf, where_key(which), &text);
	source = text.failed ? NULL : json_stringn(text.data, text.len);
	buf_done(&text);
	return source;
}

static void
where_refuse(const struct err *why, json_t *store, struct err *refused)
{
	json_object_set_new(store, "refused", json_string(why->msg));
	if (refused->code == ERR_NONE)
		*refused = *why;
}

static json_t *
where_store(const struct conf *conf, enum conf_store which, const char *name,
	    struct err *refused)
{
	const struct conf_key *key = where_key(which);
	json_t *store = json_pack(
	    "{s:s, s:s?, s:o, s:o, s:n}", "store", where_stores[which], "name",
	    name, "key", json_sprintf("%s.%s", key->section, key->name),
	    "source", where_source(conf, which), "refused");
	struct err why;

	if (store != NULL && conf_check_client(conf, which, &why) != 0)
		where_refuse(&why, store, refused);
	return store;
}

/* A wrong URL has no name; the other stores are described all the same. */
static json_t *
where_all_stores(const struct conf *conf, char *names[], struct err *refused)
{
	json_t *stores = json_array();
	struct err why = ERR_INIT;
	int which;

	if (beat_store_names(conf, names, &why) != 0)
		memset(names, 0, CONF_N_STORES * sizeof(*names));
	for (which = 0; stores != NULL && which < CONF_N_STORES; which++)
		json_array_append_new(stores,
				      where_store(conf, (enum conf_store)which,
						  names[which], refused));
	if (why.code != ERR_NONE && refused->code == ERR_NONE)
		*refused = why;
	return stores;
}

static const char *
where_mode(const struct conf *conf)
{
	if (conf_source_of(conf, where_key(CONF_STORE_BROKER)).origin ==
	    CONF_FROM_PERSONAL)
		return RUNNING_PERSONAL;
	return conf->standard || !path_is_personal() ? RUNNING_SERVICES
						     : "user";
}

/* --- daemons ------------------------------------------------------------- */

static void
where_warn(json_t *warnings, const struct running *r, const char *what,
	   const char *theirs, const char *ours)
{
	if (warnings != NULL)
		json_array_append_new(
		    warnings,
		    json_sprintf(
			"%s (process %ld) has its %s in %s, and commands here "
			"in %s",
			r->program, (long)r->pid, what, theirs, ours));
}

/* Whether the results are where the tasks are. */
static bool
where_are_one(const char *const names[])
{
	return names[CONF_STORE_BROKER] != NULL &&
	       names[CONF_STORE_BACKEND] != NULL &&
	       strcmp(names[CONF_STORE_BROKER], names[CONF_STORE_BACKEND]) == 0;
}

/* Whether the daemon uses the same stores as commands here; a store that it does not use
 * is not compared. Only daemons of the services cause warnings; `warnings` is NULL for
 * commands that use a personal store. */
static bool
where_compare(const struct running *r, char *names[], json_t *warnings)
{
	const char *const theirs[CONF_N_STORES] = {r->tasks, r->results,
						   r->schedules};
	bool same = true;
	int i;

	for (i = 0; i < CONF_N_STORES; i++) {
		if (theirs[i][0] == '\0' || names[i] == NULL ||
		    strcmp(theirs[i], names[i]) == 0)
			continue;
		same = false;
		if (strcmp(r->mode, RUNNING_SERVICES) == 0 &&
		    !(i == CONF_STORE_BACKEND && where_are_one(theirs) &&
		      where_are_one((const char *const *)names)))
			where_warn(warnings, r, where_stores[i], theirs[i],
				   names[i]);
	}
	return same;
}

static json_t *
where_running(char *names[], json_t *warnings)
{
	json_t *all = json_array(), *one;
	struct running_list list;
	const struct running *r;

	running_find(&list);
	for (r = list.items; r < list.items + list.n; r++) {
		one = json_pack("{s:I, s:b}", "pid", (json_int_t)r->pid, "same",
				where_compare(r, names, warnings));
#define X(field)                                                               \
	json_object_set_new(one, #field,                                       \
			    r->field[0] != '\0' ? json_string(r->field)        \
						: json_null());
		RUNNING_FIELDS(X)
#undef X
		json_array_append_new(all, one);
	}
	running_list_done(&list);
	return all;
}

/* --- the whole ----------------------------------------------------------- */

static json_t *
where_user(uid_t uid)
{
	char name[PATH_USER_SIZE];

	path_user_name(uid, name);
	return json_pack("{s:s, s:I}", "name", name, "uid", (json_int_t)uid);
}

json_t *
where_describe(const struct conf *conf, uid_t asked_by, struct err *ret_refused,
	       struct err *err)
{
	char *names[CONF_N_STORES] = {NULL};
	json_t *warnings = json_array(), *stores, *running, *all;
	int i;

	*ret_refused = (struct err)ERR_INIT;
	stores = where_all_stores(conf, names, ret_refused);
	running = where_running(
	    names,
	    strcmp(where_mode(conf), RUNNING_PERSONAL) != 0 ? warnings : NULL);
	all = json_pack("{s:s, s:o, s:o, s:s?, s:o, s:o, s:o}", "mode",
			where_mode(conf), "user", where_user(asked_by),
			"runs_as", where_user(geteuid()), "configuration",
			conf->file.path, "stores", stores, "running", running,
			"warnings", warnings);
	for (i = 0; i < CONF_N_STORES; i++)
		free(names[i]);
	if (all == NULL)
		err_nomem(err);
	return all;
}
