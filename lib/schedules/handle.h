/* SPDX-License-Identifier: MIT */
/* The handle of schedules.h. Private to lib/schedules and its tests. */
#ifndef SCHEDULES_HANDLE_H
#define SCHEDULES_HANDLE_H

#include <stddef.h>
#include <stdint.h>

#include "schedules/sql.h"

struct db;
struct db_value;
struct err;

struct schedules {
	struct db *db;
	/* In place of a server's clock, for tests; NULL. */
	int64_t (*db_clock)(void);
};

/* That no row changed has two reasons: there is none (ERR_NOT_FOUND), or it
 * already was as it should be. */
int check_there(struct db *db, const char *id, struct err *err);
/* In a transaction: Q_DELETE or Q_DELETE_OWNED, and what is noted of the
 * schedule; the first value is its id. */
int delete_row(struct db *db, enum query query, const struct db_value *values,
	       size_t n, int64_t *changed, struct err *err);

#endif
