/* SPDX-License-Identifier: MIT */
/*
 * The stores of clients: a default store that no daemon on this machine uses is a mistake,
 * if daemons use another.
 *
 * Only the default is checked. A user who names a store has chosen it, and
 * `flowrractl where` shows the difference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_key.h"
#include "util/conf_services.h"
#include "util/conf_source.h"
#include "util/err.h"
#include "util/path.h"
#include "util/running.h"

/* The daemon that takes tasks, and the one that fires schedules. */
static const struct {
	const char *program, *what;
} client_counts[CONF_N_STORES] = {
    [CONF_STORE_BROKER] = {"flowrrad", "tasks"},
    [CONF_STORE_SCHEDULES] = {"flowrra-beat", "schedules"}};

static const char *
client_place(const struct running *r, enum conf_store which)
{
	return which == CONF_STORE_BROKER ? r->tasks : r->schedules;
}

/* The embedded database, as daemons name it. */
static char *
client_default_name(struct err *err)
{
	char *path = path_database(err), *real = NULL, *name = NULL;

	if (path == NULL)
		return NULL;
	if ((real = path_canonical(path)) == NULL ||
	    asprintf(&name, "sqlite://%s", real) < 0) {
		name = NULL;
		err_nomem(err);
	}
	free(real);
	free(path);
	return name;
}

/* A daemon of the services with another store; NULL if any daemon uses this one. */
static const struct running *
client_find_other(const struct running_list *list, enum conf_store which,
		  const char *ours)
{
	const struct running *r, *other = NULL;

	for (r = list->items; r < list->items + list->n; r++) {
		if (strcmp(r->program, client_counts[which].program) != 0)
			continue;
		if (strcmp(client_place(r, which), ours) == 0)
			return NULL;
		if (strcmp(r->mode, RUNNING_SERVICES) == 0)
			other = r;
	}
	return other;
}

static int
client_refuse(const struct running *other, enum conf_store which,
	      const char *ours, struct err *err)
{
	const struct conf_key *key = conf_services_key(which);
	char variable[CONF_VARIABLE_SIZE], pid[32];

	conf_variable_name(key, variable);
	snprintf(pid, sizeof(pid), "process %ld", (long)other->pid);
	return err_set(err, ERR_CONFIG,
		       "%s (%s) keeps its %s in %.160s, which no configuration "
		       "here names, and no %s that runs uses the default, "
		       "%.120s; set %s to what you want",
		       other->program,
		       other->unit[0] != '\0' ? other->unit : pid,
		       client_counts[which].what, client_place(other, which),
		       other->program, ours, variable);
}

/* Without a URL of its own, a backend is where the queues are. */
static bool
client_has_default(const struct conf *conf, enum conf_store which)
{
	return client_counts[which].program != NULL &&
	       conf_source_of(conf, conf_services_key(which)).origin ==
		   CONF_FROM_DEFAULT;
}

int
conf_check_client(const struct conf *conf, enum conf_store which,
		  struct err *err)
{
	struct running_list list;
	const struct running *other;
	char *ours;
	int r = 0;

	if (conf_check_store(conf, which, err) != 0)
		return -1;
	if (!client_has_default(conf, which))
		return 0;
	running_find(&list);
	if (list.n > 0 && (ours = client_default_name(err)) == NULL) {
		r = -1;
	} else if (list.n > 0) {
		other = client_find_other(&list, which, ours);
		if (other != NULL)
			r = client_refuse(other, which, ours, err);
		free(ours);
	}
	running_list_done(&list);
	return r;
}
