/* SPDX-License-Identifier: MIT */
/*
 * Subscriptions (RESP2: a connection that subscribes can do nothing else).
 *
 * Each SUBSCRIBE, UNSUBSCRIBE and PING is due one answer, like any command.
 * Messages arrive in between and answer nothing.
 *
 * An UNSUBSCRIBE may wait and leave together with the next SUBSCRIBE. A client
 * that waits for one task after another would otherwise wake the server once
 * more for each task, at the moment when it should handle the next one.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "redis/conn.h"
#include "redis/reader.h"
#include "util/err.h"

/* As in reply.c. */
#define TEXT_SIZE 200

struct redis_channel {
	struct slice name; /* points behind the struct */
	redis_ready_fn *on_ready;
	void *arg;
};

/* Names are bytes, not text: memcmp() first, then the length. For tsearch(3),
 * whose tree finds a channel in a client that watches thousands. */
static int
pubsub_compare(const void *va, const void *vb)
{
	const struct slice a = ((const struct redis_channel *)va)->name;
	const struct slice b = ((const struct redis_channel *)vb)->name;
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len != 0 ? memcmp(a.p, b.p, len) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static struct redis_channel *
pubsub_find(const struct redis *r, struct slice name)
{
	const struct redis_channel key = {.name = name};
	struct redis_channel **node = tfind(&key, &r->channels, pubsub_compare);

	return node != NULL ? *node : NULL;
}

static struct redis_channel *
pubsub_add(struct redis *r, struct slice name)
{
	struct redis_channel *c = malloc(sizeof(*c) + name.len);

	if (c == NULL)
		return NULL;
	if (name.len != 0)
		memcpy(c + 1, name.p, name.len);
	*c = (struct redis_channel){.name = {(char *)(c + 1), name.len}};
	if (tsearch(c, &r->channels, pubsub_compare) == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

static void
pubsub_drop(struct redis *r, struct redis_channel *c)
{
	tdelete(c, &r->channels, pubsub_compare);
	free(c);
}

static void
forget_left(struct redis *r)
{
	while (r->n_left > 0)
		free(r->left[--r->n_left]);
}

/* The address marks a due PING: an error in reply to it does no harm (a user
 * may lack the permission), while one in reply to a SUBSCRIBE is fatal. */
static char is_ping;

static int
send_command(struct redis *r, struct slice command, const struct slice *name)
{
	const struct slice argv[] = {
	    command,
	    name != NULL ? *name : (struct slice){"", 0},
	};

	return redis_conn_send(
	    r, (struct redis_due){.arg = name == NULL ? &is_ping : NULL},
	    &(struct redis_args){argv, name == NULL ? 1 : 2}, 1);
}

/* Sends the UNSUBSCRIBEs that wait. If that fails, messages arrive and are
 * dropped by on_push(). */
static void
tell_left(struct redis *r)
{
	size_t i;

	for (i = 0; i < r->n_left; i++)
		send_command(r, SLICE("UNSUBSCRIBE"), &r->left[i]->name);
	forget_left(r);
}

/* A connection with commands under way cannot become a subscriber: the server
 * would accept it, but replies and messages could not be told apart. */
int
redis_subscribe(struct redis *r, struct slice channel, redis_ready_fn *on_ready,
		void *arg)
{
	struct redis_channel *c = pubsub_find(r, channel);
	bool is_new = c == NULL;

	if (r->router != NULL || r->phase == REDIS_PHASE_REFUSED ||
	    (r->phase == REDIS_PHASE_UP && !r->subscriber &&
	     redis_ring_first(&r->due) != NULL))
		return -1;
	if (is_new && (c = pubsub_add(r, channel)) == NULL)
		return -1;
	if (r->phase == REDIS_PHASE_UP)
		tell_left(r); /* first: it may be among them */
	if (r->phase == REDIS_PHASE_UP &&
	    send_command(r, SLICE("SUBSCRIBE"), &channel) != 0) {
		if (is_new)
			pubsub_drop(r, c);
		return -1;
	}
	r->subscriber = true;
	c->on_ready = on_ready;
	c->arg = arg;
	return 0;
}

int
redis_unsubscribe_later(struct redis *r, struct slice channel)
{
	struct redis_channel *c = pubsub_find(r, channel);

	if (c == NULL)
		return -1;
	/* Without a connection the server has forgotten it already. */
	if (r->phase != REDIS_PHASE_UP) {
		pubsub_drop(r, c);
		return 0;
	}
	tdelete(c, &r->channels, pubsub_compare);
	r->left[r->n_left++] = c;
	if (r->n_left == REDIS_LEFT_MAX)
		tell_left(r);
	return 0;
}

int
redis_unsubscribe(struct redis *r, struct slice channel)
{
	if (redis_unsubscribe_later(r, channel) != 0)
		return -1;
	tell_left(r);
	return 0;
}

int
redis_pubsub_ping(struct redis *r)
{
	return send_command(r, SLICE("PING"), NULL);
}

struct restoring {
	struct redis *r;
	int rc;
};

static void
restore_one(const void *node, VISIT visit, void *arg)
{
	struct restoring *restoring = arg;
	const struct redis_channel *c =
	    *(const struct redis_channel *const *)node;

	if (visit == preorder || visit == endorder)
		return;
	if (send_command(restoring->r, SLICE("SUBSCRIBE"), &c->name) != 0)
		restoring->rc = -1;
}

/* After a reconnect the server knows none of our channels: all are subscribed
 * again, and those that were left need no UNSUBSCRIBE. */
int
redis_pubsub_restore(struct redis *r)
{
	struct restoring restoring = {.r = r};

	forget_left(r);
	twalk_r(r->channels, restore_one, &restoring);
	return restoring.rc;
}

void
redis_pubsub_done(struct redis *r)
{
	tdestroy(r->channels, free);
	r->channels = NULL;
	forget_left(r);
}

static void
pubsub_deliver(struct redis *r, struct slice channel,
	       const struct redis_reply *payload)
{
	size_t i;

	if (r->options.on_message == NULL)
		return;
	if (redis_reply_type(payload) != REDIS_ARRAY) {
		r->options.on_message(r, channel, redis_reply_string(payload),
				      r->options.arg);
		return;
	}
	/* Each call may be the last. */
	for (i = 0; i < redis_reply_count(payload) && !r->freed; i++)
		r->options.on_message(
		    r, channel, redis_reply_string(redis_reply_at(payload, i)),
		    r->options.arg);
}

/* A push has three members: its kind, the channel, and a payload or the number
 * of subscriptions. */
static void
on_push(struct redis *r, struct slice kind, const struct redis_reply *push)
{
	const struct redis_channel *c =
	    pubsub_find(r, redis_reply_string(redis_reply_at(push, 1)));

	if (c == NULL)
		return; /* unsubscribed meanwhile */
	if (slice_eq(kind, SLICE("subscribe")) && c->on_ready != NULL)
		c->on_ready(r, c->arg);
	else if (slice_eq(kind, SLICE("message")))
		pubsub_deliver(r, redis_reply_string(redis_reply_at(push, 1)),
			       redis_reply_at(push, 2));
}

static void
pubsub_report(struct redis *r, const struct redis_reply *reply)
{
	char text[TEXT_SIZE];
	struct err err;

	redis_reply_text(reply, text, sizeof(text));
	err_set(&err, ERR_UNAVAILABLE, "cannot subscribe: %s", text);
	redis_conn_fail(r, &err);
}

/*
 * The first member tells a message from the answer to a command. A PING is
 * answered with two members, so the count of three separates it from the rest.
 */
void
redis_pubsub_reply(struct redis *r, const struct redis_reply *reply)
{
	struct slice kind = {"", 0};
	struct redis_due due = {.arg = NULL};

	if (redis_reply_count(reply) != 0)
		kind = redis_reply_string(redis_reply_at(reply, 0));
	if (!slice_eq(kind, SLICE("message")))
		redis_ring_pop(&r->due, &due);
	if (redis_reply_count(reply) == 3)
		on_push(r, kind, reply);
	else if (reply->type == REDIS_ERROR && due.arg != &is_ping)
		pubsub_report(r, reply);
}
