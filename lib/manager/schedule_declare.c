/* SPDX-License-Identifier: MIT */
/*
 * Schedules that are declared: the same words again find the same schedule.
 *
 * Its ID is the one that is given, else one made of all that is said. A schedule
 * of an earlier version, or of the dashboard, has another ID without anybody's
 * choice: so one that says the same is looked for, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/schedule_said.h"
#include "manager/schedules.h"
#include "manager/schedules_private.h"
#include "util/err.h"

/* Somebody may make or delete it between question and insertion. */
#define TRIES_MAX 3

/* One declaration. */
struct declaring {
	struct schedules *db;
	const struct schedule_form *form;
	int64_t now_us;
	struct schedule_draft draft;	  /* what is wanted */
	char wanted[SCHEDULE_ID_MAX + 1]; /* schedules_definition_id() of it */
	struct schedule_fault *fault;
};

static bool
has_id(const struct declaring *d)
{
	return d->form->id != NULL && d->form->id[0] != '\0';
}

/* A row that cannot be read any more says nothing that could be the same. */
static bool
says_the_same(const struct declaring *d, const struct schedule *s)
{
	char id[SCHEDULE_ID_MAX + 1];

	return schedules_definition_id(s, id, NULL) == 0 &&
	       strcmp(id, d->wanted) == 0;
}

/* Why it will not fire, with the remedy; 0 if it will. */
static int
check_fires(const struct schedule *s, struct err *err)
{
	if (s->fault[0] != '\0')
		return err_set(err, ERR_REFUSED,
			       "schedule %s exists but is set aside: %.200s; "
			       "change it with \"flowrractl schedule edit %s\" "
			       "or enable it again with \"flowrractl schedule "
			       "enable %s\"",
			       s->id, s->fault, s->id, s->id);
	if (!s->enabled)
		return err_set(err, ERR_REFUSED,
			       "schedule %s exists but is disabled; enable it "
			       "with \"flowrractl schedule enable %s\"",
			       s->id, s->id);
	if (s->next_run_us == 0 || s->next_run_us == INT64_MAX)
		return err_set(err, ERR_REFUSED,
			       "schedule %s exists but has ended and does not "
			       "fire again; change its rule, end or max-runs "
			       "with \"flowrractl schedule edit %s\"",
			       s->id, s->id);
	return 0;
}

/* What is there is what is wanted, or it is said in which way not. */
static int
check_there_is(const struct declaring *d, const struct schedule *s,
	       struct err *err)
{
	struct schedule wanted = d->draft.schedule;
	struct buf text = BUF_INIT;
	json_t *differences;

	/* Not words of a declaration; `enabled` is judged below. */
	wanted.owner = s->owner;
	wanted.enabled = s->enabled;
	if (!says_the_same(d, s)) {
		differences = schedule_differences(s, &wanted);
		schedule_differences_text(differences, &text);
		json_decref(differences);
		d->fault->field = "id";
		err_set(err, ERR_REFUSED,
			"schedule %s exists and says otherwise (%.300s); "
			"change it with \"flowrractl schedule edit\", or "
			"choose another ID",
			s->id, text.data != NULL ? text.data : "");
		buf_done(&text);
		return -1;
	}
	if (d->form->enabled)
		return check_fires(s, err);
	if (!s->enabled)
		return 0;
	return err_set(err, ERR_REFUSED,
		       "schedule %s exists and is enabled; disable it with "
		       "\"flowrractl schedule disable %s\"",
		       s->id, s->id);
}

/* Of several that say the same, one that fires is what was asked for. */
static const struct schedule *
choose_alike(const struct declaring *d, const struct schedules_list *list)
{
	const struct schedule *found = NULL, *s;
	size_t i;

	for (i = 0; i < list->n; i++) {
		s = &list->items[i];
		if (!says_the_same(d, s))
			continue;
		if (found == NULL || (check_fires(found, NULL) != 0 &&
				      check_fires(s, NULL) == 0))
			found = s;
	}
	return found;
}

/* 1: one is there, as it shall be; 0: none is. */
static int
look_for(const struct declaring *d, const char *id,
	 char ret_id[SCHEDULE_ID_MAX + 1], struct err *err)
{
	const struct schedule *found = NULL;
	struct schedules_list *list;
	struct err why = ERR_INIT;
	int result;

	if (!has_id(d)) {
		if (schedules_alike(d->db, &d->draft.schedule, &list, err) != 0)
			return -1;
		found = choose_alike(d, list);
		if (found == NULL)
			schedules_list_free(list);
	}
	if (found == NULL) {
		if (schedules_get(d->db, id, &list, &why) != 0) {
			if (why.code == ERR_NOT_FOUND)
				return 0;
			return err_set(err, why.code, "%s", why.msg);
		}
		found = &list->items[0];
	}
	result = check_there_is(d, found, err);
	snprintf(ret_id, SCHEDULE_ID_MAX + 1, "%s", found->id);
	schedules_list_free(list);
	return result == 0 ? 1 : -1;
}

/* *ret_done: false if the ID has been taken meanwhile. */
static int
make_it(struct declaring *d, struct flowrra_client *c, const char *id,
	int64_t *ret_next_us, bool *ret_done, struct err *err)
{
	struct schedule_form form = *d->form;
	struct schedules_step step = {.kind = SCHEDULES_ADD};

	/* H draws its values from the ID. */
	form.id = id;
	schedule_draft_done(&d->draft);
	if (schedule_draft(&form, NULL, d->now_us, &d->draft, d->fault, err) !=
		0 ||
	    (!form.force &&
	     check_runnable(c, &d->draft.schedule, d->fault, err) != 0))
		return -1;
	step.schedule = &d->draft.schedule;
	if (schedules_take_steps(d->db, &step, 1, d->now_us, err) != 0)
		return -1;
	*ret_next_us = d->draft.schedule.next_run_us;
	*ret_done = step.done;
	return 0;
}

static int
find_or_make(struct declaring *d, struct flowrra_client *c,
	     struct schedule_declared *ret, struct err *err)
{
	const char *id = has_id(d) ? d->form->id : d->wanted;
	bool done = false;
	int found, tries;

	for (tries = 0; !done && tries < TRIES_MAX; tries++) {
		found = look_for(d, id, ret->id, err);
		if (found != 0) {
			ret->existing = found > 0;
			return found > 0 ? 0 : -1;
		}
		snprintf(ret->id, sizeof(ret->id), "%s", id);
		if (make_it(d, c, id, &ret->next_us, &done, err) != 0)
			return -1;
	}
	return done ? 0
		    : err_set(
			  err, ERR_REFUSED,
			  "schedule %s is made and deleted by another client "
			  "at the same time; try again",
			  id);
}

/* Looks before the rule is checked: a moment that has passed is no mistake if its
 * schedule is there, and has run. */
int
schedule_declare(struct schedules *db, struct flowrra_client *c,
		 const struct schedule_form *form, int64_t now_us,
		 struct schedule_declared *ret, struct schedule_fault *fault,
		 struct err *err)
{
	struct declaring d = {
	    .db = db, .form = form, .now_us = now_us, .fault = fault};
	int r = -1;

	*ret = (struct schedule_declared){.existing = false};
	if (schedule_define(form, now_us, &d.draft, fault, err) != 0)
		return -1;
	if (schedules_definition_id(&d.draft.schedule, d.wanted, err) == 0)
		r = find_or_make(&d, c, ret, err);
	schedule_draft_done(&d.draft);
	return r;
}
