/* SPDX-License-Identifier: MIT */
/* Changing schedules: each edit is tried until nobody was in between, or
 * somebody has made it another schedule than the editor saw. */
#include "manager/schedules.h"

#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/registry.h"
#include "core/task.h"
#include "manager/schedule_flow.h"
#include "manager/schedule_json.h"
#include "manager/schedules_private.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/uuid.h"

#define US_PER_S 1e6
/* A schedule is claimed once a second at most, and an edit takes
 * milliseconds. */
#define TRIES_MAX 20

/* Whether a worker has registered the task: a typing error would only be found
 * when the schedule fires, at night. */
int
check_registered(struct flowrra_client *c, const char *task,
		 struct schedule_fault *fault, struct err *err)
{
	struct registered entry;

	if (client_check(c, err) == 0 &&
	    registry_find(c, task, NULL, &entry, err) == 0)
		return 0;
	fault->field = "task";
	/* Not where the broker is away: that is to be waited for, not
	 * forced. */
	fault->forcible = err->code == ERR_DATA;
	if (err->code == ERR_NOT_FOUND)
		err->code = ERR_DATA;
	return -1;
}

int
check_runnable(struct flowrra_client *c, const struct schedule *s,
	       struct schedule_fault *fault, struct err *err)
{
	if (schedule_work(s) == SCHEDULE_TASK)
		return check_registered(c, s->task, fault, err);
	if (schedule_flow_check(c, s->workflow, err) == 0)
		return 0;
	fault->field = "workflow";
	fault->forcible = err->code == ERR_DATA;
	if (err->code == ERR_NOT_FOUND)
		err->code = ERR_DATA;
	return -1;
}

/* --- making -------------------------------------------------------------- */

/* A name that no worker knows is most likely misspelt; `force` is for workers
 * that are not there yet. */
int
schedule_create(struct schedules *db, struct flowrra_client *c,
		const struct schedule_form *form, int64_t now_us,
		char ret_id[SCHEDULE_ID_MAX + 1], bool *ret_existing,
		int64_t *ret_next_us, struct schedule_fault *fault,
		struct err *err)
{
	struct schedule_draft draft;
	int r = 0;

	/* The name of the task last, since it costs a question. */
	if (schedule_draft(form, NULL, now_us, &draft, fault, err) != 0)
		return -1;
	if (!form->force)
		r = check_runnable(c, &draft.schedule, fault, err);
	if (r == 0 && (r = schedules_create(db, &draft.schedule, now_us, ret_id,
					    ret_existing, err)) != 0)
		fault->field = err->code == ERR_REFUSED ? "id" : NULL;
	if (r == 0)
		*ret_next_us = *ret_existing ? 0 : draft.schedule.next_run_us;
	schedule_draft_done(&draft);
	return r;
}

/* --- editing ------------------------------------------------------------- */

/* What an edit comes to. */
enum edited { EDIT_FAILED, EDIT_DONE, EDIT_AGAIN };

bool
makes_another(const struct schedule *old, const struct schedule *new)
{
	return strcmp(new->workflow, old->workflow) != 0 ||
	       (schedule_work(new) == SCHEDULE_TASK &&
		strcmp(new->task, old->task) != 0);
}

static enum edited
edit_store(struct schedules *db, const struct schedule_edit *e,
	   const struct schedule *old, const struct schedule_draft *draft,
	   struct err *err)
{
	const struct schedules_change change = {
	    .schedule = &draft->schedule,
	    .old_updated_us = old->updated_us,
	    .old_next_run_us = old->next_run_us,
	    .dropped = draft->dropped.n > 0 ? &draft->dropped : NULL};
	bool done;

	if (schedules_update(db, &change, e->now_us, &done, err) != 0)
		return EDIT_FAILED;
	return done ? EDIT_DONE : EDIT_AGAIN;
}

static enum edited
edit_once(struct schedules *db, const struct schedule_edit *e,
	  const struct schedule *old, struct schedule_fault *fault,
	  struct err *err)
{
	enum edited edited = EDIT_FAILED;
	struct schedule_draft draft;
	struct schedule_form form;

	schedule_form_of(old, &form);
	if (e->apply(&form, e->arg, fault, err) != 0 ||
	    schedule_draft(&form, old, e->now_us, &draft, fault, err) != 0)
		return EDIT_FAILED;
	if (form.force || !makes_another(old, &draft.schedule) ||
	    check_runnable(e->client, &draft.schedule, fault, err) == 0)
		edited = edit_store(db, e, old, &draft, err);
	schedule_draft_done(&draft);
	return edited;
}

static int
was_changed(const char *id, struct err *err)
{
	return err_set(err, ERR_REFUSED,
		       "schedule %s was changed by another client meanwhile; "
		       "look at it again",
		       id);
}

/* A claim in between moves the next fire, and the edit is tried again with
 * that; another edit in between is not overwritten, unless the editor has seen
 * no version and wants its own fields only. */
