/* SPDX-License-Identifier: MIT */
/*
 * What the manager asks for one answer: queues, workers, the server and totals;
 * and what it tells: commands, pauses. Records: query_records.c.
 *
 * Stores answer with structs, on the client's loop, and what they point to is
 * gone when the callback returns. So the callback makes the JSON, while the
 * caller's thread waits in query_run(). This is the only place where those
 * answers become JSON.
 */
#include "manager/query.h"

#include <stdlib.h>
#include <string.h>

#include "manager/member.h"
#include "store/results.h"
#include "util/err.h"

/* --- values ------------------------------------------------------------ */

/* A query whose answer becomes JSON on the loop. */
struct json_query {
	struct query q;
	json_t *json;
};

/* `json` is NULL without memory. */
static void
json_query_end(struct json_query *j, json_t *json)
{
	struct err err;

	j->json = json;
	if (json == NULL)
		err_nomem(&err);
	query_end(&j->q, json != NULL ? NULL : &err);
}

/* A query that failed has made nothing. */
static json_t *
json_query_run(struct json_query *j, struct err *err)
{
	if (client_check(j->q.client, err) != 0 || query_run(&j->q, err) != 0)
		return NULL;
	return j->json;
}

/* Takes both; NULL, and neither is left, if either is. */
static json_t *
append(json_t *list, json_t *item)
{
	if (list != NULL && json_array_append_new(list, item) == 0)
		return list;
	json_decref(list);
	return NULL;
}

/* The names of queues are ASCII (util/name.h), so that they can be packed as
 * they are. */
static json_t *
json_of_names(struct slice names)
{
	json_t *list = json_array();
	size_t at;

	for (at = 0; at < names.len; at += strlen(names.p + at) + 1)
		json_array_append_new(list, json_string(names.p + at));
	return list;
}

/* Each member of the struct that people look at, under its name in the API. */
static json_t *
json_of_queue(const void *queues, size_t i)
{
	const struct queue_stats *s = (const struct queue_stats *)queues + i;

	return json_pack("{s:s,s:I,s:I,s:I,s:I,s:o,s:o,s:b,s:I,s:I,s:o}",
			 "queue", s->name, "waiting", (json_int_t)s->waiting,
			 "delayed", (json_int_t)s->delayed, "in_flight",
			 (json_int_t)s->in_flight, "dead", (json_int_t)s->dead,
			 "oldest_at", member_of_time(s->oldest_us),
			 "next_due_at", member_of_time(s->next_due_us),
			 "paused", s->paused, "set_aside",
			 (json_int_t)s->set_aside, "held", (json_int_t)s->held,
			 "unknown", json_of_names(s->unknown));
}

/* Ends with a list of what json_of() makes of each item, or with the error. A second
 * attempt comes only after an error, so that no list is lost here. */
static void
json_query_list(struct json_query *j, const struct err *err, const void *items,
		size_t n, json_t *(*json_of)(const void *items, size_t i))
{
	json_t *list;
	size_t i;

	if (err != NULL) {
		query_end(&j->q, err);
		return;
	}
	list = json_array();
	for (i = 0; i < n && list != NULL; i++)
		list = append(list, json_of(items, i));
	json_query_end(j, list);
}

static void
on_queues(const struct queue_stats *queues, size_t n, const struct err *err,
	  void *arg)
{
	json_query_list(arg, err, queues, n, json_of_queue);
}

/* The key is the queue's name, or empty. */
static void
send_queues(struct query *q)
{
	broker_queues(q->client->broker, q->key, on_queues,
		      container_of(q, struct json_query, q));
}

/* In one question, however many there are. */
json_t *
query_queues(struct flowrra_client *c, const char *name, struct err *err)
{
	struct json_query j = {
	    .q = {.client = c,
		  .send = send_queues,
		  .key = slice_of(name != NULL ? name : "")}};

	return json_query_run(&j, err);
}

struct find_query {
	struct json_query j;
	enum broker_location place;
};

