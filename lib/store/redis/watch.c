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
struct rtopic {
	struct topic topic;
	struct rresults *results;
	struct rresults_request *asking; /* whose answer is for this topic */
	bool again;   /* something was said since it was asked */
	bool ready;   /* the subscription stands */
	bool refused; /* its watches were told that there is no listening */
	bool awaited; /* a reply is; there is no subscription */
	TAILQ_ENTRY(rtopic) next_awaited;
	int64_t since_ms; /* it is awaited; monotonic */
	char *channel;	  /* ends in the task's id */
	char *changes; /* the same, of records that are not final; NULL: nobody
			     follows the task */
};

static struct rtopic *
rtopic_of(struct topic *topic)
{
	return container_of(topic, struct rtopic, topic);
}

static struct rtopic *
rtopic_find(struct rresults *r, struct slice id)
{
	struct topic *topic = watches_find(&r->watches, id);

	return topic != NULL ? rtopic_of(topic) : NULL;
}

static void
rtopic_leave(struct topic *topic)
{
	struct rtopic *t = rtopic_of(topic);

	if (t->awaited)
		TAILQ_REMOVE(&t->results->awaited, t, next_awaited);
	else
		redis_unsubscribe_later(t->results->listener,
					slice_of(t->channel));
	if (t->changes != NULL)
		redis_unsubscribe(t->results->listener, slice_of(t->changes));
	/* The answer is still to come. */
	if (t->asking != NULL)
		t->asking->arg = NULL;
}

static void
rtopic_free(struct topic *topic)
{
	struct rtopic *t = rtopic_of(topic);

	free(t->channel);
	free(t->changes);
	free(t);
}

static const struct watches_ops rtopic_ops = {.leave = rtopic_leave,
					      .free = rtopic_free};

void
rresults_watches_init(struct rresults *r)
{
	watches_init(&r->watches, &rtopic_ops);
	TAILQ_INIT(&r->awaited);
}

/* A record that cannot be read is not final: it may be replaced by one that
 * can, and those who wait have their own limit. */
static bool
rtopic_is_final(struct slice record)
{
	enum result_status status;

	return record.p != NULL && result_decode_status(record, &status) == 0 &&
	       result_status_final(status);
}

static void rtopic_query(struct rtopic *t);

static void
rtopic_on_answer(struct redis_request *request, const struct redis_reply *reply)
{
	struct rresults_request *call =
	    container_of(request, struct rresults_request, request);
	struct slice record = {NULL, 0};
	struct rtopic *t = call->arg;
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
	/* Before the watches are told, who may end the topic. */
	if (t->again && (!final || t->topic.followed))
		rtopic_query(t);
	/* Last, since the topic may end with it. */
	watches_notify(&t->topic, record, final,
		       err.code == ERR_NONE ? NULL : &err);
}

/* Asks for the record. */
static void
rtopic_query(struct rtopic *t)
{
	struct buf key = BUF_INIT;
	const struct slice argv[] = {SLICE("GET"),
				     arg_key(&key, ARG_RECORD, t->topic.id)};
	struct rresults_request *call;

	/* One question at a time: what is said meanwhile is answered by one
	 * more. Without memory, the next message or connection asks again. */
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
	struct rtopic *t = arg;

	/* Also after each reconnect: what was said meanwhile was missed. */
	t->ready = true;
	rtopic_query(t);
}

/* The message says only that something has changed; what it is, the record
 * tells. One about a task that nobody watches any more may still be under way. */
void
rresults_watches_message(struct rresults *r, struct slice channel)
{
	static const char *const prefixes[] = {RRESULTS_COMPLETE,
					       RRESULTS_CHANGED};
	struct rtopic *t = NULL;
	size_t i, n;

	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		n = strlen(prefixes[i]);
		if (channel.len > n && memcmp(channel.p, prefixes[i], n) == 0)
			t = rtopic_find(
			    r, (struct slice){channel.p + n, channel.len - n});
	}
	if (t != NULL)
		rtopic_query(t);
}

void
rresults_watches_up(struct rresults *r)
{
	struct topic *t = NULL;

	/* Those that are not ready ask when they are. */
	while ((t = watches_next(&r->watches, t)) != NULL)
		if (rtopic_of(t)->ready)
			rtopic_query(rtopic_of(t));
}

/* Who may not subscribe (ACL) is not told of anything, and tries it again every
 * two seconds: so often what is watched is looked at. */
void
rresults_watches_down(struct rresults *r)
{
	struct topic *t = NULL;

	while ((t = watches_next(&r->watches, t)) != NULL)
		if (!rtopic_of(t)->awaited)
			rtopic_query(rtopic_of(t));
}

static struct rtopic *
rtopic_first_to_refuse(struct rresults *r)
{
	struct topic *t = NULL;

	while ((t = watches_next(&r->watches, t)) != NULL)
		if (!rtopic_of(t)->refused)
			return rtopic_of(t);
	return NULL;
}

void
rresults_watches_refused(struct rresults *r, const struct err *why)
{
	struct rtopic *t;

	/* From the beginning each time: a watcher that is told may end others,
	 * too. */
	while ((t = rtopic_first_to_refuse(r)) != NULL) {
		t->refused = true;
		watches_notify(&t->topic, (struct slice){NULL, 0}, false, why);
	}
}

