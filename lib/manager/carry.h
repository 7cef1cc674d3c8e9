/* SPDX-License-Identifier: MIT */
/*
 * Tasks and records as lines of text, to be carried from one store to another.
 *
 * A line is a JSON object:
 *	{"kind": "waiting", "queue", "bytes" or "bytes_base64"}
 *	{"kind": "delayed", "queue", "due_at", "bytes" or "bytes_base64"}
 *		or, instead of a time, "after": [TEXT, …]: those it waits for
 *	{"kind": "dead", "queue", "died_at", "info", "bytes" or "bytes_base64"}
 *	{"kind": "record", "bytes"}
 * The bytes are the task, or the record, as the store had it. Lines come in the
 * order in which tasks run, are due, or have ended: read from the top, they keep
 * it.
 */
#ifndef MANAGER_CARRY_H
#define MANAGER_CARRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

struct err;
struct flowrra_client;

/* Bits. */
enum carry_kinds {
	CARRY_WAITING = 1,
	CARRY_DELAYED = 2,
	CARRY_DEAD = 4,
	CARRY_RECORDS = 8,
	CARRY_ALL = 15
};
/* Reads "waiting,records": the bits, or -1 with *err. */
int carry_parse(const char *text, struct err *err);

struct carry_export {
	int kinds;
	const char *queue; /* NULL: all; records are of all in any case */
	/* A line with its end; not 0 ends it. */
	int (*on_line)(struct slice line, void *arg);
	void *arg;
	/* The answer. Running tasks stay behind, and so do workflows: those that have
	 * not ended, and tasks in queues that are steps. */
	int64_t lines, running, flows, steps;
};
/* Changes nothing. What moves meanwhile may be missing, or be there twice: pause
 * the queues first. 0, or -1 with *err. */
int carry_export(struct flowrra_client *c, struct carry_export *e,
		 struct err *err);

/* --- import ------------------------------------------------------------ */

struct carry_counts {
	int64_t imported;
	int64_t present; /* the store had the task, or its record, already */
	int64_t skipped; /* dead ones */
	int64_t refused; /* each was told */
};
struct carry_import;
struct carry_import_options {
	const char *queue; /* for all; NULL: their own */
	/* Dead tasks are put into their queues, to begin again; else skipped. */
	bool requeue_dead;
	bool dry_run;
	/* Tells why a line was refused. */
	void (*on_refused)(size_t line, const struct err *why, void *arg);
	void *arg;
};
/* NULL with *err. */
struct carry_import *carry_import_new(struct flowrra_client *c,
				      const struct carry_import_options *o,
				      struct err *err);
void carry_import_free(struct carry_import *im);
/*
 * One line. A task that has a record in the store is not imported again, so that
 * an import that was interrupted can be repeated as a whole. -1 with *err when the
 * store cannot be reached: how much has been stored is not known then.
 */
int carry_import_line(struct carry_import *im, size_t number, struct slice line,
		      struct err *err);
/* Stores what is left. */
int carry_import_end(struct carry_import *im, struct err *err);
const struct carry_counts *carry_import_counts(const struct carry_import *im);

#endif
