/* SPDX-License-Identifier: MIT */
/* What a daemon announces about itself while it runs. */
#include "util/daemon_running.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/conf.h"
#include "util/conf_key.h"
#include "util/conf_source.h"
#include "util/daemon.h"
#include "util/err.h"
#include "util/log.h"
#include "util/path.h"
#include "util/running.h"

/* The unit of a service, or "": the session of a shell does not count. free() it. */
static char *
running_unit(void)
{
	char *unit = NULL;
	size_t len;

	if (sd_pid_get_user_unit(0, &unit) < 0 && sd_pid_get_unit(0, &unit) < 0)
		unit = NULL;
	len = unit != NULL ? strlen(unit) : 0;
	if (len < 8 || strcmp(unit + len - 8, ".service") != 0) {
		free(unit);
		return strdup("");
	}
	return unit;
}

static char *
running_copy(const char *text)
{
	return strdup(text != NULL ? text : "");
}

/* Absolute, so that others can open it. */
static char *
running_path(const char *path)
{
	char *real = path != NULL ? realpath(path, NULL) : NULL;

	return real != NULL ? real : running_copy(path);
}

/* --user sets the place of a user's own store. A daemon that was started with a
 * configuration of its own is not one that commands are expected to follow. */
static const char *
running_mode(const struct conf *conf)
{
	const struct conf_key *key = conf_key_find("broker", "url", NULL);
	const enum conf_origin origin = conf_source_of(conf, key).origin;

	if (origin == CONF_FROM_PERSONAL)
		return RUNNING_PERSONAL;
	return conf->standard && origin != CONF_FROM_OPTION ? RUNNING_SERVICES
							    : RUNNING_OWN;
}

static int
running_fill(const struct daemon_program *program, const struct conf *conf,
	     struct running *me, struct err *err)
{
	char *names[CONF_N_STORES] = {NULL};
	char user[PATH_USER_SIZE], since[CLOCK_TEXT_SIZE];

	if (program->stores(conf, names, err) != 0)
		return -1;
	path_user_name(geteuid(), user);
	clock_format(clock_wall_us(), since);
	*me = (struct running){
	    .program = strdup(program->name),
	    .user = strdup(user),
	    .unit = running_unit(),
	    .since = strdup(since),
	    .mode = strdup(running_mode(conf)),
	    .tasks = running_copy(names[CONF_STORE_BROKER]),
	    .results = running_copy(names[CONF_STORE_BACKEND]),
	    .schedules = running_copy(names[CONF_STORE_SCHEDULES]),
	    .configuration = running_path(conf->file.path)};
	free(names[CONF_STORE_BROKER]);
	free(names[CONF_STORE_BACKEND]);
	free(names[CONF_STORE_SCHEDULES]);
#define X(name) &&me->name != NULL
	return true RUNNING_FIELDS(X) ? 0 : err_nomem(err);
#undef X
}

struct running_file *
daemon_tell_running(const struct daemon_program *program,
		    const struct conf *conf)
{
	struct running_file *file = NULL;
	struct running me = {.pid = 0};
	struct err err = ERR_INIT;

	if (program->stores == NULL)
		return NULL;
	if (running_fill(program, conf, &me, &err) == 0)
		file = running_tell(&me, &err);
	running_done(&me);
	if (err.code != ERR_NONE)
		log_warning("commands on this machine are not told which "
			    "stores this process uses: %s",
			    err.msg);
	return file;
}
