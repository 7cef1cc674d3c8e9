/* SPDX-License-Identifier: MIT */
/*
 * Storing the final records of tasks that will not run: those that a person
 * cancels or purges while they wait. All other final records are a worker's.
 */
#include "client/put.h"

#include "util/conf.h"
#include "util/pending.h"

#define US_PER_S 1000000

static void
on_put_stored(struct results_put *put)
{
	struct query *q = put->arg;

	/* After the record is safe, so that a listener who then reads it does
	 * not find the one before. */
	if (put->answer == RESULTS_STORED)
		results_changed(q->client->results, put->record);
	query_end(q, NULL);
}

static void
put_send_final(struct query *q, bool failed)
{
	struct put_query *p = container_of(q, struct put_query, q);
	const int64_t ttl_us = q->client->conf->backend.ttl;

	p->put =
	    (struct results_put){.id = q->key,
				 .record = p->record,
				 .final = true,
				 .failed = failed,
				 /* Whole seconds, rounded up; 0 means
				       * for ever, here and there. */
				 .ttl_s = (ttl_us + US_PER_S - 1) / US_PER_S,
				 .on_done = on_put_stored,
				 .arg = q};
	results_put(q->client->results, &p->put);
}

void
put_send_failed(struct query *q)
{
	put_send_final(q, true);
}

void
put_send_succeeded(struct query *q)
{
	put_send_final(q, false);
}

static void
on_put_counts(const struct results_counts *counts, const struct err *err,
	      void *arg)
{
	query_end(arg, err);
}

static void
put_send_counts(struct query *q)
{
	results_counts(q->client->results, on_put_counts, q);
}

void
put_flush(struct flowrra_client *c)
{
	/* Events have no answer of their own. Any query that is sent after
	 * them is answered after they have left; the counts are a short one. */
	struct query q = {
	    .client = c, .of_results = true, .send = put_send_counts};

	/* An event is a notice, and may be lost: the record is what counts. */
	query_run(&q, NULL);
}
