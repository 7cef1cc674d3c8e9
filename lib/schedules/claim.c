/* SPDX-License-Identifier: MIT */
/*
 * Claims: due schedules are locked, decided upon, and written back together
 * with their fires, in one transaction.
 *
 * What the callbacks decide is gathered first, in a plan, and then written
 * (claim_write.c).
 */
#include "schedules/claim.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "schedules/claim_plan.h"
#include "schedules/handle.h"
#include "schedules/row.h"
#include "util/err.h"

/* The most that one transaction may lock; see schedules.h. */
#define LIMIT_MAX 10000

/* The ID of the task is made here and not by the caller: it is the key against
 * duplicates, and must be the same whenever the fire is computed again. */
int
schedule_fire_add(struct schedule_verdict *verdict,
		  const struct schedule_fire *fire)
{
	struct schedules_plan *plan = verdict->plan;
	char task_id[SCHEDULE_TASK_ID_SIZE];
	struct schedule_fire whole = *fire;

	schedule_fire_id(plan->current, fire->work, fire->fire_us, task_id);
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
	struct claim_noted *grown;

	if (plan->n_noted == plan->noted_cap) {
		grown = reallocarray(plan->noted, cap, sizeof(*grown));
		if (grown == NULL) {
			plan->texts.failed = true; /* as the claim is */
			return -1;
		}
		plan->noted = grown;
		plan->noted_cap = cap;
	}
	plan->noted[plan->n_noted++] = (struct claim_noted){
	    .row = plan->decided[plan->n_decided].row, .skip = *skip};
	return 0;
}

/* A failure ends the transaction, and so the claim; the callback goes on without
 * an answer until then. */
size_t
schedule_made(const struct schedule_verdict *verdict, int64_t from_us,
	      int64_t *ret_us, size_t max)
{
	struct schedules_plan *plan = verdict->plan;
	const struct db_value values[] = {DB_S(plan->current), DB_I(from_us),
					  DB_I((int64_t)max)};
	struct db_rows rows = DB_ROWS_INIT;
	size_t i, n = 0;

	if (plan->failure.code == ERR_NONE &&
	    DB_RUN(plan->db, Q_MADE, values, &rows, NULL, &plan->failure) == 0)
		for (n = rows.n, i = 0; i < n; i++)
			ret_us[i] = db_int(&rows, i, 0);
	db_rows_done(&rows);
	return n;
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
	struct claim_decided *d = &plan->decided[plan->n_decided];
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
	const char *after = c->after != NULL ? c->after : "";
	const struct db_value due[] = {DB_I(c->now_us),
				       DB_S(c->lacks != NULL ? c->lacks : ""),
				       DB_I(limit)};
	const struct db_value all[] = {DB_S(after), DB_I(limit)};
	const struct db_value stale[] = {
	    DB_S(c->tz_data != NULL ? c->tz_data : ""),
	    DB_S(after),
	    DB_I(limit),
	};

	if (c->all)
		return DB_RUN(db, Q_CLAIM_ALL, all, &plan->rows, NULL, err);
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
	/* A question of a callback's has failed. */
	if (plan->failure.code != ERR_NONE) {
		if (err != NULL)
			*err = plan->failure;
		return -1;
	}
	return claim_write(db, plan, err);
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
	struct schedules_plan plan = {
	    .claim = c, .db = s->db, .failure = ERR_INIT};
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
