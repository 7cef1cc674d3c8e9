/* SPDX-License-Identifier: MIT */
/*
 * The database file on the disk, before SQLite opens it: see place.c.
 */
#ifndef SQLITE_PLACE_H
#define SQLITE_PLACE_H

#include <stdbool.h>

struct err;
struct tx;

/*
 * Looks at tx->path. 0: the file is there, and may be used. 1 with *err: it is
 * not there, and `create` is not set (ERR_NOT_FOUND with ENOENT, by which those
 * who look for something in it can tell that all of it is missing). -1 with *err: it cannot be used or made;
 * *ret_final, which the caller has set to false, says whether only a person can
 * put that right.
 */
int place_find_or_make(const struct tx *tx, bool create, bool *ret_final,
		       struct err *err);

/*
 * Whether this user may open the database that a URL names (database.h): 0, also if
 * it is not there, or the URL names another store; or -1 with *err (ERR_REFUSED, if
 * it is another user's). Root may: it goes on as the owner (owner.h).
 */
int place_check_url(const char *url, struct err *err);

/*
 * Whether a file database that a URL names is there, or could be made: -1 with *err
 * (ERR_CONFIG) if its directory is missing, or may not be written to. 0 for the default
 * place, and for URLs of other stores.
 */
int place_check_makeable(const char *url, struct err *err);

#endif
