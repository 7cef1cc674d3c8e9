/* SPDX-License-Identifier: MIT */
/* A connection under test. */
#include "session.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "redis/url.h"

#define PATIENCE_S 10
#define WORDS_MAX 16
#define TIMEOUT_MS 5000

static void
append(char *text, size_t size, struct slice s)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%.*s", (int)s.len, s.p);
}

static void
describe(const struct redis_reply *reply, char *text, size_t size)
{
	char n[24];
	size_t i;

	if (reply == NULL) {
		append(text, size, SLICE("lost"));
		return;
	}
	switch (redis_reply_type(reply)) {
	case REDIS_NIL:
		append(text, size, SLICE("nil"));
		break;
	case REDIS_INTEGER:
		snprintf(n, sizeof(n), "(%lld)",
			 (long long)redis_reply_integer(reply));
		append(text, size, slice_of(n));
		break;
	case REDIS_ERROR:
		append(text, size, SLICE("-"));
		/* fall through */
	case REDIS_STRING:
		append(text, size, redis_reply_string(reply));
		break;
	case REDIS_ARRAY:
		append(text, size, SLICE("["));
		for (i = 0; i < redis_reply_count(reply); i++) {
			if (i != 0)
				append(text, size, SLICE(" "));
			describe(redis_reply_at(reply, i), text, size);
		}
		append(text, size, SLICE("]"));
		break;
	}
}

void
session_on_reply(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct session *s = arg;

	s->replies++;
	s->lost += reply == NULL;
	s->reply[0] = '\0';
	describe(reply, s->reply, sizeof(s->reply));
}

void
session_on_ready(struct redis *r, void *arg)
{
	struct session *s = arg;

	s->readies++;
}

static void
on_state(struct redis *r, enum redis_state state, const struct err *why,
	 void *arg)
{
	struct session *s = arg;

	ck_assert_int_eq(redis_state(r), state);
	/* Up, with a why: a node of a Cluster is out of reach. */
	ck_assert(why != NULL || state == REDIS_UP);
	if (why != NULL)
		s->why = *why;
	s->warnings += state == REDIS_UP && why != NULL;
	s->ups += state == REDIS_UP && why == NULL;
	s->downs += state == REDIS_DOWN;
	s->refusals += state == REDIS_REFUSED;
}

static void
on_message(struct redis *r, struct slice channel, struct slice payload,
	   void *arg)
{
	struct session *s = arg;

	s->messages++;
	s->message[0] = '\0';
	append(s->message, sizeof(s->message), channel);
	append(s->message, sizeof(s->message), SLICE(" "));
	append(s->message, sizeof(s->message), payload);
}

void
session_init_on(struct session *s, struct event_base *base, const char *url,
		const struct redis_options *options)
{
	struct redis_options o = {.timeout_ms = TIMEOUT_MS};
	struct redis_url parsed;
	struct err err;

	if (options != NULL)
		o = *options;
	ck_assert_msg(redis_url_parse(url, &parsed, &err) == 0, "%s", err.msg);
	*s = (struct session){.base = base};
	o.url = &parsed;
	if (o.timeout_ms == 0)
		o.timeout_ms = TIMEOUT_MS;
	if (o.on_state == NULL)
		o.on_state = on_state;
	if (o.on_message == NULL)
		o.on_message = on_message;
	if (o.arg == NULL)
		o.arg = s;
	s->r = redis_new(base, &o, &err);
	ck_assert_msg(s->r != NULL, "%s", err.msg);
	redis_url_done(&parsed);
}

void
session_init(struct session *s, const char *url,
	     const struct redis_options *options)
{
	session_init_on(s, event_base_new(), url, options);
}

void
session_done(struct session *s)
{
	redis_free(s->r);
	event_base_free(s->base);
}

static void
on_patience_over(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	ck_abort_msg("nothing happened for %d s; ups %d, downs %d, refusals "
		     "%d, replies %d (%s), why: %s",
		     PATIENCE_S, s->ups, s->downs, s->refusals, s->replies,
		     s->reply, s->why.msg);
}

void
session_wait(struct session *s, const int *counter, int value)
{
	const struct timeval tv = {.tv_sec = PATIENCE_S};
	struct event *patience = evtimer_new(s->base, on_patience_over, s);

	evtimer_add(patience, &tv);
	while (*counter < value)
		event_base_loop(s->base, EVLOOP_ONCE);
	event_free(patience);
}

int
session_send(struct session *s, const char *words)
{
	struct slice argv[WORDS_MAX];
	size_t argc = 0;

	while (*words != '\0') {
		argv[argc++] = (struct slice){words, strcspn(words, " ")};
		words += argv[argc - 1].len;
		words += strspn(words, " ");
	}
	return redis_command(s->r, session_on_reply, s, argc, argv);
}

const char *
session_ask(struct session *s, const char *words)
{
	int before = s->replies;

	if (s->ups == 0)
		session_wait(s, &s->ups, 1);
	ck_assert_int_eq(session_send(s, words), 0);
	ck_assert_int_eq(s->replies, before);
	session_wait(s, &s->replies, before + 1);
	return s->reply;
}
