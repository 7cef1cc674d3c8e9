/* SPDX-License-Identifier: MIT */
/* Storing records: final ones of tasks that will not run, and pending ones of
 * those that shall run again. */
#include <stdlib.h>

#include "client/put.h"
#include "manager/query.h"
#include "util/err.h"

/* May be sent twice: it stores the same. */
static void
send_reopen(struct query *q)
{
	const struct put_query *p = container_of(q, struct put_query, q);

	results_reopen(q->client->results, q->key, p->record, query_answer, q);
}

/* All under way at the same time, so that a batch costs one round trip. `errs`
 * may be NULL. Returns the first error, for those who do not ask of each. */
static int
put_all(struct flowrra_client *c, void (*send)(struct query *q),
	const struct query_put *puts, size_t n, struct err *errs,
	struct err *first)
{
	struct put_query *all = calloc(n + 1, sizeof(*all));
	struct err err = ERR_INIT;
	int result = 0;
	size_t i;

	if (all == NULL) {
		err_nomem(first);
		for (i = 0; i < n && errs != NULL; i++)
			errs[i] = *first;
		return -1;
	}
	for (i = 0; i < n; i++) {
		all[i].q = (struct query){.client = c,
					  .send = send,
					  .of_results = true,
					  .key = slice_of(puts[i].id)};
		all[i].record = puts[i].record;
		query_begin(&all[i].q);
	}
	for (i = 0; i < n; i++) {
		err.code = ERR_NONE;
		if (query_finish(&all[i].q, &err) != 0 && result == 0) {
			result = -1;
			*first = err;
		}
		buf_done(&all[i].q.value);
		if (errs != NULL)
			errs[i] = err;
	}
	free(all);
	return result;
}

/* One flush for all: their events have left when this returns. */
int
query_put_failed(struct flowrra_client *c, const struct query_put *puts,
		 size_t n, struct err *err)
{
	const int result = put_all(c, put_send_failed, puts, n, NULL, err);

	if (result == 0)
		put_flush(c);
	return result;
}

int
query_put_succeeded(struct flowrra_client *c, const struct query_put *puts,
		    size_t n, struct err *err)
{
	const int result = put_all(c, put_send_succeeded, puts, n, NULL, err);

	if (result == 0)
		put_flush(c);
	return result;
}

void
query_reopen(struct flowrra_client *c, const struct query_put *puts, size_t n,
	     struct err *errs)
{
	struct err first = ERR_INIT;

	put_all(c, send_reopen, puts, n, errs, &first);
}
