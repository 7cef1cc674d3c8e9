/* SPDX-License-Identifier: MIT */
/* Storing records: final ones of tasks that will not run, and pending ones of
 * those that shall run again. */
#include <stdlib.h>

#include "manager/query.h"
#include "store/results.h"
#include "util/conf.h"
#include "util/err.h"

#define US_PER_S 1000000

struct putting {
	struct query q;
	const struct query_put *put;
	struct results_put results;
};

static void
on_put(struct results_put *put)
{
	struct query *q = put->arg;

	results_changed(q->client->results, put->record);
	query_end(q, NULL);
}

static void
send_put(struct query *q)
{
	struct putting *p = container_of(q, struct putting, q);
	const int64_t ttl_s = q->client->conf->backend.ttl / US_PER_S;

	p->results = (struct results_put){.id = slice_of(p->put->id),
					  .record = p->put->record,
					  .final = true,
					  .failed = true,
					  .ttl_s = ttl_s > 0 ? ttl_s : 1,
					  .on_done = on_put,
					  .arg = q};
	results_put(q->client->results, &p->results);
}

static void
send_reopen(struct query *q)
{
	const struct putting *p = container_of(q, struct putting, q);

	results_reopen(q->client->results, slice_of(p->put->id), p->put->record,
		       query_answer, q);
}

/* All under way at the same time; `errs` may be NULL. */
static int
put_all(struct flowrra_client *c, void (*send)(struct query *q),
	const struct query_put *puts, size_t n, struct err *errs,
	struct err *first)
{
	struct putting *all = calloc(n + 1, sizeof(*all));
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
		all[i].q = (struct query){
		    .client = c, .send = send, .of_results = true};
		all[i].put = &puts[i];
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

int
query_put_failed(struct flowrra_client *c, const struct query_put *puts,
		 size_t n, struct err *err)
{
	const int result = put_all(c, send_put, puts, n, NULL, err);
	struct results_counts counts;

	/* An answer means that the events before it have left, too. */
	if (result == 0)
		query_counts(c, &counts, NULL);
	return result;
}

void
query_reopen(struct flowrra_client *c, const struct query_put *puts, size_t n,
	     struct err *errs)
{
	struct err first = ERR_INIT;

	put_all(c, send_reopen, puts, n, errs, &first);
}
