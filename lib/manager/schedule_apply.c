/* SPDX-License-Identifier: MIT */
/*
 * Makes the schedules those of a file: what is there is read, each entry
 * becomes a step or none, and the steps are carried out in batches.
 *
 * A step that somebody else was faster with is planned again, by what is there
 * then; so is what a scheduler has claimed meanwhile.
 */
#include "manager/schedule_apply_private.h"
#include "manager/schedule_private.h"

#include <stdlib.h>
#include <string.h>

#include "manager/schedule_said.h"
#include "manager/schedules_private.h"
#include "util/err.h"

#define TRIES_MAX 20

/* --- planning ---------------------------------------------------------------- */

/* Of an entry with an ID: what is there keeps the zone that it was made with, or a
 * default that is changed would move it. */
static int
place_entry(const struct applying *ap, struct schedule_entry *e,
	    const struct schedule *old, struct err *err)
{
	const bool keeps = old != NULL && old->type != SCHEDULE_INTERVAL;
	struct schedule_draft draft;
	struct schedule_fault fault;
	int r;

	if (!applying_wants_zone(&e->form))
		return 0;
	e->form.tz = keeps ? old->tz : ap->a->zone;
	if (!is_given(e->form.tz))
		return 0;
	if (schedule_define(&e->form, ap->a->now_us, &draft, &fault, err) != 0)
		return -1;
	r = schedules_definition_id(&draft.schedule, e->id, err);
	schedule_draft_done(&draft);
	return r;
}

/* --- planning -------------------------------------------------------------- */

/* Each name is asked about once; those of steps by the client. */
static int
check_task(struct applying *ap, const struct planned *p,
	   struct schedule_fault *fault, struct err *err)
{
	const struct schedule_form *form = &p->entry->form;
	char **names;
	size_t i;

	if (ap->a->force || form->force)
		return 0;
	if (schedule_work(&p->draft.schedule) == SCHEDULE_WORKFLOW)
		return check_runnable(ap->a->client, &p->draft.schedule, fault,
				      err);
	for (i = 0; i < ap->n_names; i++)
		if (strcmp(ap->names[i], form->task) == 0)
			return 0;
	if (check_registered(ap->a->client, form->task, fault, err) != 0)
		return -1;
	names = reallocarray(ap->names, ap->n_names + 1, sizeof(*names));
	if (names == NULL)
		return err_nomem(err);
	ap->names = names;
	names[ap->n_names] = strdup(form->task);
	return names[ap->n_names++] != NULL ? 0 : err_nomem(err);
}

/* Whose it shall be. */
static int
choose_owner(const struct applying *ap, const struct schedule_entry *e,
	     const struct schedule *old, const char **ret, struct err *err)
{
	const char *wanted = e->owner != NULL ? e->owner : ap->owner;
	const char *has = old != NULL ? old->owner : "";

	*ret = wanted != NULL ? wanted : has;
	if (wanted == NULL || has[0] == '\0' || strcmp(wanted, has) == 0 ||
	    ap->a->take)
		return 0;
	return err_set(err, ERR_REFUSED,
		       "schedule %s is of the owner %s and not of %s; choose "
		       "another ID, or use --take-over",
		       e->form.id, has, wanted);
}

/* That of who applies the file, or what is there keeps its own. */
static void
place_trace(const struct applying *ap, struct schedule_form *form,
	    const struct schedule *old)
{
	if (is_given(form->traceparent))
		return;
	form->traceparent = ap->a->traceparent;
	if (!is_given(form->traceparent) && old != NULL)
		form->traceparent = old->traceparent;
}

/* By the id that is made of a definition, which costs nothing more here: the
 * entry's is known. A schedule that is set aside is not what the file asks for,
 * since it does not fire; to say it again computes its next run. */
