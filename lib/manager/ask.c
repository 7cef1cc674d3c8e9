/* SPDX-License-Identifier: MIT */
/* Questions with one value for an answer, and orders. */
#include "manager/ask.h"

#include <stdlib.h>

#include "manager/load.h"
#include "store/results.h"
#include "util/err.h"

void
ask_queues(struct query *q)
{
	broker_queues(q->client->broker, q->key, query_answer, q);
}

void
ask_workers(struct query *q)
{
	broker_workers(q->client->broker, query_answer, q);
}

void
ask_examine(struct query *q)
{
	broker_examine(q->client->broker, query_answer, q);
}

void
ask_counts(struct query *q)
{
	results_counts(q->client->results, query_answer, q);
}

/* --- values ------------------------------------------------------------ */

static json_t *
load(struct query *q, struct err *err)
{
	const struct slice text = {q->value.data, q->value.len};
	json_t *json;

	json = q->present ? load_json(text, err) : json_null();
	if (json == NULL)
		err_prefix(err, "cannot parse the answer as JSON");
	buf_done(&q->value);
	return json;
}

json_t *
ask_json(struct flowrra_client *c, void (*send)(struct query *q),
	 const char *key, struct err *err)
{
	struct query q = {.client = c,
			  .send = send,
			  .of_results = send == ask_counts,
			  .key = slice_of(key != NULL ? key : "")};

	if (client_check(c, err) != 0 || query_run(&q, err) != 0)
		return NULL;
	return load(&q, err);
}

json_t *
ask_record_text(struct flowrra_client *c, const char *id, struct buf *ret_text,
		struct err *err)
{
	struct query q = {.client = c,
			  .send = query_send_record,
			  .of_results = true,
			  .key = slice_of(id)};
	json_t *record;

	if (client_check(c, err) != 0 || query_run(&q, err) != 0)
		return NULL;
	if (q.present)
		buf_add(ret_text, q.value.data, q.value.len);
	if ((record = load(&q, err)) == NULL) {
		err_prefix(err, "the record of task %s", id);
	} else if (!json_is_object(record) && !json_is_null(record)) {
		err_set(err, ERR_DATA,
			"cannot parse the record of task %s: not a JSON object",
			id);
		json_decref(record);
		record = NULL;
	}
	return record;
}

json_t *
ask_record(struct flowrra_client *c, const char *id, struct err *err)
{
	struct buf text = BUF_INIT;
	json_t *record = ask_record_text(c, id, &text, err);

	buf_done(&text);
	return record;
}

/* --- many records ------------------------------------------------------ */

/* One query for all of them: they travel together. */
struct records {
	struct query q;
	const char *const *ids;
	size_t n, left;
	struct err err; /* of the first that failed */
	struct wanted {
		struct records *all;
		json_t **ret;
	} * wanted;
};

static void
on_record(struct slice record, const struct err *err, void *arg)
{
	const struct wanted *w = arg;
	struct records *all = w->all;
	json_t *json = NULL;

	if (err != NULL && all->err.code == ERR_NONE)
		all->err = *err;
	else if (err == NULL && record.len > 0)
		json = load_json(record, NULL);
	if (json_is_object(json))
		*w->ret = json;
	else
		json_decref(json);
	if (--all->left == 0)
		query_end(&all->q,
			  all->err.code != ERR_NONE ? &all->err : NULL);
}

static void
send_records(struct query *q)
{
	struct records *all = container_of(q, struct records, q);
	size_t i;

	all->left = all->n;
	for (i = 0; i < all->n; i++)
		results_get(q->client->results, slice_of(all->ids[i]),
			    on_record, &all->wanted[i]);
}

int
ask_records(struct flowrra_client *c, const char *const *ids, size_t n,
	    json_t **rets, struct err *err)
{
	struct records all = {.q = {.client = c,
				    .send = send_records,
				    .of_results = true,
				    .once = true},
			      .ids = ids,
			      .n = n};
	int result;
	size_t i;

	if (n == 0)
		return 0;
	if (client_check(c, err) != 0)
		return -1;
	if ((all.wanted = calloc(n, sizeof(*all.wanted))) == NULL)
		return err_nomem(err);
	for (i = 0; i < n; i++)
		all.wanted[i] = (struct wanted){&all, &rets[i]};
	result = query_run(&all.q, err);
	free(all.wanted);
	return result;
}

/* --- orders ------------------------------------------------------------ */

int
ask_order(struct flowrra_client *c, json_t *order, struct err *err)
{
	char *text = json_dumps(order, JSON_COMPACT);
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
ask_pause(struct flowrra_client *c, const char *queue, bool paused,
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
