/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: tasks that wait for an end which was just stored, and which that
 * transaction has not got to, since they are many. They go on, or are skipped, in steps
 * that follow at once, between which other jobs have their turn. If this process dies
 * before, housekeeping finds them.
 */
#include "store/sqlite/record.h"
#include "store/sqlite/results.h"
#include "store/sqlite/waits.h"

static int
behind_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct sbehind *b = container_of(job, struct sbehind, job);
	const struct slice list = {b->list.data, b->list.len};
	struct stotals totals;

	/* A job may run again from the start. */
	buf_reset(&b->rest);
	if (stotals_get_run(tx, &totals, err) != 0)
		return -1;
	totals.behind = &b->rest;
	if (swaits_go_on_run(tx, list, &totals, err) != 0)
		return -1;
	return stotals_set_run(tx, &totals, err);
}

/* Posts what waits as one job, unless one is under way. What there is no memory for is
 * left to housekeeping. */
static void
behind_push(struct sresults *r)
{
	struct sbehind *b = &r->behind;

	if (b->under_way || b->next.len == 0)
		return;
	buf_reset(&b->list);
	buf_add(&b->list, b->next.data, b->next.len);
	buf_reset(&b->next);
	if (b->list.failed)
		return;
	b->under_way = true;
	database_post(&r->user, &b->job);
}

static void
behind_done(struct database_job *job, const struct err *err)
{
	struct sbehind *b = container_of(job, struct sbehind, job);
	struct sresults *r = container_of(b, struct sresults, behind);

	b->under_way = false;
	if (err == NULL)
		buf_add(&b->next, b->rest.data, b->rest.len);
	behind_push(r);
}

void
sbehind_init(struct sresults *r)
{
	r->behind.job = (struct database_job){.run = behind_run,
					      .done = behind_done,
					      .sync = DATABASE_SOON,
					      .absent = DATABASE_FAIL,
					      .rows = SWAITS_STEP};
}

void
sbehind_done_with(struct sresults *r)
{
	buf_done(&r->behind.found);
	buf_done(&r->behind.next);
	buf_done(&r->behind.list);
	buf_done(&r->behind.rest);
}

void
sbehind_add(struct sresults *r)
{
	struct sbehind *b = &r->behind;

	if (b->found.len == 0)
		return;
	buf_add(&b->next, b->found.data, b->found.len);
	behind_push(r);
}
