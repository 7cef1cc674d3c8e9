/* SPDX-License-Identifier: MIT */
/*
 * Finished work that the backend cannot take: it is kept in memory, and after
 * a moment on disk as well, until the backend has it. What an earlier process
 * of this worker has left on disk is delivered first of all.
 *
 * The broker's claims are the first safety net: without a spool, a task whose
 * record was not stored would run again after a crash. The spool spares that.
 * It may say too much (a record that the backend has as well is stored once
 * more, and stays the same), but never too little.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "codec/scan.h"
#include "dispatch/state.h"
#include "util/log.h"

/* A short outage is not worth the disk's work: a reconnect takes milliseconds,
 * a restart of a server seconds. */
#define OUTAGE_S 1

/* A record that an earlier process has left. */
struct orphan {
	struct results_put put;
	char *id;
	char *record;
};

static void
orphan_free(struct orphan *o)
{
	if (o == NULL)
		return;
	free(o->id);
	free(o->record);
	free(o);
}

/* The next turn sees whether that was the last, and clears the file. */
static void
on_delivered(struct results_put *put)
{
	struct orphan *o = put->arg;
	struct dispatch *d = put->owner;

	orphan_free(o);
	dispatch_turn(d);
}

/* The backend lists failures apart; the file does not say what a record is. */
static bool
tells_of_failure(struct slice record)
{
	struct buf scratch = BUF_INIT;
	struct result result;
	bool failed;

	failed = result_decode(record, &scratch, &result, NULL) == 0 &&
		 result.status == RESULT_FAILED;
	buf_done(&scratch);
	return failed;
}

/* What we write is the id of a task, and an object; a NUL is in neither. */
static bool
may_be_ours(struct slice id, struct slice record)
{
	struct scan_value value;

	return task_id_valid(id) &&
	       scan_check(record, RESULT_DEPTH_MAX, &value, NULL) == 0 &&
	       value.type == SCAN_OBJECT;
}

static bool
on_left_record(struct slice id, struct slice record, void *arg)
{
	struct dispatch *d = arg;
	struct orphan *o;

	if (!may_be_ours(id, record))
		return false;
	if ((o = calloc(1, sizeof(*o))) != NULL) {
		o->id = strndup(id.p, id.len);
		o->record = strndup(record.p, record.len);
	}
	/* It stays in the file as long as that is not cleared. Tasks whose
	 * claims are still there run again: no result is lost for good. */
	if (o == NULL || o->id == NULL || o->record == NULL) {
		orphan_free(o);
		return true;
	}
	o->put = (struct results_put){.id = {o->id, id.len},
				      .record = {o->record, record.len},
				      .final = true,
				      .failed = tells_of_failure(record),
				      .ttl_s = dispatch_ttl_s(d),
				      .on_done = on_delivered,
				      .arg = o,
				      .owner = d};
	results_put(d->results, &o->put);
	return true;
}

/* Retries are not worth it: their claim brings them back as they were. */
static void
spool(struct dispatch *d, const struct job *job)
{
	if (job->put.final)
		spool_file_put(d->spool, job->put.id, job->put.record);
}

/* From now on each record goes to disk when it is made; those that wait
 * already, now. */
static void
spool_all(struct dispatch *d)
{
	uint32_t i;

	d->spooling = true;
	for (i = 0; i < d->cap_jobs; i++)
		if (d->jobs[i] != NULL && d->jobs[i]->state == JOB_STORING)
			spool(d, d->jobs[i]);
}

static void
on_outage(evutil_socket_t fd, short what, void *arg)
{
	spool_all(arg);
}

int
spool_open(struct dispatch *d, struct err *err)
{
	if ((d->outage = evtimer_new(d->opt.base, on_outage, d)) == NULL)
		return err_nomem(err);
	d->spool = spool_file_open(d->opt.spool, on_left_record, d, err);
	if (d->spool == NULL)
		return -1;
	if (spool_file_used(d->spool))
		log_notice("storing results of an earlier run from %s first",
			   d->opt.spool);
	return 0;
}

void
spool_close(struct dispatch *d)
{
	if (d->outage != NULL)
		event_free(d->outage);
	spool_file_close(d->spool);
}

void
spool_state(struct dispatch *d, bool up)
{
	const struct timeval tv = {.tv_sec = OUTAGE_S};

	/* What is in the file stays there until all of it is confirmed. */
	if (up) {
		d->spooling = false;
		evtimer_del(d->outage);
	} else if (!d->spooling && !evtimer_pending(d->outage, NULL)) {
		evtimer_add(d->outage, &tv);
	}
}

void
spool_lost(struct dispatch *d)
{
	evtimer_del(d->outage);
	if (!d->spooling)
		spool_all(d);
}

void
spool_storing(struct job *job)
{
	if (job->dispatch->spooling)
		spool(job->dispatch, job);
}

/* All or nothing: no record is taken out of the file alone. */
void
spool_turn(struct dispatch *d)
{
	if (spool_file_used(d->spool) && results_unconfirmed(d->results) == 0)
		spool_file_clear(d->spool);
}
