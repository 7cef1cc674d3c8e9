/* SPDX-License-Identifier: MIT */
/*
 * What SQLite says when it fails, for the person who has to mend it: what was
 * tried, on which file, why it failed and what helps. SQLite's own words are
 * kept for what is not listed here.
 */
#include "sqlite/fault.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "loaded/sqlite3.h"
#include "sqlite/holder.h"
#include "util/err.h"

#define FULL "the disk is full; make room, and work goes on by itself"

/* By primary result code. ERR_UNAVAILABLE may pass, so it is tried again; after
 * ERR_DATA there is no use in it. */
static const struct {
	int status;
	enum err_code code;
	const char *text;
} faults[] = {
    {SQLITE_FULL, ERR_UNAVAILABLE, FULL},
    {SQLITE_READONLY, ERR_UNAVAILABLE,
     "the file or its file system is read-only; make it writable"},
    {SQLITE_NOTADB, ERR_DATA, "not an SQLite database; name another file"},
    {SQLITE_CORRUPT, ERR_DATA,
     "the database is damaged; use sqlite3's .recover, or restore a backup"},
    {SQLITE_NOLFS, ERR_UNAVAILABLE, "the file is too large for this system"},
    {SQLITE_NOMEM, ERR_SYSTEM, "out of memory"},
};

/* Some file systems say so by a failed call, when a file is made or grows. */
bool
fault_is_full(sqlite3 *db)
{
	const int status = sqlite3_errcode(db) & 0xff;
	const int sys = sqlite3_system_errno(db);

	return status == SQLITE_FULL ||
	       ((status == SQLITE_IOERR || status == SQLITE_CANTOPEN) &&
		(sys == ENOSPC || sys == EDQUOT));
}

/* SQLITE_IOERR and SQLITE_CANTOPEN stand for any failed system call: its errno
 * says more. A full disk shows as either of them on some file systems. */
static int
system_error(struct err *err, sqlite3 *db, const char *name, const char *what)
{
	int sys = sqlite3_system_errno(db);

	if (fault_is_full(db))
		return err_set(err, ERR_UNAVAILABLE, "%s: %s: %s", name, what,
			       FULL);
	errno = sys;
	if (sys != 0)
		return err_sys(err, ERR_UNAVAILABLE, "%s: %s: %s", name, what,
			       sqlite3_errmsg(db));
	return err_set(err, ERR_UNAVAILABLE, "%s: %s: %s", name, what,
		       sqlite3_errmsg(db));
}

/* The holder may have gone meanwhile: then the message is just less precise. */
static int
fault_locked(struct err *err, sqlite3 *db, const char *name, const char *what)
{
	char holder[HOLDER_TEXT_MAX];

	holder_describe(db, holder, sizeof(holder));
	return err_set(err, ERR_UNAVAILABLE,
		       "%s: %s: %s has held its lock for too long; have it end "
		       "its transaction, or end it",
		       name, what, holder);
}

int
fault_set(struct err *err, sqlite3 *db, const char *name, const char *what)
{
	/* sqlite3_open_v2() leaves no handle only if memory ran out. */
	int status = db != NULL ? sqlite3_errcode(db) & 0xff : SQLITE_NOMEM;
	size_t i;

	if (status == SQLITE_IOERR || status == SQLITE_CANTOPEN)
		return system_error(err, db, name, what);
	if (status == SQLITE_BUSY || status == SQLITE_LOCKED)
		return fault_locked(err, db, name, what);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (faults[i].status == status)
			return err_set(err, faults[i].code, "%s: %s: %s", name,
				       what, faults[i].text);
	return err_set(err, ERR_INTERNAL, "%s: %s: %s", name, what,
		       sqlite3_errmsg(db));
}

bool
fault_is_general(int status)
{
	/* The listed ones are a statement's own; all else, also what is not
	 * known here, stops the batch: a job is not failed by mistake. */
	switch (status & 0xff) {
	case SQLITE_TOOBIG:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_RANGE:
	case SQLITE_MISUSE:
	case SQLITE_ERROR:
		return false;
	default:
		return true;
	}
}
