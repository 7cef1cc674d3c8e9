/* SPDX-License-Identifier: MIT */
/* Connections to the nodes of a Redis Cluster. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/session.h"
#include "redis/slots.h"
#include "redis_cluster.h"
#include "suite.h"
#include "util/clock.h"

/* From the specification of Redis Cluster, and as CLUSTER KEYSLOT has them. */
static const struct {
	const char *key;
	unsigned int slot;
} vectors[] = {
    {"123456789", 0x31c3 % REDIS_SLOTS},
    {"", 0},
    {"foo", 12182},
    {"{foo}bar", 12182},
    {"a{foo}{bar}", 12182},
    {"flowrra:queue:io", 4613},
    {"{flowrra:queue:io}:levels", 4613},
};

START_TEST(a_key_is_in_the_slot_that_the_server_says)
{
	struct redis_test_cluster *c = redis_cluster_start(NULL);
	static const char *const odd[] = {"{}x", "x{}{foo}", "{foo", "}foo{",
					  "{{bar}}zap"};
	redisReply *r;
	size_t i;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		r = redis_server_command(redis_cluster_server(c, 0),
					 "CLUSTER KEYSLOT %s", vectors[i].key);
		ck_assert_int_eq(redis_slot_of(slice_of(vectors[i].key)),
				 r->integer);
		if (vectors[i].slot != 4613)
			ck_assert_int_eq(r->integer, vectors[i].slot);
		freeReplyObject(r);
	}
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		r = redis_server_command(redis_cluster_server(c, 0),
					 "CLUSTER KEYSLOT %s", odd[i]);
		ck_assert_int_eq(redis_slot_of(slice_of(odd[i])), r->integer);
		freeReplyObject(r);
	}
	redis_cluster_stop(c);
}
END_TEST

/* Keys that node 0, 1 and 2 of a new Cluster have: slots 3300, 7365 and 15495. */
static const char *const keys[] = {"b", "c", "a"};

static void
assert_works(struct session *s)
{
	char words[64];
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(words, sizeof(words), "SET %s v%zu", keys[i], i);
		ck_assert_str_eq(session_ask(s, words), "OK");
	}
	for (i = 0; i < 3; i++) {
		snprintf(words, sizeof(words), "GET %s", keys[i]);
		ck_assert_int_eq(session_ask(s, words)[1] - '0', (int)i);
	}
}

