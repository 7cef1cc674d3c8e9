/* SPDX-License-Identifier: MIT */
/* Crontabs for tests: those of a stock Debian, lines whose days are special, and
 * what is read of them. */
#ifndef TESTS_MANAGER_CRONTABS_H
#define TESTS_MANAGER_CRONTABS_H

#include "manager/planner.h"
#include "manager/schedule_import.h"

#define CRONTAB_N_STOCK 11
extern const struct crontab_file {
	const char *path, *text;
} crontab_stock[CRONTAB_N_STOCK];

/* Of a user's crontab, with the command x. */
#define CRONTAB_N_DAYS 13
extern const char *const crontab_days[CRONTAB_N_DAYS];

/* The next line that is a job, or NULL; *p goes on. */
const char *crontab_next_job(const char **p);

/* What crontab_read() has made of one, and said of its lines: "3: why\n". */
struct crontab {
	struct schedule_import import;
	struct schedule_file file;
	struct buf tasks;
	char refused[2048], noted[2048];
};
extern struct crontab crontab;
/* At noon (planner.h), in UTC. */
void crontab_read(const char *path, bool system, const char *text);

#endif
