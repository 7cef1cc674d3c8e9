/* SPDX-License-Identifier: MIT */
/*
 * Standard paths: the state directory and what lies in it.
 *
 * Daemons and flowrractl must come to the same database without a
 * configuration, so all of them ask here.
 */
#include "util/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/err.h"

/*
 * The service manager's word first, then the place for root, then what the XDG
 * Base Directory specification says, which wants relative values ignored. /tmp
 * is the last resort of an account without a home; path_make_dir() keeps it
 * private.
 */
char *
path_state_dir(void)
{
	const char *env = getenv("STATE_DIRECTORY");
	const char *home = getenv("HOME");
	char *dir = NULL;

	if (env != NULL && env[0] == '/') /* systemd may name several */
		return strndup(env, strcspn(env, ":"));
	if (geteuid() == 0)
		return strdup("/var/lib/flowrra");
	env = getenv("XDG_STATE_HOME");
	if (env != NULL && env[0] == '/')
		return asprintf(&dir, "%s/flowrra", env) < 0 ? NULL : dir;
	if (home == NULL || home[0] != '/')
		home = "/tmp";
	return asprintf(&dir, "%s/.local/state/flowrra", home) < 0 ? NULL : dir;
}

char *
path_database(void)
{
	char *dir = path_state_dir(), *path = NULL;

	if (dir != NULL && asprintf(&path, "%s/flowrra.db", dir) < 0)
		path = NULL;
	free(dir);
	return path;
}

/* What lies above the state directory is shared with other programs, so it gets
 * the usual mode and not 0700. */
static int
make_above(char *path, struct err *err)
{
	char *slash;

	for (slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) != 0 && errno != EEXIST)
			return err_sys(err, ERR_SYSTEM,
				       "cannot create the directory %s", path);
		*slash = '/';
	}
	return 0;
}

/* 0700: the database holds the arguments of tasks, which may be secret. The
 * first mkdir() is the usual case and needs no copy of the path. */
int
path_make_dir(const char *path, struct err *err)
{
	char *copy;
	int made;

	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	if ((copy = strdup(path)) == NULL)
		return err_nomem(err);
	made = make_above(copy, err);
	free(copy);
	if (made == 0 && mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_sys(err, ERR_SYSTEM,
			       "cannot create the directory %s", path);
	return made;
}
