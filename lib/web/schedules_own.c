/* SPDX-License-Identifier: MIT */
/*
 * Schedules of a submitter.
 *
 * Its ID begins as those of the submitter's tasks do, and so do the IDs of its fires:
 * they are the submitter's own. Without an ID it gets one made of all that is said, so
 * that the same words find it again, and never one of another user.
 *
 * It may say what a submission may say. It skips fires while its last task has not
 * finished: see own.c.
 */
#include <stdio.h>
#include <string.h>

#include "manager/schedule_flow.h"
#include "manager/schedules.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/uuid.h"
#include "web/own.h"
#include "web/schedules.h"

static int
own_refuse_form(struct web_call *call, const char *field, const char *why,
		struct err *err)
{
	web_status(call, 403);
	err_set(err, ERR_REFUSED, "%s: %s", field, why);
	return web_fault(call, field, NULL, err);
}

int
schedules_own_check(struct web_call *call, struct schedule_form *form,
		    struct err *err)
{
	if (form->force)
		return own_refuse_form(
		    call, "force",
		    "a submitter can schedule only registered "
		    "tasks",
		    err);
	/* Its steps would be tasks that are nobody's. */
	if (!schedule_flow_is_none(form->workflow))
		return own_refuse_form(call, "workflow",
				       "a submitter's schedules cannot begin "
				       "workflows",
				       err);
	if (!own_permits(web_conf(call), form->task))
		return own_refuse_task(call, form->task, err);
	if (form->overlap == NULL || form->overlap[0] == '\0')
		form->overlap = "skip";
	if (strcmp(form->overlap, "skip") != 0)
		return own_refuse_form(call, "overlap",
				       "the overlap of a submitter's schedules "
				       "must be skip",
				       err);
	return 0;
}

/* Made of all that is said. */
static int
own_name(struct web_call *call, struct schedule_form *form, int64_t now_us,
	 char wanted[SCHEDULE_ID_MAX + 1], struct err *err)
{
	struct schedule_fault fault = {.field = NULL};
	struct schedule_draft draft;
	const char *id = form->id;
	int r;

	if (id == NULL || id[0] == '\0') {
		if (schedule_define(form, now_us, &draft, &fault, err) != 0)
			return schedules_fail(call, &fault, form->rule, err);
		r = schedules_definition_id(&draft.schedule, wanted, err);
		schedule_draft_done(&draft);
		if (r != 0)
			return -1;
		id = wanted;
	}
	form->id = web_own_id(call, id, err);
	return form->id != NULL ? 0 : -1;
}

/* One that is there needs no room. */
static int
own_take_room(struct web_call *call, struct schedules *db, const char *id,
	      struct err *err)
{
	struct schedules_list *list;
	struct err why = ERR_INIT;

	if (schedules_get(db, id, &list, &why) == 0) {
		schedules_list_free(list);
		return 0;
	}
	return own_take_schedule(call, db, err);
}

int
schedules_own_make(struct web_call *call, struct schedules *db,
		   struct schedule_form *form, struct err *err)
{
	char wanted[SCHEDULE_ID_MAX + 1];
	struct schedule_declared declared;
	struct schedule_fault fault = {.field = NULL};
	int64_t now_us, off_us;
	int r;

	if (schedules_own_check(call, form, err) != 0 ||
	    schedules_now(db, &now_us, &off_us, err) != 0 ||
	    own_name(call, form, now_us, wanted, err) != 0 ||
	    own_take_room(call, db, form->id, err) != 0)
		return -1;
	r = schedule_declare(db, web_client(call), form, now_us, &declared,
			     &fault, err);
	if (r != 0 || declared.existing)
		own_recount_schedules(call, db);
	if (r != 0)
		return schedules_fail(call, &fault, form->rule, err);
	web_audit(call, "schedule.create", declared.id, !declared.existing);
	web_status(call, declared.existing ? 200 : 201);
	return schedules_answer(call, schedule_show(db, declared.id, err), err);
}

int
schedules_own_run(struct web_call *call, struct schedules *db, const char *id,
		  char own_id[FLOWRRA_ID_SIZE], struct err *err)
{
	const char *key = web_task_id(call), *whole;
	struct schedules_list *list;
	char uuid[UUID_TEXT_SIZE];
	int r = 0;

	if (web_own_prefix(call)[0] == '\0')
		return 0;
	if (schedules_get(db, id, &list, err) != 0)
		return -1;
	/* The configuration may have changed since it was made. */
	if (schedule_work(&list->items[0]) == SCHEDULE_WORKFLOW ||
	    !own_permits(web_conf(call), list->items[0].task))
		r = own_refuse_task(call, list->items[0].task, err);
	schedules_list_free(list);
	if (r != 0)
		return -1;
	if (key == NULL) {
		uuid_make(uuid);
		if ((whole = web_own_id(call, uuid, err)) == NULL)
			return -1;
		snprintf(own_id, FLOWRRA_ID_SIZE, "%s", whole);
	}
	return own_take_task(call, key != NULL ? key : own_id, err);
}
