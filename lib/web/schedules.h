/* SPDX-License-Identifier: MIT */
/* What the routes of schedules share. A form is the body; its members are those of
 * manager/schedule.def, which flowrractl has as options. */
#ifndef WEB_SCHEDULES_H
#define WEB_SCHEDULES_H

#include "flowrra/client.h"
#include "manager/schedule.h"
#include "manager/schedule_zone.h"
#include "web/lists.h"

#define SCHEDULE_ID_PARAM LIST_PATH("id", "the schedule's ID")
#define SCHEDULE_ANSWER                                                        \
	"The schedule, with its rule in words and its state; ETag is its "     \
	"version."

/* What is wrong with a form: the field, and where in an expression. Returns -1. */
int schedules_fail(struct web_call *call, const struct schedule_fault *fault,
		   const char *rule, struct err *err);
/* What the texts of a form lie in; begins with zeroes. */
struct schedules_texts {
	struct buf scratch; /* buf_done() */
	struct zone_words zone;
};
/* Reads the body into a form; without a zone it gets the default one. */
int schedules_read_form(struct web_call *call, struct schedule_form *form,
			struct schedules_texts *texts, struct err *err);
/* Gives a form that says no zone the default one ([scheduler] timezone). */
int schedules_choose_zone(struct web_call *call, struct schedule_form *form,
			  struct zone_words *words, struct err *err);
/* The ID of the path; a submitter's with its prefix (web_own_id()). NULL with *err. */
const char *schedules_id(struct web_call *call, struct err *err);
/* Answers with a schedule (taken; NULL: *err); its version is its ETag. */
int schedules_answer(struct web_call *call, json_t *schedule, struct err *err);

/* --- a submitter's (schedules_own.c) ---------------------------------------- */

/* Whether it may say what a form says, which it completes: 0, or -1 with *err, and 403. */
int schedules_own_check(struct web_call *call, struct schedule_form *form,
			struct err *err);
/* Makes the schedule of a form, which it completes: 201, or 200 if it is there. */
int schedules_own_make(struct web_call *call, struct schedules *db,
		       struct schedule_form *form, struct err *err);
/* Puts an ID for the task of a schedule that runs now into *own_id, and takes room for
 * it; not of a submitter, or of one with a key, leaves it as it is. */
int schedules_own_run(struct web_call *call, struct schedules *db,
		      const char *id, char own_id[FLOWRRA_ID_SIZE],
		      struct err *err);

#endif
