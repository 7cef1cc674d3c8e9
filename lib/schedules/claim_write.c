/* SPDX-License-Identifier: MIT */
/*
 * Writes what a claim has decided, with one call for all schedules and one for
 * all fires: where a statement is a round trip to a server, that is what makes
 * thousands of them quick.
 */
#include <stdlib.h>

#include "schedules/claim_plan.h"
#include "util/err.h"

/* As many as Q_ADD_FIRE and Q_SETTLE have parameters. */
#define FIRE_VALUES 9
#define SETTLE_VALUES 7
#define SKIPPED_VALUES 6

/* The parameters of Q_SETTLE, in its order. */
static void
settle_values(const struct schedules_plan *plan, const struct claim_decided *d,
	      struct db_value *to)
{
	const struct schedule_verdict *v = &d->verdict;
	const char *fault = plan->texts.data + d->fault;
	/* due_us is NULL where nothing is due: then no index holds the row. */
	bool is_due = v->next.next_run_us != 0 && fault[0] == '\0';

	to[0] = DB_I(v->next.next_run_us);
	to[1] = DB_O(is_due ? v->next.due_us : 0);
	to[2] = DB_I(v->last_run_us);
	to[3] = DB_I(v->runs);
	to[4] = DB_S(plan->texts.data + d->tz_data);
	to[5] = DB_S(fault);
	to[6] = *db_value(&plan->rows, d->row, 0);
}

/* Schedules that are set aside for bad data go one by one: they are rare, and
 * their other columns must stay as they are for a person to look at. */
static int
write_schedules(struct db *db, const struct schedules_plan *plan,
		struct err *err)
{
	struct db_value *values, aside[2];
	size_t i, n = 0;
	int result = 0;

	values = calloc(plan->n_decided, SETTLE_VALUES * sizeof(*values));
	if (values == NULL)
		return err_nomem(err);
	for (i = 0; i < plan->n_decided && result == 0; i++) {
		const struct claim_decided *d = &plan->decided[i];

		if (d->verdict.unchanged)
			continue;
		if (d->verdict.plan != NULL) {
			settle_values(plan, d, values + n++ * SETTLE_VALUES);
			continue;
		}
		aside[0] = DB_S(plan->texts.data + d->fault);
		aside[1] = *db_value(&plan->rows, d->row, 0);
		result = DB_RUN(db, Q_SET_ASIDE, aside, NULL, NULL, err);
	}
	if (result == 0 && n > 0)
		result = db->driver->run_many(db, Q_SETTLE, values,
					      SETTLE_VALUES, n, NULL, err);
	free(values);
	return result;
}

/* What was noted already, by a claim whose commit seemed to fail, stays. */
static int
write_noted(struct db *db, const struct schedules_plan *plan, struct err *err)
{
	struct db_value *values, *to;
	const struct schedule_skip *skip;
	size_t i;
	int result;

	if (plan->n_noted == 0)
		return 0;
	values = calloc(plan->n_noted, SKIPPED_VALUES * sizeof(*values));
	if (values == NULL)
		return err_nomem(err);
	for (i = 0, to = values; i < plan->n_noted; i++, to += SKIPPED_VALUES) {
		skip = &plan->noted[i].skip;
		to[0] = *db_value(&plan->rows, plan->noted[i].row, 0);
		to[1] = DB_I(skip->fire_us);
		to[2] = DB_I(skip->last_us);
		to[3] = DB_I(skip->n);
		to[4] = DB_S(schedule_reason_name(skip->reason));
		to[5] = DB_I(plan->claim->now_us);
	}
	result = db->driver->run_many(db, Q_ADD_SKIPPED, values, SKIPPED_VALUES,
				      plan->n_noted, NULL, err);
	free(values);
	return result;
}

/* The counters, which outlive the notes that thinning removes. One by one:
 * reasons are rare, and most claims have none. */
