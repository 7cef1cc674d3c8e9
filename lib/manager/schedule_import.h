/* SPDX-License-Identifier: MIT */
/* Schedules of other programs, as entries of a file of ours. */
#ifndef MANAGER_SCHEDULE_IMPORT_H
#define MANAGER_SCHEDULE_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "cron/tz.h"
#include "manager/schedule_file.h"

struct err;

/* The zone of this machine's clock: of TZ, /etc/timezone or /etc/localtime;
 * "UTC" if none of them has a name. */
void schedule_local_zone(char zone[TZ_NAME_MAX + 1]);

struct schedule_import {
	const char *tz; /* of times without a zone; NULL: the machine's */
	/* Of crontabs: its path; whether there is a field with the user; whose
	 * it is where there is none (NULL: the worker's user). */
	const char *path;
	bool system;
	const char *user;
	/* Reads and checks at this time. */
	int64_t now_us;
	/* What cannot be taken, and what is worth knowing. */
	schedule_tell_fn *refuse, *note;
	void *arg;
	size_t refused; /* how many */
};

/*
 * Reads a crontab as cron(8) does. Each line becomes a schedule of a task that
 * runs its command, and of which the section [task NAME] is appended to
 * `tasks`. Lines that cannot be taken are told and left out. -1 with *err if
 * memory runs out.
 */
int schedule_read_crontab(struct schedule_import *import, const char *text,
			  struct schedule_file *file, struct buf *tasks,
			  struct err *err);

/*
 * Reads the table of the Python package, in its own database: sqlite:///path,
 * postgresql:// or mysql://. The database is not changed.
 */
int schedule_read_python(struct schedule_import *import, const char *url,
			 struct schedule_file *file, struct err *err);

/* --- for its own files ----------------------------------------------------- */

/* Adds a schedule if it will fire; else it is refused, with the line. */
int schedule_import_add(struct schedule_import *import,
			struct schedule_file *file, const json_t *object,
			int line, struct err *err);
void schedule_import_refuse(struct schedule_import *import, int line,
			    const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
