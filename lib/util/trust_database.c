/* SPDX-License-Identifier: MIT */
/*
 * Whether what lies in an SQLite database can be the word of this process' own
 * user alone, and root's: the file, those that SQLite keeps beside it, and the
 * way to them.
 *
 * Descriptors here are O_PATH: closing one drops no lock that this process has
 * on the database.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/err.h"
#include "util/trust.h"

/* What SQLite reads back as if it stood in the file. */
static const char *const trust_beside[] = {"-wal", "-shm", "-journal"};

/* One that is not there is made by us, in a directory that was judged. */
static int
trust_check_beside(const char *database, const char *suffix, struct err *err)
{
	struct trust t;
	char *path;
	int r;

	if (asprintf(&path, "%s%s", database, suffix) < 0)
		return err_nomem(err);
	r = trust_walk(path, false, &t, err);
	if (r != 0 && err->code == ERR_CONFIG && err->sys == ENOENT)
		r = 0;
	else if (r == 0)
		r = trust_check_file(&t, err);
	trust_done(&t);
	free(path);
	return r;
}

/* SQLite follows links to the file, and makes the others beside their end. */
int
trust_check_database(const char *path, struct err *err)
{
	const size_t n = sizeof(trust_beside) / sizeof(trust_beside[0]);
	struct err why = ERR_INIT;
	struct trust t;
	size_t i;
	int r;

	r = trust_walk(path, false, &t, &why);
	if (r == 0)
		r = trust_check_file(&t, &why);
	for (i = 0; r == 0 && i < n; i++)
		r = trust_check_beside(t.path, trust_beside[i], &why);
	trust_done(&t);
	if (r != 0 && err != NULL)
		*err = why;
	return r;
}
