/* SPDX-License-Identifier: MIT */
/*
 * Which stores the services of this machine use, for those who must use the
 * same.
 *
 * A task that goes into another store than the one where workers look is lost
 * to all but a search of the disk. So a process with the standard configuration
 * never falls back to a store of its own where the services have been told of
 * another one: it finds their URL, or says why it cannot.
 */
#include "util/conf_services.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_file.h"
#include "util/conf_key.h"
#include "util/conf_source.h"
#include "util/err.h"
#include "util/path.h"

/* Names of keys, with spaces between. */
#define VARIABLE "FLOWRRA_WITHHELD"

/* Where the service manager looks for credentials that units name without a
 * path (systemd.exec(5)). Most often only root may look there, too. */
static const char *const stores_of_credentials[] = {
    "/etc/credstore", "/etc/credstore.encrypted", "/run/credstore",
    "/run/credstore.encrypted", "/usr/lib/credstore"};

const struct conf_key *
conf_services_key(enum conf_store which)
{
	static const char *const sections[CONF_N_STORES] = {
	    [CONF_STORE_BROKER] = "broker",
	    [CONF_STORE_BACKEND] = "backend",
	    [CONF_STORE_SCHEDULES] = "scheduler"};
	const struct conf_key *key = conf_keys;

	while (key->type != CONF_SECRET ||
	       strcmp(key->section, sections[which]) != 0)
		key++;
	return key;
}

/* As it stands in the environment: FLOWRRA_SECTION_KEY, for messages. */
static const char *
services_variable(enum conf_store which)
{
	static const char *const names[CONF_N_STORES] = {
	    [CONF_STORE_BROKER] = "FLOWRRA_BROKER_URL",
	    [CONF_STORE_BACKEND] = "FLOWRRA_BACKEND_URL",
	    [CONF_STORE_SCHEDULES] = "FLOWRRA_SCHEDULER_DATABASE_URL"};

	return names[which];
}

static const char *
services_value(const struct conf *conf, enum conf_store which)
{
	switch (which) {
	case CONF_STORE_BROKER:
		return conf->broker.url;
	case CONF_STORE_BACKEND:
		return conf->backend.url;
	default:
		return conf->scheduler.database_url;
	}
}

void
conf_services_own_file(struct conf *conf)
{
	int which;

	for (which = 0; which < CONF_N_STORES; which++)
		conf->stores[which].own =
		    services_value(conf, (enum conf_store)which)[0] != '\0';
}

void
conf_services_named(struct conf *conf, const struct conf_key *key)
{
	int which;

	for (which = 0; which < CONF_N_STORES; which++)
		if (key == conf_services_key((enum conf_store)which))
			conf->stores[which] = (struct conf_store_state){
			    .named = true, .own = true};
}

/* --- loading ------------------------------------------------------------- */

/* One who may not read the file goes on: another source may have the key, and
 * the program may not need it. */
static int
services_load_key(struct conf *conf, enum conf_store which, struct err *err)
{
	const struct conf_key *key = conf_services_key(which);
	struct buf path = BUF_INIT;
	struct buf text = BUF_INIT;
	int r;

	buf_addf(&path, "%s/%s.%s", CONF_SHARED, key->section, key->name);
	if (path.failed)
		return err_nomem(err);
	if (access(path.data, R_OK) != 0 && errno == EACCES) {
		conf->stores[which].unreadable = true;
		r = 0;
	} else if ((r = conf_file_read(path.data, &text, err)) == 0) {
		if ((r = conf_key_set(key, conf, text.data, err)) != 0)
			err_prefix(err, "%s", path.data);
		conf->stores[which].named = true;
		if (r == 0)
			conf_source_set(conf, key, CONF_FROM_SHARED, 0);
	}
	if (text.data != NULL)
		explicit_bzero(text.data, text.len);
	buf_done(&text);
	buf_done(&path);
	return r == -1 ? -1 : 0;
}

/* The units would get it; this process would only if it were one. */
static void
services_look_for_credential(struct conf *conf, enum conf_store which)
{
	const struct conf_key *key = conf_services_key(which);
	struct conf_store_state *state = &conf->stores[which];
	char path[128];
	size_t i;

	for (i = 0; i < sizeof(stores_of_credentials) /
			    sizeof(stores_of_credentials[0]);
	     i++) {
		snprintf(path, sizeof(path), "%s/flowrra.%s.%s",
			 stores_of_credentials[i], key->section, key->name);
		if (access(path, F_OK) == 0)
			state->credential = stores_of_credentials[i];
	}
}

