/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: waiting for records.
 *
 * A watch subscribes to the task's channel and then asks for its record: what
 * became final before is in the record, what becomes final later is said on
 * the channel. Whenever the subscription or the other connection comes back,
 * it asks again.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "results/redis.h"

struct rwatch {
	struct results_watch pub;
	TAILQ_ENTRY(rwatch) link;
	results_record_fn *on_record;
	void *arg;
	struct rcall *asking; /* whose answer is for this watch */
	bool again;	      /* something was said since it was asked */
	bool ready;	      /* the subscription stands */
	bool over;	      /* the final record was delivered */
	char *channel;
	struct slice id; /* the end of the channel's name */
};

static struct rwatch_list *
bucket(struct rresults *r, struct slice id)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	size_t i;

	for (i = 0; i < id.len; i++)
		hash = (hash ^ (unsigned char)id.p[i]) * 16777619u;
	return &r->watches[hash % WATCH_BUCKETS];
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

static void
look(struct rwatch *w);

static void
on_answer(struct rcall *call, const struct redis_reply *reply)
{
	struct rwatch *w = call->arg;
	struct slice record = redis_reply_string(reply);
	struct err err;
	bool again;

	free(call);
	if (w == NULL)
		return; /* the watch has ended */
	again = w->again;
	w->asking = NULL;
	w->again = false;
	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		redis_fault_err(((struct rresults *)w->pub.results)->redis,
				"reading a result", reply, &err);
		w->on_record((struct slice){NULL, 0}, &err, w->arg);
		return;
	}
	w->over = is_final(record);
	if (again && !w->over)
		look(w);
	w->on_record(record, NULL, w->arg);
}

/* Asks for the record. */
static void
look(struct rwatch *w)
{
	struct buf key = BUF_INIT;
	const struct slice argv[] = {
	    SLICE("GET"), rresults_key(&key, RRESULTS_RECORD, w->id)};
	struct rcall *call;

	if (w->over)
		return;
	if (w->asking != NULL) {
		w->again = true;
		return;
	}
	if (!key.failed && (call = malloc(sizeof(*call))) != NULL) {
		*call = (struct rcall){
		    .results = (struct rresults *)w->pub.results,
		    .fn = on_answer,
		    .arg = w};
		w->asking = call;
		rresults_ask(call, 2, argv);
	}
	buf_done(&key);
}

static void
on_ready(struct redis *redis, void *arg)
{
	struct rwatch *w = arg;

	(void)redis;
	w->ready = true;
	look(w);
}

static void
on_message(struct redis *redis, struct slice channel, struct slice payload,
	   void *arg)
{
	struct rresults *r = arg;
	const size_t prefix = strlen(RRESULTS_COMPLETE);
	struct slice id;
	struct rwatch *w;

	(void)redis;
	(void)payload;
	if (channel.len < prefix)
		return;
	id = (struct slice){channel.p + prefix, channel.len - prefix};
	/* look() calls nobody back, so that the list stays as it is. */
	TAILQ_FOREACH (w, bucket(r, id), link)
		if (slice_eq(w->id, id))
			look(w);
}

void
rresults_watches_up(struct rresults *r)
{
	struct rwatch *w;
	size_t i;

	for (i = 0; i < WATCH_BUCKETS; i++)
		TAILQ_FOREACH (w, &r->watches[i], link)
			if (w->ready)
				look(w);
}

static void
on_listener_state(struct redis *redis, enum redis_state state,
		  const struct err *why, void *arg)
{
	struct rresults *r = arg;

	(void)redis;
	if (state == REDIS_REFUSED)
		r->opt.on_state(false, true, why, r->opt.arg);
}

static int
open_listener(struct rresults *r, struct err *err)
{
	const struct redis_options options = {
	    .url = &r->url,
	    .client_name = "flowrra-watch",
	    .timeout_ms = r->opt.timeout_ms,
	    .max_reply = 64u << 10,
	    .on_state = on_listener_state,
	    .on_message = on_message,
	    .arg = r};

	if (r->listener == NULL)
		r->listener = redis_new(r->opt.base, &options, err);
	return r->listener ? 0 : -1;
}

static struct rwatch *
find(struct rwatch_list *list, struct slice id)
{
	struct rwatch *w;

	TAILQ_FOREACH (w, list, link)
		if (slice_eq(w->id, id))
			return w;
	return NULL;
}

struct results_watch *
rresults_watch(struct results *results, struct slice id,
	       results_record_fn *on_record, void *arg, struct err *err)
{
	struct rresults *r = (struct rresults *)results;
	struct rwatch_list *list = bucket(r, id);
	struct buf channel = BUF_INIT;
	struct rwatch *w = NULL, *twin = find(list, id);

	if (open_listener(r, err) != 0)
		return NULL;
	rresults_key(&channel, RRESULTS_COMPLETE, id);
	if (channel.failed || (w = calloc(1, sizeof(*w))) == NULL) {
		buf_done(&channel);
		err_nomem(err);
		return NULL;
	}
	w->pub.results = results;
	w->on_record = on_record;
	w->arg = arg;
	w->id = (struct slice){channel.data + channel.len - id.len, id.len};
	w->channel = buf_take(&channel);
	TAILQ_INSERT_TAIL(list, w, link);
	if (twin != NULL && twin->ready) {
		w->ready = true;
		look(w);
	} else if (redis_subscribe(r->listener, slice_of(w->channel), on_ready,
				   w) != 0) {
		err_nomem(err);
		rresults_unwatch(&w->pub);
		return NULL;
	}
	return &w->pub;
}

void
rresults_unwatch(struct results_watch *watch)
{
	struct rwatch *w = container_of(watch, struct rwatch, pub);
	struct rresults *r = (struct rresults *)w->pub.results;
	struct rwatch_list *list = bucket(r, w->id);

	TAILQ_REMOVE(list, w, link);
	if (find(list, w->id) == NULL)
		redis_unsubscribe(r->listener, slice_of(w->channel));
	if (w->asking != NULL)
		w->asking->arg = NULL;
	free(w->channel);
	free(w);
}
