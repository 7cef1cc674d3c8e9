/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: measures (store/measures.h).
 *
 *	flowrra:measure:<begin of the minute>       hash of numbers
 *	flowrra:measure:hour:<begin of the hour>    the same
 *	flowrra:measure:total                       the same
 *
 * (in a Cluster, "{flowrra:measure}:total" and so on, so that they are together), in
 * which a field is "what:queue:task". One script adds a batch to all three:
 * so a count is in each of them or in none, and a batch costs one round trip.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/results.h"
#include "store/redis/scripts.h"
#include "util/name.h"

/* How often a batch is sent while the server says that it has not carried it
 * out: it has forgotten its scripts, then is full, and has forgotten those. */
#define TRIES_MAX 4

/* --- names ------------------------------------------------------------- */

static struct slice
measure_key(const struct rresults *r, struct buf *key, enum measure_step step,
	    int64_t begin_s)
{
	char number[ARG_NUMBER_SIZE];

	buf_adds(key, r->cluster ? "{flowrra:measure}:" : RRESULTS_MEASURE);
	if (step == MEASURE_HOUR)
		buf_adds(key, "hour:");
	if (step == MEASURE_TOTAL)
		buf_adds(key, "total");
	else
		arg_key(key, "", arg_number(number, begin_s));
	return (struct slice){key->data, key->len};
}

/* A field of another version, or of another program, is none of ours. */
static bool
measure_field_read(struct slice field, struct measure *ret)
{
	char number[8];
	const char *colon = memchr(field.p, ':', field.len), *rest;
	size_t len = colon != NULL ? (size_t)(colon - field.p) : 0;

	if (len == 0 || len >= sizeof(number) ||
	    strspn(field.p, "0123456789") < len)
		return false;
	memcpy(number, field.p, len);
	number[len] = '\0';
	ret->what = (unsigned int)strtoul(number, NULL, 10);
	rest = colon + 1;
	len = field.len - len - 1;
	if ((colon = memchr(rest, ':', len)) == NULL)
		return false;
	ret->queue = (struct slice){rest, (size_t)(colon - rest)};
	ret->task = (struct slice){colon + 1, len - (size_t)(colon - rest) - 1};
	return measure_what_valid(ret->what) &&
	       name_valid(ret->queue, NAME_QUEUE_MAX) &&
	       name_valid(ret->task, NAME_TASK_MAX);
}

/* --- adding ------------------------------------------------------------ */

/* A batch under way; `text` has its arguments, each with a NUL behind it, since
 * it may have to be sent again. */
struct measuring {
	struct redis_request request; /* that it begins with */
	struct rresults *results;
	int64_t at_s;
	size_t n;
	unsigned int tries;
	bool full; /* the server is: with flags, which Redis 7 knows */
	results_measured_fn *on_done;
	void *arg;
	struct buf text;
};

static void
measuring_free(struct redis_request *request)
{
	struct measuring *m = container_of(request, struct measuring, request);

	buf_done(&m->text);
	free(m);
}

/* The text without its first line is a part of the same constant (records.c does
 * the same); Redis before 7 takes that line for Lua that is wrong. */
static const struct redis_script *
measure_script(struct measuring *m)
{
	const struct redis_script *full = &rscripts[SCRIPT_MEASURE];
	struct redis_script *plain = &m->results->measure;

	if (m->full)
		return full;
	plain->name = full->name;
	plain->text = strchr(full->text, '\n') + 1;
	return plain;
}

static void
measure_args(const struct measuring *m, struct slice *args)
{
	const char *text = m->text.data;
	size_t i;

	for (i = 0; i < 2 * m->n; i++) {
		args[i] = slice_of(text);
		text += args[i].len + 1;
	}
}

static void
measuring_send(struct measuring *m)
{
	char lives[5][ARG_NUMBER_SIZE];
	struct slice *args = reallocarray(NULL, 5 + 2 * m->n, sizeof(*args));
	struct buf names[3] = {BUF_INIT, BUF_INIT, BUF_INIT};
	const struct slice keys[] = {
	    measure_key(m->results, &names[0], MEASURE_MINUTE,
			measure_begin(MEASURE_MINUTE, m->at_s)),
	    measure_key(m->results, &names[1], MEASURE_HOUR,
			measure_begin(MEASURE_HOUR, m->at_s)),
	    measure_key(m->results, &names[2], MEASURE_TOTAL, 0)};
	size_t i;

	if (args == NULL || names[0].failed || names[1].failed ||
	    names[2].failed) {
		redis_request_later(&m->request);
	} else {
		args[0] = arg_number(lives[0], MEASURE_MINUTES_S);
		args[1] = arg_number(lives[1], MEASURE_HOURS_S);
		args[2] = arg_number(lives[2], MEASURE_HOURS_S);
		args[3] = arg_number(lives[3], MEASURE_FIELDS_MAX);
		args[4] = arg_number(lives[4], MEASURE_FIELDS_FULL);
		measure_args(m, args + 5);
		rresults_eval(&m->request, measure_script(m), REDIS_ARGS(keys),
			      (struct redis_args){args, 5 + 2 * m->n});
	}
	for (i = 0; i < 3; i++)
		buf_done(&names[i]);
	free(args);
}