static int
write_skips(struct db *db, const struct schedules_plan *plan, struct err *err)
{
	struct db_value values[4];
	const struct claim_decided *d;
	size_t i;
	int reason;

	for (i = 0; i < plan->n_decided; i++)
		for (reason = 0; reason < SCHEDULE_N_REASONS; reason++) {
			d = &plan->decided[i];
			if (d->verdict.skipped[reason] <= 0)
				continue;
			values[0] = *db_value(&plan->rows, d->row, 0);
			values[1] = DB_S(
			    schedule_reason_name((enum schedule_reason)reason));
			values[2] = DB_I(d->verdict.skipped[reason]);
			values[3] = DB_I(plan->claim->now_us);
			if (DB_RUN(db, Q_ADD_SKIP, values, NULL, NULL, err) !=
			    0)
				return -1;
		}
	return 0;
}

/* A fire that was made before counts for what it was then. If its schedule
 * seemed to be used up with it, the schedule goes on behind it. */
static void
uncount_fire(struct claim_decided *d)
{
	struct schedule_verdict *v = &d->verdict;

	v->runs--;
	if (v->next.next_run_us != 0 || v->unless_made.next_run_us == 0)
		return;
	v->next.next_run_us = v->unless_made.next_run_us;
	v->next.due_us = v->unless_made.due_us;
}

/* Leaves those in the plan that are this claim's, which its token tells. The
 * rest was in the outbox before: the claim that put it there sends it. Fires
 * are in the order of the schedules that they are of. */
static int
drop_old_fires(struct db *db, struct schedules_plan *plan, struct err *err)
{
	struct claim_decided *d = plan->decided;
	struct db_value values[2];
	struct schedule_fire *f;
	struct db_rows rows;
	size_t i, kept = 0;
	int result = 0;

	for (i = 0; i < plan->fires.list.n && result == 0; i++) {
		f = &plan->fires.list.items[i];
		rows = (struct db_rows)DB_ROWS_INIT;
		values[0] = DB_S(f->schedule);
		values[1] = DB_I(f->fire_us);
		while (!slice_eq(db_text(&plan->rows, d->row, 0), values[0].s))
			d++;
		result = DB_RUN(db, Q_FIRE_CLAIM, values, &rows, NULL, err);
		if (result == 0 && rows.n > 0 &&
		    db_int(&rows, 0, 0) == plan->token)
			plan->fires.list.items[kept++] = *f;
		else if (result == 0)
			uncount_fire(d);
		db_rows_done(&rows);
	}
	if (result == 0)
		plan->fires.list.n = kept;
	return result;
}

/* Writes all of them into the outbox, and keeps in the plan those that are new
 * there: what the caller is to send. */
static int
write_fires(struct db *db, struct schedules_plan *plan, struct err *err)
{
	size_t i, n = plan->fires.list.n;
	struct db_value *values, *to;
	int64_t changed = 0;
	int result;

	if (n == 0)
		return 0;
	if ((values = calloc(n, FIRE_VALUES * sizeof(*values))) == NULL)
		return err_nomem(err);
	for (i = 0, to = values; i < n; i++, to += FIRE_VALUES) {
		const struct schedule_fire *f = &plan->fires.list.items[i];

		to[0] = DB_S(f->schedule);
		to[1] = DB_I(f->fire_us);
		to[2] = DB_S(f->task_id);
		to[3] = DB_S(f->queue);
		to[4] = DB_I(f->priority);
		to[5] = DB_S(f->body);
		to[6] = to[7] = DB_I(f->created_us); /* it waits from now on */
		to[8] = DB_I(plan->token);
	}
	/* A fire that is there already is left as it is and not counted:
	 * another claim has made it, or this one's commit was carried out
	 * although it seemed to fail. */
	result = db->driver->run_many(db, Q_ADD_FIRE, values, FIRE_VALUES, n,
				      &changed, err);
	free(values);
	if (result == 0 && changed < (int64_t)n)
		result = drop_old_fires(db, plan, err);
	return result;
}

/* Fires first: that a schedule goes on means that it has fired. */
int
claim_write(struct db *db, struct schedules_plan *plan, struct err *err)
{
	if (write_fires(db, plan, err) != 0 ||
	    write_skips(db, plan, err) != 0 || write_noted(db, plan, err) != 0)
		return -1;
	return write_schedules(db, plan, err);
}
