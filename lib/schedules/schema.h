/* SPDX-License-Identifier: MIT */
/*
 * The schema of schedules as ordered migrations. Which of them were carried out
 * stands in the table flowrra_version, a row for each.
 */
#ifndef SCHEDULES_SCHEMA_H
#define SCHEDULES_SCHEMA_H

#include <stdio.h>

struct db;
struct dialect;
struct err;

/*
 * Carries out what is missing of the dialect's migrations; looks only, and
 * takes no lock, if nothing is. Only one process at a time does so. ERR_CONFIG:
 * the schema is newer than the dialect. Within db_enter(), or a test.
 */
int schema_update(struct db *db, const struct dialect *sql, struct err *err);
/* Writes the statements that it would carry out in an empty database. */
void schema_print(const struct dialect *sql, FILE *out);

#endif
