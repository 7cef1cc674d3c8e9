/* SPDX-License-Identifier: MIT */
/*
 * Steps of workflows that are lost (store/lost.h): they have been released, but no place
 * of their queues has them, and their records will never be final. They are looked for
 * when nothing happens any more in their workflow.
 *
 * A step that has been released was in its queue, until it ended; and its final record
 * is stored before it leaves the queue. Only what a person moves or takes out is for a
 * moment nowhere, and what a worker of another kind keeps to itself. So it is lost if it
 * is nowhere once more after [worker] lost_after, and its record is to the byte what it
 * was.
 */
#include <stdlib.h>
#include <string.h>

#include "dispatch/mend.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/sha.h"

static int64_t
mend_lost_ms(const struct mend *m)
{
	return m->dispatch->conf->worker.lost_after / 1000;
}

static bool
mend_lost_is_due(const struct mend *m, const struct lost_suspect *s)
{
	return clock_mono_ms() - s->since_ms >= mend_lost_ms(m);
}

void
mend_lost_begin(struct mend *m)
{
	const struct lost_suspect *s;
	const struct buf none = BUF_INIT;

	for (; m->judged > 0; m->judged--)
		lost_drop_first(&m->suspects);
	if (m->suspects.n == 0)
		lost_init(&m->suspects);
	STAILQ_FOREACH (s, &m->suspects.list, link)
		m->judged += mend_lost_is_due(m, s);
	buf_reset(&m->flows);
	if (m->judged == 0)
		return;
	buf_done(&m->flows);
	m->flows = m->suspected;
	m->suspected = none;
}

void
mend_lost_done(struct mend *m)
{
	lost_done(&m->suspects);
	buf_done(&m->suspected);
}

static void
mend_lost_digest(struct slice record, char digest[LOST_DIGEST_SIZE])
{
	unsigned char sha[SHA1_SIZE];

	sha1(record, sha);
	sha_hex(sha, SHA1_SIZE, digest);
}

void
mend_lost_suspect(struct mend_step *step, struct slice record)
{
	const struct mend *m = step->mend;
	struct buf ended = BUF_INIT;

	if (broker_flow_hides_steps(m->dispatch->broker) &&
	    upkeep_read_lost(m->dispatch, record, true, &step->queue, &ended)) {
		buf_addc(&step->queue, '\0');
		mend_lost_digest(record, step->digest);
		step->suspect = !step->queue.failed;
	}
	buf_done(&ended);
}

/* --- those that are lost -------------------------------------------------------- */

/* A final record that came first is found by the next look. */
static void
mend_lost_on_stored(struct results_put *put)
{
	struct mend_step *step = container_of(put, struct mend_step, put);
	struct dispatch *d = step->mend->dispatch;
	const struct broker_trimmed lost = {.queue = slice_of(step->queue.data),
					    .lost = 1};

	if (put->answer != RESULTS_STORED) {
		mend_answered(step->mend);
		return;
	}
	log_error("workflow %s: step %s was lost", mend_flow(step->mend),
		  step->id);
	upkeep_note(d, &lost);
	results_changed(d->results, put->record);
	mend_end(step, FLOW_STEP_FAILED);
}

/* Its record may be another one by now. */
static void
mend_lost_on_record(struct slice record, const struct err *err, void *arg)
{
	struct mend_step *step = arg;
	const struct dispatch *d = step->mend->dispatch;
	char digest[LOST_DIGEST_SIZE];

	if (err == NULL)
		mend_lost_digest(record, digest);
	buf_reset(&step->queue);
	if (err != NULL || strcmp(digest, step->digest) != 0 ||
	    !upkeep_read_lost(d, record, true, &step->queue, &step->ended)) {
		mend_answered(step->mend);
		return;
	}
	buf_addc(&step->queue, '\0');
	step->put =
	    (struct results_put){.id = slice_of(step->id),
				 .record = {step->ended.data, step->ended.len},
				 .final = true,
				 .failed = true,
				 .ttl_s = dispatch_ttl_s(d),
				 .on_done = mend_lost_on_stored};
	results_put(d->results, &step->put);
}

/* It is nowhere: was it so long ago? */
static bool
mend_lost_is_sure(const struct mend_step *step)
{
	const struct mend *m = step->mend;
	const struct lost_suspect *s =
	    lost_find(&m->suspects, slice_of(step->id));

	return s != NULL && strcmp(s->digest, step->digest) == 0 &&
	       mend_lost_is_due(m, s);
}

static void
mend_lost_judge(struct mend_step *step)
{
	struct mend *m = step->mend;

	if (mend_lost_is_sure(step)) {
		m->left++;
		results_get(m->dispatch->results, slice_of(step->id),
			    mend_lost_on_record, step);
	} else {
		lost_add(&m->suspects, slice_of(step->id), step->digest);
		mend_list(&m->suspected, slice_of(mend_flow(m)));
	}
}

/* --- the question ----------------------------------------------------------------- */

static struct mend_step *
mend_lost_find(struct mend *m, struct slice id)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (slice_eq(slice_of(m->steps[i].id), id))
			return &m->steps[i];
	return NULL;
}

static void
mend_lost_on_missing(const struct slice *names, size_t n, const struct err *err,
		     void *arg)
{
	struct mend *m = arg;
	struct mend_step *step;
	size_t i;

	for (i = 0; err == NULL && i < n; i++)
		if ((step = mend_lost_find(m, names[i])) != NULL)
			mend_lost_judge(step);
	mend_answered(m);
}

bool
mend_lost_ask(struct mend *m)
{
	struct slice ids[FLOW_MISSING_MAX];
	struct flow_missing ask = {.ids = ids};
	struct mend_step *step;

	for (step = m->steps; step < m->steps + m->n; step++) {
		if (!step->suspect || ask.n == FLOW_MISSING_MAX)
			continue;
		if (ask.n == 0)
			ask.queue = slice_of(step->queue.data);
		else if (!slice_eq(ask.queue, slice_of(step->queue.data)))
			continue;
		step->suspect = false;
		ids[ask.n++] = slice_of(step->id);
	}
	if (ask.n == 0)
		return false;
	m->left = 1;
	broker_flow_missing(m->dispatch->broker, &ask, mend_lost_on_missing, m);
	return true;
}
