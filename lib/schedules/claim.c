/* SPDX-License-Identifier: MIT */
/*
 * Claims: due schedules are locked, decided upon, and written back together
 * with their fires, in one transaction.
 *
 * What the callbacks decide is gathered first, in a plan, and then written with
 * one call for all schedules and one for all fires: where a statement is a
 * round trip to a server, that is what makes thousands of them quick.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "schedules/fires.h"
#include "schedules/handle.h"
#include "schedules/row.h"
#include "util/err.h"

/* The most that one transaction may lock; see schedules.h. */
#define LIMIT_MAX 10000
/* As many as Q_ADD_FIRE and Q_SETTLE have parameters. */
#define FIRE_VALUES 9
#define SETTLE_VALUES 7
#define SKIPPED_VALUES 6

/* What one verdict was, its texts as places in `texts`. Without a plan in the
 * verdict it is of a row that could not be read: only its fault is written. */
struct decided {
	size_t row;
	struct schedule_verdict verdict;
	size_t tz_data, fault;
};

/* Skipped fires of the schedule of a row. */
struct noted {
	size_t row;
	struct schedule_skip skip;
};

/* A claim under way, between the rows that were locked and what is written. */
struct schedules_plan {
	const struct schedules_claim *claim;
	struct db_rows rows;	 /* each is locked until the transaction ends */
	const char *current;	 /* id of the schedule in the callback */
	struct decided *decided; /* one for each row, in their order */
	size_t n_decided;
	struct buf texts;
	struct fires fires;
	struct noted *noted; /* skipped fires */
	size_t n_noted, noted_cap;
	int64_t token; /* tells this claim's fires from others */
};

/* The ID of the task is made here and not by the caller: it is the key against
 * duplicates, and must be the same whenever the fire is computed again. */
int
schedule_fire_add(struct schedule_verdict *verdict,
		  const struct schedule_fire *fire)
{
	struct schedules_plan *plan = verdict->plan;
	char task_id[SCHEDULE_TASK_ID_SIZE];
	struct schedule_fire whole = *fire;

	schedule_task_id(plan->current, fire->fire_us, task_id);
	whole.schedule = plan->current;
	whole.task_id = task_id;
	whole.created_us = plan->claim->now_us;
	return fires_add(&plan->fires, &whole);
}

int
schedule_skip_add(struct schedule_verdict *verdict,
		  const struct schedule_skip *skip)
{
	struct schedules_plan *plan = verdict->plan;
	size_t cap = plan->noted_cap == 0 ? 16 : plan->noted_cap * 2;
	struct noted *grown;

	if (plan->n_noted == plan->noted_cap) {
		grown = reallocarray(plan->noted, cap, sizeof(*grown));
		if (grown == NULL) {
			plan->texts.failed = true; /* as the claim is */
			return -1;
		}
		plan->noted = grown;
		plan->noted_cap = cap;
	}
	plan->noted[plan->n_noted++] = (struct noted){
	    .row = plan->decided[plan->n_decided].row, .skip = *skip};
	return 0;
}

/* Returns where the copy begins: `texts` may move until all are in. Texts that
 * are too long are cut, for the column would refuse the whole claim. */
static size_t
keep_text(struct buf *texts, const char *text, size_t max)
{
	struct slice kept = row_cut(text != NULL ? text : "", max);
	size_t at = texts->len;

	buf_add(texts, kept.p, kept.len);
	buf_addc(texts, '\0');
	return at;
}

/* Decides about one row, or sets it aside if it cannot be read. A bad row must
 * not fail the claim: it would fail all later ones, too. */
static void
decide(struct schedules_plan *plan, size_t row, struct schedules_claimed *ret)
{
	struct decided *d = &plan->decided[plan->n_decided];
	struct schedule_verdict *v = &d->verdict;
	struct schedule schedule;

	d->row = row;
	if (row_read(&plan->rows, row, &schedule)) {
		*v = (struct schedule_verdict){
		    .next = {.next_run_us = schedule.next_run_us,
			     .due_us = schedule.due_us,
			     .tz_data = schedule.tz_data},
		    .last_run_us = schedule.last_run_us,
		    .runs = schedule.runs,
		    .plan = plan,
		};
		plan->current = schedule.id;
		plan->claim->decide(&schedule, v, plan->claim->arg);
	} else {
		*v = (struct schedule_verdict){.fault = schedule.fault};
	}
	d->tz_data =
	    keep_text(&plan->texts, v->next.tz_data, SCHEDULE_TZ_DATA_MAX);
	d->fault = keep_text(&plan->texts, v->fault, SCHEDULE_TEXT_MAX);
	if (plan->texts.data != NULL && plan->texts.data[d->fault] != '\0')
		ret->set_aside++;
	/* Bad rows have no plan: of them, only the fault is written. */
	plan->n_decided++;
}

