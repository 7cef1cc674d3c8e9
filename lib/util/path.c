/* SPDX-License-Identifier: MIT */
/*
 * Standard paths: the state directory and what lies in it.
 *
 * Daemons and flowrractl must come to the same database without a
 * configuration, so all of them ask here.
 */
#include "util/path.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/err.h"

/* What systemd set, unless the variable is of no use; it may name several. */
static const char *
path_of_service(void)
{
	const char *env = getenv("STATE_DIRECTORY");

	return env != NULL && env[0] == '/' ? env : NULL;
}

/* Root's tasks are for the services. So are those of the services' user, who
 * has this directory as home and would else get another store within it. */
static bool
path_belongs_to_services(void)
{
	struct stat st;

	return geteuid() == 0 ||
	       (stat(PATH_SERVICES, &st) == 0 && st.st_uid == geteuid());
}

bool
path_is_personal(void)
{
	return path_of_service() == NULL && !path_belongs_to_services();
}

/*
 * The service manager's word first, then the place for root and the services, then what the XDG
 * Base Directory specification says, which wants relative values ignored. /tmp
 * is the last resort of an account without a home; path_make_dir() keeps it
 * private.
 */
char *
path_state_dir(void)
{
	const char *env = path_of_service();
	const char *home = getenv("HOME");
	char *dir = NULL;

	if (env != NULL)
		return strndup(env, strcspn(env, ":"));
	if (path_belongs_to_services())
		return strdup(PATH_SERVICES);
	env = getenv("XDG_STATE_HOME");
	if (env != NULL && env[0] == '/')
		return asprintf(&dir, "%s/flowrra", env) < 0 ? NULL : dir;
	if (home == NULL || home[0] != '/')
		home = "/tmp";
	return asprintf(&dir, "%s/.local/state/flowrra", home) < 0 ? NULL : dir;
}

void
path_user_name(uid_t uid, char name[PATH_USER_SIZE])
{
	struct passwd entry, *found = NULL;
	char buffer[4096];

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) != 0)
		found = NULL;
	snprintf(name, PATH_USER_SIZE, "%s",
		 found != NULL ? found->pw_name : "unknown");
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

/* The nearest directory above a path that is there; free() it. NULL: none, or
 * no memory. */
static char *
path_above(const char *path, struct stat *ret)
{
	char *dir = strdup(path), *slash;

	while (dir != NULL && (slash = strrchr(dir, '/')) != NULL) {
		slash[slash == dir] = '\0'; /* the root stays */
		if (stat(dir, ret) == 0)
			return dir;
		if (slash == dir)
			break;
	}
	free(dir);
	return NULL;
}

static void
path_hint_rights(const char *path, const char *key, struct err *err)
{
	char owner[PATH_USER_SIZE], user[PATH_USER_SIZE];
	struct stat st;
	char *dir = path_above(path, &st);

	if (dir == NULL)
		return;
	path_user_name(st.st_uid, owner);
	path_user_name(geteuid(), user);
	if (st.st_uid != geteuid())
		err_hint(err,
			 "%s belongs to user %u (%s), but this process runs as "
			 "user %u (%s): run it as that user, or set %s",
			 dir, (unsigned int)st.st_uid, owner,
			 (unsigned int)geteuid(), user, key);
	else
		err_hint(err, "make %s writable (chmod u+rwx), or set %s", dir,
			 key);
	free(dir);
}

int
path_hint(const char *path, const char *key, struct err *err)
{
	if (err == NULL)
		return -1;
	if (err->sys == EACCES || err->sys == EPERM)
		path_hint_rights(path, key, err);
	else if (err->sys == EROFS)
		err_hint(err,
			 "mount it writable (for a service, ReadWritePaths= in "
			 "its unit does so), or set %s",
			 key);
	else if (err->sys == ENOSPC || err->sys == EDQUOT)
		err_hint(err, "make room, or set %s", key);
	return -1;
}
