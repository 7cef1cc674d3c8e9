/* SPDX-License-Identifier: MIT */
/*
 * Mending workflows: what has failed is tried again, and what ended without a word to
 * its workflow is told to it.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "core/result.h"
#include "manager/dead.h"
#include "manager/flows.h"
#include "manager/member.h"
#include "manager/query.h"
#include "util/conf.h"
#include "util/err.h"

/* Steps that are looked at with one question. */
#define PAGE 500
/* Of failed steps, as many as a call puts back. */
#define RETRY_MAX 100000

/* --- taking an end back ------------------------------------------------------ */

struct reopen_query {
	struct query q; /* key: the step */
	struct slice flow;
	json_t *ids;
};

static void
on_reopened(const struct slice *names, size_t n, const struct err *err,
	    void *arg)
{
	struct reopen_query *r =
	    container_of((struct query *)arg, struct reopen_query, q);
	size_t i;

	/* The step comes first, and is not ours. */
	for (i = 1; err == NULL && i < n; i++)
		json_array_append_new(r->ids,
				      json_stringn(names[i].p, names[i].len));
	query_end(&r->q, err);
}

static void
send_reopen(struct query *q)
{
	broker_flow_reopen(q->client->broker,
			   container_of(q, struct reopen_query, q)->flow,
			   q->key, on_reopened, q);
}

/* As it was when the task was submitted. */
static int
pending_again(const struct flowrra_client *c, struct slice final,
	      struct buf *out, struct err *err)
{
	struct buf scratch = BUF_INIT;
	struct result was = {.task_id = {NULL, 0}}, r;
	int result = result_decode(final, &scratch, &was, err);

	if (result == 0) {
		r = (struct result){.task_id = was.task_id,
				    .status = RESULT_PENDING,
				    .task_name = was.task_name,
				    .args = was.args,
				    .kwargs = was.kwargs,
				    .submitted_us = was.submitted_us,
				    .queue = was.queue,
				    .flow = was.flow,
				    .times = c->conf->worker.foreign_times};
		result_encode(&r, out);
		result = out->failed ? err_nomem(err) : 0;
	}
	buf_done(&scratch);
	return result;
}

/* One that is gone, or is no record of a task, stays as it is: its worker stores
 * the next one. */
static int
reopen_skipped(struct flowrra_client *c, const char *id, struct err *err)
{
	struct query record = {.client = c,
			       .send = query_send_record,
			       .of_results = true,
			       .key = slice_of(id)};
	struct buf pending = BUF_INIT;
	struct err why = ERR_INIT;
	struct query_put put = {.id = id};
	int r = query_run(&record, err);

	if (r == 0 && record.present &&
	    pending_again(c,
			  (struct slice){record.value.data, record.value.len},
			  &pending, NULL) == 0) {
		put.record = (struct slice){pending.data, pending.len};
		query_reopen(c, &put, 1, &why);
	}
	buf_done(&record.value);
	buf_done(&pending);
	if (r == 0 && why.code == ERR_UNAVAILABLE) {
		*err = why;
		return -1;
	}
	return r;
}

int
flows_reopen_step(struct flowrra_client *c, struct slice flow, const char *step,
		  struct err *err)
{
	struct reopen_query r = {
	    .q = {.client = c, .send = send_reopen, .key = slice_of(step)},
	    .flow = flow,
	    .ids = json_array()};
	int result = query_run(&r.q, err);
	json_t *id;
	size_t i;

	json_array_foreach (r.ids, i, id)
		if (result == 0)
			result = reopen_skipped(c, json_string_value(id), err);
	json_decref(r.ids);
	return result != 0 && err->code == ERR_NOT_FOUND ? 0 : result;
}

/* --- all that have failed ---------------------------------------------------- */

/* Those whose member of that name is so. */
static size_t
ids_where(const json_t *steps, const char *name, const char *value,
	  const char **ret)
{
	const json_t *one;
	const char *text;
	size_t i, n = 0;

	json_array_foreach (steps, i, one) {
		text = member_text(one, name);
		if (text != NULL && strcmp(text, value) == 0)
			ret[n++] = member_text(one, "task_id");
	}
	return n;
}

struct retried {
	json_int_t done, refused, gone;
};

static int
retry_ids(struct flowrra_client *c, const char *const *ids, size_t n,
	  struct retried *ret, struct err *err)
{
	const struct dead_change change = {.filter = {.ids = ids, .n_ids = n},
					   .retry = true};
	json_t *answer = n > 0 ? dead_change(c, &change, err) : json_object();

	if (answer == NULL)
		return -1;
	ret->done = json_integer_value(json_object_get(answer, "done"));
	ret->refused = json_integer_value(json_object_get(answer, "refused"));
	ret->gone = (json_int_t)n - ret->done - ret->refused;
	json_decref(answer);
	return 0;
}

/* A step that has been released and is on the dead list is one that somebody was about
 * to retry, and died; most that have been released are not. */
static json_t *
retry_steps(struct flowrra_client *c, const char *id, const json_t *steps,
	    const char **ids, struct err *err)
{
	struct retried failed, begun;

	if (retry_ids(c, ids, ids_where(steps, "outcome", "failed", ids),
		      &failed, err) != 0 ||
	    retry_ids(c, ids, ids_where(steps, "place", "released", ids),
		      &begun, err) != 0)
		return NULL;
	return json_pack("{s:s,s:I,s:I,s:I}", "workflow", id, "retried",
			 failed.done + begun.done, "refused", failed.refused,
			 "gone", failed.gone);
}

