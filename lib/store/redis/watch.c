/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: waiting for records.
 *
 * A watch subscribes to the task's channel and asks for its record when that
 * stands: what became final before is in the record, what becomes final later
 * is said on the channel. It also asks at once: a short task is often over by
 * then, and need not wait for the subscription. Whenever that or the other
 * connection comes back, it asks again.
 *
 * Of a task that is awaited the record comes as a reply (reply.c); only
 * if none has come after AWAIT_MS it is watched.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "store/redis/results.h"
#include "util/clock.h"

/* How long a reply is relied on. A short task has ended by then and costs no
 * subscription; a lost reply makes a result later by as much. */
#define AWAIT_MS 20

/* All watches of one task share a subscription and its questions. */
struct topic {
	TAILQ_ENTRY(topic) link;
	struct rresults *results;
	TAILQ_HEAD(, rwatch) watches;
	struct rresults_request *asking; /* whose answer is for this topic */
	bool again;   /* something was said since it was asked */
	bool ready;   /* the subscription stands */
	bool telling; /* its watches are being called */
	bool refused; /* they were told that there is no listening */
	bool awaited; /* a reply is; there is no subscription */
	TAILQ_ENTRY(topic) next_awaited;
	int64_t since_ms; /* it is awaited; monotonic */
	char *channel;
	struct slice id; /* the end of the channel's name */
};

struct rwatch {
	struct results_watch pub;
	TAILQ_ENTRY(rwatch) link;
	struct topic *topic;
	results_record_fn *on_record;
	void *arg;
	bool notified; /* this answer was delivered */
	bool over;     /* the final record was delivered */
};

static struct topic_list *
rtopic_bucket(struct rresults *r, struct slice id)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	size_t i;

	for (i = 0; i < id.len; i++)
		hash = (hash ^ (unsigned char)id.p[i]) * 16777619u;
	return &r->topics[hash % TOPIC_BUCKETS];
}

static struct topic *
rtopic_find(struct rresults *r, struct slice id)
{
	struct topic *t;

	TAILQ_FOREACH (t, rtopic_bucket(r, id), link)
		if (slice_eq(t->id, id))
			return t;
	return NULL;
}

/* Ends a topic that nobody watches any more. */
static void
rtopic_release(struct topic *t)
{
	if (t->telling || !TAILQ_EMPTY(&t->watches))
		return;
	TAILQ_REMOVE(rtopic_bucket(t->results, t->id), t, link);
	if (t->awaited)
		TAILQ_REMOVE(&t->results->awaited, t, next_awaited);
	else
		redis_unsubscribe_later(t->results->listener,
					slice_of(t->channel));
	if (t->asking != NULL)
		t->asking->arg = NULL;
	free(t->channel);
	free(t);
}

static bool
rtopic_is_final(struct slice record)
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
rtopic_notify(struct topic *t, struct slice record, bool final,
	      const struct err *err)
{
	struct rwatch *w;

	/* Keeps the topic while its watches end one after the other. */
	t->telling = true;
	TAILQ_FOREACH (w, &t->watches, link)
		w->notified = w->over;
	for (;;) {
		TAILQ_FOREACH (w, &t->watches, link)
			if (!w->notified)
				break;
		if (w == NULL)
			break;
		w->notified = true;
		w->over = final;
		w->on_record(record, err, w->arg);
	}
	t->telling = false;
	rtopic_release(t);
}

static void rtopic_query(struct topic *t);

static void
rtopic_on_answer(struct redis_request *request, const struct redis_reply *reply)
{
	struct rresults_request *call =
	    container_of(request, struct rresults_request, request);
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
	final = rtopic_is_final(record);
	if (t->again && !final)
		rtopic_query(t);
	rtopic_notify(t, record, final, err.code == ERR_NONE ? NULL : &err);
}

