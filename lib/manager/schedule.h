/* SPDX-License-Identifier: MIT */
/* Schedules from what people write. */
#ifndef MANAGER_SCHEDULE_H
#define MANAGER_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "cron/cron.h"
#include "cron/tz.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/uuid.h"

struct err;

/* What may be said of a schedule, beside its task and rule. NULL: not given. */
struct schedule_form {
	const char *id, *tz, *args, *kwargs, *queue, *description;
	const char *misfire, *overlap, *day_match;
	int priority;
	/* The task's settings, named as in struct flowrra_request; TASK_UNSET */
	int max_retries;
	double retry_delay_s, retry_backoff, retry_delay_max_s, retry_jitter;
	double timeout_s;
	double expires_s; /* 0: never */
	int max_catchup;
	double grace_s; /* SCHEDULE_UNSET */
	double jitter_s;
	int64_t start_us, end_us;
	int max_runs;
	bool disabled;
};
#define SCHEDULE_CATCHUP_STANDARD 1000
/* What holds where nothing is given. */
void schedule_form_init(struct schedule_form *form);

/* A schedule as it is to be stored; strings are the form's, or its own. */
struct schedule_draft {
	struct schedule schedule;
	char id[UUID_TEXT_SIZE];
	char rule[CLOCK_TEXT_SIZE]; /* of what is no expression */
	char tz_data[TZ_VERSION_SIZE];
};

/*
 * Checks it all and computes the first fire. `rule` is an expression, a period
 * ("300", "5m"), or a moment ("2026-12-24T18:00:00+01:00", "in 10m") that has
 * not passed. `fault` is filled where an expression is wrong. ERR_DATA, and
 * ERR_SYSTEM if a zone's file cannot be read. *ret must not move.
 */
int schedule_draft(const struct schedule_form *form, enum schedule_type type,
		   const char *task, const char *rule, int64_t now_us,
		   struct schedule_draft *ret, struct cron_fault *fault,
		   struct err *err);

/* The next run of a schedule that is to be enabled. ERR_REFUSED: it has none
 * any more. `tz_data` takes the version that *ret borrows. */
int schedule_resume(const struct schedule *s, int64_t now_us,
		    char tz_data[TZ_VERSION_SIZE], struct schedule_next *ret,
		    struct err *err);

#endif