json_t *
flows_retry(struct flowrra_client *c, const char *id, struct err *err)
{
	json_t *steps = flows_steps(c, id, RETRY_MAX, NULL, err), *ret = NULL;
	const char **ids;

	if (steps == NULL)
		return NULL;
	ids = calloc(json_array_size(steps) + 1, sizeof(*ids));
	if (ids != NULL)
		ret = retry_steps(c, id, steps, ids, err);
	else
		err_nomem(err);
	free(ids);
	json_decref(steps);
	return ret;
}

/* --- repair ------------------------------------------------------------------ */

struct repair_query {
	struct query q; /* key: the workflow */
	struct buf cursor, next;
	json_t *ids;
	struct flow_end end;
};

static struct repair_query *
repair_of(struct query *q)
{
	return container_of(q, struct repair_query, q);
}

static void
on_repair_page(const struct flow_page *page, const struct err *err, void *arg)
{
	struct repair_query *r = repair_of(arg);
	size_t i;

	if (page == NULL) {
		query_end(&r->q, err);
		return;
	}
	json_array_clear(r->ids);
	/* A callback has no record before it runs. */
	for (i = 0; i < page->n; i++)
		if (page->steps[i].role == FLOW_STEP)
			json_array_append_new(
			    r->ids, json_stringn(page->steps[i].id.p,
						 page->steps[i].id.len));
	buf_reset(&r->next);
	buf_add(&r->next, page->next.p, page->next.len);
	query_end(&r->q, NULL);
}

static void
send_repair(struct query *q)
{
	const struct repair_query *r = repair_of(q);

	broker_flow_repair(q->client->broker, q->key,
			   (struct slice){r->cursor.data, r->cursor.len},
			   on_repair_page, q);
}

static void
send_end(struct query *q)
{
	broker_flow_end_step(q->client->broker, &repair_of(q)->end,
			     query_answer, q);
}

/* How its task has ended by its record; false: it has not. One without a record has
 * failed: nobody will ever know better. */
static bool
has_ended(const json_t *record, enum flow_outcome *ret)
{
	const char *status = member_text(record, "status");
	const char *reason = member_text(record, "reason");
	enum result_status parsed;

	*ret = FLOW_STEP_FAILED;
	if (record == NULL)
		return true;
	if (status == NULL ||
	    result_status_parse(slice_of(status), &parsed) != 0 ||
	    !result_status_final(parsed))
		return false;
	if (parsed == RESULT_SUCCESS)
		*ret = FLOW_STEP_SUCCEEDED;
	else if (reason != NULL && strcmp(reason, BROKER_SKIPPED) == 0)
		*ret = FLOW_STEP_SKIPPED;
	return true;
}

static int
end_step(struct repair_query *r, const char *step, enum flow_outcome outcome,
	 int64_t *ended, struct err *err)
{
	struct repair_query e = {.q = {.client = r->q.client, .send = send_end},
				 .end = {.flow = r->q.key,
					 .step = slice_of(step),
					 .outcome = outcome}};
	int result = query_run(&e.q, err);

	*ended += result == 0 && e.q.value.len > 0;
	buf_done(&e.q.value);
	return result;
}

static int
end_steps(struct repair_query *r, size_t from, size_t n, int64_t *ended,
	  struct err *err)
{
	json_t *records[PAGE] = {NULL};
	const char *ids[PAGE];
	enum flow_outcome outcome;
	int result;
	size_t i;

	for (i = 0; i < n; i++)
		ids[i] = json_string_value(json_array_get(r->ids, from + i));
	result = query_records(r->q.client, ids, n, records, err);
	for (i = 0; i < n; i++) {
		if (result == 0 && has_ended(records[i], &outcome))
			result = end_step(r, ids[i], outcome, ended, err);
		json_decref(records[i]);
	}
	return result;
}

static int
repair_page(struct repair_query *r, int64_t *ended, struct err *err)
{
	struct buf old;
	size_t at, n;

	r->q.op.err.code = ERR_NONE;
	if (query_run(&r->q, err) != 0)
		return -1;
	for (at = 0; at < json_array_size(r->ids); at += n) {
		n = json_array_size(r->ids) - at;
		n = n < PAGE ? n : PAGE;
		if (end_steps(r, at, n, ended, err) != 0)
			return -1;
	}
	old = r->cursor;
	r->cursor = r->next;
	r->next = old;
	return 0;
}

json_t *
flows_repair(struct flowrra_client *c, const char *id, struct err *err)
{
	struct repair_query r = {
	    .q = {.client = c, .send = send_repair, .key = slice_of(id)},
	    .ids = json_array()};
	int64_t ended = 0;
	int result = client_check(c, err);

	if (result == 0)
		do
			result = repair_page(&r, &ended, err);
		while (result == 0 && r.cursor.len > 0);
	json_decref(r.ids);
	buf_done(&r.cursor);
	buf_done(&r.next);
	return result == 0 ? json_pack("{s:s,s:I}", "workflow", id, "ended",
				       (json_int_t)ended)
			   : NULL;
}
