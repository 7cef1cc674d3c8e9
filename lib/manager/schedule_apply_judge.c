/* SPDX-License-Identifier: MIT */
/*
 * What can be said against a file of schedules without asking a server.
 *
 * All of it is said at once, whatever kind of mistake it is: so that a person can
 * put all right before the next try.
 */
#include "manager/schedule_apply_private.h"
#include "manager/schedule_private.h"

#include <stdlib.h>
#include <string.h>

#include "beat/rule.h"
#include "util/err.h"

/* Later mistakes of a file are most likely the same ones. */
#define MISTAKES_MAX 20

/* The first one makes the exit status. */
void
applying_mistake(struct applying *ap, const struct schedule_entry *e,
		 const char *field, const struct err *why)
{
	if (ap->mistakes++ == 0)
		ap->first = *why;
	if (ap->mistakes <= MISTAKES_MAX)
		ap->a->tell(ap->a->arg, schedule_entry_line(e, field),
			    why->msg);
}

bool
applying_wants_zone(const struct schedule_form *form)
{
	return !is_given(form->tz) && is_given(form->type) &&
	       strcmp(form->type, "interval") != 0 &&
	       (form->rule == NULL || cron_zone(form->rule).p == NULL);
}

/* An expression that is wrong is so everywhere; a zone may be missing here only,
 * and what is there already needs none. */
static int
judge_rule(struct applying *ap, const struct schedule *s, struct err *err)
{
	struct cron_fault cron;
	struct rule rule;

	return rule_read(s, ap->zones.set, &rule, &cron, err) == 0 ||
		       (s->type == SCHEDULE_CRON && cron.code == CRON_NONE)
		   ? 0
		   : -1;
}

static void
judge_entry(struct applying *ap, struct schedule_entry *e,
	    const struct schedule *s)
{
	struct err why = ERR_INIT;

	if (schedules_definition_id(s, e->id, &why) != 0) {
		applying_mistake(ap, e, NULL, &why);
		return;
	}
	if (!is_given(e->form.id))
		e->form.id = e->id;
	if (judge_rule(ap, s, &why) != 0)
		applying_mistake(ap, e, "rule", &why);
}

/* Of a file without IDs, they are made of what the entries say. */
static void
judge_entries(struct applying *ap)
{
	struct schedule_draft draft;
	struct schedule_fault fault;
	struct schedule_entry *e;
	struct err why;
	size_t i;

	for (i = 0; i < ap->file->n; i++) {
		e = &ap->file->entries[i];
		why = (struct err)ERR_INIT;
		if (applying_wants_zone(&e->form) && !is_given(e->form.id))
			e->form.tz = ap->a->zone;
		if (schedule_define(&e->form, ap->a->now_us, &draft, &fault,
				    &why) != 0) {
			applying_mistake(ap, e, fault.field, &why);
			continue;
		}
		judge_entry(ap, e, &draft.schedule);
		schedule_draft_done(&draft);
	}
}

/* By ID, and those of one ID as they stand in the file: the later one is the
 * mistake. */
static int
compare_entries(const void *a, const void *b)
{
	const struct schedule_entry *p = *(struct schedule_entry *const *)a,
				    *q = *(struct schedule_entry *const *)b;
	const int order = strcmp(p->form.id, q->form.id);

	return order != 0 ? order : p->line - q->line;
}

/* Which of two counts would depend on their order; so neither does. One with
 * another mistake may have no ID yet. */
static int
find_twins(struct applying *ap, struct err *err)
{
	struct schedule_entry **sorted =
	    calloc(ap->file->n + 1, sizeof(void *));
	struct err why = ERR_INIT;
	size_t i, n = 0;

	if (sorted == NULL)
		return err_nomem(err);
	for (i = 0; i < ap->file->n; i++)
		if (is_given(ap->file->entries[i].form.id))
			sorted[n++] = &ap->file->entries[i];
	qsort(sorted, n, sizeof(void *), compare_entries);
	for (i = 1; i < n; i++) {
		if (strcmp(sorted[i]->form.id, sorted[i - 1]->form.id) != 0)
			continue;
		err_set(&why, ERR_DATA,
			"schedule %s is in line %d, too; give each its own ID",
			sorted[i]->form.id, sorted[i - 1]->line);
		applying_mistake(ap, sorted[i], "id", &why);
	}
	free(sorted);
	return 0;
}

int
applying_judge(struct applying *ap, struct err *err)
{
	judge_entries(ap);
	return find_twins(ap, err);
}

int
schedule_apply_judge(struct schedule_file *file, const struct schedule_apply *a,
		     struct err *err)
{
	struct applying ap = {.a = a, .file = file};
	int result;

	if (schedule_zones_init(&ap.zones, err) != 0)
		return -1;
	result = applying_judge(&ap, err);
	schedule_zones_done(&ap.zones);
	return result;
}
