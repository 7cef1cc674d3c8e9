/* SPDX-License-Identifier: MIT */
/* Crontabs: what the reader of lines and the writer of sections share. */
#ifndef MANAGER_SCHEDULE_CRONTAB_PRIVATE_H
#define MANAGER_SCHEDULE_CRONTAB_PRIVATE_H

#include "core/task.h"
#include "manager/schedule_import.h"

#define CRONTAB_HASH_LEN 8

/* One reading. */
struct crontab {
	struct schedule_import *import;
	struct schedule_file *file;
	struct buf *tasks;
	struct err *err;
	json_t *variables; /* that hold now, in their order */
	json_t *names;	   /* of tasks that have their section */
	json_t *ids;	   /* of schedules */
	char base[64];	   /* of the path, as a part of names */
	char zone[TZ_NAME_MAX + 1];
	bool told_mail;
};

/* One line. */
struct job {
	int line;
	char rule[256];
	bool both_days;
	char user[64];
	struct buf command, input;
	bool has_input;
};

/* The value that holds now. */
const char *crontab_variable(const struct crontab *c, const char *name,
			     const char *standard);
/* A few digits that stand for a text. */
void crontab_hash(const char *text, char ret[CRONTAB_HASH_LEN + 1]);
/* Appends the section of a line's task, once for all lines with the same
 * command, user and variables. */
int crontab_add_section(struct crontab *c, const struct job *job,
			char ret_name[TASK_NAME_MAX + 1]);

#endif
