/* SPDX-License-Identifier: MIT */
/*
 * What the manager asks the backend of tasks that it knows by their ids: one,
 * or as many as a page shows, which travel together.
 */
#include <stdlib.h>

#include "client/load.h"
#include "client/put.h"
#include "manager/query.h"
#include "store/results.h"
#include "util/err.h"

/* --- one record -------------------------------------------------------- */

/* Any thread: it waits for the client's loop. */
json_t *
query_record(struct flowrra_client *c, const char *id, struct err *err)
{
	return client_check(c, err) == 0 ? load_record(c, id, NULL, err) : NULL;
}

/* --- many records ------------------------------------------------------ */

/* One query for all of them: they travel together. */
struct records_query {
	struct query q;
	const char *const *ids;
	size_t n, left;
	struct err err; /* of the first that failed */
	struct wanted {
		struct records_query *all;
		json_t **ret;
	} * wanted;
};

/* One that cannot be read counts as none: the others are still worth showing.
 * Answers may come in any order, hence `w`. */
static void
on_record(struct slice record, const struct err *err, void *arg)
{
	const struct wanted *w = arg;
	struct records_query *all = w->all;
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

/* `once` (see query_records()) makes sure that this is called once: a second
 * time, answers of the first could still come. */
static void
send_records(struct query *q)
{
	struct records_query *all = container_of(q, struct records_query, q);
	size_t i;

	all->left = all->n;
	for (i = 0; i < all->n; i++)
		results_get(q->client->results, slice_of(all->ids[i]),
			    on_record, &all->wanted[i]);
}

int
query_records(struct flowrra_client *c, const char *const *ids, size_t n,
	      json_t **rets, struct err *err)
{
	struct records_query all = {.q = {.client = c,
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

/* --- deleting ---------------------------------------------------------- */

struct forget_query {
	struct query q;
	struct slice *ids;
	size_t n;
};

static void
send_forget(struct query *q)
{
	struct forget_query *f = container_of(q, struct forget_query, q);

	results_forget(q->client->results, f->ids, f->n);
	query_end(q, NULL);
}

/* put_flush() waits until the store has carried it out. */
int
query_forget(struct flowrra_client *c, const char *const *ids, size_t n,
	     struct err *err)
{
	struct forget_query f = {
	    .q = {.client = c, .of_results = true, .send = send_forget},
	    .n = n};
	size_t i;
	int r;

	if (n == 0)
		return 0;
	if ((f.ids = calloc(n, sizeof(*f.ids))) == NULL)
		return err_nomem(err);
	for (i = 0; i < n; i++)
		f.ids[i] = slice_of(ids[i]);
	r = query_run(&f.q, err);
	free(f.ids);
	if (r == 0)
		put_flush(c);
	return r;
}
