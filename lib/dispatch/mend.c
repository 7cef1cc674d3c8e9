/* SPDX-License-Identifier: MIT */
/*
 * Workflows that lack the end of a step: something took its task out of the store, or
 * ended it, without a word to them (store/flow.h). Of those in which nothing happens any
 * more, one after the other, the steps that have been released are looked up page by
 * page; what has a final record, or none any more, has ended.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "dispatch/state.h"
#include "store/flow.h"
#include "util/log.h"

/* One of a page. */
struct mend_step {
	struct mend *mend;
	char id[TASK_ID_MAX + 1];
};

struct mend {
	struct dispatch *dispatch;
	bool under_way;
	struct buf flows; /* each with a NUL behind; `at` is the one at hand */
	size_t at;
	struct buf cursor; /* of its next page */
	struct mend_step *steps;
	size_t n;
	size_t left; /* answers, and one more while they are asked for */
};

static void mend_next(struct mend *m);
static void mend_look(struct mend *m);

static const char *
mend_flow(const struct mend *m)
{
	return m->flows.data + m->at;
}

static void
mend_rest(struct mend *m)
{
	free(m->steps);
	m->steps = NULL;
	m->n = 0;
	m->under_way = false;
}

/* --- a page of steps --------------------------------------------------------------- */

static void
mend_answered(struct mend *m)
{
	if (--m->left > 0)
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

	if (slice_eq(value, SLICE("1")))
		log_notice("workflow %s: step %s had ended, and its workflow "
			   "did not know",
			   mend_flow(step->mend), step->id);
	mend_answered(step->mend);
}

/* How it has ended; false: it has not. What has no record any more has ended long ago,
 * and nobody knows how. */
static bool
mend_judge(struct slice record, enum flow_outcome *ret)
{
	struct buf scratch = BUF_INIT;
	struct result result;
	bool has_ended = false;

	*ret = FLOW_STEP_FAILED;
	if (record.p == NULL)
		return true;
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
	struct mend *m = step->mend;
	struct flow_end end = {.flow = slice_of(mend_flow(m)),
			       .step = slice_of(step->id)};

	if (err == NULL && mend_judge(record, &end.outcome))
		broker_flow_end_step(m->dispatch->broker, &end, mend_on_ended,
				     step);
	else
		mend_answered(m);
}

static int
mend_copy(struct mend *m, const struct flow_page *page)
{
	size_t i;

	free(m->steps);
	m->n = 0;
	buf_reset(&m->cursor);
	buf_add(&m->cursor, page->next.p, page->next.len);
	m->steps = calloc(page->n + 1, sizeof(*m->steps));
	if (m->steps == NULL || m->cursor.failed)
		return -1;
	for (i = 0; i < page->n; i++) {
		if (!task_id_valid(page->steps[i].id))
			continue;
		m->steps[m->n].mend = m;
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

	buf_reset(&m->flows);
	buf_reset(&m->cursor);
	m->at = 0;
	for (i = 0; err == NULL && i < n; i++) {
		buf_add(&m->flows, names[i].p, names[i].len);
		buf_addc(&m->flows, '\0');
	}
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
	buf_done(&m->flows);
	buf_done(&m->cursor);
	free(m->steps);
	free(m);
}
