/* SPDX-License-Identifier: MIT */
/*
 * Whose a database is, for programs that root runs.
 *
 * Root opens no database that another user owns, or could exchange: by links and
 * by names of files that SQLite makes, its owner would choose what root reads,
 * makes and removes; and what root makes, the owner could not open. A program
 * that root runs becomes the owner before it opens the file (util/become.h), or
 * is refused (place.c).
 */
#ifndef SQLITE_OWNER_H
#define SQLITE_OWNER_H

#include <sys/types.h>

struct err;

/*
 * The user who owns the database that a URL names, NULL and "" as in
 * database.h, or its directory if it is not there yet. 0 if that is root, if
 * neither is there, or if the URL names another store.
 */
uid_t owner_of_url(const char *url);
/* The same of a path. */
uid_t owner_of_path(const char *path);
/*
 * As root: whether it may open, or make, the database itself. The directory must
 * be there. -1 with *err (ERR_REFUSED), which has the command that helps.
 */
int owner_check_root(const char *path, struct err *err);

#endif