static struct rtopic *
rtopic_new(struct rresults *r, struct slice id)
{
	struct buf channel = BUF_INIT;
	struct rtopic *t = calloc(1, sizeof(*t));

	arg_key(&channel, RRESULTS_COMPLETE, id);
	if (t == NULL || channel.failed) {
		buf_done(&channel);
		free(t);
		return NULL;
	}
	t->results = r;
	id = (struct slice){channel.data + channel.len - id.len, id.len};
	t->channel = buf_take(&channel);
	/* At first it is awaited: rtopic_subscribe() ends that. */
	t->awaited = true;
	t->since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&r->awaited, t, next_awaited);
	watches_add(&r->watches, &t->topic, id);
	return t;
}

/* No reply is relied on any more. 0, or -1 when memory runs out. */
static int
rtopic_subscribe(struct rtopic *t)
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
	/* Replies come through it, too. */
	if (rresults_open_listener(r, err) != 0)
		return -1;
	if (redis_state(r->listener) != REDIS_REFUSED)
		return 0;
	return err_set(err, ERR_REFUSED, "%s no longer lets us subscribe",
		       redis_name(r->listener));
}

/* A watch of a task, and its topic. NULL with *err. */
static struct results_watch *
rtopic_watch(struct rresults *r, struct slice id, bool follows,
	     results_record_fn *on_record, void *arg, struct rtopic **ret_topic,
	     struct err *err)
{
	struct rtopic *t = rtopic_find(r, id);
	struct results_watch *w = NULL;

	if (t != NULL || (t = rtopic_new(r, id)) != NULL)
		w = watches_watch(&t->topic, &r->pub, follows, on_record, arg);
	if (w == NULL)
		err_nomem(err);
	*ret_topic = t;
	return w;
}

struct results_watch *
rresults_watch(struct results *results, struct slice id,
	       results_record_fn *on_record, void *arg, struct err *err)
{
	struct rresults *r = (struct rresults *)results;
	struct results_watch *w;
	struct rtopic *t;

	if (check_listener(r, err) != 0 ||
	    (w = rtopic_watch(r, id, false, on_record, arg, &t, err)) == NULL)
		return NULL;
	if (rtopic_subscribe(t) == 0)
		return w;
	watches_unwatch(w);
	err_nomem(err);
	return NULL;
}

/* 0, or -1 when memory runs out. */
static int
rtopic_hear_changes(struct rtopic *t)
{
	struct buf channel = BUF_INIT;

	if (t->changes != NULL)
		return 0;
	arg_key(&channel, RRESULTS_CHANGED, t->topic.id);
	if (!channel.failed &&
	    redis_subscribe(t->results->listener,
			    (struct slice){channel.data, channel.len},
			    rtopic_on_ready, t) == 0)
		t->changes = buf_take(&channel);
	buf_done(&channel);
	return t->changes != NULL ? 0 : -1;
}

/* The channel of changes comes first: rtopic_on_ready() then takes the topic for
 * ready when only that one stands, which costs one look more and misses none. */
struct results_watch *
rresults_follow(struct results *results, struct slice id,
		results_record_fn *on_record, void *arg, struct err *err)
{
	struct rresults *r = (struct rresults *)results;
	struct results_watch *w;
	struct rtopic *t;

	if (check_listener(r, err) != 0 ||
	    (w = rtopic_watch(r, id, true, on_record, arg, &t, err)) == NULL)
		return NULL;
	if (rtopic_hear_changes(t) == 0 && rtopic_subscribe(t) == 0)
		return w;
	watches_unwatch(w);
	err_nomem(err);
	return NULL;
}

/* --- replies ----------------------------------------------------------- */

/* All are awaited for the same time, so the first is the one that came first.
 */
static void
wait_for_first(struct rresults *r)
{
	const struct rtopic *t = TAILQ_FIRST(&r->awaited);
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
	struct rtopic *t;

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
	struct results_watch *w;
	struct rtopic *t;

	if (check_listener(r, err) != 0)
		return NULL;
	if (r->reply_timeout == NULL)
		r->reply_timeout =
		    evtimer_new(r->opt.base, rwatch_on_reply_timeout, r);
	if (r->reply_timeout == NULL) {
		err_nomem(err);
		return NULL;
	}
	if ((w = rtopic_watch(r, id, false, on_record, arg, &t, err)) == NULL)
		return NULL;
	/* Somebody watches it already, and may have had the last answer. */
	if (!t->awaited)
		rtopic_query(t);
	wait_for_first(r);
	return w;
}

void
rresults_watches_reply(struct rresults *r, struct slice id, struct slice record)
{
	struct rtopic *t = rtopic_find(r, id);

	if (t != NULL)
		watches_notify(&t->topic, record, true, NULL);
}

/* --- the end ----------------------------------------------------------- */

void
rresults_watches_free(struct rresults *r)
{
	if (r->reply_timeout != NULL)
		event_free(r->reply_timeout);
	watches_done(&r->watches);
}
