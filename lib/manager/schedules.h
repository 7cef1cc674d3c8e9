/* SPDX-License-Identifier: MIT */
/*
 * What people do with schedules: flowrractl and the dashboard. All but running
 * one needs the schedules' database only; broker and backend may be down.
 *
 * Values that are returned are new. Durations are seconds, times UTC.
 */
#ifndef MANAGER_SCHEDULES_H
#define MANAGER_SCHEDULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "flowrra/client.h"
#include "manager/schedule.h"

struct err;
struct schedules;

/* --- looking ------------------------------------------------------------- */

struct schedule_query {
	int enabled; /* 1: those that are; 0: those that are not; -1: any */
	const char *task; /* NULL: any */
	/* With by_next false: only those whose ID begins so, and is longer. NULL: any */
	const char *prefix;
	/* In the id, task, rule, its words, or description; letters of ASCII in
	 * any case. NULL: any */
	const char *text;
	bool by_next;	    /* not by id, but the soonest due first */
	const char *cursor; /* "next" of the answer before; NULL: the first */
	size_t limit;	    /* 1 to 500; 0: 50 */
	/* For each, what a picture of it needs: two more questions each. */
	bool figures;
};
/*
 * {"items": [schedule_json()], "next": cursor or null, "complete", "looked_at"}.
 * Looks at 10,000 schedules or for 200 ms at most; "complete" is false if that
 * ended it, and "next" goes on. With figures, an item has
 *	"missed": how many of its fires became no tasks since it was made,
 *	"spark": of its last fires, the oldest first: 1 if it was sent, else 0
 * ERR_DATA: the cursor is of another question.
 */
json_t *schedule_list(struct schedules *db, const struct schedule_query *query,
		      struct err *err);
/* One, as schedule_json() with "missed". ERR_NOT_FOUND. */
json_t *schedule_show(struct schedules *db, const char *id, struct err *err);

struct schedule_fires_query {
	const char *id;
	const char *cursor; /* as above */
	int64_t before_us;  /* only fires before this time; 0: any */
	size_t limit;	    /* 1 to 500; 0: 50 */
};
/*
 * What has fired, the latest first: {"items", "next", "complete", "looked_at"}
 * with items
 *	{"fire_at", "last_at", "n", "task_id" or null, "sent_at" or null,
 *	 "outcome": "sent" | "unsent" | "missed" | "skipped",
 *	 "reason": text or null,
 *	 "status", "started_at", "duration", "error": of its task, or null}
 * "n" fires from "fire_at" to "last_at" that did not run for one reason are one
 * item. `c` tells how the tasks are; NULL: that is all null. Of a task that was
 * sent and has no record, "status" is "expired" if it was sent longer ago than
 * records live, else "unknown". "duration" is of the last attempt, in seconds, if
 * it has ended; "error" its first line. ERR_NOT_FOUND: nothing is known of such a
 * schedule.
 */
json_t *schedule_fires(struct schedules *db, struct flowrra_client *c,
		       const struct schedule_fires_query *query,
		       struct err *err);

/*
 * The next fires of a schedule after `after_us`: {"items": [{"at", "local",
 * "note": null | "gap" | "fold"}], "tz", "words"} "local" has the zone's
 * offset. A gap: the clock leaves out the time that is meant, and it fires
 * behind; a fold: the clock shows this time twice. Less than `n` (1 to 1,000)
 * if it ends.
 */
json_t *schedule_next_fires(struct schedules *db, const char *id,
			    int64_t after_us, size_t n, struct err *err);
/* The same of what has not been stored; the task need not be said. As
 * schedule_draft(). */
json_t *schedule_preview(const struct schedule_form *form, int64_t after_us,
			 size_t n, struct schedule_fault *fault,
			 struct err *err);