static void
on_measured(struct redis_request *request, const struct redis_reply *reply)
{
	struct measuring *m = container_of(request, struct measuring, request);
	const enum redis_fault fault = redis_fault(reply);
	struct err err;

	if ((fault == REDIS_FAULT_SCRIPT || fault == REDIS_FAULT_FULL) &&
	    ++m->tries < TRIES_MAX) {
		m->full |= fault == REDIS_FAULT_FULL;
		measuring_send(m);
		return;
	}
	if (fault != REDIS_FAULT_NONE)
		redis_fault_err(m->results->redis, "counting", reply, &err);
	m->on_done(fault != REDIS_FAULT_NONE ? &err : NULL, m->arg);
	measuring_free(request);
}

void
rresults_measure(struct results *results, int64_t at_s,
		 const struct measure *measures, size_t n,
		 results_measured_fn *on_done, void *arg)
{
	struct rresults *r = (struct rresults *)results;
	struct measuring *m = calloc(1, sizeof(*m));
	struct err err;
	size_t i;

	for (i = 0; m != NULL && i < n; i++)
		buf_addf(&m->text, "%u:%.*s:%.*s%c%" PRId64 "%c",
			 measures[i].what, (int)measures[i].queue.len,
			 measures[i].queue.p, (int)measures[i].task.len,
			 measures[i].task.p, '\0', measures[i].n, '\0');
	if (m == NULL || m->text.failed) {
		if (m != NULL)
			measuring_free(&m->request);
		err_nomem(&err);
		on_done(&err, arg);
		return;
	}
	m->request = (struct redis_request){.queue = r->requests,
					    .on_reply = on_measured,
					    .drop = measuring_free};
	m->results = r;
	m->at_s = at_s;
	m->n = n;
	m->on_done = on_done;
	m->arg = arg;
	measuring_send(m);
}

/* --- reading ----------------------------------------------------------- */

struct measures_query {
	struct redis_request request; /* that it begins with */
	struct rresults *results;
	results_measures_fn *on_measures;
	void *arg;
};

static void
on_measures_read(struct redis_request *request, const struct redis_reply *reply)
{
	struct measures_query q =
	    *container_of(request, struct measures_query, request);
	const size_t count = redis_reply_count(reply);
	struct measure *measures = NULL;
	struct err err = ERR_INIT;
	size_t i, n = 0;

	free(container_of(request, struct measures_query, request));
	if (redis_fault(reply) != REDIS_FAULT_NONE)
		redis_fault_err(q.results->redis, "reading measures", reply,
				&err);
	else if ((measures = calloc(count / 2 + 1, sizeof(*measures))) == NULL)
		err_nomem(&err);
	for (i = 0; measures != NULL && i + 1 < count; i += 2) {
		measures[n].n =
		    redis_reply_integer(redis_reply_at(reply, i + 1));
		n += measures[n].n > 0 &&
		     measure_field_read(
			 redis_reply_string(redis_reply_at(reply, i)),
			 &measures[n]);
	}
	q.on_measures(measures, n, measures == NULL ? &err : NULL, q.arg);
	free(measures);
}

void
rresults_measures(struct results *results, enum measure_step step, int64_t at_s,
		  results_measures_fn *on_measures, void *arg)
{
	struct rresults *r = (struct rresults *)results;
	struct measures_query *q = malloc(sizeof(*q));
	struct buf key = BUF_INIT;
	const struct slice argv[] = {SLICE("HGETALL"),
				     measure_key(r, &key, step, at_s)};
	struct err err;

	if (q == NULL || key.failed) {
		err_nomem(&err);
		free(q);
		buf_done(&key);
		on_measures(NULL, 0, &err, arg);
		return;
	}
	*q = (struct measures_query){
	    .request = {.queue = r->requests, .on_reply = on_measures_read},
	    .results = r,
	    .on_measures = on_measures,
	    .arg = arg};
	rresults_command(&q->request, REDIS_ARGS(argv));
	buf_done(&key);
}
