/* SPDX-License-Identifier: MIT */
/* Questions to all Sentinels at once; see quorum.h. */
#include "redis/quorum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/find.h"
#include "redis/redis.h"
#include "redis/url.h"

/* A person waits. */
#define ASK_MS 1000
#define REPLY_MAX 4096

struct quorum_ask {
	struct redis_quorum *quorum;
	struct redis *redis; /* NULL: it has answered, or will not */
	struct redis_sentinel_view *view;
};

struct redis_quorum {
	char *master;
	struct quorum_ask asks[REDIS_HOSTS_MAX];
	struct redis_sentinel_view views[REDIS_HOSTS_MAX];
	size_t n, left;
	redis_quorum_fn *on_views;
	void *arg;
};

/* The last statement of those who call it. */
static void
quorum_answered(struct quorum_ask *ask)
{
	struct redis_quorum *q = ask->quorum;

	redis_free(ask->redis);
	ask->redis = NULL;
	if (--q->left == 0)
		q->on_views(q->views, q->n, q->arg);
}

static void
quorum_on_reply(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct quorum_ask *ask = arg;
	const struct slice text = redis_reply_string(reply);

	if (reply == NULL)
		return; /* told with the state */
	ask->view->answers = true;
	ask->view->well = redis_fault(reply) == REDIS_FAULT_NONE;
	if (!ask->view->well)
		err_set(&ask->view->why, ERR_UNAVAILABLE, "%.*s", (int)text.len,
			text.p);
	quorum_answered(ask);
}

static void
quorum_on_state(struct redis *r, enum redis_state state, const struct err *why,
		void *arg)
{
	struct quorum_ask *ask = arg;
	const struct slice argv[] = {SLICE("SENTINEL"), SLICE("CKQUORUM"),
				     slice_of(ask->quorum->master)};

	if (state == REDIS_UP &&
	    redis_command(r, quorum_on_reply, ask, 3, argv) == 0)
		return;
	if (state == REDIS_UP)
		err_nomem(&ask->view->why);
	else
		ask->view->why = *why;
	quorum_answered(ask);
}

static int
quorum_ask(struct redis_quorum *q, struct event_base *base,
	   const struct redis_url *url, struct err *err)
{
	const size_t i = q->n;
	const struct redis_url one = redis_sentinel_url(url, i);
	const struct redis_options options = {.url = &one,
					      .client_name = "flowrra-sentinel",
					      .timeout_ms = ASK_MS,
					      .max_reply = REPLY_MAX,
					      .to_sentinel = true,
					      .on_state = quorum_on_state,
					      .arg = &q->asks[i]};

	snprintf(q->views[i].name, sizeof(q->views[i].name),
		 strchr(one.host, ':') != NULL ? "[%s]:%u" : "%s:%u", one.host,
		 one.port);
	q->asks[i] = (struct quorum_ask){.quorum = q, .view = &q->views[i]};
	q->asks[i].redis = redis_new(base, &options, err);
	if (q->asks[i].redis == NULL)
		return -1;
	q->n++;
	q->left++;
	return 0;
}

struct redis_quorum *
redis_quorum_new(struct event_base *base, const struct redis_url *url,
		 redis_quorum_fn *on_views, void *arg, struct err *err)
{
	struct redis_quorum *q;

	if (url->master == NULL) {
		err_set(err, ERR_CONFIG, "the URL names no Sentinels");
		return NULL;
	}
	q = calloc(1, sizeof(*q));
	if (q == NULL || (q->master = strdup(url->master)) == NULL) {
		free(q);
		err_nomem(err);
		return NULL;
	}
	q->on_views = on_views;
	q->arg = arg;
	while (q->n < url->n_hosts)
		if (quorum_ask(q, base, url, err) != 0) {
			redis_quorum_free(q);
			return NULL;
		}
	return q;
}

void
redis_quorum_free(struct redis_quorum *q)
{
	size_t i;

	if (q == NULL)
		return;
	for (i = 0; i < q->n; i++)
		redis_free(q->asks[i].redis);
	free(q->master);
	free(q);
}