/* Asks for the record. */
static void
rtopic_query(struct topic *t)
{
	struct buf key = BUF_INIT;
	const struct slice argv[] = {SLICE("GET"),
				     arg_key(&key, ARG_RECORD, t->id)};
	struct rresults_request *call;

	t->again = t->asking != NULL;
	if (t->asking == NULL && !key.failed &&
	    (call = rresults_request_new(t->results, rtopic_on_answer, t)) !=
		NULL) {
		t->asking = call;
		rresults_command(&call->request, REDIS_ARGS(argv));
	}
	buf_done(&key);
}

static void
rtopic_on_ready(struct redis *redis, void *arg)
{
	struct topic *t = arg;

	t->ready = true;
	rtopic_query(t);
}

void
rresults_watches_message(struct rresults *r, struct slice channel)
{
	const size_t prefix = strlen(RRESULTS_COMPLETE);
	struct topic *t;

	if (channel.len < prefix)
		return;
	t = rtopic_find(
	    r, (struct slice){channel.p + prefix, channel.len - prefix});
	if (t != NULL)
		rtopic_query(t);
}

void
rresults_watches_up(struct rresults *r)
{
	struct topic *t;
	size_t i;

	for (i = 0; i < TOPIC_BUCKETS; i++)
		TAILQ_FOREACH (t, &r->topics[i], link)
			if (t->ready)
				rtopic_query(t);
}

/* Who may not subscribe (ACL) is not told of anything, and tries it again every
 * two seconds: so often what is watched is looked at. */
void
rresults_watches_down(struct rresults *r)
{
	struct topic *t;
	size_t i;

	for (i = 0; i < TOPIC_BUCKETS; i++)
		TAILQ_FOREACH (t, &r->topics[i], link)
			if (!t->awaited)
				rtopic_query(t);
}

static struct topic *
first_to_refuse(struct rresults *r, size_t in)
{
	struct topic *t;

	TAILQ_FOREACH (t, &r->topics[in], link)
		if (!t->refused)
			return t;
	return NULL;
}

void
rresults_watches_refused(struct rresults *r, const struct err *why)
{
	struct topic *t;
	size_t i;

	/* From the beginning each time: who is told may end others, too. */
	for (i = 0; i < TOPIC_BUCKETS; i++)
		while ((t = first_to_refuse(r, i)) != NULL) {
			t->refused = true;
			rtopic_notify(t, (struct slice){NULL, 0}, false, why);
		}
}

static struct topic *
new_topic(struct rresults *r, struct slice id)
{
	struct buf channel = BUF_INIT;
	struct topic *t = calloc(1, sizeof(*t));

	arg_key(&channel, RRESULTS_COMPLETE, id);
	if (t == NULL || channel.failed) {
		buf_done(&channel);
		free(t);
		return NULL;
	}
	t->results = r;
	TAILQ_INIT(&t->watches);
	t->id = (struct slice){channel.data + channel.len - id.len, id.len};
	t->channel = buf_take(&channel);
	/* At first it is awaited: rtopic_subscribe() ends that. */
	t->awaited = true;
	t->since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&r->awaited, t, next_awaited);
	TAILQ_INSERT_TAIL(rtopic_bucket(r, id), t, link);
	return t;
}

/* No reply is relied on any more. 0, or -1 when memory runs out. */
static int
rtopic_subscribe(struct topic *t)
{
	struct rresults *r = t->results;

	if (t->awaited) {
		if (redis_subscribe(r->listener, slice_of(t->channel),
				    rtopic_on_ready, t) != 0)
			return -1;
		TAILQ_REMOVE(&r->awaited, t, next_awaited);
		t->awaited = false;
	}
	rtopic_query(t);
	return 0;
}

/* 0, or -1 with *err if nobody can listen, now or ever. */
static int
check_listener(struct rresults *r, struct err *err)
{
	if (rresults_open_listener(r, err) != 0)
		return -1;
	if (redis_state(r->listener) != REDIS_REFUSED)
		return 0;
	return err_set(err, ERR_REFUSED, "%s no longer lets us subscribe",
		       redis_name(r->listener));
}

