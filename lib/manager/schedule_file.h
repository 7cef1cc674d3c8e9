/* SPDX-License-Identifier: MIT */
/*
 * Files that say which schedules there shall be.
 *
 * As JSON: an array of objects as `flowrractl schedule list --json` and export
 * print them, or {"owner": NAME, "schedules": [...]}. As INI: a section
 * [schedule ID] for each, with the same names as keys; "owner = NAME" before
 * the first section. A value of INI that begins with a quote is a JSON string.
 */
#ifndef MANAGER_SCHEDULE_FILE_H
#define MANAGER_SCHEDULE_FILE_H

#include <jansson.h>
#include <stdbool.h>

#include "manager/schedule.h"
#include "util/buf.h"

struct err;

/* One schedule of a file. */
struct schedule_entry {
	struct schedule_form form;
	char *owner;		      /* NULL: not said */
	int line;		      /* of its beginning */
	struct slice text;	      /* in the file, or empty */
	struct buf scratch;	      /* the form's texts */
	char id[SCHEDULE_ID_MAX + 1]; /* where the form has none */
};

/* Begin with zeroes. */
struct schedule_file {
	struct schedule_entry *entries;
	size_t n, cap;
	char *owner; /* NULL: not said */
	bool none;   /* it says that there is none: an empty array */
};
void schedule_file_done(struct schedule_file *file);

/* Called for each mistake; -1 is returned at the end. `line` 0: of none. */
typedef void schedule_tell_fn(void *arg, int line, const char *text);

/*
 * Reads a file, whose text must last as long as the entries. Times must be
 * moments: "in 10m" would mean another one each time. ERR_DATA after each
 * mistake was told.
 */
int schedule_file_read(struct schedule_file *file, const char *text,
		       schedule_tell_fn *tell, void *arg, struct err *err);
/* Adds one that an object says, from a line of some other file. */
int schedule_file_add(struct schedule_file *file, const json_t *object,
		      int line, struct err *err);
/* The line of an entry's field; that of the entry if it is not to be found. */
int schedule_entry_line(const struct schedule_entry *entry, const char *field);

/* Appends schedules (schedule_said()) in the one form or the other. */
void schedule_file_write_json(const json_t *schedules, struct buf *out);
void schedule_file_write_ini(const json_t *schedules, struct buf *out);

/* --- for its own files ----------------------------------------------------- */

/* INI; schedule_file_read() decides. */
int schedule_ini_read(struct schedule_file *file, const char *text,
		      schedule_tell_fn *tell, void *arg, struct err *err);
/* Adds what a JSON text says; the file says it in `text`, which begins in `line`.
 * After a mistake *ret_line is that of the field. */
int schedule_file_add_text(struct schedule_file *file, struct slice json,
			   struct slice text, int line, int *ret_line,
			   struct err *err);

#endif