START_TEST(each_command_goes_to_the_node_that_has_its_key)
{
	const struct redis_cluster_options o = {
	    .tls = _i == 1, .password = _i == 1 ? "secret" : NULL};
	struct redis_test_cluster *c = redis_cluster_start(&o);
	struct session s;
	size_t i;

	session_init(&s, redis_cluster_url(c), NULL);
	assert_works(&s);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(redis_cluster_owner(c, 0, keys[i]), (int)i);
	ck_assert_int_eq(s.ups, 1);
	ck_assert_int_eq(s.downs, 0);
	/* No key: any of them. */
	ck_assert_str_eq(session_ask(&s, "PUBLISH x y"), "(0)");
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

START_TEST(one_node_of_the_url_is_enough)
{
	struct redis_test_cluster *c = redis_cluster_start(NULL);
	char url[100];
	struct session s;

	snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:1,127.0.0.1:%d",
		 redis_server_port(redis_cluster_server(c, 1)));
	session_init(&s, url, NULL);
	assert_works(&s);
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

static const struct redis_script swap = {
    .name = "swap",
    .text = "return redis.call('SET', KEYS[1], ARGV[1], 'GET')"};

static const char *
eval(struct session *s, const char *key, const char *value)
{
	const struct slice k = slice_of(key), v = slice_of(value);
	const int before = s->replies;

	s->reply[0] = '\0';
	ck_assert_int_eq(
	    redis_eval(s->r, &swap, session_on_reply, s, 1, &k, 1, &v), 0);
	session_wait(s, &s->replies, before + 1);
	return s->reply;
}

START_TEST(commands_follow_a_slot_that_moves)
{
	struct redis_test_cluster *c = redis_cluster_start(NULL);
	struct session s;

	session_init(&s, redis_cluster_url(c), NULL);
	assert_works(&s);
	ck_assert_str_eq(eval(&s, "{b}2", "1"), "nil");
	redis_cluster_begin_move(c, "b", 1);
	/* What is there is there; what is not is asked for at the other one. */
	ck_assert_str_eq(session_ask(&s, "GET b"), "v0");
	ck_assert_str_eq(session_ask(&s, "GET {b}new"), "nil");
	ck_assert_str_eq(session_ask(&s, "SET {b}new n"), "OK");
	ck_assert_str_eq(session_ask(&s, "GET {b}new"), "n");
	ck_assert_str_eq(eval(&s, "{b}script", "1"), "nil");
	ck_assert_str_eq(eval(&s, "{b}script", "2"), "1");
	ck_assert_str_eq(eval(&s, "{b}2", "2"), "1");
	redis_cluster_end_move(c, "b", 1);
	ck_assert_str_eq(session_ask(&s, "GET b"), "v0");
	ck_assert_str_eq(session_ask(&s, "GET {b}new"), "n");
	ck_assert_str_eq(eval(&s, "{b}script", "3"), "2");
	ck_assert_str_eq(eval(&s, "{b}2", "3"), "2");
	ck_assert_int_eq(s.lost, 0);
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

/* Two keys of a slot, of which one has moved: TRYAGAIN until both have. */
START_TEST(a_command_waits_until_its_keys_are_together)
{
	struct redis_test_cluster *c = redis_cluster_start(NULL);
	const int port = redis_server_port(redis_cluster_server(c, 1));
	struct session s;
	int before;

	session_init(&s, redis_cluster_url(c), NULL);
	ck_assert_str_eq(session_ask(&s, "SET {b}1 x"), "OK");
	ck_assert_str_eq(session_ask(&s, "SET {b}2 x"), "OK");
	redis_cluster_begin_move(c, "b", 1);
	redis_server_run(redis_cluster_server(c, 0),
			 "MIGRATE 127.0.0.1 %d {b}1 0 5000", port);
	before = s.replies;
	ck_assert_int_eq(session_send(&s, "EXISTS {b}1 {b}2"), 0);
	ck_assert_str_eq(session_ask(&s, "GET {b}1"), "x");
	ck_assert_int_eq(s.replies, before + 1);
	redis_cluster_end_move(c, "b", 1);
	session_wait(&s, &s.replies, before + 2);
	ck_assert_str_eq(s.reply, "(2)");
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

START_TEST(a_node_that_is_away_stalls_only_its_own_keys)
{
	const struct redis_cluster_options o = {.partial = true};
	struct redis_test_cluster *c = redis_cluster_start(&o);
	struct session s;
	int replies;

	session_init(&s, redis_cluster_url(c), NULL);
	assert_works(&s);
	redis_server_kill(redis_cluster_server(c, 0));
	session_wait(&s, &s.warnings, 1);
	ck_assert_int_eq(redis_state(s.r), REDIS_UP);
	ck_assert_int_eq(session_send(&s, "SET b later"), 0);
	replies = s.replies;
	ck_assert_str_eq(session_ask(&s, "GET a"), "v2");
	ck_assert_str_eq(session_ask(&s, "GET c"), "v1");
	ck_assert_int_eq(s.replies, replies + 2);
	/* It waits, and is carried out when the node is back. */
	redis_server_restart(redis_cluster_server(c, 0));
	session_wait(&s, &s.replies, replies + 3);
	ck_assert_str_eq(s.reply, "OK");
	ck_assert_int_eq(s.lost, 0);
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

START_TEST(what_waits_for_a_node_does_not_wait_for_ever)
{
	const struct redis_cluster_options o = {.partial = true};
	struct redis_test_cluster *c = redis_cluster_start(&o);
	const struct redis_options options = {.timeout_ms = 300};
	struct session s;

	session_init(&s, redis_cluster_url(c), &options);
	assert_works(&s);
	redis_server_kill(redis_cluster_server(c, 0));
	session_wait(&s, &s.warnings, 1);
	ck_assert_int_eq(strncmp(session_ask(&s, "GET b"), "-CLUSTERDOWN", 12),
			 0);
	ck_assert_str_eq(session_ask(&s, "GET a"), "v2");
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

/* Sent so late, it would be of a state that is gone. */
START_TEST(what_is_brisk_is_carried_out_soon_or_never)
{
	const struct redis_cluster_options o = {.partial = true};
	struct redis_test_cluster *c = redis_cluster_start(&o);
	const struct redis_options options = {.timeout_ms = 60000};
	const struct slice set[] = {SLICE("SET"), SLICE("b"), SLICE("late")};
	struct session s;

	session_init(&s, redis_cluster_url(c), &options);
	assert_works(&s);
	redis_server_kill(redis_cluster_server(c, 0));
	session_wait(&s, &s.warnings, 1);
	ck_assert_int_eq(redis_command_brisk(s.r, session_on_reply, &s, 3, set),
			 0);
	session_wait(&s, &s.replies, s.replies + 1);
	ck_assert_int_eq(strncmp(s.reply, "-CLUSTERDOWN", 12), 0);
	redis_server_restart(redis_cluster_server(c, 0));
	redis_cluster_settle(c);
	session_wait(&s, &s.ups, 2);
	ck_assert_str_eq(session_ask(&s, "GET b"), "nil");
	/* A slot that has moved is followed. */
	redis_cluster_move(c, "b", 1);
	ck_assert_int_eq(redis_command_brisk(s.r, session_on_reply, &s, 3, set),
			 0);
	session_wait(&s, &s.replies, s.replies + 1);
	ck_assert_str_eq(s.reply, "OK");
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

START_TEST(each_node_can_be_asked)
{
	const struct slice argv[] = {SLICE("INFO"), SLICE("server")};
	struct redis_test_cluster *c = redis_cluster_start(NULL);
	struct redis_node node;
	struct session s;
	char port[32];
	size_t i;

	session_init(&s, redis_cluster_url(c), NULL);
	assert_works(&s);
	for (i = 0; redis_get_node(s.r, i, &node); i++) {
		ck_assert(node.up);
		snprintf(port, sizeof(port), "tcp_port:%u\r", node.port);
		ck_assert_int_eq(
		    redis_command_node(s.r, i, session_on_reply, &s, 2, argv),
		    0);
		session_wait(&s, &s.replies, s.replies + 1);
		ck_assert_msg(strstr(s.reply, port) != NULL, "%s: %s", port,
			      s.reply);
	}
	ck_assert_uint_eq(i, REDIS_CLUSTER_MASTERS);
	ck_assert_int_eq(
	    redis_command_node(s.r, i, session_on_reply, &s, 2, argv), -1);
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

START_TEST(a_failover_of_a_node_is_followed)
{
	const struct redis_cluster_options o = {.replicas = true};
	struct redis_test_cluster *c = redis_cluster_start(&o);
	struct session s, one;
	struct redis_options at_b = {.timeout_ms = 5000, .key = "b"};
	int ups, replies;

	session_init(&s, redis_cluster_url(c), NULL);
	assert_works(&s);
	session_init_on(&one, s.base, redis_cluster_url(c), &at_b);
	ck_assert_str_eq(session_ask(&one, "GET b"), "v0");
	ups = one.ups;
	if (_i == 0) {
		redis_cluster_failover(c, 3);
		/* The one that is left says so. */
		session_send(&one, "GET b");
	} else {
		redis_server_kill(redis_cluster_server(c, 0));
		session_wait(&s, &s.warnings, 1);
	}
	replies = s.replies;
	session_send(&s, "GET b");
	session_wait(&s, &s.replies, replies + 1);
	ck_assert_str_eq(s.reply, "v0");
	session_wait(&one, &one.ups, ups + 1);
	ck_assert_str_eq(session_ask(&one, "GET b"), "v0");
	ck_assert_int_eq(redis_cluster_owner(c, 1, "b"), 3);
	redis_free(one.r);
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

START_TEST(a_connection_to_one_node_goes_where_its_slot_goes)
{
	struct redis_test_cluster *c = redis_cluster_start(NULL);
	const struct redis_options at_b = {.timeout_ms = 5000, .key = "b"};
	struct session s;
	int ups;

	session_init(&s, redis_cluster_url(c), &at_b);
	ck_assert_str_eq(session_ask(&s, "SET b v"), "OK");
	ups = s.ups;
	redis_cluster_move(c, "b", 2);
	ck_assert_int_eq(strncmp(session_ask(&s, "GET b"), "-MOVED", 6), 0);
	session_wait(&s, &s.ups, ups + 1);
	ck_assert_str_eq(session_ask(&s, "GET b"), "v");
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

START_TEST(subscriptions_hear_what_any_node_is_told)
{
	struct redis_test_cluster *c = redis_cluster_start(NULL);
	const struct redis_options any = {.timeout_ms = 5000, .any_node = true};
	struct session s;
	size_t i;

	session_init(&s, redis_cluster_url(c), &any);
	ck_assert_int_eq(
	    redis_subscribe(s.r, SLICE("ch"), session_on_ready, &s), 0);
	session_wait(&s, &s.readies, 1);
	for (i = 0; i < 3; i++) {
		redis_server_run(redis_cluster_server(c, i), "PUBLISH ch m");
		session_wait(&s, &s.messages, (int)i + 1);
	}
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

START_TEST(what_is_no_cluster_says_so)
{
	struct redis_server *server = redis_server_start(NULL);
	char url[100];
	struct session s;

	snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%d",
		 redis_server_port(server));
	session_init(&s, url, NULL);
	session_wait(&s, &s.downs, 1);
	ck_assert_msg(strstr(s.why.msg, "cluster support disabled") != NULL,
		      "%s", s.why.msg);
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_node_that_stands_still_stalls_only_its_own_keys)
{
	const struct redis_cluster_options o = {.partial = true};
	struct redis_test_cluster *c = redis_cluster_start(&o);
	const struct redis_options options = {.timeout_ms = 1000},
				   patient = {.timeout_ms = 60000};
	struct session s, other;
	int replies;

	session_init(&s, redis_cluster_url(c), &options);
	assert_works(&s);
	redis_server_pause(redis_cluster_server(c, 0));
	replies = s.replies;
	ck_assert_int_eq(session_send(&s, "SET b late"), 0);
	ck_assert_str_eq(session_ask(&s, "GET a"), "v2");
	ck_assert_str_eq(session_ask(&s, "GET c"), "v1");
	ck_assert_int_eq(s.replies, replies + 2);
	/* It may have been carried out. */
	session_wait(&s, &s.lost, 1);
	session_wait(&s, &s.warnings, 1);
	ck_assert_int_eq(strncmp(session_ask(&s, "GET b"), "-CLUSTERDOWN", 12),
			 0);
	ck_assert_str_eq(session_ask(&s, "GET a"), "v2");
	/* No key: those that are there. */
	for (replies = 0; replies < 4; replies++)
		ck_assert_str_eq(session_ask(&s, "PUBLISH x y"), "(0)");
	/* Who comes now does not wait for it. */
	session_init_on(&other, s.base, redis_cluster_url(c), &patient);
	session_wait(&other, &other.ups, 1);
	ck_assert_str_eq(session_ask(&other, "GET a"), "v2");
	ck_assert_int_eq(other.ups, 1);
	redis_free(other.r);
	redis_server_continue(redis_cluster_server(c, 0));
	session_wait(&s, &s.ups, 2);
	redis_cluster_settle(c);
	ck_assert_str_eq(session_ask(&s, "SET b w"), "OK");
	ck_assert_int_eq(s.lost, 1);
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

START_TEST(a_user_who_may_not_ask_for_the_slots_is_refused)
{
	struct redis_test_cluster *c = redis_cluster_start(NULL);
	char url[100];
	struct session s;
	size_t i;

	for (i = 0; i < redis_cluster_size(c); i++)
		redis_server_run(redis_cluster_server(c, i),
				 "ACL SETUSER few on >x ~* &* +@all -cluster");
	snprintf(url, sizeof(url), "redis+cluster://few:x@%s",
		 redis_cluster_url(c) + strlen("redis+cluster://"));
	session_init(&s, url, NULL);
	session_wait(&s, &s.refusals, 1);
	ck_assert_msg(strstr(s.why.msg, "CLUSTER SLOTS") != NULL &&
			  strstr(s.why.msg, "NOPERM") != NULL,
		      "%s", s.why.msg);
	ck_assert_int_eq(s.downs, 0);
	session_done(&s);
	redis_cluster_stop(c);
}
END_TEST

SUITE("redis_cluster")
{
	SUITE_TIMEOUT(60);
	TEST(a_key_is_in_the_slot_that_the_server_says);
	TEST_LOOP(each_command_goes_to_the_node_that_has_its_key, 0, 2);
	TEST(one_node_of_the_url_is_enough);
	TEST(commands_follow_a_slot_that_moves);
	TEST(a_command_waits_until_its_keys_are_together);
	TEST(a_node_that_is_away_stalls_only_its_own_keys);
	TEST(what_waits_for_a_node_does_not_wait_for_ever);
	TEST(what_is_brisk_is_carried_out_soon_or_never);
	TEST(each_node_can_be_asked);
	TEST_LOOP(a_failover_of_a_node_is_followed, 0, 2);
	TEST(a_connection_to_one_node_goes_where_its_slot_goes);
	TEST(subscriptions_hear_what_any_node_is_told);
	TEST(what_is_no_cluster_says_so);
	TEST(a_node_that_stands_still_stalls_only_its_own_keys);
	TEST(a_user_who_may_not_ask_for_the_slots_is_refused);
}
