/* SPDX-License-Identifier: MIT */
/* Whose a database is, for programs that root runs. */
#include "sqlite/owner.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/err.h"
#include "util/path.h"
#include "util/trust.h"

static const char OWNER_SCHEME[] = "sqlite://";

/* NULL: it has no slash, or there is no memory. */
static char *
owner_directory(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return NULL;
	/* That of a file in the root directory is the slash itself. */
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

uid_t
owner_of_path(const char *path)
{
	char *directory;
	uid_t uid = 0;
	struct stat st;

	if (stat(path, &st) == 0)
		return st.st_uid;
	directory = owner_directory(path);
	if (directory != NULL && stat(directory, &st) == 0)
		uid = st.st_uid;
	free(directory);
	return uid;
}

uid_t
owner_of_url(const char *url)
{
	const size_t len = strlen(OWNER_SCHEME);
	uid_t uid = 0;
	char *path;

	if (url != NULL && url[0] != '\0')
		return strncmp(url, OWNER_SCHEME, len) == 0 && url[len] == '/'
			   ? owner_of_path(url + len)
			   : 0;
	if ((path = path_database(NULL)) != NULL)
		uid = owner_of_path(path);
	free(path);
	return uid;
}

/* The directory, and every one above it: by any of them, others could put their
 * files in the place of root's. */
static int
owner_check_way(const char *path, struct err *err)
{
	struct trust way;
	char *directory;
	struct stat st;
	int r;

	/* The file's own way may lead over links, to other directories. */
	if (stat(path, &st) == 0) {
		r = trust_walk(path, false, &way, err);
	} else {
		if ((directory = owner_directory(path)) == NULL)
			return err_nomem(err);
		r = trust_walk(directory, false, &way, err);
		free(directory);
	}
	trust_done(&way);
	return r == 0 ? 0 : err_prefix(err, "cannot use %s as root", path);
}

int
owner_check_root(const char *path, struct err *err)
{
	const uid_t uid = owner_of_path(path);
	char name[PATH_USER_SIZE];

	if (uid == 0)
		return owner_check_way(path, err);
	path_user_name(uid, name);
	return err_set(err, ERR_REFUSED,
		       "%s belongs to user %u (%s), and this process runs as "
		       "root, who must not open it; run it as that user "
		       "(runuser -u %s -- COMMAND), or name another store",
		       path, (unsigned int)uid, name, name);
}
