/* SPDX-License-Identifier: MIT */
/* Tasks on their way to another queue. */
#include "client/deliver.h"

#include "client/client.h"
#include "store/admin.h"
#include "util/err.h"

static void
deliver_send(struct query *q)
{
	broker_deliver(q->client->broker, q->key, query_answer, q);
}

/* The value has no NUL. */
static int64_t
deliver_count(const struct buf *value)
{
	int64_t n = 0;
	size_t i;

	for (i = 0;
	     i < value->len && value->data[i] >= '0' && value->data[i] <= '9';
	     i++)
		n = 10 * n + (value->data[i] - '0');
	return n;
}

int64_t
client_deliver(struct flowrra_client *c, const char *queue, struct err *err)
{
	int64_t all = 0, n = 0;
	struct query q;
	int r;

	if (client_check(c, err) != 0)
		return -1;
	do {
		q = (struct query){
		    .client = c, .send = deliver_send, .key = slice_of(queue)};
		r = query_run(&q, err);
		n = r == 0 ? deliver_count(&q.value) : 0;
		all += n;
		buf_done(&q.value);
	} while (n > 0);
	return r == 0 ? all : -1;
}
