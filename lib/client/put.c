/* SPDX-License-Identifier: MIT */
/*
 * Storing the final records of tasks that will not run: those that a person
 * cancels or purges while they wait. All other final records are a worker's. The
 * workflow of such a task is told, as a worker tells it.
 */
#include "client/put.h"

#include <stdlib.h>

#include <event2/event.h>

#include "codec/result_json.h"
#include "core/result.h"
#include "store/flow.h"
#include "util/conf.h"

#define US_PER_S 1000000
/* Far more than a server takes to start again, or a replica to take over. */
#define PATIENCE_MS 60000

/* A record under way. The store keeps it until it has it, however long that is: so
 * it outlives a query whose caller does not wait as long. */
struct client_put {
	struct results_put put;
	struct flowrra_client *client;
	struct put_query *query; /* NULL: nobody waits */
	struct event *patience;
	TAILQ_ENTRY(client_put) link;
	struct buf bytes;   /* the ID, and the record */
	struct buf scratch; /* texts of `end` */
	struct flow_end end;
};

static void
client_put_free(struct client_put *p)
{
	TAILQ_REMOVE(&p->client->puts, p, link);
	event_free(p->patience);
	buf_done(&p->bytes);
	buf_done(&p->scratch);
	free(p);
}

/* Whether the record is the end of a step of a workflow, which no worker tells of. */
static bool
put_ends_step(struct client_put *p)
{
	struct result r = {.task_id = {NULL, 0}};

	if (!p->put.final || p->put.answer != RESULTS_STORED ||
	    result_decode(p->put.record, &p->scratch, &r, NULL) != 0 ||
	    !flow_id_valid(r.flow))
		return false;
	p->end = (struct flow_end){
	    .flow = r.flow,
	    .step = p->put.id,
	    .outcome = r.status == RESULT_SUCCESS ? FLOW_STEP_SUCCEEDED
		       : slice_eq(r.reason, SLICE(BROKER_SKIPPED))
			   ? FLOW_STEP_SKIPPED
			   : FLOW_STEP_FAILED};
	return true;
}

static void
put_finish(struct client_put *p)
{
	struct put_query *query = p->query;

	if (query != NULL)
		query->answer = p->put.answer;
	client_put_free(p);
	if (query != NULL)
		query_end(&query->q, NULL);
}

/* A workflow that is gone does not miss it; and what could not be told, a worker
 * finds out by the record (FLOW_REPAIR_S). */
static void
on_put_told(struct slice value, const struct err *err, void *arg)
{
	put_finish(arg);
}

static void
on_put_stored(struct results_put *put)
{
	struct client_put *p = container_of(put, struct client_put, put);

	/* After the record is safe, so that a listener who then reads it does
	 * not find the one before. */
	if (put->answer == RESULTS_STORED)
		results_changed(p->client->results, put->record);
	if (put_ends_step(p))
		broker_flow_end_step(p->client->broker, &p->end, on_put_told,
				     p);
	else
		put_finish(p);
}

static int64_t
put_patience_ms(const struct flowrra_client *c)
{
	return c->deadline_ms > 0 ? c->deadline_ms : PATIENCE_MS;
}

static void
on_put_patience(evutil_socket_t fd, short what, void *arg)
{
	struct client_put *p = arg;
	struct query *q = &p->query->q;
	struct err err;

	p->query = NULL;
	err_set(&err, ERR_UNAVAILABLE,
		"the backend has not taken its record for %.1f s",
		(double)put_patience_ms(p->client) / 1000);
	q->once = true;
	query_end(q, &err);
}

/* NULL: no memory. */
static struct client_put *
client_put_new(struct put_query *query)
{
	struct flowrra_client *c = query->q.client;
	struct client_put *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->client = c;
	p->query = query;
	buf_add(&p->bytes, query->q.key.p, query->q.key.len);
	buf_add(&p->bytes, query->record.p, query->record.len);
	p->patience = evtimer_new(loop_base(c->loop), on_put_patience, p);
	if (p->patience == NULL || p->bytes.failed) {
		if (p->patience != NULL)
			event_free(p->patience);
		buf_done(&p->bytes);
		free(p);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&c->puts, p, link);
	return p;
}

static void
put_send(struct query *q, bool final, bool failed)
{
	const int64_t ttl_us = q->client->conf->backend.ttl;
	const int64_t ms = put_patience_ms(q->client);
	const struct timeval patience = {.tv_sec = ms / 1000,
					 .tv_usec = ms % 1000 * 1000};
	struct client_put *p =
	    client_put_new(container_of(q, struct put_query, q));
	struct err err;

	if (p == NULL) {
		err_nomem(&err);
		query_end(q, &err);
		return;
	}
	p->put = (struct results_put){
	    .id = {p->bytes.data, q->key.len},
	    .record = {p->bytes.data + q->key.len, p->bytes.len - q->key.len},
	    .final = final,
	    .failed = failed,
	    /* Whole seconds, rounded up; 0 means for ever, here and there. */
	    .ttl_s = (ttl_us + US_PER_S - 1) / US_PER_S,
	    .on_done = on_put_stored};
	evtimer_add(p->patience, &patience);
	results_put(q->client->results, &p->put);
}

void
put_drop(struct flowrra_client *c)
{
	struct client_put *p;

	/* NOLINTBEGIN(clang-analyzer-unix.Malloc): each leaves the list */
	while ((p = TAILQ_FIRST(&c->puts)) != NULL)
		client_put_free(p);
	/* NOLINTEND(clang-analyzer-unix.Malloc) */
}

void
put_send_failed(struct query *q)
{
	put_send(q, true, true);
}

void
put_send_succeeded(struct query *q)
{
	put_send(q, true, false);
}

void
put_send_open(struct query *q)
{
	put_send(q, false, false);
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
