/* SPDX-License-Identifier: MIT */
/* Subscriptions. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "redis/redis.h"
#include "redis_server.h"
#include "session.h"
#include "suite.h"

#define CHANNELS 1000

START_TEST(a_message_arrives_after_the_confirmation)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	ck_assert_int_eq(
	    redis_subscribe(s.r, SLICE("ch"), session_on_ready, &s), 0);
	ck_assert_int_eq(s.readies, 0);
	session_wait(&s, &s.readies, 1);
	redis_server_run(server, "PUBLISH ch hello");
	session_wait(&s, &s.messages, 1);
	ck_assert_str_eq(s.message, "ch hello");
	ck_assert_int_eq(session_send(&s, "PING"), -1);
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(subscriptions_last_through_a_reconnect)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;
	char name[32];
	int i;

	/* Before it is up, too. */
	session_init(&s, redis_server_url(server), NULL);
	for (i = 0; i < CHANNELS; i++) {
		snprintf(name, sizeof(name), "ch%d", i);
		ck_assert_int_eq(
		    redis_subscribe(s.r, slice_of(name), session_on_ready, &s),
		    0);
	}
	session_wait(&s, &s.readies, CHANNELS);
	ck_assert_int_eq(redis_unsubscribe(s.r, SLICE("ch7")), 0);
	ck_assert_int_eq(redis_unsubscribe(s.r, SLICE("ch7")), -1);
	redis_server_run(server, "CLIENT KILL TYPE pubsub");
	session_wait(&s, &s.downs, 1);
	session_wait(&s, &s.readies, 2 * CHANNELS - 1);
	ck_assert_int_eq(s.ups, 2);
	redis_server_run(server, "PUBLISH ch7 a");
	redis_server_run(server, "PUBLISH ch999 b");
	session_wait(&s, &s.messages, 1);
	ck_assert_str_eq(s.message, "ch999 b");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

static int
channels_of(struct redis_server *server)
{
	redisReply *reply = redis_server_command(server, "PUBSUB CHANNELS *");
	int n = (int)reply->elements;

	freeReplyObject(reply);
	return n;
}

START_TEST(no_message_arrives_after_unsubscribing)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server), NULL);
	redis_subscribe(s.r, SLICE("a"), session_on_ready, &s);
	redis_subscribe(s.r, SLICE("b"), session_on_ready, &s);
	session_wait(&s, &s.readies, 2);
	/* It is on its way when we unsubscribe. */
	redis_server_run(server, "PUBLISH a 1");
	redis_server_run(server, "PUBLISH b 2");
	ck_assert_int_eq(redis_unsubscribe(s.r, SLICE("a")), 0);
	session_wait(&s, &s.messages, 1);
	ck_assert_str_eq(s.message, "b 2");
	ck_assert_int_eq(s.messages, 1);
	/* The last one, too: the server is asked for signs of life still. */
	ck_assert_int_eq(redis_unsubscribe(s.r, SLICE("b")), 0);
	ck_assert_int_eq(redis_subscribe(s.r, SLICE("c"), session_on_ready, &s),
			 0);
	session_wait(&s, &s.readies, 3);
	ck_assert_int_eq(s.downs, 0);
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(the_server_can_hear_of_an_end_with_the_next_beginning)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;
	char name[32];
	int i;

	session_init(&s, redis_server_url(server), NULL);
	for (i = 0; i < 100; i++) {
		/* The same one again, too, at once. */
		snprintf(name, sizeof(name), "ch%d", i / 2);
		redis_subscribe(s.r, slice_of(name), session_on_ready, &s);
		session_wait(&s, &s.readies, i + 1);
		ck_assert_int_eq(redis_unsubscribe_later(s.r, slice_of(name)),
				 0);
	}
	redis_subscribe(s.r, SLICE("ch49"), session_on_ready, &s);
	session_wait(&s, &s.readies, 101);
	ck_assert_int_eq(channels_of(server), 1);
	/* More than are kept back. */
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		redis_subscribe(s.r, slice_of(name), session_on_ready, &s);
	}
	session_wait(&s, &s.readies, 1101);
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		redis_unsubscribe_later(s.r, slice_of(name));
	}
	redis_subscribe(s.r, SLICE("last"), session_on_ready, &s);
	session_wait(&s, &s.readies, 1102);
	ck_assert_int_eq(channels_of(server), 2);
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

/* A timer that counts. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	int *ticks = arg;

	(*ticks)++;
}

START_TEST(a_quiet_subscription_lives_and_a_dead_server_is_noticed)
{
	const struct timeval tv = {.tv_sec = 1};
	struct redis_server *server = redis_server_start(NULL);
	struct session s;
	struct event *tick;
	int ticks = 0;

	session_init(&s, redis_server_url(server),
		     &(struct redis_options){.timeout_ms = 300});
	redis_subscribe(s.r, SLICE("a"), session_on_ready, &s);
	redis_subscribe(s.r, SLICE("b"), session_on_ready, &s);
	session_wait(&s, &s.readies, 2);
	redis_unsubscribe(s.r, SLICE("a"));
	redis_unsubscribe(s.r, SLICE("b"));
	tick = evtimer_new(s.base, on_tick, &ticks);
	evtimer_add(tick, &tv);
	session_wait(&s, &ticks, 1);
	ck_assert_int_eq(s.downs, 0);
	redis_subscribe(s.r, SLICE("a"), session_on_ready, &s);
	session_wait(&s, &s.readies, 3);
	evtimer_add(tick, &tv);
	session_wait(&s, &ticks, 2);
	ck_assert_int_eq(s.downs, 0);
	redis_server_pause(server);
	session_wait(&s, &s.downs, 1);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "does not answer"));
	redis_server_continue(server);
	session_wait(&s, &s.readies, 4);
	event_free(tick);
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_channel_that_is_forbidden_is_named_by_the_server)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;
	char url[64];

	redis_server_run(server,
			 "ACL SETUSER bob on >pw ~* +@all resetchannels");
	snprintf(url, sizeof(url), "redis://bob:pw@127.0.0.1:%d",
		 redis_server_port(server));
	session_init(&s, url, NULL);
	redis_subscribe(s.r, SLICE("ch"), session_on_ready, &s);
	session_wait(&s, &s.downs, 1);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "cannot subscribe: NOPERM"));
	redis_server_run(server, "ACL SETUSER bob allchannels");
	session_wait(&s, &s.readies, 1);
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_connection_with_commands_under_way_does_not_subscribe)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	session_send(&s, "PING");
	ck_assert_int_eq(redis_subscribe(s.r, SLICE("ch"), NULL, NULL), -1);
	session_wait(&s, &s.replies, 1);
	ck_assert_int_eq(redis_subscribe(s.r, SLICE("ch"), NULL, NULL), 0);
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

SUITE("redis_pubsub")
{
	TEST(a_message_arrives_after_the_confirmation);
	TEST(subscriptions_last_through_a_reconnect);
	TEST(no_message_arrives_after_unsubscribing);
	TEST(the_server_can_hear_of_an_end_with_the_next_beginning);
	TEST(a_quiet_subscription_lives_and_a_dead_server_is_noticed);
	TEST(a_channel_that_is_forbidden_is_named_by_the_server);
	TEST(a_connection_with_commands_under_way_does_not_subscribe);
}