static bool
says_nothing_new(const struct planned *p, const struct schedule *old,
		 const char *owner)
{
	char id[SCHEDULE_ID_MAX + 1];

	return old->enabled == p->entry->form.enabled &&
	       old->fault[0] == '\0' && strcmp(old->owner, owner) == 0 &&
	       schedules_definition_id(old, id, NULL) == 0 &&
	       strcmp(id, p->entry->id) == 0;
}

/* What the entry comes to, beside what is there. */
static int
plan_entry(struct applying *ap, struct planned *p, const struct schedule *old,
	   struct schedule_fault *fault, struct err *err)
{
	struct schedule_entry *e = p->entry;
	const char *owner;

	fault->field = "tz";
	if (place_entry(ap, e, old, err) != 0)
		return -1;
	fault->field = "owner";
	if (choose_owner(ap, e, old, &owner, err) != 0)
		return -1;
	place_trace(ap, &e->form, old);
	p->does_something = old == NULL || !says_nothing_new(p, old, owner);
	p->ended = !p->does_something && old->enabled &&
		   (old->next_run_us == 0 || old->next_run_us == INT64_MAX);
	if (!p->does_something)
		return 0;
	schedule_draft_done(&p->draft);
	if (schedule_draft_with(&ap->zones, &e->form, old, ap->a->now_us,
				&p->draft, fault, err) != 0)
		return -1;
	if ((old == NULL || makes_another(old, &p->draft.schedule)) &&
	    check_task(ap, p, fault, err) != 0)
		return -1;
	p->draft.schedule.owner = owner;
	p->step = (struct schedules_step){
	    .kind = old != NULL ? SCHEDULES_SET : SCHEDULES_ADD,
	    .schedule = &p->draft.schedule,
	    .dropped = p->draft.dropped.n > 0 ? &p->draft.dropped : NULL};
	if (old == NULL)
		return 0;
	p->step.old_updated_us = old->updated_us;
	p->step.old_next_run_us = old->next_run_us;
	json_decref(p->fields);
	p->fields = schedule_differences(old, &p->draft.schedule);
	if (old->fault[0] != '\0')
		json_object_set_new(p->fields, "fault",
				    json_pack("[s,n]", old->fault));
	return 0;
}

/* In the order of the file, in which they are reported, too. */
static void
plan_entries(struct applying *ap)
{
	struct schedule_fault fault;
	struct planned *p;
	struct err why;
	size_t i;

	for (i = 0; i < ap->file->n; i++) {
		p = &ap->planned[ap->n_planned++];
		p->entry = &ap->file->entries[i];
		why = (struct err)ERR_INIT;
		if (plan_entry(ap, p, applying_find(ap, p->entry->form.id),
			       &fault, &why) != 0)
			applying_mistake(ap, p->entry, fault.field, &why);
	}
}

/* As the database orders them: byte by byte. */
static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Those of the owner that the file has no more. */
static int
plan_removals(struct applying *ap, struct err *err)
{
	const size_t n = ap->file->n;
	const char **ids = calloc(n + 1, sizeof(*ids));
	const struct schedule *s;
	struct planned *p;
	size_t i;

	if (ids == NULL)
		return err_nomem(err);
	for (i = 0; i < n; i++)
		ids[i] = ap->file->entries[i].form.id;
	qsort(ids, n, sizeof(*ids), compare_ids);
	for (i = 0; i < ap->n_there; i++) {
		s = ap->there[i];
		if (strcmp(s->owner, ap->owner) != 0 ||
		    bsearch(&s->id, ids, n, sizeof(*ids), compare_ids) != NULL)
			continue;
		p = &ap->planned[ap->n_planned++];
		p->gone = (struct schedule){.id = s->id, .owner = s->owner};
		p->step = (struct schedules_step){.kind = SCHEDULES_DROP,
						  .schedule = &p->gone};
		p->does_something = true;
	}
	free(ids);
	return 0;
}

/* --- carrying out ---------------------------------------------------------- */

