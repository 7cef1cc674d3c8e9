/* SPDX-License-Identifier: MIT */
/*
 * Root's flowrractl, and files of others.
 *
 * The embedded database of a service is the service's: what is in it, and
 * beside it, is of its user's choice. So root reads the configuration, which may
 * be root's alone, and then goes on as the owner of the database. Only standard
 * input, output and error stay as they are.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sqlite/owner.h"
#include "util/become.h"
#include "util/buf.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/path.h"
#include "verb.h"

/* The first that another user owns; 0: none. Of files of several users, the
 * store refuses the others. The schedules count only where they are needed: the
 * tasks may be on a server that root alone can reach. */
static uid_t
owner_of_stores(const struct conf *conf, bool schedules)
{
	uid_t uid = owner_of_url(conf->broker.url);

	/* Without a URL of its own, a backend is where the queues are. */
	if (uid == 0 && conf->backend.url[0] != '\0')
		uid = owner_of_url(conf->backend.url);
	if (uid == 0 && schedules)
		uid = owner_of_url(conf->scheduler.database_url);
	return uid;
}

/* The place that stands for no URL depends on the user. */
static int
owner_fix_url(char **url, struct err *err)
{
	char *path, *fixed = NULL;

	if ((*url)[0] != '\0')
		return 0;
	if ((path = path_database(err)) == NULL)
		return -1;
	if (asprintf(&fixed, "sqlite://%s", path) < 0)
		fixed = NULL;
	free(path);
	if (fixed == NULL)
		return err_nomem(err);
	free(*url);
	*url = fixed;
	return 0;
}

static int
owner_take(struct conf *conf, bool schedules, struct err *err)
{
	const uid_t uid = geteuid() == 0 ? owner_of_stores(conf, schedules) : 0;

	if (uid == 0)
		return 0;
	if (owner_fix_url(&conf->broker.url, err) != 0 ||
	    owner_fix_url(&conf->scheduler.database_url, err) != 0)
		return -1;
	if (become_user(uid, err) == 0)
		return 0;
	/* The root of a user namespace: to the system it is another user. */
	if (err->sys == EPERM)
		err->code = ERR_REFUSED;
	return -1;
}

void
ctl_take_user(struct ctl *ctl)
{
	struct value_list *settings = &ctl->globals.settings;

	if (!ctl->globals.user || settings->n == VALUE_LIST_MAX)
		return;
	/* Once: its place among them says nothing. */
	settings->items[settings->n++] = CONF_PERSONAL;
	settings->items[settings->n] = NULL;
	ctl->globals.user = false;
}

struct conf *
ctl_conf(struct ctl *ctl, bool schedules, struct err *err)
{
	const struct globals *g = &ctl->globals;
	const uid_t uid = geteuid();

	if (ctl->conf == NULL &&
	    conf_load(g->config_file, g->settings.items, &ctl->conf, err) != 0)
		return NULL;
	if (owner_take(ctl->conf, schedules, err) != 0)
		return NULL;
	ctl->is_other_user = ctl->is_other_user || geteuid() != uid;
	return ctl->conf;
}
