/* SPDX-License-Identifier: MIT */
/* The Redis broker: released steps of workflows that are in no place of their queue. */
#include <stdlib.h>
#include <string.h>

#include "store/redis/flow.h"
#include "store/redis/places.h"

struct rmissing {
	struct rquery query;
	struct rqueue queue;
	struct rplaces places;
	struct buf text; /* of the IDs, each with a NUL behind */
	struct slice *ids;
	size_t n;
	struct slice *names; /* those that are missing */
	size_t n_names;
	bool again; /* the queue is asked once more */
	broker_names_fn *on_names;
	void *arg;
};

static void
missing_free(struct rquery *i)
{
	struct rmissing *m = container_of(i, struct rmissing, query);

	rqueue_done(&m->queue);
	rplaces_done(&m->places);
	buf_done(&m->text);
	free(m->ids);
	free(m->names);
	free(m);
}

static void
missing_take(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct rmissing *m = container_of(i, struct rmissing, query);
	size_t k;

	m->n_names = 0;
	m->again = rplaces_learn(&m->places, &m->queue, reply);
	for (k = 0; !m->again && k < m->n; k++)
		if (rplaces_is_missing(reply, k))
			m->names[m->n_names++] = m->ids[k];
}

static void
missing_ask(struct rquery *i)
{
	struct rmissing *m = container_of(i, struct rmissing, query);
	struct rplaces_call call;

	if (rplaces_call_init(&call, &m->places, &m->queue, m->ids, m->n) == 0)
		rquery_eval(i, missing_take, 0, SCRIPT_LOST, call.keys,
			    call.args);
	else
		err_nomem(&i->err);
	rplaces_call_done(&call);
}

static void
missing_on_answered(struct rquery *i)
{
	struct rmissing *m = container_of(i, struct rmissing, query);

	if (i->err.code == ERR_NONE && m->again) {
		rquery_next(i, missing_ask, missing_on_answered);
		return;
	}
	if (i->err.code != ERR_NONE)
		m->on_names(NULL, 0, &i->err, m->arg);
	else
		m->on_names(m->names, m->n_names, NULL, m->arg);
	missing_free(i);
}

/* What is asked, as a copy. */
static int
missing_set(struct rmissing *m, struct rbroker *b,
	    const struct flow_missing *ask)
{
	const char *p;
	size_t i;

	for (i = 0; i < ask->n; i++) {
		buf_add(&m->text, ask->ids[i].p, ask->ids[i].len);
		buf_addc(&m->text, '\0');
	}
	m->ids = calloc(ask->n + 1, sizeof(*m->ids));
	m->names = calloc(ask->n + 1, sizeof(*m->names));
	if (m->ids == NULL || m->names == NULL || m->text.failed)
		return err_nomem(&m->query.err);
	for (p = m->text.data; m->n < ask->n; p += strlen(p) + 1)
		m->ids[m->n++] = slice_of(p);
	if (rqueue_of_name(&m->queue, b, ask->queue, &m->query.err) == 0)
		return 0;
	m->queue = (struct rqueue){.broker = b};
	return -1;
}

void
rflow_missing(struct broker *b, const struct flow_missing *ask,
	      broker_names_fn *on_names, void *arg)
{
	struct rmissing *m = calloc(1, sizeof(*m));
	struct rbroker *broker = (struct rbroker *)b;
	struct err err;

	if (m == NULL) {
		err_nomem(&err);
		on_names(NULL, 0, &err, arg);
		return;
	}
	m->query = (struct rquery){.broker = broker,
				   .what = "looking for steps of workflows",
				   .ask = missing_ask,
				   .answered = missing_on_answered,
				   .free = missing_free};
	m->on_names = on_names;
	m->arg = arg;
	/* An error in it is told from the loop. */
	missing_set(m, broker, ask);
	rquery_begin(&m->query);
}
