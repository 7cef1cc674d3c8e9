/* SPDX-License-Identifier: MIT */
/* Schedules from what people write: checked, completed, and with their next
 * fire. What is done with them is in manager/schedules.h. */
#ifndef MANAGER_SCHEDULE_H
#define MANAGER_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "cron/cron.h"
#include "cron/tz.h"
#include "schedules/schedules.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/uuid.h"

struct err;

/* What may be said of a schedule: the members that manager/schedule.def names.
 * NULL or "": not given. */
struct schedule_form {
	const char *id, *task, *type, *rule;
	const char *tz, *args, *kwargs, *workflow, *queue, *group, *description;
	const char *misfire, *overlap, *day_match, *traceparent;
	int priority;
	/* The task's settings, named as in struct flowrra_request;
	 * TASK_UNSET */
	int max_retries;
	double retry_delay_s, retry_backoff, retry_delay_max_s, retry_jitter;
	double timeout_s;
	double expires_s; /* 0: never */
	int max_catchup;
	double grace_s; /* SCHEDULE_UNSET */
	double jitter_s;
	int64_t start_us, end_us;
	int max_runs;
	bool enabled;
	bool force; /* the task need not be registered */
};
#define SCHEDULE_CATCHUP_STANDARD 1000
/* What holds where nothing is given. */
void schedule_form_init(struct schedule_form *form);
/* What would make a schedule as it is; texts are the schedule's. */
void schedule_form_of(const struct schedule *s, struct schedule_form *ret);
/*
 * Reads what a JSON object says into the form, and leaves the rest as it is.
 * What only schedule_json() tells (next_run, state …) is passed over, so that
 * an answer can be sent back. Strings lie in `scratch`, which is emptied first.
 * ERR_DATA; *ret_field (may be NULL) is the name of the field, or NULL.
 */
int schedule_form_read(struct slice json, struct schedule_form *form,
		       struct buf *scratch, const char **ret_field,
		       struct err *err);

/* What is to blame for an error, for programs. */
struct schedule_fault {
	const char *field; /* its name in JSON; NULL: none */
	/* No worker has registered the task, or its registration cannot be
	 * read: the form's `force` stores the schedule all the same. */
	bool forcible;
	/* Where an expression is wrong; CRON_NONE: it is not, or the rule is
	 * not an expression. */
	struct cron_fault cron;
};

/* A schedule as it is to be stored; strings are the form's, the old schedule's,
 * or its own. */
struct schedule_draft {
	struct schedule schedule;
	/* Fires that an edit drops (n 0: none): they were due of a rule that
	 * holds no more, and the latest of them alone is still done. */
	struct schedule_skip dropped;
	char id[UUID_TEXT_SIZE];
	char rule[CLOCK_TEXT_SIZE]; /* of an interval or a time */
	char tz_data[TZ_VERSION_SIZE];
	struct buf flow; /* its workflow, as it is stored */
};
/* After each draft that was made. */
void schedule_draft_done(struct schedule_draft *draft);

/*
 * Checks it all and computes the next fire. The rule is an expression, a period
 * ("300", "5m"), or a moment ("2026-12-24T18:00:00+01:00", "in 10m") that has
 * not passed.
 *
 * `old` is the schedule that is edited, or NULL: where the form says nothing
 * new of when it fires, its next fire stays. A fire of the old rule whose time
 * has come stays the next one, so that none is lost; then the new rule holds,
 * from now_us on.
 *
 * ERR_DATA, and ERR_SYSTEM if a zone's file cannot be read; `fault` is filled.
 * ERR_REFUSED: it would not fire any more. *ret must not move.
 */
int schedule_draft(const struct schedule_form *form, const struct schedule *old,
		   int64_t now_us, struct schedule_draft *ret,
		   struct schedule_fault *fault, struct err *err);

/* What it says, without the next fire: of what has passed, too. */
int schedule_define(const struct schedule_form *form, int64_t now_us,
		    struct schedule_draft *ret, struct schedule_fault *fault,
		    struct err *err);

/* The zones' files, for many drafts. */
struct schedule_zones {
	struct tz_set *set;
	char version[TZ_VERSION_SIZE];
};
int schedule_zones_init(struct schedule_zones *zones, struct err *err);
void schedule_zones_done(struct schedule_zones *zones);
/* As schedule_draft(). */
int schedule_draft_with(struct schedule_zones *zones,
			const struct schedule_form *form,
			const struct schedule *old, int64_t now_us,
			struct schedule_draft *ret,
			struct schedule_fault *fault, struct err *err);

/* Appends when it fires, in words: "every weekday at 09:00, Europe/Berlin
 * time". A rule that cannot be read stays as it is written. */
void schedule_words(const struct schedule *s, struct buf *out);

#endif
