/* SPDX-License-Identifier: MIT */
/* Makes the schedules those of a file. */
#ifndef MANAGER_SCHEDULE_APPLY_H
#define MANAGER_SCHEDULE_APPLY_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "manager/schedule_file.h"

struct err;
struct flowrra_client;
struct schedules;

struct schedule_apply {
	/* Whose the file is; NULL: the file says, or nobody's. Schedules become
	 * the owner's, and those of another owner are refused unless `take`. */
	const char *owner;
	bool take;
	/* Removes the owner's schedules that the file has no more; refused if it
	 * has none at all and does not say so. */
	bool prune;
	/* Of new schedules of which the file says none; NULL: UTC. What is there
	 * keeps its zone then. */
	const char *zone;
	/* Of what is new or changes, where the file says none; NULL: what is
	 * there keeps its own. */
	const char *traceparent;
	bool dry_run;
	bool force; /* tasks need not be registered */
	struct flowrra_client *client;
	int64_t now_us;
	/* Each mistake of the file. */
	schedule_tell_fn *tell;
	void *arg;
};
/*
 * Compares first, and changes nothing if there is any mistake; then changes in
 * transactions of SCHEDULES_STEPS_MAX. A schedule keeps its history, counters
 * and due fires. What says the same as before is not touched.
 *
 * {"dry_run", "created": [id], "changed": [{"id", "fields": {field: [old,
 * new]}}], "removed": [id], "unchanged": n, "ended": [id]}, or NULL with *err. Those
 * that have ended are unchanged ones that will not fire again.
 */
json_t *schedule_apply(struct schedules *db, struct schedule_file *file,
		       const struct schedule_apply *apply, struct err *err);

/* Of a file that could not be read as a whole: tells the mistakes of what was.
 * -1 with *err without memory. */
int schedule_apply_judge(struct schedule_file *file,
			 const struct schedule_apply *apply, struct err *err);

#endif