json_t *
schedule_edit(struct schedules *db, const struct schedule_edit *e,
	      bool *ret_stale, struct schedule_fault *fault, struct err *err)
{
	enum edited edited = EDIT_AGAIN;
	struct schedules_list *found;
	int tries;

	*ret_stale = false;
	*fault = (struct schedule_fault){.field = NULL};
	for (tries = 0; edited == EDIT_AGAIN && tries < TRIES_MAX; tries++) {
		if (schedules_get(db, e->id, &found, err) != 0)
			return NULL;
		*ret_stale = e->updated_us != 0 &&
			     found->items[0].updated_us != e->updated_us;
		edited = *ret_stale
			     ? EDIT_FAILED
			     : edit_once(db, e, &found->items[0], fault, err);
		schedules_list_free(found);
	}
	if (edited == EDIT_AGAIN)
		*ret_stale = true;
	if (*ret_stale)
		was_changed(e->id, err);
	return edited == EDIT_DONE ? schedule_stored(db, e->id, err) : NULL;
}

static int
apply_enabled(struct schedule_form *form, void *arg,
	      struct schedule_fault *fault, struct err *err)
{
	form->enabled = true;
	/* Its task was registered when it was made, and may be away. */
	form->force = true;
	return 0;
}

/* Of a schedule that is enabled there is nothing to change; but if it has
 * ended, that is said. */
static int
check_enabled(const struct schedule *s, int64_t now_us, struct err *err)
{
	struct schedule resumed = *s;
	struct schedule_draft draft;
	struct schedule_fault fault;
	struct schedule_form form;

	if (s->next_run_us != 0)
		return 0;
	resumed.enabled = false;
	schedule_form_of(s, &form);
	if (schedule_draft(&form, &resumed, now_us, &draft, &fault, err) != 0)
		return -1;
	schedule_draft_done(&draft);
	return 0;
}

json_t *
schedule_enable(struct schedules *db, const char *id, int64_t now_us,
		struct err *err)
{
	const struct schedule_edit edit = {
	    .id = id, .apply = apply_enabled, .now_us = now_us};
	struct schedules_list *found;
	struct schedule_fault fault;
	json_t *json = NULL;
	bool stale, enabled;

	if (schedules_get(db, id, &found, err) != 0)
		return NULL;
	enabled = found->items[0].enabled && found->items[0].fault[0] == '\0';
	if (enabled && check_enabled(&found->items[0], now_us, err) == 0)
		json = schedule_json(&found->items[0]);
	schedules_list_free(found);
	return enabled ? json : schedule_edit(db, &edit, &stale, &fault, err);
}

/* Not by an edit: a schedule that cannot be read any more must be able to be
 * switched off. */
json_t *
schedule_disable(struct schedules *db, const char *id, int64_t now_us,
		 struct err *err)
{
	if (schedules_disable(db, id, now_us, err) != 0)
		return NULL;
	return schedule_stored(db, id, err);
}

/* --- running ------------------------------------------------------------- */

/* From the units of schedules (microseconds) to those of requests (seconds). */
#define REQUESTED_INT(value) (int)(value)
#define REQUESTED_NUMBER(value) (value)
#define REQUESTED_SECONDS(value) (double)(value) / US_PER_S

/* The task as a scheduler would send it. What the schedule leaves unset stays
 * so, for the task's module to say. */
static void
fill_request(const struct schedule *s, struct flowrra_request *request)
{
	request->name = s->task;
	request->args = s->args;
	request->kwargs = s->kwargs;
	request->priority = s->priority;
	if (s->queue[0] != '\0')
		request->queue = s->queue;
	if (s->group[0] != '\0')
		request->group = s->group;
#define TASK_SETTING(field, type, member, in_request, ...)                     \
	if (s->settings.member != TASK_UNSET)                                  \
		request->in_request = REQUESTED_##type(s->settings.member);
#include "core/task_options.def"
	if (s->expires_us > 0)
		request->expires_us = clock_wall_us() + s->expires_us;
	/* As a scheduler does: one with a queue goes there in any case. */
	request->force = request->queue != NULL;
}

static int
run_flow(struct flowrra_client *c, const struct schedule *s,
	 const struct schedule_run *run, char ret_id[FLOWRRA_ID_SIZE],
	 struct err *err)
{
	struct schedule_flow_run flow = {.workflow = s->workflow,
					 .id = run->task_id,
					 .name = s->task,
					 .traceparent = run->traceparent,
					 .tracestate = run->tracestate};
	char made[UUID_TEXT_SIZE];

	uuid_make(made);
	if (flow.id == NULL)
		flow.id = made;
	snprintf(ret_id, FLOWRRA_ID_SIZE, "%s", flow.id);
	return schedule_flow_run(c, &flow, err);
}

/* With an ID of its own it is not a fire: history and overlap are not
 * touched. */
int
schedule_run(struct schedules *db, struct flowrra_client *c,
	     const struct schedule_run *run, char ret_id[FLOWRRA_ID_SIZE],
	     bool *ret_flow, struct err *err)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	const struct submission submission = {.request = &request};
	struct schedules_list *found;
	int result;

	if (schedules_get(db, run->id, &found, err) != 0)
		return -1;
	*ret_flow = schedule_work(&found->items[0]) == SCHEDULE_WORKFLOW;
	if (*ret_flow) {
		result = run_flow(c, &found->items[0], run, ret_id, err);
		schedules_list_free(found);
		return result;
	}
	fill_request(&found->items[0], &request);
	request.id = run->task_id;
	request.traceparent = run->traceparent;
	request.tracestate = run->tracestate;
	result = client_submit(c, &submission, ret_id, err);
	schedules_list_free(found);
	return result;
}
