/* SPDX-License-Identifier: MIT */
/*
 * Standard paths: the state directory and what lies in it.
 *
 * Daemons and flowrractl must come to the same database without a
 * configuration, so all of them ask here.
 */
#include "util/path.h"

#include <errno.h>
#include <fcntl.h>
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

/* A process without $HOME, as cron and containers start some, has the home of its
 * account all the same. */
char *
path_home(void)
{
	struct passwd entry, *found = NULL;
	const char *home = getenv("HOME");
	char buffer[4096];

	if (home != NULL && home[0] == '/')
		return strdup(home);
	if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) !=
		0 ||
	    found == NULL || found->pw_dir[0] != '/')
		return NULL;
	return strdup(found->pw_dir);
}

/* What the XDG Base Directory specification says, which wants relative values
 * ignored. *ret_base is the length of what the user has chosen of it. */
static char *
path_of_user(size_t *ret_base, struct err *err)
{
	const char *env = getenv("XDG_STATE_HOME");
	const bool chosen = env != NULL && env[0] == '/';
	char *base = chosen ? strdup(env) : path_home(), *dir = NULL;

	if (base == NULL && !chosen) {
		err_set(
		    err, ERR_CONFIG,
		    "user %u has no home, neither in HOME nor in the "
		    "password database; set HOME or XDG_STATE_HOME to an "
		    "absolute path, or name the store in FLOWRRA_BROKER_URL "
		    "and the directory in FLOWRRA_WORKER_STATE_DIR",
		    (unsigned int)geteuid());
		return NULL;
	}
	if (base == NULL || asprintf(&dir, "%s%s/flowrra", base,
				     chosen ? "" : "/.local/state") < 0) {
		dir = NULL;
		err_nomem(err);
	} else {
		*ret_base = strlen(base);
	}
	free(base);
	return dir;
}

/* Who may rename what lies in a directory, or put another in its place; NULL:
 * only we and root. In the last one nobody else may make anything, either; in
 * those above, such as /tmp, the sticky bit is enough. */
static const char *
path_who_else(const char *dir, bool last)
{
	struct stat link, st;

	if (lstat(dir, &link) != 0 || stat(dir, &st) != 0)
		return NULL; /* it is made, or that fails */
	if (S_ISLNK(link.st_mode) && link.st_uid != geteuid() &&
	    link.st_uid != 0)
		return "is a link of another user";
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return "belongs to another user";
	if ((st.st_mode & S_IWOTH) != 0 &&
	    (last || (st.st_mode & S_ISVTX) == 0))
		return "is writable by every user";
	return NULL;
}

/* From the state directory up to the user's own: others would read the arguments
 * of tasks there, and choose their results. */
static int
path_check_own(const char *path, size_t base, struct err *err)
{
	char *dir = strdup(path);
	const char *why = NULL;
	size_t len = strlen(path);

	if (dir == NULL)
		return err_nomem(err);
	while ((why = path_who_else(dir, len == strlen(path))) == NULL &&
	       len > base && len > 1) {
		while (len > base && dir[len - 1] != '/')
			len--;
		while (len > base && len > 1 && dir[len - 1] == '/')
			len--;
		dir[len] = '\0';
	}
	if (why != NULL)
		err_set(err, ERR_REFUSED,
			"%s %s, who could change what is kept there; set "
			"XDG_STATE_HOME to a directory of your own",
			dir, why);
	free(dir);
	return why != NULL ? -1 : 0;
}

char *
path_personal_dir(struct err *err)
{
	size_t base;
	char *dir = path_of_user(&base, err);

	if (dir != NULL && path_check_own(dir, base, err) != 0) {
		free(dir);
		dir = NULL;
	}
	return dir;
}

/* The service manager's word first, then the place for root and the services, then
 * the user's own. Only that is checked: the others are the administrator's. */
char *
path_state_dir(struct err *err)
{
	const char *env = path_of_service();
	char *dir;

	if (path_is_personal())
		return path_personal_dir(err);
	dir = env != NULL ? strndup(env, strcspn(env, ":"))
			  : strdup(PATH_SERVICES);
	if (dir == NULL)
		err_nomem(err);
	return dir;
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
path_database(struct err *err)
{
	char *dir = path_state_dir(err), *path = NULL;

	if (dir != NULL && asprintf(&path, "%s/flowrra.db", dir) < 0) {
		path = NULL;
		err_nomem(err);
	}
	free(dir);
	return path;
}

char *
path_canonical(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *above, *real, *full = NULL;

	if (slash == NULL || slash == path)
		return strdup(path);
	if ((above = strndup(path, (size_t)(slash - path))) == NULL)
		return NULL;
	real = realpath(above, NULL);
	if (asprintf(&full, "%s%s", real != NULL ? real : above, slash) < 0)
		full = NULL;
	free(above);
	free(real);
	return full;
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

/* Another user may have been faster than path_state_dir() could see. What the
 * configuration names is its author's choice. */
static int
path_check_made(const char *path, struct err *err)
{
	size_t base;
	char *dir = path_is_personal() ? path_of_user(&base, NULL) : NULL;
	const int r = dir != NULL && strcmp(dir, path) == 0
			  ? path_check_own(path, base, err)
			  : 0;

	free(dir);
	return r;
}

/* 0700: the database holds the arguments of tasks, which may be secret. The
 * first mkdir() is the usual case and needs no copy of the path. */
int
path_make_dir(const char *path, struct err *err)
{
	char *copy;
	int made;

	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return path_check_made(path, err);
	if ((copy = strdup(path)) == NULL)
		return err_nomem(err);
	made = make_above(copy, err);
	free(copy);
	if (made == 0 && mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_sys(err, ERR_SYSTEM,
			       "cannot create the directory %s", path);
	return made == 0 ? path_check_made(path, err) : -1;
}

/* The nearest that is there above a path; free() it. NULL: no memory, or errno
 * says why the root or the working directory is not there. */
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
	if (dir != NULL && slash == NULL && stat(".", ret) == 0) {
		free(dir);
		return strdup(".");
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

static void
path_hint_kind(const char *path, const char *key, struct err *err)
{
	struct stat st;
	char *above = path_above(path, &st);

	if (above != NULL && !S_ISDIR(st.st_mode))
		err_hint(err, "%s is not a directory: set %s", above, key);
	free(above);
}

int
path_hint(const char *path, const char *key, struct err *err)
{
	if (err == NULL)
		return -1;
	if (err->sys == EACCES || err->sys == EPERM)
		path_hint_rights(path, key, err);
	else if (err->sys == ENOTDIR)
		path_hint_kind(path, key, err);
	else if (err->sys == EROFS)
		err_hint(err,
			 "mount it writable (for a service, ReadWritePaths= in "
			 "its unit does so), or set %s",
			 key);
	else if (err->sys == ENOSPC || err->sys == EDQUOT)
		err_hint(err, "make room, or set %s", key);
	return -1;
}

int
path_check_file(const char *path, const char *key, struct err *err)
{
	struct stat st;
	char *dir;
	int r = 0;

	if (stat(path, &st) == 0) {
		if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0)
			return 0;
		err_sys(err, ERR_CONFIG, "cannot open %s", path);
		return path_hint(path, key, err);
	}
	if ((dir = path_above(path, &st)) == NULL)
		return err_sys(err, ERR_SYSTEM, "cannot make %s", path);
	errno = ENOTDIR;
	if (!S_ISDIR(st.st_mode) ||
	    faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) != 0) {
		err_sys(err, ERR_CONFIG, "cannot make %s", path);
		r = path_hint(path, key, err);
	}
	free(dir);
	return r;
}