static struct rwatch *
new_watch(struct rresults *r, struct slice id, results_record_fn *on_record,
	  void *arg)
{
	struct topic *t = rtopic_find(r, id);
	struct rwatch *w;

	if (t == NULL && (t = new_topic(r, id)) == NULL)
		return NULL;
	if ((w = calloc(1, sizeof(*w))) == NULL) {
		rtopic_release(t);
		return NULL;
	}
	w->pub.results = &r->pub;
	w->topic = t;
	w->on_record = on_record;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&t->watches, w, link);
	return w;
}

struct results_watch *
rresults_watch(struct results *results, struct slice id,
	       results_record_fn *on_record, void *arg, struct err *err)
{
	struct rresults *r = (struct rresults *)results;
	struct rwatch *w;

	if (check_listener(r, err) != 0)
		return NULL;
	w = new_watch(r, id, on_record, arg);
	if (w != NULL && rtopic_subscribe(w->topic) == 0)
		return &w->pub;
	if (w != NULL)
		rresults_unwatch(&w->pub);
	err_nomem(err);
	return NULL;
}

/* --- replies ----------------------------------------------------------- */

/* All are awaited for the same time, so the first is the one that came first.
 */
static void
wait_for_first(struct rresults *r)
{
	const struct topic *t = TAILQ_FIRST(&r->awaited);
	struct timeval tv = {.tv_usec = 1000};
	int64_t left_ms;

	/* Of a refusal all have been told. */
	if (t == NULL || evtimer_pending(r->reply_timeout, NULL) ||
	    redis_state(r->listener) == REDIS_REFUSED)
		return;
	left_ms = t->since_ms + AWAIT_MS - clock_mono_ms();
	if (left_ms > 1)
		tv.tv_usec = (suseconds_t)left_ms * 1000;
	evtimer_add(r->reply_timeout, &tv);
}

static void
rwatch_on_reply_timeout(evutil_socket_t fd, short what, void *arg)
{
	const int64_t before_ms = clock_mono_ms() - AWAIT_MS;
	struct rresults *r = arg;
	struct topic *t;

	while ((t = TAILQ_FIRST(&r->awaited)) != NULL &&
	       t->since_ms <= before_ms && rtopic_subscribe(t) == 0)
		;
	wait_for_first(r);
}

struct results_watch *
rresults_await(struct results *results, struct slice id,
	       results_record_fn *on_record, void *arg, struct err *err)
{
	struct rresults *r = (struct rresults *)results;
	struct rwatch *w;

	if (check_listener(r, err) != 0)
		return NULL;
	if (r->reply_timeout == NULL)
		r->reply_timeout =
		    evtimer_new(r->opt.base, rwatch_on_reply_timeout, r);
	if (r->reply_timeout == NULL ||
	    (w = new_watch(r, id, on_record, arg)) == NULL) {
		err_nomem(err);
		return NULL;
	}
	/* Somebody watches it already, and may have had the last answer. */
	if (!w->topic->awaited)
		rtopic_query(w->topic);
	wait_for_first(r);
	return &w->pub;
}

void
rresults_watches_reply(struct rresults *r, struct slice id, struct slice record)
{
	struct topic *t = rtopic_find(r, id);

	if (t != NULL)
		rtopic_notify(t, record, true, NULL);
}

/* --- the end ----------------------------------------------------------- */

void
rresults_unwatch(struct results_watch *watch)
{
	struct rwatch *w = container_of(watch, struct rwatch, pub);

	TAILQ_REMOVE(&w->topic->watches, w, link);
	rtopic_release(w->topic);
	free(w);
}

void
rresults_watches_free(struct rresults *r)
{
	struct rwatch *w;
	struct topic *t;
	size_t i;

	if (r->reply_timeout != NULL)
		event_free(r->reply_timeout);
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
