/* SPDX-License-Identifier: MIT */
/* Schedules as rows, and back. Private to lib/schedules. */
#ifndef SCHEDULES_ROW_H
#define SCHEDULES_ROW_H

#include "schedules/db.h"
#include "schedules/schedules.h"

struct err;

#define ROW_IDENTITY_SIZE 65

/* Checks what somebody wants to store. ERR_DATA names the field. */
int row_check(const struct schedule *schedule, struct err *err);
/* What identical schedules have in common: the digest of their task, type,
 * rule, zone, and of args and kwargs without regard to how they are written. */
int row_identity(const struct schedule *schedule, char text[ROW_IDENTITY_SIZE],
		 struct err *err);
/* As much of a text for people as `max` bytes hold, cut between two characters:
 * half of one is not UTF-8, and PostgreSQL would refuse the whole statement. */
struct slice row_cut(const char *text, size_t max);
/* The values of SQL_COLUMNS; they borrow from the schedule. */
void row_write(const struct schedule *schedule,
	       struct db_value values[SQL_N_COLUMNS]);

/*
 * The schedule of a row; it borrows from `rows`. A value that is not valid is
 * replaced by a harmless one, and `fault` tells of it. Returns false then.
 */
bool row_read(const struct db_rows *rows, size_t row, struct schedule *ret);

/* All rows as a list, in one piece. */
int row_read_list(struct db_rows *rows, struct schedules_list **ret,
		  struct err *err);

#endif