/* One that was overtaken, by what is there now. */
static int
again(struct applying *ap, struct planned *p, struct err *err)
{
	struct schedules_list *page = NULL;
	struct schedule_fault fault;
	struct err why = ERR_INIT;
	int tries;

	/* A schedule that is gone, or somebody else's, is not to be removed. */
	if (p->entry == NULL) {
		p->does_something = false;
		return 0;
	}
	for (tries = 0; tries < TRIES_MAX && p->does_something && !p->step.done;
	     tries++) {
		if (schedules_get(ap->db, p->entry->form.id, &page, &why) !=
			0 &&
		    why.code != ERR_NOT_FOUND)
			return err_set(err, why.code, "%s", why.msg);
		if (page != NULL && applying_add(ap, page, err) != 0)
			return -1;
		if (plan_entry(ap, p, page != NULL ? &page->items[0] : NULL,
			       &fault, err) != 0 ||
		    (p->does_something &&
		     schedules_take_steps(ap->db, &p->step, 1, ap->a->now_us,
					  err) != 0))
			return -1;
		page = NULL;
	}
	if (p->step.done || !p->does_something)
		return 0;
	return err_set(err, ERR_REFUSED,
		       "schedule %s is changed by another client all the time; "
		       "apply the file again",
		       p->entry->form.id);
}

static const char *
planned_id(const struct planned *p)
{
	return p->entry != NULL ? p->entry->form.id : p->gone.id;
}

static int
compare_planned(const void *a, const void *b)
{
	return strcmp(planned_id(*(struct planned *const *)a),
		      planned_id(*(struct planned *const *)b));
}

/* Those that do something, in one order whatever the file has: so two files that
 * are applied at the same time do not wait for each other. */
static struct planned **
sort_planned(const struct applying *ap, size_t *ret_n)
{
	struct planned **sorted = calloc(ap->n_planned + 1, sizeof(void *));
	size_t i, n = 0;

	for (i = 0; sorted != NULL && i < ap->n_planned; i++)
		if (ap->planned[i].does_something)
			sorted[n++] = &ap->planned[i];
	if (n > 0)
		qsort(sorted, n, sizeof(void *), compare_planned);
	*ret_n = n;
	return sorted;
}

/* A batch is one transaction: with one for each schedule, ten thousand would
 * wait for the disk ten thousand times; with one for all, everybody else would
 * wait for them. An error in between leaves whole batches done, and applying the
 * file again does the rest. */
static int
carry_out(struct applying *ap, struct err *err)
{
	struct schedules_step *steps =
	    calloc(SCHEDULES_STEPS_MAX, sizeof(*steps));
	struct planned **sorted;
	size_t i, n, k, all = 0;
	int result = 0;

	sorted = sort_planned(ap, &all);
	if (steps == NULL || sorted == NULL)
		result = err_nomem(err);
	for (i = 0; steps != NULL && result == 0 && i < all; i += n) {
		n = all - i < SCHEDULES_STEPS_MAX ? all - i
						  : SCHEDULES_STEPS_MAX;
		for (k = 0; k < n; k++)
			steps[k] = sorted[i + k]->step;
		result =
		    schedules_take_steps(ap->db, steps, n, ap->a->now_us, err);
		for (k = 0; result == 0 && k < n; k++) {
			sorted[i + k]->step.done = steps[k].done;
			if (!steps[k].done)
				result = again(ap, sorted[i + k], err);
		}
	}
	free(sorted);
	free(steps);
	return result;
}

/* What was done, or with a dry run would be. */
static json_t *
report(const struct applying *ap)
{
	json_t *created = json_array(), *changed = json_array(),
	       *removed = json_array(), *ended = json_array();
	json_int_t unchanged = 0;
	const struct planned *p;
	size_t i;

	for (i = 0; i < ap->n_planned; i++) {
		p = &ap->planned[i];
		if (p->ended)
			json_array_append_new(ended,
					      json_string(p->entry->form.id));
		if (!p->does_something)
			unchanged += p->entry != NULL;
		else if (p->step.kind == SCHEDULES_ADD)
			json_array_append_new(created,
					      json_string(p->entry->form.id));
		else if (p->step.kind == SCHEDULES_DROP)
			json_array_append_new(removed, json_string(p->gone.id));
		else
			json_array_append_new(changed,
					      json_pack("{s:s,s:O}", "id",
							p->entry->form.id,
							"fields", p->fields));
	}
	return json_pack("{s:b,s:o,s:o,s:o,s:I,s:o}", "dry_run", ap->a->dry_run,
			 "created", created, "changed", changed, "removed",
			 removed, "unchanged", unchanged, "ended", ended);
}