/*
 * How many fires there are in each hour of `days` (1 to 31) days from the hour
 * of from_us on: {"from", "days", "tz": "UTC", "complete", "looked_at",
 * "hours": [{"at", "count", "schedules": [{"id", "count"}], "others"}]}. Of an
 * hour the ten schedules with the most fires are named; "others" is how many
 * more there are. Hours without fires are left out. What will be disabled, or
 * run up to its max_runs, is not known. "complete" is false if budget_us (0:
 * 500 ms) was too short for all schedules; those that are due first are in.
 */
json_t *schedule_calendar(struct schedules *db, int64_t from_us, int days,
			  int64_t budget_us, struct err *err);

/* --- changing ------------------------------------------------------------ */

/*
 * Makes a schedule, as programs do that create theirs each time they start:
 * queue, settings and policies do not tell two apart. Unless the form says force, a worker must have registered
 * its task (ERR_DATA); `c` is not asked otherwise, and may be NULL then.
 * *ret_id is that of the new one, or of an identical one that exists. Errors as
 * schedule_draft() and schedules_create(); *ret_next_us is its next fire, 0 if
 * it existed.
 */
int schedule_create(struct schedules *db, struct flowrra_client *c,
		    const struct schedule_form *form, int64_t now_us,
		    char ret_id[SCHEDULE_ID_MAX + 1], bool *ret_existing,
		    int64_t *ret_next_us, struct schedule_fault *fault,
		    struct err *err);

struct schedule_declared {
	char id[SCHEDULE_ID_MAX + 1];
	bool existing;	 /* it was there, as it was asked for */
	int64_t next_us; /* of a new one */
};
/*
 * Makes a schedule, or finds it: with the form's id, or without one by all that
 * the form says. 0 only if it is there and will fire (or is disabled, if that
 * was asked for). ERR_REFUSED: it is there but says otherwise, or will not
 * fire; the message names the difference and the remedy. Other errors as
 * schedule_create().
 */
int schedule_declare(struct schedules *db, struct flowrra_client *c,
		     const struct schedule_form *form, int64_t now_us,
		     struct schedule_declared *ret,
		     struct schedule_fault *fault, struct err *err);

/* Changes a form that says what the schedule is; texts that it puts in must
 * last as long as the edit. It may be called several times. 0, or -1 with
 * *err. */
typedef int schedule_apply_fn(struct schedule_form *form, void *arg,
			      struct schedule_fault *fault, struct err *err);

struct schedule_edit {
	const char *id;
	schedule_apply_fn *apply;
	void *arg;
	/* The version that the editor saw; 0: any. */
	int64_t updated_us;
	/* Asked whether the task is registered, where that is another one and
	 * the form does not say force. */
	struct flowrra_client *client;
	int64_t now_us;
};
/*
 * Changes a schedule in place. A fire that is due stays, and the rest follows
 * the new rule. ERR_REFUSED if somebody else was faster (*ret_stale is true
 * then), or it would not fire any more;
 * ERR_NOT_FOUND; ERR_DATA. Returns schedule_json(), or NULL with *err.
 */
json_t *schedule_edit(struct schedules *db, const struct schedule_edit *edit,
		      bool *ret_stale, struct schedule_fault *fault,
		      struct err *err);

/* From now on: what a disabled schedule has missed is not made up for. One that
 * is enabled stays as it is. ERR_NOT_FOUND; ERR_REFUSED: it would not fire any
 * more. */
json_t *schedule_enable(struct schedules *db, const char *id, int64_t now_us,
			struct err *err);
json_t *schedule_disable(struct schedules *db, const char *id, int64_t now_us,
			 struct err *err);

struct schedule_run {
	const char *id;
	const char *task_id; /* or of the workflow; NULL: a new UUID */
	/* The trace of who asks for it, which the task continues; or NULL. */
	const char *traceparent, *tracestate;
};
/* Submits the task of a schedule now, or begins its workflow, as a scheduler would,
 * under an id of its own: it is not a fire of the schedule. *ret_flow: it is that of
 * a workflow. */
int schedule_run(struct schedules *db, struct flowrra_client *c,
		 const struct schedule_run *run, char ret_id[FLOWRRA_ID_SIZE],
		 bool *ret_flow, struct err *err);

#endif
