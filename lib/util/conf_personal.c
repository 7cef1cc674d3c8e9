/* SPDX-License-Identifier: MIT */
/*
 * Personal mode: what `flowrractl run` needs to work at once.
 *
 * The place is fixed: who submits and who runs must come to the same store
 * without a word about it, from a login, cron, or a unit. The rest is a default,
 * and the user's configuration file may say otherwise.
 */
#include "util/conf_personal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/conf.h"
#include "util/conf_key.h"
#include "util/conf_services.h"
#include "util/conf_source.h"
#include "util/err.h"
#include "util/name.h"
#include "util/path.h"

bool
conf_personal_is_asked(const char *const *settings)
{
	for (; settings != NULL && *settings != NULL; settings++)
		if (strcmp(*settings, CONF_PERSONAL) == 0)
			return true;
	return false;
}

static int
personal_set(struct conf *conf, const char *section, const char *name,
	     const char *value, struct err *err)
{
	const struct conf_key *key = conf_key_find(section, name, err);

	if (key == NULL || conf_key_set(key, conf, value, err) != 0)
		return err_prefix(err, "%s.%s", section, name);
	conf_services_named(conf, key);
	conf_source_set(conf, key, CONF_FROM_PERSONAL, 0);
	return 0;
}

/* Not "main", which another worker of this user may be. */
static int
personal_set_id(struct conf *conf, struct err *err)
{
	char host[64], id[80];

	if (gethostname(host, sizeof(host)) != 0)
		host[0] = '\0';
	host[sizeof(host) - 1] = '\0';
	snprintf(id, sizeof(id), "%s:user", host[0] != '\0' ? host : "host");
	return personal_set(conf, "worker", "id", id, err);
}

int
conf_personal_set_defaults(struct conf *conf, struct err *err)
{
	/* One at a time, as nq, tsp and pueue run commands. */
	return personal_set(conf, "exec", "adhoc", "owner", err) != 0 ||
		       personal_set(conf, "exec", "output_max", "16m", err) !=
			   0 ||
		       personal_set(conf, "exec", "output_store", "0", err) !=
			   0 ||
		       personal_set(conf, "backend", "ttl", "7d", err) != 0 ||
		       personal_set(conf, "executor", "async_tasks", "1",
				    err) != 0 ||
		       personal_set(conf, "worker", "queues", NAME_ADHOC_QUEUE,
				    err) != 0 ||
		       personal_set_id(conf, err) != 0
		   ? -1
		   : 0;
}

int
conf_personal_set_place(struct conf *conf, struct err *err)
{
	char *dir = path_personal_dir(err), *url = NULL;
	int r = -1;

	if (dir == NULL)
		return -1;
	if (asprintf(&url, "sqlite://%s/flowrra.db", dir) < 0) {
		url = NULL;
		err_nomem(err);
	} else if (personal_set(conf, "broker", "url", url, err) == 0 &&
		   personal_set(conf, "backend", "url", "", err) == 0 &&
		   personal_set(conf, "scheduler", "database_url", url, err) ==
		       0 &&
		   personal_set(conf, "worker", "state_dir", dir, err) == 0) {
		r = 0;
	}
	free(url);
	free(dir);
	return r;
}