/* --- all ------------------------------------------------------------------- */

/* A file that is applied under a wrong name would take away the schedules of
 * another one with --prune: so two names that differ are refused, and so is
 * --prune without any. */
static int
choose_file_owner(struct applying *ap, struct err *err)
{
	const char *given = ap->a->owner, *said = ap->file->owner;

	ap->owner = given != NULL ? given : said;
	if (given != NULL && said != NULL && strcmp(given, said) != 0)
		return err_set(err, ERR_USAGE,
			       "the file is of the owner %.128s, and --owner "
			       "says %.128s",
			       said, given);
	if (ap->owner != NULL && (strlen(ap->owner) > SCHEDULE_OWNER_MAX ||
				  !task_id_valid(slice_of(ap->owner))))
		return err_set(err, ERR_DATA,
			       "owner: not 1 to %d printable ASCII characters "
			       "without spaces",
			       SCHEDULE_OWNER_MAX);
	/* Most likely it was cut off, or what should have made it has failed. */
	if (ap->a->prune && ap->file->n == 0 && !ap->file->none)
		return err_set(err, ERR_DATA,
			       "no schedule is in it, and --prune would remove "
			       "all of its owner; if that is meant, apply a "
			       "file with []");
	if (ap->a->prune && ap->owner == NULL)
		return err_set(err, ERR_USAGE,
			       "--prune needs to know whose schedules may be "
			       "removed: give --owner, or owner in the file");
	return 0;
}

/* Nothing is changed before all of it is known to be right. */
static int
plan(struct applying *ap, struct err *err)
{
	if (applying_judge(ap, err) != 0)
		return -1;
	if (ap->mistakes == 0) {
		if (applying_read(ap, err) != 0)
			return -1;
		ap->planned =
		    calloc(ap->file->n + ap->n_there + 1, sizeof(*ap->planned));
		if (ap->planned == NULL)
			return err_nomem(err);
		plan_entries(ap);
		if (ap->a->prune && plan_removals(ap, err) != 0)
			return -1;
	}
	if (ap->mistakes == 0)
		return 0;
	return err_set(err, ap->first.code,
		       "%zu mistake%s; nothing was changed", ap->mistakes,
		       ap->mistakes > 1 ? "s" : "");
}

static void
applying_done(struct applying *ap)
{
	size_t i;

	for (i = 0; i < ap->n_planned; i++) {
		json_decref(ap->planned[i].fields);
		schedule_draft_done(&ap->planned[i].draft);
	}
	for (i = 0; i < ap->n_pages; i++)
		schedules_list_free(ap->pages[i]);
	for (i = 0; i < ap->n_names; i++)
		free(ap->names[i]);
	free(ap->planned);
	free(ap->pages);
	free((void *)ap->there);
	free(ap->names);
	schedule_zones_done(&ap->zones);
}

json_t *
schedule_apply(struct schedules *db, struct schedule_file *file,
	       const struct schedule_apply *a, struct err *err)
{
	struct applying ap = {.db = db, .a = a, .file = file};
	json_t *answer = NULL;

	if (choose_file_owner(&ap, err) != 0 ||
	    schedule_zones_init(&ap.zones, err) != 0)
		return NULL;
	if (plan(&ap, err) == 0 && (a->dry_run || carry_out(&ap, err) == 0)) {
		answer = report(&ap);
		if (answer == NULL)
			err_nomem(err);
	}
	applying_done(&ap);
	return answer;
}
