/* SPDX-License-Identifier: MIT */
/*
 * The doctor: files of this machine that others may read or write.
 *
 * What flowrrad runs as code, or takes its passwords from, must be in the hands
 * of its own user. Owners are not checked: packages install for root, and the
 * doctor may run as another user than the worker.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/client.h"
#include "manager/doctor_private.h"
#include "util/conf.h"
#include "util/path.h"
#include "util/proc.h"

#define ABOUT "files"

/* Readable by a group is usual (root:flowrra, 0640), by all it is a leak. */
static void
examine_conf(struct doctor *d)
{
	const struct conf *conf = d->client->conf;
	struct stat st;

	/* Everybody may write to /dev/null, which is how to have no file. */
	if (conf->file.path == NULL || stat(conf->file.path, &st) != 0 ||
	    !S_ISREG(st.st_mode))
		return;
	if (conf->file.secrets && (st.st_mode & S_IROTH) != 0)
		doctor_find(d, DOCTOR_ERROR, ABOUT,
			    "Run chmod o-r on it, or move the password to a "
			    "systemd credential or the environment.",
			    "%s contains a password and every user may read it",
			    conf->file.path);
	if ((st.st_mode & S_IWOTH) != 0)
		doctor_find(d, DOCTOR_ERROR, ABOUT, "Run chmod o-w on it.",
			    "every user may write to %s", conf->file.path);
}

/* The state directory: it holds the spool of records, which a worker stores as
 * they are. Who writes there decides what tasks have returned. */
static void
examine_state_dir(struct doctor *d)
{
	const char *configured = d->client->conf->worker.state_dir;
	char *dir =
	    configured[0] != '\0' ? strdup(configured) : path_state_dir(NULL);
	struct stat st;

	if (dir != NULL && stat(dir, &st) == 0 &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		doctor_find(d, DOCTOR_ERROR, ABOUT, "Run chmod go-w on it.",
			    "the state directory %s is writable by %s", dir,
			    (st.st_mode & S_IWOTH) != 0 ? "every user"
							: "its group");
	free(dir);
}

/* Where flowrrad would look; what it loads is judged more strictly there. Of
 * relative paths only the worker knows what they are relative to. */
static char *
module_path(const char *name)
{
	char *relative, *path;

	if (strchr(name, '/') != NULL || strchr(name, '.') != NULL)
		return name[0] == '/' ? strdup(name) : NULL;
	if (asprintf(&relative, "../lib/flowrra/%s.so", name) < 0)
		return NULL;
	path = proc_beside(relative, NULL);
	free(relative);
	return path;
}

/* The worker judges again when it loads one, as it must; here an operator hears
 * of it before the next start. */
static void
examine_module(struct doctor *d, const char *name)
{
	char *path = module_path(name);
	struct stat st = {.st_mode = 0};

	/* Workers may run on other machines only: hence a warning. Other errors
	 * of stat() say nothing of the module. */
	if (path != NULL && stat(path, &st) != 0 && errno == ENOENT)
		doctor_find(d, DOCTOR_WARNING, ABOUT,
			    "Install it, or remove it from [worker] modules.",
			    "module %s is not on this machine (%s)", name,
			    path);
	else if (path != NULL && (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		doctor_find(
		    d, DOCTOR_ERROR, ABOUT, "Run chmod go-w on it.",
		    "module %s is writable by %s: workers refuse it", path,
		    (st.st_mode & S_IWOTH) != 0 ? "every user" : "its group");
	free(path);
}

void
doctor_files(struct doctor *d)
{
	char **modules = conf_list(d->client->conf->worker.modules);
	size_t i;

	examine_conf(d);
	examine_state_dir(d);
	for (i = 0; modules != NULL && modules[i] != NULL; i++)
		examine_module(d, modules[i]);
	conf_list_free(modules);
}