static json_t *
json_of_found(const void *found, size_t i)
{
	const struct queue_found *f = (const struct queue_found *)found + i;

	return json_pack("{s:s,s:I}", "queue", f->name, "newest_ms",
			 (json_int_t)f->newest_ms);
}

static void
on_found(const struct queue_found *found, size_t n, const struct err *err,
	 void *arg)
{
	json_query_list(arg, err, found, n, json_of_found);
}

static void
send_find(struct query *q)
{
	struct json_query *j = container_of(q, struct json_query, q);

	broker_find(q->client->broker,
		    container_of(j, struct find_query, j)->place, on_found, j);
}

json_t *
query_find(struct flowrra_client *c, enum broker_location place,
	   struct err *err)
{
	struct find_query f = {.j = {.q = {.client = c, .send = send_find}},
			       .place = place};

	return json_query_run(&f.j, err);
}

/* The store has checked the description by its own scanner. What jansson does
 * not take (a number that overflows) is null, rather than to hide all workers.
 */
static json_t *
json_of_worker(const void *workers, size_t i)
{
	const struct worker_info *w = (const struct worker_info *)workers + i;
	json_t *description = NULL;

	if (w->description.len > 0)
		description =
		    json_loadb(w->description.p, w->description.len,
			       JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	return json_pack("{s:s,s:b,s:b,s:I,s:o}", "worker", w->name, "alive",
			 w->alive, "frozen", w->frozen, "in_flight",
			 (json_int_t)w->in_flight, "description",
			 description != NULL ? description : json_null());
}

static void
on_workers(const struct worker_info *workers, size_t n, const struct err *err,
	   void *arg)
{
	json_query_list(arg, err, workers, n, json_of_worker);
}

static void
send_workers(struct query *q)
{
	broker_workers(q->client->broker, on_workers,
		       container_of(q, struct json_query, q));
}

json_t *
query_workers(struct flowrra_client *c, struct err *err)
{
	struct json_query j = {.q = {.client = c, .send = send_workers}};

	return json_query_run(&j, err);
}

/* --- the server -------------------------------------------------------- */

/* The report is not kept: on_told takes from it what it needs. */
struct examine_query {
	struct query q;
	query_report_fn *on_report;
	void *arg;
};

/* An answer that comes twice is impossible: the query is sent again only after
 * an error, which has no report. */
static void
on_report(const struct broker_report *report, const struct err *err, void *arg)
{
	struct examine_query *e = arg;

	if (report != NULL)
		e->on_report(report, e->arg);
	query_end(&e->q, err);
}

static void
send_examine(struct query *q)
{
	broker_examine(q->client->broker, on_report,
		       container_of(q, struct examine_query, q));
}

int
query_examine(struct flowrra_client *c, query_report_fn *on_told, void *arg,
	      struct err *err)
{
	struct examine_query e = {.q = {.client = c, .send = send_examine},
				  .on_report = on_told,
				  .arg = arg};

	if (client_check(c, err) != 0)
		return -1;
	return query_run(&e.q, err);
}

/* Findings of the backend; on_finding is called on the loop, for each. */
struct findings_query {
	struct query q;
	query_finding_fn *on_finding;
	void *arg;
};

static void
on_findings(const struct results_finding *findings, size_t n,
	    const struct err *err, void *arg)
{
	struct findings_query *e = arg;
	size_t i;

	for (i = 0; i < n; i++)
		e->on_finding(findings[i].what, findings[i].remedy, e->arg);
	query_end(&e->q, err);
}

static void
send_examine_backend(struct query *q)
{
	results_examine(q->client->results, on_findings,
			container_of(q, struct findings_query, q));
}

int
query_examine_backend(struct flowrra_client *c, query_finding_fn *on_finding,
		      void *arg, struct err *err)
{
	struct findings_query e = {.q = {.client = c,
					 .of_results = true,
					 .send = send_examine_backend},
				   .on_finding = on_finding,
				   .arg = arg};

	if (client_check(c, err) != 0)
		return -1;
	return query_run(&e.q, err);
}

/* --- totals ------------------------------------------------------------ */

/* Numbers, of which each query fills one. */
struct total_query {
	struct query q;
	struct results_counts counts;
	const json_t *served;
	size_t registered, unserved;
};

static void
on_counts(const struct results_counts *counts, const struct err *err, void *arg)
{
	struct total_query *t = arg;

	if (counts != NULL)
		t->counts = *counts;
	query_end(&t->q, err);
}

static void
send_counts(struct query *q)
{
	results_counts(q->client->results, on_counts,
		       container_of(q, struct total_query, q));
}

int
query_counts(struct flowrra_client *c, struct results_counts *ret,
	     struct err *err)
{
	struct total_query t = {
	    .q = {.client = c, .send = send_counts, .of_results = true}};

	if (client_check(c, err) != 0 || query_run(&t.q, err) != 0)
		return -1;
	*ret = t.counts;
	return 0;
}

/* The names themselves are counted only: `flowrractl stats` shows how many. */
static void
on_names(const struct slice *names, size_t n, const struct err *err, void *arg)
{
	struct total_query *t = arg;

	size_t i;

	t->registered = n;
	for (i = 0; i < n && t->served != NULL; i++)
		t->unserved += json_object_getn(t->served, names[i].p,
						names[i].len) == NULL;
	query_end(&t->q, err);
}

static void
send_names(struct query *q)
{
	broker_registered_names(q->client->broker, on_names,
				container_of(q, struct total_query, q));
}

/* For a count: names are short, and a fleet has some hundreds. */
int
query_registered(struct flowrra_client *c, const json_t *served, size_t *ret_n,
		 size_t *ret_unserved, struct err *err)
{
	struct total_query t = {.q = {.client = c, .send = send_names},
				.served = served};

	if (client_check(c, err) != 0 || query_run(&t.q, err) != 0)
		return -1;
	*ret_n = t.registered;
	*ret_unserved = t.unserved;
	return 0;
}

/* --- whether it answers ------------------------------------------------ */

/* Nothing is registered under that name; but for an answer the broker must be
 * there. */
static void
send_ping(struct query *q)
{
	broker_registered(q->client->broker, SLICE("-"), query_answer, q);
}

static void
send_try(struct query *q)
{
	broker_try(q->client->broker, query_answer, q);
}

/* For an answer that says nothing but that it came. */
static int
query_plain(struct flowrra_client *c, void (*send)(struct query *),
	    struct err *err)
{
	struct query q = {.client = c, .send = send};
	int result = client_check(c, err);

	if (result == 0)
		result = query_run(&q, err);
	buf_done(&q.value);
	return result;
}

int
query_ping(struct flowrra_client *c, struct err *err)
{
	return query_plain(c, send_ping, err);
}

int
query_try(struct flowrra_client *c, struct err *err)
{
	return query_plain(c, send_try, err);
}

/* --- orders ------------------------------------------------------------ */

/* Takes the order. It reaches the workers that listen now; nobody answers. */
int
query_control(struct flowrra_client *c, json_t *order, struct err *err)
{
	char *text = json_dumps(order, JSON_COMPACT);
	/* Not sent twice: a worker would carry it out again. */
	struct query q = {
	    .client = c, .once = true, .send = query_send_control};
	int result = -1;

	json_decref(order);
	if (text == NULL)
		return err_nomem(err);
	q.key = slice_of(text);
	if (client_check(c, err) == 0)
		result = query_run(&q, err);
	buf_done(&q.value);
	free(text);
	return result;
}

/* To pause twice is to pause, so that it may be sent again. */
struct pause {
	struct query q;
	bool paused;
};

static void
send_pause(struct query *q)
{
	const struct pause *p = container_of(q, struct pause, q);

	broker_pause(q->client->broker, q->key, p->paused, query_answer, q);
}

int
query_pause(struct flowrra_client *c, const char *queue, bool paused,
	    struct err *err)
{
	struct pause p = {
	    .q = {.client = c, .send = send_pause, .key = slice_of(queue)},
	    .paused = paused};
	int result = client_check(c, err);

	if (result == 0)
		result = query_run(&p.q, err);
	buf_done(&p.q.value);
	return result;
}