int
conf_services_load(struct conf *conf, struct err *err)
{
	int which;

	for (which = 0; which < CONF_N_STORES; which++) {
		if (services_load_key(conf, (enum conf_store)which, err) != 0)
			return -1;
		services_look_for_credential(conf, (enum conf_store)which);
	}
	return 0;
}

/* --- commands ------------------------------------------------------------ */

/* Whether `name` is one of the words of `list`. */
static bool
services_lists(const char *list, const char *name)
{
	const size_t len = strlen(name);
	const char *p = list;

	while ((p = strstr(p, name)) != NULL) {
		if ((p == list || p[-1] == ' ') &&
		    (p[len] == '\0' || p[len] == ' '))
			return true;
		p += len;
	}
	return false;
}

void
conf_services_load_withheld(struct conf *conf)
{
	const char *list = getenv(VARIABLE);
	const struct conf_key *key;
	char name[64];
	int which;

	for (which = 0; list != NULL && which < CONF_N_STORES; which++) {
		key = conf_services_key((enum conf_store)which);
		snprintf(name, sizeof(name), "%s.%s", key->section, key->name);
		if (services_lists(list, name))
			conf->stores[which] =
			    (struct conf_store_state){.withheld = true};
	}
}

int
conf_announce(const struct conf *conf, struct err *err)
{
	const struct conf_key *key;
	struct buf list = BUF_INIT;
	int which, r = 0;

	for (which = 0; which < CONF_N_STORES; which++) {
		key = conf_services_key((enum conf_store)which);
		if (conf->stores[which].own)
			buf_addf(&list, "%s%s.%s", list.len > 0 ? " " : "",
				 key->section, key->name);
	}
	if (list.failed)
		r = err_nomem(err);
	else if (list.len == 0)
		unsetenv(VARIABLE);
	else if (setenv(VARIABLE, list.data, 1) != 0)
		r = err_nomem(err);
	buf_done(&list);
	return r;
}

/* --- judging ------------------------------------------------------------- */

/*
 * Where no URL is named, the services of this machine use the embedded store in
 * their directory. It exists as soon as they are installed; a user with a
 * configuration of their own has chosen.
 */
static int
services_check_embedded(const struct conf *conf, enum conf_store which,
			struct err *err)
{
	char owner[PATH_USER_SIZE];
	struct stat st;

	if (!conf->standard || conf->stores[which].named ||
	    services_value(conf, which)[0] != '\0' || !path_is_personal() ||
	    stat(PATH_SERVICES, &st) != 0)
		return 0;
	/* Without a URL of its own, a backend is where the queues are. */
	if (which == CONF_STORE_BACKEND)
		return 0;
	path_user_name(st.st_uid, owner);
	return err_set(
	    err, ERR_REFUSED,
	    "the services of this machine keep their tasks in " PATH_SERVICES
	    "/flowrra.db, which only its owner, user %u (%s), may open; run "
	    "this as that user, have the services use a Redis server, or name "
	    "a store of your own in %s or ~/.config/flowrra.conf",
	    (unsigned int)st.st_uid, owner, services_variable(which));
}

int
conf_check_store(const struct conf *conf, enum conf_store which,
		 struct err *err)
{
	const struct conf_store_state *state = &conf->stores[which];
	const struct conf_key *key = conf_services_key(which);

	if (state->withheld)
		return err_set(
		    err, ERR_REFUSED,
		    "[%s] %s: the worker that runs this command has a URL of "
		    "its own and does not hand it to commands; give this one "
		    "the variable %s, or a configuration file with -c",
		    key->section, key->name, services_variable(which));
	if (state->unreadable)
		return err_set(
		    err, ERR_REFUSED,
		    "[%s] %s: the services of this machine read it from "
		    "%s/%s.%s, which this user may not read; join the group "
		    "flowrra (usermod -aG flowrra USER, then log in again), or "
		    "name another store in %s",
		    key->section, key->name, CONF_SHARED, key->section,
		    key->name, services_variable(which));
	if (state->credential != NULL)
		return err_set(
		    err, ERR_CONFIG,
		    "[%s] %s: the services of this machine get it as a "
		    "credential, %s/flowrra.%s.%s, which this process has not; "
		    "move it to %s/%s.%s (mode 640, group flowrra), or set %s",
		    key->section, key->name, state->credential, key->section,
		    key->name, CONF_SHARED, key->section, key->name,
		    services_variable(which));
	return services_check_embedded(conf, which, err);
}
