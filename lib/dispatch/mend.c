/* SPDX-License-Identifier: MIT */
/*
 * Workflows that lack the end of a step: something took its task out of the store, or
 * ended it, without a word to them (store/flow.h). Of those in which nothing happens any
 * more, one after the other, the steps that have been released are looked up page by
 * page, and the callbacks of one that has ended. What has a final record, or, of steps,
 * none any more, has ended. What has not may be lost.
 */
#include "dispatch/mend.h"

#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "dispatch/ending.h"
#include "util/log.h"

static void mend_next(struct mend *m);
static void mend_look(struct mend *m);

static void
mend_drop_steps(struct mend *m)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		buf_done(&m->steps[i].queue);
		buf_done(&m->steps[i].ended);
	}
	free(m->steps);
	m->steps = NULL;
	m->n = 0;
}

static void
mend_rest(struct mend *m)
{
	mend_drop_steps(m);
	m->under_way = false;
}

void
mend_list(struct buf *flows, struct slice flow)
{
	size_t at = 0;

	for (; !flows->failed && at < flows->len;
	     at += strlen(flows->data + at) + 1)
		if (slice_eq(slice_of(flows->data + at), flow))
			return;
	buf_add(flows, flow.p, flow.len);
	buf_addc(flows, '\0');
}

/* --- a page of steps --------------------------------------------------------------- */

void
mend_answered(struct mend *m)
{
	if (--m->left > 0 || mend_lost_ask(m))
		return;
	if (m->cursor.len > 0 && !m->cursor.failed)
		mend_look(m);
	else
		mend_next(m);
}

static void
mend_on_ended(struct slice value, const struct err *err, void *arg)
{
	struct mend_step *step = arg;

	if (slice_eq(value, SLICE("1")) && step->ended.len == 0)
		log_notice("workflow %s: step %s had ended, and its workflow "
			   "did not know",
			   mend_flow(step->mend), step->id);
	mend_answered(step->mend);
}

void
mend_end(struct mend_step *step, enum flow_outcome outcome)
{
	const struct flow_end end = {.flow = slice_of(mend_flow(step->mend)),
				     .step = slice_of(step->id),
				     .outcome = outcome};

	broker_flow_end_step(step->mend->dispatch->broker, &end, mend_on_ended,
			     step);
}

bool
mend_judge(enum flow_role role, struct slice record, enum flow_outcome *ret)
{
	struct buf scratch = BUF_INIT;
	struct result result;
	bool has_ended = false;

	*ret = FLOW_STEP_FAILED;
	if (record.p == NULL)
		return role == FLOW_STEP;
	if (result_decode(record, &scratch, &result, NULL) == 0 &&
	    result_status_final(result.status)) {
		*ret = ending_of_step(ending_recall(&result));
		has_ended = true;
	}
	buf_done(&scratch);
	return has_ended;
}

static void
mend_on_record(struct slice record, const struct err *err, void *arg)
{
	struct mend_step *step = arg;
	enum flow_outcome outcome;

	if (err == NULL && mend_judge(step->role, record, &outcome)) {
		mend_end(step, outcome);
		return;
	}
	if (err == NULL)
		mend_lost_suspect(step, record);
	mend_answered(step->mend);
}

static int
mend_copy(struct mend *m, const struct flow_page *page)
{
	size_t i;

	mend_drop_steps(m);
	buf_reset(&m->cursor);
	buf_add(&m->cursor, page->next.p, page->next.len);
	m->steps = calloc(page->n + 1, sizeof(*m->steps));
	if (m->steps == NULL || m->cursor.failed)
		return -1;
	for (i = 0; i < page->n; i++) {
		if (!task_id_valid(page->steps[i].id))
			continue;
		m->steps[m->n].mend = m;
		m->steps[m->n].role = page->steps[i].role;
		memcpy(m->steps[m->n++].id, page->steps[i].id.p,
		       page->steps[i].id.len);
	}
	return 0;
}

static void
mend_on_page(const struct flow_page *page, const struct err *err, void *arg)
{
	struct mend *m = arg;
	size_t i;

	/* It may be gone by now, and the next one not. */
	if (err != NULL || mend_copy(m, page) != 0) {
		mend_next(m);
		return;
	}
	m->left = 1;
	for (i = 0; i < m->n; i++) {
		m->left++;
		results_get(m->dispatch->results, slice_of(m->steps[i].id),
			    mend_on_record, &m->steps[i]);
	}
	mend_answered(m);
}

static void
mend_look(struct mend *m)
{
	broker_flow_repair(m->dispatch->broker, slice_of(mend_flow(m)),
			   (struct slice){m->cursor.data, m->cursor.len},
			   mend_on_page, m);
}

/* --- workflows ---------------------------------------------------------------------- */

static void
mend_next(struct mend *m)
{
	m->at += strlen(mend_flow(m)) + 1;
	buf_reset(&m->cursor);
	if (m->at < m->flows.len)
		mend_look(m);
	else
		mend_rest(m);
}

static void
mend_on_stale(const struct slice *names, size_t n, const struct err *err,
	      void *arg)
{
	struct mend *m = arg;
	size_t i;

	mend_lost_begin(m);
	buf_reset(&m->cursor);
	m->at = 0;
	for (i = 0; err == NULL && i < n; i++)
		mend_list(&m->flows, names[i]);
	if (m->flows.len > 0 && !m->flows.failed)
		mend_look(m);
	else
		mend_rest(m);
}

void
mend_turn(struct dispatch *d)
{
	struct mend *m = d->mend;

	if (!broker_flow_may_hang(d->broker))
		return;
	if (m == NULL && (m = d->mend = calloc(1, sizeof(*m))) == NULL)
		return;
	if (m->under_way)
		return;
	m->dispatch = d;
	m->under_way = true;
	broker_flow_stale(d->broker, mend_on_stale, m);
}

void
mend_close(struct dispatch *d)
{
	struct mend *m = d->mend;

	if (m == NULL)
		return;
	mend_drop_steps(m);
	mend_lost_done(m);
	buf_done(&m->flows);
	buf_done(&m->cursor);
	free(m);
	d->mend = NULL;
}
