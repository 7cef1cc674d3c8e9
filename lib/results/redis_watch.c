/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: waiting for records.
 *
 * A watch subscribes to the task's channel and asks for its record when that
 * stands: what became final before is in the record, what becomes final later
 * is said on the channel. It also asks at once: a short task is often over by
 * then, and need not wait for the subscription. Whenever that or the other
 * connection comes back, it asks again.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "results/redis.h"

/* All watches of one task share a subscription and its questions. */
struct topic {
	TAILQ_ENTRY(topic) link;
	struct rresults *results;
	TAILQ_HEAD(, rwatch) watches;
	struct rcall *asking; /* whose answer is for this topic */
	bool again;	      /* something was said since it was asked */
	bool ready;	      /* the subscription stands */
	bool telling;	      /* its watches are being called */
	char *channel;
	struct slice id; /* the end of the channel's name */
};

struct rwatch {
	struct results_watch pub;
	TAILQ_ENTRY(rwatch) link;
	struct topic *topic;
	results_record_fn *on_record;
	void *arg;
	bool told; /* this answer was delivered */
	bool over; /* the final record was delivered */
};

static struct topic_list *
bucket(struct rresults *r, struct slice id)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	size_t i;

	for (i = 0; i < id.len; i++)
		hash = (hash ^ (unsigned char)id.p[i]) * 16777619u;
	return &r->topics[hash % TOPIC_BUCKETS];
}

static struct topic *
find(struct rresults *r, struct slice id)
{
	struct topic *t;

	TAILQ_FOREACH (t, bucket(r, id), link)
		if (slice_eq(t->id, id))
			return t;
	return NULL;
}

/* Ends a topic that nobody watches any more. */
static void
release(struct topic *t)
{
	if (t->telling || !TAILQ_EMPTY(&t->watches))
		return;
	TAILQ_REMOVE(bucket(t->results, t->id), t, link);
	redis_unsubscribe_later(t->results->listener, slice_of(t->channel));
	if (t->asking != NULL)
		t->asking->arg = NULL;
	free(t->channel);
	free(t);
}

static bool
is_final(struct slice record)
{
	struct buf scratch = BUF_INIT;
	struct result result;
	bool final;

	final = record.p != NULL &&
		result_decode(record, &scratch, &result, NULL) == 0 &&
		result_status_final(result.status);
	buf_done(&scratch);
	return final;
}

/* Tells every watch; any of them may end, itself or another, meanwhile. */
static void
tell(struct topic *t, struct slice record, bool final, const struct err *err)
{
	struct rwatch *w;

	t->telling = true;
	TAILQ_FOREACH (w, &t->watches, link)
		w->told = w->over;
	for (;;) {
		TAILQ_FOREACH (w, &t->watches, link)
			if (!w->told)
				break;
		if (w == NULL)
			break;
		w->told = true;
		w->over = final;
		w->on_record(record, err, w->arg);
	}
	t->telling = false;
	release(t);
}

static void look(struct topic *t);

static void
on_answer(struct rcall *call, const struct redis_reply *reply)
{
	struct slice record = {NULL, 0};
	struct topic *t = call->arg;
	struct err err = ERR_INIT;
	bool final;

	free(call);
	if (t == NULL)
		return; /* nobody watches any more */
	t->asking = NULL;
	if (redis_fault(reply) == REDIS_FAULT_NONE)
		record = rresults_record(reply);
	else
		redis_fault_err(t->results->redis, "reading a result", reply,
				&err);
	final = is_final(record);
	if (t->again && !final)
		look(t);
	tell(t, record, final, err.code == ERR_NONE ? NULL : &err);
}

/* Asks for the record. */
static void
look(struct topic *t)
{
	struct buf key = BUF_INIT;
	const struct slice argv[] = {
	    SLICE("GET"), rresults_key(&key, RRESULTS_RECORD, t->id)};
	struct rcall *call;

	t->again = t->asking != NULL;
	if (t->asking == NULL && !key.failed &&
	    (call = malloc(sizeof(*call))) != NULL) {
		*call = (struct rcall){
		    .results = t->results, .fn = on_answer, .arg = t};
		t->asking = call;
		rresults_ask(call, 2, argv);
	}
	buf_done(&key);
}

static void
on_ready(struct redis *redis, void *arg)
{
	struct topic *t = arg;

	(void)redis;
	t->ready = true;
	look(t);
}

void
rresults_watches_message(struct rresults *r, struct slice channel)
{
	const size_t prefix = strlen(RRESULTS_COMPLETE);
	struct topic *t;

	if (channel.len < prefix)
		return;
	t = find(r, (struct slice){channel.p + prefix, channel.len - prefix});
	if (t != NULL)
		look(t);
}

void
rresults_watches_up(struct rresults *r)
{
	struct topic *t;
	size_t i;

	for (i = 0; i < TOPIC_BUCKETS; i++)
		TAILQ_FOREACH (t, &r->topics[i], link)
			if (t->ready)
				look(t);
}

static struct topic *
new_topic(struct rresults *r, struct slice id, struct err *err)
{
	struct buf channel = BUF_INIT;
	struct topic *t = calloc(1, sizeof(*t));

	rresults_key(&channel, RRESULTS_COMPLETE, id);
	if (t == NULL || channel.failed ||
	    redis_subscribe(r->listener,
			    (struct slice){channel.data, channel.len}, on_ready,
			    t) != 0) {
		buf_done(&channel);
		free(t);
		err_nomem(err);
		return NULL;
	}
	t->results = r;
	TAILQ_INIT(&t->watches);
	t->id = (struct slice){channel.data + channel.len - id.len, id.len};
	t->channel = buf_take(&channel);
	TAILQ_INSERT_TAIL(bucket(r, id), t, link);
	return t;
}

struct results_watch *
rresults_watch(struct results *results, struct slice id,
	       results_record_fn *on_record, void *arg, struct err *err)
{
	struct rresults *r = (struct rresults *)results;
	struct rwatch *w;
	struct topic *t;

	if (rresults_open_listener(r, err) != 0)
		return NULL;
	if ((w = calloc(1, sizeof(*w))) == NULL) {
		err_nomem(err);
		return NULL;
	}
	if ((t = find(r, id)) == NULL && (t = new_topic(r, id, err)) == NULL) {
		free(w);
		return NULL;
	}
	w->pub.results = results;
	w->topic = t;
	w->on_record = on_record;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&t->watches, w, link);
	look(t);
	return &w->pub;
}

void
rresults_unwatch(struct results_watch *watch)
{
	struct rwatch *w = container_of(watch, struct rwatch, pub);

	TAILQ_REMOVE(&w->topic->watches, w, link);
	release(w->topic);
	free(w);
}

void
rresults_watches_free(struct rresults *r)
{
	struct rwatch *w;
	struct topic *t;
	size_t i;

	for (i = 0; i < TOPIC_BUCKETS; i++) {
		while ((t = TAILQ_FIRST(&r->topics[i])) != NULL) {
			while ((w = TAILQ_FIRST(&t->watches)) != NULL) {
				TAILQ_REMOVE(&t->watches, w, link);
				free(w);
			}
			TAILQ_REMOVE(&r->topics[i], t, link);
			free(t->channel);
			free(t);
		}
	}
}
