/* SPDX-License-Identifier: MIT */
/*
 * Whether this worker runs commands that nobody has declared.
 *
 * Who can put a task into the store could have this worker run anything. So it
 * must be a store that none but this user, and root, can write to: then who can
 * do that could run the command anyway.
 */
#include "adhoc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"
#include "util/path.h"
#include "util/trust.h"

static const char adhoc_scheme[] = "sqlite://";

/* NULL: the tasks are not in an embedded database, or *err. */
static char *
adhoc_path(const struct conf *conf, struct err *err)
{
	const size_t len = strlen(adhoc_scheme);
	const char *url = conf->broker.url;
	char *path;

	if (*url == '\0')
		return path_database(err);
	if (strncmp(url, adhoc_scheme, len) != 0 || url[len] != '/') {
		err_set(err, ERR_REFUSED,
			"[broker] url does not name an embedded database");
		return NULL;
	}
	/* As lib/sqlite reads it: one slash begins the path. */
	for (url += len; url[1] == '/';)
		url++;
	if ((path = strdup(url)) == NULL)
		err_nomem(err);
	return path;
}

/* A file that is not there yet is made by this worker, in a directory that is
 * judged now, and the file before each command. */
static int
adhoc_check(const char *path, struct err *err)
{
	char *directory;
	int r = 0;

	if (access(path, F_OK) == 0)
		return trust_check_database(path, err);
	directory = strndup(path, (size_t)(strrchr(path, '/') - path) + 1);
	if (directory == NULL)
		return err_nomem(err);
	if (access(directory, F_OK) == 0)
		r = trust_check_directory(directory, err);
	free(directory);
	return r;
}

char *
adhoc_store(const struct conf *conf)
{
	struct err err = ERR_INIT;
	char *path;

	if (conf->exec.adhoc == CONF_ADHOC_NO)
		return NULL;
	if ((path = adhoc_path(conf, &err)) != NULL &&
	    adhoc_check(path, &err) == 0)
		return path;
	log_warning("commands of flowrractl run are not run ([exec] adhoc): %s",
		    err.msg);
	free(path);
	return NULL;
}
