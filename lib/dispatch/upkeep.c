/* SPDX-License-Identifier: MIT */
/*
 * Housekeeping: the dead lists keep within [worker] dead_max, dead_max_bytes
 * and dead_ttl, and what was lost is said to be so.
 *
 * The broker does it, if this worker is the one. Here it is asked to, and what
 * it has deleted is counted, for metrics and the doctor, and logged: a flood of
 * failures must not become a flood of lines.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "dispatch/state.h"
#include "store/flow.h"
#include "util/clock.h"

/* Between two lines of the log. */
#define TELL_MS 60000
/* Queues whose counts are kept while the backend is away: what further ones
 * lose is in the log only. */
#define COUNTS_MAX (MEASURE_BATCH_MAX / 2)

/* NULL: there is no room for one more. */
static struct upkeep_count *
upkeep_find(struct upkeep *u, struct slice queue)
{
	struct upkeep_count *c;

	for (c = u->counts; c != NULL; c = c->next)
		if (slice_eq(slice_of(c->queue), queue))
			return c;
	if (u->n_counts == COUNTS_MAX ||
	    (c = calloc(1, sizeof(*c) + queue.len + 1)) == NULL)
		return NULL;
	memcpy(c->queue, queue.p, queue.len);
	c->next = u->counts;
	u->counts = c;
	u->n_counts++;
	return c;
}

void
upkeep_note(struct dispatch *d, const struct broker_trimmed *trimmed)
{
	struct upkeep *u = &d->upkeep;
	struct upkeep_count *c = upkeep_find(u, trimmed->queue);

	u->beyond += trimmed->beyond;
	u->expired += trimmed->expired;
	u->lost += trimmed->lost;
	if (c == NULL)
		return;
	c->beyond += trimmed->beyond;
	c->expired += trimmed->expired;
}

static void
upkeep_forget(struct upkeep *u)
{
	struct upkeep_count *c;

	while ((c = u->counts) != NULL) {
		u->counts = c->next;
		free(c);
	}
	u->n_counts = 0;
}

/* As a tally's batch: one that is lost is missing in a chart. */
static void
upkeep_on_counted(const struct err *err, void *arg)
{
}

static void
upkeep_count(struct dispatch *d)
{
	struct measure batch[2 * COUNTS_MAX];
	const struct upkeep_count *c;
	size_t n = 0;

	if (d->upkeep.counts == NULL || !results_is_up(d->results))
		return;
	for (c = d->upkeep.counts; c != NULL; c = c->next) {
		struct measure m = {.queue = slice_of(c->queue),
				    .task = SLICE(MEASURE_OTHER)};

		m.what = MEASURE_DEAD_BEYOND;
		m.n = c->beyond;
		if (m.n > 0)
			batch[n++] = m;
		m.what = MEASURE_DEAD_EXPIRED;
		m.n = c->expired;
		if (m.n > 0)
			batch[n++] = m;
	}
	results_measure(d->results, clock_wall_us() / 1000000, batch, n,
			upkeep_on_counted, d);
	upkeep_forget(&d->upkeep);
}

/* Each time: they come in batches, and somebody has to see to it. */
static void
upkeep_log_lost(struct upkeep *u)
{
	if (u->lost > 0)
		log_error("%" PRId64 " tasks were lost: their records had not "
			  "ended, but no queue has them, and none is in "
			  "flight or dead; they are listed as failed, with "
			  "the reason \"" RESULT_LOST
			  "\"; was the store restored from an old copy, or "
			  "were keys deleted?",
			  u->lost);
	u->lost = 0;
}

static void
upkeep_log(struct upkeep *u)
{
	const int64_t now = clock_mono_ms();

	if (u->beyond + u->expired == 0 ||
	    (u->told_ms != 0 && now - u->told_ms < TELL_MS))
		return;
	u->told_ms = now;
	/* What has run out was meant to; a list that is full may be news. */
	if (u->beyond > 0)
		log_warning("%" PRId64 " tasks deleted from dead lists that "
			    "are full ([worker] dead_max, "
			    "dead_max_bytes), %" PRId64
			    " that died too long ago (dead_ttl)",
			    u->beyond, u->expired);
	else
		log_notice("%" PRId64 " tasks deleted from dead lists that "
			   "died too long ago ([worker] dead_ttl)",
			   u->expired);
	u->beyond = u->expired = 0;
}

void
upkeep_turn(struct dispatch *d)
{
	const struct broker_limits limits = {
	    .dead_max = d->conf->worker.dead_max,
	    .dead_max_bytes = d->conf->worker.dead_max_bytes,
	    .dead_ttl_ms = d->conf->worker.dead_ttl / 1000,
	    .idle_ms = BROKER_IDLE_MS,
	    .lost_ms = d->conf->worker.lost_after / 1000,
	    .record_ttl_s = dispatch_ttl_s(d),
	    .registry_ms = BROKER_REGISTRY_MS};

	if (!broker_is_up(d->broker))
		return;
	upkeep_count(d);
	upkeep_log(&d->upkeep);
	upkeep_log_lost(&d->upkeep);
	broker_tidy(d->broker, &limits);
	mend_turn(d);
}

/* All that its producer said of it stays, so that it can be submitted again. */
static void
upkeep_end_lost(const struct dispatch *d, struct result *record,
		struct buf *ended)
{
	static const char why[] =
	    "The task was lost: its queue does not have it, and it is neither "
	    "in flight nor dead. Submit it again if it has to run (flowrractl "
	    "submit); its arguments are in this record.";
	static const char why_step[] =
	    "The task was lost: its queue does not have it, and it is neither "
	    "in flight nor dead. It counts as failed in its workflow; its "
	    "arguments are in this record.";

	record->status = RESULT_FAILED;
	record->reason = SLICE(RESULT_LOST);
	record->error = record->flow.len > 0 ? SLICE(why_step) : SLICE(why);
	record->finished_us = clock_wall_us();
	record->times = d->conf->worker.foreign_times;
	result_encode(record, ended);
}

bool
upkeep_read_lost(const struct dispatch *d, struct slice record, bool of_steps,
		 struct buf *queue, struct buf *ended)
{
	struct buf scratch = BUF_INIT;
	struct result result;
	bool known;

	known = result_decode_as(d->conf->worker.foreign_times, record,
				 &scratch, &result, NULL) == 0 &&
		result.queue.len > 0 && (of_steps || result.flow.len == 0) &&
		!result_status_final(result.status);
	if (known) {
		buf_add(queue, result.queue.p, result.queue.len);
		upkeep_end_lost(d, &result, ended);
	}
	buf_done(&scratch);
	return known && !queue->failed && !ended->failed;
}

bool
upkeep_read_pending(struct slice record, struct buf *queue, struct buf *ended,
		    void *arg)
{
	const struct dispatch *d = arg;

	return upkeep_read_lost(d, record, !broker_flow_hides_steps(d->broker),
				queue, ended);
}

void
upkeep_close(struct dispatch *d)
{
	upkeep_forget(&d->upkeep);
	mend_close(d);
}