/* --- writing ------------------------------------------------------------- */

/* The parameters of Q_SETTLE, in its order. */
static void
settle_values(const struct schedules_plan *plan, const struct decided *d,
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
		const struct decided *d = &plan->decided[i];

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
	const struct decided *d;
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

/* Leaves those in the plan that are this claim's, which its token tells. The
 * rest was in the outbox before: the claim that put it there sends it. */
static int
drop_old_fires(struct db *db, struct schedules_plan *plan, struct err *err)
{
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
		result = DB_RUN(db, Q_FIRE_CLAIM, values, &rows, NULL, err);
		if (result == 0 && rows.n > 0 &&
		    db_int(&rows, 0, 0) == plan->token)
			plan->fires.list.items[kept++] = *f;
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
		to[5] = DB_S(f->task);
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

/* --- claiming ------------------------------------------------------------ */

/* Locks the rows, where the database has locks of rows; those that another
 * claim has locked are passed over. */
static int
select_rows(struct db *db, struct schedules_plan *plan, struct err *err)
{
	const struct schedules_claim *c = plan->claim;
	int64_t limit = c->limit < 1	       ? 1
			: c->limit > LIMIT_MAX ? LIMIT_MAX
					       : (int64_t)c->limit;
	const struct db_value due[] = {DB_I(c->now_us), DB_I(limit)};
	const struct db_value stale[] = {
	    DB_S(c->tz_data != NULL ? c->tz_data : ""),
	    DB_S(c->after != NULL ? c->after : ""),
	    DB_I(limit),
	};

	if (c->tz_data != NULL)
		return DB_RUN(db, Q_CLAIM_STALE, stale, &plan->rows, NULL, err);
	return DB_RUN(db, Q_CLAIM_DUE, due, &plan->rows, NULL, err);
}

/* Inside the transaction. Nothing here is undone on failure: the rollback does
 * that, and the plan is thrown away. */
static int
claim(struct db *db, struct schedules_plan *plan, struct schedules_claimed *ret,
      struct err *err)
{
	size_t i;

	if (select_rows(db, plan, err) != 0)
		return -1;
	ret->n = plan->rows.n;
	if (ret->n == 0)
		return 0;
	plan->decided = calloc(ret->n, sizeof(*plan->decided));
	if (plan->decided == NULL)
		return err_nomem(err);
	for (i = 0; i < ret->n; i++)
		decide(plan, i, ret);
	*stpncpy(ret->last, db_text(&plan->rows, ret->n - 1, 0).p,
		 SCHEDULE_ID_MAX) = '\0';
	if (plan->texts.failed || fires_seal(&plan->fires) != 0)
		return err_nomem(err);
	/* Fires first: that a schedule goes on means that it has fired. */
	if (write_fires(db, plan, err) != 0 ||
	    write_skips(db, plan, err) != 0 || write_noted(db, plan, err) != 0)
		return -1;
	return write_schedules(db, plan, err);
}

/* A number that no other claim has, with no counter to be shared. */
static int
new_token(int64_t *ret, struct err *err)
{
	if (getrandom(ret, sizeof(*ret), 0) != (ssize_t)sizeof(*ret))
		return err_sys(err, ERR_SYSTEM, "cannot get random numbers");
	return 0;
}

int
schedules_claim(struct schedules *s, const struct schedules_claim *c,
		struct schedules_claimed *ret, struct err *err)
{
	struct schedules_plan plan = {.claim = c};
	struct schedules_claimed claimed = {.n = 0};
	int result = -1;

	if (new_token(&plan.token, err) == 0 && db_enter(s->db, err) == 0 &&
	    db_begin(s->db, err) == 0)
		result = db_end(s->db, claim(s->db, &plan, &claimed, err), err);
	/* After the commit: the outbox has the fires, and schedules_unsent()
	 * finds them, if there is no memory to return them. */
	if (result == 0 && (claimed.fires = fires_take(&plan.fires)) == NULL)
		result = err_nomem(err);
	if (result == 0)
		*ret = claimed;
	fires_done(&plan.fires);
	buf_done(&plan.texts);
	free(plan.noted);
	free(plan.decided);
	db_rows_done(&plan.rows);
	return result;
}
